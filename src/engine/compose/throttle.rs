//! How many messages may still go within the hour, and whom they may mention (3.4, 3.9).

use super::{
    Entry, HOUR, parts,
    units::{Form, SUMMARY_FROM, Unit},
};
use crate::domain::{Composition, Draft, FollowsHow, Outcome, Reason, Situation, StartTag, Timestamp};
use std::{collections::BTreeSet, iter::repeat_n, time::Duration};

const MENTION_PAUSE: Duration = Duration::from_secs(600);

/// Lets units through until the hour is used up; holds the rest until the oldest message leaves the window (3.4).
pub(super) struct Throttle {
    /// Counted messages that may still go; `None` without a limit.
    left: Option<usize>,
    until: Timestamp,
    may_mention: bool,
}

impl Throttle {
    pub(super) fn new(situation: &Situation, now: Timestamp) -> Self {
        let most = situation.settings.max_per_hour as usize;
        let mut sent: Vec<_> = situation.sent.iter().copied().filter(|at| *at + HOUR > now && *at <= now).collect();
        sent.sort();
        // What waits may go at any time: it has its place in the hour.
        sent.extend(repeat_n(now, situation.waiting.counted));
        let left = (most > 0).then(|| most.saturating_sub(sent.len()));
        // There is room again once fewer than `most` are left in the window.
        let leaves = sent.len().checked_sub(most.max(1)).and_then(|index| sent.get(index)).or(sent.first());
        Self {
            left,
            until: leaves.map_or(now + HOUR, |at| *at + HOUR),
            may_mention: !situation.waiting.mentions && situation.mentioned_at.is_none_or(|at| at + MENTION_PAUSE <= now),
        }
    }

    pub(super) fn place(&mut self, unit: Unit, composition: &mut Composition) {
        if !unit.counts() {
            return self.draft(unit, composition);
        }
        if self.left != Some(0) {
            self.left = self.left.map(|left| left - 1);
            return self.draft(unit, composition);
        }
        let (corrections, others): (Vec<_>, Vec<_>) = unit.entries.into_iter().partition(|entry| entry.call.outcome == Outcome::Corrected);
        for alert in others.into_iter().flat_map(|entry| entry.alerts) {
            composition.holds.push((alert, self.until, Reason::HourlyCap));
        }
        composition.holds.extend(unit.too_old.into_iter().map(|alert| (alert, self.until, Reason::Quarantined)));
        if corrections.len() >= SUMMARY_FROM {
            self.draft(Unit::summary(corrections), composition);
        } else {
            corrections.into_iter().for_each(|entry| self.draft(Unit::single(entry), composition));
        }
    }

    fn draft(&mut self, unit: Unit, composition: &mut Composition) {
        let counted = unit.counts();
        let roles: BTreeSet<_> = unit.entries.iter().flat_map(|entry| entry.roles.iter().cloned()).collect();
        let follows = if unit.form == Form::Single { unit.entries.first().and_then(Entry::follows) } else { None };
        // An edit reaches nobody who is not looking.
        let is_edit = follows.as_ref().is_some_and(|follows| follows.how == FollowsHow::Edits);
        let mention = if self.may_mention && !is_edit { roles.into_iter().collect() } else { Vec::new() };
        self.may_mention &= mention.is_empty();
        let lane = unit.lane;
        let parts = match unit.form {
            Form::Single => parts::singles(unit.entries),
            Form::Summary(cause) => parts::summary(cause, unit.entries, unit.too_old),
            Form::Digest(delivery) => parts::digest(delivery, unit.entries),
        };
        for (index, (body, alerts)) in parts.into_iter().enumerate() {
            let first = index == 0;
            let mention = if first { mention.clone() } else { Vec::new() };
            let start_tag = StartTag::default();
            composition.messages.push(Draft {
                lane,
                start_tag,
                body,
                counted: counted && first,
                mention,
                alerts,
                follows: follows.clone(),
            });
        }
    }
}
