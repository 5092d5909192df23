//! `/help`: the table of commands in words.

use super::catalog::{self, CommandSpec, Scope};
use crate::domain::{
    Platform,
    wording::{Card, ReplyPhrase, ReportPhrase, Tone},
};

/// Every command that works on this platform, and that none of it is advice (`rules.md` 3.11).
pub(super) fn help(platform: Platform) -> Card {
    let mut card = Card::new(Tone::Neutral, ReportPhrase::HelpTitle.into());
    let works = |scope| platform != Platform::Telegram || scope == Scope::Everywhere;
    card.lines = catalog::flat()
        .filter(|(_, spec)| works(spec.scope))
        .map(|(name, spec)| {
            let words = if platform == Platform::Telegram { example(spec) } else { "" };
            ReportPhrase::HelpLine { command: format!("/{name}{words}"), description: spec.description.to_owned() }.into()
        })
        .collect();
    card.lines.push(ReportPhrase::HelpTokens.into());
    if platform == Platform::Telegram {
        card.lines.push(ReportPhrase::HelpWords.into());
        card.lines.push(ReportPhrase::HelpGroups.into());
    }
    card.footer = Some(ReplyPhrase::NotAdvice.into());
    card
}

/// What may follow a command where words are typed, not filled in.
fn example(spec: &CommandSpec) -> &'static str {
    match spec.options.first().map(|option| option.name) {
        Some("tokens") => " SOL,ETH",
        Some("token") => " SOL",
        Some("for") => " 8h SOL",
        Some("max_per_hour") => " max_per_hour=5 cooldown=30",
        _ => "",
    }
}
