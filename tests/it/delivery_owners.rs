//! Who is told of a place that cannot be reached: whoever set it up, where they can be told; else operators (ARCHITECTURE.md, rule K4).

use crate::support::{
    app::TestApp,
    audience::{FOUR, HOUR, MINUTE, SOL},
    commands::rows,
    community::{OPERATOR, PERSON, with_operator},
    database::{TestDb, on_both},
    fake_telegram::Fault,
};
use bellwether::{
    clock::Clock,
    domain::{Address, Place, Platform},
    store::NewDestination,
};
use serde_json::Value;

const GROUP: i64 = -1_001_234;
const SUPERGROUP: i64 = -1_005_678;
const MEMBER: i64 = 777;

/// Both know the bot from their private chats; the member was the first who spoke to it in the group, and the administrator follows SOL there.
async fn with_group(db: TestDb) -> TestApp {
    let mut app = with_operator(db, &[]).await;
    app.telegram.with(|world| _ = world.group(GROUP, "Traders", PERSON));
    for person in [MEMBER, PERSON] {
        app.say(person, person, "/help").await;
    }
    app.say(GROUP, MEMBER, "/help@bellwether_bot").await;
    let said = app.say(GROUP, PERSON, "/subscribe@bellwether_bot sol").await;
    assert!(said.contains("Subscribed"), "{said}");
    app.baseline(&FOUR).await;
    app.telegram_messages();
    app
}

/// The group takes the next alert no more; a minute later that is told.
async fn group_is_lost(app: &mut TestApp) {
    app.telegram.fault("sendMessage", Some(GROUP), Fault::Refuse(400, "Bad Request: CHAT_WRITE_FORBIDDEN", Value::Null));
    app.turn(&[SOL], 1).await;
    app.pass(MINUTE).await;
}

fn read(app: &TestApp) -> Vec<(i64, String)> {
    app.telegram_messages().into_iter().map(|(chat, _, text)| (chat, text)).collect()
}

fn is_about_group(text: &str) -> bool {
    text.contains("Traders")
}

on_both!(the_owner_is_who_set_a_group_up_and_not_who_typed_there_first, |db| async move {
    let mut app = with_group(db).await;
    let creators = "SELECT creator FROM destinations WHERE place = 'group'";
    assert_eq!(rows(&app.db.url, creators).await, [format!("telegram:{PERSON}")]);
    group_is_lost(&mut app).await;
    let read = read(&app);
    assert!(read.len() == 1 && read[0].0 == PERSON && is_about_group(&read[0].1), "{read:?}");
});

on_both!(a_group_where_somebody_only_typed_is_nobodys, |db| async move {
    let mut app = with_operator(db, &[]).await;
    app.telegram.with(|world| _ = world.group(GROUP, "Traders", PERSON));
    app.say(GROUP, MEMBER, "/help@bellwether_bot").await;
    assert_eq!(rows(&app.db.url, "SELECT COALESCE(creator, 'nobody') FROM destinations WHERE place = 'group'").await, ["nobody"]);
});

on_both!(a_place_belongs_to_the_first_who_sets_it_up, |db| async move {
    let place = |chat: i64, creator: Option<&str>| NewDestination {
        address: Address::new(Platform::Telegram, chat.to_string()),
        place: Place::Group,
        tenant: Some(chat.to_string()),
        label: None,
        creator: creator.map(str::to_owned),
    };
    let now = bellwether::clock::SystemClock.now();
    for creator in [None, Some("operator"), None, Some("telegram:1"), Some("operator"), Some("telegram:2")] {
        db.store.ensure_destination(&place(GROUP, creator), now).await.unwrap();
    }
    let creators = "SELECT chat, COALESCE(creator, 'nobody') FROM destinations ORDER BY id";
    assert_eq!(rows(&db.url, creators).await, [format!("{GROUP}|telegram:1")]);
    // The supergroup that it becomes was spoken in already.
    db.store.ensure_destination(&place(SUPERGROUP, None), now).await.unwrap();
    db.store.move_destination(&place(GROUP, None).address, &place(SUPERGROUP, None).address, now).await.unwrap();
    assert_eq!(rows(&db.url, creators).await[1], format!("{SUPERGROUP}|telegram:1"));
});

on_both!(operators_are_told_where_the_owner_takes_no_messages_any_more, |db| async move {
    let mut app = with_group(db).await;
    app.telegram.fault("sendMessage", Some(PERSON), Fault::Refuse(403, "Forbidden: bot was blocked by the user", Value::Null));
    group_is_lost(&mut app).await;
    app.pass(MINUTE).await;
    let told = read(&app);
    assert!(told.len() == 1 && told[0].0 == OPERATOR && is_about_group(&told[0].1), "{told:?}");
    for _ in 0..5 {
        app.pass(12 * HOUR).await;
    }
    let told = read(&app);
    assert!(told.iter().all(|(chat, text)| *chat == GROUP || text.contains("answers again")), "once: {told:?}");
});

on_both!(operators_are_told_where_the_owner_leaves_before_they_are, |db| async move {
    let mut app = with_group(db).await;
    app.telegram.fault("sendMessage", Some(GROUP), Fault::Refuse(400, "Bad Request: CHAT_WRITE_FORBIDDEN", Value::Null));
    app.turn(&[SOL], 1).await;
    app.clock.advance(MINUTE);
    app.parts.housekeeping.step().await.unwrap();
    let waits = "SELECT d.chat FROM messages m JOIN destinations d ON d.id = m.destination_id WHERE m.state = 'queued'";
    assert_eq!(rows(&app.db.url, waits).await, [PERSON.to_string()], "the owner is to be told");
    app.telegram.with(|world| world.place(PERSON, "kicked"));
    app.pass(MINUTE).await;
    let told = read(&app);
    assert!(told.len() == 1 && told[0].0 == OPERATOR && is_about_group(&told[0].1), "{told:?}");
});

on_both!(what_the_owner_has_read_is_not_told_to_operators_as_well, |db| async move {
    let mut app = with_group(db).await;
    group_is_lost(&mut app).await;
    assert_eq!(read(&app).iter().map(|(chat, _)| *chat).collect::<Vec<_>>(), [PERSON]);
    app.telegram.with(|world| world.place(PERSON, "kicked"));
    app.pass(MINUTE).await;
    assert_eq!(read(&app), []);
});
