//! A role is held by one process at a time, and passes on when its holder is not heard of.

use crate::support::database::on_both;
use bellwether::domain::Timestamp;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_secs(1_795_000_000 + seconds)
}

on_both!(a_role_passes_on_when_its_time_is_up, |db| async move {
    let store = &db.store;
    assert!(store.take_lease("serve", "one", at(0), at(15)).await.unwrap());
    assert!(!store.take_lease("serve", "two", at(14), at(29)).await.unwrap(), "it is held");
    assert!(store.keep_lease("serve", "one", at(20)).await.unwrap());
    assert!(!store.take_lease("serve", "two", at(19), at(34)).await.unwrap(), "it was renewed");

    assert!(store.take_lease("serve", "two", at(20), at(35)).await.unwrap());
    assert!(!store.keep_lease("serve", "one", at(40)).await.unwrap(), "whoever lost it is told so");

    store.give_lease_back("serve", "one").await.unwrap();
    assert!(!store.take_lease("serve", "three", at(21), at(36)).await.unwrap(), "only its holder gives it back");
    store.give_lease_back("serve", "two").await.unwrap();
    assert!(store.take_lease("serve", "three", at(21), at(36)).await.unwrap());
});
