//! `/signal`: the latest call of a token, since when, and where to read more. A token that nobody follows is looked up (`rules.md` 1.7).

use super::{
    LookupResult, Request,
    desk::{Desk, Outcome, SOURCE, Stop},
    options,
};
use crate::{
    domain::{
        Kind, Stance, Timestamp, Token, TokenId,
        wording::{CallPhrase, Card, Phrase, RefusalPhrase, ReportPhrase, TokenLabel, Tone},
    },
    engine::diff,
    store::CurrentCall,
};

const EXAMPLE: &str = "/signal SOL";

impl Desk {
    pub(super) async fn signal(&self, request: &Request) -> Outcome {
        let Subject { token, label, kind } = self.subject(request, EXAMPLE).await?;
        let follow_it = follow_it(&label, kind);
        let (call, why_unknown) = self.call_of(request, token.id, kind).await?;
        let mut card = match (&call, &why_unknown) {
            (None, Some(_)) => Card::new(Tone::Neutral, ReportPhrase::NotKnown { token: label, kind }.into()),
            _ => call_card(label, kind, call.as_ref()),
        };
        match call {
            Some(call) => {
                card.lines.extend(call.trader_grade.map(|grade| Phrase::Call(CallPhrase::grade(kind, grade))));
                card.lines.push(ReportPhrase::AsOf { kind, data_time: call.data_time, seen_at: call.seen_at }.into());
            }
            None => {
                let is_offered = !matches!(why_unknown, Some(ReportPhrase::CallNotOffered { .. }));
                card.lines.push(why_unknown.unwrap_or(ReportPhrase::NoCallThere { kind }).into());
                card.lines.extend(Some(follow_it).filter(|_| is_offered));
            }
        }
        self.add_insight(&mut card, token.id, kind).await?;
        card.link = token.link;
        Ok(card.into())
    }

    /// What a command about one token is about.
    pub(super) async fn subject(&self, request: &Request, example: &str) -> Result<Subject, Stop> {
        let words = options::words(request, "token", example)?;
        match (words.all, words.tokens.len()) {
            (false, 0) => return Err(Stop::with_example(RefusalPhrase::NoTokens, example)),
            (false, 1) => {}
            _ => return Err(Stop::with_example(RefusalPhrase::OneTokenOnly, example)),
        }
        let tokens = self.resolve(&words.tokens, &request.person()).await?;
        let labels = self.labels(&tokens).await?;
        match tokens.into_iter().zip(labels).next() {
            Some((token, label)) => Ok(Subject { token, label, kind: words.kind.unwrap_or(Kind::Daily) }),
            None => Err(Stop::with_example(RefusalPhrase::NoTokens, example)),
        }
    }

    /// The call as it is known. Where nobody asked for it lately the source is asked; if that cannot be, what is known, or why nothing is.
    async fn call_of(&self, request: &Request, token: TokenId, kind: Kind) -> Result<(Option<CurrentCall>, Option<ReportPhrase>), Stop> {
        let known = self.store.current_calls(SOURCE, kind, &[token]).await?.remove(&token);
        if known.as_ref().is_some_and(|call| is_followed(call, kind, self.now())) || self.settings.off.contains(&kind) {
            return Ok((known, None));
        }
        Ok(match self.look_up_call(&request.person(), token, kind).await {
            LookupResult::Call(Some(call)) => (Some(call), None),
            LookupResult::NotOffered => (known, Some(ReportPhrase::CallNotOffered { kind })),
            LookupResult::OverLimit => (known, Some(ReportPhrase::CallLookupOverLimit)),
            LookupResult::Call(None) | LookupResult::Found(_) => (known, None),
            LookupResult::Unavailable => (known, Some(ReportPhrase::CallLookupUnavailable)),
        })
    }
}

/// One token and one of its signals.
pub(super) struct Subject {
    pub(super) token: Token,
    pub(super) label: TokenLabel,
    pub(super) kind: Kind,
}

/// Whether somebody asked for the call lately, so that it is that of now.
pub(super) fn is_followed(call: &CurrentCall, kind: Kind, now: Timestamp) -> bool {
    now.since(call.seen_at) <= diff::lapse(kind)
}

/// A card whose title is the call as it is known.
pub(super) fn call_card(token: TokenLabel, kind: Kind, call: Option<&CurrentCall>) -> Card {
    if let Some(levels) = call.and_then(|call| call.levels.as_ref()) {
        return Card::new(Tone::Neutral, ReportPhrase::LatestLevels { token, price: levels.price, near: levels.near() }.into());
    }
    let stance = call.and_then(|call| call.stance);
    Card::new(
        Tone::of(stance.and_then(Stance::outlook)),
        ReportPhrase::Latest { token, kind, stance, since: call.and_then(|call| call.since) }.into(),
    )
}

/// How to be told of this token's calls.
pub(super) fn follow_it(label: &TokenLabel, kind: Kind) -> Phrase {
    let word = label.typed();
    let of_kind = if kind == Kind::Daily { String::new() } else { format!(" {kind}") };
    ReportPhrase::FollowIt { kind, example: format!("/subscribe {word}{of_kind}") }.into()
}
