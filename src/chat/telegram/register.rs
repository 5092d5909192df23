//! Who the bot is, and the lists of commands that Telegram's clients offer.

use super::{
    Telegram,
    api::{ApiError, CALL_TIMEOUT},
};
use serde::Deserialize;
use serde_json::{Value, json};
use teloxide::{
    payloads::{GetMyCommands, GetMyCommandsSetters, SetMyCommands, SetMyCommandsSetters},
    types::{BotCommand, BotCommandScope},
};

/// Personal commands that a plain member of a group is only pointed elsewhere with (`rules.md` 5.9): not offered to members there.
const NOT_FOR_MEMBERS: &[&str] = &["subscribe", "unsubscribe", "subscriptions", "settings", "mute", "privacy", "channel"];
/// What makes no sense in a group at all.
const NOT_FOR_GROUPS: &[&str] = &["privacy", "channel"];

/// The bot itself, as `getMe` tells.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Me {
    /// Its number.
    pub id: i64,
    /// Its name without `@`.
    pub username: String,
}

impl Telegram {
    /// Asks who the bot is: also shows whether the token works.
    ///
    /// # Errors
    /// Where Telegram refuses the token or cannot be reached.
    pub async fn me(&self) -> Result<Me, ApiError> {
        let result = self.api().call("getMe", &json!({}), CALL_TIMEOUT).await?;
        serde_json::from_value(result).map_err(|error| ApiError::Unreadable { raw: error.to_string(), message_id: None })
    }

    /// The same, asked once.
    pub(super) async fn me_once(&self) -> Result<&Me, ApiError> {
        self.known_me().get_or_try_init(|| self.me()).await
    }

    /// Asks for a chat, by its number: works where the bot is in it.
    ///
    /// # Errors
    /// Where Telegram refuses or cannot be reached.
    pub async fn sees(&self, chat: &str) -> Result<(), ApiError> {
        self.api()
            .call("getChat", &json!({ "chat_id": chat.parse::<i64>().map_or_else(|_| json!(chat), Value::from) }), CALL_TIMEOUT)
            .await
            .map(drop)
    }

    /// Registers these commands (name, description) in private chats, groups and for administrators, where they differ from what is
    /// registered. Gives the scopes that were written.
    ///
    /// # Errors
    /// Where Telegram refuses or cannot be reached; some scopes may be written.
    pub async fn register(&self, commands: &[(&str, &str)]) -> Result<Vec<&'static str>, ApiError> {
        let mut written = Vec::new();
        for (name, scope, list) in lists(commands) {
            if !self.is_registered(&scope, &list).await? {
                self.api().call("setMyCommands", &SetMyCommands::new(list).scope(scope), CALL_TIMEOUT).await?;
                written.push(name);
            }
        }
        Ok(written)
    }

    /// The scopes whose list differs from these commands: what `check` warns of.
    ///
    /// # Errors
    /// Where Telegram refuses or cannot be reached.
    pub async fn unregistered(&self, commands: &[(&str, &str)]) -> Result<Vec<&'static str>, ApiError> {
        let mut differing = Vec::new();
        for (name, scope, list) in lists(commands) {
            if !self.is_registered(&scope, &list).await? {
                differing.push(name);
            }
        }
        Ok(differing)
    }

    async fn is_registered(&self, scope: &BotCommandScope, list: &[BotCommand]) -> Result<bool, ApiError> {
        let registered = self.api().call("getMyCommands", &GetMyCommands::new().scope(scope.clone()), CALL_TIMEOUT).await?;
        // What cannot be read is not what we registered.
        Ok(serde_json::from_value::<Vec<BotCommand>>(registered).is_ok_and(|registered| registered == list))
    }
}

/// The list of each scope. Telegram takes the narrowest scope that applies, so that each list is whole.
fn lists(commands: &[(&str, &str)]) -> [(&'static str, BotCommandScope, Vec<BotCommand>); 3] {
    let without = |left_out: &[&str]| {
        let kept = commands.iter().filter(|(name, _)| !left_out.contains(name));
        kept.map(|(name, description)| BotCommand::new(*name, *description)).collect()
    };
    [
        ("all_private_chats", BotCommandScope::AllPrivateChats, without(&[])),
        ("all_group_chats", BotCommandScope::AllGroupChats, without(NOT_FOR_MEMBERS)),
        ("all_chat_administrators", BotCommandScope::AllChatAdministrators, without(NOT_FOR_GROUPS)),
    ]
}
