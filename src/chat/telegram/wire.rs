//! What is read of an update: a few fields, everything else ignored. teloxide's own types lose the text of a message with an entity that
//! they do not know, so that a command would be lost silently.

use serde::Deserialize;

#[derive(Debug, Deserialize)]
pub(super) struct Update {
    pub(super) message: Option<Message>,
    pub(super) callback_query: Option<CallbackQuery>,
    pub(super) my_chat_member: Option<MemberChange>,
}

/// A button was pressed.
#[derive(Debug, Deserialize)]
pub(super) struct CallbackQuery {
    pub(super) id: String,
    pub(super) from: User,
    /// The message of the button: of an old one little more than its chat.
    pub(super) message: Option<Message>,
    /// What the button sends. From outside: clients may send what they like.
    pub(super) data: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Message {
    pub(super) chat: Chat,
    /// Unix seconds.
    pub(super) date: i64,
    pub(super) from: Option<User>,
    pub(super) sender_chat: Option<Chat>,
    pub(super) text: Option<String>,
    #[serde(default)]
    pub(super) entities: Vec<Entity>,
    #[serde(default)]
    pub(super) is_topic_message: bool,
    pub(super) message_thread_id: Option<i64>,
    /// Present on forwarded messages, whatever it holds.
    pub(super) forward_origin: Option<serde::de::IgnoredAny>,
    pub(super) reply_to_message: Option<EarlierMessage>,
    pub(super) migrate_to_chat_id: Option<i64>,
    pub(super) migrate_from_chat_id: Option<i64>,
    /// Present where it says that its topic is open again.
    pub(super) forum_topic_reopened: Option<serde::de::IgnoredAny>,
}

/// The message that another one replies to.
#[derive(Debug, Deserialize)]
pub(super) struct EarlierMessage {
    pub(super) message_id: i64,
    /// Present where it began a topic.
    pub(super) forum_topic_created: Option<serde::de::IgnoredAny>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Chat {
    pub(super) id: i64,
    #[serde(default, rename = "type")]
    pub(super) kind: String,
    pub(super) title: Option<String>,
    /// Without `@`; public chats alone.
    pub(super) username: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct User {
    pub(super) id: i64,
    #[serde(default)]
    pub(super) is_bot: bool,
}

#[derive(Debug, Deserialize)]
pub(super) struct Entity {
    #[serde(default, rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) offset: i64,
}

/// Somebody's place in a chat: of `my_chat_member`, `getChatMember` and `getChatAdministrators`.
#[derive(Debug, Deserialize)]
pub(super) struct Member {
    pub(super) user: User,
    pub(super) status: String,
    /// Restricted members alone.
    pub(super) is_member: Option<bool>,
    pub(super) can_send_messages: Option<bool>,
    /// Administrators of channels alone.
    pub(super) can_post_messages: Option<bool>,
}

impl Member {
    /// Whether it may post in a channel.
    pub(super) fn may_post(&self) -> bool {
        self.is_admin() && self.can_post_messages == Some(true)
    }

    /// Creator or administrator.
    pub(super) fn is_admin(&self) -> bool {
        matches!(self.status.as_str(), "creator" | "administrator")
    }
}

/// The bot's own place in a chat changed.
#[derive(Debug, Deserialize)]
pub(super) struct MemberChange {
    pub(super) chat: Chat,
    pub(super) date: i64,
    /// Who changed it.
    pub(super) from: Option<User>,
    pub(super) old_chat_member: Option<Member>,
    pub(super) new_chat_member: Member,
}
