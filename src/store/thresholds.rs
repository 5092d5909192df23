//! The lines that subscribers drew, and the numbers of the past that crossed them.

use super::{
    Store, StoreError, StoreResult,
    dialect::{on_db, over_rows},
};
use crate::domain::{Drawn, Kind, SourceId, Target, Threshold, Timestamp, TokenId, Values, Watched};

const WATCHED: &str = "SELECT target, threshold, MAX(COALESCE(threshold_at, created_at)) FROM subscriptions
    WHERE source = $1 AND kind = $2 AND threshold IS NOT NULL GROUP BY target, threshold ORDER BY target, threshold";
const NUMBERS: (&str, &str) = over_rows!(
    "SELECT o.token_id, o.data_time, o.row_values, t.symbol, t.market_rank, t.link FROM observations o
     LEFT JOIN tokens t ON t.source = o.source AND t.token_id = o.token_id
     WHERE o.source = $2 AND o.kind = $3 AND o.data_time >= $4 AND o.token_id IN (SELECT CAST(CAST(r.value AS TEXT) AS BIGINT) FROM",
    ") ORDER BY o.data_time DESC LIMIT $5"
);

pub(super) const STATEMENTS: &[&str] = &[WATCHED];
pub(super) const PAIRS: &[(&str, &str)] = &[NUMBERS];

/// The number of a token at some time, with what is needed to tell of it.
#[derive(Clone, Debug, PartialEq)]
pub struct PastNumber {
    /// Whose.
    pub token: TokenId,
    /// When it was so.
    pub at: Timestamp,
    /// The number beside the label; none where the row has none.
    pub number: Option<f64>,
    /// The token's symbol; its id where the directory does not know it.
    pub symbol: String,
    /// The token's rank by market cap, where it has one.
    pub rank: Option<u32>,
    /// Where to read more.
    pub link: Option<String>,
}

#[derive(sqlx::FromRow)]
struct NumberRow {
    token_id: i64,
    data_time: i64,
    row_values: String,
    symbol: Option<String>,
    market_rank: Option<i64>,
    link: Option<String>,
}

impl NumberRow {
    fn read(self) -> StoreResult<PastNumber> {
        let values: Values =
            serde_json::from_str(&self.row_values).map_err(|error| StoreError::corrupt("a row's numbers", &error.to_string()))?;
        Ok(PastNumber {
            token: TokenId(self.token_id),
            at: Timestamp::from_millis(self.data_time),
            number: values.graded.and_then(|graded| graded.grade),
            symbol: self.symbol.unwrap_or_else(|| format!("#{}", self.token_id)),
            rank: self.market_rank.and_then(|rank| u32::try_from(rank).ok()),
            link: self.link,
        })
    }
}

pub(super) fn threshold(text: &str) -> StoreResult<Threshold> {
    Threshold::parse(text).ok_or_else(|| StoreError::corrupt("a threshold", text))
}

/// The line of a subscription; `at` is none where it stands as long as that.
pub(super) fn drawn(text: Option<&str>, at: Option<i64>, created_at: i64) -> StoreResult<Option<Drawn>> {
    let at = Timestamp::from_millis(at.unwrap_or(created_at));
    text.map(|text| Ok(Drawn { threshold: threshold(text)?, at })).transpose()
}

impl Store {
    /// The lines that are drawn for tokens of a kind.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn watched_thresholds(&self, source: SourceId, kind: Kind) -> StoreResult<Vec<Watched>> {
        let rows: Vec<(String, String, i64)> = on_db!(self.db, pool => sqlx::query_as(WATCHED)
            .bind(source.as_str()).bind(kind.as_str()).fetch_all(pool).await)?;
        let watched = |(target, line, newest): (String, String, i64)| {
            Ok(Watched {
                target: Target::parse(&target).ok_or_else(|| StoreError::corrupt("a target", &target))?,
                threshold: threshold(&line)?,
                newest: Timestamp::from_millis(newest),
            })
        };
        rows.into_iter().map(watched).collect()
    }

    /// The numbers of the newest rows of these tokens, the oldest of them first.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn numbers_since(
        &self,
        source: SourceId,
        kind: Kind,
        tokens: &[TokenId],
        since: Timestamp,
        most: u32,
    ) -> StoreResult<Vec<PastNumber>> {
        let tokens: Vec<i64> = tokens.iter().map(|token| token.0).collect();
        let (tokens, sql) = (serde_json::Value::from(tokens).to_string(), self.words(NUMBERS));
        let rows: Vec<NumberRow> = on_db!(self.db, pool => sqlx::query_as(sql)
            .bind(&tokens)
            .bind(source.as_str())
            .bind(kind.as_str())
            .bind(since.as_millis())
            .bind(i64::from(most))
            .fetch_all(pool).await)?;
        rows.into_iter().rev().map(NumberRow::read).collect()
    }
}
