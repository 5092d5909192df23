//! The door of Discord's interactions under PINGs, beside a bare handler of the same framework and beside what most bots are built with.

use crate::{
    load::{flood, signed},
    market,
    process::cpu,
    support::{
        fake_discord::interaction,
        process::{Fakes, Installation},
    },
    table::{Table, median},
};
use axum::{
    Json, Router,
    body::Bytes,
    http::{HeaderMap, StatusCode},
    response::IntoResponse as _,
    routing::post,
};
use data_encoding::HEXLOWER;
use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::json;
use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

/// The role in which this program is its own bare peer.
pub(crate) const BARE: &str = "serve-bare";
const RATE: &str = "signed PING a second, of a bare axum handler's";
const RATE_REACH: &str = "at least 85 %";
const CPU: &str = "CPU a signed PING, of Express with discord-interactions";
const CPU_REACH: &str = "at most a fifth";
const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_millis(1_500);
const WARM_UP: Duration = Duration::from_millis(500);
const PING: &str = r#"{"application_id":"1402318849203716096","id":"1441500000020971520","token":"a","type":1,"version":1,"user":{"id":"284102345987231744","username":"discord"},"entitlements":[]}"#;
const PONG: &str = r#"{"type":1}"#;

/// The bare peer: checks the signature and answers, nothing else. Says where it listens, and serves until it is killed.
pub(crate) async fn serve_bare(public_key: &str) {
    let key: [u8; 32] = HEXLOWER.decode(public_key.as_bytes()).unwrap().try_into().unwrap();
    let key = VerifyingKey::from_bytes(&key).unwrap();
    let enter = move |headers: HeaderMap, body: Bytes| async move {
        match is_signed(&key, &headers, &body) {
            Some(true) => Json(json!({ "type": 1 })).into_response(),
            _ => StatusCode::UNAUTHORIZED.into_response(),
        }
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("{}", listener.local_addr().unwrap());
    let router: Router = Router::new().route("/discord/interactions", post(enter));
    axum::serve(listener, router).await.unwrap();
}

fn is_signed(key: &VerifyingKey, headers: &HeaderMap, body: &[u8]) -> Option<bool> {
    let signature: [u8; 64] = HEXLOWER.decode(headers.get("x-signature-ed25519")?.as_bytes()).ok()?.try_into().ok()?;
    let message = [headers.get("x-signature-timestamp")?.as_bytes(), body].concat();
    Some(key.verify_strict(&message, &Signature::from_bytes(&signature)).is_ok())
}

/// A server beside the product; killed when it is dropped.
struct Peer {
    child: Child,
    address: SocketAddr,
}

impl Peer {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        Self { child, address: line.trim().parse().unwrap() }
    }

    fn bare() -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args([BARE, &interaction::public_key()]);
        Self::start(command)
    }

    fn express() -> Result<Self, &'static str> {
        let modules = node_modules()?;
        let mut command = Command::new("node");
        command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/figures/express.cjs"));
        command.arg(interaction::public_key()).env("NODE_PATH", modules).env("NODE_ENV", "production");
        Ok(Self::start(command))
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Express and discord-interactions from npm, installed once below `target`.
fn node_modules() -> Result<PathBuf, &'static str> {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("express");
    let modules = folder.join("node_modules");
    if modules.join("discord-interactions").is_dir() && modules.join("express").is_dir() {
        return Ok(modules);
    }
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("package.json"), r#"{"private":true}"#).unwrap();
    let install = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "express@5", "discord-interactions@4"];
    match Command::new("npm").args(install).current_dir(&folder).stdout(Stdio::null()).status() {
        Ok(status) if status.success() => Ok(modules),
        Ok(_) => Err("npm cannot install express and discord-interactions"),
        Err(_) => Err("there is no npm"),
    }
}

/// One server under a flood of PINGs.
struct Flooded {
    a_second: f64,
    cpu_a_ping: f64,
}

/// One of its figures.
type Figure = fn(&Flooded) -> f64;

async fn flooded(address: SocketAddr, pid: u32, time: Duration) -> Flooded {
    let before = cpu(pid);
    let (count, took) = flood(address, &signed(PING), time, PONG).await;
    Flooded { a_second: count as f64 / took.as_secs_f64(), cpu_a_ping: (cpu(pid) - before).as_secs_f64() / count as f64 }
}

pub(crate) async fn measure(table: &mut Table) {
    let fakes = Fakes::start().await;
    market::list(&fakes.source);
    let installation = Installation::new(&fakes, "sqlite://bellwether.db");
    let (product, address) = installation.serve().await;
    let (product_pid, product_address) = (product.id(), address.parse().unwrap());
    let bare = Peer::bare();
    let express = Peer::express();
    let mut servers = vec![(product_address, product_pid), (bare.address, bare.child.id())];
    servers.extend(express.as_ref().ok().map(|peer| (peer.address, peer.child.id())));
    for (address, pid) in &servers {
        flooded(*address, *pid, WARM_UP).await;
    }
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let mut round = Vec::new();
        for (address, pid) in &servers {
            round.push(flooded(*address, *pid, ROUND).await);
        }
        rounds.push(round);
    }
    let of = |server: usize, value: Figure| median(&rounds.iter().map(|round| value(&round[server])).collect::<Vec<_>>());
    let ratio =
        |server: usize, value: Figure| median(&rounds.iter().map(|round| value(&round[0]) / value(&round[server])).collect::<Vec<_>>());
    let (rate, micros): (Figure, Figure) = (|f| f.a_second, |f| f.cpu_a_ping * 1e6);
    let of_bare = ratio(1, rate);
    table.reach(RATE, RATE_REACH, format!("{:.0} % ({:.0} : {:.0})", of_bare * 100.0, of(0, rate), of(1, rate)), of_bare >= 0.85);
    table.tell(
        "CPU a signed PING, of a bare axum handler's",
        format!("{:.2} ({:.0} : {:.0} us)", ratio(1, micros), of(0, micros), of(1, micros)),
    );
    match &express {
        Ok(_) => {
            let of_express = ratio(2, micros);
            let measured = format!("1 / {:.1} ({:.0} : {:.0} us)", 1.0 / of_express, of(0, micros), of(2, micros));
            table.reach(CPU, CPU_REACH, measured, of_express <= 0.2);
        }
        Err(why) => table.not_measured(CPU, CPU_REACH, why),
    }
}
