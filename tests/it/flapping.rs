//! A call that turns again and again is told to be unstable, kept quiet about, and told once more when it has settled (ARCHITECTURE.md, rules F).

use crate::support::{
    app::TestApp,
    audience::{BTC, FOUR, HOUR, SOL, text},
    commands::rows,
    database::{TestDb, on_both},
};
use insta::assert_snapshot;
use serde_json::json;
use std::time::Duration;

const PERSON: i64 = 501;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A channel follows everything, a person SOL alone; all calls are bearish.
async fn followers(db: TestDb) -> TestApp {
    let mut app = TestApp::start(db).await;
    app.channel_subscribes(json!([text("tokens", "all")])).await;
    app.person_subscribes(PERSON, "sol").await;
    app.baseline(&FOUR).await;
    app
}

/// The calls turn, and the next poll sees it.
async fn flip(app: &mut TestApp, tokens: &[i64], stance: i64) {
    app.call(tokens, stance);
    app.next_poll().await;
}

/// It turns three times: the third is the notice.
async fn becomes_unstable(app: &mut TestApp) {
    for (stance, said) in [(1, "SOL turned bullish"), (-1, "SOL turned bearish"), (1, "SOL turned bullish and is unstable")] {
        flip(app, &[SOL], stance).await;
        if stance == 1 && said.ends_with("unstable") {
            break;
        }
        assert_eq!(app.heard(), (vec![said.to_owned()], vec![said.to_owned()]));
    }
}

on_both!(f1_to_f3_the_third_turn_is_the_notice_then_silence_then_what_it_settled_to, |db| async move {
    let mut app = followers(db).await;
    becomes_unstable(&mut app).await;
    assert_eq!(app.on_discord(), ["SOL turned bullish and is unstable"]);
    let notice = app.telegram_messages().remove(0).2;
    assert_snapshot!(notice, @"
    🟢 SOL turned bullish and is unstable
    Daily call of 21 Nov 2026, seen 21 Nov 2026 07:04 UTC
    Before: bearish since 21 Nov 2026
    Three turns within 7 days: I am quiet about it now, and tell you once it has stood for 7 days.
    Trader grade 26.48
    Read more
    ");
    let said = app.say(PERSON, PERSON, "/why SOL").await;
    assert!(said.contains("Told to be unstable; what it has settled to is told 28 Nov 2026") && said.contains("Delivered"), "{said}");
    flip(&mut app, &[SOL], -1).await;
    flip(&mut app, &[SOL, BTC], 1).await;
    let mut app = app.restart().await;
    flip(&mut app, &[SOL], -1).await;
    assert_eq!(app.heard(), (vec!["BTC turned bullish".to_owned()], vec![]), "other calls are told as ever");
    let said = app.say(PERSON, PERSON, "/why SOL").await;
    assert!(said.contains("it turned too often"), "{said}");
    app.pass(6 * DAY).await;
    assert_eq!(app.heard(), (vec![], vec![]));
    app.pass(DAY).await;
    assert_eq!(app.on_discord(), ["SOL turned bearish and has settled"]);
    let settled = app.telegram_messages().remove(0).2;
    assert_snapshot!(settled, @"
    🔴 SOL turned bearish and has settled
    Daily call of 21 Nov 2026, seen 21 Nov 2026 07:52 UTC
    Before: bullish since 21 Nov 2026
    It has not turned for 7 days.
    2 flips in between
    Trader grade 26.48
    Read more
    ");
    // From now on it is a call like any other.
    flip(&mut app, &[SOL], 1).await;
    assert_eq!(app.heard(), (vec!["SOL turned bullish".to_owned()], vec!["SOL turned bullish".to_owned()]));
    assert_eq!(rows(&app.db.url, "SELECT DISTINCT state FROM alerts").await, ["told"]);
});

on_both!(f3_what_does_not_turn_again_has_settled_too, |db| async move {
    let mut app = followers(db).await;
    becomes_unstable(&mut app).await;
    app.heard();
    app.pass(7 * DAY).await;
    let said = "SOL has settled, still bullish".to_owned();
    assert_eq!(app.heard(), (vec![said.clone()], vec![said]));
    app.pass(8 * DAY).await;
    assert_eq!(app.heard(), (vec![], vec![]), "once");
});

on_both!(f2_a_correction_of_an_unstable_call_waits_like_a_turn, |db| async move {
    let mut app = followers(db).await;
    becomes_unstable(&mut app).await;
    app.heard();
    app.at("2026-11-22T01:00:00Z").await;
    app.source.set_daily(SOL, "2026-11-21", -1, -1);
    app.next_poll().await;
    assert_eq!(app.heard(), (vec![], vec![]));
    app.pass(8 * DAY).await;
    let said = "SOL turned bearish and has settled".to_owned();
    assert_eq!(app.heard(), (vec![said.clone()], vec![said]));
});

on_both!(f1_what_a_new_subscription_has_not_seen_does_not_count, |db| async move {
    let mut app = followers(db).await;
    becomes_unstable(&mut app).await;
    app.heard();
    app.person_subscribes(42, "sol").await;
    flip(&mut app, &[SOL], -1).await;
    assert_eq!(app.on_telegram(), ["SOL turned bearish"], "to the newcomer, who has seen one turn");
    app.pass(8 * DAY + HOUR).await;
    assert_eq!(app.on_discord(), ["SOL turned bearish and has settled"]);
    assert_eq!(app.on_telegram(), ["SOL turned bearish and has settled"]);
});

on_both!(f3_a_group_that_moves_onto_another_hears_there_that_it_has_settled, |db| async move {
    const OLD: i64 = -4321;
    const GROUP: i64 = -1_001_234;
    const ADMIN: i64 = 77;
    let mut app = TestApp::start(db).await;
    app.telegram.with(|world| {
        world.group(OLD, "Small", ADMIN).kind = "group";
        world.group(GROUP, "Large", ADMIN);
    });
    app.say(OLD, ADMIN, "/subscribe sol").await;
    app.baseline(&FOUR).await;
    flip(&mut app, &[SOL], 1).await;
    flip(&mut app, &[SOL], -1).await;
    app.telegram_messages();
    app.say(GROUP, ADMIN, "/subscribe sol").await;
    flip(&mut app, &[SOL], 1).await;
    let mut told = app.on_telegram();
    told.sort();
    assert_eq!(told, ["SOL turned bullish", "SOL turned bullish and is unstable"], "who subscribed later has seen one turn");
    app.telegram.with(|world| {
        let chat = world.chats[&GROUP].clone();
        world.migrate(OLD, GROUP);
        world.chats.insert(GROUP, chat);
    });
    app.step().await;
    app.pass(6 * DAY).await;
    assert_eq!(app.heard(), (vec![], vec![]));
    app.pass(DAY).await;
    let told: Vec<_> =
        app.telegram.unread().into_iter().map(|sent| (sent.chat, sent.text.lines().next().unwrap_or_default().to_owned())).collect();
    assert_eq!(told, [(GROUP, "🟢 SOL has settled, still bullish".to_owned())]);
});
