//! Migrations run over real rows: each has a fixture of the same name, with rows in every table that it made,
//! which are written before the next one runs.

use crate::support::{
    commands::{rows, run_sql},
    database::{on_both, postgres_url},
    process::Installation,
};
use bellwether::{
    clock::{Clock, SystemClock},
    store::{SchemaAge, Store},
};
use sqlx::{ConnectOptions as _, Connection as _, PgConnection, migrate::Migrator, sqlite::SqliteConnectOptions};
use std::{collections::BTreeSet, path::Path, str::FromStr, time::Duration};

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

on_both!(the_tables_of_a_running_serve_are_left_as_they_are, |db| async move {
    let is_sqlite = db.url.starts_with("sqlite");
    let url = if is_sqlite { format!("{}.older", db.url) } else { postgres_url().await.unwrap() };
    let all = Migrator::new(Path::new(if is_sqlite { "migrations/sqlite" } else { "migrations/postgres" })).await.unwrap();
    migrate(&url, &all, 31).await;
    // The older version serves: on SQLite it holds the lock, on PostgreSQL it says so.
    let store = Store::connect(&url).await.unwrap();
    let lock = Store::lock_for_serving(&url).unwrap();
    store.announce("an older one", SystemClock.now() + Duration::from_secs(60)).await.unwrap();
    let mut installation = Installation::empty();
    installation.set("DATABASE_URL", &url);
    let document = installation.folder.path().join("export.json");
    std::fs::write(&document, r#"{"format": "bellwether-export", "version": 1}"#).unwrap();
    for command in
        ["status", "outbox list", "export", "export --with-state --while-running", "import --dry-run export.json", "check --offline"]
    {
        let ended = installation.run(&command.split(' ').collect::<Vec<_>>()).await;
        let said = format!("{}{}", ended.out, ended.err);
        assert!(ended.code == Some(1) && said.contains("a running `bellwether serve` of an older version"), "{command}: {ended:?}");
    }
    let refused = installation.run(&["import", "export.json"]).await;
    assert!(refused.code == Some(1) && refused.err.contains("stop it, import, start it again"), "{refused:?}");
    assert_eq!(store.schema_age().await.unwrap(), SchemaAge::Older);
    drop(lock);
    store.leave("an older one", SystemClock.now()).await.unwrap();
    assert_eq!(installation.run(&["status"]).await.code, Some(0));
    assert_eq!(store.schema_age().await.unwrap(), SchemaAge::Current);
});

async fn migrate(url: &str, all: &Migrator, upto: i64) {
    if url.starts_with("sqlite") {
        let options = SqliteConnectOptions::from_str(url).unwrap().create_if_missing(true);
        all.run_to(upto, &mut options.connect().await.unwrap()).await.unwrap();
    } else {
        all.run_to(upto, &mut PgConnection::connect(url).await.unwrap()).await.unwrap();
    }
}

#[tokio::test]
async fn a_migration_that_waits_for_a_long_export_keeps_nobody_else_out() {
    let Some(url) = postgres_url().await else { return };
    let all = Migrator::new(Path::new("migrations/postgres")).await.unwrap();
    migrate(&url, &all, 31).await;
    let mut export = PgConnection::connect(&url).await.unwrap();
    let mut export = export.begin().await.unwrap();
    sqlx::query("LOCK TABLE subscriptions IN ACCESS SHARE MODE").execute(&mut *export).await.unwrap();
    let meanwhile = async {
        let waits = "SELECT CAST(COUNT(*) AS TEXT) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
        while rows(&url, waits).await == ["0"] {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let reading = rows(&url, "SELECT CAST(COUNT(*) AS TEXT) FROM subscriptions");
        tokio::time::timeout(Duration::from_secs(60), reading).await.expect("somebody else still reads");
        export.rollback().await.unwrap();
    };
    let (migrated, ()) = tokio::join!(Store::open(&url), meanwhile);
    migrated.unwrap();
}

#[test]
fn every_migration_has_a_fixture() {
    let names = |folder: &str| -> BTreeSet<_> { std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect() };
    assert_eq!(names("migrations/sqlite"), names("tests/it/data/migrations"));
}
