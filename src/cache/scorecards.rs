//! How past calls did, over everything that is stored: worked out when somebody asks, and kept for a few hours.

use crate::{
    domain::{Kind, Scorecard, SourceId, Target, Timestamp, TokenId, WeekMove, WeekReview},
    engine::{
        scorecard::{PastCall, Prices, REACH, Tally, calls, priced_by, windows},
        week,
    },
    store::{SeenToken, Store, StoreResult, WeeklyWishes},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError},
    time::Duration,
};
use tokio::sync::Mutex;

const SOURCE: SourceId = SourceId::TokenMetrics;
/// A day's prices are one row more: nobody sees the difference of a few hours.
const KEPT: Duration = Duration::from_secs(6 * 3600);
/// What weekly digests will say is worked out anew from this age on, so that none of them has to wait for it.
const RENEWED: Duration = Duration::from_secs(3 * 3600);
/// Tokens whose calls are read at a time, and the most changes of them: what is held in memory stays small.
const TOKENS_AT_ONCE: usize = 25;
const MOST_CHANGES: u32 = 5_000;
/// Calls whose prices are read at a time.
const CALLS_AT_ONCE: usize = 250;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Scorecards, and how prices went in the last week. Cheap to clone; whoever asks while one is worked out waits for it.
#[derive(Clone)]
pub struct Scorecards {
    store: Store,
    of_many: Arc<std::sync::Mutex<OfMany>>,
    moves: Arc<Mutex<Option<Kept<Moves>>>>,
}

/// Of all calls of a kind, and of those on tokens of a category. Whoever asks for one that is being worked out waits for that alone.
type OfMany = BTreeMap<(Kind, Option<String>), Place>;
type Place = Arc<Mutex<Option<Kept<Scorecard>>>>;
type Moves = Arc<[WeekMove]>;

/// What was worked out, and when.
struct Kept<T> {
    at: Timestamp,
    value: T,
}

impl<T: Clone> Kept<T> {
    /// A clock that was set back makes nothing newer.
    fn is_younger(&self, than: Duration, now: Timestamp) -> bool {
        self.at <= now && now.since(self.at) < than
    }

    fn still(&self, now: Timestamp) -> Option<T> {
        self.is_younger(KEPT, now).then(|| self.value.clone())
    }
}

impl Scorecards {
    /// None are known yet.
    pub fn new(store: Store) -> Self {
        Self { store, of_many: Arc::default(), moves: Arc::default() }
    }

    /// That of all calls of a kind.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn of_kind(&self, kind: Kind, now: Timestamp) -> StoreResult<Scorecard> {
        self.of_many(kind, None, now).await
    }

    /// That of the calls of a kind on tokens of a category.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn of_category(&self, kind: Kind, category: String, now: Timestamp) -> StoreResult<Scorecard> {
        self.of_many(kind, Some(category), now).await
    }

    fn place(&self, kind: Kind, category: Option<String>) -> Place {
        let mut places = self.of_many.lock().unwrap_or_else(PoisonError::into_inner);
        places.entry((kind, category)).or_default().clone()
    }

    async fn of_many(&self, kind: Kind, category: Option<String>, now: Timestamp) -> StoreResult<Scorecard> {
        let place = self.place(kind, category.clone());
        let mut known = place.lock().await;
        if let Some(card) = known.as_ref().and_then(|card| card.still(now)) {
            return Ok(card);
        }
        let tokens = match category {
            Some(category) => self.store.changed_tokens_in(SOURCE, kind, &category).await?,
            None => self.store.changed_tokens(SOURCE, kind).await?,
        };
        let card = self.work_out(kind, &tokens, now).await?;
        *known = Some(Kept { at: now, value: card });
        Ok(card)
    }

    /// That of one token's calls: little to work out, and as new as what is stored.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn of_token(&self, kind: Kind, token: TokenId, now: Timestamp) -> StoreResult<Scorecard> {
        self.work_out(kind, &[token], now).await
    }

    /// Works out beforehand what weekly digests will say, where it is not known or grows old. What is known is told meanwhile.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn renew(&self, now: Timestamp) -> StoreResult<()> {
        let kinds = self.store.weekly_kinds().await?;
        for kind in &kinds {
            let place = self.place(*kind, None);
            let is_known = place.lock().await.as_ref().is_some_and(|card| card.is_younger(RENEWED, now));
            if !is_known {
                let tokens = self.store.changed_tokens(SOURCE, *kind).await?;
                let value = self.work_out(*kind, &tokens, now).await?;
                *place.lock().await = Some(Kept { at: now, value });
            }
        }
        let are_known = self.moves.lock().await.as_ref().is_some_and(|moves| moves.is_younger(RENEWED, now));
        if !kinds.is_empty() && !are_known {
            let value = self.work_out_moves(now).await?;
            *self.moves.lock().await = Some(Kept { at: now, value });
        }
        Ok(())
    }

    async fn work_out(&self, kind: Kind, tokens: &[TokenId], now: Timestamp) -> StoreResult<Scorecard> {
        let mut tally = Tally::default();
        let mut groups: Vec<_> = tokens.chunks(TOKENS_AT_ONCE).collect();
        while let Some(tokens) = groups.pop() {
            let changes = self.store.changes_since(SOURCE, kind, tokens, now - REACH, MOST_CHANGES).await?;
            // Cut off, the oldest are missing: fewer tokens at a time, so that every card reaches as far back.
            if changes.len() >= MOST_CHANGES as usize && tokens.len() > 1 {
                let (some, others) = tokens.split_at(tokens.len() / 2);
                groups.extend([some, others]);
                continue;
            }
            for calls in calls(changes.iter().map(|stored| &stored.change)).chunks(CALLS_AT_ONCE) {
                tally.add(calls, &self.prices_after(calls, priced_by(kind), now).await?);
            }
        }
        Ok(tally.scorecard(kind))
    }

    async fn prices_after(&self, calls: &[PastCall], kind: Kind, now: Timestamp) -> StoreResult<Prices> {
        let windows: Vec<_> = calls.iter().flat_map(|call| windows(call, kind)).filter(|(_, from, _)| *from <= now).collect();
        Ok(Prices::of(kind, self.store.prices(SOURCE, kind, &windows).await?, now))
    }

    /// What a weekly digest of calls of these kinds says besides to somebody with these wishes.
    ///
    /// # Errors
    /// Where the database fails.
    pub async fn review(&self, wishes: &WeeklyWishes, kinds: impl IntoIterator<Item = Kind>, now: Timestamp) -> StoreResult<WeekReview> {
        let mut scorecards = Vec::new();
        for kind in kinds {
            scorecards.push(self.of_kind(kind, now).await?);
        }
        let moves = self.week_moves(now).await?;
        let is_followed = |step: &&WeekMove| {
            let by_all = step.in_all && wishes.targets.contains(&Target::All) && !wishes.excluded.contains(&step.token);
            by_all || wishes.targets.contains(&Target::Token(step.token))
        };
        Ok(week::review(moves.iter().filter(is_followed), scorecards))
    }

    async fn week_moves(&self, now: Timestamp) -> StoreResult<Moves> {
        let mut known = self.moves.lock().await;
        if let Some(moves) = known.as_ref().and_then(|moves| moves.still(now)) {
            return Ok(moves);
        }
        let moves = self.work_out_moves(now).await?;
        *known = Some(Kept { at: now, value: moves.clone() });
        Ok(moves)
    }

    async fn work_out_moves(&self, now: Timestamp) -> StoreResult<Moves> {
        let tokens = self.store.tokens_seen_since(SOURCE, Kind::Daily, now - 2 * DAY).await?;
        let windows: Vec<_> = tokens.iter().flat_map(|token| week::windows(token.id, now)).collect();
        let changes = week::changes(self.store.prices(SOURCE, Kind::Daily, &windows).await?, now);
        let step = |token: SeenToken| {
            let change = *changes.get(&token.id)?;
            Some(WeekMove { token: token.id, symbol: token.symbol, link: token.link, in_all: token.in_all, change })
        };
        Ok(tokens.into_iter().filter_map(step).collect())
    }
}
