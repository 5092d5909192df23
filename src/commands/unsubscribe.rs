//! `/unsubscribe` and `/channel unsubscribe` (`rules.md` 3.1).

use super::{
    Action, Request,
    desk::{Desk, Outcome, SOURCE, Stop},
    options,
    place::{self, Place},
    resolve::ambiguous,
    tokens::{Pick, TokenWord, pick},
};
use crate::{
    domain::{
        Kind, Token, TokenId,
        wording::{Card, RefusalPhrase, SubscribingPhrase, TokenLabel, Tone},
    },
    store::{ListedSubscription, UnsubscribeOrder},
};

const EXAMPLE: &str = "/unsubscribe SOL,ETH";

impl Desk {
    pub(super) async fn unsubscribe_own(&self, request: &Request) -> Outcome {
        self.require(request, Action::ManageOwn)?;
        Ok(self.unsubscribe(request, &place::own(request, "unsubscribe")).await?.into())
    }

    /// Unsubscribes a place and says what it will not be told of any more.
    pub(super) async fn unsubscribe(&self, request: &Request, place: &Place) -> Result<Card, Stop> {
        let words = options::words(request, "tokens", EXAMPLE)?;
        if !words.all && words.tokens.is_empty() {
            return Err(Stop::with_example(RefusalPhrase::NoTokens, EXAMPLE));
        }
        let Some(destination) = self.store.destination_at(&place.destination.address).await? else {
            return Ok(Card::new(Tone::Neutral, SubscribingPhrase::NothingToUnsubscribe.into()));
        };
        let tokens = if words.all {
            Vec::new()
        } else {
            let own = self.store.subscriptions_of(destination.id).await?;
            self.resolve_own(&words.tokens, &own).await?
        };
        let order = UnsubscribeOrder {
            destination: destination.id,
            source: SOURCE,
            all: words.all,
            tokens: tokens.iter().map(|token| token.id).collect(),
            kinds: words.kind.map_or_else(|| Kind::ALL.to_vec(), |kind| vec![kind]),
            audit: place.audit.clone(),
            request: request.id(),
        };
        let done = self.store.unsubscribe(&order, self.now()).await?;
        if done.removed == 0 && done.excluded.is_empty() {
            return Ok(Card::new(Tone::Neutral, SubscribingPhrase::NothingToUnsubscribe.into()));
        }
        let mut card = Card::new(Tone::Success, SubscribingPhrase::Unsubscribed.into());
        if words.all {
            card.lines.push(SubscribingPhrase::RemovedAll { count: done.removed, kind: words.kind }.into());
            return Ok(card);
        }
        let labels = self.labels(&tokens).await?;
        let among = |list: &[(TokenId, Kind)], token: &Token| list.iter().any(|(id, _)| *id == token.id);
        let pairs: Vec<(&Token, &TokenLabel)> = tokens.iter().zip(&labels).collect();
        let pick_words = |wanted: &dyn Fn(&Token) -> bool| -> Vec<String> {
            pairs.iter().filter(|(token, _)| wanted(token)).map(|(_, label)| label.short()).collect()
        };
        let ended = pick_words(&|token| among(&done.ended, token));
        let excluded = pick_words(&|token| among(&done.excluded, token));
        let neither = pick_words(&|token| !among(&done.ended, token) && !among(&done.excluded, token));
        let lines = [
            (!ended.is_empty()).then_some(SubscribingPhrase::Removed { words: ended }),
            (!excluded.is_empty()).then_some(SubscribingPhrase::Excluded { words: excluded }),
            (!neither.is_empty()).then_some(SubscribingPhrase::NotSubscribed { words: neither }),
        ];
        card.lines.extend(lines.into_iter().flatten().map(Into::into));
        Ok(card)
    }

    /// The tokens that are meant, first of all among those that are subscribed: a rank that has moved since changes nothing (5.2).
    async fn resolve_own(&self, words: &[TokenWord], own: &[ListedSubscription]) -> Result<Vec<Token>, Stop> {
        self.directory().await?;
        let known = self.known(words).await?;
        let mut taken: Vec<Token> = Vec::new();
        for word in words {
            let candidates = known.get(word).map(Vec::as_slice).unwrap_or_default();
            let is_own = |token: &&Token| own.iter().any(|listed| listed.token.as_ref().is_some_and(|other| other.id == token.id));
            let subscribed: Vec<&Token> = candidates.iter().filter(is_own).collect();
            let choice = if subscribed.is_empty() { pick(candidates) } else { pick(subscribed) };
            let token = match choice {
                Pick::One(token) => token,
                Pick::None => return Err(self.unknown(word).await?),
                Pick::Several(tokens) => return Err(ambiguous(word, &tokens)),
            };
            if taken.iter().all(|other| other.id != token.id) {
                taken.push(token.clone());
            }
        }
        Ok(taken)
    }
}
