//! All SQL lives here, and no policy: it stores `release_at`, it does not compute it (but where that was decided from an older
//! reading, see `changed`).
//!
//! A [`Store`] is one of two databases; every statement is written once as a `const` and runs on both: what reads through `on_db!`, a
//! single write through `write_db!`, several through `in_transaction!`. What differs between SQLite and PostgreSQL stands in `dialect`.
//! One method is one atomic act: transactions never leave this room. What fan-out reads it reads in several chunks of one view.
//!
//! The common subset of SQL: arguments as `$1`, `BIGINT` Unix milliseconds bound from the clock, JSON and decimals as text,
//! `CAST(SUM(x) AS BIGINT)`, `ON CONFLICT`, `RETURNING` (in no order).

mod activity;
mod audit;
mod buttons;
mod candidates;
mod categories;
mod changed;
mod changes;
mod composing;
mod compositions;
mod dead_letters;
mod deep_links;
mod delivering;
mod destinations;
mod dialect;
mod directory;
mod fair_queue;
mod fanout;
mod feeds;
mod history;
mod housekeeping;
mod inbox;
mod interactions;
mod leases;
mod lookups;
mod migrating;
mod moves;
mod mutes;
mod open;
mod outbox;
mod personal;
mod postgres;
mod pruning;
mod reading;
mod recalling;
mod schema;
mod scorecard;
mod settling;
mod signals;
mod status;
mod subscription_lists;
mod subscriptions;
mod thresholds;
mod token_news;
mod token_search;
mod trace;
pub mod transfer;
mod uploads;
mod waiting;
mod wake_ups;
mod wanted;
mod writer;

pub use activity::{Activity, AlertCount};
pub use audit::AuditEntry;
pub use candidates::{CandidateReader, Candidates, Concerned};
pub use changes::StoredChange;
pub use composing::{DueBatch, DueCursor};
pub use dead_letters::{Retried, Undelivered, UndeliveredId, UndeliveredState};
pub use deep_links::{DeepLink, TakenUp};
pub use delivering::{Claimed, Recovered};
pub use destinations::{NewDestination, UntoldQuarantine};
pub use directory::AllTokens;
pub use fanout::{FanoutJobs, NewAlert};
pub use feeds::{CallLimits, CallPermit, PollRecord};
pub use leases::{Role, RunningShard, RunningShards, Term};
pub use lookups::LookupCounts;
pub use migrating::SchemaAge;
pub use mutes::{MuteOrder, Muted};
pub use open::{OpenError, ServeLock};
pub use outbox::NewNotice;
pub use personal::{Forgotten, PersonalSection};
pub use pruning::Shelf;
pub use reading::{CurrentCall, DeliveryHealth};
pub use scorecard::{SeenToken, WeeklyWishes};
pub use settling::Settlement;
pub use signals::{Applied, KnownStates, PollResult};
pub use status::{DeliveryStatus, refused_notice};
pub use subscription_lists::{ListedPlace, ListedSubscription};
pub use subscriptions::{SettingsOrder, SubscribeOrder, Subscribed, UnsubscribeOrder, Unsubscribed};
pub use thresholds::PastNumber;
pub use token_news::{DueNews, NewsDecision};
pub use token_search::TokenField;
pub use wake_ups::{WakeUp, WakeUps};
pub use wanted::WantedTargets;

use postgres::Postgres;
use sqlx::SqlitePool;
use writer::Writer;

/// The database, whichever it is. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Store {
    db: Db,
}

/// The two databases that are supported.
#[derive(Clone, Debug)]
pub(in crate::store) enum Db {
    /// One connection writes: whoever waits for it has its turn in order, and is woken when it comes. Connections that waited for SQLite's own
    /// lock would sleep and ask again, ever longer.
    Sqlite {
        pool: SqlitePool,
        /// What fan-out reads through; a database in memory has but one connection for everything.
        fan_out: Option<SqlitePool>,
        writer: Writer,
    },
    Postgres(Postgres),
}

/// A database that failed: an internal error, never shown to a member.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database itself: unreachable, full, read-only.
    #[error("the database failed: {0}{remedy}", remedy = remedy(.0))]
    Database(#[source] sqlx::Error),
    /// It says nothing at all.
    #[error("the database does not answer")]
    Silent,
    /// Nobody could write to a SQLite file, for as long as it was waited for.
    #[error("the database is locked: another program has been writing to its file for too long; let it end")]
    Locked,
    /// Somebody else changed the same rows meanwhile: load again and compute again.
    #[error("the same rows were changed meanwhile")]
    Conflict,
    /// A row holds what this version cannot read.
    #[error("the database holds {what} that this version cannot read: {detail}")]
    Corrupt {
        /// What kind of value.
        what: &'static str,
        /// The value or the parser's words.
        detail: String,
    },
    /// Another process has taken over the role that this was to be written in the name of: nothing was written.
    #[error("another replica has taken over this role")]
    Overtaken,
    /// The request behind this was carried out already: nothing was changed.
    #[error("this request was carried out already")]
    Repeated,
    /// Other writers came first each time it was tried.
    #[error("other writers of the same rows came first each time")]
    Contended,
}

impl StoreError {
    /// Whether the same work may succeed later: not where the database refuses its contents.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Database(refusal)) => matches!(refusal.kind(), sqlx::error::ErrorKind::Other),
            Self::Database(_) | Self::Silent | Self::Locked | Self::Conflict | Self::Contended => true,
            Self::Corrupt { .. } | Self::Repeated | Self::Overtaken => false,
        }
    }

    /// PostgreSQL ended one of two transactions that waited for each other: the same work is done again.
    pub(in crate::store) fn is_deadlock(&self) -> bool {
        matches!(self, Self::Database(error) if matches!(kind(error), Some(Kind::Deadlock)))
    }

    fn corrupt(what: &'static str, detail: &str) -> Self {
        Self::Corrupt { what, detail: detail.to_owned() }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        if matches!(kind(&error), Some(Kind::Locked)) { Self::Locked } else { Self::Database(error) }
    }
}

/// A failure whose cause the database's own words do not say.
enum Kind {
    Locked,
    Deadlock,
    Full,
    ReadOnly,
}

fn kind(error: &sqlx::Error) -> Option<Kind> {
    // SQLite's codes have up to four digits, the lowest byte tells the kind (https://sqlite.org/rescode.html); PostgreSQL's have five.
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code)?;
    match (&*code, code.len() < 5, code.parse().unwrap_or(0) & 0xff) {
        ("53100", ..) | (_, true, 10 | 13) => Some(Kind::Full),
        (_, true, 5) => Some(Kind::Locked),
        ("40P01", ..) => Some(Kind::Deadlock),
        (_, true, 8) => Some(Kind::ReadOnly),
        _ => None,
    }
}

fn remedy(error: &sqlx::Error) -> &'static str {
    match kind(error) {
        Some(Kind::Full) => "; its disk is full or broken: make room",
        Some(Kind::ReadOnly) => "; its file or folder is read-only: let this user write there",
        Some(Kind::Locked | Kind::Deadlock) | None => "",
    }
}

/// What a store method gives.
pub type StoreResult<T> = Result<T, StoreError>;
