//! What answers about mutes say (`rules.md` 3.6).
#![expect(missing_docs, reason = "the sentence names its arguments")]

use super::{Spans, TimeStyle, TokenLabel, reply::counted};
use crate::domain::Timestamp;
use serde::{Deserialize, Serialize};

/// A sentence about mutes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MutingPhrase {
    /// Titles: what was muted or is, and where, if that is not oneself.
    Muted {
        token: Option<TokenLabel>,
        label: Option<String>,
    },
    Unmuted {
        token: Option<TokenLabel>,
        label: Option<String>,
    },
    NotMuted {
        token: Option<TokenLabel>,
        label: Option<String>,
    },
    Present {
        label: Option<String>,
    },
    /// Everything is held.
    AllUntil {
        until: Timestamp,
    },
    /// One token is.
    TokenUntil {
        token: TokenLabel,
        until: Timestamp,
    },
    /// More tokens than an answer shows.
    MoreTokens {
        count: u64,
    },
    /// What becomes of what is held, and how much waits already.
    Held {
        waiting: u64,
    },
    /// What was held comes now.
    Released {
        waiting: u64,
    },
    /// Nothing would be told of this token anyway.
    NotSubscribed {
        token: TokenLabel,
    },
    /// How it is done.
    HowTo {
        all: String,
        token: String,
        off: String,
    },
}

impl MutingPhrase {
    pub(super) fn english(&self, out: &mut Spans) {
        match self {
            Self::Muted { token, label } => out.text(format!("{} muted", subject(token.as_ref(), label.as_ref()))),
            Self::Unmuted { token, label } => out.text(format!("{} no longer muted", subject(token.as_ref(), label.as_ref()))),
            Self::NotMuted { token: None, label: None } => out.text("Nothing is muted"),
            Self::NotMuted { token, label } => out.text(format!("{} not muted", subject(token.as_ref(), label.as_ref()))),
            Self::Present { label: None } => out.text("Muted at present"),
            Self::Present { label: Some(label) } => out.text(format!("Muted at present in {label}")),
            Self::AllUntil { until } => {
                out.strong("Muted").text(": every alert is held until ").time(*until, TimeStyle::DateTime).text(".")
            }
            Self::TokenUntil { token, until } => out
                .strong("Muted")
                .text(format!(": alerts for {} are held until ", token.short()))
                .time(*until, TimeStyle::DateTime)
                .text("."),
            Self::MoreTokens { count } => {
                out.text(format!("{} more {} muted.", count, if *count == 1 { "token is" } else { "tokens are" }))
            }
            Self::Held { waiting } => {
                let wait = if *waiting == 0 { String::new() } else { format!(" {} already.", waits(*waiting)) };
                out.text(format!(
                    "Nothing is lost: at the end one message says what has changed on balance.{wait} What is being sent at this moment may still arrive."
                ))
            }
            Self::Released { waiting: 0 } => out.text("Nothing was held back."),
            Self::Released { waiting } => {
                out.text(format!("{}: what has changed on balance comes at once, within your other limits.", waits(*waiting)))
            }
            Self::NotSubscribed { token } => out.text(format!("There is no subscription to {} here at present.", token.short())),
            Self::HowTo { all, token, off } => out
                .text("For quiet, type for example ")
                .code(all)
                .text("; for one token alone ")
                .code(token)
                .text("; to end it ")
                .code(off)
                .text(". Lengths: 1h, 8h, 24h, 7d. Alerts are held, never dropped."),
        };
    }
}

/// What the title is about, with its verb: oneself's alerts, a place, or a token.
fn subject(token: Option<&TokenLabel>, label: Option<&String>) -> String {
    match (token, label) {
        (None, None) => "Your alerts are".to_owned(),
        (None, Some(label)) => format!("{label} is"),
        (Some(token), None) => format!("{} is", token.short()),
        (Some(token), Some(label)) => format!("{} in {label} is", token.short()),
    }
}

fn waits(count: u64) -> String {
    format!("{} {}", counted(count, "alert"), if count == 1 { "waits" } else { "wait" })
}
