//! Fired and cleared belong together: whatever holds, joins or quiets what a reader hears, in the end the reader knows every call as it is.

use super::*;
use crate::domain::{Confirmation, Delivery, Direction, Outcome, PollShare, QuietHours, SourceId, Stance};
use proptest::prelude::*;

fn at(minutes: i64) -> Timestamp {
    Timestamp::from_secs(1_795_000_000 + minutes * 60)
}

fn news(kind: Kind, token: i64, to: Stance, now: Timestamp) -> News {
    let change = Change {
        source: SourceId::TokenMetrics,
        kind,
        token: TokenId(token),
        from: Some(to.opposite()),
        since: None,
        to,
        data_time: now,
        detected_at: now,
        nature: Nature::Turned,
        timing: Timing::Fresh,
        after_gap: false,
        trader_grade: None,
        mover: None,
        crossing: None,
    };
    News { change, symbol: format!("T{token}"), rank: None, link: None }
}

fn reader(settings: Settings, delivery: Delivery, direction: Direction) -> Follower {
    let mut follower = Follower::new(settings);
    for kind in [Kind::Daily, Kind::Hourly] {
        let wish = Wish { target: Target::All, direction, delivery, mention: None, created_at: Timestamp::EPOCH, threshold: None };
        follower.subscribe(kind, wish);
    }
    follower
}

fn any_confirmation() -> impl Strategy<Value = Confirmation> {
    let polls = PollShare::new(2, 3).map(Confirmation::Polls).unwrap();
    prop_oneof![Just(Confirmation::AtOnce), (1_u32..300).prop_map(Confirmation::Minutes), Just(polls)]
}

prop_compose! {
    fn any_settings()(max_per_hour in 0_u32..6, cooldown_minutes in 0_u32..600, confirmation in any_confirmation(), quiet in proptest::option::of(0_u32..24)) -> Settings {
        let hours = |from: u32| QuietHours::parse(&format!("{from:02}:00-{:02}:00", (from + 8) % 24));
        Settings { max_per_hour, cooldown_minutes, confirmation, quiet_hours: quiet.and_then(hours), ..Settings::default() }
    }
}

/// What happens: after so many minutes a call turns, or everything is muted for so long.
#[derive(Clone, Debug)]
enum Event {
    Turn(Kind, i64),
    Mute(i64),
}

fn any_events() -> impl Strategy<Value = Vec<(i64, Event)>> {
    let kind = proptest::sample::select(vec![Kind::Daily, Kind::Hourly]);
    let turn = (kind, 1_i64..4).prop_map(|(kind, token)| Event::Turn(kind, token));
    let event = prop_oneof![9 => turn, 1 => (1_i64..2_000).prop_map(Event::Mute)];
    prop::collection::vec((0_i64..1_500, event), 1..60)
}

/// The calls as they are in the end, and all that the reader was told, in order.
fn play(follower: &mut Follower, events: Vec<(i64, Event)>) -> (BTreeMap<(Kind, TokenId), Stance>, Vec<Draft>) {
    let (mut minute, mut calls, mut heard) = (0, BTreeMap::new(), Vec::new());
    let mut listen = |steps: Vec<Step>| {
        heard.extend(steps.into_iter().filter_map(|step| match step {
            Step::Sent { draft, .. } => Some(*draft),
            Step::Held { .. } | Step::Skipped { .. } => None,
        }));
    };
    for (wait, event) in events {
        minute += wait;
        listen(follower.release_before(at(minute)));
        match event {
            Event::Mute(length) => follower.mute(Mutes { all: Some(at(minute + length)), ..Mutes::default() }),
            Event::Turn(kind, token) => {
                let call = calls.entry((kind, TokenId(token))).or_insert(Stance::Bearish);
                *call = call.opposite();
                follower.polled(kind, at(minute), at(minute));
                listen(follower.hear(&[news(kind, token, *call, at(minute))], at(minute)));
            }
        }
    }
    listen(follower.release_before(at(minute + 40 * 24 * 60)));
    (calls, heard)
}

proptest! {
    /// Whoever was told "bullish" is told when that ends; nothing that is held is lost on the way.
    #[test]
    fn in_the_end_every_reader_knows_every_call(
        settings in any_settings(), delivery in proptest::sample::select(Delivery::ALL.to_vec()), events in any_events(),
    ) {
        let mut follower = reader(settings, delivery, Direction::Any);
        let (calls, _) = play(&mut follower, events);
        for ((kind, token), call) in calls {
            let known = follower.told(kind, token).map_or(Stance::Bearish, |told| told.stance);
            prop_assert_eq!(known, call, "{} of {}", kind, token);
        }
        prop_assert!(follower.waiting().all(|due| due.reason == Reason::NetZero));
    }

    /// F1 to F3: after the notice that a call is unstable comes nothing but that it has settled, and that comes.
    #[test]
    fn what_is_unstable_is_quiet_until_it_has_settled(settings in any_settings(), events in any_events()) {
        let mut follower = reader(settings, Delivery::Instant, Direction::Any);
        let (_, heard) = play(&mut follower, events);
        let mut unstable: BTreeMap<(Kind, TokenId), Timestamp> = BTreeMap::new();
        for call in heard.iter().flat_map(|draft| draft.body.calls()) {
            let key = (call.kind, call.token);
            match (unstable.remove(&key), call.outcome) {
                (Some(since), outcome) => {
                    prop_assert_eq!(outcome, Outcome::Settled);
                    prop_assert!(since <= call.seen_at);
                }
                (None, outcome) => prop_assert_ne!(outcome, Outcome::Settled),
            }
            if call.outcome == Outcome::Unstable {
                unstable.insert(key, call.seen_at);
            }
        }
        prop_assert!(unstable.is_empty(), "{:?} never settled", unstable);
    }

    /// A reader of one direction never hears of the other, and is never left with a call of theirs that they were told of otherwise.
    #[test]
    fn an_unwanted_direction_is_never_told(settings in any_settings(), events in any_events()) {
        let mut follower = reader(settings, Delivery::Instant, Direction::Bullish);
        let (calls, heard) = play(&mut follower, events);
        prop_assert!(heard.iter().flat_map(|draft| draft.body.calls()).all(|call| call.to == Stance::Bullish));
        for ((kind, token), call) in calls.into_iter().filter(|(_, call)| *call == Stance::Bullish) {
            prop_assert_eq!(follower.told(kind, token).map(|told| told.stance), Some(call));
        }
    }
}
