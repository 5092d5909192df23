//! Grades and fundamental classes as their readers see them (ARCHITECTURE.md, "Rules of our own", G).

use crate::support::{
    app::TestApp,
    audience::{BTC, ETH, HOUR, SOL, text},
    commands::rows,
    community::{both, heard, texts, with_operator},
    database::{TestDb, on_both},
    fake_discord::interaction::{ADMIN, slash, subcommand},
    fake_token_metrics::Fault,
};
use insta::assert_snapshot;
use serde_json::{Value, json};
use std::time::Duration;

const PERSON: i64 = 501;

/// A Discord channel and a Telegram person follow these grades; the baseline was polled.
pub(crate) async fn readers(db: TestDb, kind: &str, tokens: &str, more: &[(&str, &str)]) -> TestApp {
    let mut app = with_operator(db, &[]).await;
    app.source.set_grade(SOL, "Neutral", 52.0);
    app.source.set_grade(BTC, "Buy", 64.05);
    app.source.set_fundamental(SOL, "emerging", 71.3, [Some(60.0), Some(70.0), Some(80.0), None, Some(55.5)]);
    let options: Vec<Value> = [("tokens", tokens), ("kind", kind)].iter().chain(more).map(|(name, value)| text(name, value)).collect();
    app.channel_subscribes(json!(options)).await;
    let words: Vec<_> = more.iter().map(|(_, value)| *value).collect();
    app.person_subscribes(PERSON, &format!("{tokens} {kind} {}", words.join(" "))).await;
    poll(&mut app).await;
    assert_eq!(heard(&app), [""; 0]);
    app
}

/// The next poll of grades is over: without a budget they are polled once an hour.
pub(crate) async fn poll(app: &mut TestApp) {
    app.pass(HOUR + Duration::from_secs(60)).await;
}

/// As often as even fundamental grades need: once in six hours.
async fn slow_poll(app: &mut TestApp) {
    app.pass(6 * HOUR + Duration::from_secs(60)).await;
}

on_both!(a_label_counts_after_two_polls_in_a_row, |db| async move {
    let mut app = readers(db, "grade", "SOL,BTC", &[]).await;
    app.source.set_grade(SOL, "Buy", 61.5);
    poll(&mut app).await;
    assert_eq!(heard(&app), [""; 0], "shown once");
    poll(&mut app).await;
    let told = texts(&app);
    assert_eq!(told.len(), 2, "{told:?}");
    assert_snapshot!(told[0].1, @"
    SOL upgraded to Buy
    Grade as of <t:1795251780:f>
    Before: Neutral since before <t:1795240800:f>
    TM grade 61.5
    https://app.tokenmetrics.com/en/solana
    ");
    assert_snapshot!(told[1].1, @"
    🟢 SOL upgraded to Buy
    Grade as of 21 Nov 2026 09:03 UTC
    Before: Neutral since before 21 Nov 2026 06:00 UTC
    TM grade 61.5
    Read more
    ");
    // One poll alone says otherwise, a restart in between; another word for the same; a label that nobody knows.
    for (label, grade) in
        [("Sell", 30.0), ("Buy", 61.0), ("Strong Buy", 85.0), ("Outperform", 99.0), ("Buy", 62.0), ("Neutral", 50.0), ("Buy", 62.0)]
    {
        app.source.set_grade(SOL, label, grade);
        app = app.restart().await;
        poll(&mut app).await;
        assert_eq!(heard(&app), [""; 0], "{label}");
    }
    app.source.set_grade(SOL, "Hold", 50.0);
    poll(&mut app).await;
    app.source.set_grade(SOL, "Neutral", 49.0);
    app = app.restart().await;
    poll(&mut app).await;
    assert_eq!(heard(&app), both("SOL downgraded to Neutral"));
    let kept = "SELECT stance || ' ' || row_values FROM observations WHERE kind = 'grade' AND token_id = 3375";
    assert_eq!(rows(&app.db.url, kept).await, [r#"Buy {"graded":{"label":"Buy","grade":64.05}}"#], "what does not move is stored once");
});

on_both!(a_poll_once_in_twelve_hours_is_enough_for_a_label, |db| async move {
    let mut app = readers(db, "grade", "SOL", &[]).await;
    app.source.set_down_at("tm-grade", Some(Fault::Html(503)));
    for _ in 0..12 {
        poll(&mut app).await;
    }
    app.source.set_down_at("tm-grade", None);
    app.source.set_grade(SOL, "Strong Sell", 12.0);
    poll(&mut app).await;
    let told: Vec<_> = heard(&app).into_iter().filter(|line| !line.starts_with("operator")).collect();
    assert_eq!(told, both("SOL downgraded to Strong Sell"));
});

on_both!(who_wants_upgrades_alone_hears_of_no_downgrade, |db| async move {
    let mut app = readers(db, "grade", "SOL", &[("direction", "bullish")]).await;
    for (label, expected) in
        [("Sell", None), ("Neutral", Some("SOL upgraded to Neutral")), ("Strong Sell", None), ("Buy", Some("SOL upgraded to Buy"))]
    {
        app.source.set_grade(SOL, label, 50.0);
        poll(&mut app).await;
        poll(&mut app).await;
        assert_eq!(heard(&app), expected.map(both).into_iter().flatten().collect::<Vec<_>>(), "{label}");
    }
});

on_both!(grades_are_lines_of_digests_and_summaries_beside_calls, |db| async move {
    let mut app = readers(db, "grade", "SOL,BTC,ETH", &[("delivery", "digest-hourly")]).await;
    app.source.set_grade(ETH, "Sell", 30.0);
    app.source.set_grade(SOL, "Buy", 60.0);
    app.source.set_grade(BTC, "Neutral", 45.0);
    for _ in 0..3 {
        poll(&mut app).await;
    }
    let told = texts(&app);
    assert_eq!(told.len(), 2, "{told:?}");
    assert_snapshot!(told[0].1, @"
    Hourly digest: 2 calls
    **▲ Upgraded to Buy, grade (1)**
    [SOL upgraded to Buy](https://app.tokenmetrics.com/en/solana) (<t:1795251780:f>)
    **▼ Downgraded to Neutral, grade (1)**
    [BTC downgraded to Neutral](https://app.tokenmetrics.com/en/bitcoin) (<t:1795251780:f>)
    ");
});

on_both!(a_class_has_no_order_and_names_the_part_that_moved_most, |db| async move {
    let mut app = readers(db, "fundamental", "SOL", &[]).await;
    app.source.set_fundamental(SOL, "blueChip", 76.0, [Some(61.0), Some(78.25), Some(80.0), Some(90.0), Some(55.5)]);
    slow_poll(&mut app).await;
    assert_eq!(heard(&app), [""; 0], "shown once");
    slow_poll(&mut app).await;
    let told = texts(&app);
    assert_eq!(told.len(), 2, "{told:?}");
    assert_snapshot!(told[0].1, @"
    SOL class changed from emerging to blueChip
    Class as of <t:1795287780:f>
    Before: emerging since before <t:1795240800:f>
    Fundamental grade 76
    Moved most: tokenomics, 70 → 78.25
    https://app.tokenmetrics.com/en/solana
    ");
    assert_snapshot!(told[1].1, @"
    SOL class changed from emerging to blueChip
    Class as of 21 Nov 2026 19:03 UTC
    Before: emerging since before 21 Nov 2026 06:00 UTC
    Fundamental grade 76
    Moved most: tokenomics, 70 → 78.25
    Read more
    ");
    // A word that can be no class changes nothing.
    app.source.set_fundamental(SOL, "<b>@everyone</b>", 1.0, [None; 5]);
    slow_poll(&mut app).await;
    slow_poll(&mut app).await;
    assert_eq!(heard(&app), [""; 0]);
});

on_both!(answers_speak_of_grades, |db| async move {
    let mut app = readers(db, "grade", "SOL", &[]).await;
    let said = app.on_server(ADMIN, subcommand("channel", "subscribe", json!([text("tokens", "BTC,ETH"), text("kind", "grade")]))).await;
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(
        lines[..4],
        ["Subscribed to grades", "**BTC (Bitcoin)**: no grade yet", "**ETH (Ethereum)**: no grade yet", "Alerts go to #alerts."]
    );
    assert!(lines[4].starts_with("Grades are checked every hour; next <t:"), "{said}");
    for (label, grade) in [("Buy", 61.5), ("Strong Buy", 88.0)] {
        app.source.set_grade(SOL, label, grade);
        poll(&mut app).await;
        poll(&mut app).await;
    }
    assert_eq!(heard(&app).len(), 4);
    assert_snapshot!(app.say(PERSON, PERSON, "/signal SOL grade").await, @"
    🟢 SOL (Solana) grade: Strong Buy since 21 Nov 2026 11:05 UTC
    TM grade 88
    As of 21 Nov 2026 11:05 UTC
    Token Metrics has no price, no risk measures and no price scenarios for this token.
    Read more
    ");
    assert_snapshot!(app.say(PERSON, PERSON, "/history SOL grade").await, @"
    🟢 SOL (Solana) grade: Strong Buy since 21 Nov 2026 11:05 UTC
    Strong Buy for less than a day. 2 changes so far, the newest first:
    21 Nov 2026 11:05 UTC: Buy → Strong Buy, after less than a day
    21 Nov 2026 09:03 UTC: Neutral → Buy, after less than a day
    As of 21 Nov 2026 11:05 UTC
    Read more
    ");
    assert_snapshot!(app.say(PERSON, PERSON, "/why SOL grade").await, @"
    Why: SOL upgraded to Strong Buy (grade)
    The grade of 21 Nov 2026 11:05 UTC is Strong Buy; before, it was Buy.
    Asked for 21 Nov 2026 11:05 UTC, compared 21 Nov 2026 11:05 UTC.
    Decided 21 Nov 2026 11:05 UTC: it is wanted at once, and nothing stood against it.
    Made into a message 21 Nov 2026 11:05 UTC.
    Delivered 21 Nov 2026 11:05 UTC.
    Read more
    ");
    assert_snapshot!(app.say(PERSON, PERSON, "/subscriptions").await, @"
    You have 1 subscription
    grade: SOL
    max_per_hour 10: at most 10 alert messages in any 60 minutes; what is beyond waits and comes as one summary.
    cooldown 0: no pause between two alerts for the same token.
    ");
    assert_snapshot!(app.in_direct_messages(slash("signal", &[("token", "BTC"), ("kind", "fundamental")])).await, @"
    BTC (Bitcoin) fundamental: no class yet
    Token Metrics has no class for this token at the moment.
    To be told of its next class, type `/subscribe BTC fundamental`.
    Token Metrics has no price, no risk measures and no price scenarios for this token.
    https://app.tokenmetrics.com/en/bitcoin
    ");
});

on_both!(a_plan_without_grades_stops_that_feed_alone_and_only_operators_hear_of_it, |db| async move {
    let mut app = readers(db, "grade", "SOL", &[]).await;
    let refusal = r#"{"success": false, "message": "You are not authorized to access this endpoint with your current plan."}"#;
    app.source.set_down_at("tm-grade", Some(Fault::Status(401, refusal.to_owned())));
    app.source.set_daily(SOL, "2026-11-21", 1, 1);
    app.person_subscribes(PERSON, "SOL").await;
    for _ in 0..3 {
        poll(&mut app).await;
    }
    assert_snapshot!(heard(&app).join("\n"), @r#"
    operator: The grade feed is stopped: the API refuses the request (401): "You are not authorized to access this endpoint with your current plan."; choose a plan that has it in your Token Metrics account [TM-PLAN]. Run bellwether check for the cause; then restart, or send SIGHUP where the key is in a file.
    "#);
    app.source.set_daily(SOL, "2026-11-21", -1, -1);
    app.next_poll().await;
    assert_eq!(heard(&app), ["person: SOL turned bearish"], "calls go on");
    assert_snapshot!(app.say(PERSON, PERSON, "/subscribe BTC grade").await, @"
    ✅ Subscribed to grades
    BTC (Bitcoin): no grade yet
    Alerts come here.
    Grade: stopped, because the source refuses the API key or its plan. It goes on once whoever runs this bot has mended that.
    ");
});
