//! `/mute` as people type it, and what they and the outbox see of it (`rules.md` 3.6). A mute holds, it never drops.

use crate::support::{
    app::TestApp,
    audience::{BTC, ETH, FOUR, HOUR, MINUTE, SOL, XRP, number, text},
    commands::{Office, With, alerts_channel, group, private, rows, server},
    database::{TestDb, on_both},
    fake_discord::{
        HERE,
        interaction::{ADMIN, PLAIN, slash, subcommand},
    },
};
use bellwether::{
    clock::Clock,
    commands::{Command, Presence, Standing},
    domain::{Address, Place, Platform, SourceId},
    store::{MuteOrder, NewDestination},
};
use insta::assert_snapshot;
use serde_json::json;
use sqlx::Connection as _;
use std::time::Duration;

const PERSON: i64 = 501;

/// A Discord channel and a Telegram person follow everything; the baseline is bearish.
async fn followers(db: TestDb) -> TestApp {
    let mut app = TestApp::start(db).await;
    app.channel_subscribes(json!([text("tokens", "all")])).await;
    app.person_subscribes(PERSON, "all").await;
    app.baseline(&FOUR).await;
    app
}

async fn channel_mutes(app: &mut TestApp, length: &str) -> String {
    app.on_server(ADMIN, subcommand("channel", "mute", json!([text("for", length)]))).await
}

on_both!(a_mute_is_silence_and_then_one_message_of_what_changed_on_balance, |db| async move {
    let mut app = followers(db).await;
    let said = channel_mutes(&mut app, "1h").await;
    let until = (app.clock.now() + HOUR).as_secs();
    assert!(said.contains(&format!("every alert is held until <t:{until}:f>.")), "{said}");
    let said = app.say(PERSON, PERSON, "/mute 1h").await;
    assert_snapshot!(said, @"
    ✅ Your alerts are muted
    Muted: every alert is held until 21 Nov 2026 07:16 UTC.
    Nothing is lost: at the end one message says what has changed on balance. What is being sent at this moment may still arrive.
    ");
    // SOL turns and stays, BTC turns back, ETH turns twice more; meanwhile the bot restarts.
    app.turn(&[SOL, BTC, ETH], 1).await;
    app.turn(&[BTC, ETH], -1).await;
    let mut app = app.restart().await;
    app.turn(&[ETH], 1).await;
    assert_eq!((app.on_discord(), app.on_telegram()), (vec![], vec![]));
    assert_eq!(rows(&app.db.url, "SELECT DISTINCT reason FROM alerts WHERE state = 'pending'").await, ["muted"]);
    app.pass(13 * MINUTE).await;
    let (discord, telegram) = (app.discord_messages(), app.telegram_messages());
    assert_eq!((discord.len(), telegram.len()), (1, 1), "one message at the end");
    assert_snapshot!(discord[0].1, @"
    Held back: 3 calls
    **ETH turned bullish and is unstable** (daily, 21 Nov 2026, 2 flips in between)
    **SOL turned bullish** (daily, 21 Nov 2026)
    **BTC flipped and back, still bearish** (daily, 21 Nov 2026, 1 flip in between)
    ");
    assert_eq!(discord[0].0, HERE);
    app.turn(&[XRP], 1).await;
    assert_eq!(app.on_discord(), ["XRP turned bullish"], "it is over");
    assert_eq!(app.on_telegram(), ["XRP turned bullish"]);
});

on_both!(off_releases_at_once_and_what_is_unsubscribed_meanwhile_is_not_told, |db| async move {
    let mut app = followers(db).await;
    channel_mutes(&mut app, "7d").await;
    app.say(PERSON, PERSON, "/mute 7d").await;
    app.turn(&[SOL, BTC], 1).await;
    app.say(PERSON, PERSON, "/unsubscribe btc").await;
    assert_eq!(app.on_discord(), [""; 0]);
    let said = channel_mutes(&mut app, "off").await;
    assert!(said.contains("no longer muted") && said.contains("2 alerts wait"), "{said}");
    app.telegram.with(|world| world.say(PERSON, PERSON, "/mute off"));
    app.step().await;
    assert_eq!(app.on_discord(), ["Held back: 2 calls"]);
    assert_eq!(app.on_telegram(), ["Your alerts are no longer muted", "SOL turned bullish"]);
    let said = channel_mutes(&mut app, "off").await;
    assert!(said.contains("is not muted"), "{said}");
});

on_both!(one_token_is_muted_for_every_kind_and_the_others_are_told, |db| async move {
    let mut app = followers(db).await;
    app.person_subscribes(PERSON, "sol hourly").await;
    app.member_subscribes("sol,btc").await;
    let said = app.in_direct_messages(slash("mute", &[("for", "8h"), ("token", "$sol")])).await;
    let until = (app.clock.now() + 8 * HOUR).as_secs();
    assert!(said.contains("SOL is muted") && said.contains(&format!("alerts for SOL are held until <t:{until}:f>")), "{said}");
    let said = app.say(PERSON, PERSON, "/mute SOL 8h").await;
    assert!(said.contains("SOL is muted"), "{said}");
    app.turn(&[SOL, BTC], 1).await;
    let direct = ["SOL turned bullish", "BTC turned bullish", "BTC turned bullish"];
    let mut heard = app.on_discord();
    heard.sort();
    let mut expected = direct.map(str::to_owned).to_vec();
    expected.sort();
    assert_eq!(heard, expected, "the channel hears both, the member BTC alone");
    assert_eq!(app.on_telegram(), ["BTC turned bullish"]);
    // Both kinds are held by it.
    let held = "SELECT COUNT(*) FROM alerts a JOIN destinations d ON d.id = a.destination_id WHERE a.reason = 'muted' AND a.state = 'pending' AND d.chat = '501'";
    assert_eq!(rows(&app.db.url, &held.replace("COUNT(*)", "CAST(COUNT(*) AS TEXT)")).await, ["1"]);
    let said = app.say(PERSON, PERSON, "/subscriptions").await;
    assert!(said.contains("alerts for SOL are held until 21 Nov 2026"), "{said}");
    let said = app.say(PERSON, PERSON, "/settings").await;
    assert!(said.contains("alerts for SOL are held until 21 Nov 2026"), "{said}");
    app.telegram.with(|world| world.say(PERSON, PERSON, "/mute off sol"));
    app.step().await;
    assert_eq!(app.on_telegram(), ["SOL is no longer muted", "SOL turned bullish"]);
    app.pass(8 * HOUR).await;
    assert_eq!(app.on_discord(), ["SOL turned bullish"]);
});

on_both!(a_mute_can_be_lengthened_and_shortened, |db| async move {
    let mut app = followers(db).await;
    app.say(PERSON, PERSON, "/mute 1h").await;
    app.turn(&[SOL], 1).await;
    app.discord_messages();
    app.say(PERSON, PERSON, "/mute 8h").await;
    app.pass(2 * HOUR).await;
    assert_eq!(app.on_telegram(), [""; 0], "eight hours from the second word");
    app.say(PERSON, PERSON, "/mute 1h").await;
    app.pass(59 * MINUTE).await;
    assert_eq!(app.on_telegram(), [""; 0]);
    app.pass(MINUTE).await;
    assert_eq!(app.on_telegram(), ["SOL turned bullish"], "an hour from the third");
});

on_both!(what_the_hourly_limit_held_already_is_muted_too, |db| async move {
    let mut app = followers(db).await;
    app.on_server(ADMIN, subcommand("channel", "settings", json!([number("max_per_hour", 1)]))).await;
    app.say(PERSON, PERSON, "/settings max_per_hour=1").await;
    app.turn(&[SOL, BTC], 1).await;
    assert_eq!((app.on_discord().len(), app.on_telegram().len()), (1, 1), "the other waits for the hour");
    let said = channel_mutes(&mut app, "8h").await;
    assert!(said.contains("1 alert waits already."), "{said}");
    app.say(PERSON, PERSON, "/mute 8h").await;
    app.pass(2 * HOUR).await;
    assert_eq!((app.on_discord(), app.on_telegram()), (vec![], vec![]), "the hour is over, the mute is not");
    app.pass(6 * HOUR).await;
    assert_eq!((app.on_discord().len(), app.on_telegram().len()), (1, 1));
});

on_both!(what_is_composed_and_not_yet_sent_is_taken_back, |db| async move {
    let mut app = followers(db).await;
    app.call(&[SOL, BTC], 1);
    app.clock.advance(16 * MINUTE);
    app.parts.poller.step().await.unwrap();
    app.parts.flow.step().await.unwrap();
    let queued = "SELECT CAST(COUNT(*) AS TEXT) FROM messages WHERE state = 'queued' AND lane = 1";
    assert_eq!(rows(&app.db.url, queued).await, ["4"], "composed, and nobody has sent it yet");
    let said = app.on_server(ADMIN, subcommand("channel", "mute", json!([text("for", "8h")]))).await;
    assert!(said.contains("2 alerts wait already."), "{said}");
    // On Telegram one of the two alone: the other is told.
    app.telegram.with(|world| world.say(PERSON, PERSON, "/mute 8h SOL"));
    app.step().await;
    assert_eq!(app.on_discord(), [""; 0]);
    assert_eq!(app.on_telegram(), ["SOL is muted", "BTC turned bullish"]);
    app.pass(8 * HOUR).await;
    assert_eq!(app.on_discord(), ["Held back: 2 calls"]);
    assert_eq!(app.on_telegram(), ["SOL turned bullish"]);
});

on_both!(a_clock_that_is_stepped_back_changes_nothing_of_the_end, |db| async move {
    let mut app = followers(db).await;
    app.say(PERSON, PERSON, "/mute 1h").await;
    let end = app.clock.now() + HOUR;
    app.turn(&[SOL, BTC], 1).await;
    app.discord_messages();
    app.clock.set(app.clock.now() - HOUR);
    app.step().await;
    app.pass(HOUR).await;
    assert_eq!(app.on_telegram(), [""; 0]);
    app.clock.set(end);
    app.step().await;
    assert_eq!(app.on_telegram(), ["Held back: 2 calls"]);
    // What is released at once is so whatever the clock does then.
    app.say(PERSON, PERSON, "/mute 24h").await;
    app.turn(&[SOL], -1).await;
    app.discord_messages();
    app.clock.set(app.clock.now() - HOUR);
    app.telegram.with(|world| world.say(PERSON, PERSON, "/mute off"));
    app.clock.set(app.clock.now() - HOUR);
    app.step().await;
    assert_eq!(app.on_telegram(), ["Your alerts are no longer muted", "SOL turned bearish"]);
});

on_both!(a_correction_waits_for_the_end_of_the_mute, |db| async move {
    let mut app = followers(db).await;
    let yesterday = app.clock.now().day().to_string();
    app.turn(&[SOL], 1).await;
    assert_eq!(app.on_telegram(), ["SOL turned bullish"]);
    app.pass(24 * HOUR).await;
    app.discord_messages();
    app.say(PERSON, PERSON, "/mute 8h").await;
    app.source.set_daily(SOL, &yesterday, -1, -1);
    app.pass(HOUR).await;
    assert_eq!(app.on_discord(), ["SOL correction: the call is bearish"]);
    assert_eq!(app.on_telegram(), [""; 0]);
    app.pass(8 * HOUR).await;
    assert_eq!(app.on_telegram(), ["SOL correction: the call is bearish"]);
});

on_both!(who_may_not_manage_a_place_cannot_mute_it, |db| async move {
    let mut app = followers(db).await;
    let said = app.on_server(PLAIN, subcommand("channel", "mute", json!([text("for", "8h")]))).await;
    assert!(said.starts_with("That did not work") && said.contains("Manage Server"), "{said}");
    app.telegram.with(|world| {
        world.group(-1_001_234, "Traders", 777);
    });
    let said = app.say(-1_001_234, 778, "/mute 8h").await;
    assert!(said.contains("private chat"), "{said}");
    app.say(-1_001_234, 777, "/subscribe sol").await;
    let said = app.say(-1_001_234, 777, "/mute 8h").await;
    assert!(said.contains("Traders is muted"), "{said}");
    app.turn(&[SOL], 1).await;
    assert_eq!(app.on_telegram(), ["SOL turned bullish"], "the person alone");
    assert_eq!(app.on_discord(), ["SOL turned bullish"]);
    let audit = rows(&app.db.url, "SELECT actor, action, after FROM audit WHERE action = 'mute'").await;
    assert!(audit.len() == 1 && audit[0].starts_with(r#"777|mute|{"all":"2026-11-21T14:16:"#), "{audit:?}");
});

on_both!(every_way_to_type_it_wrong_is_told_with_a_right_one, |db| async move {
    let office = Office::open(db).await;
    office.types(&private(Command::Subscribe).with("words", "btc,sol")).await;
    for (option, value, words) in [
        ("for", "2h", "2h is not a length. Choose one of: 1h, 8h, 24h, 7d, off.\nFor example: /mute 8h"),
        ("for", "8h,1h", "8h and 1h: name one length at a time."),
        ("token", "SOL", "Say for how long: 1h, 8h, 24h, 7d, or off to end it.\nFor example: /mute 8h SOL"),
        ("token", "SOL,BTC", "Name one token at a time"),
        ("token", "hourly", "name a length and at most one token."),
        ("token", "NOPE", "Say for how long"),
    ] {
        let said = office.is_refused(&private(Command::Mute).with(option, value)).await;
        assert!(said.contains(words), "{said}");
    }
    office.is_refused(&private(Command::Mute).with("for", "8h").with("token", "CAT")).await;
    let channel = || server(Command::ChannelMute, Standing::Admin).in_channel(alerts_channel());
    let said = office.is_refused(&channel().with("for", "soon")).await;
    assert!(said.contains("/channel mute for:8h"), "{said}");
    office.is_refused(&group(Command::Mute, Standing::Member).with("for", "8h")).await;
    assert_snapshot!(office.types(&private(Command::Mute)).await, @"
    Nothing is muted
    For quiet, type for example /mute 8h; for one token alone /mute 8h SOL; to end it /mute off. Lengths: 1h, 8h, 24h, 7d. Alerts are held, never dropped.
    ");
    assert_snapshot!(office.types(&server(Command::Mute, Standing::Member)).await, @"
    Nothing is muted
    For quiet, type for example /mute for:8h; for one token alone /mute for:8h token:SOL; to end it /mute for:off. Lengths: 1h, 8h, 24h, 7d. Alerts are held, never dropped.
    ");
    assert_snapshot!(office.types(&channel()).await, @"
    #alerts is not muted
    For quiet, type for example /channel mute for:8h; for one token alone /channel mute for:8h token:SOL; to end it /channel mute for:off. Lengths: 1h, 8h, 24h, 7d. Alerts are held, never dropped.
    ");
    assert_snapshot!(office.types(&private(Command::Mute).with("for", "8h").with("token", "eth")).await, @"
    ETH is muted
    Muted: alerts for ETH are held until 22 Nov 2026 20:00 UTC.
    Nothing is lost: at the end one message says what has changed on balance. What is being sent at this moment may still arrive.
    There is no subscription to ETH here at present.
    ");
    assert_snapshot!(office.types(&private(Command::Mute).with("for", "24h").with("token", "all")).await, @"
    Your alerts are muted
    Muted: every alert is held until 23 Nov 2026 12:00 UTC.
    Muted: alerts for ETH are held until 22 Nov 2026 20:00 UTC.
    Nothing is lost: at the end one message says what has changed on balance. What is being sent at this moment may still arrive.
    ");
    assert_snapshot!(office.types(&private(Command::Mute)).await, @"
    Muted at present
    Muted: every alert is held until 23 Nov 2026 12:00 UTC.
    Muted: alerts for ETH are held until 22 Nov 2026 20:00 UTC.
    For quiet, type for example /mute 8h; for one token alone /mute 8h SOL; to end it /mute off. Lengths: 1h, 8h, 24h, 7d. Alerts are held, never dropped.
    ");
    assert_snapshot!(office.types(&private(Command::Mute).with("for", "off").with("token", "eth")).await, @"
    ETH is no longer muted
    Muted: every alert is held until 23 Nov 2026 12:00 UTC.
    ");
    assert_snapshot!(office.types(&private(Command::Mute).with("for", "off")).await, @"
    Your alerts are no longer muted
    Nothing was held back.
    ");
});

on_both!(the_same_request_mutes_once, |db| async move {
    let office = Office::open(db).await;
    let mute = private(Command::Mute).with("for", "1h").keyed("update:1");
    assert!(office.types(&mute).await.starts_with("Your alerts are muted"));
    office.clock.advance(MINUTE);
    assert_eq!(office.types(&mute).await, "This was already done.");
});

on_both!(a_move_onto_a_muted_place_keeps_the_later_end_of_each, |db| async move {
    let office = Office::open(db).await;
    let (old, new) = (Address::new(Platform::Telegram, "-100"), Address::new(Platform::Telegram, "-200"));
    let in_new = |mut request: bellwether::commands::Request| {
        request.venue = bellwether::commands::Venue::Group { address: new.clone(), label: "Traders".to_owned() };
        request
    };
    let mute = || group(Command::Mute, Standing::Admin);
    office.types(&mute().with("for", "8h").with("token", "btc")).await;
    office.types(&mute().with("for", "24h").with("token", "sol")).await;
    office.types(&in_new(mute().with("for", "24h").with("token", "btc"))).await;
    office.types(&in_new(mute().with("for", "1h"))).await;
    office.desk.presence(&Presence::Moved { from: old, to: new.clone() }).await;
    let said = office.types(&in_new(mute())).await;
    assert_snapshot!(said, @"
    Muted at present in Traders
    Muted: every alert is held until 22 Nov 2026 13:00 UTC.
    Muted: alerts for BTC are held until 23 Nov 2026 12:00 UTC.
    Muted: alerts for SOL #3988 are held until 23 Nov 2026 12:00 UTC.
    For quiet, type for example /mute 8h; for one token alone /mute 8h SOL; to end it /mute off. Lengths: 1h, 8h, 24h, 7d. Alerts are held, never dropped.
    ");
});

#[tokio::test]
async fn what_is_claimed_at_the_moment_of_a_mute_is_sent_and_not_told_again() {
    let Some(db) = TestDb::postgres().await else { return };
    let mut app = followers(db).await;
    app.call(&[SOL], 1);
    app.clock.advance(16 * MINUTE);
    app.parts.poller.step().await.unwrap();
    app.parts.flow.step().await.unwrap();
    let composed =
        "SELECT m.state || ' ' || a.state FROM messages m JOIN message_alerts l ON l.message_id = m.id JOIN alerts a ON a.id = l.alert_id
        JOIN destinations d ON d.id = m.destination_id WHERE d.chat = '501'";
    assert_eq!(rows(&app.db.url, composed).await, ["queued composed"]);
    // A claim that is not committed yet.
    let mut sender = sqlx::PgConnection::connect(&app.db.url).await.unwrap();
    let mut claim = sender.begin().await.unwrap();
    let lease = (app.clock.now() + MINUTE).as_millis();
    sqlx::query("UPDATE messages SET lease_holder = 'sender', lease_until = $1, lease_fence = lease_fence + 1 WHERE state = 'queued'")
        .bind(lease)
        .execute(&mut *claim)
        .await
        .unwrap();
    let (store, now) = (app.db.store.clone(), app.clock.now());
    let person = Address::new(Platform::Telegram, PERSON.to_string());
    let order = MuteOrder {
        destination: NewDestination { address: person, place: Place::Person, tenant: None, label: None, creator: None },
        source: SourceId::TokenMetrics,
        token: None,
        until: Some(now + HOUR),
        audit: None,
        request: None,
    };
    let muting = store.mute(&order, now);
    tokio::pin!(muting);
    assert!(tokio::time::timeout(Duration::from_millis(300), &mut muting).await.is_err(), "the claim has the row");
    claim.commit().await.unwrap();
    muting.await.unwrap();
    assert_eq!(rows(&app.db.url, composed).await, ["queued composed"], "it is under way, and tells what it tells");
}
