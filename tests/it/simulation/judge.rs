//! What must hold, whatever the market does: looked at from outside, with rules of the judge's own that are simpler than those of the engine.

use super::{market::opposite, people::Person};
use bellwether::domain::{Delivery, Direction, Kind, MessageBody, Observation, Outcome, Snapshot, Stance, Timestamp, TokenId};
use chrono::{Datelike, NaiveDate, NaiveTime, Timelike};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

const HOUR: Duration = Duration::from_secs(3600);
/// So many changes that one answer shows at least, and more than half of it, are not believed until another shows them too (M1).
const SMALLEST_MARKET: usize = 20;

/// What somebody who reads every answer has reason to believe of one feed.
#[derive(Default)]
pub(crate) struct Reader {
    known: BTreeMap<TokenId, (Timestamp, Option<Stance>)>,
    doubted: BTreeMap<TokenId, Stance>,
    doubted_since: Timestamp,
    /// What was believed of each token when it was first seen.
    pub(crate) first: BTreeMap<TokenId, Option<Stance>>,
}

impl Reader {
    pub(crate) fn believed(&self) -> BTreeMap<TokenId, Stance> {
        self.known.iter().filter_map(|(token, (_, stance))| Some((*token, (*stance)?))).collect()
    }

    /// The time of the newest row of each token.
    pub(crate) fn newest(&self) -> BTreeMap<TokenId, Timestamp> {
        self.known.iter().map(|(token, (at, _))| (*token, *at)).collect()
    }

    pub(crate) fn read(&mut self, answer: &Snapshot, now: Timestamp) {
        let mut rows: BTreeMap<(TokenId, Timestamp), Vec<&Observation>> = BTreeMap::new();
        for row in &answer.observations {
            let ahead = if answer.kind == Kind::Hourly { row.data_time > now + 2 * HOUR } else { row.data_time.day() > now.day() };
            if !ahead && row.signal != Some(7.0) {
                rows.entry((row.token, row.data_time)).or_default().push(row);
            }
        }
        let mut shown: BTreeMap<TokenId, (Timestamp, Option<Stance>)> = BTreeMap::new();
        // Tokens that turned, be it back and forth, with what they turned to at last.
        let mut turned: BTreeMap<TokenId, Stance> = BTreeMap::new();
        for ((token, at), rows) in rows {
            let known = shown.get(&token).or(self.known.get(&token)).copied();
            let contradicts = rows.iter().any(|row| row.signal != rows[0].signal);
            if contradicts || known.is_some_and(|(stored, _)| at < stored) {
                continue;
            }
            let call = match rows[0].signal {
                Some(1.0) => Some(Stance::Bullish),
                Some(-1.0) => Some(Stance::Bearish),
                _ => None,
            };
            let before = known.and_then(|(_, stance)| stance);
            if let Some(call) = call.filter(|call| self.known.contains_key(&token) && before != Some(*call)) {
                turned.insert(token, call);
            }
            let hint = if known.is_none() && rows[0].position == Some(1.0) { Some(Stance::Bullish) } else { None };
            shown.insert(token, (at, call.or(hint).or(before)));
        }
        if self.doubted_since + 24 * HOUR <= now {
            self.doubted.retain(|token, _| shown.contains_key(token));
        }
        let again = |token: &TokenId| self.doubted.get(token).is_some_and(|doubted| turned.get(token) == Some(doubted));
        let fresh: BTreeSet<TokenId> = turned.keys().copied().filter(|token| !again(token)).collect();
        let seen = shown.keys().filter(|token| self.known.contains_key(token)).count();
        let unbelieved = if fresh.len() * 2 > seen.max(SMALLEST_MARKET) { fresh } else { BTreeSet::new() };
        self.doubted.retain(|token, _| !shown.contains_key(token));
        self.doubted_since = if unbelieved.is_empty() { self.doubted_since } else { now };
        self.doubted.extend(unbelieved.iter().map(|token| (*token, turned[token])));
        for (token, known) in shown {
            if !unbelieved.contains(&token) {
                self.known.insert(token, known);
                self.first.entry(token).or_insert(known.1);
            }
        }
    }
}

/// Holds what one person is told against what is right.
pub(crate) struct Judge {
    person: Person,
    told: BTreeMap<TokenId, Stance>,
    /// What was said to be unstable: nothing more is to be heard of it until it has settled.
    unstable: BTreeSet<TokenId>,
    last_word: BTreeMap<TokenId, Timestamp>,
    counted: Vec<Timestamp>,
    windows: BTreeSet<(NaiveDate, u32)>,
    pub(crate) messages: usize,
}

impl Judge {
    pub(crate) fn new(person: Person) -> Self {
        Self {
            person,
            told: BTreeMap::new(),
            unstable: BTreeSet::new(),
            last_word: BTreeMap::new(),
            counted: Vec::new(),
            windows: BTreeSet::new(),
            messages: 0,
        }
    }

    /// A message came.
    pub(crate) fn hear(&mut self, reader: &Reader, at: Timestamp, body: &MessageBody) {
        self.messages += 1;
        self.sleeps(at, body);
        let believed = reader.believed();
        for call in body.calls() {
            let (token, to) = (call.token, call.to);
            assert!(self.person.follows(call.kind, token), "{at}: {} was not asked for", call.symbol);
            assert_eq!(believed.get(&token), Some(&to), "{at}: {} is not so", call.symbol);
            let before = self.told.insert(token, to).or(reader.first.get(&token).copied().flatten());
            let was_unstable = self.unstable.remove(&token);
            let may_be = was_unstable == (call.outcome == Outcome::Settled) || (was_unstable && self.person.direction != Direction::Any);
            assert!(may_be, "{at}: {} is {:?}", call.symbol, call.outcome);
            if call.outcome == Outcome::Unstable {
                self.unstable.insert(token);
            }
            match (call.outcome, self.person.direction) {
                (Outcome::Settled, Direction::Any) => {}
                (Outcome::FlippedBack, Direction::Any) => assert_eq!(before, Some(to), "{at}: {} had not turned back", call.symbol),
                (_, Direction::Any) => assert_ne!(before, Some(to), "{at}: {} is told twice", call.symbol),
                (Outcome::FlippedBack, _) => {}
                _ => assert_eq!(to, Stance::Bullish, "{at}: {} is not of this direction", call.symbol),
            }
            let cools = self.person.delivery == Delivery::Instant && is_turn(call.outcome);
            let spoken = self.last_word.insert(token, at).filter(|_| cools);
            let cooled = spoken.is_none_or(|spoken| spoken + self.person.settings.cooldown() <= at);
            assert!(cooled, "{at}: {} is in its cooldown", call.symbol);
        }
        match body {
            MessageBody::Digest { delivery, calls, .. } => {
                assert_eq!(*delivery, self.person.delivery, "{at}: a digest that was not asked for");
                assert!(calls.iter().any(|call| call.outcome != Outcome::FlippedBack), "{at}: an empty digest");
            }
            _ => assert_eq!(self.person.delivery, Delivery::Instant, "{at}: a message beside the digest"),
        }
    }

    /// All messages of one moment: they are within the hour's limit, and one digest is one however many parts it has.
    pub(crate) fn hear_all(&mut self, reader: &Reader, at: Timestamp, bodies: &[MessageBody]) {
        bodies.iter().for_each(|body| self.hear(reader, at, body));
        let turns = |body: &MessageBody| body.calls().iter().any(|call| is_turn(call.outcome) || call.outcome == Outcome::Settled);
        let singles = bodies.iter().filter(|body| matches!(body, MessageBody::Alert { .. }) && turns(body)).count();
        let summaries = bodies.iter().any(|body| matches!(body, MessageBody::Summary { .. }) && turns(body));
        self.counted.retain(|before| *before + HOUR > at);
        self.counted.extend(std::iter::repeat_n(at, singles + usize::from(summaries)));
        let most = self.person.settings.max_per_hour as usize;
        assert!(most == 0 || self.counted.len() <= most, "{at}: more than {most} messages in an hour");
        if bodies.iter().any(|body| matches!(body, MessageBody::Digest { .. })) {
            assert!(self.windows.insert(self.window(at)), "{at}: a second digest in one window");
        }
    }

    /// Nobody is woken: by the clock on the wall, which is right but for an hour that it shows twice, and no night here begins or ends in one.
    fn sleeps(&self, at: Timestamp, body: &MessageBody) {
        let settings = &self.person.settings;
        let Some(hours) = settings.quiet_hours.map(|hours| hours.to_string()) else { return };
        let (from, until) = hours.split_once('-').unwrap();
        let clock = |text: &str| NaiveTime::parse_from_str(text, "%H:%M").unwrap();
        let (from, until, shown) = (clock(from), clock(until), settings.timezone.shown(at).time());
        let is_night = if from < until { from <= shown && shown < until } else { shown >= from || shown < until };
        let passes = !matches!(body, MessageBody::Digest { .. }) && settings.quiet_bypass.contains(&self.person.kind);
        assert!(!is_night || passes, "{at}: woken at {shown}");
    }

    /// Which window a digest of that time belongs to: the one that ended last.
    fn window(&self, at: Timestamp) -> (NaiveDate, u32) {
        let settings = &self.person.settings;
        let shown = settings.timezone.shown(at);
        let text = settings.digest_time.to_string();
        let time = NaiveTime::parse_from_str(text.split(' ').next_back().unwrap(), "%H:%M").unwrap();
        let day = if shown.time() >= time { shown.date() } else { shown.date().pred_opt().unwrap() };
        match self.person.delivery {
            // An hour that is shown twice ends twice: by how far the clock is from the world's the two are told apart.
            Delivery::DigestHourly => {
                let ahead = (shown - at.to_utc().naive_utc()).num_minutes() + 24 * 60;
                (shown.date(), shown.hour() * 10_000 + u32::try_from(ahead).unwrap())
            }
            Delivery::DigestDaily => (day, 0),
            _ => (day - chrono::Days::new(u64::from(day.weekday().days_since(settings.digest_time.weekday))), 0),
        }
    }

    /// Long after the last change: everybody knows how it ended.
    pub(crate) fn knows(&self, reader: &Reader) {
        let settled = self.unstable.is_empty() || self.person.direction != Direction::Any;
        assert!(settled, "never heard that {:?} settled: {:?}", self.unstable, self.person);
        for (token, stance) in reader.believed() {
            let wanted = self.person.follows(self.person.kind, token);
            let missed = |first: Option<Stance>| self.told.get(&token).copied().or(first) != Some(stance);
            match (wanted, self.person.direction, reader.first.get(&token).copied().flatten()) {
                (true, Direction::Any, first) => {
                    assert!(!missed(first), "never heard that {token} is {stance}: {:?}", self.person);
                }
                (true, _, Some(first)) if first == opposite(Stance::Bullish) && stance == Stance::Bullish => {
                    assert_eq!(self.told.get(&token), Some(&Stance::Bullish), "never heard that {token} turned bullish");
                }
                _ => {}
            }
        }
    }
}

fn is_turn(outcome: Outcome) -> bool {
    matches!(outcome, Outcome::Turned | Outcome::Unstable)
}
