//! Every call to a source goes through here: into the ledger first, within month and minute, its end counted (`rules.md` 1.4).

use crate::{
    clock::SharedClock,
    domain::{SourceId, Timestamp},
    sources::{Call, Page, Source, SourceError},
    store::{CallLimits, CallPermit, Store, StoreResult},
    telemetry::Metrics,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{Duration, Instant},
};

/// How long everything rests after a 429 that does not say how long.
const REST: Duration = Duration::from_secs(60);
/// A successor, or whoever is started anew with another key or plan, waits no longer.
const LONGEST_SHARED_REST: Duration = Duration::from_secs(3600);

/// Makes calls for polls, look-ups and `check`. Cheap to clone; all clones rest together when the API asks to slow down, and so does every process on
/// the same database.
#[derive(Clone)]
pub struct Caller {
    source: Arc<dyn Source>,
    store: Store,
    clock: SharedClock,
    metrics: Arc<Metrics>,
    limits: CallLimits,
    rest_until: Arc<AtomicI64>,
}

/// What a call is for, as the ledger notes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A poll of a feed, retries included.
    Poll,
    /// Ranks or the full list.
    Directory,
    /// Someone's look-up.
    Lookup,
    /// What somebody wants to know of a token besides its calls.
    Insight,
    /// `bellwether check`.
    Check,
}

/// How a call ended, or why it was not made.
#[derive(Clone, Debug)]
pub enum CallEnd {
    /// With an answer.
    Came(Page),
    /// Without one.
    Failed(SourceError),
    /// Not made: the minute's calls are used up, or the API asked to slow down.
    NotBefore(Timestamp),
    /// Not made: the month's calls are used up.
    MonthUsedUp,
}

impl Purpose {
    /// The word in the ledger.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Poll => "poll",
            Self::Directory => "directory",
            Self::Lookup => "lookup",
            Self::Insight => "insight",
            Self::Check => "check",
        }
    }
}

impl Caller {
    /// Makes calls to `source` within `limits`.
    pub fn new(source: Arc<dyn Source>, store: Store, clock: SharedClock, metrics: Arc<Metrics>, limits: CallLimits) -> Self {
        Self { source, store, clock, metrics, limits, rest_until: Arc::new(AtomicI64::new(i64::MIN)) }
    }

    /// The same, with its ledger in this store.
    #[must_use]
    pub fn writing_to(&self, store: Store) -> Self {
        Self { store, ..self.clone() }
    }

    /// Which source is asked.
    pub fn source(&self) -> &Arc<dyn Source> {
        &self.source
    }

    /// The source's name in the database.
    pub fn source_id(&self) -> SourceId {
        self.source.id()
    }

    /// The limits that are kept.
    pub fn limits(&self) -> CallLimits {
        self.limits
    }

    /// How many calls were made this month.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn used(&self) -> StoreResult<u32> {
        let month = self.clock.now().day().month_start().start();
        let used = self.store.calls_since(self.source_id(), month).await?;
        self.metrics.calls_left((self.limits.per_month > 0).then(|| self.limits.per_month.saturating_sub(used)));
        Ok(used)
    }

    /// How many of them people caused.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn used_by_people(&self) -> StoreResult<u32> {
        let month = self.clock.now().day().month_start().start();
        self.store.calls_for(self.source_id(), [Purpose::Lookup, Purpose::Insight].map(Purpose::as_str), month).await
    }

    /// Until when everything rests, where the API asked for that and it is not over, as far as this process knows.
    pub fn rest_until(&self, now: Timestamp) -> Option<Timestamp> {
        Some(Timestamp::from_millis(self.rest_until.load(Ordering::Relaxed))).filter(|at| *at > now)
    }

    fn rest(&self, until: Timestamp) {
        self.rest_until.store(until.as_millis(), Ordering::Relaxed);
    }

    /// Learns until when everything rests from what a predecessor or another process was asked.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn recall_rest(&self) -> StoreResult<()> {
        if let Some(until) = self.store.rests_until(self.source_id(), self.clock.now()).await? {
            self.rest(until);
        }
        Ok(())
    }

    /// Makes the call, if it may be made now, and once more where its key gave way to another. Waits for nothing but the answers.
    ///
    /// # Errors
    /// Where the database fails before the call: it was not made.
    pub async fn call(&self, call: &Call, purpose: Purpose) -> StoreResult<CallEnd> {
        match self.call_once(call, purpose).await? {
            CallEnd::Failed(SourceError::KeyReplaced { .. }) => self.call_once(call, purpose).await,
            end => Ok(end),
        }
    }

    async fn call_once(&self, call: &Call, purpose: Purpose) -> StoreResult<CallEnd> {
        if let Some(rest_until) = self.rest_until(self.clock.now()) {
            return Ok(CallEnd::NotBefore(rest_until));
        }
        let time = || self.clock.now();
        let permit = self.store.permit_call(self.source_id(), call.endpoint, purpose.as_str(), self.limits, time).await?;
        let id = match permit {
            CallPermit::Granted(id) => id,
            CallPermit::NotBefore(at) => return Ok(CallEnd::NotBefore(at)),
            CallPermit::Rests(until) => {
                self.rest(until);
                return Ok(CallEnd::NotBefore(until));
            }
            CallPermit::MonthUsedUp => return Ok(CallEnd::MonthUsedUp),
        };
        let begun = Instant::now();
        let end = self.source.call(call).await;
        let status = end.as_ref().map_or_else(SourceError::status, |page| Some(page.status()));
        self.metrics.source_call(call.endpoint, status, begun.elapsed());
        // The answer is worth more than the note of its status.
        if let Err(error) = self.store.settle_call(id, status).await {
            tracing::error!(%error, call = id, "the status of a call could not be noted");
        }
        Ok(match end {
            Ok(page) => {
                let request_id = page.request_id.as_deref().unwrap_or("none");
                tracing::debug!(call = id, endpoint = call.endpoint, rows = page.rows, request_id, "the source answered");
                CallEnd::Came(page)
            }
            Err(error) => {
                let (endpoint, purpose, trouble) = (call.endpoint, purpose.as_str(), error.trouble());
                tracing::warn!(call = id, endpoint, purpose, %trouble, %error, fix = trouble.fix(), "a call to the source failed");
                if let SourceError::RateLimited { after } = &error {
                    let until = self.clock.now() + after.unwrap_or(REST);
                    self.rest(until);
                    let shared = until.min(self.clock.now() + LONGEST_SHARED_REST);
                    if let Err(error) = self.store.rest(self.source_id(), shared).await {
                        tracing::error!(%error, %until, "that the API asks to wait could not be noted for other processes");
                    }
                }
                CallEnd::Failed(error)
            }
        })
    }
}
