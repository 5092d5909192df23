//! What buttons say, and what is answered where one does nothing any more.
#![expect(missing_docs, reason = "the sentence names its arguments")]

use super::{Phrase, ReplyPhrase, Spans};
use crate::domain::{ButtonPress, ButtonVerb, ButtonsId};
use serde::{Deserialize, Serialize};

/// A sentence on or about a button.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ButtonPhrase {
    /// Labels.
    Mute,
    History,
    Unsubscribe,
    Why,
    Preview,
    Subscribe,
    /// It was too old, or never stood there.
    Expired,
    /// What to do instead.
    TypeInstead,
}

impl ButtonPhrase {
    pub(super) fn english(self, out: &mut Spans) {
        match self {
            Self::Mute => out.text("Mute 24 h"),
            Self::History => out.text("History"),
            Self::Unsubscribe => out.text("Unsubscribe"),
            Self::Why => out.text("Why"),
            Self::Preview => out.text("What would this have sent?"),
            Self::Subscribe => out.text("Subscribe"),
            Self::Expired => out.text("This button does nothing any more"),
            Self::TypeInstead => out
                .text("Buttons work for a week, where they stand. Nothing was changed. Please type the command instead, for example ")
                .code("/mute 24h SOL"),
        };
    }
}

impl From<ButtonPhrase> for Phrase {
    fn from(phrase: ButtonPhrase) -> Self {
        Self::Reply(ReplyPhrase::Button(phrase))
    }
}

/// A button under a card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Button {
    /// What it says.
    pub label: Phrase,
    /// What it sends.
    pub press: ButtonPress,
}

impl Button {
    /// One of the buttons behind which that row stands.
    pub fn new(verb: ButtonVerb, id: &ButtonsId) -> Self {
        let label = match verb {
            ButtonVerb::Mute => ButtonPhrase::Mute,
            ButtonVerb::History => ButtonPhrase::History,
            ButtonVerb::Unsubscribe => ButtonPhrase::Unsubscribe,
            ButtonVerb::Why => ButtonPhrase::Why,
            ButtonVerb::Preview => ButtonPhrase::Preview,
            ButtonVerb::Subscribe => ButtonPhrase::Subscribe,
        };
        Self { label: label.into(), press: ButtonPress { verb, id: id.clone() } }
    }

    /// The buttons under an alert.
    pub fn of_alert(id: &ButtonsId) -> Vec<Self> {
        ButtonVerb::OF_ALERT.iter().map(|verb| Self::new(*verb, id)).collect()
    }
}
