//! Quiet hours: whether it is quiet now, and until when (ARCHITECTURE.md, rules Q1 to Q3).

use crate::domain::{Call, Kind, Lane, QuietHours, Settings, Timestamp};
use chrono::{Days, NaiveDate};

/// Until when nothing is told, if it is quiet now. Never a time inside quiet hours.
pub fn quiet_until(settings: &Settings, now: Timestamp) -> Option<Timestamp> {
    let hours = settings.quiet_hours?;
    let mut end = night_with(settings, hours, now)?;
    // Two nights may touch, or overlap where a clock is put back: the one that began first does not end the other.
    for _ in 0..MOST_NIGHTS {
        match night_with(settings, hours, end) {
            Some(later) => end = later,
            None => break,
        }
    }
    Some(end)
}

/// The same for an alert of this kind: some pass through (Q2).
pub fn quiet_for(settings: &Settings, kind: Kind, now: Timestamp) -> Option<Timestamp> {
    if settings.quiet_bypass.contains(&kind) { None } else { quiet_until(settings, now) }
}

/// Until when a message stays back, where a night has begun since it was composed (Q1). What tells no calls, such as an answer, never does.
pub fn stays_back(settings: &Settings, lane: Lane, calls: &[Call], now: Timestamp) -> Option<Timestamp> {
    let passes = lane != Lane::Digest && calls.iter().all(|call| settings.quiet_bypass.contains(&call.kind));
    if passes { None } else { quiet_until(settings, now) }
}

/// No more nights in a row leave no gap between them, whatever a zone does.
const MOST_NIGHTS: usize = 7;

/// The end of the night in which `now` is: of the last, where there are two.
fn night_with(settings: &Settings, hours: QuietHours, now: Timestamp) -> Option<Timestamp> {
    let today = settings.timezone.shown(now).date();
    // A clock that is put back at midnight shows the day before once more.
    let days = [today.checked_sub_days(Days::new(1)), Some(today), today.checked_add_days(Days::new(1))];
    let nights = days.into_iter().flatten().map(|day| night(settings, hours, day));
    nights.filter(|(begin, end)| *begin <= now && now < *end).map(|(_, end)| end).max()
}

/// The night that begins on a day: from when the clock shows its begin for the first time until it shows its end for the last time.
fn night(settings: &Settings, hours: QuietHours, day: NaiveDate) -> (Timestamp, Timestamp) {
    let next = if hours.past_midnight() { day.checked_add_days(Days::new(1)).unwrap_or(day) } else { day };
    (settings.timezone.first_showing(day, hours.from()), settings.timezone.last_showing(next, hours.until()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Zone;
    use proptest::prelude::*;

    fn settings(zone: &str, hours: &str) -> Settings {
        Settings { timezone: Zone::parse(zone).unwrap(), quiet_hours: Some(QuietHours::parse(hours).unwrap()), ..Settings::default() }
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn q1_a_night_is_from_the_first_showing_of_its_begin_to_the_last_of_its_end() {
        let table = [
            // An ordinary night, and the minutes around it.
            ("UTC", "22:00-07:00", "2026-11-21T21:59:59Z", None),
            ("UTC", "22:00-07:00", "2026-11-21T22:00:00Z", Some("2026-11-22T07:00:00Z")),
            ("UTC", "22:00-07:00", "2026-11-22T06:59:59Z", Some("2026-11-22T07:00:00Z")),
            ("UTC", "22:00-07:00", "2026-11-22T07:00:00Z", None),
            // Within a day.
            ("UTC", "13:00-14:30", "2026-11-22T14:29:00Z", Some("2026-11-22T14:30:00Z")),
            ("UTC", "13:00-14:30", "2026-11-22T14:30:00Z", None),
            ("UTC", "00:00-23:59", "2026-11-22T23:59:30Z", None),
            // The night on which the clock is put forward is an hour shorter, the one on which it is put back an hour longer.
            ("Europe/Berlin", "22:00-07:00", "2026-03-28T21:00:00Z", Some("2026-03-29T05:00:00Z")),
            ("Europe/Berlin", "22:00-07:00", "2026-10-24T20:00:00Z", Some("2026-10-25T06:00:00Z")),
            // An end that the clock leaves out is when it goes past it; one that it shows twice is the second.
            ("Europe/Berlin", "22:00-02:30", "2026-03-29T00:59:00Z", Some("2026-03-29T01:00:00Z")),
            ("Europe/Berlin", "22:00-02:30", "2026-10-25T00:45:00Z", Some("2026-10-25T01:30:00Z")),
            ("Europe/Berlin", "02:30-07:00", "2026-10-25T01:10:00Z", Some("2026-10-25T06:00:00Z")),
            ("Europe/Berlin", "02:15-02:45", "2026-03-29T01:00:00Z", None),
            // A zone with a half hour, and one that is put forward by half an hour.
            ("Asia/Kolkata", "22:00-07:00", "2026-11-21T16:29:00Z", None),
            ("Asia/Kolkata", "22:00-07:00", "2026-11-21T16:30:00Z", Some("2026-11-22T01:30:00Z")),
            ("Australia/Lord_Howe", "22:00-07:00", "2026-10-03T12:00:00Z", Some("2026-10-03T20:00:00Z")),
            // Clocks that change at midnight, in both directions.
            ("America/Havana", "22:00-07:00", "2026-03-08T03:00:00Z", Some("2026-03-08T11:00:00Z")),
            ("America/Havana", "00:15-07:00", "2026-11-01T05:05:00Z", Some("2026-11-01T12:00:00Z")),
            ("Asia/Beirut", "22:00-00:30", "2026-03-28T21:59:00Z", Some("2026-03-28T22:00:00Z")),
            ("Asia/Beirut", "22:00-23:30", "2026-10-24T20:45:00Z", Some("2026-10-24T21:30:00Z")),
        ];
        for (zone, hours, now, end) in table {
            assert_eq!(quiet_until(&settings(zone, hours), at(now)), end.map(at), "{zone} {hours} at {now}");
        }
        assert_eq!(quiet_until(&Settings::default(), at("2026-11-22T03:00:00Z")), None);
    }

    #[test]
    fn q2_some_kinds_pass_through() {
        let night = Settings { quiet_bypass: [Kind::Hourly].into(), ..settings("UTC", "22:00-07:00") };
        let now = at("2026-11-22T03:00:00Z");
        assert_eq!((quiet_for(&night, Kind::Hourly, now), quiet_for(&night, Kind::Daily, now)), (None, quiet_until(&night, now)));
    }

    prop_compose! {
        fn any_hours()(from in 0_u16..1440, length in 1_u16..1440) -> QuietHours {
            let text = |minutes: u16| format!("{:02}:{:02}", minutes / 60 % 24, minutes % 60);
            QuietHours::parse(&format!("{}-{}", text(from), text(from + length))).unwrap()
        }
    }

    prop_compose! {
        /// Any minute of the years around now, most of them near a change of some clock.
        fn any_now()(
            change in proptest::sample::select(vec![
                "2026-03-08T05:00:00Z", "2026-03-28T22:00:00Z", "2026-03-29T01:00:00Z", "2026-04-04T15:00:00Z", "2026-10-03T15:30:00Z",
                "2026-10-24T21:00:00Z", "2026-10-25T01:00:00Z", "2026-11-01T05:00:00Z", "2028-06-01T00:00:00Z",
            ]),
            minutes in -4_000_i64..4_000, seconds in 0_i64..60,
        ) -> Timestamp {
            Timestamp::from_secs(at(change).as_secs() + minutes * 60 + seconds)
        }
    }

    /// Whether a clock that shows this is within the hours.
    fn is_shown_quiet(settings: &Settings, hours: QuietHours, now: Timestamp) -> bool {
        let shown = settings.timezone.shown(now).format("%H:%M").to_string();
        let (from, until) = (hours.from().to_string(), hours.until().to_string());
        if hours.past_midnight() { shown >= from || shown < until } else { shown >= from && shown < until }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// Q1: nothing is told while the clock shows quiet hours, the end is not inside them, and it is never later than when the clock
        /// shows it (or goes past it) for the last time.
        #[test]
        fn quiet_hours_are_never_broken_and_never_longer_than_they_are(
            zone in proptest::sample::select(vec![
                "UTC", "Europe/Berlin", "Asia/Kolkata", "America/Havana", "Asia/Beirut", "Australia/Lord_Howe", "America/New_York", "Asia/Kathmandu",
            ]),
            hours in any_hours(),
            now in any_now(),
        ) {
            let settings = Settings { timezone: Zone::parse(zone).unwrap(), quiet_hours: Some(hours), ..Settings::default() };
            match quiet_until(&settings, now) {
                None => prop_assert!(!is_shown_quiet(&settings, hours, now)),
                Some(end) => {
                    prop_assert!(end > now);
                    prop_assert_eq!(quiet_until(&settings, end), None);
                    prop_assert!(!is_shown_quiet(&settings, hours, end));
                    let day = settings.timezone.shown(end).date();
                    prop_assert_eq!(end, settings.timezone.last_showing(day, hours.until()));
                    // Until then there is no minute that is not quiet, but where the clock is put back across the end.
                    let minutes = (now.as_secs() / 60 + 1..end.as_secs() / 60).map(|minute| Timestamp::from_secs(minute * 60));
                    let loud: Vec<_> = minutes.filter(|minute| !is_shown_quiet(&settings, hours, *minute)).collect();
                    prop_assert!(loud.len() <= 60, "{} minutes", loud.len());
                }
            }
        }
    }
}
