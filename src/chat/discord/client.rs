//! The bot on Discord: its settings, one request at a time within the limits, and what may be asked about itself.

use super::{
    errors,
    key::PublicKey,
    limits::Limiter,
    transport::{Answer, Ask, NoAnswer, Transport},
};
use crate::{
    chat::{Scope, SendError, WithoutPictures},
    clock::SharedClock,
    domain::{QuarantineReason, Timestamp, UserId, wording::Trouble},
    http::{Credential, quoted},
};
use secrecy::SecretString;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::json;
use serenity::{
    http::{LightMethod, Route},
    model::id::{ApplicationId, ChannelId},
};
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// A place among the 50 of a second is waited for at most this long by a command: others may take those of the next second first.
const LONGEST_PLACE_WAIT: Duration = Duration::from_secs(5);

/// What is needed to talk to Discord.
#[derive(Clone, Debug)]
pub struct DiscordSettings {
    /// Scheme, host and port in front of `/api/v10/…`.
    pub api_url: String,
    /// The bot's token.
    pub token: SecretString,
    /// The application's id. Taken for the bot user's too, which it is for every bot made since late 2016.
    pub application_id: u64,
    /// Set: commands come over HTTP.
    pub public_key: Option<PublicKey>,
}

/// The bot on Discord. Cheap to clone; all clones share their limits.
#[derive(Clone)]
pub struct Discord(pub(super) Arc<Inner>);

pub(super) struct Inner {
    transport: Transport,
    limiter: Mutex<Limiter>,
    pub(super) clock: SharedClock,
    pub(super) application: ApplicationId,
    pub(super) public_key: Option<PublicKey>,
    /// Channels where the bot may not attach files.
    pub(super) without_pictures: WithoutPictures,
}

impl fmt::Debug for Discord {
    /// Without the token.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Discord").field("application", &self.0.application.get()).finish_non_exhaustive()
    }
}

/// Why Discord did not answer a question. Carries no token and no URL.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// No connection, or no complete answer in time.
    #[error("{0}")]
    Unreachable(String),
    /// Our own limits or a pause ordered by Discord: ask later.
    #[error("Discord's limits are used up until {0}")]
    Limited(Timestamp),
    /// Discord refuses.
    #[error("Discord refuses: {why}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// Discord's own code; 0 where it gives none.
        code: u64,
        /// Its entry in the catalogue.
        trouble: Trouble,
        /// In words for the operator.
        why: String,
    },
    /// The answer is not what it should be.
    #[error("Discord's answer cannot be read: {0}")]
    Unreadable(String),
}

impl ApiError {
    /// Discord refuses the bot's token.
    pub fn is_unauthorized(&self) -> bool {
        matches!(self, Self::Refused { status: 401, .. })
    }

    /// What happened, with the way to mend it.
    pub fn explain(&self) -> String {
        self.trouble().explain(self)
    }

    /// Its entry in the catalogue of troubles.
    pub fn trouble(&self) -> Trouble {
        match self {
            Self::Unreachable(_) => Trouble::DiscordUnreachable,
            Self::Limited(_) => Trouble::DiscordLimited,
            Self::Refused { trouble, .. } => *trouble,
            Self::Unreadable(_) => Trouble::DiscordUnreadable,
        }
    }
}

#[derive(Deserialize)]
struct OpenedChannel {
    id: String,
}

/// How opening someone's direct messages went.
pub(super) enum Opening {
    /// The channel's id.
    Opened(String),
    /// This person cannot be reached.
    Refused(QuarantineReason),
    /// Nobody can tell now: the first delivery tries again.
    Later,
}

impl Discord {
    /// The bot with these settings. Sends nothing yet.
    pub fn new(settings: DiscordSettings, clock: SharedClock) -> Self {
        // Discord numbers from 1; 0 would end the process in serenity's id type, 1 is refused by Discord with a clear answer.
        let application = ApplicationId::new(settings.application_id.max(1));
        let base = settings.api_url.trim_end_matches('/').to_owned();
        Self(Arc::new(Inner {
            transport: Transport::new(base, settings.token, application.get()),
            limiter: Mutex::default(),
            clock,
            application,
            public_key: settings.public_key,
            without_pictures: WithoutPictures::default(),
        }))
    }

    /// Asks for a channel, by its id: works where the bot sees it.
    ///
    /// # Errors
    /// Where Discord does not say.
    pub async fn sees(&self, channel: &str) -> Result<(), ApiError> {
        let channel_id = channel_id(channel).ok_or_else(|| ApiError::Unreadable("it is not a channel's id".to_owned()))?;
        self.get::<serde::de::IgnoredAny>(Route::Channel { channel_id }).await.map(drop)
    }

    /// Scheme, host and port of the API.
    pub(super) fn api_url(&self) -> &str {
        self.0.transport.base()
    }

    /// The bot's token.
    pub fn token(&self) -> &Credential {
        self.0.transport.token()
    }

    pub(super) async fn get<T: DeserializeOwned>(&self, route: Route<'_>) -> Result<T, ApiError> {
        read(&self.0.question(Ask::Bot(route, LightMethod::Get), None).await?)
    }

    pub(super) async fn put<T: DeserializeOwned>(&self, route: Route<'_>, body: &serde_json::Value) -> Result<T, ApiError> {
        read(&self.0.question(Ask::Bot(route, LightMethod::Put), Some(body)).await?)
    }

    /// Opens someone's direct messages for a command, at its turn (`rules.md` 5.7).
    pub(super) async fn open_direct_messages(&self, user: &UserId) -> Opening {
        let now = self.0.clock.now();
        let Some(at) = self.0.limiter().reserve_opening(now) else { return Opening::Later };
        tokio::time::sleep(at.since(now)).await;
        if self.0.place().await.is_err() {
            return Opening::Later;
        }
        match self.0.open(user).await {
            Ok(channel) => Opening::Opened(channel),
            Err(SendError::Gone { reason, .. }) => Opening::Refused(reason),
            Err(error) => {
                tracing::warn!(%user, %error, "direct messages could not be opened now; the first delivery tries again");
                Opening::Later
            }
        }
    }
}

impl Inner {
    pub(super) fn limiter(&self) -> MutexGuard<'_, Limiter> {
        self.limiter.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One request; what its answer teaches is remembered. With the answer, until when the channel rests.
    pub(super) async fn ask(
        &self,
        ask: Ask<'_>,
        body: Option<&serde_json::Value>,
        route: &'static str,
        channel: &str,
    ) -> Result<(Answer, Option<Timestamp>), NoAnswer> {
        let began = self.clock.now();
        let answer = self.transport.ask(ask, body).await;
        let now = self.clock.now();
        let mut limiter = self.limiter();
        limiter.answered(began, now);
        let answer = answer?;
        let rest_until = limiter.learn(route, channel, &answer.bucket, now);
        if errors::counts_as_invalid(&answer) && limiter.invalid(now) {
            tracing::error!("5,000 requests to Discord were refused within 10 minutes: sending pauses before Discord bans this address");
        }
        if !answer.is_success()
            && let SendError::Retry { after: Some(after), scope: Scope::Platform, .. } = errors::classify(&answer)
        {
            limiter.pause(now + after);
        }
        drop(limiter);
        Ok((answer, rest_until))
    }

    /// A question outside the outbox, within the global limit.
    pub(super) async fn question(&self, ask: Ask<'_>, body: Option<&serde_json::Value>) -> Result<Answer, ApiError> {
        self.place().await?;
        let (answer, _) = self.ask(ask, body, "question", "").await.map_err(|error| match error {
            NoAnswer::NotSent(why) | NoAnswer::Unknown(why) => ApiError::Unreachable(why),
        })?;
        if answer.is_success() {
            return Ok(answer);
        }
        // Without Discord's JSON it is a proxy or Cloudflare that refuses, and says nothing of what was asked.
        let body = answer.error();
        if body.is_none() && (400..429).contains(&answer.status) {
            return Err(ApiError::Unreadable(answer.words()));
        }
        let (code, trouble) = (body.map_or(0, |body| body.code), errors::trouble(&answer));
        Err(ApiError::Refused { status: answer.status, code, trouble, why: answer.words() })
    }

    /// Whether Discord answers a question about the bot itself; nothing where there is no place for it.
    pub(super) async fn answers(&self) -> Option<bool> {
        self.place().await.ok()?;
        let asked = self.ask(Ask::Bot(Route::UserMe, LightMethod::Get), None, "question", "").await;
        Some(asked.is_ok_and(|(answer, _)| answer.is_success() || !errors::classify(&answer).is_no_answer()))
    }

    async fn place(&self) -> Result<(), ApiError> {
        let began = self.clock.now();
        let mut now = began;
        loop {
            let Err(until) = self.limiter().admit(now) else { return Ok(()) };
            if until.since(began) > LONGEST_PLACE_WAIT {
                return Err(ApiError::Limited(until));
            }
            tokio::time::sleep(until.since(now)).await;
            now = until.max(self.clock.now());
        }
    }

    /// Opens someone's direct messages, in a place that the caller took; the channel's id. Opening again gives the same one.
    pub(super) async fn open(&self, user: &UserId) -> Result<String, SendError> {
        let body = json!({ "recipient_id": user.0 });
        let (answer, _) = self
            .ask(Ask::Bot(Route::UserMeDmChannels, LightMethod::Post), Some(&body), "open", "")
            .await
            .map_err(errors::without_answer)?;
        if answer.is_success() {
            let why = |error: ApiError| SendError::Retry {
                after: None,
                scope: Scope::Destination,
                end: crate::chat::End::NotServed,
                why: error.to_string(),
            };
            let opened: OpenedChannel = read(&answer).map_err(why)?;
            return Ok(opened.id);
        }
        let too_fast = answer.status == 429 || answer.error().is_some_and(|body| body.code == errors::OPENING_TOO_FAST);
        if too_fast {
            self.limiter().rest_openings(self.clock.now(), answer.wait());
        }
        Err(errors::classify(&answer))
    }
}

/// A channel's id as serenity wants it; `None` where it is not one.
pub(super) fn channel_id(text: &str) -> Option<ChannelId> {
    snowflake(text).map(ChannelId::new)
}

/// A Discord id: a positive number.
pub(super) fn snowflake(text: &str) -> Option<u64> {
    text.parse().ok().filter(|id| *id > 0)
}

pub(super) fn read<T: DeserializeOwned>(answer: &Answer) -> Result<T, ApiError> {
    serde_json::from_slice(&answer.body).map_err(|error| ApiError::Unreadable(quoted(&error.to_string())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock as _, ManualClock};

    #[tokio::test]
    async fn a_question_outlasts_others_that_take_the_next_places() {
        let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_000)));
        let settings =
            DiscordSettings { api_url: "http://127.0.0.1:9".to_owned(), token: "t".to_owned().into(), application_id: 5, public_key: None };
        let discord = Discord::new(settings, clock.clone());
        let taken = |before: u64| {
            let at = clock.now() - Duration::from_millis(before);
            (0..50).for_each(|_| discord.0.limiter().count(at));
        };
        taken(990);
        let others = async { taken(980) };
        let (place, ()) = tokio::join!(discord.0.place(), others);
        assert_eq!(place, Ok(()));
        discord.0.limiter().pause(clock.now() + Duration::from_secs(6));
        assert!(matches!(discord.0.place().await, Err(ApiError::Limited(_))), "a long pause is not waited for");
    }
}
