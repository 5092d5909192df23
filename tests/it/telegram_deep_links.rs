//! Deep links: what a member types in a group is carried out in private, for that member alone, once and soon.

use crate::support::{
    app::TestApp,
    commands::{asked_for, rows, run_sql},
    database::{TestDb, on_both},
};
use serde_json::json;
use std::time::Duration;

const GROUP: i64 = -1_001_234;
const ADMIN: i64 = 777;
const MEMBER: i64 = 42;
const OTHER: i64 = 43;

async fn start(db: TestDb) -> TestApp {
    let app = TestApp::start(db).await;
    app.telegram.with(|world| {
        world.group(GROUP, "Traders", ADMIN);
        world.channel(-1_005, "news", MEMBER);
    });
    app
}

/// The payloads of the links that were answered in the group.
async fn payloads(app: &mut TestApp) -> Vec<String> {
    app.step().await;
    // The group's share of answers comes back.
    app.clock.advance(Duration::from_secs(10));
    let answers = app.telegram.unread();
    assert!(answers.iter().all(|sent| sent.chat == GROUP), "{answers:?}");
    let payload = |raw: &str| Some(raw.split_once("https://t.me/bellwether_bot?start=")?.1.split('"').next()?.to_owned());
    answers.iter().filter_map(|sent| payload(&sent.raw)).collect()
}

/// The link that someone gets for what they type in the group.
async fn link(app: &mut TestApp, user: i64, text: &str) -> String {
    app.telegram.with(|world| world.say(GROUP, user, text));
    let [payload] = &payloads(app).await[..] else { panic!("one link for {text}") };
    assert!(payload.len() <= 64 && payload.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')), "{payload}");
    payload.clone()
}

async fn follow(app: &mut TestApp, user: i64, payload: &str) -> String {
    app.say(user, user, &format!("/start {payload}")).await
}

on_both!(a_members_command_is_carried_out_in_private_once, |db| async move {
    let mut app = start(db).await;
    let payload = link(&mut app, MEMBER, "/subscribe@bellwether_bot SOL, BTC bearish").await;
    assert!(!rows(&app.db.url, "SELECT code FROM deep_links").await[0].contains(&payload), "only a digest is stored");
    let before = asked_for(&app.db.url).await;
    let foreign = follow(&mut app, OTHER, &payload).await;
    assert!(foreign.contains("somebody else") && foreign.contains("/subscribe SOL"), "{foreign}");
    assert_eq!(asked_for(&app.db.url).await, before);
    let done = follow(&mut app, MEMBER, &payload).await;
    assert!(done.contains("Subscribed to daily calls, bearish only") && done.contains("SOL (Solana)"), "{done}");
    let subscriptions =
        "SELECT d.chat, s.target, s.direction FROM subscriptions s JOIN destinations d ON d.id = s.destination_id ORDER BY 2";
    assert_eq!(rows(&app.db.url, subscriptions).await, ["42|3375|bearish", "42|3988|bearish"]);
    app.say(MEMBER, MEMBER, "/unsubscribe all").await;
    let again = follow(&mut app, MEMBER, &payload).await;
    assert!(again.contains("used already") && again.contains("/subscribe SOL"), "{again}");
    assert_eq!(rows(&app.db.url, subscriptions).await, [""; 0]);
    let other = link(&mut app, MEMBER, "/subscribe SOL").await;
    assert_ne!(other, payload);
});

on_both!(it_works_for_ten_minutes, |db| async move {
    let mut app = start(db).await;
    let (first, second) = (link(&mut app, MEMBER, "/settings cooldown=30").await, link(&mut app, MEMBER, "/settings cooldown=60").await);
    app.clock.advance(Duration::from_secs(9 * 60));
    let done = follow(&mut app, MEMBER, &first).await;
    assert!(done.contains("Settings saved"), "{done}");
    app.clock.advance(Duration::from_secs(60));
    let late = follow(&mut app, MEMBER, &second).await;
    assert!(late.contains("too old") && late.contains("/help"), "{late}");
    assert_eq!(rows(&app.db.url, "SELECT settings FROM destinations WHERE chat = '42'").await.len(), 1);
    let settings = app.say(MEMBER, MEMBER, "/settings").await;
    assert!(settings.contains("30 minutes"), "{settings}");
    app.pass(Duration::from_secs(2 * 3600)).await;
    assert_eq!(rows(&app.db.url, "SELECT code FROM deep_links").await, [""; 0], "nothing is kept for long");
    let gone = follow(&mut app, MEMBER, &second).await;
    assert!(gone.contains("too old"), "{gone}");
});

on_both!(a_crash_between_the_effect_and_its_answer_does_nothing_twice, |db| async move {
    let mut app = start(db).await;
    let payload = link(&mut app, MEMBER, "/settings max_per_hour=5").await;
    let id = app.telegram.with(|world| world.say(MEMBER, MEMBER, &format!("/start {payload}")));
    app.step().await;
    assert_eq!(app.telegram_messages().len(), 1);
    // The process died before the update was settled: it is open again. Whoever uses the link later comes too late all the same.
    let body = app.telegram.with(|world| world.told.last().unwrap().to_string()).replace('\'', "");
    run_sql(&app.db.url, &format!("UPDATE updates_seen SET state = 'stored', body = '{body}' WHERE update_id = {id}")).await;
    let mut app = app.restart().await;
    app.step().await;
    let answers = app.telegram_messages();
    assert!(answers.len() == 1 && answers[0].2.contains("already done"), "{answers:?}");
    assert!(follow(&mut app, MEMBER, &payload).await.contains("used already"));
});

on_both!(only_people_get_a_link_and_for_what_concerns_them_alone, |db| async move {
    let mut app = start(db).await;
    let as_channel = json!({"from": {"id": 136_817_688, "is_bot": true, "first_name": "Channel"},
        "sender_chat": {"id": -100_777, "type": "channel", "title": "Elsewhere"}});
    app.telegram.with(|world| world.say_with(GROUP, 0, "/subscribe SOL", &as_channel));
    app.telegram.with(|world| world.say_as_group(GROUP, "/privacy export"));
    app.telegram.with(|world| world.say_as_group(GROUP, "/channel @news list"));
    app.telegram.with(|world| world.say(GROUP, MEMBER, "/status"));
    app.telegram.with(|world| world.say(GROUP, ADMIN, "/settings"));
    assert_eq!(payloads(&mut app).await, [""; 0]);
    assert_eq!(rows(&app.db.url, "SELECT code FROM deep_links").await, [""; 0]);
    app.clock.advance(Duration::from_secs(60));
    link(&mut app, ADMIN, "/privacy export").await;
    link(&mut app, MEMBER, "/mute 8h").await;
    app.clock.advance(Duration::from_secs(60));
    let channel = link(&mut app, MEMBER, "/channel @news subscribe SOL").await;
    let done = follow(&mut app, MEMBER, &channel).await;
    assert!(done.contains("Subscribed") && done.contains("news"), "{done}");
});

on_both!(what_is_no_payload_of_ours_is_answered_with_help, |db| async move {
    let mut app = start(db).await;
    let help = app.say(MEMBER, MEMBER, "/help").await;
    let no_payload = ["", "x", "referral-42", "AAAAAAAAAAAAAAAAAAAAAA==", "../../etc", "\u{202e}AAAA"];
    for payload in no_payload {
        assert_eq!(follow(&mut app, MEMBER, payload).await, help, "{payload}");
    }
    let guessed = follow(&mut app, MEMBER, "AAAAAAAAAAAAAAAAAAAAAA").await;
    assert!(guessed.contains("too old"), "{guessed}");
});
