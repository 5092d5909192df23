//! Support and resistance in the picture: as lines where the price is near, else as a word at the edge towards them.

use super::{Picture, style, width, words};
use crate::{
    chart::{
        Chart,
        canvas::Anchor,
        font::Weight,
        scale::{self, Scale},
        series::{Measure, Series},
    },
    domain::{Way, wording::ChartPhrase},
};

/// How far beyond the prices the picture reaches for a level, as a share of what they range over: the line of prices keeps half of the height.
const REACH: f64 = 0.5;
/// The same of a price that stands still.
const REACH_OF_FLAT: f64 = 0.02;
const LABEL: (f64, Weight) = (26.0, Weight::Medium);
/// From a line to the foot of the words above it, and of those below it.
const ABOVE: f64 = -10.0;
const BELOW: f64 = 28.0;
const INSET: f64 = 14.0;

/// One level, and where it stands by what the line of prices measures.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Mark {
    /// On which side of the price: up is resistance.
    side: Way,
    /// In US dollars.
    at: f64,
    value: f64,
    is_near: bool,
}

/// The levels that the picture names: the next one on each side. None where there is no line to stand beside.
pub(super) fn marks(chart: &Chart, series: &Series) -> Vec<Mark> {
    let (Some(levels), Some((_, last))) = (chart.levels, series.points.last()) else { return Vec::new() };
    let values = || series.points.iter().map(|(_, value)| *value);
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max));
    let value = |at: f64| match series.measure {
        Measure::Dollars => Some(at),
        // The price that these levels were told with is that at which the line ends.
        Measure::ChangeSince(_) => Some((at / levels.price * (1.0 + last / 100.0) - 1.0) * 100.0),
        Measure::Nothing => None,
    };
    let size = if series.measure == Measure::Dollars { last.abs() } else { 100.0 };
    let reach = ((high - low) * REACH).max(size * REACH_OF_FLAT);
    let mark = |(side, at): (Way, Option<f64>)| {
        let (at, value) = (at?, value(at?)?);
        value.is_finite().then_some(Mark { side, at, value, is_near: (low - reach..=high + reach).contains(&value) })
    };
    [(Way::Up, levels.near.resistance), (Way::Down, levels.near.support)].into_iter().filter_map(mark).collect()
}

/// The values for which the scale needs room.
pub(super) fn near(marks: &[Mark]) -> impl Iterator<Item = f64> {
    marks.iter().filter(|mark| mark.is_near).map(|mark| mark.value)
}

impl Picture<'_> {
    /// Lines beneath that of the prices.
    pub(super) fn level_lines(&mut self, scale: &Scale, marks: &[Mark]) {
        for value in near(marks) {
            let y = self.y(scale, value);
            self.canvas.dashes(&[(self.plot.x, y), (self.plot.right(), y)], 3.0, self.colours.level);
        }
    }

    /// Words on top of everything, each where the line of prices is furthest from it, to the left where that is all the same.
    pub(super) fn level_names(&mut self, scale: &Scale, marks: &[Mark]) {
        for mark in marks {
            let price = format!("${}", scale::single(mark.at));
            let name = words(ChartPhrase::Level { side: mark.side, price, is_beyond: !mark.is_near });
            let (top, bottom) = (self.plot.y + BELOW, self.plot.bottom() + ABOVE);
            let line = self.y(scale, mark.value);
            // What is resistance stands above its line, what is support below: so the two never meet.
            let foot = if mark.side == Way::Up { line + ABOVE } else { line + BELOW };
            let foot = foot.clamp(top, bottom);
            let size = width(LABEL, &name);
            let left = self.plot.x + INSET;
            let right = self.plot.right() - INSET - size;
            let x = [right, f64::midpoint(left, right), left]
                .into_iter()
                .max_by(|one, other| self.distance(scale, (*one, foot), size).total_cmp(&self.distance(scale, (*other, foot), size)))
                .unwrap_or(left);
            self.canvas.text((x, foot), Anchor::Start, style(LABEL, self.colours.level), &name);
        }
    }

    /// How far the line of prices stays from words at this place; far enough is far enough.
    fn distance(&self, scale: &Scale, (x, foot): (f64, f64), size: f64) -> f64 {
        const ENOUGH: f64 = 24.0;
        let middle = foot - LABEL.0 / 3.0;
        let beside = (x - INSET)..=(x + size + INSET);
        let places = self.series.points.iter().map(|(at, value)| (self.x(*at), self.y(scale, *value)));
        let distances = places.filter(|(at, _)| beside.contains(at)).map(|(_, y)| (y - middle).abs());
        distances.fold(f64::INFINITY, f64::min).min(LABEL.0 / 2.0 + ENOUGH)
    }
}
