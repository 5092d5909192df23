//! What weekly digests say beside the calls that changed. They go without it where it cannot be read: a digest does not wait for figures.

use crate::{
    cache::Scorecards,
    clock::SharedClock,
    domain::{Composition, Delivery, DestinationId, Draft, MessageBody, Timestamp},
    store::{Store, StoreResult},
};
use std::{collections::BTreeSet, time::Duration};
use tokio_util::sync::CancellationToken;

const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Keeps what reviews are made of from growing old, so that none is worked out while alerts wait; until told to stop.
pub async fn keep_reviews_new(scorecards: Scorecards, clock: SharedClock, shutdown: CancellationToken) {
    let renewing = async {
        loop {
            if let Err(error) = scorecards.renew(clock.now()).await {
                tracing::warn!(%error, "what weekly digests look back on could not be worked out; trying again in a minute");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    };
    tokio::select! { () = shutdown.cancelled() => {}, () = renewing => {} }
}

/// Adds its review to the last part of each weekly digest.
pub(super) async fn add_reviews(store: &Store, scorecards: &Scorecards, compositions: &mut [(DestinationId, Composition)], now: Timestamp) {
    let is_weekly = |draft: &Draft| matches!(draft.body, MessageBody::Digest { delivery: Delivery::DigestWeekly, .. });
    let weekly = compositions.iter().filter(|(_, composition)| composition.messages.iter().any(is_weekly));
    let destinations: BTreeSet<_> = weekly.map(|(destination, _)| *destination).collect();
    if destinations.is_empty() {
        return;
    }
    let added = add(store, scorecards, compositions, &destinations, now).await;
    if let Err(error) = added {
        tracing::warn!(%error, "weekly digests go without their review: what they look back on could not be read");
    }
}

async fn add(
    store: &Store,
    scorecards: &Scorecards,
    compositions: &mut [(DestinationId, Composition)],
    destinations: &BTreeSet<DestinationId>,
    now: Timestamp,
) -> StoreResult<()> {
    let wishes = store.weekly_wishes(destinations).await?;
    for (destination, composition) in compositions {
        let Some(wishes) = wishes.get(destination) else { continue };
        let calls = composition.messages.iter().filter(|draft| matches!(draft.body, MessageBody::Digest { .. }));
        let kinds: BTreeSet<_> = calls.flat_map(|draft| draft.body.calls()).map(|call| call.kind).collect();
        let last = composition.messages.iter_mut().rev().find_map(|draft| match &mut draft.body {
            MessageBody::Digest { delivery: Delivery::DigestWeekly, review, .. } => Some(review),
            _ => None,
        });
        if let Some(place) = last {
            let review = scorecards.review(wishes, kinds, now).await?;
            *place = (!review.is_empty()).then(|| Box::new(review));
        }
    }
    Ok(())
}
