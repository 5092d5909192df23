//! When a feed is polled: at even slots with jitter where the cadence was chosen, exactly at a given cron expression (`rules.md` 1.6).

use crate::{
    config::{GivenSchedule, ScheduleProblem},
    domain::{Cadence, Feed, Kind, Timestamp},
    engine::budget::Wish,
};
use std::time::Duration;

/// Days in which a cron expression's firings are counted for the plan.
const PLAN_DAYS: i64 = 31;
/// The longest that a chosen slot is late.
const JITTER_MILLIS: u64 = 30_000;
const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

/// What `BELLWETHER_SCHEDULE_…` says.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Schedule {
    /// Nothing: chosen from the budget.
    #[default]
    Auto,
    /// A six-field cron expression (seconds first, UTC), kept exactly.
    Cron(Box<cron::Schedule>),
    /// `off`.
    Off,
}

impl From<GivenSchedule> for Schedule {
    fn from(given: GivenSchedule) -> Self {
        match given {
            GivenSchedule::Off => Self::Off,
            GivenSchedule::Cron(schedule) => Self::Cron(schedule),
        }
    }
}

impl Schedule {
    /// Reads what a person gives.
    ///
    /// # Errors
    /// What is wrong and what to write instead.
    pub fn parse(text: &str) -> Result<Self, ScheduleProblem> {
        GivenSchedule::parse(text).map(Self::from)
    }

    /// What the plan needs to know of it.
    pub fn wish(&self, now: Timestamp) -> Wish {
        match self {
            Self::Auto => Wish::Auto,
            Self::Off => Wish::Off,
            Self::Cron(schedule) => {
                let from = now.day().month_start().start();
                let end = now.day().month_start().plus(PLAN_DAYS).start();
                let firings = schedule.after(&from.to_utc()).take_while(|at| Timestamp::from(*at) < end).take(100_000).count();
                Wish::Given { expression: schedule.source().to_owned(), runs: u32::try_from(firings).unwrap_or(u32::MAX) }
            }
        }
    }

    /// The first slot after `after`, without jitter; none where the feed is not polled.
    pub fn slot_after(&self, feed: Feed, cadence: &Cadence, after: Timestamp) -> Option<Timestamp> {
        match (cadence, self) {
            (Cadence::Every(period), _) => Some(even_slot(feed, *period, after)),
            (Cadence::Cron(_), Self::Cron(schedule)) => schedule.after(&after.to_utc()).next().map(Timestamp::from),
            _ => None,
        }
    }
}

/// Slots lie on multiples of the period from midnight UTC. Hourly calls are asked for three minutes past, when the hour's row can be there;
/// a poll once a day is at noon, when the day's row is.
fn even_slot(feed: Feed, period: Duration, after: Timestamp) -> Timestamp {
    let period = i64::try_from(period.as_millis()).unwrap_or(i64::MAX).max(1);
    let offset = match feed {
        Feed::Signals(Kind::Hourly) => 3 * MINUTE,
        Feed::Signals(_) if period == 24 * HOUR => 12 * HOUR,
        _ => 0,
    };
    Timestamp::from_millis(((after.as_millis() - offset).div_euclid(period) + 1) * period + offset)
}

/// 0 to 30 s, so that not every installation asks at the same second.
pub(super) fn jitter() -> Duration {
    Duration::from_millis(fastrand::u64(0..=JITTER_MILLIS))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn a_cron_expression_is_exact_and_counted() {
        let schedule = Schedule::parse("30 5 */6 * * *").unwrap();
        let Wish::Given { expression, runs } = schedule.wish(at("2026-11-22")) else { panic!("it is given") };
        assert_eq!((expression.as_str(), runs), ("30 5 */6 * * *", 4 * 31));
        let slot = schedule.slot_after(Feed::Signals(Kind::Daily), &Cadence::Cron(expression), at("2026-11-22T06:05:30Z"));
        assert_eq!(slot, Some(at("2026-11-22T12:05:30Z")));
    }

    #[test]
    fn chosen_slots_are_even() {
        let hours = |hours: u64| Cadence::Every(Duration::from_secs(hours * 3600));
        let table = [
            (Feed::Signals(Kind::Daily), hours(2), "2026-11-22T08:00:00Z", "2026-11-22T10:00:00Z"),
            (Feed::Signals(Kind::Daily), hours(2), "2026-11-22T07:59:59Z", "2026-11-22T08:00:00Z"),
            (Feed::Signals(Kind::Daily), hours(24), "2026-11-22T08:00:00Z", "2026-11-22T12:00:00Z"),
            (Feed::Signals(Kind::Hourly), hours(1), "2026-11-22T08:00:00Z", "2026-11-22T08:03:00Z"),
            (Feed::Signals(Kind::Hourly), hours(6), "2026-11-22T08:00:00Z", "2026-11-22T12:03:00Z"),
        ];
        for (feed, cadence, after, slot) in table {
            assert_eq!(Schedule::Auto.slot_after(feed, &cadence, at(after)), Some(at(slot)), "{feed} {cadence:?} {after}");
        }
        assert_eq!(Schedule::Off.slot_after(Feed::Signals(Kind::Daily), &Cadence::Off, at("2026-11-22")), None);
    }
}
