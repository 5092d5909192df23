//! What `/history` says of a token's past.
#![expect(missing_docs, reason = "the sentence names its arguments")]

use super::{
    Spans,
    call::{capital, data_time_words, line_words, price_words},
    reply::counted,
};
use crate::domain::{Kind, Line, Since, Stance, Timestamp};
use serde::{Deserialize, Serialize};

/// A sentence about the past of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HistoryPhrase {
    /// How long the call of now has stood, and the head of the list.
    Head { kind: Kind, now: Option<(Stance, Standing)>, changes: usize, more: bool },
    /// One change; `stood` is how long the call before it did.
    Turned { kind: Kind, data_time: Timestamp, from: Option<Stance>, to: Stance, stood: Option<Standing> },
    /// A final row that was restated.
    Corrected { kind: Kind, data_time: Timestamp, from: Option<Stance>, to: Stance },
    /// The price crossed levels; so many beside the one that is named.
    Crossed { data_time: Timestamp, line: Line, price: f64, others: usize },
    /// The call is known and never changed.
    NoChange,
    /// Nobody follows the token.
    NothingKnown,
    /// The prices of the picture came too late for it.
    PricesSoon,
}

/// How long a call stood.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// From the row that set it, where that was seen; else from the oldest that showed it.
    pub since: Since,
    /// To the row that ended it, or to now.
    pub until: Timestamp,
}

impl HistoryPhrase {
    pub(super) fn english(&self, out: &mut Spans) {
        match self {
            Self::Head { kind, now, changes, more } => {
                if let Some((stance, standing)) = now {
                    out.text(format!("{} for {}. ", capital(&stance.to_string()), standing.words(*kind)));
                }
                match (changes, more) {
                    (1, false) => out.text("One change so far:"),
                    (_, false) => out.text(format!("{} so far, the newest first:", counted(*changes as u64, "change"))),
                    (_, true) => out.text(format!("The last {changes} changes, the newest first:")),
                };
            }
            Self::Turned { kind, data_time, from, to, stood } => {
                data_time_words(out, *kind, *data_time);
                turn(out, *from, *to);
                if let Some(stood) = stood {
                    out.text(format!(", after {}", stood.words(*kind)));
                }
            }
            Self::Corrected { kind, data_time, from, to } => {
                data_time_words(out, *kind, *data_time);
                turn(out, *from, *to);
                out.text(" (correction)");
            }
            Self::Crossed { data_time, line, price, others } => {
                data_time_words(out, Kind::Levels, *data_time);
                out.text(": ").strong(line_words(*line)).text(format!(", by the price of {}", price_words(*price)));
                out.text(if *others == 0 { String::new() } else { format!(", and {}", counted(*others as u64, "more level")) });
            }
            Self::NoChange => {
                out.text("It has not changed since I first saw it.");
            }
            Self::NothingKnown => {
                out.text("I have no history of this, because nobody here follows it.");
            }
            Self::PricesSoon => {
                out.text("The prices of its chart are being asked for: type this again in a minute.");
            }
        }
    }
}

fn turn(out: &mut Spans, from: Option<Stance>, to: Stance) {
    match from {
        Some(from) => out.text(format!(": {from} → ")).strong(to.to_string()),
        None => out.text(": first call, ").strong(to.to_string()),
    };
}

impl Standing {
    /// `12 days`, `at least 5 hours`.
    pub(super) fn words(self, kind: Kind) -> String {
        let hours = self.until.since(self.since.at).as_secs() / 3600;
        let length = match (kind, hours) {
            (Kind::Hourly, 0) => return "less than an hour".to_owned(),
            (Kind::Hourly, 1..48) => counted(hours, "hour"),
            (_, 0..24) => return "less than a day".to_owned(),
            (_, hours) => counted(hours / 24, "day"),
        };
        if self.since.exact { length } else { format!("at least {length}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_stood_for_whole_hours_or_days() {
        let at = |text| Timestamp::parse(text).unwrap();
        let stood = |kind, from, until, exact| Standing { since: Since { at: at(from), exact }, until: at(until) }.words(kind);
        assert_eq!(stood(Kind::Daily, "2026-11-09", "2026-11-21", true), "12 days");
        assert_eq!(stood(Kind::Daily, "2026-11-20", "2026-11-21", false), "at least 1 day");
        assert_eq!(stood(Kind::Daily, "2026-11-21", "2026-11-21", false), "less than a day");
        assert_eq!(stood(Kind::Hourly, "2026-11-20", "2026-11-21T23:00:00Z", true), "47 hours");
        assert_eq!(stood(Kind::Hourly, "2026-11-19", "2026-11-21", true), "2 days");
        assert_eq!(stood(Kind::Hourly, "2026-11-21", "2026-11-21T00:30:00Z", false), "less than an hour");
    }
}
