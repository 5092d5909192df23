//! Asking for a symbol or id that the directory lacks, or for the call of a token that nobody follows (`rules.md` 1.7). Who asks the source, and how often, is `pipeline::lookup`'s business.

use super::{InsightRequest, desk::Desk, tokens::TokenWord};
use crate::{
    cache::Insights,
    domain::{Facet, Kind, Token, TokenId, wording::RefusalPhrase},
    store::CurrentCall,
};
use std::{collections::BTreeMap, time::Duration};
use tokio::sync::{mpsc, oneshot};

/// How long a look-up may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the desk asks of the source, and where it finds what does not come back with an answer; `pipeline::lookup` sees to it.
#[derive(Debug)]
pub struct Inquiries {
    /// Symbols, ids and calls.
    pub lookups: mpsc::Receiver<LookupRequest>,
    /// What is asked of a token besides, each facet by itself.
    pub facets: BTreeMap<Facet, mpsc::Receiver<InsightRequest>>,
    /// Where that is kept.
    pub insights: Insights,
}

/// What the database lacks: `pipeline::lookup` asks the source (`rules.md` 1.7).
#[derive(Debug)]
pub struct LookupRequest {
    /// Who wants to know, as `platform:user`: the daily count is theirs.
    pub person: String,
    /// The symbol, or `#id`.
    pub query: String,
    /// Its call of this kind is wanted, where the token itself is known; `query` is `#id` then.
    pub call: Option<Kind>,
    /// Where the answer goes.
    pub answer: oneshot::Sender<LookupResult>,
}

/// What a look-up brought.
#[derive(Clone, Debug, PartialEq)]
pub enum LookupResult {
    /// These tokens; now in the directory. None: there is no such token.
    Found(Vec<Token>),
    /// Its call as the source has it now; none where the source has no row. Nothing of it is stored: it is no baseline.
    Call(Option<CurrentCall>),
    /// The source does not give calls of this kind to this key or plan.
    NotOffered,
    /// The person's or everybody's count of the day is used up.
    OverLimit,
    /// The source did not answer, or the month's budget is used up.
    Unavailable,
}

impl Desk {
    /// The tokens that the source has for this word; none where it knows none.
    pub(super) async fn look_up(&self, person: &str, word: &TokenWord) -> Result<Vec<Token>, RefusalPhrase> {
        let query = word.written();
        match self.ask_source(person, &query, None).await {
            LookupResult::Found(tokens) => Ok(tokens.into_iter().filter(|token| is_meant(token, word)).collect()),
            LookupResult::OverLimit => Err(RefusalPhrase::LookupOverLimit { word: query }),
            LookupResult::Call(_) | LookupResult::NotOffered | LookupResult::Unavailable => {
                Err(RefusalPhrase::LookupUnavailable { word: query })
            }
        }
    }

    /// The call of a token that nobody follows, as the source has it now.
    pub(super) async fn look_up_call(&self, person: &str, token: TokenId, kind: Kind) -> LookupResult {
        self.ask_source(person, &format!("#{token}"), Some(kind)).await
    }

    async fn ask_source(&self, person: &str, query: &str, call: Option<Kind>) -> LookupResult {
        let (answer, result) = oneshot::channel();
        let request = LookupRequest { person: person.to_owned(), query: query.to_owned(), call, answer };
        let asked = async {
            self.lookups.send(request).await.ok()?;
            result.await.ok()
        };
        tokio::time::timeout(PATIENCE, asked).await.ok().flatten().unwrap_or(LookupResult::Unavailable)
    }
}

fn is_meant(token: &Token, word: &TokenWord) -> bool {
    match word {
        TokenWord::Symbol(symbol) => token.symbol.to_uppercase() == *symbol,
        TokenWord::Id(id) => token.id == *id,
    }
}
