//! Chats that take the bot's words but not its pictures, the same for every platform: they are not asked each time, because a refusal costs a
//! request, and on Discord counts towards the ban of the address.

use crate::domain::Timestamp;
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// The right may be granted meanwhile, and not every way of granting it is told to a bot.
const BELIEVED: Duration = Duration::from_secs(24 * 3600);
/// How many are remembered; beyond that the oldest refusal is forgotten.
const MOST: usize = 10_000;

/// The chats that refused a picture lately, and until when that is believed.
#[derive(Debug, Default)]
pub(super) struct WithoutPictures(Mutex<BTreeMap<String, Timestamp>>);

impl WithoutPictures {
    /// Whether it refused one lately.
    pub(super) fn holds(&self, chat: &str, now: Timestamp) -> bool {
        self.with(|known| known.get(chat).is_some_and(|until| is_believed(*until, now)))
    }

    /// It refused one.
    pub(super) fn note(&self, chat: &str, now: Timestamp) {
        self.with(|known| {
            known.retain(|_, until| is_believed(*until, now));
            known.insert(chat.to_owned(), now + BELIEVED);
            if known.len() > MOST
                && let Some(oldest) = known.iter().min_by_key(|(_, until)| **until).map(|(chat, _)| chat.clone())
            {
                known.remove(&oldest);
            }
        });
    }

    /// What the bot may do there has changed, or somebody asks for pictures there: the next one is tried.
    pub(super) fn forget(&self, chat: &str) {
        self.with(|known| known.remove(chat));
    }

    fn with<T>(&self, act: impl FnOnce(&mut BTreeMap<String, Timestamp>) -> T) -> T {
        act(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
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
    fn a_refusal_is_believed_for_a_day_or_until_something_changes() {
        let (chats, now) = (WithoutPictures::default(), Timestamp::from_secs(1_000_000));
        chats.note("7", now);
        assert!(chats.holds("7", now) && chats.holds("7", now + BELIEVED - Duration::from_millis(1)) && !chats.holds("8", now));
        assert!(!chats.holds("7", now + BELIEVED) && !chats.holds("7", now - BELIEVED), "neither later nor before a step back");
        chats.forget("7");
        assert!(!chats.holds("7", now));
    }

    #[test]
    fn the_memory_has_an_end() {
        let (chats, now) = (WithoutPictures::default(), Timestamp::from_secs(1_000_000));
        for chat in 0..=MOST as u64 {
            chats.note(&chat.to_string(), now + Duration::from_millis(chat));
        }
        let now = now + Duration::from_secs(60);
        assert!(!chats.holds("0", now) && chats.holds("1", now) && chats.holds(&MOST.to_string(), now));
    }
}
