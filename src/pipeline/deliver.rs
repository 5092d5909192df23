//! Stage 4: claims due messages under a lease, makes one attempt each, and settles what came of it.
//!
//! Never a held lock across an HTTP call, at most one message in flight per destination, and one slow chat never delays another. The
//! adapter says what an end was; what to do about it is decided here, from one error type.

use crate::{
    chat::{End, Messenger, Outgoing, Receipt, Scope, SendError, nonce},
    clock::SharedClock,
    domain::{Lane, MessageBody, Platform, Timestamp, wording::NoticePhrase},
    engine::{
        breaker::{MassFailure, Tripped},
        retry::{Attempted, Next, next, probe_after},
    },
    pipeline::operators::Operators,
    store::{Claimed, Settlement, Store, StoreResult},
    telemetry::{Metrics, Stage},
};
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{Notify, watch},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

/// Longer than a send may take (8 s), short enough that a successor soon takes over (`rules.md` 4.5).
const LEASE: Duration = Duration::from_secs(15);
/// Attempts at once, where nothing else is asked for.
pub const MOST_IN_FLIGHT: usize = 32;
/// Claims at once: few, so that what is more urgent overtakes soon.
const CLAIMS: usize = 8;
/// The clock is read at least once a second, so that a stepped clock takes effect at once (6.7).
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// Everything a deliverer stands on.
#[derive(Clone)]
pub struct DelivererParts {
    /// The outbox.
    pub store: Store,
    /// The time.
    pub clock: SharedClock,
    /// What operators see.
    pub metrics: Arc<Metrics>,
    /// Whom to tell of trouble.
    pub operators: Operators,
    /// Notified when messages were composed.
    pub wake: Arc<Notify>,
    /// Who claims: the name of this process.
    pub holder: String,
    /// Attempts at once: [`MOST_IN_FLIGHT`], or 1 where the order between chats matters (`demo`).
    pub at_once: usize,
}

/// Delivers the messages of one platform.
pub struct Deliverer {
    shared: Arc<Shared>,
    in_flight: JoinSet<StoreResult<()>>,
}

struct Shared {
    parts: DelivererParts,
    messenger: Arc<dyn Messenger>,
    platform: Platform,
    condition: Mutex<Condition>,
    health: watch::Sender<bool>,
}

/// What is known of the platform as a whole.
#[derive(Default)]
struct Condition {
    paused_until: Timestamp,
    stopped: bool,
    failures: MassFailure,
}

/// What a round found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Attempts that were begun.
    pub started: usize,
    /// Nothing can be sent before, though something is due.
    pub not_before: Option<Timestamp>,
}

impl Deliverer {
    /// A deliverer of the messenger's platform.
    pub fn new(parts: DelivererParts, messenger: Arc<dyn Messenger>) -> Self {
        let platform = messenger.platform();
        parts.metrics.platform_up(platform, true);
        let shared = Shared { parts, messenger, platform, condition: Mutex::default(), health: watch::Sender::new(true) };
        Self { shared: Arc::new(shared), in_flight: JoinSet::new() }
    }

    /// Which platform's messages.
    pub fn platform(&self) -> Platform {
        self.shared.platform
    }

    /// Whether the platform works: false once it refuses the bot's token, until a restart.
    pub fn health(&self) -> watch::Receiver<bool> {
        self.shared.health.subscribe()
    }

    /// Delivers until told to stop; then waits for what is in flight.
    pub async fn run(mut self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            let sleep = match self.round().await {
                Ok(round) if round.started > 0 => Duration::ZERO,
                Ok(round) => round.not_before.map_or(LONGEST_SLEEP, |at| at.since(self.shared.parts.clock.now())).min(LONGEST_SLEEP),
                Err(error) => {
                    tracing::error!(platform = %self.shared.platform, %error, "messages could not be claimed; trying again");
                    LONGEST_SLEEP
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = self.shared.parts.wake.notified() => {}
                Some(ended) = self.in_flight.join_next(), if !self.in_flight.is_empty() => self.shared.log_end(ended),
                () = tokio::time::sleep(sleep), if !sleep.is_zero() || self.in_flight.len() >= self.shared.parts.at_once => {}
                () = std::future::ready(()), if sleep.is_zero() && self.in_flight.len() < self.shared.parts.at_once => {}
            }
        }
        while let Some(ended) = self.in_flight.join_next().await {
            self.shared.log_end(ended);
        }
    }

    /// Sends everything that can be sent now and waits for its end: what tests and `demo` step.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn drain(&mut self) -> StoreResult<Round> {
        let mut total = Round::default();
        loop {
            let round = self.round().await?;
            total.started += round.started;
            total.not_before = round.not_before;
            while let Some(ended) = self.in_flight.join_next().await {
                ended.unwrap_or(Ok(()))?;
            }
            if round.started == 0 {
                return Ok(total);
            }
        }
    }

    /// Claims what is due and begins its attempts.
    async fn round(&mut self) -> StoreResult<Round> {
        let now = self.shared.parts.clock.now();
        let (stopped, paused_until) = self.shared.with_condition(|condition| (condition.stopped, condition.paused_until));
        if stopped {
            return Ok(Round::default());
        }
        if paused_until > now {
            return Ok(Round { started: 0, not_before: Some(paused_until) });
        }
        let room = self.shared.parts.at_once.saturating_sub(self.in_flight.len()).min(CLAIMS);
        if room == 0 {
            return Ok(Round::default());
        }
        let parts = &self.shared.parts;
        let claims = parts.store.claim(self.shared.platform, &parts.holder, |id| nonce(id, 0), now, now + LEASE, room as i64).await?;
        let mut round = Round::default();
        for claimed in claims {
            match round.not_before.map_or_else(|| self.shared.messenger.admit(now), Err) {
                Ok(()) => {
                    round.started += 1;
                    let shared = Arc::clone(&self.shared);
                    self.in_flight.spawn(async move { shared.attempt(claimed).await });
                }
                Err(at) => {
                    round.not_before = Some(at);
                    parts.store.release_claim(&claimed).await?;
                }
            }
        }
        Ok(round)
    }
}

impl Shared {
    fn with_condition<T>(&self, act: impl FnOnce(&mut Condition) -> T) -> T {
        act(&mut self.condition.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn log_end(&self, ended: Result<StoreResult<()>, tokio::task::JoinError>) {
        let problem = match ended {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        tracing::error!(platform = %self.platform, problem, "an attempt could not be settled; its lease runs out and it is tried again");
    }

    /// One attempt, from the request to the settlement.
    async fn attempt(&self, claimed: Claimed) -> StoreResult<()> {
        let outgoing = Outgoing {
            id: claimed.id,
            to: claimed.destination.address.clone(),
            route: claimed.destination.route.clone(),
            body: claimed.body.clone(),
            mention: claimed.mention.clone(),
            is_reply: claimed.lane == Lane::Reply,
        };
        let result = self.messenger.send(&outgoing).await;
        let now = self.parts.clock.now();
        match result {
            Ok(receipt) => self.sent(&claimed, receipt, now).await,
            Err(error) => self.failed(&claimed, error, now).await,
        }
    }

    async fn sent(&self, claimed: &Claimed, receipt: Receipt, now: Timestamp) -> StoreResult<()> {
        self.parts.metrics.delivery(self.platform, "sent");
        self.parts.metrics.latency(Stage::Send, now.since(claimed.created_at));
        if let MessageBody::Alert { call } = &claimed.body {
            self.parts.metrics.latency(Stage::Total, now.since(call.seen_at));
        }
        self.with_condition(|condition| condition.failures.note(claimed.destination.id, false, now));
        let Receipt { platform_id, rest_until, route } = receipt;
        self.parts.store.settle(claimed, &Settlement::Sent { platform_id, rest_until, route }, now).await?;
        if claimed.destination.quarantine.is_some() {
            let destination = claimed.destination.address.to_string();
            let name = format!("quarantine:{}", claimed.destination.id);
            self.parts.operators.clear(&name, Some(NoticePhrase::Restored { destination })).await;
        }
        // The next message of the same chat may be waiting for this one.
        self.parts.wake.notify_one();
        Ok(())
    }

    async fn failed(&self, claimed: &Claimed, error: SendError, now: Timestamp) -> StoreResult<()> {
        let problem = error.to_string();
        tracing::warn!(platform = %self.platform, message = claimed.id.0, destination = %claimed.destination.address, problem, "a message was not taken");
        match error {
            SendError::Retry { after, scope, end, .. } => self.retry(claimed, after, scope, end, problem, now).await,
            SendError::Moved(to) => {
                self.parts.metrics.delivery(self.platform, "moved");
                let settlement = Settlement::Retry { at: now, unknown: false, rest: false, problem };
                self.parts.store.settle(claimed, &settlement, now).await?;
                self.parts.store.move_destination(&claimed.destination.address, &to).await?;
                tracing::info!(from = %claimed.destination.address, %to, "a chat moved");
                self.parts.wake.notify_one();
                Ok(())
            }
            SendError::Gone { reason, .. } => {
                self.parts.metrics.delivery(self.platform, "gone");
                let tripped = self.with_condition(|condition| condition.failures.note(claimed.destination.id, true, now));
                let probes = claimed.destination.quarantine.as_ref().map_or(0, |quarantine| quarantine.probes);
                let settlement = Settlement::Gone { reason, next_probe_at: now + probe_after(probes), problem };
                self.parts.store.settle(claimed, &settlement, now).await?;
                if let Some(tripped) = tripped {
                    self.pause_for_mass_failure(tripped).await?;
                }
                Ok(())
            }
            SendError::Rejected { .. } => self.dead(claimed, false, problem, now).await,
            SendError::Unauthorized { .. } => {
                self.parts.metrics.delivery(self.platform, "unauthorized");
                self.parts.metrics.platform_up(self.platform, false);
                self.health.send_replace(false);
                let settlement = Settlement::Retry { at: now, unknown: false, rest: false, problem };
                self.parts.store.settle(claimed, &settlement, now).await?;
                if !self.with_condition(|condition| std::mem::replace(&mut condition.stopped, true)) {
                    let variable = format!("{}_BOT_TOKEN", self.platform.as_str().to_uppercase());
                    self.parts.operators.tell(NoticePhrase::PlatformUnauthorized { platform: self.platform, variable }).await;
                }
                Ok(())
            }
        }
    }

    async fn retry(
        &self,
        claimed: &Claimed,
        after: Option<Duration>,
        scope: Scope,
        end: End,
        problem: String,
        now: Timestamp,
    ) -> StoreResult<()> {
        let unknown = end == End::Unknown;
        self.parts.metrics.delivery(self.platform, if unknown { "unknown" } else { "retry" });
        if scope == Scope::Platform {
            let until = now + after.unwrap_or(LONGEST_SLEEP);
            self.with_condition(|condition| condition.paused_until = condition.paused_until.max(until));
        }
        let unknown_ends = claimed.unknown_ends + u32::from(unknown);
        let attempted = Attempted { attempts: claimed.attempts, unknown_ends, created_at: claimed.created_at, after };
        match next(self.platform, attempted, fastrand::f64(), now) {
            Next::At(at) => {
                let rest = after.is_some() && scope == Scope::Destination;
                self.parts.store.settle(claimed, &Settlement::Retry { at, unknown, rest, problem }, now).await?;
                Ok(())
            }
            Next::GiveUp(why) => self.dead(claimed, unknown, format!("{why} ({problem})"), now).await,
        }
    }

    async fn dead(&self, claimed: &Claimed, unknown: bool, problem: String, now: Timestamp) -> StoreResult<()> {
        self.parts.metrics.delivery(self.platform, "dead");
        let destination = claimed.destination.address.to_string();
        self.parts.store.settle(claimed, &Settlement::Dead { unknown, problem: problem.clone() }, now).await?;
        // A notice that cannot be delivered must not make another one.
        if !matches!(claimed.body, MessageBody::Card { .. }) {
            self.parts.operators.tell(NoticePhrase::DeadLetter { destination, problem }).await;
        }
        Ok(())
    }

    /// It is the platform: whoever seemed to be gone is restored, and nothing is sent for a while (4.3).
    async fn pause_for_mass_failure(&self, tripped: Tripped) -> StoreResult<()> {
        self.with_condition(|condition| condition.paused_until = condition.paused_until.max(tripped.until));
        for destination in &tripped.failed {
            self.parts.store.restore(*destination).await?;
        }
        let failed = u32::try_from(tripped.failed.len()).unwrap_or(u32::MAX);
        let tried = u32::try_from(tripped.tried).unwrap_or(u32::MAX);
        self.parts.operators.tell(NoticePhrase::PlatformPaused { platform: self.platform, failed, tried, until: tripped.until }).await;
        Ok(())
    }
}
