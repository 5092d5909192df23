//! The desk: takes a request, carries it out, answers.

use super::{Choice, Completion, FollowUp, Presence, Reply, Request};
use crate::{
    clock::SharedClock,
    domain::{Address, DestinationId, QuarantineReason, Token},
    store::{Store, StoreResult},
};
use tokio::sync::{mpsc, oneshot};

/// Answers every command of every platform. Cheap to clone.
#[derive(Clone)]
pub struct Desk {
    store: Store,
    clock: SharedClock,
    lookups: mpsc::Sender<LookupRequest>,
}

/// A symbol or id that the directory lacks: `pipeline::lookup` asks the source (`rules.md` 1.7).
#[derive(Debug)]
pub struct LookupRequest {
    /// Who wants to know, as `platform:user`: the daily count is theirs.
    pub person: String,
    /// The symbol, or `#id`.
    pub query: String,
    /// Where the answer goes.
    pub answer: oneshot::Sender<LookupResult>,
}

/// What a look-up brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookupResult {
    /// These tokens; now in the directory. None: there is no such token.
    Found(Vec<Token>),
    /// The person's or everybody's count of the day is used up.
    OverLimit,
    /// The source did not answer, or the month's budget is used up.
    Unavailable,
}
