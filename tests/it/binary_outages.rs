//! The database fails under the running binary while it tells a thousand chats: it goes on by itself once it can, nothing is lost, and nothing
//! comes twice. The counts are printed.

use crate::support::{
    app::embed_text,
    commands::rows,
    crowd::{Crowd, GUEST},
    database::Cluster,
    fake_discord::interaction::{MEMBER, in_private, slash, token_of},
    process::{Process, get, interact, until},
    say,
};
use serde_json::Value;
use sqlx::{Connection, SqliteConnection};
use std::{
    process::Command,
    time::{Duration, Instant},
};

/// Everything arrives, asked for once.
async fn all_is_told(mut crowd: Crowd, process: Process) {
    crowd.settles(&process).await;
    let ended = process.stop("TERM").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let tally = crowd.tally().await;
    say(&tally.to_string());
    tally.assert_once();
}

async fn a_moment() {
    tokio::time::sleep(Duration::from_millis(fastrand::u64(..800))).await;
}

#[tokio::test]
async fn postgresql_is_restarted_under_it() {
    let Some(mut cluster) = Cluster::of_its_own().await else { return };
    let mut crowd = Crowd::on_postgres(cluster.create("bellwether").await).await;
    crowd.turn();
    let (process, address) = crowd.installation.serve().await;
    let readiness = async |status: u16| {
        let page = async || Some(get(&address, "/readyz").await).filter(|page| page.0 == status);
        until(page).await.unwrap_or_else(|| panic!("/readyz never answered {status}:\n{}", process.log())).1
    };
    readiness(200).await;
    for pause in [0, 1, 12] {
        crowd.hears(&process).await;
        a_moment().await;
        let said = async { if pause > 4 { readiness(503).await } else { String::new() } };
        let ((), said) = tokio::join!(cluster.restart(Duration::from_secs(pause)), said);
        assert!(pause <= 4 || said.contains("the database does not work"), "a proxy asks another process meanwhile: {said}");
    }
    readiness(200).await;
    all_is_told(crowd, process).await;
}

/// The largest that any file of this process may become, as on a disk that has no more room.
fn limit_files(process: &Process, bytes: &str) {
    let limit = format!("--fsize={bytes}:");
    let done = Command::new("prlimit").args([&limit, "--pid", &process.id().to_string()]).status();
    assert!(done.expect("prlimit, of util-linux").success());
}

#[tokio::test]
async fn the_disk_is_full_for_a_while() {
    let mut crowd = Crowd::on_sqlite().await;
    crowd.turn();
    // Linux kills whoever writes beyond the limit, unless told not to.
    let process = crowd.installation.start_after("trap '' XFSZ", "serve");
    crowd.hears(&process).await;
    a_moment().await;
    let size = |file: &str| std::fs::metadata(crowd.installation.folder.path().join(file)).unwrap().len();
    let full = size("bellwether.db").max(size("bellwether.db-wal"));
    limit_files(&process, &full.to_string());
    process.wait_for("make room").await;
    let address = process.wait_for("address=").await.split("address=").nth(1).unwrap().trim().to_owned();
    assert_eq!(get(&address, "/healthz").await.0, 200);
    a_moment().await;
    limit_files(&process, "unlimited");
    crowd.settles(&process).await;
    let log = process.log();
    let unsettled = log.lines().filter(|line| line.contains("nothing is claimed until it is")).count();
    assert!(unsettled <= 2, "a line for each platform, however much was under way:\n{log}");
    // What each chat knows is right: a turn back is news for all.
    crowd.turn_back();
    all_is_told(crowd, process).await;
}

/// Another program begins to write to the file, as an operator's shell or a tool for backups does.
async fn lock(url: &str) -> SqliteConnection {
    let mut other = SqliteConnection::connect(url).await.unwrap();
    sqlx::raw_sql("PRAGMA busy_timeout = 60000; BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
    other
}

/// It ends after so long.
async fn unlock(mut other: SqliteConnection, time: Duration) {
    tokio::time::sleep(time).await;
    sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
}

/// Types a command on Discord, which is answered in time; whether "thinking…" is to be replaced.
async fn types(address: &str, id: u64, command: Value) -> bool {
    let began = Instant::now();
    let (status, answer) = interact(address, &in_private(id, command)).await;
    assert!(status == 200 && began.elapsed() < Duration::from_secs(3), "after {:?}: {status} {answer}", began.elapsed());
    answer["type"] == 5
}

/// What takes the place of "thinking…".
async fn answer(crowd: &Crowd, id: u64) -> String {
    let found = until(|| {
        let found = crowd.fakes.discord.answers().into_iter().find(|(token, _)| *token == token_of(id));
        async { found }
    });
    found.await.map(|(_, card)| embed_text(&card)).expect("it is answered in the end")
}

#[tokio::test]
async fn another_program_locks_the_file_for_a_while() {
    let mut crowd = Crowd::on_sqlite().await;
    let (process, address) = crowd.installation.serve().await;
    let (url, hotel) = (crowd.installation.sqlite_url(), || slash("subscribe", &[("tokens", "HOTEL")]));
    // Soon over, and longer than any write waits.
    for (id, seconds) in [(501, 2), (601, 17)] {
        crowd.turn();
        crowd.hears(&process).await;
        a_moment().await;
        // Getting hold of the file takes a moment where the process writes: nothing is typed before.
        let other = lock(&url).await;
        let typed = async {
            a_moment().await;
            crowd.fakes.telegram.with(|world| world.say(GUEST, GUEST, "/subscribe HOTEL"));
            (types(&address, id, hotel()).await, types(&address, id + 1, slash("subscriptions", &[])).await)
        };
        let ((), deferred) = tokio::join!(unlock(other, Duration::from_secs(seconds)), typed);
        if seconds > 10 {
            assert_eq!(deferred, (true, true));
            let said = answer(&crowd, id).await;
            assert!(said.contains("Something went wrong on my side. Please try again"), "{said}");
            assert!(answer(&crowd, id + 1).await.contains("HOTEL"));
        }
        assert!(!types(&address, id + 2, hotel()).await, "it goes on at once");
    }
    crowd.settles(&process).await;
    let answered = until(|| {
        crowd.listen();
        let both = (crowd.answered.len() >= 2).then_some(());
        async move { both }
    });
    assert!(answered.await.is_some(), "{:?}", crowd.answered);
    let hotels = format!(
        "SELECT d.chat FROM subscriptions s JOIN destinations d ON d.id = s.destination_id WHERE d.chat IN ('{GUEST}', 'user:{MEMBER}')"
    );
    assert_eq!(rows(&url, &hotels).await.len(), 2);
    let log = process.log();
    let told = log.lines().filter(|line| line.contains("the database is locked")).count();
    assert!((1..=11).contains(&told), "a line for each work that stood still, however often it was tried:\n{log}");
    assert!(!log.contains("sqlx"), "{log}");
    all_is_told(crowd, process).await;
}
