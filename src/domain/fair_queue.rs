//! How the messages that wait for one platform share its pace: what decides where a new one stands.

use super::{DestinationId, Lane, Platform};
use std::collections::BTreeMap;

/// Where a message stands among those of its platform and lane: the lowest goes first, and of equal ones the oldest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StartTag(pub i64);

/// Whose share of a platform's pace a message takes: a Discord server with all its channels, a Telegram group with its topics, any other chat
/// by itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Community {
    /// Where.
    pub platform: Platform,
    /// The server, the group or the chat.
    pub name: String,
}

/// What a community of several places has in the queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    /// How many places it has: its channels or topics that were ever told anything.
    pub places: u32,
    /// Its last message in each lane.
    pub last: BTreeMap<Lane, StartTag>,
}

/// What decides where new messages stand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FairQueue {
    /// How far each lane has got: the tag that was claimed last.
    pub virtual_times: BTreeMap<(Platform, Lane), StartTag>,
    /// Whose messages they are.
    pub communities: BTreeMap<DestinationId, Community>,
    /// What waits for communities of several places. Nothing is composed for a single chat while something of that kind waits for it.
    pub backlogs: BTreeMap<Community, Backlog>,
}
