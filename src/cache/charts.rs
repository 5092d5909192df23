//! Pictures of a token's past, for `/history` and for alerts: what they show is read here, and each is drawn once.

use super::{
    pictures::{Drawing, Pictures},
    recent::{Recent, Size},
};
use crate::{
    chart::Chart,
    domain::{
        Call, Kind, Outcome, Price, Settings, Since, SourceId, Stance, Theme, Timestamp, TokenId, Zone,
        wording::{Picture, TokenLabel},
    },
    engine::diff,
    store::{Store, StoreResult},
};
use std::sync::Arc;

const SOURCE: SourceId = SourceId::TokenMetrics;
/// How far a picture reaches back: a season of daily calls, a week of hourly ones.
const MOST_DAYS: u32 = 90;
const MOST_HOURS: u32 = 168;
/// In bytes, for the pictures of alerts: 50 tokens that turn for readers in 10 zones are 500 pictures of some 37 kB.
const ROOM: usize = 24 * 1024 * 1024;

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
    /// What came later is not shown: the words beside it do not know of it.
    pub until: Option<Timestamp>,
}

/// How its reader wants it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Look {
    /// Where their clock hangs.
    pub zone: Zone,
    /// Its colours.
    pub theme: Theme,
}

impl Look {
    /// As these settings say.
    pub fn of(settings: &Settings) -> Self {
        Self { zone: settings.timezone, theme: settings.charts.unwrap_or_default() }
    }
}

/// Draws charts. Cheap to clone; all clones share what is kept.
#[derive(Clone)]
pub struct Charts {
    pub(super) store: Store,
    pictures: Arc<Pictures>,
    of_alerts: Arc<Recent<Key, Drawn>>,
}

/// What names the picture of an alert: one for each token and poll, by the reader's clock where it shows one, and in their colours.
#[derive(Clone, Copy, PartialEq)]
struct Key {
    kind: Kind,
    token: TokenId,
    to: Stance,
    data_time: Timestamp,
    seen_at: Timestamp,
    look: Look,
}

/// Drawn, or nothing to draw.
type Drawn = Option<Arc<AlertChart>>;

impl Size for Drawn {
    fn size(&self) -> usize {
        self.as_ref().map_or(0, |chart| chart.picture.png.len())
    }
}

/// The picture of an alert, and where it was brought already.
pub struct AlertChart {
    /// The picture.
    pub picture: Picture,
    pub(super) drawing: Arc<Drawing>,
}

impl Charts {
    /// Nothing is drawn yet.
    pub fn new(store: Store) -> Self {
        Self { store, pictures: Arc::default(), of_alerts: Arc::new(Recent::new(ROOM)) }
    }

    /// The past as a picture; nothing where there is none, or where it cannot be drawn.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn of(&self, subject: ChartSubject, look: Look) -> StoreResult<Option<Picture>> {
        let chart = self.chart(subject).await?;
        Ok(self.drawn(&chart, look).await.map(|drawn| drawn.picture))
    }

    /// The picture that goes with an alert. Nothing where there is nothing to show beside the words.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn of_alert(&self, call: &Call, look: Look) -> StoreResult<Option<Arc<AlertChart>>> {
        let place = self.of_alerts.place_of(Key::of(call, look));
        // What could not be read is read again for the next reader; what cannot be drawn is not drawn again.
        let draw = || async {
            let chart = self.chart(subject_of(call)).await?;
            let drawn = if shows_prices(&chart) { self.drawn(&chart, look).await } else { None };
            StoreResult::Ok(drawn.map(Arc::new))
        };
        Ok(place.get_or_try_init(draw).await?.clone())
    }

    async fn chart(&self, subject: ChartSubject) -> StoreResult<Chart> {
        let ChartSubject { token, label, kind, stance, since, until } = subject;
        let most = match kind {
            Kind::Hourly => MOST_HOURS,
            _ => MOST_DAYS,
        };
        let mut rows = self.store.last_rows(SOURCE, kind, token, until, most).await?;
        // What was followed before a long pause is another past.
        let pause = rows.windows(2).position(|pair| pair[0].data_time.since(pair[1].data_time) > diff::lapse(kind));
        rows.truncate(pause.map_or(rows.len(), |place| place + 1));
        rows.reverse();
        Ok(Chart { token: label, id: token, kind, stance, since, rows })
    }

    async fn drawn(&self, chart: &Chart, look: Look) -> Option<AlertChart> {
        let rules = look.zone.rules();
        let (svg, alt) = (chart.svg(&rules, look.theme)?, chart.in_words(&rules)?);
        let drawing = self.pictures.drawing(svg).await?;
        let picture = Picture { name: format!("{}-{}.png", chart.id, chart.kind), alt, png: drawing.png.clone() };
        Some(AlertChart { picture, drawing })
    }
}

impl Key {
    fn of(call: &Call, look: Look) -> Self {
        // Days are named in UTC, whoever reads.
        let zone = if call.kind == Kind::Hourly { look.zone } else { Zone::UTC };
        Self {
            kind: call.kind,
            token: call.token,
            to: call.to,
            data_time: call.data_time,
            seen_at: call.seen_at,
            look: Look { zone, ..look },
        }
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
        // A call that was restated may be older than the row that was.
        since: (call.outcome != Outcome::Corrected).then_some(Since { at: call.data_time, exact: true }),
        until: Some(call.data_time),
    }
}
