//! The picture that goes with an alert (ARCHITECTURE.md, rules P): on both platforms, drawn once and sent once, and never in the way of the words.

use crate::support::{
    app::TestApp,
    audience::{BTC, FOUR, HOUR, SOL, XRP, text},
    commands::{rows, run_sql},
    database::{TestDb, on_both},
    fake_discord::{
        HERE, Message,
        interaction::{ADMIN, BOT, in_server, slash, subcommand},
    },
    fake_telegram::{Fault, Sent},
};
use insta::assert_snapshot;
use serde_json::json;

const PERSON: i64 = 555;
const OTHERS: [i64; 3] = [601, 602, 603];
const GROUP: i64 = -1_001_234;

/// A channel on Discord and people on Telegram follow all, with charts; the baseline is bearish.
async fn followers(db: TestDb, people: &[i64]) -> TestApp {
    let mut app = TestApp::start(db).await;
    app.channel_subscribes(json!([text("tokens", "all")])).await;
    for person in people {
        app.person_subscribes(*person, "all").await;
    }
    days_before(&app);
    app.baseline(&FOUR).await;
    for person in people {
        app.choose(*person, &[("charts", "on")]).await;
    }
    app
}

/// What a picture shows beside the call of today.
fn days_before(app: &TestApp) {
    for day in ["2026-11-17", "2026-11-18", "2026-11-19", "2026-11-20"] {
        FOUR.iter().for_each(|token| app.source.set_daily(*token, day, -1, -1));
    }
}

fn the_only<T: std::fmt::Debug>(mut all: Vec<T>) -> T {
    assert_eq!(all.len(), 1, "{all:#?}");
    all.remove(0)
}

fn both(app: &TestApp) -> (Message, Sent) {
    (the_only(app.discord.unread()), the_only(app.telegram.unread()))
}

/// Somebody types where the bot may attach files now.
async fn may_attach_files(app: &mut TestApp) {
    app.discord.channel(HERE, json!({"name": "alerts"}));
    let mut typed = in_server(app.next_interaction(), ADMIN, slash("status", &[]));
    typed["app_permissions"] = json!((BOT | 1 << 15).to_string());
    app.interact(&typed).await;
}

/// How the calls of a method named their photo.
fn named(app: &TestApp) -> Vec<bool> {
    app.telegram.calls("sendPhoto").iter().map(|call| call["photo"].is_string()).collect()
}

on_both!(p1_an_alert_of_one_token_brings_its_past, |db| async move {
    let mut app = followers(db, &[PERSON]).await;
    app.turn(&[SOL], 1).await;
    let (there, here) = both(&app);
    assert_snapshot!(here.text, @"
    🟢 SOL turned bullish
    Daily call of 21 Nov 2026, seen 21 Nov 2026 06:32 UTC
    Before: bearish since 17 Nov 2026
    Trader grade 26.48
    Read more
    ");
    let picture = here.file.unwrap();
    assert_eq!((picture.name.as_str(), here.buttons.len()), ("3988-daily.png", 4));
    assert_eq!(there.file.as_ref(), Some(&picture), "the same picture");
    assert_eq!(there.body["embeds"][0]["title"], "SOL turned bullish");
    assert_eq!(there.body["components"][0]["components"].as_array().unwrap().len(), 5);
    assert_snapshot!(there.body["attachments"][0]["description"].as_str().unwrap(), @"Chart of the daily calls of SOL from 17 Nov 2026 to 21 Nov 2026. Now: bullish since 21 Nov 2026. The call turned once in that time. Price change since 17 Nov 2026: 0.0 %.");
    assert_eq!(rows(&app.db.url, "SELECT body FROM messages WHERE body LIKE '%png%'").await, [""; 0], "it is not kept");
    // Several at once are a summary, and what was not asked for does not come.
    app.turn(&[SOL], -1).await;
    let (there, here) = both(&app);
    assert!(there.file.is_some() && there.file == here.file && here.file.as_ref() != Some(&picture), "another poll, another picture");
    app.turn(&FOUR, 1).await;
    let (there, here) = both(&app);
    assert!(there.file.is_none() && here.file.is_none() && here.text.starts_with("4 calls changed"), "{}", here.text);
    app.choose(PERSON, &[("charts", "off")]).await;
    app.turn(&[BTC], -1).await;
    let (there, here) = both(&app);
    assert_eq!((there.file, here.file), (None, None));
    // Without a past there is nothing to show.
    app.choose(PERSON, &[("charts", "on")]).await;
    run_sql(&app.db.url, "DELETE FROM observations").await;
    app.turn(&[BTC], 1).await;
    let (there, here) = both(&app);
    assert_eq!((there.file, here.file), (None, None));
});

on_both!(p2_a_picture_is_sent_once_however_many_get_it, |db| async move {
    let mut app = followers(db, &OTHERS).await;
    app.say(OTHERS[2], OTHERS[2], "/settings quiet_hours=06:00-08:00").await;
    app.telegram_messages();
    app.turn(&[SOL], 1).await;
    let sent = app.telegram.unread();
    assert_eq!((sent.len(), sent[0].file.as_ref(), named(&app)), (2, sent[1].file.as_ref(), vec![false, true]));
    assert_eq!(rows(&app.db.url, "SELECT platform FROM uploads").await, ["telegram"]);
    // It is known after a restart, and sent again where Telegram has forgotten it.
    let mut app = app.restart().await;
    app.telegram.with(|world| world.photos.clear());
    app.at("2026-11-21T08:00:00Z").await;
    let late = the_only(app.telegram.unread());
    assert_eq!((late.chat, late.file.is_some(), named(&app)), (OTHERS[2], true, vec![false, true, true, false]));
    // Another poll, another picture.
    app.turn(&[SOL], -1).await;
    assert_eq!(named(&app)[4..], [false, true, true]);
    app.telegram.unread();
    app.discord.unread();
});

on_both!(p3_the_words_go_alone_where_the_picture_cannot, |db| async move {
    let mut app = followers(db, &[PERSON]).await;
    app.discord.channel(HERE, json!({"name": "alerts", "without_files": true}));
    app.telegram.fault("sendPhoto", None, Fault::Refuse(400, "Bad Request: not enough rights to send photos to the chat", json!(null)));
    app.turn(&[SOL], 1).await;
    let (there, here) = both(&app);
    assert_eq!((&there.file, &here.file), (&None, &None));
    assert!(here.text.contains("SOL turned bullish") && here.buttons.len() == 4, "{here:?}");
    assert_eq!(there.body["embeds"][0]["title"], "SOL turned bullish");
    assert_eq!(there.body["embeds"][0]["image"], json!(null));
    assert_eq!(rows(&app.db.url, "SELECT chat FROM destinations WHERE quarantine_reason IS NOT NULL").await, [""; 0]);
    // An upload that breaks: the next attempt goes without it.
    may_attach_files(&mut app).await;
    app.choose(PERSON, &[("charts", "on")]).await;
    app.telegram.fault("sendPhoto", None, Fault::Raw(500, "down"));
    app.discord.refuse("POST /channels/", 1, 500, 0);
    app.turn(&[BTC], 1).await;
    let uploads = app.telegram.calls("sendPhoto").len();
    app.pass(std::time::Duration::from_secs(60)).await;
    let (there, here) = both(&app);
    assert!(there.file.is_none() && here.file.is_none() && here.text.contains("BTC turned bullish"), "{here:?}");
    assert_eq!((uploads, app.telegram.calls("sendPhoto").len()), (2, 2));
    // Nothing is known of the past any more when it is sent.
    app.call(&[XRP], 1);
    app.clock.advance(std::time::Duration::from_secs(16 * 60));
    app.parts.poller.step().await.unwrap();
    app.parts.flow.step().await.unwrap();
    run_sql(&app.db.url, "DELETE FROM observations").await;
    app.step().await;
    let (there, here) = both(&app);
    assert_eq!((there.file, here.file), (None, None));
    assert!(here.text.contains("XRP turned bullish"), "{}", here.text);
});

/// The source takes the call of 21 Nov back.
async fn takes_back(app: &mut TestApp) {
    app.at("2026-11-22T01:00:00Z").await;
    app.source.set_daily(SOL, "2026-11-21", -1, -1);
    app.next_poll().await;
}

on_both!(p4_a_correction_takes_the_place_of_words_and_picture, |db| async move {
    let mut app = followers(db, &OTHERS[..2]).await;
    app.turn(&[SOL], 1).await;
    let told_there = the_only(app.discord.unread());
    let told_here = app.telegram.unread();
    takes_back(&mut app).await;
    let there = the_only(app.discord.unread());
    let here = app.telegram.unread();
    let numbers = |sent: &[Sent]| sent.iter().map(|sent| sent.id).collect::<Vec<_>>();
    assert_eq!((there.id, there.edited, numbers(&here)), (told_there.id, true, numbers(&told_here)));
    assert_snapshot!(here[0].text, @"
    ~~SOL turned bullish (daily, 21 Nov 2026)~~
    🔴 SOL correction: the call is bearish
    Daily call of 21 Nov 2026, seen 22 Nov 2026 01:16 UTC
    Before: bullish since 21 Nov 2026
    Trader grade 26.48
    Read more
    ");
    assert!(here.iter().all(|sent| sent.edited && sent.buttons.len() == 4), "{here:?}");
    assert!(here[0].file.is_some() && here[0].file == here[1].file && here[0].file != told_here[0].file, "another picture");
    assert_eq!(there.body["embeds"][1]["title"], "SOL correction: the call is bearish");
    assert_eq!(there.file, here[0].file);
    assert_snapshot!(there.body["attachments"][0]["description"].as_str().unwrap(), @"Chart of the daily calls of SOL from 17 Nov 2026 to 21 Nov 2026. Now: bearish. The call did not turn in that time. Price change since 17 Nov 2026: 0.0 %.");
    let sent: Vec<_> = app.telegram.calls("editMessageMedia").iter().map(|call| call["media"]["media"].clone()).collect();
    assert!(
        sent[0] == "attach://picture" && sent[1].as_str().unwrap().starts_with("AgAC") && sent.len() == 2,
        "brought there once: {sent:?}"
    );
});

on_both!(p4_where_there_is_no_other_picture_the_words_are_corrected, |db| async move {
    let mut app = followers(db, &[PERSON]).await;
    app.turn(&[SOL], 1).await;
    let (_, told_here) = both(&app);
    app.telegram.fault("editMessageMedia", None, Fault::Refuse(400, "Bad Request: IMAGE_PROCESS_FAILED", json!(null)));
    app.discord.channel(HERE, json!({"name": "alerts", "without_files": true}));
    takes_back(&mut app).await;
    let (there, here) = both(&app);
    assert!(here.edited && here.text.contains("SOL correction:") && here.file == told_here.file, "a photo stays a photo: {here:?}");
    assert_eq!(app.telegram.calls("editMessageCaption").len(), 1);
    assert!(there.edited && there.file.is_none(), "what it showed was wrong");
});

on_both!(p4_words_stay_words, |db| async move {
    let mut app = followers(db, &[PERSON]).await;
    app.choose(PERSON, &[("charts", "off")]).await;
    app.turn(&[SOL], 1).await;
    both(&app);
    app.choose(PERSON, &[("charts", "on")]).await;
    takes_back(&mut app).await;
    let (_, here) = both(&app);
    assert!(here.edited && here.file.is_none() && here.text.contains("SOL correction:"), "{here:?}");
    assert!(app.telegram.calls("editMessageMedia").is_empty());
});

on_both!(p3_a_chat_that_refused_is_not_asked_each_time, |db| async move {
    let mut app = TestApp::start(db).await;
    app.channel_subscribes(json!([text("tokens", "all")])).await;
    app.telegram.with(|world| world.group(GROUP, "Traders", 777).without_photos = true);
    app.discord.channel(HERE, json!({"name": "alerts", "without_files": true}));
    app.say(GROUP, 777, "/subscribe all").await;
    let here = app.say(GROUP, 777, "/settings charts=light").await;
    assert!(here.contains("charts light:") && here.contains("I must be allowed to send photos here"), "{here}");
    let there = app.on_server(ADMIN, subcommand("channel", "settings", json!([text("charts", "dark")]))).await;
    assert!(there.contains("`charts` dark:") && there.contains("I need the permission Attach Files here"), "{there}");
    app.telegram_messages();
    days_before(&app);
    app.baseline(&FOUR).await;
    let uploads = |app: &TestApp| {
        let posts = app.discord.requests().iter().filter(|asked| asked.starts_with("POST /channels/")).count();
        (posts, app.telegram.calls("sendPhoto").len())
    };
    app.turn(&[SOL], 1).await;
    both(&app);
    let first = uploads(&app);
    app.turn(&[BTC], 1).await;
    both(&app);
    let second = uploads(&app);
    assert_eq!((second.0 - first.0, second.1 - first.1), (1, 0), "with the words alone, at once");
    // Both may from now on, and whoever saw to that says so.
    app.telegram.with(|world| {
        world.group(GROUP, "Traders", 777).without_photos = false;
        world.place(GROUP, "administrator");
    });
    app.step().await;
    may_attach_files(&mut app).await;
    app.turn(&[XRP], 1).await;
    let (there, here) = both(&app);
    assert!(there.file.is_some() && here.file.is_some() && there.file != here.file, "each in its colours: {there:?} {here:?}");
});

on_both!(p1_levels_and_grade_are_in_the_picture_where_they_are_known, |db| async move {
    let mut app = followers(db, &[PERSON]).await;
    app.source.set_grade(SOL, "Strong Buy", 87.25);
    app.source.set_levels(SOL, &[("2026-01-15", 141.25), ("2026-03-02", 150.0)]);
    app.source.set_price(SOL, 148.0);
    for kind in ["grade", "levels"] {
        app.channel_subscribes(json!([text("tokens", "sol"), text("kind", kind)])).await;
    }
    app.pass(HOUR + HOUR / 60).await;
    let seen = |there: &Message| there.body["attachments"][0]["description"].as_str().unwrap().split_once(" %.").unwrap().1.to_owned();
    app.turn(&[SOL], 1).await;
    let (there, _) = both(&app);
    assert_eq!(seen(&there), " Grade Strong Buy 87.25. Support 141.25, resistance 150.");
    assert_eq!(app.discord.unread().len(), 0);
});

on_both!(p3_a_picture_shows_nothing_that_its_words_do_not_know_of, |db| async move {
    let mut app = followers(db, &[PERSON]).await;
    app.choose(PERSON, &[("quiet_hours", "06:00-05:00")]).await;
    app.turn(&[SOL], 1).await;
    assert!(app.discord.unread().is_empty(), "it waits");
    app.at("2026-11-22T01:00:00Z").await;
    app.source.set_daily(SOL, "2026-11-22", 1, 1);
    app.next_poll().await;
    app.at("2026-11-22T05:00:00Z").await;
    let (there, _) = both(&app);
    let seen = there.body["attachments"][0]["description"].as_str().unwrap();
    assert!(seen.contains("from 17 Nov 2026 to 21 Nov 2026. Now: bullish since 21 Nov 2026"), "{seen}");
});

on_both!(p1_a_group_has_its_own_choice, |db| async move {
    let mut app = TestApp::start(db).await;
    app.telegram.with(|world| {
        world.group(GROUP, "Traders", 777);
    });
    app.say(GROUP, 777, "/subscribe sol").await;
    app.say(GROUP, 777, "/settings charts=on timezone=Asia/Kolkata").await;
    let said = app.say(GROUP, 777, "/settings charts=maybe").await;
    assert_snapshot!(said, @"
    ⚠️ That did not work; nothing was changed
    maybe is not a choice for charts. Choose one of: off, dark, light.
    For example: /settings charts=dark
    ");
    app.telegram_messages();
    days_before(&app);
    app.baseline(&[SOL]).await;
    app.turn(&[SOL], 1).await;
    let sent = the_only(app.telegram.unread());
    assert_eq!((sent.chat, sent.file.is_some()), (GROUP, true));
});
