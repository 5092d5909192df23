//! What a file must be in itself, beyond what its values are: every row once, every reference met, every limit kept.

use super::document::{Document, DocumentState};
use crate::{
    domain::{Lane, Place},
    store::transfer::{
        Alert, Attempt, AuditRecord, Button, Change, Configuration, Destination, Exclusion, FanOut, FeedState, Lookup, Message,
        MessageAlert, Mute, Notice, Number, Observation, Poll, Reach, Section, SeenRequest, Stance, Subscription, Token, Told, UntoldNews,
        Update, for_configuration, for_state,
    },
};
use std::collections::{BTreeMap, BTreeSet};

/// Why a file is not imported: nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {what}")]
pub struct Refusal {
    /// Where, as a path into the document.
    pub at: String,
    /// What is wrong, and what to do.
    pub what: String,
}

impl Refusal {
    pub(super) fn new(at: impl Into<String>, what: impl Into<String>) -> Self {
        Self { at: at.into(), what: what.into() }
    }
}

macro_rules! check_sections {
    ($prefix:literal, $from:expr, $places:ident [$($field:ident: $row:ident),*]) => {$(
        check_rows::<$row>($prefix, &$from.$field, &$places)?;
    )*};
}

/// Checks a document by itself.
///
/// # Errors
/// The first thing that is wrong.
pub(super) fn check(document: &Document) -> Result<(), Refusal> {
    let configuration = &document.configuration;
    let places: BTreeSet<&str> = configuration.destinations.iter().map(|place| place.address.0.as_str()).collect();
    for_configuration!(check_sections, "", configuration, places);
    if let Some(state) = &document.state {
        let rest = &state.rest;
        for_state!(check_sections, "state.", rest, places);
        check_references(state, &places)?;
    }
    check_limits(configuration)
}

/// Each row once, each about a place of the file.
fn check_rows<S: Section>(prefix: &str, rows: &[S], places: &BTreeSet<&str>) -> Result<(), Refusal> {
    let mut seen = BTreeSet::new();
    for (index, row) in rows.iter().enumerate() {
        let at = || format!("{prefix}{}[{index}]", S::NAME);
        if let Some(place) = row.place().filter(|place| !places.contains(place.0.as_str())) {
            return Err(Refusal::new(at(), format!("{} is not among the destinations of this file; add it there", place.0)));
        }
        let key = row.key();
        if !key.is_empty() && !seen.insert(key) {
            return Err(Refusal::new(at(), format!("{} stands twice; leave one of them out", row.key())));
        }
    }
    Ok(())
}

fn check_references(state: &DocumentState, places: &BTreeSet<&str>) -> Result<(), Refusal> {
    let rest = &state.rest;
    let polls = rest.polls.iter().map(|poll| poll.id).collect();
    let changes = rest.changes.iter().map(|change| change.id).collect();
    let alerts = rest.alerts.iter().map(|alert| alert.id).collect();
    let messages = rest.messages.iter().map(|message| message.id).collect();
    refer("changes", "poll", rest.changes.iter().map(|change| change.poll), &polls)?;
    refer("fan_outs", "change", rest.fan_outs.iter().map(|fan_out| fan_out.change), &changes)?;
    refer("alerts", "change", rest.alerts.iter().map(|alert| alert.change), &changes)?;
    refer("message_alerts", "message", rest.message_alerts.iter().map(|pair| pair.message), &messages)?;
    refer("message_alerts", "alert", rest.message_alerts.iter().map(|pair| pair.alert), &alerts)?;
    refer("attempts", "message", rest.attempts.iter().map(|attempt| attempt.message), &messages)?;
    let undated = |change: &Change| change.nature.0 == "correction" && change.stored_at.is_none();
    if let Some(index) = rest.changes.iter().position(undated) {
        let what = "a correction says when the wrong value was stored; write a time such as 2026-11-21T06:00:00.000Z";
        return Err(Refusal::new(format!("state.changes[{index}].stored_at"), what));
    }
    check_lanes("alerts", rest.alerts.iter().map(|alert| alert.lane))?;
    check_lanes("messages", rest.messages.iter().map(|message| message.lane))?;
    let unreadable = |message: &Message| message.state.0 == "queued" && !message.body.is_readable();
    if let Some(index) = rest.messages.iter().position(unreadable) {
        return Err(Refusal::new(format!("state.messages[{index}].body"), "it is no message that can be sent; leave the message out"));
    }
    let unknown = |notice: &Notice| notice.name.quarantined().is_some_and(|address| !places.contains(address));
    if let Some(index) = rest.notices.iter().position(unknown) {
        return Err(Refusal::new(
            format!("state.notices[{index}].name"),
            "its place is not among the destinations of this file; leave it out",
        ));
    }
    Ok(())
}

/// Each of the numbers is that of a row of the file.
fn refer(section: &str, field: &str, numbers: impl Iterator<Item = Number>, known: &BTreeSet<Number>) -> Result<(), Refusal> {
    let missing = numbers.enumerate().find(|(_, number)| !known.contains(number));
    missing.map_or(Ok(()), |(index, number)| {
        let what = format!("there is no {field} {} in this file; export it again", number.0);
        Err(Refusal::new(format!("state.{section}[{index}].{field}"), what))
    })
}

fn check_lanes(section: &str, mut lanes: impl Iterator<Item = Number>) -> Result<(), Refusal> {
    let is_known = |lane: Number| Lane::ALL.iter().any(|known| known.as_i64() == lane.0);
    lanes.position(|lane| !is_known(lane)).map_or(Ok(()), |index| {
        Err(Refusal::new(format!("state.{section}[{index}].lane"), "there is no such lane; write a number from 0 to 4"))
    })
}

/// As many subscriptions as the commands allow.
pub(super) fn check_limits(configuration: &Configuration) -> Result<(), Refusal> {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for subscription in &configuration.subscriptions {
        *counts.entry(&subscription.destination.0).or_default() += 1;
    }
    for destination in &configuration.destinations {
        let most = Place::parse(&destination.place.0).unwrap_or(Place::Person).most_subscriptions();
        let count = counts.get(destination.address.0.as_str()).copied().unwrap_or_default();
        if count > most {
            let what = format!(
                "{} would have {count} subscriptions, and {most} is the limit of such a place; leave some out",
                destination.address.0
            );
            return Err(Refusal::new("subscriptions", what));
        }
    }
    Ok(())
}
