//! Commands at a steady rate, through the built binary's door: signed, answered, and where they change something, committed.

use crate::{
    load::{Latencies, signed, steady},
    market::{self, RANKED, TOKENS, member, symbol},
    support::{
        commands::rows,
        fake_discord::interaction::{self, PLAIN, autocomplete, in_private, in_server, slash},
        process::{Fakes, Installation},
    },
    table::{Table, millis},
};
use bellwether::{domain::Platform, store::Store};
use serde_json::{Value, json};
use std::{net::SocketAddr, time::Duration};

const SECONDS: u32 = 8;
const SIGNALS: u32 = 1_000;
const SUBSCRIBES: u32 = 300;
/// As many people who type at once as a very large community has.
const COMPLETIONS: u32 = 200;
const ID: u64 = 1_441_500_000_000_000_000;

pub(crate) async fn measure(table: &mut Table) {
    let fakes = Fakes::start().await;
    market::list(&fakes.source);
    let installation = Installation::new(&fakes, "sqlite://bellwether.db");
    // The default budget; the next slot is in January.
    installation.fill("TOKEN_METRICS_CALLS_PER_MONTH", "500");
    installation.fill("BELLWETHER_SCHEDULE_DAILY", "0 0 0 1 1 *");
    let url = installation.sqlite_url();
    let store = Store::open(&url).await.unwrap();
    market::fill(&store).await;
    market::people(&url, Platform::Discord, (SUBSCRIBES * SECONDS) as usize, None).await;
    store.close().await;
    let (_product, address) = installation.serve().await;
    let address: SocketAddr = address.parse().unwrap();
    let warm_up = (0..500).map(|n| signal(ID + n)).collect();
    at_rate(address, warm_up, SIGNALS, "bullish").await;

    let signals = (0..u64::from(SIGNALS * SECONDS)).map(|n| signal(ID + 1_000_000 + n)).collect();
    let latencies = at_rate(address, signals, SIGNALS, "bullish").await;
    report(table, "signed /signal, 1,000 a second", Duration::from_millis(20), &latencies);

    let subscribes: Vec<_> = (0..(SUBSCRIBES * SECONDS) as usize).map(subscribe).collect();
    let wanted = 2 * subscribes.len();
    let latencies = at_rate(address, subscribes, SUBSCRIBES, "Subscribed").await;
    report(table, "signed /subscribe, 300 a second, committed to SQLite", Duration::from_millis(50), &latencies);
    let committed = rows(&url, "SELECT CAST(COUNT(*) AS TEXT) FROM subscriptions").await;
    assert_eq!(committed, [wanted.to_string()], "every answer is of a subscription that is stored");

    let completions = (0..u64::from(COMPLETIONS * SECONDS)).map(complete).collect();
    let latencies = at_rate(address, completions, COMPLETIONS, "\"choices\":[{").await;
    report(table, "autocomplete at 20,000 tokens, 200 a second", Duration::from_millis(50), &latencies);
}

async fn at_rate(address: SocketAddr, interactions: Vec<Value>, per_second: u32, expected: &'static str) -> Latencies {
    let requests = interactions.iter().map(|interaction| signed(&interaction.to_string())).collect();
    steady(address, requests, per_second, expected).await
}

fn report(table: &mut Table, what: &str, reach: Duration, latencies: &Latencies) {
    let p99 = latencies.share(0.99);
    let times = format!("p99 {} (p50 {}, worst {})", millis(p99), millis(latencies.share(0.5)), millis(latencies.share(1.0)));
    let measured = match latencies.wrong.as_slice() {
        [] => times,
        [first, ..] => format!("{} wrong answers, such as {first}; {times}", latencies.wrong.len()),
    };
    table.reach(what, &format!("p99 under {} ms", reach.as_millis()), measured, latencies.wrong.is_empty() && p99 < reach);
}

fn ranked(n: u64) -> String {
    symbol(1 + i64::try_from(n).unwrap() % RANKED)
}

pub(crate) fn signal(id: u64) -> Value {
    in_server(id, PLAIN, slash("signal", &[("token", &ranked(id))]))
}

/// Each of another member, whose direct messages are open: opening them is paced by Discord, one a second.
pub(crate) fn subscribe(n: usize) -> Value {
    let tokens = format!("{}, {}", ranked(n as u64), ranked(n as u64 + 1));
    let mut interaction = in_private(ID + 2_000_000 + n as u64, slash("subscribe", &[("tokens", &tokens)]));
    interaction["user"]["id"] = json!(member(n).to_string());
    interaction
}

/// One to four letters of a symbol, as somebody types them.
fn complete(n: u64) -> Value {
    let symbol = symbol(1 + i64::try_from(n * 31).unwrap() % TOKENS);
    let typed = &symbol[..1 + usize::try_from(n % 4).unwrap()];
    autocomplete(in_server(ID + 3_000_000 + n, interaction::PLAIN, slash("subscribe", &[("tokens", typed)])))
}
