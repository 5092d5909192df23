//! Stage 1: a snapshot meets the stored state; what differs becomes changes.

use crate::{
    domain::{Change, ChangeId, Observation, SetAside, SetAsideReason, Snapshot, Timestamp, TokenId},
    engine::{
        confirm::{Verdict, confirm},
        diff::{Diff, diff},
    },
    store::{Applied, KnownStates, PollResult, Store, StoreError, StoreResult},
    telemetry::PollOutcome,
};

/// How often a race with another writer of the same feed is lost before it is given up: with two replicas, once is rare.
const ATTEMPTS: u32 = 8;

/// What one snapshot brought.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ingested {
    /// The changes that were stored, in order of time, those that nobody is told of ([`crate::domain::Timing::History`]) included.
    pub changes: Vec<(ChangeId, Change)>,
    /// Rows that were not taken, not counting those that said what was known.
    pub set_aside: usize,
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
        let (diff, verdict) = believe(&known, snapshot, now);
        let set_aside = diff.set_aside.iter().filter(|row| was_not_taken(row)).count();
        let result = PollResult { unconfirmed: verdict.unconfirmed.as_ref(), ..poll_result(snapshot, &diff, set_aside) };
        match store.store_poll(&result, known.version, now).await? {
            Applied::Stored(ids) => return Ok(Ingested { changes: ids.into_iter().zip(diff.changes).collect(), set_aside, verdict }),
            Applied::Conflict => {}
        }
    }
    Err(StoreError::Contended)
}

/// What a snapshot means, without the rows of those tokens whose turn has to be shown a second time: for them nothing is known yet.
fn believe(known: &KnownStates, snapshot: &Snapshot, now: Timestamp) -> (Diff, Verdict) {
    let all = diff(&known.states, snapshot, now);
    let verdict = confirm(&all, snapshot, known.unconfirmed.as_ref(), now);
    if verdict.kept_back.is_empty() {
        return (all, verdict);
    }
    let (kept_back, believed) = snapshot.observations.iter().cloned().partition(|row| verdict.kept_back.contains(&row.token));
    let aside = |row: Observation| SetAside { token: Some(row.token), data_time: Some(row.data_time), reason: SetAsideReason::Unconfirmed };
    let kept_back: Vec<Observation> = kept_back;
    let set_aside = snapshot.set_aside.iter().cloned().chain(kept_back.into_iter().map(aside)).collect();
    let mut rest = diff(&known.states, &Snapshot { observations: believed, set_aside, ..snapshot.clone() }, now);
    // They were answered for: their turn is no late one when it is believed, but that of a token which had been away is.
    rest.absent.retain(|token| !verdict.kept_back.contains(token));
    let was_there = |token: &&TokenId| known.states.get(*token).is_some_and(|state| state.seen_at >= state.asked_at);
    rest.seen.extend(verdict.kept_back.iter().filter(was_there));
    (rest, verdict)
}

fn poll_result<'a>(snapshot: &Snapshot, diff: &'a Diff, set_aside: usize) -> PollResult<'a> {
    PollResult {
        source: snapshot.source,
        kind: snapshot.kind,
        started_at: snapshot.started_at,
        outcome: outcome(snapshot).as_str(),
        complete: snapshot.complete,
        asked: snapshot.asked.len(),
        taken: diff.taken,
        set_aside,
        states: &diff.states,
        observations: &diff.observations,
        changes: &diff.changes,
        seen: &diff.seen,
        absent: &diff.absent,
        unconfirmed: None,
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
