//! Reads one variable after the other and collects every mistake, so that a person mends them all in one go.

use super::{Environment, GivenSchedule, Mistake, Mistakes, variables::default_of};
use crate::domain::{Address, Platform};
use ed25519_dalek::VerifyingKey;
use secrecy::{ExposeSecret, SecretString};
use std::{
    fmt::Display,
    io,
    net::{IpAddr, SocketAddr},
    path::Path,
    str::FromStr,
};

/// How a secret's file is read; tests hand in their own.
pub(super) type ReadFile<'a> = &'a dyn Fn(&Path) -> io::Result<String>;

pub(super) struct Reader<'a> {
    environment: &'a Environment,
    read_file: ReadFile<'a>,
    pub(super) mistakes: Mistakes,
}

impl<'a> Reader<'a> {
    pub(super) fn new(environment: &'a Environment, read_file: ReadFile<'a>) -> Self {
        Self { environment, read_file, mistakes: Mistakes(environment.mistakes().to_vec()) }
    }

    pub(super) fn mistake(&mut self, name: &str, what: &str, instead: &str) {
        self.mistakes.0.push(Mistake::new(name, what, instead));
    }

    /// The value, or the default, or nothing.
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.environment.get(name).or_else(|| default_of(name))
    }

    /// A secret, from the variable or from its file.
    pub(super) fn secret(&mut self, name: &str) -> Option<SecretString> {
        let given = self.environment.secret(name);
        let value = match (given.value, given.file) {
            (Some(_), Some(_)) => {
                self.mistake(name, &format!("both {name} and {name}_FILE are set"), "only one of the two");
                return None;
            }
            (None, None) => return None,
            (Some(value), None) => value.to_owned(),
            (None, Some(path)) => self.secret_of_file(name, path)?,
        };
        if name != "DATABASE_URL" && !value.bytes().all(|byte| byte.is_ascii_graphic()) {
            self.mistake(name, "it holds spaces, line breaks or letters beyond ASCII", "the secret alone, copied again");
            return None;
        }
        Some(SecretString::from(value))
    }

    fn secret_of_file(&mut self, name: &str, path: &str) -> Option<String> {
        let file = format!("{name}_FILE");
        match (self.read_file)(Path::new(path)) {
            Ok(text) => {
                let value = text.trim_end_matches(['\r', '\n']);
                if value.is_empty() {
                    self.mistake(&file, "the file is empty", "the secret into it, or unset this");
                    return None;
                }
                Some(value.to_owned())
            }
            Err(error) => {
                self.mistake(&file, &format!("the file cannot be read ({})", error.kind()), "the path of a file that this user can read");
                None
            }
        }
    }

    /// A number from `least` to `most`.
    pub(super) fn number(&mut self, name: &str, least: u32, most: u32) -> u32 {
        let default = default_of(name).and_then(|text| text.parse().ok()).unwrap_or(least);
        let Some(text) = self.text(name) else { return default };
        match text.parse::<u32>() {
            Ok(number) if (least..=most).contains(&number) => number,
            _ => {
                let zero = if least == 0 { "; 0 for no limit" } else { "" };
                self.mistake(name, &not_a("a whole number that fits", text), &format!("a number from {least} to {most}{zero}"));
                default
            }
        }
    }

    pub(super) fn boolean(&mut self, name: &str) -> bool {
        match self.text(name).map(str::to_ascii_lowercase).as_deref() {
            Some("true" | "1" | "yes" | "on") => true,
            None | Some("false" | "0" | "no" | "off") => false,
            Some(text) => {
                self.mistake(name, &not_a("yes or no", text), "true or false");
                false
            }
        }
    }

    pub(super) fn listen(&mut self, name: &str) -> SocketAddr {
        let text = self.text(name).unwrap_or_default();
        let address = match text.strip_prefix("localhost:") {
            Some(port) => port.parse().ok().map(|port| SocketAddr::from(([127, 0, 0, 1], port))),
            None => text.parse().ok(),
        };
        address.unwrap_or_else(|| {
            self.mistake(
                name,
                &not_a("an address and a port", text),
                "ADDRESS:PORT such as 127.0.0.1:8080, or 0.0.0.0:8080 for every network",
            );
            SocketAddr::from(([127, 0, 0, 1], 8080))
        })
    }

    /// The base URL of an API, without a slash at the end: https, unless it is this machine or plain http is allowed (`rules.md` 4.6).
    pub(super) fn api_url(&mut self, name: &str, allow_http: bool, with_path: bool) -> String {
        let default = default_of(name).unwrap_or_default().to_owned();
        let text = self.text(name).unwrap_or_default();
        let example = format!("a URL such as {default}");
        match base_url(text) {
            Err(what) => self.mistake(name, &what, &example),
            Ok(url) if url.scheme() == "http" && !allow_http && !is_loopback(&url) => {
                self.mistake(name, "plain http would show the key to everybody on the way", "https://…, or set BELLWETHER_ALLOW_HTTP=true");
            }
            Ok(url) if !with_path && url.path() != "/" => {
                self.mistake(
                    name,
                    "it has a path, and /api/v10/… is added to it",
                    "scheme, host and port alone, such as https://discord.com",
                );
            }
            Ok(url) => return without_slash(&url),
        }
        default
    }

    /// Where the world reaches this instance, without a slash at the end.
    pub(super) fn public_url(&mut self, name: &str) -> Option<String> {
        let text = self.text(name)?;
        match base_url(text) {
            Ok(url) => Some(without_slash(&url)),
            Err(what) => {
                self.mistake(name, &what, "a URL such as https://bellwether.example.org");
                None
            }
        }
    }

    /// What Telegram shows with each update.
    pub(super) fn webhook_secret(&mut self, name: &str) -> Option<SecretString> {
        let secret = self.secret(name)?;
        let taken = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
        let text = secret.expose_secret();
        if text.len() > 256 || !text.bytes().all(taken) {
            self.mistake(name, "Telegram does not take it", "up to 256 characters of A-Z, a-z, 0-9, _ and -");
            return None;
        }
        Some(secret)
    }

    /// Whether Telegram calls this address (`rules.md` 6.2).
    pub(super) fn check_webhook_url(&mut self, name: &str, url: &str) {
        let Ok(url) = url.parse::<reqwest::Url>() else { return };
        let reachable = url.scheme() == "https" && matches!(url.port_or_known_default(), Some(443 | 80 | 88 | 8443));
        if !reachable && !is_loopback(&url) {
            let what = "Telegram does not call this address, and TELEGRAM_WEBHOOK_SECRET asks for a webhook";
            self.mistake(name, what, "an https URL on port 443, 80, 88 or 8443, or unset TELEGRAM_WEBHOOK_SECRET");
        }
    }

    /// A schedule that a person gave.
    pub(super) fn schedule(&mut self, name: &str) -> Option<GivenSchedule> {
        match GivenSchedule::parse(self.text(name)?) {
            Ok(schedule) => Some(schedule),
            Err(problem) => {
                self.mistake(name, &problem.what, &problem.instead);
                None
            }
        }
    }

    pub(super) fn application_id(&mut self, name: &str) -> u64 {
        let instead = "the number under General Information, Application ID, in Discord's developer portal";
        match self.text(name).map(|text| (text, text.parse::<u64>())) {
            None => self.mistake(name, "it is not set, but DISCORD_BOT_TOKEN is", instead),
            Some((_, Ok(id))) if id > 0 => return id,
            Some((text, _)) => self.mistake(name, &not_a("a number", text), instead),
        }
        0
    }

    /// Discord's key for its requests: a point of the curve that no forger can do without (`rules.md` 6.1).
    pub(super) fn public_key(&mut self, name: &str) -> Option<[u8; 32]> {
        let text = self.text(name)?;
        let bytes = data_encoding::HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        let problem = match bytes.map(|bytes| (bytes, VerifyingKey::from_bytes(&bytes))) {
            None => "it is not 64 hexadecimal digits",
            Some((_, Err(_))) => "it is not a key: no point of the curve has this number",
            Some((_, Ok(key))) if key.is_weak() => "it is a weak key: anybody could forge requests with it",
            Some((bytes, Ok(_))) => return Some(bytes),
        };
        self.mistake(name, problem, "the 64 digits under General Information, Public Key, in Discord's developer portal");
        None
    }

    pub(super) fn operators(&mut self, name: &str) -> Vec<Address> {
        let mut addresses = Vec::new();
        for item in self.text(name).unwrap_or_default().split(',').map(str::trim).filter(|item| !item.is_empty()) {
            match Address::parse(item).filter(|address| address.platform != Platform::Console) {
                Some(address) if addresses.contains(&address) => {}
                Some(address) => addresses.push(address),
                None => self.mistake(
                    name,
                    &not_a("an address", item),
                    "discord:CHANNEL_ID, discord:user:USER_ID, telegram:CHAT_ID or telegram:CHAT_ID/TOPIC, with commas between",
                ),
            }
        }
        addresses
    }
}

/// What was found in the place of what was expected. Only for what is no secret.
pub(super) fn not_a(expected: impl Display, found: &str) -> String {
    format!("{} is not {expected}", crate::http::quoted(found))
}

fn base_url(text: &str) -> Result<reqwest::Url, String> {
    let url = reqwest::Url::from_str(text).map_err(|_| "it is not a URL".to_owned())?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err("it is not an http or https URL".to_owned());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("it holds a user name or a password".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("it holds a query (?…) or a fragment (#…)".to_owned());
    }
    Ok(url)
}

fn without_slash(url: &reqwest::Url) -> String {
    url.as_str().trim_end_matches('/').to_owned()
}

/// Whether the URL names this machine itself.
pub(super) fn is_loopback(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
