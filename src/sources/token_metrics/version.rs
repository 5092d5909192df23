//! The two versions of the API and what each calls its keys.
//!
//! Version 2 writes most keys in capitals, version 3 all of them in small letters; paths, parameters and packing are the same. Keys are
//! mapped exactly and never folded: in version 2 `tm_link` and `TM_LINK` are two things.

use crate::sources::value::Value;

/// A version of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// `https://api.tokenmetrics.com/v2`.
    V2,
    /// `https://api.tokenmetrics.com/v3`.
    V3,
}

impl Version {
    /// The version that a base URL asks: 3 where its path ends in `/v3`, else 2.
    pub fn of_url(base_url: &str) -> Self {
        if base_url.trim_end_matches('/').ends_with("/v3") { Self::V3 } else { Self::V2 }
    }

    /// The version that wrote these rows, by the key of the token's id.
    pub fn of_rows(rows: &[Value<'_>]) -> Self {
        let has = |key: &str| rows.iter().any(|row| row.get(key).is_some());
        if has(V3.id) && !has(V2.id) { Self::V3 } else { Self::V2 }
    }

    pub(super) const fn keys(self) -> &'static Keys {
        match self {
            Self::V2 => &V2,
            Self::V3 => &V3,
        }
    }
}

/// What a version calls the parts of its rows that are read.
pub(super) struct Keys {
    pub(super) id: &'static str,
    pub(super) symbol: [&'static str; 2],
    pub(super) name: [&'static str; 2],
    /// A URL of the token's page.
    pub(super) link: &'static str,
    /// The token in the path of that page.
    pub(super) slug: &'static str,
    pub(super) date: &'static str,
    pub(super) timestamp: &'static str,
    pub(super) daily_signal: &'static str,
    pub(super) trend: &'static str,
    pub(super) hourly_signal: &'static str,
    pub(super) position: &'static str,
    pub(super) trader_grade: &'static str,
    pub(super) investor_grade: &'static str,
    pub(super) signal_returns: &'static str,
    pub(super) holding_returns: &'static str,
    pub(super) close: &'static str,
    pub(super) price: &'static str,
    pub(super) levels: &'static str,
    /// Volatility, Sharpe ratio, drawdown.
    pub(super) risk: [&'static str; 3],
    pub(super) prediction: &'static str,
    pub(super) categories: &'static str,
    pub(super) grade: GradedKeys,
    pub(super) fundamental: GradedKeys,
}

/// What the parts of a row of grades are called.
pub(super) struct GradedKeys {
    pub(super) label: &'static str,
    pub(super) grade: &'static str,
    /// In the order of [`Component::ALL`](crate::domain::Component::ALL); none where the row has no parts.
    pub(super) scores: Option<[&'static str; 5]>,
}

const V2: Keys = Keys {
    id: "TOKEN_ID",
    symbol: ["TOKEN_SYMBOL", "SYMBOL"],
    name: ["TOKEN_NAME", "NAME"],
    link: "TM_LINK",
    slug: "tm_link",
    date: "DATE",
    timestamp: "TIMESTAMP",
    daily_signal: "TRADING_SIGNAL",
    trend: "TOKEN_TREND",
    hourly_signal: "SIGNAL",
    position: "POSITION",
    trader_grade: "TM_TRADER_GRADE",
    investor_grade: "TM_INVESTOR_GRADE",
    signal_returns: "TRADING_SIGNALS_RETURNS",
    holding_returns: "HOLDING_RETURNS",
    close: "CLOSE",
    price: "CURRENT_PRICE",
    levels: "HISTORICAL_RESISTANCE_SUPPORT_LEVELS",
    risk: ["VOLATILITY", "SHARPE", "MAX_DRAWDOWN"],
    prediction: "PRICE_PREDICTION",
    categories: "CATEGORY_LIST",
    grade: GradedKeys { label: "TM_GRADE_SIGNAL", grade: "TM_GRADE", scores: None },
    fundamental: GradedKeys {
        label: "FUNDAMENTAL_GRADE_CLASS",
        grade: "FUNDAMENTAL_GRADE",
        scores: Some(["COMMUNITY_SCORE", "TOKENOMICS_SCORE", "EXCHANGE_SCORE", "VC_SCORE", "DEFI_SCANNER_SCORE"]),
    },
};

// Its daily rows carry `tm_grade` in place of the trader grade: that is another grade, and not shown as this one.
const V3: Keys = Keys {
    id: "token_id",
    symbol: ["token_symbol", "symbol"],
    name: ["token_name", "name"],
    link: "app_link",
    slug: "slug",
    date: "date",
    timestamp: "timestamp",
    daily_signal: "trading_signal",
    trend: "token_trend",
    hourly_signal: "signal",
    position: "position",
    trader_grade: "tm_trader_grade",
    investor_grade: "tm_investor_grade",
    signal_returns: "trading_signals_returns",
    holding_returns: "holding_returns",
    close: "close",
    price: "current_price",
    levels: "historical_resistance_support_levels",
    risk: ["volatility", "sharpe", "max_drawdown"],
    prediction: "price_prediction",
    categories: "category_list",
    grade: GradedKeys { label: "tm_grade_signal", grade: "tm_grade", scores: None },
    fundamental: GradedKeys {
        label: "fundamental_grade_class",
        grade: "fundamental_grade",
        scores: Some(["community_score", "tokenomics_score", "exchange_score", "vc_score", "defi_scanner_score"]),
    },
};

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_base_url_says_which_version_is_asked() {
        let table = [
            ("https://api.tokenmetrics.com/v2", Version::V2),
            ("https://api.tokenmetrics.com/v3", Version::V3),
            ("http://127.0.0.1:9/v3/", Version::V3),
            ("https://example.org/v3/v2", Version::V2),
            ("https://example.org/api-v3", Version::V2),
            ("https://example.org", Version::V2),
        ];
        for (url, version) in table {
            assert_eq!(Version::of_url(url), version, "{url}");
        }
    }

    #[test]
    fn rows_say_who_wrote_them() {
        let of = |rows: serde_json::Value| Version::of_rows(&serde_json::from_str::<Vec<Value<'_>>>(&rows.to_string()).unwrap());
        assert_eq!(of(json!([{"TOKEN_ID": 1}])), Version::V2);
        assert_eq!(of(json!([null, {"token_id": 1}])), Version::V3);
        assert_eq!(of(json!([{"token_id": 1}, {"TOKEN_ID": 1}])), Version::V2);
        assert_eq!(of(json!([])), Version::V2);
    }
}
