//! `/signal`: the latest call of a token, since when, and where to read more.

use super::{
    Request,
    desk::{Desk, Outcome, SOURCE, Stop},
    options,
};
use crate::domain::{
    Kind, Stance,
    wording::{CallPhrase, Card, Phrase, RefusalPhrase, ReportPhrase, Tone},
};

const EXAMPLE: &str = "/signal SOL";

impl Desk {
    pub(super) async fn signal(&self, request: &Request) -> Outcome {
        let words = options::words(request, "token", EXAMPLE)?;
        match (words.all, words.tokens.len()) {
            (false, 0) => return Err(Stop::with_example(RefusalPhrase::NoTokens, EXAMPLE)),
            (false, 1) => {}
            _ => return Err(Stop::with_example(RefusalPhrase::OneTokenOnly, EXAMPLE)),
        }
        let kind = words.kind.unwrap_or(Kind::Daily);
        let tokens = self.resolve(&words.tokens, &request.person()).await?;
        let (Some(token), Some(label)) = (tokens.first(), self.labels(&tokens).await?.into_iter().next()) else {
            return Err(Stop::with_example(RefusalPhrase::NoTokens, EXAMPLE));
        };
        let call = self.store.current_calls(SOURCE, kind, &[token.id]).await?.remove(&token.id);
        let stance = call.as_ref().and_then(|call| call.stance);
        let tone = match stance {
            Some(Stance::Bullish) => Tone::Bullish,
            Some(Stance::Bearish) => Tone::Bearish,
            None => Tone::Neutral,
        };
        let since = call.as_ref().and_then(|call| call.since);
        let word = if label.id.is_some() { format!("#{}", token.id) } else { label.symbol.clone() };
        let mut card = Card::new(tone, ReportPhrase::Latest { token: label, kind, stance, since }.into());
        match call {
            Some(call) => {
                card.lines.extend(call.trader_grade.map(|grade| Phrase::Call(CallPhrase::TraderGrade { grade })));
                card.lines.push(ReportPhrase::AsOf { kind, data_time: call.data_time, seen_at: call.seen_at }.into());
            }
            None => {
                let of_kind = if kind == Kind::Daily { String::new() } else { format!(" {kind}") };
                card.lines.push(ReportPhrase::NobodyFollows { example: format!("/subscribe {word}{of_kind}") }.into());
            }
        }
        card.link.clone_from(&token.link);
        Ok(card.into())
    }
}
