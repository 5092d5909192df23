//! Deep links: what was typed where it cannot be carried out is kept for its author alone, who takes it up in private, once and soon
//! (`rules.md` 5.9).

use super::{Inbox, InboxError};
use crate::{
    domain::{Platform, Timestamp, UserId},
    random,
    store::{DeepLink, TakenUp},
};
use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use sha2::{Digest, Sha256};
use std::time::Duration;

/// How long a deep link can be taken up.
pub const DEEP_LINK_VALID: Duration = Duration::from_secs(10 * 60);
/// Random bytes of a payload; more than the 96 bits that nobody guesses.
const RANDOM: usize = 16;

impl Inbox {
    /// Keeps what its author typed, a command and its words; gives the payload of a link that carries it out for them. Nothing where the
    /// system has no randomness to give.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn keep_for(&self, author: &UserId, name: &str, words: &str, now: Timestamp) -> Result<Option<String>, InboxError> {
        let Some(random) = random::bytes::<RANDOM>() else { return Ok(None) };
        let payload = BASE64URL_NOPAD.encode(&random);
        let link = DeepLink { code: code_of(&payload), person: person(author), command: name.to_owned(), words: words.to_owned() };
        self.store.keep_deep_link(&link, now, now + DEEP_LINK_VALID).await?;
        Ok(Some(payload))
    }

    /// What a payload stands for, if whoever shows it may have that carried out. From then on it is used up, except for this very request,
    /// which may come again after a crash. Nothing where it has not the form of a payload.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn take_up(&self, payload: &str, by: &UserId, request: &str, now: Timestamp) -> Result<Option<TakenUp>, InboxError> {
        let is_payload = BASE64URL_NOPAD.decode(payload.as_bytes()).is_ok_and(|random| random.len() == RANDOM);
        if !is_payload {
            return Ok(None);
        }
        Ok(Some(self.store.take_up_deep_link(&code_of(payload), &person(by), request, now).await?))
    }
}

fn person(user: &UserId) -> String {
    format!("{}:{user}", Platform::Telegram)
}

/// Only this is stored: whoever reads the database carries nothing out with it.
fn code_of(payload: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(payload))
}
