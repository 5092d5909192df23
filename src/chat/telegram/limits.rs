//! The pace that Telegram asks for: 30 messages in any second overall, one a second per chat, 20 a minute per group, and of those at most
//! 10 replies (`rules.md` 4.4). Pure: `now` is an argument.
//!
//! Telegram counts when a request arrives, which is some time between its start and its answer. A place is therefore kept from the start
//! of a request until one window after its *answer*: however the network stretches the requests, no window ever holds too many arrivals.
//!
//! The windows live in memory. What went out in the last minute before a start is told by whoever knows ([`Limits::recall`]); until then a group's share
//! is halved for the first minute. Should it still be too many, Telegram answers 429, which is obeyed and loses nothing.

use crate::domain::Timestamp;
use std::{
    collections::{HashMap, VecDeque},
    time::Duration,
};

/// Messages in any second, over all chats.
pub(super) const OVERALL: usize = 30;
/// Messages in any minute to one group or channel.
pub(super) const PER_GROUP: usize = 20;
/// Of those, answers to commands.
pub(super) const REPLIES_PER_GROUP: usize = 10;
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
/// Times of other tasks may lie a little ahead of one that was read before: only beyond this has the clock been stepped back.
const SKEW: Duration = Duration::from_secs(5);
/// When to ask again while every place is held by a request under way.
const RECHECK: Duration = Duration::from_millis(20);

/// All windows.
#[derive(Debug)]
pub(super) struct Limits {
    started: Timestamp,
    /// Places taken by `admit` whose request has not begun.
    admitted: VecDeque<Timestamp>,
    /// Requests under way.
    under_way: usize,
    /// Ends of requests.
    ended: VecDeque<Timestamp>,
    chats: HashMap<i64, Chat>,
    swept: Timestamp,
}

#[derive(Debug, Default)]
struct Chat {
    under_way: usize,
    replies_under_way: usize,
    /// Ends of requests and whether they were replies.
    ended: VecDeque<(Timestamp, bool)>,
}

/// Why a message for a chat has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// Nothing may go to this chat before.
    Chat(Timestamp),
    /// No reply may go there before; alerts may.
    Reply(Timestamp),
}

impl Limits {
    pub(super) fn new(started: Timestamp) -> Self {
        Self { started, admitted: VecDeque::new(), under_way: 0, ended: VecDeque::new(), chats: HashMap::new(), swept: started }
    }

    /// Takes over what went out lately, before this began: to which chat, whether it was a reply, and when its answer came.
    pub(super) fn recall(&mut self, sent: impl Iterator<Item = (i64, bool, Timestamp)>, now: Timestamp) {
        // What this process sent is among it.
        self.ended.clear();
        self.chats.values_mut().for_each(|chat| chat.ended.clear());
        for (chat, is_reply, at) in sent {
            self.ended.push_back(at);
            self.chats.entry(chat).or_default().ended.push_back((at, is_reply));
        }
        self.started = now - MINUTE;
        self.sweep(now);
    }

    /// How many places of the present second are free, or when there may be one.
    pub(super) fn free(&mut self, now: Timestamp) -> Result<usize, Timestamp> {
        self.sweep(now);
        let taken = self.admitted.len() + self.under_way + self.ended.len();
        if taken < OVERALL {
            return Ok(OVERALL - taken);
        }
        let oldest = [self.admitted.front(), self.ended.front()].into_iter().flatten().min();
        Err(oldest.map_or(now + RECHECK, |at| (*at + SECOND).max(now + Duration::from_millis(1))))
    }

    /// Takes one of the places of the present second, or says when there may be one.
    pub(super) fn admit(&mut self, now: Timestamp) -> Result<(), Timestamp> {
        self.free(now)?;
        self.admitted.push_back(now);
        Ok(())
    }

    /// A request to this chat begins, if the chat has a place for it. The place that `admit` took is used up by it, or free again for
    /// another chat.
    pub(super) fn begin(&mut self, chat: i64, is_reply: bool, now: Timestamp) -> Result<(), Wait> {
        self.sweep(now);
        self.admitted.pop_front();
        let share = self.share(chat, now);
        let pace = self.chats.entry(chat).or_default();
        pace.forget(now);
        if let Some(at) = pace.free_at(share, now) {
            return Err(Wait::Chat(at));
        }
        if is_reply && let Some(at) = pace.reply_free_at(share / 2, now) {
            return Err(Wait::Reply(at));
        }
        pace.under_way += 1;
        pace.replies_under_way += usize::from(is_reply);
        self.under_way += 1;
        Ok(())
    }

    /// The request ended, however. Gives the time before which nothing may go to the chat.
    pub(super) fn end(&mut self, chat: i64, is_reply: bool, now: Timestamp) -> Timestamp {
        self.under_way = self.under_way.saturating_sub(1);
        self.ended.push_back(now);
        let share = self.share(chat, now);
        let pace = self.chats.entry(chat).or_default();
        pace.under_way = pace.under_way.saturating_sub(1);
        pace.replies_under_way = pace.replies_under_way.saturating_sub(usize::from(is_reply));
        pace.ended.push_back((now, is_reply));
        pace.forget(now);
        pace.free_at(share, now).unwrap_or(now)
    }

    /// How many messages a minute a chat takes: groups and channels have negative ids.
    fn share(&self, chat: i64, now: Timestamp) -> usize {
        match chat {
            0.. => usize::MAX,
            _ if now < self.started + MINUTE => PER_GROUP / 2,
            _ => PER_GROUP,
        }
    }

    /// Drops what left its window, and what a stepped clock put into the future.
    fn sweep(&mut self, now: Timestamp) {
        let current = |at: &Timestamp| *at + SECOND > now && *at <= now + SKEW;
        self.admitted.retain(current);
        self.ended.retain(current);
        if now >= self.swept + MINUTE || now < self.swept {
            self.swept = now;
            self.chats.retain(|_, pace| {
                pace.forget(now);
                pace.under_way > 0 || !pace.ended.is_empty()
            });
        }
    }
}

impl Chat {
    fn forget(&mut self, now: Timestamp) {
        self.ended.retain(|(at, _)| *at + MINUTE > now && *at <= now + SKEW);
    }

    fn free_at(&self, share: usize, now: Timestamp) -> Option<Timestamp> {
        if self.under_way > 0 {
            return Some(now + SECOND);
        }
        let rest = self.ended.back().map(|(at, _)| *at + SECOND);
        let full = self.ended.len().checked_sub(share).and_then(|over| self.ended.get(over)).map(|(at, _)| *at + MINUTE);
        rest.max(full).filter(|at| *at > now)
    }

    fn reply_free_at(&self, share: usize, now: Timestamp) -> Option<Timestamp> {
        let replies: Vec<Timestamp> = self.ended.iter().filter(|(_, is_reply)| *is_reply).map(|(at, _)| *at).collect();
        let over = (replies.len() + self.replies_under_way).checked_sub(share.min(REPLIES_PER_GROUP))?;
        // Private chats have no share: they have no minute to fill.
        (share < usize::MAX / 2).then(|| replies.get(over).map_or(now + SECOND, |at| *at + MINUTE)).filter(|at| *at > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(millis: u64) -> Timestamp {
        Timestamp::EPOCH + Duration::from_millis(millis)
    }

    /// Well after a start, so that the first minute does not matter.
    fn settled() -> Limits {
        Limits::new(Timestamp::EPOCH - MINUTE)
    }

    #[test]
    fn a_private_chat_rests_a_second_and_has_no_minute() {
        let mut limits = settled();
        for second in 0..40 {
            let now = at(second * 1000);
            assert_eq!(limits.begin(7, true, now), Ok(()));
            assert_eq!(limits.begin(7, true, now), Err(Wait::Chat(now + SECOND)), "one at a time");
            assert_eq!(limits.end(7, true, now), now + SECOND);
            assert_eq!(limits.begin(7, false, now + Duration::from_millis(999)), Err(Wait::Chat(now + SECOND)));
        }
    }

    #[test]
    fn a_group_takes_twenty_a_minute_and_ten_replies() {
        let mut limits = settled();
        for second in 0..10 {
            limits.begin(-1, true, at(second * 1000)).unwrap();
            limits.end(-1, true, at(second * 1000));
        }
        assert_eq!(limits.begin(-1, true, at(10_000)), Err(Wait::Reply(at(60_000))));
        for second in 10..20 {
            limits.begin(-1, false, at(second * 1000)).unwrap();
            let rest = limits.end(-1, false, at(second * 1000));
            assert_eq!(rest, if second == 19 { at(60_000) } else { at((second + 1) * 1000) });
        }
        assert_eq!(limits.begin(-1, false, at(59_999)), Err(Wait::Chat(at(60_000))));
        assert_eq!(limits.begin(-1, false, at(60_000)), Ok(()));
    }

    #[test]
    fn after_a_start_a_group_has_half_its_share() {
        let mut limits = Limits::new(at(0));
        for second in 0..9 {
            limits.begin(-1, false, at(second * 1000)).unwrap();
            limits.end(-1, false, at(second * 1000));
        }
        limits.begin(-1, false, at(9000)).unwrap();
        assert_eq!(limits.end(-1, false, at(9000)), at(60_000));
    }

    #[test]
    fn what_went_out_before_a_start_counts_and_the_rest_of_the_share_is_free() {
        let mut limits = Limits::new(at(60_000));
        let before = (0..15).map(|second| (-1, second < 9, at(44_000 + second * 1000)));
        limits.recall(before.chain([(7, false, at(59_500))]), at(60_000));
        assert_eq!(limits.begin(7, false, at(60_000)), Err(Wait::Chat(at(60_500))), "a private chat rests");
        limits.begin(-1, true, at(60_000)).unwrap();
        limits.end(-1, true, at(60_000));
        assert_eq!(limits.begin(-1, true, at(61_000)), Err(Wait::Reply(at(104_000))), "ten replies in all");
        for second in 1..5 {
            limits.begin(-1, false, at(60_000 + second * 1000)).unwrap();
            limits.end(-1, false, at(60_000 + second * 1000));
        }
        assert_eq!(limits.begin(-1, false, at(65_000)), Err(Wait::Chat(at(104_000))), "twenty in all");
    }

    #[test]
    fn a_clock_that_steps_back_locks_nothing() {
        let mut limits = settled();
        for _ in 0..OVERALL {
            limits.admit(at(1_000_000)).unwrap();
        }
        limits.begin(-1, false, at(1_000_000)).unwrap();
        limits.end(-1, false, at(1_000_000));
        assert!(limits.admit(at(1_000_000)).is_err());
        assert_eq!(limits.admit(at(5000)), Ok(()));
        assert_eq!(limits.begin(-1, false, at(5000)), Ok(()));
    }

    fn most_in_any(window: u64, times: &[u64]) -> usize {
        (0..times.len()).map(|i| times[i..].iter().take_while(|t| **t < times[i] + window).count()).max().unwrap_or(0)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// Requests arrive at any time between start and end; the receiver never sees too many in any window.
        #[test]
        fn the_receiver_never_sees_too_many(steps in proptest::collection::vec((0u64..400, 0i64..8, 0u64..900, 0u64..100, any::<bool>()), 1..600)) {
            let mut limits = settled();
            let mut now = 0u64;
            let mut under_way: Vec<(u64, i64, bool)> = Vec::new();
            let mut arrivals: Vec<(u64, i64, bool)> = Vec::new();
            for (pause, chat, takes, arrives, is_reply) in steps {
                now += pause / 20;
                under_way.sort_unstable();
                while let Some(&(end, done, reply)) = under_way.first().filter(|(end, ..)| *end <= now) {
                    under_way.remove(0);
                    limits.end(done, reply, at(end.max(now)));
                }
                let chat = chat - 4;
                if limits.admit(at(now)).is_err() || limits.begin(chat, is_reply, at(now)).is_err() {
                    now += 37;
                    continue;
                }
                arrivals.push((now + takes * arrives / 100, chat, is_reply));
                under_way.push((now + takes, chat, is_reply));
            }
            arrivals.sort_unstable();
            let of = |keep: &dyn Fn(&(u64, i64, bool)) -> bool| arrivals.iter().filter(|a| keep(a)).map(|a| a.0).collect::<Vec<_>>();
            prop_assert!(most_in_any(1000, &of(&|_| true)) <= OVERALL);
            for chat in -4..4 {
                prop_assert!(most_in_any(1000, &of(&|a| a.1 == chat)) <= 1);
                if chat < 0 {
                    prop_assert!(most_in_any(60_000, &of(&|a| a.1 == chat)) <= PER_GROUP);
                    prop_assert!(most_in_any(60_000, &of(&|a| a.1 == chat && a.2)) <= REPLIES_PER_GROUP);
                }
            }
        }
    }

    #[test]
    fn an_end_that_another_task_saw_a_moment_later_still_counts() {
        let now = Timestamp::from_secs(1_795_000_000);
        let mut limits = Limits::new(now);
        for chat in 1..=30 {
            limits.admit(now).unwrap();
            limits.begin(chat, false, now).unwrap();
            limits.end(chat, false, now + Duration::from_millis(40));
        }
        assert!(limits.admit(now + Duration::from_millis(20)).is_err(), "asked with a time that was read before the answers came");
        assert!(limits.begin(30, false, now + Duration::from_millis(20)).is_err());
        assert_eq!(limits.admit(now - Duration::from_secs(3600)), Ok(()), "a clock that was stepped back holds nothing up");
    }
}
