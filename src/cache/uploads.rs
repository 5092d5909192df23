//! Where pictures were brought already, so that each goes to a platform that keeps them once.

use super::charts::{AlertChart, Charts};
use crate::domain::{Platform, Timestamp};
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// What platforms call a picture.
#[derive(Clone, Default)]
pub(super) struct Uploads(Arc<Mutex<BTreeMap<Platform, String>>>);

/// Whoever holds it brings a picture to a platform; the others wait for that, and use it.
pub struct UploadTurn(OwnedMutexGuard<BTreeMap<Platform, String>>);

/// How a picture comes to a platform.
pub enum Upload {
    /// It is there, under this name.
    Known(String),
    /// It has to be brought there; with the turn, where nobody else is at it.
    Needed(Option<UploadTurn>),
}

impl Charts {
    /// How a picture comes to a platform that keeps what was brought there. Waits while somebody else brings it there.
    pub async fn upload(&self, chart: &AlertChart, platform: Platform) -> Upload {
        let drawing = &chart.drawing;
        let mut turn = drawing.uploads.0.clone().lock_owned().await;
        if let Some(name) = turn.get(&platform) {
            return Upload::Known(name.clone());
        }
        match self.store.upload(platform, &drawing.digest).await {
            Ok(Some(name)) => {
                turn.insert(platform, name.clone());
                Upload::Known(name)
            }
            Ok(None) => Upload::Needed(Some(UploadTurn(turn))),
            Err(error) => {
                tracing::warn!(%error, "whether a picture was sent before cannot be read; it is sent again");
                Upload::Needed(Some(UploadTurn(turn)))
            }
        }
    }

    /// Lets whoever waits for the turn know what a platform calls a picture.
    pub fn uploaded(&self, chart: &AlertChart, platform: Platform, name: &str, turn: Option<UploadTurn>) {
        // Without the turn somebody else is at it, and says the same.
        let names = turn.map(|UploadTurn(names)| names).or_else(|| chart.drawing.uploads.0.clone().try_lock_owned().ok());
        if let Some(mut names) = names {
            names.insert(platform, name.to_owned());
        }
    }

    /// Remembers what a platform calls a picture, over a restart as well.
    pub async fn remember(&self, chart: &AlertChart, platform: Platform, name: &str, now: Timestamp) {
        if let Err(error) = self.store.remember_upload(platform, &chart.drawing.digest, name, now).await {
            tracing::warn!(%error, "where a picture was sent to cannot be stored; after a restart it is sent again");
        }
    }
}
