//! Stage 2: each change meets the subscriptions that match, in chunks by destination. A chunk is one short transaction that also moves the
//! job's cursor, so that a crash resumes in the middle and a million subscribers are not one transaction. While a chunk is written the next
//! one is read.
//!
//! Changes that concern few go together, many of them in one transaction: a market in which hundreds of tokens turn would otherwise pay for
//! hundreds of transactions. Of the others the one that is furthest behind goes on, so that everybody before all cursors is done with every change
//! and can be told, while the rest is still looked at.

use crate::{
    clock::SharedClock,
    domain::{AlertState, Decision, DestinationId, Timestamp},
    engine::decide::{decide, lane},
    store::{Candidates, Concerned, NewAlert, SmallFanoutJob, Store, StoreError, StoreResult, StoredChange},
    telemetry::{Metrics, Stage},
};
use std::collections::BTreeMap;

/// Destinations a transaction: a few milliseconds of the database's only writer.
const CHUNK: i64 = 500;
/// A change that meets fewer wishes goes together with others.
const FEW: i64 = CHUNK;
/// Changes that are looked at at once, whether they concern few.
const MOST_TOGETHER: i64 = 100;
/// Chunks of a portion: a moment after which whoever is done with every change can be told.
const PORTION: usize = 20;

/// Fans out every change that waits. Says how many alerts were written.
///
/// # Errors
/// Where the database fails: what was written stays, the rest goes on from the cursor.
pub async fn fan_out_all(store: &Store, clock: &SharedClock, metrics: &Metrics) -> StoreResult<usize> {
    let mut written = 0;
    while let Some(portion) = fan_out_some(store, clock, metrics).await? {
        written += portion;
    }
    Ok(written)
}

/// Fans out a portion of what waits. Says how many alerts were written; nothing where no change waits.
///
/// # Errors
/// Where the database fails: what was written stays, the rest goes on from the cursor.
pub async fn fan_out_some(store: &Store, clock: &SharedClock, metrics: &Metrics) -> StoreResult<Option<usize>> {
    let (mut written, mut chunks) = (0, 0);
    let small = store.small_fanout_jobs(FEW, MOST_TOGETHER).await?;
    // One alone goes the way of all others.
    let mut small = if small.len() > 1 { small.as_slice() } else { &[] };
    while !small.is_empty() && chunks < PORTION {
        let (together, rest) = small.split_at(how_many_fit(small));
        chunks += 1;
        match fan_out_together(store, together, clock.now(), metrics).await {
            Ok(alerts) => (written, small) = (written + alerts, rest),
            // Somebody else has moved a cursor: they are read anew.
            Err(StoreError::Conflict) => break,
            Err(error) => return Err(error),
        }
    }
    while chunks < PORTION {
        let Some(mut fanout) = Fanout::next(store).await? else { break };
        while chunks < PORTION {
            chunks += 1;
            match fanout.chunk(clock.now(), metrics).await {
                Ok(Some(chunk)) => written += chunk,
                Ok(None) => break,
                // Somebody else has moved the cursor, on or back: it is read anew.
                Err(StoreError::Conflict) => break,
                Err(error) => return Err(error),
            }
        }
    }
    Ok((chunks > 0).then_some(written))
}

/// How many of the first jobs one transaction takes: at least one.
fn how_many_fit(jobs: &[SmallFanoutJob]) -> usize {
    let mut wishes = 0;
    let fits = |job: &&SmallFanoutJob| {
        wishes += job.wishes;
        wishes <= CHUNK
    };
    jobs.iter().take_while(fits).count().max(1)
}

/// Fans out changes that concern few. Says how many alerts were written.
async fn fan_out_together(store: &Store, jobs: &[SmallFanoutJob], now: Timestamp, metrics: &Metrics) -> StoreResult<usize> {
    let concerned = store.candidates_of_many(jobs).await?;
    let of = |job: &SmallFanoutJob| Some((job.change.id, alerts_of(&job.change, concerned.get(&job.change.id)?, now, metrics)));
    let alerts: BTreeMap<_, _> = jobs.iter().filter_map(of).collect();
    store.write_all_alerts(jobs, &alerts, now).await?;
    for job in jobs.iter().filter(|job| alerts.get(&job.change.id).is_some_and(|alerts| !alerts.is_empty())) {
        metrics.latency(Stage::Fanout, now.since(job.change.change.detected_at));
    }
    Ok(alerts.values().map(Vec::len).sum())
}

/// A change on its way to its subscribers.
pub struct Fanout<'a> {
    store: &'a Store,
    change: StoredChange,
    after: DestinationId,
    next: Option<Candidates>,
}

impl<'a> Fanout<'a> {
    /// The change that is furthest behind, from its cursor on.
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

fn alerts_of(change: &StoredChange, candidates: &Concerned, now: Timestamp, metrics: &Metrics) -> Vec<NewAlert> {
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
