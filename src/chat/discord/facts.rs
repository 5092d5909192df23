//! What only Discord can tell about a request: the channel that is meant, what the bot may do there, the role to mention
//! (`rules.md` 5.6). What follows from it is the desk's business.

use super::{
    client::{ApiError, Discord, channel_id, snowflake},
    convert::{Typed, is_for_channel},
    payload::{Interaction, PartialChannel},
    permissions::{ATTACH_FILES, MENTION_EVERYONE, Overwrite, Permissions, Role, VIEW_CHANNEL},
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
    note_files(discord, interaction);
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

/// An interaction says what the bot may do where it was typed: a channel that refused a picture may take the next one.
fn note_files(discord: &Discord, interaction: &Interaction) {
    let own = interaction.app_permissions.as_deref().and_then(Permissions::parse);
    if let (Some(channel), true) = (&interaction.channel_id, own.is_some_and(|own| own.has(ATTACH_FILES))) {
        discord.0.without_pictures.forget(channel);
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

/// A role that the interaction does not describe is treated as one that only those with Mention Everyone may mention.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        chat::discord::{DiscordSettings, convert::typed},
        clock::SystemClock,
    };
    use axum::{Json, Router, extract::Path, http::StatusCode, routing::get};
    use serde_json::{Value, json};
    use std::sync::Arc;

    const ALL: u64 = 1 << 10 | 1 << 11 | 1 << 14;

    /// A Discord with one server (10), where the bot (5) has what everyone has, and these channels.
    async fn discord(channels: Value) -> Discord {
        let channel = move |Path(id): Path<String>| {
            let found = channels.get(&id).cloned();
            let missing = (StatusCode::NOT_FOUND, Json(json!({"code": 10003, "message": "Unknown Channel"})));
            async move { found.map(Json).ok_or(missing) }
        };
        let roles = json!([{"id": "10", "permissions": (ALL | 1 << 38).to_string()}]);
        let routes = Router::new()
            .route("/api/v10/channels/{id}", get(channel))
            .route("/api/v10/guilds/10/roles", get(|| async move { Json(roles) }))
            .route("/api/v10/guilds/10/members/5", get(|| async { Json(json!({"roles": []})) }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api_url = format!("http://{}", listener.local_addr().unwrap());
        #[expect(clippy::disallowed_methods, reason = "a test's server ends with its runtime")]
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let settings = DiscordSettings { api_url, token: "t".to_owned().into(), application_id: 5, public_key: None };
        Discord::new(settings, Arc::new(SystemClock))
    }

    /// `/channel subscribe` typed in channel 20 for `there`, which the invoker sees as `described`.
    fn interaction(there: &str, described: &Value) -> Interaction {
        serde_json::from_value(json!({
            "id": "1", "token": "t", "guild_id": "10", "channel_id": "20", "context": 0, "app_permissions": ALL.to_string(),
            "authorizing_integration_owners": {"0": "10"},
            "channel": {"id": "20", "type": 0, "name": "here", "permissions": "1056"},
            "member": {"user": {"id": "30"}, "permissions": "1056"},
            "data": {"name": "channel", "options": [{"name": "subscribe", "type": 1, "options": [
                {"name": "channel", "type": 7, "value": there}, {"name": "mention", "type": 8, "value": "10"}]}],
                "resolved": {"channels": {there: described}, "roles": {"10": {"mentionable": true}}}},
        }))
        .unwrap()
    }

    async fn facts(channels: Value, there: &str, described: Value) -> Request {
        let interaction = interaction(there, &described);
        let typed = typed(&interaction).unwrap();
        request(&discord(channels).await, &interaction, typed).await
    }

    #[tokio::test]
    async fn the_channel_of_an_option_is_looked_at_before_anything_is_saved() {
        let seen = json!({"type": 0, "name": "b`ad\u{202e}", "permissions": "1024"});
        let with = |change: Value| {
            let mut seen = seen.clone();
            seen.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            seen
        };
        let plain = json!({"21": {"type": 0, "guild_id": "10"}, "22": {"type": 0, "guild_id": "11"},
            "23": {"type": 0, "guild_id": "10", "permission_overwrites": [{"id": "10", "type": 0, "allow": "0", "deny": ALL.to_string()}]},
            "24": {"type": 11, "guild_id": "10", "parent_id": "23"}});
        let missing = |names: &[&'static str]| Some(ChannelProblem::Missing(names.to_vec()));
        for (there, described, problem) in [
            ("21", seen.clone(), None),
            ("21", with(json!({"permissions": "32"})), Some(ChannelProblem::NotVisible)),
            ("21", with(json!({"type": 4})), Some(ChannelProblem::WrongKind)),
            ("21", with(json!({"guild_id": "11"})), Some(ChannelProblem::NotHere)),
            ("22", seen.clone(), Some(ChannelProblem::NotHere)),
            ("99", seen.clone(), Some(ChannelProblem::NotHere)),
            ("23", seen.clone(), missing(&["View Channel", "Send Messages", "Embed Links"])),
            ("24", with(json!({"type": 11})), missing(&["View Channel", "Embed Links"])),
        ] {
            let channel = facts(plain.clone(), there, described).await.channel.unwrap();
            assert_eq!(channel.problem, problem, "{there}");
            assert_eq!(channel.address, Address::new(Platform::Discord, there));
            assert_eq!(channel.label, "#b`ad");
        }
    }

    #[tokio::test]
    async fn where_discord_does_not_say_nothing_is_assumed() {
        let seen = json!({"type": 0, "permissions": "1024"});
        let unreadable = json!({"21": {"type": "text"}});
        assert_eq!(facts(unreadable, "21", seen).await.channel.unwrap().problem, Some(ChannelProblem::Unknown));
    }

    #[tokio::test]
    async fn everyone_is_known_as_such_and_mention_everyone_is_looked_for() {
        let channels = json!({"21": {"type": 0, "guild_id": "10"}});
        let seen = json!({"type": 0, "permissions": (1_u64 << 10 | 1 << 17).to_string()});
        let role = facts(channels, "21", seen).await.role.unwrap();
        assert_eq!(role, RoleFacts { id: "10".into(), is_everyone: true, mentionable: true, invoker_may: true, bot_may: false });
    }

    #[tokio::test]
    async fn the_current_channel_needs_no_question() {
        let described = json!({"type": 0, "name": "here", "permissions": "1056"});
        let request = facts(json!({}), "20", described).await;
        assert_eq!(request.channel.unwrap().problem, None);
        assert_eq!(request.key.as_deref(), Some("1"));
    }
}
