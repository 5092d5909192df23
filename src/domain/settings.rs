//! What the owner of a destination may choose for all its alerts.

use super::{Confirmation, Kind, Theme, TimeOfDay, Zone, wall_clock::as_text};
use chrono::Weekday;
use serde::{Deserialize, Deserializer, Serialize};
use std::{collections::BTreeSet, fmt, time::Duration};

/// The largest `max_per_hour` (`rules.md` 3.4).
pub const MAX_PER_HOUR: u32 = 60;
/// The largest `cooldown`, in minutes: a week.
pub const MAX_COOLDOWN_MINUTES: u32 = 7 * 24 * 60;

/// How much, how often and at which hours a destination is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Alert messages in any 60 minutes, 1 to 60; 0 is no limit (3.4).
    pub max_per_hour: u32,
    /// Minutes of quiet per token and kind after an alert; 0 is none (3.5).
    pub cooldown_minutes: u32,
    /// What a turn has to show before it is told (N1).
    #[serde(skip_serializing_if = "is_usual", alias = "confirmation_minutes")]
    pub confirmation: Confirmation,
    /// Where the clock hangs that the following go by.
    #[serde(skip_serializing_if = "is_usual")]
    pub timezone: Zone,
    /// Between these hours alerts are held, night after night.
    #[serde(skip_serializing_if = "is_usual")]
    pub quiet_hours: Option<QuietHours>,
    /// The kinds whose alerts come in quiet hours all the same.
    #[serde(skip_serializing_if = "is_usual")]
    pub quiet_bypass: BTreeSet<Kind>,
    /// When digests come.
    #[serde(skip_serializing_if = "is_usual")]
    pub digest_time: DigestTime,
    /// An alert of one token brings a picture of its past, in these colours.
    #[serde(skip_serializing_if = "is_usual", deserialize_with = "theme_or_switch")]
    pub charts: Option<Theme>,
    /// An alert of one token says when its data is from, and when it was polled and sent (V1).
    #[serde(skip_serializing_if = "is_usual")]
    pub provenance: bool,
}

/// What nobody has chosen is not written: most destinations have the usual hours, and each is read for every change.
fn is_usual<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// Before there was a choice of colours it was a switch.
fn theme_or_switch<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Theme>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        Switch(bool),
        Theme(Theme),
    }
    Ok(match Option::deserialize(from)? {
        None | Some(Written::Switch(false)) => None,
        Some(Written::Switch(true)) => Some(Theme::default()),
        Some(Written::Theme(theme)) => Some(theme),
    })
}

/// From one time of day until another, which may be on the next day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct QuietHours {
    from: TimeOfDay,
    until: TimeOfDay,
}

/// When digests come, by the clock on the wall.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DigestTime {
    /// The day of the weekly one.
    pub weekday: Weekday,
    /// The time of the daily and the weekly one.
    pub time: TimeOfDay,
}

/// What is to be changed; what is not named stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are those of the settings")]
pub struct SettingsChange {
    pub max_per_hour: Option<u32>,
    pub cooldown_minutes: Option<u32>,
    pub confirmation: Option<Confirmation>,
    pub timezone: Option<Zone>,
    pub quiet_hours: Option<Option<QuietHours>>,
    pub quiet_bypass: Option<BTreeSet<Kind>>,
    pub digest_time: Option<DigestTime>,
    pub charts: Option<Option<Theme>>,
    pub provenance: Option<bool>,
}

/// A text that is no such setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// Not `22:00-07:00`.
    #[error("not quiet hours")]
    QuietHours,
    /// Not `09:00` or `mon 09:00`.
    #[error("not a time for digests")]
    DigestTime,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            max_per_hour: 10,
            cooldown_minutes: 0,
            confirmation: Confirmation::AtOnce,
            timezone: Zone::UTC,
            quiet_hours: None,
            quiet_bypass: BTreeSet::new(),
            digest_time: DigestTime::default(),
            charts: None,
            provenance: false,
        }
    }
}

impl Settings {
    /// What `confirmation` was called when it was minutes alone: read for ever, never written.
    pub const NAME_OF_CONFIRMATION_BEFORE: &'static str = "confirmation_minutes";
    /// Under which names they are written.
    pub const NAMES: &'static [&'static str] = &[
        "max_per_hour",
        "cooldown_minutes",
        "confirmation",
        "timezone",
        "quiet_hours",
        "quiet_bypass",
        "digest_time",
        "charts",
        "provenance",
    ];

    /// The cooldown as a length of time.
    pub fn cooldown(&self) -> Duration {
        Duration::from_secs(u64::from(self.cooldown_minutes) * 60)
    }

    /// The settings after a change.
    #[must_use]
    pub fn changed(self, change: &SettingsChange) -> Self {
        Self {
            max_per_hour: change.max_per_hour.unwrap_or(self.max_per_hour),
            cooldown_minutes: change.cooldown_minutes.unwrap_or(self.cooldown_minutes),
            confirmation: change.confirmation.unwrap_or(self.confirmation),
            timezone: change.timezone.unwrap_or(self.timezone),
            quiet_hours: change.quiet_hours.unwrap_or(self.quiet_hours),
            quiet_bypass: change.quiet_bypass.clone().unwrap_or(self.quiet_bypass),
            digest_time: change.digest_time.unwrap_or(self.digest_time),
            charts: change.charts.unwrap_or(self.charts),
            provenance: change.provenance.unwrap_or(self.provenance),
        }
    }

    /// The quieter of two settings in each respect, for a merge of two destinations (4.3). What goes by a clock stays together: that of
    /// `self`, unless the other alone has quiet hours or has chosen a clock at all.
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        let unlimited_last = |n: u32| if n == 0 { u32::MAX } else { n };
        let max = unlimited_last(self.max_per_hour).min(unlimited_last(other.max_per_hour));
        let limits = (if max == u32::MAX { 0 } else { max }, self.cooldown_minutes.max(other.cooldown_minutes));
        let confirmation = self.confirmation.max(other.confirmation);
        let (charts, provenance) = (other.charts.and(self.charts), self.provenance && other.provenance);
        let by_the_clock = if self.chosen_clock() < other.chosen_clock() { other } else { self };
        Self { max_per_hour: limits.0, cooldown_minutes: limits.1, confirmation, charts, provenance, ..by_the_clock }
    }

    fn chosen_clock(&self) -> (bool, bool) {
        (self.quiet_hours.is_some(), self.timezone != Zone::UTC || self.digest_time != DigestTime::default())
    }
}

impl QuietHours {
    /// From one time until another; nothing where they are the same.
    pub fn new(from: TimeOfDay, until: TimeOfDay) -> Option<Self> {
        (from != until).then_some(Self { from, until })
    }

    /// Reads `22:00-07:00`.
    pub fn parse(text: &str) -> Option<Self> {
        let (from, until) = text.split_once(['-', '–'])?;
        Self::new(TimeOfDay::parse(from)?, TimeOfDay::parse(until)?)
    }

    /// When they begin.
    pub const fn from(self) -> TimeOfDay {
        self.from
    }

    /// When they end.
    pub const fn until(self) -> TimeOfDay {
        self.until
    }

    /// Whether they end on the day after the one on which they begin.
    pub fn past_midnight(self) -> bool {
        self.until < self.from
    }
}

impl DigestTime {
    /// Reads `09:00` or `mon 09:00`; without a day the weekly digest comes on Monday.
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split([' ', ',', '-']).filter(|word| !word.is_empty());
        let (first, second) = (words.next()?, words.next());
        let (weekday, time) = match second {
            None => (Weekday::Mon, first),
            Some(time) => (first.parse().ok()?, time),
        };
        TimeOfDay::parse(time).filter(|_| words.next().is_none()).map(|time| Self { weekday, time })
    }
}

impl Default for DigestTime {
    fn default() -> Self {
        const NINE: TimeOfDay = TimeOfDay::new(9, 0).expect("a clock shows it");
        Self { weekday: Weekday::Mon, time: NINE }
    }
}

impl fmt::Display for QuietHours {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}-{}", self.from, self.until)
    }
}

impl fmt::Display for DigestTime {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.weekday.to_string().to_lowercase(), self.time)
    }
}

as_text!(QuietHours, |text| Self::parse(&text), SettingsError::QuietHours);
as_text!(DigestTime, |text| Self::parse(&text), SettingsError::DigestTime);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stricter_of_two_is_the_quieter_in_each_respect() {
        let loud = Settings { max_per_hour: 0, cooldown_minutes: 30, ..Settings::default() };
        let quiet = Settings { max_per_hour: 5, ..Settings::default() };
        assert_eq!(loud.clone().stricter(quiet), Settings { max_per_hour: 5, cooldown_minutes: 30, ..Settings::default() });
        assert_eq!(loud.clone().stricter(loud).max_per_hour, 0);
    }

    #[test]
    fn a_merge_keeps_quiet_hours_and_the_clock_that_they_go_by_together() {
        let hours = QuietHours::parse("22:00-07:00");
        let berlin = Settings { timezone: Zone::parse("berlin").unwrap(), ..Settings::default() };
        let kolkata = Settings { timezone: Zone::parse("kolkata").unwrap(), quiet_hours: hours, ..Settings::default() };
        for (one, other) in [(&berlin, &kolkata), (&kolkata, &berlin), (&kolkata, &Settings::default()), (&Settings::default(), &kolkata)] {
            assert_eq!(one.clone().stricter(other.clone()), kolkata);
        }
        assert_eq!(Settings::default().stricter(berlin.clone()), berlin);
    }

    #[test]
    fn what_was_stored_before_there_were_clocks_reads_with_the_usual_ones() {
        let old: Settings = serde_json::from_str(r#"{"max_per_hour":3,"cooldown_minutes":5}"#).unwrap();
        assert_eq!(old, Settings { max_per_hour: 3, cooldown_minutes: 5, ..Settings::default() });
        assert_eq!(serde_json::to_string(&old).unwrap(), r#"{"max_per_hour":3,"cooldown_minutes":5}"#);
        let charts = |text| serde_json::from_str::<Settings>(text).unwrap().charts;
        assert_eq!([charts(r#"{"charts":true}"#), charts(r#"{"charts":false}"#)], [Some(Theme::Dark), None]);
        let old: Settings = serde_json::from_str(r#"{"max_per_hour":3,"cooldown_minutes":5,"confirmation_minutes":45}"#).unwrap();
        assert_eq!(old.confirmation, Confirmation::Minutes(45));
    }

    #[test]
    fn whatever_is_chosen_is_written_under_its_name() {
        let text = r#"{"max_per_hour":3,"cooldown_minutes":5,"confirmation":30,"timezone":"Asia/Kolkata","quiet_hours":"22:00-07:00","quiet_bypass":["hourly"],"digest_time":"sun 18:00","charts":"light","provenance":true}"#;
        let chosen: Settings = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&chosen).unwrap(), text);
        let written = serde_json::to_value(chosen).unwrap();
        assert!(written.as_object().unwrap().keys().all(|name| Settings::NAMES.contains(&name.as_str())));
        assert_eq!(written.as_object().unwrap().len(), Settings::NAMES.len());
    }

    #[test]
    fn hours_and_digest_times_are_read_as_they_are_written() {
        let hours = QuietHours::parse("22:00-7:00").unwrap();
        assert_eq!((hours.to_string().as_str(), hours.past_midnight()), ("22:00-07:00", true));
        assert_eq!(QuietHours::parse("13:00–14:30").map(QuietHours::past_midnight), Some(false));
        for bad in ["", "22-7", "22:00", "22:00-22:00", "22:00-25:00", "22:00-07:00-08:00"] {
            assert_eq!(QuietHours::parse(bad), None, "{bad}");
        }
        for (text, shown) in [("9:30", "mon 09:30"), ("Sunday 18:00", "sun 18:00"), ("fri,8:00", "fri 08:00"), ("mon-09:00", "mon 09:00")] {
            assert_eq!(DigestTime::parse(text).unwrap().to_string(), shown);
        }
        for bad in ["", "mon", "9", "09:00 mon", "noday 09:00", "mon 09:00 10:00"] {
            assert_eq!(DigestTime::parse(bad), None, "{bad}");
        }
    }
}
