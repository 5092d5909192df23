//! Endpoints that the source refuses when people ask: not asked again for a day, and operators are told once, until they answer again.

use super::operators::Operators;
use crate::{
    domain::{
        Timestamp,
        wording::{NoticePhrase, Trouble},
    },
    sources::SourceError,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// A plan may have been changed by then.
pub(super) const AGAIN: Duration = Duration::from_secs(24 * 3600);
/// The name of the notice where it is not about one endpoint: the key, or the payment.
const ANY: &str = "endpoint-refused";

/// Who remembers them. Cheap to clone; all clones remember the same.
#[derive(Clone)]
pub(super) struct Refusals {
    operators: Operators,
    until: Arc<Mutex<BTreeMap<&'static str, Timestamp>>>,
}

impl Refusals {
    pub(super) fn new(operators: Operators) -> Self {
        Self { operators, until: Arc::default() }
    }

    /// Until when an endpoint is not asked, where it is not.
    pub(super) fn until(&self, endpoint: &str, now: Timestamp) -> Option<Timestamp> {
        self.known().get(endpoint).copied().filter(|until| *until > now)
    }

    /// It was refused.
    pub(super) async fn refused(&self, endpoint: &'static str, error: &SourceError, now: Timestamp) {
        self.known().insert(endpoint, now + AGAIN);
        let is_its_own = matches!(error.trouble(), Trouble::SourcePlan | Trouble::SourceRejected);
        let name = if is_its_own { name(endpoint) } else { ANY.to_owned() };
        self.operators.tell_once(&name, NoticePhrase::EndpointRefused { endpoint: endpoint.to_owned(), problem: error.explain() }).await;
    }

    /// It answered: the next refusal is news.
    pub(super) async fn answered(&self, endpoint: &'static str) {
        self.known().remove(endpoint);
        for name in [name(endpoint), ANY.to_owned()] {
            self.operators.clear(&name, None).await;
        }
    }

    fn known(&self) -> MutexGuard<'_, BTreeMap<&'static str, Timestamp>> {
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn name(endpoint: &str) -> String {
    format!("{ANY}:{endpoint}")
}
