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
}

impl ReplyPhrase {
    pub(super) fn english(&self, out: &mut Spans) {
        match self {
            Self::NotAdvice => out.text("Automated data, not investment advice."),
            Self::Apology { reference } => {
                out.text("Something went wrong on my side and nothing was changed. Please try again; if it stays so, give the operator this reference: ")
                    .code(reference)
            }
        };
    }
}
