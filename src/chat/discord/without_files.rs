//! Channels where the bot may not attach files: asked again after a while, because each refusal counts towards Discord's ban of the address.

use crate::domain::Timestamp;
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// The right may be granted meanwhile.
const BELIEVED: Duration = Duration::from_secs(3600);

/// The channels that refused a file lately, and until when that is believed.
#[derive(Debug, Default)]
pub(super) struct WithoutFiles(Mutex<BTreeMap<u64, Timestamp>>);

impl WithoutFiles {
    /// Whether it refused one lately.
    pub(super) fn holds(&self, channel: u64, now: Timestamp) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&channel).is_some_and(|until| is_believed(*until, now))
    }

    /// It refused one.
    pub(super) fn note(&self, channel: u64, now: Timestamp) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, until| is_believed(*until, now));
        known.insert(channel, now + BELIEVED);
    }
}

/// A time further ahead was noted before the clock was stepped back.
fn is_believed(until: Timestamp, now: Timestamp) -> bool {
    until > now && until <= now + BELIEVED
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_believed_for_an_hour() {
        let (channels, now) = (WithoutFiles::default(), Timestamp::from_secs(1_000_000));
        channels.note(7, now);
        assert!(channels.holds(7, now) && channels.holds(7, now + BELIEVED - Duration::from_millis(1)) && !channels.holds(8, now));
        assert!(!channels.holds(7, now + BELIEVED) && !channels.holds(7, now - BELIEVED), "neither later nor before a step back");
    }
}
