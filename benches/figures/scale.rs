//! A very large community: a million subscriptions to ten thousand tokens, and polls in which five hundred of them turn, through the
//! built binary, while people type commands; against inserting the same alerts by multi-row statements into the same database.

use crate::{
    commands::{signal, subscribe},
    disk::DiskWatch,
    filled::{Database, Spread, people, plain_inserts, platform, subscriptions, told},
    load::{Latencies, signed, steady},
    market::{self, snapshot},
    process::{cpu, megabytes, most_resident},
    support::{
        crowd::chat,
        database::postgres_url,
        process::{Fakes, Installation, wait_for_polls},
    },
    table::{Table, millis},
};
use bellwether::{
    clock::{Clock as _, SystemClock},
    domain::Platform,
    pipeline::ingest::ingest,
    store::Store,
};
use serde_json::json;
use std::{net::SocketAddr, time::Duration};
use tokio::{task::JoinHandle, time::Instant};

const PEOPLE: usize = 250_000;
const TOKENS: usize = 10_000;
/// Every twentieth token turns, and others the next time.
const TURNING: usize = 20;
/// Polls in which tokens turn, which count together: the machine may be busy with something else during one.
const POLLS_THAT_TURN: usize = 3;
/// Whoever is told first is among these.
const KNOWN: usize = 20_000;
const COMMANDS_A_SECOND: u32 = 100;
const POLLS: &str = "*/10 * * * * *";
/// From before such a poll until long after its alerts were written; a multiple of the time between polls.
const WATCHED: Duration = Duration::from_secs(30);
const RATE: &str = "at least 50 %";
const MEMORY: u64 = 150_000_000;
const COMMANDS: Duration = Duration::from_millis(100);

pub(crate) async fn measure(table: &mut Table) {
    let people: usize = std::env::var("BELLWETHER_SCALE_PEOPLE").ok().and_then(|given| given.parse().ok()).unwrap_or(PEOPLE);
    for spread in [Spread::Uniform, Spread::Zipf(people * 4 / 5)] {
        one_poll(table, None, people, spread).await;
        if let Some(url) = postgres_url().await {
            one_poll(table, Some(url), people, spread).await;
        }
    }
}

async fn one_poll(table: &mut Table, postgres: Option<String>, count: usize, spread: Spread) {
    let fakes = Fakes::start().await;
    market::list(&fakes.source);
    for n in 0..count.min(KNOWN) {
        let chat = chat(platform(n), n);
        match platform(n) {
            Platform::Discord => fakes.discord.channel(&format!("7{n}"), json!({"type": 1, "recipient": chat.trim_start_matches("user:")})),
            _ => fakes.telegram.with(|world| _ = world.person(chat.parse().unwrap())),
        }
    }
    let name = if postgres.is_some() { "PostgreSQL" } else { "SQLite" };
    let installation = Installation::new(&fakes, postgres.as_deref().unwrap_or("sqlite://bellwether.db"));
    installation.fill("BELLWETHER_SCHEDULE_DAILY", POLLS);
    let url = postgres.unwrap_or_else(|| installation.sqlite_url());
    let wanted = fill(&url, count, spread).await;
    for token in 1..=TOKENS {
        fakes.daily(i64::try_from(token).unwrap(), -1);
    }
    let (process, address) = installation.serve().await;
    wait_for_polls(&address, "daily", 1).await;
    assert_eq!(Database::open(&url).await.number("SELECT COUNT(*) FROM fanout_jobs").await, 0, "nothing has turned yet");
    let before_all = Database::open(&url).await.number("SELECT COALESCE(MAX(id), 0) FROM changes").await;
    let (typing, disk) = (type_commands(address.parse().unwrap()), DiskWatch::begin(installation.folder.path()));
    let (before, mut fan_outs, mut first) = (cpu(process.id()), Vec::new(), None);
    for turn in 0..POLLS_THAT_TURN {
        let began = Instant::now();
        between_polls().await;
        for token in (1 + turn..=TOKENS).step_by(TURNING) {
            fakes.daily(i64::try_from(token).unwrap(), 1);
        }
        // Only before the first is nobody being told of anything yet.
        fan_outs.push(if turn == 0 { watch(&url, Some((&fakes, &mut first))).await } else { watch(&url, None).await });
        tokio::time::sleep(WATCHED.saturating_sub(began.elapsed())).await;
    }
    let (latencies, [disk, disk_worst]) = (typing.await.unwrap(), disk.end());
    let (memory, used) = (most_resident(process.id()), cpu(process.id()) - before);
    drop(process);
    fakes.discord.unread();
    fakes.telegram.unread();

    let mut database = Database::open(&url).await;
    let alerts = database.number("SELECT COUNT(*) FROM alerts").await;
    let messages = database.number("SELECT COUNT(*) FROM messages").await;
    let polls = database.number(&format!("SELECT COUNT(DISTINCT poll_id) FROM changes WHERE id > {before_all}")).await;
    assert_eq!(polls, POLLS_THAT_TURN as i64, "all tokens that turned together were seen by one poll");
    let mut plain = Duration::ZERO;
    for _ in 0..POLLS_THAT_TURN {
        sync();
        plain += plain_inserts(&mut database, "alerts").await / POLLS_THAT_TURN as u32;
    }
    let fan_out: Duration = fan_outs.iter().map(|(_, took)| took).sum();
    let each = fan_outs.iter().map(|(_, took)| millis(*took)).collect::<Vec<_>>().join(" + ");
    let who = match spread {
        Spread::Uniform => format!("{name}, {wanted} subscriptions evenly"),
        Spread::Zipf(hottest) => format!("{name}, {wanted} subscriptions by Zipf, {hottest} on one"),
    };
    let rate = plain.as_secs_f64() / fan_out.as_secs_f64();
    let measured = format!(
        "{:.0} % ({alerts} alerts: {} : {each}; {messages} messages and {} of CPU altogether)",
        rate * 100.0,
        millis(plain),
        millis(used)
    );
    table.reach(&format!("{who}: 500 of 10,000 turn, three times, to alerts, of plain inserts' rate"), RATE, measured, rate >= 0.5);
    let (first, since_last_page) = first.unwrap();
    let measured = format!("{}; {} after its last page was asked for", millis(first), millis(since_last_page));
    table.reach("the first message out after that poll's commit", "within 1 s", measured, since_last_page < Duration::from_secs(1));
    table.reach("the most memory it ever had", "under 150 MB", megabytes(memory), memory < MEMORY);
    let wrong = latencies.wrong.first().map_or_else(String::new, |first| format!("; {} wrong, such as {first}", latencies.wrong.len()));
    let (meanwhile, p99) = (latencies.within(&fan_outs), |latencies: &Latencies| latencies.share(0.99));
    let times = |latencies: &Latencies| {
        let [p99, p50, worst] = [0.99, 0.5, 1.0].map(|share| millis(latencies.share(share)));
        format!("p99 {p99} (p50 {p50}, worst {worst}) of {}", latencies.count())
    };
    let is_met = p99(&latencies) < COMMANDS && p99(&meanwhile) < COMMANDS && latencies.wrong.is_empty();
    let measured = format!("{}; of those while alerts were written {}{wrong}", times(&latencies), times(&meanwhile));
    table.reach("100 commands a second during all of it", "p99 under 100 ms", measured, is_met);
    table.tell(
        "the disk by itself meanwhile, 4 KiB that nobody else waits for",
        format!("p99 {}, worst {}", millis(disk), millis(disk_worst)),
    );
}

/// Gives how many subscriptions there are.
async fn fill(url: &str, count: usize, spread: Spread) -> i64 {
    let store = Store::open(url).await.unwrap();
    market::fill(&store).await;
    let mut database = Database::open(url).await;
    people(&mut database, count).await;
    subscriptions(&mut database, count, TOKENS, spread).await;
    // Twice: that most of what is known would turn is believed of a second answer.
    for _ in 0..2 {
        let now = SystemClock.now();
        ingest(&store, &snapshot(1..=i64::try_from(TOKENS).unwrap(), -1.0, now), now).await.unwrap();
    }
    database.run("DELETE FROM fanout_jobs").await;
    told(&mut database, "bearish").await;
    if !database.is_sqlite() {
        // As its autovacuum does within a minute of so much that is new; it would else do so at some moment of the poll.
        database.run("VACUUM ANALYZE").await;
    }
    sync();
    store.close().await;
    database.number("SELECT COUNT(*) FROM subscriptions").await
}

/// What was written lately is on its way to the disk for half a minute, and every commit would wait for it.
fn sync() {
    assert!(std::process::Command::new("sync").status().unwrap().success());
}

/// Waits until half of the time between two polls is over: what changes then is seen by one of them.
async fn between_polls() {
    const HALF: Duration = Duration::from_secs(5);
    let over = Duration::from_millis(SystemClock.now().as_millis().rem_euclid(10_000).cast_unsigned());
    let wait = if over < HALF { HALF - over } else { 3 * HALF - over };
    tokio::time::sleep(wait).await;
}

/// Two look-ups to each subscription.
fn type_commands(address: SocketAddr) -> JoinHandle<Latencies> {
    const FIRST: u64 = 1_441_600_000_000_000_000;
    let command = |n: u64| if n.is_multiple_of(3) { subscribe(usize::try_from(n).unwrap() * 2) } else { signal(FIRST + n) };
    let count = u64::from(COMMANDS_A_SECOND) * WATCHED.as_secs() * POLLS_THAT_TURN as u64;
    let requests = (0..count).map(|n| signed(&command(n).to_string())).collect();
    // Both are answered at once, by a message.
    tokio::spawn(steady(address, requests, COMMANDS_A_SECOND, "\"type\":4"))
}

/// How long after a poll's commit, and after its last page was asked for, a platform heard of it.
type First = (Duration, Duration);

/// When the changes were committed, and how long it took until the last alert was; and when a platform heard of one, where that is asked.
async fn watch(url: &str, mut heard: Option<(&Fakes, &mut Option<First>)>) -> (Instant, Duration) {
    const JOBS: &str = "SELECT COUNT(*) FROM fanout_jobs";
    const PATIENCE: Duration = Duration::from_secs(120);
    let began = Instant::now();
    let mut database = Database::open(url).await;
    while database.number(JOBS).await == 0 {
        assert!(began.elapsed() < PATIENCE, "nothing turned");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let (committed, committed_at) = (Instant::now(), SystemClock.now());
    let mut fan_out = None;
    loop {
        if fan_out.is_none() && database.number(JOBS).await == 0 {
            fan_out = Some(committed.elapsed());
        }
        if let Some((fakes, first)) = &mut heard
            && first.is_none()
            && (!fakes.discord.unread().is_empty() || !fakes.telegram.with(|world| world.sent.is_empty()))
        {
            let last_page = fakes.source.arrivals().into_iter().map(|(_, at)| at).filter(|at| *at <= committed_at).max().unwrap();
            **first = Some((committed.elapsed(), SystemClock.now().since(last_page)));
        }
        match fan_out {
            Some(fan_out) if heard.as_ref().is_none_or(|(_, first)| first.is_some()) => return (committed, fan_out),
            _ => {}
        }
        assert!(committed.elapsed() < PATIENCE, "fanned out: {fan_out:?}, told: {}", heard.is_none_or(|(_, first)| first.is_some()));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
