//! The way of a change to a destination, read back for `/why`.

use super::{
    Store, StoreError, StoreResult,
    changes::{ChangeRow, StoredChange, change_columns},
    destinations::address_of,
    dialect::{on_db, over_rows},
};
use crate::domain::{
    Address, AlertId, AlertState, AlertTrace, DestinationId, Fate, KEPT_FOR, Kind, MessageId, Reason, SourceId, Target, Timestamp, TokenId,
    Trace, TracedAlert, TracedMessage,
};

macro_rules! alert_columns {
    () => {
        "a.reason, a.state, a.created_at, a.release_at, a.told_at IS NOT NULL AS was_told, m.state AS message_state,
         m.created_at AS composed_at, m.attempts, m.finished_at, (SELECT COUNT(*) FROM message_alerts o WHERE o.message_id = m.id) AS alerts,
         CASE WHEN a.reason = 'quarantined' THEN (SELECT MAX(oc.detected_at) FROM message_alerts o JOIN alerts oa ON oa.id = o.alert_id
            JOIN changes oc ON oc.id = oa.change_id WHERE o.message_id = m.id AND oc.kind = c.kind AND oc.token_id = c.token_id) END AS newest_at"
    };
}

// The crossing of a threshold is news to those alone who drew that line.
const CHANGE: &str = concat!(
    "SELECT ",
    change_columns!(),
    ", p.started_at AS polled_at,
        EXISTS (SELECT 1 FROM fanout_jobs f WHERE f.change_id = c.id AND f.after_destination < $4) AS under_way
     FROM changes c JOIN polls p ON p.id = c.poll_id LEFT JOIN tokens t ON t.source = c.source AND t.token_id = c.token_id
     WHERE c.source = $1 AND c.kind = $2 AND c.token_id = $3 AND (c.nature <> 'crossed' OR c.kind = 'levels'
        OR EXISTS (SELECT 1 FROM alerts a WHERE a.change_id = c.id AND a.destination_id = $4)) ORDER BY c.data_time DESC, c.id DESC LIMIT 1"
);
const ALERT: &str = concat!(
    "SELECT ",
    alert_columns!(),
    " FROM alerts a JOIN changes c ON c.id = a.change_id
    LEFT JOIN message_alerts l ON l.alert_id = a.id LEFT JOIN messages m ON m.id = l.message_id
    WHERE a.change_id = $1 AND a.destination_id = $2 ORDER BY m.id DESC LIMIT 1"
);
const OF_ALERTS: (&str, &str) = over_rows!(
    concat!(
        "SELECT ",
        change_columns!(),
        ", p.started_at AS polled_at, d.platform, d.chat, d.topic, ",
        alert_columns!(),
        " FROM alerts a JOIN changes c ON c.id = a.change_id JOIN polls p ON p.id = c.poll_id JOIN destinations d ON d.id = a.destination_id
         LEFT JOIN tokens t ON t.source = c.source AND t.token_id = c.token_id
         LEFT JOIN messages m ON m.id = (SELECT MAX(l.message_id) FROM message_alerts l WHERE l.alert_id = a.id)
         WHERE a.id IN (SELECT CAST(CAST(r.value AS TEXT) AS BIGINT) FROM"
    ),
    ") ORDER BY a.id"
);
/// A chat numbers its messages across its topics.
const TOLD_BY: &str = "SELECT DISTINCT l.alert_id FROM destinations d JOIN messages m ON m.destination_id = d.id
    JOIN message_alerts l ON l.message_id = m.id WHERE d.platform = $1 AND d.chat = $2 AND m.platform_id = $3 ORDER BY l.alert_id LIMIT $4";
const SUBSCRIPTIONS: &str = "SELECT target, created_at FROM subscriptions
    WHERE destination_id = $1 AND source = $2 AND kind = $3 AND target IN ('all', $4) ORDER BY target";
const EXCLUDED: &str = "SELECT COUNT(*) FROM exclusions WHERE destination_id = $1 AND source = $2 AND kind = $3 AND token_id = $4";

/// Of a call that turned several times before it was told, the last poll.
const POLLED_AT: &str =
    "SELECT MAX(p.started_at) FROM message_alerts l JOIN alerts a ON a.id = l.alert_id JOIN changes c ON c.id = a.change_id
    JOIN polls p ON p.id = c.poll_id WHERE l.message_id = $1";

pub(super) const STATEMENTS: &[&str] = &[CHANGE, ALERT, TOLD_BY, SUBSCRIPTIONS, EXCLUDED, POLLED_AT];
pub(super) const PAIRS: &[(&str, &str)] = &[OF_ALERTS];

#[derive(sqlx::FromRow)]
struct Row {
    #[sqlx(flatten)]
    change: ChangeRow,
    polled_at: i64,
    under_way: bool,
}

#[derive(sqlx::FromRow)]
struct TracedRow {
    #[sqlx(flatten)]
    change: ChangeRow,
    polled_at: i64,
    platform: String,
    chat: String,
    topic: String,
    #[sqlx(flatten)]
    alert: AlertRow,
}

impl TracedRow {
    fn read(self) -> StoreResult<AlertTrace> {
        let StoredChange { change, symbol, link, .. } = StoredChange::try_from(self.change)?;
        let (polled_at, address) = (Timestamp::from_millis(self.polled_at), address_of(&self.platform, self.chat, self.topic)?);
        Ok(AlertTrace { change, symbol, link, polled_at, address, alert: self.alert.read()? })
    }
}

#[derive(sqlx::FromRow)]
struct AlertRow {
    reason: String,
    state: String,
    created_at: i64,
    release_at: i64,
    was_told: bool,
    message_state: Option<String>,
    composed_at: Option<i64>,
    attempts: Option<i64>,
    finished_at: Option<i64>,
    alerts: i64,
    /// When the newest change was seen that the message tells of the same call; of what a chat out of reach missed.
    newest_at: Option<i64>,
}

impl AlertRow {
    fn read(self) -> StoreResult<TracedAlert> {
        let decided_at = Timestamp::from_millis(self.created_at);
        let held_until = Some(Timestamp::from_millis(self.release_at)).filter(|until| *until > decided_at && *until != Timestamp::NEVER);
        let message = self.message()?;
        Ok(TracedAlert {
            reason: Reason::parse(&self.reason).ok_or_else(|| StoreError::corrupt("a reason", &self.reason))?,
            state: AlertState::parse(&self.state).ok_or_else(|| StoreError::corrupt("an alert's state", &self.state))?,
            decided_at,
            held_until,
            was_told: self.was_told,
            message,
        })
    }

    fn message(&self) -> StoreResult<Option<TracedMessage>> {
        let (Some(state), Some(composed_at)) = (&self.message_state, self.composed_at) else { return Ok(None) };
        let finished_at = Timestamp::from_millis(self.finished_at.unwrap_or(composed_at));
        let fate = match state.as_str() {
            "queued" => Fate::Waits,
            "sent" => Fate::Sent { at: finished_at },
            "dead" => Fate::Dead,
            "dropped" => Fate::Dropped,
            other => return Err(StoreError::corrupt("a message's state", other)),
        };
        let count = |number: i64| u32::try_from(number).unwrap_or_default();
        let composed_at = Timestamp::from_millis(composed_at);
        Ok(Some(TracedMessage {
            composed_at,
            alerts: count(self.alerts),
            only_counts_it: self.newest_at.is_some_and(|at| Timestamp::from_millis(at) + KEPT_FOR <= composed_at),
            attempts: count(self.attempts.unwrap_or_default()),
            fate,
        }))
    }
}

impl Store {
    /// What became of the last change of a token for a destination, which may be nobody yet; none where nothing ever changed.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn trace(
        &self,
        destination: Option<DestinationId>,
        source: SourceId,
        kind: Kind,
        token: TokenId,
    ) -> StoreResult<Option<Trace>> {
        let place = destination.map_or(0, |id| id.0);
        let row: Option<Row> = on_db!(self.db, pool => sqlx::query_as(CHANGE)
            .bind(source.as_str()).bind(kind.as_str()).bind(token.0).bind(place).fetch_optional(pool).await)?;
        let Some(row) = row else { return Ok(None) };
        let (polled_at, under_way) = (Timestamp::from_millis(row.polled_at), row.under_way && destination.is_some());
        let StoredChange { id, change, in_all, .. } = StoredChange::try_from(row.change)?;
        let alert: Option<AlertRow> = on_db!(self.db, pool => sqlx::query_as(ALERT).bind(id.0).bind(place).fetch_optional(pool).await)?;
        let rows: Vec<(String, i64)> = on_db!(self.db, pool => sqlx::query_as(SUBSCRIPTIONS)
            .bind(place).bind(source.as_str()).bind(kind.as_str()).bind(token.0.to_string()).fetch_all(pool).await)?;
        let subscription = |(target, since): (String, i64)| {
            let target = Target::parse(&target).ok_or_else(|| StoreError::corrupt("a target", &target))?;
            StoreResult::Ok((target, Timestamp::from_millis(since)))
        };
        let subscriptions = rows.into_iter().map(subscription).collect::<StoreResult<_>>()?;
        let excluded: i64 = on_db!(self.db, pool => sqlx::query_scalar(EXCLUDED)
            .bind(place).bind(source.as_str()).bind(kind.as_str()).bind(token.0).fetch_one(pool).await)?;
        let alert = alert.map(AlertRow::read).transpose()?;
        Ok(Some(Trace { change, polled_at, under_way, in_all, alert, subscriptions, excluded: excluded > 0 }))
    }

    /// The way of one alert; none where it is not known any more. Whoever asks may not be allowed to read it.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn trace_of_alert(&self, alert: AlertId) -> StoreResult<Option<AlertTrace>> {
        Ok(self.traces_of(&[alert.0]).await?.pop())
    }

    /// The ways of the alerts that a message of a chat tells, by what the platform calls the message: the first ones, at most `most`; none
    /// where it tells none.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn traces_of_message(&self, chat: &Address, platform_id: &str, most: u32) -> StoreResult<Vec<AlertTrace>> {
        let alerts: Vec<i64> = on_db!(self.db, pool => sqlx::query_scalar(TOLD_BY)
            .bind(chat.platform.as_str()).bind(&chat.chat).bind(platform_id).bind(i64::from(most)).fetch_all(pool).await)?;
        self.traces_of(&alerts).await
    }

    /// When the poll began that saw what a message tells; none where it tells no change.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn polled_at(&self, message: MessageId) -> StoreResult<Option<Timestamp>> {
        let at: Option<i64> = on_db!(self.db, pool => sqlx::query_scalar(POLLED_AT).bind(message.0).fetch_one(pool).await)?;
        Ok(at.map(Timestamp::from_millis))
    }

    async fn traces_of(&self, alerts: &[i64]) -> StoreResult<Vec<AlertTrace>> {
        let (sql, list) = (self.words(OF_ALERTS), serde_json::Value::from(alerts).to_string());
        let rows: Vec<TracedRow> = on_db!(self.db, pool => sqlx::query_as(sql).bind(&list).fetch_all(pool).await)?;
        rows.into_iter().map(TracedRow::read).collect()
    }
}
