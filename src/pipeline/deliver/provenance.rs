//! The line that says when the data of an alert is from, when it was polled and when it is sent, for whoever wants it (ARCHITECTURE.md, V1).

use super::Shared;
use crate::{
    domain::{
        MessageBody, Timestamp,
        wording::{CallPhrase, Phrase},
    },
    store::Claimed,
};

impl Shared {
    /// The line under an alert of a single token that is sent now. An alert does not wait for it: where the database fails it goes without.
    pub(super) async fn provenance(&self, claimed: &Claimed, now: Timestamp) -> Option<Phrase> {
        let settings = &claimed.destination.settings;
        let MessageBody::Alert { call, .. } = &claimed.body else { return None };
        if !settings.provenance {
            return None;
        }
        let polled_at = match self.parts.store.polled_at(claimed.id).await {
            Ok(polled_at) => polled_at?,
            Err(error) => {
                tracing::warn!(message_id = claimed.id.0, %error, "when an alert's data was polled cannot be read; it goes without that line");
                return None;
            }
        };
        let (kind, data_time, clock) = (call.kind, call.data_time, settings.timezone);
        Some(Phrase::Call(CallPhrase::Provenance { kind, data_time, polled_at, sent_at: now, clock }))
    }
}
