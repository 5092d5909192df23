//! How the due alerts of one destination become messages (`rules.md` 2.4, 2.8, 3.1 to 3.5, 3.9; ARCHITECTURE.md, rules Q, D, K and H).
//!
//! Composing late is what makes throttle, cooldown and mute one mechanism: each only moves a release, and whatever is due at last is
//! told as its net result.

mod net;
mod parts;
mod throttle;
mod units;

use super::{
    decide::{asks_for, deciding_wish, subscribed_by},
    digest::next_digest,
    horizon::news_for,
    quiet::{quiet_for, quiet_until},
};
use crate::domain::{
    AlertId, Call, Composition, Delivery, Due, Follows, FollowsHow, KEPT_FOR, Kind, Outcome, Reason, Situation, Stance, Target, Timestamp,
    Timing, TokenId, ToldIn, Wish,
};
use net::{Kept, Net};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use throttle::Throttle;
use units::{into_units, is_held};

const HOUR: Duration = Duration::from_secs(3600);
/// When it is looked again whether the last digest has arrived, or what a poll changed has.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// The net result of one token and kind.
struct Entry {
    call: Call,
    alerts: Vec<AlertId>,
    reasons: BTreeSet<Reason>,
    late: bool,
    /// Nothing held it, and it has waited behind others until it was news no longer (H1).
    lapsed: bool,
    roles: BTreeSet<String>,
    delivery: Delivery,
    rank: Option<u32>,
    /// Where the call was told that this corrects.
    corrects: Option<ToldIn>,
}

impl Entry {
    /// Its place among others: the best rank first.
    fn ranked(&self) -> (u32, TokenId, Kind) {
        (self.rank.unwrap_or(u32::MAX), self.call.token, self.call.kind)
    }

    /// It was held for something, or is no news any more: it has no claim to be told at once.
    fn has_waited(&self) -> bool {
        self.late || self.was_held()
    }

    /// It was to be told later, or would have been told at once and is too late for that.
    fn was_held(&self) -> bool {
        self.lapsed || self.reasons.iter().any(|reason| is_held(*reason))
    }

    fn is_urgent(&self) -> bool {
        self.delivery == Delivery::Instant && !self.has_waited()
    }

    /// It was kept for a chat out of reach for longer than anybody can use it: the chat is told how many there were (K2).
    fn is_too_old(&self, now: Timestamp) -> bool {
        self.reasons.contains(&Reason::Quarantined) && self.call.seen_at + KEPT_FOR <= now
    }

    /// A correction takes the place of what was wrong where that stands alone, else it is a reply to it (C1, C3).
    fn follows(&self) -> Option<Follows> {
        let ToldIn { platform_id, alone, .. } = self.corrects.as_ref()?;
        Some(Follows { platform_id: platform_id.clone(), how: if *alone { FollowsHow::Edits } else { FollowsHow::Replies } })
    }
}

/// Composes what is due.
pub fn compose(situation: &Situation, now: Timestamp) -> Composition {
    let mut composition = Composition::default();
    let (mut entries, mut unchanged, mut too_old) = (Vec::new(), Vec::new(), Vec::new());
    for (topic, group) in wanted_groups(situation, now, &mut composition) {
        if let Some((until, reason)) = digest_wait(&group, situation, now) {
            // What had turned back is no news of this window: its own may have ended long ago.
            composition.holds.extend(group.iter().map(|(due, _)| match due.reason {
                Reason::NetZero => (due.alert, Timestamp::NEVER, Reason::NetZero),
                _ => (due.alert, until, reason),
            }));
            continue;
        }
        let Some(entry) = net_result(topic, &group, situation, now, &mut composition) else { continue };
        match (entry.call.outcome, next_place(&entry, situation, now)) {
            (Outcome::FlippedBack, _) => unchanged.push(entry),
            _ if entry.is_too_old(now) => too_old.extend(entry.alerts),
            (_, Some(until)) => composition.holds.extend(entry.alerts.into_iter().map(|alert| (alert, until, Reason::Digest))),
            (_, None) => entries.push(entry),
        }
    }
    if situation.waiting.summary {
        entries = overtaking(entries, &mut too_old, &mut composition);
    }
    entries.sort_by_key(Entry::ranked);
    unchanged.sort_by_key(Entry::ranked);
    let units = into_units(entries, &mut unchanged, too_old);
    let mut throttle = Throttle::new(situation, now);
    for unit in units {
        throttle.place(unit, &mut composition);
    }
    let waiting = unchanged.into_iter().flat_map(|entry| entry.alerts);
    composition.holds.extend(waiting.map(|alert| (alert, Timestamp::NEVER, Reason::NetZero)));
    composition
}

/// Of what is due beside a summary that waits: what is urgent goes before it, and everything else waits for it, so that there are never two.
fn overtaking(entries: Vec<Entry>, too_old: &mut Vec<AlertId>, composition: &mut Composition) -> Vec<Entry> {
    let (urgent, others): (Vec<_>, Vec<_>) = entries.into_iter().partition(Entry::is_urgent);
    composition.waits.extend(others.into_iter().flat_map(|entry| entry.alerts));
    composition.waits.append(too_old);
    urgent
}

type Key = (Kind, TokenId);
/// What has a net result of its own: the call of a token, and each threshold beside it.
type Topic = (Key, Option<Stance>);

/// The due alerts that are still wanted, by token and in order of time. What is muted, or comes in quiet hours, is held before anything is
/// decided about it: what becomes of the wish meanwhile is looked at when it is over. So is what a message tells that waits. The others are skipped
/// with their reason.
fn wanted_groups<'a>(situation: &'a Situation, now: Timestamp, composition: &mut Composition) -> BTreeMap<Topic, Vec<(&'a Due, &'a Wish)>> {
    let mut groups: BTreeMap<Topic, Vec<(&Due, &Wish)>> = BTreeMap::new();
    for due in &situation.due {
        let key = (due.change.kind, due.change.token);
        if let Some((until, reason)) = silence(situation, key, now) {
            composition.holds.push((due.alert, until, reason));
            continue;
        }
        if situation.waiting.tells.contains(&key) {
            composition.waits.push(due.alert);
            continue;
        }
        match deciding_wish(wishes_about(situation, key), subscribed_by(&due.change)) {
            None => composition.skips.push((due.alert, Reason::Unsubscribed)),
            Some(wish) if wish.target == Target::All && situation.excluded.contains(&key) => {
                composition.skips.push((due.alert, Reason::Excluded));
            }
            Some(wish) if !asks_for(wish, &due.change) => composition.skips.push((due.alert, Reason::Threshold)),
            Some(wish) => {
                let line = due.change.crosses_threshold().then_some(due.change.to);
                groups.entry((key, line)).or_default().push((due, wish));
            }
        }
    }
    for group in groups.values_mut() {
        group.sort_by_key(|(due, _)| (due.change.data_time, due.change.detected_at, due.alert));
    }
    groups
}

/// Until when nothing is to be heard of a token, and why.
fn silence(situation: &Situation, (kind, token): Key, now: Timestamp) -> Option<(Timestamp, Reason)> {
    let muted = situation.mutes.hold(token, now).map(|until| (until, Reason::Muted));
    muted.or_else(|| quiet_for(&situation.settings, kind, now).map(|until| (until, Reason::QuietHours)))
}

/// Until when what is told in digests waits, and why; nothing where the window of the oldest news in it has ended, or nothing of it is news.
///
/// A window has one digest (D2): what came before the last one and is not in it waits for the next. Quiet hours hold a digest of whatever kind.
fn digest_wait(group: &[(&Due, &Wish)], situation: &Situation, now: Timestamp) -> Option<(Timestamp, Reason)> {
    let (_, wish) = group.last()?;
    let news = group.iter().map(|(due, _)| due).filter(|due| due.reason != Reason::NetZero);
    let ends = news.filter_map(|due| next_digest(&situation.settings, wish.delivery, situation.digests.last.max(Some(due.created_at))?));
    match ends.min()? {
        end if end > now => Some((end, Reason::Digest)),
        _ if situation.digests.under_way => Some((now + LOOK_AGAIN, Reason::Digest)),
        _ => quiet_until(&situation.settings, now).map(|until| (until, Reason::QuietHours)),
    }
}

/// What had turned back is news again where one of its turns was wrong: it has its place in the next digest, if it is for one.
fn next_place(entry: &Entry, situation: &Situation, now: Timestamp) -> Option<Timestamp> {
    let was_back = entry.reasons.iter().all(|reason| *reason == Reason::NetZero);
    if was_back { next_digest(&situation.settings, entry.delivery, now) } else { None }
}

/// The wishes about one token as they stand now: its own and `all`.
fn wishes_about(situation: &Situation, (kind, token): Key) -> impl Iterator<Item = &Wish> {
    let concerns = move |wish: &Wish| matches!(wish.target, Target::All) || wish.target == Target::Token(token);
    situation.wishes.iter().filter(move |(of, wish)| *of == kind && concerns(wish)).map(|(_, wish)| wish)
}

/// What a group comes to against what the chat knows; nothing where it is held or skipped as a whole.
fn net_result(
    (key, line): Topic,
    group: &[(&Due, &Wish)],
    situation: &Situation,
    now: Timestamp,
    composition: &mut Composition,
) -> Option<Entry> {
    let net = Net::of((key, line), group, situation, now)?;
    let alerts = || group.iter().map(|(due, _)| due.alert);
    match net.kept(situation, now) {
        Some(Kept::Held { until, reason }) => composition.holds.extend(alerts().map(|alert| (alert, until, reason))),
        Some(Kept::Dropped { reason }) => {
            composition.skips.extend(alerts().map(|alert| (alert, reason)));
            let passed_over = (key.0, key.1, net.last.change.to, net.last.change.data_time);
            composition.passed_over.extend((reason == Reason::Direction && line.is_none()).then_some(passed_over));
        }
        None => return Some(entry(&net, situation, now)),
    }
    None
}

fn entry(net: &Net<'_>, situation: &Situation, now: Timestamp) -> Entry {
    let Net { key, group, last, wish, base, .. } = net;
    let outcome = net.outcome();
    // What was told to be unstable waits with what came after it, and is no flip of its own.
    let was_told = outcome == Outcome::Settled && group.first().is_some_and(|(due, _)| *base == Some(due.change.to));
    let news = &group[usize::from(was_told)..];
    let call = Call {
        token: key.1,
        symbol: last.symbol.clone(),
        kind: key.0,
        outcome,
        from: *base,
        since: news.first().filter(|(due, _)| due.change.from == *base).and_then(|(due, _)| due.change.since),
        to: net.to,
        data_time: last.change.data_time,
        seen_at: last.change.detected_at,
        flips: if net.crossing.is_some() { 0 } else { u32::try_from(news.len().saturating_sub(1)).unwrap_or(u32::MAX) },
        after_gap: group.iter().any(|(due, _)| due.change.after_gap),
        trader_grade: last.change.trader_grade,
        mover: last.change.mover,
        crossing: net.crossing.clone(),
        link: last.link.clone(),
    };
    Entry {
        lapsed: call.seen_at + news_for(&call) < now && !group.iter().any(|(due, _)| is_held(due.reason)),
        call,
        alerts: group.iter().map(|(due, _)| due.alert).collect(),
        reasons: group.iter().map(|(due, _)| due.reason).collect(),
        late: last.change.timing == Timing::Late,
        roles: wishes_about(situation, *key).filter_map(|wish| wish.mention.clone()).collect(),
        delivery: wish.delivery,
        rank: last.rank,
        corrects: last.told_in.clone().filter(|told_in| outcome == Outcome::Corrected && told_in.call.data_time == last.change.data_time),
    }
}

#[cfg(test)]
#[path = "compose_tests.rs"]
mod tests;
