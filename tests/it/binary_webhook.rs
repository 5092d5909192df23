//! `serve` with a webhook: the process as Telegram meets it, killed in the middle, stopped, and asked by strangers.

use crate::support::{
    commands::rows,
    database::on_both,
    fake_telegram::Fault,
    process::{Fakes, Installation, PATIENCE, Process, get, until},
};
use serde_json::Value;
use std::time::Duration;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

const SECRET: &str = "s3cret-of_the-webhook";
const PERSON: i64 = 501;

/// An installation that listens where Telegram will call it.
fn installation(fakes: &Fakes, database: &str) -> (Installation, String) {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let installation = Installation::new(fakes, database);
    installation.fill("BELLWETHER_LISTEN", &free);
    installation.fill("BELLWETHER_PUBLIC_URL", &format!("http://{free}"));
    installation.fill("TELEGRAM_WEBHOOK_SECRET", SECRET);
    installation.fill("RUST_LOG", "trace");
    (installation, free)
}

async fn serve(installation: &Installation) -> Process {
    let process = installation.start(&["serve"]);
    process.wait_for("updates come by webhook").await;
    process
}

async fn answers(fakes: &Fakes, count: usize) -> Vec<String> {
    let mut texts = Vec::new();
    let all = until(|| {
        texts.extend(fakes.telegram.unread().into_iter().map(|sent| sent.text));
        let enough = texts.len() >= count;
        async move { enough.then_some(()) }
    });
    all.await.expect("the answers come");
    texts
}

async fn post(address: &str, secrets: &[&str], body: String) -> u16 {
    let mut request = reqwest::Client::new().post(format!("http://{address}/telegram/webhook")).body(body);
    for secret in secrets {
        request = request.header("X-Telegram-Bot-Api-Secret-Token", *secret);
    }
    request.send().await.unwrap().status().as_u16()
}

/// Announces a stranger's body; gives the status. Sent too, it could meet a closed connection before the answer is read.
async fn announce(address: &str, length: usize) -> u16 {
    let mut connection = TcpStream::connect(address).await.unwrap();
    let head = format!("POST /telegram/webhook HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n");
    connection.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    connection.read_exact(&mut answer).await.unwrap();
    std::str::from_utf8(&answer).unwrap().strip_prefix("HTTP/1.1 ").unwrap().parse().unwrap()
}

on_both!(commands_come_by_webhook_and_a_kill_loses_and_doubles_nothing, |db| async move {
    let fakes = Fakes::start().await;
    let (installation, address) = installation(&fakes, &db.url);
    let process = serve(&installation).await;
    fakes.telegram.with(|world| world.say(PERSON, PERSON, "/help"));
    assert!(answers(&fakes, 1).await[0].starts_with("What I can do"));
    let ready = until(|| async { Some(get(&address, "/readyz").await).filter(|(status, _)| *status == 200) }).await.unwrap();
    assert!(ready.1.contains(r#""telegram":"up""#), "{ready:?}");

    for (secrets, body, status) in [
        (vec!["wrong"], r#"{"update_id":1}"#.to_owned(), 401),
        (vec![SECRET, SECRET], r#"{"update_id":1}"#.to_owned(), 401),
        (vec![SECRET], "garbage".to_owned(), 200),
    ] {
        assert_eq!(post(&address, &secrets, body).await, status, "{secrets:?}");
    }
    assert_eq!(post(&address, &[SECRET], "x".repeat(2 * 1024 * 1024)).await, 200);
    assert_eq!(announce(&address, 2 * 1024 * 1024).await, 401, "nothing of a stranger's body is read");
    assert_eq!(process.stop("TERM").await.code, Some(0));
    assert_eq!(fakes.telegram.with(|world| world.webhook.url.clone()), format!("http://{address}/telegram/webhook"), "a stop leaves it");

    // Said while nobody is there: Telegram waits. Stored, then killed before it could be carried out.
    fakes.telegram.with(|world| world.say(PERSON, PERSON, "/settings max_per_hour=5"));
    for _ in 0..50 {
        fakes.telegram.fault("getMe", None, Fault::Raw(502, "Bad Gateway"));
    }
    let process = serve(&installation).await;
    process.wait_for("could not be carried out; trying again").await;
    until(|| async { (fakes.telegram.unconfirmed() == 0).then_some(()) }).await.expect("it was confirmed");
    assert_eq!(process.stop("KILL").await.code, None);
    fakes.telegram.with(|world| world.faults.clear());
    let process = serve(&installation).await;
    assert!(answers(&fakes, 1).await[0].contains("max_per_hour 5"));
    let stored = "SELECT state FROM updates_seen WHERE state = 'stored'";
    until(|| async { rows(&db.url, stored).await.is_empty().then_some(()) }).await.expect("none is left to carry out");
    assert_eq!(process.stop("TERM").await.code, Some(0));
    assert_eq!(fakes.telegram.calls("deleteWebhook").len(), 0);
    let written = installation.everything_written();
    assert!(written.contains("TRACE") && !written.contains(SECRET), "no secret in the log");
});

#[tokio::test]
async fn a_body_that_trickles_is_given_up_while_others_are_served() {
    let fakes = Fakes::start().await;
    let (installation, address) = installation(&fakes, "sqlite://bellwether.db");
    let process = serve(&installation).await;
    let mut slow = TcpStream::connect(&address).await.unwrap();
    let head =
        format!("POST /telegram/webhook HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\nx-telegram-bot-api-secret-token: {SECRET}\r\n\r\n");
    slow.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 64];
    let given_up = tokio::time::timeout(PATIENCE, async {
        loop {
            let _ = slow.write_all(b"x").await;
            if let Ok(read) = tokio::time::timeout(Duration::from_millis(300), slow.read(&mut answer)).await {
                return read.unwrap_or(0);
            }
            assert_eq!(post(&address, &[SECRET], "garbage".to_owned()).await, 200);
        }
    });
    let read = given_up.await.expect("it waits for ever");
    assert!(read == 0 || answer.starts_with(b"HTTP/1.1 408"), "{:?}", String::from_utf8_lossy(&answer));
    assert_eq!(process.stop("TERM").await.code, Some(0));
}

#[tokio::test]
async fn what_telegram_will_not_take_is_refused_at_the_start() {
    let fakes = Fakes::start().await;
    let mut installation = Installation::new(&fakes, "sqlite://bellwether.db");
    installation.set("TELEGRAM_WEBHOOK_SECRET", "not.a.s3cret!");
    installation.set("BELLWETHER_PUBLIC_URL", "https://bot.example.org");
    let ended = installation.run(&["serve"]).await;
    let line = "TELEGRAM_WEBHOOK_SECRET: Telegram does not take it; write up to 256 characters of A-Z, a-z, 0-9, _ and -\n";
    assert!(ended.code == Some(2) && ended.err == line, "{ended:?}");
    installation.set("TELEGRAM_WEBHOOK_SECRET", SECRET);
    for url in ["http://bot.example.org", "https://bot.example.org:8080"] {
        installation.set("BELLWETHER_PUBLIC_URL", url);
        let ended = installation.run(&["serve"]).await;
        let line = "BELLWETHER_PUBLIC_URL: Telegram does not call this address, and TELEGRAM_WEBHOOK_SECRET asks for a webhook; write an https URL on port 443, 80, 88 or 8443, or unset TELEGRAM_WEBHOOK_SECRET\n";
        assert!(ended.code == Some(2) && ended.err == line, "{ended:?}");
    }
}

#[tokio::test]
async fn a_webhook_that_cannot_be_set_is_named_and_tried_again() {
    let fakes = Fakes::start().await;
    let (installation, address) = installation(&fakes, "sqlite://bellwether.db");
    for _ in 0..3 {
        fakes.telegram.fault("setWebhook", None, Fault::Refuse(400, "Bad Request: bad webhook: something", Value::Null));
    }
    let process = installation.start(&["serve"]);
    process.wait_for("bad webhook").await;
    let down = until(|| async { Some(get(&address, "/readyz").await).filter(|(_, body)| body.contains(r#""telegram":"down""#)) }).await;
    assert_eq!(down.expect("it is named").0, 200, "Discord works");
    process.wait_for("updates come by webhook").await;
    until(|| async { get(&address, "/readyz").await.1.contains(r#""telegram":"up""#).then_some(()) }).await.expect("it works again");
    let check = installation.run(&["check"]).await;
    let line = check.out.lines().find(|line| line.starts_with("Telegram updates")).unwrap();
    assert!(line.contains(&format!("by webhook, to http://{address}/telegram/webhook; none wait")), "{line}");
    assert_eq!(process.stop("TERM").await.code, Some(0));
}
