//! Days and hours along the bottom. Daily calls name UTC days, as everywhere; hourly ones the reader's own time.

use crate::domain::{Kind, Timestamp};
use chrono::{DateTime, Datelike, TimeZone, Timelike, Utc};
use std::fmt::Display;

/// Steps of the axis, the finest first: in hours for hourly calls, in days for daily ones.
const STEPS: [(u32, u32); 8] = [(1, 1), (2, 2), (3, 3), (6, 5), (12, 7), (24, 14), (48, 28), (96, 56)];
const QUARTER: i64 = 15 * 60 * 1000;
const DAY: i64 = 24 * 3600 * 1000;

/// A place on the axis and what stands there.
pub(super) type Tick = (Timestamp, String);

/// The ticks of the finest step at which no more than `most` stand between the two ends.
pub(super) fn ticks<Z: TimeZone>(kind: Kind, (first, last): (Timestamp, Timestamp), zone: &Z, most: usize) -> Vec<Tick>
where
    Z::Offset: Display,
{
    let mut found = Vec::new();
    for (in_hours, in_days) in STEPS {
        found = match kind {
            Kind::Hourly => hours(first, last, zone, in_hours),
            _ => days(first, last, in_days),
        };
        if found.len() <= most {
            break;
        }
    }
    found.truncate(most);
    found
}

fn days(first: Timestamp, last: Timestamp, step: u32) -> Vec<Tick> {
    let whole = |at: i64| at.div_euclid(DAY);
    let step = i64::from(step);
    // Counted back from the newest day, which is the one that people look at.
    let newest = whole(last.as_millis());
    let mut ticks: Vec<Tick> = (0..)
        .map(|index| newest - index * step)
        .take_while(|day| *day >= whole(first.as_millis()))
        .take(400)
        .map(|day| Timestamp::from_millis(day * DAY))
        .map(|at| (at, day_words(&at.to_utc())))
        .collect();
    ticks.reverse();
    ticks
}

/// Zones begin their hours at quarters of an hour at the finest.
fn hours<Z: TimeZone>(first: Timestamp, last: Timestamp, zone: &Z, step: u32) -> Vec<Tick>
where
    Z::Offset: Display,
{
    let from = first.as_millis().div_euclid(QUARTER) * QUARTER;
    let quarters = (last.as_millis() - from) / QUARTER;
    let mut ticks = Vec::new();
    for at in (0..=quarters.clamp(0, 100_000)).map(|index| Timestamp::from_millis(from + index * QUARTER)) {
        let local = local(at, zone);
        let is_round = local.minute() == 0 && local.hour() % step.min(24) == 0;
        let is_day = step <= 24 || local.num_days_from_ce().unsigned_abs().is_multiple_of(step / 24);
        // An hour that comes twice has one place.
        let is_again = ticks.last().is_some_and(|(before, _): &Tick| at.since(*before).as_secs() < 3600 * u64::from(step.min(24)) / 2);
        if at >= first && is_round && is_day && !is_again {
            ticks.push((at, if local.hour() == 0 { day_words(&local) } else { local.format("%H:%M").to_string() }));
        }
    }
    ticks
}

fn day_words<Z: TimeZone>(at: &DateTime<Z>) -> String
where
    Z::Offset: Display,
{
    at.format("%-d %b").to_string()
}

fn local<Z: TimeZone>(at: Timestamp, zone: &Z) -> DateTime<Z> {
    at.to_utc().with_timezone(zone)
}

/// A point in time as a heading names it: the UTC day of a daily call, the hour of an hourly one in the reader's zone.
pub(super) fn in_words<Z: TimeZone>(kind: Kind, at: Timestamp, zone: &Z) -> String
where
    Z::Offset: Display,
{
    match kind {
        Kind::Hourly => local(at, zone).format("%-d %b %H:%M").to_string(),
        _ => local(at, &Utc).format("%-d %b %Y").to_string(),
    }
}

/// What the zone is called at that time: `UTC`, `CET`, `+05:30`.
pub(super) fn zone_name<Z: TimeZone>(at: Timestamp, zone: &Z) -> String
where
    Z::Offset: Display,
{
    local(at, zone).offset().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::FixedOffset;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn words<Z: TimeZone>(kind: Kind, from: &str, to: &str, zone: &Z, most: usize) -> Vec<String>
    where
        Z::Offset: Display,
    {
        ticks(kind, (at(from), at(to)), zone, most).into_iter().map(|(_, words)| words).collect()
    }

    #[test]
    fn days_are_counted_back_from_the_newest() {
        assert_eq!(words(Kind::Daily, "2026-10-22", "2026-11-21", &Utc, 6), ["24 Oct", "31 Oct", "7 Nov", "14 Nov", "21 Nov"]);
        assert_eq!(words(Kind::Daily, "2026-11-21", "2026-11-21", &Utc, 6), ["21 Nov"]);
        assert_eq!(words(Kind::Daily, "2016-11-21", "2026-11-21", &Utc, 6).len(), 6);
    }

    #[test]
    fn hours_are_the_readers_own() {
        let (from, to) = ("2026-11-21T01:00:00Z", "2026-11-21T22:00:00Z");
        assert_eq!(words(Kind::Hourly, from, to, &Utc, 4), ["06:00", "12:00", "18:00"]);
        let india = FixedOffset::east_opt(19_800).unwrap();
        assert_eq!(words(Kind::Hourly, from, to, &india, 4), ["12:00", "18:00", "22 Nov"]);
        assert_eq!(in_words(Kind::Hourly, at(to), &india), "22 Nov 03:30");
        assert_eq!(zone_name(at(to), &india), "+05:30");
        assert_eq!(in_words(Kind::Daily, at("2026-11-21"), &FixedOffset::west_opt(18_000).unwrap()), "21 Nov 2026");
    }
}
