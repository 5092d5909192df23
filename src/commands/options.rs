//! Reading a command's options: by name as Discord sends them, or as free words as Telegram does.

use super::{
    Request, catalog,
    desk::Stop,
    tokens::{self, PREVIEW, TokenWord, Words, once},
};
use crate::domain::{Delivery, Direction, Kind, MuteLength, Platform, Threshold, wording::RefusalPhrase};

/// Under which name Telegram's free words stand.
pub(super) const FREE_WORDS: &str = "words";
/// The option that names a channel.
pub(super) const CHANNEL: &str = "channel";

/// The tokens and keywords of a command: those of the option `list`, the named options, and free words.
pub(super) fn words(request: &Request, list: &str, example: &str) -> Result<Words, Stop> {
    let option = |name: &str| request.invocation.options.get(name).map(String::as_str);
    let text = [option(list), option(FREE_WORDS)].into_iter().flatten().collect::<Vec<_>>().join(" ");
    let refused = |phrase| Stop::with_example(phrase, example);
    let mut words = tokens::parse(&text).map_err(refused)?;
    // Telegram's free words give what was said twice as a list, so that it is refused as such.
    for word in option("kind").iter().flat_map(|list| list.split(',')) {
        let kind = Kind::parse(word).ok_or_else(|| refused(bad_word("kind", word, Kind::ALL, Kind::as_str)))?;
        once(&mut words.kind, kind, "kind", Kind::as_str).map_err(refused)?;
    }
    for word in option("direction").iter().flat_map(|list| list.split(',')) {
        let direction = Direction::parse(word).ok_or_else(|| refused(bad_word("direction", word, Direction::ALL, Direction::as_str)))?;
        once(&mut words.direction, direction, "direction", Direction::as_str).map_err(refused)?;
    }
    for word in option("delivery").iter().flat_map(|list| list.split(',')) {
        let delivery = Delivery::parse(word).ok_or_else(|| refused(bad_word("delivery", word, Delivery::ALL, Delivery::as_str)))?;
        once(&mut words.delivery, delivery, "delivery", Delivery::as_str).map_err(refused)?;
    }
    for word in option("threshold").iter().flat_map(|list| list.split(',')) {
        let threshold = Threshold::parse(word).ok_or_else(|| refused(RefusalPhrase::BadThreshold { word: short(word) }))?;
        if words.threshold.replace(threshold).is_some_and(|other| other != threshold) {
            return Err(refused(RefusalPhrase::OneThreshold));
        }
    }
    Ok(words)
}

/// Whether it is only asked what would be sent: by the option, or by the word among the tokens, which is taken out. (A token of that name is
/// written by its number.)
pub(super) fn preview(request: &Request, words: &mut Words, example: &str) -> Result<bool, Stop> {
    let asked = |word: &TokenWord| matches!(word, TokenWord::Symbol(symbol) if symbol.eq_ignore_ascii_case(PREVIEW));
    let by_word = words.tokens.iter().any(asked);
    words.tokens.retain(|word| !asked(word));
    match request.invocation.options.get(PREVIEW).map(String::as_str) {
        None => Ok(by_word),
        Some("yes") => Ok(true),
        Some(word) => Err(Stop::with_example(bad_word(PREVIEW, word, &["yes"], |yes| yes), example)),
    }
}

/// How long is to be muted; nothing where it is not said.
pub(super) fn mute_length(request: &Request, example: &str) -> Result<Option<MuteLength>, Stop> {
    let refused = |phrase| Stop::with_example(phrase, example);
    let mut length = None;
    for word in request.invocation.options.get("for").iter().flat_map(|list| list.split(',')) {
        let found = MuteLength::parse(word.trim());
        let found = found.ok_or_else(|| refused(bad_word("length", word, MuteLength::ALL, MuteLength::as_str)))?;
        once(&mut length, found, "length", MuteLength::as_str).map_err(refused)?;
    }
    Ok(length)
}

/// What is to be done about what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PrivacyAction {
    Export,
    Forget,
}

impl PrivacyAction {
    const ALL: &'static [Self] = &[Self::Export, Self::Forget];

    const fn as_str(self) -> &'static str {
        match self {
            Self::Export => "export",
            Self::Forget => "forget",
        }
    }
}

/// How it is typed on this platform.
pub(super) fn privacy_example(platform: Platform, action: PrivacyAction) -> String {
    let name = if platform == Platform::Discord { "action:" } else { "" };
    format!("/privacy {name}{}", action.as_str())
}

/// What is to be done; nothing where it is not said. Whatever else was typed is refused: nothing is forgotten by a guess.
pub(super) fn privacy_action(request: &Request) -> Result<Option<PrivacyAction>, Stop> {
    let option = |name: &str| request.invocation.options.get(name).map(String::as_str);
    let refused = |word| {
        let example = privacy_example(request.platform(), PrivacyAction::Export);
        Stop::with_example(bad_word("privacy action", word, PrivacyAction::ALL, PrivacyAction::as_str), &example)
    };
    match (option("action"), option(FREE_WORDS)) {
        (_, Some(words)) => Err(refused(words)),
        (None, None) => Ok(None),
        (Some(word), None) => {
            let found = PrivacyAction::ALL.iter().copied().find(|action| action.as_str().eq_ignore_ascii_case(word));
            found.map(Some).ok_or_else(|| refused(word))
        }
    }
}

pub(super) fn bad_word<T: Copy>(option: &str, word: &str, choices: &[T], name: fn(T) -> &'static str) -> RefusalPhrase {
    let choices = choices.iter().map(|choice| name(*choice).to_owned()).collect();
    RefusalPhrase::BadWord { option: option.to_owned(), word: short(word), choices }
}

/// A right way to type this command where it was typed, with these words after it.
pub(super) fn example(request: &Request, words: &str) -> String {
    let name = catalog::name_of(request.invocation.command).unwrap_or_default();
    let name = if request.platform() == Platform::Telegram { catalog::name_on_telegram(&name) } else { name };
    format!("/{name} {words}")
}

/// What was typed, short enough to be said again.
pub(super) fn short(word: &str) -> String {
    let cleaned = crate::domain::clean_name(word);
    if cleaned.is_empty() { "(nothing)".to_owned() } else { cleaned }
}
