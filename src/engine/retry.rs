//! When an attempt is repeated and when it is given up (`rules.md` 4.2).

use crate::domain::{Platform, Timestamp};
use std::time::Duration;

const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(600);
/// After so long what a message says is old: alerts are composed anew, anything else becomes a dead letter.
const HORIZON: Duration = Duration::from_secs(24 * 3600);
const TOO_OLD: &str = "it could not be delivered within 24 hours";
/// The longest wait that a platform may ask for: a hostile or broken answer must not stall a chat for days.
pub const LONGEST_ASKED: Duration = Duration::from_secs(3600);

/// How a message stands after an attempt that brought no receipt.
#[derive(Clone, Copy, Debug)]
pub struct Attempted {
    /// Attempts so far, this one included.
    pub attempts: u32,
    /// Those of which nobody knows whether they arrived, this one included.
    pub unknown_ends: u32,
    /// When the message was made.
    pub created_at: Timestamp,
    /// Whether it is made of alerts, which can be told otherwise later; answers and notices cannot.
    pub is_alerts: bool,
    /// What the platform asked to wait.
    pub after: Option<Duration>,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Try again then.
    At(Timestamp),
    /// What it says is old: alerts go back to those that wait, to be told as their net result. What cannot go back is tried again then.
    Stale(Timestamp),
    /// Give up: a dead letter.
    GiveUp(&'static str),
}

/// Why a message that may have arrived already is not tried once more; `None` where it may be tried.
///
/// Telegram has no idempotency key: after a second ambiguous end a third attempt could bring a third copy. Discord's nonce makes repeats safe.
pub fn too_uncertain(platform: Platform, unknown_ends: u32) -> Option<&'static str> {
    (platform == Platform::Telegram && unknown_ends > 1).then_some("two attempts ended without an answer: it may have arrived")
}

/// The longer of the schedule and what the platform asked, both capped. `jitter` is 0 to 1 and lengthens the wait by up to a fifth.
pub fn next(platform: Platform, attempted: Attempted, jitter: f64, now: Timestamp) -> Next {
    if let Some(why) = too_uncertain(platform, attempted.unknown_ends) {
        return Next::GiveUp(why);
    }
    let doublings = attempted.attempts.saturating_sub(1).min(16);
    let scheduled = (FIRST * 2_u32.pow(doublings)).min(LONGEST);
    let asked = attempted.after.unwrap_or_default().min(LONGEST_ASKED);
    let wait = scheduled.max(asked);
    let at = now + wait + wait.mul_f64(0.2 * jitter.clamp(0.0, 1.0));
    if now.since(attempted.created_at) <= HORIZON {
        return Next::At(at);
    }
    // One that may have arrived is not told a second time in other words.
    if attempted.is_alerts && attempted.unknown_ends == 0 { Next::Stale(at) } else { Next::GiveUp(TOO_OLD) }
}

/// How long a quarantined destination rests before it is tried again: an hour, then longer, at most 64 hours.
pub fn probe_after(probes: u32) -> Duration {
    Duration::from_secs(3600) * 4_u32.pow(probes.min(3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempted(attempts: u32, unknown_ends: u32, after: Option<u64>) -> Attempted {
        Attempted { attempts, unknown_ends, created_at: Timestamp::EPOCH, is_alerts: true, after: after.map(Duration::from_secs) }
    }

    #[test]
    fn waits_double_up_to_a_cap_and_heed_the_platform() {
        let wait = |attempts, after| match next(Platform::Discord, attempted(attempts, 0, after), 0.0, Timestamp::EPOCH) {
            Next::At(at) => at.as_secs(),
            Next::Stale(_) | Next::GiveUp(_) => -1,
        };
        assert_eq!([wait(1, None), wait(2, None), wait(3, None), wait(12, None), wait(60, None)], [2, 4, 8, 600, 600]);
        assert_eq!(wait(1, Some(30)), 30);
        assert_eq!(wait(12, Some(30)), 600, "the longer of both");
        assert_eq!(wait(1, Some(1_000_000)), 3600, "a hostile answer is capped");
    }

    #[test]
    fn an_ambiguous_end_is_retried_once_on_telegram_and_always_on_discord() {
        let now = Timestamp::EPOCH;
        assert!(matches!(next(Platform::Telegram, attempted(1, 1, None), 0.5, now), Next::At(_)));
        assert!(matches!(next(Platform::Telegram, attempted(2, 2, None), 0.5, now), Next::GiveUp(_)));
        assert!(matches!(next(Platform::Discord, attempted(9, 9, None), 0.5, now), Next::At(_)));
    }

    #[test]
    fn a_day_is_the_end_of_it() {
        let now = Timestamp::EPOCH + HORIZON + Duration::from_secs(1);
        let of = |attempted| next(Platform::Discord, attempted, 0.0, now);
        assert_eq!(of(attempted(100, 0, None)), Next::Stale(now + LONGEST), "alerts are told anew");
        assert_eq!(of(attempted(100, 1, None)), Next::GiveUp(TOO_OLD), "not those that may have arrived");
        assert_eq!(of(Attempted { is_alerts: false, ..attempted(100, 0, None) }), Next::GiveUp(TOO_OLD));
    }

    #[test]
    fn probes_grow_rarer() {
        assert_eq!([0, 1, 2, 3, 9].map(|n| probe_after(n).as_secs() / 3600), [1, 4, 16, 64, 64]);
    }
}
