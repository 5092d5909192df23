//! How a message looks on the terminal: who, which way and from when on the first line, the rest below.

use super::paint::{Paint, harmless};
use crate::domain::{
    Address, MessageBody, Timestamp,
    wording::{CallPhrase, Card, Phrase, Tone},
};

/// Names of destinations are this wide, so that titles stand below one another.
const NAME_WIDTH: usize = 8;
/// Between the parts of a line.
const GAP: &str = "  ";
/// In front of the parts of a line that belong together.
const DOT: &str = " · ";

/// The whole message, ending in a line break. `at` is when it is printed, in UTC.
pub(super) fn layout(body: &MessageBody, to: &Address, at: Timestamp, paint: Paint) -> String {
    let card = body.to_card();
    let time = at.to_utc().format("%e %b %H:%M").to_string();
    let name = format!("{:<NAME_WIDTH$}", harmless(&short_name(to)));
    let indent = " ".repeat(time.chars().count() + name.chars().count() + 2 * GAP.len());
    let head = format!("{}{GAP}{name}{GAP}", paint.dim(&time));
    let (first, rest) = match body {
        MessageBody::Alert { .. } => alert(&card, paint),
        MessageBody::Summary { .. } | MessageBody::Digest { .. } | MessageBody::Card { .. } => (title(&card, paint), below(&card, paint)),
    };
    let mut text = format!("{head}{first}\n");
    for line in rest {
        text.push_str(&format!("{indent}{line}\n"));
    }
    text
}

/// One alert: its title with what it was before; below it, which call that is and where to read more.
fn alert(card: &Card, paint: Paint) -> (String, Vec<String>) {
    let (origin, facts): (Vec<_>, Vec<_>) = card.lines.iter().partition(|line| matches!(line, Phrase::Call(CallPhrase::When { .. })));
    let first = [title(card, paint)].into_iter().chain(facts.into_iter().map(words)).collect::<Vec<_>>().join(GAP);
    let second: Vec<_> = origin.into_iter().map(words).chain(link(card)).collect();
    (first, vec![paint.dim(&second.join(DOT))])
}

fn title(card: &Card, paint: Paint) -> String {
    paint.strong(card.tone, &format!("{} {}", sign(card.tone), words(&card.title)))
}

/// What stands below the title of a summary or a card, a line each.
fn below(card: &Card, paint: Paint) -> Vec<String> {
    let mut lines: Vec<_> = card.lines.iter().map(|line| signed(line, paint)).collect();
    lines.extend(card.fields.iter().map(|(name, value)| format!("{}: {}", words(name), words(value))));
    lines.extend(link(card).map(|link| paint.dim(&link)));
    lines.extend(card.footer.as_ref().map(|footer| paint.dim(&words(footer))));
    lines
}

/// A line about a call carries its sign and colour, any other is plain.
fn signed(line: &Phrase, paint: Paint) -> String {
    match tone(line) {
        None => words(line),
        Some(tone) => paint.strong(tone, sign(tone)) + " " + &words(line),
    }
}

/// That of the call which the line is about.
fn tone(line: &Phrase) -> Option<Tone> {
    let Phrase::Call(call) = line else { return None };
    match call {
        CallPhrase::Line { title, .. } => tone(title),
        CallPhrase::Turned { from, to, .. } => Some(Tone::of(to.way_from(*from))),
        CallPhrase::Symbols { way, .. } => Some(Tone::of(*way)),
        CallPhrase::Corrected { to, .. } | CallPhrase::FlippedBack { to, .. } => Some(Tone::of(to.outlook())),
        _ => None,
    }
}

fn words(phrase: &Phrase) -> String {
    harmless(&phrase.plain())
}

fn link(card: &Card) -> Option<String> {
    card.link.as_deref().map(harmless)
}

fn sign(tone: Tone) -> &'static str {
    match tone {
        Tone::Bullish => "▲",
        Tone::Bearish => "▼",
        Tone::Neutral => "•",
        Tone::Success => "✓",
        Tone::Problem => "✗",
    }
}

/// `#alerts` of `console:#alerts`: the platform goes without saying.
fn short_name(to: &Address) -> String {
    match &to.topic {
        Some(topic) => format!("{}/{topic}", to.chat),
        None => to.chat.clone(),
    }
}
