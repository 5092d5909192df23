//! Look-ups of what the directory lacks: counted, shared, remembered.

use crate::support::{
    community::{PERSON, texts, with_operator},
    database::{TestDb, on_both},
    fake_token_metrics::Fault,
    poller::Bench,
};
use bellwether::{
    cache::Insights,
    commands::{Inquiries, LookupRequest, LookupResult},
    domain::{Kind, SourceId, Stance},
    pipeline::{lookup::Lookups, operators::Operators},
};
use std::{collections::BTreeMap, time::Duration};
use tokio::sync::{mpsc, oneshot};

struct Desk {
    requests: mpsc::Sender<LookupRequest>,
    lookups: Lookups,
}

impl Desk {
    fn new(bench: &Bench) -> Self {
        let (requests, lookups) = mpsc::channel(8);
        let inquiries = Inquiries { lookups, facets: BTreeMap::new(), insights: Insights::default() };
        let operators = Operators::new(bench.db.store.clone(), bench.clock.clone(), Vec::new());
        let lookups = Lookups::new(bench.poller().caller(), operators, bench.db.store.clone(), bench.clock.clone(), inquiries);
        Self { requests, lookups }
    }

    async fn ask(&mut self, person: &str, query: &str) -> LookupResult {
        self.request(person, query, None).await
    }

    async fn ask_call(&mut self, person: &str, token: i64, kind: Kind) -> LookupResult {
        self.request(person, &format!("#{token}"), Some(kind)).await
    }

    async fn request(&mut self, person: &str, query: &str, call: Option<Kind>) -> LookupResult {
        let (answer, result) = oneshot::channel();
        self.requests.send(LookupRequest { person: person.to_owned(), query: query.to_owned(), call, answer }).await.unwrap();
        self.lookups.answer_waiting().await;
        result.await.unwrap()
    }
}

fn ids(result: &LookupResult) -> Vec<i64> {
    let LookupResult::Found(tokens) = result else { panic!("{result:?}") };
    tokens.iter().map(|token| token.id.0).collect()
}

on_both!(a_symbol_is_found_shared_and_written, |db| async move {
    let bench = Bench::new(db, "2026-11-22T09:10:00Z").await;
    bench.fake.add_unranked(45011, "NEW", "Newcomer");
    bench.fake.add_unranked(45012, "NEW", "Newcomer Two");
    let mut desk = Desk::new(&bench);
    assert_eq!(ids(&desk.ask("telegram:1", "$new").await), [45011, 45012]);
    assert_eq!(ids(&desk.ask("telegram:2", "NEW").await), [45011, 45012]);
    assert_eq!(bench.fake.take_seen().len(), 1, "the answer is shared");
    bench.advance(Duration::from_secs(15 * 60));
    assert_eq!(ids(&desk.ask("telegram:2", "NEW").await).len(), 2);
    let seen = bench.fake.take_seen();
    assert_eq!((seen.len(), seen[0].query["symbol"].as_str(), seen[0].query["limit"].as_str()), (1, "NEW", "100"));
    assert_eq!(ids(&desk.ask("telegram:3", "#45012").await), [45012]);
    assert_eq!(bench.fake.take_seen()[0].query["token_id"], "45012");
});

on_both!(an_unknown_symbol_is_remembered_for_a_day, |db| async move {
    let bench = Bench::new(db, "2026-11-22T09:10:00Z").await;
    let mut desk = Desk::new(&bench);
    assert!(ids(&desk.ask("telegram:1", "NOPE").await).is_empty());
    bench.advance(Duration::from_secs(23 * 3600));
    assert!(ids(&desk.ask("telegram:2", "nope").await).is_empty());
    assert_eq!(bench.fake.take_seen().len(), 1);
    bench.advance(Duration::from_secs(3600));
    desk.ask("telegram:2", "nope").await;
    assert_eq!(bench.fake.take_seen().len(), 1);
});

on_both!(a_person_has_three_a_day_and_everybody_twenty, |db| async move {
    let bench = Bench::new(db, "2026-11-22T09:10:00Z").await;
    let mut desk = Desk::new(&bench);
    for number in 0..3 {
        assert!(ids(&desk.ask("telegram:1", &format!("X{number}")).await).is_empty());
    }
    assert_eq!(desk.ask("telegram:1", "X9").await, LookupResult::OverLimit);
    assert!(ids(&desk.ask("telegram:1", "X0").await).is_empty(), "what is known costs nothing");
    for number in 3..20 {
        ids(&desk.ask(&format!("discord:{number}"), &format!("X{number}")).await);
    }
    assert_eq!(desk.ask("discord:99", "X99").await, LookupResult::OverLimit);
    assert_eq!(bench.fake.take_seen().len(), 20);
    bench.advance(Duration::from_secs(15 * 3600));
    assert!(ids(&desk.ask("telegram:1", "X9").await).is_empty(), "another day");
});

#[tokio::test]
async fn without_a_budget_nobody_is_counted() {
    let mut bench = Bench::new(TestDb::sqlite().await, "2026-11-22T09:10:00Z").await;
    bench.settings.calls_per_month = 0;
    let mut desk = Desk::new(&bench);
    for number in 0..10 {
        assert!(ids(&desk.ask("telegram:1", &format!("X{number}")).await).is_empty());
    }
}

#[tokio::test]
async fn a_failure_is_no_answer_and_is_not_remembered() {
    let bench = Bench::new(TestDb::sqlite().await, "2026-11-22T09:10:00Z").await;
    let mut desk = Desk::new(&bench);
    bench.fake.add_unranked(45011, "NEW", "Newcomer");
    bench.fake.fault("tokens", Fault::Html(502));
    assert_eq!(desk.ask("telegram:1", "NEW").await, LookupResult::Unavailable);
    assert_eq!(ids(&desk.ask("telegram:1", "NEW").await), [45011]);
    assert!(ids(&desk.ask("telegram:1", "not,a,symbol").await).is_empty());
    assert_eq!(bench.fake.take_seen().len(), 2);
}

on_both!(operators_hear_once_that_unknown_tokens_cannot_be_looked_up, |db| async move {
    let mut app = with_operator(db, &[]).await;
    texts(&app);
    let refused = r#"{"success": false, "message": "You are not authorized to access this endpoint with your current plan."}"#;
    app.source.set_down_at("tokens", Some(Fault::Status(401, refused.to_owned())));
    app.source.take_seen();
    app.telegram.with(|world| world.say(PERSON, PERSON, "/subscribe NOPE"));
    app.step().await;
    let told = texts(&app);
    let by = |who: &str| told.iter().filter(|(reader, _)| reader == who).map(|(_, text)| text.as_str()).collect::<Vec<_>>().join("\n");
    assert!(by("person").contains("Please try again later"), "{told:?}");
    let notice = by("operator");
    assert!(notice.contains("Tokens that are not in my list cannot be looked up: ") && notice.contains("401"), "{told:?}");
    assert!(notice.contains("the next one is looked up all the same") && !notice.contains("/signal"), "{told:?}");
    app.telegram.with(|world| world.say(PERSON, PERSON, "/subscribe NOPE2"));
    app.step().await;
    assert!(texts(&app).iter().all(|(reader, _)| reader == "person"), "once");
    assert_eq!(app.source.take_seen().iter().filter(|seen| seen.endpoint == "tokens").count(), 2, "asked again at once");
});

on_both!(a_failure_counts_as_it_costs_a_call, |db| async move {
    let bench = Bench::new(db, "2026-11-22T09:10:00Z").await;
    let mut desk = Desk::new(&bench);
    bench.fake.set_down(Some(Fault::Html(502)));
    assert_eq!(desk.ask("telegram:1", "NEW").await, LookupResult::Unavailable);
    assert_eq!(desk.ask_call("telegram:1", 3306, Kind::Daily).await, LookupResult::Unavailable);
    assert_eq!(desk.ask("telegram:1", "NEW").await, LookupResult::Unavailable);
    bench.fake.set_down(None);
    bench.fake.add_unranked(45011, "NEW", "Newcomer");
    assert_eq!(desk.ask("telegram:1", "NEW").await, LookupResult::OverLimit);
    assert_eq!(bench.fake.take_seen().len(), 3);
    assert_eq!(ids(&desk.ask("telegram:2", "NEW").await), [45011], "not remembered as unknown");
});

#[tokio::test]
async fn nobody_is_asked_for_who_has_stopped_waiting() {
    let bench = Bench::new(TestDb::sqlite().await, "2026-11-22T09:10:00Z").await;
    let mut desk = Desk::new(&bench);
    let (answer, result) = oneshot::channel();
    desk.requests.send(LookupRequest { person: "telegram:1".to_owned(), query: "NEW".to_owned(), call: None, answer }).await.unwrap();
    drop(result);
    desk.lookups.answer_waiting().await;
    assert_eq!(bench.fake.take_seen().len(), 0);
}

#[tokio::test]
async fn the_months_budget_binds_look_ups_too() {
    let mut bench = Bench::new(TestDb::sqlite().await, "2026-11-22T09:10:00Z").await;
    bench.settings.calls_per_month = 1;
    let mut desk = Desk::new(&bench);
    assert!(ids(&desk.ask("telegram:1", "A").await).is_empty());
    assert_eq!(desk.ask("telegram:1", "B").await, LookupResult::Unavailable);
    assert_eq!(bench.fake.take_seen().len(), 1);
    let counts = bench.db.store.lookup_counts(SourceId::TokenMetrics, "telegram:1", bench.clock_now().day().start()).await.unwrap();
    assert_eq!(counts.person, 1, "what was not asked does not count");
}

on_both!(a_call_is_looked_up_counted_and_shared, |db| async move {
    let bench = Bench::new(db, "2026-11-22T09:10:00Z").await;
    let mut desk = Desk::new(&bench);
    bench.fake.set_daily(3375, "2026-11-21", 1, 1);
    bench.fake.set_daily(3375, "2026-11-22", 0, 1);
    let LookupResult::Call(Some(call)) = desk.ask_call("telegram:1", 3375, Kind::Daily).await else { panic!("the source has a call") };
    assert_eq!((call.stance, call.since.map(|since| since.exact)), (Some(Stance::Bullish), Some(true)));
    bench.fake.set_daily(3375, "2026-11-22", -1, -1);
    assert_eq!(desk.ask_call("discord:2", 3375, Kind::Daily).await, LookupResult::Call(Some(call)), "shared");
    assert_eq!(bench.fake.take_seen().len(), 1);
    bench.advance(Duration::from_secs(15 * 60));
    let LookupResult::Call(Some(call)) = desk.ask_call("telegram:1", 3375, Kind::Daily).await else { panic!("the source has a call") };
    assert_eq!(call.stance, Some(Stance::Bearish));
    // No row is an answer too; both kinds and symbols share one count.
    assert_eq!(desk.ask_call("telegram:1", 3375, Kind::Hourly).await, LookupResult::Call(None));
    assert_eq!(desk.ask_call("telegram:1", 3306, Kind::Daily).await, LookupResult::OverLimit);
    assert_eq!(desk.ask("telegram:1", "NEW").await, LookupResult::OverLimit);
    bench.fake.take_seen();
    bench.fake.fault("trading-signals", Fault::Html(502));
    assert_eq!(desk.ask_call("telegram:3", 3306, Kind::Daily).await, LookupResult::Unavailable);
    bench.fake.set_daily(3306, "2026-11-22", -1, -1);
    let found = desk.ask_call("telegram:3", 3306, Kind::Daily).await;
    assert!(matches!(found, LookupResult::Call(Some(_))), "a failure is not remembered: {found:?}");
    let states = bench.db.store.token_states(SourceId::TokenMetrics, Kind::Daily).await.unwrap();
    assert!(states.states.is_empty(), "no baseline");
});
