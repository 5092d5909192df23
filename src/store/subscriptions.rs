//! Who wants to hear of what: subscribe, unsubscribe and settings, each one transaction with its audit row, limits inside it.

use super::{
    AuditEntry, NewDestination, Store, StoreError, StoreResult,
    audit::record,
    changed::CHANGED,
    destinations::{self, ensure, settings_json},
    dialect::in_transaction,
    interactions::claim,
    token_news,
};
use crate::domain::{Delivery, DestinationId, Direction, Kind, Settings, SettingsChange, SourceId, Target, Threshold, Timestamp, TokenId};
use std::collections::BTreeMap;

const PRESENT: &str = "SELECT target, direction, delivery, mention, threshold FROM subscriptions WHERE destination_id = $1 AND kind = $2";
const COUNT: &str = "SELECT COUNT(*) FROM subscriptions WHERE destination_id = $1";
const PUT: &str =
    "INSERT INTO subscriptions (destination_id, source, target, kind, direction, delivery, mention, creator, created_at, updated_at, threshold,
        threshold_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9, $10, CASE WHEN CAST($10 AS TEXT) IS NOT NULL THEN CAST($9 AS BIGINT) END)
    ON CONFLICT (destination_id, target, kind) DO UPDATE SET direction = excluded.direction, delivery = excluded.delivery,
        mention = excluded.mention, updated_at = excluded.updated_at, threshold = excluded.threshold,
        threshold_at = CASE WHEN subscriptions.threshold = excluded.threshold THEN subscriptions.threshold_at ELSE excluded.threshold_at END";
const INCLUDE: &str = "DELETE FROM exclusions WHERE destination_id = $1 AND source = $2 AND kind = $3 AND token_id = $4";
const REMOVE: &str = "DELETE FROM subscriptions WHERE destination_id = $1 AND target = $2 AND kind = $3";
const REMOVE_KIND: &str = "DELETE FROM subscriptions WHERE destination_id = $1 AND kind = $2";
const INCLUDE_KIND: &str = "DELETE FROM exclusions WHERE destination_id = $1 AND kind = $2";
const EXCLUDE: &str = "INSERT INTO exclusions (destination_id, source, kind, token_id, created_at) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (destination_id, source, kind, token_id) DO NOTHING";
const LOCK: &str = "UPDATE destinations SET rest_until = rest_until WHERE id = $1";
const SETTINGS: &str = "SELECT settings FROM destinations WHERE id = $1";

/// What the old limits or the old delivery held is composed again under the new ones, which hold it on where they must.
const LOOK_AGAIN: &str = "UPDATE alerts SET release_at = $2
    WHERE destination_id = $1 AND state = 'pending' AND release_at > $2
       AND reason IN ('cooldown', 'confirmation', 'more_polls', 'flapping', 'hourly_cap', 'quiet_hours', 'digest')";

/// Somebody changed what decides about a destination.
macro_rules! look_again {
    ($tx:ident, $destination:expr, $now:expr) => {
        for sql in [CHANGED, LOOK_AGAIN] {
            sqlx::query(sql).bind($destination).bind($now.as_millis()).execute(&mut *$tx).await?;
        }
    };
}

pub(super) const STATEMENTS: &[&str] =
    &[LOOK_AGAIN, PRESENT, COUNT, PUT, INCLUDE, REMOVE, REMOVE_KIND, INCLUDE_KIND, EXCLUDE, LOCK, SETTINGS];

/// What `/subscribe` wants.
#[derive(Clone, Debug)]
pub struct SubscribeOrder {
    /// Who is told; made if it is new.
    pub destination: NewDestination,
    /// Which source.
    pub source: SourceId,
    /// Of what.
    pub targets: Vec<Target>,
    /// Which signal.
    pub kind: Kind,
    /// Which turns.
    pub direction: Direction,
    /// When.
    pub delivery: Delivery,
    /// The role to mention, its id.
    pub mention: Option<String>,
    /// The line whose crossing is told too.
    pub threshold: Option<Threshold>,
    /// Who wants it, as `platform:user`.
    pub creator: String,
    /// The most subscriptions of the destination.
    pub limit: u32,
    /// For channels and groups.
    pub audit: Option<AuditEntry>,
    /// The platform's id of the request, where it has one: the same one is carried out once.
    pub request: Option<String>,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subscribed {
    /// It is stored.
    Done {
        /// Who is told.
        destination: DestinationId,
        /// The targets that were subscribed before and were replaced.
        replaced: Vec<Target>,
        /// Whether these are the first subscriptions of the destination.
        first: bool,
    },
    /// It would be more than the limit: nothing was changed.
    OverLimit {
        /// How many there are.
        present: u32,
        /// How many would be new.
        wanted: u32,
    },
}

/// What `/settings` wants to be changed.
#[derive(Clone, Debug, Default)]
pub struct SettingsOrder {
    /// What is to be different.
    pub change: SettingsChange,
    /// For channels and groups.
    pub audit: Option<AuditEntry>,
    /// The platform's id of the request, where it has one: the same one is carried out once.
    pub request: Option<String>,
}

/// What `/unsubscribe` wants.
#[derive(Clone, Debug)]
pub struct UnsubscribeOrder {
    /// Who is told no more.
    pub destination: DestinationId,
    /// Which source.
    pub source: SourceId,
    /// Everything of the kinds, exclusions too.
    pub all: bool,
    /// These tokens.
    pub tokens: Vec<TokenId>,
    /// Of these kinds.
    pub kinds: Vec<Kind>,
    /// For channels and groups.
    pub audit: Option<AuditEntry>,
    /// The platform's id of the request, where it has one: the same one is carried out once.
    pub request: Option<String>,
}

/// What became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unsubscribed {
    /// How many subscriptions were removed.
    pub removed: u32,
    /// The tokens whose own subscription ended, with the kind.
    pub ended: Vec<(TokenId, Kind)>,
    /// The tokens that are left out of `all` from now on.
    pub excluded: Vec<(TokenId, Kind)>,
}

type PresentRow = (String, String, String, Option<String>, Option<String>);

/// A subscription as the audit shows it.
fn shown(rows: &[PresentRow]) -> Option<String> {
    let list: Vec<_> = rows
        .iter()
        .map(|(target, direction, delivery, mention, threshold)| {
            let mut shown = serde_json::json!({"target": target, "direction": direction, "delivery": delivery, "mention": mention});
            if let Some(threshold) = threshold {
                shown["threshold"] = threshold.as_str().into();
            }
            shown
        })
        .collect();
    (!list.is_empty()).then(|| serde_json::Value::Array(list).to_string())
}

fn small(count: i64) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

impl Store {
    /// Subscribes, or replaces direction, delivery and mention where it was subscribed already; what was left out of `all` comes back.
    ///
    /// # Errors
    /// Where the database fails or the request was carried out already: nothing was changed.
    pub async fn subscribe(&self, order: &SubscribeOrder, now: Timestamp) -> StoreResult<Subscribed> {
        in_transaction!(self.db, tx => {
            claim!(tx, &order.request, now);
            let destination = ensure!(tx, order.destination, now);
            let rows: Vec<PresentRow> =
                sqlx::query_as(PRESENT).bind(destination).bind(order.kind.as_str()).fetch_all(&mut *tx).await?;
            let present: i64 = sqlx::query_scalar(COUNT).bind(destination).fetch_one(&mut *tx).await?;
            let present = small(present);
            let by_target: BTreeMap<&str, &PresentRow> = rows.iter().map(|row| (row.0.as_str(), row)).collect();
            let (before, new): (Vec<Target>, Vec<Target>) =
                order.targets.iter().copied().partition(|target| by_target.contains_key(target.to_string().as_str()));
            let wanted = u32::try_from(new.len()).unwrap_or(u32::MAX);
            if wanted > 0 && present.saturating_add(wanted) > order.limit {
                Subscribed::OverLimit { present, wanted }
            } else {
                for target in &order.targets {
                    sqlx::query(PUT)
                        .bind(destination)
                        .bind(order.source.as_str())
                        .bind(target.to_string())
                        .bind(order.kind.as_str())
                        .bind(order.direction.as_str())
                        .bind(order.delivery.as_str())
                        .bind(&order.mention)
                        .bind(&order.creator)
                        .bind(now.as_millis())
                        .bind(order.threshold.map(|threshold| threshold.to_string()))
                        .execute(&mut *tx)
                        .await?;
                    if let Target::Token(token) = target {
                        sqlx::query(INCLUDE)
                            .bind(destination).bind(order.source.as_str()).bind(order.kind.as_str()).bind(token.0)
                            .execute(&mut *tx).await?;
                    }
                }
                look_again!(tx, destination, now);
                let replaced: Vec<PresentRow> =
                    before.iter().filter_map(|target| by_target.get(target.to_string().as_str()).map(|row| (*row).clone())).collect();
                record!(tx, &order.audit, destination, shown(&replaced), Some(order.shown()), now);
                Subscribed::Done { destination: DestinationId(destination), replaced: before, first: present == 0 }
            }
        })
    }

    /// Unsubscribes. A token under `all` is left out of it from now on.
    ///
    /// # Errors
    /// Where the database fails or the request was carried out already: nothing was changed.
    pub async fn unsubscribe(&self, order: &UnsubscribeOrder, now: Timestamp) -> StoreResult<Unsubscribed> {
        in_transaction!(self.db, tx => {
            claim!(tx, &order.request, now);
            let destination = order.destination.0;
            sqlx::query(LOCK).bind(destination).execute(&mut *tx).await?;
            let mut done = Unsubscribed::default();
            let mut cleared = 0;
            for kind in &order.kinds {
                let rows: Vec<PresentRow> = sqlx::query_as(PRESENT).bind(destination).bind(kind.as_str()).fetch_all(&mut *tx).await?;
                if order.all {
                    let removed = sqlx::query(REMOVE_KIND).bind(destination).bind(kind.as_str()).execute(&mut *tx).await?.rows_affected();
                    cleared += sqlx::query(INCLUDE_KIND).bind(destination).bind(kind.as_str()).execute(&mut *tx).await?.rows_affected();
                    done.removed += u32::try_from(removed).unwrap_or(u32::MAX);
                    continue;
                }
                let under_all = rows.iter().any(|row| row.0 == "all");
                for token in &order.tokens {
                    let removed = sqlx::query(REMOVE)
                        .bind(destination).bind(token.to_string()).bind(kind.as_str()).execute(&mut *tx).await?.rows_affected();
                    if removed > 0 {
                        done.removed += 1;
                        done.ended.push((*token, *kind));
                    }
                    if under_all {
                        let excluded = sqlx::query(EXCLUDE)
                            .bind(destination).bind(order.source.as_str()).bind(kind.as_str()).bind(token.0).bind(now.as_millis())
                            .execute(&mut *tx).await?.rows_affected();
                        if excluded > 0 {
                            done.excluded.push((*token, *kind));
                        }
                    }
                }
            }
            if done.removed > 0 || cleared > 0 || !done.excluded.is_empty() {
                record!(tx, &order.audit, destination, Some(order.shown()), Some(done.shown()), now);
            }
            done
        })
    }

    /// Changes what is given of the settings, and gives the result. The destination is made if it is new.
    ///
    /// # Errors
    /// Where the database fails or the request was carried out already: nothing was changed.
    pub async fn change_settings(&self, new: &NewDestination, order: &SettingsOrder, now: Timestamp) -> StoreResult<Settings> {
        in_transaction!(self.db, tx => {
            claim!(tx, &order.request, now);
            let destination = ensure!(tx, new, now);
            let before: String = sqlx::query_scalar(SETTINGS).bind(destination).fetch_one(&mut *tx).await?;
            let settings: Settings = serde_json::from_str(&before).map_err(|_| StoreError::corrupt("settings", &before))?;
            let settings = settings.changed(&order.change);
            let after = settings_json(&settings);
            sqlx::query(destinations::SET_SETTINGS).bind(destination).bind(&after).execute(&mut *tx).await?;
            look_again!(tx, destination, now);
            sqlx::query(token_news::LOOK_AGAIN).bind(destination).bind(None::<i64>).execute(&mut *tx).await?;
            record!(tx, &order.audit, destination, Some(before), Some(after), now);
            settings
        })
    }
}

impl SubscribeOrder {
    fn shown(&self) -> String {
        let targets: Vec<_> = self.targets.iter().map(ToString::to_string).collect();
        let mut shown = serde_json::json!({
            "targets": targets, "kind": self.kind, "direction": self.direction, "delivery": self.delivery, "mention": self.mention
        });
        if let Some(threshold) = self.threshold {
            shown["threshold"] = threshold.to_string().into();
        }
        shown.to_string()
    }
}

impl UnsubscribeOrder {
    fn shown(&self) -> String {
        serde_json::json!({"all": self.all, "tokens": self.tokens, "kinds": self.kinds}).to_string()
    }
}

impl Unsubscribed {
    fn shown(&self) -> String {
        serde_json::json!({"removed": self.removed, "excluded": self.excluded}).to_string()
    }
}
