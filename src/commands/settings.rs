//! `/settings` and `/channel settings`: how much, how often and at which hours a destination is told.

use super::{
    Action, Request,
    desk::{Desk, Outcome, Stop},
    place::{self, Place},
    setting_words,
};
use crate::{
    domain::{
        Delivery, Settings, SettingsChange, Timestamp, Zone,
        wording::{Card, Phrase, SettingPhrase, Tone},
    },
    engine::{digest::next_digest, quiet::quiet_until},
    store::SettingsOrder,
};

impl Desk {
    pub(super) async fn settings_own(&self, request: &Request) -> Outcome {
        self.require(request, Action::ManageOwn)?;
        Ok(self.settings_of(request, &place::own(request, "settings")).await?.into())
    }

    /// Changes what is given and shows the result; with nothing given, shows what is.
    pub(super) async fn settings_of(&self, request: &Request, place: &Place) -> Result<Card, Stop> {
        let change = setting_words::settings(request)?;
        let saved = change != SettingsChange::default();
        if saved {
            let order = SettingsOrder { change, audit: place.audit.clone(), request: request.id() };
            self.store.change_settings(&place.destination, &order, self.now()).await?;
        }
        let destination = self.store.destination_at(&place.destination.address).await?;
        let (id, settings) = destination.map_or_else(Default::default, |destination| (Some(destination.id), destination.settings));
        let tone = if saved { Tone::Success } else { Tone::Neutral };
        let mut card = Card::new(tone, SettingPhrase::Title { label: place.label.clone(), saved }.into());
        card.lines.extend(SettingPhrase::limits(&settings).map(Phrase::from));
        card.lines.push(SettingPhrase::Confirmation { confirmation: settings.confirmation }.into());
        card.lines.extend(clock_lines(&settings, self.now(), &setting_words::example(request, "timezone", "Europe/Berlin")));
        card.lines.push(SettingPhrase::Charts { theme: settings.charts }.into());
        if settings.charts.is_some() && place.destination.place != crate::domain::Place::Person {
            card.lines.push(SettingPhrase::ChartsNeed { platform: request.platform() }.into());
        }
        card.lines.push(SettingPhrase::Provenance { on: settings.provenance }.into());
        card.lines.extend(self.mute_lines(id).await?);
        Ok(card)
    }
}

/// What goes by the clock, and what that means at present.
fn clock_lines(settings: &Settings, now: Timestamp, example: &str) -> Vec<Phrase> {
    let zone = settings.timezone;
    let mut lines = vec![SettingPhrase::Timezone { zone, now }];
    lines.extend((zone == Zone::UTC).then(|| SettingPhrase::ChooseTimezone { example: example.to_owned() }));
    lines.push(SettingPhrase::QuietHours { hours: settings.quiet_hours });
    if settings.quiet_hours.is_some() || !settings.quiet_bypass.is_empty() {
        lines.push(SettingPhrase::QuietBypass { kinds: settings.quiet_bypass.iter().copied().collect() });
    }
    lines.extend(quiet_until(settings, now).map(|until| SettingPhrase::QuietNow { zone, until }));
    let next = |delivery| next_digest(settings, delivery, now);
    if let (Some(daily), Some(weekly)) = (next(Delivery::DigestDaily), next(Delivery::DigestWeekly)) {
        lines.push(SettingPhrase::DigestTime { time: settings.digest_time, zone, daily, weekly });
    }
    lines.into_iter().map(Phrase::from).collect()
}
