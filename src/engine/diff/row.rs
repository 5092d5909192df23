//! What a single row says, whatever was known before.

use crate::domain::{Class, Grade, Kind, Observation, Scores, SetAside, SetAsideReason, Stance, Timestamp, TokenId};

/// A row whose numbers could be understood.
#[derive(Clone, Copy, Debug)]
pub(super) struct Row<'a> {
    pub(super) observation: &'a Observation,
    /// The call that the row makes; none where it makes none (hourly: `SIGNAL` 0).
    pub(super) word: Option<Stance>,
    /// Whether the call is the row's own signal and not its trend.
    pub(super) by_signal: bool,
    /// What its position says where nothing else is known (hourly; 2.2).
    pub(super) first: Option<Stance>,
}

impl<'a> Row<'a> {
    /// Reads the numbers by `rules.md` 2.1 and 2.2.
    pub(super) fn read(kind: Kind, observation: &'a Observation) -> Result<Self, SetAsideReason> {
        if kind.is_graded() {
            return Self::read_graded(kind, observation);
        }
        if kind == Kind::Levels {
            let is_whole =
                observation.values.close.is_some_and(|price| price.is_finite() && price > 0.0) && !observation.values.levels.is_empty();
            let row = Self { observation, word: None, by_signal: false, first: None };
            return if is_whole { Ok(row) } else { Err(SetAsideReason::Empty) };
        }
        let signal = call_of(observation.signal)?;
        if kind == Kind::Hourly {
            if observation.signal.is_none() && observation.position.is_none() {
                return Err(SetAsideReason::Empty);
            }
            // A position is only a hint for a first stance: numbers other than 1 say nothing (2.2).
            let first = (observation.position == Some(1.0)).then_some(Stance::Bullish);
            return Ok(Self { observation, word: signal, by_signal: signal.is_some(), first });
        }
        let trend = call_of(observation.trend)?;
        if observation.signal.is_none() && observation.trend.is_none() {
            return Err(SetAsideReason::Empty);
        }
        Ok(Self { observation, word: signal.or(trend), by_signal: signal.is_some(), first: None })
    }

    /// Reads a label (2.11); a row without one is taken for its number.
    fn read_graded(kind: Kind, observation: &'a Observation) -> Result<Self, SetAsideReason> {
        let graded = observation.values.graded.as_deref().ok_or(SetAsideReason::Empty)?;
        let meaning = |label: &String| match kind {
            Kind::Grade => Grade::of_label(label).map(Stance::Grade),
            _ => Class::of_label(label).map(Stance::Class),
        };
        let word = graded.label.as_ref().map(|label| meaning(label).ok_or(SetAsideReason::UnknownLabel)).transpose()?;
        if word.is_none() && graded.grade.is_none() {
            return Err(SetAsideReason::Empty);
        }
        Ok(Self { observation, word, by_signal: word.is_some(), first: None })
    }

    pub(super) fn token(&self) -> TokenId {
        self.observation.token
    }

    pub(super) fn token_and_time(&self) -> (TokenId, Timestamp) {
        (self.observation.token, self.observation.data_time)
    }

    /// Whether two rows of one time say the same.
    pub(super) fn agrees_with(&self, other: &Self) -> bool {
        let numbers = |row: &Self| [row.observation.signal, row.observation.trend, row.observation.position];
        self.word == other.word && numbers(self).into_iter().zip(numbers(other)).all(|(a, b)| a == b || both_nan(a, b))
    }

    /// An order among rows that agree; any will do if it does not depend on how they came.
    pub(super) fn values_key(&self) -> [Option<u64>; 5] {
        let values = &self.observation.values;
        [self.grade(), values.investor_grade, values.signal_returns, values.holding_returns, values.close]
            .map(|value| value.map(f64::to_bits))
    }

    /// Stands for every number of the row: their bits, mixed.
    pub(super) fn fingerprint(&self) -> i64 {
        let numbers = [self.observation.signal, self.observation.trend, self.observation.position];
        let bits = numbers.map(|number| number.map(f64::to_bits)).into_iter().chain(self.values_key());
        // No number is not zero: these bits are a NaN that no source can send.
        let words = bits.map(|bits| bits.unwrap_or(u64::MAX)).chain(self.graded_words());
        let hash = words.fold(0xcbf2_9ce4_8422_2325_u64, |hash, word| (hash ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29));
        hash.cast_signed()
    }

    /// What else a graded row says; nothing for other rows.
    fn graded_words(&self) -> impl Iterator<Item = u64> {
        let label = self.observation.values.graded.iter().filter_map(|graded| graded.label.as_deref()).flat_map(str::bytes).map(u64::from);
        let scores = self.scores().into_iter().flat_map(|scores| scores.as_array());
        label.chain(scores.map(|score| score.map_or(u64::MAX, f64::to_bits)))
    }

    fn grade(&self) -> Option<f64> {
        let values = &self.observation.values;
        values.trader_grade.or_else(|| values.graded.as_ref()?.grade)
    }

    pub(super) fn trader_grade(&self) -> Option<f64> {
        self.grade().filter(|grade| grade.is_finite())
    }

    pub(super) fn scores(&self) -> Option<Scores> {
        self.observation.values.graded.as_ref().map(|graded| graded.scores).filter(|scores| !scores.is_empty())
    }

    pub(super) fn set_aside(&self, reason: SetAsideReason) -> SetAside {
        set_aside(self.observation, reason)
    }
}

pub(super) fn set_aside(observation: &Observation, reason: SetAsideReason) -> SetAside {
    SetAside { token: Some(observation.token), data_time: Some(observation.data_time), reason }
}

/// 1 is bullish, -1 bearish, 0 and nothing are no call; every other number is not understood.
fn call_of(number: Option<f64>) -> Result<Option<Stance>, SetAsideReason> {
    match number {
        None => Ok(None),
        Some(1.0) => Ok(Some(Stance::Bullish)),
        Some(-1.0) => Ok(Some(Stance::Bearish)),
        Some(0.0) => Ok(None),
        Some(_) => Err(SetAsideReason::UnknownSignal),
    }
}

fn both_nan(a: Option<f64>, b: Option<f64>) -> bool {
    a.is_some_and(f64::is_nan) && b.is_some_and(f64::is_nan)
}
