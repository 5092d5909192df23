//! Discord: messages go out through the REST API, commands come in at `/discord/interactions` as signed requests, or over the Gateway.
//!
//! Here lives everything that knows Discord's shapes, limits and error codes. What a command means is the desk's business, what to do
//! about a failed message `pipeline::deliver`'s. No SQL, no Telegram, no rules about alerts.

mod answer;
mod application;
mod client;
mod convert;
mod door;
mod errors;
mod facts;
mod gateway;
mod interactions;
mod invite;
mod key;
mod limits;
mod messenger;
mod payload;
mod permissions;
mod register;
mod render;
mod transport;
mod turns;

pub use application::{Application, BotUser};
pub use client::{ApiError, Discord, DiscordSettings};
pub use door::{BODY_LIMIT, router};
pub use gateway::{Gateway, GatewayError, GatewayFound, Pauses, Seat, Seats, ShardId};
pub use invite::invite_link;
pub use key::{PublicKey, PublicKeyError};
pub use register::Registered;
