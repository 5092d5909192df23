//! Attempts under way, each with the lease of what was claimed for it.

use super::LEASE;
use crate::{domain::Timestamp, store::StoreResult};
use std::collections::HashMap;
use tokio::task::{Id, JoinError, JoinSet};

/// What came of an attempt, or that it broke.
pub(super) type Ended = Result<StoreResult<()>, JoinError>;

/// What is under way.
#[derive(Default)]
pub(super) struct InFlight {
    tasks: JoinSet<StoreResult<()>>,
    leases: HashMap<Id, Timestamp>,
}

impl InFlight {
    /// Begins work on what was claimed until then.
    pub(super) fn begin(&mut self, lease_until: Timestamp, work: impl Future<Output = StoreResult<()>> + Send + 'static) {
        let task = self.tasks.spawn(work);
        self.leases.insert(task.id(), lease_until);
    }

    /// The next that ends; nothing where nothing is under way.
    pub(super) async fn next_ended(&mut self) -> Option<Ended> {
        let ended = self.tasks.join_next_with_id().await?;
        self.leases.remove(&ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id));
        Some(ended.map(|(_, end)| end))
    }

    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Whether a claim of now could take something that is under way for left behind, as after a step of the clock, or while a slow database lets the end
    /// of an attempt wait for longer than its lease.
    pub(super) fn seem_left_behind(&self, now: Timestamp) -> bool {
        // As `Store::claim` looks at a lease.
        self.leases.values().any(|until| *until <= now || *until > now + 2 * LEASE)
    }
}
