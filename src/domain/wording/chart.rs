//! What stands in a picture, and what is said of it to whoever does not see it.
#![expect(missing_docs, reason = "the sentence names its arguments")]

use super::{
    Phrase, ReplyPhrase, Spans, Standing, TokenLabel,
    call::{capital, noun, signals},
    reply::counted,
};
use crate::domain::{Kind, Since, Stance, Timestamp};
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
        let Self { token, kind, from, to, call, turns, value } = self;
        let turns = match turns {
            0 => "did not turn".to_owned(),
            1 => "turned once".to_owned(),
            turns => format!("turned {}", counted(*turns as u64, "time")),
        };
        format!(
            "Chart of the {} of {} from {from} to {to}. Now: {call}. The {} {turns} in that time. {}.",
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
