//! Those who follow the market, from one seed: every way to be told, in zones whose clocks jump.

use bellwether::domain::{Confirmation, Delivery, DigestTime, Direction, Kind, PollShare, QuietHours, Settings, Target, TokenId, Zone};
use fastrand::Rng;
use std::collections::BTreeSet;

const ZONES: &[&str] = &[
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "America/Havana",
    "Pacific/Apia",
];
const NIGHTS: &[&str] = &["22:00-07:00", "23:30-06:15", "00:15-08:00", "12:00-14:00"];
const DIGEST_TIMES: &[&str] = &["09:00", "00:00", "mon 02:30", "sun 18:00"];

/// Somebody, who wants the same for all of it.
#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) settings: Settings,
    pub(crate) kind: Kind,
    pub(crate) targets: Vec<Target>,
    pub(crate) direction: Direction,
    pub(crate) delivery: Delivery,
}

/// How many in a hundred want what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Mix {
    pub(crate) hourly_digests: u32,
    pub(crate) daily_digests: u32,
    pub(crate) weekly_digests: u32,
    pub(crate) quiet: u32,
    /// Nobody changes a limit or a direction.
    pub(crate) usual_limits: bool,
}

impl Person {
    pub(crate) fn new(rng: &mut Rng, mix: Mix, tokens: i64) -> Self {
        let all = rng.u32(0..3) == 0;
        let tokens: BTreeSet<TokenId> = (0..rng.usize(1..6)).map(|_| TokenId(rng.i64(1..=tokens))).collect();
        let usual = Settings::default();
        let quiet_hours = (rng.u32(0..100) < mix.quiet).then(|| QuietHours::parse(rng.choice(NIGHTS).unwrap()).unwrap());
        let kind = if rng.u32(0..3) == 0 { Kind::Hourly } else { Kind::Daily };
        let passes = rng.u32(0..5) == 0;
        let (max_per_hour, cooldown) = (*rng.choice(&[0, 1, 2, 10, 10, 10]).unwrap(), *rng.choice(&[0, 0, 0, 30, 240, 3000]).unwrap());
        let polls = PollShare::new(2, 3).map(Confirmation::Polls).unwrap();
        let ways = [Confirmation::AtOnce, Confirmation::AtOnce, Confirmation::Minutes(45), Confirmation::Minutes(300), polls];
        let confirmation = *rng.choice(&ways).unwrap();
        let settings = Settings {
            max_per_hour: if mix.usual_limits { usual.max_per_hour } else { max_per_hour },
            cooldown_minutes: if mix.usual_limits { usual.cooldown_minutes } else { cooldown },
            confirmation: if mix.usual_limits { usual.confirmation } else { confirmation },
            timezone: Zone::parse(rng.choice(ZONES).unwrap()).unwrap(),
            quiet_hours,
            quiet_bypass: passes.then_some(kind).into_iter().collect(),
            digest_time: DigestTime::parse(rng.choice(DIGEST_TIMES).unwrap()).unwrap(),
            charts: None,
            provenance: false,
        };
        let chance = rng.u32(0..100);
        let delivery = match chance {
            _ if chance < mix.hourly_digests => Delivery::DigestHourly,
            _ if chance < mix.hourly_digests + mix.daily_digests => Delivery::DigestDaily,
            _ if chance < mix.hourly_digests + mix.daily_digests + mix.weekly_digests => Delivery::DigestWeekly,
            _ => Delivery::Instant,
        };
        let direction = *rng.choice(&[Direction::Any, Direction::Any, Direction::Any, Direction::Bullish]).unwrap();
        let direction = if mix.usual_limits { Direction::Any } else { direction };
        let targets = if all { vec![Target::All] } else { tokens.into_iter().map(Target::Token).collect() };
        Self { settings, kind, targets, direction, delivery }
    }

    pub(crate) fn follows(&self, kind: Kind, token: TokenId) -> bool {
        self.kind == kind && self.targets.iter().any(|target| matches!(target, Target::All) || *target == Target::Token(token))
    }
}
