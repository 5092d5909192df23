//! What a weekly digest says beside the calls that changed: whose price rose or fell most, and how past calls did.

use crate::domain::{Horizon, Price, Scorecard, Timestamp, TokenId, WeekMove, WeekReview};
use std::{collections::BTreeMap, time::Duration};

/// As many tokens are named that rose, and that fell.
const MOST: usize = 3;
/// What rounds to nothing is no move.
const LEAST: f64 = 0.000_5;
/// Either price may be so old.
const PATIENCE: Duration = Duration::from_secs(2 * 24 * 3600);

/// Between which times the rows lie that say how a price went in the last week.
pub fn windows(token: TokenId, now: Timestamp) -> [(TokenId, Timestamp, Timestamp); 2] {
    [now, now - Horizon::Week.length()].map(|end| (token, end - PATIENCE, end))
}

/// How prices went in a week, as ratios: the newest price against the newest that is a week older.
pub fn changes(rows: impl IntoIterator<Item = (TokenId, Timestamp, Price)>, now: Timestamp) -> BTreeMap<TokenId, f64> {
    let prices: BTreeMap<(TokenId, Timestamp), Price> = rows.into_iter().map(|(token, at, price)| ((token, at), price)).collect();
    let newest = |token, from, until| prices.range((token, from)..=(token, until)).next_back().map(|((_, at), price)| (*at, *price));
    let mut tokens: Vec<_> = prices.keys().map(|(token, _)| *token).collect();
    tokens.dedup();
    let change = |token| {
        let [(_, from, until), (_, earliest, _)] = windows(token, now);
        let (at, late) = newest(token, from, until)?;
        let (_, early) = newest(token, earliest, at - Horizon::Week.length())?;
        Some((token, early.change_to(late)?))
    };
    tokens.into_iter().filter_map(change).collect()
}

/// The largest moves of those that a reader follows, and the scorecards that rest on anything.
pub fn review<'a>(followed: impl IntoIterator<Item = &'a WeekMove>, scorecards: Vec<Scorecard>) -> WeekReview {
    let mut moves: Vec<_> = followed.into_iter().filter(|step| step.change.abs() >= LEAST).collect();
    moves.sort_by(|one, other| other.change.total_cmp(&one.change).then(one.token.cmp(&other.token)));
    let named = |step: &&WeekMove| (step.symbol.clone(), step.link.clone(), step.change);
    WeekReview {
        rose: moves.iter().take_while(|step| step.change > 0.0).take(MOST).map(named).collect(),
        fell: moves.iter().rev().take_while(|step| step.change < 0.0).take(MOST).map(named).collect(),
        scorecards: scorecards.into_iter().filter(|card| !card.is_empty()).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: TokenId = TokenId(1);

    fn day(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn a_week_is_the_newest_price_against_that_of_a_week_ago() {
        let now = day("2026-11-21T09:00:00Z");
        let row = |text, price| (TOKEN, day(text), Price::Multiple(price));
        let of = |rows: Vec<_>| changes(rows, now).get(&TOKEN).map(|change| (change * 1000.0).round());
        assert_eq!(of(vec![row("2026-11-21", 2.2), row("2026-11-20", 9.0), row("2026-11-14", 2.0), row("2026-11-13", 9.0)]), Some(100.0));
        assert_eq!(
            of(vec![row("2026-11-20", 1.0), row("2026-11-14", 9.0), row("2026-11-13", 2.0)]),
            Some(-500.0),
            "a day late, still a week"
        );
        assert_eq!(of(vec![row("2026-11-21", 1.0), row("2026-11-13", 2.0)]), Some(-500.0), "a day is missing");
        assert_eq!(of(vec![row("2026-11-21", 2.2)]), None);
        assert_eq!(of(vec![row("2026-11-18", 2.2), row("2026-11-14", 2.0)]), None, "too old to speak of now");
        assert_eq!(of(vec![(TOKEN, day("2026-11-21"), Price::Dollars(3.0)), row("2026-11-14", 2.0)]), None, "no measure in common");
    }

    #[test]
    fn the_largest_moves_are_named_on_their_side() {
        let step = |(number, change)| WeekMove { token: TokenId(number), symbol: format!("T{number}"), link: None, in_all: true, change };
        let moves: Vec<_> = [(1, 0.1), (2, -0.2), (3, 0.0), (4, 0.3), (5, 0.000_1), (6, 0.2), (7, 0.15)].into_iter().map(step).collect();
        let review = review(&moves, Vec::new());
        let names = |list: &[(String, Option<String>, f64)]| list.iter().map(|(symbol, ..)| symbol.clone()).collect::<Vec<_>>().join(" ");
        assert_eq!((names(&review.rose), names(&review.fell)), ("T4 T6 T7".to_owned(), "T2".to_owned()));
    }
}
