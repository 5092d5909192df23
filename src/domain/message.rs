//! What is sent: structure, not text. It is stored as it is and rendered in the reader's own way when it leaves.

use super::{
    AlertId, AlertSubject, ButtonsId, Crossing, Delivery, Kind, Mover, Scorecard, Since, Stance, Timestamp, TokenId, Way, WeekReview,
    wording::{Button, CallPhrase, Card, Phrase, ReplyPhrase, ScorecardPhrase, Tone},
};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, time::Duration};

/// What a message says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum MessageBody {
    /// One turn or one correction.
    Alert {
        /// Which.
        call: Call,
        /// What can be pressed beneath it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        buttons: Option<ButtonsId>,
        /// What was said instead, where this corrects it (C2).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instead_of: Option<Box<Call>>,
    },
    /// Several at once, a line each (`rules.md` 3.3).
    Summary {
        /// Why they come together.
        cause: SummaryCause,
        /// How many there are in all parts.
        total: usize,
        /// Those of this part, in order.
        calls: Vec<Call>,
        /// Beyond 25: symbols under a heading instead of lines.
        compact: bool,
        /// Changes that are too old to be told, after the chat could not be reached for long (K2).
        #[serde(default, skip_serializing_if = "is_none")]
        older: usize,
    },
    /// What changed in the time that the reader chose (D3).
    Digest {
        /// How often they come: the longest of those that came together.
        delivery: Delivery,
        /// How many calls there are in all parts.
        total: usize,
        /// How a call is shown.
        form: DigestForm,
        /// Those of this part, ordered so that what stands under one heading stands together.
        calls: Vec<Call>,
        /// What the last part of a weekly one says besides.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        review: Option<Box<WeekReview>>,
    },
    /// An answer or a notice.
    Card {
        /// What it says.
        card: Card,
    },
}

/// Why several calls are one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SummaryCause {
    /// They came at once.
    AtOnce,
    /// They were held by the hourly limit, a cooldown or a mute.
    Held,
    /// They were held by quiet hours.
    QuietHours,
    /// They happened while the bot was away (2.8).
    WhileAway,
    /// Nothing of what happened while the chat could not be reached is still to be told (K2).
    OutOfReach,
}

/// As serde asks it.
const fn is_none(count: &usize) -> bool {
    *count == 0
}

/// How a digest shows its calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DigestForm {
    /// A line each.
    Lines,
    /// Symbols that lead to the tokens' pages.
    Links,
    /// Symbols alone.
    Symbols,
}

/// The net result for one token and kind, as it is told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Call {
    /// Whose.
    pub token: TokenId,
    /// Its symbol at that time, cleaned.
    pub symbol: String,
    /// Which signal.
    pub kind: Kind,
    /// What happened, net.
    pub outcome: Outcome,
    /// What the reader was told last, or what it was before.
    pub from: Option<Stance>,
    /// Since when it had been so.
    pub since: Option<Since>,
    /// What it is now.
    pub to: Stance,
    /// The time of the row that says so.
    pub data_time: Timestamp,
    /// When it was seen.
    pub seen_at: Timestamp,
    /// How often it turned in between without being told (2.4).
    pub flips: u32,
    /// Rows before it are missing (1.2).
    pub after_gap: bool,
    /// The trader grade of the same row.
    pub trader_grade: Option<f64>,
    /// The part of a fundamental grade that moved most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mover: Option<Mover>,
    /// The levels that the price crossed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crossing: Option<Box<Crossing>>,
    /// Where to read more.
    pub link: Option<String>,
}

/// What a reader learns of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It turned.
    Turned,
    /// It turned too often: nothing more is told until it has settled (F1).
    Unstable,
    /// It was unstable and has settled (F3).
    Settled,
    /// What was said before was wrong.
    Corrected,
    /// It turned and turned back before it was told.
    FlippedBack,
}

/// What a message does about an earlier one of the same chat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Follows {
    /// What the platform calls the earlier one.
    pub platform_id: String,
    /// How.
    pub how: FollowsHow,
}

/// How a message goes with an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FollowsHow {
    /// It takes its place; where the platform refuses that, it becomes a reply.
    Edits,
    /// It stands beneath it, or by itself where that is gone.
    Replies,
}

/// The roles that a message mentions (Discord), by id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mention(pub Vec<String>);

impl MessageBody {
    /// The message as a card: title, lines, fields, link. Every platform renders the same card in its own markup.
    pub fn to_card(&self) -> Card {
        match self {
            Self::Alert { call, buttons, instead_of } => Card {
                struck: instead_of.as_ref().map(|was| Box::new(was.line())),
                buttons: buttons.iter().flat_map(Button::of_alert).collect(),
                ..call.to_card()
            },
            Self::Summary { cause, total, calls, compact, older } => {
                let mut card = summary_card(*cause, *total, calls, *compact);
                card.lines.extend((*older > 0).then_some(Phrase::Call(CallPhrase::Older { count: *older })));
                card
            }
            Self::Digest { delivery, total, form, calls, review } => {
                let mut card = digest_card(*delivery, *total, *form, calls);
                if let Some(review) = review {
                    card.lines.extend(review_lines(review));
                    card.footer = Some(ReplyPhrase::NotAdvice.into());
                }
                card
            }
            Self::Card { card } => card.clone(),
        }
    }

    /// The calls that it tells.
    pub fn calls(&self) -> &[Call] {
        match self {
            Self::Alert { call, .. } => std::slice::from_ref(call),
            Self::Summary { calls, .. } | Self::Digest { calls, .. } => calls,
            Self::Card { .. } => &[],
        }
    }

    /// Those of which the reader knows from then on what the source thinks.
    pub fn stances(&self) -> impl Iterator<Item = &Call> {
        self.calls().iter().filter(|call| call.tells_stance())
    }
}

impl MessageBody {
    /// The buttons beneath it, and what they are about, where it tells these alerts.
    pub fn buttons(&self, alerts: &[AlertId]) -> Option<(&ButtonsId, AlertSubject)> {
        match self {
            Self::Alert { call, buttons: Some(id), .. } => {
                let alert = alerts.iter().copied().max();
                Some((id, AlertSubject { token: call.token, kind: call.kind, alert }))
            }
            _ => None,
        }
    }

    /// The same without the file that goes with it; nothing where there is none.
    pub fn without_file(&self) -> Option<Self> {
        match self {
            Self::Card { card: Card { file: Some(_), .. } } => Some(Self::Card { card: Card { file: None, ..self.to_card() } }),
            _ => None,
        }
    }
}

impl Call {
    /// Its title: `SOL turned bullish`.
    pub fn title(&self) -> Phrase {
        let symbol = self.symbol.clone();
        Phrase::Call(match self.outcome {
            Outcome::Turned => CallPhrase::Turned { symbol, from: self.from, to: self.to },
            Outcome::Unstable => CallPhrase::Unstable { symbol, to: self.to },
            Outcome::Settled => CallPhrase::Settled { symbol, to: self.to, turned: self.from != Some(self.to) },
            Outcome::Corrected => CallPhrase::Corrected { symbol, to: self.to },
            Outcome::FlippedBack => CallPhrase::FlippedBack { symbol, to: self.to },
        })
    }

    /// How old the data was when it was seen, where that is more than two of its periods (S1).
    fn age_if_stale(&self) -> Option<Duration> {
        let age = self.seen_at.since(self.data_time);
        let is_news = matches!(self.outcome, Outcome::Turned | Outcome::Unstable) && matches!(self.kind, Kind::Daily | Kind::Hourly);
        (is_news && age > 2 * self.kind.period()).then_some(age)
    }

    fn to_card(&self) -> Card {
        let mut card = Card::new(self.tone(), self.title());
        card.lines.push(self.when());
        card.lines
            .extend(self.age_if_stale().map(|age| Phrase::Call(CallPhrase::AsOf { kind: self.kind, data_time: self.data_time, age })));
        if !matches!(self.to, Stance::Beyond(_)) {
            card.lines.push(Phrase::Call(CallPhrase::Before { from: self.from, since: self.since, kind: self.kind }));
        }
        match self.outcome {
            Outcome::Unstable => card.lines.push(Phrase::Call(CallPhrase::QuietUntilSettled { kind: self.kind })),
            Outcome::Settled => card.lines.push(Phrase::Call(CallPhrase::HasStood { kind: self.kind })),
            Outcome::Turned | Outcome::Corrected | Outcome::FlippedBack => {}
        }
        if self.flips > 0 {
            card.lines.push(Phrase::Call(CallPhrase::FlipsBetween { count: self.flips }));
        }
        if self.after_gap {
            card.lines.push(Phrase::Call(CallPhrase::AfterGap));
        }
        if let Some(grade) = self.trader_grade {
            card.lines.push(Phrase::Call(CallPhrase::grade(self.kind, grade)));
        }
        if let (Some(crossing), Stance::Beyond(line)) = (&self.crossing, self.to) {
            card.lines.push(Phrase::Call(CallPhrase::Crossed { way: line.way(), levels: crossing.levels.clone() }));
            card.lines.push(Phrase::Call(CallPhrase::NextLevels { near: crossing.near }));
        }
        card.lines.extend(self.mover.map(|mover| Phrase::Call(CallPhrase::MovedMost { mover })));
        card.link = self.link.clone();
        card
    }

    /// Which way it goes for the reader: from what was told last, or where it still points after it went there and back.
    pub fn way(&self) -> Option<Way> {
        match self.outcome {
            Outcome::FlippedBack | Outcome::Settled => self.to.outlook(),
            Outcome::Turned | Outcome::Unstable | Outcome::Corrected => self.to.way_from(self.from),
        }
    }

    /// Whether the reader knows from then on what the source thinks. Of a threshold that was crossed nothing is to be remembered.
    pub const fn tells_stance(&self) -> bool {
        !(self.kind.is_graded() && matches!(self.to, Stance::Beyond(_)))
    }

    /// What it has in common with those that stand under the same heading.
    pub fn heading(&self) -> (Outcome, Option<Way>, Stance) {
        (self.outcome, self.way(), self.to)
    }

    fn tone(&self) -> Tone {
        Tone::of(self.way())
    }

    fn when(&self) -> Phrase {
        Phrase::Call(match &self.crossing {
            Some(crossing) => CallPhrase::ByPrice { price: crossing.price, at: self.data_time },
            None => CallPhrase::When { kind: self.kind, data_time: self.data_time, seen_at: self.seen_at },
        })
    }

    fn digest_line(&self) -> Phrase {
        let (title, link) = (Box::new(self.title()), self.link.clone());
        Phrase::Call(CallPhrase::DigestLine { title, link, kind: self.kind, data_time: self.data_time, flips: self.flips })
    }

    fn line(&self) -> Phrase {
        Phrase::Call(CallPhrase::Line { title: Box::new(self.title()), kind: self.kind, data_time: self.data_time, flips: self.flips })
    }
}

fn summary_card(cause: SummaryCause, total: usize, calls: &[Call], compact: bool) -> Card {
    let mut card = Card::new(Tone::Neutral, Phrase::Call(CallPhrase::SummaryTitle { cause, total }));
    if compact {
        let mut groups: BTreeMap<_, Vec<(String, Kind)>> = BTreeMap::new();
        for call in calls {
            groups.entry(call.heading()).or_default().push((call.symbol.clone(), call.kind));
        }
        let lines = groups.into_iter().map(|((outcome, way, to), symbols)| CallPhrase::Symbols { to, way, outcome, symbols });
        card.lines.extend(lines.map(Phrase::Call));
    } else {
        card.lines.extend(calls.iter().map(Call::line));
    }
    card
}

fn review_lines(review: &WeekReview) -> Vec<Phrase> {
    let WeekReview { rose, fell, scorecards } = review;
    let moves = (!rose.is_empty() || !fell.is_empty()).then(|| ScorecardPhrase::Week { rose: rose.clone(), fell: fell.clone() }.into());
    let of_kind =
        |card: &Scorecard| std::iter::once(ScorecardPhrase::Head { kind: card.kind }.into()).chain(ScorecardPhrase::records(card));
    moves.into_iter().chain(scorecards.iter().flat_map(of_kind)).collect()
}

fn digest_card(delivery: Delivery, total: usize, form: DigestForm, calls: &[Call]) -> Card {
    let mut card = Card::new(Tone::Neutral, Phrase::Call(CallPhrase::DigestTitle { delivery, total }));
    for group in calls.chunk_by(|one, next| (one.heading(), one.kind) == (next.heading(), next.kind)) {
        let Some(call) = group.first() else { continue };
        let ((outcome, way, to), kind) = (call.heading(), call.kind);
        let link = |call: &Call| call.link.clone().filter(|_| form == DigestForm::Links);
        let symbols = match form {
            DigestForm::Lines => Vec::new(),
            DigestForm::Links | DigestForm::Symbols => group.iter().map(|call| (call.symbol.clone(), link(call))).collect(),
        };
        let count = group.len();
        card.lines.push(Phrase::Call(CallPhrase::DigestGroup { to, way, outcome, kind, count, symbols }));
        if form == DigestForm::Lines {
            card.lines.extend(group.iter().map(Call::digest_line));
        }
    }
    card
}
/// A message that went out a moment ago, as a platform's limits count it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentLately {
    /// The chat.
    pub chat: String,
    /// Whether it answered a command.
    pub is_reply: bool,
    /// When the platform's answer came; `None` where nobody knows.
    pub ended_at: Option<Timestamp>,
}
