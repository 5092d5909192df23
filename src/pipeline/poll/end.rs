//! How a poll ends: its snapshot is ingested, its outcome counted, its next one set, its outage told of once (`rules.md` 1.3, 1.9, 2.10).

use super::{
    super::{
        ingest::{Ingested, ingest},
        schedule::jitter,
    },
    Poller,
    feed::Job,
    shape::RowsCame,
};
use crate::{
    domain::{Cadence, Feed, FeedStatus, Kind, Listing, Snapshot, Timestamp, Timing, wording::NoticePhrase},
    engine::confirm::{ASK_AGAIN_AFTER, Verdict},
    store::{PollRecord, StoreResult},
    telemetry::PollOutcome,
};
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
/// The longest wait after a failed poll, where its slot is not sooner.
const LONGEST_BACKOFF: Duration = Duration::from_secs(2 * 3600);
/// Without any data for so long operators are told (1.9).
const NO_DATA: Duration = Duration::from_secs(24 * 3600);
/// A poll ends some seconds after its slot: that much early still counts as the whole time.
const SLACK: Duration = Duration::from_secs(300);
/// After so many polls that brought only a part, without a complete one between, operators are told.
const MOST_PARTIAL: u32 = 3;

/// What a poll came to.
struct Ending {
    outcome: PollOutcome,
    /// Changes that it brought, without those that nobody is told of.
    changes: usize,
    /// Whether any row came.
    found: bool,
    problem: Option<String>,
    month_used_up: bool,
    /// Most of the market turned: a second answer is to come soon.
    ask_again: bool,
}

impl Poller {
    /// Ends a feed's poll: everything was asked, or it was broken off.
    pub(super) async fn end(&mut self, feed: Feed) -> StoreResult<()> {
        self.collect(feed);
        let fields = self.feeds.get(&feed).and_then(|state| Some(state.active.as_ref()?.fields.clone())).unwrap_or_default();
        self.watch_fields(&fields).await?;
        let Some(active) = self.feeds.get(&feed).and_then(|state| state.active.as_ref()) else { return Ok(()) };
        let (started_at, answered) = (active.started_at, active.answered);
        let mut ending = Ending {
            outcome: PollOutcome::Failed,
            changes: 0,
            found: active.found,
            problem: active.problem.clone(),
            month_used_up: active.month_used_up,
            ask_again: false,
        };
        self.planner.look_at_once();
        let mut came = None;
        // Whatever fails below leaves the poll as it is, and the next step ends it again.
        match &active.job {
            Job::Collected(snapshot) => {
                if !active.linked.is_empty() {
                    let tokens: Vec<_> = active.linked.values().cloned().collect();
                    self.store.learn_links(snapshot.source, &tokens).await?;
                }
                let (ingested, now) = (ingest(&self.store, snapshot, self.clock.now()).await?, self.clock.now());
                let verdict = &ingested.verdict;
                ending.ask_again = !verdict.kept_back.is_empty() || (verdict.unconfirmed.is_some() && !snapshot.complete);
                if answered > 0 {
                    (ending.outcome, ending.changes) = self.hand_over(snapshot, &ingested);
                    ending.changes += verdict.kept_back.len();
                    self.tell_verdict(feed, snapshot, verdict, now).await;
                    came = Some(RowsCame::of(snapshot, &ingested));
                }
            }
            Job::Refresh(refresh) => {
                let now = self.clock.now();
                if refresh.is_whole() {
                    let listing = refresh.write(&self.store, self.caller.source().as_ref(), self.settings.all_tokens, now).await?;
                    ending.outcome = PollOutcome::Complete;
                    self.tell_doubt(feed, &listing).await;
                    if feed == Feed::Directory
                        && let Some(count) = u32::try_from(refresh.len()).ok()
                    {
                        self.feeds.entry(feed).and_modify(|state| state.status.tokens = count);
                    }
                } else if answered > 0 {
                    ending.problem.get_or_insert_with(|| "the API lists no tokens".to_owned());
                }
            }
            Job::Signals(_) => {}
        }
        if let Some(came) = came {
            self.watch_rows(feed, came).await;
        }
        if ending.outcome == PollOutcome::Failed && ending.month_used_up {
            ending.outcome = PollOutcome::Skipped;
        }
        if !matches!(feed, Feed::Signals(_)) {
            self.record(feed, started_at, ending.outcome).await?;
        }
        self.settle(feed, started_at, ending).await
    }

    /// Turns what was collected into one snapshot that waits for the database.
    fn collect(&mut self, feed: Feed) {
        let Some(state) = self.feeds.get_mut(&feed) else { return };
        let Some(mut active) = state.active.take() else { return };
        if let Job::Signals(collector) = active.job {
            let snapshot = collector.finish();
            if snapshot.complete {
                state.silent.learn(&snapshot, &state.wanted);
            }
            active.job = Job::Collected(snapshot);
        }
        state.active = Some(active);
    }

    /// Counts what was ingested, and wakes whoever tells of it.
    fn hand_over(&self, snapshot: &Snapshot, ingested: &Ingested) -> (PollOutcome, usize) {
        for (_, change) in &ingested.changes {
            self.metrics.change(change.kind, change.way());
        }
        let (kind, rows, changes) = (snapshot.kind, snapshot.observations.len(), ingested.changes.len());
        let set_aside: usize = ingested.not_taken.values().sum();
        for (reason, rows) in &ingested.not_taken {
            self.metrics.set_aside(Feed::Signals(kind), *reason, *rows);
        }
        let news = ingested.changes.iter().filter(|(_, change)| change.timing != Timing::History).count();
        tracing::info!(%kind, asked = snapshot.asked.len(), rows, set_aside, changes, complete = snapshot.complete, "a poll was ingested");
        if changes > 0 {
            self.wake.notify_one();
        }
        (if snapshot.complete { PollOutcome::Complete } else { PollOutcome::Partial }, news)
    }

    /// Operators hear of turns that have to be shown twice, and of what the second answer said.
    async fn tell_verdict(&self, feed: Feed, snapshot: &Snapshot, verdict: &Verdict, now: Timestamp) {
        let (confirmed, refuted) = (verdict.confirmed.len(), verdict.refuted.len());
        self.metrics.unconfirmed(feed, refuted);
        if confirmed + refuted > 0 {
            self.operators.tell(NoticePhrase::MarketLookedAtAgain { feed, confirmed, refuted }).await;
        }
        if !verdict.kept_back.is_empty() {
            let until = now + ASK_AGAIN_AFTER;
            self.operators.tell(NoticePhrase::MarketTurned { feed, turned: verdict.market, asked: snapshot.asked.len(), until }).await;
        }
    }

    /// Operators hear of a list that cannot be right, until one is.
    async fn tell_doubt(&self, feed: Feed, listing: &Listing) {
        let name = format!("list-doubted:{feed}");
        if listing.is_doubted {
            self.operators.tell_once(&name, NoticePhrase::ListDoubted { feed }).await;
        } else {
            self.operators.clear(&name, None).await;
        }
    }

    /// Records a poll that no ingest records.
    async fn record(&self, feed: Feed, started_at: Timestamp, outcome: PollOutcome) -> StoreResult<()> {
        let Some(state) = self.feeds.get(&feed) else { return Ok(()) };
        let taken = if outcome == PollOutcome::Complete { state.status.tokens } else { 0 };
        let (source, finished_at) = (self.caller.source_id(), self.clock.now());
        self.store.record_poll(&PollRecord { source, feed, started_at, finished_at, outcome: outcome.as_str(), asked: 0, taken }).await
    }

    /// Writes down how the feed is doing, and tells operators what they have to know.
    async fn settle(&mut self, feed: Feed, started_at: Timestamp, ending: Ending) -> StoreResult<()> {
        let now = self.clock.now();
        self.metrics.poll(feed, ending.outcome);
        self.caller.used().await?;
        let Some(state) = self.feeds.get_mut(&feed) else { return Ok(()) };
        state.active = None;
        state.status.last_poll_at = Some(started_at);
        // What was overcome by another try is no problem.
        state.status.problem = ending.problem.clone().filter(|_| ending.outcome != PollOutcome::Complete);
        match ending.outcome {
            PollOutcome::Complete => {
                state.status.failures = 0;
                state.status.last_success_at = Some(now);
                (state.down_since, state.partial, state.partial_at) = (None, 0, None);
            }
            PollOutcome::Failed => {
                state.status.failures = state.status.failures.saturating_add(1);
                state.down_since.get_or_insert(started_at);
            }
            // The source answers: that is no failure, but not a success either.
            PollOutcome::Partial => {
                state.status.failures = 0;
                (state.down_since, state.partial, state.partial_at) = (None, state.partial.saturating_add(1), Some(now));
            }
            PollOutcome::Skipped => {}
        }
        let answered = matches!(ending.outcome, PollOutcome::Complete | PollOutcome::Partial);
        let is_taken_again = state.status.refused && !state.status.stopped && answered;
        state.status.refused &= !is_taken_again;
        self.set_next(feed, now);
        self.hasten_or_hold(feed, &ending, now);
        if ending.ask_again {
            let soon = now + ASK_AGAIN_AFTER;
            self.feeds.entry(feed).and_modify(|state| state.status.next_poll_at = state.status.next_poll_at.map(|slot| slot.min(soon)));
        }
        if matches!(feed, Feed::Signals(_)) && ending.outcome == PollOutcome::Complete {
            self.watch_for_data(feed, ending.found, now).await;
        }
        self.tell_outage(feed, &ending, is_taken_again, now).await;
        self.tell_partial(feed, &ending).await;
        if answered {
            self.tell_key().await;
        }
        self.save(feed).await
    }

    /// After a failure the next try comes before the slot where that was chosen here, but not before the API wants to be asked again; without
    /// calls left, with the next month.
    fn hasten_or_hold(&mut self, feed: Feed, ending: &Ending, now: Timestamp) {
        if ending.month_used_up {
            let at = now.day().next_month_start().start();
            self.set_next(feed, at - Duration::from_millis(1));
            self.feeds.entry(feed).and_modify(|state| state.status.next_poll_at = state.status.next_poll_at.max(Some(at)));
            return;
        }
        let rest = self.caller.rest_until(now).filter(|_| ending.outcome != PollOutcome::Complete);
        if let Some(rest) = rest {
            self.set_next(feed, rest - Duration::from_millis(1));
        }
        let Some(state) = self.feeds.get_mut(&feed) else { return };
        let chosen = matches!(state.status.cadence, Cadence::Every(_));
        if state.status.stopped {
            state.status.next_poll_at = None;
        } else if ending.outcome == PollOutcome::Failed && chosen {
            let backoff = (MINUTE * 2_u32.pow(state.status.failures.saturating_sub(1).min(10))).min(LONGEST_BACKOFF);
            let again = (now + backoff).max(rest.unwrap_or(now)) + jitter();
            state.status.next_poll_at = Some(state.status.next_poll_at.map_or(again, |slot| slot.min(again)));
        }
    }

    /// Whether the key's plan seems to hold no current data (1.9).
    async fn watch_for_data(&mut self, feed: Feed, found: bool, now: Timestamp) {
        let Some(state) = self.feeds.get_mut(&feed) else { return };
        let name = format!("no-data:{feed}");
        if found {
            if state.status.empty_since.take().is_some() {
                self.operators.clear(&name, None).await;
            }
        } else {
            let since = *state.status.empty_since.get_or_insert(now);
            if now.since(since) >= NO_DATA {
                self.operators.tell_once(&name, NoticePhrase::NoCurrentData { feed }).await;
            }
        }
    }

    /// One notice of an outage, one of its end (2.10). A refusal has a notice of its own; its end has the same.
    async fn tell_outage(&self, feed: Feed, ending: &Ending, is_taken_again: bool, now: Timestamp) {
        let Some(state) = self.feeds.get(&feed) else { return };
        let name = format!("feed-down:{feed}");
        let back = NoticePhrase::FeedBack { feed, changes: ending.changes };
        if is_taken_again {
            self.operators.clear(&name, None).await;
            self.operators.tell(back).await;
        } else if ending.outcome == PollOutcome::Complete {
            self.operators.clear(&name, Some(back)).await;
        } else if ending.outcome == PollOutcome::Failed && !state.status.stopped {
            let since = state.status.last_success_at.max(state.partial_at).or(state.down_since).unwrap_or(now);
            // While it rests nothing can come: what will be missed until then is certain.
            let rests_long = self.caller.rest_until(now).is_some_and(|rest| rest.since(now) > super::LONGEST_WAIT);
            let until = if rests_long { state.status.next_poll_at.unwrap_or(now) } else { now };
            if (state.status.failures >= 2 || rests_long) && is_outage(&state.status, since, until) {
                let problem = ending.problem.clone().unwrap_or_else(|| "no answer".to_owned());
                self.operators.tell_once(&name, NoticePhrase::FeedDown { feed, since, problem }).await;
            }
        }
    }

    /// One notice where the first key is refused and the next one answers, until the first one does.
    async fn tell_key(&self) {
        const NAME: &str = "next-key";
        if self.caller.source().uses_next_key() {
            self.operators.tell_once(NAME, NoticePhrase::NextKeyInUse).await;
        } else {
            self.operators.clear(NAME, None).await;
        }
    }

    /// One notice where polls bring only a part again and again: some tokens may never be among it.
    async fn tell_partial(&self, feed: Feed, ending: &Ending) {
        let Some(state) = self.feeds.get(&feed) else { return };
        let name = format!("feed-partial:{feed}");
        match ending.outcome {
            PollOutcome::Complete => self.operators.clear(&name, None).await,
            PollOutcome::Partial if state.partial >= MOST_PARTIAL => {
                let problem = ending.problem.clone().unwrap_or_else(|| "no answer".to_owned());
                self.operators.tell_once(&name, NoticePhrase::FeedPartial { feed, polls: state.partial, problem }).await;
            }
            _ => {}
        }
    }
}

/// Two polls were missed, and at least an hour of hourly calls or six of the others. Ranks and the full list have days between two polls:
/// where none ever came, nothing works without them, and an hour is enough.
fn is_outage(status: &FeedStatus, since: Timestamp, until: Timestamp) -> bool {
    let never_loaded = !matches!(status.feed, Feed::Signals(_)) && status.last_success_at.is_none();
    let least = if status.feed == Feed::Signals(Kind::Hourly) || never_loaded { HOUR } else { 6 * HOUR };
    let two_polls = match &status.cadence {
        Cadence::Every(period) if !never_loaded => *period * 2,
        _ => Duration::ZERO,
    };
    until.since(since) + SLACK >= least.max(two_polls)
}
