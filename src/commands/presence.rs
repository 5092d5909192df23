//! What a platform tells of the bot's own presence: out of reach, back, moved; and how opening direct messages went.

use super::{Presence, desk::Desk};
use crate::{
    domain::{Address, DestinationId, Platform, QuarantineReason},
    store::StoreResult,
};
use std::time::Duration;

/// When a destination that was lost is tried again for the first time.
const FIRST_PROBE: Duration = Duration::from_secs(3600);

/// Somebody there can make an end of it by a change that the platform tells of.
const fn may_be_mended(reason: QuarantineReason) -> bool {
    matches!(reason, QuarantineReason::Forbidden | QuarantineReason::Closed | QuarantineReason::WrongKind)
}

/// It may be a topic that is closed or gone, and not its chat.
const fn is_of_topic(reason: QuarantineReason) -> bool {
    matches!(reason, QuarantineReason::Closed | QuarantineReason::Deleted)
}

impl Desk {
    /// Takes note of what a platform says of the bot's own presence. Internal errors are logged here.
    pub async fn presence(&self, presence: &Presence) {
        let noted = match presence {
            Presence::Lost { chat, reason } => self.lost(chat, *reason).await,
            Presence::Back { chat } => self.back(chat).await,
            Presence::Removed { platform, tenant } => self.removed(*platform, tenant).await,
            Presence::Joined { platform, tenant } => self.joined(*platform, tenant).await,
            Presence::ChatChanged { chat } => self.try_again(chat, may_be_mended).await,
            // One of them is tried: where it answers, the others are (`store::settling`). Were all tried at each change, a server of many channels
            // could use up what Discord lets a bot get wrong.
            Presence::RightsChanged { platform, tenant } => self.store.probe_one(*platform, tenant, self.now()).await,
            Presence::Moved { from, to } => self.store.move_destination(from, to, self.clock.now()).await,
        };
        if let Err(error) = noted {
            tracing::error!(%error, ?presence, "a platform's word of the bot's presence could not be stored");
        }
    }

    /// Whether someone's chat is known and can be reached: a bot cannot write first. Internal errors are logged here.
    pub async fn reaches(&self, chat: &Address) -> bool {
        match self.store.destination_at(chat).await {
            Ok(destination) => destination.is_some_and(|destination| destination.quarantine.is_none()),
            Err(error) => {
                tracing::error!(%error, %chat, "whether a chat can be reached could not be read");
                false
            }
        }
    }

    /// The servers in which somebody is told something. None where the database fails, which is logged here.
    pub async fn tenants(&self, platform: Platform) -> Vec<String> {
        self.store.tenants(platform).await.unwrap_or_else(|error| {
            tracing::error!(%error, "which servers are known could not be read");
            Vec::new()
        })
    }

    /// Takes note of how opening someone's direct messages went: the channel's id, or why not (`rules.md` 5.7).
    pub async fn direct_messages_opened(&self, destination: DestinationId, outcome: Result<String, QuarantineReason>) {
        let noted = match outcome {
            Ok(route) => self.opened(destination, &route).await,
            Err(reason) => self.set_aside(destination, reason).await,
        };
        if let Err(error) = noted {
            tracing::error!(%error, %destination, "how opening direct messages went could not be stored");
        }
    }

    async fn opened(&self, destination: DestinationId, route: &str) -> StoreResult<()> {
        self.store.set_route(destination, route).await?;
        self.store.restore(destination).await.map(drop)
    }

    async fn lost(&self, chat: &Address, reason: QuarantineReason) -> StoreResult<()> {
        for destination in self.store.destinations_of_chat(chat).await? {
            self.set_aside(destination.id, reason).await?;
        }
        Ok(())
    }

    /// That the bot is in a chat, or somebody speaks to it there, opens no topic that was closed: what that is to be told shows.
    async fn back(&self, chat: &Address) -> StoreResult<()> {
        for destination in self.store.destinations_of_chat(chat).await? {
            if destination.address.topic.is_some() && destination.quarantine.is_some_and(|quarantine| is_of_topic(quarantine.reason)) {
                self.store.probe_now(destination.id, self.now()).await?;
            } else {
                self.store.restore(destination.id).await?;
            }
        }
        Ok(())
    }

    /// What is gone for itself stays so: the bot's return does not bring it back.
    async fn removed(&self, platform: Platform, tenant: &str) -> StoreResult<()> {
        for destination in self.store.destinations_of_tenant(platform, tenant).await? {
            let known = destination.quarantine.map(|quarantine| quarantine.reason);
            if !matches!(known, Some(QuarantineReason::Removed | QuarantineReason::Deleted)) {
                self.set_aside(destination.id, QuarantineReason::Removed).await?;
            }
        }
        Ok(())
    }

    async fn joined(&self, platform: Platform, tenant: &str) -> StoreResult<()> {
        for destination in self.store.destinations_of_tenant(platform, tenant).await? {
            if destination.quarantine.is_some_and(|quarantine| quarantine.reason == QuarantineReason::Removed) {
                self.store.restore(destination.id).await?;
            }
        }
        Ok(())
    }

    /// Whatever of a chat is set aside for such a reason is tried at the next occasion.
    pub(super) async fn try_again(&self, chat: &Address, is_such: fn(QuarantineReason) -> bool) -> StoreResult<()> {
        for destination in self.store.destinations_of_chat(chat).await? {
            if destination.quarantine.is_some_and(|quarantine| is_such(quarantine.reason)) {
                self.store.probe_now(destination.id, self.now()).await?;
            }
        }
        Ok(())
    }

    async fn set_aside(&self, destination: DestinationId, reason: QuarantineReason) -> StoreResult<()> {
        let now = self.now();
        self.store.quarantine(destination, reason, now, now + FIRST_PROBE).await
    }
}
