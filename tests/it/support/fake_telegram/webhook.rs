//! Updates by webhook, as Telegram's server does it: what it takes as an address and a secret, one change a second, and the delivery itself:
//! real POSTs that show the secret, one at a time for each chat, tried again until the other side answers 2xx. Pauses between two tries are
//! a hundredth of the real ones.

use super::{Outcome, Refusal, Shared, world::World};
use bellwether::domain::Timestamp;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

/// What is set.
#[derive(Default)]
pub(crate) struct Webhook {
    /// Empty: none.
    pub(crate) url: String,
    pub(crate) secret: Option<String>,
    pub(crate) allowed: Vec<String>,
    /// When a delivery last failed, in Unix seconds, and how.
    pub(crate) last_error: Option<(i64, String)>,
    changed_at: Option<Timestamp>,
    /// The queues of which an update is on its way.
    busy: BTreeSet<String>,
    tries: BTreeMap<i64, u32>,
}

impl Webhook {
    pub(super) fn is_set(&self) -> bool {
        !self.url.is_empty()
    }
}

pub(super) fn set(world: &mut World, parameters: &Value, now: Timestamp) -> Outcome {
    let text = |name: &str| parameters.get(name).and_then(Value::as_str);
    let url = text("url").unwrap_or_default();
    if url.is_empty() {
        return delete(world, parameters);
    }
    address(url).map_err(|why| Refusal::new(400, format!("Bad Request: bad webhook: {why}")))?;
    let secret = text("secret_token").map(str::to_owned);
    let taken = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if secret.as_ref().is_some_and(|secret| !(1..=256).contains(&secret.len()) || !secret.bytes().all(taken)) {
        return Err(Refusal::new(400, "Bad Request: secret token contains unallowed characters"));
    }
    let second = Duration::from_secs(1);
    if world.webhook.changed_at.is_some_and(|at| at + second > now) {
        return Err(Refusal::with(429, "Too Many Requests: retry after 1", json!({ "retry_after": 1 })));
    }
    world.webhook.changed_at = Some(now);
    if parameters.get("drop_pending_updates") == Some(&Value::Bool(true)) {
        world.updates.clear();
    }
    let allowed = match parameters.get("allowed_updates").and_then(Value::as_array) {
        Some(list) => list.iter().filter_map(|kind| Some(kind.as_str()?.to_owned())).collect(),
        None => world.webhook.allowed.clone(),
    };
    let is_same = (&world.webhook.url, &world.webhook.secret, &world.webhook.allowed) == (&url.to_owned(), &secret, &allowed);
    if !is_same {
        world.webhook = Webhook { url: url.to_owned(), secret, allowed, changed_at: Some(now), ..Webhook::default() };
    }
    Ok(Value::Bool(true))
}

/// https on one of four ports; this machine itself is for tests.
fn address(url: &str) -> Result<(), &'static str> {
    let url: reqwest::Url = url.parse().map_err(|_| "invalid URL")?;
    if url.host_str() == Some("127.0.0.1") {
        return Ok(());
    }
    if url.scheme() != "https" {
        return Err("An HTTPS URL must be provided for webhook");
    }
    let port = url.port_or_known_default();
    if matches!(port, Some(443 | 80 | 88 | 8443)) { Ok(()) } else { Err("Webhook can be set up only on ports 80, 88, 443 or 8443") }
}

pub(super) fn delete(world: &mut World, parameters: &Value) -> Outcome {
    world.webhook = Webhook { changed_at: world.webhook.changed_at, ..Webhook::default() };
    if parameters.get("drop_pending_updates") == Some(&Value::Bool(true)) {
        world.updates.clear();
    }
    Ok(Value::Bool(true))
}

pub(super) fn info(world: &World) -> Value {
    let webhook = &world.webhook;
    let mut info = json!({ "url": webhook.url, "has_custom_certificate": false, "pending_update_count": world.updates.len() });
    if !webhook.allowed.is_empty() {
        info["allowed_updates"] = json!(webhook.allowed);
    }
    if let Some((date, message)) = &webhook.last_error {
        info["last_error_date"] = json!(date);
        info["last_error_message"] = json!(message);
    }
    info
}

/// One update on its way.
struct Delivery {
    queue: String,
    id: i64,
    url: String,
    secret: Option<String>,
    body: String,
}

/// A chat's messages go in order; news of the bot's own place has a queue of its own.
fn queue_of(update: &Value) -> String {
    let chat = |kind: &str| update[kind]["chat"]["id"].to_string();
    match update["callback_query"]["id"].as_str() {
        Some(press) => format!("press {press}"),
        None if update.get("my_chat_member").is_some() => format!("place of {}", chat("my_chat_member")),
        None => chat("message"),
    }
}

impl World {
    /// The next update of each queue of which none is on its way.
    fn next_deliveries(&mut self, now: Timestamp) -> Vec<Delivery> {
        if !self.webhook.is_set() {
            return Vec::new();
        }
        self.expire_updates(now);
        let allowed = self.webhook.allowed.clone();
        self.updates.retain(|update| allowed.is_empty() || update.as_object().unwrap().keys().any(|key| allowed.contains(key)));
        let mut next = Vec::new();
        for update in &self.updates {
            let queue = queue_of(update);
            if self.webhook.busy.insert(queue.clone()) {
                let id = update["update_id"].as_i64().unwrap();
                let (url, secret) = (self.webhook.url.clone(), self.webhook.secret.clone());
                next.push(Delivery { queue, id, url, secret, body: update.to_string() });
            }
        }
        next
    }
}

/// Delivers what waits, as long as the fake lives.
pub(super) async fn deliver(shared: Arc<Shared>) {
    let client = reqwest::Client::new();
    loop {
        let woken = shared.wake.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        let next = shared.world().next_deliveries(shared.clock.now());
        for delivery in next {
            tokio::spawn(attempt(shared.clone(), client.clone(), delivery));
        }
        woken.await;
    }
}

async fn attempt(shared: Arc<Shared>, client: reqwest::Client, delivery: Delivery) {
    let mut request = client.post(&delivery.url).header("content-type", "application/json").body(delivery.body);
    if let Some(secret) = &delivery.secret {
        request = request.header("X-Telegram-Bot-Api-Secret-Token", secret);
    }
    let (error, retry_after) = match request.send().await {
        Ok(response) if response.status().is_success() => (None, None),
        Ok(response) => {
            let after = response.headers().get("retry-after").and_then(|after| after.to_str().ok()?.parse::<u64>().ok());
            (Some(format!("Wrong response from the webhook: {}", response.status())), after)
        }
        Err(error) if error.is_connect() => (Some("Connection refused".to_owned()), None),
        Err(_) => (Some("Connection closed".to_owned()), None),
    };
    if let Some(message) = error {
        let tries = {
            let mut world = shared.world();
            world.webhook.last_error = Some((shared.clock.now().as_secs(), message));
            let tries = world.webhook.tries.entry(delivery.id).or_default();
            *tries += 1;
            *tries
        };
        // The first retry comes at once.
        let seconds = retry_after.unwrap_or(if tries == 1 { 0 } else { 1 << tries.min(6) });
        tokio::time::sleep(Duration::from_millis(seconds * 10)).await;
    } else {
        let mut world = shared.world();
        let at = world.updates.iter().position(|update| update["update_id"] == delivery.id);
        at.map(|at| world.updates.remove(at));
    }
    shared.world().webhook.busy.remove(&delivery.queue);
    shared.wake.notify_waiters();
}
