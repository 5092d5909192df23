//! Buttons under an alert: mute this token for a day, its history, unsubscribe, on both platforms. A press is a command: it is authorised each
//! time, done once, answered always (`rules.md` 5.10).

use crate::support::{
    app::TestApp,
    audience::{BTC, FOUR, HOUR, SOL, text},
    commands::{asked_for, rows, run_sql},
    database::{TestDb, on_both},
    fake_discord::{
        GUILD,
        interaction::{ADMIN, PLAIN, in_private, in_server, pressed},
    },
    fake_telegram::{Fault, Sent},
};
use bellwether::clock::Clock;
use serde_json::{Value, json};

const PERSON: i64 = 501;
const GROUP: i64 = -1_001_234;
const CHANNEL: i64 = -1_009_876;
const OWNER: i64 = 777;
const MEMBER: i64 = 42;

/// The message that arrived on Telegram, and nothing else.
fn only(app: &TestApp) -> Sent {
    let mut unread = app.telegram.unread();
    assert_eq!(unread.len(), 1, "{unread:#?}");
    unread.remove(0)
}

/// Somebody presses; what is answered there, and what their client is told.
async fn presses(app: &mut TestApp, user: i64, alert: &Sent, label: &str) -> (Vec<String>, Option<String>) {
    app.telegram.with(|world| world.press(user, alert, label));
    app.step().await;
    (app.telegram.unread().into_iter().map(|sent| sent.text).collect(), app.telegram.told_presser())
}

fn labels(alert: &Sent) -> Vec<&str> {
    alert.buttons.iter().map(|(label, _)| label.as_str()).collect()
}

on_both!(in_private_a_press_does_what_the_command_does, |db| async move {
    let mut app = TestApp::start(db).await;
    app.person_subscribes(PERSON, "sol,btc").await;
    app.baseline(&FOUR).await;
    app.turn(&[SOL], 1).await;
    let alert = only(&app);
    assert_eq!(labels(&alert), ["Mute 24 h", "History", "Unsubscribe", "Why"]);
    let (said, shown) = presses(&mut app, PERSON, &alert, "Mute 24 h").await;
    assert_eq!((said.len(), shown), (1, None));
    assert!(said[0].starts_with("✅ SOL is muted") && said[0].contains("held until 22 Nov 2026"), "{said:?}");
    app.turn(&[SOL, BTC], -1).await;
    assert_eq!(app.on_telegram(), [""; 0], "BTC did not turn, SOL is muted");
    let (said, _) = presses(&mut app, PERSON, &alert, "History").await;
    assert!(said[0].contains("SOL") && said[0].contains("bearish"), "{said:?}");
    let (said, _) = presses(&mut app, PERSON, &alert, "Unsubscribe").await;
    assert!(said[0].starts_with("✅ Unsubscribed") && said[0].contains("SOL"), "{said:?}");
    assert_eq!(rows(&app.db.url, "SELECT target FROM subscriptions").await, [BTC.to_string()]);
    // The same update once more, as after a crash before it was confirmed: nothing happens twice.
    app.telegram.with(|world| {
        let last = world.told.last().unwrap()["update_id"].as_i64().unwrap();
        world.redeliver(last);
    });
    app.step().await;
    assert_eq!(app.on_telegram(), [""; 0]);
});

on_both!(in_a_group_its_admins_alone_change_anything, |db| async move {
    let mut app = TestApp::start(db).await;
    app.telegram.with(|world| {
        world.group(GROUP, "Traders", OWNER).topics.insert(5, true);
        world.say_in_topic(GROUP, 5, OWNER, "/subscribe SOL")
    });
    app.step().await;
    app.telegram.unread();
    app.baseline(&FOUR).await;
    app.turn(&[SOL], 1).await;
    let alert = only(&app);
    let before = asked_for(&app.db.url).await;
    for label in ["Mute 24 h", "Unsubscribe"] {
        let (said, shown) = presses(&mut app, MEMBER, &alert, label).await;
        assert_eq!(said, [""; 0], "a refusal is for the presser alone");
        assert!(shown.as_ref().is_some_and(|shown| shown.contains("admin")), "{shown:?}");
    }
    assert_eq!(asked_for(&app.db.url).await, before);
    assert_eq!(rows(&app.db.url, "SELECT CAST(token_id AS TEXT) FROM token_mutes").await, [""; 0]);
    let (said, shown) = presses(&mut app, MEMBER, &alert, "History").await;
    assert!(said.len() == 1 && said[0].contains("SOL") && shown.is_none(), "{said:?} {shown:?}");
    app.telegram.with(|world| world.press(OWNER, &alert, "Mute 24 h"));
    app.step().await;
    let answer = only(&app);
    assert_eq!((answer.chat, answer.topic), (GROUP, Some(5)), "where the button stands");
    assert!(answer.text.contains("SOL in Traders is muted"), "{}", answer.text);
    // Of an old message Telegram tells the chat and not the topic.
    app.telegram.with(|world| world.press_old(MEMBER, &alert, "History"));
    app.step().await;
    assert_eq!(only(&app).topic, Some(5));
    // An administrator who was one: the platform is asked each time.
    app.telegram.with(|world| world.chats.get_mut(&GROUP).unwrap().members.remove(&OWNER));
    let (_, shown) = presses(&mut app, OWNER, &alert, "Unsubscribe").await;
    assert!(shown.is_some_and(|shown| shown.contains("admin")));
    assert_eq!(asked_for(&app.db.url).await.len(), before.len() + 1, "the mute is in the audit, nothing else");
});

#[tokio::test]
async fn what_is_shown_to_the_presser_is_the_end_of_the_press() {
    let mut app = TestApp::start(TestDb::sqlite().await).await;
    app.telegram.with(|world| {
        world.group(GROUP, "Traders", OWNER);
    });
    app.say(GROUP, OWNER, "/subscribe sol").await;
    app.baseline(&FOUR).await;
    app.turn(&[SOL], 1).await;
    let alert = only(&app);
    // Who presses cannot be found out, and that the press ended so cannot be kept: it is carried out again.
    app.telegram.fault("getChatAdministrators", None, Fault::Raw(500, "{}"));
    run_sql(&app.db.url, "CREATE TRIGGER full BEFORE UPDATE ON updates_seen BEGIN SELECT RAISE(ABORT, 'full'); END").await;
    app.telegram.with(|world| world.press(OWNER, &alert, "Mute 24 h"));
    let updates = app.parts.updates.as_ref().unwrap();
    assert!(updates.step().await.is_err());
    let answer = || app.telegram.with(|world| world.presses.last().unwrap().answer.clone());
    assert_eq!(answer(), None, "nothing was said that is not so in the end");
    run_sql(&app.db.url, "DROP TRIGGER full").await;
    app.step().await;
    let said = only(&app).text;
    assert!(said.contains("SOL in Traders is muted"), "{said}");
    assert_eq!(app.telegram.told_presser(), None);
}

on_both!(in_a_channel_nobody_but_the_alerts_speaks, |db| async move {
    let mut app = TestApp::start(db).await;
    app.telegram.with(|world| {
        world.channel(CHANNEL, "news", OWNER);
    });
    let said = app.say(OWNER, OWNER, "/channel @news subscribe SOL").await;
    assert!(said.contains("Subscribed"), "{said}");
    app.baseline(&FOUR).await;
    app.turn(&[SOL], 1).await;
    let alert = only(&app);
    assert_eq!(alert.chat, CHANNEL);
    for label in ["Mute 24 h", "Unsubscribe"] {
        let (said, shown) = presses(&mut app, MEMBER, &alert, label).await;
        assert_eq!(said, [""; 0]);
        assert!(shown.as_ref().is_some_and(|shown| shown.contains("administrators")), "{shown:?}");
    }
    let (said, shown) = presses(&mut app, MEMBER, &alert, "History").await;
    assert_eq!(said, [""; 0]);
    let payload = shown.unwrap().split_once("?start=").unwrap().1.to_owned();
    let said = app.say(MEMBER, MEMBER, &format!("/start {payload}")).await;
    assert!(said.contains("SOL") && said.contains("bullish"), "{said}");
    let (said, shown) = presses(&mut app, OWNER, &alert, "Mute 24 h").await;
    assert_eq!(said, [""; 0]);
    assert!(shown.as_ref().is_some_and(|shown| shown.contains("SOL in news is muted") && shown.contains("until 22 Nov")), "{shown:?}");
    let (_, shown) = presses(&mut app, OWNER, &alert, "Unsubscribe").await;
    assert!(shown.is_some_and(|shown| shown.contains("Unsubscribed")));
    assert_eq!(rows(&app.db.url, "SELECT target FROM subscriptions").await, [""; 0]);
});

on_both!(what_a_client_makes_up_changes_nothing, |db| async move {
    let mut app = TestApp::start(db).await;
    app.person_subscribes(PERSON, "sol").await;
    app.person_subscribes(MEMBER, "btc").await;
    app.baseline(&FOUR).await;
    app.turn(&[SOL], 1).await;
    let alert = only(&app);
    let before = asked_for(&app.db.url).await;
    let own = alert.buttons[2].1.clone();
    assert!(own.starts_with("v1:unsubscribe:"), "{own}");
    let stray = [
        // Somebody else's button in one's own chat.
        (MEMBER, json!(own)),
        (MEMBER, json!(alert.buttons[3].1)),
        (PERSON, json!("v1:why:AAAAAAAAAAAAAAAA")),
        (PERSON, json!("v1:unsubscribe:AAAAAAAAAAAAAAAA")),
        (PERSON, json!("v1:forget:AAAAAAAAAAAAAAAA")),
        (PERSON, json!(own.replace("v1", "v2"))),
        (PERSON, json!("'; DROP TABLE buttons; --")),
        (PERSON, json!("x".repeat(5_000))),
        (PERSON, Value::Null),
    ];
    for (user, data) in &stray {
        app.telegram.with(|world| world.press_with(*user, *user, None, data));
        app.step().await;
        let shown = app.telegram.told_presser();
        assert!(shown.as_ref().is_some_and(|shown| shown.contains("does nothing any more")), "{data}: {shown:?}");
    }
    assert_eq!(asked_for(&app.db.url).await, before);
    app.pass(24 * 7 * HOUR).await;
    let (said, shown) = presses(&mut app, PERSON, &alert, "Unsubscribe").await;
    assert_eq!(said, [""; 0]);
    assert!(shown.is_some_and(|shown| shown.contains("does nothing any more") && shown.contains("/mute 24h SOL")));
    assert_eq!(asked_for(&app.db.url).await, before);
    app.pass(2 * HOUR).await;
    assert_eq!(rows(&app.db.url, "SELECT id FROM buttons").await, [""; 0], "what is over is tidied away");
});

on_both!(on_discord_a_channel_belongs_to_those_who_manage_the_server, |db| async move {
    let mut app = TestApp::start(db).await;
    app.channel_subscribes(json!([text("tokens", "sol")])).await;
    app.baseline(&FOUR).await;
    app.turn(&[SOL], 1).await;
    let alert = app.discord.unread().remove(0).body;
    let before = asked_for(&app.db.url).await;
    let press = async |app: &mut TestApp, permissions, label: &str| {
        let id = app.next_interaction();
        app.interact(&pressed(in_server(id, permissions, Value::Null), &alert, label)).await
    };
    for label in ["Mute 24 h", "Unsubscribe"] {
        let said = press(&mut app, PLAIN, label).await;
        assert!(said.starts_with("That did not work") && said.contains("Manage Server"), "{said}");
    }
    assert_eq!(asked_for(&app.db.url).await, before);
    let said = press(&mut app, PLAIN, "History").await;
    assert!(said.contains("SOL") && said.contains("bullish"), "{said}");
    let until = (app.clock.now() + 24 * HOUR).as_secs();
    let said = press(&mut app, ADMIN, "Mute 24 h").await;
    assert!(said.starts_with("SOL in #alerts is muted") && said.contains(&format!("<t:{until}:f>")), "{said}");
    app.turn(&[SOL], -1).await;
    assert_eq!(app.on_discord(), [""; 0]);
    let said = press(&mut app, ADMIN, "Unsubscribe").await;
    assert!(said.starts_with("Unsubscribed"), "{said}");
    assert_eq!(rows(&app.db.url, "SELECT target FROM subscriptions").await, [""; 0]);
    // In another channel of the server the same button does nothing.
    let id = app.next_interaction();
    let mut elsewhere = pressed(in_server(id, ADMIN, Value::Null), &alert, "Mute 24 h");
    elsewhere["channel_id"] = json!("1180243562783189999");
    elsewhere["channel"]["id"] = json!("1180243562783189999");
    let said = app.interact(&elsewhere).await;
    assert!(said.contains("does nothing any more"), "{said}");
    assert_eq!(elsewhere["guild_id"], GUILD);
});

on_both!(on_discord_the_buttons_of_a_direct_message_are_its_members, |db| async move {
    let mut app = TestApp::start(db).await;
    app.member_subscribes("sol").await;
    app.baseline(&FOUR).await;
    app.turn(&[SOL], 1).await;
    let alert = app.discord.unread().remove(0).body;
    let id = app.next_interaction();
    let press = pressed(in_private(id, Value::Null), &alert, "Unsubscribe");
    let answer = app.enter(&press).await;
    assert_eq!((&answer["type"], &answer["data"]["flags"]), (&json!(4), &json!(64)), "for the presser alone");
    assert!(answer["data"]["embeds"][0]["title"].as_str().unwrap().starts_with("Unsubscribed"), "{answer}");
    assert_eq!(rows(&app.db.url, "SELECT target FROM subscriptions").await, [""; 0]);
    let said = app.interact(&press).await;
    assert_eq!(said, "This was already done.", "the same press again");
});
