//! Dead letters that an operator tries again (ARCHITECTURE.md, H5): old news undoes nothing that was told since.

use crate::support::{
    app::TestApp,
    audience::{FOUR, HOUR, MINUTE, SOL},
    commands::{rows, run_sql},
    database::on_both,
    fake_telegram::Fault,
};
use bellwether::{clock::Clock as _, store::Retried};
use insta::assert_snapshot;
use serde_json::{Value, json};
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
    assert_eq!(retry(&mut app).await, Retried::Anew);
    assert_eq!(app.on_telegram(), ["SOL turned bullish"]);
    assert_eq!(rows(&app.db.url, "SELECT DISTINCT state FROM alerts").await, ["told"]);
    app.pass(CALM).await;
    // Whom nobody reaches is tried at once.
    turn_in_vain(&mut app, &[SOL], -1).await;
    run_sql(&app.db.url, "UPDATE destinations SET quarantine_reason = 'blocked', next_probe_at = 9000000000000").await;
    assert_eq!(retry(&mut app).await, Retried::Anew);
    assert_eq!(app.on_telegram(), ["SOL turned bearish"]);
});

on_both!(what_newer_news_was_told_of_is_done_with, |db| async move {
    let mut app = following(db, "sol").await;
    turn_in_vain(&mut app, &[SOL], 1).await;
    turn(&mut app, &[SOL], -1).await;
    assert_eq!(app.on_telegram(), ["SOL turned bearish"]);
    assert_eq!(retry(&mut app).await, Retried::Overtaken, "of the same day");
    assert_eq!(app.on_telegram(), [""; 0]);
    assert_eq!(rows(&app.db.url, "SELECT state, reason FROM alerts ORDER BY id").await, ["skipped|overtaken", "told|instant"]);
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
    assert_eq!(retry(&mut app).await, Retried::Anew);
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
    assert_eq!(retry(&mut app).await, Retried::Anew);
    let mut told = app.on_telegram();
    told.sort();
    assert_eq!(told, ["BTC turned bullish", "ETH turned bullish", "XRP turned bullish"]);
});

on_both!(what_newer_news_is_on_its_way_of_is_done_with, |db| async move {
    let mut app = following(db, "sol").await;
    turn_in_vain(&mut app, &[SOL], 1).await;
    app.telegram.fault("sendMessage", Some(PERSON), Fault::Refuse(429, "Too Many Requests: retry after 40", json!({"retry_after": 40})));
    turn(&mut app, &[SOL], -1).await;
    assert_eq!(app.on_telegram(), [""; 0], "it is tried again");
    assert_eq!(retry(&mut app).await, Retried::Overtaken);
    assert_eq!(app.on_telegram(), ["SOL turned bearish"]);
});

on_both!(of_two_the_older_is_done_with, |db| async move {
    let mut app = following(db, "sol").await;
    turn_in_vain(&mut app, &[SOL], 1).await;
    turn_in_vain(&mut app, &[SOL], -1).await;
    let dead = app.parts.store.undelivered().await.unwrap();
    let first = app.parts.store.retry_undelivered(dead[0].id, app.clock.now()).await.unwrap();
    assert_eq!(first, Retried::Overtaken);
    assert_eq!(retry(&mut app).await, Retried::Anew);
    assert_eq!(app.on_telegram(), ["SOL turned bearish"]);
    let again = app.parts.store.retry_undelivered(dead[0].id, app.clock.now()).await.unwrap();
    assert_eq!(again, Retried::Unknown, "it is in the list no more");
});

on_both!(what_may_have_arrived_is_not_sent_again_where_newer_news_was_told, |db| async move {
    let mut app = following(db, "sol").await;
    for _ in 0..2 {
        app.telegram.fault("sendMessage", Some(PERSON), Fault::Close { carried_out: false });
    }
    turn(&mut app, &[SOL], 1).await;
    app.pass(MINUTE).await;
    turn(&mut app, &[SOL], -1).await;
    assert_eq!(app.on_telegram(), ["SOL turned bearish"]);
    assert_eq!(retry(&mut app).await, Retried::Overtaken);
    assert_eq!(app.on_telegram(), [""; 0]);
    assert_eq!(rows(&app.db.url, "SELECT state FROM alerts ORDER BY id").await, ["dead", "told"], "nobody knows whether it was read");
    app.pass(CALM).await;
    turn(&mut app, &[SOL], 1).await;
    assert_eq!(app.on_telegram(), ["SOL turned bullish"]);
});

on_both!(calls_of_one_letter_are_its_net_result, |db| async move {
    let mut app = following(db, "sol,btc,eth,xrp").await;
    let said = app.say(PERSON, PERSON, "/mute 8h").await;
    assert!(said.contains("Muted"), "{said}");
    for (tokens, stance) in [(&FOUR[..], 1), (&[SOL], -1)] {
        turn(&mut app, tokens, stance).await;
    }
    app.telegram.fault("sendMessage", Some(PERSON), Fault::Refuse(400, "Bad Request: message is too long", Value::Null));
    app.pass(8 * HOUR).await;
    assert_eq!(app.on_telegram(), [""; 0]);
    assert_eq!(retry(&mut app).await, Retried::Anew);
    let told = app.telegram_messages();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_snapshot!(told[0].2, @"
    Held back: 4 calls
    BTC turned bullish (daily, 21 Nov 2026)
    ETH turned bullish (daily, 21 Nov 2026)
    XRP turned bullish (daily, 21 Nov 2026)
    SOL flipped and back, still bearish (daily, 21 Nov 2026, 1 flip in between)
    ");
});
