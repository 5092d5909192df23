//! Quiet by request: what a destination holds back, and until when (`rules.md` 3.6).

use super::{Timestamp, TokenId};
use std::{collections::BTreeMap, time::Duration};

/// How long somebody wants quiet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MuteLength {
    /// An hour.
    Hour,
    /// Eight hours: a night.
    EightHours,
    /// A day.
    Day,
    /// A week.
    Week,
    /// No longer: what was held is released.
    Off,
}

impl MuteLength {
    /// Every length, the shortest first, and `off`.
    pub const ALL: &'static [Self] = &[Self::Hour, Self::EightHours, Self::Day, Self::Week, Self::Off];

    /// The word that is typed.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::EightHours => "8h",
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Off => "off",
        }
    }

    /// Reads the word, whatever its case.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|length| length.as_str().eq_ignore_ascii_case(word))
    }

    /// When a mute that begins now ends; nothing for `off`.
    pub fn end(self, now: Timestamp) -> Option<Timestamp> {
        let hours = match self {
            Self::Hour => 1,
            Self::EightHours => 8,
            Self::Day => 24,
            Self::Week => 7 * 24,
            Self::Off => return None,
        };
        Some(now + Duration::from_secs(hours * 3600))
    }
}

/// What a destination wants to be quiet about; an end that has passed means nothing any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mutes {
    /// Everything, until then.
    pub all: Option<Timestamp>,
    /// Every alert of these tokens, whatever its kind, until then.
    pub tokens: BTreeMap<TokenId, Timestamp>,
}

impl Mutes {
    /// Until when an alert of this token is held; nothing if it is not.
    pub fn hold(&self, token: TokenId, now: Timestamp) -> Option<Timestamp> {
        self.all.max(self.tokens.get(&token).copied()).filter(|until| *until > now)
    }

    /// The same mutes without those that have ended.
    #[must_use]
    pub fn still_on(mut self, now: Timestamp) -> Self {
        self.all = self.all.filter(|until| *until > now);
        self.tokens.retain(|_, until| *until > now);
        self
    }

    /// Whether nothing is muted, nor was.
    pub fn is_empty(&self) -> bool {
        self.all.is_none() && self.tokens.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: i64) -> Timestamp {
        Timestamp::from_secs(1_795_000_000 + hours * 3600)
    }

    #[test]
    fn the_later_of_two_ends_holds_and_a_past_one_does_not() {
        let mutes = Mutes { all: Some(at(2)), tokens: BTreeMap::from([(TokenId(1), at(5)), (TokenId(2), at(1))]) };
        assert_eq!(mutes.hold(TokenId(1), at(0)), Some(at(5)));
        assert_eq!(mutes.hold(TokenId(2), at(0)), Some(at(2)));
        assert_eq!(mutes.hold(TokenId(3), at(0)), Some(at(2)));
        assert_eq!(mutes.hold(TokenId(3), at(2)), None);
        assert_eq!(mutes.clone().still_on(at(3)), Mutes { all: None, tokens: BTreeMap::from([(TokenId(1), at(5))]) });
        assert!(mutes.still_on(at(5)).is_empty());
    }

    #[test]
    fn lengths_are_read_as_they_are_written() {
        for length in MuteLength::ALL {
            assert_eq!(MuteLength::parse(length.as_str()), Some(*length));
        }
        assert_eq!(MuteLength::parse("OFF"), Some(MuteLength::Off));
        assert_eq!(MuteLength::parse("2h"), None);
        let ends: Vec<_> = MuteLength::ALL.iter().map(|length| length.end(at(0))).collect();
        assert_eq!(ends, [Some(at(1)), Some(at(8)), Some(at(24)), Some(at(168)), None]);
    }
}
