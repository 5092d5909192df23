//! The door `/telegram/webhook` (`rules.md` 6.2): whoever shows the secret is believed, and what came is stored before it is confirmed.
//! A refusal would make Telegram send the same again and hold back what follows in that chat, so that only a database that fails is one.

use super::{Updates, arrivals::Arrivals, webhook::WEBHOOK_PATH};
use crate::{
    commands::InboxError,
    http::{
        Credential,
        incoming::{self, ReadError, only},
        quoted,
    },
    telemetry::UpdateOutcome,
};
use axum::{
    Router,
    body::{Body, BodyDataStream},
    extract::State,
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use futures_util::StreamExt as _;
use secrecy::ExposeSecret;
use serde::Deserialize;
use std::{sync::Arc, time::Duration};
use tokio::{sync::Semaphore, time::timeout};

/// The largest update that is taken, in bytes.
pub const BODY_LIMIT: usize = 1024 * 1024;
/// Updates that are taken in at the same time; more wait. Telegram itself opens 40 connections.
const AT_ONCE: usize = 64;
/// The body must have arrived by then.
const BODY_TIME: Duration = Duration::from_secs(10);
/// When Telegram tries again after the database failed, in seconds.
const RETRY_AFTER: u64 = 5;
const SECRET: &str = "x-telegram-bot-api-secret-token";

struct Door {
    arrivals: Arc<Arrivals>,
    secret: Credential,
    places: Semaphore,
}

/// All that must be readable of an update to store it.
#[derive(Deserialize)]
struct Numbered {
    update_id: i64,
}

/// The route of the webhook; `None` where updates are polled.
pub fn router(updates: &Updates) -> Option<Router> {
    let secret = updates.telegram.webhook()?.secret.clone();
    let door = Arc::new(Door { arrivals: updates.arrivals.clone(), secret, places: Semaphore::new(AT_ONCE) });
    Some(Router::new().route(WEBHOOK_PATH, post(enter)).with_state(door))
}

async fn enter(State(door): State<Arc<Door>>, headers: HeaderMap, body: Body) -> Response {
    let shows_secret = only(&headers, SECRET).is_some_and(|shown| incoming::is_same(shown, door.secret.current().expose_secret()));
    if !shows_secret {
        door.arrivals.count(UpdateOutcome::Unauthorized);
        return StatusCode::UNAUTHORIZED.into_response();
    }
    // The semaphore is never closed.
    let _place = door.places.acquire().await.ok();
    let mut body = body.into_data_stream();
    let read = timeout(BODY_TIME, async {
        let read = incoming::read(&headers, &mut body, BODY_LIMIT).await;
        if read == Err(ReadError::TooLarge) {
            drain(&mut body).await;
        }
        read
    });
    match read.await {
        Ok(Ok(body)) => stored(door.keep(&body).await),
        Ok(Err(ReadError::TooLarge)) => {
            door.arrivals.count(UpdateOutcome::TooLarge);
            tracing::warn!("an update of more than 1 MiB was not kept");
            StatusCode::OK.into_response()
        }
        Ok(Err(ReadError::Broken)) => StatusCode::BAD_REQUEST.into_response(),
        Err(_) => StatusCode::REQUEST_TIMEOUT.into_response(),
    }
}

/// Whoever is still writing reads no answer.
async fn drain(body: &mut BodyDataStream) {
    while let Some(Ok(_)) = body.next().await {}
}

fn stored(kept: Result<(), InboxError>) -> Response {
    match kept {
        Ok(()) => StatusCode::OK.into_response(),
        Err(error) => {
            tracing::error!(%error, "an update could not be stored; Telegram sends it again");
            (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, RETRY_AFTER)]).into_response()
        }
    }
}

impl Door {
    async fn keep(&self, body: &[u8]) -> Result<(), InboxError> {
        let text = std::str::from_utf8(body).map_err(|error| error.to_string());
        let read = text.and_then(|text| {
            let numbered: Numbered = serde_json::from_str(text).map_err(|error| error.to_string())?;
            // Telegram counts from one; what is below stands for what has no number.
            if numbered.update_id > 0 { Ok((numbered.update_id, text)) } else { Err("its number is none of Telegram's".to_owned()) }
        });
        match read {
            Ok((id, text)) => self.arrivals.keep(id, text).await.map(drop),
            Err(why) => self.arrivals.keep_unreadable(body, &quoted(&why)).await,
        }
    }
}
