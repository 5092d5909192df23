//! `/history`: how the call of a token changed, on both platforms.

use crate::support::{
    app::TestApp,
    audience::{FOUR, HOUR, MINUTE, SOL},
    commands::{asked_for, rows},
    database::on_both,
    fake_discord::interaction::{PLAIN, slash},
    fake_telegram::Fault,
};
use insta::assert_snapshot;
use serde_json::json;

const PERSON: i64 = 555;
const GROUP: i64 = -1_001_234;

/// Days of calls that everybody here has followed: SOL turns, is restated and turns again.
async fn lived_in(app: &mut TestApp) {
    app.person_subscribes(PERSON, "all").await;
    app.person_subscribes(PERSON, "sol hourly").await;
    app.telegram_messages();
    for (day, stance) in [("2026-11-17", -1), ("2026-11-18", -1), ("2026-11-19", 1), ("2026-11-20", 1)] {
        app.source.set_daily(SOL, day, stance, stance);
    }
    app.call(&FOUR, -1);
    app.next_poll().await;
    // The next day shows the row of this one as final; then it is restated.
    app.pass(24 * HOUR).await;
    app.source.set_daily(SOL, "2026-11-21", 1, 1);
    app.next_poll().await;
    app.turn(&[SOL], -1).await;
    app.telegram_messages();
}

on_both!(the_last_changes_are_told_the_newest_first, |db| async move {
    let mut app = TestApp::start(db).await;
    lived_in(&mut app).await;
    assert_snapshot!(app.say(PERSON, PERSON, "/history sol").await, @"
    🔴 SOL (Solana) daily: bearish since 22 Nov 2026
    Bearish for less than a day. 4 changes so far, the newest first:
    22 Nov 2026: bullish → bearish, after 1 day
    21 Nov 2026: bearish → bullish (correction)
    21 Nov 2026: bullish → bearish, after 2 days
    19 Nov 2026: bearish → bullish, after 2 days
    As of the call of 22 Nov 2026, seen 22 Nov 2026 06:48 UTC
    Read more
    ");
    assert_snapshot!(app.on_server(PLAIN, slash("history", &[("token", "sol")])).await, @"
    SOL (Solana) daily: bearish since 22 Nov 2026
    Bearish for less than a day. 4 changes so far, the newest first:
    22 Nov 2026: bullish → **bearish**, after 1 day
    21 Nov 2026: bearish → **bullish** (correction)
    21 Nov 2026: bullish → **bearish**, after 2 days
    19 Nov 2026: bearish → **bullish**, after 2 days
    As of the call of 22 Nov 2026, seen <t:1795330081:R>
    https://app.tokenmetrics.com/en/solana
    ");
    assert_snapshot!(app.say(PERSON, PERSON, "/history btc daily").await, @"
    🔴 BTC (Bitcoin) daily: bearish since 21 Nov 2026
    It has not changed since I first saw it.
    As of the call of 21 Nov 2026, seen 22 Nov 2026 06:48 UTC
    Read more
    ");
    // Hourly calls are told by their hour; the first one ever comes from nowhere.
    for (hour, signal, position) in [("2026-11-22T03:00:00Z", 0, 0), ("2026-11-22T05:00:00Z", 1, 1), ("2026-11-22T06:00:00Z", -1, 0)] {
        app.source.set_hourly(SOL, hour, signal, position);
        app.pass(HOUR + MINUTE).await;
    }
    app.telegram_messages();
    assert_snapshot!(app.on_server(PLAIN, slash("history", &[("token", "#3988"), ("kind", "hourly")])).await, @"
    SOL (Solana) hourly: bearish since 22 Nov 2026 06:00 UTC
    Bearish for 3 hours. 2 changes so far, the newest first:
    <t:1795327200:f>: bullish → **bearish**, after 1 hour
    <t:1795323600:f>: first call, **bullish**
    As of the <t:1795327200:f> call, seen <t:1795341063:R>
    https://app.tokenmetrics.com/en/solana
    ");
});

on_both!(eight_changes_are_enough, |db| async move {
    let mut app = TestApp::start(db).await;
    app.person_subscribes(PERSON, "sol").await;
    app.baseline(&FOUR).await;
    for turn in 0..11 {
        app.turn(&[SOL], if turn % 2 == 0 { 1 } else { -1 }).await;
    }
    app.telegram_messages();
    let said = app.say(PERSON, PERSON, "/history sol").await;
    assert!(said.contains("The last 8 changes, the newest first:"), "{said}");
    assert_eq!(said.matches(" → ").count(), 8, "{said}");
});

on_both!(what_is_not_known_is_said_and_never_looked_up, |db| async move {
    let mut app = TestApp::with(db, &[("TOKEN_METRICS_CALLS_PER_MONTH", "500")]).await;
    app.source.set_daily(SOL, "2026-11-21", 1, 1);
    app.on_server(PLAIN, slash("history", &[("token", "sol")])).await;
    app.source.take_seen();
    let before = asked_for(&app.db.url).await;
    let mut said = Vec::new();
    for options in [&[("token", "sol"), ("kind", "hourly")][..], &[("token", "sol,eth")], &[("token", "all")], &[("token", "slo")]] {
        said.push(app.on_server(PLAIN, slash("history", options)).await);
    }
    said.push(app.say(PERSON, PERSON, "/history").await);
    said.push(app.say(PERSON, PERSON, "/history sol levels").await);
    assert_snapshot!(said.join("\n\n"), @"
    SOL (Solana) hourly: the call is not known
    I have no history of this, because nobody here follows it.
    To be told of its next call, type `/subscribe SOL hourly`.
    https://app.tokenmetrics.com/en/solana

    That did not work; nothing was changed
    Name one token at a time, by symbol or `#id`.
    For example: `/history SOL`

    That did not work; nothing was changed
    Name one token at a time, by symbol or `#id`.
    For example: `/history SOL`

    That did not work; nothing was changed
    I know no token `SLO`.
    Did you mean SOL (Solana)?

    ⚠️ That did not work; nothing was changed
    Name at least one token, by symbol or #id.
    For example: /history SOL

    SOL (Solana) levels: they are not known
    I have no history of this, because nobody here follows it.
    To be told of its next crossing, type /subscribe SOL levels.
    Read more
    ");
    assert_eq!(app.source.take_seen().len(), 1, "the unknown symbol alone");
    assert_eq!(asked_for(&app.db.url).await, before);
    // The call of a token that nobody follows any more is that of then.
    app.person_subscribes(PERSON, "sol").await;
    app.next_poll().await;
    app.say(PERSON, PERSON, "/unsubscribe sol").await;
    app.pass(9 * 24 * HOUR).await;
    app.telegram_messages();
    assert_snapshot!(app.say(PERSON, PERSON, "/history sol").await, @"
    🟢 SOL (Solana) daily: bullish since 21 Nov 2026
    It has not changed since I first saw it.
    As of the call of 21 Nov 2026, seen 21 Nov 2026 06:00 UTC
    To be told of its next call, type /subscribe SOL.
    Read more
    ");
});

on_both!(everybody_may_read_in_a_group_and_the_token_is_completed, |db| async move {
    let mut app = TestApp::start(db).await;
    app.telegram.with(|world| {
        world.group(GROUP, "Traders", 777);
    });
    let said = app.say(GROUP, PERSON, "/history sol").await;
    assert!(said.starts_with("SOL (Solana) daily"), "{said}");
    app.pass(MINUTE).await;
    let options = json!([{"name": "token", "type": 3, "value": "so", "focused": true}]);
    assert_eq!(
        app.suggests(json!({"id": "1", "name": "history", "type": 1, "options": options})).await,
        [("SOL (Solana)".to_owned(), "SOL".to_owned())]
    );
});

on_both!(a_picture_comes_with_it_where_it_can, |db| async move {
    let mut app = TestApp::start(db).await;
    lived_in(&mut app).await;
    app.telegram.with(|world| world.say(PERSON, PERSON, "/history sol"));
    app.step().await;
    let mut sent = app.telegram.unread();
    assert_eq!((sent.len(), app.telegram.calls("sendPhoto").len()), (1, 1));
    let answer = sent.pop().unwrap();
    assert!(answer.text.starts_with("🔴 SOL (Solana) daily: bearish since 22 Nov 2026"), "{}", answer.text);
    let picture = answer.file.unwrap();
    assert_eq!(picture.name, "3988-daily.png");
    // It is not kept.
    assert_eq!(rows(&app.db.url, "SELECT body FROM messages WHERE body LIKE '%.png%'").await, [""; 0]);

    app.on_server(PLAIN, slash("history", &[("token", "sol")])).await;
    assert_eq!(app.discord.files(), [picture], "the same picture, drawn once");
    let (_, answer) = app.discord.answers().pop().unwrap();
    assert_eq!(answer["embeds"][0]["image"]["url"], "attachment://3988-daily.png");
    assert_snapshot!(answer["attachments"][0]["description"].as_str().unwrap(), @"Chart of the daily calls of SOL (Solana) from 17 Nov 2026 to 22 Nov 2026. Now: bearish since 22 Nov 2026. The call turned 2 times in that time. Price change since 17 Nov 2026: 0.0 %.");
    app.on_server(PLAIN, slash("history", &[("token", "btc"), ("kind", "hourly")])).await;
    assert_eq!(app.discord.files(), [], "nothing is known of its hours");
});

on_both!(a_picture_keeps_the_clock_that_its_reader_chose, |db| async move {
    let mut app = TestApp::start(db).await;
    app.source.set_hourly(SOL, "2026-11-21T05:00:00Z", 1, 1);
    app.source.set_hourly(SOL, "2026-11-21T04:00:00Z", -1, 0);
    app.on_server(PLAIN, slash("subscribe", &[("tokens", "sol"), ("kind", "hourly")])).await;
    app.next_poll().await;
    let shown = async |app: &mut TestApp| {
        app.on_server(PLAIN, slash("history", &[("token", "sol"), ("kind", "hourly")])).await;
        app.discord.files();
        let (_, answer) = app.discord.answers().pop().unwrap();
        answer["attachments"][0]["description"].as_str().unwrap().to_owned()
    };
    assert_snapshot!(shown(&mut app).await, @"Chart of the hourly calls of SOL (Solana) from 21 Nov 04:00 to 21 Nov 05:00. Now: bullish since 21 Nov 05:00. The call turned once in that time. Price, US$: $96,849.");
    app.on_server(PLAIN, slash("settings", &[("timezone", "Asia/Kolkata")])).await;
    assert_snapshot!(shown(&mut app).await, @"Chart of the hourly calls of SOL (Solana) from 21 Nov 09:30 to 21 Nov 10:30. Now: bullish since 21 Nov 10:30. The call turned once in that time. Price, US$: $96,849.");
});

on_both!(without_the_picture_the_text_comes_all_the_same, |db| async move {
    let mut app = TestApp::start(db).await;
    lived_in(&mut app).await;
    app.telegram.with(|world| {
        world.group(GROUP, "Traders", 777).without_photos = true;
    });
    let said = app.say(GROUP, PERSON, "/history sol").await;
    assert!(said.contains("bullish → bearish, after 1 day") && said.contains("Read more"), "{said}");
    assert_eq!(
        (app.telegram.calls("sendPhoto").len(), app.telegram.calls("sendMessage").last().map(|call| call["chat_id"] == GROUP)),
        (1, Some(true))
    );
    assert_eq!(rows(&app.db.url, "SELECT chat FROM destinations WHERE quarantine_reason IS NOT NULL").await, [""; 0]);
    // An upload that breaks: the next attempt goes without it.
    app.telegram.fault("sendPhoto", None, Fault::Raw(500, "down"));
    let said = app.say(PERSON, PERSON, "/history sol").await;
    assert!(said.contains("bullish → bearish"), "{said}");

    // What Discord does not take is not tried again; what it could not take is, without the picture.
    for status in [400, 413, 500] {
        app.discord.refuse("PATCH /webhooks/", 1, status, 0);
        let said = app.on_server(PLAIN, slash("history", &[("token", "sol")])).await;
        assert!(said.contains("bullish → **bearish**"), "{status}: {said}");
        assert_eq!(app.discord.files(), [], "{status}");
    }
    assert_eq!(app.log.take_errors().len(), 2, "what is refused for good is an operator's business");
});
