//! Removing what is older than it is kept, a few rows at a time: a step is one short transaction, so that nothing waits for it.
//!
//! Rows are gone through in the order of their numbers, which is that of time; where a step ended the next goes on. What is not done with (an undelivered
//! alert, a dead letter that nobody has handled) stays however old it is, and so does whatever still names it; but what is held for a chat that cannot be
//! reached goes with the history where it could be read instead.

use super::{
    Store, StoreResult,
    dialect::{in_transaction, on_db, write_db},
};
use crate::domain::Timestamp;

/// Rows that one step looks at.
const STEP: i64 = 200;

/// What is kept in a table of its own, in the order in which it is pruned: what names others goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shelf {
    /// Messages that were sent or given up, with their attempts.
    Messages,
    /// Alerts that were told, skipped or given up: the way that `/why` tells.
    Alerts,
    /// Alerts that wait for a chat that cannot be reached.
    OutOfReach,
    /// What changed.
    Changes,
    /// When the source was asked.
    Polls,
    /// The source's rows.
    Observations,
    /// Who changed what in a channel.
    Audit,
}

impl Shelf {
    /// All, in the order in which they are pruned.
    pub const ALL: &[Self] = &[Self::Messages, Self::Alerts, Self::OutOfReach, Self::Changes, Self::Polls, Self::Observations, Self::Audit];
}

const NEXT_MESSAGES: &str = "SELECT id, created_at FROM messages WHERE id > $1 ORDER BY id LIMIT $2";
const NEXT_ALERTS: &str = "SELECT id, created_at FROM alerts WHERE id > $1 ORDER BY id LIMIT $2";
const NEXT_CHANGES: &str = "SELECT id, detected_at FROM changes WHERE id > $1 ORDER BY id LIMIT $2";
const NEXT_POLLS: &str = "SELECT id, started_at FROM polls WHERE id > $1 ORDER BY id LIMIT $2";
const NEXT_AUDIT: &str = "SELECT id, at FROM audit WHERE id > $1 ORDER BY id LIMIT $2";
const ATTEMPTS: &str = "DELETE FROM attempts WHERE message_id IN
    (SELECT id FROM messages WHERE id > $1 AND id <= $2 AND state IN ('sent', 'dropped') AND finished_at < $3)";
const MESSAGE_ALERTS: &str = "DELETE FROM message_alerts WHERE message_id IN
    (SELECT id FROM messages WHERE id > $1 AND id <= $2 AND state IN ('sent', 'dropped') AND finished_at < $3)";
const MESSAGES: &str = "DELETE FROM messages WHERE id > $1 AND id <= $2 AND state IN ('sent', 'dropped') AND finished_at < $3";
const ALERTS: &str =
    "DELETE FROM alerts WHERE id > $1 AND id <= $2 AND created_at < $3 AND state IN ('told', 'skipped', 'superseded', 'dead')
    AND NOT EXISTS (SELECT 1 FROM message_alerts l WHERE l.alert_id = alerts.id)";
const OUT_OF_REACH: &str = "DELETE FROM alerts WHERE id > $1 AND id <= $2 AND created_at < $3 AND state = 'pending'
    AND EXISTS (SELECT 1 FROM destinations d WHERE d.id = alerts.destination_id AND d.quarantine_reason IS NOT NULL)
    AND NOT EXISTS (SELECT 1 FROM message_alerts l WHERE l.alert_id = alerts.id)";
const CHANGES: &str = "DELETE FROM changes WHERE id > $1 AND id <= $2 AND detected_at < $3
    AND NOT EXISTS (SELECT 1 FROM alerts a WHERE a.change_id = changes.id)
    AND NOT EXISTS (SELECT 1 FROM fanout_jobs j WHERE j.change_id = changes.id)";
const POLLS: &str = "DELETE FROM polls WHERE id > $1 AND id <= $2 AND started_at < $3
    AND NOT EXISTS (SELECT 1 FROM changes c WHERE c.poll_id = polls.id)";
const AUDIT: &str = "DELETE FROM audit WHERE id > $1 AND id <= $2 AND at < $3";
const NEXT_TOKEN: &str = "SELECT token_id FROM token_states WHERE token_id > $1 ORDER BY token_id LIMIT 1";
const OBSERVATIONS: &str = "DELETE FROM observations WHERE source = $1 AND kind = $2 AND token_id = $3 AND data_time IN
    (SELECT data_time FROM observations WHERE source = $1 AND kind = $2 AND token_id = $3 AND data_time < $4 ORDER BY data_time LIMIT $5)";
const KINDS: &str = "SELECT source, kind FROM token_states WHERE token_id = $1";

pub(super) const STATEMENTS: &[&str] = &[
    NEXT_MESSAGES,
    NEXT_ALERTS,
    NEXT_CHANGES,
    NEXT_POLLS,
    NEXT_AUDIT,
    ATTEMPTS,
    MESSAGE_ALERTS,
    MESSAGES,
    ALERTS,
    OUT_OF_REACH,
    CHANGES,
    POLLS,
    AUDIT,
    NEXT_TOKEN,
    OBSERVATIONS,
    KINDS,
];

impl Store {
    /// Removes what is older than `before` among the next few rows after number `after`. Gives the number to go on from; nothing where the end of what is
    /// that old was reached.
    ///
    /// # Errors
    /// Where the database fails: nothing of this step was removed.
    pub async fn prune(&self, shelf: Shelf, after: i64, before: Timestamp) -> StoreResult<Option<i64>> {
        let (next, removing): (&str, &[&str]) = match shelf {
            Shelf::Messages => (NEXT_MESSAGES, &[ATTEMPTS, MESSAGE_ALERTS, MESSAGES]),
            Shelf::Alerts => (NEXT_ALERTS, &[ALERTS]),
            Shelf::OutOfReach => (NEXT_ALERTS, &[OUT_OF_REACH]),
            Shelf::Changes => (NEXT_CHANGES, &[CHANGES]),
            Shelf::Polls => (NEXT_POLLS, &[POLLS]),
            Shelf::Audit => (NEXT_AUDIT, &[AUDIT]),
            Shelf::Observations => return self.prune_observations(after, before).await,
        };
        let rows: Vec<(i64, i64)> = on_db!(self.db, pool => sqlx::query_as(next).bind(after).bind(STEP).fetch_all(pool).await)?;
        // Up to the last: one that was written while the clock was ahead holds up nothing.
        let Some((last, _)) = rows.iter().rfind(|(_, at)| *at < before.as_millis()) else { return Ok(None) };
        in_transaction!(self.db, tx => {
            for sql in removing {
                sqlx::query(*sql).bind(after).bind(last).bind(before.as_millis()).execute(&mut *tx).await?;
            }
        })?;
        Ok(Some(*last))
    }

    /// By token: a row of an observation has no number.
    async fn prune_observations(&self, after: i64, before: Timestamp) -> StoreResult<Option<i64>> {
        let token: Option<i64> = on_db!(self.db, pool => sqlx::query_scalar(NEXT_TOKEN).bind(after).fetch_optional(pool).await)?;
        let Some(token) = token else { return Ok(None) };
        let kinds: Vec<(String, String)> = on_db!(self.db, pool => sqlx::query_as(KINDS).bind(token).fetch_all(pool).await)?;
        for (source, kind) in kinds {
            let removed = write_db!(self.db, pool => sqlx::query(OBSERVATIONS).bind(&source).bind(&kind).bind(token).bind(before.as_millis())
                .bind(STEP).execute(pool).await.map(|done| done.rows_affected()))?;
            if removed == STEP.unsigned_abs() {
                // The next step goes on with the same.
                return Ok(Some(token - 1));
            }
        }
        Ok(Some(token))
    }
}
