//! Who may do what, asked of Telegram itself (`rules.md` 5.9).

use super::{
    Telegram,
    api::{ApiError, CALL_TIMEOUT},
    wire::Member,
};
use crate::{commands::Standing, domain::Timestamp};
use serde_json::json;
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
        match administrators(telegram, chat).await {
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

async fn administrators(telegram: &Telegram, chat: i64) -> Result<Vec<Member>, ApiError> {
    let result = telegram.api().call("getChatAdministrators", &json!({ "chat_id": chat }), CALL_TIMEOUT).await?;
    serde_json::from_value(result).map_err(|error| ApiError::Unreadable { raw: error.to_string(), message_id: None })
}
