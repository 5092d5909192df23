//! What decides where new messages stand in their lane, and how far each lane has got.

use super::{
    Store, StoreError, StoreResult,
    dialect::{on_db, over_rows},
};
use crate::domain::{Backlog, Community, DestinationId, FairQueue, Lane, Platform, StartTag};
use std::collections::{BTreeMap, BTreeSet};

/// How far the lane has got on the platform of the destination `d`: where messages stand that have no share to wait for.
macro_rules! virtual_time {
    ($lane:literal) => {
        concat!(
            "COALESCE((SELECT v.start_tag FROM virtual_times v WHERE v.platform = d.platform AND v.lane = CAST(",
            $lane,
            " AS BIGINT)), 0)"
        )
    };
}
pub(super) use virtual_time;

const VIRTUAL_TIMES: &str = "SELECT platform, lane, start_tag FROM virtual_times";
/// Never back: what was passed over may be claimed later.
pub(super) const ADVANCE: &str = "INSERT INTO virtual_times (platform, lane, start_tag) VALUES ($1, $2, $3)
    ON CONFLICT (platform, lane) DO UPDATE SET start_tag = excluded.start_tag WHERE excluded.start_tag > virtual_times.start_tag";
const COMMUNITIES: (&str, &str) = over_rows!(
    "SELECT d.id, d.platform, d.tenant, d.chat FROM destinations d WHERE d.id IN (SELECT CAST(CAST(r.value AS TEXT) AS BIGINT) FROM",
    ")"
);
/// The places of each server or group, and its last message in each lane; from the keys, which the order of the join says to SQLite.
const PLACES: (&str, &str) = over_rows!(
    "SELECT o.platform, o.tenant, COUNT(*) FROM",
    "CROSS JOIN destinations o WHERE o.platform = r.value ->> 0 AND o.tenant = r.value ->> 1 GROUP BY o.platform, o.tenant"
);
const LAST_OF_LANES: (&str, &str) = over_rows!(
    "SELECT o.platform, o.tenant, m.lane, MAX(m.start_tag) FROM",
    "CROSS JOIN destinations o CROSS JOIN messages m WHERE o.platform = r.value ->> 0 AND o.tenant = r.value ->> 1
        AND m.destination_id = o.id AND m.state = 'queued' AND m.lane IN (1, 2, 3) GROUP BY o.platform, o.tenant, m.lane"
);

pub(super) const STATEMENTS: &[&str] = &[VIRTUAL_TIMES, ADVANCE];
pub(super) const PAIRS: &[(&str, &str)] = &[COMMUNITIES, PLACES, LAST_OF_LANES];

fn platform(word: &str) -> StoreResult<Platform> {
    Platform::parse(word).ok_or_else(|| StoreError::corrupt("a platform", word))
}

fn community(platform_word: &str, name: String) -> StoreResult<Community> {
    Ok(Community { platform: platform(platform_word)?, name })
}

impl Store {
    /// What decides where new messages to these destinations stand.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn fair_queue(&self, destinations: impl Iterator<Item = DestinationId>) -> StoreResult<FairQueue> {
        let ids: Vec<i64> = destinations.map(|id| id.0).collect();
        if ids.is_empty() {
            return Ok(FairQueue::default());
        }
        let ids = serde_json::to_string(&ids).unwrap_or_default();
        let mut queue = FairQueue { virtual_times: self.virtual_times().await?, ..FairQueue::default() };
        let sql = self.words(COMMUNITIES);
        let rows: Vec<(i64, String, Option<String>, String)> =
            on_db!(self.db, pool => sqlx::query_as(sql).bind(&ids).fetch_all(pool).await)?;
        let mut tenants = BTreeSet::new();
        for (id, platform, tenant, chat) in rows {
            tenants.extend(tenant.clone().map(|tenant| (platform.clone(), tenant)));
            queue.communities.insert(DestinationId(id), community(&platform, tenant.unwrap_or(chat))?);
        }
        if !tenants.is_empty() {
            self.add_backlogs(&tenants, &mut queue.backlogs).await?;
        }
        Ok(queue)
    }

    async fn virtual_times(&self) -> StoreResult<BTreeMap<(Platform, Lane), StartTag>> {
        let rows: Vec<(String, i64, i64)> = on_db!(self.db, pool => sqlx::query_as(VIRTUAL_TIMES).fetch_all(pool).await)?;
        rows.into_iter().map(|(word, lane, tag)| Ok(((platform(&word)?, Lane::from_i64(lane)), StartTag(tag)))).collect()
    }

    async fn add_backlogs(&self, tenants: &BTreeSet<(String, String)>, backlogs: &mut BTreeMap<Community, Backlog>) -> StoreResult<()> {
        let (places, last) = (self.words(PLACES), self.words(LAST_OF_LANES));
        let keys = serde_json::to_string(tenants).unwrap_or_default();
        let rows: Vec<(String, String, i64)> = on_db!(self.db, pool => sqlx::query_as(places).bind(&keys).fetch_all(pool).await)?;
        for (platform, tenant, places) in rows {
            backlogs.entry(community(&platform, tenant)?).or_default().places = u32::try_from(places).unwrap_or(u32::MAX);
        }
        let rows: Vec<(String, String, i64, i64)> = on_db!(self.db, pool => sqlx::query_as(last).bind(&keys).fetch_all(pool).await)?;
        for (platform, tenant, lane, tag) in rows {
            backlogs.entry(community(&platform, tenant)?).or_default().last.insert(Lane::from_i64(lane), StartTag(tag));
        }
        Ok(())
    }
}
