//! A poll meets what is stored: on both databases, all of it or nothing.

use crate::support::database::on_both;
use bellwether::{
    domain::{Kind, Nature, Observation, Snapshot, SourceId, Stance, Timestamp, Timing, TokenId, Values},
    pipeline::ingest::ingest,
};

const SOURCE: SourceId = SourceId::TokenMetrics;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

fn row(token: i64, day: &str, signal: f64, trend: f64) -> Observation {
    let values = Values { trader_grade: Some(26.48), close: Some(1.5), ..Values::default() };
    Observation { token: TokenId(token), data_time: at(day), signal: Some(signal), trend: Some(trend), position: None, values }
}

fn snapshot(started_at: &str, rows: Vec<Observation>) -> Snapshot {
    Snapshot {
        source: SOURCE,
        kind: Kind::Daily,
        started_at: at(started_at),
        asked: rows.iter().map(|row| row.token).chain([TokenId(9)]).collect(),
        observations: rows,
        set_aside: Vec::new(),
        complete: true,
        gaps: Default::default(),
    }
}

on_both!(a_turn_is_stored_once_with_its_state, |db| async move {
    let first = snapshot("2026-11-20T10:00:00Z", vec![row(1, "2026-11-20", 1.0, 1.0), row(2, "2026-11-20", 0.0, -1.0)]);
    let baseline = ingest(&db.store, &first, at("2026-11-20T10:00:01Z")).await.unwrap();
    assert_eq!(baseline.changes, vec![]);

    let second = snapshot("2026-11-21T10:00:00Z", vec![row(1, "2026-11-21", -1.0, -1.0), row(2, "2026-11-21", 0.0, -1.0)]);
    let now = at("2026-11-21T10:00:01Z");
    let turned = ingest(&db.store, &second, now).await.unwrap();
    let [(_, change)] = turned.changes.as_slice() else { panic!("one change: {turned:?}") };
    assert_eq!((change.token, change.from, change.to), (TokenId(1), Some(Stance::Bullish), Stance::Bearish));
    assert_eq!((change.nature, change.timing, change.detected_at), (Nature::Turned, Timing::Fresh, now));
    assert_eq!(change.trader_grade, Some(26.48));

    let again = ingest(&db.store, &second, at("2026-11-21T11:00:01Z")).await.unwrap();
    assert_eq!(again.changes, vec![], "the next identical poll is silent");
    let known = db.store.token_states(SOURCE, Kind::Daily).await.unwrap();
    assert_eq!(known.version, 3);
    assert_eq!(known.states[&TokenId(1)].stance, Some(Stance::Bearish));
    assert_eq!(known.states[&TokenId(2)].seen_at, at("2026-11-21T11:00:01Z"));
});
