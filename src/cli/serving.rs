//! Whether `serve` runs on a database at this moment, and keeping it from starting meanwhile.

use super::Failure;
use crate::{
    clock::{Clock, SystemClock},
    config::Config,
    store::{OpenError, ServeLock, Store},
};
use secrecy::ExposeSecret;

/// Who serves a database.
pub(super) enum Serving {
    /// `bellwether serve`.
    Elsewhere,
    /// Nobody; on SQLite nobody can as long as this is held.
    Nobody(#[expect(dead_code, reason = "the lock lasts as long as it is held")] Option<ServeLock>),
}

/// Finds out, and takes the lock where there is one.
pub(super) async fn serving(config: &Config, store: &Store) -> Result<Serving, Failure> {
    match Store::lock_for_serving(config.database_url.expose_secret()) {
        Ok(Some(lock)) => Ok(Serving::Nobody(Some(lock))),
        Err(OpenError::InUse(_)) => Ok(Serving::Elsewhere),
        Err(error) => Err(Failure::Other(format!("DATABASE_URL: {error}"))),
        Ok(None) if store.is_sqlite() => Ok(Serving::Nobody(None)),
        Ok(None) => {
            let served = store.is_served(SystemClock.now()).await.map_err(Failure::other)?;
            Ok(if served { Serving::Elsewhere } else { Serving::Nobody(None) })
        }
    }
}
