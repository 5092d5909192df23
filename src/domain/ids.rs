//! Identifiers as types of their own, so that none can stand in for another.

use serde::{Deserialize, Serialize};
use std::fmt;

macro_rules! row_id {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub i64);

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(out)
            }
        }
    )*};
}

row_id! {
    /// A token as the source numbers it (`TOKEN_ID`); symbols are not unique, this is.
    TokenId,
    /// A row of `changes`.
    ChangeId,
    /// A row of `destinations`.
    DestinationId,
    /// A row of `subscriptions`.
    SubscriptionId,
    /// A row of `alerts`.
    AlertId,
    /// A row of `messages`.
    MessageId,
    /// A row of `polls`.
    PollId,
}

/// Where observations come from. Keys of signals are (source, token id), so that a second source needs no migration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SourceId {
    /// The Token Metrics data API.
    TokenMetrics,
}

impl SourceId {
    /// The name in the database, in logs and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TokenMetrics => "token-metrics",
        }
    }
}

impl fmt::Display for SourceId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}
