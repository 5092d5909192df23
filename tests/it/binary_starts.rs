//! Bad starts and bad days of the machine: the exit code, and one clear line for each mistake.

use crate::support::{
    commands::run_sql,
    process::{Fakes, Installation, get},
};
use insta::assert_snapshot;
use sqlx::{Connection as _, SqliteConnection};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What `serve` says when it does not start, without what differs from run to run.
async fn refused(installation: &Installation) -> String {
    let ended = installation.run(&["serve"]).await;
    assert_eq!(ended.out, "", "nothing is printed to stdout");
    let folder = installation.folder.path().display().to_string();
    let lines: Vec<_> = ended.err.lines().filter(|line| !line.contains("Bellwether is starting")).collect();
    format!("{}\n{}", ended.code.unwrap(), lines.join("\n").replace(&folder, "FOLDER"))
}

#[tokio::test]
async fn without_settings_it_says_which_ones_it_needs() {
    assert_snapshot!(refused(&Installation::empty()).await, @r#"
    2
    TOKEN_METRICS_API_KEY: it is not set; write your key from https://app.tokenmetrics.com/en/api
    DISCORD_BOT_TOKEN: neither this nor TELEGRAM_BOT_TOKEN is set, so nobody could be told; write the token of at least one bot
    "#);
}

#[tokio::test]
async fn the_example_as_it_is_says_the_same() {
    let installation = Installation::empty();
    std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/.env.example"), installation.folder.path().join(".env")).unwrap();
    assert_snapshot!(refused(&installation).await, @r#"
    2
    TOKEN_METRICS_API_KEY: it is not set; write your key from https://app.tokenmetrics.com/en/api
    DISCORD_BOT_TOKEN: neither this nor TELEGRAM_BOT_TOKEN is set, so nobody could be told; write the token of at least one bot
    "#);
}

#[tokio::test]
async fn every_wrong_setting_has_its_line() {
    let mut installation = Installation::empty();
    for (name, value) in [
        ("DATABASE_URL", "mysql://root:s3cret-word@host/db"),
        ("BELLWETHER_LISTEN", "8080"),
        ("BELLWETHER_PUBLIC_URL", "bot.example.org"),
        ("BELLWETHER_ADMIN_TOKEN", "s3cret-short"),
        ("BELLWETHER_SCHEDULE_DAILY", "0 */2 * * *"),
        ("BELLWETHER_SCHEDULE_HOURLY", "0 0 0 31 2 *"),
        ("BELLWETHER_OPERATORS", "slack:5"),
        ("TOKEN_METRICS_API_URL", "http://api.example.org"),
        ("TOKEN_METRICS_CALLS_PER_MONTH", "many"),
        ("DISCORD_BOT_TOKEN", "s3cret-token"),
        ("DISCORD_PUBLIC_KEY", "0000000000000000000000000000000000000000000000000000000000000000"),
        ("TELEGRAM_BOT_TOKEN", "s3cret token"),
        ("BELLWETHER_LOG_FORMAT", "xml"),
        ("TOKEN_METRICS_API_KEY_FILE", "/nowhere/key"),
    ] {
        installation.set(name, value);
    }
    let text = refused(&installation).await;
    assert!(!text.contains("s3cret"), "{text}");
    assert_snapshot!(text, @r#"
    2
    DATABASE_URL: it begins with neither sqlite:// nor postgres://; write sqlite://PATH or postgres://USER:PASSWORD@HOST/NAME
    BELLWETHER_LISTEN: "8080" is not an address and a port; write ADDRESS:PORT such as 127.0.0.1:8080, or 0.0.0.0:8080 for every network
    BELLWETHER_PUBLIC_URL: it is not a URL; write a URL such as https://bellwether.example.org
    TOKEN_METRICS_API_KEY_FILE: the file cannot be read (entity not found); write the path of a file that this user can read
    TOKEN_METRICS_API_URL: plain http would show the key to everybody on the way; write https://…, or set BELLWETHER_ALLOW_HTTP=true
    TOKEN_METRICS_CALLS_PER_MONTH: "many" is not a whole number that fits; write a number from 0 to 1000000000; 0 for no limit
    BELLWETHER_SCHEDULE_DAILY: it has five fields, and the seconds are missing; write `0 0 */2 * * *`: seconds come first
    BELLWETHER_SCHEDULE_HOURLY: "0 0 0 31 2 *" never comes; write six fields (second minute hour day month weekday, in UTC) such as `0 5 */2 * * *`, or off
    DISCORD_PUBLIC_KEY: it is a weak key: anybody could forge requests with it; write the 64 digits under General Information, Public Key, in Discord's developer portal
    DISCORD_APPLICATION_ID: it is not set, but DISCORD_BOT_TOKEN is; write the number under General Information, Application ID, in Discord's developer portal
    TELEGRAM_BOT_TOKEN: it holds spaces, line breaks or letters beyond ASCII; write the secret alone, copied again
    BELLWETHER_OPERATORS: "slack:5" is not an address; write discord:CHANNEL_ID, discord:user:USER_ID, telegram:CHAT_ID or telegram:CHAT_ID/TOPIC, with commas between
    BELLWETHER_ADMIN_TOKEN: it is shorter than 16 characters; write a longer one, such as the output of `openssl rand -hex 16`
    BELLWETHER_LOG_FORMAT: it is neither text nor json; write text or json
    "#);
}

#[tokio::test]
async fn a_port_or_a_database_that_cannot_be_used() {
    let fakes = Fakes::start().await;
    let mut installation = Installation::new(&fakes, "sqlite://bellwether.db");
    let mut said = Vec::new();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    installation.set("BELLWETHER_LISTEN", &address);
    said.push(refused(&installation).await.replace(&address, "ADDRESS"));
    installation.set("BELLWETHER_LISTEN", "127.0.0.1:0");

    let folder = installation.folder.path().to_owned();
    std::fs::create_dir(folder.join("folder.db")).unwrap();
    std::fs::write(folder.join("garbage.db"), "this is no database, although it is long enough to be one. ".repeat(20)).unwrap();
    std::fs::write(folder.join("file"), "").unwrap();
    for path in ["missing/x.db", "file/x.db", "folder.db", "garbage.db", "bellwether.db?mode=ro"] {
        installation.set("DATABASE_URL", &format!("sqlite://{path}"));
        said.push(format!("{path}: {}", refused(&installation).await));
    }
    assert_snapshot!(said.join("\n\n"), @r#"
    1
    BELLWETHER_LISTEN: ADDRESS cannot be listened on: Address already in use (os error 98); another program may be using it, choose another port

    missing/x.db: 1
    DATABASE_URL: there is no folder missing for the database; make it, or name another file

    file/x.db: 1
    DATABASE_URL: there is no folder file for the database; make it, or name another file

    folder.db: 1
    DATABASE_URL: the database cannot be opened: error returned from database: (code: 14) unable to open database file

    garbage.db: 1
    DATABASE_URL: the database cannot be opened: error returned from database: (code: 26) file is not a database

    bellwether.db?mode=ro: 1
    DATABASE_URL: the database cannot be opened: error returned from database: (code: 8) attempt to write a readonly database
    "#);
    assert_eq!(std::fs::read_to_string(folder.join("garbage.db")).unwrap().len(), 1180, "what is no database is left alone");
}

#[tokio::test]
async fn a_file_that_another_program_holds_is_waited_for_a_little() {
    let fakes = Fakes::start().await;
    let installation = Installation::new(&fakes, "sqlite://bellwether.db");
    assert_eq!(installation.run(&["check", "--offline"]).await.code, Some(0));
    let mut other = SqliteConnection::connect(&installation.sqlite_url()).await.unwrap();
    let holding = other.begin_with("BEGIN IMMEDIATE").await.unwrap();
    assert_snapshot!(refused(&installation).await, @"
    1
    DATABASE_URL: the database is locked: another program has been writing to its file for too long; let it end
    ");
    let process = installation.start(&["serve"]);
    process.wait_for("Bellwether is starting").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    holding.rollback().await.unwrap();
    process.wait_for("Bellwether is running").await;
    assert_eq!(process.stop("TERM").await.code, Some(0));
}

#[tokio::test]
async fn a_database_of_a_newer_version_is_left_alone() {
    let fakes = Fakes::start().await;
    let installation = Installation::new(&fakes, "sqlite://bellwether.db");
    assert_eq!(installation.run(&["check", "--offline"]).await.code, Some(0));
    let newer = "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (20990101000000, 'later', 1, x'00', 1)";
    run_sql(&installation.sqlite_url(), newer).await;
    assert_snapshot!(refused(&installation).await, @r#"
    1
    DATABASE_URL: the database was written by a newer version of Bellwether (migration 20990101000000); install that version or restore a backup
    "#);
    let status = installation.run(&["status"]).await;
    assert!(status.code == Some(1) && status.err.contains("newer version"), "{status:?}");
    let check = installation.run(&["check", "--offline"]).await;
    assert!(check.code == Some(1) && check.out.contains("newer version"), "{check:?}");
}

/// A PostgreSQL server that refuses everybody with these words.
async fn refusing_postgres(code: &'static str, words: &'static str) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 1024]).await;
            let fields = format!("SFATAL\0VFATAL\0C{code}\0M{words}\0\0");
            let mut message = vec![b'E'];
            message.extend(u32::try_from(fields.len() + 4).unwrap().to_be_bytes());
            message.extend(fields.as_bytes());
            let _ = stream.write_all(&message).await;
        }
    });
    format!("postgres://bellwether:s3cret-password@{address}/bellwether?sslmode=disable")
}

#[tokio::test]
async fn a_postgresql_that_does_not_let_it_in() {
    let fakes = Fakes::start().await;
    let mut installation = Installation::new(&fakes, "sqlite://bellwether.db");
    let mut said = Vec::new();
    let refusals =
        [("28P01", "password authentication failed for user \"bellwether\""), ("3D000", "database \"bellwether\" does not exist")];
    for (code, words) in refusals {
        installation.set("DATABASE_URL", &refusing_postgres(code, words).await);
        said.push(refused(&installation).await);
    }
    installation.set("DATABASE_URL", "postgres://bellwether:s3cret-password@127.0.0.1:1/bellwether");
    said.push(refused(&installation).await);
    installation.set("DATABASE_URL", "postgres://bellwether:s3cret-password@[bad/bellwether");
    said.push(refused(&installation).await);
    let said = said.join("\n\n");
    assert!(!said.contains("s3cret-password"), "{said}");
    assert_snapshot!(said, @r#"
    1
    DATABASE_URL: the database cannot be opened: error returned from database: password authentication failed for user "bellwether"

    1
    DATABASE_URL: the database cannot be opened: error returned from database: database "bellwether" does not exist

    1
    DATABASE_URL: the database cannot be opened: error communicating with database: Connection refused (os error 111)

    1
    DATABASE_URL: it is not a database URL of this kind
    "#);
}

#[tokio::test]
async fn a_start_that_waits_for_its_database_can_be_stopped() {
    let fakes = Fakes::start().await;
    let mut installation = Installation::new(&fakes, "sqlite://bellwether.db");
    installation.set("DATABASE_URL", "postgres://bellwether@127.0.0.1:1/bellwether");
    let process = installation.start(&["serve"]);
    process.wait_for("Bellwether is starting").await;
    let ended = process.stop("TERM").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

/// A disk that is full, without asking for a disk: no file may grow.
#[tokio::test]
async fn on_a_full_disk_it_says_so_and_goes_on() {
    let fakes = Fakes::start().await;
    let installation = Installation::new(&fakes, "sqlite://bellwether.db");
    assert_eq!(installation.run(&["check", "--offline"]).await.code, Some(0));
    let blocks = std::fs::metadata(installation.folder.path().join("bellwether.db")).unwrap().len() / 512;
    let process = installation.start_after(&format!("trap '' XFSZ; ulimit -f {}", blocks / 8), "serve");
    let line = process.wait_for(" ERROR ").await;
    assert!(line.contains("disk"), "{line}");
    let address = process.wait_for("address=").await.split("address=").nth(1).unwrap().trim().to_owned();
    assert_eq!(get(&address, "/healthz").await.0, 200);
    let ended = process.stop("TERM").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
}
