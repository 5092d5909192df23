//! What people ask for while it is fanned out to them. A decision to wait is made from what was read a moment before; where somebody changed meanwhile
//! what decides, it is looked at again soon, instead of when the old answer would have ended.
//!
//! On PostgreSQL a change that is committed while the chunk itself is written, some milliseconds, is still missed.

use crate::domain::Timestamp;
use std::time::Duration;

/// Longer than there is between reading and writing.
const LATELY: Duration = Duration::from_secs(10);
const SOON: Duration = Duration::from_secs(1);

/// Somebody changed what decides about the alerts of the destination $1.
pub(super) const CHANGED: &str = "UPDATE destinations SET changed_at = $2 WHERE id = $1";

/// Until when an alert waits that was decided to wait: `$soon` where what decides was changed since `$lately`, both of which are
/// arguments. What a clock that was wrong left in the future does not count.
macro_rules! waits_until {
    ($until:literal, $destination:literal, $soon:literal, $lately:literal) => {
        concat!(
            "CASE WHEN ",
            $until,
            " > ",
            $soon,
            " AND ",
            $destination,
            " IN (SELECT n.id FROM destinations n WHERE n.changed_at >= ",
            $lately,
            " AND n.changed_at <= ",
            $soon,
            ") THEN ",
            $soon,
            " ELSE ",
            $until,
            " END"
        )
    };
}
pub(super) use waits_until;

pub(super) const STATEMENTS: &[&str] = &[CHANGED];

/// The arguments of [`waits_until!`], in milliseconds.
pub(super) fn soon_and_lately(now: Timestamp) -> (i64, i64) {
    ((now + SOON).as_millis(), (now - LATELY).as_millis())
}
