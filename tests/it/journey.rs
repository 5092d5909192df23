//! What a community lives through, on both platforms at once. Read this first: everything else is a case of it.

use crate::support::{
    app::TestApp,
    database::on_both,
    fake_discord::{HERE, direct_channel, interaction},
};
use insta::assert_snapshot;
use interaction::{ADMIN, MEMBER, PLAIN, slash, subcommand};
use serde_json::json;

/// A Telegram person, a group, and its admin.
const PERSON: i64 = 501;
const GROUP: i64 = -1_001_234;
const GROUP_ADMIN: i64 = 777;

on_both!(a_community_follows_solana, |db| async move {
    let mut app = TestApp::start(db).await;
    app.source.set_daily(3988, "2026-11-20", -1, -1);
    app.source.set_daily(3988, "2026-11-21", 0, -1);
    app.telegram.with(|world| {
        world.group(GROUP, "Traders", GROUP_ADMIN);
    });

    // An admin sets up a channel, a member asks for direct messages; on Telegram a person and a group's admin do the same.
    let channel = app.on_server(ADMIN, subcommand("channel", "subscribe", json!([{"name": "tokens", "type": 3, "value": "sol"}]))).await;
    assert!(channel.contains("SOL"), "{channel}");
    let member = app.on_server(PLAIN, slash("subscribe", &[("tokens", "$SOL")])).await;
    assert!(member.contains("SOL") && member.contains("not investment advice"), "{member}");
    let person = app.say(PERSON, PERSON, "/subscribe SOL").await;
    assert!(person.contains("SOL"), "{person}");
    let group = app.say(GROUP, GROUP_ADMIN, "/subscribe@bellwether_bot SOL").await;
    assert!(group.contains("SOL"), "{group}");

    // First sight is a baseline, and the same again is no news.
    app.next_poll().await;
    app.next_poll().await;
    assert_eq!(app.discord_messages(), []);
    assert_eq!(app.telegram_messages(), []);

    // The call turns: everyone hears of it, once.
    app.source.set_daily(3988, "2026-11-21", 1, 1);
    app.next_poll().await;
    let discord = app.discord_messages();
    let channels: Vec<_> = discord.iter().map(|(channel, _)| channel.as_str()).collect();
    assert_eq!(channels, [HERE, &direct_channel(MEMBER)]);
    assert_snapshot!(discord[0].1, @"
    SOL turned bullish
    Daily call of 21 Nov 2026, seen <t:1795243680:R>
    Before: bearish since 20 Nov 2026
    Trader grade 26.48
    https://app.tokenmetrics.com/en/solana
    ");
    assert_eq!(discord[0].1, discord[1].1);
    let telegram = app.telegram_messages();
    assert_eq!(telegram.iter().map(|(chat, ..)| *chat).collect::<Vec<_>>(), [PERSON, GROUP]);
    assert_snapshot!(telegram[0].2, @"
    🟢 SOL turned bullish
    Daily call of 21 Nov 2026, seen 21 Nov 2026 06:48 UTC
    Before: bearish since 20 Nov 2026
    Trader grade 26.48
    Read more
    ");

    // The next identical poll is silent, and so is a restart.
    app.next_poll().await;
    let mut app = app.restart().await;
    app.next_poll().await;
    assert_eq!(app.discord_messages(), []);
    assert_eq!(app.telegram_messages(), []);

    // A flip while the bot was down arrives once, after the start.
    app.source.set_daily(3988, "2026-11-21", -1, -1);
    let mut app = app.restart().await;
    app.next_poll().await;
    app.next_poll().await;
    let titles: Vec<_> = app.discord_messages().into_iter().map(|(_, text)| text.lines().next().unwrap_or_default().to_owned()).collect();
    assert_eq!(titles, ["SOL turned bearish", "SOL turned bearish"]);
    assert_eq!(app.telegram_messages().len(), 2);
});
