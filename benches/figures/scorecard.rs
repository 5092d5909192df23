//! How past calls did, over a year of a thousand tokens: what it takes to work that out.

use crate::table::{Table, median, millis};
use bellwether::{
    cache::Scorecards,
    domain::{Kind, Timestamp, TokenId},
    store::Store,
};
use sqlx::{Connection as _, SqliteConnection};
use std::time::{Duration, Instant};

const ROUNDS: usize = 3;

/// Rows of a thousand tokens and a year; a call turns every fortnight.
const YEAR: &str = "INSERT INTO polls (source, feed, started_at, finished_at, outcome, asked, taken, set_aside, complete)
    VALUES ('token-metrics', 'daily', 1, 1, 'complete', 1, 1, 0, TRUE);
    WITH RECURSIVE tokens (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM tokens WHERE id < 1000),
        days (day) AS (SELECT 0 UNION ALL SELECT day + 1 FROM days WHERE day < 364)
    INSERT INTO observations (source, kind, token_id, data_time, stance, row_values, observed_at)
    SELECT 'token-metrics', 'daily', id, (20410 + day) * 86400000, 'bullish', '{\"trader_grade\":26.48,\"investor_grade\":58.23,'
        || '\"signal_returns\":45098.7035,\"holding_returns\":' || ((id * 7919 + day * 104729) % 9973) || '.5}', 1 FROM tokens, days;
    WITH RECURSIVE tokens (id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM tokens WHERE id < 1000),
        turns (turn) AS (SELECT 0 UNION ALL SELECT turn + 1 FROM turns WHERE turn < 25)
    INSERT INTO changes (poll_id, source, kind, token_id, from_stance, to_stance, since_exact, data_time, detected_at, nature, timing, after_gap)
    SELECT 1, 'token-metrics', 'daily', id, CASE turn % 2 WHEN 0 THEN 'bearish' ELSE 'bullish' END,
        CASE turn % 2 WHEN 0 THEN 'bullish' ELSE 'bearish' END, FALSE, (20410 + turn * 14) * 86400000, (20410 + turn * 14) * 86400000 + 3600000,
        'turned', 'fresh', FALSE FROM tokens, turns;";

pub(crate) async fn measure(table: &mut Table) {
    let files = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", files.path().join("scorecard.db").display());
    let store = Store::open(&url).await.unwrap();
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    sqlx::raw_sql(YEAR).execute(&mut connection).await.unwrap();
    let now = Timestamp::from_secs((20_410 + 364) * 86_400);
    let (mut all, mut one) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let scorecards = Scorecards::new(store.clone());
        let began = Instant::now();
        let card = scorecards.of_kind(Kind::Daily, now).await.unwrap();
        all.push(began.elapsed());
        assert!(card.up[0].calls() > 12_000, "{card:?}");
        let began = Instant::now();
        scorecards.of_token(Kind::Daily, TokenId(500), now).await.unwrap();
        one.push(began.elapsed());
    }
    let (all, one) = (median(&all), median(&one));
    table.reach("the scorecard of 26,000 calls of 1,000 tokens, a year", "under 1 s", millis(all), all < Duration::from_secs(1));
    table.reach("that of one token", "under 10 ms", millis(one), one < Duration::from_millis(10));
}
