//! `/channel …`: alerts of a channel, by those who manage it: on Discord from within the server (`rules.md` 5.6), on Telegram from a private
//! chat (5.9). The rights are checked here each time.

use super::{
    Action, Command, Request, RoleFacts, Venue,
    desk::{Desk, Outcome, Stop},
    place::{self, Permissions, Place},
};
use crate::domain::{
    MessageBody,
    wording::{Card, RefusalPhrase, SubscribingPhrase, Tone},
};

impl Desk {
    pub(super) async fn channel(&self, request: &Request) -> Outcome {
        place::seen(request)?;
        self.require(request, Action::ManageChannels)?;
        let card = match request.invocation.command {
            Command::ChannelList if matches!(request.venue, Venue::Private { .. }) => {
                self.list_of(&place::channel(request, Permissions::NotNeeded, "channel list")?).await?
            }
            Command::ChannelList => self.list_channels(request).await?,
            Command::ChannelUnsubscribe => {
                self.unsubscribe(request, &place::channel(request, Permissions::NotNeeded, "channel unsubscribe")?).await?
            }
            Command::ChannelMute => self.mute(request, &place::channel(request, Permissions::NotNeeded, "channel mute")?).await?,
            Command::ChannelSettings => {
                let place = place::channel(request, Permissions::Needed, "channel settings")?;
                let card = self.settings_of(request, &place).await?;
                self.reachable_again(&place).await?;
                card
            }
            Command::ChannelWhy => self.why(request, &place::channel(request, Permissions::NotNeeded, "channel why")?).await?,
            Command::ChannelTest => self.test(request, &place::channel(request, Permissions::Needed, "channel test")?).await?,
            _ => {
                let place = place::channel(request, Permissions::Needed, "channel subscribe")?;
                let (_, card) = self.subscribe(request, &place, mention(request)?).await?;
                self.reachable_again(&place).await?;
                card
            }
        };
        Ok(card.into())
    }

    /// Posts a real message through the channel's own outbox, the way an alert goes.
    async fn test(&self, request: &Request, place: &Place) -> Result<Card, Stop> {
        let mut message = Card::new(Tone::Neutral, SubscribingPhrase::TestTitle.into());
        message.lines.push(SubscribingPhrase::TestBody.into());
        self.store.post(&place.destination, &MessageBody::Card { card: message }, request.id().as_deref(), self.now()).await?;
        self.reachable_again(place).await?;
        let label = place.label.clone().unwrap_or_default();
        Ok(Card::new(Tone::Success, SubscribingPhrase::TestQueued { label }.into()))
    }

    /// The platform has just said that the bot may post there, and someone who manages the place wants it to.
    async fn reachable_again(&self, place: &Place) -> Result<(), Stop> {
        if let Some(destination) = self.store.destination_at(&place.destination.address).await?
            && destination.quarantine.is_some()
        {
            self.store.restore(destination.id).await?;
        }
        Ok(())
    }
}

/// The role to mention, if there is one and it may be mentioned.
fn mention(request: &Request) -> Result<Option<String>, Stop> {
    match &request.role {
        None if request.invocation.options.contains_key("mention") => Err(RefusalPhrase::RoleUnknown.into()),
        None => Ok(None),
        Some(RoleFacts { is_everyone: true, .. }) => Err(RefusalPhrase::MentionsEveryone.into()),
        Some(RoleFacts { mentionable: false, invoker_may: false, .. }) => Err(RefusalPhrase::RoleInvokerMay.into()),
        Some(RoleFacts { mentionable: false, bot_may: false, .. }) => Err(RefusalPhrase::RoleBotMay.into()),
        Some(role) => Ok(Some(role.id.clone())),
    }
}
