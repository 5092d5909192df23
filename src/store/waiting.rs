//! What waits to be sent to destinations that are composed for: it is not known there yet, but has its place.

use super::{
    Store, StoreResult,
    changes::kind,
    dialect::{flag, json_list, list, on_db},
};
use crate::domain::{DestinationId, Lane, Situation, TokenId};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// Each alert that a summary or digest tells.
const WAITING: (&str, &str) = json_list!(
    over_rows: "m.destination_id, m.id, m.lane, m.counted, m.mention <> '[]', c.kind, c.token_id",
    "FROM",
    "CROSS JOIN messages m LEFT JOIN message_alerts ma ON ma.message_id = m.id LEFT JOIN alerts a ON a.id = ma.alert_id
     LEFT JOIN changes c ON c.id = a.change_id
     WHERE m.destination_id = CAST(CAST(r.value AS TEXT) AS BIGINT) AND m.state = 'queued' AND m.lane IN (2, 3)"
);

pub(super) const PAIRS: &[(&str, &str)] = &[WAITING];

#[derive(Deserialize)]
struct WaitingRow {
    destination_id: i64,
    message_id: i64,
    lane: i64,
    #[serde(deserialize_with = "flag")]
    counted: bool,
    #[serde(deserialize_with = "flag")]
    mentions: bool,
    kind: Option<String>,
    token_id: Option<i64>,
}

impl Store {
    /// Adds what waits for each of these destinations.
    pub(super) async fn add_waiting(&self, destinations: &str, situations: &mut BTreeMap<DestinationId, Situation>) -> StoreResult<()> {
        let sql = self.words(WAITING);
        let rows: String = on_db!(self.db, pool => sqlx::query_scalar(sql).bind(destinations).fetch_one(pool).await)?;
        let mut counted = BTreeSet::new();
        for row in list::<WaitingRow>(&rows)? {
            let Some(situation) = situations.get_mut(&DestinationId(row.destination_id)) else { continue };
            let waiting = &mut situation.waiting;
            if let (Some(word), Some(token)) = (&row.kind, row.token_id) {
                waiting.tells.insert((kind(word)?, TokenId(token)));
            }
            if Lane::from_i64(row.lane) == Lane::Summary {
                waiting.summary = true;
                waiting.mentions |= row.mentions;
                waiting.counted += usize::from(row.counted && counted.insert(row.message_id));
            }
        }
        Ok(())
    }
}
