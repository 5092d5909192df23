//! Which shards this process runs, and when it may begin sessions: where several processes divide them among themselves, somebody else says so.

use super::protocol::ShardId;
use async_trait::async_trait;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Whoever says which shards this process runs.
#[async_trait]
pub trait Seats: Send + Sync {
    /// How many shards there are: as many as run already somewhere, else as many as Discord recommends.
    async fn shards(&self, recommended: u32) -> u32;

    /// Waits until this process is to run the shard; nothing when told to stop.
    async fn take(&self, shard: ShardId, stop: &CancellationToken) -> Option<Seat>;

    /// Whether nobody else begins a session in this place for so long.
    async fn reserve(&self, place: u32, lasts: Duration) -> bool;

    /// Whether others may begin sessions as well.
    fn are_shared(&self) -> bool;
}

/// The right to run a shard.
pub struct Seat {
    over: CancellationToken,
    kept: Option<(DropGuard, JoinHandle<()>)>,
}

impl Seat {
    /// Until `over`; `keep` holds it until it is told that it is left, and then gives it back.
    #[expect(clippy::disallowed_methods, reason = "`leave` waits for it, and where it dies its lease runs out")]
    pub fn kept<K>(over: CancellationToken, keep: impl FnOnce(CancellationToken) -> K) -> Self
    where
        K: Future<Output = ()> + Send + 'static,
    {
        let left = CancellationToken::new();
        let keeper = tokio::spawn(keep(left.clone()));
        Self { over, kept: Some((left.drop_guard(), keeper)) }
    }

    /// Cancelled when another process is to run the shard.
    pub(super) const fn over(&self) -> &CancellationToken {
        &self.over
    }

    /// Gives it back.
    pub(super) async fn leave(self) {
        if let Some((left, keeper)) = self.kept {
            drop(left);
            // A keeper that died gives nothing back: the lease runs out.
            let _ = keeper.await;
        }
    }
}

/// One process runs all shards.
pub(super) struct Alone;

#[async_trait]
impl Seats for Alone {
    async fn shards(&self, recommended: u32) -> u32 {
        recommended
    }

    async fn take(&self, _shard: ShardId, stop: &CancellationToken) -> Option<Seat> {
        (!stop.is_cancelled()).then(|| Seat { over: stop.clone(), kept: None })
    }

    async fn reserve(&self, _place: u32, _lasts: Duration) -> bool {
        true
    }

    fn are_shared(&self) -> bool {
        false
    }
}
