//! A start with a million messages in the queue, some of which were under way when the predecessor ended.

use crate::{
    filled::{Database, people, platform, queue},
    idle::started,
    market,
    process::{megabytes, most_resident},
    support::{
        crowd::chat,
        database::postgres_url,
        process::{Fakes, Installation},
    },
    table::{Table, millis},
};
use bellwether::{domain::Platform, store::Store};
use serde_json::json;
use std::time::{Duration, Instant};

const PEOPLE: usize = 100_000;
const EACH: usize = 10;
/// Whoever is told first is among these.
const KNOWN: usize = 2_000;
const REACH: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) async fn measure(table: &mut Table) {
    start(table, None).await;
    if let Some(url) = postgres_url().await {
        start(table, Some(url)).await;
    }
}

async fn start(table: &mut Table, postgres: Option<String>) {
    let fakes = Fakes::start().await;
    market::list(&fakes.source);
    for n in 0..KNOWN {
        let chat = chat(platform(n), n);
        match platform(n) {
            Platform::Discord => fakes.discord.channel(&format!("7{n}"), json!({"type": 1, "recipient": chat.trim_start_matches("user:")})),
            _ => fakes.telegram.with(|world| _ = world.person(chat.parse().unwrap())),
        }
    }
    let name = if postgres.is_some() { "PostgreSQL" } else { "SQLite" };
    let mut installation = Installation::new(&fakes, postgres.as_deref().unwrap_or("sqlite://bellwether.db"));
    installation.fill("BELLWETHER_SCHEDULE_DAILY", "0 0 0 1 1 *");
    let url = postgres.unwrap_or_else(|| installation.sqlite_url());
    let store = Store::open(&url).await.unwrap();
    market::fill(&store).await;
    store.close().await;
    let mut database = Database::open(&url).await;
    people(&mut database, PEOPLE).await;
    queue(&mut database, EACH, "1 + n % 3").await;
    // 32 of each platform were under way.
    database
        .run(
            "UPDATE messages SET attempts = 1, lease_fence = 1, lease_holder = 'bench', lease_until = 1 WHERE id <= 64;
             INSERT INTO attempts (message_id, nonce, started_at) SELECT id, 'bench', 0 FROM messages WHERE id <= 64",
        )
        .await;
    let queued = database.number("SELECT COUNT(*) FROM messages WHERE state = 'queued'").await;
    let began = Instant::now();
    let (process, ready) = started(&mut installation).await;
    let mut first = None;
    while first.is_none() {
        assert!(began.elapsed() < PATIENCE, "nothing is sent:\n{}", process.log());
        if !fakes.discord.unread().is_empty() || fakes.telegram.with(|world| !world.sent.is_empty()) {
            first = Some(began.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    // Until whoever looks at the whole queue has done so a few times.
    tokio::time::sleep(Duration::from_secs(15)).await;
    let (first, memory) = (first.unwrap(), most_resident(process.id()));
    let sent = fakes.discord.unread().len() + fakes.telegram.unread().len();
    drop(process);
    fakes.discord.unread();
    fakes.telegram.unread();
    table.reach(&format!("{name}: ready with {queued} messages in the queue"), "within 1 s", millis(ready), ready < REACH);
    table.reach("from the start to its first message", "within 1 s", millis(first), first < REACH);
    table.tell("sent in the 15 s after it (1,200 may be); the most memory", format!("{sent}; {}", megabytes(memory)));
}
