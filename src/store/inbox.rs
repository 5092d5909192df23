//! Telegram updates, stored before they are confirmed: what was carried out is remembered for 48 hours, what was not is kept until it is.

use super::{
    NewDestination, Store, StoreResult,
    destinations::{ENSURE_FOR_ANSWER, ensure},
    dialect::{in_transaction, on_db, write_db},
    outbox::ENQUEUE,
};
use crate::domain::{Lane, MessageBody, Timestamp};

const KEEP: &str =
    "INSERT INTO updates_seen (update_id, received_at, body, state) VALUES ($1, $2, $3, $4) ON CONFLICT (update_id) DO NOTHING";
const OPEN: &str = "SELECT update_id, body FROM updates_seen WHERE state = 'stored' ORDER BY update_id LIMIT 1000";
const FINISH: &str = "UPDATE updates_seen SET state = 'done', body = NULL WHERE update_id = $1 AND state = 'stored'";
/// What cannot be carried out keeps its beginning, for whoever looks into it.
const REJECT: &str = "UPDATE updates_seen SET state = 'rejected', body = SUBSTR(body, 1, 16384) WHERE update_id = $1 AND state = 'stored'";
/// Telegram's own numbers are positive: what came without one stands under a negative number, at most 100 of them.
const SET_ASIDE: &str = "INSERT INTO updates_seen (update_id, received_at, body, state)
    SELECT CAST($1 AS BIGINT), CAST($2 AS BIGINT), CAST($3 AS TEXT), 'rejected' WHERE (SELECT COUNT(*) FROM updates_seen WHERE update_id < 0) < 100
    ON CONFLICT (update_id) DO NOTHING";
const REJECTED: &str = "SELECT COUNT(*) FROM updates_seen WHERE state = 'rejected'";
const FORGET: &str = "DELETE FROM updates_seen WHERE received_at < $1 AND state <> 'stored'";

pub(super) const STATEMENTS: &[&str] = &[KEEP, OPEN, FINISH, REJECT, SET_ASIDE, REJECTED, FORGET];

impl Store {
    /// Stores an update that is to be carried out; says whether it is new.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn keep_update(&self, update_id: i64, body: &str, now: Timestamp) -> StoreResult<bool> {
        let rows = write_db!(self.db, pool => sqlx::query(KEEP)
            .bind(update_id).bind(now.as_millis()).bind(body).bind("stored").execute(pool).await.map(|done| done.rows_affected()))?;
        Ok(rows > 0)
    }

    /// The updates that were stored and not carried out, in order, at most 1,000.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn open_updates(&self) -> StoreResult<Vec<(i64, String)>> {
        let rows: Vec<(i64, Option<String>)> = on_db!(self.db, pool => sqlx::query_as(OPEN).fetch_all(pool).await)?;
        Ok(rows.into_iter().map(|(id, body)| (id, body.unwrap_or_default())).collect())
    }

    /// An update was carried out: its body goes, its answer enters the outbox, both or neither. Says whether it was still open.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn finish_update(
        &self,
        update_id: i64,
        answer: Option<(&NewDestination, &MessageBody)>,
        now: Timestamp,
    ) -> StoreResult<bool> {
        in_transaction!(self.db, tx => {
            let open = sqlx::query(FINISH).bind(update_id).execute(&mut *tx).await?.rows_affected() > 0;
            if let (true, Some((to, body))) = (open, answer) {
                let destination = ensure!(ENSURE_FOR_ANSWER, tx, to, now);
                let body = serde_json::to_string(body).unwrap_or_default();
                let _message: i64 = sqlx::query_scalar(ENQUEUE)
                    .bind(destination).bind(Lane::Reply.as_i64()).bind(body).bind(now.as_millis()).fetch_one(&mut *tx).await?;
            }
            open
        })
    }

    /// An update that cannot be read or carried out: kept for 48 hours for whoever looks into it, never tried again.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn reject_update(&self, update_id: i64) -> StoreResult<()> {
        write_db!(self.db, pool => sqlx::query(REJECT).bind(update_id).execute(pool).await.map(drop))?;
        Ok(())
    }

    /// Keeps what came as an update and is none, under a negative number that stands for it: the same thing again is not kept twice.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn set_update_aside(&self, number: i64, beginning: &str, now: Timestamp) -> StoreResult<()> {
        write_db!(self.db, pool => sqlx::query(SET_ASIDE).bind(number).bind(now.as_millis()).bind(beginning).execute(pool).await.map(drop))?;
        Ok(())
    }

    /// How many updates of the last 48 hours were rejected.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn rejected_updates(&self) -> StoreResult<u64> {
        let count: i64 = on_db!(self.db, pool => sqlx::query_scalar(REJECTED).fetch_one(pool).await)?;
        Ok(u64::try_from(count).unwrap_or_default())
    }

    /// Forgets what was received before `before` and is settled.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn forget_updates(&self, before: Timestamp) -> StoreResult<u64> {
        let rows =
            write_db!(self.db, pool => sqlx::query(FORGET).bind(before.as_millis()).execute(pool).await.map(|done| done.rows_affected()))?;
        Ok(rows)
    }
}
