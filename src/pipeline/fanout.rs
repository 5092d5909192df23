//! Stage 2: each change meets the subscriptions that match, in chunks by destination. A chunk is one short transaction that also moves the
//! job's cursor, so that a crash resumes in the middle and a million subscribers are not one transaction.

use crate::{
    clock::SharedClock,
    domain::{AlertState, Candidate, Decision, DestinationId, Timestamp},
    engine::decide::{decide, lane},
    store::{FanoutJob, NewAlert, Store, StoreResult, StoredChange},
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
    while let Some(job) = store.next_fanout_job().await? {
        written += fan_out_chunk(store, job, clock.now(), metrics).await?;
    }
    Ok(written)
}

/// Fans out the next chunk of one job.
///
/// # Errors
/// Where the database fails: nothing of the chunk was written.
pub async fn fan_out_chunk(store: &Store, job: FanoutJob, now: Timestamp, metrics: &Metrics) -> StoreResult<usize> {
    let Some(change) = store.change(job.change).await? else { return Ok(0) };
    let candidates = store.candidates(&change, job.after, CHUNK).await?;
    let upto = candidates.keys().next_back().copied();
    let alerts = alerts_of(&change, &candidates, now, metrics);
    store.write_alerts(&change, job.after, upto, &alerts, now).await?;
    if !alerts.is_empty() {
        metrics.latency(Stage::Fanout, now.since(change.change.detected_at));
    }
    Ok(alerts.len())
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
