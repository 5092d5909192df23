//! One life: what happens happens, and the parts of the product are stepped in an order that the seed chooses, while the clock goes from one thing
//! that is due to the next.

use super::{
    agenda::{self, Agenda, DAYS, Death, Event, Misfortune},
    disk::{Disk, Refusal},
    gate::Gate,
    market::Market,
    people::{Pressed, Wish},
    places,
    process::{Fakes, Log, Process, Terms},
    sabotage::Sabotage,
    sky::Sky,
};
use bellwether::{
    clock::{Clock, ManualClock},
    domain::Timestamp,
};
use fastrand::Rng;
use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

const HOUR: Duration = Duration::from_secs(3600);
/// How long after the last misfortune everything is waited for.
const CALM: Duration = Duration::from_secs(14 * 24 * 3600);
/// The source is asked for so long in the calm: long enough for every kind.
const CALM_POLLS: Duration = Duration::from_secs(9 * 3600);

/// What the database does to the process that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doom {
    None,
    /// The process dies where the database fails, or where the sky says.
    Dies,
    /// The database fails once and is mended.
    Blackout,
}

pub(super) struct Life {
    pub(super) sky: Arc<Sky>,
    pub(super) disk: Disk,
    pub(super) fakes: Fakes,
    pub(super) market: Market,
    pub(super) log: Log,
    pub(super) terms: Terms,
    pub(super) deaths: Vec<Timestamp>,
    pub(super) jumped: bool,
    /// The product's time when its clock was set to another one.
    pub(super) jumped_at: Timestamp,
    pub(super) gone: BTreeSet<String>,
    pub(super) moved: bool,
    /// What was said on Telegram: in which chat, and the update.
    pub(super) commands: Vec<(i64, i64, String)>,
    /// What was pressed on Telegram.
    pub(super) presses: Vec<Pressed>,
    /// What was typed or pressed on Discord: by the interaction's number, the first answer to each time that it came; none where the process died.
    pub(super) typed: BTreeMap<u64, Vec<Option<Value>>>,
    /// The interaction that came last.
    pub(super) came_last: u64,
    /// The process died before it had replaced "thinking…" for these.
    pub(super) cut_off: Vec<u64>,
    pub(super) wishes: Vec<Wish>,
    /// The time of the world; the product's clock may be wrong.
    pub(super) time: Arc<ManualClock>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) rng: Rng,
    pub(super) agenda: Agenda,
    pub(super) process: Option<Process>,
    pub(super) doom: Doom,
    pub(super) interactions: u64,
    /// A chat's updates are not carried out yet, and when that is tried again.
    pub(super) open: Option<(i64, Timestamp)>,
    pub(super) poller_next: Timestamp,
    /// A poll is under way, and after so many seconds it is looked at again.
    pub(super) polling: bool,
    pub(super) patience: u32,
    pub(super) polls: bool,
    /// After so many seconds what is due and cannot be done is looked at again.
    pub(super) overdue: u32,
    /// What the database was found to say of what is due; none once a step may have changed that.
    pub(super) dues: Option<Vec<i64>>,
}

impl Life {
    pub(super) fn new(seed: u64, sabotage: Option<Sabotage>) -> Self {
        let disk = Disk::new();
        let begin = places::begin();
        let (time, clock) = (Arc::new(ManualClock::new(begin)), Arc::new(ManualClock::new(begin)));
        let fakes = Fakes::start(&time);
        let sky = Sky::new(seed, Arc::clone(&time), Arc::clone(&clock));
        // From here on every choice comes from the seed, also those that the product makes.
        fastrand::seed(seed);
        if let Some(sabotage) = sabotage {
            sky.sabotage(sabotage);
            disk.change(sabotage.sql());
        }
        let mut rng = Rng::with_seed(seed);
        let market = Market::new(fakes.source.clone(), &mut rng, begin);
        let agenda = agenda::draw(&mut rng);
        let budget = [450, 600, 900][rng.usize(0..3)];
        let terms = Terms { budget, at_once: [1, 4][rng.usize(0..2)], gate: Gate::default(), renewed: BTreeSet::new() };
        super::misfortune::furnish(&fakes);
        let (weather, witness) = sky.over_discord();
        fakes.discord.observe(weather, witness);
        let (weather, witness) = sky.over_telegram();
        fakes.telegram.observe(weather, witness);
        fakes.source.observe(sky.over_source());
        let log = Log::start(&sky);
        let process = Some(Process::start(&disk.url, &clock, &fakes, &sky, &terms));
        let mut life = Self {
            sky,
            disk,
            fakes,
            market,
            log,
            terms,
            deaths: Vec::new(),
            jumped: false,
            jumped_at: Timestamp::EPOCH,
            gone: BTreeSet::new(),
            moved: false,
            commands: Vec::new(),
            presses: Vec::new(),
            typed: BTreeMap::new(),
            came_last: 0,
            cut_off: Vec::new(),
            wishes: Vec::new(),
            time,
            clock,
            rng,
            agenda,
            process,
            doom: Doom::None,
            interactions: 1_441_500_000_000_000,
            open: None,
            poller_next: Timestamp::EPOCH,
            polling: false,
            patience: 2,
            polls: true,
            overdue: 0,
            dues: None,
        };
        life.look_at_wishes();
        life
    }

    /// All of it, until nothing is due any more.
    pub(super) fn live(&mut self) {
        let end = places::begin() + 24 * HOUR * u32::try_from(DAYS).unwrap();
        while self.time.now() < end {
            while let Some(event) = self.agenda.first_entry().filter(|event| event.key().0 <= self.time.now()) {
                let event = event.remove();
                self.happen(event);
            }
            self.work();
            let next = self.agenda.keys().next().map_or(end, |(at, _)| *at);
            self.pass_until(next.min(end));
        }
        self.calm();
    }

    fn calm(&mut self) {
        self.sky.note("calm");
        self.sky.clear();
        self.disk.mend_now();
        self.doom = Doom::None;
        let late: Vec<Event> = std::mem::take(&mut self.agenda).into_values().collect();
        // What has not begun does not end: nobody is given a new token in the place of one that is good.
        let begins = |of: &Misfortune| late.iter().any(|event| matches!(event, Event::Misfortune(other, true) if other == of));
        let ends = |event: &Event| match event {
            Event::Misfortune(of, false) => !begins(of),
            Event::Withholds(_, false) => true,
            _ => false,
        };
        for event in late.iter().filter(|event| ends(event)) {
            self.happen(event.clone());
        }
        let began = self.time.now();
        let mut rounds = 0;
        while self.time.now() < began + CALM {
            self.polls = self.time.now() < began + CALM_POLLS;
            self.work();
            self.keep_house();
            let dues = self.dues();
            let waits =
                [dues.discord, dues.telegram, dues.alerts, dues.feeds.filter(|_| self.polls)].into_iter().flatten().next().is_some();
            if !waits && !self.polls && self.open.is_none() && self.clock.sleepers().is_empty() {
                break;
            }
            self.pass_until(began + CALM);
            rounds += 1;
            assert!(rounds < 4_000, "the product does not come to rest: {dues:?}");
        }
    }

    fn happen(&mut self, event: Event) {
        self.sky.note(format!("{event:?}"));
        let now = self.time.now();
        match event {
            Event::Turns(tokens) => tokens.into_iter().for_each(|token| self.market.turn(token, now)),
            Event::Restates(token) => self.market.restate(token),
            Event::Withholds(token, withheld) => self.market.withhold(token, withheld),
            Event::Storm(platform, strength) => self.sky.storm(platform, strength),
            Event::Dies(Death::Now) => self.die(),
            Event::Dies(Death::AtRequest { after, carried_out }) => {
                self.doom = Doom::Dies;
                self.sky.die_after(after, carried_out);
            }
            Event::Dies(Death::AtWrite { after }) => {
                self.doom = Doom::Dies;
                self.disk.fail_after(after, Refusal::Statement);
            }
            Event::Blackout { writes, full } => {
                if self.doom == Doom::None {
                    self.doom = Doom::Blackout;
                    self.disk.fail_after(writes, if full { Refusal::Transaction } else { Refusal::Statement });
                }
            }
            Event::Misfortune(misfortune, begins) => self.befall(misfortune, begins),
            Event::Says { person, chat, topic, words, again } => self.say(person, chat, topic, words, again),
            Event::Types { command, again } => self.type_command(&command, again),
            Event::Comes { id, interaction } => self.comes(id, interaction),
            Event::Presses { by: Some(by), label, back, again } => self.press_on_telegram(by, label, back, again),
            Event::Presses { by: None, label, back, again } => self.press_on_discord(label, back, again),
            Event::Jump(minutes) => {
                (self.jumped, self.jumped_at) = (true, self.clock.now());
                self.clock.set(Timestamp::from_millis(self.clock.now().as_millis() + minutes * 60_000));
            }
            Event::Housekeeping => self.keep_house(),
        }
    }

    fn keep_house(&mut self) {
        let _ = self.drive("housekeeping", async |works| works.parts.housekeeping.step().await.map_err(|error| error.to_string()));
    }

    /// What the product's clock shows.
    pub(super) fn clock_now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn chance(&mut self, of: u32) -> bool {
        self.rng.u32(0..of) == 0
    }

    /// Something of this chat waits to be taken.
    pub(super) fn opens(&mut self, chat: i64) {
        let now = self.time.now();
        self.open.get_or_insert((chat, now));
    }

    pub(super) fn pass(&mut self, time: Duration) {
        self.time.advance(time);
        self.clock.advance(time);
    }
}
