//! What the source says of a token besides its signals, asked for when somebody wants to know (ARCHITECTURE.md, I): one call for many tokens
//! (of the prices of the past for one), within the pace of the reserve. A facet is asked for by one asker, so that a slow endpoint holds up itself alone.

use super::{
    calls::{CallEnd, Caller, Purpose},
    refusals::Refusals,
};
use crate::{
    cache::Insights,
    clock::SharedClock,
    commands::InsightRequest,
    domain::{Facet, Timestamp, TokenId},
    engine::insight,
    sources::SourceError,
    store::{Store, StoreResult},
};
use std::time::Duration;
use tokio::sync::mpsc;

/// So many tokens share a call: as many rows as an answer has where no number is given.
const TOGETHER: usize = 50;
/// After a failure, and where there is no room, nobody asks for so long.
const REST: Duration = Duration::from_secs(10 * 60);

/// What every asker needs.
#[derive(Clone)]
pub(super) struct AskerParts {
    pub(super) caller: Caller,
    pub(super) store: Store,
    pub(super) clock: SharedClock,
    pub(super) insights: Insights,
    pub(super) refusals: Refusals,
}

/// Asks for one facet, one call after the other.
pub(super) struct Asker {
    pub(super) facet: Facet,
    pub(super) requests: mpsc::Receiver<InsightRequest>,
    pub(super) parts: AskerParts,
}

impl Asker {
    /// Answers as long as somebody can ask.
    pub(super) async fn run(mut self) {
        while let Some(request) = self.requests.recv().await {
            self.handle(request).await;
        }
    }

    async fn handle(&self, request: InsightRequest) {
        // Whoever gave up waiting is not asked for, but by then it may be known.
        let (token, now) = (request.token, self.parts.clock.now());
        if !request.answered.is_closed()
            && self.parts.insights.asked_next(token, self.facet) <= now
            && let Err(error) = self.ask(token, now).await
        {
            tracing::error!(%error, "what people ask of a token could not be asked for");
        }
        let _ = request.answered.send(());
    }

    async fn ask(&self, token: TokenId, now: Timestamp) -> StoreResult<()> {
        let AskerParts { caller, store, clock, insights, refusals } = &self.parts;
        let (facet, month) = (self.facet, caller.limits().per_month);
        let (others, most) = if facet.is_of_one() { (Vec::new(), 1) } else { (self.others(store).await?, TOGETHER) };
        let tokens = insights.together(token, facet, &others, most, now);
        let call = caller.source().insight(facet, &tokens);
        if let Some(until) = refusals.until(call.endpoint, now) {
            insights.rest(facet, until);
            return Ok(());
        }
        if !insight::has_room(facet, month, caller.used_by_people().await?, now) {
            insights.rest(facet, now + REST);
            return Ok(());
        }
        match caller.call(&call, Purpose::Insight).await? {
            CallEnd::Came(page) => {
                insights.keep(facet, &tokens, page.into_insights(facet), now, insight::fresh_for(facet, month));
                refusals.answered(call.endpoint).await;
            }
            CallEnd::Failed(error @ SourceError::Refused { .. }) => {
                refusals.refused(call.endpoint, &error, clock.now()).await;
                insights.rest(facet, refusals.until(call.endpoint, now).unwrap_or(now));
            }
            // Also where the request was at fault: that says nothing of what the plan includes.
            CallEnd::Failed(_) => insights.rest(facet, clock.now() + REST),
            CallEnd::NotBefore(at) => insights.rest(facet, at),
            CallEnd::MonthUsedUp => insights.rest(facet, now + REST),
        }
        Ok(())
    }

    /// Those that somebody is likely to ask about.
    async fn others(&self, store: &Store) -> StoreResult<Vec<TokenId>> {
        let most = u32::try_from(TOGETHER).unwrap_or(u32::MAX);
        Ok(store.best_tokens(self.parts.caller.source_id(), most).await?.into_iter().map(|token| token.id).collect())
    }
}
