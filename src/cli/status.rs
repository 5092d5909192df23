//! `bellwether status`: feeds, calls and delivery, as the database knows them.

use super::{CommandResult, open_existing, output};
use crate::{
    clock::{Clock, SystemClock},
    config::Config,
    domain::{Cadence, FeedStatus, Platform, SourceId, Timestamp},
    store::DeliveryStatus,
};
use serde_json::{Value, json};
use std::process::ExitCode;

/// Everything that is shown.
struct Report {
    feeds: Vec<FeedStatus>,
    calls_used: u32,
    calls_per_month: u32,
    delivery: DeliveryStatus,
}

pub(super) async fn run(config: Config, as_json: bool) -> CommandResult {
    let store = open_existing(&config).await?;
    let month = SystemClock.now().day().month_start().start();
    let report = Report {
        feeds: store.feed_statuses(SourceId::TokenMetrics).await.map_err(super::Failure::other)?,
        calls_used: store.calls_since(SourceId::TokenMetrics, month).await.map_err(super::Failure::other)?,
        calls_per_month: config.source.calls_per_month,
        delivery: store.delivery_status().await.map_err(super::Failure::other)?,
    };
    store.close().await;
    if as_json {
        output::json(&report.to_json());
    } else {
        output::result(&report.to_text());
    }
    Ok(ExitCode::SUCCESS)
}

impl Report {
    /// None without a budget.
    fn calls_left(&self) -> Option<u32> {
        (self.calls_per_month > 0).then(|| self.calls_per_month.saturating_sub(self.calls_used))
    }

    fn to_json(&self) -> Value {
        let feeds = self.feeds.iter().map(|feed| {
            json!({
                "feed": feed.feed.as_str(),
                "cadence": cadence_words(&feed.cadence),
                "tokens": feed.tokens,
                "last_poll_at": feed.last_poll_at.map(|at| at.to_string()),
                "last_success_at": feed.last_success_at.map(|at| at.to_string()),
                "next_poll_at": feed.next_poll_at.map(|at| at.to_string()),
                "failures": feed.failures,
                "problem": feed.problem,
                "stopped": feed.stopped,
            })
        });
        let (queued, refused) = (self.delivery.queued.iter(), self.delivery.refused.iter());
        json!({
            "feeds": feeds.collect::<Vec<_>>(),
            "calls": {"used": self.calls_used, "left": self.calls_left(), "budget": self.calls_per_month},
            "queue": queued
                .map(|(platform, lane, depth)| json!({"platform": platform.as_str(), "lane": lane.as_str(), "depth": depth}))
                .collect::<Vec<_>>(),
            "held_alerts": self.delivery.held_alerts,
            "quarantined": self.delivery.quarantined,
            "dead_letters": self.delivery.dead_letters,
            "refused_by": refused
                .map(|(platform, since)| json!({"platform": platform.as_str(), "since": since.to_string()}))
                .collect::<Vec<_>>(),
        })
    }

    fn to_text(&self) -> String {
        let rows: Vec<_> = self.feeds.iter().map(feed_row).collect();
        let feeds = if rows.is_empty() {
            "No feed has been planned yet: start `bellwether serve`.".to_owned()
        } else {
            output::table(&["feed", "cadence", "tokens", "last poll", "next poll", "state"], &rows)
        };
        let calls = match self.calls_left() {
            Some(left) => format!("calls this month: {} used, {left} left of {}", self.calls_used, self.calls_per_month),
            None => format!("calls this month: {} used, no limit", self.calls_used),
        };
        let queued: Vec<_> =
            self.delivery.queued.iter().map(|(platform, lane, depth)| format!("{platform} {lane} {depth}", lane = lane.as_str())).collect();
        let queue = if queued.is_empty() { "empty".to_owned() } else { queued.join(", ") };
        let delivery = &self.delivery;
        let refuses = |(platform, since): &(Platform, Timestamp)| {
            format!("\n{platform} refuses the bot since {since}, and nothing is sent there: `bellwether check` says why and what to do")
        };
        format!(
            "{feeds}\n\n{calls}\nqueue: {queue}\nheld alerts: {}\nquarantined destinations: {}\ndead letters: {}{}",
            delivery.held_alerts,
            delivery.quarantined,
            delivery.dead_letters,
            delivery.refused.iter().map(refuses).collect::<String>()
        )
    }
}

fn feed_row(feed: &FeedStatus) -> Vec<String> {
    let at = |at: Option<Timestamp>| at.map_or_else(|| "-".to_owned(), |at| at.to_string());
    let problem = feed.problem.as_deref().unwrap_or("unknown");
    let state = match (feed.stopped, feed.failures) {
        (true, _) => format!("stopped: {problem}"),
        (false, 0) => "ok".to_owned(),
        (false, failures) => format!("{failures} failed: {problem}"),
    };
    vec![feed.feed.to_string(), cadence_words(&feed.cadence), feed.tokens.to_string(), at(feed.last_poll_at), at(feed.next_poll_at), state]
}

fn cadence_words(cadence: &Cadence) -> String {
    match cadence {
        Cadence::Every(span) if span.as_secs().is_multiple_of(3600) => format!("every {} h", span.as_secs() / 3600),
        Cadence::Every(span) => format!("every {} min", span.as_secs() / 60),
        Cadence::Cron(text) => text.clone(),
        Cadence::Off => "off".to_owned(),
        Cadence::DoesNotFit { needed } => format!("does not fit: {needed} calls a month needed"),
        Cadence::Idle => "idle".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{Feed, Kind, Lane};
    use std::time::Duration;

    fn report() -> Report {
        Report {
            feeds: vec![FeedStatus {
                feed: Feed::Signals(Kind::Daily),
                cadence: Cadence::Every(Duration::from_secs(7200)),
                tokens: 50,
                next_poll_at: Timestamp::parse("2026-11-21T12:00:00Z"),
                last_poll_at: Timestamp::parse("2026-11-21T10:00:00Z"),
                last_success_at: None,
                failures: 2,
                problem: Some("timed out".to_owned()),
                stopped: false,
                refused: false,
                empty_since: None,
            }],
            calls_used: 120,
            calls_per_month: 500,
            delivery: DeliveryStatus {
                queued: vec![(Platform::Discord, Lane::Urgent, 3)],
                held_alerts: 2,
                quarantined: 1,
                dead_letters: 0,
                refused: vec![(Platform::Telegram, Timestamp::EPOCH)],
            },
        }
    }

    #[test]
    fn both_forms_say_the_same() {
        let text = report().to_text();
        let refused = "telegram refuses the bot since 1970-01-01T00:00:00Z, and nothing is sent there: `bellwether check` says why";
        for part in
            ["every 2 h", "2 failed: timed out", "120 used, 380 left of 500", "discord urgent 3", "quarantined destinations: 1", refused]
        {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
        let json = report().to_json();
        assert_eq!(json["calls"], json!({"used": 120, "left": 380, "budget": 500}));
        assert_eq!(json["queue"], json!([{"platform": "discord", "lane": "urgent", "depth": 3}]));
        assert_eq!(json["refused_by"], json!([{"platform": "telegram", "since": "1970-01-01T00:00:00Z"}]));
        assert_eq!((&json["feeds"][0]["cadence"], &json["quarantined"]), (&"every 2 h".into(), &1.into()));
    }
}
