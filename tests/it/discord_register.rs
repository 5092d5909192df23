//! Commands are written to Discord only when they differ; what `check` asks.

use crate::support::fake_discord::{APPLICATION, FakeDiscord, TOKEN, door::bot, interaction};
use bellwether::{
    chat::discord::{ApiError, Registered},
    clock::ManualClock,
    commands::{CommandSpec, OptionKind, OptionSpec, Scope},
    domain::Timestamp,
};
use std::sync::Arc;

const TOKENS: OptionSpec =
    OptionSpec { name: "tokens", description: "Symbols such as SOL, ETH", kind: OptionKind::Text, required: true, autocomplete: true };
const OPTIONS: &[OptionSpec] = &[
    TOKENS,
    OptionSpec {
        name: "kind",
        description: "Which signal",
        kind: OptionKind::Choice(&["daily", "hourly", "grade", "fundamental"]),
        required: false,
        autocomplete: false,
    },
    OptionSpec { name: "channel", description: "Where", kind: OptionKind::Channel, required: false, autocomplete: false },
    OptionSpec { name: "mention", description: "Whom", kind: OptionKind::Role, required: false, autocomplete: false },
    OptionSpec {
        name: "max",
        description: "How many",
        kind: OptionKind::Integer { min: 0, max: 60 },
        required: false,
        autocomplete: false,
    },
];
const SUBSCRIBE: CommandSpec = CommandSpec {
    name: "subscribe",
    description: "Alerts for you",
    options: OPTIONS,
    subcommands: &[],
    scope: Scope::Everywhere,
    command: None,
};
const CATALOG: &[CommandSpec] = &[
    SUBSCRIBE,
    CommandSpec {
        name: "channel",
        description: "For a channel",
        options: &[],
        subcommands: &[SUBSCRIBE],
        scope: Scope::ChannelAdmins,
        command: None,
    },
];

async fn fake() -> (FakeDiscord, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_795_255_200)));
    (FakeDiscord::start(clock.clone()).await, clock)
}

#[tokio::test]
async fn commands_are_written_once_and_again_when_they_differ() {
    let (fake, clock) = fake().await;
    let discord = bot(&fake, clock, TOKEN, &interaction::public_key());
    assert!(!discord.is_registered(CATALOG).await.unwrap());
    assert_eq!(discord.register(CATALOG).await, Ok(Registered::Changed));
    assert_eq!(discord.register(CATALOG).await, Ok(Registered::Unchanged));
    assert!(discord.is_registered(CATALOG).await.unwrap());
    assert_eq!(fake.command_writes(), 1);
    assert_eq!(discord.register(&CATALOG[..1]).await, Ok(Registered::Changed));
    assert_eq!(fake.commands().len(), 1);
    assert_eq!(fake.command_writes(), 2);
}

#[tokio::test]
async fn the_application_and_the_bot_tell_who_they_are() {
    let (fake, clock) = fake().await;
    let discord = bot(&fake, clock.clone(), TOKEN, &interaction::public_key());
    let application = discord.application().await.unwrap();
    assert_eq!((application.name.as_str(), application.endpoint()), ("Alert Bot", None));
    assert_eq!(application.verify_key, interaction::public_key());
    assert_eq!(discord.me().await.unwrap().id, APPLICATION.to_string());
    let wrong = bot(&fake, clock, "wrong-token-secret", &interaction::public_key());
    let error = wrong.me().await.unwrap_err();
    assert!(matches!(error, ApiError::Refused { status: 401, .. }));
    assert!(!format!("{error} {error:?} {wrong:?}").contains("secret"));
}
