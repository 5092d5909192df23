//! A poller on a bench: a database, a fake API, a clock that is moved by hand.

use super::{
    database::TestDb,
    fake_token_metrics::{API_KEY, FakeTokenMetrics},
};
use async_trait::async_trait;
use bellwether::{
    clock::{Clock, ManualClock, SharedClock},
    domain::{Address, Facet, Feed, FeedStatus, Kind, Platform, SourceId, Timestamp, TokenId},
    pipeline::{
        operators::Operators,
        poll::{PollSettings, Poller, PollerParts},
        schedule::Schedule,
    },
    sources::{Ask, Call, Collector, Page, Source, SourceError, Wanted, token_metrics::TokenMetrics},
    store::Store,
    telemetry::Metrics,
};
use secrecy::SecretString;
use sqlx::Connection;
use std::{
    io::Write,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::Notify;

pub struct Bench {
    pub db: TestDb,
    pub fake: FakeTokenMetrics,
    pub clock: Arc<ManualClock>,
    pub metrics: Arc<Metrics>,
    pub settings: PollSettings,
}

impl Bench {
    /// 500 calls a month, no limit a minute.
    pub async fn new(db: TestDb, now: &str) -> Self {
        let fake = FakeTokenMetrics::start().await;
        fake.set_tokens([(3375, "BTC", "Bitcoin"), (3306, "ETH", "Ethereum")]);
        let clock = Arc::new(ManualClock::new(Timestamp::parse(now).unwrap()));
        let settings = PollSettings { calls_per_month: 500, calls_per_minute: 0, all_tokens: 100, ..PollSettings::default() };
        let bench = Self { db, fake, clock, metrics: Arc::default(), settings };
        let place = "INSERT INTO destinations (platform, chat, topic, place, settings, created_at, rest_until, probes)
            VALUES ('telegram', '7', '', 'person', '{}', 0, 0, 0)";
        bench.execute(place).await;
        bench
    }

    pub fn clock_now(&self) -> Timestamp {
        self.clock.now()
    }

    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    pub fn source(&self) -> Arc<dyn Source> {
        Arc::new(TokenMetrics::new(&self.fake.url, SecretString::from(API_KEY)))
    }

    pub fn poller(&self) -> Poller {
        self.poller_of(self.source(), Schedule::Auto)
    }

    /// With this schedule for daily calls.
    pub fn poller_with(&self, daily: Schedule) -> Poller {
        self.poller_of(self.source(), daily)
    }

    pub fn poller_of(&self, source: Arc<dyn Source>, daily: Schedule) -> Poller {
        let clock: SharedClock = self.clock.clone();
        let operator = Address { platform: Platform::Telegram, chat: "99".to_owned(), topic: None };
        let mut settings = self.settings.clone();
        settings.schedules.insert(Kind::Daily, daily);
        Poller::new(PollerParts {
            source,
            store: self.db.store.clone(),
            clock: clock.clone(),
            metrics: self.metrics.clone(),
            operators: Operators::new(self.db.store.clone(), clock, vec![operator]),
            settings,
            wake: Arc::new(Notify::new()),
        })
    }

    /// Steps the poller and moves the clock to where it wants to come back, as long as that is not later than `end`.
    pub async fn run_until(&self, poller: &mut Poller, end: &str) {
        let end = Timestamp::parse(end).unwrap();
        loop {
            let next = poller.step().await.unwrap();
            // Nothing happens between: the slot that is written down is the next thing.
            let slots = self.db.store.feed_statuses(SourceId::TokenMetrics).await.unwrap();
            let slot = slots.iter().filter_map(|status| status.next_poll_at).filter(|at| *at > self.clock_now()).min();
            let quiet = next.since(self.clock_now()) <= Duration::from_secs(10);
            let next = if quiet && slot.is_some_and(|slot| slot > next) && !poller.is_polling() { slot.unwrap() } else { next };
            if next > end {
                self.clock.set(end);
                poller.step().await.unwrap();
                return;
            }
            self.clock.set(next.max(self.clock_now() + Duration::from_millis(1)));
        }
    }

    /// Someone wants this target of this kind.
    pub async fn subscribe(&self, kind: Kind, target: &str) {
        let sql = format!(
            "INSERT INTO subscriptions (destination_id, source, target, kind, direction, delivery, creator, created_at, updated_at)
             SELECT MIN(id), 'token-metrics', '{target}', '{kind}', 'any', 'instant', 'test', 0, 0 FROM destinations"
        );
        self.execute(&sql).await;
    }

    pub async fn status(&self, feed: Feed) -> FeedStatus {
        let all = self.db.store.feed_statuses(SourceId::TokenMetrics).await.unwrap();
        all.into_iter().find(|status| status.feed == feed).unwrap()
    }

    /// Notices that operators got.
    pub async fn notices(&self) -> i64 {
        let sql = "SELECT COUNT(*) FROM messages";
        if self.db.url.starts_with("sqlite") {
            let mut connection = sqlx::SqliteConnection::connect(&self.db.url).await.unwrap();
            sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
        } else {
            let mut connection = sqlx::PgConnection::connect(&self.db.url).await.unwrap();
            sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
        }
    }

    pub async fn execute(&self, sql: &str) {
        let query = sqlx::AssertSqlSafe(sql.to_owned());
        if self.db.url.starts_with("sqlite") {
            let mut connection = sqlx::SqliteConnection::connect(&self.db.url).await.unwrap();
            sqlx::query(query).execute(&mut connection).await.unwrap();
        } else {
            let mut connection = sqlx::PgConnection::connect(&self.db.url).await.unwrap();
            sqlx::query(query).execute(&mut connection).await.unwrap();
        }
    }

    /// The same source, which looks into the ledger whenever it is called.
    pub fn source_that_counts(&self) -> Arc<Counting> {
        Arc::new(Counting { inner: self.source(), store: self.db.store.clone(), counts: Mutex::default() })
    }
}

/// Notes at each call how many the ledger holds by then.
pub struct Counting {
    inner: Arc<dyn Source>,
    store: Store,
    counts: Mutex<Vec<u32>>,
}

impl Counting {
    pub fn counts(&self) -> Vec<u32> {
        self.counts.lock().unwrap().clone()
    }
}

#[async_trait]
impl Source for Counting {
    fn id(&self) -> SourceId {
        self.inner.id()
    }
    fn collect(&self, ask: Ask) -> Box<dyn Collector> {
        self.inner.collect(ask)
    }
    async fn call(&self, call: &Call) -> Result<Page, SourceError> {
        let count = self.store.calls_since(self.id(), Timestamp::EPOCH).await.unwrap();
        self.counts.lock().unwrap().push(count);
        self.inner.call(call).await
    }
    fn ranks(&self, page: u32) -> Call {
        self.inner.ranks(page)
    }
    fn directory(&self, page: u32) -> Call {
        self.inner.directory(page)
    }
    fn lookup(&self, wanted: &Wanted) -> Call {
        self.inner.lookup(wanted)
    }
    fn insight(&self, facet: Facet, tokens: &[TokenId]) -> Call {
        self.inner.insight(facet, tokens)
    }
}

/// Everything that was logged in this thread.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub fn subscriber(&self) -> impl tracing::Subscriber + Send + Sync + use<> {
        let log = self.clone();
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || log.clone()).finish()
    }

    pub fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
