//! Which calls a poll needs, one after the other (`rules.md` 1.1 to 1.3): state machines without IO.

mod latest;
mod levels;

pub(super) use latest::Latest;
pub(super) use levels::Levels;

use super::endpoint;
use crate::{
    domain::{Day, Kind, Observation, SetAside, SetAsideReason, Snapshot, SourceId, Timestamp, TokenId},
    sources::{Ask, Call, Collector, PAGE_ROWS, Page},
};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The oldest day that is asked for lies so many days back: the API takes ranges of at most 29 days.
const OLDEST_DAY: i64 = 28;
/// Tokens that were never seen are asked for so many days back.
const FIRST_LOOK: i64 = 6;
/// How many pages may follow the first of a batch.
const MORE_PAGES: u32 = 3;
/// Hourly tokens that lag further than this share batches: what does not fit is read on further pages.
const LONGEST_LAG_HOURS: usize = 24;
const HOUR: i64 = 3_600_000;

/// What came, whatever the kind.
struct Gathered {
    kind: Kind,
    started_at: Timestamp,
    asked: BTreeSet<TokenId>,
    observations: Vec<Observation>,
    set_aside: Vec<SetAside>,
    gaps: BTreeSet<TokenId>,
    complete: bool,
}

impl Gathered {
    fn new(ask: &Ask) -> Self {
        Self {
            kind: ask.kind,
            started_at: ask.now,
            asked: ask.tokens.keys().copied().collect(),
            observations: Vec::new(),
            set_aside: Vec::new(),
            gaps: BTreeSet::new(),
            complete: true,
        }
    }

    /// Takes the rows of a page; gives the (token, time) of those that were asked for.
    fn take(&mut self, page: Page) -> Vec<(TokenId, Timestamp)> {
        self.set_aside.extend(page.set_aside);
        let (asked, others): (Vec<_>, Vec<_>) = page.observations.into_iter().partition(|row| self.asked.contains(&row.token));
        let not_asked =
            |row: Observation| SetAside { token: Some(row.token), data_time: Some(row.data_time), reason: SetAsideReason::NotAsked };
        self.set_aside.extend(others.into_iter().map(not_asked));
        let seen = asked.iter().map(|row| (row.token, row.data_time)).collect();
        self.observations.extend(asked);
        seen
    }

    fn finish(self) -> Snapshot {
        Snapshot {
            source: SourceId::TokenMetrics,
            kind: self.kind,
            started_at: self.started_at,
            asked: self.asked,
            observations: self.observations,
            set_aside: self.set_aside,
            complete: self.complete,
            gaps: self.gaps,
        }
    }
}

pub(super) fn ids(tokens: &[TokenId]) -> String {
    tokens.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

pub(super) fn paging(page: u32) -> [(&'static str, String); 2] {
    [("limit", PAGE_ROWS.to_string()), ("page", page.to_string())]
}

/// Daily calls: a window of days per batch, batched by the stored DATE.
pub(super) struct Daily {
    gathered: Gathered,
    today: Day,
    batches: VecDeque<DailyBatch>,
}

struct DailyBatch {
    from: Day,
    tokens: Vec<TokenId>,
    page: u32,
    seen: BTreeSet<(TokenId, Timestamp)>,
}

impl Daily {
    pub(super) fn new(ask: &Ask) -> Self {
        let today = ask.now.day();
        let mut by_start: BTreeMap<Day, Vec<TokenId>> = BTreeMap::new();
        for (token, stored) in &ask.tokens {
            let start = stored.map_or(today.plus(-FIRST_LOOK), |at| at.day().clamp(today.plus(-OLDEST_DAY), today));
            by_start.entry(start).or_default().push(*token);
        }
        let mut batches = VecDeque::new();
        for (from, tokens) in by_start {
            let days = usize::try_from(today.days_since(from) + 1).unwrap_or(1);
            for tokens in tokens.chunks(PAGE_ROWS / days) {
                batches.push_back(DailyBatch { from, tokens: tokens.to_vec(), page: 1, seen: BTreeSet::new() });
            }
        }
        Self { gathered: Gathered::new(ask), today, batches }
    }
}

impl DailyBatch {
    /// Every asked token has its row of every asked day: nothing can follow, though the page is full.
    fn is_whole(&self, today: Day) -> bool {
        let days = (0..=today.days_since(self.from)).map(|day| self.from.plus(day).start());
        days.into_iter().all(|day| self.tokens.iter().all(|token| self.seen.contains(&(*token, day))))
    }
}

impl Collector for Daily {
    fn planned_calls(&self) -> u32 {
        u32::try_from(self.batches.len()).unwrap_or(u32::MAX)
    }

    fn next_call(&mut self) -> Option<Call> {
        let batch = self.batches.front()?;
        let mut query = vec![("token_id", ids(&batch.tokens)), ("startDate", batch.from.to_string()), ("endDate", self.today.to_string())];
        query.extend(paging(batch.page));
        Some(Call { endpoint: endpoint::DAILY, query })
    }

    fn accept(&mut self, page: Option<Page>) {
        let Some(batch) = self.batches.front_mut() else { return };
        let Some(page) = page else {
            self.gathered.complete = false;
            self.batches.pop_front();
            return;
        };
        let (known, is_full) = (batch.seen.len(), page.rows >= PAGE_ROWS);
        batch.seen.extend(self.gathered.take(page));
        // A page that brings nothing new is the same page again: some versions of the API do not page.
        let more = is_full && batch.page <= MORE_PAGES && batch.seen.len() > known && !batch.is_whole(self.today);
        if more {
            batch.page += 1;
        } else {
            self.batches.pop_front();
        }
    }

    fn finish(self: Box<Self>) -> Snapshot {
        let mut gathered = self.gathered;
        gathered.complete &= self.batches.is_empty();
        gathered.finish()
    }
}

/// Hourly calls: no date filter, so pages are read until every token's rows reach back to its stored one.
pub(super) struct Hourly {
    gathered: Gathered,
    batches: VecDeque<HourlyBatch>,
}

struct HourlyBatch {
    /// Each token with the time its rows must reach back to.
    tokens: BTreeMap<TokenId, Option<Timestamp>>,
    page: u32,
    oldest: BTreeMap<TokenId, Timestamp>,
}

impl Hourly {
    pub(super) fn new(ask: &Ask) -> Self {
        let this_hour = ask.now.as_millis().div_euclid(HOUR);
        let mut by_lag: BTreeMap<usize, Vec<TokenId>> = BTreeMap::new();
        for (token, stored) in &ask.tokens {
            // Tokens never seen have batches of their own: those without any data must not make the others read on, poll after poll.
            let lag = stored.map_or(0, |at| {
                let hours = usize::try_from(this_hour - at.as_millis().div_euclid(HOUR)).unwrap_or(0);
                hours.clamp(1, LONGEST_LAG_HOURS)
            });
            by_lag.entry(lag).or_default().push(*token);
        }
        let mut batches = VecDeque::new();
        for (lag, tokens) in by_lag {
            for tokens in tokens.chunks(PAGE_ROWS / (lag.max(1) + 1)) {
                let tokens = tokens.iter().map(|token| (*token, ask.tokens.get(token).copied().flatten())).collect();
                batches.push_back(HourlyBatch { tokens, page: 1, oldest: BTreeMap::new() });
            }
        }
        Self { gathered: Gathered::new(ask), batches }
    }
}

impl HourlyBatch {
    fn reaches_back(&self, token: TokenId, stored: Option<Timestamp>) -> bool {
        match (self.oldest.get(&token), stored) {
            (Some(oldest), Some(stored)) => *oldest <= stored,
            (seen, None) => seen.is_some(),
            (None, Some(_)) => false,
        }
    }

    fn is_whole(&self) -> bool {
        self.tokens.iter().all(|(token, stored)| self.reaches_back(*token, *stored))
    }

    /// Tokens with new rows that do not reach back; those without rows are absent, which means nothing (2.7).
    fn gaps(&self) -> impl Iterator<Item = TokenId> {
        self.tokens
            .iter()
            .filter(|(token, stored)| self.oldest.contains_key(token) && !self.reaches_back(**token, **stored))
            .map(|(token, _)| *token)
    }
}

impl Collector for Hourly {
    fn planned_calls(&self) -> u32 {
        u32::try_from(self.batches.len()).unwrap_or(u32::MAX)
    }

    fn next_call(&mut self) -> Option<Call> {
        let batch = self.batches.front()?;
        let tokens: Vec<_> = batch.tokens.keys().copied().collect();
        let mut query = vec![("token_id", ids(&tokens))];
        query.extend(paging(batch.page));
        Some(Call { endpoint: endpoint::HOURLY, query })
    }

    fn accept(&mut self, page: Option<Page>) {
        let Some(batch) = self.batches.front_mut() else { return };
        let mut more = false;
        match page {
            None => self.gathered.complete = false,
            Some(page) => {
                let (mut news, is_full) = (false, page.rows >= PAGE_ROWS);
                for (token, at) in self.gathered.take(page) {
                    let oldest = batch.oldest.get(&token).copied();
                    if oldest.is_none_or(|oldest| at < oldest) {
                        batch.oldest.insert(token, at);
                        news = true;
                    }
                }
                more = is_full && batch.page <= MORE_PAGES && news && !batch.is_whole();
            }
        }
        if more {
            batch.page += 1;
        } else {
            self.gathered.gaps.extend(batch.gaps());
            self.batches.pop_front();
        }
    }

    fn finish(self: Box<Self>) -> Snapshot {
        let mut gathered = self.gathered;
        for batch in &self.batches {
            gathered.complete = false;
            gathered.gaps.extend(batch.gaps());
        }
        gathered.finish()
    }
}

#[cfg(test)]
mod tests;
