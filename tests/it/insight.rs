//! What `/signal` says of a token besides its call (ARCHITECTURE.md, "Rules of our own", I).

use crate::support::{
    app::TestApp,
    audience::{BTC, ETH, HOUR, MINUTE, SOL, XRP},
    commands::{rows, run_sql},
    community::{OPERATOR, PERSON, heard, with_operator},
    database::{TestDb, on_both},
    fake_discord::interaction::slash,
    fake_token_metrics::Fault,
};
use bellwether::clock::Clock;
use insta::assert_snapshot;
use serde_json::json;
use std::sync::Arc;
use tokio::sync::Notify;

const NOT_IN_PLAN: &str = r#"{"success": false, "message": "You are not authorized to access this endpoint with your current plan."}"#;
/// What is asked of tokens besides their calls.
const ENDPOINTS: [&str; 4] = ["price", "price-prediction", "quantmetrics", "resistance-support"];

/// A market that says everything of SOL and BTC, and nothing of XRP but its call.
async fn market(db: TestDb, settings: &[(&str, &str)]) -> TestApp {
    let app = with_operator(db, settings).await;
    for token in [SOL, BTC, ETH, XRP] {
        app.source.set_daily(token, "2026-11-21", 1, 1);
    }
    app.source.set_price(SOL, 148.0);
    app.source.set_levels(SOL, &[("2026-01-15", 141.25), ("2026-03-02", 150.0), ("2026-09-09", 162.5)]);
    app.source.set_risk(SOL, [Some(0.6712), Some(0.9821), Some(-0.7669)]);
    app.source.set_scenarios(SOL, 3.4e12, &[[1.7e12, 81.4, 107.3, 140.6], [6.8e12, 118.4, 185.0, 251.6], [1.36e13, 177.6, 288.6, 399.6]]);
    app.source.set_price(BTC, 96_849.0);
    app.source.set_risk(BTC, [None, Some(-0.41), None]);
    app.source.take_seen();
    app
}

/// What was asked for of tokens besides their calls since the last look.
fn asked(app: &TestApp) -> Vec<String> {
    let mut endpoints: Vec<_> = app.source.take_seen().into_iter().map(|seen| seen.endpoint).collect();
    endpoints.retain(|endpoint| ENDPOINTS.contains(&endpoint.as_str()));
    endpoints.sort();
    endpoints
}

async fn says(app: &mut TestApp, words: &str) -> String {
    app.say(PERSON, PERSON, words).await
}

on_both!(a_signal_comes_with_levels_risk_and_scenarios_asked_for_once, |db| async move {
    let mut app = market(db, &[]).await;
    assert_snapshot!(says(&mut app, "/signal SOL").await, @"
    🟢 SOL (Solana) daily: bullish since 21 Nov 2026
    Trader grade 26.48
    As of the call of 21 Nov 2026, seen 21 Nov 2026 06:00 UTC
    Price 148, support 141.25, resistance 150
    Volatility 67.1 %, Sharpe ratio 0.98, max drawdown 76.7 %
    Scenarios of Token Metrics for 21 Nov 2028, by the size of the crypto market (now $3.4 trillion):
    $1.7 trillion: bear 81.4, base 107.3, moon 140.6
    $6.8 trillion: bear 118.4, base 185, moon 251.6
    Read more
    Automated data, not investment advice.
    ");
    let seen = app.source.take_seen();
    let about = |endpoint: &str| seen.iter().find(|seen| seen.endpoint == endpoint).unwrap().ids();
    for endpoint in ENDPOINTS {
        assert_eq!(about(endpoint), [SOL, BTC, ETH, XRP], "{endpoint}: one call for all who are likely to be asked about");
    }
    assert_snapshot!(app.in_direct_messages(slash("signal", &[("token", "SOL")])).await, @"
    SOL (Solana) daily: bullish since 21 Nov 2026
    Trader grade 26.48
    As of the call of 21 Nov 2026, seen <t:1795240800:R>
    Price 148, support 141.25, resistance 150
    Volatility 67.1 %, Sharpe ratio 0.98, max drawdown 76.7 %
    Scenarios of Token Metrics for 21 Nov 2028, by the size of the crypto market (now $3.4 trillion):
    **$1.7 trillion**: bear 81.4, base 107.3, moon 140.6
    **$6.8 trillion**: bear 118.4, base 185, moon 251.6
    Automated data, not investment advice.
    https://app.tokenmetrics.com/en/solana
    ");
    assert_snapshot!(says(&mut app, "/signal BTC").await, @"
    🟢 BTC (Bitcoin) daily: bullish since 21 Nov 2026
    Trader grade 26.48
    As of the call of 21 Nov 2026, seen 21 Nov 2026 06:00 UTC
    Price 96849
    Sharpe ratio −0.41
    Token Metrics has no price levels and no price scenarios for this token.
    Read more
    Automated data, not investment advice.
    ");
    assert_eq!(asked(&app), [""; 0], "it is known");
    // The price is asked for again after an hour, everything else after a day.
    app.pass(HOUR).await;
    app.source.set_price(SOL, 151.0);
    assert!(says(&mut app, "/signal SOL").await.contains("Price 151, support 150, resistance 162.5"));
    assert_eq!(asked(&app), ["price"]);
    app.pass(23 * HOUR).await;
    says(&mut app, "/signal SOL").await;
    assert_eq!(asked(&app), ENDPOINTS);
    // Other kinds are told the same; the title of levels says where the price is.
    app.source.set_grade(SOL, "Buy", 71.0);
    assert_snapshot!(says(&mut app, "/signal SOL grade").await, @"
    🟢 SOL (Solana) grade: Buy since before 22 Nov 2026 06:00 UTC
    TM grade 71
    As of 22 Nov 2026 06:00 UTC
    Price 151, support 150, resistance 162.5
    Volatility 67.1 %, Sharpe ratio 0.98, max drawdown 76.7 %
    Scenarios of Token Metrics for 21 Nov 2028, by the size of the crypto market (now $3.4 trillion):
    $1.7 trillion: bear 81.4, base 107.3, moon 140.6
    $6.8 trillion: bear 118.4, base 185, moon 251.6
    Read more
    Automated data, not investment advice.
    ");
    assert_snapshot!(says(&mut app, "/signal SOL levels").await, @"
    SOL (Solana) levels: 151, support 150, resistance 162.5
    As of 22 Nov 2026 06:00 UTC
    Volatility 67.1 %, Sharpe ratio 0.98, max drawdown 76.7 %
    Scenarios of Token Metrics for 21 Nov 2028, by the size of the crypto market (now $3.4 trillion):
    $1.7 trillion: bear 81.4, base 107.3, moon 140.6
    $6.8 trillion: bear 118.4, base 185, moon 251.6
    Read more
    Automated data, not investment advice.
    ");
});

on_both!(levels_that_are_followed_are_not_asked_for, |db| async move {
    let mut app = market(db, &[]).await;
    app.person_subscribes(PERSON, "SOL levels").await;
    app.pass(HOUR + MINUTE).await;
    asked(&app);
    let said = says(&mut app, "/signal SOL").await;
    assert!(said.contains("Price 148, support 141.25, resistance 150"), "{said}");
    assert_eq!(asked(&app), ["price-prediction", "quantmetrics"]);
});

on_both!(a_token_without_data_is_said_in_a_word_and_remembered, |db| async move {
    let mut app = market(db, &[]).await;
    for token in ["XRP", "XRP", "ETH"] {
        let said = says(&mut app, &format!("/signal {token}")).await;
        let last = "Token Metrics has no price, no risk measures and no price scenarios for this token.";
        assert!(said.contains(last) && !said.contains("advice"), "{said}");
    }
    assert_eq!(asked(&app), ENDPOINTS, "also that there is none is known for a day");
    app.source.set_risk(XRP, [Some(1.5), None, None]);
    app.pass(24 * HOUR).await;
    let said = says(&mut app, "/signal XRP").await;
    assert!(said.contains("\nVolatility 150 %\n"), "{said}");
});

on_both!(a_plan_without_an_endpoint_hides_its_line_and_operators_hear_of_it_once, |db| async move {
    let mut app = market(db, &[]).await;
    let refused = || Some(Fault::Status(401, NOT_IN_PLAN.to_owned()));
    app.source.set_down_at("price-prediction", refused());
    let said = says(&mut app, "/signal SOL").await;
    assert!(said.contains("Sharpe") && !said.contains("cenario") && !said.contains("plan") && !said.contains("minute"), "{said}");
    // The answer of the person was read above: what is left is the operator's.
    let notices = || async {
        rows(
            &app.db.url,
            &format!("SELECT m.body FROM messages m JOIN destinations d ON d.id = m.destination_id WHERE d.chat = '{OPERATOR}'"),
        )
        .await
    };
    let told = notices().await;
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("price-prediction") && told[0].contains("401"), "{told:?}");
    says(&mut app, "/signal BTC").await;
    says(&mut app, "/signal SOL").await;
    assert_eq!(asked(&app), ENDPOINTS, "not asked again");
    app.pass(24 * HOUR + MINUTE).await;
    says(&mut app, "/signal SOL").await;
    let mut app = app.restart().await;
    says(&mut app, "/signal SOL").await;
    assert_eq!(asked(&app).iter().filter(|endpoint| *endpoint == "price-prediction").count(), 2, "a day later, and by whoever is new");
    let notices = format!("SELECT m.body FROM messages m JOIN destinations d ON d.id = m.destination_id WHERE d.chat = '{OPERATOR}'");
    assert_eq!(rows(&app.db.url, &notices).await.len(), 1, "it is no news");
    // The plan has it now, and then has not.
    app.source.set_down_at("price-prediction", None);
    app.pass(24 * HOUR + MINUTE).await;
    let said = says(&mut app, "/signal SOL").await;
    assert!(said.contains("moon 251.6"), "{said}");
    app.source.set_down_at("price-prediction", refused());
    app.pass(24 * HOUR + MINUTE).await;
    let said = says(&mut app, "/signal SOL").await;
    assert!(said.contains("moon 251.6") && said.contains("as of"), "what was known is shown for a while: {said}");
    assert_eq!(rows(&app.db.url, &notices).await.len(), 2);
});

on_both!(a_refusal_in_other_words_is_told_once_while_other_endpoints_answer, |db| async move {
    let mut app = market(db, &[]).await;
    let refused = || Some(Fault::Status(401, r#"{"success": false, "message": "Forbidden."}"#.to_owned()));
    app.source.set_down_at("price-prediction", refused());
    let notices = format!("SELECT m.body FROM messages m JOIN destinations d ON d.id = m.destination_id WHERE d.chat = '{OPERATOR}'");
    for _ in 0..3 {
        says(&mut app, "/signal SOL").await;
        app.pass(24 * HOUR + MINUTE).await;
    }
    let asked = asked(&app);
    assert_eq!(asked.iter().filter(|endpoint| *endpoint == "price-prediction").count(), 3, "{asked:?}");
    assert_eq!(rows(&app.db.url, &notices).await.len(), 1, "that others answer makes it no news");
    app.source.set_down_at("price-prediction", None);
    assert!(says(&mut app, "/signal SOL").await.contains("moon 251.6"));
    app.source.set_down_at("price-prediction", refused());
    app.pass(24 * HOUR + MINUTE).await;
    says(&mut app, "/signal SOL").await;
    assert_eq!(rows(&app.db.url, &notices).await.len(), 2, "it had answered meanwhile");
});

on_both!(a_request_at_fault_says_nothing_of_the_plan, |db| async move {
    let mut app = market(db, &[]).await;
    app.source.fault("price", Fault::Status(400, r#"{"success": false, "message": "Bad request"}"#.to_owned()));
    let said = says(&mut app, "/signal SOL").await;
    assert!(!said.contains("Price"), "{said}");
    let said = says(&mut app, "/signal SOL levels").await;
    assert!(said.contains("levels: 148, support 141.25, resistance 150"), "{said}");
    app.pass(10 * MINUTE).await;
    let said = says(&mut app, "/signal SOL").await;
    assert!(said.contains("Price 148"), "asked again as after any failure: {said}");
});

on_both!(a_refusal_holds_until_its_own_end_and_costs_no_look_up, |db| async move {
    let mut app = market(db, &[]).await;
    app.source.set_down_at("price", Some(Fault::Status(401, NOT_IN_PLAN.to_owned())));
    says(&mut app, "/signal SOL").await;
    app.pass(HOUR).await;
    asked(&app);
    let look_ups = "SELECT person FROM lookups";
    let before = rows(&app.db.url, look_ups).await;
    for token in ["SOL", "BTC", "ETH", "XRP", "SOL"] {
        let said = says(&mut app, &format!("/signal {token} levels")).await;
        assert!(said.contains("does not include price levels"), "{said}");
    }
    assert_eq!(rows(&app.db.url, look_ups).await, before);
    assert!(!asked(&app).iter().any(|endpoint| endpoint == "price" || endpoint == "resistance-support"));
    app.source.set_down_at("price", None);
    app.pass(23 * HOUR).await;
    let said = says(&mut app, "/signal SOL levels").await;
    assert!(said.contains("levels: 148, support 141.25, resistance 150"), "a day after it was refused: {said}");
});

on_both!(an_endpoint_that_is_not_there_is_asked_again_as_after_any_failure, |db| async move {
    let mut app = market(db, &[]).await;
    app.source.set_down_at("quantmetrics", Some(Fault::Status(404, r#"{"success": false, "message": "Not found"}"#.to_owned())));
    for _ in 0..2 {
        let said = says(&mut app, "/signal SOL").await;
        assert!(!said.contains("Sharpe") && said.contains("moon"), "{said}");
    }
    assert_eq!(asked(&app), ENDPOINTS);
    app.source.set_down_at("quantmetrics", None);
    app.pass(10 * MINUTE).await;
    assert!(says(&mut app, "/signal SOL").await.contains("Sharpe"));
    let notices = format!("SELECT m.body FROM messages m JOIN destinations d ON d.id = m.destination_id WHERE d.chat = '{OPERATOR}'");
    assert_eq!(rows(&app.db.url, &notices).await, [""; 0]);
});

on_both!(a_kind_that_the_plan_lacks_is_said_in_a_word, |db| async move {
    let mut app = market(db, &[]).await;
    app.source.set_down_at("resistance-support", Some(Fault::Status(401, NOT_IN_PLAN.to_owned())));
    for token in ["SOL", "SOL", "BTC"] {
        let said = says(&mut app, &format!("/signal {token} levels")).await;
        assert!(
            said.contains("What this bot gets from Token Metrics does not include price levels.") && !said.contains("/subscribe"),
            "{said}"
        );
    }
    let levels: Vec<_> = asked(&app).into_iter().filter(|endpoint| endpoint == "resistance-support" || endpoint == "price").collect();
    assert_eq!(levels, ["price", "resistance-support"]);
    // Under a call the same refusal is known too.
    let said = says(&mut app, "/signal SOL").await;
    assert!(said.contains("\nPrice 148\n"), "{said}");
    assert_eq!(asked(&app), ["price"]);
});

on_both!(numbers_that_cannot_be_are_left_out, |db| async move {
    let mut app = market(db, &[]).await;
    let id = ("TOKEN_ID", json!(SOL));
    let row = |more: serde_json::Value| {
        let mut row = more;
        row[id.0] = id.1.clone();
        row
    };
    app.source.fault(
        "quantmetrics",
        Fault::Rows(vec![row(json!({"VOLATILITY": "NaN", "SHARPE": 1e308, "MAX_DRAWDOWN": "-0.25"})), json!(null), json!("x")]),
    );
    app.source.fault("price", Fault::Rows(vec![row(json!({"CURRENT_PRICE": "0.000000000123456789"}))]));
    let levels = json!([{"date": "2026-01-01", "level": 1e300}, {"date": "2026-01-01", "level": -5}, {"date": "x", "level": 1}, {"date": "2026-01-02", "level": "1e-9"}, null]);
    app.source.fault("resistance-support", Fault::Rows(vec![row(json!({"DATE": 7, "HISTORICAL_RESISTANCE_SUPPORT_LEVELS": levels}))]));
    let cases = json!([
        {"total_mcap_scenario": 1e12, "predicted_price_bear": "1", "predicted_price_base": 1e300, "predicted_price_moon": 3},
        {"total_mcap_scenario": "inf", "predicted_price_bear": 1, "predicted_price_base": 2, "predicted_price_moon": 3},
        {"total_mcap_scenario": "2e12", "predicted_price_bear": "0.5", "predicted_price_base": 2, "predicted_price_moon": "99999999.5"},
        [], null,
    ]);
    let prediction = json!({"PRICE_PREDICTION": {"total_mcap": -1, "predicted_date": "<b>@everyone</b>", "price_prediction": cases}});
    app.source.fault("price-prediction", Fault::Rows(vec![row(prediction)]));
    assert_snapshot!(says(&mut app, "/signal SOL").await, @"
    🟢 SOL (Solana) daily: bullish since 21 Nov 2026
    Trader grade 26.48
    As of the call of 21 Nov 2026, seen 21 Nov 2026 06:00 UTC
    Price 0.000000000123457, no support known, resistance 0.000000001
    Max drawdown 25 %
    Scenarios of Token Metrics, by the size of the crypto market:
    $2 trillion: bear 0.5, base 2, moon 99999999.5
    Read more
    Automated data, not investment advice.
    ");
    // Nothing readable is nothing.
    for endpoint in ENDPOINTS {
        app.source.fault(endpoint, Fault::Rows(vec![row(json!({"VOLATILITY": [], "CURRENT_PRICE": {}, "PRICE_PREDICTION": "much"}))]));
    }
    app.pass(24 * HOUR).await;
    let said = says(&mut app, "/signal SOL").await;
    assert!(said.contains("no price, no risk measures and no price scenarios"), "{said}");
});

on_both!(a_failing_source_leaves_the_call_alone, |db| async move {
    let mut app = market(db, &[]).await;
    for (endpoint, fault) in
        ENDPOINTS.into_iter().zip([Fault::Html(502), Fault::Truncated, Fault::BrokenOff, Fault::Status(500, "{}".to_owned())])
    {
        app.source.set_down_at(endpoint, Some(fault));
    }
    assert_snapshot!(says(&mut app, "/signal SOL").await, @"
    🟢 SOL (Solana) daily: bullish since 21 Nov 2026
    Trader grade 26.48
    As of the call of 21 Nov 2026, seen 21 Nov 2026 06:00 UTC
    Read more
    ");
    says(&mut app, "/signal SOL").await;
    assert_eq!(asked(&app), ENDPOINTS, "a source in trouble is left alone");
    for endpoint in ENDPOINTS {
        app.source.set_down_at(endpoint, None);
    }
    app.pass(10 * MINUTE).await;
    assert!(says(&mut app, "/signal SOL").await.contains("Price 148, support 141.25, resistance 150"));
    assert!(heard(&app).is_empty(), "no operator is waked for that");
});

on_both!(a_slow_endpoint_holds_up_nothing_but_its_own_line, |db| async move {
    let mut app = market(db, &[]).await;
    let release = Arc::new(Notify::new());
    app.source.fault("quantmetrics", Fault::Held(release.clone()));
    let said = says(&mut app, "/signal SOL").await;
    assert!(said.contains("Price 148") && said.contains("moon") && !said.contains("Sharpe"), "{said}");
    assert!(said.contains("type this again in a minute"), "{said}");
    release.notify_one();
    let said = says(&mut app, "/signal SOL").await;
    assert!(said.contains("Sharpe ratio 0.98") && !said.contains("minute"), "{said}");
    assert_eq!(asked(&app), ENDPOINTS);
});

on_both!(one_call_a_minute_fills_it_in_bit_by_bit, |db| async move {
    let mut app = market(db, &[("TOKEN_METRICS_CALLS_PER_MINUTE", "1")]).await;
    // Until the directory is read.
    loop {
        app.pass(MINUTE).await;
        if app.source.take_seen().is_empty() {
            break;
        }
    }
    let said = says(&mut app, "/signal SOL").await;
    assert!(said.contains("bullish"), "the call comes first: {said}");
    assert!(said.contains("type this again in a minute"), "{said}");
    asked(&app);
    let mut calls = Vec::new();
    for _ in 0..4 {
        app.pass(MINUTE).await;
        says(&mut app, "/signal SOL").await;
        calls.extend(asked(&app));
    }
    calls.sort();
    assert_eq!(calls, ENDPOINTS, "no call is made in vain");
    let said = says(&mut app, "/signal SOL").await;
    assert!(said.contains("resistance 150") && said.contains("Sharpe") && said.contains("moon") && !said.contains("minute"), "{said}");
});

on_both!(the_budget_binds_what_is_nice_to_know, |db| async move {
    let mut app = market(db, &[("TOKEN_METRICS_CALLS_PER_MONTH", "500")]).await;
    assert!(says(&mut app, "/signal SOL").await.contains("Sharpe"));
    assert_eq!(asked(&app), ENDPOINTS);
    // Others used up the reserve meanwhile.
    let now = app.clock.now().as_millis();
    let ledger = format!("('token-metrics', 'tokens', 'lookup', {now}, 200),").repeat(40);
    run_sql(
        &app.db.url,
        &format!("INSERT INTO call_ledger (source, endpoint, purpose, called_at, status) VALUES {}", ledger.trim_end_matches(',')),
    )
    .await;
    app.pass(25 * HOUR).await;
    let said = says(&mut app, "/signal SOL").await;
    assert!(said.contains("Price 148, support 141.25, resistance 150 (as of 21 Nov 2026 06:"), "{said}");
    assert_eq!(asked(&app), [""; 0]);
    app.pass(6 * 24 * HOUR).await;
    let said = says(&mut app, "/signal SOL").await;
    assert!(
        !said.contains("Price") && said.contains("max drawdown 76.7 % (as of 21 Nov 2026 06:"),
        "a price is not kept that long: {said}"
    );
    // Another month, another reserve.
    app.at("2026-12-03T08:00:00Z").await;
    asked(&app);
    let said = says(&mut app, "/signal SOL").await;
    assert!(said.contains("Price 148"), "{said}");
});
