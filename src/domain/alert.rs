//! What is decided about one change for one destination, why, and what becomes of it.

use super::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What to do with a change for a destination. Nothing is ever dropped by a limit: limits hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Compose it now.
    SendNow(Reason),
    /// Compose it later.
    Hold {
        /// Not before.
        until: Timestamp,
        /// Why.
        reason: Reason,
    },
    /// The subscriber asked not to hear of this.
    Skip(Reason),
}

impl Decision {
    /// The word in the database, in metrics and in `replay --as`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::SendNow(_) => "send",
            Self::Hold { .. } => "hold",
            Self::Skip(_) => "skip",
        }
    }

    /// Why.
    pub const fn reason(self) -> Reason {
        match self {
            Self::SendNow(reason) | Self::Hold { reason, .. } | Self::Skip(reason) => reason,
        }
    }
}

macro_rules! worded {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $word)] $variant),* }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word in the database and as a metric label.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// Reads the word.
            pub fn parse(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|value| value.as_str() == word)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(self.as_str())
            }
        }
    };
}

worded! {
    /// Why a decision was taken: stored, a metric label, and what tests assert.
    Reason {
        /// The subscriber wants it at once and nothing stands against it.
        Instant = "instant",
        /// A final row was restated (`rules.md` 2.9).
        Correction = "correction",
        /// Old news, told in one summary (2.8).
        Late = "late",
        /// Inside the token's cooldown (3.5).
        Cooldown = "cooldown",
        /// The destination's messages of the last hour are used up (3.4).
        HourlyCap = "hourly_cap",
        /// Muted by its owner (3.6).
        Muted = "muted",
        /// Inside its quiet hours (Q1).
        QuietHours = "quiet_hours",
        /// Waits for the digest that the subscriber chose (D2).
        Digest = "digest",
        /// It has to stand for a while first (N1).
        Confirmation = "confirmation",
        /// More polls have to show it first (N3).
        MorePolls = "more_polls",
        /// It turned back before it had stood for long enough (N2).
        NotConfirmed = "not_confirmed",
        /// The call turned too often: told once it has settled (F2).
        Flapping = "flapping",
        /// The destination could not be reached: told together once it can (4.3).
        Quarantined = "quarantined",
        /// Its message could not be sent while it was news: told in a summary (H1).
        Stale = "stale",
        /// It turned back before it was told: a line of the next summary (2.4).
        NetZero = "net_zero",
        /// The call had changed once more before an operator tried it again (H5).
        Overtaken = "overtaken",
        /// The subscriber wants the other direction alone (3.8).
        Direction = "direction",
        /// The subscription had ended when it was composed (3.2).
        Unsubscribed = "unsubscribed",
        /// The token is excluded from `all` (3.1).
        Excluded = "excluded",
        /// The threshold that was crossed had been moved or removed when it was composed (G5).
        Threshold = "threshold",
        /// A correction came while it was held (2.9).
        Superseded = "superseded",
    }
}

worded! {
    /// What became of an alert.
    AlertState {
        /// Waits for its release.
        Pending = "pending",
        /// Part of a message that is on its way.
        Composed = "composed",
        /// The platform took the message.
        Told = "told",
        /// Not wanted any more when it was composed.
        Skipped = "skipped",
        /// A correction came first.
        Superseded = "superseded",
        /// Its message could not be delivered: a dead letter.
        Dead = "dead",
    }
}

/// How urgent a message is: lanes go strictly in order per platform (`rules.md` 3.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[repr(i64)]
pub enum Lane {
    /// An answer to a command.
    Reply = 0,
    /// An instant alert or a correction; notices in an operators' chat.
    Urgent = 1,
    /// A summary of held alerts.
    Summary = 2,
    /// A digest.
    Digest = 3,
    /// A notice to an owner.
    Notice = 4,
}

impl Lane {
    /// Every lane, the most urgent first.
    pub const ALL: &'static [Self] = &[Self::Reply, Self::Urgent, Self::Summary, Self::Digest, Self::Notice];

    /// The number in the database.
    pub const fn as_i64(self) -> i64 {
        self as i64
    }

    /// Reads the number; what is unknown is least urgent.
    pub fn from_i64(number: i64) -> Self {
        Self::ALL.iter().copied().find(|lane| lane.as_i64() == number).unwrap_or(Self::Notice)
    }

    /// The word as a metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reply => "reply",
            Self::Urgent => "urgent",
            Self::Summary => "summary",
            Self::Digest => "digest",
            Self::Notice => "notice",
        }
    }
}
