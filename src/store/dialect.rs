//! What differs between SQLite and PostgreSQL, and the macros that hide it.

/// Runs one expression on whichever pool it is: `on_db!(self.db, pool => sqlx::query(SQL).bind(x).execute(pool).await)`.
macro_rules! on_db {
    ($db:expr, $pool:ident => $body:expr) => {
        match &$db {
            $crate::store::Db::Sqlite { pool: $pool, .. } => $body,
            $crate::store::Db::Postgres($pool) => $body,
        }
    };
}

/// Runs a block in a transaction of whichever database it is: `in_transaction!(self.db, tx => { … ; Ok(value) })`.
///
/// The block is evaluated inside an async block that gives a `StoreResult`; within it `?` works and `&mut *tx` is the executor.
/// `Ok` commits, `Err` rolls back. SQLite begins `IMMEDIATE`: a deferred transaction that reads and then writes fails at once under
/// contention, busy timeout or not.
macro_rules! in_transaction {
    ($db:expr, $tx:ident => $body:block) => {
        match &$db {
            $crate::store::Db::Sqlite { writer, .. } => {
                let mut $tx = writer.begin_with("BEGIN IMMEDIATE").await?;
                let value = async { $crate::store::StoreResult::Ok($body) }.await?;
                $tx.commit().await?;
                $crate::store::StoreResult::Ok(value)
            }
            $crate::store::Db::Postgres(pool) => {
                let mut $tx = pool.begin().await?;
                let value = async { $crate::store::StoreResult::Ok($body) }.await?;
                $tx.commit().await?;
                $crate::store::StoreResult::Ok(value)
            }
        }
    };
}

/// A statement in the words of each database, chosen by the pool: `per_db!(self.db, sqlite: A, postgres: B)`.
macro_rules! per_db {
    ($db:expr, sqlite: $sqlite:expr, postgres: $postgres:expr) => {
        match &$db {
            $crate::store::Db::Sqlite { .. } => $sqlite,
            $crate::store::Db::Postgres(_) => $postgres,
        }
    };
}

/// A statement over the rows of one JSON array, bound as `$1`: a pair of the words of SQLite and of PostgreSQL.
///
/// Each row is `r.value`; `r.value ->> 0` is the first column of a row that is itself an array. One bind of JSON rows runs at the speed
/// of a bare `INSERT … SELECT`; single-row inserts are many times slower.
macro_rules! over_rows {
    ($before:expr, $after:expr) => {
        (
            concat!($before, " json_each($1) AS r ", $after),
            concat!($before, " json_array_elements(CAST(CAST($1 AS TEXT) AS JSON)) AS r(value) ", $after),
        )
    };
}

impl super::Store {
    /// The words for this database of a statement that has two.
    pub(in crate::store) fn words(&self, pair: (&'static str, &'static str)) -> &'static str {
        per_db!(self.db, sqlite: pair.0, postgres: pair.1)
    }
}

pub(in crate::store) use {in_transaction, on_db, over_rows, per_db};
