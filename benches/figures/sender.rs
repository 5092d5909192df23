//! Sending alone: the built binary with more in its queue than it may send, before fakes that enforce the platforms' limits.

use crate::{
    filled::{Database, people, platform, queue},
    market,
    process::{cpu, megabytes, resident},
    support::{
        crowd::chat,
        process::{Fakes, Installation},
    },
    table::Table,
};
use bellwether::{domain::Platform, store::Store};
use serde_json::json;
use std::time::{Duration, Instant};

/// More than is sent while it is watched.
const EACH: usize = 2_000;
/// The first seconds make up for what an idle start may send at once.
const SETTLES: Duration = Duration::from_secs(4);
const WATCHED: Duration = Duration::from_secs(20);

pub(crate) async fn measure(table: &mut Table) {
    let fakes = Fakes::start().await;
    market::list(&fakes.source);
    for n in 0..2 * EACH {
        let chat = chat(platform(n), n);
        match platform(n) {
            Platform::Discord => fakes.discord.channel(&format!("7{n}"), json!({"type": 1, "recipient": chat.trim_start_matches("user:")})),
            _ => fakes.telegram.with(|world| _ = world.person(chat.parse().unwrap())),
        }
    }
    let installation = Installation::new(&fakes, "sqlite://bellwether.db");
    installation.fill("BELLWETHER_SCHEDULE_DAILY", "0 0 0 1 1 *");
    let url = installation.sqlite_url();
    Store::open(&url).await.unwrap().close().await;
    let mut database = Database::open(&url).await;
    people(&mut database, 2 * EACH).await;
    queue(&mut database, 1, "2").await;
    let (process, _) = installation.serve().await;
    tokio::time::sleep(SETTLES).await;
    let sent = || [fakes.discord.unread().len(), fakes.telegram.unread().len()];
    sent();
    let (mut counts, before) = ([0, 0], cpu(process.id()));
    let began = Instant::now();
    while began.elapsed() < WATCHED {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let more = sent();
        counts = [counts[0] + more[0], counts[1] + more[1]];
    }
    let (took, used) = (began.elapsed().as_secs_f64(), (cpu(process.id()) - before).as_secs_f64());
    let memory = resident(process.id());
    drop(process);
    for (platform, count, limit) in [(Platform::Discord, counts[0], 50.0), (Platform::Telegram, counts[1], 30.0)] {
        let rate = count as f64 / took;
        let measured = format!("{rate:.1} a second, {:.1} %", rate / limit * 100.0);
        table.reach(&format!("{platform}: sent of {limit} a second"), "at least 95 %", measured, rate >= 0.95 * limit);
    }
    let refused = [fakes.discord.refused_for_speed(), fakes.telegram.refused_for_speed()];
    table.reach("429s: Discord; Telegram", "none", format!("{}; {}", refused[0], refused[1]), refused == [0, 0]);
    let share = used / took;
    let measured = format!("{:.1} % ({})", share * 100.0, megabytes(memory));
    table.reach("both at full speed: share of a core (memory)", "under 10 %", measured, share < 0.1);
}
