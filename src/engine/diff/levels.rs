//! Which levels the price crossed, with a band around each (`rules.md` 2.12).

use crate::domain::{Crossing, Level, Levels, Line, Observation, Stance, TokenState, Way};
use std::time::Duration;

/// So far beyond a level a price counts as on that side.
const BAND: f64 = 0.005;
/// Prices further apart than this are not compared: a day, with room for a slot that comes a little late and for a second answer (M1).
const COMPARABLE: Duration = Duration::from_secs(25 * 3600);

/// Takes a row's price and levels into the state; gives what was crossed since the state before, and the line that says so.
///
/// A crossing is another side of a level, its date and value, that both rows have. What is new has a side without a word. Whatever lies between
/// a crossing up and one down cannot be crossed both ways at once: all of a poll go one way.
pub(super) fn take(state: &mut TokenState, before: Option<&TokenState>, row: &Observation) -> Option<(Stance, Crossing)> {
    let price = row.values.close?;
    let known = before.and_then(|before| before.levels.as_deref()).filter(|known| row.data_time.since(known.at) <= COMPARABLE);
    let last = |level: &Level| known.and_then(|known| known.side_of(level));
    let sides: Vec<_> = row.values.levels.iter().map(|level| (*level, side(price, level, last(level)))).collect();
    let mut crossed: Vec<_> = sides.iter().filter(|(level, side)| last(level).is_some_and(|last| last != *side)).copied().collect();
    let levels = Levels { price, at: row.data_time, sides };
    let near = levels.near();
    state.levels = Some(Box::new(levels));
    let (_, way) = *crossed.first()?;
    crossed.retain(|(_, side)| *side == way);
    let levels = furthest_first(way, crossed.into_iter().map(|(level, _)| level).collect());
    let line = Line::new(way, levels.first()?.at)?;
    Some((Stance::Beyond(line), Crossing { price, levels, near }))
}

/// Above by half a percent, below by half a percent, else where it was; a new level within the band is on the side of the plain price.
fn side(price: f64, level: &Level, last: Option<Way>) -> Way {
    if price > level.at * (1.0 + BAND) {
        Way::Up
    } else if price < level.at * (1.0 - BAND) {
        Way::Down
    } else {
        last.unwrap_or(if price >= level.at { Way::Up } else { Way::Down })
    }
}

/// In the order in which a price that comes back would meet them.
pub(in crate::engine) fn furthest_first(way: Way, mut levels: Vec<Level>) -> Vec<Level> {
    levels.sort_by(|a, b| a.at.total_cmp(&b.at).then(a.date.cmp(&b.date)));
    if way == Way::Up {
        levels.reverse();
    }
    levels
}

#[cfg(test)]
mod tests {
    use super::super::diff;
    use super::*;
    use crate::domain::{Change, Kind, Snapshot, SourceId, Timestamp, TokenId, Values};
    use proptest::prelude::*;
    use std::collections::{BTreeMap, BTreeSet};

    const SOL: TokenId = TokenId(3988);

    /// A price at some hour, and the levels by their values; the date of each is that of its value.
    type Row<'a> = (i64, f64, &'a [f64]);

    fn level(at: f64) -> Level {
        Level { date: Timestamp::from_secs(1_700_000_000 + at as i64 * 86_400), at }
    }

    fn changes(rows: &[Row<'_>]) -> Vec<Change> {
        let mut states = BTreeMap::new();
        let mut changes = Vec::new();
        for (hour, price, levels) in rows {
            let now = Timestamp::from_secs(1_795_000_000 + hour * 3600);
            let values = Values { close: Some(*price), levels: levels.iter().copied().map(level).collect(), ..Values::default() };
            let row = Observation { token: SOL, data_time: now, signal: None, trend: None, position: None, values };
            let snapshot = Snapshot {
                source: SourceId::TokenMetrics,
                kind: Kind::Levels,
                started_at: now,
                asked: [SOL].into(),
                observations: vec![row],
                set_aside: Vec::new(),
                complete: true,
                gaps: BTreeSet::new(),
            };
            let diff = diff(&states, &snapshot, now);
            states.extend(diff.states.into_iter().map(|state| (state.token, state)));
            changes.extend(diff.changes);
        }
        changes
    }

    /// What was said, and how many levels that were.
    fn said(rows: &[Row<'_>]) -> Vec<(String, usize)> {
        let words = |change: Change| (change.to.to_string(), change.crossing.map_or(0, |crossing| crossing.levels.len()));
        changes(rows).into_iter().map(words).collect()
    }

    fn one(words: &str) -> (String, usize) {
        (words.to_owned(), 1)
    }

    #[test]
    fn l1_a_level_is_crossed_once_until_the_price_has_left_the_band() {
        let prices = |prices: &[f64]| {
            let rows: Vec<Row<'_>> = prices.iter().zip(0..).map(|(price, hour)| (hour, *price, [100.0].as_slice())).collect();
            said(&rows)
        };
        assert_eq!(prices(&[99.0, 100.45, 100.51]), [one("above 100")], "within half a percent it is where it was");
        assert_eq!(prices(&[99.0, 100.6, 99.6, 100.6, 99.55, 100.6]), [one("above 100")]);
        assert_eq!(prices(&[99.0, 101.0, 99.4, 101.0]), [one("above 100"), one("below 100"), one("above 100")]);
        assert_eq!(prices(&[99.9, 100.3, 101.0]), [one("above 100")], "new within the band: on the side of the plain price");
        assert_eq!(prices(&[100.0, 101.0]), []);
    }

    #[test]
    fn l2_several_at_once_are_one_that_names_the_furthest() {
        let levels = [90.0, 100.0, 110.0, 120.0];
        let rows = [(0, 95.0, levels.as_slice()), (1, 115.0, &levels), (2, 85.0, &levels)];
        assert_eq!(said(&rows), [("above 110".to_owned(), 2), ("below 90".to_owned(), 3)]);
        let near: Vec<_> = changes(&rows).into_iter().filter_map(|change| Some(change.crossing?.near)).collect();
        assert_eq!(near[0], crate::domain::Near { support: Some(110.0), resistance: Some(120.0) });
        assert_eq!(near[1], crate::domain::Near { support: None, resistance: Some(90.0) });
    }

    #[test]
    fn l3_new_and_vanished_levels_and_prices_a_day_apart_say_nothing() {
        assert_eq!(said(&[(0, 95.0, &[100.0]), (1, 115.0, &[110.0])]), [], "100 is gone and 110 is new");
        assert_eq!(said(&[(0, 95.0, &[100.0]), (1, 115.0, &[110.0]), (2, 95.0, &[100.0, 110.0])]), [one("below 110")]);
        assert_eq!(said(&[(0, 95.0, &[100.0]), (24, 115.0, &[100.0])]), [one("above 100")]);
        assert_eq!(said(&[(0, 95.0, &[100.0]), (25, 115.0, &[100.0])]), [one("above 100")], "a late slot");
        assert_eq!(said(&[(0, 95.0, &[100.0]), (26, 115.0, &[100.0]), (27, 95.0, &[100.0])]), [one("below 100")]);
    }

    #[test]
    fn a_row_without_price_or_levels_says_nothing() {
        assert_eq!(said(&[(0, 95.0, &[100.0]), (1, 0.0, &[100.0]), (2, 95.0, &[]), (3, 101.0, &[100.0])]), [one("above 100")]);
    }

    proptest! {
        /// Two crossings of a level in a row go opposite ways, and each leaves the band on its side.
        #[test]
        fn an_oscillation_around_a_level_is_told_once(prices in prop::collection::vec(98.0_f64..102.0, 2..60)) {
            let rows: Vec<Row<'_>> = prices.iter().zip(0..).map(|(price, hour)| (hour, *price, [100.0].as_slice())).collect();
            let mut last = None;
            for change in changes(&rows) {
                let (way, price) = (change.way(), change.crossing.unwrap().price);
                prop_assert!(way != last);
                let has_left = if way == Some(Way::Up) { price > 100.4 } else { price < 99.6 };
                prop_assert!(has_left, "{price}");
                last = way;
            }
        }
    }
}
