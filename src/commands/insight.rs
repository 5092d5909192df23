//! What `/signal` says of a token besides its call, and the prices of the past that `/history` draws (ARCHITECTURE.md, I): what is known
//! already, and what the source says within a moment. It is an addition: none of it can keep the call from being told.

use super::{
    desk::{Desk, SOURCE, Stop},
    signal::is_followed,
};
use crate::{
    cache::Answer,
    domain::{
        Facet, Insight, Kind, Levels, Near, Timestamp, TokenId,
        wording::{Card, InsightPhrase, Phrase, ReplyPhrase},
    },
    engine::insight::is_dated,
};
use futures_util::future::join_all;
use std::{collections::BTreeMap, time::Duration};
use tokio::sync::oneshot;

/// So long the answer waits for what is not known: Discord's first answer still goes without "thinking…".
const PATIENCE: Duration = Duration::from_millis(1_500);
/// What may be asked for so soon is worth a word.
const SOON: Duration = Duration::from_secs(60);

/// What is not known of a token: `pipeline::insight` asks the source.
#[derive(Debug)]
pub struct InsightRequest {
    /// Which token.
    pub token: TokenId,
    /// Told when it is known, or is not to be had now.
    pub answered: oneshot::Sender<()>,
}

/// The prices of the past of a token.
pub(super) enum PastPrices {
    /// The oldest first; none where the source has none, or cannot be asked.
    Known(Vec<(Timestamp, f64)>),
    /// Whoever asks again in a minute may be told.
    Soon,
}

impl Desk {
    /// Adds what the source says of the token besides.
    pub(super) async fn add_insight(&self, card: &mut Card, token: TokenId, kind: Kind) -> Result<(), Stop> {
        // The title of such a card says where the price is.
        let is_titled = kind == Kind::Levels;
        let followed = if is_titled { None } else { self.followed_levels(token).await? };
        let is_asked = |facet: &Facet| !matches!(facet, Facet::Price | Facet::Levels) || !(is_titled || followed.is_some());
        let facets: Vec<_> = Facet::OF_NOW.into_iter().filter(is_asked).collect();
        self.ask_about(token, &facets).await;
        let now = self.now();
        let mut lines: Vec<_> = followed.iter().map(|levels| price(levels.price, Some(levels.near()), levels.at, now)).collect();
        let answers: BTreeMap<_, _> = facets.iter().filter_map(|facet| Some((*facet, self.insights.answer(token, *facet, now)?))).collect();
        lines.extend(told(&answers, now));
        if !lines.is_empty() {
            card.footer = Some(ReplyPhrase::NotAdvice.into());
        }
        let mut nothing: Vec<_> = answers.iter().filter(|(_, answer)| answer.insight.is_none()).map(|(facet, _)| *facet).collect();
        // Of what has no price nobody expects levels.
        nothing.retain(|facet| *facet != Facet::Levels || answers.get(&Facet::Price).is_none_or(|answer| answer.insight.is_some()));
        if !nothing.is_empty() {
            lines.push(InsightPhrase::NothingOf { facets: nothing });
        }
        if facets.iter().any(|facet| self.is_soon_known(token, *facet, now)) {
            lines.push(InsightPhrase::MoreSoon);
        }
        card.lines.extend(lines.into_iter().map(Phrase::from));
        Ok(())
    }

    /// What its price was.
    pub(super) async fn past_prices(&self, token: TokenId, facet: Facet) -> PastPrices {
        self.ask_about(token, &[facet]).await;
        let now = self.now();
        match self.insights.answer(token, facet, now) {
            Some(Answer { insight: Some(Insight::Prices(prices)), .. }) => PastPrices::Known(prices),
            None if self.is_soon_known(token, facet, now) => PastPrices::Soon,
            _ => PastPrices::Known(Vec::new()),
        }
    }

    /// Whether whoever asks again in a minute may be told what nobody knows yet.
    fn is_soon_known(&self, token: TokenId, facet: Facet, now: Timestamp) -> bool {
        self.insights.answer(token, facet, now).is_none() && self.insights.asked_next(token, facet) <= now + SOON
    }

    /// Its levels, where somebody follows them.
    async fn followed_levels(&self, token: TokenId) -> Result<Option<Box<Levels>>, Stop> {
        let call = self.store.current_calls(SOURCE, Kind::Levels, &[token]).await?.remove(&token);
        Ok(call.filter(|call| is_followed(call, Kind::Levels, self.now())).and_then(|call| call.levels))
    }

    /// Has asked for what may be asked for now, and waits for it, but not for long.
    async fn ask_about(&self, token: TokenId, facets: &[Facet]) {
        let now = self.now();
        let asked = facets.iter().filter(|facet| self.insights.asked_next(token, **facet) <= now).filter_map(|facet| {
            let (answered, answer) = oneshot::channel();
            self.facets.get(facet)?.try_send(InsightRequest { token, answered }).ok()?;
            Some(answer)
        });
        // What comes later is kept for whoever asks next.
        let _ = tokio::time::timeout(PATIENCE, join_all(asked)).await;
    }
}

/// What is known, a line each.
fn told(answers: &BTreeMap<Facet, Answer>, now: Timestamp) -> Vec<InsightPhrase> {
    let mut lines = Vec::new();
    let levels = answers.get(&Facet::Levels).and_then(|answer| match &answer.insight {
        Some(Insight::Levels(levels)) => Some(levels),
        _ => None,
    });
    for (facet, Answer { at, insight }) in answers {
        let as_of = Some(*at).filter(|at| is_dated(*facet, now.since(*at)));
        match insight {
            Some(Insight::Price(at_price)) => {
                lines.push(price(*at_price, levels.map(|levels| Near::to(*at_price, levels.iter())), *at, now));
            }
            Some(Insight::Risk(risk)) => lines.push(InsightPhrase::Risk { risk: *risk, as_of }),
            Some(Insight::Scenarios(scenarios)) => {
                lines.push(InsightPhrase::Scenarios { day: scenarios.day, market: scenarios.market, as_of });
                lines.extend(scenarios.around_now().into_iter().map(|scenario| InsightPhrase::Scenario { scenario }));
            }
            // Levels stand beside the price; the prices of the past are drawn.
            Some(Insight::Levels(_) | Insight::Prices(_)) | None => {}
        }
    }
    lines
}

fn price(price: f64, near: Option<Near>, at: Timestamp, now: Timestamp) -> InsightPhrase {
    InsightPhrase::Price { price, near, as_of: Some(at).filter(|at| is_dated(Facet::Price, now.since(*at))) }
}
