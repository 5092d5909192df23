//! What was composed for several destinations, committed at once.

use super::{
    Store, StoreError, StoreResult, buttons,
    dialect::{in_transaction, over_rows},
};
use crate::domain::{ButtonsId, Composition, DestinationId, FollowsHow, SourceId, Timestamp};

/// In the order of the rows: the ids, which come back in none, ascend with them.
const INSERT_MESSAGES: (&str, &str) = over_rows!(
    "INSERT INTO messages
        (destination_id, platform, lane, body, mention, counted, follows, edits, state, next_attempt_at, attempts, unknown_ends, lease_fence,
         created_at, start_tag)
     SELECT d.id, d.platform, CAST(r.value ->> 2 AS BIGINT), r.value ->> 3, r.value ->> 4, CAST(r.value ->> 5 AS BOOLEAN), r.value ->> 6,
        CAST(r.value ->> 7 AS BOOLEAN), 'queued', CAST($2 AS BIGINT), 0, 0, 0, CAST($2 AS BIGINT),
        CAST(r.value ->> 8 AS BIGINT) FROM",
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
/// They are due as they were, and wait for what is on its way: until that has gone nobody looks at them because of their haste.
const WAIT: (&str, &str) = over_rows!(
    "UPDATE alerts SET lane = 2 WHERE lane = 1 AND state = 'pending' AND id IN (SELECT CAST(CAST(r.value AS TEXT) AS BIGINT) FROM",
    ")"
);
const PASS_OVER: (&str, &str) = over_rows!(
    "INSERT INTO told (destination_id, source, kind, token_id, stance, data_time, known_at)
     SELECT CAST(r.value ->> 0 AS BIGINT), r.value ->> 1, r.value ->> 2, CAST(r.value ->> 3 AS BIGINT), r.value ->> 4,
        CAST(r.value ->> 5 AS BIGINT), CAST($2 AS BIGINT) FROM",
    "WHERE TRUE ON CONFLICT (destination_id, source, kind, token_id)
     DO UPDATE SET stance = excluded.stance, data_time = excluded.data_time, known_at = excluded.known_at, unstable = FALSE"
);

pub(super) const PAIRS: &[(&str, &str)] = &[INSERT_MESSAGES, LINK_ALERTS, COMPOSED, HOLD, SKIP, WAIT, PASS_OVER];

impl Store {
    /// Commits what was composed for several destinations, in one transaction.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] where an alert was no longer pending: nothing was written, compose again.
    pub async fn write_compositions(&self, compositions: &[(DestinationId, Composition)], now: Timestamp) -> StoreResult<()> {
        let words = [INSERT_MESSAGES, LINK_ALERTS, COMPOSED, HOLD, SKIP, PASS_OVER, buttons::INSERT, WAIT].map(|pair| self.words(pair));
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
            for (sql, json) in [(words[3], &rows.holds), (words[4], &rows.skips), (words[7], &rows.waits)] {
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
    waits: Option<String>,
    passed_over: Option<String>,
}

impl DecisionRows {
    fn of(compositions: &[(DestinationId, Composition)]) -> Self {
        let (mut messages, mut holds, mut skips, mut passed_over) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut buttons, mut waits) = (Vec::new(), Vec::new());
        for (destination, composition) in compositions {
            for draft in &composition.messages {
                let body = serde_json::to_string(&draft.body).unwrap_or_default();
                let mention = serde_json::to_string(&draft.mention).unwrap_or_default();
                let follows = draft.follows.as_ref().map(|follows| follows.platform_id.as_str());
                let edits = draft.follows.as_ref().is_some_and(|follows| follows.how == FollowsHow::Edits);
                messages.push((
                    messages.len(),
                    destination.0,
                    draft.lane.as_i64(),
                    body,
                    mention,
                    draft.counted,
                    follows,
                    edits,
                    draft.start_tag.0,
                ));
                buttons.extend(
                    draft
                        .body
                        .buttons(&draft.alerts)
                        .map(|(id, subject)| (id.as_str(), destination.0, serde_json::to_string(&subject).unwrap_or_default())),
                );
            }
            holds.extend(composition.holds.iter().map(|(alert, until, reason)| (alert.0, until.as_millis(), reason.as_str())));
            skips.extend(composition.skips.iter().map(|(alert, reason)| (alert.0, reason.as_str())));
            waits.extend(composition.waits.iter().map(|alert| alert.0));
            passed_over.extend(composition.passed_over.iter().map(|(kind, token, stance, data_time)| {
                (destination.0, SourceId::TokenMetrics.as_str(), kind.as_str(), token.0, stance.to_string(), data_time.as_millis())
            }));
        }
        let buttons = json_rows(&buttons);
        Self {
            messages: json_rows(&messages),
            buttons,
            holds: json_rows(&holds),
            skips: json_rows(&skips),
            waits: json_rows(&waits),
            passed_over: json_rows(&passed_over),
        }
    }
}

fn json_rows<T: serde::Serialize>(rows: &[T]) -> Option<String> {
    (!rows.is_empty()).then(|| serde_json::to_string(rows).unwrap_or_default())
}
