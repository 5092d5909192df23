//! What runs beside the parts: registers commands with the platforms, and keeps `/readyz`, the metrics and the operators informed of
//! what the parts say of themselves.

use crate::{
    chat::{
        discord::{Discord, Registered},
        telegram::Telegram,
    },
    clock::SharedClock,
    commands::{CATALOG, telegram_commands},
    domain::{Platform, wording::NoticePhrase},
    http::Renewals,
    pipeline::operators::Operators,
    store::Store,
    telemetry::Metrics,
    web::Readiness,
};
use futures_util::future::select_all;
use std::{collections::BTreeSet, sync::Arc, time::Duration};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// How long a failed registration of commands rests before it is tried again.
const REGISTER_AGAIN: Duration = Duration::from_secs(60);
/// How often the way of commands is looked at; more often while they do not come.
const LOOK: Duration = Duration::from_secs(10 * 60);
const LOOK_AGAIN: Duration = Duration::from_secs(60);
/// How often the database is asked whether it is there, and how long that may take.
const LOOK_AT_DATABASE: Duration = Duration::from_secs(2);
/// So many times in a row it must have failed: a restart of a moment is waited for.
const DATABASE_FAILURES: u32 = 2;
/// How long commands must have worked before operators are told that they do again: two instances that take turns are no recovery.
const CALM: Duration = Duration::from_secs(5 * 60);
/// How often whoever gets no commands says so again, and how long nobody must have done so: one process that is well says nothing of the others, and
/// one that is gone clears nothing.
const SAY_AGAIN: Duration = Duration::from_secs(60);
const SILENCE: Duration = CALM.saturating_add(SAY_AGAIN);

/// Keeps `/readyz` true of one platform's sending.
pub(super) async fn report_health(
    readiness: Readiness,
    metrics: Arc<Metrics>,
    platform: Platform,
    mut health: watch::Receiver<bool>,
    stop: CancellationToken,
) {
    loop {
        readiness.platform(platform, *health.borrow_and_update());
        metrics.platform_up(platform, readiness.works(platform));
        changed(&mut health, &stop).await;
        if stop.is_cancelled() {
            return;
        }
    }
}

/// Keeps `/readyz` true of the database, so that a proxy asks another process meanwhile (`contract.md` section 3: 200 when it can do its work). Asks by
/// connections that are not busy with anything else.
pub(super) async fn watch_database(store: Store, clock: SharedClock, readiness: Readiness, stop: CancellationToken) {
    let mut failures = 0;
    while !stop.is_cancelled() {
        tokio::select! { () = stop.cancelled() => return, () = tokio::time::sleep(LOOK_AT_DATABASE) => {} }
        let answers = matches!(tokio::time::timeout(LOOK_AT_DATABASE, store.is_served(clock.now())).await, Ok(Ok(_)));
        if answers && failures >= DATABASE_FAILURES {
            tracing::info!("the database answers again");
        }
        failures = if answers { 0 } else { failures + 1 };
        if failures == DATABASE_FAILURES {
            tracing::error!("the database does not answer: /readyz says so until it does");
        }
        readiness.database(failures < DATABASE_FAILURES);
    }
}

/// Waits for news, or for the stop where none can come any more.
async fn changed<T>(news: &mut watch::Receiver<T>, stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        changed = news.changed() => if changed.is_err() { stop.cancelled().await },
    }
}

/// Tells whoever must know whether commands of a platform work (`rules.md` 6.2, 6.4).
pub(super) struct CommandsReport {
    pub(super) platform: Platform,
    /// Why they do not, by everyone who may know; nothing while all is well.
    pub(super) problems: Vec<watch::Receiver<Option<String>>>,
    pub(super) readiness: Readiness,
    pub(super) metrics: Arc<Metrics>,
    pub(super) operators: Operators,
    /// The codes of what was told since commands last worked for a while: nothing yet.
    pub(super) told: BTreeSet<String>,
}

impl CommandsReport {
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let platform = self.platform;
        while !stop.is_cancelled() {
            let told: Vec<_> = self.problems.iter_mut().map(|problem| problem.borrow_and_update().clone()).collect();
            let problem = told.into_iter().flatten().next();
            self.readiness.commands(platform, problem.is_none());
            self.metrics.platform_up(platform, self.readiness.works(platform));
            if let Some(problem) = problem {
                self.tell(problem).await;
                let _ = tokio::time::timeout(SAY_AGAIN, any_changed(&mut self.problems, &stop)).await;
            } else if tokio::time::timeout(CALM, any_changed(&mut self.problems, &stop)).await.is_err() {
                self.tell_of_calm().await;
            }
        }
    }

    /// What has another cause asks for another cure: it is told as well, each cause once.
    async fn tell(&mut self, problem: String) {
        let code = problem.rsplit_once('[').map_or("", |(_, code)| code).to_owned();
        let is_first = self.told.is_empty();
        if self.told.insert(code) && !is_first {
            self.operators.clear(&self.notice(), None).await;
        }
        let notice = NoticePhrase::CommandsDown { platform: self.platform, problem };
        self.operators.tell_while(&self.notice(), notice).await;
    }

    async fn tell_of_calm(&mut self) {
        self.told.clear();
        let back = NoticePhrase::CommandsBack { platform: self.platform };
        self.operators.clear_if_over(&self.notice(), SILENCE, back).await;
    }

    fn notice(&self) -> String {
        format!("commands:{}", self.platform)
    }
}

/// Waits for news of any of them, or for the stop.
async fn any_changed(news: &mut [watch::Receiver<Option<String>>], stop: &CancellationToken) {
    let each: Vec<_> = news.iter_mut().map(|news| Box::pin(changed(news, stop))).collect();
    if each.is_empty() {
        stop.cancelled().await;
    } else {
        select_all(each).await;
    }
}

/// Registers the slash commands if they differ, until that works; says in `problem` that the token is refused.
pub(super) async fn register_discord(discord: Discord, problem: watch::Sender<Option<String>>, stop: CancellationToken) {
    until_done("Discord", discord.token().renewals(), &stop, || async {
        let done = discord.register(CATALOG).await;
        match &done {
            Ok(_) => drop(problem.send_replace(None)),
            Err(error) if error.is_unauthorized() => drop(problem.send_replace(Some(error.explain()))),
            Err(_) => {}
        }
        let words = |done| if done == Registered::Changed { "written" } else { "as they were" }.to_owned();
        done.map(words).map_err(|error| error.explain())
    })
    .await;
    stop.cancelled().await;
}

/// Looks now and then whether commands can come the way that is configured, and says in `problem` where they cannot: the way is chosen in
/// the developer portal, and Discord is silent about the other one.
pub(super) async fn watch_way_of_commands(discord: Discord, problem: watch::Sender<Option<String>>, stop: CancellationToken) {
    let mut warned = false;
    while !stop.is_cancelled() {
        match discord.application().await {
            Ok(application) => {
                let obstacle = discord.obstacle(&application);
                problem.send_if_modified(|told| {
                    if *told == obstacle {
                        false
                    } else {
                        *told = obstacle.clone();
                        true
                    }
                });
                let unset = discord.comes_over_http() && application.endpoint().is_none();
                if unset && !warned {
                    tracing::warn!(
                        "no command arrives from Discord yet: enter the Interactions Endpoint URL in the developer portal, \
                         `bellwether check` names it; or unset DISCORD_PUBLIC_KEY to take commands over the Gateway"
                    );
                }
                warned = unset;
            }
            Err(error) => tracing::debug!(%error, "Discord does not say which way commands come"),
        }
        let wait = if problem.borrow().is_some() { LOOK_AGAIN } else { LOOK };
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Registers the command lists if they differ, until that works.
pub(super) async fn register_telegram(telegram: Option<Telegram>, stop: CancellationToken) {
    if let Some(telegram) = telegram {
        let commands = telegram_commands();
        until_done("Telegram", telegram.token().renewals(), &stop, || async {
            let words = |changed: Vec<_>| if changed.is_empty() { "as they were".to_owned() } else { changed.join(", ") };
            telegram.register(&commands).await.map(words).map_err(|error| error.explain())
        })
        .await;
    }
    stop.cancelled().await;
}

async fn until_done<F>(platform: &str, mut renewals: Renewals, stop: &CancellationToken, act: impl Fn() -> F)
where
    F: Future<Output = Result<String, String>>,
{
    while !stop.is_cancelled() {
        match act().await {
            Ok(done) => return tracing::info!(platform, done, "the commands are registered"),
            Err(problem) => tracing::warn!(platform, problem, "the commands could not be registered; trying again in a minute"),
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = renewals.next() => {}
            () = tokio::time::sleep(REGISTER_AGAIN) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        clock::{Clock as _, ManualClock, SystemClock},
        domain::{Address, Timestamp},
        store::Store,
    };

    #[tokio::test]
    async fn trouble_with_commands_is_told_everywhere_and_once() {
        let store = Store::open("sqlite::memory:").await.unwrap();
        let clock = Arc::new(SystemClock);
        let operators = Operators::new(store.clone(), clock.clone(), vec![Address::new(Platform::Discord, "7")]);
        let (readiness, metrics) = (Readiness::default(), Arc::new(Metrics::default()));
        readiness.platform(Platform::Telegram, true);
        let (say, problem) = watch::channel(Some("another instance polls with this token".to_owned()));
        let report = CommandsReport {
            platform: Platform::Telegram,
            problems: vec![watch::channel(None).1, problem],
            readiness: readiness.clone(),
            metrics: metrics.clone(),
            operators: operators.clone(),
            told: Default::default(),
        };
        let stop = CancellationToken::new();
        let watching = async {
            while store.queue_depth().await.unwrap().iter().all(|(platform, ..)| *platform != Platform::Discord) {
                tokio::task::yield_now().await;
            }
            assert_eq!(readiness.report().platforms["telegram"], "down");
            assert!(metrics.render().contains(r#"platform_up{platform="telegram"} 0"#));
            assert!(!store.notice_is_new("commands:telegram", None, clock.now()).await.unwrap(), "told once");
            say.send_replace(None);
            while !readiness.works(Platform::Telegram) {
                tokio::task::yield_now().await;
            }
            assert!(metrics.render().contains(r#"platform_up{platform="telegram"} 1"#));
            stop.cancel();
        };
        tokio::join!(report.run(stop.clone()), watching);
    }

    #[tokio::test]
    async fn trouble_of_one_process_is_not_over_because_another_is_well() {
        let store = Store::open("sqlite::memory:").await.unwrap();
        let clock = Arc::new(ManualClock::new(Timestamp::from_secs(1_795_000_000)));
        let process = || CommandsReport {
            platform: Platform::Discord,
            problems: Vec::new(),
            readiness: Readiness::default(),
            metrics: Arc::new(Metrics::default()),
            operators: Operators::new(store.clone(), clock.clone(), vec![Address::new(Platform::Telegram, "7")]),
            told: Default::default(),
        };
        let told = async || store.queue_depth().await.unwrap().iter().map(|(.., messages)| messages).sum::<i64>();
        let (mut troubled, mut well) = (process(), process());
        for _ in 0..10 {
            troubled.tell("no commands come".to_owned()).await;
            clock.advance(SAY_AGAIN);
            well.tell_of_calm().await;
            assert_eq!(told().await, 1, "told once, and not over");
        }
        // It is gone, or well again: whoever is well says so.
        clock.advance(SILENCE);
        for _ in 0..2 {
            well.tell_of_calm().await;
            assert_eq!(told().await, 2, "it is over, which is told once");
        }
        troubled.tell("no commands come".to_owned()).await;
        assert_eq!(told().await, 3, "the next trouble is told");
        for _ in 0..3 {
            troubled.tell("it cannot be reached; it is tried again by itself [DC-UNREACHABLE]".to_owned()).await;
            troubled.tell("refused; reset the token [DC-TOKEN]".to_owned()).await;
            troubled.tell("refused otherwise; reset the token [DC-TOKEN]".to_owned()).await;
        }
        assert_eq!(told().await, 5, "so is each that needs another cure, once");
    }
}
