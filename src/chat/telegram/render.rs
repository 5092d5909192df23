//! A card in Telegram's HTML: the title in bold with a sign, then lines, named values, the link and the small print. All text is escaped
//! here, whoever wrote it; a line is either whole or, where it alone is too long, shortened in its words and never inside a tag.

use crate::domain::wording::{Card, HintPhrase, Phrase, Span, Tone};
use teloxide::utils::html;

/// The most UTF-16 units of a message's visible text.
pub(super) const TEXT_LIMIT: usize = 4096;
const CUT: &str = "…";

/// The card as HTML.
pub(super) fn html(card: &Card) -> String {
    let mut text = Text::default();
    text.line(|line| {
        line.words("<b>", &format!("{}{}", sign(card.tone), card.title.plain()), "</b>");
    });
    for phrase in &card.lines {
        text.line(|line| line.phrase(phrase));
    }
    for (name, value) in &card.fields {
        text.line(|line| {
            line.words("<b>", &format!("{}:", name.plain()), "</b>");
            line.words("", " ", "");
            line.phrase(value);
        });
    }
    if let Some(url) = &card.link {
        text.line(|line| line.link(&Phrase::Hint(HintPhrase::ReadMore).plain(), url));
    }
    if let Some(footer) = &card.footer {
        text.line(|line| line.words("<i>", &footer.plain(), "</i>"));
    }
    text.html
}

/// The card without any markup, for the case that the markup is refused.
pub(super) fn plain(card: &Card) -> String {
    let mut text = Text { escape: false, ..Text::default() };
    for words in format!("{}{}", sign(card.tone), card.plain()).lines() {
        text.line(|line| line.words("", words, ""));
    }
    text.html
}

fn sign(tone: Tone) -> &'static str {
    match tone {
        Tone::Bullish => "🟢 ",
        Tone::Bearish => "🔴 ",
        Tone::Neutral => "",
        Tone::Success => "✅ ",
        Tone::Problem => "⚠️ ",
    }
}

/// The text so far and how much of it a reader sees.
struct Text {
    html: String,
    visible: usize,
    escape: bool,
    full: bool,
}

impl Default for Text {
    fn default() -> Self {
        Self { html: String::new(), visible: 0, escape: true, full: false }
    }
}

impl Text {
    /// Adds a line if all of it fits; the first that does not is shortened if it is long by itself, else left out, and ends the text.
    fn line(&mut self, write: impl Fn(&mut Line)) {
        if self.full {
            return;
        }
        let newline = usize::from(!self.html.is_empty());
        let left = TEXT_LIMIT - self.visible;
        let mut line = Line { html: String::new(), visible: 0, room: usize::MAX, escape: self.escape };
        write(&mut line);
        // Room for the sign of a cut is kept until the end.
        if newline + line.visible + 1 + CUT.len() > left {
            self.full = true;
            let long_by_itself = line.visible > TEXT_LIMIT / 4;
            line = Line {
                html: String::new(),
                visible: 0,
                room: if long_by_itself { left.saturating_sub(newline + 1) } else { 0 },
                escape: self.escape,
            };
            if long_by_itself {
                write(&mut line);
            }
            line.html.push_str(CUT);
            line.visible += 1;
        }
        if newline > 0 {
            self.html.push('\n');
        }
        self.html.push_str(&line.html);
        self.visible += newline + line.visible;
    }
}

struct Line {
    html: String,
    visible: usize,
    room: usize,
    escape: bool,
}

impl Line {
    fn phrase(&mut self, phrase: &Phrase) {
        for span in phrase.english() {
            match &span {
                Span::Text(words) => self.words("", words, ""),
                Span::Strong(words) => self.words("<b>", words, "</b>"),
                Span::Code(words) => self.words("<code>", words, "</code>"),
                // The reader's zone is not known here.
                Span::Time(..) => self.words("", &span.plain(), ""),
                Span::Link(words, url) => self.link(words, url),
            }
        }
    }

    fn link(&mut self, words: &str, url: &str) {
        if url.starts_with("https://") || url.starts_with("http://") {
            self.words(&format!("<a href=\"{}\">", attribute(url)), words, "</a>");
        } else {
            self.words("", &format!("{words} ({url})"), "");
        }
    }

    /// Words between two tags, as far as there is room.
    fn words(&mut self, open: &str, words: &str, close: &str) {
        let mut fits = String::new();
        for letter in words.chars() {
            if self.visible + letter.len_utf16() > self.room {
                self.room = self.visible;
                break;
            }
            self.visible += letter.len_utf16();
            fits.push(letter);
        }
        if !fits.is_empty() {
            self.html.push_str(open);
            self.html.push_str(&if self.escape { html::escape(&fits) } else { fits });
            self.html.push_str(close);
        }
    }
}

/// Text inside a quoted attribute: `html::escape` leaves quotes as they are.
fn attribute(text: &str) -> String {
    html::escape(text).replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{
        Kind, MessageBody, Outcome, Stance, SummaryCause, Timestamp, TokenId,
        wording::{NoticePhrase, ReplyPhrase},
    };

    fn call(symbol: &str) -> crate::domain::Call {
        crate::domain::Call {
            token: TokenId(1),
            symbol: symbol.to_owned(),
            kind: Kind::Daily,
            outcome: Outcome::Turned,
            from: Some(Stance::Bearish),
            since: None,
            to: Stance::Bullish,
            data_time: Timestamp::parse("2026-11-21").unwrap(),
            seen_at: Timestamp::parse("2026-11-21T22:00:00Z").unwrap(),
            flips: 0,
            after_gap: false,
            trader_grade: Some(71.5),
            link: Some("https://app.tokenmetrics.com/en/sol?a=\"b\"&c".to_owned()),
        }
    }

    #[test]
    fn an_alert_reads_at_a_glance() {
        let text = html(&MessageBody::Alert { call: call("SOL") }.to_card());
        assert_eq!(
            text,
            "<b>🟢 SOL turned bullish</b>\n\
             Daily call of 21 Nov 2026, seen 21 Nov 2026 22:00 UTC\n\
             Before: bearish\n\
             Trader grade 71.5\n\
             <a href=\"https://app.tokenmetrics.com/en/sol?a=&quot;b&quot;&amp;c\">Read more</a>"
        );
    }

    #[test]
    fn text_from_outside_is_escaped_everywhere() {
        let mut card = MessageBody::Alert { call: call("<b>&X") }.to_card();
        card.lines.push(Phrase::Notice(NoticePhrase::Restored { destination: "<script>".to_owned() }));
        card.footer = Some(Phrase::Reply(ReplyPhrase::NotAdvice));
        let text = html(&card);
        assert!(text.contains("<b>🟢 &lt;b&gt;&amp;X turned bullish</b>"), "{text}");
        assert!(text.contains("<code>&lt;script&gt;</code>"), "{text}");
        assert!(text.ends_with("<i>Automated data, not investment advice.</i>"), "{text}");
        assert!(plain(&card).contains("<script>"));
    }

    #[test]
    fn a_text_that_is_too_long_ends_with_a_whole_line() {
        let calls: Vec<_> = (0..200).map(|i| call(&format!("T<{i}"))).collect();
        let card = MessageBody::Summary { cause: SummaryCause::AtOnce, total: 200, calls, compact: false }.to_card();
        let text = html(&card);
        assert!(text.ends_with("\n…"), "{}", &text[text.len() - 100..]);
        assert_eq!(text.matches("<b>").count(), text.matches("</b>").count());
        assert!(plain(&card).encode_utf16().count() <= TEXT_LIMIT);
    }

    #[test]
    fn a_line_that_is_too_long_is_cut_in_its_words() {
        let card = Card::new(Tone::Problem, Phrase::Notice(NoticePhrase::Restored { destination: "😀<".repeat(5000) }));
        let mut long = Card::new(Tone::Neutral, Phrase::Reply(ReplyPhrase::NotAdvice));
        long.lines.push(card.title.clone());
        for text in [html(&card), html(&long)] {
            let visible: String =
                text.replace("&lt;", "<").replace("<b>", "").replace("</b>", "").replace("<code>", "").replace("</code>", "");
            assert!(visible.encode_utf16().count() <= TEXT_LIMIT, "{}", visible.encode_utf16().count());
            assert!(visible.encode_utf16().count() > TEXT_LIMIT - 8);
            assert!(text.ends_with("…"));
            assert_eq!(text.matches("<code>").count(), text.matches("</code>").count());
        }
    }
}
