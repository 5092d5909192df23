//! No secret in anything that the process writes, whatever goes wrong, at the loudest log level.

use crate::support::{
    database::on_both,
    fake_discord::{self, FaultKind, interaction},
    fake_telegram::{self, Fault},
    fake_token_metrics::{self, API_KEY},
    process::{Fakes, Installation, get, interact, until},
};
use data_encoding::BASE64;
use interaction::{ADMIN, in_server, slash, subcommand, token_of};
use serde_json::{Value, json};

const ADMIN_TOKEN: &str = "admin/token+of=the~tests";
const PASSWORD: &str = "pass-word.of~the_database";

/// The secret in every form in which it could be written: as it is, percent-encoded, in base64 wherever it begins.
fn forms(secret: &str) -> Vec<String> {
    let percent = |keep: &str| -> String {
        let byte = |byte: u8| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' => char::from(byte).to_string(),
            other if keep.contains(char::from(other)) => char::from(other).to_string(),
            other => format!("%{other:02X}"),
        };
        secret.bytes().map(byte).collect()
    };
    let mut forms = vec![secret.to_owned(), percent("-_.~"), percent("-_.~:"), percent("")];
    for shift in 0..3 {
        let text = BASE64.encode(format!("{}{secret}", "x".repeat(shift)).as_bytes());
        // Without the letters at both ends that also depend on what stands beside it.
        forms.push(text[4..text.len() - 4].to_owned());
    }
    forms
}

pub(crate) fn assert_free_of(secrets: &[String], what: &str, text: &str) {
    for secret in secrets {
        for form in forms(secret) {
            if let Some(at) = text.find(&form) {
                let from = text[..at].rfind('\n').map_or(0, |at| at + 1);
                panic!("{secret} is in {what}: {}", text[from..].lines().next().unwrap_or_default());
            }
        }
    }
}

const ECHO: &str = "<h1>/bot4242:AAE-very-secret-token_of_the_tests/sendMessage</h1>";

/// What goes wrong at the platforms, with the secrets in its words; the bot gets over it within seconds.
fn provoke_platforms(fakes: &Fakes) {
    let echo = || json!({"message": format!("no to Bot {}", fake_discord::TOKEN), "code": 0}).to_string();
    for on in ["GET /applications", "POST /channels", "PATCH /webhooks"] {
        fakes.discord.fault(on, 1, FaultKind::HangUp);
        fakes.discord.fault(on, 1, FaultKind::Answer(500, Vec::new(), echo()));
        fakes.discord.fault(on, 1, FaultKind::Answer(400, Vec::new(), echo()));
    }
    fakes.telegram.fault("sendMessage", None, Fault::Raw(502, ECHO));
    fakes.telegram.fault("getUpdates", None, Fault::Refuse(500, ECHO, Value::Null));
    fakes.telegram.fault("getUpdates", None, Fault::Close { carried_out: false });
    fakes.source.fault("tokens", refusal(500));
}

fn refusal(status: u16) -> fake_token_metrics::Fault {
    fake_token_metrics::Fault::Status(status, json!({"success": false, "message": format!("{status} for {API_KEY}")}).to_string())
}

/// What goes wrong for the commands that ask the services once.
fn provoke_questions(fakes: &Fakes) {
    fakes.telegram.fault("getMe", None, Fault::Refuse(401, ECHO, Value::Null));
    fakes.telegram.fault("getMe", None, Fault::Raw(200, ECHO));
    fakes.telegram.fault("getMe", None, Fault::Close { carried_out: false });
    fakes.telegram.fault("getMyCommands", None, Fault::BrokenJson);
    for fault in [refusal(401), refusal(429), fake_token_metrics::Fault::BrokenOff, refusal(400)] {
        fakes.source.fault("trading-signals", fault);
    }
}

on_both!(no_secret_is_ever_written, |db| async move {
    let fakes = Fakes::start().await;
    fakes.daily(3988, -1);
    let database = db.url.replace("postgres@localhost", &format!("postgres:{PASSWORD}@localhost"));
    let mut installation = Installation::new(&fakes, &database);
    installation.fill("BELLWETHER_ADMIN_TOKEN", ADMIN_TOKEN);
    installation.fill("RUST_LOG", "trace");
    let mut secrets: Vec<String> = [API_KEY, fake_discord::TOKEN, fake_telegram::TOKEN, ADMIN_TOKEN, PASSWORD].map(str::to_owned).to_vec();
    secrets.extend((21..27).map(token_of));

    let (process, address) = installation.serve().await;
    let metrics = async |token: &str| {
        let answer = reqwest::Client::new().get(format!("http://{address}/metrics")).bearer_auth(token).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let has = async |line: &str| metrics(ADMIN_TOKEN).await.1.contains(line).then_some(());
    until(|| has(r#"feed="ranks",outcome="complete""#)).await.expect("the directory is read");
    provoke_platforms(&fakes);
    let channel = || subcommand("channel", "subscribe", json!([{"name": "tokens", "type": 3, "value": "sol"}]));
    for id in 21..27 {
        let command = if id % 2 == 0 { channel() } else { slash("signal", &[("token", "NEWCOIN")]) };
        assert_eq!(interact(&address, &in_server(id, ADMIN, command)).await.0, 200);
    }
    fakes.telegram.with(|world| world.say(501, 501, "/subscribe SOL"));
    until(|| async { fakes.telegram.unread().pop() }).await.expect("it answers");
    until(|| has(r#"feed="daily",outcome="complete""#)).await.expect("the baseline is read");
    fakes.daily(3988, 1);
    until(|| async { fakes.telegram.unread().pop() }).await.expect("the flip comes");
    // The next poll meets a refusal that repeats the key, and stops for good.
    fakes.source.fault("trading-signals", refusal(401));
    process.wait_for("the API refuses the request (401)").await;
    provoke_questions(&fakes);
    for arguments in
        [&["check"][..], &["check"], &["check"], &["check"], &["register"], &["status"], &["status", "--json"], &["outbox", "list"]]
    {
        installation.run(arguments).await;
    }
    assert_eq!(metrics("admin/token+of=the~testz").await.0, 401);
    let pages = format!("{}{}", metrics(ADMIN_TOKEN).await.1, get(&address, "/readyz").await.1);
    process.stop("TERM").await;

    // Bad starts too.
    for (name, value) in [
        ("BELLWETHER_ADMIN_TOKEN", "short-s3cret"),
        ("BELLWETHER_LISTEN", "nonsense"),
        ("DATABASE_URL", "postgres://u:pass-word.of~the_database@127.0.0.1:1/x"),
    ] {
        installation.set(name, value);
        for arguments in [&["serve"][..], &["check"]] {
            assert_ne!(installation.run(arguments).await.code, Some(0));
        }
    }
    secrets.push("short-s3cret".to_owned());
    let written = installation.everything_written();
    assert!(written.contains("TRACE"), "the log is loud");
    assert_free_of(&secrets, "the output", &written);
    assert_free_of(&secrets, "the pages", &pages);
    let messages = format!("{:?}{:?}", fakes.discord.unread(), fakes.telegram.calls("sendMessage"));
    assert_free_of(&secrets, "the messages", &messages);
    if let Some(path) = db.url.strip_prefix("sqlite://") {
        for end in ["", "-wal"] {
            let bytes = std::fs::read(format!("{path}{end}")).unwrap_or_default();
            assert_free_of(&secrets, "the database", &String::from_utf8_lossy(&bytes));
        }
    }
    fakes.telegram.unread();
});

#[tokio::test]
async fn no_secret_of_the_gateway_is_ever_written() {
    let fakes = Fakes::start().await;
    let installation = Installation::new(&fakes, "sqlite://bellwether.db");
    for (name, value) in [("DISCORD_PUBLIC_KEY", ""), ("RUST_LOG", "trace,serenity=trace,tungstenite=trace,tokio_tungstenite=trace")] {
        installation.fill(name, value);
    }
    let gateway = &fakes.discord.gateway;
    gateway.with(|state| state.heartbeat = std::time::Duration::from_millis(200));
    let (process, _) = installation.serve().await;
    gateway.connected().await;
    let echo = |id: u64| json!({"message": format!("no to {}", token_of(id)), "code": 10062}).to_string();
    fakes.discord.fault("POST /interactions/61", 1, FaultKind::Answer(404, Vec::new(), echo(61)));
    fakes.discord.fault("POST /interactions/62", 1, FaultKind::Answer(502, Vec::new(), echo(62)));
    fakes.discord.fault("POST /interactions/63", 1, FaultKind::HangUp);
    let unreadable = |id| in_server(id, ADMIN, json!({"name": token_of(id)}));
    for interaction in (61..65).map(|id| in_server(id, ADMIN, slash("help", &[]))).chain([unreadable(65)]) {
        gateway.asks(&interaction);
    }
    for id in [62, 63, 64, 65] {
        gateway.answer(&json!({"id": id.to_string()})).await;
    }
    gateway.happens("READY", &json!({"session_id": 5, "guilds": token_of(66)}));
    gateway.happens("INTERACTION_CREATE", &json!({"id": "66", "token": token_of(66), "type": 77}));
    gateway.say(&json!(token_of(66)));
    gateway.dealt_with().await;
    gateway.hang_up();
    gateway.until("it is resumed", |state| (!state.resumed.is_empty()).then_some(())).await;
    gateway.with(|state| state.refusals.push_back(4004));
    gateway.forget_sessions();
    gateway.hang_up();
    process.wait_for("no commands come from Discord any more").await;
    installation.run(&["check"]).await;
    process.stop("TERM").await;
    let written = installation.everything_written();
    assert!(written.contains("TRACE"), "the log is loud");
    let sessions = (1..4).map(|n| format!("session-{n:04}-secret"));
    let secrets: Vec<_> = (61..67).map(token_of).chain([fake_discord::TOKEN.to_owned()]).chain(sessions).collect();
    assert_free_of(&secrets, "the output", &written);
}

#[test]
fn a_secret_is_found_in_every_form() {
    let secret = vec!["a+b/c:d-very-secret".to_owned()];
    for text in
        ["x a+b/c:d-very-secret", "a%2Bb%2Fc%3Ad-very-secret", "YStiL2M6ZC12ZXJ5LXNlY3JldA==", "QmVhcmVyIGErYi9jOmQtdmVyeS1zZWNyZXQ="]
    {
        assert!(std::panic::catch_unwind(|| assert_free_of(&secret, "it", text)).is_err(), "{text}");
    }
    assert_free_of(&secret, "it", "nothing here");
}
