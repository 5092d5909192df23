//! What the source says of a token besides its calls: how it is graded, and the parts of that.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A row of `/tm-grade` or `/fundamental-grade`, as the source sent it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Graded {
    /// `TM_GRADE_SIGNAL` or `FUNDAMENTAL_GRADE_CLASS`, cleaned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
    /// `TM_GRADE` or `FUNDAMENTAL_GRADE`, 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grade: Option<f64>,
    /// What a fundamental grade is made of.
    #[serde(default, skip_serializing_if = "Scores::is_empty")]
    pub scores: Scores,
}

/// The scores that a fundamental grade is made of, in the order of [`Component::ALL`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Scores([Option<f64>; Component::ALL.len()]);

/// A part of a fundamental grade.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Component {
    /// `COMMUNITY_SCORE`.
    Community,
    /// `TOKENOMICS_SCORE`.
    Tokenomics,
    /// `EXCHANGE_SCORE`.
    Exchanges,
    /// `VC_SCORE`.
    Investors,
    /// `DEFI_SCANNER_SCORE`.
    DefiHealth,
}

/// A part that moved, and how.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mover {
    /// Which.
    pub component: Component,
    /// Its score before.
    pub from: f64,
    /// Its score now.
    pub to: f64,
}

/// What moves less is not worth a word: it would read as the same number.
const LEAST_MOVE: f64 = 0.01;

impl Scores {
    /// In the order of [`Component::ALL`].
    pub const fn as_array(&self) -> [Option<f64>; Component::ALL.len()] {
        self.0
    }

    /// Whether no part is known.
    pub fn is_empty(&self) -> bool {
        self.0.iter().all(Option::is_none)
    }

    /// The part that moved most since `before`, the first of several; nothing where none is known to have moved.
    pub fn moved_most_since(&self, before: &Self) -> Option<Mover> {
        let pairs = Component::ALL.into_iter().zip(before.0.into_iter().zip(self.0));
        let movers = pairs.filter_map(|(component, (from, to))| Some(Mover { component, from: from?, to: to? }));
        let moved = |mover: &Mover| (mover.to - mover.from).abs();
        movers.filter(|mover| moved(mover) >= LEAST_MOVE).rev().max_by(|a, b| moved(a).total_cmp(&moved(b)))
    }
}

impl From<[Option<f64>; Component::ALL.len()]> for Scores {
    fn from(scores: [Option<f64>; Component::ALL.len()]) -> Self {
        Self(scores)
    }
}

impl Component {
    /// Every part.
    pub const ALL: [Self; 5] = [Self::Community, Self::Tokenomics, Self::Exchanges, Self::Investors, Self::DefiHealth];

    /// What people call it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Community => "community",
            Self::Tokenomics => "tokenomics",
            Self::Exchanges => "exchange presence",
            Self::Investors => "investors",
            Self::DefiHealth => "DeFi health",
        }
    }
}

impl fmt::Display for Component {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_part_that_moved_most_is_named_with_both_scores() {
        let scores = |community, tokenomics, defi| Scores([Some(community), Some(tokenomics), None, None, defi]);
        let before = scores(50.0, 40.0, None);
        let moved = |after: Scores| after.moved_most_since(&before).map(|mover| (mover.component, mover.from, mover.to));
        assert_eq!(moved(scores(48.0, 45.0, Some(90.0))), Some((Component::Tokenomics, 40.0, 45.0)), "what was not known did not move");
        assert_eq!(moved(scores(45.0, 45.0, None)), Some((Component::Community, 50.0, 45.0)), "the first of two");
        assert_eq!(moved(scores(50.001, 40.0, None)), None);
    }
}
