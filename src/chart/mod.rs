//! Pictures of a token's past: values in, an SVG out, and of that a PNG. Pure: the same values give the same bytes on every machine, with
//! fonts that are built in and without a clock, a file or a network.
//!
//! The SVG is the picture: whoever wants to know whether two are the same compares those, and draws one of them.

mod canvas;
mod font;
mod layout;
mod raster;
mod scale;
mod series;
mod time_axis;

pub use font::legible;
pub use raster::{HEIGHT, WIDTH, png};

use crate::domain::{
    Graded, Kind, Near, PastRow, Since, Stance, Theme, Timestamp, TokenId,
    wording::{Phrase, TokenLabel},
};
use chrono::TimeZone;
use std::fmt::Display;

/// What a picture shows.
#[derive(Clone, Debug, PartialEq)]
pub struct Chart {
    /// Whose past.
    pub token: TokenLabel,
    /// Its number: what it is called where its symbol has no letters that can be drawn.
    pub id: TokenId,
    /// Of which signal.
    pub kind: Kind,
    /// The call of now.
    pub stance: Option<Stance>,
    /// Since when.
    pub since: Option<Since>,
    /// What is known, the oldest first.
    pub rows: Vec<PastRow>,
    /// Where the price meets levels next.
    pub levels: Option<NextLevels>,
    /// How the token is graded.
    pub grade: Option<Graded>,
}

/// The levels next to a price.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct NextLevels {
    /// The price, in US dollars: that at which the rows end.
    pub price: f64,
    /// They.
    pub near: Near,
}

/// A picture cannot be made; a fault of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a chart cannot be drawn: {0}")]
pub struct ChartError(String);

impl Chart {
    /// The picture as SVG, with times in the reader's zone; nothing where nothing is known.
    pub fn svg<Z: TimeZone>(&self, zone: &Z, theme: Theme) -> Option<String>
    where
        Z::Offset: Display,
    {
        layout::draw(self, zone, theme)
    }

    /// What it shows in a sentence, for whoever does not see it.
    pub fn in_words<Z: TimeZone>(&self, zone: &Z) -> Option<Phrase>
    where
        Z::Offset: Display,
    {
        layout::describe(self, zone)
    }

    fn first_and_last(&self) -> Option<(Timestamp, Timestamp)> {
        Some((self.rows.first()?.data_time, self.rows.last()?.data_time))
    }
}
