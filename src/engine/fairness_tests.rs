use super::*;
use crate::domain::{
    Draft, MessageBody, Platform,
    wording::{Card, ReplyPhrase, Tone},
};
use proptest::prelude::*;
use std::collections::BTreeSet;

/// A queue as the store keeps it: communities of some places, and what waits.
#[derive(Default)]
struct Queue {
    places: Vec<u32>,
    reached: BTreeMap<(Platform, Lane), StartTag>,
    /// Tag and number of what waits, and whose it is.
    waiting: BTreeSet<(StartTag, usize, usize)>,
    made: usize,
}

impl Queue {
    fn of(places: &[u32]) -> Self {
        Self { places: places.to_vec(), ..Self::default() }
    }

    fn community(index: usize) -> Community {
        Community { platform: Platform::Discord, name: index.to_string() }
    }

    /// The community's messages go to one place after the other.
    fn compose(&mut self, index: usize, count: usize) {
        let community = Self::community(index);
        let places = self.places[index];
        let last = self.waiting.iter().filter(|(.., of)| *of == index).map(|(tag, ..)| (Lane::Urgent, *tag)).collect();
        let queue = FairQueue {
            virtual_times: self.reached.clone(),
            communities: (0..places.into()).map(|place| (DestinationId(place), community.clone())).collect(),
            backlogs: [(community, Backlog { places, last })].into(),
        };
        let mut compositions: Vec<_> = (0..i64::from(places)).map(|place| (DestinationId(place), Composition::default())).collect();
        (0..count).for_each(|nth| compositions[nth % places as usize].1.messages.push(draft()));
        place(&queue, &mut compositions);
        for draft in compositions.iter().flat_map(|(_, composition)| &composition.messages) {
            self.made += 1;
            self.waiting.insert((draft.start_tag, self.made, index));
        }
    }

    fn who_waits(&self) -> BTreeSet<usize> {
        self.waiting.iter().map(|(.., index)| *index).collect()
    }

    /// Whose message goes next.
    fn claim(&mut self) -> Option<usize> {
        let (tag, _, index) = self.waiting.pop_first()?;
        self.reached.insert((Platform::Discord, Lane::Urgent), tag);
        Some(index)
    }
}

fn draft() -> Draft {
    let card = Card::new(Tone::Neutral, ReplyPhrase::NotAdvice.into());
    let (body, mention, alerts) = (MessageBody::Card { card }, Vec::new(), Vec::new());
    Draft { lane: Lane::Urgent, start_tag: StartTag::default(), body, counted: true, mention, alerts, follows: None }
}

#[test]
fn o2_a_community_of_many_places_weighs_more_but_slowly() {
    assert_eq!([0, 1, 2, 3, 4, 200, 500, u32::MAX].map(weight), [1, 1, 2, 2, 3, 8, 9, 32]);
}

#[test]
fn o1_a_private_chat_is_not_behind_two_hundred_channels() {
    let mut queue = Queue::of(&[200, 1, 1]);
    queue.compose(0, 600);
    queue.compose(1, 2);
    queue.compose(2, 1);
    let order: Vec<_> = std::iter::from_fn(|| queue.claim()).collect();
    assert_eq!(order.len(), 603);
    let place_of = |who: usize, nth: usize| order.iter().enumerate().filter(|(_, of)| **of == who).nth(nth).unwrap().0;
    assert_eq!((place_of(1, 0), place_of(2, 0)), (1, 2), "right after the first of the server");
    assert_eq!(place_of(1, 1), 11, "the server has sent eight more by then, its weight, and one that came with an equal tag");
}

#[test]
fn o1_whoever_comes_later_begins_where_the_lane_has_got() {
    let mut queue = Queue::of(&[200, 1]);
    queue.compose(0, 600);
    (0..300).for_each(|_| assert_eq!(queue.claim(), Some(0)));
    queue.compose(1, 1);
    assert_eq!(queue.claim(), Some(1), "nobody pays for what others had before, nor is paid");
}

#[test]
fn o1_every_place_of_a_community_has_its_first_message_before_any_has_its_second() {
    let community = Queue::community(0);
    let queue = FairQueue {
        communities: (0..3).map(|place| (DestinationId(place), community.clone())).collect(),
        backlogs: [(community, Backlog { places: 3, last: BTreeMap::new() })].into(),
        ..FairQueue::default()
    };
    let composition = |count| Composition { messages: (0..count).map(|_| draft()).collect(), ..Composition::default() };
    let mut compositions = vec![(DestinationId(0), composition(3)), (DestinationId(1), composition(1)), (DestinationId(2), composition(2))];
    place(&queue, &mut compositions);
    let tags = |index: usize| compositions[index].1.messages.iter().map(|draft| draft.start_tag.0 / (MESSAGE / 2)).collect::<Vec<_>>();
    assert_eq!((tags(0), tags(1), tags(2)), (vec![0, 3, 5], vec![1], vec![2, 4]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// The bound of start-time fair queueing: while two communities both have something in the queue, what they sent for their weights differs by
    /// no more than a share of each. Nothing is lost, and a community's own messages go in the order in which they were made.
    #[test]
    fn shares_go_by_weight(places in proptest::collection::vec(1u32..300, 2..6), steps in proptest::collection::vec((0usize..6, 0usize..40, 0usize..60), 1..40)) {
        let mut queue = Queue::of(&places);
        let (mut composed, mut claimed) = (0, 0);
        // Since when both of a pair have had something, what each has sent.
        let mut sent: BTreeMap<(usize, usize), (i64, i64)> = BTreeMap::new();
        for (who, count, claims) in steps {
            queue.compose(who % places.len(), count);
            composed += count;
            for _ in 0..claims {
                let waits = queue.who_waits();
                for one in &waits {
                    waits.iter().filter(|other| one < other).for_each(|other| _ = sent.entry((*one, *other)).or_default());
                }
                let Some(index) = queue.claim() else { break };
                claimed += 1;
                let share = |index: usize| MESSAGE / i64::from(weight(places[index]));
                for ((one, other), (of_one, of_other)) in &mut sent {
                    *of_one += if *one == index { share(index) } else { 0 };
                    *of_other += if *other == index { share(index) } else { 0 };
                    prop_assert!((*of_one - *of_other).abs() <= share(*one) + share(*other), "{of_one} and {of_other}");
                }
                // Whoever has nothing left begins anew with what it gets next, also where that is before the next claim.
                let waits = queue.who_waits();
                sent.retain(|(one, other), _| waits.contains(one) && waits.contains(other));
            }
        }
        prop_assert_eq!(composed, claimed + queue.waiting.len());
    }
}
