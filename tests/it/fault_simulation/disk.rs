//! The database of one life: a file that was prepared once, what makes it fail, and what may be asked of it from outside.

use super::places::{self, Wanted};
use bellwether::{
    domain::{
        Delivery, Direction, Kind, Listing, Observation, Settings, SettingsChange, Snapshot, SourceId, Target, Timestamp, Token, TokenId,
        Values,
    },
    pipeline::ingest::ingest,
    store::{AllTokens, NewDestination, SettingsOrder, Store, SubscribeOrder},
};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use std::{collections::BTreeSet, sync::OnceLock};
use tempfile::TempDir;
use tokio::{runtime::Runtime, sync::Mutex};

/// What is written on the way from a poll, or a command, to a receipt.
const TABLES: &[&str] = &[
    "token_states",
    "changes",
    "fanout_jobs",
    "polls",
    "feeds",
    "call_ledger",
    "alerts",
    "messages",
    "message_alerts",
    "attempts",
    "destinations",
    "told",
    "subscriptions",
    "updates_seen",
    "interactions_seen",
    "notices",
];
/// The database says so where a simulation makes it fail.
pub(super) const DOOM: &str = "the simulated database fails";

/// How the database fails, in SQLite's ways: a statement is undone, or its whole transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// As where it is locked, or gone: this statement fails.
    Statement,
    /// As on a full disk: SQLite ends the transaction by itself.
    Transaction,
}

/// A database in a file, and a look at it from outside.
pub(super) struct Disk {
    pub(super) url: String,
    outside: Runtime,
    look: Mutex<SqliteConnection>,
    /// For whoever conducts several requests that are under way.
    second_look: Mutex<SqliteConnection>,
    _files: TempDir,
}

impl Disk {
    /// A copy of the prepared one.
    pub(super) fn new() -> Self {
        static PREPARED: OnceLock<Vec<u8>> = OnceLock::new();
        let prepared = PREPARED.get_or_init(|| std::thread::spawn(prepare).join().unwrap());
        let files = folder();
        let path = files.path().join("life.db");
        std::fs::write(&path, prepared).unwrap();
        let url = format!("sqlite://{}", path.display());
        let outside = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let look = || Mutex::new(outside.block_on(SqliteConnection::connect(&url)).unwrap());
        let (look, second_look) = (look(), look());
        Self { url, outside, look, second_look, _files: files }
    }

    /// The rows of a statement, each as one text.
    pub(super) fn texts(&self, sql: &str) -> Vec<String> {
        let query = sqlx::query_scalar(AssertSqlSafe(sql.to_owned()));
        let rows = self.outside.block_on(async { query.fetch_all(&mut *self.look.lock().await).await });
        rows.unwrap_or_else(|error| panic!("{error}: {sql}"))
    }

    pub(super) fn numbers(&self, sql: &str) -> Vec<i64> {
        let query = sqlx::query_scalar::<_, Option<i64>>(AssertSqlSafe(sql.to_owned()));
        let rows = self.outside.block_on(async { query.fetch_all(&mut *self.look.lock().await).await });
        rows.unwrap_or_else(|error| panic!("{error}: {sql}")).into_iter().flatten().collect()
    }

    /// The messages that are claimed at present.
    pub(super) async fn claimed(&self) -> Vec<i64> {
        const CLAIMED: &str = "SELECT id FROM messages WHERE state = 'queued' AND lease_holder IS NOT NULL AND lease_until > 0 ORDER BY id";
        sqlx::query_scalar(CLAIMED).fetch_all(&mut *self.second_look.lock().await).await.unwrap()
    }

    /// Does this to the database, from outside.
    pub(super) fn change(&self, sql: &str) {
        self.outside.block_on(self.run(sql));
    }

    async fn run(&self, sql: &str) {
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut *self.look.lock().await).await.unwrap();
    }

    /// After so many writes of rows the database fails, until it is mended.
    pub(super) fn fail_after(&self, writes: u32, refusal: Refusal) {
        let ends = i32::from(refusal == Refusal::Transaction);
        self.outside.block_on(self.set_fuse(&format!("armed = 1, left_over = {writes}, ends_transaction = {ends}")));
    }

    /// It works again.
    pub(super) async fn mend(&self) {
        self.set_fuse("armed = 0").await;
    }

    /// The same from outside.
    pub(super) fn mend_now(&self) {
        self.outside.block_on(self.mend());
    }

    async fn set_fuse(&self, to: &str) {
        self.run(&format!("UPDATE fuse SET {to}")).await;
    }
}

/// In memory where the system has such files: no life outlasts its process, and nothing looks at what a disk would keep.
fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// A world before anything happens: who follows what, and what the source said last.
fn prepare() -> Vec<u8> {
    let files = folder();
    let path = files.path().join("prepared.db");
    let url = format!("sqlite://{}", path.display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let store = Store::open(&url).await.unwrap();
        let begin = places::begin();
        let token = |(rank, (id, symbol, name)): (u32, &(i64, &str, &str))| Token {
            id: TokenId(*id),
            symbol: (*symbol).to_owned(),
            name: (*name).to_owned(),
            rank: Some(rank),
            link: None,
        };
        let tokens: Vec<Token> = (1..).zip(places::TOKENS).map(token).collect();
        let all = AllTokens { up_to: 100, refreshes_out: 3 };
        store.refresh_ranks(SourceId::TokenMetrics, &tokens, |_| Listing::default(), all, begin).await.unwrap();
        for wanted in places::WANTED {
            subscribe(&store, wanted, begin).await;
        }
        for kind in [Kind::Daily, Kind::Hourly] {
            ingest(&store, &baseline(kind, begin), begin).await.unwrap();
        }
        store.close().await;
        lay_fuse(&url).await;
    });
    std::fs::read(&path).unwrap()
}

async fn subscribe(store: &Store, wanted: &Wanted, begin: Timestamp) {
    let destination = NewDestination {
        address: wanted.address(),
        place: wanted.place,
        tenant: wanted.tenant.map(str::to_owned),
        label: None,
        creator: None,
    };
    for kind in [Kind::Daily, Kind::Hourly] {
        let targets: Vec<_> = wanted.tokens.iter().copied().filter(|token| places::kind_of(*token) == kind).collect();
        if targets.is_empty() {
            continue;
        }
        let order = SubscribeOrder {
            destination: destination.clone(),
            source: SourceId::TokenMetrics,
            targets: targets.into_iter().map(|token| Target::Token(TokenId(token))).collect(),
            kind,
            direction: Direction::Any,
            delivery: Delivery::parse(wanted.delivery).unwrap(),
            mention: None,
            threshold: None,
            creator: "simulation".to_owned(),
            limit: 100,
            audit: None,
            request: None,
        };
        store.subscribe(&order, begin).await.unwrap();
    }
    let settings: Settings = serde_json::from_str(wanted.settings).unwrap();
    let change = SettingsChange {
        max_per_hour: Some(settings.max_per_hour),
        cooldown_minutes: Some(settings.cooldown_minutes),
        confirmation: Some(settings.confirmation),
        timezone: Some(settings.timezone),
        quiet_hours: Some(settings.quiet_hours),
        ..SettingsChange::default()
    };
    store.change_settings(&destination, &SettingsOrder { change, ..SettingsOrder::default() }, begin).await.unwrap();
}

/// Everything is bearish.
fn baseline(kind: Kind, at: Timestamp) -> Snapshot {
    let tokens: BTreeSet<i64> = places::TOKENS.iter().map(|(id, ..)| *id).filter(|id| places::kind_of(*id) == kind).collect();
    let data_time = if kind == Kind::Hourly { Timestamp::from_secs(at.as_secs() / 3600 * 3600) } else { at.day().start() };
    let row = |token: &i64| Observation {
        token: TokenId(*token),
        data_time,
        signal: Some(-1.0),
        trend: (kind == Kind::Daily).then_some(-1.0),
        position: (kind == Kind::Hourly).then_some(0.0),
        values: Values::default(),
    };
    Snapshot {
        source: SourceId::TokenMetrics,
        kind,
        started_at: at,
        asked: tokens.iter().map(|token| TokenId(*token)).collect(),
        observations: tokens.iter().map(row).collect(),
        set_aside: Vec::new(),
        complete: true,
        gaps: BTreeSet::new(),
    }
}

async fn lay_fuse(url: &str) {
    let mut sql = "CREATE TABLE fuse (armed BIGINT NOT NULL, left_over BIGINT NOT NULL, ends_transaction BIGINT NOT NULL);
        INSERT INTO fuse VALUES (0, 0, 0);"
        .to_owned();
    for table in TABLES {
        for event in ["INSERT", "UPDATE", "DELETE"] {
            sql += &format!(
                "CREATE TRIGGER fuse_{table}_{event} BEFORE {event} ON {table} WHEN (SELECT armed FROM fuse) = 1 BEGIN
                    UPDATE fuse SET left_over = left_over - 1;
                    SELECT RAISE(ABORT, '{DOOM}') WHERE (SELECT left_over FROM fuse) < 0 AND (SELECT ends_transaction FROM fuse) = 0;
                    SELECT RAISE(ROLLBACK, '{DOOM}') WHERE (SELECT left_over FROM fuse) < 0; END;"
            );
        }
    }
    let mut connection = SqliteConnection::connect(url).await.unwrap();
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}
