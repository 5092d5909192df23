//! How those who are told share a platform's pace (ARCHITECTURE.md, rules O): nobody waits for what others have in the queue.

use crate::support::{
    app::TestApp,
    audience::{BTC, ETH, FOUR, SOL},
    commands::{rows, run_sql},
    database::on_both,
    fake_discord::{GUILD, direct_channel, interaction},
};
use bellwether::clock::Clock;
use serde_json::json;
use std::{collections::BTreeMap, time::Duration};

const CHANNELS: i64 = 200;
const PERSON: i64 = 501;
/// The first of many people.
const MANY: i64 = 5_000;

fn channel(n: i64) -> String {
    (1_180_243_562_783_200_000 + n).to_string()
}

/// These chats follow tokens, before anybody else does. A chat with a server's name belongs to it.
async fn follow(
    app: &TestApp,
    platform: &str,
    place: &str,
    chats: impl Iterator<Item = String>,
    tenant: Option<&str>,
    wishes: &[(i64, &str)],
) {
    let now = app.clock.now().as_millis();
    let tenant = tenant.map_or("NULL".to_owned(), |tenant| format!("'{tenant}'"));
    let places: Vec<_> = chats.map(|chat| format!("('{platform}', '{chat}', '', '{place}', {tenant}, '{{}}', {now}, 0, 0)")).collect();
    let wishes: Vec<_> = wishes
        .iter()
        .map(|(token, delivery)| {
            format!(
                "INSERT INTO subscriptions (destination_id, source, target, kind, direction, delivery, creator, created_at, updated_at)
                 SELECT id, 'token-metrics', '{token}', 'daily', 'any', '{delivery}', 'test', {now}, {now} FROM destinations
                 WHERE platform = '{platform}' AND place = '{place}' AND creator IS NULL;"
            )
        })
        .collect();
    let insert = "INSERT INTO destinations (platform, chat, topic, place, tenant, settings, created_at, rest_until, probes) VALUES";
    run_sql(&app.db.url, &format!("{insert} {}; {}", places.join(","), wishes.concat())).await;
}

/// The poll and both stages up to the messages.
async fn up_to_messages(app: &mut TestApp) {
    app.clock.advance(Duration::from_secs(16 * 60));
    app.parts.poller.step().await.unwrap();
    app.parts.flow.step().await.unwrap();
}

on_both!(two_hundred_channels_of_one_server_do_not_starve_a_private_chat, |db| async move {
    let mut app = TestApp::start(db).await;
    for n in 0..CHANNELS {
        app.discord.channel(&channel(n), json!({"name": format!("alerts-{n}")}));
    }
    // The server's channels come first in every order but that of the tags.
    follow(&app, "discord", "channel", (0..CHANNELS).map(channel), Some(GUILD), &[(BTC, "instant"), (ETH, "instant"), (SOL, "instant")])
        .await;
    app.member_subscribes("btc, sol").await;
    app.baseline(&FOUR).await;
    app.turn(&[BTC, ETH, SOL], 1).await;
    let sent: Vec<_> =
        app.discord_messages().into_iter().map(|(channel, text)| (channel, text.lines().next().unwrap().to_owned())).collect();
    assert_eq!(sent.len(), 3 * 200 + 2);
    let dm = direct_channel(interaction::MEMBER);
    let own: Vec<_> =
        sent.iter().enumerate().filter(|(_, (channel, _))| *channel == dm).map(|(place, (_, title))| (place, title.as_str())).collect();
    // Eight are claimed at once; the server of 200 channels weighs 8.
    assert!(matches!(own[..], [(0..=8, "BTC turned bullish"), (1..=24, "SOL turned bullish")]), "{own:?}");
    let mut of_channels: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    sent.iter().for_each(|(channel, title)| of_channels.entry(channel).or_default().push(title));
    of_channels.remove(dm.as_str());
    let in_order = ["BTC turned bullish", "ETH turned bullish", "SOL turned bullish"];
    assert!(of_channels.len() == 200 && of_channels.values().all(|titles| *titles == in_order), "each channel reads them in order");
    let first: std::collections::BTreeSet<_> = sent.iter().take(201).map(|(channel, _)| channel).collect();
    assert!(first.len() > 190, "every channel has its first before any has its last: {}", first.len());
});

on_both!(a_message_that_is_tried_again_keeps_its_place, |db| async move {
    let mut app = TestApp::start(db).await;
    app.telegram.with(|world| {
        (0..200).for_each(|n| _ = world.person(MANY + n));
    });
    app.person_subscribes(PERSON, "sol").await;
    follow(&app, "telegram", "person", (0..200).map(|n| (MANY + n).to_string()), None, &[(SOL, "instant")]).await;
    app.baseline(&FOUR).await;
    let refused = crate::support::fake_telegram::Fault::Refuse(502, "Bad Gateway", json!({}));
    app.telegram.fault("sendMessage", Some(PERSON), refused);
    let tag = "SELECT CAST(start_tag AS TEXT) FROM messages WHERE lane = 1 ORDER BY id LIMIT 1";
    app.call(&[SOL], 1);
    up_to_messages(&mut app).await;
    let before = rows(&app.db.url, tag).await;
    app.step().await;
    let order: Vec<_> = app.telegram_messages().into_iter().map(|(chat, ..)| chat).collect();
    assert_eq!(order.len(), 201);
    // It waited for two seconds, in which sixty others went; and then it was its turn at once, before those that had come later.
    let place = order.iter().position(|chat| *chat == PERSON).unwrap();
    assert!((30..120).contains(&place), "{place}");
    assert_eq!(rows(&app.db.url, tag).await, before);
});

on_both!(a_backlog_of_digests_and_summaries_delays_no_alert, |db| async move {
    let mut app = TestApp::start(db).await;
    app.telegram.with(|world| {
        (0..300).for_each(|n| _ = world.person(MANY + n));
    });
    follow(&app, "telegram", "person", (0..300).map(|n| (MANY + n).to_string()), None, &[(SOL, "digest-hourly"), (BTC, "instant")]).await;
    // Half of them hear no more than one message an hour: what is beyond becomes a summary.
    run_sql(&app.db.url, "UPDATE destinations SET settings = '{\"max_per_hour\":1}' WHERE id % 2 = 0").await;
    app.person_subscribes(PERSON, "eth").await;
    app.baseline(&FOUR).await;
    app.turn(&[BTC], 1).await;
    assert_eq!(app.on_telegram().len(), 300);
    app.call(&[SOL], 1);
    app.turn(&[BTC], -1).await;
    app.telegram_messages();
    // The hour of the limit is over, and the window of the digests has ended: all of it is composed, and nothing sent yet.
    app.clock.advance(Duration::from_secs(3600));
    app.parts.flow.step().await.unwrap();
    let waiting = rows(
        &app.db.url,
        "SELECT CAST(lane AS TEXT), CAST(COUNT(*) AS TEXT) FROM messages WHERE state = 'queued' GROUP BY lane ORDER BY lane",
    )
    .await;
    assert_eq!(waiting, ["2|150", "3|300"]);
    app.call(&[ETH], 1);
    up_to_messages(&mut app).await;
    app.step().await;
    let titles = app.on_telegram();
    assert_eq!((titles.len(), titles[0].as_str()), (451, "ETH turned bullish"), "the one alert is the first of all");
    let (summaries, digests) = titles[1..].split_at(150);
    assert!(summaries.iter().all(|title| title == "Held back: 1 call"), "{:?}", &summaries[..3]);
    assert!(digests.iter().all(|title| title.contains("digest")), "{:?}", &digests[..3]);
});

on_both!(the_claims_state_outlives_the_process, |db| async move {
    let mut app = TestApp::start(db).await;
    for n in 0..20 {
        app.discord.channel(&channel(n), json!({"name": format!("alerts-{n}")}));
    }
    follow(&app, "discord", "channel", (0..20).map(channel), Some(GUILD), &[(BTC, "instant"), (ETH, "instant"), (SOL, "instant")]).await;
    app.baseline(&FOUR).await;
    app.turn(&[BTC, ETH, SOL], 1).await;
    assert_eq!(app.discord_messages().len(), 60);
    let reached = "SELECT platform, CAST(lane AS TEXT), CAST(start_tag AS TEXT) FROM virtual_times WHERE lane = 1";
    // Sixty messages of a community of twenty, whose weight is 5: the last of them begins 59 fifths behind the first.
    assert_eq!(rows(&app.db.url, reached).await, ["discord|1|11800000"]);
    let mut app = app.restart().await;
    app.member_subscribes("sol").await;
    app.turn(&[SOL], -1).await;
    assert_eq!(app.discord_messages().len(), 21);
    assert_eq!(rows(&app.db.url, reached).await, ["discord|1|15600000"], "it goes on from there");
});
