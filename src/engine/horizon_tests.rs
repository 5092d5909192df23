use super::*;
use crate::domain::{
    Call, Delivery, DigestForm, Stance, SummaryCause, TokenId,
    wording::{Card, ReplyPhrase, Tone},
};

const MADE: &str = "2026-11-21T08:50:00Z";

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn alert(kind: Kind, outcome: Outcome) -> MessageBody {
    let (seen_at, symbol) = (at(MADE), "SOL".to_owned());
    let call = Call {
        token: TokenId(1),
        symbol,
        kind,
        outcome,
        from: Some(Stance::Bearish),
        since: None,
        to: Stance::Bullish,
        data_time: seen_at,
        seen_at,
        flips: 0,
        after_gap: false,
        trader_grade: None,
        mover: None,
        crossing: None,
        link: None,
    };
    MessageBody::Alert { call, buttons: None, instead_of: None }
}

fn digest(delivery: Delivery) -> MessageBody {
    MessageBody::Digest { delivery, total: 0, form: DigestForm::Lines, calls: Vec::new(), review: None }
}

fn card() -> MessageBody {
    MessageBody::Card { card: Card::new(Tone::Neutral, ReplyPhrase::NotAdvice.into()) }
}

fn until(body: &MessageBody, lane: Lane) -> String {
    useful_until(body, lane, &Settings::default(), at(MADE)).to_string()
}

#[test]
fn h1_an_alert_is_news_for_as_long_as_its_kind_moves_slowly() {
    for (kind, until_then) in [(Kind::Hourly, "09:50"), (Kind::Levels, "09:50"), (Kind::Daily, "14:50"), (Kind::Grade, "14:50")] {
        assert_eq!(until(&alert(kind, Outcome::Turned), Lane::Urgent), at(&format!("2026-11-21T{until_then}:00Z")).to_string(), "{kind:?}");
    }
    assert_eq!(
        until(&alert(Kind::Hourly, Outcome::Corrected), Lane::Urgent),
        at("2026-11-22T08:50:00Z").to_string(),
        "what was wrong stays wrong"
    );
    let summary = MessageBody::Summary { cause: SummaryCause::Held, total: 0, calls: Vec::new(), compact: false, older: 0 };
    assert_eq!(until(&summary, Lane::Summary), at("2026-11-21T14:50:00Z").to_string());
}

#[test]
fn h2_a_digest_gives_way_to_the_next_one() {
    assert_eq!(until(&digest(Delivery::DigestHourly), Lane::Digest), at("2026-11-21T09:00:00Z").to_string());
    assert_eq!(until(&digest(Delivery::DigestDaily), Lane::Digest), at("2026-11-21T09:00:00Z").to_string());
    assert_eq!(until(&digest(Delivery::DigestWeekly), Lane::Digest), at("2026-11-22T08:50:00Z").to_string(), "a day at most");
}

#[test]
fn h3_an_answer_has_a_quarter_of_an_hour_and_a_notice_a_day() {
    let settings = Settings::default();
    let of = |lane, now: &str| lapse(&card(), lane, &settings, at(MADE), true, at(now));
    assert_eq!(of(Lane::Reply, "2026-11-21T09:05:00Z"), None);
    assert!(matches!(of(Lane::Reply, "2026-11-21T09:05:01Z"), Some(Lapse::GivenUp(why)) if why.contains("15 minutes")));
    assert_eq!(of(Lane::Notice, "2026-11-22T08:50:00Z"), None);
    assert!(matches!(of(Lane::Urgent, "2026-11-22T08:50:01Z"), Some(Lapse::GivenUp(why)) if why.contains("24 hours")));
}

#[test]
fn h4_what_may_have_arrived_is_never_told_in_other_words() {
    let (settings, body) = (Settings::default(), alert(Kind::Hourly, Outcome::Turned));
    let of = |may_go_back, now: &str| lapse(&body, Lane::Urgent, &settings, at(MADE), may_go_back, at(now));
    assert_eq!(of(true, "2026-11-21T09:50:01Z"), Some(Lapse::ToldTogether));
    assert_eq!(of(false, "2026-11-21T09:50:01Z"), None);
    assert!(matches!(of(false, "2026-11-22T08:50:01Z"), Some(Lapse::GivenUp(_))));
}
