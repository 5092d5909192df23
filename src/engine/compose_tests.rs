//! Tables and properties of composing.

use super::{parts::TEXT_BUDGET, *};
use crate::domain::{
    Change, Crossing, Digests, Direction, Draft, Lane, Level, Line, MessageBody, Mutes, Nature, Near, QuietHours, Settings, SourceId,
    Stance, Told, Waiting, Way, wording,
};

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
        mover: None,
        crossing: None,
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
        told_in: None,
        change,
    }
}

fn all(direction: Direction) -> (Kind, Wish) {
    (
        Kind::Daily,
        Wish { target: Target::All, direction, delivery: Delivery::Instant, mention: None, created_at: at(-100_000), threshold: None },
    )
}

fn situation(due: Vec<Due>) -> Situation {
    Situation {
        settings: Settings::default(),
        mutes: Mutes::default(),
        mentioned_at: None,
        digests: Digests::default(),
        waiting: Waiting::default(),
        sent: Vec::new(),
        told: BTreeMap::new(),
        turns: BTreeMap::new(),
        polls: BTreeMap::new(),
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

fn told_in(call: Call, alone: bool) -> ToldIn {
    ToldIn { platform_id: "77".to_owned(), alone, call }
}

/// What a chat is told of a correction to bearish, by the message in which it was told the wrong call.
fn corrected(told_in: Option<ToldIn>) -> Draft {
    let correction = Change { nature: Nature::Correction { stored_at: at(-100) }, ..change(1, Stance::Bearish) };
    let mut situation = situation(vec![Due { told_in, ..due(2, Reason::Correction, correction) }]);
    situation
        .told
        .insert((Kind::Daily, TokenId(1)), Told { stance: Stance::Bullish, known_at: at(-90), told_at: Some(at(-90)), unstable: false });
    let mut composed = compose(&situation, at(1));
    assert_eq!(composed.messages.len(), 1);
    composed.messages.remove(0)
}

#[test]
fn c1_c3_a_correction_edits_what_stands_alone_and_replies_to_what_does_not() {
    let wrong = match corrected(None).body {
        MessageBody::Alert { call, instead_of: None, .. } => Call { to: Stance::Bullish, ..call },
        other => panic!("{other:?}"),
    };
    for (alone, how) in [(true, FollowsHow::Edits), (false, FollowsHow::Replies)] {
        let draft = corrected(Some(told_in(wrong.clone(), alone)));
        assert_eq!(draft.follows, Some(Follows { platform_id: "77".to_owned(), how }));
        assert!(!draft.counted);
        assert!(matches!(draft.body, MessageBody::Alert { instead_of: Some(was), .. } if *was == wrong));
    }
    let other_day = Call { data_time: wrong.data_time - HOUR, ..wrong };
    assert_eq!(corrected(Some(told_in(other_day, true))).follows, None, "that message tells another row");
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
    let told = |known_at| Told { stance: Stance::Bullish, known_at, told_at: Some(known_at), unstable: false };
    known.told.insert((Kind::Daily, TokenId(1)), told(at(-100)));
    assert!(compose(&known, at(1)).messages.is_empty(), "it is what the chat knows");
    known.told.insert((Kind::Daily, TokenId(1)), told(at(-200_000)));
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
fn k2_what_was_kept_for_more_than_seven_days_is_counted_and_not_told() {
    const WEEK: i64 = 7 * 24 * 60;
    let of = |alert, token, minutes| {
        due(alert, Reason::Quarantined, Change { detected_at: at(minutes), data_time: at(minutes), ..change(token, Stance::Bullish) })
    };
    let composition = compose(&situation(vec![of(1, 1, -WEEK), of(2, 2, 1 - WEEK), of(3, 3, 2 - WEEK)]), at(1));
    assert_eq!(titles(&composition), ["Held back: 1 call"], "of a token that is young enough");
    let last = composition.messages[0].body.to_card().lines.last().map(wording::Phrase::plain);
    assert_eq!(last.as_deref(), Some("2 changes from over 7 days ago, while I could not reach you, are in /history."));
    assert_eq!(composition.messages[0].alerts.len(), 3, "all of them are accounted for");
    let alone = compose(&situation(vec![of(1, 1, -WEEK)]), at(1));
    assert_eq!((titles(&alone), alone.messages[0].counted), (vec!["I can reach you again".to_owned()], false));
    let other = due(1, Reason::Muted, of(1, 1, -WEEK).change);
    assert_eq!(titles(&compose(&situation(vec![other]), at(1))), ["T1 turned bullish"], "a mute is as long as its owner wants");
}

#[test]
fn h1_what_could_not_be_sent_in_time_is_a_summary_even_of_one() {
    let composition = compose(&situation(vec![due(1, Reason::Stale, change(1, Stance::Bullish))]), at(400));
    assert_eq!((titles(&composition), composition.messages[0].lane), (vec!["Held back: 1 call".to_owned()], Lane::Summary));
    let fresh = due(2, Reason::Instant, change(2, Stance::Bearish));
    let composition = compose(&situation(vec![due(1, Reason::Stale, change(1, Stance::Bullish)), fresh]), at(400));
    assert_eq!(titles(&composition), ["Held back: 2 calls"], "with what came since");
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
    ended
        .told
        .insert((Kind::Daily, TokenId(3)), Told { stance: Stance::Bearish, known_at: at(-9), told_at: Some(at(-9)), unstable: false });
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

#[path = "compose/poll_tests.rs"]
mod poll_tests;
#[path = "compose/waiting_tests.rs"]
mod waiting_tests;

#[path = "compose/digest_tests.rs"]
mod digests;
#[path = "compose/properties.rs"]
mod properties;

/// Crossings of SOL's levels, in this order: each is levels by their values, and which way they were crossed.
fn crossings(list: &[(Way, &[f64])]) -> Situation {
    let crossed = |(number, (way, levels)): (i64, &(Way, &[f64]))| {
        let levels: Vec<_> = levels.iter().map(|at| Level { date: at_day(*at), at: *at }).collect();
        let line = Line::new(*way, levels[0].at).unwrap();
        let crossing = Crossing { price: levels[0].at, levels, near: Near::default() };
        let change = Change {
            kind: Kind::Levels,
            from: None,
            data_time: at(number),
            nature: Nature::Crossed { drawn_since: None },
            crossing: Some(Box::new(crossing)),
            ..change(1, Stance::Beyond(line))
        };
        due(number, Reason::Muted, change)
    };
    Situation { wishes: vec![(Kind::Levels, all(Direction::Any).1)], ..situation((1..).zip(list).map(crossed).collect()) }
}

fn at_day(number: f64) -> Timestamp {
    Timestamp::from_secs(1_700_000_000 + number as i64 * 86_400)
}

#[test]
fn l4_held_crossings_are_told_as_what_is_still_crossed() {
    let told = |list: &[(Way, &[f64])]| {
        let composition = compose(&crossings(list), at(60));
        let levels = composition.messages.iter().flat_map(|draft| draft.body.calls()).filter_map(|call| call.crossing.as_ref());
        (titles(&composition), levels.map(|crossing| crossing.levels.len()).sum::<usize>(), composition.holds.len())
    };
    let title = |words: &str| vec![format!("T1 crossed {words}")];
    let (up, down) = (Way::Up, Way::Down);
    assert_eq!(told(&[(up, &[110.0, 100.0])]), (title("above 110"), 2, 0));
    assert_eq!(told(&[(up, &[100.0]), (up, &[110.0])]), (title("above 110"), 2, 0));
    assert_eq!(told(&[(up, &[110.0, 100.0]), (down, &[110.0])]), (title("above 100"), 1, 0), "110 is as it was");
    assert_eq!(told(&[(up, &[100.0]), (down, &[90.0, 100.0])]), (title("below 90"), 1, 0));
    assert_eq!(told(&[(up, &[100.0]), (down, &[100.0])]), (vec![], 0, 2), "a line of the next summary");
    assert_eq!(told(&[(up, &[100.0]), (down, &[100.0]), (up, &[100.0])]), (title("above 100"), 1, 0));
}
