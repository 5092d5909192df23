//! Whom changes concern: wishes about their tokens with all that decides about each, read by destination.

use super::{
    Db, Store, StoreError, StoreResult,
    changes::{StoredChange, stance},
    dialect::{flag, json_list, list, on_db},
    thresholds::drawn,
};
use crate::domain::{
    Candidate, ChangeId, Delivery, DestinationId, Direction, Mutes, Settings, SourceId, Target, Timestamp, TokenId, Told, Wish,
};
use serde::Deserialize;
use sqlx::{Sqlite, Transaction};
use std::{borrow::Cow, collections::BTreeMap};

/// What is read of each candidate, in the order of [`CandidateRow`].
macro_rules! candidate_columns {
    () => {
        "c.change_id, c.destination_id, c.target, c.direction, c.delivery, c.mention, c.created_at, c.threshold, c.threshold_at, c.settings,
         c.muted_until, c.token_muted_until, c.quarantined, c.stance, c.known_at, c.told_at, c.unstable, c.excluded"
    };
}
/// Of rows of change, token, kind and target: the first $5 wishes of destinations after $3, up to $4, with all that decides about each. The index of
/// targets has all that is read of a wish.
const CANDIDATES: (&str, &str) = json_list!(
    over_rows: candidate_columns!(),
    beside: ", COUNT(*), MAX(c.destination_id)",
    "FROM (SELECT w.change_id, w.destination_id, w.target, w.direction, w.delivery, w.mention, w.created_at, w.threshold, w.threshold_at, d.settings,
        d.muted_until, m.muted_until AS token_muted_until, d.quarantine_reason IS NOT NULL AS quarantined, k.stance, k.known_at, k.told_at,
        COALESCE(k.unstable, FALSE) AS unstable,
        EXISTS (SELECT 1 FROM exclusions e WHERE e.destination_id = w.destination_id AND e.source = $2 AND e.kind = w.kind
            AND e.token_id = w.token_id) AS excluded
     FROM (SELECT CAST(r.value ->> 0 AS BIGINT) AS change_id, CAST(r.value ->> 1 AS BIGINT) AS token_id, s.destination_id, s.target, s.kind,
        s.direction, s.delivery, s.mention, s.created_at, s.threshold, s.threshold_at FROM",
    "CROSS JOIN subscriptions s WHERE s.target = r.value ->> 3 AND s.kind = r.value ->> 2 AND s.destination_id > $3 AND s.destination_id <= $4
            AND s.source || '' = $2
        ORDER BY s.destination_id LIMIT $5) AS w
     CROSS JOIN destinations d
     LEFT JOIN told k ON k.destination_id = w.destination_id AND k.source = $2 AND k.kind = w.kind AND k.token_id = w.token_id
     LEFT JOIN token_mutes m ON m.destination_id = w.destination_id AND m.source = $2 AND m.token_id = w.token_id
     WHERE d.id = w.destination_id) AS c"
);

pub(super) const PAIRS: &[(&str, &str)] = &[CANDIDATES];

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

/// Reads candidates, chunk by chunk, as things stood when it began or was renewed.
///
/// On SQLite it is one transaction: every write of another connection would empty the page cache of one that begins anew, and fan-out writes between
/// any two chunks. PostgreSQL's pages are everybody's, and each chunk is as new as it can be.
pub struct CandidateReader {
    store: Store,
    view: Option<Transaction<'static, Sqlite>>,
}

impl CandidateReader {
    /// Reads as things stand now, from here on.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn renew(&mut self) -> StoreResult<()> {
        if let Some(view) = &mut self.view {
            // On the connection that it has: a transaction that is dropped gives it back a little later.
            sqlx::raw_sql("ROLLBACK; BEGIN").execute(&mut **view).await?;
        }
        Ok(())
    }

    /// Those with a wish about the token of one of these changes among the destinations after `after`, up to `upto`; where they have more than
    /// `limit` wishes, those of the first of them. A destination has no more than two wishes about a token: with a higher limit than that for all
    /// changes together nobody is cut in two.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn read(
        &mut self,
        changes: &[StoredChange],
        after: DestinationId,
        upto: DestinationId,
        limit: i64,
    ) -> StoreResult<Candidates> {
        let (sql, targets) = (self.store.words(CANDIDATES), serde_json::to_string(&targets(changes)).unwrap_or_default());
        macro_rules! read_through {
            ($connection:expr) => {
                sqlx::query_as(sql)
                    .bind(&targets)
                    .bind(SourceId::TokenMetrics.as_str())
                    .bind(after.0)
                    .bind(upto.0)
                    .bind(limit)
                    .fetch_one($connection)
                    .await
            };
        }
        let (rows, wishes, last): (String, i64, Option<i64>) = match &mut self.view {
            Some(view) => read_through!(&mut **view),
            None => on_db!(self.store.db, pool => read_through!(pool)),
        }?;
        // Of the last destination of a list that was cut off some wishes may be missing.
        let upto = last.filter(|_| wishes >= limit).map_or(upto, |last| DestinationId(last - 1));
        Ok(Candidates { rows, wishes, upto })
    }
}

impl Store {
    /// Begins to read candidates as things stand now.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn candidate_reader(&self) -> StoreResult<CandidateReader> {
        let view = match &self.db {
            Db::Sqlite { fan_out: Some(fan_out), .. } => Some(fan_out.begin().await?),
            _ => None,
        };
        Ok(CandidateReader { store: self.clone(), view })
    }
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
