//! An SVG as it is written, piece by piece. All text is escaped here, whoever wrote it.

use super::{
    font::{Weight, legible},
    raster::{HEIGHT, WIDTH},
};
use std::fmt::Write;

/// Which end of a text stands at its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// How a text looks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    pub(super) size: f64,
    pub(super) weight: Weight,
    pub(super) colour: &'static str,
}

/// A rectangle.
#[derive(Clone, Copy, Debug)]
pub(super) struct Area {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Area {
    pub(super) fn right(self) -> f64 {
        self.x + self.width
    }

    pub(super) fn bottom(self) -> f64 {
        self.y + self.height
    }
}

pub(super) struct Canvas(String);

impl Canvas {
    pub(super) fn new(background: &str) -> Self {
        Self(format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{HEIGHT}\" font-family=\"Inter\">\n\
             <rect width=\"{WIDTH}\" height=\"{HEIGHT}\" fill=\"{background}\"/>\n"
        ))
    }

    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.0.write_fmt(element);
        self.0.push('\n');
    }

    pub(super) fn rect(&mut self, area: Area, colour: &str) {
        let Area { x, y, width, height } = area;
        self.add(format_args!("<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{colour}\"/>"));
    }

    /// A shape of corners, closed.
    pub(super) fn shape(&mut self, corners: &[(f64, f64)], colour: &str) {
        let points = list(corners);
        self.add(format_args!("<polygon points=\"{points}\" fill=\"{colour}\"/>"));
    }

    pub(super) fn dot(&mut self, (x, y): (f64, f64), radius: f64, colour: &str, rim: &str) {
        self.add(format_args!(
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius:.1}\" fill=\"{colour}\" stroke=\"{rim}\" stroke-width=\"4\"/>"
        ));
    }

    pub(super) fn line(&mut self, points: &[(f64, f64)], width: f64, colour: &str) {
        let points = list(points);
        self.add(format_args!(
            "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width:.1}\" stroke-linejoin=\"round\" stroke-linecap=\"round\"/>"
        ));
    }

    /// A line of dashes.
    pub(super) fn dashes(&mut self, points: &[(f64, f64)], width: f64, colour: &str) {
        let points = list(points);
        self.add(format_args!(
            "<polyline points=\"{points}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{width:.1}\" stroke-dasharray=\"14 10\"/>"
        ));
    }

    pub(super) fn text(&mut self, (x, y): (f64, f64), anchor: Anchor, style: Style, words: &str) {
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let Style { size, weight, colour } = style;
        let (weight, words) = (weight.number(), escaped(&legible(words)));
        self.add(format_args!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" font-size=\"{size}\" font-weight=\"{weight}\" text-anchor=\"{anchor}\" fill=\"{colour}\">{words}</text>"
        ));
    }

    pub(super) fn finish(mut self) -> String {
        self.0.push_str("</svg>\n");
        self.0
    }
}

fn list(points: &[(f64, f64)]) -> String {
    points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect::<Vec<_>>().join(" ")
}

fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            other => out.push(other),
        }
    }
    out
}
