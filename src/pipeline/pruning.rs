//! Keeping the database from growing for ever: what is older than it is kept goes, once a day, in steps that nothing waits for.

use crate::{
    domain::{Retention, Timestamp},
    store::{Shelf, Store, StoreResult},
};
use std::time::Duration;

/// Between the beginnings of two rounds.
const EVERY: Duration = Duration::from_secs(24 * 3600);
/// Steps at a time.
const STEPS: usize = 50;

fn kept(retention: Retention, shelf: Shelf) -> Duration {
    match shelf {
        Shelf::Messages | Shelf::Alerts => retention.messages,
        Shelf::OutOfReach | Shelf::Changes | Shelf::Polls | Shelf::Observations | Shelf::Audit => retention.history,
    }
}

/// One round after the other. Begins anew with the process: what was removed is not there any more.
#[derive(Debug, Default)]
pub struct Pruning {
    began_at: Option<Timestamp>,
    /// What is still to be gone through in this round.
    left: &'static [Shelf],
    after: i64,
}

impl Pruning {
    /// Goes on a little.
    ///
    /// # Errors
    /// Where the database fails: the next time goes on where this one stopped.
    pub async fn go_on(&mut self, store: &Store, retention: Retention, now: Timestamp) -> StoreResult<()> {
        // A beginning to come means that the clock was stepped back.
        if self.left.is_empty() && self.began_at.is_none_or(|at| now >= at + EVERY || now < at) {
            *self = Self { began_at: Some(now), left: Shelf::ALL, after: 0 };
        }
        for _ in 0..STEPS {
            let Some((shelf, rest)) = self.left.split_first() else { break };
            match store.prune(*shelf, self.after, now - kept(retention, *shelf)).await? {
                Some(last) => self.after = last,
                None => (self.left, self.after) = (rest, 0),
            }
        }
        Ok(())
    }
}
