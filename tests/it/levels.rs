//! Price levels as their readers see them (`rules.md` 2.12; ARCHITECTURE.md, "Rules of our own", L).

use crate::support::{
    app::TestApp,
    audience::{BTC, HOUR, SOL, text},
    commands::rows,
    community::{PERSON, both, heard, texts, with_operator},
    database::{TestDb, on_both},
    fake_discord::interaction::{ADMIN, slash, subcommand},
    fake_token_metrics::Fault,
};
use insta::assert_snapshot;
use serde_json::json;
use std::time::Duration;

const LEVELS: [(&str, f64); 4] = [("2026-01-15", 141.25), ("2026-03-02", 150.0), ("2026-09-09", 162.5), ("2026-11-03", 180.0)];

/// A Discord channel and a Telegram person follow these tokens' levels; the baseline was polled.
async fn readers(db: TestDb, tokens: &str, more: &[(&str, &str)]) -> TestApp {
    let mut app = with_operator(db, &[]).await;
    app.source.set_levels(SOL, &LEVELS);
    app.source.set_levels(BTC, &[("2026-10-01", 90_000.0), ("2026-11-01", 100_000.0)]);
    app.source.set_price(BTC, 95_000.0);
    let options: Vec<_> = [("tokens", tokens), ("kind", "levels")].iter().chain(more).map(|(name, value)| text(name, value)).collect();
    app.channel_subscribes(json!(options)).await;
    let words: Vec<_> = more.iter().map(|(_, value)| *value).collect();
    app.person_subscribes(PERSON, &format!("{tokens} levels {}", words.join(" "))).await;
    assert_eq!(price(&mut app, 148.0).await, [""; 0], "a baseline");
    app
}

/// The next poll is over: without a budget it comes once an hour.
async fn poll(app: &mut TestApp) {
    app.pass(HOUR + Duration::from_secs(60)).await;
}

/// SOL has that price, and the next poll sees it.
async fn price(app: &mut TestApp, price: f64) -> Vec<String> {
    app.source.set_price(SOL, price);
    poll(app).await;
    heard(app)
}

on_both!(a_crossing_names_the_level_its_side_and_the_next_ones, |db| async move {
    let mut app = readers(db, "SOL,BTC", &[]).await;
    app.source.set_price(SOL, 151.4);
    poll(&mut app).await;
    let told = texts(&app);
    assert_eq!(told.len(), 2, "{told:?}");
    assert_snapshot!(told[0].1, @"
    SOL crossed above 150
    By the <t:1795248120:f> price, 151.4
    The level of 2 Mar 2026 was resistance and is support now
    Next support 150, next resistance 162.5
    https://app.tokenmetrics.com/en/solana
    ");
    assert_snapshot!(told[1].1, @"
    🟢 SOL crossed above 150
    By the 21 Nov 2026 08:02 UTC price, 151.4
    The level of 2 Mar 2026 was resistance and is support now
    Next support 150, next resistance 162.5
    Read more
    ");
    for (at, expected) in [(150.2, vec![]), (149.3, vec![]), (150.6, vec![]), (149.2, both("SOL crossed below 150").to_vec())] {
        app = app.restart().await;
        assert_eq!(price(&mut app, at).await, expected, "{at}");
    }
    app.source.set_price(SOL, 185.5);
    poll(&mut app).await;
    let told = texts(&app);
    assert_snapshot!(told[0].1, @"
    SOL crossed above 180
    By the <t:1795266420:f> price, 185.5
    The level of 3 Nov 2026 was resistance and is support now; 2 more levels crossed on the way
    Next support 180, no resistance known above
    https://app.tokenmetrics.com/en/solana
    ");
    // A level that comes, and one that goes: nothing is said of either.
    app.source.set_levels(SOL, &[("2026-01-15", 141.25), ("2026-11-20", 170.0)]);
    assert_eq!(price(&mut app, 160.0).await, [""; 0]);
    assert_eq!(price(&mut app, 171.0).await, both("SOL crossed above 170"));
    // What a token without levels or without a price has is nothing.
    app.source.set_levels(SOL, &[]);
    assert_eq!(price(&mut app, 100.0).await, [""; 0]);
    app.source.set_levels(SOL, &[("2026-01-15", 141.25), ("2026-11-20", 170.0)]);
    assert_eq!(price(&mut app, 0.0).await, [""; 0]);
    app.source.set_price(SOL, 140.0);
    poll(&mut app).await;
    let late: Vec<_> = texts(&app).into_iter().map(|(_, text)| text).collect();
    assert_snapshot!(late[0], @"
    SOL crossed below 141.25
    By the <t:1795284720:f> price, 140
    The level of 15 Jan 2026 was support and is resistance now; 1 more level crossed on the way
    No support known below, next resistance 141.25
    https://app.tokenmetrics.com/en/solana
    ");
    let calls: Vec<_> = app.source.take_seen().iter().rev().take(2).map(|seen| seen.endpoint.clone()).collect();
    assert_eq!(calls, ["resistance-support", "price"]);
    assert_eq!(
        rows(&app.db.url, "SELECT row_values FROM observations WHERE kind = 'levels' AND token_id = 3375").await,
        [r#"{"close":95000.0}"#]
    );
});

on_both!(what_a_mute_holds_is_told_as_what_is_still_crossed, |db| async move {
    let mut app = readers(db, "SOL", &[]).await;
    app.say(PERSON, PERSON, "/mute 8h").await;
    for at in [151.0, 170.0, 160.0] {
        app.source.set_price(SOL, at);
        poll(&mut app).await;
    }
    assert_eq!(heard(&app), ["channel: SOL crossed above 150", "channel: SOL crossed above 162.5", "channel: SOL crossed below 162.5"]);
    app.pass(6 * HOUR).await;
    assert_eq!(heard(&app), ["person: SOL crossed above 150"], "of 162.5 there is nothing to tell");
    app.say(PERSON, PERSON, "/settings cooldown=120").await;
    assert_eq!(price(&mut app, 149.0).await, ["channel: SOL crossed below 150"], "inside the cooldown");
    assert_eq!(price(&mut app, 151.0).await, ["channel: SOL crossed above 150"]);
    assert_eq!(price(&mut app, 140.0).await, both("SOL crossed below 141.25"));
});

on_both!(who_wants_one_direction_hears_of_no_other, |db| async move {
    let mut app = readers(db, "SOL", &[("direction", "bearish")]).await;
    assert_eq!(price(&mut app, 151.0).await, [""; 0]);
    assert_eq!(price(&mut app, 149.0).await, both("SOL crossed below 150"));
});

on_both!(answers_speak_of_levels, |db| async move {
    let mut app = readers(db, "SOL", &[]).await;
    let said = app.on_server(ADMIN, subcommand("channel", "subscribe", json!([text("tokens", "SOL,ETH"), text("kind", "levels")]))).await;
    let lines: Vec<_> = said.lines().map(|line| line.split("; next").next().unwrap_or_default()).collect();
    assert_snapshot!(lines.join("\n"), @"
    Subscribed to price levels
    **SOL (Solana)**: 148, support 141.25, resistance 150
    **ETH (Ethereum)**: no levels known yet
    Subscribed before; replaced what was set for: SOL
    Alerts go to #alerts.
    Price levels are checked every hour
    ");
    assert_eq!(price(&mut app, 151.4).await.len(), 2);
    assert_eq!(price(&mut app, 185.0).await.len(), 2);
    assert_snapshot!(app.say(PERSON, PERSON, "/signal SOL levels").await, @"
    SOL (Solana) levels: 185, support 180, no resistance known
    As of 21 Nov 2026 09:03 UTC
    Token Metrics has no risk measures and no price scenarios for this token.
    Read more
    ");
    assert_snapshot!(app.say(PERSON, PERSON, "/history SOL levels").await, @"
    SOL (Solana) levels: 185, support 180, no resistance known
    2 changes so far, the newest first:
    21 Nov 2026 09:03 UTC: above 180, by the price of 185, and 1 more level
    21 Nov 2026 08:02 UTC: above 150, by the price of 151.4
    As of 21 Nov 2026 09:03 UTC
    Read more
    ");
    assert_snapshot!(app.say(PERSON, PERSON, "/why SOL levels").await, @"
    Why: SOL crossed above 180 (levels)
    The price of 21 Nov 2026 09:03 UTC is 185: it crossed above 180.
    Asked for 21 Nov 2026 09:03 UTC, compared 21 Nov 2026 09:03 UTC.
    Decided 21 Nov 2026 09:03 UTC: it is wanted at once, and nothing stood against it.
    Made into a message 21 Nov 2026 09:03 UTC.
    Delivered 21 Nov 2026 09:03 UTC.
    Read more
    ");
    assert_snapshot!(app.say(PERSON, PERSON, "/subscribe SOL levels preview").await, @"
    What this would have sent
    In the last day this would have sent 2 messages, at most 2 in a day. The newest:
    21 Nov: SOL crossed above 180
    21 Nov: SOL crossed above 150
    ");
    // Nobody follows BTC's levels: they are looked up. Of ETH nothing is known.
    assert_snapshot!(app.in_direct_messages(slash("signal", &[("token", "BTC"), ("kind", "levels")])).await, @"
    BTC (Bitcoin) levels: 95000, support 90000, resistance 100000
    As of <t:1795251784:f>
    Token Metrics has no risk measures and no price scenarios for this token.
    https://app.tokenmetrics.com/en/bitcoin
    ");
    assert_snapshot!(app.in_direct_messages(slash("signal", &[("token", "ETH"), ("kind", "levels")])).await, @"
    ETH (Ethereum) levels: no levels known yet
    Token Metrics has no levels for this token at the moment, or no price.
    To be told of its next crossing, type `/subscribe ETH levels`.
    Token Metrics has no risk measures and no price scenarios for this token.
    https://app.tokenmetrics.com/en/ethereum
    ");
    let status = app.say(PERSON, PERSON, "/status").await;
    assert!(status.contains("Levels: checked every hour, 2 tokens"), "{status}");
});

on_both!(a_plan_without_levels_stops_that_feed_alone_and_only_operators_hear_of_it, |db| async move {
    let mut app = readers(db, "SOL", &[]).await;
    let refusal = r#"{"success": false, "message": "You are not authorized to access this endpoint with your current plan."}"#;
    app.source.set_down_at("resistance-support", Some(Fault::Status(401, refusal.to_owned())));
    app.source.set_daily(SOL, "2026-11-21", 1, 1);
    app.person_subscribes(PERSON, "SOL").await;
    for _ in 0..3 {
        poll(&mut app).await;
    }
    assert_snapshot!(heard(&app).join("\n"), @r#"
    operator: The levels feed is stopped: the API refuses the request (401): "You are not authorized to access this endpoint with your current plan."; choose a plan that has it in your Token Metrics account [TM-PLAN]. Run bellwether check for the cause; then restart, or send SIGHUP where the key is in a file.
    "#);
    app.source.set_daily(SOL, "2026-11-21", -1, -1);
    app.next_poll().await;
    assert_eq!(heard(&app), ["person: SOL turned bearish"], "calls go on");
});
