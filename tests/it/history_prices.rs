//! Prices of the past that `/history` asks the source for, where too few are stored for its picture (ARCHITECTURE.md, rules I and P).

use crate::support::{
    app::TestApp,
    audience::{BTC, ETH, FOUR, HOUR, MINUTE, SOL},
    commands::{rows, run_sql},
    community::{OPERATOR, PERSON, with_operator},
    database::{TestDb, on_both},
    fake_discord::interaction::{PLAIN, slash},
    fake_token_metrics::Fault,
};
use bellwether::clock::Clock;
use insta::assert_snapshot;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::Notify;

const NOT_IN_PLAN: &str = r#"{"success": false, "message": "You are not authorized to access this endpoint with your current plan."}"#;

/// Everybody follows all calls since today: of each token there is one row, and the source knows older prices of SOL.
async fn followed_since_today(db: TestDb, settings: &[(&str, &str)]) -> TestApp {
    let mut app = with_operator(db, settings).await;
    app.call(&FOUR, 1);
    app.person_subscribes(PERSON, "SOL,BTC,ETH").await;
    app.next_poll().await;
    app.source.set_daily_prices(SOL, "2026-11-12", &[140.0, 141.5, 143.0, 139.0, 138.25, 142.0, 147.0, 149.5, 146.0, 148.0]);
    app.source.take_seen();
    app.telegram_messages();
    app
}

/// What was asked for of the past since the last look.
fn asked(app: &TestApp) -> Vec<String> {
    let seen = app.source.take_seen().into_iter().filter(|seen| seen.endpoint.ends_with("-ohlcv"));
    seen.map(|seen| seen.query.into_iter().fold(seen.endpoint, |all, (name, value)| format!("{all} {name}={value}"))).collect()
}

/// What a member on Discord is told, and what stands beside the picture for whoever does not see it.
async fn history(app: &mut TestApp, options: &[(&str, &str)]) -> (String, String) {
    let before = app.discord.answers().len();
    let said = app.on_server(PLAIN, slash("history", options)).await;
    // An answer with a picture is an edit of "thinking…".
    let edit = app.discord.answers().into_iter().nth(before);
    let alt = edit.and_then(|(_, answer)| answer["attachments"][0]["description"].as_str().map(str::to_owned));
    (said, alt.unwrap_or_default())
}

async fn picture(app: &mut TestApp, token: &str) -> String {
    history(app, &[("token", token)]).await.1
}

on_both!(a_picture_without_stored_prices_shows_those_of_the_source_asked_for_once, |db| async move {
    let mut app = followed_since_today(db, &[]).await;
    let with_prices = "Chart of the daily calls of SOL (Solana) from 12 Nov 2026 to 21 Nov 2026. Now: bullish since 21 Nov 2026. \
                       The call did not turn in that time. Price, US$: $148.0.";
    assert_eq!(picture(&mut app, "sol").await, with_prices);
    let drawn = app.discord.files();
    assert_eq!(asked(&app), ["daily-ohlcv limit=100 page=1 token_id=3988"]);
    app.telegram.with(|world| world.say(PERSON, PERSON, "/history sol"));
    app.step().await;
    assert_eq!(app.telegram.unread().pop().unwrap().file.as_ref(), drawn.first(), "the same picture");
    app.pass(HOUR).await;
    assert_eq!(picture(&mut app, "sol").await, with_prices);
    assert_eq!(asked(&app), [""; 0], "it is known");
    // What has none is known to have none, and whatever nobody follows has no picture.
    let without = "Chart of the daily calls of BTC (Bitcoin) from 21 Nov 2026 to 21 Nov 2026. Now: bullish since 21 Nov 2026. \
                   The call did not turn in that time. No prices known.";
    assert_eq!([picture(&mut app, "btc").await, picture(&mut app, "btc").await], [without, without]);
    assert_eq!(history(&mut app, &[("token", "sol"), ("kind", "hourly")]).await.1, "");
    assert_eq!(asked(&app), [format!("daily-ohlcv limit=100 page=1 token_id={BTC}")]);
    // From the second row on there are prices of one's own: nothing is asked for.
    app.pass(24 * HOUR).await;
    app.call(&[SOL], 1);
    app.next_poll().await;
    assert!(picture(&mut app, "sol").await.ends_with("Price change since 21 Nov 2026: 0.0 %."));
    assert_eq!(asked(&app), [""; 0]);
});

on_both!(hours_keep_their_own_close_and_end_with_the_call, |db| async move {
    let mut app = with_operator(db, &[]).await;
    app.source.set_hourly(SOL, "2026-11-21T05:00:00Z", 1, 1);
    app.person_subscribes(PERSON, "SOL hourly").await;
    app.next_poll().await;
    app.source.set_hourly_prices(SOL, "2026-11-21T01:00:00Z", &[90_000.0, 91_000.0, 92_000.0, 93_000.0, 1.0, 2.0, 3.0]);
    let options = [("token", "sol"), ("kind", "hourly")];
    app.source.take_seen();
    assert_snapshot!(history(&mut app, &options).await.1, @"Chart of the hourly calls of SOL (Solana) from 21 Nov 01:00 to 21 Nov 05:00. Now: bullish since 21 Nov 05:00. The call did not turn in that time. Price, US$: $96,849.");
    assert_eq!(asked(&app), ["hourly-ohlcv limit=100 page=1 token_id=3988"]);
});

on_both!(a_plan_without_past_prices_leaves_the_calls_and_operators_hear_of_it_once, |db| async move {
    let mut app = followed_since_today(db, &[]).await;
    app.source.set_down_at("daily-ohlcv", Some(Fault::Status(401, NOT_IN_PLAN.to_owned())));
    let (said, alt) = history(&mut app, &[("token", "sol")]).await;
    assert!(alt.ends_with("No prices known.") && app.discord.files().len() == 1, "{alt}");
    assert!(!said.contains("plan") && !said.contains("prices") && !said.contains("minute"), "{said}");
    app.telegram.with(|world| world.say(PERSON, PERSON, "/history eth"));
    app.step().await;
    let answers: Vec<_> = app.telegram.unread().into_iter().filter(|sent| sent.chat == PERSON).collect();
    assert!(answers[0].file.is_some() && !answers[0].text.contains("prices"), "{}", answers[0].text);
    picture(&mut app, "btc").await;
    assert_eq!(asked(&app).len(), 1, "not asked again");
    let notices = format!("SELECT m.body FROM messages m JOIN destinations d ON d.id = m.destination_id WHERE d.chat = '{OPERATOR}'");
    let told = rows(&app.db.url, &notices).await;
    assert!(told.len() == 1 && told[0].contains("daily-ohlcv") && told[0].contains("401"), "{told:?}");
    // A day later the plan has it.
    app.source.set_down_at("daily-ohlcv", None);
    app.pass(24 * HOUR + MINUTE).await;
    assert!(picture(&mut app, "sol").await.ends_with("Price, US$: $148.0."));
    assert_eq!(rows(&app.db.url, &notices).await.len(), 1);
});

on_both!(past_prices_leave_room_in_the_reserve_for_what_many_ask, |db| async move {
    let mut app = followed_since_today(db, &[("TOKEN_METRICS_CALLS_PER_MONTH", "500")]).await;
    // By the 21st people may have caused 36 of the 50 calls of the reserve.
    let now = app.clock.now().as_millis();
    let ledger = vec![format!("('token-metrics', 'tokens', 'lookup', {now}, 200)"); 31].join(",");
    run_sql(&app.db.url, &format!("INSERT INTO call_ledger (source, endpoint, purpose, called_at, status) VALUES {ledger}")).await;
    let (said, alt) = history(&mut app, &[("token", "sol")]).await;
    assert!(alt.ends_with("No prices known.") && !said.contains("minute"), "{said} {alt}");
    assert_eq!(asked(&app), [""; 0]);
    app.source.set_price(SOL, 148.0);
    assert!(app.say(PERSON, PERSON, "/signal SOL").await.contains("Price 148"));
    app.at("2026-12-05T08:00:00Z").await;
    asked(&app);
    assert!(picture(&mut app, "sol").await.contains("$148.0."));
});

on_both!(what_comes_late_is_there_for_the_next_and_a_failure_is_left_alone, |db| async move {
    let mut app = followed_since_today(db, &[]).await;
    let release = Arc::new(Notify::new());
    app.source.fault("daily-ohlcv", Fault::Held(release.clone()));
    let (said, alt) = history(&mut app, &[("token", "sol")]).await;
    assert!(said.contains("The prices of its chart are being asked for: type this again in a minute."), "{said}");
    assert!(alt.ends_with("No prices known."), "{alt}");
    release.notify_one();
    let (said, alt) = history(&mut app, &[("token", "sol")]).await;
    assert!(alt.ends_with("Price, US$: $148.0.") && !said.contains("minute"), "{said} {alt}");
    assert_eq!(asked(&app).len(), 1);
    app.source.set_down_at("daily-ohlcv", Some(Fault::Html(502)));
    for _ in 0..2 {
        let (said, alt) = history(&mut app, &[("token", "eth")]).await;
        assert!(alt.ends_with("No prices known.") && !said.contains("minute"), "{said} {alt}");
    }
    assert_eq!(asked(&app), [format!("daily-ohlcv limit=100 page=1 token_id={ETH}")]);
});

on_both!(prices_that_cannot_be_are_not_drawn, |db| async move {
    let mut app = followed_since_today(db, &[]).await;
    let row = |day: &str, close: Value| json!({"TOKEN_ID": SOL, "TOKEN_NAME": "<b>@everyone</b>", "DATE": day, "CLOSE": close});
    let mut hostile = vec![
        row("2026-11-19", json!(7.5)),
        row("2026-11-21", json!("8.25")),
        row("2026-11-20", json!(1e300)),
        row("2026-11-19", json!(9_999)),
        row("2026-11-18", json!(-5)),
        row("2026-11-18", json!("NaN")),
        row("2026-11-17", json!(7)),
        row("2026-11-22", json!(1)),
        row("2013-04-01", json!(1)),
        row("tomorrow", json!(1)),
        json!({"TOKEN_ID": BTC, "DATE": "2026-11-18", "CLOSE": 4}),
        json!({"DATE": "2026-11-18", "CLOSE": 4}),
        json!(null),
        json!("x"),
    ];
    app.source.fault("daily-ohlcv", Fault::Rows(hostile.clone()));
    assert_snapshot!(picture(&mut app, "sol").await, @"Chart of the daily calls of SOL (Solana) from 17 Nov 2026 to 21 Nov 2026. Now: bullish since 21 Nov 2026. The call did not turn in that time. Price, US$: $8.250.");
    // Thousands of days that nobody asked for, and those of another token.
    hostile.extend((0..5_000).map(|day| row(&format!("19{:02}-01-{:02}", 50 + day % 40, 1 + day % 28), json!(day + 1))));
    app.source.fault("daily-ohlcv", Fault::Rows(hostile));
    assert!(picture(&mut app, "btc").await.ends_with("No prices known."), "one price is no line");
    assert_eq!(asked(&app).len(), 2);
});
