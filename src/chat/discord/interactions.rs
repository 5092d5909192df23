//! The door `/discord/interactions` (`rules.md` 6.1): who may come in, in which order that is checked, and when the answer is given.

use super::{
    answer,
    client::Discord,
    convert, facts,
    key::{PublicKey, unhex},
    payload::Interaction,
};
use crate::{
    commands::Desk,
    domain::{Timestamp, wording::Card},
    http::{
        incoming::{self, ReadError, only},
        quoted,
    },
};
use axum::{
    Json, Router,
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
    routing::post,
};
use futures_util::FutureExt as _;
use serde_json::{Map, Value};
use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};
use tokio::{
    sync::{Semaphore, oneshot},
    time::timeout,
};
use tokio_util::task::TaskTracker;

/// The largest body that is read, in bytes.
pub const BODY_LIMIT: usize = 256 * 1024;
/// At most this many requests at once.
const AT_ONCE: usize = 512;
/// The body must have arrived by then.
const BODY_TIME: Duration = Duration::from_secs(5);
/// A signature older or younger than this is refused, so that it cannot be replayed.
const OLDEST: Duration = Duration::from_secs(300);
/// An answer that takes longer is deferred; Discord waits 3 s in all.
const INLINE_TIME: Duration = Duration::from_millis(2_000);
const SIGNATURE: &str = "x-signature-ed25519";
const TIMESTAMP: &str = "x-signature-timestamp";

struct Door {
    discord: Discord,
    desk: Desk,
    tasks: TaskTracker,
    key: PublicKey,
    application: String,
    places: Semaphore,
}

/// The route of the door; `None` without a public key, when commands come over the Gateway. Work that goes on after an answer is
/// tracked in `tasks`.
pub fn router(discord: &Discord, desk: Desk, tasks: TaskTracker) -> Option<Router> {
    let key = discord.0.public_key.clone()?;
    let application = discord.0.application.get().to_string();
    let places = Semaphore::new(AT_ONCE);
    let door = Arc::new(Door { discord: discord.clone(), desk, tasks, key, application, places });
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
    match door.parse(&body) {
        Some((kind, object)) => Json(door.answer(kind, object, now).await).into_response(),
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

    /// The object and its type; `None` where it is not an object, of an unknown type, or for another application.
    fn parse(&self, body: &[u8]) -> Option<(u64, Map<String, Value>)> {
        let Ok(Value::Object(object)) = serde_json::from_slice(body) else { return None };
        let kind = object.get("type")?.as_u64().filter(|kind| (1..=5).contains(kind))?;
        let foreign = object.get("application_id").is_some_and(|id| id.as_str() != Some(&self.application));
        (!foreign).then_some((kind, object))
    }

    async fn answer(self: &Arc<Self>, kind: u64, object: Map<String, Value>, now: Timestamp) -> Value {
        if kind == 1 {
            return answer::pong();
        }
        let id = object.get("id").and_then(Value::as_str).unwrap_or("without an id").to_owned();
        match kind {
            2 => self.command(&id, object, now).await,
            4 => self.complete(&id, object).await,
            // No message of ours carries a component and no answer opens a modal yet.
            _ => unreadable(&id, kind, "no button or form of ours"),
        }
    }

    async fn complete(&self, id: &str, object: Map<String, Value>) -> Value {
        let completion = match interaction(object).and_then(|i| convert::completion(&i).map_err(|why| why.to_string())) {
            Ok(completion) => completion,
            Err(why) => return unreadable(id, 4, &why),
        };
        let Ok(choices) = timeout(INLINE_TIME, self.desk.complete(&completion)).await else {
            tracing::warn!(interaction = id, "suggestions took too long and are left out");
            return answer::choices(&[]);
        };
        answer::choices(&choices)
    }

    /// Carries out a command in a task of its own, so that a client that hangs up stops nothing; waits a little for its answer.
    async fn command(self: &Arc<Self>, id: &str, object: Map<String, Value>, received: Timestamp) -> Value {
        let read = interaction(object).and_then(|i| convert::typed(&i).map(|typed| (i, typed)).map_err(|why| why.to_string()));
        let (interaction, typed) = match read {
            Ok(read) => read,
            Err(why) => return unreadable(id, 2, &why),
        };
        let (give, mut take) = oneshot::channel::<Card>();
        let door = Arc::clone(self);
        self.tasks.spawn(async move {
            let work = async {
                let request = facts::request(&door.discord, &interaction, typed).await;
                let reply = door.desk.answer(&request).await;
                answer::follow_up(&door.discord, &door.desk, reply).await
            };
            // Whoever asked would see "thinking…" for ever.
            let card = AssertUnwindSafe(work).catch_unwind().await.unwrap_or_else(|_| {
                tracing::error!(interaction = %quoted(&interaction.id), "an interaction broke its handler");
                answer::apology(&interaction.id)
            });
            if let Err(card) = give.send(card) {
                answer::replace(&door.discord, &interaction.id, &interaction.token, &card, received).await;
            }
        });
        match timeout(INLINE_TIME, &mut take).await {
            Ok(Ok(card)) => answer::inline(&card),
            Ok(Err(_)) => unreadable(id, 2, "its task ended without an answer"),
            Err(_) => {
                // From here on the task replaces "thinking…", unless it was faster by a hair.
                take.close();
                take.try_recv().map_or_else(|_| answer::deferred(), |card| answer::inline(&card))
            }
        }
    }
}

fn interaction(object: Map<String, Value>) -> Result<Interaction, String> {
    serde_json::from_value(Value::Object(object)).map_err(|error| error.to_string())
}

/// The polite answer to types 2 to 5 that cannot be read; the operator finds it by its id.
fn unreadable(id: &str, kind: u64, why: &str) -> Value {
    tracing::error!(interaction = %quoted(id), kind, why = %quoted(why), "an interaction cannot be read");
    if kind == 4 { answer::choices(&[]) } else { answer::not_understood(id) }
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
