//! One change and a hundred thousand who want to hear of it: to alerts, and on to messages, each against inserting as many of the same
//! rows by multi-row statements.

use crate::{
    filled::{Database, plain_inserts},
    market::{people, snapshot},
    process::{megabytes, resident},
    table::{Table, median, millis},
};
use bellwether::{
    cache::Scorecards,
    clock::{ManualClock, SharedClock},
    domain::{Platform, Timestamp},
    pipeline::{
        compose::compose_all,
        fanout::{Fanout, fan_out_all},
        ingest::ingest,
    },
    store::Store,
    telemetry::Metrics,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

const TOKEN: i64 = 3988;
const SUBSCRIBERS: usize = 100_000;
const ROUNDS: usize = 3;
const LONGEST: Duration = Duration::from_millis(25);
/// What a process may grow while it handles 100,000 of anything, and still be called flat.
/// What is read fills the cache of the connection that reads, which has 8 MB, and no more.
const FLAT: u64 = 12 * 1024 * 1024;

struct Round {
    alerts: Duration,
    plain_alerts: Duration,
    longest_chunk: Duration,
    grown: u64,
    messages: Duration,
    plain_messages: Duration,
}

pub(crate) async fn measure(table: &mut Table) {
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        rounds.push(round().await);
    }
    let ratio = |ours: fn(&Round) -> Duration, plain: fn(&Round) -> Duration| {
        median(&rounds.iter().map(|round| plain(round).as_secs_f64() / ours(round).as_secs_f64()).collect::<Vec<_>>())
    };
    let of = |value: fn(&Round) -> Duration| median(&rounds.iter().map(value).collect::<Vec<_>>());
    let to_alerts = ratio(|round| round.alerts, |round| round.plain_alerts);
    let measured =
        format!("{:.0} % ({} : {})", to_alerts * 100.0, millis(of(|round| round.plain_alerts)), millis(of(|round| round.alerts)));
    table.reach("one change, 100,000 subscribers, to alerts: of plain inserts' rate", "at least 50 %", measured, to_alerts >= 0.5);
    let longest = of(|round| round.longest_chunk);
    table.reach("the longest chunk of that, reading included", "under 25 ms", millis(longest), longest < LONGEST);
    let grown = median(&rounds.iter().map(|round| round.grown).collect::<Vec<_>>());
    table.reach("memory that it grows by after its first chunk", "flat (under 12 MB: a cache of 8)", megabytes(grown), grown < FLAT);
    let to_messages = ratio(|round| round.messages, |round| round.plain_messages);
    let times = format!("{} : {}", millis(of(|round| round.plain_messages)), millis(of(|round| round.messages)));
    table.tell("the same alerts, to messages: of plain inserts' rate", format!("{:.0} % ({times})", to_messages * 100.0));
    linear(table).await;
}

/// Ten times the subscribers, twice; each size as often as it is quick, the best counts.
async fn linear(table: &mut Table) {
    let mut times = Vec::new();
    for (subscribers, rounds) in [(10_000, 7), (100_000, 3), (1_000_000, 1)] {
        let mut all = Vec::new();
        for _ in 0..rounds {
            all.push(to_alerts(subscribers).await);
        }
        times.push(all.into_iter().min().unwrap());
    }
    for (pair, who) in times.windows(2).zip(["10,000 to 100,000", "100,000 to 1,000,000"]) {
        let ratio = pair[1].as_secs_f64() / pair[0].as_secs_f64();
        let measured = format!("{ratio:.1} times ({} : {})", millis(pair[0]), millis(pair[1]));
        table.reach(&format!("fan-out to ten times the subscribers, {who}"), "at most 11 times", measured, ratio <= 11.0);
    }
}

async fn to_alerts(subscribers: usize) -> Duration {
    let files = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", files.path().join("linear.db").display());
    let (store, clock) = turned(&url, subscribers).await;
    let began = Instant::now();
    assert_eq!(fan_out_all(&store, &clock, &Metrics::default()).await.unwrap(), subscribers);
    began.elapsed()
}

/// A database in which one token has turned, and nobody was told yet.
async fn turned(url: &str, subscribers: usize) -> (Store, SharedClock) {
    let store = Store::open(url).await.unwrap();
    people(url, Platform::Telegram, subscribers, Some(TOKEN)).await;
    let at = |text| Timestamp::parse(text).unwrap();
    ingest(&store, &snapshot([TOKEN].into_iter(), -1.0, at("2026-11-20T10:00:00Z")), at("2026-11-20T10:00:01Z")).await.unwrap();
    ingest(&store, &snapshot([TOKEN].into_iter(), 1.0, at("2026-11-20T11:00:00Z")), at("2026-11-20T11:00:01Z")).await.unwrap();
    (store, Arc::new(ManualClock::new(at("2026-11-20T11:00:02Z"))))
}

async fn round() -> Round {
    let files = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", files.path().join("fanout.db").display());
    let (store, clock) = turned(&url, SUBSCRIBERS).await;
    let metrics = Metrics::default();

    let (mut written, mut longest_chunk, mut at_first, mut most) = (0, Duration::ZERO, 0, 0);
    let began = Instant::now();
    let mut fanout = Fanout::next(&store, clock.now()).await.unwrap().unwrap();
    loop {
        let chunk = Instant::now();
        let Some(alerts) = fanout.chunk(clock.now(), &metrics).await.unwrap() else { break };
        written += alerts;
        longest_chunk = longest_chunk.max(chunk.elapsed());
        most = resident(std::process::id()).max(most);
        at_first = if at_first == 0 { most } else { at_first };
    }
    let alerts = began.elapsed();
    assert_eq!(written, SUBSCRIBERS);
    let began = Instant::now();
    assert_eq!(compose_all(&store, &clock, &metrics, &Scorecards::new(store.clone())).await.unwrap(), SUBSCRIBERS);
    let messages = began.elapsed();

    let mut database = Database::open(&url).await;
    let plain_alerts = plain_inserts(&mut database, "alerts").await;
    let plain_messages = plain_inserts(&mut database, "messages").await + plain_inserts(&mut database, "message_alerts").await;
    Round { alerts, plain_alerts, longest_chunk, grown: most - at_first, messages, plain_messages }
}
