//! The lines that subscribers drew, where one answer shows numbers that most of the market would cross them with.

use super::*;
use crate::domain::{Graded, Kind, Observation, SourceId, Target, Threshold, Values, Watched};
use proptest::prelude::*;

const TOKENS: i64 = 30;

/// What is known, poll after poll of all tokens.
struct World {
    lines: Lines,
    states: BTreeMap<TokenId, TokenState>,
    waiting: Option<Unconfirmed>,
    polls: i64,
}

/// A number, a number that is missing, or no row.
type Answer = Option<Option<f64>>;

impl World {
    fn new(drawn: &[(Target, &str)]) -> Self {
        let watched = |(target, line): &(Target, &str)| Watched {
            target: *target,
            threshold: Threshold::parse(line).unwrap(),
            newest: Timestamp::EPOCH,
        };
        let lines = Lines { watched: drawn.iter().map(watched).collect(), in_all: (1..=TOKENS).map(TokenId).collect() };
        Self { lines, states: BTreeMap::new(), waiting: None, polls: 0 }
    }

    /// What is told, as token and line, and what is thought of the answer.
    fn poll(&mut self, answer: impl Fn(i64) -> Answer) -> (Vec<String>, Verdict) {
        self.polls += 1;
        let started_at = Timestamp::from_secs(1_795_000_000 + self.polls * 600);
        let now = started_at + Duration::from_secs(5);
        let row = |token: i64| {
            let graded = Graded { label: Some("Neutral".to_owned()), grade: answer(token)?, ..Graded::default() };
            let values = Values { graded: Some(Box::new(graded)), ..Values::default() };
            Some(Observation { token: TokenId(token), data_time: started_at, signal: None, trend: None, position: None, values })
        };
        let snapshot = Snapshot {
            source: SourceId::TokenMetrics,
            kind: Kind::Grade,
            started_at,
            asked: (1..=TOKENS).map(TokenId).collect(),
            observations: (1..=TOKENS).filter_map(row).collect(),
            set_aside: Vec::new(),
            complete: true,
            gaps: BTreeSet::new(),
        };
        let (diff, verdict) = believe(&self.states, self.waiting.as_ref(), &self.lines, &snapshot, now);
        self.waiting.clone_from(&verdict.unconfirmed);
        self.states.extend(diff.states.iter().map(|state| (state.token, state.clone())));
        for token in diff.seen {
            self.states.entry(token).and_modify(|state| (state.seen_at, state.asked_at) = (now, now));
        }
        (diff.changes.iter().map(|change| format!("{} {}", change.token, change.to)).collect(), verdict)
    }
}

fn ids(tokens: impl IntoIterator<Item = i64>) -> BTreeSet<TokenId> {
    tokens.into_iter().map(TokenId).collect()
}

const fn token(id: i64) -> Target {
    Target::Token(TokenId(id))
}

#[test]
fn a_line_that_most_would_cross_waits_for_a_second_answer() {
    let mut world = World::new(&[(token(1), "above:70"), (token(2), "above:80"), (token(3), "below:20"), (token(4), "above:60")]);
    assert_eq!(world.poll(|_| Some(Some(50.0))).0, [""; 0]);
    // Wrong numbers: nobody who has a line hears of them.
    let (told, verdict) = world.poll(|_| Some(Some(100.0)));
    assert_eq!((told.as_slice(), verdict.kept_back), ([].as_slice(), ids([1, 2, 4])));
    // The second answer shows one again, another is back, one has no number, and one has no row.
    let answer = |token| match token {
        1 => Some(Some(75.0)),
        2 => Some(None),
        4 => None,
        _ => Some(Some(50.0)),
    };
    let (told, verdict) = world.poll(answer);
    assert_eq!((told, verdict.confirmed, verdict.refuted), (vec!["1 above 70".to_owned()], ids([1]), ids([])));
    let (told, verdict) = world.poll(|token| Some(Some(if token == 4 { 50.0 } else { 90.0 })));
    assert_eq!((told, verdict.confirmed, verdict.refuted), (vec!["2 above 80".to_owned()], ids([2]), ids([4])));
    assert_eq!((verdict.kept_back, verdict.unconfirmed), (ids([]), None));
}

#[test]
fn a_few_tokens_cross_their_lines_at_once() {
    let mut world = World::new(&[(Target::All, "above:70")]);
    world.poll(|_| Some(Some(60.0)));
    let half = |number| move |token| Some(Some(if token <= TOKENS / 2 { number } else { 60.0 }));
    assert_eq!(world.poll(half(75.0)).0.len(), 15, "half is no reason to doubt");
    let (told, verdict) = world.poll(|_| Some(Some(10.0)));
    assert_eq!((told.len(), verdict.kept_back.len()), (0, 0), "what nobody is told of is no reason either");
    assert_eq!(world.poll(|token| Some(Some(if token <= 16 { 75.0 } else { 10.0 }))).1.kept_back.len(), 16);
}

#[test]
fn what_an_older_version_kept_back_is_still_known() {
    let older: Unconfirmed = serde_json::from_str(r#"{"since":1795000000000,"turns":{"1":"bearish","2":"above 151.5"}}"#).unwrap();
    let stances: Vec<_> = older.turns.values().flatten().map(ToString::to_string).collect();
    assert_eq!(stances, ["bearish", "above 151.5"]);
    let both = Unconfirmed { turns: [(TokenId(1), older.turns.values().flatten().copied().collect())].into(), ..older.clone() };
    for waiting in [older, both] {
        assert_eq!(serde_json::from_str::<Unconfirmed>(&serde_json::to_string(&waiting).unwrap()).unwrap(), waiting);
    }
}

proptest! {
    /// Whether it was doubted or not, an answer that comes twice tells of every line that its numbers crossed, once.
    #[test]
    fn the_same_numbers_twice_are_believed(
        before in prop::collection::vec(0.0_f64..100.0, TOKENS as usize),
        after in prop::collection::vec(0.0_f64..100.0, TOKENS as usize),
        lines in prop::collection::vec((1_u16..99, any::<bool>(), 0_i64..=TOKENS), 1..12),
    ) {
        let drawn: Vec<_> = lines
            .iter()
            .map(|(at, above, id)| (if *id == 0 { Target::All } else { token(*id) }, format!("{}:{at}", if *above { "above" } else { "below" })))
            .collect();
        let mut world = World::new(&drawn.iter().map(|(target, line)| (*target, line.as_str())).collect::<Vec<_>>());
        let of = |numbers: &[f64]| { let numbers = numbers.to_vec(); move |token: i64| Some(Some(numbers[token as usize - 1])) };
        world.poll(of(&before));
        let (mut told, first) = world.poll(of(&after));
        let (again, second) = world.poll(of(&after));
        prop_assert_eq!(&second.confirmed, &first.kept_back);
        prop_assert!(second.refuted.is_empty() && second.unconfirmed.is_none());
        told.extend(again);
        told.sort();
        let mut expected: Vec<String> = Vec::new();
        for id in 1..=TOKENS {
            let numbers = (before[id as usize - 1], after[id as usize - 1]);
            for (target, line) in &drawn {
                let line = Threshold::parse(line).unwrap().line();
                let is_crossed = !line.is_reached(numbers.0) && line.is_reached(numbers.1);
                if is_crossed && (*target == Target::All || *target == token(id)) {
                    expected.push(format!("{id} {line}"));
                }
            }
        }
        expected.sort();
        expected.dedup();
        prop_assert_eq!(told, expected);
    }
}
