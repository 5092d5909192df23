//! Windows, batches and pages, as tables.

use super::*;
use crate::sources::token_metrics::{Version, wire};
use serde_json::{Value, json};

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn ask(kind: Kind, now: &str, tokens: impl IntoIterator<Item = (i64, Option<&'static str>)>) -> Ask {
    Ask { kind, tokens: tokens.into_iter().map(|(id, stored)| (TokenId(id), stored.map(at))).collect(), now: at(now) }
}

fn value(call: &Call, name: &str) -> String {
    call.query.iter().find(|(key, _)| *key == name).map(|(_, value)| value.clone()).unwrap_or_default()
}

fn day_rows(tokens: impl IntoIterator<Item = i64>, days: &[&str]) -> Vec<Value> {
    let row = |id, day: &&str| json!({"TOKEN_ID": id, "DATE": day, "TRADING_SIGNAL": 0, "TOKEN_TREND": 1});
    tokens.into_iter().flat_map(|id| days.iter().map(move |day| row(id, day))).collect()
}

fn page(rows: Vec<Value>) -> Option<Page> {
    let kind = if rows.iter().any(|row| row.get("TIMESTAMP").is_some()) { Kind::Hourly } else { Kind::Daily };
    let (count, body) = (rows.len(), json!({"success": true, "data": Value::Array(rows)}).to_string());
    let (observations, set_aside) = wire::read_rows(Version::V2, kind, &wire::read_body(body.as_bytes()).unwrap().rows);
    Some(Page { rows: count, observations, set_aside, ..Page::default() })
}

/// Every call of a poll whose answers are empty.
fn calls(mut collector: impl Collector) -> Vec<Call> {
    let mut calls = Vec::new();
    while let Some(call) = collector.next_call() {
        calls.push(call);
        collector.accept(page(Vec::new()));
    }
    calls
}

#[test]
fn the_window_begins_at_the_stored_day() {
    let today = "2026-11-22T09:30:00Z";
    let table = [
        (None, "2026-11-16"),
        (Some("2026-11-22"), "2026-11-22"),
        (Some("2026-11-21"), "2026-11-21"),
        (Some("2026-11-01"), "2026-11-01"),
        (Some("2026-10-25"), "2026-10-25"),
        (Some("2026-10-24"), "2026-10-25"),
        (Some("2020-01-01"), "2026-10-25"),
        (Some("2026-11-23"), "2026-11-22"),
    ];
    for (stored, from) in table {
        let calls = calls(Daily::new(&ask(Kind::Daily, today, [(7, stored)])));
        assert_eq!(calls.len(), 1);
        let expected = vec![
            ("token_id", "7".to_owned()),
            ("startDate", from.to_owned()),
            ("endDate", "2026-11-22".to_owned()),
            ("limit", "100".to_owned()),
            ("page", "1".to_owned()),
        ];
        assert_eq!((calls[0].endpoint, &calls[0].query), ("trading-signals", &expected), "{stored:?}");
    }
}

#[test]
fn tokens_are_batched_by_stored_day_and_a_laggard_widens_nobody() {
    let fresh = (1..=120).map(|id| (id, Some("2026-11-22")));
    let laggards = [(500, Some("2026-11-03")), (501, None)];
    let calls = calls(Daily::new(&ask(Kind::Daily, "2026-11-22T09:30:00Z", fresh.chain(laggards))));
    let shape: Vec<_> = calls.iter().map(|call| (value(call, "startDate"), value(call, "token_id").split(',').count())).collect();
    let expected = [("2026-11-03", 1), ("2026-11-16", 1), ("2026-11-22", 100), ("2026-11-22", 20)];
    assert_eq!(shape, expected.map(|(day, count)| (day.to_owned(), count)));
}

#[test]
fn a_batch_holds_what_one_page_can() {
    for (stored, size) in [("2026-11-22", 100), ("2026-11-21", 50), ("2026-11-20", 33), ("2026-11-16", 14), ("2026-10-25", 3)] {
        let calls = calls(Daily::new(&ask(Kind::Daily, "2026-11-22T00:00:00Z", (1..=100).map(|id| (id, Some(stored))))));
        assert_eq!(value(&calls[0], "token_id").split(',').count(), size, "{stored}");
        assert_eq!(calls.len(), 100_usize.div_ceil(size), "{stored}");
    }
}

#[test]
fn a_full_page_is_followed_by_the_next_unless_nothing_can_follow() {
    let days = ["2026-11-21", "2026-11-22"];
    let mut whole = Daily::new(&ask(Kind::Daily, "2026-11-22T09:30:00Z", (1..=50).map(|id| (id, Some("2026-11-21")))));
    assert_eq!(whole.planned_calls(), 1);
    whole.next_call().unwrap();
    whole.accept(page(day_rows(1..=50, &days)));
    assert_eq!(whole.next_call(), None, "every token has every day");

    let mut full = Daily::new(&ask(Kind::Daily, "2026-11-22T09:30:00Z", (1..=50).map(|id| (id, Some("2026-11-21")))));
    full.next_call().unwrap();
    let mut rows = day_rows(1..=45, &days);
    rows.extend(day_rows(900..905, &days));
    full.accept(page(rows));
    let next = full.next_call().unwrap();
    assert_eq!(value(&next, "page"), "2");
    full.accept(page(day_rows(46..=50, &days)));
    assert_eq!(full.next_call(), None);
    let snapshot = Box::new(full).finish();
    assert!(snapshot.complete);
    assert_eq!((snapshot.observations.len(), snapshot.set_aside.len(), snapshot.asked.len()), (100, 10, 50));
    assert!(snapshot.set_aside.iter().all(|row| row.reason == SetAsideReason::NotAsked));
}

#[test]
fn an_api_that_does_not_page_is_not_asked_for_ever() {
    let mut daily = Daily::new(&ask(Kind::Daily, "2026-11-22T09:30:00Z", (1..=100).map(|id| (id, Some("2026-11-22")))));
    let same = || page([day_rows(1..=50, &["2026-11-22"]), day_rows(1..=50, &["2026-11-22"])].concat());
    let mut asked = 0;
    while daily.next_call().is_some() {
        asked += 1;
        daily.accept(same());
    }
    assert_eq!(asked, 2);
}

#[test]
fn a_failed_page_makes_the_snapshot_partial_and_the_other_batches_go_on() {
    let mut daily = Daily::new(&ask(Kind::Daily, "2026-11-22T09:30:00Z", (1..=120).map(|id| (id, Some("2026-11-22")))));
    daily.next_call().unwrap();
    daily.accept(None);
    assert_eq!(value(&daily.next_call().unwrap(), "token_id").split(',').count(), 20);
    daily.accept(page(day_rows(101..=120, &["2026-11-22"])));
    assert_eq!(daily.next_call(), None);
    let snapshot = Box::new(daily).finish();
    assert!(!snapshot.complete);
    assert_eq!((snapshot.observations.len(), snapshot.asked.len()), (20, 120));
}

#[test]
fn a_poll_that_is_broken_off_is_partial() {
    let mut daily = Daily::new(&ask(Kind::Daily, "2026-11-22T09:30:00Z", [(1, None)]));
    daily.next_call().unwrap();
    assert!(!Box::new(daily).finish().complete);
}

/// Rows of one token, newest first, `count` hours back from `newest` (an hour of 21 and 22 November).
fn hour_rows(token: i64, newest: i64, count: i64) -> Vec<Value> {
    let hour = |hour: i64| (at("2026-11-21") + std::time::Duration::from_secs(u64::try_from(hour).unwrap() * 3600)).to_string();
    (0..count).map(|back| json!({"TOKEN_ID": token, "TIMESTAMP": hour(newest - back), "SIGNAL": "0", "POSITION": "1"})).collect()
}

#[test]
fn hourly_rows_must_reach_back_to_the_stored_one() {
    let stored = Some("2026-11-21T20:00:00Z");
    let mut hourly = Hourly::new(&ask(Kind::Hourly, "2026-11-22T09:30:00Z", [(7, stored)]));
    let call = hourly.next_call().unwrap();
    let expected = vec![("token_id", "7".to_owned()), ("limit", "100".to_owned()), ("page", "1".to_owned())];
    assert_eq!((call.endpoint, call.query), ("hourly-trading-signals", expected));
    hourly.accept(page(hour_rows(7, 33, 14)));
    assert_eq!(hourly.next_call(), None);
    assert!(Box::new(hourly).finish().gaps.is_empty());
}

#[test]
fn up_to_three_more_pages_are_read_and_then_the_gap_is_recorded() {
    // Two tokens since November 1: 1012 rows, of which four pages hold 400.
    let tokens = [(7, Some("2026-11-01T00:00:00Z")), (8, Some("2026-11-01T00:00:00Z"))];
    let mut hourly = Hourly::new(&ask(Kind::Hourly, "2026-11-22T00:30:00Z", tokens));
    let start = at("2026-11-22").as_millis();
    for number in 1..=4_i64 {
        assert_eq!(value(&hourly.next_call().unwrap(), "page"), number.to_string());
        let rows = (0..50_i64).flat_map(|row| {
            let time = Timestamp::from_millis(start - ((number - 1) * 50 + row) * HOUR).to_string();
            [7, 8].map(|id| json!({"TOKEN_ID": id, "TIMESTAMP": time, "SIGNAL": "0"}))
        });
        hourly.accept(page(rows.collect()));
    }
    assert_eq!(hourly.next_call(), None);
    let snapshot = Box::new(hourly).finish();
    assert!(snapshot.complete, "a gap is not a failed page");
    assert_eq!(snapshot.gaps, BTreeSet::from([TokenId(7), TokenId(8)]));
}

#[test]
fn an_absent_hourly_token_is_no_gap() {
    let tokens = [(7, Some("2026-11-22T08:00:00Z")), (8, Some("2026-11-22T08:00:00Z"))];
    let mut hourly = Hourly::new(&ask(Kind::Hourly, "2026-11-22T09:30:00Z", tokens));
    hourly.next_call().unwrap();
    hourly.accept(page(hour_rows(7, 33, 3)));
    assert_eq!(hourly.next_call(), None, "the page is not full: nothing can follow");
    assert!(Box::new(hourly).finish().gaps.is_empty());
}

#[test]
fn hourly_batches_hold_what_one_page_can() {
    for (stored, size) in
        [(None, 50), (Some("2026-11-22T09:00:00Z"), 50), (Some("2026-11-22T06:00:00Z"), 25), (Some("2026-11-19T06:00:00Z"), 4)]
    {
        let calls = calls(Hourly::new(&ask(Kind::Hourly, "2026-11-22T09:30:00Z", (1..=100).map(|id| (id, stored)))));
        assert_eq!(value(&calls[0], "token_id").split(',').count(), size, "{stored:?}");
    }
}
