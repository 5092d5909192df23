//! Tells a platform that answers nobody from a request that was lost: whatever is sent into a silence may have arrived, and can be tried once more alone.

use std::time::Duration;

/// So many in a row, of whatever chats, are the platform's own silence.
const MOST_UNANSWERED: u32 = 5;
/// Between two tries while nobody is answered.
pub const PAUSE: Duration = Duration::from_secs(5);

/// How many attempts in a row were not answered.
#[derive(Debug, Default)]
pub struct Silence {
    unanswered: u32,
}

/// A silence has begun, or is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// One message at a time is tried from now on.
    Begins,
    /// Everything goes on.
    Ends,
}

impl Silence {
    /// Takes note of an attempt that was sent, and whether anything at all was answered.
    pub fn note(&mut self, answered: bool) -> Option<Turn> {
        let before = self.lasts();
        self.unanswered = if answered { 0 } else { self.unanswered.saturating_add(1) };
        match (before, self.lasts()) {
            (false, true) => Some(Turn::Begins),
            (true, false) => Some(Turn::Ends),
            _ => None,
        }
    }

    /// Nobody is answered at present.
    pub fn lasts(&self) -> bool {
        self.unanswered >= MOST_UNANSWERED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_in_a_row_begin_it_and_one_answer_ends_it() {
        let mut silence = Silence::default();
        for answered in [false, false, false, false, true, false, false, false, false] {
            assert_eq!(silence.note(answered), None);
        }
        assert_eq!((silence.note(false), silence.lasts()), (Some(Turn::Begins), true));
        assert_eq!((silence.note(false), silence.lasts()), (None, true));
        assert_eq!((silence.note(true), silence.lasts()), (Some(Turn::Ends), false));
        assert_eq!(silence.note(true), None);
    }
}
