//! `export` and `import`, as an operator types them.

use crate::support::{
    commands::run_sql,
    database::{TestDb, on_both},
    process::{Ended, Fakes, Installation},
};
use bellwether::{
    clock::{Clock, SystemClock},
    domain::{
        Address, MessageBody, Place, Platform,
        wording::{Card, NoticePhrase, Phrase, Tone},
    },
    store::NewDestination,
};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

fn shell(url: &str) -> Installation {
    let mut installation = Installation::empty();
    installation.set("DATABASE_URL", url);
    installation
}

pub(crate) async fn export(url: &str, arguments: &[&str]) -> String {
    let ended = shell(url).run(&[&["export"], arguments].concat()).await;
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    ended.out
}

pub(crate) async fn import(url: &str, document: &str, arguments: &[&str]) -> Ended {
    let shell = shell(url);
    std::fs::write(shell.folder.path().join("export.json"), document).unwrap();
    shell.run(&[&["import", "export.json"], arguments].concat()).await
}

/// A database of the other kind.
pub(crate) async fn other(db: &TestDb) -> Option<TestDb> {
    if db.url.starts_with("sqlite") { TestDb::postgres().await } else { Some(TestDb::sqlite().await) }
}

/// One of the same kind.
async fn another(db: &TestDb) -> TestDb {
    if db.url.starts_with("sqlite") { TestDb::sqlite().await } else { TestDb::postgres().await.unwrap() }
}

async fn fill(db: &TestDb) {
    let mut fixtures: Vec<_> = std::fs::read_dir("tests/it/data/migrations").unwrap().map(|entry| entry.unwrap().path()).collect();
    fixtures.sort();
    for fixture in &fixtures {
        run_sql(&db.url, &std::fs::read_to_string(fixture).unwrap()).await;
    }
}

on_both!(a_move_there_and_back_gives_the_same_bytes, |db| async move {
    fill(&db).await;
    let first = export(&db.url, &["--with-state"]).await;
    assert_eq!(export(&db.url, &["--with-state"]).await, first);
    let Some(there) = other(&db).await else { return };
    let ended = import(&there.url, &first, &[]).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(export(&there.url, &["--with-state"]).await, first);
    let again = import(&there.url, &first, &[]).await;
    assert_eq!((again.code, again.out.as_str()), (Some(0), "Nothing to change: the database holds all of it.\n"));
    let back = another(&db).await;
    assert_eq!(import(&back.url, &first, &[]).await.code, Some(0));
    assert_eq!(export(&back.url, &["--with-state"]).await, first);
    same_rows(&db, &there).await;
    same_rows(&db, &back).await;
});

/// What stays behind on purpose: what belongs to a process or lasts for minutes, and whatever is looked at again from its beginning.
const LEFT_BEHIND: &[(&str, &str)] = &[
    ("leases", "*"),
    ("deep_links", "*"),
    ("uploads", "*"),
    ("messages", "lease_holder"),
    ("messages", "lease_fence"),
    ("messages", "lease_until"),
    ("messages", "start_tag"),
    ("virtual_times", "*"),
    ("fanout_jobs", "after_destination"),
    ("source_fields", "*"),
];

/// Every column of every table holds the same in both: a table or column that export forgets is found here.
async fn same_rows(from: &TestDb, to: &TestDb) {
    for (table, column) in from.store.schema().await.unwrap() {
        if LEFT_BEHIND.iter().any(|(left, which)| *left == table && (*which == "*" || *which == column)) {
            continue;
        }
        let own = if table == "audit" { " WHERE actor <> 'import'" } else { "" };
        let sql = format!("SELECT CAST(\"{column}\" AS TEXT) FROM {table}{own}");
        let (before, after) = (values(&from.url, &sql).await, values(&to.url, &sql).await);
        assert_eq!(before, after, "{table}.{column}");
    }
}

/// As both databases would write them.
async fn values(url: &str, sql: &str) -> Vec<Value> {
    let normal = |text: String| match text.as_str() {
        "true" => json!(1),
        "false" => json!(0),
        // No settings are the usual ones.
        "{}" => json!({"max_per_hour": 10, "cooldown_minutes": 0}),
        text => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
    };
    let mut values: Vec<_> = crate::support::commands::rows(url, sql).await.into_iter().map(normal).collect();
    // 1 and 1.0 are one number.
    values.iter_mut().for_each(|value| {
        if let Some(number) = value.as_f64() {
            *value = json!(number);
        }
    });
    values.sort_by_key(Value::to_string);
    values
}

on_both!(what_comes_after_a_move_is_numbered_on, |db| async move {
    fill(&db).await;
    let document = export(&db.url, &["--with-state"]).await;
    let Some(there) = other(&db).await else { return };
    assert_eq!(import(&there.url, &document, &[]).await.code, Some(0));
    let new =
        NewDestination { address: Address::new(Platform::Telegram, "501"), place: Place::Person, tenant: None, label: None, creator: None };
    let card = Card::new(Tone::Problem, Phrase::Notice(NoticePhrase::Restored { destination: "x".to_owned() }));
    let id = there.store.post(&new, &MessageBody::Card { card }, None, SystemClock.now()).await.unwrap();
    assert_eq!(id.0, 2, "the nonce of message 1 was used and must not come again");
    let changes = "INSERT INTO polls (source, feed, started_at, finished_at, outcome, asked, taken, set_aside, complete)
            VALUES ('token-metrics', 'daily', 7, 8, 'complete', 50, 50, 0, TRUE);
        INSERT INTO changes (poll_id, source, kind, token_id, to_stance, since_exact, data_time, detected_at, nature, timing, after_gap)
            VALUES (2, 'token-metrics', 'daily', 3988, 'bearish', TRUE, 2, 3, 'turned', 'fresh', FALSE);
        INSERT INTO alerts (change_id, destination_id, decision, reason, lane, release_at, state, created_at)
            VALUES (2, 1, 'send', 'instant', 1, 3, 'pending', 3);";
    run_sql(&there.url, changes).await;
});

on_both!(settings_and_subscriptions_alone_can_be_read_edited_and_put_back, |db| async move {
    fill(&db).await;
    let document = export(&db.url, &[]).await;
    let json: Value = serde_json::from_str(&document).unwrap();
    assert_eq!((&json["format"], &json["version"], json.get("state")), (&"bellwether-export".into(), &1.into(), None));
    assert_eq!(json["destinations"][1]["address"], "telegram:-1001/42");
    assert_eq!(json["destinations"][1]["muted_until"], "1970-01-01T00:00:00.099Z");
    assert_eq!(json["subscriptions"][0]["mention"], "77");
    assert_eq!(import(&db.url, &document, &[]).await.out, "Nothing to change: the database holds all of it.\n");

    let mut edited = json.clone();
    edited["destinations"][0]["settings"]["max_per_hour"] = 3.into();
    edited["subscriptions"][1]["target"] = "45011".into();
    let edited = edited.to_string();
    let dry = import(&db.url, &edited, &["--dry-run"]).await;
    insta::assert_snapshot!(dry.out, @r#"
    ~ destinations discord:123: settings {"cooldown_minutes":0,"max_per_hour":10,"quiet_hours":"22:00-07:00","timezone":"Europe/Berlin"} -> {"cooldown_minutes":0,"max_per_hour":3,"quiet_hours":"22:00-07:00","timezone":"Europe/Berlin"}
    + subscriptions telegram:-1001/42 45011 hourly
    This would be: 1 added, 1 changed, 0 removed.
    "#);
    assert_eq!(export(&db.url, &[]).await, document, "nothing was changed");
    assert_eq!(import(&db.url, &edited, &[]).await.out, "Imported: 1 added, 1 changed, 0 removed.\n");
    let replaced = import(&db.url, &edited, &["--replace", "--dry-run"]).await;
    insta::assert_snapshot!(replaced.out, @"
    - subscriptions telegram:-1001/42 3988 hourly
    This would be: 0 added, 0 changed, 1 removed.
    ");
    assert_eq!(import(&db.url, &edited, &["--replace"]).await.code, Some(0));
    let now: Value = serde_json::from_str(&export(&db.url, &[]).await).unwrap();
    assert_eq!(now, serde_json::from_str::<Value>(&edited).unwrap());
    let audit = crate::support::commands::rows(&db.url, "SELECT actor, action, after FROM audit WHERE actor = 'import' ORDER BY id").await;
    assert!(audit.len() == 3 && audit[0].contains("\"max_per_hour\":3"), "{audit:?}");

    // A place that the file lacks goes with everything that it had.
    let mut less: Value = serde_json::from_str(&edited).unwrap();
    less["destinations"].as_array_mut().unwrap().remove(0);
    less["subscriptions"].as_array_mut().unwrap().remove(0);
    less["exclusions"] = json!([]);
    let ended = import(&db.url, &less.to_string(), &["--replace"]).await;
    assert_eq!(ended.out, "Imported: 0 added, 0 changed, 3 removed.\n", "{ended:?}");
    assert_eq!(crate::support::commands::rows(&db.url, "SELECT chat FROM destinations").await, ["-1001"]);
});

on_both!(two_states_are_not_mixed, |db| async move {
    fill(&db).await;
    let document = export(&db.url, &["--with-state"]).await;
    run_sql(&db.url, "UPDATE messages SET state = 'dead', problem = 'refused'; DELETE FROM call_ledger; DELETE FROM notices").await;
    let here = export(&db.url, &["--with-state"]).await;
    let refused = import(&db.url, &document, &[]).await;
    assert!(
        refused.code == Some(1) && refused.err.contains("state: this database has a state of its own") && refused.err.contains("--replace")
    );
    assert_eq!(export(&db.url, &["--with-state"]).await, here, "nothing was changed");
    let dry = import(&db.url, &document, &["--replace", "--dry-run"]).await;
    insta::assert_snapshot!(dry.out, @"
    + calls: 1 that were made elsewhere
    ~ state messages: 1 here, 1 in the file
    ~ state notices: 0 here, 1 in the file
    This would be: 1 added, 0 changed, 0 removed; the state is replaced by that of the file.
    ");
    assert_eq!(import(&db.url, &document, &["--replace"]).await.code, Some(0));
    assert_eq!(export(&db.url, &["--with-state"]).await, document);
    // What was called stays counted, wherever it was called.
    run_sql(&db.url, "INSERT INTO call_ledger (source, endpoint, purpose, called_at) VALUES ('token-metrics', 'tokens', 'check', 99)")
        .await;
    assert_eq!(import(&db.url, &document, &["--replace"]).await.out, "Nothing to change: the database holds all of it.\n");
    assert_eq!(
        crate::support::commands::rows(&db.url, "SELECT endpoint FROM call_ledger ORDER BY called_at").await,
        ["trading-signals", "tokens"]
    );
});

on_both!(a_running_instance_is_not_moved_under_its_feet, |db| async move {
    let fakes = Fakes::start().await;
    let installation = Installation::new(&fakes, &db.url);
    let document = export(&db.url, &[]).await;
    let (process, _) = installation.serve().await;
    assert_eq!(installation.run(&["export"]).await.code, Some(0), "configuration can be read at any time");
    let refused = installation.run(&["export", "--with-state"]).await;
    assert!(refused.code == Some(1) && refused.out.is_empty() && refused.err.contains("Stop it and export again"), "{refused:?}");
    let insisted = installation.run(&["export", "--with-state", "--while-running"]).await;
    assert!(insisted.code == Some(0) && insisted.err.contains("do not use this export for a move"), "{insisted:?}");
    let refused = import(&db.url, &document, &[]).await;
    assert!(refused.code == Some(1) && refused.err.contains("stop it, import, start it again"), "{refused:?}");
    assert_eq!(import(&db.url, &document, &["--dry-run"]).await.code, Some(0), "a look is free");
    assert_eq!(process.stop("TERM").await.code, Some(0));
    assert_eq!(import(&db.url, &document, &[]).await.code, Some(0));
    let (process, _) = installation.serve().await;
    assert_eq!(process.stop("TERM").await.code, Some(0), "an import leaves nobody locked out");
    let everything = export(&db.url, &["--with-state"]).await;
    for secret in [crate::support::fake_discord::TOKEN, crate::support::fake_telegram::TOKEN, crate::support::fake_token_metrics::API_KEY] {
        assert!(!everything.contains(secret));
    }
});

#[tokio::test]
async fn an_export_into_a_file_is_for_its_owner_alone() {
    let db = TestDb::sqlite().await;
    fill(&db).await;
    let shell = shell(&db.url);
    for _ in 0..2 {
        let ended = shell.run(&["export", "--with-state", "--output", "moved.json"]).await;
        assert_eq!((ended.code, ended.out.as_str()), (Some(0), ""), "{ended:?}");
    }
    let path = shell.folder.path().join("moved.json");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::read_dir(shell.folder.path()).unwrap().count(), 1, "nothing else is left behind");
    let nowhere = shell.run(&["export", "--output", "nowhere/moved.json"]).await;
    assert!(nowhere.code == Some(1) && nowhere.err.contains("nowhere/moved.json"), "{nowhere:?}");
    let since = shell.run(&["export", "--with-state", "--history-since", "2026-06-01"]).await;
    let since: Value = serde_json::from_str(&since.out).unwrap();
    assert_eq!(since["state"]["observations"], json!([]));
    assert_eq!(shell.run(&["export", "--with-state", "--history-since", "June"]).await.code, Some(2));
}

#[tokio::test]
async fn an_export_that_nobody_could_import_takes_no_ones_place() {
    let db = TestDb::sqlite().await;
    fill(&db).await;
    let shell = shell(&db.url);
    assert_eq!(shell.run(&["export", "--with-state", "--output", "moved.json"]).await.code, Some(0));
    let path = shell.folder.path().join("moved.json");
    let before = std::fs::read(&path).unwrap();
    run_sql(
        &db.url,
        "INSERT INTO audit (at, platform, actor, action, after) SELECT i, 'discord', '7', 'subscribe', '\"' || hex(zeroblob(1048576)) || '\"'
         FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 33) SELECT i FROM n)",
    )
    .await;
    let ended = shell.run(&["export", "--with-state", "--output", "moved.json"]).await;
    assert!(ended.code == Some(1) && ended.err.contains("takes 64") && ended.err.contains("largest parts: audit 66 MiB"), "{ended:?}");
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(std::fs::read_dir(shell.folder.path()).unwrap().count(), 1, "nothing else is left behind");
    let ended = shell.run(&["export", "--with-state"]).await;
    assert!(ended.code == Some(1) && ended.out.len() > 64 << 20 && ended.err.contains("takes 64"));
}

on_both!(whoever_asked_to_be_forgotten_is_not_brought_back, |db| async move {
    fill(&db).await;
    let before: Value = serde_json::from_str(&export(&db.url, &[]).await).unwrap();
    run_sql(&db.url, "UPDATE destinations SET forgotten_at = 5, settings = '{}' WHERE chat = '123'; DELETE FROM subscriptions WHERE destination_id = 1; DELETE FROM exclusions")
        .await;
    let here = export(&db.url, &[]).await;
    let mut document = before.clone();
    document["subscriptions"][1]["direction"] = "any".into();
    let ended = import(&db.url, &document.to_string(), &[]).await;
    insta::assert_snapshot!(ended.out, @"
    discord:123 asked to be forgotten and is left as it is here; with --replace it would be as in the file.
    Imported: 0 added, 1 changed, 0 removed.
    ");
    // The other way round: they came back after the file was written.
    let came_back = import(&db.url, &before.to_string(), &["--replace"]).await;
    assert_eq!(came_back.code, Some(0), "{came_back:?}");
    assert_eq!(serde_json::from_str::<Value>(&export(&db.url, &[]).await).unwrap(), before, "with --replace the file wins");
    let ended = import(&db.url, &here, &[]).await;
    insta::assert_snapshot!(ended.out, @"
    discord:123 asked to be forgotten and is left as it is here; with --replace it would be as in the file.
    Nothing else to change.
    ");
    assert_eq!(import(&db.url, &here, &["--replace"]).await.code, Some(0));
    assert_eq!(export(&db.url, &[]).await, here);
});

#[tokio::test]
async fn a_dry_run_into_nowhere_makes_nothing() {
    let db = TestDb::sqlite().await;
    fill(&db).await;
    let document = export(&db.url, &["--with-state"]).await;
    let shell = shell("sqlite://new.db");
    std::fs::write(shell.folder.path().join("export.json"), &document).unwrap();
    let dry = shell.run(&["import", "--dry-run", "export.json"]).await;
    assert!(dry.out.contains("+ destinations telegram:-1001/42") && dry.out.contains("~ state messages: 0 here, 1 in the file"), "{dry:?}");
    assert!(!shell.folder.path().join("new.db").exists());
    assert_eq!(shell.run(&["import", "export.json"]).await.code, Some(0));
    assert!(shell.folder.path().join("new.db").exists());
}

/// What a file says of itself, changed.
fn with(document: &Value, pointer: &str, value: Value) -> String {
    let mut document = document.clone();
    let (parent, last) = pointer.rsplit_once('/').unwrap();
    match document.pointer_mut(parent).unwrap() {
        Value::Array(list) if last == "-" => list.push(value),
        Value::Array(list) => list[last.parse::<usize>().unwrap()] = value,
        parent => parent[last] = value,
    }
    document.to_string()
}

on_both!(a_hostile_file_changes_nothing_and_is_told_what_is_wrong, |db| async move {
    fill(&db).await;
    let whole = export(&db.url, &["--with-state"]).await;
    let document: Value = serde_json::from_str(&whole).unwrap();
    let with = |pointer: &str, value: Value| with(&document, pointer, value);
    let subscription = document["subscriptions"][1].clone();
    let many = |count: usize| {
        let mut document = document.clone();
        let rows = (0..count).map(|n| {
            let mut row = subscription.clone();
            row["target"] = (n + 1).to_string().into();
            row
        });
        document["subscriptions"] = rows.collect();
        document.to_string()
    };
    let cases = [
        (String::new(), "it is not whole"),
        ("[]".to_owned(), "it is not an export of Bellwether"),
        ("{}".to_owned(), "it is not an export of Bellwether"),
        (whole[..whole.len() / 2].to_owned(), "it is not whole"),
        (format!("{whole}{{}}"), "it is not whole"),
        (with("/version", 2.into()), "its version is 2"),
        (with("/version", "1".into()), "it is not an export"),
        (with("/colour", "red".into()), "colour"),
        (whole.replacen("\"version\": 1", "\"version\": 1, \"destinations\": []", 1), "duplicate field"),
        (with("/destinations", 7.into()), "destinations: invalid type"),
        (with("/destinations/0/address", "slack:1".into()), "destinations[0].address: \"slack:1\" is not taken; write discord:CHANNEL_ID"),
        (with("/destinations/0/address", "console:#x".into()), "destinations[0].address"),
        (with("/destinations/0/address", "telegram:07x".into()), "destinations[0].address"),
        (with("/destinations/0/settings/max_per_hour", 61.into()), "max_per_hour from 0 to 60"),
        (with("/destinations/0/settings/colour", 1.into()), "destinations[0].settings"),
        (with("/destinations/0/creator", "a\u{0}b".into()), "without control characters"),
        (with("/destinations/0/creator", "x".repeat(5000).into()), "at most 4,096 characters"),
        (with("/destinations/0/created_at", "yesterday".into()), "destinations[0].created_at: \"yesterday\" is not a time"),
        (with("/destinations/0/created_at", 5.into()), "destinations[0].created_at: invalid type"),
        (with("/destinations/-", document["destinations"][0].clone()), "destinations[2]: discord:123 stands twice"),
        (
            with("/subscriptions/0/kind", "weekly".into()),
            "subscriptions[0].kind: \"weekly\" is not taken; write daily, hourly, grade, fundamental or levels",
        ),
        (with("/subscriptions/0/delivery", "digest-monthly".into()), "write instant, digest-hourly, digest-daily or digest-weekly"),
        (with("/subscriptions/0/target", "SOL".into()), "write all or a TOKEN_ID"),
        (with("/subscriptions/0/target", "-5".into()), "write all or a TOKEN_ID"),
        (with("/subscriptions/0/destination", "telegram:5".into()), "subscriptions[0]: telegram:5 is not among the destinations"),
        (many(501), "would have 501 subscriptions, and 500 is the limit"),
        (with("/state/messages/0/id", i64::MAX.into()), "state.messages[0].id: 9223372036854775807 is out of range"),
        (with("/state/messages/0/lane", 9.into()), "state.messages[0].lane: there is no such lane"),
        (with("/state/message_alerts/0/alert", 77.into()), "state.message_alerts[0].alert: there is no alert 77"),
        (with("/state/alerts/0/change", 77.into()), "state.alerts[0].change: there is no change 77"),
        (with("/state/notices/0/name", "quarantine:telegram:5".into()), "state.notices[0].name"),
        (with("/state/stances/0/trader_grade", "71".into()), "state.stances[0].trader_grade"),
    ];
    for (text, words) in cases {
        let ended = import(&db.url, &text, &["--replace"]).await;
        assert!(ended.code == Some(1) && ended.out.is_empty(), "{words}: {ended:?}");
        assert!(ended.err.contains(words) && ended.err.contains("nothing was changed"), "{words}: {}", ended.err);
    }
    assert_eq!(export(&db.url, &["--with-state"]).await, whole);
    // The limit counts together with what is there.
    assert_eq!(import(&db.url, &many(500), &["--replace"]).await.code, Some(0));
    let mut more = document.clone();
    more.as_object_mut().unwrap().remove("state");
    more["subscriptions"] = json!([{"destination": "telegram:-1001/42", "source": "token-metrics", "target": "all", "kind": "daily",
        "direction": "any", "delivery": "instant", "creator": "telegram:7", "created_at": "2026-11-21T06:00:00Z", "updated_at": "2026-11-21T06:00:00Z"}]);
    assert!(import(&db.url, &more.to_string(), &[]).await.err.contains("would have 501 subscriptions"));
});

#[tokio::test]
async fn a_file_that_is_too_large_is_not_read_to_its_end() {
    let db = TestDb::sqlite().await;
    let shell = shell(&db.url);
    let path = shell.folder.path().join("export.json");
    let mut text = String::from("{\"format\":\"bellwether-export\",\"version\":1,\"subscriptions\":[");
    let row = "{\"destination\":\"telegram:5\",\"target\":\"1\",\"kind\":\"daily\"},";
    text.push_str(&row.repeat(1_000_000));
    std::fs::write(&path, &text).unwrap();
    let many = shell.run(&["import", "export.json"]).await;
    assert!(many.code == Some(1) && many.err.contains("nothing was changed"), "{many:?}");
    text.push_str(&" ".repeat(65 * 1024 * 1024));
    std::fs::write(&path, &text).unwrap();
    let large = shell.run(&["import", "export.json"]).await;
    assert!(large.code == Some(1) && large.err.contains("it is larger than 64 MiB"), "{large:?}");
    assert_eq!(shell.run(&["import", "absent.json"]).await.code, Some(1));
}
