//! What the calls do, and what people read of it: once, in the right words, and nothing that is not so.

use crate::support::{
    community::{BTC, ETH, PERSON, SOL, both, community, heard, hours, polls, set_clock, subscribe_all, texts, today, with_operator},
    database::on_both,
    fake_discord::interaction,
};
use insta::assert_snapshot;
use interaction::{ADMIN, subcommand};
use serde_json::json;
use std::time::Duration;

on_both!(a_pause_is_no_call_and_a_turned_trend_is_one, |db| async move {
    let mut app = community(db).await;
    app.source.set_daily(SOL, "2026-11-21", 0, -1);
    polls(&mut app, 2).await;
    app.source.set_daily(SOL, "2026-11-21", 0, 0);
    polls(&mut app, 2).await;
    assert_eq!(heard(&app), [""; 0], "a 0 alone says nothing");
    app.source.set_daily(SOL, "2026-11-21", 0, 1);
    polls(&mut app, 2).await;
    assert_eq!(heard(&app), both("SOL turned bullish"), "the trend alone turns it");
    // The signal goes before the trend.
    app.source.set_daily(SOL, "2026-11-21", -1, 1);
    polls(&mut app, 2).await;
    assert_eq!(heard(&app), both("SOL turned bearish"));
    app.source.set_daily(SOL, "2026-11-21", -1, -1);
    polls(&mut app, 2).await;
    assert_eq!(heard(&app), [""; 0]);
});

on_both!(a_flip_within_the_day_and_back_is_told_both_times, |db| async move {
    let mut app = community(db).await;
    app.source.set_daily(SOL, "2026-11-21", 1, 1);
    polls(&mut app, 1).await;
    assert_eq!(heard(&app), both("SOL turned bullish"));
    app.source.set_daily(SOL, "2026-11-21", -1, -1);
    polls(&mut app, 3).await;
    assert_eq!(heard(&app), both("SOL turned bearish"));
});

on_both!(a_flip_that_is_seen_only_after_midnight_is_an_ordinary_turn, |db| async move {
    let mut app = community(db).await;
    set_clock(&mut app, "2026-11-21T23:50:00Z").await;
    app.source.set_daily(SOL, "2026-11-21", 1, 1);
    set_clock(&mut app, "2026-11-22T00:16:00Z").await;
    let told = texts(&app);
    assert_eq!(told.len(), 2, "{told:?}");
    assert_snapshot!(told[1].1, @r#"
    🟢 SOL turned bullish
    Daily call of 21 Nov 2026, seen 22 Nov 2026 00:16 UTC
    Before: bearish since 21 Nov 2026
    Trader grade 26.48
    Read more
    "#);
    // The new day's row says the same.
    app.source.set_daily(SOL, "2026-11-22", 0, 1);
    polls(&mut app, 3).await;
    assert_eq!(heard(&app), [""; 0]);
});

on_both!(a_final_row_that_changes_is_a_correction_for_those_who_were_told, |db| async move {
    let mut app = community(db).await;
    app.source.set_daily(SOL, "2026-11-21", 1, 1);
    polls(&mut app, 1).await;
    assert_eq!(heard(&app), both("SOL turned bullish"));
    set_clock(&mut app, "2026-11-22T00:20:00Z").await;
    // Subscribes after the row was final: never saw what is corrected.
    let late = app.say(777, 777, "/subscribe SOL").await;
    assert!(late.contains("SOL (Solana): bullish since 21 Nov 2026"), "{late}");
    app.source.set_daily(SOL, "2026-11-21", -1, -1);
    polls(&mut app, 2).await;
    let told = texts(&app);
    assert_eq!(told.iter().map(|(who, _)| who.as_str()).collect::<Vec<_>>(), ["channel", "person"], "{told:?}");
    assert_snapshot!(told[1].1, @r#"
    ~~SOL turned bullish (daily, 21 Nov 2026)~~
    🔴 SOL correction: the call is bearish
    Daily call of 21 Nov 2026, seen 22 Nov 2026 00:36 UTC
    Before: bullish since 21 Nov 2026
    Trader grade 26.48
    Read more
    "#);
    // Once per day and token, however often the source changes its mind.
    app.source.set_daily(SOL, "2026-11-21", 1, 1);
    polls(&mut app, 2).await;
    assert_eq!(heard(&app), [""; 0]);
    // The next day's call is news for all three, if it is another than they know.
    app.source.set_daily(SOL, "2026-11-22", 1, 1);
    polls(&mut app, 2).await;
    let mut told = heard(&app);
    told.sort();
    assert_eq!(told[1..], both("SOL turned bullish"), "{told:?}");
    assert_eq!(told[0], "777: SOL turned bullish", "{told:?}");
});

on_both!(a_held_alert_that_is_corrected_is_never_sent, |db| async move {
    let mut app = community(db).await;
    let limit = subcommand("channel", "settings", json!([{"name": "max_per_hour", "type": 4, "value": 1}]));
    assert!(app.on_server(ADMIN, limit).await.contains("at most 1 alert message in"));
    assert!(app.say(PERSON, PERSON, "/settings max_per_hour=1").await.contains("at most 1 alert message in"));
    set_clock(&mut app, "2026-11-21T23:35:00Z").await;
    app.source.set_daily(BTC, "2026-11-21", -1, -1);
    set_clock(&mut app, "2026-11-21T23:50:00Z").await;
    assert_eq!(heard(&app), both("BTC turned bearish"));
    app.source.set_daily(SOL, "2026-11-21", 1, 1);
    set_clock(&mut app, "2026-11-22T00:16:00Z").await;
    assert_eq!(heard(&app), [""; 0], "held: the hour's message is used up");
    app.source.set_daily(SOL, "2026-11-21", -1, -1);
    set_clock(&mut app, "2026-11-22T00:31:00Z").await;
    hours(&mut app, 3).await;
    assert_eq!(heard(&app), [""; 0], "nobody was told, so nothing is taken back");
});

on_both!(what_changed_during_a_long_absence_is_one_summary, |db| async move {
    let mut app = with_operator(db, &[]).await;
    let tokens = [SOL, BTC, ETH];
    for token in tokens {
        app.source.set_daily(token, "2026-11-21", -1, -1);
    }
    subscribe_all(&mut app, "SOL,BTC,ETH").await;
    polls(&mut app, 1).await;
    for (day, stance) in [("2026-11-22", -1), ("2026-11-23", 1), ("2026-11-24", 1), ("2026-11-25", 1), ("2026-11-26", 1)] {
        app.source.set_daily(SOL, day, stance, stance);
        app.source.set_daily(BTC, day, stance, stance);
        app.source.set_daily(ETH, day, -stance, -stance);
    }
    app.clock.advance(Duration::from_secs(5 * 24 * 3600));
    let mut app = app.restart().await;
    polls(&mut app, 1).await;
    let told = texts(&app);
    assert_eq!(told.iter().map(|(who, _)| who.as_str()).collect::<Vec<_>>(), ["channel", "person"], "{told:?}");
    assert_snapshot!(told[1].1, @r#"
    While I was away: 3 calls
    BTC turned bullish (daily, 23 Nov 2026)
    SOL turned bullish (daily, 23 Nov 2026)
    ETH flipped and back, still bearish (daily, 23 Nov 2026, 1 flip in between)
    "#);
    polls(&mut app, 3).await;
    assert_eq!(heard(&app), [""; 0]);
});

on_both!(a_token_that_was_absent_is_told_of_when_it_is_back, |db| async move {
    let mut app = community(db).await;
    app.source.remove_daily(SOL);
    hours(&mut app, 30).await;
    assert_eq!(heard(&app), [""; 0], "absence is no change");
    app.source.set_daily(SOL, &today(&app), -1, -1);
    hours(&mut app, 26).await;
    assert_eq!(heard(&app), [""; 0], "nothing has changed");
    app.source.remove_daily(SOL);
    hours(&mut app, 10).await;
    app.source.set_daily(SOL, &today(&app), 1, 1);
    hours(&mut app, 26).await;
    assert_eq!(heard(&app), both("SOL turned bullish"));
});

on_both!(a_gap_in_the_hourly_data_is_named, |db| async move {
    let mut app = with_operator(db, &[]).await;
    app.source.set_hourly(SOL, "2026-11-21T05:00:00Z", 1, 1);
    subscribe_all(&mut app, "SOL hourly").await;
    polls(&mut app, 1).await;
    assert_eq!(heard(&app), [""; 0]);
    // The stored row is out of reach: what comes begins after it.
    app.source.remove_hourly(SOL);
    app.source.set_hourly(SOL, "2026-11-21T07:00:00Z", -1, 0);
    hours(&mut app, 3).await;
    let told = texts(&app);
    assert_eq!(told.len(), 2, "{told:?}");
    assert_snapshot!(told[1].1, @r#"
    🔴 SOL turned bearish
    Hourly call of 21 Nov 2026 07:00 UTC, seen 21 Nov 2026 07:16 UTC
    Before: bullish since 21 Nov 2026 05:00 UTC
    After a gap in the data
    Read more
    "#);
});

on_both!(the_first_hourly_signal_after_no_position_is_told, |db| async move {
    let mut app = with_operator(db, &[]).await;
    app.source.set_hourly(SOL, "2026-11-21T05:00:00Z", 0, 0);
    subscribe_all(&mut app, "SOL hourly").await;
    polls(&mut app, 1).await;
    app.source.set_hourly(SOL, "2026-11-21T06:00:00Z", 0, 0);
    hours(&mut app, 1).await;
    assert_eq!(heard(&app), [""; 0]);
    app.source.set_hourly(SOL, "2026-11-21T07:00:00Z", -1, 0);
    hours(&mut app, 1).await;
    let told = texts(&app);
    assert_eq!(told.len(), 2, "{told:?}");
    assert_snapshot!(told[1].1, @r#"
    🔴 SOL turned bearish
    Hourly call of 21 Nov 2026 07:00 UTC, seen 21 Nov 2026 08:16 UTC
    No call before
    Read more
    "#);
    // Leaving a position is not a call.
    app.source.set_hourly(SOL, "2026-11-21T08:00:00Z", 0, 0);
    hours(&mut app, 2).await;
    assert_eq!(heard(&app), [""; 0]);
});

on_both!(who_comes_back_after_a_week_begins_anew, |db| async move {
    let mut app = community(db).await;
    let all = subcommand("channel", "unsubscribe", json!([{"name": "tokens", "type": 3, "value": "all"}]));
    assert!(app.on_server(ADMIN, all).await.contains("Unsubscribed"));
    assert!(app.say(PERSON, PERSON, "/unsubscribe all").await.contains("Unsubscribed"));
    hours(&mut app, 8 * 24).await;
    let day = today(&app);
    app.source.set_daily(SOL, &day, 1, 1);
    app.source.set_daily(BTC, &day, 1, 1);
    subscribe_all(&mut app, "SOL,BTC").await;
    polls(&mut app, 3).await;
    assert_eq!(heard(&app), [""; 0], "nobody asked for a week: what is there now is where it begins");
    app.source.set_daily(SOL, &day, -1, -1);
    polls(&mut app, 2).await;
    assert_eq!(heard(&app), both("SOL turned bearish"));
});

on_both!(a_symbol_that_another_token_takes_over_moves_no_subscription, |db| async move {
    let mut app = community(db).await;
    app.source.set_tokens([(3375, "BTC", "Bitcoin"), (5555, "SOL", "New Sol"), (3306, "ETH", "Ethereum"), (3988, "SOL", "Solana")]);
    app.source.set_daily(5555, "2026-11-21", -1, -1);
    hours(&mut app, 25).await;
    let day = today(&app);
    app.source.set_daily(5555, &day, 1, 1);
    polls(&mut app, 2).await;
    assert_eq!(heard(&app), [""; 0], "nobody asked for the newcomer");
    app.source.set_daily(SOL, &day, 1, 1);
    polls(&mut app, 2).await;
    let told = texts(&app);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[1].1.contains("SOL turned bullish"), "{told:?}");
    // Whoever types the symbol now means the newcomer, and is told so; what was subscribed can still be unsubscribed by it.
    let signal = app.say(PERSON, PERSON, "/signal SOL").await;
    assert!(signal.contains("SOL #5555 (New Sol)"), "{signal}");
    let list = app.say(PERSON, PERSON, "/subscriptions").await;
    assert!(list.contains("SOL"), "{list}");
    let gone = app.say(PERSON, PERSON, "/unsubscribe sol").await;
    assert!(gone.contains("SOL #3988"), "{gone}");
});

on_both!(all_means_the_largest_with_patience_for_those_who_drop_out, |db| async move {
    let mut app = with_operator(db, &[("BELLWETHER_ALL_TOKENS", "2")]).await;
    for token in [BTC, ETH, SOL] {
        app.source.set_daily(token, "2026-11-21", -1, -1);
    }
    subscribe_all(&mut app, "all").await;
    polls(&mut app, 1).await;
    for token in [BTC, ETH, SOL] {
        app.source.set_daily(token, "2026-11-21", 1, 1);
    }
    polls(&mut app, 1).await;
    let mut told = heard(&app);
    told.sort();
    assert_eq!(
        told,
        ["channel: BTC turned bullish", "channel: ETH turned bullish", "person: BTC turned bullish", "person: ETH turned bullish"]
    );
    // SOL overtakes both; BTC is beyond the limit from now on.
    app.source.set_tokens([(3988, "SOL", "Solana"), (3306, "ETH", "Ethereum"), (3375, "BTC", "Bitcoin")]);
    hours(&mut app, 25).await;
    assert_eq!(heard(&app), [""; 0], "first sight is no news");
    let day = today(&app);
    app.source.set_daily(SOL, &day, -1, -1);
    app.source.set_daily(BTC, &day, -1, -1);
    polls(&mut app, 2).await;
    let mut told = heard(&app);
    told.sort();
    let expected =
        ["channel: BTC turned bearish", "channel: SOL turned bearish", "person: BTC turned bearish", "person: SOL turned bearish"];
    assert_eq!(told, expected, "once beyond the limit is not out yet");
    hours(&mut app, 3 * 24).await;
    let day = today(&app);
    app.source.set_daily(SOL, &day, 1, 1);
    app.source.set_daily(BTC, &day, 1, 1);
    polls(&mut app, 2).await;
    assert_eq!(heard(&app), both("SOL turned bullish"), "out after three refreshes");
});
