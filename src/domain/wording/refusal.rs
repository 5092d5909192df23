//! Why a command was refused, and what to do instead. A refused command changed nothing.
#![expect(missing_docs, reason = "the sentence names its arguments")]

use super::{Spans, TokenLabel, call::signals, reply::counted};
use crate::domain::{Kind, MAX_CONFIRMATION_MINUTES, MAX_CONFIRMATION_POLLS, QuarantineReason};
use serde::{Deserialize, Serialize};

/// A sentence of a refusal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefusalPhrase {
    /// The title of every refusal of something that was typed.
    NotDone,
    /// A right way to type it.
    Example {
        text: String,
    },
    /// A word of a later version.
    NotAvailable {
        word: String,
    },
    /// No token was named.
    NoTokens,
    /// What is meant is no alert, or none that is read here.
    NoSuchAlert,
    /// More than one where one is meant.
    OneTokenOnly,
    TooManyTokens {
        most: usize,
    },
    TooLong {
        most: usize,
    },
    BadId {
        word: String,
    },
    /// Two words for one thing, such as two kinds.
    Twice {
        what: String,
        first: String,
        second: String,
    },
    BadWord {
        option: String,
        word: String,
        choices: Vec<String>,
    },
    /// A line that cannot be read.
    BadThreshold {
        word: String,
    },
    /// Two lines for one subscription.
    OneThreshold,
    /// Only grades have numbers that lines are drawn for.
    NoThreshold {
        kind: Kind,
    },
    BadNumber {
        option: String,
        word: String,
        least: u32,
        most: u32,
    },
    BadMinutes {
        option: String,
        word: String,
        most: u32,
    },
    BadConfirmation {
        word: String,
    },
    BadTimezone {
        word: String,
        near: Vec<String>,
    },
    BadQuietHours {
        word: String,
    },
    BadDigestTime {
        word: String,
    },
    /// A token to mute, and no length.
    NoMuteLength,
    /// A kind, direction or delivery where a token is to be muted.
    MutesEveryKind,
    UnknownOption {
        word: String,
        #[serde(default)]
        known: Vec<String>,
    },
    UnknownToken {
        word: String,
    },
    /// Up to three that are written alike.
    NearMatches {
        tokens: Vec<TokenLabel>,
    },
    /// Several tokens of this symbol, none of them ranked (`rules.md` 5.2).
    Ambiguous {
        word: String,
        tokens: Vec<TokenLabel>,
    },
    StillLoading,
    /// The list of tokens was never loaded, and loading it fails or has stopped.
    NoDirectory {
        stopped: bool,
    },
    LookupOverLimit {
        word: String,
    },
    LookupUnavailable {
        word: String,
    },
    KindOff {
        kind: Kind,
    },
    /// No cadence carries the subscription within the budget (`rules.md` 1.5).
    NoCadence {
        kind: Kind,
        tokens: u32,
        needed: u32,
        budget: u32,
    },
    /// It would take the last cadence from another kind.
    PushesOut {
        kind: Kind,
        tokens: u32,
        other: Kind,
        needed: u32,
        budget: u32,
    },
    /// What helps where the budget is too small.
    WhatFits {
        fewer: bool,
        daily: bool,
    },
    /// 200 a person, 500 a channel or group.
    SubscriptionLimit {
        limit: u32,
        present: u32,
        wanted: u32,
    },
    OnlyInServer,
    OnlyInPrivate,
    /// What is stored about a person is said to nobody else.
    NotInPublic,
    BotNotInServer,
    Invite {
        url: String,
    },
    NeedsManageServer,
    StandingUnknown,
    NeedsGroupAdmin,
    NeedsChannelAdmin,
    /// On Telegram: there is none, or the bot sees none.
    ChannelNotFound {
        label: String,
    },
    /// The bot is no administrator of a channel of Telegram.
    NotAdministrator {
        label: String,
    },
    /// A group or a person of Telegram where a channel is meant.
    NotAChannel {
        label: String,
    },
    TelegramSilent,
    ChannelNotHere,
    ChannelNotVisible {
        label: String,
    },
    ChannelWrongKind {
        label: String,
    },
    ChannelMissing {
        label: String,
        permissions: Vec<String>,
    },
    ChannelUnknown,
    MentionsEveryone,
    RoleUnknown,
    RoleInvokerMay,
    RoleBotMay,
    /// Nothing can be sent there at present.
    OutOfReach {
        reason: QuarantineReason,
    },
}

impl RefusalPhrase {
    pub(super) fn english(&self, out: &mut Spans) {
        match self {
            Self::NotDone => out.text("That did not work; nothing was changed"),
            Self::Example { text } => out.text("For example: ").code(text),
            Self::NotAvailable { word } => out.code(word).text(" is not available yet."),
            Self::NoSuchAlert => {
                out.text("I know no such alert here. Choose one that I sent here, or name a token to see how its last change was told.")
            }
            Self::NoTokens => out.text("Name at least one token, by symbol or ").code("#id").text("."),
            Self::OneTokenOnly => out.text("Name one token at a time, by symbol or ").code("#id").text("."),
            Self::TooManyTokens { most } => out.text(format!("At most {most} tokens fit one command. Split the list.")),
            Self::TooLong { most } => out.text(format!("That is longer than {most} characters. Split the list.")),
            Self::BadId { word } => out.code(word).text(" is not a token id: after # come digits alone, 18 at most."),
            Self::Twice { what, first, second } => {
                out.code(first).text(" and ").code(second).text(format!(": name one {what} at a time."))
            }
            Self::BadWord { option, word, choices } => {
                out.code(word).text(format!(" is not a {option}. Choose one of: {}.", choices.join(", ")))
            }
            Self::BadThreshold { word } => out
                .code(word)
                .text(" is no threshold: write ")
                .code("above:70")
                .text(" or ")
                .code("below:30")
                .text(", with a number above 0 and up to 100."),
            Self::OneThreshold => out.text("Give one threshold at a time."),
            Self::NoThreshold { kind } => out
                .text(format!("There are no thresholds for {}: they are for ", signals(*kind)))
                .code("grade")
                .text(" and ")
                .code("fundamental")
                .text("."),
            Self::BadNumber { option, word, least, most } => {
                out.code(word).text(format!(" does not fit {option}: give a whole number from {least} to {most}."))
            }
            Self::BadMinutes { option, word, most } => {
                out.code(word).text(format!(" does not fit {option}: give minutes from 0 to {most}, such as 45, 45m or 2h."))
            }
            Self::BadConfirmation { word } => out.code(word).text(format!(
                " does not fit confirmation: give minutes from 0 to {MAX_CONFIRMATION_MINUTES}, such as 45, 45m or 2h, or so many of the last polls, such as 2of3, {MAX_CONFIRMATION_POLLS} at most."
            )),
            Self::BadTimezone { word, near } => {
                out.code(word).text(" is not a time zone. Give one by its IANA name, such as Europe/Berlin, America/New_York or Asia/Kolkata.");
                if !near.is_empty() {
                    out.text(format!(" Did you mean {}?", near.join(" or ")));
                }
                out
            }
            Self::BadQuietHours { word } => {
                out.code(word).text(" does not say quiet hours: give two different times from 00:00 to 23:59, or off.")
            }
            Self::BadDigestTime { word } => out.code(word).text(
                " is not a time for digests: give a time from 00:00 to 23:59. A day before it is that of the weekly digest, as in mon 09:00.",
            ),
            Self::NoMuteLength => out.text("Say for how long: 1h, 8h, 24h, 7d, or off to end it."),
            Self::MutesEveryKind => out.text("A mute is of every alert, or of every alert for one token: name a length and at most one token."),
            Self::UnknownOption { word, known } => out.code(word).text(format!(" is not a setting. There are: {}.", known.join(", "))),
            Self::UnknownToken { word } => out.text("I know no token ").code(word).text("."),
            Self::NearMatches { tokens } => {
                let words: Vec<_> = tokens.iter().map(TokenLabel::words).collect();
                out.text(format!("Did you mean {}?", words.join(", ")))
            }
            Self::Ambiguous { word, tokens } => {
                out.text("Several tokens are called ").code(word).text(". Say which one by its id:");
                for token in tokens {
                    let id = token.id.map(|id| format!("#{id}")).unwrap_or_default();
                    out.text(" ").code(id).text(format!(" {};", token.name));
                }
                out
            }
            Self::StillLoading => out.text("I am still loading the list of tokens. Please try again in a minute."),
            Self::NoDirectory { stopped: false } => {
                out.text("I have no list of tokens yet, because Token Metrics does not give it to me at the moment. I keep trying; see ").code("/status").text(".")
            }
            Self::NoDirectory { stopped: true } => out
                .text("I have no list of tokens, because Token Metrics refuses to give it to me, and I do not ask again by myself. Whoever runs this bot has to run ")
                .code("bellwether check")
                .text(" and mend what it says."),
            Self::LookupOverLimit { word } => {
                out.code(word).text(" is not in my list of tokens, and today's look-ups are used up. Please try again tomorrow.")
            }
            Self::LookupUnavailable { word } => {
                out.code(word).text(" is not in my list of tokens, and I cannot look it up at the moment. Please try again later.")
            }
            Self::KindOff { kind } => out.text(format!("The operator has switched {} off, so there is nothing to subscribe to.", signals(*kind))),
            Self::NoCadence { kind, tokens, needed, budget } => out.text(format!(
                "With this I would follow {} of {}. That takes at least {needed} API calls a month, and the budget of {budget} has no room for so many.",
                signals(*kind),
                counted(u64::from(*tokens), "token")
            )),
            Self::PushesOut { kind, tokens, other, needed, budget } => out.text(format!(
                "With this I would follow {} of {}. That leaves too little of the budget of {budget} API calls a month for {}, which take at least {needed}.",
                signals(*kind),
                counted(u64::from(*tokens), "token"),
                signals(*other)
            )),
            Self::WhatFits { fewer, daily } => {
                let own = match (fewer, daily) {
                    (true, true) => "Try fewer tokens, or daily calls. ",
                    (true, false) => "Try fewer tokens. ",
                    (false, true) => "Try daily calls. ",
                    (false, false) => "",
                };
                out.text(format!("{own}Whoever operates me can raise ")).code("TOKEN_METRICS_CALLS_PER_MONTH").text(".")
            }
            Self::SubscriptionLimit { limit, present, wanted } => out.text(format!(
                "That would be {} subscriptions, and at most {limit} are possible here; {present} are in use. Make room with ",
                u64::from(*present) + u64::from(*wanted)
            ))
            .code("/unsubscribe")
            .text(", or subscribe to ")
            .code("all")
            .text("."),
            Self::OnlyInServer => out.text("This works only in a Discord server."),
            Self::OnlyInPrivate => {
                out.text("A channel is set up from our private chat: write to me there, for example ").code("/channel @name subscribe SOL").text(".")
            }
            Self::NotInPublic => out.text("What I know about you is for you alone. Write to me in a private chat."),
            Self::BotNotInServer => out.text("I am not a member of this server, so I cannot post here. Someone who manages it can invite me."),
            Self::Invite { url } => out.link("Invite me", url),
            Self::NeedsManageServer => out.text(
                "This needs the permission Manage Server (or Administrator). An override in the server's Integrations settings does not replace it.",
            ),
            Self::StandingUnknown => {
                out.text("I could not find out whether you are an administrator here. Please try again in a minute.")
            }
            Self::NeedsGroupAdmin => {
                out.text("In a group only its administrators can do this. For alerts of your own, write to me in a private chat.")
            }
            Self::NeedsChannelAdmin => {
                out.text("Only that channel's creator and its administrators can do this, and Telegram says that you are neither.")
            }
            Self::ChannelNotFound { label } => out.text("I see no channel ").code(label).text(
                ". Check its name; a private channel is named by its number, which begins with -100. I must be an administrator there.",
            ),
            Self::NotAdministrator { label } => {
                out.text("I am no administrator of ").code(label).text(". Make me one there, with the right to post messages, then try again.")
            }
            Self::NotAChannel { label } => out
                .code(label)
                .text(" is not a channel. For a group, type the command in the group itself, for example ")
                .code("/subscribe SOL")
                .text("."),
            Self::TelegramSilent => out.text("Telegram did not tell me about that channel. Please try again in a minute."),
            Self::ChannelNotHere => out.text("There is no such channel in this server."),
            Self::ChannelNotVisible { label } => out.text(format!("You cannot see {label} yourself, so you cannot set it up.")),
            Self::ChannelWrongKind { label } => {
                out.text(format!("I cannot post in {label}: choose a text channel, an announcement channel or a thread."))
            }
            Self::ChannelMissing { label, permissions } => {
                out.text(format!("In {label} I lack: {}. Grant that to me there, then try again.", permissions.join(", ")))
            }
            Self::ChannelUnknown => out.text("Discord did not tell me about that channel. Please try again in a minute."),
            Self::MentionsEveryone => out.text("I do not mention @everyone. Choose a role of its own, which members can take or leave."),
            Self::RoleUnknown => out.text("I could not read that role. Choose one from the list."),
            Self::RoleInvokerMay => out.text(
                "That role is not mentionable, and you lack Mention Everyone. Make the role mentionable, or ask someone who has that permission.",
            ),
            Self::RoleBotMay => out.text(
                "That role is not mentionable, and I lack Mention Everyone in that channel. Make the role mentionable, or grant me that permission.",
            ),
            Self::OutOfReach { reason } => out.text(reason_words(*reason)),
        };
    }
}

fn reason_words(reason: QuarantineReason) -> &'static str {
    match reason {
        QuarantineReason::Deleted => "The chat is gone, so alerts are held.",
        QuarantineReason::Removed => "I was removed there, so alerts are held until I am added again.",
        QuarantineReason::Blocked => {
            "Direct messages do not get through, so alerts are held. Allow direct messages from me (or unblock me), then send me any command."
        }
        QuarantineReason::Deactivated => "The account is gone, so alerts are held.",
        QuarantineReason::Forbidden => "I lack a permission there, so alerts are held until I have it again.",
        QuarantineReason::Closed => "The topic or thread is closed, so alerts are held until it is open again.",
        QuarantineReason::WrongKind => "Messages cannot be sent to a place of this kind, so alerts are held.",
    }
}
