//! What answers show: the calls as they are now, and how delivery is doing.

use super::{
    Store, StoreError, StoreResult,
    changes::levels,
    dialect::{on_db, per_db},
    token_search::ids_json,
};
use crate::domain::{Kind, Levels, Since, SourceId, Stance, Timestamp, TokenId};
use std::collections::BTreeMap;

const CALLS_SQLITE: &str = "SELECT token_id, stance, since_at, since_exact, data_time, seen_at, trader_grade, levels FROM token_states
    WHERE source = $1 AND kind = $2 AND token_id IN (SELECT value FROM json_each($3))";
const CALLS_POSTGRES: &str = "SELECT token_id, stance, since_at, since_exact, data_time, seen_at, trader_grade, levels FROM token_states
    WHERE source = $1 AND kind = $2 AND token_id = ANY(ARRAY(SELECT CAST(jsonb_array_elements_text(CAST($3 AS jsonb)) AS BIGINT)))";
const DELIVERY: &str = "SELECT (SELECT COUNT(*) FROM messages WHERE state = 'queued') AS queued,
    (SELECT COUNT(*) FROM alerts WHERE state = 'pending') AS held,
    (SELECT COUNT(*) FROM messages WHERE state = 'dead') AS dead,
    (SELECT COUNT(*) FROM destinations WHERE quarantine_reason IS NOT NULL) AS quarantined";

pub(super) const STATEMENTS: &[&str] = &[DELIVERY];
pub(super) const PAIRS: &[(&str, &str)] = &[(CALLS_SQLITE, CALLS_POSTGRES)];

/// The call of one token as it is known now.
#[derive(Clone, Debug, PartialEq)]
pub struct CurrentCall {
    /// The stance; nothing where the token is asked for and no call is known.
    pub stance: Option<Stance>,
    /// Since when.
    pub since: Option<Since>,
    /// The time of the newest row.
    pub data_time: Timestamp,
    /// When a row of it was last seen.
    pub seen_at: Timestamp,
    /// The trader grade of that row, 0 to 100.
    pub trader_grade: Option<f64>,
    /// The price and its levels, where it is about them.
    pub levels: Option<Box<Levels>>,
}

/// How delivery is doing, on all platforms together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeliveryHealth {
    /// Messages that wait.
    pub queued: u64,
    /// Alerts that are not part of a message yet.
    pub held: u64,
    /// Messages that could not be delivered.
    pub dead: u64,
    /// Destinations in quarantine.
    pub quarantined: u64,
}

#[derive(sqlx::FromRow)]
struct CallRow {
    token_id: i64,
    stance: Option<String>,
    since_at: Option<i64>,
    since_exact: bool,
    data_time: i64,
    seen_at: i64,
    trader_grade: Option<f64>,
    levels: Option<String>,
}

impl TryFrom<CallRow> for CurrentCall {
    type Error = StoreError;

    fn try_from(row: CallRow) -> Result<Self, StoreError> {
        let stance = row.stance.map(|word| Stance::parse(&word).ok_or_else(|| StoreError::corrupt("a stance", &word))).transpose()?;
        Ok(Self {
            stance,
            since: row.since_at.map(|at| Since { at: Timestamp::from_millis(at), exact: row.since_exact }),
            data_time: Timestamp::from_millis(row.data_time),
            seen_at: Timestamp::from_millis(row.seen_at),
            trader_grade: row.trader_grade,
            levels: row.levels.as_deref().map(levels).transpose()?.map(Box::new),
        })
    }
}

impl Store {
    /// The calls of these tokens, of those that were ever asked for.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn current_calls(&self, source: SourceId, kind: Kind, tokens: &[TokenId]) -> StoreResult<BTreeMap<TokenId, CurrentCall>> {
        let sql = per_db!(self.db, sqlite: CALLS_SQLITE, postgres: CALLS_POSTGRES);
        let rows: Vec<CallRow> = on_db!(self.db, pool => sqlx::query_as(sql)
            .bind(source.as_str()).bind(kind.as_str()).bind(ids_json(tokens)).fetch_all(pool).await)?;
        rows.into_iter().map(|row| Ok((TokenId(row.token_id), CurrentCall::try_from(row)?))).collect()
    }

    /// How delivery is doing.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn delivery_health(&self) -> StoreResult<DeliveryHealth> {
        let (queued, held, dead, quarantined): (i64, i64, i64, i64) =
            on_db!(self.db, pool => sqlx::query_as(DELIVERY).fetch_one(pool).await)?;
        let count = |n: i64| u64::try_from(n).unwrap_or_default();
        Ok(DeliveryHealth { queued: count(queued), held: count(held), dead: count(dead), quarantined: count(quarantined) })
    }
}
