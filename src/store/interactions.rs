//! Requests that were carried out, so that the same one is not carried out twice (`rules.md` 6.1).

use super::{
    Store, StoreResult,
    dialect::{in_transaction, on_db},
};
use crate::domain::Timestamp;
use std::time::Duration;

/// How long a request is remembered.
const REMEMBERED: Duration = Duration::from_secs(15 * 60);

const FORGET_OLD: &str = "DELETE FROM interactions_seen WHERE seen_at < $1";
const REMEMBER: &str = "INSERT INTO interactions_seen (id, seen_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";
const FORGET: &str = "DELETE FROM interactions_seen WHERE id = $1";

pub(super) const STATEMENTS: &[&str] = &[FORGET_OLD, REMEMBER, FORGET];

impl Store {
    /// Takes a request for the first time in 15 minutes; `false` where it was taken already. Forgets what is older.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn take_request(&self, key: &str, now: Timestamp) -> StoreResult<bool> {
        in_transaction!(self.db, tx => {
            sqlx::query(FORGET_OLD).bind((now - REMEMBERED).as_millis()).execute(&mut *tx).await?;
            sqlx::query(REMEMBER).bind(key).bind(now.as_millis()).execute(&mut *tx).await?.rows_affected() > 0
        })
    }

    /// Forgets a request that could not be carried out, so that it may come again.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn release_request(&self, key: &str) -> StoreResult<()> {
        on_db!(self.db, pool => sqlx::query(FORGET).bind(key).execute(pool).await.map(drop))?;
        Ok(())
    }
}
