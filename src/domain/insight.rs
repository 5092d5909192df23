//! What the source says of a token besides its signals, when somebody asks: where its price is, how it fared, what it could come to.

use super::{Kind, Level, Timestamp};
use serde::{Deserialize, Serialize};

/// One thing that can be asked of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Facet {
    /// Its price.
    Price,
    /// Where the price turned before.
    Levels,
    /// How the price fared.
    Risk,
    /// What the price could be.
    Scenarios,
    /// What it was at the end of each of the last days.
    DailyPrices,
    /// The same of the last hours.
    HourlyPrices,
}

/// What is said of one facet.
#[derive(Clone, Debug, PartialEq)]
pub enum Insight {
    /// In US dollars: positive.
    Price(f64),
    /// Never none.
    Levels(Vec<Level>),
    /// Never empty.
    Risk(Risk),
    /// Never without a case.
    Scenarios(Scenarios),
    /// In US dollars, one for each time, the oldest first: never none.
    Prices(Vec<(Timestamp, f64)>),
}

/// The source's own measures of the past, each where it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Risk {
    /// How much the price swings, as a ratio: 0.67 is 67 %.
    pub volatility: Option<f64>,
    /// The Sharpe ratio.
    pub sharpe: Option<f64>,
    /// How far the price once fell from its height, as a ratio from 0 to 1.
    pub max_drawdown: Option<f64>,
}

/// What the source reckons with, by how much the whole crypto market is worth then.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenarios {
    /// For which day.
    pub day: Option<Timestamp>,
    /// What the market is worth now, in US dollars.
    pub market: Option<f64>,
    /// In the source's order.
    pub cases: Vec<Scenario>,
}

/// Prices in US dollars, should the market be worth that much.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scenario {
    /// In US dollars.
    pub market: f64,
    /// The bad case.
    pub bear: f64,
    /// The middle one.
    pub base: f64,
    /// The good one.
    pub moon: f64,
}

impl Facet {
    /// Every one.
    pub const ALL: [Self; 6] = [Self::Price, Self::Levels, Self::Risk, Self::Scenarios, Self::DailyPrices, Self::HourlyPrices];
    /// Those that tell how a token is now.
    pub const OF_NOW: [Self; 4] = [Self::Price, Self::Levels, Self::Risk, Self::Scenarios];

    /// The prices of the past that go with rows of a kind, where there are such.
    pub const fn prices_of(kind: Kind) -> Option<Self> {
        match kind {
            Kind::Daily => Some(Self::DailyPrices),
            Kind::Hourly => Some(Self::HourlyPrices),
            Kind::Grade | Kind::Fundamental | Kind::Levels => None,
        }
    }

    /// Whether a call has room for one token alone: an answer holds as many rows as that one has.
    pub const fn is_of_one(self) -> bool {
        matches!(self, Self::DailyPrices | Self::HourlyPrices)
    }
}

impl Risk {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Scenarios {
    /// The cases next to the market of now, the smaller one first: neither the boldest nor the bleakest is chosen. The first of all where
    /// its size is not known.
    pub fn around_now(&self) -> Vec<Scenario> {
        let cases = || self.cases.iter().copied();
        let Some(now) = self.market else { return cases().take(1).collect() };
        let below = cases().filter(|case| case.market <= now).max_by(|a, b| a.market.total_cmp(&b.market));
        let above = cases().filter(|case| case.market > now).min_by(|a, b| a.market.total_cmp(&b.market));
        [below, above].into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cases_next_to_the_market_of_now_are_named() {
        let case = |market| Scenario { market, bear: 1.0, base: 2.0, moon: 3.0 };
        let around = |now: Option<f64>, sizes: &[f64]| {
            let scenarios = Scenarios { day: None, market: now, cases: sizes.iter().copied().map(case).collect() };
            scenarios.around_now().iter().map(|case| case.market).collect::<Vec<_>>()
        };
        let sizes = [8.0, 1.7, 13.6, 6.8];
        assert_eq!(around(Some(3.4), &sizes), [1.7, 6.8]);
        assert_eq!(around(Some(6.8), &sizes), [6.8, 8.0]);
        assert_eq!(around(Some(0.1), &sizes), [1.7]);
        assert_eq!(around(Some(99.0), &sizes), [13.6]);
        assert_eq!(around(None, &sizes), [8.0]);
        assert_eq!(around(Some(3.4), &[]), [0.0; 0]);
    }
}
