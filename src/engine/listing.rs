//! What a list of tokens means: which are gone, are back, or have another symbol (ARCHITECTURE.md, rules T).

use super::quiet::quiet_until;
use crate::domain::{Listed, Listing, Mutes, Nameless, Reading, Settings, Timestamp, Token, TokenId, TokenNews};
use std::collections::BTreeMap;

/// A token is gone when so many full lists running do not name it.
const LISTS_MISSED: u32 = 2;
/// So many full lists running are believed even where they are doubted: otherwise all lists after a real purge would be doubted for ever.
const DOUBTED_LISTS_MISSED: u32 = 4;
/// A list that lacks or renames more than so many tokens, and more than a tenth of them, is a mistake of whoever wrote it.
const MOST_AT_ONCE: usize = 20;

/// Compares a list with what the directory knew. Nothing that is missing from a part of the list is missing, and nothing that is named by its
/// number alone.
pub fn compare(known: &[Listed], tokens: &[Token], nameless: &[Nameless], reading: Reading) -> Listing {
    let mut named: BTreeMap<TokenId, &Token> = BTreeMap::new();
    tokens.iter().for_each(|token| {
        named.entry(token.id).or_insert(token);
    });
    let nameless: BTreeMap<TokenId, Nameless> = nameless.iter().map(|token| (token.id, *token)).collect();
    let mut out = Listing { reading, ..Listing::default() };
    let (mut missed, mut relisted, mut renamed) = (Vec::new(), Vec::new(), Vec::new());
    for before in known {
        let (token, by_number) = (named.get(&before.token), nameless.get(&before.token));
        if before.is_delisted && (token.is_some() || by_number.is_some()) {
            relisted.push((before.token, TokenNews::Relisted));
        }
        match (token, by_number) {
            (Some(token), _) => {
                let (symbol, was) = (token.symbol.to_uppercase(), before.symbol.to_uppercase());
                if !before.is_delisted && symbol != was && before.former.as_ref() != Some(&symbol) {
                    // Back to the symbol before is no news: two lists that disagree would tell it every day.
                    renamed.push((before.token, TokenNews::Renamed { from: before.symbol.clone() }));
                }
                if symbol != was {
                    out.renamed.push((before.token, was));
                }
            }
            (None, Some(token)) => out.nameless.push(*token),
            (None, None) if reading == Reading::Whole && before.was_listed && !before.is_delisted => missed.push(before),
            (None, None) => {}
        }
    }
    let listed = known.iter().filter(|token| token.was_listed && !token.is_delisted).count();
    let are_too_many = |count: usize, of: usize| count > MOST_AT_ONCE.max(of / 10);
    let are_many_renamed = are_too_many(renamed.len(), named.len());
    out.is_doubted = are_many_renamed || are_too_many(missed.len(), listed);
    let lists = if out.is_doubted { DOUBTED_LISTS_MISSED } else { LISTS_MISSED };
    out.delisted = missed.iter().filter(|before| before.missed + 1 >= lists).map(|before| before.token).collect();
    out.missed = missed.iter().map(|before| before.token).collect();
    // So many that are back at once went by doubted lists, and nobody was told then.
    if !are_too_many(relisted.len(), named.len()) {
        out.news.extend(relisted);
    }
    if !out.is_doubted {
        out.news.extend(out.delisted.iter().map(|token| (*token, TokenNews::Delisted)));
    }
    if !are_many_renamed {
        out.news.extend(renamed);
    }
    out
}

/// Until when news of a token is held back from somebody with these settings; nothing if it may be told now.
pub fn held_until(settings: &Settings, mutes: &Mutes, token: TokenId, now: Timestamp) -> Option<Timestamp> {
    mutes.hold(token, now).max(quiet_until(settings, now))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The directory, as the store keeps it.
    #[derive(Default)]
    struct Directory(BTreeMap<TokenId, Listed>);

    impl Directory {
        fn read(&mut self, tokens: &[Token], reading: Reading) -> Listing {
            self.read_with(tokens, &[], reading)
        }

        fn read_with(&mut self, tokens: &[Token], nameless: &[Nameless], reading: Reading) -> Listing {
            let known: Vec<_> = self.0.values().cloned().collect();
            let listing = compare(&known, tokens, nameless, reading);
            for token in tokens {
                let before = self.0.get(&token.id);
                let listed = Listed {
                    token: token.id,
                    symbol: token.symbol.clone(),
                    former: before.and_then(|before| before.former.clone()),
                    was_listed: reading == Reading::Whole || before.is_some_and(|before| before.was_listed),
                    missed: 0,
                    is_delisted: false,
                };
                self.0.insert(token.id, listed);
            }
            for token in &listing.nameless {
                self.0.entry(token.id).and_modify(|listed| (listed.missed, listed.is_delisted) = (0, false));
            }
            for (token, former) in &listing.renamed {
                self.0.entry(*token).and_modify(|listed| listed.former = Some(former.clone()));
            }
            for token in &listing.missed {
                self.0.entry(*token).and_modify(|listed| listed.missed += 1);
            }
            for token in &listing.delisted {
                self.0.entry(*token).and_modify(|listed| listed.is_delisted = true);
            }
            listing
        }
    }

    fn tokens(ids: impl IntoIterator<Item = i64>) -> Vec<Token> {
        named(ids.into_iter().map(|id| (id, format!("T{id}"))))
    }

    fn named(tokens: impl IntoIterator<Item = (i64, String)>) -> Vec<Token> {
        let token = |(id, symbol): (i64, String)| Token { id: TokenId(id), name: symbol.clone(), symbol, rank: None, link: None };
        tokens.into_iter().map(token).collect()
    }

    #[test]
    fn t1_a_token_is_gone_when_two_full_lists_running_do_not_name_it() {
        let mut directory = Directory::default();
        directory.read(&tokens([1, 2, 9]), Reading::Part);
        directory.read(&tokens(1..=8), Reading::Whole);
        let without = tokens(2..=8);
        assert_eq!(directory.read(&without, Reading::Whole).news, [], "once may be by chance, and 9 was never in it");
        assert_eq!(directory.read(&tokens([2]), Reading::Part).missed, [], "a part says nothing of the others");
        assert_eq!(directory.read(&without, Reading::Whole).news, [(TokenId(1), TokenNews::Delisted)]);
        let nothing = Listing { reading: Reading::Whole, ..Listing::default() };
        assert_eq!(directory.read(&without, Reading::Whole), nothing, "said once");
        assert_eq!(directory.read(&tokens([1]), Reading::Part).news, [(TokenId(1), TokenNews::Relisted)]);
        directory.read(&without, Reading::Whole);
        assert_eq!(directory.read(&tokens(1..=8), Reading::Whole), nothing);
        assert_eq!(directory.read(&without, Reading::Whole).delisted, [], "twice, but not running");
    }

    #[test]
    fn t1_a_row_that_has_nothing_but_a_number_names_its_token() {
        let by_number = |ids: &[i64]| ids.iter().map(|id| Nameless { id: TokenId(*id), rank: None }).collect::<Vec<_>>();
        let mut directory = Directory::default();
        directory.read(&tokens(1..=8), Reading::Whole);
        for _ in 0..3 {
            let listing = directory.read_with(&tokens(2..=8), &by_number(&[1, 2, 99]), Reading::Whole);
            assert_eq!((listing.nameless, listing.missed, listing.news), (by_number(&[1]), vec![], vec![]), "2 has a row, 99 is not known");
        }
        directory.read(&tokens(2..=8), Reading::Whole);
        assert_eq!(directory.read_with(&tokens(2..=8), &by_number(&[1]), Reading::Whole).news, []);
        assert_eq!(directory.read(&tokens(2..=8), Reading::Whole).news, [], "twice, but not running");
        assert_eq!(directory.read(&tokens(2..=8), Reading::Whole).news, [(TokenId(1), TokenNews::Delisted)]);
        assert_eq!(directory.read_with(&tokens([2]), &by_number(&[1]), Reading::Part).news, [(TokenId(1), TokenNews::Relisted)]);
    }

    #[test]
    fn t2_a_list_that_lacks_a_tenth_is_doubted_until_four_running_lack_the_same() {
        let mut directory = Directory::default();
        directory.read(&tokens(1..=300), Reading::Whole);
        for gone in [0, 0, 0, 31] {
            let listing = directory.read(&tokens(1..=269), Reading::Whole);
            assert_eq!((listing.is_doubted, listing.missed.len(), listing.delisted.len(), listing.news.len()), (true, 31, gone, 0));
        }
        let nothing = Listing { reading: Reading::Whole, ..Listing::default() };
        assert_eq!(directory.read(&tokens(1..=269), Reading::Whole), nothing, "believed by now");
        assert_eq!(directory.read(&tokens(1..=300), Reading::Whole), nothing, "nobody heard that they were gone");
        let listing = directory.read(&tokens(1..=270), Reading::Whole);
        assert_eq!((listing.is_doubted, listing.missed.len(), listing.news.len()), (false, 30, 0));
        assert_eq!(directory.read(&tokens(1..=270), Reading::Whole).news.len(), 30);
    }

    #[test]
    fn t3_another_symbol_is_told_once_and_back_and_forth_is_not() {
        let mut directory = Directory::default();
        directory.read(&named([(1, "MATIC".to_owned()), (2, "Btc".to_owned())]), Reading::Part);
        let news = |directory: &mut Directory, symbol: &str| {
            directory.read(&named([(1, symbol.to_owned()), (2, "BTC".to_owned())]), Reading::Part).news
        };
        assert_eq!(news(&mut directory, "POL"), [(TokenId(1), TokenNews::Renamed { from: "MATIC".to_owned() })]);
        assert_eq!((news(&mut directory, "MATIC"), news(&mut directory, "POL")), (vec![], vec![]));
        let all = (1..=300).map(|id| (id, format!("T{id}")));
        directory.read(&named(all), Reading::Whole);
        let shifted = directory.read(&named((1..=300).map(|id| (id, format!("T{}", id + 1)))), Reading::Whole);
        assert_eq!((shifted.news, shifted.renamed.len(), shifted.is_doubted), (vec![], 300, true));
    }

    proptest! {
        /// Whatever lists come: what is gone was missing twice running, and between two such tellings it was back.
        #[test]
        fn what_is_told_is_so(lists in prop::collection::vec(prop::collection::btree_set(1_i64..12, 0..12), 1..20)) {
            let mut directory = Directory::default();
            let mut gone: BTreeMap<i64, bool> = BTreeMap::new();
            for (index, list) in lists.iter().enumerate() {
                let listing = directory.read(&tokens(list.iter().copied()), Reading::Whole);
                prop_assert!(!listing.is_doubted);
                for (token, news) in listing.news {
                    let was_gone = gone.insert(token.0, news == TokenNews::Delisted).unwrap_or_default();
                    prop_assert_eq!(was_gone, news == TokenNews::Relisted);
                    if news == TokenNews::Delisted {
                        prop_assert!(index >= 2 && !list.contains(&token.0) && !lists[index - 1].contains(&token.0));
                    } else {
                        prop_assert!(list.contains(&token.0));
                    }
                }
            }
        }
    }
}
