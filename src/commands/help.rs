//! `/help`: the table of commands in words.

use super::catalog;
use crate::domain::wording::{Card, ReplyPhrase, ReportPhrase, Tone};

/// Every command that works, and that none of it is advice (`rules.md` 3.11).
pub(super) fn help() -> Card {
    let mut card = Card::new(Tone::Neutral, ReportPhrase::HelpTitle.into());
    card.lines = catalog::flat()
        .map(|(name, spec)| ReportPhrase::HelpLine { command: format!("/{name}"), description: spec.description.to_owned() }.into())
        .collect();
    card.lines.push(ReportPhrase::HelpTokens.into());
    card.footer = Some(ReplyPhrase::NotAdvice.into());
    card
}
