//! Roles that one process at a time holds, by lease (PostgreSQL; on SQLite a lock beside the file keeps everybody else out), and who serves at all.
//!
//! A lease runs out by the clock, and a clock proves nothing about a process that was paused. So each taking of a role is a numbered [`Term`], and a
//! store that writes under one ([`Store::under`]) looks in each transaction whether that term is still the newest. Whoever was overtaken cannot write.
//!
//! Beside them stands until when a source is left alone by everybody, because it asked for that (`feeds`).

use super::{
    Db, Store, StoreResult,
    dialect::{on_db, write_db},
};
use crate::domain::{Platform, Timestamp};
use std::{borrow::Cow, sync::Arc, time::Duration};

pub(super) const TAKE: &str = "INSERT INTO leases (name, holder, fence, expires_at) VALUES ($1, $2, 1, $3)
    ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, fence = leases.fence + 1, expires_at = excluded.expires_at
    WHERE leases.expires_at <= $4 OR leases.holder = excluded.holder RETURNING fence";
/// Asked before: a refused `TAKE` writes to the log all the same.
const TAKEN: &str = "SELECT COUNT(*) FROM leases WHERE name = $1 AND holder <> $2 AND expires_at > $3";
/// For a while from now on by the database's own clock: how far apart things lie that several machines do is not to rest on the clock of each.
macro_rules! reserve {
    ($now:literal) => {
        concat!(
            "INSERT INTO leases (name, holder, fence, expires_at) VALUES ($1, $2, 1, ",
            $now,
            " + $3) ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, fence = leases.fence + 1, expires_at = excluded.expires_at
            WHERE leases.expires_at <= ",
            $now,
            " OR leases.holder = excluded.holder"
        )
    };
}
const RESERVE: (&str, &str) =
    (reserve!("CAST(unixepoch('subsec') * 1000 AS INTEGER)"), reserve!("CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)"));
const KEEP: &str = "UPDATE leases SET expires_at = $4 WHERE name = $1 AND holder = $2 AND fence = $3";
/// The row stays: a number that came again would let an old term write.
const GIVE_BACK: &str = "UPDATE leases SET expires_at = 0 WHERE name = $1 AND holder = $2 AND fence = $3";
/// Shared, so that nobody takes the role over before this transaction has ended.
pub(super) const IS_NEWEST: &str = "SELECT fence FROM leases WHERE name = $1 AND holder = $2 AND fence = $3 FOR SHARE";
const NEWEST: &str = "SELECT COUNT(*) FROM leases WHERE name = $1 AND holder = $2 AND fence = $3";
const ANNOUNCE: &str = "INSERT INTO leases (name, holder, fence, expires_at) VALUES ($1, $2, 1, $3)
    ON CONFLICT (name) DO UPDATE SET expires_at = excluded.expires_at";
const LEAVE: &str = "DELETE FROM leases WHERE name = $1
    OR ((name LIKE 'replica:%' OR name LIKE 'gateway:discord:member:%') AND expires_at < $2)";
/// Whoever runs shards, or would; and which run.
const SHARDS: &str = "SELECT name, holder FROM leases WHERE expires_at > $1
    AND (name LIKE 'gateway:discord:member:%' OR name LIKE 'gateway:discord:shard:%') ORDER BY name";
pub(super) const ANYBODY: &str = "SELECT COUNT(*) FROM leases WHERE expires_at > $1 AND name NOT LIKE 'rest:%'";

/// Nobody begins to serve before this transaction has ended.
pub(super) const LOCK: (&str, &str) = ("SELECT 1", "LOCK TABLE leases IN SHARE ROW EXCLUSIVE MODE");

pub(super) const PAIRS: &[(&str, &str)] = &[(NEWEST, IS_NEWEST), LOCK, RESERVE];
/// Whoever holds a role is overtaken, by nobody.
pub(super) const END_TERMS: &str = "UPDATE leases SET fence = fence + 1, expires_at = 0";

pub(super) const STATEMENTS: &[&str] = &[TAKE, TAKEN, KEEP, GIVE_BACK, NEWEST, ANNOUNCE, LEAVE, SHARDS, ANYBODY, END_TERMS];

/// Begins the name of what runs a shard.
const SHARD: &str = "gateway:discord:shard:";

/// What one process at a time does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Asks the source.
    Poller,
    /// Turns changes into messages.
    Flow,
    /// Keeps the house.
    Housekeeping,
    /// Sends to one platform.
    Deliverer(Platform),
    /// Takes updates from Telegram, and carries out what any process stored.
    Updates,
    /// Holds one of so many connections to Discord's Gateway.
    Shard {
        /// Which, from 0.
        index: u32,
        /// How many there are.
        of: u32,
    },
    /// Begins sessions of the Gateway in this place: they must lie a while apart, whoever begins them.
    Start(u32),
}

impl Role {
    /// Its name in the database and the log.
    pub fn name(self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Poller => "poller",
            Self::Flow => "flow",
            Self::Housekeeping => "housekeeping",
            Self::Deliverer(Platform::Discord) => "deliverer:discord",
            Self::Deliverer(Platform::Telegram) => "deliverer:telegram",
            Self::Deliverer(Platform::Console) => "deliverer:console",
            Self::Updates => "updates:telegram",
            Self::Shard { index, of } => return Cow::Owned(format!("{SHARD}{index}/{of}")),
            Self::Start(place) => return Cow::Owned(format!("gateway:discord:start:{place}")),
        })
    }
}

/// One taking of a role: what may be written in its name until the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Term {
    pub(super) role: Role,
    pub(super) holder: Arc<str>,
    pub(super) fence: i64,
}

impl Term {
    /// Of what.
    pub const fn role(&self) -> Role {
        self.role
    }
}

/// How Discord's shards are divided at present.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunningShards {
    /// Whoever runs some, or would.
    pub members: Vec<String>,
    /// Those that are run.
    pub shards: Vec<RunningShard>,
}

/// A shard that somebody runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunningShard {
    /// Which, from 0.
    pub index: u32,
    /// Of how many.
    pub of: u32,
    /// By whom.
    pub holder: String,
}

impl Store {
    /// The same database, for writing in the name of a term: each transaction fails with [`super::StoreError::Overtaken`] once another process has taken the role.
    #[must_use]
    pub fn under(&self, term: Term) -> Self {
        let mut store = self.clone();
        if let Db::Postgres(postgres) = &mut store.db {
            postgres.term = Some(term);
        }
        store
    }

    /// Whether the term that this store writes under is still the newest; always so without one.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn is_current(&self) -> StoreResult<bool> {
        let Db::Postgres(postgres) = &self.db else { return Ok(true) };
        let Some(Term { role, holder, fence }) = &postgres.term else { return Ok(true) };
        let newest: i64 = sqlx::query_scalar(NEWEST).bind(role.name()).bind(&**holder).bind(fence).fetch_one(&postgres.pool).await?;
        Ok(newest > 0)
    }

    /// Takes a role until `expires_at` if nobody holds it, or takes it over from a holder whose time is up.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn take_lease(&self, role: Role, holder: &Arc<str>, now: Timestamp, expires_at: Timestamp) -> StoreResult<Option<Term>> {
        let taken: i64 = on_db!(self.db, pool => sqlx::query_scalar(TAKEN)
            .bind(role.name()).bind(&**holder).bind(now.as_millis()).fetch_one(pool).await)?;
        if taken > 0 {
            return Ok(None);
        }
        let fence: Option<i64> = write_db!(self.db, pool => sqlx::query_scalar(TAKE)
            .bind(role.name()).bind(&**holder).bind(expires_at.as_millis()).bind(now.as_millis()).fetch_optional(pool).await)?;
        Ok(fence.map(|fence| Term { role, holder: Arc::clone(holder), fence }))
    }

    /// Takes a role for so long, if nobody else holds it, or longer where this holder has it. Nobody need keep it or give it back.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn reserve(&self, role: Role, holder: &str, lasts: Duration) -> StoreResult<bool> {
        let (sql, lasts) = (self.words(RESERVE), i64::try_from(lasts.as_millis()).unwrap_or(i64::MAX));
        let rows = write_db!(self.db, pool => sqlx::query(sql).bind(role.name()).bind(holder).bind(lasts)
            .execute(pool).await.map(|done| done.rows_affected()))?;
        Ok(rows > 0)
    }

    /// Holds a role on until `expires_at`; false where somebody else has taken it over.
    ///
    /// # Errors
    /// Where the database fails: the role is still held until its time is up.
    pub async fn keep_lease(&self, term: &Term, expires_at: Timestamp) -> StoreResult<bool> {
        let Term { role, holder, fence } = term;
        let rows = write_db!(self.db, pool => sqlx::query(KEEP).bind(role.name()).bind(&**holder).bind(fence)
            .bind(expires_at.as_millis()).execute(pool).await.map(|done| done.rows_affected()))?;
        Ok(rows > 0)
    }

    /// Gives a role back, so that a successor need not wait.
    ///
    /// # Errors
    /// Where the database fails: the lease runs out by itself.
    pub async fn give_lease_back(&self, term: &Term) -> StoreResult<()> {
        let Term { role, holder, fence } = term;
        write_db!(self.db, pool => sqlx::query(GIVE_BACK).bind(role.name()).bind(&**holder).bind(fence).execute(pool).await.map(drop))?;
        Ok(())
    }

    /// Says that this process serves the database until `until`, unless it says so again. Waits for an import that is under way.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn announce(&self, holder: &str, until: Timestamp) -> StoreResult<()> {
        let name = replica(holder);
        write_db!(self.db, pool => sqlx::query(ANNOUNCE).bind(&name).bind(holder).bind(until.as_millis()).execute(pool).await.map(drop))?;
        Ok(())
    }

    /// Says that it serves no more; forgets those that were not heard of for a while.
    ///
    /// # Errors
    /// Where the database fails: its word runs out by itself.
    pub async fn leave(&self, holder: &str, forgotten: Timestamp) -> StoreResult<()> {
        let name = replica(holder);
        write_db!(self.db, pool => sqlx::query(LEAVE).bind(&name).bind(forgotten.as_millis()).execute(pool).await.map(drop))?;
        Ok(())
    }

    /// Says that this process runs some of the shards, or would, until `until`.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn join_shards(&self, holder: &str, until: Timestamp) -> StoreResult<()> {
        let name = member(holder);
        write_db!(self.db, pool => sqlx::query(ANNOUNCE).bind(&name).bind(holder).bind(until.as_millis()).execute(pool).await.map(drop))?;
        Ok(())
    }

    /// Says that it runs no more of them.
    ///
    /// # Errors
    /// Where the database fails: its word runs out by itself.
    pub async fn leave_shards(&self, holder: &str, forgotten: Timestamp) -> StoreResult<()> {
        let name = member(holder);
        write_db!(self.db, pool => sqlx::query(LEAVE).bind(&name).bind(forgotten.as_millis()).execute(pool).await.map(drop))?;
        Ok(())
    }

    /// Who runs shards, or would, and which are run.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn shards(&self, now: Timestamp) -> StoreResult<RunningShards> {
        let rows: Vec<(String, String)> = on_db!(self.db, pool => sqlx::query_as(SHARDS).bind(now.as_millis()).fetch_all(pool).await)?;
        let mut running = RunningShards::default();
        for (name, holder) in rows {
            match name.strip_prefix(SHARD).map(|shard| shard.split_once('/').map(|(index, of)| (index.parse(), of.parse()))) {
                Some(Some((Ok(index), Ok(of)))) => running.shards.push(RunningShard { index, of, holder }),
                Some(_) => {}
                None => running.members.push(holder),
            }
        }
        Ok(running)
    }

    /// Whether any process serves this database.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn is_served(&self, now: Timestamp) -> StoreResult<bool> {
        let count: i64 = on_db!(self.db, pool => sqlx::query_scalar(ANYBODY).bind(now.as_millis()).fetch_one(pool).await)?;
        Ok(count > 0)
    }
}

fn replica(holder: &str) -> String {
    format!("replica:{holder}")
}

fn member(holder: &str) -> String {
    format!("gateway:discord:member:{holder}")
}
