//! Support and resistance in the picture: as lines where the price is near, else as a word at the edge towards them.

use super::{Picture, style, width, words};
use crate::{
    chart::{
        Chart,
        canvas::{Anchor, Area},
        font::Weight,
        scale::{self, Scale},
        series::{Measure, Series},
    },
    domain::{Timestamp, Way, wording::ChartPhrase},
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
/// How high letters stand above their foot.
const HEIGHT: f64 = 20.0;
/// From words to a level, or to other words; and to what stands beside them.
const GAP: f64 = 3.0;
const BESIDE: f64 = 8.0;
/// So far from the line of prices words are as free as can be.
const FREE: f64 = 12.0;
/// How far words that find no room at their level move from it, each time; and what it is worth to stand on their own side of it.
const AWAY: f64 = 26.0;
const OTHER_SIDE: f64 = 3.0;
/// How large a dot is.
const DOT: f64 = 10.0;
/// Along a level words are tried at so many places, and at its end.
const PLACES: u32 = 100;

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

    /// Words on top of everything, each at the best of many places, to the left where that is all the same.
    pub(super) fn level_names(&mut self, scale: &Scale, marks: &[Mark]) {
        let mut obstacles = self.obstacles(scale, marks);
        for mark in marks {
            let price = format!("${}", scale::single(mark.at));
            let name = words(ChartPhrase::Level { side: mark.side, price, is_beyond: !mark.is_near });
            let size = width(LABEL, &name);
            let (left, right) = (self.plot.x + INSET, self.plot.right() - INSET - size);
            let across = |place: u32| left + (right - left) * f64::from(place) / f64::from(PLACES);
            let feet = self.feet(mark.side, self.y(scale, mark.value));
            let places = feet.into_iter().flat_map(|(foot, cost)| (0..=PLACES).map(move |place| (across(place), foot, cost)));
            let best = places
                .map(|(x, foot, cost)| (Area { x, y: foot - HEIGHT, width: size, height: HEIGHT }, cost))
                .map(|(area, cost)| (obstacles.freedom(area) - cost, area))
                // Of those that are as good as each other the first.
                .reduce(|best, next| if next.0 > best.0 { next } else { best });
            let Some((_, area)) = best else { continue };
            self.canvas.text((area.x, area.bottom()), Anchor::Start, style(LABEL, self.colours.level), &name);
            obstacles.words.push(area);
        }
    }

    /// At which heights words may stand, and how much that is against them: what is resistance above its line and what is support below it, on
    /// the other side rather than upon the line of prices, and a little away rather than that.
    fn feet(&self, side: Way, line: f64) -> Vec<(f64, f64)> {
        let (top, bottom) = (self.plot.y + BELOW, self.plot.bottom() + ABOVE);
        let mut feet = Vec::new();
        for (times, cost) in [(0.0, 0.0), (1.0, 6.0), (2.0, 9.0)] {
            for (of, from_line, away) in [(Way::Up, ABOVE, -AWAY), (Way::Down, BELOW, AWAY)] {
                let foot = (line + from_line + away * times).clamp(top, bottom);
                feet.push((foot, cost + if of == side { 0.0 } else { OTHER_SIDE }));
            }
        }
        feet
    }

    fn obstacles(&self, scale: &Scale, marks: &[Mark]) -> Obstacles {
        let place = |(at, value): (Timestamp, f64)| (self.x(at), self.y(scale, value));
        let line: Vec<_> = self.series.points.iter().copied().map(place).collect();
        let turns = self.series.turns.iter().filter_map(|turn| Some(place((turn.at, turn.value?))));
        Obstacles {
            dots: turns.chain(line.last().copied()).collect(),
            line,
            levels: near(marks).map(|value| self.y(scale, value)).collect(),
            words: Vec::new(),
        }
    }
}

/// What words have to stay clear of.
struct Obstacles {
    /// The line of prices, and the dots on it.
    line: Vec<(f64, f64)>,
    dots: Vec<(f64, f64)>,
    /// At which heights there are levels.
    levels: Vec<f64>,
    words: Vec<Area>,
}

impl Obstacles {
    /// How far words at this place stay from the line of prices and its dots; far enough is far enough. Upon a level or other words there is no
    /// freedom.
    fn freedom(&self, area: Area) -> f64 {
        let (begin, end) = (area.x - BESIDE, area.right() + BESIDE);
        let is_upon = |other: &Area| begin < other.right() && other.x < end && (area.y - other.y).abs() < area.height + GAP;
        if self.levels.iter().any(|y| (area.y - GAP..area.bottom() + GAP).contains(y)) || self.words.iter().any(is_upon) {
            return -FREE;
        }
        let ways = self.line.windows(2).filter_map(|pair| between(pair[0], pair[1], (begin, end)));
        let dots = self.dots.iter().filter(|(x, _)| (begin..=end).contains(x)).map(|(_, y)| (y - DOT, y + DOT));
        let distances = ways.chain(dots).map(|(high, low)| (high - area.bottom()).max(area.y - low).max(0.0));
        distances.fold(FREE, f64::min)
    }
}

/// From which height to which a piece of a line goes between two places; nothing where it is not there.
fn between(from: (f64, f64), to: (f64, f64), (begin, end): (f64, f64)) -> Option<(f64, f64)> {
    let (first, last) = (from.0.max(begin), to.0.min(end));
    let at = |x: f64| from.1 + (to.1 - from.1) * (x - from.0) / (to.0 - from.0);
    (first < last).then(|| (at(first).min(at(last)), at(first).max(at(last))))
}
