//! Channels of Telegram that are set up from a private chat: who may, what is wrong, and what arrives there.

use crate::support::{
    app::TestApp,
    commands::{rows, stored},
    community::{SOL, polls},
    database::{TestDb, on_both},
};
use insta::assert_snapshot;
use std::time::Duration;

const ADMIN: i64 = 777;
const STRANGER: i64 = 42;
const NEWS: i64 = -1_001_234;
/// Without a name.
const PRIVATE: i64 = -1_005_678;

async fn start(db: TestDb) -> TestApp {
    let app = TestApp::start(db).await;
    app.telegram.with(|world| {
        world.channel(NEWS, "news", ADMIN).title = "The News".to_owned();
        world.channel(PRIVATE, "hidden", ADMIN).username = None;
    });
    app
}

/// What arrives anywhere after something was put into the world: chat and first line.
async fn heard(app: &mut TestApp) -> Vec<(i64, String)> {
    app.step().await;
    app.telegram_messages().into_iter().map(|(chat, _, text)| (chat, text.lines().next().unwrap_or_default().to_owned())).collect()
}

on_both!(an_administrator_sets_up_a_channel, |db| async move {
    let mut app = start(db).await;
    app.source.set_daily(SOL, "2026-11-21", -1, -1);
    let mut said = Vec::new();
    for words in [
        "/channel",
        "/channel @news",
        "/channel subscribe SOL",
        "/channel @news subscribe",
        "/channel @news subscribe SOL bearish",
        "/channel subscribe @news SOL",
        "/channel @news settings max_per_hour=5",
        "/channel @news settings colour=red",
        "/channel @news list",
        "/channel @news unsubscribe",
    ] {
        said.push(format!("> {words}\n{}", app.say(ADMIN, ADMIN, words).await));
    }
    let number = PRIVATE.to_string();
    said.push(app.say(ADMIN, ADMIN, &format!("/channel {number} subscribe SOL")).await.replace(&number, "NUMBER"));
    assert_snapshot!(said.join("\n\n"), @r"
    > /channel
    Name the channel, then what to do there
    For example: /channel @name subscribe SOL,ETH
    There are: subscribe, unsubscribe, list, settings, mute, why, test. A private channel is named by its number, which begins with -100. You and I must both be administrators there.

    > /channel @news
    Name the channel, then what to do there
    For example: /channel @name subscribe SOL,ETH
    There are: subscribe, unsubscribe, list, settings, mute, why, test. A private channel is named by its number, which begins with -100. You and I must both be administrators there.

    > /channel subscribe SOL
    Name the channel, then what to do there
    For example: /channel @name subscribe SOL,ETH
    There are: subscribe, unsubscribe, list, settings, mute, why, test. A private channel is named by its number, which begins with -100. You and I must both be administrators there.

    > /channel @news subscribe
    ⚠️ That did not work; nothing was changed
    Name at least one token, by symbol or #id.
    For example: /channel @name subscribe SOL,ETH

    > /channel @news subscribe SOL bearish
    ✅ Subscribed to daily calls, bearish only
    SOL (Solana): no call yet
    Alerts go to The News.
    Daily calls are checked every 15 minutes; the first check begins as soon as the call budget allows.
    Automated data, not investment advice.

    > /channel subscribe @news SOL
    ✅ Subscribed to daily calls
    SOL (Solana): bearish since 21 Nov 2026
    Subscribed before; replaced what was set for: SOL
    Alerts go to The News.
    Daily calls are checked every 15 minutes; next 21 Nov 2026 06:15 UTC.

    > /channel @news settings max_per_hour=5
    ✅ Settings of The News saved
    max_per_hour 5: at most 5 alert messages in any 60 minutes; what is beyond waits and comes as one summary.
    cooldown 0: no pause between two alerts for the same token.
    confirmation 0: a turn is told as soon as it is seen.
    timezone UTC: there it is Sat 21 Nov 2026 06:00 now.
    The hours below go by UTC until you choose your zone, for example /channel @name settings timezone=Europe/Berlin.
    quiet_hours off: alerts come at any hour.
    digest_time mon 09:00: a daily digest comes at 09:00, next Sat 21 Nov 2026 09:00; a weekly one on Monday, next Mon 23 Nov 2026 09:00.
    charts off: alerts are words alone.
    provenance off: no line about polling and sending under alerts.

    > /channel @news settings colour=red
    ⚠️ That did not work; nothing was changed
    colour is not a setting. There are: max_per_hour, cooldown, confirmation, timezone, quiet_hours, quiet_bypass, digest_time, charts, provenance.
    For example: /channel @name settings quiet_hours=22:00-07:00

    > /channel @news list
    The News has 1 subscription
    daily: SOL
    max_per_hour 5: at most 5 alert messages in any 60 minutes; what is beyond waits and comes as one summary.
    cooldown 0: no pause between two alerts for the same token.

    > /channel @news unsubscribe
    ⚠️ That did not work; nothing was changed
    Name at least one token, by symbol or #id.
    For example: /channel @name unsubscribe SOL,ETH

    ✅ Subscribed to daily calls
    SOL (Solana): bearish since 21 Nov 2026
    Alerts go to hidden.
    Daily calls are checked every 15 minutes; next 21 Nov 2026 06:15 UTC.
    Automated data, not investment advice.
    ");
    app.telegram.with(|world| world.say(ADMIN, ADMIN, "/channel @news test"));
    let mut test = heard(&mut app).await;
    test.sort();
    assert_eq!(test, [(NEWS, "Test message".to_owned()), (ADMIN, "✅ A test message is on its way to The News".to_owned())]);
    let audit = rows(&app.db.url, "SELECT actor, tenant, action FROM audit ORDER BY id").await;
    let of = |action: &str, chat: i64| format!("{ADMIN}|{chat}|channel {action}");
    assert_eq!(audit, [of("subscribe", NEWS), of("subscribe", NEWS), of("settings", NEWS), of("subscribe", PRIVATE)]);
    let places =
        rows(&app.db.url, "SELECT chat, place, tenant, label, creator FROM destinations WHERE place = 'channel' ORDER BY chat").await;
    assert_eq!(places[0], format!("{NEWS}|channel|{NEWS}|The News|telegram:{ADMIN}"));

    polls(&mut app, 1).await;
    app.source.set_daily(SOL, "2026-11-21", 1, 1);
    polls(&mut app, 1).await;
    let mut told: Vec<_> = app.telegram_messages().into_iter().map(|(chat, ..)| chat).collect();
    told.sort_unstable();
    assert_eq!(told, [PRIVATE, NEWS]);
    let muted = app.say(ADMIN, ADMIN, "/channel @news mute 8h").await;
    let list = app.say(ADMIN, ADMIN, "/channel @news list").await;
    assert!(muted.contains("The News") && list.contains("21 Nov 2026 14:"), "{muted}\n{list}");
    let wrong = app.say(ADMIN, ADMIN, "/channel @news mute 8").await;
    assert!(wrong.contains("/channel @name mute 8h"), "{wrong}");
    let done = app.say(ADMIN, ADMIN, "/channel @news unsubscribe all").await;
    assert!(done.contains("Removed 1 subscription"), "{done}");
});

on_both!(what_is_wrong_is_said_and_nothing_is_saved, |db| async move {
    let mut app = start(db).await;
    app.telegram.with(|world| {
        world.channel(-1_001, "silent", ADMIN).may_not_post = true;
        world.channel(-1_002, "without", ADMIN).members.remove(&4242);
        world.channel(-1_003, "kicked", ADMIN).without_bot = true;
        world.channel(-1_004, "unseen", ADMIN).username = None;
        world.chats.get_mut(&-1_004).unwrap().without_bot = true;
        world.group(-1_005, "Traders", ADMIN).username = Some("traders".to_owned());
    });
    app.say(ADMIN, ADMIN, "/help").await;
    app.say(STRANGER, STRANGER, "/help").await;
    let before = stored(&app.db.url).await.len();
    let mut said = Vec::new();
    for (who, words) in [
        (STRANGER, "@news subscribe SOL"),
        (STRANGER, "@news list"),
        (STRANGER, "-1001234 test"),
        (ADMIN, "@silent subscribe SOL"),
        (ADMIN, "@without subscribe SOL"),
        (ADMIN, "@kicked subscribe SOL"),
        (ADMIN, "-1004 subscribe SOL"),
        (ADMIN, "@nowhere subscribe SOL"),
        (ADMIN, "@traders subscribe SOL"),
        (ADMIN, "@news subscribe NOSUCH"),
    ] {
        let who_says = if who == ADMIN { "admin" } else { "stranger" };
        said.push(format!("{who_says}> {words}\n{}", app.say(who, who, &format!("/channel {words}")).await));
    }
    app.telegram.fault("getChat", None, crate::support::fake_telegram::Fault::Raw(502, "Bad Gateway"));
    said.push(app.say(ADMIN, ADMIN, "/channel @news subscribe SOL").await);
    app.telegram.with(|world| world.chats.get_mut(&NEWS).unwrap().members.remove(&ADMIN));
    said.push(app.say(ADMIN, ADMIN, "/channel @news subscribe SOL").await);
    assert_snapshot!(said.join("\n\n"), @r"
    stranger> @news subscribe SOL
    ⚠️ That did not work; nothing was changed
    Only that channel's creator and its administrators can do this, and Telegram says that you are neither.

    stranger> @news list
    ⚠️ That did not work; nothing was changed
    Only that channel's creator and its administrators can do this, and Telegram says that you are neither.

    stranger> -1001234 test
    ⚠️ That did not work; nothing was changed
    Only that channel's creator and its administrators can do this, and Telegram says that you are neither.

    admin> @silent subscribe SOL
    ⚠️ That did not work; nothing was changed
    In silent I lack: Post Messages. Grant that to me there, then try again.

    admin> @without subscribe SOL
    ⚠️ That did not work; nothing was changed
    I am no administrator of @without. Make me one there, with the right to post messages, then try again.

    admin> @kicked subscribe SOL
    ⚠️ That did not work; nothing was changed
    I am no administrator of @kicked. Make me one there, with the right to post messages, then try again.

    admin> -1004 subscribe SOL
    ⚠️ That did not work; nothing was changed
    I am no administrator of -1004. Make me one there, with the right to post messages, then try again.

    admin> @nowhere subscribe SOL
    ⚠️ That did not work; nothing was changed
    I see no channel @nowhere. Check its name; a private channel is named by its number, which begins with -100. I must be an administrator there.

    admin> @traders subscribe SOL
    ⚠️ That did not work; nothing was changed
    @traders is not a channel. For a group, type the command in the group itself, for example /subscribe SOL.

    admin> @news subscribe NOSUCH
    ⚠️ That did not work; nothing was changed
    I know no token NOSUCH.

    ⚠️ That did not work; nothing was changed
    Telegram did not tell me about that channel. Please try again in a minute.

    ⚠️ That did not work; nothing was changed
    Only that channel's creator and its administrators can do this, and Telegram says that you are neither.
    ");
    let after = stored(&app.db.url).await;
    assert!(after.iter().all(|row| !row.contains("|channel|")), "{after:?}");
    assert_eq!(after.len() - before, 12, "the answers alone");
    assert_eq!(rows(&app.db.url, "SELECT target FROM subscriptions").await, [""; 0]);
});

on_both!(a_channel_that_takes_the_right_to_post_away_is_told_once_it_gives_it_back, |db| async move {
    let mut app = start(db).await;
    app.source.set_daily(SOL, "2026-11-21", -1, -1);
    app.say(ADMIN, ADMIN, "/channel @news subscribe SOL").await;
    polls(&mut app, 1).await;
    app.telegram.with(|world| world.promote(NEWS, ADMIN, false));
    app.step().await;
    let quarantine = "SELECT quarantine_reason FROM destinations WHERE place = 'channel'";
    assert_eq!(rows(&app.db.url, quarantine).await, ["forbidden"]);
    app.source.set_daily(SOL, "2026-11-21", 1, 1);
    polls(&mut app, 1).await;
    let told = heard(&mut app).await;
    assert_eq!(told, [(ADMIN, "⚠\u{fe0f} I cannot reach The News: the bot may not write there.".to_owned())], "the alert waits");
    let list = app.say(ADMIN, ADMIN, "/channel @news list").await;
    assert!(list.contains("I lack a permission there"), "{list}");
    app.telegram.with(|world| world.promote(NEWS, ADMIN, true));
    app.pass(Duration::from_secs(60)).await;
    let mut told = heard(&mut app).await;
    told.sort();
    assert_eq!(told.len(), 3, "{told:?}");
    assert!(told[0].0 == NEWS && told[0].1.contains("SOL"), "{told:?}");
    assert!(told.contains(&(ADMIN, "✅ I can post in The News now".to_owned())), "{told:?}");
    assert!(told.iter().any(|(to, text)| *to == ADMIN && text.contains("The News answers again")), "{told:?}");
    assert_eq!(rows(&app.db.url, quarantine).await, ["-"]);
});

on_both!(who_makes_the_bot_an_administrator_is_told_how_to_go_on, |db| async move {
    let mut app = start(db).await;
    for chat in [NEWS, PRIVATE] {
        app.telegram.with(|world| world.chats.get_mut(&chat).unwrap().without_bot = true);
    }
    app.telegram.with(|world| world.promote(NEWS, ADMIN, true));
    assert_eq!(heard(&mut app).await, [], "a bot cannot write first");
    app.say(ADMIN, ADMIN, "/help").await;
    app.telegram.with(|world| world.promote(PRIVATE, ADMIN, true));
    app.step().await;
    let [(to, _, text)] = &app.telegram_messages()[..] else { panic!("one message") };
    assert_eq!(*to, ADMIN);
    assert_eq!(
        text,
        &format!("✅ I can post in hidden now\nTo have alerts posted there, send me for example /channel {PRIVATE} subscribe SOL.")
    );
    app.telegram.with(|world| world.promote(PRIVATE, ADMIN, true));
    assert_eq!(heard(&mut app).await, [], "nothing new");
    // Who has blocked the bot is not written to.
    app.telegram.with(|world| world.place(ADMIN, "kicked"));
    app.telegram.with(|world| world.promote(NEWS, ADMIN, false));
    app.telegram.with(|world| world.promote(NEWS, ADMIN, true));
    assert_eq!(heard(&mut app).await, []);
});

on_both!(what_is_posted_in_a_channel_is_no_command, |db| async move {
    let mut app = start(db).await;
    for words in ["/subscribe SOL", "/channel @news subscribe SOL"] {
        app.telegram.with(|world| world.say(NEWS, ADMIN, words));
        app.telegram.with(|world| {
            let post = serde_json::json!({ "message_id": 1, "date": world.date, "chat": { "id": NEWS, "type": "channel" }, "text": words });
            world.push(serde_json::json!({ "channel_post": post }))
        });
    }
    assert_eq!(heard(&mut app).await, []);
    assert_eq!(rows(&app.db.url, "SELECT chat FROM destinations WHERE platform = 'telegram'").await, [""; 0]);
});
