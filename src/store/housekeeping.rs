//! Forgetting what is only kept for a while.

use super::{Store, StoreResult, dialect::on_db};
use crate::domain::Timestamp;
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);

const INTERACTIONS: &str = "DELETE FROM interactions_seen WHERE seen_at < $1";
const UPDATES: &str = "DELETE FROM updates_seen WHERE received_at < $1 AND state <> 'stored'";
const LOOKUPS: &str = "DELETE FROM lookups WHERE asked_at < $1";
const BUTTONS: &str = "DELETE FROM buttons WHERE expires_at < $1";
const CALLS: &str = "DELETE FROM call_ledger WHERE called_at < $1";
const ATTEMPTS: &str = "DELETE FROM attempts WHERE started_at < $1 AND outcome IS NOT NULL";

pub(super) const STATEMENTS: &[&str] = &[INTERACTIONS, UPDATES, LOOKUPS, BUTTONS, CALLS, ATTEMPTS];

/// How long each is kept: long enough for its own rule (`rules.md` 6.1, 6.2, 1.7, 5.10, 1.4), attempts for a look back.
const KEPT: &[(&str, Duration)] = &[
    (INTERACTIONS, HOUR),
    (UPDATES, Duration::from_secs(48 * 3600)),
    (LOOKUPS, Duration::from_secs(48 * 3600)),
    (BUTTONS, Duration::ZERO),
    (CALLS, Duration::from_secs(70 * 24 * 3600)),
    (ATTEMPTS, Duration::from_secs(30 * 24 * 3600)),
];

impl Store {
    /// Forgets what has outlived its use.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn forget_old(&self, now: Timestamp) -> StoreResult<()> {
        for (statement, kept) in KEPT {
            let before = (now - *kept).as_millis();
            on_db!(self.db, pool => sqlx::query(*statement).bind(before).execute(pool).await.map(drop))?;
        }
        Ok(())
    }
}
