//! Short words of a chat platform itself, beside the answers to commands: hints, refusals at the door, captions.
#![expect(missing_docs, reason = "the sentence names its arguments")]

use super::Spans;
use serde::{Deserialize, Serialize};

/// A sentence that an adapter says on its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HintPhrase {
    /// Something was said that is no command.
    Talk,
    /// Too many commands (`rules.md` 4.4); silence follows.
    SlowDown { commands: usize, seconds: u64 },
    /// A plain member's personal command in a group, and anybody's private matters there (5.9).
    UsePrivateChat { link: String },
    /// The same, where the very command can be taken up by a link.
    PrivateMatter,
    /// The link.
    ContinuePrivately { link: String, minutes: u64 },
    /// It was followed again.
    LinkUsed,
    /// It was followed too late.
    LinkExpired,
    /// Somebody else followed it.
    LinkForeign,
    /// What to type instead.
    TypeInstead,
    /// `/channel` without a channel or without what to do.
    ChannelHowTo,
    /// What there is.
    ChannelWords { words: Vec<String> },
    /// The bot was made an administrator of a channel.
    ChannelAdded { label: String },
    /// What to do now.
    ChannelBegin { channel: String },
}

impl HintPhrase {
    pub(super) fn english(&self, out: &mut Spans) {
        match self {
            Self::Talk => {
                out.text("I answer commands, for example ").code("/subscribe SOL").text(". Type ").code("/help").text(" to see them all.")
            }
            Self::SlowDown { commands, seconds } => out.text(format!(
                "That is more than {commands} commands in {seconds} seconds. Please wait a little; I answer again after {seconds} seconds."
            )),
            Self::UsePrivateChat { link } => out
                .text("In a group only its admins change what it is told. What concerns you alone goes in our private chat: ")
                .link(link.trim_start_matches("https://"), link),
            Self::PrivateMatter => out.text("In a group only its admins change what it is told. What concerns you alone goes in our private chat"),
            Self::ContinuePrivately { link, minutes } => out.link("Do it there", link).text(format!(
                ": open this and press Start. It is for you alone, and works once within {minutes} minutes."
            )),
            Self::LinkUsed => out.text("That link was used already: it works once"),
            Self::LinkExpired => out.text("That link is too old; nothing was changed"),
            Self::LinkForeign => out.text("That link is somebody else's; nothing was changed"),
            Self::TypeInstead => {
                out.text("Type the command here instead, for example ").code("/subscribe SOL").text(". See ").code("/help").text(" for all of them.")
            }
            Self::ChannelHowTo => out.text("Name the channel, then what to do there"),
            Self::ChannelWords { words } => out.text(format!(
                "There are: {}. A private channel is named by its number, which begins with -100. You and I must both be administrators there.",
                words.join(", ")
            )),
            Self::ChannelAdded { label } => out.text(format!("I can post in {label} now")),
            Self::ChannelBegin { channel } => {
                out.text("To have alerts posted there, send me for example ").code(format!("/channel {channel} subscribe SOL")).text(".")
            }
        };
    }
}
