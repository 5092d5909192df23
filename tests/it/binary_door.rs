//! Hostile requests against the running process: each gets its answer, the process goes on, and nothing is given away.

use crate::support::{
    fake_discord::interaction,
    process::{Fakes, Installation, PATIENCE, get, interact},
};
use bellwether::clock::{Clock, SystemClock};
use interaction::{PLAIN, in_server, sign, slash, subcommand};
use serde_json::json;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// Sends these bytes and gives everything that comes back until the other side ends, or five seconds.
async fn raw(address: &str, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(8), stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

fn request(method: &str, path: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len())
        .into_bytes()
}

fn status_of(answer: &str) -> &str {
    answer.split(' ').nth(1).unwrap_or("nothing")
}

#[tokio::test]
async fn hostile_requests_change_nothing() {
    let fakes = Fakes::start().await;
    let installation = Installation::new(&fakes, "sqlite://bellwether.db");
    let (process, address) = installation.serve().await;
    let at = SystemClock.now().as_secs();
    let ping = r#"{"type":1}"#;
    let signed = |body: &str, at: i64| format!("X-Signature-Ed25519: {}\r\nX-Signature-Timestamp: {at}\r\n", sign(body.as_bytes(), at));
    let good = sign(ping.as_bytes(), at);
    let signature = |signature: &str| format!("X-Signature-Ed25519: {signature}\r\nX-Signature-Timestamp: {at}\r\n");
    let door = "/discord/interactions";
    let large = format!("{ping}{}", " ".repeat(262_144));
    let not_json = "hello";
    for (name, bytes, expected) in [
        ("missing", request("POST", door, "", ping), "401"),
        ("short", request("POST", door, &signature(&good[2..]), ping), "401"),
        ("long", request("POST", door, &signature(&format!("{good}00")), ping), "401"),
        ("non-hex", request("POST", door, &signature(&"z".repeat(128)), ping), "401"),
        ("wrong key", request("POST", door, &signature(&"00".repeat(64)), ping), "401"),
        ("tampered", request("POST", door, &signature(&good), r#"{"type":2}"#), "401"),
        ("stale", request("POST", door, &signed(ping, at - 400), ping), "401"),
        ("future", request("POST", door, &signed(ping, at + 400), ping), "401"),
        ("oversized", request("POST", door, &signed(&large, at), &large), "413"),
        ("not JSON", request("POST", door, &signed(not_json, at), not_json), "400"),
        ("GET", request("GET", door, "", ""), "405"),
        ("PUT", request("PUT", door, &signed(ping, at), ping), "405"),
        ("health by POST", request("POST", "/healthz", "", ""), "405"),
        ("DELETE metrics", request("DELETE", "/metrics", "", ""), "405"),
        ("huge header", request("GET", "/healthz", &format!("x: {}\r\n", "y".repeat(600_000)), ""), "431"),
        ("many headers", request("GET", "/healthz", &"x: y\r\n".repeat(300), ""), "431"),
        ("no HTTP", b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n".to_vec(), "400"),
        ("two lengths", request("POST", door, "content-length: 5\r\n", ping), "400"),
    ] {
        let answer = raw(&address, &bytes).await;
        assert_eq!(status_of(&answer), expected, "{name}: {answer}");
        let body = answer.split("\r\n\r\n").nth(1).unwrap_or_default();
        assert!(body.is_empty(), "{name} is told something: {body}");
    }
    for path in
        ["/", "/.env", "/outbox", "/telegram/webhook", "/admin", "/metrics/", "//metrics", "/healthz/..%2fmetrics", "/discord", "/login"]
    {
        let answer = raw(&address, &request("GET", path, "", "")).await;
        assert_eq!((status_of(&answer), answer.split("\r\n\r\n").nth(1)), ("404", Some("")), "{path}: {answer}");
        assert!(!answer.to_lowercase().contains("server:") && !answer.to_lowercase().contains("bellwether"), "{answer}");
    }
    for (headers, expected) in [
        ("", "200"),
        ("x-forwarded-for: 127.0.0.1\r\n", "404"),
        ("forwarded: for=127.0.0.1\r\n", "404"),
        ("x-real-ip: 127.0.0.1\r\n", "404"),
        ("x-forwarded-host: localhost\r\n", "404"),
        ("via: 1.1 proxy\r\n", "404"),
        ("cf-connecting-ip: 1.2.3.4\r\n", "404"),
        ("host: evil.example.org\r\n", "404"),
    ] {
        let answer = raw(&address, &request("GET", "/metrics", headers, "")).await;
        assert!(
            status_of(&answer) == expected || (headers.starts_with("host") && status_of(&answer) == "400"),
            "{headers}: {}",
            status_of(&answer)
        );
    }
    let rebound = b"GET /metrics HTTP/1.1\r\nhost: rebound.example.org\r\nconnection: close\r\n\r\n";
    assert_eq!(status_of(&raw(&address, rebound).await), "404");
    assert_eq!(
        status_of(&raw(&address, b"GET http://localhost/metrics HTTP/1.1\r\nhost: rebound.example.org\r\nconnection: close\r\n\r\n").await),
        "404"
    );

    // Signed, but not for us, or by someone without rights.
    let mut foreign = in_server(31, PLAIN, slash("help", &[]));
    foreign["application_id"] = json!("1");
    let (status, answer) = interact(&address, &foreign).await;
    assert!(status != 200 || answer["data"]["content"].is_null(), "{status} {answer}");
    let channel = subcommand("channel", "subscribe", json!([{"name": "tokens", "type": 3, "value": "all"}]));
    let (status, answer) = interact(&address, &in_server(32, PLAIN, channel)).await;
    assert!(status == 200 && answer.to_string().contains("Manage Server"), "{answer}");

    assert_eq!(get(&address, "/healthz").await.0, 200);
    let log = process.log();
    assert!(!log.contains("panicked") && !log.contains(" ERROR "), "{log}");
    assert!(log.lines().filter(|line| line.contains(" WARN ")).count() < 20, "strangers do not fill the log: {log}");
    assert_eq!(process.stop("TERM").await.code, Some(0));
}

#[tokio::test]
async fn a_body_that_trickles_is_given_up_while_others_are_served() {
    let fakes = Fakes::start().await;
    let installation = Installation::new(&fakes, "sqlite://bellwether.db");
    let (process, address) = installation.serve().await;
    let mut slow = TcpStream::connect(&address).await.unwrap();
    slow.write_all(b"POST /discord/interactions HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n").await.unwrap();
    let mut answer = [0; 64];
    let mut left = PATIENCE.as_millis() / 300;
    let read = loop {
        left = left.checked_sub(1).expect("it waits for ever");
        let _ = slow.write_all(b"x").await;
        if let Ok(read) = tokio::time::timeout(Duration::from_millis(300), slow.read(&mut answer)).await {
            break read.unwrap_or(0);
        }
        assert_eq!(get(&address, "/healthz").await.0, 200);
    };
    assert!(read == 0 || answer.starts_with(b"HTTP/1.1 408"), "{:?}", String::from_utf8_lossy(&answer));
    assert_eq!(process.stop("TERM").await.code, Some(0));
}
