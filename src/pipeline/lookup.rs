//! Look-ups of symbols and ids that the directory lacks, and of calls that nobody follows: counted per person and day, shared, remembered
//! (`rules.md` 1.7).
//!
//! A call that was looked up is answered and shared from memory, never stored: stored, it would be a baseline, and who subscribes later would
//! be told of a turn that was over before they subscribed.

use super::{
    calls::{CallEnd, Caller, Purpose},
    insight::{Asker, AskerParts},
    operators::Operators,
    refusals::Refusals,
};
use crate::{
    clock::SharedClock,
    commands::{Inquiries, LookupRequest, LookupResult},
    domain::{Kind, Reading, Snapshot, Timestamp, Token, TokenId},
    engine::{diff::diff, listing::compare},
    sources::{Ask, Call, Page, SourceError, Wanted},
    store::{CurrentCall, Store, StoreResult},
};
use futures_util::future::join_all;
use std::{collections::BTreeMap, time::Duration};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Look-ups of one person in a UTC day.
const PER_PERSON: u32 = 3;
/// Look-ups of everybody in a UTC day.
const PER_DAY: u32 = 20;
/// So long an answer is shared.
const SHARED: Duration = Duration::from_secs(15 * 60);
/// So long an unknown symbol stays unknown.
const UNKNOWN: Duration = Duration::from_secs(24 * 3600);
/// A person waits so long for a place within the minute's calls: what they asked is answered within 10 s.
const PATIENCE: Duration = Duration::from_secs(8);
/// How often the clock is looked at while waiting.
const GLANCE: Duration = Duration::from_millis(250);

/// Under this query, which nobody can type, a look-up that failed is recorded: it cost calls and counts, but nothing is known of the token.
const FAILED: &str = "";

/// What became of one call.
enum Answer {
    Came(Page),
    /// The call was made in vain.
    Failed,
    /// The source does not give this to this key or plan.
    Refused(SourceError),
    /// The month's calls are used up, or the wait would be longer than a person's patience.
    NotMade,
}

/// Answers look-ups, one after the other; beside them, what is asked of tokens besides their calls.
pub struct Lookups {
    caller: Caller,
    store: Store,
    clock: SharedClock,
    requests: mpsc::Receiver<LookupRequest>,
    askers: Vec<Asker>,
    refusals: Refusals,
    /// Calls that were looked up in the last 15 minutes.
    calls: BTreeMap<(Kind, TokenId), (Timestamp, Option<CurrentCall>)>,
    /// Kinds that the source refused, and by which endpoint: as long as that one is refused, not even the others are asked.
    not_offered: BTreeMap<Kind, &'static str>,
}

impl Lookups {
    /// Answers what the desk asks. `caller` is the poller's, so that both keep the same limits.
    pub fn new(caller: Caller, operators: Operators, store: Store, clock: SharedClock, inquiries: Inquiries) -> Self {
        let Inquiries { lookups: requests, facets, insights } = inquiries;
        let refusals = Refusals::new(caller.source().as_ref(), operators);
        let parts = AskerParts { caller, store, clock, insights, refusals };
        let askers = facets.into_iter().map(|(facet, requests)| Asker { facet, requests, parts: parts.clone() }).collect();
        let AskerParts { caller, store, clock, refusals, .. } = parts;
        Self { caller, store, clock, requests, askers, refusals, calls: BTreeMap::new(), not_offered: BTreeMap::new() }
    }

    /// Answers until the process stops; where nobody can ask (no platform brings commands), there is nothing to answer till then.
    pub async fn run(mut self, shutdown: CancellationToken) {
        let askers = join_all(std::mem::take(&mut self.askers).into_iter().map(Asker::run));
        let lookups = async {
            while let Some(request) = self.requests.recv().await {
                self.handle(request).await;
            }
        };
        tokio::select! {
            biased;
            () = shutdown.cancelled() => {}
            _ = async { tokio::join!(lookups, askers) } => shutdown.cancelled().await,
        }
    }

    /// Answers what waits now, without waiting for more. For tests and for a single pass.
    pub async fn answer_waiting(&mut self) {
        while let Ok(request) = self.requests.try_recv() {
            self.handle(request).await;
        }
    }

    async fn handle(&mut self, request: LookupRequest) {
        if request.answer.is_closed() {
            // Whoever asked has given up waiting: a call would help nobody.
            return;
        }
        let (person, query) = (&request.person, &request.query);
        let result = match request.call {
            Some(kind) => self.look_up_call(person, query, kind).await,
            None => self.look_up(person, query).await,
        };
        let result = result.unwrap_or_else(|error| {
            tracing::error!(%error, "a look-up could not be carried out");
            LookupResult::Unavailable
        });
        // Whoever asked may have given up waiting.
        let _ = request.answer.send(result);
    }

    async fn look_up(&self, person: &str, query: &str) -> StoreResult<LookupResult> {
        let Some(wanted) = wanted(query) else { return Ok(LookupResult::Found(Vec::new())) };
        let key = key(&wanted);
        let (source, now) = (self.caller.source_id(), self.clock.now());
        if let Some((found, at)) = self.store.last_lookup(source, &key).await? {
            if found && now.since(at) < SHARED {
                return Ok(LookupResult::Found(self.known(&wanted).await?));
            }
            if !found && now.since(at) < UNKNOWN {
                return Ok(LookupResult::Found(Vec::new()));
            }
        }
        if self.is_over_limit(person, now).await? {
            return Ok(LookupResult::OverLimit);
        }
        let call = self.caller.source().lookup(&wanted);
        let page = match self.page(&call, now).await? {
            Answer::Came(page) => page,
            Answer::Failed => return self.failed(person, now, LookupResult::Unavailable).await,
            Answer::Refused(error) => {
                self.refusals.refused_list(call.endpoint, &error, self.clock.now()).await;
                return self.failed(person, now, LookupResult::Unavailable).await;
            }
            Answer::NotMade => return Ok(LookupResult::Unavailable),
        };
        let tokens: Vec<Token> = page.tokens.into_iter().filter(|token| is_wanted(token, &wanted)).collect();
        if !tokens.is_empty() {
            self.store.write_tokens(source, &tokens, |known| compare(known, &tokens, &[], Reading::Part), self.clock.now()).await?;
        }
        self.store.record_lookup(source, person, &key, !tokens.is_empty(), now).await?;
        Ok(LookupResult::Found(if tokens.is_empty() { tokens } else { self.known(&wanted).await? }))
    }

    /// Counts a look-up that cost calls and brought nothing.
    async fn failed(&self, person: &str, now: Timestamp, result: LookupResult) -> StoreResult<LookupResult> {
        self.store.record_lookup(self.caller.source_id(), person, FAILED, false, now).await?;
        Ok(result)
    }

    /// Whether the person's look-ups of the day are used up, or everybody's. Without a budget nobody counts.
    async fn is_over_limit(&self, person: &str, now: Timestamp) -> StoreResult<bool> {
        if self.caller.limits().per_month == 0 {
            return Ok(false);
        }
        let counts = self.store.lookup_counts(self.caller.source_id(), person, now.day().start()).await?;
        Ok(counts.person >= PER_PERSON || counts.everybody >= PER_DAY)
    }

    /// The call of a token that nobody follows: asked for as a poll would ask for a new token, and read by the same rules.
    async fn look_up_call(&mut self, person: &str, query: &str, kind: Kind) -> StoreResult<LookupResult> {
        let Some(Wanted::Id(token)) = wanted(query) else { return Ok(LookupResult::Call(None)) };
        let now = self.clock.now();
        self.calls.retain(|_, (at, _)| now.since(*at) < SHARED);
        if let Some((_, call)) = self.calls.get(&(kind, token)) {
            return Ok(LookupResult::Call(call.clone()));
        }
        if self.not_offered.get(&kind).is_some_and(|endpoint| self.refusals.until(endpoint, now).is_some()) {
            return Ok(LookupResult::NotOffered);
        }
        if self.is_over_limit(person, now).await? {
            return Ok(LookupResult::OverLimit);
        }
        let mut collector = self.caller.source().collect(Ask { kind, tokens: BTreeMap::from([(token, None)]), now });
        let mut is_first = true;
        while let Some(call) = collector.next_call() {
            if self.refusals.until(call.endpoint, now).is_some() {
                self.not_offered.insert(kind, call.endpoint);
                // What cost no call does not count.
                return if is_first { Ok(LookupResult::NotOffered) } else { self.failed(person, now, LookupResult::NotOffered).await };
            }
            match self.page(&call, now).await? {
                Answer::Came(page) => collector.accept(Some(page)),
                Answer::NotMade if is_first => return Ok(LookupResult::Unavailable),
                Answer::Failed | Answer::NotMade => return self.failed(person, now, LookupResult::Unavailable).await,
                Answer::Refused(error) => {
                    self.refusals.refused(call.endpoint, &error, self.clock.now()).await;
                    self.not_offered.insert(kind, call.endpoint);
                    return self.failed(person, now, LookupResult::NotOffered).await;
                }
            }
            is_first = false;
        }
        let call = call_of(&collector.finish(), token, now);
        self.store.record_lookup(self.caller.source_id(), person, &format!("{kind}:#{token}"), call.is_some(), now).await?;
        self.calls.insert((kind, token), (now, call.clone()));
        Ok(LookupResult::Call(call))
    }

    /// The answer to one call, waited for no longer than a person's patience.
    async fn page(&self, call: &Call, since: Timestamp) -> StoreResult<Answer> {
        loop {
            match self.caller.call(call, Purpose::Lookup).await? {
                CallEnd::Came(page) => {
                    self.refusals.answered(call.endpoint).await;
                    return Ok(Answer::Came(page));
                }
                CallEnd::Failed(error @ SourceError::Refused { .. }) => return Ok(Answer::Refused(error)),
                CallEnd::Failed(_) => return Ok(Answer::Failed),
                CallEnd::NotBefore(at) if at.since(since) <= PATIENCE => tokio::time::sleep(GLANCE).await,
                CallEnd::NotBefore(_) | CallEnd::MonthUsedUp => return Ok(Answer::NotMade),
            }
        }
    }

    async fn known(&self, wanted: &Wanted) -> StoreResult<Vec<Token>> {
        let (symbol, id) = match wanted {
            Wanted::Symbol(symbol) => (symbol.as_str(), None),
            Wanted::Id(id) => ("", Some(*id)),
        };
        self.store.looked_up_tokens(self.caller.source_id(), symbol, id).await
    }
}

/// The call that these rows make of a token that was never seen.
fn call_of(snapshot: &Snapshot, token: TokenId, now: Timestamp) -> Option<CurrentCall> {
    let state = diff(&BTreeMap::new(), snapshot, now).states.into_iter().find(|state| state.token == token)?;
    Some(CurrentCall {
        stance: state.stance,
        since: state.since,
        data_time: state.data_time,
        seen_at: state.seen_at,
        trader_grade: state.trader_grade,
        levels: state.levels,
    })
}

/// What is asked for: `#3375` or a symbol, whatever its case, with or without `$`. Nothing where it can be neither.
fn wanted(query: &str) -> Option<Wanted> {
    let query = query.trim();
    if let Some(id) = query.strip_prefix('#') {
        return id.parse().ok().filter(|id| *id > 0).map(|id| Wanted::Id(TokenId(id)));
    }
    let symbol = query.trim_start_matches('$').to_uppercase();
    let plausible = !symbol.is_empty() && symbol.chars().count() <= crate::domain::MAX_NAME && !symbol.contains(',');
    plausible.then_some(Wanted::Symbol(symbol))
}

fn key(wanted: &Wanted) -> String {
    match wanted {
        Wanted::Symbol(symbol) => symbol.clone(),
        Wanted::Id(id) => format!("#{id}"),
    }
}

/// The source may answer with more than was asked for.
fn is_wanted(token: &Token, wanted: &Wanted) -> bool {
    match wanted {
        Wanted::Symbol(symbol) => token.symbol.to_uppercase() == *symbol,
        Wanted::Id(id) => token.id == *id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn symbols_and_ids_are_told_apart() {
        let symbol = |symbol: &str| Some(Wanted::Symbol(symbol.to_owned()));
        assert_eq!(wanted(" $sol "), symbol("SOL"));
        assert_eq!(wanted("#3375"), Some(Wanted::Id(TokenId(3375))));
        for nonsense in ["", "$", "#", "#x", "#-1", "#0", "A,B"] {
            assert_eq!(wanted(nonsense), None, "{nonsense}");
        }
        assert_eq!(wanted(&"x".repeat(65)), None);
    }
}
