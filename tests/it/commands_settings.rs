//! `/settings` and `/channel settings`, as people type and read them.

use crate::support::{
    app::TestApp,
    audience::text,
    commands::{Office, With, alerts_channel, private, rows, server},
    database::on_both,
    fake_discord::interaction::{ADMIN, slash, subcommand},
};
use bellwether::{
    commands::{CATALOG, Command, Request, Standing},
    domain::Settings,
};
use insta::assert_snapshot;
use serde_json::json;

const PERSON: i64 = 501;

fn channel() -> Request {
    server(Command::ChannelSettings, Standing::Admin).in_channel(alerts_channel())
}

on_both!(settings_are_said_in_words_by_the_clock_that_was_chosen, |db| async move {
    let mut app = TestApp::start(db).await;
    let typed = "/settings timezone=berlin quiet_hours = 22:00 - 07:00 quiet_bypass=hourly digest_time=sun 18:30 cooldown=90";
    assert_snapshot!(app.say(PERSON, PERSON, typed).await, @"
    ✅ Settings saved
    max_per_hour 10: at most 10 alert messages in any 60 minutes; what is beyond waits and comes as one summary.
    cooldown 90: after an alert the same token is quiet for 90 minutes, then the net change is told.
    confirmation 0: a turn is told as soon as it is seen.
    timezone Europe/Berlin: there it is Sat 21 Nov 2026 07:00 now.
    quiet_hours 22:00-07:00: alerts in between are held, and come as one summary at the end.
    quiet_bypass hourly: these alerts come in quiet hours too.
    digest_time sun 18:30: a daily digest comes at 18:30, next Sat 21 Nov 2026 18:30; a weekly one on Sunday, next Sun 22 Nov 2026 18:30.
    charts off: alerts are words alone.
    provenance off: no line about polling and sending under alerts.
    ");
    assert_eq!(
        app.say(PERSON, PERSON, "/settings").await.replacen("Settings", "✅ Settings saved", 1),
        app.say(PERSON, PERSON, typed).await
    );
    let options = json!([text("timezone", "Asia/Kolkata"), text("quiet_hours", "9:00-17:00"), text("digest_time", "fri 08:00")]);
    assert_snapshot!(app.on_server(ADMIN, subcommand("channel", "settings", options)).await, @"
    Settings of #alerts saved
    `max_per_hour` 10: at most 10 alert messages in any 60 minutes; what is beyond waits and comes as one summary.
    `cooldown` 0: no pause between two alerts for the same token.
    `confirmation` 0: a turn is told as soon as it is seen.
    `timezone` Asia/Kolkata: there it is Sat 21 Nov 2026 11:30 now.
    `quiet_hours` 09:00-17:00: alerts in between are held, and come as one summary at the end.
    `quiet_bypass` none: quiet hours hold every kind of alert.
    **It is quiet now**, until Sat 21 Nov 2026 17:00.
    `digest_time` fri 08:00: a daily digest comes at 08:00, next Sun 22 Nov 2026 08:00; a weekly one on Friday, next Fri 27 Nov 2026 08:00.
    `charts` off: alerts are words alone.
    `provenance` off: no line about polling and sending under alerts.
    ");
    let said = app.in_direct_messages(slash("settings", &[("quiet_hours", "off"), ("quiet_bypass", "none")])).await;
    assert!(said.contains("`quiet_hours` off: alerts come at any hour."), "{said}");
});

on_both!(what_is_not_named_stays_and_a_channel_has_its_change_in_the_audit, |db| async move {
    let office = Office::open(db).await;
    office.types(&channel().with("timezone", "Europe/Berlin").with("quiet_hours", "22:00-07:00")).await;
    office.types(&channel().with("digest_time", "08:00").with("max_per_hour", "3")).await;
    let stored = office.store().destination_at(&alerts_channel().address).await.unwrap().unwrap().settings;
    let expected =
        r#"{"max_per_hour":3,"cooldown_minutes":0,"timezone":"Europe/Berlin","quiet_hours":"22:00-07:00","digest_time":"mon 08:00"}"#;
    assert_eq!(stored, serde_json::from_str::<Settings>(expected).unwrap());
    let audit = rows(&office.db.url, "SELECT actor, before, after FROM audit WHERE action = 'channel settings' ORDER BY id").await;
    assert_eq!(
        audit,
        [
            r#"7|{"max_per_hour":10,"cooldown_minutes":0}|{"max_per_hour":10,"cooldown_minutes":0,"timezone":"Europe/Berlin","quiet_hours":"22:00-07:00"}"#.to_owned(),
            format!(r#"7|{{"max_per_hour":10,"cooldown_minutes":0,"timezone":"Europe/Berlin","quiet_hours":"22:00-07:00"}}|{expected}"#),
        ]
    );
});

on_both!(every_wrong_setting_is_refused_with_a_right_one, |db| async move {
    let office = Office::open(db).await;
    let mut said = Vec::new();
    for (name, value) in [
        ("timezone", "Mars"),
        ("timezone", "york"),
        ("timezone", "GMT+2"),
        ("quiet_hours", "22-7"),
        ("quiet_hours", "22:00-22:00"),
        ("quiet_hours", "25:00-07:00"),
        ("quiet_bypass", "weekly"),
        ("quiet_bypass", "weekly"),
        ("digest_time", "9"),
        ("digest_time", "noday 09:00"),
        ("max_per_hour", "many"),
    ] {
        said.push(format!("> {name}:{value}\n{}", office.is_refused(&channel().with(name, value)).await));
    }
    assert_snapshot!(said.join("\n\n"), @"
    > timezone:Mars
    That did not work; nothing was changed
    Mars is not a time zone. Give one by its IANA name, such as Europe/Berlin, America/New_York or Asia/Kolkata.
    For example: /channel settings timezone:Europe/Berlin

    > timezone:york
    That did not work; nothing was changed
    york is not a time zone. Give one by its IANA name, such as Europe/Berlin, America/New_York or Asia/Kolkata. Did you mean America/New_York?
    For example: /channel settings timezone:Europe/Berlin

    > timezone:GMT+2
    That did not work; nothing was changed
    GMT+2 is not a time zone. Give one by its IANA name, such as Europe/Berlin, America/New_York or Asia/Kolkata.
    For example: /channel settings timezone:Europe/Berlin

    > quiet_hours:22-7
    That did not work; nothing was changed
    22-7 does not say quiet hours: give two different times from 00:00 to 23:59, or off.
    For example: /channel settings quiet_hours:22:00-07:00

    > quiet_hours:22:00-22:00
    That did not work; nothing was changed
    22:00-22:00 does not say quiet hours: give two different times from 00:00 to 23:59, or off.
    For example: /channel settings quiet_hours:22:00-07:00

    > quiet_hours:25:00-07:00
    That did not work; nothing was changed
    25:00-07:00 does not say quiet hours: give two different times from 00:00 to 23:59, or off.
    For example: /channel settings quiet_hours:22:00-07:00

    > quiet_bypass:weekly
    That did not work; nothing was changed
    weekly is not a kind. Choose one of: daily, hourly, grade, fundamental, levels.
    For example: /channel settings quiet_bypass:hourly

    > quiet_bypass:weekly
    That did not work; nothing was changed
    weekly is not a kind. Choose one of: daily, hourly, grade, fundamental, levels.
    For example: /channel settings quiet_bypass:hourly

    > digest_time:9
    That did not work; nothing was changed
    9 is not a time for digests: give a time from 00:00 to 23:59. A day before it is that of the weekly digest, as in mon 09:00.
    For example: /channel settings digest_time:09:00

    > digest_time:noday 09:00
    That did not work; nothing was changed
    noday 09:00 is not a time for digests: give a time from 00:00 to 23:59. A day before it is that of the weekly digest, as in mon 09:00.
    For example: /channel settings digest_time:09:00

    > max_per_hour:many
    That did not work; nothing was changed
    many does not fit max_per_hour: give a whole number from 0 to 60.
    For example: /channel settings max_per_hour:5
    ");
    let registered = CATALOG.iter().find(|spec| spec.command == Some(Command::Settings)).unwrap();
    for option in registered.options {
        let said = office.is_refused(&channel().with(option.name, "?")).await;
        assert!(!said.contains("is not a setting"), "what is offered is read: {said}");
    }
    let said = office.is_refused(&private(Command::Settings).with("timezone", "Mars").with("cooldown", "5")).await;
    assert!(said.contains("/settings timezone=Europe/Berlin"), "{said}");
});

on_both!(zones_are_completed_with_what_their_clocks_show, |db| async move {
    let mut app = TestApp::start(db).await;
    let typing = |typed: &str| subcommand("channel", "settings", json!([{"name": "timezone", "type": 3, "value": typed, "focused": true}]));
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(app.suggests(typing("berl")).await, [pair("Europe/Berlin (Sat 07:00)", "Europe/Berlin")]);
    assert_eq!(app.suggests(typing("new y")).await[0], pair("America/New_York (Sat 01:00)", "America/New_York"));
    assert_eq!(app.suggests(typing("")).await[0], pair("UTC (Sat 06:00)", "UTC"));
    assert_eq!(app.suggests(typing("america")).await.len(), 25);
    assert_eq!(app.suggests(typing("mars")).await, []);
});
