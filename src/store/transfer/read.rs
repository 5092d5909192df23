//! Out of the database: every row in its order, as of one moment.

use super::{
    Alert, Attempt, AuditRecord, Button, Call, Change, Destination, Exclusion, FanOut, FeedState, Lookup, Message, MessageAlert, Mute,
    Notice, Observation, Poll, Reach, Section, SeenRequest, Stance, Subscription, Token, Told, UntoldNews, Update, for_configuration,
    for_state,
};
use crate::{
    domain::Timestamp,
    store::{Store, StoreError},
};
use futures_util::TryStreamExt as _;
use std::io;

/// Takes rows one after the other.
pub trait Rows {
    /// The section of the rows that follow; there may be none.
    ///
    /// # Errors
    /// Where it cannot be taken.
    fn section(&mut self, name: &'static str) -> io::Result<()>;
    /// One row as JSON.
    ///
    /// # Errors
    /// Where it cannot be taken.
    fn row(&mut self, row: &str) -> io::Result<()>;
}

/// Why an export ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The database failed, or holds what this version cannot read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Nobody takes the rows.
    #[error("it cannot be written: {0}")]
    Output(#[from] io::Error),
}

impl From<sqlx::Error> for ExportError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

/// A row as it stands in the document; `json` fails only where the database holds a text that is no JSON.
pub(super) fn as_json<S: Section>(row: &S) -> Result<String, StoreError> {
    serde_json::to_string(row).map_err(|error| StoreError::corrupt(S::NAME, &error.to_string()))
}

/// Streams sections through `rows`, without history from before `since`: `stream_sections!(store, tx, rows, since [a: A, b: B])`.
macro_rules! stream_sections {
    ($store:expr, $tx:ident, $rows:ident, $since:expr, [$($field:ident: $row:ident),*]) => {$(
        $rows.section(<$row as Section>::NAME)?;
        {
            let mut stream = sqlx::query_as::<_, $row>($store.words(<$row as Section>::READ)).fetch(&mut *$tx);
            while let Some(row) = stream.try_next().await? {
                if row.history().is_none_or(|at| at.0 >= $since) {
                    $rows.row(&as_json(&row)?)?;
                }
            }
        }
    )*};
}
pub(super) use stream_sections;

/// What of a database is exported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Who is told of what.
    #[default]
    Configuration,
    /// Everything, with the history of rows since then.
    WithState {
        /// By the time of the data.
        history_since: Timestamp,
    },
}

/// The words that begin a transaction which sees one moment.
pub(super) const SNAPSHOT: (&str, &str) = ("BEGIN", "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");

impl Store {
    /// Gives every row of the scope, as of one moment. Nothing is held in memory.
    ///
    /// # Errors
    /// Where the database fails or `rows` does.
    pub async fn export(&self, scope: Scope, rows: &mut (dyn Rows + Send)) -> Result<(), ExportError> {
        macro_rules! stream {
            ($pool:expr) => {{
                let mut tx = $pool.begin_with(self.words(SNAPSHOT)).await?;
                // Whoever reads or writes the file may take their time.
                sqlx::query(self.words(super::super::open::TAKE_TIME)).execute(&mut *tx).await?;
                for_configuration!(stream_sections, self, tx, rows, 0,);
                if let Scope::WithState { history_since } = scope {
                    stream_sections!(self, tx, rows, 0, [calls: Call]);
                    for_state!(stream_sections, self, tx, rows, history_since.as_millis(),);
                }
                Ok(())
            }};
        }
        match &self.db {
            crate::store::Db::Sqlite { pool, .. } => stream!(pool),
            crate::store::Db::Postgres(postgres) => stream!(postgres.pool),
        }
    }
}
