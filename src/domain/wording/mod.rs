//! The catalogue: every sentence that a person reads is a [`Phrase`], a key with arguments, and only this room knows its words.
//!
//! A phrase becomes [`Span`]s, which an adapter renders in its platform's markup. All text in a span is plain and is escaped by the
//! adapter, whether it came from outside or not. A second language is a second function beside `english`.

mod button;
mod call;
mod chart;
mod file;
mod hint;
mod history;
mod insight;
mod listing;
mod muting;
mod notice;
mod preview;
mod privacy;
mod refusal;
mod reply;
mod report;
mod scorecard;
mod setting;
mod subscribing;
mod trouble;
mod why;

pub use button::{Button, ButtonPhrase};
pub use call::CallPhrase;
pub use chart::{ChartPhrase, Seen};
pub use file::{CardFile, Picture};
pub use hint::HintPhrase;
pub use history::{HistoryPhrase, Standing};
pub use insight::InsightPhrase;
pub use listing::ListingPhrase;
pub use muting::MutingPhrase;
pub use notice::NoticePhrase;
pub use preview::PreviewPhrase;
pub use privacy::PrivacyPhrase;
pub use refusal::RefusalPhrase;
pub use reply::{ReplyPhrase, TokenLabel};
pub use report::ReportPhrase;
pub use scorecard::ScorecardPhrase;
pub use setting::SettingPhrase;
pub use subscribing::SubscribingPhrase;
pub use trouble::Trouble;
pub use why::WhyPhrase;

use super::{Timestamp, Way, Zone};
use serde::{Deserialize, Serialize};

/// A sentence as key and arguments.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phrase {
    /// About calls: what alerts and summaries say.
    Call(CallPhrase),
    /// How past calls did.
    Scorecard(ScorecardPhrase),
    /// Answers to commands.
    Reply(ReplyPhrase),
    /// Notices to operators and owners.
    Notice(NoticePhrase),
    /// What the source lists.
    Listing(ListingPhrase),
    /// What an adapter says on its own.
    Hint(HintPhrase),
}

impl Phrase {
    /// The sentence in English.
    pub fn english(&self) -> Vec<Span> {
        let mut spans = Spans::default();
        match self {
            Self::Call(phrase) => phrase.english(&mut spans),
            Self::Scorecard(phrase) => phrase.english(&mut spans),
            Self::Reply(phrase) => phrase.english(&mut spans),
            Self::Notice(phrase) => phrase.english(&mut spans),
            Self::Listing(phrase) => phrase.english(&mut spans),
            Self::Hint(phrase) => phrase.english(&mut spans),
        }
        spans.0
    }

    /// The sentence in English without any markup, for logs, the terminal and tests.
    pub fn plain(&self) -> String {
        self.english().iter().map(Span::plain).collect()
    }
}

/// A piece of a sentence. Text is plain: the adapter escapes all of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Span {
    /// Words.
    Text(String),
    /// Words that stand out.
    Strong(String),
    /// Something to type.
    Code(String),
    /// A point in time, in the reader's own zone where the platform can.
    Time(Timestamp, TimeStyle),
    /// Words that lead somewhere.
    Link(String, String),
}

/// How a point in time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeStyle {
    /// Date and time.
    DateTime,
    /// "5 minutes ago", where the platform keeps it true; else date and time.
    Relative,
}

impl Span {
    /// Without markup; times in UTC.
    pub fn plain(&self) -> String {
        match self {
            Self::Text(text) | Self::Strong(text) | Self::Code(text) => text.clone(),
            Self::Time(at, _) => Zone::UTC.words(*at),
            Self::Link(text, url) => format!("{text} ({url})"),
        }
    }
}

/// Builds the spans of one sentence.
#[derive(Default)]
pub(super) struct Spans(Vec<Span>);

impl Spans {
    pub(super) fn text(&mut self, text: impl Into<String>) -> &mut Self {
        self.0.push(Span::Text(text.into()));
        self
    }

    pub(super) fn strong(&mut self, text: impl Into<String>) -> &mut Self {
        self.0.push(Span::Strong(text.into()));
        self
    }

    pub(super) fn code(&mut self, text: impl Into<String>) -> &mut Self {
        self.0.push(Span::Code(text.into()));
        self
    }

    pub(super) fn time(&mut self, at: Timestamp, style: TimeStyle) -> &mut Self {
        self.0.push(Span::Time(at, style));
        self
    }

    pub(super) fn link(&mut self, text: impl Into<String>, url: impl Into<String>) -> &mut Self {
        self.0.push(Span::Link(text.into(), url.into()));
        self
    }
}

/// What every platform can show: a title, lines, named fields, a link and a footer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// Its colour or sign.
    pub tone: Tone,
    /// Its first line, in bold.
    pub title: Phrase,
    /// What follows, a line each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lines: Vec<Phrase>,
    /// Named values.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub fields: Vec<(Phrase, Phrase)>,
    /// Where to read more: https, already checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Small print.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub footer: Option<Phrase>,
    /// What goes with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<CardFile>,
    /// What was said before and is not so: above everything else, struck through.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub struck: Option<Box<Phrase>>,
    /// What can be pressed beneath it, a few at most.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub buttons: Vec<Button>,
    /// By whose clock its times go where the platform shows none of its reader's own; chosen on the way out.
    #[serde(skip)]
    pub clock: Zone,
}

impl Card {
    /// A card with a title alone.
    pub fn new(tone: Tone, title: Phrase) -> Self {
        Self {
            tone,
            title,
            lines: Vec::new(),
            fields: Vec::new(),
            link: None,
            footer: None,
            file: None,
            struck: None,
            buttons: Vec::new(),
            clock: Zone::UTC,
        }
    }

    /// The same without a picture: what is said is in the card. A text that was asked for stays.
    #[must_use]
    pub fn without_picture(mut self) -> Self {
        self.file = self.file.filter(|file| matches!(file, CardFile::Text { .. }));
        self
    }

    /// Its picture.
    pub fn picture(&self) -> Option<&Picture> {
        match &self.file {
            Some(CardFile::Picture(picture)) => Some(picture),
            _ => None,
        }
    }

    /// The whole card without markup, a line each: for the terminal, logs and tests.
    pub fn plain(&self) -> String {
        let mut lines: Vec<_> = self.struck.iter().map(|struck| format!("~~{}~~", struck.plain())).collect();
        lines.push(self.title.plain());
        lines.extend(self.lines.iter().map(Phrase::plain));
        lines.extend(self.fields.iter().map(|(name, value)| format!("{}: {}", name.plain(), value.plain())));
        lines.extend(self.link.clone());
        lines.extend(self.footer.as_ref().map(Phrase::plain));
        lines.extend(self.file.as_ref().map(|file| format!("[{}]", file.name())));
        lines.join("\n")
    }
}

/// What a card is about at a glance.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tone {
    /// A turn to bullish.
    Bullish,
    /// A turn to bearish.
    Bearish,
    /// Neither.
    Neutral,
    /// Done as asked.
    Success,
    /// Refused, or something is wrong.
    Problem,
}

impl Tone {
    /// That of what goes or points this way.
    pub const fn of(way: Option<Way>) -> Self {
        match way {
            Some(Way::Up) => Self::Bullish,
            Some(Way::Down) => Self::Bearish,
            None => Self::Neutral,
        }
    }
}
