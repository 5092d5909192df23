//! How the source groups tokens, by which past calls are counted where those of one token are too few.

use super::{
    Store, StoreResult,
    dialect::{json_list, list, on_db, over_rows, write_db},
};
use crate::domain::{Kind, SourceId, TokenId};

/// What is as it was is not written again: the list is long, and read every day. It is read once: SQLite would go through it for each token.
const WRITE: (&str, &str) = over_rows!(
    "WITH listed AS MATERIALIZED (SELECT CAST(r.value ->> 0 AS BIGINT) AS token_id, r.value ->> 1 AS category FROM",
    ") UPDATE tokens SET category = listed.category FROM listed
     WHERE tokens.source = $2 AND tokens.token_id = listed.token_id AND tokens.category IS DISTINCT FROM listed.category"
);
const OF_TOKEN: &str = "SELECT category FROM tokens WHERE source = $1 AND token_id = $2";
const CHANGED_TOKENS: (&str, &str) = json_list!(
    "c.token_id",
    "FROM (SELECT DISTINCT token_id FROM changes WHERE source = $1 AND kind = $2) c
     JOIN tokens t ON t.source = $1 AND t.token_id = c.token_id WHERE t.category = $3"
);

pub(super) const STATEMENTS: &[&str] = &[OF_TOKEN];
pub(super) const PAIRS: &[(&str, &str)] = &[WRITE, CHANGED_TOKENS];

impl Store {
    /// Writes the categories of tokens that the directory knows; of a token that is named twice either may stand.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn write_categories(&self, source: SourceId, categories: &[(TokenId, String)]) -> StoreResult<()> {
        if categories.is_empty() {
            return Ok(());
        }
        let (sql, rows) = (self.words(WRITE), serde_json::to_string(categories).unwrap_or_default());
        write_db!(self.db, pool => sqlx::query(sql).bind(&rows).bind(source.as_str()).execute(pool).await.map(drop))?;
        Ok(())
    }

    /// The category of a token; none where the directory names none.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn category_of(&self, source: SourceId, token: TokenId) -> StoreResult<Option<String>> {
        let row: Option<Option<String>> = on_db!(self.db, pool => sqlx::query_scalar(OF_TOKEN)
            .bind(source.as_str()).bind(token.0).fetch_optional(pool).await)?;
        Ok(row.flatten())
    }

    /// The tokens of a category whose calls of a kind ever changed, in the order of their numbers.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn changed_tokens_in(&self, source: SourceId, kind: Kind, category: &str) -> StoreResult<Vec<TokenId>> {
        let sql = self.words(CHANGED_TOKENS);
        let rows: String = on_db!(self.db, pool => sqlx::query_scalar(sql)
            .bind(source.as_str()).bind(kind.as_str()).bind(category).fetch_one(pool).await)?;
        let mut tokens: Vec<TokenId> = list(&rows)?.into_iter().map(|(token,): (TokenId,)| token).collect();
        tokens.sort_unstable();
        Ok(tokens)
    }
}
