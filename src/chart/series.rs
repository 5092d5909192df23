//! From rows to what is drawn: one value a point, the spans of a stance, and where it turned.

use super::Chart;
use crate::domain::{PastRow, Stance, Timestamp};

/// What the values are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Measure {
    /// Prices in US dollars.
    Dollars,
    /// Changes in percent since this point: nothing but the ratios of what holding brought is known.
    ChangeSince(Timestamp),
    /// No prices are known.
    Nothing,
}

/// A stance from a point on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Span {
    pub(super) from: Timestamp,
    pub(super) stance: Option<Stance>,
}

/// A turn of the call.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Turn {
    pub(super) at: Timestamp,
    pub(super) to: Stance,
    pub(super) value: Option<f64>,
}

/// What is drawn.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Series {
    pub(super) measure: Measure,
    pub(super) points: Vec<(Timestamp, f64)>,
    pub(super) spans: Vec<Span>,
    pub(super) turns: Vec<Turn>,
}

impl Series {
    pub(super) fn of(chart: &Chart) -> Self {
        let (measure, values) = values(&chart.rows);
        let points = chart.rows.iter().zip(&values).filter_map(|(row, value)| Some((row.data_time, (*value)?))).collect();
        let (mut spans, mut turns): (Vec<Span>, Vec<Turn>) = (Vec::new(), Vec::new());
        for (row, value) in chart.rows.iter().zip(&values) {
            let before = spans.last().and_then(|span: &Span| span.stance);
            let known = chart.stance.filter(|_| before.is_none() && chart.since.is_some_and(|since| since.at <= row.data_time));
            let stance = row.stance.or(before).or(known);
            if let (Some(before), Some(to)) = (before, stance)
                && before != to
            {
                turns.push(Turn { at: row.data_time, to, value: *value });
            }
            if spans.is_empty() || before != stance {
                spans.push(Span { from: row.data_time, stance });
            }
        }
        Self { measure, points, spans, turns }
    }

    /// The points in pieces: where more than `longest` milliseconds lie between two, nobody knows the way.
    pub(super) fn pieces(&self, longest: i64) -> Vec<&[(Timestamp, f64)]> {
        self.points.chunk_by(|a, b| b.0.as_millis() - a.0.as_millis() <= longest).collect()
    }
}

fn values(rows: &[PastRow]) -> (Measure, Vec<Option<f64>>) {
    let closes: Vec<_> = rows.iter().map(|row| row.values.price()).collect();
    if closes.iter().any(Option::is_some) {
        return (Measure::Dollars, closes);
    }
    let ratios: Vec<_> = rows.iter().map(|row| row.values.multiple()).collect();
    let base = rows.iter().zip(&ratios).find_map(|(row, ratio)| Some((row.data_time, (*ratio)?)));
    // One ratio alone says nothing.
    match base {
        Some((since, base)) if ratios.iter().flatten().count() > 1 => {
            (Measure::ChangeSince(since), ratios.into_iter().map(|ratio| Some((ratio? / base - 1.0) * 100.0)).collect())
        }
        _ => (Measure::Nothing, vec![None; rows.len()]),
    }
}
