//! Notices to operators: a WARN line each, and a message to every operators' destination through the same outbox.

use crate::{
    clock::SharedClock,
    domain::{
        Address, Lane, MessageBody, Place, Platform, Timestamp,
        wording::{Card, NoticePhrase, Phrase, Tone},
    },
    store::{NewDestination, NewNotice, Store, StoreResult},
};
use std::time::Duration;

/// Tells operators. Cheap to clone.
#[derive(Clone)]
pub struct Operators {
    store: Store,
    clock: SharedClock,
    addresses: Vec<Address>,
}

impl Operators {
    /// Notices go to these addresses (`BELLWETHER_OPERATORS`); with none, to the log alone.
    pub fn new(store: Store, clock: SharedClock, addresses: Vec<Address>) -> Self {
        Self { store, clock, addresses }
    }

    /// The same, which writes to this store.
    #[must_use]
    pub fn writing_to(&self, store: Store) -> Self {
        Self { store, ..self.clone() }
    }

    /// Tells it now. A failure of the database is logged here: a notice must not stop the work it is about.
    pub async fn tell(&self, notice: NoticePhrase) {
        let (card, to) = (card(notice), self.destinations());
        tracing::warn!(notice = card.plain(), "operator notice");
        let body = MessageBody::Card { card };
        if let Err(error) = self.store.tell(NewNotice { to: &to, body: &body }, self.clock.now()).await {
            tracing::error!(%error, "an operator notice could not be stored");
        }
    }

    /// Tells it unless it was told already under this name and not cleared since.
    pub async fn tell_once(&self, name: &str, notice: NoticePhrase) {
        self.tell_new(name, notice, async |notice, now| self.store.notice_is_new(name, Some(notice), now).await).await;
    }

    /// Tells it once, and remembers that it holds now, for [`Operators::clear_if_over`]: to be called again and again while it does.
    pub async fn tell_while(&self, name: &str, notice: NoticePhrase) {
        self.tell_new(name, notice, async |notice, now| self.store.notice_holds(name, notice, now).await).await;
    }

    async fn tell_new(&self, name: &str, notice: NoticePhrase, store: impl AsyncFnOnce(NewNotice<'_>, Timestamp) -> StoreResult<bool>) {
        let (card, to) = (card(notice), self.destinations());
        let words = card.plain();
        let body = MessageBody::Card { card };
        match store(NewNotice { to: &to, body: &body }, self.clock.now()).await {
            Ok(true) => tracing::warn!(notice = words, "operator notice"),
            Ok(false) => {}
            Err(error) => tracing::error!(%error, name, "an operator notice could not be stored"),
        }
    }

    /// Forgets that it was told, and tells `recovery`, where for so long no process has said that it holds; whichever had told it.
    pub async fn clear_if_over(&self, name: &str, silence: Duration, recovery: NoticePhrase) {
        self.clear_until(name, self.clock.now() - silence, Some(recovery)).await;
    }

    /// Forgets that it was told; tells `recovery` if it had been.
    pub async fn clear(&self, name: &str, recovery: Option<NoticePhrase>) {
        self.clear_until(name, Timestamp::NEVER, recovery).await;
    }

    async fn clear_until(&self, name: &str, until: Timestamp, recovery: Option<NoticePhrase>) {
        let (card, to) = (recovery.map(card), self.destinations());
        let words = card.as_ref().map(Card::plain);
        let body = card.map(|card| MessageBody::Card { card });
        let notice = body.as_ref().map(|body| NewNotice { to: &to, body });
        match (self.store.clear_notice_of(name, until, notice, self.clock.now()).await, words) {
            (Ok(true), Some(words)) => tracing::warn!(notice = words, "operator notice"),
            (Ok(_), _) => {}
            (Err(error), _) => tracing::error!(%error, name, "an operator notice could not be cleared"),
        }
    }

    /// Tells the owner of places, or operators where there is none, unless it was told already under all of these names.
    pub async fn tell_owner_once(&self, owner: Option<Address>, names: &[String], notice: NoticePhrase, advice: Option<NoticePhrase>) {
        let (to_owner, mut card) = (owner.is_some(), card(notice));
        card.lines.extend(advice.map(Phrase::Notice));
        let (to, lane) = self.to_owner_or_operators(owner);
        let words = card.plain();
        let body = MessageBody::Card { card };
        match self.store.notices_are_new(names, NewNotice { to: &to, body: &body }, lane, self.clock.now()).await {
            Ok(true) => tracing::warn!(notice = words, to_owner, "notice"),
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "a notice could not be stored"),
        }
    }

    /// Forgets that it was told; tells the owner, or operators where there is none, that it is over.
    pub async fn clear_for_owner(&self, owner: Option<Address>, names: &[String], recovery: NoticePhrase) {
        let (to_owner, card) = (owner.is_some(), card(recovery));
        let (to, lane) = self.to_owner_or_operators(owner);
        let words = card.plain();
        let body = MessageBody::Card { card };
        match self.store.clear_notices(names, NewNotice { to: &to, body: &body }, lane, self.clock.now()).await {
            Ok(true) => tracing::warn!(notice = words, to_owner, "notice"),
            Ok(false) => {}
            Err(error) => tracing::error!(%error, "a notice could not be cleared"),
        }
    }

    /// Operators are told before alerts, an owner after them (`rules.md` 3.7).
    fn to_owner_or_operators(&self, owner: Option<Address>) -> (Vec<NewDestination>, Lane) {
        match owner {
            None => (self.destinations(), Lane::Urgent),
            Some(address) => {
                (vec![NewDestination { address, place: Place::Person, tenant: None, label: None, creator: None }], Lane::Notice)
            }
        }
    }

    /// Tells what happened until `until`, and remembers under this name how far that reached.
    ///
    /// # Errors
    /// Where the database fails: it was not told.
    pub async fn sum_up(&self, name: &str, notice: NoticePhrase, until: Timestamp) -> StoreResult<()> {
        let (card, to) = (card(notice), self.destinations());
        let words = card.plain();
        let body = MessageBody::Card { card };
        self.store.sum_up(name, NewNotice { to: &to, body: &body }, until, self.clock.now()).await?;
        tracing::warn!(notice = words, "operator notice");
        Ok(())
    }

    fn destinations(&self) -> Vec<NewDestination> {
        let destination = |address: &Address| {
            let place = if is_person(address) { Place::Person } else { Place::Channel };
            NewDestination { address: address.clone(), place, tenant: None, label: None, creator: Some("operator".to_owned()) }
        };
        self.addresses.iter().map(destination).collect()
    }
}

fn card(notice: NoticePhrase) -> Card {
    Card::new(Tone::Problem, Phrase::Notice(notice))
}

/// Groups and channels of Telegram have negative numbers.
fn is_person(address: &Address) -> bool {
    let is_private = address.platform == Platform::Telegram && address.topic.is_none() && address.chat.parse::<u64>().is_ok();
    is_private || address.direct_user().is_some()
}
