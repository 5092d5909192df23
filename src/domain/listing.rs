//! Whether the source still lists a token, and under which symbol (ARCHITECTURE.md, rules T).

use super::{Nameless, TokenId};
use serde::{Deserialize, Serialize};

/// What is told of a token, once, to those who subscribed to it by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenNews {
    /// It is not listed any more.
    Delisted,
    /// It is listed again.
    Relisted,
    /// It has another symbol.
    Renamed {
        /// The symbol that it had before.
        from: String,
    },
}

/// A token as the directory has it before another list is written into it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Which.
    pub token: TokenId,
    /// Its symbol.
    pub symbol: String,
    /// The symbol that it had before, upper case.
    pub former: Option<String>,
    /// The full list named it at some time.
    pub was_listed: bool,
    /// Full lists running that did not name it.
    pub missed: u32,
    /// It is known not to be listed any more.
    pub is_delisted: bool,
}

/// How much of what the source lists was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reading {
    #[default]
    /// Some tokens: what is not among them may be listed all the same.
    Part,
    /// The full list, to its end.
    Whole,
}

/// What a list means beside what the directory knew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// How much of the list it is.
    pub reading: Reading,
    /// Tokens that a full list named before and this one does not, without those that are known to be gone.
    pub missed: Vec<TokenId>,
    /// Those of them that are not listed any more.
    pub delisted: Vec<TokenId>,
    /// Tokens with another symbol, each with the one before, upper case.
    pub renamed: Vec<(TokenId, String)>,
    /// Tokens that are known, and that the list names by their number alone: listed, and for the rest as they were.
    pub nameless: Vec<Nameless>,
    /// What is told, one thing of a token at most.
    pub news: Vec<(TokenId, TokenNews)>,
    /// So much is missing or renamed that it is the list which is doubted.
    pub is_doubted: bool,
}
