//! The built binary while nothing happens: how soon it is ready on a database that is there, and what it takes from the machine then.

use crate::{
    market,
    process::{cpu, megabytes, resident},
    support::process::{Fakes, Installation, Process},
    table::{Table, median, millis},
};
use bellwether::{domain::Platform, store::Store};
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    time::{Duration, Instant},
};

const STARTS: usize = 5;
/// People who follow a token: somebody does, where a bot idles.
const FOLLOWERS: usize = 1_000;
/// What a start leaves to do is done by then.
const SETTLED: Duration = Duration::from_secs(5);
/// Longer than any interval at which parts look again.
const WATCHED: Duration = Duration::from_secs(20);

pub(crate) async fn measure(table: &mut Table) {
    let fakes = Fakes::start().await;
    market::list(&fakes.source);
    let mut installation = Installation::new(&fakes, "sqlite://bellwether.db");
    installation.fill("TOKEN_METRICS_CALLS_PER_MONTH", "500");
    installation.fill("BELLWETHER_SCHEDULE_DAILY", "0 0 0 1 1 *");
    let url = installation.sqlite_url();
    let store = Store::open(&url).await.unwrap();
    market::fill(&store).await;
    market::people(&url, Platform::Telegram, FOLLOWERS, Some(1)).await;
    store.close().await;
    // The first start registers the commands and loads the ranks; those that count come after it.
    drop(started(&mut installation).await);
    let mut times = Vec::new();
    for _ in 0..STARTS {
        let (process, time) = started(&mut installation).await;
        times.push(time);
        assert_eq!(process.stop("TERM").await.code, Some(0));
    }
    let ready = median(&times);
    table.reach("ready on an existing database", "within 300 ms", millis(ready), ready <= Duration::from_millis(300));
    let (process, _) = started(&mut installation).await;
    tokio::time::sleep(SETTLED).await;
    let before = cpu(process.id());
    tokio::time::sleep(WATCHED).await;
    let share = (cpu(process.id()) - before).as_secs_f64() / WATCHED.as_secs_f64();
    let memory = resident(process.id());
    table.reach("idle, both platforms, 20,000 tokens: resident memory", "under 30 MB", megabytes(memory), memory < 30_000_000);
    table.reach("idle, both platforms, 20,000 tokens: share of a core", "under 1 %", format!("{:.2} %", share * 100.0), share < 0.01);
}

/// Starts `serve`, and how long it took until `/readyz` said so.
pub(crate) async fn started(installation: &mut Installation) -> (Process, Duration) {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    installation.set("BELLWETHER_LISTEN", &address.to_string());
    let began = Instant::now();
    let process = installation.start(&["serve"]);
    while !is_ready(address) {
        assert!(began.elapsed() < Duration::from_secs(30), "{}", process.log());
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    (process, began.elapsed())
}

fn is_ready(address: SocketAddr) -> bool {
    let ask = || {
        let mut stream = TcpStream::connect(address)?;
        stream.write_all(b"GET /readyz HTTP/1.1\r\nhost: bench\r\nconnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        std::io::Result::Ok(answer.starts_with("HTTP/1.1 200"))
    };
    ask().unwrap_or(false)
}
