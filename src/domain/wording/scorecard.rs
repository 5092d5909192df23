//! How past calls did, in neutral words: how often, of how many, and the median. No word of what to do about it.
#![expect(missing_docs, reason = "the sentence names its arguments")]

use super::{
    Phrase, Spans,
    call::{capital, signals},
};
use crate::domain::{Horizon, Kind, Record, Scorecard, Way};
use serde::{Deserialize, Serialize};

/// A sentence about past calls.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScorecardPhrase {
    /// The heading above the records of all tokens together.
    Head { kind: Kind },
    /// The heading above those of the tokens of a category.
    HeadIn { category: String, kind: Kind },
    /// The heading above those of one.
    HeadOf { symbol: String, kind: Kind },
    /// Too few calls of one token.
    TooFewOf { symbol: String, calls: u32 },
    /// The records of one direction.
    Records { kind: Kind, way: Way, records: [Record; 3] },
    /// Whose price rose most in the last week, and whose fell most.
    Week { rose: Vec<(String, Option<String>, f64)>, fell: Vec<(String, Option<String>, f64)> },
}

impl From<ScorecardPhrase> for Phrase {
    fn from(phrase: ScorecardPhrase) -> Self {
        Self::Scorecard(phrase)
    }
}

impl ScorecardPhrase {
    /// The records of each direction.
    pub fn records(card: &Scorecard) -> impl Iterator<Item = Phrase> + use<> {
        let kind = card.kind;
        card.by_way().into_iter().map(move |(way, records)| Self::Records { kind, way, records }.into())
    }

    pub(super) fn english(&self, out: &mut Spans) {
        match self {
            Self::Head { kind } => {
                out.strong(format!("Past {}, all tokens, 12 months", signals(*kind)));
            }
            Self::HeadIn { category, kind } => {
                out.strong(format!("Past {}, tokens of the category {category}, 12 months", signals(*kind)));
            }
            Self::HeadOf { symbol, kind } => {
                out.strong(format!("Past {} of {symbol}, 12 months", signals(*kind)));
            }
            Self::TooFewOf { symbol, calls } => {
                out.text(format!("{symbol} alone: not enough data ({calls} of the {} calls that it takes).", Record::LEAST));
            }
            Self::Records { kind, way, records } => {
                let (calls, moved) = (capital(directed(*kind, *way)), moved(*way));
                if records.iter().all(|record| matches!(record, Record::TooFew { .. })) {
                    out.text(format!("{calls}: not enough data ({} of the {} calls that it takes).", records[0].calls(), Record::LEAST));
                    return;
                }
                out.text(format!("{calls}, price {moved} after "));
                for (index, (horizon, record)) in Horizon::ALL.iter().zip(records).enumerate() {
                    let separator = if index == 0 { "" } else { "; " };
                    let days = horizon.days();
                    out.text(format!("{separator}{days} {}: ", if days == 1 { "day" } else { "days" }));
                    match record {
                        Record::TooFew { calls } => out.text(format!("not enough data ({calls})")),
                        Record::Enough { calls, hits, median } => out.text(format!(
                            "{:.0} % of {calls} (median {})",
                            100.0 * f64::from(*hits) / f64::from(*calls),
                            percent(*median)
                        )),
                    };
                }
            }
            Self::Week { rose, fell } => {
                out.text("Price in the last 7 days: ");
                let sides = [("rose most: ", rose), ("fell most: ", fell)];
                for (index, (words, list)) in sides.into_iter().filter(|(_, list)| !list.is_empty()).enumerate() {
                    out.text(if index == 0 { words.to_owned() } else { format!("; {words}") });
                    for (place, (symbol, link, change)) in list.iter().enumerate() {
                        out.text(if place == 0 { "" } else { ", " });
                        match link {
                            Some(link) => out.link(symbol, link),
                            None => out.text(symbol),
                        };
                        out.text(format!(" {}", percent(*change)));
                    }
                }
            }
        }
    }
}

/// `+2.1 %`, `−0.4 %`.
fn percent(ratio: f64) -> String {
    let tenths = (ratio * 1000.0).round();
    let sign = if tenths < 0.0 { "−" } else { "+" };
    if tenths == 0.0 { "0.0 %".to_owned() } else { format!("{sign}{:.1} %", tenths.abs() / 10.0) }
}

/// What calls that went one way are called.
const fn directed(kind: Kind, way: Way) -> &'static str {
    match (kind, way) {
        (Kind::Daily | Kind::Hourly, Way::Up) => "bullish",
        (Kind::Daily | Kind::Hourly, Way::Down) => "bearish",
        (Kind::Levels, Way::Up) => "upward",
        (Kind::Levels, Way::Down) => "downward",
        (Kind::Grade | Kind::Fundamental, Way::Up) => "upgrades",
        (Kind::Grade | Kind::Fundamental, Way::Down) => "downgrades",
    }
}

const fn moved(way: Way) -> &'static str {
    match way {
        Way::Up => "higher",
        Way::Down => "lower",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_neutral_and_names_its_sample() {
        let enough = |calls, hits, median| Record::Enough { calls, hits, median };
        let said = |way, records| Phrase::from(ScorecardPhrase::Records { kind: Kind::Daily, way, records }).plain();
        assert_eq!(
            said(Way::Up, [enough(310, 160, 0.002_4), enough(305, 171, -0.011), Record::TooFew { calls: 12 }]),
            "Bullish, price higher after 1 day: 52 % of 310 (median +0.2 %); 7 days: 56 % of 305 (median −1.1 %); 30 days: not enough data (12)"
        );
        let few = [19, 7, 0].map(|calls| Record::TooFew { calls });
        assert_eq!(said(Way::Down, few), "Bearish: not enough data (19 of the 20 calls that it takes).");
    }

    #[test]
    fn a_change_has_its_sign_and_nothing_has_none() {
        assert_eq!([0.1234, -0.0004, -0.05, 0.0].map(percent), ["+12.3 %", "0.0 %", "−5.0 %", "0.0 %"]);
    }
}
