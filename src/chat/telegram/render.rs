//! A card in Telegram's HTML: the title in bold with a sign, then lines, named values, the link and the small print. All text is escaped
//! here, whoever wrote it; a line is either whole or, where it alone is too long, shortened in its words and never inside a tag.

use crate::domain::{
    Zone,
    wording::{Card, Phrase, ReplyPhrase, Span, Tone},
};
use teloxide::utils::html;

/// The most UTF-16 units of a message's visible text.
pub(super) const TEXT_LIMIT: usize = 4096;
/// The most of a file's caption.
const CAPTION_LIMIT: usize = 1024;
const CUT: &str = "…";

/// The card as HTML.
pub(super) fn html(card: &Card) -> String {
    written(card, true)
}

/// The card as HTML, short enough for a caption.
pub(super) fn html_caption(card: &Card) -> String {
    within(card, true, CAPTION_LIMIT)
}

/// The same without any markup.
pub(super) fn plain_caption(card: &Card) -> String {
    within(card, false, CAPTION_LIMIT)
}

/// The card without any markup, for the case that the markup is refused.
pub(super) fn plain(card: &Card) -> String {
    written(card, false)
}

fn written(card: &Card, markup: bool) -> String {
    within(card, markup, if card.file.is_some() { CAPTION_LIMIT } else { TEXT_LIMIT })
}

fn within(card: &Card, markup: bool, limit: usize) -> String {
    let mut text = Text { html: String::new(), visible: 0, limit, markup, clock: card.clock, full: false };
    if let Some(struck) = &card.struck {
        text.line(|line| line.words("<s>", &unlinked(&struck.plain()), "</s>"));
    }
    text.line(|line| {
        line.words("<b>", &format!("{}{}", sign(card.tone), title(&card.title)), "</b>");
    });
    for phrase in &card.lines {
        text.line(|line| line.phrase(phrase));
    }
    for (name, value) in &card.fields {
        text.line(|line| {
            line.words("<b>", &format!("{}:", unlinked(&name.plain())), "</b>");
            line.words("", " ", "");
            line.phrase(value);
        });
    }
    if let Some(url) = &card.link {
        text.line(|line| line.link(&Phrase::Reply(ReplyPhrase::ReadMore).plain(), url));
    }
    if let Some(footer) = &card.footer {
        text.line(|line| line.words("<i>", &unlinked(&footer.plain()), "</i>"));
    }
    text.html
}

/// A title is bold throughout: what is to be typed or followed stays as it is, so that Telegram makes it so.
fn title(title: &Phrase) -> String {
    let words = |span: &Span| match span {
        Span::Link(..) => span.plain(),
        Span::Code(words) if words.starts_with('/') => words.clone(),
        _ => unlinked(&span.plain()),
    };
    title.english().iter().map(words).collect()
}

/// Stands between two letters, is not seen, and keeps Telegram from making something of them.
const JOINER: char = '\u{2060}';

/// Words that Telegram makes nothing of: it turns `@name`, `#tag`, `/command`, addresses and bare domains into links by itself, and what
/// comes from outside must neither call anyone nor lead anywhere. Numbers and plain words stay byte for byte.
fn unlinked(words: &str) -> String {
    let mut out = String::with_capacity(words.len());
    let mut before = ' ';
    let mut letters = words.chars().peekable();
    while let Some(letter) = letters.next() {
        let next = letters.peek().copied().unwrap_or(' ');
        out.push(letter);
        let is_read = match letter {
            '@' => next.is_alphanumeric() || next == '_',
            '#' => next.is_alphabetic() || next == '_',
            '.' => !before.is_whitespace() && next.is_alphabetic(),
            '/' => !before.is_alphanumeric() && (next.is_ascii_alphanumeric() || next == '_'),
            ':' => next == '/',
            _ => false,
        };
        if is_read {
            out.push(JOINER);
        }
        before = letter;
    }
    out
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
    limit: usize,
    markup: bool,
    clock: Zone,
    full: bool,
}

impl Text {
    /// Adds a line if all of it fits; the first that does not is shortened if it is long by itself, else left out, and ends the text.
    fn line(&mut self, write: impl Fn(&mut Line)) {
        if self.full {
            return;
        }
        let newline = usize::from(!self.html.is_empty());
        let left = self.limit - self.visible;
        let mut line = Line { html: String::new(), visible: 0, room: usize::MAX, markup: self.markup, clock: self.clock };
        write(&mut line);
        // Room for the sign of a cut is kept until the end.
        if newline + line.visible + 1 + CUT.len() > left {
            self.full = true;
            let long_by_itself = line.visible > self.limit / 4;
            line = Line {
                html: String::new(),
                visible: 0,
                room: if long_by_itself { left.saturating_sub(newline + 1) } else { 0 },
                markup: self.markup,
                clock: self.clock,
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
    markup: bool,
    clock: Zone,
}

impl Line {
    fn phrase(&mut self, phrase: &Phrase) {
        for span in phrase.english() {
            match &span {
                Span::Text(words) => self.words("", &unlinked(words), ""),
                Span::Strong(words) => self.words("<b>", &unlinked(words), "</b>"),
                Span::Code(words) => self.words("<code>", words, "</code>"),
                Span::Time(at, _) => self.words("", &self.clock.words(*at), ""),
                Span::Link(words, url) => self.link(words, url),
            }
        }
    }

    fn link(&mut self, words: &str, url: &str) {
        if self.markup && (url.starts_with("https://") || url.starts_with("http://")) {
            self.words(&format!("<a href=\"{}\">", attribute(url)), words, "</a>");
        } else {
            self.words("", &format!("{} ({url})", unlinked(words)), "");
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
        if !fits.is_empty() && self.markup {
            self.html.extend([open, &html::escape(&fits), close]);
        } else {
            self.html.push_str(&fits);
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
        wording::{HintPhrase, NoticePhrase},
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
            mover: None,
            crossing: None,
            link: Some("https://app.tokenmetrics.com/en/sol?a=\"b\"&c".to_owned()),
        }
    }

    #[test]
    fn times_go_by_the_clock_that_its_readers_chose() {
        let card = |zone| Card {
            clock: Zone::parse(zone).unwrap(),
            ..MessageBody::Alert { call: call("SOL"), buttons: None, instead_of: None }.to_card()
        };
        for (zone, seen) in [
            ("Europe/Berlin", "Daily call of 21 Nov 2026, seen 21 Nov 2026 23:00 CET"),
            ("Asia/Kathmandu", "seen 22 Nov 2026 03:45 UTC+05:45"),
            ("UTC", "seen 21 Nov 2026 22:00 UTC"),
        ] {
            for text in [html(&card(zone)), plain(&card(zone))] {
                assert!(text.contains(seen), "{text}");
            }
        }
    }

    #[test]
    fn an_alert_reads_at_a_glance() {
        let text = html(&MessageBody::Alert { call: call("SOL"), buttons: None, instead_of: None }.to_card());
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
        let mut card = MessageBody::Alert { call: call("<b>&X"), buttons: None, instead_of: None }.to_card();
        card.lines.push(Phrase::Notice(NoticePhrase::Restored { destination: "<script>".to_owned() }));
        card.footer = Some(Phrase::Reply(ReplyPhrase::NotAdvice));
        let text = html(&card);
        assert!(text.contains("<b>🟢 &lt;b&gt;&amp;X turned bullish</b>"), "{text}");
        assert!(text.contains("<code>&lt;script&gt;</code>"), "{text}");
        assert!(text.ends_with("<i>Automated data, not investment advice.</i>"), "{text}");
        assert!(plain(&card).contains("<script>"));
    }

    #[test]
    fn text_from_outside_calls_nobody_and_leads_nowhere() {
        for (words, broken) in [
            ("@durov", "@|durov"),
            ("#moon #3375", "#|moon #3375"),
            ("evil.com a.b.io t.me/x", "evil.|com a.|b.|io t.|me/x"),
            ("/start (/stop)", "/|start (/|stop)"),
            ("https://x.y tg://resolve", "https:|//|x.|y tg:|//|resolve"),
        ] {
            assert_eq!(unlinked(words), broken.replace('|', "\u{2060}"));
        }
        for kept in ["SOL turned bullish", "Trader grade 71.5", "and/or, 21 Nov 2026 22:00 UTC.", "1.", "a. B", "#3375 @ 5"] {
            assert_eq!(unlinked(kept), kept);
        }
        let card = MessageBody::Alert { call: call("@all.io"), buttons: None, instead_of: None }.to_card();
        for text in [html(&card), plain(&card)] {
            assert!(text.contains("@\u{2060}all.\u{2060}io turned bullish"), "{text}");
            assert!(text.contains("https://app.tokenmetrics.com/en/sol?"), "{text}");
        }
        let hint = Card::new(Tone::Neutral, Phrase::Hint(HintPhrase::UsePrivateChat { link: "https://t.me/a_bot".to_owned() }));
        assert!(html(&hint).contains("https://t.me/a_bot"));
        assert!(html(&Card::new(Tone::Neutral, Phrase::Hint(HintPhrase::Talk))).contains("/subscribe SOL"));
    }

    #[test]
    fn a_text_that_is_too_long_ends_with_a_whole_line() {
        let calls: Vec<_> = (0..200).map(|i| call(&format!("T<{i}"))).collect();
        let card = MessageBody::Summary { cause: SummaryCause::AtOnce, total: 200, calls, compact: false, older: 0 }.to_card();
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
