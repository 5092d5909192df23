//! `serve` as a process: everything at once, how it stops, and what it takes up again.

use crate::support::{
    commands::rows,
    database::on_both,
    fake_discord::{HERE, direct_channel, interaction},
    process::{Fakes, Installation, Process, get, interact, until, wait_for_metric, wait_for_polls},
};
use bellwether::{
    clock::{Clock, SystemClock},
    domain::{
        Address, MessageBody, Place, Platform,
        wording::{Card, NoticePhrase, Phrase, Tone},
    },
    store::NewDestination,
};
use interaction::{ADMIN, MEMBER, PLAIN, in_server, slash, subcommand};
use serde_json::json;
use std::collections::BTreeSet;

const PERSON: i64 = 501;
const GROUP: i64 = -1_001_234;
const GROUP_ADMIN: i64 = 777;

/// Waits until the directory was read: then symbols are known.
async fn directory_read(address: &str) {
    wait_for_polls(address, "ranks", 1).await;
}

/// Waits for what the bot answers in a chat.
async fn said(fakes: &Fakes, chat: i64, user: i64, text: &str) -> String {
    fakes.telegram.with(|world| world.say(chat, user, text));
    let answer = until(|| async { fakes.telegram.unread().into_iter().find(|sent| sent.chat == chat).map(|sent| sent.text) }).await;
    answer.unwrap_or_else(|| panic!("nothing is answered to {text}"))
}

fn assert_quiet(process: &Process) {
    let log = process.log();
    let loud: Vec<_> = log.lines().filter(|line| line.contains(" ERROR ") || line.contains(" WARN ")).collect();
    assert!(loud.is_empty(), "{loud:#?}");
}

on_both!(from_the_example_settings_to_an_alert, |db| async move {
    let fakes = Fakes::start().await;
    fakes.daily(3988, -1);
    fakes.discord.set_endpoint(Some("https://bot.example.org/discord/interactions"));
    fakes.telegram.with(|world| {
        world.group(GROUP, "Traders", GROUP_ADMIN);
    });
    let installation = Installation::new(&fakes, &db.url);
    let (process, address) = installation.serve().await;
    assert_eq!(get(&address, "/healthz").await, (200, "ok".to_owned()));
    let ready = until(|| async { Some(get(&address, "/readyz").await).filter(|(status, _)| *status == 200) }).await.unwrap();
    assert_eq!(ready.1, r#"{"ready":true,"state":"ready","platforms":{"discord":"up","telegram":"up"}}"#);
    directory_read(&address).await;
    process.wait_for("the commands are registered").await;
    until(|| async { (fakes.discord.command_writes() == 1).then_some(()) }).await.unwrap();

    let ping = json!({"type": 1, "id": "1", "application_id": "1402318849203716096", "token": "t", "version": 1});
    assert_eq!(interact(&address, &ping).await, (200, json!({"type": 1})));
    let channel = subcommand("channel", "subscribe", json!([{"name": "tokens", "type": 3, "value": "sol"}]));
    for (id, command) in [(11, in_server(11, ADMIN, channel)), (12, in_server(12, PLAIN, slash("subscribe", &[("tokens", "SOL")])))] {
        let (status, answer) = interact(&address, &command).await;
        assert_eq!(status, 200);
        let text = match answer["type"].as_u64() {
            Some(5) => until(|| async {
                let token = interaction::token_of(id);
                fakes.discord.answers().into_iter().find(|(of, _)| *of == token).map(|(_, body)| body.to_string())
            })
            .await
            .unwrap(),
            _ => answer.to_string(),
        };
        assert!(text.contains("SOL"), "{text}");
    }
    for (chat, user, text) in [(PERSON, PERSON, "/subscribe SOL"), (GROUP, GROUP_ADMIN, "/subscribe@bellwether_bot SOL")] {
        let answer = said(&fakes, chat, user, text).await;
        assert!(answer.contains("SOL"), "{answer}");
    }
    wait_for_polls(&address, "daily", 2).await;
    assert_eq!((fakes.discord.unread().len(), fakes.telegram.unread().len()), (0, 0), "the first sight is no news");

    // The flip: polled every two seconds.
    fakes.daily(3988, 1);
    let (mut on_discord, mut on_telegram) = (BTreeSet::new(), BTreeSet::new());
    let told = until(|| {
        on_discord.extend(fakes.discord.unread().into_iter().map(|message| message.channel));
        on_telegram.extend(fakes.telegram.unread().into_iter().map(|sent| sent.chat));
        let all = on_discord.len() + on_telegram.len() == 4;
        async move { all.then_some(()) }
    })
    .await;
    assert!(told.is_some(), "{on_discord:?} {on_telegram:?}\n{}", process.log());
    assert_eq!(on_discord, BTreeSet::from([HERE.to_owned(), direct_channel(MEMBER)]));
    assert_eq!(on_telegram, BTreeSet::from([PERSON, GROUP]));
    // Discord shows a message a moment before its answer was counted.
    for line in
        [r#"bellwether_changes_total{kind="daily",direction="bullish"} 1"#, r#"bellwether_deliveries_total{platform="discord",outcome="#]
    {
        wait_for_metric(&address, line).await;
    }
    assert_quiet(&process);
    let ended = process.stop("TERM").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");

    // A second start writes no command, and tells nothing again.
    let (process, address) = installation.serve().await;
    process.wait_for("the commands are registered").await;
    wait_for_polls(&address, "daily", 2).await;
    assert_eq!((fakes.discord.command_writes(), fakes.telegram.calls("setMyCommands").len()), (1, 3));
    assert_eq!((fakes.discord.unread().len(), fakes.telegram.unread().len()), (0, 0));
    assert_quiet(&process);
    let ended = process.stop("INT").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
});

#[tokio::test]
async fn a_second_serve_on_the_same_file_says_so_and_the_rest_works_beside_it() {
    let fakes = Fakes::start().await;
    let installation = Installation::new(&fakes, "sqlite://bellwether.db");
    let (process, _) = installation.serve().await;
    let second = installation.run(&["serve"]).await;
    assert_eq!((second.code, second.out.as_str()), (Some(1), ""));
    assert!(second.err.contains("another `bellwether serve` is using bellwether.db; stop it first"), "{}", second.err);
    for arguments in [&["status"][..], &["outbox", "list"], &["check", "--offline"]] {
        let ended = installation.run(arguments).await;
        assert_eq!(ended.code, Some(0), "{ended:?}");
    }
    let ended = process.stop("TERM").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let (process, _) = installation.serve().await;
    assert_eq!(process.stop("TERM").await.code, Some(0), "the lock goes with its holder");
}

on_both!(killed_in_the_middle_of_sending_nothing_is_lost, |db| async move {
    const CHATS: i64 = 200;
    const CHANNELS: u64 = 60;
    let fakes = Fakes::start().await;
    let now = SystemClock.now();
    let telegram = (1..=CHATS).map(|chat| (Address::new(Platform::Telegram, chat.to_string()), Place::Person));
    let discord = (1..=CHANNELS).map(|channel| (Address::new(Platform::Discord, channel.to_string()), Place::Group));
    for (address, place) in telegram.chain(discord) {
        let new = NewDestination { address, place, tenant: None, label: None, creator: None };
        let card = Card::new(Tone::Problem, Phrase::Notice(NoticePhrase::Restored { destination: "x".to_owned() }));
        db.store.post(&new, &MessageBody::Card { card }, None, now).await.unwrap();
    }
    fakes.telegram.with(|world| {
        for chat in 1..=CHATS {
            world.person(chat);
        }
    });
    for channel in 1..=CHANNELS {
        fakes.discord.channel(&channel.to_string(), json!({}));
    }
    let installation = Installation::new(&fakes, &db.url);
    let (process, _) = installation.serve().await;
    let mut chats = Vec::new();
    let mut arrived = |fakes: &Fakes| {
        chats.extend(fakes.telegram.unread().into_iter().map(|sent| sent.chat));
        chats.len()
    };
    until(|| {
        let many = arrived(&fakes) >= 45;
        async move { many.then_some(()) }
    })
    .await
    .unwrap();
    let ended = process.stop("KILL").await;
    assert_eq!(ended.code, None);
    assert_eq!(fakes.telegram.refused_for_speed(), 0, "its own pace is within Telegram's");
    let before = arrived(&fakes);
    assert!(before < 200, "it was killed in the middle");

    let (process, _) = installation.serve().await;
    until(|| {
        arrived(&fakes);
        let store = &db.store;
        async move { store.delivery_status().await.unwrap().queued.is_empty().then_some(()) }
    })
    .await
    .unwrap_or_else(|| panic!("not everything is sent:\n{}", process.log()));
    arrived(&fakes);
    let lost = rows(&db.url, "SELECT CAST(COUNT(*) AS TEXT) FROM attempts WHERE outcome = 'unknown'").await[0].parse::<usize>().unwrap();
    let distinct: BTreeSet<_> = chats.iter().copied().collect();
    assert_eq!(distinct.len(), 200, "nothing is lost");
    assert!(chats.len() - distinct.len() <= lost, "{} repeats, {lost} answers lost", chats.len() - distinct.len());
    let on_discord: Vec<_> = fakes.discord.unread().into_iter().map(|message| message.channel).collect();
    assert_eq!((on_discord.len(), on_discord.iter().collect::<BTreeSet<_>>().len()), (60, 60), "on Discord nothing repeats");
    assert_eq!(process.stop("TERM").await.code, Some(0));
});
