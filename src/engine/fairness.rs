//! How communities share a platform's pace within a lane (ARCHITECTURE.md, rules O): start-time fair queueing.
//!
//! A message gets its tag when it is composed and keeps it, however often it is tried; the queue goes by tags. Whoever has little waits for
//! little, whatever others have in the queue.

use crate::domain::{Backlog, Community, Composition, DestinationId, FairQueue, Lane, StartTag};
use std::collections::BTreeMap;

/// How far a message moves the tag of a community of weight 1.
const MESSAGE: i64 = 1_000_000;

/// How many messages a community may send while a single chat sends one: one more each time its places double (O2).
pub const fn weight(places: u32) -> u32 {
    if places == 0 { 1 } else { u32::BITS - places.leading_zeros() }
}

/// Gives each message its tag: one share behind the last of its community, and not before what was claimed last. Of a community's places each
/// has its first message before any has its second.
pub fn place(queue: &FairQueue, compositions: &mut [(DestinationId, Composition)]) {
    let mut turns: Vec<(usize, usize)> = Vec::new();
    for (index, (_, composition)) in compositions.iter().enumerate() {
        turns.extend((0..composition.messages.len()).map(|nth| (nth, index)));
    }
    turns.sort_unstable();
    let mut last: BTreeMap<(&Community, Lane), StartTag> = BTreeMap::new();
    for (nth, index) in turns {
        let Some((destination, composition)) = compositions.get_mut(index) else { continue };
        let (Some(draft), Some(community)) = (composition.messages.get_mut(nth), queue.communities.get(destination)) else { continue };
        let (lane, backlog) = (draft.lane, queue.backlogs.get(community));
        let before = last.get(&(community, lane)).copied().or_else(|| backlog?.last.get(&lane).copied());
        let behind = before.map(|tag| StartTag(tag.0 + share(backlog)));
        let reached = queue.virtual_times.get(&(community.platform, lane)).copied().unwrap_or_default();
        draft.start_tag = behind.map_or(reached, |tag| tag.max(reached));
        last.insert((community, lane), draft.start_tag);
    }
}

fn share(backlog: Option<&Backlog>) -> i64 {
    MESSAGE / i64::from(weight(backlog.map_or(1, |backlog| backlog.places)))
}

#[cfg(test)]
#[path = "fairness_tests.rs"]
mod tests;
