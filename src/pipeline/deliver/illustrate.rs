//! The picture that goes with an alert, where its reader wants one (rules P). An alert neither waits long for it nor is lost with it.

use super::Shared;
use crate::{
    cache::{AlertChart, Look, Upload, UploadTurn},
    chat::{Illustration, Receipt},
    domain::{Call, Follows, FollowsHow, MessageBody, Outcome, Timestamp},
    store::Claimed,
};
use std::{sync::Arc, time::Duration};
use tokio::time::{Instant, timeout_at};

/// So long an alert waits for its picture, in all: the database, the drawing and somebody else's upload. Drawing takes some 20 ms, and the
/// words are what matters.
const PATIENCE: Duration = Duration::from_secs(2);

/// A picture that a platform has taken, under this name.
pub(super) struct Shown {
    chart: Arc<AlertChart>,
    name: String,
}

/// What goes with one attempt.
pub(super) struct Illustrated {
    pub(super) illustration: Illustration,
    chart: Arc<AlertChart>,
    turn: Option<UploadTurn>,
}

/// The call whose past goes with a message; nothing where no picture is wanted, or one was tried before. A correction brings one in the
/// place of that which was wrong.
pub(super) fn pictured(claimed: &Claimed) -> Option<&Call> {
    let MessageBody::Alert { call, .. } = &claimed.body else { return None };
    let is_fitting = match &claimed.follows {
        None => matches!(call.outcome, Outcome::Turned | Outcome::Unstable | Outcome::Settled),
        Some(Follows { how: FollowsHow::Edits, .. }) => call.outcome == Outcome::Corrected,
        Some(Follows { how: FollowsHow::Replies, .. }) => false,
    };
    let is_wanted = claimed.destination.settings.charts.is_some() && claimed.attempts <= 1;
    (is_fitting && is_wanted && !call.kind.is_latest()).then_some(call)
}

impl Shared {
    /// The picture of an alert, and how it comes to the platform; nothing where there is none, or none in time.
    pub(super) async fn illustrate(&self, claimed: &Claimed, call: &Call) -> Option<Illustrated> {
        let (until, charts) = (Instant::now() + PATIENCE, &self.parts.charts);
        let chart = match timeout_at(until, charts.of_alert(call, Look::of(&claimed.destination.settings))).await {
            Ok(Ok(chart)) => chart?,
            Ok(Err(error)) => {
                tracing::error!(message_id = claimed.id.0, %error, "the past of a token cannot be read; its alert goes without a picture");
                return None;
            }
            Err(_) => {
                tracing::warn!(
                    message_id = claimed.id.0,
                    token = call.token.0,
                    "a picture was not drawn in time; the alert goes without it"
                );
                return None;
            }
        };
        let upload = match self.messenger.keeps_pictures() {
            false => Upload::Needed(None),
            // Whoever is at it is slow: brought there twice is no harm.
            true => timeout_at(until, charts.upload(&chart, self.platform)).await.unwrap_or(Upload::Needed(None)),
        };
        let (uploaded, turn) = match upload {
            Upload::Known(name) => (Some(name), None),
            Upload::Needed(turn) => (None, turn),
        };
        Some(Illustrated { illustration: Illustration { picture: chart.picture.clone(), uploaded }, chart, turn })
    }
}

impl Illustrated {
    /// Gives the turn back; what is to be remembered of it once the message is settled.
    pub(super) fn shown(self, shared: &Shared, receipt: &Receipt) -> Option<Shown> {
        let name = receipt.uploaded.clone()?;
        shared.parts.charts.uploaded(&self.chart, shared.platform, &name, self.turn);
        Some(Shown { chart: self.chart, name })
    }
}

impl Shown {
    pub(super) async fn remember(self, shared: &Shared, now: Timestamp) {
        shared.parts.charts.remember(&self.chart, shared.platform, &self.name, now).await;
    }
}
