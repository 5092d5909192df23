//! The rows of the fake, with the keys, types and quirks of the real ones.

use super::{Inner, TokenRow};
use bellwether::domain::Timestamp;
use serde_json::{Value, json};

pub(super) fn token_of(inner: &Inner, id: i64) -> TokenRow {
    let known = inner.tokens.iter().chain(&inner.unranked).find(|row| row.id == id).cloned();
    known.unwrap_or_else(|| TokenRow { id, symbol: format!("T{id}"), name: format!("Token {id}") })
}

fn iso(at: Timestamp) -> String {
    at.to_utc().format("%Y-%m-%dT%H:%M:%S.000Z").to_string()
}

pub(super) fn daily(inner: &Inner, id: i64, date: Timestamp, signal: i64, trend: i64) -> Value {
    let token = token_of(inner, id);
    json!({
        "TOKEN_ID": id, "TOKEN_NAME": token.name, "TOKEN_SYMBOL": token.symbol, "DATE": iso(date),
        "TRADING_SIGNAL": signal, "TOKEN_TREND": trend, "TRADING_SIGNALS_RETURNS": 45098.7035, "HOLDING_RETURNS": 7559.6422,
        "tm_link": token.name.to_lowercase().replace(' ', "-"), "TM_TRADER_GRADE": 26.48, "TM_INVESTOR_GRADE": 58.23,
        "TM_LINK": "https://app.tokenmetrics.com/undefined",
    })
}

pub(super) fn hourly(inner: &Inner, id: i64, hour: Timestamp, signal: i64, position: i64) -> Value {
    let token = token_of(inner, id);
    json!({
        "TIMESTAMP": iso(hour), "TOKEN_ID": id, "TOKEN_NAME": token.name, "TOKEN_SYMBOL": token.symbol,
        "CLOSE": 96849.12, "SIGNAL": signal.to_string(), "POSITION": position.to_string(),
    })
}

pub(super) fn graded(inner: &Inner, id: i64, label: &str, grade: &str) -> Value {
    let token = token_of(inner, id);
    json!({
        "TOKEN_ID": id, "TOKEN_NAME": token.name, "TOKEN_SYMBOL": token.symbol, "TM_GRADE": grade, "TM_GRADE_24h_PCT_CHANGE": "1.52",
        "TM_TRADER_GRADE_24H_CHANGE": "0.84", "QUANT_GRADE": "61.20", "TM_GRADE_SIGNAL": label, "MOMENTUM": "Holding Steady",
    })
}

pub(super) fn fundamental(
    inner: &Inner,
    id: i64,
    class: &str,
    grade: &str,
    [community, tokenomics, exchanges, investors, defi]: [Option<f64>; 5],
) -> Value {
    let token = token_of(inner, id);
    json!({
        "TOKEN_ID": id, "TOKEN_NAME": token.name, "TOKEN_SYMBOL": token.symbol, "FUNDAMENTAL_GRADE": grade, "FUNDAMENTAL_GRADE_CLASS": class,
        "COMMUNITY_SCORE": community, "EXCHANGE_SCORE": exchanges, "VC_SCORE": investors, "TOKENOMICS_SCORE": tokenomics,
        "DEFI_SCANNER_SCORE": defi,
    })
}

pub(super) fn priced(inner: &Inner, id: i64, price: f64) -> Value {
    let token = token_of(inner, id);
    json!({"TOKEN_ID": id, "TOKEN_NAME": token.name, "TOKEN_SYMBOL": token.symbol, "CURRENT_PRICE": price})
}

pub(super) fn traded(inner: &Inner, endpoint: &str, id: i64, at: Timestamp, close: f64) -> Value {
    let token = token_of(inner, id);
    let key = if endpoint == "daily-ohlcv" { "DATE" } else { "TIMESTAMP" };
    json!({
        "TOKEN_ID": id, "TOKEN_NAME": token.name, "TOKEN_SYMBOL": token.symbol, key: iso(at),
        "OPEN": close * 0.99, "HIGH": close * 1.02, "LOW": close * 0.98, "CLOSE": close, "VOLUME": 138_849_600,
    })
}

pub(super) fn leveled(inner: &Inner, id: i64, levels: &[(String, f64)]) -> Value {
    let token = token_of(inner, id);
    let levels: Vec<_> = levels.iter().map(|(date, at)| json!({"date": date, "level": at})).collect();
    json!({
        "TOKEN_ID": id, "TOKEN_NAME": token.name, "TOKEN_SYMBOL": token.symbol, "DATE": "2026-11-21T00:00:00.000Z",
        "HISTORICAL_RESISTANCE_SUPPORT_LEVELS": levels,
    })
}

pub(super) fn measured(inner: &Inner, id: i64, [volatility, sharpe, drawdown]: [Option<f64>; 3]) -> Value {
    let token = token_of(inner, id);
    json!({
        "TOKEN_ID": id, "TOKEN_NAME": token.name, "TOKEN_SYMBOL": token.symbol, "DATE": "2026-11-21T00:00:00.000Z",
        "VOLATILITY": volatility, "ALL_TIME_RETURN": 25.1843, "CAGR": 0.5129, "SHARPE": sharpe, "SORTINO": 1.4217,
        "MAX_DRAWDOWN": drawdown, "SKEW": -0.0542, "TAIL_RATIO": 1.1137, "RISK_REWARD_RATIO": 1.6204, "PROFIT_FACTOR": 1.1528,
        "KURTOSIS": 9.8814, "DAILY_VALUE_AT_RISK": -0.0561, "DAILY_RETURN_AVG": 0.0018, "DAILY_RETURN_STD": 0.0351,
    })
}

pub(super) fn predicted(inner: &Inner, id: i64, market: f64, cases: &[[f64; 4]]) -> Value {
    let token = token_of(inner, id);
    let case = |[total, bear, base, moon]: &[f64; 4]| {
        json!({
            "scenario": total / market, "total_mcap_scenario": total, "predicted_price_bear": bear, "predicted_price_base": base,
            "predicted_price_moon": moon, "predicted_roi_bear": -0.2, "predicted_roi_base": 0.25, "predicted_roi_moon": 0.7,
        })
    };
    json!({
        "TOKEN_ID": id, "TOKEN_NAME": token.name, "TOKEN_SYMBOL": token.symbol, "DATE": "2026-11-21T00:00:00.000Z",
        "PRICE_PREDICTION": {
            "token_mcap": 85_000_000_000_i64, "total_mcap": market, "category_name": "Layer 1 (L1)", "current_price": 148,
            "predicted_date": "2028-11-21", "similar_tokens_info": null, "avg_past_performance": null, "self_past_performance": 1.2417,
            "price_prediction": cases.iter().map(case).collect::<Vec<_>>(),
        },
    })
}

pub(super) fn listed(token: &TokenRow) -> Value {
    // XRP is in none.
    let categories = match token.id {
        3375 | 3306 | 3988 => json!([
            {"category_id": 12, "category_slug": "layer-1", "category_name": "Layer 1 (L1)"},
            {"category_id": 40, "category_slug": "pow", "category_name": "Proof of Work (PoW)"},
        ]),
        _ => json!([]),
    };
    json!({
        "TOKEN_ID": token.id, "TOKEN_NAME": token.name, "TOKEN_SYMBOL": token.symbol,
        "EXCHANGE_LIST": [{"exchange_id": "binance", "exchange_name": "Binance"}], "CATEGORY_LIST": categories,
        "TM_LINK": format!("https://app.tokenmetrics.com/en/{}", token.name.to_lowercase().replace(' ', "-")),
    })
}

/// A row as version 3 writes it: small letters, `slug` and `app_link` for the links, and other grades beside a daily call.
pub(super) fn in_v3(row: Value) -> Value {
    let Value::Object(row) = row else { return row };
    let is_daily = row.contains_key("TOKEN_TREND");
    let slug = row["TOKEN_NAME"].as_str().unwrap().to_lowercase().replace(' ', "-");
    let is_kept = |key: &str| !key.eq_ignore_ascii_case("tm_link") && key != "TM_TRADER_GRADE" && key != "TM_INVESTOR_GRADE";
    let mut out: serde_json::Map<_, _> =
        row.into_iter().filter(|(key, _)| is_kept(key)).map(|(key, value)| (key.to_lowercase(), value)).collect();
    out.insert("app_link".to_owned(), json!(format!("https://app.tokenmetrics.com/en/{slug}")));
    out.insert("slug".to_owned(), json!(slug));
    if is_daily {
        out.insert("tm_grade".to_owned(), json!(26.48));
        out.insert("fundamental_grade".to_owned(), json!(94.12));
    }
    Value::Object(out)
}
