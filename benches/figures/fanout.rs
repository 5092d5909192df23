//! One change and a hundred thousand who want to hear of it: to alerts, and on to messages, each against inserting as many of the same
//! rows by multi-row statements.

use crate::{
    market::{ROWS_A_STATEMENT, people, snapshot},
    process::{megabytes, resident},
    table::{Table, median, millis},
};
use bellwether::{
    cache::Scorecards,
    clock::{ManualClock, SharedClock},
    domain::{Platform, Timestamp},
    pipeline::{compose::compose_all, fanout::Fanout, ingest::ingest},
    store::Store,
    telemetry::Metrics,
};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

const TOKEN: i64 = 3988;
const SUBSCRIBERS: usize = 100_000;
const ROUNDS: usize = 3;
const LONGEST: Duration = Duration::from_millis(25);
/// What a process may grow while it handles 100,000 of anything, and still be called flat.
const FLAT: u64 = 8 * 1024 * 1024;

struct Round {
    alerts: Duration,
    plain_alerts: Duration,
    longest_chunk: Duration,
    grown: u64,
    messages: Duration,
    plain_messages: Duration,
}

pub(crate) async fn measure(table: &mut Table) {
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push(round().await);
    }
    let ratio = |ours: fn(&Round) -> Duration, plain: fn(&Round) -> Duration| {
        median(&rounds.iter().map(|round| plain(round).as_secs_f64() / ours(round).as_secs_f64()).collect::<Vec<_>>())
    };
    let of = |value: fn(&Round) -> Duration| median(&rounds.iter().map(value).collect::<Vec<_>>());
    let to_alerts = ratio(|round| round.alerts, |round| round.plain_alerts);
    let measured =
        format!("{:.0} % ({} : {})", to_alerts * 100.0, millis(of(|round| round.plain_alerts)), millis(of(|round| round.alerts)));
    table.reach("one change, 100,000 subscribers, to alerts: of plain inserts' rate", "at least 50 %", measured, to_alerts >= 0.5);
    let longest = of(|round| round.longest_chunk);
    table.reach("the longest chunk of that, reading included", "under 25 ms", millis(longest), longest < LONGEST);
    let grown = median(&rounds.iter().map(|round| round.grown).collect::<Vec<_>>());
    table.reach("memory that it grows by after its first chunk", "flat (under 8 MB)", megabytes(grown), grown < FLAT);
    let to_messages = ratio(|round| round.messages, |round| round.plain_messages);
    let times = format!("{} : {}", millis(of(|round| round.plain_messages)), millis(of(|round| round.messages)));
    table.tell("the same alerts, to messages: of plain inserts' rate", format!("{:.0} % ({times})", to_messages * 100.0));
}

async fn round() -> Round {
    let files = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", files.path().join("fanout.db").display());
    let store = Store::open(&url).await.unwrap();
    people(&url, Platform::Telegram, SUBSCRIBERS, Some(TOKEN)).await;
    let at = |text| Timestamp::parse(text).unwrap();
    ingest(&store, &snapshot([TOKEN].into_iter(), -1.0, at("2026-11-20T10:00:00Z")), at("2026-11-20T10:00:01Z")).await.unwrap();
    ingest(&store, &snapshot([TOKEN].into_iter(), 1.0, at("2026-11-20T11:00:00Z")), at("2026-11-20T11:00:01Z")).await.unwrap();
    let clock: SharedClock = Arc::new(ManualClock::new(at("2026-11-20T11:00:02Z")));
    let metrics = Metrics::default();

    let (mut written, mut longest_chunk, mut at_first, mut most) = (0, Duration::ZERO, 0, 0);
    let began = Instant::now();
    let mut fanout = Fanout::next(&store).await.unwrap().unwrap();
    loop {
        let chunk = Instant::now();
        let Some(alerts) = fanout.chunk(clock.now(), &metrics).await.unwrap() else { break };
        written += alerts;
        longest_chunk = longest_chunk.max(chunk.elapsed());
        most = resident(std::process::id()).max(most);
        at_first = if at_first == 0 { most } else { at_first };
    }
    let alerts = began.elapsed();
    assert_eq!(written, SUBSCRIBERS);
    let began = Instant::now();
    assert_eq!(compose_all(&store, &clock, &metrics, &Scorecards::new(store.clone())).await.unwrap(), SUBSCRIBERS);
    let messages = began.elapsed();

    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    let plain_alerts = plain(&mut connection, "alerts").await;
    let plain_messages = plain(&mut connection, "messages").await + plain(&mut connection, "message_alerts").await;
    Round { alerts, plain_alerts, longest_chunk, grown: most - at_first, messages, plain_messages }
}

/// The rows of a table into one with the same columns and indexes, a thousand a statement, each a transaction.
async fn plain(connection: &mut SqliteConnection, table: &str) -> Duration {
    let sql = format!("SELECT sql FROM sqlite_schema WHERE tbl_name = '{table}' AND sql IS NOT NULL ORDER BY type DESC");
    let schema: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut *connection).await.unwrap();
    for statement in schema {
        let renamed = statement.replacen(&format!("TABLE {table} "), &format!("TABLE plain_{table} "), 1);
        let renamed = renamed.replacen(&format!("ON {table} "), &format!("ON plain_{table} "), 1);
        run(connection, renamed.replacen("INDEX ", "INDEX plain_", 1)).await;
    }
    let statements = insertions(connection, table).await;
    let began = Instant::now();
    for statement in statements {
        run(connection, statement).await;
    }
    began.elapsed()
}

/// Each row as SQLite itself writes it, so that the same values go in again.
async fn insertions(connection: &mut SqliteConnection, table: &str) -> Vec<String> {
    let columns: Vec<String> = sqlx::query_scalar(AssertSqlSafe(format!("SELECT name FROM pragma_table_info('{table}')")))
        .fetch_all(&mut *connection)
        .await
        .unwrap();
    let quoted: Vec<_> = columns.iter().map(|column| format!("quote({column})")).collect();
    let sql = format!("SELECT '(' || {} || ')' FROM {table}", quoted.join("||','||"));
    let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(&mut *connection).await.unwrap();
    rows.chunks(ROWS_A_STATEMENT).map(|rows| format!("INSERT INTO plain_{table} VALUES {}", rows.join(","))).collect()
}

async fn run(connection: &mut SqliteConnection, sql: String) {
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.unwrap();
}
