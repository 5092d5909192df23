//! Prices and levels, which are two calls for the same tokens: what both answered for is a row.

use super::{super::endpoint, Gathered, ids, paging};
use crate::{
    domain::{Level, Observation, SetAside, SetAsideReason, Snapshot, Timestamp, TokenId, Values},
    sources::{Ask, Call, Collector, PAGE_ROWS, Page},
};
use std::collections::{BTreeMap, VecDeque};

/// The price of each token, and its levels.
pub(in super::super) struct Levels {
    gathered: Gathered,
    batches: VecDeque<Vec<TokenId>>,
    /// The price of the batch in front has come: its levels are next.
    has_prices: bool,
    prices: BTreeMap<TokenId, f64>,
    levels: BTreeMap<TokenId, (Timestamp, Vec<Level>)>,
}

impl Levels {
    pub(in super::super) fn new(ask: &Ask) -> Self {
        let tokens: Vec<_> = ask.tokens.keys().copied().collect();
        Self {
            gathered: Gathered::new(ask),
            batches: tokens.chunks(PAGE_ROWS).map(<[_]>::to_vec).collect(),
            has_prices: false,
            prices: BTreeMap::new(),
            levels: BTreeMap::new(),
        }
    }

    fn take(&mut self, row: Observation) {
        let Observation { token, data_time, values, .. } = row;
        if !self.gathered.asked.contains(&token) {
            let reason = SetAsideReason::NotAsked;
            return self.gathered.set_aside.push(SetAside { token: Some(token), data_time: None, reason });
        }
        self.prices.extend(values.close.map(|price| (token, price)));
        // Of several rows of levels the newest counts.
        let is_newer = self.levels.get(&token).is_none_or(|(of, _)| *of <= data_time);
        if !values.levels.is_empty() && is_newer {
            self.levels.insert(token, (data_time, values.levels));
        }
    }
}

impl Collector for Levels {
    fn planned_calls(&self) -> u32 {
        u32::try_from(2 * self.batches.len()).unwrap_or(u32::MAX)
    }

    fn next_call(&mut self) -> Option<Call> {
        let mut query = vec![("token_id", ids(self.batches.front()?))];
        // The endpoint of prices knows no pages.
        if self.has_prices {
            query.extend(paging(1));
        }
        Some(Call { endpoint: if self.has_prices { endpoint::LEVELS } else { endpoint::PRICES }, query })
    }

    /// Without its prices the levels of a batch mean nothing: they are not asked for.
    fn accept(&mut self, page: Option<Page>) {
        let Some(page) = page else {
            self.gathered.complete = false;
            self.has_prices = false;
            self.batches.pop_front();
            return;
        };
        self.gathered.set_aside.extend(page.set_aside);
        page.observations.into_iter().for_each(|row| self.take(row));
        if self.has_prices {
            self.batches.pop_front();
        }
        self.has_prices = !self.has_prices;
    }

    /// A row is of the time at which the poll began.
    fn finish(self: Box<Self>) -> Snapshot {
        let Self { mut gathered, batches, mut prices, levels, .. } = *self;
        gathered.complete &= batches.is_empty();
        let data_time = gathered.started_at;
        let rows = levels.into_iter().filter_map(|(token, (_, levels))| {
            let values = Values { close: Some(prices.remove(&token)?), levels, ..Values::default() };
            Some(Observation { token, data_time, signal: None, trend: None, position: None, values })
        });
        gathered.observations.extend(rows);
        gathered.finish()
    }
}
