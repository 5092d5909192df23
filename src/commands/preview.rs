//! `/subscribe … preview`: what such a subscription would have sent in the last weeks, by the rules that would send it. Nothing is saved.

use super::{
    Request,
    desk::{Desk, SOURCE, Stop},
    options,
};
use crate::{
    domain::{
        ButtonVerb, Change, Confirmation, Delivery, Direction, Drawn, Kind, Nature, Platform, Reason, Settings, Stance,
        SubscriptionSubject, Target, Timestamp, Timing, Token, TokenId, Wish, Zone, clean_name,
        wording::{Card, Phrase, PreviewPhrase, TokenLabel, Tone},
    },
    engine::{
        follower::{Follower, News, Step},
        threshold::crossings,
    },
    store::{ListedSubscription, PastNumber, StoredChange, SubscribeOrder},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};
use tokio::{sync::OwnedSemaphorePermit, task::JoinError};

/// So far back is looked.
const DAYS: u32 = 30;
const DAY: Duration = Duration::from_secs(24 * 3600);
/// The most messages that are shown one by one, the newest ones.
const SHOWN: usize = 5;
/// The most changes that are gone through: more than a busy market makes in the time.
const MOST_CHANGES: u32 = 5_000;
/// The most tokens whose oldest row is looked for.
const MOST_LOOKED_AT: usize = 50;

/// A message that would have been sent.
struct Imagined {
    at: Timestamp,
    title: String,
    changes: usize,
}

impl Desk {
    pub(super) async fn preview(&self, request: &Request, order: &SubscribeOrder, tokens: &[Token]) -> Result<Card, Stop> {
        let destination = self.store.destination_at(&order.destination.address).await?;
        let is_saved = match &destination {
            Some(destination) => is_among(order, &self.store.subscriptions_of(destination.id).await?),
            None => false,
        };
        let title = if is_saved { PreviewPhrase::OfSaved } else { PreviewPhrase::Title };
        let mut card = Card::new(Tone::Neutral, title.into());
        card.lines = self.would_have_sent(order, destination.map(|known| known.settings).unwrap_or_default()).await?;
        if !is_saved {
            card.lines.push(PreviewPhrase::Subscribe { example: self.example(request, order, tokens).await? }.into());
            card.buttons.extend(self.offer(request, ButtonVerb::Subscribe, &subject(request, order)).await);
        }
        Ok(card)
    }

    /// What it would have sent, a line each.
    async fn would_have_sent(&self, order: &SubscribeOrder, settings: Settings) -> Result<Vec<Phrase>, Stop> {
        // Taken before anything is read: whoever waits holds nothing in memory.
        let place = self.imagining.clone().acquire_owned().await.ok();
        let (now, zone) = (self.now(), settings.timezone);
        let meant = self.meant(&order.targets).await?;
        let oldest = self.store.oldest_row(SOURCE, order.kind, &meant[..meant.len().min(MOST_LOOKED_AT)]).await?;
        let Some(known_since) = oldest else { return Ok(vec![PreviewPhrase::NothingKnown.into()]) };
        let begin = now - DAY * DAYS;
        let changes = self.store.changes_since(SOURCE, order.kind, &meant, begin, MOST_CHANGES).await?;
        let numbers = match order.threshold {
            Some(_) => self.store.numbers_since(SOURCE, order.kind, &meant, begin, MOST_CHANGES).await?,
            None => Vec::new(),
        };
        // Where there are more than are gone through, it is told of the time alone of which all is known.
        let cut = |count: usize, first: Option<Timestamp>| first.filter(|_| count >= MOST_CHANGES as usize);
        let of_changes = cut(changes.len(), changes.first().map(|first| first.change.data_time));
        let of_numbers = cut(numbers.len(), numbers.first().map(|first| first.at));
        let since = [Some(begin), of_changes, of_numbers].into_iter().flatten().max().unwrap_or(begin);
        let mut news: Vec<_> = changes.into_iter().map(as_news).collect();
        news.extend(crossed(order, numbers));
        news.retain(|news| news.change.data_time >= since);
        let days = u32::try_from(now.since(since.max(known_since)).as_secs() / DAY.as_secs()).unwrap_or(u32::MAX).clamp(1, DAYS);
        let polls = self.polls(order.kind, &settings, since).await?;
        let order = order.clone();
        let (messages, waiting) = off_the_threads(place, move || imagine(&settings, &order, news, &polls, now)).await;
        let mut lines = vec![if messages.is_empty() {
            PreviewPhrase::Nothing { days, waiting: waiting > 0 }
        } else {
            let changes = messages.iter().map(|message| message.changes).sum();
            PreviewPhrase::WouldHaveSent { days, messages: messages.len(), changes, busiest: busiest(&messages, zone) }
        }];
        lines.extend(messages.iter().rev().take(SHOWN).map(|message| {
            let day = zone.shown(message.at).date();
            PreviewPhrase::Message { day, title: message.title.clone() }
        }));
        lines.extend((waiting > 0).then_some(PreviewPhrase::Waiting { changes: waiting }));
        Ok(lines.into_iter().map(Phrase::from).collect())
    }

    /// When it was polled, where that matters. Before there were polls, the end of each row's time is taken for one.
    async fn polls(&self, kind: Kind, settings: &Settings, since: Timestamp) -> Result<BTreeSet<Timestamp>, Stop> {
        if !matches!(settings.confirmation, Confirmation::Polls(_)) {
            return Ok(BTreeSet::new());
        }
        let mut polls: BTreeSet<_> = self.store.last_polls(SOURCE, kind, MOST_CHANGES).await?.began.into_iter().collect();
        let first = polls.first().copied().unwrap_or(self.now());
        let rows = std::iter::successors(Some(since), |at| Some(*at + kind.period())).take_while(|at| *at < first);
        polls.extend(rows);
        Ok(polls)
    }

    /// The tokens that these targets mean at present.
    async fn meant(&self, targets: &[Target]) -> Result<Vec<TokenId>, Stop> {
        let own = targets.iter().filter_map(|target| match target {
            Target::All => None,
            Target::Token(token) => Some(*token),
        });
        let all = if targets.contains(&Target::All) { self.store.wanted_targets(SOURCE).await?.in_all().clone() } else { [].into() };
        Ok(own.chain(all).collect())
    }

    /// What to type to have it.
    async fn example(&self, request: &Request, order: &SubscribeOrder, tokens: &[Token]) -> Result<String, Stop> {
        let labels = self.labels(tokens).await?;
        let mut words = words(order, labels.iter().map(TokenLabel::typed));
        let named = request.platform() == Platform::Discord;
        let given = |name| named && request.invocation.options.contains_key(name);
        words.extend(request.channel.as_ref().filter(|_| given("channel")).map(|channel| ("channel", clean_name(&channel.label))));
        words.extend(given("mention").then(|| ("mention", "@role".to_owned())));
        let word = |(name, value): (&str, String)| if named { format!("{name}:{value}") } else { value };
        Ok(options::example(request, &words.into_iter().map(word).collect::<Vec<_>>().join(" ")))
    }
}

/// Thousands of changes take their time: they are gone through off the threads that answer, one preview at a time. What breaks there breaks here.
async fn off_the_threads<T: Send + 'static>(place: Option<OwnedSemaphorePermit>, work: impl FnOnce() -> T + Send + 'static) -> T {
    let done = tokio::task::spawn_blocking(move || {
        // The place is taken until it is done, also where nobody waits for it any more.
        let _place = place;
        work()
    });
    match done.await.map_err(JoinError::try_into_panic) {
        Ok(value) => value,
        Err(Ok(panic)) => std::panic::resume_unwind(panic),
        // It was not begun, because the program ends.
        Err(Err(_)) => std::future::pending().await,
    }
}

/// What is typed for such a subscription, by the names of the options; `tokens` without `all`.
fn words(order: &SubscribeOrder, tokens: impl Iterator<Item = String>) -> Vec<(&'static str, String)> {
    let all = order.targets.contains(&Target::All).then(|| "all".to_owned());
    let list: Vec<_> = all.into_iter().chain(tokens).collect();
    let mut words = vec![("tokens", list.join(",")), ("kind", order.kind.as_str().to_owned())];
    words.extend((order.direction != Direction::Any).then(|| ("direction", order.direction.as_str().to_owned())));
    words.extend((order.delivery != Delivery::Instant).then(|| ("delivery", order.delivery.as_str().to_owned())));
    words.extend(order.threshold.map(|threshold| ("threshold", threshold.to_string())));
    words
}

/// The same subscription for a button, whoever presses it when.
pub(super) fn subject(request: &Request, order: &SubscribeOrder) -> SubscriptionSubject {
    let tokens = order.targets.iter().filter_map(|target| match target {
        Target::All => None,
        Target::Token(token) => Some(format!("#{token}")),
    });
    SubscriptionSubject {
        channel: request.channel.as_ref().map(|channel| channel.address.chat.clone()),
        options: words(order, tokens).into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
    }
}

/// Whether all of it is subscribed to already, just so.
fn is_among(order: &SubscribeOrder, listed: &[ListedSubscription]) -> bool {
    let wanted = (order.kind, order.direction, order.delivery, order.threshold);
    let is_it = |target: &Target, listed: &ListedSubscription| {
        let target_of = listed.token.as_ref().map_or(Target::All, |token| Target::Token(token.id));
        target_of == *target && (listed.kind, listed.direction, listed.delivery, listed.threshold) == wanted
    };
    order.targets.iter().all(|target| listed.iter().any(|listed| is_it(target, listed)))
}

/// When the numbers crossed the line that would be drawn.
fn crossed(order: &SubscribeOrder, numbers: Vec<PastNumber>) -> Vec<News> {
    let Some(threshold) = order.threshold else { return Vec::new() };
    let mut by_token: BTreeMap<TokenId, (PastNumber, Vec<(Timestamp, f64)>)> = BTreeMap::new();
    for past in numbers {
        let Some(number) = past.number else { continue };
        let moment = (past.at, number);
        by_token.entry(past.token).or_insert_with(|| (past, Vec::new())).1.push(moment);
    }
    let kind = order.kind;
    let news = |(token, (about, numbers)): (TokenId, (PastNumber, Vec<_>))| {
        let news = move |(at, number)| News {
            change: Change {
                source: SOURCE,
                kind,
                token,
                from: None,
                since: None,
                to: Stance::Beyond(threshold.line()),
                data_time: at,
                detected_at: at,
                nature: Nature::Crossed { drawn_since: None },
                timing: Timing::Fresh,
                after_gap: false,
                trader_grade: Some(number),
                mover: None,
                crossing: None,
            },
            symbol: about.symbol.clone(),
            rank: about.rank,
            link: about.link.clone(),
        };
        crossings(threshold, &numbers).into_iter().map(news)
    };
    by_token.into_iter().flat_map(news).collect()
}

/// The messages of somebody who had subscribed before all of it, and how many changes would be waiting now.
fn imagine(
    settings: &Settings,
    order: &SubscribeOrder,
    news: Vec<News>,
    polls: &BTreeSet<Timestamp>,
    now: Timestamp,
) -> (Vec<Imagined>, usize) {
    let mut follower = Follower::new(settings.clone());
    for target in order.targets.iter().copied() {
        let (direction, delivery) = (order.direction, order.delivery);
        let threshold = order.threshold.map(|threshold| Drawn { threshold, at: Timestamp::EPOCH });
        follower.subscribe(order.kind, Wish { target, direction, delivery, mention: None, created_at: Timestamp::EPOCH, threshold });
    }
    let mut by_time: BTreeMap<Timestamp, Vec<News>> = polls.iter().map(|at| (*at, Vec::new())).collect();
    for mut news in news {
        let seen_at = seen_at(&news.change).min(now);
        // What was history when it was read would have been news to somebody who was there.
        let timing = if news.change.timing == Timing::History { Timing::Fresh } else { news.change.timing };
        news.change = Change { timing, detected_at: seen_at, ..news.change };
        by_time.entry(seen_at).or_default().push(news);
    }
    let mut steps = Vec::new();
    for (at, news) in by_time {
        steps.extend(follower.release_before(at));
        if polls.contains(&at) {
            follower.polled(order.kind, at, at);
        }
        steps.extend(follower.hear(&news, at));
    }
    steps.extend(follower.release_before(now));
    let sent = |step| match step {
        Step::Sent { at, draft, .. } => Some(Imagined { at, title: draft.body.to_card().title.plain(), changes: draft.body.calls().len() }),
        Step::Held { .. } | Step::Skipped { .. } => None,
    };
    let waiting = follower.untold().filter(|due| due.reason != Reason::NetZero).count();
    (steps.into_iter().filter_map(sent).collect(), waiting)
}

fn as_news(stored: StoredChange) -> News {
    let StoredChange { change, symbol, rank, link, .. } = stored;
    News { change, symbol, rank, link }
}

/// When it was seen; of what was read as history, when its day or hour was over.
fn seen_at(change: &Change) -> Timestamp {
    match change.timing {
        Timing::History => change.data_time + change.kind.period(),
        Timing::Fresh | Timing::Late => change.detected_at,
    }
}

/// How many messages came on the day with the most of them, by the reader's clock.
fn busiest(messages: &[Imagined], zone: Zone) -> usize {
    let mut by_day: BTreeMap<_, usize> = BTreeMap::new();
    for message in messages {
        *by_day.entry(zone.shown(message.at).date()).or_default() += 1;
    }
    by_day.into_values().max().unwrap_or_default()
}
