//! Commands of one person are carried out in the order in which they came, however many arrive at once: after a drop the Gateway delivers all that was
//! typed meanwhile in one moment.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, DropGuard};

/// A command that takes longer than any should holds up nobody for ever.
const LONGEST_WAIT: Duration = Duration::from_secs(15);

/// Whose turn it is. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Turns {
    /// Of each person whose commands are being carried out: when the last of them is done.
    last: Arc<Mutex<HashMap<String, CancellationToken>>>,
}

impl Turns {
    /// A place behind everything of that person that came before.
    pub(super) fn line_up(&self, person: &str) -> Turn {
        let done = CancellationToken::new();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.retain(|_, done| !done.is_cancelled());
        let before = last.insert(person.to_owned(), done.clone());
        Turn { before, _done: done.drop_guard() }
    }
}

/// A place in the line; whoever drops it is done.
pub(super) struct Turn {
    before: Option<CancellationToken>,
    _done: DropGuard,
}

impl Turn {
    /// Waits until everything before is done.
    pub(super) async fn comes(&self) {
        if let Some(before) = &self.before {
            // Where it is not done in time, both go on beside each other.
            let _ = timeout(LONGEST_WAIT, before.cancelled()).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[tokio::test(start_paused = true)]
    async fn each_waits_for_the_one_before_of_the_same_person() {
        let turns = Turns::default();
        let (first, second, third, other) = (turns.line_up("1"), turns.line_up("1"), turns.line_up("1"), turns.line_up("2"));
        let has_come = |turn: &Turn| turn.comes().now_or_never().is_some();
        assert_eq!([&first, &second, &third, &other].map(has_come), [true, false, false, true]);
        drop(first);
        assert_eq!([&second, &third].map(has_come), [true, false]);
        drop(second);
        assert!(has_come(&third));
        drop((third, other));
        assert!(has_come(&turns.line_up("1")));
        assert_eq!(turns.last.lock().unwrap().len(), 1, "nobody is remembered");
    }

    #[tokio::test(start_paused = true)]
    async fn a_command_that_hangs_is_not_waited_for_for_ever() {
        let turns = Turns::default();
        let (_hangs, next) = (turns.line_up("1"), turns.line_up("1"));
        timeout(LONGEST_WAIT + Duration::from_secs(1), next.comes()).await.unwrap();
    }
}
