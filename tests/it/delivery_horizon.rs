//! For how long a message is worth sending (ARCHITECTURE.md, rules H): what is of no use any more becomes a line of the next summary or digest.

use crate::support::{
    app::TestApp,
    audience::{BTC, FOUR, HOUR, MINUTE, SOL},
    commands::rows,
    database::{TestDb, on_both},
    fake_telegram::Fault,
};
use bellwether::{clock::Clock, store::Retried};
use insta::assert_snapshot;
use std::time::Duration;

const PERSON: i64 = 501;

/// Telegram is away: nothing that is sent to this person arrives.
fn outage(app: &TestApp) {
    for _ in 0..200 {
        app.telegram.fault("sendMessage", Some(PERSON), Fault::Raw(502, "<h1>Bad Gateway</h1>"));
    }
}

fn is_over(app: &TestApp) {
    app.telegram.with(|world| world.faults.clear());
}

async fn told_of_sol(db: TestDb) -> TestApp {
    let mut app = TestApp::start(db).await;
    app.person_subscribes(PERSON, "sol,btc").await;
    app.baseline(&FOUR).await;
    app
}

on_both!(h1_an_alert_that_is_hours_late_is_no_single_alert_any_more, |db| async move {
    let mut app = told_of_sol(db).await;
    outage(&app);
    app.turn(&[SOL], 1).await;
    app.clock.advance(5 * HOUR);
    is_over(&app);
    app.step().await;
    assert_eq!(app.on_telegram(), ["SOL turned bullish"], "a daily call is news for six hours");
    outage(&app);
    app.turn(&[SOL], -1).await;
    app.clock.advance(7 * HOUR);
    is_over(&app);
    app.step().await;
    let told = app.telegram_messages();
    assert_eq!(told.len(), 1);
    assert_snapshot!(told[0].2, @"
    Held back: 1 call
    SOL turned bearish (daily, 21 Nov 2026)
    ");
    let reasons = rows(&app.db.url, "SELECT DISTINCT state || ' ' || reason FROM alerts ORDER BY 1").await;
    assert_eq!(reasons, ["told instant", "told stale"]);
});

on_both!(h1_what_came_meanwhile_is_told_with_it, |db| async move {
    let mut app = told_of_sol(db).await;
    outage(&app);
    app.turn(&[SOL], 1).await;
    for (tokens, stance) in [(BTC, 1), (SOL, -1)] {
        app.clock.advance(3 * HOUR);
        app.turn(&[tokens], stance).await;
    }
    app.clock.advance(7 * HOUR);
    is_over(&app);
    app.step().await;
    let told = app.telegram_messages();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].2.contains("BTC turned bullish") && told[0].2.contains("SOL flipped and back"), "{}", told[0].2);
    assert!(app.parts.store.undelivered().await.unwrap().is_empty());
});

on_both!(h2_a_digest_that_was_kept_up_is_merged_into_the_next, |db| async move {
    let mut app = TestApp::start(db).await;
    app.person_subscribes(PERSON, "sol,btc digest-hourly").await;
    app.baseline(&FOUR).await;
    app.turn(&[SOL], 1).await;
    outage(&app);
    // The window ends; its digest does not get through.
    app.at("2026-11-21T07:01:00Z").await;
    assert_eq!(rows(&app.db.url, "SELECT state FROM messages WHERE lane = 3").await, ["queued"]);
    app.turn(&[BTC], 1).await;
    app.clock.set(bellwether::domain::Timestamp::parse("2026-11-21T08:01:00Z").unwrap());
    is_over(&app);
    app.step().await;
    let told = app.telegram_messages();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].2.contains("BTC") && told[0].2.contains("SOL"), "{}", told[0].2);
});

on_both!(h3_an_answer_helps_nobody_after_a_quarter_of_an_hour, |db| async move {
    let mut app = told_of_sol(db).await;
    outage(&app);
    assert_eq!(app.say(PERSON, PERSON, "/subscriptions").await, "");
    app.clock.advance(16 * MINUTE);
    is_over(&app);
    app.step().await;
    assert_eq!(app.on_telegram(), [""; 0]);
    let dead = app.parts.store.undelivered().await.unwrap();
    assert!(dead.len() == 1 && dead[0].reason.contains("15 minutes"), "{dead:?}");
    // Whoever wants it nevertheless tries it again by hand.
    assert_eq!(app.parts.store.retry_undelivered(dead[0].id, app.clock.now()).await.unwrap(), Retried::Now);
    app.step().await;
    assert_eq!(app.telegram_messages().len(), 1);
    outage(&app);
    assert_eq!(app.say(PERSON, PERSON, "/subscriptions").await, "");
    app.clock.advance(Duration::from_secs(14 * 60));
    is_over(&app);
    app.step().await;
    assert_eq!(app.telegram_messages().len(), 1, "in time");
});
