//! Both databases for every store test: a SQLite file of its own, and a database of its own in one temporary PostgreSQL cluster that
//! this process starts and that disappears with it. A test that ends the server has a cluster of its own.

use bellwether::store::Store;
use std::{
    io::Write,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    time::{Duration, Instant},
};
use tokio::sync::OnceCell;

/// Set to `1`, PostgreSQL tests are left out, each with a line on stderr. CI never sets it.
const LEAVE_OUT: &str = "BELLWETHER_TEST_WITHOUT_POSTGRES";

/// A migrated database of one test; its files go when it is dropped.
pub struct TestDb {
    pub store: Store,
    pub url: String,
    _files: Option<tempfile::TempDir>,
}

impl TestDb {
    pub async fn sqlite() -> Self {
        let files = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", files.path().join("test.db").display());
        Self { store: Store::open(&url).await.unwrap(), url, _files: Some(files) }
    }

    /// `None` where PostgreSQL tests are left out on request.
    pub async fn postgres() -> Option<Self> {
        let url = postgres_url().await?;
        Some(Self { store: Store::open(&url).await.unwrap(), url, _files: None })
    }
}

/// Writes the test once and runs it on both databases: `on_both!(name, |db| async move { … })`.
macro_rules! on_both {
    ($(#[$meta:meta])* $name:ident, |$db:ident| $body:expr) => {
        $(#[$meta])*
        mod $name {
            #[expect(clippy::allow_attributes, reason = "only some tests need the imports")]
            #[allow(unused_imports, reason = "a test may use only what stands beside it")]
            use super::*;
            #[tokio::test]
            async fn sqlite() {
                let $db = $crate::support::database::TestDb::sqlite().await;
                $body.await;
            }
            #[tokio::test]
            async fn postgres() {
                if let Some($db) = $crate::support::database::TestDb::postgres().await {
                    $body.await;
                }
            }
        }
    };
}
pub(crate) use on_both;

/// The URL of a new, empty PostgreSQL database.
pub async fn postgres_url() -> Option<String> {
    static CLUSTER: OnceCell<Cluster> = OnceCell::const_new();
    static NEXT: AtomicU32 = AtomicU32::new(0);
    if is_left_out() {
        return None;
    }
    let cluster = CLUSTER.get_or_init(Cluster::start).await;
    // One at a time: CREATE DATABASE refuses to copy a template that another session is copying.
    static ONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
    let _one = ONE.lock().await;
    Some(cluster.create(&format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed))).await)
}

fn is_left_out() -> bool {
    let is_left_out = std::env::var(LEAVE_OUT).is_ok_and(|value| value == "1");
    if is_left_out {
        super::say(&format!("LEFT OUT: a PostgreSQL test, because {LEAVE_OUT}=1"));
    }
    is_left_out
}

/// A PostgreSQL server, until it is dropped or this process ends, however it ends: a shell holds it and reads from a pipe that only this
/// process keeps open.
pub struct Cluster {
    home: PathBuf,
    shell: Child,
}

impl Cluster {
    /// One for a test alone; `None` where PostgreSQL tests are left out on request.
    pub async fn of_its_own() -> Option<Self> {
        if is_left_out() { None } else { Some(Self::start().await) }
    }

    async fn start() -> Self {
        tokio::task::spawn_blocking(start_cluster).await.unwrap()
    }

    /// Makes a database; its URL.
    pub async fn create(&self, name: &str) -> String {
        let mut connection = connect(&self.url("postgres")).await;
        sqlx::query(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await.unwrap();
        self.url(name)
    }

    /// Ends the server at once, as `pg_ctl stop -m immediate` does, and starts it again after a pause, when it recovers from its log.
    pub async fn restart(&mut self, pause: Duration) {
        let before = self.started_at().await;
        writeln!(self.shell.stdin.as_mut().unwrap(), "{}", pause.as_secs_f64()).unwrap();
        while self.started_at().await == before {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn started_at(&self) -> Option<String> {
        let mut connection = connect(&self.url("postgres")).await;
        // The connection may be the last that the old server took.
        sqlx::query_scalar("SELECT CAST(pg_postmaster_start_time() AS TEXT)").fetch_one(&mut connection).await.ok()
    }

    fn url(&self, name: &str) -> String {
        format!("postgres://postgres@localhost/{name}?host={}", self.home.display())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

/// The socket is there before the server takes connections.
async fn connect(url: &str) -> sqlx::PgConnection {
    let start = Instant::now();
    loop {
        match <sqlx::PgConnection as sqlx::Connection>::connect(url).await {
            Ok(connection) => return connection,
            Err(error) => assert!(start.elapsed() < Duration::from_secs(60), "PostgreSQL did not start: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// As fast as can be: nothing has to outlive the tests.
const FLEETING: &str = "-c fsync=off -c full_page_writes=off -c shared_buffers=64MB";
/// Whether clusters that start from now on write as durably as an operator's does, as they do by default. What tests write ends with them.
pub(crate) static IS_DURABLE: AtomicBool = AtomicBool::new(false);

fn start_cluster() -> Cluster {
    let bin = postgres_bin().unwrap_or_else(|| {
        panic!("PostgreSQL's server binaries are needed: `apt-get install postgresql`; or set {LEAVE_OUT}=1 to leave those tests out")
    });
    let home = tempfile::Builder::new().prefix("bellwether-pg-").tempdir().unwrap().keep();
    let script = r#"
        "$BIN/initdb" -D "$HOME_DIR/data" -U postgres -A trust --no-sync >"$HOME_DIR/log" 2>&1 || exit 1
        serve() {
            "$BIN/postgres" -D "$HOME_DIR/data" -k "$HOME_DIR" -c listen_addresses= -c max_connections=400 \
                $SETTINGS >>"$HOME_DIR/log" 2>&1 &
            server=$!
        }
        end() {
            kill -QUIT $server
            wait $server
        }
        trap 'end; rm -rf "$HOME_DIR"' EXIT
        serve
        while read -r pause; do
            end
            sleep "$pause"
            serve
        done
    "#;
    // PostgreSQL refuses to run as root: then it runs as the user that its package made.
    let mut shell = if is_root() {
        assert!(Command::new("chown").arg("postgres").arg(&home).status().unwrap().success(), "the user postgres exists");
        let mut shell = Command::new("setpriv");
        shell.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "sh", "-c", script]);
        shell
    } else {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]);
        shell
    };
    let shell = shell
        .env("BIN", bin)
        .env("HOME_DIR", &home)
        .env("SETTINGS", if IS_DURABLE.load(Ordering::Relaxed) { "" } else { FLEETING })
        .current_dir(&home)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for(&home.join(".s.PGSQL.5432"), &home.join("log"));
    Cluster { home, shell }
}

fn wait_for(socket: &Path, log: &Path) {
    let start = Instant::now();
    while std::os::unix::net::UnixStream::connect(socket).is_err() {
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "PostgreSQL did not start: {}",
            std::fs::read_to_string(log).unwrap_or_default()
        );
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn postgres_bin() -> Option<PathBuf> {
    let mut versions: Vec<_> = std::fs::read_dir("/usr/lib/postgresql").ok()?.flatten().map(|entry| entry.path().join("bin")).collect();
    versions.retain(|bin| bin.join("initdb").exists());
    versions.sort();
    versions.pop()
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|out| out.stdout.trim_ascii() == b"0")
}
