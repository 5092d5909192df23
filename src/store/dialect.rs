//! What differs between SQLite and PostgreSQL, and the macros that hide it.

use super::{StoreError, StoreResult};
use serde::{Deserialize, Deserializer, de::Visitor};
use std::fmt;

/// Reads from whichever database it is: `on_db!(self.db, pool => sqlx::query_as(SQL).bind(x).fetch_all(pool).await)`.
macro_rules! on_db {
    ($db:expr, $pool:ident => $body:expr) => {
        match &$db {
            $crate::store::Db::Sqlite { pool: $pool, .. } => $body,
            $crate::store::Db::Postgres(postgres) => {
                let $pool = &postgres.pool;
                $body
            }
        }
    };
}

/// Writes with a single statement to whichever database it is: `write_db!(self.db, pool => sqlx::query(SQL).bind(x).execute(pool).await)`.
macro_rules! write_db {
    ($db:expr, $pool:ident => $body:expr) => {
        match &$db {
            $crate::store::Db::Sqlite { writer, .. } => {
                let $pool = writer.connection();
                $body.map_err($crate::store::writer::failure)
            }
            $crate::store::Db::Postgres(postgres) => {
                let mut writing = postgres.writing().await?;
                let $pool = writing.connection();
                let done = $body;
                if done.is_ok() {
                    writing.finish().await?;
                }
                done.map_err($crate::store::StoreError::from)
            }
        }
    };
}

/// Runs a block in a transaction of whichever database it is: `in_transaction!(self.db, tx => { … ; Ok(value) })`.
///
/// The block is evaluated inside an async block that gives a `StoreResult`; within it `?` works and `&mut *tx` is the executor.
/// `Ok` commits, `Err` rolls back.
macro_rules! in_transaction {
    ($db:expr, $tx:ident => $body:block) => {
        match &$db {
            $crate::store::Db::Sqlite { writer, .. } => {
                let mut $tx = writer.begin().await?;
                let value = async { $crate::store::StoreResult::Ok($body) }.await?;
                writer.commit($tx).await?;
                $crate::store::StoreResult::Ok(value)
            }
            $crate::store::Db::Postgres(postgres) => {
                let mut $tx = postgres.begin().await?;
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

/// A query whose rows come as one JSON text, an array of arrays: a pair of the words of SQLite and of PostgreSQL, to be read by [`list`].
///
/// A long list is read that way several times faster than row by row, which costs an allocation and a lock a value, and on SQLite wakes
/// two threads in turns. The rows come in no order. SQLite writes decimals with 15 digits: give one that must be exact as text. With `over_rows:` it
/// goes over the rows of a JSON array as well, and what is `beside:` (after a comma) comes as further columns.
macro_rules! json_list {
    ($columns:expr, $rest:expr) => {
        json_list!(sqlite: $columns, postgres: $columns, $rest)
    };
    (over_rows: $columns:expr, $before:expr, $after:expr) => {
        json_list!(over_rows: $columns, beside: "", $before, $after)
    };
    (over_rows: $columns:expr, beside: $beside:expr, $before:expr, $after:expr) => {
        (
            concat!("SELECT json_group_array(json_array(", $columns, "))", $beside, " ", $before, " json_each($1) AS r ", $after),
            concat!(
                "SELECT CAST(COALESCE(json_agg(json_build_array(",
                $columns,
                ")), '[]') AS TEXT)",
                $beside,
                " ",
                $before,
                " json_array_elements(CAST(CAST($1 AS TEXT) AS JSON)) AS r(value) ",
                $after
            ),
        )
    };
    (sqlite: $sqlite:expr, postgres: $postgres:expr, $rest:expr) => {
        (
            concat!("SELECT json_group_array(json_array(", $sqlite, ")) ", $rest),
            concat!("SELECT CAST(COALESCE(json_agg(json_build_array(", $postgres, ")), '[]') AS TEXT) ", $rest),
        )
    };
}

/// The rows of a [`json_list!`], each read by the places of its columns.
pub(in crate::store) fn list<'a, T: Deserialize<'a>>(json: &'a str) -> StoreResult<Vec<T>> {
    serde_json::from_str(json).map_err(|error| StoreError::corrupt("rows", &error.to_string()))
}

/// A boolean of a [`json_list!`]: SQLite has none, and gives 0 or 1.
pub(in crate::store) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    struct Flag;
    impl Visitor<'_> for Flag {
        type Value = bool;

        fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
            out.write_str("a boolean, or 0 or 1")
        }

        fn visit_bool<E>(self, flag: bool) -> Result<bool, E> {
            Ok(flag)
        }

        fn visit_u64<E>(self, digit: u64) -> Result<bool, E> {
            Ok(digit != 0)
        }
    }
    deserializer.deserialize_any(Flag)
}

impl super::Store {
    /// The words for this database of a statement that has two.
    pub(in crate::store) fn words(&self, pair: (&'static str, &'static str)) -> &'static str {
        per_db!(self.db, sqlite: pair.0, postgres: pair.1)
    }
}

pub(in crate::store) use {in_transaction, json_list, on_db, over_rows, per_db, write_db};
