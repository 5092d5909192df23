//! Secrets that are replaced while `serve` runs: SIGHUP, as an operator sends it.

use super::binary_secrets::assert_free_of;
use crate::support::{
    app::TestApp,
    community::{BTC, PERSON, SOL, both, heard, subscribe_all, today, with_operator},
    database::{TestDb, on_both},
    fake_discord::{self, HERE, interaction},
    fake_telegram,
    fake_token_metrics::{self, API_KEY},
    process::{Fakes, Installation, Process, get, interact, until, wait_for_polls},
};
use insta::assert_snapshot;
use interaction::{ADMIN, in_server, subcommand};
use serde_json::json;

const NEW_DISCORD: &str = "bot-token.another-very-secret.9876";
const NEW_TELEGRAM: &str = "4242:BBF-another-secret_of_the_tests";
const NEW_KEY: &str = "tm-11111111-aaaa-bbbb-cccc-another-of-the-tests";
const OLD_ADMIN: &str = "old-admin-token-of-the-tests";
const NEW_ADMIN: &str = "new-admin-token-of-the-tests";

/// Every secret in a file of its own.
fn in_files(fakes: &Fakes, database: &str) -> Installation {
    let mut installation = Installation::new(fakes, database);
    for (name, secret) in [
        ("TOKEN_METRICS_API_KEY", API_KEY),
        ("DISCORD_BOT_TOKEN", fake_discord::TOKEN),
        ("TELEGRAM_BOT_TOKEN", fake_telegram::TOKEN),
        ("BELLWETHER_ADMIN_TOKEN", OLD_ADMIN),
    ] {
        write(&installation, name, secret);
        installation.set(&format!("{name}_FILE"), name);
    }
    installation
}

fn write(installation: &Installation, name: &str, secret: &str) {
    std::fs::write(installation.folder.path().join(name), format!("{secret}\n")).unwrap();
}

/// Sends SIGHUP and waits until the secrets were read so many times.
async fn hang_up(process: &Process, times: usize) -> String {
    process.signal("HUP");
    let line = |log: String| log.lines().filter(|line| line.contains("secrets were read again")).nth(times - 1).map(str::to_owned);
    until(|| async { line(process.log()) }).await.unwrap_or_else(|| panic!("SIGHUP is not heard:\n{}", process.log()))
}

async fn metrics(address: &str, token: &str) -> (u16, String) {
    let answer = reqwest::Client::new().get(format!("http://{address}/metrics")).bearer_auth(token).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Waits until `/readyz` says this of both platforms.
async fn platforms_are(address: &str, state: &str) {
    let words = format!(r#""platforms":{{"discord":"{state}","telegram":"{state}"}}"#);
    let said = until(|| async { get(address, "/readyz").await.1.contains(&words).then_some(()) }).await;
    assert!(said.is_some(), "{}", get(address, "/readyz").await.1);
}

/// Waits until both chats were told of a call of SOL.
async fn both_are_told(fakes: &Fakes, words: &str) {
    let (mut channel, mut person) = (Vec::new(), Vec::new());
    let told = until(|| {
        channel.extend(fakes.discord.unread().into_iter().map(|message| (message.channel, message.body.to_string())));
        person.extend(fakes.telegram.unread().into_iter().map(|sent| (sent.chat, sent.text)));
        let done = channel.len() == 1 && person.len() == 1;
        async move { done.then_some(()) }
    })
    .await;
    assert!(told.is_some(), "{channel:?} {person:?}");
    assert!(channel[0].0 == HERE && channel[0].1.contains(words), "{channel:?}");
    assert!(person[0].0 == PERSON && person[0].1.contains(words), "{person:?}");
}

on_both!(what_a_revoked_secret_stopped_goes_on_with_another_and_nothing_is_lost, |db| async move {
    let fakes = Fakes::start().await;
    fakes.daily(SOL, -1);
    let installation = in_files(&fakes, &db.url);
    installation.fill("RUST_LOG", "trace");
    let (process, address) = installation.serve().await;
    let polled = async |line: &str| until(|| async { metrics(&address, OLD_ADMIN).await.1.contains(line).then_some(()) }).await.unwrap();
    polled(r#"feed="ranks",outcome="complete""#).await;
    let channel = subcommand("channel", "subscribe", json!([{"name": "tokens", "type": 3, "value": "sol"}]));
    assert_eq!(interact(&address, &in_server(21, ADMIN, channel)).await.0, 200);
    fakes.telegram.with(|world| world.say(PERSON, PERSON, "/subscribe SOL"));
    until(|| async { fakes.telegram.unread().pop() }).await.expect("it answers");
    polled(r#"feed="daily",outcome="complete""#).await;

    // Both tokens are revoked: both platforms stop, and say so.
    fakes.discord.reset_token(NEW_DISCORD);
    fakes.telegram.with(|world| world.token = Some(NEW_TELEGRAM.to_owned()));
    fakes.daily(SOL, 1);
    platforms_are(&address, "down").await;
    polled(r#"bellwether_platform_up{platform="discord"} 0"#).await;

    // What is wrong leaves the old one in use, and is said without a secret.
    write(&installation, "DISCORD_BOT_TOKEN", "");
    write(&installation, "TELEGRAM_BOT_TOKEN", "777:CCG-another-bots_very_secret_token");
    assert!(hang_up(&process, 1).await.contains("replaced=\"none\""));
    process.wait_for("DISCORD_BOT_TOKEN_FILE: the file is empty; write the secret into it, or unset this; the old secret is kept").await;
    process.wait_for("TELEGRAM_BOT_TOKEN: it is the token of another bot; the old one is kept").await;
    platforms_are(&address, "down").await;

    write(&installation, "DISCORD_BOT_TOKEN", NEW_DISCORD);
    write(&installation, "TELEGRAM_BOT_TOKEN", NEW_TELEGRAM);
    write(&installation, "BELLWETHER_ADMIN_TOKEN", NEW_ADMIN);
    let line = hang_up(&process, 2).await;
    assert!(line.contains("replaced=\"DISCORD_BOT_TOKEN, TELEGRAM_BOT_TOKEN, BELLWETHER_ADMIN_TOKEN\""), "{line}");
    both_are_told(&fakes, "SOL turned bullish").await;
    platforms_are(&address, "up").await;
    assert_eq!((metrics(&address, OLD_ADMIN).await.0, metrics(&address, NEW_ADMIN).await.0), (401, 200));
    fakes.telegram.with(|world| world.say(PERSON, PERSON, "/help"));
    until(|| async { fakes.telegram.unread().pop() }).await.expect("commands are taken again");

    // So it is with the key of the source.
    fakes.source.take_key(NEW_KEY);
    process.wait_for("The daily feed is stopped").await;
    fakes.daily(SOL, -1);
    write(&installation, "TOKEN_METRICS_API_KEY", NEW_KEY);
    let line = hang_up(&process, 3).await;
    assert!(line.contains("replaced=\"TOKEN_METRICS_API_KEY\""), "{line}");
    both_are_told(&fakes, "SOL turned bearish").await;
    assert_eq!(process.stop("TERM").await.code, Some(0));
    let secrets = [NEW_DISCORD, NEW_TELEGRAM, NEW_KEY, OLD_ADMIN, NEW_ADMIN, "CCG-another-bots_very_secret_token"];
    let old = [fake_discord::TOKEN, fake_telegram::TOKEN, API_KEY];
    let secrets: Vec<_> = secrets.into_iter().chain(old).map(str::to_owned).collect();
    let written = installation.everything_written();
    assert!(written.contains("TRACE"), "the log is loud");
    assert_free_of(&secrets, "the output", &written);
});

#[tokio::test]
async fn a_gateway_whose_token_was_reset_connects_anew_with_another() {
    let fakes = Fakes::start().await;
    let installation = in_files(&fakes, "sqlite://bellwether.db");
    installation.fill("DISCORD_PUBLIC_KEY", "");
    let (process, _) = installation.serve().await;
    let gateway = &fakes.discord.gateway;
    gateway.connected().await;
    fakes.discord.reset_token(NEW_DISCORD);
    gateway.forget_sessions();
    gateway.hang_up();
    process.wait_for("no commands come from Discord any more").await;
    write(&installation, "DISCORD_BOT_TOKEN", NEW_DISCORD);
    hang_up(&process, 1).await;
    gateway.connected().await;
    assert_eq!(process.stop("TERM").await.code, Some(0));
}

#[tokio::test]
async fn a_secret_in_the_settings_file_is_read_again_too() {
    let fakes = Fakes::start().await;
    let installation = Installation::new(&fakes, "sqlite://bellwether.db");
    let (process, _) = installation.serve().await;
    installation.fill("TELEGRAM_BOT_TOKEN", "not one");
    hang_up(&process, 1).await;
    process
        .wait_for("TELEGRAM_BOT_TOKEN: it holds spaces, line breaks or letters beyond ASCII; write the secret alone, copied again")
        .await;
    installation.fill("TELEGRAM_BOT_TOKEN", NEW_TELEGRAM);
    fakes.telegram.with(|world| world.token = Some(NEW_TELEGRAM.to_owned()));
    let line = hang_up(&process, 2).await;
    assert!(line.contains("replaced=\"TELEGRAM_BOT_TOKEN\""), "a .env file counts: {line}");
    fakes.telegram.with(|world| world.say(PERSON, PERSON, "/help"));
    until(|| async { fakes.telegram.unread().pop() }).await.expect("it answers");
    installation.fill("TELEGRAM_BOT_TOKEN", "");
    hang_up(&process, 3).await;
    process.wait_for("TELEGRAM_BOT_TOKEN: it is not set any more; the old one is kept until a restart").await;
    assert_eq!(process.stop("TERM").await.code, Some(0));
}

async fn flip(app: &mut TestApp, call: i64) -> Vec<String> {
    app.source.set_daily(SOL, &today(app), call, call);
    app.next_poll().await;
    heard(app)
}

on_both!(the_next_key_is_used_as_soon_as_the_first_is_refused, |db| async move {
    let mut app = with_operator(db, &[("TOKEN_METRICS_API_KEY_NEXT", NEW_KEY)]).await;
    app.source.set_daily(BTC, "2026-11-21", 1, 1);
    subscribe_all(&mut app, "SOL").await;
    assert_eq!(flip(&mut app, -1).await, [""; 0]);
    app.source.take_key(NEW_KEY);
    app.source.take_seen();
    let told = flip(&mut app, 1).await;
    assert_eq!(app.source.take_seen().iter().map(|call| call.status).collect::<Vec<_>>(), [401, 200], "tried again at once");
    assert_snapshot!(told.join("\n"), @"
    channel: SOL turned bullish
    operator: Token Metrics refuses the key in TOKEN_METRICS_API_KEY; the one in TOKEN_METRICS_API_KEY_NEXT works and is used instead. Move it to the first place: as it is, every start shows the refused one first.
    person: SOL turned bullish
    ");
    assert_eq!(flip(&mut app, -1).await, both("SOL turned bearish"), "operators are told once");
    app.source.take_key(API_KEY);
    assert_eq!(flip(&mut app, 1).await.len(), 1, "there is no third: the feed stops, and operators are told");
});

#[tokio::test]
async fn check_says_that_the_next_key_is_the_one_that_works() {
    let (db, fakes) = (TestDb::sqlite().await, Fakes::start().await);
    fakes.daily(BTC, 1);
    let installation = Installation::new(&fakes, &db.url);
    installation.fill("TOKEN_METRICS_API_KEY", NEW_KEY);
    installation.fill("TOKEN_METRICS_API_KEY_NEXT", fake_token_metrics::API_KEY);
    let said = installation.run(&["check"]).await.out;
    let words = "TOKEN_METRICS_API_KEY is refused, and TOKEN_METRICS_API_KEY_NEXT works; move that one to TOKEN_METRICS_API_KEY";
    assert!(said.contains(words), "{said}");
    let (process, address) = installation.serve().await;
    wait_for_polls(&address, "ranks", 1).await;
    assert_eq!(process.stop("TERM").await.code, Some(0));
}
