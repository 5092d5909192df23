//! What a preview says of a subscription that is not there yet.
#![expect(missing_docs, reason = "the sentence names its arguments")]

use super::{Spans, reply::counted};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

/// A sentence about what a subscription would have sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PreviewPhrase {
    Title,
    /// It is there already.
    OfSaved,
    WouldHaveSent {
        days: u32,
        messages: usize,
        changes: usize,
        busiest: usize,
    },
    Nothing {
        days: u32,
        waiting: bool,
    },
    /// What had not come yet.
    Waiting {
        changes: usize,
    },
    NothingKnown,
    /// One of the messages, by the day on which it would have come.
    Message {
        day: NaiveDate,
        title: String,
    },
    Subscribe {
        example: String,
    },
}

impl PreviewPhrase {
    pub(super) fn english(&self, out: &mut Spans) {
        match self {
            Self::OfSaved => out.text("What this would have sent"),
            Self::Title => out.text("Preview: nothing is saved yet"),
            Self::WouldHaveSent { days, messages, changes, busiest } => {
                let (messages, changes) = (*messages as u64, *changes as u64);
                let most = if messages > 1 { format!(", at most {busiest} in a day") } else { String::new() };
                let of = if changes == messages { String::new() } else { format!(" about {}", counted(changes, "change")) };
                out.text(format!("{} this would have sent ", capital_in_the_last(*days))).strong(counted(messages, "message"));
                out.text(format!("{of}{most}. The newest:"))
            }
            Self::Nothing { days, waiting } => {
                let why = if *waiting { " yet" } else { ": no such call changed" };
                out.text(format!("{} this would have sent nothing{why}.", capital_in_the_last(*days)))
            }
            Self::Waiting { changes } => out.text(format!("{} would still be held.", counted(*changes as u64, "change"))),
            Self::NothingKnown => out.text("I have no history of these calls yet, because nobody here follows them."),
            Self::Message { day, title } => out.text(format!("{}: {title}", day.format("%-d %b"))),
            Self::Subscribe { example } => out.text("To have it: ").code(example),
        };
    }
}

fn capital_in_the_last(days: u32) -> String {
    if days == 1 { "In the last day".to_owned() } else { format!("In the last {days} days") }
}
