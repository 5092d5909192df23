//! A difference between what was known and what was seen.

use super::{Crossing, Kind, Mover, SourceId, Stance, Timestamp, TokenId, Way};
use serde::{Deserialize, Serialize};

/// One turn of one token's call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Where it was seen.
    pub source: SourceId,
    /// In which feed.
    pub kind: Kind,
    /// Whose call.
    pub token: TokenId,
    /// What it was before; nothing where no call was known (`rules.md` 2.2).
    pub from: Option<Stance>,
    /// Since when it had been so.
    pub since: Option<Since>,
    /// What it is now.
    pub to: Stance,
    /// The time of the row that says so.
    pub data_time: Timestamp,
    /// When the poll that saw it was ingested.
    pub detected_at: Timestamp,
    /// A turn or a correction.
    pub nature: Nature,
    /// Who hears of it, and how.
    pub timing: Timing,
    /// Rows between this one and the stored one are missing (1.2).
    pub after_gap: bool,
    /// The trader grade of the same row, 0 to 100.
    pub trader_grade: Option<f64>,
    /// The part of a fundamental grade that moved most.
    pub mover: Option<Mover>,
    /// The levels that the price crossed.
    pub crossing: Option<Box<Crossing>>,
}

impl Change {
    /// Which way it goes (3.8).
    pub fn way(&self) -> Option<Way> {
        self.to.way_from(self.from)
    }

    /// Whether it is for those alone who drew that line, and says nothing of the call.
    pub const fn crosses_threshold(&self) -> bool {
        self.kind.is_graded() && matches!(self.nature, Nature::Crossed { .. })
    }
}

/// Since when a stance holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Since {
    /// The time of the row whose signal set it; where not exact, the oldest row known.
    pub at: Timestamp,
    /// Whether that row was seen; otherwise "since before".
    pub exact: bool,
}

/// What kind of difference it is (2.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Nature {
    /// The call turned.
    Turned,
    /// A number crossed a line: no change of the call.
    Crossed {
        /// A threshold that it had not been far enough away from: news only to those who drew it since the number was back (G5).
        drawn_since: Option<Timestamp>,
    },
    /// A final row was restated; goes to those who were subscribed when the corrected value was stored (2.9).
    Correction {
        /// When the value that was wrong had been stored.
        stored_at: Timestamp,
    },
}

impl Nature {
    /// The word in the database, in `replay` and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Turned => "turned",
            Self::Crossed { .. } => "crossed",
            Self::Correction { .. } => "correction",
        }
    }
}

/// How a change reaches people.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Timing {
    /// News.
    Fresh,
    /// Old news: told in one summary ("While I was away", 2.8).
    Late,
    /// From before the baseline: history keeps it, nobody is told (2.6).
    History,
}

impl Timing {
    /// The word in the database and in `replay`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Fresh => "fresh",
            Self::Late => "late",
            Self::History => "history",
        }
    }
}
