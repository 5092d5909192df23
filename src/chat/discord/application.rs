//! What Discord knows of the application and its bot, and whether commands can come the way that is configured.

use super::{
    client::{ApiError, Discord, read},
    key::PublicKey,
    transport::Ask,
};
use crate::{domain::wording::Trouble, http::quoted};
use serde::Deserialize;
use serenity::http::Route;

/// What Discord knows of the application.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Application {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its public key, in hexadecimal.
    pub verify_key: String,
    /// Where Discord sends interactions; empty: to the Gateway.
    #[serde(default)]
    interactions_endpoint_url: Option<String>,
}

impl Application {
    /// Where Discord sends commands over HTTP; nothing: it sends them over the Gateway. The two exclude each other.
    pub fn endpoint(&self) -> Option<&str> {
        self.interactions_endpoint_url.as_deref().filter(|url| !url.is_empty())
    }

    /// Why no command can come the way that is configured: over HTTP with this public key, or without one over the Gateway. In words for
    /// the operator; nothing where commands come, or will as soon as the endpoint is entered.
    pub fn obstacle(&self, public_key: Option<&PublicKey>) -> Option<String> {
        match (public_key, self.endpoint()) {
            (None, Some(endpoint)) => Some(Trouble::DiscordEndpoint.explain(format_args!(
                "Discord sends commands over HTTP to {} and none over the Gateway (the key of that is {})",
                quoted(endpoint),
                self.verify_key
            ))),
            (Some(key), _) if !key.hex().eq_ignore_ascii_case(&self.verify_key) => Some(Trouble::DiscordKey.explain(format_args!(
                "DISCORD_PUBLIC_KEY is not that of the application {}, which is {}",
                quoted(&self.name),
                self.verify_key
            ))),
            _ => None,
        }
    }
}

/// What Discord knows of the bot's own account.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct BotUser {
    /// Its id.
    pub id: String,
    /// Its name.
    pub username: String,
}

impl Discord {
    /// Why no command can come the way that is configured, as far as Discord says: [`Application::obstacle`].
    pub fn obstacle(&self, application: &Application) -> Option<String> {
        application.obstacle(self.0.public_key.as_ref())
    }

    /// Whether commands come over HTTP.
    pub fn comes_over_http(&self) -> bool {
        self.0.public_key.is_some()
    }

    /// What Discord knows of the application: to compare the key and the endpoint with the settings.
    ///
    /// # Errors
    /// Where Discord does not say.
    pub async fn application(&self) -> Result<Application, ApiError> {
        read(&self.0.question(Ask::Application, None).await?)
    }

    /// The bot's own account: the token works if this answers.
    ///
    /// # Errors
    /// Where Discord does not say.
    pub async fn me(&self) -> Result<BotUser, ApiError> {
        self.get(Route::UserMe).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn http_and_the_gateway_exclude_each_other() {
        let key = "b2971787794785ebebe927c6230bc6f40f026cfc882da44f2d235b9691c37a85";
        let other = "3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29";
        let obstacle = |endpoint: Option<&str>, verify_key: &str, configured: Option<&str>| {
            let application = serde_json::json!({"id": "1", "name": "x", "verify_key": verify_key, "interactions_endpoint_url": endpoint});
            let configured = configured.map(|key| PublicKey::parse(key).unwrap());
            serde_json::from_value::<Application>(application).unwrap().obstacle(configured.as_ref())
        };
        let url = Some("https://bot.example.org/discord/interactions");
        assert_eq!(obstacle(None, key, None), None);
        assert_eq!(obstacle(Some(""), key, None), None);
        assert_eq!(obstacle(url, &key.to_uppercase(), Some(key)), None);
        assert_eq!(obstacle(None, key, Some(key)), None, "the endpoint can only be entered while the bot runs");
        let advice = obstacle(url, key, None).unwrap();
        assert!(advice.contains("clear the Interactions Endpoint URL") && advice.contains(key), "{advice}");
        assert!(obstacle(url, other, Some(key)).unwrap().contains(other));
    }
}
