//! The Discord bot: token, application, key, endpoint, commands.

use super::CheckItem;
use crate::{
    app::discord_of,
    chat::discord::{ApiError, Application, Discord, GatewayFound},
    clock::SharedClock,
    commands::CATALOG,
    config::{Config, DiscordConfig},
};

const TOKEN: &str = "Discord token";
const PUBLIC_KEY: &str = "Discord public key";
const ENDPOINT: &str = "Discord endpoint";
const GATEWAY: &str = "Discord Gateway";
const COMMANDS: &str = "Discord commands";

/// Everything about the bot on Discord.
pub(super) async fn probe(config: &Config, clock: &SharedClock, offline: bool) -> Vec<CheckItem> {
    let (Some(settings), Some(discord)) = (&config.discord, discord_of(config, clock)) else {
        return vec![CheckItem::ok("Discord", "off (DISCORD_BOT_TOKEN is not set)")];
    };
    if offline {
        let key = match settings.public_key {
            Some(_) => CheckItem::ok(PUBLIC_KEY, "a valid key; not compared (--offline)"),
            None => CheckItem::ok(PUBLIC_KEY, "not set: commands come over the Gateway; not tried (--offline)"),
        };
        return vec![CheckItem::ok(TOKEN, "set; not tried (--offline)"), key];
    }
    let application = match discord.application().await {
        Ok(application) => application,
        Err(error) => return vec![CheckItem::fail(TOKEN, format!("{error}; {}", fix_of(&error)))],
    };
    let mut items = of_application(&discord, settings, &application, config.public_url.as_deref());
    if !discord.comes_over_http() {
        items.push(of_gateway(&discord).await);
    }
    if application.id == settings.application_id.to_string() {
        items.push(of_commands(&discord).await);
    }
    items
}

fn of_application(discord: &Discord, settings: &DiscordConfig, application: &Application, public_url: Option<&str>) -> Vec<CheckItem> {
    let name = crate::http::quoted(&application.name);
    let mut items = vec![CheckItem::ok(TOKEN, format!("works: the application is {name}"))];
    // 0 stands for a wrong setting, which has its own line.
    if settings.application_id != 0 && application.id != settings.application_id.to_string() {
        let advice =
            format!("DISCORD_APPLICATION_ID is {}, but the token belongs to {name}; write {}", settings.application_id, application.id);
        items.push(CheckItem::fail("Discord application id", advice));
    }
    let obstacle = discord.obstacle(application);
    items.push(match (&obstacle, discord.comes_over_http()) {
        (Some(obstacle), _) => CheckItem::fail(PUBLIC_KEY, obstacle),
        (None, true) => CheckItem::ok(PUBLIC_KEY, "is that of the application"),
        (None, false) => CheckItem::ok(PUBLIC_KEY, "not set: commands come over the Gateway"),
    });
    if discord.comes_over_http() {
        items.push(of_endpoint(application.endpoint(), public_url));
    }
    items
}

/// Where Discord sends commands over HTTP, against where they are taken.
fn of_endpoint(endpoint: Option<&str>, public_url: Option<&str>) -> CheckItem {
    let wanted = public_url.map(|url| format!("{url}/discord/interactions"));
    let portal = "in the developer portal, General Information, Interactions Endpoint URL";
    match (endpoint, wanted) {
        (None, wanted) => {
            let wanted = wanted.unwrap_or_else(|| "https://YOUR-HOST/discord/interactions".to_owned());
            let advice = format!(
                "empty, so that no command arrives; while `serve` runs, enter {wanted} {portal}; or unset DISCORD_PUBLIC_KEY to take \
                 commands over the Gateway"
            );
            CheckItem::warn(ENDPOINT, advice)
        }
        (Some(endpoint), Some(wanted)) if endpoint.trim_end_matches('/') != wanted => {
            let found = crate::http::quoted(endpoint);
            CheckItem::warn(ENDPOINT, format!("commands go to {found}, not to BELLWETHER_PUBLIC_URL; enter {wanted} {portal}"))
        }
        (Some(endpoint), _) => CheckItem::ok(ENDPOINT, crate::http::quoted(endpoint)),
    }
}

/// Whether the Gateway answers, and lets another session begin. Begins none.
async fn of_gateway(discord: &Discord) -> CheckItem {
    match discord.try_gateway().await {
        Ok(found) if found.starts_left < u64::from(found.shards) => {
            let GatewayFound { shards, starts_left } = found;
            let advice = format!(
                "sessions that may still begin today: {starts_left}, connections needed: {shards}; does another program use this token?"
            );
            CheckItem::warn(GATEWAY, advice)
        }
        Ok(GatewayFound { shards, starts_left }) => {
            CheckItem::ok(GATEWAY, format!("answers; connections needed: {shards}, sessions that may still begin today: {starts_left}"))
        }
        Err(error) => CheckItem::fail(GATEWAY, error.explain()),
    }
}

async fn of_commands(discord: &Discord) -> CheckItem {
    match discord.is_registered(CATALOG).await {
        Ok(true) => CheckItem::ok(COMMANDS, "registered as they are"),
        Ok(false) => {
            CheckItem::warn(COMMANDS, "not registered as they are: `bellwether register` does it, and so does `serve` when it starts")
        }
        Err(error) => CheckItem::fail(COMMANDS, format!("{error}; {}", fix_of(&error))),
    }
}

/// What to do about a question that Discord did not answer.
pub(super) fn fix_of(error: &ApiError) -> String {
    error.trouble().advice()
}
