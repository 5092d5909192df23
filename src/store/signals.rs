//! Token states, raw rows and changes: what one poll knew and what it left behind, written as one act.

use super::{
    Store, StoreError, StoreResult,
    dialect::{flag, in_transaction, json_list, list, on_db, per_db},
};
use crate::domain::{
    Cadence, Change, ChangeId, Kind, Nature, Observation, Since, SourceId, Stance, Timestamp, TokenId, TokenState, Unconfirmed,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

const VERSION: &str = "SELECT version, unconfirmed FROM feeds WHERE source = $1 AND feed = $2";
const STATES: (&str, &str) = json_list!(
    sqlite: "token_id, stance, since_at, since_exact, data_time, settled, corrected, stored_at, seen_at, asked_at,
        CASE WHEN trader_grade IS NOT NULL THEN printf('%!.17g', trader_grade) END, pending, passed, scores, levels, fingerprint",
    postgres: "token_id, stance, since_at, since_exact, data_time, settled, corrected, stored_at, seen_at, asked_at,
        CAST(trader_grade AS TEXT), pending, passed, scores, levels, fingerprint",
    "FROM token_states WHERE source = $1 AND kind = $2"
);
const ENSURE_FEED: &str = "INSERT INTO feeds (source, feed, version, cadence, tokens, failures, stopped)
    VALUES ($1, $2, 0, $3, 0, 0, FALSE) ON CONFLICT (source, feed) DO NOTHING";
/// With when the poll began, where its slot needs no other: whoever goes on after a death of this moment does not make it again.
const NEXT_VERSION: &str = "UPDATE feeds SET version = version + 1, unconfirmed = $4, last_poll_at = COALESCE($5, last_poll_at),
        failures = CASE WHEN CAST($5 AS BIGINT) IS NULL THEN failures ELSE 0 END
    WHERE source = $1 AND feed = $2 AND version = $3";
const INSERT_POLL: &str = "INSERT INTO polls (source, feed, started_at, finished_at, outcome, asked, taken, set_aside, complete)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) RETURNING id";
/// What waits for polls is looked at again after each of them. The index holds nothing else.
const LOOK_AGAIN_AT_TURNS: &str = "UPDATE alerts SET release_at = $3 WHERE state = 'pending' AND reason = 'more_polls'
    AND EXISTS (SELECT 1 FROM changes c WHERE c.id = alerts.change_id AND c.source = $1 AND c.kind = $2)";
const FAN_OUT: &str = "INSERT INTO fanout_jobs (change_id, after_destination, created_at)
    SELECT id, 0, $3 FROM changes WHERE poll_id = $1 AND id >= $2 AND timing <> 'history'";

/// The bulk statements, once for each database: they differ in how a JSON text becomes rows, and in nothing else.
macro_rules! bulk {
    ($name:ident: $head:literal, sqlite: $sqlite:literal, postgres: $postgres:literal, $tail:literal) => {
        const $name: (&str, &str) = (concat!($head, $sqlite, $tail), concat!($head, $postgres, $tail));
    };
}

// `WHERE TRUE` keeps SQLite from reading ON CONFLICT as a join's ON.
bulk!(UPSERT_STATES: "INSERT INTO token_states (source, kind, token_id, stance, since_at, since_exact, data_time, settled, corrected, stored_at,
    seen_at, asked_at, trader_grade, pending, passed, scores, levels, fingerprint) SELECT $1, $2, ",
    sqlite: "value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7, value ->> 8, value ->> 9,
    value ->> 10, value ->> 11, value ->> 12, value ->> 13, value ->> 14, value ->> 15 FROM json_each($3)",
    postgres: "CAST(value ->> 0 AS BIGINT), value ->> 1, CAST(value ->> 2 AS BIGINT), CAST(value ->> 3 AS BOOLEAN), CAST(value ->> 4 AS BIGINT),
    CAST(value ->> 5 AS BOOLEAN), CAST(value ->> 6 AS BOOLEAN), CAST(value ->> 7 AS BIGINT), CAST(value ->> 8 AS BIGINT),
    CAST(value ->> 9 AS BIGINT), CAST(value ->> 10 AS DOUBLE PRECISION), value ->> 11, value ->> 12, value ->> 13, value ->> 14, CAST(value ->> 15 AS BIGINT)
    FROM jsonb_array_elements(CAST($3 AS JSONB))",
    " WHERE TRUE ON CONFLICT (source, kind, token_id) DO UPDATE SET stance = excluded.stance, since_at = excluded.since_at,
    since_exact = excluded.since_exact, data_time = excluded.data_time, settled = excluded.settled, corrected = excluded.corrected,
    stored_at = excluded.stored_at, seen_at = excluded.seen_at, asked_at = excluded.asked_at, trader_grade = excluded.trader_grade,
    pending = excluded.pending, passed = excluded.passed, scores = excluded.scores, levels = excluded.levels, fingerprint = excluded.fingerprint");

bulk!(UPSERT_OBSERVATIONS: "INSERT INTO observations (source, kind, observed_at, token_id, data_time, stance, signal, trend, position, row_values)
    SELECT $1, $2, $3, ",
    sqlite: "value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6 FROM json_each($4)",
    postgres: "CAST(value ->> 0 AS BIGINT), CAST(value ->> 1 AS BIGINT), value ->> 2, CAST(value ->> 3 AS DOUBLE PRECISION),
    CAST(value ->> 4 AS DOUBLE PRECISION), CAST(value ->> 5 AS DOUBLE PRECISION), value ->> 6 FROM jsonb_array_elements(CAST($4 AS JSONB))",
    " WHERE TRUE ON CONFLICT (source, kind, token_id, data_time) DO UPDATE SET stance = excluded.stance, signal = excluded.signal,
    trend = excluded.trend, position = excluded.position, row_values = excluded.row_values, observed_at = excluded.observed_at
    WHERE observations.row_values <> excluded.row_values OR observations.stance IS DISTINCT FROM excluded.stance
    OR observations.signal IS DISTINCT FROM excluded.signal OR observations.trend IS DISTINCT FROM excluded.trend
    OR observations.position IS DISTINCT FROM excluded.position");

// What a correction supersedes is the last change that the same row made.
bulk!(INSERT_CHANGES: "INSERT INTO changes (source, kind, poll_id, detected_at, token_id, from_stance, to_stance, since_at, since_exact, data_time,
    nature, stored_at, timing, after_gap, trader_grade, mover, crossing, supersedes) SELECT $1, $2, $3, $4, token_id, from_stance, to_stance, since_at,
    since_exact, data_time, nature, stored_at, timing, after_gap, trader_grade, mover, crossing, CASE WHEN nature = 'correction' THEN (SELECT MAX(old.id)
    FROM changes old WHERE old.source = $1 AND old.kind = $2 AND old.token_id = new.token_id AND old.data_time = new.data_time) END FROM (SELECT ",
    sqlite: "key AS place, value ->> 0 AS token_id, value ->> 1 AS from_stance, value ->> 2 AS to_stance, value ->> 3 AS since_at,
    value ->> 4 AS since_exact, value ->> 5 AS data_time, value ->> 6 AS nature, value ->> 7 AS stored_at, value ->> 8 AS timing,
    value ->> 9 AS after_gap, value ->> 10 AS trader_grade, value ->> 11 AS mover, value ->> 12 AS crossing FROM json_each($5)",
    postgres: "place, CAST(value ->> 0 AS BIGINT) AS token_id, value ->> 1 AS from_stance, value ->> 2 AS to_stance,
    CAST(value ->> 3 AS BIGINT) AS since_at, CAST(value ->> 4 AS BOOLEAN) AS since_exact, CAST(value ->> 5 AS BIGINT) AS data_time,
    value ->> 6 AS nature, CAST(value ->> 7 AS BIGINT) AS stored_at, value ->> 8 AS timing, CAST(value ->> 9 AS BOOLEAN) AS after_gap,
    CAST(value ->> 10 AS DOUBLE PRECISION) AS trader_grade, value ->> 11 AS mover, value ->> 12 AS crossing FROM jsonb_array_elements(CAST($5 AS JSONB)) WITH ORDINALITY AS list (value, place)",
    ") AS new ORDER BY place RETURNING id, token_id, data_time, to_stance");

bulk!(MARK_SEEN: "UPDATE token_states SET seen_at = $3, asked_at = $3 WHERE source = $1 AND kind = $2 AND token_id IN (SELECT ",
    sqlite: "value FROM json_each($4)", postgres: "CAST(value AS BIGINT) FROM jsonb_array_elements_text(CAST($4 AS JSONB))", ")");
bulk!(MARK_ASKED: "UPDATE token_states SET asked_at = $3 WHERE source = $1 AND kind = $2 AND token_id IN (SELECT ",
    sqlite: "value FROM json_each($4)", postgres: "CAST(value AS BIGINT) FROM jsonb_array_elements_text(CAST($4 AS JSONB))", ")");

pub(super) const STATEMENTS: &[&str] = &[VERSION, ENSURE_FEED, NEXT_VERSION, INSERT_POLL, LOOK_AGAIN_AT_TURNS, FAN_OUT];
pub(super) const PAIRS: &[(&str, &str)] = &[STATES, UPSERT_STATES, UPSERT_OBSERVATIONS, INSERT_CHANGES, MARK_SEEN, MARK_ASKED];

/// The states of one feed, and the version they are of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KnownStates {
    /// What a write that was computed from them must name.
    pub version: i64,
    /// By token.
    pub states: BTreeMap<TokenId, TokenState>,
    /// Turns that wait for a second answer.
    pub unconfirmed: Option<Unconfirmed>,
}

/// What one poll leaves behind.
#[derive(Clone, Copy, Debug)]
pub struct PollResult<'a> {
    /// Where it was polled.
    pub source: SourceId,
    /// Which feed.
    pub kind: Kind,
    /// When it began.
    pub started_at: Timestamp,
    /// How it ended, in one word.
    pub outcome: &'static str,
    /// Whether its slot needs no other poll: it did not fail, and nothing waits for a second answer.
    pub settles: bool,
    /// Whether every page arrived.
    pub complete: bool,
    /// How many tokens were asked for.
    pub asked: usize,
    /// How many rows were not taken.
    pub set_aside: usize,
    /// States that are new or changed.
    pub states: &'a [TokenState],
    /// How many rows were compared.
    pub taken: usize,
    /// Rows for history, with the call that each makes; those that are stored already as they are are not written again.
    pub observations: &'a [(Observation, Option<Stance>)],
    /// Changes, in order of time; at most one for each token, time and stance.
    pub changes: &'a [Change],
    /// Tokens whose rows were seen.
    pub seen: &'a [TokenId],
    /// Tokens that were asked for without a row.
    pub absent: &'a [TokenId],
    /// Turns that wait for a second answer from now on.
    pub unconfirmed: Option<&'a Unconfirmed>,
}

/// What became of a write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Applied {
    /// Everything is stored; the changes' ids, in their order.
    Stored(Vec<ChangeId>),
    /// The states are no longer those it was computed from: nothing is stored.
    Conflict,
}

#[derive(Deserialize)]
struct StateRow {
    token_id: i64,
    stance: Option<String>,
    since_at: Option<i64>,
    #[serde(deserialize_with = "flag")]
    since_exact: bool,
    data_time: i64,
    #[serde(deserialize_with = "flag")]
    settled: bool,
    #[serde(deserialize_with = "flag")]
    corrected: bool,
    stored_at: i64,
    seen_at: i64,
    asked_at: i64,
    trader_grade: Option<String>,
    pending: Option<String>,
    passed: Option<String>,
    scores: Option<String>,
    levels: Option<String>,
    fingerprint: Option<i64>,
}

impl TryFrom<StateRow> for TokenState {
    type Error = StoreError;

    fn try_from(row: StateRow) -> Result<Self, StoreError> {
        let stance = |word: Option<String>| word.as_deref().map(super::changes::stance).transpose();
        let scores = row.scores.map(|json| serde_json::from_str(&json).map_err(|_| StoreError::corrupt("scores", &json))).transpose()?;
        let passed = row.passed.map(|json| serde_json::from_str(&json).map_err(|_| StoreError::corrupt("passed thresholds", &json)));
        let levels = row.levels.map(|json| super::changes::levels(&json)).transpose()?;
        let trader_grade = row.trader_grade.map(|text| text.parse().map_err(|_| StoreError::corrupt("a grade", &text))).transpose()?;
        Ok(Self {
            token: TokenId(row.token_id),
            stance: stance(row.stance)?,
            since: row.since_at.map(|at| Since { at: Timestamp::from_millis(at), exact: row.since_exact }),
            data_time: Timestamp::from_millis(row.data_time),
            settled: row.settled,
            corrected: row.corrected,
            stored_at: Timestamp::from_millis(row.stored_at),
            seen_at: Timestamp::from_millis(row.seen_at),
            asked_at: Timestamp::from_millis(row.asked_at),
            trader_grade,
            pending: stance(row.pending)?,
            passed: passed.transpose()?.unwrap_or_default(),
            scores,
            levels: levels.map(Box::new),
            fingerprint: row.fingerprint,
        })
    }
}

impl Store {
    /// The states of every token of a feed that was ever seen.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn token_states(&self, source: SourceId, kind: Kind) -> StoreResult<KnownStates> {
        // The version first: states that are newer than it meet a conflict, never the other way round.
        let feed: Option<(i64, Option<String>)> = on_db!(self.db, pool => sqlx::query_as(VERSION)
            .bind(source.as_str()).bind(kind.as_str()).fetch_optional(pool).await)?;
        let (version, unconfirmed) = feed.unwrap_or_default();
        let unconfirmed = unconfirmed.map(|json| serde_json::from_str(&json).map_err(|_| StoreError::corrupt("turns that wait", &json)));
        let sql = self.words(STATES);
        let rows: String = on_db!(self.db, pool => sqlx::query_scalar(sql)
            .bind(source.as_str()).bind(kind.as_str()).fetch_one(pool).await)?;
        let states: StoreResult<Vec<TokenState>> = list(&rows)?.into_iter().map(|row: StateRow| TokenState::try_from(row)).collect();
        let states = states?.into_iter().map(|state| (state.token, state)).collect();
        Ok(KnownStates { version, states, unconfirmed: unconfirmed.transpose()? })
    }

    /// Stores what a poll left behind, all or nothing, unless the states have moved on since `version`.
    ///
    /// # Errors
    /// Where the database fails: nothing is stored.
    pub async fn store_poll(&self, result: &PollResult<'_>, version: i64, now: Timestamp) -> StoreResult<Applied> {
        let (source, feed, at) = (result.source.as_str(), result.kind.as_str(), now.as_millis());
        let bulk = Bulk::of(result);
        let sql = |pair: (&'static str, &'static str)| per_db!(self.db, sqlite: pair.0, postgres: pair.1);
        let stored: Option<Vec<InsertedChange>> = in_transaction!(self.db, tx => {
            sqlx::query(ENSURE_FEED).bind(source).bind(feed).bind(&bulk.cadence).execute(&mut *tx).await?;
            let turned = sqlx::query(NEXT_VERSION).bind(source).bind(feed).bind(version).bind(&bulk.unconfirmed)
                .bind(result.settles.then_some(result.started_at.as_millis())).execute(&mut *tx).await?;
            if turned.rows_affected() == 0 {
                return Ok(None);
            }
            let poll: i64 = sqlx::query_scalar(INSERT_POLL).bind(source).bind(feed).bind(result.started_at.as_millis()).bind(at)
                .bind(result.outcome).bind(count(result.asked)).bind(count(result.taken)).bind(count(result.set_aside))
                .bind(result.complete).fetch_one(&mut *tx).await?;
            if result.complete {
                sqlx::query(LOOK_AGAIN_AT_TURNS).bind(source).bind(feed).bind(at).execute(&mut *tx).await?;
            }
            if let Some(states) = &bulk.states {
                sqlx::query(sql(UPSERT_STATES)).bind(source).bind(feed).bind(states).execute(&mut *tx).await?;
            }
            if let Some(rows) = &bulk.observations {
                sqlx::query(sql(UPSERT_OBSERVATIONS)).bind(source).bind(feed).bind(at).bind(rows).execute(&mut *tx).await?;
            }
            if let Some(seen) = &bulk.seen {
                sqlx::query(sql(MARK_SEEN)).bind(source).bind(feed).bind(at).bind(seen).execute(&mut *tx).await?;
            }
            if let Some(absent) = &bulk.absent {
                sqlx::query(sql(MARK_ASKED)).bind(source).bind(feed).bind(at).bind(absent).execute(&mut *tx).await?;
            }
            let mut ids = Vec::new();
            if let Some(changes) = &bulk.changes {
                ids = sqlx::query_as(sql(INSERT_CHANGES)).bind(source).bind(feed).bind(poll).bind(at).bind(changes)
                    .fetch_all(&mut *tx).await?;
                let first = ids.iter().map(|row: &InsertedChange| row.0).min();
                sqlx::query(FAN_OUT).bind(poll).bind(first).bind(at).execute(&mut *tx).await?;
            }
            Some(ids)
        })?;
        Ok(stored.map_or(Applied::Conflict, |rows| Applied::Stored(in_order(result.changes, &rows))))
    }
}

/// The id of a change that was stored, and what tells it from the others of its poll: token, data time and stance.
type InsertedChange = (i64, i64, i64, String);

/// The ids in the order of the changes: `RETURNING` gives them in none.
fn in_order(changes: &[Change], rows: &[InsertedChange]) -> Vec<ChangeId> {
    let ids: BTreeMap<_, i64> = rows.iter().map(|(id, token, data_time, to)| ((*token, *data_time, to.as_str()), *id)).collect();
    let id_of =
        |change: &Change| ids.get(&(change.token.0, change.data_time.as_millis(), change.to.to_string().as_str())).copied().map(ChangeId);
    changes.iter().filter_map(id_of).collect()
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Rows as one JSON text for each statement; nothing where there are none.
struct Bulk {
    cadence: String,
    states: Option<String>,
    observations: Option<String>,
    changes: Option<String>,
    seen: Option<String>,
    absent: Option<String>,
    unconfirmed: Option<String>,
}

impl Bulk {
    fn of(result: &PollResult<'_>) -> Self {
        Self {
            cadence: serde_json::to_string(&Cadence::Idle).unwrap_or_default(),
            states: json(result.states, |state| {
                let since = (state.since.map(|since| since.at), state.since.is_some_and(|since| since.exact));
                let times = (state.stored_at, state.seen_at, state.asked_at);
                (
                    state.token,
                    state.stance,
                    since.0,
                    since.1,
                    state.data_time,
                    state.settled,
                    state.corrected,
                    times.0,
                    times.1,
                    times.2,
                    state.trader_grade,
                    state.pending,
                    (!state.passed.is_empty()).then(|| as_text(&state.passed)),
                    state.scores.map(|scores| as_text(&scores)),
                    state.levels.as_ref().map(as_text),
                    state.fingerprint,
                )
            }),
            observations: json(result.observations, |(row, stance)| {
                let values = serde_json::to_string(&row.values).unwrap_or_default();
                (row.token, row.data_time, *stance, row.signal, row.trend, row.position, values)
            }),
            changes: json(result.changes, |change| {
                let stored_at = match change.nature {
                    Nature::Correction { stored_at: at } | Nature::Crossed { drawn_since: Some(at) } => Some(at),
                    Nature::Turned | Nature::Crossed { drawn_since: None } => None,
                };
                (
                    change.token,
                    change.from,
                    change.to,
                    change.since.map(|since| since.at),
                    change.since.is_some_and(|since| since.exact),
                    change.data_time,
                    change.nature.as_str(),
                    stored_at,
                    change.timing.as_str(),
                    change.after_gap,
                    change.trader_grade,
                    change.mover.map(|mover| as_text(&mover)),
                    change.crossing.as_ref().map(as_text),
                )
            }),
            seen: json(result.seen, |token| *token),
            absent: json(result.absent, |token| *token),
            unconfirmed: result.unconfirmed.map(|turns| serde_json::to_string(turns).unwrap_or_default()),
        }
    }
}

fn as_text(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn json<T, R: Serialize>(rows: &[T], as_row: impl Fn(&T) -> R) -> Option<String> {
    let rows: Vec<R> = rows.iter().map(as_row).collect();
    if rows.is_empty() { None } else { Some(serde_json::to_string(&rows).unwrap_or_default()) }
}
