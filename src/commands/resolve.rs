//! From words to tokens of the directory (`rules.md` 5.2, 5.5).

use super::{
    desk::{Desk, SOURCE, Stop},
    tokens::{Pick, TokenWord, near, pick},
};
use crate::{
    domain::{
        Feed, Token, TokenId,
        wording::{ListingPhrase, Phrase, RefusalPhrase, TokenLabel},
    },
    store::TokenField,
};
use std::{collections::BTreeMap, time::Duration};

/// How often the directory is looked for while a command waits for it.
const RECHECK: Duration = Duration::from_millis(250);
/// How many tokens are compared with a word that nobody knows.
const CANDIDATES: u32 = 500;
/// The most tokens that a refusal of an ambiguous symbol shows.
const MOST_SHOWN: usize = 5;
/// The most tokens that are named as not listed any more.
const MOST_NOT_LISTED: usize = 20;

impl Desk {
    /// Waits for the directory's first load, but not for long.
    pub(super) async fn directory(&self) -> Result<(), Stop> {
        let waiting = async {
            while !self.store.directory_loaded(SOURCE).await? {
                tokio::time::sleep(RECHECK.min(self.directory_patience)).await;
            }
            Ok(())
        };
        match tokio::time::timeout(self.directory_patience, waiting).await {
            Ok(loaded) => loaded,
            Err(_) => Err(self.why_not_loaded().await?.into()),
        }
    }

    /// Why the directory is not there: it will come in a minute, or it fails, or it is no longer asked for.
    async fn why_not_loaded(&self) -> Result<RefusalPhrase, Stop> {
        let ranks = self.store.feed_statuses(SOURCE).await?.into_iter().find(|status| status.feed == Feed::Ranks);
        Ok(match ranks {
            Some(status) if status.stopped || status.failures > 0 => RefusalPhrase::NoDirectory { stopped: status.stopped },
            _ => RefusalPhrase::StillLoading,
        })
    }

    /// The tokens that are meant, each once, in the order typed; what the directory lacks is looked up. One unknown word refuses all.
    pub(super) async fn resolve(&self, words: &[TokenWord], person: &str) -> Result<Vec<Token>, Stop> {
        self.directory().await?;
        let known = self.known(words).await?;
        let mut taken: Vec<Token> = Vec::new();
        for word in words {
            let candidates = known.get(word).map(Vec::as_slice).unwrap_or_default();
            let looked_up;
            let candidates = if candidates.is_empty() {
                looked_up = match self.look_up(person, word).await {
                    Ok(tokens) => tokens,
                    Err(phrase) => return Err(self.with_near_matches(word, phrase).await?),
                };
                looked_up.as_slice()
            } else {
                candidates
            };
            let token = match pick(candidates) {
                Pick::One(token) => token,
                Pick::None => return Err(self.unknown(word).await?),
                Pick::Several(tokens) => return Err(ambiguous(word, &tokens)),
            };
            if taken.iter().all(|other| other.id != token.id) {
                taken.push(token.clone());
            }
        }
        Ok(taken)
    }

    /// The tokens that are meant, first of all among those of one's own: a rank that has moved since changes nothing (5.2).
    pub(super) async fn resolve_among(&self, words: &[TokenWord], own: &[TokenId]) -> Result<Vec<Token>, Stop> {
        self.directory().await?;
        let known = self.known(words).await?;
        let mut taken: Vec<Token> = Vec::new();
        for word in words {
            let candidates = known.get(word).map(Vec::as_slice).unwrap_or_default();
            let ours: Vec<&Token> = candidates.iter().filter(|token| own.contains(&token.id)).collect();
            let choice = if ours.is_empty() { pick(candidates) } else { pick(ours) };
            let token = match choice {
                Pick::One(token) => token,
                Pick::None => return Err(self.unknown(word).await?),
                Pick::Several(tokens) => return Err(ambiguous(word, &tokens)),
            };
            if taken.iter().all(|other| other.id != token.id) {
                taken.push(token.clone());
            }
        }
        Ok(taken)
    }

    /// What the directory has for each word.
    pub(super) async fn known(&self, words: &[TokenWord]) -> Result<BTreeMap<TokenWord, Vec<Token>>, Stop> {
        let (mut symbols, mut ids) = (Vec::new(), Vec::new());
        for word in words {
            match word {
                TokenWord::Symbol(symbol) => symbols.push(symbol.clone()),
                TokenWord::Id(id) => ids.push(*id),
            }
        }
        let mut known: BTreeMap<TokenWord, Vec<Token>> = BTreeMap::new();
        if !symbols.is_empty() {
            for token in self.store.tokens_by_symbols(SOURCE, &symbols).await? {
                known.entry(TokenWord::Symbol(token.symbol.to_uppercase())).or_default().push(token);
            }
            // A symbol that nothing has any more still means what had it; the answer names that by its new one.
            symbols.retain(|symbol| !known.contains_key(&TokenWord::Symbol(symbol.clone())));
            for (former, token) in self.store.tokens_by_former_symbols(SOURCE, &symbols).await? {
                known.entry(TokenWord::Symbol(former)).or_default().push(token);
            }
        }
        if !ids.is_empty() {
            for token in self.store.tokens_by_ids(SOURCE, &ids).await? {
                known.entry(TokenWord::Id(token.id)).or_default().push(token);
            }
        }
        Ok(known)
    }

    /// The refusal of a word that nobody knows, with what is written alike.
    pub(super) async fn unknown(&self, word: &TokenWord) -> Result<Stop, Stop> {
        self.with_near_matches(word, RefusalPhrase::UnknownToken { word: super::options::short(&word.written()) }).await
    }

    async fn with_near_matches(&self, word: &TokenWord, phrase: RefusalPhrase) -> Result<Stop, Stop> {
        let mut phrases = vec![phrase];
        if let TokenWord::Symbol(symbol) = word {
            let mut candidates = self.store.best_tokens(SOURCE, CANDIDATES).await?;
            let first: String = symbol.chars().take(1).collect();
            let beginning: String = symbol.chars().take(3).collect();
            candidates.extend(self.store.tokens_beginning(SOURCE, TokenField::Symbol, &beginning, CANDIDATES).await?);
            candidates.extend(self.store.tokens_beginning(SOURCE, TokenField::Symbol, &first, CANDIDATES).await?);
            candidates.extend(self.store.tokens_beginning(SOURCE, TokenField::Name, &beginning, CANDIDATES).await?);
            let alike: Vec<Token> = near(symbol, &candidates).into_iter().cloned().collect();
            if !alike.is_empty() {
                phrases.push(RefusalPhrase::NearMatches { tokens: self.labels(&alike).await? });
            }
        }
        Ok(Stop::refused(phrases))
    }

    /// Says which of these tokens are not listed any more, if any are.
    pub(super) async fn not_listed<'a>(&self, tokens: impl Iterator<Item = &'a Token>) -> Result<Option<Phrase>, Stop> {
        let tokens: BTreeMap<TokenId, &Token> = tokens.map(|token| (token.id, token)).collect();
        let ids: Vec<TokenId> = tokens.keys().copied().collect();
        let gone = self.store.delisted_among(SOURCE, &ids).await?;
        let shown = gone.iter().take(MOST_NOT_LISTED).filter_map(|id| tokens.get(id));
        let symbols: Vec<_> = shown.map(|token| token.symbol.chars().take(20).collect()).collect();
        let more = gone.len() - symbols.len();
        Ok((!symbols.is_empty()).then(|| ListingPhrase::NotListed { symbols, more }.into()))
    }

    /// The tokens as an answer names them, with their id where another token has the same symbol.
    pub(super) async fn labels(&self, tokens: &[Token]) -> Result<Vec<TokenLabel>, Stop> {
        let symbols: Vec<String> = tokens.iter().map(|token| token.symbol.to_uppercase()).collect();
        let mut bearers: BTreeMap<String, u32> = BTreeMap::new();
        for token in self.store.tokens_by_symbols(SOURCE, &symbols).await? {
            *bearers.entry(token.symbol.to_uppercase()).or_default() += 1;
        }
        let shared = |token: &Token| bearers.get(&token.symbol.to_uppercase()).is_some_and(|count| *count > 1);
        Ok(tokens.iter().map(|token| label(token, shared(token).then_some(token.id))).collect())
    }
}

/// A token as an answer names it.
pub(super) fn label(token: &Token, id: Option<TokenId>) -> TokenLabel {
    TokenLabel { symbol: token.symbol.clone(), name: token.name.clone(), id }
}

/// The refusal of a symbol that several unranked tokens have.
pub(super) fn ambiguous(word: &TokenWord, tokens: &[&Token]) -> Stop {
    let tokens = tokens.iter().take(MOST_SHOWN).map(|token| label(token, Some(token.id))).collect();
    RefusalPhrase::Ambiguous { word: word.written(), tokens }.into()
}
