//! What the due alerts of one call come to, against what the chat knows, and what keeps that from being told now.

use super::{
    super::{
        decide::cooldown_end,
        flap::{Stability, stability},
    },
    Key, Topic,
};
use crate::domain::{Delivery, Due, Nature, Outcome, Reason, Situation, Stance, Timestamp, Timing, Told, Wish};

/// The due alerts of one call, in order of time, and what the chat knows of it.
#[derive(Clone, Copy)]
pub(super) struct Net<'a> {
    pub(super) key: Key,
    pub(super) group: &'a [(&'a Due, &'a Wish)],
    pub(super) last: &'a Due,
    pub(super) wish: &'a Wish,
    /// What it knows, or what the call was before.
    pub(super) base: Option<Stance>,
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
        let base = known.map(|told| told.stance).or(first.change.from);
        Some(Self { key, group, last, wish, base, told, stability: stability_for(key, wish, known, situation, now) })
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
        match (self.stability, self.base == Some(self.last.change.to), self.is_correction()) {
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
        if !self.wish.direction.admits(self.last.change.to.way_from(self.base)) {
            return Some(Kept::Dropped { reason: Reason::Direction });
        }
        self.unconfirmed(situation, now).or_else(|| {
            let until = cooldown_end(self.told, &situation.settings).filter(|until| *until > now)?;
            (self.at_once() && !self.is_correction()).then_some(Kept::Held { until, reason: Reason::Cooldown })
        })
    }

    /// A turn that has not stood for long enough (N1), or has turned back meanwhile (N2).
    fn unconfirmed(&self, situation: &Situation, now: Timestamp) -> Option<Kept> {
        let long = situation.settings.confirmation()?;
        let change = &self.last.change;
        let is_news = change.nature == Nature::Turned && change.timing == Timing::Fresh;
        if !self.at_once() || !is_news || self.stability == Stability::Settled {
            return None;
        }
        if self.base == Some(change.to) && self.group.iter().any(|(due, _)| due.reason == Reason::Confirmation) {
            return Some(Kept::Dropped { reason: Reason::NotConfirmed });
        }
        let until = change.detected_at + long;
        (until > now).then_some(Kept::Held { until, reason: Reason::Confirmation })
    }
}

/// What the subscription has seen of a call's turns. A digest is quiet by itself: it tells the net of its window (D3).
fn stability_for(key: Key, wish: &Wish, known: Option<Told>, situation: &Situation, now: Timestamp) -> Stability {
    if wish.delivery != Delivery::Instant {
        return Stability::Calm;
    }
    let turns = situation.turns.get(&key).into_iter().flatten().copied();
    stability(key.0, known.is_some_and(|told| told.unstable), turns.filter(|at| *at >= wish.created_at), now)
}
