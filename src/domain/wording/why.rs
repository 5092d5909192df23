//! What `/why` says: the way of an alert, or what stood in it.
#![expect(missing_docs, reason = "the sentence names its arguments")]

use super::{
    Spans, TimeStyle, TokenLabel,
    call::{change_words, data_time_words, noun, price_words, short_number},
    reply::counted,
};
use crate::domain::{KEPT_DAYS, Kind, Reason, Stance, Timestamp};
use serde::{Deserialize, Serialize};

/// A sentence about the way of an alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyPhrase {
    /// Titles: the last change of a token, and whose way it is.
    Turned {
        token: Box<TokenLabel>,
        kind: Kind,
        from: Option<Stance>,
        to: Stance,
        label: Option<Box<str>>,
    },
    Corrected {
        token: TokenLabel,
        kind: Kind,
        to: Stance,
        label: Option<Box<str>>,
    },
    /// The title of a message that told several.
    Message {
        changes: usize,
    },
    /// One of them.
    Part {
        symbol: String,
        kind: Kind,
        from: Option<Stance>,
        to: Stance,
        is_correction: bool,
        polled_at: Timestamp,
        held_until: Option<Timestamp>,
        reason: Reason,
    },
    /// Those that are not shown.
    More {
        changes: usize,
    },
    /// The row that said so.
    Row {
        kind: Kind,
        data_time: Timestamp,
        from: Option<Stance>,
        to: Stance,
    },
    /// The number crossed a line.
    Crossed {
        kind: Kind,
        data_time: Timestamp,
        line: Stance,
        number: Option<f64>,
    },
    /// It was final and said something else before.
    Restated {
        kind: Kind,
        data_time: Timestamp,
        from: Option<Stance>,
        to: Stance,
    },
    /// The poll that saw it.
    Seen {
        polled_at: Timestamp,
        detected_at: Timestamp,
    },
    /// There is no alert, because …
    History,
    UnderWay,
    NotSubscribed,
    NotInAll {
        all_tokens: u32,
    },
    Excluded,
    SubscribedLater {
        at: Timestamp,
    },
    EndedSince,
    /// Nothing stood in its way.
    AtOnce {
        reason: Reason,
        at: Timestamp,
    },
    /// It was held, or still is.
    Held {
        reason: Reason,
        until: Timestamp,
    },
    Waits {
        reason: Reason,
        until: Timestamp,
    },
    /// It was told to be unstable, and is followed by what it settles to.
    Settles {
        until: Timestamp,
    },
    /// It was not wanted.
    Skipped {
        reason: Reason,
    },
    /// The message.
    Composed {
        at: Timestamp,
        others: u32,
    },
    /// It says how many there were, and not what.
    OnlyCounted {
        at: Timestamp,
    },
    Sent {
        at: Timestamp,
        attempts: u32,
    },
    Queued {
        attempts: u32,
    },
    Dead,
    Dropped,
    /// Only the last change is explained.
    NothingChanged,
}

impl WhyPhrase {
    pub(super) fn english(&self, out: &mut Spans) {
        match self {
            Self::Turned { token, kind, from, to, label } => {
                out.text(format!("Why: {} {} ({kind}){}", token.short(), change_words(*from, *to), told_where(label.as_deref())));
            }
            Self::Corrected { token, kind, to, label } => {
                out.text(format!("Why: {} was corrected to {to} ({kind}){}", token.short(), told_where(label.as_deref())));
            }
            Self::Message { changes } => {
                out.text(format!("Why: this message tells {}", counted(*changes as u64, "change")));
            }
            Self::Part { symbol, kind, from, to, is_correction, polled_at, held_until, reason } => {
                out.strong(symbol.clone());
                out.text(if *is_correction { format!(" was corrected to {to}") } else { format!(" {}", change_words(*from, *to)) });
                out.text(format!(" ({kind}). Asked for ")).time(*polled_at, TimeStyle::DateTime);
                if let Some(until) = held_until {
                    out.text(", held until ").time(*until, TimeStyle::DateTime);
                }
                out.text(format!(": {}.", because(*reason)));
            }
            Self::More { changes } => {
                out.text(format!("And {}. To see those of one token, name it as well.", counted(*changes as u64, "other")));
            }
            Self::Row { kind, data_time, from, to } => {
                out.text(format!("The {} of ", noun(*kind)));
                data_time_words(out, *kind, *data_time);
                out.text(format!(" is {to}; {}.", before(*from)));
            }
            Self::Crossed { kind: Kind::Levels, data_time, line, number } => {
                out.text("The price of ");
                data_time_words(out, Kind::Levels, *data_time);
                let is = number.map(|number| format!(" is {}:", price_words(number))).unwrap_or_default();
                out.text(format!("{is} it {}.", change_words(None, *line)));
            }
            Self::Crossed { kind, data_time, line, number } => {
                out.text(format!("The number beside the {} of ", noun(*kind)));
                data_time_words(out, *kind, *data_time);
                let is = number.map(|number| format!(" is {}:", short_number(number))).unwrap_or_default();
                out.text(format!("{is} it crossed {line}."));
            }
            Self::Restated { kind, data_time, from, to } => {
                out.text("The source restated its call of ");
                data_time_words(out, *kind, *data_time);
                out.text(format!(": {to}; {}.", before(*from)));
            }
            Self::Seen { polled_at, detected_at } => {
                out.text("Asked for ")
                    .time(*polled_at, TimeStyle::DateTime)
                    .text(", compared ")
                    .time(*detected_at, TimeStyle::DateTime)
                    .text(".");
            }
            Self::History => {
                out.text("It is from before I began to watch this token: history keeps it, and nobody was told.");
            }
            Self::UnderWay => {
                out.text("It is being passed on right now: ask again in a minute.");
            }
            Self::NotSubscribed => {
                out.text("Nothing was sent here: nobody subscribed to it here.");
            }
            Self::NotInAll { all_tokens } => {
                out.text(format!("Nothing was sent here: it is not one of the {all_tokens} tokens that "))
                    .code("all")
                    .text(" means at present.");
            }
            Self::Excluded => {
                out.text("Nothing was sent here: it is left out of ").code("all").text(" here.");
            }
            Self::SubscribedLater { at } => {
                out.text("Nothing was sent here: the subscription began ").time(*at, TimeStyle::DateTime).text(", after that.");
            }
            Self::EndedSince => {
                out.text("Nothing was sent here: the subscription did not exist then in this form.");
            }
            Self::AtOnce { reason, at } => {
                out.text("Decided ").time(*at, TimeStyle::DateTime).text(format!(": {}.", because(*reason)));
            }
            Self::Held { reason, until } => {
                out.text("Held until ").time(*until, TimeStyle::DateTime).text(format!(": {}.", because(*reason)));
            }
            // Nobody knows when they will have shown it: the time is only when it is given up waiting for them.
            Self::Waits { reason: Reason::MorePolls, .. } => {
                out.text(format!("Still held, for the next polls, a week at most: {}.", because(Reason::MorePolls)));
            }
            Self::Waits { reason, until } => {
                out.text("Still held, until ").time(*until, TimeStyle::DateTime).text(format!(": {}.", because(*reason)));
            }
            Self::Settles { until } => {
                out.text("Told to be unstable; what it has settled to is told ")
                    .time(*until, TimeStyle::DateTime)
                    .text(", unless it turns again.");
            }
            Self::Skipped { reason } => {
                out.text(format!("Not sent: {}.", because(*reason)));
            }
            Self::Composed { at, others } => {
                out.text("Made into a message ").time(*at, TimeStyle::DateTime);
                out.text(if *others == 0 { ".".to_owned() } else { format!(", together with {}.", counted(u64::from(*others), "other")) });
            }
            Self::OnlyCounted { at } => {
                out.text(format!("It was over {KEPT_DAYS} days old by then: the message of "))
                    .time(*at, TimeStyle::DateTime)
                    .text(" only counts it among the changes that are in ")
                    .code("/history")
                    .text(".");
            }
            Self::Sent { at, attempts } => {
                out.text("Delivered ").time(*at, TimeStyle::DateTime);
                out.text(if *attempts < 2 { ".".to_owned() } else { format!(", at the {attempts}. attempt.") });
            }
            Self::Queued { attempts: 0 } => {
                out.text("It waits for its turn to be sent.");
            }
            Self::Queued { attempts } => {
                out.text(format!("It waits to be sent again after {}.", counted(u64::from(*attempts), "attempt")));
            }
            Self::Dead => {
                out.text("It could not be delivered. Operators see why and can send it again.");
            }
            Self::Dropped => {
                out.text("It could not be delivered, and an operator dropped it.");
            }
            Self::NothingChanged => {
                out.text("Its call has not changed since I first saw it: there was nothing to tell.");
            }
        }
    }
}

fn told_where(label: Option<&str>) -> String {
    label.map(|label| format!(", for {label}")).unwrap_or_default()
}

fn before(from: Option<Stance>) -> String {
    from.map_or_else(|| "no call was known before".to_owned(), |from| format!("before, it was {from}"))
}

/// Why it was decided so.
fn because(reason: Reason) -> &'static str {
    match reason {
        Reason::Instant => "it is wanted at once, and nothing stood against it",
        Reason::Correction => "a correction is told whatever the limits say",
        Reason::Late => "it was old news already, which is told in one summary",
        Reason::Cooldown => "this token was told of shortly before (cooldown)",
        Reason::HourlyCap => "the messages of that hour were used up (max_per_hour)",
        Reason::Muted => "it was muted here",
        Reason::QuietHours => "it is quiet here at those hours (quiet_hours)",
        Reason::Digest => "it is wanted in a digest (delivery)",
        Reason::Confirmation => "a turn has to stand for a while first here (confirmation)",
        Reason::MorePolls => "more polls have to show it first here (confirmation)",
        Reason::NotConfirmed => "it turned back before it was confirmed (confirmation)",
        Reason::Flapping => "it turned too often, and is told of once it has settled",
        Reason::Quarantined => "this chat could not be reached",
        Reason::Stale => "it could not be sent while it was news",
        Reason::NetZero => "the call turned back before it was told; that is a line of the next summary",
        Reason::Overtaken => "it could not be delivered, and the call had changed once more before it was tried again",
        Reason::Direction => "only the other direction is wanted here",
        Reason::Unsubscribed => "the subscription had ended by then",
        Reason::Excluded => "the token is left out of all here",
        Reason::Threshold => "the threshold had been moved or removed by then",
        Reason::Superseded => "a correction came before it was told",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::wording::Phrase;

    #[test]
    fn what_waits_for_polls_has_no_time() {
        let waits = |reason| Phrase::from(WhyPhrase::Waits { reason, until: Timestamp::default() }).plain();
        assert_eq!(
            waits(Reason::MorePolls),
            "Still held, for the next polls, a week at most: more polls have to show it first here (confirmation)."
        );
        assert!(waits(Reason::Muted).starts_with("Still held, until 1 Jan 1970"));
    }
}
