//! A message of the bot as people name it: by its number, or by the link that a client copies.

use crate::domain::{Address, Platform};

/// The longest number that either platform gives.
const LONGEST: usize = 20;

/// Which message is meant. It says nothing about whether there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MessageReference {
    /// Telegram numbers messages by chat.
    chat: Named,
    /// What the platform calls it.
    pub(super) id: String,
}

/// Which chat a message is said to be in.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Named {
    /// That in which it is asked, whichever that is.
    Here,
    /// This one.
    Chat(Address),
    /// The one of this public name (Telegram).
    Public(String),
}

impl MessageReference {
    /// Reads a number, `https://discord.com/channels/SERVER/CHANNEL/MESSAGE`, `https://t.me/c/CHAT/MESSAGE` or `https://t.me/NAME/MESSAGE`,
    /// the last two with a topic before the message or without.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if is_number(text) {
            return Some(Self { chat: Named::Here, id: text.to_owned() });
        }
        let link = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or(text);
        let link = link.split_once(['?', '#']).map_or(link, |(link, _)| link);
        let parts: Vec<&str> = link.split('/').collect();
        let (chat, id) = match parts.as_slice() {
            [host, "channels", _, channel, id] if is_discord(host) && is_number(channel) => (Named::Here, *id),
            ["t.me" | "telegram.me", "c", chat, id] | ["t.me" | "telegram.me", "c", chat, _, id] if is_number(chat) => {
                (Named::Chat(Address::new(Platform::Telegram, format!("-100{chat}"))), *id)
            }
            ["t.me" | "telegram.me", name, id] | ["t.me" | "telegram.me", name, _, id] if *name != "c" => {
                (Named::Public((*name).to_owned()), *id)
            }
            _ => return None,
        };
        is_number(id).then(|| Self { chat, id: id.to_owned() })
    }

    /// Whether a word is meant as a link to a message.
    pub(super) fn is_link(word: &str) -> bool {
        word.contains("://") || word.starts_with("t.me/")
    }

    /// Whether it may be one of this chat, which was `called` so, if it was: nothing else says which public name is whose.
    pub(super) fn is_of(&self, chat: &Address, called: Option<&str>) -> bool {
        match &self.chat {
            Named::Here => true,
            Named::Chat(named) => named.platform == chat.platform && named.chat == chat.chat,
            Named::Public(name) => {
                let is_it = |called: &str| called.strip_prefix('@').is_some_and(|called| called.eq_ignore_ascii_case(name));
                chat.platform == Platform::Telegram && called.is_some_and(is_it)
            }
        }
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
    fn a_public_name_is_that_of_the_chat_that_was_called_so() {
        let read = MessageReference::parse("https://t.me/News/7").unwrap();
        let telegram = Address::new(Platform::Telegram, "-1001234");
        for (called, is_there) in [("@news", true), ("@News", true), ("@new", false), ("news", false), ("-1001234", false)] {
            assert_eq!(read.is_of(&telegram, Some(called)), is_there, "{called}");
        }
        assert!(!read.is_of(&Address::new(Platform::Discord, "34"), Some("@news")));
    }

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
            ("https://t.me/news/7", "7", false),
            ("https://t.me/news/5/7", "7", false),
        ] {
            let read = MessageReference::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!((read.id.as_str(), read.is_of(&telegram, None)), (id, is_there), "{text}");
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
