//! How each feed is doing, and the ledger of calls.

use super::{Store, StoreError, StoreResult, dialect::on_db};
use crate::domain::{Cadence, Feed, FeedStatus, SourceId, Timestamp};

const STATUSES: &str = "SELECT feed, cadence, tokens, next_poll_at, last_poll_at, last_success_at, failures, problem, stopped, empty_since
    FROM feeds WHERE source = $1 ORDER BY feed";
const CALLS_SINCE: &str = "SELECT COUNT(*) FROM call_ledger WHERE source = $1 AND called_at >= $2";

pub(super) const STATEMENTS: &[&str] = &[STATUSES, CALLS_SINCE];

#[derive(sqlx::FromRow)]
struct StatusRow {
    feed: String,
    cadence: String,
    tokens: i64,
    next_poll_at: Option<i64>,
    last_poll_at: Option<i64>,
    last_success_at: Option<i64>,
    failures: i64,
    problem: Option<String>,
    stopped: bool,
    empty_since: Option<i64>,
}

impl Store {
    /// Every feed that was ever planned.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn feed_statuses(&self, source: SourceId) -> StoreResult<Vec<FeedStatus>> {
        let rows: Vec<StatusRow> = on_db!(self.db, pool => sqlx::query_as(STATUSES).bind(source.as_str()).fetch_all(pool).await)?;
        rows.into_iter().map(FeedStatus::try_from).collect()
    }

    /// How many calls were made since `at`, failed ones and retries included (`rules.md` 1.4).
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn calls_since(&self, source: SourceId, at: Timestamp) -> StoreResult<u32> {
        let count: i64 =
            on_db!(self.db, pool => sqlx::query_scalar(CALLS_SINCE).bind(source.as_str()).bind(at.as_millis()).fetch_one(pool).await)?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }
}

impl TryFrom<StatusRow> for FeedStatus {
    type Error = StoreError;

    fn try_from(row: StatusRow) -> Result<Self, StoreError> {
        let at = |millis: Option<i64>| millis.map(Timestamp::from_millis);
        let feed = Feed::parse(&row.feed).ok_or_else(|| StoreError::corrupt("a feed", &row.feed))?;
        let cadence: Cadence = serde_json::from_str(&row.cadence).map_err(|_| StoreError::corrupt("a cadence", &row.cadence))?;
        Ok(Self {
            feed,
            cadence,
            tokens: u32::try_from(row.tokens).unwrap_or_default(),
            next_poll_at: at(row.next_poll_at),
            last_poll_at: at(row.last_poll_at),
            last_success_at: at(row.last_success_at),
            failures: u32::try_from(row.failures).unwrap_or_default(),
            problem: row.problem,
            stopped: row.stopped,
            empty_since: at(row.empty_since),
        })
    }
}
