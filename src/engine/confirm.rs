//! When most of the market seems to turn at once, it is more often the source's mistake than the market's: such turns are believed once a
//! second answer shows them too. So are the thresholds that numbers cross.

use super::{
    diff::{Diff, diff},
    threshold::{Lines, cross, crossed_by, threshold_crossed},
};
use crate::domain::{Change, Observation, SetAside, SetAsideReason, Snapshot, Stance, Timestamp, Timing, TokenId, TokenState, Unconfirmed};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// From so many asked tokens on a turn of more than half of those that were answered is looked at twice.
const SMALLEST_MARKET: usize = 20;
/// How soon the second answer is asked for, where no poll comes sooner.
pub const ASK_AGAIN_AFTER: Duration = Duration::from_secs(10 * 60);
/// A token that is not answered for so long is no longer waited for.
const WAITED_FOR: Duration = Duration::from_secs(24 * 3600);

/// What to do about the turns of one snapshot.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verdict {
    /// Tokens whose rows are not to be believed yet.
    pub kept_back: BTreeSet<TokenId>,
    /// How many tokens would turn, or would cross a line if it were drawn for all of them.
    pub market: usize,
    /// Tokens whose turn was kept back before and is shown again.
    pub confirmed: BTreeSet<TokenId>,
    /// Tokens whose turn was kept back before and is not shown any more.
    pub refuted: BTreeSet<TokenId>,
    /// What the next answer has to show, with those that this one did not answer for.
    pub unconfirmed: Option<Unconfirmed>,
}

/// What would be told of one token.
type News = BTreeSet<Stance>;

/// What a snapshot means, without the rows of those tokens whose change has to be shown a second time: as if they had said nothing.
pub fn believe(
    states: &BTreeMap<TokenId, TokenState>,
    waiting: Option<&Unconfirmed>,
    lines: &Lines,
    snapshot: &Snapshot,
    now: Timestamp,
) -> (Diff, Verdict) {
    let meaning = |snapshot: &Snapshot| {
        let mut meaning = diff(states, snapshot, now);
        cross(states, lines, snapshot, now, &mut meaning);
        meaning
    };
    let all = meaning(snapshot);
    let verdict = confirm(&all, states, snapshot, waiting, now);
    if verdict.kept_back.is_empty() {
        return (all, verdict);
    }
    let (mut believed, mut set_aside) = (Vec::new(), snapshot.set_aside.clone());
    for row in &snapshot.observations {
        if verdict.kept_back.contains(&row.token) {
            set_aside.push(SetAside { token: Some(row.token), data_time: Some(row.data_time), reason: SetAsideReason::Unconfirmed });
        } else {
            believed.push(row.clone());
        }
    }
    let mut rest = meaning(&Snapshot { observations: believed, set_aside, ..snapshot.clone() });
    // They were answered for: their turn is no late one when it is believed, but that of a token which had been away is.
    rest.absent.retain(|token| !verdict.kept_back.contains(token));
    let was_there = |token: &&TokenId| states.get(*token).is_some_and(|state| state.seen_at >= state.asked_at);
    rest.seen.extend(verdict.kept_back.iter().filter(was_there));
    (rest, verdict)
}

/// Looks at what a snapshot would tell, beside what waits for a second answer. `diff` is what the snapshot means beside the stored states.
///
/// Corrections count like turns: a source that turns everything over does so to final rows too. What nobody is told of
/// ([`Timing::History`]: a baseline, also that of a token that had lapsed) does not. A line is drawn for few tokens: it is doubted by
/// itself where most of the market would have crossed it.
fn confirm(
    diff: &Diff,
    states: &BTreeMap<TokenId, TokenState>,
    snapshot: &Snapshot,
    waiting: Option<&Unconfirmed>,
    now: Timestamp,
) -> Verdict {
    let news = news(diff);
    // Only a row that was understood answers: one that says nothing refutes nothing (`rules.md` 2.7).
    let answered: BTreeSet<TokenId> = diff.seen.iter().copied().collect();
    let without_number = without_number(snapshot);
    let mut verdict = Verdict::default();
    let mut still = Unconfirmed { since: waiting.map_or(now, |waiting| waiting.since), turns: BTreeMap::new() };
    for (token, before) in waiting.iter().flat_map(|waiting| &waiting.turns) {
        let is_shown = news.get(token).is_some_and(|now| shows_again(now, before));
        let is_answered = answered.contains(token) && !(before.iter().all(is_crossing) && without_number.contains(token));
        if snapshot.started_at <= still.since {
            // The first answer once more, which a failure of the database made necessary.
            verdict.kept_back.extend(is_shown.then_some(*token));
            still.turns.insert(*token, before.clone());
        } else if is_shown {
            verdict.confirmed.insert(*token);
        } else if is_answered {
            verdict.refuted.insert(*token);
        } else if now.since(still.since) < WAITED_FOR {
            still.turns.insert(*token, before.clone());
        }
    }
    let is_fresh = |token: &TokenId| !verdict.confirmed.contains(token) && !verdict.kept_back.contains(token);
    let fresh: BTreeMap<_, _> = news.into_iter().filter(|(token, _)| is_fresh(token)).collect();
    // Where pages are missing, or the source has nothing on many tokens, those that it answers for are the market.
    let half = answered.len().max(SMALLEST_MARKET) / 2;
    let crossed_by = crossed_by(states, diff);
    let by_most = |change: &&Change| threshold_crossed(change).is_some_and(|line| crossed_by[&line] > half);
    let crossing: BTreeSet<TokenId> = diff.changes.iter().filter(by_most).map(|change| change.token).collect();
    let is_market = fresh.len() > half;
    let mut doubted = fresh;
    doubted.retain(|token, _| snapshot.asked.len() >= SMALLEST_MARKET && (is_market || crossing.contains(token)));
    if !doubted.is_empty() {
        verdict.kept_back.extend(doubted.keys());
        still = Unconfirmed { since: now, turns: still.turns.into_iter().chain(doubted).collect() };
    }
    let shown_by = crossed_by.into_values().chain([verdict.kept_back.len()]).max();
    verdict.market = shown_by.filter(|_| !verdict.kept_back.is_empty()).unwrap_or_default();
    verdict.unconfirmed = Some(still).filter(|still| !still.turns.is_empty());
    verdict
}

/// What would be told of each token: its last turn, and the lines that it crossed.
fn news(diff: &Diff) -> BTreeMap<TokenId, News> {
    let mut news: BTreeMap<TokenId, News> = BTreeMap::new();
    for change in diff.changes.iter().filter(|change| change.timing != Timing::History) {
        let of_token = news.entry(change.token).or_default();
        if !is_crossing(&change.to) {
            of_token.retain(is_crossing);
        }
        of_token.insert(change.to);
    }
    news
}

const fn is_crossing(stance: &Stance) -> bool {
    matches!(stance, Stance::Beyond(_))
}

/// Graded tokens whose rows have no number, which says nothing of a line (ARCHITECTURE.md, G5).
fn without_number(snapshot: &Snapshot) -> BTreeSet<TokenId> {
    let is_without = |row: &&Observation| row.values.graded.as_ref().is_some_and(|graded| graded.grade.is_none());
    snapshot.observations.iter().filter(is_without).map(|row| row.token).collect()
}

/// Whether nothing is told that was not shown before; what is not shown any more is not told.
fn shows_again(now: &News, before: &News) -> bool {
    now.iter().all(|now| before.iter().any(|before| says_the_same(*now, *before)))
}

/// Of lines, the next one that way is the same news.
fn says_the_same(now: Stance, before: Stance) -> bool {
    match (now, before) {
        (Stance::Beyond(now), Stance::Beyond(before)) => now.way() == before.way(),
        _ => now == before,
    }
}

#[cfg(test)]
mod lines_test;
#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Change, Kind, Nature, SourceId};
    use proptest::prelude::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);
    const AGAIN: Timestamp = Timestamp::from_millis(1_795_000_600_000);

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
            mover: None,
            crossing: None,
        }
    }

    fn snapshot(asked: i64, started_at: Timestamp) -> Snapshot {
        Snapshot {
            source: SourceId::TokenMetrics,
            kind: Kind::Daily,
            started_at,
            asked: (1..=asked).map(TokenId).collect(),
            observations: Vec::new(),
            set_aside: Vec::new(),
            complete: true,
            gaps: BTreeSet::new(),
        }
    }

    /// What a snapshot means: these changes, and rows that were understood for these tokens.
    fn meaning(changes: Vec<Change>, answered: impl IntoIterator<Item = i64>) -> Diff {
        Diff { changes, seen: answered.into_iter().map(TokenId).collect(), ..Diff::default() }
    }

    fn judged(diff: &Diff, snapshot: &Snapshot, waiting: Option<&Unconfirmed>, now: Timestamp) -> Verdict {
        confirm(diff, &BTreeMap::new(), snapshot, waiting, now)
    }

    fn turned(tokens: impl IntoIterator<Item = i64>) -> Vec<Change> {
        tokens.into_iter().map(|token| change(token, Stance::Bearish)).collect()
    }

    fn ids(tokens: impl IntoIterator<Item = i64>) -> BTreeSet<TokenId> {
        tokens.into_iter().map(TokenId).collect()
    }

    #[test]
    fn more_than_half_of_twenty_is_looked_at_twice() {
        // Asked, answered, turned.
        let table = [
            (20, 20, 11, true),
            (20, 20, 10, false),
            (19, 19, 19, false),
            (21, 21, 11, true),
            (100, 100, 50, false),
            (100, 100, 51, true),
            // A page is missing: half of all is all that came.
            (100, 50, 50, true),
            (100, 50, 25, false),
            (100, 8, 8, false),
        ];
        for (asked, answered, turns, kept_back) in table {
            let verdict = judged(&meaning(turned(1..=turns), 1..=answered), &snapshot(asked, NOW), None, NOW);
            assert_eq!(verdict.kept_back.len() as i64, if kept_back { turns } else { 0 }, "{turns} of {answered} of {asked}");
            assert_eq!(verdict.unconfirmed.is_some(), kept_back, "{turns} of {answered} of {asked}");
        }
    }

    #[test]
    fn the_second_answer_decides_token_by_token() {
        let first = judged(&meaning(turned(1..=15), 1..=20), &snapshot(20, NOW), None, NOW);
        // 1 to 8 are shown again, 9 to 12 are back where they were, nothing came of 13 to 15, and 20 turned by itself.
        let changes = turned((1..=8).chain([20]));
        let second = judged(&meaning(changes, (1..=12).chain([20])), &snapshot(20, AGAIN), first.unconfirmed.as_ref(), AGAIN);
        assert_eq!((second.confirmed, second.refuted, second.kept_back), (ids(1..=8), ids(9..=12), ids([])));
        let waiting = second.unconfirmed.unwrap();
        assert_eq!((waiting.since, waiting.turns.keys().copied().collect()), (NOW, ids(13..=15)));
        // What is never answered for is not waited for without end.
        let late = judged(&Diff::default(), &snapshot(20, NOW + WAITED_FOR), Some(&waiting), NOW + WAITED_FOR);
        assert_eq!(late, Verdict::default());
    }

    #[test]
    fn an_answer_does_not_confirm_itself() {
        let meaning = meaning(turned(1..=15), 1..=20);
        let first = judged(&meaning, &snapshot(20, NOW), None, NOW + Duration::from_secs(1));
        let again = judged(&meaning, &snapshot(20, NOW), first.unconfirmed.as_ref(), NOW + Duration::from_secs(3));
        assert_eq!(again, first);
    }

    #[test]
    fn a_turn_the_other_way_is_no_confirmation() {
        let first = judged(&meaning(turned(1..=20), 1..=20), &snapshot(20, NOW), None, NOW);
        let changes: Vec<_> = (1..=20).map(|token| change(token, Stance::Bullish)).collect();
        let second = judged(&meaning(changes, 1..=20), &snapshot(20, AGAIN), first.unconfirmed.as_ref(), AGAIN);
        assert_eq!((second.refuted.len(), second.kept_back.len(), second.confirmed.len()), (20, 20, 0));
    }

    #[test]
    fn corrections_count_and_what_nobody_is_told_of_does_not() {
        let changed = |to: fn(Change) -> Change| turned(1..=20).into_iter().map(to).collect();
        let corrected = changed(|change| Change { nature: Nature::Correction { stored_at: NOW }, ..change });
        assert_eq!(judged(&meaning(corrected, 1..=20), &snapshot(20, NOW), None, NOW).kept_back.len(), 20);
        let baseline = changed(|change| Change { timing: Timing::History, ..change });
        assert_eq!(judged(&meaning(baseline, 1..=20), &snapshot(20, NOW), None, NOW), Verdict::default());
    }

    proptest! {
        /// Whatever turns is told at once or kept back; and the same answer a second time confirms all of it.
        #[test]
        fn the_same_answer_twice_is_believed(asked in 1_i64..60, turns in prop::collection::btree_set(1_i64..60, 0..60)) {
            let meaning = meaning(turned(turns.iter().copied().filter(|token| *token <= asked)), 1..=asked);
            let first = judged(&meaning, &snapshot(asked, NOW), None, NOW);
            let second = judged(&meaning, &snapshot(asked, AGAIN), first.unconfirmed.as_ref(), AGAIN);
            prop_assert_eq!(&second.confirmed, &first.kept_back);
            prop_assert!(second.kept_back.is_empty() && second.refuted.is_empty() && second.unconfirmed.is_none());
        }
    }
}
