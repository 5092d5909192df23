//! What the owner of a destination may choose for all its alerts.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The largest `max_per_hour` (`rules.md` 3.4).
pub const MAX_PER_HOUR: u32 = 60;
/// The largest `cooldown`, in minutes: a week.
pub const MAX_COOLDOWN_MINUTES: u32 = 7 * 24 * 60;

/// How much and how often a destination is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Alert messages in any 60 minutes, 1 to 60; 0 is no limit (3.4).
    pub max_per_hour: u32,
    /// Minutes of quiet per token and kind after an alert; 0 is none (3.5).
    pub cooldown_minutes: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { max_per_hour: 10, cooldown_minutes: 0 }
    }
}

impl Settings {
    /// The cooldown as a length of time.
    pub fn cooldown(self) -> Duration {
        Duration::from_secs(u64::from(self.cooldown_minutes) * 60)
    }

    /// The quieter of two settings in each respect, for a merge of two destinations (4.3).
    #[must_use]
    pub fn stricter(self, other: Self) -> Self {
        let unlimited_last = |n: u32| if n == 0 { u32::MAX } else { n };
        let max = unlimited_last(self.max_per_hour).min(unlimited_last(other.max_per_hour));
        Self { max_per_hour: if max == u32::MAX { 0 } else { max }, cooldown_minutes: self.cooldown_minutes.max(other.cooldown_minutes) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stricter_of_two_is_the_quieter_in_each_respect() {
        let loud = Settings { max_per_hour: 0, cooldown_minutes: 30 };
        let quiet = Settings { max_per_hour: 5, cooldown_minutes: 0 };
        assert_eq!(loud.stricter(quiet), Settings { max_per_hour: 5, cooldown_minutes: 30 });
        assert_eq!(loud.stricter(loud).max_per_hour, 0);
    }
}
