//! A bot that moves to another database: nothing is lost, nobody is told twice, nobody notices.

use crate::{
    support::{
        app::TestApp,
        audience::{BTC, ETH, FOUR, HOUR, SOL, text},
        commands::rows,
        database::on_both,
        fake_discord::{FaultKind, HERE},
        fake_telegram::Fault,
    },
    transfer::{export, import, other},
};
use bellwether::{
    clock::Clock,
    domain::{SourceId, Timestamp},
    store::Retried,
};
use serde_json::{Value, json};

/// Keeps a cooldown.
const PERSON: i64 = 501;
/// Blocks the bot.
const FRIEND: i64 = 502;
/// Follows all, and cannot be sent one message.
const FAN: i64 = 503;

/// A bot with something of everything under way: told calls, a held alert, a quarantine, a dead letter, an end that nobody knows.
async fn busy(db: crate::support::database::TestDb) -> TestApp {
    let mut app = TestApp::start(db).await;
    app.channel_subscribes(json!([text("tokens", "sol,btc")])).await;
    app.person_subscribes(PERSON, "sol").await;
    assert!(app.say(PERSON, PERSON, "/settings cooldown=120").await.contains("saved"));
    app.person_subscribes(FRIEND, "sol").await;
    app.person_subscribes(FAN, "all").await;
    app.baseline(&FOUR).await;
    app.telegram.with(|world| world.chats.get_mut(&FRIEND).unwrap().without_bot = true);
    app.turn(&[SOL], 1).await;
    assert_eq!(app.on_discord(), ["SOL turned bullish"]);
    assert_eq!(app.on_telegram(), ["SOL turned bullish", "SOL turned bullish"]);
    app.telegram.fault("sendMessage", Some(FAN), Fault::Refuse(400, "Bad Request: message is too long", Value::Null));
    app.turn(&[SOL], -1).await;
    assert_eq!(app.on_discord(), ["SOL turned bearish"]);
    assert_eq!(app.on_telegram(), [""; 0], "one waits for its cooldown, one is out of reach, one has a dead letter");
    // Discord carries it out, and its answer is lost.
    app.discord.fault(&format!("POST /channels/{HERE}/messages"), 1, FaultKind::LoseAnswer);
    app.call(&[BTC], 1);
    app.clock.advance(std::time::Duration::from_secs(16 * 60));
    app.parts.poller.step().await.unwrap();
    app.parts.flow.step().await.unwrap();
    for deliverer in &mut app.parts.deliverers {
        deliverer.drain().await.unwrap();
    }
    let _ = app.log.take_errors();
    app
}

/// What the outbox lists, and what else must be the same on both sides.
async fn seen(app: &TestApp) -> (Vec<String>, Vec<String>, Vec<i64>, u32, String) {
    let store = &app.parts.store;
    let outbox = store.undelivered().await.unwrap();
    let outbox =
        outbox.iter().map(|entry| format!("{} {} {} {}", entry.id, entry.state.as_str(), entry.destination, entry.reason)).collect();
    let quarantine = rows(&app.db.url, "SELECT chat, quarantine_reason FROM destinations WHERE quarantine_reason IS NOT NULL").await;
    let all = store.wanted_targets(SourceId::TokenMetrics).await.unwrap().in_all().iter().map(|token| token.0).collect();
    let calls = store.calls_since(SourceId::TokenMetrics, Timestamp::EPOCH).await.unwrap();
    (outbox, quarantine, all, calls, format!("{:?}", store.delivery_status().await.unwrap()))
}

on_both!(nobody_notices_a_move, |db| async move {
    let app = busy(db).await;
    let before = seen(&app).await;
    assert!(before.0.len() == 3 && before.1.len() == 1 && !before.2.is_empty() && before.3 > 0, "{before:?}");
    let document = export(&app.db.url, &["--with-state"]).await;
    let Some(there) = other(&app.db).await else {
        app.telegram.unread();
        app.discord.unread();
        return;
    };
    let ended = import(&there.url, &document, &[]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let mut app = app.move_to(there).await;
    assert_eq!(seen(&app).await, before);

    // The message of which nobody knew is sent with the nonce that it had: Discord knows it already.
    app.step().await;
    assert_eq!(app.on_discord(), ["BTC turned bullish"]);
    assert_eq!(app.on_telegram(), ["BTC turned bullish"]);
    let nonces =
        rows(&app.db.url, "SELECT DISTINCT a.nonce FROM attempts a JOIN messages m ON m.id = a.message_id WHERE m.unknown_ends > 0").await;
    assert_eq!(nonces.len(), 1, "{nonces:?}");

    // The same poll again is no news; a turn is told to everybody once.
    app.next_poll().await;
    assert_eq!((app.on_discord(), app.on_telegram()), (vec![], vec![]));
    app.turn(&[ETH], 1).await;
    assert_eq!((app.on_discord(), app.on_telegram()), (vec![], vec!["ETH turned bullish".to_owned()]));

    // What was held comes out at its time, as it would have.
    for _ in 0..6 {
        app.next_poll().await;
    }
    assert_eq!(app.on_telegram(), ["SOL turned bearish"]);
    // The dead letter can be sent after all, and whoever was out of reach is told the net result once back.
    let dead = app.parts.store.undelivered().await.unwrap();
    let dead = dead.iter().find(|entry| entry.state.as_str() == "dead").unwrap();
    assert_eq!(app.parts.store.retry_undelivered(dead.id, app.clock.now()).await.unwrap(), Retried::Anew);
    app.step().await;
    assert_eq!(app.on_telegram(), ["SOL turned bearish"]);
    app.telegram.with(|world| world.chats.get_mut(&FRIEND).unwrap().without_bot = false);
    app.say(FRIEND, FRIEND, "/subscriptions").await;
    app.turn(&[SOL], 1).await;
    let heard = app.on_telegram();
    assert_eq!(heard.iter().filter(|title| *title == "SOL turned bullish and is unstable").count(), 2, "{heard:?}");
    assert_eq!(app.on_discord(), ["SOL turned bullish and is unstable"], "the turns before the move count");
});

/// The same bot on a database of the other kind; nothing where there is none, and what was told is read.
async fn moved(app: TestApp) -> Option<TestApp> {
    let document = export(&app.db.url, &["--with-state"]).await;
    let Some(there) = other(&app.db).await else {
        app.telegram.unread();
        app.discord.unread();
        return None;
    };
    let ended = import(&there.url, &document, &[]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(export(&there.url, &["--with-state"]).await, document);
    Some(app.move_to(there).await)
}

on_both!(a_button_under_an_old_alert_explains_no_other_alert, |db| async move {
    let mut app = TestApp::start(db).await;
    app.person_subscribes(PERSON, "sol,btc").await;
    app.baseline(&FOUR).await;
    app.turn(&[SOL], 1).await;
    let first = app.telegram.unread().remove(0);
    app.turn(&[BTC], 1).await;
    let second = app.telegram.unread().remove(0);
    app.pass(2 * HOUR).await;
    let Some(mut app) = moved(app).await else { return };
    app.turn(&[SOL, BTC], -1).await;
    assert_eq!(app.on_telegram().len(), 2);
    let mut why = Vec::new();
    for alert in [&first, &second] {
        app.telegram.with(|world| world.press(PERSON, alert, "Why"));
        app.step().await;
        why.extend(app.on_telegram());
    }
    assert_eq!(why, ["That did not work; nothing was changed", "Why: BTC turned bullish (daily)"]);
});

on_both!(a_window_that_had_its_digest_has_no_second_one, |db| async move {
    let mut app = TestApp::start(db).await;
    app.at("2026-11-22T07:30:00Z").await;
    app.person_subscribes(PERSON, "sol,btc digest-daily").await;
    app.say(PERSON, PERSON, "/settings timezone=UTC").await;
    app.baseline(&FOUR).await;
    app.turn(&[SOL, BTC], 1).await;
    app.say(PERSON, PERSON, "/mute 8h SOL").await;
    app.at("2026-11-22T09:00:00Z").await;
    assert_eq!(app.on_telegram(), ["Daily digest: 1 call"]);
    app.pass(2 * HOUR).await;
    // The newest message goes along in any case.
    assert!(app.say(PERSON, PERSON, "/subscriptions").await.contains("SOL"));
    let Some(mut app) = moved(app).await else { return };
    app.pass(10 * HOUR).await;
    assert_eq!(app.on_telegram(), [""; 0], "its place is in the next");
    app.at("2026-11-23T09:00:00Z").await;
    assert_eq!(app.on_telegram(), ["Daily digest: 1 call"]);
});
