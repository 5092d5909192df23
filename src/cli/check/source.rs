//! The signal API: does the key work, does its plan hold current data, and does what is asked for fit its calls.

use super::{CheckItem, CheckStatus};
use crate::{
    app::poll_settings,
    clock::SharedClock,
    config::Config,
    domain::{Cadence, Kind, SourceId, Timestamp, TokenId, wording::Trouble},
    engine::budget,
    pipeline::{
        calls::{CallEnd, Caller, Purpose},
        poll,
    },
    sources::{Ask, Source, token_metrics::TokenMetrics},
    store::{CallLimits, Store, StoreResult},
    telemetry::Metrics,
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

const KEY: &str = "API key";
/// What is said where the first key is refused and the next one works.
const NEXT_KEY: &str = "TOKEN_METRICS_API_KEY is refused, and TOKEN_METRICS_API_KEY_NEXT works; move that one to TOKEN_METRICS_API_KEY";
/// Bitcoin: every plan that holds anything current holds its daily call.
const ASKED: TokenId = TokenId(3375);
/// Empty for so long, it is not by chance (`rules.md` 1.9).
const EMPTY_FOR: Duration = Duration::from_secs(24 * 3600);

/// Whether the key works: one call, the one that `serve` makes most, noted in the ledger like any other.
pub(super) async fn of_key(config: &Config, store: Option<&Store>, clock: &SharedClock, offline: bool) -> StoreResult<CheckItem> {
    let Some(api_key) = config.source.api_key.clone() else {
        let advice = "TOKEN_METRICS_API_KEY is not set; `serve` needs it: get one at https://app.tokenmetrics.com/en/api";
        return Ok(if offline { CheckItem::warn(KEY, advice) } else { CheckItem::fail(KEY, advice) });
    };
    if offline {
        return Ok(CheckItem::ok(KEY, "set; not tried (--offline)"));
    }
    let Some(store) = store else {
        return Ok(CheckItem::warn(KEY, "not tried: every call is counted in the database, which cannot be used"));
    };
    let source: Arc<dyn Source> =
        Arc::new(TokenMetrics::new(&config.source.api_url, api_key).with_next_key(config.source.next_api_key.clone()));
    let limits = CallLimits { despite_rest: true, ..poll_settings(config).limits() };
    let caller = Caller::new(source.clone(), store.clone(), clock.clone(), Arc::new(Metrics::default()), limits);
    let ask = Ask { kind: Kind::Daily, tokens: BTreeMap::from([(ASKED, None)]), now: clock.now() };
    let Some(call) = source.collect(ask).next_call() else { return Ok(CheckItem::warn(KEY, "not tried: there is nothing to ask for")) };
    let item = key_item(caller.call(&call, Purpose::Check).await?);
    Ok(if source.uses_next_key() && item.status == CheckStatus::Ok { CheckItem::warn(KEY, NEXT_KEY) } else { item })
}

fn key_item(end: CallEnd) -> CheckItem {
    match end {
        CallEnd::Came(page) if page.rows == 0 => {
            CheckItem::warn(KEY, Trouble::SourceNoData.explain("the key works, but there is no current data for Bitcoin"))
        }
        CallEnd::Came(_) => CheckItem::ok(KEY, "works: the daily call of Bitcoin came"),
        CallEnd::NotBefore(at) => CheckItem::warn(KEY, format!("not tried: the calls of this minute are used up; check again after {at}")),
        CallEnd::MonthUsedUp => CheckItem::warn(KEY, Trouble::SourceBudget.explain("not tried: the calls of this month are used up")),
        CallEnd::Failed(error) => CheckItem::fail(KEY, error.explain()),
    }
}

/// What the running instance noted about its feeds. Where the key was just tried and works, a refusal is an old story.
pub(super) async fn of_feeds(store: &Store, key: CheckStatus, now: Timestamp) -> StoreResult<Vec<CheckItem>> {
    let statuses = store.feed_statuses(SourceId::TokenMetrics).await?;
    let unwell = statuses.into_iter().filter_map(|status| {
        let name = format!("feed {}", status.feed);
        if status.stopped {
            let problem = status.problem.unwrap_or_else(|| "it was refused".to_owned());
            return Some(match key {
                CheckStatus::Ok => CheckItem::warn(
                    name,
                    format!("stopped earlier: {problem}; the key works now, so restart `bellwether serve`, or send it SIGHUP"),
                ),
                _ => CheckItem::fail(name, format!("stopped: {problem}; mend that, then restart `bellwether serve`, or send it SIGHUP")),
            });
        }
        let since = status.empty_since.filter(|since| now.since(*since) >= EMPTY_FOR)?;
        Some(CheckItem::warn(name, Trouble::SourceNoData.explain(format!("no data for any token since {since}"))))
    });
    Ok(unwell.collect())
}

/// What is planned against what may be called.
pub(super) struct Calls {
    /// PLANNED and BUDGET; the latter is 0 where there is no limit, and the item says so.
    pub(super) line: String,
    /// What a person should know of it.
    pub(super) item: CheckItem,
}

/// The plan as `serve` makes it of the subscriptions that stand.
pub(super) async fn of_calls(config: &Config, store: &Store, now: Timestamp) -> StoreResult<Calls> {
    let settings = poll_settings(config);
    let demand = poll::demand(store, SourceId::TokenMetrics, &settings, settings.wishes(now)).await?;
    let used = store.calls_since(SourceId::TokenMetrics, now.day().month_start().start()).await?;
    let (plan, month) = (budget::plan(&demand), settings.calls_per_month);
    Ok(Calls { line: format!("calls a month: {} of {month}", plan.planned), item: calls_item(&plan, month, used) })
}

fn calls_item(plan: &budget::Plan, month: u32, used: u32) -> CheckItem {
    const NAME: &str = "call budget";
    let too_much = Kind::ALL.iter().find_map(|kind| match plan.of(*kind) {
        Cadence::DoesNotFit { needed } => Some((kind.as_str(), *needed)),
        _ => None,
    });
    match too_much {
        _ if month == 0 => CheckItem::ok(NAME, format!("no limit (TOKEN_METRICS_CALLS_PER_MONTH is 0); {used} used this month")),
        Some((kind, needed)) => CheckItem::warn(
            NAME,
            format!(
                "{kind} signals are not polled: they need at least {needed} calls a month; raise TOKEN_METRICS_CALLS_PER_MONTH, or subscribe to fewer tokens"
            ),
        ),
        None if plan.planned > month => CheckItem::warn(
            NAME,
            "more is planned than may be called, so that polls will be skipped; raise TOKEN_METRICS_CALLS_PER_MONTH, make given schedules rarer, or subscribe to fewer tokens",
        ),
        None if used >= month => {
            CheckItem::warn(NAME, format!("all {month} calls of this month are used up: nothing is polled until the next one"))
        }
        None => CheckItem::ok(NAME, format!("fits; {used} used this month")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        engine::budget::{Demand, Wish},
        sources::SourceError,
    };

    #[test]
    fn every_refusal_says_what_to_do() {
        let refused = |status, message: &str| CallEnd::Failed(SourceError::Refused { status, message: message.to_owned() });
        let fixes: Vec<_> = [
            refused(401, "\"Invalid API key\""),
            refused(401, "\"You are not authorized to access this endpoint with your current plan.\""),
            refused(402, "\"X-PAYMENT header is required\""),
        ]
        .into_iter()
        .map(|end| key_item(end).advice)
        .collect();
        assert!(fixes[0].contains("copy the key again"), "{fixes:?}");
        assert!(fixes[1].contains("choose a plan that has it"), "{fixes:?}");
        assert!(fixes[2].contains("choose a plan with API access"), "{fixes:?}");
        assert!(key_item(CallEnd::MonthUsedUp).advice.contains("TOKEN_METRICS_CALLS_PER_MONTH"));
    }

    #[test]
    fn a_plan_that_does_not_fit_says_which_number_would() {
        let demand = |month, daily: Wish| Demand {
            calls_per_month: month,
            all_tokens: 100,
            list_pages: 70,
            tokens: [(Kind::Daily, 500)].into(),
            wishes: [(Kind::Daily, daily)].into(),
            ..Demand::default()
        };
        let item = |demand: &Demand, used| calls_item(&budget::plan(demand), demand.calls_per_month, used);
        assert!(item(&demand(50, Wish::Auto), 0).advice.contains("need at least"), "{:?}", item(&demand(50, Wish::Auto), 0));
        let often = Wish::Given { expression: "0 * * * * *".to_owned(), runs: 44_640 };
        assert!(item(&demand(500, often), 0).advice.contains("polls will be skipped"));
        assert!(item(&demand(0, Wish::Auto), 7).advice.contains("no limit"));
        let idle = Demand { calls_per_month: 500, all_tokens: 100, ..Demand::default() };
        assert!(item(&idle, 500).advice.contains("used up"));
        assert_eq!(item(&idle, 12), CheckItem::ok("call budget", "fits; 12 used this month"));
    }
}
