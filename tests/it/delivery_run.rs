//! The deliverer as `serve` runs it: it sleeps when nothing can be done, wakes when something can, and ends only when what is in flight has.

use crate::support::{
    app::TestApp,
    audience::{FOUR, SOL, text},
    commands::{rows, run_sql},
    database::{TestDb, on_both},
    fake_discord::{FaultKind, HERE},
    fake_telegram::Fault,
};
use bellwether::{domain::Platform, pipeline::deliver::Deliverer};
use serde_json::json;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const PERSON: i64 = 501;
const SOON: Duration = Duration::from_secs(20);

/// Asks again and again until it is so; a test that waits for long fails.
async fn until(what: &str, so: impl AsyncFn() -> bool) {
    let waited = tokio::time::timeout(SOON, async {
        while !so().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert!(waited.await.is_ok(), "{what}");
}

fn take(app: &mut TestApp, platform: Platform) -> Deliverer {
    let index = app.parts.deliverers.iter().position(|one| one.platform() == platform).unwrap();
    app.parts.deliverers.remove(index)
}

fn running(app: &TestApp, mut deliverer: Deliverer, stop: &CancellationToken) -> JoinHandle<()> {
    let (store, stop) = (app.db.store.clone(), stop.clone());
    tokio::spawn(async move { deliverer.run(store, stop).await })
}

async fn up_to_messages(app: &mut TestApp, stance: i64) {
    app.call(&[SOL], stance);
    app.clock.advance(Duration::from_secs(16 * 60));
    app.parts.poller.step().await.unwrap();
    app.parts.flow.step().await.unwrap();
}

on_both!(a_stop_waits_for_what_is_in_flight, |db| async move {
    let mut app = TestApp::start(db).await;
    app.channel_subscribes(json!([text("tokens", "sol")])).await;
    app.baseline(&FOUR).await;
    let (stop, discord) = (CancellationToken::new(), take(&mut app, Platform::Discord));
    let running = self::running(&app, discord, &stop);
    let post = format!("POST /channels/{HERE}/messages");
    app.discord.fault(&post, 1, FaultKind::Delay(Duration::from_millis(400)));
    up_to_messages(&mut app, 1).await;
    until("it wakes", async || app.discord.requests().contains(&post)).await;
    stop.cancel();
    tokio::time::timeout(SOON, running).await.unwrap().unwrap();
    assert_eq!(app.on_discord(), ["SOL turned bullish"]);
    assert_eq!(rows(&app.db.url, "SELECT state FROM messages").await, ["sent"]);
});

/// Forty-five more people follow the token, with these settings.
async fn many_follow(app: &TestApp, settings: &str) {
    let chats: Vec<_> = (0..45).map(|n| format!("('telegram', '{}', '', 'person', '{settings}', 0, 0, 0)", 10_000 + n)).collect();
    app.telegram.with(|world| {
        for chat in 10_000..10_045 {
            world.person(chat);
        }
    });
    let sql = format!(
        "INSERT INTO destinations (platform, chat, topic, place, settings, created_at, rest_until, probes) VALUES {};
         INSERT INTO subscriptions (destination_id, source, target, kind, direction, delivery, creator, created_at, updated_at)
            SELECT id, 'token-metrics', '{SOL}', 'daily', 'any', 'instant', 'test', 0, 0 FROM destinations WHERE creator IS NULL;",
        chats.join(",")
    );
    run_sql(&app.db.url, &sql).await;
}

#[tokio::test]
async fn who_waited_for_a_picture_keeps_to_the_pace_all_the_same() {
    let mut app = TestApp::start(TestDb::sqlite().await).await;
    app.person_subscribes(PERSON, "sol").await;
    app.source.set_daily(SOL, "2026-11-20", -1, -1);
    app.baseline(&FOUR).await;
    many_follow(&app, "{\"max_per_hour\":10,\"cooldown_minutes\":0,\"charts\":true}").await;
    let (stop, telegram) = (CancellationToken::new(), take(&mut app, Platform::Telegram));
    up_to_messages(&mut app, 1).await;
    // The first picture is long on its way; everybody else waits for it, and meanwhile a second goes by.
    app.telegram.fault("sendPhoto", None, Fault::Delay(Duration::from_millis(700)));
    let running = self::running(&app, telegram, &stop);
    until("the first one is on its way", async || !app.telegram.calls("sendPhoto").is_empty()).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    app.clock.advance(Duration::from_secs(1));
    let sent = async || app.telegram.with(|world| world.sent.iter().filter(|sent| sent.chat >= 10_000).count());
    until("the second is full", async || sent().await >= 29).await;
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_millis(200)).await;
        app.clock.advance(Duration::from_secs(1));
    }
    until("the others follow", async || sent().await == 45).await;
    stop.cancel();
    tokio::time::timeout(SOON, running).await.unwrap().unwrap();
    assert_eq!(app.telegram.refused_for_speed(), 0);
    let uploads = app.telegram.calls("sendPhoto").iter().filter(|call| !call["photo"].is_string()).count();
    let arrived = app.telegram.unread();
    assert_eq!((uploads, arrived.iter().filter(|sent| sent.file.is_some()).count()), (1, 45));
}

#[tokio::test]
async fn a_full_second_is_waited_for_and_not_asked_about() {
    let mut app = TestApp::start(TestDb::sqlite().await).await;
    app.person_subscribes(PERSON, "sol").await;
    app.baseline(&FOUR).await;
    many_follow(&app, "{\"max_per_hour\":10,\"cooldown_minutes\":0}").await;
    let (stop, telegram) = (CancellationToken::new(), take(&mut app, Platform::Telegram));
    up_to_messages(&mut app, 1).await;
    let running = self::running(&app, telegram, &stop);
    let sent = || rows(&app.db.url, "SELECT CAST(COUNT(*) AS TEXT) FROM messages WHERE state = 'sent' AND lane = 1");
    // The clock stands still: thirty go, and then the second is full.
    until("thirty go", async || sent().await == ["30"]).await;
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(sent().await, ["30"], "and not one more");
    let claims = rows(&app.db.url, "SELECT CAST(MAX(lease_fence) AS TEXT) FROM messages WHERE state = 'queued'").await;
    assert!(claims[0].parse::<u32>().unwrap() <= 6, "it sleeps meanwhile: claimed {claims:?} times");
    app.clock.advance(Duration::from_secs(1));
    until("the others follow", async || sent().await == ["46"]).await;
    stop.cancel();
    tokio::time::timeout(SOON, running).await.unwrap().unwrap();
    assert_eq!((app.telegram.unread().len(), app.telegram.refused_for_speed()), (46, 0));
}

on_both!(a_failing_database_is_told_of_once_a_try_and_it_goes_on_afterwards, |db| async move {
    let mut app = TestApp::start(db).await;
    app.person_subscribes(PERSON, "sol").await;
    app.baseline(&FOUR).await;
    up_to_messages(&mut app, 1).await;
    let (refuse, mend) = if app.db.url.starts_with("sqlite") {
        ("CREATE TRIGGER full BEFORE INSERT ON attempts BEGIN SELECT RAISE(ABORT, 'disk full'); END", "DROP TRIGGER full")
    } else {
        (
            "CREATE FUNCTION full_disk() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'disk full'; END $$ LANGUAGE plpgsql;
             CREATE TRIGGER full_disk BEFORE INSERT ON attempts FOR EACH ROW EXECUTE FUNCTION full_disk()",
            "DROP TRIGGER full_disk ON attempts",
        )
    };
    run_sql(&app.db.url, refuse).await;
    let (stop, telegram) = (CancellationToken::new(), take(&mut app, Platform::Telegram));
    let running = self::running(&app, telegram, &stop);
    tokio::time::sleep(Duration::from_millis(1_300)).await;
    let errors = app.log.take_errors();
    assert!(matches!(errors.len(), 1..=3) && errors.iter().all(|line| line.contains("disk full")), "one line a try: {errors:#?}");
    run_sql(&app.db.url, mend).await;
    until("it goes on", async || {
        !app.telegram.calls("sendMessage").is_empty() && rows(&app.db.url, "SELECT state FROM messages WHERE lane = 1").await == ["sent"]
    })
    .await;
    stop.cancel();
    tokio::time::timeout(SOON, running).await.unwrap().unwrap();
    assert_eq!(app.on_telegram(), ["SOL turned bullish"]);
    let _ = app.log.take_errors();
});

#[tokio::test]
async fn what_is_under_way_is_not_claimed_again_however_its_lease_looks() {
    let mut app = TestApp::start(TestDb::sqlite().await).await;
    app.person_subscribes(PERSON, "sol").await;
    app.baseline(&FOUR).await;
    up_to_messages(&mut app, 1).await;
    app.telegram.fault("sendMessage", Some(PERSON), Fault::Delay(Duration::from_secs(3)));
    let before = app.telegram.calls("sendMessage").len();
    let (stop, telegram) = (CancellationToken::new(), take(&mut app, Platform::Telegram));
    let running = self::running(&app, telegram, &stop);
    until("it is on its way", async || app.telegram.calls("sendMessage").len() > before).await;
    // By the clock its lease is over, as where the database keeps its end waiting, or the clock is put forward.
    app.clock.advance(Duration::from_secs(60));
    until("it arrives", async || rows(&app.db.url, "SELECT state FROM messages WHERE lane = 1").await == ["sent"]).await;
    stop.cancel();
    tokio::time::timeout(SOON, running).await.unwrap().unwrap();
    assert_eq!(app.on_telegram(), ["SOL turned bullish"], "once");
}
