//! The intake: polls, stores, confirms, carries out. A crash anywhere in between carries a stored update out again after the restart, and
//! an update that comes twice does nothing twice.

use super::{PollError, Telegram, access::Admins, convert, flood::Flood, poll::Position, wire::Update};
use crate::{
    clock::SharedClock,
    commands::{Desk, Inbox, InboxError},
    domain::Timestamp,
    http,
};
use futures_util::{FutureExt as _, StreamExt as _, stream};
use std::{
    collections::{BTreeMap, HashMap},
    panic::AssertUnwindSafe,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::watch, time};
use tokio_util::sync::CancellationToken;

/// How long Telegram holds a poll open, in seconds (it clamps at 50).
const LONG_POLL: u64 = 25;
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// An empty answer that came at once is no long poll: something in between answers. Not asked again at full speed.
const TOO_QUICK: Duration = Duration::from_millis(500);
const FORGET_EVERY: Duration = Duration::from_secs(3600);
/// Chats whose updates are carried out at the same time; within a chat they go in order.
const CHATS_AT_ONCE: usize = 16;

/// Takes commands from Telegram by long polling.
pub struct Updates {
    pub(super) telegram: Telegram,
    pub(super) desk: Desk,
    pub(super) inbox: Inbox,
    pub(super) clock: SharedClock,
    pub(super) admins: Admins,
    pub(super) flood: Mutex<Flood>,
    /// When each chat last told of the bot's own place: older news must not undo newer.
    pub(super) placed: Mutex<HashMap<i64, Timestamp>>,
    position: Mutex<Position>,
    forgot_at: Mutex<Timestamp>,
    problem: watch::Sender<Option<String>>,
}

impl Updates {
    /// Commands of this bot for this desk.
    pub fn new(telegram: Telegram, desk: Desk, inbox: Inbox, clock: SharedClock) -> Self {
        Self {
            telegram,
            desk,
            inbox,
            clock,
            admins: Admins::default(),
            flood: Mutex::default(),
            placed: Mutex::default(),
            position: Mutex::default(),
            forgot_at: Mutex::default(),
            problem: watch::Sender::new(None),
        }
    }

    /// Why no updates come at present, in words without secrets; nothing while all is well. Taken before [`Self::run`].
    pub fn problem(&self) -> watch::Receiver<Option<String>> {
        self.problem.subscribe()
    }

    /// Polls until it is told to stop; what was begun by then is finished.
    pub async fn run(self, shutdown: CancellationToken) {
        let mut failures = 0;
        loop {
            let began = time::Instant::now();
            // What is stored does not wait for Telegram, also when a predecessor stored it.
            let end = match self.handle_open().await {
                Ok(()) => tokio::select! {
                    biased;
                    () = shutdown.cancelled() => return,
                    end = self.fetch(LONG_POLL) => end,
                },
                Err(error) => Err(error),
            };
            let mut pause = self.pause_after(end.as_ref(), &mut failures);
            if matches!(end, Ok(0)) && began.elapsed() < TOO_QUICK {
                pause = TOO_QUICK;
            }
            tokio::select! { biased; () = shutdown.cancelled() => return, () = time::sleep(pause) => {} }
        }
    }

    /// One poll that waits for nothing, then everything that is open; gives how many updates were new.
    ///
    /// # Errors
    /// As a poll fails; what was stored stays stored.
    pub async fn step(&self) -> Result<usize, PollError> {
        let fresh = self.fetch(0).await?;
        self.handle_open().await?;
        Ok(fresh)
    }

    pub(super) fn position(&self) -> MutexGuard<'_, Position> {
        self.position.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how a round ended: one line per failure, and how long to wait.
    fn pause_after(&self, end: Result<&usize, &PollError>, failures: &mut u32) -> Duration {
        let Err(error) = end else {
            *failures = 0;
            self.problem.send_if_modified(|problem| problem.take().is_some());
            return Duration::ZERO;
        };
        *failures += 1;
        tracing::warn!(%error, failures, "no updates from Telegram");
        self.problem.send_replace(Some(error.to_string()));
        let backoff = Duration::from_secs(1 << (*failures - 1).min(6)).min(LONGEST_PAUSE);
        match error {
            PollError::Telegram(error) if error.is_unauthorized() => LONGEST_PAUSE,
            PollError::Telegram(error) => error.retry_after().unwrap_or_default().max(backoff),
            _ => backoff,
        }
    }

    /// Carries out everything that is stored and open.
    async fn handle_open(&self) -> Result<(), PollError> {
        self.forget_old().await?;
        let open = self.inbox.open().await?;
        if open.is_empty() {
            return Ok(());
        }
        // The bot's name tells its commands from those of others.
        self.telegram.me_once().await?;
        let mut chats: BTreeMap<i64, Vec<(i64, Update)>> = BTreeMap::new();
        for (id, body) in open {
            match serde_json::from_str::<Update>(&body) {
                Ok(update) => chats.entry(convert::chat_of(&update)).or_default().push((id, update)),
                Err(error) => {
                    tracing::warn!(update = id, error = http::quoted(&error.to_string()), "an update cannot be read; it is set aside");
                    self.inbox.reject(id).await?;
                }
            }
        }
        let failure: Mutex<Option<PollError>> = Mutex::default();
        stream::iter(chats.into_values())
            .for_each_concurrent(CHATS_AT_ONCE, |updates| async {
                if let Err(error) = self.handle_in_order(updates).await {
                    *failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                }
            })
            .await;
        failure.into_inner().unwrap_or_else(PoisonError::into_inner).map_or(Ok(()), Err)
    }

    async fn handle_in_order(&self, updates: Vec<(i64, Update)>) -> Result<(), PollError> {
        for (id, update) in updates {
            match AssertUnwindSafe(self.handle(id, &update)).catch_unwind().await {
                Ok(end) => end?,
                // An update that breaks us would break us again after each restart, and with it every later one.
                Err(_) => {
                    tracing::error!(update = id, "an update broke its handler; it is set aside");
                    self.inbox.reject(id).await?;
                }
            }
        }
        Ok(())
    }

    async fn forget_old(&self) -> Result<(), InboxError> {
        let now = self.clock.now();
        let due = {
            let mut forgot_at = self.forgot_at.lock().unwrap_or_else(PoisonError::into_inner);
            let due = now >= *forgot_at + FORGET_EVERY || now < *forgot_at;
            if due {
                *forgot_at = now;
            }
            due
        };
        if due {
            self.inbox.forget_old(now).await?;
        }
        Ok(())
    }
}
