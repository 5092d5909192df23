//! When most of the market seems to turn at once, it is more often the source's mistake than the market's: such turns are believed once a
//! second answer shows them too.

use crate::domain::{Change, Nature, Snapshot, Timestamp, TokenId, Unconfirmed};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// From so many asked tokens on a turn of more than half of them is looked at twice.
pub const SMALLEST_MARKET: usize = 20;
/// How soon the second answer is asked for, where no poll comes sooner.
pub const ASK_AGAIN_AFTER: Duration = Duration::from_secs(10 * 60);
/// A token that is not answered for so long is no longer waited for.
const WAITED_FOR: Duration = Duration::from_secs(24 * 3600);

/// What to do about the turns of one snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Tokens whose rows are not to be believed yet.
    pub kept_back: BTreeSet<TokenId>,
    /// Tokens whose turn was kept back before and is shown again.
    pub confirmed: BTreeSet<TokenId>,
    /// Tokens whose turn was kept back before and is not shown any more.
    pub refuted: BTreeSet<TokenId>,
    /// What the next answer has to show, with those that this one did not answer for.
    pub unconfirmed: Option<Unconfirmed>,
}

/// Looks at the turns that a snapshot would make, beside those that wait for a second answer.
///
/// Corrections are no turns: they are made by rows that a later answer restates, and go their own way.
pub fn confirm(changes: &[Change], snapshot: &Snapshot, waiting: Option<&Unconfirmed>, now: Timestamp) -> Verdict {
    let turns: BTreeMap<_, _> =
        changes.iter().filter(|change| change.nature == Nature::Turned).map(|change| (change.token, change.to)).collect();
    let answered: BTreeSet<TokenId> = snapshot.observations.iter().map(|row| row.token).collect();
    let mut verdict = Verdict::default();
    let mut still = Unconfirmed { since: waiting.map_or(now, |waiting| waiting.since), turns: BTreeMap::new() };
    for (token, to) in waiting.iter().flat_map(|waiting| &waiting.turns) {
        if turns.get(token) == Some(to) {
            verdict.confirmed.insert(*token);
        } else if answered.contains(token) {
            verdict.refuted.insert(*token);
        } else if now.since(still.since) < WAITED_FOR {
            still.turns.insert(*token, *to);
        }
    }
    let fresh: BTreeMap<_, _> = turns.into_iter().filter(|(token, _)| !verdict.confirmed.contains(token)).collect();
    if snapshot.asked.len() >= SMALLEST_MARKET && fresh.len() * 2 > snapshot.asked.len() {
        verdict.kept_back = fresh.keys().copied().collect();
        still = Unconfirmed { since: now, turns: still.turns.into_iter().chain(fresh).collect() };
    }
    verdict.unconfirmed = Some(still).filter(|still| !still.turns.is_empty());
    verdict
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Kind, Observation, SourceId, Stance, Timing, Values};
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    fn change(token: i64, to: Stance) -> Change {
        Change {
            source: SourceId::TokenMetrics,
            kind: Kind::Daily,
            token: TokenId(token),
            from: None,
            since: None,
            to,
            data_time: NOW,
            detected_at: NOW,
            nature: Nature::Turned,
            timing: Timing::Fresh,
            after_gap: false,
            trader_grade: None,
        }
    }

    fn snapshot(asked: i64, answered: impl IntoIterator<Item = i64>) -> Snapshot {
        let row = |token| Observation {
            token: TokenId(token),
            data_time: NOW,
            signal: None,
            trend: None,
            position: None,
            values: Values::default(),
        };
        Snapshot {
            source: SourceId::TokenMetrics,
            kind: Kind::Daily,
            started_at: NOW,
            asked: (1..=asked).map(TokenId).collect(),
            observations: answered.into_iter().map(row).collect(),
            set_aside: Vec::new(),
            complete: true,
            gaps: BTreeSet::new(),
        }
    }

    fn turned(tokens: impl IntoIterator<Item = i64>) -> Vec<Change> {
        tokens.into_iter().map(|token| change(token, Stance::Bearish)).collect()
    }

    fn ids(tokens: impl IntoIterator<Item = i64>) -> BTreeSet<TokenId> {
        tokens.into_iter().map(TokenId).collect()
    }

    #[test]
    fn more_than_half_of_twenty_is_looked_at_twice() {
        for (asked, turns, kept_back) in
            [(20, 11, true), (20, 10, false), (19, 19, false), (21, 11, true), (100, 50, false), (100, 51, true)]
        {
            let verdict = confirm(&turned(1..=turns), &snapshot(asked, 1..=asked), None, NOW);
            assert_eq!(verdict.kept_back.len() as i64, if kept_back { turns } else { 0 }, "{turns} of {asked}");
            assert_eq!(verdict.unconfirmed.is_some(), kept_back, "{turns} of {asked}");
        }
    }

    #[test]
    fn the_second_answer_decides_token_by_token() {
        let first = confirm(&turned(1..=15), &snapshot(20, 1..=20), None, NOW);
        let again = NOW + ASK_AGAIN_AFTER;
        // 1 to 8 are shown again, 9 to 12 are back where they were, nothing came of 13 to 15, and 20 turned by itself.
        let changes = turned((1..=8).chain([20]));
        let second = confirm(&changes, &snapshot(20, (1..=12).chain([20])), first.unconfirmed.as_ref(), again);
        assert_eq!((second.confirmed, second.refuted, second.kept_back), (ids(1..=8), ids(9..=12), ids([])));
        let waiting = second.unconfirmed.unwrap();
        assert_eq!((waiting.since, waiting.turns.keys().copied().collect()), (NOW, ids(13..=15)));
        // What is never answered for is not waited for without end.
        let late = confirm(&[], &snapshot(20, []), Some(&waiting), NOW + WAITED_FOR);
        assert_eq!(late, Verdict::default());
    }

    #[test]
    fn a_turn_the_other_way_is_no_confirmation() {
        let first = confirm(&turned(1..=20), &snapshot(20, 1..=20), None, NOW);
        let changes: Vec<_> = (1..=20).map(|token| change(token, Stance::Bullish)).collect();
        let second = confirm(&changes, &snapshot(20, 1..=20), first.unconfirmed.as_ref(), NOW);
        assert_eq!((second.refuted.len(), second.kept_back.len(), second.confirmed.len()), (20, 20, 0));
    }

    #[test]
    fn corrections_are_no_turns() {
        let corrected = |change| Change { nature: Nature::Correction { stored_at: NOW }, ..change };
        let changes: Vec<_> = turned(1..=20).into_iter().map(corrected).collect();
        assert_eq!(confirm(&changes, &snapshot(20, 1..=20), None, NOW), Verdict::default());
    }

    proptest! {
        /// Whatever turns is told at once, kept back, or was kept back before: and the same answer twice confirms all of it.
        #[test]
        fn the_same_answer_twice_is_believed(asked in 1_i64..60, turns in prop::collection::btree_set(1_i64..60, 0..60)) {
            let changes = turned(turns.iter().copied().filter(|token| *token <= asked));
            let snapshot = snapshot(asked, 1..=asked);
            let first = confirm(&changes, &snapshot, None, NOW);
            let second = confirm(&changes, &snapshot, first.unconfirmed.as_ref(), NOW);
            prop_assert_eq!(&second.confirmed, &first.kept_back);
            prop_assert!(second.kept_back.is_empty() && second.refuted.is_empty() && second.unconfirmed.is_none());
        }
    }
}
