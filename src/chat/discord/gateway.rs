//! Commands over the Gateway: where Discord cannot call us, we hold a connection to it
//! ([Discord, Gateway](https://discord.com/developers/docs/events/gateway)).
//!
//! serenity names opcodes, close codes and intents; the connection is our own. Its shards cannot be read from outside its client, and the
//! client resumes at the wrong address, asks another host where the Gateway is when the configured one fails, logs what it cannot read
//! with the interaction's token in it, and cannot answer it. Commands are carried out by the same code as behind the HTTP door.

mod address;
mod events;
mod protocol;
mod seats;
mod shard;
mod socket;
mod starts;
mod troubles;

use self::{
    events::Events,
    protocol::Fatal,
    seats::Alone,
    shard::{Shard, Tools},
    starts::{MOST_SHARDS, Starts},
    troubles::{Part, Troubles},
};
pub use self::{
    protocol::ShardId,
    seats::{Seat, Seats},
    starts::GatewayError,
};

use super::client::Discord;
use crate::{commands::Desk, http::Renewals};
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::watch,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// Where the Gateway is could not be found out so many times in a row: a trouble to tell of.
const FAILURES: u32 = 5;

/// How long is waited for what, in Discord's measures unless a test has less time.
#[derive(Clone, Copy, Debug)]
pub struct Pauses {
    /// Between two sessions that begin in the same place: Discord wants 5 s, reckoned where they arrive.
    pub between_starts: Duration,
    /// After the first failure; twice as long after each further one.
    pub after_failure: Duration,
    /// No pause between two tries is longer.
    pub longest: Duration,
    /// After Discord refused a session: this long to five times as long.
    pub after_refusal: Duration,
    /// A session that went on for so long in one connection forgets earlier failures.
    pub calm: Duration,
}

impl Default for Pauses {
    fn default() -> Self {
        Self {
            between_starts: Duration::from_millis(5_500),
            after_failure: Duration::from_secs(1),
            longest: Duration::from_secs(60),
            after_refusal: Duration::from_secs(1),
            calm: Duration::from_secs(60),
        }
    }
}

impl Pauses {
    /// How long to wait after so many failures in a row; `chance` is between 0 and 1, so that not everybody comes back at once.
    fn after(&self, failures: u32, chance: f64) -> Duration {
        let whole = (self.after_failure * (1 << failures.saturating_sub(1).min(10))).min(self.longest);
        whole.mul_f64(0.5 + chance / 2.0)
    }
}

/// Takes commands from Discord, and word of where the bot is, over the Gateway.
pub struct Gateway {
    discord: Discord,
    events: Events,
    troubles: Troubles,
    pauses: Pauses,
    seats: Arc<dyn Seats>,
}

impl Gateway {
    /// Commands of this bot for this desk; `None` with a public key, when they come over HTTP. They are tracked in `tasks`.
    pub fn new(discord: &Discord, desk: Desk, tasks: TaskTracker) -> Option<Self> {
        if discord.comes_over_http() {
            return None;
        }
        let events = Events::new(discord.clone(), desk, tasks);
        let (troubles, pauses) = (Troubles::default(), Pauses::default());
        Some(Self { discord: discord.clone(), events, troubles, pauses, seats: Arc::new(Alone) })
    }

    /// The same with only those shards that it is told to run.
    #[must_use]
    pub fn with_seats(mut self, seats: Arc<dyn Seats>) -> Self {
        self.seats = seats;
        self
    }

    /// The same with other pauses.
    #[must_use]
    pub fn with_pauses(mut self, pauses: Pauses) -> Self {
        self.pauses = pauses;
        self
    }

    /// Why no commands come at present, in words without secrets; nothing while all is well. Taken before [`Self::run`].
    pub fn problem(&self) -> watch::Receiver<Option<String>> {
        self.troubles.told()
    }

    /// Stays connected until it is told to stop. What needs an operator ends the connections until there is another token, and is said in
    /// [`Self::problem`].
    pub async fn run(&self, shutdown: CancellationToken) {
        let mut renewals = self.discord.token().renewals();
        loop {
            // What is begun from here on shows the newest one.
            renewals.heard();
            let asked = async {
                let (starts, recommended) = self.starts(&mut renewals).await;
                (starts, self.seats.shards(recommended).await.clamp(1, MOST_SHARDS))
            };
            let (starts, shards) = tokio::select! { biased; () = shutdown.cancelled() => return, asked = asked => asked };
            if let Some(fatal) = self.connect(&starts, shards, &shutdown).await {
                let problem = fatal.explain();
                tracing::error!(problem, "no commands come from Discord any more");
                self.troubles.has(Part::Start, problem);
            }
            // Sessions that begin then know nothing of those that began before.
            let not_before = Instant::now() + self.pauses.between_starts;
            let another = async {
                renewals.next().await;
                sleep_until(not_before).await;
            };
            tokio::select! { biased; () = shutdown.cancelled() => return, () = another => {} }
        }
    }

    /// Asks Discord where the Gateway is until it says so.
    async fn starts(&self, renewals: &mut Renewals) -> (Starts, u32) {
        let mut failures = 0;
        loop {
            let error = match Starts::ask(&self.discord, &self.pauses, Arc::clone(&self.seats)).await {
                Ok(known) => {
                    self.troubles.is_well(Part::Start);
                    return known;
                }
                Err(error) => error,
            };
            failures += 1;
            tracing::warn!(%error, failures, "Discord does not say where the Gateway is");
            let needs_operator =
                matches!(&error, GatewayError::Api(error) if error.is_unauthorized()) || matches!(error, GatewayError::Address(_));
            if needs_operator || failures >= FAILURES {
                self.troubles.has(Part::Start, format!("Discord does not say where the Gateway is: {}", error.explain()));
            }
            tokio::select! { biased; () = renewals.next() => {}, () = sleep(self.pauses.after(failures, fastrand::f64())) => {} }
        }
    }

    /// Runs every shard that is to run here; ends when they were told to stop, or with what makes one of them impossible.
    async fn connect(&self, starts: &Starts, shards: u32, shutdown: &CancellationToken) -> Option<Fatal> {
        let Self { discord, events, troubles, pauses, .. } = self;
        let tools = Tools { token: discord.token(), starts, events, troubles, pauses };
        let stop = shutdown.child_token();
        let mut running: FuturesUnordered<_> = (0..shards).map(|index| self.serve(ShardId { index, of: shards }, &tools, &stop)).collect();
        let mut first = None;
        while let Some(end) = running.next().await {
            if let Some(fatal) = end {
                first.get_or_insert(fatal);
                stop.cancel();
            }
        }
        first
    }

    /// Runs a shard whenever that falls to this process.
    async fn serve(&self, id: ShardId, tools: &Tools<'_>, stop: &CancellationToken) -> Option<Fatal> {
        while let Some(seat) = self.seats.take(id, stop).await {
            let fatal = Shard::new(id, tools).run(seat.over()).await;
            // What is another's from now on is no trouble of ours.
            self.troubles.is_well(Part::Shard(id.index));
            seat.leave().await;
            if fatal.is_some() {
                return fatal;
            }
        }
        None
    }
}

/// What a try of the Gateway found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GatewayFound {
    /// How many connections the bot needs.
    pub shards: u32,
    /// How many sessions may still begin today.
    pub starts_left: u64,
}

impl Discord {
    /// Connects to the Gateway and hears its first word, without beginning a session.
    ///
    /// # Errors
    /// Where that does not work.
    pub async fn try_gateway(&self) -> Result<GatewayFound, GatewayError> {
        let bot = self.gateway_bot().await?;
        let url = address::gateway(&bot.url, self.api_url()).map_err(GatewayError::Address)?;
        let (socket, _) = shard::greeted(url).await.map_err(GatewayError::Unreachable)?;
        socket.close().await;
        Ok(GatewayFound { shards: bot.shards, starts_left: bot.session_start_limit.remaining })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_are_bounded_and_never_the_same_for_all() {
        let pauses = Pauses::default();
        let seconds = |failures, chance| pauses.after(failures, chance).as_secs_f64();
        assert_eq!((seconds(1, 0.0), seconds(1, 1.0)), (0.5, 1.0));
        assert_eq!((seconds(3, 0.0), seconds(3, 1.0)), (2.0, 4.0));
        assert_eq!((seconds(u32::MAX, 0.0), seconds(60, 1.0)), (30.0, 60.0));
    }
}
