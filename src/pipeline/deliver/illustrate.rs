//! The picture that goes with an alert, where its reader wants one (rules P). An alert neither waits long for it nor is lost with it.

use super::Shared;
use crate::{
    cache::{AlertChart, Upload, UploadTurn},
    chat::{Illustration, Receipt},
    domain::{MessageBody, Timestamp},
    store::Claimed,
};
use std::{sync::Arc, time::Duration};

/// So long an alert waits for its picture: the database, the drawing and somebody else's upload together.
const PATIENCE: Duration = Duration::from_secs(3);

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

impl Shared {
    /// The picture of an alert; nothing where none is wanted, or it is a reply, or it was tried before.
    async fn illustrate(&self, claimed: &Claimed) -> Option<Illustrated> {
        let MessageBody::Alert { call, .. } = &claimed.body else { return None };
        let settings = &claimed.destination.settings;
        if !settings.charts || claimed.follows.is_some() || claimed.attempts > 1 {
            return None;
        }
        let chart = self.parts.charts.of_alert(call, settings.timezone).await?;
        let (uploaded, turn) = match self.messenger.keeps_pictures() {
            false => (None, None),
            true => match self.parts.charts.upload(&chart, self.platform).await {
                Upload::Known(name) => (Some(name), None),
                Upload::Needed(turn) => (None, turn),
            },
        };
        Some(Illustrated { illustration: Illustration { picture: chart.picture.clone(), uploaded }, chart, turn })
    }

    /// The same within what an attempt can spare for it.
    pub(super) async fn illustrate_soon(&self, claimed: &Claimed) -> Option<Illustrated> {
        tokio::time::timeout(PATIENCE, self.illustrate(claimed)).await.ok().flatten()
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
