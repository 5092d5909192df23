//! The small commands, as an operator types them.

use crate::support::{
    database::on_both,
    fake_telegram::Fault,
    process::{Fakes, Installation, get, until},
};
use bellwether::{
    clock::{Clock, SystemClock},
    domain::{
        Address, MessageBody, Place, Platform,
        wording::{Card, NoticePhrase, Phrase, Tone},
    },
    store::NewDestination,
};
use insta::assert_snapshot;
use serde_json::Value;

#[tokio::test]
async fn help_says_what_there_is() {
    let installation = Installation::empty();
    let help = installation.run(&["--help"]).await;
    assert_eq!((help.code, help.err.as_str()), (Some(0), ""));
    assert_snapshot!(help.out, @r#"
    Self-hosted alerts for trading communities: polls trading-signal endpoints, finds what changed, and tells exactly those who subscribed on Discord and Telegram

    Usage: bellwether <COMMAND>

    Commands:
      serve        Run the whole bot
      demo         Show alerts from a simulated market: no token, no network, nothing to set up
      check        Try every setting for real and say what to mend
      register     Register the slash commands on Discord and the command lists on Telegram, where they differ
      invite       Print the links that install the bot, with the fewest permissions that work
      replay       Print the changes in recorded API bodies, one JSON line each
      export       Write all configuration and subscriptions as one JSON document
      backup       Copy the SQLite database as of one moment, also while `serve` runs
      import       Read such a document back: what it holds is added or changed, and nothing else
      outbox       Show what could not be delivered, try it again, or give it up
      status       Show how feeds and delivery are doing
      healthcheck  Ask the running instance whether it works (for a container's HEALTHCHECK)
      help         Print this message or the help of the given subcommand(s)

    Options:
      -h, --help     Print help
      -V, --version  Print version

    Settings come from the environment and from a .env file; see .env.example.
    "#);
    let nothing = installation.run(&[]).await;
    assert_eq!(nothing.code, Some(2));
    for command in
        ["serve", "demo", "check", "register", "invite", "replay", "export", "backup", "import", "outbox", "status", "healthcheck"]
    {
        let help = installation.run(&[command, "--help"]).await;
        assert!(help.code == Some(0) && help.out.contains("Usage: bellwether"), "{help:?}");
    }
    assert!(!installation.folder.path().join("bellwether.db").exists(), "help makes no database");
}

#[tokio::test]
async fn register_writes_once() {
    let fakes = Fakes::start().await;
    let installation = Installation::new(&fakes, "sqlite://bellwether.db");
    let mut said = Vec::new();
    for _ in 0..2 {
        let ended = installation.run(&["register"]).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
        said.push(ended.out);
    }
    fakes.discord.refuse("GET /applications", 1, 401, 0);
    let ended = installation.run(&["register"]).await;
    said.push(format!("{} {}", ended.code.unwrap(), ended.err));
    let ended = Installation::empty().run(&["register"]).await;
    said.push(format!("{} {}", ended.code.unwrap(), ended.err));
    assert_snapshot!(said.join("\n"), @r#"
    Discord: the commands were registered
    Telegram: these command lists were registered: all_private_chats, all_group_chats, all_chat_administrators

    Discord: the commands are registered as they are
    Telegram: the command lists are registered as they are

    1 Discord: Discord refuses: status 401, code 0: "refused with 0"; reset it in the developer portal (Bot, Reset Token), write the new one into DISCORD_BOT_TOKEN and restart, or into its file and send SIGHUP [DC-TOKEN]

    1 there is nothing to register: set DISCORD_BOT_TOKEN or TELEGRAM_BOT_TOKEN
    "#);
    assert_eq!((fakes.discord.command_writes(), fakes.telegram.calls("setMyCommands").len()), (1, 3));
}

on_both!(a_dead_letter_is_listed_and_sent_after_all, |db| async move {
    let fakes = Fakes::start().await;
    fakes.telegram.with(|world| {
        world.person(501);
    });
    let now = SystemClock.now();
    let new =
        NewDestination { address: Address::new(Platform::Telegram, "501"), place: Place::Person, tenant: None, label: None, creator: None };
    let card = Card::new(Tone::Problem, Phrase::Notice(NoticePhrase::Restored { destination: "x".to_owned() }));
    db.store.post(&new, &MessageBody::Card { card }, None, now).await.unwrap();
    fakes.telegram.fault("sendMessage", Some(501), Fault::Refuse(400, "Bad Request: message is too long", Value::Null));
    let installation = Installation::new(&fakes, &db.url);
    let (process, _) = installation.serve().await;
    let listed = until(|| async {
        let list: Value = serde_json::from_str(&installation.run(&["outbox", "list", "--json"]).await.out).unwrap();
        list.get(0).cloned()
    })
    .await
    .unwrap();
    assert_eq!((&listed["state"], &listed["destination"]), (&"dead".into(), &"telegram:501".into()));
    let table = installation.run(&["outbox", "list"]).await.out;
    let since = listed["since"].as_str().unwrap();
    assert_snapshot!(table.replace(since, "SINCE"), @r#"
    id  state  destination   since                 reason
    1   dead   telegram:501  SINCE  the message is refused: Telegram answers 400: "Bad Request: message is too long"; report it with the log line; bellwether outbox retry tries the message again [TG-MESSAGE]
    "#);
    let status = installation.run(&["status"]).await.out;
    assert!(status.contains("dead letters: 1"), "{status}");
    let retried = installation.run(&["outbox", "retry", listed["id"].as_str().unwrap()]).await;
    assert_eq!((retried.code, retried.out.trim()), (Some(0), "1: is tried again"));
    let arrived = until(|| async { fakes.telegram.unread().pop() }).await;
    assert_eq!(arrived.unwrap().chat, 501);
    until(|| async { installation.run(&["outbox", "list"]).await.out.starts_with("Nothing").then_some(()) }).await.unwrap();
    assert_eq!(process.stop("TERM").await.code, Some(0));
});

#[tokio::test]
async fn a_healthcheck_asks_the_instance_beside_it() {
    let fakes = Fakes::start().await;
    let mut installation = Installation::new(&fakes, "sqlite://bellwether.db");
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    installation.set("BELLWETHER_LISTEN", &format!("0.0.0.0:{port}"));
    let before = installation.run(&["healthcheck"]).await;
    assert_eq!(before.code, Some(1), "{before:?}");
    let (process, _) = installation.serve().await;
    let ended = installation.run(&["healthcheck"]).await;
    assert_eq!((ended.code, ended.out.as_str()), (Some(0), ""), "{ended:?}");
    assert_eq!(get(&format!("127.0.0.1:{port}"), "/metrics").await.0, 404, "everybody can reach this listener");
    assert_eq!(process.stop("TERM").await.code, Some(0));
}

#[tokio::test]
async fn replay_reads_every_sample_without_settings() {
    let installation = Installation::empty();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/data/token-metrics");
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let mut said = Vec::new();
    for file in files {
        let ended = installation.run(&["replay", file.to_str().unwrap()]).await;
        let name = file.file_name().unwrap().to_str().unwrap();
        assert_eq!(ended.code, Some(0), "{name}: {ended:?}");
        let said_nothing = if ended.err.contains("this body holds no signals") { ", and says that it holds no signals" } else { "" };
        said.push(format!("{name}: {} changes{said_nothing}", ended.out.lines().count()));
    }
    assert_snapshot!(said.join("\n"), @r#"
    daily-ohlcv.json: 0 changes, and says that it holds no signals
    error-400.inferred.json: 0 changes, and says that it holds no signals
    error-401-key.inferred.json: 0 changes, and says that it holds no signals
    error-401-plan.json: 0 changes, and says that it holds no signals
    error-402-x402.inferred.json: 0 changes, and says that it holds no signals
    error-404-data-not-found.json: 0 changes, and says that it holds no signals
    error-429.inferred.json: 0 changes, and says that it holds no signals
    hourly-ohlcv.json: 0 changes, and says that it holds no signals
    hourly-trading-signals.json: 1 changes
    hourly-trading-signals.numeric-variant-inferred.json: 0 changes
    price-prediction.json: 0 changes, and says that it holds no signals
    quantmetrics.json: 0 changes, and says that it holds no signals
    tokens.json: 0 changes, and says that it holds no signals
    top-market-cap-tokens.json: 0 changes, and says that it holds no signals
    trading-signals.json: 0 changes
    trading-signals.nulls-inferred.json: 0 changes
    trading-signals.recorded-2025-04-10.json: 0 changes
    v3-trading-signals.inferred.json: 0 changes
    "#);
    let missing = installation.run(&["replay", "nowhere.json"]).await;
    assert!(missing.code == Some(1) && missing.err.contains("nowhere.json"), "{missing:?}");
}
