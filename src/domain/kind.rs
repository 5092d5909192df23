//! The words of a subscription: which signal, which way, how delivered (`contract.md` sections 4 and 5).

use super::Way;
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name {
            $($(#[$variant_doc])* #[serde(rename = $word)] $variant),*
        }

        impl $name {
            /// Every value, in the order in which it is offered.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word that people type and the database stores.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// Reads the word, whatever its case.
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str().eq_ignore_ascii_case(word))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// Which signal of a token.
    Kind {
        /// `/trading-signals`: one call a UTC day.
        Daily = "daily",
        /// `/hourly-trading-signals`: one call an hour.
        Hourly = "hourly",
        /// `/tm-grade`: a label and a number, as they are now.
        Grade = "grade",
        /// `/fundamental-grade`: a class and a number, as they are now.
        Fundamental = "fundamental",
        /// `/resistance-support` and `/price`: where the price is among its levels.
        Levels = "levels",
    }
}

words! {
    /// Which turns a subscriber wants to hear of.
    Direction {
        /// Both.
        Any = "any",
        /// Turns to bullish alone.
        Bullish = "bullish",
        /// Turns to bearish alone.
        Bearish = "bearish",
    }
}

words! {
    /// When a subscriber is told.
    Delivery {
        /// At once.
        Instant = "instant",
        /// Together, once an hour.
        DigestHourly = "digest-hourly",
        /// Together, once a day.
        DigestDaily = "digest-daily",
        /// Together, once a week.
        DigestWeekly = "digest-weekly",
    }
}

impl Kind {
    /// Whether its rows say how the token is graded.
    pub const fn is_graded(self) -> bool {
        matches!(self, Self::Grade | Self::Fundamental)
    }

    /// Whether its rows say how things are now, without a time of their own.
    pub const fn is_latest(self) -> bool {
        matches!(self, Self::Grade | Self::Fundamental | Self::Levels)
    }

    /// How long one row is current: after it the row is closed and another value is a correction.
    pub const fn period(self) -> Duration {
        match self {
            Self::Hourly => Duration::from_secs(3600),
            _ => Duration::from_secs(24 * 3600),
        }
    }

    /// How long a call has to stand until it has settled; nothing where turns are no sign of instability (F1).
    pub const fn settles_after(self) -> Option<Duration> {
        match self {
            Self::Hourly => Some(Duration::from_secs(12 * 3600)),
            Self::Daily => Some(Duration::from_secs(7 * 24 * 3600)),
            Self::Grade | Self::Fundamental | Self::Levels => None,
        }
    }
}

impl Direction {
    /// Whether a change that goes this way is wanted (`rules.md` 3.8). What goes neither way is not what anybody left out.
    pub fn admits(self, way: Option<Way>) -> bool {
        match self {
            Self::Any => true,
            Self::Bullish => way != Some(Way::Down),
            Self::Bearish => way != Some(Way::Up),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_whatever_their_case() {
        assert_eq!(Kind::parse("HOURLY"), Some(Kind::Hourly));
        assert_eq!(Delivery::parse("digest-Daily"), Some(Delivery::DigestDaily));
    }

    #[test]
    fn a_direction_never_admits_the_other_side() {
        assert!(Direction::Any.admits(Some(Way::Down)));
        assert!(!Direction::Bullish.admits(Some(Way::Down)));
        assert!(!Direction::Bearish.admits(Some(Way::Up)));
        assert!(Direction::Bearish.admits(None));
    }
}
