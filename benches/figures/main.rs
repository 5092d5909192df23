//! The figures: how fast, how small, how even, as one table. `cargo bench --bench figures` prints it; the names of topics as arguments
//! (`-- door pacing`) leave out the others.
//!
//! What can be compared is a ratio within this run, measured in turns, so that a busy machine slows both sides. Where a row is about the
//! product as a process, the built binary runs beside the fakes of `tests/it/support`, and its CPU time is that of its process alone.

#![expect(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr, reason = "a measurement may fail where it stands, and prints")]
#![expect(clippy::disallowed_methods, reason = "measurements ask the system what the product may not")]

mod chart;
mod commands;
mod disk;
mod door;
mod fanout;
mod filled;
mod idle;
mod load;
mod market;
mod noise;
mod pacing;
mod polls;
mod process;
mod queued;
mod scale;
mod scorecard;
mod sender;
#[path = "../../tests/it/simulation/mod.rs"]
#[expect(dead_code, reason = "the tests' own simulation; figures need a part of it")]
mod simulation;
mod size;
#[path = "../../tests/it/support/mod.rs"]
#[expect(dead_code, unused_macros, unused_imports, unreachable_pub, reason = "the tests' own support; figures need a part of it")]
mod support;
mod table;
mod upkeep;
mod week;

use table::Table;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if let [role, public_key] = arguments.as_slice()
        && role == door::BARE
    {
        return runtime.block_on(door::serve_bare(public_key));
    }
    support::database::IS_DURABLE.store(true, std::sync::atomic::Ordering::Relaxed);
    let wanted = |topic: &str| arguments.is_empty() || arguments.iter().any(|argument| argument == topic);
    let mut table = Table::default();
    runtime.block_on(async {
        if wanted("door") {
            door::measure(&mut table).await;
        }
        if wanted("commands") {
            commands::measure(&mut table).await;
        }
        if wanted("polls") {
            polls::measure(&mut table).await;
        }
        if wanted("fanout") {
            fanout::measure(&mut table).await;
        }
        if wanted("pacing") {
            pacing::measure(&mut table).await;
        }
        if wanted("sender") {
            sender::measure(&mut table).await;
        }
        if wanted("queued") {
            queued::measure(&mut table).await;
        }
        if wanted("scale") {
            scale::measure(&mut table).await;
        }
        if wanted("upkeep") {
            upkeep::measure(&mut table).await;
        }
        if wanted("week") {
            week::measure(&mut table).await;
        }
        if wanted("idle") {
            idle::measure(&mut table).await;
        }
        if wanted("chart") {
            chart::measure(&mut table);
        }
        if wanted("scorecard") {
            scorecard::measure(&mut table).await;
        }
        if wanted("noise") {
            noise::noise(&mut table);
        }
        if wanted("simulation") {
            noise::year(&mut table).await;
        }
        if wanted("size") {
            size::measure(&mut table);
        }
    });
    table.print();
}
