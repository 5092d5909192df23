//! How often the source is asked what it says of a token besides its signals, and how long its answer is shown (ARCHITECTURE.md, I).

use super::budget;
use crate::domain::{Facet, Timestamp};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// What people's questions can cost a day, where they never end: the price that often, everything else once a day (or once a week).
const PACES: [(u32, Duration, Duration); 3] =
    [(32, HOUR, DAY), (8, Duration::from_secs(6 * 3600), DAY), (0, DAY, Duration::from_secs(7 * 24 * 3600))];
const MONTH_DAYS: u32 = 31;

/// So long an answer is not asked for again: what the reserve for look-ups has room for in a day decides. The source itself works these
/// things out once a day, but for what it says of every hour.
pub fn fresh_for(facet: Facet, calls_per_month: u32) -> Duration {
    let a_day = if calls_per_month == 0 { u32::MAX } else { budget::reserve(calls_per_month) / MONTH_DAYS };
    let pace = PACES.iter().find(|(least, ..)| *least <= a_day).unwrap_or(&PACES[0]);
    if matches!(facet, Facet::Price | Facet::HourlyPrices) { pace.1 } else { pace.2 }
}

/// So long an answer is shown, where it cannot be asked for again.
pub const fn shown_for(facet: Facet) -> Duration {
    match facet {
        Facet::Price => Duration::from_secs(2 * 24 * 3600),
        Facet::HourlyPrices => DAY,
        Facet::Levels | Facet::Risk | Facet::Scenarios | Facet::DailyPrices => Duration::from_secs(14 * 24 * 3600),
    }
}

/// Whether an answer is so old that whoever reads it should know.
pub fn is_dated(facet: Facet, age: Duration) -> bool {
    age > if facet == Facet::Price { HOUR } else { DAY }
}

/// Whether one more call keeps to the pace of the reserve, of which look-ups and these questions have used so much this month (`rules.md`
/// 1.4 and 1.5): polls are never delayed for the sake of what is nice to know. What a call has room for one token alone is asked for where
/// there is room for what is asked of many as well.
pub fn has_room(facet: Facet, calls_per_month: u32, used: u32, now: Timestamp) -> bool {
    let reserve = budget::reserve(calls_per_month);
    let cost = if facet.is_of_one() { 1 + Facet::OF_NOW.len() as u32 } else { 1 };
    calls_per_month == 0 || (reserve > 0 && budget::keeps_pace(reserve, used, cost, now))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_more_calls_asks_more_often_and_nobody_beyond_the_reserve() {
        let hours = |calls| [Facet::Price, Facet::Risk].map(|facet| fresh_for(facet, calls).as_secs() / 3600);
        assert_eq!(hours(0), [1, 24]);
        assert_eq!(hours(20_000), [1, 24]);
        assert_eq!(hours(5_000), [6, 24]);
        assert_eq!(hours(500), [24, 168]);
        for calls in (310..50_000).step_by(97) {
            let month = Facet::OF_NOW.map(|facet| MONTH_DAYS as f64 * 24.0 / (fresh_for(facet, calls).as_secs() as f64 / 3600.0));
            let (cost, reserve) = (month.iter().sum::<f64>(), f64::from(budget::reserve(calls)));
            assert!(cost <= reserve || calls < 450, "{calls}: {cost} of {reserve}");
        }
    }

    #[test]
    fn questions_keep_to_the_pace_of_their_reserve() {
        let at = |day: &str| Timestamp::parse(day).unwrap();
        let has_room = |calls, used, now| has_room(Facet::Risk, calls, used, now);
        assert!(has_room(0, u32::MAX, at("2026-11-01")));
        assert!(has_room(500, 0, at("2026-11-01")) && !has_room(500, 1, at("2026-11-01")));
        assert!(has_room(500, 24, at("2026-11-16")) && !has_room(500, 30, at("2026-11-16")));
        assert!(!has_room(500, 50, at("2026-11-30")));
        assert!(!has_room(9, 0, at("2026-11-30")), "a tenth of that is no call");
        let of_one = |calls, used, now| super::has_room(Facet::DailyPrices, calls, used, now);
        assert!(of_one(0, u32::MAX, at("2026-11-01")) && !of_one(500, 0, at("2026-11-02")) && of_one(500, 0, at("2026-11-03")));
        assert!(has_room(500, 24, at("2026-11-16")) && !of_one(500, 24, at("2026-11-16")) && of_one(500, 21, at("2026-11-16")));
    }
}
