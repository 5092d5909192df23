//! `bellwether register`: registers commands where they differ from what is registered.

use super::{CommandResult, Failure, Settings, output};
use crate::{
    app::{discord_of, telegram_of},
    chat::discord::Registered,
    clock::{SharedClock, SystemClock},
    commands::{CATALOG, telegram_commands},
};
use std::{process::ExitCode, sync::Arc};

/// The settings of the two bots.
pub(super) const PLATFORM_SETTINGS: &[&str] =
    &["DISCORD_BOT_TOKEN", "DISCORD_APPLICATION_ID", "DISCORD_API_URL", "TELEGRAM_BOT_TOKEN", "TELEGRAM_API_URL", "BELLWETHER_ALLOW_HTTP"];

/// Registers on every platform that is configured.
pub(super) async fn run(settings: Settings) -> CommandResult {
    let config = settings.with(PLATFORM_SETTINGS)?;
    let clock: SharedClock = Arc::new(SystemClock);
    let (discord, telegram) = (discord_of(&config, &clock), telegram_of(&config, &clock));
    if discord.is_none() && telegram.is_none() {
        return Err(Failure::Other("there is nothing to register: set DISCORD_BOT_TOKEN or TELEGRAM_BOT_TOKEN".to_owned()));
    }
    if let Some(discord) = discord {
        let done = discord.register(CATALOG).await.map_err(|error| Failure::Other(format!("Discord: {}", error.explain())))?;
        output::result(match done {
            Registered::Changed => "Discord: the commands were registered",
            Registered::Unchanged => "Discord: the commands are registered as they are",
        });
    }
    if let Some(telegram) = telegram {
        let changed =
            telegram.register(&telegram_commands()).await.map_err(|error| Failure::Other(format!("Telegram: {}", error.explain())))?;
        if changed.is_empty() {
            output::result("Telegram: the command lists are registered as they are");
        } else {
            output::result(&format!("Telegram: these command lists were registered: {}", changed.join(", ")));
        }
    }
    Ok(ExitCode::SUCCESS)
}
