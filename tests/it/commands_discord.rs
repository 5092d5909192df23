//! Commands through Discord's door, the whole product behind it: what is refused changes nothing, what is answered can be understood.

use crate::support::{
    app::TestApp,
    commands::{rows, run_sql, stored},
    community::{BTC, SOL, heard, polls},
    database::on_both,
    fake_discord::{GUILD, HERE, direct_channel, interaction},
};
use insta::assert_snapshot;
use interaction::{ADMIN, MEMBER, PLAIN, in_server, slash, subcommand};
use serde_json::{Value, json};

fn text(name: &str, value: &str) -> Value {
    json!({"name": name, "type": 3, "value": value})
}

fn channel_command(name: &str, options: &[Value]) -> Value {
    subcommand("channel", name, json!(options))
}

/// `/channel subscribe` with an option that names a channel or a role, described so.
fn naming(option: &str, kind: u8, id: &str, described: &Value) -> Value {
    let mut data = channel_command("subscribe", &[text("tokens", "SOL"), json!({"name": option, "type": kind, "value": id})]);
    let group = if kind == 7 { "channels" } else { "roles" };
    data["resolved"] = json!({group: {id: described}});
    data
}

on_both!(what_is_refused_at_the_door_changes_nothing, |db| async move {
    let mut app = TestApp::start(db).await;
    app.on_server(ADMIN, channel_command("subscribe", &[text("tokens", "BTC")])).await;
    app.on_server(PLAIN, slash("subscribe", &[("tokens", "BTC")])).await;
    let other_server = json!({"id": "555", "type": 0, "name": "secret", "permissions": ADMIN.to_string()});
    app.discord.channel("555", json!({"guild_id": "999"}));
    let manager = |may: u64| (ADMIN | may, naming("mention", 8, "77", &json!({"id": "77", "name": "traders", "mentionable": false})));
    let everyone = naming("mention", 8, GUILD, &json!({"id": GUILD, "name": "@everyone", "mentionable": true}));
    let many: Vec<_> = (0..51).map(|n| format!("T{n}")).collect();
    let cases: Vec<(u64, Value, &str)> = vec![
        (PLAIN, channel_command("subscribe", &[text("tokens", "SOL")]), "does not replace it"),
        (PLAIN, channel_command("unsubscribe", &[text("tokens", "BTC")]), "does not replace it"),
        (PLAIN, channel_command("list", &[]), "does not replace it"),
        (PLAIN, channel_command("settings", &[json!({"name": "max_per_hour", "type": 4, "value": 1})]), "does not replace it"),
        (PLAIN, channel_command("test", &[]), "does not replace it"),
        (ADMIN, naming("channel", 7, "555", &other_server), "no such channel in this server"),
        (ADMIN, naming("channel", 7, "556", &json!({"id": "556", "type": 2, "permissions": ADMIN.to_string()})), "I cannot post in"),
        (ADMIN, naming("channel", 7, "555", &json!({"id": "555", "type": 0, "permissions": "0"})), "You cannot see"),
        (ADMIN | 1 << 17, everyone, "I do not mention @everyone"),
        (manager(0).0, manager(0).1, "you lack Mention Everyone"),
        (manager(1 << 17).0, manager(1 << 17).1, "I lack Mention Everyone"),
        (ADMIN, channel_command("settings", &[json!({"name": "max_per_hour", "type": 4, "value": 61})]), "from 0 to 60"),
        (ADMIN, channel_command("subscribe", &[text("tokens", "NOSUCH")]), "I know no token NOSUCH"),
        (PLAIN, slash("subscribe", &[("tokens", &many.join(","))]), "At most 50 tokens"),
        (PLAIN, slash("subscribe", &[("tokens", &"A,".repeat(501))]), "longer than 1000 characters"),
        (PLAIN, slash("subscribe", &[("tokens", " ,, ")]), "Name at least one token"),
        (PLAIN, slash("subscribe", &[("tokens", "SOL BITCOIM")]), "Did you mean BTC (Bitcoin)?"),
        (PLAIN, slash("subscribe", &[("tokens", "SOL"), ("kind", "weekly")]), "weekly is not a kind"),
        (PLAIN, slash("subscribe", &[("tokens", "SOL"), ("delivery", "digest-yearly")]), "digest-yearly is not a delivery"),
        (PLAIN, slash("subscribe", &[("tokens", "SOL"), ("direction", "up")]), "up is not a direction"),
        (PLAIN, slash("unsubscribe", &[("tokens", "BTCC")]), "Did you mean BTC"),
        (PLAIN, slash("settings", &[("cooldown", "-1")]), "cooldown"),
        (PLAIN, slash("mute", &[("for", "2h")]), "2h is not a length"),
    ];
    let before = stored(&app.db.url).await;
    for (permissions, data, words) in cases {
        let said = app.on_server(permissions, data.clone()).await.replace(['`', '\\'], "");
        assert!(said.contains(words), "{data}: {said}");
        assert_eq!(stored(&app.db.url).await, before, "{data}");
    }
    // Nobody is told of anything that was refused.
    polls(&mut app, 1).await;
    assert_eq!(heard(&app), [""; 0]);
});

on_both!(what_cannot_be_read_is_answered_politely_and_changes_nothing, |db| async move {
    let mut app = TestApp::start(db).await;
    let before = stored(&app.db.url).await;
    let mut broken: Vec<Value> = [
        json!({"id": "1", "name": "subscribe", "type": 1, "options": "SOL"}),
        json!({"id": "1", "name": "subscribe", "type": 1, "options": [{"name": 7}]}),
        json!({"id": "1", "name": "launch", "type": 1}),
        json!({"id": "1", "name": "channel", "type": 1}),
        json!({"id": "1", "name": "channel", "type": 1, "options": [{"name": "erase", "type": 1}]}),
        json!({"id": "1", "name": "subscribe", "type": 2, "target_id": "5"}),
        json!(null),
    ]
    .into_iter()
    .map(|data| in_server(app.next_interaction(), ADMIN, data))
    .collect();
    let mut nobody = in_server(app.next_interaction(), ADMIN, slash("subscribe", &[("tokens", "SOL")]));
    nobody.as_object_mut().unwrap().remove("member");
    broken.push(nobody);
    for interaction in broken {
        let said = app.interact(&interaction).await;
        assert!(said.contains("could not read") || said.contains("understand"), "{interaction}: {said}");
        assert_eq!(stored(&app.db.url).await, before, "{interaction}");
        let lines = app.log.take_errors();
        assert!(lines.len() <= 1 && lines.iter().all(|line| line.contains("an interaction cannot be read")), "{interaction}: {lines:?}");
    }
});

on_both!(a_member_cannot_subscribe_beyond_two_hundred, |db| async move {
    let mut app = TestApp::start(db).await;
    let token = |n: i64| format!("('token-metrics', {}, 'T{n}', 'T{n}', 'T', 'T', NULL, NULL, FALSE, 0, 0, 0)", 10_000 + n);
    let tokens: Vec<_> = (0..201).map(token).collect();
    run_sql(&app.db.url, &format!("INSERT INTO tokens (source, token_id, symbol, symbol_key, name, name_key, market_rank, link, in_all, refreshes_out, first_seen_at, refreshed_at) VALUES {}", tokens.join(","))).await;
    let list = |from: usize, to: usize| (from..to).map(|n| format!("T{n}")).collect::<Vec<_>>().join(",");
    for from in [0, 50, 100, 150] {
        let said = app.on_server(PLAIN, slash("subscribe", &[("tokens", &list(from, from + 50))])).await;
        assert!(said.starts_with("Subscribed"), "{said}");
    }
    let before = stored(&app.db.url).await;
    let said = app.on_server(PLAIN, slash("subscribe", &[("tokens", "T200")])).await;
    assert!(said.contains("That would be 201 subscriptions, and at most 200 are possible here"), "{said}");
    assert_eq!(stored(&app.db.url).await, before);
});

on_both!(a_request_that_comes_again_is_carried_out_once, |db| async move {
    let mut app = TestApp::start(db).await;
    let first = in_server(app.next_interaction(), PLAIN, slash("subscribe", &[("tokens", "SOL")]));
    let refused = in_server(app.next_interaction(), PLAIN, channel_command("list", &[]));
    let test = in_server(app.next_interaction(), ADMIN, channel_command("test", &[]));
    assert!(app.interact(&first).await.starts_with("Subscribed"));
    assert!(app.interact(&refused).await.starts_with("That did not work"));
    assert!(app.interact(&test).await.starts_with("A test message"));
    app.on_server(PLAIN, slash("unsubscribe", &[("tokens", "SOL")])).await;
    let before = stored(&app.db.url).await;
    let mut app = app.restart().await;
    for again in [&first, &refused, &test] {
        assert_eq!(app.interact(again).await, "This was already done.");
    }
    assert_eq!(stored(&app.db.url).await, before);
    app.step().await;
    assert_eq!(heard(&app), ["channel: Test message"]);
});

on_both!(without_the_bot_in_the_server_members_are_served_by_direct_message, |db| async move {
    let mut app = TestApp::start(db).await;
    let mut typed = |data| {
        let mut interaction = in_server(app.next_interaction(), ADMIN, data);
        interaction["authorizing_integration_owners"] = json!({"1": MEMBER});
        interaction
    };
    let channel = typed(channel_command("subscribe", &[text("tokens", "SOL")]));
    let own = typed(slash("subscribe", &[("tokens", "SOL")]));
    let before = stored(&app.db.url).await;
    let said = app.interact(&channel).await;
    assert!(said.contains("I am not a member of this server") && said.contains("https://discord.com/oauth2/authorize"), "{said}");
    assert_eq!(stored(&app.db.url).await, before);
    app.source.set_daily(SOL, "2026-11-21", -1, -1);
    let said = app.interact(&own).await;
    assert!(said.contains("Alerts come to you by direct message."), "{said}");
    polls(&mut app, 1).await;
    app.source.set_daily(SOL, "2026-11-21", 1, 1);
    polls(&mut app, 1).await;
    assert_eq!(heard(&app), [format!("{}: SOL turned bullish", direct_channel(MEMBER))]);
});

on_both!(in_direct_messages_members_have_all_but_the_channel_commands, |db| async move {
    let mut app = TestApp::start(db).await;
    app.source.set_daily(SOL, "2026-11-21", -1, -1);
    let before = stored(&app.db.url).await;
    let said = app.in_direct_messages(channel_command("list", &[])).await;
    assert!(said.contains("This works only in a Discord server."), "{said}");
    assert_eq!(stored(&app.db.url).await, before);
    let said = app.in_direct_messages(slash("subscribe", &[("tokens", "sol")])).await;
    assert!(said.contains("Alerts come here."), "{said}");
    // The same person in a server: the same subscriptions.
    let said = app.on_server(PLAIN, slash("subscriptions", &[])).await;
    assert!(said.starts_with("You have 1 subscription\n"), "{said}");
    polls(&mut app, 1).await;
    app.source.set_daily(SOL, "2026-11-21", 1, 1);
    polls(&mut app, 1).await;
    assert_eq!(heard(&app), [format!("{}: SOL turned bullish", direct_channel(MEMBER))]);
});

on_both!(closed_direct_messages_are_said_at_once_and_the_subscription_is_kept, |db| async move {
    let mut app = TestApp::start(db).await;
    app.discord.refuse("POST /users/@me/channels", 1, 403, 50007);
    let said = app.on_server(PLAIN, slash("subscribe", &[("tokens", "SOL")])).await;
    assert_snapshot!(said, @r#"
    Subscribed to daily calls
    **Alerts cannot reach you yet:** Discord does not let me send you direct messages. The subscription is kept.
    To fix it: in a server that you share with me, open its menu, Privacy Settings, and allow direct messages; unblock me if you blocked me. Then type `/subscribe` again.
    **SOL (Solana)**: no call yet
    Alerts come to you by direct message.
    Daily calls are checked every 15 minutes; the first check begins as soon as the call budget allows.
    Automated data, not investment advice.
    "#);
    assert_eq!(rows(&app.db.url, "SELECT target FROM subscriptions").await, ["3988"]);
});

on_both!(lists_are_completed_as_they_are_typed, |db| async move {
    let mut app = TestApp::start(db).await;
    app.source.take_seen();
    let values = |choices: Vec<(String, String)>| choices.into_iter().map(|(_, value)| value).collect::<Vec<_>>();
    let typed = |command: &str, typed: &str| slash(command, &[("tokens", typed)]);
    assert_eq!(app.suggests(typed("subscribe", "sol")).await, [("SOL (Solana)".to_owned(), "SOL".to_owned())]);
    assert_eq!(values(app.suggests(typed("subscribe", "btc, $eth,x")).await), ["btc, $eth, XRP"]);
    assert_eq!(values(app.suggests(typed("subscribe", "")).await), ["all", "BTC", "ETH", "SOL", "XRP"]);
    assert_eq!(values(app.suggests(typed("subscribe", "btc,")).await), ["btc, ETH", "btc, SOL", "btc, XRP"]);
    assert_eq!(values(app.suggests(typed("subscribe", "bitc")).await), ["BTC"], "by name");
    assert_eq!(values(app.suggests(typed("subscribe", &"BTC,".repeat(25))).await), [""; 0], "no value is longer than 100 characters");
    assert_eq!(values(app.suggests(typed("unsubscribe", "")).await), ["all"], "nothing is subscribed yet");
    app.on_server(PLAIN, slash("subscribe", &[("tokens", "ETH,SOL")])).await;
    assert_eq!(values(app.suggests(typed("unsubscribe", "")).await), ["all", "ETH", "SOL"]);
    assert_eq!(values(app.suggests(typed("unsubscribe", "eth, s")).await), ["eth, SOL"]);
    // A channel's own, and only for those who may see them.
    app.on_server(ADMIN, channel_command("subscribe", &[text("tokens", "XRP")])).await;
    assert_eq!(values(app.suggests(channel_command("unsubscribe", &[text("tokens", "x")])).await), ["XRP"]);
    let plain = in_server(app.next_interaction(), PLAIN, channel_command("unsubscribe", &[text("tokens", "x")]));
    assert_eq!(app.enter(&interaction::autocomplete(plain)).await["data"]["choices"], json!([]));
    assert!(app.source.take_seen().iter().all(|seen| seen.endpoint != "tokens"), "suggestions never ask the source");
});

on_both!(an_admin_sets_up_two_channels_and_reads_about_them, |db| async move {
    let mut app = TestApp::start(db).await;
    app.source.set_daily(BTC, "2026-11-21", 1, 1);
    app.source.set_daily(SOL, "2026-11-21", 0, -1);
    app.discord.channel("600", json!({"name": "whales"}));
    let mut said = Vec::new();
    said.push(app.on_server(ADMIN, slash("help", &[])).await);
    said.push(app.on_server(ADMIN, channel_command("list", &[])).await);
    said.push(app.on_server(ADMIN, channel_command("subscribe", &[text("tokens", "all")])).await);
    polls(&mut app, 1).await;
    said.push(app.on_server(ADMIN, channel_command("unsubscribe", &[text("tokens", "SOL,XRP")])).await);
    let mut whales = naming("channel", 7, "600", &json!({"id": "600", "type": 0, "name": "whales", "permissions": ADMIN.to_string()}));
    whales["options"][0]["options"][0]["value"] = json!("btc sol");
    whales["options"][0]["options"]
        .as_array_mut()
        .unwrap()
        .extend([text("direction", "bearish"), json!({"name": "mention", "type": 8, "value": "77"})]);
    whales["resolved"]["roles"] = json!({"77": {"id": "77", "name": "traders", "mentionable": true}});
    said.push(app.on_server(ADMIN, whales).await);
    said.push(app.on_server(ADMIN, channel_command("list", &[])).await);
    said.push(app.on_server(ADMIN, channel_command("settings", &[json!({"name": "cooldown", "type": 4, "value": 90})])).await);
    said.push(app.on_server(ADMIN, channel_command("settings", &[])).await);
    said.push(app.on_server(ADMIN, channel_command("test", &[])).await);
    app.step().await;
    said.extend(
        app.discord_messages()
            .into_iter()
            .map(|(channel, text)| format!("in {}:\n{text}", if channel == HERE { "#alerts" } else { "another" })),
    );
    said.push(app.on_server(ADMIN, channel_command("unsubscribe", &[text("tokens", "all")])).await);
    said.push(app.on_server(ADMIN, channel_command("unsubscribe", &[text("tokens", "all")])).await);
    said.push(app.on_server(PLAIN, slash("status", &[])).await);
    // A poll begins up to 30 seconds late, each time otherwise.
    let said = said
        .join("\n\n")
        .split("next <t:")
        .enumerate()
        .map(|(at, part)| if at == 0 { part } else { part.trim_start_matches(|c: char| c.is_ascii_digit()) })
        .collect::<Vec<_>>()
        .join("next <t:…");
    assert_snapshot!(said, @r#"
    What I can do
    `/subscribe`: Get alerts when the call of a token turns
    `/unsubscribe`: End alerts for tokens, or for all
    `/subscriptions`: List what you are subscribed to
    `/signal`: Show the latest call of a token
    `/history`: Show how the call of a token changed
    `/why`: Show why an alert came, or why the last change of a token was not told to you
    `/settings`: Show or change how often and at which hours you are told
    `/mute`: Hold alerts for a while; at the end you are told what changed
    `/status`: Show what is polled, how often, and how delivery goes
    `/privacy`: Get all that is stored about you, or have it forgotten
    `/help`: Show what I can do
    `/channel subscribe`: Post alerts in a channel when the call of a token turns
    `/channel unsubscribe`: End alerts in a channel for tokens, or for all
    `/channel list`: List what channels are subscribed to
    `/channel settings`: Show or change how often and at which hours a channel is told
    `/channel mute`: Hold a channel's alerts for a while
    `/channel why`: Show why an alert came to a channel, or why the last change of a token did not
    `/channel test`: Post a test message in a channel
    Tokens are symbols or ids, separated by commas: `SOL,ETH,#3375`, or `all`.
    Automated data, not investment advice.

    This server has no subscriptions yet
    Begin with `/channel subscribe`.

    Subscribed to daily calls
    **all**: the first 100 tokens by market cap
    Alerts go to #alerts.
    Daily calls are checked every 15 minutes; the first check begins as soon as the call budget allows.
    Automated data, not investment advice.

    Unsubscribed
    Left out of all from now on: SOL, XRP

    Subscribed to daily calls, bearish only
    **BTC (Bitcoin)**: bullish since 21 Nov 2026
    **SOL (Solana)**: bearish since before 21 Nov 2026
    Alerts go to #whales.
    Each alert mentions the role.
    Daily calls are checked every 15 minutes; next <t:…:R>.
    Automated data, not investment advice.

    This server has 3 subscriptions
    **\#alerts**
    **daily**: all (the first 100 by market cap), without XRP, SOL
    **\#whales**
    **daily, bearish only, mentions a role**: BTC, SOL

    Settings of #alerts saved
    `max_per_hour` 10: at most 10 alert messages in any 60 minutes; what is beyond waits and comes as one summary.
    `cooldown` 90: after an alert the same token is quiet for 90 minutes, then the net change is told.
    `confirmation` 0: a turn is told as soon as it is seen.
    `timezone` UTC: there it is Sat 21 Nov 2026 06:16 now.
    The hours below go by UTC until you choose your zone, for example `/channel settings timezone:Europe/Berlin`.
    `quiet_hours` off: alerts come at any hour.
    `digest_time` mon 09:00: a daily digest comes at 09:00, next Sat 21 Nov 2026 09:00; a weekly one on Monday, next Mon 23 Nov 2026 09:00.
    `charts` off: alerts are words alone.
    `provenance` off: no line about polling and sending under alerts.

    Settings of #alerts
    `max_per_hour` 10: at most 10 alert messages in any 60 minutes; what is beyond waits and comes as one summary.
    `cooldown` 90: after an alert the same token is quiet for 90 minutes, then the net change is told.
    `confirmation` 0: a turn is told as soon as it is seen.
    `timezone` UTC: there it is Sat 21 Nov 2026 06:16 now.
    The hours below go by UTC until you choose your zone, for example `/channel settings timezone:Europe/Berlin`.
    `quiet_hours` off: alerts come at any hour.
    `digest_time` mon 09:00: a daily digest comes at 09:00, next Sat 21 Nov 2026 09:00; a weekly one on Monday, next Mon 23 Nov 2026 09:00.
    `charts` off: alerts are words alone.
    `provenance` off: no line about polling and sending under alerts.

    A test message is on its way to #alerts

    in #alerts:
    Test message
    Alerts for this channel arrive like this one. No call has changed.

    Unsubscribed
    Removed 1 subscription.

    Nothing to unsubscribe; nothing was changed

    Status
    **Daily**: checked every 15 minutes, 4 tokens; last <t:1795241760:R>; next <t:…:R>
    **Directory**: checked every 7 days, 4 tokens; last <t:1795240800:R>; next <t:…:R>
    **Fundamental**: checked as soon as somebody subscribes
    **Grade**: checked as soon as somebody subscribes
    **Hourly**: checked as soon as somebody subscribes
    **Levels**: checked as soon as somebody subscribes
    **Ranks**: checked every day, 100 tokens; last <t:1795240800:R>; next <t:…:R>
    API calls this month: 3, no limit set
    Delivery: 0 messages waiting, 0 alerts held, 0 undeliverable, 0 chats out of reach
    "#);
});

on_both!(a_call_that_nobody_follows_is_looked_up_and_leaves_no_trace, |db| async move {
    let mut app = TestApp::with(db, &[("TOKEN_METRICS_CALLS_PER_MONTH", "500")]).await;
    app.source.set_daily(SOL, "2026-11-20", 1, 1);
    app.source.set_daily(SOL, "2026-11-21", 0, 1);
    app.source.take_seen();
    assert_snapshot!(app.on_server(PLAIN, slash("signal", &[("token", "sol")])).await, @r#"
    SOL (Solana) daily: bullish since 20 Nov 2026
    Trader grade 26.48
    As of the call of 21 Nov 2026, seen <t:1795240800:R>
    Token Metrics has no price, no risk measures and no price scenarios for this token.
    https://app.tokenmetrics.com/en/solana
    "#);
    let calls = app.source.take_seen().into_iter().filter(|seen| seen.endpoint == "trading-signals").count();
    assert_eq!(calls, 1);
    app.on_server(PLAIN, slash("signal", &[("token", "sol")])).await;
    assert_eq!(app.source.take_seen().len(), 0, "shared for a quarter of an hour");
    assert_eq!(rows(&app.db.url, "SELECT CAST(token_id AS TEXT) FROM token_states").await, [""; 0]);
    // It turns before anybody subscribes: that is where the subscription begins, not news.
    app.source.set_daily(SOL, "2026-11-21", -1, -1);
    app.on_server(PLAIN, slash("subscribe", &[("tokens", "SOL")])).await;
    polls(&mut app, 2).await;
    assert_eq!(heard(&app), [""; 0]);
    let known = app.on_server(PLAIN, slash("signal", &[("token", "sol")])).await;
    assert!(known.contains("bearish since 21 Nov 2026"), "{known}");
    // Without a row, over the day's count, without an answer.
    let mut said = Vec::new();
    said.push(app.on_server(PLAIN, slash("signal", &[("token", "eth")])).await);
    app.source.set_hourly(BTC, "2026-11-21T06:00:00Z", 0, 1);
    said.push(app.on_server(PLAIN, slash("signal", &[("token", "btc"), ("kind", "hourly")])).await);
    said.push(app.on_server(PLAIN, slash("signal", &[("token", "xrp")])).await);
    assert_snapshot!(said.join("\n\n"), @r#"
    ETH (Ethereum) daily: no call yet
    Token Metrics has no call for this token at the moment.
    To be told of its next call, type `/subscribe ETH`.
    Token Metrics has no price, no risk measures and no price scenarios for this token.
    https://app.tokenmetrics.com/en/ethereum

    BTC (Bitcoin) hourly: bullish since before 21 Nov 2026 06:00 UTC
    As of the <t:1795240800:f> call, seen <t:1795242720:R>
    Token Metrics has no price, no risk measures and no price scenarios for this token.
    https://app.tokenmetrics.com/en/bitcoin

    XRP daily: the call is not known
    Nobody follows this token here, so its call would have to be looked up, and today's look-ups are used up.
    To be told of its next call, type `/subscribe XRP`.
    Token Metrics has no price, no risk measures and no price scenarios for this token.
    https://app.tokenmetrics.com/en/xrp
    "#);
});
