//! Tells a platform that fails from destinations that are gone: nobody is quarantined for a platform's bad day (`rules.md` 4.3).

use crate::domain::{DestinationId, Timestamp};
use std::{
    collections::{BTreeSet, VecDeque},
    time::Duration,
};

const WINDOW: Duration = Duration::from_secs(60);
const FEWEST_TRIED: usize = 20;
/// One in so many is a platform's failure.
const SHARE: usize = 5;
const PAUSE: Duration = Duration::from_secs(300);

/// The last minute of one platform.
#[derive(Debug, Default)]
pub struct MassFailure {
    tried: VecDeque<(Timestamp, DestinationId, bool)>,
}

/// The platform is at fault.
#[derive(Debug, PartialEq, Eq)]
pub struct Tripped {
    /// Destinations that seemed to have failed for good: they are to be restored.
    pub failed: Vec<DestinationId>,
    /// How many were tried.
    pub tried: usize,
    /// Nothing is sent before.
    pub until: Timestamp,
}

impl MassFailure {
    /// Takes note of an attempt that ended. Trips when 20 % or more of at least 20 tried destinations failed for good within a minute.
    pub fn note(&mut self, destination: DestinationId, failed: bool, now: Timestamp) -> Option<Tripped> {
        self.tried.push_back((now, destination, failed));
        // An entry from the future means that the clock was stepped back: it tells nothing about this minute.
        self.tried.retain(|(at, ..)| *at + WINDOW > now && *at <= now);
        let failed: BTreeSet<_> = self.tried.iter().filter(|(.., failed)| *failed).map(|(_, id, _)| *id).collect();
        // The usual end of the matter: a minute holds thousands of attempts, and this is asked after each.
        if failed.len() * SHARE < FEWEST_TRIED {
            return None;
        }
        let tried: BTreeSet<_> = self.tried.iter().map(|(_, id, _)| *id).collect();
        if tried.len() < FEWEST_TRIED || failed.len() * SHARE < tried.len() {
            return None;
        }
        let tripped = Tripped { failed: failed.into_iter().collect(), tried: tried.len(), until: now + PAUSE };
        self.tried.clear();
        Some(tripped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(1_000_000 + seconds)
    }

    #[test]
    fn few_failures_among_many_are_the_destinations_own() {
        let mut breaker = MassFailure::default();
        for n in 0..100 {
            assert_eq!(breaker.note(DestinationId(n), n % 6 == 0 && n > 0, at(n / 10)), None, "{n}");
        }
    }

    #[test]
    fn a_fifth_of_twenty_is_the_platform() {
        let mut breaker = MassFailure::default();
        for n in 0..19 {
            assert_eq!(breaker.note(DestinationId(n), n < 3, at(n)), None);
        }
        let tripped = breaker.note(DestinationId(19), true, at(20)).unwrap();
        assert_eq!(tripped.failed, [0, 1, 2, 19].map(DestinationId));
        assert_eq!(tripped.tried, 20);
        assert_eq!(breaker.note(DestinationId(20), true, at(21)), None, "it counts anew");
    }

    #[test]
    fn what_is_older_than_a_minute_does_not_count_and_repeats_count_once() {
        let mut breaker = MassFailure::default();
        for n in 0..10 {
            breaker.note(DestinationId(n), true, at(0));
        }
        for n in 10..40 {
            assert_eq!(breaker.note(DestinationId(n), false, at(61)), None);
        }
        let mut one = MassFailure::default();
        for n in 0..100 {
            assert_eq!(one.note(DestinationId(1), true, at(n)), None);
        }
    }
}
