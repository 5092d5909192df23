//! `/subscribe … preview`: what it would have sent, before anything is saved.

use crate::support::{
    app::TestApp,
    audience::{BTC, FOUR, HOUR, SOL, text},
    commands::{asked_for, rows, run_sql},
    database::on_both,
    fake_discord::interaction::{ADMIN, PLAIN, slash, subcommand},
    fake_telegram::Sent,
};
use bellwether::clock::Clock;
use insta::assert_snapshot;
use serde_json::json;

const PERSON: i64 = 555;
const OTHER: i64 = 556;
const GROUP: i64 = -1_001_234;
const CHANNEL: i64 = -1_009_876;
const SAVE: &str = "Subscribe";
const PREVIEW: &str = "What would this have sent?";

/// What is answered to this, with its buttons.
async fn answer(app: &mut TestApp, chat: i64, user: i64, words: &str) -> Sent {
    app.telegram.with(|world| world.say(chat, user, words));
    app.step().await;
    only(app)
}

fn only(app: &TestApp) -> Sent {
    let mut unread = app.telegram.unread();
    assert_eq!(unread.len(), 1, "{unread:#?}");
    unread.remove(0)
}

fn labels(sent: &Sent) -> Vec<&str> {
    sent.buttons.iter().map(|(label, _)| label.as_str()).collect()
}

/// What is answered to a press, and what the presser is shown.
async fn press(app: &mut TestApp, user: i64, beneath: &Sent, label: &str) -> (Option<Sent>, Option<String>) {
    app.telegram.with(|world| world.press(user, beneath, label));
    app.step().await;
    (app.telegram.unread().pop(), app.telegram.told_presser())
}

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

on_both!(on_telegram_a_button_saves_what_was_previewed_and_another_previews_what_was_saved, |db| async move {
    let mut app = TestApp::start(db).await;
    lived_in(&mut app).await;
    let preview = answer(&mut app, OTHER, OTHER, "/subscribe sol btc bearish preview").await;
    assert_eq!(labels(&preview), [SAVE]);
    let targets = format!(
        "SELECT s.target, s.kind, s.direction FROM subscriptions s JOIN destinations d ON d.id = s.destination_id WHERE d.chat = '{OTHER}' ORDER BY s.id"
    );
    assert_eq!(rows(&app.db.url, &targets).await, [""; 0]);
    let (saved, shown) = press(&mut app, OTHER, &preview, SAVE).await;
    let saved = saved.unwrap();
    assert!(saved.text.starts_with("✅ Subscribed") && shown.is_none(), "{}", saved.text);
    assert_eq!(rows(&app.db.url, &targets).await, [format!("{SOL}|daily|bearish"), format!("{BTC}|daily|bearish")]);
    // Asked after it was saved, it offers to save nothing.
    assert_eq!(labels(&saved), [PREVIEW]);
    let before = asked_for(&app.db.url).await;
    let (told, _) = press(&mut app, OTHER, &saved, PREVIEW).await;
    let told = told.unwrap();
    assert_snapshot!(told.text, @"
    What this would have sent
    In the last 4 days this would have sent 2 messages, at most 1 in a day. The newest:
    21 Nov: SOL turned bearish and is unstable
    20 Nov: SOL turned bearish
    ");
    assert_eq!((labels(&told), asked_for(&app.db.url).await), (vec![], before.clone()));
    // Once more is the same again.
    let (again, _) = press(&mut app, OTHER, &preview, SAVE).await;
    assert!(again.unwrap().text.contains("before"), "it says that it replaced what was there");
    assert_eq!(rows(&app.db.url, &targets).await.len(), 2);
    // Elsewhere, as another button, made up or too old it does nothing.
    let data = preview.buttons[0].1.clone();
    let before = asked_for(&app.db.url).await;
    for (user, data) in [
        (PERSON, data.clone()),
        (OTHER, data.replace("subscribe", "unsubscribe")),
        (OTHER, data.replace("subscribe", "why")),
        (OTHER, "v1:subscribe:AAAAAAAAAAAAAAAA".to_owned()),
    ] {
        app.telegram.with(|world| world.press_with(user, user, None, &json!(data)));
        app.step().await;
        assert!(app.telegram.told_presser().is_some_and(|shown| shown.contains("does nothing any more")), "{data}");
    }
    app.pass(24 * 7 * HOUR).await;
    app.telegram_messages();
    let (said, shown) = press(&mut app, OTHER, &preview, SAVE).await;
    assert!(said.is_none() && shown.is_some_and(|shown| shown.contains("does nothing any more")));
    assert_eq!(asked_for(&app.db.url).await, before);
});

on_both!(a_preview_is_saved_by_those_alone_who_may_subscribe_the_place, |db| async move {
    let mut app = TestApp::start(db).await;
    app.telegram.with(|world| {
        world.group(GROUP, "Traders", PERSON).topics.insert(5, true);
        world.channel(CHANNEL, "news", PERSON);
        world.say_in_topic(GROUP, 5, PERSON, "/subscribe SOL preview")
    });
    app.step().await;
    let preview = only(&app);
    let before = asked_for(&app.db.url).await;
    let (said, shown) = press(&mut app, OTHER, &preview, SAVE).await;
    assert!(said.is_none() && shown.is_some_and(|shown| shown.contains("admin")));
    assert_eq!(asked_for(&app.db.url).await, before);
    let (said, _) = press(&mut app, PERSON, &preview, SAVE).await;
    assert_eq!(said.map(|said| (said.chat, said.topic)), Some((GROUP, Some(5))));
    let place = "SELECT d.chat, d.topic, s.target FROM subscriptions s JOIN destinations d ON d.id = s.destination_id ORDER BY s.id";
    assert_eq!(rows(&app.db.url, place).await, [format!("{GROUP}|5|{SOL}")]);
    // A channel is set up from a private chat, by its administrators as long as they are that.
    let preview = answer(&mut app, PERSON, PERSON, "/channel @news subscribe BTC preview").await;
    let (said, _) = press(&mut app, PERSON, &preview, SAVE).await;
    assert!(said.unwrap().text.contains("news"));
    assert_eq!(rows(&app.db.url, place).await.last(), Some(&format!("{CHANNEL}||{BTC}")));
    app.say(PERSON, PERSON, "/channel @news unsubscribe BTC").await;
    app.telegram.with(|world| world.chats.get_mut(&CHANNEL).unwrap().members.remove(&PERSON));
    let before = asked_for(&app.db.url).await;
    let (said, _) = press(&mut app, PERSON, &preview, SAVE).await;
    assert!(said.unwrap().text.contains("administrators"));
    assert_eq!(asked_for(&app.db.url).await, before);
});

on_both!(it_claims_no_more_days_than_it_has_gone_through, |db| async move {
    let mut app = TestApp::start(db).await;
    let now = app.clock.now().as_millis();
    // A number every five minutes for 25 days: more than are gone through, which is 17 days of them.
    let numbers = format!(
        "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 7199)
         INSERT INTO observations (source, kind, token_id, data_time, row_values, observed_at)
         SELECT 'token-metrics', 'grade', {SOL}, {now} - 300000 * CAST(i AS BIGINT), '{NUMBER}', {now} FROM n",
        NUMBER = r#"{"graded":{"grade":50.0}}"#
    );
    run_sql(&app.db.url, &numbers).await;
    let said = app.say(OTHER, OTHER, "/subscribe sol grade above:70 preview").await;
    assert!(said.contains("In the last 17 days"), "{said}");
});
