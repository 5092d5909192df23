//! What the source thinks of a token, in the words of each kind of signal, and which way a change of its mind goes.

use super::Line;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use std::fmt;

/// What the source thinks of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stance {
    /// It expects the price to rise.
    Bullish,
    /// It expects the price to fall.
    Bearish,
    /// It grades the token so.
    Grade(Grade),
    /// It puts the token into this class, by its fundamentals.
    Class(Class),
    /// A number of the token has crossed this line.
    Beyond(Line),
}

/// The label of a grade, the worst first (`rules.md` 2.11).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grade {
    /// `Strong Sell`.
    StrongSell,
    /// `Sell`.
    Sell,
    /// `Neutral`, which some rows call `Hold`.
    Neutral,
    /// `Buy`.
    Buy,
    /// `Strong Buy`.
    StrongBuy,
}

/// A class of tokens, such as `blueChip`: a word of the source, which has no order (2.11). Kept in place, so that a stance stays a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Class {
    letters: [u8; Self::LONGEST],
    length: u8,
}

/// Which way something goes or points. Upgrades go up as turns to bullish do (3.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Way {
    /// To the better.
    Up,
    /// To the worse.
    Down,
}

impl Stance {
    /// Reads the word that [`fmt::Display`] writes, whatever its case.
    pub fn parse(word: &str) -> Option<Self> {
        let call = [("bullish", Self::Bullish), ("bearish", Self::Bearish)].into_iter().find(|(call, _)| call.eq_ignore_ascii_case(word));
        let grade = || Grade::ALL.iter().find(|grade| grade.as_str().eq_ignore_ascii_case(word)).copied().map(Self::Grade);
        let line = || Line::parse(word).map(Self::Beyond);
        call.map(|(_, stance)| stance).or_else(grade).or_else(line).or_else(|| Class::of_label(word).map(Self::Class))
    }

    /// The other call; whatever is no call has no other.
    pub const fn opposite(self) -> Self {
        match self {
            Self::Bullish => Self::Bearish,
            Self::Bearish => Self::Bullish,
            Self::Grade(_) | Self::Class(_) | Self::Beyond(_) => self,
        }
    }

    /// Which way it points by itself; nowhere where it is neutral.
    pub const fn outlook(self) -> Option<Way> {
        match self {
            Self::Bullish | Self::Grade(Grade::Buy | Grade::StrongBuy) => Some(Way::Up),
            Self::Bearish | Self::Grade(Grade::Sell | Grade::StrongSell) => Some(Way::Down),
            Self::Grade(Grade::Neutral) | Self::Class(_) => None,
            Self::Beyond(line) => Some(line.way()),
        }
    }

    /// Which way a change to it from `before` goes: a call where it points, a grade from the worse to the better or back.
    pub fn way_from(self, before: Option<Self>) -> Option<Way> {
        match (self, before) {
            (Self::Grade(grade), Some(Self::Grade(before))) if grade != before => Some(if grade > before { Way::Up } else { Way::Down }),
            (Self::Grade(_), Some(Self::Grade(_))) => None,
            _ => self.outlook(),
        }
    }
}

impl fmt::Display for Stance {
    /// The word that people read and the database stores.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bullish => out.write_str("bullish"),
            Self::Bearish => out.write_str("bearish"),
            Self::Grade(grade) => out.write_str(grade.as_str()),
            Self::Class(class) => out.write_str(class.as_str()),
            Self::Beyond(line) => line.fmt(out),
        }
    }
}

impl Serialize for Stance {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Stance {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        Self::parse(&word).ok_or_else(|| D::Error::custom(format_args!("{word:?} is no stance")))
    }
}

impl Grade {
    /// Every label, the worst first.
    pub const ALL: &'static [Self] = &[Self::StrongSell, Self::Sell, Self::Neutral, Self::Buy, Self::StrongBuy];

    /// As the source writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::StrongSell => "Strong Sell",
            Self::Sell => "Sell",
            Self::Neutral => "Neutral",
            Self::Buy => "Buy",
            Self::StrongBuy => "Strong Buy",
        }
    }

    /// Reads a label of the source, whatever its case; `Hold` is `Neutral`.
    pub fn of_label(label: &str) -> Option<Self> {
        let label = label.trim();
        if label.eq_ignore_ascii_case("hold") {
            return Some(Self::Neutral);
        }
        Self::ALL.iter().copied().find(|grade| grade.as_str().eq_ignore_ascii_case(label))
    }
}

impl Class {
    /// The most letters of a class.
    const LONGEST: usize = 15;

    /// Reads a class of the source: a letter, then letters, digits, spaces and `-_`. Words that mean another stance are none.
    pub fn of_label(label: &str) -> Option<Self> {
        let label = label.trim();
        let is_call = ["bullish", "bearish"].iter().any(|word| word.eq_ignore_ascii_case(label));
        let is_taken = is_call || Grade::of_label(label).is_some() || Line::parse(label).is_some();
        let may_stand = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b' ' | b'-' | b'_');
        let reads = label.starts_with(|first: char| first.is_ascii_alphabetic()) && label.bytes().all(may_stand);
        if is_taken || !reads || label.len() > Self::LONGEST {
            return None;
        }
        let mut letters = [0; Self::LONGEST];
        letters[..label.len()].copy_from_slice(label.as_bytes());
        Some(Self { letters, length: u8::try_from(label.len()).ok()? })
    }

    /// As the source writes it.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.letters[..usize::from(self.length)]).unwrap_or_default()
    }
}

impl Way {
    /// The word of a direction that means it, which is a metric label too.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Up => "bullish",
            Self::Down => "bearish",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_as_it_is_written() {
        let grades = Grade::ALL.iter().copied().map(Stance::Grade);
        for stance in [Stance::Bullish, Stance::Bearish].into_iter().chain(grades) {
            assert_eq!(Stance::parse(&stance.to_string().to_uppercase()), Some(stance));
            let json = serde_json::to_string(&stance).unwrap();
            assert_eq!((json.clone(), serde_json::from_str::<Stance>(&json).unwrap()), (format!("\"{stance}\""), stance));
        }
        assert_eq!(Stance::parse("blueChip").map(|class| class.to_string()), Some("blueChip".to_owned()));
        for odd in ["", "1st", "a<b>", "a\nb", "über", "sixteenLettersIs"] {
            assert_eq!(Stance::parse(odd), None, "{odd}");
        }
        assert_eq!((Grade::of_label(" hold "), Grade::of_label("Outperform")), (Some(Grade::Neutral), None));
    }

    #[test]
    fn a_grade_goes_up_to_the_better_and_a_call_where_it_points() {
        let grade = Stance::Grade;
        let way = |from, to: Stance| to.way_from(Some(from));
        assert_eq!(way(grade(Grade::StrongSell), grade(Grade::Sell)), Some(Way::Up));
        assert_eq!(way(grade(Grade::StrongBuy), grade(Grade::Buy)), Some(Way::Down));
        assert_eq!(way(grade(Grade::Buy), grade(Grade::Buy)), None);
        assert_eq!(way(Stance::Bullish, Stance::Bearish), Some(Way::Down));
        assert_eq!(Stance::Bullish.way_from(None), Some(Way::Up));
    }
}
