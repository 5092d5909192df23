//! What tests stand on: both databases, fakes of every platform that speak real HTTP, a clock that is moved by hand.

pub(crate) mod app;
pub mod commands;
pub mod database;
pub mod fake_discord;
pub mod fake_telegram;
pub mod fake_token_metrics;
pub mod poller;
