//! What the fake knows: chats, their people and topics, updates that wait, messages that came.

use super::{BOT_ID, BOT_NAME, Fault, limits::Limits, webhook::Webhook};
use crate::support::{
    multipart::File,
    weather::{Heard, How, Weather, Witness},
};
use bellwether::domain::Timestamp;
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    time::Duration,
};

/// How long an update waits to be fetched, and a press of a button.
const KEPT: Duration = Duration::from_hours(24);
const PRESS_KEPT: Duration = Duration::from_secs(150);

/// One chat.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chat {
    pub(crate) kind: &'static str,
    pub(crate) title: String,
    /// Without `@`.
    pub(crate) username: Option<String>,
    /// Their standing by user; everybody else is a member.
    pub(crate) members: BTreeMap<i64, &'static str>,
    /// Topics and whether they are open.
    pub(crate) topics: BTreeMap<i64, bool>,
    /// The bot administers the channel, but may not post.
    pub(crate) may_not_post: bool,
    /// Its members, bots included, may not send photos.
    pub(crate) without_photos: bool,
    /// Blocked by the person, or removed from the chat.
    pub(crate) without_bot: bool,
    pub(crate) migrated_to: Option<i64>,
}

/// A message that the bot sent.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Sent {
    pub(crate) id: i64,
    pub(crate) chat: i64,
    pub(crate) topic: Option<i64>,
    /// As it was sent.
    pub(crate) raw: String,
    /// As a reader sees it.
    pub(crate) text: String,
    /// The file that it brought.
    pub(crate) file: Option<File>,
    /// The buttons beneath it: what each says and sends.
    pub(crate) buttons: Vec<(String, String)>,
    pub(crate) replies_to: Option<i64>,
    /// It was edited since it came.
    pub(crate) edited: bool,
    pub(crate) at: Timestamp,
    /// When it arrived, for measuring.
    pub(crate) arrived: std::time::Instant,
    pub(crate) read: bool,
}

/// A button that somebody pressed.
#[derive(Clone, Debug)]
pub(crate) struct Press {
    pub(crate) query: String,
    /// What the presser's client was told.
    pub(crate) answer: Option<Value>,
}

/// Everything.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) chats: BTreeMap<i64, Chat>,
    /// Updates that were not confirmed, in order.
    pub(crate) updates: Vec<Value>,
    /// Every update that ever was.
    pub(crate) told: Vec<Value>,
    /// When each of them came, in Unix seconds.
    came: BTreeMap<i64, i64>,
    /// Those that nobody fetched in time.
    pub(crate) expired: BTreeSet<i64>,
    pub(crate) sent: Vec<Sent>,
    pub(crate) presses: Vec<Press>,
    /// The photos that were sent, by the names that they were given.
    pub(crate) photos: BTreeMap<String, File>,
    pub(crate) webhook: Webhook,
    pub(crate) commands: HashMap<String, Value>,
    /// Counts `getUpdates`: a later one ends an earlier one.
    pub(crate) polls: u64,
    /// The time of the messages that people write, in Unix seconds.
    pub(crate) date: i64,
    pub(crate) faults: Vec<(String, Option<i64>, Fault)>,
    pub(super) weather: Option<Weather<Fault>>,
    pub(super) witness: Option<Witness>,
    /// What is taken instead of the usual token.
    pub(crate) token: Option<String>,
    pub(super) calls: Vec<(String, Value)>,
    pub(super) problems: Vec<String>,
    pub(super) limits: Limits,
}

impl World {
    /// Someone who talked to the bot.
    pub(crate) fn person(&mut self, id: i64) -> &mut Chat {
        self.chats.entry(id).or_insert_with(|| Chat { kind: "private", ..Chat::default() })
    }

    /// A supergroup with an administrator.
    pub(crate) fn group(&mut self, id: i64, title: &str, admin: i64) -> &mut Chat {
        let members = BTreeMap::from([(admin, "administrator"), (BOT_ID, "member")]);
        self.chats.entry(id).or_insert_with(|| Chat { kind: "supergroup", title: title.to_owned(), members, ..Chat::default() })
    }

    /// A channel where the bot may post.
    pub(crate) fn channel(&mut self, id: i64, username: &str, admin: i64) -> &mut Chat {
        let members = BTreeMap::from([(admin, "creator"), (BOT_ID, "administrator")]);
        let chat = Chat { kind: "channel", title: username.to_owned(), username: Some(username.to_owned()), members, ..Chat::default() };
        self.chats.entry(id).or_insert(chat)
    }

    /// Adds an update under the next number, unless it has one; gives the number.
    pub(crate) fn push(&mut self, mut update: Value) -> i64 {
        let next = self.told.iter().filter_map(|update| update["update_id"].as_i64()).max().unwrap_or(1000) + 1;
        if update.get("update_id").is_none() {
            update["update_id"] = next.into();
        }
        let id = update["update_id"].as_i64().unwrap();
        self.told.push(update.clone());
        self.updates.push(update);
        self.came.insert(id, self.date);
        id
    }

    /// "Incoming updates are stored on the server until the bot receives them either way, but they will not be kept longer than 24 hours."
    /// <https://core.telegram.org/bots/api#getting-updates> A press is kept for 150 seconds, as the server's source says.
    pub(super) fn expire_updates(&mut self, now: Timestamp) {
        let (came, expired) = (&self.came, &mut self.expired);
        self.updates.retain(|update| {
            let id = update["update_id"].as_i64().unwrap();
            let kept = if update.get("callback_query").is_some() { PRESS_KEPT } else { KEPT };
            let is_kept = came[&id] + kept.as_secs().cast_signed() >= now.as_secs();
            if !is_kept {
                expired.insert(id);
            }
            is_kept
        });
    }

    /// The same update once more.
    pub(crate) fn redeliver(&mut self, id: i64) {
        let update = self.told.iter().find(|update| update["update_id"] == id).unwrap().clone();
        self.updates.push(update);
    }

    /// Someone writes in a chat; `extra` is laid over the message.
    pub(crate) fn say_with(&mut self, chat: i64, user: i64, text: &str, extra: &Value) -> i64 {
        if chat > 0 {
            self.person(chat);
        }
        let mut message = json!({
            "message_id": self.told.len() + 1, "date": self.date, "chat": self.describe(chat), "text": text,
            "from": { "id": user, "is_bot": false, "first_name": format!("User {user}") },
        });
        if let Some(length) = text.starts_with('/').then(|| text.split_whitespace().next().unwrap_or_default().len()) {
            message["entities"] = json!([{ "type": "bot_command", "offset": 0, "length": length }]);
        }
        for (name, value) in extra.as_object().cloned().unwrap_or_default() {
            message[name] = value;
        }
        self.push(json!({ "message": message }))
    }

    /// Someone writes in a chat.
    pub(crate) fn say(&mut self, chat: i64, user: i64, text: &str) -> i64 {
        self.say_with(chat, user, text, &json!({}))
    }

    /// Someone presses the button that says so beneath a message.
    pub(crate) fn press(&mut self, user: i64, message: &Sent, label: &str) -> i64 {
        let (_, data) = message.buttons.iter().find(|(says, _)| says == label).unwrap_or_else(|| panic!("no {label} beneath {message:?}"));
        self.press_with(user, message.chat, message.topic, &json!(data))
    }

    /// Someone presses a button beneath a message that is too old for Telegram to show it to bots (`InaccessibleMessage`).
    pub(crate) fn press_old(&mut self, user: i64, message: &Sent, label: &str) -> i64 {
        let id = self.press(user, message, label);
        let chat = self.describe(message.chat);
        for update in self.told.iter_mut().chain(&mut self.updates).filter(|update| update["update_id"] == id) {
            update["callback_query"]["message"] = json!({ "message_id": message.id, "date": 0, "chat": chat });
        }
        id
    }

    /// Someone's client claims that a button with this data was pressed.
    pub(crate) fn press_with(&mut self, user: i64, chat: i64, topic: Option<i64>, data: &Value) -> i64 {
        let query = format!("{}", 4_000_000_000_000_000_000_u64 + self.presses.len() as u64);
        let mut message = json!({ "message_id": 7, "date": self.date, "chat": self.describe(chat), "text": "an alert" });
        if let Some(topic) = topic {
            message["is_topic_message"] = true.into();
            message["message_thread_id"] = topic.into();
        }
        let from = json!({ "id": user, "is_bot": false, "first_name": format!("User {user}") });
        let pressed = json!({ "id": query, "from": from, "message": message, "chat_instance": "1", "data": data });
        self.presses.push(Press { query, answer: None });
        self.push(json!({ "callback_query": pressed }))
    }

    /// Someone replies to a message of the bot.
    pub(crate) fn reply(&mut self, user: i64, to: &Sent, text: &str) -> i64 {
        let bot = json!({ "id": BOT_ID, "is_bot": true, "first_name": "Bellwether", "username": BOT_NAME });
        let earlier = json!({ "message_id": to.id, "date": to.at.as_secs(), "chat": self.describe(to.chat), "from": bot, "text": to.text });
        let mut extra = json!({ "reply_to_message": earlier });
        if let Some(topic) = to.topic {
            extra["is_topic_message"] = true.into();
            extra["message_thread_id"] = topic.into();
        }
        self.say_with(to.chat, user, text, &extra)
    }

    /// Someone writes in a topic.
    pub(crate) fn say_in_topic(&mut self, chat: i64, topic: i64, user: i64, text: &str) -> i64 {
        self.say_with(chat, user, text, &json!({ "is_topic_message": true, "message_thread_id": topic }))
    }

    /// An administrator opens a topic again, which its group is told of.
    pub(crate) fn reopen(&mut self, chat: i64, topic: i64, by: i64) -> i64 {
        self.chats.get_mut(&chat).unwrap().topics.insert(topic, true);
        let from = json!({ "id": by, "is_bot": false, "first_name": format!("User {by}") });
        let message = json!({
            "message_id": self.told.len() + 1, "date": self.date, "chat": self.describe(chat), "from": from,
            "is_topic_message": true, "message_thread_id": topic, "forum_topic_reopened": {},
        });
        self.push(json!({ "message": message }))
    }

    /// An administrator writes as the group itself.
    pub(crate) fn say_as_group(&mut self, chat: i64, text: &str) -> i64 {
        let from = json!({ "id": 1_087_968_824, "is_bot": true, "first_name": "Group", "username": "GroupAnonymousBot" });
        let sender = self.describe(chat);
        self.say_with(chat, 0, text, &json!({ "from": from, "sender_chat": sender }))
    }

    /// The bot's own place changes; without it nothing arrives there.
    pub(crate) fn place(&mut self, chat: i64, status: &str) -> i64 {
        self.chats.get_mut(&chat).unwrap().without_bot = matches!(status, "kicked" | "left");
        let bot = json!({ "id": BOT_ID, "is_bot": true, "first_name": "Bellwether", "username": BOT_NAME });
        let change = json!({
            "chat": self.describe(chat), "date": self.date, "from": { "id": 7, "is_bot": false, "first_name": "User 7" },
            "old_chat_member": { "user": bot, "status": "member" }, "new_chat_member": { "user": bot, "status": status, "until_date": 0 },
        });
        self.push(json!({ "my_chat_member": change }))
    }

    /// Somebody makes the bot an administrator of a channel, with or without the right to post.
    pub(crate) fn promote(&mut self, chat: i64, by: i64, may_post: bool) -> i64 {
        let bot = json!({ "id": BOT_ID, "is_bot": true, "first_name": "Bellwether", "username": BOT_NAME });
        let known = self.chats.get_mut(&chat).unwrap();
        let was_admin = known.members.insert(BOT_ID, "administrator") == Some("administrator") && !known.without_bot;
        let could = was_admin && !known.may_not_post;
        (known.without_bot, known.may_not_post) = (false, !may_post);
        let member = |admin: bool, may: bool| {
            if admin {
                json!({ "user": bot, "status": "administrator", "can_post_messages": may })
            } else {
                json!({ "user": bot, "status": "left" })
            }
        };
        let change = json!({
            "chat": self.describe(chat), "date": self.date, "from": { "id": by, "is_bot": false, "first_name": format!("User {by}") },
            "old_chat_member": member(was_admin, could), "new_chat_member": member(true, may_post),
        });
        self.push(json!({ "my_chat_member": change }))
    }

    /// A group becomes a supergroup: both chats say so.
    pub(crate) fn migrate(&mut self, from: i64, to: i64) {
        let chat = Chat { kind: "supergroup", ..self.chats[&from].clone() };
        self.chats.insert(to, chat);
        self.chats.get_mut(&from).unwrap().migrated_to = Some(to);
        let (old, new) = (self.describe(from), self.describe(to));
        self.push(json!({ "message": { "message_id": 1, "date": self.date, "chat": old, "migrate_to_chat_id": to } }));
        self.push(json!({ "message": { "message_id": 1, "date": self.date, "chat": new, "migrate_from_chat_id": from } }));
    }

    pub(super) fn describe(&self, chat: i64) -> Value {
        let known = self.chats.get(&chat).unwrap_or_else(|| panic!("chat {chat} was never made"));
        let mut described = json!({ "id": chat, "type": known.kind });
        if chat < 0 {
            described["title"] = known.title.clone().into();
        }
        if let Some(username) = &known.username {
            described["username"] = username.clone().into();
        }
        described
    }

    pub(super) fn tell(&self, sent: &Sent, how: How) {
        if let Some(witness) = &self.witness {
            let (chat, id) = (sent.chat.to_string(), sent.id.to_string());
            witness(Heard { chat, topic: sent.topic, id, text: sent.text.clone(), how });
        }
    }

    /// A message was refused for coming too fast.
    pub(super) fn tell_too_fast(&self, chat: i64) {
        if let Some(witness) = &self.witness {
            witness(Heard { chat: chat.to_string(), topic: None, id: String::new(), text: String::new(), how: How::TooFast });
        }
    }

    pub(super) fn take_fault(&mut self, method: &str, parameters: &Value) -> Option<Fault> {
        let chat = parameters.get("chat_id").and_then(Value::as_i64);
        if let Some(weather) = &self.weather {
            return weather(method, &chat.map(|chat| chat.to_string()).unwrap_or_default());
        }
        let at = self.faults.iter().position(|(name, only, _)| name == method && (only.is_none() || *only == chat))?;
        Some(self.faults.remove(at).2)
    }
}
