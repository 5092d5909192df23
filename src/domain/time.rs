//! Points in time as Unix milliseconds and UTC calendar days: the only two notions of time that rules and database share.

use chrono::{DateTime, Datelike, NaiveDate, SecondsFormat, TimeZone, Utc};
use serde::{Deserialize, Serialize};
use std::{
    fmt,
    ops::{Add, Sub},
    time::Duration,
};

/// A point in time, in Unix milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 1 January 1970: before everything.
    pub const EPOCH: Self = Self(0);
    /// Later than anything that will be stored.
    pub const NEVER: Self = Self(i64::MAX);

    /// From Unix milliseconds.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// From Unix seconds.
    pub const fn from_secs(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Unix milliseconds, as the database stores them.
    pub const fn as_millis(self) -> i64 {
        self.0
    }

    /// Unix seconds, as Discord's `<t:…>` wants them.
    pub const fn as_secs(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Reads RFC 3339 (`2026-11-21T22:00:00.000Z`) or a plain `2026-11-21`, which is its midnight UTC.
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(at) = DateTime::parse_from_rfc3339(text) {
            return Some(Self(at.timestamp_millis()));
        }
        NaiveDate::parse_from_str(text, "%Y-%m-%d").ok().map(|date| Day::from(date).start())
    }

    /// The UTC calendar day it falls in.
    pub fn day(self) -> Day {
        Day(self.0.div_euclid(Day::MILLIS))
    }

    /// How long after `earlier`; nothing if it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The same point for the calendar library; the epoch where it is out of its range.
    pub fn to_utc(self) -> DateTime<Utc> {
        Utc.timestamp_millis_opt(self.0).single().unwrap_or_default()
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(at: DateTime<Utc>) -> Self {
        Self(at.timestamp_millis())
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;
    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;
    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, to the second.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.to_utc().to_rfc3339_opts(SecondsFormat::Secs, true))
    }
}

/// A UTC calendar day, counted from 1 January 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i64);

impl Day {
    const MILLIS: i64 = 24 * 3600 * 1000;

    /// Its midnight UTC.
    pub const fn start(self) -> Timestamp {
        Timestamp(self.0 * Self::MILLIS)
    }

    /// The day `days` later; earlier where negative.
    pub const fn plus(self, days: i64) -> Self {
        Self(self.0 + days)
    }

    /// How many days after `earlier`; negative if before.
    pub const fn days_since(self, earlier: Self) -> i64 {
        self.0 - earlier.0
    }

    /// The first day of its month.
    pub fn month_start(self) -> Self {
        let date = self.date();
        Self::from(date.with_day(1).unwrap_or(date))
    }

    /// The first day of the month after its own.
    pub fn next_month_start(self) -> Self {
        self.month_start().plus(31).month_start()
    }

    fn date(self) -> NaiveDate {
        self.start().to_utc().date_naive()
    }

    /// In words: `21 Nov 2026`.
    pub fn in_words(self) -> String {
        self.date().format("%-d %b %Y").to_string()
    }
}

impl From<NaiveDate> for Day {
    fn from(date: NaiveDate) -> Self {
        let epoch = NaiveDate::default();
        Self(date.signed_duration_since(epoch).num_days())
    }
}

impl fmt::Display for Day {
    /// `2026-11-21`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.date().format("%Y-%m-%d").fmt(out)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_of_a_date_are_read() {
        let midnight = Timestamp::parse("2026-11-21T00:00:00.000Z").unwrap();
        assert_eq!(Timestamp::parse("2026-11-21"), Some(midnight));
        assert_eq!(Timestamp::parse("21.11.2026"), None);
        assert_eq!(midnight.to_string(), "2026-11-21T00:00:00Z");
        assert_eq!(midnight.day().in_words(), "21 Nov 2026");
    }

    #[test]
    fn a_day_begins_at_midnight_utc_also_before_the_epoch() {
        assert_eq!(Timestamp::from_millis(-1).day().start(), Timestamp::from_millis(-Day::MILLIS));
    }

    #[test]
    fn months_have_their_own_lengths() {
        let day = Timestamp::parse("2028-02-29").unwrap().day();
        assert_eq!(day.month_start().to_string(), "2028-02-01");
        assert_eq!(day.next_month_start().to_string(), "2028-03-01");
        assert_eq!(Timestamp::parse("2026-12-31").unwrap().day().next_month_start().to_string(), "2027-01-01");
    }
}
