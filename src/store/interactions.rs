//! Requests that were carried out, so that the same one is not carried out twice (`rules.md` 6.1).
//!
//! A request that changes something is remembered in the transaction of its change (`claim!`): whatever breaks, either both are stored or
//! neither, and of two that come at once the second finds the first and changes nothing. One that changed nothing (it only showed
//! something, or was refused) is remembered after it was answered.

use super::{
    Store, StoreResult,
    dialect::{in_transaction, on_db},
};
use crate::domain::Timestamp;
use std::time::Duration;

/// How long a request is remembered.
pub(super) const REMEMBERED: Duration = Duration::from_secs(15 * 60);

pub(super) const FORGET_OLD: &str = "DELETE FROM interactions_seen WHERE seen_at < $1";
pub(super) const REMEMBER: &str = "INSERT INTO interactions_seen (id, seen_at) VALUES ($1, $2) ON CONFLICT (id) DO NOTHING";
const SEEN: &str = "SELECT COUNT(*) FROM interactions_seen WHERE id = $1 AND seen_at >= $2";

pub(super) const STATEMENTS: &[&str] = &[FORGET_OLD, REMEMBER, SEEN];

/// Remembers the request in the transaction of its effect; leaves the transaction with [`super::StoreError::Repeated`] where it was
/// carried out already: `claim!(tx, request, now)` with an `Option<String>` or `Option<&str>`. Forgets what is older.
macro_rules! claim {
    ($tx:ident, $request:expr, $now:expr) => {
        if let Some(request) = $request {
            let oldest = ($now - $crate::store::interactions::REMEMBERED).as_millis();
            sqlx::query($crate::store::interactions::FORGET_OLD).bind(oldest).execute(&mut *$tx).await?;
            let new = sqlx::query($crate::store::interactions::REMEMBER).bind(request).bind($now.as_millis()).execute(&mut *$tx).await?;
            if new.rows_affected() == 0 {
                return Err($crate::store::StoreError::Repeated);
            }
        }
    };
}
pub(super) use claim;

impl Store {
    /// Whether this request was carried out in the last 15 minutes.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn is_carried_out(&self, request: &str, now: Timestamp) -> StoreResult<bool> {
        let count: i64 = on_db!(self.db, pool => sqlx::query_scalar(SEEN)
            .bind(request).bind((now - REMEMBERED).as_millis()).fetch_one(pool).await)?;
        Ok(count > 0)
    }

    /// Remembers a request that changed nothing. Forgets what is older than 15 minutes.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn remember_request(&self, request: &str, now: Timestamp) -> StoreResult<()> {
        in_transaction!(self.db, tx => {
            sqlx::query(FORGET_OLD).bind((now - REMEMBERED).as_millis()).execute(&mut *tx).await?;
            sqlx::query(REMEMBER).bind(request).bind(now.as_millis()).execute(&mut *tx).await?;
        })
    }
}
