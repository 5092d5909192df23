//! The door `/discord/interactions` (`rules.md` 6.1): who may come in, and in which order that is checked. What an interaction then leads
//! to is `interactions`' business.

use super::{
    client::Discord,
    interactions::Interactions,
    key::{PublicKey, unhex},
};
use crate::{
    commands::Desk,
    domain::Timestamp,
    http::incoming::{self, ReadError, only},
};
use axum::{
    Json, Router,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::Semaphore, time::timeout};
use tokio_util::task::TaskTracker;

/// The largest body that is read, in bytes.
pub const BODY_LIMIT: usize = 256 * 1024;
/// At most this many requests at once.
const AT_ONCE: usize = 512;
/// The body must have arrived by then.
const BODY_TIME: Duration = Duration::from_secs(5);
/// A signature older or younger than this is refused, so that it cannot be replayed.
const OLDEST: Duration = Duration::from_secs(300);
const SIGNATURE: &str = "x-signature-ed25519";
const TIMESTAMP: &str = "x-signature-timestamp";

struct Door {
    interactions: Interactions,
    key: PublicKey,
    discord: Discord,
    places: Semaphore,
}

/// The route of the door; `None` without a public key, when commands come over the Gateway. Work that goes on after an answer is
/// tracked in `tasks`.
pub fn router(discord: &Discord, desk: Desk, tasks: TaskTracker) -> Option<Router> {
    let key = discord.0.public_key.clone()?;
    let interactions = Interactions::new(discord.clone(), desk, tasks);
    let door = Arc::new(Door { interactions, key, discord: discord.clone(), places: Semaphore::new(AT_ONCE) });
    Some(Router::new().route("/discord/interactions", post(enter)).with_state(door))
}

async fn enter(State(door): State<Arc<Door>>, headers: HeaderMap, body: Body) -> Response {
    let Ok(_place) = door.places.try_acquire() else { return StatusCode::SERVICE_UNAVAILABLE.into_response() };
    let body = match timeout(BODY_TIME, incoming::read(&headers, &mut body.into_data_stream(), BODY_LIMIT)).await {
        Ok(Ok(body)) => body,
        Ok(Err(ReadError::TooLarge)) => return StatusCode::PAYLOAD_TOO_LARGE.into_response(),
        // Broken off: an invalid request like any other.
        Ok(Err(ReadError::Broken)) => return StatusCode::UNAUTHORIZED.into_response(),
        Err(_) => return StatusCode::REQUEST_TIMEOUT.into_response(),
    };
    let now = door.discord.0.clock.now();
    if !door.is_signed(&headers, &body, now) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    match serde_json::from_slice(&body).ok().and_then(|body| door.interactions.receive(body, now)) {
        Some(received) => Json(door.interactions.answer(received).await).into_response(),
        None => StatusCode::BAD_REQUEST.into_response(),
    }
}

/// 1 to 12 digits without a sign.
fn timestamp(text: &str) -> Option<Timestamp> {
    let shaped = (1..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    shaped.then(|| text.parse().ok().map(Timestamp::from_secs)).flatten()
}

impl Door {
    /// Header shape, then age, then the strict check over the raw body.
    fn is_signed(&self, headers: &HeaderMap, body: &[u8], now: Timestamp) -> bool {
        let Some(signature) = only(headers, SIGNATURE).and_then(unhex::<64>) else { return false };
        let Some(written) = only(headers, TIMESTAMP) else { return false };
        let Some(at) = timestamp(written) else { return false };
        let age = now.since(at).max(at.since(now));
        age <= OLDEST && self.key.signed(&signature, written, body)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_digits_and_nothing_else() {
        assert_eq!(timestamp("1795255200"), Some(Timestamp::from_secs(1_795_255_200)));
        for bad in ["", "+1795255200", "-1", " 1795255200", "1795255200.0", "1234567890123", "１７９５", "0x10"] {
            assert_eq!(timestamp(bad), None, "{bad}");
        }
    }
}
