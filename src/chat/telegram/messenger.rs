//! Sending: one `sendMessage` (`sendDocument` or `sendPhoto` where a file goes with it) per attempt, within the pace, its end classified.

use super::{
    api::{Api, ApiError, CALL_TIMEOUT},
    errors,
    limits::{Limits, Wait},
    render,
    webhook::Webhook,
};
use crate::{
    chat::{EditError, End, Messenger, Outgoing, Receipt, Scope, SendError, png_part},
    clock::SharedClock,
    domain::{
        Address, Platform, QuarantineReason, Timestamp,
        wording::{Button, Card, CardFile},
    },
};
use async_trait::async_trait;
use reqwest::multipart::{Form, Part};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use teloxide::{
    payloads::{EditMessageCaption, EditMessageText, EditMessageTextSetters, SendMessage, SendMessageSetters},
    types::{
        ChatId, InlineKeyboardButton, InlineKeyboardMarkup, LinkPreviewOptions, MessageId, ParseMode, ReplyMarkup, ReplyParameters,
        ThreadId,
    },
};
use tokio::{sync::OnceCell, time::Instant};

/// What a second request of the same attempt has at least.
const LEAST_TIMEOUT: Duration = Duration::from_secs(1);

/// What the adapter needs to know.
#[derive(Clone, Debug)]
pub struct TelegramSettings {
    /// `TELEGRAM_API_URL`: what stands in front of `/bot<token>/<method>`.
    pub api_url: String,
    /// `TELEGRAM_BOT_TOKEN`.
    pub token: SecretString,
    /// How updates come, if not by long polling.
    pub webhook: Option<Webhook>,
}

/// A bot on Telegram. Cheap to clone; all clones share one pace.
#[derive(Clone)]
pub struct Telegram(Arc<Inner>);

struct Inner {
    api: Api,
    clock: SharedClock,
    limits: Mutex<Limits>,
    webhook: Option<Webhook>,
    me: OnceCell<super::Me>,
}

impl fmt::Debug for Telegram {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Telegram").finish_non_exhaustive()
    }
}

/// A request under way: its place is given back however it ends, also when nobody waits for it any more.
struct UnderWay<'a> {
    telegram: &'a Telegram,
    chat: i64,
    is_reply: bool,
    ended: bool,
}

impl UnderWay<'_> {
    fn end(mut self) -> Timestamp {
        self.settle()
    }

    fn settle(&mut self) -> Timestamp {
        self.ended = true;
        let now = self.telegram.now();
        self.telegram.limits().end(self.chat, self.is_reply, now)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.settle();
        }
    }
}

impl Telegram {
    /// A bot that paces itself by `clock`.
    pub fn new(settings: TelegramSettings, clock: SharedClock) -> Self {
        let limits = Mutex::new(Limits::new(clock.now()));
        let TelegramSettings { api_url, token, webhook } = settings;
        Self(Arc::new(Inner { api: Api::new(&api_url, token), clock, limits, webhook, me: OnceCell::new() }))
    }

    pub(super) fn api(&self) -> &Api {
        &self.0.api
    }

    /// How updates come; nothing where they are polled.
    pub fn webhook(&self) -> Option<&Webhook> {
        self.0.webhook.as_ref()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    pub(super) fn known_me(&self) -> &OnceCell<super::Me> {
        &self.0.me
    }

    fn limits(&self) -> MutexGuard<'_, Limits> {
        self.0.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn deliver(&self, draft: &mut Draft<'_>) -> Result<Arrived, SendError> {
        let (began, chat) = (Instant::now(), draft.chat);
        let left = || CALL_TIMEOUT.saturating_sub(began.elapsed()).max(LEAST_TIMEOUT);
        let mut end = self.post(draft, Markup::Html, CALL_TIMEOUT).await;
        if draft.uploaded.is_some() && end.as_ref().is_err_and(errors::is_unknown_file) {
            tracing::warn!(chat, "Telegram does not know a picture any more; it is sent again");
            draft.uploaded = None;
            end = self.post(draft, Markup::Html, left()).await;
        }
        if let Err(error) = &end
            && draft.card.picture().is_some()
            && errors::may_be_the_picture(error)
        {
            tracing::warn!(chat, why = error.explain(), "Telegram refuses a message with a picture; it goes without");
            draft.leave_picture();
            end = self.post(draft, Markup::Html, left()).await;
        }
        if end.as_ref().is_err_and(errors::is_bad_markup) {
            tracing::error!(chat, "Telegram refuses the markup of a message; it goes as plain text");
            end = self.post(draft, Markup::None, left()).await;
        }
        match end {
            Ok(result) => Ok(Arrived {
                platform_id: result.get("message_id").and_then(Value::as_i64).map(|id| id.to_string()).unwrap_or_default(),
                photo: largest_photo(&result).filter(|_| draft.uploaded.is_none()),
            }),
            // The answer broke, but it had said that the message was sent.
            Err(ApiError::Unreadable { message_id: Some(id), .. }) => Ok(Arrived { platform_id: id.to_string(), photo: None }),
            Err(error) => Err(errors::classify(&error)),
        }
    }

    /// Edits the text; the caption, where it is a picture's.
    async fn put_in_place(&self, chat: i64, message: i32, card: &Card) -> Result<(), EditError> {
        let began = Instant::now();
        let left = || CALL_TIMEOUT.saturating_sub(began.elapsed()).max(LEAST_TIMEOUT);
        let text = |markup, timeout| self.edit_text(chat, message, card, markup, timeout);
        let mut end = text(Markup::Html, CALL_TIMEOUT).await;
        if end.as_ref().is_err_and(errors::is_bad_markup) {
            tracing::error!(chat, "Telegram refuses the markup of an edit; it goes as plain text");
            end = text(Markup::None, left()).await;
        }
        if end.as_ref().is_err_and(errors::is_not_text) {
            let caption = |markup| caption_edit(chat, message, card, markup);
            end = self.0.api.call("editMessageCaption", &caption(Markup::Html), left()).await;
            if end.as_ref().is_err_and(errors::is_bad_markup) {
                end = self.0.api.call("editMessageCaption", &caption(Markup::None), left()).await;
            }
        }
        match end {
            Ok(_) => Ok(()),
            Err(error) if errors::is_as_it_was(&error) => Ok(()),
            Err(error) => Err(EditError::of(errors::classify(&error))),
        }
    }

    async fn edit_text(&self, chat: i64, message: i32, card: &Card, markup: Markup, timeout: Duration) -> Result<Value, ApiError> {
        let text = match markup {
            Markup::Html => render::html(card),
            Markup::None => render::plain(card),
        };
        let mut edit = EditMessageText::new(ChatId(chat), MessageId(message), text).link_preview_options(NO_PREVIEW);
        edit.parse_mode = (markup == Markup::Html).then_some(ParseMode::Html);
        edit.reply_markup = keyboard(card);
        self.0.api.call("editMessageText", &edit, timeout).await
    }

    async fn post(&self, draft: &Draft<'_>, markup: Markup, timeout: Duration) -> Result<Value, ApiError> {
        let Draft { to, chat, ref card, ref uploaded, replies_to } = *draft;
        let text = match markup {
            Markup::Html => render::html(card),
            Markup::None => render::plain(card),
        };
        let topic = topic(to);
        match (&card.file, uploaded) {
            (None, _) => {
                let mut message = message(chat, topic, text, markup, keyboard(card));
                message.reply_parameters = replies_to.map(reply_to);
                self.0.api.call("sendMessage", &message, timeout).await
            }
            (Some(CardFile::Picture(_)), Some(name)) => {
                self.0.api.call("sendPhoto", &named_photo(chat, topic, name, &text, markup, card), timeout).await
            }
            (Some(file), _) => {
                let method = match file {
                    CardFile::Picture(_) => "sendPhoto",
                    CardFile::Text { .. } => "sendDocument",
                };
                self.0.api.upload(method, form(chat, topic, text, markup, card, file), timeout).await
            }
        }
    }
}

#[async_trait]
impl Messenger for Telegram {
    fn platform(&self) -> Platform {
        Platform::Telegram
    }

    fn keeps_pictures(&self) -> bool {
        true
    }

    fn admit(&self, now: Timestamp) -> Result<(), Timestamp> {
        self.limits().admit(now)
    }

    async fn send(&self, outgoing: &Outgoing) -> Result<Receipt, SendError> {
        let to = &outgoing.to;
        let Ok(chat) = to.chat.parse::<i64>() else {
            return Err(SendError::Gone { reason: QuarantineReason::WrongKind, why: format!("{to} is no Telegram chat") });
        };
        let now = self.now();
        self.limits().begin(chat, outgoing.is_reply, now).map_err(|wait| paced(wait, now))?;
        let under_way = UnderWay { telegram: self, chat, is_reply: outgoing.is_reply, ended: false };
        let uploaded = outgoing.illustration.as_ref().and_then(|illustration| illustration.uploaded.clone());
        let replies_to = outgoing.replies_to.as_deref().and_then(|id| id.parse().ok());
        let sent = self.deliver(&mut Draft { to, chat, card: outgoing.card(), uploaded, replies_to }).await;
        let rest_until = under_way.end();
        sent.map(|Arrived { platform_id, photo }| Receipt { platform_id, rest_until: Some(rest_until), route: None, uploaded: photo })
    }

    async fn edit(&self, outgoing: &Outgoing, platform_id: &str) -> Result<Receipt, EditError> {
        let to = &outgoing.to;
        let (Ok(chat), Ok(message)) = (to.chat.parse::<i64>(), platform_id.parse::<i32>()) else {
            return Err(EditError::Refused { why: format!("{platform_id} in {to} is no message on Telegram") });
        };
        let now = self.now();
        self.limits().begin(chat, outgoing.is_reply, now).map_err(|wait| paced(wait, now))?;
        let under_way = UnderWay { telegram: self, chat, is_reply: outgoing.is_reply, ended: false };
        let ended = self.put_in_place(chat, message, &outgoing.card()).await;
        let rest_until = under_way.end();
        ended.map(|()| Receipt { platform_id: platform_id.to_owned(), rest_until: Some(rest_until), route: None, uploaded: None })
    }
}

/// What one attempt sends.
struct Draft<'a> {
    to: &'a Address,
    chat: i64,
    card: Card,
    /// What Telegram calls its picture.
    uploaded: Option<String>,
    replies_to: Option<i32>,
}

impl Draft<'_> {
    fn leave_picture(&mut self) {
        self.card.file = None;
        self.uploaded = None;
    }
}

/// What Telegram calls the message, and the photo that was brought there with it.
struct Arrived {
    platform_id: String,
    photo: Option<String>,
}

/// A photo comes back in several sizes, each with a name; the last is the largest.
fn largest_photo(message: &Value) -> Option<String> {
    message.get("photo")?.as_array()?.last()?.get("file_id")?.as_str().map(str::to_owned)
}

/// The chat's own pace (another topic of the same group used it up) is a wait like Telegram's own, without having asked.
fn paced(wait: Wait, now: Timestamp) -> SendError {
    let (until, scope, why) = match wait {
        Wait::Chat(until) => (until, Scope::Destination, "this chat has had its share of messages"),
        Wait::Reply(until) => (until, Scope::Message, "this group has had its share of replies"),
    };
    SendError::Retry { after: Some(until.since(now)), scope, end: End::NotTried, why: why.to_owned() }
}

/// How a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Markup {
    Html,
    /// What goes where the markup is refused.
    None,
}

/// The topic to name; the General topic is the chat without a topic: named, it is "not found".
fn topic(to: &Address) -> Option<i32> {
    to.topic.as_deref().and_then(|topic| topic.parse().ok()).filter(|topic| *topic != 1)
}

/// No message of ours shows what its links lead to.
const NO_PREVIEW: LinkPreviewOptions =
    LinkPreviewOptions { is_disabled: true, url: None, prefer_small_media: false, prefer_large_media: false, show_above_text: false };

/// The request as teloxide builds it; it goes out through our own transport, which keeps code, parameters and body of the answer.
fn message(chat: i64, topic: Option<i32>, text: String, markup: Markup, keyboard: Option<InlineKeyboardMarkup>) -> SendMessage {
    let mut message = SendMessage::new(ChatId(chat), text).link_preview_options(NO_PREVIEW);
    message.parse_mode = (markup == Markup::Html).then_some(ParseMode::Html);
    message.message_thread_id = topic.map(|topic| ThreadId(MessageId(topic)));
    message.reply_markup = keyboard.map(ReplyMarkup::InlineKeyboard);
    message
}

/// A reply, or a message by itself where that which it replies to is gone.
fn reply_to(message: i32) -> ReplyParameters {
    ReplyParameters { message_id: MessageId(message), allow_sending_without_reply: Some(true), ..ReplyParameters::default() }
}

fn caption_edit(chat: i64, message: i32, card: &Card, markup: Markup) -> EditMessageCaption {
    let mut edit = EditMessageCaption::new(ChatId(chat), MessageId(message));
    edit.caption = Some(match markup {
        Markup::Html => render::html_caption(card),
        Markup::None => render::plain_caption(card),
    });
    edit.parse_mode = (markup == Markup::Html).then_some(ParseMode::Html);
    edit.reply_markup = keyboard(card);
    edit
}

/// The most buttons of a row whose labels a phone shows whole.
const ROW: usize = 3;

/// The buttons beneath a card, in rows of the same length.
fn keyboard(card: &Card) -> Option<InlineKeyboardMarkup> {
    let button = |button: &Button| InlineKeyboardButton::callback(button.label.plain(), button.press.to_string());
    let count = card.buttons.len();
    let row = count.div_ceil(count.div_ceil(ROW).max(1)).max(1);
    (count > 0).then(|| InlineKeyboardMarkup::new(card.buttons.chunks(row).map(|row| row.iter().map(button))))
}

/// A photo that Telegram has, with the text as its caption.
fn named_photo(chat: i64, topic: Option<i32>, name: &str, caption: &str, markup: Markup, card: &Card) -> Value {
    let mut photo = json!({ "chat_id": chat, "photo": name, "caption": caption });
    if markup == Markup::Html {
        photo["parse_mode"] = json!("HTML");
    }
    if let Some(topic) = topic {
        photo["message_thread_id"] = json!(topic);
    }
    if let Some(keyboard) = keyboard(card) {
        photo["reply_markup"] = json!(keyboard);
    }
    photo
}

/// A file with the text as its caption. Built by hand: teloxide's own sends it through its own transport.
fn form(chat: i64, topic: Option<i32>, caption: String, markup: Markup, card: &Card, file: &CardFile) -> Form {
    let mut form = Form::new().text("chat_id", chat.to_string()).text("caption", caption);
    if markup == Markup::Html {
        form = form.text("parse_mode", "HTML");
    }
    if let Some(topic) = topic {
        form = form.text("message_thread_id", topic.to_string());
    }
    if let Some(keyboard) = keyboard(card) {
        form = form.text("reply_markup", serde_json::to_string(&keyboard).expect("a keyboard is plain data"));
    }
    match file {
        CardFile::Text { name, content } => form.part("document", Part::text(content.clone()).file_name(name.clone())),
        CardFile::Picture(picture) => form.part("photo", png_part(picture)),
    }
}
