//! Everything that a database holds, as rows of a document, out of one and into another: `export` and `import`.
//!
//! How a value is written stands in `transfer/cells.rs`, which rows there are in `transfer/sections.rs`. What a file may hold and how it
//! differs from what is there is judged by `crate::transfer`, which knows no SQL.
//!
//! Left out on purpose: `leases` (of a process), `deep_links` (of ten minutes), `polls` without changes, alerts and messages that are done with, and the rows' own numbers
//! where nothing refers to them.

mod cells;
mod plan;
mod read;
#[macro_use]
mod section;
mod sections;
mod write;

pub use cells::Number;
pub use plan::{ImportError, Plan, Present, SectionDigest, StatePlan};
pub use read::{ExportError, Rows, Scope};
pub use section::Section;
pub use sections::{
    Alert, Attempt, AuditRecord, Button, Call, Change, Destination, Exclusion, FanOut, FeedState, Lookup, Message, MessageAlert, Mute,
    Notice, Observation, Poll, Reach, SeenRequest, Stance, Subscription, Token, Told, UntoldNews, Update,
};

use serde::Deserialize;

/// Calls a macro with every section of the state, in an order in which rows come after those that they refer to.
macro_rules! for_state {
    ($do:ident, $($with:tt)*) => {
        $do! { $($with)* [
            tokens: Token, feeds: FeedState, lookups: Lookup, stances: Stance, observations: Observation, polls: Poll, changes: Change,
            fan_outs: FanOut, reach: Reach, alerts: Alert, messages: Message, message_alerts: MessageAlert, attempts: Attempt, told: Told,
            untold_news: UntoldNews, buttons: Button, audit: AuditRecord, notices: Notice, requests_seen: SeenRequest, updates_seen: Update
        ] }
    };
}
/// Calls a macro with every section of the configuration, likewise.
macro_rules! for_configuration {
    ($do:ident, $($with:tt)*) => {
        $do! { $($with)* [destinations: Destination, subscriptions: Subscription, exclusions: Exclusion, mutes: Mute] }
    };
}
pub(crate) use {for_configuration, for_state};

macro_rules! structure {
    ($(#[$doc:meta])* $name:ident [$($field:ident: $row:ident),*]) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $(#[doc = concat!("The rows of `", stringify!($field), "`.")] pub $field: Vec<$row>),*
        }
    };
}

for_configuration!(structure,
    /// Who is told of what.
    Configuration
);
for_state!(structure,
    /// What is known and under way, but for the calls that were made.
    State
);

macro_rules! statements {
    ([$($field:ident: $row:ident),*]) => {
        &[$(<$row as Section>::READ),*]
    };
}
macro_rules! writes {
    ([$($field:ident: $row:ident),*]) => {
        &[$(<$row as Section>::WRITE),*]
    };
}

/// What reads and writes the sections.
pub(in crate::store) const PAIRS: &[&[(&str, &str)]] = &[
    for_configuration!(statements,),
    for_configuration!(writes,),
    for_state!(statements,),
    &[Call::READ, Call::WRITE],
    write::PAIRS,
    write::REMOVE_PLACES,
    write::NUMBER_ON,
];
/// What is the same on both databases.
pub(in crate::store) const STATEMENTS: &[&[&str]] = &[write::STATEMENTS, write::CLEAR];
