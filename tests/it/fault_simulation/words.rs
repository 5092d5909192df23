//! What a message tells, as somebody reads it who knows nothing of the program.

use super::places::TOKENS;

/// One line about one token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) token: i64,
    pub(super) bullish: bool,
    pub(super) says: Says,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Says {
    Turned,
    /// It turned, and is unstable or has settled.
    TurnedAtLast,
    Settled,
    Corrected,
    /// It flipped and is back.
    Back,
}

/// The lines of a text that tell of tokens; what is struck through is not told.
pub(super) fn read(text: &str) -> Vec<Line> {
    text.lines().filter(|line| !line.starts_with("~~")).filter_map(line).collect()
}

fn line(text: &str) -> Option<Line> {
    let text = text.trim_start_matches(|letter: char| !letter.is_alphanumeric());
    let (token, rest) = TOKENS.iter().find_map(|(id, symbol, _)| Some((*id, text.strip_prefix(symbol)?.strip_prefix(' ')?)))?;
    let said = |before: &str| {
        let rest = rest.strip_prefix(before)?;
        [("bullish", true), ("bearish", false)].into_iter().find_map(|(word, bullish)| Some((bullish, rest.strip_prefix(word)?)))
    };
    let plain = |before: &str, says: Says| said(before).map(|(bullish, _)| Line { token, bullish, says });
    let turned = said("turned ").map(|(bullish, after)| {
        let says = if after.contains("is unstable") || after.contains("has settled") { Says::TurnedAtLast } else { Says::Turned };
        Line { token, bullish, says }
    });
    turned
        .or_else(|| plain("has settled, still ", Says::Settled))
        .or_else(|| plain("correction: the call is ", Says::Corrected))
        .or_else(|| plain("flipped and back, still ", Says::Back))
}

#[test]
fn lines_are_read_as_people_read_them() {
    let text = "~~SOL turned bullish~~\n🔴 SOL correction: the call is bearish\nHeld back: 2 calls\n• BTC turned bullish (daily, 21 Nov 2026)\nETH: bearish since 14 Nov";
    let read: Vec<_> = read(text).into_iter().map(|line| (line.token, line.bullish, line.says)).collect();
    assert_eq!(read, [(3988, false, Says::Corrected), (3375, true, Says::Turned)]);
}
