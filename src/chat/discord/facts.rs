//! What only Discord can tell about a request: the channel that is meant, what the bot may do there, the role to mention
//! (`rules.md` 5.6). What follows from it is the desk's business.

use super::{
    client::{ApiError, Discord, channel_id, snowflake},
    convert::{Typed, is_for_channel},
    payload::{Interaction, PartialChannel},
    permissions::{MENTION_EVERYONE, Overwrite, Permissions, Role, VIEW_CHANNEL},
};
use crate::{
    commands::{ChannelFacts, ChannelProblem, Request, RoleFacts, Venue},
    domain::{Address, Platform, clean_name},
};
use serde::Deserialize;
use serenity::{
    http::Route,
    model::id::{GuildId, UserId},
};

const THREADS: [u8; 3] = [10, 11, 12];
/// Text, announcement and the three kinds of thread
/// ([Discord, channel types](https://discord.com/developers/docs/resources/channel#channel-object-channel-types)).
const USABLE: [u8; 5] = [0, 5, 10, 11, 12];

const UNKNOWN_CHANNEL: u64 = 10003;
const MISSING_ACCESS: u64 = 50001;

/// A channel as the API describes it.
#[derive(Deserialize)]
struct FullChannel {
    #[serde(rename = "type")]
    kind: u8,
    guild_id: Option<String>,
    parent_id: Option<String>,
    #[serde(default)]
    permission_overwrites: Vec<Overwrite>,
}

#[derive(Deserialize)]
struct GuildMember {
    #[serde(default)]
    roles: Vec<String>,
}

/// The request with its facts. Asks Discord only for a channel other than the one where it was typed.
pub(super) async fn request(discord: &Discord, interaction: &Interaction, typed: Typed) -> Request {
    let mut facts = None;
    let mut role = None;
    if let Venue::Server { tenant, channel: here, bot_present, .. } = &typed.venue
        && is_for_channel(typed.invocation.command)
    {
        let there = typed.channel.as_ref().unwrap_or(here);
        let (found, bot) = channel_facts(discord, interaction, tenant, here, there, *bot_present).await;
        role = typed.role.as_ref().map(|id| role_facts(interaction, tenant, here, there, id, bot));
        facts = Some(found);
    }
    Request {
        key: Some(interaction.id.clone()),
        actor: typed.actor,
        venue: typed.venue,
        invocation: typed.invocation,
        channel: facts,
        role,
    }
}

/// The channel, and what the bot may do there as far as that was found out.
async fn channel_facts(
    discord: &Discord,
    interaction: &Interaction,
    tenant: &str,
    here: &str,
    there: &str,
    bot_present: bool,
) -> (ChannelFacts, Option<Permissions>) {
    let described = described(interaction, here, there);
    let name = described.and_then(|channel| channel.name.as_deref()).map(clean_name).filter(|name| !name.is_empty());
    let facts = |problem| ChannelFacts {
        address: Address::new(Platform::Discord, there),
        label: name.map_or_else(|| there.to_owned(), |name| format!("#{name}")),
        problem,
    };
    let Some(described) = described else { return (facts(Some(ChannelProblem::NotHere)), None) };
    if described.guild_id.as_deref().is_some_and(|guild| guild != tenant) {
        return (facts(Some(ChannelProblem::NotHere)), None);
    }
    let invoker = invoker_permissions(interaction, here, there);
    if !invoker.is_some_and(|permissions| permissions.has(VIEW_CHANNEL)) {
        return (facts(Some(ChannelProblem::NotVisible)), None);
    }
    if !USABLE.contains(&described.kind) {
        return (facts(Some(ChannelProblem::WrongKind)), None);
    }
    if !bot_present {
        return (facts(Some(ChannelProblem::Unknown)), None);
    }
    let is_thread = THREADS.contains(&described.kind);
    let own = if here == there { interaction.app_permissions.as_deref().and_then(Permissions::parse) } else { None };
    let own = match own {
        Some(own) => Ok(own),
        None => own_permissions(discord, tenant, there).await,
    };
    match own {
        Ok(own) => {
            let missing = own.missing(is_thread);
            (facts((!missing.is_empty()).then_some(ChannelProblem::Missing(missing))), Some(own))
        }
        Err(problem) => (facts(Some(problem)), None),
    }
}

/// How the interaction describes the channel that is meant.
fn described<'a>(interaction: &'a Interaction, here: &str, there: &str) -> Option<&'a PartialChannel> {
    let current = if here == there { interaction.channel.as_ref() } else { None };
    interaction.data.resolved.channels.get(there).or(current)
}

fn invoker_permissions(interaction: &Interaction, here: &str, there: &str) -> Option<Permissions> {
    let described = described(interaction, here, there).and_then(|channel| channel.permissions.as_deref());
    let current = if here == there { interaction.invoker_permissions() } else { None };
    described.or(current).and_then(Permissions::parse)
}

/// A role that the interaction does not describe is treated as one that nobody may mention.
fn role_facts(interaction: &Interaction, tenant: &str, here: &str, there: &str, id: &str, bot: Option<Permissions>) -> RoleFacts {
    let may = |permissions: Option<Permissions>| permissions.is_some_and(|permissions| permissions.has(MENTION_EVERYONE));
    RoleFacts {
        id: id.to_owned(),
        is_everyone: id == tenant,
        mentionable: interaction.data.resolved.roles.get(id).is_some_and(|role| role.mentionable),
        invoker_may: may(invoker_permissions(interaction, here, there)),
        bot_may: may(bot),
    }
}

/// What the bot may do in a channel of the server, asked and computed; or why it cannot be used.
async fn own_permissions(discord: &Discord, tenant: &str, there: &str) -> Result<Permissions, ChannelProblem> {
    let channel = full_channel(discord, there).await?;
    if channel.guild_id.as_deref() != Some(tenant) {
        return Err(ChannelProblem::NotHere);
    }
    // A thread has no overwrites of its own: those of its channel apply.
    let overwrites = match channel.parent_id.as_deref().filter(|_| THREADS.contains(&channel.kind)) {
        Some(parent) => full_channel(discord, parent).await?.permission_overwrites,
        None => channel.permission_overwrites,
    };
    let guild = snowflake(tenant).map(GuildId::new).ok_or(ChannelProblem::NotHere)?;
    let own_id = UserId::new(discord.0.application.get());
    let roles: Vec<Role> = discord.get(Route::GuildRoles { guild_id: guild }).await.map_err(|error| problem(&error))?;
    let member: GuildMember =
        discord.get(Route::GuildMember { guild_id: guild, user_id: own_id }).await.map_err(|error| problem(&error))?;
    Ok(Permissions::in_channel(tenant, &own_id.to_string(), &member.roles, &roles, &overwrites))
}

async fn full_channel(discord: &Discord, id: &str) -> Result<FullChannel, ChannelProblem> {
    let id = channel_id(id).ok_or(ChannelProblem::NotHere)?;
    discord.get(Route::Channel { channel_id: id }).await.map_err(|error| problem(&error))
}

fn problem(error: &ApiError) -> ChannelProblem {
    match error {
        ApiError::Refused { code: UNKNOWN_CHANNEL, .. } => ChannelProblem::NotHere,
        ApiError::Refused { code: MISSING_ACCESS, .. } => ChannelProblem::Missing(vec!["View Channel"]),
        other => {
            tracing::warn!(error = %other, "Discord does not say what the bot may do in a channel");
            ChannelProblem::Unknown
        }
    }
}
