//! Every metric by the name of the contract (section 3), as typed methods, so that nobody spells a label twice.

use crate::domain::{Feed, Kind, Lane, Platform, Reason, SetAsideReason, Way};
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};
use std::{fmt, sync::atomic::AtomicU64, time::Duration};

macro_rules! labels {
    ($($name:ident { $($field:ident),+ })*) => {$(
        #[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
        struct $name { $($field: String),+ }
    )*};
}

labels! {
    PollLabels { feed, outcome }
    FeedLabels { feed }
    RowLabels { feed, reason }
    CallLabels { endpoint, status }
    ChangeLabels { kind, direction }
    AlertLabels { decision, reason }
    DeliveryLabels { platform, outcome }
    StageLabels { stage }
    QueueLabels { platform, lane }
    PlatformLabels { platform }
    OutcomeLabels { outcome }
}

type Histograms = Family<StageLabels, Histogram, fn() -> Histogram>;

/// All metrics of one process. Shared behind an `Arc`; no global state, so that tests see only their own.
pub struct Metrics {
    registry: Registry,
    polls: Family<PollLabels, Counter>,
    unconfirmed: Family<FeedLabels, Counter>,
    set_aside: Family<RowLabels, Counter>,
    source_calls: Family<CallLabels, Counter>,
    source_call_seconds: Histogram,
    changes: Family<ChangeLabels, Counter>,
    alerts: Family<AlertLabels, Counter>,
    deliveries: Family<DeliveryLabels, Counter>,
    latency: Histograms,
    queue_depth: Family<QueueLabels, Gauge>,
    /// Not a number before it is known; infinite where there is no limit. A zero in the place of either would be false, and a name that is
    /// missing would be no name to rely on.
    calls_left: Gauge<f64, AtomicU64>,
    platform_up: Family<PlatformLabels, Gauge>,
    telegram_updates: Family<OutcomeLabels, Counter>,
}

/// How a poll ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PollOutcome {
    /// Every page came.
    Complete,
    /// Some pages came.
    Partial,
    /// Nothing came.
    Failed,
    /// The budget or a running poll came first.
    Skipped,
}

impl PollOutcome {
    /// The word in the database and as a label.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
        }
    }
}

/// A stretch of an alert's way whose length is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// From the poll that saw the change to the alert.
    Fanout,
    /// From the alert's release to the message.
    Compose,
    /// From the message to the platform's receipt.
    Send,
    /// From the poll that saw the change to the receipt.
    Total,
}

impl Stage {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Fanout => "fanout",
            Self::Compose => "compose",
            Self::Send => "send",
            Self::Total => "total",
        }
    }
}

/// What became of what came in as an update of Telegram.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UpdateOutcome {
    /// It is new and stored.
    Stored,
    /// It was stored before.
    Repeated,
    /// It cannot be read; it is set aside.
    Unreadable,
    /// It is too large; nothing of it is kept.
    TooLarge,
    /// Whoever sent it did not show the secret.
    Unauthorized,
}

impl UpdateOutcome {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Repeated => "repeated",
            Self::Unreadable => "unreadable",
            Self::TooLarge => "too_large",
            Self::Unauthorized => "unauthorized",
        }
    }
}

fn latency_histogram() -> Histogram {
    Histogram::new([0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0])
}

impl Default for Metrics {
    fn default() -> Self {
        let mut registry = Registry::with_prefix("bellwether");
        let metrics = Self {
            polls: Family::default(),
            unconfirmed: Family::default(),
            set_aside: Family::default(),
            source_calls: Family::default(),
            source_call_seconds: latency_histogram(),
            changes: Family::default(),
            alerts: Family::default(),
            deliveries: Family::default(),
            latency: Family::new_with_constructor(latency_histogram),
            queue_depth: Family::default(),
            calls_left: Gauge::default(),
            platform_up: Family::default(),
            telegram_updates: Family::default(),
            registry: Registry::default(),
        };
        metrics.calls_left.set(f64::NAN);
        registry.register("polls", "Polls of each feed by how they ended", metrics.polls.clone());
        registry.register("unconfirmed_turns", "Turns of most of the market that no second answer showed", metrics.unconfirmed.clone());
        registry.register("rows_set_aside", "Rows of the source that were not taken, by reason", metrics.set_aside.clone());
        registry.register("source_calls", "HTTP calls to the source by status", metrics.source_calls.clone());
        registry.register_with_unit(
            "source_call",
            "Length of one HTTP call to the source",
            Unit::Seconds,
            metrics.source_call_seconds.clone(),
        );
        registry.register("changes", "Changes that were found", metrics.changes.clone());
        registry.register("alerts", "Decisions about alerts by reason", metrics.alerts.clone());
        registry.register("deliveries", "Attempts to deliver by how they ended", metrics.deliveries.clone());
        registry.register_with_unit("delivery_latency", "How long each stage of an alert took", Unit::Seconds, metrics.latency.clone());
        registry.register("queue_depth", "Messages that wait, by lane", metrics.queue_depth.clone());
        registry.register(
            "calls_left",
            "Calls left of this month's budget: NaN before they were counted, infinite without a budget",
            metrics.calls_left.clone(),
        );
        registry.register("platform_up", "1 while the platform takes messages", metrics.platform_up.clone());
        registry.register("telegram_updates", "Updates of Telegram by what became of them", metrics.telegram_updates.clone());
        Self { registry, ..metrics }
    }
}

impl Metrics {
    /// The Prometheus text of `/metrics`.
    pub fn render(&self) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    /// A poll ended.
    pub fn poll(&self, feed: Feed, outcome: PollOutcome) {
        let labels = PollLabels { feed: feed.as_str().to_owned(), outcome: outcome.as_str().to_owned() };
        self.polls.get_or_create(&labels).inc();
    }

    /// A call to the source ended; without a status where there was no answer.
    pub fn source_call(&self, endpoint: &str, status: Option<u16>, took: Duration) {
        let status = status.map_or_else(|| "none".to_owned(), |status| status.to_string());
        self.source_calls.get_or_create(&CallLabels { endpoint: endpoint.to_owned(), status }).inc();
        self.source_call_seconds.observe(took.as_secs_f64());
    }

    /// Turns of most of the market were not shown a second time.
    pub fn unconfirmed(&self, feed: Feed, turns: usize) {
        self.unconfirmed.get_or_create(&FeedLabels { feed: feed.as_str().to_owned() }).inc_by(turns as u64);
    }

    /// Rows were not taken.
    pub fn set_aside(&self, feed: Feed, reason: SetAsideReason, rows: usize) {
        let labels = RowLabels { feed: feed.as_str().to_owned(), reason: reason.as_str().to_owned() };
        self.set_aside.get_or_create(&labels).inc_by(rows as u64);
    }

    /// A change was found.
    pub fn change(&self, kind: Kind, way: Option<Way>) {
        let labels = ChangeLabels { kind: kind.as_str().to_owned(), direction: way.map_or("none", Way::as_str).to_owned() };
        self.changes.get_or_create(&labels).inc();
    }

    /// Decisions were taken about alerts.
    pub fn alerts(&self, decision: &str, reason: Reason, count: u64) {
        let labels = AlertLabels { decision: decision.to_owned(), reason: reason.as_str().to_owned() };
        self.alerts.get_or_create(&labels).inc_by(count);
    }

    /// An attempt to deliver ended.
    pub fn delivery(&self, platform: Platform, outcome: &str) {
        let labels = DeliveryLabels { platform: platform.as_str().to_owned(), outcome: outcome.to_owned() };
        self.deliveries.get_or_create(&labels).inc();
    }

    /// A stage of an alert's way took so long.
    pub fn latency(&self, stage: Stage, took: Duration) {
        self.latency.get_or_create(&StageLabels { stage: stage.as_str().to_owned() }).observe(took.as_secs_f64());
    }

    /// So many messages wait in this lane.
    pub fn queue_depth(&self, platform: Platform, lane: Lane, depth: i64) {
        let labels = QueueLabels { platform: platform.as_str().to_owned(), lane: lane.as_str().to_owned() };
        self.queue_depth.get_or_create(&labels).set(depth);
    }

    /// So many calls are left this month; none where there is no limit.
    pub fn calls_left(&self, left: Option<u32>) {
        self.calls_left.set(left.map_or(f64::INFINITY, f64::from));
    }

    /// Whether the platform takes messages.
    pub fn platform_up(&self, platform: Platform, up: bool) {
        self.platform_up.get_or_create(&PlatformLabels { platform: platform.as_str().to_owned() }).set(i64::from(up));
    }

    /// Something came in as an update of Telegram.
    pub fn telegram_update(&self, outcome: UpdateOutcome) {
        self.telegram_updates.get_or_create(&OutcomeLabels { outcome: outcome.as_str().to_owned() }).inc();
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Metrics").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_contract() {
        let metrics = Metrics::default();
        assert!(metrics.render().contains("bellwether_calls_left NaN"), "nobody knows yet");
        metrics.calls_left(None);
        assert!(metrics.render().contains("bellwether_calls_left inf"), "there is no limit");
        metrics.poll(Feed::Signals(Kind::Daily), PollOutcome::Complete);
        metrics.source_call("trading-signals", Some(200), Duration::from_millis(20));
        metrics.change(Kind::Daily, Some(Way::Up));
        metrics.alerts("send", Reason::Instant, 2);
        metrics.delivery(Platform::Discord, "sent");
        metrics.latency(Stage::Total, Duration::from_secs(1));
        metrics.queue_depth(Platform::Telegram, Lane::Urgent, 3);
        metrics.calls_left(Some(400));
        metrics.platform_up(Platform::Discord, true);
        let text = metrics.render();
        for line in [
            r#"bellwether_polls_total{feed="daily",outcome="complete"} 1"#,
            r#"bellwether_source_calls_total{endpoint="trading-signals",status="200"} 1"#,
            "bellwether_source_call_seconds_count 1",
            r#"bellwether_changes_total{kind="daily",direction="bullish"} 1"#,
            r#"bellwether_alerts_total{decision="send",reason="instant"} 2"#,
            r#"bellwether_deliveries_total{platform="discord",outcome="sent"} 1"#,
            r#"bellwether_delivery_latency_seconds_count{stage="total"} 1"#,
            r#"bellwether_queue_depth{platform="telegram",lane="urgent"} 3"#,
            "bellwether_calls_left 400.0",
            r#"bellwether_platform_up{platform="discord"} 1"#,
        ] {
            assert!(text.contains(line), "{line} is missing in\n{text}");
        }
    }
}
