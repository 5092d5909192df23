//! Several processes on one PostgreSQL: each answers commands, one of them does each thing that only one may do, and another goes on when that one is
//! killed, paused or stopped.

use crate::support::{
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
