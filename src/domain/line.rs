//! A line that a number crosses: one that a subscriber drew, or a level of the price.

use super::Way;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::{cmp::Ordering, fmt};

/// Beyond which number, seen from where: `above 70`, `below 0.5`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Line {
    way: Way,
    /// Positive and finite.
    at: f64,
}

impl Line {
    /// A line at that number; nothing where it is not positive.
    pub fn new(way: Way, at: f64) -> Option<Self> {
        (at.is_finite() && at > 0.0).then_some(Self { way, at })
    }

    /// Reads `above 70` or `above:70`, whatever its case: plain digits with at most one point.
    pub fn parse(text: &str) -> Option<Self> {
        let (side, number) = text.trim().split_once([':', ' '])?;
        let way = [Way::Up, Way::Down].into_iter().find(|way| side_of(*way).eq_ignore_ascii_case(side.trim()))?;
        let number = number.trim();
        let is_plain = number.starts_with(|first: char| first.is_ascii_digit()) && number.ends_with(|last: char| last.is_ascii_digit());
        let is_plain = is_plain && number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        Self::new(way, number.parse().ok().filter(|_| is_plain)?)
    }

    /// Which way a number goes that gets beyond it.
    pub const fn way(self) -> Way {
        self.way
    }

    /// Where it is.
    pub const fn at(self) -> f64 {
        self.at
    }

    /// Whether the number is at the line or beyond it.
    pub fn is_reached(self, number: f64) -> bool {
        match self.way {
            Way::Up => number >= self.at,
            Way::Down => number <= self.at,
        }
    }

    /// The side beyond it in words.
    pub const fn side(self) -> &'static str {
        side_of(self.way)
    }
}

const fn side_of(way: Way) -> &'static str {
    match way {
        Way::Up => "above",
        Way::Down => "below",
    }
}

impl fmt::Display for Line {
    /// As people read it: `above 70`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.side(), self.at)
    }
}

impl Serialize for Line {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Line {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        Self::parse(&word).ok_or_else(|| D::Error::custom(format_args!("{word:?} is no line")))
    }
}

// A positive finite number has an order.
impl Eq for Line {}

impl PartialOrd for Line {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Line {
    fn cmp(&self, other: &Self) -> Ordering {
        self.way.cmp(&other.way).then(self.at.total_cmp(&other.at))
    }
}

impl std::hash::Hash for Line {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (self.way, self.at.to_bits()).hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_read_as_it_is_written() {
        for text in ["above 70", "below 30.5", "above 0.00000000001234", "below 91234567.125"] {
            let line = Line::parse(text).unwrap();
            assert_eq!(line.to_string(), text);
            assert_eq!(Line::parse(&text.replace(' ', ":")), Some(line));
        }
        for odd in [
            "",
            "70",
            "above",
            "above:",
            "above:x",
            "above:0",
            "above:-1",
            "over:70",
            "above:1e1",
            "above:7 0",
            "above:.5",
            "above:5.",
            "above:1.2.3",
            "above inf",
        ] {
            assert_eq!(Line::parse(odd), None, "{odd}");
        }
    }
}
