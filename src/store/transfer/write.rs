//! Into the database: what is there, then whatever a plan says, as one transaction.

use super::{
    Alert, Attempt, AuditRecord, Button, Call, Change, Configuration, Destination, Exclusion, FanOut, FeedState, Lookup, Message,
    MessageAlert, Mute, Notice, Observation, Poll, Reach, Section, SeenRequest, Stance, State, Subscription, Token, Told, UntoldNews,
    Update,
    cells::Places,
    for_configuration, for_state,
    plan::{Digester, ImportError, Plan, Present, StatePlan},
    read::{Rows as _, SNAPSHOT, as_json, stream_sections},
};
use crate::{
    domain::{Platform, Timestamp},
    store::{Db, Store, StoreError, audit, dialect::over_rows, leases},
};
use futures_util::TryStreamExt as _;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Under which name an import is recorded.
const ACTOR: &str = "import";
/// Rows a statement.
const CHUNK: usize = 2_000;

macro_rules! places_where {
    ($condition:literal) => {
        concat!(
            "SELECT d.id, d.platform || ':' || d.chat || CASE WHEN d.topic = '' THEN '' ELSE '/' || d.topic END FROM destinations d WHERE ",
            $condition
        )
    };
}
const PLACES: &str = places_where!("TRUE");
/// Changes of these are recorded; a person's own are nobody else's business.
const COMMUNITIES: &str = places_where!("d.place <> 'person'");
/// What the old limits held is composed again under the new ones, which hold it on where they must.
const LOOK_AGAIN: (&str, &str) = over_rows!(
    "UPDATE alerts SET release_at = $2 WHERE state = 'pending' AND release_at > $2
       AND reason IN ('cooldown', 'confirmation', 'more_polls', 'flapping', 'hourly_cap', 'quiet_hours', 'digest', 'muted')
       AND destination_id IN (SELECT CAST(CAST(r.value AS TEXT) AS BIGINT) FROM",
    ")"
);
const REMOVE_SUBSCRIPTIONS: (&str, &str) = over_rows!(
    "DELETE FROM subscriptions WHERE EXISTS (SELECT 1 FROM",
    "WHERE CAST(r.value ->> 'destination_id' AS BIGINT) = destination_id AND r.value ->> 'target' = target AND r.value ->> 'kind' = kind)"
);
const REMOVE_EXCLUSIONS: (&str, &str) = over_rows!(
    "DELETE FROM exclusions WHERE EXISTS (SELECT 1 FROM",
    "WHERE CAST(r.value ->> 'destination_id' AS BIGINT) = destination_id AND r.value ->> 'source' = source AND r.value ->> 'kind' = kind
        AND CAST(r.value ->> 'token_id' AS BIGINT) = token_id)"
);
const REMOVE_MUTES: (&str, &str) = over_rows!(
    "DELETE FROM token_mutes WHERE EXISTS (SELECT 1 FROM",
    "WHERE CAST(r.value ->> 'destination_id' AS BIGINT) = destination_id AND r.value ->> 'source' = source
        AND CAST(r.value ->> 'token_id' AS BIGINT) = token_id)"
);
const SET_REACH: (&str, &str) = over_rows!(
    "UPDATE destinations SET route = h.route, mentioned_at = h.mentioned_at, rest_until = h.rest_until,
        quarantine_reason = h.quarantine_reason, quarantined_at = h.quarantined_at, next_probe_at = h.next_probe_at, probes = h.probes
     FROM (SELECT CAST(r.value ->> 'id' AS BIGINT) AS id, r.value ->> 'route' AS route,
        CAST(r.value ->> 'mentioned_at' AS BIGINT) AS mentioned_at, CAST(r.value ->> 'rest_until' AS BIGINT) AS rest_until,
        r.value ->> 'quarantine_reason' AS quarantine_reason, CAST(r.value ->> 'quarantined_at' AS BIGINT) AS quarantined_at,
        CAST(r.value ->> 'next_probe_at' AS BIGINT) AS next_probe_at, CAST(r.value ->> 'probes' AS BIGINT) AS probes FROM",
    ") AS h WHERE destinations.id = h.id"
);

macro_rules! of_removed {
    ($before:literal, $after:literal) => {
        over_rows!(concat!($before, " IN (SELECT CAST(CAST(r.value AS TEXT) AS BIGINT) FROM"), concat!(")", $after))
    };
}
/// Everything about places that are removed, in an order in which rows go before those that they refer to.
pub(super) const REMOVE_PLACES: &[(&str, &str)] = &[
    of_removed!("DELETE FROM message_alerts WHERE message_id IN (SELECT id FROM messages WHERE destination_id", ")"),
    of_removed!("DELETE FROM message_alerts WHERE alert_id IN (SELECT id FROM alerts WHERE destination_id", ")"),
    of_removed!("DELETE FROM attempts WHERE message_id IN (SELECT id FROM messages WHERE destination_id", ")"),
    of_removed!("DELETE FROM messages WHERE destination_id", ""),
    of_removed!("DELETE FROM alerts WHERE destination_id", ""),
    of_removed!("DELETE FROM told WHERE destination_id", ""),
    of_removed!("DELETE FROM buttons WHERE destination_id", ""),
    of_removed!("DELETE FROM token_mutes WHERE destination_id", ""),
    of_removed!("DELETE FROM token_news WHERE destination_id", ""),
    of_removed!("DELETE FROM exclusions WHERE destination_id", ""),
    of_removed!("DELETE FROM subscriptions WHERE destination_id", ""),
    // Their numbers may come again: nothing that is told or recorded by number goes over to another place.
    of_removed!("DELETE FROM notices WHERE name IN (SELECT 'quarantine:' || CAST(d.id AS TEXT) FROM destinations d WHERE d.id", ")"),
    of_removed!("UPDATE audit SET destination_id = NULL WHERE destination_id", ""),
    of_removed!("DELETE FROM destinations WHERE id", ""),
];
/// The whole state but for the calls: what was called stays counted.
pub(super) const CLEAR: &[&str] = &[
    "DELETE FROM message_alerts",
    "DELETE FROM attempts",
    "DELETE FROM messages",
    "DELETE FROM alerts",
    "DELETE FROM fanout_jobs",
    "DELETE FROM changes",
    "DELETE FROM polls",
    "DELETE FROM observations",
    "DELETE FROM token_states",
    "DELETE FROM lookups",
    "DELETE FROM feeds",
    "DELETE FROM tokens",
    "DELETE FROM token_news",
    "DELETE FROM told",
    "DELETE FROM buttons",
    "DELETE FROM audit WHERE actor <> 'import'",
    "DELETE FROM notices",
    "DELETE FROM interactions_seen",
    "DELETE FROM updates_seen",
    "UPDATE destinations SET route = NULL, mentioned_at = NULL, rest_until = 0, quarantine_reason = NULL, quarantined_at = NULL,
        next_probe_at = NULL, probes = 0",
];
macro_rules! numbered_on {
    ($table:literal) => {
        concat!("SELECT setval(pg_get_serial_sequence('", $table, "', 'id'), COALESCE(MAX(id), 0) + 1, FALSE) FROM ", $table)
    };
}
/// The next rows are numbered after those that kept their numbers; SQLite looks for itself.
pub(super) const NUMBER_ON: &[(&str, &str)] = &[
    ("SELECT 1", numbered_on!("polls")),
    ("SELECT 1", numbered_on!("changes")),
    ("SELECT 1", numbered_on!("alerts")),
    ("SELECT 1", numbered_on!("messages")),
];

/// The rows of a statement, in chunks.
fn chunks<'a, S: Section>(rows: &'a [S], places: &'a Places) -> impl Iterator<Item = Result<String, StoreError>> + 'a {
    rows.chunks(CHUNK).map(|chunk| {
        let natives: Option<Vec<_>> = chunk.iter().map(|row| row.native(places)).collect();
        let natives = natives.ok_or_else(|| StoreError::corrupt("a place", "it is not among the destinations"))?;
        Ok(serde_json::to_string(&natives).unwrap_or_default())
    })
}

/// Writes rows with the statement `$sql`: `write_rows!(tx, rows, places, sql)`.
macro_rules! write_rows {
    ($tx:ident, $rows:expr, $places:expr, $sql:expr) => {
        for list in chunks(&$rows, &$places) {
            sqlx::query($sql).bind(list?).execute(&mut *$tx).await?;
        }
    };
}
macro_rules! write_sections {
    ($store:expr, $tx:ident, $places:ident, $from:ident [$($field:ident: $row:ident),*]) => {$(
        let sql = if <$row as Section>::NAME == Reach::NAME { SET_REACH } else { <$row as Section>::WRITE };
        write_rows!($tx, $from.$field, $places, $store.words(sql));
    )*};
}
macro_rules! load_sections {
    ($store:expr, $tx:ident [$($field:ident: $row:ident),*]) => {
        Configuration { $($field: sqlx::query_as::<_, $row>($store.words(<$row as Section>::READ)).fetch_all(&mut *$tx).await?),* }
    };
}

/// The places as they are now.
macro_rules! places {
    ($tx:ident, $sql:ident) => {{
        let rows: Vec<(i64, String)> = sqlx::query_as($sql).fetch_all(&mut *$tx).await?;
        rows.into_iter().map(|(row, address)| (address, row)).collect::<Places>()
    }};
}

macro_rules! present {
    ($store:expr, $tx:ident) => {{
        let configuration = for_configuration!(load_sections, $store, $tx);
        let calls: Vec<Call> = sqlx::query_as($store.words(Call::READ)).fetch_all(&mut *$tx).await?;
        let mut digester = Digester::default();
        for_state!(stream_sections, $store, $tx, digester, 0,);
        Present { configuration, calls, state: digester.sections() }
    }};
}

macro_rules! apply {
    ($store:expr, $tx:ident, $plan:ident, $state:ident, $now:ident) => {
        if $plan.state == StatePlan::Replace {
            for sql in CLEAR {
                sqlx::query(*sql).execute(&mut *$tx).await?;
            }
        }
        let (before, mut communities): (Places, Places) = (places!($tx, PLACES), places!($tx, COMMUNITIES));
        let (put, remove) = (&$plan.put, &$plan.remove);
        write_rows!($tx, remove.subscriptions, before, $store.words(REMOVE_SUBSCRIPTIONS));
        write_rows!($tx, remove.exclusions, before, $store.words(REMOVE_EXCLUSIONS));
        write_rows!($tx, remove.mutes, before, $store.words(REMOVE_MUTES));
        let removed: Vec<_> = remove.destinations.iter().filter_map(|place| before.get(&place.address.0)).collect();
        if !removed.is_empty() {
            for sql in REMOVE_PLACES {
                sqlx::query($store.words(*sql)).bind(json!(removed).to_string()).execute(&mut *$tx).await?;
            }
        }
        write_rows!($tx, put.destinations, before, $store.words(Destination::WRITE));
        let places: Places = places!($tx, PLACES);
        write_rows!($tx, put.subscriptions, places, $store.words(Subscription::WRITE));
        write_rows!($tx, put.exclusions, places, $store.words(Exclusion::WRITE));
        write_rows!($tx, put.mutes, places, $store.words(Mute::WRITE));
        write_rows!($tx, $plan.calls, places, $store.words(Call::WRITE));
        if $plan.state == StatePlan::Keep {
            let quieter = remove.mutes.iter().chain(&put.mutes).map(|mute| &mute.destination.0);
            let changed = put.destinations.iter().map(|place| &place.address.0).chain(quieter);
            let changed: Vec<_> = changed.filter_map(|address| places.get(address)).collect();
            sqlx::query($store.words(LOOK_AGAIN)).bind(json!(changed).to_string()).bind($now.as_millis()).execute(&mut *$tx).await?;
        } else {
            for_state!(write_sections, $store, $tx, places, $state);
            for sql in NUMBER_ON {
                sqlx::query($store.words(*sql)).execute(&mut *$tx).await?;
            }
        }
        let (old, new) = (by_place(remove), by_place(put));
        communities.extend(places!($tx, COMMUNITIES));
        let touched: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
        for address in touched.into_iter().filter(|address| communities.contains_key(*address)) {
            let text = |rows: &BTreeMap<&str, Map<String, Value>>| rows.get(address).map(|rows| json!(rows).to_string());
            sqlx::query(audit::RECORD)
                .bind($now.as_millis())
                .bind(Platform::Console.as_str())
                .bind(ACTOR)
                .bind(None::<String>)
                .bind(places.get(address))
                .bind(ACTOR)
                .bind(text(&old))
                .bind(text(&new))
                .execute(&mut *$tx)
                .await?;
        }
    };
}

impl Store {
    /// Looks at what is there, asks `judge` what to do about it, and does that, all in one transaction; with `dry_run` nothing is done. Gives
    /// what was there and what was, or would be, done. `state` is the file's, for a plan that writes it.
    ///
    /// # Errors
    /// Where the database fails or is served by another process, or `judge` refuses: nothing was changed.
    pub async fn import<Refusal>(
        &self,
        state: Option<&State>,
        judge: impl Fn(&Present) -> Result<Plan, Refusal>,
        dry_run: bool,
        now: Timestamp,
    ) -> Result<(Present, Plan), ImportError<Refusal>> {
        let begin = if dry_run { SNAPSHOT } else { ("BEGIN IMMEDIATE", "BEGIN") };
        let (empty, alone) = (State::default(), dry_run || self.is_sqlite());
        let state = state.unwrap_or(&empty);
        macro_rules! import {
            ($pool:expr) => {{
                let mut tx = $pool.begin_with(self.words(begin)).await?;
                // Whoever reads or writes the file may take their time.
                sqlx::query(self.words(super::super::open::TAKE_TIME)).execute(&mut *tx).await?;
                if !alone {
                    // Whoever wants to serve meanwhile waits for the end of this transaction.
                    sqlx::query(self.words(leases::LOCK)).execute(&mut *tx).await?;
                    let served: i64 = sqlx::query_scalar(leases::ANYBODY).bind(now.as_millis()).fetch_one(&mut *tx).await?;
                    if served > 0 {
                        return Err(ImportError::InUse);
                    }
                }
                let present = present!(self, tx);
                let plan = judge(&present).map_err(ImportError::Refused)?;
                if dry_run || plan.is_empty() {
                    tx.rollback().await?;
                    return Ok((present, plan));
                }
                apply!(self, tx, plan, state, now);
                if !alone {
                    // One that was paused when it seemed to serve no more does not go on with what it knew.
                    sqlx::query(leases::END_TERMS).execute(&mut *tx).await?;
                }
                tx.commit().await?;
                Ok((present, plan))
            }};
        }
        match &self.db {
            Db::Sqlite { writer, .. } => import!(writer.connection()),
            Db::Postgres(postgres) => import!(&postgres.pool),
        }
    }
}

/// Everything about one place, for the audit.
fn by_place(configuration: &Configuration) -> BTreeMap<&str, Map<String, Value>> {
    let mut places: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    macro_rules! add {
        ($configuration:ident [$($field:ident: $row:ident),*]) => {$(
            for row in &$configuration.$field {
                let Some(place) = row.place() else { continue };
                let list = places.entry(&place.0).or_default().entry(<$row as Section>::NAME).or_insert_with(|| json!([]));
                if let (Value::Array(list), Value::Object(mut row)) = (list, json!(row)) {
                    // Whoever made it may want to be forgotten.
                    row.remove("creator");
                    list.push(row.into());
                }
            }
        )*};
    }
    for_configuration!(add, configuration);
    places
}

pub(in crate::store) const STATEMENTS: &[&str] = &[PLACES, COMMUNITIES];
pub(in crate::store) const PAIRS: &[(&str, &str)] = &[LOOK_AGAIN, REMOVE_SUBSCRIPTIONS, REMOVE_EXCLUSIONS, REMOVE_MUTES, SET_REACH];
