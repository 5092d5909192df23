//! A market that misbehaves as real ones and their vendors do, from one seed: tokens that flap, sleep and are delisted, days that come late or
//! are restated, answers that fail, contradict themselves, lie ahead of time, or turn everything over.

use bellwether::domain::{Kind, Observation, Snapshot, SourceId, Stance, Timestamp, TokenId, Values};
use fastrand::Rng;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

const HOUR: i64 = 3_600_000;
/// So many rows of a token are published at most: three days of hours.
const ROWS: usize = 72;
/// After one that is not to be believed, so many answers are plain, so that what follows from it can be seen.
const PAUSE: u32 = 3;

/// One feed of it.
pub(crate) struct Market {
    rng: Rng,
    kind: Kind,
    tokens: BTreeMap<TokenId, Token>,
    next_period: i64,
    polls: u32,
    odd_at: u32,
    fails_until: Timestamp,
}

struct Token {
    stance: Stance,
    /// How likely it turns within one period.
    restless: f64,
    rows: BTreeMap<i64, Row>,
    /// Nothing of it is published before.
    sleeps_until: i64,
    delisted: bool,
}

#[derive(Clone, Copy)]
struct Row {
    stance: Stance,
    published: i64,
    restated: bool,
    /// Hourly: the row makes a call of its own; else it only says where things stand.
    calls: bool,
}

pub(crate) fn opposite(stance: Stance) -> Stance {
    if stance == Stance::Bullish { Stance::Bearish } else { Stance::Bullish }
}

impl Market {
    pub(crate) fn new(seed: u64, kind: Kind, start: Timestamp, size: i64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let period = period(kind);
        let first = start.as_millis().div_euclid(period) - 2;
        let temper = |rng: &mut Rng| *rng.choice(&[0.01, 0.02, 0.05, 0.05, 0.15, 0.5]).unwrap();
        let hourly = if kind == Kind::Hourly { 0.25 } else { 1.0 };
        let token = |rng: &mut Rng| Token {
            stance: if rng.bool() { Stance::Bullish } else { Stance::Bearish },
            restless: temper(rng) * hourly,
            rows: BTreeMap::new(),
            sleeps_until: 0,
            delisted: false,
        };
        let tokens = (1..=size).map(|id| (TokenId(id), token(&mut rng))).collect();
        Self { rng, kind, tokens, next_period: first, polls: 0, odd_at: 0, fails_until: Timestamp::EPOCH }
    }

    /// What the source answers at that time: rows of each token back to the newest that is known. `believed` is what everybody has reason to
    /// believe of it.
    pub(crate) fn answer(
        &mut self,
        now: Timestamp,
        known: &BTreeMap<TokenId, Timestamp>,
        believed: &BTreeMap<TokenId, Stance>,
    ) -> Snapshot {
        self.live_until(now.as_millis());
        self.polls += 1;
        let mut snapshot = Snapshot {
            source: SourceId::TokenMetrics,
            kind: self.kind,
            started_at: now,
            asked: self.tokens.keys().copied().collect(),
            observations: Vec::new(),
            set_aside: Vec::new(),
            complete: true,
            gaps: BTreeSet::new(),
        };
        if self.polls > 3 && self.rng.u32(0..60) == 0 {
            let hours = *self.rng.choice(&[1, 5, 20, 60]).unwrap();
            self.fails_until = now + Duration::from_secs(hours * 3600);
        }
        if now < self.fails_until {
            snapshot.complete = false;
            return snapshot;
        }
        snapshot.observations = self.rows(now, known);
        let is_odd = self.polls > 3 && self.polls > self.odd_at + PAUSE && self.rng.u32(0..25) == 0;
        if is_odd {
            self.odd_at = self.polls;
            self.spoil(&mut snapshot, now, believed);
        }
        snapshot
    }

    fn live_until(&mut self, now: i64) {
        let period = period(self.kind);
        while self.next_period * period <= now {
            let begins = self.next_period * period;
            for token in self.tokens.values_mut() {
                token.live(&mut self.rng, self.kind, begins);
            }
            // Now and then everything turns at once, and means it.
            if self.rng.u32(0..150) == 0 {
                self.tokens.values_mut().for_each(|token| token.turn(begins));
            }
            self.next_period += 1;
        }
    }

    fn rows(&self, now: Timestamp, known: &BTreeMap<TokenId, Timestamp>) -> Vec<Observation> {
        let (kind, millis) = (self.kind, now.as_millis());
        let awake = self.tokens.iter().filter(|(_, token)| !token.delisted && token.sleeps_until <= millis);
        let published = |(id, token): (&TokenId, &Token)| -> Vec<Observation> {
            let oldest = known.get(id).map_or(millis - 2 * period(kind), |at| at.as_millis());
            let rows = token.rows.range(oldest..).filter(|(_, row)| row.published <= millis);
            rows.map(|(at, row)| observation(kind, *id, *at, *row)).collect()
        };
        awake.flat_map(published).collect()
    }

    /// One of the ways in which an answer is not what it should be.
    fn spoil(&mut self, snapshot: &mut Snapshot, now: Timestamp, believed: &BTreeMap<TokenId, Stance>) {
        let victim = TokenId(self.rng.i64(1..=self.tokens.len() as i64));
        let newest = |snapshot: &Snapshot, of: TokenId| {
            snapshot.observations.iter().filter(|row| row.token == of).max_by_key(|row| row.data_time).cloned()
        };
        match self.rng.u32(0..4) {
            0 => {
                let ahead = now + Duration::from_secs(3 * 24 * 3600);
                let row = Row { stance: self.tokens[&victim].stance, published: 0, restated: false, calls: true };
                snapshot.observations.push(observation(self.kind, victim, ahead.as_millis() / HOUR * HOUR, row));
            }
            1 => snapshot.observations.extend(
                newest(snapshot, victim)
                    .map(|row| Observation { signal: row.signal.map(|signal| if signal == 1.0 { -1.0 } else { 1.0 }), ..row }),
            ),
            2 => snapshot.observations.iter_mut().filter(|row| row.token == victim).for_each(|row| row.signal = Some(7.0)),
            // Nothing of it is true: every token would turn, and at the next poll nothing has happened.
            _ => {
                for (token, stance) in believed {
                    let Some(row) = newest(snapshot, *token) else { continue };
                    snapshot.observations.retain(|row| row.token != *token);
                    let wrong = Row { stance: opposite(*stance), published: 0, restated: false, calls: true };
                    snapshot.observations.push(observation(self.kind, *token, row.data_time.as_millis(), wrong));
                }
            }
        }
    }
}

impl Token {
    fn live(&mut self, rng: &mut Rng, kind: Kind, begins: i64) {
        let turns = rng.f64() < self.restless;
        if turns {
            self.stance = opposite(self.stance);
        }
        let late = if kind == Kind::Hourly { rng.i64(0..HOUR / 6) } else { rng.i64(0..9 * HOUR) };
        self.rows
            .insert(begins, Row { stance: self.stance, published: begins + late, restated: false, calls: turns || kind == Kind::Daily });
        while self.rows.len() > ROWS {
            self.rows.pop_first();
        }
        match rng.u32(0..400) {
            0 => self.sleeps_until = begins + rng.i64(1..6) * 24 * HOUR,
            1 => self.delisted = rng.u32(0..4) == 0,
            2 | 3 => self.restate(rng, kind),
            _ => {}
        }
    }

    /// A row of the past is another now; each at most once.
    fn restate(&mut self, rng: &mut Rng, kind: Kind) {
        let back = rng.usize(1..3);
        let Some((_, row)) = self.rows.iter_mut().rev().nth(back) else { return };
        if row.restated || (kind == Kind::Hourly && !row.calls) {
            return;
        }
        (row.stance, row.restated) = (opposite(row.stance), true);
    }

    fn turn(&mut self, begins: i64) {
        self.stance = opposite(self.stance);
        if let Some(row) = self.rows.get_mut(&begins) {
            (row.stance, row.calls) = (self.stance, true);
        }
    }
}

fn period(kind: Kind) -> i64 {
    if kind == Kind::Hourly { HOUR } else { 24 * HOUR }
}

fn number(stance: Stance) -> f64 {
    if stance == Stance::Bullish { 1.0 } else { -1.0 }
}

fn observation(kind: Kind, token: TokenId, at: i64, row: Row) -> Observation {
    let call = number(row.stance);
    let (signal, trend, position) = match kind {
        Kind::Hourly => (if row.calls { call } else { 0.0 }, None, Some(if row.stance == Stance::Bullish { 1.0 } else { 0.0 })),
        _ => (call, Some(call), None),
    };
    Observation { token, data_time: Timestamp::from_millis(at), signal: Some(signal), trend, position, values: Values::default() }
}
