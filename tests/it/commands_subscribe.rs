//! Subscribing and unsubscribing, as people do it.

use crate::support::{
    commands::{Office, With, group, private, rows, server, settings, token_states},
    database::on_both,
};
use bellwether::{
    commands::{Command, FollowUp, LookupResult, Standing},
    domain::{Address, Kind, Platform, QuarantineReason, Token, TokenId, UserId},
};
use insta::assert_snapshot;
use std::time::Duration;

const FEED: &str = r#"INSERT INTO feeds (source, feed, version, cadence, tokens, next_poll_at, failures, stopped)
    VALUES ('token-metrics', 'daily', 1, '{"every":{"secs":10800,"nanos":0}}', 2, 1795356000000, 0, FALSE)"#;

on_both!(a_person_subscribes_and_learns_what_was_taken, |db| async move {
    let office = Office::open(db).await;
    office.sql(FEED).await;
    office.sql(&token_states(Kind::Daily)).await;
    let said = office.types(&private(Command::Subscribe).with("words", "$btc, eth SOL bullish")).await;
    assert_snapshot!(said, @"");
    let again = office.types(&private(Command::Subscribe).with("words", "btc one")).await;
    assert_snapshot!(again, @"");
    assert_snapshot!(rows(&office.db.url, "SELECT target, kind, direction, delivery, creator FROM subscriptions ORDER BY target").await.join("\n"), @"");
    assert_eq!(rows(&office.db.url, "SELECT action FROM audit").await, [""; 0], "one's own subscriptions are nobody else's business");
});

on_both!(all_can_have_tokens_left_out, |db| async move {
    let office = Office::open(db).await;
    assert_snapshot!(office.types(&private(Command::Subscribe).with("words", "all hourly")).await, @"");
    assert_snapshot!(office.types(&private(Command::Subscribe).with("words", "eth hourly")).await, @"");
    assert_snapshot!(office.types(&private(Command::Unsubscribe).with("words", "sol eth")).await, @"");
    assert_snapshot!(office.types(&private(Command::Subscribe).with("words", "all hourly bearish")).await, @"");
    assert_snapshot!(office.types(&private(Command::Subscriptions)).await, @"");
    // Subscribing a token brings it back.
    office.types(&private(Command::Subscribe).with("words", "eth hourly")).await;
    assert_eq!(rows(&office.db.url, "SELECT CAST(token_id AS TEXT) FROM exclusions").await, ["3988"]);
    assert_snapshot!(office.types(&private(Command::Unsubscribe).with("words", "all")).await, @"");
    assert_eq!(rows(&office.db.url, "SELECT kind FROM exclusions").await, [""; 0]);
    assert_snapshot!(office.types(&private(Command::Unsubscribe).with("words", "all")).await, @"");
});

on_both!(one_kind_is_unsubscribed_or_every_kind, |db| async move {
    let office = Office::open(db).await;
    office.types(&private(Command::Subscribe).with("words", "btc,eth")).await;
    office.types(&private(Command::Subscribe).with("words", "btc,eth hourly")).await;
    assert_snapshot!(office.types(&private(Command::Unsubscribe).with("words", "btc hourly solo")).await, @"");
    assert_eq!(rows(&office.db.url, "SELECT target || kind FROM subscriptions ORDER BY 1").await, ["3306daily", "3306hourly", "3375daily"]);
    office.types(&private(Command::Unsubscribe).with("words", "eth")).await;
    assert_eq!(rows(&office.db.url, "SELECT target || kind FROM subscriptions").await, ["3375daily"]);
});

on_both!(what_was_subscribed_is_meant_even_if_ranks_have_moved, |db| async move {
    let office = Office::open(db).await;
    office.types(&private(Command::Subscribe).with("words", "#4001")).await;
    office.types(&private(Command::Unsubscribe).with("words", "sol")).await;
    assert_eq!(rows(&office.db.url, "SELECT target FROM subscriptions").await, [""; 0]);
});

on_both!(what_cannot_be_done_is_refused_with_a_way_out, |db| async move {
    let mut off = settings();
    off.off = vec![Kind::Hourly];
    let office = Office::with(db, off);
    office.sql(crate::support::commands::DIRECTORY).await;
    office.types(&private(Command::Subscribe).with("words", "btc")).await;
    let mut office = office;
    // Nobody answers look-ups: the other end is closed.
    office.lookups.close();
    let mut said = Vec::new();
    for words in ["", "cat", "btc hourly", "btc grade", "btc digest-daily", "btc daily hourly", "#x", "eth nosuch"] {
        said.push(format!("> {words}\n{}", office.is_refused(&private(Command::Subscribe).with("words", words)).await));
    }
    said.push(office.is_refused(&private(Command::Subscribe).with("tokens", "btc").with("kind", "weekly")).await);
    said.push(office.is_refused(&group(Command::Subscribe, Standing::Member).with("words", "btc")).await);
    said.push(office.is_refused(&group(Command::Subscribe, Standing::Unknown).with("words", "btc")).await);
    said.push(office.is_refused(&private(Command::Unsubscribe).with("words", "bitcoi")).await);
    for later in [Command::History, Command::Mute, Command::Privacy, Command::ChannelList] {
        said.push(office.is_refused(&private(later)).await);
    }
    assert_snapshot!(said.join("\n\n"), @"");
});

on_both!(what_the_directory_lacks_is_looked_up, |db| async move {
    let mut office = Office::open(db).await;
    let desk = office.desk.clone();
    let ask = |words: &'static str| {
        let desk = desk.clone();
        async move { desk.answer(&private(Command::Subscribe).with("words", words)).await.card.plain() }
    };
    let new = Token { id: TokenId(9000), symbol: "NEW".to_owned(), name: "Newcomer".to_owned(), rank: None, link: None };
    let mut said = Vec::new();
    for result in [LookupResult::Found(vec![new]), LookupResult::OverLimit, LookupResult::Unavailable, LookupResult::Found(Vec::new())] {
        let asked = async {
            let request = office.lookups.recv().await.unwrap();
            assert_eq!((request.person.as_str(), request.query.as_str()), ("telegram:7", "NEW"));
            request.answer.send(result).unwrap();
        };
        said.push(tokio::join!(ask("new"), asked).0);
    }
    assert_snapshot!(said.join("\n\n"), @"");
});

on_both!(before_the_directory_is_there_a_command_waits_a_while, |db| async move {
    let office = Office::with(db, settings());
    let request = private(Command::Subscribe).with("words", "btc");
    let desk = office.desk.clone().with_directory_patience(Duration::from_millis(20));
    assert_snapshot!(desk.answer(&request).await.card.plain(), @"");
    let (said, ()) = tokio::join!(office.types(&request), office.sql(crate::support::commands::DIRECTORY));
    assert!(said.starts_with("Subscribed"), "{said}");
});

on_both!(limits_hold_also_when_two_commands_come_at_once, |db| async move {
    let office = Office::open(db).await;
    let tokens: Vec<String> = (0..300)
        .map(|n| format!("('token-metrics', {}, 'T{n}', 'T{n}', '', '', NULL, NULL, FALSE, 0, 0, 0)", 10_000 + n))
        .collect();
    office.sql(&format!("INSERT INTO tokens (source, token_id, symbol, symbol_key, name, name_key, market_rank, link, in_all, refreshes_out, first_seen_at, refreshed_at) VALUES {}", tokens.join(","))).await;
    let list = |from: usize, count: usize| (from..from + count).map(|n| format!("t{n}")).collect::<Vec<_>>().join(" ");
    let subscribe = |from, count| private(Command::Subscribe).with("words", &list(from, count));
    for from in [0, 50, 100] {
        assert!(office.types(&subscribe(from, 50)).await.starts_with("Subscribed"));
    }
    let (first, second) = (subscribe(150, 40), subscribe(200, 40));
    let both = tokio::join!(office.types(&first), office.types(&second));
    assert_eq!([&both.0, &both.1].iter().filter(|said| said.starts_with("Subscribed")).count(), 1, "{both:?}");
    assert_snapshot!(office.is_refused(&subscribe(250, 11)).await, @"");
    // What is there already may be changed all the same.
    assert!(office.types(&private(Command::Subscribe).with("words", "t0 t1 bearish")).await.starts_with("Subscribed"));
    assert_eq!(rows(&office.db.url, "SELECT CAST(COUNT(*) AS TEXT) FROM subscriptions").await, ["190"]);
});

on_both!(many_tokens_are_grouped_by_their_call, |db| async move {
    let office = Office::open(db).await;
    office.sql(&token_states(Kind::Daily)).await;
    let said = office.types(&private(Command::Subscribe).with("words", "btc eth sol #4001 solo #5001 #5002 one #6001 #6002 #6003")).await;
    assert_snapshot!(said, @"");
    assert_snapshot!(office.types(&private(Command::Subscriptions)).await, @"");
});

on_both!(a_group_is_told_what_its_admins_asked_for, |db| async move {
    let office = Office::open(db).await;
    assert_snapshot!(office.types(&group(Command::Subscribe, Standing::Admin).with("words", "sol")).await, @"");
    office.types(&group(Command::Unsubscribe, Standing::Admin).with("words", "sol")).await;
    assert_snapshot!(rows(&office.db.url, "SELECT actor, tenant, action, before, after FROM audit ORDER BY id").await.join("\n"), @"");
});

on_both!(the_first_subscription_on_discord_opens_direct_messages, |db| async move {
    let office = Office::open(db).await;
    let subscribe = server(Command::Subscribe, Standing::Member).with("tokens", "btc");
    let reply = office.reply(&subscribe).await;
    assert!(reply.card.plain().contains("by direct message"));
    let direct = Address::discord_user(&UserId("7".to_owned()));
    let destination = office.store().destination_at(&direct).await.unwrap().unwrap().id;
    let open = Some(FollowUp::OpenDirectMessages { destination, user: UserId("7".to_owned()) });
    assert_eq!(reply.follow_up, open);
    office.desk.direct_messages_opened(destination, Err(QuarantineReason::Blocked)).await;
    assert_snapshot!(office.types(&server(Command::Subscriptions, Standing::Member)).await, @"");
    assert_eq!(office.reply(&subscribe).await.follow_up, open, "tried again while they are closed");
    office.desk.direct_messages_opened(destination, Ok("555".to_owned())).await;
    let found = office.store().destination(destination).await.unwrap().unwrap();
    assert_eq!((found.route.as_deref(), found.quarantine), (Some("555"), None));
    assert_eq!(office.reply(&subscribe).await.follow_up, None);
});

on_both!(the_same_request_is_carried_out_once, |db| async move {
    let office = Office::open(db).await;
    let subscribe = server(Command::Subscribe, Standing::Member).with("tokens", "btc").keyed("i-1");
    assert!(office.types(&subscribe).await.starts_with("Subscribed"));
    office.types(&server(Command::Unsubscribe, Standing::Member).with("tokens", "btc").keyed("i-2")).await;
    assert_eq!(office.types(&subscribe).await, "This was already done.");
    assert_eq!(rows(&office.db.url, "SELECT target FROM subscriptions").await, [""; 0]);
    office.clock.advance(Duration::from_secs(16 * 60));
    assert!(office.types(&subscribe).await.starts_with("Subscribed"), "forgotten after 15 minutes");
});

on_both!(an_internal_error_is_an_apology_with_a_reference, |db| async move {
    let office = Office::open(db).await;
    office.sql("DROP TABLE exclusions").await;
    let subscribe = private(Command::Subscribe).with("words", "btc").keyed("i-1");
    let said = office.types(&subscribe).await;
    assert!(said.starts_with("Something went wrong on my side.") && !said.contains("exclusions"), "{said}");
    assert_eq!(rows(&office.db.url, "SELECT target FROM subscriptions").await, [""; 0]);
    assert!(office.types(&subscribe).await.starts_with("Something went wrong"), "the next try is carried out again");
});

on_both!(a_word_from_a_place_ends_its_quarantine, |db| async move {
    let office = Office::open(db).await;
    office.types(&private(Command::Subscribe).with("words", "btc")).await;
    let address = Address::new(Platform::Telegram, "7");
    let lost = bellwether::commands::Presence::Lost { chat: address.clone(), reason: QuarantineReason::Blocked };
    office.desk.presence(&lost).await;
    let quarantine = office.store().destination_at(&address).await.unwrap().unwrap().quarantine.unwrap();
    assert_eq!((quarantine.reason, quarantine.next_probe_at), (QuarantineReason::Blocked, office.now() + Duration::from_secs(3600)));
    office.types(&private(Command::Status)).await;
    assert_eq!(office.store().destination_at(&address).await.unwrap().unwrap().quarantine, None);
    office.desk.presence(&lost).await;
    office.desk.presence(&bellwether::commands::Presence::Back { chat: address.clone() }).await;
    assert_eq!(office.store().destination_at(&address).await.unwrap().unwrap().quarantine, None);
});
