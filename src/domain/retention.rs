//! How long what is kept.

use std::time::Duration;

/// How long what is kept that is done with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// Calls, the source's rows, polls and the audit: what `/history` and the scorecard look back on.
    pub history: Duration,
    /// Messages, and the way of each alert: what `/why` tells.
    pub messages: Duration,
}

impl Retention {
    /// In days.
    pub const fn of_days(history: u32, messages: u32) -> Self {
        const DAY: u64 = 24 * 3600;
        Self { history: Duration::from_secs(history as u64 * DAY), messages: Duration::from_secs(messages as u64 * DAY) }
    }
}
