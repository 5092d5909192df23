//! Answers of the source that do not look as they used to, as operators hear of it (ARCHITECTURE.md, rules E).

use crate::support::{
    app::TestApp,
    audience::{BTC, ETH, FOUR, HOUR, SOL},
    community::{PERSON, heard, polls, with_operator},
    database::{TestDb, on_both},
};
use insta::assert_snapshot;
use serde_json::json;

/// Somebody follows daily calls of four tokens; the baseline was polled.
async fn followed(db: TestDb) -> TestApp {
    let mut app = with_operator(db, &[]).await;
    app.person_subscribes(PERSON, "SOL,BTC,ETH,XRP").await;
    app.baseline(&FOUR).await;
    assert_eq!(heard(&app), [""; 0]);
    app
}

on_both!(e1_a_field_that_is_gone_is_told_once_until_it_was_back, |db| async move {
    let mut app = followed(db).await;
    app.source.reshape("trading-signals", "TM_TRADER_GRADE", None);
    polls(&mut app, 2).await;
    assert_snapshot!(heard(&app).join("\n"), @"operator: The field TM_TRADER_GRADE of trading-signals is gone from nearly all rows: see whether Bellwether has an update; if not, report it with the log line: what cannot be read is left out, and the rest goes on [TM-SHAPE].");
    // The rest goes on, and a restart says nothing anew.
    let mut app = app.restart().await;
    app.turn(&[SOL], 1).await;
    assert_eq!(heard(&app), ["person: SOL turned bullish"]);
    app.source.reshape("trading-signals", "TM_TRADER_GRADE", Some(json!({"value": 26.48})));
    polls(&mut app, 2).await;
    assert_eq!(heard(&app), [""; 0], "it is not back");
    app.source.reshape_none();
    polls(&mut app, 1).await;
    assert_snapshot!(heard(&app).join("\n"), @"operator: The field TM_TRADER_GRADE of trading-signals is there again as it was.");
    app.source.reshape("trading-signals", "TM_TRADER_GRADE", Some(json!("n/a")));
    polls(&mut app, 2).await;
    assert_snapshot!(heard(&app).join("\n"), @"operator: The field TM_TRADER_GRADE of trading-signals is of another type in nearly all rows: see whether Bellwether has an update; if not, report it with the log line: what cannot be read is left out, and the rest goes on [TM-SHAPE].");
});

on_both!(e1_what_was_never_there_is_not_missed, |db| async move {
    let mut app = with_operator(db, &[]).await;
    app.source.reshape("trading-signals", "TM_INVESTOR_GRADE", None);
    app.source.reshape("trading-signals", "TM_TRADER_GRADE", Some(json!(null)));
    app.person_subscribes(PERSON, "SOL,BTC,ETH,XRP").await;
    app.baseline(&FOUR).await;
    polls(&mut app, 2).await;
    app.source.reshape("trading-signals", "TM_TRADER_GRADE", None);
    polls(&mut app, 2).await;
    assert_eq!(heard(&app), [""; 0]);
});

on_both!(e2_an_answer_whose_rows_nobody_understands_is_told, |db| async move {
    let mut app = followed(db).await;
    app.source.reshape("trading-signals", "TRADING_SIGNAL", Some(json!(7)));
    polls(&mut app, 2).await;
    assert_snapshot!(heard(&app).join("\n"), @"operator: Most of the 4 rows of the last daily poll cannot be understood (unknown_signal: 4); see whether Bellwether has an update; if not, report it with the log line: what cannot be read is left out, and the rest goes on [TM-SHAPE].");
    let counted = app.parts.metrics.render();
    assert!(counted.contains(r#"bellwether_rows_set_aside_total{feed="daily",reason="unknown_signal"}"#), "{counted}");
    app.source.reshape_none();
    app.call(&[BTC, ETH], 1);
    polls(&mut app, 1).await;
    let mut said = heard(&app);
    said.sort();
    assert_eq!(said, ["operator: The rows of the daily feed can be understood again.", "person: While I was away: 2 calls"]);
    app.pass(HOUR).await;
    assert_eq!(heard(&app), [""; 0]);
});

on_both!(both_are_told_of_a_call_that_is_gone_from_its_rows, |db| async move {
    let mut app = followed(db).await;
    for field in ["TRADING_SIGNAL", "TOKEN_TREND"] {
        app.source.reshape("trading-signals", field, None);
    }
    polls(&mut app, 3).await;
    assert_snapshot!(heard(&app).join("\n"), @"
    operator: The field TOKEN_TREND of trading-signals is gone from nearly all rows: see whether Bellwether has an update; if not, report it with the log line: what cannot be read is left out, and the rest goes on [TM-SHAPE].
    operator: The field TRADING_SIGNAL of trading-signals is gone from nearly all rows: see whether Bellwether has an update; if not, report it with the log line: what cannot be read is left out, and the rest goes on [TM-SHAPE].
    operator: Most of the 4 rows of the last daily poll cannot be understood (empty: 4); see whether Bellwether has an update; if not, report it with the log line: what cannot be read is left out, and the rest goes on [TM-SHAPE].
    ");
});
