//! `bellwether invite`: the links that install the bot, a line each. What is missing is told on stderr.

use super::{CommandResult, Settings, output, register};
use crate::{
    app::telegram_of,
    chat::{discord::invite_link, telegram::Telegram},
    clock::{SharedClock, SystemClock},
};
use std::{process::ExitCode, sync::Arc};

pub(super) async fn run(settings: Settings) -> CommandResult {
    let config = settings.with(register::PLATFORM_SETTINGS)?;
    let clock: SharedClock = Arc::new(SystemClock);
    let mut printed = false;
    match &config.discord {
        Some(discord) => {
            output::result(&format!("Discord server: {}", invite_link(discord.application_id)));
            printed = true;
        }
        None => output::error("Discord: no link, it is off; set DISCORD_BOT_TOKEN and DISCORD_APPLICATION_ID"),
    }
    match telegram_of(&config, &clock) {
        Some(telegram) => printed |= telegram_links(&telegram).await,
        None => output::error("Telegram: no links, it is off; set TELEGRAM_BOT_TOKEN"),
    }
    Ok(if printed { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The links carry the bot's name, which Telegram alone knows.
async fn telegram_links(telegram: &Telegram) -> bool {
    match telegram.me().await {
        Ok(me) => {
            output::result(&format!("Telegram private chat: {}", me.chat_link()));
            output::result(&format!("Telegram group: {}", me.group_link()));
            output::result(&format!("Telegram channel: {}", me.channel_link()));
            true
        }
        Err(error) => {
            output::error(&format!("Telegram: no links, the bot's name could not be asked: {error}; `bellwether check` says what to mend"));
            false
        }
    }
}
