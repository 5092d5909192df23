//! One attempt, from the request to the settlement, and what each kind of end leads to.

use super::{LEASE, LONGEST_SLEEP, Shared, Wait, illustrate::pictured};
use crate::{
    chat::{EditError, End, Outgoing, Receipt, Scope, SendError},
    domain::{Address, Follows, FollowsHow, Lane, MessageBody, Reason, Timestamp, wording::NoticePhrase},
    engine::{
        breaker::Tripped,
        horizon::{Lapse, lapse},
        quiet::stays_back,
        retry::{Attempted, LONGEST_ASKED, Next, next, probe_after, too_uncertain},
    },
    store::{Claimed, Settlement, Store, StoreResult},
    telemetry::Stage,
};
use std::{
    sync::PoisonError,
    time::{Duration, Instant},
};

/// Longer than any single request (8 s) and over before the lease is, also where one attempt takes several requests.
const LONGEST_ATTEMPT: Duration = LEASE.checked_sub(Duration::from_secs(2)).expect("a lease is longer than two seconds");
/// Less is left of an attempt where the process was paused, or the database slow: it is not begun.
const LEAST_TIME: Duration = Duration::from_secs(1);
/// Between two tries to settle; doubled up to [`LONGEST_SLEEP`].
const SETTLE_AGAIN: Duration = Duration::from_millis(50);
/// How often a settlement is tried: for about ten minutes.
const MOST_SETTLEMENTS: u32 = 600;

/// What becomes of a claim.
#[derive(Clone, Copy)]
enum Ending<'a> {
    /// It was tried.
    Settled(&'a Settlement),
    /// Our own pace says to wait.
    Postponed { until: Timestamp, rest: bool },
    /// There is no place for it now.
    Released,
}

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
    pub(super) async fn attempt(&self, claimed: Claimed, claims: &Store) -> StoreResult<()> {
        let now = self.parts.clock.now();
        if let Some(why) = too_uncertain(self.platform, uncertain(&claimed), now) {
            return self.dead(&claimed, false, why.to_owned(), now).await;
        }
        // What may have arrived already is tried again at once, while the platform still knows it for the same message (`rules.md` 4.2).
        if uncertain(&claimed).is_empty()
            && let Some(until) = stays_back(&claimed.destination.settings, claimed.lane, claimed.body.calls(), now)
        {
            let at = until.min(now + LONGEST_ASKED);
            let (problem, reason) = ("quiet hours have begun".to_owned(), Reason::QuietHours);
            return self.settle(&claimed, &Settlement::Recalled { at, problem, reason }, now).await;
        }
        match lapsed(&claimed, now) {
            None => {}
            Some(Lapse::ToldTogether) => {
                return self.told_together(&claimed, now + LONGEST_SLEEP, "it waited for too long".to_owned(), now).await;
            }
            Some(Lapse::GivenUp(why)) => return self.dead(&claimed, false, why.to_owned(), now).await,
        }
        let mut outgoing = Outgoing {
            id: claimed.id,
            to: claimed.destination.address.clone(),
            route: claimed.destination.route.clone(),
            body: claimed.body.clone(),
            mention: claimed.mention.clone(),
            replies_to: claimed.follows.as_ref().map(|follows| follows.platform_id.clone()),
            is_reply: claimed.lane == Lane::Reply,
            illustration: None,
            provenance: None,
            is_first: claimed.attempts <= 1,
            clock: claimed.destination.settings.timezone,
        };
        let (began, generation) = (Instant::now(), self.with_condition(super::Condition::generation));
        outgoing.provenance = self.provenance(&claimed, now).await;
        let illustrated = match pictured(&claimed) {
            None => None,
            Some(call) => {
                let illustrated = self.illustrate(&claimed, call).await;
                if !self.admits() {
                    return self.store_end(&claimed, Ending::Released, self.parts.clock.now()).await;
                }
                illustrated
            }
        };
        // A process that was paused since it claimed this sends nothing that another one, or itself, may be sending by now.
        let is_current = tokio::time::timeout(LONGEST_ATTEMPT, claims.is_current()).await;
        if !matches!(is_current, Ok(Ok(true))) || began.elapsed() + LEAST_TIME > LONGEST_ATTEMPT {
            return self.store_end(&claimed, Ending::Released, self.parts.clock.now()).await;
        }
        outgoing.illustration = illustrated.as_ref().map(|illustrated| illustrated.illustration.clone());
        let attempt = async {
            match edited(&claimed) {
                Some(platform_id) => self.messenger.edit(&outgoing, platform_id).await,
                None => self.messenger.send(&outgoing).await.map_err(EditError::from),
            }
        };
        let result = tokio::time::timeout(LONGEST_ATTEMPT.saturating_sub(began.elapsed()), attempt).await.unwrap_or_else(|_| {
            let why = "there was no answer in time".to_owned();
            Err(SendError::Retry { after: None, scope: Scope::Destination, end: End::Unknown, why }.into())
        });
        let (started, now) = (now, self.parts.clock.now());
        self.listen(&result, started, now);
        match result {
            Ok(receipt) => {
                let shown = illustrated.and_then(|illustrated| illustrated.shown(self, &receipt));
                let settled = self.sent(&claimed, receipt, now).await;
                // Only now: whatever the database does, what was delivered must not seem undelivered.
                if let Some(shown) = shown {
                    shown.remember(self, now).await;
                }
                settled
            }
            Err(EditError::Refused { why }) => self.reply_instead(&claimed, why, now).await,
            Err(EditError::Failed(SendError::Retry { after, scope, end: End::NotTried, why })) => {
                tracing::debug!(platform = %self.platform, message_id = claimed.id.0, why, "a message waits for its turn");
                let until = now + after.unwrap_or(LONGEST_SLEEP).min(LONGEST_ASKED);
                self.store_end(&claimed, Ending::Postponed { until, rest: scope != Scope::Message }, now).await
            }
            Err(EditError::Failed(error)) => self.failed(&claimed, error, generation, now).await,
        }
    }

    /// The same words go as a reply, once this is committed: the edit was refused, so that there are never both.
    async fn reply_instead(&self, claimed: &Claimed, problem: String, now: Timestamp) -> StoreResult<()> {
        tracing::info!(platform = %self.platform, message_id = claimed.id.0, destination = %claimed.destination.address, problem, "a message cannot be edited; its correction is a reply");
        self.parts.metrics.delivery(self.platform, "not_edited");
        self.settle(claimed, &Settlement::ReplyInstead { problem }, now).await?;
        self.parts.wake.notify_one();
        Ok(())
    }

    async fn sent(&self, claimed: &Claimed, receipt: Receipt, now: Timestamp) -> StoreResult<()> {
        self.parts.metrics.delivery(self.platform, "sent");
        self.parts.metrics.latency(Stage::Send, now.since(claimed.created_at));
        if let MessageBody::Alert { call, .. } = &claimed.body {
            self.parts.metrics.latency(Stage::Total, now.since(call.seen_at));
        }
        let Receipt { platform_id, rest_until, route, .. } = receipt;
        self.settle(claimed, &Settlement::Sent { platform_id, rest_until, route }, now).await?;
        self.note(claimed, false, now).await?;
        self.takes_messages().await;
        // The next message of the same chat may be waiting for this one.
        self.parts.wake.notify_one();
        Ok(())
    }

    async fn failed(&self, claimed: &Claimed, error: SendError, generation: u64, now: Timestamp) -> StoreResult<()> {
        let problem = error.to_string();
        tracing::warn!(platform = %self.platform, message_id = claimed.id.0, destination = %claimed.destination.address, problem, "a message was not taken");
        match error {
            SendError::Retry { after, scope, end, .. } => self.retry(claimed, after, scope, end, problem, now).await,
            SendError::Moved(to) => self.moved(claimed, &to, problem, now).await,
            SendError::Gone { reason, .. } => {
                self.parts.metrics.delivery(self.platform, "gone");
                if let Some(doubted_until) = self.with_condition(|condition| condition.doubted.end(now)) {
                    let settlement = Settlement::Retry { at: doubted_until, unknown: false, rest: false, problem };
                    return self.settle(claimed, &settlement, now).await;
                }
                let probes = claimed.destination.quarantine.as_ref().map_or(0, |quarantine| quarantine.probes);
                let settlement = Settlement::Gone { reason, next_probe_at: now + probe_after(probes), problem };
                self.settle(claimed, &settlement, now).await?;
                self.note(claimed, true, now).await
            }
            SendError::Rejected { .. } => self.dead(claimed, false, problem, now).await,
            SendError::Unauthorized { why } => {
                self.parts.metrics.delivery(self.platform, "unauthorized");
                let settlement = Settlement::Retry { at: now, unknown: false, rest: false, problem };
                self.settle(claimed, &settlement, now).await?;
                self.stop(why, generation, now).await;
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
            let until = now + after.unwrap_or(LONGEST_SLEEP).min(LONGEST_ASKED);
            self.with_condition(|condition| condition.paused.lengthen(until, now));
        }
        match self.next(claimed, after, unknown, now) {
            Next::At(at) => {
                let rest = after.is_some() && scope == Scope::Destination;
                self.settle(claimed, &Settlement::Retry { at, unknown, rest, problem }, now).await
            }
            Next::Stale(at) => self.told_together(claimed, at, problem, now).await,
            Next::GiveUp(why) => self.dead(claimed, unknown, format!("{why} ({problem})"), now).await,
        }
    }

    fn next(&self, claimed: &Claimed, after: Option<Duration>, unknown: bool, now: Timestamp) -> Next {
        // An edit is the same however often it arrives.
        let is_copy = unknown && edited(claimed).is_none();
        let uncertain: Vec<Timestamp> = uncertain(claimed).iter().copied().chain(is_copy.then_some(now)).collect();
        let lapse = lapse_of(claimed, claimed.may_go_back && !unknown, now);
        let attempted = Attempted { attempts: claimed.attempts, uncertain: &uncertain, lapse, after };
        next(self.platform, attempted, fastrand::f64(), now)
    }

    /// The address is rewritten and the message goes there at once; a chat that keeps moving is followed at the pace of retries.
    async fn moved(&self, claimed: &Claimed, to: &Address, problem: String, now: Timestamp) -> StoreResult<()> {
        self.parts.metrics.delivery(self.platform, "moved");
        let at = match self.next(claimed, None, false, now) {
            _ if claimed.attempts <= 1 => now,
            Next::At(at) | Next::Stale(at) => at,
            Next::GiveUp(why) => return self.dead(claimed, false, format!("{why} ({problem})"), now).await,
        };
        self.settle(claimed, &Settlement::Retry { at, unknown: false, rest: false, problem }, now).await?;
        self.parts.store.move_destination(&claimed.destination.address, to, now).await?;
        tracing::info!(from = %claimed.destination.address, %to, "a chat moved");
        self.parts.wake.notify_one();
        Ok(())
    }

    /// It is news no longer: its alerts are told in a summary, or in the next digest, with what came since.
    async fn told_together(&self, claimed: &Claimed, at: Timestamp, problem: String, now: Timestamp) -> StoreResult<()> {
        self.parts.metrics.delivery(self.platform, "stale");
        self.settle(claimed, &Settlement::Recalled { at, problem, reason: Reason::Stale }, now).await
    }

    /// Operators are told by the hour, see `housekeeping`.
    async fn dead(&self, claimed: &Claimed, unknown: bool, problem: String, now: Timestamp) -> StoreResult<()> {
        self.parts.metrics.delivery(self.platform, "dead");
        let settlement = Settlement::Dead { unknown, problem };
        self.settle(claimed, &settlement, now).await?;
        tracing::warn!(platform = %self.platform, message_id = claimed.id.0, destination = %claimed.destination.address, "a message is given up; it is a dead letter (bellwether outbox list)");
        Ok(())
    }

    async fn settle(&self, claimed: &Claimed, settlement: &Settlement, now: Timestamp) -> StoreResult<()> {
        self.store_end(claimed, Ending::Settled(settlement), now).await
    }

    /// Gives claims back that were not tried; each of them, whatever becomes of the others.
    pub(super) async fn release(&self, claims: Vec<Claimed>) -> StoreResult<()> {
        let (now, mut released) = (self.parts.clock.now(), Ok(()));
        for claimed in &claims {
            released = self.store_end(claimed, Ending::Released, now).await.and(released);
        }
        released
    }

    /// Writes down what came of a claim, as often as the database needs: what was sent must not be forgotten, or it is sent again; what was not
    /// must not count as an attempt that nobody knows the end of.
    async fn store_end(&self, claimed: &Claimed, ending: Ending<'_>, now: Timestamp) -> StoreResult<()> {
        let Err(error) = self.store_end_once(claimed, ending, now).await else { return Ok(()) };
        if !error.may_pass() {
            return Err(error);
        }
        let is_first = self.with_condition(|condition| {
            condition.unsettled += 1;
            condition.unsettled == 1
        });
        // One line for one failure, however many attempts it meets.
        if is_first {
            tracing::error!(platform = %self.platform, message_id = claimed.id.0, %error, "the end of an attempt could not be stored; nothing is claimed until it is");
        } else {
            tracing::debug!(platform = %self.platform, message_id = claimed.id.0, %error, "nor could the end of this attempt");
        }
        let stored = self.store_end_again(claimed, ending, now).await;
        let was_last = self.with_condition(|condition| {
            condition.unsettled -= 1;
            condition.unsettled == 0
        });
        if stored.is_ok() && was_last {
            tracing::info!(platform = %self.platform, message_id = claimed.id.0, "the ends of all attempts are stored now");
        }
        stored
    }

    async fn store_end_once(&self, claimed: &Claimed, ending: Ending<'_>, now: Timestamp) -> StoreResult<()> {
        let store = &self.parts.store;
        match ending {
            Ending::Settled(settlement) => store.settle(claimed, settlement, now).await.map(drop),
            Ending::Postponed { until, rest } => store.postpone(claimed, until, rest).await,
            Ending::Released => store.release_claim(claimed).await,
        }
    }

    async fn store_end_again(&self, claimed: &Claimed, ending: Ending<'_>, now: Timestamp) -> StoreResult<()> {
        let (mut pause, mut tries) = (SETTLE_AGAIN, 1);
        loop {
            tokio::time::sleep(pause).await;
            tries += 1;
            match self.store_end_once(claimed, ending, now).await {
                Ok(()) => return Ok(()),
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
        let (tripped, is_doubted, is_quiet) = self.with_condition(|condition| {
            let tripped = condition.failures.note(claimed.destination.id, failed, now);
            let is_quiet = tripped.is_none() && !failed && condition.quiet.is_some_and(|quiet| quiet.end(now).is_none());
            if is_quiet {
                condition.quiet = None;
            }
            (tripped, failed && condition.doubted.end(now).is_some(), is_quiet)
        });
        if is_quiet {
            self.parts.operators.clear(&self.paused_notice(), None).await;
        }
        match tripped {
            Some(tripped) => self.pause_for_mass_failure(tripped, now).await,
            // Others under way showed that it is the platform while this one was set aside.
            None if is_doubted => self.parts.store.restore(claimed.destination.id).await.map(drop),
            None => Ok(()),
        }
    }

    /// It is the platform: whoever seemed to be gone is restored, and nothing is sent for a while (4.3).
    async fn pause_for_mass_failure(&self, tripped: Tripped, now: Timestamp) -> StoreResult<()> {
        self.with_condition(|condition| {
            condition.paused.lengthen(tripped.until, now);
            condition.doubted.lengthen(tripped.until, now);
            // As long again without another is the end of it.
            condition.quiet = Some(Wait { since: now, until: tripped.until + tripped.until.since(now) });
        });
        for destination in &tripped.failed {
            self.parts.store.restore(*destination).await?;
        }
        let failed = u32::try_from(tripped.failed.len()).unwrap_or(u32::MAX);
        let tried = u32::try_from(tripped.tried).unwrap_or(u32::MAX);
        let notice = NoticePhrase::PlatformPaused { platform: self.platform, failed, tried, until: tripped.until };
        self.parts.operators.tell_once(&self.paused_notice(), notice).await;
        Ok(())
    }

    fn paused_notice(&self) -> String {
        format!("platform-paused:{}", self.platform)
    }
}

/// What becomes of a message that has waited until it is of no use.
pub(super) fn lapsed(claimed: &Claimed, now: Timestamp) -> Option<Lapse> {
    lapse_of(claimed, claimed.may_go_back, now)
}

fn lapse_of(claimed: &Claimed, may_go_back: bool, now: Timestamp) -> Option<Lapse> {
    lapse(&claimed.body, claimed.lane, &claimed.destination.settings, claimed.created_at, may_go_back, now)
}

/// The message that is to be edited, by its name on the platform.
fn edited(claimed: &Claimed) -> Option<&str> {
    match &claimed.follows {
        Some(Follows { platform_id, how: FollowsHow::Edits }) => Some(platform_id),
        _ => None,
    }
}

/// When attempts began after which there may be one message more; an edit leaves none behind.
fn uncertain(claimed: &Claimed) -> &[Timestamp] {
    if edited(claimed).is_some() { &[] } else { &claimed.uncertain }
}
