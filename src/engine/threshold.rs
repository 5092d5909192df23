//! Which thresholds the numbers of one poll crossed, with a band around each, so that an oscillation is told once (`rules.md` 2.11;
//! ARCHITECTURE.md, G5).
//!
//! What has been passed belongs to the token and the line, whoever drew it: a subscriber's own past differs from that only where they drew
//! the line while the number was within the band, and for that a crossing says since when.

use super::diff::{Diff, has_lapsed};
use crate::domain::{Change, Line, Nature, Passed, Snapshot, Stance, Target, Threshold, Timestamp, Timing, TokenId, TokenState, Watched};
use std::collections::{BTreeMap, BTreeSet};

/// What subscribers of one kind drew.
#[derive(Clone, Debug, Default)]
pub struct Lines {
    /// The lines.
    pub watched: Vec<Watched>,
    /// The tokens that `all` means.
    pub in_all: BTreeSet<TokenId>,
}

/// Adds the crossings of a poll to what it means beside the stored states, and keeps in its states what has been passed.
pub fn cross(known: &BTreeMap<TokenId, TokenState>, lines: &Lines, snapshot: &Snapshot, now: Timestamp, diff: &mut Diff) {
    if lines.watched.is_empty() {
        return;
    }
    let mut by_target: BTreeMap<Target, Vec<&Watched>> = BTreeMap::new();
    lines.watched.iter().for_each(|line| by_target.entry(line.target).or_default().push(line));
    // Where a number has not moved there is no new state, and nothing was crossed.
    for state in &mut diff.states {
        let Some(number) = state.trader_grade else { continue };
        let before = known.get(&state.token).filter(|before| !has_lapsed(before, snapshot.kind, now));
        let targets = [Some(Target::Token(state.token)), lines.in_all.contains(&state.token).then_some(Target::All)];
        let mut drawn: BTreeMap<Threshold, Timestamp> = BTreeMap::new();
        for line in targets.into_iter().flatten().filter_map(|target| by_target.get(&target)).flatten() {
            let newest = drawn.entry(line.threshold).or_default();
            *newest = line.newest.max(*newest);
        }
        let (was_passed, number_before) = before.map_or_else(Default::default, |before| (before.passed.clone(), before.trader_grade));
        state.passed = Passed::new();
        for (threshold, newest) in drawn {
            let step = step(threshold, was_passed.get(&threshold).copied(), number_before, number, now);
            state.passed.extend(step.passed.map(|back_since| (threshold, back_since)));
            let Some(drawn_since) = step.crossed.filter(|drawn_since| drawn_since.is_none_or(|since| newest >= since)) else { continue };
            diff.changes.push(Change {
                source: snapshot.source,
                kind: snapshot.kind,
                token: state.token,
                from: None,
                since: None,
                to: Stance::Beyond(threshold.line()),
                data_time: state.data_time,
                detected_at: now,
                nature: Nature::Crossed { drawn_since },
                timing: if before.is_some_and(|before| before.seen_at < before.asked_at) { Timing::Late } else { Timing::Fresh },
                after_gap: false,
                trader_grade: Some(number),
                mover: None,
                crossing: None,
            });
        }
    }
    diff.changes.sort_by_key(|change| (change.data_time, change.token));
}

/// By how many tokens each line that a poll crossed would have been crossed, had it been drawn for all of them.
pub fn crossed_by(known: &BTreeMap<TokenId, TokenState>, diff: &Diff) -> BTreeMap<Line, usize> {
    let crossed: BTreeSet<Line> = diff.changes.iter().filter_map(threshold_crossed).collect();
    let moved: Vec<(f64, f64)> =
        diff.states.iter().filter_map(|state| Some((known.get(&state.token)?.trader_grade?, state.trader_grade?))).collect();
    let crosses = |line: Line, (before, number): (f64, f64)| !line.is_reached(before) && line.is_reached(number);
    crossed.into_iter().map(|line| (line, moved.iter().filter(|numbers| crosses(line, **numbers)).count())).collect()
}

/// The line of a subscriber that a change is about, if it is about one.
pub fn threshold_crossed(change: &Change) -> Option<Line> {
    match change.to {
        Stance::Beyond(line) if change.kind.is_graded() => Some(line),
        _ => None,
    }
}

/// When somebody who had drawn the line before all of these numbers of a token is told, with the number; they come in order of time.
pub fn crossings(threshold: Threshold, numbers: &[(Timestamp, f64)]) -> Vec<(Timestamp, f64)> {
    let (mut passed, mut before, mut told) = (None, None, Vec::new());
    for (at, number) in numbers.iter().copied() {
        let step = step(threshold, passed, before, number, at);
        told.extend((step.crossed == Some(None)).then_some((at, number)));
        (passed, before) = (step.passed, Some(number));
    }
    told
}

/// What a number means to a line.
struct Step {
    /// It was crossed: for those alone who drew it since then, if that is said.
    crossed: Option<Option<Timestamp>>,
    /// It counts as passed from now on, and since when the number has been back, if it is.
    passed: Option<Option<Timestamp>>,
}

/// A number that was not known before is a baseline.
fn step(threshold: Threshold, was_passed: Option<Option<Timestamp>>, before: Option<f64>, number: f64, now: Timestamp) -> Step {
    let was_passed = was_passed.or_else(|| before.filter(|before| threshold.is_reached(*before)).map(|_| None));
    let is_reached = threshold.is_reached(number);
    match was_passed {
        None => Step { crossed: before.filter(|_| is_reached).map(|_| None), passed: is_reached.then_some(None) },
        Some(_) if threshold.is_left(number) => Step { crossed: None, passed: None },
        Some(back_since) if is_reached => Step { crossed: back_since.map(Some), passed: Some(None) },
        Some(back_since) => Step { crossed: None, passed: Some(back_since.or(Some(now))) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::{Delivery, Direction, Drawn, Graded, Kind, Observation, SourceId, Values, Wish},
        engine::{decide::asks_for, diff::diff},
    };
    use proptest::prelude::*;

    const SOL: TokenId = TokenId(3375);

    fn at(poll: usize) -> Timestamp {
        Timestamp::from_secs(1_795_000_000 + i64::try_from(poll).unwrap() * 3600)
    }

    fn line(text: &str) -> Threshold {
        Threshold::parse(text).unwrap()
    }

    fn snapshot(poll: usize, number: f64) -> Snapshot {
        let graded = Graded { label: Some("Neutral".to_owned()), grade: Some(number), ..Graded::default() };
        Snapshot {
            source: SourceId::TokenMetrics,
            kind: Kind::Grade,
            started_at: at(poll),
            asked: [SOL].into(),
            observations: vec![Observation {
                token: SOL,
                data_time: at(poll),
                signal: None,
                trend: None,
                position: None,
                values: Values { graded: Some(Box::new(graded)), ..Values::default() },
            }],
            set_aside: Vec::new(),
            complete: true,
            gaps: BTreeSet::new(),
        }
    }

    /// After which of these numbers, one a poll, each of those is told who drew the line before that poll.
    fn told(threshold: Threshold, numbers: &[f64], drawn_before: &[usize]) -> Vec<Vec<usize>> {
        let mut states = BTreeMap::new();
        let mut told = vec![Vec::new(); drawn_before.len()];
        for (poll, number) in numbers.iter().enumerate() {
            let (snapshot, now) = (snapshot(poll, *number), at(poll) + std::time::Duration::from_secs(5));
            // A minute before the poll: after the one before it.
            let drawn_at = |poll: usize| at(poll) - std::time::Duration::from_secs(60);
            let newest = drawn_before.iter().filter(|drawn| **drawn <= poll).map(|drawn| drawn_at(*drawn)).max();
            let watched: Vec<_> = newest.map(|newest| Watched { target: Target::Token(SOL), threshold, newest }).into_iter().collect();
            let mut diff = diff(&states, &snapshot, now);
            cross(&states, &Lines { watched, ..Lines::default() }, &snapshot, now, &mut diff);
            for (told, drawn) in told.iter_mut().zip(drawn_before) {
                let wish = Wish {
                    target: Target::Token(SOL),
                    direction: Direction::Any,
                    delivery: Delivery::Instant,
                    mention: None,
                    created_at: Timestamp::EPOCH,
                    threshold: Some(Drawn { threshold, at: drawn_at(*drawn) }),
                };
                told.extend(diff.changes.iter().filter(|change| asks_for(&wish, change)).map(|_| poll));
            }
            for token in diff.seen {
                if let Some(state) = states.get_mut(&token) {
                    (state.seen_at, state.asked_at) = (now, now);
                }
            }
            states.extend(diff.states.into_iter().map(|state| (state.token, state)));
        }
        told
    }

    /// The rule by itself, for one subscriber.
    fn expected(threshold: Threshold, numbers: &[f64], drawn_before: usize) -> Vec<usize> {
        let Some(first) = drawn_before.checked_sub(1) else { return expected(threshold, numbers, 1) };
        let (mut is_beyond, mut told) = (threshold.is_reached(numbers[first]), Vec::new());
        for (poll, number) in numbers.iter().enumerate().skip(drawn_before) {
            if is_beyond {
                is_beyond = !threshold.is_left(*number);
            } else if threshold.is_reached(*number) {
                is_beyond = true;
                told.push(poll);
            }
        }
        told
    }

    #[test]
    fn a_line_is_crossed_once_until_the_number_was_away_from_it() {
        let told = |text, numbers: &[f64]| told(line(text), numbers, &[0]).remove(0);
        assert_eq!(told("above:70", &[69.9, 70.0, 69.0, 71.0, 68.1, 75.0]), [1], "68.1 is within 3 %");
        assert_eq!(told("above:70", &[69.9, 70.0, 68.0, 69.9, 70.0]), [1, 4]);
        assert_eq!(told("above:70", &[71.0, 69.0, 71.0, 67.0, 71.0]), [4], "at first sight it was beyond");
        assert_eq!(told("above:70", &[71.0]), [0_usize; 0]);
        assert_eq!(told("below:30", &[31.0, 30.0, 30.5, 29.0, 31.0, 30.0]), [1, 5]);
        assert_eq!(told("above:70", &[10.0, 95.0, 10.0, 95.0]), [1, 3]);
    }

    #[test]
    fn whoever_draws_it_within_the_band_has_that_number_for_a_baseline() {
        let numbers = [69.0, 71.0, 69.0, 69.5, 70.5, 69.0, 70.0];
        assert_eq!(told(line("above:70"), &numbers, &[0, 2, 3, 4, 6]), [vec![1], vec![], vec![4], vec![4], vec![6]]);
    }

    #[test]
    fn all_means_its_tokens() {
        let crossed = |in_all: &[TokenId]| {
            let watched = vec![Watched { target: Target::All, threshold: line("above:70"), newest: at(0) }];
            let lines = Lines { watched, in_all: in_all.iter().copied().collect() };
            let mut states = BTreeMap::new();
            let mut changes = 0;
            for (poll, number) in [60.0, 80.0].into_iter().enumerate() {
                let snapshot = snapshot(poll, number);
                let mut diff = diff(&states, &snapshot, at(poll));
                cross(&states, &lines, &snapshot, at(poll), &mut diff);
                changes += diff.changes.len();
                states.extend(diff.states.into_iter().map(|state| (state.token, state)));
            }
            changes
        };
        assert_eq!((crossed(&[SOL]), crossed(&[TokenId(1)])), (1, 0));
    }

    #[test]
    fn a_row_without_a_number_loses_no_crossing() {
        let mut states = BTreeMap::new();
        let watched = vec![Watched { target: Target::Token(SOL), threshold: line("above:70"), newest: at(0) }];
        let lines = Lines { watched, ..Lines::default() };
        let mut changes = Vec::new();
        for (poll, number) in [Some(60.0), None, Some(80.0)].into_iter().enumerate() {
            let mut snapshot = snapshot(poll, 0.0);
            if let Some(graded) = &mut snapshot.observations[0].values.graded {
                graded.grade = number;
            }
            let mut diff = diff(&states, &snapshot, at(poll));
            cross(&states, &lines, &snapshot, at(poll), &mut diff);
            changes.extend(diff.changes);
            states.extend(diff.states.into_iter().map(|state| (state.token, state)));
        }
        assert_eq!(changes.iter().map(|change| change.trader_grade).collect::<Vec<_>>(), [Some(80.0)]);
    }

    #[test]
    fn the_past_is_told_by_the_same_rule() {
        let numbers = [69.9, 70.0, 69.0, 71.0, 67.0, 72.5];
        let numbers: Vec<_> = numbers.into_iter().enumerate().map(|(poll, number)| (at(poll), number)).collect();
        let told = crossings(line("above:70"), &numbers);
        assert_eq!(told, [(at(1), 70.0), (at(5), 72.5)]);
    }

    proptest! {
        /// Whenever they drew it, everybody is told as if their line were the only one.
        #[test]
        fn everybody_is_told_by_the_rule(at in 5_u16..95, is_above in any::<bool>(), numbers in prop::collection::vec(0.0_f64..100.0, 2..60), drawn in prop::collection::vec(0_usize..60, 1..5)) {
            let threshold = line(&format!("{}:{at}", if is_above { "above" } else { "below" }));
            // Half of the numbers are near the line, where the rule decides.
            let numbers: Vec<_> = numbers.iter().enumerate().map(|(index, number)| if index % 2 == 0 { *number } else { f64::from(at) + number / 20.0 - 2.5 }).collect();
            let drawn: Vec<_> = drawn.into_iter().map(|poll| poll % numbers.len()).collect();
            let wanted: Vec<_> = drawn.iter().map(|poll| expected(threshold, &numbers, *poll)).collect();
            prop_assert_eq!(told(threshold, &numbers, &drawn), wanted);
        }

        /// Between two alerts the number was out of the band, and each comes when the line is reached.
        #[test]
        fn an_oscillation_around_a_line_is_told_once(at in 5_u16..95, is_above in any::<bool>(), numbers in prop::collection::vec(0.0_f64..100.0, 2..80)) {
            let threshold = line(&format!("{}:{at}", if is_above { "above" } else { "below" }));
            let mut last = None;
            for index in told(threshold, &numbers, &[0]).remove(0) {
                prop_assert!(threshold.is_reached(numbers[index]) && !threshold.is_reached(numbers[index - 1]));
                if let Some(last) = last {
                    prop_assert!(numbers[last..index].iter().any(|number| threshold.is_left(*number)));
                }
                last = Some(index);
            }
        }

        /// Whatever stays within the band of a line is told at most once.
        #[test]
        fn within_the_band_there_is_one_alert_at_most(numbers in prop::collection::vec(68.01_f64..72.0, 2..80)) {
            prop_assert!(told(line("above:70"), &numbers, &[0]).remove(0).len() <= 1);
        }
    }
}
