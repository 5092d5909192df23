//! What databases are filled with before a measurement: a large directory, calls that are known, people who subscribed.

use crate::support::{commands::run_sql, fake_token_metrics::FakeTokenMetrics};
use bellwether::{
    clock::{Clock as _, SystemClock},
    domain::{Kind, Listing, Observation, Platform, Snapshot, SourceId, Timestamp, Token, TokenId, Values},
    pipeline::ingest::ingest,
    store::{AllTokens, Store},
};
use std::collections::BTreeSet;

/// The tokens of the directory.
pub(crate) const TOKENS: i64 = 20_000;
/// Those that are ranked, and followed.
pub(crate) const RANKED: i64 = 100;
/// Rows of one statement where plain SQL fills tables.
pub(crate) const ROWS_A_STATEMENT: usize = 1_000;

/// A symbol of five letters for each token; many begin alike, as real ones do.
pub(crate) fn symbol(token: i64) -> String {
    let letter = |place: u32| char::from(b'A' + u8::try_from(token * 7919 % 26_i64.pow(place + 1) / 26_i64.pow(place)).unwrap());
    (0..4).rev().map(letter).collect::<String>() + &(token % 10).to_string()
}

fn token(id: i64) -> Token {
    let rank = (id <= RANKED).then(|| u32::try_from(id).unwrap());
    let name = format!("{} Network {id}", symbol(id).to_lowercase());
    Token { id: TokenId(id), symbol: symbol(id), name, rank, link: Some(format!("https://app.tokenmetrics.com/en/token-{id}")) }
}

/// The source lists the ranked tokens, so that a refresh of the ranks changes nothing.
pub(crate) fn list(source: &FakeTokenMetrics) {
    let ranked: Vec<_> = (1..=RANKED).map(token).collect();
    source.set_tokens(ranked.iter().map(|token| (token.id.0, token.symbol.as_str(), token.name.as_str())));
}

/// A directory of 20,000 tokens, and today's bullish call of each ranked one.
pub(crate) async fn fill(store: &Store) {
    let now = SystemClock.now();
    let tokens: Vec<_> = (1..=TOKENS).map(token).collect();
    store.write_tokens(SourceId::TokenMetrics, &tokens, |_| Listing::default(), now).await.unwrap();
    let all = AllTokens { up_to: 100, refreshes_out: 3 };
    store.refresh_ranks(SourceId::TokenMetrics, &tokens[..100], |_| Listing::default(), all, now).await.unwrap();
    ingest(store, &snapshot(1..=RANKED, 1.0, now), now).await.unwrap();
}

/// One poll that brought today's row of each of these tokens.
pub(crate) fn snapshot(tokens: impl Iterator<Item = i64>, stance: f64, poll: Timestamp) -> Snapshot {
    let row = |token| Observation {
        token: TokenId(token),
        data_time: poll.day().start(),
        signal: Some(stance),
        trend: Some(stance),
        position: None,
        values: Values { trader_grade: Some(26.48), holding_returns: Some(0.5 + stance / 10.0), ..Values::default() },
    };
    let observations: Vec<_> = tokens.map(row).collect();
    Snapshot {
        source: SourceId::TokenMetrics,
        kind: Kind::Daily,
        started_at: poll,
        asked: observations.iter().map(|row| row.token).collect(),
        observations,
        set_aside: Vec::new(),
        complete: true,
        gaps: BTreeSet::new(),
    }
}

/// The id of the n-th chat, as its platform would give it.
pub(crate) fn chat(platform: Platform, n: usize) -> String {
    match platform {
        Platform::Discord => format!("user:{}", member(n)),
        _ => (10_000 + n).to_string(),
    }
}

/// A Discord user.
pub(crate) fn member(n: usize) -> u64 {
    284_102_345_000_000_000 + n as u64
}

/// People whose private chat is open. With a token, each of them has subscribed to its daily calls.
pub(crate) async fn people(url: &str, platform: Platform, count: usize, follow: Option<i64>) {
    let columns = "(platform, chat, topic, place, settings, route, created_at, rest_until, probes)";
    for first in (0..count).step_by(ROWS_A_STATEMENT) {
        let person = |n| format!("('{platform}','{}','','person','{{}}','7{n}',0,0,0)", chat(platform, n));
        let rows: Vec<_> = (first..count.min(first + ROWS_A_STATEMENT)).map(person).collect();
        run_sql(url, &format!("INSERT INTO destinations {columns} VALUES {}", rows.join(","))).await;
    }
    if let Some(token) = follow {
        let subscribe = format!(
            "INSERT INTO subscriptions (destination_id, source, target, kind, direction, delivery, creator, created_at, updated_at)
             SELECT id, 'token-metrics', '{token}', 'daily', 'any', 'instant', 'bench', 0, 0 FROM destinations"
        );
        run_sql(url, &subscribe).await;
    }
}
