//! What must not stop delivery or grow without end: rows that nobody can read, days of outage, clocks that are stepped back.

use crate::support::{
    app::TestApp,
    audience::{BTC, FOUR, HOUR, MINUTE, SOL},
    commands::{rows, run_sql},
    database::{TestDb, on_both},
    fake_telegram::Fault,
    weather::Weather,
};
use bellwether::{
    clock::Clock,
    domain::{
        Address, MessageBody, Place, Platform,
        wording::{Card, NoticePhrase, Phrase, Tone},
    },
    store::{NewDestination, Retried, UndeliveredState},
};
use serde_json::{Value, json};
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};
use tokio_util::sync::CancellationToken;

const PERSON: i64 = 501;
const FRIEND: i64 = 502;
const OPERATOR: i64 = 900;
const LEASE: Duration = Duration::from_secs(15);

async fn with_operator(db: TestDb) -> TestApp {
    let app = TestApp::with(db, &[("BELLWETHER_OPERATORS", "telegram:900")]).await;
    app.telegram.with(|world| {
        world.person(OPERATOR);
    });
    app
}

/// The poll and both stages up to the messages.
async fn up_to_messages(app: &mut TestApp, stance: i64) {
    app.call(&[SOL], stance);
    app.clock.advance(Duration::from_secs(16 * 60));
    app.parts.poller.step().await.unwrap();
    app.parts.flow.step().await.unwrap();
}

on_both!(a_message_that_cannot_be_read_is_a_dead_letter_and_the_others_go_on, |db| async move {
    let mut app = TestApp::start(db).await;
    app.person_subscribes(PERSON, "sol").await;
    app.person_subscribes(FRIEND, "sol").await;
    app.baseline(&FOUR).await;
    up_to_messages(&mut app, 1).await;
    run_sql(
        &app.db.url,
        "UPDATE messages SET body = '{\"of\":\"a later version\"}' WHERE id = (SELECT MIN(id) FROM messages WHERE lane = 1)",
    )
    .await;
    app.step().await;
    assert_eq!(app.on_telegram(), ["SOL turned bullish"]);
    let errors = app.log.take_errors();
    assert!(errors.len() == 1 && errors[0].contains("cannot be read") && errors[0].contains("message_id"), "{errors:#?}");
    let dead = rows(&app.db.url, "SELECT state, problem FROM messages WHERE lane = 1 ORDER BY id").await;
    assert!(dead.len() == 2 && dead[0].starts_with("dead|") && dead[1] == "sent|-", "{dead:?}");
});

on_both!(a_dead_letter_of_unknown_ends_that_is_tried_again_is_sent, |db| async move {
    let mut app = TestApp::start(db).await;
    app.person_subscribes(PERSON, "sol").await;
    app.baseline(&FOUR).await;
    for _ in 0..2 {
        app.telegram.fault("sendMessage", Some(PERSON), Fault::Close { carried_out: false });
    }
    app.turn(&[SOL], 1).await;
    assert_eq!(app.on_telegram(), [""; 0]);
    let dead = app.parts.store.undelivered().await.unwrap();
    assert_eq!(dead.iter().map(|one| one.state).collect::<Vec<_>>(), [UndeliveredState::Dead]);
    assert_eq!(app.parts.store.retry_undelivered(dead[0].id, app.clock.now()).await.unwrap(), Retried::Now);
    app.step().await;
    assert_eq!(app.on_telegram(), ["SOL turned bullish"]);
    assert_eq!(rows(&app.db.url, "SELECT DISTINCT state FROM alerts").await, ["told"]);
});

on_both!(after_a_day_of_outage_the_net_is_told_and_nothing_is_dead, |db| async move {
    let mut app = with_operator(db).await;
    app.person_subscribes(PERSON, "sol,btc").await;
    app.baseline(&FOUR).await;
    for _ in 0..100 {
        app.telegram.fault("sendMessage", Some(PERSON), Fault::Raw(502, "<h1>Bad Gateway</h1>"));
    }
    app.turn(&[SOL], 1).await;
    app.turn(&[BTC], 1).await;
    app.turn(&[SOL], -1).await;
    app.clock.advance(25 * HOUR);
    for deliverer in &mut app.parts.deliverers {
        deliverer.drain().await.unwrap();
    }
    app.telegram.with(|world| world.faults.clear());
    app.call(&[SOL], -1);
    app.call(&[BTC], 1);
    app.pass(2 * MINUTE).await;
    let told = app.telegram_messages();
    assert_eq!(told.iter().map(|(chat, ..)| *chat).collect::<Vec<_>>(), [PERSON], "{told:?}");
    assert!(told[0].2.contains("BTC turned bullish") && !told[0].2.contains("SOL turned"), "{}", told[0].2);
    assert!(app.parts.store.undelivered().await.unwrap().is_empty());
});

on_both!(notices_about_dead_letters_come_once_an_hour, |db| async move {
    let mut app = with_operator(db).await;
    for person in [PERSON, FRIEND] {
        app.person_subscribes(person, "sol").await;
    }
    app.baseline(&FOUR).await;
    let mut notices = Vec::new();
    for stance in [1, -1, 1] {
        for person in [PERSON, FRIEND] {
            app.telegram.fault("sendMessage", Some(person), Fault::Refuse(400, "Bad Request: message is too long", Value::Null));
        }
        app.turn(&[SOL], stance).await;
        app.pass(MINUTE).await;
        notices.push(app.telegram_messages().into_iter().map(|(chat, _, text)| (chat, text)).collect::<Vec<_>>());
    }
    app.pass(HOUR).await;
    notices.push(app.telegram_messages().into_iter().map(|(chat, _, text)| (chat, text)).collect());
    assert_eq!(notices.iter().map(Vec::len).collect::<Vec<_>>(), [1, 0, 0, 1], "{notices:#?}");
    assert!(notices[0][0].1.contains("2 messages cannot be delivered") && notices[3][0].1.contains("4 messages"), "{notices:#?}");
    app.pass(2 * HOUR).await;
    assert_eq!(app.telegram_messages(), [], "no news, no notice");
});

on_both!(a_notice_is_remembered_and_sent_or_neither, |db| async move {
    let mut app = with_operator(db).await;
    // The message cannot be written.
    let (fail, mend) = if app.db.url.starts_with("sqlite") {
        ("CREATE TRIGGER full BEFORE INSERT ON messages BEGIN SELECT RAISE(ABORT, 'disk full'); END", "DROP TRIGGER full")
    } else {
        (
            "CREATE FUNCTION full_disk() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'disk full'; END $$ LANGUAGE plpgsql;
             CREATE TRIGGER full_disk BEFORE INSERT ON messages FOR EACH ROW EXECUTE FUNCTION full_disk()",
            "DROP TRIGGER full_disk ON messages",
        )
    };
    run_sql(&app.db.url, fail).await;
    let notice = || NoticePhrase::Restored { destination: "a channel".to_owned() };
    app.parts.housekeeping.operators.tell_once("a name", notice()).await;
    assert_eq!(app.log.take_errors().len(), 1);
    run_sql(&app.db.url, mend).await;
    for _ in 0..2 {
        app.parts.housekeeping.operators.tell_once("a name", notice()).await;
    }
    app.step().await;
    assert_eq!(app.telegram_messages().len(), 1, "told, and told once");
    assert_eq!(rows(&app.db.url, "SELECT place FROM destinations WHERE chat = '900'").await, ["person"]);
});

on_both!(a_clock_that_is_stepped_back_stops_nothing, |db| async move {
    let mut app = with_operator(db).await;
    for person in [PERSON, FRIEND] {
        app.person_subscribes(person, "sol").await;
    }
    app.baseline(&FOUR).await;
    up_to_messages(&mut app, 1).await;
    // One is claimed by a process that dies, the other waits for the hour that its chat asked for.
    let now = app.clock.now();
    let claimed = app.parts.store.claim(Platform::Telegram, "another", |_| String::new(), now, now + LEASE, 1).await.unwrap();
    assert_eq!(claimed.len(), 1);
    let asked = json!({"retry_after": 3600});
    app.telegram.fault("sendMessage", Some(FRIEND), Fault::Refuse(429, "Too Many Requests: retry after 3600", asked));
    app.step().await;
    assert_eq!(app.on_telegram(), [""; 0]);
    app.clock.set(now - 2 * HOUR);
    app.step().await;
    assert_eq!(app.on_telegram(), ["SOL turned bullish", "SOL turned bullish"]);
    let errors = app.log.take_errors();
    assert!(errors.is_empty(), "{errors:#?}");
});

on_both!(a_step_back_ends_the_pause_of_a_platform, |db| async move {
    let mut app = with_operator(db).await;
    app.person_subscribes(PERSON, "sol").await;
    app.baseline(&FOUR).await;
    app.telegram.fault("sendMessage", Some(PERSON), Fault::Raw(502, "<h1>Bad Gateway</h1>"));
    up_to_messages(&mut app, 1).await;
    for deliverer in &mut app.parts.deliverers {
        deliverer.drain().await.unwrap();
    }
    assert_eq!(app.on_telegram(), [""; 0]);
    app.clock.set(app.clock.now() - 2 * HOUR);
    app.step().await;
    assert_eq!(app.on_telegram(), ["SOL turned bullish"]);
});

on_both!(a_mention_counts_once_it_was_sent, |db| async move {
    let mut app = TestApp::start(db).await;
    app.person_subscribes(PERSON, "sol").await;
    app.baseline(&FOUR).await;
    up_to_messages(&mut app, 1).await;
    run_sql(&app.db.url, "UPDATE messages SET mention = '[\"1\"]' WHERE lane = 1; UPDATE destinations SET mentioned_at = NULL").await;
    app.step().await;
    assert_eq!(app.on_telegram(), ["SOL turned bullish"]);
    let sent = "SELECT CAST(d.mentioned_at - m.finished_at AS TEXT) FROM messages m JOIN destinations d ON d.id = m.destination_id WHERE m.lane = 1";
    assert_eq!(rows(&app.db.url, sent).await, ["0"]);
});

on_both!(a_claim_is_given_back_though_the_database_fails_for_a_moment, |db| async move {
    let mut app = TestApp::start(db).await;
    app.telegram.with(|world| {
        for chat in 10_000..10_040 {
            world.person(chat);
        }
    });
    app.baseline(&FOUR).await;
    for chat in 10_000..10_040 {
        let address = Address::new(Platform::Telegram, chat.to_string());
        let new = NewDestination { address, place: Place::Person, tenant: None, label: None, creator: None };
        let card = Card::new(Tone::Problem, Phrase::Notice(NoticePhrase::Restored { destination: "x".to_owned() }));
        app.parts.store.post(&new, &MessageBody::Card { card }, None, app.clock.now()).await.unwrap();
    }
    // More than a second takes: the last claims of the thirty-first and on are given back.
    let (refuse, mend) = if app.db.url.starts_with("sqlite") {
        ("CREATE TRIGGER full BEFORE DELETE ON attempts BEGIN SELECT RAISE(ABORT, 'disk full'); END", "DROP TRIGGER full")
    } else {
        (
            "CREATE FUNCTION full_disk() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'disk full'; END $$ LANGUAGE plpgsql;
             CREATE TRIGGER full_disk BEFORE DELETE ON attempts FOR EACH ROW EXECUTE FUNCTION full_disk()",
            "DROP TRIGGER full_disk ON attempts",
        )
    };
    run_sql(&app.db.url, refuse).await;
    let url = app.db.url.clone();
    let mended = async {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        run_sql(&url, mend).await;
    };
    let telegram = app.parts.deliverers.iter_mut().find(|one| one.platform() == Platform::Telegram).unwrap();
    let (drained, ()) = tokio::join!(telegram.drain(), mended);
    assert_eq!(drained.unwrap().started, 30);
    assert!(app.log.take_errors().iter().all(|line| line.contains("disk full")));
    assert_eq!(rows(&app.db.url, "SELECT CAST(COUNT(*) AS TEXT) FROM attempts WHERE outcome IS NULL").await, ["0"]);
    app.pass(MINUTE).await;
    assert_eq!(app.telegram_messages().len(), 40);
    assert_eq!(rows(&app.db.url, "SELECT CAST(MAX(unknown_ends) AS TEXT) FROM messages").await, ["0"]);
});

/// Forty people are about to be told, and Telegram behaves as the weather says; how often it was sent a message is counted.
async fn forty_wait(db: TestDb, weather: impl Fn(&str) -> Option<Fault> + Send + Sync + 'static) -> (TestApp, Arc<AtomicUsize>) {
    let mut app = TestApp::with(db, &[("BELLWETHER_OPERATORS", "telegram:900")]).await;
    app.telegram.with(|world| {
        world.person(OPERATOR);
    });
    for person in 0..40 {
        app.person_subscribes(PERSON + person, "sol").await;
    }
    app.baseline(&FOUR).await;
    app.telegram.unread();
    up_to_messages(&mut app, 1).await;
    let asked = Arc::new(AtomicUsize::new(0));
    let counts = Arc::clone(&asked);
    let silent: Weather<Fault> = Arc::new(move |method, _| {
        counts.fetch_add(usize::from(method == "sendmessage"), Ordering::SeqCst);
        weather(method)
    });
    app.telegram.observe(silent, Arc::new(|_| {}));
    (app, asked)
}

async fn drain_telegram(app: &mut TestApp) {
    let telegram = app.parts.deliverers.iter_mut().find(|deliverer| deliverer.platform() == Platform::Telegram);
    telegram.unwrap().drain().await.unwrap();
}

fn telegram_works(app: &TestApp) -> bool {
    *app.parts.deliverers.iter().find(|deliverer| deliverer.platform() == Platform::Telegram).unwrap().health().borrow()
}

/// Whom Telegram brought a message to, operators apart, and how many were given up.
async fn told_and_given_up(app: &TestApp) -> (Vec<i64>, usize) {
    let mut told: Vec<i64> = app.telegram.unread().into_iter().map(|sent| sent.chat).filter(|chat| *chat != OPERATOR).collect();
    told.sort_unstable();
    (told, rows(&app.db.url, "SELECT CAST(id AS TEXT) FROM messages WHERE state = 'dead'").await.len())
}

// Whatever is sent into a silence may have arrived, and is tried once more alone.
on_both!(where_no_message_is_answered_one_at_a_time_is_tried, |db| async move {
    let (mut app, asked) = forty_wait(db, |method| (method == "sendmessage").then_some(Fault::Close { carried_out: false })).await;
    let send = async |app: &mut TestApp| {
        drain_telegram(app).await;
        asked.load(Ordering::SeqCst)
    };
    let at_once = send(&mut app).await;
    assert!(at_once <= 20, "{at_once} were sent before it was noticed");
    assert_eq!(send(&mut app).await, at_once, "not before a few seconds have passed");
    for more in 1..=3 {
        app.clock.advance(Duration::from_secs(6));
        assert_eq!(send(&mut app).await, at_once + more);
    }
    assert!(telegram_works(&app), "it answers what is asked");
    app.telegram.observe(Arc::new(|_, _| None), Arc::new(|_| {}));
    app.pass(MINUTE).await;
    let (mut told, given_up) = told_and_given_up(&app).await;
    assert!(given_up <= 3 && told.len() + given_up == 40, "{given_up} {told:?}");
    told.dedup();
    assert_eq!(told.len() + given_up, 40, "nobody twice");
});

// A bot of one chat never has five attempts in a row: what is tried once more is not put into the same silence.
on_both!(who_is_alone_asks_before_it_tries_again, |db| async move {
    let mut app = TestApp::start(db).await;
    app.person_subscribes(PERSON, "sol").await;
    app.baseline(&FOUR).await;
    app.telegram.unread();
    let silent: Weather<Fault> = Arc::new(|_, _| Some(Fault::Close { carried_out: false }));
    app.telegram.observe(silent, Arc::new(|_| {}));
    up_to_messages(&mut app, 1).await;
    for _ in 0..4 {
        drain_telegram(&mut app).await;
        app.clock.advance(Duration::from_secs(20));
    }
    assert!(!telegram_works(&app));
    app.telegram.observe(Arc::new(|_, _| None), Arc::new(|_| {}));
    drain_telegram(&mut app).await;
    assert_eq!((told_and_given_up(&app).await, telegram_works(&app)), ((vec![PERSON], 0), true));
});

on_both!(nothing_is_sent_beside_the_question, |db| async move {
    let mut app = TestApp::start(db).await;
    app.person_subscribes(PERSON, "sol").await;
    app.baseline(&FOUR).await;
    app.telegram.unread();
    up_to_messages(&mut app, 1).await;
    let (sends, questions) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let counts = (Arc::clone(&sends), Arc::clone(&questions));
    let silent: Weather<Fault> = Arc::new(move |method, _| match method {
        "sendmessage" => {
            counts.0.fetch_add(1, Ordering::SeqCst);
            Some(Fault::Close { carried_out: false })
        }
        _ => {
            counts.1.fetch_add(1, Ordering::SeqCst);
            Some(Fault::Silence { carried_out: false })
        }
    });
    app.telegram.observe(silent, Arc::new(|_| {}));
    let (store, clock) = (app.parts.store.clone(), app.clock.clone());
    let telegram = app.parts.deliverers.iter_mut().find(|deliverer| deliverer.platform() == Platform::Telegram).unwrap();
    let meanwhile = async {
        while questions.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // By now the message is due again.
        clock.advance(Duration::from_secs(3));
        tokio::time::sleep(Duration::from_millis(2_500)).await;
    };
    tokio::select! {
        () = telegram.run(store, CancellationToken::new()) => panic!("it is not told to stop"),
        () = meanwhile => {}
    }
    assert_eq!((sends.load(Ordering::SeqCst), questions.load(Ordering::SeqCst)), (1, 1));
});

// 6.4: down is what takes no messages, also where nothing is to be sent.
on_both!(a_platform_that_answers_nothing_is_asked_a_question_and_sent_no_message, |db| async move {
    let is_silent = Arc::new(AtomicBool::new(true));
    let faults = [Fault::Close { carried_out: false }, Fault::Raw(502, "<h1>Bad Gateway</h1>")];
    let (turn, silent) = (AtomicUsize::new(0), Arc::clone(&is_silent));
    let weather = move |_: &str| silent.load(Ordering::SeqCst).then(|| faults[turn.fetch_add(1, Ordering::SeqCst) % 2].clone());
    let (mut app, asked) = forty_wait(db, weather).await;
    drain_telegram(&mut app).await;
    let at_once = asked.load(Ordering::SeqCst);
    let notices = "SELECT CAST(COUNT(*) AS TEXT) FROM messages m JOIN destinations d ON d.id = m.destination_id WHERE d.chat = '900'";
    for told in ["0", "1", "1"] {
        app.clock.advance(Duration::from_secs(45));
        drain_telegram(&mut app).await;
        assert_eq!((telegram_works(&app), rows(&app.db.url, notices).await), (false, vec![told.to_owned()]));
    }
    assert_eq!(asked.load(Ordering::SeqCst), at_once, "no message is put at risk");
    // It is over, and nothing waits.
    is_silent.store(false, Ordering::SeqCst);
    run_sql(&app.db.url, "UPDATE messages SET next_attempt_at = next_attempt_at + 300000 WHERE state = 'queued'").await;
    app.clock.advance(MINUTE);
    drain_telegram(&mut app).await;
    assert_eq!((telegram_works(&app), asked.load(Ordering::SeqCst)), (true, at_once));
    app.pass(10 * MINUTE).await;
    let notices: Vec<String> = app.telegram.unread().into_iter().filter(|sent| sent.chat == OPERATOR).map(|sent| sent.text).collect();
    assert!(notices[0].contains("Telegram has given the bot's messages no usable answer since 21 Nov 2026"), "{notices:#?}");
    assert!(notices[1].contains("Telegram takes the bot's messages again") && notices.len() == 2, "{notices:#?}");
});
