//! Telegram's bad days, through the whole product: each chat waits for itself, people and groups go and come back, groups move.

use crate::support::{
    app::TestApp,
    audience::{BTC, FOUR, MINUTE, SOL},
    commands::{rows, run_sql},
    database::{TestDb, on_both},
    fake_telegram::Fault,
};
use bellwether::{chat::nonce, clock::Clock, domain::Platform, store::Settlement};
use futures_util::future::try_join_all;
use insta::assert_snapshot;
use serde_json::{Value, json};
use std::{collections::BTreeMap, time::Duration};

const PERSON: i64 = 501;
const FRIEND: i64 = 502;
const GROUP: i64 = -1_001_234;
const ADMIN: i64 = 777;
const OPERATOR: i64 = 900;

async fn open(db: TestDb) -> TestApp {
    let app = TestApp::with(db, &[("BELLWETHER_OPERATORS", "telegram:900")]).await;
    app.telegram.with(|world| {
        world.person(OPERATOR);
        world.group(GROUP, "Traders", ADMIN);
    });
    app
}

async fn group_subscribes(app: &mut TestApp, words: &str) {
    let said = app.say(GROUP, ADMIN, &format!("/subscribe@bellwether_bot {words}")).await;
    assert!(said.contains("Subscribed"), "{said}");
}

fn chats(app: &TestApp) -> Vec<i64> {
    app.telegram_messages().into_iter().map(|(chat, ..)| chat).collect()
}

fn sends_to(app: &TestApp, chat: i64) -> usize {
    app.telegram.calls("sendMessage").iter().filter(|call| call["chat_id"] == chat).count()
}

on_both!(one_chat_waits_and_the_others_go_on_at_once, |db| async move {
    let mut app = open(db).await;
    app.person_subscribes(PERSON, "sol").await;
    app.person_subscribes(FRIEND, "sol").await;
    group_subscribes(&mut app, "sol").await;
    app.baseline(&FOUR).await;
    app.telegram.fault("sendMessage", Some(GROUP), Fault::Refuse(429, "Too Many Requests: retry after 40", json!({"retry_after": 40})));
    let asked = sends_to(&app, GROUP);
    app.turn(&[SOL], 1).await;
    assert_eq!(chats(&app), [PERSON, FRIEND]);
    app.pass(Duration::from_secs(30)).await;
    assert_eq!((chats(&app), sends_to(&app, GROUP)), (vec![], asked + 1), "not before its time");
    app.pass(Duration::from_secs(30)).await;
    assert_eq!(chats(&app), [GROUP]);
});

on_both!(who_blocks_the_bot_is_left_alone_until_they_come_back, |db| async move {
    let mut app = open(db).await;
    app.person_subscribes(PERSON, "sol,btc").await;
    group_subscribes(&mut app, "sol,btc").await;
    app.baseline(&FOUR).await;
    // The platform's own word.
    app.telegram.with(|world| world.place(PERSON, "kicked"));
    app.turn(&[SOL], 1).await;
    assert_eq!((chats(&app), sends_to(&app, PERSON)), (vec![GROUP], 1));
    app.turn(&[BTC], 1).await;
    assert_eq!(chats(&app), [GROUP]);
    app.telegram.with(|world| world.place(PERSON, "member"));
    app.step().await;
    let back = app.telegram_messages();
    assert_eq!((back.len(), back[0].0), (1, PERSON));
    assert_snapshot!(back[0].2, @"
    Held back: 2 calls
    BTC turned bullish (daily, 21 Nov 2026)
    SOL turned bullish (daily, 21 Nov 2026)
    ");

    // The same learned from a refusal; a group is news for operators.
    app.telegram.with(|world| {
        for chat in [PERSON, GROUP] {
            world.chats.get_mut(&chat).unwrap().without_bot = true;
        }
    });
    app.turn(&[SOL], -1).await;
    assert_eq!(chats(&app), [0; 0]);
    app.pass(MINUTE).await;
    let told = app.telegram_messages();
    assert_eq!((told.len(), told[0].0), (1, OPERATOR));
    assert_snapshot!(told[0].2, @"⚠️ Traders (telegram:-1001234) cannot be reached (removed; add the bot again [TG-REMOVED]). Its subscriptions and alerts are kept; it is tried again by itself.");
    app.telegram.with(|world| {
        for chat in [PERSON, GROUP] {
            world.chats.get_mut(&chat).unwrap().without_bot = false;
        }
    });
    // A command from there is enough.
    let said = app.say(PERSON, PERSON, "/subscriptions").await;
    assert!(said.contains("SOL turned bearish"), "{said}");
    app.pass(60 * MINUTE).await;
    assert_eq!(chats(&app), [GROUP, OPERATOR], "and an hour later a probe: restored, and told");
});

on_both!(a_group_that_moves_takes_everything_along, |db| async move {
    const OLD: i64 = -4321;
    const NEW: i64 = -1_009_999;
    let mut app = open(db).await;
    app.telegram.with(|world| world.group(OLD, "Small", ADMIN).kind = "group");
    let said = app.say(OLD, ADMIN, "/subscribe sol").await;
    assert!(said.contains("Subscribed"), "{said}");
    app.baseline(&FOUR).await;
    // Found out by sending: the update about it has not come yet.
    let updates = app.telegram.with(|world| {
        world.migrate(OLD, NEW);
        std::mem::take(&mut world.updates)
    });
    app.turn(&[SOL], 1).await;
    assert_eq!(chats(&app), [NEW]);
    app.telegram.with(|world| world.updates = updates);
    app.turn(&[SOL], -1).await;
    assert_eq!(chats(&app), [NEW]);
    assert_eq!(rows(&app.db.url, "SELECT chat FROM destinations WHERE place = 'group'").await, [NEW.to_string()]);
});

on_both!(a_group_that_moves_onto_a_known_one_is_merged, |db| async move {
    const OLD: i64 = -4321;
    let mut app = open(db).await;
    app.telegram.with(|world| world.group(OLD, "Small", ADMIN).kind = "group");
    app.say(OLD, ADMIN, "/subscribe sol,btc").await;
    app.say(OLD, ADMIN, "/settings max_per_hour=3").await;
    app.say(OLD, ADMIN, "/subscribe sol,btc grade above:70").await;
    group_subscribes(&mut app, "sol").await;
    app.pass(MINUTE).await;
    group_subscribes(&mut app, "sol grade").await;
    group_subscribes(&mut app, "btc grade below:30").await;
    app.baseline(&FOUR).await;
    let chat = app.telegram.with(|world| {
        let chat = world.chats[&GROUP].clone();
        world.migrate(OLD, GROUP);
        chat
    });
    app.telegram.with(|world| world.chats.insert(GROUP, chat));
    app.turn(&[SOL, BTC], 1).await;
    assert_eq!(app.on_telegram(), ["BTC turned bullish", "SOL turned bullish"], "each once, in the group that stays");
    let settings = rows(&app.db.url, &format!("SELECT settings FROM destinations WHERE chat = '{GROUP}'")).await;
    assert!(settings[0].contains("\"max_per_hour\":3"), "{settings:?}");
    let lines =
        "SELECT target || ' ' || threshold || CASE WHEN threshold_at = created_at THEN '' ELSE ' since later' END FROM subscriptions
        WHERE kind = 'grade' AND destination_id = (SELECT id FROM destinations WHERE chat = '{GROUP}') ORDER BY target";
    let lines = rows(&app.db.url, &lines.replace("{GROUP}", &GROUP.to_string())).await;
    assert_eq!(lines, ["3375 below:30 since later", "3988 above:70"], "that of the place that stays, else that of the other");
});

on_both!(what_both_places_of_one_group_were_to_be_told_is_told_once, |db| async move {
    const OLD: i64 = -4321;
    let mut app = open(db).await;
    app.telegram.with(|world| world.group(OLD, "Small", ADMIN).kind = "group");
    app.say(OLD, ADMIN, "/subscribe sol,btc,eth,xrp").await;
    app.say(GROUP, ADMIN, "/subscribe@bellwether_bot sol").await;
    app.baseline(&FOUR).await;
    let updates = app.telegram.with(|world| {
        let chat = world.chats[&GROUP].clone();
        world.migrate(OLD, GROUP);
        world.chats.insert(GROUP, chat);
        std::mem::take(&mut world.updates)
    });
    // Both are composed for before anybody says that they are one: the summary of the old place is taken back.
    app.turn(&FOUR, 1).await;
    let mut told = app.on_telegram();
    told.sort();
    let each = ["BTC", "ETH", "SOL", "XRP"].map(|token| format!("{token} turned bullish"));
    assert_eq!(told, each);
    app.telegram.with(|world| world.updates = updates);
    app.turn(&[SOL], -1).await;
    assert_eq!(app.on_telegram(), ["SOL turned bearish"]);
});

on_both!(a_closed_topic_is_its_own_affair, |db| async move {
    let mut app = open(db).await;
    app.telegram.with(|world| world.chats.get_mut(&GROUP).unwrap().topics = BTreeMap::from([(7, true), (8, true)]));
    for topic in [7, 8] {
        app.telegram.with(|world| world.say_in_topic(GROUP, topic, ADMIN, "/subscribe@bellwether_bot sol"));
        app.step().await;
    }
    group_subscribes(&mut app, "sol").await;
    app.baseline(&FOUR).await;
    app.telegram.with(|world| world.chats.get_mut(&GROUP).unwrap().topics.insert(7, false));
    app.turn(&[SOL], 1).await;
    let topics = |app: &TestApp| app.telegram_messages().into_iter().map(|(chat, topic, _)| (chat, topic)).collect::<Vec<_>>();
    assert_eq!(topics(&app), [(GROUP, Some(8)), (GROUP, None)]);
    app.pass(MINUTE).await;
    assert_eq!(topics(&app), [(OPERATOR, None)]);
    app.telegram.with(|world| world.chats.get_mut(&GROUP).unwrap().topics.insert(7, true));
    app.turn(&[SOL], -1).await;
    assert_eq!(topics(&app), [(GROUP, Some(8)), (GROUP, None)]);
    app.pass(60 * MINUTE).await;
    assert_eq!(topics(&app), [], "it turned and turned back: nothing to tell there");
    app.turn(&[SOL], 1).await;
    app.pass(Duration::from_secs(5)).await;
    assert_eq!(topics(&app), [(GROUP, Some(8)), (GROUP, None), (GROUP, Some(7)), (OPERATOR, None)], "and with the next call it is back");
});

on_both!(a_command_in_another_topic_opens_no_closed_one, |db| async move {
    let mut app = open(db).await;
    app.telegram.with(|world| world.chats.get_mut(&GROUP).unwrap().topics = BTreeMap::from([(7, true), (8, true)]));
    app.telegram.with(|world| world.say_in_topic(GROUP, 7, ADMIN, "/subscribe@bellwether_bot sol"));
    app.step().await;
    app.telegram_messages();
    app.baseline(&FOUR).await;
    app.telegram.with(|world| world.chats.get_mut(&GROUP).unwrap().topics.insert(7, false));
    app.turn(&[SOL], 1).await;
    app.pass(MINUTE).await;
    let topics = |app: &TestApp| {
        let mut topics: Vec<_> = app.telegram_messages().into_iter().map(|(chat, topic, _)| (chat, topic)).collect();
        topics.sort();
        topics
    };
    assert_eq!(topics(&app), [(OPERATOR, None)]);
    app.telegram.with(|world| world.say_in_topic(GROUP, 8, ADMIN, "/subscriptions@bellwether_bot"));
    app.pass(MINUTE).await;
    assert_eq!(topics(&app), [(GROUP, Some(8))], "nobody hears that the other one answers again");
    app.telegram.with(|world| {
        world.chats.get_mut(&GROUP).unwrap().topics.insert(7, true);
        world.say_in_topic(GROUP, 7, ADMIN, "/subscriptions@bellwether_bot")
    });
    app.pass(MINUTE).await;
    assert_eq!(topics(&app), [(GROUP, Some(7)), (GROUP, Some(7)), (OPERATOR, None)]);
});

on_both!(an_ambiguous_end_is_retried_once_and_then_given_up, |db| async move {
    let mut app = open(db).await;
    app.person_subscribes(PERSON, "sol").await;
    app.baseline(&FOUR).await;
    // Lost once, and it had arrived: that is the one message that can come twice.
    app.telegram.fault("sendMessage", Some(PERSON), Fault::Close { carried_out: true });
    app.turn(&[SOL], 1).await;
    assert_eq!(app.on_telegram(), ["SOL turned bullish", "SOL turned bullish"]);
    // Lost once, and it had not.
    app.telegram.fault("sendMessage", Some(PERSON), Fault::Close { carried_out: false });
    app.turn(&[SOL], -1).await;
    assert_eq!(app.on_telegram(), ["SOL turned bearish"]);
    // Lost twice: no third.
    for _ in 0..2 {
        app.telegram.fault("sendMessage", Some(PERSON), Fault::Close { carried_out: false });
    }
    app.turn(&[SOL], 1).await;
    app.pass(MINUTE).await;
    let told = app.telegram_messages();
    assert_eq!((told.len(), told[0].0), (1, OPERATOR));
    assert!(told[0].2.contains("may have arrived"), "{}", told[0].2);
    // They have probably read it, so that turning back is news.
    app.turn(&[SOL], -1).await;
    assert_eq!(app.on_telegram(), ["SOL turned bearish"]);
    // A refusal in between is no ambiguity: it is tried until it is through.
    app.telegram.fault("sendMessage", Some(PERSON), Fault::Close { carried_out: false });
    for _ in 0..3 {
        app.telegram.fault("sendMessage", Some(PERSON), Fault::Raw(502, "<h1>Bad Gateway</h1>"));
    }
    app.turn(&[SOL], 1).await;
    app.pass(MINUTE).await;
    app.pass(MINUTE).await;
    assert_eq!(app.on_telegram(), ["SOL turned bullish"]);
});

on_both!(markup_that_telegram_refuses_goes_as_plain_text, |db| async move {
    let mut app = open(db).await;
    app.person_subscribes(PERSON, "sol").await;
    app.baseline(&FOUR).await;
    let refusal = "Bad Request: can't parse entities: Can't find end tag corresponding to start tag b";
    app.telegram.fault("sendMessage", Some(PERSON), Fault::Refuse(400, refusal, Value::Null));
    app.turn(&[SOL], 1).await;
    assert_eq!(app.on_telegram(), ["SOL turned bullish"]);
    assert_eq!(app.log.take_errors().len(), 1, "a fault of ours, for whoever reads the log");
});

/// Destinations that never typed a command, by the hundred.
async fn crowd(app: &TestApp, chats: impl IntoIterator<Item = (i64, i64)>, now: i64) {
    let row = |(chat, topic): (i64, i64)| {
        let place = if chat < 0 { "group" } else { "person" };
        let topic = if topic == 0 { String::new() } else { topic.to_string() };
        format!("('telegram', '{chat}', '{topic}', '{place}', '{{\"max_per_hour\":10,\"cooldown_minutes\":0}}', {now}, 0, 0)")
    };
    let rows: Vec<_> = chats.into_iter().map(row).collect();
    let sql = format!(
        "INSERT INTO destinations (platform, chat, topic, place, settings, created_at, rest_until, probes) VALUES {};
         INSERT INTO subscriptions (destination_id, source, target, kind, direction, delivery, creator, created_at, updated_at)
            SELECT id, 'token-metrics', '{SOL}', 'daily', 'any', 'instant', 'test', {now}, {now} FROM destinations d
            WHERE NOT EXISTS (SELECT 1 FROM subscriptions s WHERE s.destination_id = d.id) AND d.creator IS NULL;",
        rows.join(",")
    );
    run_sql(&app.db.url, &sql).await;
}

on_both!(four_hundred_chats_at_once_keep_the_limits, |db| async move {
    let mut app = open(db).await;
    let sources = rows(&app.db.url, "SELECT source FROM tokens LIMIT 1").await;
    assert_eq!(sources.len(), 1);
    app.telegram.with(|world| {
        for chat in 2000..2400 {
            world.person(chat);
        }
        world.chats.get_mut(&GROUP).unwrap().topics = (1..=60).map(|topic| (100 + topic, true)).collect();
    });
    app.person_subscribes(PERSON, "sol").await;
    app.baseline(&FOUR).await;
    let before = bellwether::domain::Timestamp::parse(crate::support::app::BEGIN).unwrap().as_millis();
    // The group's sixty topics come first in every order that there is.
    crowd(&app, (1..=60).map(|topic| (GROUP, 100 + topic)).chain((2000..2400).map(|chat| (chat, 0))), before).await;
    app.call(&[SOL], 1);
    app.next_poll().await;
    let begun = app.clock.now();
    for _ in 0..8 {
        app.pass(Duration::from_secs(30)).await;
    }
    let sent = app.telegram.unread();
    assert_eq!(sent.len(), 461);
    assert_eq!(app.telegram.refused_for_speed(), 0, "Telegram never had to say that it is too much");
    let first = sent[0].at;
    let people: Vec<_> = sent.iter().filter(|sent| sent.chat > 0).map(|sent| sent.at.since(first)).collect();
    assert!(people.iter().max().unwrap() < &Duration::from_secs(20), "401 people at 30 a second: {:?}", people.iter().max());
    let topics = sent.iter().filter(|sent| sent.chat == GROUP).count();
    assert_eq!(topics, 60, "and the group, twenty a minute");
    assert!(begun >= first);
    assert_eq!(rows(&app.db.url, "SELECT CAST(MAX(attempts) AS TEXT) FROM messages").await, ["1"], "waiting for one's turn is no attempt");
});

// On PostgreSQL each of them rests all: in no order two would wait for one another, until the database gives up on one.
on_both!(attempts_in_the_topics_of_one_group_end_at_the_same_moment, |db| async move {
    let mut app = open(db).await;
    app.person_subscribes(PERSON, "sol").await;
    app.baseline(&FOUR).await;
    crowd(&app, (1..=60).map(|topic| (GROUP, 100 + topic)), app.clock.now().as_millis()).await;
    app.call(&[SOL], 1);
    app.clock.advance(Duration::from_secs(16 * 60));
    app.parts.poller.step().await.unwrap();
    app.parts.flow.step().await.unwrap();
    let (store, begun) = (app.parts.store.clone(), app.clock.now());
    for round in 1..=40 {
        let (now, lease) = (begun + Duration::from_secs(round), Duration::from_secs(15));
        let claims = store.claim(Platform::Telegram, "test", |id| nonce(id, 0), now, now + lease, 32).await.unwrap();
        assert!(claims.len() > 7, "{}", claims.len());
        let ends = claims.iter().enumerate().map(|(place, claimed)| {
            let (store, until) = (store.clone(), now + Duration::from_millis(place as u64));
            async move {
                match place % 2 {
                    0 => store.postpone(claimed, until, true).await,
                    _ => {
                        let problem = "too many requests".to_owned();
                        store.settle(claimed, &Settlement::Retry { at: until, rest: true, unknown: false, problem }, now).await.map(drop)
                    }
                }
            }
        });
        try_join_all(ends).await.unwrap();
    }
});

on_both!(operators_of_the_platform_that_refused_the_bot_read_when_that_was_and_that_it_is_over, |db| async move {
    let mut app = open(db).await;
    app.person_subscribes(PERSON, "sol").await;
    app.baseline(&FOUR).await;
    for _ in 0..9 {
        app.telegram.fault("sendMessage", None, Fault::Refuse(401, "Unauthorized", Value::Null));
    }
    app.turn(&[SOL], 1).await;
    // Restarts with the old token say it no second time.
    let mut app = app.restart().await;
    app.step().await;
    app.pass(MINUTE).await;
    assert_eq!(app.on_telegram(), [""; 0]);
    app.telegram.with(|world| world.faults.clear());
    let mut app = app.restart().await;
    app.pass(MINUTE).await;
    let told: Vec<_> = app.telegram_messages().into_iter().filter(|(chat, ..)| *chat == OPERATOR).map(|(_, _, text)| text).collect();
    assert!(told.len() == 2 && told[0].contains("Telegram refused the bot at 21 Nov 2026"), "{told:?}");
    assert!(told[1].contains("Telegram takes the bot's messages again"), "{told:?}");
});
