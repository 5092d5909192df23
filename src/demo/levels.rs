//! The price of a token at the moment and the levels where it turned before, in the shape of `price` and `resistance-support`.

use super::{
    Listing,
    market::Market,
    rows::{millis, rounded},
};
use crate::domain::TokenId;
use serde::Serialize;

/// Hours from one price that can be a level to the next.
const APART: usize = 24;

/// A row of `price`.
#[derive(Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) struct Price {
    token_id: TokenId,
    token_name: &'static str,
    token_symbol: &'static str,
    current_price: f64,
}

/// A row of `resistance-support`.
#[derive(Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(super) struct ResistanceSupport {
    token_id: TokenId,
    token_name: &'static str,
    token_symbol: &'static str,
    date: String,
    historical_resistance_support_levels: Vec<PastLevel>,
}

#[derive(Serialize)]
struct PastLevel {
    date: String,
    level: f64,
}

impl Price {
    pub(super) fn of(market: &Market, listing: &'static Listing) -> Option<Self> {
        let current_price = market.points(listing.id)?.last()?.price;
        Some(Self { token_id: listing.id, token_name: listing.name, token_symbol: listing.symbol, current_price })
    }
}

impl ResistanceSupport {
    /// Where the price of a day was higher than those of the days around it, or lower.
    pub(super) fn of(market: &Market, listing: &'static Listing) -> Option<Self> {
        let days: Vec<_> = market.points(listing.id)?.iter().enumerate().step_by(APART).map(|(hour, point)| (hour, point.price)).collect();
        let turned = |around: &[(usize, f64)]| match around {
            [(_, before), (hour, price), (_, after)] if (price > before) == (price > after) => Some((*hour, *price)),
            _ => None,
        };
        let levels = days.windows(3).filter_map(turned);
        Some(Self {
            token_id: listing.id,
            token_name: listing.name,
            token_symbol: listing.symbol,
            date: millis(market.days().1.start()),
            historical_resistance_support_levels: levels
                .map(|(hour, price)| PastLevel { date: market.at(hour).day().to_string(), level: rounded(price, 8) })
                .collect(),
        })
    }
}
