//! What the due alerts of one call come to, against what the chat knows, and what keeps that from being told now.

use super::{
    super::{
        decide::{confirmed_at, cooldown_end},
        diff::levels::furthest_first,
        flap::{Stability, stability},
    },
    Key, LOOK_AGAIN, Topic,
};
use crate::domain::{
    Confirmation, Crossing, Delivery, Due, Level, Line, Nature, Outcome, PollShare, Reason, Situation, Stance, Timestamp, Timing, Told,
    Way, Wish,
};

/// The due alerts of one call, in order of time, and what the chat knows of it.
pub(super) struct Net<'a> {
    pub(super) key: Key,
    pub(super) group: &'a [(&'a Due, &'a Wish)],
    pub(super) last: &'a Due,
    pub(super) wish: &'a Wish,
    /// What it knows, or what the call was before.
    pub(super) base: Option<Stance>,
    /// What the call is now; of levels, the furthest of those that are still crossed.
    pub(super) to: Stance,
    /// What the crossings of levels come to.
    pub(super) crossing: Option<Box<Crossing>>,
    /// The price came back across all of them.
    came_back: bool,
    told: Option<Told>,
    stability: Stability,
}

/// What becomes of alerts that are not told now.
pub(super) enum Kept {
    /// They wait.
    Held {
        /// Not before.
        until: Timestamp,
        /// Why.
        reason: Reason,
    },
    /// They are not told at all.
    Dropped {
        /// Why.
        reason: Reason,
    },
}

impl<'a> Net<'a> {
    /// Nothing where there is no alert.
    pub(super) fn of((key, line): Topic, group: &'a [(&'a Due, &'a Wish)], situation: &Situation, now: Timestamp) -> Option<Self> {
        let ((first, _), (last, wish)) = (*group.first()?, *group.last()?);
        let told = situation.told.get(&key).copied().filter(|_| line.is_none());
        // What was told to an earlier subscription is not known to this one.
        let known = told.filter(|told| told.known_at >= wish.created_at);
        let stability = stability_for(key, wish, known, situation, now);
        let mut net = Self {
            key,
            group,
            last,
            wish,
            base: known.map(|told| told.stance).or(first.change.from),
            to: last.change.to,
            crossing: last.change.crossing.clone(),
            came_back: false,
            told,
            stability,
        };
        if net.crossing.is_some() {
            net.sum_up_crossings();
        }
        Some(net)
    }

    /// Of levels it is not the last turn that counts, but which of them are crossed now and were not before.
    fn sum_up_crossings(&mut self) {
        self.base = None;
        match still_crossed(self.group) {
            Some((line, crossing)) => (self.to, self.crossing) = (Stance::Beyond(line), Some(crossing.into())),
            None => self.came_back = true,
        }
    }

    /// What a later row says is no correction, whatever was corrected before it.
    fn is_correction(&self) -> bool {
        matches!(self.last.change.nature, Nature::Correction { .. })
    }

    fn at_once(&self) -> bool {
        self.wish.delivery == Delivery::Instant
    }

    /// What it is, if it is told.
    pub(super) fn outcome(&self) -> Outcome {
        match (self.stability, self.came_back || self.base == Some(self.to), self.is_correction()) {
            (Stability::Settled, ..) => Outcome::Settled,
            (_, true, _) => Outcome::FlippedBack,
            (_, false, true) => Outcome::Corrected,
            (Stability::Unstable, false, false) => Outcome::Unstable,
            (_, false, false) => Outcome::Turned,
        }
    }

    /// What keeps it from being told now, if anything does.
    pub(super) fn kept(&self, situation: &Situation, now: Timestamp) -> Option<Kept> {
        // Whoever wants one direction alone is told, or not, of what it has settled to.
        if let Stability::Unsettled { until } = self.stability {
            return Some(Kept::Held { until, reason: Reason::Flapping });
        }
        if !self.wish.direction.admits(self.to.way_from(self.base)) {
            return Some(Kept::Dropped { reason: Reason::Direction });
        }
        self.unconfirmed(situation, now).or_else(|| {
            let until = cooldown_end(self.told, &situation.settings).filter(|until| *until > now)?;
            (self.at_once() && !self.is_correction()).then_some(Kept::Held { until, reason: Reason::Cooldown })
        })
    }

    /// A turn that has not stood for long enough or was not shown by enough polls (N1, N3), or has turned back meanwhile (N2).
    fn unconfirmed(&self, situation: &Situation, now: Timestamp) -> Option<Kept> {
        let (confirmation, change) = (situation.settings.confirmation, &self.last.change);
        let is_news = change.nature == Nature::Turned && change.timing == Timing::Fresh;
        if confirmation == Confirmation::AtOnce || !self.at_once() || !is_news || self.stability == Stability::Settled {
            return None;
        }
        let was_asked = self.group.iter().any(|(due, _)| matches!(due.reason, Reason::Confirmation | Reason::MorePolls));
        let is_back = was_asked && self.base == Some(change.to);
        let polls = situation.polls.get(&self.key.0);
        let (shown, is_shown) = match (confirmation, polls) {
            (Confirmation::Polls(share), Some(polls)) => {
                let shown = self.shown_by(&polls.began, share);
                let count = shown.iter().filter(|stance| **stance == change.to).count();
                (shown, count >= share.shown())
            }
            _ => (Vec::new(), false),
        };
        // What the last polls showed of a turn that is back may still be shown often enough.
        if is_back && shown.iter().all(|stance| Some(*stance) == self.base) {
            return Some(Kept::Dropped { reason: Reason::NotConfirmed });
        }
        let (until, reason) = confirmed_at(confirmation, change.detected_at)?;
        // A poll that is not counted yet is no reason to look again any more.
        let until = if polls.is_some_and(|polls| polls.under_way) { until.min(now + LOOK_AGAIN) } else { until };
        (until > now && (is_back || !is_shown)).then_some(Kept::Held { until, reason })
    }

    /// What the last polls showed, of those that began after the first of these turns or saw it.
    fn shown_by(&self, polls: &[Timestamp], share: PollShare) -> Vec<Stance> {
        let mut polls = polls.to_vec();
        polls.sort();
        let ends = polls.iter().copied().skip(1).chain([Timestamp::NEVER]);
        let shown = |end: Timestamp| {
            let seen = self.group.iter().map(|(due, _)| &due.change).filter(|change| change.detected_at < end);
            seen.max_by_key(|change| change.detected_at).map(|change| change.to)
        };
        ends.skip(polls.len().saturating_sub(share.of())).filter_map(shown).collect()
    }
}

/// The levels that are crossed after all of these crossings and were not before, and the furthest of them.
fn still_crossed(group: &[(&Due, &Wish)]) -> Option<(Line, Crossing)> {
    let crossings: Vec<_> = group.iter().filter_map(|(due, _)| Some((due.change.way()?, due.change.crossing.as_deref()?))).collect();
    // Each level with the way of its first crossing and of its last: it was on the other side before the first.
    let mut seen: Vec<(Level, Way, Way)> = Vec::new();
    for (way, level) in crossings.iter().flat_map(|(way, crossing)| crossing.levels.iter().map(move |level| (*way, *level))) {
        match seen.iter_mut().find(|(known, ..)| *known == level) {
            Some((_, _, last)) => *last = way,
            None => seen.push((level, way, way)),
        }
    }
    seen.retain(|(_, first, last)| first == last);
    let (last_way, last) = crossings.last()?;
    let way = if seen.iter().any(|(_, way, _)| way == last_way) { *last_way } else { seen.first()?.1 };
    let levels = furthest_first(way, seen.into_iter().filter(|(_, of, _)| *of == way).map(|(level, ..)| level).collect());
    let line = Line::new(way, levels.first()?.at)?;
    Some((line, Crossing { price: last.price, levels, near: last.near }))
}

/// What the subscription has seen of a call's turns. A digest is quiet by itself: it tells the net of its window (D3).
fn stability_for(key: Key, wish: &Wish, known: Option<Told>, situation: &Situation, now: Timestamp) -> Stability {
    if wish.delivery != Delivery::Instant {
        return Stability::Calm;
    }
    let turns = situation.turns.get(&key).into_iter().flatten().copied();
    stability(key.0, known.is_some_and(|told| told.unstable), turns.filter(|at| *at >= wish.created_at), now)
}
