//! `/privacy`: everything that is stored about a person is handed out to them alone, and forgotten when they say so.

use crate::support::{
    app::TestApp,
    audience::{BTC, FOUR, HOUR, MINUTE, SOL, text},
    commands::{rows, run_sql},
    database::{TestDb, on_both},
    fake_discord::interaction::{ADMIN, MEMBER, PLAIN, slash},
};
use bellwether::{
    clock::Clock,
    domain::{Address, Place, Platform, UserId},
    store::{NewDestination, Settlement},
};
use insta::assert_snapshot;
use serde_json::{Value, json};
use std::{collections::BTreeSet, time::Duration};

/// Ids that stand in nothing else.
const PERSON: i64 = 5_550_199_401;
const OTHER: i64 = 5_550_199_777;
const GROUP: i64 = -1_001_234;

/// A person on Telegram and a member on Discord who have done everything that leaves a trace; so has somebody else.
async fn lived_in(db: TestDb) -> TestApp {
    let mut app = TestApp::start(db).await;
    app.telegram.with(|world| {
        world.group(GROUP, "Traders", PERSON);
    });
    for words in ["/subscribe all", "/subscribe sol hourly", "/unsubscribe xrp", "/settings cooldown=30", "/mute 24h btc", "/signal nosuch"]
    {
        app.say(PERSON, PERSON, words).await;
    }
    app.say(GROUP, PERSON, "/subscribe sol").await;
    app.say(GROUP, PERSON, "/settings max_per_hour=5").await;
    app.say(GROUP, PERSON, "/privacy").await;
    app.say(OTHER, OTHER, "/subscribe sol,btc").await;
    app.on_server(PLAIN, slash("subscribe", &[("tokens", "sol,btc")])).await;
    app.on_server(PLAIN, slash("mute", &[("for", "7d"), ("token", "btc")])).await;
    app.on_server(PLAIN, slash("settings", &[("cooldown", "5")])).await;
    app.channel_subscribes(json!([text("tokens", "sol")])).await;
    app.baseline(&FOUR).await;
    app.turn(&[SOL, BTC], 1).await;
    app.discord_messages();
    app.telegram_messages();
    app
}

/// Every place in the database where this text stands.
async fn traces(app: &TestApp, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (table, column) in app.db.store.schema().await.unwrap() {
        let sql = format!("SELECT CAST(\"{column}\" AS TEXT) FROM {table} WHERE CAST(\"{column}\" AS TEXT) LIKE '%{text}%'");
        found.extend(rows(&app.db.url, &sql).await.into_iter().map(|value| format!("{table}.{column}: {value}")));
    }
    found
}

fn names(list: &Value, field: &str) -> Vec<String> {
    let mut names: Vec<_> = list.as_array().unwrap().iter().map(|row| row[field].as_str().unwrap_or("-").to_owned()).collect();
    names.sort();
    names
}

on_both!(what_is_handed_out_is_what_was_done, |db| async move {
    let mut app = lived_in(db).await;
    app.telegram.with(|world| world.say(PERSON, PERSON, "/privacy export"));
    app.step().await;
    let mut sent = app.telegram.unread();
    assert_eq!(sent.len(), 1);
    let answer = sent.pop().unwrap();
    assert_eq!(answer.chat, PERSON);
    assert_snapshot!(answer.text, @"
    ✅ Everything that is stored about you
    It is in the attached file bellwether-export.json, as JSON; times are UTC.
    ");
    let sent = answer.file.unwrap();
    assert_eq!(sent.name, "bellwether-export.json");
    let content = sent.text();
    let file: Value = serde_json::from_str(content).unwrap();
    assert_eq!(file["person"], format!("telegram:{PERSON}"));
    assert!(file["exported_at"].as_str().unwrap().starts_with("2026-11-21T06:32:"), "{}", file["exported_at"]);
    assert_eq!(file["left_out"], json!({}));
    let chat = &file["own_chat"][0];
    assert_eq!((&chat["chat"], &chat["settings"]["cooldown_minutes"]), (&json!(PERSON.to_string()), &json!(30)));
    assert!(chat["first_seen_at"].as_str().unwrap().starts_with("2026-11-21T06:00:"), "{chat}");
    assert_eq!(names(&file["subscriptions"], "kind"), ["daily", "hourly"]);
    assert_eq!(names(&file["subscriptions"], "tokens"), ["#3988", "all"]);
    assert_eq!(names(&file["left_out_of_all"], "symbol"), ["XRP"]);
    assert_eq!(names(&file["muted_tokens"], "symbol"), ["BTC"]);
    assert_eq!(names(&file["last_told"], "symbol"), ["SOL"]);
    assert_eq!(names(&file["alerts"], "reason"), ["instant", "muted"]);
    assert_eq!(names(&file["lookups"], "query"), ["NOSUCH"]);
    assert_eq!(names(&file["links_to_take_up"], "command"), ["privacy"]);
    assert_eq!(names(&file["changes_of_channels_and_groups"], "action"), ["settings", "subscribe"]);
    assert_eq!(names(&file["channels_and_groups_set_up"], "place"), ["Traders"]);
    assert_eq!(names(&file["subscriptions_made_there"], "tokens"), ["#3988"]);
    let messages = names(&file["messages"], "message");
    assert!(messages.iter().any(|message| message.starts_with("SOL turned bullish\n")), "{messages:?}");
    let records = file["changes_of_channels_and_groups"].to_string();
    assert!(records.contains(r#""max_per_hour":5"#) && !content.contains(&OTHER.to_string()) && !content.contains(MEMBER), "{records}");
    // The file is not kept: the next one does not hold it.
    assert_eq!(rows(&app.db.url, "SELECT body FROM messages WHERE body LIKE '%exported_at%'").await, [""; 0]);

    let said = app.on_server(PLAIN, slash("privacy", &[("action", "export")])).await;
    assert!(said.starts_with("Everything that is stored about you"), "{said}");
    let files = app.discord.files();
    assert_eq!(files.len(), 1);
    assert_eq!(files[0].name, "bellwether-export.json");
    let file: Value = serde_json::from_str(files[0].text()).unwrap();
    assert_eq!(file["person"], format!("discord:{MEMBER}"));
    assert_eq!(names(&file["subscriptions"], "symbol"), ["BTC", "SOL"]);
    assert_eq!(names(&file["muted_tokens"], "symbol"), ["BTC"]);
    assert_eq!(names(&file["channels_and_groups_set_up"], "place"), ["#alerts"]);
    assert!(!files[0].text().contains(&PERSON.to_string()));
    assert_eq!(app.discord_messages(), [], "nothing of it is visible to others");
});

on_both!(whoever_is_forgotten_leaves_no_trace, |db| async move {
    let mut app = lived_in(db).await;
    assert!(!traces(&app, &PERSON.to_string()).await.is_empty() && !traces(&app, MEMBER).await.is_empty());
    run_sql(
        &app.db.url,
        &format!("INSERT INTO updates_seen (update_id, received_at, body, state) VALUES (5, 5, '{{\"id\":{PERSON}', 'rejected')"),
    )
    .await;
    let said = app.say(PERSON, PERSON, "/privacy forget").await;
    assert_snapshot!(said, @"
    ✅ You are forgotten
    Removed: 2 subscriptions, your settings and mutes, 7 messages, your name from 1 look-up, and what you were told before.
    Channels and groups that you set up keep their alerts, because they are the community's; to end those, unsubscribe there. Your name is removed from 2 rows about them, and from 2 records of changes.
    This answer itself is forgotten as soon as it is sent. Telegram keeps what I have written to you until you delete it there; a message that is being sent at this moment may still arrive. Backups that whoever runs this bot may have made are beyond my reach.
    To begin anew, type /subscribe SOL.
    ");
    app.pass(Duration::from_secs(61)).await;
    assert_eq!(traces(&app, &PERSON.to_string()).await, [""; 0]);
    let said = app.on_server(ADMIN, slash("privacy", &[("action", "forget")])).await;
    assert!(said.starts_with("You are forgotten\nRemoved: 2 subscriptions, your settings and mutes, 1 message, "), "{said}");
    assert!(said.contains("from 2 rows about them, and from 1 record of changes") && said.contains("\nDiscord keeps"), "{said}");
    app.pass(Duration::from_secs(61)).await;
    assert_eq!(traces(&app, MEMBER).await, [""; 0]);
    // A second time there is nothing.
    assert_eq!(app.say(PERSON, PERSON, "/privacy forget").await, "Nothing is stored about you");
    app.pass(Duration::from_secs(61)).await;
    assert_eq!(traces(&app, &PERSON.to_string()).await, [""; 0]);
    assert_eq!(app.on_server(PLAIN, slash("privacy", &[("action", "forget")])).await, "Nothing is stored about you");

    // The communities' alerts go on, those of others too, and nobody else is told of anything.
    app.turn(&[SOL, BTC], -1).await;
    assert_eq!(app.on_discord(), ["SOL turned bearish"]);
    let chats: BTreeSet<_> = app.telegram_messages().into_iter().map(|(chat, ..)| chat).collect();
    assert_eq!(chats, BTreeSet::from([GROUP, OTHER]));
    // Who comes back begins anew: no mute, no setting, no old state.
    app.person_subscribes(PERSON, "sol,btc").await;
    app.next_poll().await;
    assert_eq!(app.on_telegram(), [""; 0]);
    let said = app.say(PERSON, PERSON, "/settings").await;
    assert!(said.contains("cooldown 0") && !said.contains("Muted"), "{said}");
    app.turn(&[BTC], 1).await;
    assert_eq!(app.on_telegram(), ["BTC turned bullish", "BTC turned bullish"], "the two who follow it");
    app.pass(24 * HOUR).await;
    assert!(!traces(&app, &PERSON.to_string()).await.is_empty(), "somebody who came back is not forgotten again");
    app.telegram_messages();
    app.discord_messages();
});

on_both!(what_is_under_way_when_someone_is_forgotten_harms_nobody, |db| async move {
    let mut app = lived_in(db).await;
    app.say(PERSON, PERSON, "/mute off").await;
    app.telegram_messages();
    // Composed, one of them claimed by a deliverer, and a change half fanned out.
    app.call(&[SOL, BTC], -1);
    app.clock.advance(40 * MINUTE);
    app.parts.poller.step().await.unwrap();
    app.parts.flow.step().await.unwrap();
    let now = app.clock.now();
    let claims = app.parts.store.claim(Platform::Telegram, "t", |id| id.0.to_string(), now, now + MINUTE, 10).await.unwrap();
    assert!(claims.iter().any(|claim| claim.destination.address.chat == PERSON.to_string()));
    app.telegram.with(|world| world.say(PERSON, PERSON, "/privacy forget"));
    app.parts.updates.as_ref().unwrap().step().await.unwrap();
    for claim in &claims {
        let sent = Settlement::Sent { platform_id: "1".to_owned(), rest_until: None, route: None };
        let held = app.parts.store.settle(claim, &sent, now).await.unwrap();
        assert_eq!(held, claim.destination.address.chat != PERSON.to_string());
    }
    app.step().await;
    app.discord_messages();
    let titles = app.on_telegram();
    assert!(titles.contains(&"You are forgotten".to_owned()) && !titles.iter().any(|title| title.starts_with("Held back")), "{titles:?}");
    app.pass(Duration::from_secs(61)).await;
    assert_eq!(traces(&app, &PERSON.to_string()).await, [""; 0]);
});

on_both!(a_crash_between_the_deed_and_the_answer_leaves_nothing_either, |db| async move {
    let app = lived_in(db).await;
    let id = app.telegram.with(|world| world.say(PERSON, PERSON, "/privacy forget"));
    // The deed is committed, the answer is not: the update is carried out again after the restart.
    let address = Address::new(Platform::Telegram, PERSON.to_string());
    let own = NewDestination { address, place: Place::Person, tenant: None, label: None, creator: Some(format!("telegram:{PERSON}")) };
    let key = format!("telegram:update:{id}");
    app.db.store.forget_person(&own, &UserId(PERSON.to_string()), Some(&key), app.clock.now()).await.unwrap();
    let mut app = app.restart().await;
    app.step().await;
    assert_eq!(app.on_telegram(), ["This was already done."]);
    app.pass(Duration::from_secs(61)).await;
    assert_eq!(traces(&app, &PERSON.to_string()).await, [""; 0]);
});

on_both!(it_is_explained_and_said_to_nobody_else, |db| async move {
    let mut app = TestApp::start(db).await;
    app.telegram.with(|world| {
        world.group(GROUP, "Traders", PERSON);
    });
    assert_snapshot!(app.say(PERSON, PERSON, "/privacy").await, @"
    What I know about you
    /privacy export: a file with everything that is stored about you, for your eyes alone.
    /privacy forget: removes all of it at once: subscriptions, settings, mutes, messages, and your name wherever it stands. It cannot be undone.
    ");
    let said = app.on_server(PLAIN, slash("privacy", &[])).await;
    assert!(said.contains("`/privacy action:export`") && said.contains("`/privacy action:forget`"), "{said}");
    let said = app.say(PERSON, PERSON, "/privacy delete").await;
    assert!(said.contains("delete is not a privacy action. Choose one of: export, forget.\nFor example: /privacy export"), "{said}");
    let said = app.say(PERSON, PERSON, "/privacy forget SOL").await;
    assert!(said.contains("SOL is not a privacy action"), "{said}");
    let said = app.say(GROUP, PERSON, "/privacy export").await;
    assert!(!said.contains("stored about you"), "{said}");
    app.telegram_messages();
});
