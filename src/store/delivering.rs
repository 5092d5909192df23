//! Delivering: claims under a lease. What came of each is settled in `settling`, by whoever still holds it.

use super::{
    Store, StoreError, StoreResult,
    destinations::{DestinationRow, columns},
    dialect::{in_transaction, on_db},
    fair_queue::ADVANCE,
    recalling::recall_one,
};
use crate::domain::{Destination, Follows, FollowsHow, Lane, Mention, MessageBody, MessageId, Platform, SentLately, Timestamp};
use std::{collections::BTreeMap, time::Duration};

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
        // Walked in the order of the lanes and tags, and no further than the limit: what is asked of each message is a value of its own, because
        // planners would rather join the whole queue. What keeps it back is looked for in three ways, so that none goes through all that waits
        // for its destination.
        concat!(
            "SELECT m.id, m.lane, m.start_tag FROM messages m WHERE m.state = 'queued' AND m.platform = $1 AND ",
            past!("m.next_attempt_at", "$4"),
            " AND (m.lease_until IS NULL OR ",
            past!("m.lease_until", "$5"),
            ") AND (SELECT 1 FROM destinations d WHERE d.id = m.destination_id AND ",
            past!("d.rest_until", "$4"),
            " AND (d.quarantine_reason IS NULL OR d.next_probe_at <= $2)) IS NOT NULL
               AND (SELECT 1 FROM messages o WHERE o.destination_id = m.destination_id AND o.state = 'queued' AND o.lane = m.lane AND o.id < m.id
                    LIMIT 1) IS NULL
               AND (SELECT 1 FROM messages o WHERE o.destination_id = m.destination_id AND o.state = 'queued' AND o.lane < m.lane
                    AND (o.lane > 0 OR ",
            past!("o.next_attempt_at", "$4"),
            ") LIMIT 1) IS NULL
               AND (SELECT 1 FROM messages o WHERE o.destination_id = m.destination_id AND o.state = 'queued' AND o.id <> m.id
                    AND o.lease_until > $2 AND o.lease_until <= $5 LIMIT 1) IS NULL
             ORDER BY m.lane, m.start_tag, m.id LIMIT $3 ",
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
const MESSAGE: &str = "SELECT id, destination_id, lane, body, mention, follows, edits, attempts, unknown_ends, created_at,
    NOT EXISTS (SELECT 1 FROM attempts t WHERE t.message_id = messages.id AND t.outcome = 'unknown') AS may_go_back,
    -- At its first claim nothing was left behind: what nobody had claimed was composed anew at the merge.
    lease_fence > 1 AND EXISTS (SELECT 1 FROM message_alerts x CROSS JOIN alerts a CROSS JOIN alerts o
        WHERE x.message_id = messages.id AND a.id = x.alert_id AND a.destination_id <> messages.destination_id
        AND o.change_id = a.change_id AND o.destination_id = messages.destination_id
        AND (a.told_at IS NULL AND (o.told_at IS NOT NULL OR o.state IN ('composed', 'told'))
            OR a.told_at IS NOT NULL AND o.told_at IS NOT NULL AND o.state IN ('pending', 'composed'))) AS is_told_otherwise
    FROM messages WHERE id = $1";
const DESTINATION: &str = concat!("SELECT ", columns!(), " FROM destinations WHERE id = $1");
// The newest, as many as the message has: one that was tried anew as a dead letter has older ones.
const UNCERTAIN: &str = "SELECT started_at FROM attempts WHERE message_id = $1 AND outcome = 'unknown' ORDER BY started_at DESC LIMIT $2";
const BEGIN_ATTEMPT: &str = "INSERT INTO attempts (message_id, nonce, started_at) VALUES ($1, $2, $3) RETURNING id";
const RELEASE: &str =
    "UPDATE messages SET lease_holder = NULL, lease_until = NULL, attempts = attempts - 1 WHERE id = $1 AND lease_fence = $2";
const POSTPONE: &str = "UPDATE messages SET next_attempt_at = $3, lease_holder = NULL, lease_until = NULL, attempts = attempts - 1
    WHERE id = $1 AND lease_fence = $2 AND state = 'queued'";
const FORGET_ATTEMPT: &str = "DELETE FROM attempts WHERE id = $1";
pub(super) const END_ATTEMPT: &str = "UPDATE attempts SET ended_at = $2, outcome = $3, platform_id = $4, detail = $5 WHERE id = $1";
macro_rules! rest {
    ($lock:literal) => {
        concat!(
            "UPDATE destinations SET rest_until = $2 WHERE (rest_until < $2 OR rest_until > $3) AND id IN
            (SELECT o.id FROM destinations d CROSS JOIN destinations o WHERE d.id = $1 AND o.platform = d.platform AND o.chat = d.chat",
            $lock,
            ")"
        )
    };
}
/// A platform's pace is one chat's: its topics rest together. All of them are locked in one order, also those that rest already: attempts in two
/// topics may end at the same moment, and each goes on to its own row.
pub(super) const REST: (&str, &str) = (rest!(""), rest!(" ORDER BY o.id FOR NO KEY UPDATE OF o"));
/// What an attempt comes to is written by whoever has the claim. Its destination may have been merged into another meanwhile: gives which it is.
macro_rules! ends {
    ($how:literal) => {
        concat!(
            "UPDATE messages SET ",
            $how,
            ", lease_holder = NULL, lease_until = NULL WHERE id = $1 AND lease_fence = $2 AND state = 'queued' RETURNING destination_id"
        )
    };
}
pub(super) use ends;
pub(super) const DEAD: &str = ends!("state = 'dead', finished_at = $3, problem = $4, unknown_ends = unknown_ends + $5");
pub(super) const ALERTS_DEAD: &str = "UPDATE alerts SET state = 'dead'
    WHERE state = 'composed' AND id IN (SELECT alert_id FROM message_alerts WHERE message_id = $1)";
// From what was under way to its message, which the order of the join says: a start must not walk a long queue.
const OPEN_ATTEMPTS: &str = "SELECT a.id, a.message_id FROM attempts a CROSS JOIN messages m
    WHERE m.id = a.message_id AND a.outcome IS NULL AND m.state = 'queued' AND (m.lease_until IS NULL OR m.lease_until <= $1)";
const ABANDON: &str = "UPDATE messages SET unknown_ends = unknown_ends + 1, lease_holder = NULL, lease_until = NULL WHERE id = $1";
const DROP_LEASES: &str = "UPDATE messages SET lease_until = 0 WHERE state = 'queued' AND lease_until IS NOT NULL";
const SENT_SINCE: &str = "SELECT d.chat, m.lane, a.ended_at FROM attempts a JOIN messages m ON m.id = a.message_id
    JOIN destinations d ON d.id = m.destination_id WHERE a.started_at > $2 AND m.platform = $1 ORDER BY a.started_at";
const QUEUE_DEPTH: &str =
    "SELECT platform, lane, COUNT(*) FROM messages WHERE state = 'queued' GROUP BY platform, lane ORDER BY platform, lane";

pub(super) const STATEMENTS: &[&str] = &[
    LEASE,
    LOSE_ATTEMPTS,
    MESSAGE,
    DESTINATION,
    UNCERTAIN,
    BEGIN_ATTEMPT,
    RELEASE,
    POSTPONE,
    FORGET_ATTEMPT,
    END_ATTEMPT,
    DEAD,
    ALERTS_DEAD,
    OPEN_ATTEMPTS,
    ABANDON,
    DROP_LEASES,
    SENT_SINCE,
    QUEUE_DEPTH,
];
/// No message and no destination waits for longer: the hour that a platform may ask for, lengthened by a fifth.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(72 * 60);

pub(super) const PAIRS: &[(&str, &str)] = &[CLAIMABLE, REST];

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
    /// When each of those began, in order; long ago where that is not known.
    pub uncertain: Vec<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// None of its attempts may have arrived: its alerts may still be told in other words.
    pub may_go_back: bool,
    pub(super) attempt: i64,
    pub(super) fence: i64,
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
    may_go_back: bool,
    /// Its place was merged into another while it was under way, and an alert of it was left behind, because that place tells, or told, the same (4.3).
    is_told_otherwise: bool,
}

impl MessageRow {
    fn claimed(self, destination: DestinationRow, mut uncertain: Vec<i64>, attempt: i64, fence: i64) -> StoreResult<Claimed> {
        uncertain.resize(usize::try_from(self.unknown_ends).unwrap_or_default(), Timestamp::EPOCH.as_millis());
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
            uncertain: uncertain.into_iter().rev().map(Timestamp::from_millis).collect(),
            created_at: Timestamp::from_millis(self.created_at),
            may_go_back: self.may_go_back,
            attempt,
            fence,
        })
    }
}

impl Store {
    /// Claims at most `limit` due messages of a platform, the most urgent first, one a destination. Each attempt is written before it is made.
    /// A message that cannot be read becomes a dead letter; one that its place tells otherwise since a merge is dropped, and its alerts wait again.
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
        loop {
            let (claimed, dropped) = self.claim_once(platform, holder, &nonce, now, lease_until, limit).await?;
            if !claimed.is_empty() || dropped == 0 {
                return Ok(claimed);
            }
        }
    }

    /// What was claimed, and how many more were dropped.
    async fn claim_once(
        &self,
        platform: Platform,
        holder: &str,
        nonce: &(impl Fn(MessageId) -> String + Send + Sync),
        now: Timestamp,
        lease_until: Timestamp,
        limit: i64,
    ) -> StoreResult<(Vec<Claimed>, usize)> {
        let sql = self.words(CLAIMABLE);
        // Twice a lease: another machine's clock may be a little ahead.
        let longest_lease = lease_until + lease_until.since(now);
        in_transaction!(self.db, tx => {
            let turns: Vec<(i64, i64, i64)> =
                sqlx::query_as(sql).bind(platform.as_str()).bind(now.as_millis()).bind(limit)
                    .bind((now + LONGEST_WAIT).as_millis()).bind(longest_lease.as_millis()).fetch_all(&mut *tx).await?;
            // In the order of lanes and tags: the last of each lane is how far it has got.
            let reached: BTreeMap<i64, i64> = turns.iter().map(|(_, lane, tag)| (*lane, *tag)).collect();
            for (lane, tag) in reached {
                sqlx::query(ADVANCE).bind(platform.as_str()).bind(lane).bind(tag).execute(&mut *tx).await?;
            }
            let (mut claimed, mut dropped) = (Vec::with_capacity(turns.len()), 0);
            for (id, ..) in turns {
                let lost = sqlx::query(LOSE_ATTEMPTS).bind(id).bind(now.as_millis()).execute(&mut *tx).await?.rows_affected();
                let fence: i64 = sqlx::query_scalar(LEASE)
                    .bind(id).bind(holder).bind(lease_until.as_millis()).bind(i64::from(lost > 0)).fetch_one(&mut *tx).await?;
                let row: MessageRow = sqlx::query_as(MESSAGE).bind(id).fetch_one(&mut *tx).await?;
                if row.is_told_otherwise && row.may_go_back {
                    tracing::info!(%platform, message_id = id, "a message is dropped: the place that its chat became tells the same");
                    recall_one!(self, tx, now, id);
                    dropped += 1;
                    continue;
                }
                let destination: DestinationRow = sqlx::query_as(DESTINATION).bind(row.destination_id).fetch_one(&mut *tx).await?;
                let uncertain: Vec<i64> = if row.unknown_ends > 0 {
                    sqlx::query_scalar(UNCERTAIN).bind(id).bind(row.unknown_ends).fetch_all(&mut *tx).await?
                } else {
                    Vec::new()
                };
                let attempt: i64 = sqlx::query_scalar(BEGIN_ATTEMPT)
                    .bind(id).bind(nonce(MessageId(id))).bind(now.as_millis()).fetch_one(&mut *tx).await?;
                match row.claimed(destination, uncertain, attempt, fence) {
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
            (claimed, dropped)
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
        let rest_sql = self.words(REST);
        in_transaction!(self.db, tx => {
            sqlx::query(POSTPONE).bind(claimed.id.0).bind(claimed.fence).bind(until.as_millis()).execute(&mut *tx).await?;
            sqlx::query(FORGET_ATTEMPT).bind(claimed.attempt).execute(&mut *tx).await?;
            if rest {
                let longest = (until + LONGEST_WAIT).as_millis();
                sqlx::query(rest_sql).bind(claimed.destination.id.0).bind(until.as_millis()).bind(longest).execute(&mut *tx).await?;
            }
        })
    }

    /// Takes up what a predecessor had in flight: every attempt without an end counts as unknown. For SQLite, where nobody else can
    /// hold a lease; on PostgreSQL a claim finds them once their leases have run out.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn recover_attempts(&self, now: Timestamp) -> StoreResult<Recovered> {
        in_transaction!(self.db, tx => {
            sqlx::query(DROP_LEASES).execute(&mut *tx).await?;
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

    /// What was begun to be sent after `since`, in order: to which chat, how urgent it was, and when its answer came, if one did.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn sent_since(&self, platform: Platform, since: Timestamp) -> StoreResult<Vec<SentLately>> {
        let rows: Vec<(String, i64, Option<i64>)> = on_db!(self.db, pool => sqlx::query_as(SENT_SINCE)
            .bind(platform.as_str()).bind(since.as_millis()).fetch_all(pool).await)?;
        let row = |(chat, lane, ended): (String, i64, Option<i64>)| SentLately {
            chat,
            is_reply: Lane::from_i64(lane) == Lane::Reply,
            ended_at: ended.map(Timestamp::from_millis),
        };
        Ok(rows.into_iter().map(row).collect())
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
