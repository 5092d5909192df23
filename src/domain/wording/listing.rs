//! What is said of tokens that are not listed any more, or have another symbol.
#![expect(missing_docs, reason = "the sentence names its arguments")]

use super::{Phrase, Spans};
use crate::domain::TokenNews;
use serde::{Deserialize, Serialize};

/// A sentence about what the source lists.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListingPhrase {
    /// To those who subscribed to the token by name, once.
    News { symbol: String, news: TokenNews },
    /// Where subscriptions are listed or made.
    NotListed { symbols: Vec<String>, more: usize },
}

impl ListingPhrase {
    pub(super) fn english(&self, out: &mut Spans) {
        match self {
            Self::News { symbol, news: TokenNews::Delisted } => out
                .text(format!(
                    "{symbol} is not listed any more by Token Metrics. The subscription stays, in case it comes back; to end it, type "
                ))
                .code(format!("/unsubscribe {symbol}"))
                .text("."),
            Self::News { symbol, news: TokenNews::Relisted } => {
                out.text(format!("{symbol} is listed again by Token Metrics. The subscription goes on."))
            }
            Self::News { symbol, news: TokenNews::Renamed { from } } => {
                out.text(format!("{from} is called {symbol} now by Token Metrics. Subscriptions go on under the new symbol."))
            }
            Self::NotListed { symbols, more } => {
                let more = if *more > 0 { format!(" and {more} more") } else { String::new() };
                let symbols = symbols.join(", ");
                out.text(format!(
                    "Not listed any more by Token Metrics: {symbols}{more}. Nothing comes of them unless they are listed again."
                ))
            }
        };
    }
}

impl From<ListingPhrase> for Phrase {
    fn from(phrase: ListingPhrase) -> Self {
        Self::Listing(phrase)
    }
}
