//! What the source said of tokens besides their signals: kept for all who ask, also that it says nothing.

use crate::{
    domain::{Facet, Insight, Timestamp, TokenId},
    engine::insight,
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

/// Of so many tokens answers are kept, those that were last answered for.
const MOST: usize = 1_000;
/// Whoever asked about a token so long ago may ask again.
const LATELY: Duration = Duration::from_secs(24 * 3600);

/// The answers that are known. Cheap to clone; all clones know the same.
#[derive(Clone, Debug, Default)]
pub struct Insights(Arc<Mutex<Known>>);

#[derive(Debug, Default)]
struct Known {
    tokens: BTreeMap<TokenId, OfToken>,
    /// Until when a facet is asked for by nobody, of whatever token.
    rests: BTreeMap<Facet, Timestamp>,
}

#[derive(Debug, Default)]
struct OfToken {
    asked_at: Timestamp,
    answers: BTreeMap<Facet, (Answer, Timestamp)>,
}

/// What was answered, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// When it was asked for.
    pub at: Timestamp,
    /// None where the source says nothing of this token.
    pub insight: Option<Insight>,
}

impl Insights {
    /// The last answer, as long as it may be shown.
    pub fn answer(&self, token: TokenId, facet: Facet, now: Timestamp) -> Option<Answer> {
        let known = self.known();
        let (answer, _) = known.tokens.get(&token)?.answers.get(&facet)?;
        (now.since(answer.at) <= insight::shown_for(facet)).then(|| answer.clone())
    }

    /// When it may be asked for next: in the past, where that is now.
    pub fn asked_next(&self, token: TokenId, facet: Facet) -> Timestamp {
        let known = self.known();
        let fresh_until = known.tokens.get(&token).and_then(|of| of.answers.get(&facet)).map(|(_, until)| *until);
        fresh_until.into_iter().chain(known.rests.get(&facet).copied()).max().unwrap_or_default()
    }

    /// Notes that somebody asks about a token, and gives it with those of the others of which this facet is worth asking for now, `most` in
    /// all: first those that people asked about lately, then `others`.
    pub fn together(&self, token: TokenId, facet: Facet, others: &[TokenId], most: usize, now: Timestamp) -> Vec<TokenId> {
        let mut known = self.known();
        known.tokens.entry(token).or_default().asked_at = now;
        let mut lately: Vec<_> =
            known.tokens.iter().filter(|(_, of)| now.since(of.asked_at) < LATELY).map(|(id, of)| (of.asked_at, *id)).collect();
        lately.sort_unstable_by(|a, b| b.cmp(a));
        let is_due = |id: &TokenId| known.tokens.get(id).and_then(|of| of.answers.get(&facet)).is_none_or(|(_, until)| *until <= now);
        let mut all = vec![token];
        for id in lately.into_iter().map(|(_, id)| id).chain(others.iter().copied()).filter(is_due) {
            if all.len() >= most {
                break;
            }
            if !all.contains(&id) {
                all.push(id);
            }
        }
        all
    }

    /// Keeps what was answered for these tokens: nothing for those that are not among the answers.
    pub fn keep(&self, facet: Facet, asked: &[TokenId], mut answers: BTreeMap<TokenId, Insight>, at: Timestamp, fresh_for: Duration) {
        let mut known = self.known();
        for token in asked {
            let answer = Answer { at, insight: answers.remove(token) };
            known.tokens.entry(*token).or_default().answers.insert(facet, (answer, at + fresh_for));
        }
        known.forget_the_oldest();
    }

    /// Nobody asks for this facet before then.
    pub fn rest(&self, facet: Facet, until: Timestamp) {
        self.known().rests.insert(facet, until);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn forget_the_oldest(&mut self) {
        let newest = |of: &OfToken| of.answers.values().map(|(answer, _)| answer.at).chain([of.asked_at]).max();
        while self.tokens.len() > MOST {
            let Some(oldest) = self.tokens.iter().min_by_key(|(_, of)| newest(of)).map(|(id, _)| *id) else { return };
            self.tokens.remove(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_248_120_000);
    const HOUR: Duration = Duration::from_secs(3600);

    fn ids(ids: impl IntoIterator<Item = i64>) -> Vec<TokenId> {
        ids.into_iter().map(TokenId).collect()
    }

    #[test]
    fn an_answer_is_fresh_for_a_while_and_shown_for_longer() {
        let insights = Insights::default();
        let (asked, price) = (ids([1, 2]), Facet::Price);
        assert!(insights.asked_next(TokenId(1), price) < NOW);
        insights.keep(price, &asked, BTreeMap::from([(TokenId(1), Insight::Price(2.5))]), NOW, HOUR);
        assert_eq!(insights.answer(TokenId(1), price, NOW).unwrap().insight, Some(Insight::Price(2.5)));
        assert_eq!(insights.answer(TokenId(2), price, NOW).unwrap().insight, None, "that there is none is known too");
        assert_eq!(insights.answer(TokenId(3), price, NOW), None);
        assert_eq!([1, 3].map(|id| insights.asked_next(TokenId(id), price)), [NOW + HOUR, Timestamp::default()]);
        insights.rest(price, NOW + 2 * HOUR);
        assert_eq!([1, 3].map(|id| insights.asked_next(TokenId(id), price)), [NOW + 2 * HOUR; 2]);
        assert_eq!(insights.asked_next(TokenId(1), Facet::Risk), Timestamp::default());
        assert!(insights.answer(TokenId(1), price, NOW + 48 * HOUR).is_some());
        assert!(insights.answer(TokenId(1), price, NOW + 49 * HOUR).is_none(), "too old to be shown");
    }

    #[test]
    fn one_call_is_for_all_who_may_ask() {
        let insights = Insights::default();
        let together = |token, facet, most, now| insights.together(TokenId(token), facet, &ids([10, 11, 12, 13]), most, now);
        assert_eq!(together(12, Facet::Risk, 50, NOW), ids([12, 10, 11, 13]));
        insights.keep(Facet::Risk, &ids([12, 10, 11, 13]), BTreeMap::new(), NOW, HOUR);
        assert_eq!(together(7, Facet::Risk, 50, NOW), ids([7]), "what is fresh is not asked for");
        assert_eq!(together(11, Facet::Price, 50, NOW + HOUR), ids([11, 12, 7, 10, 13]));
        assert_eq!(together(9, Facet::Risk, 3, NOW + HOUR), ids([9, 11, 12]));
        assert_eq!(together(9, Facet::Risk, 9, NOW + 26 * HOUR), ids([9, 10, 11, 12, 13]));
    }

    #[test]
    fn no_more_than_so_many_are_kept() {
        let insights = Insights::default();
        insights.keep(Facet::Risk, &ids(0..900), BTreeMap::new(), NOW, HOUR);
        insights.keep(Facet::Risk, &ids(1_000..1_900), BTreeMap::new(), NOW + HOUR, HOUR);
        let known = insights.known();
        assert_eq!(known.tokens.len(), MOST);
        assert!(ids(1_000..1_900).iter().all(|id| known.tokens.contains_key(id)));
    }
}
