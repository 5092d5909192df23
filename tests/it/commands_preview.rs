//! `/subscribe … preview`: what it would have sent, before anything is saved.

use crate::support::{
    app::TestApp,
    audience::{BTC, FOUR, HOUR, SOL, text},
    commands::rows,
    database::on_both,
    fake_discord::interaction::{ADMIN, PLAIN, slash, subcommand},
};
use insta::assert_snapshot;
use serde_json::json;

const PERSON: i64 = 555;
const OTHER: i64 = 556;

/// Five days in which SOL turned each day and BTC once; the last turn was seen by those who follow them.
async fn lived_in(app: &mut TestApp) {
    app.person_subscribes(PERSON, "all").await;
    for (day, sol, btc) in [("2026-11-17", -1, -1), ("2026-11-18", 1, -1), ("2026-11-19", -1, 1), ("2026-11-20", 1, 1)] {
        app.source.set_daily(SOL, day, sol, sol);
        app.source.set_daily(BTC, day, btc, btc);
    }
    app.call(&FOUR, 1);
    app.next_poll().await;
    app.turn(&[SOL], -1).await;
    app.telegram_messages();
}

on_both!(it_is_said_what_would_have_come_and_nothing_is_saved, |db| async move {
    let mut app = TestApp::start(db).await;
    lived_in(&mut app).await;
    assert_snapshot!(app.say(OTHER, OTHER, "/subscribe sol btc preview").await, @"
    Preview: nothing is saved yet
    In the last 4 days this would have sent 4 messages, at most 2 in a day. The newest:
    21 Nov: SOL turned bullish and is unstable
    20 Nov: SOL turned bearish
    20 Nov: BTC turned bullish
    19 Nov: SOL turned bullish
    1 change would still be held.
    To have it: /subscribe SOL,BTC daily
    ");
    assert_snapshot!(app.on_server(PLAIN, slash("subscribe", &[("tokens", "all"), ("delivery", "digest-weekly"), ("preview", "yes")])).await, @"
    Preview: nothing is saved yet
    In the last 4 days this would have sent nothing yet.
    5 changes would still be held.
    To have it: `/subscribe tokens:all kind:daily delivery:digest-weekly`
    ");
    assert_snapshot!(app.say(OTHER, OTHER, "/subscribe xrp bearish Preview").await, @"
    Preview: nothing is saved yet
    In the last day this would have sent nothing: no such call changed.
    To have it: /subscribe XRP daily bearish
    ");
    assert_snapshot!(app.say(OTHER, OTHER, "/subscribe sol hourly preview").await, @"
    Preview: nothing is saved yet
    I have no history of these calls yet, because nobody here follows them.
    To have it: /subscribe SOL hourly
    ");
    assert_eq!(rows(&app.db.url, "SELECT target FROM subscriptions").await, ["all"], "nothing is saved");
});

on_both!(the_limits_of_a_channel_count, |db| async move {
    let mut app = TestApp::start(db).await;
    lived_in(&mut app).await;
    let quiet = json!([text("quiet_hours", "23:00-01:00"), text("timezone", "UTC")]);
    app.on_server(ADMIN, subcommand("channel", "settings", quiet)).await;
    let preview = json!([text("tokens", "SOL,BTC"), text("preview", "yes")]);
    assert_snapshot!(app.on_server(ADMIN, subcommand("channel", "subscribe", preview)).await, @"
    Preview: nothing is saved yet
    In the last 4 days this would have sent **3 messages** about 4 changes, at most 1 in a day. The newest:
    21 Nov: SOL turned bullish and is unstable
    20 Nov: In your quiet hours: 2 calls
    19 Nov: SOL turned bullish
    1 change would still be held.
    To have it: `/channel subscribe tokens:SOL,BTC kind:daily`
    ");
    assert_eq!(rows(&app.db.url, "SELECT CAST(COUNT(*) AS TEXT) FROM subscriptions").await, ["1"]);
    app.pass(HOUR).await;
    assert_snapshot!(app.on_server(PLAIN, slash("subscribe", &[("tokens", "SOL"), ("preview", "no")])).await, @"
    That did not work; nothing was changed
    `no` is not a preview. Choose one of: yes.
    For example: `/subscribe SOL,ETH`
    ");
    assert_snapshot!(app.say(OTHER, OTHER, "/subscribe preview").await, @"
    ⚠️ That did not work; nothing was changed
    Name at least one token, by symbol or #id.
    For example: /subscribe SOL,ETH
    ");
});
