//! What was typed, by whom and where; what is answered. Filled in by an adapter, judged by the desk.

use crate::domain::{Address, DestinationId, Platform, QuarantineReason, UserId, wording::Card};
use std::collections::BTreeMap;

/// A command as it was typed, with the facts that only the platform knows.
#[derive(Clone, Debug)]
pub struct Request {
    /// The request's id, where it can come again (an interaction of Discord, an update of Telegram after a crash): the same id is carried
    /// out once.
    pub key: Option<String>,
    /// Who.
    pub actor: Actor,
    /// Where.
    pub venue: Venue,
    /// What.
    pub invocation: Invocation,
    /// For `/channel`: the channel that is meant, as the platform described it.
    pub channel: Option<ChannelFacts>,
    /// For `mention`: the role that is meant.
    pub role: Option<RoleFacts>,
}

/// Who typed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Actor {
    /// As the platform numbers them.
    pub user: UserId,
    /// What they may do in the venue; for `/channel` on Telegram, in that channel.
    pub standing: Standing,
}

/// What someone may do somewhere, as the platform said just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// No more than anyone.
    Member,
    /// Manages it: Manage Server or Administrator on Discord, creator or administrator on Telegram.
    Admin,
    /// The platform did not say: treated as a member, but the refusal says so.
    Unknown,
}

/// Where it was typed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Venue {
    /// Direct messages with the bot or a private chat: what is subscribed here is told here.
    Private {
        /// This chat.
        address: Address,
    },
    /// A Telegram group or one of its topics: its admins subscribe for it.
    Group {
        /// This chat and topic.
        address: Address,
        /// Its name.
        label: String,
    },
    /// A Discord server: members subscribe for themselves (by DM), admins with `/channel`.
    Server {
        /// The server's id.
        tenant: String,
        /// The channel's id.
        channel: String,
        /// Whether the bot itself is there; a user-installed command works without it.
        bot_present: bool,
        /// Where members are told: their own direct messages.
        direct: Address,
    },
    /// Another chat in which a user-installed command was typed (a group DM): members are told by DM.
    Elsewhere {
        /// Where they are told.
        direct: Address,
    },
}

/// The command and its options as words; what they mean is judged by the command itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// Which.
    pub command: Command,
    /// Its options by name, as typed. Telegram's free words stand under `words`.
    pub options: BTreeMap<String, String>,
}

/// Every command; `/channel` with its subcommands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are those of the contract")]
pub enum Command {
    Subscribe,
    Unsubscribe,
    Subscriptions,
    Signal,
    Status,
    Help,
    Settings,
    ChannelSubscribe,
    ChannelUnsubscribe,
    ChannelList,
    ChannelSettings,
    ChannelMute,
    ChannelTest,
    ChannelWhy,
    History,
    Why,
    Mute,
    Privacy,
}

/// What the platform says of the channel that `/channel` is about (`rules.md` 5.6, 5.9).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelFacts {
    /// Where it is.
    pub address: Address,
    /// What people call it.
    pub label: String,
    /// Why it cannot be used, if it cannot.
    pub problem: Option<ChannelProblem>,
}

/// Why a channel cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ChannelProblem {
    /// It belongs to another server, or does not exist as far as the bot sees.
    NotHere,
    /// The bot itself is no administrator there, without which it learns nothing (Telegram).
    BotAbsent,
    /// The invoker cannot see it.
    NotVisible,
    /// It is not a text channel, announcement channel or thread; on Telegram, not a channel.
    WrongKind,
    /// The bot lacks these permissions there, by the platform's names.
    Missing(Vec<&'static str>),
    /// The platform did not say.
    Unknown,
}

/// What the platform says of the role to mention (`rules.md` 5.6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleFacts {
    /// Its id.
    pub id: String,
    /// It is @everyone.
    pub is_everyone: bool,
    /// Anyone may mention it.
    pub mentionable: bool,
    /// The invoker has Mention Everyone.
    pub invoker_may: bool,
    /// The bot has Mention Everyone in that channel.
    pub bot_may: bool,
}

/// What is answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Reply {
    /// What it says.
    pub card: Card,
    /// What the adapter does besides.
    pub follow_up: Option<FollowUp>,
}

/// What the adapter does after an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FollowUp {
    /// Open these direct messages now, so that a refusal is said at once (`rules.md` 5.7), and report it to the desk.
    OpenDirectMessages {
        /// The destination's row.
        destination: DestinationId,
        /// Whose.
        user: UserId,
    },
}

/// A half-typed option.
#[derive(Clone, Debug)]
pub struct Completion {
    /// Who is typing.
    pub actor: Actor,
    /// Where.
    pub venue: Venue,
    /// In which command.
    pub command: Command,
    /// Which option.
    pub option: String,
    /// As far as it was typed.
    pub typed: String,
    /// The channel that is meant, for `/channel unsubscribe`.
    pub channel: Option<Address>,
}

/// One suggestion; both parts at most 100 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// What is shown.
    pub name: String,
    /// What is sent.
    pub value: String,
}

/// What a platform tells of the bot's own presence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It was removed, blocked, or the chat is gone.
    Lost {
        /// Which chat; every topic of it.
        chat: Address,
        /// Why.
        reason: QuarantineReason,
    },
    /// It is there again, or someone there spoke to it.
    Back {
        /// Which chat; every topic of it.
        chat: Address,
    },
    /// It was removed from a whole server, with every channel in it.
    Removed {
        /// On which platform.
        platform: Platform,
        /// The server.
        tenant: String,
    },
    /// It is in this server: what was lost by its removal is back.
    Joined {
        /// On which platform.
        platform: Platform,
        /// The server.
        tenant: String,
    },
    /// What it may do in a chat may have changed.
    ChatChanged {
        /// Which chat.
        chat: Address,
    },
    /// What it may do in a server may have changed.
    RightsChanged {
        /// On which platform.
        platform: Platform,
        /// The server.
        tenant: String,
    },
    /// The chat has another address now (a Telegram supergroup).
    Moved {
        /// Before.
        from: Address,
        /// Now.
        to: Address,
    },
}
