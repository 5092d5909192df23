//! One request and its answer. Requests are built with serenity and sent by our own client, so that status, headers and body are ours
//! to read: serenity's own sender loses `Retry-After`. Nothing here retries, and nothing that it says carries a token or a URL.

use super::limits::BucketHeaders;
use crate::{
    chat::png_part,
    domain::wording::CardFile,
    http::{Credential, quoted, read_body},
};
use reqwest::{
    Client, Method, RequestBuilder,
    header::{HeaderMap, USER_AGENT},
    multipart::{Form, Part},
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serenity::http::{LightMethod, Request, Route};
use std::time::Duration;

/// In all, for one request (`rules.md` 4.2).
const TIMEOUT: Duration = Duration::from_secs(8);
/// No pause that Discord orders is believed beyond this.
const LONGEST_PAUSE: Duration = Duration::from_secs(24 * 3600);

/// Builds and sends requests.
pub(super) struct Transport {
    client: Client,
    base: String,
    token: Credential,
    application: u64,
}

/// What is asked.
#[derive(Clone, Copy)]
pub(super) enum Ask<'a> {
    /// Something the bot does with its token.
    Bot(Route<'a>, LightMethod),
    /// The application itself; serenity has no route for it.
    Application,
    /// The first answer to an interaction that came over the Gateway. Not through serenity: its spans print the route.
    FirstAnswer {
        /// Its id.
        id: &'a str,
        /// Lives in memory only, 15 minutes.
        token: &'a SecretString,
    },
    /// A message with a file, to a channel.
    MessageWithFile {
        /// Its id.
        channel: u64,
        /// The message in whose place it stands.
        edits: Option<u64>,
        /// What goes with it.
        file: &'a CardFile,
    },
    /// The answer that replaces "thinking…". Not through serenity either.
    OriginalAnswer {
        /// Lives in memory only, 15 minutes.
        token: &'a SecretString,
        /// What goes with it.
        file: Option<&'a CardFile>,
    },
}

/// A complete answer.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    pub(super) bucket: BucketHeaders,
    /// `Retry-After`, in whole seconds.
    pub(super) retry_after: Option<Duration>,
    /// `X-RateLimit-Scope`.
    pub(super) scope: Option<String>,
    /// `X-RateLimit-Global`.
    pub(super) global: bool,
}

/// What Discord says in the body of a refusal.
#[derive(Debug, Default, Deserialize)]
pub(super) struct ErrorBody {
    #[serde(default)]
    pub(super) code: u64,
    #[serde(default)]
    pub(super) message: String,
    pub(super) retry_after: Option<f64>,
    #[serde(default)]
    pub(super) global: bool,
    #[serde(default)]
    errors: serde_json::Value,
}

/// There is no complete answer. In words without a URL.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NoAnswer {
    /// It was never written.
    NotSent(String),
    /// It may have arrived.
    Unknown(String),
}

impl Transport {
    pub(super) fn new(base: String, token: SecretString, application: u64) -> Self {
        Self { client: crate::http::client(TIMEOUT), base, token: token.into(), application }
    }

    /// Scheme, host and port in front of `/api/v10/…`.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// The bot's token.
    pub(super) fn token(&self) -> &Credential {
        &self.token
    }

    /// Sends one request and reads the whole answer.
    pub(super) async fn ask(&self, ask: Ask<'_>, body: Option<&serde_json::Value>) -> Result<Answer, NoAnswer> {
        let token = self.token.current();
        let request = self.build(ask, body, &token).map_err(NoAnswer::NotSent)?;
        let response = request.send().await.map_err(no_answer)?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let mut body = read_body(response).await.map_err(|error| NoAnswer::Unknown(format!("status {status}, but {error}")))?;
        if !(200..300).contains(&status) {
            body = redacted(ask, &token, &body);
        }
        Ok(Answer {
            status,
            body,
            bucket: BucketHeaders {
                bucket: text(&headers, "x-ratelimit-bucket"),
                remaining: text(&headers, "x-ratelimit-remaining").and_then(|n| n.parse().ok()),
                reset_after: text(&headers, "x-ratelimit-reset-after").and_then(|n| seconds(n.parse().ok()?)),
            },
            retry_after: text(&headers, "retry-after").and_then(|n| seconds(n.parse().ok()?)),
            scope: text(&headers, "x-ratelimit-scope"),
            global: headers.contains_key("x-ratelimit-global"),
        })
    }

    fn build(&self, ask: Ask<'_>, body: Option<&serde_json::Value>, token: &SecretString) -> Result<RequestBuilder, String> {
        let token = format!("Bot {}", token.expose_secret());
        let path = |rest: &str| format!("{}/api/v10{rest}", self.base);
        let (method, path, authorization) = match ask {
            Ask::Bot(route, method) => {
                let bytes = body.map(|body| body.to_string().into_bytes());
                return Request::new(route, method)
                    .body(bytes)
                    .build(&self.client, &token, Some(&self.base))
                    .map_err(|_| "the request cannot be built: check DISCORD_API_URL and the token's characters".to_owned());
            }
            Ask::Application => (Method::GET, path("/applications/@me"), Some(token)),
            Ask::MessageWithFile { channel, edits: None, .. } => {
                (Method::POST, path(&format!("/channels/{channel}/messages")), Some(token))
            }
            Ask::MessageWithFile { channel, edits: Some(message), .. } => {
                (Method::PATCH, path(&format!("/channels/{channel}/messages/{message}")), Some(token))
            }
            Ask::FirstAnswer { id, token } => {
                let (id, token) = (percent_encoded(id), percent_encoded(token.expose_secret()));
                (Method::POST, path(&format!("/interactions/{id}/{token}/callback")), None)
            }
            Ask::OriginalAnswer { token, .. } => {
                let token = percent_encoded(token.expose_secret());
                (Method::PATCH, path(&format!("/webhooks/{}/{token}/messages/@original", self.application)), None)
            }
        };
        let mut request = self.client.request(method, path).header(USER_AGENT, serenity::constants::USER_AGENT);
        if let Some(authorization) = authorization {
            request = request.header(reqwest::header::AUTHORIZATION, authorization);
        }
        Ok(match (body, ask) {
            (Some(body), Ask::OriginalAnswer { file: Some(file), .. } | Ask::MessageWithFile { file, .. }) => {
                request.multipart(with_file(body, file))
            }
            (Some(body), _) => request.json(body),
            (None, _) => request,
        })
    }
}

/// A proxy's refusal may repeat what it was sent, and refusals are quoted in the log.
fn redacted(ask: Ask<'_>, token: &SecretString, body: &[u8]) -> Vec<u8> {
    let mut text = String::from_utf8_lossy(body).into_owned();
    let own = match ask {
        Ask::FirstAnswer { token: own, .. } | Ask::OriginalAnswer { token: own, .. } => Some(own),
        Ask::Bot(..) | Ask::Application | Ask::MessageWithFile { .. } => None,
    };
    let secrets = [Some(token), own];
    for secret in secrets.into_iter().flatten().map(ExposeSecret::expose_secret).filter(|secret| !secret.is_empty()) {
        text = text.replace(secret, "<token>");
    }
    text.into_bytes()
}

impl Answer {
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The JSON of a refusal; `None` for HTML and other strangers, such as a block by Cloudflare.
    pub(super) fn error(&self) -> Option<ErrorBody> {
        serde_json::from_slice(&self.body).ok()
    }

    /// How long Discord asks to wait: the longer of header (whole seconds) and body (exact).
    pub(super) fn wait(&self) -> Option<Duration> {
        let body = self.error().and_then(|body| seconds(body.retry_after?));
        self.retry_after.max(body)
    }

    /// The refusal in words for the operator.
    pub(super) fn words(&self) -> String {
        match self.error() {
            Some(body) if body.errors.is_null() => format!("status {}, code {}: {}", self.status, body.code, quoted(&body.message)),
            Some(body) => {
                format!("status {}, code {}: {} {}", self.status, body.code, quoted(&body.message), quoted(&body.errors.to_string()))
            }
            None => format!("status {} without Discord's JSON", self.status),
        }
    }
}

/// A body and the file that it names as its first attachment.
fn with_file(body: &serde_json::Value, file: &CardFile) -> Form {
    let part = match file {
        CardFile::Text { name, content } => Part::text(content.clone()).file_name(name.clone()),
        CardFile::Picture(picture) => png_part(picture),
    };
    Form::new().text("payload_json", body.to_string()).part("files[0]", part)
}

/// A number of seconds as Discord writes it; nothing where it is not one, never more than a day.
fn seconds(number: f64) -> Option<Duration> {
    if number.is_infinite() && number > 0.0 {
        return Some(LONGEST_PAUSE);
    }
    (number.is_finite() && number >= 0.0).then(|| Duration::from_secs_f64(number.min(LONGEST_PAUSE.as_secs_f64())))
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    headers.get(name)?.to_str().ok().map(str::to_owned)
}

/// Only a connection that never stood is certain not to have carried the request.
fn no_answer(error: reqwest::Error) -> NoAnswer {
    let error = error.without_url();
    if error.is_builder() || error.is_connect() {
        NoAnswer::NotSent(format!("no connection to Discord: {}", chain(&error)))
    } else if error.is_timeout() {
        NoAnswer::Unknown("Discord did not answer within 8 s".to_owned())
    } else {
        NoAnswer::Unknown(format!("the connection broke before an answer: {}", chain(&error)))
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    quoted(&last.to_string())
}

/// Discord's interaction tokens are URL-safe; whatever else comes must not leave its place in the path.
fn percent_encoded(token: &str) -> String {
    let mut text = String::with_capacity(token.len());
    for byte in token.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'~' => text.push(char::from(byte)),
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strange_numbers_of_seconds_do_no_harm() {
        assert_eq!(seconds(0.65), Some(Duration::from_millis(650)));
        for bad in [f64::NAN, -1.0, f64::NEG_INFINITY] {
            assert_eq!(seconds(bad), None);
        }
        for endless in [1e300, f64::INFINITY] {
            assert_eq!(seconds(endless), Some(LONGEST_PAUSE));
        }
    }

    #[test]
    fn a_token_stays_in_its_place_in_the_path() {
        assert_eq!(percent_encoded("aW5_-~9"), "aW5_-~9");
        assert_eq!(percent_encoded("../x?y#z"), "%2E%2E%2Fx%3Fy%23z");
    }
}
