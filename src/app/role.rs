//! Who serves a PostgreSQL database: one process at a time, by a lease that another takes over 15 s after its holder was last heard of.
//! On SQLite the lock beside the file does this.

use super::AppError;
use crate::{
    clock::SharedClock,
    store::{SERVE_ROLE, Store, StoreResult},
};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// `rules.md` 4.5.
const LEASE: Duration = Duration::from_secs(15);
const RENEW: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// A predecessor that was killed is waited for; one that goes on renewing is another instance.
const PATIENCE: Duration = Duration::from_secs(20);

/// The right to serve. Cheap to clone.
#[derive(Clone)]
pub(super) struct Role {
    store: Store,
    clock: SharedClock,
    holder: String,
}

impl Role {
    /// Takes the role, waiting for a predecessor's lease to run out.
    ///
    /// # Errors
    /// Where another instance holds on to it, or the database fails.
    pub(super) async fn take(store: &Store, clock: &SharedClock) -> Result<Self, AppError> {
        let role = Self { store: store.clone(), clock: clock.clone(), holder: super::holder() };
        let began = tokio::time::Instant::now();
        let mut told = false;
        while !role.try_take().await? {
            if began.elapsed() > PATIENCE {
                return Err(AppError::InUse);
            }
            if !std::mem::replace(&mut told, true) {
                tracing::info!("another instance serves this database, or was killed just now: waiting up to 20 seconds for its lease");
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        Ok(role)
    }

    async fn try_take(&self) -> StoreResult<bool> {
        let now = self.clock.now();
        self.store.take_lease(SERVE_ROLE, &self.holder, now, now + LEASE).await
    }

    /// Renews the lease until told to stop; ends by itself only where another instance has taken it.
    pub(super) async fn keep(self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(RENEW) => {}
            }
            match self.store.keep_lease(SERVE_ROLE, &self.holder, self.clock.now() + LEASE).await {
                Ok(true) => {}
                Ok(false) => return tracing::error!("another instance has taken over this database: this one stops"),
                Err(error) => tracing::error!(%error, "the right to serve could not be renewed; trying again"),
            }
        }
    }

    /// Gives the role back at a clean end.
    pub(super) async fn give_back(&self) {
        if let Err(error) = self.store.give_lease_back(SERVE_ROLE, &self.holder).await {
            tracing::warn!(%error, "the right to serve could not be given back; a successor waits 15 seconds");
        }
    }
}
