//! The one integration binary: everything that crosses rooms is tested here, through the front door.

#![expect(clippy::unwrap_used, reason = "a test may fail where it stands")]
#![expect(unreachable_pub, reason = "within one binary everything is private")]
#![expect(clippy::disallowed_methods, reason = "tests may ask the system what the product may not")]

mod architecture;
mod binary_check;
mod binary_door;
mod binary_gateway;
mod binary_secrets;
mod binary_serve;
mod binary_starts;
mod binary_tools;
mod binary_webhook;
mod chart;
mod cli;
mod commands_channel;
mod commands_discord;
mod commands_gateway;
mod commands_history;
mod commands_mute;
mod commands_privacy;
mod commands_settings;
mod commands_subscribe;
mod commands_telegram;
mod config;
mod delivery_crash;
mod delivery_database;
mod delivery_discord;
mod delivery_net;
mod delivery_run;
mod delivery_summaries;
mod delivery_telegram;
mod delivery_troubles;
mod demo_api;
mod demo_sdk;
mod digests;
mod discord_door;
mod discord_register;
mod discord_send;
mod docs;
mod flow_budget;
mod flow_late;
mod flow_market;
mod flow_signals;
mod flow_source;
mod ingest_polls;
mod invite;
mod journey;
mod migrations;
mod quiet_hours;
mod replay;
mod source_client;
mod source_lookup;
mod source_poll;
mod source_samples;
mod store_leases;
mod store_schema;
mod support;
mod telegram_channels;
mod telegram_deep_links;
mod telegram_send;
mod telegram_updates;
mod telegram_webhook;
mod transfer;
mod transfer_move;
mod web;
