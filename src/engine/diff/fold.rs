//! One token's rows, in order of time, beside what is known of it.

use super::{HOUR, row::Row};
use crate::domain::{Change, Kind, Nature, Passed, SetAsideReason, Since, Snapshot, Stance, Timestamp, Timing, TokenId, TokenState};
use std::time::Duration;

/// Polls that are so far apart are few: one is enough for a label. A poll once in 12 hours comes a little sooner or later.
const FAR_APART: Duration = Duration::from_secs(12 * 3600 - 300);

/// What is known of one token while its rows are taken.
pub(super) struct Fold<'a> {
    snapshot: &'a Snapshot,
    token: TokenId,
    now: Timestamp,
    state: Option<TokenState>,
    changes: Vec<Change>,
    /// First sight: state, never news (2.6).
    baseline: bool,
    /// When it was asked for before, if ever.
    asked_before: Option<Timestamp>,
    /// It was asked for and absent before: a difference is old news (2.6).
    returns: bool,
}

impl<'a> Fold<'a> {
    /// `before` is the state to compare with; none at first sight and where it has lapsed.
    pub(super) fn new(snapshot: &'a Snapshot, token: TokenId, before: Option<&TokenState>, now: Timestamp) -> Self {
        let returns = before.is_some_and(|state| state.seen_at < state.asked_at);
        let state = before.map(|state| TokenState { seen_at: now, asked_at: now, ..state.clone() });
        let asked_before = before.map(|state| state.asked_at);
        Self { snapshot, token, now, state, changes: Vec::new(), baseline: before.is_none(), asked_before, returns }
    }

    /// Takes one row; rows come in order of time. Gives a reason where the row changed no call.
    pub(super) fn take(&mut self, row: &Row<'_>) -> Option<SetAsideReason> {
        let at = row.observation.data_time;
        let Some(state) = self.state.take() else {
            self.state = Some(self.first(row));
            return Some(SetAsideReason::Baseline);
        };
        if at < state.data_time {
            self.state = Some(state);
            return Some(SetAsideReason::Older);
        }
        let same_row = at == state.data_time;
        let turn = match row.word {
            Some(word) if state.stance != Some(word) => Some(word),
            _ => None,
        };
        let Some(to) = turn else {
            self.state = Some(self.confirm(state, row));
            return Some(SetAsideReason::Unchanged);
        };
        if self.is_silent(&state, row) {
            self.state = Some(self.turn(state, to, row));
            return Some(SetAsideReason::Baseline);
        }
        if self.is_to_be_shown_again(&state, to) {
            let pending = TokenState {
                pending: Some(to),
                data_time: at,
                trader_grade: self.number(&state, row),
                fingerprint: Some(row.fingerprint()),
                ..state
            };
            self.state = Some(pending);
            return Some(SetAsideReason::ShownOnce);
        }
        // Where no call was known, nothing is taken back: that is a turn even in a final row.
        let corrects = same_row && state.settled && state.stance.is_some();
        if corrects && state.corrected {
            self.state = Some(TokenState { fingerprint: Some(row.fingerprint()), ..state });
            return Some(SetAsideReason::AlreadyCorrected);
        }
        let nature = if corrects { Nature::Correction { stored_at: state.stored_at } } else { Nature::Turned };
        let change = self.change(&state, to, row, nature);
        self.changes.push(change);
        let corrected = corrects || (same_row && state.corrected);
        self.state = Some(TokenState { corrected, ..self.turn(state, to, row) });
        None
    }

    /// The state after all rows, and what changed on the way.
    pub(super) fn finish(self) -> (Option<TokenState>, Vec<Change>) {
        (self.state, self.changes)
    }

    fn first(&self, row: &Row<'_>) -> TokenState {
        let at = row.observation.data_time;
        let stance = row.word.or(row.first);
        TokenState {
            token: self.token,
            stance,
            since: stance.map(|_| Since { at, exact: row.by_signal && !self.snapshot.kind.is_graded() }),
            data_time: at,
            settled: self.is_final(at),
            corrected: false,
            stored_at: self.now,
            seen_at: self.now,
            asked_at: self.now,
            trader_grade: row.trader_grade(),
            pending: None,
            passed: Passed::new(),
            scores: row.scores(),
            levels: None,
            fingerprint: Some(row.fingerprint()),
        }
    }

    /// A daily trend where no call was known is the first sight of a call, not news: only a signal turns "no call" (2.6, 2.7).
    fn is_silent(&self, state: &TokenState, row: &Row<'_>) -> bool {
        state.stance.is_none() && (!row.by_signal || self.snapshot.kind.is_graded())
    }

    /// A label counts after two polls in a row, and after one where polls are far apart (2.11; ARCHITECTURE.md, G1).
    fn is_to_be_shown_again(&self, state: &TokenState, to: Stance) -> bool {
        let is_far = self.asked_before.is_none_or(|asked| self.now.since(asked) >= FAR_APART);
        self.snapshot.kind.is_graded() && state.pending != Some(to) && !is_far
    }

    /// The state after a row that makes the same call, or none.
    fn confirm(&self, state: TokenState, row: &Row<'_>) -> TokenState {
        let at = row.observation.data_time;
        let newer = at > state.data_time;
        let since = state.since.map(|since| Since { exact: since.exact || (row.by_signal && since.at == at), ..since });
        TokenState {
            since,
            data_time: at,
            settled: self.is_final(at) || (!newer && state.settled),
            corrected: !newer && state.corrected,
            stored_at: if newer { self.now } else { state.stored_at },
            trader_grade: self.number(&state, row),
            // Only a row with a label says anything about one that was shown.
            pending: state.pending.filter(|_| row.word.is_none()),
            scores: row.scores().or(state.scores),
            fingerprint: Some(row.fingerprint()),
            ..state
        }
    }

    /// The state after a row that makes another call.
    fn turn(&self, state: TokenState, to: Stance, row: &Row<'_>) -> TokenState {
        let at = row.observation.data_time;
        let follows = state.stance.is_some() && at > state.data_time && at.since(state.data_time) <= self.snapshot.kind.period();
        TokenState {
            stance: Some(to),
            since: Some(Since { at, exact: row.by_signal || follows }),
            data_time: at,
            settled: self.is_final(at) || (at == state.data_time && state.settled),
            corrected: false,
            stored_at: self.now,
            trader_grade: self.number(&state, row),
            pending: None,
            scores: row.scores().or(state.scores),
            fingerprint: Some(row.fingerprint()),
            ..state
        }
    }

    /// The number of a row. The label of a grade can come without one, which says nothing about the last.
    fn number(&self, state: &TokenState, row: &Row<'_>) -> Option<f64> {
        row.trader_grade().or(state.trader_grade.filter(|_| self.snapshot.kind.is_graded()))
    }

    fn change(&self, state: &TokenState, to: Stance, row: &Row<'_>, nature: Nature) -> Change {
        Change {
            source: self.snapshot.source,
            kind: self.snapshot.kind,
            token: self.token,
            from: state.stance,
            since: state.since,
            to,
            data_time: row.observation.data_time,
            detected_at: self.now,
            nature,
            timing: self.timing(row.observation.data_time),
            after_gap: self.changes.is_empty() && self.snapshot.gaps.contains(&self.token),
            trader_grade: row.trader_grade(),
            mover: row.scores().zip(state.scores).and_then(|(now, before)| now.moved_most_since(&before)),
            crossing: None,
        }
    }

    fn timing(&self, at: Timestamp) -> Timing {
        let is_old = match self.snapshot.kind {
            Kind::Hourly => self.now.since(at) > 6 * HOUR,
            _ => at.day() < self.now.day().plus(-1),
        };
        match (self.baseline, is_old || self.returns) {
            (true, _) => Timing::History,
            (false, true) => Timing::Late,
            (false, false) => Timing::Fresh,
        }
    }

    /// A row is final once a poll that began after its period had ended has shown it (2.3).
    fn is_final(&self, at: Timestamp) -> bool {
        self.snapshot.started_at >= at + self.snapshot.kind.period()
    }
}
