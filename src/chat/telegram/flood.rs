//! At most 30 commands per person in 30 seconds: one polite refusal, then silence (`rules.md` 4.4). Pure: times are arguments.

use crate::domain::{Timestamp, UserId};
use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

/// Commands of one person within [`WINDOW`].
pub(super) const COMMANDS: usize = 30;
/// The window.
pub(super) const WINDOW: Duration = Duration::from_secs(30);

/// What to do with one more command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Carry it out.
    Welcome,
    /// Say that it is too much.
    Refuse,
    /// Say nothing.
    Silence,
}

/// Who said how much lately. Counted by the time at which things were said, so that a backlog after an outage is no flood.
#[derive(Debug, Default)]
pub(super) struct Flood(HashMap<UserId, Person>);

#[derive(Debug, Default)]
struct Person {
    said: VecDeque<Timestamp>,
    refused_at: Option<Timestamp>,
}

impl Flood {
    /// One more command of this person, said at `at`.
    pub(super) fn take(&mut self, user: &UserId, at: Timestamp) -> Verdict {
        if self.0.len() > 10_000 {
            self.0.retain(|_, person| person.said.back().is_some_and(|last| *last + WINDOW > at));
        }
        let person = self.0.entry(user.clone()).or_default();
        person.said.retain(|said| *said + WINDOW > at);
        if person.said.len() < COMMANDS {
            person.said.push_back(at);
            return Verdict::Welcome;
        }
        let silent = person.refused_at.is_some_and(|refused| refused + WINDOW > at);
        if silent {
            return Verdict::Silence;
        }
        person.refused_at = Some(at);
        Verdict::Refuse
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_refusal_then_silence_then_welcome_again() {
        let mut flood = Flood::default();
        let (user, other) = (UserId("7".to_owned()), UserId("8".to_owned()));
        let at = Timestamp::from_secs;
        for second in 0..30 {
            assert_eq!(flood.take(&user, at(second / 2)), Verdict::Welcome);
        }
        assert_eq!(flood.take(&user, at(15)), Verdict::Refuse);
        assert_eq!(flood.take(&user, at(16)), Verdict::Silence);
        assert_eq!(flood.take(&other, at(16)), Verdict::Welcome);
        assert_eq!(flood.take(&user, at(46)), Verdict::Welcome);
    }
}
