//! What could not be delivered: dead letters, and what waits for destinations in quarantine. Listed, tried again or given up by hand.

use super::{
    Store, StoreError, StoreResult,
    dialect::{in_transaction, on_db, write_db},
};
use crate::domain::{Address, AlertId, MessageId, Platform, Reason, Timestamp};
use std::{fmt, str::FromStr};

const MESSAGES: &str = "SELECT m.id, m.state, d.platform, d.chat, d.topic, m.problem, d.quarantine_reason, m.created_at
    FROM messages m JOIN destinations d ON d.id = m.destination_id
    WHERE m.state = 'dead' OR (m.state = 'queued' AND d.quarantine_reason IS NOT NULL) ORDER BY m.id";
// Alerts alone: a notice that cannot be delivered must not make another one.
const DIED: &str = "SELECT m.id, m.state, d.platform, d.chat, d.topic, m.problem, d.quarantine_reason, m.created_at
    FROM messages m JOIN destinations d ON d.id = m.destination_id
    WHERE m.state = 'dead' AND m.finished_at > $1 AND m.finished_at <= $2
      AND EXISTS (SELECT 1 FROM message_alerts ma WHERE ma.message_id = m.id) ORDER BY m.finished_at DESC, m.id DESC LIMIT 1";
const HOW_MANY_DIED: &str = "SELECT COUNT(*) FROM messages m WHERE m.state = 'dead' AND m.finished_at > $1 AND m.finished_at <= $2
    AND EXISTS (SELECT 1 FROM message_alerts ma WHERE ma.message_id = m.id)";
const ALERTS: &str = "SELECT a.id, a.state, d.platform, d.chat, d.topic, d.quarantine_reason, d.quarantine_reason, a.created_at
    FROM alerts a JOIN destinations d ON d.id = a.destination_id
    WHERE a.state = 'pending' AND d.quarantine_reason IS NOT NULL ORDER BY a.id";

/// That nothing of the message `m` can have arrived, and that its alerts can be told anew: none is of a place that was merged into another.
macro_rules! certainly_unread {
    () => {
        "NOT EXISTS (SELECT 1 FROM attempts t WHERE t.message_id = m.id AND (t.outcome IS NULL OR t.outcome IN ('unknown', 'sent')))
            AND NOT EXISTS (SELECT 1 FROM message_alerts l JOIN alerts x ON x.id = l.alert_id
                WHERE l.message_id = m.id AND x.destination_id <> m.destination_id)"
    };
}
/// The alerts of the message $1 where that is certain.
macro_rules! unread_alerts {
    () => {
        concat!(
            "SELECT ma.alert_id FROM messages m JOIN message_alerts ma ON ma.message_id = m.id WHERE m.id = $1 AND m.state = 'dead' AND ",
            certainly_unread!()
        )
    };
}
/// That the call of the row of `alerts` has changed once more, unless that waits to be told here as well or is told by the message $1 itself: they are one
/// net result then. Of the thresholds that others have drawn nobody hears here.
macro_rules! is_overtaken {
    () => {
        "EXISTS (SELECT 1 FROM changes c
            JOIN changes n ON n.source = c.source AND n.kind = c.kind AND n.token_id = c.token_id AND n.id > c.id
                AND (n.nature = 'crossed') = (c.nature = 'crossed')
            LEFT JOIN alerts o ON o.change_id = n.id AND o.destination_id = alerts.destination_id
            WHERE c.id = alerts.change_id AND (o.id IS NOT NULL OR c.nature <> 'crossed' OR c.kind = 'levels')
                AND (o.id IS NULL OR ((o.state <> 'pending' OR o.told_at IS NOT NULL)
                    AND NOT EXISTS (SELECT 1 FROM message_alerts l WHERE l.message_id = $1 AND l.alert_id = o.id))))"
    };
}
const SKIP_OVERTAKEN: &str = concat!(
    "UPDATE alerts SET state = 'skipped', decision = 'skip', reason = 'overtaken' WHERE state = 'dead' AND id IN (",
    unread_alerts!(),
    ") AND ",
    is_overtaken!()
);
const TELL_ANEW: &str =
    concat!("UPDATE alerts SET state = 'pending', release_at = 0 WHERE state = 'dead' AND id IN (", unread_alerts!(), ")");
/// The message itself is done with where its alerts are told anew, or all of them are overtaken.
const RECALL: &str = concat!(
    "UPDATE messages SET state = 'dropped', finished_at = $2, counted = FALSE WHERE state = 'dead'
        AND id = (SELECT m.id FROM messages m WHERE m.id = $1 AND EXISTS (SELECT 1 FROM message_alerts l WHERE l.message_id = m.id) AND ((",
    certainly_unread!(),
    ") OR NOT EXISTS (SELECT 1 FROM alerts WHERE id IN (SELECT l.alert_id FROM message_alerts l WHERE l.message_id = m.id) AND NOT ",
    is_overtaken!(),
    ")))"
);
const REVIVE_ALERTS: &str = "UPDATE alerts SET state = 'composed' WHERE state = 'dead' AND id IN
    (SELECT ma.alert_id FROM message_alerts ma JOIN messages m ON m.id = ma.message_id WHERE m.id = $1 AND m.state = 'dead')";
// Whoever asks for it knows that it did not arrive, or does not mind: ends that nobody knew do not count against it any more, nor does its age.
const REVIVE: &str = "UPDATE messages SET state = 'queued', next_attempt_at = $2, attempts = 0, unknown_ends = 0, finished_at = NULL,
    problem = NULL, created_at = $2 WHERE id = $1 AND state = 'dead'";
const HURRY: &str = "UPDATE messages SET next_attempt_at = $2 WHERE id = $1 AND state = 'queued' AND destination_id IN
    (SELECT id FROM destinations WHERE quarantine_reason IS NOT NULL)";
const PROBE_OF_MESSAGE: &str = "UPDATE destinations SET next_probe_at = $2 WHERE quarantine_reason IS NOT NULL AND id =
    (SELECT destination_id FROM messages WHERE id = $1)";
const PROBE_OF_ALERT: &str = "UPDATE destinations SET next_probe_at = $2 WHERE quarantine_reason IS NOT NULL AND id =
    (SELECT destination_id FROM alerts WHERE id = $1 AND state = 'pending')";
const HELD: &str = "SELECT release_at, reason FROM alerts WHERE id = $1 AND release_at > $2";

const DROP: &str = "UPDATE messages SET state = 'dropped', finished_at = $2, counted = FALSE WHERE id = $1 AND (state = 'dead'
    OR (state = 'queued' AND (lease_until IS NULL OR lease_until < $2)
        AND destination_id IN (SELECT id FROM destinations WHERE quarantine_reason IS NOT NULL)))";
const DROP_ALERTS: &str = "UPDATE alerts SET state = 'dead' WHERE state = 'composed' AND id IN
    (SELECT alert_id FROM message_alerts WHERE message_id = $1)";
const DROP_ALERT: &str = "UPDATE alerts SET state = 'dead' WHERE id = $1 AND state = 'pending' AND destination_id IN
    (SELECT id FROM destinations WHERE quarantine_reason IS NOT NULL)";

pub(super) const STATEMENTS: &[&str] = &[
    MESSAGES,
    DIED,
    HOW_MANY_DIED,
    ALERTS,
    SKIP_OVERTAKEN,
    TELL_ANEW,
    RECALL,
    REVIVE_ALERTS,
    REVIVE,
    HURRY,
    PROBE_OF_MESSAGE,
    PROBE_OF_ALERT,
    HELD,
    DROP,
    DROP_ALERTS,
    DROP_ALERT,
];

/// What names an entry: `17` is a message, `alert:17` an alert that is not part of a message yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UndeliveredId {
    /// A message.
    Message(MessageId),
    /// An alert that waits.
    Alert(AlertId),
}

/// Why an entry stands in the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UndeliveredState {
    /// Given up: the platform refuses it.
    Dead,
    /// Waits until its destination can be reached again.
    Quarantined,
}

/// One thing that could not be delivered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Undelivered {
    /// Its name for `retry` and `drop`.
    pub id: UndeliveredId,
    /// Given up or waiting.
    pub state: UndeliveredState,
    /// Where it was to go.
    pub destination: Address,
    /// Why it is not there.
    pub reason: String,
    /// Since when it is under way.
    pub created_at: Timestamp,
}

/// What comes of trying an entry again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retried {
    /// It is tried as soon as its turn comes.
    Now,
    /// It certainly did not arrive: what it told is told as what changed on balance by now, with what else waits there.
    Anew,
    /// Every call that it told has changed once more since: it is done with.
    Overtaken,
    /// Its destination is tried, but it is not due itself: whoever is told asked for that.
    Later {
        /// Not before; never where it waits for something else to be told with.
        until: Timestamp,
        /// What holds it.
        reason: Reason,
    },
    /// There is no such entry.
    Unknown,
}

impl UndeliveredState {
    /// The word in `outbox list`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dead => "dead",
            Self::Quarantined => "quarantined",
        }
    }
}

impl fmt::Display for UndeliveredId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(id) => id.fmt(out),
            Self::Alert(id) => write!(out, "alert:{id}"),
        }
    }
}

impl FromStr for UndeliveredId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parsed = match text.strip_prefix("alert:") {
            Some(id) => id.parse().map(|id| Self::Alert(AlertId(id))),
            None => text.parse().map(|id| Self::Message(MessageId(id))),
        };
        parsed.map_err(|_| "an id is a number or alert:NUMBER, as `bellwether outbox list` shows it".to_owned())
    }
}

#[derive(sqlx::FromRow)]
struct Row(i64, String, String, String, String, Option<String>, Option<String>, i64);

impl Row {
    fn read(self, id: impl Fn(i64) -> UndeliveredId) -> StoreResult<Undelivered> {
        let Self(row, state, platform, chat, topic, problem, quarantine, created_at) = self;
        let platform = Platform::parse(&platform).ok_or_else(|| StoreError::corrupt("a platform", &platform))?;
        let (state, reason) =
            if state == "dead" { (UndeliveredState::Dead, problem) } else { (UndeliveredState::Quarantined, quarantine.or(problem)) };
        Ok(Undelivered {
            id: id(row),
            state,
            destination: Address { platform, chat, topic: (!topic.is_empty()).then_some(topic) },
            reason: reason.unwrap_or_default(),
            created_at: Timestamp::from_millis(created_at),
        })
    }
}

impl Store {
    /// Everything that could not be delivered, the oldest first.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn undelivered(&self) -> StoreResult<Vec<Undelivered>> {
        let messages: Vec<Row> = on_db!(self.db, pool => sqlx::query_as(MESSAGES).fetch_all(pool).await)?;
        let alerts: Vec<Row> = on_db!(self.db, pool => sqlx::query_as(ALERTS).fetch_all(pool).await)?;
        let messages = messages.into_iter().map(|row| row.read(|id| UndeliveredId::Message(MessageId(id))));
        messages.chain(alerts.into_iter().map(|row| row.read(|id| UndeliveredId::Alert(AlertId(id))))).collect()
    }

    /// How many messages with alerts were given up after `after`, up to `until`, and the last of them.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn died_between(&self, after: Timestamp, until: Timestamp) -> StoreResult<Option<(u32, Undelivered)>> {
        let (after, until) = (after.as_millis(), until.as_millis());
        let last: Option<Row> = on_db!(self.db, pool => sqlx::query_as(DIED).bind(after).bind(until).fetch_optional(pool).await)?;
        let Some(last) = last else { return Ok(None) };
        let count: i64 = on_db!(self.db, pool => sqlx::query_scalar(HOW_MANY_DIED).bind(after).bind(until).fetch_one(pool).await)?;
        Ok(Some((u32::try_from(count).unwrap_or(u32::MAX), last.read(|id| UndeliveredId::Message(MessageId(id)))?)))
    }

    /// Tries an entry again: a dead letter is sent, or what it told is told as what changed by now; a destination in quarantine is probed at `now`.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn retry_undelivered(&self, id: UndeliveredId, now: Timestamp) -> StoreResult<Retried> {
        match id {
            UndeliveredId::Message(id) => in_transaction!(self.db, tx => {
                let (id, at) = (id.0, now.as_millis());
                // The alerts first: they are found by the state that their message is about to lose.
                sqlx::query(SKIP_OVERTAKEN).bind(id).execute(&mut *tx).await?;
                let anew = sqlx::query(TELL_ANEW).bind(id).execute(&mut *tx).await?.rows_affected() > 0;
                let recalled = sqlx::query(RECALL).bind(id).bind(at).execute(&mut *tx).await?.rows_affected() > 0;
                let mut sent = false;
                if !recalled {
                    sqlx::query(REVIVE_ALERTS).bind(id).execute(&mut *tx).await?;
                    for statement in [REVIVE, HURRY] {
                        sent |= sqlx::query(statement).bind(id).bind(at).execute(&mut *tx).await?.rows_affected() > 0;
                    }
                }
                if anew || sent {
                    sqlx::query(PROBE_OF_MESSAGE).bind(id).bind(at).execute(&mut *tx).await?;
                }
                match (sent, anew, recalled) {
                    (true, ..) => Retried::Now,
                    (_, true, _) => Retried::Anew,
                    (.., true) => Retried::Overtaken,
                    _ => Retried::Unknown,
                }
            }),
            UndeliveredId::Alert(id) => {
                let (probed, held): (u64, Option<(i64, String)>) = in_transaction!(self.db, tx => {
                    let probed = sqlx::query(PROBE_OF_ALERT).bind(id.0).bind(now.as_millis()).execute(&mut *tx).await?.rows_affected();
                    (probed, sqlx::query_as(HELD).bind(id.0).bind(now.as_millis()).fetch_optional(&mut *tx).await?)
                })?;
                match held {
                    _ if probed == 0 => Ok(Retried::Unknown),
                    None => Ok(Retried::Now),
                    Some((until, reason)) => {
                        let reason = Reason::parse(&reason).ok_or_else(|| StoreError::corrupt("a reason", &reason))?;
                        Ok(Retried::Later { until: Timestamp::from_millis(until), reason })
                    }
                }
            }
        }
    }

    /// Gives an entry up for good. Says whether there was one; a message that is being sent at this moment is left alone.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn drop_undelivered(&self, id: UndeliveredId, now: Timestamp) -> StoreResult<bool> {
        match id {
            UndeliveredId::Message(id) => in_transaction!(self.db, tx => {
                let dropped = sqlx::query(DROP).bind(id.0).bind(now.as_millis()).execute(&mut *tx).await?.rows_affected() > 0;
                if dropped {
                    sqlx::query(DROP_ALERTS).bind(id.0).execute(&mut *tx).await?;
                }
                dropped
            }),
            UndeliveredId::Alert(id) => {
                let done =
                    write_db!(self.db, pool => sqlx::query(DROP_ALERT).bind(id.0).execute(pool).await.map(|done| done.rows_affected()))?;
                Ok(done > 0)
            }
        }
    }
}
