//! What was asked for last, a fixed number of things.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

/// A place for each of the last `MOST` keys; a place is shared by whoever asks for the same key.
pub(super) struct Recent<K, V, const MOST: usize>(Mutex<VecDeque<(K, V)>>);

impl<K, V, const MOST: usize> Default for Recent<K, V, MOST> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: PartialEq, V: Clone + Default, const MOST: usize> Recent<K, V, MOST> {
    /// The place of this key, which is the newest from now on.
    pub(super) fn place_of(&self, key: K) -> V {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = kept.iter().position(|(other, _)| *other == key).and_then(|place| kept.remove(place));
        let (key, value) = known.unwrap_or_else(|| (key, V::default()));
        kept.push_front((key, value.clone()));
        kept.truncate(MOST);
        value
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    #[test]
    fn only_the_last_are_kept() {
        let recent = Recent::<usize, Arc<()>, 3>::default();
        let first = recent.place_of(0);
        recent.place_of(1);
        recent.place_of(2);
        assert!(Arc::ptr_eq(&recent.place_of(0), &first), "asked for again, it is the newest");
        recent.place_of(3);
        let kept: Vec<_> = recent.0.lock().unwrap().iter().map(|(key, _)| *key).collect();
        assert_eq!(kept, [3, 0, 2]);
    }
}
