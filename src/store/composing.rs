//! Composing: everything that decides what a few destinations are told now, and what came of it.

use super::{
    Store, StoreError, StoreResult, buttons,
    changes::{ChangeRow, StoredChange, change_columns, kind, stance},
    destinations::{DestinationRow, columns},
    dialect::{in_transaction, on_db, over_rows},
    fanout::wish,
    mutes::TOKENS_OF_MANY,
};
use crate::domain::{
    AlertId, ButtonsId, Call, Composition, Destination, DestinationId, Digests, Due, FollowsHow, MessageBody, Mutes, Nature, Reason,
    Situation, SourceId, Timestamp, TokenId, Told, ToldIn,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

// A destination whose last alert messages are still on their way is not composed for: what comes meanwhile is told as its net later.
// Walked in the order of the index of what is due, from where the last batch ended: by destination it would visit everything that is held, and
// without a place to go on from everything that is due, batch after batch.
const DUE_DESTINATIONS: &str = "SELECT DISTINCT a.release_at, a.destination_id FROM alerts a CROSS JOIN destinations d
    WHERE d.id = a.destination_id AND a.state = 'pending' AND a.release_at <= $1 AND (a.release_at, a.destination_id) > ($3, $4)
      AND (d.quarantine_reason IS NULL OR d.next_probe_at <= $1)
      AND (SELECT 1 FROM messages m WHERE m.destination_id = a.destination_id AND m.state = 'queued' AND m.lane IN (1, 2) LIMIT 1) IS NULL
    ORDER BY a.release_at, a.destination_id LIMIT $2";
const DESTINATIONS: (&str, &str) =
    over_rows!(concat!("SELECT ", columns!(), " FROM destinations WHERE id IN (SELECT CAST(CAST(r.value AS TEXT) AS BIGINT) FROM"), ")");
// With one alert of a token due, all that is held of it is told with it: a net over some of them would be wrong. What a digest on its way tells
// of a token is not known there yet: what comes meanwhile waits for that.
const PENDING: (&str, &str) = over_rows!(
    concat!(
        "SELECT a.id AS alert_id, a.destination_id, a.reason, a.created_at, ",
        change_columns!(),
        " FROM alerts a JOIN changes c ON c.id = a.change_id LEFT JOIN tokens t ON t.source = c.source AND t.token_id = c.token_id
         WHERE a.state = 'pending' AND (a.release_at <= $2 OR a.reason = 'net_zero' OR EXISTS (SELECT 1 FROM alerts due
                JOIN changes dc ON dc.id = due.change_id WHERE due.destination_id = a.destination_id AND due.state = 'pending'
                AND due.release_at <= $2 AND dc.source = c.source AND dc.kind = c.kind AND dc.token_id = c.token_id))
           AND NOT EXISTS (SELECT 1 FROM messages m JOIN message_alerts ma ON ma.message_id = m.id JOIN alerts sa ON sa.id = ma.alert_id
                JOIN changes sc ON sc.id = sa.change_id WHERE m.destination_id = a.destination_id AND m.lane = 3 AND m.state = 'queued'
                AND sc.source = c.source AND sc.kind = c.kind AND sc.token_id = c.token_id)
           AND a.destination_id IN (SELECT CAST(CAST(r.value AS TEXT) AS BIGINT) FROM"
    ),
    ") ORDER BY a.id"
);
macro_rules! concerned {
    ($table:literal) => {
        concat!(
            "EXISTS (SELECT 1 FROM alerts a JOIN changes c ON c.id = a.change_id WHERE a.destination_id = ",
            $table,
            ".destination_id AND a.state = 'pending' AND c.source = ",
            $table,
            ".source AND c.kind = ",
            $table,
            ".kind AND "
        )
    };
}
const WISHES: (&str, &str) = over_rows!(
    "SELECT s.destination_id, s.kind, s.target, s.direction, s.delivery, s.mention, s.created_at FROM subscriptions s
     WHERE s.destination_id IN (SELECT CAST(CAST(r.value AS TEXT) AS BIGINT) FROM",
    concat!(") AND (s.target = 'all' OR ", concerned!("s"), "CAST(c.token_id AS TEXT) = s.target))")
);
const EXCLUDED: (&str, &str) = over_rows!(
    "SELECT e.destination_id, e.kind, e.token_id FROM exclusions e
     WHERE e.destination_id IN (SELECT CAST(CAST(r.value AS TEXT) AS BIGINT) FROM",
    concat!(") AND ", concerned!("e"), "c.token_id = e.token_id)")
);
const TOLD: (&str, &str) = over_rows!(
    "SELECT k.destination_id, k.kind, k.token_id, k.stance, k.known_at, k.told_at FROM told k
     WHERE k.destination_id IN (SELECT CAST(CAST(r.value AS TEXT) AS BIGINT) FROM",
    concat!(") AND ", concerned!("k"), "c.token_id = k.token_id)")
);
const SENT: (&str, &str) = over_rows!(
    "SELECT m.destination_id, m.finished_at FROM messages m WHERE m.counted AND m.state = 'sent' AND m.finished_at > $2
       AND m.destination_id IN (SELECT CAST(CAST(r.value AS TEXT) AS BIGINT) FROM",
    ")"
);

const DIGESTS: (&str, &str) = over_rows!(
    "SELECT d.id, (SELECT MAX(m.created_at) FROM messages m WHERE m.destination_id = d.id AND m.lane = 3 AND m.state <> 'dropped'),
        EXISTS (SELECT 1 FROM messages m WHERE m.destination_id = d.id AND m.lane = 3 AND m.state = 'queued')
     FROM destinations d WHERE d.id IN (SELECT CAST(CAST(r.value AS TEXT) AS BIGINT) FROM",
    ")"
);

/// The message that told what a due correction corrects: what was sent last of it.
const TOLD_IN: (&str, &str) = over_rows!(
    "SELECT n.id, m.platform_id, m.body FROM alerts n JOIN changes c ON c.id = n.change_id
     JOIN alerts w ON w.change_id = c.supersedes AND w.destination_id = n.destination_id AND w.state = 'told'
     JOIN message_alerts ma ON ma.alert_id = w.id JOIN messages m ON m.id = ma.message_id AND m.state = 'sent'
     WHERE m.platform_id IS NOT NULL AND n.id IN (SELECT CAST(CAST(r.value AS TEXT) AS BIGINT) FROM",
    ") ORDER BY m.id"
);

/// In the order of the rows: the ids, which come back in none, ascend with them.
const INSERT_MESSAGES: (&str, &str) = over_rows!(
    "INSERT INTO messages
        (destination_id, platform, lane, body, mention, counted, follows, edits, state, next_attempt_at, attempts, unknown_ends, lease_fence,
         created_at)
     SELECT d.id, d.platform, CAST(r.value ->> 2 AS BIGINT), r.value ->> 3, r.value ->> 4, CAST(r.value ->> 5 AS BOOLEAN), r.value ->> 6,
        CAST(r.value ->> 7 AS BOOLEAN), 'queued', CAST($2 AS BIGINT), 0, 0, 0, CAST($2 AS BIGINT) FROM",
    "JOIN destinations d ON d.id = CAST(r.value ->> 1 AS BIGINT) ORDER BY CAST(r.value ->> 0 AS BIGINT) RETURNING id"
);
const LINK_ALERTS: (&str, &str) = over_rows!(
    "INSERT INTO message_alerts (message_id, alert_id) SELECT CAST(r.value ->> 0 AS BIGINT), CAST(r.value ->> 1 AS BIGINT) FROM",
    "WHERE TRUE"
);
const COMPOSED: (&str, &str) =
    over_rows!("UPDATE alerts SET state = 'composed' WHERE state = 'pending' AND id IN (SELECT CAST(r.value ->> 1 AS BIGINT) FROM", ")");
const HOLD: (&str, &str) = over_rows!(
    "UPDATE alerts SET release_at = h.release_at, reason = h.reason, decision = 'hold'
     FROM (SELECT CAST(r.value ->> 0 AS BIGINT) AS id, CAST(r.value ->> 1 AS BIGINT) AS release_at, r.value ->> 2 AS reason FROM",
    ") AS h WHERE alerts.id = h.id AND alerts.state = 'pending'"
);
const SKIP: (&str, &str) = over_rows!(
    "UPDATE alerts SET state = 'skipped', reason = h.reason, decision = 'skip'
     FROM (SELECT CAST(r.value ->> 0 AS BIGINT) AS id, r.value ->> 1 AS reason FROM",
    ") AS h WHERE alerts.id = h.id AND alerts.state = 'pending'"
);
const PASS_OVER: (&str, &str) = over_rows!(
    "INSERT INTO told (destination_id, source, kind, token_id, stance, data_time, known_at)
     SELECT CAST(r.value ->> 0 AS BIGINT), r.value ->> 1, r.value ->> 2, CAST(r.value ->> 3 AS BIGINT), r.value ->> 4,
        CAST(r.value ->> 5 AS BIGINT), CAST($2 AS BIGINT) FROM",
    "WHERE TRUE ON CONFLICT (destination_id, source, kind, token_id)
     DO UPDATE SET stance = excluded.stance, data_time = excluded.data_time, known_at = excluded.known_at"
);

pub(super) const STATEMENTS: &[&str] = &[DUE_DESTINATIONS];
pub(super) const PAIRS: &[(&str, &str)] =
    &[DESTINATIONS, PENDING, WISHES, EXCLUDED, TOLD, SENT, DIGESTS, TOLD_IN, INSERT_MESSAGES, LINK_ALERTS, COMPOSED, HOLD, SKIP, PASS_OVER];

const HOUR: Duration = Duration::from_secs(3600);

#[derive(sqlx::FromRow)]
struct PendingRow {
    alert_id: i64,
    destination_id: i64,
    reason: String,
    created_at: i64,
    #[sqlx(flatten)]
    change: ChangeRow,
}

#[derive(sqlx::FromRow)]
struct WishRow {
    destination_id: i64,
    kind: String,
    target: String,
    direction: String,
    delivery: String,
    mention: Option<String>,
    created_at: i64,
}

#[derive(sqlx::FromRow)]
struct ToldRow {
    destination_id: i64,
    kind: String,
    token_id: i64,
    stance: String,
    known_at: i64,
    told_at: Option<i64>,
}

/// How far what is due was looked through: up to what was released then, for this destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueCursor(i64, i64);

impl DueCursor {
    /// Before everything.
    pub const START: Self = Self(i64::MIN, i64::MIN);
}

/// The next destinations for which something is due.
#[derive(Clone, Debug)]
pub struct DueBatch {
    /// What decides about each.
    pub situations: BTreeMap<DestinationId, Situation>,
    /// From where to go on.
    pub upto: DueCursor,
}

impl Store {
    /// What decides about each of the next destinations, at most `limit`, that have something due, the longest due first; none where there are
    /// no more.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn due_situations(&self, now: Timestamp, after: DueCursor, limit: i64) -> StoreResult<Option<DueBatch>> {
        let due: Vec<(i64, i64)> = on_db!(self.db, pool => sqlx::query_as(DUE_DESTINATIONS)
            .bind(now.as_millis()).bind(limit).bind(after.0).bind(after.1).fetch_all(pool).await)?;
        let Some(upto) = due.last().map(|(release_at, id)| DueCursor(*release_at, *id)) else { return Ok(None) };
        let ids: BTreeSet<i64> = due.into_iter().map(|(_, id)| id).collect();
        let list = serde_json::to_string(&ids).unwrap_or_default();
        let mut situations = self.destinations_of(&list).await?;
        self.add_pending(&list, now, &mut situations).await?;
        self.add_told_in(&mut situations).await?;
        self.add_wishes(&list, &mut situations).await?;
        self.add_told(&list, &mut situations).await?;
        self.add_token_mutes(&list, &mut situations).await?;
        self.add_digests(&list, &mut situations).await?;
        let sql = self.words(SENT);
        let since = (now - HOUR).as_millis();
        let sent: Vec<(i64, Option<i64>)> = on_db!(self.db, pool => sqlx::query_as(sql).bind(&list).bind(since).fetch_all(pool).await)?;
        for (id, at) in sent {
            if let (Some(situation), Some(at)) = (situations.get_mut(&DestinationId(id)), at) {
                situation.sent.push(Timestamp::from_millis(at));
            }
        }
        Ok(Some(DueBatch { situations, upto }))
    }

    async fn destinations_of(&self, list: &str) -> StoreResult<BTreeMap<DestinationId, Situation>> {
        let sql = self.words(DESTINATIONS);
        let rows: Vec<DestinationRow> = on_db!(self.db, pool => sqlx::query_as(sql).bind(list).fetch_all(pool).await)?;
        let situation = |row| {
            let destination = Destination::try_from(row)?;
            let situation = Situation {
                settings: destination.settings,
                mutes: Mutes { all: destination.muted_until, ..Mutes::default() },
                mentioned_at: destination.mentioned_at,
                digests: Digests::default(),
                sent: Vec::new(),
                told: BTreeMap::new(),
                wishes: Vec::new(),
                excluded: BTreeSet::new(),
                due: Vec::new(),
            };
            StoreResult::Ok((destination.id, situation))
        };
        rows.into_iter().map(situation).collect()
    }

    async fn add_pending(&self, list: &str, now: Timestamp, situations: &mut BTreeMap<DestinationId, Situation>) -> StoreResult<()> {
        let sql = self.words(PENDING);
        let rows: Vec<PendingRow> = on_db!(self.db, pool => sqlx::query_as(sql).bind(list).bind(now.as_millis()).fetch_all(pool).await)?;
        for row in rows {
            let stored = StoredChange::try_from(row.change)?;
            let reason = Reason::parse(&row.reason).ok_or_else(|| StoreError::corrupt("a reason", &row.reason))?;
            if let Some(situation) = situations.get_mut(&DestinationId(row.destination_id)) {
                situation.due.push(Due {
                    alert: AlertId(row.alert_id),
                    created_at: Timestamp::from_millis(row.created_at),
                    reason,
                    change: stored.change,
                    symbol: stored.symbol,
                    rank: stored.rank,
                    link: stored.link,
                    told_in: None,
                });
            }
        }
        Ok(())
    }

    /// Corrections are rare: nothing is asked where there is none.
    async fn add_told_in(&self, situations: &mut BTreeMap<DestinationId, Situation>) -> StoreResult<()> {
        let is_correction = |due: &&mut Due| matches!(due.change.nature, Nature::Correction { .. });
        let mut due: BTreeMap<i64, &mut Due> =
            situations.values_mut().flat_map(|situation| &mut situation.due).filter(is_correction).map(|due| (due.alert.0, due)).collect();
        if due.is_empty() {
            return Ok(());
        }
        let (sql, list) = (self.words(TOLD_IN), serde_json::to_string(&due.keys().collect::<Vec<_>>()).unwrap_or_default());
        let rows: Vec<(i64, String, String)> = on_db!(self.db, pool => sqlx::query_as(sql).bind(&list).fetch_all(pool).await)?;
        for (alert, platform_id, body) in rows {
            let body: MessageBody = serde_json::from_str(&body).map_err(|error| StoreError::corrupt("a message", &error.to_string()))?;
            let Some(due) = due.get_mut(&alert) else { continue };
            let is_of = |call: &&Call| call.token == due.change.token && call.kind == due.change.kind;
            let told = body.calls().iter().find(is_of).cloned();
            let alone = matches!(body, MessageBody::Alert { .. });
            due.told_in = told.filter(|_| !platform_id.is_empty()).map(|call| ToldIn { platform_id, alone, call });
        }
        Ok(())
    }

    async fn add_wishes(&self, list: &str, situations: &mut BTreeMap<DestinationId, Situation>) -> StoreResult<()> {
        let (wishes, excluded) = (self.words(WISHES), self.words(EXCLUDED));
        let rows: Vec<WishRow> = on_db!(self.db, pool => sqlx::query_as(wishes).bind(list).fetch_all(pool).await)?;
        for row in rows {
            if let Some(situation) = situations.get_mut(&DestinationId(row.destination_id)) {
                situation.wishes.push((kind(&row.kind)?, wish(&row.target, &row.direction, &row.delivery, row.mention, row.created_at)?));
            }
        }
        let rows: Vec<(i64, String, i64)> = on_db!(self.db, pool => sqlx::query_as(excluded).bind(list).fetch_all(pool).await)?;
        for (id, word, token) in rows {
            if let Some(situation) = situations.get_mut(&DestinationId(id)) {
                situation.excluded.insert((kind(&word)?, TokenId(token)));
            }
        }
        Ok(())
    }

    async fn add_told(&self, list: &str, situations: &mut BTreeMap<DestinationId, Situation>) -> StoreResult<()> {
        let sql = self.words(TOLD);
        let rows: Vec<ToldRow> = on_db!(self.db, pool => sqlx::query_as(sql).bind(list).fetch_all(pool).await)?;
        for row in rows {
            let told = Told {
                stance: stance(&row.stance)?,
                known_at: Timestamp::from_millis(row.known_at),
                told_at: row.told_at.map(Timestamp::from_millis),
            };
            if let Some(situation) = situations.get_mut(&DestinationId(row.destination_id)) {
                situation.told.insert((kind(&row.kind)?, TokenId(row.token_id)), told);
            }
        }
        Ok(())
    }

    async fn add_token_mutes(&self, list: &str, situations: &mut BTreeMap<DestinationId, Situation>) -> StoreResult<()> {
        let sql = self.words(TOKENS_OF_MANY);
        let rows: Vec<(i64, i64, i64)> = on_db!(self.db, pool => sqlx::query_as(sql).bind(list).fetch_all(pool).await)?;
        for (id, token, until) in rows {
            if let Some(situation) = situations.get_mut(&DestinationId(id)) {
                situation.mutes.tokens.insert(TokenId(token), Timestamp::from_millis(until));
            }
        }
        Ok(())
    }

    async fn add_digests(&self, list: &str, situations: &mut BTreeMap<DestinationId, Situation>) -> StoreResult<()> {
        let sql = self.words(DIGESTS);
        let rows: Vec<(i64, Option<i64>, bool)> = on_db!(self.db, pool => sqlx::query_as(sql).bind(list).fetch_all(pool).await)?;
        for (id, last, under_way) in rows {
            if let Some(situation) = situations.get_mut(&DestinationId(id)) {
                situation.digests = Digests { last: last.map(Timestamp::from_millis), under_way };
            }
        }
        Ok(())
    }

    /// Commits what was composed for several destinations, in one transaction.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where an alert was no longer pending: nothing was written, compose again.
    pub async fn write_compositions(&self, compositions: &[(DestinationId, Composition)], now: Timestamp) -> StoreResult<()> {
        let words = [INSERT_MESSAGES, LINK_ALERTS, COMPOSED, HOLD, SKIP, PASS_OVER, buttons::INSERT].map(|pair| self.words(pair));
        let rows = DecisionRows::of(compositions);
        in_transaction!(self.db, tx => {
            if let Some(json) = &rows.messages {
                let ids = sqlx::query_scalar(words[0]).bind(json).bind(now.as_millis()).fetch_all(&mut *tx).await?;
                let links = links(compositions, ids);
                let json = serde_json::to_string(&links).unwrap_or_default();
                let taken = sqlx::query(words[2]).bind(&json).execute(&mut *tx).await?.rows_affected();
                if taken != links.len() as u64 {
                    return Err(StoreError::Conflict);
                }
                sqlx::query(words[1]).bind(&json).execute(&mut *tx).await?;
            }
            if let Some(json) = &rows.buttons {
                let expires_at = ButtonsId::expires_at(now).as_millis();
                sqlx::query(words[6]).bind(json).bind(buttons::OF_ALERT).bind(expires_at).execute(&mut *tx).await?;
            }
            for (sql, json) in [(words[3], &rows.holds), (words[4], &rows.skips)] {
                if let Some(json) = json {
                    sqlx::query(sql).bind(json).execute(&mut *tx).await?;
                }
            }
            if let Some(json) = &rows.passed_over {
                sqlx::query(words[5]).bind(json).bind(now.as_millis()).execute(&mut *tx).await?;
            }
        })
    }
}

/// Each message's alerts, by the ids that the messages were given.
fn links(compositions: &[(DestinationId, Composition)], mut ids: Vec<i64>) -> Vec<(i64, i64)> {
    ids.sort_unstable();
    let drafts = compositions.iter().flat_map(|(_, composition)| &composition.messages);
    drafts.zip(ids).flat_map(|(draft, id)| draft.alerts.iter().map(move |alert| (id, alert.0))).collect()
}

/// What several compositions decided, as JSON rows.
struct DecisionRows {
    messages: Option<String>,
    buttons: Option<String>,
    holds: Option<String>,
    skips: Option<String>,
    passed_over: Option<String>,
}

impl DecisionRows {
    fn of(compositions: &[(DestinationId, Composition)]) -> Self {
        let (mut messages, mut holds, mut skips, mut passed_over) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut buttons = Vec::new();
        for (destination, composition) in compositions {
            for draft in &composition.messages {
                let body = serde_json::to_string(&draft.body).unwrap_or_default();
                let mention = serde_json::to_string(&draft.mention).unwrap_or_default();
                let follows = draft.follows.as_ref().map(|follows| follows.platform_id.as_str());
                let edits = draft.follows.as_ref().is_some_and(|follows| follows.how == FollowsHow::Edits);
                messages.push((messages.len(), destination.0, draft.lane.as_i64(), body, mention, draft.counted, follows, edits));
                buttons.extend(
                    draft
                        .body
                        .buttons()
                        .map(|(id, subject)| (id.as_str(), destination.0, serde_json::to_string(&subject).unwrap_or_default())),
                );
            }
            holds.extend(composition.holds.iter().map(|(alert, until, reason)| (alert.0, until.as_millis(), reason.as_str())));
            skips.extend(composition.skips.iter().map(|(alert, reason)| (alert.0, reason.as_str())));
            passed_over.extend(composition.passed_over.iter().map(|(kind, token, stance, data_time)| {
                (destination.0, SourceId::TokenMetrics.as_str(), kind.as_str(), token.0, stance.as_str(), data_time.as_millis())
            }));
        }
        let buttons = json_rows(&buttons);
        Self {
            messages: json_rows(&messages),
            buttons,
            holds: json_rows(&holds),
            skips: json_rows(&skips),
            passed_over: json_rows(&passed_over),
        }
    }
}

fn json_rows<T: serde::Serialize>(rows: &[T]) -> Option<String> {
    (!rows.is_empty()).then(|| serde_json::to_string(rows).unwrap_or_default())
}
