//! The whole product before three fakes, with a clock that is moved by hand and parts that are stepped: nothing sleeps.

use super::{
    commands::rows,
    database::TestDb,
    fake_discord::{self, FakeDiscord, interaction},
    fake_telegram::{self, FakeTelegram},
    fake_token_metrics::{self, FakeTokenMetrics},
    log::TestLog,
};
use bellwether::{
    app::Parts,
    chat::discord::{Gateway, Pauses},
    clock::{Clock, ManualClock, SharedClock},
    config::{Config, Environment},
    domain::{Platform, Timestamp},
};
use serde_json::Value;
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{sync::watch, task::JoinHandle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// When tests begin: a Saturday, a few hours into the day.
pub(crate) const BEGIN: &str = "2026-11-21T06:00:00Z";

/// A running product. Dropping it fails the test where a message was not read or a request was not what a platform takes.
pub(crate) struct TestApp {
    pub(crate) source: FakeTokenMetrics,
    pub(crate) discord: FakeDiscord,
    pub(crate) telegram: FakeTelegram,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) db: TestDb,
    pub(crate) parts: Parts,
    settings: Vec<(String, String)>,
    address: SocketAddr,
    server: JoinHandle<()>,
    lookups: JoinHandle<()>,
    gateway: Option<(JoinHandle<()>, watch::Receiver<Option<String>>)>,
    stop: CancellationToken,
    interactions: u64,
    pub(crate) log: TestLog,
}

/// What runs between a start and a stop.
struct Running {
    parts: Parts,
    address: SocketAddr,
    server: JoinHandle<()>,
    lookups: JoinHandle<()>,
    gateway: Option<(JoinHandle<()>, watch::Receiver<Option<String>>)>,
    stop: CancellationToken,
}

/// As Discord's Gateway would have it, but quick.
pub(crate) const HASTE: Pauses = Pauses {
    between_starts: Duration::from_millis(60),
    after_failure: Duration::from_millis(5),
    longest: Duration::from_millis(20),
    after_refusal: Duration::from_millis(5),
    calm: Duration::from_secs(60),
};
/// What the fake's Gateway wants between two sessions of one place.
const WINDOW: Duration = Duration::from_millis(50);

impl TestApp {
    /// Both platforms on, no call budget, four tokens in the directory, polled every 15 minutes.
    pub(crate) async fn start(db: TestDb) -> Self {
        Self::with(db, &[]).await
    }

    /// The same with other settings.
    pub(crate) async fn with(db: TestDb, settings: &[(&str, &str)]) -> Self {
        Self::with_market(db, settings, |_| {}).await
    }

    /// The same with a market that is prepared before the start.
    pub(crate) async fn with_market(db: TestDb, settings: &[(&str, &str)], prepare: impl FnOnce(&mut FakeTokenMetrics)) -> Self {
        Self::prepared(db, settings, |source, _| prepare(source)).await
    }

    /// Without a public key: Discord's commands come over the Gateway, which is prepared before the start.
    pub(crate) async fn over_gateway(db: TestDb, prepare: impl FnOnce(&FakeDiscord)) -> Self {
        Self::prepared(db, &[("DISCORD_PUBLIC_KEY", "")], |_, discord| prepare(discord)).await
    }

    async fn prepared(db: TestDb, settings: &[(&str, &str)], prepare: impl FnOnce(&mut FakeTokenMetrics, &FakeDiscord)) -> Self {
        let log = TestLog::start();
        let clock = Arc::new(ManualClock::new(Timestamp::parse(BEGIN).unwrap()));
        let mut source = FakeTokenMetrics::start().await;
        source.set_tokens([(3375, "BTC", "Bitcoin"), (3306, "ETH", "Ethereum"), (3988, "SOL", "Solana"), (3369, "XRP", "XRP")]);
        let discord = FakeDiscord::start(clock.clone()).await;
        discord.gateway.with(|state| state.window = WINDOW);
        prepare(&mut source, &discord);
        let telegram = FakeTelegram::start_with(clock.clone()).await;
        let mut all = vec![
            ("TOKEN_METRICS_API_KEY", fake_token_metrics::API_KEY.to_owned()),
            ("TOKEN_METRICS_API_URL", source.url.clone()),
            ("TOKEN_METRICS_CALLS_PER_MONTH", "0".to_owned()),
            ("TOKEN_METRICS_CALLS_PER_MINUTE", "0".to_owned()),
            ("DISCORD_BOT_TOKEN", fake_discord::TOKEN.to_owned()),
            ("DISCORD_APPLICATION_ID", fake_discord::APPLICATION.to_string()),
            ("DISCORD_PUBLIC_KEY", interaction::public_key()),
            ("DISCORD_API_URL", discord.url.clone()),
            ("TELEGRAM_BOT_TOKEN", fake_telegram::TOKEN.to_owned()),
            ("TELEGRAM_API_URL", telegram.url.clone()),
        ];
        all.extend(settings.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let settings: Vec<_> = all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let running = Running::start(&db, &clock, &settings).await;
        let Running { parts, address, server, lookups, gateway, stop } = running;
        let mut app = Self {
            source,
            discord,
            telegram,
            clock,
            db,
            parts,
            settings,
            address,
            server,
            lookups,
            gateway,
            stop,
            interactions: 1_441_500_000_000_000,
            log,
        };
        app.step().await;
        app
    }

    /// Stops without a word, as a crash does, and starts anew on the same database.
    pub(crate) async fn restart(self) -> Self {
        self.halt();
        self.begin_anew().await
    }

    /// The same with these settings changed.
    pub(crate) async fn restart_with(mut self, settings: &[(&str, &str)]) -> Self {
        self.settings.extend(settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self.restart().await
    }

    /// Stops, and starts on another database.
    pub(crate) async fn move_to(mut self, db: TestDb) -> Self {
        self.halt();
        self.parts.store.close().await;
        self.db = db;
        self.begin_anew().await
    }

    async fn begin_anew(mut self) -> Self {
        let Running { parts, address, server, lookups, gateway, stop } = Running::start(&self.db, &self.clock, &self.settings).await;
        let now = self.clock.now();
        parts.store.recover_attempts(now).await.unwrap();
        (self.parts, self.address, self.server, self.lookups, self.gateway, self.stop) = (parts, address, server, lookups, gateway, stop);
        self
    }

    fn halt(&self) {
        self.stop.cancel();
        self.server.abort();
        self.lookups.abort();
        self.gateway.iter().for_each(|(running, _)| running.abort());
    }

    /// Stops taking commands over the Gateway as `serve` does, and waits for its end.
    pub(crate) async fn stop_gateway(&mut self) {
        self.stop.cancel();
        self.gateway.take().unwrap().0.await.unwrap();
    }

    /// Waits until it is said why no commands come over the Gateway, or that they do.
    pub(crate) async fn gateway_problem(&mut self, is_it: impl Fn(Option<&str>) -> bool) -> Option<String> {
        let (_, problem) = self.gateway.as_mut().unwrap();
        problem.wait_for(|problem| is_it(problem.as_deref())).await.unwrap().clone()
    }

    /// Does everything that is due, as often as that makes something else due. Platform paces of a few seconds pass on the clock.
    pub(crate) async fn step(&mut self) {
        for _ in 0..200 {
            if let Some(updates) = &self.parts.updates {
                updates.step().await.unwrap();
            }
            self.parts.poller.step().await.unwrap();
            let composed = self.parts.flow.step().await.unwrap();
            self.parts.housekeeping.step().await.unwrap();
            let (mut started, mut not_before) = (0, None);
            for deliverer in &mut self.parts.deliverers {
                let round = deliverer.drain().await.unwrap();
                started += round.started;
                // Nothing is due on a platform that has refused the bot's token.
                let works = *deliverer.health().borrow();
                let waits = if works { next_due(&self.db.url, deliverer.platform(), self.clock.now()).await } else { None };
                not_before = [not_before, round.not_before.or(waits)].into_iter().flatten().min();
            }
            match not_before {
                Some(at) if at <= self.clock.now() + Duration::from_secs(5) => self.clock.set(at.max(self.clock.now())),
                _ if composed == 0 && started == 0 => return,
                _ => {}
            }
        }
        panic!("the product does not come to rest");
    }

    /// Time passes; whatever becomes due on the way is done.
    pub(crate) async fn pass(&mut self, time: Duration) {
        self.clock.advance(time);
        self.step().await;
    }

    /// Time passes until the next poll is over: 16 minutes, more than a cadence of 15 with its jitter.
    pub(crate) async fn next_poll(&mut self) {
        self.pass(Duration::from_secs(16 * 60)).await;
    }

    /// Someone with these permissions types a command on Discord; what is answered, as plain text.
    pub(crate) async fn on_server(&mut self, permissions: u64, data: Value) -> String {
        let id = self.next_interaction();
        self.interact(&interaction::in_server(id, permissions, data)).await
    }

    /// Someone types a command in the bot's direct messages on Discord.
    pub(crate) async fn in_direct_messages(&mut self, data: Value) -> String {
        let id = self.next_interaction();
        self.interact(&interaction::in_private(id, data)).await
    }

    pub(crate) fn next_interaction(&mut self) -> u64 {
        self.interactions += 1;
        self.interactions
    }

    /// Sends an interaction signed as Discord does; the embed that is answered, whether at once or as an edit.
    pub(crate) async fn interact(&mut self, interaction: &Value) -> String {
        let answer = self.enter(interaction).await;
        let data = match answer["type"].as_u64() {
            Some(5) => self.discord.answers().pop().expect("a deferred answer is edited").1,
            _ => answer["data"].clone(),
        };
        embed_text(&data)
    }

    /// What Discord would suggest while this is typed: name and value.
    pub(crate) async fn suggests(&mut self, data: Value) -> Vec<(String, String)> {
        let id = self.next_interaction();
        let answer = self.enter(&interaction::autocomplete(interaction::in_server(id, interaction::ADMIN, data))).await;
        assert_eq!(answer["type"], 8);
        let text = |choice: &Value, part: &str| choice[part].as_str().unwrap().to_owned();
        answer["data"]["choices"].as_array().unwrap().iter().map(|choice| (text(choice, "name"), text(choice, "value"))).collect()
    }

    /// Sends an interaction as Discord does, signed or over the Gateway; the answer as it is, once everything that it began is done.
    pub(crate) async fn enter(&mut self, interaction: &Value) -> Value {
        assert_eq!(interaction::is_offered(interaction), Ok(()));
        let answer = if self.gateway.is_some() {
            self.discord.gateway.asks(interaction);
            self.discord.gateway.answer(interaction).await
        } else {
            self.enter_by_the_door(interaction).await
        };
        self.settle().await;
        answer
    }

    /// Waits until all work behind the answers is done. Its pauses pass on the clock.
    pub(crate) async fn settle(&self) {
        settle(&self.parts.tracker, &self.clock).await;
    }

    async fn enter_by_the_door(&self, interaction: &Value) -> Value {
        let response = interaction::post(self.address, interaction, self.clock.now().as_secs()).await;
        assert_eq!(response.status(), 200);
        response.json().await.unwrap()
    }

    /// What arrived on Discord since the last look: channel and text.
    pub(crate) fn discord_messages(&self) -> Vec<(String, String)> {
        self.discord.unread().into_iter().map(|message| (message.channel, embed_text(&message.body))).collect()
    }

    /// What arrived on Telegram since the last look: chat, topic and text.
    pub(crate) fn telegram_messages(&self) -> Vec<(i64, Option<i64>, String)> {
        self.telegram.unread().into_iter().map(|sent| (sent.chat, sent.topic, sent.text)).collect()
    }

    /// Someone writes to the bot on Telegram; what is answered there.
    pub(crate) async fn say(&mut self, chat: i64, user: i64, text: &str) -> String {
        self.telegram.with(|world| world.say(chat, user, text));
        self.step().await;
        let texts: Vec<_> = self.telegram_messages().into_iter().filter(|(to, ..)| *to == chat).map(|(.., text)| text).collect();
        texts.join("\n---\n")
    }
}

/// Waits until these tasks have ended; where they sleep by the clock, it is moved.
pub(crate) async fn settle(tasks: &TaskTracker, clock: &ManualClock) {
    while !tasks.is_empty() {
        tokio::time::sleep(Duration::from_millis(1)).await;
        if let Some(wakes) = clock.sleepers().into_iter().min() {
            clock.set(wakes.max(clock.now()));
        }
    }
}

impl Running {
    async fn start(db: &TestDb, clock: &Arc<ManualClock>, settings: &[(String, String)]) -> Self {
        let config = Config::load(&Environment::of(settings.to_vec()), |_| Err(std::io::ErrorKind::NotFound.into())).unwrap();
        let shared: SharedClock = clock.clone();
        let mut parts = Parts::wire(&config, db.store.clone(), &shared).unwrap();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = parts.router(&config, address);
        let stop = CancellationToken::new();
        let until = stop.clone();
        let server = tokio::spawn(async move { bellwether::web::serve(listener, router, until).await.unwrap() });
        let lookups = tokio::spawn(parts.lookups.take().unwrap().run(stop.clone()));
        let run = |gateway: Gateway| {
            let problem = gateway.problem();
            let (gateway, until) = (gateway.with_pauses(HASTE), stop.clone());
            (tokio::spawn(async move { gateway.run(until).await }), problem)
        };
        let gateway = parts.gateway.take().map(run);
        Self { parts, address, server, lookups, gateway, stop }
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.halt();
    }
}

/// When the next message of a platform that nobody holds may be due.
async fn next_due(url: &str, platform: Platform, now: Timestamp) -> Option<Timestamp> {
    let sql = format!(
        "SELECT CAST(MIN(CASE WHEN d.rest_until > m.next_attempt_at THEN d.rest_until ELSE m.next_attempt_at END) AS TEXT)
         FROM messages m JOIN destinations d ON d.id = m.destination_id WHERE m.state = 'queued' AND d.platform = '{platform}'
           AND d.quarantine_reason IS NULL AND COALESCE(m.lease_until, 0) <= {}",
        now.as_millis()
    );
    rows(url, &sql).await.first().and_then(|at| at.parse().ok()).map(Timestamp::from_millis)
}

/// The words of an embed, a line each: title, description, fields, link.
pub(crate) fn embed_text(data: &Value) -> String {
    let mut lines = Vec::new();
    lines.extend(data["content"].as_str().filter(|content| !content.is_empty()).map(str::to_owned));
    for embed in data["embeds"].as_array().into_iter().flatten() {
        lines.extend(["title", "description"].iter().filter_map(|part| Some(embed[part].as_str()?.to_owned())));
        for field in embed["fields"].as_array().into_iter().flatten() {
            lines.push(format!("{}: {}", field["name"].as_str().unwrap_or_default(), field["value"].as_str().unwrap_or_default()));
        }
        lines.extend(embed["footer"]["text"].as_str().map(str::to_owned));
    }
    for row in data["components"].as_array().into_iter().flatten() {
        lines.extend(row["components"].as_array().into_iter().flatten().filter_map(|button| Some(button["url"].as_str()?.to_owned())));
    }
    lines.join("\n")
}
