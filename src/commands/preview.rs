//! `/subscribe … preview`: what such a subscription would have sent in the last weeks, by the rules that would send it. Nothing is saved.

use super::{
    Request,
    desk::{Desk, SOURCE, Stop},
    options,
};
use crate::{
    domain::{
        Change, Delivery, Direction, Drawn, Nature, Platform, Reason, Settings, Stance, Target, Timestamp, Timing, Token, TokenId, Wish,
        Zone, clean_name,
        wording::{Card, PreviewPhrase, TokenLabel, Tone},
    },
    engine::{
        follower::{Follower, News, Step},
        threshold::crossings,
    },
    store::{PastNumber, StoredChange, SubscribeOrder},
};
use std::{collections::BTreeMap, time::Duration};

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
        let now = self.now();
        let mut card = Card::new(Tone::Neutral, PreviewPhrase::Title.into());
        let have_it = PreviewPhrase::Subscribe { example: self.example(request, order, tokens).await? }.into();
        let meant = self.meant(&order.targets).await?;
        let oldest = self.store.oldest_row(SOURCE, order.kind, &meant[..meant.len().min(MOST_LOOKED_AT)]).await?;
        let Some(known_since) = oldest else {
            card.lines = vec![PreviewPhrase::NothingKnown.into(), have_it];
            return Ok(card);
        };
        let settings = self.store.destination_at(&order.destination.address).await?.map(|known| known.settings).unwrap_or_default();
        let changes = self.store.changes_since(SOURCE, order.kind, &meant, now - DAY * DAYS, MOST_CHANGES).await?;
        // Where there are more, it is so many days as they tell of.
        let cut = changes.first().filter(|_| changes.len() >= MOST_CHANGES as usize).map(|first| first.change.data_time);
        let whole_days = u32::try_from(now.since(cut.unwrap_or(known_since)).as_secs() / DAY.as_secs()).unwrap_or(u32::MAX);
        let days = whole_days.clamp(1, DAYS);
        let mut news: Vec<_> = changes.into_iter().map(as_news).collect();
        news.extend(self.crossings(order, &meant, now - DAY * DAYS).await?);
        let (messages, waiting) = imagine(&settings, order, news, now);
        card.lines.push(if messages.is_empty() {
            PreviewPhrase::Nothing { days, waiting: waiting > 0 }.into()
        } else {
            let changes = messages.iter().map(|message| message.changes).sum();
            PreviewPhrase::WouldHaveSent { days, messages: messages.len(), changes, busiest: busiest(&messages, settings.timezone) }.into()
        });
        card.lines.extend(messages.iter().rev().take(SHOWN).map(|message| {
            let day = settings.timezone.shown(message.at).date();
            PreviewPhrase::Message { day, title: message.title.clone() }.into()
        }));
        card.lines.extend((waiting > 0).then(|| PreviewPhrase::Waiting { changes: waiting }.into()));
        card.lines.push(have_it);
        Ok(card)
    }

    /// When the numbers of these tokens crossed the line that would be drawn.
    async fn crossings(&self, order: &SubscribeOrder, meant: &[TokenId], since: Timestamp) -> Result<Vec<News>, Stop> {
        let Some(threshold) = order.threshold else { return Ok(Vec::new()) };
        let numbers = self.store.numbers_since(SOURCE, order.kind, meant, since, MOST_CHANGES).await?;
        let mut by_token: BTreeMap<TokenId, (PastNumber, Vec<(Timestamp, f64)>)> = BTreeMap::new();
        for past in numbers {
            let moment = (past.at, past.number);
            by_token.entry(past.token).or_insert_with(|| (past, Vec::new())).1.push(moment);
        }
        let news = |(token, (about, numbers)): (TokenId, (PastNumber, Vec<_>))| {
            let news = move |(at, number)| News {
                change: Change {
                    source: SOURCE,
                    kind: order.kind,
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
        Ok(by_token.into_iter().flat_map(news).collect())
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
        let all = order.targets.contains(&Target::All).then(|| "all".to_owned());
        let labels = self.labels(tokens).await?;
        let list: Vec<_> = all.into_iter().chain(labels.iter().map(TokenLabel::typed)).collect();
        let mut words = vec![("tokens", list.join(",")), ("kind", order.kind.as_str().to_owned())];
        words.extend((order.direction != Direction::Any).then(|| ("direction", order.direction.as_str().to_owned())));
        words.extend((order.delivery != Delivery::Instant).then(|| ("delivery", order.delivery.as_str().to_owned())));
        words.extend(order.threshold.map(|threshold| ("threshold", threshold.to_string())));
        let named = request.platform() == Platform::Discord;
        let given = |name| named && request.invocation.options.contains_key(name);
        words.extend(request.channel.as_ref().filter(|_| given("channel")).map(|channel| ("channel", clean_name(&channel.label))));
        words.extend(given("mention").then(|| ("mention", "@role".to_owned())));
        let word = |(name, value): (&str, String)| if named { format!("{name}:{value}") } else { value };
        Ok(options::example(request, &words.into_iter().map(word).collect::<Vec<_>>().join(" ")))
    }
}

/// The messages of somebody who had subscribed before all of it, and how many changes would be waiting now.
fn imagine(settings: &Settings, order: &SubscribeOrder, news: Vec<News>, now: Timestamp) -> (Vec<Imagined>, usize) {
    let mut follower = Follower::new(settings.clone());
    for target in order.targets.iter().copied() {
        let (direction, delivery) = (order.direction, order.delivery);
        let threshold = order.threshold.map(|threshold| Drawn { threshold, at: Timestamp::EPOCH });
        follower.subscribe(order.kind, Wish { target, direction, delivery, mention: None, created_at: Timestamp::EPOCH, threshold });
    }
    let mut by_time: BTreeMap<Timestamp, Vec<News>> = BTreeMap::new();
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
