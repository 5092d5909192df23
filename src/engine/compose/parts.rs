//! How what goes out together becomes the bodies of messages: in which order, in which form, and split where a platform's limit asks for it.

use super::Entry;
use crate::domain::{AlertId, Call, Delivery, DigestForm, MessageBody, SummaryCause};
use std::collections::BTreeSet;

/// Up to so many, a summary or a digest has a line each.
const MOST_LINES: usize = 25;
/// Characters of a message that every platform takes, escaping and markup included.
pub(super) const TEXT_BUDGET: usize = 3_500;

/// Characters of a message beside title and footer, where all of its lines are measured: what a weekly digest shares with its review.
const SHARED_BUDGET: usize = 3_950;
/// What that may need: for six tokens with their pages, and for the records of each kind.
const MOVES_BUDGET: usize = 600;
const SCORECARD_BUDGET: usize = 350;

/// A body with the alerts that it tells.
pub(super) type Part = (MessageBody, Vec<AlertId>);

/// A message each.
pub(super) fn singles(entries: Vec<Entry>) -> Vec<Part> {
    let single = |entry: Entry| {
        let instead_of = entry.corrects.map(|told_in| Box::new(told_in.call));
        (MessageBody::Alert { call: entry.call, buttons: None, instead_of }, entry.alerts)
    };
    entries.into_iter().map(single).collect()
}

/// A summary counts once, whatever its parts. What is only counted stands in the last.
pub(super) fn summary(cause: SummaryCause, entries: Vec<Entry>, too_old: Vec<AlertId>) -> Vec<Part> {
    let total = entries.len();
    let compact = total > MOST_LINES;
    let size = |call: &Call| symbol_size(call) + if compact { 12 } else { 90 };
    let body = |calls| MessageBody::Summary { cause, total, calls, compact, older: 0 };
    let mut parts = split(entries, TEXT_BUDGET, size, body);
    if parts.is_empty() {
        parts.push((body(Vec::new()), Vec::new()));
    }
    if let Some((MessageBody::Summary { older, .. }, alerts)) = parts.last_mut() {
        *older = too_old.len();
        alerts.extend(too_old);
    }
    parts
}

/// A digest: what turned to bullish, what turned to bearish, and so on, by kind, the best rank first. Each token leads to its page, unless there are so many
/// that this alone would make it several messages.
pub(super) fn digest(delivery: Delivery, mut entries: Vec<Entry>) -> Vec<Part> {
    entries.sort_by_key(|entry| (entry.call.heading(), entry.call.kind, entry.ranked()));
    let total = entries.len();
    let link_size = |call: &Call| call.link.as_ref().map_or(0, String::len);
    let symbol = |call: &Call| symbol_size(call) + 2;
    let linked = |call: &Call| symbol(call) + link_size(call) + 4;
    let line = |call: &Call| symbol_size(call) + link_size(call) + 80;
    let body = |form| move |calls| MessageBody::Digest { delivery, total, form, calls, review: None };
    let kinds: BTreeSet<_> = entries.iter().map(|entry| entry.call.kind).collect();
    let budget = match delivery {
        Delivery::DigestWeekly => TEXT_BUDGET.min(SHARED_BUDGET - MOVES_BUDGET - kinds.len() * SCORECARD_BUDGET),
        _ => TEXT_BUDGET,
    };
    if total <= MOST_LINES {
        split(entries, budget, line, body(DigestForm::Lines))
    } else if entries.iter().map(|entry| linked(&entry.call)).sum::<usize>() <= budget {
        split(entries, budget, linked, body(DigestForm::Links))
    } else {
        split(entries, budget, symbol, body(DigestForm::Symbols))
    }
}

fn split(entries: Vec<Entry>, budget: usize, size: impl Fn(&Call) -> usize, body: impl Fn(Vec<Call>) -> MessageBody) -> Vec<Part> {
    let mut parts: Vec<(Vec<Call>, Vec<AlertId>, usize)> = Vec::new();
    for entry in entries {
        let size = size(&entry.call);
        match parts.last_mut() {
            Some((calls, alerts, used)) if *used + size <= budget => {
                calls.push(entry.call);
                alerts.extend(entry.alerts);
                *used += size;
            }
            _ => parts.push((vec![entry.call], entry.alerts, size)),
        }
    }
    parts.into_iter().map(|(calls, alerts, _)| (body(calls), alerts)).collect()
}

/// An upper bound: every character of a symbol may need an escape.
fn symbol_size(call: &Call) -> usize {
    2 * call.symbol.chars().count()
}
