//! Bringing a database to the tables of this version, and seeing beforehand whether it has to be.

use super::{Db, OpenError, Store, StoreResult, dialect::on_db};
use sqlx::{
    Connection as _, PgPool,
    error::DatabaseError,
    migrate::{MigrateError, Migrator},
};
use std::{collections::BTreeSet, time::Duration};

static SQLITE_MIGRATIONS: Migrator = sqlx::migrate!("migrations/sqlite");
static POSTGRES_MIGRATIONS: Migrator = sqlx::migrate!("migrations/postgres");

const WAS_MIGRATED: (&str, &str) = (
    "SELECT COUNT(*) FROM sqlite_master WHERE name = '_sqlx_migrations'",
    "SELECT COUNT(*) FROM pg_class WHERE oid = to_regclass('_sqlx_migrations')",
);
const APPLIED: &str = "SELECT version FROM _sqlx_migrations WHERE success";

/// Whoever waits for a table keeps out of it everybody who comes after: behind a long export, all that serve it. So it is waited for in turns.
const WAIT_IN_TURNS: &str = "SET lock_timeout = '2s'";
const BETWEEN_TURNS: Duration = Duration::from_secs(1);
const LOCK_NOT_AVAILABLE: &str = "55P03";

pub(super) const STATEMENTS: &[&str] = &[APPLIED];
pub(super) const PAIRS: &[(&str, &str)] = &[WAS_MIGRATED];

/// How a database stands to this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SchemaAge {
    /// It holds nothing yet.
    New,
    /// An older version wrote it last: it is to be migrated.
    Older,
    /// This version or a newer one wrote it.
    Current,
}

impl Store {
    /// Which version's tables it has.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn schema_age(&self) -> StoreResult<SchemaAge> {
        let sql = self.words(WAS_MIGRATED);
        let was_migrated: i64 = on_db!(self.db, pool => sqlx::query_scalar(sql).fetch_one(pool).await)?;
        if was_migrated == 0 {
            return Ok(SchemaAge::New);
        }
        let applied: Vec<i64> = on_db!(self.db, pool => sqlx::query_scalar(APPLIED).fetch_all(pool).await)?;
        if applied.is_empty() {
            // Whoever makes it is at its first step, or died there.
            return Ok(SchemaAge::New);
        }
        let applied: BTreeSet<i64> = applied.into_iter().collect();
        let own = if self.is_sqlite() { &SQLITE_MIGRATIONS } else { &POSTGRES_MIGRATIONS };
        let is_current = own.iter().all(|migration| applied.contains(&migration.version));
        Ok(if is_current { SchemaAge::Current } else { SchemaAge::Older })
    }

    /// Applies every migration of this binary that is missing.
    ///
    /// # Errors
    /// [`OpenError::Newer`] and whatever the migrator finds.
    pub async fn migrate(&self) -> Result<(), OpenError> {
        let done = match &self.db {
            Db::Sqlite { writer, .. } => SQLITE_MIGRATIONS.run(writer.connection()).await,
            Db::Postgres(postgres) => migrate_postgres(&postgres.pool).await,
        };
        done.map_err(|error| match error {
            MigrateError::VersionMissing(version) => OpenError::Newer(version),
            other => OpenError::Migrate(other),
        })
    }
}

/// A migration that did not get its tables changed nothing, and is begun again.
async fn migrate_postgres(pool: &PgPool) -> Result<(), MigrateError> {
    // Of its own: the lock of a migrator that gave up ends with its connection.
    let mut connection = pool.acquire().await?.detach();
    sqlx::query(WAIT_IN_TURNS).execute(&mut connection).await?;
    let mut is_said = false;
    let done = loop {
        match POSTGRES_MIGRATIONS.run(&mut connection).await {
            Err(error) if waited_for_a_lock(&error) => {
                if !is_said {
                    tracing::warn!("the database is migrated once its tables are free: another process migrates it, or reads for long");
                    is_said = true;
                }
                tokio::time::sleep(BETWEEN_TURNS).await;
            }
            done => break done,
        }
    };
    connection.close().await?;
    done
}

fn waited_for_a_lock(error: &MigrateError) -> bool {
    let (MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _)) = error else { return false };
    error.as_database_error().and_then(DatabaseError::code).is_some_and(|code| code == LOCK_NOT_AVAILABLE)
}
