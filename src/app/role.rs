//! Who does what only one process at a time may do. With SQLite that is the one process there is. With PostgreSQL every process serves commands, and each
//! role goes to one of them by a lease: another takes over 12 s after its holder was last heard of, or at once after a clean stop.

use crate::{
    chat::telegram::Updates,
    clock::SharedClock,
    domain::Timestamp,
    pipeline::{deliver::Deliverer, flow::Flow, housekeeping::Housekeeping, poll::Poller},
    store::{Role, Store, StoreError, StoreResult, Term},
};
use std::{sync::Arc, time::Duration};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

/// With a look every second another has taken over within 15 s (`rules.md` 4.5).
pub(super) const LEASE: Duration = Duration::from_secs(12);
pub(super) const RENEW: Duration = Duration::from_secs(4);
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(1);
const _: () = assert!(LEASE.as_secs() + LOOK_AGAIN.as_secs() < 15);
/// The longest that a word about leases takes: it waits for transactions of whoever was paused, which PostgreSQL ends after ten seconds. A host that
/// died in its middle never answers.
const ANSWERS_WITHIN: Duration = Duration::from_secs(15);
/// Work that goes on for so long after its term, while the database answers, waits for what never comes.
const ENDS_WITHIN: Duration = Duration::from_secs(60);
/// Whoever was not heard of for so long is forgotten.
pub(super) const FORGOTTEN: Duration = Duration::from_secs(3600);

/// What only one process at a time may do.
pub(super) trait Part: Send + 'static {
    /// Works for one term: until told to stop, or until it notices that the term is over. Where it matters that nobody else does the same, it writes
    /// through `store`, which refuses once another process has taken over.
    fn work(&mut self, store: Store, stop: CancellationToken) -> impl Future<Output = ()> + Send;
}

impl Part for Poller {
    async fn work(&mut self, store: Store, stop: CancellationToken) {
        self.run(store, stop).await;
    }
}

impl Part for Flow {
    async fn work(&mut self, store: Store, stop: CancellationToken) {
        Self { store, ..self.clone() }.run(stop).await;
    }
}

impl Part for Housekeeping {
    async fn work(&mut self, store: Store, stop: CancellationToken) {
        Self { operators: self.operators.writing_to(store.clone()), store, ..self.clone() }.run(stop).await;
    }
}

impl Part for Deliverer {
    async fn work(&mut self, store: Store, stop: CancellationToken) {
        self.run(store, stop).await;
    }
}

/// What it stores is stored once, whoever stores it; but two that ask Telegram at the same time refuse each other.
impl Part for Updates {
    async fn work(&mut self, store: Store, stop: CancellationToken) {
        let store = &store;
        self.run(stop, move || async move { Ok(store.is_current().await?) }).await;
    }
}

/// This process, as one that may hold roles. Cheap to clone.
#[derive(Clone)]
pub(super) struct Replica {
    store: Store,
    /// The same database by connections of its own: a lease is renewed however busy the others are.
    pub(super) leases: Store,
    pub(super) clock: SharedClock,
    pub(super) holder: Arc<str>,
}

impl Replica {
    pub(super) fn new(store: Store, leases: Store, clock: SharedClock) -> Self {
        Self { store, leases, clock, holder: super::holder().into() }
    }

    /// Whether no other process can serve the same database.
    pub(super) fn is_alone(&self) -> bool {
        self.store.is_sqlite()
    }

    /// Says that this process serves, so that nobody imports meanwhile. Waits for an import that is under way.
    pub(super) async fn announce(&self) -> StoreResult<()> {
        if self.is_alone() {
            return Ok(());
        }
        self.leases.announce(&self.holder, self.clock.now() + LEASE).await
    }

    /// Goes on saying so until told to stop, and then that it is over.
    pub(super) async fn stay_announced(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            tokio::select! { () = stop.cancelled() => {}, () = sleep(RENEW) => {} }
            let said = if stop.is_cancelled() {
                in_time(self.leases.leave(&self.holder, self.clock.now() - FORGOTTEN)).await
            } else {
                in_time(self.announce()).await
            };
            if let Err(error) = said {
                tracing::warn!(%error, "the database was not told whether this process serves it");
            }
        }
    }

    /// Does a part's work whenever this process holds its role, until told to stop; or until the work does not end with its term, and the part is as good
    /// as dead.
    pub(super) async fn hold(self, role: Role, mut part: impl Part, stop: CancellationToken) {
        if self.is_alone() {
            return part.work(self.store.clone(), stop).await;
        }
        while let Some((term, until)) = self.take(role, &stop).await {
            tracing::info!(role = %role.name(), "this process has taken over a role");
            let (over, ended) = (stop.child_token(), CancellationToken::new());
            let work = async {
                let end = end_of(part.work(self.store.under(term.clone()), over.clone()), &over, || self.is_answered(&stop)).await;
                ended.cancel();
                end
            };
            let (end, ()) = tokio::join!(work, self.keep(&term, until, &over, &ended));
            if matches!(end, End::Never) {
                return tracing::error!(role = %role.name(), "a part waits for an answer of the database that never comes: this process has to begin anew");
            }
            // Where it is neither over nor taken, the part has died.
            if !over.is_cancelled() && in_time(self.store.under(term.clone()).is_current()).await.unwrap_or(false) {
                return;
            }
            self.give_back(&term).await;
        }
    }

    /// Whether the database takes what is written to it: where it only answers, ends that are to be stored still wait.
    async fn is_answered(&self, stop: &CancellationToken) -> bool {
        !stop.is_cancelled() && in_time(self.announce()).await.is_ok()
    }

    pub(super) async fn give_back(&self, term: &Term) {
        if let Err(error) = in_time(self.leases.give_lease_back(term)).await {
            tracing::warn!(role = %term.role().name(), %error, "a role could not be given back; a successor waits until its lease has run out");
        }
    }

    /// Waits until the role is free, and takes it; nothing when told to stop.
    async fn take(&self, role: Role, stop: &CancellationToken) -> Option<(Term, Timestamp)> {
        let mut failing = false;
        while !stop.is_cancelled() {
            let now = self.clock.now();
            match in_time(self.leases.take_lease(role, &self.holder, now, now + LEASE)).await {
                Ok(Some(term)) => return Some((term, now + LEASE)),
                Ok(None) => failing = false,
                Err(error) if !std::mem::replace(&mut failing, true) => {
                    tracing::error!(role = %role.name(), %error, "a role cannot be taken while the database fails; trying again");
                }
                Err(_) => {}
            }
            tokio::select! { () = stop.cancelled() => {}, () = sleep(LOOK_AGAIN) => {} }
        }
        None
    }

    /// Renews the lease until the work has ended. Tells it to end (`over`) once another process has the role, or might have it.
    pub(super) async fn keep(&self, term: &Term, mut until: Timestamp, over: &CancellationToken, ended: &CancellationToken) {
        loop {
            let pause = RENEW.min(until.since(self.clock.now())).max(LOOK_AGAIN);
            tokio::select! { () = ended.cancelled() => return, () = sleep(pause) => {} }
            let now = self.clock.now();
            let end = match timeout(RENEW / 2, self.leases.keep_lease(term, now + LEASE)).await {
                Ok(Ok(true)) => {
                    until = now + LEASE;
                    continue;
                }
                Ok(Ok(false)) => "another process has taken over this role",
                Ok(Err(_)) | Err(_) if self.clock.now() < until => continue,
                Ok(Err(_)) | Err(_) => "the lease of this role could not be renewed in time; whoever reaches the database takes over",
            };
            if !over.is_cancelled() {
                tracing::warn!(role = %term.role().name(), why = end, "this process gives up a role");
                over.cancel();
            }
        }
    }
}

/// How a part's work came to its end.
#[derive(Debug, PartialEq, Eq)]
enum End {
    ByItself,
    /// It did not, long after its term was over.
    Never,
}

/// Waits for the end of a part's work. While the database does not answer it may well wait for that: what is to be stored is not given up.
async fn end_of<A: Future<Output = bool>>(work: impl Future<Output = ()>, over: &CancellationToken, is_answered: impl Fn() -> A) -> End {
    let stands_still = async {
        over.cancelled().await;
        let mut answered_for = Duration::ZERO;
        while answered_for < ENDS_WITHIN {
            sleep(LOOK_AGAIN).await;
            answered_for = if is_answered().await { answered_for + LOOK_AGAIN } else { Duration::ZERO };
        }
    };
    tokio::select! {
        () = work => End::ByItself,
        () = stands_still => End::Never,
    }
}

/// A database that says nothing for so long fails.
pub(super) async fn in_time<T>(word: impl Future<Output = StoreResult<T>>) -> StoreResult<T> {
    timeout(ANSWERS_WITHIN, word).await.unwrap_or(Err(StoreError::Silent))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicBool, Ordering};
    use tokio::time::Instant;

    #[tokio::test(start_paused = true)]
    async fn work_that_does_not_end_with_its_term_is_given_up_once_the_database_answers() {
        let (over, answers, began) = (CancellationToken::new(), AtomicBool::new(false), Instant::now());
        let hour = Duration::from_secs(3_600);
        let (end, ()) = tokio::join!(end_of(std::future::pending(), &over, || async { answers.load(Ordering::Relaxed) }), async {
            sleep(hour).await;
            over.cancel();
            sleep(hour).await;
            answers.store(true, Ordering::Relaxed);
        });
        assert_eq!(end, End::Never);
        assert!(began.elapsed() >= 2 * hour + ENDS_WITHIN - LOOK_AGAIN, "neither in its term nor while the database is away");
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_ends_after_its_term_ends_by_itself() {
        let over = CancellationToken::new();
        over.cancel();
        assert_eq!(end_of(sleep(ENDS_WITHIN / 2), &over, || async { true }).await, End::ByItself);
    }

    #[tokio::test(start_paused = true)]
    async fn a_database_that_never_answers_fails() {
        let word = in_time(std::future::pending::<StoreResult<()>>()).await;
        assert!(matches!(word, Err(StoreError::Silent)));
    }
}
