//! What answers to commands say.
#![expect(missing_docs, reason = "the sentence names its arguments")]

use super::Spans;
use serde::{Deserialize, Serialize};

/// A sentence of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyPhrase {
    /// `rules.md` 3.11.
    NotAdvice,
    /// Something went wrong inside; the log has the id.
    Apology { reference: String },
    // What the Discord adapter says by itself.
    /// A link button.
    ReadMore,
    /// A command or a button that this version does not know or cannot read.
    NotUnderstood { reference: String },
    /// Discord refuses the person's direct messages, so that alerts cannot reach them.
    DirectMessagesClosed,
    /// What to do about it.
    DirectMessagesHowTo,
}

impl ReplyPhrase {
    pub(super) fn english(&self, out: &mut Spans) {
        match self {
            Self::NotAdvice => out.text("Automated data, not investment advice."),
            Self::Apology { reference } => {
                out.text("Something went wrong on my side and nothing was changed. Please try again; if it stays so, give the operator this reference: ")
                    .code(reference)
            }
            Self::ReadMore => out.text("Read more"),
            Self::NotUnderstood { reference } => out
                .text("I could not read this, and nothing was changed. Please type the command again, or try ")
                .code("/help")
                .text("; if it stays so, give the operator this reference: ")
                .code(reference),
            Self::DirectMessagesClosed => {
                out.strong("Alerts cannot reach you yet:").text(" Discord does not let me send you direct messages. The subscription is kept.")
            }
            Self::DirectMessagesHowTo => out
                .text("To fix it: in a server that you share with me, open its menu, Privacy Settings, and allow direct messages; unblock me if you blocked me. Then type ")
                .code("/subscribe")
                .text(" again."),
        };
    }
}
