//! Polls through the front door: the poller is stepped, the clock is moved by hand, the API is a fake that speaks HTTP.

use crate::support::{
    database::{TestDb, on_both},
    fake_token_metrics::{FakeTokenMetrics, Fault, Seen},
    poller::Bench,
};
use bellwether::{
    domain::{Cadence, Feed, Kind, Listing, SourceId, Timestamp, Token, TokenId},
    engine::budget,
    pipeline::{
        calls::{CallEnd, Purpose},
        poll::demand,
        schedule::Schedule,
    },
    store::Role,
};
use std::{sync::Arc, time::Duration};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

const DAILY: Feed = Feed::Signals(Kind::Daily);

/// Only calls for signals.
fn signals(fake: &FakeTokenMetrics) -> usize {
    fake.take_seen().iter().filter(|call| call.endpoint == "trading-signals").count()
}

on_both!(the_first_subscription_polls_at_once_and_then_at_even_slots, |db| async move {
    let bench = Bench::new(db, "2026-11-22T09:10:00Z").await;
    bench.fake.set_daily(3375, "2026-11-22", 1, 1);
    let mut poller = bench.poller();
    poller.step().await.unwrap();
    assert_eq!(signals(&bench.fake), 0, "nobody wants anything");
    assert_eq!(bench.status(DAILY).await.cadence, Cadence::Idle);

    bench.subscribe(Kind::Daily, "3375").await;
    bench.advance(Duration::from_secs(1));
    let next = poller.step().await.unwrap();
    assert_eq!(signals(&bench.fake), 1);
    let status = bench.status(DAILY).await;
    assert_eq!(status.cadence, Cadence::Every(Duration::from_secs(7200)));
    assert_eq!((status.tokens, status.failures, status.problem), (1, 0, None));
    let slot = status.next_poll_at.unwrap();
    let ten = Timestamp::parse("2026-11-22T10:00:00Z").unwrap();
    assert!((ten..=ten + Duration::from_secs(30)).contains(&slot), "{slot}");
    assert!(next <= slot);

    bench.run_until(&mut poller, "2026-11-22T10:01:00Z").await;
    assert_eq!(signals(&bench.fake), 1);
    bench.run_until(&mut poller, "2026-11-23T10:01:00Z").await;
    assert_eq!(signals(&bench.fake), 12);
});

on_both!(a_restart_is_silent_and_a_missed_poll_is_caught_up_once, |db| async move {
    let bench = Bench::new(db, "2026-11-22T09:10:00Z").await;
    bench.subscribe(Kind::Daily, "3375").await;
    bench.fake.set_daily(3375, "2026-11-22", 1, 1);
    bench.poller().step().await.unwrap();
    assert_eq!(signals(&bench.fake), 1);
    bench.poller().step().await.unwrap();
    assert_eq!(signals(&bench.fake), 0, "nothing was missed");
    bench.advance(Duration::from_secs(9 * 3600));
    let mut poller = bench.poller();
    poller.step().await.unwrap();
    poller.step().await.unwrap();
    assert_eq!(signals(&bench.fake), 1, "four slots were missed");
});

on_both!(the_budget_is_never_exceeded_whatever_restarts, |db| async move {
    let mut bench = Bench::new(db, "2026-11-10T00:00:00Z").await;
    bench.settings.calls_per_month = 90;
    bench.subscribe(Kind::Daily, "3375").await;
    bench.fake.set_daily(3375, "2026-11-10", 1, 1);
    let start = bench.clock_now();
    let mut calls = 0;
    for day in 1..=20_u64 {
        // Cron fires every hour: far more than there is.
        let mut poller = bench.poller_with(Schedule::parse("0 0 * * * *").unwrap());
        bench.run_until(&mut poller, &(start + Duration::from_secs(day * 24 * 3600)).to_string()).await;
        calls += bench.fake.take_seen().len();
        let used = bench.db.store.calls_since(SourceId::TokenMetrics, Timestamp::parse("2026-11-01").unwrap()).await.unwrap();
        assert_eq!(used, u32::try_from(calls).unwrap(), "the ledger knows every call");
        assert!(calls <= 3 * (usize::try_from(day).unwrap() + 10), "day {day}: {calls} calls keep the pace of 3 a day");
    }
    assert!((85..=90).contains(&calls), "{calls}");
    let mut poller = bench.poller_with(Schedule::parse("0 0 * * * *").unwrap());
    bench.run_until(&mut poller, "2026-12-01T01:00:00Z").await;
    assert!(!bench.fake.take_seen().is_empty(), "a new month, a new budget");
});

#[tokio::test]
async fn a_call_is_in_the_ledger_before_it_is_sent() {
    let bench = Bench::new(TestDb::sqlite().await, "2026-11-22T09:10:00Z").await;
    bench.subscribe(Kind::Daily, "3375").await;
    let source = bench.source_that_counts();
    bench.poller_of(source.clone(), Schedule::Auto).step().await.unwrap();
    assert_eq!(source.counts(), [1, 2], "one call for signals and one for ranks, each counted before it was made");
}

on_both!(calls_of_a_minute_are_kept_without_sleeping, |db| async move {
    let mut bench = Bench::new(db, "2026-11-22T09:10:00Z").await;
    bench.settings.calls_per_minute = 1;
    for token in 1..=40 {
        bench.subscribe(Kind::Daily, &token.to_string()).await;
        bench.fake.set_daily(token, "2026-11-22", 0, 1);
    }
    let mut poller = bench.poller();
    let start = bench.clock_now();
    for minute in 0..3_u64 {
        let next = poller.step().await.unwrap();
        assert_eq!(signals(&bench.fake), 1, "minute {minute}");
        assert!(next <= start + Duration::from_secs(60 * (minute + 1)));
        poller.step().await.unwrap();
        assert_eq!(signals(&bench.fake), 0);
        bench.advance(Duration::from_secs(60));
    }
    poller.step().await.unwrap();
    assert_eq!(bench.status(DAILY).await.last_success_at, Some(start + Duration::from_secs(120)));
});

#[tokio::test]
async fn a_passing_failure_is_retried_within_the_poll() {
    let bench = Bench::new(TestDb::sqlite().await, "2026-11-22T09:10:00Z").await;
    bench.subscribe(Kind::Daily, "3375").await;
    bench.fake.set_daily(3375, "2026-11-22", 1, 1);
    bench.fake.fault("trading-signals", Fault::Html(502));
    bench.fake.fault("trading-signals", Fault::Truncated);
    let mut poller = bench.poller();
    bench.run_until(&mut poller, "2026-11-22T09:11:00Z").await;
    let status = bench.status(DAILY).await;
    assert_eq!((signals(&bench.fake), status.failures, status.problem), (3, 0, None), "what was overcome is no problem");
    assert!(status.last_success_at.is_some());
    let metrics = bench.metrics.render();
    assert!(metrics.contains(r#"bellwether_polls_total{feed="daily",outcome="complete"} 1"#), "{metrics}");
    assert!(metrics.contains(r#"bellwether_source_calls_total{endpoint="trading-signals",status="502"} 1"#), "{metrics}");
}

#[tokio::test]
async fn a_batch_that_fails_for_good_makes_the_poll_partial() {
    let bench = Bench::new(TestDb::sqlite().await, "2026-11-22T09:10:00Z").await;
    for token in 1..=20 {
        bench.subscribe(Kind::Daily, &token.to_string()).await;
        bench.fake.set_daily(token, "2026-11-22", 0, 1);
    }
    bench.fake.fault("trading-signals", Fault::Status(400, "{\"success\": false, \"message\": \"Invalid parameters\"}".to_owned()));
    bench.poller().step().await.unwrap();
    assert_eq!(signals(&bench.fake), 2, "a rejected call is not repeated, the other batch goes on");
    let status = bench.status(DAILY).await;
    assert_eq!((status.failures, status.last_success_at), (0, None));
    let problem = status.problem.unwrap();
    assert!(problem.starts_with(r#"the API rejects the request (400): "Invalid parameters"; check "#), "{problem}");
    assert!(bench.metrics.render().contains(r#"bellwether_polls_total{feed="daily",outcome="partial"} 1"#));
}

on_both!(a_refusal_stops_the_feed_until_a_restart_and_is_told_once, |db| async move {
    let bench = Bench::new(db, "2026-11-22T09:10:00Z").await;
    bench.subscribe(Kind::Daily, "3375").await;
    bench.fake.set_daily(3375, "2026-11-22", 1, 1);
    let plan = "{\"success\": false, \"message\": \"You are not authorized to access this endpoint with your current plan.\"}";
    bench.fake.fault("trading-signals", Fault::Status(401, plan.to_owned()));
    let mut poller = bench.poller();
    bench.run_until(&mut poller, "2026-11-23T09:00:00Z").await;
    assert_eq!(signals(&bench.fake), 1, "never retried");
    let status = bench.status(DAILY).await;
    assert!(status.stopped && status.next_poll_at.is_none() && status.problem.unwrap().contains("current plan"));
    assert_eq!(bench.notices().await, 1);
    let mut poller = bench.poller();
    poller.step().await.unwrap();
    assert_eq!(signals(&bench.fake), 1, "a restart tries again");
    assert!(!bench.status(DAILY).await.stopped);
    assert_eq!(bench.notices().await, 2, "whoever read that it is stopped reads that it is back");
});

on_both!(a_refused_kind_leaves_its_calls_to_the_others_until_it_answers, |db| async move {
    const GRADE: Feed = Feed::Signals(Kind::Grade);
    let every = |hours: u64| Cadence::Every(Duration::from_secs(hours * 3600));
    let bench = Bench::new(db, "2026-11-22T09:10:00Z").await;
    let plan = async || {
        budget::plan(
            &demand(&bench.db.store, SourceId::TokenMetrics, &bench.settings, bench.settings.wishes(bench.clock_now())).await.unwrap(),
        )
    };
    bench.fake.set_daily(3375, "2026-11-22", 1, 1);
    bench.fake.set_grade(3375, "Buy", 64.0);
    bench.subscribe(Kind::Daily, "3375").await;
    bench.subscribe(Kind::Grade, "3375").await;
    let mut poller = bench.poller();
    bench.run_until(&mut poller, "2026-11-22T11:00:00Z").await;
    assert_eq!((bench.status(DAILY).await.cadence, bench.status(GRADE).await.cadence), (every(3), every(12)));
    bench.fake.set_down_at("tm-grade", Some(Fault::Status(401, r#"{"success": false, "message": "your current plan"}"#.to_owned())));
    bench.run_until(&mut poller, "2026-11-22T13:00:00Z").await;
    let (daily, grade) = (bench.status(DAILY).await, bench.status(GRADE).await);
    assert_eq!((daily.cadence, grade.cadence, grade.stopped, grade.tokens), (every(2), every(12), true, 1));
    // `check` and `/subscribe` reckon with the same.
    assert_eq!((plan().await.of(Kind::Daily), plan().await.planned), (&every(2), 372 + 31 + 50));

    // A restart asks once more, and gives nothing away before that is answered.
    for (at, answer) in [("2026-11-22T13:01:00Z", Some(Fault::Html(502))), ("2026-11-22T13:02:00Z", None)] {
        let is_served = answer.is_none();
        bench.fake.set_down_at("tm-grade", answer);
        let mut poller = bench.poller();
        bench.run_until(&mut poller, at).await;
        let (daily, grade) = (bench.status(DAILY).await, bench.status(GRADE).await);
        assert_eq!((daily.cadence, grade.cadence), (every(if is_served { 3 } else { 2 }), every(12)), "{at}");
        assert_eq!((grade.stopped, grade.refused), (false, !is_served), "{at}");
    }
    assert_eq!(plan().await.planned, 8 * 31 + 62 + 31 + 50);
});

#[tokio::test]
async fn after_a_429_everything_rests_as_long_as_it_says() {
    let bench = Bench::new(TestDb::sqlite().await, "2026-11-22T09:10:00Z").await;
    bench.subscribe(Kind::Daily, "3375").await;
    bench.fake.set_daily(3375, "2026-11-22", 1, 1);
    bench.fake.fault("trading-signals", Fault::WithHeaders(429, vec![("retry-after", "120".to_owned())]));
    let mut poller = bench.poller();
    bench.run_until(&mut poller, "2026-11-22T09:11:59Z").await;
    assert_eq!(bench.fake.take_seen().len(), 1, "not even the directory is asked");
    bench.run_until(&mut poller, "2026-11-22T09:12:01Z").await;
    assert_eq!(signals(&bench.fake), 1);
    assert_eq!(bench.status(DAILY).await.failures, 0);
}

#[tokio::test]
async fn a_long_rest_breaks_the_poll_off_and_the_next_begins_at_its_end() {
    let bench = Bench::new(TestDb::sqlite().await, "2026-11-22T09:10:00Z").await;
    bench.subscribe(Kind::Daily, "3375").await;
    bench.fake.set_daily(3375, "2026-11-22", 1, 1);
    bench.fake.fault("trading-signals", Fault::WithHeaders(429, vec![("retry-after", "72000".to_owned())]));
    let mut poller = bench.poller();
    bench.run_until(&mut poller, "2026-11-22T09:20:00Z").await;
    let status = bench.status(DAILY).await;
    assert_eq!(status.failures, 1);
    assert!(status.problem.unwrap().contains("asks to wait until 2026-11-23T05:10"), "said, not endured in silence");
    let (end, next) = (Timestamp::parse("2026-11-23T05:10:00Z").unwrap(), status.next_poll_at.unwrap());
    assert!((end..=end + Duration::from_secs(30)).contains(&next), "{next}");
    assert_eq!(bench.notices().await, 2, "calls and ranks will miss two polls and six hours, that is certain");
    bench.run_until(&mut poller, "2026-11-23T05:09:59Z").await;
    assert_eq!(bench.fake.take_seen().len(), 1, "nothing is asked while it rests");
    bench.run_until(&mut poller, "2026-11-23T05:11:00Z").await;
    let seen = bench.fake.take_seen();
    let call = seen.iter().find(|call| call.endpoint == "trading-signals").unwrap();
    assert_eq!(call.query["endDate"], "2026-11-23", "the poll is of the day on which it is made");
    assert_eq!((bench.status(DAILY).await.failures, bench.notices().await), (0, 4));
}

on_both!(whoever_goes_on_rests_as_long_as_the_api_asked, |db| async move {
    let bench = Bench::new(db, "2026-11-22T09:10:00Z").await;
    bench.subscribe(Kind::Daily, "3375").await;
    bench.fake.set_daily(3375, "2026-11-22", 1, 1);
    bench.fake.fault("trading-signals", Fault::WithHeaders(429, vec![("retry-after", "3600".to_owned())]));
    let other = bench.poller().caller();
    let mut poller = bench.poller();
    bench.run_until(&mut poller, "2026-11-22T09:20:00Z").await;
    assert_eq!(bench.fake.take_seen().len(), 1);
    let end = Timestamp::parse("2026-11-22T10:10:00Z").unwrap();
    let looked_up = other.call(&bench.source().ranks(1), Purpose::Lookup).await.unwrap();
    assert!(matches!(looked_up, CallEnd::NotBefore(at) if at == end), "another process asks neither: {looked_up:?}");
    let mut poller = bench.poller();
    bench.run_until(&mut poller, "2026-11-22T10:09:59Z").await;
    assert_eq!(bench.fake.take_seen().len(), 0, "a restart asks nothing meanwhile");
    assert_eq!(bench.status(DAILY).await.failures, 1, "nor does it fail again");
    bench.run_until(&mut poller, "2026-11-22T10:10:30Z").await;
    assert_eq!((signals(&bench.fake), bench.status(DAILY).await.failures), (1, 0));
});

on_both!(a_failing_feed_is_polled_at_once_after_a_restart_and_not_by_whoever_takes_over, |db| async move {
    let bench = Bench::new(db, "2026-11-22T09:10:00Z").await;
    bench.subscribe(Kind::Daily, "3375").await;
    bench.fake.set_down_at("trading-signals", Some(Fault::Status(503, String::new())));
    let (mut poller, mut successor) = (bench.poller(), bench.poller());
    bench.run_until(&mut poller, "2026-11-22T09:15:00Z").await;
    let next = bench.status(DAILY).await.next_poll_at.unwrap();
    bench.fake.take_seen();
    successor.step().await.unwrap();
    assert_eq!(signals(&bench.fake), 0, "it keeps the backoff");
    assert_eq!(bench.status(DAILY).await.next_poll_at, Some(next));
    bench.poller().step().await.unwrap();
    assert_eq!(signals(&bench.fake), 1, "whoever restarts it has mended something");
});

#[tokio::test]
async fn whoever_is_overtaken_amidst_a_poll_tells_operators_nothing() {
    let Some(db) = TestDb::postgres().await else { return };
    let bench = Bench::new(db, "2026-11-22T09:10:00Z").await;
    bench.subscribe(Kind::Daily, "3375").await;
    let (store, now) = (&bench.db.store, bench.clock_now());
    let take = async |holder: &str| store.take_lease(Role::Poller, &holder.into(), now, now).await.unwrap().unwrap();
    let (released, term) = (Arc::new(Notify::new()), take("one").await);
    bench.fake.fault("trading-signals", Fault::Held(Arc::clone(&released)));
    bench.fake.take_key("another");
    let mut poller = bench.poller();
    let overtaken = async {
        while bench.fake.arrivals().is_empty() {
            tokio::task::yield_now().await;
        }
        take("two").await;
        released.notify_one();
    };
    tokio::join!(poller.run(store.under(term), CancellationToken::new()), overtaken);
    assert_eq!(bench.notices().await, 0, "the refusal is for whoever polls now to tell");
}

#[tokio::test]
async fn a_directory_that_was_never_loaded_is_told_within_hours() {
    let bench = Bench::new(TestDb::sqlite().await, "2026-11-22T09:10:00Z").await;
    bench.fake.set_down_at("top-market-cap-tokens", Some(Fault::Status(503, String::new())));
    let mut poller = bench.poller();
    bench.run_until(&mut poller, "2026-11-22T09:50:00Z").await;
    assert_eq!(bench.notices().await, 0);
    bench.run_until(&mut poller, "2026-11-22T13:00:00Z").await;
    assert_eq!(bench.notices().await, 1);
}

on_both!(polls_that_are_always_partial_are_told_once, |db| async move {
    let mut bench = Bench::new(db, "2026-11-22T09:10:00Z").await;
    bench.settings.calls_per_month = 0;
    // More than one call holds, whatever the window.
    for token in 1..=120 {
        bench.subscribe(Kind::Daily, &token.to_string()).await;
        bench.fake.set_daily(token, "2026-11-22", 0, 1);
    }
    let mut poller = bench.poller();
    bench.fake.set_down_at("trading-signals", Some(Fault::Html(502)));
    bench.run_until(&mut poller, "2026-11-22T09:11:00Z").await;
    assert_eq!(bench.status(DAILY).await.failures, 1);
    bench.fake.set_down_at("trading-signals", None);
    let mut polls = async |until: &[&str], partial: bool| {
        for time in until {
            if partial {
                bench.fake.fault("trading-signals", Fault::Status(400, "{\"success\": false, \"message\": \"odd\"}".to_owned()));
            }
            bench.run_until(&mut poller, &format!("2026-11-22T{time}:00Z")).await;
        }
        (bench.notices().await, bench.status(DAILY).await.failures)
    };
    assert_eq!(polls(&["09:14"], true).await, (0, 0), "some of it came: no longer a failure");
    assert_eq!(polls(&["09:29"], true).await, (0, 0));
    assert_eq!(polls(&["09:44", "09:59"], true).await, (1, 0), "three running, told once");
    assert_eq!(polls(&["10:14", "10:29"], false).await, (1, 0), "whole again");
    assert_eq!(polls(&["10:44", "10:59", "11:14", "11:29"], true).await, (2, 0), "and told again another time");
});

on_both!(an_outage_is_told_once_and_its_end_once, |db| async move {
    let bench = Bench::new(db, "2026-11-22T09:10:00Z").await;
    bench.subscribe(Kind::Daily, "3375").await;
    bench.fake.set_daily(3375, "2026-11-22", 1, 1);
    let mut poller = bench.poller();
    poller.step().await.unwrap();
    bench.fake.set_down(Some(Fault::Status(503, String::new())));
    bench.run_until(&mut poller, "2026-11-22T14:50:00Z").await;
    assert_eq!(bench.notices().await, 0, "less than six hours");
    bench.run_until(&mut poller, "2026-11-23T05:00:00Z").await;
    assert_eq!(bench.notices().await, 1);
    let status = bench.status(DAILY).await;
    assert!(status.failures >= 2 && status.problem.unwrap().contains("503"));
    bench.fake.set_down(None);
    bench.run_until(&mut poller, "2026-11-23T09:00:00Z").await;
    assert_eq!((bench.notices().await, bench.status(DAILY).await.failures), (2, 0));
});

on_both!(a_plan_without_current_data_is_told_after_a_day, |db| async move {
    let bench = Bench::new(db, "2026-11-22T09:10:00Z").await;
    bench.subscribe(Kind::Daily, "3375").await;
    let mut poller = bench.poller();
    bench.run_until(&mut poller, "2026-11-23T07:00:00Z").await;
    assert_eq!(bench.notices().await, 0);
    assert!(bench.status(DAILY).await.empty_since.is_some());
    bench.run_until(&mut poller, "2026-11-23T13:00:00Z").await;
    assert_eq!(bench.notices().await, 1);
    bench.fake.set_daily(3375, "2026-11-23", 1, 1);
    bench.run_until(&mut poller, "2026-11-23T17:00:00Z").await;
    assert_eq!(bench.status(DAILY).await.empty_since, None);
});

#[tokio::test]
async fn a_clock_that_is_set_back_takes_the_slots_with_it() {
    let bench = Bench::new(TestDb::sqlite().await, "2026-11-22T09:10:00Z").await;
    bench.subscribe(Kind::Daily, "3375").await;
    bench.fake.set_daily(3375, "2026-11-22", 1, 1);
    for schedule in [Schedule::Auto, Schedule::parse("0 0 */2 * * *").unwrap()] {
        bench.clock.set(Timestamp::parse("2026-11-22T09:10:00Z").unwrap());
        let mut poller = bench.poller_with(schedule);
        poller.step().await.unwrap();
        bench.clock.set(Timestamp::parse("2026-11-21T09:10:00Z").unwrap());
        poller.step().await.unwrap();
        let next = bench.status(DAILY).await.next_poll_at.unwrap();
        assert_eq!(next.to_string()[..16].to_owned(), "2026-11-21T10:00");
    }
}

#[tokio::test]
async fn a_cron_expression_is_exact_and_off_is_off() {
    let bench = Bench::new(TestDb::sqlite().await, "2026-11-22T09:10:00Z").await;
    bench.subscribe(Kind::Daily, "3375").await;
    let mut off = bench.poller_with(Schedule::Off);
    bench.run_until(&mut off, "2026-11-22T09:20:00Z").await;
    assert_eq!((signals(&bench.fake), bench.status(DAILY).await.cadence), (0, Cadence::Off));
    let mut cron = bench.poller_with(Schedule::parse("30 5 10 * * *").unwrap());
    cron.step().await.unwrap();
    assert_eq!(bench.status(DAILY).await.next_poll_at, Timestamp::parse("2026-11-22T10:05:30Z"));
    bench.run_until(&mut cron, "2026-11-22T10:05:29Z").await;
    assert_eq!(signals(&bench.fake), 0);
    bench.run_until(&mut cron, "2026-11-22T10:05:30Z").await;
    assert_eq!(signals(&bench.fake), 1);
}

on_both!(all_means_the_first_by_market_cap_with_patience, |db| async move {
    let mut bench = Bench::new(db, "2026-11-22T09:10:00Z").await;
    bench.settings.all_tokens = 2;
    bench.fake.set_tokens([(1, "AAA", "A"), (2, "BBB", "B"), (3, "CCC", "C")]);
    bench.subscribe(Kind::Daily, "all").await;
    bench.subscribe(Kind::Daily, "9").await;
    let wanted = async || bench.db.store.wanted_tokens(SourceId::TokenMetrics, Kind::Daily).await.unwrap().into_keys().collect::<Vec<_>>();
    let mut poller = bench.poller();
    poller.step().await.unwrap();
    let ids = |ids: &[i64]| ids.iter().copied().map(TokenId).collect::<Vec<_>>();
    assert_eq!(wanted().await, ids(&[1, 2, 9]));
    // The third overtakes the second: in at once, the other out after three refreshes running.
    bench.fake.set_tokens([(1, "AAA", "A"), (3, "CCC", "C"), (2, "BBB", "B")]);
    for (day, expected) in [(23, [1, 2, 3, 9].as_slice()), (24, &[1, 2, 3, 9]), (25, &[1, 3, 9])] {
        bench.run_until(&mut poller, &format!("2026-11-{day}T10:00:00Z")).await;
        assert_eq!(wanted().await, ids(expected), "day {day}");
    }
    assert_eq!(bench.db.store.count_tokens(SourceId::TokenMetrics).await.unwrap(), 3);
});

#[tokio::test]
async fn a_directory_with_a_hole_is_not_taken() {
    let mut bench = Bench::new(TestDb::sqlite().await, "2026-11-22T09:10:00Z").await;
    bench.settings.all_tokens = 150;
    let names: Vec<String> = (1..=150).map(|id| format!("T{id}")).collect();
    bench.fake.set_tokens(names.iter().zip(1..).map(|(name, id)| (id, name.as_str(), name.as_str())));
    bench.fake.fault("top-market-cap-tokens", Fault::Delay(Duration::ZERO));
    bench.fake.fault("top-market-cap-tokens", Fault::Status(422, String::new()));
    let mut poller = bench.poller();
    poller.step().await.unwrap();
    assert_eq!(bench.db.store.count_tokens(SourceId::TokenMetrics).await.unwrap(), 0);
    bench.run_until(&mut poller, "2026-11-22T09:13:00Z").await;
    assert_eq!(bench.db.store.count_tokens(SourceId::TokenMetrics).await.unwrap(), 150);
    assert_eq!(bench.status(Feed::Ranks).await.failures, 0);
}

on_both!(another_number_of_ranks_is_read_at_once, |db| async move {
    let mut bench = Bench::new(db, "2026-11-22T09:10:00Z").await;
    let names: Vec<String> = (1..=350).map(|id| format!("T{id}")).collect();
    bench.fake.set_tokens(names.iter().zip(1..).map(|(name, id)| (id, name.as_str(), name.as_str())));
    bench.settings.all_tokens = 200;
    bench.poller().step().await.unwrap();
    assert_eq!(bench.db.store.count_tokens(SourceId::TokenMetrics).await.unwrap(), 200);
    bench.settings.all_tokens = 300;
    bench.fake.set_down(Some(Fault::Html(502)));
    bench.poller().step().await.unwrap();
    bench.fake.set_down(None);
    bench.advance(Duration::from_secs(60));
    bench.poller().step().await.unwrap();
    assert_eq!(bench.db.store.count_tokens(SourceId::TokenMetrics).await.unwrap(), 300);
    bench.fake.take_seen();
    bench.advance(Duration::from_secs(3600));
    bench.poller().step().await.unwrap();
    assert_eq!(bench.fake.take_seen().len(), 0, "once");
});

#[tokio::test]
async fn a_large_budget_reads_the_full_list() {
    let mut bench = Bench::new(TestDb::sqlite().await, "2026-11-22T09:10:00Z").await;
    bench.settings.calls_per_month = 5_000;
    bench.fake.set_tokens([(1, "AAA", "A")]);
    bench.fake.add_unranked(2, "NEW", "Newcomer");
    bench.poller().step().await.unwrap();
    assert_eq!(bench.db.store.count_tokens(SourceId::TokenMetrics).await.unwrap(), 2);
    assert_eq!(bench.status(Feed::Directory).await.tokens, 2);
}

#[tokio::test]
async fn rows_for_other_tokens_and_odd_rows_do_not_stop_a_poll() {
    let bench = Bench::new(TestDb::sqlite().await, "2026-11-22T09:10:00Z").await;
    bench.subscribe(Kind::Daily, "3375").await;
    let rows = [
        serde_json::json!({"TOKEN_ID": 3375, "DATE": "2026-11-22T00:00:00.000Z", "TRADING_SIGNAL": 1, "TOKEN_TREND": 1}),
        serde_json::json!({"TOKEN_ID": 1, "DATE": "2026-11-22T00:00:00.000Z", "TRADING_SIGNAL": 1, "TOKEN_TREND": 1}),
        serde_json::json!("odd"),
    ];
    bench.fake.fault("trading-signals", Fault::Rows(rows.to_vec()));
    bench.poller().step().await.unwrap();
    assert_eq!(bench.status(DAILY).await.failures, 0);
}

#[tokio::test]
async fn a_database_that_fails_stops_nothing_for_good() {
    let bench = Bench::new(TestDb::sqlite().await, "2026-11-22T09:10:00Z").await;
    bench.subscribe(Kind::Daily, "3375").await;
    bench.fake.set_daily(3375, "2026-11-22", 1, 1);
    let mut poller = bench.poller();
    bench.execute("ALTER TABLE call_ledger RENAME TO away").await;
    assert!(poller.step().await.is_err());
    assert_eq!(bench.fake.take_seen().len(), 0, "without a ledger no call is made");
    bench.execute("ALTER TABLE away RENAME TO call_ledger").await;
    poller.step().await.unwrap();
    assert_eq!(signals(&bench.fake), 1);
}

#[tokio::test]
async fn how_a_poll_ended_is_written_down_as_soon_as_the_database_works_again() {
    let bench = Bench::new(TestDb::sqlite().await, "2026-11-22T09:10:00Z").await;
    bench.subscribe(Kind::Daily, "3375").await;
    bench.fake.set_daily(3375, "2026-11-22", 1, 1);
    let mut poller = bench.poller();
    poller.step().await.unwrap();
    bench.advance(Duration::from_secs(3600));
    let full =
        "CREATE TRIGGER full BEFORE UPDATE ON feeds WHEN NEW.next_poll_at > OLD.next_poll_at BEGIN SELECT RAISE(ABORT, 'disk full'); END";
    bench.execute(full).await;
    assert!(poller.step().await.is_err());
    assert!(bench.status(DAILY).await.next_poll_at < Some(bench.clock_now()));
    bench.execute("DROP TRIGGER full").await;
    poller.step().await.unwrap();
    assert_eq!(signals(&bench.fake), 2, "the poll itself was not lost");
    let status = bench.status(DAILY).await;
    assert_eq!(status.last_poll_at, Some(bench.clock_now()));
    assert!(status.next_poll_at > Some(bench.clock_now()), "a restart would poll again: {:?}", status.next_poll_at);
}

#[tokio::test]
async fn whoever_dies_right_after_an_ingest_leaves_no_poll_to_be_made_twice() {
    let bench = Bench::new(TestDb::sqlite().await, "2026-11-22T09:10:00Z").await;
    bench.subscribe(Kind::Daily, "3375").await;
    bench.fake.set_daily(3375, "2026-11-22", 1, 1);
    bench.poller().step().await.unwrap();
    bench.fake.take_seen();
    bench.advance(Duration::from_secs(3600));
    bench
        .execute(
            "CREATE TRIGGER dies BEFORE UPDATE ON feeds WHEN NEW.next_poll_at > OLD.next_poll_at BEGIN SELECT RAISE(ABORT, 'dead'); END",
        )
        .await;
    assert!(bench.poller().step().await.is_err());
    assert_eq!(signals(&bench.fake), 1);
    bench.execute("DROP TRIGGER dies").await;
    bench.advance(Duration::from_secs(10));
    bench.poller().step().await.unwrap();
    assert_eq!(signals(&bench.fake), 0, "that slot is done");
    let noon = Timestamp::parse("2026-11-22T12:00:00Z").unwrap();
    let next = bench.status(DAILY).await.next_poll_at.unwrap();
    assert!((noon..=noon + Duration::from_secs(30)).contains(&next), "{next}");
}

#[tokio::test]
async fn no_log_line_holds_the_key_or_an_address() {
    let log = crate::support::poller::Log::default();
    let _guard = tracing::subscriber::set_default(log.subscriber());
    let bench = Bench::new(TestDb::sqlite().await, "2026-11-22T09:10:00Z").await;
    bench.subscribe(Kind::Daily, "3375").await;
    let key = crate::support::fake_token_metrics::API_KEY;
    for fault in [Fault::BrokenOff, Fault::Html(500), Fault::Status(401, format!("{{\"success\": false, \"message\": \"bad key {key}\"}}"))]
    {
        bench.fake.fault("trading-signals", fault);
    }
    let mut poller = bench.poller();
    bench.run_until(&mut poller, "2026-11-22T09:12:00Z").await;
    let text = log.text();
    assert!(text.contains("bad key [key]") && text.contains("a call to the source failed"), "{text}");
    assert!(!text.contains(key), "{text}");
    let own = text.lines().filter(|line| line.contains("bellwether"));
    assert!(own.clone().count() > 2 && own.clone().all(|line| !line.contains("127.0.0.1")), "{text}");
}

on_both!(a_link_is_learnt_from_a_row_where_the_directory_has_none, |db| async move {
    let bench = Bench::new(db, "2026-11-22T09:10:00Z").await;
    let store = &bench.db.store;
    let token = |id: i64, link: Option<&str>| Token {
        id: TokenId(id),
        symbol: format!("T{id}"),
        name: format!("Token {id}"),
        rank: None,
        link: link.map(str::to_owned),
    };
    let own = "https://app.tokenmetrics.com/en/own";
    let tokens = [token(8, None), token(9, Some(own))];
    store.write_tokens(SourceId::TokenMetrics, &tokens, |_| Listing::default(), bench.clock_now()).await.unwrap();
    for id in [8, 9] {
        bench.subscribe(Kind::Daily, &id.to_string()).await;
        bench.fake.set_daily(id, "2026-11-22", 1, 1);
    }
    bench.poller().step().await.unwrap();
    let link = async |id| store.looked_up_tokens(SourceId::TokenMetrics, "", Some(TokenId(id))).await.unwrap()[0].link.clone().unwrap();
    assert_eq!(link(8).await, "https://app.tokenmetrics.com/en/token-8");
    assert_eq!(link(9).await, own);
});

on_both!(hourly_calls_are_asked_for_past_the_hour, |db| async move {
    let mut bench = Bench::new(db, "2026-11-22T09:10:00Z").await;
    bench.settings.calls_per_month = 10_000;
    bench.subscribe(Kind::Hourly, "3375").await;
    bench.fake.set_hourly(3375, "2026-11-22T09:00:00Z", 1, 1);
    let mut poller = bench.poller();
    bench.run_until(&mut poller, "2026-11-22T12:02:00Z").await;
    let seen = bench.fake.take_seen();
    let hourly: Vec<_> = seen.iter().filter(|call| call.endpoint == "hourly-trading-signals").map(Seen::ids).collect();
    assert_eq!(hourly, vec![vec![3375]; 3], "at once, at 10:03 and at 11:03");
    assert_eq!(bench.status(Feed::Signals(Kind::Hourly)).await.cadence, Cadence::Every(Duration::from_secs(3600)));
    assert_eq!(bench.status(DAILY).await.cadence, Cadence::Idle);
});

on_both!(what_does_not_fit_the_budget_is_not_polled_and_says_so, |db| async move {
    let mut bench = Bench::new(db, "2026-11-22T09:10:00Z").await;
    bench.settings.calls_per_month = 50;
    bench.subscribe(Kind::Daily, "3375").await;
    let mut poller = bench.poller();
    poller.step().await.unwrap();
    assert_eq!((signals(&bench.fake), bench.status(DAILY).await.cadence), (0, Cadence::DoesNotFit { needed: 31 }));
    let demand = demand(&bench.db.store, SourceId::TokenMetrics, &bench.settings, bench.settings.wishes(bench.clock_now())).await.unwrap();
    assert_eq!(budget::plan(&demand).carries(Kind::Daily), Err(31));
});
