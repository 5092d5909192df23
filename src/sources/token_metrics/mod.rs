//! The Token Metrics data API, versions 2 and 3: one HTTP call, lenient reading of what comes, and which calls a poll needs.
//!
//! What a row means (a turn, a correction, nothing) is `engine::diff`'s business.

mod client;
mod collect;
mod graded;
mod insight;
mod keys;
mod levels;
mod shape;
mod version;
mod wire;

pub use super::value::Value;
pub use client::TokenMetrics;
pub use insight::read_insights;
pub use version::Version;
pub use wire::{Body, guess_kind, read_body, read_rows, read_token};

/// The endpoints that are asked, below the base URL.
pub mod endpoint {
    use crate::domain::{Facet, Kind};

    /// Calls, one row a token and UTC day.
    pub const DAILY: &str = "trading-signals";
    /// Calls, one row a token and hour.
    pub const HOURLY: &str = "hourly-trading-signals";
    /// Grades, the latest of each token.
    pub const GRADES: &str = "tm-grade";
    /// Fundamental grades, the latest of each token.
    pub const FUNDAMENTALS: &str = "fundamental-grade";
    /// Prices, the latest of each token.
    pub const PRICES: &str = "price";
    /// Levels of the price, the latest of each token.
    pub const LEVELS: &str = "resistance-support";
    /// How prices fared, the latest of each token.
    pub const RISK: &str = "quantmetrics";
    /// What prices could come to, the latest of each token.
    pub const SCENARIOS: &str = "price-prediction";
    /// Prices of the past, one row a token and UTC day.
    pub const DAILY_PRICES: &str = "daily-ohlcv";
    /// Prices of the past, one row a token and hour.
    pub const HOURLY_PRICES: &str = "hourly-ohlcv";
    /// Tokens by market cap.
    pub const RANKS: &str = "top-market-cap-tokens";
    /// All tokens.
    pub const TOKENS: &str = "tokens";

    /// Where a facet is asked for.
    pub(super) const fn of(facet: Facet) -> &'static str {
        match facet {
            Facet::Price => PRICES,
            Facet::Levels => LEVELS,
            Facet::Risk => RISK,
            Facet::Scenarios => SCENARIOS,
            Facet::DailyPrices => DAILY_PRICES,
            Facet::HourlyPrices => HOURLY_PRICES,
        }
    }

    /// The kind of signal that an endpoint's rows are.
    pub(super) fn kind_of(endpoint: &str) -> Option<Kind> {
        match endpoint {
            DAILY => Some(Kind::Daily),
            HOURLY => Some(Kind::Hourly),
            GRADES => Some(Kind::Grade),
            FUNDAMENTALS => Some(Kind::Fundamental),
            PRICES | LEVELS => Some(Kind::Levels),
            _ => None,
        }
    }
}
