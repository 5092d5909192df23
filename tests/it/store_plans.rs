//! What PostgreSQL reads where it counted at another time than when it is asked: no statistics know how much waits.

use crate::support::{
    commands::{rows, run_sql},
    database::TestDb,
};
use bellwether::{
    clock::{Clock as _, SystemClock},
    store::DueCursor,
};
use std::time::Duration;

/// A past of 2,000 alerts is counted while nothing waits; then 5,000 wait, 50 for each destination. Half of the first one's are held.
const FILL: &str = "SET session_replication_role = replica;
    INSERT INTO destinations (platform, chat, topic, place, settings, created_at, rest_until, probes)
        SELECT 'telegram', CAST(n AS TEXT), '', 'person', '{}', 0, 0, 0 FROM generate_series(1, 100) n;
    INSERT INTO changes (poll_id, source, kind, token_id, from_stance, to_stance, since_exact, data_time, detected_at, nature, timing, after_gap)
        SELECT 1, 'token-metrics', 'daily', n % 10, 'bearish', 'bullish', TRUE, n, n, 'turned', 'fresh', FALSE FROM generate_series(1, 70) n;
    INSERT INTO alerts (change_id, destination_id, decision, reason, lane, release_at, state, created_at, told_at)
        SELECT c, d, 'send', 'instant', 1, 0, 'told', 0, 0 FROM generate_series(1, 20) c, generate_series(1, 100) d;
    ANALYZE;
    INSERT INTO alerts (change_id, destination_id, decision, reason, lane, release_at, state, created_at)
        SELECT c, d, 'send', 'instant', 1, CASE WHEN d > 1 THEN 10 WHEN c % 2 = 0 THEN 9000000000000 ELSE 5 END, 'pending', 0
            FROM generate_series(21, 70) c, generate_series(1, 100) d;";
const READ: &str = "SELECT CAST(SUM(idx_tup_read) AS TEXT) FROM pg_stat_user_indexes WHERE relname = 'alerts'";
const OTHERS: &str = "SELECT CAST(COUNT(*) AS TEXT) FROM pg_stat_activity
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()";

#[tokio::test]
async fn composing_for_one_reads_what_waits_for_one() {
    let Some(db) = TestDb::postgres().await else { return };
    run_sql(&db.url, FILL).await;
    let read = async || rows(&db.url, READ).await.concat().parse::<u64>().unwrap();
    let before = read().await;
    let batch = db.store.due_situations(SystemClock.now(), DueCursor::default(), 1).await.unwrap().unwrap();
    assert_eq!(batch.situations.values().map(|situation| situation.due.len()).collect::<Vec<_>>(), [25]);
    // What a connection has read is counted once it has ended.
    db.store.clone().close().await;
    let mut tries = 0;
    while rows(&db.url, OTHERS).await != ["0"] && tries < 200 {
        tries += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let after = read().await;
    // Of each that is held it is asked whether another of its token is due there.
    assert!((50..2_000).contains(&(after - before)), "{} entries were read", after - before);
}
