//! Settings: every mistake has its line, all of them come at once, and no secret is ever part of it.

use bellwether::{
    config::{Config, Environment, GivenSchedule, Mistakes, VARIABLES},
    domain::{Address, Kind},
};
use secrecy::ExposeSecret;
use std::{io, path::Path};

const KEY: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

fn no_file(_: &Path) -> io::Result<String> {
    Err(io::Error::from(io::ErrorKind::NotFound))
}

fn load(variables: &[(&str, &str)]) -> Result<Config, Mistakes> {
    Config::load(&Environment::of(variables.iter().copied()), no_file)
}

fn mistakes(variables: &[(&str, &str)]) -> Vec<String> {
    load(variables).err().map(|mistakes| mistakes.to_string().lines().map(str::to_owned).collect()).unwrap_or_default()
}

#[test]
fn without_any_setting_everything_has_its_default() {
    let config = load(&[]).unwrap();
    assert_eq!(config.database_url.expose_secret(), "sqlite://bellwether.db");
    assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.source.api_url, "https://api.tokenmetrics.com/v2");
    assert_eq!((config.source.calls_per_month, config.source.calls_per_minute, config.source.all_tokens), (500, 1, 100));
    assert!(config.discord.is_none() && config.telegram.is_none() && config.admin_token.is_none());
    assert!(config.source.schedules.is_empty() && config.operators.is_empty() && config.warnings.is_empty());
    let missing: Vec<_> = config.requirements_of_serve().0.into_iter().map(|mistake| mistake.name).collect();
    assert_eq!(missing, ["TOKEN_METRICS_API_KEY", "DISCORD_BOT_TOKEN"]);
}

#[test]
fn every_setting_is_read() {
    let config = load(&[
        ("DATABASE_URL", "postgres://me:pw@db/x"),
        ("BELLWETHER_LISTEN", "localhost:0"),
        ("BELLWETHER_PUBLIC_URL", "https://bot.example.org/"),
        ("TOKEN_METRICS_API_KEY", "key"),
        ("TOKEN_METRICS_API_URL", "http://127.0.0.1:9/v2/"),
        ("TOKEN_METRICS_CALLS_PER_MONTH", "0"),
        ("BELLWETHER_SCHEDULE_DAILY", "0  5 */2 * * *"),
        ("BELLWETHER_SCHEDULE_HOURLY", "OFF"),
        ("BELLWETHER_SCHEDULE_GRADE", "0 0 0 * * *"),
        ("DISCORD_BOT_TOKEN", "discord-token"),
        ("DISCORD_APPLICATION_ID", "42"),
        ("DISCORD_PUBLIC_KEY", KEY),
        ("TELEGRAM_BOT_TOKEN", "1:telegram"),
        ("TELEGRAM_WEBHOOK_SECRET", "hook_secret"),
        ("BELLWETHER_OPERATORS", "discord:1, telegram:-100/7,discord:user:3,discord:1"),
        ("BELLWETHER_ADMIN_TOKEN", "0123456789abcdef"),
        ("BELLWETHER_PUBLIC_PAGES", "yes"),
    ])
    .unwrap();
    assert_eq!(config.listen.to_string(), "127.0.0.1:0");
    assert_eq!(config.public_url.as_deref(), Some("https://bot.example.org"));
    assert_eq!(config.source.api_url, "http://127.0.0.1:9/v2");
    assert_eq!(config.source.schedules[&Kind::Daily], GivenSchedule::parse("0 5 */2 * * *").unwrap());
    assert_eq!(config.source.schedules[&Kind::Hourly], GivenSchedule::Off);
    let discord = config.discord.as_ref().unwrap();
    assert_eq!((discord.application_id, discord.public_key.unwrap()[0], discord.api_url.as_str()), (42, 0xd7, "https://discord.com"));
    assert_eq!(config.telegram.as_ref().unwrap().webhook.as_ref().unwrap().public_url, "https://bot.example.org");
    let operators: Vec<_> = config.operators.iter().map(Address::to_string).collect();
    assert_eq!(operators, ["discord:1", "telegram:-100/7", "discord:user:3"]);
    assert_eq!(config.requirements_of_serve(), Mistakes::default());
    assert!(config.public_pages && config.warnings.is_empty(), "{:?}", config.warnings);
}

/// Variables, and the beginning of each line that they must give.
type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);

#[test]
fn each_mistake_has_a_line_of_its_own() {
    let weak = "0100000000000000000000000000000000000000000000000000000000000000";
    let no_point = "0200000000000000000000000000000000000000000000000000000000000000";
    let token = ("DISCORD_BOT_TOKEN", "t");
    let telegram = ("TELEGRAM_BOT_TOKEN", "1:t");
    let hook = ("TELEGRAM_WEBHOOK_SECRET", "s");
    let cases: &[Case<'_>] = &[
        (&[("DATABASE_URL", "mysql://x")], &["DATABASE_URL: it begins with neither"]),
        (&[("BELLWETHER_LISTEN", "8080")], &[r#"BELLWETHER_LISTEN: "8080" is not an address and a port"#]),
        (&[("BELLWETHER_PUBLIC_URL", "bot.example.org")], &["BELLWETHER_PUBLIC_URL: it is not a URL"]),
        (&[("BELLWETHER_PUBLIC_URL", "https://me:pw@x.org")], &["BELLWETHER_PUBLIC_URL: it holds a user name"]),
        (&[("TOKEN_METRICS_API_URL", "http://api.example.org")], &["TOKEN_METRICS_API_URL: plain http would show the key"]),
        (&[("TOKEN_METRICS_API_URL", "https://x.org/v2?key=1")], &["TOKEN_METRICS_API_URL: it holds a query"]),
        (&[("TOKEN_METRICS_API_URL", "ftp://x.org")], &["TOKEN_METRICS_API_URL: it is not an http or https URL"]),
        (&[("TOKEN_METRICS_API_KEY", "two words")], &["TOKEN_METRICS_API_KEY: it holds spaces"]),
        (&[("TOKEN_METRICS_CALLS_PER_MONTH", "-1")], &[r#"TOKEN_METRICS_CALLS_PER_MONTH: "-1" is not"#]),
        (&[("TOKEN_METRICS_CALLS_PER_MINUTE", "many")], &["TOKEN_METRICS_CALLS_PER_MINUTE: "]),
        (&[("BELLWETHER_ALL_TOKENS", "0")], &[r#"BELLWETHER_ALL_TOKENS: "0" is not a whole number that fits; write a number from 1"#]),
        (
            &[("BELLWETHER_SCHEDULE_DAILY", "0 * * * *")],
            &["BELLWETHER_SCHEDULE_DAILY: it has five fields, and the seconds are missing; write `0 0 * * * *`"],
        ),
        (&[("BELLWETHER_SCHEDULE_HOURLY", "0 61 * * * *")], &["BELLWETHER_SCHEDULE_HOURLY: \"0 61 * * * *\" is not a cron expression"]),
        (&[("BELLWETHER_SCHEDULE_LEVELS", "0 0 0 30 2 *")], &["BELLWETHER_SCHEDULE_LEVELS: \"0 0 0 30 2 *\" never comes"]),
        (&[("BELLWETHER_SCHEDULE_GRADE", "daily")], &["BELLWETHER_SCHEDULE_GRADE: \"daily\" is not a cron expression of six fields"]),
        (&[token], &["DISCORD_APPLICATION_ID: it is not set"]),
        (&[token, ("DISCORD_APPLICATION_ID", "bot")], &[r#"DISCORD_APPLICATION_ID: "bot" is not a number"#]),
        (&[("DISCORD_PUBLIC_KEY", "abc")], &["DISCORD_PUBLIC_KEY: it is not 64 hexadecimal digits"]),
        (&[("DISCORD_PUBLIC_KEY", weak)], &["DISCORD_PUBLIC_KEY: it is a weak key"]),
        (&[("DISCORD_PUBLIC_KEY", no_point)], &["DISCORD_PUBLIC_KEY: it is not a key"]),
        (&[("DISCORD_API_URL", "https://discord.com/api/v10")], &["DISCORD_API_URL: it has a path"]),
        (&[("DISCORD_API_URL", "http://192.168.1.2")], &["DISCORD_API_URL: plain http"]),
        (&[("TELEGRAM_BOT_TOKEN", "1/../x")], &["TELEGRAM_BOT_TOKEN: it holds characters"]),
        (&[("TELEGRAM_API_URL", "http://tg.lan")], &["TELEGRAM_API_URL: plain http"]),
        (&[telegram, ("TELEGRAM_WEBHOOK_SECRET", "a.b")], &["TELEGRAM_WEBHOOK_SECRET: Telegram does not take it"]),
        (&[telegram, hook, ("BELLWETHER_PUBLIC_URL", "http://x.org")], &["BELLWETHER_PUBLIC_URL: Telegram does not call"]),
        (&[telegram, hook, ("BELLWETHER_PUBLIC_URL", "https://x.org:8080")], &["BELLWETHER_PUBLIC_URL: Telegram does not call"]),
        (&[telegram, hook, ("BELLWETHER_PUBLIC_URL", "http://127.0.0.1:5000")], &[]),
        (&[telegram, ("BELLWETHER_PUBLIC_URL", "http://x.org:5000")], &[]),
        (&[("BELLWETHER_OPERATORS", "discord:1,me")], &[r#"BELLWETHER_OPERATORS: "me" is not an address"#]),
        (&[("BELLWETHER_OPERATORS", "console:x")], &["BELLWETHER_OPERATORS: "]),
        (&[("BELLWETHER_ADMIN_TOKEN", "short")], &["BELLWETHER_ADMIN_TOKEN: it is shorter than 16"]),
        (&[("BELLWETHER_PUBLIC_PAGES", "maybe")], &[r#"BELLWETHER_PUBLIC_PAGES: "maybe" is not yes or no"#]),
        (&[("BELLWETHER_LOG_FORMAT", "xml")], &["BELLWETHER_LOG_FORMAT: it is neither"]),
        (&[("BELLWETHER_ALLOW_HTTP", "true"), ("TOKEN_METRICS_API_URL", "http://api.example.org")], &[]),
        (&[("TELEGRAM_API_URL", "http://[::1]:80/x")], &[]),
    ];
    for (variables, expected) in cases {
        let found = mistakes(variables);
        assert_eq!(found.len(), expected.len(), "{variables:?}: {found:#?}");
        for (line, start) in found.iter().zip(*expected) {
            assert!(line.starts_with(start), "{variables:?}: {line}");
            assert!(line.contains("; write "), "it says what to write instead: {line}");
        }
    }
}

#[test]
fn all_mistakes_come_at_once_and_none_shows_a_secret() {
    let found = mistakes(&[
        ("DATABASE_URL", "oracle://s3cret"),
        ("TOKEN_METRICS_API_KEY", "s3cret key"),
        ("DISCORD_BOT_TOKEN", "Bot s3cret"),
        ("TELEGRAM_BOT_TOKEN", "s3cret?"),
        ("TELEGRAM_WEBHOOK_SECRET", "s3cret!"),
        ("BELLWETHER_ADMIN_TOKEN", "s3cret"),
        ("BELLWETHER_LISTEN", "nowhere"),
    ]);
    let names: Vec<_> = found.iter().filter_map(|line| line.split(':').next()).collect();
    assert_eq!(
        names,
        [
            "DATABASE_URL",
            "BELLWETHER_LISTEN",
            "TOKEN_METRICS_API_KEY",
            "DISCORD_BOT_TOKEN",
            "TELEGRAM_BOT_TOKEN",
            "TELEGRAM_WEBHOOK_SECRET",
            "BELLWETHER_ADMIN_TOKEN",
        ]
    );
    assert!(!found.concat().contains("s3cret"), "{found:#?}");
}

#[test]
fn a_secret_comes_from_a_file_and_never_out_again() {
    let variables = [
        ("DATABASE_URL_FILE", "/run/db"),
        ("TOKEN_METRICS_API_KEY_FILE", "/run/key"),
        ("DISCORD_BOT_TOKEN_FILE", "/run/discord"),
        ("DISCORD_APPLICATION_ID", "1"),
        ("TELEGRAM_BOT_TOKEN_FILE", "/run/telegram"),
        ("TELEGRAM_WEBHOOK_SECRET_FILE", "/run/hook"),
        ("BELLWETHER_ADMIN_TOKEN_FILE", "/run/admin"),
    ];
    let read = |path: &Path| {
        Ok(match path.to_str().unwrap() {
            "/run/db" => "postgres://me:s3cret@db/x\n".to_owned(),
            "/run/telegram" => "1:s3cret\r\n".to_owned(),
            other => format!("s3cret-of-the-{}\n", other.trim_start_matches("/run/")),
        })
    };
    let config = Config::load(&Environment::of(variables), read).unwrap();
    assert_eq!(config.source.api_key.as_ref().unwrap().expose_secret(), "s3cret-of-the-key");
    assert_eq!(config.telegram.as_ref().unwrap().token.expose_secret(), "1:s3cret");
    assert_eq!(config.database_url.expose_secret(), "postgres://me:s3cret@db/x");
    assert!(!format!("{config:?} {config:#?}").contains("s3cret"));
}

#[test]
fn a_secret_given_twice_or_in_a_file_that_cannot_be_read_is_a_mistake() {
    let twice = mistakes(&[("TELEGRAM_BOT_TOKEN", "1:a"), ("TELEGRAM_BOT_TOKEN_FILE", "/x")]);
    assert_eq!(twice, ["TELEGRAM_BOT_TOKEN: both TELEGRAM_BOT_TOKEN and TELEGRAM_BOT_TOKEN_FILE are set; write only one of the two"]);
    let unreadable = mistakes(&[("TOKEN_METRICS_API_KEY_FILE", "/nowhere")]);
    assert!(unreadable[0].starts_with("TOKEN_METRICS_API_KEY_FILE: the file cannot be read (entity not found)"), "{unreadable:?}");
    let empty = Config::load(&Environment::of([("TOKEN_METRICS_API_KEY_FILE", "/x")]), |_| Ok("\n".to_owned())).unwrap_err();
    assert!(empty.to_string().starts_with("TOKEN_METRICS_API_KEY_FILE: the file is empty"));
}

#[test]
fn a_command_may_ask_for_the_mistakes_that_concern_it() {
    let all = load(&[("BELLWETHER_LISTEN", "x"), ("DATABASE_URL_FILE", "/nowhere")]).unwrap_err();
    assert_eq!(all.about(&["DATABASE_URL"]).0.len(), 1);
    assert_eq!(all.about(&["BELLWETHER_ADMIN_TOKEN"]), Mistakes::default());
}

#[test]
fn what_is_surely_not_meant_is_a_warning() {
    let config = load(&[
        ("BELLWETHER_LISTN", "x"),
        ("DISCORD_APPLICATION_ID", "1"),
        ("TELEGRAM_BOT_TOKEN", "token"),
        ("TELEGRAM_WEBHOOK_SECRET", "s"),
        ("BELLWETHER_OPERATORS", "discord:1"),
    ])
    .unwrap();
    for part in ["BELLWETHER_LISTEN?", "Discord is off", "long polling", "does not look like one", "discord, which is off"] {
        assert!(config.warnings.iter().any(|warning| warning.contains(part)), "{part}: {:#?}", config.warnings);
    }
}

#[test]
fn a_dot_env_file_stands_behind_the_real_environment() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(".env");
    std::fs::write(&path, "# comment\nBELLWETHER_ALL_TOKENS=7\nBELLWETHER_SCHEDULE_DAILY='0 0 1 * * *'\nTOKEN_METRICS_API_KEY=file\n")
        .unwrap();
    let environment = Environment::of([("TOKEN_METRICS_API_KEY_FILE", "/real")]).with_file(&path);
    let config = Config::load(&environment, |_| Ok("real".to_owned())).unwrap();
    assert_eq!(config.source.all_tokens, 7);
    assert_eq!(config.source.schedules[&Kind::Daily], GivenSchedule::parse("0 0 1 * * *").unwrap());
    assert_eq!(config.source.api_key.unwrap().expose_secret(), "real", "the real environment wins, whichever way it is given");
    let without = Environment::of([("A", "b")]).with_file(&folder.path().join("none"));
    assert!(Config::load(&without, no_file).is_ok());
}

#[test]
fn defaults_in_the_list_are_the_defaults_that_are_taken() {
    let written: Vec<_> = VARIABLES.iter().filter_map(|variable| Some((variable.name, variable.default?))).collect();
    assert_eq!(format!("{:?}", load(&written).unwrap()), format!("{:?}", load(&[]).unwrap()));
}
