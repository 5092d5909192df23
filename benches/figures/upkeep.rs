//! What keeps a database small and current: pruning a million rows beside a sender, and migrating a full database.

use crate::{
    filled::{Database, past, people, queue},
    support::database::{TestDb, postgres_url},
    table::{Table, millis},
};
use bellwether::{
    clock::{Clock as _, SystemClock},
    domain::{Platform, Retention},
    pipeline::pruning::Pruning,
    store::Store,
};
use sqlx::migrate::Migrator;
use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

/// Each with a message, its attempt, its link and its buttons: more than a million rows.
const TOLD: usize = 250_000;
const DAY: i64 = 86_400_000;
/// What a write transaction may take, so that nobody notices.
const SHORT: Duration = Duration::from_millis(50);
/// The schema that is filled before it is brought up to date.
const OLD: i64 = 23;
const FULL: usize = 300_000;
const A_MOMENT: Duration = Duration::from_secs(2);

pub(crate) async fn measure(table: &mut Table) {
    prune(table, "SQLite", &TestDb::sqlite().await).await;
    if let Some(db) = TestDb::postgres().await {
        prune(table, "PostgreSQL", &db).await;
    }
    let files = tempfile::tempdir().unwrap();
    migrate(table, "SQLite", &format!("sqlite://{}?mode=rwc", files.path().join("old.db").display())).await;
    if let Some(url) = postgres_url().await {
        migrate(table, "PostgreSQL", &url).await;
    }
}

async fn prune(table: &mut Table, name: &str, db: &TestDb) {
    let mut database = Database::open(&db.url).await;
    let now = SystemClock.now();
    people(&mut database, TOLD).await;
    past(&mut database, TOLD, now.as_millis() - 500 * DAY).await;
    queue(&mut database, 1, "1").await;
    let before = size(&mut database).await;
    let (store, claims, stopped) = (db.store.clone(), db.store.clone(), AtomicBool::new(false));
    let began = Instant::now();
    let pruning = async {
        let (mut pruning, mut steps, mut longest) = (Pruning::default(), 0, Duration::ZERO);
        while database.number("SELECT COUNT(*) FROM (SELECT 1 FROM alerts LIMIT 1) AS any_left").await > 0
            || database.number("SELECT COUNT(*) FROM (SELECT 1 FROM buttons LIMIT 1) AS any_left").await > 0
        {
            let step = Instant::now();
            pruning.go_on(&store, Retention::of_days(400, 30), now).await.unwrap();
            store.forget_old(now).await.unwrap();
            (steps, longest) = (steps + 1, longest.max(step.elapsed()));
        }
        (steps, longest)
    };
    let claiming = async {
        let mut longest = Duration::ZERO;
        loop {
            let began = Instant::now();
            let claimed =
                claims.claim(Platform::Telegram, "bench", |_| "0".to_owned(), now, now + Duration::from_secs(15), 8).await.unwrap();
            longest = longest.max(began.elapsed());
            for claimed in &claimed {
                let began = Instant::now();
                claims.release_claim(claimed).await.unwrap();
                longest = longest.max(began.elapsed());
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
            if stopped.load(Ordering::Relaxed) {
                return longest;
            }
        }
    };
    let stopping = async {
        let done = pruning.await;
        stopped.store(true, Ordering::Relaxed);
        done
    };
    let ((steps, longest_round), longest) = tokio::join!(stopping, claiming);
    let took = began.elapsed();
    let told = format!("{:.1} s, {steps} rounds, the longest {}", took.as_secs_f64(), millis(longest_round));
    table.tell(&format!("{name}: {} old rows removed in steps, without the pauses between rounds", 5 * TOLD), told);
    table.reach("the longest that a claim or its end waited and took meanwhile", "under 50 ms", millis(longest), longest < SHORT);
    let after = size(&mut database).await;
    past(&mut database, TOLD, now.as_millis() - 500 * DAY).await;
    let again = size(&mut database).await;
    let grown = again as f64 / before as f64;
    let megabytes = |bytes: i64| format!("{:.0} MB", bytes as f64 / 1e6);
    let measured = format!("{grown:.2} times ({}, {} pruned, {} full again)", megabytes(before), megabytes(after), megabytes(again));
    table.reach("the database once as many rows were written again, of what it was", "at most 1.1 times", measured, grown <= 1.1);
}

async fn size(database: &mut Database) -> i64 {
    if database.is_sqlite() {
        database.number("SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()").await
    } else {
        database.number("SELECT pg_database_size(current_database())").await
    }
}

async fn migrate(table: &mut Table, name: &str, url: &str) {
    let folder = if name == "SQLite" { "migrations/sqlite" } else { "migrations/postgres" };
    let all = Migrator::new(Path::new(folder)).await.unwrap();
    let migrations: Vec<_> = all.iter().cloned().collect();
    let (old, newer): (Vec<_>, Vec<_>) = migrations.iter().cloned().partition(|migration| migration.version <= OLD);
    run(old.clone(), url).await;
    let mut database = Database::open(url).await;
    people(&mut database, FULL).await;
    past(&mut database, FULL, 0).await;
    queue(&mut database, 1, "2").await;
    let mut applied = old;
    let (mut longest, mut which) = (Duration::ZERO, 0);
    for migration in newer {
        let version = migration.version;
        applied.push(migration);
        let began = Instant::now();
        run(applied.clone(), url).await;
        if began.elapsed() > longest {
            (longest, which) = (began.elapsed(), version);
        }
    }
    let began = Instant::now();
    Store::open(url).await.unwrap().close().await;
    let opened = began.elapsed();
    let measured = format!("{} ({which:04}; opened then in {})", millis(longest), millis(opened));
    let what = format!("{name}: the longest migration since {OLD:04} with {FULL} alerts and {} messages", 2 * FULL);
    table.reach(&what, "under 2 s", measured, longest < A_MOMENT);
}

async fn run(migrations: Vec<sqlx::migrate::Migration>, url: &str) {
    let migrator = Migrator::with_migrations(migrations);
    if url.starts_with("sqlite") {
        migrator.run(&sqlx::SqlitePool::connect(url).await.unwrap()).await.unwrap();
    } else {
        migrator.run(&sqlx::PgPool::connect(url).await.unwrap()).await.unwrap();
    }
}
