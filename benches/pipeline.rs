//! How fast the pipeline is, as ratios against plain SQL in the same run. `cargo bench --bench pipeline` prints one table.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement may fail where it stands, and prints")]

use bellwether::{
    clock::{ManualClock, SharedClock},
    domain::{Kind, Observation, Snapshot, SourceId, Timestamp, TokenId, Values},
    pipeline::{compose::compose_all, fanout::fan_out_all, ingest::ingest},
    store::Store,
    telemetry::Metrics,
};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

const SOL: i64 = 3988;
const SUBSCRIBERS: usize = 100_000;
const ROWS: i64 = 10_000;
const ROWS_A_STATEMENT: usize = 1_000;

#[tokio::main]
async fn main() {
    println!("{:<52} {:>12} {:>14} {:>8}", "what", "took", "plain SQL", "ratio");
    unchanged_rows().await;
    one_change().await;
}

fn line(what: &str, took: Duration, against: Option<Duration>) {
    let plain = against.map_or_else(|| "-".to_owned(), |plain| format!("{plain:.1?}"));
    let ratio = against.map_or_else(|| "-".to_owned(), |plain| format!("{:.2}", took.as_secs_f64() / plain.as_secs_f64()));
    println!("{what:<52} {:>12} {plain:>14} {ratio:>8}", format!("{took:.1?}"));
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn snapshot(tokens: impl Iterator<Item = i64>, stance: f64, poll: &str) -> Snapshot {
    let row = |token| Observation {
        token: TokenId(token),
        data_time: at("2026-11-20"),
        signal: Some(stance),
        trend: Some(stance),
        position: None,
        values: Values { trader_grade: Some(26.48), ..Values::default() },
    };
    let observations: Vec<_> = tokens.map(row).collect();
    Snapshot {
        source: SourceId::TokenMetrics,
        kind: Kind::Daily,
        started_at: at(poll),
        asked: observations.iter().map(|row| row.token).collect(),
        observations,
        set_aside: Vec::new(),
        complete: true,
        gaps: BTreeSet::new(),
    }
}

async fn open(files: &tempfile::TempDir) -> (Store, String) {
    let url = format!("sqlite://{}", files.path().join("bench.db").display());
    (Store::open(&url).await.unwrap(), url)
}

async fn run(connection: &mut SqliteConnection, sql: String) {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.unwrap();
}

/// A poll of ten thousand rows that say what was known: load, compare, note that they were seen.
async fn unchanged_rows() {
    let files = tempfile::tempdir().unwrap();
    let (store, _) = open(&files).await;
    ingest(&store, &snapshot(1..=ROWS, 1.0, "2026-11-20T10:00:00Z"), at("2026-11-20T10:00:01Z")).await.unwrap();
    let again = snapshot(1..=ROWS, 1.0, "2026-11-20T11:00:00Z");
    let mut best = Duration::MAX;
    for round in 0..5 {
        let now = at("2026-11-20T11:00:01Z") + Duration::from_secs(round);
        let began = Instant::now();
        assert!(ingest(&store, &again, now).await.unwrap().changes.is_empty());
        best = best.min(began.elapsed());
    }
    line("10,000 unchanged rows, loaded from SQLite", best, None);
}

/// One change, a hundred thousand subscribers: alerts, then messages, each against inserting as many rows by multi-row statements.
async fn one_change() {
    let files = tempfile::tempdir().unwrap();
    let (store, url) = open(&files).await;
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    for first in (0..SUBSCRIBERS).step_by(ROWS_A_STATEMENT) {
        let destination = |n| format!("('telegram','{n}','','person','{{}}',0,0,0)");
        let rows: Vec<_> = (first..first + ROWS_A_STATEMENT).map(destination).collect();
        let columns = "(platform, chat, topic, place, settings, created_at, rest_until, probes)";
        run(&mut connection, format!("INSERT INTO destinations {columns} VALUES {}", rows.join(","))).await;
    }
    run(
        &mut connection,
        format!(
            "INSERT INTO subscriptions (destination_id, source, target, kind, direction, delivery, creator, created_at, updated_at)
             SELECT id, 'token-metrics', '{SOL}', 'daily', 'any', 'instant', 'bench', 0, 0 FROM destinations"
        ),
    )
    .await;
    ingest(&store, &snapshot([SOL].into_iter(), -1.0, "2026-11-20T10:00:00Z"), at("2026-11-20T10:00:01Z")).await.unwrap();
    ingest(&store, &snapshot([SOL].into_iter(), 1.0, "2026-11-20T11:00:00Z"), at("2026-11-20T11:00:01Z")).await.unwrap();
    let clock: SharedClock = Arc::new(ManualClock::new(at("2026-11-20T11:00:02Z")));
    let metrics = Metrics::default();

    let began = Instant::now();
    assert_eq!(fan_out_all(&store, &clock, &metrics).await.unwrap(), SUBSCRIBERS);
    let fanned_out = began.elapsed();
    let began = Instant::now();
    assert_eq!(compose_all(&store, &clock, &metrics).await.unwrap(), SUBSCRIBERS);
    let composed = began.elapsed();
    let plain = plain_inserts(&mut connection).await;
    line("one change, 100,000 subscribers: to alerts", fanned_out, Some(plain));
    line("one change, 100,000 subscribers: to messages", composed, Some(plain));
}

/// The same alerts into a table of the same shape, a thousand rows a statement, each a transaction.
async fn plain_inserts(connection: &mut SqliteConnection) -> Duration {
    run(connection, "CREATE TABLE plain AS SELECT * FROM alerts WHERE FALSE".to_owned()).await;
    run(connection, "CREATE UNIQUE INDEX plain_unique ON plain (change_id, destination_id)".to_owned()).await;
    run(connection, "CREATE INDEX plain_due ON plain (release_at, destination_id) WHERE state = 'pending'".to_owned()).await;
    run(connection, "CREATE INDEX plain_of ON plain (destination_id) WHERE state = 'pending'".to_owned()).await;
    let began = Instant::now();
    for first in (0..SUBSCRIBERS).step_by(ROWS_A_STATEMENT) {
        let row = |n| format!("({n},1,{n},'send','instant',1,0,'pending',0)");
        let rows: Vec<_> = (first..first + ROWS_A_STATEMENT).map(row).collect();
        let columns = "(id, change_id, destination_id, decision, reason, lane, release_at, state, created_at)";
        run(connection, format!("INSERT INTO plain {columns} VALUES {}", rows.join(","))).await;
    }
    began.elapsed()
}
