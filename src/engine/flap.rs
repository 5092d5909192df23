//! Flapping: a call that turns again and again is told to be unstable, then kept quiet about until it has settled (ARCHITECTURE.md, rules F).

use crate::domain::{Kind, Timestamp};
use std::collections::BTreeSet;

/// So many turns within the time in which a call settles are the sign of it.
const UNSTABLE_FROM: usize = 3;

/// What is to be said of a call's turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stability {
    /// They are turns like any others.
    Calm,
    /// The call is unstable, and the reader does not know that yet.
    Unstable,
    /// The reader knows that it is unstable, and it has not settled: nothing is said before then.
    Unsettled {
        /// Then it has, unless it turns again.
        until: Timestamp,
    },
    /// The reader knows that it was unstable; it has stood for long enough since.
    Settled,
}

/// Judges the turns of one call that a subscription has seen, in any order. What was seen at once is one turn: it is told as one.
pub fn stability(kind: Kind, knows_unstable: bool, turns: impl IntoIterator<Item = Timestamp>, now: Timestamp) -> Stability {
    let Some(window) = kind.settles_after() else { return Stability::Calm };
    let recent: BTreeSet<_> = turns.into_iter().filter(|at| *at + window > now).collect();
    match (knows_unstable, recent.last()) {
        (true, Some(last)) => Stability::Unsettled { until: *last + window },
        (true, None) => Stability::Settled,
        (false, _) if recent.len() >= UNSTABLE_FROM => Stability::Unstable,
        (false, _) => Stability::Calm,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::Duration;

    const HOUR: Duration = Duration::from_secs(3600);

    fn at(hours: u32) -> Timestamp {
        Timestamp::from_secs(1_795_000_000) + HOUR * hours
    }

    #[test]
    fn f1_the_third_turn_within_the_window_is_the_sign() {
        let table = [
            (Kind::Hourly, false, vec![0, 1], 1, Stability::Calm),
            (Kind::Hourly, false, vec![0, 1, 2], 2, Stability::Unstable),
            (Kind::Hourly, false, vec![0, 6, 12], 12, Stability::Calm),
            (Kind::Hourly, false, vec![0, 6, 11], 11, Stability::Unstable),
            (Kind::Hourly, false, vec![2, 2, 2], 2, Stability::Calm),
            (Kind::Hourly, true, vec![0, 1, 2], 2, Stability::Unsettled { until: at(14) }),
            (Kind::Hourly, true, vec![0, 1, 2, 5], 6, Stability::Unsettled { until: at(17) }),
            (Kind::Hourly, true, vec![0, 1, 2], 14, Stability::Settled),
            (Kind::Daily, false, vec![0, 24, 48], 48, Stability::Unstable),
            (Kind::Daily, false, vec![0, 84, 168], 168, Stability::Calm),
            (Kind::Daily, true, vec![0, 24, 48], 215, Stability::Unsettled { until: at(216) }),
            (Kind::Daily, true, vec![0, 24, 48], 216, Stability::Settled),
            // A grade moves through labels, and has its own steadiness.
            (Kind::Grade, false, vec![0, 1, 2, 3], 3, Stability::Calm),
        ];
        for (kind, knows, turns, now, expected) in table {
            assert_eq!(stability(kind, knows, turns.iter().copied().map(at), at(now)), expected, "{kind} {knows} {turns:?} at {now}");
        }
    }

    proptest! {
        /// Whoever knows that it is unstable is told again, at a bounded time after the last turn and not before.
        #[test]
        fn it_settles_exactly_one_window_after_the_last_turn(turns in prop::collection::vec(0_u32..500, 1..20), hourly: bool) {
            let kind = if hourly { Kind::Hourly } else { Kind::Daily };
            let last = at(turns.iter().copied().max().unwrap());
            let end = last + kind.settles_after().unwrap();
            let judged = |now| stability(kind, true, turns.iter().copied().map(at), now);
            prop_assert_eq!(judged(end), Stability::Settled);
            prop_assert_eq!(judged(end - Duration::from_millis(1)), Stability::Unsettled { until: end });
            prop_assert_eq!(judged(last), Stability::Unsettled { until: end });
        }
    }
}
