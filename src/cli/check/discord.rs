//! The Discord bot: token, application, key, endpoint, commands.

use super::CheckItem;
use crate::{
    app::discord_of,
    chat::discord::{ApiError, Application, Discord},
    clock::SharedClock,
    commands::CATALOG,
    config::{Config, DiscordConfig},
};

const TOKEN: &str = "Discord token";
const PUBLIC_KEY: &str = "Discord public key";
const ENDPOINT: &str = "Discord endpoint";
const COMMANDS: &str = "Discord commands";

/// Everything about the bot on Discord.
pub(super) async fn probe(config: &Config, clock: &SharedClock, offline: bool) -> Vec<CheckItem> {
    let (Some(settings), Some(discord)) = (&config.discord, discord_of(config, clock)) else {
        return vec![CheckItem::ok("Discord", "off (DISCORD_BOT_TOKEN is not set)")];
    };
    if offline {
        let key = match settings.public_key {
            Some(_) => CheckItem::ok(PUBLIC_KEY, "a valid key; not compared (--offline)"),
            None => CheckItem::warn(PUBLIC_KEY, NO_GATEWAY),
        };
        return vec![CheckItem::ok(TOKEN, "set; not tried (--offline)"), key];
    }
    let application = match discord.application().await {
        Ok(application) => application,
        Err(error) => return vec![CheckItem::fail(TOKEN, format!("{error}; {}", fix_of(&error)))],
    };
    let mut items = of_application(settings, &application, config.public_url.as_deref());
    if application.id == settings.application_id.to_string() {
        items.push(of_commands(&discord).await);
    }
    items
}

const NO_GATEWAY: &str =
    "DISCORD_PUBLIC_KEY is not set, and commands over the Gateway are not in this version: alerts are sent, but nobody can type a command";

fn of_application(settings: &DiscordConfig, application: &Application, public_url: Option<&str>) -> Vec<CheckItem> {
    let name = crate::http::quoted(&application.name);
    let mut items = vec![CheckItem::ok(TOKEN, format!("works: the application is {name}"))];
    // 0 stands for a wrong setting, which has its own line.
    if settings.application_id != 0 && application.id != settings.application_id.to_string() {
        let advice =
            format!("DISCORD_APPLICATION_ID is {}, but the token belongs to {name}; write {}", settings.application_id, application.id);
        items.push(CheckItem::fail("Discord application id", advice));
    }
    let endpoint = application.interactions_endpoint_url.as_deref().filter(|url| !url.is_empty());
    let Some(key) = settings.public_key.map(|key| data_encoding::HEXLOWER.encode(&key)) else {
        items.push(match endpoint {
            None => CheckItem::warn(PUBLIC_KEY, format!("{NO_GATEWAY}; write {}", application.verify_key)),
            Some(endpoint) => CheckItem::fail(
                PUBLIC_KEY,
                format!(
                    "DISCORD_PUBLIC_KEY is not set, but Discord sends commands over HTTP to {}; HTTP and the Gateway exclude each other; write {}",
                    crate::http::quoted(endpoint),
                    application.verify_key
                ),
            ),
        });
        return items;
    };
    if key.eq_ignore_ascii_case(&application.verify_key) {
        items.push(CheckItem::ok(PUBLIC_KEY, "is that of the application"));
    } else {
        let advice =
            format!("DISCORD_PUBLIC_KEY is not that of {name}, so that every command is refused; write {}", application.verify_key);
        items.push(CheckItem::fail(PUBLIC_KEY, advice));
    }
    let wanted = public_url.map(|url| format!("{url}/discord/interactions"));
    let portal = "in the developer portal, General Information, Interactions Endpoint URL";
    items.push(match (endpoint, wanted) {
        (None, wanted) => {
            let wanted = wanted.unwrap_or_else(|| "https://YOUR-HOST/discord/interactions".to_owned());
            CheckItem::warn(ENDPOINT, format!("empty, so that no command arrives; while `serve` runs, enter {wanted} {portal}"))
        }
        (Some(endpoint), Some(wanted)) if endpoint.trim_end_matches('/') != wanted => {
            let found = crate::http::quoted(endpoint);
            CheckItem::warn(ENDPOINT, format!("commands go to {found}, not to BELLWETHER_PUBLIC_URL; enter {wanted} {portal}"))
        }
        (Some(endpoint), _) => CheckItem::ok(ENDPOINT, crate::http::quoted(endpoint)),
    });
    items
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
