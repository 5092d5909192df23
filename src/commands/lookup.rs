//! Asking for a symbol or id that the directory lacks (`rules.md` 1.7). Who asks the source, and how often, is `pipeline::lookup`'s business.

use super::{desk::Desk, tokens::TokenWord};
use crate::domain::{Token, wording::RefusalPhrase};
use std::time::Duration;
use tokio::sync::oneshot;

/// How long a look-up may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A symbol or id that the directory lacks: `pipeline::lookup` asks the source (`rules.md` 1.7).
#[derive(Debug)]
pub struct LookupRequest {
    /// Who wants to know, as `platform:user`: the daily count is theirs.
    pub person: String,
    /// The symbol, or `#id`.
    pub query: String,
    /// Where the answer goes.
    pub answer: oneshot::Sender<LookupResult>,
}

/// What a look-up brought.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LookupResult {
    /// These tokens; now in the directory. None: there is no such token.
    Found(Vec<Token>),
    /// The person's or everybody's count of the day is used up.
    OverLimit,
    /// The source did not answer, or the month's budget is used up.
    Unavailable,
}

impl Desk {
    /// The tokens that the source has for this word; none where it knows none.
    pub(super) async fn look_up(&self, person: &str, word: &TokenWord) -> Result<Vec<Token>, RefusalPhrase> {
        let query = word.written();
        let (answer, result) = oneshot::channel();
        let request = LookupRequest { person: person.to_owned(), query: query.clone(), answer };
        let asked = async {
            self.lookups.send(request).await.ok()?;
            result.await.ok()
        };
        match tokio::time::timeout(PATIENCE, asked).await.ok().flatten() {
            Some(LookupResult::Found(tokens)) => Ok(tokens.into_iter().filter(|token| is_meant(token, word)).collect()),
            Some(LookupResult::OverLimit) => Err(RefusalPhrase::LookupOverLimit { word: query }),
            Some(LookupResult::Unavailable) | None => Err(RefusalPhrase::LookupUnavailable { word: query }),
        }
    }
}

fn is_meant(token: &Token, word: &TokenWord) -> bool {
    match word {
        TokenWord::Symbol(symbol) => token.symbol.to_uppercase() == *symbol,
        TokenWord::Id(id) => token.id == *id,
    }
}
