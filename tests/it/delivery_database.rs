//! The database fails while the product runs: one line for whoever must act, nothing is lost, and it goes on by itself.

use crate::support::{
    app::{TestApp, embed_text},
    audience::{FOUR, SOL, text},
    commands::{rows, run_sql},
    database::{TestDb, on_both},
    fake_discord::{
        FaultKind, HERE,
        interaction::{self, ADMIN, subcommand},
    },
};
use bellwether::{
    clock::Clock,
    domain::{Address, Platform},
    store::Store,
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use std::time::Duration;

const PERSON: i64 = 501;
/// Less and more than a lock is waited for.
const SOON: Duration = Duration::from_millis(300);
const TOO_LATE: Duration = Duration::from_millis(6_500);

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

/// Another program that writes to the file, such as an operator's shell: nobody else can meanwhile.
struct Lock(SqliteConnection);

impl Lock {
    async fn take(url: &str) -> Self {
        let mut other = SqliteConnection::connect(url).await.unwrap();
        sqlx::raw_sql("BEGIN IMMEDIATE; UPDATE feeds SET failures = failures").execute(&mut other).await.unwrap();
        Self(other)
    }

    async fn release(mut self) {
        sqlx::raw_sql("ROLLBACK").execute(&mut self.0).await.unwrap();
    }

    async fn release_after(self, time: Duration) {
        tokio::time::sleep(time).await;
        self.release().await;
    }
}

fn subscribe(tokens: &str) -> Value {
    subcommand("channel", "subscribe", json!([text("tokens", tokens)]))
}

#[tokio::test]
async fn another_writer_that_is_soon_done_is_waited_for() {
    let mut app = open(TestDb::sqlite().await).await;
    app.calm().await;
    app.call(&[SOL], 1);
    app.clock.advance(Duration::from_secs(16 * 60));
    let url = app.db.url.clone();
    let locked = async || Lock::take(&url).await.release_after(SOON);
    let (done, ()) = tokio::join!(app.parts.poller.step(), locked().await);
    done.unwrap();
    let (done, ()) = tokio::join!(app.parts.flow.step(), locked().await);
    assert_eq!(done.unwrap(), 2, "a message for each of the two");
    for deliverer in &mut app.parts.deliverers {
        let (done, ()) = tokio::join!(deliverer.drain(), locked().await);
        assert_eq!(done.unwrap().started, 1);
    }
    let (said, ()) = tokio::join!(app.on_server(ADMIN, subscribe("eth")), locked().await);
    assert!(said.contains("Subscribed"), "{said}");
    app.telegram.with(|world| world.say(PERSON, PERSON, "/mute 1h"));
    let (done, ()) = tokio::join!(app.parts.updates.as_ref().unwrap().step(), locked().await);
    assert_eq!(done.unwrap(), 1);
    app.step().await;
    assert_eq!(app.on_discord(), ["SOL turned bullish"]);
    let told = app.on_telegram();
    assert!(told.len() == 2 && told[0] == "SOL turned bullish" && told[1].contains("uted"), "{told:?}");
}

#[tokio::test]
async fn another_writer_holds_the_file_for_long() {
    let mut app = open(TestDb::sqlite().await).await;
    up_to_messages(&mut app, 1).await;
    // Longer than anybody waits for a lock: the claim fails, nothing is sent, nothing is lost.
    let lock = Lock::take(&app.db.url).await;
    let failed = app.parts.deliverers[0].drain().await.unwrap_err();
    assert!(failed.to_string().contains("another program has been writing"), "{failed}");
    lock.release().await;
    goes_on(&mut app, "SOL turned bullish").await;
}

#[tokio::test]
async fn another_writer_comes_while_an_answer_is_awaited_and_stays() {
    let mut app = open(TestDb::sqlite().await).await;
    up_to_messages(&mut app, 1).await;
    let post = format!("POST /channels/{HERE}/messages");
    app.discord.fault(&post, 1, FaultKind::Delay(Duration::from_secs(1)));
    let (discord, url) = (&app.discord, app.db.url.clone());
    let locked = async {
        while !discord.requests().contains(&post) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Lock::take(&url).await.release_after(Duration::from_secs(1) + TOO_LATE).await;
    };
    let (drained, ()) = tokio::join!(app.parts.deliverers[0].drain(), locked);
    assert_eq!(drained.unwrap().started, 1, "sent once, and settled in the end");
    let errors = app.log.take_errors();
    assert!(errors.len() == 1 && errors[0].contains("could not be stored") && errors[0].contains("locked"), "{errors:#?}");
    goes_on(&mut app, "SOL turned bullish").await;
}

#[tokio::test]
async fn commands_are_answered_in_time_while_another_writer_holds_the_file() {
    let mut app = open(TestDb::sqlite().await).await;
    let url = app.db.url.clone();
    // Discord waits three seconds for the first answer: it says "thinking…", and what it is replaced by says that nothing was done.
    let interaction = interaction::in_server(app.next_interaction(), ADMIN, subscribe("eth"));
    let lock = Lock::take(&url).await;
    let (answer, ()) = tokio::join!(app.enter(&interaction), lock.release_after(TOO_LATE));
    assert_eq!(answer["type"], 5);
    let said = embed_text(&app.discord.answers().pop().unwrap().1);
    assert!(said.contains("Something went wrong on my side. Please try again"), "{said}");
    let errors = app.log.take_errors();
    assert!(errors.len() == 1 && errors[0].contains("a command failed") && errors[0].contains("locked"), "{errors:#?}");
    let said = app.interact(&interaction).await;
    assert!(said.contains("Subscribed"), "{said}");
    // On Telegram it is kept there until it can be taken.
    app.telegram.with(|world| world.say(PERSON, PERSON, "/subscribe btc"));
    let lock = Lock::take(&url).await;
    assert!(app.parts.updates.as_ref().unwrap().step().await.is_err());
    assert_eq!(app.telegram.unconfirmed(), 1);
    lock.release().await;
    app.step().await;
    let told = app.on_telegram();
    assert!(told.len() == 1 && told[0].contains("Subscribed"), "{told:?}");
    let subscribed = "SELECT d.chat, s.target FROM subscriptions s JOIN destinations d ON d.id = s.destination_id ORDER BY 1, 2";
    assert_eq!(
        rows(&url, subscribed).await,
        [format!("{HERE}|3306"), format!("{HERE}|3988"), "501|3375".to_owned(), "501|3988".to_owned()]
    );
}

/// SQLite finds no room for a row here: a table whose numbers are used up stands for a disk that is, because SQLite says and does the same then.
async fn no_room_for(url: &str, row: &str) {
    let sql = format!(
        "CREATE TABLE full (id INTEGER PRIMARY KEY AUTOINCREMENT); INSERT INTO full VALUES (9223372036854775807);
         CREATE TRIGGER no_room AFTER {row} BEGIN INSERT INTO full VALUES (NULL); END"
    );
    run_sql(url, &sql).await;
}

const MAKE_ROOM: &str = "DROP TRIGGER no_room; DROP TABLE full";

#[tokio::test]
async fn a_full_disk_stops_each_stage_and_loses_nothing() {
    let mut app = open(TestDb::sqlite().await).await;
    let url = app.db.url.clone();
    let is_full = |error: String| assert!(error.contains("disk is full") && error.contains("make room"), "{error}");
    app.calm().await;
    app.call(&[SOL], 1);
    app.clock.advance(Duration::from_secs(16 * 60));
    no_room_for(&url, "INSERT ON changes").await;
    is_full(app.parts.poller.step().await.unwrap_err().to_string());
    run_sql(&url, MAKE_ROOM).await;
    app.parts.poller.step().await.unwrap();
    // In the middle of a chunk of the fan-out, and of what is composed.
    for row in ["INSERT ON alerts WHEN (SELECT COUNT(*) FROM alerts) = 2", "INSERT ON messages WHEN NEW.platform = 'telegram'"] {
        no_room_for(&url, row).await;
        is_full(app.parts.flow.step().await.unwrap_err().to_string());
        run_sql(&url, MAKE_ROOM).await;
    }
    app.parts.flow.step().await.unwrap();
    no_room_for(&url, "INSERT ON attempts").await;
    for deliverer in &mut app.parts.deliverers {
        is_full(deliverer.drain().await.unwrap_err().to_string());
    }
    run_sql(&url, MAKE_ROOM).await;
    // And once both platforms have taken their message.
    for deliverer in &mut app.parts.deliverers {
        no_room_for(&url, "UPDATE ON messages WHEN NEW.state = 'sent'").await;
        let mended = async {
            tokio::time::sleep(Duration::from_millis(700)).await;
            run_sql(&url, MAKE_ROOM).await;
        };
        let (drained, ()) = tokio::join!(deliverer.drain(), mended);
        assert_eq!(drained.unwrap().started, 1);
        let errors = app.log.take_errors();
        assert_eq!(errors.len(), 1, "{errors:#?}");
        is_full(errors[0].clone());
    }
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
        app.discord.fault(&format!("POST /channels/{HERE}/messages"), 1, FaultKind::Delay(Duration::from_millis(300)));
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

/// Each waits for what the other has locked: PostgreSQL ends one of them.
#[tokio::test]
async fn a_move_and_the_end_of_an_attempt_wait_for_each_other_and_both_are_done() {
    let Some(db) = TestDb::postgres().await else { return };
    let mut app = open(db).await;
    up_to_messages(&mut app, 1).await;
    let url = app.db.url.clone();
    let mut settling = PgConnection::connect(&url).await.unwrap();
    // Whose time is up first gives way; it is looked at once.
    let store = Store::open(&format!("{url}&options[deadlock_timeout]=3s")).await.unwrap();
    let message = "SET deadlock_timeout = '60s'; BEGIN; UPDATE messages SET attempts = attempts WHERE platform = 'telegram'";
    sqlx::raw_sql(message).execute(&mut settling).await.unwrap();
    let now = app.clock.now();
    let [from, to] = [PERSON, PERSON + 1].map(|chat| Address::new(Platform::Telegram, chat.to_string()));
    let moving = tokio::spawn(async move { store.move_destination(&from, &to, now).await });
    let waits = "SELECT CAST(pid AS TEXT) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while rows(&url, waits).await.is_empty() {
        assert!(!moving.is_finished());
    }
    let place = format!("UPDATE destinations SET probes = probes WHERE chat = '{PERSON}'; COMMIT");
    sqlx::raw_sql(AssertSqlSafe(place)).execute(&mut settling).await.unwrap();
    moving.await.unwrap().unwrap();
    let places =
        "SELECT d.chat FROM messages m JOIN destinations d ON d.id = m.destination_id WHERE m.platform = 'telegram' AND m.state = 'queued'";
    assert_eq!(rows(&url, places).await, [(PERSON + 1).to_string()]);
    app.telegram.with(|world| _ = world.person(PERSON + 1));
    app.step().await;
    assert_eq!(app.on_discord(), ["SOL turned bullish"]);
    assert_eq!(app.telegram.unread().iter().filter(|sent| sent.text.contains("SOL turned bullish")).count(), 1);
}
