//! What is polled and how often.

use super::{Kind, Timestamp};
use serde::{Deserialize, Serialize};
use std::{fmt, time::Duration};

/// Something that is polled on a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Feed {
    /// The calls of one kind.
    Signals(Kind),
    /// Ranks: `/top-market-cap-tokens`.
    Ranks,
    /// The full list: `/tokens`.
    Directory,
}

impl Feed {
    /// The feeds that this version polls.
    pub const POLLED: &'static [Self] = &[
        Self::Signals(Kind::Daily),
        Self::Signals(Kind::Hourly),
        Self::Signals(Kind::Grade),
        Self::Signals(Kind::Fundamental),
        Self::Signals(Kind::Levels),
        Self::Ranks,
        Self::Directory,
    ];

    /// The name in the database, in `/status` and as a metric label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Signals(kind) => kind.as_str(),
            Self::Ranks => "ranks",
            Self::Directory => "directory",
        }
    }

    /// Reads the name.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "ranks" => Some(Self::Ranks),
            "directory" => Some(Self::Directory),
            kind => Kind::parse(kind).map(Self::Signals),
        }
    }
}

impl fmt::Display for Feed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// How often a feed is polled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cadence {
    /// Chosen from the budget; the poll begins up to 30 s late (`rules.md` 1.6).
    Every(Duration),
    /// A given six-field cron expression, kept exactly.
    Cron(String),
    /// The schedule is `off`.
    Off,
    /// No cadence fits the budget.
    DoesNotFit {
        /// What the fewest calls a month would be.
        needed: u32,
    },
    /// Nobody asked for anything yet.
    Idle,
}

/// How a feed is doing: what `/status` shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedStatus {
    /// Which.
    pub feed: Feed,
    /// How often it is polled.
    pub cadence: Cadence,
    /// How many tokens are asked for.
    pub tokens: u32,
    /// When it is polled next.
    pub next_poll_at: Option<Timestamp>,
    /// When it was polled last, with whatever end.
    pub last_poll_at: Option<Timestamp>,
    /// When a poll of it was last complete.
    pub last_success_at: Option<Timestamp>,
    /// Polls that failed since.
    pub failures: u32,
    /// The last failure in words.
    pub problem: Option<String>,
    /// Refused by the source: not polled until a restart.
    pub stopped: bool,
    /// The source refused it when it was last asked, restarts or not: until it answers its calls are left to the others.
    pub refused: bool,
    /// Every asked token answers "Data not found" since then (`rules.md` 1.9).
    pub empty_since: Option<Timestamp>,
}

impl FeedStatus {
    /// The kind whose calls were last refused, if this is its feed.
    pub fn refused_kind(&self) -> Option<Kind> {
        match self.feed {
            Feed::Signals(kind) if self.refused => Some(kind),
            _ => None,
        }
    }
}
