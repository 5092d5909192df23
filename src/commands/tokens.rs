//! Reading lists of tokens and the words beside them (`rules.md` 5.1), and finding what is written alike. Pure.

use crate::domain::{Delivery, Direction, Kind, Threshold, Token, TokenId, clean_name, wording::RefusalPhrase};

/// The most tokens of one command.
pub(super) const MAX_TOKENS: usize = 50;
/// The most characters of one list.
pub(super) const MAX_CHARACTERS: usize = 1000;

/// One token as it was typed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum TokenWord {
    /// A symbol, upper case.
    Symbol(String),
    /// `#3375`.
    Id(TokenId),
}

impl TokenWord {
    /// As a person would write it.
    pub(super) fn written(&self) -> String {
        match self {
            Self::Symbol(symbol) => symbol.clone(),
            Self::Id(id) => format!("#{id}"),
        }
    }
}

/// What a list says: tokens, and keywords wherever they stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Words {
    /// `all` was among them.
    pub(super) all: bool,
    /// The tokens, each once, in the order typed.
    pub(super) tokens: Vec<TokenWord>,
    /// A kind, if one was named; also a later one.
    pub(super) kind: Option<Kind>,
    /// A direction, if one was named.
    pub(super) direction: Option<Direction>,
    /// A delivery, if one was named.
    pub(super) delivery: Option<Delivery>,
    /// A line, if one was drawn.
    pub(super) threshold: Option<Threshold>,
}

/// The word that asks what a subscription would send.
pub(super) const PREVIEW: &str = "preview";

/// Reads a list. Commas and spaces separate; case and a leading `$` are ignored; keywords win over symbols; every other word is a token.
///
/// # Errors
/// Where it is too long, names a thing twice differently, or holds a `#` without a number.
pub(super) fn parse(text: &str) -> Result<Words, RefusalPhrase> {
    if text.chars().count() > MAX_CHARACTERS {
        return Err(RefusalPhrase::TooLong { most: MAX_CHARACTERS });
    }
    let mut words = Words::default();
    for raw in text.split(|c: char| c == ',' || c.is_whitespace()) {
        let cleaned = clean_name(raw);
        // What cleaning leaves in place of a separator never joins two words: `raw` had no white space.
        let word = cleaned.strip_prefix('$').unwrap_or(&cleaned);
        if !word.is_empty() {
            words.take(word)?;
        }
    }
    if words.tokens.len() > MAX_TOKENS {
        return Err(RefusalPhrase::TooManyTokens { most: MAX_TOKENS });
    }
    Ok(words)
}

impl Words {
    fn take(&mut self, word: &str) -> Result<(), RefusalPhrase> {
        if word.eq_ignore_ascii_case("all") {
            self.all = true;
        } else if let Some(kind) = Kind::parse(word) {
            once(&mut self.kind, kind, "kind", Kind::as_str)?;
        } else if let Some(direction) = Direction::parse(word) {
            once(&mut self.direction, direction, "direction", Direction::as_str)?;
        } else if let Some(delivery) = Delivery::parse(word) {
            once(&mut self.delivery, delivery, "delivery", Delivery::as_str)?;
        } else {
            let token = token_word(word)?;
            if !self.tokens.contains(&token) {
                self.tokens.push(token);
            }
        }
        Ok(())
    }
}

fn token_word(word: &str) -> Result<TokenWord, RefusalPhrase> {
    let Some(digits) = word.strip_prefix('#') else {
        return Ok(TokenWord::Symbol(word.to_uppercase()));
    };
    let bad = || RefusalPhrase::BadId { word: word.to_owned() };
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(bad());
    }
    digits.parse().map(|id| TokenWord::Id(TokenId(id))).map_err(|_| bad())
}

/// Sets what may be said once; saying the same again changes nothing.
pub(super) fn once<T: Copy + PartialEq>(
    slot: &mut Option<T>,
    value: T,
    what: &str,
    word: impl Fn(T) -> &'static str,
) -> Result<(), RefusalPhrase> {
    match slot.replace(value) {
        Some(first) if first != value => {
            Err(RefusalPhrase::Twice { what: what.to_owned(), first: word(first).to_owned(), second: word(value).to_owned() })
        }
        _ => Ok(()),
    }
}

/// Which token a symbol means among those that have it (5.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Pick<'a> {
    /// There is none.
    None,
    /// This one.
    One(&'a Token),
    /// Several, none of them ranked.
    Several(Vec<&'a Token>),
}

/// The token of best rank; if none is ranked and there is one, that one.
pub(super) fn pick<'a>(candidates: impl IntoIterator<Item = &'a Token>) -> Pick<'a> {
    let mut candidates: Vec<_> = candidates.into_iter().collect();
    candidates.sort_by_key(|token| (token.rank.unwrap_or(u32::MAX), token.id));
    match candidates.as_slice() {
        [] => Pick::None,
        [only] => Pick::One(only),
        [first, ..] if first.rank.is_some() => Pick::One(first),
        _ => Pick::Several(candidates),
    }
}

/// Up to three tokens that are written like `typed` (upper case), the likeliest first.
pub(super) fn near<'a>(typed: &str, candidates: &'a [Token]) -> Vec<&'a Token> {
    let mut scored: Vec<_> = candidates.iter().filter_map(|token| Some((distance(typed, token)?, token))).collect();
    scored.sort_by_key(|(score, token)| (*score, token.rank.unwrap_or(u32::MAX), token.id));
    let mut found: Vec<&Token> = Vec::new();
    for (_, token) in scored {
        if found.len() < 3 && found.iter().all(|other| other.id != token.id) {
            found.push(token);
        }
    }
    found
}

/// How unlike they are; nothing where they are not alike at all. A name that begins with what was typed is as good as a symbol that does.
fn distance(typed: &str, token: &Token) -> Option<usize> {
    let symbol = token.symbol.to_uppercase();
    let name = token.name.to_uppercase();
    if name == typed || symbol == typed {
        return Some(0);
    }
    let typed_length = typed.chars().count();
    let edits = edit_distance(typed, &symbol);
    let most = if typed_length <= 4 { 1 } else { 2 };
    if edits <= most && edits < typed_length {
        return Some(edits * 2);
    }
    let begins = |longer: &str, shorter: &str| shorter.chars().count() >= 2 && longer.starts_with(shorter);
    if begins(&symbol, typed) || begins(&name, typed) {
        return Some(3);
    }
    if begins(typed, &symbol) {
        return Some(5);
    }
    let edits = edit_distance(typed, &name);
    (typed_length >= 5 && edits <= 2).then(|| edits * 2)
}

/// Letters to add, drop, replace or swap with their neighbour; `usize::MAX` where the lengths alone say more than two.
fn edit_distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    if a.len().abs_diff(b.len()) > 2 {
        return usize::MAX;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replaced = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replaced.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn token(id: i64, symbol: &str, name: &str, rank: Option<u32>) -> Token {
        Token { id: TokenId(id), symbol: symbol.to_owned(), name: name.to_owned(), rank, link: None }
    }

    fn symbols(words: &[&str]) -> Vec<TokenWord> {
        words.iter().map(|word| TokenWord::Symbol((*word).to_owned())).collect()
    }

    #[test]
    fn commas_and_spaces_separate_and_case_and_dollar_are_ignored() {
        let words = parse(" sol,$Eth ,, BTC\n#3375 sol").unwrap();
        let mut expected = symbols(&["SOL", "ETH", "BTC"]);
        expected.push(TokenWord::Id(TokenId(3375)));
        assert_eq!(words, Words { tokens: expected, ..Words::default() });
    }

    #[test]
    fn keywords_win_over_symbols_in_any_order() {
        let words = parse("hourly SOL digest-daily Bullish all").unwrap();
        assert_eq!(
            (words.kind, words.direction, words.delivery),
            (Some(Kind::Hourly), Some(Direction::Bullish), Some(Delivery::DigestDaily))
        );
        assert!(words.all);
        assert_eq!(words.tokens, symbols(&["SOL"]));
        assert_eq!(parse("grade").unwrap().kind, Some(Kind::Grade));
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        assert!(matches!(parse("SOL daily hourly"), Err(RefusalPhrase::Twice { .. })));
        assert!(parse("SOL daily DAILY").is_ok());
        for bad in ["#", "#x", "#-1", "#1.5", "#99999999999999999999"] {
            assert!(matches!(parse(bad), Err(RefusalPhrase::BadId { .. })), "{bad}");
        }
        assert!(matches!(parse(&"A,".repeat(501)), Err(RefusalPhrase::TooLong { .. })));
        let many: Vec<_> = (0..51).map(|n| format!("T{n}")).collect();
        assert!(matches!(parse(&many.join(" ")), Err(RefusalPhrase::TooManyTokens { .. })));
        assert!(parse(&many[..50].join(",")).is_ok());
    }

    #[test]
    fn hidden_characters_are_not_part_of_a_symbol() {
        assert_eq!(parse("S\u{200B}OL \u{202E}").unwrap().tokens, symbols(&["SOL"]));
    }

    #[test]
    fn the_best_rank_is_meant_and_nobody_guesses_without_one() {
        let (a, b, c) = (token(9, "SOL", "Old", Some(900)), token(5, "SOL", "Solana", Some(6)), token(7, "SOL", "None", None));
        assert_eq!(pick([&a, &b, &c]), Pick::One(&b));
        assert_eq!(pick([&c]), Pick::One(&c));
        let d = token(3, "SOL", "Other", None);
        assert_eq!(pick([&c, &d]), Pick::Several(vec![&d, &c]));
        assert_eq!(pick([]), Pick::None);
    }

    #[test]
    fn near_matches_are_those_a_person_meant() {
        let directory = [
            token(1, "BTC", "Bitcoin", Some(1)),
            token(2, "ETH", "Ethereum", Some(2)),
            token(3, "SOL", "Solana", Some(6)),
            token(4, "SOLO", "Sologenic", Some(700)),
            token(5, "DOGE", "Dogecoin", Some(9)),
        ];
        let near = |typed| near(typed, &directory).into_iter().map(|token| token.symbol.as_str()).collect::<Vec<_>>();
        assert_eq!(near("SLO"), ["SOL", "SOLO"]);
        assert_eq!(near("SOLX"), ["SOL", "SOLO"]);
        assert_eq!(near("BITCOIN"), ["BTC"]);
        assert_eq!(near("ETHEREM"), ["ETH"]);
        assert_eq!(near("DOG"), ["DOGE"]);
        assert_eq!(near("QQQQ"), [""; 0]);
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_parser(text in "\\PC{0,1100}") {
            if let Ok(words) = parse(&text) {
                prop_assert!(words.tokens.len() <= MAX_TOKENS);
                for (index, token) in words.tokens.iter().enumerate() {
                    prop_assert!(!words.tokens[..index].contains(token));
                    if let TokenWord::Symbol(symbol) = token {
                        prop_assert!(!symbol.is_empty() && !symbol.contains([',', ' ']));
                    }
                }
            }
        }

        #[test]
        fn what_was_read_reads_the_same_again(text in "[a-zA-Z0-9#$, ]{0,80}") {
            if let Ok(words) = parse(&text) {
                let again = words.tokens.iter().map(TokenWord::written).collect::<Vec<_>>().join(", ");
                // A second `$` or a keyword behind one is the only thing that a second reading may take for something else.
                prop_assume!(!text.contains('$'));
                prop_assert_eq!(parse(&again).unwrap().tokens, words.tokens);
            }
        }

        #[test]
        fn order_and_separators_do_not_matter(mut list in proptest::collection::vec("[a-z]{3,6}", 1..20), with in "[, ]{1,3}") {
            let forwards = parse(&list.join(&with));
            list.reverse();
            let backwards = parse(&list.join(","));
            if let (Ok(mut forwards), Ok(mut backwards)) = (forwards, backwards) {
                forwards.tokens.sort();
                backwards.tokens.sort();
                prop_assert_eq!(forwards, backwards);
            }
        }
    }
}
