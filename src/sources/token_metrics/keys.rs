//! Which key is shown: the first, until it is refused and there is a next one. That makes a change of keys one without a gap.

use crate::{
    domain::wording::Trouble,
    http::{Credential, Renewals},
    sources::SourceError,
};
use secrecy::SecretString;
use std::sync::{
    Mutex, MutexGuard, PoisonError,
    atomic::{AtomicBool, Ordering},
};

/// The keys of one client.
pub(super) struct Keys {
    shown: Credential,
    /// Not shown yet.
    next: Mutex<Option<SecretString>>,
    uses_next: AtomicBool,
}

impl Keys {
    pub(super) fn new(first: SecretString, next: Option<SecretString>) -> Self {
        Self { shown: first.into(), next: Mutex::new(next), uses_next: AtomicBool::new(false) }
    }

    /// Others, from the first on.
    pub(super) fn renew(&self, first: SecretString, next: Option<SecretString>) -> bool {
        let mut waiting = self.next();
        *waiting = next;
        self.uses_next.store(false, Ordering::Relaxed);
        self.shown.renew(first)
    }

    pub(super) fn current(&self) -> SecretString {
        self.shown.current()
    }

    pub(super) fn renewals(&self) -> Renewals {
        self.shown.renewals()
    }

    /// Whether the first one was refused.
    pub(super) fn uses_next(&self) -> bool {
        self.uses_next.load(Ordering::Relaxed)
    }

    /// What a failure of a call with this key means: where the key itself is refused (not its plan) and there is another, the call is worth another
    /// try at once.
    pub(super) fn after(&self, shown: &SecretString, error: SourceError) -> SourceError {
        let SourceError::Refused { status: status @ 401, message } = &error else { return error };
        if error.trouble() != Trouble::SourceKey {
            return error;
        }
        let mut next = self.next();
        // Several calls under way are refused at the same time; the first of them changes the key.
        if self.shown.is_current(shown) {
            let Some(other) = next.take() else { return error };
            self.uses_next.store(true, Ordering::Relaxed);
            if !self.shown.renew(other) {
                return error;
            }
        }
        SourceError::KeyReplaced { status: *status, message: message.clone() }
    }

    fn next(&self) -> MutexGuard<'_, Option<SecretString>> {
        self.next.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_key_gives_way_to_the_next_and_that_to_none() {
        let refused = |message: &str| SourceError::Refused { status: 401, message: message.to_owned() };
        let replaced = |error: &SourceError| matches!(error, SourceError::KeyReplaced { .. });
        let keys = Keys::new("first".into(), Some("next".into()));
        let first = keys.current();
        assert_eq!(keys.after(&first, refused("your current plan")), refused("your current plan"), "a plan is no reason");
        assert!(replaced(&keys.after(&first, refused("Invalid API key"))) && keys.uses_next());
        assert!(replaced(&keys.after(&first, refused("Invalid API key"))), "another call that was under way");
        assert_eq!(keys.after(&keys.current(), refused("Invalid API key")), refused("Invalid API key"), "there is no third");
        assert!(keys.renew("new".into(), None) && !keys.uses_next());
        assert_eq!(keys.after(&keys.current(), refused("Invalid API key")), refused("Invalid API key"));
        let same = Keys::new("first".into(), Some("first".into()));
        assert!(!replaced(&same.after(&first, refused("Invalid API key"))), "the same key once more is no other");
    }
}
