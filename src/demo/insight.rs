//! How the simulated prices fared and what they could come to, in the shape of `quantmetrics` and `price-prediction`. What no market cap ranks
//! has neither.

use super::{
    Listing,
    market::Market,
    rows::{millis, rounded},
};
use crate::domain::TokenId;
use serde::Serialize;

/// Hours from one daily price to the next.
const APART: usize = 24;
const YEAR: f64 = 365.0;
/// What the whole simulated market is worth, in US dollars.
const TOTAL_MARKET: f64 = 3.4e12;
/// The market then, as multiples of that of now.
const CASES: [f64; 5] = [0.5, 2.0, 4.0, 6.0, 8.0];
/// Predictions are about the day so many days ahead.
const AHEAD: i64 = 730;

/// A row of `quantmetrics`.
#[derive(Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) struct Quantmetrics {
    token_id: TokenId,
    token_name: &'static str,
    token_symbol: &'static str,
    date: String,
    volatility: f64,
    all_time_return: f64,
    /// Nothing for less than a year of prices.
    cagr: Option<f64>,
    sharpe: Option<f64>,
    sortino: Option<f64>,
    max_drawdown: f64,
    skew: Option<f64>,
    tail_ratio: Option<f64>,
    risk_reward_ratio: Option<f64>,
    profit_factor: Option<f64>,
    kurtosis: Option<f64>,
    daily_value_at_risk: f64,
    daily_return_avg: f64,
    daily_return_std: f64,
}

/// A row of `price-prediction`.
#[derive(Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) struct PricePrediction {
    token_id: TokenId,
    token_name: &'static str,
    token_symbol: &'static str,
    date: String,
    price_prediction: Prediction,
}

#[derive(Serialize)]
struct Prediction {
    token_mcap: f64,
    total_mcap: f64,
    category_name: &'static str,
    current_price: f64,
    predicted_date: String,
    similar_tokens_info: Option<String>,
    avg_past_performance: Option<f64>,
    self_past_performance: Option<f64>,
    price_prediction: Vec<Case>,
}

#[derive(Serialize)]
struct Case {
    scenario: f64,
    predicted_fdv_base: f64,
    predicted_fdv_bear: f64,
    predicted_fdv_moon: f64,
    predicted_roi_base: f64,
    predicted_roi_bear: f64,
    predicted_roi_moon: f64,
    predicted_mcap_base: f64,
    predicted_mcap_bear: f64,
    predicted_mcap_moon: f64,
    total_mcap_scenario: f64,
    predicted_price_base: f64,
    predicted_price_bear: f64,
    predicted_price_moon: f64,
}

impl Quantmetrics {
    pub(super) fn of(market: &Market, listing: &'static Listing) -> Option<Self> {
        listing.rank?;
        let prices: Vec<_> = market.points(listing.id)?.iter().step_by(APART).map(|point| point.price).collect();
        let mut returns: Vec<_> = prices.windows(2).map(|pair| pair[1] / pair[0] - 1.0).collect();
        let (first, last) = (prices.first()?, prices.last()?);
        let mean = mean(&returns)?;
        let moment = |power: i32| self::mean(&returns.iter().map(|r| (r - mean).powi(power)).collect::<Vec<_>>());
        let deviation = moment(2)?.sqrt();
        let downside = self::mean(&returns.iter().map(|r| r.min(0.0).powi(2)).collect::<Vec<_>>())?.sqrt();
        let (gains, losses): (Vec<f64>, Vec<f64>) = returns.iter().partition(|r| **r > 0.0);
        let ratio = |over: f64, under: f64| (under > 0.0).then(|| rounded(over / under, 4));
        let (third, fourth) = (moment(3)?, moment(4)?);
        returns.sort_unstable_by(f64::total_cmp);
        let (low, high) = (returns[returns.len() / 20], returns[returns.len() - 1 - returns.len() / 20]);
        Some(Self {
            token_id: listing.id,
            token_name: listing.name,
            token_symbol: listing.symbol,
            date: millis(market.days().1.start()),
            volatility: rounded(deviation * YEAR.sqrt(), 4),
            all_time_return: rounded(last / first - 1.0, 4),
            cagr: None,
            sharpe: ratio(mean * YEAR.sqrt(), deviation),
            sortino: ratio(mean * YEAR.sqrt(), downside),
            max_drawdown: rounded(drawdown(&prices), 4),
            skew: ratio(third, deviation.powi(3)),
            tail_ratio: ratio(high, -low),
            risk_reward_ratio: self::mean(&gains).zip(self::mean(&losses)).and_then(|(gain, loss)| ratio(gain, -loss)),
            profit_factor: ratio(gains.iter().sum(), -losses.iter().sum::<f64>()),
            kurtosis: ratio(fourth, deviation.powi(4)),
            daily_value_at_risk: rounded(low, 4),
            daily_return_avg: rounded(mean, 4),
            daily_return_std: rounded(deviation, 4),
        })
    }
}

impl PricePrediction {
    pub(super) fn of(market: &Market, listing: &'static Listing) -> Option<Self> {
        let rank = listing.rank?;
        let price = market.points(listing.id)?.last()?.price;
        let token_mcap = TOTAL_MARKET / (2.0 * f64::from(rank) + 1.0);
        let today = market.days().1;
        Some(Self {
            token_id: listing.id,
            token_name: listing.name,
            token_symbol: listing.symbol,
            date: millis(today.start()),
            price_prediction: Prediction {
                token_mcap: token_mcap.round(),
                total_mcap: TOTAL_MARKET,
                category_name: "Layer 1 (L1)",
                current_price: price,
                predicted_date: today.plus(AHEAD).to_string(),
                similar_tokens_info: None,
                avg_past_performance: None,
                self_past_performance: None,
                price_prediction: CASES.map(|case| Case::of(case, price, token_mcap)).into(),
            },
        })
    }
}

impl Case {
    /// The token gains less than the market, and the bolder the case the more.
    fn of(scenario: f64, price: f64, mcap: f64) -> Self {
        let [bear, base, moon] = [0.4 + 0.2 * scenario, 0.55 + 0.35 * scenario, 0.7 + 0.5 * scenario];
        let fully_diluted = 1.05 * mcap;
        Self {
            scenario,
            predicted_fdv_base: (fully_diluted * base).round(),
            predicted_fdv_bear: (fully_diluted * bear).round(),
            predicted_fdv_moon: (fully_diluted * moon).round(),
            predicted_roi_base: rounded(base - 1.0, 4),
            predicted_roi_bear: rounded(bear - 1.0, 4),
            predicted_roi_moon: rounded(moon - 1.0, 4),
            predicted_mcap_base: (mcap * base).round(),
            predicted_mcap_bear: (mcap * bear).round(),
            predicted_mcap_moon: (mcap * moon).round(),
            total_mcap_scenario: TOTAL_MARKET * scenario,
            predicted_price_base: rounded(price * base, 8),
            predicted_price_bear: rounded(price * bear, 8),
            predicted_price_moon: rounded(price * moon, 8),
        }
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}

/// The deepest fall from a height, as a negative ratio.
fn drawdown(prices: &[f64]) -> f64 {
    let mut height = f64::MIN_POSITIVE;
    prices.iter().fold(0.0_f64, |deepest, price| {
        height = height.max(*price);
        deepest.min(price / height - 1.0)
    })
}
