//! The whole product over Discord's Gateway: the same commands as at the door, sessions that outlive drops, and the bot's own presence.

use crate::support::{
    app::{HASTE, TestApp},
    commands::rows,
    community::{SOL, heard, today},
    database::{TestDb, on_both},
    fake_discord::{FakeDiscord, FaultKind, GUILD, HERE, interaction},
};
use async_trait::async_trait;
use bellwether::chat::discord::{Gateway, Seat, Seats, ShardId};
use interaction::{ADMIN, PLAIN, autocomplete, for_channel, in_server, slash, subcommand};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

fn channel_subscribe(channel: &str) -> Value {
    for_channel("subscribe", channel, &[("tokens", "SOL")])
}

/// Connected, SOL is bearish, and a channel of the server is told of it.
async fn channel_told(db: TestDb) -> TestApp {
    let mut app = TestApp::over_gateway(db, |_| {}).await;
    app.discord.gateway.connected().await;
    app.source.set_daily(SOL, "2026-11-21", -1, -1);
    let said = app.on_server(ADMIN, channel_subscribe(HERE)).await;
    assert!(said.starts_with("Subscribed"), "{said}");
    app.next_poll().await;
    app
}

async fn flip(app: &mut TestApp, call: i64) {
    let today = today(app);
    app.source.set_daily(SOL, &today, call, call);
    app.next_poll().await;
}

/// Why each Discord channel is set aside.
async fn set_aside(app: &TestApp) -> Vec<String> {
    rows(&app.db.url, "SELECT chat, quarantine_reason FROM destinations WHERE platform = 'discord' ORDER BY chat").await
}

on_both!(commands_come_and_are_answered_over_the_gateway, |db| async move {
    let mut app = channel_told(db).await;
    assert_eq!(app.suggests(slash("subscribe", &[("tokens", "BTC,so")])).await[0].1, "BTC, SOL");
    let said = app.in_direct_messages(slash("status", &[])).await;
    assert!(said.contains("Daily"), "{said}");
    let said = app.on_server(PLAIN, channel_subscribe(HERE)).await;
    assert!(said.contains("does not replace it"), "rights count as at the door: {said}");
    flip(&mut app, 1).await;
    assert_eq!(heard(&app), ["channel: SOL turned bullish"]);
    let asked = app.discord.requests();
    assert_eq!(asked.iter().filter(|asked| asked.starts_with("GET /gateway")).collect::<Vec<_>>(), ["GET /gateway/bot"]);
    app.discord.gateway.with(|state| {
        assert_eq!((state.identified.as_slice(), state.paths.as_slice()), (&[0][..], &["/".to_owned()][..]));
    });
    app.stop_gateway().await;
    app.discord.gateway.until("it says farewell", |state| (!state.closed.is_empty()).then_some(())).await;
    app.discord.gateway.with(|state| assert_eq!(state.closed, [4000], "so that the session could be resumed"));
});

on_both!(a_slow_command_is_deferred_over_the_gateway, |db| async move {
    let mut app = TestApp::over_gateway(db, |_| {}).await;
    app.discord.gateway.connected().await;
    app.discord.channel("4242", json!({}));
    app.discord.fault("GET /channels/4242", 1, FaultKind::Delay(Duration::from_millis(2_300)));
    let interaction = in_server(app.next_interaction(), ADMIN, channel_subscribe("4242"));
    assert_eq!(app.enter(&interaction).await, json!({"type": 5, "data": {"flags": 64}}));
    let (token, body) = app.discord.answers().pop().unwrap();
    assert_eq!(token, interaction["token"]);
    assert!(body["embeds"][0]["title"].as_str().unwrap().starts_with("Subscribed"), "{body}");
});

on_both!(what_cannot_be_read_is_answered_politely_over_the_gateway, |db| async move {
    let mut app = TestApp::over_gateway(db, |_| {}).await;
    app.discord.gateway.connected().await;
    for data in [json!({"id": "1", "name": "launch", "type": 1}), json!({"id": "1", "name": "subscribe", "options": "SOL"}), json!(null)] {
        let interaction = in_server(app.next_interaction(), ADMIN, data);
        let said = app.interact(&interaction).await;
        assert!(said.contains("could not read"), "{said}");
        let typing = autocomplete_of(&mut app, &interaction);
        assert_eq!(app.enter(&typing).await, json!({"type": 8, "data": {"choices": []}}));
        assert_eq!(app.log.take_errors().len(), 2, "an ERROR line each, with the id");
    }
    // A form of a later version; one of another application; one without a token; not one at all.
    let mut form = in_server(app.next_interaction(), ADMIN, json!({"custom_id": "x", "components": []}));
    form["type"] = json!(5);
    assert!(app.interact(&form).await.contains("could not read"));
    for (field, value) in [("application_id", json!("1")), ("token", Value::Null), ("type", json!(99))] {
        let mut strange = in_server(app.next_interaction(), ADMIN, slash("help", &[]));
        strange[field] = value;
        app.discord.gateway.asks(&strange);
    }
    app.discord.gateway.happens("INTERACTION_CREATE", &json!([1]));
    app.discord.gateway.happens("CHANNEL_DELETE", &json!({"guild_id": GUILD}));
    app.discord.gateway.say(&json!("nonsense"));
    app.discord.gateway.dealt_with().await;
    assert_eq!(app.log.take_errors().len(), 6);
    assert!(app.on_server(PLAIN, slash("help", &[])).await.contains("/subscribe"), "it goes on");
});

/// The same as something that is being typed.
fn autocomplete_of(app: &mut TestApp, interaction: &Value) -> Value {
    let mut typing = autocomplete(interaction.clone());
    let id = app.next_interaction();
    (typing["id"], typing["token"]) = (json!(id.to_string()), json!(interaction::token_of(id)));
    typing
}

on_both!(a_first_answer_that_is_not_taken_is_tried_once_more, |db| async move {
    let mut app = TestApp::over_gateway(db, |_| {}).await;
    app.discord.gateway.connected().await;
    app.discord.refuse("POST /interactions", 1, 500, 0);
    assert!(app.on_server(PLAIN, slash("help", &[])).await.contains("/subscribe"));
    app.discord.fault("POST /interactions", 1, FaultKind::LoseAnswer);
    assert!(app.on_server(PLAIN, slash("help", &[])).await.contains("/subscribe"));
    // Too late: Discord does not know it any more.
    app.discord.refuse("POST /interactions", 1, 404, 10062);
    let late = in_server(app.next_interaction(), PLAIN, slash("subscribe", &[("tokens", "SOL")]));
    app.discord.gateway.asks(&late);
    app.discord.gateway.dealt_with().await;
    app.settle().await;
    let tries = app.discord.requests().iter().filter(|asked| asked.starts_with("POST /interactions")).count();
    assert_eq!(tries, 5);
    assert_eq!(rows(&app.db.url, "SELECT target FROM subscriptions").await, ["3988"], "what was asked is done");
});

on_both!(a_drop_loses_and_doubles_no_command, |db| async move {
    let mut app = channel_told(db).await;
    let gateway = std::sync::Arc::clone(&app.discord.gateway);
    for round in 0..4 {
        let missed: Vec<_> = (0..3).map(|_| in_server(app.next_interaction(), PLAIN, slash("subscribe", &[("tokens", "BTC")]))).collect();
        match round {
            0 => gateway.hang_up(),
            1 => gateway.say(&json!({"op": 7, "d": null})),
            2 => gateway.say(&json!({"op": 9, "d": true})),
            _ => gateway.close(4_008),
        }
        missed.iter().for_each(|interaction| gateway.asks(interaction));
        for interaction in &missed {
            // At once, or after "thinking…" where the machine is busy.
            let answered = gateway.answer(interaction).await["type"].clone();
            assert!([4, 5].map(|kind| json!(kind)).contains(&answered), "{answered}");
        }
        app.settle().await;
        gateway.until("the session goes on", |state| (state.resumed.len() == round + 1).then_some(())).await;
    }
    // Discord says again what was carried out already: under its old number, and under a new one.
    let again = in_server(app.next_interaction(), ADMIN, subcommand("channel", "test", json!([])));
    gateway.asks(&again);
    gateway.answer(&again).await;
    gateway.say(&json!({"op": 0, "s": 1, "t": "INTERACTION_CREATE", "d": again}));
    gateway.happens("INTERACTION_CREATE", &again);
    gateway.dealt_with().await;
    app.settle().await;
    app.step().await;
    assert_eq!(app.discord_messages().len(), 1, "the test message came once");
    gateway.with(|state| {
        assert_eq!(state.identified, [0], "one session all along");
        assert!(state.paths[1..].iter().all(|path| path == "/resumed-here"), "{:?}", state.paths);
    });
});

on_both!(what_one_person_asks_for_is_done_in_that_order, |db| async move {
    let mut app = TestApp::over_gateway(db, |_| {}).await;
    let gateway = std::sync::Arc::clone(&app.discord.gateway);
    gateway.connected().await;
    app.discord.channel("4242", json!({}));
    app.discord.fault("GET /channels/4242", 1, FaultKind::Delay(Duration::from_millis(700)));
    let asked = [channel_subscribe("4242"), for_channel("unsubscribe", "4242", &[("tokens", "SOL")])];
    let asked = asked.map(|data| in_server(app.next_interaction(), ADMIN, data));
    asked.iter().for_each(|interaction| gateway.asks(interaction));
    for interaction in &asked {
        gateway.answer(interaction).await;
    }
    app.settle().await;
    assert_eq!(rows(&app.db.url, "SELECT target FROM subscriptions").await, [""; 0], "first the one, then the other");
});

on_both!(a_session_that_is_over_is_followed_by_a_new_one, |db| async move {
    let mut app = channel_told(db).await;
    let gateway = std::sync::Arc::clone(&app.discord.gateway);
    for (round, code) in [(2, None), (3, Some(4_009)), (4, Some(4_007))] {
        gateway.forget_sessions();
        match code {
            None => gateway.say(&json!({"op": 9, "d": false})),
            Some(code) => gateway.close(code),
        }
        gateway.until("a new session", |state| (state.identified.len() == round).then_some(())).await;
        assert!(app.on_server(PLAIN, slash("help", &[])).await.contains("/subscribe"));
    }
    // Forgotten while the connection was down: the try to resume is refused.
    gateway.forget_sessions();
    gateway.hang_up();
    gateway.until("a new session", |state| (state.identified.len() == 5).then_some(())).await;
    gateway.with(|state| assert!(state.resumed.is_empty()));
});

#[tokio::test]
async fn a_connection_without_a_sign_of_life_is_left() {
    let app = TestApp::over_gateway(TestDb::sqlite().await, |discord| {
        discord.gateway.with(|state| {
            (state.heartbeat, state.acknowledges) = (Duration::from_millis(40), false);
        });
    })
    .await;
    app.discord.gateway.until("it is resumed", |state| (!state.resumed.is_empty()).then_some(())).await;
    app.discord.gateway.with(|state| {
        state.acknowledges = true;
        assert!(state.closed.iter().all(|code| *code == 4000), "{:?}", state.closed);
    });
    let beaten = app.discord.gateway.with(|state| state.heartbeats);
    app.discord.gateway.until("it beats on", |state| (state.heartbeats > beaten + 5).then_some(())).await;
}

#[tokio::test]
async fn a_session_is_not_resumed_at_an_address_beyond_trust() {
    let app = TestApp::over_gateway(TestDb::sqlite().await, |discord| {
        discord.gateway.with(|state| state.resume_url = Some("wss://gateway-us-east1-b.discord.gg".to_owned()));
    })
    .await;
    app.discord.gateway.connected().await;
    app.discord.gateway.hang_up();
    app.discord.gateway.until("it is resumed", |state| (!state.resumed.is_empty()).then_some(())).await;
    app.discord.gateway.with(|state| assert_eq!(state.paths, ["/", "/"]));
}

on_both!(a_removed_bot_sets_the_servers_channels_aside_until_it_is_back, |db| async move {
    let mut app = channel_told(db).await;
    let gateway = std::sync::Arc::clone(&app.discord.gateway);
    app.discord.channel("4242", json!({}));
    app.on_server(ADMIN, channel_subscribe("4242")).await;
    app.on_server(PLAIN, slash("subscribe", &[("tokens", "SOL")])).await;
    let person = format!("user:{}|-", interaction::MEMBER);
    let expect = |here: &str, other: &str| vec![format!("{HERE}|{here}"), format!("4242|{other}"), person.clone()];

    gateway.happens("GUILD_DELETE", &json!({"id": GUILD, "unavailable": true}));
    gateway.happens("GUILD_DELETE", &json!({"id": "999", "unavailable": false}));
    gateway.dealt_with().await;
    assert_eq!(set_aside(&app).await, expect("-", "-"), "an outage is no removal");

    gateway.happens("CHANNEL_DELETE", &json!({"id": "4242", "guild_id": GUILD, "type": 0}));
    gateway.dealt_with().await;
    assert_eq!(set_aside(&app).await, expect("-", "deleted"));
    gateway.kick(GUILD);
    gateway.dealt_with().await;
    assert_eq!(set_aside(&app).await, expect("removed", "deleted"), "what is gone for itself stays so");

    flip(&mut app, 1).await;
    let direct = crate::support::fake_discord::direct_channel(interaction::MEMBER);
    let read = heard(&app);
    let (own, notices): (Vec<_>, Vec<_>) = read.into_iter().partition(|read| read.ends_with(": SOL turned bullish"));
    assert_eq!(own, [format!("{direct}: SOL turned bullish")], "the channel's alert waits");
    assert!(notices.len() == 2 && notices.iter().all(|notice| notice.starts_with(&format!("{direct}: I cannot reach "))), "{notices:?}");
    gateway.invite(GUILD);
    gateway.dealt_with().await;
    assert_eq!(set_aside(&app).await, expect("-", "deleted"));
    app.pass(Duration::from_secs(60)).await;
    let read = heard(&app);
    assert!(
        read.contains(&"channel: SOL turned bullish".to_owned()) && read.len() == 2,
        "nothing was lost, and it is said that it is over: {read:?}"
    );
});

on_both!(a_removal_while_away_is_noticed_with_the_next_session, |db| async move {
    let app = channel_told(db).await;
    let gateway = &app.discord.gateway;
    gateway.with(|state| state.guilds.clear());
    gateway.forget_sessions();
    gateway.hang_up();
    gateway.until("a new session", |state| (state.identified.len() == 2).then_some(())).await;
    gateway.connected().await;
    gateway.dealt_with().await;
    assert_eq!(set_aside(&app).await, [format!("{HERE}|removed")]);
    gateway.with(|state| state.guilds.insert(GUILD.to_owned()));
    gateway.forget_sessions();
    gateway.hang_up();
    gateway.until("a new session", |state| (state.identified.len() == 3).then_some(())).await;
    gateway.connected().await;
    gateway.dealt_with().await;
    assert_eq!(set_aside(&app).await, [format!("{HERE}|-")]);
});

fn three_shards(discord: &FakeDiscord) {
    discord.gateway.with(|state| {
        state.shards = 3;
        // One server for each shard.
        state.guilds = (0..3_u64).map(|n| (n << 22 | 5).to_string()).collect();
    });
}

#[tokio::test]
async fn as_many_shards_as_discord_wants_begin_one_after_the_other() {
    let mut app = TestApp::over_gateway(TestDb::sqlite().await, three_shards).await;
    app.discord.gateway.connected().await;
    let mut began = app.discord.gateway.with(|state| state.identified.clone());
    began.sort_unstable();
    assert_eq!(began, [0, 1, 2]);
    for shard in 0..3_u64 {
        let mut interaction = in_server(app.next_interaction(), PLAIN, slash("help", &[]));
        interaction["guild_id"] = json!((shard << 22 | 5).to_string());
        assert!(app.interact(&interaction).await.contains("/subscribe"), "shard {shard}");
    }
}

#[tokio::test]
async fn no_session_begins_beyond_the_limit() {
    let mut app = TestApp::over_gateway(TestDb::sqlite().await, |discord| {
        three_shards(discord);
        discord.gateway.with(|state| state.remaining = 2);
    })
    .await;
    let problem = app.gateway_problem(|problem| problem.is_some()).await.unwrap();
    assert!(
        problem.starts_with("Discord lets this bot begin no more sessions for 240 min; ") && problem.ends_with("[DC-STARTS]"),
        "{problem}"
    );
    app.discord.gateway.with(|state| assert_eq!((state.identified.len(), state.remaining), (2, 0)));
}

/// Seats as among several processes: sessions begin when the test lets them.
struct Shared(Arc<Semaphore>);

#[async_trait]
impl Seats for Shared {
    async fn shards(&self, recommended: u32) -> u32 {
        recommended
    }

    async fn take(&self, _shard: ShardId, stop: &CancellationToken) -> Option<Seat> {
        (!stop.is_cancelled()).then(|| Seat::kept(stop.child_token(), |left| async move { left.cancelled().await }))
    }

    async fn reserve(&self, _place: u32, lasts: Duration) -> bool {
        // Before it connects; the second time is for the session itself.
        if lasts > HASTE.between_starts {
            self.0.acquire().await.unwrap().forget();
        }
        true
    }

    fn are_shared(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn what_other_processes_begin_counts_as_well() {
    let mut app = TestApp::over_gateway(TestDb::sqlite().await, three_shards).await;
    app.discord.gateway.connected().await;
    app.stop_gateway().await;
    app.discord.gateway.with(|state| {
        state.identified.clear();
        // It begins as soon as it may, and not after those of before.
        state.window = Duration::ZERO;
    });
    let (may_begin, stop) = (Arc::new(Semaphore::new(1)), CancellationToken::new());
    let parts = &app.parts;
    let gateway = Gateway::new(parts.discord.as_ref().unwrap(), parts.desk.clone(), parts.tracker.clone()).unwrap();
    let gateway = gateway.with_pauses(HASTE).with_seats(Arc::new(Shared(may_begin.clone())));
    let mut problem = gateway.problem();
    let running = tokio::spawn({
        let stop = stop.clone();
        async move { gateway.run(stop).await }
    });
    app.discord.gateway.until("the first session begins", |state| (state.identified.len() == 1).then_some(())).await;
    // The others began all but one, and somebody may be about to begin that.
    app.discord.gateway.with(|state| state.remaining = 1);
    may_begin.add_permits(2);
    problem.wait_for(Option::is_some).await.unwrap();
    stop.cancel();
    running.await.unwrap();
    app.discord.gateway.with(|state| assert_eq!((state.identified.len(), state.remaining), (1, 1)));
}

#[tokio::test]
async fn where_discord_does_not_say_nobody_else_is_asked() {
    let mut app = TestApp::over_gateway(TestDb::sqlite().await, |discord| discord.refuse("GET /gateway", 100_000, 500, 0)).await;
    let problem = app.gateway_problem(|problem| problem.is_some()).await.unwrap();
    assert!(problem.starts_with("Discord does not say where the Gateway is: Discord refuses: status 500"), "{problem}");
    app.discord.gateway.with(|state| assert!(state.paths.is_empty()));
    app.discord.recover();
    app.gateway_problem(|problem| problem.is_none()).await;
    app.discord.gateway.connected().await;
    assert!(app.discord.requests().iter().filter(|asked| asked.starts_with("GET /gateway")).all(|asked| asked == "GET /gateway/bot"));
}

#[tokio::test]
async fn an_address_that_is_not_encrypted_or_none_is_not_connected_to() {
    let bot = |url: &str| json!({"url": url, "shards": 1, "session_start_limit": {"total": 1, "remaining": 1, "reset_after": 0, "max_concurrency": 1}});
    let mut app = TestApp::over_gateway(TestDb::sqlite().await, |discord| {
        let answer = FaultKind::Answer(200, Vec::new(), bot("http://127.0.0.1:1").to_string());
        discord.fault("GET /gateway", 100_000, answer);
    })
    .await;
    let problem = app.gateway_problem(|problem| problem.is_some()).await.unwrap();
    assert!(problem.contains("not encrypted"), "{problem}");
    app.discord.recover();
    app.discord.gateway.connected().await;
}

#[tokio::test]
async fn what_needs_an_operator_ends_the_connection_and_is_told() {
    for (code, words) in [(4004, "DISCORD_BOT_TOKEN"), (4012, "update it"), (4014, "[DC-SHUT]")] {
        let mut app = TestApp::over_gateway(TestDb::sqlite().await, |discord| {
            three_shards(discord);
            discord.gateway.with(|state| state.refusals.push_back(code));
        })
        .await;
        let problem = app.gateway_problem(|problem| problem.is_some_and(|problem| problem.contains(&code.to_string()))).await.unwrap();
        assert!(problem.contains(words), "{problem}");
        app.discord.gateway.until("all are gone", |state| (state.live_count() == 0).then_some(())).await;
        app.stop_gateway().await;
        assert!(app.discord.gateway.with(|state| state.identified.len()) < 3, "it is not tried again");
        assert_eq!(app.log.take_errors().len(), 1);
    }
}

#[tokio::test]
async fn a_gateway_that_is_away_is_told_and_found_again() {
    let mut app = TestApp::over_gateway(TestDb::sqlite().await, |_| {}).await;
    app.discord.gateway.connected().await;
    app.discord.gateway.with(|state| state.refusals = [4000; 6].into());
    app.discord.gateway.forget_sessions();
    app.discord.gateway.hang_up();
    let problem = app.gateway_problem(|problem| problem.is_some()).await.unwrap();
    assert!(problem.starts_with("the Gateway cannot be reached: Discord closed the connection (4000); "), "{problem}");
    app.gateway_problem(|problem| problem.is_none()).await;
    assert!(app.on_server(PLAIN, slash("help", &[])).await.contains("/subscribe"));
}
