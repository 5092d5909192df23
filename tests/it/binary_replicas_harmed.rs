//! Three processes on one PostgreSQL tell a thousand chats, answer commands and write digests for two minutes, while they are killed, paused and cut off
//! from the database at random: nothing is lost, nothing comes twice but what nobody knows the end of, and the source is asked by one of them at a time.
//! The counts are printed.

use crate::support::{
    cable::Cable,
    commands::rows,
    crowd::Crowd,
    database::TestDb,
    fake_discord::interaction::{in_private, slash},
    process::{Installation, Process, interact, until},
    say,
};
use bellwether::{
    clock::{Clock as _, SystemClock},
    domain::Timestamp,
    pipeline::deliver::MOST_IN_FLIGHT,
};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// How long it goes on.
const HARMED: Duration = Duration::from_secs(120);
/// Seconds between two polls, which the calls of a month and of a minute allow.
const POLLS: i64 = 4;
const CALLS_A_MONTH: u32 = 5_000_000;
const CALLS_A_MINUTE: usize = 20;
/// How many ask for a digest at each of these minutes.
const DIGESTS: usize = 20;
const MINUTES_OF_DIGESTS: i64 = 2;
/// Commands are typed so often.
const COMMANDS: Duration = Duration::from_millis(700);
/// The endpoint that a poll of the daily feed asks.
const DAILY: &str = "trading-signals";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harm {
    Killed,
    Paused,
    CutOff,
}

struct Replica {
    installation: Installation,
    cable: Cable,
    process: Process,
    address: String,
    /// What happened to it, and when it is made well again.
    harmed: Option<(Harm, Instant)>,
}

struct Replicas {
    crowd: Crowd,
    db: TestDb,
    all: Vec<Replica>,
    chance: fastrand::Rng,
    /// What happened to whom, with the roles that it held.
    done: Vec<(Harm, usize, Vec<String>)>,
    commands: u64,
}

#[tokio::test]
async fn whatever_happens_to_three_of_them_for_two_minutes_nothing_is_lost() {
    let Some(db) = TestDb::postgres().await else { return };
    let seed = std::env::var("BELLWETHER_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    say(&format!("three processes harmed, seed {seed}"));
    let mut replicas = Replicas::start(db, fastrand::Rng::with_seed(seed)).await;
    // What comes after their minute would be told tomorrow.
    let awaited = "SELECT CAST(COUNT(*) AS TEXT) FROM alerts a JOIN destinations d ON d.id = a.destination_id AND d.creator = 'digest'";
    let all = [replicas.crowd.digests.len().to_string()];
    assert!(
        until(|| async { (rows(&replicas.db.url, awaited).await == all).then_some(()) }).await.is_some(),
        "digests have something to tell"
    );
    replicas.live_through(HARMED).await;
    replicas.judge().await;
}

#[tokio::test]
async fn who_wakes_up_overtaken_sends_nothing_before_it_has_its_role_again() {
    const ROLE: &str = "deliverer:telegram";
    let Some(db) = TestDb::postgres().await else { return };
    let mut replicas = Replicas::start(db, fastrand::Rng::new()).await;
    replicas.crowd.hears(&replicas.all[0].process).await;
    let holder = async |replicas: &Replicas| {
        let roles = replicas.roles().await;
        roles.into_iter().find_map(|(which, roles)| roles.contains(&ROLE.to_owned()).then_some(which))
    };
    let first = until(|| holder(&replicas)).await.unwrap();
    replicas.all[first].process.signal("STOP");
    let second = until(|| async { holder(&replicas).await.filter(|which| *which != first) }).await;
    assert!(second.is_some(), "nobody takes over");
    replicas.crowd.turn();
    let waiting = "SELECT CAST(COUNT(*) AS TEXT) FROM messages WHERE platform = 'telegram' AND state = 'queued'";
    let waiting = async |replicas: &Replicas| rows(&replicas.db.url, waiting).await[0].parse::<u32>().unwrap();
    let many = until(|| async { (waiting(&replicas).await > 300).then_some(()) }).await;
    assert!(many.is_some(), "hundreds are to be told");
    // While hundreds wait everybody else is paused as well: whatever is asked for from now on is asked by whom they had overtaken.
    let others: Vec<_> = (0..3).filter(|which| *which != first).collect();
    others.iter().for_each(|which| replicas.all[*which].process.signal("STOP"));
    let fence = async |replicas: &Replicas| {
        let fence = rows(&replicas.db.url, &format!("SELECT CAST(fence AS TEXT) FROM leases WHERE name = '{ROLE}'")).await;
        fence[0].parse::<i64>().unwrap()
    };
    let asked = |replicas: &Replicas| replicas.crowd.fakes.telegram.calls("sendMessage").len();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (overtaken_by, before) = (fence(&replicas).await, asked(&replicas));
    assert!(waiting(&replicas).await > 50, "they wait still");
    replicas.all[first].process.signal("CONT");
    // A request that was begun before may still arrive; more than may be under way at once are none of those.
    let asks = until(|| async { (asked(&replicas) > before + MOST_IN_FLIGHT).then_some(()) }).await;
    assert!(asks.is_some() && fence(&replicas).await > overtaken_by, "it asked under a term that was over");
    others.iter().for_each(|which| replicas.all[*which].process.signal("CONT"));
    let answering = &replicas.all[0].process;
    replicas.crowd.settles(answering).await;
    replicas.crowd.retry_what_was_given_up(answering).await;
    for replica in std::mem::take(&mut replicas.all) {
        assert_eq!(replica.process.stop("TERM").await.code, Some(0));
    }
    replicas.crowd.tally().await.assert_holds();
}

impl Replicas {
    async fn start(db: TestDb, chance: fastrand::Rng) -> Self {
        let mut crowd = Crowd::on_postgres(db.url.clone()).await;
        // Somebody has something to be told of before the first of these minutes.
        let first = (SystemClock.now() + Duration::from_secs(100)).as_secs() / 60;
        for minute in first..first + MINUTES_OF_DIGESTS {
            let at = Timestamp::from_millis(minute * 60_000).to_utc().format("%H:%M").to_string();
            crowd.add_digest_readers(DIGESTS, &at).await;
        }
        let mut all = Vec::new();
        for _ in 0..3 {
            let cable = Cable::to(&db.url).await;
            let installation = Installation::new(&crowd.fakes, &cable.url);
            installation.fill("BELLWETHER_SCHEDULE_DAILY", &format!("*/{POLLS} * * * * *"));
            installation.fill("TOKEN_METRICS_CALLS_PER_MONTH", &CALLS_A_MONTH.to_string());
            installation.fill("TOKEN_METRICS_CALLS_PER_MINUTE", &CALLS_A_MINUTE.to_string());
            let (process, address) = installation.serve().await;
            all.push(Replica { installation, cable, process, address, harmed: None });
        }
        crowd.turn();
        Self { crowd, db, all, chance, done: Vec::new(), commands: 7_000 }
    }

    async fn live_through(&mut self, time: Duration) {
        let begun = Instant::now();
        let mut next_harm = begun + Duration::from_secs(2);
        while begun.elapsed() < time {
            let now = Instant::now();
            self.mend(|until| until <= now).await;
            if now >= next_harm {
                self.harm().await;
                next_harm = now + Duration::from_millis(self.chance.u64(2_000..7_000));
            }
            // Not more than two at a time: four that wait are a summary.
            if self.crowd.may_turn() && self.crowd.is_nearly_done() {
                self.crowd.turn();
            }
            self.asks().await;
            self.crowd.listen();
            tokio::time::sleep(COMMANDS).await;
        }
        self.mend(|_| true).await;
    }

    /// One that is well, if another is: more often than by chance whoever holds a role. Each harm comes in its turn.
    async fn harm(&mut self) {
        let well: Vec<_> = (0..self.all.len()).filter(|which| self.all[*which].harmed.is_none()).collect();
        if well.len() < 2 {
            return;
        }
        let roles = self.roles().await;
        let holders: Vec<_> = well.iter().copied().filter(|which| roles.contains_key(which)).collect();
        let among = if holders.is_empty() || self.chance.bool() { &well } else { &holders };
        let which = among[self.chance.usize(..among.len())];
        let harm = [Harm::Killed, Harm::Paused, Harm::CutOff][self.done.len() % 3];
        let replica = &mut self.all[which];
        match harm {
            Harm::Killed => replica.process.signal("KILL"),
            Harm::Paused => replica.process.signal("STOP"),
            Harm::CutOff => replica.cable.cut(),
        }
        // Some are well again before another may take over, and some long after.
        replica.harmed = Some((harm, Instant::now() + Duration::from_millis(self.chance.u64(1_000..25_000))));
        self.done.push((harm, which, roles.get(&which).cloned().unwrap_or_default()));
    }

    /// Makes those well again whose time has come.
    async fn mend(&mut self, is_time: impl Fn(Instant) -> bool) {
        for replica in &mut self.all {
            let Some((harm, _)) = replica.harmed.filter(|(_, until)| is_time(*until)) else { continue };
            match harm {
                Harm::Killed => (replica.process, replica.address) = replica.installation.serve().await,
                Harm::Paused => replica.process.signal("CONT"),
                Harm::CutOff => replica.cable.mend(),
            }
            replica.harmed = None;
        }
    }

    /// The roles that each of them holds, as the database says.
    async fn roles(&self) -> BTreeMap<usize, Vec<String>> {
        let now = SystemClock.now().as_millis();
        let sql = format!("SELECT name, holder FROM leases WHERE expires_at > {now} AND name NOT LIKE 'replica:%'");
        let mut roles: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for row in rows(&self.db.url, &sql).await {
            let (role, holder) = row.split_once('|').unwrap();
            let which = self.all.iter().position(|replica| holder.starts_with(&format!("{}-", replica.process.id())));
            which.into_iter().for_each(|which| roles.entry(which).or_default().push(role.to_owned()));
        }
        roles
    }

    /// Whoever is well answers a command, whatever happens to the others.
    async fn asks(&mut self) {
        let well: Vec<_> = self.all.iter().filter(|replica| replica.harmed.is_none()).collect();
        let Some(replica) = well.get(self.chance.usize(..well.len().max(1))) else { return };
        self.commands += 1;
        let (status, answer) = interact(&replica.address, &in_private(self.commands, slash("signal", &[("token", "ALFA")]))).await;
        let is_answered = answer["type"] == 5 || answer.to_string().contains("ALFA");
        assert!(status == 200 && is_answered, "{status} {answer}\n{:?}\n{}", self.done, replica.process.log());
    }

    async fn judge(mut self) {
        let answering = &self.all[0].process;
        self.crowd.settles(answering).await;
        self.crowd.retry_what_was_given_up(answering).await;
        // What each chat knows is right: a turn back is news for all.
        self.crowd.turn_back();
        self.crowd.settles(answering).await;
        let all_digests = until(|| {
            self.crowd.listen();
            let all = self.crowd.digests.values().all(|count| *count > 0);
            async move { all.then_some(()) }
        });
        all_digests.await;
        for replica in std::mem::take(&mut self.all) {
            let ended = replica.process.stop("TERM").await;
            assert_eq!(ended.code, Some(0), "{ended:?}");
        }
        let tally = self.crowd.tally().await;
        let count = |harm| self.done.iter().filter(|(done, ..)| *done == harm).count();
        let held: Vec<_> = self.done.iter().filter(|(.., roles)| !roles.is_empty()).collect();
        let calls = Calls::of(&self.crowd.fakes.source.arrivals());
        let noted = rows(&self.db.url, "SELECT CAST(COUNT(*) AS TEXT) FROM call_ledger").await[0].parse::<usize>().unwrap();
        say(&format!(
            "killed {}, paused {}, cut off {} times, {} of them with a role; {} commands answered\n{tally}\ndigests: {} to {} people\n{calls:?}, {noted} noted",
            count(Harm::Killed),
            count(Harm::Paused),
            count(Harm::CutOff),
            held.len(),
            self.commands - 7_000,
            self.crowd.digests.values().sum::<usize>(),
            self.crowd.digests.len(),
        ));
        tally.assert_holds();
        assert!([Harm::Killed, Harm::Paused, Harm::CutOff].map(count).iter().all(|count| *count >= 2), "{:?}", self.done);
        assert!(held.len() >= 3, "{:?}", self.done);
        assert!(self.crowd.digests.values().all(|count| *count == 1), "{:?}", self.crowd.digests);
        // Who is paused between its permit and its request makes that later, and no ledger can know it.
        let late = count(Harm::Paused);
        assert!(calls.all <= noted, "every call is noted before it is made: {calls:?}, {noted} noted");
        assert!(calls.twice_in_a_slot <= late && calls.most_in_a_minute <= CALLS_A_MINUTE + late, "{calls:?}\n{:?}", self.done);
    }
}

/// What the source was asked for.
#[derive(Debug)]
struct Calls {
    all: usize,
    twice_in_a_slot: usize,
    most_in_a_minute: usize,
}

impl Calls {
    fn of(arrivals: &[(String, Timestamp)]) -> Self {
        let mut slots: BTreeMap<i64, usize> = BTreeMap::new();
        for (_, at) in arrivals.iter().filter(|(endpoint, _)| endpoint == DAILY) {
            *slots.entry(at.as_secs() / POLLS).or_default() += 1;
        }
        // A call is counted a little before it arrives.
        let minute = Duration::from_secs(59);
        let in_minute = |from: Timestamp| arrivals.iter().filter(|(_, at)| from <= *at && at.since(from) < minute).count();
        Self {
            all: arrivals.len(),
            twice_in_a_slot: slots.values().map(|count| count - 1).sum(),
            most_in_a_minute: arrivals.iter().map(|(_, at)| in_minute(*at)).max().unwrap_or(0),
        }
    }
}
