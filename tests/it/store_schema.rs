//! Both schemas are one schema, and every statement is understood by both databases.

use crate::support::database::{TestDb, on_both};

on_both!(every_statement_is_understood, |db| async move {
    assert_eq!(db.store.refused_statements().await.unwrap(), Vec::<String>::new());
});

#[tokio::test]
async fn both_databases_have_the_same_tables_and_columns() {
    let sqlite = TestDb::sqlite().await.store.schema().await.unwrap();
    assert!(sqlite.iter().any(|(table, _)| table == "alerts"));
    if let Some(postgres) = TestDb::postgres().await {
        assert_eq!(sqlite, postgres.store.schema().await.unwrap());
    }
}

#[test]
fn both_folders_have_the_same_migrations() {
    let names = |folder: &str| {
        let mut names: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    assert_eq!(names("migrations/sqlite"), names("migrations/postgres"));
}
