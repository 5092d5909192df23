//! People who follow the same tokens on both platforms, an operator, and what each of them reads.

use super::{
    app::TestApp,
    database::TestDb,
    fake_discord::{HERE, interaction},
};
use interaction::{ADMIN, subcommand};
use serde_json::json;
use std::time::Duration;

/// A Telegram person who follows SOL and BTC.
pub(crate) const PERSON: i64 = 501;
/// Where notices to operators go.
pub(crate) const OPERATOR: i64 = 900;
/// Token ids.
pub(crate) const BTC: i64 = 3375;
pub(crate) const ETH: i64 = 3306;
pub(crate) const SOL: i64 = 3988;

/// An app with an operator, before anybody subscribes.
pub(crate) async fn with_operator(db: TestDb, settings: &[(&str, &str)]) -> TestApp {
    let operators = format!("telegram:{OPERATOR}");
    let settings: Vec<_> = [("BELLWETHER_OPERATORS", operators.as_str())].into_iter().chain(settings.iter().copied()).collect();
    let app = TestApp::with(db, &settings).await;
    app.telegram.with(|world| {
        world.person(OPERATOR);
    });
    app
}

/// An app with an operator and a market of so many tokens: `TOK1`, the largest, is number 1.
pub(crate) async fn with_market_of(db: TestDb, tokens: i64) -> TestApp {
    let names: Vec<String> = (1..=tokens).map(|id| format!("TOK{id}")).collect();
    let operators = format!("telegram:{OPERATOR}");
    let app = TestApp::with_market(db, &[("BELLWETHER_OPERATORS", operators.as_str())], |source| {
        source.set_tokens((1..=tokens).zip(&names).map(|(id, name)| (id, name.as_str(), name.as_str())));
    })
    .await;
    app.telegram.with(|world| {
        world.person(OPERATOR);
    });
    app
}

/// A Discord channel and a Telegram person follow SOL (bearish) and BTC (bullish); the baseline was polled.
pub(crate) async fn community(db: TestDb) -> TestApp {
    let mut app = with_operator(db, &[]).await;
    app.source.set_daily(SOL, "2026-11-21", -1, -1);
    app.source.set_daily(BTC, "2026-11-21", 1, 1);
    subscribe_all(&mut app, "SOL,BTC").await;
    app.next_poll().await;
    assert_eq!(heard(&app), [""; 0]);
    app
}

/// The Discord channel and the Telegram person subscribe.
pub(crate) async fn subscribe_all(app: &mut TestApp, tokens: &str) {
    let channel = app.on_server(ADMIN, subcommand("channel", "subscribe", json!([{"name": "tokens", "type": 3, "value": tokens}]))).await;
    assert!(channel.contains("Subscribed to "), "{channel}");
    let person = app.say(PERSON, PERSON, &format!("/subscribe {tokens}")).await;
    assert!(person.contains("Subscribed to "), "{person}");
}

/// The first lines of everything that arrived since the last look, each with who read it.
pub(crate) fn heard(app: &TestApp) -> Vec<String> {
    // Telegram has a sign for the colour that Discord shows.
    let first = |text: &str| {
        text.lines().find(|line| !line.starts_with("~~")).unwrap_or_default().trim_start_matches(|c: char| !c.is_alphanumeric()).to_owned()
    };
    texts(app).into_iter().map(|(who, text)| format!("{who}: {}", first(&text))).collect()
}

/// Everything that arrived since the last look: who read it, and what.
pub(crate) fn texts(app: &TestApp) -> Vec<(String, String)> {
    let discord =
        app.discord_messages().into_iter().map(|(channel, text)| (if channel == HERE { "channel".to_owned() } else { channel }, text));
    let name = |chat| match chat {
        PERSON => "person".to_owned(),
        OPERATOR => "operator".to_owned(),
        other => other.to_string(),
    };
    discord.chain(app.telegram_messages().into_iter().map(|(chat, _, text)| (name(chat), text))).collect()
}

/// What both read, once each.
pub(crate) fn both(title: &str) -> [String; 2] {
    [format!("channel: {title}"), format!("person: {title}")]
}

/// The day of the clock, as the source writes it.
pub(crate) fn today(app: &TestApp) -> String {
    use bellwether::clock::Clock;
    app.clock.now().to_utc().format("%Y-%m-%d").to_string()
}

/// The clock stands at this time, and everything that is due by then is done.
pub(crate) async fn set_clock(app: &mut TestApp, time: &str) {
    use bellwether::{clock::Clock, domain::Timestamp};
    let time = Timestamp::parse(time).unwrap();
    let now = app.clock.now();
    assert!(now <= time, "it is {now} already");
    app.pass(time.since(now)).await;
}

/// So many polls of 15 minutes pass.
pub(crate) async fn polls(app: &mut TestApp, count: u32) {
    app.calm().await;
    for _ in 0..count {
        app.next_poll().await;
    }
}

/// Time passes in steps of a quarter of an hour, as it does.
pub(crate) async fn hours(app: &mut TestApp, hours: u32) {
    for _ in 0..hours * 4 {
        app.pass(Duration::from_secs(15 * 60)).await;
    }
}
