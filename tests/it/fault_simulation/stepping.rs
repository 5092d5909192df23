//! Stepping the product: which part is next, when something is due again, and how a step ends that is not let end by itself.

use super::{
    disk::{DOOM, Disk},
    life::{Doom, Life},
    process::{Process, Terms, Works},
};
use bellwether::{
    clock::{Clock, ManualClock},
    domain::Timestamp,
};
use fastrand::Rng;
use std::{
    pin::pin,
    sync::{Arc, LazyLock},
    time::Duration,
};

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);
/// Rounds at one moment; more means that the product does not come to rest.
const MOST_ROUNDS: usize = 400;

/// When messages of both platforms, alerts and feeds are due; never is a time far away.
static DUES: LazyLock<String> = LazyLock::new(|| {
    const NOT_BEFORE: &str = "CASE WHEN d.rest_until > m.next_attempt_at THEN d.rest_until ELSE m.next_attempt_at END";
    let messages = |platform: &str| {
        format!(
            "SELECT MIN(MAX({NOT_BEFORE}, COALESCE(m.lease_until, 0), COALESCE(d.next_probe_at, 0))) FROM messages m JOIN destinations d
             ON d.id = m.destination_id WHERE m.state = 'queued' AND m.platform = '{platform}'"
        )
    };
    let alerts = "SELECT MIN(MAX(a.release_at, COALESCE(d.next_probe_at, 0))) FROM alerts a JOIN destinations d ON d.id = a.destination_id
        WHERE a.state = 'pending' AND NOT EXISTS (SELECT 1 FROM messages m WHERE m.destination_id = d.id AND m.state = 'queued'
            AND (m.lane = 1 OR (m.lane = 2 AND NOT (a.lane = 1 AND a.decision = 'send'))))";
    let never = Timestamp::NEVER.as_millis();
    format!(
        "SELECT COALESCE(({}), {never}) UNION ALL SELECT COALESCE(({}), {never}) UNION ALL SELECT CASE WHEN EXISTS (SELECT 1 FROM fanout_jobs)
         THEN 0 ELSE COALESCE(({alerts}), {never}) END UNION ALL SELECT COALESCE((SELECT MIN(next_poll_at) FROM feeds WHERE NOT stopped), {never})",
        messages("discord"),
        messages("telegram")
    )
});

/// When something is due by what the database says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Dues {
    pub(super) discord: Option<Timestamp>,
    pub(super) telegram: Option<Timestamp>,
    pub(super) alerts: Option<Timestamp>,
    pub(super) feeds: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Updates,
    Answers,
    Poller,
    Flow,
    Discord,
    Telegram,
}

impl Life {
    /// Does what is due, in an order of the seed's, as often as that makes something else due.
    pub(super) fn work(&mut self) {
        let mut before = None;
        for _ in 0..MOST_ROUNDS {
            self.market.publish(self.time.now());
            let dues = self.dues();
            let mut parts = self.wanted(dues);
            if parts.is_empty() {
                return;
            }
            self.rng.shuffle(&mut parts);
            let mut worked = false;
            for part in parts {
                worked |= self.step(part);
            }
            if !worked && before.replace(dues) == Some(dues) {
                return;
            }
        }
        panic!("the product does not come to rest: {:?}", self.dues());
    }

    fn wanted(&self, dues: Dues) -> Vec<Part> {
        let now = self.clock.now();
        let is_due = |at: Option<Timestamp>| at.is_some_and(|at| at <= now);
        let updates = self.open.is_some_and(|(_, at)| at <= self.time.now());
        let poller = self.polls && (self.poller_next <= now || (!self.polling && is_due(dues.feeds)));
        let wanted = [
            (Part::Updates, updates),
            (Part::Answers, self.clock.sleepers().iter().any(|at| *at <= now)),
            (Part::Poller, poller),
            (Part::Flow, is_due(dues.alerts)),
            (Part::Discord, is_due(dues.discord)),
            (Part::Telegram, is_due(dues.telegram)),
        ];
        wanted.into_iter().filter(|(_, is_wanted)| *is_wanted).map(|(part, _)| part).collect()
    }

    fn step(&mut self, part: Part) -> bool {
        self.sky.note(format!("step {part:?}"));
        match part {
            Part::Updates => self.step_updates(),
            Part::Answers => {
                let clock = Arc::clone(&self.clock);
                let _ = self.drive("answers", async |works| {
                    rest(works, &clock).await;
                    Ok(())
                });
                false
            }
            Part::Poller => {
                let calls = self.sky.source_calls().len();
                let polling = self.drive("poller", async |works| {
                    works.parts.poller.step().await.map_err(|error| error.to_string())?;
                    Ok(works.parts.poller.is_polling())
                });
                // Between polls it looks around twice a second; what that could find is known here. A poll that waits is looked at ever more rarely.
                self.polling = polling.unwrap_or(true);
                self.patience = if self.sky.source_calls().len() > calls { 2 } else { (2 * self.patience).min(64) };
                self.poller_next = if self.polling { self.clock.now() + SECOND * self.patience } else { Timestamp::NEVER };
                false
            }
            Part::Flow => {
                let step = self.drive("flow", async |works| works.parts.flow.step().await.map_err(|error| error.to_string()));
                step.is_some_and(|written| written > 0)
            }
            Part::Discord | Part::Telegram => {
                let index = usize::from(part == Part::Telegram);
                let what = if self.terms.at_once == 1 { "one deliverer" } else { "deliverers" };
                let drained =
                    self.drive(what, async |works| works.parts.deliverers[index].drain().await.map_err(|error| error.to_string()));
                drained.is_some_and(|round| round.started > 0)
            }
        }
    }

    fn step_updates(&mut self) -> bool {
        let Some((chat, _)) = self.open else { return false };
        let updates =
            self.drive("updates", async |works| works.parts.updates.as_ref().unwrap().step().await.map_err(|error| error.to_string()));
        self.open = match updates {
            Some(0) => None,
            Some(_) => Some((chat, self.time.now())),
            None => Some((chat, self.time.now() + 20 * SECOND)),
        };
        self.look_at_wishes();
        matches!(updates, Some(1..))
    }

    /// The clock goes to the next thing that is due, by whatever clock, and no further than `end`.
    pub(super) fn pass_until(&mut self, end: Timestamp) {
        let (now, dues) = (self.clock.now(), self.dues());
        let polls = self.polls;
        let poller = if self.polling { Some(self.poller_next) } else { dues.feeds };
        let by_clock = [dues.discord, dues.telegram, dues.alerts, poller.filter(|_| polls)];
        // What is due and was not done waits for the platform as a whole: that is looked at again a little later, and ever more rarely.
        let is_overdue = by_clock.into_iter().flatten().any(|at| at <= now);
        self.overdue = if is_overdue { (2 * self.overdue).clamp(5, 160) } else { 0 };
        let later = now + SECOND * self.overdue;
        let waits = by_clock.into_iter().flatten().map(|at| if at <= now { later } else { at });
        let wait = waits.map(|at| at.since(now)).min();
        let open = self.open.map(|(_, at)| at.since(self.time.now()));
        let left = end.since(self.time.now());
        let answer = self.clock.sleepers().into_iter().min().map(|at| at.since(now));
        let wait = [wait, open, answer, Some(left)].into_iter().flatten().min().unwrap_or(left);
        self.pass(wait.max(Duration::from_millis(1)));
    }

    /// Asked of the database again where something may have changed it.
    pub(super) fn dues(&mut self) -> Dues {
        let far = self.clock.now() + 60 * 24 * HOUR;
        let found = self.dues.get_or_insert_with(|| self.disk.numbers(&DUES));
        let at = |index: usize| Some(Timestamp::from_millis(found[index])).filter(|at| *at < far);
        Dues { discord: at(0), telegram: at(1), alerts: at(2), feeds: at(3) }
    }

    /// Runs a piece of work to its end, to its death, or until the database fails; gives what it gave.
    pub(super) fn drive<T>(&mut self, what: &'static str, act: impl AsyncFnOnce(&mut Works) -> Result<T, String>) -> Option<T> {
        self.dues = None;
        let Process { works, runtime } = self.process.as_mut().expect("a process runs");
        let (bell, sky, disk, doom) = (Arc::clone(&self.sky.bell), Arc::clone(&self.sky), &self.disk, self.doom);
        sky.begins(what);
        let clocks = [&self.time, &self.clock];
        let (terms, rng) = (&self.terms, &mut self.rng);
        let end = runtime.block_on(async {
            let (mut act, mut conductor) = (pin!(act(works)), pin!(conduct(terms, disk, rng)));
            let mut blackouts = 0;
            loop {
                tokio::select! {
                    biased;
                    () = bell.heard() => {
                        assert_ne!(doom, Doom::None, "nothing is to fail now");
                        if doom == Doom::Dies {
                            return Err(None);
                        }
                        bell.hush();
                        disk.mend().await;
                        blackouts += 1;
                    }
                    time = sky.waits_in_vain() => {
                        sky.note(format!("nobody answers for {time:?}"));
                        clocks.iter().for_each(|clock| clock.advance(time));
                        lose_patience(time).await;
                    }
                    () = &mut conductor => {}
                    end = &mut act => return end.map(|end| (end, blackouts)).map_err(Some),
                }
            }
        });
        match end {
            Ok((end, blackouts)) => {
                if blackouts > 0 {
                    self.doom = Doom::None;
                }
                Some(end)
            }
            Err(None) => {
                self.die();
                None
            }
            Err(Some(error)) if error.contains(DOOM) => {
                self.sky.note(format!("{what} fails"));
                self.sky.bell.hush();
                self.disk.mend_now();
                if self.doom == Doom::Dies {
                    self.die();
                }
                self.doom = Doom::None;
                None
            }
            Err(Some(error)) => {
                self.sky.note(format!("{what} fails"));
                assert_eq!(what, "updates", "{error}");
                None
            }
        }
    }

    /// The process is gone from one moment to the next; after a while there is another.
    pub(super) fn die(&mut self) {
        self.sky.note("the process dies");
        let Process { works, runtime } = self.process.take().unwrap();
        if !works.parts.tracker.is_empty() {
            self.cut_off.push(self.came_last);
        }
        let guard = runtime.enter();
        drop(works);
        drop(guard);
        drop(runtime);
        self.terms.gate.clear();
        self.disk.mend_now();
        self.sky.bell.hush();
        self.sky.stop_dying();
        self.doom = Doom::None;
        let down = if self.rng.u32(0..5) == 0 { self.rng.u64(600..20_000) } else { self.rng.u64(0..100) };
        self.pass(Duration::from_secs(down));
        self.deaths.push(self.time.now());
        self.dues = None;
        self.process = Some(Process::start(&self.disk.url, &self.clock, &self.fakes, &self.sky, &self.terms));
        (self.poller_next, self.polling, self.patience) = (Timestamp::EPOCH, false, 2);
        self.open.get_or_insert((0, self.time.now()));
        self.sky.note("the process begins");
    }
}

/// Puts the runtime's own clock forward, by a little more than somebody waits.
async fn lose_patience(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time + Duration::from_millis(50)).await;
    tokio::time::resume();
}

/// Waits for what goes on behind the answers to commands, until that ends or sleeps.
pub(super) async fn rest(works: &Works, clock: &ManualClock) {
    let asleep = || clock.sleepers().into_iter().filter(|until| *until > clock.now()).count();
    while works.parts.tracker.len() > asleep() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Lets requests that are under way at once go on in an order of the seed's, one at a time, once all that were claimed have come to the gate.
async fn conduct(terms: &Terms, disk: &Disk, rng: &mut Rng) {
    if terms.at_once == 1 {
        return std::future::pending().await;
    }
    let mut idle = 0;
    loop {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let waits = terms.gate.waits();
        if !waits.is_empty() && waits == disk.claimed().await {
            terms.gate.open(waits[rng.usize(0..waits.len())]);
            idle = 0;
        }
        idle += usize::from(!waits.is_empty());
        assert!(idle < 10_000, "{waits:?} wait for a message that is claimed, and is not sent");
    }
}
