//! The picture that goes with an alert, where its reader wants one (rules P). An alert neither waits long for it nor is lost with it.

use super::Shared;
use crate::{
    cache::{AlertChart, Upload, UploadTurn},
    chat::{Illustration, Receipt},
    domain::{MessageBody, Timestamp},
    store::Claimed,
};
use std::sync::Arc;

/// What goes with one attempt.
pub(super) struct Illustrated {
    pub(super) illustration: Illustration,
    chart: Arc<AlertChart>,
    turn: Option<UploadTurn>,
}

impl Shared {
    /// The picture of an alert; nothing where none is wanted, or it is a reply, or it was tried before.
    pub(super) async fn illustrate(&self, claimed: &Claimed) -> Option<Illustrated> {
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

    /// Remembers where the picture is from now on.
    pub(super) async fn illustrated(&self, illustrated: Illustrated, receipt: &Receipt, now: Timestamp) {
        if let Some(name) = &receipt.uploaded {
            self.parts.charts.uploaded(&illustrated.chart, self.platform, name.clone(), illustrated.turn, now).await;
        }
    }
}
