//! What people can type, on any platform: a [`Request`] comes in, a [`Reply`] goes out.
//!
//! This room knows no platform: an adapter turns what was typed into a request, adds the facts that only the platform can tell (who is
//! an administrator, what the bot may do in a channel), and renders the reply. What may be done is decided here, each time.

mod catalog;
mod desk;
mod request;

pub use catalog::{CommandSpec, OptionKind, OptionSpec, Scope};
pub use desk::{Desk, LookupRequest, LookupResult};
pub use request::{
    Actor, ChannelFacts, ChannelProblem, Choice, Command, Completion, FollowUp, Invocation, Presence, Reply, Request, RoleFacts, Standing,
    Venue,
};
