//! What a chat is told is the net of everything that it was not told, whatever moved its releases.

use crate::support::{
    app::TestApp,
    audience::{FOUR, SOL},
    database::on_both,
};

const PERSON: i64 = 501;

on_both!(what_an_old_limit_held_is_told_under_the_new_one, |db| async move {
    let mut app = TestApp::start(db).await;
    app.person_subscribes(PERSON, "sol").await;
    app.baseline(&FOUR).await;
    app.say(PERSON, PERSON, "/settings cooldown=1000").await;
    app.turn(&[SOL], 1).await;
    assert_eq!(app.on_telegram(), ["SOL turned bullish"]);
    app.turn(&[SOL], -1).await;
    assert_eq!(app.on_telegram(), [""; 0], "inside the cooldown");

    let said = app.say(PERSON, PERSON, "/settings cooldown=0").await;
    assert!(said.contains("SOL turned bearish"), "{said}");

    // Nothing of it is left to be told days later as if it were news.
    app.turn(&[SOL], 1).await;
    assert_eq!(app.on_telegram(), ["SOL turned bullish"]);
    app.pass(std::time::Duration::from_secs(1000 * 60)).await;
    assert_eq!(app.on_telegram(), [""; 0]);
});
