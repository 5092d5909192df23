//! How a picture is coloured.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Bright on dark, or dark on bright.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Theme {
    /// As most people use their chat.
    #[default]
    Dark,
    /// For print and bright apps.
    Light,
}

impl Theme {
    /// Every theme.
    pub const ALL: [Self; 2] = [Self::Dark, Self::Light];

    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dark => "dark",
            Self::Light => "light",
        }
    }
}

impl fmt::Display for Theme {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.as_str())
    }
}
