//! How past calls did: what the price was some time after they were told.

use super::{Kind, TokenId, Values, Way};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// How long after a call its price is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Horizon {
    /// One day.
    Day,
    /// Seven days.
    Week,
    /// Thirty days.
    Month,
}

impl Horizon {
    /// Every value, the nearest first.
    pub const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Month];

    /// In days.
    pub const fn days(self) -> u32 {
        match self {
            Self::Day => 1,
            Self::Week => 7,
            Self::Month => 30,
        }
    }

    /// As a length of time.
    pub const fn length(self) -> Duration {
        Duration::from_secs(24 * 3600 * self.days() as u64)
    }
}

/// What a row says of the price. Two of a kind can be compared, no others: what holding brought is counted from a day that nobody names.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Price {
    /// In US dollars.
    Dollars(f64),
    /// A multiple of the price of that day.
    Multiple(f64),
}

/// Ratios come with four decimals: from a price below this the rounding would show.
const LEAST_MULTIPLE: f64 = 0.05;

impl Price {
    /// That of a row; nothing where it says none.
    pub fn of(values: &Values) -> Option<Self> {
        values.price().map(Self::Dollars).or_else(|| values.multiple().map(Self::Multiple))
    }

    /// The change from this price to a later one, as a ratio: 0.05 is 5 % more. How far it fell makes no difference to whether there is one.
    pub fn change_to(self, later: Self) -> Option<f64> {
        match (self, later) {
            (Self::Dollars(from), Self::Dollars(to)) => Some(to / from - 1.0),
            (Self::Multiple(from), Self::Multiple(to)) => (from >= LEAST_MULTIPLE).then_some(to / from - 1.0),
            _ => None,
        }
    }
}

/// How the price went after calls of one direction, one horizon.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Record {
    /// Too few calls to say anything.
    TooFew {
        /// How many.
        calls: u32,
    },
    /// Enough of them.
    Enough {
        /// How many.
        calls: u32,
        /// In how many of them the price went the way of the call.
        hits: u32,
        /// The median change of the price, as a ratio.
        median: f64,
    },
}

impl Record {
    /// So many calls it takes to say anything.
    pub const LEAST: usize = 20;

    /// How many calls it is made of.
    pub const fn calls(self) -> u32 {
        match self {
            Self::TooFew { calls } | Self::Enough { calls, .. } => calls,
        }
    }
}

/// The records of the calls of one kind, by direction; a horizon each, in the order of [`Horizon::ALL`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scorecard {
    /// Which calls.
    pub kind: Kind,
    /// Those that went up: the price should have risen.
    pub up: [Record; 3],
    /// Those that went down: the price should have fallen.
    pub down: [Record; 3],
}

impl Scorecard {
    /// The records of each direction.
    pub const fn by_way(&self) -> [(Way, [Record; 3]); 2] {
        [(Way::Up, self.up), (Way::Down, self.down)]
    }

    /// Whether it rests on no call at all.
    pub fn is_empty(&self) -> bool {
        self.up.iter().chain(&self.down).all(|record| record.calls() == 0)
    }

    /// Whether any of its records says something.
    pub fn says_anything(&self) -> bool {
        self.up.iter().chain(&self.down).any(|record| matches!(record, Record::Enough { .. }))
    }
}

/// How a token's price went in the last week.
#[derive(Clone, Debug, PartialEq)]
pub struct WeekMove {
    /// Whose.
    pub token: TokenId,
    /// Its symbol.
    pub symbol: String,
    /// Where to read more.
    pub link: Option<String>,
    /// Whether `all` means it.
    pub in_all: bool,
    /// The change, as a ratio.
    pub change: f64,
}

/// What a weekly digest says beside the calls that changed.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct WeekReview {
    /// The tokens whose price rose most, with their pages and the change.
    pub rose: Vec<(String, Option<String>, f64)>,
    /// Those whose price fell most.
    pub fell: Vec<(String, Option<String>, f64)>,
    /// How past calls did, a kind each.
    pub scorecards: Vec<Scorecard>,
}

impl WeekReview {
    /// Whether it says nothing.
    pub fn is_empty(&self) -> bool {
        self.rose.is_empty() && self.fell.is_empty() && self.scorecards.is_empty()
    }
}
