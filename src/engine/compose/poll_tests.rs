//! Tables of turns that polls confirm (ARCHITECTURE.md, rule N3).

use super::*;
use crate::domain::{Confirmation, LastPolls, PollShare};

/// When a call turned, and to what; when polls began; when it is composed, and what comes of that. In minutes.
type Row<'a> = (&'a [(i64, Stance)], &'a [i64], i64, &'a str);

#[test]
fn n3_the_last_polls_decide() {
    let polls =
        |minutes: &[i64]| BTreeMap::from([(Kind::Daily, LastPolls { began: minutes.iter().copied().map(at).collect(), under_way: false })]);
    let waits = |changes: &[(i64, Stance)], minutes: &[i64], now: i64| {
        let turns = (1..).zip(changes).map(|(n, (seen, to))| {
            let (detected_at, from) = (at(*seen), Some(to.opposite()));
            due(n, Reason::MorePolls, Change { from, detected_at, ..change(1, *to) })
        });
        let confirmation = PollShare::new(2, 3).map(Confirmation::Polls).unwrap();
        let settings = Settings { confirmation, ..Settings::default() };
        let composition = compose(&Situation { settings, polls: polls(minutes), ..situation(turns.collect()) }, at(now));
        match (composition.messages.len(), composition.holds.first(), composition.skips.first()) {
            (1, None, None) => "told",
            (0, Some((_, _, Reason::MorePolls)), None) => "waits",
            (0, None, Some((_, Reason::NotConfirmed))) => "dropped",
            _ => "something else",
        }
    };
    let up = (1, Stance::Bullish);
    let (down, up_again) = ((16, Stance::Bearish), (31, Stance::Bullish));
    let week = 7 * 24 * 60;
    let table: [Row<'_>; 9] = [
        (&[up], &[-30, -15, 0], 2, "waits"),
        (&[up], &[15, -15, 0], 15, "told"),
        (&[up], &[], 2, "waits"),
        (&[up], &[0], week, "waits"),
        (&[up], &[0], week + 1, "told"),
        (&[up, down], &[-15, 0, 15], 17, "waits"),
        (&[up, down, up_again], &[0, 15, 30], 31, "told"),
        (&[up, down], &[0, 15, 30], 31, "waits"),
        (&[up, down], &[15, 30, 45], 46, "dropped"),
    ];
    for (changes, minutes, now, expected) in table {
        assert_eq!(waits(changes, minutes, now), expected, "{changes:?} {minutes:?} {now}");
    }
    let now = at(20);
    let settings = Settings { confirmation: PollShare::new(2, 2).map(Confirmation::Polls).unwrap(), ..Settings::default() };
    let polls = BTreeMap::from([(Kind::Daily, LastPolls { began: vec![at(0)], under_way: true })]);
    let situation = Situation { settings, polls, ..situation(vec![due(1, Reason::MorePolls, change(1, Stance::Bullish))]) };
    assert_eq!(
        compose(&situation, now).holds,
        [(AlertId(1), now + LOOK_AGAIN, Reason::MorePolls)],
        "what another poll changed is on its way"
    );
}
