//! Colour on the terminal: the one place that knows escape sequences.

use crate::domain::wording::Tone;

/// Paints text where colour is wanted, and leaves it alone where it is not.
#[derive(Clone, Copy, Debug)]
pub(super) struct Paint {
    /// Whether the reader's terminal shows colour.
    pub(super) colour: bool,
}

impl Paint {
    /// Text that stands out, in the colour of its tone.
    pub(super) fn strong(self, tone: Tone, text: &str) -> String {
        self.wrap(
            match tone {
                Tone::Bullish | Tone::Success => "1;32",
                Tone::Bearish | Tone::Problem => "1;31",
                Tone::Neutral => "1",
            },
            text,
        )
    }

    /// Text that steps back.
    pub(super) fn dim(self, text: &str) -> String {
        self.wrap("2", text)
    }

    fn wrap(self, code: &str, text: &str) -> String {
        if self.colour && !text.is_empty() { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

/// Text that cannot move the cursor, change colours, forge a line or turn the writing direction: such characters are shown as escapes.
pub(super) fn harmless(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_control() || is_invisible(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    out
}

/// Characters that change how their neighbours are shown (bidi controls, separators) or hide among them.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{061C}' | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outside_text_cannot_steer_the_terminal() {
        assert_eq!(harmless("a\u{1b}[31mb\r\n\u{7}"), "a\\u{1b}[31mb\\r\\n\\u{7}");
        assert_eq!(harmless("\u{202E}x\u{200B}\u{9b}"), "\\u{202e}x\\u{200b}\\u{9b}");
        assert_eq!(harmless("Zürich ₿ \"quoted\" \\ 日本"), "Zürich ₿ \"quoted\" \\ 日本");
    }

    #[test]
    fn without_colour_nothing_is_added() {
        let plain = Paint { colour: false };
        assert_eq!((plain.strong(Tone::Bullish, "up"), plain.dim("link")), ("up".to_owned(), "link".to_owned()));
        assert_eq!(Paint { colour: true }.strong(Tone::Bearish, "down"), "\u{1b}[1;31mdown\u{1b}[0m");
        assert_eq!(Paint { colour: true }.dim(""), "");
    }
}
