//! How the simulated market grades its tokens at the moment, in the shape of `tm-grade` and `fundamental-grade`.

use super::{Listing, market::Market, rows::rounded, walk::Point};
use crate::domain::TokenId;
use serde::Serialize;

/// Grades are means of so many hours, so that they move slowly.
const HOURS: usize = 24;

/// A row of `tm-grade`: numbers are strings.
#[derive(Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) struct TmGrade {
    token_id: TokenId,
    token_name: &'static str,
    token_symbol: &'static str,
    tm_grade: String,
    #[serde(rename = "TM_GRADE_24h_PCT_CHANGE")]
    day_change: String,
    #[serde(rename = "TM_TRADER_GRADE_24H_CHANGE")]
    trader_day_change: String,
    quant_grade: String,
    tm_grade_signal: &'static str,
    momentum: &'static str,
}

/// A row of `fundamental-grade`.
#[derive(Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) struct FundamentalGrade {
    token_id: TokenId,
    token_name: &'static str,
    token_symbol: &'static str,
    fundamental_grade: String,
    fundamental_grade_class: &'static str,
    community_score: f64,
    exchange_score: f64,
    vc_score: Option<f64>,
    tokenomics_score: f64,
    defi_scanner_score: Option<f64>,
}

impl TmGrade {
    pub(super) fn of(market: &Market, listing: &'static Listing) -> Option<Self> {
        let points = market.points(listing.id)?;
        let before = mean(&points[..points.len().saturating_sub(HOURS)], |point| point.trader_grade);
        let grade = mean(points, |point| point.trader_grade)?;
        let change = grade - before.unwrap_or(grade);
        Some(Self {
            token_id: listing.id,
            token_name: listing.name,
            token_symbol: listing.symbol,
            tm_grade: text(grade),
            day_change: text(100.0 * change / grade),
            trader_day_change: text(change),
            quant_grade: text(0.5 * (grade + 50.0)),
            tm_grade_signal: label(grade),
            momentum: momentum(change),
        })
    }
}

impl FundamentalGrade {
    pub(super) fn of(market: &Market, listing: &'static Listing) -> Option<Self> {
        let points = market.points(listing.id)?;
        let grade = mean(points, |point| point.investor_grade)?;
        let towards = |other: f64| rounded((grade + other) / 2.0, 8);
        let is_listed = listing.rank.is_some();
        Some(Self {
            token_id: listing.id,
            token_name: listing.name,
            token_symbol: listing.symbol,
            fundamental_grade: text(grade),
            fundamental_grade_class: class(grade),
            community_score: towards(mean(points, |point| point.trader_grade)?),
            exchange_score: if is_listed { towards(90.0) } else { towards(10.0) },
            vc_score: is_listed.then(|| towards(50.0)),
            tokenomics_score: towards(60.0),
            defi_scanner_score: None,
        })
    }
}

fn mean(points: &[Point], value: impl Fn(&Point) -> f64) -> Option<f64> {
    let last = &points[points.len().saturating_sub(HOURS)..];
    (!last.is_empty()).then(|| last.iter().map(value).sum::<f64>() / last.len() as f64)
}

fn text(number: f64) -> String {
    format!("{number:.2}")
}

fn label(grade: f64) -> &'static str {
    match grade {
        80.0.. => "Strong Buy",
        60.0.. => "Buy",
        40.0.. => "Neutral",
        20.0.. => "Sell",
        _ => "Strong Sell",
    }
}

fn momentum(change: f64) -> &'static str {
    match change {
        10.0.. => "Momentum Surging",
        2.0.. => "Gaining Momentum",
        -2.0.. => "Holding Steady",
        -10.0.. => "Losing Momentum",
        _ => "Momentum Crashing",
    }
}

fn class(grade: f64) -> &'static str {
    match grade {
        80.0.. => "storeOfValue",
        65.0.. => "blueChip",
        50.0.. => "emerging",
        35.0.. => "speculative",
        _ => "highRisk",
    }
}
