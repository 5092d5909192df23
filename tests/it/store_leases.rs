//! A role is held by one process at a time, and passes on when its holder is not heard of; whoever was overtaken writes nothing any more.

use crate::support::database::{TestDb, on_both};
use bellwether::{
    domain::{Cadence, Feed, FeedStatus, Kind, SourceId, Timestamp},
    store::{CallLimits, Role, StoreError},
};
use sqlx::Connection as _;
use std::{sync::Arc, time::Duration};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(1_795_000_000 + seconds)
}

fn named(holder: &str) -> Arc<str> {
    holder.into()
}

on_both!(a_role_passes_on_when_its_time_is_up, |db| async move {
    let store = &db.store;
    let (one, two, three) = (named("one"), named("two"), named("three"));
    let first = store.take_lease(Role::Poller, &one, at(0), at(15)).await.unwrap().unwrap();
    assert_eq!(store.take_lease(Role::Poller, &two, at(14), at(29)).await.unwrap(), None, "it is held");
    assert!(store.take_lease(Role::Flow, &two, at(14), at(29)).await.unwrap().is_some(), "another role is another lease");
    assert!(store.keep_lease(&first, at(20)).await.unwrap());
    assert_eq!(store.take_lease(Role::Poller, &two, at(19), at(34)).await.unwrap(), None, "it was renewed");

    let second = store.take_lease(Role::Poller, &two, at(20), at(35)).await.unwrap().unwrap();
    assert!(!store.keep_lease(&first, at(40)).await.unwrap(), "whoever lost it is told so");

    store.give_lease_back(&first).await.unwrap();
    assert_eq!(store.take_lease(Role::Poller, &three, at(21), at(36)).await.unwrap(), None, "only its holder gives it back");
    store.give_lease_back(&second).await.unwrap();
    let third = store.take_lease(Role::Poller, &one, at(21), at(36)).await.unwrap().unwrap();
    assert_ne!(first, third, "an earlier term of the same process is over all the same");
    assert!(!store.keep_lease(&first, at(60)).await.unwrap());
});

on_both!(a_place_is_reserved_for_a_while_whatever_the_clocks_of_the_processes_say, |db| async move {
    let reserve = async |place, holder, seconds| db.store.reserve(Role::Start(place), holder, Duration::from_secs(seconds)).await.unwrap();
    assert!(reserve(0, "one", 60).await);
    assert!(!reserve(0, "two", 60).await && reserve(1, "two", 60).await, "another place is another's");
    assert!(reserve(0, "one", 0).await, "the same process names another time");
    assert!(reserve(0, "two", 60).await && !reserve(0, "one", 60).await, "that is over");
});

#[tokio::test]
async fn whoever_was_overtaken_writes_nothing_any_more() {
    let Some(db) = TestDb::postgres().await else { return };
    let save = async |store: &bellwether::store::Store, failures| {
        let status = FeedStatus {
            feed: Feed::Signals(Kind::Daily),
            cadence: Cadence::Idle,
            tokens: 0,
            next_poll_at: None,
            last_poll_at: None,
            last_success_at: None,
            failures,
            problem: None,
            stopped: false,
            refused: false,
            empty_since: None,
        };
        store.save_feed(SourceId::TokenMetrics, &status).await
    };
    let saved = async || {
        let known = db.store.feed_statuses(SourceId::TokenMetrics).await.unwrap();
        known.iter().find(|status| status.feed == Feed::Signals(Kind::Daily)).map(|status| status.failures)
    };
    let (one, two) = (named("one"), named("two"));
    let old = db.store.under(db.store.take_lease(Role::Poller, &one, at(0), at(15)).await.unwrap().unwrap());
    save(&old, 1).await.unwrap();
    assert!(old.is_current().await.unwrap());
    let new = db.store.under(db.store.take_lease(Role::Poller, &two, at(15), at(30)).await.unwrap().unwrap());
    assert!(!old.is_current().await.unwrap());
    assert!(matches!(save(&old, 2).await, Err(StoreError::Overtaken)), "a single statement");
    let limits = CallLimits { per_month: 0, per_minute: 0, despite_rest: false };
    let permit = old.permit_call(SourceId::TokenMetrics, "trading-signals", "poll", limits, || at(16)).await;
    assert!(matches!(permit, Err(StoreError::Overtaken)), "a transaction: no call is made either");
    assert_eq!(saved().await, Some(1), "nothing was written");
    save(&new, 3).await.unwrap();
    assert_eq!(saved().await, Some(3));
    save(&db.store, 4).await.unwrap();
    assert_eq!(saved().await, Some(4), "what needs no role is written by anybody");
}

#[tokio::test]
async fn nobody_takes_over_in_the_middle_of_a_transaction() {
    let Some(db) = TestDb::postgres().await else { return };
    let (one, two) = (named("one"), named("two"));
    let term = db.store.take_lease(Role::Poller, &one, at(0), at(15)).await.unwrap().unwrap();
    // What a paused process would have open.
    let mut connection = sqlx::PgConnection::connect(&db.url).await.unwrap();
    let mut paused = connection.begin().await.unwrap();
    sqlx::query("SELECT fence FROM leases WHERE name = 'poller' FOR SHARE").execute(&mut *paused).await.unwrap();
    let taking = db.store.take_lease(Role::Poller, &two, at(15), at(30));
    tokio::pin!(taking);
    let waits = tokio::time::timeout(Duration::from_millis(300), &mut taking).await.is_err();
    assert!(waits, "the transaction comes first");
    assert!(db.store.under(term).is_current().await.unwrap());
    paused.rollback().await.unwrap();
    assert!(taking.await.unwrap().is_some());
}
