//! What answers to commands say: the frame that all of them share. The sentences of each group stand beside this file.
#![expect(missing_docs, reason = "the sentence names its arguments")]

use super::{
    ButtonPhrase, ChartPhrase, HistoryPhrase, InsightPhrase, MutingPhrase, Phrase, PreviewPhrase, PrivacyPhrase, RefusalPhrase,
    ReportPhrase, SettingPhrase, Spans, SubscribingPhrase, WhyPhrase,
};
use crate::domain::TokenId;
use serde::{Deserialize, Serialize};

/// A sentence of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReplyPhrase {
    /// `rules.md` 3.11.
    NotAdvice,
    /// Something went wrong inside; the log has the id.
    Apology {
        reference: String,
    },
    /// The same request came again (`rules.md` 6.1).
    AlreadyDone,
    /// Why something was not done.
    Refusal(RefusalPhrase),
    /// About subscriptions.
    Subscribing(SubscribingPhrase),
    /// About settings.
    Setting(SettingPhrase),
    /// About mutes.
    Muting(MutingPhrase),
    /// About what is stored about a person.
    Privacy(PrivacyPhrase),
    /// What is known: calls, status, help.
    Report(ReportPhrase),
    /// About a token besides its call.
    Insight(InsightPhrase),
    /// About the past of a token's call.
    History(HistoryPhrase),
    /// About a picture.
    Chart(ChartPhrase),
    Why(WhyPhrase),
    Preview(PreviewPhrase),
    /// On or about a button.
    Button(ButtonPhrase),
    /// A link button.
    ReadMore,
    /// A command or a button that this version does not know or cannot read.
    NotUnderstood {
        reference: String,
    },
    /// Discord refuses the person's direct messages, so that alerts cannot reach them.
    DirectMessagesClosed,
    /// What to do about it.
    DirectMessagesHowTo,
}

impl ReplyPhrase {
    pub(super) fn english(&self, out: &mut Spans) {
        match self {
            Self::NotAdvice => {
                out.text("Automated data, not investment advice.");
            }
            Self::Apology { reference } => {
                out.text("Something went wrong on my side. Please try again; if it stays so, give the operator this reference: ")
                    .code(reference);
            }
            Self::AlreadyDone => {
                out.text("This was already done.");
            }
            Self::Refusal(phrase) => phrase.english(out),
            Self::Subscribing(phrase) => phrase.english(out),
            Self::Setting(phrase) => phrase.english(out),
            Self::Muting(phrase) => phrase.english(out),
            Self::Privacy(phrase) => phrase.english(out),
            Self::Report(phrase) => phrase.english(out),
            Self::Insight(phrase) => phrase.english(out),
            Self::History(phrase) => phrase.english(out),
            Self::Chart(phrase) => phrase.english(out),
            Self::Why(phrase) => phrase.english(out),
            Self::Preview(phrase) => phrase.english(out),
            Self::Button(phrase) => phrase.english(out),
            Self::ReadMore => {
                out.text("Read more");
            }
            Self::NotUnderstood { reference } => {
                out.text("I could not read this, and nothing was changed. Please type the command again, or try ")
                    .code("/help")
                    .text("; if it stays so, give the operator this reference: ")
                    .code(reference);
            }
            Self::DirectMessagesClosed => {
                out.strong("Alerts cannot reach you yet:")
                    .text(" Discord does not let me send you direct messages. The subscription is kept.");
            }
            Self::DirectMessagesHowTo => {
                out.text("To fix it: in a server that you share with me, open its menu, Privacy Settings, and allow direct messages; unblock me if you blocked me. Then type ")
                    .code("/subscribe")
                    .text(" again.");
            }
        }
    }
}

impl From<ReplyPhrase> for Phrase {
    fn from(phrase: ReplyPhrase) -> Self {
        Self::Reply(phrase)
    }
}

impl From<RefusalPhrase> for Phrase {
    fn from(phrase: RefusalPhrase) -> Self {
        Self::Reply(ReplyPhrase::Refusal(phrase))
    }
}

impl From<SubscribingPhrase> for Phrase {
    fn from(phrase: SubscribingPhrase) -> Self {
        Self::Reply(ReplyPhrase::Subscribing(phrase))
    }
}

impl From<SettingPhrase> for Phrase {
    fn from(phrase: SettingPhrase) -> Self {
        Self::Reply(ReplyPhrase::Setting(phrase))
    }
}

impl From<MutingPhrase> for Phrase {
    fn from(phrase: MutingPhrase) -> Self {
        Self::Reply(ReplyPhrase::Muting(phrase))
    }
}

impl From<PrivacyPhrase> for Phrase {
    fn from(phrase: PrivacyPhrase) -> Self {
        Self::Reply(ReplyPhrase::Privacy(phrase))
    }
}

impl From<ReportPhrase> for Phrase {
    fn from(phrase: ReportPhrase) -> Self {
        Self::Reply(ReplyPhrase::Report(phrase))
    }
}

impl From<PreviewPhrase> for Phrase {
    fn from(phrase: PreviewPhrase) -> Self {
        Self::Reply(ReplyPhrase::Preview(phrase))
    }
}

impl From<WhyPhrase> for Phrase {
    fn from(phrase: WhyPhrase) -> Self {
        Self::Reply(ReplyPhrase::Why(phrase))
    }
}

impl From<HistoryPhrase> for Phrase {
    fn from(phrase: HistoryPhrase) -> Self {
        Self::Reply(ReplyPhrase::History(phrase))
    }
}

/// A token as an answer names it, so that the reader sees which one was taken (`rules.md` 5.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenLabel {
    /// Its ticker.
    pub symbol: String,
    /// Its name; empty where there is no room for it.
    pub name: String,
    /// Its id, where the symbol alone does not say which.
    pub id: Option<TokenId>,
}

impl TokenLabel {
    pub(super) fn words(&self) -> String {
        let mut words = self.short();
        if !self.name.is_empty() && !self.name.eq_ignore_ascii_case(&self.symbol) {
            words.push_str(&format!(" ({})", self.name));
        }
        words
    }

    /// What to type for it: `SOL`, or `#3375` where the symbol alone means another one.
    pub fn typed(&self) -> String {
        self.id.map_or_else(|| self.symbol.clone(), |id| format!("#{id}"))
    }

    /// `SOL`, or `SOL #3375` where the symbol alone does not say which.
    pub fn short(&self) -> String {
        match self.id {
            Some(id) => format!("{} #{id}", self.symbol),
            None => self.symbol.clone(),
        }
    }
}

/// `1 token`, `3 tokens`.
pub(super) fn counted(count: u64, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}
