//! Long polling: one `getUpdates` at a time, every update stored before the next one confirms it.

use super::{
    ApiError, Updates, UpdatesError,
    api::{CALL_TIMEOUT, Parameters},
    updates::ALLOWED_UPDATES,
};
use crate::{commands::InboxError, domain::Timestamp, http};
use serde_json::{Value, json};
use std::time::Duration;

/// After a week of silence Telegram numbers updates anew, from anywhere: an offset would then hide them.
const OFFSET_KEPT: Duration = Duration::from_secs(6 * 24 * 3600);
/// How much longer than the poll its answer may take.
const SLACK: Duration = Duration::from_secs(10);

/// Where to go on, and when that was learned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offset {
    next: i64,
    at: Timestamp,
}

/// What this file remembers. After a start nothing: what Telegram then brings again was stored before, and does nothing twice. An offset
/// made of what is stored would confirm what a webhook could not bring: that does not come in the order of its numbers.
#[derive(Debug, Default)]
pub(super) struct Position {
    offset: Option<Offset>,
    webhook_gone: bool,
}

impl Updates {
    /// Waits up to `seconds` for updates and stores what came; gives how many are new.
    pub(super) async fn fetch(&self, seconds: u64) -> Result<usize, UpdatesError> {
        self.remove_webhook().await?;
        let mut parameters = json!({ "timeout": seconds, "limit": 100, "allowed_updates": ALLOWED_UPDATES });
        if let Some(offset) = self.offset() {
            parameters["offset"] = offset.into();
        }
        let timeout = CALL_TIMEOUT.max(Duration::from_secs(seconds) + SLACK);
        let result = match self.telegram.api().call("getUpdates", &parameters, timeout).await {
            Ok(result) => result,
            Err(ApiError::Refused { code: 409, description, .. }) => {
                // Somebody may have set a webhook since: looked at again next time.
                self.position().webhook_gone = false;
                return Err(UpdatesError::Conflict(http::quoted(&description)));
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
        let is_new = self.arrivals.keep(id, &update.to_string()).await?;
        self.position().offset = Some(Offset { next: id.saturating_add(1), at: self.clock.now() });
        Ok(is_new)
    }

    /// The number after the last update, which confirms that one; none after six quiet days (`rules.md` 6.2).
    fn offset(&self) -> Option<i64> {
        let offset = self.position().offset?;
        (self.clock.now().since(offset.at) < OFFSET_KEPT).then_some(offset.next)
    }

    /// Long polling and a webhook exclude each other. Pending updates are kept.
    async fn remove_webhook(&self) -> Result<(), ApiError> {
        if self.position().webhook_gone {
            return Ok(());
        }
        if !self.telegram.webhook_info().await?.url.is_empty() {
            tracing::warn!("a webhook is set for this bot; it is removed, because updates are taken by long polling");
            self.telegram.api().call("deleteWebhook", &json!({ "drop_pending_updates": false }), CALL_TIMEOUT).await?;
        }
        self.position().webhook_gone = true;
        Ok(())
    }
}
