//! The directory as it is asked: by symbol, by id, by how a symbol or name begins.

use super::{
    Store, StoreResult,
    dialect::{on_db, over_rows, per_db},
};
use crate::domain::{SourceId, Token, TokenId};

macro_rules! token_columns {
    () => {
        "t.token_id, t.symbol, t.name, t.market_rank, t.link"
    };
}

const LOADED: &str = "SELECT COUNT(*) FROM (SELECT token_id FROM tokens WHERE source = $1 LIMIT 1) AS found";
/// Ranked tokens whose key begins so, walked by rank: a letter with which thousands begin ends at the limit. SQLite's planner would rather
/// read and sort those thousands.
macro_rules! ranked_beginning {
    ($key:literal, $by_rank:literal) => {
        concat!(
            "SELECT ",
            token_columns!(),
            " FROM tokens t",
            $by_rank,
            " WHERE t.source = $1 AND t.market_rank IS NOT NULL AND t.",
            $key,
            " >= $2 AND t.",
            $key,
            " < $3 ORDER BY t.market_rank, t.symbol_key, t.token_id LIMIT $4"
        )
    };
}
macro_rules! unranked_beginning {
    ($key:literal) => {
        concat!(
            "SELECT ",
            token_columns!(),
            " FROM tokens t WHERE t.source = $1 AND t.market_rank IS NULL AND t.",
            $key,
            " >= $2 AND t.",
            $key,
            " < $3 ORDER BY t.symbol_key, t.token_id LIMIT $4"
        )
    };
}
const RANKED_BY_SYMBOL: (&str, &str) = (ranked_beginning!("symbol_key", " INDEXED BY tokens_by_rank"), ranked_beginning!("symbol_key", ""));
const RANKED_BY_NAME: (&str, &str) = (ranked_beginning!("name_key", " INDEXED BY tokens_by_rank"), ranked_beginning!("name_key", ""));
const UNRANKED_BY_SYMBOL: &str = unranked_beginning!("symbol_key");
const UNRANKED_BY_NAME: &str = unranked_beginning!("name_key");
const BEST: &str = concat!(
    "SELECT ",
    token_columns!(),
    " FROM tokens t WHERE t.source = $1 AND t.market_rank IS NOT NULL ORDER BY t.market_rank LIMIT $2"
);

// The list first: asked the other way round, SQLite reads the whole directory in the order of its ids.
const BY_SYMBOLS_SQLITE: &str = concat!(
    "SELECT ",
    token_columns!(),
    " FROM (SELECT DISTINCT value FROM json_each($2)) AS w CROSS JOIN tokens t WHERE t.source = $1 AND t.symbol_key = w.value ORDER BY t.token_id"
);
const BY_SYMBOLS_POSTGRES: &str = concat!(
    "SELECT ",
    token_columns!(),
    " FROM tokens t WHERE t.source = $1 AND t.symbol_key = ANY(ARRAY(SELECT jsonb_array_elements_text(CAST($2 AS jsonb)))) ORDER BY t.token_id"
);
/// Tokens by the symbol that they had before.
const BY_FORMER: (&str, &str) = over_rows!(
    concat!("SELECT t.former_key, ", token_columns!(), " FROM"),
    "CROSS JOIN tokens t WHERE t.source = $2 AND t.former_key = r.value ->> 0 ORDER BY t.token_id"
);
const BY_IDS_SQLITE: &str = concat!(
    "SELECT ",
    token_columns!(),
    " FROM tokens t WHERE t.source = $1 AND t.token_id IN (SELECT value FROM json_each($2)) ORDER BY t.token_id"
);
const BY_IDS_POSTGRES: &str = concat!(
    "SELECT ",
    token_columns!(),
    " FROM tokens t WHERE t.source = $1 AND t.token_id = ANY(ARRAY(SELECT CAST(jsonb_array_elements_text(CAST($2 AS jsonb)) AS BIGINT)))
      ORDER BY t.token_id"
);

pub(super) const STATEMENTS: &[&str] = &[LOADED, UNRANKED_BY_SYMBOL, UNRANKED_BY_NAME, BEST];
pub(super) const PAIRS: &[(&str, &str)] =
    &[RANKED_BY_SYMBOL, RANKED_BY_NAME, (BY_SYMBOLS_SQLITE, BY_SYMBOLS_POSTGRES), (BY_IDS_SQLITE, BY_IDS_POSTGRES), BY_FORMER];

#[derive(sqlx::FromRow)]
struct TokenRow {
    token_id: i64,
    symbol: String,
    name: String,
    market_rank: Option<i64>,
    link: Option<String>,
}

#[derive(sqlx::FromRow)]
struct FormerRow {
    former_key: String,
    #[sqlx(flatten)]
    token: TokenRow,
}

impl From<TokenRow> for Token {
    fn from(row: TokenRow) -> Self {
        Self {
            id: TokenId(row.token_id),
            symbol: row.symbol,
            name: row.name,
            rank: row.market_rank.and_then(|rank| u32::try_from(rank).ok()),
            link: row.link,
        }
    }
}

/// What a prefix is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenField {
    /// The symbol.
    Symbol,
    /// The name.
    Name,
}

/// Ids as the one JSON text that a statement takes.
pub(super) fn ids_json(ids: &[TokenId]) -> String {
    serde_json::to_string(ids).unwrap_or_else(|_| "[]".to_owned())
}

impl Store {
    /// Whether the directory was ever loaded.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn directory_loaded(&self, source: SourceId) -> StoreResult<bool> {
        let count: i64 = on_db!(self.db, pool => sqlx::query_scalar(LOADED).bind(source.as_str()).fetch_one(pool).await)?;
        Ok(count > 0)
    }

    /// Every token with one of these symbols (upper case).
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn tokens_by_symbols(&self, source: SourceId, symbols: &[String]) -> StoreResult<Vec<Token>> {
        let sql = per_db!(self.db, sqlite: BY_SYMBOLS_SQLITE, postgres: BY_SYMBOLS_POSTGRES);
        self.listed(sql, source, &serde_json::to_string(symbols).unwrap_or_else(|_| "[]".to_owned())).await
    }

    /// Every token that had one of these symbols (upper case) before it was renamed, each with that symbol.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn tokens_by_former_symbols(&self, source: SourceId, symbols: &[String]) -> StoreResult<Vec<(String, Token)>> {
        let (sql, symbols) =
            (self.words(BY_FORMER), serde_json::json!(symbols.iter().map(|symbol| [symbol]).collect::<Vec<_>>()).to_string());
        let rows: Vec<FormerRow> = on_db!(self.db, pool => sqlx::query_as(sql).bind(&symbols).bind(source.as_str()).fetch_all(pool).await)?;
        Ok(rows.into_iter().map(|row| (row.former_key, row.token.into())).collect())
    }

    /// The tokens with these ids.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn tokens_by_ids(&self, source: SourceId, ids: &[TokenId]) -> StoreResult<Vec<Token>> {
        let sql = per_db!(self.db, sqlite: BY_IDS_SQLITE, postgres: BY_IDS_POSTGRES);
        self.listed(sql, source, &ids_json(ids)).await
    }

    async fn listed(&self, sql: &'static str, source: SourceId, list: &str) -> StoreResult<Vec<Token>> {
        let rows: Vec<TokenRow> = on_db!(self.db, pool => sqlx::query_as(sql).bind(source.as_str()).bind(list).fetch_all(pool).await)?;
        Ok(rows.into_iter().map(Token::from).collect())
    }

    /// The best ranked tokens whose symbol or name begins so (upper case), at most `limit`. Every character means itself.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn tokens_beginning(&self, source: SourceId, field: TokenField, prefix: &str, limit: u32) -> StoreResult<Vec<Token>> {
        let (ranked, unranked) = match field {
            TokenField::Symbol => (self.words(RANKED_BY_SYMBOL), UNRANKED_BY_SYMBOL),
            TokenField::Name => (self.words(RANKED_BY_NAME), UNRANKED_BY_NAME),
        };
        let (beyond, limit) = (format!("{prefix}\u{10FFFF}"), i64::from(limit));
        let mut found: Vec<Token> = Vec::new();
        for sql in [ranked, unranked] {
            let room = limit - found.len() as i64;
            if room > 0 {
                let rows: Vec<TokenRow> = on_db!(self.db, pool => sqlx::query_as(sql)
                    .bind(source.as_str()).bind(prefix).bind(&beyond).bind(room).fetch_all(pool).await)?;
                found.extend(rows.into_iter().map(Token::from));
            }
        }
        Ok(found)
    }

    /// The largest tokens by market cap, at most `limit`.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn best_tokens(&self, source: SourceId, limit: u32) -> StoreResult<Vec<Token>> {
        let rows: Vec<TokenRow> =
            on_db!(self.db, pool => sqlx::query_as(BEST).bind(source.as_str()).bind(i64::from(limit)).fetch_all(pool).await)?;
        Ok(rows.into_iter().map(Token::from).collect())
    }
}
