//! `/subscriptions` and `/channel list`: what is subscribed, grouped, in a bounded length.

use super::{
    Action, Request, Venue,
    desk::{Desk, Outcome, SOURCE, Stop},
    place::{self, Place},
};
use crate::{
    domain::{
        Delivery, Direction, Kind, Place as PlaceKind, Threshold, Token, TokenId,
        wording::{Card, Phrase, RefusalPhrase, SettingPhrase, SubscribingPhrase, Tone},
    },
    store::ListedSubscription,
};
use std::collections::BTreeMap;

/// The most symbols of one line, and of one answer.
const MOST_OF_A_LINE: usize = 60;
const MOST_OF_AN_ANSWER: usize = 150;
/// The most channels of one answer.
const MOST_CHANNELS: usize = 15;

impl Desk {
    pub(super) async fn list_own(&self, request: &Request) -> Outcome {
        self.require(request, Action::ManageOwn)?;
        Ok(self.list_of(&place::own(request, "subscriptions")).await?.into())
    }

    /// What a place is subscribed to.
    pub(super) async fn list_of(&self, place: &Place) -> Result<Card, Stop> {
        let destination = self.store.destination_at(&place.destination.address).await?;
        let list = match &destination {
            Some(destination) => self.store.subscriptions_of(destination.id).await?,
            None => Vec::new(),
        };
        let count = u64::try_from(list.len()).unwrap_or_default();
        let title = match &place.label {
            Some(label) => SubscribingPhrase::OfPlace { label: label.clone(), count },
            None => SubscribingPhrase::Own { count },
        };
        let mut card = Card::new(Tone::Neutral, title.into());
        match place.destination.place {
            _ if !list.is_empty() => {}
            PlaceKind::Channel => card.lines.push(RefusalPhrase::Example { text: "/channel @name subscribe SOL".to_owned() }.into()),
            PlaceKind::Person | PlaceKind::Group => card.lines.push(SubscribingPhrase::None.into()),
        }
        if let Some(destination) = destination {
            let excluded = self.store.exclusions_of(destination.id, SOURCE).await?;
            let mut room = MOST_OF_AN_ANSWER;
            card.lines.extend(grouped(&list, &excluded, self.settings.all_tokens, &mut room));
            card.lines.extend(self.not_listed(list.iter().filter_map(|listed| listed.token.as_ref())).await?);
            if !list.is_empty() {
                card.lines.extend(SettingPhrase::limits(&destination.settings).map(Phrase::from));
                card.lines.extend(SettingPhrase::hours(&destination.settings).map(Phrase::from));
            }
            card.lines.extend(self.mute_lines(Some(destination.id)).await?);
            card.lines.extend(destination.quarantine.map(|q| RefusalPhrase::OutOfReach { reason: q.reason }.into()));
        }
        Ok(card)
    }

    /// Every channel of the server.
    pub(super) async fn list_channels(&self, request: &Request) -> Result<Card, Stop> {
        let Venue::Server { tenant, .. } = &request.venue else {
            return Err(RefusalPhrase::OnlyInServer.into());
        };
        let (list, count) = self.store.subscriptions_of_tenant(request.platform(), tenant).await?;
        let mut card = Card::new(Tone::Neutral, SubscribingPhrase::OfServer { count }.into());
        if list.is_empty() {
            card.lines.push(SubscribingPhrase::NoneInServer.into());
        }
        let mut room = MOST_OF_AN_ANSWER;
        let (mut shown, mut channels) = (0, 0);
        for place in self.store.places_of_tenant(request.platform(), tenant).await? {
            let own: Vec<_> = list.iter().filter(|listed| listed.destination == place.destination).cloned().collect();
            if own.is_empty() || channels == MOST_CHANNELS || room == 0 {
                continue;
            }
            let excluded = self.store.exclusions_of(place.destination, SOURCE).await?;
            card.lines.push(SubscribingPhrase::Place { label: place.label }.into());
            card.lines.extend(grouped(&own, &excluded, self.settings.all_tokens, &mut room));
            card.lines.extend(self.not_listed(own.iter().filter_map(|listed| listed.token.as_ref())).await?);
            card.lines.extend(self.mute_lines(Some(place.destination)).await?);
            let quarantine = self.store.destination(place.destination).await?.and_then(|destination| destination.quarantine);
            card.lines.extend(quarantine.map(|quarantine| RefusalPhrase::OutOfReach { reason: quarantine.reason }.into()));
            shown += u64::try_from(own.len()).unwrap_or_default();
            channels += 1;
        }
        if count > shown {
            card.lines.push(SubscribingPhrase::MoreNotShown { count: count - shown }.into());
        }
        Ok(card)
    }
}

/// What has a line of its own: the kind, whether of tokens or `all`, direction, delivery, threshold and mention.
type Group = (Kind, bool, Direction, Delivery, Option<Threshold>, bool);

/// A line per group, in the order of the vocabulary; `room` is how many symbols may still be shown.
fn grouped(list: &[ListedSubscription], excluded: &[(Kind, Token)], all_tokens: u32, room: &mut usize) -> Vec<Phrase> {
    let mut bearers: BTreeMap<String, Vec<TokenId>> = BTreeMap::new();
    for token in list.iter().filter_map(|listed| listed.token.as_ref()).chain(excluded.iter().map(|(_, token)| token)) {
        let ids = bearers.entry(token.symbol.to_uppercase()).or_default();
        if !ids.contains(&token.id) {
            ids.push(token.id);
        }
    }
    let word = |token: &Token| {
        let symbol: String = token.symbol.chars().take(20).collect();
        let shared = bearers.get(&token.symbol.to_uppercase()).is_some_and(|ids| ids.len() > 1);
        if shared { format!("{symbol} #{}", token.id) } else { symbol }
    };
    let mut groups: BTreeMap<Group, Vec<String>> = BTreeMap::new();
    for listed in list {
        let group = groups
            .entry((listed.kind, listed.token.is_some(), listed.direction, listed.delivery, listed.threshold, listed.mentions))
            .or_default();
        match &listed.token {
            Some(token) => group.push(word(token)),
            None => group.extend(excluded.iter().filter(|(kind, _)| *kind == listed.kind).map(|(_, token)| word(token))),
        }
    }
    let line = |((kind, tokens, direction, delivery, threshold, mentions), mut words): (Group, Vec<String>)| {
        let shown = words.len().min(MOST_OF_A_LINE).min(*room);
        let more = u64::try_from(words.len() - shown).unwrap_or_default();
        words.truncate(shown);
        *room -= shown;
        let threshold = threshold.map(Threshold::line);
        SubscribingPhrase::Line { kind, direction, delivery, threshold, mentions, all: (!tokens).then_some(all_tokens), words, more }.into()
    };
    groups.into_iter().map(line).collect()
}
