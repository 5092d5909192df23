//! Dead letters that an operator tries again (ARCHITECTURE.md, H5): old news undoes nothing that was told since.

use crate::support::{
    app::TestApp,
    audience::{FOUR, MINUTE, SOL},
    commands::rows,
    database::on_both,
    fake_telegram::Fault,
};
use bellwether::{clock::Clock as _, store::Retried};
use serde_json::Value;
use std::time::Duration;

const PERSON: i64 = 501;
const CALM: Duration = Duration::from_secs(8 * 24 * 3600);

/// A person follows all four, which are bearish.
async fn following(db: crate::support::database::TestDb, words: &str) -> TestApp {
    let mut app = TestApp::start(db).await;
    app.person_subscribes(PERSON, words).await;
    app.baseline(&FOUR).await;
    app
}

/// The calls turn, which the next poll sees, and Telegram refuses the message.
async fn turn_in_vain(app: &mut TestApp, tokens: &[i64], stance: i64) {
    app.telegram.fault("sendMessage", Some(PERSON), Fault::Refuse(400, "Bad Request: message is too long", Value::Null));
    turn(app, tokens, stance).await;
    assert_eq!(app.on_telegram(), [""; 0]);
}

/// Unlike the usual turn it leaves the past as it was.
async fn turn(app: &mut TestApp, tokens: &[i64], stance: i64) {
    app.call(tokens, stance);
    app.next_poll().await;
}

async fn retry(app: &mut TestApp) -> Retried {
    let [dead] = &app.parts.store.undelivered().await.unwrap()[..] else { panic!("one dead letter") };
    let retried = app.parts.store.retry_undelivered(dead.id, app.clock.now()).await.unwrap();
    app.pass(MINUTE).await;
    assert_eq!(app.parts.store.undelivered().await.unwrap().len(), 0, "it is done with");
    retried
}

on_both!(what_was_not_told_yet_is_told, |db| async move {
    let mut app = following(db, "sol").await;
    turn_in_vain(&mut app, &[SOL], 1).await;
    assert_eq!(retry(&mut app).await, Retried::Now);
    assert_eq!(app.on_telegram(), ["SOL turned bullish"]);
    assert_eq!(rows(&app.db.url, "SELECT DISTINCT state FROM alerts").await, ["told"]);
});

on_both!(what_newer_news_was_told_of_is_done_with, |db| async move {
    let mut app = following(db, "sol").await;
    turn_in_vain(&mut app, &[SOL], 1).await;
    turn(&mut app, &[SOL], -1).await;
    assert_eq!(app.on_telegram(), ["SOL turned bearish"]);
    assert_eq!(retry(&mut app).await, Retried::Overtaken, "of the same day");
    assert_eq!(app.on_telegram(), [""; 0]);
    app.pass(CALM).await;
    turn(&mut app, &[SOL], 1).await;
    let told = app.telegram_messages();
    assert!(told.len() == 1 && told[0].2.contains("SOL turned bullish") && !told[0].2.contains("flip"), "{told:?}");
});

on_both!(what_turned_back_unread_is_not_told, |db| async move {
    let mut app = following(db, "sol").await;
    turn(&mut app, &[SOL], 1).await;
    assert_eq!(app.on_telegram(), ["SOL turned bullish"]);
    app.pass(CALM).await;
    turn_in_vain(&mut app, &[SOL], -1).await;
    turn(&mut app, &[SOL], 1).await;
    assert_eq!(app.on_telegram(), [""; 0], "it knows that it is bullish");
    assert_eq!(retry(&mut app).await, Retried::Now);
    assert_eq!(app.on_telegram(), [""; 0], "it was bearish for a while, which is over");
});

on_both!(what_was_passed_over_since_counts_as_well, |db| async move {
    let mut app = following(db, "sol bullish").await;
    turn_in_vain(&mut app, &[SOL], 1).await;
    turn(&mut app, &[SOL], -1).await;
    assert_eq!(app.on_telegram(), [""; 0]);
    assert_eq!(retry(&mut app).await, Retried::Overtaken);
    assert_eq!(app.on_telegram(), [""; 0], "it is bearish");
    app.pass(CALM).await;
    turn(&mut app, &[SOL], 1).await;
    assert_eq!(app.on_telegram(), ["SOL turned bullish"]);
});

on_both!(of_a_summary_the_rest_is_told, |db| async move {
    let mut app = following(db, "sol,btc,eth,xrp").await;
    turn_in_vain(&mut app, &FOUR, 1).await;
    turn(&mut app, &[SOL], -1).await;
    assert_eq!(app.on_telegram(), ["SOL turned bearish"]);
    assert_eq!(retry(&mut app).await, Retried::Now);
    let mut told = app.on_telegram();
    told.sort();
    assert_eq!(told, ["BTC turned bullish", "ETH turned bullish", "XRP turned bullish"]);
});

on_both!(what_may_have_arrived_is_sent_as_it_is_and_not_taken_for_the_newest, |db| async move {
    let mut app = following(db, "sol").await;
    app.at("2026-11-21T23:00:00Z").await;
    for _ in 0..2 {
        app.telegram.fault("sendMessage", Some(PERSON), Fault::Close { carried_out: false });
    }
    turn(&mut app, &[SOL], 1).await;
    app.pass(MINUTE).await;
    app.at("2026-11-22T01:00:00Z").await;
    turn(&mut app, &[SOL], -1).await;
    assert_eq!(app.on_telegram(), ["SOL turned bearish"]);
    assert_eq!(retry(&mut app).await, Retried::Now);
    assert_eq!(app.on_telegram(), ["SOL turned bullish"], "of the day before, as it says");
    app.pass(CALM).await;
    turn(&mut app, &[SOL], 1).await;
    assert_eq!(app.on_telegram(), ["SOL turned bullish"], "it was bearish since");
});
