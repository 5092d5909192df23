//! The client over real HTTP: what is sent, and how each answer is classified.

use crate::support::fake_token_metrics::{API_KEY, FakeTokenMetrics, Fault};
use bellwether::{
    domain::{Kind, Snapshot, Timestamp, TokenId},
    sources::{Ask, Call, Source, SourceError, Wanted, token_metrics::TokenMetrics},
};
use secrecy::SecretString;
use std::time::Duration;

async fn pair() -> (FakeTokenMetrics, TokenMetrics) {
    let fake = FakeTokenMetrics::start().await;
    let source = TokenMetrics::new(&fake.url, SecretString::from(API_KEY));
    (fake, source)
}

fn ask(kind: Kind, now: &str, tokens: &[(i64, Option<&str>)]) -> Ask {
    let at = |text: &str| Timestamp::parse(text).unwrap();
    Ask { kind, tokens: tokens.iter().map(|(id, stored)| (TokenId(*id), stored.map(at))).collect(), now: at(now) }
}

async fn poll(source: &TokenMetrics, ask: Ask) -> Snapshot {
    let mut collector = source.collect(ask);
    while let Some(call) = collector.next_call() {
        let page = source.call(&call).await.unwrap();
        collector.accept(Some(page));
    }
    collector.finish()
}

fn any_call(source: &TokenMetrics) -> Call {
    source.collect(ask(Kind::Daily, "2026-11-22T09:00:00Z", &[(3375, None)])).next_call().unwrap()
}

#[tokio::test]
async fn a_daily_poll_brings_its_rows() {
    let (fake, source) = pair().await;
    fake.set_daily(3375, "2026-11-20", 0, -1);
    fake.set_daily(3375, "2026-11-22", 1, 1);
    fake.set_daily(3306, "2026-11-22", 0, 1);
    let snapshot = poll(&source, ask(Kind::Daily, "2026-11-22T09:00:00Z", &[(3375, Some("2026-11-21")), (3306, None)])).await;
    assert!(snapshot.complete && snapshot.set_aside.is_empty());
    let mut rows: Vec<_> = snapshot.observations.iter().map(|row| (row.token.0, row.signal, row.trend)).collect();
    rows.sort_by_key(|row| row.0);
    assert_eq!(rows, [(3306, Some(0.0), Some(1.0)), (3375, Some(1.0), Some(1.0))]);
    let seen = fake.take_seen();
    let windows: Vec<_> = seen.iter().map(|call| (call.ids(), call.query["startDate"].as_str(), call.query["endDate"].as_str())).collect();
    assert_eq!(windows, [(vec![3306], "2026-11-16", "2026-11-22"), (vec![3375], "2026-11-21", "2026-11-22")]);
    assert!(seen.iter().all(|call| call.query["limit"] == "100" && call.query["page"] == "1"));
}

#[tokio::test]
async fn an_hourly_poll_reads_on_until_it_reaches_back() {
    let (fake, source) = pair().await;
    let start = Timestamp::parse("2026-11-01T00:00:00Z").unwrap();
    for hour in 0..300_u64 {
        fake.set_hourly(3375, &(start + Duration::from_secs(hour * 3600)).to_string(), 0, 1);
    }
    let now = (start + Duration::from_secs(299 * 3600 + 600)).to_string();
    let stored = (start + Duration::from_secs(149 * 3600)).to_string();
    let snapshot = poll(&source, ask(Kind::Hourly, &now, &[(3375, Some(&stored))])).await;
    assert!(snapshot.complete && snapshot.gaps.is_empty());
    assert_eq!(fake.take_seen().iter().map(|call| call.query["page"].clone()).collect::<Vec<_>>(), ["1", "2"]);
    assert_eq!(snapshot.observations.len(), 200);
    assert_eq!((snapshot.observations[0].signal, snapshot.observations[0].position), (Some(0.0), Some(1.0)));
}

#[tokio::test]
async fn no_data_is_an_empty_page() {
    let (_fake, source) = pair().await;
    let page = source.call(&any_call(&source)).await.unwrap();
    assert!(page.not_found && page.rows == 0);
    assert_eq!(page.request_id.as_deref(), Some("fake-1"));
}

#[tokio::test]
async fn ranks_and_lists_come_as_tokens() {
    let (fake, source) = pair().await;
    let names: Vec<String> = (1..=150).map(|id| format!("Token {id}")).collect();
    fake.set_tokens(names.iter().enumerate().map(|(at, name)| (i64::try_from(at).unwrap() + 1, "SYM", name.as_str())));
    let page = source.call(&source.ranks(2)).await.unwrap();
    assert_eq!(page.tokens.len(), 50);
    assert_eq!((page.tokens[0].id, page.tokens[0].rank), (TokenId(101), Some(101)));
    assert_eq!(page.tokens[0].link.as_deref(), Some("https://app.tokenmetrics.com/en/token-101"));
    fake.add_unranked(9000, "NEW", "Newcomer");
    let found = source.call(&source.lookup(&Wanted::Symbol("NEW".to_owned()))).await.unwrap();
    assert_eq!(found.tokens.iter().map(|token| (token.id.0, token.rank)).collect::<Vec<_>>(), [(9000, None)]);
    let found = source.call(&source.lookup(&Wanted::Id(TokenId(9000)))).await.unwrap();
    assert_eq!(found.tokens.len(), 1);
}

/// What is expected of an error.
type Expectation = fn(&SourceError) -> bool;

#[tokio::test]
async fn every_bad_answer_is_classified() {
    let (fake, source) = pair().await;
    let body = |message: &str| format!("{{\"success\": false, \"message\": \"{message}\"}}");
    let refused: Expectation = |error| matches!(error, SourceError::Refused { .. });
    let rejected: Expectation = |error| matches!(error, SourceError::Rejected { .. });
    let passing: Expectation = |error| error.is_passing() && !matches!(error, SourceError::RateLimited { .. });
    let table: Vec<(Fault, Expectation)> = vec![
        (Fault::Status(400, body("Invalid parameters")), rejected),
        (Fault::Status(401, body("Invalid API key")), refused),
        (Fault::Status(401, body("You are not authorized to access this endpoint with your current plan.")), refused),
        (Fault::Status(402, "{\"x402Version\": 1, \"accepts\": []}".to_owned()), refused),
        (Fault::Status(403, "{\"message\": \"Forbidden\"}".to_owned()), refused),
        // Not the API's words: a proxy or a firewall on the way, which may let the next call pass.
        (Fault::Html(401), passing),
        (Fault::Html(403), passing),
        (Fault::Status(403, String::new()), passing),
        (Fault::Status(404, body("No such endpoint")), rejected),
        (Fault::Html(404), rejected),
        (Fault::Status(413, String::new()), rejected),
        (Fault::Status(422, body("odd")), rejected),
        (Fault::Status(200, body("something is wrong")), rejected),
        (Fault::Status(500, body("oops")), passing),
        (Fault::Html(502), passing),
        (Fault::Status(503, String::new()), passing),
        (Fault::Html(200), passing),
        (Fault::Truncated, passing),
        (Fault::BrokenOff, passing),
        (Fault::Endless, passing),
        (Fault::Status(200, "[]".to_owned()), passing),
        (Fault::Status(200, String::new()), passing),
        (Fault::WithHeaders(302, vec![("location", "http://127.0.0.1:1/steal".to_owned())]), passing),
        (Fault::WithHeaders(429, vec![]), |error| *error == SourceError::RateLimited { after: None }),
        (Fault::WithHeaders(429, vec![("retry-after", "7".to_owned())]), |error| {
            *error == SourceError::RateLimited { after: Some(Duration::from_secs(7)) }
        }),
    ];
    for (fault, expected) in table {
        fake.fault("trading-signals", fault.clone());
        let error = source.call(&any_call(&source)).await.unwrap_err();
        assert!(expected(&error), "{fault:?} gave {error:?}");
        let words = format!("{error} {error:?}");
        assert!(!words.contains(API_KEY) && !words.contains(&fake.url) && !words.contains("127.0.0.1"), "{words}");
        assert!(error.to_string().chars().count() < 400, "{error}");
    }
}

#[tokio::test]
async fn words_from_outside_are_short_quoted_and_never_the_key() {
    let (fake, source) = pair().await;
    let message = format!("bad\\nkey {API_KEY} {}", "x".repeat(1000));
    fake.fault("trading-signals", Fault::Status(401, format!("{{\"success\": false, \"message\": \"{message}\"}}")));
    let error = source.call(&any_call(&source)).await.unwrap_err();
    let words = format!("{error} {error:?}");
    assert!(words.contains("[key]") && !words.contains(API_KEY) && !words.contains('\n'), "{words}");
    let SourceError::Refused { message, .. } = error else { panic!("{error:?}") };
    assert!(message.chars().count() <= 210);
}

#[tokio::test]
async fn a_wrong_key_is_refused_and_nobody_listening_is_passing() {
    let fake = FakeTokenMetrics::start().await;
    let source = TokenMetrics::new(&fake.url, SecretString::from("tm-wrong"));
    let error = source.call(&any_call(&source)).await.unwrap_err();
    assert_eq!(error.to_string(), "the API refuses the request (401): \"Invalid API key\"");
    let nobody = TokenMetrics::new("http://127.0.0.1:1/v2", SecretString::from("tm-secret"));
    let error = nobody.call(&any_call(&nobody)).await.unwrap_err();
    assert!(matches!(error, SourceError::Transient { .. }) && !error.to_string().contains("127.0.0.1"), "{error}");
    let odd = TokenMetrics::new(&fake.url, SecretString::from("tm-\nsecret"));
    let error = odd.call(&any_call(&odd)).await.unwrap_err();
    assert!(!format!("{error:?}").contains("secret"), "{error:?}");
}
