//! Discord's bad days, through the whole product: what waits, what is tried again, what is given up, and that nobody reads anything twice.

use crate::support::{
    app::TestApp,
    audience::{BTC, ETH, FOUR, HOUR, MINUTE, SOL},
    commands::rows,
    database::on_both,
    fake_discord::{
        FaultKind, HERE, direct_channel,
        interaction::{ADMIN, MEMBER, for_channel, subcommand},
    },
};
use insta::assert_snapshot;
use serde_json::{Value, json};
use std::time::Duration;

const OTHER: &str = "1180243562783183999";
const OPERATORS: &str = "1180243562783184777";
const PERSON: i64 = 501;
/// An operator on each platform.
const TELL: (&str, &str) = ("BELLWETHER_OPERATORS", "telegram:900,discord:1180243562783184777");

/// A running product with an operators' place on each platform.
async fn open(db: crate::support::database::TestDb) -> TestApp {
    let app = TestApp::with(db, &[TELL]).await;
    app.telegram.with(|world| {
        world.person(900);
    });
    app.discord.channel(OPERATORS, json!({"name": "operators"}));
    app.discord.channel(OTHER, json!({"name": "other"}));
    app
}

/// `/channel subscribe tokens channel`.
fn subscribe(channel: &str, tokens: &str) -> Value {
    for_channel("subscribe", channel, &[("tokens", tokens)])
}

async fn channels_subscribe(app: &mut TestApp, channels: &[&str]) {
    for channel in channels {
        // Discord takes fifty requests a second.
        app.clock.advance(Duration::from_secs(1));
        let said = app.on_server(ADMIN, subscribe(channel, "all")).await;
        assert!(said.contains("Subscribed"), "{said}");
    }
}

/// How often a message was posted to a channel.
fn posts(app: &TestApp, channel: &str) -> usize {
    let wanted = format!("POST /channels/{channel}/messages");
    app.discord.requests().iter().filter(|request| **request == wanted).count()
}

fn on(channel: &str) -> String {
    format!("POST /channels/{channel}/messages")
}

/// What was sent where, by title.
fn arrived(app: &TestApp) -> Vec<(String, String)> {
    let title = |text: String| text.lines().next().unwrap_or_default().to_owned();
    app.discord_messages().into_iter().map(|(channel, text)| (channel, title(text))).collect()
}

fn limited(scope: &'static str, after: f64) -> FaultKind {
    let body = json!({"message": "You are being rate limited.", "retry_after": after, "global": scope == "global"}).to_string();
    let headers = vec![("retry-after", after.ceil().to_string()), ("x-ratelimit-scope", scope.to_owned())];
    FaultKind::Answer(429, headers, body)
}

on_both!(a_limit_makes_wait_only_whom_it_concerns, |db| async move {
    let mut app = open(db).await;
    channels_subscribe(&mut app, &[HERE, OTHER]).await;
    app.person_subscribes(PERSON, "all").await;
    app.baseline(&FOUR).await;
    let mut stance = 1;
    for scope in ["user", "shared"] {
        app.discord.fault(&on(HERE), 1, limited(scope, 40.0));
        app.turn(&[SOL], stance).await;
        let title = format!("SOL turned {}", if stance > 0 { "bullish" } else { "bearish" });
        assert_eq!(arrived(&app), [(OTHER.to_owned(), title.clone())], "{scope}: the other channel goes on");
        assert_eq!(app.on_telegram(), std::slice::from_ref(&title));
        let asked = posts(&app, HERE);
        app.pass(Duration::from_secs(30)).await;
        assert_eq!((arrived(&app), posts(&app, HERE)), (vec![], asked), "{scope}: it is not asked before its time");
        app.pass(Duration::from_secs(30)).await;
        assert_eq!(arrived(&app), [(HERE.to_owned(), title)]);
        stance = -stance;
    }
    app.discord.fault(&on(HERE), 1, limited("global", 40.0));
    app.turn(&[SOL], 1).await;
    // Those that were under way at that moment are through; nothing new begins.
    let at_once = arrived(&app);
    let asked = (posts(&app, HERE), posts(&app, OTHER));
    app.pass(Duration::from_secs(30)).await;
    assert_eq!((posts(&app, HERE), posts(&app, OTHER)), asked, "the whole platform waits");
    app.pass(Duration::from_secs(30)).await;
    let all = [at_once, arrived(&app)].concat();
    let mut channels: Vec<_> = all.iter().map(|(channel, _)| channel.as_str()).collect();
    channels.sort_unstable();
    assert_eq!(channels, [HERE, OTHER], "each once");
    assert_eq!(app.on_telegram(), ["SOL turned bullish"], "and Telegram never waited");
});

on_both!(whatever_becomes_of_an_answer_each_message_arrives_once, |db| async move {
    let mut app = open(db).await;
    channels_subscribe(&mut app, &[HERE]).await;
    app.baseline(&FOUR).await;
    let mut stance = 1;
    let faults = [
        FaultKind::LoseAnswer,
        FaultKind::HangUp,
        FaultKind::Answer(502, vec![], "<html>Bad Gateway</html>".into()),
        FaultKind::Answer(500, vec![], json!({"message": "500: Internal Server Error", "code": 0}).to_string()),
        FaultKind::Answer(503, vec![("retry-after", "3".into())], String::new()),
        FaultKind::Answer(200, vec![], "{".into()),
    ];
    for (index, fault) in faults.into_iter().enumerate() {
        app.discord.fault(&on(HERE), 1, fault);
        let before = posts(&app, HERE);
        app.turn(&[SOL], stance).await;
        assert_eq!(posts(&app, HERE), before + 2, "fault {index}: one more try");
        let title = format!("SOL turned {}", if stance > 0 { "bullish" } else { "bearish" });
        assert_eq!(app.on_discord(), [title], "fault {index}");
        stance = -stance;
    }
    // Twice in a row and more: Discord knows the nonce.
    app.discord.fault(&on(HERE), 4, FaultKind::LoseAnswer);
    app.turn(&[SOL], stance).await;
    app.pass(MINUTE).await;
    assert_eq!(app.on_discord(), ["SOL turned bullish"]);
});

on_both!(a_message_that_discord_refuses_is_a_dead_letter_and_operators_hear_of_it, |db| async move {
    let mut app = open(db).await;
    channels_subscribe(&mut app, &[HERE, OTHER]).await;
    app.baseline(&FOUR).await;
    app.discord.refuse(&on(HERE), 1, 400, 50035);
    app.turn(&[SOL], 1).await;
    app.pass(MINUTE).await;
    let telegram = app.telegram_messages();
    assert_eq!((telegram.len(), telegram[0].0), (1, 900));
    assert_snapshot!(telegram[0].2, @r#"⚠️ A message for discord:1180243562783182920 cannot be delivered: the message is refused: status 400, code 50035: "refused with 50035"; report it with the log line; bellwether outbox retry tries the message again [DC-MESSAGE]. See bellwether outbox list."#);
    let discord = arrived(&app);
    assert_eq!(discord.iter().map(|(channel, _)| channel.as_str()).collect::<Vec<_>>(), [OTHER, OPERATORS]);
    assert_eq!(app.parts.store.undelivered().await.unwrap().len(), 1);
    // The next one is as good as any.
    app.turn(&[SOL], -1).await;
    assert_eq!(arrived(&app).len(), 2);
});

on_both!(a_channel_that_is_gone_is_kept_aside_and_comes_back, |db| async move {
    let mut app = open(db).await;
    channels_subscribe(&mut app, &[HERE, OTHER]).await;
    app.baseline(&FOUR).await;
    let mut stance = 1;
    for (status, code) in [(404, 10003), (403, 50001), (403, 50013)] {
        let title = |token: &str| format!("{token} turned {}", if stance > 0 { "bullish" } else { "bearish" });
        app.discord.refuse(&on(HERE), 1, status, code);
        app.turn(&[SOL], stance).await;
        assert_eq!(arrived(&app), [(OTHER.to_owned(), title("SOL"))]);
        assert_eq!(app.on_telegram(), [""; 0], "a minute may still tell that it was the platform");
        app.pass(MINUTE).await;
        let told = app.telegram_messages();
        assert_eq!((told.len(), told[0].0), (1, 900), "{code}: told once");
        assert!(told[0].2.contains("cannot be reached") && told[0].2.contains("kept"), "{}", told[0].2);
        assert_eq!(arrived(&app).iter().map(|(channel, _)| channel.as_str()).collect::<Vec<_>>(), [OPERATORS]);
        // Nothing is sent there meanwhile; an hour later a probe finds it well, and what was held is one summary.
        let asked = posts(&app, HERE);
        app.turn(&[BTC], stance).await;
        assert_eq!((arrived(&app), posts(&app, HERE)), (vec![(OTHER.to_owned(), title("BTC"))], asked));
        app.pass(45 * MINUTE).await;
        let back = app.discord_messages();
        let here: Vec<_> = back.iter().filter(|(channel, _)| channel == HERE).collect();
        assert_eq!(here.len(), 1, "{back:#?}");
        if code == 10003 {
            assert_snapshot!(here[0].1, @"
            Held back: 2 calls
            **BTC turned bullish** (daily, 21 Nov 2026)
            **SOL turned bullish** (daily, 21 Nov 2026)
            ");
        }
        assert!(here[0].1.contains(&title("SOL")) && here[0].1.contains(&title("BTC")), "{}", here[0].1);
        let told = app.telegram_messages();
        assert!(told.len() == 1 && told[0].2.contains("answers again"), "{told:#?}");
        stance = -stance;
    }
});

on_both!(a_command_from_there_brings_a_channel_back_at_once, |db| async move {
    let mut app = open(db).await;
    channels_subscribe(&mut app, &[HERE]).await;
    app.baseline(&FOUR).await;
    app.discord.refuse(&on(HERE), 1, 403, 50001);
    app.turn(&[SOL], 1).await;
    app.turn(&[SOL, ETH], -1).await;
    app.turn(&[ETH, BTC], 1).await;
    assert_eq!(app.on_telegram().len(), 1, "the quarantine");
    assert_eq!(arrived(&app).len(), 1, "the same");
    app.on_server(ADMIN, subcommand("channel", "list", json!([]))).await;
    app.step().await;
    let said = app.on_server(ADMIN, subscribe(HERE, "all")).await;
    assert!(said.contains("Subscribed"), "{said}");
    app.step().await;
    let mut back = app.discord_messages();
    back.sort();
    assert_eq!(back.iter().map(|(channel, _)| channel.as_str()).collect::<Vec<_>>(), [HERE, OPERATORS]);
    assert_snapshot!(back[0].1, @"
    Held back: 3 calls
    **BTC turned bullish** (daily, 21 Nov 2026)
    **ETH turned bullish** (daily, 21 Nov 2026)
    **SOL flipped and back, still bearish** (daily, 21 Nov 2026, 1 flip in between)
    ");
    assert_eq!(app.on_telegram().len(), 1, "it answers again");
    // A second quarantine is told of as the first was.
    app.discord.refuse(&on(HERE), 1, 403, 50001);
    app.turn(&[BTC], -1).await;
    app.pass(MINUTE).await;
    assert_eq!((app.on_telegram().len(), arrived(&app).len()), (1, 1));
});

on_both!(a_refused_token_stops_discord_alone, |db| async move {
    let mut app = open(db).await;
    channels_subscribe(&mut app, &[HERE, OTHER]).await;
    app.person_subscribes(PERSON, "all").await;
    app.baseline(&FOUR).await;
    let health = app.parts.deliverers[0].health();
    app.discord.refuse("POST /channels", 2, 401, 0);
    app.turn(&[SOL], 1).await;
    assert!(!*health.borrow(), "/readyz is told");
    let telegram = app.telegram_messages();
    assert_eq!(telegram.iter().map(|(chat, ..)| *chat).collect::<Vec<_>>(), [PERSON, 900]);
    assert_snapshot!(telegram[1].2, @r#"⚠️ Discord refused the bot at 21 Nov 2026 06:32 UTC: sending there stopped, until that is mended. Status 401, code 0: "refused with 0"; reset it in the developer portal (Bot, Reset Token), write the new one into DISCORD_BOT_TOKEN and restart, or into its file and send SIGHUP [DC-TOKEN]."#);
    let said = app.say(PERSON, PERSON, "/status").await;
    assert!(said.contains("Discord: refuses this bot since 21 Nov 2026") && said.contains("nothing is sent there"), "{said}");
    app.turn(&[SOL], -1).await;
    assert_eq!((arrived(&app), app.on_telegram().len()), (vec![], 1));
    // With a good token again, after a restart, nothing is lost.
    let mut app = app.restart().await;
    app.step().await;
    let mut found = arrived(&app);
    found.sort();
    let here: Vec<_> = found.iter().filter(|(channel, _)| channel == HERE).map(|(_, title)| title.as_str()).collect();
    assert_eq!(here, ["SOL turned bearish", "SOL turned bullish"]);
    assert_eq!(found.len(), 6, "two channels, and the notices to operators: {found:#?}");
    let operators: Vec<_> = found.iter().filter(|(channel, _)| channel == OPERATORS).map(|(_, title)| title.as_str()).collect();
    assert!(
        operators[0].starts_with("Discord refused the bot at ") && operators[1].starts_with("Discord takes the bot's messages"),
        "{operators:?}"
    );
    let told = app.on_telegram();
    assert!(told.len() == 1 && told[0].contains("Discord takes the bot's messages again"), "once: {told:?}");
    app.turn(&[SOL], 1).await;
    assert_eq!((arrived(&app).len(), app.on_telegram().len()), (2, 1));
    assert!(!app.say(PERSON, PERSON, "/status").await.contains("refuses"));
});

on_both!(when_a_fifth_of_all_fail_it_is_the_platform, |db| async move {
    let mut app = open(db).await;
    let channels: Vec<String> = (0..24).map(|n| (1_180_243_562_783_190_000_u64 + n).to_string()).collect();
    for channel in &channels {
        app.discord.channel(channel, json!({"name": "one of many"}));
    }
    channels_subscribe(&mut app, &channels.iter().map(String::as_str).collect::<Vec<_>>()).await;
    app.baseline(&FOUR).await;
    app.discord.refuse("POST /channels", 6, 403, 50001);
    app.turn(&[SOL], 1).await;
    let told = app.telegram_messages();
    assert_eq!(told.len(), 1);
    assert!(told[0].2.contains("Sending on Discord is paused") && told[0].2.contains("nobody was quarantined"), "{}", told[0].2);
    let before = arrived(&app).len();
    app.pass(2 * MINUTE).await;
    assert_eq!((app.on_telegram().len(), arrived(&app).len()), (0, 0), "nobody is in quarantine, nothing is sent");
    app.pass(4 * MINUTE).await;
    let after = arrived(&app);
    assert_eq!(before + after.len(), 24 + 1, "everyone has it once, and the operators their notice");
    app.pass(HOUR).await;
    assert_eq!((arrived(&app).len(), app.on_telegram().len()), (0, 0));
});

on_both!(what_fails_while_others_show_that_it_is_the_platform_is_not_set_aside, |db| async move {
    let mut app = open(db).await;
    // More than are under way at once: whoever is when the twentieth fails will fail as well.
    let channels: Vec<String> = (0..40).map(|n| (1_180_243_562_783_190_000_u64 + n).to_string()).collect();
    for channel in &channels {
        app.discord.channel(channel, json!({"name": "one of many"}));
    }
    channels_subscribe(&mut app, &channels.iter().map(String::as_str).collect::<Vec<_>>()).await;
    app.baseline(&FOUR).await;
    app.discord.refuse("POST /channels", usize::MAX, 403, 50001);
    app.turn(&[SOL], 1).await;
    app.discord.recover();
    let told = app.telegram_messages();
    assert!(told.len() == 1 && told[0].2.contains("nobody was quarantined"), "{told:?}");
    let set_aside = "SELECT label FROM destinations WHERE quarantine_reason IS NOT NULL";
    assert_eq!(rows(&app.db.url, set_aside).await, [""; 0]);
    app.pass(6 * MINUTE).await;
    assert_eq!(arrived(&app).len(), 40 + 1, "everyone has it, and the operators their notice");
});

on_both!(direct_messages_are_opened_once_and_a_closed_door_is_one_persons, |db| async move {
    let mut app = open(db).await;
    channels_subscribe(&mut app, &[HERE]).await;
    let said = app.member_subscribes("sol").await;
    assert!(said.contains("Subscribed"), "{said}");
    app.baseline(&FOUR).await;
    app.turn(&[SOL], 1).await;
    app.turn(&[SOL], -1).await;
    let mut places: Vec<_> = arrived(&app).into_iter().map(|(channel, _)| channel).collect();
    places.sort();
    let dm = direct_channel(MEMBER);
    assert_eq!(places, [HERE.to_owned(), HERE.to_owned(), dm.clone(), dm]);
    let opened = app.discord.requests().iter().filter(|request| *request == "POST /users/@me/channels").count();
    assert_eq!(opened, 1);
    app.discord.close_direct_messages(MEMBER);
    app.turn(&[SOL], 1).await;
    app.pass(2 * MINUTE).await;
    assert_eq!(arrived(&app), [(HERE.to_owned(), "SOL turned bullish".to_owned())]);
    assert_eq!(app.on_telegram(), [""; 0], "a person's own affair is no notice");
    app.turn(&[SOL], -1).await;
    assert_eq!(arrived(&app), [(HERE.to_owned(), "SOL turned bearish".to_owned())]);
});
