//! `/history`: how the call of a token changed, as far as it is stored. Nothing is looked up for it: the past of a token that nobody
//! follows would cost calls, and `/signal` tells its call of now. Prices alone are asked for, where a picture has none.

use super::{
    Request,
    desk::{Desk, Outcome, SOURCE},
    insight::PastPrices,
    signal::{Subject, call_card, follow_it, is_followed},
};
use crate::{
    cache::{ChartSubject, Look},
    domain::{
        Change, Facet, Kind, Nature, Scorecard, Stance, Timestamp, Token,
        wording::{Card, CardFile, HistoryPhrase, Phrase, ReplyPhrase, ReportPhrase, ScorecardPhrase, Standing, TokenLabel, Tone},
    },
    store::{CurrentCall, StoreResult},
};

const EXAMPLE: &str = "/history SOL";
/// How many changes are listed: what a phone shows at a glance, and what fits beneath a picture.
const MOST_CHANGES: u32 = 8;

impl Desk {
    pub(super) async fn history(&self, request: &Request) -> Outcome {
        let Subject { token, label, kind } = self.subject(request, EXAMPLE).await?;
        let follow_it = follow_it(&label, kind);
        let call = self.store.current_calls(SOURCE, kind, &[token.id]).await?.remove(&token.id);
        let mut card = match call {
            Some(call) => {
                let changes = self.store.last_changes(SOURCE, kind, token.id, MOST_CHANGES + 1).await?;
                let mut card = call_card(label.clone(), kind, Some(&call));
                card.lines = past(kind, &call, &changes, self.now());
                let record = self.record(kind, &token, &label).await?;
                card.footer = (!record.is_empty()).then(|| ReplyPhrase::NotAdvice.into());
                card.lines.extend(record);
                if !is_followed(&call, kind, self.now()) {
                    card.lines.push(follow_it);
                }
                let (stance, since) = (call.stance, call.since);
                self.add_chart(&mut card, request, ChartSubject { token: token.id, label, kind, stance, since, known: None }).await?;
                card
            }
            None => {
                let mut card = Card::new(Tone::Neutral, ReportPhrase::NotKnown { token: label, kind }.into());
                card.lines = vec![HistoryPhrase::NothingKnown.into(), follow_it];
                card
            }
        };
        card.link = token.link;
        Ok(card.into())
    }
}

impl Desk {
    /// How past calls did: those of the token where they are enough to say anything, else those of its category, else those of all tokens.
    async fn record(&self, kind: Kind, token: &Token, label: &TokenLabel) -> StoreResult<Vec<Phrase>> {
        let symbol = label.symbol.clone();
        let own = self.scorecards.of_token(kind, token.id, self.now()).await?;
        if own.says_anything() {
            let head = ScorecardPhrase::HeadOf { symbol, kind }.into();
            return Ok(std::iter::once(head).chain(ScorecardPhrase::records(&own)).collect());
        }
        let calls = own.by_way().iter().map(|(_, records)| records[0].calls()).sum();
        let alone = ScorecardPhrase::TooFewOf { symbol, calls };
        let said = |head: ScorecardPhrase, card: &Scorecard| {
            std::iter::once(head.into()).chain(ScorecardPhrase::records(card)).chain([alone.into()]).collect()
        };
        if let Some(category) = self.store.category_of(SOURCE, token.id).await? {
            let card = self.scorecards.of_category(kind, category.clone(), self.now()).await?;
            if card.says_anything() {
                return Ok(said(ScorecardPhrase::HeadIn { category, kind }, &card));
            }
        }
        let all = self.scorecards.of_kind(kind, self.now()).await?;
        Ok(if all.is_empty() { Vec::new() } else { said(ScorecardPhrase::Head { kind }, &all) })
    }

    /// Adds the past as a picture, by the reader's clock and in their colours, where there is one. Where too few prices are stored the source
    /// is asked for them; without prices it shows the calls alone.
    async fn add_chart(&self, card: &mut Card, request: &Request, subject: ChartSubject) -> StoreResult<()> {
        let reader = self.store.destination_at(request.own_address()).await?;
        let look = reader.map_or_else(Look::default, |reader| Look::of(&reader.settings));
        let (token, facet) = (subject.token, Facet::prices_of(subject.kind));
        let mut past = self.charts.past(subject).await?;
        if let Some(facet) = facet.filter(|_| past.lacks_prices() && !past.is_empty()) {
            match self.past_prices(token, facet).await {
                PastPrices::Known(prices) => past = past.with_prices(&prices),
                PastPrices::Soon => card.lines.push(HistoryPhrase::PricesSoon.into()),
            }
        }
        card.file = self.charts.picture(past, look).await?.map(|picture| CardFile::Picture(Box::new(picture)));
        Ok(())
    }
}

/// The changes, the newest first, and how long each call stood. `changes` may hold one more than is shown.
fn past(kind: Kind, call: &CurrentCall, changes: &[Change], now: Timestamp) -> Vec<Phrase> {
    let until = if is_followed(call, kind, now) { now } else { call.data_time };
    let shown = &changes[..changes.len().min(MOST_CHANGES as usize)];
    let mut lines = Vec::new();
    if shown.is_empty() {
        let is_known = call.stance.is_some() || call.levels.is_some();
        lines.extend(is_known.then(|| HistoryPhrase::NoChange.into()));
    } else {
        let current = call.stance.zip(call.since.map(|since| Standing { since, until }));
        let more = changes.len() > shown.len();
        lines.push(HistoryPhrase::Head { kind, now: current, changes: shown.len(), more }.into());
    }
    lines.extend(shown.iter().map(|change| line(change).into()));
    lines.push(ReportPhrase::AsOf { kind, data_time: call.data_time, seen_at: call.seen_at }.into());
    lines
}

fn line(change: &Change) -> HistoryPhrase {
    let Change { kind, data_time, from, to, since, .. } = *change;
    if let (Some(crossing), Stance::Beyond(line)) = (&change.crossing, to) {
        let others = crossing.levels.len().saturating_sub(1);
        return HistoryPhrase::Crossed { data_time, line, price: crossing.price, others };
    }
    match change.nature {
        Nature::Correction { .. } => HistoryPhrase::Corrected { kind, data_time, from, to },
        Nature::Turned | Nature::Crossed { .. } => {
            let stood = since.filter(|_| from.is_some()).map(|since| Standing { since, until: data_time });
            HistoryPhrase::Turned { kind, data_time, from, to, stood }
        }
    }
}
