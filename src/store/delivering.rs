//! Delivering: claims under a lease, and settlements by whoever still holds it.

use super::{
    Store, StoreError, StoreResult,
    destinations::{self, DestinationRow, columns},
    dialect::{in_transaction, on_db, over_rows},
};
use crate::domain::{
    Call, Destination, Follows, FollowsHow, Lane, Mention, MessageBody, MessageId, Platform, QuarantineReason, SourceId, Timestamp,
};
use std::time::Duration;

/// A time that has come, or that no wait can reach from now: the clock was stepped back since it was set (`rules.md` 6.7).
macro_rules! past {
    ($time:literal, $horizon:literal) => {
        concat!("(", $time, " <= $2 OR ", $time, " > ", $horizon, ")")
    };
}
macro_rules! claimable {
    ($lock:literal) => {
        // The first message of each destination alone: at most one is in flight, and the order within a chat holds. A reply that waits
        // for its share of a group (`rules.md` 4.4) keeps nothing else back.
        // Walked in the order of the lanes, and no further than the limit: the order of the join and the LIMIT within say so to planners that
        // would rather join the whole queue.
        concat!(
            "SELECT m.id FROM messages m CROSS JOIN destinations d
             WHERE d.id = m.destination_id AND m.state = 'queued' AND m.platform = $1 AND ",
            past!("m.next_attempt_at", "$4"),
            " AND (m.lease_until IS NULL OR ",
            past!("m.lease_until", "$5"),
            ") AND ",
            past!("d.rest_until", "$4"),
            " AND (d.quarantine_reason IS NULL OR d.next_probe_at <= $2)
               AND (SELECT 1 FROM messages o WHERE o.destination_id = m.destination_id AND o.state = 'queued' AND o.id <> m.id
                    AND ((o.lease_until > $2 AND o.lease_until <= $5) OR (o.lane = m.lane AND o.id < m.id)
                         OR (o.lane < m.lane AND (o.lane > 0 OR ",
            past!("o.next_attempt_at", "$4"),
            "))) LIMIT 1) IS NULL
             ORDER BY m.lane, m.id LIMIT $3 ",
            $lock
        )
    };
}
const CLAIMABLE: (&str, &str) = (claimable!(""), claimable!("FOR UPDATE OF m SKIP LOCKED"));
const LEASE: &str = "UPDATE messages SET lease_holder = $2, lease_until = $3, lease_fence = lease_fence + 1, attempts = attempts + 1,
    unknown_ends = unknown_ends + $4 WHERE id = $1 RETURNING lease_fence";
// The lease of an earlier claim ran out before its end was recorded: nobody knows whether it arrived.
const LOSE_ATTEMPTS: &str =
    "UPDATE attempts SET ended_at = $2, outcome = 'unknown', detail = 'no answer was recorded' WHERE message_id = $1 AND outcome IS NULL";
const MESSAGE: &str =
    "SELECT id, destination_id, lane, body, mention, follows, edits, attempts, unknown_ends, created_at FROM messages WHERE id = $1";
const DESTINATION: &str = concat!("SELECT ", columns!(), " FROM destinations WHERE id = $1");
const BEGIN_ATTEMPT: &str = "INSERT INTO attempts (message_id, nonce, started_at) VALUES ($1, $2, $3) RETURNING id";
const RELEASE: &str =
    "UPDATE messages SET lease_holder = NULL, lease_until = NULL, attempts = attempts - 1 WHERE id = $1 AND lease_fence = $2";
const POSTPONE: &str = "UPDATE messages SET next_attempt_at = $3, lease_holder = NULL, lease_until = NULL, attempts = attempts - 1
    WHERE id = $1 AND lease_fence = $2 AND state = 'queued'";
const FORGET_ATTEMPT: &str = "DELETE FROM attempts WHERE id = $1";
const END_ATTEMPT: &str = "UPDATE attempts SET ended_at = $2, outcome = $3, platform_id = $4, detail = $5 WHERE id = $1";
const SENT: &str =
    "UPDATE messages SET state = 'sent', finished_at = $3, platform_id = $4, lease_holder = NULL, lease_until = NULL, problem = NULL
    WHERE id = $1 AND lease_fence = $2 AND state = 'queued'";
/// A file is the person's own once it arrived, and nobody else's.
const WITHOUT_FILE: &str = "UPDATE messages SET body = $2 WHERE id = $1";
const ALERTS_TOLD: &str = "UPDATE alerts SET state = 'told', told_at = $2
    WHERE state = 'composed' AND id IN (SELECT alert_id FROM message_alerts WHERE message_id = $1)";
const TOLD: (&str, &str) = over_rows!(
    "INSERT INTO told (destination_id, source, kind, token_id, stance, data_time, known_at, told_at)
     SELECT CAST($2 AS BIGINT), r.value ->> 0, r.value ->> 1, CAST(r.value ->> 2 AS BIGINT), r.value ->> 3,
        CAST(r.value ->> 4 AS BIGINT), CAST($3 AS BIGINT), CAST($3 AS BIGINT) FROM",
    "WHERE TRUE ON CONFLICT (destination_id, source, kind, token_id) DO UPDATE
     SET stance = excluded.stance, data_time = excluded.data_time, known_at = excluded.known_at, told_at = excluded.told_at"
);
const REACHED: &str =
    "UPDATE destinations SET rest_until = $2, route = COALESCE($3, route), quarantine_reason = NULL, quarantined_at = NULL,
    next_probe_at = NULL, probes = 0 WHERE id = $1";
const MENTIONED: &str = "UPDATE destinations SET mentioned_at = $2 WHERE id = $1";
const RETRY: &str =
    "UPDATE messages SET next_attempt_at = $3, unknown_ends = unknown_ends + $4, problem = $5, lease_holder = NULL, lease_until = NULL
    WHERE id = $1 AND lease_fence = $2 AND state = 'queued'";
/// The words are the same; whether earlier tries of the edit arrived matters no more, now that the platform refused one.
const REPLY_INSTEAD: &str =
    "UPDATE messages SET edits = FALSE, next_attempt_at = $3, unknown_ends = 0, problem = $4, lease_holder = NULL, lease_until = NULL
    WHERE id = $1 AND lease_fence = $2 AND state = 'queued'";
const REST: &str = "UPDATE destinations SET rest_until = $2 WHERE id = $1 AND (rest_until < $2 OR rest_until > $3)";
const DEAD: &str =
    "UPDATE messages SET state = 'dead', finished_at = $3, problem = $4, unknown_ends = unknown_ends + $5, lease_holder = NULL,
    lease_until = NULL WHERE id = $1 AND lease_fence = $2 AND state = 'queued'";
const ALERTS_DEAD: &str = "UPDATE alerts SET state = 'dead'
    WHERE state = 'composed' AND id IN (SELECT alert_id FROM message_alerts WHERE message_id = $1)";
const OPEN_ATTEMPTS: &str = "SELECT a.id, a.message_id FROM attempts a JOIN messages m ON m.id = a.message_id
    WHERE a.outcome IS NULL AND m.state = 'queued' AND (m.lease_until IS NULL OR m.lease_until <= $1)";
const ABANDON: &str = "UPDATE messages SET unknown_ends = unknown_ends + 1, lease_holder = NULL, lease_until = NULL WHERE id = $1";
const DROP_LEASES: &str = "UPDATE messages SET lease_until = 0 WHERE state = 'queued' AND lease_until IS NOT NULL";
const QUEUE_DEPTH: &str =
    "SELECT platform, lane, COUNT(*) FROM messages WHERE state = 'queued' GROUP BY platform, lane ORDER BY platform, lane";

pub(super) const STATEMENTS: &[&str] = &[
    LEASE,
    LOSE_ATTEMPTS,
    MESSAGE,
    DESTINATION,
    BEGIN_ATTEMPT,
    RELEASE,
    POSTPONE,
    FORGET_ATTEMPT,
    END_ATTEMPT,
    SENT,
    WITHOUT_FILE,
    ALERTS_TOLD,
    REACHED,
    MENTIONED,
    RETRY,
    REPLY_INSTEAD,
    REST,
    DEAD,
    ALERTS_DEAD,
    OPEN_ATTEMPTS,
    ABANDON,
    DROP_LEASES,
    QUEUE_DEPTH,
];
/// No message and no destination waits for longer: the hour that a platform may ask for, lengthened by a fifth.
const LONGEST_WAIT: Duration = Duration::from_secs(72 * 60);

pub(super) const PAIRS: &[(&str, &str)] = &[CLAIMABLE, TOLD];

/// A message that only this claim may settle, until its lease runs out.
#[derive(Clone, Debug)]
pub struct Claimed {
    /// The message.
    pub id: MessageId,
    /// Where it goes, as it stands now.
    pub destination: Destination,
    /// How urgent it is.
    pub lane: Lane,
    /// What it says.
    pub body: MessageBody,
    /// Whom it mentions.
    pub mention: Mention,
    /// The earlier message that it edits or replies to.
    pub follows: Option<Follows>,
    /// Attempts, this one included.
    pub attempts: u32,
    /// Earlier attempts of which nobody knows whether they arrived.
    pub unknown_ends: u32,
    /// When it was made.
    pub created_at: Timestamp,
    attempt: i64,
    fence: i64,
}

/// What came of an attempt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// The platform took it.
    Sent {
        /// What the platform calls it.
        platform_id: String,
        /// The pace of the chat.
        rest_until: Option<Timestamp>,
        /// The concrete channel, where it was found out.
        route: Option<String>,
    },
    /// Again later.
    Retry {
        /// Then.
        at: Timestamp,
        /// Whether it may have arrived.
        unknown: bool,
        /// Whether everything else for this destination waits as well.
        rest: bool,
        /// In words.
        problem: String,
    },
    /// What it says is old: it and whatever else the destination waits for go back to the alerts that wait, to be told as their net result.
    Recalled {
        /// Should that not be possible, it is tried again then.
        at: Timestamp,
        /// In words.
        problem: String,
    },
    /// The platform refuses to edit the message that was wrong: it is a reply from now on, at once.
    ReplyInstead {
        /// In words.
        problem: String,
    },
    /// A dead letter.
    Dead {
        /// Whether it may have arrived.
        unknown: bool,
        /// In words.
        problem: String,
    },
    /// The destination cannot be reached. An answer or a notice stays for when it can be; alerts go back to those that wait, to be told
    /// as their net result by then.
    Gone {
        /// Why.
        reason: QuarantineReason,
        /// When it is tried again.
        next_probe_at: Timestamp,
        /// In words.
        problem: String,
    },
}

/// What a predecessor had in flight when it ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Attempts of which nobody knows whether they arrived.
    pub unknown: usize,
}

#[derive(sqlx::FromRow)]
struct MessageRow {
    id: i64,
    destination_id: i64,
    lane: i64,
    body: String,
    mention: String,
    follows: Option<String>,
    edits: bool,
    attempts: i64,
    unknown_ends: i64,
    created_at: i64,
}

impl MessageRow {
    fn claimed(self, destination: DestinationRow, attempt: i64, fence: i64) -> StoreResult<Claimed> {
        Ok(Claimed {
            id: MessageId(self.id),
            destination: destination.try_into()?,
            lane: Lane::from_i64(self.lane),
            body: serde_json::from_str(&self.body).map_err(|error| StoreError::corrupt("a message", &error.to_string()))?,
            mention: serde_json::from_str(&self.mention).map_err(|error| StoreError::corrupt("a mention", &error.to_string()))?,
            follows: self
                .follows
                .map(|platform_id| Follows { platform_id, how: if self.edits { FollowsHow::Edits } else { FollowsHow::Replies } }),
            attempts: u32::try_from(self.attempts).unwrap_or(u32::MAX),
            unknown_ends: u32::try_from(self.unknown_ends).unwrap_or(u32::MAX),
            created_at: Timestamp::from_millis(self.created_at),
            attempt,
            fence,
        })
    }
}

impl Store {
    /// Claims at most `limit` due messages of a platform, the most urgent first, one a destination. Each attempt is written before it is made.
    /// A message that cannot be read becomes a dead letter.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn claim(
        &self,
        platform: Platform,
        holder: &str,
        nonce: impl Fn(MessageId) -> String + Send + Sync,
        now: Timestamp,
        lease_until: Timestamp,
        limit: i64,
    ) -> StoreResult<Vec<Claimed>> {
        let sql = self.words(CLAIMABLE);
        // Twice a lease: another machine's clock may be a little ahead.
        let longest_lease = lease_until + lease_until.since(now);
        in_transaction!(self.db, tx => {
            let ids: Vec<i64> =
                sqlx::query_scalar(sql).bind(platform.as_str()).bind(now.as_millis()).bind(limit)
                    .bind((now + LONGEST_WAIT).as_millis()).bind(longest_lease.as_millis()).fetch_all(&mut *tx).await?;
            let mut claimed = Vec::with_capacity(ids.len());
            for id in ids {
                let lost = sqlx::query(LOSE_ATTEMPTS).bind(id).bind(now.as_millis()).execute(&mut *tx).await?.rows_affected();
                let fence: i64 = sqlx::query_scalar(LEASE)
                    .bind(id).bind(holder).bind(lease_until.as_millis()).bind(i64::from(lost > 0)).fetch_one(&mut *tx).await?;
                let row: MessageRow = sqlx::query_as(MESSAGE).bind(id).fetch_one(&mut *tx).await?;
                let destination: DestinationRow = sqlx::query_as(DESTINATION).bind(row.destination_id).fetch_one(&mut *tx).await?;
                let attempt: i64 = sqlx::query_scalar(BEGIN_ATTEMPT)
                    .bind(id).bind(nonce(MessageId(id))).bind(now.as_millis()).fetch_one(&mut *tx).await?;
                match row.claimed(destination, attempt, fence) {
                    Ok(one) => claimed.push(one),
                    Err(error) => {
                        // One that nobody can read must not silence the platform: it alone is given up.
                        tracing::error!(%platform, message_id = id, %error, "a message cannot be read; it is a dead letter");
                        let (problem, none, millis) = (error.to_string(), None::<String>, now.as_millis());
                        sqlx::query(END_ATTEMPT).bind(attempt).bind(millis).bind("rejected").bind(none).bind(&problem).execute(&mut *tx).await?;
                        sqlx::query(DEAD).bind(id).bind(fence).bind(millis).bind(&problem).bind(0_i64).execute(&mut *tx).await?;
                        sqlx::query(ALERTS_DEAD).bind(id).execute(&mut *tx).await?;
                    }
                }
            }
            claimed
        })
    }

    /// Gives a claim back that was not tried.
    ///
    /// # Errors
    /// Where the database fails: the lease runs out by itself.
    pub async fn release_claim(&self, claimed: &Claimed) -> StoreResult<()> {
        in_transaction!(self.db, tx => {
            sqlx::query(RELEASE).bind(claimed.id.0).bind(claimed.fence).execute(&mut *tx).await?;
            sqlx::query(FORGET_ATTEMPT).bind(claimed.attempt).execute(&mut *tx).await?;
        })
    }

    /// Gives a claim back because our own pace says to wait until then: no attempt was made. With `rest`, everything for this destination
    /// waits.
    ///
    /// # Errors
    /// Where the database fails: the lease runs out by itself.
    pub async fn postpone(&self, claimed: &Claimed, until: Timestamp, rest: bool) -> StoreResult<()> {
        in_transaction!(self.db, tx => {
            sqlx::query(POSTPONE).bind(claimed.id.0).bind(claimed.fence).bind(until.as_millis()).execute(&mut *tx).await?;
            sqlx::query(FORGET_ATTEMPT).bind(claimed.attempt).execute(&mut *tx).await?;
            if rest {
                let longest = (until + LONGEST_WAIT).as_millis();
                sqlx::query(REST).bind(claimed.destination.id.0).bind(until.as_millis()).bind(longest).execute(&mut *tx).await?;
            }
        })
    }

    /// Commits what came of an attempt, in one transaction. Says whether the claim still held; if not, only the attempt is recorded.
    ///
    /// # Errors
    /// Where the database fails: the lease runs out and the attempt counts as unknown.
    pub async fn settle(&self, claimed: &Claimed, settlement: &Settlement, now: Timestamp) -> StoreResult<bool> {
        let told_sql = self.words(TOLD);
        let told = told_rows(&claimed.body);
        let without_file = claimed.body.without_file().and_then(|body| serde_json::to_string(&body).ok());
        let (id, fence, destination) = (claimed.id.0, claimed.fence, claimed.destination.id.0);
        let millis = now.as_millis();
        let (outcome, platform_id, detail) = attempt_words(settlement);
        in_transaction!(self.db, tx => {
            sqlx::query(END_ATTEMPT).bind(claimed.attempt).bind(millis).bind(outcome).bind(platform_id).bind(detail).execute(&mut *tx).await?;
            let held = match settlement {
                Settlement::Sent { platform_id, .. } => sqlx::query(SENT).bind(id).bind(fence).bind(millis).bind(platform_id).execute(&mut *tx).await,
                Settlement::Retry { at, unknown, problem, .. } => {
                    let unknown = i64::from(*unknown);
                    sqlx::query(RETRY).bind(id).bind(fence).bind(at.as_millis()).bind(unknown).bind(problem).execute(&mut *tx).await
                }
                Settlement::Recalled { at, problem } => {
                    sqlx::query(RETRY).bind(id).bind(fence).bind(at.as_millis()).bind(0_i64).bind(problem).execute(&mut *tx).await
                }
                Settlement::ReplyInstead { problem } => {
                    sqlx::query(REPLY_INSTEAD).bind(id).bind(fence).bind(millis).bind(problem).execute(&mut *tx).await
                }
                Settlement::Dead { problem, unknown } => {
                    let unknown = i64::from(*unknown);
                    sqlx::query(DEAD).bind(id).bind(fence).bind(millis).bind(problem).bind(unknown).execute(&mut *tx).await
                }
                Settlement::Gone { problem, .. } => {
                    sqlx::query(RETRY).bind(id).bind(fence).bind(millis).bind(0_i64).bind(problem).execute(&mut *tx).await
                }
            }?.rows_affected() > 0;
            match settlement {
                Settlement::Sent { rest_until, route, .. } => {
                    let rest_until = rest_until.unwrap_or_default().as_millis();
                    sqlx::query(REACHED).bind(destination).bind(rest_until).bind(route).execute(&mut *tx).await?;
                    if held {
                        if let Some(body) = &without_file {
                            sqlx::query(WITHOUT_FILE).bind(id).bind(body).execute(&mut *tx).await?;
                        }
                        sqlx::query(ALERTS_TOLD).bind(id).bind(millis).execute(&mut *tx).await?;
                        if let Some(rows) = &told {
                            sqlx::query(told_sql).bind(rows).bind(destination).bind(millis).execute(&mut *tx).await?;
                        }
                        if !claimed.mention.0.is_empty() {
                            sqlx::query(MENTIONED).bind(destination).bind(millis).execute(&mut *tx).await?;
                        }
                    }
                }
                Settlement::Retry { at, rest: true, .. } => {
                    let longest = (now + LONGEST_WAIT).as_millis();
                    sqlx::query(REST).bind(destination).bind(at.as_millis()).bind(longest).execute(&mut *tx).await?;
                }
                Settlement::Retry { .. } | Settlement::ReplyInstead { .. } => {}
                Settlement::Recalled { .. } => {
                    for sql in destinations::RECALL {
                        sqlx::query(*sql).bind(destination).bind(millis).execute(&mut *tx).await?;
                    }
                }
                Settlement::Dead { unknown, .. } => {
                    if held {
                        if let Some(body) = &without_file {
                            sqlx::query(WITHOUT_FILE).bind(id).bind(body).execute(&mut *tx).await?;
                        }
                        sqlx::query(ALERTS_DEAD).bind(id).execute(&mut *tx).await?;
                    }
                    // It was probably read: what turns back later is news there.
                    if let (true, true, Some(rows)) = (held, claimed.unknown_ends > 0 || *unknown, &told) {
                        sqlx::query(told_sql).bind(rows).bind(destination).bind(millis).execute(&mut *tx).await?;
                    }
                }
                Settlement::Gone { reason, next_probe_at, .. } => {
                    sqlx::query(destinations::QUARANTINE)
                        .bind(destination).bind(reason.as_str()).bind(millis).bind(next_probe_at.as_millis()).execute(&mut *tx).await?;
                    for sql in destinations::RECALL {
                        sqlx::query(*sql).bind(destination).bind(millis).execute(&mut *tx).await?;
                    }
                }
            }
            held
        })
    }

    /// Takes up what a predecessor had in flight: every attempt without an end counts as unknown. With `alone`, leases that have not run out are
    /// taken as well: nobody else can hold one (SQLite).
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn recover_attempts(&self, alone: bool, now: Timestamp) -> StoreResult<Recovered> {
        in_transaction!(self.db, tx => {
            if alone {
                sqlx::query(DROP_LEASES).execute(&mut *tx).await?;
            }
            let open: Vec<(i64, i64)> = sqlx::query_as(OPEN_ATTEMPTS).bind(now.as_millis()).fetch_all(&mut *tx).await?;
            for (attempt, message) in &open {
                let none: Option<String> = None;
                sqlx::query(END_ATTEMPT).bind(attempt).bind(now.as_millis()).bind("unknown").bind(&none).bind("no answer was recorded")
                    .execute(&mut *tx).await?;
                sqlx::query(ABANDON).bind(message).execute(&mut *tx).await?;
            }
            Recovered { unknown: open.len() }
        })
    }

    /// How many messages wait, by platform and lane.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn queue_depth(&self) -> StoreResult<Vec<(Platform, Lane, i64)>> {
        let rows: Vec<(String, i64, i64)> = on_db!(self.db, pool => sqlx::query_as(QUEUE_DEPTH).fetch_all(pool).await)?;
        let row = |(platform, lane, count): (String, i64, i64)| {
            Platform::parse(&platform).map(|platform| (platform, Lane::from_i64(lane), count))
        };
        Ok(rows.into_iter().filter_map(row).collect())
    }

    /// Whether this is SQLite, where one process alone delivers.
    pub fn is_sqlite(&self) -> bool {
        matches!(self.db, super::Db::Sqlite { .. })
    }
}

/// What the attempt's row says of its end.
fn attempt_words(settlement: &Settlement) -> (&'static str, Option<&str>, Option<&str>) {
    match settlement {
        Settlement::Sent { platform_id, .. } => ("sent", Some(platform_id), None),
        Settlement::Retry { unknown: true, problem, .. } | Settlement::Dead { unknown: true, problem } => ("unknown", None, Some(problem)),
        Settlement::Retry { problem, .. } | Settlement::Recalled { problem, .. } | Settlement::ReplyInstead { problem } => {
            ("retry", None, Some(problem))
        }
        Settlement::Dead { problem, .. } => ("rejected", None, Some(problem)),
        Settlement::Gone { problem, .. } => ("gone", None, Some(problem)),
    }
}

/// The stances that a message tells, as JSON rows for `told`.
fn told_rows(body: &MessageBody) -> Option<String> {
    let calls = body.calls();
    if calls.is_empty() {
        return None;
    }
    let row =
        |call: &Call| (SourceId::TokenMetrics.as_str(), call.kind.as_str(), call.token.0, call.to.as_str(), call.data_time.as_millis());
    let rows: Vec<_> = calls.iter().map(row).collect();
    serde_json::to_string(&rows).ok()
}
