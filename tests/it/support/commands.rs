//! A desk over a directory of tokens, and people in every kind of place who type at it.

use super::database::TestDb;
use bellwether::{
    clock::{Clock, ManualClock},
    commands::{Actor, ChannelFacts, Command, Desk, DeskSettings, Inquiries, Invocation, Reply, Request, RoleFacts, Standing, Venue},
    domain::{Address, Kind, Platform, Timestamp, UserId},
    store::Store,
};
use sqlx::{AssertSqlSafe, Column, Connection, Row};
use std::sync::Arc;

/// What everything that commands may change looks like, row by row.
const SHOWN: &[&str] = &[
    "SELECT platform, chat, topic, place, tenant, label, settings, creator, quarantine_reason, route FROM destinations ORDER BY platform, chat, topic",
    "SELECT d.chat, s.target, s.kind, s.direction, s.delivery, s.mention, s.creator FROM subscriptions s JOIN destinations d ON d.id = s.destination_id ORDER BY d.chat, s.kind, s.target",
    "SELECT d.chat, e.kind, CAST(e.token_id AS TEXT) AS token FROM exclusions e JOIN destinations d ON d.id = e.destination_id ORDER BY d.chat, e.kind, e.token_id",
    "SELECT platform, actor, tenant, action, before, after FROM audit ORDER BY id",
    "SELECT d.chat, m.state, m.body FROM messages m JOIN destinations d ON d.id = m.destination_id ORDER BY m.id",
];

/// Everything that commands may change, as the database has it.
pub(crate) async fn stored(url: &str) -> Vec<String> {
    let mut all = Vec::new();
    for sql in SHOWN {
        all.extend(rows(url, sql).await);
    }
    all
}

/// What people have asked for: subscriptions, what is left out of them, settings that are not the usual ones, and who changed what.
pub(crate) async fn asked_for(url: &str) -> Vec<String> {
    let mut all = Vec::new();
    for sql in &SHOWN[1..4] {
        all.extend(rows(url, sql).await);
    }
    all.extend(rows(url, "SELECT chat, topic, settings FROM destinations WHERE settings NOT LIKE '%\"max_per_hour\":10,\"cooldown_minutes\":0%' ORDER BY 1, 2").await);
    all
}

/// Runs statements on a test's database, around the store.
pub(crate) async fn run_sql(url: &str, sql: &str) {
    if url.starts_with("sqlite") {
        let mut connection = sqlx::SqliteConnection::connect(url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    } else {
        let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned())).execute(&mut connection).await.unwrap();
    }
}

/// The rows of a query whose columns are all text, `|` between them.
pub(crate) async fn rows(url: &str, sql: &str) -> Vec<String> {
    macro_rules! rows {
        ($connection:ty) => {{
            // Some tests restart the server.
            let mut tries = 0;
            let mut connection = loop {
                match <$connection>::connect(url).await {
                    Ok(connection) => break connection,
                    Err(error) => assert!(tries < 100, "{error}"),
                }
                tries += 1;
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
            };
            let rows = sqlx::query(AssertSqlSafe(sql.to_owned())).fetch_all(&mut connection).await.unwrap();
            let text = |row: &_, index: usize| {
                let value: Option<String> = Row::get(row, index);
                value.unwrap_or_else(|| "-".to_owned())
            };
            rows.iter().map(|row| row.columns().iter().map(|column| text(row, column.ordinal())).collect::<Vec<_>>().join("|")).collect()
        }};
    }
    if url.starts_with("sqlite") { rows!(sqlx::SqliteConnection) } else { rows!(sqlx::PgConnection) }
}

/// The desk of one test.
pub(crate) struct Office {
    pub(crate) db: TestDb,
    pub(crate) desk: Desk,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) inquiries: Inquiries,
}

pub(crate) fn settings() -> DeskSettings {
    DeskSettings {
        all_tokens: 100,
        calls_per_month: 500,
        invite: Some("https://discord.com/invite-me".to_owned()),
        ..DeskSettings::default()
    }
}

impl Office {
    /// A desk at noon of 22 Nov 2026 over the usual directory.
    pub(crate) async fn open(db: TestDb) -> Self {
        let office = Self::with(db, settings());
        office.sql(DIRECTORY).await;
        office
    }

    /// A desk over an empty database.
    pub(crate) fn with(db: TestDb, settings: DeskSettings) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::parse("2026-11-22T12:00:00Z").unwrap()));
        let (desk, inquiries) = Desk::new(db.store.clone(), clock.clone(), settings);
        Self { db, desk, clock, inquiries }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.db.store
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) async fn sql(&self, sql: &str) {
        run_sql(&self.db.url, sql).await;
    }

    /// Everything that commands may change.
    pub(crate) async fn shown(&self) -> Vec<String> {
        stored(&self.db.url).await
    }

    /// Types and reads.
    pub(crate) async fn types(&self, request: &Request) -> String {
        self.reply(request).await.card.plain()
    }

    pub(crate) async fn reply(&self, request: &Request) -> Reply {
        self.desk.answer(request).await
    }

    /// Types what must be refused: the answer says so, and nothing is changed.
    pub(crate) async fn is_refused(&self, request: &Request) -> String {
        let before = self.shown().await;
        let said = self.types(request).await;
        assert!(said.starts_with("That did not work"), "a refusal was expected: {said}");
        assert_eq!(before, self.shown().await, "a refused command changes nothing");
        said
    }
}

/// Someone's request; the rest is added with the methods below.
pub(crate) fn request(command: Command, venue: Venue, standing: Standing) -> Request {
    Request {
        key: None,
        actor: Actor { user: UserId("7".to_owned()), standing },
        venue,
        invocation: Invocation { command, options: std::collections::BTreeMap::new() },
        channel: None,
        role: None,
    }
}

/// Fluent additions to a request.
pub(crate) trait With: Sized {
    fn with(self, option: &str, value: &str) -> Self;
    fn keyed(self, key: &str) -> Self;
    fn in_channel(self, facts: ChannelFacts) -> Self;
    fn mentioning(self, role: RoleFacts) -> Self;
}

impl With for Request {
    fn with(mut self, option: &str, value: &str) -> Self {
        self.invocation.options.insert(option.to_owned(), value.to_owned());
        self
    }

    fn keyed(mut self, key: &str) -> Self {
        self.key = Some(key.to_owned());
        self
    }

    fn in_channel(mut self, facts: ChannelFacts) -> Self {
        self.channel = Some(facts);
        self
    }

    fn mentioning(mut self, role: RoleFacts) -> Self {
        self.role = Some(role);
        self
    }
}

/// Telegram, private chat.
pub(crate) fn private(command: Command) -> Request {
    request(command, Venue::Private { address: Address::new(Platform::Telegram, "7") }, Standing::Member)
}

/// Telegram, a group.
pub(crate) fn group(command: Command, standing: Standing) -> Request {
    let address = Address::new(Platform::Telegram, "-100");
    request(command, Venue::Group { address, label: "Traders".to_owned() }, standing)
}

/// Discord, a server in which the bot is.
pub(crate) fn server(command: Command, standing: Standing) -> Request {
    request(command, discord_server(true), standing)
}

pub(crate) fn discord_server(bot_present: bool) -> Venue {
    let direct = Address::discord_user(&UserId("7".to_owned()));
    Venue::Server { tenant: "900".to_owned(), channel: "901".to_owned(), bot_present, direct }
}

/// `#alerts` of that server.
pub(crate) fn alerts_channel() -> ChannelFacts {
    ChannelFacts { address: Address::new(Platform::Discord, "901"), label: "#alerts".to_owned(), problem: None }
}

pub(crate) fn token_states(kind: Kind) -> String {
    let at = |day: &str| Timestamp::parse(day).unwrap().as_millis();
    let (since, data, seen) = (at("2026-11-14"), at("2026-11-22"), at("2026-11-22T11:00:00Z"));
    format!(
        "INSERT INTO token_states (source, kind, token_id, stance, since_at, since_exact, data_time, settled, corrected, stored_at, seen_at, asked_at, trader_grade) VALUES
        ('token-metrics', '{kind}', 3306, 'bearish', {since}, FALSE, {data}, FALSE, FALSE, {seen}, {seen}, {seen}, NULL),
        ('token-metrics', '{kind}', 3375, 'bullish', {since}, TRUE, {data}, FALSE, FALSE, {seen}, {seen}, {seen}, 71.5)"
    )
}

/// Ranked and unranked, symbols that repeat, names that would like to be markup.
pub(crate) const DIRECTORY: &str = "INSERT INTO tokens (source, token_id, symbol, symbol_key, name, name_key, market_rank, link, in_all, refreshes_out, first_seen_at, refreshed_at) VALUES
    ('token-metrics', 3375, 'BTC', 'BTC', 'Bitcoin', 'BITCOIN', 1, 'https://app.tokenmetrics.com/en/bitcoin', TRUE, 0, 0, 0),
    ('token-metrics', 3306, 'ETH', 'ETH', 'Ethereum', 'ETHEREUM', 2, NULL, TRUE, 0, 0, 0),
    ('token-metrics', 3988, 'SOL', 'SOL', 'Solana', 'SOLANA', 6, NULL, TRUE, 0, 0, 0),
    ('token-metrics', 4001, 'SOL', 'SOL', 'Sol of Old', 'SOL OF OLD', 950, NULL, FALSE, 0, 0, 0),
    ('token-metrics', 4002, 'SOLO', 'SOLO', 'Sologenic', 'SOLOGENIC', 700, NULL, FALSE, 0, 0, 0),
    ('token-metrics', 5001, 'CAT', 'CAT', 'First Cat', 'FIRST CAT', NULL, NULL, FALSE, 0, 0, 0),
    ('token-metrics', 5002, 'CAT', 'CAT', 'Second Cat', 'SECOND CAT', NULL, NULL, FALSE, 0, 0, 0),
    ('token-metrics', 5003, 'ONE', 'ONE', 'Lonely', 'LONELY', NULL, NULL, FALSE, 0, 0, 0),
    ('token-metrics', 6001, 'ALL', 'ALL', 'All In', 'ALL IN', 400, NULL, FALSE, 0, 0, 0),
    ('token-metrics', 6002, '%_', '%_', '<b>@everyone</b> **x**', '<B>@EVERYONE</B> **X**', 800, NULL, FALSE, 0, 0, 0),
    ('token-metrics', 6003, 'ÄÖ', 'ÄÖ', 'Umlaut', 'UMLAUT', 810, NULL, FALSE, 0, 0, 0),
    ('token-metrics', 6004, 'A B', 'A B', 'Two Words', 'TWO WORDS', 820, NULL, FALSE, 0, 0, 0)";
