//! A poll that brings nothing new: ten thousand rows, read, compared, and forgotten again. What a quiet day is made of.

use crate::{
    market::snapshot,
    table::{Table, median, millis},
};
use bellwether::{
    domain::{Kind, Snapshot, SourceId, Timestamp},
    engine::diff::diff,
    pipeline::ingest::ingest,
    sources::token_metrics::{Version, read_body, read_rows},
    store::Store,
};
use serde::de::IgnoredAny;
use serde_json::json;
use std::time::{Duration, Instant};

const ROWS: i64 = 10_000;
const PAGE: i64 = 100;
const ROUNDS: u64 = 15;

pub(crate) async fn measure(table: &mut Table) {
    let files = tempfile::tempdir().unwrap();
    let store = Store::open(&format!("sqlite://{}", files.path().join("polls.db").display())).await.unwrap();
    let at = |text| Timestamp::parse(text).unwrap();
    let (first, second) = (at("2026-11-20T10:00:00Z"), at("2026-11-20T11:00:00Z"));
    let pages: Vec<String> = (0..ROWS / PAGE).map(|page| body(page * PAGE + 1)).collect();
    ingest(&store, &read(&pages, first), first).await.unwrap();
    let known = store.token_states(SourceId::TokenMetrics, Kind::Daily).await.unwrap();
    let (mut skimmed, mut in_memory, mut loaded, mut ingested) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let now = second + Duration::from_secs(round);
        let began = Instant::now();
        for page in &pages {
            serde_json::from_str::<IgnoredAny>(page).unwrap();
        }
        skimmed.push(began.elapsed());
        let began = Instant::now();
        assert!(diff(&known.states, &read(&pages, second), now).changes.is_empty());
        in_memory.push(began.elapsed());
        let began = Instant::now();
        let states = store.token_states(SourceId::TokenMetrics, Kind::Daily).await.unwrap().states;
        assert!(diff(&states, &read(&pages, second), now).changes.is_empty());
        loaded.push(began.elapsed());
        let began = Instant::now();
        assert!(ingest(&store, &read(&pages, second), now).await.unwrap().changes.is_empty());
        ingested.push(began.elapsed());
    }
    let (skimmed, in_memory, loaded) = (median(&skimmed), median(&in_memory), median(&loaded));
    table.reach("10,000 unchanged rows, parse and diff", "under 20 ms", millis(in_memory), in_memory < Duration::from_millis(20));
    table.reach("the same, state loaded from SQLite", "under 60 ms", millis(loaded), loaded < Duration::from_millis(60));
    let ratio = in_memory.as_secs_f64() / skimmed.as_secs_f64();
    table.tell("parse and diff, of what serde_json takes to skip through the same answers", format!("{ratio:.1} times"));
    table.tell("the same, and committed that they were seen", millis(median(&ingested)));
}

/// A page as the API answers it.
fn body(first: i64) -> String {
    let row = |id| {
        json!({
            "TOKEN_ID": id, "TOKEN_NAME": format!("Token {id}"), "TOKEN_SYMBOL": format!("T{id}"), "DATE": "2026-11-20T00:00:00.000Z",
            "TRADING_SIGNAL": 1, "TOKEN_TREND": 1, "TRADING_SIGNALS_RETURNS": 45098.7035, "HOLDING_RETURNS": 7559.6422,
            "tm_link": format!("token-{id}"), "TM_TRADER_GRADE": 26.48, "TM_INVESTOR_GRADE": 58.23,
            "TM_LINK": "https://app.tokenmetrics.com/undefined",
        })
    };
    let rows: Vec<_> = (first..first + PAGE).map(row).collect();
    json!({ "success": true, "message": "Data fetched successfully", "length": PAGE, "data": rows }).to_string()
}

fn read(pages: &[String], started_at: Timestamp) -> Snapshot {
    let mut observations = Vec::with_capacity(pages.len() * 100);
    for page in pages {
        let (rows, aside) = read_rows(Version::V2, Kind::Daily, &read_body(page.as_bytes()).unwrap().rows);
        assert!(aside.is_empty());
        observations.extend(rows);
    }
    Snapshot { asked: observations.iter().map(|row| row.token).collect(), observations, ..snapshot(std::iter::empty(), 0.0, started_at) }
}
