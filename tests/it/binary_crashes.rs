//! The built binary ends at random moments of telling a thousand chats, and is started again: nothing is lost, on Discord nothing comes
//! twice, on Telegram only what was sent without an answer that could be stored. The counts are printed.

use crate::support::{
    commands::run_sql,
    crowd::{Crowd, Tally},
    database::postgres_url,
    process::Process,
    say,
};
use std::time::Duration;

/// The longest that it lives once it has sent something.
const LONGEST_LIFE: u64 = 1_200;

/// Lives that end by this signal, each at a moment of its own; then one in which everything is told.
async fn told_in_lives(mut crowd: Crowd, lives: usize, signal: &str, between: impl AsyncFn(usize)) -> (Crowd, Process) {
    let seed = fastrand::u64(..);
    say(&format!("{lives} times {signal}, seed {seed}"));
    let mut random = fastrand::Rng::with_seed(seed);
    for life in 0..lives {
        if crowd.is_nearly_done() {
            crowd.turn();
        }
        let process = crowd.installation.start(&["serve"]);
        process.wait_for("Bellwether is starting").await;
        // Most end while they send; some earlier: while they start, take up what was under way, poll, fan out.
        if random.u8(..4) > 0 {
            crowd.hears(&process).await;
        }
        tokio::time::sleep(Duration::from_millis(random.u64(..LONGEST_LIFE))).await;
        let ended = process.stop(signal).await;
        assert_eq!(ended.code, (signal == "TERM").then_some(0), "{ended:?}");
        between(life).await;
    }
    let (process, _) = crowd.installation.serve().await;
    crowd.settles(&process).await;
    (crowd, process)
}

/// What everybody heard until it stops.
async fn counted(mut crowd: Crowd, process: Process) -> Tally {
    assert_eq!(process.stop("TERM").await.code, Some(0));
    let tally = crowd.tally().await;
    say(&tally.to_string());
    tally
}

async fn killed(crowd: Crowd, times: usize, between: impl AsyncFn(usize)) {
    let (mut crowd, process) = told_in_lives(crowd, times, "KILL", between).await;
    crowd.retry_what_was_given_up(&process).await;
    // What each chat knows is right: a turn back is news for all.
    crowd.turn_back();
    crowd.settles(&process).await;
    let tally = counted(crowd, process).await;
    tally.assert_holds();
    assert!(tally.ends_unknown > 0, "it was killed while requests were under way: {tally}");
}

#[tokio::test]
async fn killed_fifty_times_on_sqlite() {
    killed(Crowd::on_sqlite().await, 50, async |_| {}).await;
}

#[tokio::test]
async fn killed_ten_times_on_postgresql() {
    let Some(url) = postgres_url().await else { return };
    // Leases outlive their holder by twelve seconds: the first time they are waited for, then they are made older by that.
    let older = "UPDATE leases SET expires_at = expires_at - 12000;
        UPDATE messages SET lease_until = lease_until - 12000 WHERE lease_until IS NOT NULL";
    let pass = async |life| {
        if life > 0 {
            run_sql(&url, older).await;
        }
    };
    killed(Crowd::on_postgres(url.clone()).await, 10, pass).await;
}

/// Every answer comes within eight seconds: then each is waited for.
async fn stopped(crowd: Crowd) {
    crowd.answers_take(Duration::from_secs(6));
    let (crowd, process) = told_in_lives(crowd, 6, "TERM", async |_| {}).await;
    let tally = counted(crowd, process).await;
    tally.assert_once();
    assert_eq!(tally.ends_unknown, 0, "{tally}");
}

#[tokio::test]
async fn stopped_on_sqlite() {
    stopped(Crowd::on_sqlite().await).await;
}

#[tokio::test]
async fn stopped_on_postgresql() {
    let Some(url) = postgres_url().await else { return };
    stopped(Crowd::on_postgres(url).await).await;
}
