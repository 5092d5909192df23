//! Stages 2 and 3: nobody is composed for before every change was fanned out to them, so that what one poll brought is told together. While very
//! many are still fanned out to, some of those who are done are told already: enough to send meanwhile, and no more, so that alerts are soon safe.
//! What a new poll brings does not wait until all that the last one brought is composed.

use crate::{
    cache::Scorecards,
    clock::SharedClock,
    pipeline::{
        compose::{BATCH, Composing},
        fanout::Portions,
        outage::Outage,
        token_news::tell_token_news,
    },
    store::{Store, StoreError, StoreResult},
    telemetry::Metrics,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Held alerts become due by themselves: looked at once a second (`rules.md` 6.7).
const TICK: Duration = Duration::from_secs(1);
/// Where very many wait for what is on its way to them, a look that finds little takes long: it takes no more than a tenth of the time. But a
/// database that is slow for a moment delays nobody for long.
const RESTS: u32 = 9;
const LONGEST_REST: Duration = Duration::from_secs(3);
/// Messages that are little.
const LITTLE: usize = 200;
/// Chunks of a portion of fan-out, after which whoever is done with every change can be told. The first is small: somebody is soon told, and only a
/// few, until most polls are fanned out to the end; those that follow last about as long as a whole batch takes to send.
const FIRST_PORTION: usize = 3;
const PORTION: usize = 50;
/// Destinations that are told after the first portion where more follow: what their messages take of the database is taken from what is not safe yet.
const FIRST_TOLD: i64 = 20;

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
        let (mut written, mut composing, mut fanned_out) = (0, Composing::default(), false);
        let (mut portions, mut portion) = (Portions::default(), FIRST_PORTION);
        loop {
            fanned_out |= portions.next(&self.store, &self.clock, &self.metrics, portion).await?.is_some();
            let most = if portion == FIRST_PORTION && portions.are_under_way() { FIRST_TOLD } else { BATCH };
            portion = PORTION;
            let batch = composing.batch(&self.store, &self.clock, &self.metrics, &self.scorecards, most).await?;
            self.wake_deliverers(batch.unwrap_or(0));
            written += batch.unwrap_or(0);
            if batch.is_none() {
                if !fanned_out {
                    break;
                }
                // What was fanned out meanwhile may lie before where this pass has come to.
                (composing, fanned_out) = (Composing::default(), false);
            }
        }
        let news = tell_token_news(&self.store, &self.clock).await?;
        self.wake_deliverers(news);
        Ok(written + news)
    }

    fn wake_deliverers(&self, written: usize) {
        if written > 0 {
            self.messages.iter().for_each(|deliverer| deliverer.notify_one());
        }
    }

    /// Steps until told to stop, or until another process does. A step under way is left then: whoever goes on does so from what was committed, and
    /// would otherwise wait until a million are fanned out to.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut outage = Outage::of("turning changes into messages");
        loop {
            let began = Instant::now();
            let mut rest = TICK;
            let done = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                done = self.step() => done,
            };
            match done {
                Ok(written) => {
                    outage.over();
                    if written <= LITTLE {
                        rest = (began.elapsed() * RESTS).clamp(TICK, LONGEST_REST);
                    }
                }
                Err(StoreError::Overtaken) => return,
                Err(error) => outage.failed(&error),
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = self.changes.notified() => {}
                () = tokio::time::sleep(rest) => {}
            }
        }
    }
}
