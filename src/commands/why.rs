//! `/why`: how the last change of a token came here, or what stood in its way; how an alert came, for whoever reads it. Everything is read
//! from what was stored on the way.

use super::{
    Action, Request, Venue,
    desk::{Desk, Outcome, SOURCE, Stop},
    message_reference::MessageReference,
    options::{CHANNEL, FREE_WORDS},
    place::{self, Place},
    signal::{Subject, follow_it},
};
use crate::{
    domain::{
        Address, AlertId, AlertState, AlertTrace, Change, Fate, Nature, Platform, Target, Timestamp, Timing, Trace, TracedAlert,
        TracedMessage,
        wording::{Card, Phrase, RefusalPhrase, TokenLabel, Tone, WhyPhrase},
    },
    store::StoreResult,
};

const EXAMPLE: &str = "/why SOL";
/// The most alerts of one message that are looked at, and whose way is told.
const MOST_READ: u32 = 500;
const MOST_SHOWN: usize = 10;
/// The option that a button fills in; nobody types it.
pub(super) const ALERT: &str = "alert";
/// The option that names a message.
pub(super) const MESSAGE: &str = "message";

impl Desk {
    /// Of an alert that is read here, for everybody here (W1); else of a token, for oneself.
    pub(super) async fn why_own(&self, request: &Request) -> Outcome {
        if let Some(card) = self.why_alert(request, &read_here(request)).await? {
            return Ok(card.into());
        }
        self.require(request, Action::ManageOwn)?;
        Ok(self.why_token(request, &place::own(request, "why")).await?.into())
    }

    /// Of an alert of the place, else of a token.
    pub(super) async fn why(&self, request: &Request, place: &Place) -> Result<Card, Stop> {
        match self.why_alert(request, std::slice::from_ref(&place.destination.address)).await? {
            Some(card) => Ok(card),
            None => self.why_token(request, place).await,
        }
    }

    /// The way of the very alerts that are meant by a button, a reply or a link, where they are among what may be read; nothing where a token
    /// is asked about.
    async fn why_alert(&self, request: &Request, readable: &[Address]) -> Result<Option<Card>, Stop> {
        let Some(asked) = asked(request)? else { return Ok(None) };
        let called = request.invocation.options.get(CHANNEL).map(String::as_str);
        let mut traces = self.traces(asked, readable, called).await?;
        let all = told(&traces);
        let names_token = ["token", FREE_WORDS].iter().any(|name| request.invocation.options.contains_key(*name));
        if names_token {
            let Subject { token, .. } = self.subject(request, EXAMPLE).await?;
            traces.retain(|trace| trace.change.token == token.id);
        }
        match traces.as_slice() {
            [] if names_token => Ok(None),
            [] => Err(Stop::with_example(RefusalPhrase::NoSuchAlert, EXAMPLE)),
            [one] => Ok(Some(alert_card(one))),
            several => Ok(Some(message_card(several, if names_token { several.len() } else { all }))),
        }
    }

    async fn traces(&self, asked: Asked, readable: &[Address], called: Option<&str>) -> StoreResult<Vec<AlertTrace>> {
        match asked {
            Asked::Alert(alert) => {
                let trace = self.store.trace_of_alert(alert).await?;
                Ok(trace.into_iter().filter(|trace| readable.iter().any(|chat| is_same_chat(chat, &trace.address))).collect())
            }
            Asked::Message(message) => {
                for chat in readable.iter().filter(|chat| message.is_of(chat, called)) {
                    let traces = self.store.traces_of_message(chat, &message.id, MOST_READ).await?;
                    if !traces.is_empty() {
                        return Ok(traces);
                    }
                }
                Ok(Vec::new())
            }
        }
    }

    /// The way of the last change of the token to a place.
    async fn why_token(&self, request: &Request, place: &Place) -> Result<Card, Stop> {
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
        let mut lines = seen(&trace.change, trace.polled_at);
        match &trace.alert {
            Some(alert) => lines.extend(of_alert(alert)),
            None => lines.push(why_none(&trace, self.settings.all_tokens)),
        }
        let mut card = card(title(&trace.change, label, place.label.as_deref()), lines, token.link);
        if trace.subscriptions.is_empty() {
            card.lines.push(follow_it);
        }
        Ok(card)
    }
}

/// What is asked about, where it is no token.
enum Asked {
    Alert(AlertId),
    Message(MessageReference),
}

fn asked(request: &Request) -> Result<Option<Asked>, Stop> {
    let option = |name: &str| request.invocation.options.get(name);
    let no_such = || Stop::with_example(RefusalPhrase::NoSuchAlert, EXAMPLE);
    match (option(ALERT), option(MESSAGE)) {
        (Some(id), _) => Ok(Some(Asked::Alert(AlertId(id.parse().map_err(|_| no_such())?)))),
        (None, Some(text)) => Ok(Some(Asked::Message(MessageReference::parse(text).ok_or_else(no_such)?))),
        (None, None) => Ok(None),
    }
}

/// The chats whose alerts the actor reads: one's own, that in which it was asked, and that whose button brought them here.
fn read_here(request: &Request) -> Vec<Address> {
    let here = match &request.venue {
        Venue::Server { channel, .. } => Some(Address::new(Platform::Discord, channel.clone())),
        Venue::Private { .. } | Venue::Group { .. } | Venue::Elsewhere { .. } => None,
    };
    let brought_from = request.channel.as_ref().map(|channel| channel.address.clone());
    [Some(request.own_address().clone()), here, brought_from].into_iter().flatten().collect()
}

fn is_same_chat(one: &Address, other: &Address) -> bool {
    one.platform == other.platform && one.chat == other.chat
}

fn card(title: WhyPhrase, lines: Vec<WhyPhrase>, link: Option<String>) -> Card {
    let mut card = Card::new(Tone::Neutral, title.into());
    card.lines = lines.into_iter().map(Phrase::from).collect();
    card.link = link;
    card
}

fn alert_card(trace: &AlertTrace) -> Card {
    let label = TokenLabel { symbol: trace.symbol.clone(), name: String::new(), id: None };
    let lines = seen(&trace.change, trace.polled_at).into_iter().chain(of_alert(&trace.alert)).collect();
    card(title(&trace.change, label, None), lines, trace.link.clone())
}

/// How many alerts the message tells: where so many are read, there may be more.
fn told(traces: &[AlertTrace]) -> usize {
    let message = traces.last().filter(|_| traces.len() >= MOST_READ as usize).and_then(|trace| trace.alert.message.as_ref());
    let counted = message.and_then(|message| usize::try_from(message.alerts).ok()).unwrap_or_default();
    counted.max(traces.len())
}

/// The ways of several alerts until they were one message, and what became of that. It tells so many `changes`; not all may be read.
fn message_card(traces: &[AlertTrace], changes: usize) -> Card {
    let mut lines: Vec<_> = traces.iter().take(MOST_SHOWN).map(part).collect();
    let more = changes.saturating_sub(MOST_SHOWN);
    lines.extend((more > 0).then_some(WhyPhrase::More { changes: more }));
    let message = traces.last().and_then(|trace| trace.alert.message.as_ref());
    lines.extend(message.iter().flat_map(|message| of_message(&TracedMessage { alerts: 1, only_counts_it: false, ..(*message).clone() })));
    card(WhyPhrase::Message { changes }, lines, None)
}

fn part(trace: &AlertTrace) -> WhyPhrase {
    let (change, alert) = (&trace.change, &trace.alert);
    WhyPhrase::Part {
        symbol: trace.symbol.clone(),
        kind: change.kind,
        from: change.from,
        to: change.to,
        is_correction: matches!(change.nature, Nature::Correction { .. }),
        polled_at: trace.polled_at,
        // What was told to be unstable waits for its last word: that is another message's.
        held_until: alert.held_until.filter(|_| !alert.was_told || alert.state != AlertState::Pending),
        reason: alert.reason,
    }
}

fn title(change: &Change, token: TokenLabel, place: Option<&str>) -> WhyPhrase {
    let (kind, from, to, label) = (change.kind, change.from, change.to, place.map(Box::from));
    match change.nature {
        Nature::Turned | Nature::Crossed { .. } => WhyPhrase::Turned { token: Box::new(token), kind, from, to, label },
        Nature::Correction { .. } => WhyPhrase::Corrected { token, kind, to, label },
    }
}

/// The row that said so, and the poll that saw it.
fn seen(change: &Change, polled_at: Timestamp) -> Vec<WhyPhrase> {
    let (kind, data_time, from, to) = (change.kind, change.data_time, change.from, change.to);
    let row = match change.nature {
        Nature::Turned => WhyPhrase::Row { kind, data_time, from, to },
        Nature::Crossed { .. } => WhyPhrase::Crossed {
            kind,
            data_time,
            line: to,
            number: change.crossing.as_ref().map(|crossing| crossing.price).or(change.trader_grade),
        },
        Nature::Correction { .. } => WhyPhrase::Restated { kind, data_time, from, to },
    };
    vec![row, WhyPhrase::Seen { polled_at, detected_at: change.detected_at }]
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
        (AlertState::Pending, Some(until)) if alert.was_told => WhyPhrase::Settles { until },
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
    let at = message.composed_at;
    let made = if message.only_counts_it {
        WhyPhrase::OnlyCounted { at }
    } else {
        WhyPhrase::Composed { at, others: message.alerts.saturating_sub(1) }
    };
    [made, fate]
}
