//! What has to be done now and then: notices about quarantines, metrics of the queue, forgetting what is only kept for a while.

use crate::{
    clock::SharedClock,
    domain::{Lane, Platform, Retention, Timestamp, wording::NoticePhrase},
    pipeline::{operators::Operators, out_of_reach::tell_of_quarantines, outage::Outage, pruning::Pruning},
    store::{Store, StoreError, StoreResult},
    telemetry::Metrics,
};
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

const EVERY: Duration = Duration::from_secs(10);
/// A quarantine is told of once it outlived the breaker's minute: a platform's bad day is no news about a channel.
const SETTLES: Duration = Duration::from_secs(60);
/// The notice about dead letters.
const DEAD_LETTERS: &str = "dead-letters";
const DEAD_LETTERS_EVERY: Duration = Duration::from_secs(3600);
/// How far back it reaches where none was told yet.
const FIRST_LOOK: Duration = Duration::from_secs(24 * 3600);

/// Keeps the house.
#[derive(Clone)]
pub struct Housekeeping {
    /// The database.
    pub store: Store,
    /// The time.
    pub clock: SharedClock,
    /// What operators see.
    pub metrics: Arc<Metrics>,
    /// Whom to tell.
    pub operators: Operators,
    /// The platforms whose queues are measured.
    pub platforms: Vec<Platform>,
    /// How long what is kept.
    pub retention: Retention,
}

impl Housekeeping {
    /// Does all of it once, but for what only makes room (`pruning`).
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn step(&self) -> StoreResult<()> {
        let now = self.clock.now();
        tell_of_quarantines(&self.store, &self.operators, now - SETTLES).await?;
        self.tell_of_dead_letters(now).await?;
        self.measure_queues().await?;
        self.store.remove_forgotten(now).await?;
        self.store.forget_old(now).await
    }

    /// At most once an hour, however many there are: a notice each would bury whatever else operators are told.
    async fn tell_of_dead_letters(&self, now: Timestamp) -> StoreResult<()> {
        let until = now - SETTLES;
        let told = self.store.notice_told_at(DEAD_LETTERS).await?;
        // A time to come means that the clock was stepped back.
        if told.is_some_and(|told| told <= now && until.since(told) < DEAD_LETTERS_EVERY) {
            return Ok(());
        }
        let after = told.filter(|told| *told <= now).unwrap_or(now - FIRST_LOOK);
        let Some((count, last)) = self.store.died_between(after, until).await? else { return Ok(()) };
        let (destination, problem) = (last.destination.to_string(), last.reason);
        let notice = match count {
            1 => NoticePhrase::DeadLetter { destination, problem },
            count => NoticePhrase::DeadLetters { count, destination, problem },
        };
        self.operators.sum_up(DEAD_LETTERS, notice, until).await
    }

    async fn measure_queues(&self) -> StoreResult<()> {
        let depths = self.store.queue_depth().await?;
        for platform in &self.platforms {
            for lane in Lane::ALL {
                let depth = depths.iter().find(|(p, l, _)| p == platform && l == lane).map_or(0, |(.., depth)| *depth);
                self.metrics.queue_depth(*platform, *lane, depth);
            }
        }
        Ok(())
    }

    /// Steps until told to stop, or until another process does. A step under way is left then, as all of it is done again.
    pub async fn run(self, shutdown: CancellationToken) {
        let (mut pruning, mut outage) = (Pruning::default(), Outage::of("housekeeping"));
        loop {
            let step = async {
                self.step().await?;
                pruning.go_on(&self.store, self.retention, self.clock.now()).await
            };
            let done = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                done = step => done,
            };
            match done {
                Ok(()) => outage.over(),
                Err(StoreError::Overtaken) => return,
                Err(error) => outage.failed(&error),
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(EVERY) => {}
            }
        }
    }
}
