//! What has happened so far, in numbers: the summary of `demo`.

use super::{Store, StoreError, StoreResult, dialect::on_db};
use crate::domain::{AlertState, Reason};

const CHANGES: &str = "SELECT COUNT(*) FROM changes WHERE timing <> 'history'";
const MESSAGES: &str = "SELECT COUNT(*) FROM messages WHERE state = 'sent'";
const ALERTS: &str =
    "SELECT decision, reason, state, COUNT(*) FROM alerts GROUP BY decision, reason, state ORDER BY decision, reason, state";

pub(super) const STATEMENTS: &[&str] = &[CHANGES, MESSAGES, ALERTS];

/// Everything that happened, counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Activity {
    /// Changes that somebody could be told of.
    pub changes: i64,
    /// Messages that a platform took.
    pub messages: i64,
    /// Alerts by decision, reason and what became of them.
    pub alerts: Vec<AlertCount>,
}

/// So many alerts of one fate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlertCount {
    /// Whether it was held before it was told.
    pub was_held: bool,
    /// Why it was decided so.
    pub reason: Reason,
    /// What became of it.
    pub state: AlertState,
    /// How many.
    pub count: i64,
}

impl Store {
    /// Counts everything that happened.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn activity(&self) -> StoreResult<Activity> {
        let count =
            async |sql: &'static str| -> StoreResult<i64> { Ok(on_db!(self.db, pool => sqlx::query_scalar(sql).fetch_one(pool).await)?) };
        let rows: Vec<(String, String, String, i64)> = on_db!(self.db, pool => sqlx::query_as(ALERTS).fetch_all(pool).await)?;
        let alert = |(decision, reason, state, count): (String, String, String, i64)| {
            Ok(AlertCount {
                was_held: decision == "hold",
                reason: Reason::parse(&reason).ok_or_else(|| StoreError::corrupt("a reason", &reason))?,
                state: AlertState::parse(&state).ok_or_else(|| StoreError::corrupt("a state", &state))?,
                count,
            })
        };
        Ok(Activity {
            changes: count(CHANGES).await?,
            messages: count(MESSAGES).await?,
            alerts: rows.into_iter().map(alert).collect::<StoreResult<_>>()?,
        })
    }
}
