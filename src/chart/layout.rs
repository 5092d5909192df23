//! Where everything stands in the picture, and how large: it is read on a phone, a third as wide.

mod levels;

use super::{
    Chart,
    canvas::{Anchor, Area, Canvas, Style},
    font::{Weight, legible},
    raster::{HEIGHT, WIDTH},
    scale::{self, Scale},
    series::{Measure, Series, Span},
    time_axis,
};
use crate::domain::{
    Graded, Kind, Stance, Theme, Timestamp, Way,
    wording::{ChartPhrase, Phrase, ReplyPhrase, Seen},
};
use chrono::TimeZone;
use std::fmt::Display;

const LEFT: f64 = 36.0;
const RIGHT: f64 = WIDTH as f64 - 36.0;
const FIRST_LINE: f64 = 78.0;
const SECOND_LINE: f64 = 140.0;
const TOP: f64 = 172.0;
const BOTTOM: f64 = 510.0;
const STRIP: f64 = 30.0;
const AXIS_LINE: f64 = 578.0;
const SMALL_PRINT: f64 = HEIGHT as f64 - 13.0;
/// In the small print, behind the words that always stand there.
const GRADE: f64 = LEFT + 500.0;
const GAP: f64 = 28.0;
/// Less room than this is no room for words.
const LEAST_ROOM: f64 = 150.0;
/// Labels along the bottom.
const MOST_LABELS: usize = 7;
/// A line goes on over rows that are missing, but not over more than these.
const LONGEST_GAP: i64 = 4;

struct Colours {
    background: &'static str,
    unknown: &'static str,
    bullish_band: &'static str,
    bearish_band: &'static str,
    bullish: &'static str,
    bearish: &'static str,
    line: &'static str,
    text: &'static str,
    muted: &'static str,
    grid: &'static str,
    level: &'static str,
}

const DARK: Colours = Colours {
    background: "#0f141b",
    unknown: "#171e27",
    bullish_band: "#12301f",
    bearish_band: "#37191f",
    bullish: "#3ddc84",
    bearish: "#ff6b6b",
    line: "#f4f7fa",
    text: "#f4f7fa",
    muted: "#a3b0bf",
    grid: "#4a5663",
    level: "#e8b84a",
};
const LIGHT: Colours = Colours {
    background: "#ffffff",
    unknown: "#f1f3f6",
    bullish_band: "#dcf4e5",
    bearish_band: "#fde3e3",
    bullish: "#0b7f42",
    bearish: "#c9252d",
    line: "#17202b",
    text: "#17202b",
    muted: "#566373",
    grid: "#b9c2cc",
    level: "#8a5a00",
};

impl Colours {
    const fn of(theme: Theme) -> &'static Self {
        match theme {
            Theme::Dark => &DARK,
            Theme::Light => &LIGHT,
        }
    }

    fn strong(&self, stance: Option<Stance>) -> &'static str {
        match stance.and_then(Stance::outlook) {
            Some(Way::Up) => self.bullish,
            Some(Way::Down) => self.bearish,
            None => self.muted,
        }
    }

    fn band(&self, stance: Option<Stance>) -> &'static str {
        match stance.and_then(Stance::outlook) {
            Some(Way::Up) => self.bullish_band,
            Some(Way::Down) => self.bearish_band,
            None => self.unknown,
        }
    }
}

/// The picture being made: where times stand, and what is where.
struct Picture<'a> {
    canvas: Canvas,
    colours: &'static Colours,
    chart: &'a Chart,
    series: Series,
    plot: Area,
    ends: (Timestamp, Timestamp),
}

pub(super) fn draw<Z: TimeZone>(chart: &Chart, zone: &Z, theme: Theme) -> Option<String>
where
    Z::Offset: Display,
{
    let ends = chart.first_and_last()?;
    let colours = Colours::of(theme);
    let series = Series::of(chart);
    let marks = levels::marks(chart, &series);
    let scale = Scale::of(series.points.iter().map(|(_, value)| *value).chain(levels::near(&marks)));
    let labels = scale.as_ref().map(|scale| labels(scale, series.measure)).unwrap_or_default();
    let widest = labels.iter().map(|(_, label)| Weight::Medium.width(label, AXIS.0)).fold(0.0, f64::max);
    let axis = if labels.is_empty() { 0.0 } else { widest + 16.0 };
    let plot = Area { x: LEFT, y: TOP, width: RIGHT - LEFT - axis, height: BOTTOM - TOP };
    let mut picture = Picture { canvas: Canvas::new(colours.background), colours, chart, series, plot, ends };
    picture.heading(zone);
    picture.bands(scale.is_none());
    if let Some(scale) = &scale {
        picture.grid(scale, &labels);
        picture.level_lines(scale, &marks);
        picture.line(scale);
        picture.turns(scale);
        picture.level_names(scale, &marks);
    }
    picture.times(zone);
    picture.small_print(zone);
    Some(picture.canvas.finish())
}

/// Size and weight of what stands along the axes, and so on.
const AXIS: (f64, Weight) = (28.0, Weight::Medium);
const SYMBOL: (f64, Weight) = (60.0, Weight::Bold);
const NAME: (f64, Weight) = (34.0, Weight::Medium);
const HEAD: (f64, Weight) = (40.0, Weight::Bold);
const CAPTION: (f64, Weight) = (28.0, Weight::Medium);
const SMALL: (f64, Weight) = (24.0, Weight::Medium);

const fn style((size, weight): (f64, Weight), colour: &'static str) -> Style {
    Style { size, weight, colour }
}

fn width((size, weight): (f64, Weight), words: &str) -> f64 {
    weight.width(words, size)
}

fn within((size, weight): (f64, Weight), words: &str, room: f64) -> String {
    weight.within(&legible(words), size, room)
}

fn words(phrase: ChartPhrase) -> String {
    Phrase::from(phrase).plain()
}

fn labels(scale: &Scale, measure: Measure) -> Vec<(f64, String)> {
    let label = |tick| match measure {
        Measure::ChangeSince(_) => scale::percent(tick, scale.step),
        Measure::Dollars | Measure::Nothing => scale::price(tick, scale.step),
    };
    scale.ticks().into_iter().map(|tick| (tick, label(tick))).collect()
}

/// What is known last, and what it is.
fn newest<Z: TimeZone>(chart: &Chart, series: &Series, zone: &Z) -> (String, String)
where
    Z::Offset: Display,
{
    let value = series.points.last().map(|(_, value)| *value).unwrap_or_default();
    match series.measure {
        Measure::Dollars => (words(ChartPhrase::Dollars), format!("${}", scale::price(value, scale::fineness(value)))),
        Measure::ChangeSince(since) => {
            let step = if value.abs() < 100.0 { 0.1 } else { 1.0 };
            (words(ChartPhrase::ChangeSince { when: time_axis::in_words(chart.kind, since, zone) }), scale::percent(value, step))
        }
        Measure::Nothing => (words(ChartPhrase::NoPrices), String::new()),
    }
}

fn call<Z: TimeZone>(chart: &Chart, zone: &Z) -> String
where
    Z::Offset: Display,
{
    let since = chart.since.map(|since| (time_axis::in_words(chart.kind, since.at, zone), since.exact));
    words(ChartPhrase::Call { stance: chart.stance, since })
}

fn grade(graded: &Graded) -> String {
    words(ChartPhrase::Graded { label: graded.label.clone().map(|label| legible(&label)), grade: graded.grade })
}

impl Picture<'_> {
    fn x(&self, at: Timestamp) -> f64 {
        let (first, last) = (self.ends.0.as_millis(), self.ends.1.as_millis());
        if first == last {
            return self.plot.x + self.plot.width / 2.0;
        }
        let (before, after) = (10.0, 26.0);
        let share = (at.as_millis() - first) as f64 / (last - first) as f64;
        self.plot.x + before + share * (self.plot.width - before - after)
    }

    fn y(&self, scale: &Scale, value: f64) -> f64 {
        self.plot.bottom() - scale.height(value) * self.plot.height
    }

    /// Two lines: whose past it is, and the call of now; at the right what the line shows, and where it ends.
    fn heading<Z: TimeZone>(&mut self, zone: &Z)
    where
        Z::Offset: Display,
    {
        let (caption, value) = newest(self.chart, &self.series, zone);
        let Colours { text, muted, .. } = *self.colours;
        self.canvas.text((RIGHT, FIRST_LINE), Anchor::End, style(CAPTION, muted), &caption);
        self.canvas.text((RIGHT, SECOND_LINE), Anchor::End, style(HEAD, text), &value);

        let room = RIGHT - LEFT - width(CAPTION, &caption) - GAP;
        let symbol = within(SYMBOL, &self.symbol(), room);
        self.canvas.text((LEFT, FIRST_LINE), Anchor::Start, style(SYMBOL, text), &symbol);
        let taken = width(SYMBOL, &symbol) + 18.0;
        let name = legible(&self.chart.token.name);
        let about =
            words(ChartPhrase::About { name: Some(name).filter(|name| *name != symbol && !name.is_empty()), kind: self.chart.kind });
        if room - taken >= LEAST_ROOM {
            let about = within(NAME, &about, room - taken);
            self.canvas.text((LEFT + taken, FIRST_LINE), Anchor::Start, style(NAME, muted), &about);
        }

        let colour = self.colours.strong(self.chart.stance);
        let call = call(self.chart, zone);
        let mut x = LEFT;
        if let Some(stance) = self.chart.stance {
            self.mark((x + 16.0, SECOND_LINE - 14.0), stance, 16.0);
            x += 46.0;
        }
        let room = RIGHT - x - width(HEAD, &value) - GAP;
        let call = within(HEAD, &call, room);
        self.canvas.text((x, SECOND_LINE), Anchor::Start, style(HEAD, colour), &call);

        // Beside the call, or where there is always room.
        if let Some(grade) = self.chart.grade.as_ref().map(grade).filter(|grade| !grade.is_empty()) {
            let taken = width(HEAD, &call) + GAP;
            if width(CAPTION, &grade) <= room - taken {
                self.canvas.text((x + taken, SECOND_LINE), Anchor::Start, style(CAPTION, muted), &grade);
            } else {
                let grade = within(SMALL, &grade, RIGHT - GRADE - LEAST_ROOM - GAP);
                self.canvas.text((GRADE, SMALL_PRINT), Anchor::Start, style(SMALL, muted), &grade);
            }
        }
    }

    /// What the token is called; its number where its symbol cannot be shown.
    fn symbol(&self) -> String {
        let shown = legible(&self.chart.token.short());
        if shown.is_empty() { format!("#{}", self.chart.id) } else { shown }
    }

    /// The stances as background. Where there is no line, they are the picture, and say their names.
    fn bands(&mut self, alone: bool) {
        let spans: Vec<Span> = self.series.spans.clone();
        for (index, span) in spans.iter().enumerate() {
            let from = if index == 0 { self.plot.x } else { self.x(span.from) };
            let to = spans.get(index + 1).map_or(self.plot.right(), |next| self.x(next.from));
            let area = Area { x: from, width: to - from, ..self.plot };
            self.canvas.rect(area, self.colours.band(span.stance));
            let strip = Area { y: BOTTOM, height: STRIP, ..area };
            self.canvas.rect(strip, self.colours.strong(span.stance));
            if alone {
                let until = spans.get(index + 1).map_or(self.ends.1 + self.chart.kind.period(), |next| next.from);
                self.name_band(area, *span, until);
            } else if let Some(stance) = span.stance.filter(|_| area.width >= STRIP) {
                let middle = (area.x + area.width / 2.0, BOTTOM + STRIP / 2.0);
                self.sign(middle, stance, 11.0, self.colours.background);
            }
        }
    }

    fn name_band(&mut self, area: Area, span: Span, until: Timestamp) {
        let Some(stance) = span.stance else { return };
        let (middle, y) = (area.x + area.width / 2.0, area.y + area.height / 2.0);
        let name = &stance.to_string();
        let lasted = words(ChartPhrase::Lasted { kind: self.chart.kind, from: span.from, until });
        let room = area.width - 16.0;
        if width(HEAD, name).max(width(CAPTION, &lasted)) <= room {
            self.mark((middle, y - 62.0), stance, 22.0);
            self.canvas.text((middle, y + 12.0), Anchor::Middle, style(HEAD, self.colours.strong(span.stance)), name);
            self.canvas.text((middle, y + 54.0), Anchor::Middle, style(CAPTION, self.colours.muted), &lasted);
        } else if room >= 20.0 {
            self.mark((middle, y), stance, (room / 2.0).min(18.0));
        }
    }

    fn grid(&mut self, scale: &Scale, labels: &[(f64, String)]) {
        for (tick, label) in labels {
            let y = self.y(scale, *tick);
            self.canvas.line(&[(self.plot.x, y), (self.plot.right(), y)], 1.0, self.colours.grid);
            // A label at the very edge would leave the plot.
            let baseline = (y + 10.0).clamp(self.plot.y + 20.0, self.plot.bottom());
            self.canvas.text((RIGHT, baseline), Anchor::End, style(AXIS, self.colours.muted), label);
        }
    }

    fn line(&mut self, scale: &Scale) {
        let longest = LONGEST_GAP * i64::try_from(self.chart.kind.period().as_millis()).unwrap_or(i64::MAX / LONGEST_GAP);
        let place = |(at, value): &(Timestamp, f64)| (self.x(*at), self.y(scale, *value));
        let pieces: Vec<Vec<(f64, f64)>> = self.series.pieces(longest).into_iter().map(|piece| piece.iter().map(place).collect()).collect();
        for piece in &pieces {
            match piece.as_slice() {
                [alone] => self.canvas.dot(*alone, 6.0, self.colours.line, self.colours.background),
                piece => self.canvas.line(piece, 5.0, self.colours.line),
            }
        }
    }

    /// Dots where the call turned, and where the line ends.
    fn turns(&mut self, scale: &Scale) {
        let turns = self.series.turns.clone();
        for (turn, value) in turns.iter().filter_map(|turn| Some((turn, turn.value?))) {
            let place = (self.x(turn.at), self.y(scale, value));
            self.canvas.dot(place, 8.0, self.colours.strong(Some(turn.to)), self.colours.background);
        }
        if let Some((at, value)) = self.series.points.last().copied() {
            let place = (self.x(at), self.y(scale, value));
            self.canvas.dot(place, 11.0, self.colours.strong(self.chart.stance), self.colours.line);
        }
    }

    fn mark(&mut self, place: (f64, f64), stance: Stance, size: f64) {
        self.sign(place, stance, size, self.colours.strong(Some(stance)));
    }

    /// It points where the stance does, so that colour is not all that tells it.
    fn sign(&mut self, (x, y): (f64, f64), stance: Stance, size: f64, colour: &'static str) {
        let side = match stance.outlook() {
            Some(Way::Up) => size,
            Some(Way::Down) => -size,
            None => return self.canvas.shape(&[(x - size, y), (x, y - size), (x + size, y), (x, y + size)], colour),
        };
        self.canvas.shape(&[(x, y - side * 0.8), (x - size, y + side * 0.7), (x + size, y + side * 0.7)], colour);
    }

    fn times<Z: TimeZone>(&mut self, zone: &Z)
    where
        Z::Offset: Display,
    {
        let mut placed: Vec<(f64, f64, String)> = Vec::new();
        for (at, label) in time_axis::ticks(self.chart.kind, self.ends, zone, MOST_LABELS) {
            let half = width(AXIS, &label) / 2.0;
            let x = self.x(at).clamp(self.plot.x + half, RIGHT - half);
            // The first one stands at the very edge: where two would touch, the one that is in its place stays.
            match placed.last() {
                Some((before, its_half, _)) if x - half < before + its_half + 20.0 && placed.len() > 1 => continue,
                Some((before, its_half, _)) if x - half < before + its_half + 20.0 => placed.clear(),
                _ => {}
            }
            placed.push((x, half, label));
        }
        for (x, _, label) in placed {
            self.canvas.text((x, AXIS_LINE), Anchor::Middle, style(AXIS, self.colours.muted), &label);
        }
    }

    fn small_print<Z: TimeZone>(&mut self, zone: &Z)
    where
        Z::Offset: Display,
    {
        let style = style(SMALL, self.colours.muted);
        self.canvas.text((LEFT, SMALL_PRINT), Anchor::Start, style, &Phrase::from(ReplyPhrase::NotAdvice).plain());
        let zone = match self.chart.kind {
            Kind::Hourly => words(ChartPhrase::TimesIn { zone: time_axis::zone_name(self.ends.1, zone) }),
            _ => words(ChartPhrase::DaysInUtc),
        };
        self.canvas.text((RIGHT, SMALL_PRINT), Anchor::End, style, &zone);
    }
}

pub(super) fn describe<Z: TimeZone>(chart: &Chart, zone: &Z) -> Option<Phrase>
where
    Z::Offset: Display,
{
    let (first, last) = chart.first_and_last()?;
    let series = Series::of(chart);
    let (caption, value) = newest(chart, &series, zone);
    let when = |at| time_axis::in_words(chart.kind, at, zone);
    let seen = Seen {
        token: chart.token.clone(),
        kind: chart.kind,
        from: when(first),
        to: when(last),
        call: call(chart, zone),
        turns: series.turns.len(),
        grade: chart.grade.as_ref().map(grade).filter(|grade| !grade.is_empty()),
        near: chart.levels.map(|levels| levels.near),
        value: Some(format!("{caption}: {value}")).filter(|_| !value.is_empty()).unwrap_or(caption),
    };
    Some(ChartPhrase::Alt(Box::new(seen)).into())
}
