//! `bellwether check`: tries every setting for real and prints what is right, what is wrong, and how to mend it. Never prints a secret.
//!
//! Every probe is a function that gives [`CheckItem`]s; what is printed is made of those alone.

mod discord;
mod source;
mod telegram;

use super::{
    CommandResult, Settings, output,
    serving::{self, NotUsed},
};
use crate::{
    app::{discord_of, telegram_of},
    clock::{SharedClock, SystemClock},
    config::Config,
    domain::{Address, Platform, Timestamp},
    store::{Store, StoreError, StoreResult},
};
use std::{process::ExitCode, sync::Arc};

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
    let (config, clock): (_, SharedClock) = (&settings.config, Arc::new(SystemClock));
    let mut items = of_settings(settings);
    let (store, database) = of_database(config, clock.now()).await;
    items.push(database);
    let key = source::of_key(config, store.as_ref(), &clock, offline).await.unwrap_or_else(|error| broken("API key", &error));
    // What was not tried is not known to work.
    let known = if offline { CheckStatus::Warn } else { key.status };
    items.push(key);
    let mut calls = None;
    if let Some(store) = &store {
        match with_database(config, store, known, clock.now(), &mut items).await {
            Ok(line) => calls = Some(line),
            Err(error) => items.push(broken("call budget", &error)),
        }
        store.close().await;
    }
    items.extend(of_platforms(config, offline));
    items.extend(discord::probe(config, &clock, offline).await);
    items.extend(telegram::probe(config, &clock, offline).await);
    items.extend(of_operators(config, &clock, offline).await);
    items.extend(of_later(config));
    output::result(&render(&items));
    output::result(&format!("\n{}", calls.as_deref().unwrap_or("The calls of a month are unknown: they are planned from the database.")));
    let failed = items.iter().any(|item| item.status == CheckStatus::Fail);
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

/// What only the database knows; gives the line about the calls of a month.
async fn with_database(
    config: &Config,
    store: &Store,
    key: CheckStatus,
    now: Timestamp,
    items: &mut Vec<CheckItem>,
) -> StoreResult<String> {
    items.extend(source::of_feeds(store, key, now).await?);
    let calls = source::of_calls(config, store, now).await?;
    items.push(calls.item);
    Ok(calls.line)
}

fn broken(name: &str, error: &StoreError) -> CheckItem {
    CheckItem::fail(name, format!("the database failed: {error}; see the line about it"))
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
async fn of_database(config: &Config, now: Timestamp) -> (Option<Store>, CheckItem) {
    const NAME: &str = "database";
    const PROBE: &str = "check: can it be written to";
    let store = match serving::open(config).await {
        Ok(store) => store,
        Err(error @ NotUsed::OlderServes) => return (None, CheckItem::fail(NAME, error.to_string())),
        Err(error) => return (None, CheckItem::fail(NAME, format!("{error}; mend DATABASE_URL"))),
    };
    let written = match store.notice_is_new(PROBE, None, now).await {
        Ok(_) => store.clear_notice(PROBE, None, now).await.map(drop),
        Err(error) => Err(error),
    };
    match written {
        Ok(()) => (Some(store), CheckItem::ok(NAME, "opened, migrated, can be written to")),
        Err(error) => {
            store.close().await;
            (None, CheckItem::fail(NAME, format!("it cannot be written to: {error}; free space or mend its permissions")))
        }
    }
}

fn of_platforms(config: &Config, offline: bool) -> Option<CheckItem> {
    let advice = "no bot token is set, so `serve` would refuse to start; set DISCORD_BOT_TOKEN or TELEGRAM_BOT_TOKEN";
    let none = config.discord.is_none() && config.telegram.is_none();
    none.then(|| if offline { CheckItem::warn("platforms", advice) } else { CheckItem::fail("platforms", advice) })
}

/// Where notices go, and whether the bot sees that place.
async fn of_operators(config: &Config, clock: &SharedClock, offline: bool) -> Vec<CheckItem> {
    if config.operators.is_empty() {
        let advice = "none: notices are WARN lines in the log alone (BELLWETHER_OPERATORS)";
        return vec![CheckItem::ok("operators", advice)];
    }
    let mut items = Vec::new();
    for address in &config.operators {
        let name = format!("operator {address}");
        items.push(if offline { CheckItem::ok(name, "not tried (--offline)") } else { of_operator(config, clock, address, name).await });
    }
    items
}

async fn of_operator(config: &Config, clock: &SharedClock, address: &Address, name: String) -> CheckItem {
    if address.direct_user().is_some() {
        return CheckItem::ok(name, "direct messages; not tried, because that would open them");
    }
    let seen = match address.platform {
        Platform::Discord => match discord_of(config, clock) {
            Some(discord) => discord.sees(&address.chat).await.map_err(|error| format!("{error}; {}", discord::fix_of(&error))),
            None => return CheckItem::warn(name, "Discord is off: its notices wait"),
        },
        Platform::Telegram => match telegram_of(config, clock) {
            Some(telegram) => telegram.sees(&address.chat).await.map_err(|error| format!("{error}; {}", telegram::fix_of(&error))),
            None => return CheckItem::warn(name, "Telegram is off: its notices wait"),
        },
        Platform::Console => Ok(()),
    };
    match seen {
        Ok(()) => CheckItem::ok(name, "the bot sees it"),
        Err(advice) => CheckItem::fail(name, advice),
    }
}

/// Settings of what comes later: taken, without effect.
fn of_later(config: &Config) -> Vec<CheckItem> {
    let pages = config.public_pages.then(|| CheckItem::warn("BELLWETHER_PUBLIC_PAGES", "not in this version: it has no effect"));
    pages.into_iter().collect()
}
