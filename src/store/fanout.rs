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
use std::{
    borrow::Cow,
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
const CURSOR: &str = "SELECT MIN(after_destination) FROM fanout_jobs";
/// What is read of each candidate, in the order of [`CandidateRow`].
macro_rules! candidate_columns {
    () => {
        "c.change_id, c.destination_id, c.target, c.direction, c.delivery, c.mention, c.created_at, c.threshold, c.threshold_at, c.settings,
         c.muted_until, c.token_muted_until, c.quarantined, c.stance, c.known_at, c.told_at, c.unstable, c.excluded"
    };
}
/// Of rows of change, token, kind and target: the first $5 wishes of destinations after $3, up to $4, with all that decides about each. The wishes
/// are found by the index of targets alone, which knows no source; the rest is read of those that are taken.
const CANDIDATES: (&str, &str) = json_list!(
    over_rows: candidate_columns!(),
    beside: ", COUNT(*), MAX(c.destination_id)",
    "FROM (SELECT w.change_id, w.destination_id, s.target, s.direction, s.delivery, s.mention, s.created_at, s.threshold, s.threshold_at, d.settings,
        d.muted_until, m.muted_until AS token_muted_until, d.quarantine_reason IS NOT NULL AS quarantined, k.stance, k.known_at, k.told_at,
        COALESCE(k.unstable, FALSE) AS unstable,
        EXISTS (SELECT 1 FROM exclusions e WHERE e.destination_id = w.destination_id AND e.source = s.source AND e.kind = s.kind
            AND e.token_id = w.token_id) AS excluded
     FROM (SELECT CAST(r.value ->> 0 AS BIGINT) AS change_id, CAST(r.value ->> 1 AS BIGINT) AS token_id, f.id, f.destination_id FROM",
    "CROSS JOIN subscriptions f WHERE f.target = r.value ->> 3 AND f.kind = r.value ->> 2 AND f.destination_id > $3 AND f.destination_id <= $4
        ORDER BY f.destination_id LIMIT $5) AS w
     CROSS JOIN subscriptions s CROSS JOIN destinations d
     LEFT JOIN told k ON k.destination_id = w.destination_id AND k.source = s.source AND k.kind = s.kind AND k.token_id = w.token_id
     LEFT JOIN token_mutes m ON m.destination_id = w.destination_id AND m.source = s.source AND m.token_id = w.token_id
     WHERE s.id = w.id AND s.source = $2 AND d.id = w.destination_id) AS c"
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
/// A row for each way to decide, with all that are decided so: thousands share a handful of decisions, and each is read once. They are written in the
/// order of their destinations, as three of the indexes are and as composing reads them.
const INSERT_ALERTS: (&str, &str) = (
    "INSERT INTO alerts (change_id, destination_id, decision, reason, lane, release_at, state, created_at)
     WITH decided AS MATERIALIZED (SELECT value ->> 0 AS decision, value ->> 1 AS reason, value ->> 2 AS lane, value ->> 3 AS release_at,
        value ->> 4 AS state, value ->> 5 AS concerned FROM json_each($1))
     SELECT r.value ->> 1, r.value ->> 0, d.decision, d.reason, d.lane, d.release_at, d.state, $2 FROM decided d, json_each(d.concerned) AS r
     WHERE TRUE ON CONFLICT (change_id, destination_id) DO NOTHING",
    "INSERT INTO alerts (change_id, destination_id, decision, reason, lane, release_at, state, created_at)
     WITH decided AS MATERIALIZED (SELECT value ->> 0 AS decision, value ->> 1 AS reason, CAST(value ->> 2 AS BIGINT) AS lane,
        CAST(value ->> 3 AS BIGINT) AS release_at, value ->> 4 AS state, value -> 5 AS concerned
        FROM json_array_elements(CAST(CAST($1 AS TEXT) AS JSON)))
     SELECT CAST(r.value ->> 1 AS BIGINT), CAST(r.value ->> 0 AS BIGINT), d.decision, d.reason, d.lane, d.release_at, d.state, CAST($2 AS BIGINT)
     FROM decided d, json_array_elements(d.concerned) AS r
     WHERE TRUE ON CONFLICT (change_id, destination_id) DO NOTHING",
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

pub(super) const STATEMENTS: &[&str] = &[FURTHEST_BEHIND, AHEAD, CURSOR, PENDING_OF_CHANGE, SUPERSEDE, RELEASE_NET_ZERO];
pub(super) const PAIRS: &[(&str, &str)] = &[CANDIDATES, INSERT_ALERTS, MOVE_CURSORS, FINISH];

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

/// Whom a change concerns, and what decides about that.
#[derive(Clone, Debug)]
pub struct Concerned {
    /// Who.
    pub destination: DestinationId,
    /// Of what.
    pub change: ChangeId,
    /// What decides.
    pub candidate: Candidate,
}

/// Some of those who may want to hear of some changes.
#[derive(Clone, Debug)]
pub struct Candidates {
    /// As the database gave them: to understand them takes nearly half as long as to find them.
    rows: String,
    /// How many wishes were read.
    pub wishes: i64,
    /// Up to whom these are all.
    pub upto: DestinationId,
}

impl Candidates {
    /// What decides about each, by destination and change.
    ///
    /// # Errors
    /// Where the database holds what no version of this wrote.
    pub fn concerned(&self, changes: &[StoredChange]) -> StoreResult<Vec<Concerned>> {
        let mut rows: Vec<CandidateRow> = list(&self.rows)?;
        rows.sort_unstable_by_key(|row| (row.destination_id, row.change_id));
        let tokens: BTreeMap<_, _> = changes.iter().map(|change| (change.id.0, change.change.token)).collect();
        let mut concerned = Vec::with_capacity(rows.len());
        for row in rows.iter().take_while(|row| row.destination_id <= self.upto.0) {
            if let Some(token) = tokens.get(&row.change_id) {
                row.add_to(&mut concerned, *token)?;
            }
        }
        Ok(concerned)
    }
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

#[derive(Deserialize)]
struct CandidateRow<'a> {
    change_id: i64,
    destination_id: i64,
    #[serde(borrow)]
    target: Cow<'a, str>,
    #[serde(borrow)]
    direction: Cow<'a, str>,
    #[serde(borrow)]
    delivery: Cow<'a, str>,
    mention: Option<String>,
    created_at: i64,
    threshold: Option<String>,
    threshold_at: Option<i64>,
    #[serde(borrow)]
    settings: Cow<'a, str>,
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

impl CandidateRow<'_> {
    fn wish(&self) -> StoreResult<Wish> {
        let threshold = drawn(self.threshold.as_deref(), self.threshold_at, self.created_at)?;
        Ok(Wish { threshold, ..wish(&self.target, &self.direction, &self.delivery, self.mention.clone(), self.created_at)? })
    }

    /// After those of a destination and change come its further wishes.
    fn add_to(&self, concerned: &mut Vec<Concerned>, token: TokenId) -> StoreResult<()> {
        let (destination, change) = (DestinationId(self.destination_id), ChangeId(self.change_id));
        match concerned.last_mut().filter(|last| (last.destination, last.change) == (destination, change)) {
            Some(known) => known.candidate.wishes.push(self.wish()?),
            None => concerned.push(Concerned { destination, change, candidate: self.candidate(token)? }),
        }
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
            wishes: vec![self.wish()?],
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

    /// Where the changes stand that are furthest behind; nothing where none waits.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn fanout_cursor(&self) -> StoreResult<Option<DestinationId>> {
        let after: Option<i64> = on_db!(self.db, pool => sqlx::query_scalar(CURSOR).fetch_one(pool).await)?;
        Ok(after.map(DestinationId))
    }

    /// Those with a wish about the token of one of these changes among the destinations after `after`, up to `upto`; where they have more than
    /// `limit` wishes, those of the first of them. A destination has no more than two wishes about a token: with a higher limit than that for all
    /// changes together nobody is cut in two.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn candidates(
        &self,
        changes: &[StoredChange],
        after: DestinationId,
        upto: DestinationId,
        limit: i64,
    ) -> StoreResult<Candidates> {
        let (sql, targets) = (self.words(CANDIDATES), serde_json::to_string(&targets(changes)).unwrap_or_default());
        let (rows, wishes, last): (String, i64, Option<i64>) = on_db!(self.db, pool => sqlx::query_as(sql)
            .bind(&targets)
            .bind(SourceId::TokenMetrics.as_str())
            .bind(after.0)
            .bind(upto.0)
            .bind(limit)
            .fetch_one(pool).await)?;
        // Of the last destination of a list that was cut off some wishes may be missing.
        let upto = last.filter(|_| wishes >= limit).map_or(upto, |last| DestinationId(last - 1));
        Ok(Candidates { rows, wishes, upto })
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
                sqlx::query(insert).bind(&rows).bind(now.as_millis()).execute(&mut *tx).await?;
            }
            let at_cursor = sqlx::query(at_cursor).bind(&ids).bind(after.0);
            let at_cursor = if let Some(upto) = upto { at_cursor.bind(upto.0) } else { at_cursor };
            if at_cursor.execute(&mut *tx).await?.rows_affected() != changes.len() as u64 {
                return Err(StoreError::Conflict);
            }
        })
    }
}

/// What a wish may be about to concern each change: rows of change, token, kind and target.
fn targets(changes: &[StoredChange]) -> Vec<(i64, i64, &'static str, String)> {
    let mut targets = Vec::with_capacity(changes.len());
    for StoredChange { id, change, in_all, .. } in changes {
        let row = |target: Target| (id.0, change.token.0, change.kind.as_str(), target.to_string());
        targets.push(row(Target::Token(change.token)));
        targets.extend(in_all.then(|| row(Target::All)));
    }
    targets
}

/// A way to decide about a change: its decision, reason, lane, release and state.
type Way = (&'static str, &'static str, i64, i64, &'static str);
/// A destination and a change.
type Pair = (i64, i64);
type AlertRow = (&'static str, &'static str, i64, i64, &'static str, Vec<Pair>);

/// What is decided in each way. Of `cancelled` changes these destinations were told nothing yet.
fn rows_of(alerts: &[NewAlert], cancelled: &BTreeMap<ChangeId, BTreeSet<i64>>) -> Vec<AlertRow> {
    let mut decided: BTreeMap<Way, Vec<Pair>> = BTreeMap::new();
    for alert in alerts {
        let is_cancelled = cancelled.get(&alert.change).is_some_and(|destinations| destinations.contains(&alert.destination.0));
        let (decision, reason, state) =
            if is_cancelled { ("skip", Reason::Superseded, AlertState::Skipped) } else { (alert.decision, alert.reason, alert.state) };
        let way = (decision, reason.as_str(), alert.lane.as_i64(), alert.release_at.as_millis(), state.as_str());
        decided.entry(way).or_default().push((alert.destination.0, alert.change.0));
    }
    decided.into_iter().map(|(way, concerned)| (way.0, way.1, way.2, way.3, way.4, concerned)).collect()
}
