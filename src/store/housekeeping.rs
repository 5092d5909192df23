//! Forgetting what is only kept for a while. Requests and updates are forgotten where they are remembered (`interactions`, `inbox`).

use super::{Store, StoreResult, dialect::write_db};
use crate::domain::Timestamp;
use std::time::Duration;

const LOOKUPS: &str = "DELETE FROM lookups WHERE asked_at < $1";
const BUTTONS: &str = "DELETE FROM buttons WHERE expires_at < $1";
const DEEP_LINKS: &str = "DELETE FROM deep_links WHERE expires_at < $1";
const CALLS: &str = "DELETE FROM call_ledger WHERE called_at < $1";
const TOKEN_MUTES: &str = "DELETE FROM token_mutes WHERE muted_until < $1";
const ATTEMPTS: &str = "DELETE FROM attempts WHERE started_at < $1 AND outcome IS NOT NULL";

const UPLOADS: &str = "DELETE FROM uploads WHERE uploaded_at < $1";

pub(super) const STATEMENTS: &[&str] = &[LOOKUPS, BUTTONS, DEEP_LINKS, CALLS, TOKEN_MUTES, ATTEMPTS, UPLOADS];

/// How long each is kept: long enough for its own rule (`rules.md` 1.7, 5.10, 1.4), mutes that have ended for a clock that is stepped back,
/// attempts for a look back.
const KEPT: &[(&str, Duration)] = &[
    (LOOKUPS, Duration::from_secs(48 * 3600)),
    (BUTTONS, Duration::ZERO),
    // Long enough to say of one that it came too late.
    (DEEP_LINKS, Duration::from_secs(3600)),
    (CALLS, Duration::from_secs(70 * 24 * 3600)),
    (TOKEN_MUTES, Duration::from_secs(24 * 3600)),
    (ATTEMPTS, Duration::from_secs(30 * 24 * 3600)),
    // The next poll makes another picture.
    (UPLOADS, Duration::from_secs(48 * 3600)),
];

impl Store {
    /// Forgets what has outlived its use.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn forget_old(&self, now: Timestamp) -> StoreResult<()> {
        for (statement, kept) in KEPT {
            let before = (now - *kept).as_millis();
            write_db!(self.db, pool => sqlx::query(*statement).bind(before).execute(pool).await.map(drop))?;
        }
        Ok(())
    }
}
