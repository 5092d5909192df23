//! What `/signal` says of a token besides its call: the source's numbers, and no word of advice.
#![expect(missing_docs, reason = "the sentence names its arguments")]

use super::{
    Phrase, ReplyPhrase, Spans, TimeStyle,
    call::{capital, near_words, price_words, short_number},
};
use crate::domain::{Facet, Near, Risk, Scenario, Timestamp};
use serde::{Deserialize, Serialize};

/// A sentence about a token's price.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InsightPhrase {
    /// Where it is, and among which levels, where those are known.
    Price { price: f64, near: Option<Near>, as_of: Option<Timestamp> },
    /// How it fared.
    Risk { risk: Risk, as_of: Option<Timestamp> },
    /// The heading of the scenarios.
    Scenarios { day: Option<Timestamp>, market: Option<f64>, as_of: Option<Timestamp> },
    /// One of them.
    Scenario { scenario: Scenario },
    /// What the source does not have of this token.
    NothingOf { facets: Vec<Facet> },
    /// It is not known yet.
    MoreSoon,
}

impl InsightPhrase {
    pub(super) fn english(&self, out: &mut Spans) {
        match self {
            Self::Price { price, near, as_of } => {
                let near = near.map(|near| format!(", {}", near_words(near))).unwrap_or_default();
                out.text(format!("Price {}{near}", price_words(*price)));
                dated(out, *as_of);
            }
            Self::Risk { risk: Risk { volatility, sharpe, max_drawdown }, as_of } => {
                let words = [
                    volatility.map(|ratio| format!("volatility {}", percent(ratio))),
                    sharpe.map(|ratio| format!("Sharpe ratio {}", short_number(ratio).replace('-', "−"))),
                    max_drawdown.map(|ratio| format!("max drawdown {}", percent(ratio))),
                ];
                out.text(capital(&words.into_iter().flatten().collect::<Vec<_>>().join(", ")));
                dated(out, *as_of);
            }
            Self::Scenarios { day, market, as_of } => {
                let day = day.map(|day| format!(" for {}", day.day().in_words())).unwrap_or_default();
                let market = market.map(|market| format!(" (now {})", market_words(market))).unwrap_or_default();
                out.text(format!("Scenarios of Token Metrics{day}, by the size of the crypto market{market}"));
                dated(out, *as_of);
                out.text(":");
            }
            Self::Scenario { scenario: Scenario { market, bear, base, moon } } => {
                let [bear, base, moon] = [bear, base, moon].map(|price| price_words(*price));
                out.strong(market_words(*market)).text(format!(": bear {bear}, base {base}, moon {moon}"));
            }
            Self::NothingOf { facets } => {
                let words: Vec<_> = facets.iter().map(|facet| noun(*facet)).collect();
                let words = match words.as_slice() {
                    [some @ .., last] if !some.is_empty() => format!("{} and no {last}", some.join(", no ")),
                    words => words.concat(),
                };
                out.text(format!("Token Metrics has no {words} for this token."));
            }
            Self::MoreSoon => {
                out.text("More of it is being asked for: type this again in a minute.");
            }
        }
    }
}

impl From<InsightPhrase> for Phrase {
    fn from(phrase: InsightPhrase) -> Self {
        Self::Reply(ReplyPhrase::Insight(phrase))
    }
}

const fn noun(facet: Facet) -> &'static str {
    match facet {
        Facet::Price => "price",
        Facet::Levels => "price levels",
        Facet::Risk => "risk measures",
        Facet::Scenarios => "price scenarios",
        Facet::DailyPrices | Facet::HourlyPrices => "past prices",
    }
}

fn dated(out: &mut Spans, as_of: Option<Timestamp>) {
    if let Some(at) = as_of {
        out.text(" (as of ").time(at, TimeStyle::DateTime).text(")");
    }
}

/// `76.7 %`.
fn percent(ratio: f64) -> String {
    format!("{} %", short_number((ratio * 1000.0).round() / 10.0))
}

/// `$1.7 trillion`.
fn market_words(dollars: f64) -> String {
    let (unit, word) = match dollars {
        1e12.. => (1e12, "trillion"),
        1e9.. => (1e9, "billion"),
        _ => (1e6, "million"),
    };
    format!("${} {word}", short_number(dollars / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(phrase: InsightPhrase) -> String {
        Phrase::from(phrase).plain()
    }

    #[test]
    fn numbers_read_well() {
        let near = Some(Near { support: Some(141.25), resistance: None });
        assert_eq!(words(InsightPhrase::Price { price: 151.4, near, as_of: None }), "Price 151.4, support 141.25, no resistance known");
        let as_of = Timestamp::parse("2026-11-21T08:02:00Z");
        assert_eq!(
            words(InsightPhrase::Price { price: 1e-18, near: None, as_of }),
            "Price 0.000000000000000001 (as of 21 Nov 2026 08:02 UTC)"
        );
        let risk = Risk { volatility: Some(0.6712), sharpe: Some(-0.4127), max_drawdown: Some(0.76694) };
        assert_eq!(words(InsightPhrase::Risk { risk, as_of: None }), "Volatility 67.1 %, Sharpe ratio −0.41, max drawdown 76.7 %");
        let risk = Risk { sharpe: Some(0.0), ..Risk::default() };
        assert_eq!(words(InsightPhrase::Risk { risk, as_of: None }), "Sharpe ratio 0");
        assert_eq!([1.7e12, 8.5e11, 3e6, 1e18].map(market_words), ["$1.7 trillion", "$850 billion", "$3 million", "$1000000 trillion"]);
    }

    #[test]
    fn what_is_not_there_is_said_in_one_sentence() {
        let nothing = |facets: &[Facet]| words(InsightPhrase::NothingOf { facets: facets.to_vec() });
        assert_eq!(nothing(&[Facet::Risk]), "Token Metrics has no risk measures for this token.");
        assert_eq!(
            nothing(&[Facet::Levels, Facet::Risk, Facet::Scenarios]),
            "Token Metrics has no price levels, no risk measures and no price scenarios for this token."
        );
    }
}
