//! Discord's shards divided among the processes: each shard is a lease, whoever runs the fewest takes what is free, and whoever runs more than its share gives
//! one back. Sessions of one place begin one after the other, whoever begins them.

use super::role::{FORGOTTEN, LEASE, LOOK_AGAIN, RENEW, Replica, in_time};
use crate::{
    chat::discord::{Gateway, Seat, Seats, ShardId},
    store::{Role, RunningShard, RunningShards, StoreResult},
};
use async_trait::async_trait;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{Mutex, MutexGuard},
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

/// Shorter than a lease: whoever is gone does not count any more when its shards are free.
const MEMBER_FOR: Duration = Duration::from_secs(10);
/// What nobody with fewer shards takes in this time is taken by whoever may.
const FREE_FOR: Duration = Duration::from_secs(10);

/// How many shards this process runs, the fewest that any does, and how many nobody does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Division {
    mine: u32,
    fewest: u32,
    free: u32,
}

impl Division {
    fn of(running: &RunningShards, holder: &str, shards: u32) -> Self {
        let count = |holder: &str| running.shards.iter().filter(|shard| shard.holder == holder).count() as u32;
        let mine = count(holder);
        let fewest = running.members.iter().map(|member| count(member)).min().unwrap_or(mine);
        Self { mine, fewest, free: shards.saturating_sub(running.shards.len() as u32) }
    }

    /// Whether a free shard is this process's, of which nobody else has wanted to know for so long.
    fn takes(self, free_for: Duration) -> bool {
        self.mine <= self.fewest || free_for >= FREE_FOR
    }

    /// Whether one is to be given up. Not while another is free: sessions begin one after the other, and what waits for its turn hears nothing.
    fn has_too_many(self) -> bool {
        self.free == 0 && self.mine > self.fewest.saturating_add(1)
    }
}

/// What was last seen, and when others were told of this process.
#[derive(Default)]
struct Seen {
    running: Option<(RunningShards, Instant)>,
    announced: Option<Instant>,
    /// What this process gives up, until others may take it.
    leaving: Option<u32>,
    is_failing: bool,
}

/// This process's part of the shards.
#[derive(Clone)]
struct Shards {
    replica: Replica,
    seen: Arc<Mutex<Seen>>,
}

impl Replica {
    /// The Gateway with those shards that fall to this process: on SQLite all of them.
    pub(super) fn shards_of(&self, gateway: Gateway) -> Gateway {
        if self.is_alone() {
            return gateway;
        }
        gateway.with_seats(Arc::new(Shards { replica: self.clone(), seen: Arc::default() }))
    }
}

impl Shards {
    /// What is run by whom, as of a moment ago; nothing while the database fails. Says on the way that this process takes part.
    async fn look(&self) -> Option<(MutexGuard<'_, Seen>, RunningShards)> {
        let mut seen = self.seen.lock().await;
        let now = Instant::now();
        if let Some((running, at)) = &seen.running
            && now.duration_since(*at) < LOOK_AGAIN
        {
            let running = running.clone();
            return Some((seen, running));
        }
        let announces = seen.announced.is_none_or(|at| now.duration_since(at) >= RENEW);
        match self.ask(announces).await {
            Ok(running) => {
                seen.is_failing = false;
                seen.announced = seen.announced.filter(|_| !announces).or(Some(now));
                seen.running = Some((running.clone(), now));
                Some((seen, running))
            }
            Err(error) => {
                if !std::mem::replace(&mut seen.is_failing, true) {
                    tracing::warn!(%error, "how Discord's shards are divided cannot be read; trying again");
                }
                None
            }
        }
    }

    async fn ask(&self, announces: bool) -> StoreResult<RunningShards> {
        let Replica { leases, clock, holder, .. } = &self.replica;
        if announces {
            in_time(leases.join_shards(holder, clock.now() + MEMBER_FOR)).await?;
        }
        in_time(leases.shards(clock.now())).await
    }

    /// No shard is taken any more.
    async fn resign(&self) {
        let mut seen = self.seen.lock().await;
        if seen.announced.take().is_some() {
            let Replica { leases, clock, holder, .. } = &self.replica;
            if let Err(error) = in_time(leases.leave_shards(holder, clock.now() - FORGOTTEN)).await {
                tracing::warn!(%error, "the other processes were not told that this one runs no shards any more; they find out within 10 seconds");
            }
        }
    }

    /// A shard, if it is free.
    async fn try_take(&self, shard: ShardId, stop: &CancellationToken) -> Option<Seat> {
        let Replica { leases, clock, holder, .. } = &self.replica;
        let now = clock.now();
        let role = Role::Shard { index: shard.index, of: shard.of };
        let term = in_time(leases.take_lease(role, holder, now, now + LEASE)).await.ok()??;
        let over = stop.child_token();
        let (mine, ending) = (self.clone(), over.clone());
        Some(Seat::kept(over, |left| async move {
            tokio::join!(mine.replica.keep(&term, now + LEASE, &ending, &left), mine.stay_fair(shard, &ending, &left));
            mine.replica.give_back(&term).await;
            let mut seen = mine.seen.lock().await;
            seen.running = None;
            seen.leaving = seen.leaving.filter(|leaving| *leaving != shard.index);
        }))
    }

    /// Ends a seat that is one too many.
    async fn stay_fair(&self, shard: ShardId, over: &CancellationToken, left: &CancellationToken) {
        while !over.is_cancelled() {
            tokio::select! { () = left.cancelled() => return, () = over.cancelled() => return, () = sleep(RENEW) => {} }
            let Some((mut seen, running)) = self.look().await else { continue };
            if seen.leaving.is_none() && Division::of(&running, &self.replica.holder, shard.of).has_too_many() {
                // One at a time: the next one waits until others may take this, and then until one has.
                seen.leaving = Some(shard.index);
                tracing::info!(shard = shard.index, of = shard.of, "this process gives up a shard, which another one is to run");
                over.cancel();
            }
        }
    }
}

#[async_trait]
impl Seats for Shards {
    async fn shards(&self, recommended: u32) -> u32 {
        loop {
            match self.ask(false).await {
                Ok(running) => return running.shards.first().map_or(recommended, |shard| shard.of),
                Err(error) => tracing::warn!(%error, "whether other processes run shards cannot be read; trying again"),
            }
            sleep(RENEW).await;
        }
    }

    async fn take(&self, shard: ShardId, stop: &CancellationToken) -> Option<Seat> {
        let mut free_since = Instant::now();
        while !stop.is_cancelled() {
            if let Some((mut seen, mut running)) = self.look().await {
                if running.shards.iter().any(|run| run.index == shard.index) {
                    free_since = Instant::now();
                } else if Division::of(&running, &self.replica.holder, shard.of).takes(free_since.elapsed())
                    && let Some(seat) = self.try_take(shard, stop).await
                {
                    tracing::info!(shard = shard.index, of = shard.of, "this process has taken over a shard");
                    running.shards.push(RunningShard { index: shard.index, of: shard.of, holder: self.replica.holder.to_string() });
                    seen.running = Some((running, Instant::now()));
                    return Some(seat);
                }
            }
            tokio::select! { () = stop.cancelled() => {}, () = sleep(LOOK_AGAIN) => {} }
        }
        self.resign().await;
        None
    }

    async fn reserve(&self, place: u32, lasts: Duration) -> bool {
        let Replica { leases, holder, .. } = &self.replica;
        // Where the database fails nobody begins: nobody could carry out a command either.
        in_time(leases.reserve(Role::Start(place), holder, lasts)).await.unwrap_or(false)
    }

    fn are_shared(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn division(mine: u32, others: &[u32]) -> Division {
        with_free(mine, others, 0)
    }

    fn with_free(mine: u32, others: &[u32], free: u32) -> Division {
        let mut running = RunningShards::default();
        for (number, count) in [mine].iter().chain(others).enumerate() {
            let holder = number.to_string();
            running.shards.extend((0..*count).map(|index| RunningShard { index, of: 16, holder: holder.clone() }));
            running.members.push(holder);
        }
        let shards = running.shards.len() as u32 + free;
        Division::of(&running, "0", shards)
    }

    #[test]
    fn whoever_runs_the_fewest_takes_what_is_free() {
        assert!(division(0, &[]).takes(Duration::ZERO) && division(7, &[]).takes(Duration::ZERO), "alone all of them");
        assert!(division(1, &[1, 2]).takes(Duration::ZERO));
        assert!(!division(2, &[1, 2]).takes(Duration::ZERO));
        assert!(division(2, &[1, 2]).takes(FREE_FOR), "unless nobody else does");
    }

    #[test]
    fn nobody_runs_two_more_than_another() {
        let many = |mine, others: &[u32]| division(mine, others).has_too_many();
        assert_eq!([many(4, &[]), many(4, &[0]), many(1, &[0, 3]), many(2, &[1, 1]), many(3, &[1])], [false, true, false, false, true]);
        assert!(!with_free(3, &[0], 1).has_too_many(), "the one that was given up is taken first");
    }

    #[test]
    fn shards_end_up_divided_evenly_whoever_comes_when() {
        for (shards, processes) in [(1, 3), (4, 3), (5, 2), (16, 5)] {
            let mut counts = vec![0_u32; processes];
            counts[0] = shards;
            for _ in 0..100 {
                let fewest = counts.iter().copied().min().unwrap();
                let giver = counts.iter().position(|mine| Division { mine: *mine, fewest, free: 0 }.has_too_many());
                let Some(giver) = giver else { break };
                counts[giver] -= 1;
                let fewest = counts.iter().copied().min().unwrap();
                let taker = counts.iter().position(|mine| Division { mine: *mine, fewest, free: 1 }.takes(Duration::ZERO)).unwrap();
                counts[taker] += 1;
            }
            assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1, "{counts:?}");
        }
    }
}
