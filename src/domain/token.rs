//! A token of the directory, and the cleaning of names that come from outside.

use super::TokenId;
use serde::{Deserialize, Serialize};

/// One token as the directory knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// What identifies it.
    pub id: TokenId,
    /// Its ticker, upper case as the source writes it, cleaned; not unique.
    pub symbol: String,
    /// Its name, cleaned.
    pub name: String,
    /// Its place by market cap, 1 the largest; unknown beyond the ranks that were asked for.
    pub rank: Option<u32>,
    /// Where to read more, already checked to be https on tokenmetrics.com (`rules.md` 3.10).
    pub link: Option<String>,
}

/// A token that a list names by its number alone: the rest of its row cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nameless {
    /// What identifies it.
    pub id: TokenId,
    /// Its place by market cap, where the list is one of ranks.
    pub rank: Option<u32>,
}

/// The most code points of a name or symbol that are kept (`rules.md` 6.5).
pub const MAX_NAME: usize = 64;

/// A name or symbol from outside, safe to show: control, bidi and zero-width characters removed, white space folded, at most 64 code points.
/// Escaping for a platform is the adapter's business.
pub fn clean_name(raw: &str) -> String {
    let visible: String = raw.chars().filter(|c| c.is_whitespace() || !is_hidden(*c)).collect();
    let folded = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    folded.chars().take(MAX_NAME).collect()
}

fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}' | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_go_and_length_is_bounded() {
        assert_eq!(clean_name("  B\u{202E}T\u{200B}C\n\t x\u{0} "), "BTC x");
        assert_eq!(clean_name(&"ä".repeat(100)).chars().count(), 64);
        assert_eq!(clean_name("\u{FEFF}\u{2066}"), "");
    }
}
