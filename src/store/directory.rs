//! The write side of the directory: what tokens there are, their ranks, and which of them `all` means.

use super::{
    Store, StoreResult,
    dialect::{flag, in_transaction, json_list, list, on_db, over_rows, per_db, write_db},
    token_news::{self, news_json},
    token_search::ids_json,
};
use crate::domain::{Listed, Listing, Nameless, Reading, SourceId, Timestamp, Token, TokenId};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

macro_rules! on_conflict {
    () => {
        " ON CONFLICT (source, token_id) DO UPDATE SET symbol = excluded.symbol, symbol_key = excluded.symbol_key, name = excluded.name,
            name_key = excluded.name_key, market_rank = COALESCE(excluded.market_rank, tokens.market_rank),
            link = COALESCE(excluded.link, tokens.link), refreshed_at = excluded.refreshed_at,
            listed_at = COALESCE(excluded.listed_at, tokens.listed_at), lists_missed = NULL, delisted_at = NULL,
            former_key = COALESCE(excluded.former_key, tokens.former_key)"
    };
}
macro_rules! insert {
    () => {
        "INSERT INTO tokens (source, token_id, symbol, symbol_key, name, name_key, market_rank, link, in_all, refreshes_out, first_seen_at, refreshed_at, former_key,
            listed_at) "
    };
}

const UPSERT_SQLITE: &str = concat!(
    insert!(),
    "SELECT $1, value ->> 'id', value ->> 'symbol', value ->> 'symbol_key', value ->> 'name', value ->> 'name_key', value ->> 'rank',
        value ->> 'link', FALSE, 0, $2, $2, value ->> 'former', $4 FROM json_each($3) WHERE TRUE",
    on_conflict!()
);
const UPSERT_POSTGRES: &str = concat!(
    insert!(),
    "SELECT $1, id, symbol, symbol_key, name, name_key, rank, link, FALSE, 0, $2, $2, former, CAST($4 AS BIGINT) FROM json_to_recordset(CAST($3 AS JSON))
        AS t(id BIGINT, symbol TEXT, symbol_key TEXT, name TEXT, name_key TEXT, rank BIGINT, link TEXT, former TEXT)",
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
const KNOWN: (&str, &str) = json_list!(
    "token_id, symbol, former_key, listed_at IS NOT NULL, COALESCE(lists_missed, 0), delisted_at IS NOT NULL",
    "FROM tokens WHERE source = $1"
);
/// A row with nothing but a number: what is known of the token stays. The list is read once: SQLite would go through it for each token.
const NAMELESS: (&str, &str) = over_rows!(
    "WITH listed AS MATERIALIZED (SELECT CAST(r.value ->> 0 AS BIGINT) AS token_id, CAST(r.value ->> 1 AS BIGINT) AS market_rank FROM",
    ") UPDATE tokens SET market_rank = COALESCE(listed.market_rank, tokens.market_rank), listed_at = COALESCE($3, tokens.listed_at),
        lists_missed = NULL, delisted_at = NULL FROM listed WHERE tokens.source = $2 AND tokens.token_id = listed.token_id"
);
const MISSED: (&str, &str) = over_rows!(
    "UPDATE tokens SET lists_missed = COALESCE(lists_missed, 0) + 1
     WHERE source = $2 AND token_id IN (SELECT CAST(CAST(r.value AS TEXT) AS BIGINT) FROM",
    ")"
);
const DELISTED: (&str, &str) = over_rows!(
    "UPDATE tokens SET delisted_at = $3 WHERE source = $2 AND token_id IN (SELECT CAST(CAST(r.value AS TEXT) AS BIGINT) FROM",
    ")"
);
const COUNT: &str = "SELECT COUNT(*) FROM tokens WHERE source = $1";

pub(super) const STATEMENTS: &[&str] = &[FORGET_RANKS, REFRESH_ALL, COUNT];
pub(super) const PAIRS: &[(&str, &str)] =
    &[(UPSERT_SQLITE, UPSERT_POSTGRES), (LEARN_LINKS_SQLITE, LEARN_LINKS_POSTGRES), KNOWN, NAMELESS, MISSED, DELISTED];

#[derive(Serialize)]
struct Row<'a> {
    id: i64,
    symbol: &'a str,
    symbol_key: String,
    name: &'a str,
    name_key: String,
    rank: Option<u32>,
    link: Option<&'a str>,
    former: Option<&'a str>,
}

#[derive(Deserialize)]
struct KnownRow {
    token_id: i64,
    symbol: String,
    former_key: Option<String>,
    #[serde(deserialize_with = "flag")]
    was_listed: bool,
    missed: u32,
    #[serde(deserialize_with = "flag")]
    is_delisted: bool,
}

impl From<KnownRow> for Listed {
    fn from(row: KnownRow) -> Self {
        let KnownRow { token_id, symbol, former_key: former, was_listed, missed, is_delisted } = row;
        Self { token: TokenId(token_id), symbol, former, was_listed, missed, is_delisted }
    }
}

/// One bind for all of them; of rows with the same id the first counts.
fn json(tokens: &[Token], renamed: &[(TokenId, String)]) -> String {
    let former: BTreeMap<TokenId, &str> = renamed.iter().map(|(token, former)| (*token, former.as_str())).collect();
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
            former: former.get(&token.id).copied(),
        });
    }
    serde_json::to_string(&rows.into_values().collect::<Vec<_>>()).unwrap_or_default()
}

fn nameless_json(tokens: &[Nameless]) -> String {
    let rows: Vec<_> = tokens.iter().map(|token| (token.id, token.rank)).collect();
    serde_json::to_string(&rows).unwrap_or_default()
}

/// What `all` means after ranks were refreshed.
#[derive(Clone, Copy, Debug)]
pub struct AllTokens {
    /// Tokens up to this rank.
    pub up_to: u32,
    /// Without those that were beyond it in so many refreshes running.
    pub refreshes_out: u32,
}

/// Writes a list in a transaction, with what it means beside what was known, and leaves behind what is to be told of that.
macro_rules! write_list {
    ($store:ident, $tx:ident, $source:expr, $tokens:expr, $judge:expr, $now:expr) => {{
        let words =
            [KNOWN, (UPSERT_SQLITE, UPSERT_POSTGRES), NAMELESS, MISSED, DELISTED, token_news::INSERT].map(|pair| $store.words(pair));
        let known: String = sqlx::query_scalar(words[0]).bind($source.as_str()).fetch_one(&mut *$tx).await?;
        let known: Vec<Listed> = list(&known)?.into_iter().map(|row: KnownRow| row.into()).collect();
        let listing: Listing = $judge(&known);
        let listed_at = (listing.reading == Reading::Whole).then_some($now.as_millis());
        sqlx::query(words[1])
            .bind($source.as_str())
            .bind($now.as_millis())
            .bind(json($tokens, &listing.renamed))
            .bind(listed_at)
            .execute(&mut *$tx)
            .await?;
        if !listing.nameless.is_empty() {
            sqlx::query(words[2]).bind(nameless_json(&listing.nameless)).bind($source.as_str()).bind(listed_at).execute(&mut *$tx).await?;
        }
        if !listing.missed.is_empty() {
            sqlx::query(words[3]).bind(ids_json(&listing.missed)).bind($source.as_str()).execute(&mut *$tx).await?;
            let delisted = sqlx::query(words[4]).bind(ids_json(&listing.delisted)).bind($source.as_str()).bind($now.as_millis());
            delisted.execute(&mut *$tx).await?;
        }
        if !listing.news.is_empty() {
            sqlx::query(words[5]).bind(news_json(&listing.news)).bind($source.as_str()).execute(&mut *$tx).await?;
        }
        listing
    }};
}

impl Store {
    /// Writes tokens into the directory; what is not known of one (rank, link) stays as it was. `judge` says what the list means beside what
    /// was known, and those who subscribed to a token by name hear of its news.
    ///
    /// # Errors
    /// Where the database fails: nothing was written.
    pub async fn write_tokens(
        &self,
        source: SourceId,
        tokens: &[Token],
        judge: impl FnOnce(&[Listed]) -> Listing + Send,
        now: Timestamp,
    ) -> StoreResult<Listing> {
        in_transaction!(self.db, tx => { write_list!(self, tx, source, tokens, judge, now) })
    }

    /// Writes tokens with their ranks, which replace all others, and says what `all` means by them.
    ///
    /// # Errors
    /// Where the database fails: the old ranks stand.
    pub async fn refresh_ranks(
        &self,
        source: SourceId,
        tokens: &[Token],
        judge: impl FnOnce(&[Listed]) -> Listing + Send,
        AllTokens { up_to: all_tokens, refreshes_out }: AllTokens,
        now: Timestamp,
    ) -> StoreResult<Listing> {
        in_transaction!(self.db, tx => {
            sqlx::query(FORGET_RANKS).bind(source.as_str()).execute(&mut *tx).await?;
            let listing = write_list!(self, tx, source, tokens, judge, now);
            let refresh = sqlx::query(REFRESH_ALL).bind(source.as_str()).bind(i64::from(all_tokens)).bind(i64::from(refreshes_out));
            refresh.execute(&mut *tx).await?;
            listing
        })
    }

    /// Takes the links of these tokens where the directory has none (`rules.md` 3.10).
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn learn_links(&self, source: SourceId, tokens: &[Token]) -> StoreResult<()> {
        let sql = per_db!(self.db, sqlite: LEARN_LINKS_SQLITE, postgres: LEARN_LINKS_POSTGRES);
        write_db!(self.db, pool => sqlx::query(sql).bind(source.as_str()).bind(json(tokens, &[])).execute(pool).await.map(drop))?;
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
