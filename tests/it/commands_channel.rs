//! Channels, settings, calls, completion and moves, as people and platforms cause them.

use crate::support::{
    commands::{Office, With, alerts_channel, discord_server, group, private, request, rows, server, token_states},
    database::on_both,
};
use bellwether::{
    clock::Clock,
    commands::{ChannelFacts, ChannelProblem, Command, Completion, Presence, Request, RoleFacts, Standing},
    domain::{Address, Kind, Platform, Settings},
};

fn admin(command: Command) -> Request {
    server(command, Standing::Admin).in_channel(alerts_channel())
}

fn role() -> RoleFacts {
    RoleFacts { id: "33".to_owned(), is_everyone: false, mentionable: true, invoker_may: false, bot_may: false }
}

on_both!(an_admin_sets_up_a_channel, |db| async move {
    let office = Office::open(db).await;
    let said = office.types(&admin(Command::ChannelSubscribe).with("tokens", "btc,eth").mentioning(role())).await;
    assert!(
        said.starts_with("Subscribed to daily calls\n") && said.contains("Alerts go to #alerts.\nEach alert mentions the role."),
        "{said}"
    );
    let list = office.types(&admin(Command::ChannelList)).await;
    assert_eq!(list, "This server has 2 subscriptions\n#alerts\ndaily, mentions a role: BTC, ETH");
    let said = office.types(&admin(Command::ChannelSettings).with("max_per_hour", "3").with("cooldown", "90")).await;
    assert!(said.starts_with("Settings of #alerts saved\nmax_per_hour 3:") && said.contains("quiet for 90 minutes"), "{said}");
    assert_eq!(office.types(&admin(Command::ChannelTest)).await, "A test message is on its way to #alerts");
    assert_eq!(rows(&office.db.url, "SELECT state FROM messages WHERE lane = 0").await, ["queued"]);
    assert!(office.types(&admin(Command::ChannelUnsubscribe).with("tokens", "all")).await.contains("Removed 2 subscriptions."));
    let audit = rows(&office.db.url, "SELECT actor, tenant, action FROM audit ORDER BY id").await;
    assert_eq!(audit, ["7|900|channel subscribe", "7|900|channel settings", "7|900|channel unsubscribe"]);
});

on_both!(what_a_channel_lacks_is_named_before_anything_is_saved, |db| async move {
    let office = Office::open(db).await;
    let subscribe = || admin(Command::ChannelSubscribe).with("tokens", "btc");
    let with = |problem| subscribe().in_channel(ChannelFacts { problem: Some(problem), ..alerts_channel() });
    let cases = [
        (server(Command::ChannelSubscribe, Standing::Member).in_channel(alerts_channel()), "does not replace it"),
        (server(Command::ChannelList, Standing::Unknown), "I could not find out"),
        (request(Command::ChannelSubscribe, discord_server(false), Standing::Admin), "Invite me (https://discord.com/invite-me)"),
        (with(ChannelProblem::NotHere), "no such channel in this server"),
        (with(ChannelProblem::NotVisible), "You cannot see #alerts"),
        (with(ChannelProblem::WrongKind), "text channel"),
        (with(ChannelProblem::Missing(vec!["Send Messages", "Embed Links"])), "In #alerts I lack: Send Messages, Embed Links."),
        (with(ChannelProblem::Unknown), "try again"),
        (server(Command::ChannelSubscribe, Standing::Admin).with("tokens", "btc"), "try again"),
        (subscribe().mentioning(RoleFacts { is_everyone: true, ..role() }), "@everyone"),
        (subscribe().mentioning(RoleFacts { mentionable: false, ..role() }), "you lack Mention Everyone"),
        (subscribe().mentioning(RoleFacts { mentionable: false, invoker_may: true, ..role() }), "I lack Mention Everyone"),
        (subscribe().with("mention", "33"), "could not read that role"),
        (admin(Command::ChannelSettings).with("max_per_hour", "61"), "from 0 to 60"),
        (admin(Command::ChannelSettings).with("cooldown", "x"), "/channel settings cooldown:30"),
        (admin(Command::ChannelSettings).with("quiet_hours", "22-7"), "/channel settings quiet_hours:22:00-07:00"),
    ];
    for (request, words) in cases {
        let said = office.is_refused(&request).await;
        assert!(said.contains(words), "{said}");
    }
});

on_both!(alerts_end_also_where_discord_does_not_say_what_the_bot_may_do, |db| async move {
    let office = Office::open(db).await;
    office.types(&admin(Command::ChannelSubscribe).with("tokens", "btc").in_channel(alerts_channel())).await;
    let unknown = ChannelFacts { problem: Some(ChannelProblem::Unknown), ..alerts_channel() };
    let said = office.types(&admin(Command::ChannelUnsubscribe).with("tokens", "btc").in_channel(unknown)).await;
    assert!(said.starts_with("Unsubscribed"), "{said}");
});

on_both!(settings_are_shown_and_changed, |db| async move {
    let office = Office::open(db).await;
    assert!(office.types(&private(Command::Settings)).await.starts_with("Settings\nmax_per_hour 10:"));
    assert_eq!(rows(&office.db.url, "SELECT chat FROM destinations").await, [""; 0], "showing makes nothing");
    let said = office.types(&private(Command::Settings).with("words", "max_per_hour=0 cooldown=60")).await;
    assert!(said.contains("no limit") && said.contains("quiet for 1 hour"), "{said}");
    for bad in ["max_per_hour=61", "cooldown=-1", "cooldown=x", "cooldown", "colour=red", "timezone=Mars", "language=de"] {
        office.is_refused(&private(Command::Settings).with("words", bad)).await;
    }
    office.is_refused(&group(Command::Settings, Standing::Member).with("words", "cooldown=1")).await;
});

on_both!(a_call_is_shown_as_it_is_known, |db| async move {
    let mut office = Office::open(db).await;
    // Nobody answers: the other ends are closed.
    office.inquiries.lookups.close();
    office.inquiries.facets.clear();
    office.sql(&token_states(Kind::Daily)).await;
    assert_eq!(
        office.types(&private(Command::Signal).with("words", "btc")).await,
        "BTC (Bitcoin) daily: bullish since 14 Nov 2026\nTrader grade 71.5\nAs of the call of 22 Nov 2026, seen 22 Nov 2026 11:00 UTC\nMore of it is being asked for: type this again in a minute.\nhttps://app.tokenmetrics.com/en/bitcoin"
    );
    let unknown = office.types(&private(Command::Signal).with("words", "sol hourly")).await;
    assert!(unknown.contains("the call is not known") && unknown.contains("/subscribe #3988 hourly"), "{unknown}");
    office.is_refused(&private(Command::Signal).with("words", "btc eth")).await;
    assert!(office.types(&private(Command::Status)).await.ends_with("0 undeliverable, 0 chats out of reach"));
    assert!(office.types(&private(Command::Help)).await.ends_with("Automated data, not investment advice."));
});

on_both!(a_list_is_completed_after_its_last_comma, |db| async move {
    let office = Office::open(db).await;
    let complete = |command, typed: &str| {
        let Request { actor, venue, .. } = private(command);
        Completion { actor, venue, command, option: "tokens".to_owned(), typed: typed.to_owned(), channel: None }
    };
    let values = async |command, typed: &str| {
        office.desk.complete(&complete(command, typed)).await.into_iter().map(|choice| choice.value).collect::<Vec<_>>()
    };
    assert_eq!(values(Command::Subscribe, "so").await, ["SOL", "SOLO", "#4001"]);
    assert_eq!(values(Command::Subscribe, "btc,eth, $sola").await, ["btc, eth, SOL"]);
    assert_eq!(values(Command::Subscribe, "cat").await, ["#5001", "#5002"]);
    assert_eq!(values(Command::Subscribe, "al").await, ["all", "#6001"]);
    assert_eq!(values(Command::Subscribe, "%").await, ["%_"]);
    assert_eq!(values(Command::Subscribe, "a b").await, ["#6004"]);
    assert_eq!(values(Command::Subscribe, &"btc,".repeat(26)).await, [""; 0]);
    assert_eq!(values(Command::Unsubscribe, "").await, ["all"]);
    office.types(&private(Command::Subscribe).with("words", "eth #4001")).await;
    assert_eq!(values(Command::Unsubscribe, "s").await, ["#4001"]);
});

on_both!(a_chat_that_moves_takes_everything_along_and_merges, |db| async move {
    let office = Office::open(db).await;
    let old = Address::new(Platform::Telegram, "-100");
    let new = Address::new(Platform::Telegram, "-200");
    office.types(&group(Command::Subscribe, Standing::Admin).with("words", "btc all bullish")).await;
    office.types(&group(Command::Unsubscribe, Standing::Admin).with("words", "eth sol")).await;
    office.types(&group(Command::Settings, Standing::Admin).with("words", "max_per_hour=5")).await;
    office.desk.presence(&Presence::Moved { from: old.clone(), to: new.clone() }).await;
    assert_eq!(office.store().destination_at(&old).await.unwrap(), None);
    assert_eq!(office.store().destination_at(&new).await.unwrap().unwrap().tenant.as_deref(), Some("-200"));
    // Someone has set up the old address again: it is merged.
    office.types(&group(Command::Subscribe, Standing::Admin).with("words", "btc all solo bearish")).await;
    office.types(&group(Command::Unsubscribe, Standing::Admin).with("words", "eth")).await;
    office.types(&group(Command::Settings, Standing::Admin).with("words", "cooldown=30")).await;
    office.desk.presence(&Presence::Moved { from: old.clone(), to: new.clone() }).await;
    let merged = office.store().destination_at(&new).await.unwrap().unwrap();
    assert_eq!(merged.settings, Settings { max_per_hour: 5, cooldown_minutes: 30, ..Settings::default() });
    let all = "SELECT d.chat, s.target, s.direction FROM subscriptions s JOIN destinations d ON d.id = s.destination_id ORDER BY s.target";
    assert_eq!(rows(&office.db.url, all).await, ["-200|3375|any", "-200|4002|bearish", "-200|all|any"]);
    assert_eq!(rows(&office.db.url, "SELECT CAST(token_id AS TEXT) FROM exclusions").await, ["3306"], "what one of them wants is told");
});

// The old chat says so, the new one does, and so does the answer to whatever is sent there meanwhile.
on_both!(a_move_that_is_told_of_several_times_at_once_happens_once, |db| async move {
    let office = Office::open(db).await;
    let at = |chat: usize| Address::new(Platform::Telegram, format!("-{chat}"));
    office.types(&group(Command::Subscribe, Standing::Admin).with("words", "btc all")).await;
    for step in 1..20 {
        let (from, to) = (at(step * 100), at(step * 100 + 100));
        futures_util::future::join_all((0..6).map(|_| office.store().move_destination(&from, &to, office.clock.now())))
            .await
            .into_iter()
            .for_each(Result::unwrap);
        let wanted =
            rows(&office.db.url, "SELECT d.chat, s.target FROM subscriptions s JOIN destinations d ON d.id = s.destination_id").await;
        assert_eq!(wanted.len(), 2, "after move {step}: {wanted:?}");
        assert!(wanted.iter().all(|row| row.starts_with(&to.chat)), "{wanted:?}");
    }
});

on_both!(what_is_under_way_follows_a_merge, |db| async move {
    let office = Office::open(db).await;
    let (old, new) = (Address::new(Platform::Telegram, "-100"), Address::new(Platform::Telegram, "-200"));
    office.types(&group(Command::Subscribe, Standing::Admin).with("words", "btc")).await;
    office.desk.presence(&Presence::Moved { from: old.clone(), to: new.clone() }).await;
    office.types(&group(Command::Subscribe, Standing::Admin).with("words", "btc")).await;
    let id = |address: Address| {
        let store = office.store().clone();
        async move { store.destination_at(&address).await.unwrap().unwrap().id.0 }
    };
    let (old_id, new_id) = (id(old.clone()).await, id(new.clone()).await);
    let poll = "INSERT INTO polls (source, feed, started_at, finished_at, outcome, asked, taken, set_aside, complete)
        VALUES ('token-metrics', 'daily', 0, 0, 'complete', 1, 1, 0, TRUE)";
    let change =
        "INSERT INTO changes (poll_id, source, kind, token_id, to_stance, since_exact, data_time, detected_at, nature, timing, after_gap)
        VALUES (1, 'token-metrics', 'daily', 3375, 'bullish', FALSE, 0, 0, 'turned', 'fresh', FALSE)";
    let alert = |change: i64, destination: i64| {
        format!(
            "INSERT INTO alerts (change_id, destination_id, decision, reason, lane, release_at, state, created_at)
            VALUES ({change}, {destination}, 'hold', 'cooldown', 2, 0, 'pending', 0)"
        )
    };
    let message = format!(
        "INSERT INTO messages (destination_id, platform, lane, body, mention, counted, state, next_attempt_at, attempts, unknown_ends, lease_fence, created_at)
        VALUES ({old_id}, 'discord', 1, '{{}}', '[]', TRUE, 'queued', 0, 0, 0, 0, 0)"
    );
    let told = |destination: i64, stance: &str, at: i64| {
        format!(
            "INSERT INTO told (destination_id, source, kind, token_id, stance, data_time, known_at, told_at)
            VALUES ({destination}, 'token-metrics', 'daily', 3375, '{stance}', 0, {at}, {at})"
        )
    };
    let statements = [
        poll.to_owned(),
        change.to_owned(),
        change.to_owned(),
        alert(1, old_id),
        alert(2, old_id),
        alert(2, new_id),
        message,
        told(old_id, "bullish", 20),
        told(new_id, "bearish", 10),
    ];
    office.sql(&statements.join(";")).await;
    office.desk.presence(&Presence::Moved { from: old, to: new }).await;
    let pending = "SELECT CAST(change_id AS TEXT), CAST(destination_id AS TEXT) FROM alerts WHERE state = 'pending' ORDER BY change_id";
    assert_eq!(rows(&office.db.url, pending).await, [format!("1|{new_id}"), format!("2|{new_id}")], "each change once");
    assert_eq!(rows(&office.db.url, "SELECT CAST(destination_id AS TEXT) FROM messages").await, [new_id.to_string()]);
    let told = rows(&office.db.url, "SELECT CAST(destination_id AS TEXT), stance FROM told").await;
    assert_eq!(told, [format!("{new_id}|bullish")], "what was told last counts");
});

on_both!(a_large_directory_is_completed_at_once, |db| async move {
    let office = Office::open(db).await;
    for chunk in 0..20 {
        let line = |n: i64| format!("('token-metrics', {n}, 'S{n}', 'S{n}', 'Name {n}', 'NAME {n}', {n}, NULL, FALSE, 0, 0, 0)");
        let lines: Vec<_> = (0..1000).map(|n| line(100_000 + chunk * 1000 + n)).collect();
        office.sql(&format!("INSERT INTO tokens (source, token_id, symbol, symbol_key, name, name_key, market_rank, link, in_all, refreshes_out, first_seen_at, refreshed_at) VALUES {}", lines.join(","))).await;
    }
    let Request { actor, venue, .. } = private(Command::Subscribe);
    let completion =
        Completion { actor, venue, command: Command::Subscribe, option: "tokens".to_owned(), typed: "btc, s".to_owned(), channel: None };
    let found = office.desk.complete(&completion).await;
    assert_eq!((found.len(), found[0].value.as_str()), (25, "btc, SOL"));
});
