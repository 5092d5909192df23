//! Telegram: sends through one method call at a time ([`Telegram`] is a [`Messenger`](super::Messenger)) and takes commands by long
//! polling or by webhook ([`Updates`]). Own transport, because code, parameters and raw body of an answer decide what happens next.
//!
//! What a command does is `commands`' business; what to do about a failed send is `pipeline::deliver`'s.

mod access;
mod api;
mod arrivals;
mod channel;
mod convert;
mod door;
mod draft;
mod errors;
mod flood;
mod handle;
mod invite;
mod limits;
mod messenger;
mod poll;
mod press;
mod register;
mod render;
mod updates;
mod webhook;
mod wire;

pub use api::ApiError;
pub use door::{BODY_LIMIT, router};
pub use errors::trouble_of_delivery;
pub use messenger::{Telegram, TelegramSettings};
pub use register::Me;
pub use updates::{Updates, UpdatesError};
pub use webhook::{WEBHOOK_PATH, Webhook, WebhookInfo};
