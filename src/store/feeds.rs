//! How each feed is doing, what it asks for, and the ledger of calls.

use super::{
    Store, StoreError, StoreResult,
    dialect::{in_transaction, on_db, per_db, write_db},
};
use crate::domain::{Cadence, Feed, FeedStatus, Kind, LastPolls, SourceField, SourceId, Timestamp};
use std::time::Duration;

const STATUSES: &str = "SELECT feed, cadence, tokens, next_poll_at, last_poll_at, last_success_at, failures, problem, stopped, refused,
        empty_since FROM feeds WHERE source = $1 ORDER BY feed";
const CALLS_SINCE: &str = "SELECT COUNT(*) FROM call_ledger WHERE source = $1 AND called_at >= $2";
const CALLS_FOR: &str = "SELECT COUNT(*) FROM call_ledger WHERE source = $1 AND called_at >= $2 AND purpose IN ($3, $4)";
/// By the order in which they were written, from the newest on: what a clock that was set back left in the future counts no longer than until the next
/// call. By its source, as an index offers, all of its calls would be sorted for the newest.
const NEWEST_CALL: &str = "SELECT called_at FROM call_ledger WHERE source || '' = $1 ORDER BY id DESC LIMIT 1 OFFSET $2";
const WRITE_CALL: &str = "INSERT INTO call_ledger (source, endpoint, purpose, called_at) VALUES ($1, $2, $3, $4) RETURNING id";
const SETTLE_CALL: &str = "UPDATE call_ledger SET status = $2 WHERE id = $1";
const SAVE: &str =
    "INSERT INTO feeds (source, feed, version, cadence, tokens, next_poll_at, last_poll_at, last_success_at, failures, problem,
        stopped, refused, empty_since)
    VALUES ($1, $2, 0, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    ON CONFLICT (source, feed) DO UPDATE SET cadence = excluded.cadence, tokens = excluded.tokens, next_poll_at = excluded.next_poll_at,
        last_poll_at = excluded.last_poll_at, last_success_at = excluded.last_success_at, failures = excluded.failures,
        problem = excluded.problem, stopped = excluded.stopped, refused = excluded.refused,
        empty_since = excluded.empty_since";
/// Until when nobody asks a source: a lease that nobody holds.
const REST: &str = "INSERT INTO leases (name, holder, fence, expires_at) VALUES ('rest:' || $1, '', 1, $2)
    ON CONFLICT (name) DO UPDATE SET expires_at = CASE WHEN leases.expires_at > excluded.expires_at AND leases.expires_at <= $3
        THEN leases.expires_at ELSE excluded.expires_at END";
const RESTS_UNTIL: &str = "SELECT expires_at FROM leases WHERE name = 'rest:' || $1 AND expires_at > $2 AND expires_at <= $3";
const RECORD_POLL: &str = "INSERT INTO polls (source, feed, started_at, finished_at, outcome, asked, taken, set_aside, complete)
    VALUES ($1, $2, $3, $4, $5, $6, $7, 0, $8)";
const LEARN_FIELD: &str =
    "INSERT INTO source_fields (source, endpoint, field, seen_at) VALUES ($1, $2, $3, $4) ON CONFLICT (source, endpoint, field) DO NOTHING";
const KNOWS_FIELD: &str = "SELECT seen_at FROM source_fields WHERE source = $1 AND endpoint = $2 AND field = $3";
/// Two processes (`serve` and `check`) count and write one after the other; SQLite does so by itself.
const LOCK_LEDGER_SQLITE: &str = "SELECT 1";
const LOCK_LEDGER_POSTGRES: &str = "LOCK TABLE call_ledger IN SHARE ROW EXCLUSIVE MODE";

/// From the newest poll of all feeds on: few others lie in between. What is under way is few as well, and comes first.
const LAST_POLLS: &str = "SELECT p.started_at,
        EXISTS (SELECT 1 FROM fanout_jobs f CROSS JOIN changes c WHERE c.id = f.change_id AND c.poll_id = p.id)
    FROM polls p WHERE p.source = $1 AND p.feed = $2 AND p.complete ORDER BY p.started_at DESC LIMIT $3";

pub(super) const STATEMENTS: &[&str] = &[
    LAST_POLLS,
    STATUSES,
    CALLS_SINCE,
    CALLS_FOR,
    NEWEST_CALL,
    WRITE_CALL,
    SETTLE_CALL,
    SAVE,
    REST,
    RESTS_UNTIL,
    RECORD_POLL,
    LEARN_FIELD,
    KNOWS_FIELD,
];
pub(super) const PAIRS: &[(&str, &str)] = &[(LOCK_LEDGER_SQLITE, LOCK_LEDGER_POSTGRES)];

/// The window of the limit per minute.
const MINUTE: Duration = Duration::from_secs(60);
/// No source asks to be left alone for longer. A time beyond that was noted by a clock that has been set back since.
const LONGEST_REST: Duration = Duration::from_secs(24 * 3600);

/// Which calls may be made: so many, 0 is no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CallLimits {
    /// In a UTC calendar month.
    pub per_month: u32,
    /// In any 60 seconds.
    pub per_minute: u32,
    /// Also while the source asked to be left alone: one that a person makes by hand, to see what it says.
    pub despite_rest: bool,
}

/// Whether a call may be made now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CallPermit {
    /// It is in the ledger: make it, then settle this row.
    Granted(i64),
    /// Not before: the minute's calls are used up.
    NotBefore(Timestamp),
    /// Not before: the source asked to be left alone, whichever process it told so.
    Rests(Timestamp),
    /// The month's calls are used up.
    MonthUsedUp,
}

/// One poll that brought nothing to ingest, for the record; the others are recorded by the ingest of their snapshot.
#[derive(Clone, Copy, Debug)]
pub struct PollRecord<'a> {
    /// Where from.
    pub source: SourceId,
    /// Which feed.
    pub feed: Feed,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub finished_at: Timestamp,
    /// How it ended, in one word.
    pub outcome: &'a str,
    /// How many tokens were asked for.
    pub asked: u32,
    /// How many rows or tokens it brought.
    pub taken: u32,
}

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
    refused: bool,
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

    /// Writes how a feed is doing; the version of its token states stays as it is.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn save_feed(&self, source: SourceId, status: &FeedStatus) -> StoreResult<()> {
        let at = |at: Option<Timestamp>| at.map(Timestamp::as_millis);
        let cadence = serde_json::to_string(&status.cadence).unwrap_or_default();
        write_db!(self.db, pool => sqlx::query(SAVE)
            .bind(source.as_str())
            .bind(status.feed.as_str())
            .bind(&cadence)
            .bind(i64::from(status.tokens))
            .bind(at(status.next_poll_at))
            .bind(at(status.last_poll_at))
            .bind(at(status.last_success_at))
            .bind(i64::from(status.failures))
            .bind(&status.problem)
            .bind(status.stopped)
            .bind(status.refused)
            .bind(at(status.empty_since))
            .execute(pool).await.map(drop))?;
        Ok(())
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

    /// How many of them were for one of these purposes.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn calls_for(&self, source: SourceId, purposes: [&str; 2], at: Timestamp) -> StoreResult<u32> {
        let [one, other] = purposes;
        let count: i64 = on_db!(self.db, pool => sqlx::query_scalar(CALLS_FOR)
            .bind(source.as_str()).bind(at.as_millis()).bind(one).bind(other).fetch_one(pool).await)?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// Writes a call into the ledger before it is made, where the limits have room for it: a crash can lose the call, never its count. The time is
    /// read once nobody else can write to the ledger: whoever waited for that would otherwise ask with the time of before a call that came first.
    ///
    /// # Errors
    /// Where the database fails: no call may be made then.
    pub async fn permit_call(
        &self,
        source: SourceId,
        endpoint: &str,
        purpose: &str,
        limits: CallLimits,
        time: impl Fn() -> Timestamp,
    ) -> StoreResult<CallPermit> {
        let lock = per_db!(self.db, sqlite: LOCK_LEDGER_SQLITE, postgres: LOCK_LEDGER_POSTGRES);
        in_transaction!(self.db, tx => {
            sqlx::query(lock).execute(&mut *tx).await?;
            let now = time();
            let rest: Option<i64> = sqlx::query_scalar(RESTS_UNTIL).bind(source.as_str())
                .bind(now.as_millis()).bind((now + LONGEST_REST).as_millis()).fetch_optional(&mut *tx).await?;
            let month = now.day().month_start().start();
            let used: i64 = sqlx::query_scalar(CALLS_SINCE).bind(source.as_str()).bind(month.as_millis()).fetch_one(&mut *tx).await?;
            let busy = if limits.per_minute == 0 {
                None
            } else {
                // The oldest of the last so many calls. The clock of whoever made it may be a little ahead.
                let made: Option<i64> = sqlx::query_scalar(NEWEST_CALL)
                    .bind(source.as_str())
                    .bind(i64::from(limits.per_minute) - 1)
                    .fetch_optional(&mut *tx).await?;
                made.map(Timestamp::from_millis).filter(|at| *at > now - MINUTE && *at < now + MINUTE)
            };
            if let Some(until) = rest.filter(|_| !limits.despite_rest) {
                CallPermit::Rests(Timestamp::from_millis(until))
            } else if limits.per_month > 0 && used >= i64::from(limits.per_month) {
                CallPermit::MonthUsedUp
            } else if let Some(oldest) = busy {
                CallPermit::NotBefore(oldest + MINUTE)
            } else {
                let write = sqlx::query_scalar(WRITE_CALL).bind(source.as_str()).bind(endpoint).bind(purpose).bind(now.as_millis());
                CallPermit::Granted(write.fetch_one(&mut *tx).await?)
            }
        })
    }

    /// Nobody calls the source before that, or before what it asked for earlier.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn rest(&self, source: SourceId, until: Timestamp) -> StoreResult<()> {
        write_db!(self.db, pool => sqlx::query(REST).bind(source.as_str()).bind(until.as_millis())
            .bind((until + LONGEST_REST).as_millis()).execute(pool).await.map(drop))?;
        Ok(())
    }

    /// Until when nobody calls the source, where it asked for that and it is not over.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn rests_until(&self, source: SourceId, now: Timestamp) -> StoreResult<Option<Timestamp>> {
        let until: Option<i64> = on_db!(self.db, pool => sqlx::query_scalar(RESTS_UNTIL).bind(source.as_str())
            .bind(now.as_millis()).bind((now + LONGEST_REST).as_millis()).fetch_optional(pool).await)?;
        Ok(until.map(Timestamp::from_millis))
    }

    /// Notes the status of a call's answer.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn settle_call(&self, call: i64, status: Option<u16>) -> StoreResult<()> {
        write_db!(self.db, pool => sqlx::query(SETTLE_CALL).bind(call).bind(status.map(i64::from)).execute(pool).await.map(drop))?;
        Ok(())
    }

    /// The last complete polls of a kind.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn last_polls(&self, source: SourceId, kind: Kind, most: u32) -> StoreResult<LastPolls> {
        let rows: Vec<(i64, bool)> = on_db!(self.db, pool => sqlx::query_as(LAST_POLLS)
            .bind(source.as_str()).bind(Feed::Signals(kind).as_str()).bind(i64::from(most)).fetch_all(pool).await)?;
        let began = rows.iter().filter(|(_, under_way)| !under_way).map(|(at, _)| Timestamp::from_millis(*at)).collect();
        Ok(LastPolls { began, under_way: rows.iter().any(|(_, under_way)| *under_way) })
    }

    /// Remembers that a field of the source's answers is there.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn learn_field(&self, source: SourceId, field: SourceField, now: Timestamp) -> StoreResult<()> {
        write_db!(self.db, pool => sqlx::query(LEARN_FIELD)
            .bind(source.as_str()).bind(field.endpoint).bind(field.name).bind(now.as_millis()).execute(pool).await.map(drop))?;
        Ok(())
    }

    /// Whether a field of the source's answers was ever there.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn knows_field(&self, source: SourceId, field: SourceField) -> StoreResult<bool> {
        let seen_at: Option<i64> = on_db!(self.db, pool => sqlx::query_scalar(KNOWS_FIELD)
            .bind(source.as_str()).bind(field.endpoint).bind(field.name).fetch_optional(pool).await)?;
        Ok(seen_at.is_some())
    }

    /// Records a poll that brought nothing to ingest.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn record_poll(&self, poll: &PollRecord<'_>) -> StoreResult<()> {
        write_db!(self.db, pool => sqlx::query(RECORD_POLL)
            .bind(poll.source.as_str())
            .bind(poll.feed.as_str())
            .bind(poll.started_at.as_millis())
            .bind(poll.finished_at.as_millis())
            .bind(poll.outcome)
            .bind(i64::from(poll.asked))
            .bind(i64::from(poll.taken))
            .bind(poll.outcome == "complete")
            .execute(pool).await.map(drop))?;
        Ok(())
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
            refused: row.refused,
            empty_since: at(row.empty_since),
        })
    }
}
