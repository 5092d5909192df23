//! The database fails under the running binary while it tells a thousand chats: it goes on by itself once it can, nothing is lost, and nothing
//! comes twice. The counts are printed: `-- --nocapture binary_outages`.

use crate::support::{
    crowd::Crowd,
    database::Cluster,
    process::{Process, get, until},
};
use std::{process::Command, time::Duration};

/// Everything arrives, asked for once.
#[expect(clippy::print_stdout, reason = "the counts are what the test is about")]
async fn all_is_told(mut crowd: Crowd, process: Process) {
    crowd.settles(&process).await;
    let ended = process.stop("TERM").await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let tally = crowd.tally().await;
    println!("{tally}");
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
