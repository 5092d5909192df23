//! Pictures of a token's past, for `/history` and for alerts: what they show is read here, and each is drawn once.

use super::{Pictures, recent::Recent};
use crate::{
    chart::{Chart, Theme},
    domain::{
        Call, Kind, Outcome, Platform, Price, Since, SourceId, Stance, Timestamp, TokenId, Zone,
        wording::{Picture, TokenLabel},
    },
    engine::diff,
    store::{Store, StoreResult},
};
use sha2::{Digest, Sha256};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::{Mutex as Turn, OnceCell, OwnedMutexGuard};

const SOURCE: SourceId = SourceId::TokenMetrics;
/// How far a picture reaches back: a season of daily calls, a week of hourly ones.
const MOST_DAYS: u32 = 90;
const MOST_HOURS: u32 = 168;
/// How many alerts' pictures are kept, the newest asked for.
const KEPT: usize = 64;
/// No alert waits longer for its picture: drawing takes some 20 ms, and the words are what matters.
const PATIENCE: Duration = Duration::from_secs(2);

/// Whose past is shown, and how it ends.
#[derive(Clone, Debug)]
pub struct ChartSubject {
    /// Whose.
    pub token: TokenId,
    /// As it is called.
    pub label: TokenLabel,
    /// Of which signal.
    pub kind: Kind,
    /// The call of now.
    pub stance: Option<Stance>,
    /// Since when.
    pub since: Option<Since>,
}

/// Draws charts. Cheap to clone; all clones share what is kept.
#[derive(Clone)]
pub struct Charts {
    store: Store,
    pictures: Arc<Pictures>,
    of_alerts: Arc<Recent<Key, Drawn, KEPT>>,
}

/// What names the picture of an alert: one for each token and poll, in the reader's zone.
#[derive(Clone, Copy, PartialEq)]
struct Key {
    kind: Kind,
    token: TokenId,
    to: Stance,
    data_time: Timestamp,
    seen_at: Timestamp,
    zone: Zone,
}

/// Drawn, being drawn, or impossible to draw.
type Drawn = Arc<OnceCell<Option<Arc<AlertChart>>>>;

/// The picture of an alert, and where it was brought already.
pub struct AlertChart {
    /// The picture.
    pub picture: Picture,
    /// What names it: the digest of its SVG.
    digest: String,
    /// What platforms call it.
    uploads: Arc<Turn<BTreeMap<Platform, String>>>,
}

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
    /// Nothing is drawn yet.
    pub fn new(store: Store) -> Self {
        Self { store, pictures: Arc::default(), of_alerts: Arc::default() }
    }

    /// The past as a picture; nothing where there is none, or where it cannot be drawn.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn of(&self, subject: ChartSubject, zone: Zone) -> StoreResult<Option<Picture>> {
        let chart = self.chart(subject).await?;
        Ok(self.drawn(&chart, zone).await.map(|(picture, _)| picture))
    }

    /// The picture that goes with an alert. Nothing where there is nothing to show beside the words, where it takes too long, or where it
    /// fails, which is logged here.
    pub async fn of_alert(&self, call: &Call, zone: Zone) -> Option<Arc<AlertChart>> {
        let is_news = matches!(call.outcome, Outcome::Turned | Outcome::Unstable | Outcome::Settled);
        if !is_news || call.kind.is_latest() {
            return None;
        }
        let drawn = self.of_alerts.place_of(Key::of(call, zone));
        // What could not be read is read again for the next reader; what cannot be drawn is not drawn again.
        let draw = drawn.get_or_try_init(|| async {
            let chart = self.chart(subject_of(call)).await?;
            let drawn = if shows_prices(&chart) { self.drawn(&chart, zone).await } else { None };
            StoreResult::Ok(drawn.map(|(picture, digest)| Arc::new(AlertChart { picture, digest, uploads: Arc::default() })))
        });
        match tokio::time::timeout(PATIENCE, draw).await {
            Ok(Ok(chart)) => chart.clone(),
            Ok(Err(error)) => {
                tracing::error!(%error, "the past of a token cannot be read; its alert goes without a picture");
                None
            }
            Err(_) => {
                tracing::warn!(token = call.token.0, "a picture was not drawn in time; the alert goes without it");
                None
            }
        }
    }

    /// How a picture comes to a platform that keeps what was brought there.
    pub async fn upload(&self, chart: &AlertChart, platform: Platform) -> Upload {
        let Ok(mut turn) = tokio::time::timeout(PATIENCE, chart.uploads.clone().lock_owned()).await else { return Upload::Needed(None) };
        if let Some(name) = turn.get(&platform) {
            return Upload::Known(name.clone());
        }
        match self.store.upload(platform, &chart.digest).await {
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
        let names = turn.map(|UploadTurn(names)| names).or_else(|| chart.uploads.clone().try_lock_owned().ok());
        if let Some(mut names) = names {
            names.insert(platform, name.to_owned());
        }
    }

    /// Remembers what a platform calls a picture, over a restart as well.
    pub async fn remember(&self, chart: &AlertChart, platform: Platform, name: &str, now: Timestamp) {
        if let Err(error) = self.store.remember_upload(platform, &chart.digest, name, now).await {
            tracing::warn!(%error, "where a picture was sent to cannot be stored; after a restart it is sent again");
        }
    }

    async fn chart(&self, subject: ChartSubject) -> StoreResult<Chart> {
        let ChartSubject { token, label, kind, stance, since } = subject;
        let most = match kind {
            Kind::Hourly => MOST_HOURS,
            _ => MOST_DAYS,
        };
        let mut rows = self.store.last_rows(SOURCE, kind, token, most).await?;
        // What was followed before a long pause is another past.
        let pause = rows.windows(2).position(|pair| pair[0].data_time.since(pair[1].data_time) > diff::lapse(kind));
        rows.truncate(pause.map_or(rows.len(), |place| place + 1));
        rows.reverse();
        Ok(Chart { token: label, id: token, kind, stance, since, rows })
    }

    /// The picture, and what names it.
    async fn drawn(&self, chart: &Chart, zone: Zone) -> Option<(Picture, String)> {
        let rules = zone.rules();
        let (svg, alt) = (chart.svg(&rules, Theme::default())?, chart.in_words(&rules)?);
        let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(&svg));
        let png = self.pictures.png(svg).await?;
        Some((Picture { name: format!("{}-{}.png", chart.id, chart.kind), alt, png }, digest))
    }
}

impl Key {
    const fn of(call: &Call, zone: Zone) -> Self {
        Self { kind: call.kind, token: call.token, to: call.to, data_time: call.data_time, seen_at: call.seen_at, zone }
    }
}

/// Whether there is more to see than the words say.
fn shows_prices(chart: &Chart) -> bool {
    chart.rows.iter().filter(|row| Price::of(&row.values).is_some()).count() > 1
}

fn subject_of(call: &Call) -> ChartSubject {
    ChartSubject {
        token: call.token,
        label: TokenLabel { symbol: call.symbol.clone(), name: String::new(), id: None },
        kind: call.kind,
        stance: Some(call.to),
        since: Some(Since { at: call.data_time, exact: true }),
    }
}
