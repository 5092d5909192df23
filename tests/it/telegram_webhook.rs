//! `/telegram/webhook` from outside: how it is set, what comes in through it, and every request that is not Telegram's.

use crate::support::{
    commands::rows,
    database::{TestDb, on_both},
    fake_telegram::{FakeTelegram, Fault},
};
use bellwether::{
    chat::telegram::{BODY_LIMIT, Telegram, TelegramSettings, Updates, UpdatesError, WEBHOOK_PATH, Webhook, router},
    clock::{Clock, ManualClock},
    commands::{Desk, DeskSettings, Inbox},
    domain::Timestamp,
    telemetry::Metrics,
    web,
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

const SECRET: &str = "webhook_secret-of-the-tests";
const HEADER: &str = "X-Telegram-Bot-Api-Secret-Token";
const PERSON: i64 = 7;
const GROUP: i64 = -1001;

/// An instance in webhook mode before the fake, its door open.
struct Bench {
    fake: FakeTelegram,
    db: TestDb,
    clock: Arc<ManualClock>,
    metrics: Arc<Metrics>,
    updates: Arc<Updates>,
    url: String,
    server: JoinHandle<()>,
}

impl Bench {
    async fn open(db: TestDb) -> Self {
        let clock = Arc::new(ManualClock::new(Timestamp::parse("2026-11-21T22:00:00Z").unwrap()));
        let fake = FakeTelegram::start_with(clock.clone()).await;
        fake.with(|world| {
            world.person(PERSON);
            world.group(GROUP, "Traders", PERSON);
        });
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}{WEBHOOK_PATH}", listener.local_addr().unwrap());
        let metrics = Arc::new(Metrics::default());
        let updates = Arc::new(updates(&fake, &db, &clock, &metrics, Some(Webhook { url: url.clone(), secret: SECRET.into() })));
        let routes = router(&updates).unwrap();
        let server = tokio::spawn(async move { web::serve(listener, routes, CancellationToken::new()).await.unwrap() });
        Self { fake, db, clock, metrics, updates, url, server }
    }

    async fn post(&self, secrets: &[&str], body: impl Into<reqwest::Body>) -> (u16, Option<String>) {
        let mut request = reqwest::Client::new().post(&self.url).body(body);
        for secret in secrets {
            request = request.header(HEADER, *secret);
        }
        let answer = request.send().await.unwrap();
        let retry_after = answer.headers().get("retry-after").map(|after| after.to_str().unwrap().to_owned());
        (answer.status().as_u16(), retry_after)
    }

    /// What is stored: number (or that it has none), state, whether there is a body.
    async fn stored(&self) -> Vec<String> {
        let sql = "SELECT CASE WHEN update_id < 0 THEN 'none' ELSE CAST(update_id AS TEXT) END, state, CASE WHEN body IS NULL THEN 'gone' ELSE 'kept' END
            FROM updates_seen ORDER BY update_id < 0, update_id";
        rows(&self.db.url, sql).await
    }

    async fn answered(&self) -> Vec<String> {
        rows(&self.db.url, "SELECT d.chat FROM messages m JOIN destinations d ON d.id = m.destination_id ORDER BY m.id").await
    }

    fn counted(&self, outcome: &str) -> u64 {
        let start = format!("bellwether_telegram_updates_total{{outcome=\"{outcome}\"}} ");
        self.metrics.render().lines().find_map(|line| line.strip_prefix(&start)?.parse().ok()).unwrap_or(0)
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.server.abort();
    }
}

fn updates(fake: &FakeTelegram, db: &TestDb, clock: &Arc<ManualClock>, metrics: &Arc<Metrics>, webhook: Option<Webhook>) -> Updates {
    let telegram = Telegram::new(TelegramSettings { webhook, ..fake.settings() }, clock.clone());
    let (desk, _lookups) = Desk::new(db.store.clone(), clock.clone(), DeskSettings::default());
    Updates::new(telegram, desk, Inbox::new(db.store.clone()), clock.clone(), metrics.clone())
}

fn message(id: i64, text: &str) -> String {
    let chat = json!({ "id": PERSON, "type": "private" });
    json!({ "update_id": id, "message": { "message_id": id, "date": 1_795_298_400, "chat": chat, "from": { "id": PERSON }, "text": text } })
        .to_string()
}

/// Waits for something that other tasks bring about.
async fn until(mut is_so: impl FnMut() -> bool) {
    let patience = tokio::time::timeout(Duration::from_secs(30), async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    patience.await.expect("it never came");
}

on_both!(what_telegram_delivers_is_stored_confirmed_and_carried_out_once, |db| async move {
    let bench = Bench::open(db).await;
    bench.fake.set_webhook("https://other.example.org/hook");
    bench.updates.step().await.unwrap();
    let set = json!({ "url": bench.url, "secret_token": SECRET, "allowed_updates": ["message", "callback_query", "my_chat_member"] });
    assert_eq!(bench.fake.calls("setWebhook"), [set]);
    let first = bench.fake.with(|world| world.say(PERSON, PERSON, "/help"));
    bench.fake.with(|world| world.say(GROUP, PERSON, "/status"));
    bench.fake.with(|world| world.push(json!({ "edited_message": { "chat": { "id": PERSON } } })));
    until(|| bench.fake.unconfirmed() == 0).await;
    assert_eq!(bench.stored().await, [format!("{first}|stored|kept"), format!("{}|stored|kept", first + 1)], "the rest was not asked for");
    bench.updates.step().await.unwrap();
    let mut answered = bench.answered().await;
    answered.sort();
    assert_eq!(answered, [GROUP.to_string(), PERSON.to_string()]);
    bench.fake.with(|world| world.redeliver(first));
    until(|| bench.fake.unconfirmed() == 0).await;
    bench.updates.step().await.unwrap();
    assert_eq!((bench.answered().await.len(), bench.counted("stored"), bench.counted("repeated")), (2, 2, 1));
    assert_eq!(bench.fake.calls("setWebhook").len(), 1, "once set it is left alone");
    assert_eq!(bench.fake.calls("getUpdates").len(), 0);
});

on_both!(only_who_shows_the_secret_comes_in, |db| async move {
    let bench = Bench::open(db).await;
    let longer = format!("{SECRET}x");
    let upper = SECRET.to_uppercase();
    let huge = "x".repeat(10_000);
    let hostile: Vec<Vec<&str>> = vec![
        vec![],
        vec![""],
        vec!["wrong"],
        vec![&SECRET[1..]],
        vec![&longer],
        vec![&upper],
        vec![&huge],
        vec![SECRET, SECRET],
        vec![SECRET, "wrong"],
        vec!["wrong", SECRET],
    ];
    for secrets in &hostile {
        assert_eq!(bench.post(secrets, message(5, "/help")).await, (401, None), "{secrets:?}");
        assert_eq!(bench.post(secrets, "garbage").await, (401, None), "{secrets:?}");
    }
    assert_eq!(bench.stored().await, [""; 0]);
    assert_eq!(bench.counted("unauthorized"), 20);
    let get = reqwest::Client::new().get(&bench.url).header(HEADER, SECRET).send().await.unwrap();
    assert_eq!(get.status(), 405);
    assert_eq!(bench.post(&[SECRET], message(5, "/help")).await, (200, None));
    assert_eq!(bench.stored().await, ["5|stored|kept"]);
});

on_both!(whatever_shows_the_secret_is_confirmed, |db| async move {
    let bench = Bench::open(db).await;
    let deep = format!("{{\"update_id\":9,\"message\":{}1{}}}", "[".repeat(5000), "]".repeat(5000));
    let nul = b"{\"update_id\":1\0}".to_vec();
    let not_utf8 = [message(8, "/help").as_bytes(), &[0xff, 0xfe]].concat();
    let unreadable: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"garbage".to_vec(),
        b"[]".to_vec(),
        b"{}".to_vec(),
        br#"{"update_id":"5"}"#.to_vec(),
        br#"{"update_id":-5}"#.to_vec(),
        br#"{"update_id":0}"#.to_vec(),
        br#"{"update_id":5,"update_id":6}"#.to_vec(),
        br#"{"update_id":99999999999999999999}"#.to_vec(),
        nul,
        not_utf8,
        vec![b'x'; BODY_LIMIT],
    ];
    for _ in 0..2 {
        for body in &unreadable {
            assert_eq!(
                bench.post(&[SECRET], body.clone()).await,
                (200, None),
                "{:?}",
                String::from_utf8_lossy(&body[..body.len().min(80)])
            );
        }
    }
    assert_eq!(bench.counted("unreadable"), 24);
    assert_eq!(bench.stored().await, vec!["none|rejected|kept"; 12], "a repetition is kept once");
    let longest = "SELECT CAST(MAX(LENGTH(body)) AS TEXT) FROM updates_seen";
    assert_eq!(rows(&bench.db.url, longest).await, ["16384"]);
    for padding in [BODY_LIMIT, 2 * BODY_LIMIT] {
        let large = json!({ "update_id": 7, "message": "x".repeat(padding) }).to_string();
        assert_eq!(bench.post(&[SECRET], large.clone()).await, (200, None));
        let chunks = large.into_bytes().chunks(9999).map(|part| Ok::<_, std::io::Error>(part.to_vec())).collect::<Vec<_>>();
        assert_eq!(bench.post(&[SECRET], reqwest::Body::wrap_stream(futures_util::stream::iter(chunks))).await, (200, None));
    }
    assert_eq!(bench.counted("too_large"), 4);
    for n in 0..150 {
        assert_eq!(bench.post(&[SECRET], format!("garbage {n}")).await, (200, None));
    }
    assert_eq!(Inbox::new(bench.db.store.clone()).rejected().await.unwrap(), 100, "it is bounded");
    // A readable number and nothing else that can be read.
    assert_eq!(bench.post(&[SECRET], deep).await, (200, None));
    assert_eq!(bench.post(&[SECRET], json!({ "update_id": 3, "message": "x".repeat(20_000) }).to_string()).await, (200, None));
    assert_eq!(bench.post(&[SECRET], message(4, "/help")).await, (200, None));
    bench.updates.step().await.unwrap();
    let stored = bench.stored().await;
    assert_eq!(stored[..3], ["3|rejected|kept".to_owned(), "4|done|gone".to_owned(), "9|rejected|kept".to_owned()]);
    assert_eq!(rows(&bench.db.url, longest).await, ["16384"]);
    assert_eq!(bench.answered().await, ["7"]);
    bench.clock.advance(Duration::from_secs(49 * 3600));
    bench.updates.step().await.unwrap();
    assert_eq!(bench.stored().await, [""; 0], "two days later it is forgotten");
});

on_both!(a_database_that_fails_asks_for_the_update_again, |db| async move {
    let bench = Bench::open(db).await;
    bench.db.store.close().await;
    assert_eq!(bench.post(&[SECRET], message(5, "/help")).await, (503, Some("5".to_owned())));
    assert_eq!(bench.post(&[SECRET], "garbage").await, (503, Some("5".to_owned())));
    assert_eq!(bench.post(&["wrong"], message(5, "/help")).await, (401, None));
    assert_eq!(bench.stored().await, [""; 0]);
});

#[tokio::test]
async fn what_goes_wrong_with_the_webhook_is_told_and_mended() {
    let bench = Bench::open(TestDb::sqlite().await).await;
    bench.fake.fault("setWebhook", None, Fault::Refuse(400, "Bad Request: bad webhook: IP address 127.0.0.1 is reserved", Value::Null));
    let error = bench.updates.step().await.unwrap_err();
    assert!(error.to_string().contains("bad webhook") && !format!("{error:?}").contains(SECRET), "{error:?}");
    bench.updates.step().await.unwrap();
    // Another program takes it, or asks for other updates: it is taken back.
    bench.fake.set_webhook("https://other.example.org/hook");
    bench.clock.advance(Duration::from_secs(60));
    bench.updates.step().await.unwrap();
    bench.fake.with(|world| world.webhook.allowed = vec!["poll".to_owned()]);
    bench.clock.advance(Duration::from_secs(60));
    bench.updates.step().await.unwrap();
    assert_eq!(bench.fake.with(|world| (world.webhook.url.clone(), world.webhook.allowed.clone())).0, bench.url);
    assert_eq!(bench.fake.calls("setWebhook").len(), 4);
    // Telegram does not get through.
    bench.clock.advance(Duration::from_secs(60));
    bench.fake.with(|world| world.webhook.secret = Some("another".to_owned()));
    bench.fake.with(|world| world.say(PERSON, PERSON, "/help"));
    until(|| bench.fake.with(|world| world.webhook.last_error.is_some())).await;
    let error = bench.updates.step().await.unwrap_err();
    assert!(matches!(&error, UpdatesError::Undelivered { pending: 1, words } if words.contains("401")), "{error}");
    // It does again: what it complained of before is over.
    bench.fake.with(|world| world.webhook.secret = Some(SECRET.to_owned()));
    until(|| bench.fake.unconfirmed() == 0).await;
    bench.updates.step().await.unwrap();
    assert_eq!(bench.answered().await, ["7"]);
}

#[tokio::test]
async fn a_command_is_carried_out_as_soon_as_it_comes_and_a_stop_leaves_the_webhook() {
    let mut bench = Bench::open(TestDb::sqlite().await).await;
    let running =
        updates(&bench.fake, &bench.db, &bench.clock, &bench.metrics, Some(Webhook { url: bench.url.clone(), secret: SECRET.into() }));
    bench.server.abort();
    assert!((&mut bench.server).await.is_err(), "its place is free");
    let listener = tokio::net::TcpListener::bind(bench.url.trim_start_matches("http://").trim_end_matches(WEBHOOK_PATH)).await.unwrap();
    let (routes, problem, stop) = (router(&running).unwrap(), running.problem(), CancellationToken::new());
    let server = tokio::spawn(web::serve(listener, routes, stop.clone()));
    bench.fake.fault("setWebhook", None, Fault::Refuse(400, "Bad Request: bad webhook: not yet", Value::Null));
    let told = stop.clone();
    let running = tokio::spawn(async move { running.run(told, || std::future::ready(Ok(true))).await });
    until(|| problem.borrow().as_ref().is_some_and(|words| words.contains("bad webhook"))).await;
    until(|| problem.borrow().is_none()).await;
    bench.fake.with(|world| world.say(PERSON, PERSON, "/help"));
    until(|| bench.fake.unconfirmed() == 0).await;
    while bench.answered().await.is_empty() {
        tokio::task::yield_now().await;
    }
    stop.cancel();
    running.await.unwrap();
    server.await.unwrap().unwrap();
    assert_eq!(bench.fake.with(|world| world.webhook.url.clone()), bench.url);
    assert_eq!(bench.fake.calls("deleteWebhook").len(), 0);
}

#[tokio::test]
async fn from_the_webhook_back_to_polling_nothing_is_lost() {
    let bench = Bench::open(TestDb::sqlite().await).await;
    bench.updates.step().await.unwrap();
    // What comes later arrives before what comes earlier.
    bench.fake.with(|world| world.webhook.secret = Some("another".to_owned()));
    let earlier = bench.fake.with(|world| world.say(GROUP, PERSON, "/status"));
    until(|| bench.fake.with(|world| world.webhook.last_error.is_some())).await;
    assert_eq!(bench.post(&[SECRET], message(earlier + 1, "/help")).await, (200, None));
    let polling = updates(&bench.fake, &bench.db, &bench.clock, &bench.metrics, None);
    assert!(router(&polling).is_none(), "no door where nobody is let in");
    assert_eq!(polling.step().await.unwrap(), 1);
    assert_eq!(bench.fake.calls("deleteWebhook"), [json!({ "drop_pending_updates": false })]);
    assert_eq!(bench.fake.calls("getUpdates")[0].get("offset"), None);
    let mut answered = bench.answered().await;
    answered.sort();
    assert_eq!(answered, [GROUP.to_string(), PERSON.to_string()]);
    assert!(bench.clock.now() > Timestamp::EPOCH);
}
