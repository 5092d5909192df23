//! What tests stand on: both databases, fakes of every platform that speak real HTTP, a clock that is moved by hand.

pub mod database;
pub mod fake_discord;
