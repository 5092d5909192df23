//! Telegram's pace, in real time: four hundred chats before a fake that enforces the limits, and a group whose queue is long.

use crate::{
    filled::{Database, queue},
    market::{chat, people, snapshot},
    support::{commands::run_sql, fake_telegram::FakeTelegram},
    table::{Table, millis},
};
use bellwether::{
    cache::{Charts, Scorecards},
    chat::{Messenger, telegram::Telegram},
    clock::{Clock as _, SharedClock, SystemClock},
    domain::{
        Address, MessageBody, Place, Platform,
        wording::{Card, NoticePhrase, Phrase, Tone},
    },
    pipeline::{
        compose::compose_all,
        deliver::{Deliverer, DelivererParts, MOST_IN_FLIGHT},
        fanout::fan_out_all,
        ingest::ingest,
        operators::Operators,
    },
    store::{NewDestination, NewNotice, Store},
    telemetry::Metrics,
};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{sync::Notify, task::JoinHandle};
use tokio_util::sync::CancellationToken;

const CHATS: usize = 400;
const GROUP: i64 = -1_001_234_567_890;
const WAITING: usize = 60;
const UNRELATED: i64 = 5;
const TOKEN: i64 = 1;
const BACKLOG: usize = 100_000;
const PATIENCE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The part of the product that sends, as `serve` runs it.
struct Sending {
    store: Store,
    url: String,
    telegram: FakeTelegram,
    wake: Arc<Notify>,
    stop: CancellationToken,
    running: JoinHandle<()>,
    _files: tempfile::TempDir,
}

impl Sending {
    async fn start() -> Self {
        let files = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", files.path().join("pacing.db").display());
        let store = Store::open(&url).await.unwrap();
        let telegram = FakeTelegram::start().await;
        let clock: SharedClock = Arc::new(SystemClock);
        let (wake, stop) = (Arc::new(Notify::new()), CancellationToken::new());
        let parts = DelivererParts {
            store: store.clone(),
            clock: clock.clone(),
            metrics: Arc::new(Metrics::default()),
            operators: Operators::new(store.clone(), clock.clone(), Vec::new()),
            charts: Charts::new(store.clone()),
            wake: wake.clone(),
            holder: "bench".to_owned(),
            at_once: MOST_IN_FLIGHT,
        };
        let messenger: Arc<dyn Messenger> = Arc::new(Telegram::new(telegram.settings(), clock));
        let (mut deliverer, claims, until) = (Deliverer::new(parts, messenger), store.clone(), stop.clone());
        let running = tokio::spawn(async move { deliverer.run(claims, until).await });
        Self { store, url, telegram, wake, stop, running, _files: files }
    }

    /// A call turns from one day to the next, and becomes a message to everybody who follows it.
    async fn turn(&self) {
        let before = SystemClock.now() - DAY;
        ingest(&self.store, &snapshot([TOKEN].into_iter(), -1.0, before), before).await.unwrap();
        self.turn_of(TOKEN).await;
    }

    /// The call of a token that was bearish.
    async fn turn_of(&self, token: i64) {
        let (clock, metrics): (SharedClock, _) = (Arc::new(SystemClock), Metrics::default());
        let now = clock.now();
        ingest(&self.store, &snapshot([token].into_iter(), 1.0, now), now).await.unwrap();
        fan_out_all(&self.store, &clock, &metrics).await.unwrap();
        compose_all(&self.store, &clock, &metrics, &Scorecards::new(self.store.clone())).await.unwrap();
        self.wake.notify_one();
    }

    /// Something urgent for one chat.
    async fn tell(&self, chat: i64) {
        let place = if chat < 0 { Place::Group } else { Place::Person };
        let address = Address::new(Platform::Telegram, chat.to_string());
        let to = [NewDestination { address, place, tenant: None, label: None, creator: None }];
        let notice = NoticePhrase::CommandsBack { platform: Platform::Telegram };
        let body = MessageBody::Card { card: Card::new(Tone::Neutral, Phrase::Notice(notice)) };
        self.store.tell(NewNotice { to: &to, body: &body }, SystemClock.now()).await.unwrap();
        self.wake.notify_one();
    }

    /// Waits until so many messages have arrived; gives the times at which they did, by chat.
    async fn arrivals(&self, count: usize) -> Vec<(i64, Instant)> {
        let began = Instant::now();
        loop {
            let arrived: Vec<_> = self.telegram.with(|world| world.sent.iter().map(|sent| (sent.chat, sent.arrived)).collect());
            if arrived.len() >= count || began.elapsed() > PATIENCE {
                return arrived;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    async fn stop(self) -> usize {
        self.stop.cancel();
        self.running.await.unwrap();
        self.telegram.unread();
        self.telegram.refused_for_speed()
    }
}

pub(crate) async fn measure(table: &mut Table) {
    four_hundred(table, "400 Telegram chats", "{}").await;
    four_hundred(table, "400 Telegram chats, each with a picture", r#"{"charts":"dark"}"#).await;
    beside_a_full_group(table).await;
    behind_a_backlog(table).await;
}

async fn four_hundred(table: &mut Table, who: &str, settings: &str) {
    let sending = Sending::start().await;
    people(&sending.url, Platform::Telegram, CHATS, Some(TOKEN)).await;
    run_sql(&sending.url, &format!("UPDATE destinations SET settings = '{settings}'")).await;
    sending.telegram.with(|world| (0..CHATS).for_each(|n| _ = world.person(chat(Platform::Telegram, n).parse().unwrap())));
    sending.turn().await;
    let times: Vec<_> = sending.arrivals(CHATS).await.into_iter().map(|(_, at)| at).collect();
    let pictures = sending.telegram.with(|world| world.sent.iter().filter(|sent| sent.file.is_some()).count());
    let uploads = sending.telegram.calls("sendPhoto").iter().filter(|call| !call["photo"].is_string()).count();
    let refused = sending.stop().await;
    let took = times[times.len() - 1] - times[0];
    let ideal = Duration::from_secs_f64((CHATS - 1) as f64 / 30.0);
    let over = took.as_secs_f64() / ideal.as_secs_f64() - 1.0;
    let measured =
        format!("{:+.1} % ({:.2} s : {:.2} s), {} of {CHATS} arrived", over * 100.0, took.as_secs_f64(), ideal.as_secs_f64(), times.len());
    table.reach(&format!("{who}, against (N - 1) / 30 s"), "within 10 %", measured, times.len() == CHATS && over.abs() <= 0.1);
    if settings != "{}" {
        let is_met = pictures == CHATS && uploads == 1;
        table.reach("the pictures that came; uploads", "all; one", format!("{pictures}; {uploads}"), is_met);
    }
    let second = Duration::from_secs(1);
    let most = times.iter().enumerate().map(|(from, at)| times[from..].iter().take_while(|later| **later - *at < second).count()).max();
    let most = most.unwrap_or_default();
    table.reach(
        "the most of them in any sliding second; 429s",
        "at most 30; none",
        format!("{most}; {refused}"),
        most <= 30 && refused == 0,
    );
}

async fn beside_a_full_group(table: &mut Table) {
    let sending = Sending::start().await;
    sending.telegram.with(|world| {
        world.group(GROUP, "Traders", 7);
        (0..UNRELATED).for_each(|n| _ = world.person(10_000 + n));
    });
    for _ in 0..WAITING {
        sending.tell(GROUP).await;
    }
    let mut worst = Duration::ZERO;
    for chat in (0..UNRELATED).map(|n| 10_000 + n) {
        // Long enough for the group's next message to be tried.
        tokio::time::sleep(Duration::from_millis(700)).await;
        let began = Instant::now();
        sending.tell(chat).await;
        while !sending.arrivals(1).await.iter().any(|(to, _)| *to == chat) && began.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        worst = worst.max(began.elapsed());
    }
    let to_group = sending.arrivals(1).await.iter().filter(|(to, _)| *to == GROUP).count();
    let refused = sending.stop().await;
    let measured = format!("{} (the group had {to_group} of {WAITING}; {refused} 429s)", millis(worst));
    let met = worst < Duration::from_secs(1) && refused == 0 && to_group < WAITING;
    table.reach("the longest wait of five other chats beside a group with 60 waiting", "under 1 s", measured, met);
}

/// A turn for one chat, while a hundred thousand others wait for summaries and digests.
async fn behind_a_backlog(table: &mut Table) {
    let sending = Sending::start().await;
    let mut database = Database::open(&sending.url).await;
    people(&sending.url, Platform::Telegram, BACKLOG / 2, None).await;
    // Two each: a summary, and a digest behind it.
    queue(&mut database, 2, "n + 2").await;
    let known = PATIENCE.as_secs() as usize * 30;
    sending.telegram.with(|world| (0..known).for_each(|n| _ = world.person(chat(Platform::Telegram, n).parse().unwrap())));
    let mut worst = Duration::ZERO;
    for token in 1..=UNRELATED {
        let chat = 5_000_000 + token;
        sending.telegram.with(|world| _ = world.person(chat));
        database
            .run(format!(
                "INSERT INTO destinations (platform, chat, topic, place, settings, created_at, rest_until, probes)
                 VALUES ('telegram', '{chat}', '', 'person', '{{}}', 0, 0, 0);
                 INSERT INTO subscriptions (destination_id, source, target, kind, direction, delivery, creator, created_at, updated_at)
                 SELECT id, 'token-metrics', '{token}', 'daily', 'any', 'instant', 'bench', 0, 0 FROM destinations WHERE chat = '{chat}'"
            ))
            .await;
        let at = SystemClock.now();
        ingest(&sending.store, &snapshot([token].into_iter(), -1.0, at - DAY), at - DAY).await.unwrap();
        tokio::time::sleep(Duration::from_millis(700)).await;
        let began = Instant::now();
        sending.turn_of(token).await;
        while !sending.telegram.with(|world| world.sent.iter().any(|sent| sent.chat == chat)) && began.elapsed() < PATIENCE {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        worst = worst.max(began.elapsed());
    }
    let arrived = sending.arrivals(0).await.len();
    let refused = sending.stop().await;
    let measured = format!("{} ({arrived} others had theirs; {refused} 429s)", millis(worst));
    let met = worst < Duration::from_secs(1) && refused == 0;
    table.reach("the longest wait of five alerts behind 100,000 summaries and digests", "under 1 s", measured, met);
}
