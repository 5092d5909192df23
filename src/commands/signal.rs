//! `/signal`: the latest call of a token, since when, and where to read more. A token that nobody follows is looked up (`rules.md` 1.7).

use super::{
    LookupResult, Request,
    desk::{Desk, Outcome, SOURCE, Stop},
    options,
};
use crate::{
    domain::{
        Kind, Stance, TokenId,
        wording::{CallPhrase, Card, Phrase, RefusalPhrase, ReportPhrase, Tone},
    },
    engine::diff,
    store::CurrentCall,
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
        let (call, why_unknown) = self.call_of(request, token.id, kind).await?;
        let stance = call.as_ref().and_then(|call| call.stance);
        let tone = match stance {
            Some(Stance::Bullish) => Tone::Bullish,
            Some(Stance::Bearish) => Tone::Bearish,
            None => Tone::Neutral,
        };
        let since = call.as_ref().and_then(|call| call.since);
        let word = if label.id.is_some() { format!("#{}", token.id) } else { label.symbol.clone() };
        let title = match &why_unknown {
            Some(_) if call.is_none() => ReportPhrase::NotKnown { token: label, kind },
            _ => ReportPhrase::Latest { token: label, kind, stance, since },
        };
        let mut card = Card::new(tone, title.into());
        match call {
            Some(call) => {
                card.lines.extend(call.trader_grade.map(|grade| Phrase::Call(CallPhrase::TraderGrade { grade })));
                card.lines.push(ReportPhrase::AsOf { kind, data_time: call.data_time, seen_at: call.seen_at }.into());
            }
            None => {
                card.lines.push(why_unknown.unwrap_or(ReportPhrase::NoCallThere).into());
                let of_kind = if kind == Kind::Daily { String::new() } else { format!(" {kind}") };
                card.lines.push(ReportPhrase::FollowIt { example: format!("/subscribe {word}{of_kind}") }.into());
            }
        }
        card.link.clone_from(&token.link);
        Ok(card.into())
    }

    /// The call as it is known. Where nobody asked for it lately the source is asked; if that cannot be, what is known, or why nothing is.
    async fn call_of(&self, request: &Request, token: TokenId, kind: Kind) -> Result<(Option<CurrentCall>, Option<ReportPhrase>), Stop> {
        let known = self.store.current_calls(SOURCE, kind, &[token]).await?.remove(&token);
        let is_followed = |call: &CurrentCall| self.now().since(call.seen_at) <= diff::lapse(kind);
        if known.as_ref().is_some_and(is_followed) || self.settings.off.contains(&kind) {
            return Ok((known, None));
        }
        Ok(match self.look_up_call(&request.person(), token, kind).await {
            LookupResult::Call(Some(call)) => (Some(call), None),
            LookupResult::OverLimit => (known, Some(ReportPhrase::CallLookupOverLimit)),
            LookupResult::Call(None) | LookupResult::Found(_) => (known, None),
            LookupResult::Unavailable => (known, Some(ReportPhrase::CallLookupUnavailable)),
        })
    }
}
