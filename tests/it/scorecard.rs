//! How past calls did, as people read it (ARCHITECTURE.md, rules R): in `/history` and in the weekly digest, on both platforms.

use crate::support::{
    app::TestApp,
    audience::{BTC, ETH, FOUR, SOL, XRP, text},
    commands::run_sql,
    database::on_both,
    fake_discord::interaction::{PLAIN, slash},
    past::{PastTurn, lived, turns},
};
use bellwether::{
    cache::Scorecards,
    clock::Clock,
    domain::{Kind, Record, SourceId, Timestamp, TokenId},
};
use insta::assert_snapshot;
use serde_json::json;

const PERSON: i64 = 555;
/// So long before the tests begin that thirty days after the last of fifty turns are over.
const BEGIN: &str = "2026-06-20";

/// A price that goes up for three days, then falls, and rises a little all in all.
fn waves(days: u32) -> Vec<f64> {
    (0..days).map(|day| 100.0 + [0.0, 3.0, 6.0, 2.0][day as usize % 4] + 0.05 * f64::from(day)).collect()
}

on_both!(history_says_how_the_tokens_calls_did, |db| async move {
    let mut app = TestApp::start(db).await;
    app.person_subscribes(PERSON, "all").await;
    app.telegram_messages();
    app.baseline(&FOUR).await;
    lived(&app.db.url, SOL, BEGIN, &waves(140), &turns(50)).await;
    lived(&app.db.url, BTC, BEGIN, &waves(140), &turns(3)).await;
    assert_snapshot!(app.say(PERSON, PERSON, "/history sol").await, @"
    🔴 SOL (Solana) daily: bearish since 21 Nov 2026
    Bearish for less than a day. The last 8 changes, the newest first:
    26 Sep 2026: bullish → bearish
    24 Sep 2026: bearish → bullish
    22 Sep 2026: bullish → bearish
    20 Sep 2026: bearish → bullish
    18 Sep 2026: bullish → bearish
    16 Sep 2026: bearish → bullish
    14 Sep 2026: bullish → bearish
    12 Sep 2026: bearish → bullish
    As of the call of 21 Nov 2026, seen 21 Nov 2026 06:16 UTC
    Past daily calls of SOL, 12 months
    Bullish, price higher after 1 day: 100 % of 25 (median +2.9 %); 7 days: 0 % of 25 (median −2.5 %); 30 days: 100 % of 25 (median +0.5 %)
    Bearish, price lower after 1 day: 100 % of 25 (median −1.9 %); 7 days: 0 % of 25 (median +4.2 %); 30 days: 0 % of 25 (median +2.4 %)
    Read more
    Automated data, not investment advice.
    ");
    assert_snapshot!(app.on_server(PLAIN, slash("history", &[("token", "sol")])).await, @"
    SOL (Solana) daily: bearish since 21 Nov 2026
    Bearish for less than a day. The last 8 changes, the newest first:
    26 Sep 2026: bullish → **bearish**
    24 Sep 2026: bearish → **bullish**
    22 Sep 2026: bullish → **bearish**
    20 Sep 2026: bearish → **bullish**
    18 Sep 2026: bullish → **bearish**
    16 Sep 2026: bearish → **bullish**
    14 Sep 2026: bullish → **bearish**
    12 Sep 2026: bearish → **bullish**
    As of the call of 21 Nov 2026, seen <t:1795241760:R>
    **Past daily calls of SOL, 12 months**
    Bullish, price higher after 1 day: 100 % of 25 (median +2.9 %); 7 days: 0 % of 25 (median −2.5 %); 30 days: 100 % of 25 (median +0.5 %)
    Bearish, price lower after 1 day: 100 % of 25 (median −1.9 %); 7 days: 0 % of 25 (median +4.2 %); 30 days: 0 % of 25 (median +2.4 %)
    Automated data, not investment advice.
    https://app.tokenmetrics.com/en/solana
    ");
    // Too few of its own: those of its category, and how many its own are.
    assert_snapshot!(app.say(PERSON, PERSON, "/history btc").await, @"
    🔴 BTC (Bitcoin) daily: bearish since 21 Nov 2026
    Bearish for less than a day. 3 changes so far, the newest first:
    24 Jun 2026: bearish → bullish
    22 Jun 2026: bullish → bearish
    20 Jun 2026: bearish → bullish
    As of the call of 21 Nov 2026, seen 21 Nov 2026 06:16 UTC
    Past daily calls, tokens of the category Layer 1 (L1), 12 months
    Bullish, price higher after 1 day: 100 % of 27 (median +2.9 %); 7 days: 0 % of 27 (median −2.5 %); 30 days: 100 % of 27 (median +0.5 %)
    Bearish, price lower after 1 day: 100 % of 26 (median −1.9 %); 7 days: 0 % of 26 (median +4.2 %); 30 days: 0 % of 26 (median +2.4 %)
    BTC alone: not enough data (3 of the 20 calls that it takes).
    Read more
    Automated data, not investment advice.
    ");
    assert_snapshot!(app.on_server(PLAIN, slash("history", &[("token", "btc")])).await, @"
    BTC (Bitcoin) daily: bearish since 21 Nov 2026
    Bearish for less than a day. 3 changes so far, the newest first:
    24 Jun 2026: bearish → **bullish**
    22 Jun 2026: bullish → **bearish**
    20 Jun 2026: bearish → **bullish**
    As of the call of 21 Nov 2026, seen <t:1795241760:R>
    **Past daily calls, tokens of the category Layer 1 (L1), 12 months**
    Bullish, price higher after 1 day: 100 % of 27 (median +2.9 %); 7 days: 0 % of 27 (median −2.5 %); 30 days: 100 % of 27 (median +0.5 %)
    Bearish, price lower after 1 day: 100 % of 26 (median −1.9 %); 7 days: 0 % of 26 (median +4.2 %); 30 days: 0 % of 26 (median +2.4 %)
    BTC alone: not enough data (3 of the 20 calls that it takes).
    Automated data, not investment advice.
    https://app.tokenmetrics.com/en/bitcoin
    ");
    // Of a token without a category those of all; so they are where a category says nothing.
    let said = app.say(PERSON, PERSON, "/history xrp").await;
    assert!(said.contains("Past daily calls, all tokens, 12 months") && said.contains("XRP alone: not enough data (0 of"), "{said}");
    // Nothing of a kind is nothing to speak of.
    let said = app.say(PERSON, PERSON, "/history sol grade").await;
    assert!(!said.contains("Past"), "{said}");
});

on_both!(what_was_taken_back_and_what_has_no_price_is_not_counted, |db| async move {
    let now = Timestamp::parse("2026-11-21T06:00:00Z").unwrap();
    let turned = |day, up| PastTurn { day, up, nature: "turned" };
    let corrected = |day, up| PastTurn { day, up, nature: "correction" };
    // A turn that was restated to what had been before, and a row that was restated to another call.
    lived(&db.url, SOL, BEGIN, &waves(140), &[turned(1, true), corrected(1, false), corrected(20, true)]).await;
    // Delisted on the third day.
    lived(&db.url, BTC, BEGIN, &waves(3), &[turned(1, true)]).await;
    // Two days after it was told: one horizon is over.
    lived(&db.url, ETH, "2026-11-10", &waves(11), &[turned(6, false)]).await;
    let card = Scorecards::new(db.store.clone()).of_kind(Kind::Daily, now).await.unwrap();
    let too_few = |calls: [u32; 3]| calls.map(|calls| Record::TooFew { calls });
    assert_eq!((card.up, card.down), (too_few([1, 1, 1]), too_few([1, 0, 0])));
    // The same again from the same rows; a few hours later from what has come since.
    let scorecards = Scorecards::new(db.store.clone());
    assert_eq!(scorecards.of_kind(Kind::Daily, now).await.unwrap(), card);
    run_sql(&db.url, "DELETE FROM changes").await;
    assert_eq!(scorecards.of_kind(Kind::Daily, now).await.unwrap(), card);
    let later = now + std::time::Duration::from_secs(6 * 3600);
    assert_eq!(scorecards.of_kind(Kind::Daily, later).await.unwrap().up, too_few([0, 0, 0]));
});

on_both!(what_weekly_digests_will_say_is_worked_out_beforehand, |db| async move {
    let mut app = TestApp::start(db).await;
    lived(&app.db.url, SOL, BEGIN, &waves(140), &turns(50)).await;
    let (now, hours) = (app.clock.now(), |hours: u64| std::time::Duration::from_secs(hours * 3600));
    let known = |card: bellwether::domain::Scorecard| card.up[0].calls();
    let scorecards = Scorecards::new(app.db.store.clone());
    let nobodys = Scorecards::new(app.db.store.clone());
    nobodys.renew(now).await.unwrap();
    app.person_subscribes(PERSON, "sol digest-weekly").await;
    scorecards.renew(now).await.unwrap();
    run_sql(&app.db.url, "DELETE FROM changes").await;
    assert_eq!(known(nobodys.of_kind(Kind::Daily, now).await.unwrap()), 0, "where nobody hears of anything weekly nothing is worked out");
    assert_eq!(known(scorecards.of_kind(Kind::Daily, now + hours(2)).await.unwrap()), 25, "it was known already");
    scorecards.renew(now + hours(2)).await.unwrap();
    assert_eq!(known(scorecards.of_kind(Kind::Daily, now + hours(2)).await.unwrap()), 25);
    scorecards.renew(now + hours(3)).await.unwrap();
    assert_eq!(known(scorecards.of_kind(Kind::Daily, now + hours(3)).await.unwrap()), 0, "it is renewed before it is too old");
    app.telegram_messages();
});

on_both!(prices_are_read_for_the_windows_that_were_asked_for, |db| async move {
    lived(&db.url, SOL, BEGIN, &waves(10), &[]).await;
    let day = |day: &str| Timestamp::parse(day).unwrap();
    let window = |token, from, until| (TokenId(token), day(from), day(until));
    let windows =
        [window(SOL, "2026-06-21", "2026-06-22"), window(SOL, "2026-06-29", "2026-07-09"), window(BTC, "2026-06-21", "2026-06-22")];
    let mut prices = db.store.prices(SourceId::TokenMetrics, Kind::Daily, &windows).await.unwrap();
    prices.sort_by_key(|(_, at, _)| *at);
    let shown: Vec<_> = prices.iter().map(|(token, at, price)| format!("{token} {} {price:?}", at.day())).collect();
    assert_snapshot!(shown.join("\n"), @"
    3988 2026-06-21 Multiple(103.05)
    3988 2026-06-22 Multiple(106.1)
    3988 2026-06-29 Multiple(103.45)
    ");
    assert_eq!(db.store.prices(SourceId::TokenMetrics, Kind::Hourly, &windows).await.unwrap(), []);
    assert_eq!(db.store.changed_tokens(SourceId::TokenMetrics, Kind::Daily).await.unwrap(), []);
});

on_both!(a_weekly_digest_looks_back_on_the_week_and_on_past_calls, |db| async move {
    let mut app = TestApp::start(db).await;
    app.at("2026-11-22T09:00:00Z").await;
    app.channel_subscribes(json!([text("tokens", "all"), text("delivery", "digest-weekly")])).await;
    app.person_subscribes(PERSON, "sol,btc digest-weekly").await;
    app.baseline(&FOUR).await;
    app.choose(PERSON, &[("timezone", "Europe/Berlin"), ("digest_time", "fri 18:00")]).await;
    lived(&app.db.url, SOL, BEGIN, &waves(140), &turns(50)).await;
    for (token, multiple) in [(SOL, 7000.0), (BTC, 8000.0), (ETH, 7560.6422), (XRP, 5000.0)] {
        lived(&app.db.url, token, "2026-11-20", &[multiple], &[]).await;
    }
    app.call(&[SOL, BTC, XRP], 1);
    app.next_poll().await;
    app.call(&[XRP], -1);
    app.next_poll().await;
    app.at("2026-11-27T16:00:00Z").await;
    app.call(&[BTC, SOL], 1);
    app.call(&[ETH, XRP], -1);
    app.next_poll().await;
    app.at("2026-11-27T17:00:00Z").await;
    let (discord, telegram) = (app.discord_messages(), app.telegram_messages());
    assert_eq!((discord.len(), telegram.len()), (1, 1));
    assert_snapshot!(discord[0].1, @r"
    Weekly digest: 3 calls
    **▲ Turned bullish, daily (2)**
    [BTC turned bullish](https://app.tokenmetrics.com/en/bitcoin) (22 Nov 2026)
    [SOL turned bullish](https://app.tokenmetrics.com/en/solana) (22 Nov 2026)
    **↔ Flipped and back, still bearish, daily (1)**
    [XRP flipped and back, still bearish](https://app.tokenmetrics.com/en/xrp) (22 Nov 2026, 1 flip in between)
    Price in the last 7 days: rose most: [XRP](https://app.tokenmetrics.com/en/xrp) \+51.2 %, [SOL](https://app.tokenmetrics.com/en/solana) \+8.0 %; fell most: [BTC](https://app.tokenmetrics.com/en/bitcoin) −5.5 %
    **Past daily calls, all tokens, 12 months**
    Bullish, price higher after 1 day: 100 % of 25 (median +2.9 %); 7 days: 0 % of 25 (median −2.5 %); 30 days: 100 % of 25 (median +0.5 %)
    Bearish, price lower after 1 day: 100 % of 25 (median −1.9 %); 7 days: 0 % of 25 (median +4.2 %); 30 days: 0 % of 25 (median +2.4 %)
    Automated data, not investment advice.
    ");
    assert_snapshot!(telegram[0].2, @"
    Weekly digest: 2 calls
    ▲ Turned bullish, daily (2)
    BTC turned bullish (22 Nov 2026)
    SOL turned bullish (22 Nov 2026)
    Price in the last 7 days: rose most: SOL +8.0 %; fell most: BTC −5.5 %
    Past daily calls, all tokens, 12 months
    Bullish, price higher after 1 day: 100 % of 25 (median +2.9 %); 7 days: 0 % of 25 (median −2.5 %); 30 days: 100 % of 25 (median +0.5 %)
    Bearish, price lower after 1 day: 100 % of 25 (median −1.9 %); 7 days: 0 % of 25 (median +4.2 %); 30 days: 0 % of 25 (median +2.4 %)
    Automated data, not investment advice.
    ");
    // A daily digest has no such look back.
    app.say(PERSON, PERSON, "/subscribe sol digest-daily").await;
    app.telegram_messages();
    app.turn(&[SOL], -1).await;
    app.at("2026-11-28T18:00:00Z").await;
    let daily = app.telegram_messages();
    assert!(daily.len() == 1 && !daily[0].2.contains("Past daily calls") && !daily[0].2.contains("7 days"), "{daily:?}");
    assert_eq!(app.clock.now().day().to_string(), "2026-11-28");
});
