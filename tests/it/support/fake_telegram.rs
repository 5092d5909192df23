//! A stateful Telegram that speaks the Bot API over real HTTP: chats with members, administrators and topics, updates with offsets and
//! conflicts, limits that are enforced, faults on demand. Requests are held against the published spec where it is present.
//!
//! A test that leaves a message unread, or sends what the spec does not know, fails when the fake is dropped.

mod limits;
mod markup;
mod methods;
mod spec;
mod webhook;
mod world;

pub(crate) use world::{Sent, World};

use super::{
    multipart,
    network::Network,
    weather::{Heard, Weather, Witness},
};
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::post,
};
use bellwether::{
    chat::telegram::TelegramSettings,
    clock::{SharedClock, SystemClock},
};
use serde_json::{Value, json};
use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

/// The only token that works.
pub(crate) const TOKEN: &str = "4242:AAE-very-secret-token_of_the_tests";
/// The bot.
pub(crate) const BOT_ID: i64 = 4242;
/// Its name.
pub(crate) const BOT_NAME: &str = "bellwether_bot";

/// What goes wrong with one call.
#[derive(Clone, Debug)]
pub(crate) enum Fault {
    /// A refusal with this code, description and parameters.
    Refuse(u16, &'static str, Value),
    /// Any answer: status and body.
    Raw(u16, &'static str),
    /// The call is carried out after a while.
    Delay(Duration),
    /// The connection closes without an answer; whether the call was carried out.
    Close { carried_out: bool },
    /// The call is carried out; its answer stops in the middle.
    HalfBody,
    /// The call is carried out; its answer is complete and broken JSON that says `"ok":true`.
    BrokenJson,
    /// Nobody ever answers; whether the call was carried out.
    Silence { carried_out: bool },
}

/// The server; it stops when it is dropped.
pub(crate) struct FakeTelegram {
    /// `TELEGRAM_API_URL`.
    pub(crate) url: String,
    /// The way that messages come.
    pub(crate) network: Network,
    shared: Arc<Shared>,
    server: tokio::task::JoinHandle<()>,
    deliverer: tokio::task::JoinHandle<()>,
}

pub(super) struct Shared {
    world: Mutex<World>,
    wake: tokio::sync::Notify,
    clock: SharedClock,
    network: Network,
}

impl Shared {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }
}

impl FakeTelegram {
    /// Limits by the system's clock.
    pub(crate) async fn start() -> Self {
        Self::start_with(Arc::new(SystemClock)).await
    }

    /// Limits by this clock.
    pub(crate) async fn start_with(clock: SharedClock) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (world, wake, network) = (Mutex::new(World::default()), tokio::sync::Notify::new(), Network::default());
        let shared = Arc::new(Shared { world, wake, clock, network: network.clone() });
        let router = Router::new().route("/{bot}/{method}", post(answer).get(answer)).with_state(shared.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let deliverer = tokio::spawn(webhook::deliver(shared.clone()));
        Self { url, network, shared, server, deliverer }
    }

    pub(crate) fn settings(&self) -> TelegramSettings {
        TelegramSettings { api_url: self.url.clone(), token: TOKEN.to_owned().into(), webhook: None }
    }

    /// From now on each call is held against this weather, and whatever reaches a chat is told.
    pub(crate) fn observe(&self, weather: Weather<Fault>, witness: Witness) {
        let mut world = self.shared.world();
        (world.weather, world.witness) = (Some(weather), Some(witness));
    }

    /// The next call of this method goes wrong; `sendMessage` to one chat where it is named.
    pub(crate) fn fault(&self, method: &str, chat: Option<i64>, fault: Fault) {
        self.shared.world().faults.push((method.to_ascii_lowercase(), chat, fault));
    }

    /// The parameters of every call of this method so far.
    pub(crate) fn calls(&self, method: &str) -> Vec<Value> {
        let world = self.shared.world();
        world.calls.iter().filter(|(name, _)| name.eq_ignore_ascii_case(method)).map(|(_, parameters)| parameters.clone()).collect()
    }

    /// The messages that nobody has looked at, in order; now they are read.
    pub(crate) fn unread(&self) -> Vec<Sent> {
        let mut world = self.shared.world();
        let unread = world.sent.iter().filter(|sent| !sent.read).cloned().collect();
        world.sent.iter_mut().for_each(|sent| sent.read = true);
        unread
    }

    /// What the client of whoever pressed last was told: words over the chat, or where to go on; nothing where it was told no more than that.
    pub(crate) fn told_presser(&self) -> Option<String> {
        let answer = self.with(|world| world.presses.last().unwrap().answer.clone()).expect("the press was answered");
        ["text", "url"].iter().find_map(|part| Some(answer[part].as_str()?.to_owned()))
    }

    /// How many calls were refused for going too fast.
    pub(crate) fn refused_for_speed(&self) -> usize {
        self.shared.world().limits.refused
    }

    /// What was registered for a scope.
    pub(crate) fn commands(&self, scope: &str) -> Vec<String> {
        let world = self.shared.world();
        let list = world.commands.get(scope).and_then(Value::as_array).cloned().unwrap_or_default();
        list.iter().filter_map(|command| Some(command.get("command")?.as_str()?.to_owned())).collect()
    }

    /// A webhook is set, as by another program.
    pub(crate) fn set_webhook(&self, url: &str) {
        self.with(|world| world.webhook.url = url.to_owned());
    }

    /// How many updates wait to be confirmed.
    pub(crate) fn unconfirmed(&self) -> usize {
        self.shared.world().updates.len()
    }

    /// What the spec did not allow; looked at here, it does not fail the test.
    pub(crate) fn take_problems(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.world().problems)
    }

    /// Puts the world as a test wants it.
    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut World) -> T) -> T {
        let mut world = self.shared.world();
        world.date = self.shared.clock.now().as_secs();
        let result = change(&mut world);
        drop(world);
        self.shared.wake.notify_waiters();
        result
    }
}

impl Drop for FakeTelegram {
    fn drop(&mut self) {
        self.server.abort();
        self.deliverer.abort();
        if !std::thread::panicking() {
            let unread = self.unread();
            assert!(unread.is_empty(), "messages that no test looked at: {unread:#?}");
            let unanswered = self.with(|world| world.presses.iter().filter(|press| press.answer.is_none()).count());
            assert_eq!(unanswered, 0, "pressed, and the client still waits");
            let problems = self.take_problems();
            assert!(problems.is_empty(), "Telegram would refuse: {problems:#?}");
        }
    }
}

/// What a method gives: its result, or a refusal.
pub(super) type Outcome = Result<Value, Refusal>;

#[derive(Clone, Debug)]
pub(super) struct Refusal {
    code: u16,
    description: String,
    parameters: Value,
}

impl Refusal {
    pub(super) fn new(code: u16, description: impl Into<String>) -> Self {
        Self { code, description: description.into(), parameters: Value::Null }
    }

    pub(super) fn with(code: u16, description: impl Into<String>, parameters: Value) -> Self {
        Self { code, description: description.into(), parameters }
    }
}

async fn answer(
    State(shared): State<Arc<Shared>>,
    Path((bot, method)): Path<(String, String)>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let is_taken = bot.strip_prefix("bot") == Some(shared.world().token.as_deref().unwrap_or(TOKEN));
    if !is_taken {
        return respond(Err(Refusal::new(401, "Unauthorized")));
    }
    let method = method.to_ascii_lowercase();
    let parameters = parameters(&headers, &body);
    shared.world().calls.push((method.clone(), parameters.clone()));
    let fault = shared.world().take_fault(&method, &parameters);
    match fault {
        None if method.starts_with("send") => {
            let network = shared.network.clone();
            let send = async move {
                let outcome = carry_out(&shared, &method, &parameters).await;
                let done = outcome.is_ok();
                (outcome, done)
            };
            respond(network.carry(send).await)
        }
        None => respond(carry_out(&shared, &method, &parameters).await),
        Some(Fault::Refuse(code, description, extra)) => respond(Err(Refusal::with(code, description, extra))),
        Some(Fault::Raw(status, body)) => (StatusCode::from_u16(status).unwrap(), body).into_response(),
        Some(Fault::Delay(pause)) => {
            tokio::time::sleep(pause).await;
            respond(carry_out(&shared, &method, &parameters).await)
        }
        Some(Fault::Close { carried_out }) => {
            if carried_out {
                let _ = carry_out(&shared, &method, &parameters).await;
            }
            // Ends the connection's own task, without a word on stderr.
            std::panic::resume_unwind(Box::new("the connection closes"))
        }
        Some(Fault::Silence { carried_out }) => {
            if carried_out {
                let _ = carry_out(&shared, &method, &parameters).await;
            }
            let witness = shared.world.lock().unwrap().witness.clone();
            witness.into_iter().for_each(|witness| witness(Heard::SILENCE));
            std::future::pending().await
        }
        Some(Fault::HalfBody) => {
            let result = match carry_out(&shared, &method, &parameters).await {
                Ok(result) => result,
                refused => return respond(refused),
            };
            let whole = json!({ "ok": true, "result": result }).to_string().into_bytes();
            let half: Result<Vec<u8>, std::io::Error> = Ok(whole[..whole.len() / 2].to_vec());
            let broken = Err(std::io::Error::other("the answer stops here"));
            Body::from_stream(futures_util::stream::iter([half, broken])).into_response()
        }
        Some(Fault::BrokenJson) => {
            let result = match carry_out(&shared, &method, &parameters).await {
                Ok(result) => result,
                refused => return respond(refused),
            };
            let whole = json!({ "ok": true, "result": result }).to_string();
            whole[..whole.len() - 1].to_owned().into_response()
        }
    }
}

/// What was asked, as JSON or as a form, in which an object is its JSON; a file is an object with its name and content.
fn parameters(headers: &HeaderMap, body: &[u8]) -> Value {
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let Some(parts) = multipart::parts(content_type, body) else {
        return if body.is_empty() { json!({}) } else { serde_json::from_slice(body).unwrap_or(Value::Null) };
    };
    let value = |part: multipart::Part| match &part.file_name {
        Some(name) => json!({ "file_name": name, "content_type": part.content_type, "content": part.content }),
        None if matches!(part.name.as_str(), "reply_markup" | "media") => serde_json::from_str(part.text()).unwrap_or(json!(part.text())),
        None => part.text().parse::<i64>().map_or_else(|_| json!(part.text()), |number| json!(number)),
    };
    Value::Object(parts.into_iter().map(|part| (part.name.clone(), value(part))).collect())
}

async fn carry_out(shared: &Arc<Shared>, method: &str, parameters: &Value) -> Outcome {
    if let Err(problem) = spec::check(method, &without_attached(parameters)) {
        shared.world().problems.push(format!("{method}: {problem}"));
        return Err(Refusal::new(400, format!("Bad Request: {problem}")));
    }
    methods::call(shared, method, parameters).await
}

/// What a medium names with `attach://` is a part of the form, and no parameter.
fn without_attached(parameters: &Value) -> Value {
    let mut described = parameters.clone();
    let attached = parameters["media"]["media"].as_str().and_then(|media| media.strip_prefix("attach://"));
    if let (Some(name), Some(fields)) = (attached, described.as_object_mut()) {
        fields.remove(name);
    }
    described
}

fn respond(outcome: Outcome) -> Response {
    match outcome {
        Ok(result) => axum::Json(json!({ "ok": true, "result": result })).into_response(),
        Err(refusal) => {
            let mut body = json!({ "ok": false, "error_code": refusal.code, "description": refusal.description });
            let mut response = if refusal.parameters.is_null() {
                axum::Json(&body).into_response()
            } else {
                body["parameters"] = refusal.parameters.clone();
                axum::Json(&body).into_response()
            };
            *response.status_mut() = StatusCode::from_u16(refusal.code).unwrap();
            if let Some(seconds) = refusal.parameters.get("retry_after").and_then(Value::as_u64) {
                response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
            }
            response
        }
    }
}
