//! `replay --as`: what a subscriber would have been told, as lines. The clock is the data's own: nothing happens between two bodies but
//! what was held until then.

use crate::{
    commands::ImaginedSubscriber,
    domain::{
        Change, Delivery, Direction, Due, Kind, MessageBody, Reason, Settings, SummaryCause, Target, Timestamp, TokenId, Wish,
        wording::Phrase,
    },
    engine::follower::{Follower, News, Step},
};
use serde::Serialize;
use std::collections::BTreeSet;

/// One printed decision; its field names are those of the contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct DecisionLine {
    decision: &'static str,
    reason: &'static str,
    release_at: Option<String>,
    text: String,
}

/// Somebody who has been subscribed since before the first body.
pub(super) struct Subscriber {
    wishes: ImaginedSubscriber,
    follower: Follower,
}

impl Subscriber {
    pub(super) fn new(wishes: ImaginedSubscriber) -> Self {
        let mut subscriber = Self { follower: Follower::new(wishes.settings.clone()), wishes };
        if subscriber.wishes.all {
            subscriber.subscribe(Target::All);
        }
        for token in subscriber.wishes.tokens.clone() {
            subscriber.subscribe(Target::Token(token));
        }
        subscriber
    }

    fn subscribe(&mut self, target: Target) {
        let ImaginedSubscriber { kind, direction, delivery, .. } = self.wishes;
        self.follower.subscribe(kind, Wish { target, direction, delivery, mention: None, created_at: Timestamp::EPOCH, threshold: None });
    }

    /// The wanted symbols that are not among these.
    pub(super) fn unknown_symbols(&self, known: &BTreeSet<String>) -> Vec<&str> {
        self.wishes.symbols.iter().filter(|symbol| !known.contains(*symbol)).map(String::as_str).collect()
    }

    /// Hears of what a body of this kind, which is a poll of its own, changed.
    pub(super) fn hear(&mut self, kind: Kind, changes: &[Change], symbol: impl Fn(TokenId) -> String, now: Timestamp) -> Vec<DecisionLine> {
        let news = |change: &Change| News { change: change.clone(), symbol: symbol(change.token), rank: None, link: None };
        let news: Vec<News> = changes.iter().map(news).collect();
        for News { change, symbol, .. } in &news {
            // Which token a symbol means is known once a body names it.
            if self.wishes.symbols.contains(&symbol.to_uppercase()) {
                self.subscribe(Target::Token(change.token));
            }
        }
        self.follower.polled(kind, now, now);
        self.follower.hear(&news, now).into_iter().map(step_line).collect()
    }

    /// Lets everything out that is held until before `end`, each at its time.
    pub(super) fn release_before(&mut self, end: Timestamp) -> Vec<DecisionLine> {
        self.follower.release_before(end).into_iter().map(step_line).collect()
    }
}

fn step_line(step: Step) -> DecisionLine {
    match step {
        Step::Held { due, until, reason } => line("hold", reason, Some(until), text_of(&due)),
        Step::Skipped { due, reason } => line("skip", reason, None, text_of(&due)),
        Step::Sent { at, reason, draft } => line("send", reason, Some(at), draft.body.to_card().plain()),
    }
}

fn line(decision: &'static str, reason: Reason, release_at: Option<Timestamp>, text: String) -> DecisionLine {
    let release_at = release_at.filter(|at| *at < Timestamp::NEVER).map(|at| at.to_string());
    DecisionLine { decision, reason: reason.as_str(), release_at, text }
}

/// The line of a summary that tells this alone, whatever limits there are.
fn text_of(due: &Due) -> String {
    let Due { change, symbol, rank, link, .. } = due.clone();
    let (kind, now) = (change.kind, change.detected_at);
    let mut follower = Follower::new(Settings { max_per_hour: 0, ..Settings::default() });
    let (target, direction, delivery) = (Target::All, Direction::Any, Delivery::Instant);
    follower.subscribe(kind, Wish { target, direction, delivery, mention: None, created_at: Timestamp::EPOCH, threshold: None });
    let calls = |step| match step {
        Step::Sent { draft, .. } => draft.body.calls().to_vec(),
        Step::Held { .. } | Step::Skipped { .. } => Vec::new(),
    };
    let calls: Vec<_> = follower.hear(&[News { change, symbol, rank, link }], now).into_iter().flat_map(calls).collect();
    let summary = MessageBody::Summary { cause: SummaryCause::Held, total: calls.len(), calls, compact: false, older: 0 };
    summary.to_card().lines.iter().map(Phrase::plain).collect::<Vec<_>>().join("\n")
}
