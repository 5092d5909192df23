//! A message of the bot as people name it: by its number, or by the link that a client copies.

use crate::domain::{Address, Platform};

/// The longest number that either platform gives.
const LONGEST: usize = 20;

/// Which message is meant. It says nothing about whether there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MessageReference {
    /// The chat, where the link names it and its number means nothing without (Telegram).
    chat: Option<Address>,
    /// What the platform calls it.
    pub(super) id: String,
}

impl MessageReference {
    /// Reads a number, `https://discord.com/channels/SERVER/CHANNEL/MESSAGE`, `https://t.me/c/CHAT/MESSAGE` or `https://t.me/NAME/MESSAGE`,
    /// the last two with a topic before the message or without.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if is_number(text) {
            return Some(Self { chat: None, id: text.to_owned() });
        }
        let link = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(text);
        let link = link.split_once(['?', '#']).map_or(link, |(link, _)| link);
        let parts: Vec<&str> = link.split('/').collect();
        let (chat, id) = match parts.as_slice() {
            [host, "channels", _, channel, id] if is_discord(host) && is_number(channel) => (None, *id),
            ["t.me" | "telegram.me", "c", chat, id] | ["t.me" | "telegram.me", "c", chat, _, id] if is_number(chat) => {
                (Some(Address::new(Platform::Telegram, format!("-100{chat}"))), *id)
            }
            ["t.me" | "telegram.me", name, id] | ["t.me" | "telegram.me", name, _, id] if *name != "c" => (None, *id),
            _ => return None,
        };
        is_number(id).then(|| Self { chat, id: id.to_owned() })
    }

    /// Whether a word is meant as a link to a message.
    pub(super) fn is_link(word: &str) -> bool {
        word.contains("://") || word.starts_with("t.me/")
    }

    /// Whether it may be one of this chat.
    pub(super) fn is_of(&self, chat: &Address) -> bool {
        self.chat.as_ref().is_none_or(|named| named.platform == chat.platform && named.chat == chat.chat)
    }
}

fn is_number(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_discord(host: &str) -> bool {
    matches!(host, "discord.com" | "ptb.discord.com" | "canary.discord.com" | "discordapp.com")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_links_name_a_message() {
        let telegram = Address::new(Platform::Telegram, "-1001234");
        for (text, id, is_there) in [
            ("1402330117453516999", "1402330117453516999", true),
            (" https://discord.com/channels/12/34/56 ", "56", true),
            ("https://ptb.discord.com/channels/@me/34/56", "56", true),
            ("https://t.me/c/1234/7", "7", true),
            ("t.me/c/1234/5/7?single", "7", true),
            ("https://t.me/c/1235/7", "7", false),
            ("https://t.me/news/7", "7", true),
        ] {
            let read = MessageReference::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((read.id.as_str(), read.is_of(&telegram)), (id, is_there), "{text}");
        }
        for bad in [
            "",
            "SOL",
            "-7",
            "7a",
            "123456789012345678901",
            "https://evil.example/channels/1/2/3",
            "https://discord.com/channels/1/2",
            "https://discord.com/channels/1/x/3",
            "https://t.me/c/12",
            "https://t.me/c/x/7",
            "https://t.me/news/",
            "https://t.me/news/7/8/9",
        ] {
            assert_eq!(MessageReference::parse(bad), None, "{bad}");
        }
    }
}
