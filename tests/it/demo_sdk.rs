//! The vendor's own Python client, as published on PyPI, before the simulated API: it gets what it would get from the real one.

use crate::support::python;
use bellwether::{
    clock::{ManualClock, SharedClock},
    demo::{Market, api},
    domain::Timestamp,
};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Fifty days and one: the client asks in three chunks of at most 29 days that share their boundary day.
const FIRST_AND_LAST: [&str; 2] = ["2026-10-02", "2026-11-21"];
const DAYS: usize = 51;
const BOUNDARY_DAYS: usize = 1;

/// Serves the market, and gives what the script printed.
async fn what_the_client_gets(python: &std::path::Path) -> Value {
    let now = Timestamp::parse("2026-11-21T18:00:00Z").unwrap();
    let clock: SharedClock = Arc::new(ManualClock::new(now));
    let (tracker, stop) = (TaskTracker::new(), CancellationToken::new());
    let address = api::start(Arc::new(Mutex::new(Market::new(7, now))), clock, &tracker, stop.clone()).await.unwrap();
    let mut script = std::process::Command::new(python);
    script.args(["-W", "ignore", "tests/it/python/sdk.py", &format!("http://{address}/v2"), "tm-test"]).args(FIRST_AND_LAST);
    script.env("NO_PROXY", "127.0.0.1");
    let said = tokio::task::spawn_blocking(move || script.output()).await.unwrap().unwrap();
    stop.cancel();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    serde_json::from_slice(&said.stdout).unwrap()
}

fn rows(got: &Value) -> &[Value] {
    got.as_array().unwrap_or_else(|| panic!("rows, not {got}"))
}

/// Keys with the kind of column that pandas makes of their JSON types.
fn columns_of(sample: &[u8]) -> BTreeMap<String, &'static str> {
    let body: Value = serde_json::from_slice(sample).unwrap();
    let kind = |value: &Value| if value.is_number() { "number" } else { "object" };
    body["data"][0].as_object().unwrap().iter().map(|(key, value)| (key.clone(), kind(value))).collect()
}

fn columns(got: &Value) -> BTreeMap<String, &'static str> {
    let kind = |name: &Value| match name.as_str().unwrap() {
        "int64" | "float64" => "number",
        _ => "object",
    };
    got.as_object().unwrap().iter().map(|(key, name)| (key.clone(), kind(name))).collect()
}

#[tokio::test]
async fn the_vendors_own_client_gets_what_it_would_get_from_the_real_api() {
    let Some(python) = tokio::task::spawn_blocking(python::with_sdk).await.unwrap() else { return };
    let got = what_the_client_gets(&python).await;

    // Every key of the recorded body, and each with its type.
    assert_eq!(columns(&got["columns"]), columns_of(include_bytes!("data/token-metrics/trading-signals.recorded-2025-04-10.json")));
    assert_eq!(columns(&got["hourly_columns"]), columns_of(include_bytes!("data/token-metrics/hourly-trading-signals.json")));
    assert_eq!(columns(&got["token_columns"]), columns_of(include_bytes!("data/token-metrics/tokens.json")));

    // Two tokens, every day, the boundary of two chunks twice; newest first within a chunk.
    let signals = rows(&got["signals"]);
    assert_eq!(signals.len(), 2 * (DAYS + BOUNDARY_DAYS));
    let day_and_token = |row: &Value| (row["DATE"].as_str().unwrap().to_owned(), row["TOKEN_ID"].as_i64().unwrap());
    let distinct: BTreeSet<_> = signals.iter().map(day_and_token).collect();
    assert_eq!(distinct.len(), 2 * DAYS);
    assert_eq!(day_and_token(&signals[0]).0, "2026-10-31T00:00:00.000Z");
    assert!(signals.iter().all(|row| ["BTC", "ETH"].contains(&row["TOKEN_SYMBOL"].as_str().unwrap())));

    // A filter is kept; where nothing fits the answer is 404, which the client turns into no rows.
    let bullish = rows(&got["bullish"]);
    assert!(!bullish.is_empty() && bullish.len() < signals.len() && bullish.iter().all(|row| row["TRADING_SIGNAL"] == 1));
    assert_eq!(got["nothing"], json!([]));

    // `limit=1000&page=0` is what it sends: the first hundred, or as many as there are.
    let tokens = rows(&got["tokens"]);
    assert!((20..=100).contains(&tokens.len()), "{}", tokens.len());
    assert!(rows(&got["ether"]).iter().all(|row| row["TOKEN_SYMBOL"] == "ETH"));
    assert_eq!(got["no_such_token"], 404);
    assert_eq!(rows(&got["hourly"]).len(), 50);

    // Candles of one token, with every key of the recorded body, each with its type.
    let candles = rows(&got["candles"]);
    assert_eq!(candles.len(), DAYS + BOUNDARY_DAYS);
    let recorded = columns_of(include_bytes!("data/token-metrics/daily-ohlcv.json"));
    assert!(candles.iter().all(|row| columns_of(json!({"data": [row]}).to_string().as_bytes()) == recorded), "{}", candles[0]);

    // Without a key: refused where the client raises errors, and no rows where it swallows them.
    assert_eq!((&got["stranger_tokens"], &got["stranger_signals"]), (&json!(401), &json!([])));
}
