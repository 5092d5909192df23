//! Tables and properties of scorecards (ARCHITECTURE.md, rules R).

use super::*;
use crate::domain::{Nature, SourceId, Stance};
use proptest::prelude::*;

const HOUR: Duration = Duration::from_secs(3600);
const TOKEN: TokenId = TokenId(1);

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// A change of the row of that day, seen at that time.
fn change(day: &str, seen: &str, from: Option<Stance>, to: Stance) -> Change {
    Change {
        source: SourceId::TokenMetrics,
        kind: Kind::Daily,
        token: TOKEN,
        from,
        since: None,
        to,
        data_time: at(day),
        detected_at: at(seen),
        nature: Nature::Turned,
        timing: Timing::Fresh,
        after_gap: false,
        trader_grade: None,
        mover: None,
        crossing: None,
    }
}

fn told(changes: &[Change]) -> Vec<(Way, String)> {
    calls(changes).into_iter().map(|call| (call.way, call.told_at.to_string())).collect()
}

#[test]
fn r1_a_row_makes_the_call_that_it_said_in_the_end() {
    use Stance::{Bearish, Bullish};
    let turn = |seen, from, to| change("2026-11-10", seen, Some(from), to);
    let correction = |change: Change| Change { nature: Nature::Correction { stored_at: at("2026-11-10T09:00:00Z") }, ..change };
    let first = turn("2026-11-10T09:00:00Z", Bearish, Bullish);
    assert_eq!(told(std::slice::from_ref(&first)), [(Way::Up, "2026-11-10T09:00:00Z".to_owned())]);
    // Taken back on the same day, and taken back by a correction: no call was left.
    assert_eq!(told(&[first.clone(), turn("2026-11-10T12:00:00Z", Bullish, Bearish)]), []);
    assert_eq!(told(&[first.clone(), correction(turn("2026-11-11T01:00:00Z", Bullish, Bearish))]), []);
    // There and back and there again counts once, from when it was said for good.
    let again = [first.clone(), turn("2026-11-10T12:00:00Z", Bullish, Bearish), turn("2026-11-10T15:00:00Z", Bearish, Bullish)];
    assert_eq!(told(&again), [(Way::Up, "2026-11-10T15:00:00Z".to_owned())]);
    // A row that had said nothing new is restated: its call is the one that it was restated to.
    assert_eq!(told(&[correction(turn("2026-11-11T01:00:00Z", Bullish, Bearish))]), [(Way::Down, "2026-11-11T01:00:00Z".to_owned())]);
    // A first call that is restated counts as what it became; what only history heard of was never told.
    let none = change("2026-11-10", "2026-11-10T09:00:00Z", None, Bullish);
    assert_eq!(told(&[none, correction(turn("2026-11-11T01:00:00Z", Bullish, Bearish))]), [(Way::Down, "2026-11-11T01:00:00Z".to_owned())]);
    assert_eq!(told(&[Change { timing: Timing::History, ..first.clone() }]), []);
    // A threshold that was crossed is nobody's call.
    let crossed = Change { kind: Kind::Grade, nature: Nature::Crossed { drawn_since: None }, ..again[0].clone() };
    assert_eq!(told(&[crossed]), []);
    // A class has no order.
    let class = |word| Stance::parse(word).unwrap();
    assert_eq!(told(&[change("2026-11-10", "2026-11-10T09:00:00Z", Some(class("blueChip")), class("emerging"))]), []);
}

/// Rows of consecutive days from 10 Nov 2026 on, a multiple each.
fn days(multiples: &[f64]) -> Vec<(TokenId, Timestamp, Price)> {
    let row =
        |(day, multiple): (usize, &f64)| (TOKEN, at("2026-11-10") + 24 * HOUR * u32::try_from(day).unwrap(), Price::Multiple(*multiple));
    multiples.iter().enumerate().map(row).collect()
}

fn after(rows: Vec<(TokenId, Timestamp, Price)>, kind: Kind, told_at: &str, now: &str) -> [Option<f64>; 3] {
    let call = PastCall { token: TOKEN, way: Way::Up, told_at: at(told_at) };
    Prices::of(kind, rows, at(now)).changes_after(&call).map(|change| change.map(|change| (change * 1000.0).round() / 1000.0))
}

#[test]
fn r2_a_call_is_held_against_prices_that_came_after_it() {
    let mut multiples = vec![1.0; 40];
    (multiples[1], multiples[2], multiples[8], multiples[31]) = (2.0, 3.0, 1.0, 4.0);
    let daily = |told_at, now| after(days(&multiples), Kind::Daily, told_at, now);
    // Told during the 10th: from the row of the 11th, not from that of the day itself.
    assert_eq!(daily("2026-11-10T09:00:00Z", "2026-12-20"), [Some(0.5), Some(-0.5), Some(1.0)]);
    assert_eq!(daily("2026-11-11T00:00:00Z", "2026-12-20"), [Some(0.5), Some(-0.5), Some(1.0)], "at that very moment is not before");
    // A row counts once its day is over.
    assert_eq!(daily("2026-11-10T09:00:00Z", "2026-11-12T23:59:59Z"), [None; 3]);
    assert_eq!(daily("2026-11-10T09:00:00Z", "2026-11-13"), [Some(0.5), None, None]);
    // A day without a row: the next is too late for one day and for seven, and near enough for thirty.
    let without = |day: usize| {
        let mut rows = days(&multiples);
        rows.remove(day);
        after(rows, Kind::Daily, "2026-11-10T09:00:00Z", "2026-12-20")
    };
    assert_eq!((without(2)[0], without(8)[1], without(31)[2]), (None, None, Some(-0.5)));
    assert_eq!(without(1), [Some(-0.667), Some(-0.667), Some(-0.667)], "the first price is that of the day after");
    // Delisted: no later price, no outcome.
    assert_eq!(after(days(&multiples[..2]), Kind::Daily, "2026-11-10T09:00:00Z", "2027-11-10"), [None; 3]);
    // Prices and multiples do not mix.
    let mut mixed = days(&multiples);
    mixed[2].2 = Price::Dollars(3.0);
    assert_eq!(after(mixed, Kind::Daily, "2026-11-10T09:00:00Z", "2026-12-20")[0], None);
}

#[test]
fn r2_hours_are_held_against_hours() {
    let row = |time: &str, price| (TOKEN, at(time), Price::Dollars(price));
    let rows = vec![
        row("2026-11-10T09:00:00Z", 50.0),
        row("2026-11-10T10:00:00Z", 100.0),
        row("2026-11-11T12:00:00Z", 90.0),
        row("2026-11-18T00:00:00Z", 120.0),
    ];
    let now = "2026-12-20";
    assert_eq!(after(rows.clone(), Kind::Hourly, "2026-11-10T09:05:00Z", now), [Some(-0.1), Some(0.2), None]);
    assert_eq!(after(rows, Kind::Hourly, "2026-11-10T07:30:00Z", now)[0], None, "26 hours and more after nine is not a day");
}

#[test]
fn r3_below_twenty_nothing_is_said() {
    let card = |changes: Vec<f64>| record(Way::Down, changes);
    assert_eq!(card(vec![-0.1; 19]), Record::TooFew { calls: 19 });
    assert_eq!(card(vec![-0.1; 20]), Record::Enough { calls: 20, hits: 20, median: -0.1 });
    let mixed = (0..21).map(|n| f64::from(n - 10) / 100.0).collect();
    assert_eq!(card(mixed), Record::Enough { calls: 21, hits: 10, median: 0.0 }, "what did not move is no hit");
    let even = (0..20).map(f64::from).collect();
    assert_eq!(card(even), Record::Enough { calls: 20, hits: 0, median: 9.5 });
}

proptest! {
    /// No look ahead, and none back: rows from before the telling and beyond the last window change nothing, nor does the order of anything.
    #[test]
    fn only_what_lies_in_the_windows_counts(
        multiples in proptest::collection::vec(0.1_f64..10.0, 60), gaps in proptest::collection::btree_set(0_usize..60, 0..20),
        hours in 0_u32..480, other in 0.1_f64..10.0,
    ) {
        let told_at = at("2026-11-10") + HOUR * hours;
        let call = PastCall { token: TOKEN, way: Way::Up, told_at };
        let now = at("2027-06-01");
        let rows: Vec<_> = days(&multiples).into_iter().enumerate().filter(|(day, _)| !gaps.contains(day)).map(|(_, row)| row).collect();
        let outcome = |rows: Vec<_>| Prices::of(Kind::Daily, rows, now).changes_after(&call);
        let within = |(token, at, _): &(TokenId, Timestamp, Price)| {
            windows(&call, Kind::Daily).any(|(of, from, until)| of == *token && (from..=until).contains(at))
        };
        let expected = outcome(rows.clone());
        prop_assert_eq!(outcome(rows.iter().copied().filter(within).collect()), expected, "the windows hold all that is needed");
        let changed = |row: (TokenId, Timestamp, Price)| if row.1 < told_at { (row.0, row.1, Price::Multiple(other)) } else { row };
        prop_assert_eq!(outcome(rows.iter().copied().map(changed).rev().collect()), expected);
    }

    /// A card counts every call at most once a horizon; what it says does not depend on the order or on where it is cut into pieces.
    #[test]
    fn a_tally_is_the_same_in_any_pieces(
        multiples in proptest::collection::vec(0.1_f64..10.0, 60), told in proptest::collection::vec((0_u32..1200, any::<bool>()), 0..60),
        cut in 0_usize..60,
    ) {
        let prices = Prices::of(Kind::Daily, days(&multiples), at("2027-06-01"));
        let call = |(hours, up): (u32, bool)| PastCall {
            token: TOKEN, way: if up { Way::Up } else { Way::Down }, told_at: at("2026-11-10") + HOUR * hours,
        };
        let calls: Vec<_> = told.into_iter().map(call).collect();
        let (first, second) = calls.split_at(cut.min(calls.len()));
        let tally = |pieces: &[&[PastCall]]| {
            let mut tally = Tally::default();
            pieces.iter().for_each(|piece| tally.add(piece, &prices));
            tally.scorecard(Kind::Daily)
        };
        let card = tally(&[&calls]);
        prop_assert_eq!(card, tally(&[second, first]));
        for (way, records) in card.by_way() {
            let told = calls.iter().filter(|call| call.way == way).count();
            for record in records {
                prop_assert!(record.calls() as usize <= told);
                if let Record::Enough { calls, hits, median } = record {
                    prop_assert!(hits <= calls && calls as usize >= Record::LEAST && median.is_finite());
                }
            }
        }
    }
}
