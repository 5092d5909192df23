//! `/help`: the table of commands in words.

use super::catalog::{self, CommandSpec};
use crate::domain::{
    Platform,
    wording::{Card, ReplyPhrase, ReportPhrase, Tone},
};

/// Every command that works on this platform, and that none of it is advice (`rules.md` 3.11).
pub(super) fn help(platform: Platform) -> Card {
    let mut card = Card::new(Tone::Neutral, ReportPhrase::HelpTitle.into());
    card.lines = catalog::flat()
        .map(|(name, spec)| {
            let command = match platform {
                Platform::Telegram => format!("/{}{}", catalog::name_on_telegram(&name), example(spec)),
                Platform::Discord | Platform::Console => format!("/{name}"),
            };
            ReportPhrase::HelpLine { command, description: spec.description.to_owned() }.into()
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
    let names: Vec<_> = spec.options.iter().map(|option| option.name).collect();
    match names.first().copied() {
        Some("tokens") => " SOL,ETH",
        Some("token") => " SOL",
        Some("action") => " export",
        Some("for") if names.contains(&"token") => " 8h SOL",
        Some("for") => " 8h",
        Some("max_per_hour") => " timezone=Europe/Berlin quiet_hours=22:00-07:00",
        _ => "",
    }
}
