//! How the fields of the source's answers come, whatever they say (ARCHITECTURE.md, rules E).

use serde::{Deserialize, Serialize};

/// A field of the rows of one endpoint, by the names that the source gives both.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceField {
    /// The endpoint, such as `trading-signals`.
    pub endpoint: &'static str,
    /// The field, such as `TOKEN_TREND`.
    pub name: &'static str,
}

/// In how many rows a field came how. Where it is null or empty it says nothing about its shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FieldCounts {
    /// It could be read.
    pub right: u32,
    /// It is not there.
    pub absent: u32,
    /// It is something else than it should be.
    pub other: u32,
}

/// What became of a field that was there once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Drift {
    /// It is gone.
    Gone,
    /// It is of another type.
    OtherType,
}

impl FieldCounts {
    /// The rows of both.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self { right: self.right + other.right, absent: self.absent + other.absent, other: self.other + other.other }
    }
}
