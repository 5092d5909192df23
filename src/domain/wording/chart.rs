//! What stands in a picture, and what is said of it to whoever does not see it.
#![expect(missing_docs, reason = "the sentence names its arguments")]

use super::{
    Phrase, ReplyPhrase, Spans, Standing, TokenLabel,
    call::{capital, near_words, noun, short_number, signals},
    reply::counted,
};
use crate::domain::{Kind, Near, Since, Stance, Timestamp, Way};
use serde::{Deserialize, Serialize};

/// Words of a picture. Times are words already: a picture is made for a reader's zone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChartPhrase {
    /// Beside the symbol.
    About {
        name: Option<String>,
        kind: Kind,
    },
    /// The call of now, since when, and whether that is exact.
    Call {
        stance: Option<Stance>,
        since: Option<(String, bool)>,
    },
    /// The line shows prices.
    Dollars,
    /// The line shows how the price changed; the price itself is not known.
    ChangeSince {
        when: String,
    },
    /// There is no line.
    NoPrices,
    /// Where the price meets a level next: above it resistance, below it support. Beyond is what the picture does not reach.
    Level {
        side: Way,
        price: String,
        is_beyond: bool,
    },
    /// How the token is graded; nothing where neither is known.
    Graded {
        label: Option<String>,
        grade: Option<f64>,
    },
    /// How long a call stood.
    Lasted {
        kind: Kind,
        from: Timestamp,
        until: Timestamp,
    },
    /// Whose hours they are.
    TimesIn {
        zone: String,
    },
    DaysInUtc,
    /// The whole picture in a sentence.
    Alt(Box<Seen>),
}

/// What whoever sees a picture learns from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    pub token: TokenLabel,
    pub kind: Kind,
    pub from: String,
    pub to: String,
    /// The call of now.
    pub call: String,
    pub turns: usize,
    /// What the line shows, and where it ends.
    pub value: String,
    /// How the token is graded.
    #[serde(default)]
    pub grade: Option<String>,
    /// The levels next to the price.
    #[serde(default)]
    pub near: Option<Near>,
}

impl ChartPhrase {
    pub(super) fn english(&self, out: &mut Spans) {
        match self {
            Self::About { name: Some(name), kind } => out.text(format!("{name}, {}", signals(*kind))),
            Self::About { name: None, kind } => out.text(signals(*kind)),
            Self::Call { stance: None, .. } => out.text("no call yet"),
            Self::Call { stance: Some(stance), since: None } => out.text(stance.to_string()),
            Self::Call { stance: Some(stance), since: Some((when, exact)) } => {
                out.text(format!("{stance} since {}{when}", if *exact { "" } else { "before " }))
            }
            Self::Dollars => out.text("price, US$"),
            Self::ChangeSince { when } => out.text(format!("price change since {when}")),
            Self::NoPrices => out.text("no prices known"),
            Self::Level { side: Way::Up, price, is_beyond } => {
                out.text(format!("resistance {price}{}", if *is_beyond { " ↑" } else { "" }))
            }
            Self::Level { side: Way::Down, price, is_beyond } => out.text(format!("support {price}{}", if *is_beyond { " ↓" } else { "" })),
            Self::Graded { label, grade } => {
                let words = [label.clone(), grade.map(short_number)].into_iter().flatten().collect::<Vec<_>>().join(" ");
                out.text(if words.is_empty() { words } else { format!("grade {words}") })
            }
            Self::Lasted { kind, from, until } => {
                let standing = Standing { since: Since { at: *from, exact: true }, until: *until };
                out.text(standing.words(*kind))
            }
            Self::TimesIn { zone } => out.text(format!("times in {zone}")),
            Self::DaysInUtc => out.text("days in UTC"),
            Self::Alt(seen) => out.text(seen.english()),
        };
    }
}

impl Seen {
    fn english(&self) -> String {
        let Self { token, kind, from, to, call, turns, value, grade, near } = self;
        let turns = match turns {
            0 => "did not turn".to_owned(),
            1 => "turned once".to_owned(),
            turns => format!("turned {}", counted(*turns as u64, "time")),
        };
        let besides = [grade.as_deref().map(capital), near.map(|near| capital(&near_words(near)))];
        let besides: String = besides.into_iter().flatten().map(|words| format!(" {words}.")).collect();
        format!(
            "Chart of the {} of {} from {from} to {to}. Now: {call}. The {} {turns} in that time. {}.{besides}",
            signals(*kind),
            token.words(),
            noun(*kind),
            capital(value)
        )
    }
}

impl From<ChartPhrase> for Phrase {
    fn from(phrase: ChartPhrase) -> Self {
        Self::Reply(ReplyPhrase::Chart(phrase))
    }
}
