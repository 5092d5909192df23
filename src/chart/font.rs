//! The built-in letters: what they can show, and how wide a text becomes.

use skrifa::{
    FontRef, MetadataProvider,
    instance::{LocationRef, Size},
};
use std::sync::LazyLock;

/// Inter by The Inter Project Authors, under the licence beside it (`fonts/LICENSE`): Latin, Greek, Cyrillic, digits and currency signs.
pub(super) const FACES: [&[u8]; 2] = [include_bytes!("fonts/Inter-Medium.otf"), include_bytes!("fonts/Inter-Bold.otf")];

/// How thick letters are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weight {
    Medium,
    Bold,
}

static MEDIUM: LazyLock<Option<FontRef<'static>>> = LazyLock::new(|| FontRef::new(FACES[0]).ok());
static BOLD: LazyLock<Option<FontRef<'static>>> = LazyLock::new(|| FontRef::new(FACES[1]).ok());

impl Weight {
    /// As CSS counts it.
    pub(super) const fn number(self) -> u16 {
        match self {
            Self::Medium => 500,
            Self::Bold => 700,
        }
    }

    fn face(self) -> Option<&'static FontRef<'static>> {
        match self {
            Self::Medium => MEDIUM.as_ref(),
            Self::Bold => BOLD.as_ref(),
        }
    }

    /// How wide a text is at this size, without what its letters do to each other.
    pub(super) fn width(self, text: &str, size: f64) -> f64 {
        let Some(face) = self.face() else { return 0.0 };
        let (letters, widths) = (face.charmap(), face.glyph_metrics(Size::new(100.0), LocationRef::default()));
        let width = |letter| f64::from(letters.map(letter).and_then(|glyph| widths.advance_width(glyph)).unwrap_or_default());
        text.chars().map(width).sum::<f64>() * size / 100.0
    }

    /// The text, shortened at its end where it is wider than `room`.
    pub(super) fn within(self, text: &str, size: f64, room: f64) -> String {
        if self.width(text, size) <= room {
            return text.to_owned();
        }
        let mut short: String = text.to_owned();
        while short.pop().is_some() {
            let cut = format!("{}…", short.trim_end());
            if self.width(&cut, size) <= room {
                return cut;
            }
        }
        String::new()
    }
}

/// The text without what the built-in letters cannot show: a box in its place would tell nobody anything.
pub fn legible(text: &str) -> String {
    let Some(face) = Weight::Bold.face() else { return String::new() };
    let letters = face.charmap();
    let shown: String = text.chars().filter(|letter| letters.map(*letter).is_some_and(|glyph| glyph.to_u32() != 0)).collect();
    shown.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_faces_can_be_read_and_show_what_a_chart_says() {
        for weight in [Weight::Medium, Weight::Bold] {
            assert!(weight.width("0", 100.0) > 40.0, "{weight:?}");
        }
        let needed = "+−1,234.5 % $0.0₀₁₂₃₄₅₆₇₈₉ ÄÖé Ж Ω … → ·";
        assert_eq!(legible(needed), needed);
    }

    #[test]
    fn what_cannot_be_shown_is_left_out() {
        assert_eq!(legible("币安 Coin\u{202e}\u{7} 🚀 X"), "Coin X");
        assert_eq!(legible("币安"), "");
    }

    #[test]
    fn a_long_text_is_cut_where_the_room_ends() {
        let cut = Weight::Bold.within(&"W".repeat(64), 60.0, 500.0);
        assert!(cut.ends_with('…') && Weight::Bold.width(&cut, 60.0) <= 500.0, "{cut}");
        assert_eq!(Weight::Bold.within("SOL", 60.0, 500.0), "SOL");
        assert_eq!(Weight::Bold.within("SOL", 60.0, 3.0), "");
    }
}
