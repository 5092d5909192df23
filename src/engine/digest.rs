//! Digests: when the next one comes (ARCHITECTURE.md, rule D1).

use crate::domain::{Delivery, Settings, Timestamp};
use chrono::{Datelike, Days, NaiveDate, Timelike};
use std::time::Duration;

const QUARTER: Duration = Duration::from_secs(15 * 60);

/// When the window in which `after` is ends: the next digest of this delivery, later than `after`; nothing for what is told at once.
pub fn next_digest(settings: &Settings, delivery: Delivery, after: Timestamp) -> Option<Timestamp> {
    match delivery {
        Delivery::Instant => None,
        Delivery::DigestHourly => Some(next_full_hour(settings, after)),
        Delivery::DigestDaily => Some(next_day(settings, after, |_| true)),
        Delivery::DigestWeekly => Some(next_day(settings, after, |day| day.weekday() == settings.digest_time.weekday)),
    }
}

/// Clocks are some quarters of an hour apart, and are put forward and back by quarters.
fn next_full_hour(settings: &Settings, after: Timestamp) -> Timestamp {
    let quarter = i64::try_from(QUARTER.as_millis()).unwrap_or(i64::MAX);
    let begun = Timestamp::from_millis(after.as_millis().div_euclid(quarter) * quarter);
    let quarters = (1..=8).map(|n| begun + QUARTER * n);
    let is_full_hour = |at: &Timestamp| settings.timezone.shown(*at).minute() == 0;
    quarters.into_iter().find(is_full_hour).unwrap_or(begun + QUARTER * 4)
}

/// The first such day of whose digest the time has not come: once a day, also where the clock shows the time twice or leaves it out.
fn next_day(settings: &Settings, after: Timestamp, is_wanted: impl Fn(NaiveDate) -> bool) -> Timestamp {
    let first = settings.timezone.shown(after).date().checked_sub_days(Days::new(1)).unwrap_or_default();
    let days = first.iter_days().take(10).filter(|day| is_wanted(*day));
    let times = days.map(|day| settings.timezone.first_showing(day, settings.digest_time.time));
    times.filter(|at| *at > after).min().unwrap_or(Timestamp::NEVER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{DigestTime, Zone};
    use proptest::prelude::*;

    fn settings(zone: &str, time: &str) -> Settings {
        Settings { timezone: Zone::parse(zone).unwrap(), digest_time: DigestTime::parse(time).unwrap(), ..Settings::default() }
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn d1_windows_end_by_the_clock_on_the_wall() {
        use Delivery::{DigestDaily as Daily, DigestHourly as Hourly, DigestWeekly as Weekly};
        let table = [
            ("UTC", "09:00", Daily, "2026-11-21T08:59:59Z", "2026-11-21T09:00:00Z"),
            ("UTC", "09:00", Daily, "2026-11-21T09:00:00Z", "2026-11-22T09:00:00Z"),
            ("UTC", "09:00", Weekly, "2026-11-21T06:00:00Z", "2026-11-23T09:00:00Z"),
            ("UTC", "fri 18:00", Weekly, "2026-11-20T18:00:00Z", "2026-11-27T18:00:00Z"),
            ("UTC", "fri 18:00", Daily, "2026-11-21T06:00:00Z", "2026-11-21T18:00:00Z"),
            ("UTC", "09:00", Hourly, "2026-11-21T06:00:00Z", "2026-11-21T07:00:00Z"),
            // The same hour of the day before and after the clocks change.
            ("Europe/Berlin", "09:00", Daily, "2026-10-24T07:00:00Z", "2026-10-25T08:00:00Z"),
            ("Europe/Berlin", "09:00", Daily, "2026-03-28T08:00:00Z", "2026-03-29T07:00:00Z"),
            // A time that the clock leaves out, and one that it shows twice: once each.
            ("Europe/Berlin", "02:30", Daily, "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z"),
            ("Europe/Berlin", "02:30", Daily, "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"),
            ("Europe/Berlin", "02:30", Daily, "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"),
            ("America/Havana", "00:30", Daily, "2026-11-01T04:30:00Z", "2026-11-02T05:30:00Z"),
            ("Asia/Kolkata", "09:00", Daily, "2026-11-21T06:00:00Z", "2026-11-22T03:30:00Z"),
            ("Asia/Kolkata", "09:00", Hourly, "2026-11-21T06:00:00Z", "2026-11-21T06:30:00Z"),
            ("Australia/Lord_Howe", "09:00", Hourly, "2026-10-03T14:45:00Z", "2026-10-03T16:00:00Z"),
        ];
        for (zone, time, delivery, after, next) in table {
            let next = Some(at(next));
            assert_eq!(next_digest(&settings(zone, time), delivery, at(after)), next, "{zone} {time} {delivery} after {after}");
        }
        assert_eq!(next_digest(&Settings::default(), Delivery::Instant, at("2026-11-21")), None);
    }

    proptest! {
        /// Windows follow one another without a gap or an overlap, and each has a bounded length.
        #[test]
        fn windows_are_disjoint_and_bounded(
            zone in proptest::sample::select(vec!["UTC", "Europe/Berlin", "Asia/Kolkata", "America/Havana", "Asia/Beirut", "Australia/Lord_Howe"]),
            hour in 0_u8..24, minute in 0_u8..60, after in 1_790_000_000_i64..1_850_000_000,
            (delivery, hours) in proptest::sample::select(vec![
                (Delivery::DigestHourly, 1), (Delivery::DigestDaily, 24), (Delivery::DigestWeekly, 7 * 24),
            ]),
        ) {
            let settings = settings(zone, &format!("{hour}:{minute:02}"));
            let next = |after| next_digest(&settings, delivery, after).unwrap();
            let end = next(Timestamp::from_secs(after));
            prop_assert!(end > Timestamp::from_secs(after));
            prop_assert_eq!(next(end - Duration::from_millis(1)), end, "whatever is before the end is in the same window");
            let length = next(end).since(end).as_secs() / 60;
            prop_assert!((hours * 60 - 60..=hours * 60 + 60).contains(&length), "{} minutes", length);
        }
    }
}
