//! `bellwether check`: tries every setting for real and prints what is right, what is wrong, and how to mend it. Never prints a secret.
//!
//! Every probe is a function that gives [`CheckItem`]s; what is printed is made of those alone.

use super::{CommandResult, Settings, output};
use crate::{
    clock::{Clock, SystemClock},
    config::Config,
    domain::Kind,
    store::Store,
};
use secrecy::ExposeSecret;
use std::process::ExitCode;

/// How an item stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckStatus {
    /// As it should be.
    Ok,
    /// Works, but is surely not meant, or not finished.
    Warn,
    /// Does not work.
    Fail,
}

/// One line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckItem {
    /// What was tried.
    pub name: String,
    /// How it stands.
    pub status: CheckStatus,
    /// How to mend it, or what was found.
    pub advice: String,
}

impl CheckStatus {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warn => "warn",
            Self::Fail => "fail",
        }
    }
}

impl CheckItem {
    /// As it should be; `found` says what was found.
    pub fn ok(name: impl Into<String>, found: impl Into<String>) -> Self {
        Self { name: name.into(), status: CheckStatus::Ok, advice: found.into() }
    }

    /// Works, but…
    pub fn warn(name: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name: name.into(), status: CheckStatus::Warn, advice: advice.into() }
    }

    /// Does not work.
    pub fn fail(name: impl Into<String>, advice: impl Into<String>) -> Self {
        Self { name: name.into(), status: CheckStatus::Fail, advice: advice.into() }
    }
}

pub(super) async fn run(settings: &Settings, offline: bool) -> CommandResult {
    let config = &settings.config;
    let mut items = of_settings(settings);
    items.push(of_database(config, &SystemClock).await);
    items.extend(of_source(config, offline));
    items.extend(of_platforms(config, offline));
    items.push(of_operators(config));
    items.extend(of_later(config));
    output::result(&render(&items));
    let failed = items.iter().any(|item| item.status == CheckStatus::Fail);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn render(items: &[CheckItem]) -> String {
    let rows: Vec<_> = items.iter().map(|item| vec![item.name.clone(), item.status.as_str().to_owned(), item.advice.clone()]).collect();
    output::table(&["item", "", "what was found, how to fix"], &rows)
}

fn of_settings(settings: &Settings) -> Vec<CheckItem> {
    let wrong =
        settings.mistakes.0.iter().map(|mistake| CheckItem::fail(&mistake.name, format!("{}; write {}", mistake.what, mistake.instead)));
    let strange = settings.config.warnings.iter().map(|warning| CheckItem::warn("configuration", warning));
    let mut items: Vec<_> = wrong.chain(strange).collect();
    if items.is_empty() {
        items.push(CheckItem::ok("configuration", "every setting can be read"));
    }
    items
}

/// Opens it, migrates it, writes to it.
async fn of_database(config: &Config, clock: &dyn Clock) -> CheckItem {
    const NAME: &str = "database";
    let store = match Store::open(config.database_url.expose_secret()).await {
        Ok(store) => store,
        Err(error) => return CheckItem::fail(NAME, format!("{error}; mend DATABASE_URL")),
    };
    let written = match store.notice_is_new("check: can it be written to", clock.now()).await {
        Ok(_) => store.clear_notice("check: can it be written to").await.map(drop),
        Err(error) => Err(error),
    };
    store.close().await;
    match written {
        Ok(()) => CheckItem::ok(NAME, "opened, migrated, can be written to"),
        Err(error) => CheckItem::fail(NAME, format!("it cannot be written to: {error}; free space or mend its permissions")),
    }
}

fn of_source(config: &Config, offline: bool) -> Option<CheckItem> {
    const NAME: &str = "API key";
    match &config.source.api_key {
        None if offline => Some(CheckItem::warn(NAME, "TOKEN_METRICS_API_KEY is not set; `serve` needs it")),
        None => Some(CheckItem::fail(NAME, "TOKEN_METRICS_API_KEY is not set; `serve` needs it")),
        Some(_) => offline.then(|| CheckItem::ok(NAME, "set; not tried (--offline)")),
    }
}

fn of_platforms(config: &Config, offline: bool) -> Vec<CheckItem> {
    let mut items = Vec::new();
    if config.discord.is_none() && config.telegram.is_none() {
        let advice = "no bot token is set, so `serve` would refuse to start; set DISCORD_BOT_TOKEN or TELEGRAM_BOT_TOKEN";
        items.push(if offline { CheckItem::warn("platforms", advice) } else { CheckItem::fail("platforms", advice) });
    }
    match &config.discord {
        None => items.push(CheckItem::ok("Discord", "off (DISCORD_BOT_TOKEN is not set)")),
        Some(discord) => {
            items.push(match discord.public_key {
                Some(_) => CheckItem::ok("Discord public key", "a valid key; commands come over HTTP at /discord/interactions"),
                None => CheckItem::warn("Discord public key", "DISCORD_PUBLIC_KEY is not set: no command can arrive over HTTP"),
            });
            if offline {
                items.push(CheckItem::ok("Discord", "token and application id are set; not tried (--offline)"));
            }
        }
    }
    match &config.telegram {
        None => items.push(CheckItem::ok("Telegram", "off (TELEGRAM_BOT_TOKEN is not set)")),
        Some(telegram) => {
            if offline {
                items.push(CheckItem::ok("Telegram", "a token is set; not tried (--offline)"));
            }
            if telegram.webhook_secret.is_some() && config.public_url.is_some() {
                items.push(CheckItem::warn("Telegram webhook", "not in this version: updates come by long polling"));
            }
        }
    }
    items
}

fn of_operators(config: &Config) -> CheckItem {
    if config.operators.is_empty() {
        return CheckItem::ok("operators", "none: notices are WARN lines in the log alone (BELLWETHER_OPERATORS)");
    }
    let addresses: Vec<_> = config.operators.iter().map(ToString::to_string).collect();
    CheckItem::ok("operators", addresses.join(", "))
}

/// Settings of what comes later: taken, without effect.
fn of_later(config: &Config) -> Vec<CheckItem> {
    let schedules = config.source.schedules.keys().filter(|kind| !Kind::AVAILABLE.contains(kind));
    let mut items: Vec<_> = schedules
        .map(|kind| {
            CheckItem::warn(format!("BELLWETHER_SCHEDULE_{}", kind.as_str().to_ascii_uppercase()), "not in this version: it has no effect")
        })
        .collect();
    if config.public_pages {
        items.push(CheckItem::warn("BELLWETHER_PUBLIC_PAGES", "not in this version: it has no effect"));
    }
    items
}
