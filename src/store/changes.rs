//! Changes as they are stored, with what the directory says of their token.

use super::{
    Store, StoreError, StoreResult,
    dialect::{on_db, over_rows},
};
use crate::domain::{Change, ChangeId, Kind, Levels, Nature, Since, SourceId, Stance, Timestamp, Timing, TokenId};

macro_rules! change_columns {
    () => {
        "c.id, c.source, c.kind, c.token_id, c.from_stance, c.to_stance, c.since_at, c.since_exact, c.data_time, c.detected_at, c.nature,
         c.stored_at, c.supersedes, c.timing, c.after_gap, c.trader_grade, c.mover, c.crossing, t.symbol, t.market_rank, t.link, t.in_all"
    };
}
pub(super) use change_columns;

const SINCE: (&str, &str) = over_rows!(
    concat!(
        "SELECT ",
        change_columns!(),
        " FROM changes c LEFT JOIN tokens t ON t.source = c.source AND t.token_id = c.token_id
         WHERE c.source = $2 AND c.kind = $3 AND c.data_time >= $4 AND (c.nature <> 'crossed' OR c.kind = 'levels')
            AND c.token_id IN (SELECT CAST(CAST(r.value AS TEXT) AS BIGINT) FROM"
    ),
    ") ORDER BY c.data_time DESC, c.id DESC LIMIT $5"
);

pub(super) const PAIRS: &[(&str, &str)] = &[SINCE];

/// A change with what is needed to tell of it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredChange {
    /// Its row.
    pub id: ChangeId,
    /// What happened.
    pub change: Change,
    /// A correction: the change that was wrong, if that was one.
    pub supersedes: Option<ChangeId>,
    /// The token's symbol; its id where the directory does not know it.
    pub symbol: String,
    /// The token's rank by market cap, where it has one.
    pub rank: Option<u32>,
    /// Where to read more.
    pub link: Option<String>,
    /// Whether `all` means the token at present.
    pub in_all: bool,
}

#[derive(sqlx::FromRow)]
pub(super) struct ChangeRow {
    id: i64,
    source: String,
    kind: String,
    token_id: i64,
    from_stance: Option<String>,
    to_stance: String,
    since_at: Option<i64>,
    since_exact: bool,
    data_time: i64,
    detected_at: i64,
    nature: String,
    stored_at: Option<i64>,
    supersedes: Option<i64>,
    timing: String,
    after_gap: bool,
    trader_grade: Option<f64>,
    mover: Option<String>,
    crossing: Option<String>,
    symbol: Option<String>,
    market_rank: Option<i64>,
    link: Option<String>,
    in_all: Option<bool>,
}

pub(super) fn stance(word: &str) -> StoreResult<Stance> {
    Stance::parse(word).ok_or_else(|| StoreError::corrupt("a stance", word))
}

pub(super) fn levels(json: &str) -> StoreResult<Levels> {
    serde_json::from_str(json).map_err(|_| StoreError::corrupt("levels", json))
}

pub(super) fn kind(word: &str) -> StoreResult<Kind> {
    Kind::parse(word).ok_or_else(|| StoreError::corrupt("a kind", word))
}

impl TryFrom<ChangeRow> for StoredChange {
    type Error = StoreError;

    fn try_from(row: ChangeRow) -> Result<Self, StoreError> {
        let source = match row.source.as_str() {
            name if name == SourceId::TokenMetrics.as_str() => SourceId::TokenMetrics,
            other => return Err(StoreError::corrupt("a source", other)),
        };
        let nature = match (row.nature.as_str(), row.stored_at) {
            ("correction", Some(stored_at)) => Nature::Correction { stored_at: Timestamp::from_millis(stored_at) },
            ("turned", _) => Nature::Turned,
            ("crossed", drawn_since) => Nature::Crossed { drawn_since: drawn_since.map(Timestamp::from_millis) },
            (other, _) => return Err(StoreError::corrupt("a change's nature", other)),
        };
        let mover = row.mover.map(|json| serde_json::from_str(&json).map_err(|_| StoreError::corrupt("what moved", &json))).transpose()?;
        let crossing = row.crossing.map(|json| serde_json::from_str(&json).map_err(|_| StoreError::corrupt("crossed levels", &json)));
        let timing = [Timing::Fresh, Timing::Late, Timing::History].into_iter().find(|timing| timing.as_str() == row.timing);
        let change = Change {
            source,
            kind: kind(&row.kind)?,
            token: TokenId(row.token_id),
            from: row.from_stance.as_deref().map(stance).transpose()?,
            since: row.since_at.map(|at| Since { at: Timestamp::from_millis(at), exact: row.since_exact }),
            to: stance(&row.to_stance)?,
            data_time: Timestamp::from_millis(row.data_time),
            detected_at: Timestamp::from_millis(row.detected_at),
            nature,
            timing: timing.ok_or_else(|| StoreError::corrupt("a change's timing", &row.timing))?,
            after_gap: row.after_gap,
            trader_grade: row.trader_grade,
            mover,
            crossing: crossing.transpose()?,
        };
        Ok(Self {
            id: ChangeId(row.id),
            change,
            supersedes: row.supersedes.map(ChangeId),
            symbol: row.symbol.unwrap_or_else(|| format!("#{}", row.token_id)),
            rank: row.market_rank.and_then(|rank| u32::try_from(rank).ok()),
            link: row.link,
            in_all: row.in_all.unwrap_or(false),
        })
    }
}

impl Store {
    /// The newest changes of these tokens, the oldest of them first.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn changes_since(
        &self,
        source: SourceId,
        kind: Kind,
        tokens: &[TokenId],
        since: Timestamp,
        most: u32,
    ) -> StoreResult<Vec<StoredChange>> {
        let tokens: Vec<i64> = tokens.iter().map(|token| token.0).collect();
        let (tokens, sql) = (serde_json::Value::from(tokens).to_string(), self.words(SINCE));
        let rows: Vec<ChangeRow> = on_db!(self.db, pool => sqlx::query_as(sql)
            .bind(&tokens)
            .bind(source.as_str())
            .bind(kind.as_str())
            .bind(since.as_millis())
            .bind(i64::from(most))
            .fetch_all(pool).await)?;
        rows.into_iter().rev().map(StoredChange::try_from).collect()
    }
}
