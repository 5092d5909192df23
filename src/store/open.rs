//! Opening a database: connect, lock. Migrating it stands in `migrating`.

use super::{
    Db, Store, StoreResult,
    postgres::Postgres,
    writer::{self, Writer},
};
use sqlx::{
    ConnectOptions, Connection as _, PgConnection, PgPool,
    migrate::MigrateError,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    str::FromStr,
    time::Duration,
};

/// How long a statement waits for another writer of the same SQLite file.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);
/// A pool tells in its own words who waited for so long and went on: never. Whoever waits in vain says so once it gives up.
const SLOW: Duration = Duration::MAX;
/// PostgreSQL ends a transaction in which nothing is said for so long; and it compiles nothing, which for a statement that stops after a few rows
/// of many takes longer than all its work. Nor does it go through a whole table that was empty when it last counted, or gather from an index all that a
/// statement may ask for, where it could walk that index until it has enough: how much waits changes from nothing to a million within a poll, which
/// no statistics know, and a plan that was made before stays. A claim once took 20 seconds of that.
const SESSION: &str =
    "SET idle_in_transaction_session_timeout = '10s'; SET jit = off; SET enable_seqscan = off; SET enable_bitmapscan = off";
/// But for this one.
pub(super) const TAKE_TIME: (&str, &str) = ("SELECT 1", "SET LOCAL idle_in_transaction_session_timeout = 0");
/// Connections to a SQLite file that read, besides those of fan-out.
const READERS: u32 = 3;
/// When a connection is closed again that is only needed now and then.
const RESTS: Duration = Duration::from_secs(60);
/// Rows that its thread reads ahead: with few, two threads wake each other for every handful of a long list.
const ROWS_AT_ONCE: usize = 1_000;
/// What each connection keeps of the file in memory, in KiB (negative says that to SQLite): the system's own cache holds all of it. Fan-out comes back
/// to the same pages, with 500 changes to 500 places of an index, chunk after chunk.
const PAGE_CACHE: &str = "-1000";
const PAGE_CACHE_OF_FAN_OUT: &str = "-8000";

/// Why a database could not be opened, in words for the operator. Never carries the password of the URL.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It is neither of the two.
    #[error("it must begin with sqlite:// or postgres://")]
    UnknownScheme,
    /// The URL cannot be read.
    #[error("it is not a database URL of this kind")]
    BadUrl,
    /// It does not answer, or the file cannot be opened.
    #[error("the database cannot be opened: {0}")]
    Connect(#[source] sqlx::Error),
    /// It was written by a newer version.
    #[error("the database was written by a newer version of Bellwether (migration {0}); install that version or restore a backup")]
    Newer(i64),
    /// A migration failed or was changed after it had been applied.
    #[error("the database could not be migrated: {0}")]
    Migrate(#[source] MigrateError),
    /// Another `serve` runs on the same SQLite file.
    #[error("another `bellwether serve` is using {0}; stop it first")]
    InUse(PathBuf),
    /// The folder of a SQLite file is not there.
    #[error("there is no folder {0} for the database; make it, or name another file")]
    NoFolder(PathBuf),
    /// The lock file cannot be made.
    #[error("the lock file {path} cannot be opened: {error}")]
    Lock {
        /// Beside the database.
        path: PathBuf,
        /// The system's words.
        error: std::io::Error,
    },
}

/// Held by the one `serve` of a SQLite file until it ends, however it ends (`rules.md` 4.5).
#[derive(Debug)]
pub struct ServeLock(#[expect(dead_code, reason = "the lock lasts as long as the file is open")] File);

impl Store {
    /// Opens the database and brings its schema up to date.
    ///
    /// # Errors
    /// In words for the operator: [`OpenError`].
    pub async fn open(url: &str) -> Result<Self, OpenError> {
        let store = Self::connect(url).await?;
        store.migrate().await?;
        Ok(store)
    }

    /// Opens the database as it is, without migrating it.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub async fn connect(url: &str) -> Result<Self, OpenError> {
        let db = if url.starts_with("sqlite:") {
            connect_sqlite(url).await?
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            Db::Postgres(Postgres { pool: connect_postgres(url).await?, term: None })
        } else {
            return Err(OpenError::UnknownScheme);
        };
        Ok(Self { db })
    }

    /// Takes the lock that only one `serve` of a SQLite file can hold; PostgreSQL uses leases instead.
    ///
    /// # Errors
    /// [`OpenError::InUse`] where another process holds it.
    pub fn lock_for_serving(url: &str) -> Result<Option<ServeLock>, OpenError> {
        let Some(path) = sqlite_path(url) else { return Ok(None) };
        folder_exists(&path)?;
        let mut lock_path = path.into_os_string();
        lock_path.push(".lock");
        let path = PathBuf::from(lock_path);
        let file = File::create(&path).map_err(|error| OpenError::Lock { path: path.clone(), error })?;
        match file.try_lock() {
            Ok(()) => Ok(Some(ServeLock(file))),
            Err(TryLockError::WouldBlock) => Err(OpenError::InUse(path.with_extension(""))),
            Err(TryLockError::Error(error)) => Err(OpenError::Lock { path, error }),
        }
    }

    /// Copies a SQLite database into the file at `path`, which must be empty or not there: as of one moment, whoever writes meanwhile. Does nothing on
    /// PostgreSQL.
    ///
    /// # Errors
    /// Where the database or the file fails: what the file holds then is no database.
    pub async fn copy_to(&self, path: &Path) -> StoreResult<()> {
        let Db::Sqlite { writer, .. } = &self.db else { return Ok(()) };
        let path = path.to_str().ok_or_else(|| sqlx::Error::Configuration("SQLite takes only names of files that are UTF-8".into()))?;
        sqlx::query("VACUUM INTO $1").bind(path).execute(writer.connection()).await?;
        Ok(())
    }

    /// Closes every connection once the work in flight is done.
    pub async fn close(&self) {
        match &self.db {
            Db::Sqlite { pool, fan_out, writer } => {
                pool.close().await;
                if let Some(fan_out) = fan_out {
                    fan_out.close().await;
                }
                writer.close().await;
            }
            Db::Postgres(postgres) => postgres.pool.close().await,
        }
    }
}

/// The file of a SQLite URL; none for PostgreSQL and for a database in memory.
pub(super) fn sqlite_path(url: &str) -> Option<PathBuf> {
    let path = url.strip_prefix("sqlite://").or_else(|| url.strip_prefix("sqlite:"))?;
    let path = path.split('?').next().unwrap_or(path);
    (!path.is_empty() && path != ":memory:").then(|| PathBuf::from(path))
}

async fn connect_sqlite(url: &str) -> Result<Db, OpenError> {
    let options = SqliteConnectOptions::from_str(url)
        .map_err(|_| OpenError::BadUrl)?
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Normal)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(true)
        .pragma("cache_size", PAGE_CACHE)
        .pragma("wal_autocheckpoint", writer::LONGEST)
        .pragma("journal_size_limit", writer::KEPT)
        .row_buffer_size(ROWS_AT_ONCE)
        .disable_statement_logging();
    let file = sqlite_path(url);
    if let Some(path) = &file {
        folder_exists(path)?;
        create_private(path).map_err(|error| OpenError::Connect(sqlx::Error::Io(error)))?;
    }
    // To ask a file whether it is still there would double what a short statement takes.
    let pool = || SqlitePoolOptions::new().acquire_timeout(ACQUIRE_TIMEOUT).acquire_slow_threshold(SLOW).test_before_acquire(false);
    let Some(file) = file else {
        // It lives as long as its one connection.
        let only = pool().max_connections(1).min_connections(1).idle_timeout(None).max_lifetime(None);
        let only = only.connect_with(options).await.map_err(OpenError::Connect)?;
        return Ok(Db::Sqlite { pool: only.clone(), fan_out: None, writer: Writer::in_memory(only) });
    };
    // Where SQLite cannot write, as on a full disk, it ends a transaction by itself. sqlx goes on believing in it, and could never begin another
    // one on that connection.
    let writer = pool().max_connections(1).before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }));
    // What a statement would have to undo is kept in memory: every chunk of alerts would make a file for it.
    let writer = writer.connect_with(options.clone().pragma("temp_store", "MEMORY")).await.map_err(OpenError::Connect)?;
    let copier = pool().max_connections(1).idle_timeout(RESTS).connect_lazy_with(options.clone());
    let reading = options.pragma("query_only", "ON");
    let readers = pool().max_connections(READERS).connect_lazy_with(reading.clone());
    // One is enough, unless a fan-out that was given up has not given it back yet.
    let fan_out = pool().max_connections(2).idle_timeout(RESTS).connect_lazy_with(reading.pragma("cache_size", PAGE_CACHE_OF_FAN_OUT));
    Ok(Db::Sqlite { pool: readers, fan_out: Some(fan_out), writer: Writer::of_file(writer, file, copier) })
}

/// SQLite would say only that it cannot open the file.
fn folder_exists(path: &Path) -> Result<(), OpenError> {
    match path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        Some(folder) if !folder.is_dir() => Err(OpenError::NoFolder(folder.to_owned())),
        _ => Ok(()),
    }
}

/// Makes the file readable for its owner alone before SQLite writes to it (`rules.md` 6.6).
fn create_private(path: &Path) -> std::io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map(drop)
}

async fn connect_postgres(url: &str) -> Result<PgPool, OpenError> {
    let options = PgConnectOptions::from_str(url).map_err(|_| OpenError::BadUrl)?.disable_statement_logging();
    let pool = PgPoolOptions::new().max_connections(10).acquire_timeout(ACQUIRE_TIMEOUT).acquire_slow_threshold(SLOW);
    // What a paused process holds locked is free again before its lease has run out.
    let pool = pool.after_connect(|connection, _| Box::pin(async { sqlx::raw_sql(SESSION).execute(connection).await.map(drop) }));
    let pool = pool.connect_with(options.clone()).await;
    match pool {
        // The pool tried for ten seconds and does not say what went wrong: asked once more without it, the server or the system does.
        Err(sqlx::Error::PoolTimedOut) => {
            let once = tokio::time::timeout(BUSY_TIMEOUT, PgConnection::connect_with(&options)).await;
            Err(OpenError::Connect(once.ok().and_then(Result::err).unwrap_or(sqlx::Error::PoolTimedOut)))
        }
        other => other.map_err(OpenError::Connect),
    }
}
