//! Fan-out: who is concerned by a change, in chunks by destination, and the alerts that come of it.

use super::{
    Store, StoreError, StoreResult,
    changed::{soon_and_lately, waits_until},
    changes::{ChangeRow, StoredChange, change_columns},
    dialect::{in_transaction, on_db, over_rows},
};
use crate::domain::{AlertState, ChangeId, DestinationId, Lane, Reason, Timestamp};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

/// The changes that are furthest behind, at most $1 of them: they go on together from one cursor.
const FURTHEST_BEHIND: &str = concat!(
    "SELECT j.after_destination, ",
    change_columns!(),
    " FROM (SELECT change_id, after_destination FROM fanout_jobs
        WHERE after_destination = (SELECT MIN(after_destination) FROM fanout_jobs) ORDER BY change_id LIMIT $1) AS j
     CROSS JOIN changes c LEFT JOIN tokens t ON t.source = c.source AND t.token_id = c.token_id
     WHERE c.id = j.change_id ORDER BY c.id"
);
const AHEAD: &str =
    "SELECT (SELECT MIN(after_destination) FROM fanout_jobs WHERE after_destination > $1), (SELECT MAX(id) FROM destinations)";
const LAST: &str = "SELECT MAX(id) FROM destinations";
const CURSOR: &str = "SELECT MIN(after_destination) FROM fanout_jobs";
/// What was told of an unstable call waits to be told again, as settled: that is not taken back.
const PENDING_OF_CHANGE: &str = "SELECT destination_id FROM alerts WHERE change_id = $1 AND state = 'pending' AND told_at IS NULL
        AND destination_id > $2 AND destination_id <= $3";
const SUPERSEDE: &str = "UPDATE alerts SET state = 'superseded', reason = 'superseded'
    WHERE change_id = $1 AND state = 'pending' AND told_at IS NULL AND destination_id > $2 AND destination_id <= $3";
/// What had turned back before it was told is looked at again where one of its turns was wrong.
const RELEASE_NET_ZERO: &str = "UPDATE alerts SET release_at = $4
    WHERE state = 'pending' AND reason = 'net_zero' AND destination_id > $2 AND destination_id <= $3 AND change_id IN (SELECT c.id
        FROM changes c JOIN changes w ON w.source = c.source AND w.kind = c.kind AND w.token_id = c.token_id WHERE w.id = $1)";
/// A row for each way to decide, with the destinations of each change that are decided so: thousands share a handful of decisions, and what is a plain
/// number is read fastest. They are written in the order of their destinations, as three of the indexes are and as composing reads them.
const INSERT_ALERTS: (&str, &str) = (
    concat!(
        "INSERT INTO alerts (change_id, destination_id, decision, reason, lane, release_at, state, created_at)
     WITH decided AS MATERIALIZED (SELECT value ->> 0 AS decision, value ->> 1 AS reason, value ->> 2 AS lane, value ->> 3 AS release_at,
        value ->> 4 AS state, value ->> 5 AS concerned FROM json_each($1))
     SELECT CAST(c.key AS INTEGER), r.value, d.decision, d.reason, d.lane, ",
        waits_until!("d.release_at", "r.value", "$3", "$4"),
        ", d.state, $2
     FROM decided d, json_each(d.concerned) AS c, json_each(c.value) AS r
     WHERE TRUE ORDER BY r.value ON CONFLICT (change_id, destination_id) DO NOTHING"
    ),
    concat!(
        "INSERT INTO alerts (change_id, destination_id, decision, reason, lane, release_at, state, created_at)
     WITH decided AS MATERIALIZED (SELECT value ->> 0 AS decision, value ->> 1 AS reason, CAST(value ->> 2 AS BIGINT) AS lane,
        CAST(value ->> 3 AS BIGINT) AS release_at, value ->> 4 AS state, value -> 5 AS concerned
        FROM json_array_elements(CAST(CAST($1 AS TEXT) AS JSON)))
     SELECT CAST(c.key AS BIGINT), CAST(r.value AS BIGINT), d.decision, d.reason, d.lane, ",
        waits_until!("d.release_at", "CAST(r.value AS BIGINT)", "CAST($3 AS BIGINT)", "$4"),
        ", d.state, CAST($2 AS BIGINT)
     FROM decided d, json_each(d.concerned) AS c, json_array_elements_text(c.value) AS r(value)
     WHERE TRUE ORDER BY 2 ON CONFLICT (change_id, destination_id) DO NOTHING"
    ),
);
/// Of changes whose cursor is at $2.
const MOVE_CURSORS: (&str, &str) = over_rows!(
    "UPDATE fanout_jobs SET after_destination = $3 WHERE after_destination = $2 AND change_id IN
        (SELECT CAST(CAST(r.value AS TEXT) AS BIGINT) FROM",
    ")"
);
const FINISH: (&str, &str) = over_rows!(
    "DELETE FROM fanout_jobs WHERE after_destination = $2 AND change_id IN (SELECT CAST(CAST(r.value AS TEXT) AS BIGINT) FROM",
    ")"
);

pub(super) const STATEMENTS: &[&str] = &[FURTHEST_BEHIND, AHEAD, LAST, CURSOR, PENDING_OF_CHANGE, SUPERSEDE, RELEASE_NET_ZERO];
pub(super) const PAIRS: &[(&str, &str)] = &[INSERT_ALERTS, MOVE_CURSORS, FINISH];

/// Changes whose subscribers have not all been looked at, and that stand at the same place.
#[derive(Clone, Debug, PartialEq)]
pub struct FanoutJobs {
    /// What happened.
    pub changes: Arc<[StoredChange]>,
    /// Every destination up to this one is done.
    pub after: DestinationId,
    /// So far they go together.
    pub until: DestinationId,
    /// Whether nobody is beyond; otherwise other changes stand there.
    pub finishes: bool,
}

/// An alert as fan-out decided it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewAlert {
    /// Who is told.
    pub destination: DestinationId,
    /// Of what.
    pub change: ChangeId,
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
struct JobRow {
    after_destination: i64,
    #[sqlx(flatten)]
    change: ChangeRow,
}

impl Store {
    /// The changes whose fan-out is furthest behind, at most `most`, where they stand at the same place.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn fanout_jobs(&self, most: i64) -> StoreResult<Option<FanoutJobs>> {
        let rows: Vec<JobRow> = on_db!(self.db, pool => sqlx::query_as(FURTHEST_BEHIND).bind(most).fetch_all(pool).await)?;
        let Some(after) = rows.first().map(|row| row.after_destination) else { return Ok(None) };
        let (others, last): (Option<i64>, Option<i64>) = on_db!(self.db, pool => sqlx::query_as(AHEAD).bind(after).fetch_one(pool).await)?;
        let changes = rows.into_iter().map(|row| row.change.try_into()).collect::<StoreResult<_>>()?;
        let until = others.or(last).unwrap_or(after).max(after);
        Ok(Some(FanoutJobs { changes, after: DestinationId(after), until: DestinationId(until), finishes: others.is_none() }))
    }

    /// Whether there is nobody beyond a destination.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn is_last_destination(&self, destination: DestinationId) -> StoreResult<bool> {
        let last: Option<i64> = on_db!(self.db, pool => sqlx::query_scalar(LAST).fetch_one(pool).await)?;
        Ok(last.is_none_or(|last| last <= destination.0))
    }

    /// Where the changes stand that are furthest behind; nothing where none waits.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn fanout_cursor(&self) -> StoreResult<Option<DestinationId>> {
        let after: Option<i64> = on_db!(self.db, pool => sqlx::query_scalar(CURSOR).fetch_one(pool).await)?;
        Ok(after.map(DestinationId))
    }

    /// Writes the alerts of some destinations and moves the cursor of every change from `after` to `upto`, in one transaction; with no `upto` they
    /// are done.
    ///
    /// Where a change corrects one whose alert is still pending, that alert is cancelled and the new one skipped (`rules.md` 2.9).
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where a cursor is not at `after`; where the database fails. Nothing was written.
    pub async fn write_alerts(
        &self,
        changes: &[StoredChange],
        after: DestinationId,
        upto: Option<DestinationId>,
        alerts: &[NewAlert],
        now: Timestamp,
    ) -> StoreResult<()> {
        let end = upto.map_or(i64::MAX, |id| id.0);
        let (soon, lately) = soon_and_lately(now);
        let (insert, at_cursor) = (self.words(INSERT_ALERTS), self.words(if upto.is_some() { MOVE_CURSORS } else { FINISH }));
        let ids: Vec<i64> = changes.iter().map(|change| change.id.0).collect();
        let ids = serde_json::to_string(&ids).unwrap_or_default();
        in_transaction!(self.db, tx => {
            let mut cancelled: BTreeMap<ChangeId, BTreeSet<i64>> = BTreeMap::new();
            for (change, wrong) in changes.iter().filter_map(|change| Some((change.id, change.supersedes?))) {
                let rows: Vec<i64> =
                    sqlx::query_scalar(PENDING_OF_CHANGE).bind(wrong.0).bind(after.0).bind(end).fetch_all(&mut *tx).await?;
                sqlx::query(SUPERSEDE).bind(wrong.0).bind(after.0).bind(end).execute(&mut *tx).await?;
                sqlx::query(RELEASE_NET_ZERO)
                    .bind(wrong.0).bind(after.0).bind(end).bind(now.as_millis()).execute(&mut *tx).await?;
                cancelled.insert(change, rows.into_iter().collect());
            }
            if !alerts.is_empty() {
                let rows = serde_json::to_string(&rows_of(alerts, &cancelled)).unwrap_or_default();
                sqlx::query(insert).bind(&rows).bind(now.as_millis()).bind(soon).bind(lately).execute(&mut *tx).await?;
            }
            let at_cursor = sqlx::query(at_cursor).bind(&ids).bind(after.0);
            let at_cursor = if let Some(upto) = upto { at_cursor.bind(upto.0) } else { at_cursor };
            if at_cursor.execute(&mut *tx).await?.rows_affected() != changes.len() as u64 {
                return Err(StoreError::Conflict);
            }
        })
    }
}

/// A way to decide about a change: its decision, reason, lane, release and state.
type Way = (&'static str, &'static str, i64, i64, &'static str);
/// Destinations by the change that is decided so for them.
type ByChange = BTreeMap<i64, Vec<i64>>;
type AlertRow = (&'static str, &'static str, i64, i64, &'static str, ByChange);

/// What is decided in each way. Of `cancelled` changes these destinations were told nothing yet.
fn rows_of(alerts: &[NewAlert], cancelled: &BTreeMap<ChangeId, BTreeSet<i64>>) -> Vec<AlertRow> {
    let mut decided: BTreeMap<Way, ByChange> = BTreeMap::new();
    for alert in alerts {
        let is_cancelled = cancelled.get(&alert.change).is_some_and(|destinations| destinations.contains(&alert.destination.0));
        let (decision, reason, state) =
            if is_cancelled { ("skip", Reason::Superseded, AlertState::Skipped) } else { (alert.decision, alert.reason, alert.state) };
        let way = (decision, reason.as_str(), alert.lane.as_i64(), alert.release_at.as_millis(), state.as_str());
        decided.entry(way).or_default().entry(alert.change.0).or_default().push(alert.destination.0);
    }
    decided.into_iter().map(|(way, concerned)| (way.0, way.1, way.2, way.3, way.4, concerned)).collect()
}
