//! Migrations run over real rows: each has a fixture of the same name, with rows in every table that it made.

use crate::support::{
    commands::{rows, run_sql},
    database::on_both,
};
use bellwether::store::Store;
use std::collections::BTreeSet;

on_both!(every_table_has_sample_rows_and_a_second_start_keeps_them, |db| async move {
    let mut fixtures: Vec<_> = std::fs::read_dir("tests/it/data/migrations").unwrap().map(|entry| entry.unwrap().path()).collect();
    fixtures.sort();
    for fixture in &fixtures {
        run_sql(&db.url, &std::fs::read_to_string(fixture).unwrap()).await;
    }
    let tables: BTreeSet<String> = db.store.schema().await.unwrap().into_iter().map(|(table, _)| table).collect();
    Store::open(&db.url).await.unwrap();
    for table in tables {
        let count = rows(&db.url, &format!("SELECT CAST(COUNT(*) AS TEXT) FROM {table}")).await;
        assert_ne!(count, ["0"], "{table} has no sample row");
    }
});

#[test]
fn every_migration_has_a_fixture() {
    let names = |folder: &str| -> BTreeSet<_> { std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect() };
    assert_eq!(names("migrations/sqlite"), names("tests/it/data/migrations"));
}
