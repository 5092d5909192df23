//! What operators and owners are told about the bot itself.
#![expect(missing_docs, reason = "the sentence names its arguments")]

use super::{Spans, TimeStyle, call::capital};
use crate::domain::{Drift, Feed, KEPT_DAYS, Kind, Platform, Timestamp, wording::Trouble};
use serde::{Deserialize, Serialize};

/// A sentence of a notice.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticePhrase {
    /// A feed has brought nothing for long (`rules.md` 2.10).
    FeedDown { feed: Feed, since: Timestamp, problem: String },
    /// Its polls bring only a part, again and again.
    FeedPartial { feed: Feed, polls: u32, problem: String },
    /// It is back.
    FeedBack { feed: Feed, changes: usize },
    /// Most of the market would turn at once: a second answer has to show it too.
    MarketTurned { feed: Feed, turned: usize, asked: usize, until: Timestamp },
    /// What the second answer said.
    MarketLookedAtAgain { feed: Feed, confirmed: usize, refuted: usize },
    /// A field of the source's rows is gone, or of another type.
    FieldDrifted { endpoint: String, field: String, drift: Drift },
    /// It is as it was.
    FieldBack { endpoint: String, field: String },
    /// Most rows of a poll cannot be understood.
    RowsOdd { feed: Feed, rows: usize, reasons: String },
    /// They can again.
    RowsFine { feed: Feed },
    /// A list of tokens lacks or renames so many that it is not believed.
    ListDoubted { feed: Feed },
    /// The source refuses the key or the plan: the feed stops until a restart or another key.
    FeedRefused { feed: Feed, problem: String },
    /// The source refuses the first key; the next one works.
    NextKeyInUse,
    /// The source refuses an endpoint that people asked for: they are not told, that line is left out.
    EndpointRefused { endpoint: String, problem: String },
    /// The source refuses to look a token up that somebody named and nobody knows.
    TokensRefused { problem: String },
    /// Every asked token has no data for a day (1.9).
    NoCurrentData { feed: Feed },
    /// Many destinations failed at once: the platform is paused, nobody is quarantined (4.3).
    PlatformPaused { platform: Platform, failed: u32, tried: u32, until: Timestamp },
    /// The platform refuses the bot's token, or its way of asking: sending has stopped. Read late where it is the only one that operators read.
    PlatformUnauthorized {
        platform: Platform,
        problem: String,
        #[serde(default)]
        at: Option<Timestamp>,
    },
    /// The platform answers nobody, not even a question: no message is sent.
    PlatformSilent { platform: Platform, since: Timestamp },
    /// It takes messages again.
    PlatformBack { platform: Platform },
    /// Commands on the platform are not taken, or cannot be registered (6.2).
    CommandsDown { platform: Platform, problem: String },
    /// They work again.
    CommandsBack { platform: Platform },
    /// Places cannot be reached, for their owner.
    OutOfReach { places: String, cause: String },
    /// What the owner can do about it, and what happens until then.
    WhatToDo { fix: String },
    /// A destination cannot be reached and is kept aside.
    Quarantined { destination: String, reason: String },
    /// A destination answers again.
    Restored { destination: String },
    /// Several do.
    AllRestored { places: String },
    /// One or several do, and there was nothing to tell.
    RestoredWithoutNews { places: String, count: usize },
    /// A message cannot be delivered.
    DeadLetter { destination: String, problem: String },
    /// Several messages cannot be delivered, since the last notice about such.
    DeadLetters { count: u32, destination: String, problem: String },
}

impl NoticePhrase {
    pub(super) fn english(&self, out: &mut Spans) {
        match self {
            Self::FeedDown { feed, since, problem } => out
                .text(format!("The {feed} feed has brought nothing since "))
                .time(*since, TimeStyle::DateTime)
                .text(format!(": {problem}. {}", meanwhile(*feed))),
            Self::FeedPartial { feed, polls, problem } => out.text(format!(
                "The last {polls} polls of the {feed} feed brought only a part: {problem}. Nothing is told of tokens that were not answered for; the log names every call that failed."
            )),
            Self::FeedBack { feed, changes: 0 } => out.text(format!("The {feed} feed is back. Nothing changed meanwhile.")),
            Self::FeedBack { feed, changes } => out.text(format!("The {feed} feed is back. Changes meanwhile: {changes}.")),
            Self::MarketTurned { feed, turned, asked, until } => {
                let does = match feed {
                    Feed::Signals(Kind::Grade | Kind::Fundamental) => "change or cross a threshold",
                    Feed::Signals(Kind::Levels) => "cross a level",
                    _ => "turn",
                };
                out.text(format!(
                    "{turned} of {asked} tokens of the {feed} feed would {does} at once. That is more often a mistake of the source than the market, so nobody is told until a second answer shows it too; it is asked for again by "
                ))
                .time(*until, TimeStyle::DateTime)
                .text(", where the call budget allows it, else with the next poll.")
            }
            Self::MarketLookedAtAgain { feed, confirmed, refuted: 0 } => {
                out.text(format!("The {feed} feed shows the same again: {confirmed} turns are told now."))
            }
            Self::MarketLookedAtAgain { feed, confirmed, refuted } => out.text(format!(
                "The {feed} feed was looked at again: {confirmed} turns are told now, {refuted} were not confirmed and nobody hears of them."
            )),
            Self::FieldDrifted { endpoint, field, drift } => {
                let what = match drift {
                    Drift::Gone => "is gone from nearly all rows",
                    Drift::OtherType => "is of another type in nearly all rows",
                };
                out.text("The field ").code(field).text(" of ").code(endpoint).text(format!(" {what}: {}.", Trouble::SourceShape.advice()))
            }
            Self::FieldBack { endpoint, field } => {
                out.text("The field ").code(field).text(" of ").code(endpoint).text(" is there again as it was.")
            }
            Self::RowsOdd { feed, rows, reasons } => {
                let what = format!("Most of the {rows} rows of the last {feed} poll cannot be understood ({reasons})");
                out.text(format!("{}.", Trouble::SourceShape.explain(what)))
            }
            Self::RowsFine { feed } => out.text(format!("The rows of the {feed} feed can be understood again.")),
            Self::ListDoubted { feed } => out.text(format!(
                "The {feed} feed lacks or renames more than a tenth of the tokens at once. That is more often a mistake of the source, so nobody is told of them, and none counts as gone, until a list looks right again or four in a row lack the same."
            )),
            Self::FeedRefused { feed, problem } => out
                .text(format!("The {feed} feed is stopped: {problem}. Run "))
                .code("bellwether check")
                .text(" for the cause; then restart, or send SIGHUP where the key is in a file."),
            Self::NextKeyInUse => out
                .text("Token Metrics refuses the key in ")
                .code("TOKEN_METRICS_API_KEY")
                .text("; the one in ")
                .code("TOKEN_METRICS_API_KEY_NEXT")
                .text(" works and is used instead. Move it to the first place: as it is, every start shows the refused one first."),
            Self::EndpointRefused { endpoint, problem } => out.text("Asked for by ").code("/signal").text(" or ").code("/history").text(format!(
                ", {endpoint} is not to be had: {problem}. Members are not told, what it would say is left out; it is asked again in a day."
            )),
            Self::TokensRefused { problem } => out.text(format!(
                "Tokens that are not in my list cannot be looked up: {problem}. Whoever named one was asked to try again later; the next one is looked up all the same."
            )),
            Self::NoCurrentData { feed } => {
                let what = format!("No token of the {feed} feed has had data for 24 hours: {}", Trouble::SourceNoData.cause());
                out.text(format!("{}.", Trouble::SourceNoData.explain(what)))
            }
            Self::PlatformPaused { platform, failed, tried, until } => out
                .text(format!(
                    "Sending on {} is paused: {failed} of {tried} destinations failed within a minute, so it is the platform. Next try ",
                    capital(platform.as_str())
                ))
                .time(*until, TimeStyle::Relative)
                .text("; nobody was quarantined."),
            Self::PlatformUnauthorized { platform, problem, at } => {
                out.text(format!("{} refused the bot", capital(platform.as_str())));
                if let Some(at) = at {
                    out.text(" at ").time(*at, TimeStyle::DateTime);
                }
                out.text(format!(": sending there stopped, until that is mended. {}.", capital(problem)))
            }
            Self::PlatformSilent { platform, since } => out
                .text(format!("{} has given the bot's messages no usable answer since ", capital(platform.as_str())))
                .time(*since, TimeStyle::DateTime)
                .text(". None is sent until it does; they wait. Where it goes on, look at this machine's way there: network, name server, proxy."),
            Self::PlatformBack { platform } => {
                out.text(format!("{} takes the bot's messages again; what waited is on its way.", capital(platform.as_str())))
            }
            Self::CommandsDown { platform, problem } => out
                .text(format!("Commands on {} do not work: {problem}. Run ", capital(platform.as_str())))
                .code("bellwether check")
                .text(" for the cause."),
            Self::CommandsBack { platform } => out.text(format!("Commands on {} work again.", capital(platform.as_str()))),
            Self::OutOfReach { places, cause } => out.text("I cannot reach ").strong(places).text(format!(": {cause}.")),
            Self::WhatToDo { fix } => out
                .text(format!(
                    "What to do: {fix}. I keep trying; once I can write there again, one summary tells what changed in the last {KEPT_DAYS} days, and what is older is in "
                ))
                .code("/history")
                .text("."),
            Self::Quarantined { destination, reason } => out
                .code(destination)
                .text(format!(" cannot be reached ({reason}). Its subscriptions and alerts are kept; it is tried again by itself.")),
            Self::Restored { destination } => out.code(destination).text(" answers again; what was held is on its way."),
            Self::AllRestored { places } => out.strong(places).text(" answer again; what was held is on its way."),
            Self::RestoredWithoutNews { places, count } => {
                out.strong(places).text(if *count == 1 { " answers again." } else { " answer again." })
            }
            Self::DeadLetter { destination, problem } => out
                .text("A message for ")
                .code(destination)
                .text(format!(" cannot be delivered: {problem}. See "))
                .code("bellwether outbox list")
                .text("."),
            Self::DeadLetters { count, destination, problem } => out
                .text(format!("{count} messages cannot be delivered. The last one was for "))
                .code(destination)
                .text(format!(": {problem}. See "))
                .code("bellwether outbox list")
                .text("."),
        };
    }
}

/// What an outage means until it ends.
fn meanwhile(feed: Feed) -> &'static str {
    match feed {
        Feed::Signals(_) => "I keep trying; what has changed by then is told afterwards.",
        Feed::Ranks | Feed::Directory => "I keep trying; until then the list of tokens stays as it is.",
    }
}
