//! What runs until the stop, and which of it ended first.

use std::collections::HashMap;
use tokio::task::{self, JoinSet};

/// The parts that run, each under its name, whether it ends or panics.
#[derive(Default)]
pub(super) struct Tasks {
    running: JoinSet<()>,
    names: HashMap<task::Id, &'static str>,
}

impl Tasks {
    pub(super) fn spawn(&mut self, name: &'static str, part: impl Future<Output = ()> + Send + 'static) {
        let handle = self.running.spawn(part);
        self.names.insert(handle.id(), name);
    }

    /// The name of the next part that ends; none where all have.
    pub(super) async fn next_ended(&mut self) -> Option<&'static str> {
        let id = match self.running.join_next_with_id().await? {
            Ok((id, ())) => id,
            Err(error) => error.id(),
        };
        Some(self.names.remove(&id).unwrap_or("unknown"))
    }
}
