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
    /// Of each person whose commands are being carried out: when each of them is done.
    open: Arc<Mutex<HashMap<String, Vec<CancellationToken>>>>,
}

impl Turns {
    /// A place behind everything of that person that came before.
    pub(super) fn line_up(&self, person: &str) -> Turn {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.retain(|_, turns| {
            turns.retain(|done| !done.is_cancelled());
            !turns.is_empty()
        });
        let (done, turns) = (CancellationToken::new(), open.entry(person.to_owned()).or_default());
        let before = turns.clone();
        turns.push(done.clone());
        Turn { before, _done: done.drop_guard() }
    }
}

/// A place in the line; whoever drops it is done.
pub(super) struct Turn {
    before: Vec<CancellationToken>,
    _done: DropGuard,
}

impl Turn {
    /// Waits until everything before is done.
    pub(super) async fn comes(&self) {
        let all_before = async {
            for before in &self.before {
                before.cancelled().await;
            }
        };
        // Where that takes too long, they go on beside each other.
        let _ = timeout(LONGEST_WAIT, all_before).await;
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
        drop(second);
        assert!(!has_come(&third), "though the one between is done, such as one that cannot be read");
        drop(first);
        assert!(has_come(&third));
        drop((third, other));
        assert!(has_come(&turns.line_up("1")));
        assert_eq!(turns.open.lock().unwrap().len(), 1, "nobody is remembered");
    }

    #[tokio::test(start_paused = true)]
    async fn a_command_that_hangs_is_not_waited_for_for_ever() {
        let turns = Turns::default();
        let (_hangs, next) = (turns.line_up("1"), turns.line_up("1"));
        timeout(LONGEST_WAIT + Duration::from_secs(1), next.comes()).await.unwrap();
    }
}
