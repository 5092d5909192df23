//! Several processes take commands over Discord's Gateway: they divide the shards among them, no two sessions begin at once, and what one of them ran
//! the others run when it is gone.

use crate::support::{
    commands::rows,
    database::TestDb,
    fake_discord::interaction,
    process::{Fakes, Installation, Process, until},
};
use interaction::{PLAIN, in_server, slash};
use serde_json::json;
use std::collections::BTreeMap;

const SHARDS: u32 = 4;

struct Fleet {
    fakes: Fakes,
    db: TestDb,
    installation: Installation,
    processes: Vec<Process>,
    commands: u64,
}

impl Fleet {
    async fn start(db: TestDb) -> Self {
        let fakes = Fakes::start().await;
        fakes.discord.gateway.with(|state| {
            state.shards = SHARDS;
            state.guilds = (0..SHARDS).map(guild).collect();
        });
        let installation = Installation::new(&fakes, &db.url);
        installation.fill("DISCORD_PUBLIC_KEY", "");
        let mut fleet = Self { fakes, db, installation, processes: Vec::new(), commands: 900 };
        fleet.add().await;
        fleet
    }

    async fn add(&mut self) {
        let (process, _) = self.installation.serve().await;
        self.processes.push(process);
    }

    /// How many shards each process runs, by its number; of what is leased and connected.
    async fn divided(&self) -> BTreeMap<String, usize> {
        let now = chrono::Utc::now().timestamp_millis();
        let leased = format!("SELECT holder FROM leases WHERE name LIKE 'gateway:discord:shard:%' AND expires_at > {now}");
        let mut counts = BTreeMap::new();
        for holder in rows(&self.db.url, &leased).await {
            *counts.entry(holder).or_default() += 1;
        }
        counts
    }

    /// Waits until every shard is connected, and so many are run by each.
    async fn settles(&self, expected: &[usize]) -> BTreeMap<String, usize> {
        let settled = async || {
            let counts = self.divided().await;
            let mut each: Vec<_> = counts.values().copied().collect();
            each.sort_unstable();
            let connected = self.fakes.discord.gateway.with(|state| state.live_count());
            (each == expected && connected == SHARDS as usize).then_some(counts)
        };
        // Each session begins five seconds and more after the one before.
        for _ in 0..2 {
            if let Some(counts) = until(&settled).await {
                return counts;
            }
        }
        panic!("{:?} instead of {expected:?}\n{}", self.divided().await, self.logs())
    }

    /// Somebody asks in a server of each shard, and is answered.
    async fn answers_everywhere(&mut self) {
        for shard in 0..SHARDS {
            self.commands += 1;
            let mut asked = in_server(self.commands, PLAIN, slash("help", &[]));
            for place in ["/guild_id", "/guild/id", "/channel/guild_id"] {
                *asked.pointer_mut(place).unwrap() = json!(guild(shard));
            }
            self.fakes.discord.gateway.asks(&asked);
            let answer = self.fakes.discord.gateway.answer(&asked).await;
            assert!(answer.to_string().contains("/subscribe"), "{answer}");
        }
    }

    fn logs(&self) -> String {
        self.processes.iter().map(Process::log).collect::<Vec<_>>().join("\n----\n")
    }
}

/// A server that this shard is told of.
fn guild(shard: u32) -> String {
    ((340_000_000_000_u64 / u64::from(SHARDS) * u64::from(SHARDS) + u64::from(shard)) << 22).to_string()
}

#[tokio::test]
async fn shards_are_divided_and_move_when_a_process_is_gone() {
    let Some(db) = TestDb::postgres().await else { return };
    let mut fleet = Fleet::start(db).await;
    fleet.settles(&[4]).await;
    fleet.answers_everywhere().await;
    fleet.add().await;
    fleet.add().await;
    let counts = fleet.settles(&[1, 1, 2]).await;
    fleet.answers_everywhere().await;

    let (busiest, _) = counts.iter().max_by_key(|(_, count)| **count).unwrap();
    let killed = fleet.processes.iter().position(|process| busiest.starts_with(&format!("{}-", process.id()))).unwrap();
    fleet.processes.remove(killed).signal("KILL");
    fleet.settles(&[2, 2]).await;
    fleet.answers_everywhere().await;

    // A clean stop gives them back at once.
    let stopped = fleet.processes.remove(0).stop("TERM").await;
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
    fleet.settles(&[4]).await;
    fleet.answers_everywhere().await;
    let begun = fleet.fakes.discord.gateway.with(|state| state.identified.len());
    // The first one gives up two or three of its four; on a busy machine one more may go to and fro while a dead process still counts.
    assert!((4 + 2 + 2 + 2..=4 + 3 + 2 + 2 + 3).contains(&begun), "{begun} sessions began: few that were not needed\n{}", fleet.logs());
    assert_eq!(fleet.processes.remove(0).stop("TERM").await.code, Some(0));
}
