//! Bellwether: signals come in, are compared with what was known, every difference becomes an alert for those who asked, and each
//! alert reaches its chat once, at a time that chat agreed to, whatever breaks on the way.
//!
//! The map, in the order in which a reader may want it:
//!
//! - [`domain`]: the vocabulary, and every sentence that a person reads ([`domain::wording`]).
//! - [`engine`]: the rules, as pure functions: what is a change, who is told, when, in how many messages.
//! - [`pipeline`]: the shell around the engine: poll, ingest, fan-out, compose, deliver. [`pipeline::ingest`] is the shortest way in.
//! - [`commands`]: what people type; [`sources`]: where signals come from; [`chat`]: where alerts go.
//! - [`chart`]: pictures of a token's past, values in and bytes out.
//! - [`cache`]: what is made once for all who ask: pictures, scorecards.
//! - [`store`]: all SQL, for SQLite and PostgreSQL.
//! - [`transfer`]: what leaves as one document and comes back: its format, its limits, how it differs from what is there.
//! - [`web`]: health, metrics and the routes that platforms call.
//! - [`app`]: wires all of it; [`cli`]: the shell commands; [`demo`]: the simulated market.
//! - [`config`], [`clock`], [`random`], [`http`], [`telemetry`]: the environment, the time, randomness, the one outgoing client, what an
//!   operator sees.
//!
//! `ARCHITECTURE.md` says why it is so, and what each room must never know.

pub mod app;
pub mod cache;
pub mod chart;
pub mod chat;
pub mod cli;
pub mod clock;
pub mod commands;
pub mod config;
pub mod demo;
pub mod domain;
pub mod engine;
pub mod http;
pub mod pipeline;
pub mod random;
pub mod sources;
pub mod store;
pub mod telemetry;
pub mod transfer;
pub mod web;
