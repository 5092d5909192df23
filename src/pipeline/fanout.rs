//! Stage 2: changes meet the subscriptions that match, in chunks by destination. A chunk is one short transaction that also moves the cursor of
//! every change that it looked at, so that a crash resumes in the middle and a million subscribers are not one transaction. While a chunk is
//! written the next one is decided, and the one after that is read.
//!
//! All changes that wait go through the destinations together, and those that came later catch up first: everybody before all cursors is done with
//! every change and can be told, while the rest is still looked at. A market in which hundreds of tokens turn pays for as many transactions as one in
//! which a single token does, and each destination is looked at once.

use crate::{
    clock::SharedClock,
    domain::{AlertState, Change, ChangeId, Decision, DestinationId, Timestamp},
    engine::decide::{decide, lane},
    store::{CandidateReader, Candidates, Concerned, FanoutJobs, NewAlert, Store, StoreError, StoreResult, StoredChange},
    telemetry::{Metrics, Stage},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};
use tokio::task::JoinError;

/// Wishes a transaction: a few milliseconds of the database's only writer.
const CHUNK: i64 = 500;
/// And so many more for each change, whose cursor is moved as well. A destination has two at most, so that nobody is cut in two.
const CHUNK_OF_A_CHANGE: i64 = 4;
/// Changes that go together.
const MOST_TOGETHER: i64 = 500;
/// Destinations that are looked through first; further ones by how many wishes these had.
const FIRST_SPAN: i64 = 8_000;
const MOST_GROWTH: i64 = 16;
/// How things stood counts for so long, then it is looked at anew. Much less than the time within which the store notices that people asked for
/// something else meanwhile.
const READING_COUNTS: Duration = Duration::from_millis(300);

/// Fans out every change that waits. Says how many alerts were written.
///
/// # Errors
/// Where the database fails: what was written stays, the rest goes on from the cursors.
pub async fn fan_out_all(store: &Store, clock: &SharedClock, metrics: &Metrics) -> StoreResult<usize> {
    let mut written = 0;
    while let Some(some) = Portions::default().next(store, clock, metrics, usize::MAX).await? {
        written += some;
    }
    Ok(written)
}

/// Fan-out in portions, between which something else is done: what was read ahead is kept over that.
#[derive(Default)]
pub struct Portions<'a> {
    under_way: Option<Fanout<'a>>,
}

impl<'a> Portions<'a> {
    /// Whether the last portion ended before it was known that nobody is left.
    pub fn are_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// Fans out a portion of what waits, of at most so many chunks. Says how many alerts were written; nothing where no change waits.
    ///
    /// # Errors
    /// Where the database fails: what was written stays, the rest goes on from the cursors.
    pub async fn next(&mut self, store: &'a Store, clock: &SharedClock, metrics: &Metrics, most: usize) -> StoreResult<Option<usize>> {
        let (mut written, mut chunks) = (0, 0);
        let mut under_way = match self.under_way.take() {
            Some(fanout) if fanout.is_furthest_behind().await? => Some(fanout),
            _ => None,
        };
        while chunks < most {
            let found = match under_way.take().filter(|fanout| fanout.counts(clock.now())) {
                Some(fanout) => Some(fanout),
                None => Fanout::next(store, clock.now()).await?,
            };
            let Some(mut fanout) = found else { break };
            chunks += 1;
            match fanout.chunk(clock.now(), metrics).await {
                Ok(chunk) => {
                    written += chunk.unwrap_or(0);
                    under_way = chunk.map(|_| fanout);
                }
                // Somebody else has moved a cursor, on or back: they are read anew.
                Err(StoreError::Conflict) => {}
                Err(error) => return Err(error),
            }
        }
        self.under_way = under_way;
        Ok((chunks > 0).then_some(written))
    }
}

/// Changes on their way to their subscribers, from one cursor.
pub struct Fanout<'a> {
    store: &'a Store,
    jobs: FanoutJobs,
    span: i64,
    next: Option<Decided>,
    /// Those after the next.
    beyond: Option<Candidates>,
    reader: CandidateReader,
    /// When the reader began or was renewed: what it reads is how things stood then.
    reader_at: Timestamp,
    /// When the last chunk began, in which what comes next was decided and read.
    chunk_at: Timestamp,
}

/// What was decided for everybody up to a destination.
struct Decided {
    alerts: Vec<NewAlert>,
    upto: DestinationId,
}

impl<'a> Fanout<'a> {
    /// The changes that are furthest behind, from their cursor on.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn next(store: &'a Store, now: Timestamp) -> StoreResult<Option<Self>> {
        let Some(jobs) = store.fanout_jobs(MOST_TOGETHER).await? else { return Ok(None) };
        let (mut span, mut reader) = (FIRST_SPAN, store.candidate_reader().await?);
        let first = read(&mut reader, &jobs, jobs.after, &mut span).await?;
        let first_upto = Some(first.upto);
        let (next, beyond) = tokio::try_join!(
            decide_apart(Some(first), Arc::clone(&jobs.changes), now),
            read_beyond(&mut reader, &jobs, first_upto, &mut span),
        )?;
        Ok(Some(Self { store, jobs, span, next, beyond, reader, reader_at: now, chunk_at: now }))
    }

    /// Whether no other change has come, which would have to catch up first.
    async fn is_furthest_behind(&self) -> StoreResult<bool> {
        Ok(self.store.fanout_cursor().await? == Some(self.jobs.after))
    }

    /// Whether what was read ahead is not old.
    fn counts(&self, now: Timestamp) -> bool {
        still_counts(self.chunk_at, now)
    }

    /// Writes the next chunk; meanwhile the one after it is decided, and the one after that is read. Says how many alerts were written; nothing where
    /// they have come as far as they go together.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where a cursor is not where this left it; where the database fails. Nothing of the chunk was written.
    pub async fn chunk(&mut self, now: Timestamp, metrics: &Metrics) -> StoreResult<Option<usize>> {
        let Self { store, jobs, span, next, beyond, reader, reader_at, chunk_at } = self;
        let Some(Decided { alerts, upto }) = next.take() else { return Ok(None) };
        *chunk_at = now;
        if !still_counts(*reader_at, now) {
            reader.renew().await?;
            *reader_at = now;
        }
        // Somebody may have come since: they are looked at next.
        let finishes = upto >= jobs.until && jobs.finishes && store.is_last_destination(upto).await?;
        let cursor = if finishes { None } else { Some(upto) };
        let candidates = beyond.take();
        let read_upto = candidates.as_ref().map(|candidates| candidates.upto);
        (_, *next, *beyond) = tokio::try_join!(
            store.write_alerts(&jobs.changes, jobs.after, cursor, &alerts, now),
            decide_apart(candidates, Arc::clone(&jobs.changes), now),
            read_beyond(reader, jobs, read_upto, span),
        )?;
        jobs.after = upto;
        count(&alerts, &jobs.changes, now, metrics);
        Ok(Some(alerts.len()))
    }
}

fn still_counts(seen_at: Timestamp, now: Timestamp) -> bool {
    seen_at <= now && now.since(seen_at) <= READING_COUNTS
}

fn decide_all(candidates: &Candidates, changes: &[StoredChange], now: Timestamp) -> StoreResult<Decided> {
    let by_id: BTreeMap<ChangeId, &StoredChange> = changes.iter().map(|change| (change.id, change)).collect();
    let concerned = candidates.concerned(changes)?;
    let alerts = concerned.iter().filter_map(|concerned| alert_of(&by_id.get(&concerned.change)?.change, concerned, now)).collect();
    Ok(Decided { alerts, upto: candidates.upto })
}

/// On another thread: it takes milliseconds, in which what is read and written would stand still.
async fn decide_apart(candidates: Option<Candidates>, changes: Arc<[StoredChange]>, now: Timestamp) -> StoreResult<Option<Decided>> {
    let Some(candidates) = candidates else { return Ok(None) };
    let decided = tokio::task::spawn_blocking(move || decide_all(&candidates, &changes, now)).await;
    match decided.map_err(JoinError::try_into_panic) {
        Ok(decided) => decided.map(Some),
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        // It was cancelled: the process ends.
        Err(Err(_)) => std::future::pending().await,
    }
}

/// Those beyond a destination, where the changes go further than that.
async fn read_beyond(
    reader: &mut CandidateReader,
    jobs: &FanoutJobs,
    after: Option<DestinationId>,
    span: &mut i64,
) -> StoreResult<Option<Candidates>> {
    match after.filter(|after| *after < jobs.until) {
        Some(after) => read(reader, jobs, after, span).await.map(Some),
        None => Ok(None),
    }
}

/// The next candidates beyond a destination, as many as a chunk takes; `span` is how many destinations that may be, and is learnt.
async fn read(reader: &mut CandidateReader, jobs: &FanoutJobs, after: DestinationId, span: &mut i64) -> StoreResult<Candidates> {
    let limit = CHUNK + CHUNK_OF_A_CHANGE * jobs.changes.len() as i64;
    loop {
        let upto = DestinationId(after.0.saturating_add(*span).min(jobs.until.0));
        let found = reader.read(&jobs.changes, after, upto, limit).await?;
        *span = next_span(*span, found.upto.0 - after.0, found.wishes, limit);
        if found.wishes > 0 || found.upto >= jobs.until {
            return Ok(found);
        }
    }
}

/// How many destinations have about as many wishes as are taken at once, from how many were found among the last ones. Where there were too many
/// only some were gone through.
fn next_span(span: i64, gone_through: i64, wishes: i64, limit: i64) -> i64 {
    if wishes >= limit {
        return gone_through.max(1);
    }
    // A little fewer than fit: who does not fit is looked for twice.
    let fits = span.saturating_mul(limit * 9 / 10) / wishes.max(1);
    fits.clamp(1, span.saturating_mul(MOST_GROWTH))
}

fn alert_of(change: &Change, concerned: &Concerned, now: Timestamp) -> Option<NewAlert> {
    let Concerned { destination, change: id, candidate } = concerned;
    let decision = decide(change, candidate, now)?;
    let (release_at, state) = match decision {
        // At once whatever the clock does next: a step back must not hold it (`rules.md` 6.7).
        Decision::SendNow(_) => (Timestamp::EPOCH, AlertState::Pending),
        Decision::Hold { until, .. } => (until, AlertState::Pending),
        Decision::Skip(_) => (now, AlertState::Skipped),
    };
    let (lane, reason) = (lane(decision), decision.reason());
    Some(NewAlert { destination: *destination, change: *id, decision: decision.as_str(), reason, lane, release_at, state })
}

fn count(alerts: &[NewAlert], changes: &[StoredChange], now: Timestamp, metrics: &Metrics) {
    let mut decisions: BTreeMap<_, u64> = BTreeMap::new();
    let mut told_of = BTreeSet::new();
    for alert in alerts {
        *decisions.entry((alert.decision, alert.reason)).or_default() += 1;
        told_of.insert(alert.change);
    }
    for ((decision, reason), count) in decisions {
        metrics.alerts(decision, reason, count);
    }
    for change in changes.iter().filter(|change| told_of.contains(&change.id)) {
        metrics.latency(Stage::Fanout, now.since(change.change.detected_at));
    }
}

#[cfg(test)]
mod tests {
    use super::next_span;
    use proptest::prelude::*;

    #[test]
    fn a_span_fits_what_it_found() {
        assert_eq!(next_span(2_000, 2_000, 0, 502), 32_000, "nobody: much further");
        assert_eq!(next_span(2_000, 2_000, 400, 500), 2_250);
        assert_eq!(next_span(2_000, 700, 500, 500), 700, "more than fit: as far as they came from");
        assert_eq!(next_span(1, 0, 500, 500), 1);
    }

    proptest! {
        #[test]
        fn a_span_always_goes_on(span in 1..=i64::MAX, share in 0.0..=1.0, wishes in 0..2_000_i64, limit in 502..1_500_i64) {
            let next = next_span(span, (span as f64 * share) as i64, wishes.min(limit), limit);
            prop_assert!(next >= 1);
        }
    }
}
