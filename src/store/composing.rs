//! Composing: everything that decides what a few destinations are told now. What came of it is committed in `compositions`.

use super::{
    Store, StoreError, StoreResult,
    candidates::wish,
    changes::{ChangeRow, StoredChange, change_columns, kind, stance},
    destinations::{DestinationRow, columns},
    dialect::{on_db, over_rows},
    mutes::TOKENS_OF_MANY,
    thresholds::drawn,
};
use crate::domain::{
    AlertId, Call, Confirmation, Destination, DestinationId, Digests, Due, Kind, MAX_CONFIRMATION_POLLS, MessageBody, Mutes, Nature,
    Reason, Situation, SourceId, Target, Timestamp, TokenId, Told, ToldIn, Waiting, Wish,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

// A destination whose last alert messages are still on their way is not composed for: what comes meanwhile is told as its net later. Where a summary
// waits, in a queue that may be long, something urgent is composed before it, unless composing has found already that it has to wait for it.
// Walked in the order of the index of what is due, from where the last batch ended: by destination it would visit everything that is held, and
// without a place to go on from everything that is due, batch after batch. Whom a change may still concern waits: what one poll brought is told
// together. All before the cursor that is furthest behind are done with every change.
const DUE_DESTINATIONS: &str = "SELECT DISTINCT a.release_at, a.destination_id FROM alerts a CROSS JOIN destinations d
    WHERE d.id = a.destination_id AND a.state = 'pending' AND a.release_at <= $1 AND (a.release_at, a.destination_id) > ($3, $4)
      AND a.destination_id <= COALESCE((SELECT MIN(j.after_destination) FROM fanout_jobs j), 9223372036854775807)
      AND (d.quarantine_reason IS NULL OR d.next_probe_at <= $1)
      AND CASE (SELECT m.lane FROM messages m WHERE m.destination_id = a.destination_id AND m.state = 'queued' AND m.lane > 0
            ORDER BY m.lane LIMIT 1) WHEN 1 THEN FALSE WHEN 2 THEN a.lane = 1 AND a.decision = 'send' ELSE TRUE END
    ORDER BY a.release_at, a.destination_id LIMIT $2";
const DESTINATIONS: (&str, &str) =
    over_rows!(concat!("SELECT ", columns!(), " FROM destinations WHERE id IN (SELECT CAST(CAST(r.value AS TEXT) AS BIGINT) FROM"), ")");
// With one alert of a token due, all that is held of it is told with it: a net over some of them would be wrong. What had turned back is no line
// beside a turn that is held.
macro_rules! pending {
    ($from:literal, $release_at:literal, $apart:literal, $and:literal) => {
        concat!(
            "SELECT a.id AS alert_id, a.destination_id, a.reason, a.created_at, ",
            change_columns!(),
            " FROM ",
            $from,
            " JOIN changes c ON c.id = a.change_id LEFT JOIN tokens t ON t.source = c.source AND t.token_id = c.token_id
             WHERE a.state = 'pending' AND (a.release_at <= $2
                OR (a.reason = 'net_zero' AND NOT EXISTS (SELECT 1 FROM alerts held JOIN changes hc ON hc.id = held.change_id
                    WHERE held.destination_id = a.destination_id AND held.state = 'pending' AND held.reason <> 'net_zero'
                    AND hc.source = c.source AND hc.kind = c.kind AND hc.token_id = c.token_id",
            $apart,
            ")) OR EXISTS (SELECT 1 FROM alerts due JOIN changes dc ON dc.id = due.change_id
                    WHERE due.destination_id = a.destination_id AND due.state = 'pending' AND ",
            $release_at,
            " <= $2 AND dc.source = c.source AND dc.kind = c.kind AND dc.token_id = c.token_id",
            $apart,
            "))",
            $and,
            " ORDER BY a.id LIMIT $3"
        )
    };
}
// PostgreSQL may have counted while nothing waited, and would then go through all that waits by now, batch after batch, instead of looking for the
// few of each destination. OFFSET 0 keeps it from joining the other way round, and what hides `release_at` from the index of what is due.
const PENDING: (&str, &str) = (
    pending!(
        "alerts a",
        "due.release_at",
        "",
        " AND a.destination_id IN (SELECT CAST(CAST(r.value AS TEXT) AS BIGINT) FROM json_each($1) AS r)"
    ),
    pending!(
        "json_array_elements(CAST(CAST($1 AS TEXT) AS JSON)) AS r(value) CROSS JOIN LATERAL (SELECT * FROM alerts of_one
            WHERE of_one.destination_id = CAST(CAST(r.value AS TEXT) AS BIGINT) AND of_one.state = 'pending' OFFSET 0) AS a",
        "COALESCE(due.release_at, 0)",
        " OFFSET 0",
        ""
    ),
);
// The keys come first, which the order of the join says to SQLite: it would rather walk every subscription of a source.
macro_rules! of_key {
    ($table:literal, $target:literal) => {
        concat!(
            "CROSS JOIN ",
            $table,
            " k WHERE k.source = $2 AND k.destination_id = CAST(r.value ->> 0 AS BIGINT) AND k.kind = r.value ->> 1 AND k.",
            $target
        )
    };
}
/// Of rows of destination, kind and target.
const WISHES: (&str, &str) = over_rows!(
    "SELECT k.destination_id, k.kind, k.target, k.direction, k.delivery, k.mention, k.created_at, k.threshold, k.threshold_at FROM",
    of_key!("subscriptions", "target = r.value ->> 2")
);
/// Of rows of destination, kind and token, as what was told.
const EXCLUDED: (&str, &str) =
    over_rows!("SELECT k.destination_id, k.kind, k.token_id FROM", of_key!("exclusions", "token_id = CAST(r.value ->> 2 AS BIGINT)"));
const TOLD: (&str, &str) = over_rows!(
    "SELECT k.destination_id, k.kind, k.token_id, k.stance, k.known_at, k.told_at, k.unstable FROM",
    of_key!("told", "token_id = CAST(r.value ->> 2 AS BIGINT)")
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

/// When calls turned; nobody is told of the rows before a baseline, nor of the first call of all. The keys come first, as above: SQLite would go
/// through all turns for each of them.
const TURNS: (&str, &str) = over_rows!(
    "SELECT c.kind, c.token_id, c.detected_at FROM",
    "CROSS JOIN changes c WHERE c.source = $2 AND c.kind = r.value ->> 0 AND c.token_id = CAST(r.value ->> 1 AS BIGINT)
        AND c.nature = 'turned' AND c.timing <> 'history' AND c.from_stance IS NOT NULL AND c.detected_at > $3
     ORDER BY c.detected_at"
);

pub(super) const STATEMENTS: &[&str] = &[DUE_DESTINATIONS];
pub(super) const PAIRS: &[(&str, &str)] = &[DESTINATIONS, PENDING, WISHES, EXCLUDED, TOLD, SENT, DIGESTS, TOLD_IN, TURNS];

const HOUR: Duration = Duration::from_secs(3600);
/// With more due alerts than this a batch has fewer destinations: a chat that was out of reach for months may have as many by itself.
const MOST_ALERTS: usize = 20_000;

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
    threshold: Option<String>,
    threshold_at: Option<i64>,
}

#[derive(sqlx::FromRow)]
struct ToldRow {
    destination_id: i64,
    kind: String,
    token_id: i64,
    stance: String,
    known_at: i64,
    told_at: Option<i64>,
    unstable: bool,
}

/// How far what is due was looked through: up to what was released then, for this destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DueCursor(i64, i64);

impl Default for DueCursor {
    /// Before everything.
    fn default() -> Self {
        Self(i64::MIN, i64::MIN)
    }
}

/// The next destinations for which something is due.
#[derive(Clone, Debug)]
pub struct DueBatch {
    /// What decides about each.
    pub situations: BTreeMap<DestinationId, Situation>,
    /// From where to go on.
    pub upto: DueCursor,
    /// How far this one reached, where so much is due for each destination that it did not reach as far as it was to.
    pub cut: Option<i64>,
    /// Whether twice as many destinations would probably not have been too many.
    pub has_room: bool,
}

impl Store {
    /// What decides about each of the next destinations, at most `limit`, that have something due, the longest due first; none where there are
    /// no more.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn due_situations(&self, now: Timestamp, after: DueCursor, limit: i64) -> StoreResult<Option<DueBatch>> {
        let mut due: Vec<(i64, i64)> = on_db!(self.db, pool => sqlx::query_as(DUE_DESTINATIONS)
            .bind(now.as_millis()).bind(limit).bind(after.0).bind(after.1).fetch_all(pool).await)?;
        let mut cut = None;
        loop {
            let Some(upto) = due.last().map(|(release_at, id)| DueCursor(*release_at, *id)) else { return Ok(None) };
            let ids: BTreeSet<i64> = due.iter().map(|(_, id)| *id).collect();
            let most = if ids.len() > 1 { MOST_ALERTS } else { usize::MAX };
            match self.situations(&ids, now, most).await? {
                Some(situations) => {
                    let alerts: usize = situations.values().map(|situation| situation.due.len()).sum();
                    return Ok(Some(DueBatch { situations, upto, cut, has_room: alerts <= MOST_ALERTS / 2 }));
                }
                None => {
                    due.truncate(due.len() / 2);
                    cut = i64::try_from(due.len()).ok();
                }
            }
        }
    }

    /// What decides about each of these destinations; nothing where more than so many alerts are due for them.
    async fn situations(
        &self,
        ids: &BTreeSet<i64>,
        now: Timestamp,
        most: usize,
    ) -> StoreResult<Option<BTreeMap<DestinationId, Situation>>> {
        let list = serde_json::to_string(ids).unwrap_or_default();
        let mut situations = self.destinations_of(&list).await?;
        // First: what arrives in between is then known already, or still waits.
        self.add_waiting(&list, &mut situations).await?;
        if self.add_pending(&list, now, &mut situations, most).await? > most {
            return Ok(None);
        }
        self.add_told_in(&mut situations).await?;
        self.add_wishes(&mut situations).await?;
        self.add_told(&mut situations).await?;
        self.add_turns(now, &mut situations).await?;
        self.add_polls(&mut situations).await?;
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
        Ok(Some(situations))
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
                waiting: Waiting::default(),
                sent: Vec::new(),
                told: BTreeMap::new(),
                turns: BTreeMap::new(),
                polls: BTreeMap::new(),
                wishes: Vec::new(),
                excluded: BTreeSet::new(),
                due: Vec::new(),
            };
            StoreResult::Ok((destination.id, situation))
        };
        rows.into_iter().map(situation).collect()
    }

    /// Says how many there are; no more than one above `most` are looked at.
    async fn add_pending(
        &self,
        list: &str,
        now: Timestamp,
        situations: &mut BTreeMap<DestinationId, Situation>,
        most: usize,
    ) -> StoreResult<usize> {
        let (sql, limit) = (self.words(PENDING), i64::try_from(most).map_or(i64::MAX, |most| most.saturating_add(1)));
        let rows: Vec<PendingRow> =
            on_db!(self.db, pool => sqlx::query_as(sql).bind(list).bind(now.as_millis()).bind(limit).fetch_all(pool).await)?;
        let count = rows.len();
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
        Ok(count)
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

    async fn add_wishes(&self, situations: &mut BTreeMap<DestinationId, Situation>) -> StoreResult<()> {
        let (wishes, excluded, source) = (self.words(WISHES), self.words(EXCLUDED), SourceId::TokenMetrics.as_str());
        let keys = keys(situations);
        let targets = |(destination, kind, token): &(i64, &'static str, i64)| {
            [Target::All, Target::Token(TokenId(*token))].map(|target| (*destination, *kind, target.to_string()))
        };
        let targets: BTreeSet<_> = keys.iter().flat_map(targets).collect();
        let (keys, targets) = (serde_json::to_string(&keys).unwrap_or_default(), serde_json::to_string(&targets).unwrap_or_default());
        let rows: Vec<WishRow> = on_db!(self.db, pool => sqlx::query_as(wishes).bind(&targets).bind(source).fetch_all(pool).await)?;
        for row in rows {
            if let Some(situation) = situations.get_mut(&DestinationId(row.destination_id)) {
                let threshold = drawn(row.threshold.as_deref(), row.threshold_at, row.created_at)?;
                let wish = Wish { threshold, ..wish(&row.target, &row.direction, &row.delivery, row.mention, row.created_at)? };
                situation.wishes.push((kind(&row.kind)?, wish));
            }
        }
        let rows: Vec<(i64, String, i64)> =
            on_db!(self.db, pool => sqlx::query_as(excluded).bind(&keys).bind(source).fetch_all(pool).await)?;
        for (id, word, token) in rows {
            if let Some(situation) = situations.get_mut(&DestinationId(id)) {
                situation.excluded.insert((kind(&word)?, TokenId(token)));
            }
        }
        Ok(())
    }

    async fn add_told(&self, situations: &mut BTreeMap<DestinationId, Situation>) -> StoreResult<()> {
        let (sql, source) = (self.words(TOLD), SourceId::TokenMetrics.as_str());
        let keys = serde_json::to_string(&keys(situations)).unwrap_or_default();
        let rows: Vec<ToldRow> = on_db!(self.db, pool => sqlx::query_as(sql).bind(&keys).bind(source).fetch_all(pool).await)?;
        for row in rows {
            let told = Told {
                stance: stance(&row.stance)?,
                known_at: Timestamp::from_millis(row.known_at),
                told_at: row.told_at.map(Timestamp::from_millis),
                unstable: row.unstable,
            };
            if let Some(situation) = situations.get_mut(&DestinationId(row.destination_id)) {
                situation.told.insert((kind(&row.kind)?, TokenId(row.token_id)), told);
            }
        }
        Ok(())
    }

    /// Of the same few tokens for all destinations of a batch.
    async fn add_turns(&self, now: Timestamp, situations: &mut BTreeMap<DestinationId, Situation>) -> StoreResult<()> {
        let key = |due: &Due| Some((due.change.kind, due.change.token)).filter(|(kind, _)| kind.settles_after().is_some());
        let keys: BTreeSet<_> = situations.values().flat_map(|situation| &situation.due).filter_map(key).collect();
        let Some(longest) = keys.iter().filter_map(|(kind, _)| kind.settles_after()).max() else { return Ok(()) };
        let rows: Vec<_> = keys.iter().map(|(kind, token)| (kind.as_str(), token.0)).collect();
        let (sql, list) = (self.words(TURNS), serde_json::to_string(&rows).unwrap_or_default());
        let rows: Vec<(String, i64, i64)> = on_db!(self.db, pool => sqlx::query_as(sql)
            .bind(&list).bind(SourceId::TokenMetrics.as_str()).bind((now - longest).as_millis()).fetch_all(pool).await)?;
        let mut turns: BTreeMap<_, Vec<Timestamp>> = BTreeMap::new();
        for (word, token, at) in rows {
            turns.entry((kind(&word)?, TokenId(token))).or_default().push(Timestamp::from_millis(at));
        }
        for situation in situations.values_mut() {
            let concerned: BTreeSet<_> = situation.due.iter().filter_map(key).collect();
            situation.turns = concerned.into_iter().filter_map(|key| Some((key, turns.get(&key)?.clone()))).collect();
        }
        Ok(())
    }

    /// Where polls confirm turns, and something is due.
    async fn add_polls(&self, situations: &mut BTreeMap<DestinationId, Situation>) -> StoreResult<()> {
        let asks = |situation: &Situation| matches!(situation.settings.confirmation, Confirmation::Polls(_));
        let asking = situations.values().filter(|situation| asks(situation));
        let kinds: BTreeSet<Kind> = asking.flat_map(|situation| &situation.due).map(|due| due.change.kind).collect();
        let mut polls = BTreeMap::new();
        for kind in kinds {
            polls.insert(kind, self.last_polls(SourceId::TokenMetrics, kind, MAX_CONFIRMATION_POLLS).await?);
        }
        for situation in situations.values_mut().filter(|situation| asks(situation)) {
            situation.polls.clone_from(&polls);
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
}

/// What is due, by whom it concerns.
fn keys(situations: &BTreeMap<DestinationId, Situation>) -> BTreeSet<(i64, &'static str, i64)> {
    let keys = situations.iter().flat_map(|(id, situation)| situation.due.iter().map(|due| (id.0, &due.change)));
    keys.map(|(id, change)| (id, change.kind.as_str(), change.token.0)).collect()
}
