//! From an update to what it asks of us: pure, platform rules alone (`rules.md` 5.9).

use super::wire::{CallbackQuery, Chat, Member, MemberChange, Message, Update};
use crate::{
    commands::{Command, Presence, Venue, command_named},
    domain::{Address, ButtonPress, Platform, QuarantineReason, Timestamp, UserId, clean_name},
};

/// "GroupAnonymousBot": an administrator who writes as the group.
const ANONYMOUS_ADMIN: i64 = 1_087_968_824;
/// Writes for the channel that is linked to a group.
const LINKED_CHANNEL: i64 = 777_000;

/// What an update asks of us.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Intake {
    /// A command for this bot.
    Command(Said),
    /// Something else that was written to the bot in private.
    Talk(Said),
    /// A button was pressed.
    Press(Pressed),
    /// News of the bot's own place.
    Presence { news: Presence, chat: i64, at: Timestamp, promotion: Option<Promotion> },
    /// Nothing.
    Nothing,
}

/// A button that was pressed. Whatever becomes of it, the press is answered.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Pressed {
    /// The press, as Telegram numbers it.
    pub(super) query: String,
    /// Who: under their own name, also where they administer a group without it.
    pub(super) user: i64,
    /// What was pressed and where; nothing where that is no button of ours.
    pub(super) button: Option<(ButtonPress, Spot)>,
}

/// Where the message of a button stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Spot {
    /// In a private chat or a group: what is answered is read there.
    Chat { chat: i64, venue: Venue },
    /// In a channel: nobody but the bot's own alerts speaks there.
    Channel { chat: i64 },
}

impl Spot {
    pub(super) const fn chat(&self) -> i64 {
        match self {
            Self::Chat { chat, .. } | Self::Channel { chat } => *chat,
        }
    }
}

/// Somebody let the bot post in a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Promotion {
    /// Who.
    pub(super) by: i64,
    /// What people call the channel.
    pub(super) label: String,
    /// How it is named in a command.
    pub(super) channel: String,
}

/// What a word after the slash means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Word {
    /// What Telegram's own button says, and what a deep link makes it say with a payload.
    Start,
    /// `/channel`: which one, and what to do, follow.
    Channel,
    Command(Command),
    Unknown,
}

/// What was said, by whom and where.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Said {
    pub(super) chat: i64,
    pub(super) venue: Venue,
    pub(super) speaker: Speaker,
    /// What stands after the slash, in lower case; empty where nothing does.
    pub(super) name: String,
    /// What follows it.
    pub(super) rest: String,
    /// The message that it replies to.
    pub(super) replies_to: Option<i64>,
    pub(super) at: Timestamp,
}

/// Who said it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Speaker {
    /// A person under their own name.
    Person(i64),
    /// An administrator who writes as the group itself.
    AnonymousAdmin,
    /// Somebody who writes as a channel: nobody knows who.
    Channel(i64),
}

impl Said {
    pub(super) fn word(&self) -> Word {
        match self.name.as_str() {
            "start" => Word::Start,
            "channel" => Word::Channel,
            name => command_named(name).map_or(Word::Unknown, Word::Command),
        }
    }

    /// Who counts as having said it, as Telegram numbers them. Nobody knows which administrator writes as the group: those of one group
    /// are one person, and not those of all groups.
    pub(super) fn user(&self) -> UserId {
        UserId(match self.speaker {
            Speaker::Person(id) | Speaker::Channel(id) => id.to_string(),
            Speaker::AnonymousAdmin => self.chat.to_string(),
        })
    }
}

/// Reads an update for the bot of this name (without `@`).
pub(super) fn intake(update: &Update, bot: &str) -> Intake {
    match (&update.message, &update.callback_query, &update.my_chat_member) {
        (Some(message), ..) => from_message(message, bot),
        (None, Some(query), _) => Intake::Press(from_callback(query)),
        (None, None, Some(change)) => from_member_change(change),
        (None, None, None) => Intake::Nothing,
    }
}

/// The chat whose order must be kept; 0 where there is none.
pub(super) fn chat_of(update: &Update) -> i64 {
    let of_press = || update.callback_query.as_ref()?.message.as_ref();
    let chat = update.message.as_ref().or_else(of_press).map(|message| &message.chat);
    chat.or(update.my_chat_member.as_ref().map(|change| &change.chat)).map_or(0, |chat| chat.id)
}

fn telegram(chat: i64) -> Address {
    Address::new(Platform::Telegram, chat.to_string())
}

fn from_message(message: &Message, bot: &str) -> Intake {
    let (chat, at) = (message.chat.id, Timestamp::from_secs(message.date));
    if let Some((from, to)) = moved(message) {
        let news = Presence::Moved { from: telegram(from), to: telegram(to) };
        return Intake::Presence { news, chat, at, promotion: None };
    }
    if message.forum_topic_reopened.is_some() {
        return Intake::Presence { news: Presence::ChatChanged { chat: telegram(chat) }, chat, at, promotion: None };
    }
    let (Some(venue), Some(speaker), Some(text)) = (venue_of(message), speaker_of(message), &message.text) else {
        return Intake::Nothing;
    };
    let said = |name: &str, rest: &str| {
        let (name, rest) = (name.to_ascii_lowercase(), rest.trim().to_owned());
        Said { chat, venue: venue.clone(), speaker: speaker.clone(), name, rest, replies_to: replies_to(message), at }
    };
    let is_private = matches!(venue, Venue::Private { .. });
    match spoken(message, text) {
        Some((_, Some(other), _)) if !other.eq_ignore_ascii_case(bot) => Intake::Nothing,
        Some((name, _, rest)) => Intake::Command(said(name, rest)),
        None if is_private => Intake::Talk(said("", text)),
        None => Intake::Nothing,
    }
}

fn from_callback(query: &CallbackQuery) -> Pressed {
    let press = query.data.as_deref().and_then(ButtonPress::parse);
    let spot = query.message.as_ref().and_then(|message| {
        let chat = message.chat.id;
        match venue_of(message) {
            Some(venue) => Some(Spot::Chat { chat, venue }),
            None => (message.chat.kind == "channel").then_some(Spot::Channel { chat }),
        }
    });
    Pressed { query: query.id.clone(), user: query.from.id, button: press.zip(spot) }
}

/// In a topic everything replies to what began the topic.
fn replies_to(message: &Message) -> Option<i64> {
    message.reply_to_message.as_ref().filter(|earlier| earlier.forum_topic_created.is_none()).map(|earlier| earlier.message_id)
}

/// A group became a supergroup: told in both chats, in the old one and in the new one.
fn moved(message: &Message) -> Option<(i64, i64)> {
    let chat = message.chat.id;
    message.migrate_to_chat_id.map(|to| (chat, to)).or_else(|| message.migrate_from_chat_id.map(|from| (from, chat)))
}

fn venue_of(message: &Message) -> Option<Venue> {
    let mut address = telegram(message.chat.id);
    match message.chat.kind.as_str() {
        "private" => Some(Venue::Private { address }),
        "group" | "supergroup" => {
            // Replies carry a thread id of their own: only a topic's is one to answer in. General has none.
            address.topic = message.message_thread_id.filter(|_| message.is_topic_message).map(|id| id.to_string());
            Some(Venue::Group { address, label: clean_name(message.chat.title.as_deref().unwrap_or_default()) })
        }
        _ => None,
    }
}

fn speaker_of(message: &Message) -> Option<Speaker> {
    let from = message.from.as_ref()?;
    match &message.sender_chat {
        Some(Chat { id, .. }) if *id == message.chat.id && from.id == ANONYMOUS_ADMIN => Some(Speaker::AnonymousAdmin),
        Some(_) if from.id == LINKED_CHANNEL => None,
        Some(Chat { id, .. }) => Some(Speaker::Channel(*id)),
        None if from.is_bot || from.id == LINKED_CHANNEL => None,
        None => Some(Speaker::Person(from.id)),
    }
}

/// The command's name, whose it is, and the words after it. Forwarded text and code are quotations, not commands.
fn spoken<'a>(message: &Message, text: &'a str) -> Option<(&'a str, Option<&'a str>, &'a str)> {
    let quoted = message.entities.iter().any(|entity| entity.offset == 0 && matches!(entity.kind.as_str(), "code" | "pre"));
    if quoted || message.forward_origin.is_some() {
        return None;
    }
    let (name, rest) = leading_word(text.strip_prefix('/')?);
    if name.is_empty() {
        return None;
    }
    match rest.strip_prefix('@') {
        Some(rest) => {
            let (bot, rest) = leading_word(rest);
            Some((name, Some(bot), rest))
        }
        None => Some((name, None, rest)),
    }
}

fn leading_word(text: &str) -> (&str, &str) {
    text.split_at(text.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(text.len()))
}

fn from_member_change(change: &MemberChange) -> Intake {
    let chat = telegram(change.chat.id);
    let news = match lost(&change.chat, &change.new_chat_member) {
        Some(reason) => Presence::Lost { chat, reason },
        None => Presence::Back { chat },
    };
    Intake::Presence { news, chat: change.chat.id, at: Timestamp::from_secs(change.date), promotion: promotion(change) }
}

/// Somebody under their own name, who let the bot post in a channel where it could not before.
fn promotion(change: &MemberChange) -> Option<Promotion> {
    let could = change.old_chat_member.as_ref().is_some_and(Member::may_post);
    if change.chat.kind != "channel" || could || !change.new_chat_member.may_post() {
        return None;
    }
    let by = change.from.as_ref().filter(|from| !from.is_bot)?.id;
    let channel = change.chat.username.as_ref().map_or_else(|| change.chat.id.to_string(), |name| format!("@{name}"));
    let title = clean_name(change.chat.title.as_deref().unwrap_or_default());
    Some(Promotion { by, label: if title.is_empty() { channel.clone() } else { title }, channel })
}

/// Why the bot cannot write there any more, if so.
fn lost(chat: &Chat, me: &Member) -> Option<QuarantineReason> {
    match me.status.as_str() {
        // In a private chat this is a block.
        "kicked" | "left" if chat.kind == "private" => Some(QuarantineReason::Blocked),
        "kicked" | "left" => Some(QuarantineReason::Removed),
        "restricted" if me.is_member == Some(false) => Some(QuarantineReason::Removed),
        "restricted" if me.can_send_messages == Some(false) => Some(QuarantineReason::Forbidden),
        "administrator" if chat.kind == "channel" && me.can_post_messages == Some(false) => Some(QuarantineReason::Forbidden),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn read(update: &Value) -> Intake {
        intake(&serde_json::from_value(update.clone()).unwrap(), "bellwether_bot")
    }

    fn group(text: &str) -> Value {
        json!({ "update_id": 1, "message": { "message_id": 5, "date": 1_700_000_000, "text": text,
            "chat": { "id": -1001, "type": "supergroup", "title": "Traders" }, "from": { "id": 7, "is_bot": false, "first_name": "A" } } })
    }

    fn said(update: &Value) -> Said {
        match read(update) {
            Intake::Command(said) => said,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_command_is_ours_unless_it_names_another_bot() {
        let found = said(&group("/Subscribe@Bellwether_Bot  SOL,ETH hourly"));
        assert_eq!((found.word(), found.rest.as_str()), (Word::Command(Command::Subscribe), "SOL,ETH hourly"));
        assert_eq!(said(&group("/signal SOL")).rest, "SOL");
        assert_eq!(said(&group("/start@bellwether_bot payload")).word(), Word::Start);
        assert_eq!(said(&group("/unheard_of")).word(), Word::Unknown);
        for text in ["/subscribe@otherbot SOL", "subscribe SOL", "/", " /subscribe SOL", "a /subscribe"] {
            assert_eq!(read(&group(text)), Intake::Nothing, "{text}");
        }
    }

    #[test]
    fn an_unknown_entity_or_field_loses_nothing() {
        let mut update = group("/subscribe SOL");
        update["message"]["entities"] =
            json!([{ "type": "bot_command", "offset": 0, "length": 10 }, { "type": "date_time", "offset": 11, "x": {} }]);
        update["message"]["brand_new"] = json!({ "a": [1] });
        assert_eq!(said(&update).rest, "SOL");
    }

    #[test]
    fn quotations_are_no_commands() {
        let mut forwarded = group("/subscribe SOL");
        forwarded["message"]["forward_origin"] = json!({ "type": "user" });
        let mut code = group("/subscribe SOL");
        code["message"]["entities"] = json!([{ "type": "pre", "offset": 0, "length": 14 }]);
        assert_eq!((read(&forwarded), read(&code)), (Intake::Nothing, Intake::Nothing));
    }

    #[test]
    fn only_a_topics_own_thread_is_a_topic() {
        let mut update = group("/subscribe SOL");
        update["message"]["message_thread_id"] = json!(42);
        assert!(matches!(said(&update).venue, Venue::Group { address, .. } if address.topic.is_none()));
        update["message"]["is_topic_message"] = json!(true);
        assert!(matches!(said(&update).venue, Venue::Group { address, .. } if address.topic.as_deref() == Some("42")));
    }

    #[test]
    fn who_writes_as_the_group_is_an_admin_and_who_writes_as_a_channel_is_not() {
        let with = |from: i64, sender: i64| {
            let mut update = group("/subscribe SOL");
            update["message"]["from"] = json!({ "id": from, "is_bot": true });
            update["message"]["sender_chat"] = json!({ "id": sender, "type": "channel" });
            update
        };
        assert_eq!(said(&with(1_087_968_824, -1001)).speaker, Speaker::AnonymousAdmin);
        assert_eq!(said(&with(1_087_968_824, -1001)).user(), UserId("-1001".to_owned()), "not one person for all groups");
        assert_eq!(said(&with(1_087_968_824, -1002)).speaker, Speaker::Channel(-1002));
        assert_eq!(said(&with(136_817_688, -1002)).speaker, Speaker::Channel(-1002));
        assert_eq!(said(&with(136_817_688, -1001)).speaker, Speaker::Channel(-1001));
        assert_eq!(read(&with(777_000, -1002)), Intake::Nothing);
    }

    #[test]
    fn channel_posts_are_nothing() {
        let mut update = group("/subscribe SOL");
        update["message"]["chat"]["type"] = json!("channel");
        assert_eq!(read(&update), Intake::Nothing);
        assert_eq!(read(&json!({ "update_id": 1, "channel_post": { "text": "/subscribe SOL" } })), Intake::Nothing);
    }

    #[test]
    fn the_bots_own_place_is_followed() {
        let change = |kind: &str, member: Value| {
            let mut member = member;
            member["user"] = json!({ "id": 1, "is_bot": true });
            match read(
                &json!({ "update_id": 1, "my_chat_member": { "date": 5, "chat": { "id": -9, "type": kind }, "from": { "id": 7 }, "new_chat_member": member } }),
            ) {
                Intake::Presence { news: Presence::Lost { reason, .. }, .. } => Some(reason),
                Intake::Presence { news: Presence::Back { .. }, .. } => None,
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(change("private", json!({ "status": "kicked" })), Some(QuarantineReason::Blocked));
        assert_eq!(change("private", json!({ "status": "member" })), None);
        assert_eq!(change("supergroup", json!({ "status": "left" })), Some(QuarantineReason::Removed));
        assert_eq!(change("supergroup", json!({ "status": "administrator" })), None);
        assert_eq!(
            change("supergroup", json!({ "status": "restricted", "is_member": true, "can_send_messages": false })),
            Some(QuarantineReason::Forbidden)
        );
        assert_eq!(change("channel", json!({ "status": "administrator", "can_post_messages": false })), Some(QuarantineReason::Forbidden));
    }

    #[test]
    fn who_lets_the_bot_post_in_a_channel_is_told_how_to_go_on() {
        let change = |kind: &str, by: &Value, old: &Value, new: &Value| {
            let chat = json!({ "id": -1009, "type": kind, "title": "News\u{202e}", "username": "news" });
            let update = json!({ "update_id": 1, "my_chat_member": { "date": 5, "chat": chat, "from": by, "old_chat_member": old, "new_chat_member": new } });
            match read(&update) {
                Intake::Presence { promotion, .. } => promotion,
                other => panic!("{other:?}"),
            }
        };
        let bot = json!({ "id": 1, "is_bot": true });
        let (person, left) = (json!({ "id": 7 }), json!({ "user": bot, "status": "left" }));
        let admin = |may: bool| json!({ "user": bot, "status": "administrator", "can_post_messages": may });
        let found = change("channel", &person, &left, &admin(true));
        assert_eq!(found, Some(Promotion { by: 7, label: "News".to_owned(), channel: "@news".to_owned() }));
        assert_eq!(change("channel", &person, &admin(false), &admin(true)), found);
        assert_eq!(change("channel", &person, &admin(true), &admin(true)), None, "it could before");
        assert_eq!(change("channel", &person, &left, &admin(false)), None);
        assert_eq!(change("channel", &bot, &left, &admin(true)), None);
        assert_eq!(change("supergroup", &person, &left, &admin(true)), None);
    }

    #[test]
    fn a_topic_that_is_open_again_may_be_written_to() {
        let chat = json!({ "id": -1005, "type": "supergroup", "is_forum": true });
        let said = json!({ "date": 5, "chat": chat, "message_thread_id": 7, "is_topic_message": true, "forum_topic_reopened": {} });
        let expected = Presence::ChatChanged { chat: telegram(-1005) };
        assert!(matches!(read(&json!({ "update_id": 1, "message": said })), Intake::Presence { news, .. } if news == expected));
    }

    #[test]
    fn a_move_is_understood_from_either_side() {
        let expected = Presence::Moved { from: telegram(-5), to: telegram(-1005) };
        for (chat, field, other) in [(-5, "migrate_to_chat_id", -1005), (-1005, "migrate_from_chat_id", -5)] {
            let update = json!({ "update_id": 1, "message": { "date": 5, "chat": { "id": chat, "type": "group" }, field: other } });
            assert!(matches!(read(&update), Intake::Presence { news, .. } if news == expected));
        }
    }
}
