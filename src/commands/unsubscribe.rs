//! `/unsubscribe` and `/channel unsubscribe` (`rules.md` 3.1).

use super::{
    Action, Request,
    desk::{Desk, Outcome, SOURCE, Stop},
    options,
    place::{self, Place},
};
use crate::{
    domain::{
        Kind, Token, TokenId,
        wording::{Card, RefusalPhrase, SubscribingPhrase, TokenLabel, Tone},
    },
    store::UnsubscribeOrder,
};

impl Desk {
    pub(super) async fn unsubscribe_own(&self, request: &Request) -> Outcome {
        self.require(request, Action::ManageOwn)?;
        Ok(self.unsubscribe(request, &place::own(request, "unsubscribe")).await?.into())
    }

    /// Unsubscribes a place and says what it will not be told of any more.
    pub(super) async fn unsubscribe(&self, request: &Request, place: &Place) -> Result<Card, Stop> {
        let example = &options::example(request, "SOL,ETH");
        let words = options::words(request, "tokens", example)?;
        if !words.all && words.tokens.is_empty() {
            return Err(Stop::with_example(RefusalPhrase::NoTokens, example));
        }
        let Some(destination) = self.store.destination_at(&place.destination.address).await? else {
            return Ok(Card::new(Tone::Neutral, SubscribingPhrase::NothingToUnsubscribe.into()));
        };
        let tokens = if words.all {
            Vec::new()
        } else {
            let own = self.store.subscriptions_of(destination.id).await?;
            let own: Vec<TokenId> = own.into_iter().filter_map(|listed| listed.token).map(|token| token.id).collect();
            self.resolve_among(&words.tokens, &own).await?
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
}
