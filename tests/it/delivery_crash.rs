//! The process dies between any two writes, and the next one goes on: nothing is lost, on Discord nothing comes twice, on Telegram at most the
//! one message whose answer was lost.

use crate::support::{
    app::TestApp,
    audience::{FOUR, SOL, text},
    commands::{rows, run_sql},
    database::{TestDb, on_both},
    fake_discord::{FaultKind, HERE},
    fake_telegram::Fault,
};
use bellwether::{
    chat::nonce,
    clock::Clock,
    domain::{Address, Platform, QuarantineReason, Timestamp},
    pipeline::fanout::{Fanout, fan_out_all},
    store::{Settlement, StoreError},
    telemetry::Metrics,
};
use serde_json::json;
use std::time::Duration;

const PERSON: i64 = 501;
/// Tables that a run from a poll to a receipt writes to.
const TABLES: &[&str] = &[
    "token_states",
    "changes",
    "fanout_jobs",
    "polls",
    "feeds",
    "alerts",
    "messages",
    "message_alerts",
    "attempts",
    "destinations",
    "told",
];

/// From now on the database takes `writes` more writes of rows, and then no more: whatever would be written next is as if the process had
/// died just before it.
async fn die_after(url: &str, writes: usize) {
    run_sql(url, &format!("UPDATE fuse SET left_over = {writes}")).await;
}

async fn lay_fuse(url: &str) {
    let mut sql = "CREATE TABLE fuse (left_over BIGINT NOT NULL); INSERT INTO fuse VALUES (1000000);".to_owned();
    if !url.starts_with("sqlite") {
        sql += "CREATE FUNCTION burn() RETURNS trigger AS $$ BEGIN
            UPDATE fuse SET left_over = left_over - 1;
            IF (SELECT left_over FROM fuse) < 0 THEN RAISE EXCEPTION 'the process died'; END IF;
            RETURN COALESCE(NEW, OLD); END $$ LANGUAGE plpgsql;";
    }
    for table in TABLES {
        for event in ["INSERT", "UPDATE", "DELETE"] {
            sql += &if url.starts_with("sqlite") {
                format!(
                    "CREATE TRIGGER fuse_{table}_{event} BEFORE {event} ON {table} BEGIN UPDATE fuse SET left_over = left_over - 1;
                     SELECT RAISE(ABORT, 'the process died') WHERE (SELECT left_over FROM fuse) < 0; END;"
                )
            } else {
                format!("CREATE TRIGGER fuse_{event} BEFORE {event} ON {table} FOR EACH ROW EXECUTE FUNCTION burn();")
            };
        }
    }
    run_sql(url, &sql).await;
}

/// One pass through every stage; ends where the database refuses a write. An end of an attempt that cannot be stored is waited for no longer
/// than it takes to see that.
async fn live(app: &mut TestApp) -> bool {
    if app.parts.poller.step().await.is_err() || app.parts.flow.step().await.is_err() {
        return false;
    }
    for _ in 0..4 {
        for place in 0..app.parts.deliverers.len() {
            let drained = tokio::time::timeout(Duration::from_millis(400), app.parts.deliverers[place].drain()).await;
            if !matches!(drained, Ok(Ok(_))) {
                // Whatever is under way dies with it, as with a process: also where it was only slow.
                app.parts.deliverers.clear();
                return false;
            }
        }
        app.clock.advance(Duration::from_secs(2));
    }
    true
}

/// Both platforms hear of one turn while the process dies after this many writes; what arrived in the end.
async fn with_death_after(app: TestApp, writes: usize, stance: i64) -> (TestApp, bool) {
    let mut app = app;
    app.calm().await;
    die_after(&app.db.url, writes).await;
    app.call(&[SOL], stance);
    app.clock.advance(Duration::from_secs(16 * 60));
    let lived = live(&mut app).await;
    die_after(&app.db.url, 1_000_000).await;
    let mut app = app.restart().await;
    app.step().await;
    app.next_poll().await;
    let _ = app.log.take_errors();
    let title = format!("SOL turned {}", if stance > 0 { "bullish" } else { "bearish" });
    assert_eq!(app.on_discord(), std::slice::from_ref(&title), "after {writes} writes: on Discord once");
    let telegram = app.on_telegram();
    assert!(matches!(telegram.len(), 1..=2) && telegram.iter().all(|sent| *sent == title), "after {writes} writes: {telegram:?}");
    if telegram.len() == 2 {
        let unknown = rows(&app.db.url, "SELECT CAST(unknown_ends AS TEXT) FROM messages ORDER BY id DESC LIMIT 2").await;
        assert!(unknown.contains(&"1".to_owned()), "after {writes} writes: only an end that nobody knows may come twice, {unknown:?}");
    }
    (app, lived)
}

async fn open(db: TestDb) -> TestApp {
    let mut app = TestApp::start(db).await;
    app.channel_subscribes(json!([text("tokens", "sol")])).await;
    app.person_subscribes(PERSON, "sol").await;
    app.baseline(&FOUR).await;
    lay_fuse(&app.db.url).await;
    app
}

on_both!(a_death_between_any_two_writes_loses_nothing, |db| async move {
    // PostgreSQL takes the same way through the same code: there every third place is enough.
    let stride = if db.url.starts_with("sqlite") { 1 } else { 3 };
    let (mut app, mut stance, mut writes) = (open(db).await, 1, 0);
    loop {
        let (next, lived) = with_death_after(app, writes, stance).await;
        (app, stance) = (next, -stance);
        if lived {
            break;
        }
        writes += stride;
        assert!(writes < 200, "the run never ends");
    }
    assert!(writes > 20, "a run has more writes than {writes}");
});

on_both!(a_death_after_the_request_repeats_it_with_the_same_nonce, |db| async move {
    let mut app = open(db).await;
    app.call(&[SOL], 1);
    app.clock.advance(Duration::from_secs(16 * 60));
    app.parts.poller.step().await.unwrap();
    app.parts.flow.step().await.unwrap();
    // The requests are under way when everything ends.
    app.discord.fault(&format!("POST /channels/{HERE}/messages"), 1, FaultKind::LoseAnswer);
    app.telegram.fault("sendMessage", None, Fault::Close { carried_out: true });
    let sends = |app: &TestApp| app.discord.requests().iter().filter(|request| request.ends_with("/messages")).count();
    let before = sends(&app);
    die_after(&app.db.url, 8).await;
    live(&mut app).await;
    assert!(sends(&app) > before, "it was under way");
    die_after(&app.db.url, 1_000_000).await;
    let mut app = app.restart().await;
    app.step().await;
    assert_eq!(app.on_discord(), ["SOL turned bullish"]);
    let telegram = app.on_telegram();
    assert!(telegram.len() <= 2, "{telegram:?}");
    let _ = app.log.take_errors();
});

/// Chats that take everything there is about SOL.
async fn crowd(url: &str, chats: usize) {
    let rows: Vec<_> = (0..chats)
        .map(|n| format!("('telegram', '{}', '', 'person', '{{\"max_per_hour\":10,\"cooldown_minutes\":0}}', 0, 0, 0)", 10_000 + n))
        .collect();
    let sql = format!(
        "INSERT INTO destinations (platform, chat, topic, place, settings, created_at, rest_until, probes) VALUES {};
         INSERT INTO subscriptions (destination_id, source, target, kind, direction, delivery, creator, created_at, updated_at)
            SELECT id, 'token-metrics', '{SOL}', 'daily', 'any', 'instant', 'test', 0, 0 FROM destinations WHERE creator IS NULL;",
        rows.join(",")
    );
    run_sql(url, &sql).await;
}

on_both!(fan_out_goes_on_from_its_cursor, |db| async move {
    let mut app = TestApp::start(db).await;
    app.person_subscribes(PERSON, "sol").await;
    app.baseline(&FOUR).await;
    crowd(&app.db.url, 2_500).await;
    app.call(&[SOL], 1);
    app.clock.advance(Duration::from_secs(16 * 60));
    app.parts.poller.step().await.unwrap();
    let (store, metrics) = (app.parts.store.clone(), Metrics::default());
    let job = store.fanout_jobs(1).await.unwrap().unwrap();
    let (mut fanout, mut twin) =
        (Fanout::next(&store, app.clock.now()).await.unwrap().unwrap(), Fanout::next(&store, app.clock.now()).await.unwrap().unwrap());
    assert_eq!(fanout.chunk(app.clock.now(), &metrics).await.unwrap(), Some(503));
    let after = store.fanout_jobs(1).await.unwrap().unwrap();
    assert!(after.changes == job.changes && after.after > job.after);
    // The same chunk once more, as by a process that did not know: it is told so, and nothing is doubled or moved back.
    assert!(matches!(twin.chunk(app.clock.now(), &metrics).await, Err(StoreError::Conflict)));
    assert_eq!(store.fanout_jobs(1).await.unwrap(), Some(after));
    let app = app.restart().await;
    let clock: bellwether::clock::SharedClock = app.clock.clone();
    drop((fanout, twin));
    let written = fan_out_all(&store, &clock, &metrics).await.unwrap();
    assert_eq!(written, 1_998);
    assert_eq!(
        rows(&app.db.url, "SELECT CAST(COUNT(*) AS TEXT), CAST(COUNT(DISTINCT destination_id) AS TEXT) FROM alerts").await,
        ["2501|2501"]
    );
    assert_eq!(store.fanout_jobs(1).await.unwrap(), None);
});

on_both!(a_merge_while_the_first_chunk_is_fanned_out_loses_nobody, |db| async move {
    let mut app = TestApp::start(db).await;
    app.person_subscribes(PERSON, "sol").await;
    app.person_subscribes(PERSON + 1, "xrp").await;
    app.baseline(&FOUR).await;
    app.call(&[SOL], 1);
    app.clock.advance(Duration::from_secs(16 * 60));
    app.parts.poller.step().await.unwrap();
    let (store, metrics) = (app.parts.store.clone(), Metrics::default());
    let mut fanout = Fanout::next(&store, app.clock.now()).await.unwrap().unwrap();
    let [goes, stays] = [PERSON, PERSON + 1].map(|chat| Address::new(Platform::Telegram, chat.to_string()));
    store.move_destination(&goes, &stays, app.clock.now()).await.unwrap();
    assert!(matches!(fanout.chunk(app.clock.now(), &metrics).await, Err(StoreError::Conflict)), "whom it has read is no more");
    app.telegram.unread();
    app.step().await;
    let told: Vec<_> = app.telegram.unread().into_iter().map(|sent| (sent.chat, sent.text.contains("SOL turned bullish"))).collect();
    assert_eq!(told, [(PERSON + 1, true)]);
});

#[derive(Clone, Copy, PartialEq)]
enum Way {
    Arrives,
    /// The old chat is gone.
    Gone,
    /// It waited for its place, and was not sent.
    GivenBack,
    /// The same, and it was to say more of what was told before.
    SaysMore,
    Postponed,
}

/// What became of a message that was on its way to a place that was merged into another, and of the same at that other one.
struct Merging {
    way: Way,
    /// The other place has been told by then; otherwise it waits to be.
    told_there: bool,
    /// What only the other place follows.
    others: &'static [&'static str],
    /// What is told there in the end.
    then: &'static [&'static str],
}

on_both!(what_is_on_its_way_to_a_place_that_was_merged_is_told_once, |db| async move {
    let mut app = TestApp::start(db).await;
    let place = |chat: i64| Address::new(Platform::Telegram, chat.to_string());
    let of_chat = |chat: i64| format!("destination_id = (SELECT id FROM destinations WHERE chat = '{chat}')");
    let cases = [
        Merging { way: Way::Arrives, told_there: false, others: &[], then: &[] },
        Merging { way: Way::Gone, told_there: false, others: &[], then: &["SOL"] },
        Merging { way: Way::Gone, told_there: true, others: &[], then: &[] },
        Merging { way: Way::GivenBack, told_there: true, others: &[], then: &[] },
        Merging { way: Way::SaysMore, told_there: true, others: &[], then: &["SOL"] },
        Merging { way: Way::Postponed, told_there: false, others: &[], then: &["SOL"] },
        Merging { way: Way::Postponed, told_there: true, others: &[], then: &[] },
        Merging { way: Way::Arrives, told_there: false, others: &["BTC", "ETH", "XRP"], then: &["BTC", "ETH", "XRP"] },
    ];
    for (goes, Merging { way, told_there, others, then }) in (PERSON..).zip(cases) {
        let stays = goes + 10;
        app.person_subscribes(goes, "sol").await;
        app.person_subscribes(stays, &["SOL"].iter().chain(others).copied().collect::<Vec<_>>().join(",")).await;
        app.baseline(&FOUR).await;
        app.call(&FOUR, 1);
        app.clock.advance(Duration::from_secs(16 * 60));
        app.parts.poller.step().await.unwrap();
        app.parts.flow.step().await.unwrap();
        let (store, now) = (app.parts.store.clone(), app.clock.now());
        let claims = store.claim(Platform::Telegram, "test", |id| nonce(id, 0), now, now + Duration::from_secs(12), 8).await.unwrap();
        let sent = || Settlement::Sent { platform_id: "1".into(), rest_until: None, route: None };
        let mut under_way = None;
        for claim in claims {
            if claim.destination.address == place(goes) {
                under_way = Some(claim);
            } else if told_there {
                assert!(store.settle(&claim, &sent(), now).await.unwrap());
            } else {
                store.release_claim(&claim).await.unwrap();
            }
        }
        if way == Way::SaysMore {
            run_sql(&app.db.url, &format!("UPDATE alerts SET told_at = 1 WHERE {}", of_chat(goes))).await;
        }
        store.move_destination(&place(goes), &place(stays), now).await.unwrap();
        let under_way = under_way.unwrap();
        let gone = Settlement::Gone { reason: QuarantineReason::Deleted, next_probe_at: now, problem: "upgraded".into() };
        match way {
            Way::Arrives => assert!(store.settle(&under_way, &sent(), now).await.unwrap()),
            Way::Gone => assert!(store.settle(&under_way, &gone, now).await.unwrap()),
            Way::GivenBack | Way::SaysMore => store.release_claim(&under_way).await.unwrap(),
            Way::Postponed => store.postpone(&under_way, now, false).await.unwrap(),
        }
        app.telegram.unread();
        app.pass(Duration::from_secs(60)).await;
        let told = |app: &TestApp| -> Vec<_> {
            let sent = app.telegram.unread().into_iter().filter(|sent| [goes, stays].contains(&sent.chat));
            sent.map(|sent| (sent.chat, sent.text.lines().next().unwrap().to_owned())).collect()
        };
        assert_eq!(told(&app), then.iter().map(|symbol| (stays, format!("🟢 {symbol} turned bullish"))).collect::<Vec<_>>());
        let there = format!("SELECT id FROM destinations WHERE chat = '{stays}'");
        let known = rows(&app.db.url, &format!("SELECT stance FROM told WHERE token_id = {SOL} AND destination_id = ({there})")).await;
        assert_eq!(known, ["bullish"]);
        let numbers = format!(
            "SELECT COALESCE(m.platform_id, 'none') FROM messages m JOIN message_alerts x ON x.message_id = m.id JOIN alerts a ON a.id = x.alert_id
             JOIN changes c ON c.id = a.change_id WHERE m.state = 'sent' AND m.destination_id = ({there}) AND c.token_id = {SOL}"
        );
        let none = rows(&app.db.url, &numbers).await.iter().all(|number| number == "none");
        assert_eq!(none, way == Way::Arrives, "the old chat's numbers mean nothing here");
        app.turn(&[SOL], -1).await;
        assert_eq!(told(&app), [(stays, "🔴 SOL turned bearish".to_owned())]);
        app.telegram.unread();
        // So long that it does not seem unstable.
        app.pass(Duration::from_secs(3 * 86_400)).await;
    }
});

on_both!(a_claim_that_was_taken_over_settles_nothing, |db| async move {
    let mut app = TestApp::start(db).await;
    app.person_subscribes(PERSON, "sol").await;
    app.baseline(&FOUR).await;
    app.call(&[SOL], 1);
    app.clock.advance(Duration::from_secs(16 * 60));
    app.parts.poller.step().await.unwrap();
    app.parts.flow.step().await.unwrap();
    let store = app.parts.store.clone();
    let lease = Duration::from_secs(15);
    let claim = async |holder: &'static str, at: Timestamp| {
        store.claim(Platform::Telegram, holder, |id| nonce(id, 0), at, at + lease, 8).await.unwrap()
    };
    let now = app.clock.now();
    let first = claim("first", now).await.pop().unwrap();
    assert!(claim("second", now).await.is_empty(), "one at a time");
    let later = now + lease;
    let second = claim("second", later).await.pop().unwrap();
    assert_eq!((first.unknown_ends, second.unknown_ends), (0, 1), "nobody knows what became of the first");
    let end = |problem: &str| Settlement::Dead { unknown: false, problem: problem.to_owned() };
    assert!(!store.settle(&first, &end("too late"), later).await.unwrap());
    let sent = Settlement::Sent { platform_id: "1".into(), rest_until: None, route: None };
    assert!(!store.settle(&first, &sent, later).await.unwrap());
    store.release_claim(&first).await.unwrap();
    store.postpone(&first, later + lease, false).await.unwrap();
    assert_eq!(rows(&app.db.url, "SELECT state, lease_holder FROM messages WHERE lane = 1").await, ["queued|second"]);
    assert!(store.settle(&second, &sent, later).await.unwrap());
    assert!(!store.settle(&second, &end("twice"), later).await.unwrap());
    assert_eq!(rows(&app.db.url, "SELECT state FROM messages WHERE lane = 1").await, ["sent"]);
    // On Telegram a third attempt could bring a third copy: two that nobody knows of are the end, also where both ends were deaths.
    app.call(&[SOL], -1);
    app.clock.advance(Duration::from_secs(16 * 60));
    app.parts.poller.step().await.unwrap();
    app.parts.flow.step().await.unwrap();
    claim("third", app.clock.now()).await;
    claim("fourth", app.clock.now() + lease).await;
    app.clock.advance(2 * lease);
    app.step().await;
    assert_eq!(app.on_telegram(), [""; 0]);
    let dead = rows(&app.db.url, "SELECT problem FROM messages WHERE state = 'dead'").await;
    assert!(dead.len() == 1 && dead[0].contains("may have arrived"), "{dead:?}");
});
