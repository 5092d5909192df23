//! `replay` prints the changes that a person would list who reads the bodies by hand.

use bellwether::{
    cli::replay::{ReplayError, ReplayOptions, replay},
    commands::ImaginedSubscriber,
    domain::Kind,
};
use insta::assert_snapshot;
use serde_json::Value;
use std::path::PathBuf;

fn file(name: &str) -> PathBuf {
    PathBuf::from("tests/it/data").join(name)
}

/// Each line as "change kind symbol from>to at reason".
fn lines(names: &[&str], options: ReplayOptions) -> Vec<String> {
    let mut out = Vec::new();
    let files: Vec<_> = names.iter().map(|name| file(name)).collect();
    replay(&files, options, &mut out).unwrap();
    let word = |line: &Value, key: &str| line[key].as_str().unwrap_or("-").to_owned();
    let text = String::from_utf8(out).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str(line).unwrap());
    let short = |line: Value| {
        let w = |key| word(&line, key);
        format!("{} {} {} {}>{} {} {}", w("change"), w("kind"), w("symbol"), w("from"), w("to"), w("at"), w("reason"))
    };
    lines.map(short).collect()
}

fn changes(names: &[&str]) -> Vec<String> {
    lines(names, ReplayOptions::default())
}

#[test]
fn a_line_has_the_fields_of_the_contract() {
    let mut out = Vec::new();
    replay(&[file("hourly-trading-signals.json")], ReplayOptions::default(), &mut out).unwrap();
    let expected = concat!(
        r#"{"change":"turned","kind":"hourly","token_id":3375,"symbol":"BTC","from":"bearish","to":"bullish","#,
        r#""at":"2026-11-21T21:00:00Z","reason":"history"}"#,
        "\n"
    );
    assert_eq!(String::from_utf8(out).unwrap(), expected);
}

#[test]
fn bodies_in_which_nothing_turns_print_nothing() {
    for name in ["trading-signals.json", "trading-signals-nulls.json", "hourly-trading-signals-numbers.json", "data-not-found.json"] {
        assert_eq!(changes(&[name]), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn bodies_that_hold_no_signals_print_nothing() {
    let names = ["price.json", "grade-history.json"];
    assert_eq!(lines(&names, ReplayOptions { all: true, kind: None, ..ReplayOptions::default() }), Vec::<String>::new());
}

#[test]
fn bodies_of_version_3_are_read_as_such() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("v3.jsonl");
    let daily = |day: u8, trend: i8| {
        format!(
            r#"{{"token_id":3375,"token_symbol":"BTC","date":"2026-11-{day}","trading_signal":0,"token_trend":{trend},"tm_grade":26.48}}"#
        )
    };
    let hourly = r#"{"token_id":3375,"token_symbol":"BTC","timestamp":"2026-11-21T10:00:00.000Z","signal":"1","position":"1"}"#;
    let grades = r#"{"token_id":3375,"token_symbol":"BTC","date":"2026-11-23","trading_signal":1,"tm_grade":99.0}"#;
    let text: Vec<_> = [daily(21, -1), hourly.to_owned(), grades.to_owned(), daily(22, 1)]
        .map(|row| format!(r#"{{"success":true,"data":[{row}]}}"#))
        .into();
    std::fs::write(&path, text.join("\n")).unwrap();
    assert_eq!(changes(&[path.to_str().unwrap()]), ["turned daily BTC bearish>bullish 2026-11-22T00:00:00Z fresh"]);
    assert_eq!(
        lines(&["trading-signals-v3.json"], ReplayOptions { all: true, kind: None, ..ReplayOptions::default() }),
        ["ignored daily BTC ->- 2026-11-21T00:00:00Z baseline"]
    );
}

#[test]
fn bodies_that_come_one_after_the_other_are_polls_one_after_the_other() {
    let expected =
        ["turned daily SOL bullish>bearish 2026-11-21T00:00:00Z fresh", "correction daily ETH bearish>bullish 2026-11-20T00:00:00Z late"];
    assert_eq!(changes(&["three-days.jsonl"]), expected);
}

#[test]
fn kinds_are_kept_apart_and_an_earlier_body_changes_nothing() {
    let all = changes(&["three-days.jsonl", "hourly-trading-signals.json", "trading-signals.json", "three-days.jsonl"]);
    let expected = [
        "turned daily SOL bullish>bearish 2026-11-21T00:00:00Z fresh",
        "correction daily ETH bearish>bullish 2026-11-20T00:00:00Z late",
        "turned hourly BTC bearish>bullish 2026-11-21T21:00:00Z history",
    ];
    assert_eq!(all, expected);
}

#[test]
fn all_prints_what_was_ignored_and_why() {
    let all = lines(&["hourly-trading-signals.json"], ReplayOptions { all: true, kind: None, ..ReplayOptions::default() });
    let expected = [
        "turned hourly BTC bearish>bullish 2026-11-21T21:00:00Z history",
        "ignored hourly BTC ->- 2026-11-21T19:00:00Z baseline",
        "ignored hourly BTC ->- 2026-11-21T20:00:00Z unchanged",
        "ignored hourly BTC ->- 2026-11-21T22:00:00Z unchanged",
    ];
    assert_eq!(all, expected);
}

#[test]
fn a_kind_that_is_given_is_not_guessed() {
    let all =
        lines(&["hourly-trading-signals-numbers.json"], ReplayOptions { all: true, kind: Some(Kind::Daily), ..ReplayOptions::default() });
    assert_eq!(all, ["ignored daily BTC ->- 2026-11-21T00:00:00Z empty"]);
}

#[test]
fn a_body_that_cannot_be_read_is_named_by_file_and_line() {
    let folder = tempfile::tempdir().unwrap();
    let good = r#"{"success":true,"data":[]}"#;
    let cases = [
        (format!("{good}\n\n{{\"success\":true,\"da"), 3),
        (format!("{good}\n<html>"), 2),
        (format!("{good}\n\n[1]\n"), 3),
        (format!("{{\n  \"success\": true,\n  \"data\": [}}\n{good}"), 3),
        ("\n{\"hello\": 1}".to_owned(), 2),
    ];
    for (text, expected) in cases {
        let path = folder.path().join("body.json");
        std::fs::write(&path, &text).unwrap();
        let error = replay(std::slice::from_ref(&path), ReplayOptions::default(), &mut Vec::new()).unwrap_err();
        assert!(error.to_string().starts_with(&format!("{}:{expected}: ", path.display())), "{text}: {error}");
    }
    let absent = replay(&[folder.path().join("absent")], ReplayOptions::default(), &mut Vec::new());
    assert!(matches!(absent, Err(ReplayError::File { .. })));
}

/// An hourly body with one signal for each of these tokens.
fn hourly(hour: u32, signal: i32, tokens: &[(i64, &str)]) -> String {
    let row = |(id, symbol): &(i64, &str)| {
        format!(
            r#"{{"TOKEN_ID":{id},"TOKEN_SYMBOL":"{symbol}","TIMESTAMP":"2026-11-21T{hour:02}:00:00.000Z","SIGNAL":"{signal}","POSITION":"1"}}"#
        )
    };
    format!(r#"{{"success":true,"data":[{}]}}"#, tokens.iter().map(row).collect::<Vec<_>>().join(","))
}

/// Each decision as "decision reason release_at text", and a change as its turn.
fn told(bodies: &[String], subscriber: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bodies.jsonl");
    std::fs::write(&path, bodies.join("\n")).unwrap();
    let options = ReplayOptions { subscriber: Some(ImaginedSubscriber::parse(subscriber).unwrap()), ..ReplayOptions::default() };
    let mut out = Vec::new();
    replay(std::slice::from_ref(&path), options, &mut out).unwrap();
    let text = String::from_utf8(out).unwrap();
    let line = |line: &str| {
        let line: Value = serde_json::from_str(line).unwrap();
        let word = |key: &str| line[key].as_str().unwrap_or("-").lines().next().unwrap_or_default().to_owned();
        if line.get("change").is_some() {
            return format!("{}>{}", word("from"), word("to"));
        }
        assert_eq!(line.as_object().unwrap().len(), 4, "the fields of the contract: {line}");
        format!("{} {} {} {}", word("decision"), word("reason"), word("release_at"), word("text"))
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_subscriber_is_told_as_the_bot_would_tell() {
    let turns: Vec<_> = [(1, -1), (2, 1), (3, -1), (4, 1), (5, -1)].map(|(hour, signal)| hourly(hour, signal, &[(3375, "BTC")])).into();
    assert_snapshot!(told(&turns, "tokens=btc kind=hourly cooldown=120"), @"
    bearish>bullish
    send instant 2026-11-21T02:00:01Z BTC turned bullish
    bullish>bearish
    hold cooldown 2026-11-21T04:00:01Z BTC turned bearish (hourly, 21 Nov 2026 03:00 UTC)
    bearish>bullish
    hold net_zero - BTC turned bearish (hourly, 21 Nov 2026 03:00 UTC)
    hold net_zero - BTC turned bullish (hourly, 21 Nov 2026 04:00 UTC)
    bullish>bearish
    send instant 2026-11-21T05:00:01Z BTC turned bearish and is unstable
    send flapping 2026-11-21T17:00:01Z BTC has settled, still bearish
    ");
    assert_snapshot!(told(&turns, "tokens=#3375 kind=hourly direction=bullish"), @"
    bearish>bullish
    send instant 2026-11-21T02:00:01Z BTC turned bullish
    bullish>bearish
    skip direction - BTC turned bearish (hourly, 21 Nov 2026 03:00 UTC)
    bearish>bullish
    send instant 2026-11-21T04:00:01Z BTC turned bullish and is unstable
    bullish>bearish
    hold flapping 2026-11-21T17:00:01Z BTC turned bearish (hourly, 21 Nov 2026 05:00 UTC)
    hold flapping 2026-11-21T17:00:01Z BTC turned bullish (hourly, 21 Nov 2026 04:00 UTC)
    skip direction - BTC turned bullish (hourly, 21 Nov 2026 04:00 UTC)
    skip direction - BTC turned bearish (hourly, 21 Nov 2026 05:00 UTC)
    ");
    for silent in ["tokens=ETH kind=hourly", "tokens=BTC kind=daily"] {
        assert!(told(&turns, silent).lines().all(|line| line.contains('>')), "{silent}");
    }
    let both = [1, 2].map(|hour| hourly(hour, if hour == 1 { -1 } else { 1 }, &[(3375, "BTC"), (3306, "ETH")]));
    assert_snapshot!(told(&both, "tokens=all kind=hourly max_per_hour=1"), @"
    bearish>bullish
    bearish>bullish
    send instant 2026-11-21T02:00:01Z ETH turned bullish
    hold hourly_cap 2026-11-21T03:00:01Z BTC turned bullish (hourly, 21 Nov 2026 02:00 UTC)
    send hourly_cap 2026-11-21T03:00:01Z Held back: 1 call
    ");
}

#[test]
fn digests_and_quiet_hours_are_those_of_the_bot() {
    let turns: Vec<_> = [(1, -1), (2, 1), (3, -1), (4, 1)].map(|(hour, signal)| hourly(hour, signal, &[(3375, "BTC")])).into();
    assert_snapshot!(told(&turns, "tokens=all kind=hourly delivery=digest-daily timezone=Europe/Berlin digest_time=08:00"), @"
    bearish>bullish
    hold digest 2026-11-21T07:00:00Z BTC turned bullish (hourly, 21 Nov 2026 02:00 UTC)
    bullish>bearish
    hold digest 2026-11-21T07:00:00Z BTC turned bearish (hourly, 21 Nov 2026 03:00 UTC)
    bearish>bullish
    hold digest 2026-11-21T07:00:00Z BTC turned bullish (hourly, 21 Nov 2026 04:00 UTC)
    send digest 2026-11-21T07:00:00Z Daily digest: 1 call
    ");
    assert_snapshot!(told(&turns[..2], "tokens=btc kind=hourly quiet_hours=22:00-07:00"), @"
    bearish>bullish
    hold quiet_hours 2026-11-21T07:00:00Z BTC turned bullish (hourly, 21 Nov 2026 02:00 UTC)
    send quiet_hours 2026-11-21T07:00:00Z BTC turned bullish
    ");
}
