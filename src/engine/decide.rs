//! Whether a destination hears of a change, and when: the decision of fan-out (`rules.md` 3.1, 3.2, 3.5, 3.6).
//!
//! Direction, exclusion and unsubscription are looked at again by `engine::compose`, which sees what became of the wish meanwhile.

use super::{compose::LOOK_AGAIN, digest::next_digest, quiet::quiet_for};
use crate::domain::{
    Candidate, Change, Confirmation, Decision, Drawn, Lane, Nature, Reason, Settings, Stance, Target, Timestamp, Timing, Told, Wish,
};
use std::time::Duration;

/// The longest that a turn waits for polls, should there be none.
const LONGEST_WAIT_FOR_POLLS: Duration = Duration::from_secs(7 * 24 * 3600);

/// The wish that decides for a token: its own settings win over those of `all` (3.1). A wish younger than `bound` does not count.
pub fn deciding_wish<'a>(wishes: impl IntoIterator<Item = &'a Wish>, bound: Timestamp) -> Option<&'a Wish> {
    wishes.into_iter().filter(|wish| wish.created_at <= bound).max_by_key(|wish| matches!(wish.target, Target::Token(_)))
}

/// A subscription hears of a change if it stood by then: when it was detected, or, for a correction, when the wrong value was stored (2.9, 3.2).
pub fn subscribed_by(change: &Change) -> Timestamp {
    match change.nature {
        Nature::Turned | Nature::Crossed { .. } => change.detected_at,
        Nature::Correction { stored_at } => stored_at,
    }
}

/// Whether a wish is for such changes at all: for the crossing of a threshold only where it has that one, and had it in time (G5).
pub fn asks_for(wish: &Wish, change: &Change) -> bool {
    let Nature::Crossed { drawn_since } = change.nature else { return true };
    let is_in_time = |drawn: Drawn| drawn.at <= change.detected_at && drawn_since.is_none_or(|since| drawn.at >= since);
    let is_that = |drawn: Drawn| Stance::Beyond(drawn.threshold.line()) == change.to;
    !change.crosses_threshold() || wish.threshold.is_some_and(|drawn| is_that(drawn) && is_in_time(drawn))
}

/// The decision; `None` where the change does not concern the destination at all.
pub fn decide(change: &Change, candidate: &Candidate, now: Timestamp) -> Option<Decision> {
    if change.timing == Timing::History {
        return None;
    }
    let wish = deciding_wish(&candidate.wishes, subscribed_by(change)).filter(|wish| asks_for(wish, change))?;
    if candidate.excluded && wish.target == Target::All {
        return Some(Decision::Skip(Reason::Excluded));
    }
    if let Some(until) = candidate.mutes.hold(change.token, now) {
        return Some(Decision::Hold { until, reason: Reason::Muted });
    }
    if let Some(until) = next_digest(&candidate.settings, wish.delivery, now) {
        let reason = if candidate.quarantined { Reason::Quarantined } else { Reason::Digest };
        return Some(Decision::Hold { until, reason });
    }
    if let Some(until) = quiet_for(&candidate.settings, change.kind, now) {
        return Some(Decision::Hold { until, reason: Reason::QuietHours });
    }
    // What is known of the call is nothing to a threshold beside it.
    let told = candidate.told.filter(|_| !change.crosses_threshold());
    let unstable = told.is_some_and(|told| told.unstable && told.known_at >= wish.created_at);
    if let Some(window) = change.kind.settles_after().filter(|_| unstable) {
        return Some(Decision::Hold { until: change.detected_at + window, reason: Reason::Flapping });
    }
    if let Nature::Correction { .. } = change.nature {
        return Some(Decision::SendNow(Reason::Correction));
    }
    let is_news = change.nature == Nature::Turned && change.timing == Timing::Fresh;
    let unconfirmed = confirmed_at(candidate.settings.confirmation, change.detected_at).filter(|(until, _)| is_news && *until > now);
    if let Some((until, reason)) = unconfirmed {
        // A poll may have come while this was fanned out: it is counted as soon as this is composed.
        let until = if reason == Reason::MorePolls { until.min(now + LOOK_AGAIN) } else { until };
        return Some(Decision::Hold { until, reason });
    }
    if let Some(until) = cooldown_end(told, &candidate.settings).filter(|until| *until > now) {
        return Some(Decision::Hold { until, reason: Reason::Cooldown });
    }
    if candidate.quarantined {
        // Due at once: it is the quarantine that keeps it from being composed.
        return Some(Decision::Hold { until: now, reason: Reason::Quarantined });
    }
    Some(Decision::SendNow(if change.timing == Timing::Late { Reason::Late } else { Reason::Instant }))
}

/// Until when a turn that was seen then waits for its confirmation, and why. Where polls decide that is the longest: each of them is a reason to
/// look again.
pub(super) fn confirmed_at(confirmation: Confirmation, seen_at: Timestamp) -> Option<(Timestamp, Reason)> {
    match confirmation {
        Confirmation::AtOnce => None,
        Confirmation::Minutes(_) => confirmation.time().map(|long| (seen_at + long, Reason::Confirmation)),
        Confirmation::Polls(_) => Some((seen_at + LONGEST_WAIT_FOR_POLLS, Reason::MorePolls)),
    }
}

/// When the token's cooldown ends, if it has one.
pub fn cooldown_end(told: Option<Told>, settings: &Settings) -> Option<Timestamp> {
    let told_at = told?.told_at?;
    (settings.cooldown_minutes > 0).then(|| told_at + settings.cooldown())
}

/// The lane of an alert by its decision (3.7).
pub fn lane(decision: Decision) -> Lane {
    match decision {
        Decision::SendNow(Reason::Instant | Reason::Correction) => Lane::Urgent,
        Decision::Hold { reason: Reason::Digest, .. } => Lane::Digest,
        _ => Lane::Summary,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Delivery, Direction, Kind, Mutes, SourceId, Threshold, TokenId};

    fn at(minutes: i64) -> Timestamp {
        Timestamp::from_secs(1_795_000_000 + minutes * 60)
    }

    fn change() -> Change {
        Change {
            source: SourceId::TokenMetrics,
            kind: Kind::Daily,
            token: TokenId(1),
            from: Some(Stance::Bearish),
            since: None,
            to: Stance::Bullish,
            data_time: at(-600),
            detected_at: at(0),
            nature: Nature::Turned,
            timing: Timing::Fresh,
            after_gap: false,
            trader_grade: None,
            mover: None,
            crossing: None,
        }
    }

    fn wish(target: Target, created: i64) -> Wish {
        Wish { target, direction: Direction::Any, delivery: Delivery::Instant, mention: None, created_at: at(created), threshold: None }
    }

    fn candidate(wishes: Vec<Wish>) -> Candidate {
        Candidate { wishes, excluded: false, settings: Settings::default(), mutes: Mutes::default(), quarantined: false, told: None }
    }

    #[test]
    fn a_subscription_younger_than_the_change_is_not_concerned() {
        let own = Target::Token(TokenId(1));
        assert_eq!(decide(&change(), &candidate(vec![wish(own, 1)]), at(2)), None);
        assert_eq!(decide(&change(), &candidate(vec![wish(own, 0)]), at(2)), Some(Decision::SendNow(Reason::Instant)));
        let correction = Change { nature: Nature::Correction { stored_at: at(-10) }, ..change() };
        assert_eq!(decide(&correction, &candidate(vec![wish(own, -5)]), at(2)), None, "it came after the wrong value was stored");
        assert_eq!(decide(&correction, &candidate(vec![wish(own, -10)]), at(2)), Some(Decision::SendNow(Reason::Correction)));
    }

    #[test]
    fn an_exclusion_is_of_all_alone() {
        let own = wish(Target::Token(TokenId(1)), 0);
        let all = wish(Target::All, 0);
        let excluded = |wishes| Candidate { excluded: true, ..candidate(wishes) };
        assert_eq!(decide(&change(), &excluded(vec![all.clone()]), at(1)), Some(Decision::Skip(Reason::Excluded)));
        assert_eq!(decide(&change(), &excluded(vec![all, own]), at(1)), Some(Decision::SendNow(Reason::Instant)));
    }

    #[test]
    fn limits_hold_and_never_drop() {
        let base = candidate(vec![wish(Target::All, 0)]);
        let until_60 = Some(Decision::Hold { until: at(60), reason: Reason::Muted });
        let muted = |mutes| Candidate { mutes, ..base.clone() };
        let all = muted(Mutes { all: Some(at(60)), ..Mutes::default() });
        let token = |id| muted(Mutes { tokens: [(TokenId(id), at(60))].into(), ..Mutes::default() });
        assert_eq!(decide(&change(), &all, at(1)), until_60);
        assert_eq!(decide(&change(), &token(1), at(1)), until_60);
        assert_eq!(decide(&change(), &token(2), at(1)), Some(Decision::SendNow(Reason::Instant)), "another token is not muted");
        assert_eq!(decide(&change(), &token(1), at(60)), Some(Decision::SendNow(Reason::Instant)), "it has ended");
        let correction = Change { nature: Nature::Correction { stored_at: at(0) }, ..change() };
        assert_eq!(decide(&correction, &token(1), at(1)), until_60, "a mute holds corrections too");
        let told = Some(Told { stance: Stance::Bearish, known_at: at(-20), told_at: Some(at(-20)), unstable: false });
        let cooling = Candidate { settings: Settings { cooldown_minutes: 30, ..Settings::default() }, told, ..base };
        assert_eq!(decide(&change(), &cooling, at(1)), Some(Decision::Hold { until: at(10), reason: Reason::Cooldown }));
        assert_eq!(decide(&change(), &cooling, at(10)), Some(Decision::SendNow(Reason::Instant)));
        let lost = Candidate { quarantined: true, ..cooling };
        assert_eq!(decide(&change(), &lost, at(10)), Some(Decision::Hold { until: at(10), reason: Reason::Quarantined }));
    }

    #[test]
    fn q1_quiet_hours_hold_corrections_too() {
        let now = Timestamp::parse("2026-11-22T03:00:00Z").unwrap();
        let hours = crate::domain::QuietHours::parse("22:00-07:00");
        let night = Settings { quiet_hours: hours, ..Settings::default() };
        let sleeping = Candidate { settings: night, ..candidate(vec![wish(Target::All, -1_000_000)]) };
        let held = Some(Decision::Hold { until: now + std::time::Duration::from_secs(4 * 3600), reason: Reason::QuietHours });
        assert_eq!(decide(&change(), &sleeping, now), held);
        let correction = Change { nature: Nature::Correction { stored_at: at(0) }, ..change() };
        assert_eq!(decide(&correction, &sleeping, now), held);
    }

    #[test]
    fn d2_a_digest_waits_for_its_time_and_the_tokens_own_wish_decides() {
        let now = Timestamp::parse("2026-11-22T03:20:00Z").unwrap();
        let hourly = |target, delivery| Wish { delivery, ..wish(target, -1_000_000) };
        let hold = |at: &str| Some(Decision::Hold { until: Timestamp::parse(at).unwrap(), reason: Reason::Digest });
        let all = hourly(Target::All, Delivery::DigestHourly);
        let held = decide(&change(), &candidate(vec![all.clone()]), now);
        assert_eq!((held, held.map(lane)), (hold("2026-11-22T04:00:00Z"), Some(Lane::Digest)));
        let own = |delivery| candidate(vec![all.clone(), hourly(Target::Token(TokenId(1)), delivery)]);
        assert_eq!(decide(&change(), &own(Delivery::DigestDaily), now), hold("2026-11-22T09:00:00Z"));
        assert_eq!(decide(&change(), &own(Delivery::Instant), now), Some(Decision::SendNow(Reason::Instant)));
    }

    #[test]
    fn g5_a_crossing_concerns_whoever_drew_that_line_in_time() {
        let line = |text: &str| Threshold::parse(text).unwrap();
        let drawn = |text, at_minute| Some(Drawn { threshold: line(text), at: at(at_minute) });
        let crossed = |drawn_since: Option<i64>| Change {
            kind: Kind::Grade,
            from: None,
            to: Stance::Beyond(line("above:70").line()),
            nature: Nature::Crossed { drawn_since: drawn_since.map(at) },
            ..change()
        };
        let own = |threshold| Wish { threshold, ..wish(Target::Token(TokenId(1)), -60) };
        let told = |change: &Change, wishes: Vec<Wish>| decide(change, &candidate(wishes), at(1)).is_some();
        assert!(told(&crossed(None), vec![own(drawn("above:70", -50))]));
        assert!(!told(&crossed(None), vec![own(drawn("above:71", -50))]) && !told(&crossed(None), vec![own(None)]));
        assert!(!told(&crossed(None), vec![own(drawn("above:70", 1))]), "it was drawn after that");
        assert!(!told(&crossed(Some(-20)), vec![own(drawn("above:70", -50))]), "to them it has not been away");
        assert!(told(&crossed(Some(-20)), vec![own(drawn("above:70", -20))]));
        let all = Wish { threshold: drawn("above:70", -50), ..wish(Target::All, -60) };
        assert!(told(&crossed(None), vec![all.clone()]) && !told(&crossed(None), vec![all, own(None)]), "the token's own wish decides");
        let cooling = Settings { cooldown_minutes: 30, confirmation: Confirmation::Minutes(30), ..Settings::default() };
        let known = Some(Told { stance: Stance::Bullish, known_at: at(0), told_at: Some(at(0)), unstable: false });
        let busy = Candidate { settings: cooling, told: known, ..candidate(vec![own(drawn("above:70", -50))]) };
        assert_eq!(decide(&crossed(None), &busy, at(1)), Some(Decision::SendNow(Reason::Instant)));
    }

    #[test]
    fn history_is_told_to_nobody_and_late_news_as_such() {
        let base = candidate(vec![wish(Target::All, 0)]);
        assert_eq!(decide(&Change { timing: Timing::History, ..change() }, &base, at(1)), None);
        assert_eq!(decide(&Change { timing: Timing::Late, ..change() }, &base, at(1)), Some(Decision::SendNow(Reason::Late)));
    }
}
