//! What goes out together, and as what.

use super::Entry;
use crate::domain::{AlertId, Delivery, Lane, Outcome, Reason, SummaryCause};

/// From so many on, changes that are due at once are one summary (3.3).
pub(super) const SUMMARY_FROM: usize = 4;

/// What goes out together.
pub(super) struct Unit {
    pub(super) entries: Vec<Entry>,
    /// What a summary only counts.
    pub(super) too_old: Vec<AlertId>,
    pub(super) form: Form,
    pub(super) lane: Lane,
}

/// As what it goes out.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Single,
    Summary(SummaryCause),
    Digest(Delivery),
}

impl Unit {
    pub(super) fn single(entry: Entry) -> Self {
        let lane = if entry.has_waited() && entry.call.outcome != Outcome::Corrected { Lane::Summary } else { Lane::Urgent };
        Self { entries: vec![entry], too_old: Vec::new(), form: Form::Single, lane }
    }

    pub(super) fn summary(entries: Vec<Entry>) -> Self {
        let all_late = entries.iter().all(|entry| entry.late);
        let held: Vec<_> = entries.iter().filter(|entry| entry.was_held()).collect();
        let quiet = held.iter().all(|entry| entry.reasons.contains(&Reason::QuietHours));
        let (cause, lane) = match (all_late, held.is_empty(), quiet) {
            (true, ..) => (SummaryCause::WhileAway, Lane::Summary),
            (false, true, _) => (SummaryCause::AtOnce, Lane::Urgent),
            (false, false, true) => (SummaryCause::QuietHours, Lane::Summary),
            (false, false, false) => (SummaryCause::Held, Lane::Summary),
        };
        Self { entries, too_old: Vec::new(), form: Form::Summary(cause), lane }
    }

    /// Everything whose window has ended is one digest, named after the longest window; nothing where nothing changed.
    fn digest(entries: Vec<Entry>) -> Option<Self> {
        let delivery = entries.iter().map(|entry| entry.delivery).max()?;
        Some(Self { entries, too_old: Vec::new(), form: Form::Digest(delivery), lane: Lane::Digest })
    }

    /// Corrections do not count against the hourly limit, alone or together (2.9), nor does a digest (D4).
    pub(super) fn counts(&self) -> bool {
        !matches!(self.form, Form::Digest(_))
            && self.entries.iter().any(|entry| matches!(entry.call.outcome, Outcome::Turned | Outcome::Unstable | Outcome::Settled))
    }
}

pub(super) fn is_held(reason: Reason) -> bool {
    let is_limit = matches!(reason, Reason::HourlyCap | Reason::Cooldown | Reason::Digest | Reason::Flapping);
    was_silent(reason) || is_limit || matches!(reason, Reason::Confirmation | Reason::MorePolls | Reason::Stale)
}

/// It waited while nothing was to be heard, or could be.
fn was_silent(reason: Reason) -> bool {
    matches!(reason, Reason::Muted | Reason::QuietHours | Reason::Quarantined)
}

/// What is for a digest apart from what is told at once. Whatever turned back is a line of the first of them that has lines.
pub(super) fn into_units(entries: Vec<Entry>, unchanged: &mut Vec<Entry>, too_old: Vec<AlertId>) -> Vec<Unit> {
    let (at_once, for_digest): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.delivery == Delivery::Instant);
    let digest = Unit::digest(for_digest).map(|mut unit| {
        unit.entries.append(unchanged);
        unit
    });
    let mut units = units_at_once(at_once, unchanged, too_old);
    units.extend(digest);
    units
}

/// One to three changes are one message each; four or more, what the hourly limit held or could not be sent in time, and what came while the
/// chat was muted, quiet or out of reach are one summary. Late news is never told singly if there is more of it.
fn units_at_once(entries: Vec<Entry>, unchanged: &mut Vec<Entry>, too_old: Vec<AlertId>) -> Vec<Unit> {
    if entries.is_empty() && !too_old.is_empty() {
        return vec![Unit { entries, too_old, form: Form::Summary(SummaryCause::OutOfReach), lane: Lane::Summary }];
    }
    let is_no_news = |entry: &Entry| entry.lapsed || entry.reasons.contains(&Reason::HourlyCap) || entry.reasons.contains(&Reason::Stale);
    let capped = entries.iter().any(is_no_news);
    let silent = entries.len() > 1 && entries.iter().any(|entry| entry.reasons.iter().any(|reason| was_silent(*reason)));
    if capped || silent || !too_old.is_empty() || entries.len() >= SUMMARY_FROM {
        let mut unit = Unit { too_old, ..Unit::summary(entries) };
        unit.entries.append(unchanged);
        return vec![unit];
    }
    let (late, fresh): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.late);
    let mut units: Vec<_> = fresh.into_iter().map(Unit::single).collect();
    if late.len() > 1 {
        let mut unit = Unit::summary(late);
        unit.entries.append(unchanged);
        units.push(unit);
    } else {
        units.extend(late.into_iter().map(Unit::single));
    }
    units
}
