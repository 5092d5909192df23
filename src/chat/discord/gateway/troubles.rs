//! What keeps commands from coming over the Gateway, gathered from its parts into one sentence for `/readyz` and operators.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};
use tokio::sync::watch;

/// Who has trouble.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Part {
    /// Finding out where the Gateway is.
    Start,
    /// This shard.
    Shard(u32),
}

/// The troubles of all parts.
pub(super) struct Troubles {
    open: Mutex<BTreeMap<Part, String>>,
    say: watch::Sender<Option<String>>,
}

impl Default for Troubles {
    fn default() -> Self {
        Self { open: Mutex::default(), say: watch::Sender::new(None) }
    }
}

impl Troubles {
    /// What is to be told at present; nothing while all is well.
    pub(super) fn told(&self) -> watch::Receiver<Option<String>> {
        self.say.subscribe()
    }

    /// A part has this trouble.
    pub(super) fn has(&self, part: Part, trouble: String) {
        self.change(|open| drop(open.insert(part, trouble)));
    }

    /// A part has none (any more).
    pub(super) fn is_well(&self, part: Part) {
        self.change(|open| drop(open.remove(&part)));
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<Part, String>)) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut open);
        let first = open.values().next().cloned();
        self.say.send_if_modified(|told| {
            if *told == first {
                false
            } else {
                *told = first;
                true
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_well_when_every_part_is() {
        let troubles = Troubles::default();
        let told = troubles.told();
        troubles.has(Part::Shard(1), "one".to_owned());
        troubles.has(Part::Shard(0), "zero".to_owned());
        assert_eq!(told.borrow().as_deref(), Some("zero"));
        troubles.is_well(Part::Shard(0));
        assert_eq!(told.borrow().as_deref(), Some("one"));
        troubles.is_well(Part::Shard(1));
        assert_eq!(*told.borrow(), None);
    }
}
