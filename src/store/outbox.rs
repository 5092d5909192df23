//! The outbox: messages that wait, are under way, or could not be delivered.

use super::{
    NewDestination, Store, StoreResult,
    destinations::ensure,
    dialect::{in_transaction, on_db},
    interactions::claim,
};
use crate::domain::{DestinationId, Lane, MessageBody, MessageId, Timestamp};

pub(super) const ENQUEUE: &str = "INSERT INTO messages (destination_id, lane, body, mention, counted, state, next_attempt_at, attempts, unknown_ends, lease_fence, created_at)
    VALUES ($1, $2, $3, '[]', FALSE, 'queued', $4, 0, 0, 0, $4) RETURNING id";
const NOTICE_ONCE: &str = "INSERT INTO notices (name, told_at) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
const NOTICE_CLEAR: &str = "DELETE FROM notices WHERE name = $1";

pub(super) const STATEMENTS: &[&str] = &[ENQUEUE, NOTICE_ONCE, NOTICE_CLEAR];

impl Store {
    /// Puts an answer or a notice into the outbox.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn enqueue(&self, destination: DestinationId, lane: Lane, body: &MessageBody, now: Timestamp) -> StoreResult<MessageId> {
        let body = serde_json::to_string(body).unwrap_or_default();
        let id: i64 = on_db!(self.db, pool => sqlx::query_scalar(ENQUEUE)
            .bind(destination.0).bind(lane.as_i64()).bind(&body).bind(now.as_millis()).fetch_one(pool).await)?;
        Ok(MessageId(id))
    }

    /// Puts what somebody asked to be posted into the outbox; the destination is made if it is new.
    ///
    /// # Errors
    /// Where the database fails or the request was carried out already: nothing was changed.
    pub async fn post(&self, to: &NewDestination, body: &MessageBody, request: Option<&str>, now: Timestamp) -> StoreResult<MessageId> {
        let body = serde_json::to_string(body).unwrap_or_default();
        in_transaction!(self.db, tx => {
            claim!(tx, request, now);
            let destination = ensure!(tx, to, now);
            let id: i64 = sqlx::query_scalar(ENQUEUE)
                .bind(destination).bind(Lane::Reply.as_i64()).bind(&body).bind(now.as_millis()).fetch_one(&mut *tx).await?;
            MessageId(id)
        })
    }

    /// Whether this notice is told for the first time since it was last cleared.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn notice_is_new(&self, name: &str, now: Timestamp) -> StoreResult<bool> {
        let rows = on_db!(self.db, pool => sqlx::query(NOTICE_ONCE)
            .bind(name).bind(now.as_millis()).execute(pool).await.map(|done| done.rows_affected()))?;
        Ok(rows > 0)
    }

    /// Forgets that a notice was told; says whether it had been.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn clear_notice(&self, name: &str) -> StoreResult<bool> {
        let rows = on_db!(self.db, pool => sqlx::query(NOTICE_CLEAR).bind(name).execute(pool).await.map(|done| done.rows_affected()))?;
        Ok(rows > 0)
    }
}
