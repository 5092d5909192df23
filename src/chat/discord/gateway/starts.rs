//! When a session may begin: Discord counts them by the day and by the moment, and resets the token of a bot that begins too many.

use super::{Pauses, address, protocol::ShardId, seats::Seats};
use crate::{
    chat::discord::client::{ApiError, Discord},
    domain::wording::Trouble,
};
use reqwest::Url;
use serenity::{http::Route, model::gateway::BotGateway};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync,
    time::{Instant, sleep, sleep_until},
};

/// How long Discord's word of how many may begin is trusted: another program may use the same token.
const FRESH: Duration = Duration::from_secs(60);
/// A place is reserved for so long while we connect; the session itself begins under another reservation.
const CONNECTING: Duration = Duration::from_secs(15);
/// A place that another process has reserved is looked at again so often.
const LOOK_AGAIN: Duration = Duration::from_millis(500);
/// No bot of ours has more; a number beyond it is a mistake.
pub(super) const MOST_SHARDS: u32 = 1_000;

/// Why no session may begin now. Carries no token.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// Discord does not say where the Gateway is.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// What it says is no address to trust.
    #[error("{0}")]
    Address(String),
    /// There is no Gateway at that address.
    #[error("{0}")]
    Unreachable(String),
    /// Too many sessions began already; for so long.
    #[error("Discord lets this bot begin no more sessions for {} min", .0.as_secs().div_ceil(60))]
    UsedUp(Duration),
}

impl GatewayError {
    /// In words for the operator, with what to do.
    pub fn explain(&self) -> String {
        let trouble = match self {
            Self::Api(error) => error.trouble(),
            Self::Address(_) => Trouble::DiscordProxy,
            Self::Unreachable(_) => Trouble::DiscordGateway,
            Self::UsedUp(_) => Trouble::DiscordStarts,
        };
        trouble.explain(self)
    }
}

/// What `GET /gateway/bot` said, and what was begun since.
struct Known {
    gateway: Url,
    /// How many sessions may begin until `renewed_at`.
    left: u64,
    renewed_at: Instant,
    at: Instant,
}

/// Lets sessions begin.
pub(super) struct Starts {
    discord: Discord,
    known: Mutex<Known>,
    /// Shards of one place begin one after the other; when the last one did.
    places: Vec<sync::Mutex<Option<Instant>>>,
    between: Duration,
    seats: Arc<dyn Seats>,
}

/// The right to begin one session now.
pub(super) struct Turn<'starts> {
    starts: &'starts Starts,
    place: u32,
    last: sync::MutexGuard<'starts, Option<Instant>>,
}

impl Turn<'_> {
    /// Whether it may still begin: connecting may have taken so long that it is another process's turn.
    pub(super) async fn lasts(&self) -> bool {
        self.starts.seats.reserve(self.place, self.starts.between).await
    }

    /// It began: the next one of this place waits.
    pub(super) fn used(mut self) {
        *self.last = Some(Instant::now());
    }
}

impl Starts {
    /// Asks where the Gateway is, and how many shards the bot needs.
    pub(super) async fn ask(discord: &Discord, pauses: &Pauses, seats: Arc<dyn Seats>) -> Result<(Self, u32), GatewayError> {
        let (known, bot) = ask(discord).await?;
        let places = (0..bot.session_start_limit.max_concurrency.clamp(1, MOST_SHARDS.into())).map(|_| sync::Mutex::default()).collect();
        let starts = Self { discord: discord.clone(), known: Mutex::new(known), places, between: pauses.between_starts, seats };
        Ok((starts, bot.shards.clamp(1, MOST_SHARDS)))
    }

    /// Where sessions begin.
    pub(super) fn gateway(&self) -> Url {
        self.known().gateway.clone()
    }

    /// Waits until this shard may begin a session.
    pub(super) async fn turn(&self, shard: ShardId) -> Result<Turn<'_>, GatewayError> {
        let index = shard.index as usize % self.places.len();
        let place = u32::try_from(index).unwrap_or(u32::MAX);
        let last = self.places[index].lock().await;
        if let Some(last) = *last {
            sleep_until(last + self.between).await;
        }
        while !self.seats.reserve(place, CONNECTING).await {
            sleep(LOOK_AGAIN).await;
        }
        // What others began since is known to Discord alone, but for what begins right now in each place.
        let (are_shared, is_doubtful) = (self.seats.are_shared(), self.known().is_doubtful(Instant::now()));
        if are_shared || is_doubtful {
            let (known, _) = ask(&self.discord).await?;
            *self.known() = known;
        }
        let others = if are_shared { self.places.len() as u64 } else { 0 };
        self.known().take(others, Instant::now())?;
        Ok(Turn { starts: self, place, last })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// Whether Discord is asked again first: a turn that was taken may not have been used.
    fn is_doubtful(&self, now: Instant) -> bool {
        self.left == 0 || now.saturating_duration_since(self.at) > FRESH
    }

    /// Takes one of those that are left, but for those that others may be taking.
    fn take(&mut self, others: u64, now: Instant) -> Result<(), GatewayError> {
        if self.left <= others {
            return Err(GatewayError::UsedUp(self.renewed_at.saturating_duration_since(now).max(FRESH)));
        }
        self.left -= 1;
        Ok(())
    }
}

async fn ask(discord: &Discord) -> Result<(Known, BotGateway), GatewayError> {
    let bot = discord.gateway_bot().await?;
    let gateway = address::gateway(&bot.url, discord.api_url()).map_err(GatewayError::Address)?;
    let limit = &bot.session_start_limit;
    let now = Instant::now();
    let known = Known { gateway, left: limit.remaining, renewed_at: now + Duration::from_millis(limit.reset_after), at: now };
    Ok((known, bot))
}

impl Discord {
    /// Where the Gateway is, and how many sessions may still begin.
    ///
    /// # Errors
    /// Where Discord does not say.
    pub async fn gateway_bot(&self) -> Result<BotGateway, ApiError> {
        self.get(Route::GatewayBot).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_session_begins_that_would_be_one_too_many() {
        let now = Instant::now();
        let renewed_at = now + Duration::from_secs(3_600);
        let mut known = Known { gateway: Url::parse("wss://gateway.discord.gg").unwrap(), left: 2, renewed_at, at: now };
        assert!(known.take(2, now).is_err(), "others may be taking these");
        assert!(known.take(0, now).is_ok() && known.take(0, now).is_ok());
        assert!(known.is_doubtful(now), "Discord is asked again first");
        let Err(GatewayError::UsedUp(wait)) = known.take(0, now) else { panic!("the third is one too many") };
        assert_eq!(wait, Duration::from_secs(3_600));
        let Err(error) = known.take(0, renewed_at) else { panic!("nothing is left until Discord says so") };
        assert_eq!(error.to_string(), "Discord lets this bot begin no more sessions for 1 min");
    }
}
