//! A failure of the database that goes on, as the log tells it: a line when it begins, one a minute while it lasts, one when it is over.

use crate::store::StoreError;
use std::time::{Duration, Instant};

const REMINDER: Duration = Duration::from_secs(60);

/// Whether some work fails at present.
#[derive(Debug)]
pub(super) struct Outage {
    work: String,
    told: Option<Instant>,
}

impl Outage {
    /// Of this work, which fails or works again: `polling`.
    pub(super) fn of(work: impl Into<String>) -> Self {
        Self { work: work.into(), told: None }
    }

    /// The work could not be done.
    pub(super) fn failed(&mut self, error: &StoreError) {
        if self.is_news(Instant::now()) {
            tracing::error!(%error, "{} fails; it is tried until it works", self.work);
        } else {
            tracing::debug!(%error, "{} fails still", self.work);
        }
    }

    /// The work was done.
    pub(super) fn over(&mut self) {
        if self.told.take().is_some() {
            tracing::info!("{} works again", self.work);
        }
    }

    fn is_news(&mut self, now: Instant) -> bool {
        let is_news = self.told.is_none_or(|told| now.saturating_duration_since(told) >= REMINDER);
        if is_news {
            self.told = Some(now);
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_told_at_once_and_then_by_the_minute() {
        let (mut outage, begun) = (Outage::of("polling"), Instant::now());
        let mut told_after = |seconds| outage.is_news(begun + Duration::from_secs(seconds));
        assert_eq!([0, 1, 59, 60, 61, 119, 120].map(&mut told_after), [true, false, false, true, false, false, true]);
        outage.over();
        assert!(outage.is_news(begun + Duration::from_secs(121)), "another one");
    }
}
