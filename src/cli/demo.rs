//! `bellwether demo`: the whole pipeline over a simulated market, printed to the terminal. No token, no network, nothing to set up.
//!
//! The market runs behind a real HTTP server in the shape of the real API and goes through the real client, diff, store, fan-out, compose and
//! pacing. Time is simulated: an hour a poll.

use super::{CommandResult, Failure, output, serve::stop_signal};
use crate::{
    chat::{Messenger, console::Console},
    clock::{Clock, ManualClock, SharedClock},
    commands::{Actor, Command, Desk, DeskSettings, Invocation, Request, Standing, Venue},
    demo::{Market, api, market::STEP},
    domain::{Address, AlertState, Kind, Timestamp, UserId},
    pipeline::{
        deliver::{Deliverer, DelivererParts},
        flow::Flow,
        operators::Operators,
        poll::{PollSettings, Poller, PollerParts},
        schedule::Schedule,
    },
    sources::token_metrics::TokenMetrics,
    store::{Activity, AlertCount, Store, StoreResult},
    telemetry::Metrics,
};
use clap::Args;
use secrecy::SecretString;
use std::{
    collections::BTreeMap,
    io::IsTerminal,
    process::ExitCode,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::Notify;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Simulated time begins here, whatever the day: same seed, same alerts.
const START: &str = "2026-11-16T18:05:00Z";
/// Five past each hour: one poll of each feed a tick.
const POLLED_AT: &str = "0 5 * * * *";
/// The pause between polls, so that a person can read along.
const PAUSE: Duration = Duration::from_millis(250);
/// Steps of the clock within one poll, for what waits: a retry, a platform's pace.
const PATIENCE: u32 = 60;

/// How the demo runs.
#[derive(Clone, Copy, Debug, Args)]
pub(super) struct DemoOptions {
    /// Stop after this many simulated polls
    #[arg(long)]
    ticks: Option<u32>,
    /// Which market: the same seed shows the same alerts
    #[arg(long, default_value_t = 7)]
    seed: u64,
}

/// One who follows something in the demo.
struct Follower {
    address: &'static str,
    /// The options of `/subscribe`.
    subscription: &'static [(&'static str, &'static str)],
    /// The options of `/settings`; empty: left as they are.
    settings: &'static [(&'static str, &'static str)],
}

const FOLLOWERS: &[Follower] = &[
    Follower { address: "console:#alerts", subscription: &[("tokens", "all")], settings: &[] },
    Follower { address: "console:@mira", subscription: &[("tokens", "BTC,ETH,SOL,XRP,BNB")], settings: &[("cooldown", "240")] },
    Follower { address: "console:#hourly", subscription: &[("tokens", "all"), ("kind", "hourly")], settings: &[("max_per_hour", "1")] },
];

struct Demo {
    clock: Arc<ManualClock>,
    store: Store,
    poller: Poller,
    flow: Flow,
    deliverer: Deliverer,
    console: Arc<Console>,
    desk: Desk,
}

/// Runs until `ticks` polls were made, Ctrl-C, or nobody reads any more.
pub(super) async fn run(options: DemoOptions) -> CommandResult {
    let tracker = TaskTracker::new();
    let stop = CancellationToken::new();
    let mut demo = Demo::start(options.seed, &tracker, &stop).await?;
    output::result(&format!(
        "A simulated market (seed {}) behind a simulated API; an hour passes with each poll. Ctrl-C ends it.\n",
        options.seed
    ));
    let interrupted = stop_signal();
    tokio::pin!(interrupted);
    let mut ticks = 0;
    while options.ticks.is_none_or(|most| ticks < most) && !demo.console.is_closed() {
        demo.tick().await.map_err(Failure::other)?;
        ticks += 1;
        tokio::select! {
            () = &mut interrupted => break,
            () = tokio::time::sleep(PAUSE) => {}
        }
    }
    let activity = demo.store.activity().await.map_err(Failure::other)?;
    output::result(&summary(ticks, &activity));
    stop.cancel();
    tracker.close();
    tracker.wait().await;
    Ok(ExitCode::SUCCESS)
}

impl Demo {
    async fn start(seed: u64, tracker: &TaskTracker, stop: &CancellationToken) -> Result<Self, Failure> {
        let start = Timestamp::parse(START).unwrap_or_default();
        let clock = Arc::new(ManualClock::new(start));
        let shared: SharedClock = clock.clone();
        let market = Arc::new(Mutex::new(Market::new(seed, start)));
        let address = api::start(market, shared.clone(), tracker, stop.clone()).await.map_err(Failure::other)?;
        let store = Store::open("sqlite::memory:").await.map_err(Failure::other)?;
        let source = TokenMetrics::new(&format!("http://{address}/v2"), SecretString::from("demo"));
        let console = Arc::new(Console::new(Box::new(std::io::stdout()), std::io::stdout().is_terminal(), shared.clone()));
        let metrics = Arc::new(Metrics::default());
        let operators = Operators::new(store.clone(), shared.clone(), Vec::new());
        let (changes, messages) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let hourly = Schedule::parse(POLLED_AT).map_err(Failure::other)?;
        let schedules = Kind::ALL.iter().map(|kind| (*kind, hourly.clone())).collect();
        let settings = PollSettings { calls_per_month: 0, calls_per_minute: 0, all_tokens: 100, schedules };
        let poller = Poller::new(PollerParts {
            source: Arc::new(source),
            store: store.clone(),
            clock: shared.clone(),
            metrics: metrics.clone(),
            operators: operators.clone(),
            settings,
            wake: changes.clone(),
        });
        let desk_settings = DeskSettings { all_tokens: 100, ..DeskSettings::default() };
        let (desk, _lookups) = Desk::new(store.clone(), shared.clone(), desk_settings);
        let deliverer = Deliverer::new(
            DelivererParts {
                store: store.clone(),
                clock: shared.clone(),
                metrics: metrics.clone(),
                operators,
                charts: desk.charts(),
                wake: messages.clone(),
                holder: "demo".to_owned(),
                at_once: 1,
            },
            console.clone() as Arc<dyn Messenger>,
        );
        let scorecards = desk.scorecards();
        let flow = Flow { store: store.clone(), clock: shared, metrics, scorecards, changes, messages: vec![messages] };
        let mut demo = Self { clock, store, poller, flow, deliverer, console, desk };
        // The directory first: followers name their tokens by symbol.
        demo.poller.step().await.map_err(Failure::other)?;
        for follower in FOLLOWERS {
            demo.ask(follower.address, Command::Subscribe, follower.subscription).await;
            if !follower.settings.is_empty() {
                demo.ask(follower.address, Command::Settings, follower.settings).await;
            }
        }
        demo.poller.step().await.map_err(Failure::other)?;
        Ok(demo)
    }

    /// Types a command where an administrator would.
    async fn ask(&self, address: &str, command: Command, options: &[(&str, &str)]) {
        let Some(address) = Address::parse(address) else { return };
        let options = options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let label = address.chat.clone();
        let request = Request {
            key: None,
            actor: Actor { user: UserId("demo".to_owned()), standing: Standing::Admin },
            venue: Venue::Group { address, label },
            invocation: Invocation { command, options },
            channel: None,
            role: None,
        };
        let reply = self.desk.answer(&request).await;
        tracing::debug!(reply = reply.card.plain(), "a follower of the demo");
    }

    /// One poll: an hour passes, the source is asked, whatever is due is told.
    async fn tick(&mut self) -> StoreResult<()> {
        self.clock.advance(STEP);
        for _ in 0..PATIENCE {
            let next = self.poller.step().await?;
            self.flow.step().await?;
            let round = self.deliverer.drain().await?;
            let waiting = self.poller.is_polling().then_some(next);
            match round.not_before.into_iter().chain(waiting).min() {
                Some(at) => self.clock.set(at.max(self.clock.now() + Duration::from_secs(1))),
                None => break,
            }
        }
        Ok(())
    }
}

/// What happened, in a few lines.
fn summary(ticks: u32, activity: &Activity) -> String {
    let count = |wanted: &dyn Fn(&AlertCount) -> bool| -> i64 {
        activity.alerts.iter().filter(|alert| wanted(alert)).map(|alert| alert.count).sum()
    };
    let reasons = |wanted: &dyn Fn(&AlertCount) -> bool| -> String {
        let mut by_reason: BTreeMap<&str, i64> = BTreeMap::new();
        for alert in activity.alerts.iter().filter(|alert| wanted(alert)) {
            *by_reason.entry(alert.reason.as_str()).or_default() += alert.count;
        }
        let words: Vec<_> = by_reason.iter().map(|(reason, count)| format!("{reason} {count}")).collect();
        if words.is_empty() { String::new() } else { format!(" ({})", words.join(", ")) }
    };
    let told_late = |alert: &AlertCount| alert.was_held && alert.state == AlertState::Told;
    let waiting = |alert: &AlertCount| alert.state == AlertState::Pending;
    let skipped = |alert: &AlertCount| matches!(alert.state, AlertState::Skipped | AlertState::Superseded);
    format!(
        "\npolls {ticks} of each feed · changes {} · messages {}\nalerts told {}, of them held first {}{}\nalerts still held {}{} · not wanted {}{}",
        activity.changes,
        activity.messages,
        count(&|alert| alert.state == AlertState::Told),
        count(&told_late),
        reasons(&told_late),
        count(&waiting),
        reasons(&waiting),
        count(&skipped),
        reasons(&skipped),
    )
}
