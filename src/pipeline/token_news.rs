//! News of tokens becomes messages to those who subscribed to them by name (ARCHITECTURE.md, rules T): one each, within what they want to be
//! quiet about.

use crate::{
    clock::SharedClock,
    domain::{
        MessageBody, SourceId, Timestamp,
        wording::{Card, ListingPhrase, Phrase, Tone},
    },
    engine::listing::held_until,
    store::{DueNews, NewsDecision, Store, StoreError, StoreResult},
};

/// Lines a transaction.
const CHUNK: u32 = 500;

/// Tells everything that is due. Says how many messages were written.
///
/// # Errors
/// Where the database fails: what was not committed is told next time.
pub async fn tell_token_news(store: &Store, clock: &SharedClock) -> StoreResult<usize> {
    let (source, mut written) = (SourceId::TokenMetrics, 0);
    loop {
        let now = clock.now();
        let due = store.due_token_news(source, now, CHUNK).await?;
        if due.is_empty() {
            return Ok(written);
        }
        let decisions: Vec<_> = due.into_iter().map(|due| decide(due, now)).collect();
        match store.settle_token_news(source, &decisions, now).await {
            Ok(()) => written += decisions.iter().filter(|one| one.body.is_some()).count(),
            // Something else happened to one of them meanwhile: looked at anew next time.
            Err(StoreError::Conflict) => return Ok(written),
            Err(error) => return Err(error),
        }
    }
}

fn decide(due: DueNews, now: Timestamp) -> NewsDecision {
    let DueNews { destination, settings, mutes, news } = due;
    let (mut held, mut told, mut lines) = (Vec::new(), Vec::new(), Vec::new());
    for (token, symbol, news) in news {
        match held_until(&settings, &mutes, token, now) {
            Some(until) => held.push((token, until)),
            None => {
                lines.push(Phrase::from(ListingPhrase::News { symbol, news: news.clone() }));
                told.push((token, news));
            }
        }
    }
    let mut lines = lines.into_iter();
    let body = lines.next().map(|title| {
        let mut card = Card::new(Tone::Neutral, title);
        card.lines = lines.collect();
        MessageBody::Card { card }
    });
    NewsDecision { destination, held, told, body }
}
