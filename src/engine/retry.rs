//! When an attempt is repeated and when it is given up (`rules.md` 4.2).

use super::horizon::Lapse;
use crate::domain::{Platform, Timestamp};
use std::time::Duration;

const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(600);
/// The longest wait that a platform may ask for: a hostile or broken answer must not stall a chat for days.
pub const LONGEST_ASKED: Duration = Duration::from_secs(3600);

/// So long Discord certainly knows a message by its nonce: it says "the past few minutes", of which two less the time of a request are relied on.
const NONCE_IS_KNOWN: Duration = Duration::from_secs(110);
/// A message stands in a chat so many times at most, whatever happens.
const MOST_COPIES: usize = 2;

/// How a message stands after an attempt that brought no receipt.
#[derive(Clone, Copy, Debug)]
pub struct Attempted<'a> {
    /// Attempts so far, this one included.
    pub attempts: u32,
    /// When those began of which nobody knows whether they arrived, this one included, in order.
    pub uncertain: &'a [Timestamp],
    /// What becomes of it, if it is of no use any more.
    pub lapse: Option<Lapse>,
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

/// Why a message that may have arrived already is not tried once more; `None` where it may be tried. `uncertain` are the times at which attempts began
/// of which nobody knows whether they arrived, in order.
///
/// Telegram has no idempotency key: after a second ambiguous end a third attempt could bring a third copy. On Discord repeats are the same message
/// for as long as it knows the nonce, and only then.
pub fn too_uncertain(platform: Platform, uncertain: &[Timestamp], now: Timestamp) -> Option<&'static str> {
    let attempts = uncertain.iter().copied().chain([now]);
    let copies = if platform == Platform::Discord { nonces(attempts) } else { attempts.count() };
    (copies > MOST_COPIES).then_some("attempts ended without an answer: it may have arrived")
}

/// As how many different messages Discord may have seen attempts of these times. A clock that was stepped back makes none new.
fn nonces(attempts: impl Iterator<Item = Timestamp>) -> usize {
    let mut first: Option<Timestamp> = None;
    attempts
        .filter(|at| {
            let is_new = first.is_none_or(|first| at.since(first) >= NONCE_IS_KNOWN);
            first = if is_new { Some(*at) } else { first };
            is_new
        })
        .count()
}

/// The longer of the schedule and what the platform asked, both capped. `jitter` is 0 to 1 and lengthens the wait by up to a fifth.
pub fn next(platform: Platform, attempted: Attempted<'_>, jitter: f64, now: Timestamp) -> Next {
    if let Some(why) = too_uncertain(platform, attempted.uncertain, now) {
        return Next::GiveUp(why);
    }
    // What may have arrived is tried again while the platform knows it for the same message, however often it was refused before.
    let tries = if attempted.uncertain.is_empty() { attempted.attempts as usize } else { attempted.uncertain.len() };
    let doublings = u32::try_from(tries.saturating_sub(1).min(16)).unwrap_or(16);
    let scheduled = (FIRST * 2_u32.pow(doublings)).min(LONGEST);
    let asked = attempted.after.unwrap_or_default().min(LONGEST_ASKED);
    let wait = scheduled.max(asked);
    let at = now + wait + wait.mul_f64(0.2 * jitter.clamp(0.0, 1.0));
    match attempted.lapse {
        None => Next::At(at),
        Some(Lapse::ToldTogether) => Next::Stale(at),
        Some(Lapse::GivenUp(why)) => Next::GiveUp(why),
    }
}

/// How long a quarantined destination rests before it is tried again: an hour, then longer, at most 64 hours.
pub fn probe_after(probes: u32) -> Duration {
    Duration::from_secs(3600) * 4_u32.pow(probes.min(3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempted(attempts: u32, uncertain: &[Timestamp], after: Option<u64>) -> Attempted<'_> {
        Attempted { attempts, uncertain, lapse: None, after: after.map(Duration::from_secs) }
    }

    #[test]
    fn waits_double_up_to_a_cap_and_heed_the_platform() {
        let wait = |attempts, after| match next(Platform::Discord, attempted(attempts, &[], after), 0.0, Timestamp::EPOCH) {
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
        let ends = [now; 9];
        assert!(matches!(next(Platform::Telegram, attempted(1, &ends[..1], None), 0.5, now), Next::At(_)));
        assert!(matches!(next(Platform::Telegram, attempted(2, &ends[..2], None), 0.5, now), Next::GiveUp(_)));
        assert!(matches!(next(Platform::Discord, attempted(9, &ends, None), 0.5, now), Next::At(_)));
        let soon = next(Platform::Discord, attempted(40, &ends[..1], None), 0.0, now);
        assert_eq!(soon, Next::At(now + FIRST), "while the nonce is known, whatever came before");
    }

    #[test]
    fn discord_knows_a_nonce_for_minutes_alone() {
        let at = Timestamp::from_secs;
        let refuses = |uncertain: &[i64], now: i64| {
            let uncertain: Vec<_> = uncertain.iter().copied().map(at).collect();
            too_uncertain(Platform::Discord, &uncertain, at(now)).is_some()
        };
        assert!(!refuses(&[1_000, 1_050, 1_100], 1_109), "all of it is one message");
        assert!(!refuses(&[1_000, 1_050], 5_000), "the second that it may be");
        assert!(!refuses(&[1_000, 5_000], 5_060));
        assert!(refuses(&[1_000, 5_000], 5_110), "that would be a third");
        assert!(refuses(&[1_000, 5_000, 5_060], 9_000));
        assert!(!refuses(&[5_000, 5_060], 1_000), "the clock was stepped back");
    }

    #[test]
    fn what_is_of_no_use_any_more_is_not_tried_again() {
        let now = Timestamp::EPOCH;
        let of = |lapse| next(Platform::Discord, Attempted { lapse, ..attempted(100, &[], None) }, 0.0, now);
        assert_eq!(of(None), Next::At(now + LONGEST));
        assert_eq!(of(Some(Lapse::ToldTogether)), Next::Stale(now + LONGEST), "tried again then, should that not be possible");
        assert_eq!(of(Some(Lapse::GivenUp("old"))), Next::GiveUp("old"));
    }

    #[test]
    fn probes_grow_rarer() {
        assert_eq!([0, 1, 2, 3, 9].map(|n| probe_after(n).as_secs() / 3600), [1, 4, 16, 64, 64]);
    }
}
