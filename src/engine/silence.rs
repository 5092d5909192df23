//! Tells a platform that answers nobody from a request that was lost: whatever is sent into a silence may have arrived, and is tried once more alone.

use crate::domain::Timestamp;
use std::time::Duration;

/// So many in a row, of whatever chats, are the platform's own silence.
const MOST_UNANSWERED: u32 = 5;
/// Between two tries while nobody is answered: a quarter of the time that it lasts already, within these.
const SHORTEST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// One that lasts so long is worth a word to whoever runs the bot.
const LONG: Duration = Duration::from_secs(60);

/// How many attempts in a row were not answered.
#[derive(Debug, Default)]
pub struct Silence {
    unanswered: u32,
    since: Timestamp,
    answered_at: Option<Timestamp>,
}

/// What an attempt says of a silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// One message at a time is tried from now on.
    Begins,
    /// It lasts for a minute and longer.
    Lasts {
        /// When it began.
        since: Timestamp,
    },
    /// Everything goes on.
    Ends,
}

impl Silence {
    /// Takes note of an attempt that began then, and whether it brought any answer. Who waited in vain while others were answered says nothing.
    pub fn note(&mut self, answered: bool, began: Timestamp, now: Timestamp) -> Option<Turn> {
        if !answered && self.answered_at.is_some_and(|at| began <= at && at <= now) {
            return None;
        }
        let before = self.lasts();
        if answered {
            (self.unanswered, self.answered_at) = (0, Some(now));
        } else {
            self.unanswered = self.unanswered.saturating_add(1);
        }
        match (before, self.lasts()) {
            (false, true) => {
                self.since = now;
                Some(Turn::Begins)
            }
            (true, false) => Some(Turn::Ends),
            (true, true) if now.since(self.since) >= LONG => Some(Turn::Lasts { since: self.since }),
            _ => None,
        }
    }

    /// Nobody is answered at present.
    pub fn lasts(&self) -> bool {
        self.unanswered >= MOST_UNANSWERED
    }

    /// How long to wait before the next try, while it lasts.
    pub fn pause(&self, now: Timestamp) -> Option<Duration> {
        self.lasts().then(|| (now.since(self.since) / 4).clamp(SHORTEST_PAUSE, LONGEST_PAUSE))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(1_000_000 + seconds)
    }

    #[test]
    fn a_few_in_a_row_begin_it_and_one_answer_ends_it() {
        let mut silence = Silence::default();
        for (second, answered) in (0..).zip([false, false, false, false, true, false, false, false, false]) {
            assert_eq!(silence.note(answered, at(second), at(second)), None);
        }
        assert_eq!((silence.note(false, at(10), at(10)), silence.lasts()), (Some(Turn::Begins), true));
        assert_eq!((silence.note(false, at(11), at(11)), silence.lasts()), (None, true));
        assert_eq!(silence.note(false, at(69), at(69)), None);
        assert_eq!(silence.note(false, at(62), at(70)), Some(Turn::Lasts { since: at(10) }));
        assert_eq!((silence.note(true, at(71), at(71)), silence.lasts()), (Some(Turn::Ends), false));
        assert_eq!((silence.note(true, at(72), at(72)), silence.pause(at(72))), (None, None));
    }

    #[test]
    fn who_is_slow_while_others_are_answered_begins_none() {
        let mut silence = Silence::default();
        assert_eq!(silence.note(true, at(0), at(1)), None);
        for _ in 0..9 {
            assert_eq!(silence.note(false, at(0), at(8)), None);
        }
        assert!(!silence.lasts());
    }

    #[test]
    fn the_longer_it_lasts_the_rarer_is_a_try() {
        let mut silence = Silence::default();
        (0..5).for_each(|_| _ = silence.note(false, at(0), at(8)));
        assert_eq!([8, 28, 88, 9_999].map(|second| silence.pause(at(second)).unwrap().as_secs()), [5, 5, 20, 60]);
    }
}
