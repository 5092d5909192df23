//! Keeps the webhook set: with the address, the secret and the kinds of updates that this instance wants, as long as it runs
//! (`rules.md` 6.2). What comes in through it is `door`'s business.

use super::{ApiError, Telegram, Updates, UpdatesError, api::CALL_TIMEOUT, updates::ALLOWED_UPDATES};
use crate::{
    domain::Timestamp,
    http::{self, Credential},
};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::json;
use std::time::Duration;
use tokio::time;
use tokio_util::sync::CancellationToken;

/// What the webhook's address ends in.
pub const WEBHOOK_PATH: &str = "/telegram/webhook";
/// How often Telegram is asked how the webhook is doing.
const LOOK_EVERY: Duration = Duration::from_secs(60);
/// Telegram tries again at least every two minutes: what failed last longer ago than this has been got over.
const RECENT: Duration = Duration::from_secs(5 * 60);

/// Updates come by webhook.
#[derive(Clone, Debug)]
pub struct Webhook {
    /// Where Telegram sends them: https, on a port that Telegram calls.
    pub url: String,
    /// What it shows each time: 1 to 256 of `A-Za-z0-9_-`.
    pub secret: Credential,
}

/// What Telegram says of the bot's webhook
/// ([`getWebhookInfo`](https://core.telegram.org/bots/api#getwebhookinfo)).
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
pub struct WebhookInfo {
    /// Where updates go; empty: nowhere, they are polled. The path of another program's may be a secret.
    pub url: String,
    /// How many wait to be delivered.
    #[serde(default)]
    pub pending_update_count: u64,
    /// When a delivery last failed, in Unix seconds.
    pub last_error_date: Option<i64>,
    /// How.
    pub last_error_message: Option<String>,
    /// Which kinds of updates are sent; empty: the usual ones.
    #[serde(default)]
    pub allowed_updates: Vec<String>,
}

impl WebhookInfo {
    /// Whether updates go to this address, and those alone that are wanted.
    pub fn leads_to(&self, url: &str) -> bool {
        self.url == url && self.allowed_updates == ALLOWED_UPDATES
    }

    /// Telegram's words about what it could not deliver after `since`, if that still waits.
    pub fn trouble(&self, since: Timestamp, now: Timestamp) -> Option<String> {
        let failed_at = Timestamp::from_secs(self.last_error_date?);
        let goes_on = self.pending_update_count > 0 && failed_at > since && failed_at + RECENT > now;
        goes_on.then(|| http::quoted(self.last_error_message.as_deref().unwrap_or_default()))
    }
}

impl Telegram {
    /// How the bot's webhook is doing.
    ///
    /// # Errors
    /// Where Telegram refuses the token or cannot be reached.
    pub async fn webhook_info(&self) -> Result<WebhookInfo, ApiError> {
        let result = self.api().call("getWebhookInfo", &json!({}), CALL_TIMEOUT).await?;
        serde_json::from_value(result).map_err(|error| ApiError::Unreadable { raw: error.to_string(), message_id: None })
    }

    /// Sets the webhook; Telegram does nothing where it is set like this already. At most once a second.
    async fn set_webhook(&self, webhook: &Webhook) -> Result<(), ApiError> {
        let parameters =
            json!({ "url": webhook.url, "secret_token": webhook.secret.current().expose_secret(), "allowed_updates": ALLOWED_UPDATES });
        self.api().call("setWebhook", &parameters, CALL_TIMEOUT).await.map(drop)
    }
}

impl Updates {
    /// Sets the webhook and looks after it until told to stop. It stays set: a successor finds what came meanwhile.
    pub(super) async fn keep_webhook(&self, webhook: &Webhook, shutdown: &CancellationToken) {
        let mut failing = super::updates::Failing::default();
        let (mut token, mut secret) = (self.telegram.token().renewals(), webhook.secret.renewals());
        loop {
            let end = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                end = self.look_after(webhook) => end,
            };
            let pause = if end.is_ok() { LOOK_EVERY } else { Duration::ZERO };
            let pause = pause.max(self.pause_after(end.err().as_ref(), &mut failing));
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                // Telegram shows the secret of before until it is told the new one, and tries again what is refused meanwhile.
                () = secret.next() => self.arrivals.unprove(),
                () = token.next() => {}
                () = time::sleep(pause) => {}
            }
        }
    }

    /// Sets the webhook where it is not as it must be, and once after a start: the secret cannot be compared. Fails where Telegram cannot
    /// deliver.
    pub(super) async fn look_after(&self, webhook: &Webhook) -> Result<(), UpdatesError> {
        let info = self.telegram.webhook_info().await?;
        let proved_at = self.arrivals.proved_at();
        if let Some(proved_at) = proved_at
            && info.leads_to(&webhook.url)
        {
            return match info.trouble(proved_at, self.clock.now()) {
                Some(words) => Err(UpdatesError::Undelivered { words, pending: info.pending_update_count }),
                None => Ok(()),
            };
        }
        if !info.url.is_empty() && info.url != webhook.url {
            tracing::warn!("another webhook is set for this bot; it is replaced. Another instance may be using this token");
        }
        self.telegram.set_webhook(webhook).await?;
        self.arrivals.prove();
        tracing::info!(url = webhook.url, pending = info.pending_update_count, "updates come by webhook");
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_what_failed_lately_and_still_waits() {
        let at = Timestamp::from_secs;
        let info = |pending, failed| WebhookInfo {
            pending_update_count: pending,
            last_error_date: failed,
            last_error_message: Some("Connection refused".to_owned()),
            ..WebhookInfo::default()
        };
        assert_eq!(info(1, Some(900)).trouble(at(800), at(1000)).as_deref(), Some("\"Connection refused\""));
        assert_eq!(info(1, None).trouble(at(800), at(1000)), None);
        assert_eq!(info(0, Some(900)).trouble(at(800), at(1000)), None, "it arrived since");
        assert_eq!(info(1, Some(900)).trouble(at(900), at(1000)), None, "before the webhook was set, or before another one arrived");
        assert_eq!(info(1, Some(900)).trouble(at(800), at(1200)), None, "long ago");
    }
}
