//! What is known of one token's past: how its call changed, and the rows that it was read from.

use super::{
    Store, StoreError, StoreResult,
    changes::{ChangeRow, StoredChange, change_columns, stance},
    dialect::on_db,
};
use crate::domain::{Change, Kind, PastRow, SourceId, Timestamp, TokenId};

const CHANGES: &str = concat!(
    "SELECT ",
    change_columns!(),
    " FROM changes c LEFT JOIN tokens t ON t.source = c.source AND t.token_id = c.token_id
      WHERE c.source = $1 AND c.kind = $2 AND c.token_id = $3 AND (c.nature <> 'crossed' OR c.kind = 'levels') ORDER BY c.data_time DESC, c.id DESC LIMIT $4"
);
const ROWS: &str = "SELECT data_time, stance, row_values FROM observations WHERE source = $1 AND kind = $2 AND token_id = $3
    AND data_time <= $4 ORDER BY data_time DESC LIMIT $5";
const OLDEST: &str = "SELECT MIN(data_time) FROM observations WHERE source = $1 AND kind = $2 AND token_id = $3";

pub(super) const STATEMENTS: &[&str] = &[CHANGES, ROWS, OLDEST];

impl Store {
    /// The last changes of a token's call, the newest first.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn last_changes(&self, source: SourceId, kind: Kind, token: TokenId, most: u32) -> StoreResult<Vec<Change>> {
        let rows: Vec<ChangeRow> = on_db!(self.db, pool => sqlx::query_as(CHANGES)
            .bind(source.as_str()).bind(kind.as_str()).bind(token.0).bind(i64::from(most)).fetch_all(pool).await)?;
        rows.into_iter().map(|row| Ok(StoredChange::try_from(row)?.change)).collect()
    }

    /// The last rows of a token, the newest first; those that are not newer than `until` alone, where that is given.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn last_rows(
        &self,
        source: SourceId,
        kind: Kind,
        token: TokenId,
        until: Option<Timestamp>,
        most: u32,
    ) -> StoreResult<Vec<PastRow>> {
        let until = until.map_or(i64::MAX, Timestamp::as_millis);
        let rows: Vec<(i64, Option<String>, String)> = on_db!(self.db, pool => sqlx::query_as(ROWS)
            .bind(source.as_str()).bind(kind.as_str()).bind(token.0).bind(until).bind(i64::from(most)).fetch_all(pool).await)?;
        let row = |(data_time, word, values): (i64, Option<String>, String)| {
            Ok(PastRow {
                data_time: Timestamp::from_millis(data_time),
                stance: word.as_deref().map(stance).transpose()?,
                values: serde_json::from_str(&values).map_err(|error| StoreError::corrupt("a row's numbers", &error.to_string()))?,
            })
        };
        rows.into_iter().map(row).collect()
    }

    /// The time of the oldest row that is known of any of these tokens.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn oldest_row(&self, source: SourceId, kind: Kind, tokens: &[TokenId]) -> StoreResult<Option<Timestamp>> {
        let mut oldest: Option<i64> = None;
        for token in tokens {
            let at: Option<i64> = on_db!(self.db, pool => sqlx::query_scalar(OLDEST)
                .bind(source.as_str()).bind(kind.as_str()).bind(token.0).fetch_one(pool).await)?;
            oldest = [oldest, at].into_iter().flatten().min();
        }
        Ok(oldest.map(Timestamp::from_millis))
    }
}
