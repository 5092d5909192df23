//! A secret that may be replaced while it is in use, and word of that for whoever has stopped because it was refused.

use super::incoming::is_same;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::watch;

/// A secret in use. Cheap to clone; all clones hold the same, whatever it is replaced by.
#[derive(Clone, Debug)]
pub struct Credential(watch::Sender<SecretString>);

impl Credential {
    /// What is shown to the other side now. Whoever asks once keeps it: a request has one secret from its beginning to its end.
    pub fn current(&self) -> SecretString {
        self.0.borrow().clone()
    }

    /// Puts this one in its place, and wakes whoever waits for that, also where it is the same again: the other side may take it now. Says
    /// whether it is another.
    pub fn renew(&self, secret: SecretString) -> bool {
        let before = self.0.send_replace(secret);
        !self.is_current(&before)
    }

    /// Whether it still is this one.
    pub fn is_current(&self, secret: &SecretString) -> bool {
        is_same(self.0.borrow().expose_secret(), secret.expose_secret())
    }

    /// Word of every renewal from now on.
    pub fn renewals(&self) -> Renewals {
        Renewals(self.0.subscribe())
    }
}

impl From<SecretString> for Credential {
    fn from(secret: SecretString) -> Self {
        Self(watch::Sender::new(secret))
    }
}

impl From<&str> for Credential {
    fn from(secret: &str) -> Self {
        SecretString::from(secret).into()
    }
}

/// Hears of renewals.
#[derive(Debug)]
pub struct Renewals(watch::Receiver<SecretString>);

impl Renewals {
    /// Whether there was one since the last that was heard of.
    pub fn heard(&mut self) -> bool {
        let heard = self.0.has_changed().unwrap_or(false);
        self.0.mark_unchanged();
        heard
    }

    /// Waits for one, if there was none since the last that was heard of.
    pub async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_renewal_reaches_every_clone_and_is_heard_of_once() {
        let credential = Credential::from("first-secret");
        let (used, mut renewals) = (credential.clone(), credential.renewals());
        let old = used.current();
        assert!(!renewals.heard());
        assert!(!credential.renew("first-secret".into()), "the same again");
        assert!(renewals.heard() && !renewals.heard() && used.is_current(&old));
        assert!(credential.renew("second-secret".into()));
        renewals.next().await;
        assert!(!renewals.heard() && !used.is_current(&old));
        assert_eq!(used.current().expose_secret(), "second-secret");
        assert!(!format!("{credential:?}{renewals:?}").contains("secret\""), "{credential:?}");
    }
}
