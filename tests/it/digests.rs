//! Digests as their readers see them (ARCHITECTURE.md, "Rules of our own", D): one message at the chosen time with everything that changed on balance,
//! once for each window whatever happens to the bot, and none where nothing changed.

use crate::support::{
    app::TestApp,
    audience::{BTC, ETH, FOUR, HOUR, MINUTE, SOL, XRP, number, text},
    commands::rows,
    database::{TestDb, on_both},
    fake_discord::interaction::{ADMIN, subcommand},
};
use bellwether::domain::Timestamp;
use insta::assert_snapshot;
use serde_json::json;

const PERSON: i64 = 501;

/// A Discord channel and a Telegram person read all in such digests; the baseline is bearish.
async fn readers(db: TestDb, begin: &str, delivery: &str, settings: &[(&str, &str)]) -> TestApp {
    let mut app = TestApp::start(db).await;
    app.at(begin).await;
    app.channel_subscribes(json!([text("tokens", "all"), text("delivery", delivery)])).await;
    app.person_subscribes(PERSON, &format!("all {delivery}")).await;
    app.baseline(&FOUR).await;
    app.choose(PERSON, settings).await;
    app
}

fn one(title: &str) -> (Vec<String>, Vec<String>) {
    (vec![title.to_owned()], vec![title.to_owned()])
}

fn nothing() -> (Vec<String>, Vec<String>) {
    (Vec::new(), Vec::new())
}

on_both!(a_daily_digest_comes_once_at_its_time_whatever_happens_to_the_bot, |db| async move {
    let mut app = readers(db, "2026-11-22T09:00:00Z", "digest-daily", &[("timezone", "Europe/Berlin")]).await;
    app.turn(&[SOL, BTC, ETH], 1).await;
    app.turn(&[ETH, BTC], -1).await;
    let mut app = app.restart().await;
    app.turn(&[BTC, XRP], 1).await;
    app.turn(&[XRP], -1).await;
    app.turn(&[XRP], 1).await;
    assert_eq!(rows(&app.db.url, "SELECT DISTINCT reason FROM alerts WHERE state = 'pending'").await, ["digest"]);
    app.at("2026-11-23T07:59:59Z").await;
    assert_eq!(app.heard(), nothing());
    // The time has come; the bot dies between composing and sending.
    app.clock.set(Timestamp::parse("2026-11-23T08:00:00Z").unwrap());
    app.parts.flow.step().await.unwrap();
    let mut app = app.restart().await;
    app.step().await;
    let (discord, telegram) = (app.discord_messages(), app.telegram_messages());
    assert_eq!((discord.len(), telegram.len()), (1, 1));
    assert_snapshot!(discord[0].1, @"
    Daily digest: 4 calls
    **▲ Turned bullish, daily (3)**
    [BTC turned bullish](https://app.tokenmetrics.com/en/bitcoin) (22 Nov 2026, 2 flips in between)
    [SOL turned bullish](https://app.tokenmetrics.com/en/solana) (22 Nov 2026)
    [XRP turned bullish](https://app.tokenmetrics.com/en/xrp) (22 Nov 2026, 2 flips in between)
    **↔ Flipped and back, still bearish, daily (1)**
    [ETH flipped and back, still bearish](https://app.tokenmetrics.com/en/ethereum) (22 Nov 2026, 1 flip in between)
    ");
    assert_snapshot!(telegram[0].2, @"
    Daily digest: 4 calls
    ▲ Turned bullish, daily (3)
    BTC turned bullish (22 Nov 2026, 2 flips in between)
    SOL turned bullish (22 Nov 2026)
    XRP turned bullish (22 Nov 2026, 2 flips in between)
    ↔ Flipped and back, still bearish, daily (1)
    ETH flipped and back, still bearish (22 Nov 2026, 1 flip in between)
    ");
    let lanes = "SELECT CAST(lane AS TEXT) FROM messages WHERE state = 'sent' AND lane > 0";
    assert_eq!(rows(&app.db.url, lanes).await, ["3", "3"]);
    // Nothing more of this window, and none for a day on which nothing changed.
    let mut app = app.restart().await;
    for time in ["2026-11-23T08:00:01Z", "2026-11-23T12:00:00Z", "2026-11-24T08:00:00Z", "2026-11-24T09:00:00Z"] {
        app.at(time).await;
        assert_eq!(app.heard(), nothing(), "{time}");
    }
});

on_both!(a_digest_over_the_change_of_the_clock_and_one_while_the_bot_is_away, |db| async move {
    let mut app = readers(db, "2027-10-30T09:00:00Z", "digest-daily", &[("timezone", "Europe/Berlin"), ("digest_time", "02:30")]).await;
    app.turn(&[SOL], 1).await;
    app.at("2027-10-31T00:29:59Z").await;
    assert_eq!(app.heard(), nothing());
    app.at("2027-10-31T00:30:00Z").await;
    assert_eq!(app.heard(), one("Daily digest: 1 call"));
    app.turn(&[BTC], 1).await;
    app.at("2027-10-31T01:30:00Z").await;
    assert_eq!(app.heard(), nothing(), "half past two once more is no other time");
    // Two windows end while nobody is there.
    app.clock.set(Timestamp::parse("2027-11-02T12:00:00Z").unwrap());
    let mut app = app.restart().await;
    app.step().await;
    assert_eq!(app.heard(), one("Daily digest: 1 call"));
});

on_both!(an_hourly_digest_goes_by_the_hours_of_the_zone, |db| async move {
    let mut app = readers(db, "2026-11-22T09:00:00Z", "digest-hourly", &[("timezone", "Asia/Kolkata")]).await;
    app.clock.set(Timestamp::parse("2026-11-22T10:00:00Z").unwrap());
    app.call(&[SOL], 1);
    app.step().await;
    app.at("2026-11-22T10:29:59Z").await;
    assert_eq!(app.heard(), nothing());
    app.at("2026-11-22T10:30:00Z").await;
    assert_eq!(app.heard(), one("Hourly digest: 1 call"));
    app.at("2026-11-22T11:30:00Z").await;
    assert_eq!(app.heard(), nothing());
});

on_both!(a_weekly_digest_comes_on_its_day, |db| async move {
    let mut app =
        readers(db, "2026-11-22T09:00:00Z", "digest-weekly", &[("timezone", "Europe/Berlin"), ("digest_time", "fri 18:00")]).await;
    app.turn(&[SOL, BTC], 1).await;
    for time in ["2026-11-23T08:00:00Z", "2026-11-26T17:00:00Z", "2026-11-27T16:59:59Z"] {
        app.at(time).await;
        assert_eq!(app.heard(), nothing(), "{time}");
    }
    app.at("2026-11-27T17:00:00Z").await;
    assert_eq!(app.heard(), one("Weekly digest: 2 calls"));
});

on_both!(what_a_token_itself_was_subscribed_with_wins_over_all, |db| async move {
    let mut app =
        readers(db, "2026-11-22T05:00:00Z", "digest-daily", &[("timezone", "UTC"), ("max_per_hour", "1"), ("cooldown", "600")]).await;
    app.channel_subscribes(json!([text("tokens", "sol")])).await;
    app.person_subscribes(PERSON, "sol").await;
    app.turn(&[SOL, BTC, ETH], 1).await;
    assert_eq!(app.heard(), one("SOL turned bullish"));
    app.at("2026-11-22T09:00:00Z").await;
    assert_eq!(app.heard(), one("Daily digest: 2 calls"));
    // Neither the hour nor the cooldown concerns a digest, and it uses up nothing of them.
    app.turn(&[BTC], -1).await;
    app.at("2026-11-22T16:00:00Z").await;
    app.turn(&[SOL], -1).await;
    assert_eq!(app.heard(), one("SOL turned bearish"));
    app.at("2026-11-23T09:00:00Z").await;
    assert_eq!(app.heard(), one("Daily digest: 1 call"));
});

on_both!(another_delivery_is_effective_at_once_for_what_is_held, |db| async move {
    let mut app = readers(db, "2026-11-22T10:00:00Z", "digest-daily", &[("timezone", "UTC")]).await;
    app.turn(&[SOL, BTC], 1).await;
    assert_eq!(app.heard(), nothing());
    app.telegram.with(|world| world.say(PERSON, PERSON, "/subscribe sol instant"));
    app.step().await;
    assert_eq!(app.on_telegram(), ["Subscribed to daily calls", "SOL turned bullish"]);
    app.telegram.with(|world| world.say(PERSON, PERSON, "/subscribe all digest-hourly"));
    app.step().await;
    assert_eq!(app.on_telegram(), ["Subscribed to daily calls"]);
    app.at("2026-11-22T11:00:00Z").await;
    assert_eq!(app.heard(), (vec![], vec!["Hourly digest: 1 call".to_owned()]));
    // The same of an earlier time of the day: that of today has passed.
    app.choose(PERSON, &[("digest_time", "10:00")]).await;
    app.step().await;
    assert_eq!(app.heard(), nothing(), "it came after ten");
    app.choose(PERSON, &[("digest_time", "12:00")]).await;
    app.at("2026-11-22T12:00:00Z").await;
    assert_eq!(app.heard(), (vec!["Daily digest: 2 calls".to_owned()], vec![]));
});

on_both!(a_digest_whose_time_is_in_quiet_hours_comes_at_their_end, |db| async move {
    let settings = [("timezone", "UTC"), ("quiet_hours", "22:00-07:00"), ("quiet_bypass", "daily"), ("digest_time", "06:00")];
    let mut app = readers(db, "2026-11-22T10:00:00Z", "digest-daily", &settings).await;
    app.turn(&[SOL, BTC], 1).await;
    app.at("2026-11-23T06:59:59Z").await;
    assert_eq!(app.heard(), nothing(), "whatever passes through, digests do not");
    app.at("2026-11-23T07:00:00Z").await;
    assert_eq!(app.heard(), one("Daily digest: 2 calls"));
});

on_both!(a_mute_takes_a_digest_back_and_a_muted_token_has_its_place_in_the_next, |db| async move {
    let mut app = readers(db, "2026-11-22T08:00:00Z", "digest-daily", &[("timezone", "UTC")]).await;
    app.turn(&[SOL, BTC], 1).await;
    app.say(PERSON, PERSON, "/mute 1h SOL").await;
    // The channel is muted between composing and sending.
    app.clock.set(Timestamp::parse("2026-11-22T09:00:00Z").unwrap());
    app.parts.flow.step().await.unwrap();
    app.on_server(ADMIN, subcommand("channel", "mute", json!([text("for", "1h")]))).await;
    app.step().await;
    assert_eq!(app.heard(), (vec![], vec!["Daily digest: 1 call".to_owned()]));
    app.pass(HOUR).await;
    assert_eq!(app.heard(), (vec!["Daily digest: 2 calls".to_owned()], vec![]), "one digest of that window for each");
    app.turn(&[XRP], 1).await;
    app.at("2026-11-23T09:00:00Z").await;
    assert_eq!(app.heard(), (vec!["Daily digest: 1 call".to_owned()], vec!["Daily digest: 2 calls".to_owned()]));
});

on_both!(old_news_has_its_place_in_the_digest, |db| async move {
    let app = readers(db, "2026-11-22T10:00:00Z", "digest-daily", &[("timezone", "UTC")]).await;
    for token in [SOL, XRP] {
        app.source.set_daily(token, "2026-11-23", 1, 1);
    }
    app.clock.set(Timestamp::parse("2026-11-26T08:00:00Z").unwrap());
    let mut app = app.restart().await;
    app.step().await;
    app.next_poll().await;
    assert_eq!(app.heard(), nothing());
    app.at("2026-11-26T09:00:00Z").await;
    assert_eq!(app.heard(), one("Daily digest: 2 calls"));
});

on_both!(a_digest_that_is_held_up_does_not_hold_up_what_is_told_at_once, |db| async move {
    let mut app = readers(db, "2026-11-22T05:00:00Z", "digest-hourly", &[("timezone", "UTC")]).await;
    app.person_subscribes(PERSON, "sol").await;
    app.discord_messages();
    app.turn(&[BTC], 1).await;
    // It is composed, and nobody has sent it when another window ends and a token turns that is told at once.
    app.clock.set(Timestamp::parse("2026-11-22T06:00:00Z").unwrap());
    app.parts.flow.step().await.unwrap();
    app.call(&[SOL, ETH, BTC], -1);
    app.call(&[SOL], 1);
    app.call(&[XRP], 1);
    app.clock.set(Timestamp::parse("2026-11-22T07:00:00Z").unwrap());
    app.parts.poller.step().await.unwrap();
    app.parts.flow.step().await.unwrap();
    let waiting = "SELECT CAST(m.lane AS TEXT) FROM messages m JOIN destinations d ON d.id = m.destination_id WHERE m.state = 'queued' AND d.chat = '501' ORDER BY m.id";
    assert_eq!(rows(&app.db.url, waiting).await, ["3", "1"]);
    app.pass(2 * MINUTE).await;
    let heard = app.on_telegram();
    assert_eq!(heard, ["SOL turned bullish"], "the digest gave way to the next, and there is nothing to tell yet: BTC has turned back");
    app.at("2026-11-22T08:00:00Z").await;
    assert_eq!(app.on_telegram(), ["Hourly digest: 2 calls"], "XRP, and BTC that turned back");
    assert_eq!(app.on_discord(), ["Hourly digest: 3 calls"]);
});

on_both!(what_was_chosen_is_said_and_listed, |db| async move {
    let mut app = TestApp::start(db).await;
    app.say(PERSON, PERSON, "/settings timezone=kolkata").await;
    assert_snapshot!(app.say(PERSON, PERSON, "/subscribe sol digest-daily").await, @"
    ✅ Subscribed to daily calls
    SOL (Solana): no call yet
    Alerts come here.
    Changes come together, once a day; the next digest is due Sun 22 Nov 2026 09:00 (Asia/Kolkata). See /settings.
    Daily calls are checked every 15 minutes; the first check begins as soon as the call budget allows.
    Automated data, not investment advice.
    ");
    app.say(PERSON, PERSON, "/subscribe all digest-weekly bullish").await;
    assert_snapshot!(app.say(PERSON, PERSON, "/subscriptions").await, @"
    You have 2 subscriptions
    daily, bullish only, digest-weekly: all (the first 100 by market cap)
    daily, digest-daily: SOL
    max_per_hour 10: at most 10 alert messages in any 60 minutes; what is beyond waits and comes as one summary.
    cooldown 0: no pause between two alerts for the same token.
    ");
    let said = app.say(PERSON, PERSON, "/subscribe sol digest-monthly").await;
    assert!(said.contains("I know no token digest-monthly") || said.contains("DIGEST-MONTHLY"), "{said}");
    let said = app.on_server(ADMIN, subcommand("channel", "subscribe", json!([text("tokens", "sol"), text("delivery", "yearly")]))).await;
    assert!(said.contains("Choose one of: instant, digest-hourly, digest-daily, digest-weekly."), "{said}");
    let limits = app.on_server(ADMIN, subcommand("channel", "settings", json!([number("max_per_hour", 5)]))).await;
    assert!(limits.contains("`digest_time` mon 09:00"), "{limits}");
});
