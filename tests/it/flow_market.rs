//! Most of the market turns at once (M1, M2): believed when a second answer shows it too, and until then kept from everybody but operators.

use crate::support::{
    app::TestApp,
    community::{OPERATOR, PERSON, texts, with_market_of},
    database::{TestDb, on_both},
    fake_token_metrics::Fault,
};
use insta::assert_snapshot;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);
const TOKENS: i64 = 24;

/// Somebody follows `all` 24 tokens, which are bearish; the baseline was polled.
async fn market(db: TestDb) -> TestApp {
    let mut app = with_market_of(db, TOKENS).await;
    app.person_subscribes(PERSON, "all").await;
    let all: Vec<i64> = (1..=TOKENS).collect();
    // What turned before it was first seen is nobody's news, however much of the market that was.
    all.iter().for_each(|id| app.source.set_daily(*id, "2026-11-20", 1, 1));
    app.baseline(&all).await;
    app
}

/// What arrived since the last look: who read it, and its first line.
fn read(app: &TestApp) -> Vec<String> {
    texts(app).into_iter().map(|(who, text)| format!("{who}: {}", text.lines().take(2).collect::<Vec<_>>().join(" / "))).collect()
}

on_both!(what_a_second_answer_shows_too_is_told_once, |db| async move {
    let mut app = market(db).await;
    let most: Vec<i64> = (1..=13).collect();
    app.turn(&most, 1).await;
    let told = read(&app);
    assert_snapshot!(told.join("\n"), @"operator: ⚠️ 13 of 24 tokens of the daily feed would turn at once. That is more often a mistake of the source than the market, so nobody is told until a second answer shows it too; it is asked for again by 21 Nov 2026 06:42 UTC, where the call budget allows it, else with the next poll.");
    // A restart forgets nothing of it.
    let mut app = app.restart().await;
    app.pass(2 * MINUTE).await;
    assert_eq!(read(&app), [""; 0]);
    app.pass(10 * MINUTE).await;
    assert_snapshot!(read(&app).join("\n"), @"
    operator: ⚠️ The daily feed shows the same again: 13 turns are told now.
    person: 13 calls changed / TOK1 turned bullish (daily, 21 Nov 2026)
    ");
    app.next_poll().await;
    app.next_poll().await;
    assert_eq!(read(&app), [""; 0]);
});

on_both!(a_mistake_of_the_source_is_never_told, |db| async move {
    let mut app = market(db).await;
    let all: Vec<i64> = (1..=TOKENS).collect();
    app.turn(&all, 1).await;
    read(&app);
    // All are back where they were but two, which did turn.
    app.call(&all[2..], -1);
    app.pass(10 * MINUTE).await;
    assert_snapshot!(read(&app).join("\n"), @"
    operator: ⚠️ The daily feed was looked at again: 2 turns are told now, 22 were not confirmed and nobody hears of them.
    person: 🟢 TOK1 turned bullish / Daily call of 21 Nov 2026, seen 21 Nov 2026 06:42 UTC
    person: 🟢 TOK2 turned bullish / Daily call of 21 Nov 2026, seen 21 Nov 2026 06:42 UTC
    ");
    assert!(
        app.parts.metrics.render().contains(r#"bellwether_unconfirmed_turns_total{feed="daily"} 22"#),
        "{}",
        app.parts.metrics.render()
    );
    app.next_poll().await;
    assert_eq!(read(&app), [""; 0]);
    // What turns by itself later is told as ever: nothing is left of it.
    app.turn(&all[5..6], 1).await;
    assert_snapshot!(read(&app).join("\n"), @"person: 🟢 TOK6 turned bullish / Daily call of 21 Nov 2026, seen 21 Nov 2026 07:14 UTC");
});

on_both!(a_second_answer_that_fails_is_waited_for, |db| async move {
    let mut app = market(db).await;
    let all: Vec<i64> = (1..=TOKENS).collect();
    app.turn(&all, 1).await;
    read(&app);
    app.source.set_down(Some(Fault::Status(503, String::new())));
    app.pass(30 * MINUTE).await;
    assert_eq!(read(&app), [""; 0]);
    app.source.set_down(None);
    app.pass(30 * MINUTE).await;
    assert_eq!(read(&app).iter().filter(|told| told.starts_with("person: 24 calls changed")).count(), 1);
});

on_both!(a_market_that_nobody_asked_for_meanwhile_is_a_new_baseline, |db| async move {
    let mut app = market(db).await;
    let all: Vec<i64> = (1..=TOKENS).collect();
    app.say(PERSON, PERSON, "/unsubscribe all").await;
    app.pass(8 * 24 * 60 * MINUTE).await;
    app.call(&all, 1);
    app.person_subscribes(PERSON, "all").await;
    app.next_poll().await;
    app.pass(60 * MINUTE).await;
    assert_eq!(read(&app), [""; 0]);
});

on_both!(half_of_the_market_is_no_reason_to_doubt, |db| async move {
    let mut app = market(db).await;
    let half: Vec<i64> = (1..=TOKENS / 2).collect();
    app.turn(&half, 1).await;
    assert_eq!(app.telegram_messages().iter().filter(|(chat, ..)| *chat == OPERATOR).count(), 0);
});
