//! Databases as a very large community has them: filled by plain SQL, the same on both.

use crate::support::crowd::chat;
use bellwether::{
    clock::{Clock, SystemClock},
    domain::{
        MessageBody, Platform,
        wording::{Card, NoticePhrase, Phrase, Tone},
    },
};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use std::time::{Duration, Instant};

/// Rows of one statement: long enough that the way to the database does not matter.
const ROWS: usize = 5_000;

/// A connection to either.
pub(crate) enum Database {
    Sqlite(SqliteConnection),
    Postgres(PgConnection),
}

impl Database {
    pub(crate) async fn open(url: &str) -> Self {
        if url.starts_with("sqlite") {
            Self::Sqlite(SqliteConnection::connect(url).await.unwrap())
        } else {
            Self::Postgres(PgConnection::connect(url).await.unwrap())
        }
    }

    pub(crate) fn is_sqlite(&self) -> bool {
        matches!(self, Self::Sqlite(_))
    }

    pub(crate) async fn run(&mut self, sql: impl Into<String>) {
        let sql = AssertSqlSafe(sql.into());
        match self {
            Self::Sqlite(connection) => sqlx::raw_sql(sql).execute(connection).await.map(drop),
            Self::Postgres(connection) => sqlx::raw_sql(sql).execute(connection).await.map(drop),
        }
        .unwrap();
    }

    pub(crate) async fn number(&mut self, sql: &str) -> i64 {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(connection) => sqlx::query_scalar(sql).fetch_one(connection).await,
            Self::Postgres(connection) => sqlx::query_scalar(sql).fetch_one(connection).await,
        }
        .unwrap()
    }

    pub(crate) async fn texts(&mut self, sql: &str) -> Vec<String> {
        let sql = AssertSqlSafe(sql.to_owned());
        match self {
            Self::Sqlite(connection) => sqlx::query_scalar(sql).fetch_all(connection).await,
            Self::Postgres(connection) => sqlx::query_scalar(sql).fetch_all(connection).await,
        }
        .unwrap()
    }

    /// Rows of text, a few thousand a statement, all in one transaction.
    pub(crate) async fn insert(&mut self, into: &str, rows: impl Iterator<Item = String>) {
        let mut rows = rows.peekable();
        self.run("BEGIN").await;
        while rows.peek().is_some() {
            let some: Vec<_> = rows.by_ref().take(ROWS).collect();
            self.run(format!("INSERT INTO {into} VALUES {} ON CONFLICT DO NOTHING", some.join(","))).await;
        }
        self.run("COMMIT").await;
    }
}

/// The platform of the n-th destination: they take turns.
pub(crate) const fn platform(n: usize) -> Platform {
    if n.is_multiple_of(2) { Platform::Discord } else { Platform::Telegram }
}

/// People on both platforms in turns, whose private chat is open. In an empty database the n-th has the number n + 1.
pub(crate) async fn people(database: &mut Database, count: usize) {
    let person = |n| format!("('{0}','{1}','','person','{{}}','7{n}',0,0,0)", platform(n), chat(platform(n), n));
    database
        .insert("destinations (platform, chat, topic, place, settings, route, created_at, rest_until, probes)", (0..count).map(person))
        .await;
}

/// Which token each wish of a person is about.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Spread {
    /// Every token has as many followers.
    Uniform,
    /// The first has so many; the others' fall with their rank.
    Zipf(usize),
}

/// Wishes of one person about daily calls.
pub(crate) const WISHES: usize = 4;

/// Four wishes each, of so many tokens; a token that comes twice for a person counts once.
pub(crate) async fn subscriptions(database: &mut Database, people: usize, tokens: usize, spread: Spread) {
    let token = |n: usize, wish: usize| match (spread, wish) {
        (Spread::Uniform, _) => 1 + (n * WISHES + wish) * 7_919 % tokens,
        (Spread::Zipf(hottest), 0) if n < hottest => 1,
        // As many follow the tokens of ranks 1 to 10 as of ranks 10 to 100; scattered evenly over the people.
        (Spread::Zipf(_), _) => {
            let place = (n * WISHES + wish) * 7_919 % 1_000_003;
            ((tokens as f64).powf(0.1 + 0.9 * place as f64 / 1_000_003.0) as usize).clamp(2, tokens)
        }
    };
    let row = |n, wish| format!("({},'token-metrics','{}','daily','any','instant','bench',0,0)", n + 1, token(n, wish));
    let rows = (0..people).flat_map(|n| (0..WISHES).map(move |wish| row(n, wish)));
    let columns = "(destination_id, source, target, kind, direction, delivery, creator, created_at, updated_at)";
    database.insert(&format!("subscriptions {columns}"), rows).await;
}

/// Everybody was told at some time of the present call of each token that they follow.
pub(crate) async fn told(database: &mut Database, stance: &str) {
    database
        .run(format!(
            "INSERT INTO told (destination_id, source, kind, token_id, stance, data_time, known_at, told_at, unstable)
             SELECT destination_id, source, kind, CAST(target AS BIGINT), '{stance}', 0, 0, 0, FALSE FROM subscriptions"
        ))
        .await;
}

/// What stands in a message that waits.
fn body() -> String {
    let notice = NoticePhrase::CommandsBack { platform: Platform::Telegram };
    serde_json::to_string(&MessageBody::Card { card: Card::new(Tone::Neutral, Phrase::Notice(notice)) }).unwrap().replace('\'', "''")
}

/// Messages that wait: so many for each destination, its n-th in the lane that the words say of `n`.
pub(crate) async fn queue(database: &mut Database, each: usize, lane: &str) {
    // What has waited for a day is sent no more.
    let (body, now) = (body(), SystemClock.now().as_millis());
    database
        .run(format!(
            "INSERT INTO messages (destination_id, platform, lane, body, mention, counted, edits, state, next_attempt_at, attempts, unknown_ends,
                lease_fence, created_at)
             WITH RECURSIVE numbers (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < {each} - 1)
             SELECT d.id, d.platform, {lane}, '{body}', '[]', FALSE, FALSE, 'queued', 0, 0, 0, 0, {now}
             FROM numbers CROSS JOIN destinations d ORDER BY n, d.id"
        ))
        .await;
}

/// What is stored of a past: alerts of one change, each told in a message of its own by one attempt, at the given time, with its buttons.
pub(crate) async fn past(database: &mut Database, count: usize, at: i64) {
    let body = body();
    database
        .run(
            "INSERT INTO polls (source, feed, started_at, finished_at, outcome, asked, taken, set_aside, complete)
        VALUES ('token-metrics', 'daily', 0, 0, 'complete', 1, 1, 0, TRUE)",
        )
        .await;
    database
        .run(format!(
            "INSERT INTO changes (poll_id, source, kind, token_id, from_stance, to_stance, since_exact, data_time, detected_at, nature, timing, after_gap)
             SELECT MAX(id), 'token-metrics', 'daily', 1, 'bearish', 'bullish', FALSE, {at}, {at}, 'turned', 'fresh', FALSE FROM polls"
        ))
        .await;
    database
        .run(format!(
            "INSERT INTO alerts (change_id, destination_id, decision, reason, lane, release_at, state, created_at, told_at)
             SELECT (SELECT MAX(id) FROM changes), id, 'send', 'instant', 1, 0, 'told', {at}, {at} FROM destinations WHERE id <= {count} ORDER BY destinations.id"
        ))
        .await;
    database
        .run(format!(
            "INSERT INTO messages (destination_id, platform, lane, body, mention, counted, edits, state, next_attempt_at, attempts, unknown_ends,
                lease_fence, created_at, finished_at, platform_id)
             SELECT id, platform, 1, '{body}', '[]', TRUE, FALSE, 'sent', 0, 1, 0, 1, {at}, {at}, CAST(id AS TEXT) FROM destinations
             WHERE id <= {count} ORDER BY destinations.id"
        ))
        .await;
    let newest = "m.id > (SELECT MAX(id) FROM messages)";
    database
        .run(format!(
            "INSERT INTO attempts (message_id, nonce, started_at, ended_at, outcome, platform_id)
             SELECT m.id, CAST(m.id AS TEXT), {at}, {at}, 'sent', m.platform_id FROM messages m WHERE {newest} - {count} ORDER BY m.id"
        ))
        .await;
    database
        .run(format!(
            "INSERT INTO message_alerts (message_id, alert_id) SELECT m.id, a.id FROM messages m JOIN alerts a
             ON a.destination_id = m.destination_id AND a.change_id = (SELECT MAX(id) FROM changes) WHERE {newest} - {count}"
        ))
        .await;
    database
        .run(format!(
            "INSERT INTO buttons (id, destination_id, verb, arguments, expires_at)
             SELECT 'button-{at}-' || CAST(id AS TEXT), id, 'alert', '[]', {at} FROM destinations WHERE id <= {count}"
        ))
        .await;
}

/// The rows of a table into one with the same columns, indexes and references, a thousand a statement, each a transaction: how long that takes.
pub(crate) async fn plain_inserts(database: &mut Database, table: &str) -> Duration {
    database.run(format!("DROP TABLE IF EXISTS plain_{table}")).await;
    if database.is_sqlite() {
        // As durable as what the product writes.
        database.run("PRAGMA synchronous = NORMAL").await;
    }
    let statements = if database.is_sqlite() { sqlite_inserts(database, table).await } else { postgres_inserts(database, table).await };
    let began = Instant::now();
    for statement in statements {
        database.run(statement).await;
    }
    began.elapsed()
}

async fn sqlite_inserts(database: &mut Database, table: &str) -> Vec<String> {
    let schema = format!("SELECT sql FROM sqlite_schema WHERE tbl_name = '{table}' AND sql IS NOT NULL ORDER BY type DESC");
    for statement in database.texts(&schema).await {
        let renamed = statement.replacen(&format!("TABLE {table} "), &format!("TABLE plain_{table} "), 1);
        let renamed = renamed.replacen(&format!("TABLE \"{table}\" "), &format!("TABLE plain_{table} "), 1);
        let renamed = renamed.replacen(&format!("ON {table} "), &format!("ON plain_{table} "), 1);
        database.run(renamed.replacen("INDEX ", "INDEX plain_", 1)).await;
    }
    let columns = database.texts(&format!("SELECT name FROM pragma_table_info('{table}')")).await;
    let quoted: Vec<_> = columns.iter().map(|column| format!("quote({column})")).collect();
    statements(database, table, &format!("SELECT '(' || {} || ')' FROM {table}", quoted.join("||','||"))).await
}

async fn postgres_inserts(database: &mut Database, table: &str) -> Vec<String> {
    database
        .run(format!("CREATE TABLE plain_{table} (LIKE {table} INCLUDING ALL); ALTER TABLE plain_{table} ALTER id DROP IDENTITY"))
        .await;
    let references = format!(
        "SELECT 'ALTER TABLE plain_{table} ADD ' || pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = '{table}'::regclass AND contype = 'f'"
    );
    for statement in database.texts(&references).await {
        database.run(statement).await;
    }
    let names = "SELECT CAST(column_name AS TEXT) FROM information_schema.columns WHERE table_schema = 'public'";
    let columns = database.texts(&format!("{names} AND table_name = '{table}' ORDER BY ordinal_position")).await;
    let quoted: Vec<_> = columns.iter().map(|column| format!("quote_nullable({column}::text)")).collect();
    statements(database, table, &format!("SELECT '(' || {} || ')' FROM {table}", quoted.join("||','||"))).await
}

async fn statements(database: &mut Database, table: &str, rows: &str) -> Vec<String> {
    let rows = database.texts(rows).await;
    rows.chunks(1_000).map(|rows| format!("INSERT INTO plain_{table} VALUES {}", rows.join(","))).collect()
}
