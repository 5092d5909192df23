//! The time as an argument: production reads the system clock here and nowhere else, tests turn theirs by hand.

use crate::domain::Timestamp;
use futures_util::future::BoxFuture;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::watch;

/// Tells the time.
pub trait Clock: Send + Sync {
    /// Now, in UTC.
    fn now(&self) -> Timestamp;

    /// Waits so long, whatever becomes of the time of day.
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(time))
    }
}

/// A clock that several parts read.
pub type SharedClock = Arc<dyn Clock>;

/// The system's real-time clock, read afresh each time, so that a stepped clock takes effect at once (`rules.md` 6.7).
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the system clock is read")]
    fn now(&self) -> Timestamp {
        Timestamp::from(chrono::Utc::now())
    }
}

/// A clock that stands until it is moved: for tests and for the simulated days of `demo`. Who sleeps by it wakes when it has been moved that far.
#[derive(Debug)]
pub struct ManualClock {
    hand: watch::Sender<Timestamp>,
    sleepers: Sleepers,
}

/// When each of those who sleep will wake.
#[derive(Clone, Debug, Default)]
struct Sleepers(Arc<Mutex<Vec<Timestamp>>>);

impl Sleepers {
    fn lock(&self) -> MutexGuard<'_, Vec<Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One of them, until it wakes or is no more.
struct Sleeper {
    until: Timestamp,
    among: Sleepers,
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let mut all = self.among.lock();
        let own = all.iter().position(|until| *until == self.until);
        if let Some(own) = own {
            all.swap_remove(own);
        }
    }
}

impl ManualClock {
    /// A clock that shows `at`.
    pub fn new(at: Timestamp) -> Self {
        Self { hand: watch::Sender::new(at), sleepers: Sleepers::default() }
    }

    /// Moves it to `at`, forwards or back.
    pub fn set(&self, at: Timestamp) {
        self.hand.send_replace(at);
    }

    /// Moves it forwards.
    pub fn advance(&self, by: Duration) {
        self.set(self.now() + by);
    }

    /// When each of those who sleep by it will wake, in no order.
    pub fn sleepers(&self) -> Vec<Timestamp> {
        self.sleepers.lock().clone()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        *self.hand.borrow()
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        let until = self.now() + time;
        self.sleepers.lock().push(until);
        let (sleeper, mut hand) = (Sleeper { until, among: self.sleepers.clone() }, self.hand.subscribe());
        Box::pin(async move {
            // A clock that is no more wakes everybody.
            let _ = hand.wait_for(|now| *now >= until).await;
            drop(sleeper);
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[tokio::test]
    async fn who_sleeps_by_a_clock_that_is_moved_by_hand_wakes_when_it_has_come_so_far() {
        let clock = ManualClock::new(Timestamp::from_secs(100));
        let (mut long, short) = (clock.sleep(Duration::from_secs(9)), clock.sleep(Duration::from_secs(5)));
        assert_eq!(clock.sleepers(), [109, 105].map(Timestamp::from_secs));
        clock.advance(Duration::from_secs(5));
        short.await;
        assert_eq!((&mut long).now_or_never(), None);
        assert_eq!(clock.sleepers(), [Timestamp::from_secs(109)]);
        drop(long);
        assert!(clock.sleepers().is_empty());
    }
}
