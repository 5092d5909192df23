//! How fast Discord may be asked: the global 50 a second, what its headers teach about each bucket, pauses that it orders, and a fuse
//! far below the 10,000 invalid requests in 10 minutes that ban an address. Pure: `now` is an argument.

use crate::domain::Timestamp;
use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

/// Requests a second per bot ([Discord, rate limits](https://discord.com/developers/docs/topics/rate-limits#global-rate-limit)).
const GLOBAL_PER_SECOND: usize = 50;
const SECOND: Duration = Duration::from_secs(1);
/// A place is free again a little later than Discord gives it back: requests do not all take as long on their way, and one that comes too early
/// rests the whole bot for a second. It costs a fiftieth of the speed.
const WINDOW: Duration = Duration::from_millis(1_020);
/// A request has arrived this long after it was begun, however long its answer takes.
const ON_THE_WAY: Duration = Duration::from_millis(40);
/// Times of other tasks may lie a little ahead of one that was read before: only beyond this has the clock been stepped back.
const SKEW: Duration = Duration::from_secs(5);
/// Discord bans an address at 10,000 answers of 401, 403 or 429 in 10 minutes; this stops at half of it.
const FUSE: usize = 5_000;
const FUSE_WINDOW: Duration = Duration::from_secs(600);
/// How long openings of direct messages rest when Discord says that they come too fast (40003) without saying until when.
const OPENING_REST: Duration = Duration::from_secs(60);
/// Beyond this wait a command does not open direct messages; the first delivery does.
const LONGEST_OPENING_WAIT: Duration = Duration::from_secs(8);
/// Beyond this many remembered buckets those that have refilled are forgotten.
const MANY_BUCKETS: usize = 4_096;
/// Beyond this many turns at openings those that nobody took up are forgotten.
const MANY_TURNS: usize = 4_096;

/// What the headers of one answer say about its bucket.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct BucketHeaders {
    /// Discord's name for the limit; several routes can share it.
    pub(super) bucket: Option<String>,
    /// Requests left.
    pub(super) remaining: Option<u64>,
    /// Until it refills.
    pub(super) reset_after: Option<Duration>,
}

/// A place among those of a second. Discord counts when a request arrives: that is later than when the place was taken, and once there is an answer
/// it is known by when.
#[derive(Clone, Copy, Debug)]
struct Place {
    counts_from: Timestamp,
    answered: bool,
}

/// The pace of one bot.
#[derive(Debug, Default)]
pub(super) struct Limiter {
    places: VecDeque<Place>,
    paused_until: Option<Timestamp>,
    invalid: VecDeque<Timestamp>,
    blown_until: Option<Timestamp>,
    /// Discord's bucket of each route; learned, since routes can share one.
    bucket_of: HashMap<&'static str, String>,
    /// Until when a bucket of a channel is empty. The name excludes the channel, so the key holds both.
    empty_until: HashMap<(String, String), Timestamp>,
    next_opening: Option<Timestamp>,
    /// Whose direct messages are opened when: each waits for a turn of its own, or all would come back at once, second by second.
    turns: HashMap<String, Timestamp>,
}

impl Limiter {
    /// How many of the 50 places of this second are free.
    ///
    /// # Errors
    /// The time before which there is none.
    pub(super) fn free(&mut self, now: Timestamp) -> Result<usize, Timestamp> {
        for until in [self.paused_until, self.blown_until].into_iter().flatten() {
            if now < until {
                return Err(until);
            }
        }
        self.forget_places(now);
        let Some(over) = self.places.len().checked_sub(GLOBAL_PER_SECOND) else { return Ok(GLOBAL_PER_SECOND - self.places.len()) };
        let mut times: Vec<_> = self.places.iter().map(|place| place.counts_from).collect();
        times.sort_unstable();
        Err(times[over] + WINDOW)
    }

    /// Takes a place among the 50 of this second.
    ///
    /// # Errors
    /// The time before which there is none.
    pub(super) fn admit(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        self.free(now)?;
        self.places.push_back(Place { counts_from: now, answered: false });
        Ok(())
    }

    /// Counts a request that goes out as part of one that was admitted (opening a DM, unarchiving a thread).
    pub(super) fn count(&mut self, now: Timestamp) {
        self.forget_places(now);
        self.places.push_back(Place { counts_from: now, answered: false });
    }

    /// A request that was begun then has been answered, or failed: its place counts from when it arrived at the latest.
    pub(super) fn answered(&mut self, began: Timestamp, now: Timestamp) {
        // Whose place it was does not matter: there are as many as requests.
        if let Some(place) = self.places.iter_mut().find(|place| !place.answered) {
            *place = Place { counts_from: now.min(began + ON_THE_WAY), answered: true };
        }
    }

    /// Takes over what went out lately, before this began. What was asked since, as a start asks for the commands that are registered, counts as well.
    pub(super) fn recall(&mut self, sent: impl Iterator<Item = Timestamp>, now: Timestamp) {
        self.places.extend(sent.map(|counts_from| Place { counts_from, answered: true }));
        self.forget_places(now);
    }

    /// Those that left their second, and those that a stepped clock put into the future.
    fn forget_places(&mut self, now: Timestamp) {
        self.places.retain(|place| place.counts_from + WINDOW > now && place.counts_from <= now + SKEW);
    }

    /// The whole platform waits until then; never shortens a pause.
    pub(super) fn pause(&mut self, until: Timestamp) {
        self.paused_until = self.paused_until.max(Some(until));
    }

    /// Counts a 401, 403 or 429 (a shared 429 does not count); true when the fuse blows by it, so that it is told once.
    pub(super) fn invalid(&mut self, now: Timestamp) -> bool {
        while self.invalid.front().is_some_and(|at| *at + FUSE_WINDOW <= now) {
            self.invalid.pop_front();
        }
        self.invalid.push_back(now);
        let blown = self.blown_until.is_some_and(|until| now < until);
        if self.invalid.len() < FUSE || blown {
            return false;
        }
        self.blown_until = self.invalid.front().map(|oldest| *oldest + FUSE_WINDOW);
        true
    }

    /// Learns from the headers of an answer; until when this channel rests, if its bucket is empty now.
    pub(super) fn learn(&mut self, route: &'static str, channel: &str, headers: &BucketHeaders, now: Timestamp) -> Option<Timestamp> {
        let bucket = headers.bucket.clone()?;
        let key = (bucket.clone(), channel.to_owned());
        self.bucket_of.insert(route, bucket);
        if headers.remaining == Some(0) {
            let until = now + headers.reset_after?;
            if self.empty_until.len() >= MANY_BUCKETS {
                self.empty_until.retain(|_, until| now < *until);
            }
            self.empty_until.insert(key, until);
            return Some(until);
        }
        self.empty_until.remove(&key);
        None
    }

    /// Until when the bucket of this route and channel is known to be empty, if it is.
    pub(super) fn rests_until(&self, route: &'static str, channel: &str, now: Timestamp) -> Option<Timestamp> {
        let bucket = self.bucket_of.get(route)?;
        self.empty_until.get(&(bucket.clone(), channel.to_owned())).copied().filter(|until| now < *until)
    }

    /// The place that `admit` took was not needed: it is free for another message.
    pub(super) fn give_back(&mut self) {
        if let Some(at) = self.places.iter().rposition(|place| !place.answered) {
            self.places.remove(at);
        }
    }

    /// Takes the place of one opening of direct messages: one a second (`rules.md` 5.7).
    ///
    /// # Errors
    /// When it is this person's turn.
    pub(super) fn admit_opening(&mut self, user: &str, now: Timestamp) -> Result<(), Timestamp> {
        if self.turns.len() >= MANY_TURNS {
            self.turns.retain(|_, turn| now < *turn + OPENING_REST);
        }
        match self.turns.get(user).copied() {
            Some(turn) if now < turn => return Err(turn),
            Some(_) => {}
            None => {
                let at = self.next_opening.filter(|next| now < *next).unwrap_or(now);
                self.next_opening = Some(at + SECOND);
                if now < at {
                    self.turns.insert(user.to_owned(), at);
                    return Err(at);
                }
            }
        }
        self.turns.remove(user);
        Ok(())
    }

    /// Reserves the next place of an opening for a command that can wait a little; `None` where that would be too long.
    pub(super) fn reserve_opening(&mut self, now: Timestamp) -> Option<Timestamp> {
        let at = self.next_opening.filter(|next| now < *next).unwrap_or(now);
        if at > now + LONGEST_OPENING_WAIT {
            return None;
        }
        self.next_opening = Some(at + SECOND);
        Some(at)
    }

    /// Discord says that openings come too fast: they rest, messages go on.
    pub(super) fn rest_openings(&mut self, now: Timestamp, after: Option<Duration>) {
        self.turns.clear();
        self.next_opening = self.next_opening.max(Some(now + after.unwrap_or(OPENING_REST)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T0: Timestamp = Timestamp::from_secs(1_795_255_200);
    fn ms(millis: u64) -> Timestamp {
        T0 + Duration::from_millis(millis)
    }
    fn headers(remaining: u64, reset_ms: u64) -> BucketHeaders {
        BucketHeaders { bucket: Some("b".into()), remaining: Some(remaining), reset_after: Some(Duration::from_millis(reset_ms)) }
    }

    #[test]
    fn fifty_in_any_second_and_not_one_more() {
        let mut limiter = Limiter::default();
        let mut taken = Vec::new();
        let mut now = T0;
        while taken.len() < 500 {
            match limiter.admit(now) {
                Ok(()) => taken.push(now),
                Err(until) => {
                    assert!(until > now, "it says a later time");
                    now = until;
                }
            }
            now = now + Duration::from_millis(7);
        }
        for (index, at) in taken.iter().enumerate().skip(50) {
            assert!(*at >= taken[index - 50] + WINDOW);
        }
    }

    #[test]
    fn a_place_counts_from_when_its_request_arrived_at_the_latest() {
        let full = |answered: &[(u64, u64)]| {
            let mut limiter = Limiter::default();
            (0..50).for_each(|_| limiter.admit(T0).unwrap());
            answered.iter().for_each(|(began, ended)| limiter.answered(ms(*began), ms(*ended)));
            limiter.admit(ms(999)).unwrap_err()
        };
        assert_eq!(full(&[]), ms(1_020), "nothing is known yet");
        assert_eq!(full(&[(20, 30); 50]), ms(1_050), "it may have arrived just before its answer left");
        assert_eq!(full(&[(20, 400); 50]), ms(1_080), "an answer may take its time");
        let mut limiter = Limiter::default();
        (0..50).for_each(|_| limiter.admit(T0).unwrap());
        limiter.answered(ms(5), ms(9));
        limiter.give_back();
        assert_eq!(limiter.admit(ms(10)), Ok(()), "what is given back is not what was sent");
        assert_eq!(limiter.admit(T0 - Duration::from_secs(3_600)), Ok(()), "a clock that was stepped back holds nothing up");
    }

    #[test]
    fn what_a_predecessor_sent_and_what_the_start_asked_for_count_together() {
        let mut limiter = Limiter::default();
        (0..3).for_each(|_| limiter.admit(T0).unwrap());
        limiter.recall([ms(0), ms(0), ms(10)].into_iter(), ms(20));
        (0..44).for_each(|_| limiter.admit(ms(20)).unwrap());
        assert_eq!(limiter.admit(ms(30)), Err(ms(1_020)));
        limiter.recall(std::iter::repeat_n(ms(500), 50), ms(1_030));
        assert_eq!(limiter.free(ms(1_030)), Err(ms(1_520)), "forty-four of its own, and fifty of another");
    }

    #[test]
    fn a_global_pause_holds_everything_and_is_never_shortened() {
        let mut limiter = Limiter::default();
        limiter.pause(ms(2_000));
        limiter.pause(ms(1_000));
        assert_eq!(limiter.admit(ms(1_500)), Err(ms(2_000)));
        assert_eq!(limiter.admit(ms(2_000)), Ok(()));
    }

    #[test]
    fn an_empty_bucket_rests_its_channel_alone() {
        let mut limiter = Limiter::default();
        assert_eq!(limiter.learn("send", "1", &headers(4, 5_000), T0), None);
        assert_eq!(limiter.learn("send", "1", &headers(0, 3_000), ms(10)), Some(ms(3_010)));
        assert_eq!(limiter.rests_until("send", "1", ms(20)), Some(ms(3_010)));
        assert_eq!(limiter.rests_until("send", "2", ms(20)), None);
        assert_eq!(limiter.rests_until("other", "1", ms(20)), None);
        assert_eq!(limiter.rests_until("send", "1", ms(3_010)), None);
        assert_eq!(limiter.learn("send", "1", &headers(4, 5_000), ms(3_010)), None);
        assert_eq!(limiter.rests_until("send", "1", ms(3_011)), None);
    }

    #[test]
    fn the_fuse_blows_once_and_mends_when_the_window_has_passed() {
        let mut limiter = Limiter::default();
        for index in 0..FUSE as u64 - 1 {
            assert!(!limiter.invalid(ms(index)));
        }
        assert_eq!(limiter.admit(ms(6_000)), Ok(()));
        assert!(limiter.invalid(ms(6_000)));
        assert!(!limiter.invalid(ms(6_001)), "it is told once");
        assert_eq!(limiter.admit(ms(6_002)), Err(T0 + FUSE_WINDOW));
        assert_eq!(limiter.admit(ms(6_002) + FUSE_WINDOW), Ok(()));
        assert!(!limiter.invalid(ms(6_002) + FUSE_WINDOW));
    }

    #[test]
    fn direct_messages_are_opened_one_a_second() {
        let mut limiter = Limiter::default();
        assert_eq!(limiter.admit_opening("a", T0), Ok(()));
        assert_eq!(limiter.admit_opening("b", ms(10)), Err(ms(1_000)));
        assert_eq!(limiter.admit_opening("c", ms(10)), Err(ms(2_000)), "a turn of one's own");
        assert_eq!(limiter.admit_opening("b", ms(20)), Err(ms(1_000)), "and it stays");
        assert_eq!(limiter.admit_opening("b", ms(1_000)), Ok(()));
        assert_eq!(limiter.admit_opening("c", ms(2_500)), Ok(()), "late for it is in time");
        limiter = Limiter::default();
        assert_eq!(limiter.admit_opening("a", T0), Ok(()));
        assert_eq!(limiter.admit_opening("b", ms(10)), Err(ms(1_000)));
        assert_eq!(limiter.reserve_opening(ms(10)), Some(ms(2_000)));
        assert_eq!(limiter.reserve_opening(ms(10)), Some(ms(3_000)));
        limiter.rest_openings(ms(10), None);
        assert_eq!(limiter.reserve_opening(ms(20)), None);
        assert_eq!(limiter.admit_opening("b", ms(20)), Err(ms(60_010)));
    }
}
