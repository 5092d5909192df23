//! `/why` about an alert: by reply, by its button, by its link. It is told to whoever reads the alert, of that very alert, and of no other chat's.

use crate::support::{
    app::TestApp,
    audience::{BTC, FOUR, HOUR, SOL, text},
    database::on_both,
    fake_discord::{
        GUILD, HERE,
        interaction::{ADMIN, PLAIN, in_private, in_server, pressed, slash, subcommand},
    },
    fake_telegram::Sent,
};
use insta::assert_snapshot;
use serde_json::{Value, json};

const PERSON: i64 = 601;
const OTHER: i64 = 602;
const GROUP: i64 = -1_001_234;
const CHANNEL: i64 = -1_009_876;
const OWNER: i64 = 777;
const MEMBER: i64 = 42;
const UNKNOWN: &str = "I know no such alert here";

/// The message that arrived on Telegram, and nothing else.
fn only(app: &TestApp) -> Sent {
    let mut unread = app.telegram.unread();
    assert_eq!(unread.len(), 1, "{unread:#?}");
    unread.remove(0)
}

async fn replies(app: &mut TestApp, user: i64, to: &Sent, words: &str) -> Sent {
    app.telegram.with(|world| world.reply(user, to, words));
    app.step().await;
    only(app)
}

async fn presses_why(app: &mut TestApp, user: i64, alert: &Sent) -> Option<String> {
    app.telegram.with(|world| world.press(user, alert, "Why"));
    app.step().await;
    app.telegram.told_presser()
}

on_both!(a_reply_and_the_button_explain_that_very_alert, |db| async move {
    let mut app = TestApp::start(db).await;
    app.person_subscribes(PERSON, "sol").await;
    app.baseline(&FOUR).await;
    app.turn(&[SOL], 1).await;
    let first = only(&app);
    // Soon after, so that its times are as they were.
    app.call(&[SOL], -1);
    app.next_poll().await;
    let second = only(&app);
    let said = replies(&mut app, PERSON, &first, "/why").await;
    assert_snapshot!(said.text, @"
    Why: SOL turned bullish (daily)
    The call of 21 Nov 2026 is bullish; before, it was bearish.
    Asked for 21 Nov 2026 06:32 UTC, compared 21 Nov 2026 06:32 UTC.
    Decided 21 Nov 2026 06:32 UTC: it is wanted at once, and nothing stood against it.
    Made into a message 21 Nov 2026 06:32 UTC.
    Delivered 21 Nov 2026 06:32 UTC.
    Read more
    ");
    assert_eq!(presses_why(&mut app, PERSON, &first).await, None);
    assert_eq!(only(&app).text, said.text, "the button says the same");
    let of_second = replies(&mut app, PERSON, &second, "/why").await.text;
    assert!(of_second.starts_with("Why: SOL turned bearish"), "{of_second}");
    // An answer is no alert, and a token that is named with it is what is meant then.
    let said = replies(&mut app, PERSON, &said, "/why").await.text;
    assert!(said.contains(UNKNOWN) && said.contains("/why SOL"), "{said}");
    let answer = replies(&mut app, PERSON, &second, "/signal SOL").await;
    assert_eq!(replies(&mut app, PERSON, &answer, "/why sol").await.text.lines().next(), Some("Why: SOL turned bearish (daily)"));
    // Another person's client names the number of a message that it does not have.
    app.telegram.with(|world| {
        let stray = json!({ "reply_to_message": { "message_id": first.id, "date": 0, "chat": { "id": OTHER, "type": "private" } } });
        world.say_with(OTHER, OTHER, "/why", &stray)
    });
    app.step().await;
    assert!(only(&app).text.contains(UNKNOWN));
});

on_both!(a_summary_lists_how_each_of_its_changes_came, |db| async move {
    let mut app = TestApp::start(db).await;
    app.person_subscribes(PERSON, "all").await;
    app.baseline(&FOUR).await;
    app.say(PERSON, PERSON, "/mute 8h").await;
    app.turn(&FOUR, 1).await;
    app.turn(&[SOL, BTC], -1).await;
    app.turn(&[SOL, BTC], 1).await;
    app.turn(&FOUR, -1).await;
    app.turn(&FOUR, 1).await;
    app.pass(8 * HOUR).await;
    let summary = only(&app);
    let said = replies(&mut app, PERSON, &summary, "/why").await.text;
    assert_snapshot!(said, @"
    Why: this message tells 16 changes
    ETH turned bullish (daily). Asked for 21 Nov 2026 06:32 UTC, held until 21 Nov 2026 14:16 UTC: it was muted here.
    XRP turned bullish (daily). Asked for 21 Nov 2026 06:32 UTC, held until 21 Nov 2026 14:16 UTC: it was muted here.
    BTC turned bullish (daily). Asked for 21 Nov 2026 06:32 UTC, held until 21 Nov 2026 14:16 UTC: it was muted here.
    SOL turned bullish (daily). Asked for 21 Nov 2026 06:32 UTC, held until 21 Nov 2026 14:16 UTC: it was muted here.
    BTC turned bearish (daily). Asked for 21 Nov 2026 06:48 UTC, held until 21 Nov 2026 14:16 UTC: it was muted here.
    SOL turned bearish (daily). Asked for 21 Nov 2026 06:48 UTC, held until 21 Nov 2026 14:16 UTC: it was muted here.
    BTC turned bullish (daily). Asked for 21 Nov 2026 07:04 UTC, held until 21 Nov 2026 14:16 UTC: it was muted here.
    SOL turned bullish (daily). Asked for 21 Nov 2026 07:04 UTC, held until 21 Nov 2026 14:16 UTC: it was muted here.
    ETH turned bearish (daily). Asked for 21 Nov 2026 07:20 UTC, held until 21 Nov 2026 14:16 UTC: it was muted here.
    XRP turned bearish (daily). Asked for 21 Nov 2026 07:20 UTC, held until 21 Nov 2026 14:16 UTC: it was muted here.
    And 6 others. To see those of one token, name it as well.
    Made into a message 21 Nov 2026 15:36 UTC.
    Delivered 21 Nov 2026 15:36 UTC.
    ");
    let of_one = replies(&mut app, PERSON, &summary, "/why eth").await.text;
    assert_snapshot!(of_one, @"
    Why: this message tells 3 changes
    ETH turned bullish (daily). Asked for 21 Nov 2026 06:32 UTC, held until 21 Nov 2026 14:16 UTC: it was muted here.
    ETH turned bearish (daily). Asked for 21 Nov 2026 07:20 UTC, held until 21 Nov 2026 14:16 UTC: it was muted here.
    ETH turned bullish (daily). Asked for 21 Nov 2026 07:36 UTC: it turned too often, and is told of once it has settled.
    Made into a message 21 Nov 2026 15:36 UTC.
    Delivered 21 Nov 2026 15:36 UTC.
    ");
});

on_both!(a_group_reads_of_its_own_alerts_alone, |db| async move {
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
    let said = replies(&mut app, MEMBER, &alert, "/why").await;
    assert_eq!((said.chat, said.topic), (GROUP, Some(5)));
    assert!(said.text.starts_with("Why: SOL turned bullish (daily)") && said.text.contains("Delivered"), "{}", said.text);
    assert_eq!(presses_why(&mut app, MEMBER, &alert).await, None);
    assert_eq!(only(&app).text, said.text);
    // What is asked about a token is about the group's settings: its admins' matter.
    app.telegram.with(|world| world.say_in_topic(GROUP, 5, MEMBER, "/why SOL"));
    app.step().await;
    assert!(only(&app).raw.contains("?start="), "in private");
    let link = format!("https://t.me/c/1234/5/{}", alert.id);
    app.telegram.with(|world| world.say_in_topic(GROUP, 5, OWNER, &format!("/why {link}")));
    app.step().await;
    assert_eq!(only(&app).text, said.text, "a link does the same");
    // Members lose neither what they reply to nor what they link, whether they name its token besides or not.
    for words in [format!("/why {link}"), format!("/why sol {link}")] {
        app.pass(HOUR / 60).await;
        app.telegram.with(|world| world.say_in_topic(GROUP, 5, MEMBER, &words));
        app.step().await;
        assert_eq!(only(&app).text, said.text, "{words}");
    }
    app.pass(HOUR / 60).await;
    assert_eq!(replies(&mut app, MEMBER, &alert, "/why SOL").await.text, said.text);
    let refused = replies(&mut app, MEMBER, &alert, "/why BTC").await;
    assert!(refused.text.contains("only its administrators") && !refused.raw.contains("?start="), "{}", refused.text);
    app.pass(HOUR / 60).await;
    let of_token = replies(&mut app, OWNER, &said, "/why SOL").await.text;
    assert!(of_token.starts_with("Why: SOL turned bullish"), "an administrator asks about the token all the same: {of_token}");
    // Which chat has this name is not known.
    app.pass(HOUR / 60).await;
    app.telegram.with(|world| world.say_in_topic(GROUP, 5, MEMBER, &format!("/why https://t.me/traders/5/{}", alert.id)));
    app.step().await;
    assert!(only(&app).text.contains(UNKNOWN));
    for words in [format!("/why {link}"), "/why https://t.me/c/99/5".to_owned(), "/why https://example.com/1".to_owned()] {
        let refused = app.say(OWNER, OWNER, &words).await;
        assert!(refused.contains(UNKNOWN), "{words}: {refused}");
    }
    app.pass(HOUR / 60).await;
    // In a topic everything replies to what began the topic.
    app.telegram.with(|world| {
        let began = json!({ "is_topic_message": true, "message_thread_id": 5,
            "reply_to_message": { "message_id": 5, "date": 1, "forum_topic_created": { "name": "Alerts", "icon_color": 1 } } });
        world.say_with(GROUP, OWNER, "/why", &began)
    });
    app.step().await;
    assert!(only(&app).text.contains("Name at least one token"));
});

on_both!(from_a_channel_it_goes_on_in_private, |db| async move {
    let mut app = TestApp::start(db).await;
    app.telegram.with(|world| {
        world.channel(CHANNEL, "news", OWNER);
    });
    app.say(OWNER, OWNER, "/channel @news subscribe SOL").await;
    app.baseline(&FOUR).await;
    app.turn(&[SOL], 1).await;
    let alert = only(&app);
    let link = presses_why(&mut app, MEMBER, &alert).await.unwrap();
    let payload = link.split_once("?start=").unwrap().1.to_owned();
    let said = app.say(OTHER, OTHER, &format!("/start {payload}")).await;
    assert!(!said.contains("turned"), "it is of whoever pressed: {said}");
    let said = app.say(MEMBER, MEMBER, &format!("/start {payload}")).await;
    assert!(said.starts_with("Why: SOL turned bullish (daily)") && said.contains("Delivered"), "{said}");
    let said = app.say(MEMBER, MEMBER, &format!("/start {payload}")).await;
    assert!(!said.contains("turned"), "once: {said}");
    let by_link = |user: i64| (user, format!("/channel @news why https://t.me/news/{}", alert.id));
    let (user, words) = by_link(OWNER);
    assert!(app.say(user, user, &words).await.starts_with("Why: SOL turned bullish"));
    for words in ["/channel @news why https://t.me/other/{}", "/channel -1009876 why https://t.me/news/{}", "/why https://t.me/news/{}"] {
        let words = words.replace("{}", &alert.id.to_string());
        let refused = app.say(OWNER, OWNER, &words).await;
        assert!(refused.contains(UNKNOWN), "{words}: {refused}");
    }
    let (user, words) = by_link(MEMBER);
    let refused = app.say(user, user, &words).await;
    assert!(refused.contains("administrators"), "{refused}");
});

on_both!(on_discord_whoever_reads_the_channel_may_ask, |db| async move {
    let mut app = TestApp::start(db).await;
    app.channel_subscribes(json!([text("tokens", "sol")])).await;
    app.member_subscribes("btc").await;
    app.baseline(&FOUR).await;
    app.turn(&[SOL, BTC], 1).await;
    let (own, alert): (Vec<_>, Vec<_>) = app.discord.unread().into_iter().partition(|message| message.channel != HERE);
    let (own, alert) = (&own[0], &alert[0]);
    let id = app.next_interaction();
    let press = pressed(in_server(id, PLAIN, Value::Null), &alert.body, "Why");
    let answer = app.enter(&press).await;
    assert_eq!(answer["data"]["flags"], json!(64), "for the presser alone");
    let id = app.next_interaction();
    let said = app.interact(&pressed(in_server(id, PLAIN, Value::Null), &alert.body, "Why")).await;
    assert_snapshot!(said, @"
    Why: SOL turned bullish (daily)
    The call of 21 Nov 2026 is bullish; before, it was bearish.
    Asked for <t:1795242720:f>, compared <t:1795242720:f>.
    Decided <t:1795242720:f>: it is wanted at once, and nothing stood against it.
    Made into a message <t:1795242720:f>.
    Delivered <t:1795242720:f>.
    https://app.tokenmetrics.com/en/solana
    ");
    let link = format!("https://discord.com/channels/{GUILD}/{HERE}/{}", alert.id);
    assert_eq!(app.on_server(PLAIN, slash("why", &[("message", &link)])).await, said);
    assert_eq!(app.on_server(PLAIN, slash("why", &[("message", &alert.id)])).await, said);
    let of_channel = |message: &str| subcommand("channel", "why", json!([text("message", message)]));
    assert_eq!(app.on_server(ADMIN, of_channel(&link)).await, said);
    assert!(app.on_server(PLAIN, of_channel(&link)).await.contains("Manage Server"));
    // A direct message is its member's, also from within a server; not the channel's.
    let of_own = app.on_server(PLAIN, slash("why", &[("message", &own.id)])).await;
    assert!(of_own.starts_with("Why: BTC turned bullish"), "{of_own}");
    assert!(app.on_server(ADMIN, of_channel(&own.id)).await.contains(UNKNOWN));
    let id = app.next_interaction();
    let in_dm = app.interact(&pressed(in_private(id, Value::Null), &own.body, "Why")).await;
    assert_eq!(in_dm, of_own);
    // In direct messages and in another channel the channel's alert is not read.
    assert!(app.in_direct_messages(slash("why", &[("message", &link)])).await.contains(UNKNOWN));
    let id = app.next_interaction();
    let mut elsewhere = in_server(id, ADMIN, slash("why", &[("message", &link)]));
    elsewhere["channel_id"] = json!("1180243562783189999");
    assert!(app.interact(&elsewhere).await.contains(UNKNOWN));
    assert!(app.on_server(PLAIN, slash("why", &[])).await.contains("Name at least one token"));
    assert!(app.on_server(PLAIN, slash("why", &[("message", "'; --")])).await.contains(UNKNOWN));
});
