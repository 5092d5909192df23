//! Tables of what is composed while a summary waits (ARCHITECTURE.md, rule O5).

use super::*;

/// Tokens 1 and 2 are told of in a summary that waits and counts.
fn behind_a_summary(due: Vec<Due>) -> Situation {
    let tells = [1, 2].map(|token| (Kind::Daily, TokenId(token))).into();
    Situation { waiting: Waiting { tells, summary: true, counted: 1, mentions: false }, ..situation(due) }
}

fn fresh(alert: i64) -> Due {
    due(alert, Reason::Instant, change(alert, Stance::Bullish))
}

fn lanes(composition: &Composition) -> Vec<Lane> {
    composition.messages.iter().map(|draft| draft.lane).collect()
}

#[test]
fn o5_other_tokens_go_before_it_and_its_own_wait() {
    let composition = compose(&behind_a_summary(turns(4)), at(1));
    assert_eq!(titles(&composition), ["T3 turned bullish", "T4 turned bullish"]);
    assert_eq!(lanes(&composition), [Lane::Urgent; 2]);
    assert_eq!(composition.waits, [AlertId(1), AlertId(2)]);
    assert!(composition.holds.is_empty() && composition.skips.is_empty());
    let many = compose(&behind_a_summary(turns(6)), at(1));
    assert_eq!((titles(&many), lanes(&many)), (vec!["4 calls changed".to_owned()], vec![Lane::Urgent]), "a net and no flood");
    let hourly = Change { kind: Kind::Hourly, ..change(1, Stance::Bullish) };
    let mut other_kind = behind_a_summary(vec![due(1, Reason::Instant, hourly)]);
    other_kind.wishes = vec![(Kind::Hourly, all(Direction::Any).1)];
    assert_eq!(titles(&compose(&other_kind, at(1))), ["T1 turned bullish"]);
}

#[test]
fn o5_whatever_would_be_another_summary_waits() {
    let held = |alert, reason| due(alert, reason, change(alert, Stance::Bullish));
    for reason in [Reason::HourlyCap, Reason::Stale, Reason::Muted, Reason::QuietHours, Reason::Cooldown, Reason::Quarantined] {
        let composition = compose(&behind_a_summary(vec![held(3, reason), held(4, reason), fresh(5)]), at(1));
        assert_eq!((titles(&composition), lanes(&composition)), (vec!["T5 turned bullish".to_owned()], vec![Lane::Urgent]), "{reason}");
        assert_eq!(composition.waits, [AlertId(3), AlertId(4)], "{reason}");
    }
    // Of a token all that waits is told together.
    let turn = |minutes, to| Change { data_time: at(minutes), ..change(3, to) };
    let three = vec![
        due(3, Reason::HourlyCap, turn(-3, Stance::Bullish)),
        due(4, Reason::HourlyCap, turn(-2, Stance::Bearish)),
        due(5, Reason::Instant, turn(-1, Stance::Bullish)),
    ];
    assert_eq!(compose(&behind_a_summary(three), at(1)).waits, [3, 4, 5].map(AlertId));
    let late = |n| due(n, Reason::Late, Change { timing: Timing::Late, ..change(n, Stance::Bullish) });
    assert_eq!(compose(&behind_a_summary(vec![late(3)]), at(1)).waits, [AlertId(3)]);
    let old = Change { detected_at: at(-8 * 24 * 60), ..change(3, Stance::Bullish) };
    assert_eq!(compose(&behind_a_summary(vec![due(3, Reason::Quarantined, old)]), at(1)).waits, [AlertId(3)]);
    let mut digest = behind_a_summary(vec![held(3, Reason::Digest)]);
    digest.wishes = vec![digests::digest_of(Delivery::DigestHourly)];
    assert_eq!(compose(&digest, at(120)).waits, [AlertId(3)], "a digest is composed behind it, with all that belongs in it");
}

#[test]
fn o5_it_has_its_place_in_the_hour() {
    let mut full = behind_a_summary(vec![fresh(3), fresh(4)]);
    full.settings.max_per_hour = 2;
    let composition = compose(&full, at(1));
    assert_eq!(titles(&composition), ["T3 turned bullish"]);
    assert_eq!(composition.holds, [(AlertId(4), at(1) + HOUR, Reason::HourlyCap)]);
    let correction = Change { nature: Nature::Correction { stored_at: at(-700) }, ..change(5, Stance::Bearish) };
    full.due.push(due(5, Reason::Correction, correction));
    full.sent = vec![at(-30)];
    let composition = compose(&full, at(1));
    assert_eq!(titles(&composition), ["T5 correction: the call is bearish"]);
    assert_eq!(composition.holds, [3, 4].map(|n| (AlertId(n), at(30), Reason::HourlyCap)));
}

#[test]
fn o5_a_role_that_it_mentions_is_not_mentioned_before_it() {
    let mut mentioned = behind_a_summary(vec![fresh(3)]);
    mentioned.wishes = vec![(Kind::Daily, Wish { mention: Some("7".to_owned()), ..all(Direction::Any).1 })];
    assert_eq!(compose(&mentioned, at(1)).messages[0].mention, ["7"]);
    mentioned.waiting.mentions = true;
    assert!(compose(&mentioned, at(1)).messages[0].mention.is_empty());
}

#[test]
fn o5_mutes_and_quiet_hours_hold_as_ever() {
    let mut muted = behind_a_summary(vec![fresh(1), fresh(3)]);
    muted.mutes.all = Some(at(60));
    assert_eq!(compose(&muted, at(1)).holds, [1, 3].map(|n| (AlertId(n), at(60), Reason::Muted)));
}

#[test]
fn what_a_digest_tells_that_waits_is_awaited_too() {
    let mut behind = behind_a_summary(vec![fresh(1), fresh(3)]);
    behind.waiting = Waiting { summary: false, counted: 0, ..behind.waiting };
    let composition = compose(&behind, at(1));
    assert_eq!((titles(&composition), composition.waits), (vec!["T3 turned bullish".to_owned()], vec![AlertId(1)]));
}

#[test]
fn h1_what_has_waited_behind_others_until_it_was_news_no_longer_is_held_news() {
    let composed = |reason, hours: i64| compose(&situation(vec![due(1, reason, change(1, Stance::Bullish))]), at(60 * hours + 1)).messages;
    let [news] = &composed(Reason::Instant, 5)[..] else { panic!() };
    assert!(news.lane == Lane::Urgent && matches!(news.body, MessageBody::Alert { .. }));
    let [lapsed] = &composed(Reason::Instant, 6)[..] else { panic!() };
    assert_eq!((lapsed.lane, lapsed.body.to_card().title.plain()), (Lane::Summary, "Held back: 1 call".to_owned()));
    let [cooled] = &composed(Reason::Cooldown, 10)[..] else { panic!() };
    assert!(matches!(cooled.body, MessageBody::Alert { .. }), "what is held has its own time");
    assert_eq!(compose(&behind_a_summary(vec![fresh(3)]), at(60)).messages.len(), 1);
    assert_eq!(compose(&behind_a_summary(vec![fresh(3)]), at(361)).waits, [AlertId(3)], "and it overtakes nothing");
}
