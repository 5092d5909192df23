//! What is older than it is kept goes, what is not done with stays, and nobody notices.

use crate::support::{
    app::TestApp,
    audience::{FOUR, SOL, text},
    commands::{rows, run_sql},
    database::on_both,
    fake_telegram::Fault,
};
use bellwether::{clock::Clock as _, domain::Retention, pipeline::pruning::Pruning, store::Retried};
use serde_json::json;
use std::time::Duration;

const PERSON: i64 = 501;
const DAY: Duration = Duration::from_secs(24 * 3600);

async fn counts(app: &TestApp, tables: &[&str]) -> Vec<i64> {
    let mut counts = Vec::new();
    for table in tables {
        let count = rows(&app.db.url, &format!("SELECT CAST(COUNT(*) AS TEXT) FROM {table}")).await;
        counts.push(count[0].parse().unwrap());
    }
    counts
}

async fn prune(app: &TestApp, retention: Retention) {
    let mut pruning = Pruning::default();
    for _ in 0..20 {
        pruning.go_on(&app.db.store, retention, app.clock.now()).await.unwrap();
    }
}

on_both!(what_was_sent_goes_before_what_was_called_and_what_is_undelivered_stays, |db| async move {
    let mut app = TestApp::start(db).await;
    app.channel_subscribes(json!([text("tokens", "sol")])).await;
    app.person_subscribes(PERSON, "sol").await;
    app.baseline(&FOUR).await;
    app.turn(&[SOL], 1).await;
    app.telegram.unread();
    app.discord.unread();
    // One of both is a dead letter that nobody has handled.
    run_sql(
        &app.db.url,
        "UPDATE messages SET state = 'dead' WHERE platform = 'discord' AND id = (SELECT MAX(id) FROM messages WHERE platform = 'discord')",
    )
    .await;
    let tables = ["messages", "message_alerts", "attempts", "alerts", "changes", "polls", "observations"];
    let before = counts(&app, &tables).await;
    prune(&app, Retention::of_days(400, 30)).await;
    assert_eq!(counts(&app, &tables).await, before, "nothing is that old");

    app.clock.advance(31 * DAY);
    prune(&app, Retention::of_days(400, 30)).await;
    let after = counts(&app, &tables).await;
    assert_eq!((after[0], after[1], after[3]), (1, 1, 1), "the dead letter, and what it tells");
    assert_eq!(after[4..], before[4..], "what was called is kept longer");

    app.clock.advance(440 * DAY);
    prune(&app, Retention::of_days(400, 30)).await;
    let after = counts(&app, &tables).await;
    assert_eq!(after[0], 1);
    assert_eq!(after[4], 1, "the call that the dead letter tells");
    assert_eq!(after[6], 0);
});

on_both!(what_is_held_for_a_chat_out_of_reach_goes_with_the_history, |db| async move {
    let mut app = TestApp::start(db).await;
    app.person_subscribes(PERSON, "sol").await;
    app.baseline(&FOUR).await;
    let quarantine = |reason: &str| {
        format!("UPDATE destinations SET quarantine_reason = {reason}, next_probe_at = 9000000000000 WHERE place = 'person'")
    };
    run_sql(&app.db.url, &quarantine("'blocked'")).await;
    app.turn(&[SOL], 1).await;
    assert_eq!(counts(&app, &["alerts", "changes"]).await, [1, 1]);
    app.clock.advance(399 * DAY);
    prune(&app, Retention::of_days(400, 30)).await;
    assert_eq!(counts(&app, &["alerts"]).await, [1]);
    app.clock.advance(2 * DAY);
    run_sql(&app.db.url, &quarantine("NULL")).await;
    prune(&app, Retention::of_days(400, 30)).await;
    assert_eq!(counts(&app, &["alerts"]).await, [1], "whoever can be reached is told");
    run_sql(&app.db.url, &quarantine("'blocked'")).await;
    app.clock.advance(2 * DAY);
    prune(&app, Retention::of_days(400, 30)).await;
    assert_eq!(counts(&app, &["alerts", "changes"]).await, [0, 0]);
});

on_both!(a_dead_letter_is_sent_after_all_however_old_it_is, |db| async move {
    let mut app = TestApp::start(db).await;
    app.person_subscribes(PERSON, "sol").await;
    app.baseline(&FOUR).await;
    for _ in 0..2 {
        app.telegram.fault("sendMessage", Some(PERSON), Fault::Close { carried_out: false });
    }
    app.turn(&[SOL], 1).await;
    assert_eq!(app.on_telegram(), [""; 0]);
    app.clock.advance(40 * DAY);
    app.parts.housekeeping.step().await.unwrap();
    prune(&app, Retention::of_days(400, 30)).await;
    let dead = app.parts.store.undelivered().await.unwrap();
    assert_eq!(app.parts.store.retry_undelivered(dead[0].id, app.clock.now()).await.unwrap(), Retried::Now);
    for deliverer in &mut app.parts.deliverers {
        deliverer.drain().await.unwrap();
    }
    assert_eq!(app.on_telegram(), ["SOL turned bullish"]);
});

on_both!(a_step_is_short_and_the_next_goes_on, |db| async move {
    let app = TestApp::start(db).await;
    let old = (app.clock.now() - 500 * DAY).as_millis();
    run_sql(
        &app.db.url,
        &format!(
            "INSERT INTO audit (at, platform, actor, action) SELECT {old}, 'discord', 'x', 'y' FROM
             (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000) SELECT i FROM n) AS many"
        ),
    )
    .await;
    let mut pruning = Pruning::default();
    let retention = Retention::of_days(400, 30);
    pruning.go_on(&app.db.store, retention, app.clock.now()).await.unwrap();
    let left = counts(&app, &["audit"]).await[0];
    assert!(left > 5_000, "{left} are left to later steps");
    for _ in 0..5 {
        pruning.go_on(&app.db.store, retention, app.clock.now()).await.unwrap();
    }
    assert_eq!(counts(&app, &["audit"]).await, [0]);
});
