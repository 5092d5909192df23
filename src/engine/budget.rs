//! How often what is polled: the plan that fits the month's budget, and the pace that keeps to it (`rules.md` 1.4 and 1.5).
//!
//! A plan reckons with a month of 31 days, so that it is the same in every month; the pace reckons with the real one. Months are UTC.
//!
//! The rule's table carries up to 1,000 tokens once a day at 500 calls a month, as if such a poll read one day of each token. It has to read
//! two: the stored day once more and the new one. The table is kept, and what is *planned* says the truth: where that is more than the
//! budget, the pace skips a poll now and then, and `check` says so.

use crate::domain::{Cadence, Kind, Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;
/// Days of a month in plans.
const MONTH_DAYS: u32 = 31;
/// Rows on a page.
const PAGE_ROWS: u32 = 100;
/// From this budget on the full list of tokens is read weekly.
const FULL_LIST_FROM: u32 = 5_000;
/// What daily calls can be polled at, in seconds, shortest first.
const DAILY_CADENCES: [u64; 8] = [HOUR / 4, HOUR / 2, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY];
/// What hourly calls can be polled at, in seconds, shortest first.
const HOURLY_CADENCES: [u64; 3] = [HOUR, 3 * HOUR, 6 * HOUR];
/// What grades can be polled at.
const GRADE_CADENCES: [u64; 6] = [HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY];
/// What fundamental grades can be polled at: they move slowly.
const FUNDAMENTAL_CADENCES: [u64; 3] = [6 * HOUR, 12 * HOUR, DAY];
/// What levels can be polled at.
const LEVEL_CADENCES: [u64; 6] = GRADE_CADENCES;
/// Who chooses first, and how much of what is left then it may take, in percent. Daily calls get the rest.
const SHARES: [(Kind, &[u64], u32); 5] = [
    (Kind::Grade, &GRADE_CADENCES, 20),
    (Kind::Fundamental, &FUNDAMENTAL_CADENCES, 10),
    (Kind::Levels, &LEVEL_CADENCES, 20),
    (Kind::Hourly, &HOURLY_CADENCES, 60),
    (Kind::Daily, &DAILY_CADENCES, 100),
];
/// People's look-ups get so much of the budget, in percent.
const RESERVE: u32 = 10;
/// Pages of the full list before it was ever read.
const LIKELY_LIST_PAGES: u32 = 70;

/// What the operator says of one kind's schedule.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Wish {
    /// Nothing: chosen here.
    #[default]
    Auto,
    /// A cron expression that fires so often in 31 days. It is kept exactly, but the budget wins.
    Given {
        /// As it was written.
        expression: String,
        /// How often it fires.
        runs: u32,
    },
    /// Not at all.
    Off,
}

/// What a plan is made for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// The month's budget; 0 is no limit.
    pub calls_per_month: u32,
    /// How many tokens `all` means: so many ranks are read.
    pub all_tokens: u32,
    /// How many pages the full list of tokens has.
    pub list_pages: u32,
    /// How many tokens have a subscription to each kind; where none has, it is not named.
    pub tokens: BTreeMap<Kind, u32>,
    /// The kinds that the source refused when they were last asked for: they take nothing from the others.
    pub refused: BTreeSet<Kind>,
    /// The schedules that were given, or switched off.
    pub wishes: BTreeMap<Kind, Wish>,
}

impl Demand {
    /// How many pages the full list has where the directory holds `tokens` of them: at least what is likely, for it may not be whole yet.
    pub fn list_pages_of(tokens: u32) -> u32 {
        tokens.div_ceil(PAGE_ROWS).max(LIKELY_LIST_PAGES)
    }

    /// Whether the full list of tokens is read at all, so that its pages count.
    pub fn reads_full_list(&self) -> bool {
        self.calls_per_month == 0 || self.calls_per_month >= FULL_LIST_FROM
    }

    /// The same with so many tokens of one kind.
    #[must_use]
    pub fn with_tokens(&self, kind: Kind, tokens: u32) -> Self {
        let mut demand = self.clone();
        demand.tokens.insert(kind, tokens);
        demand
    }

    /// How many tokens have a subscription to this kind.
    pub fn tokens_of(&self, kind: Kind) -> u32 {
        self.tokens.get(&kind).copied().unwrap_or_default()
    }

    /// The same once the source refuses nothing any more.
    #[must_use]
    pub fn as_if_served(&self) -> Self {
        Self { refused: BTreeSet::new(), ..self.clone() }
    }

    /// The kinds that are wanted, and refused.
    fn wanted_and_refused(&self) -> impl Iterator<Item = Kind> {
        self.refused.iter().copied().filter(|kind| self.tokens_of(*kind) > 0)
    }

    /// How many tokens of this kind a poll asks for: none where the source refuses it.
    fn polled_tokens_of(&self, kind: Kind) -> u32 {
        if self.refused.contains(&kind) { 0 } else { self.tokens_of(kind) }
    }

    /// What the operator says of this kind.
    fn wish(&self, kind: Kind) -> &Wish {
        self.wishes.get(&kind).unwrap_or(&Wish::Auto)
    }
}

/// Why a subscription cannot be carried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Obstacle {
    /// The kind that could not be polled at all: the wanted one, or another that it would push out.
    pub kind: Kind,
    /// The calls a month that this kind needs at least.
    pub needed: u32,
}

/// The plan after subscriptions of `kind` turn the demand from `before` into `after`, if they can be carried: by some cadence, and without
/// taking the last one from another kind that has one now (`rules.md` 1.5). That is looked at as if the source served everything: whoever
/// subscribes is promised something that another plan of the key does not break (ARCHITECTURE.md, rule G4).
///
/// # Errors
/// What stands in the way.
pub fn plan_for(before: &Demand, after: &Demand, kind: Kind) -> Result<Plan, Obstacle> {
    let (had, served) = (plan(&before.as_if_served()), plan(&after.as_if_served()));
    served.carries(kind).map_err(|needed| Obstacle { kind, needed })?;
    for other in Kind::ALL.iter().copied().filter(|other| *other != kind && had.carries(*other).is_ok()) {
        served.carries(other).map_err(|needed| Obstacle { kind: other, needed })?;
    }
    Ok(if after.refused.is_empty() { served } else { plan(after) })
}

/// How often what is polled, and what that costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The kinds of signals, all that are available.
    kinds: BTreeMap<Kind, Cadence>,
    /// The kinds that somebody wants and the source refuses: what they would take is shared among the others.
    pub refused: Vec<Kind>,
    /// The same kinds of signals once those are served too; empty where none is refused.
    once_served: BTreeMap<Kind, Cadence>,
    /// Ranks.
    pub ranks: Cadence,
    /// The full list of tokens; off where the budget is too small for it.
    pub directory: Cadence,
    /// Calls in a month of 31 days, the reserve for look-ups included: the PLANNED of `check`.
    pub planned: u32,
}

impl Plan {
    /// How often this kind is polled, or would be, if it were not refused.
    pub fn of(&self, kind: Kind) -> &Cadence {
        self.kinds.get(&kind).unwrap_or(&Cadence::Off)
    }

    /// How often this kind is polled once the refused ones are served too, where that is another cadence.
    pub fn once_served(&self, kind: Kind) -> Option<&Cadence> {
        self.once_served.get(&kind).filter(|cadence| *cadence != self.of(kind))
    }

    /// Whether a subscription of this kind can be carried: polled at all.
    ///
    /// # Errors
    /// The calls a month that it would need at least.
    pub fn carries(&self, kind: Kind) -> Result<(), u32> {
        match self.of(kind) {
            Cadence::DoesNotFit { needed } => Err(*needed),
            _ => Ok(()),
        }
    }
}

/// What is kept for people's questions of a month's calls.
pub const fn reserve(calls_per_month: u32) -> u32 {
    calls_per_month / (100 / RESERVE)
}

/// Calls that one poll of `tokens` takes: all of them with today's row stored already, or with yesterday's only.
fn daily_calls(tokens: u32, days: u32) -> u32 {
    tokens.div_ceil(PAGE_ROWS / days.max(1))
}

/// Calls of daily polls in a month, `runs` of them. The day's row appears at an hour nobody knows; until then the window reaches back to
/// yesterday, and batches are half as large: that is reckoned for every other poll.
fn daily_month(tokens: u32, runs: u32) -> u32 {
    let wide = runs / 2;
    (runs - wide).saturating_mul(daily_calls(tokens, 1)).saturating_add(wide.saturating_mul(daily_calls(tokens, 2)))
}

/// As [`daily_month`], at an even cadence: every other poll *of a day*, so that a poll once a day finds the day's row.
fn daily_month_every(tokens: u32, cadence: u64) -> u32 {
    let runs = u32::try_from(DAY / cadence).unwrap_or(1);
    MONTH_DAYS.saturating_mul(daily_month(tokens, runs))
}

/// What is to be expected of daily polls in a month, `runs` of them: with one or two a day every poll still has yesterday in its window.
fn daily_month_expected(tokens: u32, runs: u32) -> u32 {
    if runs <= 2 * MONTH_DAYS { runs.saturating_mul(daily_calls(tokens, 2)) } else { daily_month(tokens, runs) }
}

/// Calls of hourly polls in a month. A poll every `hours` finds so many rows a token, and the stored one.
fn hourly_month(tokens: u32, runs: u32, hours: u32) -> u32 {
    runs.saturating_mul(tokens.div_ceil(PAGE_ROWS / (hours + 1).clamp(2, 25)))
}

fn hourly_month_every(tokens: u32, cadence: u64) -> u32 {
    let runs = MONTH_DAYS.saturating_mul(u32::try_from(DAY / cadence).unwrap_or(1));
    hourly_month(tokens, runs, u32::try_from(cadence / HOUR).unwrap_or(1))
}

/// Chooses how often what is polled. What is refused is given the cadence that it would have, and costs nothing.
pub fn plan(demand: &Demand) -> Plan {
    let mut plan = plan_polled(demand);
    plan.refused = demand.wanted_and_refused().collect();
    if !plan.refused.is_empty() {
        plan.once_served = plan_polled(&demand.as_if_served()).kinds;
        for kind in &plan.refused {
            plan.kinds.extend(plan.once_served.get(kind).map(|cadence| (*kind, cadence.clone())));
        }
    }
    plan
}

/// As [`plan`], as if nobody wanted what is refused.
fn plan_polled(demand: &Demand) -> Plan {
    let unlimited = demand.calls_per_month == 0;
    let (ranks, ranks_cost) = ranks(demand);
    let (directory, directory_cost) = if demand.reads_full_list() {
        (Cadence::Every(Duration::from_secs(7 * DAY)), demand.list_pages.saturating_mul(MONTH_DAYS.div_ceil(7)))
    } else {
        (Cadence::Off, 0)
    };
    let reserve = reserve(demand.calls_per_month);
    let fixed = reserve.saturating_add(ranks_cost).saturating_add(directory_cost);
    let budget = if unlimited { u32::MAX } else { demand.calls_per_month };
    let mut left = budget.saturating_sub(fixed);
    let mut chosen: BTreeMap<Kind, (Cadence, u32)> = BTreeMap::new();
    // Given schedules are kept: what they cost is gone before anything is chosen.
    for kind in Kind::ALL.iter().copied() {
        let tokens = demand.polled_tokens_of(kind);
        if let Some((cadence, cost)) = given(demand.wish(kind), tokens, |runs| month_given(kind, tokens, runs)) {
            left = left.saturating_sub(cost);
            chosen.insert(kind, (cadence, cost));
        }
    }
    for (kind, cadences, share) in SHARES {
        if chosen.contains_key(&kind) {
            continue;
        }
        let tokens = demand.polled_tokens_of(kind);
        let most = u32::try_from(u64::from(left) * u64::from(share) / 100).unwrap_or(left);
        let (cadence, cost) = choose(cadences, most, |cadence| month_every(kind, tokens, cadence));
        left = left.saturating_sub(cost);
        chosen.insert(kind, (cadence.clone(), month_expected(kind, tokens, &cadence, cost)));
    }
    let planned = chosen.values().fold(fixed, |planned, (_, cost)| planned.saturating_add(*cost));
    let kinds = chosen.into_iter().map(|(kind, (cadence, _))| (kind, cadence)).collect();
    Plan { kinds, ranks, directory, planned, refused: Vec::new(), once_served: BTreeMap::new() }
}

/// Calls of one kind in a month, at an even cadence.
fn month_every(kind: Kind, tokens: u32, cadence: u64) -> u32 {
    match kind {
        Kind::Daily => daily_month_every(tokens, cadence),
        Kind::Hourly => hourly_month_every(tokens, cadence),
        Kind::Grade | Kind::Fundamental | Kind::Levels => {
            latest_month(kind, tokens, MONTH_DAYS.saturating_mul(u32::try_from(DAY / cadence).unwrap_or(1)))
        }
    }
}

/// Calls of one kind in a month with a given schedule that fires `runs` times.
fn month_given(kind: Kind, tokens: u32, runs: u32) -> u32 {
    match kind {
        Kind::Daily => daily_month_expected(tokens, runs),
        Kind::Hourly => hourly_month(tokens, runs, hours_between(runs)),
        Kind::Grade | Kind::Fundamental | Kind::Levels => latest_month(kind, tokens, runs),
    }
}

/// What is to be expected at a cadence that was chosen for `cost` calls.
fn month_expected(kind: Kind, tokens: u32, cadence: &Cadence, cost: u32) -> u32 {
    match (kind, cadence) {
        (Kind::Daily, Cadence::Every(period)) if period.as_secs() >= DAY / 2 => {
            let runs = MONTH_DAYS.saturating_mul(u32::try_from(DAY / period.as_secs()).unwrap_or(1));
            daily_month_expected(tokens, runs)
        }
        _ => cost,
    }
}

/// Calls in a month of endpoints that say how things are now: one row a token. Levels are asked for with their prices.
fn latest_month(kind: Kind, tokens: u32, runs: u32) -> u32 {
    let endpoints = if kind == Kind::Levels { 2 } else { 1 };
    runs.saturating_mul(endpoints).saturating_mul(tokens.div_ceil(PAGE_ROWS))
}

/// Ranks are read whatever schedules are given: daily up to 100, weekly beyond.
fn ranks(demand: &Demand) -> (Cadence, u32) {
    let pages = demand.all_tokens.div_ceil(PAGE_ROWS).max(1);
    let days: u32 = if demand.all_tokens <= PAGE_ROWS { 1 } else { 7 };
    (Cadence::Every(Duration::from_secs(u64::from(days) * DAY)), MONTH_DAYS.div_ceil(days).saturating_mul(pages))
}

/// The cadence and its cost where nothing is to be chosen.
fn given(wish: &Wish, tokens: u32, cost: impl Fn(u32) -> u32) -> Option<(Cadence, u32)> {
    match wish {
        Wish::Off => Some((Cadence::Off, 0)),
        _ if tokens == 0 => Some((Cadence::Idle, 0)),
        Wish::Given { expression, runs } => Some((Cadence::Cron(expression.clone()), cost(*runs))),
        Wish::Auto => None,
    }
}

/// The shortest that fits; else what the longest would need.
fn choose(cadences: &[u64], left: u32, cost: impl Fn(u64) -> u32) -> (Cadence, u32) {
    let fitting = cadences.iter().map(|cadence| (*cadence, cost(*cadence))).find(|(_, cost)| *cost <= left);
    match fitting {
        Some((cadence, cost)) => (Cadence::Every(Duration::from_secs(cadence)), cost),
        None => (Cadence::DoesNotFit { needed: cadences.last().map_or(0, |cadence| cost(*cadence)) }, 0),
    }
}

/// Hours between two of so many runs in a month.
fn hours_between(runs: u32) -> u32 {
    (MONTH_DAYS * 24).checked_div(runs).unwrap_or(24)
}

/// Whether the month's budget has room for `cost` more calls; polls, look-ups and retries alike.
pub fn has_room(calls_per_month: u32, used: u32, cost: u32) -> bool {
    calls_per_month == 0 || used.saturating_add(cost) <= calls_per_month
}

/// Whether a poll of `cost` calls keeps the pace: `used + cost` is not more than the elapsed share of the month and one day's share.
pub fn keeps_pace(calls_per_month: u32, used: u32, cost: u32, now: Timestamp) -> bool {
    if calls_per_month == 0 {
        return true;
    }
    let month = now.day().month_start();
    let days = now.day().next_month_start().days_since(month);
    let month_millis = i128::from(days) * i128::from(DAY) * 1000;
    let elapsed = i128::from(now.as_millis() - month.start().as_millis()) + i128::from(DAY) * 1000;
    let wanted = i128::from(used.saturating_add(cost));
    has_room(calls_per_month, used, cost) && wanted * month_millis <= i128::from(calls_per_month) * elapsed
}

/// The first moment at which a poll of `cost` calls keeps the pace, if nothing else is called until then: at most the next month's start.
pub fn pace_regained(calls_per_month: u32, used: u32, cost: u32, now: Timestamp) -> Timestamp {
    let month = now.day().month_start();
    let next_month = now.day().next_month_start();
    let month_millis = i128::from(next_month.days_since(month)) * i128::from(DAY) * 1000;
    let wanted = i128::from(used.saturating_add(cost));
    if calls_per_month == 0 || !has_room(calls_per_month, used, cost) {
        return next_month.start();
    }
    let budget = i128::from(calls_per_month);
    let elapsed = (wanted * month_millis + budget - 1) / budget - i128::from(DAY) * 1000;
    let at = month.start().as_millis().saturating_add(i64::try_from(elapsed).unwrap_or(i64::MAX));
    Timestamp::from_millis(at).clamp(now, next_month.start())
}

#[cfg(test)]
mod tests;
