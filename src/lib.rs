//! Bellwether: signals come in, are compared with what was known, every difference becomes an alert for those who asked, and each
//! alert reaches its chat once, at a time that chat agreed to, whatever breaks on the way.

pub mod app;
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
pub mod sources;
pub mod store;
pub mod telemetry;
pub mod web;
