//! Forgetting what is only kept for a while. Requests and updates are forgotten where they are remembered (`interactions`, `inbox`), attempts with their
//! messages (`pruning`): which of them may have arrived decides what becomes of a dead letter that is tried again, however old it is.

use super::{Store, StoreResult, dialect::write_db};
use crate::domain::Timestamp;
use std::time::Duration;

/// A few of a table that can hold very many: its rows have a number or name, and a time by which they are found.
macro_rules! oldest {
    ($table:literal, $time:literal) => {
        concat!("DELETE FROM ", $table, " WHERE id IN (SELECT id FROM ", $table, " WHERE ", $time, " < $1 ORDER BY ", $time, " LIMIT $2)")
    };
}

const LOOKUPS: &str = oldest!("lookups", "asked_at");
const BUTTONS: &str = oldest!("buttons", "expires_at");
const DEEP_LINKS: &str = "DELETE FROM deep_links WHERE expires_at < $1";
const CALLS: &str = "DELETE FROM call_ledger WHERE called_at < $1";
const TOKEN_MUTES: &str = "DELETE FROM token_mutes WHERE muted_until < $1";
const UPLOADS: &str = "DELETE FROM uploads WHERE uploaded_at < $1";

pub(super) const STATEMENTS: &[&str] = &[LOOKUPS, BUTTONS, DEEP_LINKS, CALLS, TOKEN_MUTES, UPLOADS];

/// Rows that go in one transaction, so that no send waits for it.
const STEP: i64 = 500;
/// Transactions at a time.
const STEPS: usize = 20;

/// How long each is kept: long enough for its own rule (`rules.md` 1.7, 5.10, 1.4), mutes that have ended for a clock that is stepped back.
const KEPT: &[(&str, Duration)] = &[
    // Long enough to say of one that it came too late.
    (DEEP_LINKS, Duration::from_secs(3600)),
    (CALLS, Duration::from_secs(70 * 24 * 3600)),
    (TOKEN_MUTES, Duration::from_secs(24 * 3600)),
    // The next poll makes another picture.
    (UPLOADS, Duration::from_secs(48 * 3600)),
];
/// The same of what goes in steps: a poll may have left a button with each of very many alerts.
const KEPT_OF_MANY: &[(&str, Duration)] = &[(LOOKUPS, Duration::from_secs(48 * 3600)), (BUTTONS, Duration::ZERO)];

impl Store {
    /// Forgets what has outlived its use; of what there may be very many, a good part of it.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn forget_old(&self, now: Timestamp) -> StoreResult<()> {
        for (statement, kept) in KEPT {
            let before = (now - *kept).as_millis();
            write_db!(self.db, pool => sqlx::query(*statement).bind(before).execute(pool).await.map(drop))?;
        }
        for (statement, kept) in KEPT_OF_MANY {
            let before = (now - *kept).as_millis();
            for _ in 0..STEPS {
                let forgotten = write_db!(self.db, pool => sqlx::query(*statement).bind(before).bind(STEP).execute(pool).await
                    .map(|done| done.rows_affected()))?;
                if forgotten < STEP.unsigned_abs() {
                    break;
                }
            }
        }
        Ok(())
    }
}
