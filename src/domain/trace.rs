//! What became of one change for one destination: what `/why` tells of a token, and of an alert.

use super::{Address, AlertState, Change, Reason, Target, Timestamp};

/// The way of a change to a destination, as far as it went.
#[derive(Clone, Debug, PartialEq)]
pub struct Trace {
    /// What changed.
    pub change: Change,
    /// When the poll that saw it began.
    pub polled_at: Timestamp,
    /// Whether its subscribers are still being looked through, and this destination was not reached yet.
    pub under_way: bool,
    /// Whether `all` means its token at present.
    pub in_all: bool,
    /// The alert that was made of it for this destination.
    pub alert: Option<TracedAlert>,
    /// The subscriptions of now that it would match, each with when it began: they say why there is no alert.
    pub subscriptions: Vec<(Target, Timestamp)>,
    /// Whether the destination left the token out of its `all`.
    pub excluded: bool,
}

/// The way of one alert, as far as it went.
#[derive(Clone, Debug, PartialEq)]
pub struct AlertTrace {
    /// What changed.
    pub change: Change,
    /// The token's symbol.
    pub symbol: String,
    /// Where to read more.
    pub link: Option<String>,
    /// When the poll that saw it began.
    pub polled_at: Timestamp,
    /// Where it is told.
    pub address: Address,
    /// What was decided, and what came of that.
    pub alert: TracedAlert,
}

/// What was decided, and what came of that.
#[derive(Clone, Debug, PartialEq)]
pub struct TracedAlert {
    /// Why it was sent, held or skipped: the last reason of several.
    pub reason: Reason,
    /// What became of it.
    pub state: AlertState,
    /// When it was first decided about.
    pub decided_at: Timestamp,
    /// Until when it was held; none where it was not.
    pub held_until: Option<Timestamp>,
    /// A message has told it already, and it waits all the same: the call is unstable (F1).
    pub was_told: bool,
    /// The message that carries it.
    pub message: Option<TracedMessage>,
}

/// The message of an alert.
#[derive(Clone, Debug, PartialEq)]
pub struct TracedMessage {
    /// When it was composed.
    pub composed_at: Timestamp,
    /// How many alerts it carries.
    pub alerts: u32,
    /// Whether the alert is one of those that were too old to be told by then: it says how many there are (K2).
    pub only_counts_it: bool,
    /// How often it was tried.
    pub attempts: u32,
    /// How that went.
    pub fate: Fate,
}

/// How the sending of a message went.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// It waits for its turn or its next try.
    Waits,
    /// The platform took it.
    Sent {
        /// Then.
        at: Timestamp,
    },
    /// It could not be delivered: operators see it.
    Dead,
    /// An operator dropped it.
    Dropped,
}
