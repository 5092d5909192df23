//! What is urgent does not wait for its own chat's summary (ARCHITECTURE.md, rule O5), and nothing is told twice or too much by that.

use crate::support::{
    app::TestApp,
    audience::{BTC, ETH, FOUR, HOUR, MINUTE, SOL, XRP},
    commands::{rows, run_sql},
    database::{TestDb, on_both},
};
use bellwether::{clock::Clock, store::DueCursor};

const PERSON: i64 = 501;

/// Someone whose summary of BTC and SOL, both bullish since a mute, waits to be sent.
async fn with_a_summary_that_waits(db: TestDb) -> TestApp {
    let mut app = TestApp::start(db).await;
    app.person_subscribes(PERSON, "all").await;
    app.baseline(&FOUR).await;
    app.say(PERSON, PERSON, "/mute 1h").await;
    app.turn(&[BTC, SOL], 1).await;
    compose_after(&mut app, 50 * MINUTE).await;
    assert_eq!(waiting(&app).await, ["2|1"]);
    app
}

/// Time passes, and what is due by then is composed, but not sent.
async fn compose_after(app: &mut TestApp, time: std::time::Duration) {
    app.clock.advance(time);
    app.parts.flow.step().await.unwrap();
}

/// These calls turn, and what the next poll shows of it is composed, but not sent.
async fn compose_turns(app: &mut TestApp, turns: &[(i64, i64)]) {
    turns.iter().for_each(|(token, stance)| app.call(&[*token], *stance));
    app.clock.advance(16 * MINUTE);
    app.parts.poller.step().await.unwrap();
    app.parts.flow.step().await.unwrap();
}

/// The messages that wait, by lane.
async fn waiting(app: &TestApp) -> Vec<String> {
    let sql = "SELECT CAST(lane AS TEXT), CAST(COUNT(*) AS TEXT) FROM messages WHERE state = 'queued' GROUP BY lane ORDER BY lane";
    rows(&app.db.url, sql).await
}

/// Whether anybody would be composed for.
async fn anybody_is_due(app: &TestApp) -> bool {
    app.parts.store.due_situations(app.clock.now(), DueCursor::default(), 10).await.unwrap().is_some()
}

on_both!(an_alert_goes_before_the_summary_of_its_chat_that_waits, |db| async move {
    let mut app = with_a_summary_that_waits(db).await;
    compose_turns(&mut app, &[(XRP, 1)]).await;
    assert_eq!(waiting(&app).await, ["1|1", "2|1"]);
    app.step().await;
    assert_eq!(app.on_telegram(), ["XRP turned bullish", "Held back: 2 calls"]);
});

on_both!(what_the_summary_tells_of_waits_for_it_and_is_then_told_as_its_net, |db| async move {
    let mut app = with_a_summary_that_waits(db).await;
    compose_turns(&mut app, &[(SOL, -1), (BTC, -1)]).await;
    assert_eq!(waiting(&app).await, ["2|1"], "what is known of both once it has gone is not known yet");
    assert!(!anybody_is_due(&app).await, "nothing can be done for them, and nobody looks again");
    compose_turns(&mut app, &[(BTC, 1), (XRP, 1)]).await;
    assert_eq!(waiting(&app).await, ["1|1", "2|1"], "another token goes all the same");
    app.step().await;
    let titles = app.on_telegram();
    assert_eq!(titles, ["XRP turned bullish", "Held back: 2 calls", "SOL turned bearish"], "BTC is what it was told to be");
});

on_both!(two_summaries_of_a_chat_never_wait, |db| async move {
    let mut app = with_a_summary_that_waits(db).await;
    compose_turns(&mut app, &[(ETH, 1), (XRP, 1)]).await;
    assert_eq!(waiting(&app).await, ["1|2", "2|1"]);
    // Both are told, and the summary is not yet. Then ETH turns back while it is muted, and that ends.
    let sql = "UPDATE messages SET next_attempt_at = next_attempt_at + 3600000 WHERE lane = 2 AND state = 'queued'";
    run_sql(&app.db.url, sql).await;
    app.step().await;
    assert_eq!(app.on_telegram(), ["ETH turned bullish", "XRP turned bullish"]);
    let until = (app.clock.now() + 20 * MINUTE).as_millis();
    let mute = "INSERT INTO token_mutes (destination_id, source, token_id, muted_until) SELECT id, 'token-metrics'";
    run_sql(&app.db.url, &format!("{mute}, {ETH}, {until} FROM destinations")).await;
    compose_turns(&mut app, &[(ETH, -1)]).await;
    assert_eq!(waiting(&app).await, ["2|1"]);
    compose_turns(&mut app, &[(XRP, -1)]).await;
    assert_eq!(waiting(&app).await, ["1|1", "2|1"], "what was held goes behind the summary, what is urgent before it");
    app.pass(HOUR).await;
    assert_eq!(app.on_telegram(), ["XRP turned bearish", "Held back: 2 calls", "ETH turned bearish"]);
});

on_both!(a_summary_that_waits_counts_in_the_hour, |db| async move {
    let mut app = TestApp::start(db).await;
    app.person_subscribes(PERSON, "all").await;
    app.say(PERSON, PERSON, "/settings max_per_hour=2").await;
    app.baseline(&FOUR).await;
    app.turn(&[BTC, ETH, SOL], 1).await;
    assert_eq!(app.on_telegram(), ["BTC turned bullish", "ETH turned bullish"]);
    compose_after(&mut app, HOUR).await;
    assert_eq!(waiting(&app).await, ["2|1"], "SOL");
    compose_turns(&mut app, &[(BTC, -1), (XRP, 1)]).await;
    assert_eq!(waiting(&app).await, ["1|1", "2|1"], "the summary is one of two");
    app.step().await;
    assert_eq!(app.on_telegram(), ["BTC turned bearish", "Held back: 1 call"]);
    app.pass(HOUR).await;
    assert_eq!(app.on_telegram(), ["Held back: 1 call"], "XRP");
});

on_both!(a_mute_takes_back_both_and_ends_with_one_message, |db| async move {
    let mut app = with_a_summary_that_waits(db).await;
    compose_turns(&mut app, &[(XRP, 1), (SOL, -1)]).await;
    assert_eq!(waiting(&app).await, ["1|1", "2|1"]);
    // The answer goes at once; nothing else is on its way yet.
    let sql = "UPDATE messages SET next_attempt_at = next_attempt_at + 60000 WHERE state = 'queued'";
    run_sql(&app.db.url, sql).await;
    app.say(PERSON, PERSON, "/mute 1h").await;
    assert_eq!(waiting(&app).await, [""; 0]);
    app.pass(HOUR).await;
    assert_eq!(app.on_telegram(), ["Held back: 3 calls"], "SOL turned back meanwhile");
});
