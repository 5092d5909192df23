//! Pictures that platforms keep: sent once, then named.

use super::{
    Store, StoreResult,
    dialect::{on_db, write_db},
};
use crate::domain::{Platform, Timestamp};

const NAME: &str = "SELECT name FROM uploads WHERE platform = $1 AND picture = $2";
const REMEMBER: &str = "INSERT INTO uploads (platform, picture, name, uploaded_at) VALUES ($1, $2, $3, $4)
    ON CONFLICT (platform, picture) DO UPDATE SET name = excluded.name, uploaded_at = excluded.uploaded_at";

pub(super) const STATEMENTS: &[&str] = &[NAME, REMEMBER];

impl Store {
    /// What a platform calls the picture with this digest, where it was sent there lately.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn upload(&self, platform: Platform, picture: &str) -> StoreResult<Option<String>> {
        let name = on_db!(self.db, pool => sqlx::query_scalar(NAME).bind(platform.as_str()).bind(picture).fetch_optional(pool).await)?;
        Ok(name)
    }

    /// Remembers what a platform calls it.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn remember_upload(&self, platform: Platform, picture: &str, name: &str, now: Timestamp) -> StoreResult<()> {
        let now = now.as_millis();
        write_db!(self.db, pool => sqlx::query(REMEMBER)
            .bind(platform.as_str()).bind(picture).bind(name).bind(now).execute(pool).await.map(drop))?;
        Ok(())
    }
}
