//! Tables and properties of composing.

use super::{parts::TEXT_BUDGET, *};
use crate::domain::{Change, DigestForm, Digests, Direction, MessageBody, Mutes, QuietHours, Settings, SourceId, Stance, Told};
use proptest::prelude::*;

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_secs(1_795_000_000 + minutes * 60)
}

fn change(token: i64, to: Stance) -> Change {
    Change {
        source: SourceId::TokenMetrics,
        kind: Kind::Daily,
        token: TokenId(token),
        from: Some(to.opposite()),
        since: None,
        to,
        data_time: at(-600),
        detected_at: at(0),
        nature: Nature::Turned,
        timing: Timing::Fresh,
        after_gap: false,
        trader_grade: None,
    }
}

fn due(alert: i64, reason: Reason, change: Change) -> Due {
    Due {
        alert: AlertId(alert),
        created_at: change.detected_at,
        reason,
        symbol: format!("T{}", change.token),
        rank: None,
        link: None,
        change,
    }
}

fn all(direction: Direction) -> (Kind, Wish) {
    (Kind::Daily, Wish { target: Target::All, direction, delivery: Delivery::Instant, mention: None, created_at: at(-10_000) })
}

fn situation(due: Vec<Due>) -> Situation {
    Situation {
        settings: Settings::default(),
        mutes: Mutes::default(),
        mentioned_at: None,
        digests: Digests::default(),
        sent: Vec::new(),
        told: BTreeMap::new(),
        wishes: vec![all(Direction::Any)],
        excluded: BTreeSet::new(),
        due,
    }
}

fn turns(count: i64) -> Vec<Due> {
    (1..=count).map(|n| due(n, Reason::Instant, change(n, Stance::Bullish))).collect()
}

fn titles(composition: &Composition) -> Vec<String> {
    composition.messages.iter().map(|draft| draft.body.to_card().title.plain()).collect()
}

#[test]
fn rule_3_3_up_to_three_are_one_message_each_and_four_are_one_summary() {
    let three = compose(&situation(turns(3)), at(1));
    assert_eq!(titles(&three), ["T1 turned bullish", "T2 turned bullish", "T3 turned bullish"]);
    let four = compose(&situation(turns(4)), at(1));
    assert_eq!(titles(&four), ["4 calls changed"]);
    assert_eq!(four.messages[0].alerts.len(), 4);
    assert_eq!(four.messages[0].lane, Lane::Urgent);
    let plain = four.messages[0].body.to_card().plain();
    assert!(plain.contains("T3 turned bullish (daily, "), "{plain}");
}

#[test]
fn beyond_25_symbols_stand_under_a_heading_and_parts_stay_small_and_count_once() {
    let many = compose(&situation(turns(1_000)), at(1));
    assert!(many.messages.len() > 1);
    assert_eq!(many.messages.iter().filter(|draft| draft.counted).count(), 1);
    assert_eq!(many.messages.iter().map(|draft| draft.alerts.len()).sum::<usize>(), 1_000);
    for draft in &many.messages {
        let plain = draft.body.to_card().plain();
        assert!(plain.chars().count() <= TEXT_BUDGET + 100, "{}", plain.chars().count());
        assert!(plain.contains("Turned bullish ("));
    }
}

#[test]
fn rule_2_4_a_chat_gets_the_net_and_nothing_where_it_turned_back() {
    let flips = |stances: &[Stance]| -> Vec<Due> {
        let step = |(n, to): (usize, &Stance)| {
            let change = Change { data_time: at(n as i64), ..change(1, *to) };
            due(n as i64, Reason::Instant, change)
        };
        stances.iter().enumerate().map(step).collect()
    };
    let odd = compose(&situation(flips(&[Stance::Bullish, Stance::Bearish, Stance::Bullish])), at(9));
    assert_eq!(titles(&odd), ["T1 turned bullish"]);
    assert!(odd.messages[0].body.to_card().plain().contains("2 flips in between"));
    let even = compose(&situation(flips(&[Stance::Bullish, Stance::Bearish])), at(9));
    assert!(even.messages.is_empty());
    assert_eq!(even.holds.len(), 2);
    assert!(even.holds.iter().all(|(_, until, reason)| *until == Timestamp::NEVER && *reason == Reason::NetZero));

    let mut later = situation(turns(5));
    later.due.retain(|due| due.change.token != TokenId(1));
    later.due.extend(flips(&[Stance::Bullish, Stance::Bearish]).into_iter().map(|due| Due {
        reason: Reason::NetZero,
        alert: AlertId(due.alert.0 + 100),
        ..due
    }));
    let summary = compose(&later, at(9));
    assert_eq!(titles(&summary), ["5 calls changed"]);
    assert!(summary.messages[0].body.to_card().plain().contains("T1 flipped and back, still bearish"));
}

#[test]
fn the_net_is_against_what_was_last_told_to_this_subscription() {
    let mut known = situation(vec![due(1, Reason::Instant, change(1, Stance::Bullish))]);
    let told = |known_at| Told { stance: Stance::Bullish, known_at, told_at: Some(known_at) };
    known.told.insert((Kind::Daily, TokenId(1)), told(at(-100)));
    assert!(compose(&known, at(1)).messages.is_empty(), "it is what the chat knows");
    known.told.insert((Kind::Daily, TokenId(1)), told(at(-20_000)));
    assert_eq!(titles(&compose(&known, at(1))), ["T1 turned bullish"], "that was told to an earlier subscription");
}

#[test]
fn rule_3_8_the_other_direction_is_never_sent_but_known() {
    let mut bullish = situation(vec![due(1, Reason::Instant, change(1, Stance::Bearish))]);
    bullish.wishes = vec![all(Direction::Bullish)];
    let composition = compose(&bullish, at(1));
    assert!(composition.messages.is_empty());
    assert_eq!(composition.skips, [(AlertId(1), Reason::Direction)]);
    assert_eq!(composition.passed_over, [(Kind::Daily, TokenId(1), Stance::Bearish, at(-600))]);
}

#[test]
fn rule_3_2_what_was_unsubscribed_or_excluded_meanwhile_is_skipped() {
    let mut gone = situation(turns(2));
    gone.excluded.insert((Kind::Daily, TokenId(2)));
    assert_eq!(compose(&gone, at(1)).skips, [(AlertId(2), Reason::Excluded)]);
    gone.wishes.clear();
    assert_eq!(compose(&gone, at(1)).skips, [(AlertId(1), Reason::Unsubscribed), (AlertId(2), Reason::Unsubscribed)]);
}

#[test]
fn rule_3_4_the_hour_holds_until_its_oldest_message_leaves_and_then_one_summary_goes() {
    let mut full = situation(turns(1));
    full.settings.max_per_hour = 2;
    full.sent = vec![at(-30), at(-50)];
    let held = compose(&full, at(1));
    assert_eq!(held.holds, [(AlertId(1), at(10), Reason::HourlyCap)]);
    full.due = vec![due(1, Reason::HourlyCap, change(1, Stance::Bullish))];
    let released = compose(&full, at(10));
    assert_eq!(titles(&released), ["Held back: 1 call"]);
    assert_eq!((released.messages[0].lane, released.messages[0].counted), (Lane::Summary, true));
    full.settings.max_per_hour = 0;
    full.due = turns(3);
    assert_eq!(compose(&full, at(1)).messages.len(), 3);
}

#[test]
fn rule_2_9_a_correction_goes_in_spite_of_the_limit_and_does_not_count() {
    let correction = Change { nature: Nature::Correction { stored_at: at(-700) }, ..change(1, Stance::Bearish) };
    let mut full = situation(vec![due(1, Reason::Correction, correction), due(2, Reason::Instant, change(2, Stance::Bullish))]);
    full.settings.max_per_hour = 1;
    full.sent = vec![at(-1)];
    let composition = compose(&full, at(1));
    assert_eq!(titles(&composition), ["T1 correction: the call is bearish"]);
    assert!(!composition.messages[0].counted);
    assert_eq!(composition.holds.len(), 1);
}

#[test]
fn rule_2_9_a_turn_after_a_correction_is_told_as_a_turn() {
    let correction = Change { nature: Nature::Correction { stored_at: at(-700) }, ..change(1, Stance::Bearish) };
    let later = |minutes, to| Change { data_time: at(minutes), ..change(1, to) };
    let dues = [correction, later(-300, Stance::Bullish), later(-200, Stance::Bearish)];
    let dues = dues.into_iter().zip(1..).map(|(change, n)| due(n, Reason::Instant, change)).collect();
    assert_eq!(titles(&compose(&situation(dues), at(1))), ["T1 turned bearish"]);
}

#[test]
fn rule_2_9_many_corrections_are_one_summary_that_does_not_count_either() {
    let corrected =
        |n| due(n, Reason::Correction, Change { nature: Nature::Correction { stored_at: at(-700) }, ..change(n, Stance::Bearish) });
    for sent in [vec![], vec![at(-1)]] {
        let mut situation = situation((1..=4).map(corrected).collect());
        situation.settings.max_per_hour = 1;
        situation.sent = sent;
        let composition = compose(&situation, at(1));
        assert_eq!(titles(&composition), ["4 calls changed"]);
        assert!(!composition.messages[0].counted && composition.holds.is_empty());
        // Beside a turn for which there is no room they go all the same.
        situation.due.push(due(5, Reason::Instant, change(5, Stance::Bullish)));
        let composition = compose(&situation, at(1));
        let held = composition.holds.len();
        assert_eq!(
            (titles(&composition)[0].as_str(), held),
            if situation.sent.is_empty() { ("5 calls changed", 0) } else { ("4 calls changed", 1) }
        );
    }
}

#[test]
fn rule_2_8_late_news_is_one_summary_beside_what_is_fresh() {
    let late = |n| due(n, Reason::Late, Change { timing: Timing::Late, ..change(n, Stance::Bullish) });
    let both = compose(&situation(vec![late(1), late(2), due(3, Reason::Instant, change(3, Stance::Bearish))]), at(1));
    assert_eq!(titles(&both), ["T3 turned bearish", "While I was away: 2 calls"]);
    assert_eq!(titles(&compose(&situation(vec![late(1)]), at(1))), ["T1 turned bullish"]);
}

#[test]
fn rule_3_9_roles_of_both_wishes_are_mentioned_once_in_ten_minutes() {
    let mut mentioned = situation(turns(2));
    mentioned.wishes = vec![
        (Kind::Daily, Wish { mention: Some("7".to_owned()), ..all(Direction::Any).1 }),
        (Kind::Daily, Wish { mention: Some("8".to_owned()), target: Target::Token(TokenId(1)), ..all(Direction::Any).1 }),
    ];
    let composition = compose(&mentioned, at(1));
    assert_eq!(composition.messages[0].mention, ["7", "8"]);
    assert!(composition.messages[1].mention.is_empty());
    mentioned.mentioned_at = Some(at(-8));
    assert!(compose(&mentioned, at(1)).messages[0].mention.is_empty());
    assert_eq!(compose(&mentioned, at(2)).messages[0].mention, ["7", "8"]);
}

#[test]
fn rule_3_6_a_mute_holds_everything_and_ends_with_one_message() {
    let mut muted = situation(turns(2));
    muted.mutes.all = Some(at(60));
    assert_eq!(compose(&muted, at(1)).holds.len(), 2);
    muted.due.iter_mut().for_each(|due| due.reason = Reason::Muted);
    assert_eq!(titles(&compose(&muted, at(60))), ["Held back: 2 calls"]);
}

#[test]
fn rule_3_6_a_muted_token_waits_alone_and_the_others_are_told() {
    let mut muted = situation(turns(3));
    muted.mutes.tokens.insert(TokenId(2), at(60));
    muted.mutes.tokens.insert(TokenId(3), at(1));
    let composition = compose(&muted, at(1));
    assert_eq!(titles(&composition), ["T1 turned bullish", "T3 turned bullish"]);
    assert_eq!(composition.holds, [(AlertId(2), at(60), Reason::Muted)]);
}

#[test]
fn rule_3_6_a_mute_keeps_corrections_and_what_is_no_longer_wanted_for_its_end() {
    let correction = Change { nature: Nature::Correction { stored_at: at(-700) }, ..change(1, Stance::Bearish) };
    let mut muted = situation(vec![due(1, Reason::Correction, correction), due(2, Reason::Instant, change(2, Stance::Bullish))]);
    muted.mutes.all = Some(at(60));
    muted.excluded.insert((Kind::Daily, TokenId(2)));
    let composition = compose(&muted, at(1));
    assert_eq!(composition.holds, [(AlertId(1), at(60), Reason::Muted), (AlertId(2), at(60), Reason::Muted)]);
    assert!(composition.messages.is_empty() && composition.skips.is_empty() && composition.passed_over.is_empty());
    let ended = compose(&muted, at(60));
    assert_eq!(titles(&ended), ["T1 correction: the call is bearish"]);
    assert_eq!(ended.skips, [(AlertId(2), Reason::Excluded)]);
}

#[test]
fn rule_3_6_the_end_of_a_mute_keeps_to_the_hour_and_the_cooldown() {
    let mut ended = situation(turns(3));
    ended.due.iter_mut().for_each(|due| due.reason = Reason::Muted);
    ended.mutes.all = Some(at(1));
    ended.settings = Settings { max_per_hour: 1, cooldown_minutes: 30, ..Settings::default() };
    ended.told.insert((Kind::Daily, TokenId(3)), Told { stance: Stance::Bearish, known_at: at(-9), told_at: Some(at(-9)) });
    let composition = compose(&ended, at(1));
    assert_eq!(titles(&composition), ["Held back: 2 calls"]);
    assert_eq!(composition.holds, [(AlertId(3), at(21), Reason::Cooldown)]);
    ended.sent = vec![at(-10)];
    let full = compose(&ended, at(1));
    assert!(full.messages.is_empty());
    assert_eq!(full.holds[1..], [(AlertId(1), at(50), Reason::HourlyCap), (AlertId(2), at(50), Reason::HourlyCap)]);
}

/// Quiet from an hour ago until then, in UTC.
fn quiet_until(minutes: i64) -> Option<QuietHours> {
    let shown = |minutes| at(minutes).to_utc().format("%H:%M").to_string();
    QuietHours::parse(&format!("{}-{}", shown(minutes - 60), shown(minutes)))
}

/// The minute at which [`at`] begins is a full one: quiet hours are so too.
const FULL: i64 = 20;

#[test]
fn q1_quiet_hours_hold_everything_and_end_with_one_summary() {
    let correction = Change { nature: Nature::Correction { stored_at: at(-700) }, ..change(1, Stance::Bearish) };
    let mut quiet = situation(turns(3));
    quiet.due[0] = due(1, Reason::Correction, correction);
    quiet.settings.quiet_hours = quiet_until(FULL);
    let end = Timestamp::from_secs(at(FULL).as_secs() / 60 * 60);
    let held = compose(&quiet, at(1));
    assert_eq!(held.holds, [1, 2, 3].map(|n| (AlertId(n), end, Reason::QuietHours)));
    assert!(held.messages.is_empty());
    quiet.due.iter_mut().for_each(|due| due.reason = Reason::QuietHours);
    let ended = compose(&quiet, end);
    assert_eq!(titles(&ended), ["In your quiet hours: 3 calls"]);
    assert_eq!((ended.messages[0].lane, ended.messages[0].counted), (Lane::Summary, true));
    quiet.due.truncate(1);
    assert_eq!(titles(&compose(&quiet, end)), ["T1 correction: the call is bearish"]);
}

#[test]
fn q2_kinds_that_pass_through_are_told_in_quiet_hours() {
    let mut quiet = situation(turns(2));
    quiet.due[0].change.kind = Kind::Hourly;
    quiet.wishes.push((Kind::Hourly, all(Direction::Any).1));
    quiet.settings.quiet_hours = quiet_until(FULL);
    quiet.settings.quiet_bypass = [Kind::Hourly].into();
    let composition = compose(&quiet, at(1));
    assert_eq!((titles(&composition), composition.holds.len()), (vec!["T1 turned bullish".to_owned()], 1));
    // A mute holds them too.
    quiet.mutes.all = Some(at(60));
    assert_eq!(compose(&quiet, at(1)).holds, [1, 2].map(|n| (AlertId(n), at(60), Reason::Muted)));
}

fn digest_of(delivery: Delivery) -> (Kind, Wish) {
    (Kind::Daily, Wish { delivery, ..all(Direction::Any).1 })
}

/// An alert that was made at that minute; [`at`] begins at 11:06:40 UTC.
fn made(alert: i64, minutes: i64, to: Stance) -> Due {
    Due { created_at: at(minutes), ..due(alert, Reason::Digest, Change { detected_at: at(minutes), ..change(alert, to) }) }
}

fn time(text: &str) -> Timestamp {
    Timestamp::parse(&format!("2026-11-18T{text}Z")).unwrap()
}

#[test]
fn d2_a_window_has_one_digest_and_what_misses_it_waits_for_the_next() {
    let mut reader = situation(vec![made(1, 0, Stance::Bullish), made(2, 55, Stance::Bearish)]);
    reader.wishes = vec![digest_of(Delivery::DigestHourly)];
    let early = compose(&reader, time("11:59:59"));
    assert_eq!(early.holds, [(AlertId(1), time("12:00:00"), Reason::Digest), (AlertId(2), time("13:00:00"), Reason::Digest)]);
    let first = compose(&reader, time("12:00:00"));
    assert_eq!(titles(&first), ["Hourly digest: 1 call"]);
    assert_eq!((first.messages[0].lane, first.messages[0].counted, first.holds.len()), (Lane::Digest, false, 1));
    // Had it been kept back then, it would have had its place in the next.
    reader.digests.last = Some(time("12:00:01"));
    let missed = compose(&reader, time("12:30:00"));
    assert_eq!(missed.holds, [1, 2].map(|n| (AlertId(n), time("13:00:00"), Reason::Digest)));
    assert_eq!(titles(&compose(&reader, time("13:00:00"))), ["Hourly digest: 2 calls"]);
    // While the last one is on its way there is no other.
    reader.digests.under_way = true;
    let waiting = compose(&reader, time("13:00:00"));
    assert_eq!(waiting.holds, [1, 2].map(|n| (AlertId(n), time("13:01:00"), Reason::Digest)));
}

#[test]
fn d3_a_digest_is_ranked_in_groups_and_there_is_none_of_nothing() {
    let ranked = |alert, rank, to| Due { rank: Some(rank), link: Some(format!("https://x.test/{alert}")), ..made(alert, 0, to) };
    let mut reader = situation(vec![
        ranked(1, 9, Stance::Bullish),
        ranked(2, 3, Stance::Bearish),
        ranked(3, 1, Stance::Bullish),
        made(4, 0, Stance::Bullish),
    ]);
    reader.wishes = vec![digest_of(Delivery::DigestDaily)];
    let next = time("09:00:00") + Duration::from_secs(24 * 3600);
    let digest = compose(&reader, next);
    let expected = "Daily digest: 4 calls
▲ Turned bullish, daily (3)
T3 turned bullish (https://x.test/3) (18 Nov 2026)
T1 turned bullish (https://x.test/1) (18 Nov 2026)
T4 turned bullish (18 Nov 2026)
▼ Turned bearish, daily (1)
T2 turned bearish (https://x.test/2) (18 Nov 2026)";
    assert_eq!(digest.messages[0].body.to_card().plain(), expected);
    // One that turned back is no news, and stands in a digest that there is anyway.
    let mut back = situation(vec![made(1, 0, Stance::Bullish), Due { change: change(1, Stance::Bearish), ..made(2, 1, Stance::Bearish) }]);
    back.wishes = reader.wishes.clone();
    let none = compose(&back, next);
    assert!(
        none.messages.is_empty() && none.holds.iter().all(|(_, until, reason)| (*until, *reason) == (Timestamp::NEVER, Reason::NetZero))
    );
    back.due.iter_mut().for_each(|due| due.reason = Reason::NetZero);
    back.due.push(made(7, 3_000, Stance::Bullish));
    let later = next + Duration::from_secs(3 * 24 * 3600);
    assert_eq!(titles(&compose(&back, later)), ["Daily digest: 2 calls"]);
    assert_eq!(compose(&back, at(3_001)).messages, [], "what turned back makes no window end");
}

#[test]
fn d3_the_longest_window_gives_its_name_and_what_is_told_at_once_stays_apart() {
    let mut reader = situation((1..=6).map(|alert| made(alert, 0, Stance::Bullish)).collect());
    reader.due[5].change.timing = Timing::Late;
    let own = |token, delivery| (Kind::Daily, Wish { target: Target::Token(TokenId(token)), ..digest_of(delivery).1 });
    reader.wishes = vec![digest_of(Delivery::DigestHourly), own(1, Delivery::DigestDaily), own(2, Delivery::Instant)];
    reader.settings.max_per_hour = 1;
    reader.settings.cooldown_minutes = 10_000;
    reader.told.insert((Kind::Daily, TokenId(3)), Told { stance: Stance::Bearish, known_at: at(-5), told_at: Some(at(-5)) });
    let composition = compose(&reader, time("09:00:00") + Duration::from_secs(24 * 3600));
    assert_eq!(titles(&composition), ["T2 turned bullish", "Daily digest: 5 calls"]);
    assert!(composition.holds.is_empty(), "neither the hour nor a cooldown holds a digest");
}

#[test]
fn d3_many_calls_are_symbols_that_lead_somewhere_as_long_as_that_fits_one_message() {
    let digest = |count| {
        let link = |due: Due| Due { link: Some(format!("https://app.tokenmetrics.com/en/{}", due.alert)), ..due };
        let mut reader = situation((1..=count).map(|alert| link(made(alert, 0, Stance::Bullish))).collect());
        reader.wishes = vec![digest_of(Delivery::DigestWeekly)];
        let composition = compose(&reader, time("09:00:00") + Duration::from_secs(7 * 24 * 3600));
        let alerts: usize = composition.messages.iter().map(|draft| draft.alerts.len()).sum();
        assert_eq!(alerts, usize::try_from(count).unwrap());
        for draft in &composition.messages {
            assert!(draft.body.to_card().plain().chars().count() <= TEXT_BUDGET + 500);
        }
        let MessageBody::Digest { form, .. } = &composition.messages[0].body else { panic!("a digest") };
        (*form, composition.messages.len())
    };
    assert_eq!(digest(25), (DigestForm::Lines, 1));
    assert_eq!(digest(26), (DigestForm::Links, 1));
    assert_eq!(digest(100), (DigestForm::Symbols, 1));
    assert_eq!(digest(1_000).0, DigestForm::Symbols);
}

fn any_stance() -> impl Strategy<Value = Stance> {
    prop_oneof![Just(Stance::Bullish), Just(Stance::Bearish)]
}

prop_compose! {
    fn any_due()(
        alert in 0_i64..10_000, token in 1_i64..12, to in any_stance(), minutes in -700_i64..0, late: bool, corrected: bool,
        reason in proptest::sample::select(vec![Reason::Instant, Reason::HourlyCap, Reason::Cooldown, Reason::Muted, Reason::NetZero]),
    ) -> Due {
        let nature = if corrected { Nature::Correction { stored_at: at(minutes) } } else { Nature::Turned };
        let timing = if late { Timing::Late } else { Timing::Fresh };
        due(alert, reason, Change { nature, timing, data_time: at(minutes), ..change(token, to) })
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
    fn any_situation()(
        dues in prop::collection::vec(any_due(), 0..40), max_per_hour in 0_u32..5, cooldown_minutes in 0_u32..60,
        sent in prop::collection::vec(-90_i64..0, 0..8), told in prop::collection::btree_map(1_i64..12, (any_stance(), -90_i64..0), 0..12),
        direction in proptest::sample::select(Direction::ALL.to_vec()), excluded in prop::collection::btree_set(1_i64..12, 0..3),
        mutes in any_mutes(), delivery in proptest::sample::select(Delivery::ALL.to_vec()),
        last_digest in proptest::option::weighted(0.3, -90_i64..0), under_way: bool, quiet in proptest::option::weighted(0.2, -30_i64..30),
    ) -> Situation {
        let mut dues = dues;
        dues.sort_by_key(|due| due.alert);
        dues.dedup_by_key(|due| due.alert);
        Situation {
            settings: Settings { max_per_hour, cooldown_minutes, quiet_hours: quiet.and_then(quiet_until), ..Settings::default() },
            sent: sent.into_iter().map(at).collect(),
            told: told.into_iter()
                .map(|(token, (stance, ago))| ((Kind::Daily, TokenId(token)), Told { stance, known_at: at(ago), told_at: Some(at(ago)) }))
                .collect(),
            wishes: vec![(Kind::Daily, Wish { delivery, ..all(direction).1 })],
            digests: Digests { last: last_digest.map(at), under_way },
            mutes,
            excluded: excluded.into_iter().map(|token| (Kind::Daily, TokenId(token))).collect(),
            ..situation(dues)
        }
    }
}

fn calls(composition: Composition) -> Vec<Call> {
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
            let recent = situation.sent.iter().filter(|sent| **sent + HOUR > at(1)).count();
            let counted = composition.messages.iter().filter(|draft| draft.counted).count();
            prop_assert!(counted == 0 || counted + recent <= most);
        }
        prop_assert!(composition.holds.iter().all(|(_, until, _)| *until > at(1)));
    }

    /// A subscriber of one direction never hears of the other.
    #[test]
    fn the_unwanted_direction_is_never_told(situation in any_situation()) {
        let direction = situation.wishes[0].1.direction;
        for call in calls(compose(&situation, at(1))) {
            prop_assert!(direction.admits(call.to));
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
        for call in calls(composition) {
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
                    reader.told.insert((Kind::Daily, call.token), Told { stance: call.to, known_at: now, told_at: Some(now) });
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
        prop_assert!(calls(compose(&muted, at(0))).is_empty());
        prop_assert_eq!(compose(&muted, at(1)), compose(&never, at(1)));
    }
}
