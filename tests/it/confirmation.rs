//! `confirmation`: a turn has to stand for a while before it is told (ARCHITECTURE.md, rules N).

use crate::support::{
    app::TestApp,
    audience::{BTC, FOUR, MINUTE, SOL, text},
    commands::rows,
    database::on_both,
};
use serde_json::json;

const PERSON: i64 = 501;

on_both!(n1_n2_what_stands_is_told_and_what_turns_back_is_not, |db| async move {
    let mut app = TestApp::start(db).await;
    app.channel_subscribes(json!([text("tokens", "all")])).await;
    app.person_subscribes(PERSON, "all").await;
    app.baseline(&FOUR).await;
    app.choose(PERSON, &[("confirmation", "40")]).await;
    app.turn(&[SOL, BTC], 1).await;
    assert_eq!(app.heard(), (vec![], vec![]), "nobody is told yet");
    let said = app.say(PERSON, PERSON, "/why SOL").await;
    assert!(said.contains("Still held") && said.contains("has to stand for a while"), "{said}");
    app.turn(&[BTC], -1).await;
    let mut app = app.restart().await;
    app.pass(20 * MINUTE).await;
    assert_eq!(app.heard(), (vec![], vec![]));
    app.pass(10 * MINUTE).await;
    assert_eq!(app.heard(), (vec!["SOL turned bullish".to_owned()], vec!["SOL turned bullish".to_owned()]));
    app.pass(60 * MINUTE).await;
    assert_eq!(app.heard(), (vec![], vec![]), "BTC turned back, and nobody is told");
    let said = app.say(PERSON, PERSON, "/why BTC").await;
    assert!(said.contains("turned back before it was confirmed"), "{said}");
    assert_eq!(rows(&app.db.url, "SELECT DISTINCT reason FROM alerts WHERE state = 'skipped'").await, ["not_confirmed"]);
});

on_both!(n1_every_turn_begins_anew_and_the_setting_can_be_taken_back, |db| async move {
    let mut app = TestApp::start(db).await;
    app.person_subscribes(PERSON, "sol").await;
    app.baseline(&FOUR).await;
    let said = app.say(PERSON, PERSON, "/settings confirmation=60").await;
    assert!(said.contains("confirmation 60: a turn is told once it has stood for"), "{said}");
    let said = app.say(PERSON, PERSON, "/settings confirmation=soon").await;
    assert!(said.contains("0 to 1440") && said.contains("/settings confirmation=30"), "{said}");
    app.turn(&[SOL], 1).await;
    assert_eq!(app.on_telegram(), [""; 0]);
    let said = app.say(PERSON, PERSON, "/settings confirmation=0").await;
    assert!(said.contains("SOL turned bullish"), "what is held is told under what holds now: {said}");
});

/// The call is this, and the next poll sees it.
async fn poll(app: &mut TestApp, stance: i64) -> Vec<String> {
    app.call(&[SOL], stance);
    app.next_poll().await;
    app.on_telegram()
}

on_both!(n3_so_many_of_the_last_polls_have_to_show_a_turn, |db| async move {
    let mut app = TestApp::start(db).await;
    app.person_subscribes(PERSON, "sol").await;
    app.baseline(&FOUR).await;
    let said = app.say(PERSON, PERSON, "/settings confirmation=2of3").await;
    assert!(said.contains("confirmation 2of3: a turn is told once 2 of the last 3 polls have shown it"), "{said}");
    for bad in ["1of3", "4of3", "2of11", "2 of", "of3", "25h"] {
        let said = app.say(PERSON, PERSON, &format!("/settings confirmation={bad}")).await;
        assert!(said.contains("That did not work"), "{bad}: {said}");
    }
    assert_eq!(poll(&mut app, 1).await, [""; 0], "one poll has shown it");
    let said = app.say(PERSON, PERSON, "/why SOL").await;
    assert!(said.contains("Still held") && said.contains("more polls have to show it first"), "{said}");
    app.pass(5 * MINUTE).await;
    assert_eq!(app.on_telegram(), [""; 0], "time alone shows nothing");
    let mut app = app.restart().await;
    assert_eq!(poll(&mut app, 1).await, ["SOL turned bullish"], "and now two");
    app.calm().await;
    // It turns back, and again: two of three.
    assert_eq!(poll(&mut app, -1).await, [""; 0]);
    assert_eq!(poll(&mut app, 1).await, [""; 0]);
    assert_eq!(poll(&mut app, -1).await, ["SOL turned bearish and is unstable"]);
});

on_both!(n3_what_none_of_the_last_polls_shows_any_more_is_not_told, |db| async move {
    let mut app = TestApp::start(db).await;
    app.person_subscribes(PERSON, "sol").await;
    app.baseline(&FOUR).await;
    app.say(PERSON, PERSON, "/settings confirmation=2of2").await;
    assert_eq!(poll(&mut app, 1).await, [""; 0]);
    for _ in 0..3 {
        assert_eq!(poll(&mut app, -1).await, [""; 0]);
    }
    let said = app.say(PERSON, PERSON, "/why SOL").await;
    assert!(said.contains("turned back before it was confirmed"), "{said}");
    assert_eq!(rows(&app.db.url, "SELECT DISTINCT state || ' ' || reason FROM alerts").await, ["skipped not_confirmed"]);
    app.calm().await;
    assert_eq!(poll(&mut app, 1).await, [""; 0]);
    let said = app.say(PERSON, PERSON, "/settings confirmation=0").await;
    assert!(said.contains("SOL turned bullish"), "what is held is told under what holds now: {said}");
});
