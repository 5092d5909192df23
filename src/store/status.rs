//! How delivery is doing, in numbers: what `status` and the gauges show.

use super::{Store, StoreResult, dialect::on_db, open::sqlite_path};
use crate::domain::{Lane, Platform, Timestamp};
use std::path::PathBuf;

const HELD: &str = "SELECT COUNT(*) FROM alerts WHERE state = 'pending'";
const QUARANTINED: &str = "SELECT COUNT(*) FROM destinations WHERE quarantine_reason IS NOT NULL";
const DEAD: &str = "SELECT COUNT(*) FROM messages WHERE state = 'dead'";

pub(super) const STATEMENTS: &[&str] = &[HELD, QUARANTINED, DEAD];

/// The name of the notice that a platform refuses the bot: while it stands nothing is sent there.
pub fn refused_notice(platform: Platform) -> String {
    format!("platform-refused:{platform}")
}

/// How delivery is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryStatus {
    /// How many messages wait on each platform and lane; only where any do.
    pub queued: Vec<(Platform, Lane, i64)>,
    /// Alerts that wait for their release.
    pub held_alerts: i64,
    /// Destinations that are kept aside.
    pub quarantined: i64,
    /// Messages that could not be delivered.
    pub dead_letters: i64,
    /// Platforms that refuse the bot, and since when.
    pub refused: Vec<(Platform, Timestamp)>,
}

impl Store {
    /// The file of a SQLite URL; none for PostgreSQL and for a database in memory.
    pub fn file_of(url: &str) -> Option<PathBuf> {
        sqlite_path(url)
    }

    /// How delivery is doing.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn delivery_status(&self) -> StoreResult<DeliveryStatus> {
        Ok(DeliveryStatus {
            queued: self.queue_depth().await?,
            held_alerts: self.count(HELD).await?,
            quarantined: self.count(QUARANTINED).await?,
            dead_letters: self.count(DEAD).await?,
            refused: self.refusals().await?,
        })
    }

    /// Which platforms refuse the bot, as far as it was tried, and since when.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn refusals(&self) -> StoreResult<Vec<(Platform, Timestamp)>> {
        let mut refusals = Vec::new();
        for platform in Platform::ALL {
            let since = self.notice_told_at(&refused_notice(*platform)).await?;
            refusals.extend(since.map(|since| (*platform, since)));
        }
        Ok(refusals)
    }

    async fn count(&self, statement: &'static str) -> StoreResult<i64> {
        Ok(on_db!(self.db, pool => sqlx::query_scalar(statement).fetch_one(pool).await)?)
    }
}
