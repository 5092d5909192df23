//! Word of what was written, from whichever process wrote it (PostgreSQL: `LISTEN`; triggers say it, so that no statement can forget to).
//! A hint and no more: whoever waits looks by themselves too.

use super::{Db, Store, StoreResult};
use sqlx::postgres::PgListener;

/// The channel that the triggers of migration 0026 notify.
const CHANNEL: &str = "bellwether";

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WakeUp {
    /// Changes: there may be something to fan out.
    Changes,
    /// Messages: there may be something to deliver.
    Messages,
    /// Updates of Telegram: there may be something to carry out.
    Updates,
}

/// A connection that hears of what is written.
pub struct WakeUps(PgListener);

impl Store {
    /// Begins to listen; nothing on SQLite, where nobody else writes.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn wake_ups(&self) -> StoreResult<Option<WakeUps>> {
        let Db::Postgres(postgres) = &self.db else { return Ok(None) };
        let mut listener = PgListener::connect_with(&postgres.pool).await?;
        listener.listen(CHANNEL).await?;
        Ok(Some(WakeUps(listener)))
    }
}

impl WakeUps {
    /// The next word.
    ///
    /// # Errors
    /// Where the connection is lost: what was said meanwhile is not heard.
    pub async fn next(&mut self) -> StoreResult<WakeUp> {
        loop {
            match self.0.recv().await?.payload() {
                "changes" => return Ok(WakeUp::Changes),
                "messages" => return Ok(WakeUp::Messages),
                "updates" => return Ok(WakeUp::Updates),
                // Of a later version.
                _ => {}
            }
        }
    }
}
