//! A channel that is set up from a private chat (`rules.md` 5.9): which one was named, what Telegram says of it, of whoever asks, and of
//! the bot itself there. What follows from it is the desk's business.

use super::{
    Me, Telegram,
    api::{ApiError, CALL_TIMEOUT},
    wire::{Chat, Member},
};
use crate::{
    commands::{ChannelFacts, ChannelProblem, Command, Standing, command_named},
    domain::{Address, Platform, clean_name},
};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// `/channel @name subscribe SOL`, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Typed<'a> {
    /// `@name`, or the number of a private channel.
    pub(super) channel: &'a str,
    pub(super) command: Command,
    /// What follows.
    pub(super) rest: &'a str,
}

/// The channel first, then what to do, or the other way round; nothing where either is missing.
pub(super) fn typed(text: &str) -> Option<Typed<'_>> {
    let (first, rest) = word(text);
    let (second, rest) = word(rest);
    let (channel, name) = if is_channel(first) { (first, second) } else { (second, first) };
    let command = command_named(&format!("channel {}", name.to_ascii_lowercase()))?;
    is_channel(channel).then_some(Typed { channel, command, rest })
}

fn word(text: &str) -> (&str, &str) {
    text.trim_start().split_once(char::is_whitespace).unwrap_or((text.trim_start(), ""))
}

/// Channels have names of 4 to 32 letters, or numbers that begin with -100.
fn is_channel(word: &str) -> bool {
    let is_name = |name: &str| (4..=32).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    let is_number = |digits: &str| (1..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    word.strip_prefix('@').is_some_and(is_name) || word.strip_prefix("-100").is_some_and(is_number)
}

/// What a person may do in the channel, and what is known of it. Before that person is known to manage it, it is called what they called it.
pub(super) async fn facts(telegram: &Telegram, me: &Me, named: &str, user: i64) -> (Standing, ChannelFacts) {
    let unknown =
        |problem| ChannelFacts { address: Address::new(Platform::Telegram, named), label: named.to_owned(), problem: Some(problem) };
    let reference = named.parse::<i64>().map_or_else(|_| json!(named), Value::from);
    let chat: Chat = match ask(telegram, "getChat", json!({ "chat_id": reference })).await {
        Ok(chat) => chat,
        Err(error) => return (Standing::Unknown, unknown(not_seen(&error))),
    };
    if chat.kind != "channel" {
        return (Standing::Unknown, unknown(ChannelProblem::WrongKind));
    }
    let bot = match member(telegram, chat.id, me.id).await {
        Ok(bot) if bot.is_admin() => bot,
        Ok(_) => return (Standing::Unknown, unknown(ChannelProblem::BotAbsent)),
        Err(error) => return (Standing::Unknown, unknown(not_seen(&error))),
    };
    let standing = match member(telegram, chat.id, user).await {
        Ok(member) if member.is_admin() => Standing::Admin,
        Ok(_) => Standing::Member,
        Err(error) => {
            tracing::warn!(chat = chat.id, %error, "Telegram does not say who administers a channel");
            Standing::Unknown
        }
    };
    let title = clean_name(chat.title.as_deref().unwrap_or_default());
    let facts = ChannelFacts {
        address: Address::new(Platform::Telegram, chat.id.to_string()),
        label: if title.is_empty() { named.to_owned() } else { title },
        problem: (!bot.may_post()).then(|| ChannelProblem::Missing(vec!["Post Messages"])),
    };
    (standing, facts)
}

async fn member(telegram: &Telegram, chat: i64, user: i64) -> Result<Member, ApiError> {
    ask(telegram, "getChatMember", json!({ "chat_id": chat, "user_id": user })).await
}

async fn ask<T: DeserializeOwned>(telegram: &Telegram, method: &str, parameters: Value) -> Result<T, ApiError> {
    let result = telegram.api().call(method, &parameters, CALL_TIMEOUT).await?;
    serde_json::from_value(result).map_err(|error| ApiError::Unreadable { raw: error.to_string(), message_id: None })
}

/// Why the bot sees nothing of a channel.
fn not_seen(error: &ApiError) -> ChannelProblem {
    match error {
        ApiError::Refused { code: 403, .. } => ChannelProblem::BotAbsent,
        ApiError::Refused { code: 400, description, .. } if description.to_lowercase().contains("not found") => ChannelProblem::NotHere,
        // Only members see who is in a channel.
        ApiError::Refused { code: 400, .. } => ChannelProblem::BotAbsent,
        error => {
            tracing::warn!(%error, "Telegram does not say what the bot may do in a channel");
            ChannelProblem::Unknown
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_channel_and_what_to_do_come_in_either_order() {
        let expected = |rest| Some(Typed { channel: "@news", command: Command::ChannelSubscribe, rest });
        assert_eq!(typed("@news subscribe SOL,ETH hourly"), expected("SOL,ETH hourly"));
        assert_eq!(typed("  Subscribe\t@news  SOL"), expected(" SOL"));
        assert_eq!(typed("@news subscribe"), expected(""));
        let number = typed("-1001234567890 list").unwrap();
        assert_eq!((number.channel, number.command), ("-1001234567890", Command::ChannelList));
        for bad in
            ["", "@news", "subscribe SOL", "@news nonsense SOL", "@a list", "-5 list", "@news;x list", "-100 list", "news list", "list"]
        {
            assert_eq!(typed(bad), None, "{bad}");
        }
    }
}
