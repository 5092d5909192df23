//! Stage 2: each change meets the subscriptions that match, in chunks by destination. A chunk is one short transaction that also moves the
//! job's cursor, so that a crash resumes in the middle and a million subscribers are not one transaction. While a chunk is written the next
//! one is read.

use crate::{
    clock::SharedClock,
    domain::{AlertState, Candidate, Decision, DestinationId, Timestamp},
    engine::decide::{decide, lane},
    store::{Candidates, NewAlert, Store, StoreError, StoreResult, StoredChange},
    telemetry::{Metrics, Stage},
};
use std::collections::BTreeMap;

/// Destinations a transaction: a few milliseconds of the database's only writer.
const CHUNK: i64 = 500;

/// Fans out every change that waits. Says how many alerts were written.
///
/// # Errors
/// Where the database fails: what was written stays, the rest goes on from the cursor.
pub async fn fan_out_all(store: &Store, clock: &SharedClock, metrics: &Metrics) -> StoreResult<usize> {
    let mut written = 0;
    while let Some(mut fanout) = Fanout::next(store).await? {
        loop {
            match fanout.chunk(clock.now(), metrics).await {
                Ok(Some(chunk)) => written += chunk,
                Ok(None) => break,
                // Somebody else has moved the cursor, on or back: it is read anew.
                Err(StoreError::Conflict) => break,
                Err(error) => return Err(error),
            }
        }
    }
    Ok(written)
}

/// A change on its way to its subscribers.
pub struct Fanout<'a> {
    store: &'a Store,
    change: StoredChange,
    after: DestinationId,
    next: Option<Candidates>,
}

impl<'a> Fanout<'a> {
    /// The oldest change that is not fanned out yet, from its cursor on.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn next(store: &'a Store) -> StoreResult<Option<Self>> {
        let Some(job) = store.next_fanout_job().await? else { return Ok(None) };
        let Some(change) = store.change(job.change).await? else { return Ok(None) };
        let next = store.candidates(&change, job.after, CHUNK).await?;
        Ok(Some(Self { store, change, after: job.after, next: Some(next) }))
    }

    /// Writes the next chunk. Says how many alerts that were; nothing where the last was written and the job is done.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where the cursor is not where this left it; where the database fails. Nothing of the chunk was written.
    pub async fn chunk(&mut self, now: Timestamp, metrics: &Metrics) -> StoreResult<Option<usize>> {
        let Self { store, change, after, .. } = self;
        let Some(Candidates { by_destination, upto }) = self.next.take() else { return Ok(None) };
        let alerts = alerts_of(change, &by_destination, now, metrics);
        let written = store.write_alerts(change, *after, upto, &alerts, now);
        if let Some(upto) = upto {
            let (_, beyond) = tokio::try_join!(written, store.candidates(change, upto, CHUNK))?;
            (self.after, self.next) = (upto, Some(beyond));
        } else {
            written.await?;
        }
        if !alerts.is_empty() {
            metrics.latency(Stage::Fanout, now.since(change.change.detected_at));
        }
        Ok(Some(alerts.len()))
    }
}

fn alerts_of(change: &StoredChange, candidates: &BTreeMap<DestinationId, Candidate>, now: Timestamp, metrics: &Metrics) -> Vec<NewAlert> {
    let mut alerts = Vec::with_capacity(candidates.len());
    let mut decisions: BTreeMap<_, u64> = BTreeMap::new();
    for (destination, candidate) in candidates {
        let Some(decision) = decide(&change.change, candidate, now) else { continue };
        let (release_at, state) = match decision {
            // At once whatever the clock does next: a step back must not hold it (`rules.md` 6.7).
            Decision::SendNow(_) => (Timestamp::EPOCH, AlertState::Pending),
            Decision::Hold { until, .. } => (until, AlertState::Pending),
            Decision::Skip(_) => (now, AlertState::Skipped),
        };
        *decisions.entry((decision.as_str(), decision.reason())).or_default() += 1;
        let (lane, reason) = (lane(decision), decision.reason());
        alerts.push(NewAlert { destination: *destination, decision: decision.as_str(), reason, lane, release_at, state });
    }
    for ((decision, reason), count) in decisions {
        metrics.alerts(decision, reason, count);
    }
    alerts
}
