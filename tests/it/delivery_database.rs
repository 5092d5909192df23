//! The database fails while the product runs: one line for whoever must act, nothing is lost, and it goes on by itself.

use crate::support::{
    app::TestApp,
    audience::{FOUR, SOL, text},
    commands::run_sql,
    database::{TestDb, on_both},
    fake_discord::HERE,
};
use serde_json::json;
use sqlx::Connection;
use std::time::Duration;

const PERSON: i64 = 501;

async fn open(db: TestDb) -> TestApp {
    let mut app = TestApp::start(db).await;
    app.channel_subscribes(json!([text("tokens", "sol")])).await;
    app.person_subscribes(PERSON, "sol").await;
    app.baseline(&FOUR).await;
    app
}

/// The poll and both stages up to the messages.
async fn up_to_messages(app: &mut TestApp, stance: i64) {
    app.calm().await;
    app.call(&[SOL], stance);
    app.clock.advance(Duration::from_secs(16 * 60));
    app.parts.poller.step().await.unwrap();
    app.parts.flow.step().await.unwrap();
}

/// Whether something fails or comes to its end while `trouble` lasts, everything is told once in the end.
async fn goes_on(app: &mut TestApp, title: &str) {
    app.step().await;
    assert_eq!(app.on_discord(), [title]);
    assert_eq!(app.on_telegram(), [title]);
}

#[tokio::test]
async fn another_writer_holds_the_file_for_long() {
    let mut app = open(TestDb::sqlite().await).await;
    up_to_messages(&mut app, 1).await;
    // Longer than anybody waits for a lock: the claim fails, nothing is sent, nothing is lost.
    let mut other = sqlx::SqliteConnection::connect(&app.db.url).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE; UPDATE feeds SET failures = failures").execute(&mut other).await.unwrap();
    let failed = app.parts.deliverers[0].drain().await.unwrap_err();
    assert!(failed.to_string().contains("locked"), "{failed}");
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
    goes_on(&mut app, "SOL turned bullish").await;
}

on_both!(an_end_that_cannot_be_stored_is_stored_later_and_nothing_is_sent_twice, |db| async move {
    let mut app = open(db).await;
    up_to_messages(&mut app, 1).await;
    // What was sent cannot be written down: as on a full disk or in a database that became read-only.
    let refuse = if app.db.url.starts_with("sqlite") {
        "CREATE TRIGGER full BEFORE UPDATE ON messages WHEN NEW.state = 'sent' BEGIN SELECT RAISE(ABORT, 'disk full'); END"
    } else {
        "CREATE FUNCTION full_disk() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'disk full'; END $$ LANGUAGE plpgsql;
         CREATE TRIGGER full_disk BEFORE UPDATE ON messages FOR EACH ROW WHEN (NEW.state = 'sent') EXECUTE FUNCTION full_disk()"
    };
    let mend = if app.db.url.starts_with("sqlite") { "DROP TRIGGER full" } else { "DROP TRIGGER full_disk ON messages" };
    run_sql(&app.db.url, refuse).await;
    let url = app.db.url.clone();
    let mended = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        run_sql(&url, mend).await;
    };
    let telegram = app.parts.deliverers.iter_mut().find(|one| one.platform() == bellwether::domain::Platform::Telegram).unwrap();
    let (drained, ()) = tokio::join!(telegram.drain(), mended);
    assert_eq!(drained.unwrap().started, 1, "sent once, and settled in the end");
    let errors = app.log.take_errors();
    assert_eq!(errors.len(), 1, "one line for one failure: {errors:#?}");
    assert!(errors[0].contains("could not be stored") && errors[0].contains("disk full"), "{errors:?}");
    goes_on(&mut app, "SOL turned bullish").await;
});

on_both!(a_database_that_became_read_only_stops_everything_and_loses_nothing, |db| async move {
    let mut app = open(db).await;
    up_to_messages(&mut app, 1).await;
    let (refuse, mend) = if app.db.url.starts_with("sqlite") {
        ("CREATE TRIGGER ro BEFORE UPDATE ON messages BEGIN SELECT RAISE(ABORT, 'read-only'); END".to_owned(), "DROP TRIGGER ro".to_owned())
    } else {
        let name = app.db.url.split(['/', '?']).find(|part| part.starts_with("test_")).unwrap().to_owned();
        let kick = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND pid <> pg_backend_pid()");
        (
            format!("ALTER DATABASE {name} SET default_transaction_read_only = on; {kick}"),
            format!("BEGIN READ WRITE; ALTER DATABASE {name} RESET default_transaction_read_only; COMMIT; {kick}"),
        )
    };
    run_sql(&app.db.url, &refuse).await;
    for deliverer in &mut app.parts.deliverers {
        assert!(deliverer.drain().await.is_err());
    }
    run_sql(&app.db.url, &mend).await;
    goes_on(&mut app, "SOL turned bullish").await;
});

#[tokio::test]
async fn connections_to_postgresql_break_and_come_back() {
    let Some(db) = TestDb::postgres().await else { return };
    let mut app = open(db).await;
    let kick = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";
    let mut stance = 1;
    for _ in 0..3 {
        up_to_messages(&mut app, stance).await;
        // Every connection of the pool breaks while the answers are awaited.
        app.discord.fault(
            &format!("POST /channels/{HERE}/messages"),
            1,
            crate::support::fake_discord::FaultKind::Delay(Duration::from_millis(300)),
        );
        let url = app.db.url.clone();
        let kicked = async {
            tokio::time::sleep(Duration::from_millis(150)).await;
            run_sql(&url, kick).await;
        };
        let (drained, ()) = tokio::join!(app.parts.deliverers[0].drain(), kicked);
        drained.unwrap();
        let errors = app.log.take_errors();
        assert!(errors.len() <= 1, "one line for one failure: {errors:#?}");
        goes_on(&mut app, if stance > 0 { "SOL turned bullish" } else { "SOL turned bearish" }).await;
        stance = -stance;
    }
}
