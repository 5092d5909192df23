//! Many who are told at once by the built binary, which may end at any moment; and how often each of them heard what, which the fakes
//! count.

use super::{
    commands::{rows, run_sql},
    process::{Fakes, Installation, Process, until, wait_for_polls},
};
use bellwether::{domain::Platform, store::Store};
use serde_json::{Value, json};
use std::{collections::BTreeMap, fmt, time::Duration};

/// Rows of one statement where plain SQL fills tables.
pub(crate) const ROWS_A_STATEMENT: usize = 1_000;
/// How many are told on each platform.
pub(crate) const EACH: usize = 500;
/// Somebody else, who types on Telegram.
pub(crate) const GUEST: i64 = 9_001;
const PLATFORMS: [Platform; 2] = [Platform::Discord, Platform::Telegram];
/// What they all follow: each turns at most twice, and a chat hears of no more than its ten an hour.
const TOKENS: [(i64, &str); 8] =
    [(101, "ALFA"), (102, "BRAVO"), (103, "CHARLIE"), (104, "DELTA"), (105, "ECHO"), (106, "FOXTROT"), (107, "GOLF"), (108, "HOTEL")];

/// The id of the n-th chat, as its platform would give it.
pub(crate) fn chat(platform: Platform, n: usize) -> String {
    match platform {
        Platform::Discord => format!("user:{}", member(n)),
        _ => (10_000 + n).to_string(),
    }
}

/// A Discord user.
pub(crate) fn member(n: usize) -> u64 {
    284_102_345_000_000_000 + n as u64
}

/// People whose private chat is open. With a token, each of them has subscribed to its daily calls.
pub(crate) async fn people(url: &str, platform: Platform, count: usize, follow: Option<i64>) {
    let columns = "(platform, chat, topic, place, settings, route, created_at, rest_until, probes)";
    for first in (0..count).step_by(ROWS_A_STATEMENT) {
        let person = |n| format!("('{platform}','{}','','person','{{}}','7{n}',0,0,0)", chat(platform, n));
        let rows: Vec<_> = (first..count.min(first + ROWS_A_STATEMENT)).map(person).collect();
        run_sql(url, &format!("INSERT INTO destinations {columns} VALUES {}", rows.join(","))).await;
    }
    if let Some(token) = follow {
        all_follow(url, token).await;
    }
}

async fn all_follow(url: &str, token: i64) {
    let subscribe = format!(
        "INSERT INTO subscriptions (destination_id, source, target, kind, direction, delivery, creator, created_at, updated_at)
         SELECT id, 'token-metrics', '{token}', 'daily', 'any', 'instant', 'bench', 0, 0 FROM destinations"
    );
    run_sql(url, &subscribe).await;
}

/// One chat and the title of what it is to hear.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Hearing {
    platform: Platform,
    chat: String,
    title: String,
}

/// What makes a [`Hearing`] of a message.
const HEARING: &str = "d.platform, d.chat, t.symbol, c.to_stance";
const HEARING_OF: &str =
    "JOIN destinations d ON d.id = m.destination_id AND d.creator IS NULL JOIN message_alerts ma ON ma.message_id = m.id
    JOIN alerts a ON a.id = ma.alert_id JOIN changes c ON c.id = a.change_id
    JOIN tokens t ON t.source = c.source AND t.token_id = c.token_id";

impl Hearing {
    fn of(row: &str) -> Self {
        let [platform, chat, symbol, stance] = row.split('|').collect::<Vec<_>>().try_into().unwrap();
        Self { platform: Platform::parse(platform).unwrap(), chat: chat.to_owned(), title: format!("{symbol} turned {stance}") }
    }
}

/// A thousand chats, half of them on each platform, and an installation that tells them.
pub(crate) struct Crowd {
    pub(crate) fakes: Fakes,
    pub(crate) installation: Installation,
    url: String,
    /// The titles that all of them are to hear.
    titles: Vec<String>,
    heard: BTreeMap<Hearing, usize>,
    /// What the guest was answered.
    pub(crate) answered: Vec<String>,
    /// How many digests each of those got who asked for them.
    pub(crate) digests: BTreeMap<usize, usize>,
    given_up: usize,
    never_heard: usize,
}

impl Crowd {
    /// On a SQLite file of its own.
    pub(crate) async fn on_sqlite() -> Self {
        let fakes = Fakes::start().await;
        let installation = Installation::new(&fakes, "sqlite://bellwether.db");
        let url = installation.sqlite_url();
        Self::gather(fakes, installation, url).await
    }

    /// On this PostgreSQL database.
    pub(crate) async fn on_postgres(url: String) -> Self {
        let fakes = Fakes::start().await;
        let installation = Installation::new(&fakes, &url);
        Self::gather(fakes, installation, url).await
    }

    /// They all follow every token, whose first calls are known.
    async fn gather(fakes: Fakes, installation: Installation, url: String) -> Self {
        fakes.source.set_tokens(TOKENS.map(|(id, symbol)| (id, symbol, symbol)));
        Store::open(&url).await.unwrap().close().await;
        for platform in PLATFORMS {
            people(&url, platform, EACH, None).await;
        }
        for (token, _) in TOKENS {
            all_follow(&url, token).await;
            fakes.daily(token, -1);
        }
        for n in 0..EACH {
            let user = member(n).to_string();
            fakes.discord.channel(&format!("7{n}"), json!({"type": 1, "recipient": user}));
            fakes.telegram.with(|world| _ = world.person(chat(Platform::Telegram, n).parse().unwrap()));
        }
        let (titles, heard, answered, digests) = (Vec::new(), BTreeMap::new(), Vec::new(), BTreeMap::new());
        let crowd = Self { fakes, installation, url, titles, heard, answered, digests, given_up: 0, never_heard: 0 };
        crowd.answers_take(Duration::from_secs(2));
        let (process, address) = crowd.installation.serve().await;
        for feed in ["ranks", "daily"] {
            wait_for_polls(&address, feed, 1).await;
        }
        assert_eq!(process.stop("TERM").await.code, Some(0));
        crowd
    }

    /// So many further people on Discord get all of it as a digest each day at this time.
    pub(crate) async fn add_digest_readers(&mut self, count: usize, at: &str) {
        for n in (EACH + self.digests.len()..).take(count) {
            self.digests.insert(n, 0);
            self.fakes.discord.channel(&format!("7{n}"), json!({"type": 1, "recipient": member(n).to_string()}));
            let chat = chat(Platform::Discord, n);
            let reader = format!(
                "INSERT INTO destinations (platform, chat, topic, place, settings, route, creator, created_at, rest_until, probes)
                 VALUES ('discord', '{chat}', '', 'person', '{{\"digest_time\":\"{at}\"}}', '7{n}', 'digest', 0, 0, 0);
                 INSERT INTO subscriptions (destination_id, source, target, kind, direction, delivery, creator, created_at, updated_at)
                 SELECT d.id, 'token-metrics', CAST(t.token_id AS TEXT), 'daily', 'any', 'digest-daily', 'digest', 0, 0
                 FROM destinations d, tokens t WHERE d.chat = '{chat}'"
            );
            run_sql(&self.url, &reader).await;
        }
    }

    /// From now on both platforms answer within this time; most answers come much sooner.
    pub(crate) fn answers_take(&self, longest: Duration) {
        for network in [&self.fakes.discord.network, &self.fakes.telegram.network] {
            network.slow_down(Duration::from_millis(50), longest);
        }
    }

    /// The next token turns bullish.
    ///
    /// # Panics
    /// Where all have turned.
    pub(crate) fn turn(&mut self) {
        let (token, symbol) = TOKENS[self.titles.len()];
        self.fakes.daily(token, 1);
        self.titles.push(format!("{symbol} turned bullish"));
    }

    /// The first token turns back.
    pub(crate) fn turn_back(&mut self) {
        let (token, symbol) = TOKENS[0];
        self.fakes.daily(token, -1);
        self.titles.push(format!("{symbol} turned bearish"));
    }

    /// Whether there is a token that has not turned yet.
    pub(crate) fn may_turn(&self) -> bool {
        self.titles.len() < TOKENS.len()
    }

    /// Whether hardly anybody is left who has not heard of every turn so far.
    pub(crate) fn is_nearly_done(&mut self) -> bool {
        self.listen();
        self.titles.len() * 2 * EACH - self.heard.len() < EACH / 5
    }

    /// Waits until somebody hears something on the platform where most have yet to hear: on a busy machine one may begin seconds before the other.
    pub(crate) async fn hears(&mut self, process: &Process) {
        self.listen();
        let heard_of = |platform: Platform| self.heard.keys().filter(|hearing| hearing.platform == platform).count();
        let platform = PLATFORMS.into_iter().min_by_key(|platform| heard_of(*platform)).unwrap();
        let before = self.hearings_on(platform);
        let heard = until(|| {
            self.listen();
            let more = self.hearings_on(platform) > before;
            async move { more.then_some(()) }
        })
        .await;
        assert!(heard.is_some(), "nobody hears anything on {platform}:\n{}", process.log());
    }

    /// Waits until everything is sent or given up.
    pub(crate) async fn settles(&mut self, process: &Process) {
        let alerts = "SELECT COUNT(*) FROM alerts a JOIN destinations d ON d.id = a.destination_id AND d.creator IS NULL";
        let sql = &format!(
            "SELECT CAST(({alerts}) AS TEXT), CAST(({alerts} WHERE a.state = 'pending')
             + (SELECT COUNT(*) FROM fanout_jobs) + (SELECT COUNT(*) FROM messages WHERE state = 'queued') AS TEXT)"
        );
        let done = [format!("{}|0", self.titles.len() * 2 * EACH)];
        let mut left = Vec::new();
        // Whoever was refused again and again is tried again after minutes.
        for _ in 0..1_200 {
            left = rows(&self.url, sql).await;
            self.listen();
            if left == done {
                return;
            }
            tokio::time::sleep(Duration::from_millis(250)).await;
        }
        panic!("{left:?} instead of {done:?}:\n{}", process.log());
    }

    /// Tries once more what was given up and never arrived, as an operator does who has asked the chats.
    pub(crate) async fn retry_what_was_given_up(&mut self, process: &Process) {
        let listed = self.installation.run(&["outbox", "list", "--json"]).await;
        let entries: Vec<Value> = serde_json::from_str(&listed.out).unwrap();
        self.given_up += entries.len();
        let sql = format!("SELECT CAST(m.id AS TEXT), {HEARING} FROM messages m {HEARING_OF} WHERE m.state = 'dead'");
        let dead = rows(&self.url, &sql).await;
        let dead: BTreeMap<_, _> = dead.iter().map(|row| row.split_once('|').unwrap()).collect();
        let ids = entries.iter().map(|entry| entry["id"].as_str().unwrap());
        let ids: Vec<_> = ids.filter(|id| !self.heard.contains_key(&Hearing::of(dead[id]))).collect();
        self.never_heard += ids.len();
        if !ids.is_empty() {
            let ended = self.installation.run(&[vec!["outbox", "retry"], ids].concat()).await;
            assert_eq!(ended.code, Some(0), "{ended:?}");
            self.settles(process).await;
        }
    }

    fn hearings(&self) -> usize {
        self.heard.values().sum()
    }

    fn hearings_on(&self, platform: Platform) -> usize {
        self.heard.iter().filter(|(hearing, _)| hearing.platform == platform).map(|(_, times)| times).sum()
    }

    /// Takes note of what has arrived.
    pub(crate) fn listen(&mut self) {
        for message in self.fakes.discord.unread() {
            let title = message.body["embeds"][0]["title"].as_str().unwrap().to_owned();
            let n = message.channel[1..].parse().unwrap();
            if let Some(digests) = self.digests.get_mut(&n) {
                *digests += 1;
                continue;
            }
            self.hear(Platform::Discord, chat(Platform::Discord, n), title);
        }
        for sent in self.fakes.telegram.unread() {
            if sent.chat == GUEST {
                self.answered.push(sent.text);
                continue;
            }
            let title = sent.text.lines().next().unwrap().trim_start_matches(|letter: char| !letter.is_ascii()).trim_start().to_owned();
            self.hear(Platform::Telegram, sent.chat.to_string(), title);
        }
    }

    fn hear(&mut self, platform: Platform, chat: String, title: String) {
        *self.heard.entry(Hearing { platform, chat, title }).or_default() += 1;
    }

    /// What everybody heard, beside what the database knows of it.
    pub(crate) async fn tally(&mut self) -> Tally {
        self.listen();
        let sql = format!(
            "SELECT CAST((SELECT COUNT(*) FROM attempts o WHERE o.message_id = m.id AND o.outcome = 'unknown') AS TEXT),
             CAST(m.unknown_ends AS TEXT), {HEARING} FROM messages m {HEARING_OF}"
        );
        let mut tally = Tally {
            hearings: self.hearings(),
            known_by_nonce: self.fakes.discord.repeated(),
            unheard: self.fakes.telegram.network.unheard(),
            too_fast: self.fakes.telegram.refused_for_speed() + self.fakes.discord.refused_for_speed(),
            given_up: self.given_up,
            never_heard: self.never_heard,
            ..Tally::default()
        };
        for row in rows(&self.url, &sql).await {
            let [unknown, then, hearing] = row.splitn(3, '|').collect::<Vec<_>>().try_into().unwrap();
            // As it was known when it was tried again: whoever was cut off may have said later what became of it.
            let unknown = unknown.parse::<usize>().unwrap().max(then.parse().unwrap());
            let hearing = Hearing::of(hearing);
            let times = self.heard.remove(&hearing).unwrap_or(0);
            let again = times.saturating_sub(1);
            tally.messages += 1;
            tally.lost.extend((times == 0).then(|| hearing.clone()));
            match hearing.platform {
                Platform::Discord => tally.twice_on_discord.extend((again > 0).then_some(hearing)),
                _ => {
                    tally.again_on_telegram += again;
                    tally.ends_unknown += unknown;
                    tally.unexplained.extend((again > unknown).then_some((hearing, again, unknown)));
                }
            }
        }
        tally.unasked = std::mem::take(&mut self.heard).into_keys().collect();
        tally.expected = self.titles.len() * 2 * EACH;
        tally
    }
}

/// What became of everything that was to be told.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Chats times turns.
    expected: usize,
    messages: usize,
    hearings: usize,
    /// Nobody heard of it.
    lost: Vec<Hearing>,
    /// Nobody should have heard of it.
    unasked: Vec<Hearing>,
    twice_on_discord: Vec<Hearing>,
    /// How often Discord knew a repetition by its nonce.
    known_by_nonce: usize,
    /// What was heard on Telegram beyond once.
    again_on_telegram: usize,
    /// Requests to Telegram whose end was never stored.
    pub(crate) ends_unknown: usize,
    /// Of those: messages that Telegram sent, and whoever had asked was gone before the answer came.
    unheard: usize,
    /// Repetitions for which no answer was lost: how often, and how many ends are unknown.
    unexplained: Vec<(Hearing, usize, usize)>,
    too_fast: usize,
    /// What was given up for two ends that nobody knows.
    given_up: usize,
    /// Of that: what had not arrived; it was sent again by hand.
    never_heard: usize,
}

impl Tally {
    /// Nothing was even asked for twice.
    pub(crate) fn assert_once(&self) {
        self.assert_holds();
        assert_eq!([self.known_by_nonce, self.again_on_telegram, self.given_up], [0; 3], "{self:#?}");
    }

    /// Nothing is lost, nothing comes twice on Discord, and on Telegram only what was sent without an answer that could be stored.
    pub(crate) fn assert_holds(&self) {
        self.assert_nothing_lost();
        assert!(self.unexplained.is_empty(), "{self:#?}");
    }

    /// Nothing is lost, and nothing comes twice on Discord.
    pub(crate) fn assert_nothing_lost(&self) {
        assert_eq!((self.messages, self.lost.len(), self.unasked.len()), (self.expected, 0, 0), "{self:#?}");
        assert!(self.twice_on_discord.is_empty(), "{self:#?}");
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { expected, hearings, lost, twice_on_discord, known_by_nonce, again_on_telegram, .. } = self;
        let Self { ends_unknown, unheard, too_fast, given_up, never_heard, .. } = self;
        write!(
            out,
            "{expected} to be told, {hearings} messages arrived, {} lost; Discord: {} twice ({known_by_nonce} repetitions known by their nonce); \
             Telegram: {again_on_telegram} again, for {ends_unknown} requests whose end was not stored ({unheard} answers found nobody), \
             {too_fast} refused for speed, {given_up} given up, of which {never_heard} had not arrived and were sent again by hand",
            lost.len(),
            twice_on_discord.len(),
        )
    }
}
