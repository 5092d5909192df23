//! What answers about subscriptions say.
#![expect(missing_docs, reason = "the sentence names its arguments")]

use super::{
    Spans, TimeStyle, TokenLabel,
    call::{capital, data_time_words, near_words, noun, price_words, signals},
    reply::counted,
};
use crate::domain::{Cadence, Delivery, Direction, Kind, Line, Near, Since, Stance, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// A sentence about subscriptions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubscribingPhrase {
    Subscribed {
        kind: Kind,
        direction: Direction,
    },
    /// A token that was taken, and its call now.
    TokenNow {
        token: TokenLabel,
        kind: Kind,
        stance: Option<Stance>,
        since: Option<Since>,
    },
    /// A token that was taken, and where its price is among its levels.
    LevelsNow {
        token: TokenLabel,
        price: f64,
        near: Near,
    },
    /// The same for many at once.
    TokensNow {
        tokens: Vec<TokenLabel>,
        kind: Kind,
        stance: Option<Stance>,
    },
    /// A line that was drawn.
    Crossing {
        line: Line,
    },
    AllTokens {
        limit: u32,
    },
    /// Exclusions from `all` that stay.
    LeftOut {
        tokens: Vec<TokenLabel>,
        more: u64,
    },
    /// These were subscribed already: what was set before was replaced.
    Replaced {
        words: Vec<String>,
    },
    ToldHere,
    ToldByDirectMessage,
    ToldIn {
        label: String,
    },
    MentionsRole,
    /// Cadence and next poll of a kind.
    NextPoll {
        kind: Kind,
        cadence: Cadence,
        next: Option<Timestamp>,
    },
    /// Nobody asked for this kind before: what is planned for it.
    FirstPoll {
        kind: Kind,
        cadence: Cadence,
    },
    /// How often instead, once the source serves what it refuses.
    OnceServed {
        refused: Vec<Kind>,
        cadence: Cadence,
    },
    CallsLeft {
        left: u32,
        budget: u32,
    },
    Unsubscribed,
    NothingToUnsubscribe,
    Removed {
        words: Vec<String>,
    },
    Excluded {
        words: Vec<String>,
    },
    NotSubscribed {
        words: Vec<String>,
    },
    RemovedAll {
        count: u32,
        kind: Option<Kind>,
    },
    /// Titles of lists.
    Own {
        count: u64,
    },
    OfPlace {
        label: String,
        count: u64,
    },
    OfServer {
        count: u64,
    },
    None,
    NoneInServer,
    /// One group of a list.
    Line {
        kind: Kind,
        direction: Direction,
        delivery: Delivery,
        threshold: Option<Line>,
        mentions: bool,
        all: Option<u32>,
        words: Vec<String>,
        more: u64,
    },
    /// The head of a channel's lines.
    Place {
        label: String,
    },
    MoreNotShown {
        count: u64,
    },
    TestTitle,
    TestBody,
    TestQueued {
        label: String,
    },
}

impl SubscribingPhrase {
    pub(super) fn english(&self, out: &mut Spans) {
        match self {
            Self::Subscribed { kind, direction } => out.text(format!("Subscribed to {}{}", signals(*kind), only(*direction))),
            Self::TokenNow { token, kind, stance, since } => {
                out.strong(token.words()).text(": ");
                call_now(out, *kind, *stance, *since);
                out
            }
            Self::LevelsNow { token, price, near } => {
                out.strong(token.words()).text(format!(": {}, {}", price_words(*price), near_words(*near)))
            }
            Self::TokensNow { tokens, kind: Kind::Levels, .. } => out.text(format!("Taken ({}): {}", tokens.len(), short_words(tokens))),
            Self::TokensNow { tokens, kind, stance } => {
                let head = stance.map_or_else(|| format!("No {} yet", noun(*kind)), |stance| format!("Now {stance}"));
                out.text(format!("{head} ({}): {}", tokens.len(), short_words(tokens)))
            }
            Self::Crossing { line } => out
                .text(format!("You are also told when the number crosses {line}: once, until it has been back by 3 % (at least 1 point).")),
            Self::AllTokens { limit } => out.strong("all").text(format!(": the first {limit} tokens by market cap")),
            Self::LeftOut { tokens, more } => out.text(format!("Left out of all, as before: {}{}", short_words(tokens), and_more(*more))),
            Self::Replaced { words } => out.text(format!("Subscribed before; replaced what was set for: {}", words.join(", "))),
            Self::ToldHere => out.text("Alerts come here."),
            Self::ToldByDirectMessage => out.text("Alerts come to you by direct message."),
            Self::ToldIn { label } => out.text(format!("Alerts go to {label}.")),
            Self::MentionsRole => out.text("Each alert mentions the role."),
            Self::NextPoll { kind, cadence, next } => {
                out.text(format!("{} are checked ", capital(signals(*kind))));
                cadence_words(out, cadence);
                if let Some(next) = next {
                    out.text("; next ").time(*next, TimeStyle::Relative);
                }
                out.text(".")
            }
            Self::FirstPoll { kind, cadence } => {
                out.text(format!("{} are checked ", capital(signals(*kind))));
                cadence_words(out, cadence);
                if matches!(cadence, Cadence::Every(_)) {
                    out.text("; the first check begins as soon as the call budget allows");
                }
                out.text(".")
            }
            Self::OnceServed { refused, cadence } => {
                cadence_words(out.text("That becomes "), cadence);
                let kinds: Vec<_> = refused.iter().map(|kind| signals(*kind)).collect();
                out.text(format!(" once the source serves {} too, which it refuses at present.", kinds.join(" and ")))
            }
            Self::CallsLeft { left, budget } => out.text(format!("API calls left this month: {left} of {budget}.")),
            Self::Unsubscribed => out.text("Unsubscribed"),
            Self::NothingToUnsubscribe => out.text("Nothing to unsubscribe; nothing was changed"),
            Self::Removed { words } => out.text(format!("No more alerts for: {}", words.join(", "))),
            Self::Excluded { words } => out.text(format!("Left out of all from now on: {}", words.join(", "))),
            Self::NotSubscribed { words } => out.text(format!("Not subscribed before: {}", words.join(", "))),
            Self::RemovedAll { count, kind } => {
                let of = kind.map(|kind| format!(" of {}", signals(kind))).unwrap_or_default();
                out.text(format!("Removed {}{of}.", counted(u64::from(*count), "subscription")))
            }
            Self::Own { count } => out.text(format!("You have {}", subscriptions(*count))),
            Self::OfPlace { label, count } => out.text(format!("{label} has {}", subscriptions(*count))),
            Self::OfServer { count } => out.text(format!("This server has {}", subscriptions(*count))),
            Self::None => out.text("Begin with ").code("/subscribe SOL,ETH").text("."),
            Self::NoneInServer => out.text("Begin with ").code("/channel subscribe").text("."),
            Self::Line { kind, direction, delivery, threshold, mentions, all, words, more } => {
                let line = threshold.map(|line| format!(", {line}")).unwrap_or_default();
                let role = if *mentions { ", mentions a role" } else { "" };
                let digest = if *delivery == Delivery::Instant { String::new() } else { format!(", {delivery}") };
                out.strong(format!("{kind}{line}{}{digest}{role}", only(*direction))).text(": ");
                match all {
                    Some(limit) => {
                        out.text(format!("all (the first {limit} by market cap)"));
                        if !words.is_empty() {
                            out.text(format!(", without {}{}", words.join(", "), and_more(*more)));
                        }
                        out
                    }
                    None => out.text(format!("{}{}", words.join(", "), and_more(*more))),
                }
            }
            Self::Place { label } => out.strong(label),
            Self::MoreNotShown { count } => out.text(format!("{count} more are not shown.")),
            Self::TestTitle => out.text("Test message"),
            Self::TestBody => out.text("Alerts for this channel arrive like this one. No call has changed."),
            Self::TestQueued { label } => out.text(format!("A test message is on its way to {label}")),
        };
    }
}

fn subscriptions(count: u64) -> String {
    if count == 0 { "no subscriptions yet".to_owned() } else { counted(count, "subscription") }
}

fn only(direction: Direction) -> String {
    match direction {
        Direction::Any => String::new(),
        one => format!(", {one} only"),
    }
}

/// `bullish since 14 Nov 2026`, or `no call yet`.
pub(super) fn call_now(out: &mut Spans, kind: Kind, stance: Option<Stance>, since: Option<Since>) {
    let Some(stance) = stance else {
        out.text(if kind == Kind::Levels { "no levels known yet".to_owned() } else { format!("no {} yet", noun(kind)) });
        return;
    };
    out.text(stance.to_string());
    if let Some(since) = since {
        out.text(if since.exact { " since " } else { " since before " });
        data_time_words(out, kind, since.at);
    }
}

fn short_words(tokens: &[TokenLabel]) -> String {
    tokens.iter().map(TokenLabel::short).collect::<Vec<_>>().join(", ")
}

fn and_more(count: u64) -> String {
    if count == 0 { String::new() } else { format!(" and {count} more") }
}

/// How often, as the end of "is checked …".
pub(super) fn cadence_words(out: &mut Spans, cadence: &Cadence) {
    match cadence {
        Cadence::Every(period) => out.text(format!("every {}", period_words(*period))),
        Cadence::Cron(expression) => out.text("on the schedule ").code(expression).text(" (UTC)"),
        Cadence::Off => out.text("never: the operator has switched them off"),
        Cadence::DoesNotFit { needed } => {
            out.text(format!("not at present: at least {needed} API calls a month would be needed, more than the budget"))
        }
        Cadence::Idle => out.text("as soon as somebody subscribes"),
    };
}

/// `hour`, `3 hours`, `15 minutes`: what follows "every".
fn period_words(period: Duration) -> String {
    let words = duration_words(period.as_secs());
    words.strip_prefix("1 ").map_or_else(|| words.clone(), str::to_owned)
}

pub(super) fn duration_words(seconds: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(86_400, "day"), (3600, "hour"), (60, "minute")];
    let unit = UNITS.iter().find(|(length, _)| seconds >= *length && seconds.is_multiple_of(*length));
    unit.map_or_else(|| counted(seconds, "second"), |(length, name)| counted(seconds / length, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_said_in_the_largest_whole_unit() {
        assert_eq!(duration_words(90 * 60), "90 minutes");
        assert_eq!(duration_words(7 * 86_400), "7 days");
        assert_eq!(period_words(Duration::from_secs(3600)), "hour");
        assert_eq!(period_words(Duration::from_secs(3 * 3600)), "3 hours");
    }
}
