//! Properties of composing.

use super::{digests::digest_of, *};
use proptest::prelude::*;

fn any_stance() -> impl Strategy<Value = Stance> {
    prop_oneof![Just(Stance::Bullish), Just(Stance::Bearish)]
}

prop_compose! {
    fn any_due()(
        alert in 0_i64..10_000, token in 1_i64..12, to in any_stance(), minutes in -700_i64..0, late: bool, corrected: bool, old: bool,
        reason in proptest::sample::select(vec![
            Reason::Instant, Reason::HourlyCap, Reason::Cooldown, Reason::Muted, Reason::NetZero, Reason::Quarantined, Reason::Stale,
        ]),
    ) -> Due {
        let nature = if corrected { Nature::Correction { stored_at: at(minutes) } } else { Nature::Turned };
        let timing = if late { Timing::Late } else { Timing::Fresh };
        let detected_at = at(if old { -12_000 } else { 0 });
        due(alert, reason, Change { nature, timing, data_time: at(minutes), detected_at, ..change(token, to) })
    }
}

prop_compose! {
    fn any_mutes()(
        all in proptest::option::weighted(0.2, -60_i64..60), tokens in prop::collection::btree_map(1_i64..12, -60_i64..60, 0..4),
    ) -> Mutes {
        Mutes { all: all.map(at), tokens: tokens.into_iter().map(|(token, until)| (TokenId(token), at(until))).collect() }
    }
}

prop_compose! {
    fn any_waiting()(
        tells in prop::collection::btree_set(1_i64..12, 0..4), summary in proptest::bool::weighted(0.4), counted in 0_usize..3, mentions: bool,
    ) -> Waiting {
        let counted = if summary { counted } else { 0 };
        Waiting { tells: tells.into_iter().map(|token| (Kind::Daily, TokenId(token))).collect(), summary, counted, mentions }
    }
}

prop_compose! {
    fn any_situation()(
        dues in prop::collection::vec(any_due(), 0..40), max_per_hour in 0_u32..5, cooldown_minutes in 0_u32..60,
        sent in prop::collection::vec(-90_i64..0, 0..8), told in prop::collection::btree_map(1_i64..12, (any_stance(), -90_i64..0), 0..12),
        direction in proptest::sample::select(Direction::ALL.to_vec()), excluded in prop::collection::btree_set(1_i64..12, 0..3),
        (mutes, waiting) in (any_mutes(), any_waiting()), delivery in proptest::sample::select(Delivery::ALL.to_vec()),
        last_digest in proptest::option::weighted(0.3, -90_i64..0), under_way: bool, quiet in proptest::option::weighted(0.2, -30_i64..30),
    ) -> Situation {
        let mut dues = dues;
        dues.sort_by_key(|due| due.alert);
        dues.dedup_by_key(|due| due.alert);
        Situation {
            settings: Settings { max_per_hour, cooldown_minutes, quiet_hours: quiet.and_then(quiet_until), ..Settings::default() },
            sent: sent.into_iter().map(at).collect(),
            told: told.into_iter()
                .map(|(token, (stance, ago))| ((Kind::Daily, TokenId(token)), Told { stance, known_at: at(ago), told_at: Some(at(ago)), unstable: false }))
                .collect(),
            wishes: vec![(Kind::Daily, Wish { delivery, ..all(direction).1 })],
            digests: Digests { last: last_digest.map(at), under_way },
            mutes,
            waiting,
            excluded: excluded.into_iter().map(|token| (Kind::Daily, TokenId(token))).collect(),
            ..situation(dues)
        }
    }
}

fn calls(composition: &Composition) -> Vec<Call> {
    composition.messages.iter().flat_map(|draft| draft.body.calls().to_vec()).collect()
}

proptest! {
    /// Nothing that is due is lost or told twice.
    #[test]
    fn every_alert_has_exactly_one_fate(situation in any_situation()) {
        let composition = compose(&situation, at(1));
        let mut fates: Vec<_> = composition.messages.iter().flat_map(|draft| draft.alerts.iter().copied()).collect();
        fates.extend(composition.holds.iter().map(|(alert, ..)| *alert));
        fates.extend(composition.skips.iter().map(|(alert, _)| *alert));
        fates.extend(&composition.waits);
        let fated: BTreeSet<_> = fates.iter().copied().collect();
        prop_assert_eq!(fated.len(), fates.len(), "one fate each");
        for due in &situation.due {
            prop_assert!(fated.contains(&due.alert));
        }
    }

    /// The hourly limit is never exceeded, and what is held is held into the future.
    #[test]
    fn the_hour_is_never_exceeded(situation in any_situation()) {
        let composition = compose(&situation, at(1));
        let most = situation.settings.max_per_hour as usize;
        if most > 0 {
            let recent = situation.sent.iter().filter(|sent| **sent + HOUR > at(1)).count() + situation.waiting.counted;
            let counted = composition.messages.iter().filter(|draft| draft.counted).count();
            prop_assert!(counted == 0 || counted + recent <= most);
        }
        prop_assert!(composition.holds.iter().all(|(_, until, _)| *until > at(1)));
    }

    /// Only what is urgent goes before a summary that waits, and nothing is told of what a message tells that waits.
    #[test]
    fn two_summaries_never_wait(situation in any_situation()) {
        let composition = compose(&situation, at(1));
        if situation.waiting.summary {
            prop_assert!(composition.messages.iter().all(|draft| draft.lane == Lane::Urgent));
        }
        for call in calls(&composition) {
            prop_assert!(!situation.waiting.tells.contains(&(call.kind, call.token)));
        }
    }

    /// A subscriber of one direction never hears of the other.
    #[test]
    fn the_unwanted_direction_is_never_told(situation in any_situation()) {
        let direction = situation.wishes[0].1.direction;
        for call in calls(&compose(&situation, at(1))) {
            prop_assert!(direction.admits(call.to.outlook()));
        }
    }

    /// While a token is muted nothing is told of it and nothing decided; all that is held of it waits for the later end.
    #[test]
    fn nothing_goes_out_while_muted(situation in any_situation()) {
        let composition = compose(&situation, at(1));
        for due in &situation.due {
            let held = composition.holds.iter().find(|(alert, ..)| *alert == due.alert);
            match situation.mutes.hold(due.change.token, at(1)) {
                Some(until) => prop_assert_eq!(held, Some(&(due.alert, until, Reason::Muted))),
                None => prop_assert!(held.is_none_or(|(.., reason)| *reason != Reason::Muted)),
            }
        }
        for call in calls(&composition) {
            prop_assert_eq!(situation.mutes.hold(call.token, at(1)), None);
        }
    }

    /// In quiet hours nothing is told, and whatever they hold waits for their end.
    #[test]
    fn nothing_goes_out_in_quiet_hours(situation in any_situation()) {
        let composition = compose(&situation, at(1));
        let quiet = crate::engine::quiet::quiet_until(&situation.settings, at(1));
        for (_, until, _) in composition.holds.iter().filter(|(.., reason)| *reason == Reason::QuietHours) {
            prop_assert_eq!(Some(*until), quiet);
        }
        prop_assert!(quiet.is_none() || composition.messages.is_empty());
    }

    /// However the times fall, each window has at most one digest, nothing is told before its end, and at last the reader knows every stance.
    #[test]
    fn every_window_has_one_digest_at_most_and_nothing_is_lost(
        delivery in proptest::sample::select(vec![Delivery::DigestHourly, Delivery::DigestDaily, Delivery::DigestWeekly]),
        steps in prop::collection::vec((1_i64..900, proptest::option::of((1_i64..5, any_stance())), proptest::option::weighted(0.1, 1_i64..300)), 1..60),
    ) {
        let mut reader = situation(Vec::new());
        reader.wishes = vec![digest_of(delivery)];
        let (mut waiting, mut known): (BTreeMap<AlertId, (Due, Timestamp)>, BTreeMap<TokenId, Stance>) = Default::default();
        let (mut minute, mut windows) = (0, BTreeSet::new());
        let end = [(20_000, None, None), (20_000, None, None)];
        for (number, (wait, turn, mute)) in (0_i64..).zip(steps.into_iter().chain(end)) {
            minute += wait;
            let now = at(minute);
            if let Some(length) = mute {
                reader.mutes.tokens.insert(TokenId(1), at(minute + length));
            }
            if let Some((token, to)) = turn.filter(|(token, to)| known.get(&TokenId(*token)).unwrap_or(&Stance::Bearish) != to) {
                known.insert(TokenId(token), to);
                let turned = Change { detected_at: now, data_time: now, from: Some(to.opposite()), ..change(token, to) };
                waiting.insert(AlertId(number), (Due { created_at: now, ..due(number, Reason::Digest, turned) }, Timestamp::EPOCH));
            }
            let due: BTreeSet<_> = waiting.values().filter(|(_, at)| *at <= now).map(|(due, _)| due.change.token).collect();
            let taken = |(due_now, _): &&(Due, Timestamp)| due.contains(&due_now.change.token) || due_now.reason == Reason::NetZero;
            reader.due = waiting.values().filter(taken).map(|(due, _)| due.clone()).collect();
            if due.is_empty() {
                continue;
            }
            let composition = compose(&reader, now);
            for (alert, until, reason) in composition.holds {
                if let Some((due, at)) = waiting.get_mut(&alert) {
                    (due.reason, *at) = (reason, until);
                }
            }
            for draft in composition.messages {
                prop_assert_eq!(draft.lane, Lane::Digest);
                reader.digests.last = Some(now);
                draft.alerts.iter().for_each(|alert| drop(waiting.remove(alert)));
                for call in draft.body.calls() {
                    reader.told.insert((Kind::Daily, call.token), Told { stance: call.to, known_at: now, told_at: Some(now), unstable: false });
                }
                let next = next_digest(&reader.settings, delivery, now);
                prop_assert!(windows.insert(next), "a second digest before {next:?}");
            }
        }
        prop_assert!(waiting.values().all(|(due, _)| due.reason == Reason::NetZero));
        for (token, stance) in known {
            let told = reader.told.get(&(Kind::Daily, token)).map_or(Stance::Bearish, |told| told.stance);
            prop_assert_eq!(told, stance);
        }
    }

    /// However often it was held on the way, the end of a mute tells exactly what is told without one.
    #[test]
    fn the_end_of_a_mute_is_the_net_of_everything(situation in any_situation()) {
        let muted = Situation { mutes: Mutes { all: Some(at(1)), ..Mutes::default() }, ..situation.clone() };
        let never = Situation { mutes: Mutes::default(), ..situation };
        prop_assert!(calls(&compose(&muted, at(0))).is_empty());
        prop_assert_eq!(compose(&muted, at(1)), compose(&never, at(1)));
    }
}
