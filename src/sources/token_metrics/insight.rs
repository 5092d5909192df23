//! Rows of `/quantmetrics`, `/price-prediction`, `/daily-ohlcv` and `/hourly-ohlcv`: what is asked for when somebody wants to know more of a
//! token.

use super::{
    endpoint,
    version::{Keys, Version},
    wire,
};
use crate::{
    domain::{Insight, Kind, Risk, Scenario, Scenarios, Timestamp, TokenId},
    sources::{PAGE_ROWS, value::Value},
};
use std::{collections::BTreeMap, ops::RangeInclusive};

/// As ratios: beyond that nobody means a volatility.
const VOLATILITY: RangeInclusive<f64> = 0.0..=100.0;
const SHARPE: RangeInclusive<f64> = -1000.0..=1000.0;
/// As ratios, with or without the sign; nothing falls further than to nothing.
const DRAWDOWN: RangeInclusive<f64> = -1.0..=1.0;
/// What a market can be worth, in US dollars.
const MARKET: RangeInclusive<f64> = 1e6..=1e18;
/// The most cases of a token that are taken.
const MOST_CASES: usize = 20;

/// What these endpoints say of each token; of those alone of which they say anything that can be read.
pub fn read_insights(version: Version, endpoint: &str, rows: &[Value<'_>]) -> Vec<(TokenId, Insight)> {
    let keys = version.keys();
    let read: fn(&Keys, &Value<'_>) -> Option<Insight> = match endpoint {
        endpoint::RISK => |keys, row| Some(risk(keys, row)).filter(|risk| !risk.is_empty()).map(Insight::Risk),
        endpoint::DAILY_PRICES => return past_prices(keys, Kind::Daily, rows),
        endpoint::HOURLY_PRICES => return past_prices(keys, Kind::Hourly, rows),
        endpoint::SCENARIOS => |keys, row| row.get(keys.prediction).and_then(scenarios).map(Insight::Scenarios),
        _ => return Vec::new(),
    };
    rows.iter().filter_map(|row| Some((wire::token_id(keys, row)?, read(keys, row)?))).collect()
}

/// The newest prices of each token, as many as a page holds; of rows of the same time the first counts.
fn past_prices(keys: &Keys, kind: Kind, rows: &[Value<'_>]) -> Vec<(TokenId, Insight)> {
    let mut all: BTreeMap<TokenId, BTreeMap<Timestamp, f64>> = BTreeMap::new();
    for row in rows {
        let (token, at) = (wire::token_id(keys, row), wire::data_time(keys, kind, row));
        if let (Some(token), Some(at), Some(price)) = (token, at, wire::price(row.get(keys.close))) {
            all.entry(token).or_default().entry(at).or_insert(price);
        }
    }
    let newest = |prices: BTreeMap<_, _>| prices.into_iter().rev().take(PAGE_ROWS).rev().collect();
    all.into_iter().map(|(token, prices)| (token, Insight::Prices(newest(prices)))).collect()
}

fn risk(keys: &Keys, row: &Value<'_>) -> Risk {
    let [volatility, sharpe, drawdown] = keys.risk.map(|key| row.get(key));
    Risk {
        volatility: wire::bounded(volatility, VOLATILITY),
        sharpe: wire::bounded(sharpe, SHARPE),
        max_drawdown: wire::bounded(drawdown, DRAWDOWN).map(f64::abs),
    }
}

/// The keys inside are small letters in both versions.
fn scenarios(prediction: &Value<'_>) -> Option<Scenarios> {
    let Some(Value::List(list)) = prediction.get("price_prediction") else { return None };
    let case = |item: &Value<'_>| {
        let price = |key| wire::price(item.get(key));
        Some(Scenario {
            market: wire::bounded(item.get("total_mcap_scenario"), MARKET)?,
            bear: price("predicted_price_bear")?,
            base: price("predicted_price_base")?,
            moon: price("predicted_price_moon")?,
        })
    };
    let cases: Vec<_> = list.iter().filter_map(case).take(MOST_CASES).collect();
    let day = prediction.get("predicted_date").and_then(Value::as_str).and_then(Timestamp::parse);
    let market = wire::bounded(prediction.get("total_mcap"), MARKET);
    (!cases.is_empty()).then_some(Scenarios { day, market, cases })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_row(version: Version, endpoint: &str, row: &str) -> Option<Insight> {
        read_all(version, endpoint, &format!("[{row}]"))
    }

    fn read_all(version: Version, endpoint: &str, rows: &str) -> Option<Insight> {
        let mut all = read_insights(version, endpoint, &serde_json::from_str::<Vec<Value<'_>>>(rows).unwrap());
        assert!(all.len() < 2 && all.iter().all(|(token, _)| *token == TokenId(3375)));
        all.pop().map(|(_, insight)| insight)
    }

    #[test]
    fn measures_are_read_one_by_one() {
        let row = r#"{"TOKEN_ID": 3375, "VOLATILITY": 0.52, "SHARPE": "1.94", "MAX_DRAWDOWN": -0.8331, "SORTINO": null}"#;
        let expected = Risk { volatility: Some(0.52), sharpe: Some(1.94), max_drawdown: Some(0.8331) };
        assert_eq!(read_row(Version::V2, endpoint::RISK, row), Some(Insight::Risk(expected)));
        assert_eq!(read_row(Version::V3, endpoint::RISK, &row.to_lowercase()), Some(Insight::Risk(expected)));
        let odd = r#"{"TOKEN_ID": 3375, "VOLATILITY": -1, "SHARPE": 1e300, "MAX_DRAWDOWN": "-0.5"}"#;
        let expected = Risk { max_drawdown: Some(0.5), ..Risk::default() };
        assert_eq!(read_row(Version::V2, endpoint::RISK, odd), Some(Insight::Risk(expected)));
        for nothing in [
            r#"{"TOKEN_ID": 3375}"#,
            r#"{"TOKEN_ID": 3375, "VOLATILITY": null, "SHARPE": "n/a", "MAX_DRAWDOWN": "NaN"}"#,
            r#"{"TOKEN_ID": 3375, "VOLATILITY": 1e9, "SHARPE": [1], "MAX_DRAWDOWN": -76.69}"#,
            r#"{"VOLATILITY": 0.5}"#,
            "7",
        ] {
            assert_eq!(read_row(Version::V2, endpoint::RISK, nothing), None, "{nothing}");
        }
    }

    #[test]
    fn cases_are_read_one_by_one() {
        let row = r#"{"TOKEN_ID": 3375, "DATE": "2026-11-21", "PRICE_PREDICTION": {"total_mcap": "3.1e12", "predicted_date": "2027-06-03",
            "price_prediction": [
                {"scenario": 2, "total_mcap_scenario": 2e12, "predicted_price_base": 100, "predicted_price_bear": "80", "predicted_price_moon": 120},
                {"scenario": 3, "total_mcap_scenario": 3e12, "predicted_price_base": null, "predicted_price_bear": 1, "predicted_price_moon": 1},
                {"scenario": 4, "total_mcap_scenario": -4, "predicted_price_base": 1e200, "predicted_price_bear": 1, "predicted_price_moon": 1},
                {"scenario": 6, "total_mcap_scenario": null, "predicted_price_base": 3, "predicted_price_bear": 2, "predicted_price_moon": 4},
                {"scenario": 8, "total_mcap_scenario": "8000000000000", "predicted_price_base": 3, "predicted_price_bear": 2, "predicted_price_moon": 4},
                null, 7]}}"#;
        let case = |market, bear, base, moon| Scenario { market, bear, base, moon };
        let expected = Scenarios {
            day: Timestamp::parse("2027-06-03"),
            market: Some(3.1e12),
            cases: vec![case(2e12, 80.0, 100.0, 120.0), case(8e12, 2.0, 3.0, 4.0)],
        };
        assert_eq!(read_row(Version::V2, endpoint::SCENARIOS, row), Some(Insight::Scenarios(expected.clone())));
        let v3 = row.replace("TOKEN_ID", "token_id").replace("PRICE_PREDICTION", "price_prediction");
        assert_eq!(read_row(Version::V3, endpoint::SCENARIOS, &v3), Some(Insight::Scenarios(expected)));
        for odd in ["null", "{}", r#"{"price_prediction": []}"#, r#"{"price_prediction": [7, null]}"#, r#"{"price_prediction": {}}"#] {
            let row = format!("{{\"TOKEN_ID\": 3375, \"PRICE_PREDICTION\": {odd}}}");
            assert_eq!(read_row(Version::V2, endpoint::SCENARIOS, &row), None, "{odd}");
        }
        let case = r#"{"total_mcap_scenario": 1e12, "predicted_price_base": 1, "predicted_price_bear": 1, "predicted_price_moon": 1}"#;
        let many = format!("{{\"TOKEN_ID\": 3375, \"PRICE_PREDICTION\": {{\"price_prediction\": [{}]}}}}", [case; 50].join(","));
        let Some(Insight::Scenarios(many)) = read_row(Version::V2, endpoint::SCENARIOS, &many) else { panic!("cases") };
        assert_eq!(many.cases.len(), MOST_CASES);
    }

    #[test]
    fn past_prices_come_in_order_whatever_the_source_sends() {
        let read = |version, endpoint, rows: &str| -> Vec<(String, f64)> {
            match read_all(version, endpoint, rows) {
                Some(Insight::Prices(prices)) => prices.into_iter().map(|(at, price)| (at.to_string(), price)).collect(),
                other => panic!("{other:?}"),
            }
        };
        let at = |time: &str, price| (time.to_owned(), price);
        let rows = r#"[{"TOKEN_ID": 3375, "DATE": "2026-11-20T00:00:00.000Z", "OPEN": 1, "CLOSE": "2.5"}, {"TOKEN_ID": 3375, "DATE": "2026-11-21", "CLOSE": 3},
            {"TOKEN_ID": 3375, "DATE": "2026-11-20", "CLOSE": 9}, {"TOKEN_ID": 3375, "TIMESTAMP": "2026-11-18T13:00:00Z", "CLOSE": 1e-9},
            {"TOKEN_ID": 3375, "DATE": "2026-11-19", "CLOSE": -1}, {"TOKEN_ID": 3375, "DATE": "2026-11-19", "CLOSE": "NaN"},
            {"TOKEN_ID": 3375, "DATE": "2026-11-19", "CLOSE": 1e300}, {"TOKEN_ID": 3375, "DATE": "2026-11-19", "CLOSE": null},
            {"TOKEN_ID": 3375, "DATE": "soon", "CLOSE": 4}, {"TOKEN_ID": 3375, "CLOSE": 4}, {"DATE": "2026-11-17", "CLOSE": 4}, null, 7]"#;
        let days = [at("2026-11-18T00:00:00Z", 1e-9), at("2026-11-20T00:00:00Z", 2.5), at("2026-11-21T00:00:00Z", 3.0)];
        assert_eq!(read(Version::V2, endpoint::DAILY_PRICES, rows), days);
        let v3 =
            ["TOKEN_ID", "DATE", "TIMESTAMP", "CLOSE"].iter().fold(rows.to_owned(), |rows, key| rows.replace(key, &key.to_lowercase()));
        assert_eq!(read(Version::V3, endpoint::DAILY_PRICES, &v3), days);
        let hours = r#"[{"TOKEN_ID": 3375, "TIMESTAMP": "2026-11-21T22:00:00.000Z", "CLOSE": 96849.12}, {"TOKEN_ID": "3375", "TIMESTAMP": "2026-11-21T21:59:00Z", "CLOSE": 1}]"#;
        assert_eq!(
            read(Version::V2, endpoint::HOURLY_PRICES, hours),
            [at("2026-11-21T21:00:00Z", 1.0), at("2026-11-21T22:00:00Z", 96849.12)]
        );
        assert_eq!(read_all(Version::V2, endpoint::DAILY_PRICES, r#"[{"TOKEN_ID": 3375, "DATE": "2026-11-20", "CLOSE": 0}]"#), None);
    }

    #[test]
    fn no_more_past_prices_are_taken_than_a_page_holds() {
        let begin = Timestamp::parse("2026-01-01").unwrap().day();
        let row = |day: i64| format!("{{\"TOKEN_ID\": 3375, \"DATE\": \"{}\", \"CLOSE\": {}}}", begin.plus(day), day + 1);
        let rows = format!("[{}]", (0..5_000).map(row).collect::<Vec<_>>().join(","));
        let Some(Insight::Prices(prices)) = read_all(Version::V2, endpoint::DAILY_PRICES, &rows) else { panic!("prices") };
        assert_eq!((prices.len(), prices[0].1, prices[PAGE_ROWS - 1].1), (PAGE_ROWS, 4_901.0, 5_000.0), "the newest");
    }
}
