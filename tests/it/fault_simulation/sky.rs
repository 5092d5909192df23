//! What goes wrong with requests: decided by the seed, what is asked of whom, and how often that was asked before; never by the order in which
//! requests of different chats happen to come.

use super::{places, sabotage::Sabotage};
use crate::support::{
    fake_discord::FaultKind,
    fake_telegram, fake_token_metrics,
    weather::{Heard, How, Weather, Witness},
};
use bellwether::clock::{Clock, ManualClock};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap},
    hash::{DefaultHasher, Hash, Hasher},
    ops::Range,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::Notify;

/// Rung where the simulated process is to die, or the simulated database is noticed to fail.
#[derive(Default)]
pub(super) struct Bell {
    rung: AtomicBool,
    wake: Notify,
}

impl Bell {
    pub(super) fn ring(&self) {
        self.rung.store(true, Ordering::SeqCst);
        self.wake.notify_one();
    }

    pub(super) fn is_rung(&self) -> bool {
        self.rung.load(Ordering::SeqCst)
    }

    pub(super) fn hush(&self) {
        self.rung.store(false, Ordering::SeqCst);
    }

    pub(super) async fn heard(&self) {
        while !self.is_rung() {
            self.wake.notified().await;
        }
    }
}

/// A message that reached a chat, or was refused for its speed.
#[derive(Clone, Debug)]
pub(super) struct Arrival {
    pub(super) at: bellwether::domain::Timestamp,
    pub(super) place: String,
    /// Which of our messages it is.
    pub(super) message: i64,
    pub(super) text: String,
    pub(super) how: How,
    /// By the product's clock.
    pub(super) clock: bellwether::domain::Timestamp,
}

/// The weather of a life, and what was seen of it.
pub(super) struct Sky {
    seed: u64,
    clock: Arc<ManualClock>,
    product: Arc<ManualClock>,
    pub(super) bell: Arc<Bell>,
    /// Rung where a request is never answered.
    pub(super) silence: Arc<Bell>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// How many in a thousand requests go wrong, by platform.
    storms: BTreeMap<&'static str, u64>,
    asked: HashMap<(String, String), u64>,
    /// The process dies at the request that comes after so many; whether that one is still carried out.
    dies_after: Option<(u32, bool)>,
    /// One request of this piece of work may stay without an answer.
    may_be_silent: Option<&'static str>,
    /// For so long somebody waits for an answer that never comes.
    in_vain: Option<Duration>,
    under_way: HashMap<String, i64>,
    arrivals: Vec<Arrival>,
    source_calls: Vec<bellwether::domain::Timestamp>,
    sabotage: Option<Sabotage>,
    ids: i64,
    trace: Vec<String>,
}

impl Sky {
    pub(super) fn new(seed: u64, clock: Arc<ManualClock>, product: Arc<ManualClock>) -> Arc<Self> {
        Arc::new(Self { seed, clock, product, bell: Arc::default(), silence: Arc::default(), state: Mutex::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// How many in a thousand requests to a platform go wrong from now on.
    pub(super) fn storm(&self, platform: &'static str, per_mille: u64) {
        self.state().storms.insert(platform, per_mille);
    }

    /// The process dies at the request after so many.
    pub(super) fn die_after(&self, requests: u32, carried_out: bool) {
        self.state().dies_after = Some((requests, carried_out));
    }

    /// Another piece of work begins, and one request of it may stay without an answer; none of another, and nobody waits any more for what was asked
    /// before.
    pub(super) fn begins(&self, work: &'static str) {
        let mut state = self.state();
        (state.may_be_silent, state.in_vain) = (Some(work), None);
        self.silence.hush();
    }

    /// Waits until somebody waits in vain, and for how long.
    pub(super) async fn waits_in_vain(&self) -> Duration {
        self.silence.heard().await;
        self.silence.hush();
        self.state().in_vain.take().unwrap_or_default()
    }

    /// The process has died, of whatever.
    pub(super) fn stop_dying(&self) {
        self.state().dies_after = None;
    }

    /// Nothing goes wrong any more.
    pub(super) fn clear(&self) {
        let mut state = self.state();
        state.storms.clear();
        state.dies_after = None;
    }

    /// This is broken from now on.
    pub(super) fn sabotage(&self, sabotage: Sabotage) {
        self.state().sabotage = Some(sabotage);
    }

    pub(super) fn sabotages(&self, sabotage: Sabotage) -> bool {
        self.state().sabotage == Some(sabotage)
    }

    /// A number that no message has.
    pub(super) fn another_id(&self, of: i64) -> i64 {
        let mut state = self.state();
        state.ids += 1;
        of + 1_000_000 * state.ids
    }

    /// Writes a line into the trace.
    pub(super) fn note(&self, line: impl Into<String>) {
        let line = format!("{} {}", self.clock.now(), line.into());
        self.state().trace.push(line);
    }

    pub(super) fn trace(&self) -> Vec<String> {
        self.state().trace.clone()
    }

    pub(super) fn arrivals(&self) -> Vec<Arrival> {
        self.state().arrivals.clone()
    }

    pub(super) fn source_calls(&self) -> Vec<bellwether::domain::Timestamp> {
        self.state().source_calls.clone()
    }

    /// One of our messages is on its way to this place.
    pub(super) fn sends(&self, place: String, message: i64) {
        self.state().under_way.insert(place, message);
    }

    fn roll(&self, words: &[&dyn HashDyn]) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.seed.hash(&mut hasher);
        words.iter().for_each(|word| word.feed(&mut hasher));
        hasher.finish()
    }

    /// What becomes of a request: nothing, or the number of what goes wrong.
    fn ask(&self, platform: &'static str, asked: &str, chat: &str) -> Fate {
        let mut state = self.state();
        let count = state.asked.entry((format!("{platform} {asked}"), chat.to_owned())).or_default();
        *count += 1;
        let count = *count;
        let line = format!("{} {platform} {asked} {chat}", self.clock.now());
        state.trace.push(line);
        if platform == "source" {
            let now = self.clock.now();
            state.source_calls.push(now);
        }
        if let Some((left, carried_out)) = state.dies_after {
            if left == 0 {
                state.dies_after = None;
                state.trace.push(format!("dies there, carried out: {carried_out}"));
                self.bell.ring();
                return Fate::Dies { carried_out };
            }
            state.dies_after = Some((left - 1, carried_out));
        }
        let storm = state.storms.get(platform).copied().unwrap_or_default();
        let roll = self.roll(&[&platform, &asked, &chat, &count]);
        if roll % 1000 < storm {
            let number = (roll >> 20) % 100;
            state.trace.push(format!("  goes wrong: {number}"));
            let patience = state.may_be_silent.filter(|_| SILENT.contains(&number)).and_then(|work| patience(work, platform, asked));
            if let Some(patience) = patience {
                state.may_be_silent = None;
                state.in_vain = Some(patience);
                return Fate::Silent { carried_out: (roll >> 40).is_multiple_of(2) };
            }
            return Fate::Wrong(number);
        }
        Fate::Good
    }

    fn hear(&self, platform: &'static str, heard: &Heard) {
        if heard.how == How::Unanswered {
            if self.state().in_vain.is_some() {
                self.silence.ring();
            }
            return;
        }
        let place = places::place(platform, &heard.chat, heard.topic.map(|topic| topic.to_string()).as_deref());
        let mut state = self.state();
        let message = state.under_way.get(&place).copied().unwrap_or_default();
        let at = self.clock.now();
        let first = heard.text.lines().find(|line| !line.starts_with("~~")).unwrap_or_default();
        state.trace.push(format!("{at} {place} {:?} #{message} {}: {first}", heard.how, heard.id));
        state.arrivals.push(Arrival { at, place, message, text: heard.text.clone(), how: heard.how, clock: self.product.now() });
    }

    /// What the fakes ask.
    pub(super) fn over_discord(self: &Arc<Self>) -> (Weather<FaultKind>, Witness) {
        let (sky, ears) = (Arc::clone(self), Arc::clone(self));
        let weather = move |asked: &str, _: &str| {
            let is_answer = asked.contains("/webhooks/");
            if is_answer && sky.sabotages(Sabotage::AnswersLost) {
                return Some(FaultKind::Answer(200, Vec::new(), json!({"id": "5"}).to_string()));
            }
            match sky.ask(if is_answer { "answers" } else { "discord" }, asked, "") {
                Fate::Good => None,
                Fate::Dies { carried_out } | Fate::Silent { carried_out } => Some(FaultKind::Silence { carried_out }),
                Fate::Wrong(number) if is_answer => Some(answer_trouble(number)),
                // Whoever waits for what a command asks would wait for real seconds.
                Fate::Wrong(_) if !asked.contains("/channels/") => None,
                Fate::Wrong(number) => Some(discord_trouble(number)),
            }
        };
        (Arc::new(weather), Arc::new(move |heard| ears.hear("discord", &heard)))
    }

    pub(super) fn over_telegram(self: &Arc<Self>) -> (Weather<fake_telegram::Fault>, Witness) {
        let (sky, ears) = (Arc::clone(self), Arc::clone(self));
        let weather = move |method: &str, chat: &str| match sky.ask("telegram", method, chat) {
            Fate::Good => None,
            Fate::Dies { carried_out } | Fate::Silent { carried_out } => Some(fake_telegram::Fault::Silence { carried_out }),
            Fate::Wrong(number) => Some(telegram_trouble(number)),
        };
        (Arc::new(weather), Arc::new(move |heard| ears.hear("telegram", &heard)))
    }

    pub(super) fn over_source(self: &Arc<Self>) -> Weather<fake_token_metrics::Fault> {
        let sky = Arc::clone(self);
        Arc::new(move |endpoint: &str, _: &str| match sky.ask("source", endpoint, "") {
            Fate::Good => None,
            Fate::Dies { .. } => Some(fake_token_metrics::Fault::Silence),
            Fate::Silent { .. } => {
                sky.silence.ring();
                Some(fake_token_metrics::Fault::Silence)
            }
            Fate::Wrong(number) => Some(source_trouble(number)),
        })
    }
}

enum Fate {
    Good,
    Dies {
        carried_out: bool,
    },
    /// There is no answer.
    Silent {
        carried_out: bool,
    },
    Wrong(u64),
}

trait HashDyn {
    fn feed(&self, hasher: &mut DefaultHasher);
}

impl<T: Hash> HashDyn for T {
    fn feed(&self, hasher: &mut DefaultHasher) {
        self.hash(hasher);
    }
}

/// Of what goes wrong in a hundred ways, these are no answer at all.
const SILENT: Range<u64> = 56..62;

/// How long the product waits for an answer, where nothing waits beside it: that would lose patience at the same moment, and chance would say which of
/// both is first.
fn patience(work: &str, platform: &str, asked: &str) -> Option<Duration> {
    let seconds = match (work, platform) {
        ("poller", "source") => 30,
        ("updates", "telegram") if asked == "getupdates" => 10,
        ("one deliverer", "telegram") => 8,
        ("one deliverer", "discord") if asked.contains("/channels/") => 8,
        _ => return None,
    };
    Some(Duration::from_secs(seconds))
}

const HTML: &str = "<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body>cloudflare</body></html>";

fn discord_trouble(number: u64) -> FaultKind {
    let json = || ("content-type", "application/json".to_owned());
    let limited = |scope: &str, after: f64, global: bool, headers: bool| {
        let body = json!({"message": "You are being rate limited.", "retry_after": after, "global": global}).to_string();
        let mut list = vec![json(), ("x-ratelimit-scope", scope.to_owned())];
        if headers {
            list.push(("retry-after", after.ceil().to_string()));
        }
        if global {
            list.push(("x-ratelimit-global", "true".to_owned()));
        }
        FaultKind::Answer(429, list, body)
    };
    match number {
        0..8 => limited("user", 2.5, false, true),
        8..14 => limited("shared", 7.0, false, true),
        14..18 => limited("global", 3.0, true, true),
        18..22 => limited("user", 1.0, false, false),
        22..25 => FaultKind::Answer(429, vec![("retry-after", "soon".to_owned())], "error code: 1015".to_owned()),
        25..40 => {
            FaultKind::Answer(500 + u16::try_from(number % 4).unwrap(), vec![json()], json!({"message": "oops", "code": 0}).to_string())
        }
        40..48 => FaultKind::Answer(502, vec![("content-type", "text/html".to_owned())], HTML.to_owned()),
        48..63 => FaultKind::HangUp,
        63..85 => FaultKind::LoseAnswer,
        85..97 => FaultKind::HalfBody,
        _ => FaultKind::Answer(200, vec![json()], "{}".to_owned()),
    }
}

/// What becomes of the answer that replaces "thinking…".
fn answer_trouble(number: u64) -> FaultKind {
    match number {
        0..40 => {
            let body = json!({"message": "Unknown Webhook", "code": 10015}).to_string();
            FaultKind::Answer(404, vec![("content-type", "application/json".to_owned())], body)
        }
        // Among all that goes wrong with messages.
        number => discord_trouble(number * 37 % 100),
    }
}

fn telegram_trouble(number: u64) -> fake_telegram::Fault {
    use fake_telegram::Fault;
    match number {
        0..10 => Fault::Refuse(429, "Too Many Requests: retry after 4", json!({"retry_after": 4})),
        10..15 => Fault::Refuse(429, "Too Many Requests", Value::Null),
        15..18 => Fault::Refuse(429, "Too Many Requests: retry after 130", json!({"retry_after": 130})),
        18..35 => Fault::Refuse(500, "Internal Server Error", Value::Null),
        35..45 => Fault::Raw(502, HTML),
        45..48 => Fault::Raw(404, "<html><body><h1>404 Not Found</h1></body></html>"),
        48..62 => Fault::Close { carried_out: false },
        62..82 => Fault::Close { carried_out: true },
        82..92 => Fault::HalfBody,
        _ => Fault::BrokenJson,
    }
}

fn source_trouble(number: u64) -> fake_token_metrics::Fault {
    use fake_token_metrics::Fault;
    match number {
        0..15 => Fault::Status(500, json!({"success": false, "message": "Internal server error"}).to_string()),
        15..25 => Fault::WithHeaders(429, vec![("retry-after", "90".to_owned())]),
        25..32 => Fault::WithHeaders(429, Vec::new()),
        32..45 => Fault::Html(502),
        45..50 => Fault::Html(200),
        50..62 => Fault::Truncated,
        62..72 => Fault::BrokenOff,
        72..84 => Fault::HangUp,
        84..90 => Fault::Status(404, json!({"success": false, "message": "Data not found", "length": 0, "data": []}).to_string()),
        _ => Fault::Rows(vec![
            json!(5),
            json!({"TOKEN_ID": "x", "DATE": "yesterday"}),
            json!({"TOKEN_ID": 3375, "TOKEN_NAME": null, "DATE": "2026-02-31", "TRADING_SIGNAL": 1, "TOKEN_TREND": 1}),
            json!({"TOKEN_ID": 99_999, "TOKEN_SYMBOL": "NOBODY", "DATE": "2026-11-21", "TRADING_SIGNAL": 1, "TOKEN_TREND": 1}),
            json!({"TOKEN_ID": 3306, "DATE": "2026-11-21", "TRADING_SIGNAL": 7, "TOKEN_TREND": "up"}),
        ]),
    }
}
