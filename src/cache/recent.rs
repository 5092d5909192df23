//! What was asked for last, as much of it as there is room for.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::OnceCell;

/// Whoever asks for the same key shares it: made already, being made, or to be made by whoever comes first.
pub(super) type Place<V> = Arc<OnceCell<V>>;

/// How much memory something holds.
pub(super) trait Size {
    /// In bytes.
    fn size(&self) -> usize;
}

/// What every place counts for besides: it bounds how many there are, also where nothing could be made.
const OF_A_PLACE: usize = 4 * 1024;

/// Places by key, the newest asked for. What is being made counts from when it is made.
pub(super) struct Recent<K, V> {
    room: usize,
    kept: Mutex<VecDeque<(K, Place<V>)>>,
}

impl<K: PartialEq, V: Size> Recent<K, V> {
    /// Room for so many bytes.
    pub(super) const fn new(room: usize) -> Self {
        Self { room, kept: Mutex::new(VecDeque::new()) }
    }

    /// The place of this key, which is the newest from now on.
    pub(super) fn place_of(&self, key: K) -> Place<V> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kept.iter().position(|(other, _)| *other == key).and_then(|at| kept.remove(at));
        let (key, place) = known.unwrap_or_else(|| (key, Place::default()));
        kept.push_front((key, place.clone()));
        let mut taken = 0;
        let fitting = kept.iter().take_while(|(_, place)| {
            taken += OF_A_PLACE + place.get().map_or(0, Size::size);
            taken <= self.room
        });
        let fitting = fitting.count().max(1);
        kept.truncate(fitting);
        place
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Size for usize {
        fn size(&self) -> usize {
            *self
        }
    }

    fn keys(recent: &Recent<char, usize>) -> String {
        recent.kept.lock().unwrap().iter().map(|(key, _)| key).collect()
    }

    #[test]
    fn the_last_are_kept_as_far_as_there_is_room() {
        let recent = Recent::new(5 * OF_A_PLACE);
        let first = recent.place_of('a');
        recent.place_of('b');
        recent.place_of('c');
        assert!(Arc::ptr_eq(&recent.place_of('a'), &first), "asked for again, it is the newest");
        assert_eq!(keys(&recent), "acb");
        first.set(2 * OF_A_PLACE).unwrap();
        recent.place_of('d');
        assert_eq!(keys(&recent), "dac", "what was made counts for what it is");
        recent.place_of('e').set(9 * OF_A_PLACE).unwrap();
        recent.place_of('e');
        assert_eq!(keys(&recent), "e", "what is in use is kept, however large");
    }
}
