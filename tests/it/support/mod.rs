//! What tests stand on: both databases, fakes of every platform that speak real HTTP, a clock that is moved by hand.

pub(crate) mod app;
pub(crate) mod audience;
pub(crate) mod cable;
pub mod commands;
pub(crate) mod community;
pub(crate) mod crowd;
pub mod database;
pub mod fake_discord;
pub mod fake_telegram;
pub mod fake_token_metrics;
pub(crate) mod log;
pub(crate) mod multipart;
pub(crate) mod network;
pub(crate) mod past;
pub mod poller;
pub(crate) mod process;
pub(crate) mod python;
pub(crate) mod weather;

/// Writes a line where whoever runs the tests sees it, also of a test that passes: the harness keeps back what is printed.
pub(crate) fn say(line: &str) {
    use std::io::Write as _;
    let mut stderr = std::io::stderr();
    writeln!(stderr, "{line}").unwrap();
}
