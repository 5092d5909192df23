//! Look-ups of symbols and ids that the directory lacks: counted per person and day, shared, remembered (`rules.md` 1.7).

use super::calls::{CallEnd, Caller, Purpose};
use crate::{
    clock::SharedClock,
    commands::{LookupRequest, LookupResult},
    domain::{Timestamp, Token, TokenId},
    sources::Wanted,
    store::{Store, StoreResult},
};
use std::time::Duration;
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

/// Answers look-ups, one after the other.
pub struct Lookups {
    caller: Caller,
    store: Store,
    clock: SharedClock,
    requests: mpsc::Receiver<LookupRequest>,
}

impl Lookups {
    /// Answers what comes through `requests`. `caller` is the poller's, so that both keep the same limits.
    pub fn new(caller: Caller, store: Store, clock: SharedClock, requests: mpsc::Receiver<LookupRequest>) -> Self {
        Self { caller, store, clock, requests }
    }

    /// Answers until nobody can ask any more or the process stops.
    pub async fn run(mut self, shutdown: CancellationToken) {
        loop {
            let request = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                request = self.requests.recv() => request,
            };
            let Some(request) = request else { return };
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = self.handle(request) => {}
            }
        }
    }

    /// Answers what waits now, without waiting for more. For tests and for a single pass.
    pub async fn answer_waiting(&mut self) {
        while let Ok(request) = self.requests.try_recv() {
            self.handle(request).await;
        }
    }

    async fn handle(&self, request: LookupRequest) {
        let result = self.look_up(&request.person, &request.query).await.unwrap_or_else(|error| {
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
        if self.caller.limits().per_month > 0 {
            let counts = self.store.lookup_counts(source, person, now.day().start()).await?;
            if counts.person >= PER_PERSON || counts.everybody >= PER_DAY {
                return Ok(LookupResult::OverLimit);
            }
        }
        let Some(tokens) = self.ask(&wanted, now).await? else { return Ok(LookupResult::Unavailable) };
        if !tokens.is_empty() {
            self.store.write_tokens(source, &tokens, self.clock.now()).await?;
        }
        self.store.record_lookup(source, person, &key, !tokens.is_empty(), now).await?;
        Ok(LookupResult::Found(if tokens.is_empty() { tokens } else { self.known(&wanted).await? }))
    }

    /// What the source says; nothing where it says nothing.
    async fn ask(&self, wanted: &Wanted, since: Timestamp) -> StoreResult<Option<Vec<Token>>> {
        let call = self.caller.source().lookup(wanted);
        loop {
            match self.caller.call(&call, Purpose::Lookup).await? {
                CallEnd::Came(page) => return Ok(Some(page.tokens.into_iter().filter(|token| is_wanted(token, wanted)).collect())),
                CallEnd::Failed(_) | CallEnd::MonthUsedUp => return Ok(None),
                CallEnd::NotBefore(at) if at.since(since) <= PATIENCE => tokio::time::sleep(GLANCE).await,
                CallEnd::NotBefore(_) => return Ok(None),
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
