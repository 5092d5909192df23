//! All SQL lives here, and no policy: it stores `release_at`, it does not compute it.
//!
//! A [`Store`] is one of two pools; every statement is written once as a `const` and runs on both through `on_db!`. What differs
//! between SQLite and PostgreSQL stands in `dialect`. One method is one atomic act: transactions never leave this room.
//!
//! The common subset of SQL: `$1` placeholders, `BIGINT` Unix milliseconds bound from the clock, JSON and decimals as text,
//! `CAST(SUM(x) AS BIGINT)`, `ON CONFLICT`, `RETURNING` (in no order).

mod destinations;
mod dialect;
mod feeds;
mod inbox;
mod open;
mod outbox;
mod schema;

pub use destinations::NewDestination;
pub use open::{OpenError, ServeLock};

use sqlx::{PgPool, SqlitePool};

/// The database, whichever it is. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    db: Db,
}

/// The two databases that are supported.
#[derive(Clone, Debug)]
pub(in crate::store) enum Db {
    Sqlite(SqlitePool),
    Postgres(PgPool),
}

/// A database that failed: an internal error, never shown to a member.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database itself: unreachable, locked, full, read-only.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// A row holds what this version cannot read.
    #[error("the database holds {what} that this version cannot read: {detail}")]
    Corrupt {
        /// What kind of value.
        what: &'static str,
        /// The value or the parser's words.
        detail: String,
    },
}

impl StoreError {
    fn corrupt(what: &'static str, detail: &str) -> Self {
        Self::Corrupt { what, detail: detail.to_owned() }
    }
}

/// What a store method gives.
pub type StoreResult<T> = Result<T, StoreError>;
