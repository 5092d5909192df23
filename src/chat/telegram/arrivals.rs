//! What brings updates in, by polling or through the door, stores them here; whoever carries them out is woken.

use crate::{
    clock::SharedClock,
    commands::{Inbox, InboxError},
    domain::Timestamp,
    telemetry::{Metrics, UpdateOutcome},
};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Notify;

/// The way in, shared by those who store and those who carry out.
pub(super) struct Arrivals {
    pub(super) inbox: Inbox,
    clock: SharedClock,
    metrics: Arc<Metrics>,
    stored: Notify,
    proved_at: Mutex<Option<Timestamp>>,
}

impl Arrivals {
    pub(super) fn new(inbox: Inbox, clock: SharedClock, metrics: Arc<Metrics>) -> Self {
        Self { inbox, clock, metrics, stored: Notify::new(), proved_at: Mutex::new(None) }
    }

    /// Stores an update; says whether it is new. Then it may be confirmed.
    pub(super) async fn keep(&self, id: i64, body: &str) -> Result<bool, InboxError> {
        let is_new = self.inbox.keep(id, body, self.clock.now()).await?;
        self.count(if is_new { UpdateOutcome::Stored } else { UpdateOutcome::Repeated });
        if self.proved_at().is_some() {
            self.prove();
        }
        self.wake();
        Ok(is_new)
    }

    /// Keeps what came as an update and cannot be read, for whoever looks into it.
    pub(super) async fn keep_unreadable(&self, body: &[u8], why: &str) -> Result<(), InboxError> {
        self.inbox.keep_unreadable(body, self.clock.now()).await?;
        self.count(UpdateOutcome::Unreadable);
        tracing::warn!(why, "what came as an update is none; it is set aside");
        Ok(())
    }

    /// Sets aside an update that was stored and cannot be read or carried out.
    pub(super) async fn reject(&self, id: i64) -> Result<(), InboxError> {
        self.inbox.reject(id).await?;
        self.count(UpdateOutcome::Unreadable);
        Ok(())
    }

    pub(super) fn count(&self, outcome: UpdateOutcome) {
        self.metrics.telegram_update(outcome);
    }

    /// There may be something to carry out.
    pub(super) fn wake(&self) {
        self.stored.notify_one();
    }

    /// Waits until there may be something to carry out.
    pub(super) async fn stored(&self) {
        self.stored.notified().await;
    }

    /// When this process set its webhook, or when an update last came through it: what failed before that is over. Nothing while the
    /// webhook is not set by this process.
    pub(super) fn proved_at(&self) -> Option<Timestamp> {
        *self.proved_at.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The webhook has to be set anew.
    pub(super) fn unprove(&self) {
        *self.proved_at.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    pub(super) fn prove(&self) {
        *self.proved_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.clock.now());
    }
}
