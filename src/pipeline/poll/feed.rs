//! One feed as the poller keeps it: how it is doing, the poll under way, which tokens have long been silent.

use super::super::directory::Refresh;
use crate::{
    domain::{Cadence, Feed, FeedStatus, FieldCounts, Snapshot, SourceField, Timestamp, Token, TokenId},
    sources::{Call, Collector, Page, Source},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// Tokens without a recent row are asked for once a day after so many empty answers running.
const PATIENCE: u32 = 3;
/// A day, less an hour: a poll once a day begins a little earlier or later, and must not skip every other day.
const ABOUT_A_DAY: Duration = Duration::from_secs(23 * 3600);
/// A row older than this makes a token silent.
const RECENT: Duration = Duration::from_secs(3 * 24 * 3600);

/// The tokens that somebody wants, each with its stored data time.
pub(super) type WantedTokens = BTreeMap<TokenId, Option<Timestamp>>;

/// Everything about one feed.
pub(super) struct FeedState {
    pub(super) status: FeedStatus,
    /// What the database has of that.
    pub(super) saved: Option<FeedStatus>,
    pub(super) wanted: WantedTokens,
    pub(super) active: Option<Active>,
    pub(super) silent: Silent,
    /// When the first poll since the last complete one failed.
    pub(super) down_since: Option<Timestamp>,
    /// Polls since the last complete one that brought only a part.
    pub(super) partial: u32,
    /// When the last such part came.
    pub(super) partial_at: Option<Timestamp>,
}

impl FeedState {
    pub(super) fn new(feed: Feed) -> Self {
        let status = FeedStatus {
            feed,
            cadence: Cadence::Idle,
            tokens: 0,
            next_poll_at: None,
            last_poll_at: None,
            last_success_at: None,
            failures: 0,
            problem: None,
            stopped: false,
            refused: false,
            empty_since: None,
        };
        Self {
            status,
            saved: None,
            wanted: BTreeMap::new(),
            active: None,
            silent: Silent::default(),
            down_since: None,
            partial: 0,
            partial_at: None,
        }
    }

    /// Whether a poll has to begin now.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.active.is_none() && !self.status.stopped && self.status.next_poll_at.is_some_and(|at| at <= now)
    }
}

/// A poll under way. It can wait at any point, so that nothing sleeps inside a step.
pub(super) struct Active {
    pub(super) started_at: Timestamp,
    pub(super) job: Job,
    /// The call that was not answered yet.
    pub(super) call: Option<Call>,
    /// How often that call was made.
    pub(super) attempts: u32,
    /// It is not made again before.
    pub(super) retry_at: Timestamp,
    /// Calls that were answered.
    pub(super) answered: u32,
    /// Calls that failed for good, running.
    pub(super) failed: u32,
    /// Whether any row came.
    pub(super) found: bool,
    /// What the rows say of their tokens, as far as it can be linked to.
    pub(super) linked: BTreeMap<TokenId, Token>,
    /// How the fields of the rows came.
    pub(super) fields: BTreeMap<SourceField, FieldCounts>,
    /// The last failure in words.
    pub(super) problem: Option<String>,
    /// Nothing more is asked.
    pub(super) broken_off: bool,
    /// The month's calls are used up.
    pub(super) month_used_up: bool,
}

/// What a poll collects.
pub(super) enum Job {
    Signals(Box<dyn Collector>),
    Refresh(Refresh),
    /// Everything came; it waits for the database.
    Collected(Snapshot),
}

impl Active {
    pub(super) fn new(job: Job, now: Timestamp) -> Self {
        Self {
            started_at: now,
            job,
            call: None,
            attempts: 0,
            retry_at: Timestamp::EPOCH,
            answered: 0,
            failed: 0,
            found: false,
            linked: BTreeMap::new(),
            fields: BTreeMap::new(),
            problem: None,
            broken_off: false,
            month_used_up: false,
        }
    }

    /// The call to make: the unanswered one, else the next.
    pub(super) fn current_call(&mut self, source: &dyn Source) -> Option<Call> {
        if self.broken_off {
            return None;
        }
        if self.call.is_none() {
            self.attempts = 0;
            self.call = match &mut self.job {
                Job::Signals(collector) => collector.next_call(),
                Job::Refresh(refresh) => refresh.next_call(source),
                Job::Collected(_) => None,
            };
        }
        self.call.clone()
    }

    /// Hands over what came of the current call; `None` where it failed for good.
    pub(super) fn settle(&mut self, page: Option<Page>) {
        let call = self.call.take();
        match &page {
            Some(page) => {
                if let Some(Call { endpoint, .. }) = call {
                    for (name, counts) in &page.fields {
                        let known = self.fields.entry(SourceField { endpoint, name }).or_default();
                        *known = known.plus(*counts);
                    }
                }
                self.answered += 1;
                self.failed = 0;
                self.found |= page.rows > 0;
                if matches!(self.job, Job::Signals(_)) {
                    let linked = page.tokens.iter().filter(|token| token.link.is_some());
                    self.linked.extend(linked.map(|token| (token.id, token.clone())));
                }
            }
            None => self.failed += 1,
        }
        match &mut self.job {
            Job::Signals(collector) => collector.accept(page),
            Job::Refresh(refresh) => refresh.accept(page),
            Job::Collected(_) => {}
        }
    }
}

/// Tokens that never had a row, or long had none (stablecoins, delisted ones): asked for once a day, so that they do not use up calls.
#[derive(Default)]
pub(super) struct Silent(BTreeMap<TokenId, (u32, Timestamp)>);

impl Silent {
    /// Those of the wanted tokens that are asked for now: all but the silent, and all if every one is silent.
    pub(super) fn sift(&self, wanted: &WantedTokens, now: Timestamp) -> WantedTokens {
        let is_silent =
            |token: &TokenId| self.0.get(token).is_some_and(|(times, last)| *times >= PATIENCE && now.since(*last) < ABOUT_A_DAY);
        let asked: WantedTokens = wanted.iter().filter(|(token, _)| !is_silent(token)).map(|(token, at)| (*token, *at)).collect();
        if asked.is_empty() { wanted.clone() } else { asked }
    }

    /// Learns from a complete poll. A token whose row of today is stored is asked for today alone: that this brings nothing for a while says less than
    /// that row.
    pub(super) fn learn(&mut self, snapshot: &Snapshot, wanted: &WantedTokens) {
        let now = snapshot.started_at;
        let is_known = |token: &TokenId| wanted.get(token).copied().flatten().is_some_and(|at| now.since(at) < RECENT);
        let recent: BTreeSet<TokenId> =
            snapshot.observations.iter().filter(|row| now.since(row.data_time) < RECENT).map(|row| row.token).collect();
        for token in &snapshot.asked {
            if recent.contains(token) || is_known(token) {
                self.0.remove(token);
            } else {
                let (times, last) = self.0.entry(*token).or_insert((0, now));
                (*times, *last) = (times.saturating_add(1), now);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Kind, Observation, SourceId, Values};

    #[test]
    fn a_silent_token_is_asked_for_once_a_day_until_it_speaks() {
        let start = Timestamp::parse("2026-11-22").unwrap();
        let wanted: WantedTokens = [(TokenId(1), None), (TokenId(2), None)].into();
        let row = |token, at| Observation {
            token: TokenId(token),
            data_time: at,
            signal: None,
            trend: None,
            position: None,
            values: Values::default(),
        };
        let snapshot = |at: Timestamp, tokens: &[i64]| Snapshot {
            source: SourceId::TokenMetrics,
            kind: Kind::Daily,
            started_at: at,
            asked: wanted.keys().copied().collect(),
            observations: tokens.iter().map(|token| row(*token, at)).collect(),
            set_aside: Vec::new(),
            complete: true,
            gaps: BTreeSet::new(),
        };
        let mut silent = Silent::default();
        for _ in 0..3 {
            assert_eq!(silent.sift(&wanted, start).len(), 2);
            silent.learn(&snapshot(start, &[1]), &wanted);
        }
        assert_eq!(silent.sift(&wanted, start).into_keys().collect::<Vec<_>>(), [TokenId(1)]);
        let minutes = |minutes: u64| Duration::from_secs(minutes * 60);
        assert_eq!(silent.sift(&wanted, start + minutes(22 * 60)).len(), 1);
        assert_eq!(silent.sift(&wanted, start + minutes(24 * 60 - 1)).len(), 2, "at a daily cadence a poll may come a minute early");
        silent.learn(&snapshot(start, &[1, 2]), &wanted);
        assert_eq!(silent.sift(&wanted, start).len(), 2);
        for _ in 0..3 {
            silent.learn(&snapshot(start, &[]), &wanted);
        }
        assert_eq!(silent.sift(&wanted, start).len(), 2, "all are silent: then all are asked");
        let days = |days: u32| start + Duration::from_secs(24 * 3600) * days;
        let known: WantedTokens = [(TokenId(1), Some(start)), (TokenId(2), None)].into();
        let mut silent = Silent::default();
        for _ in 0..3 {
            silent.learn(&snapshot(days(2), &[]), &known);
        }
        assert_eq!(silent.sift(&known, days(2)).into_keys().collect::<Vec<_>>(), [TokenId(1)], "its row is two days old");
        for _ in 0..3 {
            silent.learn(&snapshot(days(3), &[2]), &known);
        }
        assert_eq!(silent.sift(&known, days(3)).into_keys().collect::<Vec<_>>(), [TokenId(2)], "that was three days ago");
    }
}
