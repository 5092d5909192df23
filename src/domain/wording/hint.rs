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
        };
    }
}
