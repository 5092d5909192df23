//! `/status`: what is polled and how often, what is left of the budget, how delivery is doing. Anyone may see it, so it names nobody.

use super::desk::{Desk, Outcome, SOURCE};
use crate::domain::{
    Cadence, Feed, FeedStatus,
    wording::{Card, Phrase, ReportPhrase, Tone},
};

impl Desk {
    pub(super) async fn status(&self) -> Outcome {
        let statuses = self.store.feed_statuses(SOURCE).await?;
        let unwell = statuses.iter().any(|status| status.stopped || status.failures > 0 || status.empty_since.is_some());
        let mut card = Card::new(if unwell { Tone::Problem } else { Tone::Neutral }, ReportPhrase::StatusTitle.into());
        if statuses.is_empty() {
            card.lines.push(ReportPhrase::NoFeeds.into());
        }
        // The full list is not read where the budget is small: that is nobody's concern.
        let shown = |status: &FeedStatus| status.feed != Feed::Directory || status.cadence != Cadence::Off;
        card.lines.extend(statuses.into_iter().filter(shown).flat_map(feed_lines));
        let used = self.store.calls_since(SOURCE, self.now().day().month_start().start()).await?;
        card.lines.push(Phrase::from(match self.settings.calls_per_month {
            0 => ReportPhrase::CallsUnlimited { used },
            budget => ReportPhrase::Calls { used, budget },
        }));
        for (platform, since) in self.store.refusals().await? {
            card.tone = Tone::Problem;
            card.lines.push(ReportPhrase::PlatformRefuses { platform, since }.into());
        }
        let health = self.store.delivery_health().await?;
        card.lines.push(
            ReportPhrase::Delivery { queued: health.queued, held: health.held, dead: health.dead, quarantined: health.quarantined }.into(),
        );
        Ok(card.into())
    }
}

fn feed_lines(status: FeedStatus) -> Vec<Phrase> {
    let feed = status.feed;
    let (last, next) = (status.last_poll_at, status.next_poll_at.filter(|_| !status.stopped));
    let mut lines = vec![ReportPhrase::Feed { feed, cadence: status.cadence, tokens: status.tokens, last, next }];
    if status.stopped {
        lines.push(ReportPhrase::FeedStopped { feed });
    } else if status.failures > 0 {
        lines.push(ReportPhrase::FeedFailing { feed, failures: status.failures, last_success: status.last_success_at });
    }
    lines.extend(status.empty_since.map(|since| ReportPhrase::FeedEmpty { feed, since }));
    lines.into_iter().map(Phrase::from).collect()
}
