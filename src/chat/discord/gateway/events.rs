//! What an event leads to: a command is carried out and answered, the bot's own presence is noted.

use super::protocol::{Event, Ready, ShardId};
use crate::{
    chat::discord::{answer, client::Discord, interactions::Interactions},
    commands::{Desk, Presence},
    domain::{Address, Platform, QuarantineReason},
    http::quoted,
};
use secrecy::SecretString;
use serde_json::Value;
use std::{collections::BTreeSet, sync::Arc};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;

/// At most this many commands at once, as at the door.
const AT_ONCE: usize = 512;
/// Fewer servers than this may all be gone at once; of more, this share (in percent) is Discord's mistake, not theirs (`rules.md` 4.3).
const FEW: usize = 20;
const SHARE: usize = 20;

/// Carries events out.
pub(super) struct Events {
    discord: Discord,
    desk: Desk,
    interactions: Interactions,
    tasks: TaskTracker,
    places: Arc<Semaphore>,
}

impl Events {
    pub(super) fn new(discord: Discord, desk: Desk, tasks: TaskTracker) -> Self {
        let interactions = Interactions::new(discord.clone(), desk.clone(), tasks.clone());
        Self { discord, desk, interactions, tasks, places: Arc::new(Semaphore::new(AT_ONCE)) }
    }

    /// Carries one out. Commands go on beside the shard; presence is noted before the next event, because its order counts.
    pub(super) async fn happened(&self, shard: ShardId, event: Event) {
        match event {
            Event::Interaction(interaction) => self.interaction(interaction),
            Event::Ready(ready) => self.ready(shard, &ready).await,
            Event::GuildHere(tenant) => self.desk.presence(&Presence::Joined { platform: Platform::Discord, tenant }).await,
            Event::GuildGone(tenant) => {
                tracing::info!(guild = %quoted(&tenant), "the bot was removed from a server");
                self.desk.presence(&Presence::Removed { platform: Platform::Discord, tenant }).await;
            }
            Event::ChannelGone(channel) => {
                let chat = Address::new(Platform::Discord, channel);
                self.desk.presence(&Presence::Lost { chat, reason: QuarantineReason::Deleted }).await;
            }
            Event::ChannelChanged(channel) => {
                self.desk.presence(&Presence::ChatChanged { chat: Address::new(Platform::Discord, channel) }).await;
            }
            Event::RightsChanged(tenant) => self.desk.presence(&Presence::RightsChanged { platform: Platform::Discord, tenant }).await,
            Event::Unreadable(name, why) => tracing::error!(shard = shard.index, name, why = %quoted(&why), "an event cannot be read"),
            Event::Resumed | Event::Other => {}
        }
    }

    fn interaction(&self, interaction: Value) {
        let at = self.discord.0.clock.now();
        let token = interaction.get("token").and_then(Value::as_str).map(SecretString::from);
        let (Some(token), Some(received)) = (token, self.interactions.receive(interaction, at)) else {
            return tracing::error!("an interaction cannot even be answered: no token, an unknown type or another application");
        };
        let Ok(place) = Arc::clone(&self.places).try_acquire_owned() else {
            return tracing::error!(interaction = %quoted(received.id()), "too many commands at once; this one is not carried out");
        };
        let (discord, interactions) = (self.discord.clone(), self.interactions.clone());
        self.tasks.spawn(async move {
            let id = received.id().to_owned();
            let answer = interactions.answer(received).await;
            answer::call_back(&discord, &id, &token, &answer).await;
            drop(place);
        });
    }

    /// A new session names every server of its shard: where alerts go and the bot is not any more, it was removed while we were away.
    async fn ready(&self, shard: ShardId, ready: &Ready) {
        let known: Vec<_> = self.desk.tenants(Platform::Discord).await.into_iter().filter(|tenant| shard.serves(tenant)).collect();
        match missing(&known, &ready.guilds) {
            Ok(missing) => {
                for tenant in missing {
                    self.desk.presence(&Presence::Removed { platform: Platform::Discord, tenant: tenant.clone() }).await;
                }
            }
            Err(count) => tracing::warn!(
                shard = shard.index,
                missing = count,
                known = known.len(),
                "Discord names far fewer servers than expected; nothing is set aside, sending will show"
            ),
        }
    }
}

/// The servers that are not named; their number alone where it is too large to be believed.
fn missing<'known>(known: &'known [String], named: &BTreeSet<String>) -> Result<Vec<&'known String>, usize> {
    let missing: Vec<_> = known.iter().filter(|tenant| !named.contains(*tenant)).collect();
    let is_believable = known.len() < FEW || missing.len() * 100 < known.len() * SHARE;
    if is_believable { Ok(missing) } else { Err(missing.len()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_a_fifth_of_many_servers_is_gone_is_not_believed() {
        let known = |count: usize| (0..count).map(|n| n.to_string()).collect::<Vec<_>>();
        assert_eq!(missing(&known(19), &BTreeSet::new()).unwrap().len(), 19);
        assert_eq!(missing(&known(20), &BTreeSet::new()), Err(20));
        assert_eq!(missing(&known(20), &known(17).into_iter().collect()).unwrap(), [&"17".to_owned(), &"18".into(), &"19".into()]);
        assert_eq!(missing(&known(20), &known(16).into_iter().collect()), Err(4));
    }
}
