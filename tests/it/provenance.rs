//! `provenance`: an alert of one token says when its data is from, and when it was polled and sent (ARCHITECTURE.md, V1).

use crate::support::{
    app::TestApp,
    audience::{BTC, ETH, FOUR, SOL, XRP, text},
    database::on_both,
    fake_discord::interaction::{ADMIN, subcommand},
};
use insta::assert_snapshot;
use serde_json::json;

const PERSON: i64 = 501;
const OTHER: i64 = 502;

on_both!(v1_it_is_there_for_whoever_wants_it_by_their_clock, |db| async move {
    let mut app = TestApp::start(db).await;
    app.channel_subscribes(json!([text("tokens", "all")])).await;
    app.person_subscribes(PERSON, "all").await;
    app.person_subscribes(OTHER, "sol").await;
    let said = app.on_server(ADMIN, subcommand("channel", "settings", json!([text("provenance", "on")]))).await;
    assert!(said.contains("`provenance` on: an alert of one token says when"), "{said}");
    let said = app.say(PERSON, PERSON, "/settings provenance=on timezone=kathmandu").await;
    assert!(said.contains("provenance on:"), "{said}");
    let said = app.say(PERSON, PERSON, "/settings provenance=yes").await;
    assert!(said.contains("on, off") && said.contains("/settings provenance=on"), "{said}");
    app.baseline(&FOUR).await;
    app.turn(&[SOL], 1).await;
    let on_telegram = app.telegram_messages();
    assert!(!on_telegram.iter().find(|(chat, ..)| *chat == OTHER).unwrap().2.contains("polled"));
    assert_snapshot!(on_telegram.iter().find(|(chat, ..)| *chat == PERSON).unwrap().2, @"
    🟢 SOL turned bullish
    Daily call of 21 Nov 2026, seen 21 Nov 2026 12:17 UTC+05:45
    Before: bearish since 21 Nov 2026
    Trader grade 26.48
    Read more
    Data 21 Nov 2026 · polled 21 Nov 12:17 · sent 12:17 UTC+05:45
    ");
    assert_snapshot!(app.discord_messages()[0].1, @"
    SOL turned bullish
    Daily call of 21 Nov 2026, seen <t:1795242722:R>
    Before: bearish since 21 Nov 2026
    Trader grade 26.48
    Data 21 Nov 2026 · polled 21 Nov 06:32 · sent 06:32 UTC
    https://app.tokenmetrics.com/en/solana
    ");
    // A summary says nothing of it.
    app.call(&[BTC, ETH, XRP], 1);
    app.turn(&[SOL], -1).await;
    assert!(app.discord_messages().iter().all(|(_, text)| !text.contains("polled")));
    app.telegram_messages();
});
