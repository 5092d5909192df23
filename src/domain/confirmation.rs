//! What a turn has to show before it is told.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::{fmt, time::Duration};

/// The longest time, in minutes: a day.
pub const MAX_CONFIRMATION_MINUTES: u32 = 24 * 60;
/// The most polls that are looked at.
pub const MAX_CONFIRMATION_POLLS: u32 = 10;

/// When a turn that is wanted at once is believed (ARCHITECTURE.md, rules N).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confirmation {
    /// As soon as it is seen.
    #[default]
    AtOnce,
    /// Once it has stood for so many minutes, at least one.
    Minutes(u32),
    /// Once polls have shown it.
    Polls(PollShare),
}

/// So many of the last polls: at least two, and no more than are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PollShare {
    shown: u32,
    of: u32,
}

impl Confirmation {
    /// The time that it takes; nothing where there is none, or polls decide.
    pub fn time(self) -> Option<Duration> {
        match self {
            Self::Minutes(minutes) => Some(Duration::from_secs(u64::from(minutes) * 60)),
            Self::AtOnce | Self::Polls(_) => None,
        }
    }

    /// So many minutes; nothing where that is too long.
    pub fn minutes(minutes: u32) -> Option<Self> {
        match minutes {
            0 => Some(Self::AtOnce),
            1..=MAX_CONFIRMATION_MINUTES => Some(Self::Minutes(minutes)),
            _ => None,
        }
    }
}

impl PollShare {
    /// So many of the last polls; nothing where one is enough, or there are too many.
    pub fn new(shown: u32, of: u32) -> Option<Self> {
        (2 <= shown && shown <= of && of <= MAX_CONFIRMATION_POLLS).then_some(Self { shown, of })
    }

    /// Reads `2of3`.
    pub fn parse(text: &str) -> Option<Self> {
        let (shown, of) = text.split_once("of")?;
        Self::new(shown.trim().parse().ok()?, of.trim().parse().ok()?)
    }

    /// How many polls have to show a turn.
    pub const fn shown(self) -> usize {
        self.shown as usize
    }

    /// Of how many.
    pub const fn of(self) -> usize {
        self.of as usize
    }
}

impl fmt::Display for PollShare {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}of{}", self.shown, self.of)
    }
}

/// Minutes are a number, as they were before there was anything else; polls are a word.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    Minutes(u32),
    Polls(String),
}

impl Serialize for Confirmation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let written = match self {
            Self::AtOnce => Written::Minutes(0),
            Self::Minutes(minutes) => Written::Minutes(*minutes),
            Self::Polls(share) => Written::Polls(share.to_string()),
        };
        written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Confirmation {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = match Written::deserialize(deserializer)? {
            Written::Minutes(minutes) => Self::minutes(minutes),
            Written::Polls(share) => PollShare::parse(&share).map(Self::Polls),
        };
        read.ok_or_else(|| D::Error::custom("not minutes from 0 to 1440, nor polls such as 2of3"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_as_it_is_written() {
        for (json, expected) in [
            ("0", Some(Confirmation::AtOnce)),
            ("45", Some(Confirmation::Minutes(45))),
            ("\"2of3\"", PollShare::new(2, 3).map(Confirmation::Polls)),
        ] {
            let read: Confirmation = serde_json::from_str(json).unwrap();
            assert_eq!(Some(read), expected);
            assert_eq!(serde_json::to_string(&read).unwrap(), json);
        }
        for bad in ["1441", "-1", "1.5", "\"1of3\"", "\"4of3\"", "\"2of11\"", "\"2\"", "\"twoof3\"", "null", "true", "[]"] {
            assert!(serde_json::from_str::<Confirmation>(bad).is_err(), "{bad}");
        }
    }
}
