//! The fake's Gateway: real WebSockets on loopback, as strict as Discord documents it. Events are numbered and kept, so that a session
//! that is resumed gets what it missed; whatever Discord would close a connection for is a complaint besides.

use super::{APPLICATION, GUILD, TOKEN};
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tokio_tungstenite::{
    accept_hdr_async,
    tungstenite::{
        Message,
        handshake::server::{ErrorResponse, Request, Response},
        protocol::CloseFrame,
    },
};

/// The longest that anything is waited for.
const PATIENCE: Duration = Duration::from_secs(30);

/// Runs until it is dropped.
pub(crate) struct FakeGateway {
    url: String,
    state: Arc<Mutex<State>>,
    news: watch::Receiver<u64>,
    server: JoinHandle<()>,
}

/// What a test may set and look at.
pub(crate) struct State {
    pub(crate) shards: u32,
    pub(crate) max_concurrency: u32,
    /// How many sessions may still begin.
    pub(crate) remaining: u32,
    /// Sessions of one place must lie that far apart.
    pub(crate) window: Duration,
    pub(crate) heartbeat: Duration,
    pub(crate) acknowledges: bool,
    /// The next IDENTIFYs are answered with these close codes.
    pub(crate) refusals: VecDeque<u16>,
    pub(crate) token: String,
    /// Where the bot is.
    pub(crate) guilds: BTreeSet<String>,
    /// What READY names for resuming; the own address where nothing.
    pub(crate) resume_url: Option<String>,
    /// Shards that began, in order.
    pub(crate) identified: Vec<u64>,
    /// Sessions that were taken up again, in order, with the number of the last event.
    pub(crate) resumed: Vec<(String, u64)>,
    /// Close codes that came from the bot.
    pub(crate) closed: Vec<u16>,
    /// Paths that were connected to.
    pub(crate) paths: Vec<String>,
    pub(crate) heartbeats: usize,
    pub(crate) complaints: Vec<String>,
    /// Commands by their id: the token, and the first answer.
    asked: BTreeMap<String, (String, Option<Value>)>,
    sessions: BTreeMap<String, Session>,
    began: BTreeMap<u64, Instant>,
    connections: usize,
    version: watch::Sender<u64>,
}

struct Session {
    shard: u64,
    events: Vec<Value>,
    connection: Option<(usize, mpsc::UnboundedSender<Order>)>,
    is_over: bool,
}

/// What a connection does next.
enum Order {
    Say(Value),
    Close(u16),
    /// Without a word.
    HangUp,
}

/// What is known of one connection.
struct Connection {
    number: usize,
    session: Option<String>,
    orders: mpsc::UnboundedSender<Order>,
    said: VecDeque<Instant>,
}

impl FakeGateway {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("ws://{}", listener.local_addr().unwrap());
        let (version, news) = watch::channel(0);
        let state = Arc::new(Mutex::new(State {
            shards: 1,
            max_concurrency: 1,
            remaining: 1_000,
            window: Duration::from_secs(5),
            heartbeat: Duration::from_millis(41_250),
            acknowledges: true,
            refusals: VecDeque::new(),
            token: TOKEN.to_owned(),
            guilds: BTreeSet::from([GUILD.to_owned()]),
            resume_url: Some(format!("{url}/resumed-here")),
            identified: Vec::new(),
            resumed: Vec::new(),
            closed: Vec::new(),
            paths: Vec::new(),
            heartbeats: 0,
            complaints: Vec::new(),
            asked: BTreeMap::new(),
            sessions: BTreeMap::new(),
            began: BTreeMap::new(),
            connections: 0,
            version,
        }));
        let shared = Arc::clone(&state);
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&shared)));
            }
        });
        Self { url, state, news, server }
    }

    pub(crate) fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.state())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// The body of `GET /gateway/bot`.
    pub(crate) fn described(&self) -> Value {
        let state = self.state();
        json!({"url": self.url, "shards": state.shards, "session_start_limit": {
            "total": 1_000, "remaining": state.remaining, "reset_after": 14_400_000, "max_concurrency": state.max_concurrency,
        }})
    }

    /// Waits until the state shows something.
    pub(crate) async fn until<T>(&self, what: &str, look: impl Fn(&State) -> Option<T>) -> T {
        let mut news = self.news.clone();
        let seen = async {
            loop {
                news.borrow_and_update();
                if let Some(found) = look(&self.state()) {
                    return found;
                }
                news.changed().await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, seen).await.unwrap_or_else(|_| panic!("{what}: {:?}", self.state().complaints))
    }

    /// Waits until every shard is connected.
    pub(crate) async fn connected(&self) {
        self.until("every shard is connected", |state| (state.live_count() == state.shards as usize).then_some(())).await;
    }

    /// Waits until every live shard has dealt with all that was said so far: one heartbeat is asked for, and answered after it.
    pub(crate) async fn dealt_with(&self) {
        let (shards, before) = self.with(|state| (state.live_count(), state.heartbeats));
        self.say(&json!({"op": 1, "d": null}));
        self.until("every shard answers", |state| (state.heartbeats >= before + shards).then_some(())).await;
    }

    /// Something happens in a server: the shard that serves it is told, or will be when it comes back.
    pub(crate) fn happens(&self, name: &str, data: &Value) {
        let guild = data["guild_id"].as_str().or(data["id"].as_str().filter(|_| name.starts_with("GUILD"))).unwrap_or("0");
        let mut state = self.state();
        let shard = (guild.parse::<u64>().unwrap() >> 22) % u64::from(state.shards);
        let session = state.sessions.values_mut().rfind(|session| session.shard == shard && !session.is_over);
        if let Some(session) = session {
            session.happens(name, data);
        }
    }

    /// Someone types: the bot is told, or will be when it comes back.
    pub(crate) fn asks(&self, interaction: &Value) {
        let text = |field: &str| interaction[field].as_str().unwrap_or_default().to_owned();
        self.state().asked.insert(text("id"), (text("token"), None));
        self.happens("INTERACTION_CREATE", interaction);
    }

    /// Waits for the first answer.
    pub(crate) async fn answer(&self, interaction: &Value) -> Value {
        let id = interaction["id"].as_str().unwrap();
        self.until(&format!("{id} is answered"), |state| state.asked[id].1.clone()).await
    }

    /// Takes a first answer; status and code of the refusal where it is none.
    pub(super) fn called_back(&self, id: &str, token: &str, answer: &Value) -> Result<(), (u16, u64)> {
        let mut state = self.state();
        let Some((_, answered)) = state.asked.get_mut(id).filter(|(known, _)| known == token) else { return Err((404, 10062)) };
        if answered.is_some() {
            return Err((400, 40060));
        }
        *answered = Some(answer.clone());
        state.changed();
        Ok(())
    }

    /// The bot is removed from a server.
    pub(crate) fn kick(&self, guild: &str) {
        self.state().guilds.remove(guild);
        self.happens("GUILD_DELETE", &json!({"id": guild}));
    }

    /// The bot is added to a server (again).
    pub(crate) fn invite(&self, guild: &str) {
        self.state().guilds.insert(guild.to_owned());
        self.happens("GUILD_CREATE", &guild_data(guild));
    }

    /// Says something besides events on every live connection.
    pub(crate) fn say(&self, frame: &Value) {
        self.order(|| Order::Say(frame.clone()));
    }

    pub(crate) fn close(&self, code: u16) {
        self.order(|| Order::Close(code));
    }

    /// Every connection breaks without a word.
    pub(crate) fn hang_up(&self) {
        self.order(|| Order::HangUp);
    }

    /// What is asked for next time is refused: every session is over.
    pub(crate) fn forget_sessions(&self) {
        self.state().sessions.values_mut().for_each(|session| session.is_over = true);
    }

    fn order(&self, order: impl Fn() -> Order) {
        for session in self.state().live() {
            let _ = session.connection.as_ref().unwrap().1.send(order());
        }
    }
}

impl Drop for FakeGateway {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// A server as GUILD_CREATE describes it, in part.
fn guild_data(guild: &str) -> Value {
    json!({"id": guild, "name": "Signals & Sons", "unavailable": false, "channels": [{"id": "5", "type": 0}], "roles": [], "members": []})
}

impl Session {
    fn happens(&mut self, name: &str, data: &Value) {
        let event = json!({"op": 0, "s": self.events.len() + 1, "t": name, "d": data});
        self.events.push(event.clone());
        if let Some((_, orders)) = &self.connection {
            let _ = orders.send(Order::Say(event));
        }
    }
}

impl State {
    fn live(&self) -> impl Iterator<Item = &Session> {
        self.sessions.values().filter(|session| session.connection.is_some())
    }

    /// How many connections carry a session.
    pub(crate) fn live_count(&self) -> usize {
        self.live().count()
    }

    fn changed(&self) {
        self.version.send_modify(|version| *version += 1);
    }

    fn complain(&mut self, code: u16, why: &str) -> Vec<Order> {
        self.complaints.push(format!("the Gateway would close with {code}: {why}"));
        vec![Order::Close(code)]
    }

    fn hear(&mut self, connection: &mut Connection, text: &str) -> Vec<Order> {
        let now = Instant::now();
        connection.said.push_back(now);
        connection.said.retain(|at| now.duration_since(*at) < Duration::from_secs(60));
        if connection.said.len() > 120 {
            return self.complain(4008, "more than 120 messages in 60 s");
        }
        let Ok(frame) = serde_json::from_str::<Value>(text) else { return self.complain(4002, "not JSON") };
        match frame["op"].as_u64() {
            Some(1) => self.heartbeat(connection, &frame["d"]),
            Some(2) => self.identify(connection, &frame["d"]),
            Some(6) => self.resume(connection, &frame["d"]),
            _ if connection.session.is_none() => self.complain(4003, "something before IDENTIFY"),
            op => self.complain(4001, &format!("opcode {op:?}")),
        }
    }

    fn heartbeat(&mut self, connection: &Connection, data: &Value) -> Vec<Order> {
        self.heartbeats += 1;
        let sent = connection.session.as_ref().map_or(0, |id| self.sessions[id].events.len() as u64);
        if !data.is_null() && data.as_u64().is_none_or(|sequence| sequence > sent) {
            return self.complain(4002, &format!("a heartbeat after event {data} of {sent}"));
        }
        if self.acknowledges { vec![Order::Say(json!({"op": 11}))] } else { Vec::new() }
    }

    fn identify(&mut self, connection: &mut Connection, data: &Value) -> Vec<Order> {
        if connection.session.is_some() {
            return self.complain(4005, "a second IDENTIFY");
        }
        if let Some(code) = self.refusals.pop_front() {
            return vec![Order::Close(code)];
        }
        if data["token"] != json!(self.token) {
            return vec![Order::Close(4004)];
        }
        let known = ["token", "intents", "properties", "shard", "compress", "large_threshold", "presence"];
        let unknown: Vec<_> = data.as_object().unwrap().keys().filter(|key| !known.contains(&key.as_str())).collect();
        let properties = ["os", "browser", "device"].iter().all(|name| data["properties"][name].is_string());
        if !unknown.is_empty() || !properties {
            return self.complain(4002, &format!("IDENTIFY has {unknown:?}, properties {}", data["properties"]));
        }
        if data["intents"] != json!(1) {
            return self.complain(4013, &format!("intents {} instead of GUILDS alone", data["intents"]));
        }
        let shard = data["shard"][0].as_u64().filter(|shard| *shard < u64::from(self.shards));
        let (Some(shard), true) = (shard, data["shard"][1] == json!(self.shards)) else {
            return self.complain(4010, &format!("shard {}", data["shard"]));
        };
        let place = shard % u64::from(self.max_concurrency);
        let too_soon = self.began.insert(place, Instant::now()).is_some_and(|last| last.elapsed() < self.window);
        if too_soon || self.remaining == 0 {
            self.complaints.push(format!("IDENTIFY of shard {shard} beyond the limits ({} left)", self.remaining));
            return vec![Order::Say(json!({"op": 9, "d": false}))];
        }
        self.remaining -= 1;
        self.identified.push(shard);
        let id = format!("session-{:04}-secret", self.identified.len());
        let own = self.guilds.iter().filter(|guild| (guild.parse::<u64>().unwrap() >> 22) % u64::from(self.shards) == shard);
        let own: Vec<String> = own.cloned().collect();
        let guilds: Vec<_> = own.iter().map(|guild| json!({"id": guild, "unavailable": true})).collect();
        let connected = Some((connection.number, connection.orders.clone()));
        let mut session = Session { shard, events: Vec::new(), connection: connected, is_over: false };
        session.happens(
            "READY",
            &json!({"v": 10, "user": {"id": APPLICATION.to_string(), "bot": true}, "guilds": guilds, "session_id": id,
                "resume_gateway_url": self.resume_url, "shard": [shard, self.shards], "application": {"id": APPLICATION.to_string(), "flags": 0}}),
        );
        own.iter().for_each(|guild| session.happens("GUILD_CREATE", &guild_data(guild)));
        self.sessions.insert(id.clone(), session);
        connection.session = Some(id);
        Vec::new()
    }

    fn resume(&mut self, connection: &mut Connection, data: &Value) -> Vec<Order> {
        if data["token"] != json!(self.token) {
            return vec![Order::Close(4004)];
        }
        let id = data["session_id"].as_str().unwrap_or_default().to_owned();
        let Some(session) = self.sessions.get_mut(&id).filter(|session| !session.is_over) else {
            return vec![Order::Say(json!({"op": 9, "d": false}))];
        };
        let last = data["seq"].as_u64().unwrap_or(u64::MAX);
        if last > session.events.len() as u64 {
            return self.complain(4007, &format!("resumed after event {last}"));
        }
        let mut orders: Vec<_> = session.events[last as usize..].iter().cloned().map(Order::Say).collect();
        session.connection = Some((connection.number, connection.orders.clone()));
        let resumed = json!({"op": 0, "s": session.events.len() + 1, "t": "RESUMED", "d": {"_trace": []}});
        session.events.push(resumed.clone());
        orders.push(Order::Say(resumed));
        connection.session = Some(id.clone());
        self.resumed.push((id, last));
        orders
    }

    fn ended(&mut self, connection: &Connection) {
        for session in self.sessions.values_mut() {
            if session.connection.as_ref().is_some_and(|(number, _)| *number == connection.number) {
                session.connection = None;
            }
        }
    }
}

async fn serve(stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut path = String::new();
    #[expect(clippy::result_large_err, reason = "the library's type")]
    let look = |request: &Request, response: Response| -> Result<Response, ErrorResponse> {
        path = request.uri().to_string();
        Ok(response)
    };
    let Ok(mut socket) = accept_hdr_async(stream, look).await else { return };
    let (orders, mut to_do) = mpsc::unbounded_channel();
    let (mut connection, hello) = {
        let mut state = state.lock().unwrap();
        if !path.ends_with("?v=10&encoding=json") {
            state.complaints.push(format!("{path} names neither version nor encoding"));
        }
        state.paths.push(path.split('?').next().unwrap().to_owned());
        state.connections += 1;
        let hello = json!({"op": 10, "s": null, "t": null, "d": {"heartbeat_interval": state.heartbeat.as_millis() as u64}});
        (Connection { number: state.connections, session: None, orders: orders.clone(), said: VecDeque::new() }, hello)
    };
    let _ = orders.send(Order::Say(hello));
    loop {
        tokio::select! {
            order = to_do.recv() => match order.unwrap() {
                Order::Say(frame) => if socket.send(Message::text(frame.to_string())).await.is_err() { break },
                Order::Close(code) => {
                    let _ = socket.close(Some(CloseFrame { code: code.into(), reason: "".into() })).await;
                    while let Some(Ok(_)) = socket.next().await {}
                    break;
                }
                Order::HangUp => break,
            },
            heard = socket.next() => match heard {
                Some(Ok(Message::Text(text))) => {
                    let mut state = state.lock().unwrap();
                    for order in state.hear(&mut connection, &text) {
                        let _ = orders.send(order);
                    }
                    state.changed();
                }
                Some(Ok(Message::Close(frame))) => {
                    state.lock().unwrap().closed.extend(frame.map(|frame| u16::from(frame.code)));
                    break;
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => break,
            },
        }
    }
    let mut state = state.lock().unwrap();
    state.ended(&connection);
    state.changed();
}
