//! `replay --as`: what a subscriber would have been told, by the engine that decides it for everybody. The clock is the data's own: nothing
//! happens between two bodies but what was held until then.

use crate::{
    commands::ImaginedSubscriber,
    domain::{
        AlertId, Candidate, Change, Composition, Decision, Delivery, Digests, Direction, Due, Kind, Lane, MessageBody, Mutes, Nature,
        Reason, Settings, Situation, SummaryCause, Target, Timestamp, TokenId, Told, Wish, wording::Phrase,
    },
    engine::{compose::compose, decide::decide},
};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// One printed decision; its field names are those of the contract.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct DecisionLine {
    decision: &'static str,
    reason: &'static str,
    release_at: Option<String>,
    text: String,
}

/// An alert that waits.
struct Pending {
    due: Due,
    release_at: Timestamp,
}

/// Somebody who has been subscribed since before the first body.
pub(super) struct Follower {
    wishes: ImaginedSubscriber,
    /// Never goes back, even if a body is older than the one before it.
    now: Timestamp,
    pending: BTreeMap<AlertId, Pending>,
    told: BTreeMap<(Kind, TokenId), Told>,
    sent: Vec<Timestamp>,
    digested_at: Option<Timestamp>,
    alerts: i64,
}

impl Follower {
    pub(super) fn new(wishes: ImaginedSubscriber) -> Self {
        Self {
            wishes,
            now: Timestamp::EPOCH,
            pending: BTreeMap::new(),
            told: BTreeMap::new(),
            sent: Vec::new(),
            digested_at: None,
            alerts: 0,
        }
    }

    /// The wanted symbols that are not among these.
    pub(super) fn unknown_symbols(&self, known: &BTreeSet<String>) -> Vec<&str> {
        self.wishes.symbols.iter().filter(|symbol| !known.contains(*symbol)).map(String::as_str).collect()
    }

    /// Hears of what a body changed.
    pub(super) fn hear(&mut self, changes: &[Change], symbol: impl Fn(TokenId) -> String, now: Timestamp) -> Vec<DecisionLine> {
        self.now = self.now.max(now);
        let mut lines = Vec::new();
        for change in changes {
            self.fan_out(change, symbol(change.token), self.now, &mut lines);
        }
        self.compose(self.now, &mut lines);
        lines
    }

    /// Lets everything out that is held until before `end`, each at its time.
    pub(super) fn release_before(&mut self, end: Timestamp) -> Vec<DecisionLine> {
        let mut lines = Vec::new();
        let next = |pending: &BTreeMap<AlertId, Pending>| pending.values().map(|one| one.release_at).min();
        while let Some(at) = next(&self.pending).filter(|at| *at < end) {
            self.now = self.now.max(at);
            self.compose(self.now, &mut lines);
        }
        lines
    }

    fn wish(&self, target: Target) -> Wish {
        Wish { target, direction: self.wishes.direction, delivery: self.wishes.delivery, mention: None, created_at: Timestamp::EPOCH }
    }

    fn wishes_about(&self, token: TokenId, symbol: &str) -> Vec<Wish> {
        let own = self.wishes.tokens.contains(&token) || self.wishes.symbols.contains(&symbol.to_uppercase());
        let targets = [self.wishes.all.then_some(Target::All), own.then_some(Target::Token(token))];
        targets.into_iter().flatten().map(|target| self.wish(target)).collect()
    }

    fn fan_out(&mut self, change: &Change, symbol: String, now: Timestamp, lines: &mut Vec<DecisionLine>) {
        if change.kind != self.wishes.kind {
            return;
        }
        let candidate = Candidate {
            wishes: self.wishes_about(change.token, &symbol),
            excluded: false,
            settings: self.wishes.settings.clone(),
            mutes: Mutes::default(),
            quarantined: false,
            told: self.told.get(&(change.kind, change.token)).copied(),
        };
        let Some(decision) = decide(change, &candidate, now) else { return };
        self.alerts += 1;
        let alert = AlertId(self.alerts);
        let due = Due { alert, created_at: now, reason: decision.reason(), change: change.clone(), symbol, rank: None, link: None };
        if self.supersede(change, now, lines) {
            lines.push(line("skip", Reason::Superseded, None, text_of(&due)));
            return;
        }
        let release_at = match decision {
            Decision::SendNow(_) => now,
            Decision::Hold { until, reason } => {
                lines.push(line("hold", reason, Some(until), text_of(&due)));
                until
            }
            Decision::Skip(reason) => return lines.push(line("skip", reason, None, text_of(&due))),
        };
        self.pending.insert(alert, Pending { due, release_at });
    }

    /// A correction of what still waits cancels it, and is not told itself (`rules.md` 2.9).
    fn supersede(&mut self, change: &Change, now: Timestamp, lines: &mut Vec<DecisionLine>) -> bool {
        let same_token = |other: &Change| (other.kind, other.token) == (change.kind, change.token);
        let is_wrong = |one: &Pending| same_token(&one.due.change) && one.due.change.data_time == change.data_time;
        let Nature::Correction { .. } = change.nature else { return false };
        let Some(wrong) = self.pending.iter().rev().find(|(_, one)| is_wrong(one)).map(|(alert, _)| *alert) else { return false };
        if let Some(cancelled) = self.pending.remove(&wrong) {
            lines.push(line("skip", Reason::Superseded, None, text_of(&cancelled.due)));
        }
        let waits = |one: &&mut Pending| one.due.reason == Reason::NetZero && same_token(&one.due.change);
        self.pending.values_mut().filter(waits).for_each(|one| one.release_at = now);
        true
    }

    /// What is due, with all that is held of the same tokens and whatever turned back before it was told.
    fn due(&self, now: Timestamp) -> Vec<Due> {
        let key = |one: &Pending| (one.due.change.kind, one.due.change.token);
        let due: BTreeSet<_> = self.pending.values().filter(|one| one.release_at <= now).map(key).collect();
        if due.is_empty() {
            return Vec::new();
        }
        let goes = |one: &&Pending| due.contains(&key(one)) || one.due.reason == Reason::NetZero;
        self.pending.values().filter(goes).map(|one| one.due.clone()).collect()
    }

    fn compose(&mut self, now: Timestamp, lines: &mut Vec<DecisionLine>) {
        let due = self.due(now);
        if due.is_empty() {
            return;
        }
        let wishes = due.iter().flat_map(|one| self.wishes_about(one.change.token, &one.symbol)).map(|wish| (self.wishes.kind, wish));
        let situation = Situation {
            settings: self.wishes.settings.clone(),
            mutes: Mutes::default(),
            mentioned_at: None,
            digests: Digests { last: self.digested_at, under_way: false },
            sent: self.sent.clone(),
            told: self.told.clone(),
            wishes: wishes.collect(),
            excluded: BTreeSet::new(),
            due,
        };
        let composition = compose(&situation, now);
        self.take(composition, now, lines);
    }

    fn take(&mut self, composition: Composition, now: Timestamp, lines: &mut Vec<DecisionLine>) {
        for draft in composition.messages {
            let told: Vec<_> = draft.alerts.iter().filter_map(|alert| self.pending.remove(alert)).collect();
            // Whatever came last made it go.
            let reason = told.last().map_or(Reason::Instant, |one| one.due.reason);
            lines.push(line("send", reason, Some(now), draft.body.to_card().plain()));
            if draft.counted {
                self.sent.push(now);
            }
            if draft.lane == Lane::Digest {
                self.digested_at = Some(now);
            }
            for call in draft.body.calls() {
                self.told.insert((call.kind, call.token), Told { stance: call.to, known_at: now, told_at: Some(now) });
            }
        }
        for (alert, until, reason) in composition.holds {
            if let Some(one) = self.pending.get_mut(&alert) {
                if (one.due.reason, one.release_at) != (reason, until) {
                    lines.push(line("hold", reason, Some(until), text_of(&one.due)));
                }
                (one.due.reason, one.release_at) = (reason, until);
            }
        }
        for (alert, reason) in composition.skips {
            if let Some(one) = self.pending.remove(&alert) {
                lines.push(line("skip", reason, None, text_of(&one.due)));
            }
        }
        for (kind, token, stance, _) in composition.passed_over {
            let told_at = self.told.get(&(kind, token)).and_then(|told| told.told_at);
            self.told.insert((kind, token), Told { stance, known_at: now, told_at });
        }
    }
}

fn line(decision: &'static str, reason: Reason, release_at: Option<Timestamp>, text: String) -> DecisionLine {
    let release_at = release_at.filter(|at| *at < Timestamp::NEVER).map(|at| at.to_string());
    DecisionLine { decision, reason: reason.as_str(), release_at, text }
}

/// The line of a summary that tells this alone, whatever limits there are.
fn text_of(due: &Due) -> String {
    let situation = Situation {
        settings: Settings { max_per_hour: 0, ..Settings::default() },
        mutes: Mutes::default(),
        mentioned_at: None,
        digests: Digests::default(),
        sent: Vec::new(),
        told: BTreeMap::new(),
        wishes: vec![(
            due.change.kind,
            Wish {
                target: Target::All,
                direction: Direction::Any,
                delivery: Delivery::Instant,
                mention: None,
                created_at: Timestamp::EPOCH,
            },
        )],
        excluded: BTreeSet::new(),
        due: vec![due.clone()],
    };
    let composition = compose(&situation, due.change.detected_at);
    let calls: Vec<_> = composition.messages.iter().flat_map(|draft| draft.body.calls()).cloned().collect();
    let summary = MessageBody::Summary { cause: SummaryCause::Held, total: calls.len(), calls, compact: false };
    summary.to_card().lines.iter().map(Phrase::plain).collect::<Vec<_>>().join("\n")
}
