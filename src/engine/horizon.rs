//! For how long a message that waits to be sent is worth sending (ARCHITECTURE.md, rules H). What is of no use any more becomes a line of
//! the next summary or digest; an answer is given up.

use super::digest::next_digest;
use crate::domain::{Call, Kind, Lane, MessageBody, Outcome, Settings, Timestamp};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3600);
/// Nothing is tried for longer; a summary of older things would say what is not so any more.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// A call of an hour, or a price, is told as news for an hour.
const FAST: Duration = HOUR;
/// A call of a day, and several calls together.
const SLOW: Duration = Duration::from_secs(6 * 3600);
/// Whoever asked has gone, or has asked again.
const ANSWER: Duration = Duration::from_secs(15 * 60);

/// What becomes of a message that is of no use any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lapse {
    /// Its alerts go back to those that wait, and are told together with what came since.
    ToldTogether,
    /// It is given up, with these words.
    GivenUp(&'static str),
}

/// For how long a call is news (H1).
pub(super) fn news_for(call: &Call) -> Duration {
    match call.kind {
        _ if call.outcome == Outcome::Corrected => LONGEST,
        Kind::Hourly | Kind::Levels => FAST,
        _ => SLOW,
    }
}

/// Until when a message that was made then is worth sending (H1 to H3).
pub fn useful_until(body: &MessageBody, lane: Lane, settings: &Settings, created_at: Timestamp) -> Timestamp {
    let at_most = created_at + LONGEST;
    match body {
        MessageBody::Alert { call, .. } => created_at + news_for(call),
        MessageBody::Summary { .. } => created_at + SLOW,
        MessageBody::Digest { delivery, .. } => next_digest(settings, *delivery, created_at).map_or(at_most, |next| next.min(at_most)),
        MessageBody::Card { .. } if lane == Lane::Reply => created_at + ANSWER,
        MessageBody::Card { .. } => at_most,
    }
}

/// What becomes of it, if it is of no use any more. What may have arrived already does not go back, to be told a second time in other words:
/// it is tried as it is, for a day (H4).
pub fn lapse(
    body: &MessageBody,
    lane: Lane,
    settings: &Settings,
    created_at: Timestamp,
    may_go_back: bool,
    now: Timestamp,
) -> Option<Lapse> {
    let is_alerts = !matches!(body, MessageBody::Card { .. });
    let until = if is_alerts && !may_go_back { created_at + LONGEST } else { useful_until(body, lane, settings, created_at) };
    (now > until).then_some(match body {
        MessageBody::Card { .. } if lane == Lane::Reply => Lapse::GivenUp("an answer that could not be sent within 15 minutes"),
        _ if is_alerts && may_go_back => Lapse::ToldTogether,
        _ => Lapse::GivenUp("it could not be delivered within 24 hours"),
    })
}

#[cfg(test)]
#[path = "horizon_tests.rs"]
mod tests;
