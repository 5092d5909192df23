//! The rows of the simulated API as JSON: keys, types and quirks of the real one.

use super::{
    Listing,
    market::{DailyRow, HourlyRow},
};
use crate::domain::{Stance, Timestamp, TokenId};
use serde::Serialize;

/// What `trading-signals` really carries beside the slug in `tm_link`.
const BROKEN_LINK: &str = "https://app.tokenmetrics.com/undefined";

/// A row of `trading-signals`: numbers are numbers.
#[derive(Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) struct TradingSignal {
    token_id: TokenId,
    token_name: &'static str,
    token_symbol: &'static str,
    date: String,
    pub(super) trading_signal: i8,
    token_trend: i8,
    trading_signals_returns: f64,
    holding_returns: f64,
    #[serde(rename = "tm_link")]
    slug: &'static str,
    tm_trader_grade: f64,
    tm_investor_grade: f64,
    tm_link: &'static str,
}

impl From<&DailyRow> for TradingSignal {
    fn from(row: &DailyRow) -> Self {
        let trend = if row.stance == Stance::Bullish { 1 } else { -1 };
        Self {
            token_id: row.listing.id,
            token_name: row.listing.name,
            token_symbol: row.listing.symbol,
            date: millis(row.day.start()),
            trading_signal: if row.turned { trend } else { 0 },
            token_trend: trend,
            trading_signals_returns: rounded(row.signal_returns, 4),
            holding_returns: rounded(row.holding_returns, 4),
            slug: row.listing.slug,
            tm_trader_grade: rounded(row.trader_grade, 2),
            tm_investor_grade: rounded(row.investor_grade, 2),
            tm_link: BROKEN_LINK,
        }
    }
}

/// A row of `hourly-trading-signals`: `SIGNAL` and `POSITION` are strings, `CLOSE` is a number.
#[derive(Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) struct HourlySignal {
    timestamp: String,
    token_id: TokenId,
    token_name: &'static str,
    token_symbol: &'static str,
    close: f64,
    signal: &'static str,
    position: &'static str,
}

impl From<&HourlyRow> for HourlySignal {
    fn from(row: &HourlyRow) -> Self {
        let (turn, position) = if row.stance == Stance::Bullish { ("1", "1") } else { ("-1", "0") };
        Self {
            timestamp: millis(row.hour),
            token_id: row.listing.id,
            token_name: row.listing.name,
            token_symbol: row.listing.symbol,
            close: rounded(row.close, if row.close < 10.0 { 6 } else { 2 }),
            signal: if row.turned { turn } else { "0" },
            position,
        }
    }
}

/// A row of `tokens` and `top-market-cap-tokens`.
#[derive(Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) struct ListedToken {
    token_id: TokenId,
    token_name: &'static str,
    token_symbol: &'static str,
    exchange_list: Vec<Exchange>,
    category_list: Vec<Category>,
    tm_link: String,
}

#[derive(Serialize)]
struct Exchange {
    exchange_id: &'static str,
    exchange_name: &'static str,
}

#[derive(Serialize)]
struct Category {
    category_id: u32,
    category_slug: &'static str,
    category_name: &'static str,
}

impl From<&'static Listing> for ListedToken {
    fn from(listing: &'static Listing) -> Self {
        let is_listed = listing.rank.is_some();
        let exchanges =
            [("binance", "Binance"), ("gate", "Gate")].map(|(exchange_id, exchange_name)| Exchange { exchange_id, exchange_name });
        let category = Category { category_id: 12, category_slug: "layer-1", category_name: "Layer 1 (L1)" };
        Self {
            token_id: listing.id,
            token_name: listing.name,
            token_symbol: listing.symbol,
            exchange_list: exchanges.into_iter().filter(|_| is_listed).collect(),
            category_list: Some(category).filter(|_| is_listed).into_iter().collect(),
            tm_link: listing.link(),
        }
    }
}

/// `2025-04-10T00:00:00.000Z`: ISO 8601 in UTC with milliseconds, as every endpoint writes times.
pub(super) fn millis(at: Timestamp) -> String {
    at.to_utc().format("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

pub(super) fn rounded(value: f64, decimals: i32) -> f64 {
    let factor = 10f64.powi(decimals);
    (value * factor).round() / factor
}
