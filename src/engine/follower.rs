//! One subscriber in memory: what fan-out, composing and delivery would make of changes for somebody who is always reached at once.
//!
//! `replay --as` and previews answer through it, and simulations hold what the database did against it. The same decisions as everywhere;
//! only what the database remembers between them is remembered here.

use super::{compose::compose, decide::decide};
use crate::domain::{
    AlertId, Call, Candidate, Change, Composition, Decision, Digests, Draft, Due, Kind, Lane, LastPolls, MAX_CONFIRMATION_POLLS, Mutes,
    Nature, Outcome, Reason, Settings, Situation, Target, Timestamp, Timing, TokenId, Told, Waiting, Wish,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// The window of the limit per hour (`rules.md` 3.4).
const HOUR: Duration = Duration::from_secs(3600);

/// A change with what is known of its token.
#[derive(Clone, Debug)]
pub struct News {
    /// What happened.
    pub change: Change,
    /// The token's symbol.
    pub symbol: String,
    /// Its rank by market cap, where it has one.
    pub rank: Option<u32>,
    /// Where to read more.
    pub link: Option<String>,
}

/// What became of an alert, or of several.
#[derive(Clone, Debug)]
pub enum Step {
    /// It waits.
    Held {
        /// Which.
        due: Box<Due>,
        /// Not before.
        until: Timestamp,
        /// Why.
        reason: Reason,
    },
    /// It is not told.
    Skipped {
        /// Which.
        due: Box<Due>,
        /// Why.
        reason: Reason,
    },
    /// A message was sent.
    Sent {
        /// When.
        at: Timestamp,
        /// Why: the reason of what came last.
        reason: Reason,
        /// Which.
        draft: Box<Draft>,
    },
}

struct Pending {
    due: Due,
    release_at: Timestamp,
    /// It was told once already, of an unstable call.
    told: bool,
}

/// Somebody who hears of changes.
pub struct Follower {
    settings: Settings,
    wishes: Vec<(Kind, Wish)>,
    mutes: Mutes,
    /// Never goes back, even if news is older than what came before it.
    now: Timestamp,
    pending: BTreeMap<AlertId, Pending>,
    told: BTreeMap<(Kind, TokenId), Told>,
    /// When calls turned, as long as that is a sign of anything.
    turns: BTreeMap<(Kind, TokenId), Vec<Timestamp>>,
    /// When the last polls began.
    polls: BTreeMap<Kind, LastPolls>,
    sent: Vec<Timestamp>,
    mentioned_at: Option<Timestamp>,
    digested_at: Option<Timestamp>,
    alerts: i64,
}

impl Follower {
    /// Somebody with these settings who wants nothing yet.
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            wishes: Vec::new(),
            mutes: Mutes::default(),
            now: Timestamp::EPOCH,
            pending: BTreeMap::new(),
            told: BTreeMap::new(),
            turns: BTreeMap::new(),
            polls: BTreeMap::new(),
            sent: Vec::new(),
            mentioned_at: None,
            digested_at: None,
            alerts: 0,
        }
    }

    /// Wants to hear of this from now on; once, however often it is said.
    pub fn subscribe(&mut self, kind: Kind, wish: Wish) {
        if !self.wishes.iter().any(|(of, own)| (*of, own.target) == (kind, wish.target)) {
            self.wishes.push((kind, wish));
        }
    }

    /// Wants to be quiet about this.
    pub fn mute(&mut self, mutes: Mutes) {
        self.mutes = mutes;
    }

    /// What waits, with what was told to be unstable and waits for its last word.
    pub fn waiting(&self) -> impl Iterator<Item = &Due> {
        self.pending.values().map(|one| &one.due)
    }

    /// What waits and was never told.
    pub fn untold(&self) -> impl Iterator<Item = &Due> {
        self.pending.values().filter(|one| !one.told).map(|one| &one.due)
    }

    /// What it was last told of a token.
    pub fn told(&self, kind: Kind, token: TokenId) -> Option<Told> {
        self.told.get(&(kind, token)).copied()
    }

    /// A poll that began then was complete. What it changed is heard next.
    pub fn polled(&mut self, kind: Kind, began: Timestamp, now: Timestamp) {
        self.now = self.now.max(now);
        let polls = &mut self.polls.entry(kind).or_default().began;
        polls.push(began);
        polls.drain(..polls.len().saturating_sub(MAX_CONFIRMATION_POLLS as usize));
        let (now, waits) = (self.now, |one: &&mut Pending| one.due.reason == Reason::MorePolls && one.due.change.kind == kind);
        self.pending.values_mut().filter(waits).for_each(|one| one.release_at = now);
    }

    /// Hears of what one poll changed.
    pub fn hear(&mut self, news: &[News], now: Timestamp) -> Vec<Step> {
        self.now = self.now.max(now);
        let mut steps = Vec::new();
        for news in news {
            self.fan_out(news, &mut steps);
        }
        self.compose(&mut steps);
        steps
    }

    /// Lets everything out that is held until before `end`, each at its time.
    pub fn release_before(&mut self, end: Timestamp) -> Vec<Step> {
        let mut steps = Vec::new();
        while let Some(at) = self.pending.values().map(|one| one.release_at).min().filter(|at| *at < end) {
            self.now = self.now.max(at);
            self.compose(&mut steps);
        }
        steps
    }

    fn wishes_about(&self, kind: Kind, token: TokenId) -> impl Iterator<Item = &Wish> {
        let concerns = move |wish: &Wish| matches!(wish.target, Target::All) || wish.target == Target::Token(token);
        self.wishes.iter().filter(move |(of, wish)| *of == kind && concerns(wish)).map(|(_, wish)| wish)
    }

    fn fan_out(&mut self, news: &News, steps: &mut Vec<Step>) {
        let change = &news.change;
        let wishes: Vec<_> = self.wishes_about(change.kind, change.token).cloned().collect();
        if wishes.is_empty() {
            return;
        }
        let candidate = Candidate {
            wishes,
            excluded: false,
            settings: self.settings.clone(),
            mutes: self.mutes.clone(),
            quarantined: false,
            told: self.told(change.kind, change.token),
        };
        self.note_turn(change);
        let Some(decision) = decide(change, &candidate, self.now) else { return };
        self.alerts += 1;
        let alert = AlertId(self.alerts);
        let News { change, symbol, rank, link } = news.clone();
        let due = Due { alert, created_at: self.now, reason: decision.reason(), change, symbol, rank, link, told_in: None };
        if self.supersede(&due.change, steps) {
            return steps.push(Step::Skipped { due: due.into(), reason: Reason::Superseded });
        }
        let release_at = match decision {
            Decision::SendNow(_) => self.now,
            Decision::Hold { until, reason } => {
                steps.push(Step::Held { due: due.clone().into(), until, reason });
                until
            }
            Decision::Skip(reason) => return steps.push(Step::Skipped { due: due.into(), reason }),
        };
        self.pending.insert(alert, Pending { due, release_at, told: false });
    }

    fn note_turn(&mut self, change: &Change) {
        let Some(window) = change.kind.settles_after() else { return };
        if change.nature == Nature::Turned && change.timing != Timing::History && change.from.is_some() {
            let (now, turns) = (self.now, self.turns.entry((change.kind, change.token)).or_default());
            turns.retain(|at| *at + window > now);
            turns.push(change.detected_at);
        }
    }

    /// What was told to be unstable is told once more, when it has settled.
    fn await_settling(&mut self, call: &Call, told: &[Pending]) {
        let is_of = |one: &&Pending| (one.due.change.kind, one.due.change.token) == (call.kind, call.token);
        let newest = told.iter().rev().find(is_of).filter(|_| call.outcome == Outcome::Unstable);
        if let (Some(Pending { due, .. }), Some(window)) = (newest, call.kind.settles_after()) {
            let due = Due { reason: Reason::Flapping, ..due.clone() };
            self.pending.insert(due.alert, Pending { due, release_at: call.seen_at + window, told: true });
        }
    }

    /// A correction of what still waits cancels it, and is not told itself (`rules.md` 2.9).
    fn supersede(&mut self, change: &Change, steps: &mut Vec<Step>) -> bool {
        let same_token = |other: &Change| (other.kind, other.token) == (change.kind, change.token);
        let is_wrong = |one: &Pending| !one.told && same_token(&one.due.change) && one.due.change.data_time == change.data_time;
        let Nature::Correction { .. } = change.nature else { return false };
        let Some(wrong) = self.pending.iter().rev().find(|(_, one)| is_wrong(one)).map(|(alert, _)| *alert) else { return false };
        if let Some(cancelled) = self.pending.remove(&wrong) {
            steps.push(Step::Skipped { due: cancelled.due.into(), reason: Reason::Superseded });
        }
        let (now, waits) = (self.now, |one: &&mut Pending| one.due.reason == Reason::NetZero && same_token(&one.due.change));
        self.pending.values_mut().filter(waits).for_each(|one| one.release_at = now);
        true
    }

    /// What is due, with all that is held of the same tokens and whatever turned back before it was told.
    fn due(&self) -> Vec<Due> {
        let key = |one: &Pending| (one.due.change.kind, one.due.change.token);
        let due: BTreeSet<_> = self.pending.values().filter(|one| one.release_at <= self.now).map(key).collect();
        if due.is_empty() {
            return Vec::new();
        }
        // What had turned back is no line beside a turn that is held.
        let held: BTreeSet<_> = self.pending.values().filter(|one| one.due.reason != Reason::NetZero).map(key).collect();
        let goes = |one: &&Pending| due.contains(&key(one)) || !held.contains(&key(one));
        self.pending.values().filter(goes).map(|one| one.due.clone()).collect()
    }

    fn compose(&mut self, steps: &mut Vec<Step>) {
        let due = self.due();
        if due.is_empty() {
            return;
        }
        let situation = Situation {
            settings: self.settings.clone(),
            mutes: self.mutes.clone(),
            mentioned_at: self.mentioned_at,
            digests: Digests { last: self.digested_at, under_way: false },
            waiting: Waiting::default(),
            sent: self.sent.clone(),
            told: self.told.clone(),
            turns: self.turns.clone(),
            polls: self.polls.clone(),
            wishes: self.wishes.clone(),
            excluded: BTreeSet::new(),
            due,
        };
        let composition = compose(&situation, self.now);
        self.take(composition, steps);
    }

    fn take(&mut self, composition: Composition, steps: &mut Vec<Step>) {
        let now = self.now;
        for draft in composition.messages {
            let told: Vec<_> = draft.alerts.iter().filter_map(|alert| self.pending.remove(alert)).collect();
            // Whatever came last made it go.
            let reason = told.last().map_or(Reason::Instant, |one| one.due.reason);
            self.sent.retain(|at| *at + HOUR > now);
            self.sent.extend(draft.counted.then_some(now));
            self.mentioned_at = if draft.mention.is_empty() { self.mentioned_at } else { Some(now) };
            self.digested_at = if draft.lane == Lane::Digest { Some(now) } else { self.digested_at };
            for call in draft.body.stances() {
                let unstable = call.outcome == Outcome::Unstable;
                self.told.insert((call.kind, call.token), Told { stance: call.to, known_at: now, told_at: Some(now), unstable });
                self.await_settling(call, &told);
            }
            steps.push(Step::Sent { at: now, reason, draft: draft.into() });
        }
        for (alert, until, reason) in composition.holds {
            if let Some(one) = self.pending.get_mut(&alert) {
                if (one.due.reason, one.release_at) != (reason, until) {
                    steps.push(Step::Held { due: one.due.clone().into(), until, reason });
                }
                (one.due.reason, one.release_at) = (reason, until);
            }
        }
        for (alert, reason) in composition.skips {
            steps.extend(self.pending.remove(&alert).map(|one| Step::Skipped { due: one.due.into(), reason }));
        }
        for (kind, token, stance, _) in composition.passed_over {
            let told_at = self.told(kind, token).and_then(|told| told.told_at);
            self.told.insert((kind, token), Told { stance, known_at: now, told_at, unstable: false });
        }
    }
}

#[cfg(test)]
mod properties;
