//! What is known of one token's call: the baseline that the next poll is compared with.

use super::{Levels, Passed, Scores, Since, Stance, Timestamp, TokenId};

/// The call of one token in one feed, as the newest row that was taken left it.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenState {
    /// Whose.
    pub token: TokenId,
    /// The call; none where rows were seen but no call is known yet (`rules.md` 2.2).
    pub stance: Option<Stance>,
    /// Since when it holds; none where there is no call.
    pub since: Option<Since>,
    /// The time of the newest row that was taken: the stored row.
    pub data_time: Timestamp,
    /// That row is final: another value of it is a correction (2.3).
    pub settled: bool,
    /// That row was corrected once; it is not corrected again (2.9).
    pub corrected: bool,
    /// When that row's present call was stored.
    pub stored_at: Timestamp,
    /// When a row of the token was last seen.
    pub seen_at: Timestamp,
    /// When the token was last asked for.
    pub asked_at: Timestamp,
    /// The trader grade of that row, 0 to 100.
    pub trader_grade: Option<f64>,
    /// Another label that the last poll showed: it counts once the next shows it too (2.11).
    pub pending: Option<Stance>,
    /// The thresholds of subscribers that the number has passed (G5).
    pub passed: Passed,
    /// What the grade was made of when a row last said this stance.
    pub scores: Option<Scores>,
    /// The price and its levels, where the feed is about them (2.12).
    pub levels: Option<Box<Levels>>,
    /// Stands for the numbers of the row that was last seen at `data_time`, so that history does not store it again.
    pub fingerprint: Option<i64>,
}
