//! Tokens that are gone from the source's list, come back, or have another symbol, as their subscribers hear of it (ARCHITECTURE.md, rules T).

use crate::support::{
    app::TestApp,
    audience::{HOUR, text},
    commands::rows,
    community::{BTC, ETH, PERSON, SOL, heard, today, with_operator},
    database::on_both,
};
use insta::assert_snapshot;
use serde_json::json;
use std::time::Duration;

const SLEEPER: i64 = 502;
const MUTED: i64 = 503;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What the source lists from now on.
fn lists(app: &TestApp, tokens: &[(i64, &str, &str)]) {
    app.source.set_tokens(tokens.iter().copied());
}

const GONE: &str =
    "SOL is not listed any more by Token Metrics. The subscription stays, in case it comes back; to end it, type /unsubscribe SOL.";
const ALL: &[(i64, &str, &str)] = &[(BTC, "BTC", "Bitcoin"), (ETH, "ETH", "Ethereum"), (SOL, "SOL", "Solana")];

/// The next full list was read: once a week.
async fn next_list(app: &mut TestApp) {
    app.pass(7 * DAY + Duration::from_secs(60)).await;
}

/// What subscribers heard.
fn told(app: &TestApp) -> Vec<String> {
    heard(app).into_iter().filter(|line| !line.starts_with("operator")).collect()
}

on_both!(t1_whoever_named_a_token_hears_once_that_it_is_gone_and_once_that_it_is_back, |db| async move {
    let mut app = with_operator(db, &[]).await;
    lists(&app, ALL);
    app.channel_subscribes(json!([text("tokens", "SOL,BTC")])).await;
    for words in ["SOL,BTC", "SOL hourly", "SOL grade"] {
        app.person_subscribes(PERSON, words).await;
    }
    app.person_subscribes(SLEEPER, "SOL,ETH").await;
    app.choose(SLEEPER, &[("quiet_hours", "05:00-08:30")]).await;
    app.person_subscribes(MUTED, "SOL").await;
    app.person_subscribes(504, "all").await;
    app.pass(HOUR).await;
    assert_eq!(told(&app), [""; 0]);

    lists(&app, &ALL[..2]);
    next_list(&mut app).await;
    assert_eq!(told(&app), [""; 0], "it may be by chance");
    app.say(MUTED, MUTED, "/mute 7d SOL").await;
    let mut app = app.restart().await;
    app.pass(6 * DAY).await;
    app.say(MUTED, MUTED, "/mute 7d SOL").await;
    app.pass(DAY + Duration::from_secs(60)).await;
    assert_eq!(told(&app), [format!("person: {GONE}")], "the others sleep, or do not want to hear of it");
    let listed = app.say(PERSON, PERSON, "/subscriptions").await;
    assert!(listed.contains("Not listed any more by Token Metrics: SOL. Nothing comes of them unless they are listed again."), "{listed}");
    let said = app.say(PERSON, PERSON, "/subscribe SOL").await;
    assert!(said.contains("Not listed any more by Token Metrics: SOL."), "{said}");
    let mut app = app.restart().await;
    app.pass(HOUR).await;
    assert_eq!(told(&app), [""; 0], "nothing is said twice");
    app.pass(HOUR).await;
    assert_eq!(told(&app), [format!("channel: {GONE}"), format!("502: {GONE}")], "their night is over");
    assert!(app.say(MUTED, MUTED, "/subscriptions").await.contains("Not listed any more by Token Metrics: SOL."));
    next_list(&mut app).await;
    assert_eq!(
        told(&app),
        [
            "503: SOL is not listed any more by Token Metrics. The subscription stays, in case it comes back; to end it, type /unsubscribe SOL."
        ]
    );

    lists(&app, ALL);
    app.pass(DAY + Duration::from_secs(60)).await;
    let back =
        ["channel", "person", "502", "503"].map(|who| format!("{who}: SOL is listed again by Token Metrics. The subscription goes on."));
    assert_eq!(told(&app), back);
    assert!(!app.say(PERSON, PERSON, "/subscriptions").await.contains("Not listed"));
    assert_eq!(rows(&app.db.url, "SELECT symbol FROM tokens WHERE delisted_at IS NOT NULL AND symbol = 'SOL'").await, [""; 0]);
});

on_both!(t1_a_row_without_a_symbol_names_its_token_and_a_signal_does_not, |db| async move {
    let known =
        "SELECT symbol || ' ' || market_rank || ' ' || (CASE WHEN in_all THEN 'in all' ELSE '' END) FROM tokens WHERE token_id = 3988";
    let mut app = with_operator(db, &[]).await;
    lists(&app, ALL);
    app.source.set_daily(SOL, "2026-11-21", -1, -1);
    app.person_subscribes(PERSON, "SOL").await;
    app.pass(DAY + HOUR).await;
    // Twice running there is a row of it, of which only the number can be read.
    lists(&app, &[ALL[0], ALL[1], (SOL, " ", "Solana")]);
    for _ in 0..3 {
        next_list(&mut app).await;
    }
    assert_eq!(told(&app), [""; 0]);
    assert_eq!(rows(&app.db.url, known).await, ["SOL 3 in all"], "it keeps the place that its row has");

    lists(&app, &ALL[..2]);
    next_list(&mut app).await;
    next_list(&mut app).await;
    assert_eq!(told(&app), [format!("person: {GONE}")]);
    // A call of it is no list that names it.
    for (stance, calls) in [(-1, 0), (1, 1)] {
        app.source.set_daily(SOL, &today(&app), stance, stance);
        app.pass(DAY).await;
        assert_eq!(told(&app).len(), calls);
    }
    assert!(app.say(PERSON, PERSON, "/subscriptions").await.contains("Not listed any more by Token Metrics: SOL."));

    lists(&app, &[ALL[0], ALL[1], (SOL, "", "Solana")]);
    app.pass(DAY + Duration::from_secs(60)).await;
    assert_eq!(told(&app), ["person: SOL is listed again by Token Metrics. The subscription goes on."]);
    assert!(!app.say(PERSON, PERSON, "/subscriptions").await.contains("Not listed"));
});

on_both!(t2_a_list_that_lacks_too_much_makes_no_token_gone, |db| async move {
    let names: Vec<String> = (1..=60).map(|id| format!("T{id}")).collect();
    let tokens: Vec<_> = names.iter().zip(1..).map(|(name, id)| (id, name.as_str(), name.as_str())).collect();
    let mut app = with_operator(db, &[]).await;
    lists(&app, &tokens);
    app.pass(DAY + HOUR).await;
    app.person_subscribes(PERSON, "T60").await;
    next_list(&mut app).await;
    lists(&app, &tokens[..30]);
    next_list(&mut app).await;
    next_list(&mut app).await;
    let said = heard(&app);
    assert_eq!(said.iter().filter(|line| line.contains("lacks or renames more than a tenth of the tokens")).count(), 1, "{said:?}");
    assert!(!said.iter().any(|line| line.starts_with("person")), "{said:?}");
    assert!(!app.say(PERSON, PERSON, "/subscriptions").await.contains("Not listed"));
    // Four running are believed, and nobody but who asks hears of it.
    for _ in 0..3 {
        next_list(&mut app).await;
    }
    assert_eq!(told(&app), [""; 0]);
    assert!(app.say(PERSON, PERSON, "/subscriptions").await.contains("Not listed any more by Token Metrics: T60."));
});

on_both!(t4_news_goes_when_a_mute_ends_early_and_never_to_who_left_meanwhile, |db| async move {
    let mut app = with_operator(db, &[]).await;
    lists(&app, ALL);
    for person in [PERSON, SLEEPER, MUTED] {
        app.person_subscribes(person, "SOL").await;
    }
    app.pass(HOUR).await;
    lists(&app, &ALL[..2]);
    next_list(&mut app).await;
    app.pass(6 * DAY).await;
    for person in [PERSON, SLEEPER, MUTED] {
        app.say(person, person, "/mute 7d SOL").await;
    }
    app.pass(DAY + Duration::from_secs(60)).await;
    assert_eq!(told(&app), [""; 0]);
    app.say(MUTED, MUTED, "/unsubscribe SOL").await;
    let said = app.say(MUTED, MUTED, "/mute off SOL").await;
    assert!(!said.contains(GONE), "{said}");
    let said = app.say(SLEEPER, SLEEPER, "/mute off SOL").await;
    assert!(said.contains(GONE), "{said}");
    app.pass(Duration::from_secs(60)).await;
    assert_eq!(told(&app), [""; 0], "the first still wants quiet, the last has left");
});

on_both!(t3_subscriptions_follow_a_token_to_its_new_symbol, |db| async move {
    let mut app = with_operator(db, &[]).await;
    lists(&app, ALL);
    app.person_subscribes(PERSON, "SOL").await;
    app.channel_subscribes(json!([text("tokens", "BTC")])).await;
    app.pass(HOUR).await;
    lists(&app, &[ALL[0], ALL[1], (SOL, "SOLX", "Solana")]);
    app.pass(DAY + HOUR).await;
    assert_snapshot!(told(&app).join("\n"), @"person: SOL is called SOLX now by Token Metrics. Subscriptions go on under the new symbol.");
    let said = app.say(PERSON, PERSON, "/subscriptions").await;
    assert!(said.contains("daily: SOLX"), "{said}");
    assert_snapshot!(app.say(SLEEPER, SLEEPER, "/subscribe sol").await.lines().take(2).collect::<Vec<_>>().join("\n"), @r"
    ✅ Subscribed to daily calls
    SOLX (Solana): no call yet
    ");
    // One of the two lists calls it by the old symbol: that is not told every day.
    for symbol in ["SOL", "SOLX"] {
        lists(&app, &[ALL[0], ALL[1], (SOL, symbol, "Solana")]);
        app.pass(DAY + HOUR).await;
    }
    assert_eq!(told(&app), [""; 0]);
});
