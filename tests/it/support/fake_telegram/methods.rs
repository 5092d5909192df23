//! What each method does.

use super::{
    BOT_ID, BOT_NAME, Outcome, Refusal, Shared, markup, webhook,
    world::{Chat, Sent, World},
};
use crate::support::{multipart::File, weather::How};
use bellwether::domain::Timestamp;
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

pub(super) async fn call(shared: &Arc<Shared>, method: &str, parameters: &Value) -> Outcome {
    let mut world = match method {
        "getupdates" => return get_updates(shared, parameters).await,
        _ => shared.world(),
    };
    match method {
        "getme" => Ok(json!({ "id": BOT_ID, "is_bot": true, "first_name": "Bellwether", "username": BOT_NAME, "can_join_groups": true })),
        "sendmessage" => send(shared, &mut world, parameters, "text", 4096),
        "senddocument" => send(shared, &mut world, parameters, "caption", 1024),
        "editmessagetext" => edit(shared, &mut world, parameters, "text", 4096),
        "editmessagecaption" => edit(shared, &mut world, parameters, "caption", 1024),
        "editmessagemedia" => edit_media(shared, &mut world, parameters),
        "sendphoto" => {
            photo(&mut world, &parameters["photo"])?;
            send(shared, &mut world, parameters, "caption", 1024)
        }
        "answercallbackquery" => answer_press(&mut world, parameters),
        "getwebhookinfo" => Ok(webhook::info(&world)),
        "setwebhook" => {
            let set = webhook::set(&mut world, parameters, shared.clock.now());
            drop(world);
            shared.wake.notify_waiters();
            set
        }
        "deletewebhook" => webhook::delete(&mut world, parameters),
        "setmycommands" => {
            world.commands.insert(scope(parameters), parameters["commands"].clone());
            Ok(Value::Bool(true))
        }
        "getmycommands" => Ok(world.commands.get(&scope(parameters)).cloned().unwrap_or_else(|| json!([]))),
        "getchat" => {
            let id = find(&world, &parameters["chat_id"])?;
            let chat = &world.chats[&id];
            if chat.kind == "channel" && chat.username.is_none() {
                present(chat)?;
            }
            Ok(world.describe(id))
        }
        "getchatmember" => {
            let id = find(&world, &parameters["chat_id"])?;
            let user = parameters["user_id"].as_i64().unwrap();
            let chat = &world.chats[&id];
            let standing = |user| chat.members.get(&user).copied().unwrap_or("left");
            // Only its administrators see who is in a channel.
            if chat.kind == "channel" && user != BOT_ID && (chat.without_bot || standing(BOT_ID) != "administrator") {
                return Err(Refusal::new(400, "Bad Request: member list is inaccessible"));
            }
            let mut found = member(user, if user == BOT_ID && chat.without_bot { "left" } else { standing(user) });
            if user == BOT_ID && chat.may_not_post {
                found["can_post_messages"] = false.into();
            }
            Ok(found)
        }
        "getchatadministrators" => {
            let id = find(&world, &parameters["chat_id"])?;
            let chat = &world.chats[&id];
            present(chat)?;
            if chat.kind == "private" {
                return Err(Refusal::new(400, "Bad Request: there are no administrators in the private chat"));
            }
            let admins = chat.members.iter().filter(|(_, status)| matches!(**status, "creator" | "administrator"));
            Ok(admins.map(|(user, status)| member(*user, status)).collect())
        }
        _ => Err(Refusal::new(404, "Not Found: method not found")),
    }
}

fn scope(parameters: &Value) -> String {
    parameters["scope"]["type"].as_str().unwrap_or("default").to_owned()
}

fn member(user: i64, status: &str) -> Value {
    let mut member = json!({ "user": { "id": user, "is_bot": user == BOT_ID, "first_name": format!("User {user}") }, "status": status });
    if status == "administrator" {
        member["can_post_messages"] = true.into();
    }
    member
}

fn find(world: &World, chat: &Value) -> Result<i64, Refusal> {
    let by_name = |name: &str| world.chats.iter().find(|(_, chat)| chat.username.as_deref() == name.strip_prefix('@')).map(|(id, _)| *id);
    let id = chat.as_i64().or_else(|| by_name(chat.as_str()?));
    id.filter(|id| world.chats.contains_key(id)).ok_or_else(|| Refusal::new(400, "Bad Request: chat not found"))
}

fn present(chat: &Chat) -> Result<(), Refusal> {
    match (chat.migrated_to, chat.without_bot, chat.kind) {
        (Some(to), _, _) => {
            let description = "Bad Request: group chat was upgraded to a supergroup chat";
            Err(Refusal::with(400, description, json!({ "migrate_to_chat_id": to })))
        }
        (None, true, "private") => Err(Refusal::new(403, "Forbidden: bot was blocked by the user")),
        (None, true, kind) => Err(Refusal::new(403, format!("Forbidden: bot was kicked from the {kind} chat"))),
        (None, false, _) => Ok(()),
    }
}

fn file(part: &Value) -> File {
    let content = part["content"].as_array().into_iter().flatten().map(|byte| u8::try_from(byte.as_u64().unwrap()).unwrap()).collect();
    let text = |name: &str| part[name].as_str().map(str::to_owned);
    File { name: text("file_name").unwrap_or_default(), content_type: text("content_type"), content }
}

/// A photo that was sent before, by its name, or one that comes with the request.
fn photo(world: &mut World, given: &Value) -> Result<File, Refusal> {
    if let Some(name) = given.as_str() {
        let text = "Bad Request: wrong remote file identifier specified: can't unserialize it. Wrong last symbol";
        return world.photos.get(name).cloned().ok_or_else(|| Refusal::new(400, text));
    }
    let photo = file(given);
    if let Some(problem) = photo.is_no_png() {
        world.problems.push(problem.clone());
        return Err(Refusal::new(400, format!("Bad Request: IMAGE_PROCESS_FAILED: {problem}")));
    }
    if photo.content.len() > 10 * 1024 * 1024 {
        return Err(Refusal::new(413, "Request Entity Too Large"));
    }
    Ok(photo)
}

/// The photo of a message as an answer describes it: in several sizes.
fn sizes(name: &str) -> Value {
    let size = |name: &str, width: u32| json!({ "file_id": name, "file_unique_id": format!("u{width}"), "width": width, "height": width });
    json!([size("a-thumbnail", 90), size(name, 1200)])
}

/// A message with its text in this field, or a document or a photo with its caption.
fn send(shared: &Shared, world: &mut World, parameters: &Value, field: &str, most: usize) -> Outcome {
    let now = shared.clock.now();
    let chat = find(world, &parameters["chat_id"])?;
    let topic = parameters.get("message_thread_id").and_then(Value::as_i64);
    let known = &world.chats[&chat];
    present(known)?;
    if known.kind == "channel" && (known.may_not_post || known.members.get(&BOT_ID) != Some(&"administrator")) {
        return Err(Refusal::new(400, "Bad Request: need administrator rights in the channel chat"));
    }
    match topic.map(|topic| known.topics.get(&topic)) {
        // The General topic has the number 1 and cannot be named.
        Some(None) => return Err(Refusal::new(400, "Bad Request: message thread not found")),
        Some(Some(false)) => return Err(Refusal::new(400, "Bad Request: TOPIC_CLOSED")),
        Some(Some(true)) | None => {}
    }
    let raw = parameters[field].as_str().unwrap_or_default().to_owned();
    let text = match parameters.get("parse_mode").and_then(Value::as_str) {
        Some("HTML") => markup::visible(&raw).map_err(|why| Refusal::new(400, format!("Bad Request: can't parse entities: {why}")))?,
        Some(other) => return Err(Refusal::new(400, format!("Bad Request: unsupported parse_mode {other}"))),
        None => raw.clone(),
    };
    if parameters.get("photo").is_some() {
        may_send_photos(known)?;
    }
    let named = parameters["photo"].as_str().map(str::to_owned);
    let file = match &named {
        Some(name) => world.photos.get(name).cloned(),
        None => parameters.get("document").or(parameters.get("photo")).map(file),
    };
    if file.as_ref().is_some_and(|file| file.content.is_empty()) {
        return Err(Refusal::new(400, "Bad Request: file must be non-empty"));
    }
    if file.is_none() && text.trim().is_empty() {
        return Err(Refusal::new(400, "Bad Request: message text is empty"));
    }
    if text.encode_utf16().count() > most {
        return Err(Refusal::new(400, format!("Bad Request: message {field} is too long")));
    }
    let buttons = buttons(parameters)?;
    let replies_to = replies_to(world, chat, &parameters["reply_parameters"])?;
    take(world, chat, now)?;
    let id = i64::try_from(world.sent.len()).unwrap() + 100;
    let date = now.as_secs();
    let photo = parameters.get("photo").is_some().then(|| named.unwrap_or_else(|| format!("AgACAgIAAxkDAAI{id}")));
    if let (Some(name), Some(file)) = (&photo, &file) {
        world.photos.insert(name.clone(), file.clone());
    }
    world.sent.push(Sent {
        id,
        chat,
        topic,
        text: shown(&raw, text.clone()),
        raw,
        file,
        buttons,
        replies_to,
        edited: false,
        at: now,
        arrived: std::time::Instant::now(),
        read: false,
    });
    world.tell(&world.sent[world.sent.len() - 1], How::New);
    let mut message = json!({ "message_id": id, "date": date, "chat": world.describe(chat), field: text });
    if let Some(name) = photo {
        message["photo"] = sizes(&name);
    }
    Ok(message)
}

/// A place within the limits.
fn take(world: &mut World, chat: i64, now: Timestamp) -> Result<(), Refusal> {
    world.limits.take(chat, now).inspect_err(|_| world.tell_too_fast(chat))
}

fn may_send_photos(chat: &Chat) -> Result<(), Refusal> {
    let text = "Bad Request: not enough rights to send photos to the chat";
    if chat.without_photos { Err(Refusal::new(400, text)) } else { Ok(()) }
}

/// What a reader sees, with the marks of what is struck through.
fn shown(raw: &str, text: String) -> String {
    if !raw.contains("<s>") {
        return text;
    }
    markup::visible(&raw.replace("<s>", "<s>~~").replace("</s>", "~~</s>")).unwrap_or(text)
}

/// Only a message of this chat can be replied to; one that is gone, if that is allowed.
fn replies_to(world: &World, chat: i64, parameters: &Value) -> Result<Option<i64>, Refusal> {
    let Some(id) = parameters["message_id"].as_i64() else { return Ok(None) };
    let is_there = world.sent.iter().any(|sent| sent.chat == chat && sent.id == id);
    if !is_there && parameters["allow_sending_without_reply"] != true {
        return Err(Refusal::new(400, "Bad Request: message to be replied not found"));
    }
    Ok(is_there.then_some(id))
}

/// The text of a message of words, or the caption of one with a file.
fn edit(shared: &Shared, world: &mut World, parameters: &Value, field: &str, most: usize) -> Outcome {
    let now = shared.clock.now();
    let chat = find(world, &parameters["chat_id"])?;
    present(&world.chats[&chat])?;
    let raw = parameters[field].as_str().unwrap_or_default().to_owned();
    let text = match parameters.get("parse_mode").and_then(Value::as_str) {
        Some("HTML") => markup::visible(&raw).map_err(|why| Refusal::new(400, format!("Bad Request: can't parse entities: {why}")))?,
        _ => raw.clone(),
    };
    if text.trim().is_empty() || text.encode_utf16().count() > most {
        return Err(Refusal::new(400, "Bad Request: MESSAGE_TOO_LONG"));
    }
    let buttons = buttons(parameters)?;
    take(world, chat, now)?;
    let Some(sent) = world.sent.iter_mut().find(|sent| sent.chat == chat && Some(sent.id) == parameters["message_id"].as_i64()) else {
        return Err(Refusal::new(400, "Bad Request: message to edit not found"));
    };
    if sent.file.is_some() != (field == "caption") {
        return Err(Refusal::new(400, format!("Bad Request: there is no {field} in the message to edit")));
    }
    if sent.raw == raw && sent.buttons == buttons {
        return Err(not_modified());
    }
    sent.text = shown(&raw, text);
    (sent.raw, sent.buttons, sent.edited, sent.read) = (raw, buttons, true, false);
    let edited = sent.clone();
    world.tell(&edited, How::Edited);
    Ok(json!({ "message_id": edited.id, "date": now.as_secs(), "edit_date": now.as_secs() }))
}

fn not_modified() -> Refusal {
    let text = "Bad Request: message is not modified: specified new message content and reply markup are exactly the same as a current content and reply markup of the message";
    Refusal::new(400, text)
}

/// Another photo with another caption, in the place of those of a message with a file. Servers of before 2026 refuse that for a message of
/// words; so does this one.
fn edit_media(shared: &Shared, world: &mut World, parameters: &Value) -> Outcome {
    let now = shared.clock.now();
    let chat = find(world, &parameters["chat_id"])?;
    present(&world.chats[&chat])?;
    let media = &parameters["media"];
    if media["type"] != "photo" {
        return Err(Refusal::new(400, "Bad Request: can't parse InputMedia: type must be photo here"));
    }
    let attached = media["media"].as_str().and_then(|media| media.strip_prefix("attach://"));
    let given = match attached {
        Some(name) if parameters[name].is_null() => {
            return Err(Refusal::new(400, "Bad Request: can't parse InputMedia: there is no such part"));
        }
        Some(name) => &parameters[name],
        None => &media["media"],
    };
    let picture = photo(world, given)?;
    let raw = media["caption"].as_str().unwrap_or_default().to_owned();
    let text = match media["parse_mode"].as_str() {
        Some("HTML") => markup::visible(&raw).map_err(|why| Refusal::new(400, format!("Bad Request: can't parse entities: {why}")))?,
        _ => raw.clone(),
    };
    if text.encode_utf16().count() > 1024 {
        return Err(Refusal::new(400, "Bad Request: MEDIA_CAPTION_TOO_LONG"));
    }
    let buttons = buttons(parameters)?;
    may_send_photos(&world.chats[&chat])?;
    take(world, chat, now)?;
    let message = parameters["message_id"].as_i64();
    let Some(sent) = world.sent.iter_mut().find(|sent| sent.chat == chat && Some(sent.id) == message) else {
        return Err(Refusal::new(400, "Bad Request: message to edit not found"));
    };
    if sent.file.is_none() {
        return Err(Refusal::new(400, "Bad Request: there is no media in the message to edit"));
    }
    if sent.file.as_ref() == Some(&picture) && sent.raw == raw && sent.buttons == buttons {
        return Err(not_modified());
    }
    let name = given.as_str().map_or_else(|| format!("AgACAgIAAxkDAAIedit{}-{}", sent.id, world.photos.len()), str::to_owned);
    (sent.text, sent.raw, sent.file) = (shown(&raw, text), raw, Some(picture.clone()));
    (sent.buttons, sent.edited, sent.read) = (buttons, true, false);
    let edited = json!({ "message_id": sent.id, "date": now.as_secs(), "edit_date": now.as_secs(), "photo": sizes(&name) });
    let shown = sent.clone();
    world.tell(&shown, How::Edited);
    world.photos.insert(name, picture);
    Ok(edited)
}

/// The buttons of a keyboard, as Telegram would take them.
fn buttons(parameters: &Value) -> Result<Vec<(String, String)>, Refusal> {
    let markup = match parameters.get("reply_markup") {
        Some(Value::String(_)) => return Err(Refusal::new(400, "Bad Request: can't parse reply keyboard markup JSON object")),
        Some(markup) => markup.clone(),
        None => return Ok(Vec::new()),
    };
    let rows = markup["inline_keyboard"].as_array().cloned().unwrap_or_default();
    let one = |button: &Value| {
        let text = |name: &str| button[name].as_str().unwrap_or_default().to_owned();
        match (text("text"), text("callback_data")) {
            (label, _) if label.trim().is_empty() => Err(Refusal::new(400, "Bad Request: inline keyboard button text is empty")),
            (_, data) if data.is_empty() || data.len() > 64 => Err(Refusal::new(400, "Bad Request: BUTTON_DATA_INVALID")),
            (label, data) => Ok((label, data)),
        }
    };
    rows.iter().flat_map(|row| row.as_array().cloned().unwrap_or_default()).map(|button| one(&button)).collect()
}

fn answer_press(world: &mut World, parameters: &Value) -> Outcome {
    let query = parameters["callback_query_id"].as_str().unwrap_or_default();
    let Some(press) = world.presses.iter_mut().find(|press| press.query == query && press.answer.is_none()) else {
        return Err(Refusal::new(400, "Bad Request: query is too old and response timeout expired or query ID is invalid"));
    };
    if parameters["text"].as_str().is_some_and(|text| text.encode_utf16().count() > 200) {
        return Err(Refusal::new(400, "Bad Request: MESSAGE_TOO_LONG"));
    }
    let own = format!("https://t.me/{BOT_NAME}?start=");
    if parameters["url"].as_str().is_some_and(|url| !url.starts_with(&own)) {
        return Err(Refusal::new(400, "Bad Request: URL_INVALID"));
    }
    press.answer = Some(parameters.clone());
    Ok(Value::Bool(true))
}

async fn get_updates(shared: &Arc<Shared>, parameters: &Value) -> Outcome {
    let number = |name: &str| parameters.get(name).and_then(Value::as_i64);
    let ours = {
        let mut world = shared.world();
        if world.webhook.is_set() {
            let text = "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first";
            return Err(Refusal::new(409, text));
        }
        if let Some(offset) = number("offset") {
            world.updates.retain(|update| update["update_id"].as_i64().unwrap() >= offset);
        }
        world.polls += 1;
        world.polls
    };
    shared.wake.notify_waiters();
    let allowed: Vec<&str> = parameters["allowed_updates"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let limit = usize::try_from(number("limit").unwrap_or(100).clamp(1, 100)).unwrap();
    let patience = Duration::from_secs(u64::try_from(number("timeout").unwrap_or(0).clamp(0, 50)).unwrap());
    let deadline = tokio::time::Instant::now() + patience;
    loop {
        let woken = shared.wake.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        {
            let mut world = shared.world();
            world.expire_updates(shared.clock.now());
            if world.polls != ours {
                let text = "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running";
                return Err(Refusal::new(409, text));
            }
            let wanted =
                |update: &&Value| allowed.is_empty() || update.as_object().unwrap().keys().any(|key| allowed.contains(&key.as_str()));
            let found: Vec<Value> = world.updates.iter().filter(wanted).take(limit).cloned().collect();
            if !found.is_empty() || tokio::time::Instant::now() >= deadline {
                return Ok(Value::Array(found));
            }
        }
        let _ = tokio::time::timeout_at(deadline, woken).await;
    }
}
