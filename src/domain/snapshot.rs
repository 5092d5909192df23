//! What one poll of one feed brought, already in our own words but not yet judged.

use super::{Graded, Kind, Level, SourceId, Stance, Timestamp, TokenId};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::{BTreeMap, BTreeSet};

/// All pages of one poll (`rules.md` 1.3): ingested once, as a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Snapshot {
    /// Where it comes from.
    pub source: SourceId,
    /// Which feed.
    pub kind: Kind,
    /// When the poll began: a row is final only if a poll that began after its period has shown it (2.3).
    pub started_at: Timestamp,
    /// The tokens that were asked for; absence among the rows means nothing (2.7).
    pub asked: BTreeSet<TokenId>,
    /// The rows that could be read, in any order.
    pub observations: Vec<Observation>,
    /// The rows that could not, each with its reason.
    pub set_aside: Vec<SetAside>,
    /// Whether every page arrived.
    pub complete: bool,
    /// Tokens whose rows do not reach back to the stored one (1.2): their alerts say so.
    pub gaps: BTreeSet<TokenId>,
}

/// One row: the numbers as the source sent them. What they mean is `engine::diff`'s business.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// Whose.
    pub token: TokenId,
    /// Midnight UTC of `DATE`, the hour of `TIMESTAMP`, or when the poll began where the row has no time of its own.
    pub data_time: Timestamp,
    /// `TRADING_SIGNAL`, or the hourly `SIGNAL`.
    pub signal: Option<f64>,
    /// `TOKEN_TREND` (daily).
    pub trend: Option<f64>,
    /// `POSITION` (hourly).
    pub position: Option<f64>,
    /// What history keeps besides.
    pub values: Values,
}

/// The values of a row that history keeps, so that a scorecard can be computed later without another call.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Values {
    /// `TM_TRADER_GRADE`, 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trader_grade: Option<f64>,
    /// `TM_INVESTOR_GRADE`, 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub investor_grade: Option<f64>,
    /// `TRADING_SIGNALS_RETURNS`, a ratio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal_returns: Option<f64>,
    /// `HOLDING_RETURNS`, a ratio.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub holding_returns: Option<f64>,
    /// `CLOSE`, in US dollars.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub close: Option<f64>,
    /// What a row of a graded kind says, and no other row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub graded: Option<Box<Graded>>,
    /// What a row of levels says, and no other row. History keeps its price alone.
    #[serde(skip)]
    pub levels: Vec<Level>,
}

impl Values {
    /// The price in US dollars.
    pub fn price(&self) -> Option<f64> {
        self.close.filter(|close| close.is_finite() && *close > 0.0)
    }

    /// The price as a multiple of that at which holding began.
    pub fn multiple(&self) -> Option<f64> {
        self.holding_returns.map(|returns| 1.0 + returns).filter(|multiple| multiple.is_finite() && *multiple > 0.0)
    }
}

/// One row of the past as it was last seen.
#[derive(Clone, Debug, PartialEq)]
pub struct PastRow {
    /// Its time.
    pub data_time: Timestamp,
    /// The call that it makes; nothing where it makes none of its own, and the one before holds.
    pub stance: Option<Stance>,
    /// Its numbers.
    pub values: Values,
}

/// Turns of most of the market at once, which wait for a second answer that shows them too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unconfirmed {
    /// When they were first shown.
    pub since: Timestamp,
    /// What would be told of each token: what its call would be, and the lines that it would have crossed.
    #[serde(with = "shown")]
    pub turns: BTreeMap<TokenId, BTreeSet<Stance>>,
}

/// As it is written: a single stance by itself, which is all that older versions knew of a token.
mod shown {
    use super::{BTreeMap, BTreeSet, Deserialize, Deserializer, Serialize, Serializer, Stance, TokenId};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Shown {
        One(Stance),
        All(BTreeSet<Stance>),
    }

    type Turns = BTreeMap<TokenId, BTreeSet<Stance>>;

    pub(super) fn serialize<S: Serializer>(turns: &Turns, serializer: S) -> Result<S::Ok, S::Error> {
        let shown = |stances: &BTreeSet<Stance>| match stances.first() {
            Some(stance) if stances.len() == 1 => Shown::One(*stance),
            _ => Shown::All(stances.clone()),
        };
        serializer.collect_map(turns.iter().map(|(token, stances)| (token, shown(stances))))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Turns, D::Error> {
        let shown = |shown| match shown {
            Shown::One(stance) => [stance].into(),
            Shown::All(stances) => stances,
        };
        let turns = BTreeMap::<TokenId, Shown>::deserialize(deserializer)?;
        Ok(turns.into_iter().map(|(token, turn)| (token, shown(turn))).collect())
    }
}

/// A row that was not taken, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetAside {
    /// Whose, where that could be read.
    pub token: Option<TokenId>,
    /// Of when, where that could be read.
    pub data_time: Option<Timestamp>,
    /// Why.
    pub reason: SetAsideReason,
}

/// Why a row was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SetAsideReason {
    /// It is not an object with a token id and a time that can be read.
    Unreadable,
    /// Nobody asked for its token (1.3).
    NotAsked,
    /// Its signal or trend is a number other than -1, 0 and 1 (2.1).
    UnknownSignal,
    /// It is dated in the future (2.5).
    Future,
    /// Another row of the same time says otherwise (2.4).
    Conflict,
    /// It says nothing: no signal, no trend (2.7).
    Empty,
    /// The same row stands twice (2.4).
    Duplicate,
    /// It is older than the stored row and enters history only (2.3).
    Older,
    /// It is first sight of its token: a baseline (2.6).
    Baseline,
    /// It says what was known.
    Unchanged,
    /// Its label is none that is known (2.11).
    UnknownLabel,
    /// Its label is another: it counts once the next poll shows it too (2.11).
    ShownOnce,
    /// Most of the market would turn with it: a second answer has to show it too.
    Unconfirmed,
    /// It restates a row that was corrected before: a correction is told once, the next row decides (2.9).
    AlreadyCorrected,
}

impl SetAsideReason {
    /// Whether the row could not be understood: not what it says, or when, or that it says nothing.
    pub const fn is_odd(self) -> bool {
        matches!(self, Self::Unreadable | Self::UnknownSignal | Self::UnknownLabel | Self::Future | Self::Conflict | Self::Empty)
    }

    /// The word in `replay --all` and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::NotAsked => "not_asked",
            Self::UnknownSignal => "unknown_signal",
            Self::Future => "future",
            Self::Conflict => "conflict",
            Self::Empty => "empty",
            Self::Duplicate => "duplicate",
            Self::UnknownLabel => "unknown_label",
            Self::ShownOnce => "shown_once",
            Self::Unconfirmed => "unconfirmed",
            Self::Older => "older",
            Self::Baseline => "baseline",
            Self::Unchanged => "unchanged",
            Self::AlreadyCorrected => "already_corrected",
        }
    }
}
