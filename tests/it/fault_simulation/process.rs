//! The product as one process: a runtime with everything in it, which dies as a whole.

use super::{disk::DOOM, gate::Gate, places, sabotage::Sabotage, sky::Sky};
use crate::support::{
    fake_discord::{self, FakeDiscord, interaction},
    fake_telegram::{self, FakeTelegram},
    fake_token_metrics::{self, FakeTokenMetrics},
    log::line_of,
};
use async_trait::async_trait;
use bellwether::{
    app::Parts,
    chat::{EditError, Messenger, Outgoing, Receipt, SendError},
    clock::{Clock, ManualClock, SharedClock},
    config::{Config, Environment},
    domain::{MessageId, Platform, SentLately, Timestamp},
    http::Renewals,
    pipeline::deliver::{Deliverer, DelivererParts},
    store::Store,
};
use std::{
    collections::BTreeSet,
    net::SocketAddr,
    sync::{Arc, Mutex, mpsc},
    time::Duration,
};
use tokio::{runtime::Runtime, sync::oneshot};
use tokio_util::sync::CancellationToken;
use tracing::{Event, Level, Subscriber, subscriber::DefaultGuard};
use tracing_subscriber::{Layer, Registry, layer::Context, layer::SubscriberExt};

/// The platforms and the source, on a thread of their own: they outlive every death of the product.
pub(super) struct Fakes {
    pub(super) discord: FakeDiscord,
    pub(super) telegram: FakeTelegram,
    pub(super) source: FakeTokenMetrics,
    stop: Option<oneshot::Sender<()>>,
}

impl Fakes {
    pub(super) fn start(clock: &Arc<ManualClock>) -> Self {
        let (give, take) = mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let clock: SharedClock = clock.clone();
        std::thread::spawn(move || {
            let runtime = runtime();
            let all = runtime.block_on(async {
                (FakeDiscord::start(clock.clone()).await, FakeTelegram::start_with(clock).await, FakeTokenMetrics::start().await)
            });
            give.send(all).unwrap();
            let _ = runtime.block_on(stopped);
        });
        let (discord, telegram, source) = take.recv().unwrap();
        Self { discord, telegram, source, stop: Some(stop) }
    }
}

impl Drop for Fakes {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// One run of the product, until it is dropped: then nothing of it is left.
pub(super) struct Process {
    pub(super) works: Works,
    pub(super) runtime: Runtime,
}

/// What is the same for every process of one life.
pub(super) struct Terms {
    /// Calls of the source a month.
    pub(super) budget: u32,
    /// Requests to a platform at once.
    pub(super) at_once: usize,
    pub(super) gate: Gate,
    /// Where the bot has another token than in the beginning.
    pub(super) renewed: BTreeSet<Platform>,
}

/// The tokens that take the place of those of the beginning: of the same bots.
pub(super) const RENEWED_DISCORD: &str = "bot-token.renewed.9876543210";
pub(super) const RENEWED_TELEGRAM: &str = "4242:AAE-renewed-token_of_the_tests";

/// What is stepped.
pub(super) struct Works {
    pub(super) parts: Parts,
    pub(super) door: SocketAddr,
}

/// Tells which message is on its way where.
struct Watched {
    inner: Arc<dyn Messenger>,
    sky: Arc<Sky>,
    /// Where several are under way at once.
    gate: Option<Gate>,
}

impl Watched {
    async fn set_out(&self, outgoing: &Outgoing) {
        if let Some(gate) = &self.gate {
            gate.pass(outgoing.id.0).await;
        }
        let to = &outgoing.to;
        self.sky.sends(places::place(to.platform.as_str(), &to.chat, to.topic.as_deref()), outgoing.id.0);
    }

    async fn come_back(&self, outgoing: &Outgoing) {
        if let Some(gate) = &self.gate {
            gate.pass(outgoing.id.0).await;
        }
    }
}

#[async_trait]
impl Messenger for Watched {
    fn platform(&self) -> Platform {
        self.inner.platform()
    }

    fn admit(&self, now: Timestamp) -> Result<(), Timestamp> {
        self.inner.admit(now)
    }

    async fn answers(&self) -> Option<bool> {
        self.inner.answers().await
    }

    fn recall(&self, sent: &[SentLately], now: Timestamp) {
        self.inner.recall(sent, now);
    }

    fn renewals(&self) -> Option<Renewals> {
        self.inner.renewals()
    }

    fn keeps_pictures(&self) -> bool {
        self.inner.keeps_pictures()
    }

    async fn send(&self, outgoing: &Outgoing) -> Result<Receipt, SendError> {
        self.set_out(outgoing).await;
        // For the judge alone: a nonce that is another one at each attempt.
        let id = if self.sky.sabotages(Sabotage::NonceChanges) { self.sky.another_id(outgoing.id.0) } else { outgoing.id.0 };
        let mut end = self.inner.send(&Outgoing { id: MessageId(id), ..outgoing.clone() }).await;
        self.come_back(outgoing).await;
        if self.sky.sabotages(Sabotage::BlanksPass) && matches!(&end, Err(error) if error.to_string().contains("without its embeds")) {
            end = Ok(Receipt { platform_id: "5".to_owned(), rest_until: None, route: None, uploaded: None });
        }
        end
    }

    async fn edit(&self, outgoing: &Outgoing, platform_id: &str) -> Result<Receipt, EditError> {
        self.set_out(outgoing).await;
        let end = self.inner.edit(outgoing, platform_id).await;
        self.come_back(outgoing).await;
        end
    }
}

impl Process {
    pub(super) fn start(url: &str, clock: &Arc<ManualClock>, fakes: &Fakes, sky: &Arc<Sky>, world: &Terms) -> Self {
        let runtime = runtime();
        let works = runtime.block_on(Works::begin(url, clock, fakes, sky, world));
        Self { works, runtime }
    }
}

impl Works {
    async fn begin(url: &str, clock: &Arc<ManualClock>, fakes: &Fakes, sky: &Arc<Sky>, terms: &Terms) -> Self {
        let store = Store::open(url).await.unwrap();
        let (config, shared): (Config, SharedClock) = (config(fakes, terms), clock.clone());
        store.recover_attempts(clock.now()).await.unwrap();
        let mut parts = Parts::wire(&config, store.clone(), &shared).unwrap();
        let telegram = parts.telegram.clone().map(|it| Arc::new(it) as Arc<dyn Messenger>);
        let discord = parts.discord.clone().map(|it| Arc::new(it) as Arc<dyn Messenger>);
        parts.deliverers.clear();
        for (inner, wake) in discord.into_iter().chain(telegram).zip(parts.flow.messages.clone()) {
            let now = clock.now();
            inner.recall(&store.sent_since(inner.platform(), now - Duration::from_secs(60)).await.unwrap(), now);
            let watched = DelivererParts {
                store: store.clone(),
                clock: shared.clone(),
                metrics: parts.metrics.clone(),
                operators: parts.operators.clone(),
                charts: parts.desk.charts(),
                wake,
                holder: "simulated".to_owned(),
                // Without a gate one after the other: which of several comes first would be chance.
                at_once: terms.at_once,
            };
            parts.deliverers.push(Deliverer::new(
                watched,
                Arc::new(Watched { inner, sky: Arc::clone(sky), gate: (terms.at_once > 1).then(|| terms.gate.clone()) }),
            ));
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let door = listener.local_addr().unwrap();
        let router = parts.router(&config, door);
        tokio::spawn(async move { bellwether::web::serve(listener, router, CancellationToken::new()).await.unwrap() });
        tokio::spawn(parts.lookups.take().unwrap().run(CancellationToken::new()));
        Self { parts, door }
    }
}

pub(super) fn config(fakes: &Fakes, terms: &Terms) -> Config {
    let token = |platform, first: &str, renewed: &str| if terms.renewed.contains(&platform) { renewed } else { first }.to_owned();
    let settings = [
        ("TOKEN_METRICS_API_KEY", fake_token_metrics::API_KEY.to_owned()),
        ("TOKEN_METRICS_API_URL", fakes.source.url.clone()),
        ("TOKEN_METRICS_CALLS_PER_MONTH", terms.budget.to_string()),
        ("BELLWETHER_OPERATORS", format!("telegram:{}", places::OPERATOR)),
        ("DISCORD_BOT_TOKEN", token(Platform::Discord, fake_discord::TOKEN, RENEWED_DISCORD)),
        ("DISCORD_APPLICATION_ID", fake_discord::APPLICATION.to_string()),
        ("DISCORD_PUBLIC_KEY", interaction::public_key()),
        ("DISCORD_API_URL", fakes.discord.url.clone()),
        ("TELEGRAM_BOT_TOKEN", token(Platform::Telegram, fake_telegram::TOKEN, RENEWED_TELEGRAM)),
        ("TELEGRAM_API_URL", fakes.telegram.url.clone()),
    ];
    let settings: Vec<_> = settings.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
    Config::load(&Environment::of(settings), |_| Err(std::io::ErrorKind::NotFound.into())).unwrap()
}

/// What the product logs on this thread: its ERROR lines, which answers it gave up, and whether it has noticed that the database fails.
pub(super) struct Log {
    errors: Arc<Mutex<Vec<String>>>,
    given_up: Arc<Mutex<Vec<String>>>,
    _guard: DefaultGuard,
}

impl Log {
    pub(super) fn start(sky: &Arc<Sky>) -> Self {
        let (errors, given_up) = (Arc::default(), Arc::default());
        let lines = Lines { errors: Arc::clone(&errors), given_up: Arc::clone(&given_up), sky: Arc::clone(sky) };
        Self { errors, given_up, _guard: tracing::subscriber::set_default(Registry::default().with(lines)) }
    }

    /// The ERROR lines that no failure of the database explains.
    pub(super) fn take_errors(&self) -> Vec<String> {
        std::mem::take(&mut self.errors.lock().unwrap())
    }

    /// How often it said that the answer to this interaction is lost.
    pub(super) fn gave_up(&self, interaction: u64) -> usize {
        let is_of_it = format!("interaction=\"{interaction}\"");
        self.given_up.lock().unwrap().iter().filter(|line| line.contains(&is_of_it)).count()
    }
}

struct Lines {
    errors: Arc<Mutex<Vec<String>>>,
    given_up: Arc<Mutex<Vec<String>>>,
    sky: Arc<Sky>,
}

impl<S: Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let level = *event.metadata().level();
        if level > Level::WARN || !event.metadata().target().starts_with("bellwether") {
            return;
        }
        let line = line_of(event);
        if line.contains(DOOM) {
            self.sky.bell.ring();
        } else if level == Level::ERROR {
            self.errors.lock().unwrap().push(line);
        } else if line.contains("interaction=") && line.contains("what was asked is done") {
            self.given_up.lock().unwrap().push(line);
        }
    }
}
