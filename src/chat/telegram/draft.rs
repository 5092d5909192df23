//! One message on its way: the requests that bring it, and what is left out of it once Telegram refuses that. Pure.

use super::{api::ApiError, errors, render};
use crate::{
    chat::png_part,
    domain::{
        Address,
        wording::{Button, Card, CardFile, Picture},
    },
};
use reqwest::multipart::{Form, Part};
use serde::Serialize;
use serde_json::{Value, json};
use teloxide::{
    payloads::{EditMessageCaption, EditMessageText, EditMessageTextSetters, SendMessage, SendMessageSetters},
    types::{
        ChatId, InlineKeyboardButton, InlineKeyboardMarkup, LinkPreviewOptions, MessageId, ParseMode, ReplyMarkup, ReplyParameters,
        ThreadId,
    },
};

/// What one attempt says, and where it stands.
pub(super) struct Draft<'a> {
    pub(super) to: &'a Address,
    pub(super) chat: i64,
    pub(super) card: Card,
    /// What Telegram calls its picture.
    pub(super) uploaded: Option<String>,
    pub(super) place: Place,
    pub(super) markup: Markup,
}

/// Where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Below everything else, perhaps as a reply.
    New { replies_to: Option<i32> },
    /// In the place of a message of words.
    TextOf(i32),
    /// In the place of a message with a picture, which cannot become one of words.
    PhotoOf(i32),
}

/// How a text is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Markup {
    Html,
    /// What goes where the markup is refused.
    None,
}

/// What a request carries.
pub(super) enum Body {
    Json(Value),
    /// With a file.
    Form(Form),
}

/// What is left out, or done otherwise, after a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LeftOut {
    /// The message to edit is one with a picture: its caption.
    Text,
    /// The picture's name: it is brought there again.
    Name,
    /// The markup.
    Markup,
    /// The picture.
    Picture,
}

/// The most buttons of a row whose labels a phone shows whole.
const ROW: usize = 3;
/// The name of the part of a form that an edit's picture is.
const ATTACHED: &str = "picture";

impl Draft<'_> {
    /// Method and parameters. Built with teloxide where it can; they go out through our own transport, which keeps code, parameters and body of
    /// the answer.
    pub(super) fn request(&self) -> (&'static str, Body) {
        match (self.place, &self.card.file) {
            (Place::TextOf(message), _) => ("editMessageText", Body::json(&self.text_edit(message))),
            (Place::PhotoOf(message), Some(CardFile::Picture(picture))) => ("editMessageMedia", self.media_edit(message, picture)),
            (Place::PhotoOf(message), _) => ("editMessageCaption", Body::json(&self.caption_edit(message))),
            (Place::New { replies_to }, None) => ("sendMessage", Body::json(&self.message(replies_to))),
            (Place::New { .. }, Some(file @ CardFile::Text { .. })) => ("sendDocument", self.form("document", file)),
            (Place::New { .. }, Some(file @ CardFile::Picture(_))) => match &self.uploaded {
                Some(name) => ("sendPhoto", self.named_photo(name)),
                None => ("sendPhoto", self.form("photo", file)),
            },
        }
    }

    /// Leaves out what is refused, each thing once; nothing where the refusal is of something else.
    pub(super) fn leave_out(&mut self, refusal: &ApiError) -> Option<LeftOut> {
        if let Place::TextOf(message) = self.place
            && errors::is_not_text(refusal)
        {
            self.place = Place::PhotoOf(message);
            return Some(LeftOut::Text);
        }
        if self.markup == Markup::Html && errors::is_bad_markup(refusal) {
            self.markup = Markup::None;
            return Some(LeftOut::Markup);
        }
        if !self.brings_picture() || errors::is_as_it_was(refusal) {
            return None;
        }
        if self.uploaded.is_some() && errors::is_unknown_file(refusal) {
            self.uploaded = None;
            return Some(LeftOut::Name);
        }
        if errors::may_be_the_picture(refusal) {
            self.card.file = None;
            self.uploaded = None;
            return Some(LeftOut::Picture);
        }
        None
    }

    fn brings_picture(&self) -> bool {
        self.card.picture().is_some() && !matches!(self.place, Place::TextOf(_))
    }

    fn text(&self, card: &Card) -> String {
        match self.markup {
            Markup::Html => render::html(card),
            Markup::None => render::plain(card),
        }
    }

    /// Short enough to stand beneath a picture.
    fn caption(&self) -> String {
        match self.markup {
            Markup::Html => render::html_caption(&self.card),
            Markup::None => render::plain_caption(&self.card),
        }
    }

    fn parse_mode(&self) -> Option<ParseMode> {
        (self.markup == Markup::Html).then_some(ParseMode::Html)
    }

    /// The topic to name; the General topic is the chat without a topic: named, it is "not found".
    fn topic(&self) -> Option<i32> {
        self.to.topic.as_deref().and_then(|topic| topic.parse().ok()).filter(|topic| *topic != 1)
    }

    /// The buttons beneath it, in rows of the same length.
    fn keyboard(&self) -> Option<InlineKeyboardMarkup> {
        let button = |button: &Button| InlineKeyboardButton::callback(button.label.plain(), button.press.to_string());
        let count = self.card.buttons.len();
        let row = count.div_ceil(count.div_ceil(ROW).max(1)).max(1);
        (count > 0).then(|| InlineKeyboardMarkup::new(self.card.buttons.chunks(row).map(|row| row.iter().map(button))))
    }

    fn message(&self, replies_to: Option<i32>) -> SendMessage {
        let mut message = SendMessage::new(ChatId(self.chat), self.text(&self.card)).link_preview_options(NO_PREVIEW);
        message.parse_mode = self.parse_mode();
        message.message_thread_id = self.topic().map(|topic| ThreadId(MessageId(topic)));
        message.reply_markup = self.keyboard().map(ReplyMarkup::InlineKeyboard);
        message.reply_parameters = replies_to.map(reply_to);
        message
    }

    fn text_edit(&self, message: i32) -> EditMessageText {
        let words = self.card.clone().without_picture();
        let mut edit = EditMessageText::new(ChatId(self.chat), MessageId(message), self.text(&words)).link_preview_options(NO_PREVIEW);
        edit.parse_mode = self.parse_mode();
        edit.reply_markup = self.keyboard();
        edit
    }

    fn caption_edit(&self, message: i32) -> EditMessageCaption {
        let mut edit = EditMessageCaption::new(ChatId(self.chat), MessageId(message));
        edit.caption = Some(self.caption());
        edit.parse_mode = self.parse_mode();
        edit.reply_markup = self.keyboard();
        edit
    }

    /// Another picture and another caption in one
    /// ([Telegram, editMessageMedia](https://core.telegram.org/bots/api#editmessagemedia)).
    fn media_edit(&self, message: i32, picture: &Picture) -> Body {
        let media = self.uploaded.clone().unwrap_or_else(|| format!("attach://{ATTACHED}"));
        let mut media = json!({ "type": "photo", "media": media, "caption": self.caption() });
        if let Some(mode) = self.parse_mode() {
            media["parse_mode"] = json!(mode);
        }
        if self.uploaded.is_some() {
            let mut edit = json!({ "chat_id": self.chat, "message_id": message, "media": media });
            if let Some(keyboard) = self.keyboard() {
                edit["reply_markup"] = json!(keyboard);
            }
            return Body::Json(edit);
        }
        let form = Form::new().text("chat_id", self.chat.to_string()).text("message_id", message.to_string());
        let form = self.with_keyboard(form.text("media", media.to_string()));
        Body::Form(form.part(ATTACHED, png_part(picture)))
    }

    /// A photo that Telegram has, with the text as its caption.
    fn named_photo(&self, name: &str) -> Body {
        let mut photo = json!({ "chat_id": self.chat, "photo": name, "caption": self.caption() });
        if let Some(mode) = self.parse_mode() {
            photo["parse_mode"] = json!(mode);
        }
        if let Some(topic) = self.topic() {
            photo["message_thread_id"] = json!(topic);
        }
        if let Some(keyboard) = self.keyboard() {
            photo["reply_markup"] = json!(keyboard);
        }
        Body::Json(photo)
    }

    /// A file with the text as its caption. Built by hand: teloxide's own sends it through its own transport.
    fn form(&self, part: &'static str, file: &CardFile) -> Body {
        let mut form = Form::new().text("chat_id", self.chat.to_string()).text("caption", self.caption());
        if self.parse_mode().is_some() {
            form = form.text("parse_mode", "HTML");
        }
        if let Some(topic) = self.topic() {
            form = form.text("message_thread_id", topic.to_string());
        }
        let content = match file {
            CardFile::Text { name, content } => Part::text(content.clone()).file_name(name.clone()),
            CardFile::Picture(picture) => png_part(picture),
        };
        Body::Form(self.with_keyboard(form).part(part, content))
    }

    fn with_keyboard(&self, form: Form) -> Form {
        match self.keyboard() {
            Some(keyboard) => form.text("reply_markup", json!(keyboard).to_string()),
            None => form,
        }
    }
}

impl Body {
    fn json(parameters: &impl Serialize) -> Self {
        Self::Json(json!(parameters))
    }
}

/// No message of ours shows what its links lead to.
const NO_PREVIEW: LinkPreviewOptions =
    LinkPreviewOptions { is_disabled: true, url: None, prefer_small_media: false, prefer_large_media: false, show_above_text: false };

/// A reply, or a message by itself where that which it replies to is gone.
fn reply_to(message: i32) -> ReplyParameters {
    ReplyParameters { message_id: MessageId(message), allow_sending_without_reply: Some(true), ..ReplyParameters::default() }
}
