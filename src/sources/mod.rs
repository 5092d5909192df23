//! Where signals come from: one HTTP call at a time, each answered with rows in our own words.
//!
//! A source plans which calls a poll needs ([`Source::collect`]) and makes a single call ([`Source::call`]). Everything between calls
//! (ledger, budget, retries, breaker) is `pipeline::poll`'s business, so that a source knows neither store nor clock.

pub mod token_metrics;

use crate::domain::{Kind, Snapshot, SourceId, Timestamp, Token, TokenId};
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
pub trait Collector: Send {
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
    /// The rows as JSON objects; what they mean is the collector's business.
    pub rows: Vec<serde_json::Value>,
    /// Tokens, where the endpoint lists them.
    pub tokens: Vec<Token>,
    /// The answer was "Data not found": empty, not an error (`rules.md` 2.7).
    pub not_found: bool,
    /// The source's own id of the request, for the log.
    pub request_id: Option<String>,
}

/// Why a call brought nothing, by what to do next. Its words carry no key and no URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// The key or the plan is refused: stop the feed until a restart, tell operators. Never retried.
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
    /// It did not work this time: back off and try again.
    #[error("{0}")]
    Transient(String),
    /// The request itself is wrong: not retried this poll.
    #[error("the API rejects the request ({status}): {message}")]
    Rejected {
        /// 400, 404 with other words, 413, 422.
        status: u16,
        /// The API's words, at most 200 characters.
        message: String,
    },
}
