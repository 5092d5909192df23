//! The one integration binary: everything that crosses rooms is tested here, through the front door.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]
#![expect(unreachable_pub, reason = "within one binary everything is private")]
#![expect(clippy::disallowed_methods, reason = "tests may ask the system what the product may not")]

mod architecture;
mod cli;
mod commands_channel;
mod commands_subscribe;
mod config;
mod demo_api;
mod discord_door;
mod discord_register;
mod discord_send;
mod docs;
mod ingest_polls;
mod journey;
mod migrations;
mod replay;
mod source_client;
mod source_lookup;
mod source_poll;
mod source_samples;
mod store_schema;
mod support;
mod telegram_send;
mod telegram_updates;
mod web;
