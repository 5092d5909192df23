//! One attempt, from the request to the settlement, and what each kind of end leads to.

use super::{LEASE, LONGEST_SLEEP, Shared};
use crate::{
    chat::{End, Outgoing, Receipt, Scope, SendError},
    domain::{Address, Lane, MessageBody, Timestamp, wording::NoticePhrase},
    engine::{
        breaker::Tripped,
        retry::{Attempted, Next, next, probe_after, too_uncertain},
    },
    store::{Claimed, Settlement, StoreResult},
    telemetry::Stage,
};
use std::{sync::PoisonError, time::Duration};

/// Longer than any single request (8 s) and over before the lease is, also where one attempt takes several requests.
const LONGEST_ATTEMPT: Duration = LEASE.checked_sub(Duration::from_secs(2)).expect("a lease is longer than two seconds");
/// Between two tries to settle; doubled up to [`LONGEST_SLEEP`].
const SETTLE_AGAIN: Duration = Duration::from_millis(50);
/// How often a settlement is tried: for about ten minutes.
const MOST_SETTLEMENTS: u32 = 600;

impl Shared {
    pub(super) fn with_condition<T>(&self, act: impl FnOnce(&mut super::Condition) -> T) -> T {
        act(&mut self.condition.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn log_end(&self, ended: Result<StoreResult<()>, tokio::task::JoinError>) {
        let problem = match ended {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        tracing::error!(platform = %self.platform, problem, "an attempt could not be settled; its lease runs out and it is tried again");
    }

    /// One attempt, from the request to the settlement.
    pub(super) async fn attempt(&self, claimed: Claimed) -> StoreResult<()> {
        if let Some(why) = too_uncertain(self.platform, claimed.unknown_ends) {
            return self.dead(&claimed, false, why.to_owned(), self.parts.clock.now()).await;
        }
        let outgoing = Outgoing {
            id: claimed.id,
            to: claimed.destination.address.clone(),
            route: claimed.destination.route.clone(),
            body: claimed.body.clone(),
            mention: claimed.mention.clone(),
            is_reply: claimed.lane == Lane::Reply,
        };
        let result = tokio::time::timeout(LONGEST_ATTEMPT, self.messenger.send(&outgoing)).await.unwrap_or_else(|_| {
            let why = "there was no answer in time".to_owned();
            Err(SendError::Retry { after: None, scope: Scope::Destination, end: End::Unknown, why })
        });
        let now = self.parts.clock.now();
        match result {
            Ok(receipt) => self.sent(&claimed, receipt, now).await,
            Err(SendError::Retry { after, scope, end: End::NotTried, why }) => {
                tracing::debug!(platform = %self.platform, message_id = claimed.id.0, why, "a message waits for its turn");
                self.parts.store.postpone(&claimed, now + after.unwrap_or(LONGEST_SLEEP), scope != Scope::Message).await
            }
            Err(error) => self.failed(&claimed, error, now).await,
        }
    }

    async fn sent(&self, claimed: &Claimed, receipt: Receipt, now: Timestamp) -> StoreResult<()> {
        self.parts.metrics.delivery(self.platform, "sent");
        self.parts.metrics.latency(Stage::Send, now.since(claimed.created_at));
        if let MessageBody::Alert { call } = &claimed.body {
            self.parts.metrics.latency(Stage::Total, now.since(call.seen_at));
        }
        let Receipt { platform_id, rest_until, route } = receipt;
        self.settle(claimed, &Settlement::Sent { platform_id, rest_until, route }, now).await?;
        self.note(claimed, false, now).await?;
        // The next message of the same chat may be waiting for this one.
        self.parts.wake.notify_one();
        Ok(())
    }

    async fn failed(&self, claimed: &Claimed, error: SendError, now: Timestamp) -> StoreResult<()> {
        let problem = error.to_string();
        tracing::warn!(platform = %self.platform, message_id = claimed.id.0, destination = %claimed.destination.address, problem, "a message was not taken");
        match error {
            SendError::Retry { after, scope, end, .. } => self.retry(claimed, after, scope, end, problem, now).await,
            SendError::Moved(to) => self.moved(claimed, &to, problem, now).await,
            SendError::Gone { reason, .. } => {
                self.parts.metrics.delivery(self.platform, "gone");
                let doubted_until = self.with_condition(|condition| condition.doubted_until);
                if doubted_until > now {
                    let settlement = Settlement::Retry { at: doubted_until, unknown: false, rest: false, problem };
                    return self.settle(claimed, &settlement, now).await;
                }
                let probes = claimed.destination.quarantine.as_ref().map_or(0, |quarantine| quarantine.probes);
                let settlement = Settlement::Gone { reason, next_probe_at: now + probe_after(probes), problem };
                self.settle(claimed, &settlement, now).await?;
                self.note(claimed, true, now).await
            }
            SendError::Rejected { .. } => self.dead(claimed, false, problem, now).await,
            SendError::Unauthorized { .. } => {
                self.parts.metrics.delivery(self.platform, "unauthorized");
                self.parts.metrics.platform_up(self.platform, false);
                self.health.send_replace(false);
                let first = !self.with_condition(|condition| std::mem::replace(&mut condition.stopped, true));
                let settlement = Settlement::Retry { at: now, unknown: false, rest: false, problem };
                self.settle(claimed, &settlement, now).await?;
                if first {
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
        match self.next(claimed, after, unknown, now) {
            Next::At(at) => {
                let rest = after.is_some() && scope == Scope::Destination;
                self.settle(claimed, &Settlement::Retry { at, unknown, rest, problem }, now).await
            }
            Next::GiveUp(why) => self.dead(claimed, unknown, format!("{why} ({problem})"), now).await,
        }
    }

    fn next(&self, claimed: &Claimed, after: Option<Duration>, unknown: bool, now: Timestamp) -> Next {
        let unknown_ends = claimed.unknown_ends + u32::from(unknown);
        let attempted = Attempted { attempts: claimed.attempts, unknown_ends, created_at: claimed.created_at, after };
        next(self.platform, attempted, fastrand::f64(), now)
    }

    /// The address is rewritten and the message goes there at once; a chat that keeps moving is followed at the pace of retries.
    async fn moved(&self, claimed: &Claimed, to: &Address, problem: String, now: Timestamp) -> StoreResult<()> {
        self.parts.metrics.delivery(self.platform, "moved");
        let at = match self.next(claimed, None, false, now) {
            _ if claimed.attempts <= 1 => now,
            Next::At(at) => at,
            Next::GiveUp(why) => return self.dead(claimed, false, format!("{why} ({problem})"), now).await,
        };
        self.settle(claimed, &Settlement::Retry { at, unknown: false, rest: false, problem }, now).await?;
        self.parts.store.move_destination(&claimed.destination.address, to).await?;
        tracing::info!(from = %claimed.destination.address, %to, "a chat moved");
        self.parts.wake.notify_one();
        Ok(())
    }

    async fn dead(&self, claimed: &Claimed, unknown: bool, problem: String, now: Timestamp) -> StoreResult<()> {
        self.parts.metrics.delivery(self.platform, "dead");
        let destination = claimed.destination.address.to_string();
        self.settle(claimed, &Settlement::Dead { unknown, problem: problem.clone() }, now).await?;
        // A notice that cannot be delivered must not make another one.
        if !matches!(claimed.body, MessageBody::Card { .. }) {
            self.parts.operators.tell(NoticePhrase::DeadLetter { destination, problem }).await;
        }
        Ok(())
    }

    /// Writes down what came of an attempt, as often as the database needs: what was sent must not be forgotten, or it is sent again.
    async fn settle(&self, claimed: &Claimed, settlement: &Settlement, now: Timestamp) -> StoreResult<()> {
        let Err(error) = self.parts.store.settle(claimed, settlement, now).await else { return Ok(()) };
        if !error.may_pass() {
            return Err(error);
        }
        tracing::error!(platform = %self.platform, message_id = claimed.id.0, %error, "the end of an attempt could not be stored; nothing is claimed until it is");
        self.with_condition(|condition| condition.unsettled += 1);
        let settled = self.settle_again(claimed, settlement, now).await;
        self.with_condition(|condition| condition.unsettled -= 1);
        if settled.is_ok() {
            tracing::info!(platform = %self.platform, message_id = claimed.id.0, "the end of the attempt is stored now");
        }
        settled
    }

    async fn settle_again(&self, claimed: &Claimed, settlement: &Settlement, now: Timestamp) -> StoreResult<()> {
        let (mut pause, mut tries) = (SETTLE_AGAIN, 1);
        loop {
            tokio::time::sleep(pause).await;
            tries += 1;
            match self.parts.store.settle(claimed, settlement, now).await {
                Ok(_) => return Ok(()),
                Err(error) if tries >= MOST_SETTLEMENTS || !error.may_pass() => return Err(error),
                Err(_) => pause = (2 * pause).min(LONGEST_SLEEP),
            }
        }
    }

    /// Takes note of whether a destination was reached. One that is in quarantine already and still cannot be reached says nothing new.
    async fn note(&self, claimed: &Claimed, failed: bool, now: Timestamp) -> StoreResult<()> {
        if failed && claimed.destination.quarantine.is_some() {
            return Ok(());
        }
        let tripped = self.with_condition(|condition| condition.failures.note(claimed.destination.id, failed, now));
        match tripped {
            Some(tripped) => self.pause_for_mass_failure(tripped).await,
            None => Ok(()),
        }
    }

    /// It is the platform: whoever seemed to be gone is restored, and nothing is sent for a while (4.3).
    async fn pause_for_mass_failure(&self, tripped: Tripped) -> StoreResult<()> {
        self.with_condition(|condition| {
            condition.paused_until = condition.paused_until.max(tripped.until);
            condition.doubted_until = tripped.until;
        });
        for destination in &tripped.failed {
            self.parts.store.restore(*destination).await?;
        }
        let failed = u32::try_from(tripped.failed.len()).unwrap_or(u32::MAX);
        let tried = u32::try_from(tripped.tried).unwrap_or(u32::MAX);
        self.parts.operators.tell(NoticePhrase::PlatformPaused { platform: self.platform, failed, tried, until: tripped.until }).await;
        Ok(())
    }
}
