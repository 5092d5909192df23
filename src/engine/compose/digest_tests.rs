//! Tables of digests (ARCHITECTURE.md, rules D2 to D5).

use super::*;
use crate::domain::{DigestForm, MessageBody};

pub(super) fn digest_of(delivery: Delivery) -> (Kind, Wish) {
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
fn d2_what_turned_back_makes_no_window_end_however_often_it_is_looked_at() {
    let of_one = |alert, minutes, to| Due { change: Change { detected_at: at(minutes), ..change(1, to) }, ..made(alert, minutes, to) };
    let mut reader = situation(vec![of_one(1, 0, Stance::Bullish), of_one(2, 1, Stance::Bearish), of_one(3, 3_000, Stance::Bullish)]);
    reader.wishes = vec![digest_of(Delivery::DigestDaily)];
    reader.due[..2].iter_mut().for_each(|due| due.reason = Reason::NetZero);
    let (never, end) = (Timestamp::NEVER, time("09:00:00") + Duration::from_secs(3 * 24 * 3600));
    for minutes in [3_001, 3_002] {
        let look = compose(&reader, at(minutes));
        assert_eq!(look.messages, []);
        assert_eq!(
            look.holds,
            [(AlertId(1), never, Reason::NetZero), (AlertId(2), never, Reason::NetZero), (AlertId(3), end, Reason::Digest)]
        );
        // As it is stored, and looked at again because a setting was changed.
        reader.due.iter_mut().zip(&look.holds).for_each(|(due, (.., reason))| due.reason = *reason);
    }
    assert_eq!(titles(&compose(&reader, end)), ["Daily digest: 1 call"]);
}

#[test]
fn d3_the_longest_window_gives_its_name_and_what_is_told_at_once_stays_apart() {
    let mut reader = situation((1..=6).map(|alert| made(alert, 0, Stance::Bullish)).collect());
    reader.due[5].change.timing = Timing::Late;
    let own = |token, delivery| (Kind::Daily, Wish { target: Target::Token(TokenId(token)), ..digest_of(delivery).1 });
    reader.wishes = vec![digest_of(Delivery::DigestHourly), own(1, Delivery::DigestDaily), own(2, Delivery::Instant)];
    reader.settings.max_per_hour = 1;
    reader.settings.cooldown_minutes = 10_000;
    reader
        .told
        .insert((Kind::Daily, TokenId(3)), Told { stance: Stance::Bearish, known_at: at(-5), told_at: Some(at(-5)), unstable: false });
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
