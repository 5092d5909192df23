//! Fan-out: who is concerned by a change, in chunks by destination, and the alerts that come of it.

use super::{
    Store, StoreError, StoreResult,
    changes::{ChangeRow, StoredChange, change_columns, stance},
    dialect::{flag, in_transaction, json_list, list, on_db, over_rows},
    thresholds::drawn,
};
use crate::domain::{
    AlertState, Candidate, ChangeId, Delivery, DestinationId, Direction, Lane, Mutes, Reason, Settings, SourceId, Target, Timestamp,
    TokenId, Told, Wish,
};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, btree_map::Entry};

/// The one that is furthest behind: all destinations before its cursor are done with every change.
const NEXT_JOB: &str = "SELECT change_id, after_destination FROM fanout_jobs ORDER BY after_destination, change_id LIMIT 1";
/// Changes that concern few, and how many: nobody counts further than that. From the jobs on, which the order of the join says: there are years of
/// changes.
const SMALL_JOBS: &str = concat!(
    "SELECT j.after_destination, j.few, ",
    change_columns!(),
    " FROM (SELECT f.change_id, f.after_destination,
        (SELECT COUNT(*) FROM (SELECT 1 FROM subscriptions s WHERE s.target = CAST(c.token_id AS TEXT) AND s.kind = c.kind
            AND s.destination_id > f.after_destination LIMIT $1) AS own)
        + CASE WHEN t.in_all THEN (SELECT COUNT(*) FROM (SELECT 1 FROM subscriptions s WHERE s.target = 'all' AND s.kind = c.kind
            AND s.destination_id > f.after_destination LIMIT $1) AS every_one) ELSE 0 END AS few
     FROM (SELECT change_id, after_destination FROM fanout_jobs ORDER BY after_destination, change_id LIMIT $2) AS f
     CROSS JOIN changes c LEFT JOIN tokens t ON t.source = c.source AND t.token_id = c.token_id
     WHERE c.id = f.change_id AND c.supersedes IS NULL) AS j
     CROSS JOIN changes c LEFT JOIN tokens t ON t.source = c.source AND t.token_id = c.token_id
     WHERE c.id = j.change_id AND j.few < $1 ORDER BY c.id"
);
/// What is read of each candidate, in the order of [`CandidateRow`].
macro_rules! candidate_columns {
    () => {
        "c.change_id, c.destination_id, c.target, c.direction, c.delivery, c.mention, c.created_at, c.threshold, c.threshold_at, c.settings,
         c.muted_until, c.token_muted_until, c.quarantined, c.stance, c.known_at, c.told_at, c.unstable, c.excluded"
    };
}
/// Those who wish to hear of a token, given by words for it, with all that decides about them.
macro_rules! candidates {
    ($change:literal, $token:literal) => {
        concat!(
            "SELECT ",
            $change,
            " AS change_id, s.destination_id, s.target, s.direction, s.delivery, s.mention, s.created_at, s.threshold, s.threshold_at, d.settings,
                d.muted_until, m.muted_until AS token_muted_until, d.quarantine_reason IS NOT NULL AS quarantined, k.stance, k.known_at, k.told_at,
                COALESCE(k.unstable, FALSE) AS unstable,
                EXISTS (SELECT 1 FROM exclusions e WHERE e.destination_id = s.destination_id AND e.source = s.source AND e.kind = s.kind
                    AND e.token_id = ",
            $token,
            ") AS excluded FROM"
        )
    };
}
macro_rules! what_they_know {
    ($token:literal) => {
        concat!(
            "JOIN destinations d ON d.id = s.destination_id
             LEFT JOIN told k ON k.destination_id = s.destination_id AND k.source = s.source AND k.kind = s.kind AND k.token_id = ",
            $token,
            " LEFT JOIN token_mutes m ON m.destination_id = s.destination_id AND m.source = s.source AND m.token_id = ",
            $token
        )
    };
}
const CANDIDATES: (&str, &str) = json_list!(
    candidate_columns!(),
    concat!(
        "FROM (",
        candidates!("CAST($7 AS BIGINT)", "$6"),
        " subscriptions s ",
        what_they_know!("$6"),
        " WHERE s.source = $1 AND s.kind = $2 AND s.target = $3 AND s.destination_id > $4 ORDER BY s.destination_id LIMIT $5) AS c"
    )
);
/// Of rows of change, token, kind and target.
const CANDIDATES_OF_MANY: (&str, &str) = json_list!(
    over_rows: candidate_columns!(),
    concat!("FROM (", candidates!("CAST(r.value ->> 0 AS BIGINT)", "CAST(r.value ->> 1 AS BIGINT)")),
    concat!(
        "CROSS JOIN subscriptions s ",
        what_they_know!("CAST(r.value ->> 1 AS BIGINT)"),
        " WHERE s.source = $2 AND s.kind = r.value ->> 2 AND s.target = r.value ->> 3) AS c"
    )
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
/// A row for each way to decide about a change, with all its destinations: thousands share a handful of decisions, and each is read once.
const INSERT_ALERTS: (&str, &str) = (
    "INSERT INTO alerts (change_id, destination_id, decision, reason, lane, release_at, state, created_at)
     WITH decided AS MATERIALIZED (SELECT value ->> 0 AS change_id, value ->> 1 AS decision, value ->> 2 AS reason, value ->> 3 AS lane,
        value ->> 4 AS release_at, value ->> 5 AS state, value ->> 6 AS destinations FROM json_each($1))
     SELECT d.change_id, r.value, d.decision, d.reason, d.lane, d.release_at, d.state, $2 FROM decided d, json_each(d.destinations) AS r
     WHERE TRUE ON CONFLICT (change_id, destination_id) DO NOTHING",
    "INSERT INTO alerts (change_id, destination_id, decision, reason, lane, release_at, state, created_at)
     WITH decided AS MATERIALIZED (SELECT CAST(value ->> 0 AS BIGINT) AS change_id, value ->> 1 AS decision, value ->> 2 AS reason,
        CAST(value ->> 3 AS BIGINT) AS lane, CAST(value ->> 4 AS BIGINT) AS release_at, value ->> 5 AS state, value -> 6 AS destinations
        FROM json_array_elements(CAST(CAST($1 AS TEXT) AS JSON)))
     SELECT d.change_id, CAST(r.value AS BIGINT), d.decision, d.reason, d.lane, d.release_at, d.state, CAST($2 AS BIGINT)
     FROM decided d, json_array_elements_text(d.destinations) AS r
     WHERE TRUE ON CONFLICT (change_id, destination_id) DO NOTHING",
);
const MOVE_CURSOR: &str = "UPDATE fanout_jobs SET after_destination = $3 WHERE change_id = $1 AND after_destination = $2";
const FINISH_JOB: &str = "DELETE FROM fanout_jobs WHERE change_id = $1 AND after_destination = $2";
/// Of rows of change and cursor.
const FINISH_JOBS: (&str, &str) = over_rows!(
    "DELETE FROM fanout_jobs WHERE (change_id, after_destination) IN
        (SELECT CAST(r.value ->> 0 AS BIGINT), CAST(r.value ->> 1 AS BIGINT) FROM",
    ")"
);

pub(super) const STATEMENTS: &[&str] = &[NEXT_JOB, SMALL_JOBS, PENDING_OF_CHANGE, SUPERSEDE, RELEASE_NET_ZERO, MOVE_CURSOR, FINISH_JOB];
pub(super) const PAIRS: &[(&str, &str)] = &[CANDIDATES, CANDIDATES_OF_MANY, INSERT_ALERTS, FINISH_JOBS];

/// A change whose subscribers have not all been looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FanoutJob {
    /// Which change.
    pub change: ChangeId,
    /// Every destination up to this one is done.
    pub after: DestinationId,
}

/// A change that concerns few, none of whom was looked at.
#[derive(Clone, Debug)]
pub struct SmallFanoutJob {
    /// What happened.
    pub change: StoredChange,
    /// Where its cursor stands.
    pub after: DestinationId,
    /// How many wishes it meets, or met when it was asked for.
    pub wishes: i64,
}

/// Whom a change concerns, and what decides about each.
pub type Concerned = BTreeMap<DestinationId, Candidate>;

/// Some of those who may want to hear of a change.
#[derive(Clone, Debug)]
pub struct Candidates {
    /// What decides about each.
    pub by_destination: Concerned,
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

#[derive(sqlx::FromRow)]
struct SmallJobRow {
    after_destination: i64,
    few: i64,
    #[sqlx(flatten)]
    change: ChangeRow,
}

#[derive(Deserialize)]
struct CandidateRow {
    change_id: i64,
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

    fn add_to(&self, concerned: &mut Concerned, token: TokenId) -> StoreResult<()> {
        let candidate = match concerned.entry(DestinationId(self.destination_id)) {
            Entry::Occupied(entry) => entry.into_mut(),
            Entry::Vacant(entry) => entry.insert(self.candidate(token)?),
        };
        candidate.wishes.push(self.wish()?);
        Ok(())
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
    /// The change whose fan-out is furthest behind, the oldest of them.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn next_fanout_job(&self) -> StoreResult<Option<FanoutJob>> {
        let row: Option<(i64, i64)> = on_db!(self.db, pool => sqlx::query_as(NEXT_JOB).fetch_optional(pool).await)?;
        Ok(row.map(|(change, after)| FanoutJob { change: ChangeId(change), after: DestinationId(after) }))
    }

    /// Those of the `most` changes furthest behind that meet fewer than `few` wishes.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn small_fanout_jobs(&self, few: i64, most: i64) -> StoreResult<Vec<SmallFanoutJob>> {
        let rows: Vec<SmallJobRow> = on_db!(self.db, pool => sqlx::query_as(SMALL_JOBS).bind(few).bind(most).fetch_all(pool).await)?;
        let job = |row: SmallJobRow| {
            Ok(SmallFanoutJob { after: DestinationId(row.after_destination), wishes: row.few, change: row.change.try_into()? })
        };
        rows.into_iter().map(job).collect()
    }

    /// Everybody with a wish about the token of one of these changes.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn candidates_of_many(&self, jobs: &[SmallFanoutJob]) -> StoreResult<BTreeMap<ChangeId, Concerned>> {
        let mut targets = Vec::with_capacity(jobs.len());
        for SmallFanoutJob { change, .. } in jobs {
            let (id, token, kind) = (change.id.0, change.change.token, change.change.kind.as_str());
            targets.push((id, token.0, kind, Target::Token(token).to_string()));
            if change.in_all {
                targets.push((id, token.0, kind, Target::All.to_string()));
            }
        }
        let (sql, targets) = (self.words(CANDIDATES_OF_MANY), serde_json::to_string(&targets).unwrap_or_default());
        let rows: String = on_db!(self.db, pool => sqlx::query_scalar(sql)
            .bind(&targets).bind(SourceId::TokenMetrics.as_str()).fetch_one(pool).await)?;
        let tokens: BTreeMap<_, _> = jobs.iter().map(|job| (job.change.id, job.change.change.token)).collect();
        let mut concerned: BTreeMap<ChangeId, Concerned> = BTreeMap::new();
        for row in list::<CandidateRow>(&rows)? {
            let change = ChangeId(row.change_id);
            if let Some(token) = tokens.get(&change) {
                row.add_to(concerned.entry(change).or_default(), *token)?;
            }
        }
        Ok(concerned)
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
            row.add_to(&mut by_destination, change.change.token)?;
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
        let (id, change, sql) = (change.id, &change.change, self.words(CANDIDATES));
        let rows: String = on_db!(self.db, pool => sqlx::query_scalar(sql)
            .bind(change.source.as_str())
            .bind(change.kind.as_str())
            .bind(target.to_string())
            .bind(after.0)
            .bind(limit)
            .bind(change.token.0)
            .bind(id.0)
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
                let rows = serde_json::to_string(&rows_of(change.id, alerts, &cancelled)).unwrap_or_default();
                sqlx::query(sql).bind(&rows).bind(now.as_millis()).execute(&mut *tx).await?;
            }
            let at_cursor = sqlx::query(if upto.is_some() { MOVE_CURSOR } else { FINISH_JOB }).bind(change.id.0).bind(after.0);
            let at_cursor = if let Some(upto) = upto { at_cursor.bind(upto.0) } else { at_cursor };
            if at_cursor.execute(&mut *tx).await?.rows_affected() == 0 {
                return Err(StoreError::Conflict);
            }
        })
    }

    /// Writes all alerts of several changes and finishes their jobs, in one transaction.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where one of them is not where it was found; where the database fails. Nothing was written.
    pub async fn write_all_alerts(
        &self,
        jobs: &[SmallFanoutJob],
        alerts: &BTreeMap<ChangeId, Vec<NewAlert>>,
        now: Timestamp,
    ) -> StoreResult<()> {
        let (insert, finish) = (self.words(INSERT_ALERTS), self.words(FINISH_JOBS));
        let rows: Vec<_> = alerts.iter().flat_map(|(change, alerts)| rows_of(*change, alerts, &BTreeSet::new())).collect();
        let rows = serde_json::to_string(&rows).unwrap_or_default();
        let finished: Vec<_> = jobs.iter().map(|job| (job.change.id.0, job.after.0)).collect();
        let finished = serde_json::to_string(&finished).unwrap_or_default();
        in_transaction!(self.db, tx => {
            sqlx::query(insert).bind(&rows).bind(now.as_millis()).execute(&mut *tx).await?;
            if sqlx::query(finish).bind(&finished).execute(&mut *tx).await?.rows_affected() != jobs.len() as u64 {
                return Err(StoreError::Conflict);
            }
        })
    }
}

/// A way to decide about a change: its decision, reason, lane, release and state.
type Way = (&'static str, &'static str, i64, i64, &'static str);
type AlertRows = (i64, &'static str, &'static str, i64, i64, &'static str, Vec<i64>);

/// The destinations of each way to decide.
fn rows_of(change: ChangeId, alerts: &[NewAlert], cancelled: &BTreeSet<i64>) -> Vec<AlertRows> {
    let mut decided: BTreeMap<Way, Vec<i64>> = BTreeMap::new();
    for alert in alerts {
        let (decision, reason, state) = if cancelled.contains(&alert.destination.0) {
            ("skip", Reason::Superseded, AlertState::Skipped)
        } else {
            (alert.decision, alert.reason, alert.state)
        };
        let way = (decision, reason.as_str(), alert.lane.as_i64(), alert.release_at.as_millis(), state.as_str());
        decided.entry(way).or_default().push(alert.destination.0);
    }
    decided.into_iter().map(|(way, destinations)| (change.0, way.0, way.1, way.2, way.3, way.4, destinations)).collect()
}
