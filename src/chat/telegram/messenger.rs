//! Sending and editing: one message per attempt, within the pace, its end classified.

use super::{
    api::{Api, ApiError, CALL_TIMEOUT},
    draft::{Body, Draft, LeftOut, Markup, Place},
    errors,
    limits::{Limits, Wait},
    webhook::Webhook,
};
use crate::{
    chat::{EditError, End, Messenger, Outgoing, Receipt, Scope, SendError, WithoutPictures},
    clock::SharedClock,
    domain::{Platform, QuarantineReason, SentLately, Timestamp},
    http::{Credential, Renewals},
};
use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::{Value, json};
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
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
    /// Chats whose members may not send photos, bots included.
    without_pictures: WithoutPictures,
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
        Self(Arc::new(Inner {
            api: Api::new(&api_url, token),
            clock,
            limits,
            without_pictures: WithoutPictures::default(),
            webhook,
            me: OnceCell::new(),
        }))
    }

    /// The bot's token.
    pub fn token(&self) -> &Credential {
        self.api().token()
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

    /// Sends or edits, and again without what is refused of it: the words are what matters.
    async fn deliver(&self, draft: &mut Draft<'_>) -> Result<Arrived, ApiError> {
        let began = Instant::now();
        let (chat, mut forbids_pictures) = (draft.chat, false);
        let result = loop {
            let left = CALL_TIMEOUT.saturating_sub(began.elapsed()).max(LEAST_TIMEOUT);
            let (method, body) = draft.request();
            let end = match body {
                Body::Json(parameters) => self.0.api.call(method, &parameters, left).await,
                Body::Form(form) => self.0.api.upload(method, form, left).await,
            };
            let error = match end {
                Ok(result) => break result,
                // The answer broke, but it had said that the message was sent.
                Err(ApiError::Unreadable { message_id: Some(id), .. }) => break json!({ "message_id": id }),
                Err(error) => error,
            };
            match draft.leave_out(&error) {
                None => return Err(error),
                Some(LeftOut::Text) => {}
                Some(LeftOut::Name) => tracing::warn!(chat, "Telegram does not know a picture any more; it is sent again"),
                Some(LeftOut::Markup) => tracing::error!(chat, "Telegram refuses the markup of a message; it goes as plain text"),
                Some(LeftOut::Picture) => {
                    forbids_pictures = errors::forbids_pictures(&error);
                    tracing::warn!(chat, why = error.explain(), "Telegram refuses a message with a picture; it goes without");
                }
            }
        };
        // Only where the words go: otherwise it is not about pictures.
        if forbids_pictures {
            self.0.without_pictures.note(&chat.to_string(), self.now());
        }
        Ok(Arrived {
            platform_id: result.get("message_id").and_then(Value::as_i64).map(|id| id.to_string()).unwrap_or_default(),
            photo: largest_photo(&result).filter(|_| draft.card.picture().is_some() && draft.uploaded.is_none()),
        })
    }

    /// What an attempt says: without its picture where none is taken.
    fn draft<'a>(&self, outgoing: &'a Outgoing, chat: i64, place: Place) -> Draft<'a> {
        let (to, mut card) = (&outgoing.to, outgoing.card());
        if self.0.without_pictures.holds(&to.chat, self.now()) {
            card = card.without_picture();
        }
        let uploaded = outgoing.illustration.as_ref().and_then(|illustration| illustration.uploaded.clone());
        Draft { to, chat, card, uploaded, place, markup: Markup::Html }
    }

    /// What the bot may do in a chat has changed, or pictures are asked for there.
    pub(super) fn try_pictures_again(&self, chat: i64) {
        self.0.without_pictures.forget(&chat.to_string());
    }
}

#[async_trait]
impl Messenger for Telegram {
    fn platform(&self) -> Platform {
        Platform::Telegram
    }

    fn renewals(&self) -> Option<Renewals> {
        Some(self.token().renewals())
    }

    fn keeps_pictures(&self) -> bool {
        true
    }

    fn places(&self, now: Timestamp) -> Result<usize, Timestamp> {
        self.limits().free(now)
    }

    fn admit(&self, now: Timestamp) -> Result<(), Timestamp> {
        self.limits().admit(now)
    }

    fn recall(&self, sent: &[SentLately], now: Timestamp) {
        let known = sent.iter().filter_map(|sent| Some((sent.chat.parse().ok()?, sent.is_reply, sent.ended_at.unwrap_or(now))));
        self.limits().recall(known, now);
    }

    async fn answers(&self) -> Option<bool> {
        Some(self.me().await.map_or_else(|error| !errors::classify(&error).is_no_answer(), |_| true))
    }

    async fn send(&self, outgoing: &Outgoing) -> Result<Receipt, SendError> {
        let to = &outgoing.to;
        let Ok(chat) = to.chat.parse::<i64>() else {
            return Err(SendError::Gone { reason: QuarantineReason::WrongKind, why: format!("{to} is no Telegram chat") });
        };
        let now = self.now();
        self.limits().begin(chat, outgoing.is_reply, now).map_err(|wait| paced(wait, now))?;
        let under_way = UnderWay { telegram: self, chat, is_reply: outgoing.is_reply, ended: false };
        let replies_to = outgoing.replies_to.as_deref().and_then(|id| id.parse().ok());
        let sent = self.deliver(&mut self.draft(outgoing, chat, Place::New { replies_to })).await;
        let rest_until = under_way.end();
        let Arrived { platform_id, photo } = sent.map_err(|error| errors::classify(&error))?;
        Ok(Receipt { platform_id, rest_until: Some(rest_until), route: None, uploaded: photo })
    }

    async fn edit(&self, outgoing: &Outgoing, platform_id: &str) -> Result<Receipt, EditError> {
        let to = &outgoing.to;
        let (Ok(chat), Ok(message)) = (to.chat.parse::<i64>(), platform_id.parse::<i32>()) else {
            return Err(EditError::Refused { why: format!("{platform_id} in {to} is no message on Telegram") });
        };
        let now = self.now();
        self.limits().begin(chat, outgoing.is_reply, now).map_err(|wait| paced(wait, now))?;
        let under_way = UnderWay { telegram: self, chat, is_reply: outgoing.is_reply, ended: false };
        let ended = self.deliver(&mut self.draft(outgoing, chat, Place::TextOf(message))).await;
        let rest_until = under_way.end();
        let photo = match ended {
            Ok(Arrived { photo, .. }) => photo,
            Err(error) if errors::is_as_it_was(&error) => None,
            Err(error) => return Err(EditError::of(errors::classify(&error))),
        };
        Ok(Receipt { platform_id: platform_id.to_owned(), rest_until: Some(rest_until), route: None, uploaded: photo })
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
