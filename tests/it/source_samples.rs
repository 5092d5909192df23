//! Every sample body of the API reads as its description says.

use bellwether::{
    domain::{Insight, Kind, Risk, Timestamp, TokenId},
    sources::token_metrics::{Version, guess_kind, read_body, read_insights, read_rows, read_token},
};

macro_rules! sample {
    ($name:literal) => {
        include_bytes!(concat!("data/token-metrics/", $name))
    };
}

/// Token, time, signal, trend, position of each row.
type Row = (i64, String, Option<f64>, Option<f64>, Option<f64>);

fn rows(kind: Kind, bytes: &[u8]) -> Vec<Row> {
    let body = read_body(bytes).unwrap();
    assert!(body.success);
    assert!(body.rows.iter().all(|row| guess_kind(row) == Some(kind)));
    let (read, aside) = read_rows(Version::V2, kind, &body.rows);
    assert!(aside.is_empty(), "{aside:?}");
    read.into_iter().map(|row| (row.token.0, row.data_time.to_string(), row.signal, row.trend, row.position)).collect()
}

fn daily(token: i64, day: &str, signal: i32, trend: i32) -> Row {
    (token, format!("{day}T00:00:00Z"), Some(signal.into()), Some(trend.into()), None)
}

fn hourly(hour: u8, signal: i32, position: i32) -> Row {
    (3375, format!("2026-11-21T{hour}:00:00Z"), Some(signal.into()), None, Some(position.into()))
}

#[test]
fn daily_calls() {
    let expected = [
        daily(3375, "2026-11-21", 0, -1),
        daily(3375, "2026-11-20", -1, -1),
        daily(3306, "2026-11-21", 1, 1),
        daily(3988, "2026-11-21", 0, 1),
    ];
    assert_eq!(rows(Kind::Daily, sample!("trading-signals.json")), expected);
    assert_eq!(rows(Kind::Daily, sample!("trading-signals.recorded-2025-04-10.json")), [daily(3375, "2025-04-10", 0, -1)]);
    let nulls = rows(Kind::Daily, sample!("trading-signals.nulls-inferred.json"));
    assert_eq!(nulls, [(41234, "2026-11-21T00:00:00Z".to_owned(), Some(0.0), None, None)]);
}

#[test]
fn what_history_keeps_of_a_daily_row() {
    let body = read_body(sample!("trading-signals.recorded-2025-04-10.json")).unwrap();
    let (read, _) = read_rows(Version::V2, Kind::Daily, &body.rows);
    let values = &read[0].values;
    assert_eq!((values.trader_grade, values.investor_grade), (Some(26.48), Some(58.23)));
    assert_eq!((values.signal_returns, values.holding_returns, values.close), (Some(45098.7035), Some(7559.6422), None));
}

#[test]
fn hourly_calls_as_strings_and_as_numbers() {
    let expected = [hourly(22, 0, 1), hourly(21, 1, 1), hourly(20, 0, 0), hourly(19, -1, 0)];
    assert_eq!(rows(Kind::Hourly, sample!("hourly-trading-signals.json")), expected);
    let numbers = sample!("hourly-trading-signals.numeric-variant-inferred.json");
    assert_eq!(rows(Kind::Hourly, numbers), [hourly(22, 0, 1)]);
    let (read, _) = read_rows(Version::V2, Kind::Hourly, &read_body(numbers).unwrap().rows);
    assert_eq!(read[0].values.close, Some(96849.12));
}

#[test]
fn refusals_and_no_data() {
    let not_found = read_body(sample!("error-404-data-not-found.json")).unwrap();
    assert!(not_found.is_not_found());
    let words = |bytes: &[u8]| {
        let body = read_body(bytes).unwrap();
        assert!(!body.is_not_found() && body.rows.is_empty());
        (body.success, body.message)
    };
    assert_eq!(words(sample!("error-400.inferred.json")), (false, "Invalid parameters".to_owned()));
    assert_eq!(words(sample!("error-401-key.inferred.json")), (false, "Invalid API key".to_owned()));
    assert!(words(sample!("error-401-plan.json")).1.ends_with("with your current plan."));
    assert_eq!(words(sample!("error-429.inferred.json")), (false, "Rate limit exceeded".to_owned()));
    assert!(read_body(sample!("error-402-x402.inferred.json")).is_err(), "a demand for payment is no answer; its status says what it is");
}

#[test]
fn what_is_said_of_tokens_besides() {
    let read = |endpoint, bytes: &[u8]| {
        let body = read_body(bytes).unwrap();
        assert!(body.success && body.rows.iter().all(|row| guess_kind(row).is_none()));
        read_insights(Version::V2, endpoint, &body.rows)
    };
    let risk = |volatility, sharpe, drawdown| {
        Insight::Risk(Risk { volatility: Some(volatility), sharpe: Some(sharpe), max_drawdown: Some(drawdown) })
    };
    let expected = [(TokenId(3375), risk(0.6712, 0.9821, 0.7669)), (TokenId(41234), risk(1.9021, -0.4127, 0.9412))];
    assert_eq!(read("quantmetrics", sample!("quantmetrics.json")), expected);
    let at = |time: &str| Timestamp::parse(time).unwrap();
    let days = Insight::Prices(vec![(at("2021-05-01"), 2945.032767), (at("2021-05-02"), 2950.337798)]);
    assert_eq!(read("daily-ohlcv", sample!("daily-ohlcv.json")), [(TokenId(3306), days)]);
    let hours = Insight::Prices(vec![(at("2026-11-21T22:00:00Z"), 96849.12)]);
    assert_eq!(read("hourly-ohlcv", sample!("hourly-ohlcv.json")), [(TokenId(3375), hours)]);
    let read = read("price-prediction", sample!("price-prediction.json"));
    let [(TokenId(3375), Insight::Scenarios(scenarios))] = read.as_slice() else { panic!("{read:?}") };
    assert_eq!((scenarios.day, scenarios.market, scenarios.cases.len()), (Timestamp::parse("2028-11-21"), Some(3.4e12), 5));
    let around: Vec<_> = scenarios.around_now().iter().map(|case| [case.market, case.bear, case.base, case.moon]).collect();
    assert_eq!(around, [[1.7e12, 48424.5, 70215.53, 92006.55], [6.8e12, 77479.2, 121061.25, 164643.3]]);
}

#[test]
fn other_endpoints_are_not_taken_for_signals() {
    for bytes in [sample!("tokens.json").as_slice(), sample!("top-market-cap-tokens.json")] {
        let body = read_body(bytes).unwrap();
        assert!(!body.rows.is_empty() && body.rows.iter().all(|row| guess_kind(row).is_none()));
    }
}

#[test]
fn version_3_is_read_by_its_own_keys_alone() {
    let v3 = read_body(sample!("v3-trading-signals.inferred.json")).unwrap();
    assert_eq!((Version::of_rows(&v3.rows), guess_kind(&v3.rows[0])), (Version::V3, Some(Kind::Daily)));
    let (read, aside) = read_rows(Version::V3, Kind::Daily, &v3.rows);
    assert!(aside.is_empty());
    assert_eq!((read[0].token.0, read[0].signal, read[0].trend), (3375, Some(0.0), Some(-1.0)));
    assert_eq!((read[0].values.signal_returns, read[0].values.trader_grade), (Some(45098.7035), None), "another grade is not that one");
    let token = read_token(Version::V3, &v3.rows[0]).unwrap();
    assert_eq!((token.symbol.as_str(), token.link.as_deref()), ("BTC", Some("https://app.tokenmetrics.com/en/bitcoin")));
    // Neither version is read with the other's keys: unreadable, said so, never misread.
    let (read, aside) = read_rows(Version::V2, Kind::Daily, &v3.rows);
    assert_eq!((read.len(), aside.len()), (0, 1));
    let v2 = read_body(sample!("trading-signals.json")).unwrap();
    let (read, aside) = read_rows(Version::V3, Kind::Daily, &v2.rows);
    assert_eq!((read.len(), aside.len()), (0, v2.rows.len()));
}
