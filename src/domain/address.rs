//! Where messages go and where commands come from. Addresses are opaque text here; each adapter reads its own.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A chat platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Platform {
    /// Discord.
    Discord,
    /// Telegram.
    Telegram,
    /// The terminal, which `demo` prints to.
    Console,
}

impl Platform {
    /// Every platform.
    pub const ALL: &'static [Self] = &[Self::Discord, Self::Telegram, Self::Console];

    /// The name in the database, in addresses, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Discord => "discord",
            Self::Telegram => "telegram",
            Self::Console => "console",
        }
    }

    /// Reads the name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|platform| platform.as_str() == name)
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}

/// One place that messages can be sent to.
///
/// Written `discord:CHANNEL_ID`, `discord:user:USER_ID`, `telegram:CHAT_ID` or `telegram:CHAT_ID/TOPIC`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Address {
    /// On which platform.
    pub platform: Platform,
    /// The chat: `CHANNEL_ID`, `user:USER_ID` (a direct message, whose channel is opened on demand) or `CHAT_ID`.
    pub chat: String,
    /// A topic within the chat (Telegram forums).
    pub topic: Option<String>,
}

impl Address {
    /// A chat without a topic.
    pub fn new(platform: Platform, chat: impl Into<String>) -> Self {
        Self { platform, chat: chat.into(), topic: None }
    }

    /// Someone's direct messages on Discord.
    pub fn discord_user(user: &UserId) -> Self {
        Self::new(Platform::Discord, format!("user:{user}"))
    }

    /// Whose direct messages these are, if they are (Discord).
    pub fn direct_user(&self) -> Option<UserId> {
        self.chat.strip_prefix("user:").map(|id| UserId(id.to_owned()))
    }

    /// Reads the written form; `None` where it is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let (platform, rest) = text.split_once(':')?;
        let platform = Platform::parse(platform)?;
        let is_id = |id: &str| !id.is_empty() && id.len() <= 20 && id.bytes().all(|b| b.is_ascii_digit());
        match platform {
            Platform::Discord => {
                let id = rest.strip_prefix("user:").unwrap_or(rest);
                is_id(id).then(|| Self::new(platform, rest))
            }
            Platform::Telegram => {
                let (chat, topic) = rest.split_once('/').map_or((rest, None), |(chat, topic)| (chat, Some(topic)));
                let is_chat = is_id(chat.strip_prefix('-').unwrap_or(chat));
                (is_chat && topic.is_none_or(is_id)).then(|| Self { platform, chat: chat.to_owned(), topic: topic.map(str::to_owned) })
            }
            Platform::Console => Some(Self::new(platform, rest)),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.platform, self.chat)?;
        match &self.topic {
            Some(topic) => write!(out, "/{topic}"),
            None => Ok(()),
        }
    }
}

/// A person, as their platform numbers them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(pub String);

impl fmt::Display for UserId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

/// What kind of place a destination is: decides who owns it and what applies to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Place {
    /// One person's direct messages or private chat.
    Person,
    /// A Telegram group or supergroup, or one topic of it.
    Group,
    /// A Discord channel or thread, or a Telegram channel.
    Channel,
}

impl Place {
    /// The word in the database.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Person => "person",
            Self::Group => "group",
            Self::Channel => "channel",
        }
    }

    /// The most subscriptions that it can have.
    pub const fn most_subscriptions(self) -> u32 {
        match self {
            Self::Person => 200,
            Self::Group | Self::Channel => 500,
        }
    }

    /// Reads the word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Person, Self::Group, Self::Channel].into_iter().find(|place| place.as_str() == word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn written_addresses_come_back_as_they_were() {
        for text in ["discord:123", "discord:user:9", "telegram:-1001", "telegram:-1001/42", "telegram:7"] {
            assert_eq!(Address::parse(text).map(|a| a.to_string()).as_deref(), Some(text));
        }
        for text in ["", "discord", "discord:", "discord:x", "telegram:--1", "telegram:1/", "slack:1", "discord:user:"] {
            assert_eq!(Address::parse(text), None, "{text}");
        }
    }
}
