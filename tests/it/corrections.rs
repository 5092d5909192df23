//! A correction takes the place of the message that was wrong: an edit, or where that fails a reply with the same words, never both and never
//! neither (ARCHITECTURE.md, rules C).

use crate::support::{
    app::TestApp,
    audience::{BTC, ETH, FOUR, HOUR, SOL, XRP, text},
    commands::rows,
    database::{TestDb, on_both},
    fake_discord::FaultKind,
    fake_telegram::{Fault, Sent},
};
use insta::assert_snapshot;
use serde_json::json;

const PERSON: i64 = 501;

/// A channel and a person were told that these tokens turned bullish on 21 Nov; the day is over and its rows are final.
async fn told(db: TestDb, tokens: &[i64]) -> TestApp {
    let mut app = TestApp::start(db).await;
    app.channel_subscribes(json!([text("tokens", "all")])).await;
    app.person_subscribes(PERSON, "all").await;
    app.baseline(&FOUR).await;
    app.turn(tokens, 1).await;
    app.at("2026-11-22T01:00:00Z").await;
    app
}

/// The source takes the calls of 21 Nov back.
async fn takes_back(app: &mut TestApp, tokens: &[i64]) {
    for token in tokens {
        app.source.set_daily(*token, "2026-11-21", -1, -1);
    }
    app.next_poll().await;
}

fn the_only<T: std::fmt::Debug>(mut all: Vec<T>) -> T {
    assert_eq!(all.len(), 1, "{all:#?}");
    all.remove(0)
}

fn on_telegram(app: &TestApp) -> Sent {
    the_only(app.telegram.unread())
}

on_both!(c1_the_message_that_was_wrong_is_edited, |db| async move {
    let mut app = told(db, &[SOL]).await;
    let (told_there, told_here) = (the_only(app.discord.unread()), on_telegram(&app));
    takes_back(&mut app, &[SOL]).await;
    let (there, here) = (the_only(app.discord.unread()), on_telegram(&app));
    assert_eq!((there.id, there.edited), (told_there.id, true));
    assert_eq!((here.id, here.edited), (told_here.id, true));
    assert_snapshot!(here.text, @"
    ~~SOL turned bullish (daily, 21 Nov 2026)~~
    🔴 SOL correction: the call is bearish
    Daily call of 21 Nov 2026, seen 22 Nov 2026 01:16 UTC
    Before: bullish since 21 Nov 2026
    Trader grade 26.48
    Read more
    ");
    let embeds = there.body["embeds"].as_array().unwrap();
    assert_eq!(embeds[0]["description"], "~~**SOL turned bullish** (daily, 21 Nov 2026)~~");
    assert_eq!(embeds[1]["title"], "SOL correction: the call is bearish");
    assert_eq!(here.buttons.len(), 4, "its buttons are the correction's");
    assert_eq!(there.body["components"][0]["components"].as_array().unwrap().len(), 5);
    // The next turn is a message of its own, and the corrected call is what it turns from.
    app.call(&FOUR, 1);
    app.next_poll().await;
    let later = app.telegram.unread();
    assert!(later.iter().all(|sent| !sent.edited && sent.replies_to.is_none()), "{later:#?}");
    app.discord.unread();
});

on_both!(c2_where_the_message_is_gone_a_reply_says_the_same, |db| async move {
    let mut app = told(db, &[SOL]).await;
    app.discord.delete_message(&the_only(app.discord.unread()).id);
    let told_here = on_telegram(&app);
    app.telegram.with(|world| world.sent.retain(|sent| sent.id != told_here.id));
    takes_back(&mut app, &[SOL]).await;
    let (there, here) = (the_only(app.discord.unread()), on_telegram(&app));
    assert!(!there.edited && !here.edited);
    assert_eq!(there.body["message_reference"]["fail_if_not_exists"], false);
    assert_eq!(there.body["embeds"][1]["title"], "SOL correction: the call is bearish");
    assert!(here.text.starts_with("~~SOL turned bullish") && here.text.contains("SOL correction:"), "{}", here.text);
    assert_eq!(rows(&app.db.url, "SELECT state FROM messages WHERE state <> 'sent'").await, [""; 0]);
});

on_both!(c2_where_the_message_may_not_be_edited_the_reply_stands_beneath_it, |db| async move {
    let mut app = told(db, &[SOL]).await;
    let (told_there, told_here) = (the_only(app.discord.unread()), on_telegram(&app));
    let refusal = json!({"code": 10008, "message": "Unknown Message"});
    let kind = FaultKind::Answer(404, Vec::new(), refusal.to_string());
    app.discord.fault("PATCH /channels", 1, kind);
    app.telegram.fault("editMessageText", None, Fault::Refuse(400, "Bad Request: message can't be edited", json!(null)));
    takes_back(&mut app, &[SOL]).await;
    let (there, here) = (the_only(app.discord.unread()), on_telegram(&app));
    assert_eq!((there.edited, &there.body["message_reference"]["message_id"]), (false, &json!(told_there.id)));
    assert_eq!((here.edited, here.replies_to), (false, Some(told_here.id)));
});

on_both!(c1_an_edit_of_which_nobody_knows_whether_it_arrived_is_made_again, |db| async move {
    let mut app = told(db, &[SOL]).await;
    let (told_there, told_here) = (the_only(app.discord.unread()), on_telegram(&app));
    for _ in 0..3 {
        app.telegram.fault("editMessageText", None, Fault::Close { carried_out: true });
    }
    app.discord.fault("PATCH /channels", 3, FaultKind::LoseAnswer);
    takes_back(&mut app, &[SOL]).await;
    app.pass(HOUR / 60).await;
    let (there, here) = (the_only(app.discord.unread()), on_telegram(&app));
    assert_eq!((there.id, here.id), (told_there.id, told_here.id));
    assert!(here.text.contains("SOL correction:"));
    let ended = rows(&app.db.url, "SELECT DISTINCT state FROM messages WHERE edits").await;
    assert_eq!(ended, ["sent"], "edited once, as far as anybody sees");
});

on_both!(c2_a_crash_between_the_refused_edit_and_the_reply_gives_neither_twice, |db| async move {
    let mut app = told(db, &[SOL]).await;
    let told_here = on_telegram(&app);
    app.discord.unread();
    // The edit is refused; then the reply is slow to go, and the bot dies before it.
    app.telegram.fault("editMessageText", None, Fault::Refuse(400, "Bad Request: message can't be edited", json!(null)));
    app.telegram.fault("sendMessage", None, Fault::Refuse(429, "Too Many Requests: retry after 60", json!({"retry_after": 60})));
    takes_back(&mut app, &[SOL]).await;
    assert_eq!(app.telegram.unread().len(), 0);
    app.discord.unread();
    let mut app = app.restart().await;
    app.pass(HOUR / 12).await;
    let here = on_telegram(&app);
    assert_eq!((here.edited, here.replies_to), (false, Some(told_here.id)));
    assert_eq!(app.telegram.calls("editMessageText").len(), 1, "what was refused is not asked again");
});

on_both!(c3_what_was_told_among_others_is_corrected_by_a_reply_and_four_are_one_message, |db| async move {
    let mut app = told(db, &FOUR).await;
    let (told_there, told_here) = (the_only(app.discord.unread()), on_telegram(&app));
    assert!(told_here.text.starts_with("4 calls"), "{}", told_here.text);
    takes_back(&mut app, &[SOL]).await;
    let (there, here) = (the_only(app.discord.unread()), on_telegram(&app));
    assert_eq!((there.edited, &there.body["message_reference"]["message_id"]), (false, &json!(told_there.id)));
    assert_eq!((here.edited, here.replies_to), (false, Some(told_here.id)));
    assert!(here.text.starts_with("~~SOL turned bullish (daily, 21 Nov 2026)~~"), "{}", here.text);
    for token in [BTC, ETH, XRP] {
        app.source.set_daily(token, "2026-11-21", -1, -1);
    }
    app.next_poll().await;
    assert_eq!((app.discord.unread().len(), app.telegram.unread().len()), (3, 3));
});

on_both!(c1_a_group_that_moved_has_other_numbers_and_gets_a_message, |db| async move {
    const GROUP: i64 = -5_001;
    const SUPERGROUP: i64 = -1_005_001;
    let mut app = TestApp::start(db).await;
    app.telegram.with(|world| {
        world.group(GROUP, "Traders", 777).kind = "group";
    });
    let said = app.say(GROUP, 777, "/subscribe SOL").await;
    assert!(said.contains("Subscribed"), "{said}");
    app.baseline(&FOUR).await;
    app.turn(&[SOL], 1).await;
    on_telegram(&app);
    app.telegram.with(|world| world.migrate(GROUP, SUPERGROUP));
    app.at("2026-11-22T01:00:00Z").await;
    takes_back(&mut app, &[SOL]).await;
    let here = on_telegram(&app);
    assert_eq!((here.chat, here.edited, here.replies_to), (SUPERGROUP, false, None));
    assert_eq!(app.telegram.calls("editMessageText").len(), 0);
});

on_both!(a_correction_that_may_have_been_read_is_not_taken_back, |db| async move {
    let mut app = told(db, &[SOL]).await;
    drop((app.discord.unread(), app.telegram.unread()));
    // It arrives, and nobody knows; then the chat is out of reach, and the call turns back.
    app.telegram.fault("editMessageText", None, Fault::Close { carried_out: true });
    app.telegram.fault("editMessageText", None, Fault::Refuse(403, "Forbidden: bot was blocked by the user", json!(null)));
    takes_back(&mut app, &[SOL]).await;
    assert!(on_telegram(&app).text.contains("SOL correction: the call is bearish"));
    app.turn(&[SOL], 1).await;
    app.pass(2 * HOUR).await;
    let said: Vec<String> = app.telegram.unread().into_iter().map(|sent| sent.text).collect();
    assert!(said.last().is_some_and(|last| last.contains("SOL turned bullish")), "{said:#?}");
    app.discord.unread();
});
