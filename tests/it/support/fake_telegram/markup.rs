//! Telegram's HTML: which tags there are, that they are closed in order, and what a reader sees.

const TAGS: &[&str] =
    &["b", "strong", "i", "em", "u", "ins", "s", "strike", "del", "a", "code", "pre", "blockquote", "span", "tg-spoiler", "tg-emoji"];

/// The visible text, or what Telegram would say about the markup.
pub(crate) fn visible(html: &str) -> Result<String, String> {
    let mut text = String::new();
    let mut open: Vec<String> = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find(['<', '>', '&']) {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        if let Some(tail) = rest.strip_prefix('&') {
            let (entity, after) = tail.split_once(';').ok_or("unescaped & in the text")?;
            text.push(decode(entity).ok_or_else(|| format!("unsupported entity \"&{entity};\""))?);
            rest = after;
            continue;
        }
        let (tag, after) = rest.strip_prefix('<').and_then(|tail| tail.split_once('>')).ok_or("unescaped < or > in the text")?;
        rest = after;
        if let Some(name) = tag.strip_prefix('/') {
            let expected = open.pop();
            if expected.as_deref() != Some(name) {
                return Err(format!("unexpected end tag \"{name}\", expected {expected:?}"));
            }
            continue;
        }
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        if !TAGS.contains(&name) {
            return Err(format!("unsupported start tag \"{name}\""));
        }
        let is_link =
            attributes.strip_prefix("href=\"").and_then(|value| value.strip_suffix('"')).is_some_and(|value| !value.contains('"'));
        if (name == "a") != is_link || open.iter().any(|tag| tag == "code" || tag == "pre") {
            return Err(format!("a start tag \"{tag}\" that cannot be here"));
        }
        open.push(name.to_owned());
    }
    text.push_str(rest);
    match open.pop() {
        Some(name) => Err(format!("can't find end tag corresponding to start tag \"{name}\"")),
        None => Ok(text),
    }
}

fn decode(entity: &str) -> Option<char> {
    match entity {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "quot" => Some('"'),
        _ => char::from_u32(entity.strip_prefix('#')?.parse().ok()?),
    }
}
