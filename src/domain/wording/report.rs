//! What `/signal`, `/status` and `/help` say.
#![expect(missing_docs, reason = "the sentence names its arguments")]

use super::{
    Spans, TimeStyle, TokenLabel,
    call::{capital, data_time_words, near_words, noun, price_words, signals},
    reply::counted,
    subscribing::{cadence_words, call_now},
};
use crate::domain::{Cadence, Feed, Kind, Near, Platform, Since, Stance, Timestamp};
use serde::{Deserialize, Serialize};

/// A sentence of a report.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportPhrase {
    /// The latest call of a token.
    Latest {
        token: TokenLabel,
        kind: Kind,
        stance: Option<Stance>,
        since: Option<Since>,
    },
    /// Where a price is among its levels.
    LatestLevels {
        token: TokenLabel,
        price: f64,
        near: Near,
    },
    /// Nobody follows the token and it could not be looked up.
    NotKnown {
        token: TokenLabel,
        kind: Kind,
    },
    /// The row that says so, and when it was seen.
    AsOf {
        kind: Kind,
        data_time: Timestamp,
        seen_at: Timestamp,
    },
    /// The source has no row of this token.
    NoCallThere {
        kind: Kind,
    },
    /// Nobody follows the token, and the day's look-ups are used up.
    CallLookupOverLimit,
    /// The source does not give calls of this kind to this key or plan.
    CallNotOffered {
        kind: Kind,
    },
    /// Nobody follows the token, and the source did not answer.
    CallLookupUnavailable,
    /// How to be told of this token's calls.
    FollowIt {
        kind: Kind,
        example: String,
    },
    StatusTitle,
    Feed {
        feed: Feed,
        cadence: Cadence,
        tokens: u32,
        last: Option<Timestamp>,
        next: Option<Timestamp>,
    },
    FeedFailing {
        feed: Feed,
        failures: u32,
        last_success: Option<Timestamp>,
    },
    FeedStopped {
        feed: Feed,
    },
    FeedEmpty {
        feed: Feed,
        since: Timestamp,
    },
    /// Nothing is sent there.
    PlatformRefuses {
        platform: Platform,
        since: Timestamp,
    },
    NoFeeds,
    Calls {
        used: u32,
        budget: u32,
    },
    CallsUnlimited {
        used: u32,
    },
    Delivery {
        queued: u64,
        held: u64,
        dead: u64,
        quarantined: u64,
    },
    HelpTitle,
    HelpLine {
        command: String,
        description: String,
    },
    HelpTokens,
    /// How words are typed on Telegram.
    HelpWords,
    /// How a Telegram group is set up.
    HelpGroups,
}

impl ReportPhrase {
    pub(super) fn english(&self, out: &mut Spans) {
        match self {
            Self::Latest { token, kind, stance, since } => {
                out.text(format!("{} {kind}: ", token.words()));
                call_now(out, *kind, *stance, *since);
            }
            Self::LatestLevels { token, price, near } => {
                out.text(format!("{} levels: {}, {}", token.words(), price_words(*price), near_words(*near)));
            }
            Self::NotKnown { token, kind: Kind::Levels } => {
                out.text(format!("{} levels: they are not known", token.words()));
            }
            Self::NotKnown { token, kind } => {
                out.text(format!("{} {kind}: the {} is not known", token.words(), noun(*kind)));
            }
            Self::AsOf { kind, data_time, seen_at } => {
                if kind.is_latest() {
                    out.text("As of ").time(*seen_at, TimeStyle::DateTime);
                    return;
                }
                out.text("As of the ");
                if *kind != Kind::Hourly {
                    out.text("call of ");
                }
                data_time_words(out, *kind, *data_time);
                out.text(if *kind == Kind::Hourly { " call, seen " } else { ", seen " }).time(*seen_at, TimeStyle::Relative);
            }
            Self::NoCallThere { kind: Kind::Levels } => {
                out.text("Token Metrics has no levels for this token at the moment, or no price.");
            }
            Self::NoCallThere { kind } => {
                out.text(format!("Token Metrics has no {} for this token at the moment.", noun(*kind)));
            }
            Self::CallLookupOverLimit => {
                out.text("Nobody follows this token here, so its call would have to be looked up, and today's look-ups are used up.");
            }
            Self::CallNotOffered { kind } => {
                out.text(format!("What this bot gets from Token Metrics does not include {}.", signals(*kind)));
            }
            Self::CallLookupUnavailable => {
                out.text("Nobody follows this token here, and I cannot look its call up at the moment. Please try again later.");
            }
            Self::FollowIt { kind, example } => {
                out.text(format!("To be told of its next {}, type ", noun(*kind))).code(example).text(".");
            }
            Self::StatusTitle => {
                out.text("Status");
            }
            Self::Feed { feed, cadence, tokens, last, next } => {
                out.strong(capital(feed.as_str())).text(": checked ");
                cadence_words(out, cadence);
                if *tokens > 0 {
                    out.text(format!(", {}", counted(u64::from(*tokens), "token")));
                }
                when(out, "; last ", *last);
                when(out, "; next ", *next);
            }
            Self::FeedFailing { feed, failures, last_success } => {
                out.text(format!(
                    "{}: the last {} failed",
                    capital(feed.as_str()),
                    if *failures == 1 { "poll".to_owned() } else { format!("{failures} polls") }
                ));
                when(out, "; last good one ", *last_success);
            }
            Self::FeedStopped { feed } => {
                out.text(format!(
                    "{}: stopped, because the source refuses the API key or its plan. It goes on once whoever runs this bot has mended that.",
                    capital(feed.as_str())
                ));
            }
            Self::FeedEmpty { feed, since } => {
                out.text(format!("{}: the API key's plan seems to hold no current data, since ", capital(feed.as_str())))
                    .time(*since, TimeStyle::DateTime);
            }
            Self::PlatformRefuses { platform, since } => {
                out.text(format!("{}: refuses this bot since ", capital(platform.as_str())))
                    .time(*since, TimeStyle::DateTime)
                    .text(", so nothing is sent there. It goes on once whoever runs this bot has mended that.");
            }
            Self::NoFeeds => {
                out.text("Nothing is polled yet: it begins with the first subscription.");
            }
            Self::Calls { used, budget } => {
                let left = budget.saturating_sub(*used);
                out.text(format!("API calls this month: {used} of {budget} used, {left} left"));
            }
            Self::CallsUnlimited { used } => {
                out.text(format!("API calls this month: {used}, no limit set"));
            }
            Self::Delivery { queued, held, dead, quarantined } => {
                out.text(format!(
                    "Delivery: {} waiting, {} held, {} undeliverable, {} out of reach",
                    counted(*queued, "message"),
                    counted(*held, "alert"),
                    dead,
                    counted(*quarantined, "chat")
                ));
            }
            Self::HelpTitle => {
                out.text("What I can do");
            }
            Self::HelpLine { command, description } => {
                out.code(command).text(format!(": {description}"));
            }
            Self::HelpWords => {
                out.text("More words may follow in any order: ").code("/subscribe SOL,ETH hourly bullish").text(".");
            }
            Self::HelpGroups => {
                out.text("In a group its administrators use the same commands: what they subscribe to is told there, in the topic where they type it.");
            }
            Self::HelpTokens => {
                out.text("Tokens are symbols or ids, separated by commas: ").code("SOL,ETH,#3375").text(", or ").code("all").text(".");
            }
        }
    }
}

fn when(out: &mut Spans, words: &str, at: Option<Timestamp>) {
    if let Some(at) = at {
        out.text(words).time(at, TimeStyle::Relative);
    }
}
