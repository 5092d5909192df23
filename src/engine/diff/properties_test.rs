//! What holds for all rows, also for hostile ones.

use super::*;
use crate::domain::{SourceId, Values};
use proptest::prelude::*;

const DAY: i64 = 24 * 3600 * 1000;
const HOUR_MILLIS: i64 = 3600 * 1000;
/// 21 November 2026.
const TODAY: i64 = 1_795_219_200_000;

fn kinds() -> impl Strategy<Value = Kind> {
    prop_oneof![Just(Kind::Daily), Just(Kind::Hourly)]
}

fn number() -> impl Strategy<Value = Option<f64>> {
    prop_oneof![Just(None), Just(Some(1.0)), Just(Some(-1.0)), Just(Some(0.0)), Just(Some(7.0))]
}

/// Rows of few tokens and few times, so that they meet.
fn rows(kind: Kind) -> impl Strategy<Value = Vec<Observation>> {
    let step = if kind == Kind::Hourly { HOUR_MILLIS } else { DAY };
    let row = (1..4_i64, 0..6_i64, number(), number(), number(), 0..3_i32);
    let row = row.prop_map(move |(token, back, signal, trend, position, grade)| Observation {
        token: TokenId(token),
        data_time: Timestamp::from_millis(TODAY - back * step),
        signal,
        trend,
        position,
        values: Values { trader_grade: Some(f64::from(grade)), ..Values::default() },
    });
    prop::collection::vec(row, 0..24)
}

fn polls() -> impl Strategy<Value = (Kind, Vec<Observation>, Vec<Observation>)> {
    kinds().prop_flat_map(|kind| (Just(kind), rows(kind), rows(kind)))
}

fn now() -> Timestamp {
    Timestamp::from_millis(TODAY + 12 * HOUR_MILLIS)
}

fn snapshot(kind: Kind, observations: Vec<Observation>) -> Snapshot {
    Snapshot {
        source: SourceId::TokenMetrics,
        kind,
        started_at: now(),
        asked: (1..4).map(TokenId).collect(),
        observations,
        set_aside: Vec::new(),
        complete: true,
        gaps: Default::default(),
    }
}

fn after(mut states: BTreeMap<TokenId, TokenState>, diff: &Diff) -> BTreeMap<TokenId, TokenState> {
    states.extend(diff.states.iter().map(|state| (state.token, state.clone())));
    states
}

/// What a change says, leaving out how it is told.
fn transitions(diffs: &[Diff]) -> Vec<(TokenId, Timestamp, Option<Stance>, Stance)> {
    let changes = diffs.iter().flat_map(|diff| &diff.changes);
    let mut all: Vec<_> = changes.map(|change| (change.token, change.data_time, change.from, change.to)).collect();
    all.sort_by_key(|change| (change.0, change.1));
    all
}

fn sorted(mut set_aside: Vec<SetAside>) -> Vec<SetAside> {
    set_aside.sort_by_key(|row| (row.token, row.data_time, row.reason));
    set_aside
}

proptest! {
    #[test]
    fn the_same_snapshot_again_changes_nothing((kind, before, rows) in polls()) {
        let first = diff(&BTreeMap::new(), &snapshot(kind, before), now());
        let states = after(BTreeMap::new(), &first);
        let second = diff(&states, &snapshot(kind, rows.clone()), now());
        let states = after(states, &second);
        let third = diff(&states, &snapshot(kind, rows), now());
        prop_assert_eq!(third.changes, vec![]);
        prop_assert_eq!(third.states, vec![]);
    }

    #[test]
    fn row_order_does_not_matter((kind, before, rows) in polls(), seed in any::<u64>()) {
        let states = after(BTreeMap::new(), &diff(&BTreeMap::new(), &snapshot(kind, before), now()));
        let mut shuffled = rows.clone();
        shuffled.sort_by_key(|row| (row.data_time.as_millis() as u64 ^ row.token.0 as u64 ^ row.signal.map_or(3, f64::to_bits)).wrapping_mul(seed | 1));
        let (a, b) = (diff(&states, &snapshot(kind, rows), now()), diff(&states, &snapshot(kind, shuffled), now()));
        prop_assert_eq!((a.changes, a.states, a.observations), (b.changes, b.states, b.observations));
        prop_assert_eq!(sorted(a.set_aside), sorted(b.set_aside));
    }

    #[test]
    fn two_polls_that_split_the_rows_by_time_find_what_one_finds((kind, before, rows) in polls(), back in 0..6_i64) {
        let states = after(BTreeMap::new(), &diff(&BTreeMap::new(), &snapshot(kind, before), now()));
        let cut = Timestamp::from_millis(TODAY - back * if kind == Kind::Hourly { HOUR_MILLIS } else { DAY });
        let (early, late): (Vec<_>, Vec<_>) = rows.iter().cloned().partition(|row| row.data_time < cut);
        let whole = diff(&states, &snapshot(kind, rows), now());
        let first = diff(&states, &snapshot(kind, early), now());
        let between = after(states.clone(), &first);
        let second = diff(&between, &snapshot(kind, late), now());
        prop_assert_eq!(after(states, &whole), after(between, &second));
        prop_assert_eq!(transitions(&[whole]), transitions(&[first, second]));
    }

    #[test]
    fn no_change_without_a_difference_and_every_turn_leads_to_the_state((kind, before, rows) in polls()) {
        let states = after(BTreeMap::new(), &diff(&BTreeMap::new(), &snapshot(kind, before), now()));
        let found = diff(&states, &snapshot(kind, rows), now());
        let after = after(states.clone(), &found);
        for (token, state) in &after {
            let turns: Vec<_> = found.changes.iter().filter(|change| change.token == *token).collect();
            prop_assert!(turns.iter().all(|change| change.from != Some(change.to)));
            prop_assert!(turns.windows(2).all(|pair| Some(pair[0].to) == pair[1].from && pair[0].data_time < pair[1].data_time));
            if let (Some(first), Some(last), Some(stored)) = (turns.first(), turns.last(), states.get(token)) {
                // Where no call was known, a trend may have been its first sight before it turned.
                prop_assert!(stored.stance.is_none() || first.from == stored.stance);
                prop_assert_eq!(Some(last.to), state.stance);
            }
            if let Some(stored) = states.get(token).filter(|_| turns.is_empty()) {
                prop_assert!(stored.stance == state.stance || stored.stance.is_none());
            }
        }
    }

    #[test]
    fn no_number_and_no_time_makes_it_panic(
        hourly in any::<bool>(),
        rows in prop::collection::vec((any::<i64>(), any::<i64>(), any::<Option<f64>>(), any::<Option<f64>>(), any::<Option<f64>>()), 0..12),
        times in (any::<i64>(), any::<i64>(), any::<i64>()),
    ) {
        let kind = if hourly { Kind::Hourly } else { Kind::Daily };
        let observations: Vec<_> = rows.into_iter().map(|(token, data_time, signal, trend, position)| Observation {
            token: TokenId(token.rem_euclid(3)),
            data_time: Timestamp::from_millis(data_time),
            signal: signal.map(f64::signum),
            trend: trend.map(f64::signum),
            position,
            values: Values { trader_grade: position, ..Values::default() },
        }).collect();
        let asked = (0..3).map(TokenId).collect();
        let poll = Snapshot { started_at: Timestamp::from_millis(times.0), asked, ..snapshot(kind, observations) };
        let states = after(BTreeMap::new(), &diff(&BTreeMap::new(), &poll, Timestamp::from_millis(times.1)));
        diff(&states, &poll, Timestamp::from_millis(times.2));
    }
}
