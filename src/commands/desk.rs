//! The desk: takes a request, carries it out, answers. What each command does stands in its own file.

use super::{Action, Command, Inquiries, InsightRequest, LookupRequest, Refusal, Reply, Request, Standing, Venue, authorize};
use crate::{
    cache::{Charts, Insights, Scorecards},
    clock::SharedClock,
    domain::{
        Address, Facet, Kind, Platform, SourceId, Timestamp,
        wording::{Card, Phrase, RefusalPhrase, ReplyPhrase, Tone},
    },
    engine::budget::Wish,
    store::{Store, StoreError, StoreResult},
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::sync::{Semaphore, mpsc};

/// The source whose signals commands are about.
pub(super) const SOURCE: SourceId = SourceId::TokenMetrics;
/// So many questions to the source wait for their turn.
const MOST_WAITING: usize = 64;
/// How long a command waits for the directory's first load (`rules.md` 5.5).
const DIRECTORY_PATIENCE: Duration = Duration::from_secs(10);

/// Answers every command of every platform. Cheap to clone.
#[derive(Clone)]
pub struct Desk {
    pub(super) store: Store,
    pub(super) clock: SharedClock,
    pub(super) lookups: mpsc::Sender<LookupRequest>,
    pub(super) facets: BTreeMap<Facet, mpsc::Sender<InsightRequest>>,
    pub(super) insights: Insights,
    pub(super) settings: Arc<DeskSettings>,
    pub(super) directory_patience: Duration,
    pub(super) charts: Charts,
    pub(super) scorecards: Scorecards,
    /// How many previews are worked out at a time: the processor belongs to what is urgent.
    pub(super) imagining: Arc<Semaphore>,
}

/// What the operator has configured, as far as answers depend on it.
#[derive(Clone, Debug, Default)]
pub struct DeskSettings {
    /// How many tokens by market cap `all` means.
    pub all_tokens: u32,
    /// Kinds whose schedule is `off`: refused by `/subscribe` (`rules.md` 1.6).
    pub off: Vec<Kind>,
    /// The call budget of a month; 0 is no limit.
    pub calls_per_month: u32,
    /// Schedules that the operator gave; the others are chosen from the budget.
    pub schedules: BTreeMap<Kind, Wish>,
    /// Where someone who manages a server can invite the bot.
    pub invite: Option<String>,
}

/// Why a command was not carried out.
#[derive(Debug)]
pub(super) enum Stop {
    /// It was refused: this is the answer, and nothing was changed.
    Refused(Box<Card>),
    /// The same request was carried out already: nothing was changed this time.
    Repeated,
    /// The database failed: logged once, answered with an apology.
    Failed(StoreError),
}

/// How a command ends.
pub(super) type Outcome = Result<Reply, Stop>;

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::Repeated) { Self::Repeated } else { Self::Failed(error) }
    }
}

impl From<RefusalPhrase> for Stop {
    fn from(phrase: RefusalPhrase) -> Self {
        Self::refused([phrase])
    }
}

impl Stop {
    /// A refusal of several sentences.
    pub(super) fn refused(phrases: impl IntoIterator<Item = RefusalPhrase>) -> Self {
        let mut card = Card::new(Tone::Problem, RefusalPhrase::NotDone.into());
        card.lines = phrases.into_iter().map(Phrase::from).collect();
        Self::Refused(Box::new(card))
    }

    /// A refusal of something that was typed, with a right example.
    pub(super) fn with_example(phrase: RefusalPhrase, example: &str) -> Self {
        Self::refused([phrase, RefusalPhrase::Example { text: example.to_owned() }])
    }
}

impl From<Card> for Reply {
    fn from(card: Card) -> Self {
        Self { card, follow_up: None }
    }
}

impl Desk {
    /// A desk and what it will ask of the source.
    pub fn new(store: Store, clock: SharedClock, settings: DeskSettings) -> (Self, Inquiries) {
        let (lookups, requests) = mpsc::channel(MOST_WAITING);
        let (mut facets, mut inquiries) =
            (BTreeMap::new(), Inquiries { lookups: requests, facets: BTreeMap::new(), insights: Insights::default() });
        for facet in Facet::ALL {
            let (ask, requests) = mpsc::channel(MOST_WAITING);
            facets.insert(facet, ask);
            inquiries.facets.insert(facet, requests);
        }
        let desk = Self {
            clock,
            lookups,
            facets,
            insights: inquiries.insights.clone(),
            settings: Arc::new(settings),
            directory_patience: DIRECTORY_PATIENCE,
            charts: Charts::new(store.clone()),
            scorecards: Scorecards::new(store.clone()),
            imagining: Arc::new(Semaphore::new(1)),
            store,
        };
        (desk, inquiries)
    }

    /// How past calls did, as answers tell it: worked out once for all who ask.
    pub fn scorecards(&self) -> Scorecards {
        self.scorecards.clone()
    }

    /// Pictures as answers bring them: each is drawn once for all who ask.
    pub fn charts(&self) -> Charts {
        self.charts.clone()
    }

    /// The same desk with another patience for the directory's first load.
    #[must_use]
    pub fn with_directory_patience(mut self, patience: Duration) -> Self {
        self.directory_patience = patience;
        self
    }

    /// Carries out a command and answers it. Internal errors are logged here and answered with an apology.
    ///
    /// A request that changes something is remembered with its change. On Discord one that showed something or was refused is remembered
    /// once its answer is made; where it failed, the next try is carried out. A Telegram update comes again only if nobody was answered:
    /// what changed nothing is simply answered then.
    pub async fn answer(&self, request: &Request) -> Reply {
        let outcome = self.carry_out(request).await;
        if let (Some(id), Ok(_) | Err(Stop::Refused(_))) = (request.id(), &outcome)
            && request.platform() == Platform::Discord
            && let Err(error) = self.store.remember_request(&id, self.now()).await
        {
            tracing::warn!(%error, "a request could not be remembered; it changed nothing, and would be answered again");
        }
        match outcome {
            Ok(reply) => reply,
            Err(Stop::Refused(card)) => Reply::from(*card),
            Err(Stop::Repeated) => Card::new(Tone::Neutral, ReplyPhrase::AlreadyDone.into()).into(),
            Err(Stop::Failed(error)) => failed(&error, &format!("{:?}", request.invocation.command)).into(),
        }
    }

    async fn carry_out(&self, request: &Request) -> Outcome {
        if let Some(id) = request.id()
            && self.store.is_carried_out(&id, self.now()).await?
        {
            return Err(Stop::Repeated);
        }
        self.welcome_back(request).await?;
        match request.invocation.command {
            Command::Subscribe => self.subscribe_own(request).await,
            Command::Unsubscribe => self.unsubscribe_own(request).await,
            Command::Subscriptions => self.list_own(request).await,
            Command::Signal => self.signal(request).await,
            Command::History => self.history(request).await,
            Command::Why => self.why_own(request).await,
            Command::Status => self.status().await,
            Command::Help => Ok(super::help::help(request.platform()).into()),
            Command::Settings => self.settings_own(request).await,
            Command::ChannelSubscribe
            | Command::ChannelUnsubscribe
            | Command::ChannelList
            | Command::ChannelSettings
            | Command::ChannelMute
            | Command::ChannelTest
            | Command::ChannelWhy => self.channel(request).await,
            Command::Mute => self.mute_own(request).await,
            Command::Privacy => self.privacy(request).await,
        }
    }

    /// Someone speaks to the bot in a place that could not be reached: it can be again. In a channel a command arrives whatever the bot may do there: it
    /// is tried, where somebody types it who may have changed that.
    async fn welcome_back(&self, request: &Request) -> StoreResult<()> {
        let address = match &request.venue {
            Venue::Private { address } | Venue::Group { address, .. } => address,
            Venue::Server { channel, bot_present: true, .. } if request.actor.standing == Standing::Admin => {
                return self.try_again(&Address::new(request.platform(), channel), |_| true).await;
            }
            Venue::Server { .. } | Venue::Elsewhere { .. } => return Ok(()),
        };
        if let Some(destination) = self.store.destination_at(address).await?
            && destination.quarantine.is_some()
        {
            self.store.restore(destination.id).await?;
        }
        Ok(())
    }

    /// Refuses what the actor may not do here.
    pub(super) fn require(&self, request: &Request, action: Action) -> Result<(), Stop> {
        authorize(&request.actor, &request.venue, action).map_err(|refusal| {
            let invite = self.settings.invite.clone().filter(|_| refusal == Refusal::BotNotInServer);
            Stop::refused([Some(refusal.phrase()), invite.map(|url| RefusalPhrase::Invite { url })].into_iter().flatten())
        })
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// Logs a failure and apologises for it; the log has the reference.
pub(super) fn failed(error: &StoreError, command: &str) -> Card {
    let reference = format!("{:08x}", fastrand::u32(..));
    tracing::error!(%error, reference, command, "a command failed");
    Card::new(Tone::Problem, ReplyPhrase::Apology { reference }.into())
}

/// The refusal of a word of a later version.
pub(super) fn not_available(word: &str) -> Stop {
    RefusalPhrase::NotAvailable { word: word.to_owned() }.into()
}

impl Request {
    /// On which platform it was typed.
    pub fn platform(&self) -> Platform {
        self.own_address().platform
    }

    /// Where the alerts of one's own subscriptions made here go.
    pub(super) fn own_address(&self) -> &Address {
        match &self.venue {
            Venue::Private { address } | Venue::Group { address, .. } => address,
            Venue::Server { direct, .. } | Venue::Elsewhere { direct } => direct,
        }
    }

    /// Under which name it is remembered, where the platform may send it again.
    pub(super) fn id(&self) -> Option<String> {
        self.key.as_ref().map(|key| format!("{}:{key}", self.platform()))
    }

    /// The actor as `platform:user`.
    pub(super) fn person(&self) -> String {
        format!("{}:{}", self.platform(), self.actor.user)
    }
}
