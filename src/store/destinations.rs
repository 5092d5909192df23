//! Places that are told: made when first needed, quarantined when they cannot be reached, never deleted by us.

use super::{
    Store, StoreError, StoreResult,
    dialect::{in_transaction, on_db, write_db},
    recalling::set_aside,
};
use crate::domain::{Address, Destination, DestinationId, Place, Platform, Quarantine, QuarantineReason, Settings, Timestamp};

macro_rules! columns {
    () => {
        "id, platform, chat, topic, place, tenant, route, settings, muted_until, mentioned_at, quarantine_reason, quarantined_at, next_probe_at, probes"
    };
}
pub(super) use columns;

macro_rules! ensured {
    ($known:literal) => {
        concat!(
            "INSERT INTO destinations (platform, chat, topic, place, tenant, label, settings, creator, created_at, rest_until, probes)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, 0, 0)
    ON CONFLICT (platform, chat, topic) DO UPDATE SET label = COALESCE(excluded.label, destinations.label), tenant = COALESCE(excluded.tenant, destinations.tenant)",
            $known,
            " RETURNING id"
        )
    };
}
/// Whoever wants something of the bot is not forgotten any more. What nobody has set up yet, though it was answered in or operators are told there,
/// is whose who does so now.
pub(super) const ENSURE: &str =
    ensured!(", forgotten_at = NULL, creator = COALESCE(NULLIF(destinations.creator, 'operator'), excluded.creator, destinations.creator)");
/// An answer alone changes nothing about that.
pub(super) const ENSURE_FOR_ANSWER: &str = ensured!("");
const BY_ID: &str = concat!("SELECT ", columns!(), " FROM destinations WHERE id = $1");
pub(super) const BY_ADDRESS: &str = concat!("SELECT ", columns!(), " FROM destinations WHERE platform = $1 AND chat = $2 AND topic = $3");
pub(super) const BY_CHAT: &str = concat!("SELECT ", columns!(), " FROM destinations WHERE platform = $1 AND chat = $2");
const BY_TENANT: &str = concat!("SELECT ", columns!(), " FROM destinations WHERE platform = $1 AND tenant = $2");
const TENANTS: &str = "SELECT DISTINCT tenant FROM destinations WHERE platform = $1 AND tenant IS NOT NULL";
pub(super) const SET_SETTINGS: &str = "UPDATE destinations SET settings = $2 WHERE id = $1";
const SET_ROUTE: &str = "UPDATE destinations SET route = $2 WHERE id = $1";
pub(super) const QUARANTINE: &str =
    "UPDATE destinations SET quarantine_reason = $2, quarantined_at = COALESCE(quarantined_at, $3), next_probe_at = $4,
    probes = probes + 1 WHERE id = $1";
/// That `o` is the private chat of whoever set the destination `d` up.
macro_rules! is_owners {
    () => {
        "o.platform = d.platform AND o.topic = '' AND o.place = 'person' AND o.chat = CASE d.platform WHEN 'discord' THEN 'user:' ELSE '' END
            || SUBSTR(d.creator, LENGTH(d.platform) + 2)"
    };
}
/// That one, where the bot has one with them and is not refused there (K4).
macro_rules! owner {
    () => {
        concat!(
            "(SELECT o.chat FROM destinations o WHERE o.quarantine_reason IS NULL AND o.forgotten_at IS NULL AND ",
            is_owners!(),
            ") AS owner"
        )
    };
}
/// The destination of which the notice `n` tells that it is in quarantine.
macro_rules! told_of {
    () => {
        "CASE WHEN n.name LIKE 'quarantine:%' THEN CAST(SUBSTR(n.name, 12) AS BIGINT) END"
    };
}
pub(super) use {is_owners, told_of};
/// What turned back meanwhile is not told, so that nothing may be on its way.
const RESTORED: &str = concat!(
    "SELECT d.id, d.platform, d.chat, d.topic, d.label, '' AS quarantine_reason, (EXISTS (SELECT 1 FROM alerts a
        WHERE a.destination_id = d.id AND a.state = 'pending' AND a.reason <> 'net_zero')
        OR EXISTS (SELECT 1 FROM messages m JOIN message_alerts l ON l.message_id = m.id
            WHERE m.destination_id = d.id AND (m.state = 'queued' OR m.finished_at >= n.told_at))) AS has_news, ",
    owner!(),
    " FROM notices n JOIN destinations d ON d.id = ",
    told_of!(),
    " WHERE n.name LIKE 'quarantine:%' AND d.quarantine_reason IS NULL ORDER BY d.id LIMIT 500"
);
const UNTOLD_QUARANTINES: &str = concat!(
    "SELECT d.id, d.platform, d.chat, d.topic, d.label, d.quarantine_reason, d.quarantine_reason IS NULL AS has_news, ",
    owner!(),
    " FROM destinations d WHERE d.quarantine_reason IS NOT NULL AND d.quarantined_at <= $1 AND d.place <> 'person'
      AND NOT EXISTS (SELECT 1 FROM notices n WHERE n.name = 'quarantine:' || CAST(d.id AS TEXT)) ORDER BY d.next_probe_at LIMIT 500"
);
/// What made it unreachable may be over.
const PROBE_NOW: &str = "UPDATE destinations SET next_probe_at = $2 WHERE id = $1 AND quarantine_reason IS NOT NULL AND next_probe_at > $2";
/// Of the places of a server that lack rights, that whose turn comes first: each that is tried in vain has its next turn after the others. Those that
/// have nothing to be told would not be tried at all.
const PROBE_ONE: &str = "UPDATE destinations SET next_probe_at = $3 WHERE next_probe_at > $3 AND id = (SELECT d.id FROM destinations d
    WHERE d.platform = $1 AND d.tenant = $2 AND d.quarantine_reason = 'forbidden'
    ORDER BY CASE WHEN EXISTS (SELECT 1 FROM alerts a WHERE a.destination_id = d.id AND a.state = 'pending' AND a.release_at <= $3)
        OR EXISTS (SELECT 1 FROM messages m WHERE m.destination_id = d.id AND m.state = 'queued') THEN 0 ELSE 1 END, d.next_probe_at, d.id LIMIT 1)";
macro_rules! probe_siblings {
    ($lock:literal) => {
        concat!(
            "UPDATE destinations SET next_probe_at = $3 WHERE id IN (SELECT id FROM destinations WHERE platform = $1 AND tenant = $2
                AND quarantine_reason = 'forbidden' AND next_probe_at > $3",
            $lock,
            ")"
        )
    };
}
/// One place of a server takes messages again: the others that lacked rights may do so as well. Locked in one order, because several of them
/// are often reached at the same moment.
pub(super) const PROBE_SIBLINGS: (&str, &str) = (probe_siblings!(""), probe_siblings!(" ORDER BY id FOR NO KEY UPDATE"));
const RESTORE: &str = "UPDATE destinations SET quarantine_reason = NULL, quarantined_at = NULL, next_probe_at = NULL, probes = 0
    WHERE id = $1 AND quarantine_reason IS NOT NULL";

pub(super) const STATEMENTS: &[&str] = &[
    ENSURE,
    ENSURE_FOR_ANSWER,
    BY_ID,
    BY_ADDRESS,
    BY_CHAT,
    BY_TENANT,
    TENANTS,
    SET_SETTINGS,
    SET_ROUTE,
    QUARANTINE,
    RESTORED,
    UNTOLD_QUARANTINES,
    PROBE_NOW,
    PROBE_ONE,
    RESTORE,
];
pub(super) const PAIRS: &[(&str, &str)] = &[PROBE_SIBLINGS];

/// What is known of a destination when it is first needed.
#[derive(Clone, Debug)]
pub struct NewDestination {
    /// Where it is.
    pub address: Address,
    /// What kind of place.
    pub place: Place,
    /// The server or group it belongs to.
    pub tenant: Option<String>,
    /// What people call it.
    pub label: Option<String>,
    /// Who set it up, as `platform:user`, or `operator` where that is the configuration; nobody where it is only answered in.
    pub creator: Option<String>,
}

/// A destination whose quarantine, or whose end of it, nobody was told of yet.
#[derive(Clone, Debug, PartialEq, Eq, sqlx::FromRow)]
pub struct UntoldQuarantine {
    /// Its row.
    pub id: i64,
    /// Its platform's name.
    pub platform: String,
    /// Its chat.
    pub chat: String,
    /// Its topic, or nothing.
    pub topic: String,
    /// What people call it.
    pub label: Option<String>,
    /// Why it cannot be reached; empty once it can.
    pub quarantine_reason: String,
    /// Whether it can be reached again and is told something, or was since.
    pub has_news: bool,
    /// The private chat of whoever set it up, where they can be told there.
    pub owner: Option<String>,
}

#[derive(sqlx::FromRow)]
pub(super) struct DestinationRow {
    id: i64,
    platform: String,
    chat: String,
    topic: String,
    place: String,
    tenant: Option<String>,
    route: Option<String>,
    settings: String,
    muted_until: Option<i64>,
    mentioned_at: Option<i64>,
    quarantine_reason: Option<String>,
    quarantined_at: Option<i64>,
    next_probe_at: Option<i64>,
    probes: i64,
}

impl TryFrom<DestinationRow> for Destination {
    type Error = StoreError;

    fn try_from(row: DestinationRow) -> Result<Self, StoreError> {
        let at = |millis: Option<i64>| millis.map(Timestamp::from_millis);
        let quarantine = match row.quarantine_reason {
            None => None,
            Some(word) => Some(Quarantine {
                reason: QuarantineReason::parse(&word).ok_or_else(|| StoreError::corrupt("a quarantine reason", &word))?,
                since: at(row.quarantined_at).unwrap_or_default(),
                next_probe_at: at(row.next_probe_at).unwrap_or(Timestamp::NEVER),
                probes: u32::try_from(row.probes).unwrap_or_default(),
            }),
        };
        Ok(Self {
            id: DestinationId(row.id),
            address: address_of(&row.platform, row.chat, row.topic)?,
            place: Place::parse(&row.place).ok_or_else(|| StoreError::corrupt("a place", &row.place))?,
            tenant: row.tenant,
            route: row.route,
            settings: serde_json::from_str(&row.settings).map_err(|_| StoreError::corrupt("settings", &row.settings))?,
            muted_until: at(row.muted_until),
            mentioned_at: at(row.mentioned_at),
            quarantine,
        })
    }
}

/// An address of its three columns.
pub(super) fn address_of(platform: &str, chat: String, topic: String) -> StoreResult<Address> {
    let platform = Platform::parse(platform).ok_or_else(|| StoreError::corrupt("a platform", platform))?;
    Ok(Address { platform, chat, topic: (!topic.is_empty()).then_some(topic) })
}

/// The topic as it is stored: empty without one.
pub(super) fn topic_of(address: &Address) -> &str {
    address.topic.as_deref().unwrap_or_default()
}

pub(super) fn settings_json(settings: &Settings) -> String {
    serde_json::to_string(settings).unwrap_or_default()
}

/// Makes the destination if it is new and locks its row, so that what follows in the transaction is alone with it.
macro_rules! ensure {
    ($tx:ident, $new:expr, $now:expr) => {
        $crate::store::destinations::ensure!($crate::store::destinations::ENSURE, $tx, $new, $now)
    };
    ($sql:expr, $tx:ident, $new:expr, $now:expr) => {
        sqlx::query_scalar::<_, i64>($sql)
            .bind($new.address.platform.as_str())
            .bind(&$new.address.chat)
            .bind($crate::store::destinations::topic_of(&$new.address))
            .bind($new.place.as_str())
            .bind(&$new.tenant)
            .bind(&$new.label)
            .bind($crate::store::destinations::settings_json(&$crate::domain::Settings::default()))
            .bind(&$new.creator)
            .bind($now.as_millis())
            .fetch_one(&mut *$tx)
            .await?
    };
}
pub(super) use ensure;

impl Store {
    /// The destination of this address, made if it is new.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn ensure_destination(&self, new: &NewDestination, now: Timestamp) -> StoreResult<DestinationId> {
        let id: i64 = write_db!(self.db, pool => sqlx::query_scalar(ENSURE)
            .bind(new.address.platform.as_str())
            .bind(&new.address.chat)
            .bind(topic_of(&new.address))
            .bind(new.place.as_str())
            .bind(&new.tenant)
            .bind(&new.label)
            .bind(settings_json(&Settings::default()))
            .bind(&new.creator)
            .bind(now.as_millis())
            .fetch_one(pool).await)?;
        Ok(DestinationId(id))
    }

    /// One destination.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn destination(&self, id: DestinationId) -> StoreResult<Option<Destination>> {
        let row: Option<DestinationRow> = on_db!(self.db, pool => sqlx::query_as(BY_ID).bind(id.0).fetch_optional(pool).await)?;
        row.map(Destination::try_from).transpose()
    }

    /// The destination of this address, if it was ever made.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn destination_at(&self, address: &Address) -> StoreResult<Option<Destination>> {
        let row: Option<DestinationRow> = on_db!(self.db, pool => sqlx::query_as(BY_ADDRESS)
            .bind(address.platform.as_str()).bind(&address.chat).bind(topic_of(address)).fetch_optional(pool).await)?;
        row.map(Destination::try_from).transpose()
    }

    /// Every destination of a chat, its topics included.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn destinations_of_chat(&self, chat: &Address) -> StoreResult<Vec<Destination>> {
        let rows: Vec<DestinationRow> = on_db!(self.db, pool => sqlx::query_as(BY_CHAT)
            .bind(chat.platform.as_str()).bind(&chat.chat).fetch_all(pool).await)?;
        rows.into_iter().map(Destination::try_from).collect()
    }

    /// Every destination of a server or group.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn destinations_of_tenant(&self, platform: Platform, tenant: &str) -> StoreResult<Vec<Destination>> {
        let rows: Vec<DestinationRow> = on_db!(self.db, pool => sqlx::query_as(BY_TENANT)
            .bind(platform.as_str()).bind(tenant).fetch_all(pool).await)?;
        rows.into_iter().map(Destination::try_from).collect()
    }

    /// The servers and groups that any destination belongs to.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn tenants(&self, platform: Platform) -> StoreResult<Vec<String>> {
        Ok(on_db!(self.db, pool => sqlx::query_scalar(TENANTS).bind(platform.as_str()).fetch_all(pool).await)?)
    }

    /// Remembers the concrete channel of a destination (an opened DM).
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn set_route(&self, id: DestinationId, route: &str) -> StoreResult<()> {
        write_db!(self.db, pool => sqlx::query(SET_ROUTE).bind(id.0).bind(route).execute(pool).await.map(drop))?;
        Ok(())
    }

    /// Keeps a destination aside until `next_probe_at`; its subscriptions stay, and its alerts wait.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn quarantine(
        &self,
        id: DestinationId,
        reason: QuarantineReason,
        now: Timestamp,
        next_probe_at: Timestamp,
    ) -> StoreResult<()> {
        in_transaction!(self.db, tx => {
            set_aside!(self, tx, now, id.0, reason, next_probe_at);
        })
    }

    /// Channels and groups in quarantine since `before` or longer of which nobody was told, at most 500.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn untold_quarantines(&self, before: Timestamp) -> StoreResult<Vec<UntoldQuarantine>> {
        Ok(on_db!(self.db, pool => sqlx::query_as(UNTOLD_QUARANTINES).bind(before.as_millis()).fetch_all(pool).await)?)
    }

    /// Destinations of whose quarantine somebody was told and that are out of it, at most 500.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn restored_quarantines(&self) -> StoreResult<Vec<UntoldQuarantine>> {
        Ok(on_db!(self.db, pool => sqlx::query_as(RESTORED).fetch_all(pool).await)?)
    }

    /// A destination in quarantine is tried again at the next occasion: what keeps it there may be over.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn probe_now(&self, id: DestinationId, now: Timestamp) -> StoreResult<()> {
        write_db!(self.db, pool => sqlx::query(PROBE_NOW).bind(id.0).bind(now.as_millis()).execute(pool).await.map(drop))?;
        Ok(())
    }

    /// One of a server's places that lack rights is tried again at the next occasion: one that is to be told something, and each time another.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn probe_one(&self, platform: Platform, tenant: &str, now: Timestamp) -> StoreResult<()> {
        let millis = now.as_millis();
        write_db!(self.db, pool => sqlx::query(PROBE_ONE).bind(platform.as_str()).bind(tenant).bind(millis).execute(pool).await.map(drop))?;
        Ok(())
    }

    /// Takes a destination out of quarantine; says whether it was in it.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn restore(&self, id: DestinationId) -> StoreResult<bool> {
        let rows = write_db!(self.db, pool => sqlx::query(RESTORE).bind(id.0).execute(pool).await.map(|done| done.rows_affected()))?;
        Ok(rows > 0)
    }
}
