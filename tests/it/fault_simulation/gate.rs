//! Several requests under way at once, in an order of the seed's: each waits before it is sent, and again before its answer is handed over. Whose
//! time is over waits no longer.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};
use tokio::sync::Notify;

/// Where messages wait. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Gate(Arc<State>);

#[derive(Default)]
struct State {
    waiting: Mutex<BTreeMap<i64, Arc<Notify>>>,
}

impl Gate {
    fn waiting(&self) -> MutexGuard<'_, BTreeMap<i64, Arc<Notify>>> {
        self.0.waiting.lock().unwrap()
    }

    /// Waits until this message is let through.
    pub(super) async fn pass(&self, message: i64) {
        let through = Arc::new(Notify::new());
        self.waiting().insert(message, Arc::clone(&through));
        let place = Place { gate: self, message, through };
        place.through.notified().await;
    }

    /// Who waits, by number.
    pub(super) fn waits(&self) -> Vec<i64> {
        self.waiting().keys().copied().collect()
    }

    pub(super) fn open(&self, message: i64) {
        self.waiting().remove(&message).into_iter().for_each(|through| through.notify_one());
    }

    /// Whoever waited is no more.
    pub(super) fn clear(&self) {
        self.waiting().clear();
    }
}

/// A place at the gate, until it is left in any way.
struct Place<'a> {
    gate: &'a Gate,
    message: i64,
    through: Arc<Notify>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut waiting = self.gate.waiting();
        if waiting.get(&self.message).is_some_and(|through| Arc::ptr_eq(through, &self.through)) {
            waiting.remove(&self.message);
        }
    }
}
