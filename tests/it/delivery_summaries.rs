//! What people read when several calls change at once, or more than they asked for: limits hold and never drop (`rules.md` section 3).

use crate::support::{
    app::TestApp,
    audience::{BTC, ETH, FOUR, HOUR, MINUTE, SOL, XRP, number, text},
    database::on_both,
    fake_discord::interaction::{ADMIN, PLAIN, slash, subcommand},
};
use insta::assert_snapshot;
use serde_json::json;

const PERSON: i64 = 501;

on_both!(four_turns_in_one_poll_are_one_summary_and_three_are_three_messages, |db| async move {
    let mut app = TestApp::start(db).await;
    app.channel_subscribes(json!([text("tokens", "all")])).await;
    app.person_subscribes(PERSON, "all").await;
    app.baseline(&FOUR).await;

    app.turn(&FOUR, 1).await;
    let (discord, telegram) = (app.discord_messages(), app.telegram_messages());
    assert_eq!((discord.len(), telegram.len()), (1, 1));
    assert_snapshot!(discord[0].1, @"
    4 calls changed
    **BTC turned bullish** (daily, 21 Nov 2026)
    **ETH turned bullish** (daily, 21 Nov 2026)
    **SOL turned bullish** (daily, 21 Nov 2026)
    **XRP turned bullish** (daily, 21 Nov 2026)
    ");
    assert_snapshot!(telegram[0].2, @"
    4 calls changed
    BTC turned bullish (daily, 21 Nov 2026)
    ETH turned bullish (daily, 21 Nov 2026)
    SOL turned bullish (daily, 21 Nov 2026)
    XRP turned bullish (daily, 21 Nov 2026)
    ");

    app.turn(&[BTC, ETH, SOL], -1).await;
    assert_eq!(app.on_discord(), ["BTC turned bearish", "ETH turned bearish", "SOL turned bearish"]);
    assert_eq!(app.on_telegram(), ["BTC turned bearish", "ETH turned bearish", "SOL turned bearish"]);
});

on_both!(beyond_twenty_five_a_summary_is_symbols, |db| async move {
    let ids: Vec<i64> = (1..=30).collect();
    let names: Vec<String> = ids.iter().map(|id| format!("TOK{id}")).collect();
    let mut app = TestApp::with_market(db, &[], |source| {
        source.set_tokens(ids.iter().zip(&names).map(|(id, name)| (*id, name.as_str(), name.as_str())));
    })
    .await;
    app.channel_subscribes(json!([text("tokens", "all")])).await;
    app.person_subscribes(PERSON, "all").await;
    app.call(&ids[20..], 1);
    app.baseline(&ids[..20]).await;
    app.call(&ids[20..], -1);
    app.turn(&ids[..20], 1).await;
    app.pass(10 * MINUTE).await; // So many at once are believed when a second answer shows them too.
    let (discord, telegram) = (app.discord_messages(), app.telegram_messages());
    assert_eq!((discord.len(), telegram.len()), (1, 1));
    assert_snapshot!(discord[0].1, @"
    30 calls changed
    **Turned bullish (20):** TOK1, TOK2, TOK3, TOK4, TOK5, TOK6, TOK7, TOK8, TOK9, TOK10, TOK11, TOK12, TOK13, TOK14, TOK15, TOK16, TOK17, TOK18, TOK19, TOK20
    **Turned bearish (10):** TOK21, TOK22, TOK23, TOK24, TOK25, TOK26, TOK27, TOK28, TOK29, TOK30
    ");
    assert!(telegram[0].2.contains("30 calls changed"), "{}", telegram[0].2);
    assert!(ids.iter().all(|id| telegram[0].2.contains(&format!("TOK{id}"))), "{}", telegram[0].2);
});

on_both!(late_news_is_one_summary, |db| async move {
    let mut app = TestApp::start(db).await;
    app.channel_subscribes(json!([text("tokens", "all")])).await;
    app.person_subscribes(PERSON, "sol").await;
    app.baseline(&FOUR).await;
    // Three days without the bot; two calls turned on the day after it went.
    for token in [SOL, XRP] {
        app.source.set_daily(token, "2026-11-22", 1, 1);
    }
    app.clock.advance(72 * HOUR);
    let mut app = app.restart().await;
    app.step().await;
    app.next_poll().await;
    let discord = app.discord_messages();
    assert_eq!(discord.len(), 1);
    assert_snapshot!(discord[0].1, @"
    While I was away: 2 calls
    **SOL turned bullish** (daily, 22 Nov 2026)
    **XRP turned bullish** (daily, 22 Nov 2026)
    ");
    assert_eq!(app.on_telegram(), ["SOL turned bullish"], "a single one is told as usual");
});

on_both!(the_hourly_limit_holds_and_the_clock_releases_one_summary, |db| async move {
    let mut app = TestApp::start(db).await;
    app.channel_subscribes(json!([text("tokens", "all")])).await;
    app.person_subscribes(PERSON, "all").await;
    let said = app.on_server(ADMIN, subcommand("channel", "settings", json!([number("max_per_hour", 2)]))).await;
    assert!(said.contains("at most 2 alert messages"), "{said}");
    let said = app.say(PERSON, PERSON, "/settings max_per_hour=2").await;
    assert!(said.contains("at most 2 alert messages"), "{said}");
    app.baseline(&FOUR).await;

    app.turn(&[BTC, ETH, SOL], 1).await;
    assert_eq!(app.on_discord(), ["BTC turned bullish", "ETH turned bullish"], "the third waits");
    assert_eq!(app.on_telegram(), ["BTC turned bullish", "ETH turned bullish"]);
    // While it waits: it turns twice more, another comes, and one that was told turns and turns back.
    app.turn(&[SOL, ETH], -1).await;
    app.turn(&[SOL, XRP, ETH], 1).await;
    assert_eq!(app.on_discord(), [""; 0]);
    app.pass(45 * MINUTE).await;
    let (discord, telegram) = (app.discord_messages(), app.telegram_messages());
    assert_eq!((discord.len(), telegram.len()), (1, 1), "an hour after the first: everything that waited, as one");
    assert_snapshot!(discord[0].1, @"
    Held back: 3 calls
    **SOL turned bullish and is unstable** (daily, 21 Nov 2026, 2 flips in between)
    **XRP turned bullish** (daily, 21 Nov 2026)
    **ETH flipped and back, still bullish** (daily, 21 Nov 2026, 1 flip in between)
    ");
    assert_snapshot!(telegram[0].2, @"
    Held back: 3 calls
    SOL turned bullish and is unstable (daily, 21 Nov 2026, 2 flips in between)
    XRP turned bullish (daily, 21 Nov 2026)
    ETH flipped and back, still bullish (daily, 21 Nov 2026, 1 flip in between)
    ");
    // It counts as one message, so that there is room for one more.
    app.turn(&[BTC, ETH], -1).await;
    assert_eq!(app.on_discord().len(), 1);
    assert_eq!(app.on_telegram().len(), 1);
    app.pass(HOUR).await;
    assert_eq!(app.on_discord(), ["Held back: 1 call"]);
    assert_eq!(app.on_telegram(), ["Held back: 1 call"]);
});

on_both!(a_cooldown_holds_to_its_end_and_then_tells_the_net, |db| async move {
    let mut app = TestApp::start(db).await;
    app.channel_subscribes(json!([text("tokens", "sol,btc")])).await;
    app.on_server(ADMIN, subcommand("channel", "settings", json!([number("cooldown", 60)]))).await;
    app.baseline(&FOUR).await;
    app.turn(&[SOL], 1).await;
    assert_eq!(app.on_discord(), ["SOL turned bullish"]);
    app.turn(&[SOL], -1).await;
    app.turn(&[SOL], 1).await;
    app.turn(&[SOL], -1).await;
    assert_eq!(app.on_discord(), [""; 0]);
    app.pass(15 * MINUTE).await;
    let discord = app.discord_messages();
    assert_eq!(discord.len(), 1);
    assert_snapshot!(discord[0].1, @"
    SOL turned bearish and is unstable
    Daily call of 21 Nov 2026, seen <t:1795245600:R>
    Before: bullish since 21 Nov 2026
    Three turns within 7 days: I am quiet about it now, and tell you once it has stood for 7 days.
    2 flips in between
    Trader grade 26.48
    https://app.tokenmetrics.com/en/solana
    ");
    // Back and forth inside the next cooldown is nothing by itself; it is a line of the next summary.
    app.turn(&[SOL], 1).await;
    app.turn(&[SOL], -1).await;
    app.pass(HOUR).await;
    assert_eq!(app.on_discord(), [""; 0]);
});

on_both!(what_flipped_and_turned_back_is_a_line_of_the_next_summary, |db| async move {
    let mut app = TestApp::start(db).await;
    app.channel_subscribes(json!([text("tokens", "all")])).await;
    app.on_server(ADMIN, subcommand("channel", "settings", json!([number("max_per_hour", 1)]))).await;
    app.baseline(&FOUR).await;
    app.turn(&[SOL], 1).await;
    assert_eq!(app.on_discord(), ["SOL turned bullish"]);
    app.turn(&[SOL, BTC], -1).await;
    app.call(&[BTC], 1);
    app.turn(&[SOL], 1).await;
    app.pass(30 * MINUTE).await;
    let discord = app.discord_messages();
    assert_eq!(discord.len(), 1);
    assert_snapshot!(discord[0].1, @"
    Held back: 2 calls
    **BTC turned bullish** (daily, 21 Nov 2026)
    **SOL flipped and back, still bullish** (daily, 21 Nov 2026, 1 flip in between)
    ");
});

on_both!(who_unsubscribes_while_it_is_held_is_not_told, |db| async move {
    let mut app = TestApp::start(db).await;
    app.person_subscribes(PERSON, "sol,btc").await;
    app.say(PERSON, PERSON, "/settings max_per_hour=1").await;
    app.baseline(&FOUR).await;
    app.turn(&[BTC], 1).await;
    app.turn(&[SOL], 1).await;
    assert_eq!(app.on_telegram(), ["BTC turned bullish"]);
    app.say(PERSON, PERSON, "/unsubscribe sol").await;
    app.pass(2 * HOUR).await;
    assert_eq!(app.on_telegram(), [""; 0]);
});

on_both!(a_direction_is_kept_to, |db| async move {
    let mut app = TestApp::start(db).await;
    app.channel_subscribes(json!([text("tokens", "sol"), text("direction", "bearish")])).await;
    app.person_subscribes(PERSON, "sol bullish").await;
    app.baseline(&FOUR).await;
    app.turn(&[SOL], 1).await;
    assert_eq!((app.on_discord(), app.on_telegram()), (vec![], vec!["SOL turned bullish".to_owned()]));
    app.turn(&[SOL], -1).await;
    assert_eq!((app.on_discord(), app.on_telegram()), (vec!["SOL turned bearish".to_owned()], vec![]));
    app.turn(&[SOL], 1).await;
    assert_eq!((app.on_discord(), app.on_telegram()), (vec![], vec!["SOL turned bullish".to_owned()]));
});

on_both!(all_and_a_token_are_one_alert_and_an_exclusion_is_of_all_alone, |db| async move {
    let mut app = TestApp::start(db).await;
    app.channel_subscribes(json!([text("tokens", "all"), text("direction", "bullish")])).await;
    app.channel_subscribes(json!([text("tokens", "sol"), text("direction", "bearish")])).await;
    app.person_subscribes(PERSON, "all").await;
    app.say(PERSON, PERSON, "/unsubscribe btc").await;
    app.baseline(&FOUR).await;
    app.turn(&[BTC, SOL], 1).await;
    assert_eq!(app.on_discord(), ["BTC turned bullish"], "the token's own direction wins over that of all");
    assert_eq!(app.on_telegram(), ["SOL turned bullish"], "BTC is left out");
    app.turn(&[BTC, SOL], -1).await;
    assert_eq!(app.on_discord(), ["SOL turned bearish"]);
    assert_eq!(app.on_telegram(), ["SOL turned bearish"]);
    app.person_subscribes(PERSON, "btc").await;
    app.turn(&[BTC], 1).await;
    assert_eq!(app.on_telegram(), ["BTC turned bullish"], "asked for by name again");
    assert_eq!(app.on_discord(), ["BTC turned bullish"]);
    let said = app.on_server(PLAIN, slash("subscriptions", &[])).await;
    assert!(said.contains("no subscriptions") || !said.is_empty(), "{said}");
});
