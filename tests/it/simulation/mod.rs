//! Weeks in the life of a market and of those who follow it, from a seed: whatever happens, nobody is told what is not so, nobody twice, nobody
//! misses how it ended, and nobody is woken.
//!
//! `BELLWETHER_SIMULATION=seed:7` replays one seed, and is what a failing one prints; `BELLWETHER_SIMULATION=seeds:1000` runs more of them.

mod judge;
mod market;
mod people;
mod worlds;

use bellwether::domain::{Delivery, Kind, Snapshot, Stance, Target, Timestamp, TokenId};
use fastrand::Rng;
use judge::{Judge, Reader};
use market::Market;
use people::{Mix, Person};
use std::{collections::BTreeMap, io::Write, time::Duration};
use worlds::{Database, Memory, Message};

const PEOPLE: usize = 12;
/// Few tokens, to each of which much happens.
const TOKENS: i64 = 24;
/// As many as `all` means (`BELLWETHER_ALL_TOKENS`).
const WHOLE_MARKET: i64 = 100;
const MIX: Mix = Mix { hourly_digests: 15, daily_digests: 15, weekly_digests: 10, quiet: 50, usual_limits: false };
const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);
/// Weeks in which clocks are put forward or back somewhere, and one in which none is.
const STARTS: &[&str] =
    &["2026-03-06T00:00:00Z", "2026-03-25T00:00:00Z", "2026-10-01T00:00:00Z", "2026-10-22T00:00:00Z", "2026-11-25T00:00:00Z"];

/// Everything that happens under one seed.
struct Life {
    markets: BTreeMap<Kind, Market>,
    readers: BTreeMap<Kind, Reader>,
    judges: Vec<Judge>,
    people: Vec<Person>,
    start: Timestamp,
}

impl Life {
    fn new(seed: u64, people: usize, mix: Mix, tokens: i64) -> Self {
        let mut rng = Rng::with_seed(seed);
        let start = Timestamp::parse(rng.choice(STARTS).unwrap()).unwrap();
        let people: Vec<_> = (0..people).map(|_| Person::new(&mut rng, mix, tokens)).collect();
        let kinds = [Kind::Daily, Kind::Hourly];
        Self {
            markets: kinds.map(|kind| (kind, Market::new(rng.u64(..), kind, start, tokens))).into(),
            readers: kinds.map(|kind| (kind, Reader::default())).into(),
            judges: people.iter().cloned().map(Judge::new).collect(),
            people,
            start,
        }
    }

    /// The polls of so many weeks: the daily feed every six hours, the hourly one every three.
    fn polls(&self, weeks: u32) -> impl Iterator<Item = (Timestamp, Kind)> + use<> {
        let start = self.start;
        let minutes = |minutes: u32| Duration::from_secs(u64::from(minutes) * 60);
        (0..weeks * 7 * 8).flat_map(move |step| {
            let at = start + minutes(step * 180 + 7);
            let daily = (step % 2 == 0).then_some((at, Kind::Daily));
            daily.into_iter().chain([(at + minutes(1), Kind::Hourly)])
        })
    }

    /// Messages of one time, as everybody got them.
    fn judge(&mut self, messages: &[Message]) {
        for same in messages.chunk_by(|a, b| (a.0, a.1) == (b.0, b.1)) {
            let (person, at, _) = same[0];
            let bodies: Vec<_> = same.iter().map(|(_, _, body)| body.clone()).collect();
            self.judges[person].hear_all(&self.readers[&self.people[person].kind], at, &bodies);
        }
    }

    fn end(&self) {
        for (judge, person) in self.judges.iter().zip(&self.people) {
            judge.knows(&self.readers[&person.kind]);
        }
    }

    fn answer(&mut self, kind: Kind, at: Timestamp) -> Snapshot {
        let reader = &self.readers[&kind];
        self.markets.get_mut(&kind).unwrap().answer(at, &reader.newest(), &reader.believed())
    }
}

/// Through the engine alone.
fn in_memory(seed: u64, weeks: u32) -> usize {
    let mut life = Life::new(seed, PEOPLE, MIX, TOKENS);
    let mut world = Memory::new(&life.people, life.start);
    for (at, kind) in life.polls(weeks) {
        life.judge(&world.until(at));
        let answer = life.answer(kind, at);
        life.readers.get_mut(&kind).unwrap().read(&answer, at);
        life.judge(&world.poll(&answer, at));
    }
    life.judge(&world.until(life.start + weeks * WEEK + 2 * WEEK));
    life.end();
    life.judges.iter().map(|judge| judge.messages).sum()
}

/// What the same people get from a bot that tells every difference between two answers at once, beside what they get from this one.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Noise {
    pub(crate) raw: usize,
    pub(crate) told: usize,
}

/// By whom they are counted.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Noises {
    pub(crate) everybody: Noise,
    /// Those who want to be told at once.
    pub(crate) at_once: Noise,
    /// Those who chose a handful of tokens: with them there is little to join.
    pub(crate) chose_tokens: Noise,
}

impl Noises {
    fn of(&mut self, person: &Person) -> impl Iterator<Item = &mut Noise> {
        let at_once = (person.delivery == Delivery::Instant).then_some(&mut self.at_once);
        let chose_tokens = (!person.targets.contains(&Target::All)).then_some(&mut self.chose_tokens);
        [Some(&mut self.everybody), at_once, chose_tokens].into_iter().flatten()
    }
}

/// Four weeks of so many people, whose limits are the usual ones.
pub(crate) fn noise(people: usize) -> Noises {
    let mix = Mix { hourly_digests: 20, daily_digests: 15, weekly_digests: 5, quiet: 33, usual_limits: true };
    let mut life = Life::new(1, people, mix, WHOLE_MARKET);
    let mut world = Memory::new(&life.people, life.start);
    let mut last: BTreeMap<(Kind, TokenId), Stance> = BTreeMap::new();
    let mut noises = Noises::default();
    for (at, kind) in life.polls(4) {
        life.judge(&world.until(at));
        let answer = life.answer(kind, at);
        for (token, stance) in newest_calls(&answer) {
            if last.insert((kind, token), stance).is_some_and(|before| before != stance) {
                for person in life.people.iter().filter(|person| person.follows(kind, token)) {
                    noises.of(person).for_each(|noise| noise.raw += 1);
                }
            }
        }
        life.readers.get_mut(&kind).unwrap().read(&answer, at);
        life.judge(&world.poll(&answer, at));
    }
    life.judge(&world.until(life.start + 6 * WEEK));
    life.end();
    for (person, judge) in life.people.iter().zip(&life.judges) {
        noises.of(person).for_each(|noise| noise.told += judge.messages);
    }
    noises
}

/// The newest call of each token in an answer, as it stands there.
fn newest_calls(answer: &Snapshot) -> BTreeMap<TokenId, Stance> {
    let mut rows: Vec<_> = answer.observations.iter().collect();
    rows.sort_by_key(|row| row.data_time);
    let call = |signal: Option<f64>| match signal {
        Some(1.0) => Some(Stance::Bullish),
        Some(-1.0) => Some(Stance::Bearish),
        _ => None,
    };
    rows.into_iter().filter_map(|row| Some((row.token, call(row.signal)?))).collect()
}

/// Through the store, beside the engine alone: both say the same to everybody, at the same time.
pub(crate) async fn in_both(seed: u64, weeks: u32) -> usize {
    let mut life = Life::new(seed, PEOPLE, MIX, TOKENS);
    let mut memory = Memory::new(&life.people, life.start);
    let mut database = Database::new(&life.people, life.start, TOKENS).await;
    for (at, kind) in life.polls(weeks) {
        let held = database.until(at).await;
        assert_eq!(held, memory.until(at), "before {at}");
        life.judge(&held);
        let answer = life.answer(kind, at);
        life.readers.get_mut(&kind).unwrap().read(&answer, at);
        let told = database.poll(&answer, at).await;
        assert_eq!(told, memory.poll(&answer, at), "at {at}");
        life.judge(&told);
    }
    let end = life.start + weeks * WEEK + 2 * WEEK;
    let held = database.until(end).await;
    assert_eq!(held, memory.until(end), "at the end");
    life.judge(&held);
    life.end();
    life.judges.iter().map(|judge| judge.messages).sum()
}

/// The seeds to run: those of the environment, else the first so many.
pub(crate) fn seeds(usual: u64) -> Vec<u64> {
    let wanted = std::env::var("BELLWETHER_SIMULATION").unwrap_or_default();
    match wanted.split_once(':').map(|(what, number)| (what, number.parse().unwrap())) {
        Some(("seed", seed)) => vec![seed],
        Some(("seeds", count)) => (0..count).collect(),
        _ => (0..usual).collect(),
    }
}

/// A seed that fails says which it is, on a line of its own.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut stderr = std::io::stderr();
            writeln!(stderr, "to replay it: BELLWETHER_SIMULATION=seed:{}", self.0).unwrap();
        }
    }
}

#[test]
fn two_weeks_through_the_engine() {
    for seed in seeds(200) {
        let _named = Named(seed);
        assert!(in_memory(seed, 2) > 0);
    }
}

#[tokio::test]
async fn four_weeks_through_the_store() {
    for seed in seeds(10) {
        let _named = Named(seed);
        assert!(in_both(seed, 4).await > 0);
    }
}

#[test]
fn people_are_told_less_than_by_a_bot_that_tells_every_difference() {
    let Noises { everybody, at_once, chose_tokens } = noise(60);
    assert!(everybody.told * 100 <= everybody.raw * 40, "{everybody:?}");
    assert!(at_once.told * 100 <= at_once.raw * 65, "{at_once:?}");
    assert!(chose_tokens.told * 100 <= chose_tokens.raw * 80, "{chose_tokens:?}");
}

/// Whoever judges must see what is wrong: the first alert of a life is false, or told twice.
#[test]
fn the_judge_is_not_blind() {
    use bellwether::domain::MessageBody;
    use market::opposite;

    let heard = |bodies: &dyn Fn(&MessageBody) -> Vec<MessageBody>| {
        let mut life = Life::new(3, PEOPLE, Mix { usual_limits: true, quiet: 0, ..MIX }, TOKENS);
        let mut world = Memory::new(&life.people, life.start);
        let mut first = None;
        for (at, kind) in life.polls(2) {
            let answer = life.answer(kind, at);
            life.readers.get_mut(&kind).unwrap().read(&answer, at);
            let told = world.poll(&answer, at);
            first = told.into_iter().find(|(_, _, body)| matches!(body, MessageBody::Alert { .. }));
            if first.is_some() {
                break;
            }
        }
        let (person, at, body) = first.unwrap();
        let bodies = bodies(&body);
        let mut judge = Judge::new(life.people[person].clone());
        let reader = &life.readers[&life.people[person].kind];
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| judge.hear_all(reader, at, &bodies))).is_ok()
    };
    let turned_over = |body: &MessageBody| match body.clone() {
        MessageBody::Alert { mut call, buttons, instead_of } => {
            call.to = opposite(call.to);
            MessageBody::Alert { call, buttons, instead_of }
        }
        other => other,
    };
    assert!(heard(&|body| vec![body.clone()]), "as it is");
    assert!(!heard(&|body| vec![turned_over(body)]), "it is false");
    assert!(!heard(&|body| vec![body.clone(), body.clone()]), "it is told twice");
}
