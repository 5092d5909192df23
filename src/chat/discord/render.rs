//! A card as an embed: escaped, within Discord's limits, with nothing in it that could ping.

use crate::domain::{
    Mention, Timestamp,
    wording::{Card, CardFile, Phrase, Picture, ReplyPhrase, Span, TimeStyle, Tone},
};
use serde_json::{Value, json};
use serenity::{
    builder::{CreateActionRow, CreateAllowedMentions, CreateButton, CreateEmbed, CreateEmbedFooter},
    model::{application::ButtonStyle, id::RoleId},
};

/// [Discord, embed limits](https://discord.com/developers/docs/resources/message#embed-object-embed-limits), in code points.
const TITLE: usize = 256;
const DESCRIPTION: usize = 4096;
const FIELDS: usize = 25;
const FIELD_NAME: usize = 256;
const FIELD_VALUE: usize = 1024;
const FOOTER: usize = 2048;
const EMBED: usize = 6000;
/// An attachment's description.
const ALT: usize = 1024;
/// Roles that one message may mention; their mentions stay far below the 2000 of a content.
const ROLES: usize = 50;
/// A link button's longest URL.
const BUTTON_URL: usize = 512;
/// A button's longest label, and the most buttons of a row.
const BUTTON_LABEL: usize = 80;
const ROW: usize = 5;

/// The card as embeds: what is not so any more in one of its own above it, struck through.
pub(super) fn embeds(card: &Card) -> Vec<CreateEmbed> {
    let struck =
        card.struck.as_ref().map(|phrase| CreateEmbed::new().description(format!("~~{}~~", markup(phrase))).colour(colour(Tone::Neutral)));
    struck.into_iter().chain([embed(card)]).collect()
}

/// The card as an embed. The title is always there, and goes on below where it is too long; what does not fit is cut from the end, at a line.
pub(super) fn embed(card: &Card) -> CreateEmbed {
    let words = card.title.plain();
    let (title, rest) = headline(&words);
    let title = escape_within(title, TITLE);
    // All embeds of a message share the limit.
    let struck = card.struck.as_ref().map_or(0, |phrase| count(&markup(phrase)) + 4);
    let mut left = EMBED.saturating_sub(count(&title) + struck);
    let mut embed = CreateEmbed::new().title(title).colour(colour(card.tone));
    // Footers render no markup and no mention: their text stays as it is.
    let footer = card.footer.as_ref().map(|footer| clip(&footer.plain(), FOOTER)).filter(|footer| !footer.is_empty());
    if let Some(footer) = footer {
        left -= count(&footer);
        embed = embed.footer(CreateEmbedFooter::new(footer));
    }
    if let Some(picture) = card.picture() {
        embed = embed.image(format!("attachment://{}", picture.name));
    }
    let room = DESCRIPTION.min(left);
    let mut description = escape_within(rest, room);
    let lines = lines_within(&card.lines, room.saturating_sub(count(&description) + 1));
    if !description.is_empty() && !lines.is_empty() {
        description.push('\n');
    }
    description.push_str(&lines);
    if !description.is_empty() {
        left -= count(&description);
        embed = embed.description(description);
    }
    for (name, value) in card.fields.iter().take(FIELDS) {
        let (name, value) = (escape_within(&name.plain(), FIELD_NAME), lines_within(std::slice::from_ref(value), FIELD_VALUE));
        let length = count(&name) + count(&value);
        if name.is_empty() || value.is_empty() {
            continue;
        }
        if length > left {
            break;
        }
        left -= length;
        embed = embed.field(name, value, true);
    }
    embed
}

/// The files that go with the card, as a body names them.
pub(super) fn attachments(card: &Card) -> Value {
    let attachment = |file: &CardFile| {
        let mut attachment = json!({ "id": 0, "filename": file.name() });
        if let Some(picture) = card.picture() {
            attachment["description"] = json!(description(picture));
        }
        attachment
    };
    card.file.iter().map(attachment).collect()
}

/// What a picture shows, for whoever does not see it: plain text, read out as it is.
fn description(picture: &Picture) -> String {
    clip(&picture.alt.plain(), ALT)
}

/// The card's buttons beneath it, and its link as one of them.
pub(super) fn components(card: &Card) -> Vec<CreateActionRow> {
    let usable = |url: &&String| is_web(url) && count(url) <= BUTTON_URL && !url.contains(char::is_whitespace);
    let label = |phrase: &Phrase| clip(&phrase.plain(), BUTTON_LABEL);
    let links = card.link.iter().filter(usable).map(|url| CreateButton::new_link(url).label(label(&ReplyPhrase::ReadMore.into())));
    let buttons = card
        .buttons
        .iter()
        .map(|button| CreateButton::new(button.press.to_string()).label(label(&button.label)).style(ButtonStyle::Secondary));
    let row: Vec<_> = buttons.chain(links).take(ROW).collect();
    if row.is_empty() { Vec::new() } else { vec![CreateActionRow::Buttons(row)] }
}

/// The content, which holds nothing but the mentions of these roles, and who may be pinged: they alone (`rules.md` 6.5).
pub(super) fn mentions(mention: &Mention) -> (Option<String>, CreateAllowedMentions) {
    let mut roles: Vec<RoleId> = mention.0.iter().filter_map(|id| super::client::snowflake(id)).map(RoleId::new).collect();
    roles.sort_unstable();
    roles.dedup();
    roles.truncate(ROLES);
    let content = roles.iter().map(|role| format!("<@&{role}>")).collect::<Vec<_>>().join(" ");
    ((!content.is_empty()).then_some(content), CreateAllowedMentions::new().roles(roles))
}

/// Text that Discord shows as it is: no markup, no mention, no link of its own.
pub(super) fn escape(text: &str) -> String {
    escape_within(text, usize::MAX)
}

fn colour(tone: Tone) -> u32 {
    match tone {
        Tone::Bullish => 0x2E_CC_71,
        Tone::Bearish => 0xE7_4C_3C,
        Tone::Neutral => 0x34_98_DB,
        Tone::Success => 0x1A_BC_9C,
        Tone::Problem => 0xF1_C4_0F,
    }
}

fn is_web(url: &str) -> bool {
    url.starts_with("https://") || url.starts_with("http://")
}

fn count(text: &str) -> usize {
    text.chars().count()
}

fn clip(text: &str, limit: usize) -> String {
    if count(text) <= limit {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(limit.saturating_sub(1)).collect();
    short.push('…');
    short
}

/// Lines in order as long as they fit whole; a first line that does not fit is cut without its markup.
fn lines_within(lines: &[Phrase], limit: usize) -> String {
    let mut text = String::new();
    for (index, line) in lines.iter().enumerate() {
        let rendered = markup(line);
        let more = if index + 1 < lines.len() { 2 } else { 0 };
        if count(&text) + 1 + count(&rendered) + more > limit {
            if text.is_empty() {
                return escape_within(&line.plain(), limit);
            }
            if count(&text) + 2 <= limit {
                text.push_str("\n…");
            }
            return text;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&rendered);
    }
    text
}

/// A phrase in Discord's markup.
fn markup(phrase: &Phrase) -> String {
    let mut out = String::new();
    for span in phrase.english() {
        match &span {
            Span::Text(text) => out.push_str(&escape(text)),
            Span::Strong(text) => out.push_str(&format!("**{}**", escape(text))),
            Span::Code(text) => out.push_str(&code(text)),
            Span::Time(at, style) => out.push_str(&time(*at, *style)),
            Span::Link(text, url) if is_web(url) => out.push_str(&format!("[{}]({})", escape(text), link_target(url))),
            Span::Link(text, _) => out.push_str(&escape(text)),
        }
    }
    out
}

fn time(at: Timestamp, style: TimeStyle) -> String {
    let style = match style {
        TimeStyle::DateTime => 'f',
        TimeStyle::Relative => 'R',
    };
    format!("<t:{}:{style}>", at.as_secs())
}

/// Inside a code span nothing can be escaped, so what could end it is replaced.
fn code(text: &str) -> String {
    let inner: String = text.chars().filter(|c| !c.is_control()).map(|c| if c == '`' { '\'' } else { c }).collect();
    if inner.trim().is_empty() { String::new() } else { format!("`{inner}`") }
}

fn link_target(url: &str) -> String {
    url.chars()
        .filter(|c| !c.is_control() && !c.is_whitespace())
        .flat_map(|c| {
            let encoded = match c {
                '(' => "%28",
                ')' => "%29",
                '<' => "%3C",
                '>' => "%3E",
                _ => return vec![c],
            };
            encoded.chars().collect()
        })
        .collect()
}

/// What stands in the title, and what goes on below it: a title that is too long ends with a sentence, else with a part of one, else with a word.
fn headline(words: &str) -> (&str, &str) {
    // Escaped it may be twice as long.
    let fits = |text: &str| count(&escape_within(text, usize::MAX)) <= TITLE;
    if fits(words) {
        return (words, "");
    }
    let last = |end: &str, kept: usize| {
        let ends = words.match_indices(end).map(|(at, _)| at + kept);
        ends.take_while(|end| fits(&words[..*end])).last()
    };
    match last(". ", 1).or_else(|| last("; ", 1)).or_else(|| last(" ", 0)) {
        Some(end) => (&words[..end], words[end..].trim_start()),
        None => (words, ""),
    }
}

/// Escaped text of at most `limit` code points; never cut between a backslash and what it escapes.
fn escape_within(text: &str, limit: usize) -> String {
    let mut out = String::with_capacity(text.len() + 8);
    let mut length = 0;
    let mut line_start = true;
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character.is_control() && character != '\n' {
            continue;
        }
        let starts_link = character == ':' && characters.peek() == Some(&'/');
        let marks_line = line_start && matches!(character, '#' | '-' | '+');
        let escaped = starts_link || marks_line || matches!(character, '\\' | '*' | '_' | '~' | '`' | '|' | '<' | '>' | '[' | ']' | '@');
        let width = 1 + usize::from(escaped);
        let rest = usize::from(characters.peek().is_some());
        if length + width + rest > limit {
            if length < limit {
                out.push('…');
            }
            break;
        }
        if escaped {
            out.push('\\');
        }
        out.push(character);
        length += width;
        line_start = character == '\n' || (line_start && character == ' ');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::wording::NoticePhrase;

    fn said(text: &str) -> Phrase {
        Phrase::Notice(NoticePhrase::Restored { destination: text.to_owned() })
    }

    fn wild(text: &str) -> Phrase {
        Phrase::Call(crate::domain::wording::CallPhrase::Turned { symbol: text.to_owned(), from: None, to: crate::domain::Stance::Bullish })
    }

    #[test]
    fn markup_from_outside_is_shown_as_it_is() {
        assert_eq!(escape("**A** _b_ ~c~ `d` ||e||"), r"\*\*A\*\* \_b\_ \~c\~ \`d\` \|\|e\|\|");
        assert_eq!(escape("<@&1> @everyone [x](https://evil)"), r"\<\@&1\> \@everyone \[x\](https\://evil)");
        assert_eq!(escape("# big\n- list a-b"), "\\# big\n\\- list a-b");
        assert_eq!(escape("a\u{7}b"), "ab");
        assert_eq!(code("a`b"), "`a'b`");
    }

    #[test]
    fn a_cut_never_leaves_a_lone_backslash() {
        for limit in 1..20 {
            let text = escape_within("**********", limit);
            assert!(count(&text) <= limit);
            let end = text.chars().rev().skip_while(|c| *c == '…').take_while(|c| *c == '\\').count();
            assert_eq!(end % 2, 0, "{text}");
        }
        assert_eq!(escape_within("abc", 3), "abc");
        assert_eq!(escape_within("abcd", 3), "ab…");
    }

    #[test]
    fn what_is_too_long_for_a_title_goes_on_below_it() {
        let long = format!("{}[TG-TOKEN]", "Ask for another one, and wait. ".repeat(20));
        let card = Card::new(Tone::Problem, said(&long));
        let value = serde_json::to_value(embed(&card)).unwrap();
        let (title, description) = (value["title"].as_str().unwrap(), value["description"].as_str().unwrap());
        assert!(title.ends_with("and wait.") && count(title) <= TITLE, "{title}");
        let whole = format!("{title} {description}");
        assert_eq!(whole.matches("Ask for another one, and wait.").count(), 20, "{whole}");
        assert!(whole.contains("\\[TG-TOKEN\\]"), "{whole}");
        assert_eq!(headline("Short. Words"), ("Short. Words", ""));
        let long = "word ".repeat(80);
        let parts = format!("Telegram answers \"{}\"; wait [TG-DOWN]. Run it.", "a".repeat(200) + &"b".repeat(30));
        assert_eq!(headline(&parts).1, "wait [TG-DOWN]. Run it.");
        assert!(headline(&long).0.ends_with("word") && !headline(&long).1.is_empty());
    }

    #[test]
    fn the_largest_card_fits_and_keeps_its_title() {
        let mut card = Card::new(Tone::Bullish, wild(&"*".repeat(300)));
        card.lines = (0..200).map(|_| said(&"x".repeat(100))).collect();
        card.fields = (0..40).map(|_| (said(&"n".repeat(300)), said(&"v".repeat(2000)))).collect();
        card.footer = Some(said(&"f".repeat(3000)));
        let value = serde_json::to_value(embed(&card)).unwrap();
        let length = |value: &Value| value.as_str().map_or(0, count);
        assert!(length(&value["title"]) > 200 && length(&value["title"]) <= TITLE);
        assert!(length(&value["description"]) <= DESCRIPTION);
        let fields = value["fields"].as_array().cloned().unwrap_or_default();
        assert!(fields.len() <= FIELDS);
        let total = length(&value["title"])
            + length(&value["description"])
            + length(&value["footer"]["text"])
            + fields.iter().map(|field| length(&field["name"]) + length(&field["value"])).sum::<usize>();
        assert!(total <= EMBED, "{total}");
    }

    #[test]
    fn times_stand_in_lines_only() {
        let at = Timestamp::from_secs(1_795_255_200);
        let kind = crate::domain::Kind::Hourly;
        let timed = Phrase::Call(crate::domain::wording::CallPhrase::When { kind, data_time: at, seen_at: at });
        let mut card = Card::new(Tone::Neutral, timed.clone());
        card.lines.push(timed.clone());
        card.footer = Some(timed);
        let value = serde_json::to_value(embed(&card)).unwrap();
        assert!(value["description"].as_str().unwrap().contains("<t:1795255200:R>"));
        assert!(!value["title"].as_str().unwrap().contains("<t:"));
        assert!(!value["footer"]["text"].as_str().unwrap().contains("<t:"));
    }

    #[test]
    fn only_the_roles_that_asked_can_be_pinged() {
        let (content, allowed) = mentions(&Mention(vec!["7".into(), "nonsense".into(), "0".into(), "7".into(), "8".into()]));
        assert_eq!(content.as_deref(), Some("<@&7> <@&8>"));
        let allowed = serde_json::to_value(allowed).unwrap();
        assert_eq!(allowed["parse"], serde_json::json!([]));
        assert_eq!(allowed["roles"], serde_json::json!(["7", "8"]));
        assert_eq!(mentions(&Mention::default()).0, None);
    }

    #[test]
    fn only_a_web_address_becomes_a_button() {
        let mut card = Card::new(Tone::Neutral, said("x"));
        for (link, buttons) in [(None, 0), (Some("https://a.example/b"), 1), (Some("javascript:alert(1)"), 0), (Some("https://a b"), 0)] {
            card.link = link.map(str::to_owned);
            assert_eq!(components(&card).len(), buttons, "{link:?}");
        }
    }
}
