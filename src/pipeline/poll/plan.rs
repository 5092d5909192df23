//! How often each feed is polled: looked at again now and then, written down so that `/status` shows it (`rules.md` 1.5 and 1.6).

use super::{
    super::schedule::{Schedule, jitter},
    PollSettings, Poller,
    feed::FeedState,
    refused_notice,
};
use crate::{
    domain::{Cadence, Day, Feed, FeedStatus, Kind, SourceId, Timestamp},
    engine::budget::{self, Demand, Plan, Wish},
    http::Renewals,
    store::{Store, StoreResult, WantedTargets},
};
use std::{collections::BTreeMap, time::Duration};

/// Who wants what is looked at so often.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// Where nobody wants a feed yet, a glance for the first subscription comes so often.
const GLANCE_EVERY: Duration = Duration::from_secs(1);
/// What nobody wants any more is noticed so often: with ten thousand tokens it takes a while to see what everybody wants.
const READ_ALL_EVERY: Duration = Duration::from_secs(60);
/// Numbers of subscriptions that may still be on their way when a higher one is there already.
const ON_THEIR_WAY: i64 = 1_000;
/// Beyond a cadence and its jitter no slot can lie: the clock was stepped back.
const SLACK: Duration = Duration::from_secs(60);

/// What the plan was last made of.
#[derive(Default)]
pub(super) struct Planner {
    started: bool,
    looked_at: Option<Timestamp>,
    last: Option<(Demand, Plan)>,
    /// What the schedules come to in the month that begins on this day.
    wishes: Option<(Day, BTreeMap<Kind, Wish>)>,
    wanted: Option<Wanted>,
    newest_subscription: Option<i64>,
    glanced_at: Timestamp,
}

/// What everybody wants, as it was last read.
struct Wanted {
    targets: WantedTargets,
    read_at: Timestamp,
    newest: i64,
}

impl Planner {
    /// A poll has ended, which may have changed what `all` means or what can be afforded: looked at before anything else.
    pub(super) fn look_at_once(&mut self) {
        self.looked_at = None;
    }

    fn wishes(&mut self, settings: &PollSettings, now: Timestamp) -> BTreeMap<Kind, Wish> {
        let month = now.day().month_start();
        let (_, wishes) = match self.wishes.take().filter(|(of, _)| *of == month) {
            Some(known) => self.wishes.insert(known),
            None => self.wishes.insert((month, settings.wishes(now))),
        };
        wishes.clone()
    }

    /// What everybody wants: all of it now and then, in between what came to it.
    async fn wanted(&mut self, store: &Store, source: SourceId, now: Timestamp) -> StoreResult<&WantedTargets> {
        let newest = store.newest_subscription().await?.unwrap_or_default();
        let known = self.wanted.take().filter(|known| known.read_at <= now && now < known.read_at + READ_ALL_EVERY);
        let wanted = match known {
            Some(mut known) => {
                store.add_wanted_since(known.newest - ON_THEIR_WAY, source, &mut known.targets).await?;
                Wanted { newest, ..known }
            }
            None => Wanted { targets: store.wanted_targets(source).await?, read_at: now, newest },
        };
        Ok(&self.wanted.insert(wanted).targets)
    }

    /// When it is time to look again who wants what.
    pub(super) fn look_again_at(&self, feeds: &BTreeMap<Feed, FeedState>) -> Timestamp {
        let look = self.looked_at.map_or(Timestamp::EPOCH, |at| at + LOOK_EVERY);
        // Whoever waits for the first subscription comes back soon; it is all that can happen to a feed that nobody wants.
        if is_any_idle(feeds) { look.min(self.glanced_at + GLANCE_EVERY) } else { look }
    }
}

fn is_any_idle(feeds: &BTreeMap<Feed, FeedState>) -> bool {
    feeds.values().any(|state| state.status.cadence == Cadence::Idle)
}

/// The demand on the source as the database knows it, for the plan (`check` and `/subscribe` ask with changed numbers).
///
/// # Errors
/// Where the database fails.
pub async fn demand(store: &Store, source: SourceId, settings: &PollSettings, wishes: BTreeMap<Kind, Wish>) -> StoreResult<Demand> {
    let wanted = store.wanted_targets(source).await?;
    demand_of(&wanted, store, source, settings, wishes).await
}

async fn demand_of(
    wanted: &WantedTargets,
    store: &Store,
    source: SourceId,
    settings: &PollSettings,
    wishes: BTreeMap<Kind, Wish>,
) -> StoreResult<Demand> {
    let statuses = store.feed_statuses(source).await?;
    Ok(Demand {
        calls_per_month: settings.calls_per_month,
        all_tokens: settings.all_tokens,
        list_pages: Demand::list_pages_of(store.count_tokens(source).await?),
        tokens: Kind::ALL.iter().map(|kind| (*kind, wanted.tokens(*kind))).collect(),
        refused: statuses.iter().filter_map(FeedStatus::refused_kind).collect(),
        wishes,
    })
}

impl Poller {
    /// Looks again who wants what, where it is time for it, and plans anew where that changes anything.
    pub(super) async fn look_again(&mut self) -> StoreResult<()> {
        let now = self.clock.now();
        if !self.planner.started {
            self.start().await?;
        }
        let looked_lately = self.planner.looked_at.is_some_and(|at| at <= now && now < at + LOOK_EVERY);
        let due = self.feeds.values().any(|state| state.is_due(now));
        if looked_lately && !due && !self.has_a_new_subscription().await? {
            return Ok(());
        }
        let (source, wishes) = (self.caller.source_id(), self.planner.wishes(&self.settings, now));
        let wanted = self.planner.wanted(&self.store, source, now).await?;
        let demand = demand_of(wanted, &self.store, source, &self.settings, wishes).await?;
        self.planner.looked_at = Some(now);
        let plan = match &self.planner.last {
            Some((last, plan)) if *last == demand => plan.clone(),
            _ => budget::plan(&demand),
        };
        self.apply(&demand, &plan, now).await?;
        self.planner.last = Some((demand, plan));
        Ok(())
    }

    /// Whether somebody may want a feed that nobody wanted; asked only where there is such a feed.
    async fn has_a_new_subscription(&mut self) -> StoreResult<bool> {
        if !is_any_idle(&self.feeds) {
            return Ok(false);
        }
        self.planner.glanced_at = self.clock.now();
        let newest = self.store.newest_subscription().await?;
        Ok(std::mem::replace(&mut self.planner.newest_subscription, newest) != newest)
    }

    /// Takes up what the last run left. What was refused is tried again: perhaps the key was changed. Until it answers it is planned without.
    async fn start(&mut self) -> StoreResult<()> {
        // How many calls are left is to be seen before the first poll.
        self.caller.used().await?;
        self.caller.recall_rest().await?;
        let now = self.clock.now();
        for status in self.store.feed_statuses(self.caller.source_id()).await? {
            let (feed, was_stopped) = (status.feed, status.stopped);
            let Some(state) = self.feeds.get_mut(&feed) else { continue };
            (state.status, state.saved) = (status.clone(), Some(status));
            let (slot, last) = (state.status.next_poll_at, state.status.last_poll_at.filter(|last| *last <= now));
            // It was ingested, and the death came before the next slot was written down.
            if let Some(last) = last.filter(|last| matches!(feed, Feed::Signals(_)) && slot.is_some_and(|slot| slot <= *last)) {
                self.set_next(feed, last);
            }
            if was_stopped {
                self.resume(feed, None).await?;
            }
        }
        self.planner.started = true;
        Ok(())
    }

    /// With another key what was refused is tried at once.
    pub(super) async fn resume_refused(&mut self) -> StoreResult<()> {
        if !self.renewals.as_mut().is_some_and(Renewals::heard) {
            return Ok(());
        }
        let now = self.clock.now();
        let stopped: Vec<Feed> = self.feeds.values().filter(|state| state.status.stopped).map(|state| state.status.feed).collect();
        for feed in stopped {
            tracing::info!(%feed, "the feed is tried again, because the API key was renewed");
            self.resume(feed, Some(now)).await?;
        }
        Ok(())
    }

    async fn resume(&mut self, feed: Feed, next_poll_at: Option<Timestamp>) -> StoreResult<()> {
        let Some(state) = self.feeds.get_mut(&feed) else { return Ok(()) };
        (state.status.stopped, state.status.next_poll_at) = (false, next_poll_at);
        self.operators.clear(&refused_notice(feed), None).await;
        self.save(feed).await
    }

    async fn apply(&mut self, demand: &Demand, plan: &Plan, now: Timestamp) -> StoreResult<()> {
        for feed in Feed::POLLED {
            let (cadence, tokens) = match feed {
                Feed::Signals(kind) => (plan.of(*kind), demand.tokens_of(*kind)),
                Feed::Ranks => (&plan.ranks, demand.all_tokens),
                Feed::Directory => (&plan.directory, self.feeds.get(feed).map_or(0, |state| state.status.tokens)),
            };
            let Some(state) = self.feeds.get_mut(feed) else { continue };
            let same_cadence = state.status.cadence == *cadence;
            // `BELLWETHER_ALL_TOKENS` is another since ranks were last read: what `all` means is not to wait for days.
            let outdated = *feed == Feed::Ranks && state.status.tokens != tokens && !state.status.stopped;
            state.status.cadence = cadence.clone();
            state.status.tokens = tokens;
            if outdated {
                state.status.next_poll_at = Some(now);
            } else {
                self.replace_slot(*feed, same_cadence, now);
            }
            // Also what could not be written when it changed.
            if self.feeds.get(feed).is_some_and(|state| state.saved.as_ref() != Some(&state.status)) {
                self.save(*feed).await?;
            }
        }
        Ok(())
    }

    /// The next slot where there is none yet or the cadence has changed.
    fn replace_slot(&mut self, feed: Feed, same_cadence: bool, now: Timestamp) {
        let rest = self.caller.rest_until(now);
        let Some(state) = self.feeds.get_mut(&feed) else { return };
        let before = state.status.next_poll_at;
        // An operator who restarts after mending something waits for a poll; another process that takes over has mended nothing.
        let was_failing = state.status.failures > 0 && state.status.last_poll_at <= Some(self.began_at);
        let at_start = self.planner.last.is_none();
        let auto = Schedule::Auto;
        let schedule = if let Feed::Signals(kind) = feed { self.settings.schedules.get(&kind).unwrap_or(&auto) } else { &auto };
        // A slot further away than any can be; one that waits for the budget or after a failure says so in its problem.
        let stepped_back = state.status.problem.is_none()
            && match &state.status.cadence {
                Cadence::Every(period) => before.is_some_and(|at| at > now + *period + SLACK),
                cadence => schedule.slot_after(feed, cadence, now).is_some_and(|slot| before.is_some_and(|at| at > slot)),
            };
        match &state.status.cadence {
            Cadence::Idle | Cadence::Off | Cadence::DoesNotFit { .. } => state.status.next_poll_at = None,
            _ if state.status.stopped => state.status.next_poll_at = None,
            // At a start only a missed slot is taken over (caught up once): budget, key and schedule may be others now.
            _ if same_cadence && before.is_some_and(|at| !at_start || at <= now) && !stepped_back => {}
            // Never polled, longer ago than the cadence, or failing before a restart: as soon as the API wants to be asked, without jitter.
            Cadence::Every(period) if state.status.last_poll_at.is_none_or(|last| last + *period <= now) || (at_start && was_failing) => {
                state.status.next_poll_at = Some(rest.unwrap_or(now));
            }
            _ => {
                self.set_next(feed, rest.map_or(now, |rest| rest - Duration::from_millis(1)));
                // A slot that was sooner than the next regular one was wanted for a reason, such as a second answer.
                let sooner = before.filter(|_| same_cadence);
                self.feeds.entry(feed).and_modify(|state| {
                    state.status.next_poll_at = state.status.next_poll_at.map(|slot| sooner.map_or(slot, |sooner| slot.min(sooner)));
                });
            }
        }
    }

    /// The first slot after `after`. Ranks and the full list have no slots but a distance.
    pub(super) fn set_next(&mut self, feed: Feed, after: Timestamp) {
        let auto = Schedule::Auto;
        let schedule = if let Feed::Signals(kind) = feed { self.settings.schedules.get(&kind).unwrap_or(&auto) } else { &auto };
        let Some(state) = self.feeds.get_mut(&feed) else { return };
        let chosen = matches!(state.status.cadence, Cadence::Every(_));
        let slot = match (feed, &state.status.cadence) {
            (Feed::Ranks | Feed::Directory, Cadence::Every(period)) => {
                Some(state.status.last_poll_at.map_or(after, |last| last.min(after)) + *period)
            }
            (_, cadence) => schedule.slot_after(feed, cadence, after),
        };
        state.status.next_poll_at = slot.map(|slot| if chosen { slot + jitter() } else { slot });
    }

    pub(super) async fn save(&mut self, feed: Feed) -> StoreResult<()> {
        let Some(state) = self.feeds.get_mut(&feed) else { return Ok(()) };
        self.store.save_feed(self.caller.source_id(), &state.status).await?;
        state.saved = Some(state.status.clone());
        Ok(())
    }
}
