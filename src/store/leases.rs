//! Roles that one process at a time holds (PostgreSQL; on SQLite a lock beside the file does this).

use super::{
    Store, StoreResult,
    dialect::{on_db, write_db},
};
use crate::domain::Timestamp;

/// The right to serve a PostgreSQL database.
pub const SERVE_ROLE: &str = "serve";

pub(super) const TAKE: &str = "INSERT INTO leases (name, holder, fence, expires_at) VALUES ($1, $2, 1, $3)
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, fence = leases.fence + 1, expires_at = excluded.expires_at
    WHERE leases.expires_at <= $4 OR leases.holder = excluded.holder RETURNING fence";
const KEEP: &str = "UPDATE leases SET expires_at = $3 WHERE name = $1 AND holder = $2";
pub(super) const GIVE_BACK: &str = "DELETE FROM leases WHERE name = $1 AND holder = $2";

const HELD: &str = "SELECT COUNT(*) FROM leases WHERE name = $1 AND expires_at > $2";

pub(super) const STATEMENTS: &[&str] = &[TAKE, KEEP, GIVE_BACK, HELD];

impl Store {
    /// Takes a role until `expires_at` if nobody holds it, or takes it over from a holder whose time is up.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn take_lease(&self, name: &str, holder: &str, now: Timestamp, expires_at: Timestamp) -> StoreResult<bool> {
        let fence: Option<i64> = write_db!(self.db, pool => sqlx::query_scalar(TAKE)
            .bind(name).bind(holder).bind(expires_at.as_millis()).bind(now.as_millis()).fetch_optional(pool).await)?;
        Ok(fence.is_some())
    }

    /// Holds a role on until `expires_at`; false where somebody else has taken it over.
    ///
    /// # Errors
    /// Where the database fails: the role is still held until its time is up.
    pub async fn keep_lease(&self, name: &str, holder: &str, expires_at: Timestamp) -> StoreResult<bool> {
        let rows = write_db!(self.db, pool => sqlx::query(KEEP)
            .bind(name).bind(holder).bind(expires_at.as_millis()).execute(pool).await.map(|done| done.rows_affected()))?;
        Ok(rows > 0)
    }

    /// Gives a role back, so that a successor need not wait.
    ///
    /// # Errors
    /// Where the database fails: the lease runs out by itself.
    pub async fn give_lease_back(&self, name: &str, holder: &str) -> StoreResult<()> {
        write_db!(self.db, pool => sqlx::query(GIVE_BACK).bind(name).bind(holder).execute(pool).await.map(drop))?;
        Ok(())
    }
    /// Whether somebody holds a role.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn is_leased(&self, name: &str, now: Timestamp) -> StoreResult<bool> {
        let count: i64 = on_db!(self.db, pool => sqlx::query_scalar(HELD).bind(name).bind(now.as_millis()).fetch_one(pool).await)?;
        Ok(count > 0)
    }
}
