//! The desk: takes a request, carries it out, answers.

use super::{Choice, Completion, Presence, Reply, Request};
use crate::{
    clock::SharedClock,
    domain::{
        DestinationId, QuarantineReason, Token,
        wording::{Card, Phrase, ReplyPhrase, Tone},
    },
    store::Store,
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

impl Desk {
    /// A desk and the look-ups that it will ask for.
    pub fn new(store: Store, clock: SharedClock) -> (Self, mpsc::Receiver<LookupRequest>) {
        let (lookups, requests) = mpsc::channel(64);
        (Self { store, clock, lookups }, requests)
    }

    /// Carries out a command and answers it. Internal errors are logged here and answered with an apology.
    pub async fn answer(&self, _request: &Request) -> Reply {
        Reply { card: Card::new(Tone::Problem, Phrase::Reply(ReplyPhrase::NotAdvice)), follow_up: None }
    }

    /// Suggestions for a half-typed option, at most 25; never asks the source.
    pub async fn complete(&self, _completion: &Completion) -> Vec<Choice> {
        Vec::new()
    }

    /// Takes note of what a platform says of the bot's own presence.
    pub async fn presence(&self, _presence: &Presence) {}

    /// Takes note of how opening someone's direct messages went: the channel's id, or why not (`rules.md` 5.7).
    pub async fn direct_messages_opened(&self, _destination: DestinationId, _outcome: Result<String, QuarantineReason>) {}
}
