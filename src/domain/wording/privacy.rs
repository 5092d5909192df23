//! What answers about stored data say (`/privacy`).
#![expect(missing_docs, reason = "the sentence names its arguments")]

use super::{Spans, reply::counted};
use crate::domain::Platform;
use serde::{Deserialize, Serialize};

/// A sentence about what is stored about a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrivacyPhrase {
    /// What can be done about it.
    Title,
    HowToExport {
        example: String,
    },
    HowToForget {
        example: String,
    },
    Exported,
    InFile {
        name: String,
    },
    /// Where a part has more rows than the file.
    LeftOut {
        parts: Vec<String>,
        most: usize,
    },
    /// The first line of the file.
    About,
    OnlyNewest {
        most: usize,
    },
    Forgotten,
    NothingKept,
    /// What went.
    Removed {
        subscriptions: u64,
        messages: u64,
        lookups: u64,
    },
    /// What stays without the name.
    StaysWithoutName {
        places: u64,
        records: u64,
    },
    /// What is out of reach, or needed a moment longer.
    WhatStays {
        platform: Platform,
    },
    BeginAnew {
        example: String,
    },
}

impl PrivacyPhrase {
    pub(super) fn english(&self, out: &mut Spans) {
        match self {
            Self::Title => out.text("What I know about you"),
            Self::HowToExport { example } => {
                out.code(example).text(": a file with everything that is stored about you, for your eyes alone.")
            }
            Self::HowToForget { example } => out
                .code(example)
                .text(": removes all of it at once: subscriptions, settings, mutes, messages, and your name wherever it stands. It cannot be undone."),
            Self::Exported => out.text("Everything that is stored about you"),
            Self::InFile { name } => out.text("It is in the attached file ").code(name).text(", as JSON; times are UTC."),
            Self::LeftOut { parts, most } => {
                out.text(format!("The file has only the newest {most} entries of: {}.", parts.join(", ")))
            }
            Self::About => out.text("Everything that this bot stores about you. Times are UTC. Tokens are written by their id where it has no symbol."),
            Self::OnlyNewest { most } => out.text(format!("only the newest {most} are here")),
            Self::Forgotten => out.text("You are forgotten"),
            Self::NothingKept => out.text("Nothing is stored about you"),
            Self::Removed { subscriptions, messages, lookups } => {
                let mut parts = vec![counted(*subscriptions, "subscription"), "your settings and mutes".to_owned()];
                parts.push(counted(*messages, "message"));
                if *lookups > 0 {
                    parts.push(format!("your name from {}", counted(*lookups, "look-up")));
                }
                out.text(format!("Removed: {}, and what you were told before.", parts.join(", ")))
            }
            Self::StaysWithoutName { places, records } => out.text(format!(
                "Channels and groups that you set up keep their alerts, because they are the community's; to end those, unsubscribe there. Your name is removed from {} about them, and from {} of changes.",
                counted(*places, "row"),
                counted(*records, "record")
            )),
            Self::WhatStays { platform } => {
                let name = match platform {
                    Platform::Discord => "Discord",
                    Platform::Telegram => "Telegram",
                    Platform::Console => "This terminal",
                };
                let answer = if *platform == Platform::Telegram { "This answer itself is forgotten as soon as it is sent. " } else { "" };
                out.text(format!(
                    "{answer}{name} keeps what I have written to you until you delete it there; a message that is being sent at this moment may still arrive. Backups that whoever runs this bot may have made are beyond my reach."
                ))
            }
            Self::BeginAnew { example } => out.text("To begin anew, type ").code(example).text("."),
        };
    }
}
