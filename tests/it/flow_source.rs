//! A source that misbehaves: nobody is told what is not so, nothing is lost, and what changed meanwhile is told afterwards.

use crate::support::{
    app::TestApp,
    commands::rows,
    community::{BTC, PERSON, SOL, both, community, heard, hours, polls, subscribe_all, texts, today},
    database::on_both,
    fake_token_metrics::{Fault, Seen},
};
use insta::assert_snapshot;
use serde_json::{Value, json};
use std::time::Duration;

const DAILY: &str = "trading-signals";

/// Who wants what, as the database has it.
async fn subscriptions(app: &TestApp) -> Vec<String> {
    rows(
        &app.db.url,
        "SELECT d.chat, s.target, s.kind FROM subscriptions s JOIN destinations d ON d.id = s.destination_id ORDER BY 1, 2, 3",
    )
    .await
}

fn daily_calls(seen: &[Seen]) -> usize {
    seen.iter().filter(|seen| seen.endpoint == DAILY).count()
}

fn words(bullish: bool) -> (i64, String) {
    if bullish { (1, "SOL turned bullish".to_owned()) } else { (-1, "SOL turned bearish".to_owned()) }
}

on_both!(trouble_that_passes_is_silent_and_what_changed_is_told_after_it, |db| async move {
    let mut app = community(db).await;
    let before = subscriptions(&app).await;
    let refusal = json!({"success": false, "message": "Internal error"}).to_string();
    let troubles = [
        Fault::WithHeaders(429, vec![]),
        Fault::WithHeaders(429, vec![("retry-after", "120".to_owned())]),
        Fault::Status(500, refusal.clone()),
        Fault::Status(503, String::new()),
        Fault::Html(502),
        Fault::Html(200),
        Fault::Truncated,
        Fault::BrokenOff,
        Fault::Status(200, refusal.clone()),
        Fault::Status(200, "null".to_owned()),
        Fault::Status(200, json!({"success": true, "data": {"TOKEN_ID": SOL}}).to_string()),
        Fault::Status(400, json!({"success": false, "message": "Invalid parameters"}).to_string()),
        Fault::Status(404, json!({"success": false, "message": "Data not found", "data": []}).to_string()),
        Fault::Status(404, "<html>nginx</html>".to_owned()),
        Fault::Rows(vec![]),
    ];
    let mut bullish = false;
    for trouble in troubles {
        app.source.set_down_at(DAILY, Some(trouble.clone()));
        bullish = !bullish;
        let (stance, title) = words(bullish);
        app.source.set_daily(SOL, &today(&app), stance, stance);
        app.source.take_seen();
        polls(&mut app, 4).await;
        assert_eq!(heard(&app), [""; 0], "{trouble:?}");
        let calls = daily_calls(&app.source.take_seen());
        assert!((3..=8).contains(&calls), "{calls} calls in an hour with {trouble:?}");
        app.source.set_down_at(DAILY, None);
        polls(&mut app, 3).await;
        assert_eq!(heard(&app), both(&title), "after {trouble:?}");
        assert_eq!(subscriptions(&app).await, before);
    }
});

/// A daily row as the API writes it, but for what the test changes.
fn row(token: i64, date: &str, changes: &Value) -> Value {
    let mut row = json!({"TOKEN_ID": token, "TOKEN_NAME": "Solana", "TOKEN_SYMBOL": "SOL", "DATE": format!("{date}T00:00:00.000Z"),
        "TRADING_SIGNAL": 1, "TOKEN_TREND": 1, "TM_TRADER_GRADE": 26.48});
    for (name, value) in changes.as_object().cloned().unwrap_or_default() {
        row[name] = value;
    }
    row
}

on_both!(rows_that_cannot_be_meant_change_nothing, |db| async move {
    let mut app = community(db).await;
    let day = "2026-11-21";
    let bullish = |changes: Value| row(SOL, day, &changes);
    let nonsense = [
        vec![row(9999, day, &json!({}))],
        vec![bullish(json!({})), bullish(json!({"TRADING_SIGNAL": -1, "TOKEN_TREND": -1}))],
        vec![bullish(json!({"TRADING_SIGNAL": null, "TOKEN_TREND": null}))],
        vec![bullish(json!({"TRADING_SIGNAL": 7}))],
        vec![bullish(json!({"TRADING_SIGNAL": 0.5, "TOKEN_TREND": 1}))],
        vec![bullish(json!({"TRADING_SIGNAL": "buy", "TOKEN_TREND": "up"}))],
        vec![bullish(json!({"TRADING_SIGNAL": [1], "TOKEN_TREND": {"a": 1}}))],
        vec![row(SOL, "2026-11-22", &json!({}))],
        vec![row(SOL, "2099-01-01", &json!({}))],
        vec![bullish(json!({"DATE": null}))],
        vec![bullish(json!({"DATE": "yesterday"}))],
        vec![bullish(json!({"TOKEN_ID": null})), json!(null), json!("SOL"), json!([])],
        vec![bullish(json!({"TOKEN_ID": -SOL}))],
        vec![row(SOL, "2026-11-20", &json!({}))],
    ];
    for rows in nonsense {
        app.source.set_down_at(DAILY, Some(Fault::Rows(rows.clone())));
        polls(&mut app, 2).await;
        let told = heard(&app);
        assert!(told.iter().all(|line| line.starts_with("operator: Most of the 4 rows") && rows.len() == 4), "{rows:?}: {told:?}");
    }
    // What is only written oddly is read, and told once.
    let text = bullish(json!({"TOKEN_ID": SOL.to_string(), "TRADING_SIGNAL": "1", "TOKEN_TREND": "1.0", "TM_TRADER_GRADE": "71.5"}));
    app.source.set_down_at(DAILY, Some(Fault::Rows(vec![text.clone(), text, row(9999, day, &json!({"DATE": null}))])));
    polls(&mut app, 2).await;
    // What operators hear of such rows is the business of `drift.rs`.
    let members = |heard: Vec<String>| heard.into_iter().filter(|line| !line.starts_with("operator: ")).collect::<Vec<_>>();
    assert_eq!(members(heard(&app)), both("SOL turned bullish"));
    app.source.set_down_at(DAILY, None);
    app.source.set_daily(SOL, day, 1, 1);
    polls(&mut app, 2).await;
    assert_eq!(members(heard(&app)), [""; 0]);
});

on_both!(a_refused_key_stops_the_feed_and_only_operators_hear_of_it, |db| async move {
    let mut app = community(db).await;
    let before = subscriptions(&app).await;
    let mut bullish = false;
    for (status, message) in [(401, "Invalid API key"), (402, "Payment required"), (403, "Your plan does not include this endpoint")] {
        app.source.set_down_at(DAILY, Some(Fault::Status(status, json!({"success": false, "message": message}).to_string())));
        bullish = !bullish;
        let (stance, title) = words(bullish);
        app.source.set_daily(SOL, &today(&app), stance, stance);
        app.source.take_seen();
        polls(&mut app, 6).await;
        assert_eq!(daily_calls(&app.source.take_seen()), 1, "{status} is not tried again");
        let told = texts(&app);
        assert_eq!(told.iter().map(|(who, _)| who.as_str()).collect::<Vec<_>>(), ["operator"], "{status}: {told:?}");
        assert!(told[0].1.contains(message) && told[0].1.contains("bellwether check"), "{told:?}");
        let status_words = app.say(PERSON, PERSON, "/status").await;
        assert!(status_words.contains("Daily: stopped, because the source refuses the API key or its plan"), "{status_words}");
        // Whoever subscribes meanwhile is not promised what will not come.
        let again = app.say(PERSON, PERSON, "/subscribe SOL,BTC").await;
        assert!(again.contains("stopped"), "{again}");
        app.source.set_down_at(DAILY, None);
        app = app.restart().await;
        polls(&mut app, 2).await;
        let mut told = heard(&app);
        told.sort();
        let mut expected = both(&title).to_vec();
        expected.push("operator: The daily feed is back. Changes meanwhile: 1.".to_owned());
        expected.sort();
        assert_eq!(told, expected, "after {status}");
        assert_eq!(subscriptions(&app).await, before);
    }
});

on_both!(an_outage_is_told_once_and_its_end_once, |db| async move {
    let mut app = community(db).await;
    app.source.set_down_at(DAILY, Some(Fault::Html(502)));
    hours(&mut app, 5).await;
    assert_eq!(heard(&app), [""; 0], "five hours are no outage yet");
    hours(&mut app, 20).await;
    let told = texts(&app);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_snapshot!(told[0].1, @r#"
    ⚠️ The daily feed has brought nothing since 21 Nov 2026 06:16 UTC: the API has a problem (502): the answer cannot be read: "it is an HTML page, not JSON"; there is nothing to do here: it is asked again by itself [TM-DOWN]. I keep trying; what has changed by then is told afterwards.
    "#);
    let status = app.say(PERSON, PERSON, "/status").await;
    assert!(status.contains("Daily: the last ") && status.contains(" polls failed; last good one 21 Nov 2026 06:16 UTC"), "{status}");
    app = app.restart().await;
    hours(&mut app, 2).await;
    assert_eq!(heard(&app), [""; 0], "a restart does not tell it again");
    let day = today(&app);
    app.source.set_daily(SOL, &day, 1, 1);
    app.source.set_daily(BTC, &day, -1, -1);
    app.source.set_down_at(DAILY, None);
    hours(&mut app, 3).await;
    let mut told = heard(&app);
    told.sort();
    let expected = [
        "channel: BTC turned bearish",
        "channel: SOL turned bullish",
        "operator: The daily feed is back. Changes meanwhile: 2.",
        "person: BTC turned bearish",
        "person: SOL turned bullish",
    ];
    assert_eq!(told, expected);
});

on_both!(a_plan_without_data_is_told_to_operators, |db| async move {
    let mut app = community(db).await;
    app.source.remove_daily(SOL);
    app.source.remove_daily(BTC);
    hours(&mut app, 23).await;
    assert_eq!(heard(&app), [""; 0]);
    hours(&mut app, 30).await;
    let told = texts(&app);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_snapshot!(told[0].1, @r#"
    ⚠️ No token of the daily feed has had data for 24 hours: the key's plan seems to hold no current data (free plans hide the last 30 days); see in your Token Metrics account what your plan includes [TM-NO-DATA].
    "#);
    assert_eq!(told[0].0, "operator");
    let status = app.say(PERSON, PERSON, "/status").await;
    assert!(status.contains("seems to hold no current data"), "{status}");
    let day = today(&app);
    app.source.set_daily(SOL, &day, -1, -1);
    app.source.set_daily(BTC, &day, 1, 1);
    hours(&mut app, 2).await;
    assert_eq!(heard(&app), [""; 0], "the same calls as before are no news");
    assert!(!app.say(PERSON, PERSON, "/status").await.contains("no current data"));
});

on_both!(a_call_that_never_ends_is_cut_off, |db| async move {
    let mut app = community(db).await;
    app.source.set_down_at(DAILY, Some(Fault::Endless));
    app.source.set_daily(SOL, "2026-11-21", 1, 1);
    polls(&mut app, 2).await;
    assert_eq!(heard(&app), [""; 0]);
    app.source.set_down_at(DAILY, None);
    app.pass(Duration::from_secs(20 * 60)).await;
    polls(&mut app, 1).await;
    assert_eq!(heard(&app), both("SOL turned bullish"));
});

on_both!(version_3_of_the_api_says_the_same_in_small_letters, |db| async move {
    let mut app = TestApp::with_market(db, &[], |source| {
        source.speak_v3();
        source.add_unranked(77, "RARE", "Rare Thing");
    })
    .await;
    for (token, stance) in [(SOL, -1), (77, 1)] {
        app.source.set_daily(token, "2026-11-21", stance, stance);
    }
    app.source.set_hourly(SOL, "2026-11-21T05:00:00Z", 1, 1);
    // The directory is read, an unranked token is looked up.
    subscribe_all(&mut app, "SOL,RARE").await;
    subscribe_all(&mut app, "SOL hourly").await;
    polls(&mut app, 1).await;
    assert_eq!(heard(&app), [""; 0]);
    app.source.set_daily(SOL, "2026-11-21", 0, 1);
    polls(&mut app, 1).await;
    let told = texts(&app);
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!((told[0].0.as_str(), told[0].1.lines().next()), ("channel", Some("SOL turned bullish")), "{told:?}");
    assert!(told[0].1.contains("https://app.tokenmetrics.com/en/solana"), "{told:?}");
    // Its grades are others than the trader grade.
    assert!(!told[0].1.contains("grade"), "{told:?}");
    app.source.set_daily(77, "2026-11-21", -1, -1);
    app.source.set_hourly(SOL, "2026-11-21T06:00:00Z", -1, 0);
    hours(&mut app, 1).await;
    let mut told = heard(&app);
    told.sort();
    let mut expected = [both("RARE turned bearish"), both("SOL turned bearish")].concat();
    expected.sort();
    assert_eq!(told, expected);
});
