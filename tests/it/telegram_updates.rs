//! Commands from Telegram: every update is stored before it is confirmed, carried out once, answered where it was said.

use crate::support::{
    database::{TestDb, on_both},
    fake_telegram::{BOT_NAME, FakeTelegram, Fault},
};
use bellwether::{
    chat::telegram::{Telegram, Updates, UpdatesError},
    clock::{Clock, ManualClock, SharedClock},
    commands::{Desk, DeskSettings, Inbox},
    domain::{
        MessageBody, Timestamp,
        wording::{Card, HintPhrase, Phrase},
    },
};
use serde_json::json;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

const GROUP: i64 = -1001;
const ADMIN: i64 = 7;
const MEMBER: i64 = 8;

struct Bench {
    fake: FakeTelegram,
    db: TestDb,
    clock: Arc<ManualClock>,
    updates: Updates,
}

impl Bench {
    async fn new(db: TestDb) -> Self {
        let fake = FakeTelegram::start().await;
        fake.with(|world| {
            world.person(ADMIN);
            world.group(GROUP, "Traders", ADMIN).topics = [(42, true)].into();
        });
        let clock = Arc::new(ManualClock::new(Timestamp::parse("2026-11-21T22:00:00Z").unwrap()));
        let updates = updates(&fake, &db, clock.clone());
        Self { fake, db, clock, updates }
    }

    /// The process ends and another one begins.
    fn restart(&mut self) {
        self.updates = updates(&self.fake, &self.db, self.clock.clone());
    }

    fn inbox(&self) -> Inbox {
        Inbox::new(self.db.store.clone())
    }

    /// Every answer so far: where it goes, and what the adapter itself said, if it did.
    async fn answers(&self) -> Vec<(String, Option<HintPhrase>)> {
        let hint = |card: Card| match card.title {
            Phrase::Hint(hint) => Some(hint),
            _ => None,
        };
        self.placed_cards().await.into_iter().map(|(place, card)| (place, hint(card))).collect()
    }

    async fn cards(&self) -> Vec<Card> {
        self.placed_cards().await.into_iter().map(|(_, card)| card).collect()
    }

    async fn placed_cards(&self) -> Vec<(String, Card)> {
        const SQL: &str =
            "SELECT d.chat, d.topic, m.body FROM messages m JOIN destinations d ON d.id = m.destination_id WHERE m.lane = 0 ORDER BY m.id";
        let rows: Vec<(String, String, String)> = if self.db.url.starts_with("sqlite") {
            let mut connection = <sqlx::SqliteConnection as sqlx::Connection>::connect(&self.db.url).await.unwrap();
            sqlx::query_as(SQL).fetch_all(&mut connection).await.unwrap()
        } else {
            let mut connection = <sqlx::PgConnection as sqlx::Connection>::connect(&self.db.url).await.unwrap();
            sqlx::query_as(SQL).fetch_all(&mut connection).await.unwrap()
        };
        let read = |(chat, topic, body): (String, String, String)| {
            let MessageBody::Card { card } = serde_json::from_str(&body).unwrap() else { panic!("an answer is a card") };
            (if topic.is_empty() { chat } else { format!("{chat}/{topic}") }, card)
        };
        rows.into_iter().map(read).collect()
    }

    async fn places(&self) -> Vec<String> {
        self.answers().await.into_iter().map(|(place, _)| place).collect()
    }
}

fn updates(fake: &FakeTelegram, db: &TestDb, clock: SharedClock) -> Updates {
    let telegram = Telegram::new(fake.settings(), clock.clone());
    let (desk, _lookups) = Desk::new(db.store.clone(), clock.clone(), DeskSettings::default());
    Updates::new(telegram, desk, Inbox::new(db.store.clone()), clock, Arc::default())
}

async fn count(db: &TestDb, sql: &str) -> i64 {
    let mut connection = <sqlx::SqliteConnection as sqlx::Connection>::connect(&db.url).await.unwrap();
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql)).fetch_one(&mut connection).await.unwrap()
}

async fn execute(db: &TestDb, sql: &str) {
    if db.url.starts_with("sqlite") {
        let mut connection = <sqlx::SqliteConnection as sqlx::Connection>::connect(&db.url).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    } else {
        let mut connection = <sqlx::PgConnection as sqlx::Connection>::connect(&db.url).await.unwrap();
        sqlx::query(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    }
}

fn elsewhere() -> Option<HintPhrase> {
    Some(HintPhrase::UsePrivateChat { link: format!("https://t.me/{BOT_NAME}") })
}

/// The same with a link that does there what was typed here.
fn continued() -> Option<HintPhrase> {
    Some(HintPhrase::PrivateMatter)
}

on_both!(a_command_is_answered_once_where_it_was_said, |db| async move {
    let mut bench = Bench::new(db).await;
    let first = bench.fake.with(|world| world.say(ADMIN, ADMIN, "/help"));
    bench.fake.with(|world| world.say_in_topic(GROUP, 42, MEMBER, "/status"));
    bench.fake.with(|world| world.say(GROUP, MEMBER, &format!("/status@{BOT_NAME}")));
    assert_eq!(bench.updates.step().await.unwrap(), 3);
    let mut places = bench.places().await;
    places.sort();
    assert_eq!(places, ["-1001", "-1001/42", "7"]);

    assert_eq!(bench.updates.step().await.unwrap(), 0);
    assert_eq!(bench.fake.unconfirmed(), 0, "the second poll confirmed the first");
    assert_eq!(bench.fake.calls("getUpdates")[1]["offset"], first + 3);
    bench.fake.with(|world| world.redeliver(first));
    bench.fake.with(|world| world.redeliver(first + 2));
    bench.restart();
    bench.updates.step().await.unwrap();
    assert_eq!(bench.places().await.len(), 3, "a repeat does nothing twice");
});

on_both!(a_crash_between_storing_and_confirming_loses_and_doubles_nothing, |db| async move {
    let mut bench = Bench::new(db).await;
    let id = bench.fake.with(|world| world.say(ADMIN, ADMIN, "/help"));
    // Stored by a process that died before it did anything else.
    let body = bench.fake.with(|world| world.told[0].to_string());
    assert!(bench.inbox().keep(id, &body, bench.clock.now()).await.unwrap());
    bench.restart();
    bench.updates.step().await.unwrap();
    assert_eq!(bench.fake.calls("getUpdates")[0].get("offset"), None, "what is stored says nothing about what Telegram still has");
    assert_eq!(bench.places().await, ["7"]);
    assert_eq!(bench.inbox().open().await.unwrap(), []);
    assert!(!bench.inbox().finish(id, None, bench.clock.now()).await.unwrap(), "it is settled");
});

on_both!(a_crash_between_an_effect_and_its_answer_does_nothing_twice, |db| async move {
    let mut bench = Bench::new(db).await;
    bench.fake.with(|world| world.say(ADMIN, ADMIN, "/settings max_per_hour=5"));
    bench.updates.step().await.unwrap();
    // The process died before the update was settled: it is open again.
    execute(&bench.db, "DELETE FROM messages").await;
    let body = bench.fake.with(|world| world.told[0].to_string()).replace('\'', "");
    execute(&bench.db, &format!("UPDATE updates_seen SET state = 'stored', body = '{body}'")).await;
    bench.restart();
    bench.updates.step().await.unwrap();
    let answers = bench.cards().await;
    assert_eq!(answers.iter().map(Card::plain).collect::<Vec<_>>(), ["This was already done."]);
});

on_both!(garbage_is_set_aside_and_the_rest_goes_on, |db| async move {
    let bench = Bench::new(db).await;
    bench.fake.with(|world| {
        world.push(json!({ "message": { "chat": "nonsense" } }));
        world.push(json!({ "message": { "chat": { "id": 5 }, "date": 1, "text": "/help" } }));
        world.push(json!({ "message": "text" }));
        world.push(json!({ "my_chat_member": { "chat": { "id": 5, "type": "private" } } }));
        world.say(ADMIN, ADMIN, "/help")
    });
    bench.updates.step().await.unwrap();
    assert_eq!(bench.places().await, ["7"]);
    assert_eq!(bench.inbox().rejected().await.unwrap(), 3);
    bench.updates.step().await.unwrap();
    assert_eq!(bench.fake.unconfirmed(), 0);
    bench.clock.advance(Duration::from_secs(49 * 3600));
    bench.inbox().forget_old(bench.clock.now()).await.unwrap();
    bench.fake.with(|world| world.say(ADMIN, ADMIN, "/help"));
    bench.updates.step().await.unwrap();
    assert_eq!((bench.places().await.len(), bench.inbox().rejected().await.unwrap()), (2, 0));
});

#[tokio::test]
async fn what_is_not_for_the_bot_is_not_answered() {
    let bench = Bench::new(TestDb::sqlite().await).await;
    bench.fake.with(|world| {
        world.say(GROUP, ADMIN, "/subscribe@otherbot SOL");
        world.say(GROUP, ADMIN, "/unheard_of");
        world.say(GROUP, ADMIN, "good morning");
        world.say_with(GROUP, ADMIN, "/status", &json!({ "forward_origin": { "type": "user" } }));
        world.say_with(GROUP, 777_000, "/status", &json!({ "is_automatic_forward": true }));
        world.say(ADMIN, ADMIN, "/help@otherbot");
        world.channel(-1005, "news", ADMIN);
        world.say(-1005, ADMIN, "/status")
    });
    bench.updates.step().await.unwrap();
    assert_eq!(bench.places().await, Vec::<String>::new());
    assert_eq!(bench.inbox().open().await.unwrap(), []);
}

#[tokio::test]
async fn an_unknown_command_and_plain_talk_in_private_get_help() {
    let bench = Bench::new(TestDb::sqlite().await).await;
    bench.fake.with(|world| world.say(ADMIN, ADMIN, "/unheard_of"));
    bench.fake.with(|world| world.say(ADMIN, ADMIN, "hello?"));
    bench.updates.step().await.unwrap();
    assert_eq!(bench.answers().await, [("7".to_owned(), None), ("7".to_owned(), Some(HintPhrase::Talk))]);
}

#[tokio::test]
async fn a_message_with_an_entity_that_nobody_knows_is_understood() {
    let bench = Bench::new(TestDb::sqlite().await).await;
    let entities =
        json!([{ "type": "bot_command", "offset": 0, "length": 5 }, { "type": "date_time", "offset": 6, "length": 3, "unix_time": 1 }]);
    bench.fake.with(|world| world.say_with(ADMIN, ADMIN, "/help now", &json!({ "entities": entities })));
    bench.updates.step().await.unwrap();
    assert_eq!(bench.places().await, ["7"]);
}

#[tokio::test]
async fn only_administrators_change_a_group() {
    let bench = Bench::new(TestDb::sqlite().await).await;
    let channel_bot = json!({ "from": { "id": 136_817_688, "is_bot": true }, "sender_chat": { "id": -1009, "type": "channel" } });
    bench.fake.with(|world| world.say(GROUP, ADMIN, "/settings"));
    bench.fake.with(|world| world.say_as_group(GROUP, "/settings"));
    bench.fake.with(|world| world.say(GROUP, MEMBER, "/settings"));
    bench.fake.with(|world| world.say_with(GROUP, 0, "/settings", &channel_bot));
    bench.fake.with(|world| world.say(GROUP, ADMIN, "/privacy export"));
    bench.updates.step().await.unwrap();
    let hints: Vec<_> = bench.answers().await.into_iter().map(|(_, hint)| hint).collect();
    assert_eq!(hints, [None, None, continued(), elsewhere(), continued()]);
}

#[tokio::test]
async fn changes_ask_each_time_and_reads_at_most_once_a_minute() {
    let bench = Bench::new(TestDb::sqlite().await).await;
    let asked = async |text: &str| {
        bench.fake.with(|world| world.say(GROUP, ADMIN, text));
        bench.updates.step().await.unwrap();
        bench.fake.calls("getChatAdministrators").len()
    };
    assert_eq!(asked("/settings").await, 1);
    assert_eq!(asked("/settings").await, 2);
    assert_eq!(asked("/subscriptions").await, 2);
    bench.clock.advance(Duration::from_secs(61));
    assert_eq!(asked("/subscriptions").await, 3);
    assert_eq!(asked("/status").await, 3, "anyone may read that");
    // No longer an administrator: seen at once.
    bench.fake.with(|world| world.chats.get_mut(&GROUP).unwrap().members.remove(&ADMIN));
    asked("/settings").await;
    assert_eq!(bench.answers().await.pop().unwrap().1, continued());
}

#[tokio::test]
async fn thirty_commands_then_one_refusal_then_silence() {
    let bench = Bench::new(TestDb::sqlite().await).await;
    bench.fake.with(|world| (0..35).map(|_| world.say(ADMIN, ADMIN, "/help")).max());
    bench.fake.with(|world| world.say(GROUP, MEMBER, "/status"));
    bench.updates.step().await.unwrap();
    let answers = bench.answers().await;
    let of_person = answers.iter().filter(|(place, _)| place == "7").collect::<Vec<_>>();
    assert_eq!(of_person.len(), 31);
    assert_eq!(of_person[30].1, Some(HintPhrase::SlowDown { commands: 30, seconds: 30 }));
    assert_eq!(answers.len(), 32, "others are not concerned");
}

#[tokio::test]
async fn where_telegram_does_not_say_who_administers_the_desk_decides() {
    let bench = Bench::new(TestDb::sqlite().await).await;
    bench.fake.fault("getChatAdministrators", None, Fault::Raw(502, "Bad Gateway"));
    bench.fake.with(|world| world.say(GROUP, MEMBER, "/settings"));
    bench.updates.step().await.unwrap();
    assert_eq!(bench.answers().await, [("-1001".to_owned(), None)]);
}

#[tokio::test]
async fn what_is_stored_waits_until_it_can_be_carried_out() {
    let bench = Bench::new(TestDb::sqlite().await).await;
    bench.fake.fault("getMe", None, Fault::Refuse(500, "Internal Server Error", json!(null)));
    bench.fake.with(|world| world.say(ADMIN, ADMIN, "/help"));
    assert!(bench.updates.step().await.is_err());
    assert_eq!(bench.inbox().open().await.unwrap().len(), 1);
    assert_eq!(bench.updates.step().await.unwrap(), 0);
    assert_eq!(bench.places().await, ["7"]);
}

#[tokio::test]
async fn whoever_was_overtaken_carries_out_nothing_that_is_stored() {
    let bench = Bench::new(TestDb::sqlite().await).await;
    bench.fake.fault("getMe", None, Fault::Refuse(500, "Internal Server Error", json!(null)));
    bench.fake.with(|world| world.say(ADMIN, ADMIN, "/help"));
    assert!(bench.updates.step().await.is_err());
    let run = bench.updates.run(CancellationToken::new(), || std::future::ready(Ok(false)));
    let ended = tokio::time::timeout(Duration::from_secs(10), run).await;
    assert!(ended.is_ok(), "it goes on after its term");
    assert_eq!(bench.inbox().open().await.unwrap().len(), 1, "it is another's to carry out");
    assert_eq!(bench.places().await, [""; 0]);
}

#[tokio::test]
async fn a_webhook_is_removed_only_if_one_is_set() {
    let bench = Bench::new(TestDb::sqlite().await).await;
    bench.updates.step().await.unwrap();
    assert_eq!(bench.fake.calls("deleteWebhook").len(), 0);
    bench.fake.set_webhook("https://other.example/hook");
    assert!(matches!(bench.updates.step().await, Err(UpdatesError::Conflict(_))), "it is looked for again after this");
    bench.fake.with(|world| world.say(ADMIN, ADMIN, "/help"));
    bench.updates.step().await.unwrap();
    assert_eq!(bench.fake.calls("deleteWebhook"), [json!({ "drop_pending_updates": false })]);
    assert_eq!(bench.places().await, ["7"]);
    for call in bench.fake.calls("getUpdates") {
        assert_eq!(call["allowed_updates"], json!(["message", "callback_query", "my_chat_member"]));
    }
}

#[tokio::test]
async fn after_six_quiet_days_no_offset_hides_an_update() {
    let bench = Bench::new(TestDb::sqlite().await).await;
    bench.fake.with(|world| world.say(ADMIN, ADMIN, "/help"));
    bench.updates.step().await.unwrap();
    bench.updates.step().await.unwrap();
    bench.clock.advance(Duration::from_secs(6 * 24 * 3600));
    // Telegram numbers anew, from anywhere.
    let message = bench.fake.with(|world| world.told[0]["message"].clone());
    bench.fake.with(|world| world.push(json!({ "update_id": 3, "message": message })));
    assert_eq!(bench.updates.step().await.unwrap(), 1);
    assert_eq!(bench.fake.calls("getUpdates").last().unwrap().get("offset"), None);
    bench.updates.step().await.unwrap();
    assert_eq!(bench.fake.calls("getUpdates").last().unwrap()["offset"], 4);
    assert_eq!(bench.places().await.len(), 2);
}

#[tokio::test]
async fn another_instance_is_named_and_the_token_is_not() {
    let bench = Bench::new(TestDb::sqlite().await).await;
    let text = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";
    bench.fake.fault("getUpdates", None, Fault::Refuse(409, text, json!(null)));
    let error = bench.updates.step().await.unwrap_err();
    assert!(error.to_string().starts_with("another instance polls with this token"), "{error}");
    bench.fake.fault("getUpdates", None, Fault::Close { carried_out: false });
    let error = bench.updates.step().await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("very-secret"), "{error:?}");
    bench.updates.step().await.unwrap();
}

#[tokio::test]
async fn the_loop_waits_for_updates_and_stops_when_told() {
    let bench = Bench::new(TestDb::sqlite().await).await;
    let Bench { fake, db, clock, updates } = bench;
    let problem = updates.problem();
    let stop = CancellationToken::new();
    let until = stop.clone();
    let running = tokio::spawn(async move { updates.run(until, || std::future::ready(Ok(true))).await });
    while fake.calls("getUpdates").is_empty() {
        tokio::task::yield_now().await;
    }
    fake.with(|world| world.say(ADMIN, ADMIN, "/help"));
    let answered = "SELECT COUNT(*) FROM messages";
    while count(&db, answered).await == 0 || fake.calls("getUpdates").len() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(fake.calls("getUpdates")[0]["timeout"], 25);
    assert_eq!(*problem.borrow(), None);
    stop.cancel();
    running.await.unwrap();
    let bench = Bench { updates: self::updates(&fake, &db, clock.clone()), fake, db, clock };
    assert_eq!(bench.places().await, ["7"]);
}

#[tokio::test]
async fn a_command_that_takes_long_delays_nobody_else() {
    let Bench { fake, db, clock, updates } = Bench::new(TestDb::sqlite().await).await;
    fake.fault("getChatAdministrators", Some(GROUP), Fault::Delay(Duration::from_secs(3600)));
    let running = tokio::spawn(async move { updates.run(CancellationToken::new(), || std::future::ready(Ok(true))).await });
    fake.with(|world| world.say(GROUP, ADMIN, "/settings"));
    while fake.calls("getChatAdministrators").is_empty() {
        tokio::task::yield_now().await;
    }
    fake.with(|world| world.say(GROUP, MEMBER, "/status"));
    fake.with(|world| world.say(MEMBER, MEMBER, "/help"));
    while count(&db, "SELECT COUNT(*) FROM messages").await == 0 {
        tokio::task::yield_now().await;
    }
    let bench = Bench { updates: self::updates(&fake, &db, clock.clone()), fake, db, clock };
    assert_eq!(bench.places().await, ["8"], "within the group the order is kept");
    running.abort();
}

#[tokio::test]
async fn commands_are_registered_only_where_they_differ() {
    let bench = Bench::new(TestDb::sqlite().await).await;
    let telegram = Telegram::new(bench.fake.settings(), bench.clock.clone());
    assert_eq!(telegram.me().await.unwrap().username, BOT_NAME);
    let commands = [("subscribe", "Be told"), ("signal", "The latest call"), ("channel", "Set up a channel")];
    let all = ["all_private_chats", "all_group_chats", "all_chat_administrators"];
    assert_eq!(telegram.unregistered(&commands).await.unwrap(), all);
    assert_eq!(telegram.register(&commands).await.unwrap(), all);
    assert_eq!(telegram.register(&commands).await.unwrap(), Vec::<&str>::new());
    assert_eq!(bench.fake.calls("setMyCommands").len(), 3);
    assert_eq!(bench.fake.commands("all_private_chats"), ["subscribe", "signal", "channel"]);
    assert_eq!(bench.fake.commands("all_group_chats"), ["signal"]);
    assert_eq!(bench.fake.commands("all_chat_administrators"), ["subscribe", "signal"]);
    let fewer = &commands[1..2];
    assert_eq!(telegram.register(fewer).await.unwrap(), ["all_private_chats", "all_chat_administrators"]);
}

/// Another process may take them from then on, and how that goes is not known here.
#[tokio::test]
async fn who_takes_no_updates_any_more_says_nothing_of_how_that_goes() {
    let Bench { fake, db: _db, updates, .. } = Bench::new(TestDb::sqlite().await).await;
    let mut problem = updates.problem();
    let stop = CancellationToken::new();
    let until = stop.clone();
    fake.fault("getUpdates", None, Fault::Refuse(401, "Unauthorized", json!(null)));
    let running = tokio::spawn(async move { updates.run(until, || std::future::ready(Ok(true))).await });
    problem.wait_for(Option::is_some).await.unwrap();
    stop.cancel();
    problem.wait_for(Option::is_none).await.unwrap();
    running.await.unwrap();
}
