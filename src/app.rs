//! Wiring: builds every part from the configuration, runs them as tasks, stops them in order. No rule about alerts lives here.

mod beside;
mod renewal;
mod role;
mod shards;
mod tasks;
mod wake_ups;

pub use self::renewal::Renewal;

use self::{
    beside::{CommandsReport, register_discord, register_telegram, report_health, watch_database, watch_way_of_commands},
    role::Replica,
    tasks::Tasks,
    wake_ups::pass_on,
};
use crate::{
    chat::{
        Messenger,
        discord::{self, Discord, DiscordSettings, Gateway, PublicKey},
        telegram::{self, Telegram, TelegramSettings, Updates, WEBHOOK_PATH, Webhook},
    },
    clock::SharedClock,
    commands::{Desk, DeskSettings, Inbox},
    config::{Config, GivenSchedule},
    domain::{Kind, Platform, Timestamp},
    http::Credential,
    pipeline::{
        compose::keep_reviews_new,
        deliver::{Deliverer, DelivererParts, MOST_IN_FLIGHT},
        flow::Flow,
        housekeeping::Housekeeping,
        lookup::Lookups,
        operators::Operators,
        poll::{PollSettings, Poller, PollerParts},
        schedule::Schedule,
    },
    sources::token_metrics::TokenMetrics,
    store::{OpenError, Role, ServeLock, Store, StoreError},
    telemetry::Metrics,
    web::{self, OperatorAccess, Phase, Readiness},
};
use axum::Router;
use secrecy::{ExposeSecret, SecretString};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    sync::{Notify, watch},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// How long a stop waits for what is in flight (`contract.md` section 1).
const STOP_WITHIN: Duration = Duration::from_secs(10);

/// Why `serve` cannot start or go on, in words for the operator.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// The database cannot be opened.
    #[error("DATABASE_URL: {0}")]
    Open(#[from] OpenError),
    /// The database failed while starting.
    #[error("DATABASE_URL: {0}")]
    Store(#[from] StoreError),
    /// The listener cannot be opened.
    #[error("BELLWETHER_LISTEN: {address} cannot be listened on: {error}; another program may be using it, choose another port")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// The system's words.
        error: std::io::Error,
    },
    /// The API key is missing.
    #[error("TOKEN_METRICS_API_KEY: it is not set")]
    NoApiKey,
    /// A part ended by itself.
    #[error("the part `{0}` died; see the lines above")]
    Died(&'static str),
}

/// Every part, wired but not running: `serve` runs them as tasks, tests step them.
pub struct Parts {
    /// The database.
    pub store: Store,
    /// What operators see.
    pub metrics: Arc<Metrics>,
    /// What `/readyz` says.
    pub readiness: Readiness,
    /// Whom notices go to.
    pub operators: Operators,
    /// Answers commands.
    pub desk: Desk,
    /// Asks the source.
    pub poller: Poller,
    /// Asks the source for what people look up; runs beside what is stepped.
    pub lookups: Option<Lookups>,
    /// Turns changes into messages.
    pub flow: Flow,
    /// One for each platform.
    pub deliverers: Vec<Deliverer>,
    /// Takes commands from Telegram.
    pub updates: Option<Updates>,
    /// Keeps the house.
    pub housekeeping: Housekeeping,
    /// The routes of platforms that call us.
    pub doors: Router,
    /// Takes commands from Discord where they do not come over HTTP.
    pub gateway: Option<Gateway>,
    /// The Discord bot.
    pub discord: Option<Discord>,
    /// The Telegram bot.
    pub telegram: Option<Telegram>,
    /// Work that goes on beside the tasks.
    pub tracker: TaskTracker,
    /// Puts other secrets in the place of those that are in use.
    pub renewal: Renewal,
}

impl Parts {
    /// Wires every part that `config` turns on.
    ///
    /// # Errors
    /// Where the API key is missing.
    pub fn wire(config: &Config, store: Store, clock: &SharedClock) -> Result<Self, AppError> {
        let api_key = config.source.api_key.clone().ok_or(AppError::NoApiKey)?;
        let token_metrics = Arc::new(TokenMetrics::new(&config.source.api_url, api_key).with_next_key(config.source.next_api_key.clone()));
        let metrics = Arc::new(Metrics::default());
        let operators = Operators::new(store.clone(), clock.clone(), config.operators.clone());
        let changes = Arc::new(Notify::new());
        let poller = Poller::new(PollerParts {
            source: token_metrics.clone(),
            store: store.clone(),
            clock: clock.clone(),
            metrics: metrics.clone(),
            operators: operators.clone(),
            settings: poll_settings(config),
            wake: changes.clone(),
        });
        let discord = discord_of(config, clock);
        let telegram = telegram_of(config, clock);
        let renewal = Renewal {
            source: token_metrics,
            discord: discord.clone(),
            telegram: telegram.clone(),
            admin_token: config.admin_token.clone().map(Credential::from),
            database_url: config.database_url.clone(),
        };
        let (desk, inquiries) = Desk::new(store.clone(), clock.clone(), desk_settings(config, clock.now()));
        let (scorecards, charts) = (desk.scorecards(), desk.charts());
        let tracker = TaskTracker::new();
        let inbox = Inbox::new(store.clone());
        let updates = telegram.clone().map(|telegram| Updates::new(telegram, desk.clone(), inbox, clock.clone(), metrics.clone()));
        let interactions = discord.as_ref().and_then(|discord| discord::router(discord, desk.clone(), tracker.clone()));
        let gateway = discord.as_ref().and_then(|discord| Gateway::new(discord, desk.clone(), tracker.clone()));
        let webhook = updates.as_ref().and_then(telegram::router);
        let doors = [interactions, webhook].into_iter().flatten().fold(Router::new(), Router::merge);
        let wakes: Vec<_> = messengers(discord.as_ref(), telegram.as_ref()).into_iter().map(|m| (m, Arc::new(Notify::new()))).collect();
        let messages = wakes.iter().map(|(_, wake)| wake.clone()).collect();
        let platforms = wakes.iter().map(|(messenger, _)| messenger.platform()).collect();
        let deliverer = |(messenger, wake): (Arc<dyn Messenger>, Arc<Notify>)| {
            let (store, clock, metrics, operators) = (store.clone(), clock.clone(), metrics.clone(), operators.clone());
            let (charts, holder) = (charts.clone(), holder());
            Deliverer::new(DelivererParts { store, clock, metrics, operators, charts, wake, holder, at_once: MOST_IN_FLIGHT }, messenger)
        };
        Ok(Self {
            lookups: Some(Lookups::new(poller.caller(), operators.clone(), store.clone(), clock.clone(), inquiries)),
            poller,
            flow: Flow { store: store.clone(), clock: clock.clone(), metrics: metrics.clone(), scorecards, changes, messages },
            housekeeping: Housekeeping {
                store: store.clone(),
                clock: clock.clone(),
                metrics: metrics.clone(),
                operators: operators.clone(),
                platforms,
                retention: config.retention,
            },
            deliverers: wakes.into_iter().map(deliverer).collect(),
            store,
            metrics,
            readiness: Readiness::default(),
            operators,
            desk,
            updates,
            doors,
            gateway,
            discord,
            telegram,
            tracker,
            renewal,
        })
    }

    /// Every route, with the pages of this process.
    pub fn router(&self, config: &Config, listener: SocketAddr) -> Router {
        let access = Arc::new(OperatorAccess::new(self.renewal.admin_token.clone(), listener, config.public_url.is_some()));
        web::router(web::Parts { readiness: self.readiness.clone(), metrics: self.metrics.clone(), access }, self.doors.clone())
    }
}

/// A name for the leases of this process.
fn holder() -> String {
    format!("{}-{:08x}", std::process::id(), fastrand::u32(..))
}

fn messengers(discord: Option<&Discord>, telegram: Option<&Telegram>) -> Vec<Arc<dyn Messenger>> {
    let discord = discord.map(|discord| Arc::new(discord.clone()) as Arc<dyn Messenger>);
    let telegram = telegram.map(|telegram| Arc::new(telegram.clone()) as Arc<dyn Messenger>);
    discord.into_iter().chain(telegram).collect()
}

/// The Discord client that `config` describes.
pub fn discord_of(config: &Config, clock: &SharedClock) -> Option<Discord> {
    let discord = config.discord.as_ref()?;
    // The configuration has checked the key already.
    let public_key = discord.public_key.and_then(|key| PublicKey::parse(&data_encoding::HEXLOWER.encode(&key)).ok());
    let settings = DiscordSettings {
        api_url: discord.api_url.clone(),
        token: discord.token.clone(),
        application_id: discord.application_id,
        public_key,
    };
    Some(Discord::new(settings, clock.clone()))
}

/// The Telegram client that `config` describes.
pub fn telegram_of(config: &Config, clock: &SharedClock) -> Option<Telegram> {
    let telegram = config.telegram.as_ref()?;
    let webhook = telegram
        .webhook
        .as_ref()
        .map(|webhook| Webhook { url: format!("{}{WEBHOOK_PATH}", webhook.public_url), secret: webhook.secret.clone().into() });
    let settings = TelegramSettings { api_url: telegram.api_url.clone(), token: telegram.token.clone(), webhook };
    Some(Telegram::new(settings, clock.clone()))
}

/// How the source is asked, as `config` says.
pub fn poll_settings(config: &Config) -> PollSettings {
    let source = &config.source;
    PollSettings {
        calls_per_month: source.calls_per_month,
        calls_per_minute: source.calls_per_minute,
        all_tokens: source.all_tokens,
        schedules: Kind::ALL.iter().filter_map(|kind| Some((*kind, Schedule::from(source.schedules.get(kind)?.clone())))).collect(),
    }
}

fn desk_settings(config: &Config, now: Timestamp) -> DeskSettings {
    let is_off = |kind: &Kind| config.source.schedules.get(kind) == Some(&GivenSchedule::Off);
    DeskSettings {
        all_tokens: config.source.all_tokens,
        off: Kind::ALL.iter().copied().filter(is_off).collect(),
        calls_per_month: config.source.calls_per_month,
        schedules: poll_settings(config).wishes(now),
        invite: config.discord.as_ref().map(|discord| discord::invite_link(discord.application_id)),
    }
}

/// A running instance.
pub struct App {
    /// Where it listens.
    pub address: SocketAddr,
    tasks: Tasks,
    tracker: TaskTracker,
    shutdown: CancellationToken,
    readiness: Readiness,
    store: Store,
    renewal: Renewal,
    _lock: Option<ServeLock>,
}

impl App {
    /// Starts everything that `config` turns on.
    ///
    /// # Errors
    /// Where a needed part cannot start.
    pub async fn start(config: &Config, clock: &SharedClock) -> Result<Self, AppError> {
        tracing::info!(version = env!("CARGO_PKG_VERSION"), "Bellwether is starting");
        let url: &SecretString = &config.database_url;
        let lock = Store::lock_for_serving(url.expose_secret())?;
        let listener = listen(config.listen).await?;
        let address = listener.local_addr().unwrap_or(config.listen);
        let store = Store::open(url.expose_secret()).await?;
        let leases = if store.is_sqlite() { store.clone() } else { Store::connect(url.expose_secret()).await? };
        let replica = Replica::new(store.clone(), leases.clone(), clock.clone());
        replica.announce().await?;
        if store.is_sqlite() {
            let recovered = store.recover_attempts(clock.now()).await?;
            if recovered.unknown > 0 {
                tracing::warn!(attempts = recovered.unknown, "the predecessor ended while these were under way; they are tried again");
            }
        }
        let parts = Parts::wire(config, store.clone(), clock)?;
        let router = parts.router(config, address);
        let (tracker, readiness, renewal) = (parts.tracker.clone(), parts.readiness.clone(), parts.renewal.clone());
        let shutdown = CancellationToken::new();
        let mut tasks = Tasks::default();
        let stop = shutdown.clone();
        tasks.spawn("listener", async move {
            if let Err(error) = web::serve(listener, router, stop).await {
                tracing::error!(%error, "the listener failed");
            }
        });
        parts.spawn(&mut tasks, &replica, &shutdown);
        tasks.spawn("announcement", replica.stay_announced(shutdown.clone()));
        readiness.database(true);
        tasks.spawn("readiness", watch_database(leases, clock.clone(), readiness.clone(), shutdown.clone()));
        readiness.enter(Phase::Ready);
        tracing::info!(%address, "Bellwether is running");
        Ok(Self { address, tasks, tracker, shutdown, readiness, store, renewal, _lock: lock })
    }

    /// What puts other secrets in the place of those that are in use.
    pub fn renewal(&self) -> Renewal {
        self.renewal.clone()
    }

    /// Runs until `stop` or until a part dies; then stops everything within ten seconds.
    ///
    /// # Errors
    /// Where a part died by itself.
    pub async fn run(mut self, stop: impl Future<Output = ()>) -> Result<(), AppError> {
        let died = tokio::select! {
            () = stop => None,
            ended = self.tasks.next_ended() => ended,
        };
        tracing::info!("stopping: no new work is taken, what is in flight is finished");
        self.readiness.enter(Phase::Stopping);
        self.shutdown.cancel();
        self.tracker.close();
        let ended = async {
            while self.tasks.next_ended().await.is_some() {}
            self.tracker.wait().await;
        };
        if tokio::time::timeout(STOP_WITHIN, ended).await.is_err() {
            tracing::warn!("some work did not end within 10 seconds; what was in flight is taken up at the next start");
        } else {
            self.store.close().await;
        }
        died.map_or(Ok(()), |part| Err(AppError::Died(part)))
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, AppError> {
    TcpListener::bind(address).await.map_err(|error| AppError::Listen { address, error })
}

impl Parts {
    /// Runs every part as a task; each ends when `shutdown` is cancelled and gives its name.
    fn spawn(self, tasks: &mut Tasks, replica: &Replica, shutdown: &CancellationToken) {
        let stop = || shutdown.clone();
        let replica = || replica.clone();
        let messages: Vec<_> = self.flow.messages.clone();
        tasks
            .spawn("wake-ups", pass_on(self.store, self.flow.changes.clone(), messages, self.updates.as_ref().map(Updates::waker), stop()));
        let readiness = self.readiness;
        let commands = |platform, problems| CommandsReport {
            platform,
            problems,
            readiness: readiness.clone(),
            metrics: self.metrics.clone(),
            operators: self.operators.clone(),
            told: Default::default(),
        };
        if let Some(discord) = self.discord {
            let (unregistered, not_coming) = (watch::Sender::new(None), watch::Sender::new(None));
            let mut problems = vec![unregistered.subscribe(), not_coming.subscribe()];
            problems.extend(self.gateway.as_ref().map(Gateway::problem));
            tasks.spawn("readiness", commands(Platform::Discord, problems).run(stop()));
            tasks.spawn("commands of Discord", register_discord(discord.clone(), unregistered, stop()));
            tasks.spawn("way of Discord's commands", watch_way_of_commands(discord, not_coming, stop()));
        }
        if let Some(gateway) = self.gateway {
            let (gateway, stop) = (replica().shards_of(gateway), stop());
            tasks.spawn("Gateway", async move { gateway.run(stop).await });
        }
        tasks.spawn("commands of Telegram", register_telegram(self.telegram, stop()));
        for deliverer in self.deliverers {
            let (platform, health) = (deliverer.platform(), deliverer.health());
            tasks.spawn("readiness", report_health(readiness.clone(), self.metrics.clone(), platform, health, stop()));
            tasks.spawn("deliverer", replica().hold(Role::Deliverer(platform), deliverer, stop()));
        }
        if let Some(updates) = self.updates {
            tasks.spawn("readiness", commands(Platform::Telegram, vec![updates.problem()]).run(stop()));
            tasks.spawn("Telegram updates", replica().hold(Role::Updates, updates, stop()));
        }
        if let Some(lookups) = self.lookups {
            tasks.spawn("lookups", lookups.run(stop()));
        }
        tasks.spawn("scorecards", keep_reviews_new(self.flow.scorecards.clone(), self.flow.clock.clone(), stop()));
        tasks.spawn("flow", replica().hold(Role::Flow, self.flow, stop()));
        tasks.spawn("housekeeping", replica().hold(Role::Housekeeping, self.housekeeping, stop()));
        tasks.spawn("poller", replica().hold(Role::Poller, self.poller, stop()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Environment;

    async fn app(part: impl Future<Output = ()> + Send + 'static) -> App {
        let mut tasks = Tasks::default();
        let shutdown = CancellationToken::new();
        tasks.spawn("housekeeping", shutdown.clone().cancelled_owned());
        tasks.spawn("flow", part);
        let store = Store::open("sqlite::memory:").await.unwrap();
        let (address, tracker, readiness) = (([127, 0, 0, 1], 1).into(), TaskTracker::new(), Readiness::default());
        let source = Arc::new(TokenMetrics::new("http://127.0.0.1:1/v2", "tm-1".into()));
        let renewal = Renewal { source, discord: None, telegram: None, admin_token: None, database_url: "sqlite::memory:".into() };
        App { address, tasks, tracker, shutdown, readiness, store, renewal, _lock: None }
    }

    #[tokio::test]
    async fn a_part_that_ends_or_panics_stops_the_rest_and_is_named() {
        let panics = || std::panic::resume_unwind(Box::new("on purpose"));
        for app in [app(async {}).await, app(async move { panics() }).await] {
            let Err(AppError::Died(part)) = app.run(std::future::pending()).await else { panic!("it went on") };
            assert_eq!(part, "flow");
        }
        assert!(app(std::future::pending()).await.run(std::future::ready(())).await.is_ok(), "a stop within ten seconds is clean");
    }

    #[tokio::test]
    async fn where_no_platform_brings_commands_nothing_ends() {
        let settings =
            [("TOKEN_METRICS_API_KEY", "tm-1"), ("DISCORD_BOT_TOKEN", "a.b.c"), ("DISCORD_APPLICATION_ID", "1402318849203716096")];
        let environment = Environment::of(settings.map(|(name, value)| (name.to_owned(), value.to_owned())));
        let config = Config::load(&environment, |_| Err(std::io::ErrorKind::NotFound.into())).unwrap();
        let clock: SharedClock = Arc::new(crate::clock::SystemClock);
        let Parts { lookups, .. } = Parts::wire(&config, Store::open("sqlite::memory:").await.unwrap(), &clock).unwrap();
        let stop = CancellationToken::new();
        let mut running = std::pin::pin!(lookups.unwrap().run(stop.clone()));
        tokio::select! { biased; () = &mut running => panic!("it ended"), () = std::future::ready(()) => {} }
        stop.cancel();
        running.await;
    }
}
