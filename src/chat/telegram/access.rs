//! Who may do what, asked of Telegram itself (`rules.md` 5.9).

use super::{
    Me, Telegram,
    api::{ApiError, CALL_TIMEOUT},
    wire::Member,
};
use crate::{
    commands::{ChannelFacts, ChannelProblem, Standing},
    domain::{Address, Platform, Timestamp, clean_name},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// How long a list of administrators may serve reads; changes always ask.
const CACHED: Duration = Duration::from_secs(60);

/// The administrators of groups, as Telegram said lately.
#[derive(Debug, Default)]
pub(super) struct Admins(Mutex<HashMap<i64, (Timestamp, HashSet<i64>)>>);

impl Admins {
    /// What `user` may do in a group. Asks for the list of administrators: it is always answered, where `getChatMember` is only
    /// guaranteed to a bot that is an administrator itself.
    pub(super) async fn standing(&self, telegram: &Telegram, chat: i64, user: i64, may_be_cached: bool) -> Standing {
        let now = telegram.now();
        if may_be_cached && let Some(is_admin) = self.cached(chat, user, now) {
            return standing(is_admin);
        }
        match ask::<Vec<Member>>(telegram, "getChatAdministrators", &json!({ "chat_id": chat })).await {
            Ok(members) => {
                let admins: HashSet<i64> = members.iter().filter(|member| member.is_admin()).map(|member| member.user.id).collect();
                let is_admin = admins.contains(&user);
                self.remember(chat, admins, now);
                standing(is_admin)
            }
            Err(error) => {
                tracing::warn!(chat, %error, "Telegram does not say who administers a group");
                Standing::Unknown
            }
        }
    }

    fn cached(&self, chat: i64, user: i64, now: Timestamp) -> Option<bool> {
        let cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, admins) = cache.get(&chat)?;
        (*at <= now && *at + CACHED > now).then(|| admins.contains(&user))
    }

    fn remember(&self, chat: i64, admins: HashSet<i64>, now: Timestamp) {
        let mut cache = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cache.retain(|_, (at, _)| *at + CACHED > now);
        cache.insert(chat, (now, admins));
    }
}

fn standing(is_admin: bool) -> Standing {
    if is_admin { Standing::Admin } else { Standing::Member }
}

async fn ask<T: DeserializeOwned>(telegram: &Telegram, method: &str, parameters: &Value) -> Result<T, ApiError> {
    let result = telegram.api().call(method, parameters, CALL_TIMEOUT).await?;
    serde_json::from_value(result).map_err(|error| ApiError::Unreadable { raw: error.to_string(), message_id: None })
}

#[derive(Deserialize)]
struct FoundChat {
    id: i64,
    #[serde(rename = "type")]
    kind: String,
    title: Option<String>,
}

/// A channel by `@name` or id, for someone who speaks in private: what it is, whether they administer it, and what the bot lacks there.
pub(super) async fn channel(telegram: &Telegram, me: &Me, name: &str, user: i64) -> (Standing, ChannelFacts) {
    let id = name.parse::<i64>().map_or_else(|_| json!(name), |id| json!(id));
    let facts = |address: &str, label: &str, problem| ChannelFacts {
        address: Address::new(Platform::Telegram, address),
        label: clean_name(label),
        problem,
    };
    let chat: FoundChat = match ask(telegram, "getChat", &json!({ "chat_id": id })).await {
        Ok(chat) => chat,
        Err(error) => return (Standing::Unknown, facts(name, name, Some(unseen(&error)))),
    };
    let address = chat.id.to_string();
    let label = chat.title.as_deref().unwrap_or(name);
    if chat.kind != "channel" {
        return (Standing::Unknown, facts(&address, label, Some(ChannelProblem::WrongKind)));
    }
    let member = |id: i64| async move { ask::<Member>(telegram, "getChatMember", &json!({ "chat_id": chat.id, "user_id": id })).await };
    let standing = match member(user).await {
        Ok(member) => standing(member.is_admin()),
        Err(_) => Standing::Unknown,
    };
    let problem = match member(me.id).await {
        Ok(bot) if bot.is_admin() && bot.can_post_messages != Some(false) => None,
        Ok(_) => Some(ChannelProblem::Missing(vec!["Post Messages"])),
        Err(error) => Some(unseen(&error)),
    };
    (standing, facts(&address, label, problem))
}

/// A refusal says that the channel is not there for the bot; anything else says nothing about it.
fn unseen(error: &ApiError) -> ChannelProblem {
    match error {
        ApiError::Refused { code: 400 | 403, .. } => ChannelProblem::NotHere,
        _ => ChannelProblem::Unknown,
    }
}
