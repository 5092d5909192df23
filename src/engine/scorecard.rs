//! How past calls did (ARCHITECTURE.md, rules R): from changes and prices as they are stored to hits and medians. Whatever is stored anew
//! (a row restated, a price corrected) is another input, and gives another card.

use crate::domain::{Change, Horizon, Kind, Price, Record, Scorecard, Timestamp, Timing, TokenId, Way};
use std::{collections::BTreeMap, time::Duration};

/// So far back calls are looked at.
pub const REACH: Duration = Duration::from_secs(365 * 24 * 3600);

/// A call that was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PastCall {
    /// Of which token.
    pub token: TokenId,
    /// Which way it went.
    pub way: Way,
    /// When it was told first.
    pub told_at: Timestamp,
}

/// The kind whose rows say the price that calls of a kind are held against: its own where they do.
pub const fn priced_by(kind: Kind) -> Kind {
    match kind {
        Kind::Hourly => Kind::Hourly,
        Kind::Daily | Kind::Grade | Kind::Fundamental | Kind::Levels => Kind::Daily,
    }
}

/// The calls that changes of one kind made, given in the order in which they were stored (R1).
///
/// A row makes one call at most: what it said in the end, told when it said so. What was taken back before the row was over, or was
/// restated to what had been so before, is none; nor is what was never told, a threshold that was crossed, or what goes neither way.
pub fn calls<'a>(changes: impl IntoIterator<Item = &'a Change>) -> Vec<PastCall> {
    let mut rows: BTreeMap<(TokenId, Timestamp), (&Change, &Change)> = BTreeMap::new();
    let is_told_call = |change: &&Change| change.timing != Timing::History && !change.crosses_threshold();
    for change in changes.into_iter().filter(is_told_call) {
        rows.entry((change.token, change.data_time)).and_modify(|(_, last)| *last = change).or_insert((change, change));
    }
    let call = |(first, last): (&Change, &Change)| {
        let way = last.to.way_from(first.from).filter(|_| first.from != Some(last.to))?;
        Some(PastCall { token: last.token, way, told_at: last.detected_at })
    };
    rows.into_values().filter_map(call).collect()
}

/// Between which times the rows lie that can say how a call did.
pub fn windows(call: &PastCall, prices: Kind) -> impl Iterator<Item = (TokenId, Timestamp, Timestamp)> + use<> {
    let PastCall { token, told_at, .. } = *call;
    let latest = told_at + patience(prices);
    let later = Horizon::ALL.map(|horizon| (token, told_at + horizon.length(), latest + horizon.length() + tolerance(horizon)));
    std::iter::once((token, told_at, latest)).chain(later)
}

/// How long after it was told the first price may come.
fn patience(prices: Kind) -> Duration {
    2 * prices.period()
}

/// How much later than its horizon a price may be.
fn tolerance(horizon: Horizon) -> Duration {
    horizon.length() / 12
}

/// Prices of tokens by time.
#[derive(Clone, Debug)]
pub struct Prices {
    kind: Kind,
    by_time: BTreeMap<(TokenId, Timestamp), Price>,
}

impl Prices {
    /// Those of rows of a kind whose period is over: until then a row's price may be another tomorrow.
    pub fn of(kind: Kind, rows: impl IntoIterator<Item = (TokenId, Timestamp, Price)>, now: Timestamp) -> Self {
        let is_over = |(_, at, _): &(TokenId, Timestamp, Price)| *at + kind.period() <= now;
        Self { kind, by_time: rows.into_iter().filter(is_over).map(|(token, at, price)| ((token, at), price)).collect() }
    }

    fn first(&self, token: TokenId, from: Timestamp, until: Timestamp) -> Option<(Timestamp, Price)> {
        if from > until {
            return None;
        }
        self.by_time.range((token, from)..=(token, until)).next().map(|((_, at), price)| (*at, *price))
    }

    /// How the price had changed after each horizon, as ratios (R2): from the first price at or after the telling to the first at or after
    /// so long a time later. Nothing where either is missing.
    fn changes_after(&self, call: &PastCall) -> [Option<f64>; 3] {
        let Some((at, price)) = self.first(call.token, call.told_at, call.told_at + patience(self.kind)) else { return [None; 3] };
        Horizon::ALL.map(|horizon| {
            let then = at + horizon.length();
            let (_, later) = self.first(call.token, then, then + tolerance(horizon))?;
            price.change_to(later)
        })
    }
}

/// What is counted of calls, some at a time.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    up: [Vec<f64>; 3],
    down: [Vec<f64>; 3],
}

impl Tally {
    /// Counts calls. One whose price is not known then is not counted.
    pub fn add(&mut self, calls: &[PastCall], prices: &Prices) {
        for call in calls {
            let side = match call.way {
                Way::Up => &mut self.up,
                Way::Down => &mut self.down,
            };
            for (list, change) in side.iter_mut().zip(prices.changes_after(call)) {
                list.extend(change);
            }
        }
    }

    /// What it comes to.
    pub fn scorecard(self, kind: Kind) -> Scorecard {
        let record = |way| move |changes| record(way, changes);
        Scorecard { kind, up: self.up.map(record(Way::Up)), down: self.down.map(record(Way::Down)) }
    }
}

/// A price that did not move went neither way.
fn record(way: Way, mut changes: Vec<f64>) -> Record {
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    let calls = number(changes.len());
    if changes.len() < Record::LEAST {
        return Record::TooFew { calls };
    }
    let is_hit = |change: &&f64| match way {
        Way::Up => **change > 0.0,
        Way::Down => **change < 0.0,
    };
    let hits = number(changes.iter().filter(is_hit).count());
    changes.sort_by(f64::total_cmp);
    let middle = changes.len() / 2;
    let median = if changes.len() % 2 == 1 { changes[middle] } else { f64::midpoint(changes[middle - 1], changes[middle]) };
    Record::Enough { calls, hits, median }
}

#[cfg(test)]
#[path = "scorecard_tests.rs"]
mod tests;
