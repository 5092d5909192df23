//! How much people are told, beside a bot that tells every difference at once; and a year of the simulated market with the store.

use crate::{simulation, table::Table};
use std::time::{Duration, Instant};

const PEOPLE: usize = 1000;
const YEAR: u32 = 52;

pub(crate) fn noise(table: &mut Table) {
    let noises = simulation::noise(PEOPLE);
    for (who, noise, reach) in [
        ("1,000 people", noises.everybody, Some(60)),
        ("those told at once", noises.at_once, Some(35)),
        ("those who chose one to five tokens", noises.chose_tokens, None),
    ] {
        let saved = 100.0 * (1.0 - noise.told as f64 / noise.raw as f64);
        let what = format!("four weeks of {who}, messages against every raw change");
        let measured = format!("{saved:.0} % fewer ({} instead of {})", noise.told, noise.raw);
        match reach {
            Some(fewer) => table.reach(&what, &format!("at least {fewer} % fewer"), measured, saved >= f64::from(fewer)),
            None => table.tell(&what, measured),
        }
    }
}

/// Each seed a year, held against every rule of `tests/it/simulation`; `BELLWETHER_SIMULATION=seeds:20` runs so many.
pub(crate) async fn year(table: &mut Table) {
    for seed in simulation::seeds(1) {
        let began = Instant::now();
        let messages = simulation::in_both(seed, YEAR).await;
        let took = began.elapsed();
        let measured = format!("{:.1} s, {messages} messages, nothing false, missing or double", took.as_secs_f64());
        table.reach(&format!("a simulated year with the store, seed {seed}"), "under 60 s", measured, took < Duration::from_secs(60));
    }
}
