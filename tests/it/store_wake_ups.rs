//! Whoever listens hears of what another process wrote.

use crate::support::database::TestDb;
use bellwether::{
    domain::{
        Address, MessageBody, Place, Platform, Timestamp,
        wording::{Card, NoticePhrase, Phrase, Tone},
    },
    store::{NewDestination, NewNotice, Store, WakeUp},
};

#[tokio::test]
async fn messages_and_updates_are_heard_of_by_others() {
    let Some(db) = TestDb::postgres().await else { return };
    let (other, now) = (Store::connect(&db.url).await.unwrap(), Timestamp::from_secs(1_795_000_000));
    let mut heard = other.wake_ups().await.unwrap().expect("PostgreSQL tells");
    assert!(db.store.keep_update(1, "{}", now).await.unwrap());
    assert_eq!(heard.next().await.unwrap(), WakeUp::Updates);
    let card = Card::new(Tone::Problem, Phrase::Notice(NoticePhrase::CommandsBack { platform: Platform::Telegram }));
    let to =
        [NewDestination { address: Address::new(Platform::Telegram, "7"), place: Place::Person, tenant: None, label: None, creator: None }];
    db.store.tell(NewNotice { to: &to, body: &MessageBody::Card { card } }, now).await.unwrap();
    assert_eq!(heard.next().await.unwrap(), WakeUp::Messages);
    let sent = other.sent_since(Platform::Telegram, now).await.unwrap();
    assert_eq!(sent, [], "nothing was sent yet");
}

#[tokio::test]
async fn on_sqlite_there_is_nobody_else() {
    assert!(TestDb::sqlite().await.store.wake_ups().await.unwrap().is_none());
}
