//! The Telegram bot: token, webhook, command lists.

use super::CheckItem;
use crate::{
    app::telegram_of,
    chat::telegram::{ApiError, Telegram},
    clock::SharedClock,
    commands::telegram_commands,
    config::Config,
};

const TOKEN: &str = "Telegram token";
const UPDATES: &str = "Telegram updates";
const COMMANDS: &str = "Telegram commands";

/// Everything about the bot on Telegram.
pub(super) async fn probe(config: &Config, clock: &SharedClock, offline: bool) -> Vec<CheckItem> {
    let (Some(settings), Some(telegram)) = (&config.telegram, telegram_of(config, clock)) else {
        return vec![CheckItem::ok("Telegram", "off (TELEGRAM_BOT_TOKEN is not set)")];
    };
    let mut items = Vec::new();
    if settings.webhook_secret.is_some() && config.public_url.is_some() {
        items.push(CheckItem::warn("TELEGRAM_WEBHOOK_SECRET", "not in this version: updates come by long polling, and it has no effect"));
    }
    if offline {
        items.push(CheckItem::ok(TOKEN, "set; not tried (--offline)"));
        return items;
    }
    match telegram.me().await {
        Ok(me) => items.push(CheckItem::ok(TOKEN, format!("works: the bot is @{}", me.username))),
        Err(error) => {
            items.push(CheckItem::fail(TOKEN, format!("{error}; {}", fix_of(&error))));
            return items;
        }
    }
    items.push(of_updates(&telegram).await);
    items.push(of_commands(&telegram).await);
    items
}

async fn of_updates(telegram: &Telegram) -> CheckItem {
    match telegram.webhook().await {
        Ok(None) => CheckItem::ok(UPDATES, "no webhook is set: they come by long polling"),
        Ok(Some(url)) => CheckItem::warn(
            UPDATES,
            format!(
                "a webhook is set, to {}; `serve` removes it. If another program needs it, give Bellwether a bot of its own",
                host_of(&url)
            ),
        ),
        Err(error) => CheckItem::fail(UPDATES, format!("{error}; {}", fix_of(&error))),
    }
}

/// The host alone: the path of a webhook is often its secret.
fn host_of(url: &str) -> String {
    let host = url.parse::<reqwest::Url>().ok().and_then(|url| url.host_str().map(str::to_owned));
    host.map_or_else(|| "another address".to_owned(), |host| crate::http::quoted(&host))
}

async fn of_commands(telegram: &Telegram) -> CheckItem {
    match telegram.unregistered(&telegram_commands()).await {
        Ok(scopes) if scopes.is_empty() => CheckItem::ok(COMMANDS, "registered as they are"),
        Ok(scopes) => {
            let scopes = scopes.join(", ");
            CheckItem::warn(
                COMMANDS,
                format!("not registered as they are for {scopes}: `bellwether register` does it, and so does `serve` when it starts"),
            )
        }
        Err(error) => CheckItem::fail(COMMANDS, format!("{error}; {}", fix_of(&error))),
    }
}

/// What to do about a call that Telegram did not answer.
pub(super) fn fix_of(error: &ApiError) -> &'static str {
    match error {
        error if error.is_unauthorized() => {
            "the token is wrong or was revoked: @BotFather, /mybots, API Token, and write it into TELEGRAM_BOT_TOKEN"
        }
        ApiError::Refused { code: 429, .. } => "wait a few minutes, then check again",
        ApiError::Refused { code: 500.., .. } => "Telegram itself is unwell: check again later",
        ApiError::Refused { .. } => "the bot is not in that chat, or may not write there: add it again",
        ApiError::Foreign { status: 500.., .. } => "Telegram itself is unwell, or what stands at TELEGRAM_API_URL: check again later",
        ApiError::Foreign { .. } | ApiError::Unreadable { .. } => "check TELEGRAM_API_URL: something else answers there",
        ApiError::NotSent(_) | ApiError::Broken(_) => "check TELEGRAM_API_URL, this machine's network and DNS",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_of_a_webhook_is_not_shown() {
        assert_eq!(host_of("https://bots.example.org/hook/s3cret?x=y"), "\"bots.example.org\"");
        assert_eq!(host_of("s3cret"), "another address");
    }
}
