//! Data that comes late, with gaps, restated or dated wrongly (`rules.md` 2.3 to 2.10), as subscribers and operators hear of it.

use crate::support::{
    app::TestApp,
    community::{BTC, ETH, PERSON, SOL, both, community, heard, hours, polls, set_clock, subscribe_all, texts, today, with_operator},
    database::on_both,
    fake_discord::interaction::{ADMIN, subcommand},
    fake_token_metrics::Fault,
};
use bellwether::{clock::Clock, domain::Timestamp};
use insta::assert_snapshot;
use serde_json::json;
use std::time::Duration;

const DAILY: &str = "trading-signals";
const HOURLY: &str = "hourly-trading-signals";
/// Milliseconds.
const HOUR: i64 = 3_600_000;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Both subscribers get the same setting.
async fn set(app: &mut TestApp, name: &str, value: i64) {
    let channel = subcommand("channel", "settings", json!([{"name": name, "type": 4, "value": value}]));
    app.on_server(ADMIN, channel).await;
    app.say(PERSON, PERSON, &format!("/settings {name}={value}")).await;
}

/// The hourly call of SOL is bullish at five; both subscribe to it, and the baseline was polled.
async fn hourly_community(app: &mut TestApp) {
    app.source.set_hourly(SOL, "2026-11-21T05:00:00Z", 1, 1);
    subscribe_all(app, "SOL hourly").await;
    polls(app, 1).await;
    assert_eq!(heard(app), [""; 0]);
}

/// An hourly row so many hours after the newest of the baseline.
fn hour(after: i64) -> String {
    Timestamp::from_millis(Timestamp::parse("2026-11-21T05:00:00Z").unwrap().as_millis() + after * HOUR).to_string()
}

on_both!(yesterdays_closed_row_is_read_once_more_and_then_left_alone, |db| async move {
    let mut app = community(db).await;
    set_clock(&mut app, "2026-11-21T23:50:00Z").await;
    app.source.take_seen();
    // The new day has no row yet: the window begins at the stored one.
    for (time, rows_of_today, from) in [
        ("2026-11-22T00:10:00Z", false, "2026-11-21"),
        ("2026-11-22T00:26:00Z", true, "2026-11-21"),
        ("2026-11-22T00:42:00Z", true, "2026-11-22"),
    ] {
        if rows_of_today {
            app.source.set_daily(SOL, "2026-11-22", 0, -1);
            app.source.set_daily(BTC, "2026-11-22", 0, 1);
        }
        set_clock(&mut app, time).await;
        let asked: Vec<_> = app.source.take_seen().into_iter().filter(|seen| seen.endpoint == DAILY).collect();
        let windows: Vec<_> = asked.iter().map(|seen| (seen.query["startDate"].as_str(), seen.query["endDate"].as_str())).collect();
        assert_eq!(windows, [(from, "2026-11-22")], "{time}");
    }
    // What is restated now is not the stored row: history at most.
    app.source.set_daily(SOL, "2026-11-21", 1, 1);
    polls(&mut app, 3).await;
    assert_eq!(heard(&app), [""; 0]);
});

on_both!(a_correction_that_comes_with_the_next_row_is_told_as_what_is_left_of_both, |db| async move {
    let mut app = community(db).await;
    app.source.set_daily(SOL, "2026-11-21", 1, 1);
    polls(&mut app, 1).await;
    assert_eq!(heard(&app), both("SOL turned bullish"));
    set_clock(&mut app, "2026-11-22T00:20:00Z").await;
    // Yesterday was bearish after all, and today is bullish: what was told stands.
    app.source.set_daily(SOL, "2026-11-21", -1, -1);
    app.source.set_daily(SOL, "2026-11-22", 1, 1);
    polls(&mut app, 2).await;
    assert_eq!(heard(&app), [""; 0]);
    // The next turn is told against what was told.
    app.source.set_daily(SOL, "2026-11-22", -1, -1);
    polls(&mut app, 1).await;
    assert_eq!(heard(&app), both("SOL turned bearish"));
});

on_both!(an_hourly_row_is_corrected_too_once_its_hour_is_over, |db| async move {
    let mut app = with_operator(db, &[]).await;
    hourly_community(&mut app).await;
    // The poll at 06:16 is the first after that hour: it makes the row final.
    set_clock(&mut app, "2026-11-21T07:20:00Z").await;
    app.source.set_hourly(SOL, "2026-11-21T05:00:00Z", -1, 0);
    hours(&mut app, 1).await;
    let told = texts(&app);
    assert_eq!(told.len(), 2, "{told:?}");
    assert_snapshot!(told[1].1, @r#"
    🔴 SOL correction: the call is bearish
    Hourly call of 21 Nov 2026 05:00 UTC, seen 21 Nov 2026 08:05 UTC
    Before: bullish since 21 Nov 2026 05:00 UTC
    Read more
    "#);
    app.source.set_hourly(SOL, "2026-11-21T05:00:00Z", 1, 1);
    hours(&mut app, 2).await;
    assert_eq!(heard(&app), [""; 0], "once per row");
});

on_both!(corrections_go_in_spite_of_the_hourly_limit_and_leave_it_as_it_is, |db| async move {
    let mut app = community(db).await;
    set(&mut app, "max_per_hour", 1).await;
    app.source.set_daily(SOL, "2026-11-21", 1, 1);
    polls(&mut app, 1).await;
    assert_eq!(heard(&app), both("SOL turned bullish"));
    set_clock(&mut app, "2026-11-22T00:20:00Z").await;
    // The hour's one message is BTC's; the correction is told beside it.
    app.source.set_daily(BTC, "2026-11-22", -1, -1);
    app.source.set_daily(SOL, "2026-11-21", -1, -1);
    polls(&mut app, 1).await;
    let mut told = heard(&app);
    told.sort();
    let mut expected = [both("BTC turned bearish"), both("SOL correction: the call is bearish")].concat();
    expected.sort();
    assert_eq!(told, expected);
    // It did not count: one hour after BTC's message there is room for the next, which is told in full.
    app.source.set_daily(BTC, "2026-11-22", 1, 1);
    polls(&mut app, 1).await;
    assert_eq!(heard(&app), [""; 0], "held");
    polls(&mut app, 3).await;
    assert_eq!(heard(&app), both("Held back: 1 call"));
});

on_both!(a_flip_that_a_cooldown_holds_and_a_correction_takes_back_is_never_told, |db| async move {
    let mut app = community(db).await;
    set(&mut app, "cooldown", 60).await;
    set_clock(&mut app, "2026-11-21T23:35:00Z").await;
    app.source.set_daily(SOL, "2026-11-21", 1, 1);
    set_clock(&mut app, "2026-11-21T23:50:00Z").await;
    assert_eq!(heard(&app), both("SOL turned bullish"));
    app.source.set_daily(SOL, "2026-11-21", -1, -1);
    set_clock(&mut app, "2026-11-22T00:10:00Z").await;
    assert_eq!(heard(&app), [""; 0], "held to the end of the cooldown");
    app.source.set_daily(SOL, "2026-11-21", 1, 1);
    hours(&mut app, 4).await;
    assert_eq!(heard(&app), [""; 0], "what was told is right again");
});

on_both!(late_daily_news_is_single_if_it_is_alone, |db| async move {
    let app = community(db).await;
    app.clock.advance(DAY * 3);
    app.source.set_daily(SOL, "2026-11-22", 1, 1);
    app.source.set_daily(SOL, "2026-11-24", 0, 1);
    app.source.set_daily(BTC, "2026-11-24", 0, 1);
    let mut app = app.restart().await;
    polls(&mut app, 1).await;
    let told = texts(&app);
    assert_eq!(told.len(), 2, "{told:?}");
    assert_snapshot!(told[1].1, @r#"
    🟢 SOL turned bullish
    Daily call of 22 Nov 2026, seen 24 Nov 2026 06:32 UTC
    As of 22 Nov 2026: the data was 2 days old when I saw it.
    Before: bearish since 21 Nov 2026
    Trader grade 26.48
    Read more
    "#);
});

on_both!(hourly_news_older_than_six_hours_is_one_summary, |db| async move {
    let mut app = with_operator(db, &[]).await;
    hourly_community(&mut app).await;
    app.source.set_hourly(BTC, "2026-11-21T06:00:00Z", -1, 0);
    subscribe_all(&mut app, "BTC hourly").await;
    hours(&mut app, 1).await;
    assert_eq!(heard(&app), [""; 0]);
    // Nine hours without the bot, in which both turned.
    app.source.set_hourly(SOL, "2026-11-21T08:00:00Z", -1, 0);
    app.source.set_hourly(BTC, "2026-11-21T08:00:00Z", 1, 1);
    for token in [SOL, BTC] {
        for after in 5..12 {
            app.source.set_hourly(token, &hour(after), 0, 0);
        }
    }
    app.clock.advance(Duration::from_secs(9 * 3600));
    let mut app = app.restart().await;
    polls(&mut app, 1).await;
    let told = texts(&app);
    assert_eq!(told.iter().map(|(who, _)| who.as_str()).collect::<Vec<_>>(), ["channel", "person"], "{told:?}");
    assert_snapshot!(told[1].1, @r#"
    While I was away: 2 calls
    BTC turned bullish (hourly, 21 Nov 2026 08:00 UTC)
    SOL turned bearish (hourly, 21 Nov 2026 08:00 UTC)
    "#);
});

on_both!(hourly_news_of_the_last_six_hours_is_told_singly, |db| async move {
    let mut app = with_operator(db, &[]).await;
    hourly_community(&mut app).await;
    app.source.set_hourly(BTC, "2026-11-21T05:00:00Z", -1, 0);
    subscribe_all(&mut app, "BTC hourly").await;
    hours(&mut app, 1).await;
    app.source.set_hourly(SOL, "2026-11-21T08:00:00Z", -1, 0);
    app.source.set_hourly(BTC, "2026-11-21T08:00:00Z", 1, 1);
    app.clock.set(Timestamp::parse("2026-11-21T13:50:00Z").unwrap());
    let mut app = app.restart().await;
    app.step().await;
    let mut told = heard(&app);
    told.sort();
    let mut expected = [both("BTC turned bullish"), both("SOL turned bearish")].concat();
    expected.sort();
    assert_eq!(told, expected);
});

on_both!(three_more_pages_are_read_before_a_gap_is_named, |db| async move {
    let mut app = with_operator(db, &[]).await;
    hourly_community(&mut app).await;
    let this_hour = |app: &TestApp| app.clock.now().as_millis().div_euclid(HOUR);
    let mut stored = this_hour(&app) - 1;
    // For weeks the source has nothing of a token that is asked for all the while; then everything at once, of which four pages are read.
    for (weeks, stance, has_gap) in [(9, -1, false), (11, 1, true)] {
        app.source.remove_hourly(SOL);
        for _ in 0..weeks {
            app.pass(Duration::from_secs(40 * 3600)).await;
        }
        assert_eq!(heard(&app).iter().filter(|line| !line.starts_with("operator")).count(), 0);
        let newest = this_hour(&app);
        for hour in stored..newest {
            app.source.set_hourly(SOL, &Timestamp::from_millis(hour * HOUR).to_string(), 0, 0);
        }
        app.source.set_hourly(SOL, &Timestamp::from_millis(newest * HOUR).to_string(), stance, 0);
        stored = newest;
        app.source.take_seen();
        app.pass(DAY).await;
        let pages = app.source.take_seen().into_iter().filter(|seen| seen.endpoint == HOURLY).count();
        let told: Vec<_> = texts(&app).into_iter().filter(|(who, _)| who == "person").collect();
        assert_eq!((pages, told.len()), (4, 1), "{told:?}");
        assert_eq!(told[0].1.contains("After a gap in the data"), has_gap, "{told:?}");
    }
});

on_both!(nobody_asked_for_two_days_is_a_new_beginning_for_hourly_calls, |db| async move {
    let mut app = with_operator(db, &[]).await;
    app.source.set_hourly(SOL, "2026-11-21T05:00:00Z", 1, 1);
    app.say(PERSON, PERSON, "/subscribe SOL hourly").await;
    polls(&mut app, 1).await;
    assert_eq!(heard(&app), [""; 0]);
    for (days_away, stance, is_told) in [(1, -1, true), (3, 1, false)] {
        assert!(app.say(PERSON, PERSON, "/unsubscribe all").await.contains("Unsubscribed"));
        for _ in 0..days_away * 4 {
            app.pass(DAY / 4).await;
        }
        let now = app.clock.now().as_millis().div_euclid(HOUR) * HOUR;
        app.source.set_hourly(SOL, &Timestamp::from_millis(now).to_string(), stance, 0);
        // The feed is polled at once when somebody wants it again.
        let said = app.say(PERSON, PERSON, "/subscribe SOL hourly").await;
        assert_eq!(said.contains("SOL turned bearish"), is_told, "{days_away} days: {said}");
        hours(&mut app, 2).await;
        assert_eq!(heard(&app), [""; 0]);
    }
});

on_both!(what_differs_when_absent_tokens_return_is_one_summary, |db| async move {
    let mut app = community(db).await;
    app.source.remove_daily(SOL);
    app.source.remove_daily(BTC);
    app.source.set_daily(ETH, "2026-11-21", 1, 1);
    subscribe_all(&mut app, "ETH").await;
    hours(&mut app, 3).await;
    assert_eq!(heard(&app), [""; 0]);
    app.source.set_daily(SOL, &today(&app), 1, 1);
    app.source.set_daily(BTC, &today(&app), -1, -1);
    hours(&mut app, 26).await;
    let told = texts(&app);
    assert_eq!(told.iter().map(|(who, _)| who.as_str()).collect::<Vec<_>>(), ["channel", "person"], "{told:?}");
    assert_snapshot!(told[1].1, @r#"
    While I was away: 2 calls
    BTC turned bearish (daily, 21 Nov 2026)
    SOL turned bullish (daily, 21 Nov 2026)
    "#);
});

on_both!(hours_that_are_not_yet_are_set_aside, |db| async move {
    let mut app = with_operator(db, &[]).await;
    hourly_community(&mut app).await;
    // At the polls of about 06:16 and 07:16 this is more than two hours ahead.
    app.source.set_hourly(SOL, "2026-11-21T10:00:00Z", -1, 0);
    hours(&mut app, 1).await;
    assert_eq!(heard(&app), [""; 0]);
    // Two hours ahead is taken: clocks differ.
    hours(&mut app, 2).await;
    assert_eq!(heard(&app), both("SOL turned bearish"));
});

on_both!(an_outage_of_the_hourly_feed_is_told_after_two_polls, |db| async move {
    let mut app = with_operator(db, &[]).await;
    hourly_community(&mut app).await;
    app.source.set_down_at(HOURLY, Some(Fault::Html(502)));
    set_clock(&mut app, "2026-11-21T07:50:00Z").await;
    assert_eq!(heard(&app), [""; 0], "one poll was missed");
    hours(&mut app, 6).await;
    let told = texts(&app);
    assert_eq!(told.iter().map(|(who, _)| who.as_str()).collect::<Vec<_>>(), ["operator"], "{told:?}");
    assert!(told[0].1.contains("The hourly feed has brought nothing since 21 Nov 2026 06:"), "{told:?}");
    app.source.set_down_at(HOURLY, None);
    app.source.set_hourly(SOL, "2026-11-21T13:00:00Z", -1, 0);
    hours(&mut app, 3).await;
    let mut told = heard(&app);
    told.sort();
    let expected =
        ["channel: SOL turned bearish", "operator: The hourly feed is back. Changes meanwhile: 1.", "person: SOL turned bearish"];
    assert_eq!(told, expected);
    hours(&mut app, 12).await;
    assert_eq!(heard(&app), [""; 0]);
});

on_both!(an_outage_of_days_is_no_new_beginning, |db| async move {
    let mut app = with_operator(db, &[]).await;
    hourly_community(&mut app).await;
    app.source.set_down_at(HOURLY, Some(Fault::Status(503, String::new())));
    for _ in 0..20 {
        app.pass(Duration::from_secs(3 * 3600)).await;
    }
    assert_eq!(texts(&app).len(), 1, "operators alone, once");
    app.source.set_down_at(HOURLY, None);
    app.source.set_hourly(SOL, "2026-11-23T18:00:00Z", -1, 0);
    hours(&mut app, 3).await;
    let mut told = heard(&app);
    told.sort();
    let expected =
        ["channel: SOL turned bearish", "operator: The hourly feed is back. Changes meanwhile: 1.", "person: SOL turned bearish"];
    assert_eq!(told, expected, "it was asked for all the while");
});
