//! Places that die and come back (ARCHITECTURE.md, rules K): what is kept for them and for how long, who is told what to do, and what brings them back.

use crate::support::{
    app::TestApp,
    audience::{BTC, ETH, FOUR, HOUR, MINUTE, SOL},
    commands::{rows, run_sql},
    community::today,
    database::on_both,
    fake_discord::{
        GUILD, HERE, direct_channel,
        interaction::{ADMIN, MEMBER, PLAIN, for_channel, slash, subcommand},
    },
    fake_telegram::Fault,
};
use insta::assert_snapshot;
use serde_json::{Value, json};
use std::time::Duration;

const PERSON: i64 = 501;
const GROUP: i64 = -1_001_234;
const OPERATOR: i64 = 900;
const DAY: Duration = Duration::from_secs(24 * 3600);

fn channel(n: u64) -> String {
    (1_180_243_562_783_190_000 + n).to_string()
}

fn on(channel: &str) -> String {
    format!("POST /channels/{channel}/messages")
}

async fn channel_subscribes(app: &mut TestApp, channel: &str) {
    app.clock.advance(Duration::from_secs(1));
    let said = app.on_server(ADMIN, for_channel("subscribe", channel, &[("tokens", "SOL,BTC,ETH")])).await;
    assert!(said.contains("Subscribed"), "{said}");
}

/// Operators, and an admin of the server whom the bot knows from their direct messages.
async fn owned(db: crate::support::database::TestDb) -> TestApp {
    let mut app = TestApp::with(db, &[("BELLWETHER_OPERATORS", "telegram:900")]).await;
    app.telegram.with(|world| {
        world.person(OPERATOR);
        world.group(GROUP, "Traders", PERSON);
    });
    let said = app.member_subscribes("xrp").await;
    assert!(said.contains("Subscribed"), "{said}");
    app
}

/// What the admin reads in their direct messages.
fn owner_reads(app: &TestApp) -> Vec<String> {
    let messages = app.discord_messages();
    messages.into_iter().filter(|(channel, _)| *channel == direct_channel(MEMBER)).map(|(_, text)| text).collect()
}

on_both!(k4_whoever_set_a_channel_up_is_told_once_what_to_do, |db| async move {
    let mut app = owned(db).await;
    channel_subscribes(&mut app, HERE).await;
    app.baseline(&FOUR).await;
    let (mut told, mut stance) = (Vec::new(), 1);
    for (status, code) in [(403, 50013), (404, 10003), (403, 160_005), (400, 50008), (403, 40007)] {
        app.discord.refuse(&on(HERE), 1, status, code);
        app.turn(&[SOL], stance).await;
        assert_eq!(owner_reads(&app), [""; 0], "a minute may still tell that it was the platform");
        app.pass(MINUTE).await;
        told.extend(owner_reads(&app));
        app.pass(30 * MINUTE).await;
        assert_eq!(owner_reads(&app), [""; 0], "once");
        app.pass(HOUR).await;
        let back = app.discord_messages();
        let (here, owner): (Vec<_>, Vec<_>) = back.into_iter().partition(|(channel, _)| channel == HERE);
        assert!(here.len() == 1 && here[0].1.contains("SOL turned"), "{here:?}");
        assert!(owner.len() == 1 && owner[0].1.contains("answers again"), "{owner:?}");
        stance = -stance;
    }
    assert_eq!(app.on_telegram(), [""; 0], "operators have nothing to do with it");
    assert_eq!(told.len(), 5);
    let words = [
        ("not write there", "Embed Links"),
        ("was deleted", "choose another one"),
        ("the thread is locked", "Manage Threads"),
        ("of this kind", "subscribe a text channel"),
        ("was removed from the server", "invite the bot again"),
    ];
    for (text, (cause, fix)) in told.iter().zip(words) {
        assert!(text.starts_with("I cannot reach #") && text.contains(cause) && text.contains("What to do: "), "{text}");
        assert!(text.contains(fix) && text.contains("the last 7 days") && text.contains("/history"), "{text}");
    }
});

on_both!(k5_a_channel_that_takes_the_embeds_away_is_one_without_rights, |db| async move {
    let mut app = owned(db).await;
    channel_subscribes(&mut app, HERE).await;
    app.baseline(&FOUR).await;
    app.discord.may_embed(HERE, false);
    app.turn(&[SOL], 1).await;
    app.pass(MINUTE).await;
    let told = owner_reads(&app);
    assert!(told.len() == 1 && told[0].contains("Embed Links") && told[0].contains("the last 7 days"), "{told:?}");
    assert_eq!(app.discord.messages().iter().filter(|message| message.channel == HERE).count(), 0, "nobody looks at buttons alone");
    let set_aside = "SELECT quarantine_reason FROM destinations WHERE quarantine_reason IS NOT NULL";
    assert_eq!(rows(&app.db.url, set_aside).await, ["forbidden"]);
    app.pass(HOUR).await;
    assert_eq!(app.on_discord(), [""; 0], "tried again, and still nothing to see");
    app.discord.may_embed(HERE, true);
    app.on_server(ADMIN, slash("help", &[])).await;
    app.pass(MINUTE).await;
    let mut back = app.discord_messages();
    back.sort();
    assert!(back.len() == 2 && back[0].0 == HERE && back[0].1.contains("SOL turned bullish"), "{back:?}");
    assert!(back[1].1.contains("answers again"), "{back:?}");
});

on_both!(k4_many_channels_of_a_server_are_one_notice, |db| async move {
    let mut app = owned(db).await;
    for n in 0..7 {
        app.discord.channel(&channel(n), json!({"name": format!("alerts-{n}")}));
        channel_subscribes(&mut app, &channel(n)).await;
    }
    app.baseline(&FOUR).await;
    app.discord.refuse("POST /channels", 7, 403, 50013);
    app.turn(&[SOL], 1).await;
    app.pass(MINUTE).await;
    let told = owner_reads(&app);
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].contains(" and 2 more: ") && told[0].matches(", #").count() == 4, "{}", told[0]);
    let list = app.on_server(ADMIN, subcommand("channel", "list", json!([]))).await;
    assert_eq!(list.matches("I lack a permission there, so alerts are held").count(), 7, "{list}");
    assert_eq!(app.on_telegram(), [""; 0]);
    // An hour later each is tried; they are told of together again.
    app.pass(HOUR).await;
    let messages = app.discord_messages();
    let (owner, channels): (Vec<_>, Vec<_>) = messages.into_iter().partition(|(channel, _)| *channel == direct_channel(MEMBER));
    assert_eq!(channels.len(), 7);
    assert!(owner.len() <= 2 && owner.iter().all(|(_, text)| text.contains("again")), "{owner:#?}");
});

on_both!(k4_each_reason_of_telegrams_has_its_words, |db| async move {
    let mut app = owned(db).await;
    app.telegram.with(|world| _ = world.person(PERSON));
    app.say(PERSON, PERSON, "/help").await;
    let said = app.say(GROUP, PERSON, "/subscribe@bellwether_bot sol").await;
    assert!(said.contains("Subscribed"), "{said}");
    app.baseline(&FOUR).await;
    let (mut told, mut stance) = (Vec::new(), 1);
    for (code, words) in [
        (403, "Forbidden: bot was kicked from the supergroup chat"),
        (400, "Bad Request: TOPIC_CLOSED"),
        (400, "Bad Request: not enough rights to send text messages to the chat"),
        (400, "Bad Request: chat not found"),
    ] {
        app.telegram.fault("sendMessage", Some(GROUP), Fault::Refuse(code, words, Value::Null));
        app.turn(&[SOL], stance).await;
        app.pass(MINUTE).await;
        let read = app.telegram_messages();
        assert!(read.len() == 1 && read[0].0 == PERSON, "{words}: {read:?}");
        told.push(read[0].2.clone());
        // A command from there brings it back.
        app.say(GROUP, PERSON, "/subscriptions@bellwether_bot").await;
        app.pass(MINUTE).await;
        app.telegram_messages();
        stance = -stance;
    }
    let words = [
        ("removed from the group", "add the bot again"),
        ("the topic was closed", "open the topic again"),
        ("may not write there", "let the bot write there"),
        ("the chat was deleted", "add the bot to the chat"),
    ];
    for (text, (cause, fix)) in told.iter().zip(words) {
        assert!(text.contains("I cannot reach Traders: ") && text.contains(cause) && text.contains(fix), "{text}");
    }
});

on_both!(k4_nothing_is_on_its_way_where_all_turned_back, |db| async move {
    let mut app = owned(db).await;
    app.telegram.with(|world| _ = world.person(PERSON));
    app.say(PERSON, PERSON, "/help").await;
    app.say(GROUP, PERSON, "/subscribe@bellwether_bot sol").await;
    app.baseline(&FOUR).await;
    let told = |app: &TestApp| app.telegram_messages().into_iter().map(|(chat, _, text)| (chat, text)).collect::<Vec<_>>();
    for (last, words) in [(-1, "answers again."), (1, "answers again; what was held is on its way.")] {
        app.telegram.fault("sendMessage", Some(GROUP), Fault::Refuse(400, "Bad Request: CHAT_WRITE_FORBIDDEN", Value::Null));
        app.turn(&[SOL], 1).await;
        app.pass(MINUTE).await;
        assert_eq!(told(&app).len(), 1);
        app.turn(&[SOL], last).await;
        app.telegram.with(|world| world.say(GROUP, PERSON, "/subscriptions@bellwether_bot"));
        app.pass(MINUTE).await;
        let (owner, group): (Vec<_>, Vec<_>) = told(&app).into_iter().partition(|(chat, _)| *chat == PERSON);
        assert!(owner.len() == 1 && owner[0].1.ends_with(words), "{owner:?}");
        assert_eq!(group.iter().filter(|(_, text)| text.contains("SOL turned")).count(), usize::from(last == 1), "{group:?}");
    }
});

on_both!(k1_k2_what_was_held_is_one_summary_and_what_is_too_old_is_counted, |db| async move {
    let mut app = TestApp::start(db).await;
    app.person_subscribes(PERSON, "sol,btc,eth").await;
    app.baseline(&FOUR).await;
    app.telegram.with(|world| world.place(PERSON, "kicked"));
    app.turn(&[SOL], 1).await;
    for _ in 0..3 {
        app.pass(DAY).await;
    }
    app.turn(&[BTC, ETH], 1).await;
    for _ in 0..5 {
        app.pass(DAY).await;
    }
    assert_eq!(app.on_telegram(), [""; 0]);
    let tried = app.telegram.calls("sendMessage").iter().filter(|call| call["chat_id"] == PERSON).count();
    app.telegram.with(|world| world.place(PERSON, "member"));
    app.step().await;
    let back = app.telegram_messages();
    assert_eq!(back.len(), 1, "{back:?}");
    assert_snapshot!(back[0].2, @"
    Held back: 2 calls
    BTC turned bullish (daily, 24 Nov 2026)
    ETH turned bullish (daily, 24 Nov 2026)
    1 change from over 7 days ago, while I could not reach you, is in /history.
    ");
    assert!(tried <= 8, "probes grow rarer: {tried}");
    let said = app.say(PERSON, PERSON, "/why sol").await;
    assert!(said.contains("over 7 days old by then") && said.contains("only counts it") && said.contains("Delivered"), "{said}");
    let said = app.say(PERSON, PERSON, "/why btc").await;
    assert!(said.contains("Made into a message") && !said.contains("only counts"), "{said}");
    assert_eq!(rows(&app.db.url, "SELECT DISTINCT state FROM alerts").await, ["told"], "all of it is accounted for");
    // With nothing that is young enough the chat is told how many there were all the same.
    app.telegram.with(|world| world.place(PERSON, "kicked"));
    app.turn(&[SOL, BTC], -1).await;
    for _ in 0..8 {
        app.pass(DAY).await;
    }
    // They have come back, and Telegram's word of that is not needed.
    app.telegram.with(|world| world.chats.get_mut(&PERSON).unwrap().without_bot = false);
    let said = app.say(PERSON, PERSON, "/start").await;
    assert!(said.contains("I can reach you again") && said.contains("2 changes from over 7 days ago"), "{said}");
});

on_both!(k3_a_command_in_the_channel_is_reason_enough_to_try, |db| async move {
    let mut app = TestApp::start(db).await;
    channel_subscribes(&mut app, HERE).await;
    app.baseline(&FOUR).await;
    app.discord.refuse(&on(HERE), 1, 403, 50013);
    app.turn(&[SOL], 1).await;
    app.on_server(PLAIN, slash("help", &[])).await;
    app.step().await;
    assert_eq!(app.on_discord(), [""; 0], "whoever cannot have changed anything is no reason");
    app.on_server(ADMIN, slash("help", &[])).await;
    app.step().await;
    assert_eq!(app.on_discord(), ["SOL turned bullish"]);
});

on_both!(k3_a_topic_that_is_open_again_is_tried_at_once, |db| async move {
    let mut app = owned(db).await;
    app.telegram.with(|world| {
        world.person(PERSON);
        for topic in [5, 6] {
            world.chats.get_mut(&GROUP).unwrap().topics.insert(topic, true);
        }
    });
    app.say(PERSON, PERSON, "/help").await;
    app.telegram.with(|world| {
        for topic in [5, 6] {
            world.say_in_topic(GROUP, topic, PERSON, "/subscribe SOL,BTC");
        }
    });
    app.step().await;
    let told = TestApp::telegram_messages;
    assert_eq!(told(&app).iter().filter(|(_, topic, text)| topic.is_some() && text.contains("Subscribed")).count(), 2);
    app.baseline(&FOUR).await;
    app.telegram.with(|world| world.chats.get_mut(&GROUP).unwrap().topics.values_mut().for_each(|open| *open = false));
    app.turn(&[SOL], 1).await;
    app.pass(MINUTE).await;
    let owner = told(&app);
    assert!(!owner.is_empty() && owner.iter().all(|told| told.0 == PERSON && told.2.contains("the topic was closed")), "{owner:?}");
    app.turn(&[BTC], 1).await;
    app.pass(MINUTE).await;
    assert_eq!(told(&app), [], "it waits");
    app.telegram.with(|world| world.reopen(GROUP, 5, PERSON));
    app.step().await;
    app.step().await;
    let told = told(&app);
    let (back, owner): (Vec<_>, Vec<_>) = told.iter().partition(|(chat, ..)| *chat == GROUP);
    assert!(back.len() == 1 && back[0].1 == Some(5) && back[0].2.contains("SOL") && back[0].2.contains("BTC"), "one summary: {back:?}");
    assert!(owner.len() == 1 && owner[0].2.contains("answers again"), "the other is closed still: {owner:?}");
});

on_both!(k3_a_change_of_rights_is_tried_at_once, |db| async move {
    let mut app = TestApp::over_gateway(db, |discord| discord.channel(&channel(1), json!({"name": "other"}))).await;
    app.discord.gateway.connected().await;
    for channel in [HERE.to_owned(), channel(1)] {
        channel_subscribes(&mut app, &channel).await;
    }
    app.baseline(&FOUR).await;
    let turns = |app: &TestApp, stance| {
        let today = today(app);
        app.source.set_daily(SOL, &today, stance, stance);
    };
    for (name, data) in [
        ("GUILD_ROLE_UPDATE", json!({"guild_id": GUILD, "role": {"id": GUILD}})),
        ("GUILD_MEMBER_UPDATE", json!({"guild_id": GUILD, "user": {"id": "1"}, "roles": []})),
    ] {
        app.calm().await;
        app.discord.refuse("POST /channels", 2, 403, 50013);
        turns(&app, if name == "GUILD_ROLE_UPDATE" { 1 } else { -1 });
        app.next_poll().await;
        assert_eq!(app.on_discord(), [""; 0]);
        let before = app.discord.requests().len();
        app.step().await;
        assert_eq!(app.discord.requests().len(), before, "nobody tries");
        app.discord.gateway.happens(name, &data);
        app.discord.gateway.dealt_with().await;
        app.step().await;
        assert_eq!(app.on_discord().len(), 2, "{name}: one was tried, and as it answered, the other");
    }
    app.calm().await;
    app.discord.refuse(&on(HERE), 1, 403, 160_005);
    turns(&app, 1);
    app.next_poll().await;
    assert_eq!(app.on_discord().len(), 1);
    app.discord.gateway.happens("THREAD_UPDATE", &json!({"id": HERE, "guild_id": GUILD, "thread_metadata": {"locked": false}}));
    app.discord.gateway.dealt_with().await;
    app.step().await;
    assert_eq!(app.on_discord(), ["SOL turned bullish"]);
});

on_both!(k3_a_change_of_rights_tries_what_has_something_to_say, |db| async move {
    let mut app = TestApp::over_gateway(db, |discord| {
        for n in [1, 2] {
            discord.channel(&channel(n), json!({"name": format!("other-{n}")}));
        }
    })
    .await;
    app.discord.gateway.connected().await;
    for channel in [HERE.to_owned(), channel(1), channel(2)] {
        channel_subscribes(&mut app, &channel).await;
    }
    app.baseline(&FOUR).await;
    app.discord.refuse("POST /channels", 3, 403, 50013);
    app.turn(&[SOL], 1).await;
    // Nothing waits for the first any more, and the second stays closed.
    let of_first = format!("destination_id IN (SELECT id FROM destinations WHERE chat = '{HERE}')");
    run_sql(&app.db.url, &format!("UPDATE alerts SET state = 'skipped' WHERE state = 'pending' AND {of_first}")).await;
    app.discord.refuse(&on(&channel(1)), 100, 403, 50013);
    let tried = |app: &TestApp| app.discord.requests().iter().filter(|request| request.starts_with("POST /channels")).count();
    for (event, told) in [0, 1].into_iter().enumerate() {
        let before = tried(&app);
        for _ in 0..3 {
            app.discord.gateway.happens("GUILD_ROLE_UPDATE", &json!({"guild_id": GUILD, "role": {"id": GUILD}}));
            app.discord.gateway.dealt_with().await;
        }
        app.step().await;
        assert_eq!(app.on_discord().len(), told, "event {event}");
        assert_eq!(tried(&app) - before, 1 + told, "event {event}: one that has something to say, and after a success the other");
    }
});
