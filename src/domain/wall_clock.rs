//! What clocks on a wall show: zones with their changes, and times of day. What follows from them is `engine`'s business.

use super::Timestamp;
use chrono::{DateTime, Duration, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, TimeZone};
use chrono_tz::{TZ_VARIANTS, Tz};
use serde::{Deserialize, Serialize};
use std::fmt;

/// A zone of the IANA database: where the clock hangs. Stored by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Zone(Tz);

/// A time of day to the minute, as a clock on the wall shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay {
    hour: u8,
    minute: u8,
}

/// A text that is none of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WallClockError {
    /// Not a zone of the IANA database.
    #[error("not a time zone")]
    Zone,
    /// Not a time of day.
    #[error("not a time of day")]
    Time,
}

/// Stored as the text that it shows.
macro_rules! as_text {
    ($name:ident, |$text:ident| $read:expr, $error:ident :: $variant:ident) => {
        impl TryFrom<String> for $name {
            type Error = $error;

            fn try_from($text: String) -> Result<Self, $error> {
                $read.ok_or($error::$variant)
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.to_string()
            }
        }
    };
}
pub(super) use as_text;

/// Further apart than the clocks of any two zones, and than any change of one.
const FAR: Duration = Duration::hours(26);

impl Zone {
    /// The zone of whoever has not chosen one.
    pub const UTC: Self = Self(Tz::UTC);

    /// Reads a name as people write it: any case, spaces for underscores, and the city alone where it is the only one of its name.
    pub fn parse(text: &str) -> Option<Self> {
        let wanted = text.trim().replace(' ', "_");
        let exact = Self::all().find(|zone| zone.name().eq_ignore_ascii_case(&wanted));
        // `GMT+2` is no city: `Etc/GMT+2`, where the sign means the other direction, has to be written in full.
        let mut cities = Self::all().filter(|zone| !zone.name().starts_with("Etc/") && zone.city().eq_ignore_ascii_case(&wanted));
        exact.or_else(|| cities.next().filter(|_| cities.next().is_none()))
    }

    /// Every zone, in the order of the names.
    pub fn all() -> impl Iterator<Item = Self> {
        TZ_VARIANTS.iter().copied().map(Self)
    }

    /// Its name, such as `Europe/Berlin`.
    pub fn name(self) -> &'static str {
        self.0.name()
    }

    /// `21 Nov 2026 23:00 CET`: a point in time by the clock there; `UTC+05:45` where the zone's hours have no name.
    pub fn words(self, at: Timestamp) -> String {
        format!("{} {}", self.shown(at).format("%-d %b %Y %H:%M"), self.hours(at))
    }

    /// What its hours are called at that time: `CET`, or `UTC+05:45` where they have no name.
    pub fn hours(self, at: Timestamp) -> String {
        let local = at.to_utc().with_timezone(&self.0);
        let name = local.format("%Z").to_string();
        if name.starts_with(['+', '-']) { local.format("UTC%:z").to_string() } else { name }
    }

    /// The same for the calendar library.
    pub const fn rules(self) -> Tz {
        self.0
    }

    /// The last part of its name.
    pub fn city(self) -> &'static str {
        self.name().rsplit('/').next().unwrap_or_default()
    }

    /// What its clocks show.
    pub fn shown(self, at: Timestamp) -> NaiveDateTime {
        at.to_utc().with_timezone(&self.0).naive_local()
    }

    /// In words: `Sat 21 Nov 2026 22:00`.
    pub fn in_words(self, at: Timestamp) -> String {
        self.shown(at).format("%a %-d %b %Y %H:%M").to_string()
    }

    /// When its clocks show this for the first time; where they leave it out, when they go past it.
    pub fn first_showing(self, date: NaiveDate, time: TimeOfDay) -> Timestamp {
        self.showing(date, time, |first, _| first)
    }

    /// When its clocks show this for the last time; where they leave it out, when they go past it.
    pub fn last_showing(self, date: NaiveDate, time: TimeOfDay) -> Timestamp {
        self.showing(date, time, |_, last| last)
    }

    fn showing(self, date: NaiveDate, time: TimeOfDay, choose: impl Fn(DateTime<Tz>, DateTime<Tz>) -> DateTime<Tz>) -> Timestamp {
        let wanted = date.and_time(time.naive());
        match self.0.from_local_datetime(&wanted) {
            LocalResult::Single(at) => at.to_utc().into(),
            LocalResult::Ambiguous(first, last) => choose(first, last).to_utc().into(),
            LocalResult::None => self.first_past(wanted),
        }
    }

    /// The second at which its clocks go past what they leave out.
    fn first_past(self, wanted: NaiveDateTime) -> Timestamp {
        let seconds = |at: NaiveDateTime| at.and_utc().timestamp();
        let (mut before, mut past) = (seconds(wanted - FAR), seconds(wanted + FAR));
        while past - before > 1 {
            let middle = before + (past - before) / 2;
            if self.shown(Timestamp::from_secs(middle)) < wanted {
                before = middle;
            } else {
                past = middle;
            }
        }
        Timestamp::from_secs(past)
    }
}

impl Default for Zone {
    fn default() -> Self {
        Self::UTC
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

// As it is stored: the very name.
as_text!(Zone, |name| name.parse().map(Self).ok(), WallClockError::Zone);

impl TimeOfDay {
    /// Hour and minute; nothing where no clock shows that.
    pub const fn new(hour: u8, minute: u8) -> Option<Self> {
        if hour < 24 && minute < 60 { Some(Self { hour, minute }) } else { None }
    }

    /// Reads `22:00` or `7:30`.
    pub fn parse(text: &str) -> Option<Self> {
        let (hour, minute) = text.trim().split_once(':')?;
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if !(1..=2).contains(&hour.len()) || minute.len() != 2 || !digits(hour) || !digits(minute) {
            return None;
        }
        Self::new(hour.parse().ok()?, minute.parse().ok()?)
    }

    fn naive(self) -> NaiveTime {
        NaiveTime::from_hms_opt(u32::from(self.hour), u32::from(self.minute), 0).unwrap_or_default()
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:02}:{:02}", self.hour, self.minute)
    }
}

as_text!(TimeOfDay, |text| Self::parse(&text), WallClockError::Time);

#[cfg(test)]
mod tests {
    use super::*;

    fn zone(name: &str) -> Zone {
        Zone::parse(name).unwrap()
    }

    #[test]
    fn zones_are_read_as_people_write_them() {
        for (text, name) in [
            ("europe/berlin", "Europe/Berlin"),
            ("Berlin", "Europe/Berlin"),
            ("new york", "America/New_York"),
            ("America/New York", "America/New_York"),
            ("kolkata", "Asia/Kolkata"),
            ("utc", "UTC"),
            ("etc/gmt+2", "Etc/GMT+2"),
        ] {
            assert_eq!(Zone::parse(text).map(Zone::name), Some(name), "{text}");
        }
        for text in ["", "GMT+2", "UTC+2", "Mars", "Europe", "Europe/"] {
            assert_eq!(Zone::parse(text), None, "{text}");
        }
        assert_eq!(serde_json::to_string(&zone("berlin")).unwrap(), r#""Europe/Berlin""#);
        assert!(serde_json::from_str::<Zone>(r#""berlin""#).is_err(), "stored by the very name");
    }

    #[test]
    fn times_of_day_are_strict() {
        assert_eq!(TimeOfDay::parse("7:05").unwrap().to_string(), "07:05");
        for text in ["", "7", "24:00", "12:60", "7:5", "007:00", "+7:00", "７:00", "12:00:00"] {
            assert_eq!(TimeOfDay::parse(text), None, "{text}");
        }
    }

    #[test]
    fn what_clocks_show_twice_or_never_has_a_first_and_a_last_time() {
        let showing = |name: &str, date: &str, time: &str| {
            let (zone, date, time) = (zone(name), date.parse().unwrap(), TimeOfDay::parse(time).unwrap());
            (zone.first_showing(date, time).to_string(), zone.last_showing(date, time).to_string())
        };
        let twice = |first: &str, last: &str| (first.to_owned(), last.to_owned());
        let once = |at: &str| twice(at, at);
        assert_eq!(showing("Europe/Berlin", "2026-10-25", "02:30"), twice("2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"));
        assert_eq!(showing("Europe/Berlin", "2026-03-29", "02:30"), once("2026-03-29T01:00:00Z"));
        assert_eq!(showing("America/Havana", "2026-03-08", "00:30"), once("2026-03-08T05:00:00Z"));
        assert_eq!(showing("America/Havana", "2026-11-01", "00:30"), twice("2026-11-01T04:30:00Z", "2026-11-01T05:30:00Z"));
        assert_eq!(showing("Asia/Kolkata", "2026-11-21", "09:00"), once("2026-11-21T03:30:00Z"));
        assert_eq!(showing("Pacific/Apia", "2011-12-30", "12:00"), once("2011-12-30T10:00:00Z"), "a day that was left out");
    }
}
