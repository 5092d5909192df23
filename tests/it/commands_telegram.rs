//! Commands on Telegram, the whole product behind them: private chats, groups, topics, and everybody who writes in them.

use crate::support::{
    app::TestApp,
    commands::{asked_for, rows},
    community::{SOL, polls},
    database::on_both,
};
use insta::assert_snapshot;
use serde_json::json;
use std::time::Duration;

const PERSON: i64 = 501;
const GROUP: i64 = -1_001_234;
const ADMIN: i64 = 777;
const MEMBER: i64 = 42;

async fn start(db: crate::support::database::TestDb) -> TestApp {
    let app = TestApp::start(db).await;
    app.telegram.with(|world| {
        let group = world.group(GROUP, "Traders", ADMIN);
        group.topics.insert(5, true);
        group.topics.insert(6, true);
    });
    app
}

/// What is answered to what was just put into the world: chat, topic and text.
async fn answers(app: &mut TestApp) -> Vec<(i64, Option<i64>, String)> {
    app.step().await;
    app.telegram_messages()
}

on_both!(in_a_group_only_its_admins_change_anything, |db| async move {
    let mut app = start(db).await;
    let before = asked_for(&app.db.url).await;
    let member = app.say(GROUP, MEMBER, "/subscribe SOL").await;
    assert!(member.contains("our private chat") && !member.contains("Subscribed"), "{member}");
    for words in ["/unsubscribe all", "/settings max_per_hour=1", "/subscriptions", "/privacy forget"] {
        let said = app.say(GROUP, MEMBER, words).await;
        assert!(said.contains("our private chat"), "{words}: {said}");
    }
    // Somebody who writes as a channel of theirs, and the channel that is linked to the group.
    let as_channel = json!({"from": {"id": 136_817_688, "is_bot": true, "first_name": "Channel"},
        "sender_chat": {"id": -100_777, "type": "channel", "title": "Elsewhere"}});
    app.telegram.with(|world| world.say_with(GROUP, 0, "/subscribe SOL", &as_channel));
    app.pass(Duration::from_secs(60)).await;
    let said = answers(&mut app).await;
    assert!(said.len() == 1 && said[0].2.contains("https://t.me/bellwether_bot"), "{said:?}");
    let linked = json!({"from": {"id": 777_000, "is_bot": false, "first_name": "Telegram"}, "is_automatic_forward": true,
        "sender_chat": {"id": -100_778, "type": "channel", "title": "News"}});
    app.telegram.with(|world| world.say_with(GROUP, 0, "/subscribe SOL", &linked));
    let as_telegram = json!({"from": {"id": 777_000, "is_bot": false, "first_name": "Telegram"}});
    app.telegram.with(|world| world.say_with(GROUP, 0, "/subscribe SOL", &as_telegram));
    app.telegram.with(|world| world.say(GROUP, ADMIN, "/subscribe@otherbot SOL"));
    assert_eq!(answers(&mut app).await, [], "that was for nobody here");
    assert_eq!(asked_for(&app.db.url).await, before);
    // An admin who stays anonymous is one all the same.
    app.telegram.with(|world| world.say_as_group(GROUP, "/subscribe SOL"));
    let said = answers(&mut app).await;
    assert!(said[0].2.contains("Subscribed to daily calls"), "{said:?}");
    let list = app.say(GROUP, ADMIN, "/subscriptions").await;
    assert!(list.contains("Traders has 1 subscription"), "{list}");
    // An admin who was one: the platform is asked each time.
    app.telegram.with(|world| world.chats.get_mut(&GROUP).unwrap().members.remove(&ADMIN));
    let said = app.say(GROUP, ADMIN, "/unsubscribe all").await;
    assert!(said.contains("our private chat"), "{said}");
    assert_eq!(rows(&app.db.url, "SELECT target FROM subscriptions").await, ["3988"]);
});

on_both!(topics_are_told_of_what_was_subscribed_in_them, |db| async move {
    let mut app = start(db).await;
    app.source.set_daily(SOL, "2026-11-21", -1, -1);
    app.telegram.with(|world| world.say_in_topic(GROUP, 5, ADMIN, "/subscribe SOL"));
    app.telegram.with(|world| world.say_in_topic(GROUP, 6, ADMIN, "/subscribe SOL bearish"));
    // A reply in the main chat carries a thread id too, but is no topic.
    app.telegram.with(|world| world.say_with(GROUP, ADMIN, "/subscribe SOL", &json!({"message_thread_id": 9})));
    let mut said: Vec<_> = answers(&mut app).await.into_iter().map(|(_, topic, text)| (topic, text.contains("Subscribed"))).collect();
    said.sort();
    assert_eq!(said, [(None, true), (Some(5), true), (Some(6), true)]);
    polls(&mut app, 1).await;
    app.source.set_daily(SOL, "2026-11-21", 1, 1);
    polls(&mut app, 1).await;
    let mut told: Vec<_> = app.telegram_messages().into_iter().map(|(chat, topic, _)| (chat, topic)).collect();
    told.sort();
    assert_eq!(told, [(GROUP, None), (GROUP, Some(5))]);
    let list = {
        app.telegram.with(|world| world.say_in_topic(GROUP, 6, ADMIN, "/subscriptions"));
        answers(&mut app).await
    };
    assert!(list[0].1 == Some(6) && list[0].2.contains("bearish only"), "{list:?}");
});

on_both!(words_come_in_any_order_and_what_is_not_there_yet_is_said, |db| async move {
    let mut app = start(db).await;
    for words in
        ["/subscribe SOL hourly bullish", "/subscribe bullish $sol hourly", "/Subscribe@Bellwether_Bot #3988, HOURLY bullish instant"]
    {
        let said = app.say(PERSON, PERSON, words).await;
        assert!(said.contains("Subscribed to hourly calls, bullish only") && said.contains("SOL (Solana)"), "{words}: {said}");
    }
    assert_eq!(rows(&app.db.url, "SELECT target, kind, direction FROM subscriptions").await, ["3988|hourly|bullish"]);
    let before = asked_for(&app.db.url).await;
    let mut said = Vec::new();
    for words in [
        "/subscribe",
        "/subscribe SOL SLO",
        "/subscribe SOL daily hourly",
        "/subscribe #x",
        "/subscribe #99999",
        "/unsubscribe BTC",
        "/signal",
        "/signal BTC ETH",
        "/mute 2h",
        "/privacy erase",
        "/channel @news subscribe SOL",
        "/settings",
        "/settings colour=red",
        "/settings language=de",
        "/settings max_per_hour=99",
        "/nonsense",
        "good morning",
    ] {
        said.push(format!("> {words}\n{}", app.say(PERSON, PERSON, words).await));
    }
    assert_snapshot!(said.join("\n\n"), @"
    > /subscribe
    ⚠️ That did not work; nothing was changed
    Name at least one token, by symbol or #id.
    For example: /subscribe SOL,ETH

    > /subscribe SOL SLO
    ⚠️ That did not work; nothing was changed
    I know no token SLO.
    Did you mean SOL (Solana)?

    > /subscribe SOL daily hourly
    ⚠️ That did not work; nothing was changed
    daily and hourly: name one kind at a time.
    For example: /subscribe SOL,ETH

    > /subscribe #x
    ⚠️ That did not work; nothing was changed
    #x is not a token id: after # come digits alone, 18 at most.
    For example: /subscribe SOL,ETH

    > /subscribe #99999
    ⚠️ That did not work; nothing was changed
    I know no token #99999.

    > /unsubscribe BTC
    Nothing to unsubscribe; nothing was changed

    > /signal
    ⚠️ That did not work; nothing was changed
    Name at least one token, by symbol or #id.
    For example: /signal SOL

    > /signal BTC ETH
    ⚠️ That did not work; nothing was changed
    Name one token at a time, by symbol or #id.
    For example: /signal SOL

    > /mute 2h
    ⚠️ That did not work; nothing was changed
    2h is not a length. Choose one of: 1h, 8h, 24h, 7d, off.
    For example: /mute 8h

    > /privacy erase
    ⚠️ That did not work; nothing was changed
    erase is not a privacy action. Choose one of: export, forget.
    For example: /privacy export

    > /channel @news subscribe SOL
    ⚠️ That did not work; nothing was changed
    I see no channel @news. Check its name; a private channel is named by its number, which begins with -100. I must be an administrator there.

    > /settings
    Settings
    max_per_hour 10: at most 10 alert messages in any 60 minutes; what is beyond waits and comes as one summary.
    cooldown 0: no pause between two alerts for the same token.
    confirmation 0: a turn is told as soon as it is seen.
    timezone UTC: there it is Sat 21 Nov 2026 06:00 now.
    The hours below go by UTC until you choose your zone, for example /settings timezone=Europe/Berlin.
    quiet_hours off: alerts come at any hour.
    digest_time mon 09:00: a daily digest comes at 09:00, next Sat 21 Nov 2026 09:00; a weekly one on Monday, next Mon 23 Nov 2026 09:00.
    charts off: alerts are words alone.
    provenance off: no line about polling and sending under alerts.

    > /settings colour=red
    ⚠️ That did not work; nothing was changed
    colour is not a setting. There are: max_per_hour, cooldown, confirmation, timezone, quiet_hours, quiet_bypass, digest_time, charts, provenance.
    For example: /settings quiet_hours=22:00-07:00

    > /settings language=de
    ⚠️ That did not work; nothing was changed
    language is not available yet.

    > /settings max_per_hour=99
    ⚠️ That did not work; nothing was changed
    99 does not fit max_per_hour: give a whole number from 0 to 60.
    For example: /settings max_per_hour=5

    > /nonsense
    What I can do
    /subscribe SOL,ETH: Get alerts when the call of a token turns
    /unsubscribe SOL,ETH: End alerts for tokens, or for all
    /subscriptions: List what you are subscribed to
    /signal SOL: Show the latest call of a token
    /history SOL: Show how the call of a token changed
    /why SOL: Show why an alert came, or why the last change of a token was not told to you
    /settings timezone=Europe/Berlin quiet_hours=22:00-07:00: Show or change how often and at which hours you are told
    /mute 8h SOL: Hold alerts for a while; at the end you are told what changed
    /status: Show what is polled, how often, and how delivery goes
    /privacy export: Get all that is stored about you, or have it forgotten
    /help: Show what I can do
    /channel @name subscribe SOL,ETH: Post alerts in a channel when the call of a token turns
    /channel @name unsubscribe SOL,ETH: End alerts in a channel for tokens, or for all
    /channel @name list: List what channels are subscribed to
    /channel @name settings timezone=Europe/Berlin quiet_hours=22:00-07:00: Show or change how often and at which hours a channel is told
    /channel @name mute 8h SOL: Hold a channel's alerts for a while
    /channel @name why SOL: Show why an alert came to a channel, or why the last change of a token did not
    /channel @name test: Post a test message in a channel
    Tokens are symbols or ids, separated by commas: SOL,ETH,#3375, or all.
    More words may follow in any order: /subscribe SOL,ETH hourly bullish.
    In a group its administrators use the same commands: what they subscribe to is told there, in the topic where they type it.
    Automated data, not investment advice.

    > good morning
    I answer commands, for example /subscribe SOL. Type /help to see them all.
    ");
    assert_eq!(asked_for(&app.db.url).await, before);
});

on_both!(help_names_what_works_here, |db| async move {
    let mut app = start(db).await;
    let help = app.say(PERSON, PERSON, "/help").await;
    assert_snapshot!(help, @"
    What I can do
    /subscribe SOL,ETH: Get alerts when the call of a token turns
    /unsubscribe SOL,ETH: End alerts for tokens, or for all
    /subscriptions: List what you are subscribed to
    /signal SOL: Show the latest call of a token
    /history SOL: Show how the call of a token changed
    /why SOL: Show why an alert came, or why the last change of a token was not told to you
    /settings timezone=Europe/Berlin quiet_hours=22:00-07:00: Show or change how often and at which hours you are told
    /mute 8h SOL: Hold alerts for a while; at the end you are told what changed
    /status: Show what is polled, how often, and how delivery goes
    /privacy export: Get all that is stored about you, or have it forgotten
    /help: Show what I can do
    /channel @name subscribe SOL,ETH: Post alerts in a channel when the call of a token turns
    /channel @name unsubscribe SOL,ETH: End alerts in a channel for tokens, or for all
    /channel @name list: List what channels are subscribed to
    /channel @name settings timezone=Europe/Berlin quiet_hours=22:00-07:00: Show or change how often and at which hours a channel is told
    /channel @name mute 8h SOL: Hold a channel's alerts for a while
    /channel @name why SOL: Show why an alert came to a channel, or why the last change of a token did not
    /channel @name test: Post a test message in a channel
    Tokens are symbols or ids, separated by commas: SOL,ETH,#3375, or all.
    More words may follow in any order: /subscribe SOL,ETH hourly bullish.
    In a group its administrators use the same commands: what they subscribe to is told there, in the topic where they type it.
    Automated data, not investment advice.
    ");
    assert_eq!(app.say(PERSON, PERSON, "/start").await, help);
    assert_eq!(app.say(PERSON, PERSON, "/start payload").await, help);
});

on_both!(a_groups_settings_are_its_own, |db| async move {
    let mut app = start(db).await;
    let said = app.say(GROUP, ADMIN, "/settings max_per_hour=5 cooldown=30").await;
    assert!(said.contains("Settings of Traders saved"), "{said}");
    let own = app.say(ADMIN, ADMIN, "/settings").await;
    assert!(own.contains("max_per_hour 10"), "{own}");
    let shown = app.say(GROUP, ADMIN, "/settings").await;
    assert!(shown.contains("max_per_hour 5") && shown.contains("30 minutes"), "{shown}");
    let audit = rows(&app.db.url, "SELECT actor, action, after FROM audit").await;
    assert_eq!(audit.len(), 1, "{audit:?}");
    assert!(audit[0].starts_with("777|settings|"), "{audit:?}");
});

on_both!(thirty_commands_in_thirty_seconds_and_then_silence, |db| async move {
    let mut app = start(db).await;
    app.telegram.with(|world| {
        for _ in 0..40 {
            world.say(PERSON, PERSON, "/subscribe SOL");
        }
    });
    app.step().await;
    let texts: Vec<String> = app.telegram_messages().into_iter().map(|(.., text)| text).collect();
    assert_eq!(texts.len(), 31, "{texts:?}");
    assert!(texts[30].contains("30 commands"), "{}", texts[30]);
    app.telegram.with(|world| world.date += 31);
    app.pass(Duration::from_secs(31)).await;
    assert!(app.say(PERSON, PERSON, "/subscriptions").await.contains("You have 1 subscription"));
});
