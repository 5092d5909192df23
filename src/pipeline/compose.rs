//! Stage 3: what is due for a destination becomes messages, as late as possible.

mod weekly;

pub use weekly::keep_reviews_new;

use crate::{
    cache::Scorecards,
    clock::SharedClock,
    domain::{ButtonsId, Composition, DestinationId, MessageBody, Reason},
    engine::{compose::compose, fairness::place},
    random,
    store::{DueBatch, DueCursor, Store, StoreError, StoreResult},
    telemetry::Metrics,
};
use std::collections::BTreeMap;

/// The most destinations of a transaction.
pub(super) const BATCH: i64 = 200;
/// How often a batch that somebody else changed meanwhile is composed again before the next round takes it.
const MOST_CONFLICTS: u32 = 5;

/// Composes everything that is due. Says how many messages were written.
///
/// # Errors
/// Where the database fails: nothing of the batch was written, the next round composes it again.
pub async fn compose_all(store: &Store, clock: &SharedClock, metrics: &Metrics, scorecards: &Scorecards) -> StoreResult<usize> {
    let (mut written, mut composing) = (0, Composing::default());
    while let Some(batch) = composing.batch(store, clock, metrics, scorecards, BATCH).await? {
        written += batch;
    }
    Ok(written)
}

/// Goes once through what is due, a batch after the other.
#[derive(Debug, Default)]
pub struct Composing {
    after: DueCursor,
    /// How far a batch can reach at present, where so much is due that it is less than it may.
    reach: Option<i64>,
    conflicts: u32,
}

impl Composing {
    /// Composes for the next destinations, at most so many, that have something due and that no change waits to look at. Says how many messages were
    /// written; nothing where there are no such destinations.
    ///
    /// # Errors
    /// Where the database fails: nothing of the batch was written, the next round composes it again.
    pub async fn batch(
        &mut self,
        store: &Store,
        clock: &SharedClock,
        metrics: &Metrics,
        scorecards: &Scorecards,
        most: i64,
    ) -> StoreResult<Option<usize>> {
        loop {
            let now = clock.now();
            let limit = self.reach.map_or(most, |reach| most.min(reach));
            let Some(DueBatch { situations, upto, cut, has_room }) = store.due_situations(now, self.after, limit).await? else {
                return Ok(None);
            };
            self.reach = cut.or(self.reach.map(|reach| if has_room { reach.saturating_mul(2) } else { reach }));
            let mut compositions: Vec<_> =
                situations.iter().map(|(destination, situation)| (*destination, with_buttons(compose(situation, now)))).collect();
            weekly::add_reviews(store, scorecards, &mut compositions, now).await;
            let told = compositions.iter().filter(|(_, composition)| !composition.messages.is_empty()).map(|(destination, _)| *destination);
            place(&store.fair_queue(told).await?, &mut compositions);
            match store.write_compositions(&compositions, now).await {
                Ok(()) => self.after = upto,
                Err(StoreError::Conflict) if self.conflicts < MOST_CONFLICTS => {
                    self.conflicts += 1;
                    continue;
                }
                Err(error) => return Err(error),
            }
            count(&compositions, metrics);
            return Ok(Some(compositions.iter().map(|(_, composition)| composition.messages.len()).sum()));
        }
    }
}

fn count(compositions: &[(DestinationId, Composition)], metrics: &Metrics) {
    let mut decisions: BTreeMap<(&str, Reason), u64> = BTreeMap::new();
    for (_, composition) in compositions {
        composition.holds.iter().for_each(|(.., reason)| *decisions.entry(("hold", *reason)).or_default() += 1);
        composition.skips.iter().for_each(|(_, reason)| *decisions.entry(("skip", *reason)).or_default() += 1);
    }
    for ((decision, reason), count) in decisions {
        metrics.alerts(decision, reason, count);
    }
}

/// An alert of a single token has buttons beneath it; without randomness it goes without.
fn with_buttons(mut composition: Composition) -> Composition {
    for draft in &mut composition.messages {
        if let MessageBody::Alert { buttons, .. } = &mut draft.body {
            *buttons = random::bytes().map(ButtonsId::from_random);
        }
    }
    composition
}
