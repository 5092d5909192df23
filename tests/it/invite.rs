//! `bellwether invite`, as an operator types it.

use crate::support::{
    fake_telegram::Fault,
    process::{Fakes, Installation},
};
use insta::assert_snapshot;
use serde_json::Value;

#[tokio::test]
async fn links_are_printed_for_what_is_configured() {
    let fakes = Fakes::start().await;
    let installation = Installation::new(&fakes, "sqlite://bellwether.db");
    let ended = installation.run(&["invite"]).await;
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    assert_snapshot!(ended.out, @"
    Discord server: https://discord.com/oauth2/authorize?client_id=1402318849203716096&scope=bot+applications.commands&permissions=274877926400
    Telegram private chat: https://t.me/bellwether_bot
    Telegram group: https://t.me/bellwether_bot?startgroup=true
    Telegram channel: https://t.me/bellwether_bot?startchannel&admin=post_messages
    ");
    assert!(!installation.folder.path().join("bellwether.db").exists(), "it needs no database");
}

#[tokio::test]
async fn what_is_missing_is_said_with_the_fix() {
    let fakes = Fakes::start().await;
    let installation = Installation::new(&fakes, "sqlite://bellwether.db");
    installation.fill("TOKEN_METRICS_API_KEY", "");
    fakes.telegram.fault("getMe", None, Fault::Refuse(401, "Unauthorized", Value::Null));
    let ended = installation.run(&["invite"]).await;
    assert_eq!(ended.code, Some(0), "one platform's links were printed: {ended:?}");
    assert!(ended.out.starts_with("Discord server: https://") && ended.out.lines().count() == 1, "{ended:?}");
    assert_snapshot!(ended.err, @r#"Telegram: no links, the bot's name could not be asked: Telegram answers 401: "Unauthorized"; `bellwether check` says what to mend"#);
    let nothing = Installation::empty().run(&["invite"]).await;
    assert_eq!((nothing.code, nothing.out.as_str()), (Some(1), ""));
    assert_snapshot!(nothing.err, @"
    Discord: no link, it is off; set DISCORD_BOT_TOKEN and DISCORD_APPLICATION_ID
    Telegram: no links, it is off; set TELEGRAM_BOT_TOKEN
    ");
}
