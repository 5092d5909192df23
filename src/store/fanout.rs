//! Fan-out: who is concerned by a change, in chunks by destination, and the alerts that come of it.

use super::{
    Store, StoreError, StoreResult,
    changes::{StoredChange, stance},
    dialect::{flag, in_transaction, json_list, list, on_db},
    thresholds::drawn,
};
use crate::domain::{
    AlertState, Candidate, ChangeId, Delivery, DestinationId, Direction, Lane, Mutes, Reason, Settings, Target, Timestamp, TokenId, Told,
    Wish,
};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

const NEXT_JOB: &str = "SELECT change_id, after_destination FROM fanout_jobs ORDER BY change_id LIMIT 1";
const CANDIDATES: (&str, &str) = json_list!(
    "c.destination_id, c.target, c.direction, c.delivery, c.mention, c.created_at, c.threshold, c.threshold_at, c.settings, c.muted_until, c.token_muted_until, c.quarantined, c.stance,
     c.known_at, c.told_at, c.unstable, c.excluded",
    "FROM (SELECT s.destination_id, s.target, s.direction, s.delivery, s.mention, s.created_at, s.threshold, s.threshold_at, d.settings, d.muted_until,
        m.muted_until AS token_muted_until, d.quarantine_reason IS NOT NULL AS quarantined, k.stance, k.known_at, k.told_at,
        COALESCE(k.unstable, FALSE) AS unstable,
        EXISTS (SELECT 1 FROM exclusions e WHERE e.destination_id = s.destination_id AND e.source = s.source AND e.kind = s.kind
            AND e.token_id = $6) AS excluded
    FROM subscriptions s
    JOIN destinations d ON d.id = s.destination_id
    LEFT JOIN told k ON k.destination_id = s.destination_id AND k.source = s.source AND k.kind = s.kind AND k.token_id = $6
    LEFT JOIN token_mutes m ON m.destination_id = s.destination_id AND m.source = s.source AND m.token_id = $6
    WHERE s.source = $1 AND s.kind = $2 AND s.target = $3 AND s.destination_id > $4
    ORDER BY s.destination_id LIMIT $5) AS c"
);
/// What was told of an unstable call waits to be told again, as settled: that is not taken back.
const PENDING_OF_CHANGE: &str = "SELECT destination_id FROM alerts WHERE change_id = $1 AND state = 'pending' AND told_at IS NULL
        AND destination_id > $2 AND destination_id <= $3";
const SUPERSEDE: &str = "UPDATE alerts SET state = 'superseded', reason = 'superseded'
    WHERE change_id = $1 AND state = 'pending' AND told_at IS NULL AND destination_id > $2 AND destination_id <= $3";
/// What had turned back before it was told is looked at again where one of its turns was wrong.
const RELEASE_NET_ZERO: &str = "UPDATE alerts SET release_at = $4
    WHERE state = 'pending' AND reason = 'net_zero' AND destination_id > $2 AND destination_id <= $3 AND change_id IN (SELECT c.id
        FROM changes c JOIN changes w ON w.source = c.source AND w.kind = c.kind AND w.token_id = c.token_id WHERE w.id = $1)";
/// A row for each way to decide, with all its destinations: thousands share a handful of decisions, and each is read once.
const INSERT_ALERTS: (&str, &str) = (
    "INSERT INTO alerts (change_id, destination_id, decision, reason, lane, release_at, state, created_at)
     WITH decided AS MATERIALIZED (SELECT value ->> 0 AS decision, value ->> 1 AS reason, value ->> 2 AS lane, value ->> 3 AS release_at,
        value ->> 4 AS state, value ->> 5 AS destinations FROM json_each($1))
     SELECT $2, r.value, d.decision, d.reason, d.lane, d.release_at, d.state, $3 FROM decided d, json_each(d.destinations) AS r
     WHERE TRUE ON CONFLICT (change_id, destination_id) DO NOTHING",
    "INSERT INTO alerts (change_id, destination_id, decision, reason, lane, release_at, state, created_at)
     WITH decided AS MATERIALIZED (SELECT value ->> 0 AS decision, value ->> 1 AS reason, CAST(value ->> 2 AS BIGINT) AS lane,
        CAST(value ->> 3 AS BIGINT) AS release_at, value ->> 4 AS state, value -> 5 AS destinations
        FROM json_array_elements(CAST(CAST($1 AS TEXT) AS JSON)))
     SELECT CAST($2 AS BIGINT), CAST(r.value AS BIGINT), d.decision, d.reason, d.lane, d.release_at, d.state, CAST($3 AS BIGINT)
     FROM decided d, json_array_elements_text(d.destinations) AS r
     WHERE TRUE ON CONFLICT (change_id, destination_id) DO NOTHING",
);
const MOVE_CURSOR: &str = "UPDATE fanout_jobs SET after_destination = $3 WHERE change_id = $1 AND after_destination = $2";
const FINISH_JOB: &str = "DELETE FROM fanout_jobs WHERE change_id = $1 AND after_destination = $2";

pub(super) const STATEMENTS: &[&str] = &[NEXT_JOB, PENDING_OF_CHANGE, SUPERSEDE, RELEASE_NET_ZERO, MOVE_CURSOR, FINISH_JOB];
pub(super) const PAIRS: &[(&str, &str)] = &[CANDIDATES, INSERT_ALERTS];

/// A change whose subscribers have not all been looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FanoutJob {
    /// Which change.
    pub change: ChangeId,
    /// Every destination up to this one is done.
    pub after: DestinationId,
}

/// Some of those who may want to hear of a change.
#[derive(Clone, Debug)]
pub struct Candidates {
    /// What decides about each.
    pub by_destination: BTreeMap<DestinationId, Candidate>,
    /// Up to whom these are all; nothing where there is nobody beyond them.
    pub upto: Option<DestinationId>,
}

/// An alert as fan-out decided it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewAlert {
    /// Who is told.
    pub destination: DestinationId,
    /// `send`, `hold` or `skip`.
    pub decision: &'static str,
    /// Why.
    pub reason: Reason,
    /// How urgent.
    pub lane: Lane,
    /// When it may be composed.
    pub release_at: Timestamp,
    /// Pending, or skipped at once.
    pub state: AlertState,
}

#[derive(Deserialize)]
struct CandidateRow {
    destination_id: i64,
    target: String,
    direction: String,
    delivery: String,
    mention: Option<String>,
    created_at: i64,
    threshold: Option<String>,
    threshold_at: Option<i64>,
    settings: String,
    muted_until: Option<i64>,
    token_muted_until: Option<i64>,
    #[serde(deserialize_with = "flag")]
    quarantined: bool,
    stance: Option<String>,
    known_at: Option<i64>,
    told_at: Option<i64>,
    #[serde(deserialize_with = "flag")]
    unstable: bool,
    #[serde(deserialize_with = "flag")]
    excluded: bool,
}

impl CandidateRow {
    fn wish(&self) -> StoreResult<Wish> {
        let threshold = drawn(self.threshold.as_deref(), self.threshold_at, self.created_at)?;
        Ok(Wish { threshold, ..wish(&self.target, &self.direction, &self.delivery, self.mention.clone(), self.created_at)? })
    }

    fn candidate(&self, token: TokenId) -> StoreResult<Candidate> {
        let token_mute = self.token_muted_until.map(|until| (token, Timestamp::from_millis(until)));
        let told = match (&self.stance, self.known_at) {
            (Some(word), Some(known_at)) => Some(Told {
                stance: stance(word)?,
                known_at: Timestamp::from_millis(known_at),
                told_at: self.told_at.map(Timestamp::from_millis),
                unstable: self.unstable,
            }),
            _ => None,
        };
        Ok(Candidate {
            wishes: Vec::new(),
            excluded: self.excluded,
            settings: settings(&self.settings)?,
            mutes: Mutes { all: self.muted_until.map(Timestamp::from_millis), tokens: token_mute.into_iter().collect() },
            quarantined: self.quarantined,
            told,
        })
    }
}

pub(super) fn wish(target: &str, direction: &str, delivery: &str, mention: Option<String>, created_at: i64) -> StoreResult<Wish> {
    Ok(Wish {
        target: Target::parse(target).ok_or_else(|| StoreError::corrupt("a target", target))?,
        direction: Direction::parse(direction).ok_or_else(|| StoreError::corrupt("a direction", direction))?,
        delivery: Delivery::parse(delivery).ok_or_else(|| StoreError::corrupt("a delivery", delivery))?,
        mention,
        created_at: Timestamp::from_millis(created_at),
        threshold: None,
    })
}

pub(super) fn settings(json: &str) -> StoreResult<Settings> {
    serde_json::from_str(json).map_err(|_| StoreError::corrupt("settings", json))
}

impl Store {
    /// The oldest change that is not fanned out yet.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn next_fanout_job(&self) -> StoreResult<Option<FanoutJob>> {
        let row: Option<(i64, i64)> = on_db!(self.db, pool => sqlx::query_as(NEXT_JOB).fetch_optional(pool).await)?;
        Ok(row.map(|(change, after)| FanoutJob { change: ChangeId(change), after: DestinationId(after) }))
    }

    /// The next destinations with a wish about the token of a change, in order, about `limit` of them.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn candidates(&self, change: &StoredChange, after: DestinationId, limit: i64) -> StoreResult<Candidates> {
        let token = Target::Token(change.change.token);
        let own = self.candidate_rows(change, token, after, limit).await?;
        let all = if change.in_all { self.candidate_rows(change, Target::All, after, limit).await? } else { Vec::new() };
        // Where a list was cut off, nothing is known of the destinations beyond its end.
        let full = |rows: &[CandidateRow]| rows.len() as i64 >= limit;
        let known_to =
            [&own, &all].into_iter().filter(|rows| full(rows)).filter_map(|rows| rows.iter().map(|row| row.destination_id).max()).min();
        let mut by_destination = BTreeMap::new();
        for row in own.iter().chain(&all).filter(|row| known_to.is_none_or(|end| row.destination_id <= end)) {
            let candidate = match by_destination.entry(DestinationId(row.destination_id)) {
                std::collections::btree_map::Entry::Occupied(entry) => entry.into_mut(),
                std::collections::btree_map::Entry::Vacant(entry) => entry.insert(row.candidate(change.change.token)?),
            };
            candidate.wishes.push(row.wish()?);
        }
        Ok(Candidates { by_destination, upto: known_to.map(DestinationId) })
    }

    async fn candidate_rows(
        &self,
        change: &StoredChange,
        target: Target,
        after: DestinationId,
        limit: i64,
    ) -> StoreResult<Vec<CandidateRow>> {
        let (change, sql) = (&change.change, self.words(CANDIDATES));
        let rows: String = on_db!(self.db, pool => sqlx::query_scalar(sql)
            .bind(change.source.as_str())
            .bind(change.kind.as_str())
            .bind(target.to_string())
            .bind(after.0)
            .bind(limit)
            .bind(change.token.0)
            .fetch_one(pool).await)?;
        list(&rows)
    }

    /// Writes one chunk of alerts and moves the job's cursor from `after` to `upto`, in one transaction; with no `upto` the job is done.
    ///
    /// Where the change corrects one whose alert is still pending, that alert is cancelled and the new one skipped (`rules.md` 2.9).
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where the cursor is not at `after`; where the database fails. Nothing was written.
    pub async fn write_alerts(
        &self,
        change: &StoredChange,
        after: DestinationId,
        upto: Option<DestinationId>,
        alerts: &[NewAlert],
        now: Timestamp,
    ) -> StoreResult<()> {
        let end = upto.map_or(i64::MAX, |id| id.0);
        let sql = self.words(INSERT_ALERTS);
        in_transaction!(self.db, tx => {
            let mut cancelled = BTreeSet::new();
            if let Some(wrong) = change.supersedes {
                let rows: Vec<i64> =
                    sqlx::query_scalar(PENDING_OF_CHANGE).bind(wrong.0).bind(after.0).bind(end).fetch_all(&mut *tx).await?;
                sqlx::query(SUPERSEDE).bind(wrong.0).bind(after.0).bind(end).execute(&mut *tx).await?;
                sqlx::query(RELEASE_NET_ZERO)
                    .bind(wrong.0).bind(after.0).bind(end).bind(now.as_millis()).execute(&mut *tx).await?;
                cancelled.extend(rows);
            }
            if !alerts.is_empty() {
                let rows = rows_of(alerts, &cancelled);
                sqlx::query(sql).bind(&rows).bind(change.id.0).bind(now.as_millis()).execute(&mut *tx).await?;
            }
            let at_cursor = sqlx::query(if upto.is_some() { MOVE_CURSOR } else { FINISH_JOB }).bind(change.id.0).bind(after.0);
            let at_cursor = if let Some(upto) = upto { at_cursor.bind(upto.0) } else { at_cursor };
            if at_cursor.execute(&mut *tx).await?.rows_affected() == 0 {
                return Err(StoreError::Conflict);
            }
        })
    }
}

/// The destinations of each way to decide.
fn rows_of(alerts: &[NewAlert], cancelled: &BTreeSet<i64>) -> String {
    let mut decided: BTreeMap<_, Vec<i64>> = BTreeMap::new();
    for alert in alerts {
        let (decision, reason, state) = if cancelled.contains(&alert.destination.0) {
            ("skip", Reason::Superseded, AlertState::Skipped)
        } else {
            (alert.decision, alert.reason, alert.state)
        };
        let way = (decision, reason.as_str(), alert.lane.as_i64(), alert.release_at.as_millis(), state.as_str());
        decided.entry(way).or_default().push(alert.destination.0);
    }
    let rows: Vec<_> = decided.into_iter().map(|(way, destinations)| (way.0, way.1, way.2, way.3, way.4, destinations)).collect();
    serde_json::to_string(&rows).unwrap_or_default()
}
