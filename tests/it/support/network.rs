//! The way between the product and a platform: requests take a while to arrive, and answers a while to come back. Whoever ends
//! meanwhile has asked all the same.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

/// How long it takes, and what got lost on it. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct Network(Arc<State>);

#[derive(Default)]
struct State {
    /// The longest way there, and back.
    longest: Mutex<(Duration, Duration)>,
    unheard: AtomicUsize,
}

/// Told when whoever asked does not wait any more.
struct Asker(Arc<AtomicBool>);

impl Drop for Asker {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Network {
    /// From now on each request takes up to `there` to arrive, and its answer up to `back`: most come soon, a few late.
    pub(crate) fn slow_down(&self, there: Duration, back: Duration) {
        *self.0.longest.lock().unwrap() = (there, back);
    }

    /// Requests that were carried out, and whoever had asked was gone before the answer came.
    pub(crate) fn unheard(&self) -> usize {
        self.0.unheard.load(Ordering::Relaxed)
    }

    /// Carries a request there and its answer back. What was sent arrives, whatever becomes of the sender. `act` also says whether it did
    /// what was asked for.
    pub(crate) async fn carry<T: Send + 'static>(&self, act: impl Future<Output = (T, bool)> + Send + 'static) -> T {
        let (there, back) = *self.0.longest.lock().unwrap();
        if there.max(back).is_zero() {
            return act.await.0;
        }
        let gone = Arc::new(AtomicBool::new(false));
        let (asker, state) = (Asker(gone.clone()), self.0.clone());
        let carried = tokio::spawn(async move {
            tokio::time::sleep(there.mul_f64(fastrand::f64())).await;
            let (answer, done) = act.await;
            tokio::time::sleep(back.mul_f64(fastrand::f64().powi(8))).await;
            state.unheard.fetch_add(usize::from(done && gone.load(Ordering::Relaxed)), Ordering::Relaxed);
            answer
        });
        let answer = carried.await.unwrap();
        drop(asker);
        answer
    }
}
