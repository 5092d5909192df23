//! What decides about telling, and what is decided: the values that go between `store` and `engine`.

use super::{
    AlertId, Call, Change, Delivery, Direction, Follows, Kind, Lane, MessageBody, Mutes, Reason, Settings, Stance, StartTag, Target,
    Threshold, Timestamp, TokenId,
};
use std::collections::{BTreeMap, BTreeSet};

/// A destination with some wish about the token of a change.
#[derive(Clone, Debug)]
pub struct Candidate {
    /// Its wishes about the token: its own, or `all`.
    pub wishes: Vec<Wish>,
    /// The token is left out of its `all`.
    pub excluded: bool,
    /// Its limits.
    pub settings: Settings,
    /// What it wants to be quiet about, as far as the token goes.
    pub mutes: Mutes,
    /// It cannot be reached at present.
    pub quarantined: bool,
    /// What it knows of the token.
    pub told: Option<Told>,
}

/// One subscription as far as a decision needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// What it is for.
    pub target: Target,
    /// Which turns.
    pub direction: Direction,
    /// When.
    pub delivery: Delivery,
    /// The role to mention.
    pub mention: Option<String>,
    /// Since when it stands.
    pub created_at: Timestamp,
    /// The line whose crossing is told besides.
    pub threshold: Option<Drawn>,
}

/// A threshold as a subscription has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Drawn {
    /// Which.
    pub threshold: Threshold,
    /// Since when: the number at that time is its baseline.
    pub at: Timestamp,
}

/// What a chat knows of one token and kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Told {
    /// The stance it knows.
    pub stance: Stance,
    /// Since when it knows it.
    pub known_at: Timestamp,
    /// When a message last said anything of the token; nothing if none did.
    pub told_at: Option<Timestamp>,
    /// It was told that the call is unstable, and not yet that it has settled (F2).
    pub unstable: bool,
}

/// Everything that decides what one destination is told now.
#[derive(Clone, Debug)]
pub struct Situation {
    /// Its limits.
    pub settings: Settings,
    /// What it wants to be quiet about.
    pub mutes: Mutes,
    /// When a role was last mentioned.
    pub mentioned_at: Option<Timestamp>,
    /// What it had of digests.
    pub digests: Digests,
    /// What is on its way to it already.
    pub waiting: Waiting,
    /// When the counted messages of the last hour were sent, in any order.
    pub sent: Vec<Timestamp>,
    /// What it knows of the tokens concerned.
    pub told: BTreeMap<(Kind, TokenId), Told>,
    /// When the calls concerned turned lately, whoever was told.
    pub turns: BTreeMap<(Kind, TokenId), Vec<Timestamp>>,
    /// The last polls of the kinds concerned, where polls confirm turns.
    pub polls: BTreeMap<Kind, LastPolls>,
    /// Its wishes as they stand now.
    pub wishes: Vec<(Kind, Wish)>,
    /// The tokens it left out of `all`.
    pub excluded: BTreeSet<(Kind, TokenId)>,
    /// What is due, and what turned back before it was told.
    pub due: Vec<Due>,
}

/// The last complete polls of a kind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LastPolls {
    /// When each began whose changes have all reached their subscribers, in any order.
    pub began: Vec<Timestamp>,
    /// There are newer ones, whose changes have not.
    pub under_way: bool,
}

/// What a destination had of digests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digests {
    /// When the last one was composed.
    pub last: Option<Timestamp>,
    /// It has not arrived yet.
    pub under_way: bool,
}

/// What is composed for a destination and has not arrived yet: summaries and digests. Behind anything urgent nothing is composed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Waiting {
    /// The tokens of which it tells: what the chat knows of them will be known once it has gone.
    pub tells: BTreeSet<(Kind, TokenId)>,
    /// There is a summary among it.
    pub summary: bool,
    /// How many messages of that summary count against the hourly limit.
    pub counted: usize,
    /// The summary mentions a role.
    pub mentions: bool,
}

/// One pending alert with its change.
#[derive(Clone, Debug)]
pub struct Due {
    /// Its row.
    pub alert: AlertId,
    /// When it was made.
    pub created_at: Timestamp,
    /// Why it was decided so at fan-out, or held since.
    pub reason: Reason,
    /// What happened.
    pub change: Change,
    /// The token's symbol.
    pub symbol: String,
    /// The token's rank by market cap, where it has one.
    pub rank: Option<u32>,
    /// Where to read more.
    pub link: Option<String>,
    /// A correction: where the call was told that it corrects.
    pub told_in: Option<ToldIn>,
}

/// The message in which a call was told.
#[derive(Clone, Debug, PartialEq)]
pub struct ToldIn {
    /// What the platform calls it.
    pub platform_id: String,
    /// It tells nothing else.
    pub alone: bool,
    /// As it was told.
    pub call: Call,
}

/// What to do: every due alert is in exactly one of the first four.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Composition {
    /// Messages for the outbox.
    pub messages: Vec<Draft>,
    /// Alerts that wait on.
    pub holds: Vec<(AlertId, Timestamp, Reason)>,
    /// Alerts that are not wanted any more.
    pub skips: Vec<(AlertId, Reason)>,
    /// Alerts that stay as they are until what waits has gone: nothing of them is urgent meanwhile.
    pub waits: Vec<AlertId>,
    /// Stances that the destination chose not to be told of: known to it all the same (3.8).
    pub passed_over: Vec<(Kind, TokenId, Stance, Timestamp)>,
}

/// One message.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// How urgent.
    pub lane: Lane,
    /// Where it stands in its lane.
    pub start_tag: StartTag,
    /// What it says.
    pub body: MessageBody,
    /// Whether it counts against the hourly limit.
    pub counted: bool,
    /// The roles to mention.
    pub mention: Vec<String>,
    /// The alerts it tells.
    pub alerts: Vec<AlertId>,
    /// The earlier message that it corrects.
    pub follows: Option<Follows>,
}
