//! The shell commands as a person types them: the real binary, its output and its exit code.

use crate::support::{
    commands::run_sql,
    database::{TestDb, on_both},
};
use bellwether::{
    domain::{
        Address, AlertId, Lane, MessageBody, Place, Platform, QuarantineReason, Timestamp,
        wording::{Card, NoticePhrase, Phrase, Tone},
    },
    store::{NewDestination, Retried, UndeliveredId, UndeliveredState},
};
use sqlx::{Connection as _, Executor as _};
use std::{path::Path, process::Command};

struct Ended {
    code: i32,
    out: String,
    err: String,
}

/// Runs a command in a folder of its own with these settings and no others.
fn bellwether(folder: &Path, arguments: &[&str], settings: &[(&str, &str)]) -> Ended {
    let ended = Command::new(env!("CARGO_BIN_EXE_bellwether"))
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .envs(settings.iter().copied())
        .output()
        .unwrap();
    Ended {
        code: ended.status.code().unwrap(),
        out: String::from_utf8(ended.stdout).unwrap(),
        err: String::from_utf8(ended.stderr).unwrap(),
    }
}

#[test]
fn version_and_help_go_to_stdout_and_a_wrong_word_ends_with_two() {
    let folder = tempfile::tempdir().unwrap();
    let version = bellwether(folder.path(), &["--version"], &[]);
    assert_eq!((version.code, version.out.trim()), (0, concat!("bellwether ", env!("CARGO_PKG_VERSION"))));
    let help = bellwether(folder.path(), &["outbox", "--help"], &[]);
    assert!(help.code == 0 && help.out.contains("retry"), "{}", help.out);
    assert_eq!(bellwether(folder.path(), &["frobnicate"], &[]).code, 2);
}

#[test]
fn check_offline_tells_what_is_right_and_ends_with_zero() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(".env"), "TELEGRAM_BOT_TOKEN=1:s3cret\nTOKEN_METRICS_API_KEY=s3cret-key\n").unwrap();
    let ended = bellwether(folder.path(), &["check", "--offline"], &[("BELLWETHER_PUBLIC_PAGES", "true"), ("BELLWETHER_LISTN", "x")]);
    assert_eq!(ended.code, 0, "{}{}", ended.out, ended.err);
    for part in ["opened, migrated, can be written to", "not in this version", "did you mean BELLWETHER_LISTEN?", "Telegram", "not tried"] {
        assert!(ended.out.contains(part), "{part} is missing in\n{}", ended.out);
    }
    assert!(!format!("{}{}", ended.out, ended.err).contains("s3cret"));
    assert!(folder.path().join("bellwether.db").exists());
}

#[test]
fn check_tells_every_wrong_setting_and_ends_with_one() {
    let folder = tempfile::tempdir().unwrap();
    let settings = [("BELLWETHER_ADMIN_TOKEN", "s3cret"), ("DISCORD_BOT_TOKEN", "s3cret"), ("DATABASE_URL", "sqlite:///nowhere/at/all.db")];
    let ended = bellwether(folder.path(), &["check", "--offline"], &settings);
    assert_eq!(ended.code, 1);
    for part in ["shorter than 16", "DISCORD_APPLICATION_ID", "there is no folder /nowhere/at"] {
        assert!(ended.out.contains(part), "{part} is missing in\n{}", ended.out);
    }
    assert!(!format!("{}{}", ended.out, ended.err).contains("s3cret"));
}

#[test]
fn reading_commands_make_no_database() {
    let folder = tempfile::tempdir().unwrap();
    for arguments in [&["status"][..], &["outbox", "list"]] {
        let ended = bellwether(folder.path(), arguments, &[]);
        assert_eq!((ended.code, ended.out.as_str()), (1, ""));
        assert!(ended.err.contains("there is no database at bellwether.db"), "{}", ended.err);
    }
    assert!(!folder.path().join("bellwether.db").exists());
}

#[test]
fn a_healthcheck_without_an_instance_fails() {
    let folder = tempfile::tempdir().unwrap();
    let ended = bellwether(folder.path(), &["healthcheck"], &[("BELLWETHER_LISTEN", "127.0.0.1:1")]);
    assert!(ended.code == 1 && ended.err.contains("does not answer"), "{}", ended.err);
}

/// A message for a destination that is in quarantine.
async fn stuck(db: &TestDb) -> (Timestamp, UndeliveredId) {
    let now = Timestamp::parse("2026-11-21T12:00:00Z").unwrap();
    let address = Address::new(Platform::Telegram, "-1001");
    let new = NewDestination { address, place: Place::Group, tenant: None, label: None, creator: None };
    let destination = db.store.ensure_destination(&new, now).await.unwrap();
    let card = Card::new(Tone::Problem, Phrase::Notice(NoticePhrase::Restored { destination: "x".to_owned() }));
    let id = db.store.post(&new, &MessageBody::Card { card }, None, now).await.unwrap();
    db.store.quarantine(destination, QuarantineReason::Removed, now, Timestamp::NEVER).await.unwrap();
    (now, UndeliveredId::Message(id))
}

on_both!(the_outbox_lists_retries_and_drops, |db| async move {
    let (_, id) = stuck(&db).await;
    let (id, folder) = (id.to_string(), tempfile::tempdir().unwrap());
    let url = db.url.clone();
    let outbox = |arguments: &[&str]| bellwether(folder.path(), &[&["outbox"], arguments].concat(), &[("DATABASE_URL", &url)]);
    let list: serde_json::Value = serde_json::from_str(&outbox(&["list", "--json"]).out).unwrap();
    assert_eq!(
        list,
        serde_json::json!([{"id": id, "state": "quarantined", "destination": "telegram:-1001", "since": "2026-11-21T12:00:00Z", "reason": "removed"}])
    );
    assert_eq!(outbox(&["retry", &id]).code, 0);
    let probed = db.store.destination_at(&Address::new(Platform::Telegram, "-1001")).await.unwrap().unwrap();
    assert!(probed.quarantine.unwrap().next_probe_at < Timestamp::NEVER, "the destination is probed at once");
    assert_eq!(outbox(&["drop", &id]).code, 0);
    assert_eq!(outbox(&["drop", &id]).code, 1, "it is gone");
    assert!(outbox(&["list"]).out.starts_with("Nothing"));
    assert_eq!(outbox(&["retry", "x"]).code, 2);
});

on_both!(an_alert_that_is_held_is_said_to_be, |db| async move {
    stuck(&db).await;
    run_sql(
        &db.url,
        "INSERT INTO polls (source, feed, started_at, finished_at, outcome, asked, taken, set_aside, complete)
            VALUES ('token-metrics', 'daily', 7, 8, 'complete', 1, 1, 0, TRUE);
        INSERT INTO changes (poll_id, source, kind, token_id, to_stance, since_exact, data_time, detected_at, nature, timing, after_gap)
            SELECT 1, 'token-metrics', 'daily', value, 'bearish', TRUE, 2, 3, 'turned', 'fresh', FALSE
            FROM (SELECT 1 AS value UNION ALL SELECT 2 UNION ALL SELECT 3) AS tokens;
        INSERT INTO alerts (change_id, destination_id, decision, reason, lane, release_at, state, created_at)
            VALUES (1, 1, 'send', 'instant', 1, 3, 'pending', 3), (2, 1, 'hold', 'quiet_hours', 2, 4102444800000, 'pending', 3),
                (3, 1, 'hold', 'net_zero', 2, 9223372036854775807, 'pending', 3);",
    )
    .await;
    let folder = tempfile::tempdir().unwrap();
    let retried = bellwether(folder.path(), &["outbox", "retry", "alert:1", "alert:2", "alert:3"], &[("DATABASE_URL", &db.url)]);
    insta::assert_snapshot!(retried.out, @"
    alert:3: is held (net_zero) and goes with what is told there next
    alert:2: is held (quiet_hours) until 2100-01-01T00:00:00Z and is tried then
    alert:1: is tried again
    ");
    assert_eq!(retried.code, 0);
});

/// What delivery leaves behind where the platform refuses a message.
async fn give_up(url: &str) {
    const DEAD: &str = "UPDATE messages SET state = 'dead', problem = 'the message is refused: too long', attempts = 3";
    const WELL: &str = "UPDATE destinations SET quarantine_reason = NULL, next_probe_at = NULL";
    if url.starts_with("sqlite") {
        let mut connection = sqlx::SqliteConnection::connect(url).await.unwrap();
        connection.execute(DEAD).await.unwrap();
        connection.execute(WELL).await.unwrap();
    } else {
        let mut connection = sqlx::PgConnection::connect(url).await.unwrap();
        connection.execute(DEAD).await.unwrap();
        connection.execute(WELL).await.unwrap();
    }
}

on_both!(a_dead_letter_can_be_sent_after_all, |db| async move {
    let (now, id) = stuck(&db).await;
    give_up(&db.url).await;
    let [letter] = &db.store.undelivered().await.unwrap()[..] else { panic!("one dead letter") };
    assert_eq!((letter.state, letter.reason.as_str()), (UndeliveredState::Dead, "the message is refused: too long"));
    assert_eq!(
        db.store.retry_undelivered(UndeliveredId::Alert(AlertId(1)), now).await.unwrap(),
        Retried::Unknown,
        "an alert of the same number is another thing"
    );
    assert_eq!(db.store.retry_undelivered(id, now).await.unwrap(), Retried::Now);
    assert_eq!(db.store.undelivered().await.unwrap(), []);
    let status = db.store.delivery_status().await.unwrap();
    assert_eq!((status.queued, status.dead_letters), (vec![(Platform::Telegram, Lane::Reply, 1)], 0));
    assert!(!db.store.drop_undelivered(id, now).await.unwrap(), "what is on its way is left alone");
});

on_both!(the_status_counts_what_waits, |db| async move {
    stuck(&db).await;
    let folder = tempfile::tempdir().unwrap();
    let ended = bellwether(folder.path(), &["status", "--json"], &[("DATABASE_URL", &db.url)]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    let status: serde_json::Value = serde_json::from_str(&ended.out).unwrap();
    assert_eq!(status["queue"], serde_json::json!([{"platform": "telegram", "lane": "reply", "depth": 1}]));
    assert_eq!((&status["quarantined"], &status["dead_letters"], &status["calls"]["left"]), (&1.into(), &0.into(), &500.into()));
    assert!(bellwether(folder.path(), &["status"], &[("DATABASE_URL", &db.url)]).out.contains("quarantined destinations: 1"));
});
