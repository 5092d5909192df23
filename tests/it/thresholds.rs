//! Thresholds as those see them who draw them (ARCHITECTURE.md, G5).

use crate::{
    grades::{poll, readers},
    support::{
        app::TestApp,
        audience::{BTC, HOUR, MINUTE, SOL, text},
        commands::rows,
        community::{PERSON, both, heard, texts, with_market_of},
        database::on_both,
        fake_discord::interaction::{ADMIN, subcommand},
    },
};
use insta::assert_snapshot;
use serde_json::{Value, json};

/// The number of SOL is that, and the next poll sees it.
async fn number(app: &mut TestApp, grade: f64) -> Vec<String> {
    app.source.set_grade(SOL, "Neutral", grade);
    poll(app).await;
    heard(app)
}

on_both!(a_threshold_is_told_once_until_the_number_was_away_from_it, |db| async move {
    let mut app = readers(db, "grade", "SOL", &[("threshold", "above:70")]).await;
    assert_eq!(number(&mut app, 69.9).await, [""; 0]);
    app.source.set_grade(SOL, "Neutral", 71.5);
    poll(&mut app).await;
    let told = texts(&app);
    assert_eq!(told.len(), 2, "{told:?}");
    assert_snapshot!(told[0].1, @"
    SOL crossed above 70
    Grade as of <t:1795251780:f>
    TM grade 71.5
    https://app.tokenmetrics.com/en/solana
    ");
    assert_snapshot!(told[1].1, @"
    🟢 SOL crossed above 70
    Grade as of 21 Nov 2026 09:03 UTC
    TM grade 71.5
    Read more
    ");
    for grade in [69.0, 71.0, 68.1, 75.0, 68.0] {
        app = app.restart().await;
        assert_eq!(number(&mut app, grade).await, [""; 0], "{grade}");
    }
    app = app.restart().await;
    assert_eq!(number(&mut app, 70.0).await, both("SOL crossed above 70"));
    let jobs = "SELECT nature || ' ' || to_stance || ' ' || CAST(timing AS TEXT) FROM changes WHERE kind = 'grade' ORDER BY id";
    assert_eq!(rows(&app.db.url, jobs).await, ["crossed above 70 fresh"; 2], "a change each, whoever is told of it");
    assert_snapshot!(app.say(PERSON, PERSON, "/why SOL grade").await, @"
    Why: SOL crossed above 70 (grade)
    The number beside the grade of 21 Nov 2026 15:09 UTC is 70: it crossed above 70.
    Asked for 21 Nov 2026 15:09 UTC, compared 21 Nov 2026 15:09 UTC.
    Decided 21 Nov 2026 15:09 UTC: it is wanted at once, and nothing stood against it.
    Made into a message 21 Nov 2026 15:09 UTC.
    Delivered 21 Nov 2026 15:09 UTC.
    Read more
    ");
    // The line is no call: what was told of the label stays what was told, and history is of labels.
    app.source.set_grade(SOL, "Buy", 71.0);
    poll(&mut app).await;
    poll(&mut app).await;
    assert_eq!(heard(&app), both("SOL upgraded to Buy"));
    let past = app.say(PERSON, PERSON, "/history SOL grade").await;
    assert!(past.contains("One change so far") && !past.contains("above"), "{past}");
    assert_snapshot!(app.say(PERSON, PERSON, "/subscribe SOL grade above:70 preview").await, @"
    What this would have sent
    In the last day this would have sent 3 messages, at most 3 in a day. The newest:
    21 Nov: SOL upgraded to Buy
    21 Nov: SOL crossed above 70
    21 Nov: SOL crossed above 70
    ");
    app.telegram.with(|world| world.say(PERSON, PERSON, "/privacy export"));
    app.step().await;
    let export: Value = serde_json::from_str(app.telegram.unread().pop().unwrap().file.unwrap().text()).unwrap();
    let own = &export["subscriptions"][0];
    assert_eq!((&own["threshold"], &own["threshold_since_at"]), (&json!("above:70"), &own["created_at"]), "{own}");
    let listed = app.say(PERSON, PERSON, "/subscriptions").await;
    assert!(listed.contains("grade, above 70: SOL"), "{listed}");
    // Subscribed anew without it, nothing is told of it any more.
    app.person_subscribes(PERSON, "SOL grade").await;
    for grade in [60.0, 80.0] {
        app.source.set_grade(SOL, "Buy", grade);
        poll(&mut app).await;
    }
    assert_eq!(heard(&app), ["channel: SOL crossed above 70"]);
});

on_both!(the_baseline_of_a_threshold_is_the_number_at_the_subscription, |db| async move {
    let mut app = readers(db, "grade", "SOL", &[]).await;
    assert_eq!(number(&mut app, 29.0).await, [""; 0]);
    app.person_subscribes(PERSON, "all grade below:30").await;
    for grade in [28.0, 30.5, 29.0] {
        assert_eq!(number(&mut app, grade).await, [""; 0], "{grade}: it was below it already");
    }
    assert_eq!(number(&mut app, 31.0).await, [""; 0]);
    assert_eq!(number(&mut app, 30.0).await, [""; 0], "the token's own subscription decides, and has no line");
    app.say(PERSON, PERSON, "/unsubscribe SOL grade").await;
    app.person_subscribes(PERSON, "all grade below:30").await;
    app.say(PERSON, PERSON, "/unsubscribe BTC grade").await;
    for grade in [35.0, 25.0] {
        app.source.set_grade(SOL, "Neutral", grade);
        app.source.set_grade(BTC, "Buy", grade);
        poll(&mut app).await;
    }
    assert_eq!(heard(&app), [""; 0], "both are left out of all");
    app.person_subscribes(PERSON, "SOL grade below:30").await;
    app.say(PERSON, PERSON, "/mute 8h").await;
    assert_eq!(number(&mut app, 40.0).await, [""; 0]);
    assert_eq!(number(&mut app, 20.0).await, [""; 0], "a mute holds it");
    app.pass(8 * HOUR).await;
    assert_eq!(heard(&app), ["person: SOL crossed below 30"]);
});

on_both!(a_crossing_that_is_held_is_not_told_once_its_line_is_gone, |db| async move {
    let mut app = readers(db, "grade", "SOL", &[("threshold", "above:70")]).await;
    app.say(PERSON, PERSON, "/mute 8h").await;
    assert_eq!(number(&mut app, 75.0).await, ["channel: SOL crossed above 70"]);
    app.person_subscribes(PERSON, "SOL grade above:80").await;
    app.say(PERSON, PERSON, "/mute off").await;
    assert_eq!(number(&mut app, 76.0).await, [""; 0], "it is another line now");
    let why = app.say(PERSON, PERSON, "/why SOL grade").await;
    assert!(why.contains("Not sent: the threshold had been moved or removed by then."), "{why}");
    assert_eq!(number(&mut app, 80.0).await, ["person: SOL crossed above 80"]);
    // Drawn anew, its baseline is the number of now.
    app.person_subscribes(PERSON, "SOL grade above:70").await;
    assert_eq!(number(&mut app, 69.0).await, [""; 0]);
    app.person_subscribes(PERSON, "SOL grade above:70 digest-hourly").await;
    assert_eq!(number(&mut app, 71.0).await, [""; 0], "with another delivery it is the same line");
    app.person_subscribes(PERSON, "SOL grade").await;
    assert_eq!(number(&mut app, 69.0).await, [""; 0]);
    app.person_subscribes(PERSON, "SOL grade above:70").await;
    assert_eq!(number(&mut app, 70.0).await, ["person: SOL crossed above 70"], "69 is the baseline; the channel's has not been away");
});

on_both!(a_row_without_a_number_loses_no_crossing, |db| async move {
    let mut app = readers(db, "fundamental", "SOL", &[("threshold", "below:30")]).await;
    for (number, expected) in
        [(Some(31.0), vec![]), (None, vec![]), (Some(29.5), both("SOL crossed below 30").to_vec()), (None, vec![]), (Some(28.0), vec![])]
    {
        app.source.set_fundamental(SOL, "emerging", number, [None; 5]);
        app.pass(6 * HOUR + MINUTE).await;
        assert_eq!(heard(&app), expected, "{number:?}");
    }
});

on_both!(thresholds_that_make_no_sense_are_refused, |db| async move {
    let mut app = readers(db, "grade", "BTC", &[]).await;
    let mut said = Vec::new();
    for words in ["SOL grade above:0", "SOL above:70", "SOL grade above:70 below:30", "SOL grade over:70"] {
        said.push(app.say(PERSON, PERSON, &format!("/subscribe {words}")).await);
    }
    said.push(
        app.on_server(
            ADMIN,
            subcommand("channel", "subscribe", json!([text("tokens", "SOL"), text("kind", "grade"), text("threshold", "ETH")])),
        )
        .await,
    );
    assert_snapshot!(said.join("\n\n"), @"
    ⚠️ That did not work; nothing was changed
    above:0 is no threshold: write above:70 or below:30, with a number above 0 and up to 100.
    For example: /subscribe SOL,ETH

    ⚠️ That did not work; nothing was changed
    There are no thresholds for daily calls: they are for grade and fundamental.
    For example: /subscribe SOL grade above:70

    ⚠️ That did not work; nothing was changed
    Give one threshold at a time.
    For example: /subscribe SOL,ETH

    ⚠️ That did not work; nothing was changed
    over:70 is no threshold: write above:70 or below:30, with a number above 0 and up to 100.
    For example: /subscribe SOL,ETH

    That did not work; nothing was changed
    `ETH` is no threshold: write `above:70` or `below:30`, with a number above 0 and up to 100.
    For example: `/channel subscribe SOL,ETH`
    ");
    assert_eq!(rows(&app.db.url, "SELECT CAST(COUNT(*) AS TEXT) FROM subscriptions WHERE target = '3988'").await, ["0"]);
});

on_both!(m1_numbers_that_most_would_cross_a_line_with_wait_for_a_second_answer, |db| async move {
    const TOKENS: i64 = 24;
    let mut app = with_market_of(db, TOKENS).await;
    app.telegram.with(|world| {
        world.person(PERSON);
    });
    let numbers = |app: &TestApp, tokens: std::ops::RangeInclusive<i64>, number: f64| {
        tokens.for_each(|id| app.source.set_grade(id, "Neutral", number));
    };
    app.person_subscribes(PERSON, "all grade").await;
    app.person_subscribes(PERSON, "TOK1,TOK2,TOK3 grade above:70").await;
    numbers(&app, 1..=TOKENS, 50.0);
    poll(&mut app).await;
    assert_eq!(heard(&app), [""; 0]);
    // Three lines are drawn, and the numbers of all tokens are wrong.
    numbers(&app, 1..=TOKENS, 100.0);
    poll(&mut app).await;
    assert_snapshot!(heard(&app).join("\n"), @"operator: 24 of 24 tokens of the grade feed would change or cross a threshold at once. That is more often a mistake of the source than the market, so nobody is told until a second answer shows it too; it is asked for again by 21 Nov 2026 08:12 UTC, where the call budget allows it, else with the next poll.");
    let mut app = app.restart().await;
    numbers(&app, 2..=TOKENS, 50.0);
    app.pass(11 * MINUTE).await;
    assert_snapshot!(heard(&app).join("\n"), @"
    operator: The grade feed was looked at again: 1 turns are told now, 2 were not confirmed and nobody hears of them.
    person: TOK1 crossed above 70
    ");
    let counted = r#"bellwether_unconfirmed_turns_total{feed="grade"} 2"#;
    assert!(app.parts.metrics.render().contains(counted), "{}", app.parts.metrics.render());
    poll(&mut app).await;
    assert_eq!(heard(&app), [""; 0]);
    assert_eq!(rows(&app.db.url, "SELECT to_stance FROM changes WHERE kind = 'grade'").await, ["above 70"]);
});
