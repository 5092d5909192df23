//! Telegram: sends through one method call at a time ([`Telegram`] is a [`Messenger`](super::Messenger)) and takes commands by long
//! polling ([`Updates`]). Own transport, because code, parameters and raw body of an answer decide what happens next.
//!
//! What a command does is `commands`' business; what to do about a failed send is `pipeline::deliver`'s.

mod access;
mod api;
mod convert;
mod errors;
mod flood;
mod handle;
mod limits;
mod messenger;
mod poll;
mod register;
mod render;
mod updates;
mod wire;

pub use api::ApiError;
pub use messenger::{Telegram, TelegramSettings};
pub use poll::PollError;
pub use register::Me;
pub use updates::Updates;
