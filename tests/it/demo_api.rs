//! The simulated API over HTTP: it answers as the real one does.

use bellwether::{
    clock::{Clock, ManualClock, SharedClock},
    demo::{
        Market, api,
        market::{Hiccup, STEP},
    },
    domain::Timestamp,
    http,
};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The keys of the recorded and declared bodies with their JSON types.
const TRADING_SIGNALS: &[(&str, &str)] = &[
    ("DATE", "string"),
    ("HOLDING_RETURNS", "number"),
    ("TM_INVESTOR_GRADE", "number"),
    ("TM_LINK", "string"),
    ("TM_TRADER_GRADE", "number"),
    ("TOKEN_ID", "number"),
    ("TOKEN_NAME", "string"),
    ("TOKEN_SYMBOL", "string"),
    ("TOKEN_TREND", "number"),
    ("TRADING_SIGNAL", "number"),
    ("TRADING_SIGNALS_RETURNS", "number"),
    ("tm_link", "string"),
];
const HOURLY_TRADING_SIGNALS: &[(&str, &str)] = &[
    ("CLOSE", "number"),
    ("POSITION", "string"),
    ("SIGNAL", "string"),
    ("TIMESTAMP", "string"),
    ("TOKEN_ID", "number"),
    ("TOKEN_NAME", "string"),
    ("TOKEN_SYMBOL", "string"),
];
const QUANTMETRICS: &[(&str, &str)] = &[
    ("ALL_TIME_RETURN", "number"),
    ("CAGR", "other"),
    ("DAILY_RETURN_AVG", "number"),
    ("DAILY_RETURN_STD", "number"),
    ("DAILY_VALUE_AT_RISK", "number"),
    ("DATE", "string"),
    ("KURTOSIS", "number"),
    ("MAX_DRAWDOWN", "number"),
    ("PROFIT_FACTOR", "number"),
    ("RISK_REWARD_RATIO", "number"),
    ("SHARPE", "number"),
    ("SKEW", "number"),
    ("SORTINO", "number"),
    ("TAIL_RATIO", "number"),
    ("TOKEN_ID", "number"),
    ("TOKEN_NAME", "string"),
    ("TOKEN_SYMBOL", "string"),
    ("VOLATILITY", "number"),
];
const PRICE_PREDICTION: &[(&str, &str)] =
    &[("DATE", "string"), ("PRICE_PREDICTION", "other"), ("TOKEN_ID", "number"), ("TOKEN_NAME", "string"), ("TOKEN_SYMBOL", "string")];
const DAILY_OHLCV: &[(&str, &str)] = &[
    ("CLOSE", "number"),
    ("DATE", "string"),
    ("HIGH", "number"),
    ("LOW", "number"),
    ("OPEN", "number"),
    ("TOKEN_ID", "number"),
    ("TOKEN_NAME", "string"),
    ("TOKEN_SYMBOL", "string"),
    ("VOLUME", "number"),
];
const HOURLY_OHLCV: &[(&str, &str)] = &[
    ("CLOSE", "number"),
    ("HIGH", "number"),
    ("LOW", "number"),
    ("OPEN", "number"),
    ("TIMESTAMP", "string"),
    ("TOKEN_ID", "number"),
    ("TOKEN_NAME", "string"),
    ("TOKEN_SYMBOL", "string"),
    ("VOLUME", "number"),
];
const TOKENS: &[(&str, &str)] = &[
    ("CATEGORY_LIST", "array"),
    ("EXCHANGE_LIST", "array"),
    ("TM_LINK", "string"),
    ("TOKEN_ID", "number"),
    ("TOKEN_NAME", "string"),
    ("TOKEN_SYMBOL", "string"),
];

struct Simulation {
    base: String,
    clock: Arc<ManualClock>,
    client: reqwest::Client,
    tracker: TaskTracker,
    stop: CancellationToken,
}

fn start_of_market() -> Timestamp {
    Timestamp::parse("2026-11-21T18:00:00Z").unwrap()
}

async fn simulate(market: Market) -> Simulation {
    let clock = Arc::new(ManualClock::new(start_of_market()));
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    let shared: SharedClock = clock.clone();
    let address = api::start(Arc::new(Mutex::new(market)), shared, &tracker, stop.clone()).await.unwrap();
    Simulation { base: format!("http://{address}/v2"), clock, client: http::client(Duration::from_secs(5)), tracker, stop }
}

impl Simulation {
    async fn of_seed(seed: u64) -> Self {
        simulate(Market::new(seed, start_of_market())).await
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.get_with(path, &[("x-api-key", "tm-test")]).await
    }

    async fn get_with(&self, path: &str, headers: &[(&str, &str)]) -> (u16, Value) {
        let request = self.client.get(format!("{}/{path}", self.base));
        let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
        let response = request.send().await.unwrap();
        let status = response.status().as_u16();
        (status, serde_json::from_slice(&http::read_body(response).await.unwrap()).unwrap())
    }

    async fn rows(&self, path: &str) -> Vec<Value> {
        let (status, body) = self.get(path).await;
        assert_eq!(
            (status, &body["success"], &body["message"]),
            (200, &json!(true), &json!("Data fetched successfully")),
            "{path}: {body}"
        );
        let rows = body["data"].as_array().unwrap().clone();
        assert_eq!(body["length"], json!(rows.len()));
        assert_eq!(body.as_object().unwrap().len(), 4);
        rows
    }
}

fn shape(row: &Value) -> Vec<(&str, &str)> {
    let kind = |value: &Value| match value {
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        _ => "other",
    };
    let mut shape: Vec<_> = row.as_object().unwrap().iter().map(|(key, value)| (key.as_str(), kind(value))).collect();
    shape.sort_unstable();
    shape
}

fn column(rows: &[Value], key: &str) -> Vec<String> {
    rows.iter().map(|row| row[key].as_str().map_or_else(|| row[key].to_string(), str::to_owned)).collect()
}

#[tokio::test]
async fn rows_have_the_keys_and_types_of_the_real_api() {
    let api = Simulation::of_seed(1).await;
    for (path, expected) in [
        ("quantmetrics?token_id=3375,3988", QUANTMETRICS),
        ("price-prediction?token_id=3375,3988", PRICE_PREDICTION),
        ("trading-signals?token_id=3375", TRADING_SIGNALS),
        ("hourly-trading-signals?token_id=3375", HOURLY_TRADING_SIGNALS),
        ("daily-ohlcv?token_id=3375", DAILY_OHLCV),
        ("hourly-ohlcv?token_id=3375", HOURLY_OHLCV),
        ("tokens", TOKENS),
        ("top-market-cap-tokens?top_k=10", TOKENS),
    ] {
        for row in api.rows(path).await {
            assert_eq!(shape(&row), expected, "{path}");
        }
    }
    let row = api.rows("trading-signals?token_id=3375&limit=1").await.remove(0);
    assert_eq!((&row["tm_link"], &row["TM_LINK"]), (&json!("bitcoin"), &json!("https://app.tokenmetrics.com/undefined")));
    assert_eq!(row["DATE"], "2026-11-21T00:00:00.000Z");
    let row = api.rows("hourly-trading-signals?token_id=3375&limit=1").await.remove(0);
    assert_eq!(row["TIMESTAMP"], "2026-11-21T17:00:00.000Z");
    let row = api.rows("tokens?token_id=3375").await.remove(0);
    assert_eq!(row["TM_LINK"], "https://app.tokenmetrics.com/en/bitcoin");
    assert_eq!(row["EXCHANGE_LIST"][0], json!({"exchange_id": "binance", "exchange_name": "Binance"}));
    assert_eq!(row["CATEGORY_LIST"][0], json!({"category_id": 12, "category_slug": "layer-1", "category_name": "Layer 1 (L1)"}));
}

#[tokio::test]
async fn measures_and_scenarios_are_those_of_the_simulated_prices() {
    let api = Simulation::of_seed(1).await;
    let unranked = bellwether::demo::Market::new(1, start_of_market()).listings().find(|listing| listing.rank.is_none()).unwrap().id;
    for endpoint in ["quantmetrics", "price-prediction"] {
        assert_eq!(api.get(&format!("{endpoint}?token_id={unranked}")).await.0, 404, "what no market cap ranks has neither");
        assert_eq!(api.get_with(&format!("{endpoint}?token_id=3375"), &[]).await.0, 401);
        assert_eq!(api.get(&format!("{endpoint}?token_id=BTC")).await.0, 400);
    }
    let row = api.rows("quantmetrics?token_id=3375").await.remove(0);
    let measure = |key: &str| row[key].as_f64().unwrap();
    assert!((0.05..5.0).contains(&measure("VOLATILITY")) && (-0.999..0.0).contains(&measure("MAX_DRAWDOWN")), "{row}");
    let row = api.rows("price-prediction?token_id=3375").await.remove(0);
    let price = api.rows("price?token_id=3375").await[0]["CURRENT_PRICE"].as_f64().unwrap();
    let prediction = &row["PRICE_PREDICTION"];
    assert_eq!((prediction["current_price"].as_f64(), &prediction["predicted_date"]), (Some(price), &json!("2028-11-20")));
    let case = &prediction["price_prediction"][1];
    assert_eq!((case["scenario"].as_f64(), case["total_mcap_scenario"].as_f64()), (Some(2.0), Some(6.8e12)));
    let [bear, base, moon] = ["bear", "base", "moon"].map(|case_of| case[format!("predicted_price_{case_of}")].as_f64().unwrap());
    assert!(bear < price && price < base && base < moon, "{case}");
}

#[tokio::test]
async fn past_prices_are_those_of_the_hourly_calls() {
    let api = Simulation::of_seed(1).await;
    let closes = api.rows("hourly-trading-signals?token_id=3375&limit=100").await;
    let hours = api.rows("hourly-ohlcv?token_id=3375&limit=100&page=1").await;
    assert_eq!(
        (hours.len(), column(&hours, "CLOSE"), column(&hours, "TIMESTAMP")),
        (100, column(&closes, "CLOSE"), column(&closes, "TIMESTAMP"))
    );
    let days = api.rows("daily-ohlcv?token_name=Bitcoin&limit=100&page=1").await;
    assert_eq!((column(&days, "DATE")[0].as_str(), days[0]["CLOSE"].as_f64()), ("2026-11-21T00:00:00.000Z", hours[0]["CLOSE"].as_f64()));
    let last_of_a_day = hours.iter().find(|row| row["TIMESTAMP"] == "2026-11-20T23:00:00.000Z").unwrap();
    assert_eq!((&days[1]["DATE"], &days[1]["CLOSE"]), (&json!("2026-11-20T00:00:00.000Z"), &last_of_a_day["CLOSE"]));
    for rows in [&days, &hours] {
        let number = |row: &Value, key: &str| row[key].as_f64().unwrap();
        assert!(
            rows.len() > 50 && rows.windows(2).all(|pair| pair[0]["OPEN"] == pair[1]["CLOSE"]),
            "the newest first, each from where the last ended"
        );
        for row in rows {
            let ends = [number(row, "OPEN"), number(row, "CLOSE")];
            assert!(ends.iter().all(|price| (number(row, "LOW")..=number(row, "HIGH")).contains(price)), "{row}");
        }
    }
    let asked = api.rows("daily-ohlcv?token_id=3375&startDate=2026-11-18&endDate=2026-11-19").await;
    assert_eq!(column(&asked, "DATE"), ["2026-11-19T00:00:00.000Z", "2026-11-18T00:00:00.000Z"]);
    for endpoint in ["daily-ohlcv", "hourly-ohlcv"] {
        assert_eq!(api.get(&format!("{endpoint}?token_id=1")).await.0, 404);
        assert_eq!(api.get(&format!("{endpoint}?token_id=BTC")).await.0, 400);
        assert_eq!(api.get(&format!("{endpoint}?token_id=3375&page=90")).await.0, 404);
        assert_eq!(api.get_with(&format!("{endpoint}?token_id=3375"), &[]).await.0, 401);
    }
}

#[tokio::test]
async fn a_key_is_needed_in_either_header() {
    let api = Simulation::of_seed(1).await;
    let refused = (401, json!({"success": false, "message": "Invalid API key"}));
    assert_eq!(api.get_with("tokens", &[]).await, refused);
    assert_eq!(api.get_with("tokens", &[("x-api-key", "")]).await, refused);
    assert_eq!(api.get_with("tokens", &[("authorization", "Bearer tm-test")]).await, refused);
    assert_eq!(api.get_with("tokens", &[("api_key", "tm-test")]).await.0, 200);
}

#[tokio::test]
async fn dates_are_inclusive_and_the_newest_comes_first() {
    let api = Simulation::of_seed(1).await;
    let rows = api.rows("trading-signals?token_id=3375,3306&startDate=2026-11-19&endDate=2026-11-20").await;
    let newest_first = ["2026-11-20", "2026-11-20", "2026-11-19", "2026-11-19"].map(|day| format!("{day}T00:00:00.000Z"));
    assert_eq!(column(&rows, "DATE"), newest_first);
    assert_eq!(column(&rows, "TOKEN_ID"), ["3375", "3306", "3375", "3306"]);
    let not_found = (404, json!({"success": false, "message": "Data not found", "length": 0, "data": []}));
    assert_eq!(api.get("trading-signals?token_id=3375&startDate=2027-01-01").await, not_found);
    assert_eq!(api.get("trading-signals?token_id=1").await, not_found);
    assert_eq!(api.get("hourly-trading-signals?token_id=1").await, not_found);
    assert_eq!(api.get("tokens?symbol=NOPE").await, not_found);
}

#[tokio::test]
async fn pages_follow_one_another_and_sizes_are_clamped() {
    let api = Simulation::of_seed(1).await;
    let all = api.rows("trading-signals?token_id=3375&limit=20").await;
    let mut paged = api.rows("trading-signals?token_id=3375&limit=10&page=1").await;
    paged.extend(api.rows("trading-signals?token_id=3375&limit=10&page=2").await);
    assert_eq!(paged, all);
    assert_eq!(api.rows("trading-signals?limit=1000&page=0").await.len(), 100);
    assert_eq!(api.rows("trading-signals").await.len(), 50);
    assert_eq!(api.rows("hourly-trading-signals?token_id=3375,3306&limit=7").await.len(), 7);
    assert_eq!(api.rows("top-market-cap-tokens?top_k=3").await.len(), 3);
    assert_eq!(api.rows("top-market-cap-tokens?top_k=20&page=2").await.len(), 4);
    assert_eq!(api.get("trading-signals?token_id=3375&page=50").await.0, 404);
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_and_what_is_unknown_is_ignored() {
    let api = Simulation::of_seed(1).await;
    for query in ["token_id=BTC", "startDate=21.11.2026", "limit=many", "signal=2", "startDate=2026-10-01&endDate=2026-11-01"] {
        let path = format!("trading-signals?{query}");
        assert_eq!(api.get(&path).await, (400, json!({"success": false, "message": "Invalid parameters"})), "{query}");
    }
    assert_eq!(api.get("hourly-trading-signals").await.0, 400);
    assert_eq!(api.get("trading-signals?start_date=nonsense").await.0, 200);
    assert_eq!(api.get("no-such-endpoint").await.0, 404);
}

#[tokio::test]
async fn symbols_are_not_unique_and_signals_can_be_asked_for() {
    let api = Simulation::of_seed(1).await;
    assert_eq!(column(&api.rows("tokens?symbol=btc").await, "TOKEN_NAME"), ["Bitcoin", "Osmosis allBTC"]);
    assert_eq!(column(&api.rows("tokens?token_name=Bitcoin,Solana").await, "TOKEN_ID"), ["3375", "3988"]);
    let ranked = column(&api.rows("top-market-cap-tokens?top_k=100").await, "TOKEN_NAME");
    assert_eq!((ranked.len(), ranked[0].as_str(), ranked.contains(&"Osmosis allBTC".to_owned())), (24, "Bitcoin", false));
    let turned = column(&api.rows("trading-signals?signal=-1").await, "TRADING_SIGNAL");
    assert!(turned.iter().all(|signal| signal == "-1"));
}

/// What each of `polls` polls an hour shows of every token.
async fn calls(seed: u64, polls: u32) -> Vec<BTreeMap<String, String>> {
    let api = Simulation::of_seed(seed).await;
    let mut calls = Vec::new();
    for _ in 0..polls {
        let mut newest = BTreeMap::new();
        for row in api.rows("trading-signals?startDate=2026-11-20&limit=100").await {
            let token = row["TOKEN_ID"].to_string();
            newest.entry(token).or_insert_with(|| row["TOKEN_TREND"].to_string());
        }
        calls.push(newest);
        api.clock.advance(STEP);
    }
    calls
}

#[tokio::test]
async fn the_same_seed_shows_the_same_market_and_another_seed_another() {
    let first = calls(7, 20).await;
    assert_eq!(calls(7, 20).await, first);
    assert_ne!(calls(8, 20).await, first);
    let flips: Vec<_> =
        first.windows(2).map(|polls| polls[0].iter().filter(|(token, trend)| polls[1][*token] != **trend).count()).collect();
    assert!((8..=20).contains(&flips.iter().sum::<usize>()), "{flips:?}");
    assert!(flips.iter().any(|flips| *flips >= 4), "{flips:?}: a summary is due");
}

#[tokio::test]
async fn a_hiccup_passes() {
    let at = start_of_market() + STEP;
    let market = Market::new(1, start_of_market()).with_hiccup(at, Hiccup::ServerError).with_hiccup(at, Hiccup::TooManyRequests);
    let api = simulate(market).await;
    assert_eq!(api.get("tokens").await.0, 200);
    api.clock.set(at);
    assert_eq!(api.get("tokens").await, (500, json!({"success": false, "message": "Internal server error"})));
    assert_eq!(api.get("tokens").await, (429, json!({"success": false, "message": "Rate limit exceeded"})));
    assert_eq!(api.get("tokens").await.0, 200);
    assert_eq!(api.clock.now(), at);
}

#[tokio::test]
async fn it_stops_when_told_to() {
    let api = Simulation::of_seed(1).await;
    assert_eq!(api.get("tokens").await.0, 200);
    api.stop.cancel();
    api.tracker.close();
    tokio::time::timeout(Duration::from_secs(5), api.tracker.wait()).await.unwrap();
    assert!(api.client.get(format!("{}/tokens", api.base)).send().await.is_err());
}
