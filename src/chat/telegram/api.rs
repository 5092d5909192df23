//! One call of one Bot API method: the request, its answer, and everything that can go wrong in between. Keeps code, parameters and raw
//! body of a refusal; what they mean for a message is `errors`' business. The token is in every URL and never leaves this file.

use crate::http::{self, Credential};
use reqwest::{Client, RequestBuilder, multipart::Form};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

/// How long a call may take (`rules.md` 4.2).
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(8);

/// The transport.
#[derive(Debug)]
pub(super) struct Api {
    base: String,
    token: Credential,
    client: Client,
}

/// The token of one call, from its address to the words of its answer.
struct Shown(SecretString);

/// Why a call brought no result. Its words carry neither token nor URL.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ApiError {
    /// Telegram refused: a complete answer with `ok: false`.
    #[error("Telegram answers {code}: {}", http::quoted(description))]
    Refused {
        /// `error_code`, else the HTTP status.
        code: i64,
        /// Its words, the token removed.
        description: String,
        /// What to do about it, where Telegram says.
        parameters: Parameters,
    },
    /// A complete answer that is not the Bot API's: a proxy, a gateway, a wrong address.
    #[error("an answer that is not Telegram's ({status}): {body}")]
    Foreign {
        /// The HTTP status, not 2xx.
        status: u16,
        /// Its beginning, quoted.
        body: String,
        /// From the header `Retry-After`.
        retry_after: Option<u64>,
    },
    /// A 2xx answer that cannot be read: it may have worked.
    #[error("Telegram's answer cannot be read: {raw}")]
    Unreadable {
        /// Its beginning, quoted.
        raw: String,
        /// `message_id`, if the raw text names it after `"ok":true`.
        message_id: Option<i64>,
    },
    /// No connection: nothing was written.
    #[error("Telegram cannot be reached: {0}")]
    NotSent(String),
    /// The connection ended before the answer did: nobody knows.
    #[error("the call of Telegram broke off: {0}")]
    Broken(String),
}

impl ApiError {
    /// Whether the token itself is refused.
    pub fn is_unauthorized(&self) -> bool {
        matches!(self, Self::Refused { code: 401, .. })
            || matches!(self, Self::Refused { code: 404, description, .. } if description == "Not Found")
    }

    /// How long Telegram asked to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        let seconds = match self {
            Self::Refused { parameters, .. } => parameters.retry_after,
            Self::Foreign { retry_after, .. } => *retry_after,
            _ => None,
        };
        seconds.map(Duration::from_secs)
    }
}

/// What a refusal says besides its words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Parameters {
    /// Seconds.
    pub retry_after: Option<u64>,
    /// The supergroup that the group became.
    pub migrate_to_chat_id: Option<i64>,
}

#[derive(Deserialize)]
struct Answer {
    ok: bool,
    result: Option<Value>,
    error_code: Option<i64>,
    description: Option<String>,
    #[serde(default)]
    parameters: Option<Parameters>,
}

impl Api {
    pub(super) fn new(api_url: &str, token: SecretString) -> Self {
        Self { base: api_url.trim_end_matches('/').to_owned(), token: token.into(), client: http::client(CALL_TIMEOUT) }
    }

    /// The bot's token.
    pub(super) fn token(&self) -> &Credential {
        &self.token
    }

    /// Calls a method with its parameters as a JSON object, within `timeout`.
    pub(super) async fn call(&self, method: &str, parameters: &impl Serialize, timeout: Duration) -> Result<Value, ApiError> {
        self.ask(method, timeout, |request| request.json(parameters)).await
    }

    /// Calls a method that takes a file, within `timeout`.
    pub(super) async fn upload(&self, method: &str, form: Form, timeout: Duration) -> Result<Value, ApiError> {
        self.ask(method, timeout, |request| request.multipart(form)).await
    }

    async fn ask(&self, method: &str, timeout: Duration, fill: impl FnOnce(RequestBuilder) -> RequestBuilder) -> Result<Value, ApiError> {
        let shown = Shown(self.token.current());
        let url = format!("{}/bot{}/{method}", self.base, shown.0.expose_secret());
        let request = fill(self.client.post(url).timeout(timeout));
        let response = request.send().await.map_err(|error| shown.failure(error))?;
        let status = response.status().as_u16();
        let header = response.headers().get("retry-after").and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let body = http::read_body(response).await.map_err(|error| ApiError::Broken(error.to_string()))?;
        shown.read(status, header, &body)
    }
}

impl Shown {
    fn failure(&self, error: reqwest::Error) -> ApiError {
        let never_written = error.is_connect() || error.is_builder();
        let words = self.redact(&words_of(&error.without_url()));
        if never_written { ApiError::NotSent(words) } else { ApiError::Broken(words) }
    }

    fn read(&self, status: u16, header: Option<u64>, body: &[u8]) -> Result<Value, ApiError> {
        let good = (200..300).contains(&status);
        match serde_json::from_slice::<Answer>(body) {
            Ok(Answer { ok: true, result: Some(result), .. }) if good => Ok(result),
            Ok(answer) if !answer.ok => {
                let mut parameters = answer.parameters.unwrap_or_default();
                parameters.retry_after = parameters.retry_after.or(header);
                let description = self.redact(&answer.description.unwrap_or_default());
                Err(ApiError::Refused { code: answer.error_code.unwrap_or_else(|| status.into()), description, parameters })
            }
            _ if good => {
                let raw = String::from_utf8_lossy(body);
                Err(ApiError::Unreadable { raw: http::quoted(&self.redact(&raw)), message_id: message_id_in(&raw) })
            }
            _ => {
                let body = http::quoted(&self.redact(&String::from_utf8_lossy(body)));
                Err(ApiError::Foreign { status, body, retry_after: header })
            }
        }
    }

    /// Text from outside may echo the path, and with it the token.
    fn redact(&self, text: &str) -> String {
        let token = self.0.expose_secret();
        let secret = token.split_once(':').map_or(token, |(_, secret)| secret);
        if secret.is_empty() { text.to_owned() } else { text.replace(token, "<token>").replace(secret, "<token>") }
    }
}

/// The error with its causes: reqwest's own words alone say only that something failed.
fn words_of(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        words = format!("{words}: {inner}");
        cause = inner.source();
    }
    words
}

/// A sent message whose answer broke in the middle is still sent: the id stands near the beginning of the raw text.
fn message_id_in(raw: &str) -> Option<i64> {
    let compact: String = raw.chars().filter(|letter| !letter.is_whitespace()).take(2000).collect();
    if !compact.contains("\"ok\":true") {
        return None;
    }
    let rest = compact.split_once("\"message_id\":")?.1;
    // The number is whole only if something follows it.
    let end = rest.find(|letter: char| !letter.is_ascii_digit())?;
    rest[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api() -> Api {
        Api::new("http://127.0.0.1:1/", "123:VERY-SECRET".to_owned().into())
    }

    fn shown() -> Shown {
        Shown(api().token.current())
    }

    #[test]
    fn the_token_is_in_no_error_and_no_debug_output() {
        let echo = b"<h1>404</h1> /bot123:VERY-SECRET/sendMessage was not found";
        let error = shown().read(404, None, echo).unwrap_err();
        assert!(!format!("{error} {error:?} {:?}", api()).contains("VERY-SECRET"), "{error:?}");
        let error = shown().read(200, None, echo).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("VERY-SECRET"), "{error:?}");
        let refusal = br#"{"ok":false,"error_code":401,"description":"Unauthorized 123:VERY-SECRET"}"#;
        assert!(!shown().read(401, None, refusal).unwrap_err().to_string().contains("VERY-SECRET"));
    }

    #[test]
    fn parameters_and_header_say_how_long_to_wait() {
        let limited = br#"{"ok":false,"error_code":429,"description":"Too Many Requests: retry after 7","parameters":{"retry_after":7}}"#;
        assert_eq!(shown().read(429, Some(9), limited).unwrap_err().retry_after(), Some(Duration::from_secs(7)));
        assert_eq!(shown().read(429, Some(9), b"slow down").unwrap_err().retry_after(), Some(Duration::from_secs(9)));
    }

    #[test]
    fn a_broken_answer_that_says_ok_was_sent() {
        let half = br#"{"ok": true, "result": {"message_id": 421, "date": 17"#;
        let Err(ApiError::Unreadable { message_id, .. }) = shown().read(200, None, half) else { panic!("unreadable") };
        assert_eq!(message_id, Some(421));
        let Err(ApiError::Unreadable { message_id, .. }) = shown().read(200, None, br#"{"ok":true,"result":{"message_id":42"#) else {
            panic!("unreadable")
        };
        assert_eq!(message_id, None, "the number may go on");
        assert!(matches!(shown().read(200, None, b""), Err(ApiError::Unreadable { message_id: None, .. })));
    }

    #[tokio::test]
    async fn silence_after_the_write_is_not_the_same_as_no_connection() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let call = async |url: &str| Api::new(url, "1:x".to_owned().into()).call("getMe", &Value::Null, Duration::from_millis(50)).await;
        assert!(matches!(call(&url).await, Err(ApiError::Broken(_))), "accepted, never answered");
        drop(listener);
        assert!(matches!(call(&url).await, Err(ApiError::NotSent(_))), "nobody there");
        assert!(matches!(call("not a url").await, Err(ApiError::NotSent(_))));
    }
}
