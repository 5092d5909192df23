//! Endpoints that the source refuses when people ask: not asked again for a day, and operators are told once, until they answer again. Only
//! refusals are remembered: any other error says nothing of what the key and the plan include. Another key ends them.

use super::operators::Operators;
use crate::{
    domain::{
        Timestamp,
        wording::{NoticePhrase, Trouble},
    },
    http::Renewals,
    sources::{Source, SourceError},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// A plan may have been changed by then.
const AGAIN: Duration = Duration::from_secs(24 * 3600);
/// The name of the notice where it is not about one endpoint: the key, or the payment.
const ANY: &str = "endpoint-refused";

/// Who remembers them. Cheap to clone; all clones remember the same.
#[derive(Clone)]
pub(super) struct Refusals {
    operators: Operators,
    known: Arc<Mutex<Known>>,
    /// What is remembered and what was told change together: several ask at once.
    telling: Arc<tokio::sync::Mutex<()>>,
}

struct Known {
    refusals: BTreeMap<&'static str, Refusal>,
    renewals: Option<Renewals>,
}

/// Remembered until the endpoint answers.
#[derive(Clone, Copy)]
struct Refusal {
    /// It is not asked before then.
    until: Timestamp,
    /// It was told under the endpoint's own name.
    is_its_own: bool,
}

impl Refusals {
    pub(super) fn new(source: &dyn Source, operators: Operators) -> Self {
        let known = Known { refusals: BTreeMap::new(), renewals: source.renewals() };
        Self { operators, known: Arc::new(Mutex::new(known)), telling: Arc::default() }
    }

    /// Until when an endpoint is not asked, where it is not.
    pub(super) fn until(&self, endpoint: &str, now: Timestamp) -> Option<Timestamp> {
        self.known().refusals.get(endpoint).map(|refusal| refusal.until).filter(|until| *until > now)
    }

    /// It was refused.
    pub(super) async fn refused(&self, endpoint: &'static str, error: &SourceError, now: Timestamp) {
        let notice = NoticePhrase::EndpointRefused { endpoint: endpoint.to_owned(), problem: error.explain() };
        self.note(endpoint, error, notice, now).await;
    }

    /// It was refused to somebody who named a token that is not known.
    pub(super) async fn refused_list(&self, endpoint: &'static str, error: &SourceError, now: Timestamp) {
        self.note(endpoint, error, NoticePhrase::TokensRefused { problem: error.explain() }, now).await;
    }

    async fn note(&self, endpoint: &'static str, error: &SourceError, notice: NoticePhrase, now: Timestamp) {
        let is_its_own = error.trouble() == Trouble::SourcePlan;
        let name = if is_its_own { name(endpoint) } else { ANY.to_owned() };
        let _turn = self.telling.lock().await;
        self.known().refusals.insert(endpoint, Refusal { until: now + AGAIN, is_its_own });
        self.operators.tell_once(&name, notice).await;
    }

    /// It answered: the next refusal is news.
    pub(super) async fn answered(&self, endpoint: &'static str) {
        let _turn = self.telling.lock().await;
        let is_over = self.forget(endpoint);
        self.operators.clear(&name(endpoint), None).await;
        // One that answers says nothing of those that were refused and have not answered since.
        if is_over {
            self.operators.clear(ANY, None).await;
        }
    }

    /// It is refused no more. Whether none is that was told under the common name.
    fn forget(&self, endpoint: &str) -> bool {
        let mut known = self.known();
        known.refusals.remove(endpoint);
        known.refusals.values().all(|refusal| refusal.is_its_own)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.renewals.as_mut().is_some_and(Renewals::heard) {
            known.refusals.clear();
        }
        known
    }
}

fn name(endpoint: &str) -> String {
    format!("{ANY}:{endpoint}")
}
