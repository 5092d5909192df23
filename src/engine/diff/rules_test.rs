//! One test for each numbered rule of `rules.md` section 2, named after it.

use super::*;
use crate::domain::{Nature, Since, SourceId, Stance::*, Timing, Values};

/// Noon of a day of November 2026.
fn noon(day: u32) -> Timestamp {
    at(&format!("2026-11-{day:02}T12:00:00Z"))
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn daily(token: i64, day: u32, signal: impl Into<Option<f64>>, trend: impl Into<Option<f64>>) -> Observation {
    let data_time = at(&format!("2026-11-{day:02}"));
    Observation {
        token: TokenId(token),
        data_time,
        signal: signal.into(),
        trend: trend.into(),
        position: None,
        values: Values { trader_grade: Some(50.0), ..Values::default() },
    }
}

/// An hour of 21 November 2026.
fn hourly(hour: u32, signal: impl Into<Option<f64>>, position: impl Into<Option<f64>>) -> Observation {
    Observation { data_time: at(&format!("2026-11-21T{hour:02}:00:00Z")), position: position.into(), ..daily(1, 21, signal, None) }
}

fn hour(hour: u32) -> Timestamp {
    at(&format!("2026-11-21T{hour:02}:05:00Z"))
}

/// Polls one after the other, as the store would carry them.
struct World {
    kind: Kind,
    states: BTreeMap<TokenId, TokenState>,
}

impl World {
    fn new(kind: Kind) -> Self {
        Self { kind, states: BTreeMap::new() }
    }

    fn snapshot(&self, started_at: Timestamp, rows: &[Observation]) -> Snapshot {
        Snapshot {
            source: SourceId::TokenMetrics,
            kind: self.kind,
            started_at,
            asked: rows.iter().map(|row| row.token).chain([TokenId(1)]).collect(),
            observations: rows.to_vec(),
            set_aside: Vec::new(),
            complete: true,
            gaps: Default::default(),
        }
    }

    fn poll(&mut self, now: Timestamp, rows: &[Observation]) -> Diff {
        let snapshot = self.snapshot(now, rows);
        self.take(&snapshot, now)
    }

    fn take(&mut self, snapshot: &Snapshot, now: Timestamp) -> Diff {
        let diff = diff(&self.states, snapshot, now);
        for (tokens, seen) in [(&diff.seen, true), (&diff.absent, false)] {
            for token in tokens {
                let state = self.states.get_mut(token).unwrap();
                state.asked_at = now;
                state.seen_at = if seen { now } else { state.seen_at };
            }
        }
        self.states.extend(diff.states.iter().map(|state| (state.token, state.clone())));
        diff
    }

    fn state(&self) -> &TokenState {
        &self.states[&TokenId(1)]
    }
}

/// A token that was bullish on the 20th, seen on the 20th.
fn bullish_since_the_20th() -> World {
    let mut world = World::new(Kind::Daily);
    assert_eq!(world.poll(noon(20), &[daily(1, 20, 1.0, 1.0)]).changes, vec![]);
    world
}

fn reasons(diff: &Diff) -> Vec<SetAsideReason> {
    diff.set_aside.iter().map(|row| row.reason).collect()
}

fn turns(diff: &Diff) -> Vec<(Option<Stance>, Stance)> {
    diff.changes.iter().map(|change| (change.from, change.to)).collect()
}

#[test]
fn rule_2_1_the_signal_wins_over_the_trend_and_0_alone_is_no_change() {
    let nothing: Option<f64> = None;
    let table = [
        (Some(-1.0), Some(-1.0), vec![(Some(Bullish), Bearish)]),
        (Some(-1.0), Some(1.0), vec![(Some(Bullish), Bearish)]),
        (Some(0.0), Some(-1.0), vec![(Some(Bullish), Bearish)]),
        (nothing, Some(-1.0), vec![(Some(Bullish), Bearish)]),
        (Some(1.0), Some(-1.0), vec![]),
        (Some(0.0), Some(1.0), vec![]),
        (Some(0.0), Some(0.0), vec![]),
        (Some(0.0), nothing, vec![]),
        (Some(-0.0), nothing, vec![]),
    ];
    for (signal, trend, expected) in table {
        let mut world = bullish_since_the_20th();
        assert_eq!(turns(&world.poll(noon(21), &[daily(1, 21, signal, trend)])), expected, "{signal:?} {trend:?}");
    }
}

#[test]
fn rule_2_1_any_other_number_sets_the_row_aside_and_the_others_go_on() {
    for odd in [2.0, -0.5, 0.999_999, f64::NAN, f64::INFINITY, f64::MIN_POSITIVE] {
        for row in [daily(1, 21, odd, -1.0), daily(1, 21, -1.0, odd)] {
            let mut world = bullish_since_the_20th();
            let diff = world.poll(noon(21), &[row, daily(2, 21, 1.0, 1.0)]);
            assert_eq!((turns(&diff), diff.set_aside[0].reason), (vec![], SetAsideReason::UnknownSignal), "{odd}");
            assert_eq!(diff.states.len(), 1, "the other token has its baseline");
        }
    }
}

#[test]
fn rule_2_2_hourly_takes_the_newest_signal_and_keeps_it_through_zeros() {
    let mut world = World::new(Kind::Hourly);
    world.poll(hour(10), &[hourly(9, -1.0, 0.0), hourly(10, 0.0, 0.0)]);
    assert_eq!(world.state().stance, Some(Bearish));
    assert_eq!(turns(&world.poll(hour(11), &[hourly(11, 0.0, 1.0)])), vec![], "a position alone turns nothing");
    assert_eq!(turns(&world.poll(hour(12), &[hourly(12, 1.0, 1.0)])), vec![(Some(Bearish), Bullish)]);
    assert_eq!(turns(&world.poll(hour(12), &[hourly(12, 0.0, 1.0)])), vec![], "0 alone turns nothing back");
}

#[test]
fn rule_2_2_a_position_of_1_is_a_first_stance() {
    let mut world = World::new(Kind::Hourly);
    assert_eq!(turns(&world.poll(hour(10), &[hourly(10, 0.0, 1.0)])), vec![]);
    assert_eq!(world.state().stance, Some(Bullish));
    assert_eq!(turns(&world.poll(hour(11), &[hourly(11, 1.0, 1.0)])), vec![]);
    assert!(!world.state().since.unwrap().exact, "it was bullish before that signal");
}

#[test]
fn rule_2_2_after_a_position_of_0_the_first_signal_is_told_whichever_it_is() {
    for (signal, to) in [(1.0, Bullish), (-1.0, Bearish)] {
        let mut world = World::new(Kind::Hourly);
        world.poll(hour(10), &[hourly(10, 0.0, 0.0)]);
        assert_eq!(world.state().stance, None);
        let diff = world.poll(hour(11), &[hourly(11, signal, 0.0)]);
        assert_eq!(turns(&diff), vec![(None, to)]);
        assert_eq!((diff.changes[0].timing, diff.changes[0].since), (Timing::Fresh, None));
    }
}

#[test]
fn rule_2_3_another_value_of_a_row_that_is_not_final_is_an_ordinary_turn() {
    let mut world = bullish_since_the_20th();
    for (signal, to) in [(-1.0, Bearish), (1.0, Bullish)] {
        let diff = world.poll(noon(20), &[daily(1, 20, signal, signal)]);
        assert_eq!((turns(&diff)[0].1, diff.changes[0].nature), (to, Nature::Turned));
    }
    // The first poll after midnight is the first to show it final.
    let diff = world.poll(at("2026-11-21"), &[daily(1, 20, -1.0, -1.0)]);
    assert_eq!(diff.changes[0].nature, Nature::Turned);
    assert!(world.state().settled);
}

#[test]
fn rule_2_3_what_counts_is_when_the_poll_began() {
    let mut world = bullish_since_the_20th();
    let begun_before = world.snapshot(at("2026-11-20T23:59:59Z"), &[daily(1, 20, 1.0, 1.0)]);
    world.take(&begun_before, at("2026-11-21T00:00:03Z"));
    assert!(!world.state().settled);
}

#[test]
fn rule_2_3_another_value_of_a_final_row_is_a_correction() {
    let mut world = bullish_since_the_20th();
    world.poll(at("2026-11-21T01:00:00Z"), &[daily(1, 20, 1.0, 1.0)]);
    let diff = world.poll(at("2026-11-21T02:00:00Z"), &[daily(1, 20, -1.0, -1.0)]);
    assert_eq!(diff.changes[0].nature, Nature::Correction { stored_at: noon(20) });
    assert_eq!((diff.changes[0].timing, turns(&diff)), (Timing::Fresh, vec![(Some(Bullish), Bearish)]));
}

#[test]
fn rule_2_3_older_rows_enter_history_only() {
    let mut world = bullish_since_the_20th();
    world.poll(noon(21), &[daily(1, 21, 0.0, 1.0)]);
    let diff = world.poll(noon(21), &[daily(1, 20, -1.0, -1.0)]);
    assert_eq!((turns(&diff), reasons(&diff)), (vec![], vec![SetAsideReason::Older]));
    assert_eq!((diff.observations.len(), diff.states.len()), (1, 0));
}

#[test]
fn rule_2_4_the_same_row_twice_is_one() {
    let mut world = bullish_since_the_20th();
    let grown = Observation { values: Values { trader_grade: Some(51.0), ..Values::default() }, ..daily(1, 21, -1.0, -1.0) };
    let diff = world.poll(noon(21), &[daily(1, 21, -1.0, -1.0), grown, daily(1, 21, -1.0, -1.0)]);
    assert_eq!((diff.changes.len(), diff.observations.len()), (1, 1));
    assert_eq!(reasons(&diff), [SetAsideReason::Duplicate; 2]);
}

#[test]
fn rule_2_4_rows_that_contradict_each_other_are_both_set_aside() {
    let mut world = bullish_since_the_20th();
    let diff = world.poll(noon(21), &[daily(1, 21, -1.0, -1.0), daily(1, 21, 0.0, 1.0)]);
    assert_eq!((turns(&diff), reasons(&diff)), (vec![], vec![SetAsideReason::Conflict; 2]));
    assert_eq!(diff.observations, vec![]);
    assert_eq!(world.state().stance, Some(Bullish));
}

#[test]
fn rule_2_4_every_transition_is_a_change_in_order_of_time() {
    let mut world = bullish_since_the_20th();
    let rows = [daily(1, 22, 1.0, 1.0), daily(1, 21, -1.0, -1.0), daily(1, 23, -1.0, -1.0)];
    let diff = world.poll(noon(23), &rows);
    let times: Vec<_> = diff.changes.iter().map(|change| change.data_time).collect();
    assert_eq!(times, [at("2026-11-21"), at("2026-11-22"), at("2026-11-23")]);
    assert_eq!(turns(&diff).last(), Some(&(Some(Bullish), Bearish)));
}

#[test]
fn rule_2_5_what_is_dated_in_the_future_is_set_aside() {
    let mut world = bullish_since_the_20th();
    let diff = world.poll(at("2026-11-20T23:59:59Z"), &[daily(1, 21, -1.0, -1.0)]);
    assert_eq!((turns(&diff), reasons(&diff)), (vec![], vec![SetAsideReason::Future]));
    assert_eq!(diff.observations, vec![]);
    let mut world = World::new(Kind::Hourly);
    assert_eq!(reasons(&world.poll(at("2026-11-21T10:00:00Z"), &[hourly(12, 1.0, 1.0)])), [SetAsideReason::Baseline]);
    assert_eq!(reasons(&world.poll(at("2026-11-21T10:59:59Z"), &[hourly(13, 1.0, 1.0)])), [SetAsideReason::Future]);
}

#[test]
fn rule_2_6_first_sight_is_never_news_but_history_keeps_its_turns() {
    let mut world = World::new(Kind::Daily);
    let diff = world.poll(noon(21), &[daily(1, 20, 1.0, 1.0), daily(1, 21, -1.0, -1.0)]);
    assert_eq!(diff.changes.iter().map(|change| change.timing).collect::<Vec<_>>(), [Timing::History]);
    assert_eq!(world.state().stance, Some(Bearish));
}

#[test]
fn rule_2_6_a_trend_where_no_call_was_known_is_first_sight_and_a_signal_is_news() {
    for (signal, expected) in [(0.0, vec![]), (1.0, vec![(None, Bullish)])] {
        let mut world = World::new(Kind::Daily);
        world.poll(noon(20), &[daily(1, 20, 0.0, None)]);
        assert_eq!(turns(&world.poll(noon(21), &[daily(1, 21, signal, 1.0)])), expected);
        assert_eq!(world.state().stance, Some(Bullish));
    }
}

#[test]
fn rule_2_6_nobody_asked_for_a_week_gives_a_silent_baseline() {
    let week = at("2026-11-27T12:00:00Z");
    let minute = Duration::from_secs(60);
    for (now, expected) in [(week, 1), (week + minute, 0)] {
        let mut world = bullish_since_the_20th();
        let diff = world.poll(now, &[daily(1, 27, -1.0, -1.0)]);
        assert_eq!(diff.changes.len(), expected);
        assert_eq!(world.state().stance, Some(Bearish));
    }
    let mut world = World::new(Kind::Hourly);
    world.poll(at("2026-11-19T10:00:00Z"), &[Observation { data_time: at("2026-11-19T10:00:00Z"), ..hourly(10, 1.0, 1.0) }]);
    assert_eq!(turns(&world.poll(hour(10), &[hourly(10, -1.0, 0.0)])), vec![], "48 h and five minutes");
}

#[test]
fn rule_2_6_a_lapsed_token_stays_lapsed_while_it_is_absent() {
    let mut world = bullish_since_the_20th();
    assert_eq!(world.poll(noon(28), &[]).absent, vec![]);
    assert_eq!(turns(&world.poll(noon(29), &[daily(1, 29, -1.0, -1.0)])), vec![]);
}

#[test]
fn rule_2_6_asked_but_absent_keeps_its_state_and_returns_late() {
    let mut world = bullish_since_the_20th();
    for day in 21..30 {
        assert_eq!(world.poll(noon(day), &[]).absent, vec![TokenId(1)]);
    }
    let diff = world.poll(at("2026-11-30T12:00:00Z"), &[daily(1, 30, -1.0, -1.0)]);
    assert_eq!((turns(&diff), diff.changes[0].timing), (vec![(Some(Bullish), Bearish)], Timing::Late));
}

#[test]
fn rule_1_3_a_missing_page_makes_nobody_absent() {
    let mut world = bullish_since_the_20th();
    let partial = Snapshot { complete: false, ..world.snapshot(noon(20), &[]) };
    assert_eq!(world.take(&partial, noon(20)).absent, vec![]);
    assert_eq!(world.poll(noon(21), &[daily(1, 21, -1.0, -1.0)]).changes[0].timing, Timing::Fresh);
    // It is remembered in time, so that a page that fails for long does not make a silent baseline.
    assert_eq!(world.take(&partial, at("2026-11-25T12:00:00Z")).absent, vec![TokenId(1)]);
}

#[test]
fn rule_1_3_rows_that_nobody_asked_for_are_set_aside() {
    let world = bullish_since_the_20th();
    let snapshot = Snapshot { asked: [TokenId(2)].into(), ..world.snapshot(noon(21), &[daily(1, 21, -1.0, -1.0)]) };
    let diff = diff(&world.states, &snapshot, noon(21));
    assert_eq!((turns(&diff), reasons(&diff)), (vec![], vec![SetAsideReason::NotAsked]));
}

#[test]
fn rule_2_7_absence_an_empty_answer_and_nulls_change_nothing() {
    let mut world = bullish_since_the_20th();
    let before = world.state().clone();
    assert_eq!(world.poll(noon(20), &[]).states, vec![]);
    let diff = world.poll(noon(21), &[daily(1, 21, None, None)]);
    assert_eq!((turns(&diff), reasons(&diff)), (vec![], vec![SetAsideReason::Empty]));
    assert_eq!(TokenState { asked_at: before.asked_at, ..world.state().clone() }, before);
    let mut world = World::new(Kind::Hourly);
    assert_eq!(reasons(&world.poll(hour(10), &[hourly(10, None, None)])), [SetAsideReason::Empty]);
}

#[test]
fn rule_2_8_old_news_is_late() {
    for (day, timing) in [(23, Timing::Fresh), (22, Timing::Fresh), (21, Timing::Late)] {
        let mut world = bullish_since_the_20th();
        assert_eq!(world.poll(noon(23), &[daily(1, day, -1.0, -1.0)]).changes[0].timing, timing, "{day}");
    }
    for (now, timing) in [("2026-11-21T16:00:00Z", Timing::Fresh), ("2026-11-21T16:00:01Z", Timing::Late)] {
        let mut world = World::new(Kind::Hourly);
        world.poll(hour(9), &[hourly(9, 1.0, 1.0)]);
        assert_eq!(world.poll(at(now), &[hourly(10, -1.0, 0.0)]).changes[0].timing, timing, "{now}");
    }
}

#[test]
fn rule_2_9_a_row_is_corrected_once() {
    let mut world = bullish_since_the_20th();
    let midnight = |hour: u32| at(&format!("2026-11-21T{hour:02}:00:00Z"));
    world.poll(midnight(1), &[daily(1, 20, 1.0, 1.0)]);
    assert_eq!(world.poll(midnight(2), &[daily(1, 20, -1.0, -1.0)]).changes.len(), 1);
    let again = world.poll(midnight(3), &[daily(1, 20, 1.0, 1.0)]);
    assert_eq!((turns(&again), reasons(&again)), (vec![], vec![SetAsideReason::AlreadyCorrected]));
    // The next row decides, beside what was told last.
    assert_eq!(turns(&world.poll(midnight(4), &[daily(1, 21, 0.0, 1.0)])), vec![(Some(Bearish), Bullish)]);
    assert!(!world.state().corrected);
}

#[test]
fn rule_1_2_a_gap_is_told_with_the_first_change_of_its_token_alone() {
    let mut world = bullish_since_the_20th();
    let rows = [daily(1, 22, -1.0, -1.0), daily(1, 23, 1.0, 1.0)];
    let snapshot = Snapshot { gaps: [TokenId(1)].into(), ..world.snapshot(noon(23), &rows) };
    let after_gap: Vec<_> = world.take(&snapshot, noon(23)).changes.iter().map(|change| change.after_gap).collect();
    assert_eq!(after_gap, [true, false]);
}

#[test]
fn rule_3_10_since_is_the_row_whose_signal_set_the_stance() {
    let since = |rows: &[Observation]| {
        let mut world = World::new(Kind::Daily);
        world.poll(noon(23), rows);
        world.state().since.unwrap()
    };
    let on = |day: u32, exact: bool| Since { at: at(&format!("2026-11-{day}")), exact };
    assert_eq!(since(&[daily(1, 20, -1.0, -1.0), daily(1, 21, 0.0, -1.0)]), on(20, true));
    assert_eq!(since(&[daily(1, 20, 0.0, -1.0), daily(1, 21, 0.0, -1.0)]), on(20, false), "since before");
    assert_eq!(since(&[daily(1, 20, 0.0, -1.0), daily(1, 21, -1.0, -1.0)]), on(20, false), "said again");
    assert_eq!(since(&[daily(1, 20, 0.0, -1.0), daily(1, 21, 0.0, 1.0)]), on(21, true), "the trend turned between the two");
    assert_eq!(since(&[daily(1, 20, 0.0, -1.0), daily(1, 23, 0.0, 1.0)]), on(23, false), "somewhere between");
}

#[test]
fn history_takes_the_stored_row_again_only_where_a_number_moved() {
    let mut world = bullish_since_the_20th();
    assert_eq!(world.poll(noon(20), &[daily(1, 20, 1.0, 1.0)]).observations, vec![]);
    let grown = Observation { values: Values { close: Some(2.0), ..Values::default() }, ..daily(1, 20, 1.0, 1.0) };
    assert_eq!(world.poll(noon(20), std::slice::from_ref(&grown)).observations.len(), 1);
    let again = world.poll(noon(20), &[grown]);
    assert_eq!((again.observations.len(), again.states.len(), again.taken), (0, 0, 1));
}
