//! The same market and the same people twice: in memory, through the engine alone, and through the store and every stage of the pipeline.

use super::people::Person;
use crate::support::database::TestDb;
use async_trait::async_trait;
use bellwether::{
    cache::{Charts, Scorecards},
    chat::{EditError, Messenger, Outgoing, Receipt, SendError},
    clock::{Clock, ManualClock, SharedClock},
    domain::{
        Address, Kind, Listing, MessageBody, Place, Platform, SettingsChange, Snapshot, SourceId, Timestamp, Token, TokenId, TokenState,
        Unconfirmed, Wish,
    },
    engine::{
        confirm::believe,
        follower::{Follower, News, Step},
        threshold::Lines,
    },
    pipeline::{
        deliver::{Deliverer, DelivererParts},
        flow::Flow,
        ingest::ingest,
        operators::Operators,
    },
    store::{AllTokens, NewDestination, SettingsOrder, SubscribeOrder},
    telemetry::Metrics,
};
use sqlx::{Connection, SqliteConnection};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};
use tokio::sync::Notify;

/// A message: to whom, when, what.
pub(crate) type Message = (usize, Timestamp, MessageBody);

pub(crate) fn symbol(token: TokenId) -> String {
    format!("T{token}")
}

fn rank(token: TokenId) -> u32 {
    u32::try_from(token.0).unwrap()
}

/// Through the engine's functions, with what they need to know kept in memory.
pub(crate) struct Memory {
    states: BTreeMap<Kind, BTreeMap<TokenId, TokenState>>,
    unconfirmed: BTreeMap<Kind, Unconfirmed>,
    followers: Vec<Follower>,
    /// The changes that anybody is told of: what a bot would send that sends them all.
    pub(crate) raw: Vec<(Kind, TokenId)>,
}

impl Memory {
    pub(crate) fn new(people: &[Person], start: Timestamp) -> Self {
        let follower = |person: &Person| {
            let mut follower = Follower::new(person.settings.clone());
            for target in person.targets.iter().copied() {
                let Person { direction, delivery, kind, .. } = *person;
                follower.subscribe(kind, Wish { target, direction, delivery, mention: None, created_at: start, threshold: None });
            }
            follower
        };
        let followers = people.iter().map(follower).collect();
        Self { states: BTreeMap::new(), unconfirmed: BTreeMap::new(), followers, raw: Vec::new() }
    }

    /// What comes until just before that time.
    pub(crate) fn until(&mut self, end: Timestamp) -> Vec<Message> {
        let sent = |(person, follower): (usize, &mut Follower)| messages(person, follower.release_before(end));
        let mut sent: Vec<Message> = self.followers.iter_mut().enumerate().flat_map(sent).collect();
        sent.sort_by_key(|(person, at, _)| (*at, *person));
        sent
    }

    pub(crate) fn poll(&mut self, snapshot: &Snapshot, now: Timestamp) -> Vec<Message> {
        let states = self.states.entry(snapshot.kind).or_default();
        let (diff, verdict) = believe(states, self.unconfirmed.get(&snapshot.kind), &Lines::default(), snapshot, now);
        let counts = snapshot.complete && verdict.kept_back.is_empty();
        match verdict.unconfirmed {
            Some(unconfirmed) => self.unconfirmed.insert(snapshot.kind, unconfirmed),
            None => self.unconfirmed.remove(&snapshot.kind),
        };
        states.extend(diff.states.iter().map(|state| (state.token, state.clone())));
        for token in diff.seen {
            states.entry(token).and_modify(|state| (state.seen_at, state.asked_at) = (now, now));
        }
        for token in diff.absent {
            states.entry(token).and_modify(|state| state.asked_at = now);
        }
        let news: Vec<News> = diff
            .changes
            .into_iter()
            .map(|change| News { symbol: symbol(change.token), rank: Some(rank(change.token)), link: None, change })
            .collect();
        let told = news.iter().filter(|news| news.change.timing != bellwether::domain::Timing::History);
        self.raw.extend(told.map(|news| (news.change.kind, news.change.token)));
        let hear = |(person, follower): (usize, &mut Follower)| {
            if counts {
                follower.polled(snapshot.kind, snapshot.started_at, now);
            }
            messages(person, follower.hear(&news, now))
        };
        self.followers.iter_mut().enumerate().flat_map(hear).collect()
    }
}

/// What was sent, the most urgent of one time first, as deliverers do.
fn messages(person: usize, steps: Vec<Step>) -> Vec<Message> {
    let sent = |step| match step {
        Step::Sent { at, draft, .. } => Some((at, draft)),
        Step::Held { .. } | Step::Skipped { .. } => None,
    };
    let mut sent: Vec<_> = steps.into_iter().filter_map(sent).collect();
    sent.sort_by_key(|(at, draft)| (*at, draft.lane));
    sent.into_iter().map(|(at, draft)| (person, at, draft.body)).collect()
}

/// Through the store and the stages of the pipeline, to a chat that takes everything.
pub(crate) struct Database {
    db: TestDb,
    clock: Arc<ManualClock>,
    flow: Flow,
    deliverer: Deliverer,
    chat: Arc<Chat>,
    look: SqliteConnection,
}

/// Writes down what is sent.
struct Chat {
    clock: SharedClock,
    sent: Mutex<Vec<Message>>,
}

/// What a message says: without its buttons, and without what it takes the place of.
fn as_told(body: &MessageBody) -> MessageBody {
    match body {
        MessageBody::Alert { call, .. } => MessageBody::Alert { call: call.clone(), buttons: None, instead_of: None },
        other => other.clone(),
    }
}

#[async_trait]
impl Messenger for Chat {
    fn platform(&self) -> Platform {
        Platform::Telegram
    }

    fn admit(&self, _now: Timestamp) -> Result<(), Timestamp> {
        Ok(())
    }

    async fn answers(&self) -> Option<bool> {
        Some(true)
    }

    async fn send(&self, outgoing: &Outgoing) -> Result<Receipt, SendError> {
        let mut sent = self.sent.lock().unwrap();
        sent.push((outgoing.to.chat.parse().unwrap(), self.clock.now(), as_told(&outgoing.body)));
        Ok(Receipt { platform_id: sent.len().to_string(), rest_until: None, route: None, uploaded: None })
    }

    /// What takes the place of an earlier message says the same as one of its own.
    async fn edit(&self, outgoing: &Outgoing, platform_id: &str) -> Result<Receipt, EditError> {
        Ok(Receipt { platform_id: platform_id.to_owned(), ..self.send(outgoing).await? })
    }
}

impl Database {
    pub(crate) async fn new(people: &[Person], start: Timestamp, tokens: i64) -> Self {
        let db = TestDb::sqlite().await;
        let clock = Arc::new(ManualClock::new(start));
        let shared: SharedClock = clock.clone();
        let token = |id| Token { id, symbol: symbol(id), name: symbol(id), rank: Some(rank(id)), link: None };
        let tokens: Vec<Token> = (1..=tokens).map(TokenId).map(token).collect();
        let all = AllTokens { up_to: 100, refreshes_out: 3 };
        db.store.refresh_ranks(SourceId::TokenMetrics, &tokens, |_| Listing::default(), all, start).await.unwrap();
        for (number, person) in people.iter().enumerate() {
            subscribe(&db, number, person, start).await;
        }
        let metrics = Arc::new(Metrics::default());
        let messages = Arc::new(Notify::new());
        let chat = Arc::new(Chat { clock: shared.clone(), sent: Mutex::new(Vec::new()) });
        let parts = DelivererParts {
            store: db.store.clone(),
            clock: shared.clone(),
            metrics: metrics.clone(),
            operators: Operators::new(db.store.clone(), shared.clone(), Vec::new()),
            charts: Charts::new(db.store.clone()),
            wake: messages.clone(),
            holder: "simulation".to_owned(),
            at_once: 1,
        };
        let deliverer = Deliverer::new(parts, chat.clone() as Arc<dyn Messenger>);
        let changes = Arc::new(Notify::new());
        let scorecards = Scorecards::new(db.store.clone());
        let flow = Flow { store: db.store.clone(), clock: shared, metrics, scorecards, changes, messages: vec![messages] };
        let look = SqliteConnection::connect(&db.url).await.unwrap();
        Self { db, clock, flow, deliverer, chat, look }
    }

    /// What comes until just before that time.
    pub(crate) async fn until(&mut self, end: Timestamp) -> Vec<Message> {
        let mut last = None;
        while let Some(at) = self.next_release().await.filter(|at| *at < end) {
            assert_ne!(last, Some(at), "what is due is neither told nor held on");
            last = Some(at);
            self.clock.set(at.max(self.clock.now()));
            self.work().await;
        }
        self.taken()
    }

    pub(crate) async fn poll(&mut self, snapshot: &Snapshot, now: Timestamp) -> Vec<Message> {
        self.clock.set(now);
        ingest(&self.db.store, snapshot, now).await.unwrap();
        self.work().await;
        self.taken()
    }

    async fn work(&mut self) {
        while self.flow.step().await.unwrap() + self.deliverer.drain().await.unwrap().started > 0 {}
    }

    async fn next_release(&mut self) -> Option<Timestamp> {
        let next = sqlx::query_scalar("SELECT MIN(release_at) FROM alerts WHERE state = 'pending'");
        let next: Option<i64> = next.fetch_one(&mut self.look).await.unwrap();
        next.map(Timestamp::from_millis)
    }

    fn taken(&self) -> Vec<Message> {
        let mut sent = std::mem::take(&mut *self.chat.sent.lock().unwrap());
        sent.sort_by_key(|(person, at, _)| (*at, *person));
        sent
    }
}

async fn subscribe(db: &TestDb, number: usize, person: &Person, start: Timestamp) {
    let destination = NewDestination {
        address: Address::new(Platform::Telegram, number.to_string()),
        place: Place::Person,
        tenant: None,
        label: None,
        creator: None,
    };
    let order = SubscribeOrder {
        destination: destination.clone(),
        source: SourceId::TokenMetrics,
        targets: person.targets.clone(),
        kind: person.kind,
        direction: person.direction,
        delivery: person.delivery,
        mention: None,
        threshold: None,
        creator: format!("telegram:{number}"),
        limit: 1000,
        audit: None,
        request: None,
    };
    db.store.subscribe(&order, start).await.unwrap();
    let settings = person.settings.clone();
    let change = SettingsChange {
        max_per_hour: Some(settings.max_per_hour),
        cooldown_minutes: Some(settings.cooldown_minutes),
        confirmation: Some(settings.confirmation),
        timezone: Some(settings.timezone),
        quiet_hours: Some(settings.quiet_hours),
        quiet_bypass: Some(settings.quiet_bypass),
        digest_time: Some(settings.digest_time),
        charts: None,
        provenance: None,
    };
    db.store.change_settings(&destination, &SettingsOrder { change, ..SettingsOrder::default() }, start).await.unwrap();
}
