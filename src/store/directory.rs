//! The write side of the directory: what tokens there are, their ranks, and which of them `all` means.

use super::{
    Store, StoreResult,
    dialect::{in_transaction, on_db, per_db, write_db},
};
use crate::domain::{SourceId, Timestamp, Token};
use serde::Serialize;
use std::collections::BTreeMap;

macro_rules! on_conflict {
    () => {
        " ON CONFLICT (source, token_id) DO UPDATE SET symbol = excluded.symbol, symbol_key = excluded.symbol_key, name = excluded.name,
            name_key = excluded.name_key, market_rank = COALESCE(excluded.market_rank, tokens.market_rank),
            link = COALESCE(excluded.link, tokens.link), refreshed_at = excluded.refreshed_at"
    };
}
macro_rules! insert {
    () => {
        "INSERT INTO tokens (source, token_id, symbol, symbol_key, name, name_key, market_rank, link, in_all, refreshes_out, first_seen_at, refreshed_at) "
    };
}

const UPSERT_SQLITE: &str = concat!(
    insert!(),
    "SELECT $1, value ->> 'id', value ->> 'symbol', value ->> 'symbol_key', value ->> 'name', value ->> 'name_key', value ->> 'rank',
        value ->> 'link', FALSE, 0, $2, $2 FROM json_each($3) WHERE TRUE",
    on_conflict!()
);
const UPSERT_POSTGRES: &str = concat!(
    insert!(),
    "SELECT $1, id, symbol, symbol_key, name, name_key, rank, link, FALSE, 0, $2, $2 FROM json_to_recordset(CAST($3 AS JSON))
        AS t(id BIGINT, symbol TEXT, symbol_key TEXT, name TEXT, name_key TEXT, rank BIGINT, link TEXT)",
    on_conflict!()
);
/// Only where nothing is known yet: the directory's own link goes before one made of a slug.
const LEARN_LINKS_SQLITE: &str = "UPDATE tokens SET link = (SELECT value ->> 'link' FROM json_each($2) WHERE value ->> 'id' = token_id)
    WHERE source = $1 AND link IS NULL AND token_id IN (SELECT value ->> 'id' FROM json_each($2))";
const LEARN_LINKS_POSTGRES: &str = "UPDATE tokens SET link = t.link FROM json_to_recordset(CAST($2 AS JSON)) AS t(id BIGINT, link TEXT)
    WHERE tokens.source = $1 AND tokens.link IS NULL AND tokens.token_id = t.id";
/// Before new ranks are written: a token that is not among them has none.
const FORGET_RANKS: &str = "UPDATE tokens SET market_rank = NULL WHERE source = $1 AND market_rank IS NOT NULL";
/// `all`: in at rank N or better, out when beyond it in three refreshes running (`rules.md` 1.8). The limits come as arguments.
const REFRESH_ALL: &str = "UPDATE tokens SET
        in_all = CASE WHEN COALESCE(market_rank, $2 + 1) <= $2 THEN TRUE WHEN refreshes_out + 1 >= $3 THEN FALSE ELSE in_all END,
        refreshes_out = CASE WHEN COALESCE(market_rank, $2 + 1) <= $2 THEN 0 ELSE refreshes_out + 1 END
    WHERE source = $1 AND (in_all OR market_rank <= $2)";
const COUNT: &str = "SELECT COUNT(*) FROM tokens WHERE source = $1";

pub(super) const STATEMENTS: &[&str] = &[FORGET_RANKS, REFRESH_ALL, COUNT];
pub(super) const PAIRS: &[(&str, &str)] = &[(UPSERT_SQLITE, UPSERT_POSTGRES), (LEARN_LINKS_SQLITE, LEARN_LINKS_POSTGRES)];

#[derive(Serialize)]
struct Row<'a> {
    id: i64,
    symbol: &'a str,
    symbol_key: String,
    name: &'a str,
    name_key: String,
    rank: Option<u32>,
    link: Option<&'a str>,
}

/// One bind for all of them; of rows with the same id the first counts.
fn json(tokens: &[Token]) -> String {
    let mut rows = BTreeMap::new();
    for token in tokens {
        rows.entry(token.id).or_insert_with(|| Row {
            id: token.id.0,
            symbol: &token.symbol,
            symbol_key: token.symbol.to_uppercase(),
            name: &token.name,
            name_key: token.name.to_uppercase(),
            rank: token.rank,
            link: token.link.as_deref(),
        });
    }
    serde_json::to_string(&rows.into_values().collect::<Vec<_>>()).unwrap_or_default()
}

impl Store {
    /// Writes tokens into the directory; what is not known of one (rank, link) stays as it was.
    ///
    /// # Errors
    /// Where the database fails: nothing was written.
    pub async fn write_tokens(&self, source: SourceId, tokens: &[Token], now: Timestamp) -> StoreResult<()> {
        let sql = per_db!(self.db, sqlite: UPSERT_SQLITE, postgres: UPSERT_POSTGRES);
        write_db!(self.db, pool => sqlx::query(sql)
            .bind(source.as_str()).bind(now.as_millis()).bind(json(tokens)).execute(pool).await.map(drop))?;
        Ok(())
    }

    /// Replaces the ranks, and decides which tokens `all` means: those up to `all_tokens`, without those that were beyond it in
    /// `refreshes_out` refreshes running.
    ///
    /// # Errors
    /// Where the database fails: the old ranks stand.
    pub async fn refresh_ranks(
        &self,
        source: SourceId,
        tokens: &[Token],
        all_tokens: u32,
        refreshes_out: u32,
        now: Timestamp,
    ) -> StoreResult<()> {
        let sql = per_db!(self.db, sqlite: UPSERT_SQLITE, postgres: UPSERT_POSTGRES);
        let rows = json(tokens);
        in_transaction!(self.db, tx => {
            sqlx::query(FORGET_RANKS).bind(source.as_str()).execute(&mut *tx).await?;
            sqlx::query(sql).bind(source.as_str()).bind(now.as_millis()).bind(&rows).execute(&mut *tx).await?;
            let refresh = sqlx::query(REFRESH_ALL).bind(source.as_str()).bind(i64::from(all_tokens)).bind(i64::from(refreshes_out));
            refresh.execute(&mut *tx).await?;
        })
    }

    /// Takes the links of these tokens where the directory has none (`rules.md` 3.10).
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn learn_links(&self, source: SourceId, tokens: &[Token]) -> StoreResult<()> {
        let sql = per_db!(self.db, sqlite: LEARN_LINKS_SQLITE, postgres: LEARN_LINKS_POSTGRES);
        write_db!(self.db, pool => sqlx::query(sql).bind(source.as_str()).bind(json(tokens)).execute(pool).await.map(drop))?;
        Ok(())
    }

    /// How many tokens the directory holds.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn count_tokens(&self, source: SourceId) -> StoreResult<u32> {
        let count: i64 = on_db!(self.db, pool => sqlx::query_scalar(COUNT).bind(source.as_str()).fetch_one(pool).await)?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }
}
