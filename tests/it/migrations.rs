//! Migrations run over real rows: each has a fixture of the same name, with rows in every table that it made,
//! which are written before the next one runs.

use crate::support::{
    commands::{rows, run_sql},
    database::{on_both, postgres_url},
};
use bellwether::store::Store;
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, migrate::Migrator, sqlite::SqliteConnectOptions};
use std::{collections::BTreeSet, path::Path, str::FromStr};

/// What the first fixture and that of unstable calls say of it.
const TOLD: [&str; 1] = ["1|token-metrics|daily|3988|bullish|2|4|4|unstable"];

on_both!(every_table_has_sample_rows_that_later_migrations_and_a_second_start_keep, |db| async move {
    let is_sqlite = db.url.starts_with("sqlite");
    let url = if is_sqlite { format!("{}.by-steps", db.url) } else { postgres_url().await.unwrap() };
    let all = Migrator::new(Path::new(if is_sqlite { "migrations/sqlite" } else { "migrations/postgres" })).await.unwrap();
    for migration in all.iter() {
        migrate(&url, &all, migration.version).await;
        let name = format!("{:04}_{}.sql", migration.version, migration.description.replace(' ', "_"));
        run_sql(&url, &std::fs::read_to_string(Path::new("tests/it/data/migrations").join(name)).unwrap()).await;
    }
    let told =
        "SELECT destination_id || '|' || source || '|' || kind || '|' || token_id || '|' || stance || '|' || data_time || '|' || known_at
        || '|' || COALESCE(told_at, 0) || '|' || CASE WHEN unstable THEN 'unstable' ELSE '' END FROM told";
    assert_eq!(rows(&url, told).await, TOLD);
    let store = Store::open(&url).await.unwrap();
    let tables: BTreeSet<String> = store.schema().await.unwrap().into_iter().map(|(table, _)| table).collect();
    for table in tables {
        let count = rows(&url, &format!("SELECT CAST(COUNT(*) AS TEXT) FROM {table}")).await;
        assert_ne!(count, ["0"], "{table} has no sample row");
    }
});

async fn migrate(url: &str, all: &Migrator, upto: i64) {
    if url.starts_with("sqlite") {
        let options = SqliteConnectOptions::from_str(url).unwrap().create_if_missing(true);
        all.run_to(upto, &mut options.connect().await.unwrap()).await.unwrap();
    } else {
        all.run_to(upto, &mut PgConnection::connect(url).await.unwrap()).await.unwrap();
    }
}

#[test]
fn every_migration_has_a_fixture() {
    let names = |folder: &str| -> BTreeSet<_> { std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect() };
    assert_eq!(names("migrations/sqlite"), names("tests/it/data/migrations"));
}
