//! Prices of the past, in the shape of `daily-ohlcv` and `hourly-ohlcv`.

use super::{
    market::{HourlyRow, Market},
    rows::{millis, rounded},
};
use crate::domain::{Day, Timestamp, TokenId};
use serde::Serialize;
use std::ops::RangeInclusive;

/// What changes hands in an hour, in units of the token.
const VOLUME: f64 = 1_284.55;

/// A row of either: the one names its day, the other its hour.
#[derive(Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) struct Ohlcv {
    token_id: TokenId,
    token_name: &'static str,
    token_symbol: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    date: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<String>,
    open: f64,
    high: f64,
    low: f64,
    close: f64,
    volume: f64,
}

impl Ohlcv {
    /// The hours of a token on these days, the newest first.
    pub(super) fn hours(market: &Market, token: TokenId, days: &RangeInclusive<Day>) -> Vec<Self> {
        let rows: Vec<_> = market.hourly(token).collect();
        let asked = rows.windows(2).filter(|pair| days.contains(&pair[0].hour.day()));
        asked.filter_map(|pair| Self::of(None, &pair[..1], pair[1].close)).collect()
    }

    /// These days of it, the newest first; today's is not over.
    pub(super) fn days(market: &Market, token: TokenId, days: &RangeInclusive<Day>) -> Vec<Self> {
        let rows: Vec<_> = market.hourly(token).collect();
        let by_day: Vec<&[HourlyRow]> = rows.chunk_by(|a, b| a.hour.day() == b.hour.day()).collect();
        let asked = by_day.windows(2).filter(|pair| days.contains(&pair[0][0].hour.day()));
        asked.filter_map(|pair| Self::of(Some(pair[0][0].hour.day().start()), pair[0], pair[1][0].close)).collect()
    }

    /// Of these hours, the newest first, the first of which began at this price.
    fn of(day: Option<Timestamp>, hours: &[HourlyRow], open: f64) -> Option<Self> {
        let newest = hours.first()?;
        let prices = || hours.iter().map(|row| row.close).chain([open]);
        let written = |price: f64| rounded(price, if price < 10.0 { 6 } else { 2 });
        Some(Self {
            token_id: newest.listing.id,
            token_name: newest.listing.name,
            token_symbol: newest.listing.symbol,
            date: day.map(millis),
            timestamp: day.is_none().then(|| millis(newest.hour)),
            open: written(open),
            high: written(prices().fold(f64::NEG_INFINITY, f64::max)),
            low: written(prices().fold(f64::INFINITY, f64::min)),
            close: written(newest.close),
            volume: rounded(VOLUME * hours.len() as f64, 2),
        })
    }
}
