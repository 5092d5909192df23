//! A line that a subscriber drew: they hear when the number of a grade crosses it (`rules.md` 2.11; ARCHITECTURE.md, G5).

use super::{Line, Target, Timestamp, Way};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::{collections::BTreeMap, fmt};

/// `above:70` or `below:30`: a number above 0 and at most 100, with at most two decimals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Threshold(Line);

/// The thresholds that a number has passed and not left since; for each, since when it has been back on the near side of it, if it is.
pub type Passed = BTreeMap<Threshold, Option<Timestamp>>;

/// A line that some subscribers drew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Watched {
    /// For which tokens.
    pub target: Target,
    /// Where.
    pub threshold: Threshold,
    /// When somebody drew it last.
    pub newest: Timestamp,
}

/// Grades go from 0 to this.
const HIGHEST: f64 = 100.0;

impl Threshold {
    /// Reads `above:70`, or the words `above 70`.
    pub fn parse(text: &str) -> Option<Self> {
        let decimals = text.split_once('.').map_or(0, |(_, decimals)| decimals.trim_end().len());
        Line::parse(text).filter(|line| decimals <= 2 && line.at() <= HIGHEST).map(Self)
    }

    /// Where it is, and which way the number goes when the subscriber wants to hear.
    pub const fn line(self) -> Line {
        self.0
    }

    /// Whether the number is at the line or beyond it.
    pub fn is_reached(self, number: f64) -> bool {
        self.0.is_reached(number)
    }

    /// Whether the number is so far back that crossing the line is news again: by 3 % in whole points, at least 1, at the most at the end of
    /// the scale.
    pub fn is_left(self, number: f64) -> bool {
        let band = (self.0.at() * 0.03).round().max(1.0);
        match self.0.way() {
            Way::Up => number <= (self.0.at() - band).max(0.0),
            Way::Down => number >= (self.0.at() + band).min(HIGHEST),
        }
    }
}

impl fmt::Display for Threshold {
    /// As it is typed: `above:70`.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.0.side(), self.0.at())
    }
}

impl Serialize for Threshold {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Threshold {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        Self::parse(&word).ok_or_else(|| D::Error::custom(format_args!("{word:?} is no threshold")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_are_read_as_they_are_written() {
        for (typed, written, words) in [
            ("above:70", "above:70", "above 70"),
            (" Below:30.5 ", "below:30.5", "below 30.5"),
            ("ABOVE:0.25", "above:0.25", "above 0.25"),
            ("above 100", "above:100", "above 100"),
        ] {
            let read = Threshold::parse(typed).unwrap();
            assert_eq!((read.to_string().as_str(), read.line().to_string().as_str()), (written, words));
            let json = serde_json::to_string(&read).unwrap();
            assert_eq!(serde_json::from_str::<Threshold>(&json).unwrap(), read);
        }
        for odd in ["", "70", "above:0", "above:100.01", "above:70.123", "over:70"] {
            assert_eq!(Threshold::parse(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_line_is_left_by_three_percent_and_at_least_a_point() {
        let line = |text| Threshold::parse(text).unwrap();
        assert!(line("above:70").is_reached(70.0) && !line("above:70").is_reached(69.99));
        assert!(line("above:70").is_left(68.0) && !line("above:70").is_left(68.01));
        assert!(line("below:30").is_left(31.0) && !line("below:30").is_left(30.99));
        assert!(line("below:99").is_left(100.0) && line("above:0.5").is_left(0.0), "the scale ends there");
    }
}
