//! The month's calls: never more than paid for, spread over the month, whatever happens; and said to those who ask.

use crate::support::{
    app::TestApp,
    audience::MINUTE,
    commands::rows,
    community::{BTC, PERSON, SOL, heard, subscribe_all, today, with_operator},
    database::{TestDb, on_both},
    fake_discord::interaction::slash,
    fake_token_metrics::Fault,
};
use bellwether::{
    clock::{Clock, ManualClock},
    domain::{SourceId, Timestamp},
    store::{CallLimits, CallPermit, Store},
};
use insta::assert_snapshot;
use sqlx::{Connection as _, PgConnection, SqliteConnection, Transaction};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

const BUDGET: &[(&str, &str)] = &[("TOKEN_METRICS_CALLS_PER_MONTH", "500"), ("TOKEN_METRICS_CALLS_PER_MINUTE", "1")];

/// When every call came, as the fake saw it.
async fn live(app: &mut TestApp, until: &str, calls: &mut Vec<Timestamp>) {
    let until = Timestamp::parse(until).unwrap();
    while app.clock.now() < until {
        let hour = app.clock.now().to_utc().format("%Y-%m-%dT%H:00:00Z").to_string();
        app.source.set_daily(BTC, &today(app), 1, 1);
        app.source.set_hourly(BTC, &hour, 1, 1);
        app.pass(Duration::from_secs(20 * 60)).await;
        calls.extend(app.source.take_seen().iter().map(|_| app.clock.now()));
    }
}

fn by_day(calls: &[Timestamp]) -> BTreeMap<String, usize> {
    let mut days = BTreeMap::new();
    for call in calls {
        *days.entry(call.to_utc().format("%Y-%m-%d").to_string()).or_default() += 1;
    }
    days
}

#[tokio::test]
async fn a_month_of_500_calls_is_kept_to_and_spread_and_survives_restarts() {
    let mut app = with_operator(TestDb::sqlite().await, BUDGET).await;
    app.source.set_daily(SOL, "2026-11-21", -1, -1);
    app.source.set_daily(BTC, "2026-11-21", 1, 1);
    subscribe_all(&mut app, "SOL,BTC").await;
    subscribe_all(&mut app, "SOL,BTC hourly").await;
    let mut calls = Vec::new();
    for until in ["2026-11-25", "2026-12-01", "2026-12-04T13:00:00Z", "2026-12-10", "2026-12-20", "2027-01-01"] {
        live(&mut app, until, &mut calls).await;
        app = app.restart().await;
    }
    let days = by_day(&calls);
    let month = |prefix: &str| days.iter().filter(|(day, _)| day.starts_with(prefix)).map(|(_, count)| count).sum::<usize>();
    assert!(month("2026-11") <= 500, "{days:?}");
    assert!((400..=500).contains(&month("2026-12")), "{days:?}");
    for (day, count) in days.iter().filter(|(day, _)| day.starts_with("2026-12")) {
        assert!((8..=32).contains(count), "{day}: {count} of {days:?}");
    }
    assert_eq!(heard(&app), [""; 0]);
}

async fn ask_permission(store: &Store, clock: &ManualClock) -> CallPermit {
    let limits = CallLimits { per_month: 500, per_minute: 1, despite_rest: false };
    store.permit_call(SourceId::TokenMetrics, "trading-signals", "poll", limits, || clock.now()).await.unwrap()
}

on_both!(a_call_of_a_clock_that_is_ahead_counts, |db| async move {
    let clock = ManualClock::new(Timestamp::parse("2026-11-22T09:10:30Z").unwrap());
    let call = clock.now();
    assert!(matches!(ask_permission(&db.store, &clock).await, CallPermit::Granted(_)));
    clock.set(call - Duration::from_secs(20));
    assert_eq!(ask_permission(&db.store, &clock).await, CallPermit::NotBefore(call + MINUTE));
});

on_both!(a_clock_that_is_set_back_stops_no_calls, |db| async move {
    let clock = ManualClock::new(Timestamp::parse("2026-11-22T09:10:30Z").unwrap());
    let calls = async |minutes: u32| {
        let mut granted = 0;
        for _ in 0..minutes {
            granted += usize::from(matches!(ask_permission(&db.store, &clock).await, CallPermit::Granted(_)));
            clock.advance(MINUTE);
        }
        granted
    };
    assert_eq!(calls(30).await, 30);
    clock.set(clock.now() - 25 * MINUTE);
    assert_eq!(calls(20).await, 20, "as many as there are minutes, where it has been before");
});

/// Asks while somebody else holds the ledger, for a minute and a half by the clock.
async fn ask_behind<DB: sqlx::Database>(holding: Transaction<'_, DB>, store: &Store, clock: &Arc<ManualClock>) -> CallPermit {
    let (store, its_clock) = (store.clone(), Arc::clone(clock));
    let waiting = tokio::spawn(async move { ask_permission(&store, &its_clock).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!waiting.is_finished(), "the ledger is held");
    clock.advance(Duration::from_secs(90));
    holding.commit().await.unwrap();
    waiting.await.unwrap()
}

/// What is permitted at 9:12:00 to whoever has asked since 9:10:30, with a call that was noted meanwhile, if any; and how the ledger stands then.
async fn after_waiting(db: &TestDb, noted: Option<&str>) -> (CallPermit, Vec<String>) {
    let clock = Arc::new(ManualClock::new(Timestamp::parse("2026-11-22T09:10:30Z").unwrap()));
    let note = noted.map(|at| {
        let at = Timestamp::parse(at).unwrap().as_millis();
        format!("INSERT INTO call_ledger (source, endpoint, purpose, called_at) VALUES ('token-metrics', 'trading-signals', 'poll', {at})")
    });
    let note = sqlx::AssertSqlSafe(note.unwrap_or_else(|| "SELECT 1".to_owned()));
    let permit = if db.url.starts_with("sqlite") {
        let mut other = SqliteConnection::connect(&db.url).await.unwrap();
        let mut holding = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
        sqlx::query(note).execute(&mut *holding).await.unwrap();
        ask_behind(holding, &db.store, &clock).await
    } else {
        let mut other = PgConnection::connect(&db.url).await.unwrap();
        let mut holding = other.begin().await.unwrap();
        sqlx::query("LOCK TABLE call_ledger IN SHARE ROW EXCLUSIVE MODE").execute(&mut *holding).await.unwrap();
        sqlx::query(note).execute(&mut *holding).await.unwrap();
        ask_behind(holding, &db.store, &clock).await
    };
    (permit, rows(&db.url, "SELECT CAST(called_at AS TEXT) FROM call_ledger ORDER BY id").await)
}

on_both!(whoever_waits_for_the_ledger_reads_the_time_then, |db| async move {
    let (permit, ledger) = after_waiting(&db, None).await;
    assert!(matches!(permit, CallPermit::Granted(_)), "{permit:?}");
    let made = Timestamp::parse("2026-11-22T09:12:00Z").unwrap();
    assert_eq!(ledger, [made.as_millis().to_string()], "when it could be made");
});

on_both!(whoever_waits_for_the_ledger_counts_what_was_noted_meanwhile, |db| async move {
    let (permit, ledger) = after_waiting(&db, Some("2026-11-22T09:11:50Z")).await;
    assert_eq!(permit, CallPermit::NotBefore(Timestamp::parse("2026-11-22T09:12:50Z").unwrap()));
    assert_eq!(ledger.len(), 1);
});

on_both!(a_source_that_fails_does_not_use_up_the_month, |db| async move {
    let mut app = with_operator(db, BUDGET).await;
    app.source.set_daily(SOL, "2026-11-21", -1, -1);
    subscribe_all(&mut app, "SOL").await;
    app.pass(Duration::from_secs(5 * 60)).await;
    app.source.take_seen();
    app.source.set_down(Some(Fault::Html(502)));
    let mut calls = Vec::new();
    live(&mut app, "2026-11-24", &mut calls).await;
    // Pace: three days' share and what was saved until the 21st is there; retries must not eat it.
    assert!(calls.len() < 150, "{} calls in three days", calls.len());
    app.source.set_down(None);
    app.source.set_daily(SOL, "2026-11-24", 1, 1);
    live(&mut app, "2026-11-24T12:00:00Z", &mut calls).await;
    let told = heard(&app);
    assert_eq!(told.iter().filter(|line| line.ends_with("SOL turned bullish")).count(), 2, "{told:?}");
    assert_eq!(told.iter().filter(|line| line.starts_with("operator: The daily feed")).count(), 2, "{told:?}");
});

on_both!(subscribers_learn_how_often_and_what_is_left, |db| async move {
    let mut app = with_operator(db, BUDGET).await;
    app.source.set_daily(SOL, "2026-11-21", -1, -1);
    app.say(PERSON, PERSON, "/subscribe SOL").await;
    app.pass(Duration::from_secs(5 * 60)).await;
    assert_snapshot!(app.say(PERSON, PERSON, "/subscribe BTC").await, @r#"
    ✅ Subscribed to daily calls
    BTC (Bitcoin): no call yet
    Alerts come here.
    Daily calls are checked every 2 hours; next 21 Nov 2026 08:00 UTC.
    API calls left this month: 498 of 500.
    "#);
    assert_snapshot!(app.say(PERSON, PERSON, "/status").await, @r#"
    Status
    Daily: checked every 2 hours, 2 tokens; last 21 Nov 2026 06:00 UTC; next 21 Nov 2026 08:00 UTC
    Fundamental: checked as soon as somebody subscribes
    Grade: checked as soon as somebody subscribes
    Hourly: checked as soon as somebody subscribes
    Levels: checked as soon as somebody subscribes
    Ranks: checked every day, 100 tokens; last 21 Nov 2026 06:00 UTC; next 22 Nov 2026 06:00 UTC
    API calls this month: 2 of 500 used, 498 left
    Delivery: 0 messages waiting, 0 alerts held, 0 undeliverable, 0 chats out of reach
    "#);
});

on_both!(what_the_source_refuses_takes_no_calls_from_the_others_and_breaks_no_promise_once_it_is_served, |db| async move {
    let mut app = with_operator(db, &BUDGET[..1]).await;
    app.source.set_daily(SOL, "2026-11-21", -1, -1);
    app.source.set_grade(SOL, "Buy", 64.0);
    app.source.set_down_at("tm-grade", Some(Fault::Status(401, r#"{"success": false, "message": "your current plan"}"#.to_owned())));
    let said = app.say(PERSON, PERSON, "/subscribe SOL grade").await;
    assert!(said.contains("every 12 hours"), "{said}");
    app.pass(Duration::from_secs(5 * 60)).await;
    let later = "That becomes every 3 hours once the source serves grades too, which it refuses at present.";
    let said = app.say(PERSON, PERSON, "/subscribe SOL").await;
    assert!(said.contains("every 2 hours; the first check") && said.contains(later), "{said}");
    let said = app.say(PERSON, PERSON, "/subscribe BTC grade").await;
    assert!(said.contains("Grade: stopped, because the source refuses the API key or its plan"), "{said}");

    // A restart tries it again, and promises no more for that.
    app = app.restart().await;
    let said = app.in_direct_messages(slash("subscribe", &[("tokens", "SOL")])).await;
    assert!(said.contains("every 2 hours") && said.contains(later), "{said}");
    app.pass(Duration::from_secs(5 * 60)).await;
    let said = app.in_direct_messages(slash("subscribe", &[("tokens", "BTC"), ("kind", "grade")])).await;
    assert!(said.contains("Grade: stopped, because the source refuses the API key or its plan"), "{said}");

    // What would not fit once it is served is refused while it is not.
    app = app.restart_with(&[("TOKEN_METRICS_CALLS_PER_MONTH", "200")]).await;
    app.pass(Duration::from_secs(5 * 60)).await;
    let before = app.say(PERSON, PERSON, "/subscriptions").await;
    for said in [
        app.say(PERSON, PERSON, "/subscribe ETH grade").await,
        app.in_direct_messages(slash("subscribe", &[("tokens", "ETH"), ("kind", "grade")])).await,
    ] {
        assert!(said.contains("follow grades of 3 tokens. That takes at least 31 API calls a month, and the budget of 200"), "{said}");
    }
    assert_eq!(app.say(PERSON, PERSON, "/subscriptions").await, before);

    app.source.set_down_at("tm-grade", None);
    app = app.restart_with(&BUDGET[..1]).await;
    for _ in 0..2 {
        app.pass(Duration::from_secs(60)).await;
    }
    let said = app.say(PERSON, PERSON, "/status").await;
    assert!(said.contains("Daily: checked every 3 hours") && said.contains("Grade: checked every 12 hours"), "{said}");
    let said = app.say(PERSON, PERSON, "/subscribe BTC").await;
    assert!(said.contains("every 3 hours") && !said.contains("That becomes"), "{said}");
});

on_both!(what_no_cadence_can_carry_is_refused_with_the_number, |db| async move {
    let small = [("TOKEN_METRICS_CALLS_PER_MONTH", "60"), ("TOKEN_METRICS_CALLS_PER_MINUTE", "0")];
    let mut app = with_operator(db, &small).await;
    let before = app.say(PERSON, PERSON, "/subscriptions").await;
    assert_snapshot!(app.say(PERSON, PERSON, "/subscribe SOL").await, @r#"
    ⚠️ That did not work; nothing was changed
    With this I would follow daily calls of 1 token. That takes at least 31 API calls a month, and the budget of 60 has no room for so many.
    Whoever operates me can raise TOKEN_METRICS_CALLS_PER_MONTH.
    "#);
    assert_snapshot!(app.say(PERSON, PERSON, "/subscribe SOL hourly").await, @r#"
    ⚠️ That did not work; nothing was changed
    With this I would follow hourly calls of 1 token. That takes at least 124 API calls a month, and the budget of 60 has no room for so many.
    Try daily calls. Whoever operates me can raise TOKEN_METRICS_CALLS_PER_MONTH.
    "#);
    assert_eq!(app.say(PERSON, PERSON, "/subscriptions").await, before);
});
