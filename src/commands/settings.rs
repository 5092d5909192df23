//! `/settings` and `/channel settings`: how much and how often a destination is told.

use super::{
    Action, Request,
    desk::{Desk, Outcome, Stop},
    options,
    place::{self, Place},
};
use crate::{
    domain::wording::{Card, SubscribingPhrase, Tone},
    store::SettingsOrder,
};

impl Desk {
    pub(super) async fn settings_own(&self, request: &Request) -> Outcome {
        self.require(request, Action::ManageOwn)?;
        Ok(self.settings_of(request, &place::own(request, "settings")).await?.into())
    }

    /// Changes what is given and shows the result; with nothing given, shows what is.
    pub(super) async fn settings_of(&self, request: &Request, place: &Place) -> Result<Card, Stop> {
        let wanted = options::settings(request)?;
        let saved = wanted != options::SettingsWords::default();
        if saved {
            let order = SettingsOrder {
                max_per_hour: wanted.max_per_hour,
                cooldown_minutes: wanted.cooldown,
                audit: place.audit.clone(),
                request: request.id(),
            };
            self.store.change_settings(&place.destination, &order, self.now()).await?;
        }
        let destination = self.store.destination_at(&place.destination.address).await?;
        let settings = destination.as_ref().map(|destination| destination.settings).unwrap_or_default();
        let tone = if saved { Tone::Success } else { Tone::Neutral };
        let mut card = Card::new(tone, SubscribingPhrase::SettingsTitle { label: place.label.clone(), saved }.into());
        card.lines.push(SubscribingPhrase::MaxPerHour { settings }.into());
        card.lines.push(SubscribingPhrase::Cooldown { settings }.into());
        card.lines.extend(self.mute_lines(destination.map(|destination| destination.id)).await?);
        Ok(card)
    }
}
