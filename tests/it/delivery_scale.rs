//! How fast twenty thousand subscribers of one token are served, and that no step takes longer the more of them wait.

use crate::support::{
    app::TestApp,
    audience::{FOUR, SOL},
    commands::run_sql,
    database::{TestDb, on_both},
};
use bellwether::{
    chat::nonce,
    clock::{Clock, SharedClock},
    domain::Platform,
    pipeline::{compose::compose_all, fanout::fan_out_all},
    store::Settlement,
    telemetry::Metrics,
};
use std::time::{Duration, Instant};

const PERSON: i64 = 501;

/// Chats that take everything there is about SOL.
async fn crowd(url: &str, chats: usize) {
    let row = |n| format!("('telegram', '{}', '', 'person', '{{\"max_per_hour\":10,\"cooldown_minutes\":0}}', 0, 0, 0)", 10_000 + n);
    let rows: Vec<_> = (0..chats).map(row).collect();
    let sql = format!(
        "INSERT INTO destinations (platform, chat, topic, place, settings, created_at, rest_until, probes) VALUES {};
         INSERT INTO subscriptions (destination_id, source, target, kind, direction, delivery, creator, created_at, updated_at)
            SELECT id, 'token-metrics', '{SOL}', 'daily', 'any', 'instant', 'test', 0, 0 FROM destinations WHERE creator IS NULL;",
        rows.join(",")
    );
    run_sql(url, &sql).await;
}

/// Fans out, composes, and claims and settles some for so many; the time of each.
async fn served(db: TestDb, chats: usize) -> [Duration; 3] {
    let mut app = TestApp::start(db).await;
    app.person_subscribes(PERSON, "sol").await;
    app.baseline(&FOUR).await;
    crowd(&app.db.url, chats).await;
    app.call(&[SOL], 1);
    app.clock.advance(Duration::from_secs(16 * 60));
    app.parts.poller.step().await.unwrap();
    let (store, metrics, clock) = (app.parts.store.clone(), Metrics::default(), app.clock.clone() as SharedClock);
    let began = Instant::now();
    assert_eq!(fan_out_all(&store, &clock, &metrics).await.unwrap(), chats + 1);
    let fanned_out = began.elapsed();
    let began = Instant::now();
    assert_eq!(compose_all(&store, &clock, &metrics).await.unwrap(), chats + 1);
    let composed = began.elapsed();
    // What PostgreSQL does by itself within a minute.
    run_sql(&app.db.url, "ANALYZE").await;
    let began = Instant::now();
    let now = app.clock.now();
    for _ in 0..50 {
        let claims = store.claim(Platform::Telegram, "one", |id| nonce(id, 0), now, now + Duration::from_secs(15), 8).await.unwrap();
        assert_eq!(claims.len(), 8);
        for claimed in claims {
            let sent = Settlement::Sent { platform_id: "1".into(), rest_until: Some(now + Duration::from_secs(1)), route: None };
            assert!(store.settle(&claimed, &sent, now).await.unwrap());
        }
    }
    [fanned_out, composed, began.elapsed()]
}

#[tokio::test]
#[ignore = "a measurement, of a minute or so"]
async fn twenty_thousand_subscribers() {
    for db in [Some(TestDb::sqlite().await), TestDb::postgres().await].into_iter().flatten() {
        let name = db.url.split(':').next().unwrap_or_default().to_owned();
        let [fanned_out, composed, delivered] = served(db, 20_000).await;
        println!("{name}: 20,000 subscribers: fan-out {fanned_out:?}, compose {composed:?}, claim and settle 400 {delivered:?}");
    }
}

on_both!(two_thousand_subscribers_are_served_in_seconds, |db| async move {
    let [fanned_out, composed, delivered] = served(db, 2_000).await;
    // Far above what it takes, far below what something quadratic would.
    for (what, took) in [("fan-out", fanned_out), ("compose", composed), ("claim and settle", delivered)] {
        assert!(took < Duration::from_secs(20), "{what} took {took:?}");
    }
});
