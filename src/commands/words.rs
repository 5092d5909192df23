//! Free words after a command, as on Telegram, become its options: in any order, keywords before symbols (`rules.md` 5.1). What the options
//! mean is judged by the command itself, so that nothing is dropped here: what fits nowhere stands under `words`.

use super::{Command, message_reference::MessageReference};
use crate::domain::{Delivery, Direction, Kind};
use std::collections::BTreeMap;

/// The options that `text` spells for `command`.
pub fn parse(command: Command, text: &str) -> BTreeMap<String, String> {
    let mut options = Options::default();
    match command {
        Command::Subscribe | Command::ChannelSubscribe => {
            let (lines, others): (Vec<_>, Vec<_>) = items(text).partition(|item| item.contains(':'));
            options.tokens(&others.join(" "), "tokens");
            lines.into_iter().for_each(|line| options.add("threshold", line));
        }
        Command::Unsubscribe | Command::ChannelUnsubscribe => options.tokens(text, "tokens"),
        Command::Signal | Command::History => options.tokens(text, "token"),
        Command::Why | Command::ChannelWhy => {
            let (links, others): (Vec<_>, Vec<_>) = items(text).partition(|item| MessageReference::is_link(item));
            options.tokens(&others.join(" "), "token");
            links.into_iter().for_each(|link| options.add("message", link));
        }
        Command::Settings | Command::ChannelSettings => options.assignments(text),
        Command::Mute | Command::ChannelMute => options.mute(text),
        Command::Privacy => options.first_as("action", text),
        Command::Subscriptions | Command::Status | Command::Help | Command::ChannelList | Command::ChannelTest => options.left_over(text),
    }
    options.0
}

/// Commas and spaces separate.
fn items(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| letter == ',' || letter.is_whitespace()).filter(|item| !item.is_empty())
}

/// Without white space around a sign.
fn tight(text: &str, sign: char) -> String {
    text.split(sign).map(str::trim).collect::<Vec<_>>().join(sign.encode_utf8(&mut [0; 4]))
}

#[derive(Default)]
struct Options(BTreeMap<String, String>);

impl Options {
    /// One more value of an option: several stand in a row, so that the command sees a contradiction and can refuse it.
    fn add(&mut self, name: &str, value: &str) {
        let values = self.0.entry(name.to_owned()).or_default();
        if values.split(',').any(|known| known == value) {
            return;
        }
        if !values.is_empty() {
            values.push(',');
        }
        values.push_str(value);
    }

    fn tokens(&mut self, text: &str, name: &str) {
        for item in items(text) {
            if let Some(kind) = Kind::parse(item) {
                self.add("kind", kind.as_str());
            } else if let Some(direction) = Direction::parse(item) {
                self.add("direction", direction.as_str());
            } else if let Some(delivery) = Delivery::parse(item) {
                self.add("delivery", delivery.as_str());
            } else if item.eq_ignore_ascii_case("all") {
                self.add(name, "all");
            } else {
                self.add(name, item);
            }
        }
    }

    /// `name=value …`; white space around the sign does not matter, nor in `22:00 - 07:00`, `daily, hourly` and `mon 09:00`.
    fn assignments(&mut self, text: &str) {
        let joined = tight(&tight(text, '='), '-');
        let mut last: Option<(String, bool)> = None;
        for item in joined.split_whitespace() {
            let goes_on = item.ends_with(',');
            let value = item.trim_end_matches(',');
            match (item.split_once('='), &last) {
                (Some((name, _)), _) if !name.is_empty() => {
                    let name = name.to_ascii_lowercase().replace('-', "_");
                    self.add(&name, value.split_once('=').unwrap_or_default().1);
                    last = Some((name, goes_on));
                }
                (None, Some((name, is_list))) if *is_list || (name == "digest_time" && item.contains(':')) => {
                    let name = name.clone();
                    self.add(&name, value);
                    last = Some((name, goes_on));
                }
                _ => self.left_over(item),
            }
        }
    }

    fn mute(&mut self, text: &str) {
        for item in items(text) {
            let is_length =
                item.strip_suffix(['h', 'H', 'd', 'D', 'm', 'M']).is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
            if is_length || item.eq_ignore_ascii_case("off") {
                self.add("for", &item.to_ascii_lowercase());
            } else {
                self.add("token", item);
            }
        }
    }

    fn first_as(&mut self, name: &str, text: &str) {
        let mut items = items(text);
        if let Some(first) = items.next() {
            self.add(name, &first.to_ascii_lowercase());
        }
        for item in items {
            self.left_over(item);
        }
    }

    fn left_over(&mut self, text: &str) {
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if !words.is_empty() {
            let before = self.0.remove("words").map(|before| before + " ").unwrap_or_default();
            self.0.insert("words".to_owned(), before + &words);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(command: Command, text: &str) -> String {
        let options: Vec<_> = parse(command, text).into_iter().map(|(name, value)| format!("{name}={value}")).collect();
        options.join(" ")
    }

    #[test]
    fn words_come_in_any_order_and_keywords_win() {
        for text in ["SOL,ETH hourly bullish instant", "instant Bullish HOURLY SOL, ETH", " SOL\tbullish ,, ETH  hourly instant "] {
            assert_eq!(said(Command::Subscribe, text), "delivery=instant direction=bullish kind=hourly tokens=SOL,ETH", "{text}");
        }
        assert_eq!(said(Command::Subscribe, "$sol #3375 digest-daily"), "delivery=digest-daily tokens=$sol,#3375");
        assert_eq!(said(Command::Subscribe, "above:70 SOL grade"), "kind=grade threshold=above:70 tokens=SOL");
        assert_eq!(said(Command::Unsubscribe, "ALL daily"), "kind=daily tokens=all");
        assert_eq!(said(Command::ChannelSubscribe, "any all"), "direction=any tokens=all");
        assert_eq!(said(Command::Subscribe, ""), "");
    }

    #[test]
    fn a_contradiction_reaches_the_command() {
        assert_eq!(said(Command::Subscribe, "SOL hourly daily hourly"), "kind=hourly,daily tokens=SOL");
        assert_eq!(said(Command::Subscribe, "SOL SOL all"), "tokens=SOL,all");
    }

    #[test]
    fn one_token_and_a_kind() {
        assert_eq!(said(Command::Signal, "SOL hourly"), "kind=hourly token=SOL");
        assert_eq!(said(Command::History, "#1"), "token=#1");
        assert_eq!(said(Command::Why, "https://t.me/c/1234/7 SOL"), "message=https://t.me/c/1234/7 token=SOL");
    }

    #[test]
    fn settings_are_names_with_values() {
        assert_eq!(said(Command::Settings, "max_per_hour=5 Cool-Down = 30"), "cool_down=30 max_per_hour=5");
        assert_eq!(said(Command::ChannelSettings, "quiet_hours=22:00-07:00 please now"), "quiet_hours=22:00-07:00 words=please now");
        assert_eq!(said(Command::Settings, "max_per_hour=5, =3"), "max_per_hour=5,=3");
        assert_eq!(said(Command::Settings, "=3"), "words==3");
        assert_eq!(
            said(Command::Settings, "quiet_hours = 22:00 - 07:00 digest_time=Mon 09:00 quiet_bypass=daily, hourly cooldown=5"),
            "cooldown=5 digest_time=Mon,09:00 quiet_bypass=daily,hourly quiet_hours=22:00-07:00"
        );
        assert_eq!(said(Command::Settings, "digest_time=09:00 now"), "digest_time=09:00 words=now");
    }

    #[test]
    fn what_fits_nowhere_is_kept() {
        assert_eq!(said(Command::Mute, "8h SOL"), "for=8h token=SOL");
        assert_eq!(said(Command::Mute, "OFF"), "for=off");
        assert_eq!(said(Command::Privacy, "Export now"), "action=export words=now");
        assert_eq!(said(Command::Status, " a  b "), "words=a b");
    }
}
