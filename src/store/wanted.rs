//! What everybody subscribed to, taken together: what polls ask for, and what they will cost.

use super::{
    Store, StoreError, StoreResult,
    dialect::{json_list, list, on_db},
};
use crate::domain::{Kind, SourceId, Target, Timestamp, TokenId};
use std::collections::{BTreeMap, BTreeSet};

/// From each target to the next by the index: one that a hundred thousand people share costs no more than one of a single person.
macro_rules! wanted {
    () => {
        "WITH RECURSIVE wanted (target) AS (
            SELECT MIN(target) FROM subscriptions WHERE source = $1 AND kind = $2
            UNION ALL
            SELECT (SELECT MIN(s.target) FROM subscriptions s WHERE s.source = $1 AND s.kind = $2 AND s.target > wanted.target)
            FROM wanted WHERE wanted.target IS NOT NULL
         ) "
    };
}
const TARGETS: (&str, &str) = json_list!("w.target", concat!("FROM (", wanted!(), "SELECT target FROM wanted WHERE target IS NOT NULL) w"));
/// Of the subscriptions after one of them, in their order: by any other index all would be walked instead of the newest.
const TARGETS_SINCE: (&str, &str) =
    json_list!("w.kind, w.target", "FROM (SELECT kind, target FROM subscriptions WHERE id > $2 AND source || '' = $1 ORDER BY id) w");
const IN_ALL: (&str, &str) = json_list!("token_id", "FROM tokens WHERE source = $1 AND in_all");
const WITH_DATA_TIMES: (&str, &str) = json_list!(
    "w.token_id, s.data_time",
    concat!(
        "FROM (",
        wanted!(),
        "SELECT CAST(target AS BIGINT) AS token_id FROM wanted WHERE target <> 'all'
         UNION
         SELECT token_id FROM tokens WHERE source = $1 AND in_all
            AND EXISTS (SELECT 1 FROM subscriptions WHERE source = $1 AND kind = $2 AND target = 'all')
    ) w LEFT JOIN token_states s ON s.source = $1 AND s.kind = $2 AND s.token_id = w.token_id"
    )
);
const NEWEST_SUBSCRIPTION: &str = "SELECT MAX(id) FROM subscriptions";

pub(super) const STATEMENTS: &[&str] = &[NEWEST_SUBSCRIPTION];
pub(super) const PAIRS: &[(&str, &str)] = &[TARGETS, TARGETS_SINCE, IN_ALL, WITH_DATA_TIMES];

/// What everybody together wants of each kind, to count what polling it takes.
#[derive(Clone, Debug, Default)]
pub struct WantedTargets {
    targets: BTreeMap<Kind, BTreeSet<Target>>,
    in_all: BTreeSet<TokenId>,
}

impl WantedTargets {
    /// The tokens that `all` means now.
    pub fn in_all(&self) -> &BTreeSet<TokenId> {
        &self.in_all
    }

    /// How many tokens a poll of this kind asks for.
    pub fn tokens(&self, kind: Kind) -> u32 {
        self.tokens_with(kind, &[])
    }

    /// How many it would ask for if these were subscribed to as well.
    pub fn tokens_with(&self, kind: Kind, more: &[Target]) -> u32 {
        let wanted: BTreeSet<Target> = self.targets.get(&kind).into_iter().flatten().chain(more).copied().collect();
        let by_all = if wanted.contains(&Target::All) { self.in_all.len() } else { 0 };
        let beside = |target: &&Target| matches!(target, Target::Token(token) if by_all == 0 || !self.in_all.contains(token));
        u32::try_from(by_all + wanted.iter().filter(beside).count()).unwrap_or(u32::MAX)
    }
}

impl Store {
    /// What everybody wants of each kind that can be subscribed to.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn wanted_targets(&self, source: SourceId) -> StoreResult<WantedTargets> {
        let mut wanted = WantedTargets { in_all: self.tokens_in_all(source).await?, ..WantedTargets::default() };
        let sql = self.words(TARGETS);
        for kind in Kind::ALL.iter().copied() {
            let rows: String =
                on_db!(self.db, pool => sqlx::query_scalar(sql).bind(source.as_str()).bind(kind.as_str()).fetch_one(pool).await)?;
            let rows: Vec<(String,)> = list(&rows)?;
            wanted.targets.insert(kind, rows.iter().map(|(word,)| target(word)).collect::<StoreResult<_>>()?);
        }
        Ok(wanted)
    }

    /// Adds what was subscribed to after this subscription, and what `all` means now. What nobody wants any more stays.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn add_wanted_since(&self, newest: i64, source: SourceId, wanted: &mut WantedTargets) -> StoreResult<()> {
        let sql = self.words(TARGETS_SINCE);
        let rows: String = on_db!(self.db, pool => sqlx::query_scalar(sql).bind(source.as_str()).bind(newest).fetch_one(pool).await)?;
        let rows: Vec<(String, String)> = list(&rows)?;
        for (kind, word) in &rows {
            let kind = Kind::parse(kind).ok_or_else(|| StoreError::corrupt("a kind", kind))?;
            wanted.targets.entry(kind).or_default().insert(target(word)?);
        }
        wanted.in_all = self.tokens_in_all(source).await?;
        Ok(())
    }

    /// The tokens that `all` means at present.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn tokens_in_all(&self, source: SourceId) -> StoreResult<BTreeSet<TokenId>> {
        let sql = self.words(IN_ALL);
        let ids: String = on_db!(self.db, pool => sqlx::query_scalar(sql).bind(source.as_str()).fetch_one(pool).await)?;
        let ids: Vec<(i64,)> = list(&ids)?;
        Ok(ids.into_iter().map(|(id,)| TokenId(id)).collect())
    }

    /// Every token that somebody subscribed to in this kind (`all`: those that it means at present), with its stored data time.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn wanted_tokens(&self, source: SourceId, kind: Kind) -> StoreResult<BTreeMap<TokenId, Option<Timestamp>>> {
        let sql = self.words(WITH_DATA_TIMES);
        let rows: String =
            on_db!(self.db, pool => sqlx::query_scalar(sql).bind(source.as_str()).bind(kind.as_str()).fetch_one(pool).await)?;
        let rows: Vec<(i64, Option<i64>)> = list(&rows)?;
        Ok(rows.into_iter().map(|(id, at)| (TokenId(id), at.map(Timestamp::from_millis))).collect())
    }

    /// The number of the newest subscription, which says cheaply whether there may be one to a feed that nobody wanted.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn newest_subscription(&self) -> StoreResult<Option<i64>> {
        Ok(on_db!(self.db, pool => sqlx::query_scalar(NEWEST_SUBSCRIPTION).fetch_one(pool).await)?)
    }
}

fn target(word: &str) -> StoreResult<Target> {
    Target::parse(word).ok_or_else(|| StoreError::corrupt("a target", word))
}
