//! `/mute` and `/channel mute`: quiet for a while, for everything or one token (`rules.md` 3.6). A mute holds, it never drops.

use super::{
    Action, Request,
    desk::{Desk, Outcome, SOURCE, Stop},
    options,
    place::{self, Place},
    tokens::Words,
};
use crate::{
    domain::{
        DestinationId, MuteLength, Mutes, Platform, Token, TokenId,
        wording::{Card, MutingPhrase, Phrase, RefusalPhrase, TokenLabel, Tone},
    },
    store::MuteOrder,
};

/// The most tokens that one answer shows.
const MOST_SHOWN: usize = 15;

impl Desk {
    pub(super) async fn mute_own(&self, request: &Request) -> Outcome {
        self.require(request, Action::ManageOwn)?;
        Ok(self.mute(request, &place::own(request, "mute")).await?.into())
    }

    /// Mutes a place or ends that; with no length given, shows what is muted.
    pub(super) async fn mute(&self, request: &Request, place: &Place) -> Result<Card, Stop> {
        let examples = Examples::of(request);
        let length = options::mute_length(request, &examples.all)?;
        let words = token_words(request, &examples)?;
        let destination = self.store.destination_at(&place.destination.address).await?.map(|destination| destination.id);
        let Some(length) = length else {
            if words.tokens.is_empty() {
                return self.present_mutes(destination, place, examples).await;
            }
            return Err(Stop::with_example(RefusalPhrase::NoMuteLength, &examples.token));
        };
        let present = self.mutes_of(destination).await?;
        let token = self.muted_token(&words, destination, length, &present).await?;
        let label = match &token {
            Some(token) => self.labels(std::slice::from_ref(token)).await?.pop(),
            None => None,
        };
        let is_on = token.as_ref().map_or(!present.is_empty(), |token| present.tokens.contains_key(&token.id));
        if length == MuteLength::Off && !is_on {
            let title = MutingPhrase::NotMuted { token: label, label: place.label.clone() };
            return self.card_of(Tone::Neutral, title, &present).await;
        }
        let now = self.now();
        let order = MuteOrder {
            destination: place.destination.clone(),
            source: SOURCE,
            token: token.as_ref().map(|token| token.id),
            until: length.end(now),
            audit: place.audit.clone(),
            request: request.id(),
        };
        let muted = self.store.mute(&order, now).await?;
        let place_label = place.label.clone();
        let (title, fate) = match length {
            MuteLength::Off => {
                (MutingPhrase::Unmuted { token: label.clone(), label: place_label }, MutingPhrase::Released { waiting: muted.waiting })
            }
            _ => (MutingPhrase::Muted { token: label.clone(), label: place_label }, MutingPhrase::Held { waiting: muted.waiting }),
        };
        let mut card = self.card_of(Tone::Success, title, &muted.after).await?;
        // Another mute may hold on what this one lets go.
        let holds_on = length == MuteLength::Off && muted.after.all.is_some();
        card.lines.extend((!holds_on).then(|| fate.into()));
        if let (Some(token), Some(label)) = (&token, label)
            && length != MuteLength::Off
            && !self.hears_of(destination, token.id).await?
        {
            card.lines.push(MutingPhrase::NotSubscribed { token: label }.into());
        }
        Ok(card)
    }

    /// A line for each mute that is on, for every answer that shows how a place is told.
    pub(super) async fn mute_lines(&self, destination: Option<DestinationId>) -> Result<Vec<Phrase>, Stop> {
        let mutes = self.mutes_of(destination).await?;
        self.lines_of(&mutes).await
    }

    async fn present_mutes(&self, destination: Option<DestinationId>, place: &Place, examples: Examples) -> Result<Card, Stop> {
        let mutes = self.mutes_of(destination).await?;
        let label = place.label.clone();
        let title = if mutes.is_empty() { MutingPhrase::NotMuted { token: None, label } } else { MutingPhrase::Present { label } };
        let mut card = self.card_of(Tone::Neutral, title, &mutes).await?;
        card.lines.push(MutingPhrase::HowTo { all: examples.all, token: examples.token, off: examples.off }.into());
        Ok(card)
    }

    async fn mutes_of(&self, destination: Option<DestinationId>) -> Result<Mutes, Stop> {
        Ok(match destination {
            Some(destination) => self.store.mutes_of(destination, SOURCE, self.now()).await?,
            None => Mutes::default(),
        })
    }

    async fn card_of(&self, tone: Tone, title: MutingPhrase, mutes: &Mutes) -> Result<Card, Stop> {
        let mut card = Card::new(tone, title.into());
        card.lines = self.lines_of(mutes).await?;
        Ok(card)
    }

    async fn lines_of(&self, mutes: &Mutes) -> Result<Vec<Phrase>, Stop> {
        let mut lines: Vec<Phrase> = mutes.all.map(|until| MutingPhrase::AllUntil { until }.into()).into_iter().collect();
        let ids: Vec<TokenId> = mutes.tokens.keys().copied().take(MOST_SHOWN).collect();
        let tokens = self.store.tokens_by_ids(SOURCE, &ids).await?;
        let labels = self.labels(&tokens).await?;
        for id in &ids {
            let known = tokens.iter().position(|token| token.id == *id).and_then(|index| labels.get(index).cloned());
            let token = known.unwrap_or_else(|| TokenLabel { symbol: format!("#{id}"), name: String::new(), id: None });
            lines.extend(mutes.tokens.get(id).map(|until| MutingPhrase::TokenUntil { token, until: *until }.into()));
        }
        let more = u64::try_from(mutes.tokens.len() - ids.len()).unwrap_or_default();
        lines.extend((more > 0).then(|| MutingPhrase::MoreTokens { count: more }.into()));
        Ok(lines)
    }

    /// The token that is meant, if one is: first of all among those that are muted or subscribed here.
    async fn muted_token(
        &self,
        words: &Words,
        destination: Option<DestinationId>,
        length: MuteLength,
        present: &Mutes,
    ) -> Result<Option<Token>, Stop> {
        if words.tokens.is_empty() {
            return Ok(None);
        }
        let mut own: Vec<TokenId> = present.tokens.keys().copied().collect();
        if let (Some(destination), true) = (destination, length != MuteLength::Off) {
            let subscribed = self.store.subscriptions_of(destination).await?;
            own.extend(subscribed.into_iter().filter_map(|listed| listed.token).map(|token| token.id));
        }
        Ok(self.resolve_among(&words.tokens, &own).await?.into_iter().next())
    }

    async fn hears_of(&self, destination: Option<DestinationId>, token: TokenId) -> Result<bool, Stop> {
        let Some(destination) = destination else { return Ok(false) };
        let list = self.store.subscriptions_of(destination).await?;
        Ok(list.iter().any(|listed| listed.token.as_ref().is_none_or(|own| own.id == token)))
    }
}

/// One token or none; `all` says the same as none. A mute is of every kind.
fn token_words(request: &Request, examples: &Examples) -> Result<Words, Stop> {
    let example = &examples.token;
    let words = options::words(request, "token", example)?;
    if words.kind.is_some() || words.direction.is_some() || words.delivery.is_some() {
        return Err(Stop::with_example(RefusalPhrase::MutesEveryKind, example));
    }
    if words.tokens.len() + usize::from(words.all) > 1 {
        return Err(Stop::with_example(RefusalPhrase::OneTokenOnly, example));
    }
    Ok(words)
}

/// How it is typed where the request comes from.
struct Examples {
    all: String,
    token: String,
    off: String,
}

impl Examples {
    fn of(request: &Request) -> Self {
        let (all, token, off) = match request.platform() {
            Platform::Telegram => ("8h", "8h SOL", "off"),
            Platform::Discord | Platform::Console => ("for:8h", "for:8h token:SOL", "for:off"),
        };
        let example = |words| options::example(request, words);
        Self { all: example(all), token: example(token), off: example(off) }
    }
}
