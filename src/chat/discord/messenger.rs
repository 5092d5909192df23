//! Discord as a [`Messenger`]: one attempt, with the same nonce each time, classified by what to do next.

use super::{
    client::{Discord, Inner, channel_id, snowflake},
    errors::{self, ARCHIVED},
    render,
    transport::{Answer, Ask},
};
use crate::{
    chat::{EditError, End, Messenger, Outgoing, Receipt, Scope, SendError, nonce},
    domain::{Mention, MessageBody, Platform, SentLately, Timestamp, wording::Card},
    http::Renewals,
};
use async_trait::async_trait;
use serde_json::{Value, json};
use serenity::{
    builder::CreateMessage,
    http::{LightMethod, Route},
    model::{
        channel::{MessageFlags, MessageReference, MessageReferenceKind, Nonce},
        id::{ChannelId, MessageId},
    },
};

/// The name under which the limiter remembers what it learns of creating messages.
const SENDING: &str = "create message";
/// The same of editing them.
const EDITING: &str = "edit message";

/// A complete answer, and until when the channel rests.
type Answered = (Answer, Option<Timestamp>);

#[async_trait]
impl Messenger for Discord {
    fn platform(&self) -> Platform {
        Platform::Discord
    }

    fn renewals(&self) -> Option<Renewals> {
        Some(self.token().renewals())
    }

    fn places(&self, now: Timestamp) -> Result<usize, Timestamp> {
        self.0.limiter().free(now)
    }

    fn admit(&self, now: Timestamp) -> Result<(), Timestamp> {
        self.0.limiter().admit(now)
    }

    fn recall(&self, sent: &[SentLately], now: Timestamp) {
        self.0.limiter().recall(sent.iter().map(|sent| sent.ended_at.unwrap_or(now)), now);
    }

    async fn answers(&self) -> Option<bool> {
        self.0.answers().await
    }

    async fn send(&self, outgoing: &Outgoing) -> Result<Receipt, SendError> {
        if matches!(&outgoing.body, MessageBody::Card { card } if card.file.is_some()) {
            self.0.limiter().give_back();
            return Err(SendError::Rejected { why: "on Discord a file goes with the answer to a command alone".to_owned() });
        }
        let route = self.0.route(outgoing).await?;
        let channel =
            channel_id(&route).ok_or_else(|| SendError::Rejected { why: format!("{} is not an address on Discord", outgoing.to) })?;
        let now = self.0.clock.now();
        let rests = self.0.limiter().rests_until(SENDING, &route, now);
        if let Some(until) = rests {
            self.0.limiter().give_back();
            return Err(wait_until(until, now, "the channel's limit is used up"));
        }
        let (answer, rest_until) = self.0.put(outgoing, channel, None).await?;
        if !answer.is_success() {
            return Err(errors::classify(&answer));
        }
        let platform_id = self.0.shown(&answer, channel).await?;
        let route = outgoing.to.direct_user().map(|_| route);
        Ok(Receipt { platform_id, rest_until, route, uploaded: None })
    }

    async fn edit(&self, outgoing: &Outgoing, platform_id: &str) -> Result<Receipt, EditError> {
        let route = self.0.route(outgoing).await?;
        let (Some(channel), Some(id)) = (channel_id(&route), snowflake(platform_id).map(MessageId::new)) else {
            self.0.limiter().give_back();
            return Err(EditError::Refused { why: format!("{platform_id} in {} is no message on Discord", outgoing.to) });
        };
        let now = self.0.clock.now();
        if let Some(until) = self.0.limiter().rests_until(EDITING, &route, now) {
            self.0.limiter().give_back();
            return Err(wait_until(until, now, "the channel's limit is used up").into());
        }
        let (answer, rest_until) = self.0.put(outgoing, channel, Some(id)).await?;
        if !answer.is_success() {
            return Err(errors::of_edit(&answer));
        }
        // What says of no message that it was edited does not come from Discord.
        let platform_id = self.0.shown(&answer, channel).await?;
        Ok(Receipt { platform_id, rest_until, route: outgoing.to.direct_user().map(|_| route.clone()), uploaded: None })
    }
}

impl Inner {
    /// The concrete channel: the address itself, or someone's direct messages, opened at their turn where they are not known yet.
    async fn route(&self, outgoing: &Outgoing) -> Result<String, SendError> {
        if let Some(route) = &outgoing.route {
            return Ok(route.clone());
        }
        let Some(user) = outgoing.to.direct_user() else { return Ok(outgoing.to.chat.clone()) };
        let now = self.clock.now();
        let turn = self.limiter().admit_opening(&user.to_string(), now);
        if let Err(until) = turn {
            self.limiter().give_back();
            return Err(wait_until(until, now, "direct messages are opened one a second"));
        }
        self.limiter().count(now);
        self.open(&user).await.map_err(not_served)
    }

    /// Writes the message, or puts it in the place of that one: without its picture where that may be what is refused, and in a thread that is
    /// opened again where it was archived.
    async fn put(&self, outgoing: &Outgoing, channel: ChannelId, edits: Option<MessageId>) -> Result<Answered, SendError> {
        let (now, mut card) = (self.clock.now(), outgoing.card());
        let key = channel.to_string();
        if self.without_pictures.holds(&key, now) {
            card = card.without_picture();
        }
        let mut answered = self.put_once(outgoing, channel, edits, &card).await?;
        if card.picture().is_some() && errors::may_be_the_picture(&answered.0) {
            let (why, is_forbidden) = (errors::explain(&answered.0), answered.0.status == 403);
            tracing::warn!(channel = channel.get(), why, "Discord refuses a message with a picture; it goes without");
            card = card.without_picture();
            self.limiter().count(self.clock.now());
            answered = self.put_once(outgoing, channel, edits, &card).await?;
            // Only where the words go: otherwise it is not about pictures.
            if is_forbidden && answered.0.is_success() {
                self.without_pictures.note(&key, now);
            }
        }
        if !answered.0.is_success() && answered.0.error().is_some_and(|error| error.code == ARCHIVED) {
            self.unarchive(channel).await?;
            // Whether files are allowed there is not known yet, and nothing would look at that refusal.
            card = card.without_picture();
            answered = self.put_once(outgoing, channel, edits, &card).await?;
        }
        Ok(answered)
    }

    async fn put_once(
        &self,
        outgoing: &Outgoing,
        channel: ChannelId,
        edits: Option<MessageId>,
        card: &Card,
    ) -> Result<Answered, SendError> {
        let body = match edits {
            None => message(outgoing, card, channel),
            Some(_) => edited(card),
        };
        let ask = match (&card.file, edits) {
            (Some(file), edits) => Ask::MessageWithFile { channel: channel.get(), edits: edits.map(MessageId::get), file },
            (None, None) => Ask::Bot(Route::ChannelMessages { channel_id: channel }, LightMethod::Post),
            (None, Some(id)) => Ask::Bot(Route::ChannelMessage { channel_id: channel, message_id: id }, LightMethod::Patch),
        };
        let limit = if edits.is_some() { EDITING } else { SENDING };
        self.ask(ask, Some(&body), limit, &channel.to_string()).await.map_err(errors::without_answer)
    }

    /// What Discord calls the message that it took. All that a message of ours says is in its embeds; where the right to them was taken away, Discord
    /// leaves them out without a word.
    async fn shown(&self, answer: &Answer, channel: ChannelId) -> Result<String, SendError> {
        let message: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
        // A success whose body cannot be read has arrived all the same: the retry with the same nonce finds out its id, and an edit can be made twice.
        let Some(id) = message["id"].as_str() else {
            let why = format!("status {} without a message id", answer.status);
            return Err(SendError::Retry { after: None, scope: Scope::Destination, end: End::Unknown, why });
        };
        // Somebody there may have hidden the embeds of an earlier message; that says nothing of rights.
        let flags = MessageFlags::from_bits_truncate(message["flags"].as_u64().unwrap_or_default());
        if message["embeds"].as_array().is_none_or(|embeds| !embeds.is_empty()) || flags.contains(MessageFlags::SUPPRESS_EMBEDS) {
            return Ok(id.to_owned());
        }
        self.take_away(channel, id).await;
        Err(errors::without_embeds())
    }

    /// As far as that goes: whether it works or not, nobody has read what was to be told.
    async fn take_away(&self, channel: ChannelId, message: &str) {
        let Some(message_id) = snowflake(message).map(MessageId::new) else { return };
        let ask = Ask::Bot(Route::ChannelMessage { channel_id: channel, message_id }, LightMethod::Delete);
        if let Err(error) = self.question(ask, None).await {
            tracing::warn!(channel = channel.get(), message, %error, "a message without its embeds could not be taken away");
        }
    }

    /// Opens an archived thread again, once, where the bot may (`rules.md` 4.3).
    async fn unarchive(&self, channel: ChannelId) -> Result<(), SendError> {
        self.limiter().count(self.clock.now());
        let ask = Ask::Bot(Route::Channel { channel_id: channel }, LightMethod::Patch);
        let (answer, _) = self
            .ask(ask, Some(&json!({ "archived": false })), "unarchive", &channel.to_string())
            .await
            .map_err(|error| not_served(errors::without_answer(error)))?;
        if answer.is_success() {
            return Ok(());
        }
        Err(match errors::classify(&answer) {
            // Not allowed, or locked: the thread stays closed for us.
            SendError::Gone { why, .. } | SendError::Rejected { why } => {
                SendError::Gone { reason: crate::domain::QuarantineReason::Closed, why: format!("the thread is archived: {why}") }
            }
            other => other,
        })
    }
}

/// The message as Discord takes it. The nonce is the message's own and the same on each retry (`rules.md` 4.1).
fn message(outgoing: &Outgoing, card: &Card, channel: ChannelId) -> Value {
    let (content, allowed) = render::mentions(&outgoing.mention);
    let mut message = CreateMessage::new()
        .embeds(render::embeds(card))
        .components(render::components(card))
        .allowed_mentions(allowed)
        .nonce(Nonce::String(nonce(outgoing.id, 0)))
        .enforce_nonce(true);
    if let Some(content) = content {
        message = message.content(content);
    }
    if let Some(id) = outgoing.replies_to.as_deref().and_then(snowflake) {
        let reference =
            MessageReference::new(MessageReferenceKind::Default, channel).message_id(MessageId::new(id)).fail_if_not_exists(false);
        message = message.reference_message(reference);
    }
    let mut message = serde_json::to_value(message).expect("a message is plain data");
    if card.file.is_some() {
        message["attachments"] = render::attachments(card);
    }
    message
}

/// What stands in the place of an earlier message: its mentions stay as they were. Its picture goes, because it shows what was wrong; the
/// card's, if it has one, takes its place.
fn edited(card: &Card) -> Value {
    let (_, allowed) = render::mentions(&Mention::default());
    json!({
        "embeds": render::embeds(card), "components": render::components(card), "allowed_mentions": allowed,
        "attachments": render::attachments(card),
    })
}

/// The message itself was not written, whatever became of the request before it.
fn not_served(error: SendError) -> SendError {
    match error {
        SendError::Retry { after, scope, end: End::Unknown, why } => SendError::Retry { after, scope, end: End::NotServed, why },
        other => other,
    }
}

fn wait_until(until: Timestamp, now: Timestamp, why: &str) -> SendError {
    SendError::Retry { after: Some(until.since(now)), scope: Scope::Destination, end: End::NotTried, why: why.to_owned() }
}
