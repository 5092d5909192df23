//! The intake: what polling or the webhook brings is stored, confirmed, carried out. A crash anywhere in between carries a stored update
//! out again after the restart, and an update that comes twice does nothing twice.

use super::{
    ApiError, Telegram, access::Admins, arrivals::Arrivals, convert, errors::trouble_of_delivery, flood::Flood, poll::Position,
    wire::Update,
};
use crate::{
    clock::SharedClock,
    commands::{Desk, Inbox, InboxError},
    domain::{Timestamp, wording::Trouble},
    http,
    telemetry::Metrics,
};
use futures_util::{
    FutureExt as _, StreamExt as _,
    stream::{self, FuturesUnordered},
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{sync::watch, time};
use tokio_util::sync::CancellationToken;

/// What is asked for. Always named: left out, Telegram keeps what another program asked for last.
pub(super) const ALLOWED_UPDATES: &[&str] = &["message", "callback_query", "my_chat_member"];
/// How long Telegram holds a poll open, in seconds (it clamps at 50).
const LONG_POLL: u64 = 25;
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// An empty answer that came at once is no long poll: something in between answers. Not asked again at full speed.
const TOO_QUICK: Duration = Duration::from_millis(500);
const FORGET_EVERY: Duration = Duration::from_secs(3600);
/// Chats whose updates are carried out at the same time; within a chat they go in order. More than one person can keep busy: 30 commands
/// in 30 s (`rules.md` 4.4) that take 10 s each are ten at once.
const CHATS_AT_ONCE: usize = 64;
/// A connection that fails now and then is no problem yet; so many times in a row is.
const FAILURES: u32 = 3;
/// What another process stored is looked for so often, should word of it not come.
const LOOK_ANYWAY: Duration = Duration::from_secs(3);
/// How long a chat rests, or the look at what is stored, after the database or Telegram failed.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// Why no updates come, or why they cannot be carried out.
#[derive(Debug, thiserror::Error)]
pub enum UpdatesError {
    /// 409: somebody else takes the updates.
    #[error("another instance polls with this token, or a webhook is set ({0})")]
    Conflict(String),
    /// The webhook is set, but Telegram does not get through to it.
    #[error("Telegram cannot deliver to the webhook ({words}), and {pending} updates wait")]
    Undelivered {
        /// Telegram's words.
        words: String,
        /// How many wait.
        pending: u64,
    },
    /// Telegram refused or could not be reached.
    #[error(transparent)]
    Telegram(#[from] ApiError),
    /// The database failed: nothing was confirmed.
    #[error(transparent)]
    Inbox(#[from] InboxError),
}

impl UpdatesError {
    /// What happened, with the way to mend it.
    fn explain(&self) -> String {
        match self {
            Self::Conflict(_) => Trouble::TelegramConflict.explain(self),
            Self::Undelivered { words, .. } => trouble_of_delivery(words).explain(self),
            Self::Telegram(error) => error.explain(),
            Self::Inbox(error) => error.to_string(),
        }
    }

    /// Waiting does not mend it: the token or the webhook is refused. Somebody else who takes the updates may be a replica that is just being overtaken.
    fn needs_operator(&self) -> bool {
        match self {
            Self::Undelivered { .. } => true,
            Self::Telegram(error) => error.is_unauthorized() || matches!(error, ApiError::Refused { code: 400, .. }),
            Self::Conflict(_) | Self::Inbox(_) => false,
        }
    }
}

/// Failures without a success in between.
#[derive(Debug, Default)]
pub(super) struct Failing {
    times: u32,
    /// Those that are Telegram's own, not the database's.
    of_platform: u32,
    words: String,
}

/// Takes commands from Telegram, by long polling or by webhook.
pub struct Updates {
    pub(super) telegram: Telegram,
    pub(super) desk: Desk,
    pub(super) arrivals: Arc<Arrivals>,
    pub(super) clock: SharedClock,
    pub(super) admins: Admins,
    pub(super) flood: Mutex<Flood>,
    /// When each chat last told of the bot's own place: older news must not undo newer.
    pub(super) placed: Mutex<HashMap<i64, Timestamp>>,
    position: Mutex<Position>,
    forgot_at: Mutex<Timestamp>,
    problem: watch::Sender<Option<String>>,
    /// Why what is stored could not be carried out, as it was logged last; empty once something could.
    obstacle: Mutex<String>,
}

impl Updates {
    /// Commands of this bot for this desk.
    pub fn new(telegram: Telegram, desk: Desk, inbox: Inbox, clock: SharedClock, metrics: Arc<Metrics>) -> Self {
        Self {
            telegram,
            desk,
            arrivals: Arc::new(Arrivals::new(inbox, clock.clone(), metrics)),
            clock,
            admins: Admins::default(),
            flood: Mutex::default(),
            placed: Mutex::default(),
            position: Mutex::default(),
            forgot_at: Mutex::default(),
            problem: watch::Sender::new(None),
            obstacle: Mutex::default(),
        }
    }

    /// Why no updates come at present, in words without secrets; nothing while all is well. Taken before [`Self::run`].
    pub fn problem(&self) -> watch::Receiver<Option<String>> {
        self.problem.subscribe()
    }

    /// Says that something may have been stored by somebody else.
    pub fn waker(&self) -> impl Fn() + Send + use<> {
        let arrivals = Arc::clone(&self.arrivals);
        move || arrivals.wake()
    }

    /// Takes in and carries out until it is told to stop; what was begun by then is finished. A command that takes long delays its own
    /// chat alone: neither what comes next nor what was said elsewhere waits for it. Where it goes on is not remembered from an earlier time: another
    /// process may have taken updates since. Before it asks Telegram, and before it carries anything out, it looks whether it `may` still: what it then
    /// undid would be newer than it.
    pub async fn run<May: Future<Output = Result<bool, InboxError>>>(&self, shutdown: CancellationToken, may: impl Fn() -> May) {
        *self.position() = Position::default();
        self.arrivals.unprove();
        let term = shutdown.child_token();
        let take_in = async {
            match self.telegram.webhook() {
                Some(webhook) => self.keep_webhook(webhook, &term).await,
                None => self.poll(&term, &may).await,
            }
            // Another process takes the updates from now on, or none does: how that goes is not known here.
            self.is_well();
        };
        tokio::join!(take_in, self.carry_out(&term, &may));
    }

    /// No problem is known, or none any more.
    fn is_well(&self) {
        self.problem.send_if_modified(|problem| problem.take().is_some());
    }

    /// Polls and stores.
    async fn poll<May: Future<Output = Result<bool, InboxError>>>(&self, shutdown: &CancellationToken, may: &impl Fn() -> May) {
        let (mut failing, mut token, mut is_short) = (Failing::default(), self.telegram.token().renewals(), false);
        loop {
            let began = time::Instant::now();
            let end = tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                end = async { if may().await? { self.fetch(if is_short { 0 } else { LONG_POLL }).await } else { Ok(0) } } => end,
            };
            let mut pause = if is_short && end.is_ok() {
                // Only a long poll that ends well shows that they do.
                self.is_well();
                Duration::ZERO
            } else {
                self.pause_after(end.as_ref().err(), &mut failing)
            };
            // Asked for at once after a failure, so that its end shows; not from another instance, whose poll that would end.
            is_short = matches!(end, Err(UpdatesError::Telegram(_)));
            if matches!(end, Ok(0)) && began.elapsed() < TOO_QUICK {
                pause = TOO_QUICK;
            }
            tokio::select! {
                biased;
                () = shutdown.cancelled() => return,
                () = token.next(), if !pause.is_zero() => {}
                () = time::sleep(pause) => {}
            }
        }
    }

    /// Carries out what is stored, also what a predecessor stored: chats beside each other, each in order.
    async fn carry_out<May: Future<Output = Result<bool, InboxError>>>(&self, shutdown: &CancellationToken, may: &impl Fn() -> May) {
        let mut at_work = FuturesUnordered::new();
        // A chat is looked at again only when all that was taken of it is settled: nothing is carried out twice.
        let mut busy = BTreeSet::new();
        loop {
            // What is at work goes on meanwhile: it may hold the very connections that this look waits for.
            let (mut look, mut ended) = (pin!(self.open_by_chat()), Vec::new());
            let open = loop {
                tokio::select! {
                    biased;
                    open = &mut look => break open,
                    Some(chat) = at_work.next() => ended.push(chat),
                }
            };
            let (is_known, look_again) = (open.is_ok(), !ended.is_empty());
            match open {
                Ok(chats) => {
                    for (chat, updates) in chats {
                        if at_work.len() < CHATS_AT_ONCE && busy.insert(chat) {
                            at_work.push(self.carry_out_chat(chat, updates, shutdown, may));
                        }
                    }
                }
                Err(error) => self.could_not_carry_out(&error.to_string(), None),
            }
            // Only now: the look may have seen what was settled while it lasted.
            busy.retain(|chat| !ended.contains(chat));
            tokio::select! {
                biased;
                () = shutdown.cancelled() => break,
                Some(chat) = at_work.next() => { busy.remove(&chat); }
                () = std::future::ready(()), if look_again && is_known => {}
                () = self.arrivals.stored(), if is_known => {}
                () = time::sleep(if is_known { LOOK_ANYWAY } else { TRY_AGAIN }) => {}
            }
        }
        while at_work.next().await.is_some() {}
    }

    /// Carries out updates of one chat; gives the chat back. Where it fails the rest stays stored, and the chat rests a little.
    async fn carry_out_chat<May: Future<Output = Result<bool, InboxError>>>(
        &self,
        chat: i64,
        updates: Vec<(i64, Update)>,
        shutdown: &CancellationToken,
        may: &impl Fn() -> May,
    ) -> i64 {
        match self.handle_in_order(updates, shutdown, may).await {
            Ok(()) => self.obstacle().clear(),
            Err(error) => {
                self.could_not_carry_out(&error.to_string(), Some(chat));
                tokio::select! { () = shutdown.cancelled() => {}, () = time::sleep(TRY_AGAIN) => {} }
            }
        }
        chat
    }

    /// One line for each new failure, however many chats and tries it meets.
    fn could_not_carry_out(&self, problem: &str, chat: Option<i64>) {
        let is_news = std::mem::replace(&mut *self.obstacle(), problem.to_owned()) != problem;
        if is_news {
            tracing::warn!(problem, chat, "what Telegram brought could not be carried out; trying again");
        } else {
            tracing::debug!(problem, chat, "what Telegram brought could not be carried out");
        }
    }

    fn obstacle(&self) -> MutexGuard<'_, String> {
        self.obstacle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One poll that waits for nothing, or one look after the webhook, then everything that is open; gives how many updates the poll
    /// brought that were new.
    ///
    /// # Errors
    /// As these fail; what was stored stays stored.
    pub async fn step(&self) -> Result<usize, UpdatesError> {
        let fresh = match self.telegram.webhook() {
            Some(webhook) => self.look_after(webhook).await.map(|()| 0)?,
            None => self.fetch(0).await?,
        };
        self.handle_open().await?;
        Ok(fresh)
    }

    pub(super) fn position(&self) -> MutexGuard<'_, Position> {
        self.position.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how a round ended: one line for each new failure, and how long to wait.
    pub(super) fn pause_after(&self, error: Option<&UpdatesError>, failing: &mut Failing) -> Duration {
        let Some(error) = error else {
            *failing = Failing::default();
            self.is_well();
            return Duration::ZERO;
        };
        failing.times += 1;
        let (failures, words) = (failing.times, error.explain());
        if std::mem::replace(&mut failing.words, words.clone()) == words {
            tracing::debug!(problem = words, failures, "no updates are taken from Telegram");
        } else {
            tracing::warn!(problem = words, failures, "no updates are taken from Telegram");
        }
        failing.of_platform += u32::from(!matches!(error, UpdatesError::Inbox(_)));
        if error.needs_operator() || failing.of_platform >= FAILURES {
            self.problem.send_if_modified(|problem| problem.replace(words.clone()).is_none_or(|before| before != words));
        }
        let backoff = Duration::from_secs(1 << (failures - 1).min(6)).min(LONGEST_PAUSE);
        match error {
            UpdatesError::Telegram(error) if error.is_unauthorized() => LONGEST_PAUSE,
            UpdatesError::Telegram(error) => error.retry_after().unwrap_or_default().max(backoff),
            _ => backoff,
        }
    }

    /// Carries out everything that is stored and open.
    async fn handle_open(&self) -> Result<(), UpdatesError> {
        let chats = self.open_by_chat().await?;
        let (to_the_end, may) = (CancellationToken::new(), || std::future::ready(Ok(true)));
        let ends = stream::iter(chats.into_values()).map(|updates| self.handle_in_order(updates, &to_the_end, &may));
        ends.buffer_unordered(CHATS_AT_ONCE).fold(Ok(()), async |all: Result<(), UpdatesError>, end| all.and(end)).await
    }

    /// What is stored and open, of each chat in order. What cannot be read is set aside.
    async fn open_by_chat(&self) -> Result<BTreeMap<i64, Vec<(i64, Update)>>, InboxError> {
        self.forget_old().await?;
        let mut chats: BTreeMap<i64, Vec<(i64, Update)>> = BTreeMap::new();
        for (id, body) in self.arrivals.inbox.open().await? {
            match serde_json::from_str::<Update>(&body) {
                Ok(update) => chats.entry(convert::chat_of(&update)).or_default().push((id, update)),
                Err(error) => {
                    tracing::warn!(update = id, error = http::quoted(&error.to_string()), "an update cannot be read; it is set aside");
                    self.arrivals.reject(id).await?;
                }
            }
        }
        Ok(chats)
    }

    /// One after the other; a stop leaves what was not begun for the next start, and so does the end of the term, which ends all.
    async fn handle_in_order<May: Future<Output = Result<bool, InboxError>>>(
        &self,
        updates: Vec<(i64, Update)>,
        shutdown: &CancellationToken,
        may: &impl Fn() -> May,
    ) -> Result<(), UpdatesError> {
        for (id, update) in updates {
            if shutdown.is_cancelled() {
                break;
            }
            if !may().await? {
                shutdown.cancel();
                break;
            }
            match AssertUnwindSafe(self.handle(id, &update)).catch_unwind().await {
                Ok(end) => end?,
                // An update that breaks us would break us again after each restart, and with it every later one.
                Err(_) => {
                    tracing::error!(update = id, "an update broke its handler; it is set aside");
                    self.arrivals.reject(id).await?;
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
            self.arrivals.inbox.forget_old(now).await?;
        }
        Ok(())
    }
}
