//! Days in the life of the whole product, from a seed, while everything around it fails in every way that it can: requests, chats, the source, the
//! database, the clock, the process itself. Then it is calm for as long as it takes, and everybody must know how things stand.
//!
//! One seed is one thread's work and nothing in it is chance: a seed that fails fails again in the same way. `BELLWETHER_SEED=7` replays one seed and
//! prints what happened; `BELLWETHER_SEEDS=10000` runs so many of them.

mod agenda;
mod answers;
mod disk;
mod gate;
mod judge;
mod life;
mod market;
mod misfortune;
mod people;
mod places;
mod process;
mod sabotage;
mod sky;
mod stepping;
mod words;

use crate::support::say;
use judge::judge;
use life::Life;
use sabotage::Sabotage;
use serde_json::Value;
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// So many seeds are run whatever they take, and as many more as fit in the time.
const FEWEST: u64 = 300;
const TIME: Duration = Duration::from_secs(220);
/// Lives at once for each core: a life waits half of its time for the threads of its database.
const FOR_EACH_CORE: usize = 2;
/// A long run shows that it goes on.
const STRIDE: u64 = 500;
/// After so many that failed the others say nothing new.
const MOST_FAILED: usize = 12;

/// What a life came to: what happened in it, and what was wrong.
struct Lived {
    trace: Vec<String>,
    wrong: Vec<String>,
}

fn live(seed: u64) -> Lived {
    live_with(seed, None)
}

fn live_with(seed: u64, sabotage: Option<Sabotage>) -> Lived {
    let mut life = Life::new(seed, sabotage);
    let ended = catch_unwind(AssertUnwindSafe(|| life.live()));
    let mut wrong = match &ended {
        Ok(()) => judge(&life),
        Err(panic) => vec![format!("a panic: {}", words_of(panic.as_ref()))],
    };
    let (discord, telegram) = (life.fakes.discord.unread(), life.fakes.telegram.unread());
    // Whose answer failed waits no longer.
    life.fakes.telegram.with(|world| world.presses.iter_mut().for_each(|press| press.answer = Some(Value::Null)));
    drop((discord, telegram, life.fakes.discord.take_complaints(), life.fakes.telegram.take_problems()));
    wrong.dedup();
    Lived { trace: life.sky.trace(), wrong }
}

fn words_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    text.unwrap_or_default()
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

#[test]
fn whatever_fails_everybody_knows_in_the_end() {
    if let Some(seed) = variable("BELLWETHER_SEED") {
        let Lived { trace, wrong } = live(seed);
        say(&trace.join("\n"));
        assert!(wrong.is_empty(), "seed {seed}: {wrong:#?}");
        return;
    }
    let (wanted, began) = (variable("BELLWETHER_SEEDS"), Instant::now());
    let first = variable("BELLWETHER_FIRST_SEED").unwrap_or(0);
    let (next, failed) = (AtomicU64::new(0), Mutex::new(Vec::new()));
    let is_enough = |done: u64| match wanted {
        Some(count) => done >= count,
        None => done >= FEWEST && began.elapsed() >= TIME,
    };
    let threads = FOR_EACH_CORE * std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let number = next.fetch_add(1, Ordering::SeqCst);
                    if is_enough(number) || failed.lock().unwrap().len() >= MOST_FAILED {
                        next.fetch_sub(1, Ordering::SeqCst);
                        return;
                    }
                    if number > 0 && number.is_multiple_of(STRIDE) {
                        say(&format!("{number} seeds are begun after {:.0?}", began.elapsed()));
                    }
                    let seed = first + number;
                    let Lived { wrong, .. } = live(seed);
                    if !wrong.is_empty() {
                        say(&format!(
                            "seed {seed} fails: {wrong:#?}\nto replay it: BELLWETHER_SEED={seed} cargo test --test it fault_simulation"
                        ));
                        failed.lock().unwrap().push(seed);
                    }
                }
            });
        }
    });
    let (ran, failed) = (next.into_inner(), failed.into_inner().unwrap());
    say(&format!("{ran} seeds of {} days, {} failed, {:.0?}", agenda::DAYS, failed.len(), began.elapsed()));
    assert!(failed.is_empty(), "these seeds fail: {failed:?}");
}

/// Line by line, while another life is lived beside it.
#[test]
fn a_seed_is_replayed_exactly() {
    for seed in [3, 11, 42] {
        let (here, there) = std::thread::scope(|scope| {
            let there = scope.spawn(|| live(seed));
            let beside = scope.spawn(|| live(seed + 1));
            let here = live(seed);
            beside.join().unwrap();
            (here, there.join().unwrap())
        });
        let differs = here.trace.iter().zip(&there.trace).find(|(here, there)| here != there);
        assert_eq!(differs, None, "seed {seed}");
        assert_eq!(here.trace.len(), there.trace.len(), "seed {seed}");
    }
}

/// Whoever judges must see what is wrong.
#[test]
fn the_judge_is_not_blind() {
    for sabotage in Sabotage::ALL {
        let noticed = (0..30).find(|seed| !live_with(*seed, Some(*sabotage)).wrong.is_empty());
        say(&format!("{sabotage:?} is noticed by seed {noticed:?}"));
        assert!(noticed.is_some(), "nobody notices {sabotage:?}");
    }
}
