//! Tells a platform that answers nobody from requests that were lost. Whatever is sent into a silence may have arrived, and is tried once more alone:
//! so it is a harmless question that goes there first, and then one message.

use crate::domain::Timestamp;
use std::time::Duration;

/// So many in a row without a usable answer, of whatever chats, may be the platform's own silence. Where nothing else is under way that could be
/// answered, one is enough to ask.
const MOST_UNANSWERED: u32 = 5;
/// Between two tries while nobody is answered: a quarter of the time that it lasts already, within these.
const SHORTEST_PAUSE: Duration = Duration::from_secs(5);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// One that lasts so long is worth a word to whoever runs the bot.
const LONG: Duration = Duration::from_secs(60);

/// How many attempts in a row brought no usable answer, and what the platform says to questions.
#[derive(Debug, Default)]
pub struct Silence {
    unanswered: u32,
    since: Timestamp,
    answered_at: Option<Timestamp>,
    question: Question,
    asking: bool,
}

/// What came of the question since the last message was tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Question {
    #[default]
    NotAsked,
    Answered,
    InVain,
}

/// What may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Everything.
    All,
    /// A question, and no message.
    Question,
    /// One message.
    One,
}

/// A silence begins or ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// From now on no message is sent before a question was answered, and then one at a time.
    Begins,
    /// Everything goes on.
    Ends,
}

impl Silence {
    /// Takes note of an attempt to deliver a message that began then, and whether it brought a usable answer. Who waited in vain while others
    /// were answered says nothing.
    pub fn note(&mut self, answered: bool, began: Timestamp, now: Timestamp) -> Option<Turn> {
        if answered {
            self.answered_at = Some(now);
            return self.end();
        }
        if self.answered_at.is_some_and(|at| began <= at && at <= now) {
            return None;
        }
        let lasted = self.lasts();
        self.since = if self.unanswered == 0 { began } else { self.since.min(now) };
        self.unanswered = self.unanswered.saturating_add(1);
        self.question = Question::NotAsked;
        (!lasted && self.lasts()).then_some(Turn::Begins)
    }

    /// A question is under way: nothing else goes there.
    pub fn ask(&mut self) {
        self.asking = true;
    }

    /// Takes note of what came of the question; nothing where it could not be asked. A clock that was stepped back makes no silence shorter.
    pub fn asked(&mut self, answered: Option<bool>, now: Timestamp) -> Option<Turn> {
        self.asking = false;
        let (lasted, answered) = (self.lasts(), answered?);
        self.since = self.since.min(now);
        if answered && self.unanswered < MOST_UNANSWERED {
            // It was about those messages.
            return self.end();
        }
        self.question = if answered { Question::Answered } else { Question::InVain };
        (!lasted && self.lasts()).then_some(Turn::Begins)
    }

    /// What may be sent now, pauses apart. `alone` where nothing is under way.
    pub fn next(&self, alone: bool) -> Next {
        let many = self.unanswered >= MOST_UNANSWERED;
        match self.question {
            _ if self.asking => Next::Question,
            Question::InVain => Next::Question,
            Question::NotAsked if many || (alone && self.unanswered > 0) => Next::Question,
            Question::Answered if many => Next::One,
            Question::NotAsked | Question::Answered => Next::All,
        }
    }

    /// How long to wait before the next try, while it lasts.
    pub fn pause(&self, now: Timestamp) -> Option<Duration> {
        self.lasts().then(|| (now.since(self.since) / 4).clamp(SHORTEST_PAUSE, LONGEST_PAUSE))
    }

    /// The platform answers nothing at all.
    pub fn is_total(&self) -> bool {
        self.question == Question::InVain
    }

    /// Since when, where it is total and lasts for long already.
    pub fn is_long(&self, now: Timestamp) -> Option<Timestamp> {
        (self.is_total() && now.since(self.since) >= LONG).then_some(self.since)
    }

    fn lasts(&self) -> bool {
        self.unanswered >= MOST_UNANSWERED || self.is_total()
    }

    fn end(&mut self) -> Option<Turn> {
        let lasted = self.lasts();
        (self.unanswered, self.question) = (0, Question::NotAsked);
        lasted.then_some(Turn::Ends)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(1_000_000 + seconds)
    }

    fn silent_since(second: i64) -> Silence {
        let mut silence = Silence::default();
        (0..5).for_each(|n| assert_eq!(silence.note(false, at(second), at(second + 8)), (n == 4).then_some(Turn::Begins)));
        silence
    }

    #[test]
    fn a_few_in_a_row_begin_it_and_one_answer_ends_it() {
        let mut silence = Silence::default();
        for (second, answered) in (0..).zip([false, false, false, false, true, false, false, false, false]) {
            assert_eq!((silence.note(answered, at(second), at(second)), silence.next(false)), (None, Next::All));
        }
        assert_eq!((silence.note(false, at(10), at(10)), silence.next(false)), (Some(Turn::Begins), Next::Question));
        assert_eq!((silence.note(false, at(11), at(11)), silence.next(false)), (None, Next::Question));
        assert_eq!((silence.note(true, at(12), at(12)), silence.next(false)), (Some(Turn::Ends), Next::All));
        assert_eq!((silence.note(true, at(13), at(13)), silence.pause(at(13))), (None, None));
    }

    #[test]
    fn who_is_slow_while_others_are_answered_begins_none() {
        let mut silence = Silence::default();
        assert_eq!(silence.note(true, at(0), at(1)), None);
        for _ in 0..9 {
            assert_eq!(silence.note(false, at(0), at(8)), None);
        }
        assert_eq!(silence.next(false), Next::All);
    }

    #[test]
    fn a_question_goes_before_each_message() {
        let mut silence = silent_since(0);
        assert!(!silence.is_total(), "nobody has asked");
        assert_eq!(silence.asked(Some(false), at(13)), None);
        assert_eq!((silence.next(false), silence.is_total()), (Next::Question, true));
        assert_eq!(silence.asked(Some(true), at(20)), None);
        assert_eq!((silence.next(false), silence.is_total()), (Next::One, false));
        assert_eq!((silence.note(false, at(20), at(28)), silence.next(false)), (None, Next::Question));
        silence.ask();
        assert_eq!((silence.asked(None, at(33)), silence.next(false)), (None, Next::Question), "it could not be asked");
        assert_eq!(silence.asked(Some(true), at(34)), None);
        assert_eq!((silence.note(true, at(35), at(36)), silence.next(false)), (Some(Turn::Ends), Next::All));
    }

    #[test]
    fn who_is_alone_asks_at_once() {
        let mut silence = Silence::default();
        assert_eq!(silence.note(false, at(0), at(8)), None);
        assert_eq!((silence.next(false), silence.next(true)), (Next::All, Next::Question));
        silence.ask();
        assert_eq!(silence.next(false), Next::Question, "nothing goes beside it");
        assert_eq!((silence.asked(Some(true), at(8)), silence.next(true)), (None, Next::All));
        assert_eq!((silence.note(false, at(100), at(108)), silence.next(true)), (None, Next::Question));
        assert_eq!(
            (silence.asked(Some(false), at(116)), silence.next(false), silence.is_total()),
            (Some(Turn::Begins), Next::Question, true)
        );
        assert_eq!((silence.pause(at(116)), silence.is_long(at(159))), (Some(SHORTEST_PAUSE), None), "what was before is over");
        silence.ask();
        assert!(silence.is_total(), "until there is an answer");
        assert_eq!((silence.asked(Some(true), at(120)), silence.next(true), silence.is_total()), (Some(Turn::Ends), Next::All, false));
    }

    #[test]
    fn the_longer_it_lasts_the_rarer_is_a_try() {
        let silence = silent_since(0);
        assert_eq!([8, 28, 80, 9_999].map(|second| silence.pause(at(second)).unwrap().as_secs()), [5, 7, 20, 60]);
    }

    #[test]
    fn one_that_lasts_for_a_minute_is_long_by_whatever_clock() {
        let mut silence = silent_since(0);
        assert_eq!(silence.is_long(at(60)), None, "it may be about the messages alone");
        silence.asked(Some(false), at(13));
        assert_eq!((silence.is_long(at(59)), silence.is_long(at(60))), (None, Some(at(0))));
        silence.asked(Some(false), at(-3_600));
        assert_eq!((silence.is_long(at(-3_541)), silence.is_long(at(-3_540))), (None, Some(at(-3_600))));
    }
}
