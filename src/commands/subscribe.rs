//! `/subscribe` and `/channel subscribe` (`rules.md` 3.1, 5.4).

use super::{
    Action, FollowUp, Reply, Request,
    desk::{Desk, Outcome, SOURCE, Stop},
    options,
    place::{self, Place},
    preview,
};
use crate::{
    domain::{
        ButtonVerb, Cadence, Delivery, Destination, DestinationId, Direction, Feed, FeedStatus, Kind, Target, Token,
        wording::{Card, Phrase, RefusalPhrase, ReplyPhrase, ReportPhrase, SettingPhrase, SubscribingPhrase, TokenLabel, Tone},
    },
    engine::{
        budget::{self, Demand, Obstacle, Plan},
        digest::next_digest,
    },
    store::{CurrentCall, SubscribeOrder, Subscribed},
};
use std::collections::BTreeMap;

/// Up to so many tokens have a line each in the answer; more are grouped by their call.
const LINES: usize = 10;

impl Desk {
    pub(super) async fn subscribe_own(&self, request: &Request) -> Outcome {
        self.require(request, Action::ManageOwn)?;
        let place = place::own(request, "subscribe");
        let (destination, card) = self.subscribe(request, &place, None).await?;
        let follow_up = match destination {
            Some(destination) => self.direct_messages(destination, request).await?,
            None => None,
        };
        Ok(Reply { card, follow_up })
    }

    /// Subscribes a place and says what it will be told of. A preview says what it would have been told of, and names no destination.
    pub(super) async fn subscribe(
        &self,
        request: &Request,
        place: &Place,
        mention: Option<String>,
    ) -> Result<(Option<DestinationId>, Card), Stop> {
        let example = &options::example(request, "SOL,ETH");
        let mut words = options::words(request, "tokens", example)?;
        let is_preview = options::preview(request, &mut words, example)?;
        let kind = words.kind.unwrap_or(Kind::Daily);
        if self.settings.off.contains(&kind) {
            return Err(RefusalPhrase::KindOff { kind }.into());
        }
        if !words.all && words.tokens.is_empty() {
            return Err(Stop::with_example(RefusalPhrase::NoTokens, example));
        }
        if words.threshold.is_some() && !kind.is_graded() {
            return Err(Stop::with_example(RefusalPhrase::NoThreshold { kind }, &options::example(request, "SOL grade above:70")));
        }
        let tokens = self.resolve(&words.tokens, &request.person()).await?;
        let targets: Vec<Target> =
            words.all.then_some(Target::All).into_iter().chain(tokens.iter().map(|token| Target::Token(token.id))).collect();
        let order = SubscribeOrder {
            destination: place.destination.clone(),
            source: SOURCE,
            targets,
            kind,
            direction: words.direction.unwrap_or(Direction::Any),
            delivery: words.delivery.unwrap_or(Delivery::Instant),
            mention,
            threshold: words.threshold,
            creator: request.person(),
            limit: place.limit,
            audit: place.audit.clone(),
            request: request.id(),
        };
        if is_preview {
            return Ok((None, self.preview(request, &order, &tokens).await?));
        }
        let plan = self.plan_with(&order).await?;
        match self.store.subscribe(&order, self.now()).await? {
            Subscribed::OverLimit { present, wanted } => {
                Err(RefusalPhrase::SubscriptionLimit { limit: place.limit, present, wanted }.into())
            }
            Subscribed::Done { destination, replaced, first } => {
                let mut card = self.subscribed_card(&order, place, &tokens, destination, &replaced).await?;
                card.lines.extend(self.plan_lines(kind, &plan).await?);
                card.footer = first.then(|| ReplyPhrase::NotAdvice.into());
                card.buttons.extend(self.offer(request, ButtonVerb::Preview, &preview::subject(request, &order)).await);
                Ok((Some(destination), card))
            }
        }
    }

    /// How often what is polled once this is stored. What no cadence can carry within the budget is refused, with the number
    /// (`rules.md` 1.5).
    async fn plan_with(&self, order: &SubscribeOrder) -> Result<Plan, Stop> {
        let (kind, budget) = (order.kind, self.settings.calls_per_month);
        let mut before = Demand {
            calls_per_month: budget,
            all_tokens: self.settings.all_tokens,
            wishes: self.settings.schedules.clone(),
            ..Demand::default()
        };
        if budget == 0 {
            // Everything fits, whatever is there already; with very many subscriptions looking takes its time.
            return Ok(budget::plan(&before.with_tokens(kind, 1)));
        }
        if before.reads_full_list() {
            before.list_pages = Demand::list_pages_of(self.store.count_tokens(SOURCE).await?);
        }
        before.refused = self.store.feed_statuses(SOURCE).await?.iter().filter_map(FeedStatus::refused_kind).collect();
        let wanted = self.store.wanted_targets(SOURCE).await?;
        for kind in Kind::ALL.iter().copied() {
            before = before.with_tokens(kind, wanted.tokens(kind));
        }
        let tokens = wanted.tokens_with(kind, &order.targets);
        budget::plan_for(&before, &before.with_tokens(kind, tokens), kind).map_err(|Obstacle { kind: lacking, needed }| {
            let phrase = if lacking == kind {
                RefusalPhrase::NoCadence { kind, tokens, needed, budget }
            } else {
                RefusalPhrase::PushesOut { kind, tokens, other: lacking, needed, budget }
            };
            Stop::refused([phrase, RefusalPhrase::WhatFits { fewer: tokens > 1, daily: kind == Kind::Hourly }])
        })
    }

    async fn subscribed_card(
        &self,
        order: &SubscribeOrder,
        place: &Place,
        tokens: &[Token],
        destination: DestinationId,
        replaced: &[Target],
    ) -> Result<Card, Stop> {
        let kind = order.kind;
        let mut card = Card::new(Tone::Success, SubscribingPhrase::Subscribed { kind, direction: order.direction }.into());
        if order.targets.contains(&Target::All) {
            card.lines.push(SubscribingPhrase::AllTokens { limit: self.settings.all_tokens }.into());
            card.lines.extend(self.left_out(destination, kind).await?);
        }
        let labels = self.labels(tokens).await?;
        let ids: Vec<_> = tokens.iter().map(|token| token.id).collect();
        let calls = self.store.current_calls(SOURCE, kind, &ids).await?;
        let pairs = labels.iter().zip(tokens).map(|(label, token)| (label, calls.get(&token.id)));
        if tokens.len() <= LINES {
            card.lines.extend(pairs.map(|(label, call)| token_line(label, kind, call)));
        } else {
            card.lines.extend(token_groups(kind, pairs));
        }
        card.lines.extend(self.not_listed(tokens.iter()).await?);
        let words: Vec<_> = replaced.iter().map(|target| target_words(*target, tokens, &labels)).collect();
        if !words.is_empty() {
            card.lines.push(SubscribingPhrase::Replaced { words }.into());
        }
        card.lines.extend(order.threshold.map(|threshold| SubscribingPhrase::Crossing { line: threshold.line() }.into()));
        card.lines.push(place.told.clone().into());
        card.lines.extend(self.digest_line(order, destination).await?);
        if order.mention.is_some() {
            card.lines.push(SubscribingPhrase::MentionsRole.into());
        }
        Ok(card)
    }

    /// When the next digest comes, where what was subscribed comes in one.
    async fn digest_line(&self, order: &SubscribeOrder, destination: DestinationId) -> Result<Option<Phrase>, Stop> {
        let settings = self.store.destination(destination).await?.map(|destination| destination.settings).unwrap_or_default();
        let next = next_digest(&settings, order.delivery, self.now());
        Ok(next.map(|next| SettingPhrase::NextDigest { delivery: order.delivery, zone: settings.timezone, next }.into()))
    }

    /// What stays left out of `all`, if anything does.
    async fn left_out(&self, destination: DestinationId, kind: Kind) -> Result<Option<Phrase>, Stop> {
        const MOST: usize = 20;
        let excluded = self.store.exclusions_of(destination, SOURCE).await?;
        let tokens: Vec<Token> = excluded.into_iter().filter(|(of, _)| *of == kind).map(|(_, token)| token).collect();
        let more = u64::try_from(tokens.len().saturating_sub(MOST)).unwrap_or_default();
        let labels = self.labels(&tokens[..tokens.len().min(MOST)]).await?;
        Ok((!labels.is_empty()).then(|| SubscribingPhrase::LeftOut { tokens: labels, more }.into()))
    }

    /// Cadence now and once what is refused is served, next poll and calls left (`rules.md` 1.5). The poller plans anew within seconds: where it will, its last word is outdated.
    async fn plan_lines(&self, kind: Kind, plan: &Plan) -> Result<Vec<Phrase>, Stop> {
        let statuses = self.store.feed_statuses(SOURCE).await?;
        let status = statuses.into_iter().find(|status| status.feed == Feed::Signals(kind));
        let cadence = plan.of(kind).clone();
        let mut lines = vec![Phrase::from(match status {
            Some(FeedStatus { stopped: true, feed, .. }) => return Ok(vec![ReportPhrase::FeedStopped { feed }.into()]),
            Some(status) if status.cadence == cadence => SubscribingPhrase::NextPoll { kind, cadence, next: status.next_poll_at },
            Some(FeedStatus { last_poll_at: Some(_), .. }) => SubscribingPhrase::NextPoll { kind, cadence, next: None },
            _ => SubscribingPhrase::FirstPoll { kind, cadence },
        })];
        let slower = |cadence: &Cadence| SubscribingPhrase::OnceServed { refused: plan.refused.clone(), cadence: cadence.clone() };
        lines.extend(plan.once_served(kind).map(slower).map(Phrase::from));
        let budget = self.settings.calls_per_month;
        if budget > 0 {
            let used = self.store.calls_since(SOURCE, self.now().day().month_start().start()).await?;
            lines.push(SubscribingPhrase::CallsLeft { left: budget.saturating_sub(used), budget }.into());
        }
        Ok(lines)
    }

    /// Whether the person's direct messages have to be opened (Discord): the first time, and where they could not be reached (5.7).
    async fn direct_messages(&self, id: DestinationId, request: &Request) -> Result<Option<FollowUp>, Stop> {
        let destination = self.store.destination(id).await?;
        let unopened = |destination: &Destination| destination.route.is_none() || destination.quarantine.is_some();
        let user = destination.filter(unopened).and_then(|destination| destination.address.direct_user());
        Ok(user.filter(|user| *user == request.actor.user).map(|user| FollowUp::OpenDirectMessages { destination: id, user }))
    }
}

fn token_line(label: &TokenLabel, kind: Kind, call: Option<&CurrentCall>) -> Phrase {
    if let Some(levels) = call.and_then(|call| call.levels.as_ref()) {
        return SubscribingPhrase::LevelsNow { token: label.clone(), price: levels.price, near: levels.near() }.into();
    }
    let stance = call.and_then(|call| call.stance);
    SubscribingPhrase::TokenNow { token: label.clone(), kind, stance, since: call.and_then(|call| call.since) }.into()
}

fn token_groups<'a>(kind: Kind, pairs: impl Iterator<Item = (&'a TokenLabel, Option<&'a CurrentCall>)>) -> Vec<Phrase> {
    let mut groups: BTreeMap<_, Vec<TokenLabel>> = BTreeMap::new();
    for (label, call) in pairs {
        let stance = call.and_then(|call| call.stance);
        groups.entry((stance.is_none(), stance)).or_default().push(label.clone());
    }
    groups.into_iter().map(|((_, stance), tokens)| SubscribingPhrase::TokensNow { tokens, kind, stance }.into()).collect()
}

fn target_words(target: Target, tokens: &[Token], labels: &[TokenLabel]) -> String {
    match target {
        Target::All => "all".to_owned(),
        Target::Token(id) => {
            tokens.iter().zip(labels).find(|(token, _)| token.id == id).map_or_else(|| format!("#{id}"), |(_, label)| label.short())
        }
    }
}
