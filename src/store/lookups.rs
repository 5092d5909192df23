//! What people had looked up at the source: their daily counts, and the answers that are shared.

use super::{
    Store, StoreResult,
    dialect::{on_db, write_db},
};
use crate::domain::{SourceId, Timestamp, Token, TokenId};

const COUNTS: &str = "SELECT COUNT(*), COALESCE(CAST(SUM(CASE WHEN person = $3 THEN 1 ELSE 0 END) AS BIGINT), 0) FROM lookups
    WHERE source = $1 AND asked_at >= $2";
const LAST: &str = "SELECT found, asked_at FROM lookups WHERE source = $1 AND query = $2 ORDER BY asked_at DESC, id DESC LIMIT 1";
const RECORD: &str = "INSERT INTO lookups (source, person, query, found, asked_at) VALUES ($1, $2, $3, $4, $5)";
const KNOWN: &str = "SELECT token_id, symbol, name, market_rank, link FROM tokens WHERE source = $1 AND (symbol_key = $2 OR token_id = $3)
    ORDER BY COALESCE(market_rank, 9223372036854775807), token_id LIMIT 100";

pub(super) const STATEMENTS: &[&str] = &[COUNTS, LAST, RECORD, KNOWN];

/// How much was looked up since a moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LookupCounts {
    /// By everybody.
    pub everybody: u32,
    /// By this person.
    pub person: u32,
}

#[derive(sqlx::FromRow)]
struct KnownRow {
    token_id: i64,
    symbol: String,
    name: String,
    market_rank: Option<i64>,
    link: Option<String>,
}

impl Store {
    /// How many look-ups were made since `at`, by everybody and by this person.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn lookup_counts(&self, source: SourceId, person: &str, at: Timestamp) -> StoreResult<LookupCounts> {
        let (everybody, own): (i64, i64) = on_db!(self.db, pool => sqlx::query_as(COUNTS)
            .bind(source.as_str()).bind(at.as_millis()).bind(person).fetch_one(pool).await)?;
        let count = |count: i64| u32::try_from(count).unwrap_or(u32::MAX);
        Ok(LookupCounts { everybody: count(everybody), person: count(own) })
    }

    /// The last look-up of this query: whether anything was found, and when.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn last_lookup(&self, source: SourceId, query: &str) -> StoreResult<Option<(bool, Timestamp)>> {
        let row: Option<(bool, i64)> =
            on_db!(self.db, pool => sqlx::query_as(LAST).bind(source.as_str()).bind(query).fetch_optional(pool).await)?;
        Ok(row.map(|(found, at)| (found, Timestamp::from_millis(at))))
    }

    /// Records a look-up, so that it counts.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn record_lookup(&self, source: SourceId, person: &str, query: &str, found: bool, now: Timestamp) -> StoreResult<()> {
        write_db!(self.db, pool => sqlx::query(RECORD)
            .bind(source.as_str()).bind(person).bind(query).bind(found).bind(now.as_millis()).execute(pool).await.map(drop))?;
        Ok(())
    }

    /// The tokens of the directory with this symbol (upper case) or this id, the largest first.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn looked_up_tokens(&self, source: SourceId, symbol_key: &str, id: Option<TokenId>) -> StoreResult<Vec<Token>> {
        // No token has the id 0.
        let id = id.map_or(0, |id| id.0);
        let rows: Vec<KnownRow> = on_db!(self.db, pool => sqlx::query_as(KNOWN)
            .bind(source.as_str()).bind(symbol_key).bind(id).fetch_all(pool).await)?;
        let token = |row: KnownRow| Token {
            id: TokenId(row.token_id),
            symbol: row.symbol,
            name: row.name,
            rank: row.market_rank.and_then(|rank| u32::try_from(rank).ok()),
            link: row.link,
        };
        Ok(rows.into_iter().map(token).collect())
    }
}
