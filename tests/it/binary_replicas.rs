//! Several processes on one PostgreSQL: each answers commands, one of them does each thing that only one may do, and another goes on when that one is
//! killed, paused or stopped.

use crate::support::{
    cable::Cable,
    commands::{rows, run_sql},
    database::TestDb,
    fake_discord::{HERE, interaction},
    process::{Fakes, Installation, Process, get, interact, until, wait_for_polls},
};
use interaction::{ADMIN, in_server, slash, subcommand};
use serde_json::json;
use std::collections::BTreeMap;

/// Each turns once: what turns too often is unstable.
const TOKENS: [(i64, &str); 4] = [(3988, "SOL"), (3375, "BTC"), (3306, "ETH"), (3369, "XRP")];
const PEOPLE: std::ops::Range<i64> = 501..511;

struct Community {
    fakes: Fakes,
    db: TestDb,
    replicas: Vec<(Process, String)>,
    installation: Installation,
    turned: usize,
    commands: u64,
}

impl Community {
    async fn start(db: TestDb, replicas: usize) -> Self {
        let fakes = Fakes::start().await;
        TOKENS.iter().for_each(|(token, _)| fakes.daily(*token, -1));
        let installation = Installation::new(&fakes, &db.url);
        let mut community = Self { fakes, db, replicas: Vec::new(), installation, turned: 0, commands: 100 };
        for _ in 0..replicas {
            community.add().await;
        }
        let holder = community.holder("poller").await;
        wait_for_polls(&community.replicas[holder].1, "ranks", 1).await;
        for person in PEOPLE {
            community.fakes.telegram.with(|world| world.say(person, person, "/subscribe SOL,BTC,ETH,XRP"));
        }
        community.everybody_hears("Subscribed").await;
        let channel = subcommand("channel", "subscribe", json!([{"name": "tokens", "type": 3, "value": "sol,btc,eth,xrp"}]));
        let last = community.replicas.len() - 1;
        assert!(community.asks(last, channel).await.contains("SOL"), "whichever process is asked");
        wait_for_polls(&community.replicas[holder].1, "daily", 2).await;
        community
    }

    async fn add(&mut self) {
        let (process, address) = self.installation.serve().await;
        let ready = until(|| async { (get(&address, "/readyz").await.0 == 200).then_some(()) }).await;
        assert!(ready.is_some(), "{}", process.log());
        self.replicas.push((process, address));
    }

    /// A signed command to one of them, and what it answers in the end.
    async fn asks(&mut self, replica: usize, command: serde_json::Value) -> String {
        self.commands += 1;
        let (status, answer) = interact(&self.replicas[replica].1, &in_server(self.commands, ADMIN, command)).await;
        assert_eq!(status, 200);
        if answer["type"] != 5 {
            return answer.to_string();
        }
        let token = interaction::token_of(self.commands);
        let edited = || async { self.fakes.discord.answers().into_iter().find(|(of, _)| *of == token).map(|(_, body)| body.to_string()) };
        until(edited).await.unwrap()
    }

    /// Which of them holds a role: whoever it was has its number in the holder's name.
    async fn holder(&self, role: &str) -> usize {
        let holder = || async {
            let now = chrono::Utc::now().timestamp_millis();
            let sql = format!("SELECT holder FROM leases WHERE name = '{role}' AND expires_at > {now}");
            let name = rows(&self.db.url, &sql).await.pop()?;
            self.replicas.iter().position(|(process, _)| name.starts_with(&format!("{}-", process.id())))
        };
        until(holder).await.unwrap_or_else(|| panic!("nobody holds {role}"))
    }

    /// Waits until each person has one more message, which says so; nobody has two.
    async fn everybody_hears(&self, words: &str) {
        let mut heard = BTreeMap::<i64, u32>::new();
        let told = until(|| {
            for sent in self.fakes.telegram.unread() {
                assert!(sent.text.contains(words), "{}\n{}", sent.text, self.logs());
                *heard.entry(sent.chat).or_default() += 1;
            }
            let all = heard.len() == PEOPLE.count();
            async move { all.then_some(()) }
        });
        assert!(told.await.is_some(), "{heard:?}\n{}", self.logs());
        assert!(heard.values().all(|count| *count == 1), "{heard:?}");
    }

    /// The next call turns.
    fn turn(&mut self) -> String {
        let (token, symbol) = TOKENS[self.turned];
        self.turned += 1;
        self.fakes.daily(token, 1);
        format!("{symbol} turned bullish")
    }

    /// The next call turns: everybody hears of it, once.
    async fn turns(&mut self) {
        let words = self.turn();
        self.are_told(&words).await;
    }

    async fn are_told(&self, words: &str) {
        self.everybody_hears(words).await;
        let on_discord = || async { Some(self.fakes.discord.unread()).filter(|sent| !sent.is_empty()) };
        let sent = until(on_discord).await.unwrap_or_else(|| panic!("nothing on Discord\n{}", self.logs()));
        assert_eq!(sent.iter().map(|message| message.channel.as_str()).collect::<Vec<_>>(), [HERE]);
    }

    fn logs(&self) -> String {
        self.replicas.iter().map(|(process, _)| process.log()).collect::<Vec<_>>().join("\n----\n")
    }

    /// Nothing came twice in the end, and nothing is left over.
    async fn ends_well(self) {
        let open = || async {
            let open = rows(&self.db.url, "SELECT CAST(COUNT(*) AS TEXT) FROM messages WHERE state <> 'sent'").await;
            (open == ["0"]).then_some(())
        };
        assert!(until(open).await.is_some(), "{}", self.logs());
        assert_eq!((self.fakes.discord.unread().len(), self.fakes.telegram.unread().len()), (0, 0));
        for (process, _) in self.replicas {
            let ended = process.stop("TERM").await;
            assert_eq!(ended.code, Some(0), "{ended:?}");
        }
    }
}

#[tokio::test]
async fn whoever_is_killed_paused_or_stopped_another_goes_on() {
    let Some(db) = TestDb::postgres().await else { return };
    let mut community = Community::start(db, 3).await;
    community.turns().await;
    for replica in 0..3 {
        assert!(
            community.asks(replica, slash("signal", &[("token", "SOL")])).await.contains("bullish"),
            "everybody knows what one has seen"
        );
    }

    let killed = community.holder("deliverer:telegram").await;
    community.replicas.remove(killed).0.signal("KILL");
    community.turns().await;

    let paused = community.holder("poller").await;
    community.replicas[paused].0.signal("STOP");
    let words = community.turn();
    let other = 1 - paused;
    for role in ["poller", "deliverer:telegram", "flow"] {
        let taken = || async { (community.holder(role).await == other).then_some(()) };
        assert!(until(taken).await.is_some(), "{role}");
    }
    community.replicas[paused].0.signal("CONT");
    community.are_told(&words).await;
    community.replicas[paused].0.wait_for("has taken over this role").await;

    // A clean stop hands everything over at once, and whoever was overtaken takes part again.
    let (process, _) = community.replicas.remove(other);
    assert_eq!(process.stop("TERM").await.code, Some(0));
    let ages =
        rows(&community.db.url, "SELECT CAST(COUNT(*) AS TEXT) FROM leases WHERE expires_at > 0 AND name NOT LIKE 'replica:%'").await;
    assert!(ages[0].parse::<u32>().unwrap() <= 7, "{ages:?}");
    community.turns().await;
    community.ends_well().await;
}

#[tokio::test]
async fn nobody_imports_into_what_is_served() {
    let Some(db) = TestDb::postgres().await else { return };
    let community = Community::start(db, 1).await;
    let file = community.installation.folder.path().join("moved.json");
    let exported = community.installation.run(&["export"]).await;
    std::fs::write(&file, &exported.out).unwrap();
    let refused = community.installation.run(&["import", file.to_str().unwrap()]).await;
    assert_eq!(refused.code, Some(1));
    assert!(refused.err.contains("serve"), "{}", refused.err);
    // One that died without a word is waited for no longer than its word holds.
    let mut community = community;
    community.replicas.pop().unwrap().0.signal("KILL");
    run_sql(&community.db.url, "UPDATE leases SET expires_at = 1").await;
    let imported = community.installation.run(&["import", file.to_str().unwrap()]).await;
    assert_eq!(imported.code, Some(0), "{}", imported.err);
}

/// How long three processes are killed, paused and cut off.
const ROUNDS: usize = 8;
const MANY: i64 = 24;

#[tokio::test]
async fn at_random_nothing_is_lost_and_nothing_comes_twice_but_what_nobody_knows_of() {
    let Some(db) = TestDb::postgres().await else { return };
    let seed = std::env::var("BELLWETHER_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(|| fastrand::u64(..));
    let chance = fastrand::Rng::with_seed(seed);
    let mut community = Random::start(db, chance).await;
    for _ in 0..ROUNDS {
        community.harm().await;
        for _ in 0..community.chance.usize(1..4) {
            community.turn();
            community.everybody_heard(seed).await;
        }
        community.mend().await;
    }
    community.judge(seed).await;
}

/// Three processes, each with its own way to the database, and people who follow everything.
struct Random {
    fakes: Fakes,
    db: TestDb,
    replicas: Vec<(Installation, Cable, Process)>,
    chance: fastrand::Rng,
    harmed: Option<(usize, Harm)>,
    turned: i64,
    /// By chat and token: how often it was told.
    heard: BTreeMap<(String, String), u32>,
    done: Vec<String>,
}

#[derive(Clone, Copy, Debug)]
enum Harm {
    Killed,
    Paused,
    CutOff,
}

impl Random {
    async fn start(db: TestDb, chance: fastrand::Rng) -> Self {
        let fakes = Fakes::start().await;
        let tokens: Vec<_> = (1..=MANY).map(|id| (id, format!("T{id}"), format!("Token {id}"))).collect();
        fakes.source.set_tokens(tokens.iter().map(|(id, symbol, name)| (*id, symbol.as_str(), name.as_str())));
        (1..=MANY).for_each(|token| fakes.daily(token, -1));
        let (mut replicas, mut first) = (Vec::new(), None);
        for _ in 0..3 {
            let cable = Cable::to(&db.url).await;
            let installation = Installation::new(&fakes, &cable.url);
            let (process, address) = installation.serve().await;
            first.get_or_insert(address);
            replicas.push((installation, cable, process));
        }
        let first = first.unwrap();
        wait_for_polls(&first, "ranks", 1).await;
        for person in PEOPLE {
            fakes.telegram.with(|world| world.say(person, person, "/settings max_per_hour=0"));
            fakes.telegram.with(|world| world.say(person, person, "/subscribe all"));
        }
        let answered = || async { (fakes.telegram.with(|world| world.sent.len()) == 2 * PEOPLE.count()).then_some(()) };
        assert!(until(answered).await.is_some());
        fakes.telegram.unread();
        for (id, command) in [
            (201, subcommand("channel", "subscribe", json!([{"name": "tokens", "type": 3, "value": "all"}]))),
            (202, subcommand("channel", "settings", json!([{"name": "max_per_hour", "type": 4, "value": 0}]))),
        ] {
            assert_eq!(interact(&first, &in_server(id, ADMIN, command)).await.0, 200);
        }
        wait_for_polls(&first, "daily", 2).await;
        Self { fakes, db, replicas, chance, harmed: None, turned: 0, heard: BTreeMap::new(), done: Vec::new() }
    }

    async fn harm(&mut self) {
        let which = self.chance.usize(0..3);
        let harm = [Harm::Killed, Harm::Paused, Harm::CutOff][self.chance.usize(0..3)];
        self.done.push(format!("{which} {harm:?}"));
        // A turn is on its way when it happens.
        self.turn();
        tokio::time::sleep(std::time::Duration::from_millis(self.chance.u64(0..2_500))).await;
        let (_, cable, process) = &self.replicas[which];
        match harm {
            Harm::Killed => process.signal("KILL"),
            Harm::Paused => process.signal("STOP"),
            Harm::CutOff => cable.cut(),
        }
        self.harmed = Some((which, harm));
    }

    async fn mend(&mut self) {
        let Some((which, harm)) = self.harmed.take() else { return };
        let (installation, cable, process) = &mut self.replicas[which];
        match harm {
            Harm::Killed => *process = installation.serve().await.0,
            Harm::Paused => process.signal("CONT"),
            Harm::CutOff => cable.mend(),
        }
    }

    fn turn(&mut self) {
        if self.turned < MANY {
            self.turned += 1;
            self.fakes.daily(self.turned, 1);
        }
    }

    fn listen(&mut self) {
        let telegram = self.fakes.telegram.unread().into_iter().map(|sent| (sent.chat.to_string(), sent.text));
        // A nonce is letters and digits: one may end in "T2", as message 78's does.
        let discord = self.fakes.discord.unread().into_iter().map(|sent| (sent.channel, sent.body["embeds"].to_string()));
        for (chat, text) in telegram.chain(discord) {
            for token in (1..=MANY).map(|token| format!("T{token}")) {
                let named = [format!("{token} turned bullish"), format!("{token},"), format!("{token}\""), format!("{token}\n")];
                if named.iter().any(|words| text.contains(&**words)) || text.ends_with(&token) {
                    *self.heard.entry((chat.clone(), token)).or_default() += 1;
                }
            }
        }
    }

    async fn everybody_heard(&mut self, seed: u64) {
        let chats: Vec<_> = PEOPLE.map(|person| person.to_string()).chain([HERE.to_owned()]).collect();
        let begun = std::time::Instant::now();
        loop {
            self.listen();
            let missing: Vec<_> = (1..=self.turned)
                .flat_map(|token| chats.iter().map(move |chat| (chat.clone(), format!("T{token}"))))
                .filter(|key| !self.heard.contains_key(key))
                .collect();
            if missing.is_empty() {
                return;
            }
            assert!(
                begun.elapsed() < crate::support::process::PATIENCE,
                "seed {seed}: {missing:?} after {:?}\n{}",
                self.done,
                self.replicas.iter().map(|(.., process)| process.log()).collect::<Vec<_>>().join("\n----\n")
            );
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    #[expect(clippy::print_stdout, reason = "the counts are what the test is about")]
    async fn judge(mut self, seed: u64) {
        let open = || async {
            let open = rows(&self.db.url, "SELECT CAST(COUNT(*) AS TEXT) FROM messages WHERE state <> 'sent'").await;
            (open == ["0"]).then_some(())
        };
        assert!(until(open).await.is_some(), "seed {seed}");
        self.listen();
        let count = async |sql: &str| rows(&self.db.url, sql).await[0].parse::<u32>().unwrap();
        // As it was known when they were tried again: whoever was cut off may have said later what became of them.
        let unknown = count("SELECT CAST(COALESCE(SUM(unknown_ends), 0) AS TEXT) FROM messages WHERE platform = 'telegram'").await;
        let slots = "SELECT CAST(COUNT(*) - COUNT(DISTINCT started_at / 2000) AS TEXT) FROM polls WHERE feed = 'daily' AND complete";
        assert_eq!(count(slots).await, 0, "seed {seed}: no slot was polled twice");
        let doubles = |on_discord: bool| {
            let of = self.heard.iter().filter(|((chat, _), _)| (chat == HERE) == on_discord);
            of.map(|(_, count)| count - 1).sum::<u32>()
        };
        println!(
            "seed {seed}: {:?}; {} turns to {} people and a channel; twice on Discord {}, on Telegram {}, ends there that nobody knows {unknown}",
            self.done,
            self.turned,
            PEOPLE.count(),
            doubles(true),
            doubles(false)
        );
        let twice: Vec<_> =
            self.heard.iter().filter(|((chat, _), count)| chat == HERE && **count > 1).map(|((_, token), _)| token).collect();
        let attempts = "SELECT CAST(m.id AS TEXT), m.body, CAST(t.started_at AS TEXT), CAST(t.ended_at AS TEXT), t.outcome, t.detail
            FROM messages m JOIN attempts t ON t.message_id = m.id WHERE m.platform = 'discord' ORDER BY m.id, t.id";
        let mut attempts = rows(&self.db.url, attempts).await;
        attempts.retain(|attempt| twice.iter().any(|token| attempt.contains(&format!("\"{token}\""))));
        assert!(twice.is_empty(), "seed {seed}: {twice:?} came twice on Discord: {attempts:#?}");
        assert!(doubles(false) <= unknown, "seed {seed}: {} of {unknown}", doubles(false));
    }
}
