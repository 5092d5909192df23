//! Every setting, read once at the start into one struct (`contract.md` section 2). Nothing else in the program reads the environment.
//!
//! All mistakes are reported together, one line per setting: its name, what is wrong, what to write instead. A secret is never part of
//! such a line, nor of what `Debug` prints.

mod environment;
mod reader;
mod schedule;
mod variables;

pub use environment::Environment;
pub use schedule::{GivenSchedule, ScheduleProblem};
pub use variables::{VARIABLES, Variable};

use crate::domain::{Address, Kind, Platform, Retention};
use reader::Reader;
use secrecy::{ExposeSecret, SecretString};
use std::{collections::BTreeMap, fmt, io, net::SocketAddr, path::Path};

/// All settings.
#[derive(Clone, Debug)]
pub struct Config {
    /// `sqlite://PATH` or `postgres://…`; a secret because the latter holds a password.
    pub database_url: SecretString,
    /// Where the HTTP listener listens; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// Where the world reaches it, without a slash at the end.
    pub public_url: Option<String>,
    /// For operators' pages; without it those answer only to a direct loopback request (`rules.md` 6.3).
    pub admin_token: Option<SecretString>,
    /// Where operators' notices go.
    pub operators: Vec<Address>,
    /// Whether token pages are for everybody (later).
    pub public_pages: bool,
    /// How long what is kept.
    pub retention: Retention,
    /// How the log is written.
    pub log: LogConfig,
    /// The signal API.
    pub source: SourceConfig,
    /// On where a bot token is given.
    pub discord: Option<DiscordConfig>,
    /// On where a bot token is given.
    pub telegram: Option<TelegramConfig>,
    /// What is not wrong but surely not meant: misspelt names, settings without effect. One sentence each.
    pub warnings: Vec<String>,
}

/// How the log is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// `RUST_LOG`: which lines.
    pub filter: String,
    /// `BELLWETHER_LOG_FORMAT`: in which form.
    pub format: LogFormat,
}

/// The form of a log line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// The signal API.
#[derive(Clone, Debug)]
pub struct SourceConfig {
    /// The key; `serve` needs it.
    pub api_key: Option<SecretString>,
    /// What is tried once that one is refused.
    pub next_api_key: Option<SecretString>,
    /// The base URL, without a slash at the end.
    pub api_url: String,
    /// Calls in a UTC calendar month; 0: no limit.
    pub calls_per_month: u32,
    /// Calls in a minute; 0: no limit.
    pub calls_per_minute: u32,
    /// How many tokens by market cap `all` means.
    pub all_tokens: u32,
    /// The schedules that were given; the others are chosen from the budget.
    pub schedules: BTreeMap<Kind, GivenSchedule>,
}

/// The Discord bot.
#[derive(Clone, Debug)]
pub struct DiscordConfig {
    /// The bot's token, without the word `Bot`.
    pub token: SecretString,
    /// The application's id.
    pub application_id: u64,
    /// Given: commands come over HTTP, signed with this Ed25519 key. Otherwise over the Gateway.
    pub public_key: Option<[u8; 32]>,
    /// Scheme, host and port in front of `/api/v10/…`.
    pub api_url: String,
}

/// The Telegram bot.
#[derive(Clone, Debug)]
pub struct TelegramConfig {
    /// The bot's token.
    pub token: SecretString,
    /// In front of `/bot<token>/<method>`, without a slash at the end.
    pub api_url: String,
    /// Given together with the secret and a public URL: updates come by webhook, not by long polling.
    pub webhook: Option<WebhookConfig>,
}

/// How Telegram's updates come by webhook (`rules.md` 6.2).
#[derive(Clone, Debug)]
pub struct WebhookConfig {
    /// [`Config::public_url`], on a port that Telegram calls.
    pub public_url: String,
    /// What Telegram shows: 1 to 256 of `A-Za-z0-9_-`.
    pub secret: SecretString,
}

/// One wrong setting. Never holds a secret's value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Its name.
    pub name: String,
    /// What is wrong.
    pub what: String,
    /// What to write instead.
    pub instead: String,
}

/// Every wrong setting, in the order of the documentation; one line each.
#[derive(Clone, Debug, Default, PartialEq, Eq, thiserror::Error)]
pub struct Mistakes(pub Vec<Mistake>);

impl Mistake {
    fn new(name: &str, what: &str, instead: &str) -> Self {
        Self { name: name.to_owned(), what: what.to_owned(), instead: instead.to_owned() }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}; write {}", self.name, self.what, self.instead)
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            let line_break = if index == 0 { "" } else { "\n" };
            write!(out, "{line_break}{mistake}")?;
        }
        Ok(())
    }
}

impl Mistakes {
    /// Those about these settings alone: a command that needs only them can run although others are wrong. `.env` concerns everybody.
    #[must_use]
    pub fn about(&self, names: &[&str]) -> Self {
        let concerns = |mistake: &&Mistake| {
            let name = mistake.name.strip_suffix("_FILE").unwrap_or(&mistake.name);
            name == ".env" || names.contains(&name)
        };
        Self(self.0.iter().filter(concerns).cloned().collect())
    }

    /// Nothing is wrong: `Ok`.
    ///
    /// # Errors
    /// Itself, where anything is wrong.
    pub fn none_or_fail(self) -> Result<(), Self> {
        if self.0.is_empty() { Ok(()) } else { Err(self) }
    }
}

impl Config {
    /// All settings, or everything that is wrong with them. `read_file` reads the files of `NAME_FILE`.
    ///
    /// # Errors
    /// Every wrong setting at once.
    pub fn load(environment: &Environment, read_file: impl Fn(&Path) -> io::Result<String>) -> Result<Self, Mistakes> {
        let (config, mistakes) = Self::read(environment, read_file);
        mistakes.none_or_fail().map(|()| config)
    }

    /// All settings, with what is wrong beside them: a wrong setting stands here as if it were unset.
    pub fn read(environment: &Environment, read_file: impl Fn(&Path) -> io::Result<String>) -> (Self, Mistakes) {
        let mut reader = Reader::new(environment, &read_file);
        let allow_http = reader.boolean("BELLWETHER_ALLOW_HTTP");
        let (database_url, listen) = (database_url(&mut reader), reader.listen("BELLWETHER_LISTEN"));
        let public_url = reader.public_url("BELLWETHER_PUBLIC_URL");
        let mut config = Self {
            database_url,
            listen,
            source: source(&mut reader, allow_http),
            discord: discord(&mut reader, allow_http),
            telegram: telegram(&mut reader, allow_http, public_url.as_deref()),
            public_url,
            operators: reader.operators("BELLWETHER_OPERATORS"),
            admin_token: admin_token(&mut reader),
            public_pages: reader.boolean("BELLWETHER_PUBLIC_PAGES"),
            retention: retention(&mut reader),
            log: log(&mut reader),
            warnings: Vec::new(),
        };
        config.warnings = config.warn(environment);
        (config, reader.mistakes)
    }

    /// What `serve` cannot do without (exit 2).
    pub fn requirements_of_serve(&self) -> Mistakes {
        let mut mistakes = Vec::new();
        if self.source.api_key.is_none() {
            mistakes.push(Mistake::new("TOKEN_METRICS_API_KEY", "it is not set", "your key from https://app.tokenmetrics.com/en/api"));
        }
        if self.discord.is_none() && self.telegram.is_none() {
            let what = "neither this nor TELEGRAM_BOT_TOKEN is set, so nobody could be told";
            mistakes.push(Mistake::new("DISCORD_BOT_TOKEN", what, "the token of at least one bot"));
        }
        Mistakes(mistakes)
    }

    fn warn(&self, environment: &Environment) -> Vec<String> {
        let mut warnings: Vec<String> = environment.names().filter_map(variables::misspelt).collect();
        let set = |name: &str| environment.get(name).is_some();
        if self.discord.is_none() && (set("DISCORD_APPLICATION_ID") || set("DISCORD_PUBLIC_KEY")) {
            warnings
                .push("Discord is off: DISCORD_APPLICATION_ID and DISCORD_PUBLIC_KEY have no effect without DISCORD_BOT_TOKEN".to_owned());
        }
        if let (Some(first), Some(next)) = (&self.source.api_key, &self.source.next_api_key)
            && first.expose_secret() == next.expose_secret()
        {
            warnings.push("TOKEN_METRICS_API_KEY_NEXT has no effect: it is the same as TOKEN_METRICS_API_KEY".to_owned());
        }
        if let Some(telegram) = &self.telegram {
            if environment.gives_secret("TELEGRAM_WEBHOOK_SECRET") && self.public_url.is_none() {
                warnings.push(
                    "TELEGRAM_WEBHOOK_SECRET has no effect without BELLWETHER_PUBLIC_URL: updates come by long polling; set both, or neither"
                        .to_owned(),
                );
            }
            if telegram.token.expose_secret().split_once(':').is_none_or(|(id, _)| id.parse::<u64>().is_err()) {
                warnings.push("TELEGRAM_BOT_TOKEN does not look like one (NUMBER:LETTERS, from @BotFather)".to_owned());
            }
        }
        for platform in self.operators.iter().map(|address| address.platform) {
            let off = match platform {
                Platform::Discord => self.discord.is_none(),
                Platform::Telegram => self.telegram.is_none(),
                Platform::Console => false,
            };
            if off {
                warnings.push(format!("BELLWETHER_OPERATORS names a chat on {platform}, which is off: its notices wait there"));
            }
        }
        warnings.dedup();
        warnings
    }
}

fn database_url(reader: &mut Reader<'_>) -> SecretString {
    let url = reader.secret("DATABASE_URL").unwrap_or_else(|| variables::default_of("DATABASE_URL").unwrap_or_default().into());
    let known = ["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| url.expose_secret().starts_with(scheme));
    if !known {
        reader.mistake(
            "DATABASE_URL",
            "it begins with neither sqlite:// nor postgres://",
            "sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME",
        );
    }
    url
}

fn source(reader: &mut Reader<'_>, allow_http: bool) -> SourceConfig {
    SourceConfig {
        api_key: reader.secret("TOKEN_METRICS_API_KEY"),
        next_api_key: reader.secret("TOKEN_METRICS_API_KEY_NEXT"),
        api_url: reader.api_url("TOKEN_METRICS_API_URL", allow_http, true),
        calls_per_month: reader.number("TOKEN_METRICS_CALLS_PER_MONTH", 0, 1_000_000_000),
        calls_per_minute: reader.number("TOKEN_METRICS_CALLS_PER_MINUTE", 0, 1_000_000),
        all_tokens: reader.number("BELLWETHER_ALL_TOKENS", 1, 10_000),
        schedules: Kind::ALL
            .iter()
            .filter_map(|kind| {
                let name = format!("BELLWETHER_SCHEDULE_{}", kind.as_str().to_ascii_uppercase());
                reader.schedule(&name).map(|schedule| (*kind, schedule))
            })
            .collect(),
    }
}

fn discord(reader: &mut Reader<'_>, allow_http: bool) -> Option<DiscordConfig> {
    let token = reader.secret("DISCORD_BOT_TOKEN");
    // Read whether or not Discord is on: a wrong setting is told of at once, not on the day when the token is added.
    let public_key = reader.public_key("DISCORD_PUBLIC_KEY");
    let api_url = reader.api_url("DISCORD_API_URL", allow_http, false);
    token.map(|token| DiscordConfig { token, application_id: reader.application_id("DISCORD_APPLICATION_ID"), public_key, api_url })
}

fn telegram(reader: &mut Reader<'_>, allow_http: bool, public_url: Option<&str>) -> Option<TelegramConfig> {
    let token = reader.secret("TELEGRAM_BOT_TOKEN");
    let api_url = reader.api_url("TELEGRAM_API_URL", allow_http, true);
    let in_path = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'_' | b'-');
    if token.as_ref().is_some_and(|token| !token.expose_secret().bytes().all(in_path)) {
        reader.mistake(
            "TELEGRAM_BOT_TOKEN",
            "it holds characters that no bot token has",
            "the token as @BotFather gave it: NUMBER:LETTERS",
        );
    }
    let secret = reader.webhook_secret("TELEGRAM_WEBHOOK_SECRET");
    let token = token?;
    let webhook = secret.zip(public_url).map(|(secret, url)| {
        reader.check_webhook_url("BELLWETHER_PUBLIC_URL", url);
        WebhookConfig { public_url: url.to_owned(), secret }
    });
    Some(TelegramConfig { token, api_url, webhook })
}

/// A message is named by what depends on it for a week: its buttons, and what makes a call unstable.
fn retention(reader: &mut Reader<'_>) -> Retention {
    let history = reader.number("BELLWETHER_KEEP_HISTORY_DAYS", 35, 36_500);
    Retention::of_days(history, reader.number("BELLWETHER_KEEP_MESSAGES_DAYS", 8, 36_500).min(history))
}

fn admin_token(reader: &mut Reader<'_>) -> Option<SecretString> {
    let token = reader.secret("BELLWETHER_ADMIN_TOKEN")?;
    if token.expose_secret().len() < 16 {
        reader.mistake(
            "BELLWETHER_ADMIN_TOKEN",
            "it is shorter than 16 characters",
            "a longer one, such as the output of `openssl rand -hex 16`",
        );
        return None;
    }
    Some(token)
}

fn log(reader: &mut Reader<'_>) -> LogConfig {
    let format = match reader.text("BELLWETHER_LOG_FORMAT") {
        Some("json") => LogFormat::Json,
        None | Some("text") => LogFormat::Text,
        Some(_) => {
            reader.mistake("BELLWETHER_LOG_FORMAT", "it is neither text nor json", "text or json");
            LogFormat::Text
        }
    };
    LogConfig { filter: reader.text("RUST_LOG").unwrap_or_default().to_owned(), format }
}
