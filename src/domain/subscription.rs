//! Who wants to hear of what, and where they are told.

use super::{Address, Delivery, DestinationId, Direction, Kind, Place, Settings, SubscriptionId, Timestamp, TokenId};
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// What a subscription is for: one token, or all that `BELLWETHER_ALL_TOKENS` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// The first tokens by market cap (`rules.md` 1.8).
    All,
    /// One token.
    Token(TokenId),
}

impl Target {
    /// Reads the text of the database.
    pub fn parse(text: &str) -> Option<Self> {
        if text == "all" { Some(Self::All) } else { text.parse().ok().map(|id| Self::Token(TokenId(id))) }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => out.write_str("all"),
            Self::Token(id) => id.fmt(out),
        }
    }
}

/// One wish of one destination; unique per (destination, target, kind) (3.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Its row.
    pub id: SubscriptionId,
    /// Who is told.
    pub destination: DestinationId,
    /// Of what.
    pub target: Target,
    /// Which signal.
    pub kind: Kind,
    /// Which turns.
    pub direction: Direction,
    /// When.
    pub delivery: Delivery,
    /// The role to mention (Discord), its id.
    pub mention: Option<String>,
    /// Changes detected before this are not told (3.2).
    pub created_at: Timestamp,
}

/// A place that is told, with what applies to all its alerts.
#[derive(Clone, Debug, PartialEq)]
pub struct Destination {
    /// Its row.
    pub id: DestinationId,
    /// Where it is.
    pub address: Address,
    /// What kind of place.
    pub place: Place,
    /// The server or group it belongs to, for a channel.
    pub tenant: Option<String>,
    /// The platform's concrete channel once known (an opened Discord DM).
    pub route: Option<String>,
    /// Its limits.
    pub settings: Settings,
    /// Held until then, by `/mute` (3.6).
    pub muted_until: Option<Timestamp>,
    /// Why nothing is sent there at present.
    pub quarantine: Option<Quarantine>,
    /// When a role was last mentioned there (3.9).
    pub mentioned_at: Option<Timestamp>,
}

/// For how many days a change is kept for a destination that cannot be reached (K2): what is older when it is back is counted, and told in the history alone.
pub const KEPT_DAYS: u64 = 7;
/// The same.
pub const KEPT_FOR: Duration = Duration::from_secs(KEPT_DAYS * 24 * 3600);

/// A destination that could not be reached: kept, told of, restored when it answers again or its owner comes back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantine {
    /// Why.
    pub reason: QuarantineReason,
    /// Since when.
    pub since: Timestamp,
    /// When it is tried again.
    pub next_probe_at: Timestamp,
    /// How often it was tried since.
    pub probes: u32,
}

/// Why a destination cannot be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuarantineReason {
    /// The channel, chat or thread is gone.
    Deleted,
    /// The bot was removed or banned.
    Removed,
    /// The person blocked the bot or takes no direct messages from it.
    Blocked,
    /// The account is gone.
    Deactivated,
    /// The bot lacks a permission there.
    Forbidden,
    /// The topic or thread is closed or locked.
    Closed,
    /// Messages cannot be sent to a place of this kind.
    WrongKind,
}

impl QuarantineReason {
    /// Every reason.
    pub const ALL: &'static [Self] =
        &[Self::Deleted, Self::Removed, Self::Blocked, Self::Deactivated, Self::Forbidden, Self::Closed, Self::WrongKind];

    /// The word in the database, `outbox list` and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::Removed => "removed",
            Self::Blocked => "blocked",
            Self::Deactivated => "deactivated",
            Self::Forbidden => "forbidden",
            Self::Closed => "closed",
            Self::WrongKind => "wrong_kind",
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.as_str() == word)
    }
}
