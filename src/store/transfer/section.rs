//! What a section is, and how one is declared: its rows, and the statements that read and write them on both databases.

use super::cells::{AddressText, Moment, Places};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// One section.
pub trait Section: Serialize + for<'de> Deserialize<'de> + PartialEq + Clone {
    /// Its name in the document.
    const NAME: &'static str;
    /// Its table.
    const TABLE: &'static str;
    /// Reads it in order: SQLite's words, PostgreSQL's words.
    const READ: (&'static str, &'static str);
    /// Writes the rows of a JSON list: likewise.
    const WRITE: (&'static str, &'static str);

    /// What no two rows share; empty where several may be alike.
    fn key(&self) -> String;
    /// When it was news, where it is history alone.
    fn history(&self) -> Option<Moment>;
    /// The place that it is about.
    fn place(&self) -> Option<&AddressText>;
    /// The row as [`Section::WRITE`] takes it; nothing where its place is unknown.
    fn native(&self, places: &Places) -> Option<Map<String, Value>>;
}

/// An address as people write it.
macro_rules! written_address {
    ($table:literal) => {
        concat!(
            $table,
            ".platform || ':' || ",
            $table,
            ".chat || CASE WHEN ",
            $table,
            ".topic = '' THEN '' ELSE '/' || ",
            $table,
            ".topic END"
        )
    };
}
/// How a field is read.
macro_rules! column {
    (PLACE, $column:ident) => {
        written_address!("d")
    };
    (ADDRESS, $column:ident) => {
        written_address!("x")
    };
    (NOTICE, $column:ident) => {
        concat!("CASE WHEN d.id IS NULL THEN x.name ELSE 'quarantine:' || ", written_address!("d"), " END")
    };
    ($type:ident, $column:ident) => {
        concat!("x.", stringify!($column))
    };
}
/// As what it is written.
macro_rules! cast {
    (PLACE) => {
        "BIGINT"
    };
    (ADDRESS) => {
        "BIGINT"
    };
    (NOTICE) => {
        "TEXT"
    };
    (REAL) => {
        "DOUBLE PRECISION"
    };
    ($type:ident) => {
        stringify!($type)
    };
}
macro_rules! order {
    ($database:ident, ($part:literal)) => {
        $part
    };
    (sqlite, $part:literal) => {
        $part
    };
    // By its bytes, as SQLite does.
    (postgres, $part:literal) => {
        concat!($part, " COLLATE \"C\"")
    };
}
macro_rules! or_nothing {
    () => {
        ""
    };
    ($text:literal) => {
        $text
    };
}
macro_rules! read_statement {
    ($database:ident, $table:literal, $join:literal, $field:ident $type:ident $column:ident $(, $fields:ident $types:ident $columns:ident)*;
        $order:tt $(, $orders:tt)*) => {
        concat!("SELECT ", column!($type, $column), " AS \"", stringify!($field) $(, "\", ", column!($types, $columns), " AS \"",
            stringify!($fields))*, "\" FROM ", $table, " x ", $join, " ORDER BY ", order!($database, $order) $(, ", ",
            order!($database, $orders))*)
    };
}
macro_rules! write_statement {
    ($between:literal, $from:literal, $table:literal, $conflict:expr, $type:ident $column:ident $(, $types:ident $columns:ident)*) => {
        concat!("INSERT INTO ", $table, " (", stringify!($column) $(, ", ", stringify!($columns))*, ") ", $between, "SELECT CAST(r.value ->> '",
            stringify!($column), "' AS ", cast!($type), ")" $(, ", CAST(r.value ->> '", stringify!($columns), "' AS ", cast!($types), ")")*,
            " FROM ", $from, " WHERE TRUE ", $conflict)
    };
}

/// Declares a section: its rows, how they are found, told apart and ordered. `derived` columns are written, but stand in no document; `named`
/// fields stand in the document, and are not written.
macro_rules! section {
    ($(#[$doc:meta])* $name:ident: $section:literal of $table:literal $join:literal
        $(named { $id:ident: $id_cell:ty = $id_type:ident $id_column:ident })?
        { $($field:ident: $cell:ty = $type:ident $column:ident),* $(,)? }
        $(derived { $($derived_type:ident $derived:ident = $value:expr),* $(,)? })?
        key [$($key:ident),*] order [$($order:tt),*] $(conflict $conflict:literal)? $(history $history:ident)?
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, sqlx::FromRow)]
        #[serde(deny_unknown_fields)]
        pub struct $name {
            $(pub(crate) $id: $id_cell,)?
            $(#[serde(skip_serializing_if = "Cell::is_absent")] pub(crate) $field: $cell),*
        }

        impl Section for $name {
            const NAME: &'static str = $section;
            const TABLE: &'static str = $table;
            const READ: (&'static str, &'static str) = (
                read_statement!(sqlite, $table, $join, $($id $id_type $id_column,)? $($field $type $column),*; $($order),*),
                read_statement!(postgres, $table, $join, $($id $id_type $id_column,)? $($field $type $column),*; $($order),*),
            );
            const WRITE: (&'static str, &'static str) = (
                write_statement!("", "json_each($1) AS r", $table, or_nothing!($($conflict)?), $($type $column),* $($(, $derived_type $derived)*)?),
                write_statement!("OVERRIDING SYSTEM VALUE ", "json_array_elements(CAST(CAST($1 AS TEXT) AS JSON)) AS r(value)", $table,
                    or_nothing!($($conflict)?), $($type $column),* $($(, $derived_type $derived)*)?),
            );

            fn key(&self) -> String {
                let parts: Vec<Value> = vec![$(serde_json::json!(self.$key)),*];
                let part = |part: &Value| part.as_str().map_or_else(|| part.to_string(), str::to_owned);
                parts.iter().map(part).collect::<Vec<_>>().join(" ")
            }

            fn history(&self) -> Option<Moment> {
                None$(.or(Some(self.$history)))?
            }

            fn place(&self) -> Option<&AddressText> {
                None$(.or(self.$id.address()))?$(.or(self.$field.address()))*
            }

            fn native(&self, places: &Places) -> Option<Map<String, Value>> {
                let mut row = Map::new();
                $(row.insert(stringify!($column).to_owned(), self.$field.native(places)?);)*
                $($(
                    let derive: fn(&Self) -> Value = $value;
                    row.insert(stringify!($derived).to_owned(), derive(self));
                )*)?
                Some(row)
            }
        }
    };
}
