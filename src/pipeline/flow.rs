//! Stages 2 and 3 one after the other: everything is fanned out before anything is composed, so that what one poll brought is told together.

use crate::{
    cache::Scorecards,
    clock::SharedClock,
    pipeline::{compose::compose_all, fanout::fan_out_all, outage::Outage, token_news::tell_token_news},
    store::{Store, StoreError, StoreResult},
    telemetry::Metrics,
};
use std::{sync::Arc, time::Duration};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Held alerts become due by themselves: looked at once a second (`rules.md` 6.7).
const TICK: Duration = Duration::from_secs(1);

/// Turns changes into messages. Cheap to clone.
#[derive(Clone)]
pub struct Flow {
    /// The database.
    pub store: Store,
    /// The time.
    pub clock: SharedClock,
    /// What operators see.
    pub metrics: Arc<Metrics>,
    /// What weekly digests look back on.
    pub scorecards: Scorecards,
    /// Notified when changes were ingested.
    pub changes: Arc<Notify>,
    /// Notified when messages were composed: one for each platform's deliverer.
    pub messages: Vec<Arc<Notify>>,
}

impl Flow {
    /// Does everything that is due. Says how many messages were written.
    ///
    /// # Errors
    /// Where the database fails: the next step goes on from what was committed.
    pub async fn step(&self) -> StoreResult<usize> {
        fan_out_all(&self.store, &self.clock, &self.metrics).await?;
        let composed = compose_all(&self.store, &self.clock, &self.metrics, &self.scorecards).await?;
        let written = composed + tell_token_news(&self.store, &self.clock).await?;
        if written > 0 {
            self.messages.iter().for_each(|deliverer| deliverer.notify_one());
        }
        Ok(written)
    }

    /// Steps until told to stop, or until another process does.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut outage = Outage::of("turning changes into messages");
        while !shutdown.is_cancelled() {
            match self.step().await {
                Ok(_) => outage.over(),
                Err(StoreError::Overtaken) => return,
                Err(error) => outage.failed(&error),
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = self.changes.notified() => {}
                () = tokio::time::sleep(TICK) => {}
            }
        }
    }
}
