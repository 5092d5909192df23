//! Where signals come from: one HTTP call at a time, each answered with rows in our own words.
//!
//! A source plans which calls a poll needs ([`Source::collect`]) and makes a single call ([`Source::call`]). Everything between calls
//! (ledger, budget, retries, breaker) is `pipeline::poll`'s business, so that a source knows neither store nor clock.

pub mod token_metrics;
mod value;

use crate::{
    domain::{
        Facet, FieldCounts, Insight, Kind, Nameless, Observation, SetAside, Snapshot, SourceId, Timestamp, Token, TokenId, Values,
        wording::Trouble,
    },
    http::Renewals,
};
use async_trait::async_trait;
use std::{collections::BTreeMap, time::Duration};

/// A signal API.
#[async_trait]
pub trait Source: Send + Sync {
    /// Which one.
    fn id(&self) -> SourceId;

    /// The calls of one poll, one after the other: what is asked next may depend on what came.
    fn collect(&self, ask: Ask) -> Box<dyn Collector>;

    /// Makes one call.
    ///
    /// # Errors
    /// Classified by what to do next: [`SourceError`].
    async fn call(&self, call: &Call) -> Result<Page, SourceError>;

    /// One page of the tokens by market cap, 100 a page, the first page being 1; their ranks are filled in.
    fn ranks(&self, page: u32) -> Call;

    /// One page of the full list of tokens, 100 a page, the first page being 1.
    fn directory(&self, page: u32) -> Call;

    /// What the source knows of a symbol or an id.
    fn lookup(&self, wanted: &Wanted) -> Call;

    /// What it says of these tokens besides their signals; at most a page of them.
    fn insight(&self, facet: Facet, tokens: &[TokenId]) -> Call;

    /// Word of another key: what was refused is worth another try.
    fn renewals(&self) -> Option<Renewals> {
        None
    }

    /// Whether the first key was refused, so that the next one is used.
    fn uses_next_key(&self) -> bool {
        false
    }
}

/// The most rows that one page of any endpoint holds.
pub const PAGE_ROWS: usize = 100;

/// A token that the directory lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// By its ticker, upper case.
    Symbol(String),
    /// By its id.
    Id(TokenId),
}

/// What a poll of signals asks for.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Which signal.
    pub kind: Kind,
    /// Each token with the time of its newest stored row, if any.
    pub tokens: BTreeMap<TokenId, Option<Timestamp>>,
    /// When the poll begins.
    pub now: Timestamp,
}

/// Collects the pages of one poll into one snapshot: a state machine without IO.
pub trait Collector: Send + Sync {
    /// How many calls are certain to come; full pages may add some. The cost that is held against the budget's pace (`rules.md` 1.4).
    fn planned_calls(&self) -> u32;
    /// The next call, or nothing when the poll is done.
    fn next_call(&mut self) -> Option<Call>;
    /// What came of the call that was last given out; `None` where it failed for good.
    fn accept(&mut self, page: Option<Page>);
    /// Everything that came, as one snapshot.
    fn finish(self: Box<Self>) -> Snapshot;
}

/// One HTTP call: an endpoint and its query, without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// The path below the API's base URL, such as `trading-signals`: ledger and metric label.
    pub endpoint: &'static str,
    /// The query, in order.
    pub query: Vec<(&'static str, String)>,
}

/// What one call brought.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// How many rows it held, whatever became of them.
    pub rows: usize,
    /// Those that are calls.
    pub observations: Vec<Observation>,
    /// Those that should have been calls and could not be read.
    pub set_aside: Vec<SetAside>,
    /// How the fields that are read came.
    pub fields: Vec<(&'static str, FieldCounts)>,
    /// Tokens, where the endpoint lists or names them.
    pub tokens: Vec<Token>,
    /// Those that a list of tokens names by their number alone.
    pub nameless: Vec<Nameless>,
    /// What is said of tokens besides their signals; prices and levels are among the observations.
    pub insights: Vec<(TokenId, Insight)>,
    /// Their categories, where the endpoint names them.
    pub categories: Vec<(TokenId, String)>,
    /// The answer was "Data not found": empty, not an error (`rules.md` 2.7).
    pub not_found: bool,
    /// The source's own id of the request, for the log.
    pub request_id: Option<String>,
}

/// Why a call brought nothing, by what to do next. Its words carry no key and no URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The key was refused, and another one is used from now on: ask again at once.
    #[error("the API refuses the key ({status}): {message}; another key is used from now on")]
    KeyReplaced {
        /// 401.
        status: u16,
        /// The API's words, at most 200 characters.
        message: String,
    },
    /// The key or the plan is refused: stop the feed until a restart or another key, tell operators. Never retried.
    #[error("the API refuses the request ({status}): {message}")]
    Refused {
        /// 401, 402 or 403.
        status: u16,
        /// The API's words, at most 200 characters.
        message: String,
    },
    /// Too many calls: wait.
    #[error("the API asks to slow down (429)")]
    RateLimited {
        /// As long as it said, if it did.
        after: Option<Duration>,
    },
    /// There was no answer that can be read: back off and try again.
    #[error("{what}")]
    Transient {
        /// Why not.
        trouble: Trouble,
        /// In words.
        what: String,
    },
    /// The API answered with a failure of its own: back off and try again.
    #[error("the API has a problem ({status}): {message}")]
    Unavailable {
        /// 5xx, a redirect, or a 401 or 403 that is not the API's own.
        status: u16,
        /// The API's words, at most 200 characters.
        message: String,
    },
    /// The request itself is wrong: not retried this poll.
    #[error("the API rejects the request ({status}): {message}")]
    Rejected {
        /// 400, 404 with other words, 413, 422.
        status: u16,
        /// The API's words, at most 200 characters.
        message: String,
    },
}

impl SourceError {
    /// The status of the answer, for ledger and metrics; none where there was no answer that could be read.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::KeyReplaced { status, .. }
            | Self::Refused { status, .. }
            | Self::Unavailable { status, .. }
            | Self::Rejected { status, .. } => Some(*status),
            Self::RateLimited { .. } => Some(429),
            Self::Transient { .. } => None,
        }
    }

    /// Its entry in the catalogue of troubles.
    pub fn trouble(&self) -> Trouble {
        match self {
            Self::Transient { trouble, .. } => *trouble,
            Self::RateLimited { .. } => Trouble::SourceLimited,
            Self::Refused { status: 402, .. } => Trouble::SourcePayment,
            Self::Refused { message, .. } if message.to_ascii_lowercase().contains("plan") => Trouble::SourcePlan,
            // 0: nothing was asked, because no header can carry the key.
            Self::Refused { .. } | Self::KeyReplaced { .. } | Self::Rejected { status: 0, .. } => Trouble::SourceKey,
            Self::Rejected { .. } => Trouble::SourceRejected,
            Self::Unavailable { status: 300..=399, .. } => Trouble::SourceMoved,
            Self::Unavailable { status: 401 | 403 | 407, .. } => Trouble::SourceProxy,
            Self::Unavailable { .. } => Trouble::SourceDown,
        }
    }

    /// What happened, with the way to mend it.
    pub fn explain(&self) -> String {
        self.trouble().explain(self)
    }

    /// Whether the same call may work a little later.
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::KeyReplaced { .. } | Self::RateLimited { .. } | Self::Transient { .. } | Self::Unavailable { .. })
    }
}

impl Page {
    /// What it says of one facet.
    pub fn into_insights(self, facet: Facet) -> BTreeMap<TokenId, Insight> {
        let observed = |read: fn(Values) -> Option<Insight>| {
            self.observations.into_iter().filter_map(move |row| Some((row.token, read(row.values)?))).collect()
        };
        match facet {
            Facet::Price => observed(|values| values.close.map(Insight::Price)),
            Facet::Levels => observed(|values| Some(values.levels).filter(|levels| !levels.is_empty()).map(Insight::Levels)),
            Facet::Risk | Facet::Scenarios | Facet::DailyPrices | Facet::HourlyPrices => self.insights.into_iter().collect(),
        }
    }

    /// The status of the answer, for ledger and metrics.
    pub fn status(&self) -> u16 {
        if self.not_found { 404 } else { 200 }
    }
}
