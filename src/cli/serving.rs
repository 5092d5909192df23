//! Whether `serve` runs on a database at this moment, keeping it from starting meanwhile, and leaving its tables alone as long as it does.

use super::Failure;
use crate::{
    clock::{Clock, SystemClock},
    config::Config,
    store::{OpenError, SchemaAge, ServeLock, Store, StoreError},
};
use secrecy::ExposeSecret;

/// Who serves a database.
pub(super) enum Serving {
    /// `bellwether serve`.
    Elsewhere,
    /// Nobody; on SQLite nobody can as long as this is held.
    Nobody(#[expect(dead_code, reason = "the lock lasts as long as it is held")] Option<ServeLock>),
}

/// Why a database is not used.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotUsed {
    /// It cannot be opened, locked or migrated.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// It does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The tables of this version are not those of the one that runs, which could not be started again on them.
    #[error("a running `bellwether serve` of an older version uses this database, which this version would have to migrate; stop it first")]
    OlderServes,
}

impl From<NotUsed> for Failure {
    fn from(why: NotUsed) -> Self {
        Self::Other(format!("DATABASE_URL: {why}"))
    }
}

/// Opens a database and brings it to this version's tables, unless somebody serves it with those that are there.
pub(super) async fn open(config: &Config) -> Result<Store, NotUsed> {
    let store = Store::connect(config.database_url.expose_secret()).await?;
    let nobody = match store.schema_age().await? {
        SchemaAge::Older => serving(config, &store).await?,
        SchemaAge::New | SchemaAge::Current => Serving::Nobody(None),
    };
    if matches!(nobody, Serving::Elsewhere) {
        return Err(NotUsed::OlderServes);
    }
    store.migrate().await?;
    Ok(store)
}

/// Finds out, and takes the lock where there is one.
pub(super) async fn serving(config: &Config, store: &Store) -> Result<Serving, NotUsed> {
    match Store::lock_for_serving(config.database_url.expose_secret()) {
        Ok(Some(lock)) => Ok(Serving::Nobody(Some(lock))),
        Err(OpenError::InUse(_)) => Ok(Serving::Elsewhere),
        Err(error) => Err(error.into()),
        Ok(None) if store.is_sqlite() || store.schema_age().await? == SchemaAge::New => Ok(Serving::Nobody(None)),
        Ok(None) => Ok(if store.is_served(SystemClock.now()).await? { Serving::Elsewhere } else { Serving::Nobody(None) }),
    }
}
