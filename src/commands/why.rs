//! `/why`: how the last change of a token came here, or what stood in its way. Everything is read from what was stored on the way.

use super::{
    Action, Request,
    desk::{Desk, Outcome, SOURCE, Stop},
    place::{self, Place},
    signal::{Subject, follow_it},
};
use crate::domain::{
    AlertState, Fate, Nature, Target, Timing, Trace, TracedAlert, TracedMessage,
    wording::{Card, Phrase, Tone, WhyPhrase},
};

const EXAMPLE: &str = "/why SOL";

impl Desk {
    pub(super) async fn why_own(&self, request: &Request) -> Outcome {
        self.require(request, Action::ManageOwn)?;
        Ok(self.why(request, &place::own(request, "why")).await?.into())
    }

    /// The way of the last change of the token to a place.
    pub(super) async fn why(&self, request: &Request, place: &Place) -> Result<Card, Stop> {
        let Subject { token, label, kind } = self.subject(request, EXAMPLE).await?;
        let destination = self.store.destination_at(&place.destination.address).await?;
        let trace = self.store.trace(destination.as_ref().map(|destination| destination.id), SOURCE, kind, token.id).await?;
        let follow_it = follow_it(&label, kind);
        let Some(trace) = trace else {
            let call = self.store.current_calls(SOURCE, kind, &[token.id]).await?.remove(&token.id);
            let mut card = super::signal::call_card(label, kind, call.as_ref());
            card.lines.push(if call.is_some() { WhyPhrase::NothingChanged.into() } else { follow_it });
            return Ok(card);
        };
        let (from, to, place_label) = (trace.change.from, trace.change.to, place.label.as_deref().map(Box::from));
        let title = match trace.change.nature {
            Nature::Turned | Nature::Crossed { .. } => WhyPhrase::Turned { token: Box::new(label), kind, from, to, label: place_label },
            Nature::Correction { .. } => WhyPhrase::Corrected { token: label, kind, to, label: place_label },
        };
        let mut card = Card::new(Tone::Neutral, title.into());
        card.lines = stages(&trace, self.settings.all_tokens).into_iter().map(Phrase::from).collect();
        if trace.subscriptions.is_empty() {
            card.lines.push(follow_it);
        }
        card.link = token.link;
        Ok(card)
    }
}

/// The way, stage by stage.
fn stages(trace: &Trace, all_tokens: u32) -> Vec<WhyPhrase> {
    let change = &trace.change;
    let (kind, data_time, from, to) = (change.kind, change.data_time, change.from, change.to);
    let mut lines = vec![
        match change.nature {
            Nature::Turned => WhyPhrase::Row { kind, data_time, from, to },
            Nature::Crossed { .. } => WhyPhrase::Crossed {
                kind,
                data_time,
                line: to,
                number: change.crossing.as_ref().map(|crossing| crossing.price).or(change.trader_grade),
            },
            Nature::Correction { .. } => WhyPhrase::Restated { kind, data_time, from, to },
        },
        WhyPhrase::Seen { polled_at: trace.polled_at, detected_at: change.detected_at },
    ];
    match &trace.alert {
        Some(alert) => lines.extend(of_alert(alert)),
        None => lines.push(why_none(trace, all_tokens)),
    }
    lines
}

/// What stood in the way of a change that made no alert here.
fn why_none(trace: &Trace, all_tokens: u32) -> WhyPhrase {
    if trace.change.timing == Timing::History {
        return WhyPhrase::History;
    }
    if trace.under_way {
        return WhyPhrase::UnderWay;
    }
    let begins = |wanted: fn(&Target) -> bool| trace.subscriptions.iter().find(|(target, _)| wanted(target)).map(|(_, at)| *at);
    let (own, all) = (begins(|target| matches!(target, Target::Token(_))), begins(|target| *target == Target::All));
    match (own, all) {
        (None, None) => WhyPhrase::NotSubscribed,
        (None, Some(_)) if !trace.in_all => WhyPhrase::NotInAll { all_tokens },
        (None, Some(_)) if trace.excluded => WhyPhrase::Excluded,
        (own, all) => match own.into_iter().chain(all).min() {
            Some(at) if at > trace.change.detected_at => WhyPhrase::SubscribedLater { at },
            _ => WhyPhrase::EndedSince,
        },
    }
}

fn of_alert(alert: &TracedAlert) -> Vec<WhyPhrase> {
    let (reason, at) = (alert.reason, alert.decided_at);
    let mut lines = vec![match (alert.state, alert.held_until) {
        (AlertState::Skipped | AlertState::Superseded, _) => WhyPhrase::Skipped { reason },
        (AlertState::Pending, Some(until)) => WhyPhrase::Waits { reason, until },
        (_, Some(until)) => WhyPhrase::Held { reason, until },
        (_, None) => WhyPhrase::AtOnce { reason, at },
    }];
    // What was taken out of a message again is told by the message that comes of it, if one does. What was told to be unstable waits once more.
    let is_carried = matches!(alert.state, AlertState::Composed | AlertState::Told | AlertState::Dead) || alert.was_told;
    if let Some(message) = alert.message.as_ref().filter(|_| is_carried) {
        lines.extend(of_message(message));
    }
    lines
}

fn of_message(message: &TracedMessage) -> [WhyPhrase; 2] {
    let attempts = message.attempts;
    let fate = match message.fate {
        Fate::Waits => WhyPhrase::Queued { attempts },
        Fate::Sent { at } => WhyPhrase::Sent { at, attempts },
        Fate::Dead => WhyPhrase::Dead,
        Fate::Dropped => WhyPhrase::Dropped,
    };
    [WhyPhrase::Composed { at: message.composed_at, others: message.alerts.saturating_sub(1) }, fate]
}
