//! The Telegram bot: token, webhook, command lists.

use super::CheckItem;
use crate::{
    app::telegram_of,
    chat::telegram::{ApiError, Telegram, Webhook, WebhookInfo, trouble_of_delivery},
    clock::SharedClock,
    commands::telegram_commands,
    config::Config,
    domain::Timestamp,
};

const TOKEN: &str = "Telegram token";
const UPDATES: &str = "Telegram updates";
const COMMANDS: &str = "Telegram commands";

/// Everything about the bot on Telegram.
pub(super) async fn probe(config: &Config, clock: &SharedClock, offline: bool) -> Vec<CheckItem> {
    let Some(telegram) = telegram_of(config, clock) else {
        return vec![CheckItem::ok("Telegram", "off (TELEGRAM_BOT_TOKEN is not set)")];
    };
    let mut items = Vec::new();
    if offline {
        items.push(CheckItem::ok(TOKEN, "set; not tried (--offline)"));
        let way = telegram.webhook().map_or_else(|| "long polling".to_owned(), |webhook| format!("webhook, to {}", webhook.url));
        items.push(CheckItem::ok(UPDATES, format!("by {way}; not tried (--offline)")));
        return items;
    }
    match telegram.me().await {
        Ok(me) => items.push(CheckItem::ok(TOKEN, format!("works: the bot is @{}", me.username))),
        Err(error) => {
            items.push(CheckItem::fail(TOKEN, format!("{error}; {}", fix_of(&error))));
            return items;
        }
    }
    items.push(of_updates(&telegram, clock).await);
    items.push(of_commands(&telegram).await);
    items
}

async fn of_updates(telegram: &Telegram, clock: &SharedClock) -> CheckItem {
    match (telegram.webhook_info().await, telegram.webhook()) {
        (Ok(info), Some(webhook)) => of_webhook(&info, webhook, clock.now()),
        (Ok(info), None) if info.url.is_empty() => CheckItem::ok(UPDATES, "no webhook is set: they come by long polling"),
        (Ok(info), None) => CheckItem::warn(
            UPDATES,
            format!(
                "a webhook is set, to {}; `serve` removes it. If another program needs it, give Bellwether a bot of its own",
                host_of(&info.url)
            ),
        ),
        (Err(error), _) => CheckItem::fail(UPDATES, format!("{error}; {}", fix_of(&error))),
    }
}

/// What Telegram says of the webhook that this instance wants.
fn of_webhook(info: &WebhookInfo, webhook: &Webhook, now: Timestamp) -> CheckItem {
    let waiting = match info.pending_update_count {
        0 => "none wait".to_owned(),
        count => format!("{count} wait"),
    };
    if info.url.is_empty() {
        return CheckItem::warn(UPDATES, format!("the webhook is not set yet: `serve` sets it, to {}", webhook.url));
    }
    if info.url != webhook.url {
        let advice = format!(
            "a webhook is set, to {}; `serve` replaces it with {}. If another program needs it, give Bellwether a bot of its own",
            host_of(&info.url),
            webhook.url
        );
        return CheckItem::warn(UPDATES, advice);
    }
    if let Some(words) = info.trouble(Timestamp::EPOCH, now) {
        let fix = trouble_of_delivery(&words).advice();
        return CheckItem::fail(UPDATES, format!("Telegram cannot deliver to {}: {words}; {waiting}; {fix}", webhook.url));
    }
    if !info.leads_to(&webhook.url) {
        return CheckItem::warn(UPDATES, "the webhook is set, but not for the updates that are needed: `serve` sets it when it starts");
    }
    CheckItem::ok(UPDATES, format!("by webhook, to {}; {waiting}", webhook.url))
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
pub(super) fn fix_of(error: &ApiError) -> String {
    error.trouble().advice()
}

#[cfg(test)]
mod tests {
    use super::{super::CheckStatus, *};

    #[test]
    fn every_state_of_the_webhook_has_its_words() {
        let webhook = Webhook { url: "https://bot.example.org/telegram/webhook".to_owned(), secret: "s".into() };
        let now = Timestamp::from_secs(1_000_000);
        let set = WebhookInfo {
            url: webhook.url.clone(),
            allowed_updates: vec!["message".to_owned(), "callback_query".to_owned(), "my_chat_member".to_owned()],
            ..WebhookInfo::default()
        };
        let failing = |words: &str| WebhookInfo {
            pending_update_count: 3,
            last_error_date: Some(999_900),
            last_error_message: Some(words.to_owned()),
            ..set.clone()
        };
        for (info, status, part) in [
            (set.clone(), CheckStatus::Ok, "by webhook, to https://bot.example.org/telegram/webhook; none wait"),
            (WebhookInfo::default(), CheckStatus::Warn, "not set yet"),
            (
                WebhookInfo { url: "https://other.example.org/s3cret".to_owned(), ..set.clone() },
                CheckStatus::Warn,
                "to \"other.example.org\"",
            ),
            (WebhookInfo { allowed_updates: Vec::new(), ..set.clone() }, CheckStatus::Warn, "not for the updates"),
            (
                failing("Wrong response from the webhook: 401 Unauthorized"),
                CheckStatus::Fail,
                "3 wait; restart bellwether serve, which sets TELEGRAM_WEBHOOK_SECRET anew",
            ),
            (failing("Wrong response from the webhook: 404 Not Found"), CheckStatus::Fail, "[TG-WEBHOOK-404]"),
            (failing("Wrong response from the webhook: 502 Bad Gateway"), CheckStatus::Fail, "[TG-WEBHOOK-5XX]"),
            (failing("SSL error {error:0A000086:SSL routines::certificate verify failed}"), CheckStatus::Fail, "[TG-WEBHOOK-TLS]"),
            (failing("Connection timed out"), CheckStatus::Fail, "149.154.160.0/20"),
        ] {
            let item = of_webhook(&info, &webhook, now);
            assert!(item.status == status && item.advice.contains(part), "{part}: {item:?}");
            assert!(!item.advice.contains("s3cret"));
        }
    }

    #[test]
    fn the_path_of_a_webhook_is_not_shown() {
        assert_eq!(host_of("https://bots.example.org/hook/s3cret?x=y"), "\"bots.example.org\"");
        assert_eq!(host_of("s3cret"), "another address");
    }
}
