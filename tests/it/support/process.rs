//! The built binary as an operator meets it: its own folder with a `.env` made from `.env.example`, a clean environment, everything that it
//! writes. Waits are for conditions, and bounded.

use super::{
    fake_discord::{self, FakeDiscord, interaction},
    fake_telegram::{self, FakeTelegram},
    fake_token_metrics::{self, FakeTokenMetrics},
};
use bellwether::clock::{Clock, SystemClock};
use serde_json::Value;
use std::{
    io::Read,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// The longest that anything is waited for.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The three services that the binary talks to, by the system's clock.
pub(crate) struct Fakes {
    pub(crate) source: FakeTokenMetrics,
    pub(crate) discord: FakeDiscord,
    pub(crate) telegram: FakeTelegram,
}

impl Fakes {
    pub(crate) async fn start() -> Self {
        let source = FakeTokenMetrics::start().await;
        source.set_tokens([(3375, "BTC", "Bitcoin"), (3306, "ETH", "Ethereum"), (3988, "SOL", "Solana"), (3369, "XRP", "XRP")]);
        Self { source, discord: FakeDiscord::start(Arc::new(SystemClock)).await, telegram: FakeTelegram::start().await }
    }

    /// Today's daily row of a token.
    pub(crate) fn daily(&self, token: i64, call: i64) {
        let today = SystemClock.now().to_utc().format("%Y-%m-%d").to_string();
        self.source.set_daily(token, &today, call, call);
    }
}

/// A folder with a `.env`, where commands are run.
pub(crate) struct Installation {
    pub(crate) folder: TempDir,
    /// Set besides `.env`, and winning over it.
    pub(crate) environment: Vec<(String, String)>,
    ran: Mutex<Vec<Written>>,
}

/// What a process wrote so far.
type Written = Arc<Mutex<String>>;

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Installation {
    /// An empty folder: no settings at all.
    pub(crate) fn empty() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), environment: Vec::new(), ran: Mutex::default() }
    }

    /// As the README says: `.env.example` copied to `.env`, and what is used filled in.
    pub(crate) fn new(fakes: &Fakes, database: &str) -> Self {
        let installation = Self::empty();
        std::fs::copy(concat!(env!("CARGO_MANIFEST_DIR"), "/.env.example"), installation.folder.path().join(".env")).unwrap();
        for (name, value) in [
            ("TOKEN_METRICS_API_KEY", fake_token_metrics::API_KEY),
            ("TOKEN_METRICS_API_URL", &fakes.source.url),
            ("TOKEN_METRICS_CALLS_PER_MONTH", "0"),
            ("TOKEN_METRICS_CALLS_PER_MINUTE", "0"),
            ("BELLWETHER_SCHEDULE_DAILY", "*/2 * * * * *"),
            ("DISCORD_BOT_TOKEN", fake_discord::TOKEN),
            ("DISCORD_APPLICATION_ID", &fake_discord::APPLICATION.to_string()),
            ("DISCORD_PUBLIC_KEY", &interaction::public_key()),
            ("DISCORD_API_URL", &fakes.discord.url),
            ("TELEGRAM_BOT_TOKEN", fake_telegram::TOKEN),
            ("TELEGRAM_API_URL", &fakes.telegram.url),
            ("DATABASE_URL", database),
            ("BELLWETHER_LISTEN", "127.0.0.1:0"),
        ] {
            installation.fill(name, value);
        }
        installation
    }

    /// Fills a line of `.env` in; the example has one for every setting.
    pub(crate) fn fill(&self, name: &str, value: &str) {
        let path = self.folder.path().join(".env");
        let text = std::fs::read_to_string(&path).unwrap();
        let is_line = |line: &&str| line.trim_start_matches('#').split_once('=').is_some_and(|(found, _)| found == name);
        assert_eq!(text.lines().filter(is_line).count(), 1, "{name} has one line in .env.example");
        let lines: Vec<String> =
            text.lines().map(|line| if is_line(&line) { format!("{name}='{value}'") } else { line.to_owned() }).collect();
        std::fs::write(path, lines.join("\n") + "\n").unwrap();
    }

    /// Sets a variable of the environment, which wins over `.env`.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.retain(|(known, _)| known != name);
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// The database of a SQLite installation, in its own folder.
    pub(crate) fn sqlite_url(&self) -> String {
        format!("sqlite://{}", self.folder.path().join("bellwether.db").display())
    }

    /// Starts a command.
    pub(crate) fn start(&self, arguments: &[&str]) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_bellwether"));
        command.args(arguments);
        self.spawn(command)
    }

    /// Starts `serve` through a shell that does something first.
    pub(crate) fn start_after(&self, script: &str, arguments: &str) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{script}; exec \"$0\" {arguments}"), env!("CARGO_BIN_EXE_bellwether")]);
        self.spawn(command)
    }

    fn spawn(&self, mut command: Command) -> Process {
        let path = std::env::var("PATH").unwrap_or_default();
        command.current_dir(self.folder.path()).env_clear().env("PATH", path).envs(self.environment.iter().cloned());
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (out, err) = (collect(child.stdout.take().unwrap()), collect(child.stderr.take().unwrap()));
        self.ran.lock().unwrap().extend([out.0.clone(), err.0.clone()]);
        Process { child, out, err }
    }

    /// Runs a command to its end.
    pub(crate) async fn run(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).ended().await
    }

    /// Starts `serve` and waits until it is ready; gives it with its address.
    pub(crate) async fn serve(&self) -> (Process, String) {
        let process = self.start(&["serve"]);
        let line = process.wait_for("Bellwether is running").await;
        let address = line.split("address=").nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
        (process, address)
    }

    /// Every byte that any process wrote so far.
    pub(crate) fn everything_written(&self) -> String {
        self.ran.lock().unwrap().iter().map(|written| written.lock().unwrap().clone()).collect()
    }
}

/// A stream that is read to its end beside the test.
struct Stream(Written, std::thread::JoinHandle<()>);

fn collect(mut stream: impl Read + Send + 'static) -> Stream {
    let written = Written::default();
    let to = written.clone();
    let reader = std::thread::spawn(move || {
        let mut chunk = [0; 8192];
        while let Ok(count @ 1..) = stream.read(&mut chunk) {
            to.lock().unwrap().push_str(&String::from_utf8_lossy(&chunk[..count]));
        }
    });
    Stream(written, reader)
}

/// A running process; killed when it is dropped.
pub(crate) struct Process {
    child: Child,
    out: Stream,
    err: Stream,
}

impl Process {
    /// Its number in the system.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to stderr so far.
    pub(crate) fn log(&self) -> String {
        self.err.0.lock().unwrap().clone()
    }

    /// Waits for a line of the log and gives it.
    pub(crate) async fn wait_for(&self, text: &str) -> String {
        let found = until(|| async { self.log().lines().find(|line| line.contains(text)).map(str::to_owned) }).await;
        found.unwrap_or_else(|| panic!("{text:?} was never written:\n{}", self.log()))
    }

    /// Sends a signal by its name.
    pub(crate) fn signal(&self, name: &str) {
        assert!(Command::new("kill").args([&format!("-{name}"), &self.id().to_string()]).status().unwrap().success());
    }

    /// Waits for the end.
    pub(crate) async fn ended(mut self) -> Ended {
        let ended = until(|| {
            let status = self.child.try_wait().unwrap();
            async move { status }
        })
        .await;
        let status = ended.unwrap_or_else(|| panic!("it does not end:\n{}", self.log()));
        while !(self.out.1.is_finished() && self.err.1.is_finished()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let out = self.out.0.lock().unwrap().clone();
        Ended { code: status.code(), out, err: self.log() }
    }

    /// Asks it to stop, and waits for its end.
    pub(crate) async fn stop(self, signal: &str) -> Ended {
        self.signal(signal);
        self.ended().await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Asks again and again until there is an answer; nothing where there is none for too long.
pub(crate) async fn until<T, F: Future<Output = Option<T>>>(mut ask: impl FnMut() -> F) -> Option<T> {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return Some(answer);
        }
        if begun.elapsed() > PATIENCE {
            return None;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A page of a running instance: status and body.
pub(crate) async fn get(address: &str, path: &str) -> (u16, String) {
    let answer = reqwest::get(format!("http://{address}{path}")).await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Waits until the page of metrics has these words.
pub(crate) async fn wait_for_metric(address: &str, words: &str) {
    let found = until(|| async { get(address, "/metrics").await.1.contains(words).then_some(()) }).await;
    assert!(found.is_some(), "{words} is missing in\n{}", get(address, "/metrics").await.1);
}

/// Waits until so many polls of a feed were complete.
pub(crate) async fn wait_for_polls(address: &str, feed: &str, count: u32) {
    let line = format!(r#"bellwether_polls_total{{feed="{feed}",outcome="complete"}} "#);
    let polls = |page: &str| page.lines().find_map(|of| of.strip_prefix(&line)?.parse::<u32>().ok()).unwrap_or(0);
    let found = until(|| async { (polls(&get(address, "/metrics").await.1) >= count).then_some(()) }).await;
    assert!(found.is_some(), "{line}{count} never came:\n{}", get(address, "/metrics").await.1);
}

/// Sends an interaction signed as Discord signs it; the status and what is answered at once.
pub(crate) async fn interact(address: &str, interaction: &Value) -> (u16, Value) {
    let answer = interaction::post(address, interaction, SystemClock.now().as_secs()).await;
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}
