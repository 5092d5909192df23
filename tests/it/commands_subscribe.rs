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
    VALUES ('token-metrics', 'daily', 1, '{"every":{"secs":7200,"nanos":0}}', 2, 1795356000000, 0, FALSE)"#;

on_both!(a_person_subscribes_and_learns_what_was_taken, |db| async move {
    let office = Office::open(db).await;
    office.sql(FEED).await;
    office.sql(&token_states(Kind::Daily)).await;
    let said = office.types(&private(Command::Subscribe).with("words", "$btc, eth SOL bullish")).await;
    assert_snapshot!(said, @r#"
    Subscribed to daily calls, bullish only
    BTC (Bitcoin): bullish since 14 Nov 2026
    ETH (Ethereum): bearish since before 14 Nov 2026
    SOL #3988 (Solana): no call yet
    Alerts come here.
    Daily calls are checked every 2 hours; next 22 Nov 2026 14:00 UTC.
    API calls left this month: 500 of 500.
    Automated data, not investment advice.
    "#);
    let again = office.types(&private(Command::Subscribe).with("words", "btc one")).await;
    assert_snapshot!(again, @r#"
    Subscribed to daily calls
    BTC (Bitcoin): bullish since 14 Nov 2026
    ONE (Lonely): no call yet
    Subscribed before; replaced what was set for: BTC
    Alerts come here.
    Daily calls are checked every 2 hours; next 22 Nov 2026 14:00 UTC.
    API calls left this month: 500 of 500.
    "#);
    assert_snapshot!(rows(&office.db.url, "SELECT target, kind, direction, delivery, creator FROM subscriptions ORDER BY target").await.join("\n"), @r#"
    3306|daily|bullish|instant|telegram:7
    3375|daily|any|instant|telegram:7
    3988|daily|bullish|instant|telegram:7
    5003|daily|any|instant|telegram:7
    "#);
    assert_eq!(rows(&office.db.url, "SELECT action FROM audit").await, [""; 0], "one's own subscriptions are nobody else's business");
});

on_both!(all_can_have_tokens_left_out, |db| async move {
    let office = Office::open(db).await;
    assert_snapshot!(office.types(&private(Command::Subscribe).with("words", "all hourly")).await, @r#"
    Subscribed to hourly calls
    all: the first 100 tokens by market cap
    Alerts come here.
    Hourly calls are checked every 3 hours; the first check begins as soon as the call budget allows.
    API calls left this month: 500 of 500.
    Automated data, not investment advice.
    "#);
    assert_snapshot!(office.types(&private(Command::Subscribe).with("words", "eth hourly")).await, @r#"
    Subscribed to hourly calls
    ETH (Ethereum): no call yet
    Alerts come here.
    Hourly calls are checked every 3 hours; the first check begins as soon as the call budget allows.
    API calls left this month: 500 of 500.
    "#);
    assert_snapshot!(office.types(&private(Command::Unsubscribe).with("words", "sol eth")).await, @r#"
    Unsubscribed
    No more alerts for: ETH
    Left out of all from now on: SOL #3988, ETH
    "#);
    assert_snapshot!(office.types(&private(Command::Subscribe).with("words", "all hourly bearish")).await, @r#"
    Subscribed to hourly calls, bearish only
    all: the first 100 tokens by market cap
    Left out of all, as before: ETH, SOL #3988
    Subscribed before; replaced what was set for: all
    Alerts come here.
    Hourly calls are checked every 3 hours; the first check begins as soon as the call budget allows.
    API calls left this month: 500 of 500.
    "#);
    assert_snapshot!(office.types(&private(Command::Subscriptions)).await, @r#"
    You have 1 subscription
    hourly, bearish only: all (the first 100 by market cap), without ETH, SOL
    max_per_hour 10: at most 10 alert messages in any 60 minutes; what is beyond waits and comes as one summary.
    cooldown 0: no pause between two alerts for the same token.
    "#);
    // Subscribing a token brings it back.
    office.types(&private(Command::Subscribe).with("words", "eth hourly")).await;
    assert_eq!(rows(&office.db.url, "SELECT CAST(token_id AS TEXT) FROM exclusions").await, ["3988"]);
    assert_snapshot!(office.types(&private(Command::Unsubscribe).with("words", "all")).await, @r#"
    Unsubscribed
    Removed 2 subscriptions.
    "#);
    assert_eq!(rows(&office.db.url, "SELECT kind FROM exclusions").await, [""; 0]);
    assert_snapshot!(office.types(&private(Command::Unsubscribe).with("words", "all")).await, @r#"Nothing to unsubscribe; nothing was changed"#);
});

on_both!(one_kind_is_unsubscribed_or_every_kind, |db| async move {
    let office = Office::open(db).await;
    office.types(&private(Command::Subscribe).with("words", "btc,eth")).await;
    office.types(&private(Command::Subscribe).with("words", "btc,eth hourly")).await;
    assert_snapshot!(office.types(&private(Command::Unsubscribe).with("words", "btc hourly solo")).await, @r#"
    Unsubscribed
    No more alerts for: BTC
    Not subscribed before: SOLO
    "#);
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
    office.inquiries.lookups.close();
    let mut said = Vec::new();
    for words in ["", "cat", "btc hourly", "btc instant digest-daily", "btc daily hourly", "#x", "eth nosuch"] {
        said.push(format!("> {words}\n{}", office.is_refused(&private(Command::Subscribe).with("words", words)).await));
    }
    said.push(office.is_refused(&private(Command::Subscribe).with("tokens", "btc").with("kind", "weekly")).await);
    said.push(office.is_refused(&group(Command::Subscribe, Standing::Member).with("words", "btc")).await);
    said.push(office.is_refused(&group(Command::Subscribe, Standing::Unknown).with("words", "btc")).await);
    said.push(office.is_refused(&private(Command::Unsubscribe).with("words", "bitcoi")).await);
    said.push(office.is_refused(&private(Command::ChannelList)).await);
    assert_snapshot!(said.join("\n\n"), @r#"
    > 
    That did not work; nothing was changed
    Name at least one token, by symbol or #id.
    For example: /subscribe SOL,ETH

    > cat
    That did not work; nothing was changed
    Several tokens are called CAT. Say which one by its id: #5001 First Cat; #5002 Second Cat;

    > btc hourly
    That did not work; nothing was changed
    The operator has switched hourly calls off, so there is nothing to subscribe to.

    > btc instant digest-daily
    That did not work; nothing was changed
    instant and digest-daily: name one delivery at a time.
    For example: /subscribe SOL,ETH

    > btc daily hourly
    That did not work; nothing was changed
    daily and hourly: name one kind at a time.
    For example: /subscribe SOL,ETH

    > #x
    That did not work; nothing was changed
    #x is not a token id: after # come digits alone, 18 at most.
    For example: /subscribe SOL,ETH

    > eth nosuch
    That did not work; nothing was changed
    NOSUCH is not in my list of tokens, and I cannot look it up at the moment. Please try again later.

    That did not work; nothing was changed
    weekly is not a kind. Choose one of: daily, hourly, grade, fundamental, levels.
    For example: /subscribe SOL,ETH

    That did not work; nothing was changed
    In a group only its administrators can do this. For alerts of your own, write to me in a private chat.

    That did not work; nothing was changed
    I could not find out whether you are an administrator here. Please try again in a minute.

    That did not work; nothing was changed
    I know no token BITCOI.
    Did you mean BTC (Bitcoin)?

    That did not work; nothing was changed
    Only that channel's creator and its administrators can do this, and Telegram says that you are neither.
    "#);
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
            let request = office.inquiries.lookups.recv().await.unwrap();
            assert_eq!((request.person.as_str(), request.query.as_str()), ("telegram:7", "NEW"));
            request.answer.send(result).unwrap();
        };
        said.push(tokio::join!(ask("new"), asked).0);
    }
    assert_snapshot!(said.join("\n\n"), @r#"
    Subscribed to daily calls
    NEW (Newcomer): no call yet
    Alerts come here.
    Daily calls are checked every 2 hours; the first check begins as soon as the call budget allows.
    API calls left this month: 500 of 500.
    Automated data, not investment advice.

    That did not work; nothing was changed
    NEW is not in my list of tokens, and today's look-ups are used up. Please try again tomorrow.

    That did not work; nothing was changed
    NEW is not in my list of tokens, and I cannot look it up at the moment. Please try again later.

    That did not work; nothing was changed
    I know no token NEW.
    "#);
});

on_both!(before_the_directory_is_there_a_command_waits_a_while, |db| async move {
    let office = Office::with(db, settings());
    let request = private(Command::Subscribe).with("words", "btc");
    let desk = office.desk.clone().with_directory_patience(Duration::from_millis(20));
    assert_snapshot!(desk.answer(&request).await.card.plain(), @r#"
    That did not work; nothing was changed
    I am still loading the list of tokens. Please try again in a minute.
    "#);
    office
        .sql(
            r#"INSERT INTO feeds (source, feed, version, cadence, tokens, failures, stopped)
            VALUES ('token-metrics', 'ranks', 1, '{"every":{"secs":86400,"nanos":0}}', 100, 1, FALSE)"#,
        )
        .await;
    assert_snapshot!(desk.answer(&request).await.card.plain(), @r#"
    That did not work; nothing was changed
    I have no list of tokens yet, because Token Metrics does not give it to me at the moment. I keep trying; see /status.
    "#);
    office.sql("UPDATE feeds SET stopped = TRUE").await;
    assert_snapshot!(desk.answer(&request).await.card.plain(), @r#"
    That did not work; nothing was changed
    I have no list of tokens, because Token Metrics refuses to give it to me, and I do not ask again by myself. Whoever runs this bot has to run bellwether check and mend what it says.
    "#);
    let (said, ()) = tokio::join!(office.types(&request), office.sql(crate::support::commands::DIRECTORY));
    assert!(said.starts_with("Subscribed"), "{said}");
});

on_both!(limits_hold_also_when_two_commands_come_at_once, |db| async move {
    let office = Office::open(db).await;
    let tokens: Vec<String> =
        (0..300).map(|n| format!("('token-metrics', {}, 'T{n}', 'T{n}', '', '', NULL, NULL, FALSE, 0, 0, 0)", 10_000 + n)).collect();
    office.sql(&format!("INSERT INTO tokens (source, token_id, symbol, symbol_key, name, name_key, market_rank, link, in_all, refreshes_out, first_seen_at, refreshed_at) VALUES {}", tokens.join(","))).await;
    let list = |from: usize, count: usize| (from..from + count).map(|n| format!("t{n}")).collect::<Vec<_>>().join(" ");
    let subscribe = |from, count| private(Command::Subscribe).with("words", &list(from, count));
    for from in [0, 50, 100] {
        assert!(office.types(&subscribe(from, 50)).await.starts_with("Subscribed"));
    }
    let (first, second) = (subscribe(150, 40), subscribe(200, 40));
    let both = tokio::join!(office.types(&first), office.types(&second));
    assert_eq!([&both.0, &both.1].iter().filter(|said| said.starts_with("Subscribed")).count(), 1, "{both:?}");
    assert_snapshot!(office.is_refused(&subscribe(250, 11)).await, @r#"
    That did not work; nothing was changed
    That would be 201 subscriptions, and at most 200 are possible here; 190 are in use. Make room with /unsubscribe, or subscribe to all.
    "#);
    // What is there already may be changed all the same.
    assert!(office.types(&private(Command::Subscribe).with("words", "t0 t1 bearish")).await.starts_with("Subscribed"));
    assert_eq!(rows(&office.db.url, "SELECT CAST(COUNT(*) AS TEXT) FROM subscriptions").await, ["190"]);
});

on_both!(many_tokens_are_grouped_by_their_call, |db| async move {
    let office = Office::open(db).await;
    office.sql(&token_states(Kind::Daily)).await;
    let said = office.types(&private(Command::Subscribe).with("words", "btc eth sol #4001 solo #5001 #5002 one #6001 #6002 #6003")).await;
    assert_snapshot!(said, @r#"
    Subscribed to daily calls
    Now bullish (1): BTC
    Now bearish (1): ETH
    No call yet (9): SOL #3988, SOL #4001, SOLO, CAT #5001, CAT #5002, ONE, ALL, %_, ÄÖ
    Alerts come here.
    Daily calls are checked every 2 hours; the first check begins as soon as the call budget allows.
    API calls left this month: 500 of 500.
    Automated data, not investment advice.
    "#);
    assert_snapshot!(office.types(&private(Command::Subscriptions)).await, @r#"
    You have 11 subscriptions
    daily: BTC, ETH, SOL #3988, SOL #4001, SOLO, CAT #5001, CAT #5002, ONE, ALL, %_, ÄÖ
    max_per_hour 10: at most 10 alert messages in any 60 minutes; what is beyond waits and comes as one summary.
    cooldown 0: no pause between two alerts for the same token.
    "#);
});

on_both!(a_group_is_told_what_its_admins_asked_for, |db| async move {
    let office = Office::open(db).await;
    assert_snapshot!(office.types(&group(Command::Subscribe, Standing::Admin).with("words", "sol")).await, @r#"
    Subscribed to daily calls
    SOL #3988 (Solana): no call yet
    Alerts come here.
    Daily calls are checked every 2 hours; the first check begins as soon as the call budget allows.
    API calls left this month: 500 of 500.
    Automated data, not investment advice.
    "#);
    office.types(&group(Command::Unsubscribe, Standing::Admin).with("words", "sol")).await;
    assert_snapshot!(rows(&office.db.url, "SELECT actor, tenant, action, before, after FROM audit ORDER BY id").await.join("\n"), @r#"
    7|-100|subscribe|-|{"delivery":"instant","direction":"any","kind":"daily","mention":null,"targets":["3988"]}
    7|-100|unsubscribe|{"all":false,"kinds":["daily","hourly","grade","fundamental","levels"],"tokens":[3988]}|{"excluded":[],"removed":1}
    "#);
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
    assert_snapshot!(office.types(&server(Command::Subscriptions, Standing::Member)).await, @r#"
    You have 1 subscription
    daily: BTC
    max_per_hour 10: at most 10 alert messages in any 60 minutes; what is beyond waits and comes as one summary.
    cooldown 0: no pause between two alerts for the same token.
    Direct messages do not get through, so alerts are held. Allow direct messages from me (or unblock me), then send me any command.
    "#);
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

on_both!(a_request_is_remembered_with_its_effect_or_not_at_all, |db| async move {
    let office = Office::open(db).await;
    let seen = "SELECT id FROM interactions_seen";
    let subscribe = server(Command::Subscribe, Standing::Member).with("tokens", "btc").keyed("i-1");
    // The transaction breaks off after the request was noted and before its effect was whole.
    office.sql("ALTER TABLE exclusions RENAME TO gone").await;
    assert!(office.types(&subscribe).await.starts_with("Something went wrong"));
    assert_eq!(rows(&office.db.url, seen).await, [""; 0]);
    assert_eq!(rows(&office.db.url, "SELECT target FROM subscriptions").await, [""; 0]);
    office.sql("ALTER TABLE gone RENAME TO exclusions").await;
    // Of two that come at once one is carried out.
    let both = tokio::join!(office.types(&subscribe), office.types(&subscribe));
    let mut said = [both.0, both.1];
    said.sort();
    assert!(said[0].starts_with("Subscribed") && said[1] == "This was already done.", "{said:?}");
    assert_eq!(rows(&office.db.url, seen).await, ["discord:i-1"]);
    // It is stored, and the answer breaks: what was done is done.
    let settings = server(Command::Unsubscribe, Standing::Member).with("tokens", "btc").keyed("i-2");
    office.types(&settings).await;
    assert_eq!(office.types(&settings).await, "This was already done.");
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
