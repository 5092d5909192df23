//! From rows to changes (`rules.md` section 2): a snapshot meets what was known, and what differs becomes changes.
//!
//! Each token is folded by itself, its rows in order of time. What a single row says stands in `diff/row.rs`; what it means beside the
//! stored one stands in `diff/fold.rs`. This file sorts the rows out and puts the results together.

mod fold;
pub(super) mod levels;
mod row;

use crate::domain::{
    Change, Kind, Nature, Observation, SetAside, SetAsideReason, Snapshot, Stance, Timestamp, Timing, TokenId, TokenState,
};
use fold::Fold;
use row::Row;
use std::{collections::BTreeMap, time::Duration};

const HOUR: Duration = Duration::from_secs(3600);

/// What a snapshot means beside the states it was compared with.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Diff {
    /// Every transition, in order of time, then token (2.4).
    pub changes: Vec<Change>,
    /// States that are new or differ in more than when they were asked for and seen.
    pub states: Vec<TokenState>,
    /// How many rows were compared.
    pub taken: usize,
    /// The rows that history keeps, each with the call that the row itself makes; the stored row is left out where no number moved.
    pub observations: Vec<(Observation, Option<Stance>)>,
    /// Every row that changed nothing, with its reason; those that the source had set aside come first.
    pub set_aside: Vec<SetAside>,
    /// Tokens with a state, whose rows were seen this time.
    pub seen: Vec<TokenId>,
    /// Tokens with a state that were asked for this time and had no row; they keep their state (2.6).
    pub absent: Vec<TokenId>,
}

/// Compares a snapshot with the states of its source and kind; `states` may hold tokens that the snapshot did not ask for.
///
/// Since when a stance holds (3.10), as the states carry it:
/// - a row whose own signal sets the stance: that row's time, exact;
/// - a turn that only the trend tells: that row's time, exact where the row before it is the stored one, else "since before";
/// - a baseline without a signal: the oldest row of the first snapshot, "since before". A later signal that says the same again does not
///   move it, except in that very row.
pub fn diff(states: &BTreeMap<TokenId, TokenState>, snapshot: &Snapshot, now: Timestamp) -> Diff {
    let mut out = Diff { set_aside: snapshot.set_aside.clone(), ..Diff::default() };
    let rows = sort_out(snapshot, now, &mut out.set_aside);
    out.taken = rows.len();
    for rows in rows.chunk_by(|a, b| a.token() == b.token()) {
        let token = rows[0].token();
        let stored = states.get(&token);
        let before = stored.filter(|state| !has_lapsed(state, snapshot.kind, now));
        let mut fold = Fold::new(snapshot, token, before, now);
        for row in rows {
            if let Some(reason) = fold.take(row) {
                out.set_aside.push(row.set_aside(reason));
            }
            if !is_stored(snapshot.kind, stored, row) {
                out.observations.push((row.observation.clone(), row.word));
            }
        }
        let (mut state, changes) = fold.finish();
        out.changes.extend(changes);
        out.changes.extend(state.as_mut().zip(rows.last()).and_then(|(state, row)| crossed(state, before, row, snapshot, now)));
        if let Some(state) = state {
            if stored.is_some() {
                out.seen.push(token);
            }
            if stored.is_none_or(|stored| differs(stored, &state)) {
                out.states.push(state);
            }
        }
    }
    out.absent = absent(states, snapshot, &rows, now);
    out.changes.sort_by_key(|change| (change.data_time, change.token));
    out
}

/// What the price of a row crossed, as a change.
fn crossed(state: &mut TokenState, before: Option<&TokenState>, row: &Row<'_>, snapshot: &Snapshot, now: Timestamp) -> Option<Change> {
    if snapshot.kind != Kind::Levels {
        return None;
    }
    let (to, crossing) = levels::take(state, before, row.observation)?;
    Some(Change {
        source: snapshot.source,
        kind: snapshot.kind,
        token: state.token,
        from: None,
        since: None,
        to,
        data_time: state.data_time,
        detected_at: now,
        nature: Nature::Crossed { drawn_since: None },
        timing: if before.is_some_and(|before| before.seen_at < before.asked_at) { Timing::Late } else { Timing::Fresh },
        after_gap: false,
        trader_grade: None,
        mover: None,
        crossing: Some(Box::new(crossing)),
    })
}

/// How long nobody may ask for a token before it gets a new, silent baseline (2.6).
pub const fn lapse(kind: Kind) -> Duration {
    match kind {
        Kind::Hourly => Duration::from_secs(48 * 3600),
        _ => Duration::from_secs(7 * 24 * 3600),
    }
}

pub(super) fn has_lapsed(state: &TokenState, kind: Kind, now: Timestamp) -> bool {
    now.since(state.asked_at) > lapse(kind)
}

/// The asked tokens without a row whose state shall remember that they were asked for.
///
/// One that had lapsed stays lapsed until it is seen: else its return would be compared with a state that is too old. Where a page is
/// missing, absence is no fact about the token: it is remembered only before the state would lapse, so that nothing is lost either.
fn absent(states: &BTreeMap<TokenId, TokenState>, snapshot: &Snapshot, rows: &[Row<'_>], now: Timestamp) -> Vec<TokenId> {
    let is_absent = |token: &&TokenId| {
        rows.binary_search_by_key(*token, Row::token).is_err()
            && states.get(*token).is_some_and(|state| {
                !has_lapsed(state, snapshot.kind, now) && (snapshot.complete || now.since(state.asked_at) > lapse(snapshot.kind) / 2)
            })
    };
    snapshot.asked.iter().filter(is_absent).copied().collect()
}

/// A row that has no time of its own is another only where it says something else.
fn is_stored(kind: Kind, stored: Option<&TokenState>, row: &Row<'_>) -> bool {
    let is_of_that_time = |stored: &TokenState| kind.is_latest() || stored.data_time == row.observation.data_time;
    stored.is_some_and(|stored| is_of_that_time(stored) && stored.fingerprint == Some(row.fingerprint()))
}

fn differs(stored: &TokenState, state: &TokenState) -> bool {
    TokenState { seen_at: state.seen_at, asked_at: state.asked_at, ..stored.clone() } != *state
}

/// The rows that can be compared, in order of token and time, one for each time; the others are set aside.
fn sort_out<'a>(snapshot: &'a Snapshot, now: Timestamp, set_aside: &mut Vec<SetAside>) -> Vec<Row<'a>> {
    let mut rows = Vec::with_capacity(snapshot.observations.len());
    for observation in &snapshot.observations {
        match judge(snapshot, observation, now) {
            Ok(row) => rows.push(row),
            Err(reason) => set_aside.push(row::set_aside(observation, reason)),
        }
    }
    rows.sort_by_key(Row::token_and_time);
    let mut kept = Vec::with_capacity(rows.len());
    for same in rows.chunk_by_mut(|a, b| a.token_and_time() == b.token_and_time()) {
        if same.iter().any(|row| !row.agrees_with(&same[0])) {
            set_aside.extend(same.iter().map(|row| row.set_aside(SetAsideReason::Conflict)));
            continue;
        }
        // Rows that differ in nothing but a grade or a price (a row read twice while it was still growing): the same one is kept
        // whatever their order.
        same.sort_by_key(Row::values_key);
        let Some((last, others)) = same.split_last() else { continue };
        set_aside.extend(others.iter().map(|row| row.set_aside(SetAsideReason::Duplicate)));
        kept.push(*last);
    }
    kept
}

fn judge<'a>(snapshot: &Snapshot, observation: &'a Observation, now: Timestamp) -> Result<Row<'a>, SetAsideReason> {
    if !snapshot.asked.contains(&observation.token) {
        return Err(SetAsideReason::NotAsked);
    }
    let is_future = match snapshot.kind {
        Kind::Hourly => observation.data_time > now + 2 * HOUR,
        _ => observation.data_time.day() > now.day(),
    };
    if is_future {
        return Err(SetAsideReason::Future);
    }
    Row::read(snapshot.kind, observation)
}

#[cfg(test)]
mod graded_test;
#[cfg(test)]
mod properties_test;
#[cfg(test)]
mod rules_test;
