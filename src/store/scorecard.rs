//! What a scorecard is made of: the calls that changed, and the prices of some time after.

use super::{
    Store, StoreError, StoreResult,
    dialect::{flag, json_list, list, on_db, over_rows},
};
use crate::domain::{DestinationId, Kind, Price, SourceId, Target, Timestamp, TokenId, Values};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

const CHANGED_TOKENS: (&str, &str) =
    json_list!("c.token_id", "FROM (SELECT DISTINCT token_id FROM changes WHERE source = $1 AND kind = $2) c");

macro_rules! prices {
    ($rows:literal) => {
        concat!(
            "FROM ",
            $rows,
            " CROSS JOIN observations o WHERE o.source = $2 AND o.kind = $3 AND o.token_id = CAST(r.value ->> 0 AS BIGINT)
             AND o.data_time BETWEEN CAST(r.value ->> 1 AS BIGINT) AND CAST(r.value ->> 2 AS BIGINT)"
        )
    };
}
/// Walked from the windows to the rows of each by the primary key.
const PRICES: (&str, &str) = (
    json_list!("o.token_id, o.data_time, o.row_values ->> 'close', o.row_values ->> 'holding_returns'", prices!("json_each($1) r")).0,
    json_list!(
        "o.token_id, o.data_time, CAST(CAST(o.row_values AS JSON) ->> 'close' AS DOUBLE PRECISION),
         CAST(CAST(o.row_values AS JSON) ->> 'holding_returns' AS DOUBLE PRECISION)",
        prices!("json_array_elements(CAST(CAST($1 AS TEXT) AS JSON)) AS r(value)")
    )
    .1,
);

/// What a week's moves are said of: tokens that the directory knows and whose rows were seen lately.
const SEEN_TOKENS: (&str, &str) = json_list!(
    "t.token_id, t.symbol, t.link, t.in_all",
    "FROM token_states s JOIN tokens t ON t.source = s.source AND t.token_id = s.token_id
     WHERE s.source = $1 AND s.kind = $2 AND s.seen_at >= $3"
);

const WEEKLY_KINDS: (&str, &str) =
    json_list!("s.kind", "FROM (SELECT DISTINCT kind FROM subscriptions WHERE delivery = 'digest-weekly') s");
const WEEKLY_TARGETS: (&str, &str) = over_rows!(
    "SELECT s.destination_id, s.target FROM subscriptions s WHERE s.delivery = 'digest-weekly'
        AND s.destination_id IN (SELECT CAST(CAST(r.value AS TEXT) AS BIGINT) FROM",
    ")"
);
const EXCLUSIONS: (&str, &str) = over_rows!(
    "SELECT e.destination_id, e.token_id FROM exclusions e WHERE e.destination_id IN (SELECT CAST(CAST(r.value AS TEXT) AS BIGINT) FROM",
    ")"
);

pub(super) const PAIRS: &[(&str, &str)] = &[CHANGED_TOKENS, PRICES, SEEN_TOKENS, WEEKLY_KINDS, WEEKLY_TARGETS, EXCLUSIONS];

/// A token whose rows come in.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct SeenToken {
    /// Its id.
    pub id: TokenId,
    /// Its symbol.
    pub symbol: String,
    /// Where to read more.
    pub link: Option<String>,
    /// Whether `all` means it at present.
    #[serde(deserialize_with = "flag")]
    pub in_all: bool,
}

/// What somebody hears of once a week.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WeeklyWishes {
    /// Tokens, or all of them.
    pub targets: BTreeSet<Target>,
    /// Those left out of all.
    pub excluded: BTreeSet<TokenId>,
}

impl Store {
    /// What each of these destinations hears of once a week, of whatever kind.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn weekly_wishes(&self, destinations: &BTreeSet<DestinationId>) -> StoreResult<BTreeMap<DestinationId, WeeklyWishes>> {
        let list = serde_json::to_string(destinations).unwrap_or_default();
        let (targets, exclusions) = (self.words(WEEKLY_TARGETS), self.words(EXCLUSIONS));
        let targets: Vec<(i64, String)> = on_db!(self.db, pool => sqlx::query_as(targets).bind(&list).fetch_all(pool).await)?;
        let excluded: Vec<(i64, i64)> = on_db!(self.db, pool => sqlx::query_as(exclusions).bind(&list).fetch_all(pool).await)?;
        let mut wishes: BTreeMap<DestinationId, WeeklyWishes> = BTreeMap::new();
        for (id, word) in targets {
            let target = Target::parse(&word).ok_or_else(|| StoreError::corrupt("a target", &word))?;
            wishes.entry(DestinationId(id)).or_default().targets.insert(target);
        }
        for (id, token) in excluded {
            wishes.entry(DestinationId(id)).or_default().excluded.insert(TokenId(token));
        }
        Ok(wishes)
    }

    /// The kinds of which anybody hears once a week.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn weekly_kinds(&self) -> StoreResult<BTreeSet<Kind>> {
        let sql = self.words(WEEKLY_KINDS);
        let rows: String = on_db!(self.db, pool => sqlx::query_scalar(sql).fetch_one(pool).await)?;
        Ok(list(&rows)?.into_iter().map(|(kind,): (Kind,)| kind).collect())
    }

    /// The tokens whose calls of a kind ever changed.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn changed_tokens(&self, source: SourceId, kind: Kind) -> StoreResult<Vec<TokenId>> {
        let sql = self.words(CHANGED_TOKENS);
        let rows: String =
            on_db!(self.db, pool => sqlx::query_scalar(sql).bind(source.as_str()).bind(kind.as_str()).fetch_one(pool).await)?;
        let mut tokens: Vec<TokenId> = list(&rows)?.into_iter().map(|(token,): (TokenId,)| token).collect();
        tokens.sort_unstable();
        Ok(tokens)
    }

    /// The prices of tokens between two times each, both included, in no order. One that several windows hold comes several times.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn prices(
        &self,
        source: SourceId,
        kind: Kind,
        windows: &[(TokenId, Timestamp, Timestamp)],
    ) -> StoreResult<Vec<(TokenId, Timestamp, Price)>> {
        let (sql, windows) = (self.words(PRICES), serde_json::to_string(windows).unwrap_or_default());
        let rows: String = on_db!(self.db, pool => sqlx::query_scalar(sql)
            .bind(&windows).bind(source.as_str()).bind(kind.as_str()).fetch_one(pool).await)?;
        let rows: Vec<(TokenId, Timestamp, Option<f64>, Option<f64>)> = list(&rows)?;
        let price =
            |(token, at, close, holding_returns)| Some((token, at, Price::of(&Values { close, holding_returns, ..Values::default() })?));
        Ok(rows.into_iter().filter_map(price).collect())
    }

    /// The tokens of which a row of this kind was seen since then.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn tokens_seen_since(&self, source: SourceId, kind: Kind, since: Timestamp) -> StoreResult<Vec<SeenToken>> {
        let sql = self.words(SEEN_TOKENS);
        let rows: String = on_db!(self.db, pool => sqlx::query_scalar(sql)
            .bind(source.as_str()).bind(kind.as_str()).bind(since.as_millis()).fetch_one(pool).await)?;
        list(&rows)
    }
}
