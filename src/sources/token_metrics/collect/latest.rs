//! Endpoints that say how things are now: one row a token, without a time of its own.

use super::{Gathered, ids, paging};
use crate::{
    domain::{Observation, Snapshot, TokenId},
    sources::{Ask, Call, Collector, PAGE_ROWS, Page},
};
use std::collections::VecDeque;

/// The latest rows, so many tokens a call as a page holds.
pub(in super::super) struct Latest {
    endpoint: &'static str,
    gathered: Gathered,
    batches: VecDeque<Vec<TokenId>>,
}

impl Latest {
    pub(in super::super) fn new(endpoint: &'static str, ask: &Ask) -> Self {
        let tokens: Vec<_> = ask.tokens.keys().copied().collect();
        Self { endpoint, gathered: Gathered::new(ask), batches: tokens.chunks(PAGE_ROWS).map(<[_]>::to_vec).collect() }
    }
}

impl Collector for Latest {
    fn planned_calls(&self) -> u32 {
        u32::try_from(self.batches.len()).unwrap_or(u32::MAX)
    }

    fn next_call(&mut self) -> Option<Call> {
        let mut query = vec![("token_id", ids(self.batches.front()?))];
        query.extend(paging(1));
        Some(Call { endpoint: self.endpoint, query })
    }

    /// A row is of the time at which the poll began (`rules.md` 2.11).
    fn accept(&mut self, page: Option<Page>) {
        self.batches.pop_front();
        let Some(page) = page else { return self.gathered.complete = false };
        let data_time = self.gathered.started_at;
        let observations = page.observations.into_iter().map(|row| Observation { data_time, ..row }).collect();
        self.gathered.take(Page { observations, ..page });
    }

    fn finish(self: Box<Self>) -> Snapshot {
        let mut gathered = self.gathered;
        gathered.complete &= self.batches.is_empty();
        gathered.finish()
    }
}
