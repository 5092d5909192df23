//! A busy week of the whole product in one process, by a clock that is moved by hand: what it keeps in memory at the end of each day.

use crate::{
    filled::{Database, people},
    market::{self, snapshot},
    process::{megabytes, resident},
    table::Table,
};
use axum::{Router, http::header::CONTENT_TYPE, response::IntoResponse as _};
use bellwether::{
    app::Parts,
    clock::{Clock as _, ManualClock, SharedClock, SystemClock},
    config::{Config, Environment},
    pipeline::ingest::ingest,
    store::Store,
};
use std::{sync::Arc, time::Duration};

const PEOPLE: usize = 4_000;
const TOKENS: i64 = 100;
/// Each person follows one token more than this many apart: a tenth of the tokens is everybody's tenth.
const TURNING: i64 = 8;
const DAYS: u32 = 7;
const HOUR: Duration = Duration::from_secs(3600);
const SECOND: Duration = Duration::from_secs(1);
/// Bytes that a day may add once the first is over.
const FLAT: u64 = 2_000_000;

pub(crate) async fn measure(table: &mut Table) {
    let files = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", files.path().join("week.db").display());
    let store = Store::open(&url).await.unwrap();
    market::fill(&store).await;
    let mut database = Database::open(&url).await;
    people(&mut database, PEOPLE).await;
    let followed = |n: usize| 1 + n as i64 % TOKENS;
    let rows = (0..PEOPLE).map(|n| format!("({},'token-metrics','{}','daily','any','instant','bench',0,0)", n + 1, followed(n)));
    let columns = "(destination_id, source, target, kind, direction, delivery, creator, created_at, updated_at)";
    database.insert(&format!("subscriptions {columns}"), rows).await;
    let begin = SystemClock.now().day().plus(1).start();
    let clock = Arc::new(ManualClock::new(begin));
    let shared: SharedClock = clock.clone();
    let mut parts = Parts::wire(&configuration(&answers().await), store.clone(), &shared).unwrap();
    let (mut memory, mut sent) = (Vec::new(), 0);
    for day in 0..DAYS {
        for hour in 0..24_i64 {
            let now = begin + 24 * HOUR * day + HOUR * u32::try_from(hour).unwrap();
            clock.set(now);
            // A few turn each hour, and back a day later.
            let turning = (0..TURNING).map(|n| 1 + (hour * TURNING + n) % TOKENS);
            let stance = if day % 2 == 0 { -1.0 } else { 1.0 };
            ingest(&store, &snapshot(turning, stance, now), now).await.unwrap();
            parts.flow.step().await.unwrap();
            parts.housekeeping.step().await.unwrap();
            loop {
                let mut waits = false;
                for deliverer in &mut parts.deliverers {
                    let round = deliverer.drain().await.unwrap();
                    sent += round.started;
                    waits |= round.started > 0 || round.not_before.is_some();
                }
                if !waits {
                    break;
                }
                clock.advance(SECOND);
            }
        }
        memory.push(resident(std::process::id()));
    }
    let told: Vec<_> = memory.iter().map(|bytes| megabytes(*bytes)).collect();
    let a_day = (memory[memory.len() - 1].saturating_sub(memory[0])) / u64::from(DAYS - 1);
    let measured = format!("{} a day ({}; {sent} sent)", megabytes(a_day), told.join(", "));
    table.reach("memory at the end of each day of a busy week: growth after the first", "flat (under 2 MB a day)", measured, a_day < FLAT);
}

/// Both platforms' addresses: whatever is asked was done.
async fn answers() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    // What each needs of the other's is ignored.
    let body = r#"{"ok":true,"result":{"message_id":7,"date":0,"chat":{"id":7,"type":"private","first_name":"A"},"text":"a"},"id":"7","channel_id":"7"}"#;
    let router = Router::new().fallback(move || async move { ([(CONTENT_TYPE, "application/json")], body).into_response() });
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    url
}

fn configuration(url: &str) -> Config {
    let settings = [
        ("TOKEN_METRICS_API_KEY", "tm-bench"),
        ("TOKEN_METRICS_API_URL", url),
        ("DISCORD_BOT_TOKEN", "a.b.c"),
        ("DISCORD_APPLICATION_ID", "1402318849203716096"),
        ("DISCORD_API_URL", url),
        ("TELEGRAM_BOT_TOKEN", "4242:AAE-very-secret-token_of_the_tests"),
        ("TELEGRAM_API_URL", url),
    ];
    let environment = Environment::of(settings);
    Config::load(&environment, |_| Err(std::io::ErrorKind::NotFound.into())).unwrap()
}
