//! Stage 4: claims due messages under a lease, makes one attempt each, and settles what came of it.
//!
//! Never a held lock across an HTTP call, at most one message in flight per destination, and one slow chat never delays another. The
//! adapter says what an end was; what to do about it is decided in `attempt`, from one error type.

mod attempt;
mod health;
mod illustrate;
mod in_flight;
mod provenance;

use crate::{
    cache::Charts,
    chat::{Messenger, nonce},
    clock::SharedClock,
    domain::{Platform, Timestamp},
    engine::{
        breaker::MassFailure,
        silence::{Next, Silence},
    },
    http::Renewals,
    pipeline::{operators::Operators, outage::Outage},
    store::{Store, StoreError, StoreResult},
    telemetry::Metrics,
};
use attempt::lapsed;
use illustrate::pictured;
use in_flight::InFlight;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// Longer than a send may take (8 s), short enough that a successor soon takes over (`rules.md` 4.5).
const LEASE: Duration = Duration::from_secs(12);
/// The longest window of a platform's limits, which go by the end of a request, and the longest request.
const REMEMBERED: Duration = Duration::from_secs(60).saturating_add(LEASE);
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
    /// Draws the pictures that go with alerts.
    pub charts: Charts,
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
    in_flight: InFlight,
    /// What is claimed through: it refuses once another process delivers. Ends are stored all the same, by whoever holds the claim.
    claims: Store,
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
    paused: Wait,
    /// The messenger has no place before: nothing is claimed only to be given back.
    full: Wait,
    /// The platform refuses the token of this generation.
    refused: Option<u64>,
    /// Operators may have been told that it takes no messages, before a restart or by another process too: the next success is the end of that.
    may_be_told_down: bool,
    /// How often the token was renewed, as far as that was heard of.
    generation: u64,
    renewals: Option<Renewals>,
    failures: MassFailure,
    silence: Silence,
    /// While nobody is answered, nothing is tried or asked before.
    hush: Wait,
    /// It is the platform that fails: a destination that seems to be gone until then is not believed to be (`rules.md` 4.3).
    doubted: Wait,
    /// From then on a success ends the mass failure that operators were told of, also before a restart.
    quiet: Option<Wait>,
    /// Ends that the database has not taken yet. Until it has, nothing is claimed: it might be one of those, sent already.
    unsettled: usize,
}

impl Condition {
    /// Which token an attempt that begins now shows: whether a refusal is about the present one is told by that.
    fn generation(&mut self) -> u64 {
        self.generation += u64::from(self.renewals.as_mut().is_some_and(Renewals::heard));
        self.generation
    }

    /// Whether a refusal has just been overcome by another token.
    fn resumes(&mut self) -> bool {
        let generation = self.generation();
        self.refused.take_if(|refused| *refused != generation).is_some()
    }
}

/// A time to wait for, and when that was decided: an earlier present means that the clock was stepped back since, and the wait is over (6.7).
#[derive(Clone, Copy, Debug, Default)]
struct Wait {
    since: Timestamp,
    until: Timestamp,
}

impl Wait {
    fn end(self, now: Timestamp) -> Option<Timestamp> {
        (self.until > now && self.since <= now + LONGEST_SLEEP).then_some(self.until)
    }

    fn lengthen(&mut self, until: Timestamp, now: Timestamp) {
        if self.end(now).is_none_or(|end| end < until) {
            *self = Self { since: now, until };
        }
    }
}

/// What a round found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Round {
    /// Attempts that were begun, or questions.
    pub started: usize,
    /// Nothing can be sent before, though something is due.
    pub not_before: Option<Timestamp>,
}

impl Deliverer {
    /// A deliverer of the messenger's platform.
    pub fn new(parts: DelivererParts, messenger: Arc<dyn Messenger>) -> Self {
        let platform = messenger.platform();
        let condition =
            Condition { quiet: Some(Wait::default()), may_be_told_down: true, renewals: messenger.renewals(), ..Condition::default() };
        let claims = parts.store.clone();
        let shared = Shared { parts, messenger, platform, condition: Mutex::new(condition), health: watch::Sender::new(true) };
        Self { shared: Arc::new(shared), in_flight: InFlight::default(), claims }
    }

    /// Which platform's messages.
    pub fn platform(&self) -> Platform {
        self.shared.platform
    }

    /// Whether the platform works: false while it refuses the bot's token or answers nobody.
    pub fn health(&self) -> watch::Receiver<bool> {
        self.shared.health.subscribe()
    }

    /// Delivers until told to stop, or until another process does; then waits for what is in flight. Claims through `claims`.
    pub async fn run(&mut self, claims: Store, shutdown: CancellationToken) {
        self.claims = claims;
        self.shared.with_condition(|condition| condition.may_be_told_down = true);
        self.recall(&shutdown).await;
        let mut outage = Outage::of(format!("claiming messages for {}", self.shared.platform));
        while !shutdown.is_cancelled() {
            let result = self.round().await;
            // While ends wait to be stored nothing is claimed: that it did not fail says nothing.
            if result.is_ok() && self.shared.with_condition(|condition| condition.unsettled == 0) {
                outage.over();
            }
            let sleep = match result {
                Ok(round) if round.started > 0 => Duration::ZERO,
                Ok(round) => round.not_before.map_or(LONGEST_SLEEP, |at| at.since(self.shared.parts.clock.now())).min(LONGEST_SLEEP),
                Err(StoreError::Overtaken) => break,
                Err(error) => {
                    outage.failed(&error);
                    LONGEST_SLEEP
                }
            };
            tokio::select! {
                () = shutdown.cancelled() => break,
                () = self.shared.parts.wake.notified() => {}
                Some(ended) = self.in_flight.next_ended(), if !self.in_flight.is_empty() => self.shared.log_end(ended),
                () = tokio::time::sleep(sleep), if !sleep.is_zero() || self.in_flight.len() >= self.shared.parts.at_once => {}
                () = std::future::ready(()), if sleep.is_zero() && self.in_flight.len() < self.shared.parts.at_once => {}
            }
        }
        while let Some(ended) = self.in_flight.next_ended().await {
            self.shared.log_end(ended);
        }
        self.shared.forget_health();
    }

    /// Tells the messenger what went out lately, before a restart or by another process, so that the platform's limits hold over it.
    /// Without that nothing is sent.
    async fn recall(&self, shutdown: &CancellationToken) {
        let mut outage = Outage::of(format!("asking what was sent on {} in the last minute", self.shared.platform));
        while !shutdown.is_cancelled() {
            let now = self.shared.parts.clock.now();
            match self.claims.sent_since(self.shared.platform, now - REMEMBERED).await {
                Ok(sent) => {
                    outage.over();
                    return self.shared.messenger.recall(&sent, now);
                }
                Err(error) => outage.failed(&error),
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(LONGEST_SLEEP) => {}
            }
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
            while let Some(ended) = self.in_flight.next_ended().await {
                ended.unwrap_or_else(|error| error.try_into_panic().map_or(Ok(()), |panic| std::panic::resume_unwind(panic)))?;
            }
            if round.started == 0 {
                return Ok(total);
            }
        }
    }

    /// Claims what is due and begins its attempts.
    async fn round(&mut self) -> StoreResult<Round> {
        let now = self.shared.parts.clock.now();
        self.shared.resume_with_another_token();
        let (halted, not_before) = self.shared.with_condition(|condition| {
            (
                condition.refused.is_some() || condition.unsettled > 0,
                condition.paused.end(now).max(condition.hush.end(now)).max(condition.full.end(now)),
            )
        });
        if halted {
            return Ok(Round::default());
        }
        // What is under way is ours until its end is stored.
        if self.in_flight.seem_left_behind(now) {
            return Ok(Round::default());
        }
        if not_before.is_some() {
            return Ok(Round { started: 0, not_before });
        }
        let alone = self.in_flight.is_empty();
        let next = self.shared.with_condition(|condition| condition.silence.next(alone));
        let at_once = if next == Next::All { self.shared.parts.at_once } else { 1 };
        let room = at_once.saturating_sub(self.in_flight.len()).min(CLAIMS);
        if room == 0 {
            return Ok(Round::default());
        }
        let Some(room) = self.shared.places(now).map(|places| room.min(places)) else {
            return Ok(Round { started: 0, not_before: self.shared.with_condition(|condition| condition.full.end(now)) });
        };
        let parts = &self.shared.parts;
        let lease_until = now + LEASE;
        if next == Next::Question {
            return Ok(self.begin_question(lease_until));
        }
        let claims = self.claims.claim(self.shared.platform, &parts.holder, |id| nonce(id, 0), now, lease_until, room as i64).await?;
        let (mut round, mut without_place) = (Round::default(), Vec::new());
        for claimed in claims {
            // Who waits for a picture asks for a place afterwards: one of now would be of a second that is over. What has lapsed needs none.
            let needs_none_now = pictured(&claimed).is_some() || lapsed(&claimed, now).is_some();
            if without_place.is_empty() && (needs_none_now || self.shared.admits()) {
                round.started += 1;
                let (shared, claims) = (Arc::clone(&self.shared), self.claims.clone());
                self.in_flight.begin(lease_until, async move { shared.attempt(claimed, &claims).await });
            } else {
                without_place.push(claimed);
            }
        }
        if !without_place.is_empty() {
            // On its own: until the database takes it nothing else is claimed, and what is in flight goes on.
            let shared = Arc::clone(&self.shared);
            self.in_flight.begin(lease_until, async move { shared.release(without_place).await });
            round.not_before = self.shared.with_condition(|condition| condition.full.end(now));
        }
        Ok(round)
    }

    /// On its own, as an attempt: what waits for its answer is the next round.
    fn begin_question(&mut self, lease_until: Timestamp) -> Round {
        self.shared.with_condition(|condition| condition.silence.ask());
        let (shared, claims) = (Arc::clone(&self.shared), self.claims.clone());
        self.in_flight.begin(lease_until, async move {
            shared.ask(&claims).await;
            Ok(())
        });
        Round { started: 1, not_before: None }
    }
}

impl Shared {
    /// How many places of the present second the messenger has; none, where nothing is claimed before it has one.
    fn places(&self, now: Timestamp) -> Option<usize> {
        self.messenger.places(now).map_err(|at| self.waits_for_place(at, now)).ok()
    }

    /// Takes a place of the present second, if the messenger has one; otherwise nothing is claimed before it has.
    fn admits(&self) -> bool {
        let now = self.parts.clock.now();
        self.messenger.admit(now).map_err(|at| self.waits_for_place(at, now)).is_ok()
    }

    fn waits_for_place(&self, at: Timestamp, now: Timestamp) {
        self.with_condition(|condition| condition.full.lengthen(at.min(now + LONGEST_SLEEP), now));
    }
}
