//! Notices to operators: a WARN line each, and a message to every operators' destination through the same outbox.

use crate::{
    clock::SharedClock,
    domain::{
        Address, Lane, MessageBody, Place,
        wording::{Card, NoticePhrase, Phrase, Tone},
    },
    store::{NewDestination, Store, StoreResult},
};

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

    /// Tells it now. A failure of the database is logged here: a notice must not stop the work it is about.
    pub async fn tell(&self, notice: NoticePhrase) {
        let card = Card::new(Tone::Problem, Phrase::Notice(notice));
        tracing::warn!(notice = card.plain(), "operator notice");
        if let Err(error) = self.enqueue(card).await {
            tracing::error!(%error, "an operator notice could not be stored");
        }
    }

    /// Tells it unless it was told already under this name and not cleared since.
    pub async fn tell_once(&self, name: &str, notice: NoticePhrase) {
        match self.store.notice_is_new(name, self.clock.now()).await {
            Ok(true) => self.tell(notice).await,
            Ok(false) => {}
            Err(error) => tracing::error!(%error, name, "an operator notice could not be stored"),
        }
    }

    /// Forgets that it was told; tells `recovery` if it had been.
    pub async fn clear(&self, name: &str, recovery: Option<NoticePhrase>) {
        match self.store.clear_notice(name).await {
            Ok(true) => {
                if let Some(recovery) = recovery {
                    self.tell(recovery).await;
                }
            }
            Ok(false) => {}
            Err(error) => tracing::error!(%error, name, "an operator notice could not be cleared"),
        }
    }

    async fn enqueue(&self, card: Card) -> StoreResult<()> {
        let now = self.clock.now();
        let body = MessageBody::Card { card };
        for address in &self.addresses {
            let place = if address.direct_user().is_some() { Place::Person } else { Place::Channel };
            let new = NewDestination { address: address.clone(), place, tenant: None, label: None, creator: Some("operator".to_owned()) };
            let destination = self.store.ensure_destination(&new, now).await?;
            self.store.enqueue(destination, Lane::Urgent, &body, now).await?;
        }
        Ok(())
    }
}
