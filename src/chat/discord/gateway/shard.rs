//! One connection and the session that outlives it: connects, begins or resumes, listens, keeps alive, and comes back after a drop.

use super::{
    Pauses, address,
    events::Events,
    protocol::{self, Event, Fatal, Heard, Next, ShardId},
    socket::{Incoming, Socket},
    starts::{GatewayError, Starts},
    troubles::{Part, Troubles},
};
use crate::{
    domain::wording::Trouble,
    http::{Credential, quoted},
};
use reqwest::Url;
use std::{collections::VecDeque, time::Duration};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

/// HELLO, and then READY or RESUMED, must have come by then.
const PATIENCE: Duration = Duration::from_secs(60);
/// Discord closes a connection on which more than 120 messages are sent in 60 s.
const MOST_SENT: usize = 110;
const SENT_WITHIN: Duration = Duration::from_secs(60);
/// No heartbeat is expected more often.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(10);
/// A connection that fails now and then is no trouble yet; so many times in a row is. Ten seconds of refusals, five minutes of silence.
const FAILURES: u32 = 5;
/// A session that cannot be resumed so many times in a row is given up.
const MOST_RESUMES: u32 = 6;
/// The longest wait before Discord is asked again whether a session may begin.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// What every shard works with.
pub(super) struct Tools<'gateway> {
    pub(super) token: &'gateway Credential,
    pub(super) starts: &'gateway Starts,
    pub(super) events: &'gateway Events,
    pub(super) troubles: &'gateway Troubles,
    pub(super) pauses: &'gateway Pauses,
}

/// A session: Discord keeps what happens after a drop for it, for a while.
struct Session {
    id: String,
    /// Where to resume it, while that address works.
    at: Option<Url>,
}

/// One shard.
pub(super) struct Shard<'gateway> {
    id: ShardId,
    tools: &'gateway Tools<'gateway>,
    session: Option<Session>,
    /// The number of the last event of the session.
    sequence: Option<u64>,
    /// Ends in a row without a calm while in between.
    failures: u32,
    /// Since when the session goes on in this connection.
    ready_since: Option<Instant>,
}

/// How a connection ended.
enum End {
    /// We were told to stop.
    Stopped,
    /// Discord ended it, or it broke.
    Dropped { next: Next, why: String },
    /// The session was refused; Discord wants a pause before the next word.
    Invalid { resumable: bool },
    /// No session may begin before that.
    Wait { why: String, wait: Duration },
}

impl End {
    fn broken(why: impl Into<String>) -> Self {
        Self::Dropped { next: Next::Resume, why: why.into() }
    }
}

impl<'gateway> Shard<'gateway> {
    pub(super) fn new(id: ShardId, tools: &'gateway Tools<'gateway>) -> Self {
        Self { id, tools, session: None, sequence: None, failures: 0, ready_since: None }
    }

    /// Stays connected until it is told to stop, or until that cannot work any more.
    pub(super) async fn run(mut self, stop: &CancellationToken) -> Option<Fatal> {
        loop {
            self.ready_since = None;
            let end = self.connection(stop).await;
            if self.ready_since.is_some_and(|since| since.elapsed() >= self.tools.pauses.calm) {
                self.failures = 0;
            }
            let wait = match end {
                End::Stopped => return None,
                End::Dropped { next: Next::Stop(fatal), .. } => return Some(fatal),
                End::Dropped { next, why } => {
                    if next == Next::Identify {
                        self.forget();
                    }
                    self.failed(&why)
                }
                End::Invalid { resumable } => {
                    if !resumable {
                        self.forget();
                    }
                    self.failed("Discord refuses the session").max(self.tools.pauses.after_refusal.mul_f64(1.0 + 4.0 * fastrand::f64()))
                }
                End::Wait { why, wait } => {
                    self.failed(&why);
                    self.tools.troubles.has(Part::Shard(self.id.index), why);
                    wait.min(LONGEST_WAIT)
                }
            };
            tokio::select! { biased; () = stop.cancelled() => return None, () = sleep(wait) => {} }
        }
    }

    fn forget(&mut self) {
        self.session = None;
        self.sequence = None;
    }

    /// Notes a failure: one line, and how long to wait.
    fn failed(&mut self, why: &str) -> Duration {
        self.failures += 1;
        if self.failures >= FAILURES {
            self.tools
                .troubles
                .has(Part::Shard(self.id.index), Trouble::DiscordGateway.explain(format_args!("the Gateway cannot be reached: {why}")));
        }
        if self.failures >= MOST_RESUMES {
            self.forget();
        }
        let (shard, failures, resumes) = (self.id.index, self.failures, self.session.is_some());
        // Discord ends every connection now and then.
        if failures < FAILURES {
            tracing::info!(shard, why, failures, resumes, "the Gateway connection ended; it is taken up again");
        } else {
            tracing::warn!(shard, why, failures, resumes, "the Gateway connection ended again; it is tried further");
        }
        self.tools.pauses.after(self.failures, fastrand::f64())
    }

    /// One connection from its beginning to its end.
    async fn connection(&mut self, stop: &CancellationToken) -> End {
        let opened = tokio::select! { biased; () = stop.cancelled() => return End::Stopped, opened = self.open() => opened };
        match opened {
            Ok((socket, interval)) => self.listen(socket, interval, stop).await,
            Err(end) => end,
        }
    }

    /// Connects, hears HELLO, and begins or resumes the session.
    async fn open(&mut self) -> Result<(Socket, Duration), End> {
        let starts = self.tools.starts;
        let Some(session) = &mut self.session else {
            let turn = match starts.turn(self.id).await {
                Ok(turn) => turn,
                Err(GatewayError::UsedUp(wait)) => return Err(End::Wait { why: GatewayError::UsedUp(wait).explain(), wait }),
                Err(error) => return Err(End::broken(error.to_string())),
            };
            let (mut socket, interval) = greeted(starts.gateway()).await.map_err(End::broken)?;
            if !turn.lasts().await {
                socket.close().await;
                return Err(End::broken("another process began a session meanwhile"));
            }
            socket.say(&protocol::identify(&self.tools.token.current(), self.id)).await.map_err(End::broken)?;
            turn.used();
            return Ok((socket, interval));
        };
        let (mut socket, interval) = match greeted(session.at.clone().unwrap_or_else(|| starts.gateway())).await {
            Ok(greeted) => greeted,
            Err(why) => {
                // Next time where sessions begin: the address of this one may be gone.
                session.at = None;
                return Err(End::broken(why));
            }
        };
        let resume = protocol::resume(&self.tools.token.current(), &session.id, self.sequence.unwrap_or_default());
        socket.say(&resume).await.map_err(End::broken)?;
        Ok((socket, interval))
    }

    /// Listens until the connection ends, and keeps it alive.
    async fn listen(&mut self, mut socket: Socket, interval: Duration, stop: &CancellationToken) -> End {
        let mut pulse = Pulse::new(interval, Instant::now());
        let ready_by = Instant::now() + PATIENCE;
        let mut is_ready = false;
        loop {
            let incoming = tokio::select! {
                biased;
                () = stop.cancelled() => {
                    socket.close().await;
                    return End::Stopped;
                }
                () = sleep_until(pulse.next) => {
                    if !pulse.is_alive() {
                        socket.close().await;
                        return End::broken("a heartbeat was not answered");
                    }
                    if let Err(why) = pulse.beat(&mut socket, self.sequence).await { return End::broken(why) }
                    continue;
                }
                () = sleep_until(ready_by), if !is_ready => {
                    socket.close().await;
                    return End::broken("Discord did not begin the session in time");
                }
                incoming = socket.hear() => incoming,
            };
            let heard = match incoming {
                Incoming::Text(text) => protocol::read(&text),
                Incoming::Closed(code) => return End::Dropped { next: protocol::after_close(code), why: closing(code) },
                Incoming::Broken(why) => return End::broken(why),
            };
            match heard {
                Ok(Heard::Event { sequence, event }) => is_ready |= self.event(sequence, event).await,
                Ok(Heard::Acknowledged) => pulse.acknowledged(),
                Ok(Heard::Heartbeat) => {
                    if let Err(why) = pulse.answer(&mut socket, self.sequence).await {
                        return End::broken(why);
                    }
                }
                Ok(Heard::Reconnect) => {
                    socket.close().await;
                    return End::broken("Discord asks to connect anew");
                }
                Ok(Heard::InvalidSession { resumable }) => {
                    socket.close().await;
                    return End::Invalid { resumable };
                }
                Ok(Heard::Hello { .. } | Heard::Other) => {}
                Err(why) => tracing::warn!(shard = self.id.index, why = %quoted(&why), "a message of the Gateway cannot be read"),
            }
        }
    }

    /// Takes note of an event and carries it out; says whether with it the session began or went on.
    async fn event(&mut self, sequence: u64, event: Event) -> bool {
        if let Event::Ready(ready) = &event {
            let at = address::resume(&ready.resume_url, &self.tools.starts.gateway());
            if at.is_none() {
                tracing::warn!(shard = self.id.index, url = %quoted(&ready.resume_url), "where to resume is not an address to trust");
            }
            self.session = Some(Session { id: ready.session.clone(), at });
            self.sequence = None;
            tracing::info!(shard = self.id.index, of = self.id.of, guilds = ready.guilds.len(), "commands come over the Gateway");
        } else if event != Event::Resumed && self.sequence.is_some_and(|last| sequence <= last) {
            return false;
        }
        let begins = matches!(event, Event::Ready(_) | Event::Resumed);
        if begins {
            self.ready_since = Some(Instant::now());
            self.tools.troubles.is_well(Part::Shard(self.id.index));
        }
        if event == Event::Resumed {
            tracing::info!(shard = self.id.index, "the session on the Gateway goes on");
        }
        self.tools.events.happened(self.id, event).await;
        self.sequence = Some(sequence);
        begins
    }
}

/// A connection on which Discord said HELLO, and how often it wants a heartbeat.
///
/// # Errors
/// In words for the log.
pub(super) async fn greeted(url: Url) -> Result<(Socket, Duration), String> {
    let mut socket = Socket::connect(&address::with_protocol(url)).await?;
    match timeout(PATIENCE, socket.hear()).await {
        Ok(Incoming::Text(text)) => match protocol::read(&text) {
            Ok(Heard::Hello { interval }) => Ok((socket, interval)),
            _ => Err("the first message is not HELLO: something else may answer at the Gateway's address".to_owned()),
        },
        Ok(Incoming::Closed(code)) => Err(closing(code)),
        Ok(Incoming::Broken(why)) => Err(why),
        Err(_) => Err("Discord did not say HELLO in time".to_owned()),
    }
}

fn closing(code: Option<u16>) -> String {
    code.map_or_else(|| "Discord closed the connection".to_owned(), |code| format!("Discord closed the connection ({code})"))
}

/// The heartbeats of one connection.
struct Pulse {
    interval: Duration,
    next: Instant,
    unanswered: bool,
    sent: VecDeque<Instant>,
}

impl Pulse {
    /// The first one comes at a random moment within the interval, so that not all bots speak at once after an outage.
    fn new(interval: Duration, now: Instant) -> Self {
        let interval = interval.max(SHORTEST_INTERVAL);
        // IDENTIFY or RESUME was the first.
        Self { interval, next: now + interval.mul_f64(fastrand::f64()), unanswered: false, sent: VecDeque::from([now]) }
    }

    /// Whether the last heartbeat was answered.
    fn is_alive(&self) -> bool {
        !self.unanswered
    }

    fn acknowledged(&mut self) {
        self.unanswered = false;
    }

    /// The regular one.
    async fn beat(&mut self, socket: &mut Socket, sequence: Option<u64>) -> Result<(), String> {
        self.next = Instant::now() + self.interval;
        self.answer(socket, sequence).await
    }

    /// One at once; none where that would be one message too many.
    async fn answer(&mut self, socket: &mut Socket, sequence: Option<u64>) -> Result<(), String> {
        if self.may_send(Instant::now()) {
            socket.say(&protocol::heartbeat(sequence)).await?;
            self.unanswered = true;
        }
        Ok(())
    }

    fn may_send(&mut self, now: Instant) -> bool {
        while self.sent.front().is_some_and(|at| *at + SENT_WITHIN <= now) {
            self.sent.pop_front();
        }
        let may = self.sent.len() < MOST_SENT;
        if may {
            self.sent.push_back(now);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_is_sent_than_discord_takes_however_often_it_asks() {
        let begin = Instant::now();
        let mut pulse = Pulse::new(Duration::from_secs(41), begin);
        let sent = |pulse: &mut Pulse, at: u64| (0..1_000).filter(|_| pulse.may_send(begin + Duration::from_secs(at))).count();
        assert_eq!(sent(&mut pulse, 1), MOST_SENT - 1, "IDENTIFY counts too");
        assert_eq!(sent(&mut pulse, 59), 0);
        assert_eq!(sent(&mut pulse, 60), 1);
        assert_eq!(sent(&mut pulse, 61), MOST_SENT - 1);
    }

    #[test]
    fn a_heartbeat_is_never_wanted_without_end() {
        let now = Instant::now();
        let pulse = Pulse::new(Duration::ZERO, now);
        assert!(pulse.interval == SHORTEST_INTERVAL && pulse.next <= now + SHORTEST_INTERVAL && pulse.is_alive());
    }
}
