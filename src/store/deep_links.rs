//! What was typed where it cannot be carried out, kept for its author to take up by a link, once.

use super::{
    Store, StoreResult,
    dialect::{in_transaction, write_db},
};
use crate::domain::Timestamp;

const KEEP: &str = "INSERT INTO deep_links (code, person, command, words, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)";
const FIND: &str = "SELECT person, command, words, expires_at, used_by FROM deep_links WHERE code = $1";
// Who comes second finds that nothing is left to use.
const USE: &str = "UPDATE deep_links SET used_by = $2 WHERE code = $1 AND (used_by IS NULL OR used_by = $2)";

pub(super) const STATEMENTS: &[&str] = &[KEEP, FIND, USE];

/// A command that waits for its author.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeepLink {
    /// A digest of what the link carries.
    pub code: String,
    /// Whose it is, as `platform:user`.
    pub person: String,
    /// The command's name as typed.
    pub command: String,
    /// What followed it.
    pub words: String,
}

/// What became of taking a link up. Only its owner's use changes anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TakenUp {
    /// It is carried out by this request, and by no other.
    Yours {
        /// The command's name.
        command: String,
        /// What followed it.
        words: String,
    },
    /// It was carried out before.
    Used,
    /// Its time is over, or there never was such a link.
    Expired,
    /// It is somebody else's.
    Foreign,
}

#[derive(sqlx::FromRow)]
struct Row {
    person: String,
    command: String,
    words: String,
    expires_at: i64,
    used_by: Option<String>,
}

impl Store {
    /// Keeps a command for its author until `expires_at`.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn keep_deep_link(&self, link: &DeepLink, now: Timestamp, expires_at: Timestamp) -> StoreResult<()> {
        write_db!(self.db, pool => sqlx::query(KEEP)
            .bind(&link.code)
            .bind(&link.person)
            .bind(&link.command)
            .bind(&link.words)
            .bind(now.as_millis())
            .bind(expires_at.as_millis())
            .execute(pool).await.map(drop))?;
        Ok(())
    }

    /// Uses a link up for this request. The same request may do so again.
    ///
    /// # Errors
    /// Where the database fails: it is not used up.
    pub async fn take_up_deep_link(&self, code: &str, person: &str, request: &str, now: Timestamp) -> StoreResult<TakenUp> {
        in_transaction!(self.db, tx => {
            let row: Option<Row> = sqlx::query_as(FIND).bind(code).fetch_optional(&mut *tx).await?;
            match row {
                None => TakenUp::Expired,
                Some(row) if row.person != person => TakenUp::Foreign,
                Some(row) if row.used_by.as_deref().is_some_and(|by| by != request) => TakenUp::Used,
                Some(row) if row.used_by.is_none() && row.expires_at <= now.as_millis() => TakenUp::Expired,
                Some(row) => {
                    let used = sqlx::query(USE).bind(code).bind(request).execute(&mut *tx).await?.rows_affected();
                    if used > 0 { TakenUp::Yours { command: row.command, words: row.words } } else { TakenUp::Used }
                }
            }
        })
    }
}
