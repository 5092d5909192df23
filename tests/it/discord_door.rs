//! `/discord/interactions` from outside: every hostile request, every sample, and when an answer comes.

use crate::support::fake_discord::{
    APPLICATION, FaultKind, GUILD, HERE, TOKEN,
    door::{Door, NOW},
    interaction::{ADMIN, PLAIN, autocomplete, for_channel, hex, in_private, in_server, public_key, sign, slash, token_of},
};
use bellwether::{
    clock::{Clock, ManualClock},
    domain::Timestamp,
};
use ed25519_dalek::{Signer, SigningKey};
use serde_json::{Value, json};
use std::{
    io::Write,
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PING: &[u8] = br#"{"type":1}"#;
const EMPTY: &[u8] = b"";

/// Where the recorded samples are, besides `../shared/reference`.
fn samples() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/reference/discord-samples");
    let named = std::env::var("BELLWETHER_SPECS").map(|specs| PathBuf::from(specs).join("../reference/discord-samples"));
    let found = named.into_iter().chain([beside]).find(|place| place.exists());
    if found.is_none() {
        // Past the test harness, which would swallow it.
        std::io::stderr().write_all(b"LEFT OUT: the signed samples are not at hand\n").unwrap();
    }
    found
}

#[tokio::test]
async fn a_signed_ping_is_answered() {
    let door = Door::open().await;
    let (status, body) = door.signed_at(NOW, PING).await;
    assert_eq!((status, serde_json::from_slice::<Value>(&body).unwrap()), (200, json!({"type": 1})));
    assert_eq!(door.fake.requests(), Vec::<String>::new(), "the answer is inline");
}

/// Breaks whoever looks at it.
struct Broken;

impl Clock for Broken {
    fn now(&self) -> Timestamp {
        std::panic::resume_unwind(Box::new("on purpose"))
    }
}

#[tokio::test]
async fn work_that_breaks_is_answered_with_an_apology() {
    let clock = Arc::new(ManualClock::new(Timestamp::from_secs(NOW)));
    let door = Door::with_desk_clock(&public_key(), clock, Arc::new(Broken)).await;
    let answer = door.interact(&in_private(77, slash("status", &[]))).await.to_string();
    assert!(answer.contains("Something went wrong on my side") && answer.contains("77"), "{answer}");
}

#[tokio::test]
async fn every_signed_sample_comes_in_and_gets_an_answer() {
    let Some(samples) = samples() else { return };
    let read = |name: &str| std::fs::read(samples.join(name)).unwrap();
    let signatures: Value = serde_json::from_slice(&read("signatures.json")).unwrap();
    let door = Door::with_key(signatures["public_key"].as_str().unwrap()).await;
    let at = signatures["X-Signature-Timestamp"].as_str().unwrap();
    let all = signatures["X-Signature-Ed25519"].as_object().unwrap();
    assert_eq!(all.len(), 16);
    for (name, signature) in all {
        let body = read(&format!("{name}.json"));
        let headers = [("X-Signature-Ed25519", signature.as_str().unwrap()), ("X-Signature-Timestamp", at)];
        let (status, answer) = door.post(&headers, &body).await;
        assert_eq!(status, 200, "{name}");
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let expected = match name.as_str() {
            "ping" => 1,
            name if name.starts_with("autocomplete") => 8,
            _ => 4,
        };
        assert_eq!(answer["type"], expected, "{name}");
        let mut tampered = body.clone();
        *tampered.last_mut().unwrap() = b' ';
        assert_eq!(door.post(&headers, &tampered).await, (401, EMPTY.into()), "{name}");
    }
}

#[tokio::test]
async fn every_bad_signature_gets_the_same_empty_401() {
    let door = Door::open().await;
    let good = sign(PING, NOW);
    let at = NOW.to_string();
    let wrong_key = hex(&SigningKey::from_bytes(&[8; 32]).sign(&[at.as_bytes(), PING].concat()).to_bytes());
    let only_body = hex(&SigningKey::from_bytes(&[7; 32]).sign(PING).to_bytes());
    let sig = "X-Signature-Ed25519";
    let time = "X-Signature-Timestamp";
    let hostile: Vec<(&str, Vec<(&str, &str)>)> = vec![
        ("no headers", vec![]),
        ("no signature", vec![(time, &at)]),
        ("no timestamp", vec![(sig, &good)]),
        ("empty", vec![(sig, ""), (time, &at)]),
        ("short", vec![(sig, &good[2..]), (time, &at)]),
        ("odd", vec![(sig, &good[1..]), (time, &at)]),
        ("wrong key", vec![(sig, &wrong_key), (time, &at)]),
        ("time not signed", vec![(sig, &only_body), (time, &at)]),
        ("time with sign", vec![(sig, &good), (time, "+1795255200")]),
        ("no number", vec![(sig, &good), (time, "now")]),
        ("13 digits", vec![(sig, &good), (time, "1795255200000")]),
        ("other time", vec![(sig, &good), (time, "1795255201")]),
        ("twice", vec![(sig, &good), (sig, &good), (time, &at)]),
        ("two times", vec![(sig, &good), (time, &at), (time, &at)]),
    ];
    for (name, headers) in &hostile {
        assert_eq!(door.post(headers, PING).await, (401, EMPTY.into()), "{name}");
    }
    let long = format!("{good}00");
    let not_hex = good.replace('a', "g").replace('1', "z");
    for signature in [&long, &not_hex, &"00".repeat(64), &"ff".repeat(64)] {
        assert_eq!(door.post(&[(sig, signature), (time, &at)], PING).await, (401, EMPTY.into()), "{signature}");
    }
    assert_eq!(door.post(&[(sig, &good), (time, &at)], br#"{"type":1 }"#).await, (401, EMPTY.into()), "tampered body");
    assert_eq!(door.post(&[(sig, &good), (time, &at)], PING).await.0, 200, "the good one comes in");
}

#[tokio::test]
async fn a_signature_counts_for_five_minutes_either_way() {
    let door = Door::open().await;
    for (seconds, status) in [(0, 200), (-300, 200), (300, 200), (-301, 401), (301, 401), (-86_400, 401), (86_400, 401)] {
        assert_eq!(door.signed_at(NOW + seconds, PING).await.0, status, "{seconds}");
    }
    // Replayed later, the same bytes are refused.
    door.clock.advance(Duration::from_secs(301));
    assert_eq!(door.signed_at(NOW, PING).await, (401, EMPTY.into()));
}

#[tokio::test]
async fn a_body_beyond_256_kib_is_refused_before_anything_else() {
    let door = Door::open().await;
    let pad = |length: usize| format!("{{\"type\":1,\"x\":\"{}\"}}", "x".repeat(length - 17)).into_bytes();
    assert_eq!(pad(262_144).len(), 262_144);
    assert_eq!(door.signed_at(NOW, &pad(262_144)).await.0, 200);
    assert_eq!(door.signed_at(NOW, &pad(262_145)).await, (413, EMPTY.into()));
    assert_eq!(door.post(&[], &pad(300_000)).await, (413, EMPTY.into()));
    // Without a length, in chunks.
    let chunked =
        [&b"POST /discord/interactions HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n50000\r\n"[..], &vec![b'x'; 0x5_0000]]
            .concat();
    assert!(raw(&door, &chunked).await.starts_with("HTTP/1.1 413"));
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up_after_five_seconds() {
    let door = Door::open().await;
    let answer = raw(&door, b"POST /discord/interactions HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{").await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
}

#[tokio::test]
async fn beyond_512_at_once_the_door_is_shut_and_opens_again() {
    let door = Door::open().await;
    let mut waiting = Vec::new();
    for _ in 0..512 {
        let mut stream = tokio::net::TcpStream::connect(door.address).await.unwrap();
        stream.write_all(b"POST /discord/interactions HTTP/1.1\r\nhost: x\r\ncontent-length: 10\r\n\r\n{").await.unwrap();
        waiting.push(stream);
    }
    // The last of them may be read a little after it was written.
    let mut seen = Vec::new();
    while seen.last() != Some(&503) && seen.len() < 1_000 {
        seen.push(door.signed_at(NOW, PING).await.0);
    }
    assert_eq!(seen.last(), Some(&503));
    drop(waiting);
    while seen.last() != Some(&200) && seen.len() < 2_000 {
        seen.push(door.signed_at(NOW, PING).await.0);
    }
    assert_eq!(seen.last(), Some(&200));
}

async fn raw(door: &Door, bytes: &[u8]) -> String {
    let mut stream = tokio::net::TcpStream::connect(door.address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = vec![0; 1024];
    let length = stream.read(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer[..length]).into_owned()
}

#[tokio::test]
async fn signed_nonsense_is_400() {
    let door = Door::open().await;
    let nested = "[".repeat(100_000);
    for body in [
        "",
        "nonsense",
        "[]",
        "1",
        "null",
        "{}",
        "{\"type\":\"2\"}",
        "{\"type\":0}",
        "{\"type\":6}",
        "{\"type\":-1}",
        "{\"type\":1.5}",
        &nested,
    ] {
        assert_eq!(door.signed_at(NOW, body.as_bytes()).await, (400, EMPTY.into()), "{}", &body[..body.len().min(20)]);
    }
    assert_eq!(door.signed_at(NOW, b"\xff\xfe").await.0, 400);
    let mut foreign = in_server(1, ADMIN, slash("help", &[]));
    for application in [json!("1"), json!(APPLICATION), json!(null)] {
        foreign["application_id"] = application;
        assert_eq!(door.signed_at(NOW, foreign.to_string().as_bytes()).await, (400, EMPTY.into()));
    }
}

#[tokio::test]
async fn what_cannot_be_read_is_answered_politely() {
    let door = Door::open().await;
    let mut broken = vec![in_server(2, PLAIN, json!(null)), in_server(3, PLAIN, slash("unheard-of", &[])), json!({"type": 2})];
    let mut without_invoker = in_server(4, PLAIN, slash("help", &[]));
    without_invoker["member"] = json!(7);
    broken.push(without_invoker);
    for kind in [3, 5] {
        let mut other = in_server(5, PLAIN, json!({"custom_id": "v1:x:1", "component_type": 2}));
        other["type"] = json!(kind);
        broken.push(other);
    }
    for interaction in &broken {
        let answer = door.interact(interaction).await;
        assert_eq!((&answer["type"], &answer["data"]["flags"]), (&json!(4), &json!(64)), "{interaction}");
        assert!(answer["data"]["embeds"][0]["title"].as_str().unwrap().contains("could not read"), "{answer}");
    }
    let mut half = in_server(6, PLAIN, json!({"name": "subscribe"}));
    half["type"] = json!(4);
    assert_eq!(door.interact(&half).await, json!({"type": 8, "data": {"choices": []}}));
}

#[tokio::test]
async fn a_command_is_answered_at_once_and_for_the_invoker_alone() {
    let door = Door::open().await;
    for interaction in [in_server(10, PLAIN, slash("help", &[])), in_private(11, slash("help", &[]))] {
        let answer = door.interact(&interaction).await;
        assert_eq!((&answer["type"], &answer["data"]["flags"]), (&json!(4), &json!(64)));
        assert_eq!(answer["data"]["allowed_mentions"]["parse"], json!([]));
        assert!(answer["data"].get("content").is_none());
    }
    let half = autocomplete(in_server(12, PLAIN, slash("subscribe", &[("tokens", "SO")])));
    assert_eq!(door.interact(&half).await["type"], 8);
    assert_eq!(door.fake.requests(), Vec::<String>::new());
}

#[tokio::test]
async fn another_channel_is_asked_for_and_the_current_one_is_not() {
    let door = Door::open().await;
    door.fake.channel("4242", json!({}));
    door.interact(&in_server(20, ADMIN, for_channel("list", HERE, &[]))).await;
    assert_eq!(door.fake.requests(), Vec::<String>::new());
    door.interact(&in_server(21, ADMIN, for_channel("list", "4242", &[]))).await;
    let asked = door.fake.requests();
    let own = format!("GET /guilds/{GUILD}/members/{APPLICATION}");
    assert_eq!(asked, ["GET /channels/4242".to_owned(), format!("GET /guilds/{GUILD}/roles"), own]);
}

#[tokio::test]
async fn a_slow_answer_is_deferred_and_replaces_the_waiting_one() {
    let door = Door::open().await;
    door.fake.channel("4242", json!({}));
    door.fake.fault("GET /channels/4242", 1, FaultKind::Delay(Duration::from_millis(2_300)));
    door.fake.refuse("PATCH /webhooks/", 1, 404, 10015);
    let answer = door.interact(&in_server(30, ADMIN, for_channel("list", "4242", &[]))).await;
    assert_eq!(answer, json!({"type": 5, "data": {"flags": 64}}));
    door.settle().await;
    let answers = door.fake.answers();
    assert_eq!(answers.len(), 1);
    assert_eq!(answers[0].0, token_of(30));
    assert_eq!(answers[0].1["allowed_mentions"]["parse"], json!([]));
}

#[tokio::test]
async fn a_late_answer_that_is_refused_for_good_is_not_tried_again() {
    let door = Door::open().await;
    door.fake.channel("4242", json!({}));
    door.fake.fault("GET /channels/4242", 1, FaultKind::Delay(Duration::from_millis(2_300)));
    door.fake.refuse("PATCH /webhooks/", 9, 400, 50027);
    let (logs, _guard) = capture();
    door.interact(&in_server(31, ADMIN, for_channel("list", "4242", &[]))).await;
    door.settle().await;
    assert_eq!(door.fake.requests().iter().filter(|asked| asked.starts_with("PATCH")).count(), 1);
    let logged = logs.text();
    assert!(logged.contains("an answer is refused"), "{logged}");
    assert!(!logged.contains(&token_of(31)) && !logged.contains(TOKEN), "{logged}");
    assert!(!format!("{:?}", door.discord).contains(TOKEN));
}

#[tokio::test]
async fn an_id_that_is_none_is_unreadable_and_a_repeat_comes_in() {
    let door = Door::open().await;
    let late = in_server(32, PLAIN, slash("help", &[]));
    let mut unknown = late.clone();
    unknown["id"] = json!("not a number");
    let answer = door.interact(&unknown).await;
    assert!(answer["data"]["embeds"][0]["title"].as_str().unwrap().contains("could not read"), "{answer}");
    // The same interaction twice comes in twice: that it is carried out once is the desk's business.
    for _ in 0..2 {
        assert_eq!(door.interact(&late).await["type"], 4);
    }
}

/// What the process logs at INFO on this thread.
#[derive(Clone, Default)]
struct Logs(Arc<Mutex<Vec<u8>>>);

impl Logs {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl std::io::Write for Logs {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

fn capture() -> (Logs, tracing::subscriber::DefaultGuard) {
    let logs = Logs::default();
    let writer = logs.clone();
    let subscriber = tracing_subscriber::fmt().with_env_filter("info,serenity=warn").with_writer(move || writer.clone()).finish();
    (logs, tracing::subscriber::set_default(subscriber))
}
