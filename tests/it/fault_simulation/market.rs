//! What the source knows: a few tokens that turn, whose days come late and are restated.

use super::places::{HOURLY, TOKENS};
use crate::support::fake_token_metrics::FakeTokenMetrics;
use bellwether::domain::Timestamp;
use std::collections::BTreeMap;

/// The rows of all tokens, by the time of their data.
pub(super) struct Market {
    source: FakeTokenMetrics,
    tokens: BTreeMap<i64, Token>,
}

struct Token {
    bullish: bool,
    /// In which hour of the day its row comes.
    comes_at: i64,
    rows: BTreeMap<Timestamp, Row>,
    /// Today's row is taken back for a while.
    withheld: bool,
}

#[derive(Clone, Copy)]
struct Row {
    bullish: bool,
    /// Hourly: the row makes a call.
    calls: bool,
}

impl Market {
    /// Everything is bearish.
    pub(super) fn new(source: FakeTokenMetrics, rng: &mut fastrand::Rng, begin: Timestamp) -> Self {
        source.set_tokens(TOKENS.iter().copied());
        let mut token = |id: i64| {
            let first = if HOURLY.contains(&id) { hour(begin) } else { begin.day().start() };
            let rows = BTreeMap::from([(first, Row { bullish: false, calls: true })]);
            Token { bullish: false, comes_at: rng.i64(0..9), rows, withheld: false }
        };
        let tokens: BTreeMap<i64, Token> = TOKENS.iter().map(|(id, ..)| (*id, token(*id))).collect();
        tokens.iter().for_each(|(id, token)| token.show(*id, &source));
        Self { source, tokens }
    }

    /// It is this time: what is due is published.
    pub(super) fn publish(&mut self, now: Timestamp) {
        for (id, token) in &mut self.tokens {
            let hourly = HOURLY.contains(id);
            let at = if hourly { hour(now) } else { now.day().start() };
            let is_there = hourly || now.since(at).as_secs() as i64 >= token.comes_at * 3600;
            if is_there && !token.rows.contains_key(&at) {
                token.rows.insert(at, Row { bullish: token.bullish, calls: !hourly });
                token.show(*id, &self.source);
            }
        }
    }

    /// The token turns.
    pub(super) fn turn(&mut self, id: i64, now: Timestamp) {
        let token = self.tokens.get_mut(&id).unwrap();
        token.bullish = !token.bullish;
        let at = if HOURLY.contains(&id) { hour(now) } else { now.day().start() };
        if let Some(row) = token.rows.get_mut(&at) {
            *row = Row { bullish: token.bullish, calls: true };
        }
        token.show(id, &self.source);
    }

    /// The newest row is another now: a correction, where its day is over.
    pub(super) fn restate(&mut self, id: i64) {
        let token = self.tokens.get_mut(&id).unwrap();
        token.bullish = !token.bullish;
        let bullish = token.bullish;
        token.rows.values_mut().next_back().into_iter().filter(|row| row.calls).for_each(|row| row.bullish = bullish);
        token.show(id, &self.source);
    }

    /// The newest row of a token is taken back, or stands there again.
    pub(super) fn withhold(&mut self, id: i64, withheld: bool) {
        let token = self.tokens.get_mut(&id).unwrap();
        token.withheld = withheld;
        token.show(id, &self.source);
    }

    /// What the newest row that makes a call says of a token.
    pub(super) fn truth(&self, id: i64) -> bool {
        self.tokens[&id].rows.values().rev().find(|row| row.calls).unwrap().bullish
    }
}

impl Token {
    fn show(&self, id: i64, source: &FakeTokenMetrics) {
        let hourly = HOURLY.contains(&id);
        if hourly {
            source.remove_hourly(id);
        } else {
            source.remove_daily(id);
        }
        let shown = self.rows.len() - usize::from(self.withheld && self.rows.len() > 1);
        // What is older than a few rows is asked for no more.
        for (at, row) in self.rows.iter().take(shown).skip(shown.saturating_sub(30)) {
            let call = if row.bullish { 1 } else { -1 };
            let at = at.to_utc().to_rfc3339();
            if hourly {
                source.set_hourly(id, &at, if row.calls { call } else { 0 }, i64::from(row.bullish));
            } else {
                source.set_daily(id, &at, call, call);
            }
        }
    }
}

fn hour(now: Timestamp) -> Timestamp {
    Timestamp::from_secs(now.as_secs() / 3600 * 3600)
}
