//! What a platform handed over and is not yet carried out: stored before it is confirmed, carried out once, answered through the outbox.
//! Adapters keep their updates here; they know no store.

use crate::{
    domain::{Address, MessageBody, Place, Timestamp, wording::Card},
    store::{NewDestination, Store, StoreError},
};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// How long an update is remembered, so that a repeat does nothing twice (`rules.md` 6.2).
const REMEMBERED: Duration = Duration::from_secs(48 * 3600);
/// How many bytes are kept of what cannot be read.
const BEGINNING: usize = 16 * 1024;

/// The updates of the one platform that has them (Telegram). Cheap to clone.
#[derive(Clone, Debug)]
pub struct Inbox {
    pub(super) store: Store,
}

/// The database failed: the update stays open and is tried again.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct InboxError(#[from] StoreError);

/// An answer and where it goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// Where.
    pub to: Address,
    /// What kind of place that is.
    pub place: Place,
    /// The group it belongs to.
    pub tenant: Option<String>,
    /// What people call it.
    pub label: Option<String>,
    /// What it says.
    pub card: Card,
}

impl Inbox {
    /// An inbox in this database.
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// Stores an update; says whether it is new. It may be confirmed to the platform afterwards.
    ///
    /// # Errors
    /// Where the database fails: then it must not be confirmed.
    pub async fn keep(&self, update_id: i64, body: &str, now: Timestamp) -> Result<bool, InboxError> {
        Ok(self.store.keep_update(update_id, body, now).await?)
    }

    /// Keeps the beginning of what came as an update and is none, for whoever looks into it. It is bounded in size and number.
    ///
    /// # Errors
    /// Where the database fails: then it must not be confirmed.
    pub async fn keep_unreadable(&self, body: &[u8], now: Timestamp) -> Result<(), InboxError> {
        let digest = Sha256::digest(body);
        let number = digest.iter().take(8).fold(0, |number: i64, byte| (number << 8) | i64::from(*byte));
        let beginning = String::from_utf8_lossy(&body[..body.len().min(BEGINNING)]).replace('\0', "\u{fffd}");
        // Every negative number there is, and none that is not.
        Ok(self.store.set_update_aside(number | i64::MIN, &beginning, now).await?)
    }

    /// What is stored and not carried out, in order.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn open(&self) -> Result<Vec<(i64, String)>, InboxError> {
        Ok(self.store.open_updates().await?)
    }

    /// An update was carried out: marks it, drops its body and puts the answer into the outbox, in one transaction. Says whether it was
    /// still open; if not, nothing happens.
    ///
    /// # Errors
    /// Where the database fails: it stays open.
    pub async fn finish(&self, update_id: i64, answer: Option<Answer>, now: Timestamp) -> Result<bool, InboxError> {
        let answer = answer.map(|answer| {
            let Answer { to: address, place, tenant, label, card } = answer;
            let to = NewDestination { address, place, tenant, label, creator: None };
            (to, MessageBody::Card { card })
        });
        Ok(self.store.finish_update(update_id, answer.as_ref().map(|(to, body)| (to, body)), now).await?)
    }

    /// An update that cannot be read: it is kept for whoever looks into it, and never tried again.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn reject(&self, update_id: i64) -> Result<(), InboxError> {
        Ok(self.store.reject_update(update_id).await?)
    }

    /// How many updates were rejected in the last 48 hours.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn rejected(&self) -> Result<u64, InboxError> {
        Ok(self.store.rejected_updates().await?)
    }

    /// Forgets what was settled more than 48 hours ago.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn forget_old(&self, now: Timestamp) -> Result<u64, InboxError> {
        Ok(self.store.forget_updates(now - REMEMBERED).await?)
    }
}
