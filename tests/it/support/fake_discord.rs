//! A Discord that speaks real HTTP on loopback: stateful, as strict as its published document, with limits and faults.

pub(crate) mod door;
pub(crate) mod gateway;
pub(crate) mod interaction;
pub(crate) mod spec;

use super::{
    app::embed_text,
    multipart::{self, File, Part},
    network::Network,
    weather::{Heard, How, Weather, Witness},
};
use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, StatusCode, Uri},
    response::{IntoResponse, Response},
};
use bellwether::{clock::SharedClock, domain::Timestamp};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};
use tokio::task::JoinHandle;

/// The application, which is also the bot's account.
pub(crate) const APPLICATION: u64 = 1_402_318_849_203_716_096;
/// The server, and the channel where commands are typed.
pub(crate) const GUILD: &str = "1180243561948524565";
pub(crate) const HERE: &str = "1180243562783182920";
/// The token that is accepted.
pub(crate) const TOKEN: &str = "bot-token.very-secret.0123456789";
/// How long a message is known by its nonce. Discord says "the past few minutes": no more than two are relied on.
const NONCES_ARE_KNOWN: Duration = Duration::from_secs(120);

/// Runs until it is dropped; dropping it fails the test where a request was wrong or a message was not read.
pub(crate) struct FakeDiscord {
    pub(crate) url: String,
    pub(crate) gateway: Arc<gateway::FakeGateway>,
    /// The way that messages come.
    pub(crate) network: Network,
    world: Arc<Mutex<World>>,
    server: JoinHandle<()>,
}

struct World {
    clock: SharedClock,
    gateway: Arc<gateway::FakeGateway>,
    network: Network,
    endpoint: Option<String>,
    channels: BTreeMap<String, Value>,
    roles: BTreeMap<String, Value>,
    own_roles: Vec<String>,
    messages: Vec<Message>,
    created: usize,
    /// Messages by channel and nonce, and when they came.
    nonces: HashMap<(String, String), (String, Timestamp)>,
    repeated: usize,
    too_fast: usize,
    answers: Vec<(String, Value)>,
    files: Vec<File>,
    commands: Vec<Value>,
    command_writes: usize,
    requests: Vec<String>,
    complaints: Vec<String>,
    faults: Vec<Fault>,
    closed_dms: BTreeSet<String>,
    weather: Option<Weather<FaultKind>>,
    witness: Option<Witness>,
    token: String,
    windows: BTreeMap<String, (Timestamp, u32)>,
    sent: VecDeque<Timestamp>,
}

/// A message that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) id: String,
    pub(crate) channel: String,
    pub(crate) body: Value,
    /// The file that it shows.
    pub(crate) file: Option<File>,
    /// It was edited since it came.
    pub(crate) edited: bool,
    read: bool,
}

/// What goes wrong with the next requests of a kind.
pub(crate) struct Fault {
    /// `POST /channels/…`: how method and path begin.
    pub(crate) on: String,
    /// How often.
    pub(crate) times: usize,
    pub(crate) kind: FaultKind,
}

pub(crate) enum FaultKind {
    /// This answer instead.
    Answer(u16, Vec<(&'static str, String)>, String),
    /// The connection closes after the request was read; nothing is done.
    HangUp,
    /// It is carried out, but the connection closes without an answer.
    LoseAnswer,
    /// The answer takes this long.
    Delay(Duration),
    /// It is carried out; its answer stops in the middle.
    HalfBody,
    /// Nobody ever answers; whether it was carried out.
    Silence { carried_out: bool },
}

impl FakeDiscord {
    pub(crate) async fn start(clock: SharedClock) -> Self {
        let here = json!({"id": HERE, "type": 0, "guild_id": GUILD, "name": "alerts", "permission_overwrites": []});
        let everyone = json!([{"id": GUILD, "name": "@everyone", "permissions": interaction::BOT.to_string(), "mentionable": false}]);
        let gateway = Arc::new(gateway::FakeGateway::start().await);
        let network = Network::default();
        let world = Arc::new(Mutex::new(World {
            clock,
            gateway: Arc::clone(&gateway),
            network: network.clone(),
            endpoint: None,
            channels: BTreeMap::from([(HERE.to_owned(), here)]),
            roles: BTreeMap::from([(GUILD.to_owned(), everyone)]),
            own_roles: Vec::new(),
            messages: Vec::new(),
            created: 0,
            nonces: HashMap::new(),
            repeated: 0,
            too_fast: 0,
            answers: Vec::new(),
            files: Vec::new(),
            commands: Vec::new(),
            command_writes: 0,
            requests: Vec::new(),
            complaints: Vec::new(),
            faults: Vec::new(),
            closed_dms: BTreeSet::new(),
            weather: None,
            witness: None,
            token: TOKEN.to_owned(),
            windows: BTreeMap::new(),
            sent: VecDeque::new(),
        }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(handle).with_state(Arc::clone(&world));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, gateway, network, world, server }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    /// Adds or changes a channel; fields as the API has them.
    pub(crate) fn channel(&self, id: &str, fields: Value) {
        let mut channel = json!({"id": id, "type": 0, "guild_id": GUILD, "name": "other", "permission_overwrites": []});
        let Value::Object(fields) = fields else { panic!("fields are an object") };
        channel.as_object_mut().unwrap().extend(fields);
        self.world().channels.insert(id.to_owned(), channel);
    }

    /// Commands are sent over HTTP to this address; to the Gateway where there is none.
    pub(crate) fn set_endpoint(&self, endpoint: Option<&str>) {
        self.world().endpoint = endpoint.map(str::to_owned);
    }

    /// The bot's token was reset: this one is taken from now on, and no other.
    pub(crate) fn reset_token(&self, token: &str) {
        token.clone_into(&mut self.world().token);
        self.gateway.with(|state| token.clone_into(&mut state.token));
    }

    /// Somebody deletes a message of the bot.
    pub(crate) fn delete_message(&self, id: &str) {
        self.world().messages.retain(|message| message.id != id);
    }

    /// A channel takes the right to embed links from everybody, or gives it back.
    pub(crate) fn may_embed(&self, channel: &str, may: bool) {
        let denied = if may { 0 } else { interaction::EMBED_LINKS };
        let overwrite = json!({"id": GUILD, "type": 0, "allow": "0", "deny": denied.to_string()});
        self.world().channels.get_mut(channel).unwrap()["permission_overwrites"] = json!([overwrite]);
    }

    /// The channel is no more.
    pub(crate) fn delete_channel(&self, id: &str) {
        self.world().channels.remove(id);
    }

    /// From now on each request is held against this weather, and whatever reaches a channel is told.
    pub(crate) fn observe(&self, weather: Weather<FaultKind>, witness: Witness) {
        let mut world = self.world();
        (world.weather, world.witness) = (Some(weather), Some(witness));
    }

    /// This person takes direct messages again.
    pub(crate) fn allow_direct_messages(&self, user: &str) {
        self.world().closed_dms.remove(user);
    }

    /// This person takes no direct messages.
    pub(crate) fn close_direct_messages(&self, user: &str) {
        self.world().closed_dms.insert(user.to_owned());
    }

    pub(crate) fn fault(&self, on: &str, times: usize, kind: FaultKind) {
        self.world().faults.push(Fault { on: on.to_owned(), times, kind });
    }

    /// Nothing goes wrong any more.
    pub(crate) fn recover(&self) {
        self.world().faults.clear();
    }

    /// An error of Discord's, `times` times.
    pub(crate) fn refuse(&self, on: &str, times: usize, status: u16, code: u64) {
        let body = json!({"message": format!("refused with {code}"), "code": code}).to_string();
        self.fault(on, times, FaultKind::Answer(status, vec![("content-type", "application/json".into())], body));
    }

    /// The messages that were not read yet; they are now.
    pub(crate) fn unread(&self) -> Vec<Message> {
        let mut world = self.world();
        let unread = world.messages.iter_mut().filter(|message| !message.read);
        unread
            .map(|message| {
                message.read = true;
                message.clone()
            })
            .collect()
    }

    /// The messages that stand in all channels, in order, whether they were read or not.
    pub(crate) fn messages(&self) -> Vec<Message> {
        self.world().messages.clone()
    }

    /// How many requests came too fast.
    pub(crate) fn refused_for_speed(&self) -> usize {
        self.world().too_fast
    }

    /// How often a message was asked for again and known by its nonce.
    pub(crate) fn repeated(&self) -> usize {
        self.world().repeated
    }

    /// The edits of "thinking…" so far: interaction token and body.
    pub(crate) fn answers(&self) -> Vec<(String, Value)> {
        self.world().answers.clone()
    }

    /// The files that answers brought since the last look.
    pub(crate) fn files(&self) -> Vec<File> {
        std::mem::take(&mut self.world().files)
    }

    /// What was asked so far, as method and path.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.world().requests.clone()
    }

    pub(crate) fn commands(&self) -> Vec<Value> {
        self.world().commands.clone()
    }

    /// How often commands were written.
    pub(crate) fn command_writes(&self) -> usize {
        self.world().command_writes
    }

    /// What was wrong with the requests; a test that provokes it takes it.
    pub(crate) fn take_complaints(&self) -> Vec<String> {
        let mut complaints = std::mem::take(&mut self.world().complaints);
        self.gateway.with(|state| complaints.append(&mut state.complaints));
        complaints
    }
}

impl Drop for FakeDiscord {
    fn drop(&mut self) {
        self.server.abort();
        if std::thread::panicking() {
            return;
        }
        let complaints = self.take_complaints();
        assert!(complaints.is_empty(), "Discord would refuse: {complaints:#?}");
        let world = self.world();
        let unread: Vec<_> = world.messages.iter().filter(|message| !message.read).collect();
        assert!(unread.is_empty(), "unread on Discord: {unread:#?}");
    }
}

async fn handle(State(world): State<Arc<Mutex<World>>>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let asked = format!("{method} {}", uri.path().trim_start_matches("/api/v10"));
    let fault = {
        let mut world = world.lock().unwrap();
        world.requests.push(asked.clone());
        world.manners(&uri, &headers);
        world.next_fault(&asked)
    };
    match fault {
        None => {}
        Some(FaultKind::Answer(status, headers, body)) => {
            let mut response = (StatusCode::from_u16(status).unwrap(), body).into_response();
            for (name, value) in headers {
                response.headers_mut().insert(name, value.parse().unwrap());
            }
            return response;
        }
        Some(FaultKind::HangUp) => hang_up(),
        Some(FaultKind::LoseAnswer) => {
            world.lock().unwrap().respond(&asked, &headers, &body);
            hang_up()
        }
        Some(FaultKind::Delay(time)) => tokio::time::sleep(time).await,
        Some(FaultKind::HalfBody) => {
            let response = world.lock().unwrap().respond(&asked, &headers, &body);
            return half(response).await;
        }
        Some(FaultKind::Silence { carried_out }) => {
            if carried_out {
                world.lock().unwrap().respond(&asked, &headers, &body);
            }
            let witness = world.lock().unwrap().witness.clone();
            witness.into_iter().for_each(|witness| witness(Heard::SILENCE));
            std::future::pending::<()>().await;
        }
    }
    if !asked.starts_with("POST /channels/") {
        return world.lock().unwrap().respond(&asked, &headers, &body);
    }
    let network = world.lock().unwrap().network.clone();
    let respond = async move {
        let response = world.lock().unwrap().respond(&asked, &headers, &body);
        let done = response.status().is_success();
        (response, done)
    };
    network.carry(respond).await
}

/// The beginning of an answer, before the connection breaks.
async fn half(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    let whole = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    parts.headers.remove("content-length");
    let chunks = [Ok(whole.slice(..whole.len() / 2)), Err(std::io::Error::other("the answer stops here"))];
    Response::from_parts(parts, axum::body::Body::from_stream(futures_util::stream::iter(chunks)))
}

/// Ends the connection without a word; unwinding this way prints nothing.
fn hang_up() -> ! {
    std::panic::resume_unwind(Box::new("hung up on purpose"))
}

impl World {
    fn manners(&mut self, uri: &Uri, headers: &HeaderMap) {
        if !uri.path().starts_with("/api/v10/") {
            self.complaints.push(format!("{} lacks the version", uri.path()));
        }
        if !headers.get("user-agent").is_some_and(|agent| agent.as_bytes().starts_with(b"DiscordBot (")) {
            self.complaints.push("User-Agent is not DiscordBot (url, version)".into());
        }
    }

    fn next_fault(&mut self, asked: &str) -> Option<FaultKind> {
        if let Some(weather) = &self.weather {
            return weather(asked, "");
        }
        let index = self.faults.iter().position(|fault| fault.times > 0 && asked.starts_with(&fault.on))?;
        let fault = &mut self.faults[index];
        fault.times -= 1;
        Some(match &fault.kind {
            FaultKind::Answer(status, headers, body) => FaultKind::Answer(*status, headers.clone(), body.clone()),
            FaultKind::HangUp => FaultKind::HangUp,
            FaultKind::LoseAnswer => FaultKind::LoseAnswer,
            FaultKind::Delay(time) => FaultKind::Delay(*time),
            FaultKind::HalfBody => FaultKind::HalfBody,
            FaultKind::Silence { carried_out } => FaultKind::Silence { carried_out: *carried_out },
        })
    }

    fn respond(&mut self, asked: &str, headers: &HeaderMap, body: &[u8]) -> Response {
        let (method, path) = asked.split_once(' ').unwrap();
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let is_webhook = matches!(parts[0], "webhooks" | "interactions");
        if !is_webhook {
            if headers.get("authorization").is_none_or(|given| given.as_bytes() != format!("Bot {}", self.token).as_bytes()) {
                return error(401, 0, "401: Unauthorized");
            }
            if let Some(limited) = self.global_limit() {
                return limited;
            }
        }
        let content_type = headers.get("content-type").and_then(|value| value.to_str().ok());
        let form = multipart::parts(content_type, body).unwrap_or_default();
        let json = form.iter().find(|part| part.name == "payload_json").map_or(body, |part| part.content.as_slice());
        let body: Value = serde_json::from_slice(json).unwrap_or(Value::Null);
        match (method, parts.as_slice()) {
            ("POST", ["channels", channel, "messages"]) => self.create_message(channel, &body, &form),
            ("PATCH", ["channels", channel, "messages", id]) => self.edit_message(channel, id, &body, &form),
            ("DELETE", ["channels", channel, "messages", id]) => self.take_away(channel, id),
            ("GET", ["channels", channel]) => match self.channels.get(*channel) {
                Some(found) => found.clone().to_string().into_response(),
                None => error(404, 10003, "Unknown Channel"),
            },
            ("PATCH", ["channels", channel]) => {
                let Some(found) = self.channels.get_mut(*channel) else { return error(404, 10003, "Unknown Channel") };
                found["thread_metadata"]["archived"] = body["archived"].clone();
                self.checked("patch", "/channels/{channel_id}", &body).unwrap_or_else(|| json!({}).to_string().into_response())
            }
            ("GET", ["guilds", guild, "roles"]) => self.roles.get(*guild).cloned().unwrap_or(json!([])).to_string().into_response(),
            ("GET", ["guilds", _, "members", user]) if *user == APPLICATION.to_string() => {
                json!({"user": {"id": user}, "roles": self.own_roles}).to_string().into_response()
            }
            ("POST", ["users", "@me", "channels"]) => self.open_direct_messages(&body),
            ("GET", ["users", "@me"]) => json!({"id": APPLICATION.to_string(), "username": "alertbot", "bot": true}).to_string().into_response(),
            ("GET", ["applications", "@me"]) => json!({
                "id": APPLICATION.to_string(), "name": "Alert Bot", "verify_key": interaction::public_key(), "interactions_endpoint_url": self.endpoint,
            })
            .to_string()
            .into_response(),
            ("GET", ["gateway", "bot"]) => self.gateway.described().to_string().into_response(),
            ("POST", ["interactions", id, token, "callback"]) => {
                let template = "/interactions/{interaction_id}/{interaction_token}/callback";
                self.checked("post", template, &body).unwrap_or_else(|| match self.gateway.called_back(id, token, &body) {
                    Ok(()) => StatusCode::NO_CONTENT.into_response(),
                    Err((status, code)) => error(status, code, "not a first answer"),
                })
            }
            ("GET", ["applications", _, "commands"]) => json!(self.commands).to_string().into_response(),
            ("PUT", ["applications", _, "commands"]) => self.write_commands(&body),
            ("PATCH", ["webhooks", _, token, "messages", "@original"]) => {
                let template = "/webhooks/{webhook_id}/{webhook_token}/messages/@original";
                if let Some(problem) = spec::files("patch", template, &body, &form) {
                    self.complaints.push(problem);
                    return error(400, 50035, "Invalid Form Body");
                }
                self.checked("patch", template, &body).unwrap_or_else(|| {
                    self.files.extend(form.iter().filter_map(Part::file));
                    self.answers.push(((*token).to_owned(), body.clone()));
                    json!({"id": "5"}).to_string().into_response()
                })
            }
            _ => {
                self.complaints.push(format!("{asked} is not a route"));
                error(404, 0, "404: Not Found")
            }
        }
    }

    /// Discord's refusal of a body, if it would refuse it; remembered for the end of the test.
    fn checked(&mut self, method: &str, template: &str, body: &Value) -> Option<Response> {
        let found = spec::complaints(method, template, body);
        if found.is_empty() {
            return None;
        }
        self.complaints.push(format!("{method} {template}: {found:?}\n{body:#}"));
        Some(error(400, 50035, "Invalid Form Body"))
    }

    fn create_message(&mut self, channel: &str, body: &Value, form: &[Part]) -> Response {
        let template = "/channels/{channel_id}/messages";
        if let Some(refusal) = self.checked("post", template, body) {
            return refusal;
        }
        if let Some(problem) = spec::files("post", template, body, form) {
            self.complaints.push(problem);
            return error(400, 50035, "Invalid Form Body");
        }
        let Some(found) = self.channels.get(channel) else { return error(404, 10003, "Unknown Channel") };
        if found["thread_metadata"]["archived"] == json!(true) {
            return error(400, 50083, "Thread is archived");
        }
        if let Some(code) = found["refuses"].as_u64() {
            return error(403, code, "refused here");
        }
        if found["recipient"].as_str().is_some_and(|user| self.closed_dms.contains(user)) {
            return error(403, 50007, "Cannot send messages to this user");
        }
        if !form.is_empty() && found["without_files"] == json!(true) {
            return error(403, 50013, "Missing Permissions");
        }
        let body = &self.as_shown(channel, body);
        let now = self.clock.now();
        let window = self.windows.entry(channel.to_owned()).or_insert((now, 0));
        if now >= window.0 + Duration::from_secs(5) {
            *window = (now, 0);
        }
        let reset_after = (window.0 + Duration::from_secs(5)).since(now).as_secs_f64();
        if window.1 >= 5 {
            self.too_fast += 1;
            self.tell(channel, "", body, How::TooFast);
            return limited(reset_after, "user", true);
        }
        window.1 += 1;
        let remaining = 5 - window.1;
        let nonce = (channel.to_owned(), body["nonce"].as_str().unwrap_or_default().to_owned());
        let is_enforced = body["enforce_nonce"] == json!(true);
        let earlier = self.nonces.get(&nonce).filter(|(_, at)| is_enforced && now < *at + NONCES_ARE_KNOWN);
        let id = match earlier {
            Some((id, _)) => {
                let id = id.clone();
                self.repeated += 1;
                let standing = self.messages.iter().find(|message| message.id == id).map_or(body, |message| &message.body);
                self.tell(channel, &id, standing, How::Known);
                id
            }
            None => {
                self.created += 1;
                let id = (9_000 + self.created).to_string();
                let file = form.iter().find_map(Part::file);
                self.nonces.insert(nonce, (id.clone(), now));
                self.messages.push(Message {
                    id: id.clone(),
                    channel: channel.to_owned(),
                    body: body.clone(),
                    file,
                    edited: false,
                    read: false,
                });
                self.tell(channel, &id, body, How::New);
                id
            }
        };
        let standing = self.messages.iter().find(|message| message.id == id).map_or(body, |message| &message.body);
        let answer = json!({"id": id, "channel_id": channel, "nonce": body["nonce"], "embeds": standing["embeds"]});
        let mut response = answer.to_string().into_response();
        bucket_headers(&mut response, remaining, reset_after);
        response
    }

    fn edit_message(&mut self, channel: &str, id: &str, body: &Value, form: &[Part]) -> Response {
        let template = "/channels/{channel_id}/messages/{message_id}";
        if let Some(refusal) = self.checked("patch", template, body) {
            return refusal;
        }
        if let Some(problem) = spec::files("patch", template, body, form).filter(|_| !form.is_empty()) {
            self.complaints.push(problem);
            return error(400, 50035, "Invalid Form Body");
        }
        let Some(found) = self.channels.get(channel) else { return error(404, 10003, "Unknown Channel") };
        if found["thread_metadata"]["archived"] == json!(true) {
            return error(400, 50083, "Thread is archived");
        }
        if !form.is_empty() && found["without_files"] == json!(true) {
            return error(403, 50013, "Missing Permissions");
        }
        let as_shown = self.as_shown(channel, body);
        let Some(message) = self.messages.iter_mut().find(|message| message.channel == channel && message.id == id) else {
            return error(404, 10008, "Unknown Message");
        };
        // What is not named among the attachments goes.
        if let Some(attachments) = body["attachments"].as_array() {
            message.file = form.iter().find_map(Part::file).filter(|_| !attachments.is_empty());
        }
        let shown = spec::shown(body);
        if shown.is_some_and(|shown| message.file.as_ref().is_none_or(|file| file.name != shown)) {
            self.complaints.push(format!("an edit shows {shown:?}, which is not there"));
            return error(400, 50035, "Invalid Form Body");
        }
        for (field, value) in as_shown.as_object().unwrap() {
            message.body[field] = value.clone();
        }
        (message.edited, message.read) = (true, false);
        let shown = message.body.clone();
        self.tell(channel, id, &shown, How::Edited);
        json!({"id": id, "channel_id": channel, "embeds": shown["embeds"]}).to_string().into_response()
    }

    fn take_away(&mut self, channel: &str, id: &str) -> Response {
        let before = self.messages.len();
        self.messages.retain(|message| message.channel != channel || message.id != id);
        if self.messages.len() == before {
            return error(404, 10008, "Unknown Message");
        }
        // What is not there is known for nothing.
        self.nonces.retain(|_, (message, _)| message != id);
        StatusCode::NO_CONTENT.into_response()
    }

    /// What Discord makes of a message: without a word it leaves the embeds out where the bot may not embed links.
    fn as_shown(&self, channel: &str, body: &Value) -> Value {
        let mut shown = body.clone();
        let overwrites = self.channels[channel]["permission_overwrites"].as_array();
        let denied = |overwrite: &Value| overwrite["deny"].as_str().unwrap().parse::<u64>().unwrap() & interaction::EMBED_LINKS != 0;
        // Nobody but the bot and the role of all members has any here.
        if overwrites.is_some_and(|overwrites| overwrites.iter().any(denied)) {
            shown["embeds"] = json!([]);
        }
        shown
    }

    fn tell(&self, channel: &str, id: &str, body: &Value, how: How) {
        if let Some(witness) = &self.witness {
            let is_blank = body["embeds"].as_array().is_some_and(Vec::is_empty) && how != How::TooFast;
            let how = if is_blank { How::Blank } else { how };
            witness(Heard { chat: channel.to_owned(), topic: None, id: id.to_owned(), text: embed_text(body), how });
        }
    }

    fn open_direct_messages(&mut self, body: &Value) -> Response {
        if let Some(refusal) = self.checked("post", "/users/@me/channels", body) {
            return refusal;
        }
        let user = body["recipient_id"].as_str().unwrap().to_owned();
        let id = direct_channel(&user);
        self.channels.insert(id.clone(), json!({"id": id, "type": 1, "recipient": user}));
        json!({"id": id, "type": 1}).to_string().into_response()
    }

    fn write_commands(&mut self, body: &Value) -> Response {
        if let Some(refusal) = self.checked("put", "/applications/{application_id}/commands", body) {
            return refusal;
        }
        self.command_writes += 1;
        self.commands = body.as_array().unwrap().clone();
        for (index, command) in self.commands.iter_mut().enumerate() {
            command["id"] = json!(index.to_string());
            command["version"] = json!("1441500000020971520");
            command["name_localizations"] = Value::Null;
        }
        json!(self.commands).to_string().into_response()
    }

    fn global_limit(&mut self) -> Option<Response> {
        let now = self.clock.now();
        while self.sent.front().is_some_and(|at| *at + Duration::from_secs(1) <= now) {
            self.sent.pop_front();
        }
        if self.sent.len() >= 50 {
            self.too_fast += 1;
            return Some(limited(1.0, "global", false));
        }
        self.sent.push_back(now);
        None
    }
}

/// The channel of someone's direct messages with the bot.
pub(crate) fn direct_channel(user: &str) -> String {
    format!("7{}", user.trim_start_matches('2'))
}

fn error(status: u16, code: u64, message: &str) -> Response {
    (StatusCode::from_u16(status).unwrap(), json!({"message": message, "code": code}).to_string()).into_response()
}

fn bucket_headers(response: &mut Response, remaining: u32, reset_after: f64) {
    let headers = response.headers_mut();
    headers.insert("x-ratelimit-limit", "5".parse().unwrap());
    headers.insert("x-ratelimit-remaining", remaining.to_string().parse().unwrap());
    headers.insert("x-ratelimit-reset-after", format!("{reset_after:.3}").parse().unwrap());
    headers.insert("x-ratelimit-bucket", "80c17d2f203122d936070c88c8d10f33".parse().unwrap());
}

fn limited(after: f64, scope: &str, with_bucket: bool) -> Response {
    let body = json!({"message": "You are being rate limited.", "retry_after": after, "global": scope == "global"});
    let mut response = (StatusCode::TOO_MANY_REQUESTS, body.to_string()).into_response();
    if with_bucket {
        bucket_headers(&mut response, 0, after);
    }
    response.headers_mut().insert("retry-after", after.ceil().to_string().parse().unwrap());
    response.headers_mut().insert("x-ratelimit-scope", scope.parse().unwrap());
    response
}
