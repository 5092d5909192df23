//! Secrets that are replaced while it runs: what was read again takes the place of what is in use, each by itself. What is wrong or missing
//! leaves the old one where it is.

use crate::{
    chat::{discord::Discord, telegram::Telegram},
    config::{Config, Mistakes},
    http::Credential,
    sources::token_metrics::TokenMetrics,
};
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;

/// The secrets that can be replaced, each with those that are replaced together with it. That of the database is part of every connection
/// to it.
const NAMES: &[&[&str]] = &[
    &["TOKEN_METRICS_API_KEY", "TOKEN_METRICS_API_KEY_NEXT"],
    &["DISCORD_BOT_TOKEN"],
    &["TELEGRAM_BOT_TOKEN"],
    &["TELEGRAM_WEBHOOK_SECRET"],
    &["BELLWETHER_ADMIN_TOKEN"],
];

/// Everything that shows or asks for a secret. Cheap to clone.
#[derive(Clone)]
pub struct Renewal {
    pub(super) source: Arc<TokenMetrics>,
    pub(super) discord: Option<Discord>,
    pub(super) telegram: Option<Telegram>,
    pub(super) admin_token: Option<Credential>,
    pub(super) database_url: SecretString,
}

/// What became of one secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// There is none, and there was none.
    Off,
    /// It is in use, and perhaps another one. What had stopped because of the old one goes on.
    Renewed { is_another: bool },
    /// It is not given any more: the old one stays in use.
    Missing,
    /// It was not given when it began: nothing uses it.
    NeedsRestart,
    /// It is that of another bot: neither chats nor commands are its own.
    AnotherBot,
}

impl Renewal {
    /// Takes what was read again; one line of the log for everything that has to be known.
    pub fn renew(&self, read: &Config, mistakes: &Mistakes) {
        let wrong = mistakes.about(&NAMES.concat());
        for mistake in &wrong.0 {
            tracing::error!("{mistake}; the old secret is kept: mend it, then send SIGHUP again");
        }
        let mut replaced = Vec::new();
        for names in NAMES.iter().filter(|names| wrong.about(names).0.is_empty()) {
            let name = names[0];
            match self.renew_one(name, read) {
                Outcome::Renewed { is_another: true } => replaced.push(name),
                Outcome::Off | Outcome::Renewed { is_another: false } => {}
                Outcome::Missing => tracing::error!("{name}: it is not set any more; the old one is kept until a restart"),
                Outcome::NeedsRestart => tracing::error!("{name}: it was not set at the start; restart `bellwether serve` to use it"),
                Outcome::AnotherBot => {
                    tracing::error!(
                        "{name}: it is the token of another bot; the old one is kept: restart `bellwether serve` to become that bot"
                    );
                }
            }
        }
        if read.database_url.expose_secret() != self.database_url.expose_secret() {
            tracing::error!("DATABASE_URL: it is another one; restart `bellwether serve` to use it");
        }
        let replaced = if replaced.is_empty() { "none".to_owned() } else { replaced.join(", ") };
        tracing::info!(
            replaced,
            "secrets were read again from their _FILE files and .env; what the process's own environment holds changes with a restart alone"
        );
    }

    fn renew_one(&self, name: &str, read: &Config) -> Outcome {
        let source = &read.source;
        let discord = (self.discord.as_ref().map(Discord::token), read.discord.as_ref().map(|discord| &discord.token));
        let telegram = (self.telegram.as_ref().map(Telegram::token), read.telegram.as_ref().map(|telegram| &telegram.token));
        match name {
            "TOKEN_METRICS_API_KEY" => source.api_key.as_ref().map_or(Outcome::Missing, |key| Outcome::Renewed {
                is_another: self.source.renew_keys(key.clone(), source.next_api_key.clone()),
            }),
            "DISCORD_BOT_TOKEN" if is_another_bot(discord) => Outcome::AnotherBot,
            "DISCORD_BOT_TOKEN" => renew(discord.0, discord.1),
            "TELEGRAM_BOT_TOKEN" if is_another_bot(telegram) => Outcome::AnotherBot,
            "TELEGRAM_BOT_TOKEN" => renew(telegram.0, telegram.1),
            "TELEGRAM_WEBHOOK_SECRET" => {
                let webhook = self.telegram.as_ref().and_then(Telegram::webhook);
                let read = read.telegram.as_ref().and_then(|telegram| telegram.webhook.as_ref());
                renew(webhook.map(|webhook| &webhook.secret), read.map(|webhook| &webhook.secret))
            }
            _ => renew(self.admin_token.as_ref(), read.admin_token.as_ref()),
        }
    }
}

fn renew(used: Option<&Credential>, read: Option<&SecretString>) -> Outcome {
    match (used, read) {
        (Some(used), Some(read)) => Outcome::Renewed { is_another: used.renew(read.clone()) },
        (Some(_), None) => Outcome::Missing,
        (None, Some(_)) => Outcome::NeedsRestart,
        (None, None) => Outcome::Off,
    }
}

/// What stands before the first mark of a token is the bot's own on both platforms.
fn is_another_bot((used, read): (Option<&Credential>, Option<&SecretString>)) -> bool {
    let bot = |token: &SecretString| token.expose_secret().split(['.', ':']).next().map(str::to_owned);
    used.zip(read).is_some_and(|(used, read)| bot(&used.current()) != bot(read))
}
