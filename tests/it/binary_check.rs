//! `check` against the three services: a right set-up and every wrong one, in the words that a person reads.

use crate::support::{
    database::{TestDb, on_both},
    fake_discord::{APPLICATION, FaultKind, TOKEN, interaction},
    fake_telegram::{self, Fault},
    fake_token_metrics::{self, API_KEY},
    process::{Fakes, Installation},
};
use bellwether::domain::{Cadence, Feed, FeedStatus, Kind, SourceId, Timestamp};
use insta::assert_snapshot;
use serde_json::{Value, json};

/// Fakes, an installation on SQLite, and what `check` says of it; no secret is ever in it.
struct Bench {
    fakes: Fakes,
    installation: Installation,
}

impl Bench {
    async fn open() -> Self {
        let fakes = Fakes::start().await;
        fakes.daily(3375, 1);
        let installation = Installation::new(&fakes, "sqlite://bellwether.db");
        Self { fakes, installation }
    }

    /// What Discord says of the application.
    fn application(&self, change: &Value) {
        let mut application = json!({
            "id": APPLICATION.to_string(), "name": "Alert Bot", "verify_key": interaction::public_key(),
            "interactions_endpoint_url": "https://bot.example.org/discord/interactions",
        });
        for (name, value) in change.as_object().unwrap() {
            application[name] = value.clone();
        }
        self.fakes.discord.fault("GET /applications/@me", 1, FaultKind::Answer(200, Vec::new(), application.to_string()));
    }

    /// The exit code and the lines, those that begin with `part` alone, without what differs from run to run.
    async fn check(&self, part: &str) -> (i32, String) {
        let ended = self.installation.run(&["check"]).await;
        for secret in [TOKEN, API_KEY, fake_telegram::TOKEN] {
            assert!(!format!("{}{}", ended.out, ended.err).contains(secret), "{ended:?}");
        }
        let mut text = ended.out;
        for (found, shown) in
            [(self.fakes.source.url.as_str(), "API"), (&interaction::public_key(), "KEY"), (&self.fakes.discord.url, "DISCORD")]
        {
            text = text.replace(found, shown);
        }
        let squeezed = |line: &str| line.split("  ").filter(|cell| !cell.is_empty()).map(str::trim).collect::<Vec<_>>().join(" | ");
        let lines: Vec<_> = text.lines().filter(|line| line.starts_with(part)).map(squeezed).collect();
        (ended.code.unwrap(), lines.join("\n"))
    }
}

on_both!(a_right_set_up, |db| async move {
    let bench = Bench::open().await;
    bench.installation.fill("DATABASE_URL", &db.url);
    bench.installation.fill("BELLWETHER_PUBLIC_URL", "https://bot.example.org");
    bench.application(&json!({}));
    assert_eq!(bench.installation.run(&["register"]).await.code, Some(0));
    let (code, text) = bench.check("").await;
    assert_snapshot!(text, @r#"
    item | what was found, how to fix
    configuration | ok | every setting can be read
    database | ok | opened, migrated, can be written to
    API key | ok | works: the daily call of Bitcoin came
    call budget | ok | no limit (TOKEN_METRICS_CALLS_PER_MONTH is 0); 1 used this month
    Discord token | ok | works: the application is "Alert Bot"
    Discord public key | ok | is that of the application
    Discord endpoint | ok | "https://bot.example.org/discord/interactions"
    Discord commands | ok | registered as they are
    Telegram token | ok | works: the bot is @bellwether_bot
    Telegram updates | ok | no webhook is set: they come by long polling
    Telegram commands | ok | registered as they are
    operators | ok | none: notices are WARN lines in the log alone (BELLWETHER_OPERATORS)

    calls a month: 381 of 0
    "#);
    assert_eq!(code, 0);
    assert_eq!(db.store.calls_since(SourceId::TokenMetrics, Timestamp::EPOCH).await.unwrap(), 1, "the call is in the ledger");
    let [seen] = &bench.fakes.source.take_seen()[..] else { panic!("one call") };
    assert_eq!((seen.endpoint.as_str(), seen.ids()), ("trading-signals", vec![3375]));
});

#[tokio::test]
async fn a_new_set_up_is_warned_of_what_is_not_done_yet() {
    let mut bench = Bench::open().await;
    bench.fakes.telegram.set_webhook("https://other.example.org/s3cret-path");
    for (name, value) in [("BELLWETHER_PUBLIC_PAGES", "true"), ("TOKEN_METRICS_CALLS_PER_MONTH", "500"), ("BELLWETHER_LISTN", "x")] {
        bench.installation.set(name, value);
    }
    let (code, text) = bench.check("").await;
    assert_snapshot!(text, @r#"
    item | what was found, how to fix
    configuration | warn | BELLWETHER_LISTN is not a setting of Bellwether; did you mean BELLWETHER_LISTEN?
    database | ok | opened, migrated, can be written to
    API key | ok | works: the daily call of Bitcoin came
    call budget | ok | fits; 1 used this month
    Discord token | ok | works: the application is "Alert Bot"
    Discord public key | ok | is that of the application
    Discord endpoint | warn | empty, so that no command arrives; while `serve` runs, enter https://YOUR-HOST/discord/interactions in the developer portal, General Information, Interactions Endpoint URL; or unset DISCORD_PUBLIC_KEY to take commands over the Gateway
    Discord commands | warn | not registered as they are: `bellwether register` does it, and so does `serve` when it starts
    Telegram token | ok | works: the bot is @bellwether_bot
    Telegram updates | warn | a webhook is set, to "other.example.org"; `serve` removes it. If another program needs it, give Bellwether a bot of its own
    Telegram commands | warn | not registered as they are for all_private_chats, all_group_chats, all_chat_administrators: `bellwether register` does it, and so does `serve` when it starts
    operators | ok | none: notices are WARN lines in the log alone (BELLWETHER_OPERATORS)
    BELLWETHER_PUBLIC_PAGES | warn | not in this version: it has no effect

    calls a month: 81 of 500
    "#);
    assert!(code == 0 && !text.contains("s3cret"));
    let alone = bench.installation.run(&["check"]).await.out;
    assert!(alone.lines().any(|line| line == "calls a month: 81 of 500"), "{alone}");
}

#[tokio::test]
async fn the_key_is_refused() {
    let bench = Bench::open().await;
    let endpoint = "trading-signals";
    let limited = fake_token_metrics::Fault::WithHeaders(429, Vec::new());
    let sample =
        |name: &str| std::fs::read_to_string(format!("{}/tests/it/data/token-metrics/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    for (status, body) in [(401, "error-401-key.inferred.json"), (401, "error-401-plan.json"), (402, "error-402-x402.inferred.json")] {
        bench.fakes.source.fault(endpoint, fake_token_metrics::Fault::Status(status, sample(body)));
    }
    bench.fakes.source.fault(endpoint, limited);
    bench.fakes.source.fault(endpoint, fake_token_metrics::Fault::Html(502));
    bench.fakes.source.fault(endpoint, fake_token_metrics::Fault::Rows(Vec::new()));
    let mut said = Vec::new();
    for _ in 0..6 {
        let (code, text) = bench.check("API key").await;
        said.push(format!("{code} {text}"));
    }
    bench.installation.fill("TOKEN_METRICS_API_URL", "http://127.0.0.1:1/v2");
    let (code, text) = bench.check("API key").await;
    said.push(format!("{code} {text}"));
    bench.installation.fill("TOKEN_METRICS_API_KEY", "");
    let (code, text) = bench.check("API key").await;
    said.push(format!("{code} {text}"));
    assert_snapshot!(said.join("\n"), @r#"
    1 API key | fail | the API refuses the request (401): "Invalid API key"; copy the key again from your Token Metrics account into TOKEN_METRICS_API_KEY [TM-KEY]
    1 API key | fail | the API refuses the request (401): "You are not authorized to access this endpoint with your current plan."; choose a plan that has it in your Token Metrics account [TM-PLAN]
    1 API key | fail | the API refuses the request (402): "X-PAYMENT header is required"; choose a plan with API access in your Token Metrics account [TM-PAYMENT]
    1 API key | fail | the API asks to slow down (429); set TOKEN_METRICS_CALLS_PER_MINUTE and TOKEN_METRICS_CALLS_PER_MONTH to what your plan allows; it is asked again by itself [TM-LIMITED]
    1 API key | fail | the API has a problem (502): the answer cannot be read: "it is an HTML page, not JSON"; there is nothing to do here: it is asked again by itself [TM-DOWN]
    0 API key | warn | the key works, but there is no current data for Bitcoin; see in your Token Metrics account what your plan includes [TM-NO-DATA]
    1 API key | fail | the API cannot be reached: "Connection refused (os error 111)"; check TOKEN_METRICS_API_URL, this machine's network, DNS and clock [TM-UNREACHABLE]
    1 API key | fail | TOKEN_METRICS_API_KEY is not set; `serve` needs it: get one at https://app.tokenmetrics.com/en/api
    "#);
}

#[tokio::test]
async fn a_plan_without_data_is_told_of() {
    let db = TestDb::sqlite().await;
    let bench = Bench::open().await;
    bench.installation.fill("DATABASE_URL", &db.url);
    let feed = |kind, stopped: bool, empty_since: Option<&str>| FeedStatus {
        feed: Feed::Signals(kind),
        cadence: Cadence::Idle,
        tokens: 1,
        next_poll_at: None,
        last_poll_at: None,
        last_success_at: None,
        failures: 0,
        problem: stopped.then(|| "the API refuses the request (401): \"Invalid API key\"".to_owned()),
        stopped,
        refused: stopped,
        empty_since: empty_since.and_then(Timestamp::parse),
    };
    for status in [feed(Kind::Daily, false, Some("2026-11-01T00:00:00Z")), feed(Kind::Hourly, true, None)] {
        db.store.save_feed(SourceId::TokenMetrics, &status).await.unwrap();
    }
    let (code, text) = bench.check("feed").await;
    assert_eq!(code, 0);
    assert_snapshot!(text, @r#"
    feed daily | warn | no data for any token since 2026-11-01T00:00:00Z; see in your Token Metrics account what your plan includes [TM-NO-DATA]
    feed hourly | warn | stopped earlier: the API refuses the request (401): "Invalid API key"; the key works now, so restart `bellwether serve`, or send it SIGHUP
    "#);
    let refusal = json!({"success": false, "message": "Invalid API key"}).to_string();
    bench.fakes.source.fault("trading-signals", fake_token_metrics::Fault::Status(401, refusal));
    let (code, text) = bench.check("feed hourly").await;
    assert!(code == 1 && text.contains("mend that, then restart"), "{text}");
}

#[tokio::test]
async fn discord_is_set_up_wrongly() {
    let mut bench = Bench::open().await;
    let mut said = Vec::new();
    bench.fakes.discord.refuse("GET /applications/@me", 1, 401, 0);
    said.push(bench.check("Discord").await);
    bench.fakes.discord.refuse("GET /applications/@me", 1, 503, 0);
    said.push(bench.check("Discord").await);
    bench.application(&json!({"id": "77", "name": "Other Bot", "verify_key": "ab".repeat(32)}));
    said.push(bench.check("Discord").await);
    bench.installation.set("BELLWETHER_PUBLIC_URL", "https://moved.example.org");
    bench.application(&json!({}));
    said.push(bench.check("Discord endpoint").await);
    bench.installation.set("DISCORD_PUBLIC_KEY", "");
    bench.application(&json!({}));
    said.push(bench.check("Discord public").await);
    bench.application(&json!({"interactions_endpoint_url": null}));
    said.push(bench.check("Discord public").await);
    bench.installation.set("DISCORD_API_URL", "http://127.0.0.1:1");
    said.push(bench.check("Discord").await);
    let said: Vec<_> = said.iter().map(|(code, text)| format!("{code}\n{text}")).collect();
    assert_snapshot!(said.join("\n\n"), @r#"
    1
    Discord token | fail | Discord refuses: status 401, code 0: "refused with 0"; reset it in the developer portal (Bot, Reset Token), write the new one into DISCORD_BOT_TOKEN and restart, or into its file and send SIGHUP [DC-TOKEN]

    1
    Discord token | fail | Discord refuses: status 503, code 0: "refused with 0"; see Discord's status page; it is tried again by itself [DC-DOWN]

    1
    Discord token | ok | works: the application is "Other Bot"
    Discord application id | fail | DISCORD_APPLICATION_ID is 1402318849203716096, but the token belongs to "Other Bot"; write 77
    Discord public key | fail | DISCORD_PUBLIC_KEY is not that of the application "Other Bot", which is abababababababababababababababababababababababababababababababab; copy Public Key from General Information in the developer portal into DISCORD_PUBLIC_KEY and restart [DC-KEY]
    Discord endpoint | ok | "https://bot.example.org/discord/interactions"

    0
    Discord endpoint | warn | commands go to "https://bot.example.org/discord/interactions", not to BELLWETHER_PUBLIC_URL; enter https://moved.example.org/discord/interactions in the developer portal, General Information, Interactions Endpoint URL

    1
    Discord public key | fail | Discord sends commands over HTTP to "https://bot.example.org/discord/interactions" and none over the Gateway (the key of that is KEY); clear the Interactions Endpoint URL in the developer portal (General Information), or set DISCORD_PUBLIC_KEY and restart [DC-ENDPOINT]

    0
    Discord public key | ok | not set: commands come over the Gateway

    1
    Discord token | fail | no connection to Discord: "Connection refused (os error 111)"; check DISCORD_API_URL, this machine's network, DNS and clock [DC-UNREACHABLE]
    "#);
}

#[tokio::test]
async fn the_gateway_is_tried_without_beginning_a_session() {
    let mut bench = Bench::open().await;
    bench.installation.set("DISCORD_PUBLIC_KEY", "");
    let mut said = vec![bench.check("Discord").await];
    bench.fakes.discord.gateway.with(|state| (state.shards, state.remaining) = (2, 1));
    said.push(bench.check("Discord Gateway").await);
    bench.fakes.discord.refuse("GET /gateway", 1, 503, 0);
    said.push(bench.check("Discord Gateway").await);
    for url in ["http://127.0.0.1:1", "ws://127.0.0.1:1", &bench.fakes.source.url.replace("http", "ws")] {
        let limit = json!({"total": 1, "remaining": 1, "reset_after": 0, "max_concurrency": 1});
        let answer = json!({"url": url, "shards": 1, "session_start_limit": limit}).to_string();
        bench.fakes.discord.fault("GET /gateway", 1, FaultKind::Answer(200, Vec::new(), answer));
        said.push(bench.check("Discord Gateway").await);
    }
    bench.fakes.discord.gateway.with(|state| assert_eq!((state.identified.len(), state.closed.as_slice()), (0, &[4000, 4000][..])));
    let said: Vec<_> = said.iter().map(|(code, text)| format!("{code}\n{text}")).collect();
    assert_snapshot!(said.join("\n\n"), @r#"
    0
    Discord token | ok | works: the application is "Alert Bot"
    Discord public key | ok | not set: commands come over the Gateway
    Discord Gateway | ok | answers; connections needed: 1, sessions that may still begin today: 1000
    Discord commands | warn | not registered as they are: `bellwether register` does it, and so does `serve` when it starts

    0
    Discord Gateway | warn | sessions that may still begin today: 1, connections needed: 2; does another program use this token?

    1
    Discord Gateway | fail | Discord refuses: status 503, code 0: "refused with 0"; see Discord's status page; it is tried again by itself [DC-DOWN]

    1
    Discord Gateway | fail | the Gateway's address is not encrypted (wss); check DISCORD_API_URL and the way out of this machine; it is tried again by itself [DC-PROXY]

    1
    Discord Gateway | fail | no connection to the Gateway: "IO error: Connection refused (os error 111)"; let this machine connect to Discord's Gateway (port 443); it is tried again by itself [DC-GATEWAY]

    1
    Discord Gateway | fail | no connection to the Gateway: "HTTP error: 404 Not Found"; let this machine connect to Discord's Gateway (port 443); it is tried again by itself [DC-GATEWAY]
    "#);
}

#[tokio::test]
async fn telegram_and_operators_are_set_up_wrongly() {
    let mut bench = Bench::open().await;
    bench.fakes.telegram.with(|world| {
        world.group(-1005, "Operators", 7);
    });
    bench.installation.set("BELLWETHER_OPERATORS", "telegram:-1005,telegram:-1006,discord:1180243562783182920,discord:99,discord:user:5");
    let mut said = vec![bench.check("operator").await];
    bench.fakes.telegram.fault("getMe", None, Fault::Refuse(401, "Unauthorized", Value::Null));
    said.push(bench.check("Telegram").await);
    bench.fakes.telegram.fault("getMe", None, Fault::Raw(502, "<html>bad gateway</html>"));
    said.push(bench.check("Telegram").await);
    bench.installation.set("TELEGRAM_API_URL", "http://127.0.0.1:1");
    said.push(bench.check("Telegram").await);
    let said: Vec<_> = said.iter().map(|(code, text)| format!("{code}\n{text}")).collect();
    assert_snapshot!(said.join("\n\n"), @r#"
    1
    operator telegram:-1005 | ok | the bot sees it
    operator telegram:-1006 | fail | Telegram answers 400: "Bad Request: chat not found"; check its id, and add the bot to the chat [TG-DELETED]
    operator discord:1180243562783182920 | ok | the bot sees it
    operator discord:99 | fail | Discord refuses: status 404, code 10003: "Unknown Channel"; check its id; if it is really gone, choose another one [DC-DELETED]
    operator discord:user:5 | ok | direct messages; not tried, because that would open them

    1
    Telegram token | fail | Telegram answers 401: "Unauthorized"; ask @BotFather for it (/mybots, API Token), write it into TELEGRAM_BOT_TOKEN and restart, or into its file and send SIGHUP [TG-TOKEN]

    1
    Telegram token | fail | an answer that is not Telegram's (502): "<html>bad gateway</html>"; there is nothing to do: it is tried again by itself [TG-DOWN]

    1
    Telegram token | fail | Telegram cannot be reached: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111); check TELEGRAM_API_URL, this machine's network, DNS and clock [TG-UNREACHABLE]
    "#);
}
