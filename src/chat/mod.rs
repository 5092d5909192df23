//! Chat platforms: one folder each, behind [`Messenger`]. An adapter renders a message, makes one request, and classifies its end;
//! what to do about that end is `pipeline::deliver`'s business.

pub mod console;
pub mod discord;
mod nonce;
mod picture;
pub mod telegram;
mod without_pictures;

pub use nonce::nonce;
use picture::png_part;
use without_pictures::WithoutPictures;

use crate::{
    domain::{
        Address, Mention, MessageBody, MessageId, Platform, QuarantineReason, SentLately, Timestamp, Zone,
        wording::{Card, CardFile, Phrase, Picture},
    },
    http::Renewals,
};
use async_trait::async_trait;
use std::time::Duration;

/// Sends messages to one platform.
#[async_trait]
pub trait Messenger: Send + Sync {
    /// Which one.
    fn platform(&self) -> Platform;

    /// How many more messages the platform as a whole takes now: no more are claimed.
    ///
    /// # Errors
    /// The time before which there is no place.
    fn places(&self, _now: Timestamp) -> Result<usize, Timestamp> {
        Ok(usize::MAX)
    }

    /// Whether the platform as a whole takes another message now; takes the place if it does. Otherwise when to ask again.
    ///
    /// # Errors
    /// The time before which there is no place.
    fn admit(&self, now: Timestamp) -> Result<(), Timestamp>;

    /// Whether the platform answers a harmless question; nothing where our own limits let none be asked. See `engine::silence`.
    async fn answers(&self) -> Option<bool>;

    /// What went out in the last minute, before a restart or by another process: the platform's limits go on from there.
    fn recall(&self, _sent: &[SentLately], _now: Timestamp) {}

    /// Word of another token, where there is one: it ends that the platform refuses the bot.
    fn renewals(&self) -> Option<Renewals> {
        None
    }

    /// Whether a picture that was sent once may be named from then on.
    fn keeps_pictures(&self) -> bool {
        false
    }

    /// Makes one attempt to deliver. Waits for nothing but answers: at most 8 s for each request (`rules.md` 4.2), which may be more than
    /// one where a chat must be opened first or the platform refuses the markup.
    ///
    /// # Errors
    /// Classified by what to do next: [`SendError`].
    async fn send(&self, outgoing: &Outgoing) -> Result<Receipt, SendError>;

    /// Makes one attempt to put a message in the place of one that was sent before, whose name on the platform is `platform_id`. Twice is the same as
    /// once.
    ///
    /// # Errors
    /// [`EditError::Refused`] where that cannot be done: nothing was changed.
    async fn edit(&self, outgoing: &Outgoing, platform_id: &str) -> Result<Receipt, EditError>;
}

/// One attempt.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Which message: the nonce is made of it.
    pub id: MessageId,
    /// Where to.
    pub to: Address,
    /// The concrete channel, where it is known already (an opened Discord DM).
    pub route: Option<String>,
    /// What.
    pub body: MessageBody,
    /// Whom to mention; everything else never pings.
    pub mention: Mention,
    /// The earlier message that it replies to, by its name on the platform.
    pub replies_to: Option<String>,
    /// Whether this is an answer to a command (Telegram counts those apart, 4.4).
    pub is_reply: bool,
    /// What goes with the words of an alert.
    pub illustration: Option<Illustration>,
    /// When it came which way, in small print, for whoever wants that.
    pub provenance: Option<Phrase>,
    /// Whether nothing was tried before: a picture goes with the first attempt alone, because it may be what made it fail.
    pub is_first: bool,
    /// The clock that those there go by.
    pub clock: Zone,
}

/// A picture that goes with an alert: the words are complete without it.
#[derive(Clone, Debug)]
pub struct Illustration {
    /// It.
    pub picture: Picture,
    /// What the platform calls it, where it was sent there before.
    pub uploaded: Option<String>,
}

impl Outgoing {
    /// What is shown, by that clock: with its picture at the first attempt.
    pub fn card(&self) -> Card {
        let mut card = Card { clock: self.clock, ..self.body.to_card() };
        card.footer = self.provenance.clone().or(card.footer);
        match &self.illustration {
            _ if !self.is_first => card.without_picture(),
            Some(illustration) => Card { file: Some(CardFile::Picture(Box::new(illustration.picture.clone()))), ..card },
            None => card,
        }
    }
}

/// The platform took it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// What the platform calls the message.
    pub platform_id: String,
    /// The pace of this chat: nothing is sent there before.
    pub rest_until: Option<Timestamp>,
    /// The concrete channel, where it was found out on the way.
    pub route: Option<String>,
    /// What the platform calls the picture that was sent with it, where it may be named instead of sent again.
    pub uploaded: Option<String>,
}

/// The platform did not take it, by what to do next. Its words carry no token and no URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Try again later.
    #[error("{why}")]
    Retry {
        /// Not before, if the platform said.
        after: Option<Duration>,
        /// Who has to wait.
        scope: Scope,
        /// Whether it may have arrived all the same.
        end: End,
        /// In words for the operator.
        why: String,
    },
    /// The chat has another address now: rewrite it and go on.
    #[error("the chat moved to {0}")]
    Moved(Address),
    /// The destination cannot be reached: quarantine it.
    #[error("the destination cannot be reached ({}): {why}", reason.as_str())]
    Gone {
        /// Why, for its owner.
        reason: QuarantineReason,
        /// In words for the operator.
        why: String,
    },
    /// The message itself is refused: a dead letter.
    #[error("the message is refused: {why}")]
    Rejected {
        /// In words for the operator.
        why: String,
    },
    /// The token or the way of asking is refused: stop this platform.
    #[error("the platform refuses the bot: {why}")]
    Unauthorized {
        /// In words for the operator.
        why: String,
    },
}

impl SendError {
    /// Whether it says nothing of what was asked: the platform was not reached, failed, or its answer did not arrive.
    pub fn is_no_answer(&self) -> bool {
        matches!(self, Self::Retry { end: End::NotServed | End::Unknown, .. })
    }
}

/// The message of before is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EditError {
    /// It is gone, or may not be edited: what there is to say is a reply.
    #[error("the message of before cannot be edited: {why}")]
    Refused {
        /// In words for the operator.
        why: String,
    },
    /// As with sending.
    #[error(transparent)]
    Failed(#[from] SendError),
}

impl EditError {
    /// Whatever is not allowed or refused as such, where writing anew may still work.
    fn of(error: SendError) -> Self {
        match error {
            SendError::Rejected { why } | SendError::Gone { reason: QuarantineReason::Forbidden, why } => Self::Refused { why },
            other => Self::Failed(other),
        }
    }
}

/// Who has to wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// This message alone: others for the same destination may go (replies beyond their share of a group, `rules.md` 4.4).
    Message,
    /// This destination alone.
    Destination,
    /// The whole platform.
    Platform,
}

/// How an attempt ended that brought no answer to rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing was asked of the platform: our own pace said to wait. Such a wait is no attempt.
    NotTried,
    /// It certainly did not arrive: refused or limited.
    NotDelivered,
    /// Nor did it here, and the platform said nothing of this message: no connection, a failure of its own, a stranger on the way.
    NotServed,
    /// Nobody can tell: timeout after the write, reset, a crash (4.2).
    Unknown,
}
