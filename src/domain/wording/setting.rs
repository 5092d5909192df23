//! What answers about settings say.
#![expect(missing_docs, reason = "the sentence names its arguments")]

use super::{Spans, reply::counted, subscribing::duration_words};
use crate::domain::{Confirmation, Delivery, DigestTime, Kind, Platform, QuietHours, Settings, Theme, Timestamp, Zone};
use chrono::Weekday;
use serde::{Deserialize, Serialize};

/// A sentence about settings. Times are those of the clock that the settings go by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SettingPhrase {
    Title {
        label: Option<String>,
        saved: bool,
    },
    MaxPerHour {
        most: u32,
    },
    Cooldown {
        minutes: u32,
    },
    Confirmation {
        confirmation: Confirmation,
    },
    /// Whether alerts bring a picture, and in which colours.
    Charts {
        theme: Option<Theme>,
    },
    /// What the bot must be allowed to do in a channel or group for that.
    ChartsNeed {
        platform: Platform,
    },
    /// Whether alerts say when what happened on their way.
    Provenance {
        on: bool,
    },
    /// The clock, and what it shows now.
    Timezone {
        zone: Zone,
        now: Timestamp,
    },
    /// Nobody has chosen a zone yet: how it is done.
    ChooseTimezone {
        example: String,
    },
    QuietHours {
        hours: Option<QuietHours>,
    },
    /// It is quiet at present.
    QuietNow {
        zone: Zone,
        until: Timestamp,
    },
    QuietBypass {
        kinds: Vec<Kind>,
    },
    /// What was subscribed to comes in digests: when the next one is due.
    NextDigest {
        delivery: Delivery,
        zone: Zone,
        next: Timestamp,
    },
    /// When digests come, and when the next ones are due.
    DigestTime {
        time: DigestTime,
        zone: Zone,
        daily: Timestamp,
        weekly: Timestamp,
    },
}

impl SettingPhrase {
    /// A line for each limit.
    pub fn limits(settings: &Settings) -> [Self; 2] {
        [Self::MaxPerHour { most: settings.max_per_hour }, Self::Cooldown { minutes: settings.cooldown_minutes }]
    }

    /// A line for the quiet hours, where there are any.
    pub fn hours(settings: &Settings) -> Option<Self> {
        settings.quiet_hours.map(|hours| Self::QuietHours { hours: Some(hours) })
    }

    pub(super) fn english(&self, out: &mut Spans) {
        match self {
            Self::Title { label, saved } => {
                let of = label.as_ref().map(|label| format!(" of {label}")).unwrap_or_default();
                out.text(if *saved { format!("Settings{of} saved") } else { format!("Settings{of}") })
            }
            Self::MaxPerHour { most: 0 } => out.code("max_per_hour").text(" 0: no limit, every alert comes at once."),
            Self::MaxPerHour { most } => out.code("max_per_hour").text(format!(
                " {most}: at most {} in any 60 minutes; what is beyond waits and comes as one summary.",
                counted(u64::from(*most), "alert message")
            )),
            Self::Cooldown { minutes: 0 } => out.code("cooldown").text(" 0: no pause between two alerts for the same token."),
            Self::Cooldown { minutes } => out.code("cooldown").text(format!(
                " {minutes}: after an alert the same token is quiet for {}, then the net change is told.",
                duration_words(u64::from(*minutes) * 60)
            )),
            Self::Confirmation { confirmation: Confirmation::AtOnce } => {
                out.code("confirmation").text(" 0: a turn is told as soon as it is seen.")
            }
            Self::Confirmation { confirmation: Confirmation::Polls(share) } => out.code("confirmation").text(format!(
                " {share}: a turn is told once {} of the last {} polls have shown it; what none of them shows any more is not told.",
                share.shown(),
                share.of()
            )),
            Self::Confirmation { confirmation: Confirmation::Minutes(minutes) } => out.code("confirmation").text(format!(
                " {minutes}: a turn is told once it has stood for {}; what turns back before is not told.",
                duration_words(u64::from(*minutes) * 60)
            )),
            Self::Charts { theme: Some(theme) } => {
                out.code("charts").text(format!(" {theme}: a daily or hourly alert of one token brings a chart of its past."))
            }
            Self::Charts { theme: None } => out.code("charts").text(" off: alerts are words alone."),
            Self::ChartsNeed { platform: Platform::Discord } => {
                out.text("For that I need the permission Attach Files here; without it alerts come as words.")
            }
            Self::ChartsNeed { .. } => out.text("For that I must be allowed to send photos here; otherwise alerts come as words."),
            Self::Provenance { on: true } => {
                out.code("provenance").text(" on: an alert of one token says when its data is from, and when it was polled and sent.")
            }
            Self::Provenance { on: false } => out.code("provenance").text(" off: no line about polling and sending under alerts."),
            Self::Timezone { zone, now } => out.code("timezone").text(format!(" {zone}: there it is {} now.", zone.in_words(*now))),
            Self::ChooseTimezone { example } => {
                out.text("The hours below go by UTC until you choose your zone, for example ").code(example).text(".")
            }
            Self::QuietHours { hours: None } => out.code("quiet_hours").text(" off: alerts come at any hour."),
            Self::QuietHours { hours: Some(hours) } => {
                out.code("quiet_hours").text(format!(" {hours}: alerts in between are held, and come as one summary at the end."))
            }
            Self::QuietNow { zone, until } => out.strong("It is quiet now").text(format!(", until {}.", zone.in_words(*until))),
            Self::QuietBypass { kinds } if kinds.is_empty() => {
                out.code("quiet_bypass").text(" none: quiet hours hold every kind of alert.")
            }
            Self::QuietBypass { kinds } => {
                let kinds: Vec<_> = kinds.iter().map(|kind| kind.as_str()).collect();
                out.code("quiet_bypass").text(format!(" {}: these alerts come in quiet hours too.", kinds.join(", ")))
            }
            Self::NextDigest { delivery, zone, next } => out
                .text(format!(
                    "Changes come together, {}; the next digest is due {} ({zone}). See ",
                    match delivery {
                        Delivery::Instant => "at once",
                        Delivery::DigestHourly => "once an hour",
                        Delivery::DigestDaily => "once a day",
                        Delivery::DigestWeekly => "once a week",
                    },
                    zone.in_words(*next)
                ))
                .code("/settings")
                .text("."),
            Self::DigestTime { time, zone, daily, weekly } => out.code("digest_time").text(format!(
                " {time}: a daily digest comes at {}, next {}; a weekly one on {}, next {}.",
                time.time,
                zone.in_words(*daily),
                day_name(time.weekday),
                zone.in_words(*weekly)
            )),
        };
    }
}

fn day_name(day: Weekday) -> &'static str {
    match day {
        Weekday::Mon => "Monday",
        Weekday::Tue => "Tuesday",
        Weekday::Wed => "Wednesday",
        Weekday::Thu => "Thursday",
        Weekday::Fri => "Friday",
        Weekday::Sat => "Saturday",
        Weekday::Sun => "Sunday",
    }
}
