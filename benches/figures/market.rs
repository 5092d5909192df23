//! What databases are filled with before a measurement: a large directory, calls that are known, people who subscribed.

pub(crate) use crate::support::crowd::{chat, member, people};

use crate::support::fake_token_metrics::FakeTokenMetrics;
use bellwether::{
    clock::{Clock as _, SystemClock},
    domain::{Kind, Listing, Observation, Snapshot, SourceId, Timestamp, Token, TokenId, Values},
    pipeline::ingest::ingest,
    store::{AllTokens, Store},
};
use std::collections::BTreeSet;

/// The tokens of the directory.
pub(crate) const TOKENS: i64 = 20_000;
/// Those that are ranked, and followed.
pub(crate) const RANKED: i64 = 100;

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
