//! Labels (`rules.md` 2.11; ARCHITECTURE.md, G): which of a row of polls make a change.

use super::*;
use crate::domain::{Grade, Graded, SourceId, Values};
use proptest::prelude::*;
use std::collections::BTreeSet;

const TOKEN: TokenId = TokenId(1);
const BEGIN: Timestamp = Timestamp::from_millis(1_795_000_000_000);

/// What polls so many minutes after the beginning tell, each of which showed this label (or nothing of the token).
fn told(polls: impl IntoIterator<Item = (u64, Option<&'static str>)>) -> Vec<(u64, Stance)> {
    let (mut states, mut told) = (BTreeMap::new(), Vec::new());
    for (minute, label) in polls {
        let now = BEGIN + Duration::from_secs(minute * 60);
        let graded = |label: &str| Graded { label: Some(label.to_owned()), grade: Some(50.0), ..Graded::default() };
        let row = |label| Observation {
            token: TOKEN,
            data_time: now,
            signal: None,
            trend: None,
            position: None,
            values: Values { graded: Some(Box::new(graded(label))), ..Values::default() },
        };
        let snapshot = Snapshot {
            source: SourceId::TokenMetrics,
            kind: Kind::Grade,
            started_at: now,
            asked: [TOKEN].into(),
            observations: label.map(row).into_iter().collect(),
            set_aside: Vec::new(),
            complete: true,
            gaps: BTreeSet::new(),
        };
        let diff = diff(&states, &snapshot, now);
        states.extend(diff.states.iter().map(|state| (state.token, state.clone())));
        for token in diff.seen.iter().chain(&diff.absent) {
            states.entry(*token).and_modify(|state| state.asked_at = now);
        }
        told.extend(diff.changes.iter().map(|change| (minute, change.to)));
    }
    told
}

/// The same once an hour.
fn hourly(labels: &[&'static str]) -> Vec<(u64, Stance)> {
    told(labels.iter().zip(0..).map(|(label, hour)| (hour * 60, Some(*label))))
}

#[test]
fn g1_two_polls_in_a_row_or_one_of_those_that_are_far_apart() {
    let sell = Stance::Grade(Grade::Sell);
    assert_eq!(hourly(&["Buy", "Sell", "Sell", "Sell"]), [(120, sell)]);
    assert_eq!(hourly(&["Buy", "Sell", "Buy", "Sell", "Strong Sell", "Sell"]), []);
    assert_eq!(hourly(&["Neutral", "Hold", "Hold", "Outperform", "Outperform"]), [], "Hold is Neutral, and nobody knows the other");
    assert_eq!(told([(0, Some("Buy")), (12 * 60 - 1, Some("Sell"))]), [(12 * 60 - 1, sell)]);
    assert_eq!(told([(0, Some("Buy")), (11 * 60, Some("Sell"))]), []);
    assert_eq!(told([(0, Some("Buy")), (60, Some("Sell")), (120, None), (180, Some("Sell"))]), [(180, sell)], "absence says nothing");
}

proptest! {
    /// Whatever is shown: a change is to what two polls showed, and from something else than it is to.
    #[test]
    fn a_label_that_is_shown_once_is_never_told(shown in prop::collection::vec(0_usize..5, 1..40)) {
        let labels: Vec<_> = shown.iter().map(|index| Grade::ALL[*index].as_str()).collect();
        let mut known = labels[0];
        for (minute, to) in hourly(&labels) {
            let poll = (minute / 60) as usize;
            let to = to.to_string();
            prop_assert_eq!([labels[poll], labels[poll - 1]], [to.as_str(); 2]);
            prop_assert!(to != known);
            known = labels[poll];
        }
    }
}
