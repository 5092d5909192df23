//! What people can type, on any platform: a [`Request`] comes in, a [`Reply`] goes out.
//!
//! This room knows no platform: an adapter turns what was typed into a request, adds the facts that only the platform can tell (who is
//! an administrator, what the bot may do in a channel), and renders the reply. What may be done is decided here, each time.

mod authorize;
mod buttons;
mod catalog;
mod channel;
mod complete;
mod deep_links;
mod desk;
mod help;
mod history;
mod imagined;
mod inbox;
mod insight;
mod lookup;
mod message_reference;
mod mute;
mod options;
mod place;
mod presence;
mod preview;
mod privacy;
mod request;
mod resolve;
mod setting_words;
mod settings;
mod signal;
mod status;
mod subscribe;
mod subscriptions;
mod tokens;
mod unsubscribe;
mod why;
pub mod words;

pub use crate::store::TakenUp;
pub use authorize::{Action, Refusal, authorize};
pub use buttons::ButtonCommand;
pub use catalog::{CATALOG, CommandSpec, OptionKind, OptionSpec, Scope, channel_subcommands, command_named, telegram_commands};
pub use deep_links::DEEP_LINK_VALID;
pub use desk::{Desk, DeskSettings};
pub use imagined::ImaginedSubscriber;
pub use inbox::{Answer, Inbox, InboxError};
pub use insight::InsightRequest;
pub use lookup::{Inquiries, LookupRequest, LookupResult};
pub use request::{
    Actor, ChannelFacts, ChannelProblem, Choice, Command, Completion, FollowUp, Invocation, Presence, Reply, Request, RoleFacts, Standing,
    Venue,
};
