//! Levels of the price: where it turned before, and on which side of each it is (`rules.md` 2.12).

use super::{Timestamp, Way};
use serde::{Deserialize, Serialize};

/// A price at which the market turned before. What is above the price is resistance, what is below it support.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// Of which day, at midnight UTC.
    pub date: Timestamp,
    /// The price, in US dollars: positive.
    pub at: f64,
}

/// The levels of a token as the last poll that had a price left them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Levels {
    /// The price, in US dollars.
    pub price: f64,
    /// When it was that.
    pub at: Timestamp,
    /// Each level with the side of it that the price is on: up is above it.
    pub sides: Vec<(Level, Way)>,
}

/// What a price crossed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Crossing {
    /// The price, in US dollars.
    pub price: f64,
    /// The levels that it crossed, the furthest first.
    pub levels: Vec<Level>,
    /// Where it meets levels next.
    pub near: Near,
}

/// The levels next to a price.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Near {
    /// The next one below it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub support: Option<f64>,
    /// The next one above it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resistance: Option<f64>,
}

impl Near {
    /// Those of these levels that are next to a price; one that it stands on is support.
    pub fn to<'a>(price: f64, levels: impl Iterator<Item = &'a Level>) -> Self {
        let (below, above): (Vec<f64>, Vec<f64>) = levels.map(|level| level.at).partition(|at| *at <= price);
        Self { support: below.into_iter().max_by(f64::total_cmp), resistance: above.into_iter().min_by(f64::total_cmp) }
    }
}

impl Levels {
    /// On which side of a level the price was; nothing where that level was not there.
    pub fn side_of(&self, level: &Level) -> Option<Way> {
        self.sides.iter().find(|(known, _)| known == level).map(|(_, side)| *side)
    }

    /// The levels next to another price.
    pub fn near_to(&self, price: f64) -> Near {
        Near::to(price, self.sides.iter().map(|(level, _)| level))
    }

    /// The levels next to the price, each as the side that it counts as.
    pub fn near(&self) -> Near {
        let on = |side: Way| self.sides.iter().filter(move |(_, of)| *of == side).map(|(level, _)| level.at);
        Near { support: on(Way::Up).max_by(f64::total_cmp), resistance: on(Way::Down).min_by(f64::total_cmp) }
    }
}
