//! The poller: which feeds are due, what they ask for, and every call of a poll within budget and pace (`rules.md` section 1).
//!
//! A poll is a state machine. [`Poller::step`] does what can be done now and says when to come back; it never sleeps, so that a clock that
//! is moved by hand moves the polls. All feeds share the calls of the minute, daily calls first.
//!
//! A newly subscribed token without state is asked for at the feed's next slot; the first subscription of a feed that was never polled
//! begins its first poll at once, unless a given cron expression says when. A poll that failed is tried again before its next slot.

mod end;
mod feed;
mod plan;
mod shape;

pub use plan::demand;

use super::{
    calls::{CallEnd, Caller, Purpose},
    directory::Refresh,
    operators::Operators,
    outage::Outage,
    schedule::Schedule,
};
use crate::{
    clock::SharedClock,
    domain::{
        Feed, Kind, Timestamp,
        wording::{NoticePhrase, Trouble},
    },
    engine::budget::{self, Wish},
    http::Renewals,
    sources::{Ask, Source, SourceError},
    store::{CallLimits, Store, StoreError, StoreResult},
    telemetry::{Metrics, PollOutcome},
};
use feed::{Active, FeedState, Job};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// How often a call is made within one poll.
const TRIES: u32 = 3;
/// After so many calls that failed for good, one after the other, a poll is broken off.
const MOST_FAILED: u32 = 3;
/// The wait before the second try; four times as long before the third.
const FIRST_BACKOFF: Duration = Duration::from_secs(2);
/// A poll that would have to wait longer for its next call is broken off.
const LONGEST_WAIT: Duration = Duration::from_secs(15 * 60);
/// The clock is read at least so often (`rules.md` 6.7).
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// What the poller is made of.
pub struct PollerParts {
    /// Where signals come from.
    pub source: Arc<dyn Source>,
    /// The database.
    pub store: Store,
    /// The time.
    pub clock: SharedClock,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// Who hears of outages.
    pub operators: Operators,
    /// What the operator set.
    pub settings: PollSettings,
    /// Notified after changes were ingested.
    pub wake: Arc<Notify>,
}

/// The settings of the contract that concern polls.
#[derive(Clone, Debug, Default)]
pub struct PollSettings {
    /// `TOKEN_METRICS_CALLS_PER_MONTH`; 0 is no limit.
    pub calls_per_month: u32,
    /// `TOKEN_METRICS_CALLS_PER_MINUTE`; 0 is no limit.
    pub calls_per_minute: u32,
    /// `BELLWETHER_ALL_TOKENS`.
    pub all_tokens: u32,
    /// `BELLWETHER_SCHEDULE_…`; kinds that are not named are chosen.
    pub schedules: BTreeMap<Kind, Schedule>,
}

impl PollSettings {
    /// The limits of calls.
    pub fn limits(&self) -> CallLimits {
        CallLimits { per_month: self.calls_per_month, per_minute: self.calls_per_minute, despite_rest: false }
    }

    /// What the plan needs to know of the schedules: the same throughout a month, and no small work where one of them fires every few seconds.
    pub fn wishes(&self, now: Timestamp) -> BTreeMap<Kind, Wish> {
        self.schedules.iter().map(|(kind, schedule)| (*kind, schedule.wish(now))).collect()
    }
}

/// Polls every feed.
pub struct Poller {
    store: Store,
    clock: SharedClock,
    metrics: Arc<Metrics>,
    operators: Operators,
    settings: PollSettings,
    wake: Arc<Notify>,
    caller: Caller,
    feeds: BTreeMap<Feed, FeedState>,
    planner: plan::Planner,
    watch: shape::Watch,
    renewals: Option<Renewals>,
    /// When this process began.
    began_at: Timestamp,
}

/// What became of one turn of a feed.
enum Turn {
    /// Something was done; there may be more to do at once.
    Worked,
    /// Nothing before then.
    NotBefore(Timestamp),
}

impl Poller {
    /// A poller that has not looked at anything yet.
    pub fn new(parts: PollerParts) -> Self {
        let PollerParts { source, store, clock, metrics, operators, settings, wake } = parts;
        let renewals = source.renewals();
        let caller = Caller::new(source, store.clone(), clock.clone(), metrics.clone(), settings.limits());
        let began_at = clock.now();
        Self {
            store,
            clock,
            metrics,
            operators,
            settings,
            wake,
            caller,
            feeds: unknown_feeds(),
            planner: plan::Planner::default(),
            watch: shape::Watch::default(),
            renewals,
            began_at,
        }
    }

    /// What makes its calls: look-ups share it, so that all keep the same limits.
    pub fn caller(&self) -> Caller {
        self.caller.clone()
    }

    /// Whether a poll is under way: then [`Poller::step`] is to be called when it said, whatever the next slot.
    pub fn is_polling(&self) -> bool {
        self.feeds.values().any(|state| state.active.is_some())
    }

    /// Polls until told to stop, or until another process does, and writes through `store`. A poll under way is left then; its calls are counted. Nothing is remembered of an
    /// earlier time: another process may have polled since.
    pub async fn run(&mut self, store: Store, shutdown: CancellationToken) {
        self.caller = self.caller.writing_to(store.clone());
        self.operators = self.operators.writing_to(store.clone());
        self.store = store;
        self.feeds = unknown_feeds();
        (self.planner, self.watch) = (plan::Planner::default(), shape::Watch::default());
        let mut outage = Outage::of("polling");
        loop {
            let result = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                result = self.step() => result,
            };
            let wait = match result {
                Ok(next) => {
                    outage.over();
                    next.since(self.clock.now()).clamp(Duration::from_millis(10), LONGEST_SLEEP)
                }
                Err(StoreError::Overtaken) => return,
                Err(error) => {
                    outage.failed(&error);
                    LONGEST_SLEEP
                }
            };
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Does everything that is due now and says when to come back.
    ///
    /// # Errors
    /// Where the database fails: nothing is lost, the next step goes on where this one stopped.
    pub async fn step(&mut self) -> StoreResult<Timestamp> {
        self.resume_refused().await?;
        self.look_again().await?;
        loop {
            self.begin_due().await?;
            let (mut next, mut worked) = (Timestamp::NEVER, false);
            for feed in Feed::POLLED {
                match self.turn(*feed).await? {
                    Turn::Worked => worked = true,
                    Turn::NotBefore(at) => next = next.min(at),
                }
            }
            if !worked {
                return Ok(next.min(self.planner.look_again_at(&self.feeds)));
            }
        }
    }

    async fn begin_due(&mut self) -> StoreResult<()> {
        let now = self.clock.now();
        let due: Vec<Feed> = self.feeds.values().filter(|state| state.is_due(now)).map(|state| state.status.feed).collect();
        for feed in due {
            match feed {
                Feed::Signals(kind) => self.begin_signals(kind, now).await?,
                Feed::Ranks => self.begin(feed, Job::Refresh(Refresh::ranks(self.settings.all_tokens)), now),
                Feed::Directory => self.begin(feed, Job::Refresh(Refresh::full_list()), now),
            }
        }
        Ok(())
    }

    fn begin(&mut self, feed: Feed, job: Job, now: Timestamp) {
        if let Some(state) = self.feeds.get_mut(&feed) {
            state.active = Some(Active::new(job, now));
        }
    }

    /// Begins a poll of signals, unless the budget's pace says that it has to wait (1.4).
    async fn begin_signals(&mut self, kind: Kind, now: Timestamp) -> StoreResult<()> {
        let feed = Feed::Signals(kind);
        let wanted = self.store.wanted_tokens(self.caller.source_id(), kind).await?;
        let used = self.caller.used().await?;
        let Some(state) = self.feeds.get_mut(&feed) else { return Ok(()) };
        let tokens = state.silent.sift(&wanted, now);
        state.wanted = wanted;
        if tokens.is_empty() {
            state.status.next_poll_at = None;
            return Ok(());
        }
        let collector = self.caller.source().collect(Ask { kind, tokens, now });
        let (month, cost) = (self.settings.calls_per_month, collector.planned_calls());
        if budget::keeps_pace(month, used, cost, now) {
            self.begin(feed, Job::Signals(collector), now);
            return Ok(());
        }
        let again = budget::pace_regained(month, used, cost, now);
        tracing::info!(%feed, used, cost, month, %again, "a poll is skipped: the calls that are left are kept for later");
        self.metrics.poll(feed, PollOutcome::Skipped);
        if let Some(state) = self.feeds.get_mut(&feed) {
            state.status.problem = Some(format!("waits for the call budget: {used} of {month} used this month, a poll takes {cost}"));
        }
        self.set_next(feed, now.max(again - Duration::from_millis(1)));
        self.save(feed).await
    }

    /// One call of a feed's poll, or its end.
    async fn turn(&mut self, feed: Feed) -> StoreResult<Turn> {
        let now = self.clock.now();
        let Some(state) = self.feeds.get_mut(&feed) else { return Ok(Turn::NotBefore(Timestamp::NEVER)) };
        let tries = if state.status.failures > 0 { 1 } else { TRIES };
        let Some(active) = state.active.as_mut() else {
            let next = if state.status.stopped { None } else { state.status.next_poll_at };
            return Ok(Turn::NotBefore(next.unwrap_or(Timestamp::NEVER)));
        };
        if active.retry_at > now {
            return Ok(Turn::NotBefore(active.retry_at));
        }
        let Some(call) = active.current_call(self.caller.source().as_ref()) else {
            self.end(feed).await?;
            return Ok(Turn::Worked);
        };
        let purpose = if matches!(feed, Feed::Signals(_)) { Purpose::Poll } else { Purpose::Directory };
        match self.caller.call(&call, purpose).await? {
            CallEnd::NotBefore(at) if at.since(now) <= LONGEST_WAIT => return Ok(Turn::NotBefore(at)),
            CallEnd::NotBefore(at) => active.break_off(Trouble::SourceLimited.explain(format!("the API asks to wait until {at}"))),
            CallEnd::MonthUsedUp => {
                active.month_used_up = true;
                active.break_off(Trouble::SourceBudget.explain("the month's calls are used up"));
            }
            CallEnd::Came(page) => active.settle(Some(page)),
            CallEnd::Failed(error) => {
                active.fail(&error, tries, self.clock.now());
                if matches!(error, SourceError::Refused { .. }) {
                    (state.status.stopped, state.status.refused) = (true, true);
                    let notice = NoticePhrase::FeedRefused { feed, problem: error.explain() };
                    self.operators.tell_once(&refused_notice(feed), notice).await;
                }
            }
        }
        Ok(Turn::Worked)
    }
}

impl Active {
    /// Nothing more is asked: what came is all there is.
    fn break_off(&mut self, problem: String) {
        self.problem = Some(problem);
        self.broken_off = true;
    }

    /// Takes note of a failed call: again later, not again, or nothing more.
    fn fail(&mut self, error: &SourceError, tries: u32, now: Timestamp) {
        self.problem = Some(error.explain());
        self.attempts += 1;
        if matches!(error, SourceError::Refused { .. }) {
            self.broken_off = true;
        } else if error.is_passing() && self.attempts < tries {
            let backoff = FIRST_BACKOFF * 4_u32.pow(self.attempts - 1);
            // What a 429 asks for is the caller's to keep, for every feed: it says then how long that is, and too long ends the poll.
            self.retry_at = now + backoff.mul_f64(1.0 + fastrand::f64() / 2.0);
        } else {
            self.settle(None);
            self.broken_off = self.failed >= MOST_FAILED;
        }
    }
}

fn unknown_feeds() -> BTreeMap<Feed, FeedState> {
    Feed::POLLED.iter().map(|feed| (*feed, FeedState::new(*feed))).collect()
}

/// The name under which operators are told once that a feed is refused.
fn refused_notice(feed: Feed) -> String {
    format!("feed-refused:{feed}")
}
