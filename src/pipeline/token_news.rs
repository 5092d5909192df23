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
use std::time::Duration;

/// Lines a transaction.
const CHUNK: u32 = 500;
/// Transactions a step: alerts do not wait for more of them.
const MOST_CHUNKS: u32 = 4;
/// Tokens a message: more would be cut off at the 4,096 characters that a platform takes.
const MOST_LINES: usize = 20;
/// Who cannot be reached is looked at again after so long.
const UNREACHED: Duration = Duration::from_secs(3600);

/// Tells what is due, as far as a step goes. Says how many messages were written.
///
/// # Errors
/// Where the database fails: what was not committed is told next time.
pub async fn tell_token_news(store: &Store, clock: &SharedClock) -> StoreResult<usize> {
    let (source, mut written) = (SourceId::TokenMetrics, 0);
    for _ in 0..MOST_CHUNKS {
        let now = clock.now();
        let due = store.due_token_news(source, now, CHUNK).await?;
        if due.is_empty() {
            break;
        }
        let decisions: Vec<_> = due.into_iter().map(|due| decide(due, now)).collect();
        match store.settle_token_news(source, &decisions, now).await {
            Ok(()) => written += decisions.iter().filter(|one| one.body.is_some()).count(),
            // Something else happened to one of them meanwhile: looked at anew next time.
            Err(StoreError::Conflict) => break,
            Err(error) => return Err(error),
        }
    }
    Ok(written)
}

fn decide(due: DueNews, now: Timestamp) -> NewsDecision {
    let DueNews { destination, settings, mutes, is_quarantined, news, unwanted } = due;
    let (mut held, mut told, mut lines) = (Vec::new(), Vec::new(), Vec::new());
    for (token, symbol, news) in news {
        let until = if is_quarantined { Some(now + UNREACHED) } else { held_until(&settings, &mutes, token, now) };
        match until {
            Some(until) => held.push((token, until)),
            // It stays due, for the next message.
            None if told.len() >= MOST_LINES => {}
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
    NewsDecision { destination, held, told, dropped: unwanted, body }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{DestinationId, Mutes, Settings, TokenId, TokenNews};

    fn due(tokens: i64, is_quarantined: bool) -> DueNews {
        DueNews {
            destination: DestinationId(1),
            settings: Settings::default(),
            mutes: Mutes::default(),
            is_quarantined,
            news: (1..=tokens).map(|id| (TokenId(id), format!("T{id}"), TokenNews::Delisted)).collect(),
            unwanted: vec![(TokenId(99), TokenNews::Delisted)],
        }
    }

    #[test]
    fn t4_a_message_tells_of_twenty_tokens_and_whoever_is_not_reached_of_none() {
        let now = Timestamp::from_secs(1_795_000_000);
        let counts = |one: &NewsDecision| (one.told.len(), one.held.len(), one.dropped.len(), one.body.is_some());
        assert_eq!(counts(&decide(due(45, false), now)), (20, 0, 1, true), "25 stay due");
        let unreached = decide(due(45, true), now);
        assert_eq!(counts(&unreached), (0, 45, 1, false));
        assert!(unreached.held.iter().all(|(_, until)| *until == now + UNREACHED));
    }
}
