//! The outgoing HTTP client that every room shares: timeouts, no redirects, bounded bodies (`rules.md` 4.6); and what every door checks of
//! what comes in ([`incoming`]); and the secrets that are shown and asked for there, which may be replaced ([`Credential`]).

mod credential;
pub mod incoming;

pub use credential::{Credential, Renewals};

use reqwest::{Client, Response, redirect};
use std::time::Duration;

/// The most bytes of an answer that are read, after decompression.
pub const BODY_LIMIT: usize = 8 * 1024 * 1024;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A client whose whole request takes at most `timeout`. It follows no redirect: a key in a header would follow it.
///
/// # Panics
/// Where the TLS library cannot start: nothing works then.
#[expect(clippy::disallowed_methods, reason = "the one place where a client is built")]
pub fn client(timeout: Duration) -> Client {
    Client::builder()
        .redirect(redirect::Policy::none())
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(timeout)
        .user_agent(concat!("Bellwether/", env!("CARGO_PKG_VERSION")))
        .build()
        .expect("the TLS backend starts")
}

/// Why a body could not be read. Never carries the URL.
#[derive(Debug, thiserror::Error)]
pub enum BodyError {
    /// It is larger than [`BODY_LIMIT`].
    #[error("the answer is larger than 8 MiB")]
    TooLarge,
    /// The connection broke.
    #[error("the answer broke off: {0}")]
    Broken(String),
}

/// Reads a body of at most [`BODY_LIMIT`] bytes.
///
/// # Errors
/// Where it is larger or breaks off.
pub async fn read_body(mut response: Response) -> Result<Vec<u8>, BodyError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| BodyError::Broken(error.without_url().to_string()))? {
        if body.len() + chunk.len() > BODY_LIMIT {
            return Err(BodyError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// Text from outside for a log line or an error: one line, quoted, at most 200 characters (6.5).
pub fn quoted(text: &str) -> String {
    let mut short: String = text.chars().take(200).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}
