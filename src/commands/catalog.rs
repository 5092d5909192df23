//! THE table of commands: what is registered on Discord, listed on Telegram, shown by `/help` and offered as choices.
//!
//! Only what works is in it.

use super::Command;
use crate::domain::{MAX_COOLDOWN_MINUTES, MAX_PER_HOUR};

/// One command, as people see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandSpec {
    /// What is typed after the slash.
    pub name: &'static str,
    /// What it does, at most 100 characters.
    pub description: &'static str,
    /// Its options, the required ones first.
    pub options: &'static [OptionSpec],
    /// Its subcommands; a command has either these or options.
    pub subcommands: &'static [CommandSpec],
    /// Where it is offered.
    pub scope: Scope,
    /// What it means; nothing for a command that only holds subcommands.
    pub command: Option<Command>,
}

/// Where a command is offered, and to whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Everywhere, to everyone.
    Everywhere,
    /// To those who manage channels: in Discord servers (`rules.md` 5.6), and in private on Telegram (5.9).
    ChannelAdmins,
}

/// One option of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OptionSpec {
    /// Its name, under which a request carries it.
    pub name: &'static str,
    /// What it is, at most 100 characters.
    pub description: &'static str,
    /// What it takes.
    pub kind: OptionKind,
    /// Whether it must be given.
    pub required: bool,
    /// Whether it is completed while it is typed.
    pub autocomplete: bool,
}

/// What an option takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OptionKind {
    /// Words.
    Text,
    /// A whole number.
    Integer {
        /// The least that is taken.
        min: u32,
        /// The most that is taken.
        max: u32,
    },
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A channel of the server.
    Channel,
    /// A role of the server.
    Role,
}

const KINDS: &[&str] = &["daily", "hourly", "grade", "fundamental", "levels"];
const DIRECTIONS: &[&str] = &["any", "bullish", "bearish"];
const DELIVERIES: &[&str] = &["instant", "digest-hourly", "digest-daily", "digest-weekly"];
const YES: &[&str] = &["yes"];
/// A switch.
pub(super) const ON_OFF: &[&str] = &["on", "off"];
/// None, or in which colours.
pub(super) const CHART_CHOICES: &[&str] = &["off", "dark", "light"];
const ACTIONS: &[&str] = &["export", "forget"];
const MUTE_LENGTHS: &[&str] = &["1h", "8h", "24h", "7d", "off"];

const fn option(name: &'static str, description: &'static str, kind: OptionKind) -> OptionSpec {
    OptionSpec { name, description, kind, required: false, autocomplete: false }
}

const fn tokens(name: &'static str, description: &'static str) -> OptionSpec {
    OptionSpec { name, description, kind: OptionKind::Text, required: true, autocomplete: true }
}

const TOKENS: OptionSpec = tokens("tokens", "Symbols or #ids separated by commas, such as SOL,ETH, or all");
const TOKEN: OptionSpec = tokens("token", "A symbol or #id, such as SOL");
const WHY_TOKEN: OptionSpec = OptionSpec { required: false, ..TOKEN };
const WHY_MESSAGE: OptionSpec = option("message", "An alert instead of a token: its link or its id", OptionKind::Text);
const KIND: OptionSpec =
    option("kind", "Which signal: daily (if you choose none), hourly, grade, fundamental or levels", OptionKind::Choice(KINDS));
const KIND_OR_EVERY: OptionSpec = option("kind", "Which signal; every kind if you choose none", OptionKind::Choice(KINDS));
const DIRECTION: OptionSpec =
    option("direction", "Which turns: any (if you choose none), bullish or bearish", OptionKind::Choice(DIRECTIONS));
const DELIVERY: OptionSpec =
    option("delivery", "When: instant (if you choose none), or together in a digest", OptionKind::Choice(DELIVERIES));
const PREVIEW: OptionSpec =
    option("preview", "yes shows what this would have sent in the last 30 days; nothing is saved", OptionKind::Choice(YES));
const THRESHOLD: OptionSpec =
    option("threshold", "For grade and fundamental: also tell me when the number crosses it; above:70 or below:30", OptionKind::Text);
const CHANNEL: OptionSpec = option("channel", "Which channel; this one if you choose none", OptionKind::Channel);
const MENTION: OptionSpec = option("mention", "A role to mention with each alert", OptionKind::Role);
const PRIVACY: OptionSpec =
    option("action", "export sends you a file, forget removes all of it; both explained if you choose none", OptionKind::Choice(ACTIONS));
const MUTE_FOR: OptionSpec = option("for", "For how long, or off; what is muted if you choose none", OptionKind::Choice(MUTE_LENGTHS));
const MUTE_TOKEN: OptionSpec = OptionSpec { required: false, ..tokens("token", "This token alone, by symbol or #id, such as SOL") };
const PER_HOUR: OptionSpec =
    option("max_per_hour", "Alert messages in any 60 minutes, 1 to 60; 0 is no limit", OptionKind::Integer { min: 0, max: MAX_PER_HOUR });
const COOLDOWN: OptionSpec =
    option("cooldown", "Minutes of quiet per token after an alert; 0 is none", OptionKind::Integer { min: 0, max: MAX_COOLDOWN_MINUTES });
const CONFIRMATION: OptionSpec = option(
    "confirmation",
    "Minutes that a turn has to stand (45), or how many polls have to show it (2of3); 0 tells it at once",
    OptionKind::Text,
);
const CHARTS: OptionSpec = option(
    "charts",
    "Whether an alert of one token brings a chart: off (if you choose none), dark or light",
    OptionKind::Choice(CHART_CHOICES),
);
const PROVENANCE: OptionSpec = option(
    "provenance",
    "Whether an alert of one token says when it was polled and sent: off (unless you choose on) or on",
    OptionKind::Choice(ON_OFF),
);

const TIMEZONE: OptionSpec = OptionSpec {
    autocomplete: true,
    ..option("timezone", "Where the clock hangs that the times here go by, such as Europe/Berlin", OptionKind::Text)
};
const QUIET_HOURS: OptionSpec = option("quiet_hours", "When alerts are held, such as 22:00-07:00, or off", OptionKind::Text);
const QUIET_BYPASS: OptionSpec =
    option("quiet_bypass", "Kinds that come in quiet hours too, such as hourly; daily,hourly; or none", OptionKind::Text);
const DIGEST_TIME: OptionSpec =
    option("digest_time", "When digests come, such as 09:00, or mon 09:00 with the day of the weekly one", OptionKind::Text);

/// What can be chosen for a destination: registered, read and named from here.
const SETTINGS: &[OptionSpec] = &[PER_HOUR, COOLDOWN, CONFIRMATION, TIMEZONE, QUIET_HOURS, QUIET_BYPASS, DIGEST_TIME, CHARTS, PROVENANCE];
const CHANNEL_SETTINGS: &[OptionSpec] = &{
    let mut all = [CHANNEL; SETTINGS.len() + 1];
    let (settings, _) = all.split_at_mut(SETTINGS.len());
    settings.copy_from_slice(SETTINGS);
    all
};

const fn everywhere(name: &'static str, description: &'static str, options: &'static [OptionSpec], command: Command) -> CommandSpec {
    CommandSpec { name, description, options, subcommands: &[], scope: Scope::Everywhere, command: Some(command) }
}

const fn of_channel(name: &'static str, description: &'static str, options: &'static [OptionSpec], command: Command) -> CommandSpec {
    CommandSpec { name, description, options, subcommands: &[], scope: Scope::ChannelAdmins, command: Some(command) }
}

/// Every command that works.
pub const CATALOG: &[CommandSpec] = &[
    everywhere(
        "subscribe",
        "Get alerts when the call of a token turns",
        &[TOKENS, KIND, DIRECTION, DELIVERY, THRESHOLD, PREVIEW],
        Command::Subscribe,
    ),
    everywhere("unsubscribe", "End alerts for tokens, or for all", &[TOKENS, KIND_OR_EVERY], Command::Unsubscribe),
    everywhere("subscriptions", "List what you are subscribed to", &[], Command::Subscriptions),
    everywhere("signal", "Show the latest call of a token", &[TOKEN, KIND], Command::Signal),
    everywhere("history", "Show how the call of a token changed", &[TOKEN, KIND], Command::History),
    everywhere(
        "why",
        "Show why an alert came, or why the last change of a token was not told to you",
        &[WHY_TOKEN, KIND, WHY_MESSAGE],
        Command::Why,
    ),
    everywhere("settings", "Show or change how often and at which hours you are told", SETTINGS, Command::Settings),
    everywhere("mute", "Hold alerts for a while; at the end you are told what changed", &[MUTE_FOR, MUTE_TOKEN], Command::Mute),
    everywhere("status", "Show what is polled, how often, and how delivery goes", &[], Command::Status),
    everywhere("privacy", "Get all that is stored about you, or have it forgotten", &[PRIVACY], Command::Privacy),
    everywhere("help", "Show what I can do", &[], Command::Help),
    CommandSpec {
        name: "channel",
        description: "Set up alerts for a channel",
        options: &[],
        subcommands: CHANNEL_COMMANDS,
        scope: Scope::ChannelAdmins,
        command: None,
    },
];

const CHANNEL_COMMANDS: &[CommandSpec] = &[
    of_channel(
        "subscribe",
        "Post alerts in a channel when the call of a token turns",
        &[TOKENS, KIND, DIRECTION, DELIVERY, THRESHOLD, CHANNEL, MENTION, PREVIEW],
        Command::ChannelSubscribe,
    ),
    of_channel(
        "unsubscribe",
        "End alerts in a channel for tokens, or for all",
        &[TOKENS, KIND_OR_EVERY, CHANNEL],
        Command::ChannelUnsubscribe,
    ),
    of_channel("list", "List what channels are subscribed to", &[], Command::ChannelList),
    of_channel("settings", "Show or change how often and at which hours a channel is told", CHANNEL_SETTINGS, Command::ChannelSettings),
    of_channel("mute", "Hold a channel's alerts for a while", &[MUTE_FOR, MUTE_TOKEN, CHANNEL], Command::ChannelMute),
    of_channel(
        "why",
        "Show why an alert came to a channel, or why the last change of a token did not",
        &[WHY_TOKEN, KIND, WHY_MESSAGE, CHANNEL],
        Command::ChannelWhy,
    ),
    of_channel("test", "Post a test message in a channel", &[CHANNEL], Command::ChannelTest),
];

/// Telegram's command list: name and description.
pub fn telegram_commands() -> Vec<(&'static str, &'static str)> {
    CATALOG.iter().map(|spec| (spec.name, spec.description)).collect()
}

/// What `/channel` can do.
pub fn channel_subcommands() -> Vec<&'static str> {
    CHANNEL_COMMANDS.iter().map(|spec| spec.name).collect()
}

/// What can be chosen with `/settings` and `/channel settings`, by name.
pub(super) fn setting_names() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().map(|option| option.name)
}

/// What is typed for a command after the slash, where it is offered.
pub(super) fn name_of(command: Command) -> Option<String> {
    flat().find(|(_, spec)| spec.command == Some(command)).map(|(name, _)| name)
}

/// The same on Telegram, where the channel is named: `channel @name subscribe`.
pub(super) fn name_on_telegram(name: &str) -> String {
    name.strip_prefix("channel ").map_or_else(|| name.to_owned(), |subcommand| format!("channel @name {subcommand}"))
}

/// Every command with what is typed for it, subcommands by their full words: `channel subscribe`.
pub(super) fn flat() -> impl Iterator<Item = (String, &'static CommandSpec)> {
    CATALOG.iter().flat_map(|spec| {
        let own = spec.command.map(|_| (spec.name.to_owned(), spec));
        own.into_iter().chain(spec.subcommands.iter().map(|sub| (format!("{} {}", spec.name, sub.name), sub)))
    })
}

/// What these words mean: `subscribe`, or `channel subscribe`.
pub fn command_named(words: &str) -> Option<Command> {
    flat().find(|(name, _)| name == words).and_then(|(_, spec)| spec.command)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Delivery, Direction, Kind, MuteLength, Theme};
    use std::collections::BTreeSet;

    fn is_name(name: &str) -> bool {
        (1..=32).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
    }

    fn every_spec() -> impl Iterator<Item = &'static CommandSpec> {
        CATALOG.iter().chain(CATALOG.iter().flat_map(|spec| spec.subcommands))
    }

    #[test]
    fn both_platforms_would_take_the_table() {
        for spec in every_spec() {
            assert!(is_name(spec.name), "{}", spec.name);
            assert!((3..=100).contains(&spec.description.chars().count()), "{}", spec.name);
            assert!(spec.options.len() <= 25 && spec.subcommands.len() <= 25);
            assert!(spec.options.is_empty() || spec.subcommands.is_empty(), "{} has either", spec.name);
            assert_eq!(spec.command.is_none(), !spec.subcommands.is_empty(), "{}", spec.name);
            let names: BTreeSet<_> = spec.options.iter().map(|option| option.name).collect();
            assert_eq!(names.len(), spec.options.len(), "{}: option names are unique", spec.name);
            let required: Vec<_> = spec.options.iter().map(|option| option.required).collect();
            assert!(required.is_sorted_by(|a, b| a >= b), "{}: required options come first", spec.name);
            for option in spec.options {
                assert!(is_name(option.name), "{}", option.name);
                assert!((1..=100).contains(&option.description.chars().count()), "{}", option.name);
                assert!(!option.autocomplete || option.kind == OptionKind::Text, "only text is completed");
                if let OptionKind::Choice(words) = option.kind {
                    assert!((1..=25).contains(&words.len()), "{}", option.name);
                }
            }
        }
        for (name, description) in telegram_commands() {
            assert!(name.len() <= 32 && !name.contains('-') && description.len() <= 256);
        }
    }

    #[test]
    fn names_and_meanings_are_unique() {
        let names: BTreeSet<_> = flat().map(|(name, _)| name).collect();
        assert_eq!(names.len(), flat().count());
        let meanings: BTreeSet<_> = flat().filter_map(|(_, spec)| spec.command).collect();
        assert_eq!(meanings.len(), flat().count());
    }

    #[test]
    fn what_is_offered_is_what_is_understood_and_works() {
        assert_eq!(KINDS, Kind::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>());
        assert_eq!(DIRECTIONS, Direction::ALL.iter().map(|direction| direction.as_str()).collect::<Vec<_>>());
        assert_eq!(DELIVERIES, Delivery::ALL.iter().map(|delivery| delivery.as_str()).collect::<Vec<_>>());
        assert_eq!(CHART_CHOICES, ["off"].into_iter().chain(Theme::ALL.map(Theme::as_str)).collect::<Vec<_>>());
        assert_eq!(MUTE_LENGTHS, MuteLength::ALL.iter().map(|length| length.as_str()).collect::<Vec<_>>());
        assert_eq!(command_named("channel list"), Some(Command::ChannelList));
        assert_eq!((command_named("channel"), command_named("list")), (None, None));
    }
}
