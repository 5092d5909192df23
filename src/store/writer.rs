//! SQLite's one connection that writes, and what keeps its log short.
//!
//! SQLite copies its log into the file when a commit finds the log long, and that commit waits for the disk. Here the copying is another
//! connection's work, which nobody waits for.

use super::{StoreError, StoreResult};
use sqlx::{Sqlite, SqlitePool, Transaction};
use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};
use tokio_util::task::TaskTracker;

/// From this length of the log on it is copied into the file, beside the work.
const LONG: u64 = 4 * 1024 * 1024;
/// Pages of 4 KiB: where copying beside the work cannot keep up, a commit waits for it after all.
pub(super) const LONGEST: &str = "16000";
/// What is left of the log's file once all of it was copied, in bytes.
pub(super) const KEPT: &str = "1048576";

/// Whoever writes waits here for its turn.
#[derive(Clone, Debug)]
pub(in crate::store) struct Writer {
    connection: SqlitePool,
    log: Option<Arc<Log>>,
}

#[derive(Debug)]
struct Log {
    path: PathBuf,
    is_being_copied: AtomicBool,
    copier: SqlitePool,
    tasks: TaskTracker,
}

impl Writer {
    /// A database in memory: its one connection does everything, and there is no log.
    pub(super) const fn in_memory(connection: SqlitePool) -> Self {
        Self { connection, log: None }
    }

    /// A file, with a connection that may copy its log.
    pub(super) fn of_file(connection: SqlitePool, file: PathBuf, copier: SqlitePool) -> Self {
        let mut path = file.into_os_string();
        path.push("-wal");
        let log = Log { path: path.into(), is_being_copied: AtomicBool::new(false), copier, tasks: TaskTracker::new() };
        Self { connection, log: Some(Arc::new(log)) }
    }

    /// The connection that writes.
    pub(in crate::store) const fn connection(&self) -> &SqlitePool {
        &self.connection
    }

    /// `IMMEDIATE`: a deferred transaction that reads and then writes fails at once under contention, busy timeout or not.
    pub(in crate::store) async fn begin(&self) -> StoreResult<Transaction<'static, Sqlite>> {
        self.connection.begin_with("BEGIN IMMEDIATE").await.map_err(failure)
    }

    /// Ends a transaction well, and sees to the log.
    pub(in crate::store) async fn commit(&self, transaction: Transaction<'static, Sqlite>) -> sqlx::Result<()> {
        transaction.commit().await?;
        if let Some(log) = &self.log {
            log.copy_if_long();
        }
        Ok(())
    }

    /// Closes its connections once the work in flight is done.
    pub(super) async fn close(&self) {
        if let Some(log) = &self.log {
            log.tasks.close();
            log.tasks.wait().await;
            log.copier.close().await;
        }
        self.connection.close().await;
    }
}

/// Why something was not written. Whose turn did not come waited behind others, each of whom waited for the lock of another program.
pub(in crate::store) fn failure(error: sqlx::Error) -> StoreError {
    if matches!(error, sqlx::Error::PoolTimedOut) { StoreError::Locked } else { error.into() }
}

impl Log {
    fn copy_if_long(self: &Arc<Self>) {
        let is_long = std::fs::metadata(&self.path).is_ok_and(|log| log.len() > LONG);
        if !is_long || self.is_being_copied.swap(true, Ordering::Relaxed) {
            return;
        }
        let log = Arc::clone(self);
        self.tasks.spawn(async move {
            // What fails here fails where it is noticed: the log grows until a commit copies it itself.
            sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&log.copier).await.ok();
            log.is_being_copied.store(false, Ordering::Relaxed);
        });
    }
}
