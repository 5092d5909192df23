//! Pictures of a token's past, for `/history` and for alerts: what they show is read here, and each is drawn once.

use super::{
    pictures::{Drawing, Pictures},
    recent::{Recent, Size},
};
use crate::{
    chart::{Chart, NextLevels},
    domain::{
        Call, Graded, Kind, Levels, Outcome, PastRow, Price, Settings, Since, SourceId, Stance, Theme, Timestamp, TokenId, Values, Zone,
        wording::{Picture, TokenLabel},
    },
    engine::diff,
    store::{Store, StoreResult},
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

const SOURCE: SourceId = SourceId::TokenMetrics;
/// How far a picture reaches back: a season of daily calls, a week of hourly ones.
const MOST_DAYS: u32 = 90;
const MOST_HOURS: u32 = 168;
const DAY: Duration = Duration::from_secs(24 * 3600);
/// A grade that was not heard of for longer is not told of any more.
const OLDEST_GRADE: Duration = Duration::from_secs(3 * 24 * 3600);
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
    /// What the words beside it know of; everything where there is no such limit.
    pub known: Option<Known>,
}

/// What came later is not shown.
#[derive(Clone, Copy, Debug)]
pub struct Known {
    /// The time of the newest row.
    pub data_time: Timestamp,
    /// When that was seen.
    pub seen_at: Timestamp,
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

/// The rows of a token's past, before it is a picture.
#[derive(Clone, Debug)]
pub struct Past {
    subject: ChartSubject,
    /// The oldest first.
    rows: Vec<PastRow>,
}

impl Past {
    /// Whether there is no line of prices to draw.
    pub fn lacks_prices(&self) -> bool {
        self.rows.iter().filter(|row| Price::of(&row.values).is_some()).count() < 2
    }

    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The same with these prices where the rows have none: as far back as a picture reaches, and not beyond the newest row, because nobody
    /// knows of a call there.
    #[must_use]
    pub fn with_prices(self, prices: &[(Timestamp, f64)]) -> Self {
        let Some(end) = self.rows.last().map(|row| row.data_time) else { return self };
        let kind = self.subject.kind;
        let begin = end - kind.period() * most_rows(kind);
        let mut rows: BTreeMap<_, _> = self.rows.iter().map(|row| (row.data_time, row.clone())).collect();
        for (at, price) in prices.iter().filter(|(at, _)| (begin..=end).contains(at)) {
            let row = rows.entry(*at).or_insert_with(|| PastRow { data_time: *at, stance: None, values: Values::default() });
            if row.values.price().is_none() {
                row.values.close = Some(*price);
            }
        }
        let superfluous = rows.len().saturating_sub(most_rows(kind) as usize);
        let rows: Vec<_> = rows.into_values().skip(superfluous).collect();
        // One alone makes no line, and would take the place of what is known of changes.
        if rows.iter().filter(|row| row.values.price().is_some()).count() < 2 { self } else { Self { rows, ..self } }
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

    /// What is stored of a token's past.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn past(&self, subject: ChartSubject) -> StoreResult<Past> {
        let (kind, until) = (subject.kind, subject.known.map(|known| known.data_time));
        let mut rows = self.store.last_rows(SOURCE, kind, subject.token, until, most_rows(kind)).await?;
        // What was followed before a long pause is another past.
        let pause = rows.windows(2).position(|pair| pair[0].data_time.since(pair[1].data_time) > diff::lapse(kind));
        rows.truncate(pause.map_or(rows.len(), |place| place + 1));
        rows.reverse();
        Ok(Past { subject, rows })
    }

    /// The past as a picture; nothing where there is none, or where it cannot be drawn.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn picture(&self, past: Past, look: Look) -> StoreResult<Option<Picture>> {
        let chart = self.chart(past).await?;
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
            let past = self.past(subject_of(call)).await?;
            // Without a line there is no more to see than the words say.
            let drawn = if past.lacks_prices() { None } else { self.drawn(&self.chart(past).await?, look).await };
            StoreResult::Ok(drawn.map(Arc::new))
        };
        Ok(place.get_or_try_init(draw).await?.clone())
    }

    async fn chart(&self, past: Past) -> StoreResult<Chart> {
        let Past { subject: ChartSubject { token, label, kind, stance, since, known }, rows } = past;
        let (levels, grade) = match rows.last() {
            Some(last) => (self.levels(token, last, known).await?, self.grade(token, last, known).await?),
            None => (None, None),
        };
        Ok(Chart { token: label, id: token, kind, stance, since, rows, levels, grade })
    }

    /// The levels next to the price with which the rows end, where they are of about that time.
    async fn levels(&self, token: TokenId, last: &PastRow, known: Option<Known>) -> StoreResult<Option<NextLevels>> {
        let current = self.store.current_calls(SOURCE, Kind::Levels, &[token]).await?.remove(&token).and_then(|call| call.levels);
        let is_fitting = |levels: &Levels| {
            let is_close = (last.data_time - DAY..=last.data_time + 2 * DAY).contains(&levels.at);
            is_close && known.is_none_or(|known| levels.at <= known.seen_at)
        };
        Ok(current.filter(|levels| is_fitting(levels)).map(|levels| match last.values.price() {
            Some(price) => NextLevels { price, near: levels.near_to(price) },
            None => NextLevels { price: levels.price, near: levels.near() },
        }))
    }

    /// How the token was graded then.
    async fn grade(&self, token: TokenId, last: &PastRow, known: Option<Known>) -> StoreResult<Option<Graded>> {
        let newest = self.store.last_rows(SOURCE, Kind::Grade, token, known.map(|known| known.seen_at), 1).await?.pop();
        Ok(newest.filter(|row| row.data_time + OLDEST_GRADE >= last.data_time).and_then(|row| row.values.graded).map(|graded| *graded))
    }

    async fn drawn(&self, chart: &Chart, look: Look) -> Option<AlertChart> {
        let rules = look.zone.rules();
        let (svg, alt) = (chart.svg(&rules, look.theme)?, chart.in_words(&rules)?);
        let drawing = self.pictures.drawing(svg).await?;
        let picture = Picture { name: format!("{}-{}.png", chart.id, chart.kind), alt, png: drawing.png.clone() };
        Some(AlertChart { picture, drawing })
    }
}

const fn most_rows(kind: Kind) -> u32 {
    match kind {
        Kind::Hourly => MOST_HOURS,
        _ => MOST_DAYS,
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

fn subject_of(call: &Call) -> ChartSubject {
    ChartSubject {
        token: call.token,
        label: TokenLabel { symbol: call.symbol.clone(), name: String::new(), id: None },
        kind: call.kind,
        stance: Some(call.to),
        // A call that was restated may be older than the row that was.
        since: (call.outcome != Outcome::Corrected).then_some(Since { at: call.data_time, exact: true }),
        known: Some(Known { data_time: call.data_time, seen_at: call.seen_at }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(day: u32) -> Timestamp {
        Timestamp::parse("2026-06-01").unwrap() + DAY * day
    }

    fn past(rows: &[(u32, Values)]) -> Past {
        let label = TokenLabel { symbol: "SOL".to_owned(), name: String::new(), id: None };
        let subject = ChartSubject { token: TokenId(3988), label, kind: Kind::Daily, stance: None, since: None, known: None };
        let row = |(day, values): &(u32, Values)| PastRow { data_time: at(*day), stance: Some(Stance::Bullish), values: values.clone() };
        Past { subject, rows: rows.iter().map(row).collect() }
    }

    fn closing(close: f64) -> Values {
        Values { close: Some(close), ..Values::default() }
    }

    /// The days that have a row, with its price.
    fn shown(past: &Past) -> Vec<(u32, Option<f64>)> {
        let day = |row: &PastRow| u32::try_from(row.data_time.since(at(0)).as_secs() / DAY.as_secs()).unwrap();
        past.rows.iter().map(|row| (day(row), row.values.price())).collect()
    }

    fn prices(days: impl IntoIterator<Item = u32>) -> Vec<(Timestamp, f64)> {
        days.into_iter().map(|day| (at(day), f64::from(day))).collect()
    }

    #[test]
    fn prices_of_the_source_fill_in_what_the_rows_do_not_say() {
        let rows = past(&[(100, Values::default()), (102, closing(7.5))]);
        let filled = rows.with_prices(&prices([98, 100, 101, 102, 103]));
        assert_eq!(shown(&filled), [(98, Some(98.0)), (100, Some(100.0)), (101, Some(101.0)), (102, Some(7.5))]);
        assert!(!filled.lacks_prices());
        assert_eq!(filled.rows.iter().filter(|row| row.stance.is_some()).count(), 2, "a price is no call");
    }

    #[test]
    fn a_line_is_two_prices_and_no_older_than_a_picture_reaches() {
        let rows = past(&[(200, Values { holding_returns: Some(0.5), ..Values::default() })]);
        for none in [prices([]), prices([199]), prices([0, 1, 109]), prices([201, 202])] {
            assert_eq!(shown(&rows.clone().with_prices(&none)), [(200, None)], "{none:?}");
        }
        let filled = rows.with_prices(&prices(0..=300));
        assert_eq!((shown(&filled)[0], filled.rows.len()), ((111, Some(111.0)), 90));
        let nothing = past(&[]).with_prices(&prices(0..=300));
        assert!(nothing.is_empty() && nothing.lacks_prices());
    }
}
