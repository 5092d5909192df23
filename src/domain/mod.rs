//! The vocabulary: what a token, a call, a change, a subscription, an alert and a message are.
//!
//! Plain values with no behaviour beyond parsing, printing and arithmetic of their own. This room knows nobody: no IO, no SQL,
//! no platform, no clock. What to do with the values is `engine`'s business.

mod address;
mod alert;
mod button;
mod change;
mod confirmation;
mod fair_queue;
mod graded;
mod ids;
mod insight;
mod kind;
mod levels;
mod line;
mod listing;
mod message;
mod mute;
mod plan;
mod retention;
mod scorecard;
mod settings;
mod shape;
mod snapshot;
mod stance;
mod state;
mod subscription;
mod telling;
mod theme;
mod threshold;
mod time;
mod token;
mod trace;
mod wall_clock;
pub mod wording;

pub use address::{Address, Place, Platform, UserId};
pub use alert::{AlertState, Decision, Lane, Reason};
pub use button::{AlertSubject, ButtonPress, ButtonSubject, ButtonVerb, Buttons, ButtonsId, SubscriptionSubject};
pub use change::{Change, Nature, Since, Timing};
pub use confirmation::{Confirmation, MAX_CONFIRMATION_MINUTES, MAX_CONFIRMATION_POLLS, PollShare};
pub use fair_queue::{Backlog, Community, FairQueue, StartTag};
pub use graded::{Component, Graded, Mover, Scores};
pub use ids::{AlertId, ChangeId, DestinationId, MessageId, PollId, SourceId, SubscriptionId, TokenId};
pub use insight::{Facet, Insight, Risk, Scenario, Scenarios};
pub use kind::{Delivery, Direction, Kind};
pub use levels::{Crossing, Level, Levels, Near};
pub use line::Line;
pub use listing::{Listed, Listing, Reading, TokenNews};
pub use message::{Call, DigestForm, Follows, FollowsHow, Mention, MessageBody, Outcome, SentLately, SummaryCause};
pub use mute::{MuteLength, Mutes};
pub use plan::{Cadence, Feed, FeedStatus};
pub use retention::Retention;
pub use scorecard::{Horizon, Price, Record, Scorecard, WeekMove, WeekReview};
pub use settings::{DigestTime, MAX_COOLDOWN_MINUTES, MAX_PER_HOUR, QuietHours, Settings, SettingsChange, SettingsError};
pub use shape::{Drift, FieldCounts, SourceField};
pub use snapshot::{Observation, PastRow, SetAside, SetAsideReason, Snapshot, Unconfirmed, Values};
pub use stance::{Class, Grade, Stance, Way};
pub use state::TokenState;
pub use subscription::{Destination, KEPT_DAYS, KEPT_FOR, Quarantine, QuarantineReason, Subscription, Target};
pub use telling::{Candidate, Composition, Digests, Draft, Drawn, Due, LastPolls, Situation, Told, ToldIn, Waiting, Wish};
pub use theme::Theme;
pub use threshold::{Passed, Threshold, Watched};
pub use time::{Day, Timestamp};
pub use token::{MAX_NAME, Nameless, Token, clean_name};
pub use trace::{AlertTrace, Fate, Trace, TracedAlert, TracedMessage};
pub use wall_clock::{TimeOfDay, WallClockError, Zone};
