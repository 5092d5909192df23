//! The simulated market: prices that wander by chance, calls that are read from them, and a script that sees to it that a visitor meets
//! everything within twenty hours: a turn, a sudden move of several tokens, a flip and back, and a wrong row that is restated.
//!
//! It moves in steps of [`STEP`] and is the same for the same seed and start, however often and in whatever order it is asked.

use super::{
    listing::{LISTINGS, Listing},
    walk::{Point, Walk},
};
use crate::domain::{Day, Stance, Timestamp, TokenId};
use std::time::Duration;

/// The market moves once an hour: polls at this pace see everything that happens.
pub const STEP: Duration = Duration::from_secs(3600);

const HISTORY_DAYS: i64 = 60;
/// A step of history is whole days from midnight, so that an hour's number tells its hour of the day.
const DAY: usize = 24;

// The script, in hours after the start; it repeats every day.
const LEADER_TURNS: usize = 1;
const MARKET_MOVES: usize = 3;
const FLIPS: usize = 8;
const FLIPS_BACK: usize = 11;
/// How long the token that flips stays as the script wants it: one that goes on flipping would look like a fault.
const FLIP_RESTS: usize = 16;
/// How many tokens a sudden move of the market turns.
const MOVED_AT_ONCE: usize = 5;
/// The tokens, by rank, that a visitor is most likely to follow.
const LEADERS: usize = 8;

// The wrong row of a day, in hours before and after the midnight that ends it. Polls up to three hours apart see it wrong, then final, then restated.
const WRONG_BEFORE_MIDNIGHT: usize = 2;
const RESTATED_AFTER: usize = 3;
const NEXT_ROW_AFTER: usize = 6;
const RESTATED_EVERY_DAYS: usize = 3;

/// A row of the daily feed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DailyRow {
    /// Whose.
    pub listing: &'static Listing,
    /// The day it is about; today's row may still change.
    pub day: Day,
    /// Whether the call turned on this day.
    pub turned: bool,
    /// The call.
    pub stance: Stance,
    /// 0 to 100.
    pub trader_grade: f64,
    /// 0 to 100.
    pub investor_grade: f64,
    /// What following the calls would have brought, as a ratio.
    pub signal_returns: f64,
    /// What holding would have brought, as a ratio.
    pub holding_returns: f64,
}

/// A row of the hourly feed: there once its hour is over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct HourlyRow {
    /// Whose.
    pub listing: &'static Listing,
    /// When its hour began.
    pub hour: Timestamp,
    /// The last price of the hour, in US dollars.
    pub close: f64,
    /// Whether the call turned in this hour.
    pub turned: bool,
    /// The call.
    pub stance: Stance,
}

/// A failure of the simulated API that goes by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hiccup {
    /// One answer is a 500.
    ServerError,
    /// One answer is a 429.
    TooManyRequests,
}

/// A wrong row: shown in the hours from `from` to before `until`.
#[derive(Clone, Copy, Debug)]
struct WrongRow {
    walk: usize,
    day: Day,
    from: usize,
    until: usize,
    next_row: usize,
}

/// The market as far as it has come.
#[derive(Debug)]
pub struct Market {
    /// The hour number 0.
    origin: Timestamp,
    start: usize,
    now: usize,
    walks: Vec<Walk>,
    /// Walks that keep their call until before an hour.
    held: Vec<(usize, usize)>,
    flipped: Option<usize>,
    wrong_rows: Vec<WrongRow>,
    hiccups: Vec<(Timestamp, Hiccup)>,
}

impl Market {
    /// A market with sixty days of history that has come to `start`. Begun at 18:00 UTC it shows its whole script within twenty hours.
    pub fn new(seed: u64, start: Timestamp) -> Self {
        let origin = start.day().plus(-HISTORY_DAYS).start();
        let mut market = Self {
            origin,
            start: hours_between(origin, start),
            now: 0,
            walks: LISTINGS.iter().map(|listing| Walk::new(seed, listing)).collect(),
            held: Vec::new(),
            flipped: None,
            wrong_rows: Vec::new(),
            hiccups: Vec::new(),
        };
        market.advance_to(start);
        market
    }

    /// The same market whose API fails once, for the first request at or after `at`.
    #[must_use]
    pub fn with_hiccup(mut self, at: Timestamp, hiccup: Hiccup) -> Self {
        self.hiccups.push((at, hiccup));
        self
    }

    /// Lets time pass. Going back changes nothing.
    pub fn advance_to(&mut self, now: Timestamp) {
        let hour = hours_between(self.origin, now);
        while self.now < hour {
            self.now += 1;
            self.step();
        }
    }

    /// The failure that is due at `now`, if any; each comes once.
    pub fn take_hiccup(&mut self, now: Timestamp) -> Option<Hiccup> {
        let due = self.hiccups.iter().position(|(at, _)| *at <= now)?;
        Some(self.hiccups.remove(due).1)
    }

    /// Every token, in order of rank, those without one last.
    pub fn listings(&self) -> impl Iterator<Item = &'static Listing> + '_ {
        self.walks.iter().map(|walk| walk.listing)
    }

    /// The days that have rows: the first and today.
    pub fn days(&self) -> (Day, Day) {
        (self.at(DAY).day(), self.at(self.now).day())
    }

    /// A token's daily rows of the days from `first` to `last`, both included, the newest first.
    pub fn daily(&self, token: TokenId, first: Day, last: Day) -> impl Iterator<Item = DailyRow> + '_ {
        let (oldest, today) = self.days();
        let (first, last) = (first.max(oldest), last.min(today));
        let walk = self.walks.iter().position(|walk| walk.listing.id == token);
        let days = (0..=last.days_since(first)).map(move |back| last.plus(-back));
        walk.into_iter().flat_map(move |walk| days.clone().filter_map(move |day| self.daily_row(walk, day)))
    }

    /// A token's hourly rows, the newest first.
    pub fn hourly(&self, token: TokenId) -> impl Iterator<Item = HourlyRow> + '_ {
        let walk = self.walks.iter().find(|walk| walk.listing.id == token);
        walk.into_iter().flat_map(move |walk| (0..self.now).rev().filter_map(move |hour| self.hourly_row(walk, hour)))
    }

    fn hourly_row(&self, walk: &Walk, hour: usize) -> Option<HourlyRow> {
        let (opened, closed) = (walk.point(hour)?, walk.point(hour + 1)?);
        Some(HourlyRow {
            listing: walk.listing,
            hour: self.at(hour),
            close: closed.price,
            turned: opened.hourly != closed.hourly,
            stance: closed.hourly,
        })
    }

    /// The way of a token so far, an hour a point.
    pub(super) fn points(&self, token: TokenId) -> Option<&[Point]> {
        self.walks.iter().find(|walk| walk.listing.id == token).map(Walk::points)
    }

    fn daily_row(&self, walk: usize, day: Day) -> Option<DailyRow> {
        let midnight = hours_between(self.origin, day.start());
        let wrong = self.wrong_rows.iter().rev().find(|row| row.walk == walk);
        if wrong.is_some_and(|row| row.day.plus(1) == day && self.now < row.next_row) {
            return None;
        }
        let listing = self.walks[walk].listing;
        let walk = &self.walks[walk];
        let before = walk.point(midnight.checked_sub(1)?)?;
        let point = walk.point((midnight + DAY - 1).min(self.now))?;
        let is_wrong = wrong.is_some_and(|row| row.day == day && (row.from..row.until).contains(&self.now));
        let stance = if is_wrong { point.daily.opposite() } else { point.daily };
        Some(DailyRow {
            listing,
            day,
            turned: stance != before.daily,
            stance,
            // A wrong row is wrong throughout.
            trader_grade: if is_wrong { 100.0 - point.trader_grade } else { point.trader_grade },
            investor_grade: point.investor_grade,
            signal_returns: point.signal_returns,
            holding_returns: point.holding_returns,
        })
    }

    /// One hour for every token: where chance leads it, unless the script says otherwise.
    fn step(&mut self) {
        let mut prices: Vec<_> = self.walks.iter_mut().map(Walk::next_price).collect();
        self.held.retain(|(_, until)| *until > self.now);
        for (walk, _) in &self.held {
            prices[*walk] = self.walks[*walk].calm_price(prices[*walk]);
        }
        for walk in self.scripted_turns() {
            prices[walk] = self.walks[walk].turning_price();
        }
        for (walk, price) in self.walks.iter_mut().zip(prices) {
            walk.step_to(price);
        }
    }

    /// The tokens whose call turns in this hour because the script wants it.
    fn scripted_turns(&mut self) -> Vec<usize> {
        let Some(since) = self.now.checked_sub(self.start).filter(|since| *since > 0) else {
            return Vec::new();
        };
        self.write_wrong_row();
        match since % DAY {
            LEADER_TURNS => self.nearest_to_turning(0..LEADERS, 1),
            MARKET_MOVES => {
                let with = |stance| self.ranked().filter(|walk| self.walks[*walk].latest().daily == stance).collect::<Vec<_>>();
                let (bullish, bearish) = (with(Stance::Bullish), with(Stance::Bearish));
                self.nearest_to_turning(if bullish.len() > bearish.len() { bullish } else { bearish }, MOVED_AT_ONCE)
            }
            FLIPS => {
                let turning = self.nearest_to_turning(0..LEADERS, 1);
                self.flipped = turning.first().copied();
                self.held.extend(self.flipped.map(|walk| (walk, self.now + FLIP_RESTS)));
                turning
            }
            FLIPS_BACK => self.flipped.take().into_iter().collect(),
            _ => Vec::new(),
        }
    }

    /// Two hours before some midnights a row goes wrong: it shows the other call until it is restated, and the next day's row comes late.
    fn write_wrong_row(&mut self) {
        let days = self.now / DAY - self.start / DAY;
        let midnight = (self.now / DAY + 1) * DAY;
        if !days.is_multiple_of(RESTATED_EVERY_DAYS) || self.now + WRONG_BEFORE_MIDNIGHT != midnight {
            return;
        }
        let ranked: Vec<_> = self.ranked().collect();
        // The one that is furthest from turning by itself: its row is plainly wrong, and the next ones agree with the restated one.
        let calmest = ranked.into_iter().filter(|walk| !self.is_held(*walk)).max_by(|a, b| self.by_distance(*a, *b));
        if let Some(walk) = calmest {
            self.held.push((walk, midnight + DAY / 2));
            self.wrong_rows.push(WrongRow {
                walk,
                day: self.at(self.now).day(),
                from: self.now,
                until: midnight + RESTATED_AFTER,
                next_row: midnight + NEXT_ROW_AFTER,
            });
        }
    }

    /// Those of `walks` whose price has the shortest way to go.
    fn nearest_to_turning(&self, walks: impl IntoIterator<Item = usize>, count: usize) -> Vec<usize> {
        let mut walks: Vec<_> = walks.into_iter().filter(|walk| !self.is_held(*walk)).collect();
        walks.sort_by(|a, b| self.by_distance(*a, *b));
        walks.truncate(count);
        walks
    }

    fn by_distance(&self, a: usize, b: usize) -> std::cmp::Ordering {
        self.walks[a].turning_distance().total_cmp(&self.walks[b].turning_distance())
    }

    fn is_held(&self, walk: usize) -> bool {
        self.held.iter().any(|(held, _)| *held == walk)
    }

    fn ranked(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.walks.len()).filter(|walk| self.walks[*walk].listing.rank.is_some())
    }

    pub(super) fn at(&self, hour: usize) -> Timestamp {
        self.origin + STEP * u32::try_from(hour).unwrap_or(u32::MAX)
    }
}

/// The full hours from `origin` to `now`; none where that is before.
fn hours_between(origin: Timestamp, now: Timestamp) -> usize {
    usize::try_from(now.since(origin).as_secs() / STEP.as_secs()).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn start() -> Timestamp {
        Timestamp::parse("2026-11-21T18:00:00Z").unwrap()
    }

    fn newest(market: &Market) -> BTreeMap<TokenId, DailyRow> {
        let (oldest, today) = market.days();
        market.listings().filter_map(|listing| market.daily(listing.id, oldest, today).next()).map(|row| (row.listing.id, row)).collect()
    }

    /// What a poll an hour sees turn, with the hour.
    fn turns(seed: u64, polls: u32) -> Vec<(u32, TokenId, Stance)> {
        let mut market = Market::new(seed, start());
        let mut known = newest(&market);
        let mut turns = Vec::new();
        for poll in 1..=polls {
            market.advance_to(start() + STEP * poll);
            let rows = newest(&market);
            turns.extend(rows.iter().filter(|(id, row)| known[id].stance != row.stance).map(|(_, row)| (poll, row.listing.id, row.stance)));
            known = rows;
        }
        turns
    }

    #[test]
    fn twenty_polls_show_about_a_dozen_turns_whatever_the_seed() {
        for seed in 0..20 {
            let turns = turns(seed, 20);
            assert!((8..=20).contains(&turns.len()), "seed {seed}: {turns:?}");
            assert!(turns.iter().any(|(poll, ..)| *poll == 1), "seed {seed}: something happens at once");
            let at_once = turns.iter().filter(|(poll, ..)| *poll == 3).count();
            assert!(at_once >= MOVED_AT_ONCE, "seed {seed}: {at_once} at once");
        }
    }

    #[test]
    fn one_token_flips_and_flips_back() {
        for seed in 0..20 {
            let turns = turns(seed, 20);
            let (_, token, to) =
                *turns.iter().find(|(poll, token, to)| *poll == 8 && turns.contains(&(11, *token, to.opposite()))).unwrap();
            assert_eq!(turns.iter().filter(|(poll, other, _)| *poll > 11 && *other == token).count(), 0, "seed {seed}: {token} {to}");
        }
    }

    #[test]
    fn a_closed_row_is_restated_before_the_next_one_appears() {
        for seed in 0..20 {
            let mut market = Market::new(seed, start());
            let mut seen: BTreeMap<u32, BTreeMap<TokenId, DailyRow>> = BTreeMap::new();
            for poll in 0..=20 {
                market.advance_to(start() + STEP * poll);
                seen.insert(poll, newest(&market));
            }
            let day = start().day();
            // Midnight is poll 6: the row is final then, wrong until poll 8, restated from poll 9, followed by the next from poll 12.
            let restated: Vec<_> = seen[&6].values().filter(|row| row.day == day).collect();
            assert_eq!(restated.len(), 1, "seed {seed}");
            let id = restated[0].listing.id;
            let stance = |poll: u32| seen[&poll][&id].stance;
            assert_eq!((stance(4), stance(6), stance(8)), (stance(3).opposite(), stance(4), stance(4)), "seed {seed}");
            assert_eq!((stance(9), seen[&11][&id].day), (stance(3), day), "seed {seed}");
            assert_eq!((stance(12), seen[&12][&id].day), (stance(3), day.plus(1)), "seed {seed}");
        }
    }

    #[test]
    fn it_is_the_same_however_it_is_asked() {
        let later = start() + STEP * 100;
        let (mut slow, mut fast) = (Market::new(3, start()), Market::new(3, start()));
        for hour in 0..=100 {
            slow.advance_to(start() + STEP * hour);
            assert!(slow.hourly(TokenId(3375)).next().is_some());
        }
        fast.advance_to(later);
        fast.advance_to(start());
        let (oldest, today) = fast.days();
        for listing in fast.listings().collect::<Vec<_>>().into_iter().rev() {
            assert!(fast.daily(listing.id, oldest, today).eq(slow.daily(listing.id, oldest, today)));
            assert!(fast.hourly(listing.id).eq(slow.hourly(listing.id)));
        }
        assert_ne!(newest(&Market::new(4, later)), newest(&Market::new(3, later)));
    }

    #[test]
    fn rows_are_of_the_days_that_were_asked_for_the_newest_first() {
        let market = Market::new(1, start());
        let today = start().day();
        let days: Vec<_> = market.daily(TokenId(3375), today.plus(-3), today.plus(5)).map(|row| row.day.days_since(today)).collect();
        assert_eq!(days, [0, -1, -2, -3]);
        assert_eq!(market.daily(TokenId(1), today, today).count(), 0);
        assert_eq!(market.daily(TokenId(3375), today, today.plus(-1)).count(), 0);
        assert_eq!(market.hourly(TokenId(3375)).next().unwrap().hour, start() - STEP);
    }

    #[test]
    fn a_day_is_marked_as_turned_where_its_call_differs_from_the_day_before() {
        let market = Market::new(1, start());
        let (oldest, today) = market.days();
        for listing in market.listings() {
            let rows: Vec<_> = market.daily(listing.id, oldest, today).collect();
            assert!(rows.windows(2).all(|pair| pair[0].turned == (pair[0].stance != pair[1].stance)), "{}", listing.symbol);
            assert!(rows.iter().any(|row| row.turned), "{} never turned", listing.symbol);
        }
    }

    #[test]
    fn each_hiccup_comes_once() {
        let mut market = Market::new(1, start()).with_hiccup(start() + STEP, Hiccup::ServerError);
        assert_eq!(market.take_hiccup(start()), None);
        assert_eq!(market.take_hiccup(start() + STEP), Some(Hiccup::ServerError));
        assert_eq!(market.take_hiccup(start() + STEP), None);
    }
}
