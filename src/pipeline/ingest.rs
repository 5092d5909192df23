//! Stage 1: a snapshot meets the stored state; what differs becomes changes.

use crate::{
    domain::{Change, ChangeId, SetAside, SetAsideReason, Snapshot, Timestamp},
    engine::{
        confirm::{Verdict, believe},
        diff::Diff,
        threshold::Lines,
    },
    store::{Applied, PollResult, Store, StoreError, StoreResult},
    telemetry::PollOutcome,
};
use std::collections::{BTreeMap, BTreeSet};

/// How often a race with another writer of the same feed is lost before it is given up: with two replicas, once is rare.
const ATTEMPTS: u32 = 8;

/// What one snapshot brought.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ingested {
    /// The changes that were stored, in order of time, those that nobody is told of ([`crate::domain::Timing::History`]) included.
    pub changes: Vec<(ChangeId, Change)>,
    /// Rows that were not taken by their reasons, not counting those that said what was known.
    pub not_taken: BTreeMap<SetAsideReason, usize>,
    /// What became of turns that would be most of the market's.
    pub verdict: Verdict,
}

/// Compares a snapshot with the stored state and commits the new state, the changes and their fan-out jobs in one transaction.
///
/// # Errors
/// Where the database fails: nothing was changed, and the same snapshot can be ingested again.
pub async fn ingest(store: &Store, snapshot: &Snapshot, now: Timestamp) -> StoreResult<Ingested> {
    for _ in 0..ATTEMPTS {
        let known = store.token_states(snapshot.source, snapshot.kind).await?;
        let lines = lines(store, snapshot).await?;
        let (diff, verdict) = believe(&known.states, known.unconfirmed.as_ref(), &lines, snapshot, now);
        let mut not_taken = BTreeMap::new();
        for row in diff.set_aside.iter().filter(|row| was_not_taken(row)) {
            *not_taken.entry(row.reason).or_default() += 1;
        }
        match store.store_poll(&poll_result(snapshot, &diff, &verdict, not_taken.values().sum()), known.version, now).await? {
            Applied::Stored(ids) => return Ok(Ingested { changes: ids.into_iter().zip(diff.changes).collect(), not_taken, verdict }),
            Applied::Conflict => {}
        }
    }
    Err(StoreError::Contended)
}

/// The lines that were drawn for the numbers of graded kinds.
async fn lines(store: &Store, snapshot: &Snapshot) -> StoreResult<Lines> {
    if !snapshot.kind.is_graded() {
        return Ok(Lines::default());
    }
    let watched = store.watched_thresholds(snapshot.source, snapshot.kind).await?;
    let in_all = if watched.is_empty() { BTreeSet::new() } else { store.tokens_in_all(snapshot.source).await? };
    Ok(Lines { watched, in_all })
}

fn poll_result<'a>(snapshot: &Snapshot, diff: &'a Diff, verdict: &'a Verdict, set_aside: usize) -> PollResult<'a> {
    PollResult {
        source: snapshot.source,
        kind: snapshot.kind,
        started_at: snapshot.started_at,
        outcome: outcome(snapshot).as_str(),
        settles: outcome(snapshot) != PollOutcome::Failed && verdict.unconfirmed.is_none(),
        // What waits for a second answer was not believed: such a poll shows nothing of turns (N3).
        complete: snapshot.complete && verdict.kept_back.is_empty(),
        asked: snapshot.asked.len(),
        taken: diff.taken,
        set_aside,
        states: &diff.states,
        observations: &diff.observations,
        changes: &diff.changes,
        seen: &diff.seen,
        absent: &diff.absent,
        unconfirmed: verdict.unconfirmed.as_ref(),
    }
}

fn outcome(snapshot: &Snapshot) -> PollOutcome {
    match (snapshot.complete, snapshot.observations.is_empty()) {
        (true, _) => PollOutcome::Complete,
        (false, false) => PollOutcome::Partial,
        (false, true) => PollOutcome::Failed,
    }
}

/// Rows that say what was known, or that set a baseline, are not counted.
const fn was_not_taken(row: &SetAside) -> bool {
    !matches!(row.reason, SetAsideReason::Unchanged | SetAsideReason::Baseline | SetAsideReason::Older | SetAsideReason::Duplicate)
}
