//! Fetching: one `getUpdates` at a time, every update stored before the next one confirms it.

use super::{
    ApiError, Updates,
    api::{CALL_TIMEOUT, Parameters},
};
use crate::{commands::InboxError, domain::Timestamp, http};
use serde_json::{Value, json};
use std::time::Duration;

/// What is asked for. Always named: left out, Telegram keeps what another program asked for last.
const ALLOWED_UPDATES: &[&str] = &["message", "my_chat_member"];
/// After a week of silence Telegram numbers updates anew, from anywhere: an offset would then hide them.
const OFFSET_KEPT: Duration = Duration::from_secs(6 * 24 * 3600);
/// How much longer than the poll its answer may take.
const SLACK: Duration = Duration::from_secs(10);

/// Why no updates came.
#[derive(Debug, thiserror::Error)]
pub enum PollError {
    /// 409: somebody else takes the updates.
    #[error("another instance polls with this token, or a webhook is set ({0}): stop it, or give this one a token of its own")]
    Conflict(String),
    /// Telegram refused or could not be reached.
    #[error(transparent)]
    Telegram(#[from] ApiError),
    /// The database failed: nothing was confirmed.
    #[error(transparent)]
    Inbox(#[from] InboxError),
}

impl PollError {
    /// Waiting does not mend it: the token is refused, or somebody else takes the updates.
    pub(super) fn needs_operator(&self) -> bool {
        match self {
            Self::Conflict(_) => true,
            Self::Telegram(error) => error.is_unauthorized(),
            Self::Inbox(_) => false,
        }
    }
}

/// Where to go on, and when that was learned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offset {
    next: i64,
    at: Timestamp,
}

/// What this file remembers.
#[derive(Debug, Default)]
pub(super) struct Position {
    offset: Option<Offset>,
    loaded: bool,
    webhook_gone: bool,
}

impl Updates {
    /// Waits up to `seconds` for updates and stores what came; gives how many are new.
    pub(super) async fn fetch(&self, seconds: u64) -> Result<usize, PollError> {
        self.remove_webhook().await?;
        let mut parameters = json!({ "timeout": seconds, "limit": 100, "allowed_updates": ALLOWED_UPDATES });
        if let Some(offset) = self.offset().await? {
            parameters["offset"] = offset.into();
        }
        let timeout = CALL_TIMEOUT.max(Duration::from_secs(seconds) + SLACK);
        let result = match self.telegram.api().call("getUpdates", &parameters, timeout).await {
            Ok(result) => result,
            Err(ApiError::Refused { code: 409, description, .. }) => {
                // Somebody may have set a webhook since: looked at again next time.
                self.position().webhook_gone = false;
                return Err(PollError::Conflict(http::quoted(&description)));
            }
            Err(error) => return Err(error.into()),
        };
        let Value::Array(updates) = result else {
            let description = "getUpdates gave no list".to_owned();
            return Err(ApiError::Refused { code: 200, description, parameters: Parameters::default() }.into());
        };
        let mut fresh = 0;
        for update in &updates {
            fresh += usize::from(self.keep(update).await?);
        }
        Ok(fresh)
    }

    async fn keep(&self, update: &Value) -> Result<bool, InboxError> {
        let Some(id) = update.get("update_id").and_then(Value::as_i64) else {
            tracing::warn!("an update without a number was ignored");
            return Ok(false);
        };
        let now = self.clock.now();
        let is_new = self.inbox.keep(id, &update.to_string(), now).await?;
        self.position().offset = Some(Offset { next: id.saturating_add(1), at: now });
        Ok(is_new)
    }

    /// The number after the last update, which confirms that one; none after six quiet days (`rules.md` 6.2).
    async fn offset(&self) -> Result<Option<i64>, InboxError> {
        if !self.position().loaded {
            let last = self.inbox.last_seen().await?;
            let mut position = self.position();
            position.offset = last.map(|(id, at)| Offset { next: id.saturating_add(1), at });
            position.loaded = true;
        }
        let now = self.clock.now();
        let offset = self.position().offset;
        Ok(offset.filter(|offset| now.since(offset.at) < OFFSET_KEPT).map(|offset| offset.next))
    }

    /// Long polling and a webhook exclude each other. Pending updates are kept.
    async fn remove_webhook(&self) -> Result<(), ApiError> {
        if self.position().webhook_gone {
            return Ok(());
        }
        if self.telegram.webhook().await?.is_some() {
            tracing::warn!("a webhook is set for this bot; it is removed, because updates are taken by long polling");
            self.telegram.api().call("deleteWebhook", &json!({ "drop_pending_updates": false }), CALL_TIMEOUT).await?;
        }
        self.position().webhook_gone = true;
        Ok(())
    }
}
