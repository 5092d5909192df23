//! A past that nobody lived through: rows and changes as polls would have left them.

use super::commands::run_sql;
use bellwether::domain::Timestamp;
use std::{fmt::Write as _, time::Duration};

/// One change of a past: the day of its row, and what it turned to.
pub(crate) struct PastTurn {
    pub(crate) day: u32,
    pub(crate) up: bool,
    pub(crate) nature: &'static str,
}

/// Daily rows of a token from `begin` on, a multiple of its first price each, and its turns, each seen at six in the morning of its day.
pub(crate) async fn lived(url: &str, token: i64, begin: &str, multiples: &[f64], turns: &[PastTurn]) {
    let begin = Timestamp::parse(begin).unwrap();
    let day = |number: u32| (begin + Duration::from_secs(24 * 3600) * number).as_millis();
    let mut sql = String::new();
    for (number, multiple) in (0_u32..).zip(multiples) {
        let (at, values) = (day(number), format!("{{\"holding_returns\":{:.4}}}", multiple - 1.0));
        write!(
            sql,
            "INSERT INTO observations (source, kind, token_id, data_time, stance, row_values, observed_at)
             VALUES ('token-metrics', 'daily', {token}, {at}, 'bullish', '{values}', {at});"
        )
        .unwrap();
    }
    sql.push_str(
        "INSERT INTO polls (source, feed, started_at, finished_at, outcome, asked, taken, set_aside, complete)
         VALUES ('token-metrics', 'daily', 1, 1, 'complete', 1, 1, 0, TRUE);",
    );
    for PastTurn { day: number, up, nature } in turns {
        let (from, to) = if *up { ("bearish", "bullish") } else { ("bullish", "bearish") };
        let (at, stored) = (day(*number), if *nature == "correction" { day(*number).to_string() } else { "NULL".to_owned() });
        let seen = at + 6 * 3600 * 1000 + if *nature == "correction" { 86_400_000 } else { 0 };
        write!(
            sql,
            "INSERT INTO changes (poll_id, source, kind, token_id, from_stance, to_stance, since_exact, data_time, detected_at, nature,
                stored_at, timing, after_gap)
             VALUES ((SELECT MAX(id) FROM polls), 'token-metrics', 'daily', {token}, '{from}', '{to}', FALSE, {at}, {seen}, '{nature}', {stored},
                'fresh', FALSE);"
        )
        .unwrap();
    }
    run_sql(url, &sql).await;
}

/// A turn every other day, bullish first.
pub(crate) fn turns(count: u32) -> Vec<PastTurn> {
    (0..count).map(|number| PastTurn { day: 2 * number, up: number % 2 == 0, nature: "turned" }).collect()
}
