//! A poll meets what is stored: on both databases, all of it or nothing.

use crate::support::database::{TestDb, on_both};
use bellwether::{
    domain::{Kind, Nature, Observation, Snapshot, SourceId, Stance, Timestamp, Timing, TokenId, Values},
    pipeline::ingest::ingest,
    store::{Applied, PollResult},
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

/// A number that the database holds.
async fn number(db: &TestDb, sql: &'static str) -> i64 {
    if db.url.starts_with("sqlite") {
        sqlx::query_scalar(sql).fetch_one(&sqlx::SqlitePool::connect(&db.url).await.unwrap()).await.unwrap()
    } else {
        sqlx::query_scalar(sql).fetch_one(&sqlx::PgPool::connect(&db.url).await.unwrap()).await.unwrap()
    }
}

async fn carry_out(db: &TestDb, sql: &'static str) {
    if db.url.starts_with("sqlite") {
        sqlx::query(sql).execute(&sqlx::SqlitePool::connect(&db.url).await.unwrap()).await.map(drop).unwrap();
    } else {
        sqlx::query(sql).execute(&sqlx::PgPool::connect(&db.url).await.unwrap()).await.map(drop).unwrap();
    }
}

on_both!(a_correction_names_the_change_it_supersedes, |db| async move {
    let poll = async |started_at: &str, rows| ingest(&db.store, &snapshot(started_at, rows), at(started_at)).await.unwrap().changes;
    poll("2026-11-19T10:00:00Z", vec![row(1, "2026-11-19", 1.0, 1.0)]).await;
    let turned = poll("2026-11-20T10:00:00Z", vec![row(1, "2026-11-20", -1.0, -1.0)]).await;
    poll("2026-11-21T00:05:00Z", vec![row(1, "2026-11-20", -1.0, -1.0)]).await;
    let corrected = poll("2026-11-21T02:00:00Z", vec![row(1, "2026-11-20", 1.0, 1.0)]).await;
    assert_eq!(corrected[0].1.nature, Nature::Correction { stored_at: at("2026-11-20T10:00:00Z") });
    assert!(corrected[0].0 > turned[0].0);
    assert_eq!(number(&db, "SELECT supersedes FROM changes WHERE nature = 'correction'").await, turned[0].0.0);
    assert_eq!(number(&db, "SELECT COUNT(*) FROM changes WHERE supersedes IS NOT NULL").await, 1);
    assert_eq!(number(&db, "SELECT COUNT(*) FROM changes WHERE stored_at IS NOT NULL").await, 1);
});

on_both!(history_is_stored_and_only_news_is_fanned_out, |db| async move {
    let rows = vec![row(1, "2026-11-19", 1.0, 1.0), row(1, "2026-11-20", -1.0, -1.0)];
    let first = ingest(&db.store, &snapshot("2026-11-20T10:00:00Z", rows), at("2026-11-20T10:00:00Z")).await.unwrap();
    assert_eq!(first.changes[0].1.timing, Timing::History);
    assert_eq!(number(&db, "SELECT COUNT(*) FROM fanout_jobs").await, 0);

    let rows = vec![row(1, "2026-11-22", -1.0, -1.0), row(1, "2026-11-21", 1.0, 1.0)];
    let second = ingest(&db.store, &snapshot("2026-11-22T10:00:00Z", rows), at("2026-11-22T10:00:00Z")).await.unwrap();
    let ids: Vec<_> = second.changes.iter().map(|(id, _)| id.0).collect();
    assert!(ids.len() == 2 && ids[0] < ids[1], "ids are in order of time: {ids:?}");
    assert!(second.changes[0].1.data_time < second.changes[1].1.data_time);
    assert_eq!(number(&db, "SELECT COUNT(*) FROM fanout_jobs WHERE after_destination = 0").await, 2);
    assert_eq!(number(&db, "SELECT COUNT(*) FROM observations").await, 4);
});

on_both!(rows_that_are_stored_already_are_not_written_again, |db| async move {
    let poll = async |now: &str, rows| ingest(&db.store, &snapshot("2026-11-20T10:00:00Z", rows), at(now)).await.unwrap();
    poll("2026-11-20T10:00:00Z", vec![row(1, "2026-11-20", 1.0, 1.0), row(2, "2026-11-20", 1.0, 1.0)]).await;
    let grown = Values { trader_grade: Some(30.0), ..Values::default() };
    let grown = Observation { values: grown, ..row(2, "2026-11-20", 1.0, 1.0) };
    poll("2026-11-20T11:00:00Z", vec![row(1, "2026-11-20", 1.0, 1.0), grown]).await;
    let first = at("2026-11-20T10:00:00Z").as_millis();
    let second = at("2026-11-20T11:00:00Z").as_millis();
    assert_eq!(number(&db, "SELECT observed_at FROM observations WHERE token_id = 1").await, first);
    assert_eq!(number(&db, "SELECT observed_at FROM observations WHERE token_id = 2").await, second);
    assert_eq!(number(&db, "SELECT seen_at FROM token_states WHERE token_id = 1").await, second);
    assert_eq!(number(&db, "SELECT COUNT(*) FROM polls WHERE outcome = 'complete' AND asked = 3 AND taken = 2").await, 2);
});

on_both!(an_absent_token_keeps_its_state_and_returns_late, |db| async move {
    let poll = async |now: &str, rows| ingest(&db.store, &snapshot(now, rows), at(now)).await.unwrap();
    poll("2026-11-20T10:00:00Z", vec![row(9, "2026-11-20", 1.0, 1.0)]).await;
    poll("2026-11-20T11:00:00Z", vec![]).await;
    let known = db.store.token_states(SOURCE, Kind::Daily).await.unwrap();
    let state = &known.states[&TokenId(9)];
    assert_eq!((state.seen_at, state.asked_at), (at("2026-11-20T10:00:00Z"), at("2026-11-20T11:00:00Z")));
    let back = poll("2026-11-20T12:00:00Z", vec![row(9, "2026-11-20", -1.0, -1.0)]).await;
    assert_eq!(back.changes[0].1.timing, Timing::Late);
});

on_both!(two_that_ingest_at_once_find_a_change_once, |db| async move {
    let now = at("2026-11-20T10:00:00Z");
    ingest(&db.store, &snapshot("2026-11-20T10:00:00Z", vec![row(1, "2026-11-20", 1.0, 1.0)]), now).await.unwrap();
    let turned = snapshot("2026-11-21T10:00:00Z", vec![row(1, "2026-11-21", -1.0, -1.0)]);
    let now = at("2026-11-21T10:00:00Z");
    let both = tokio::join!(ingest(&db.store, &turned, now), ingest(&db.store, &turned, now));
    assert_eq!(both.0.unwrap().changes.len() + both.1.unwrap().changes.len(), 1);
    assert_eq!(number(&db, "SELECT COUNT(*) FROM changes").await, 1);
});

on_both!(a_write_from_states_that_have_moved_on_stores_nothing, |db| async move {
    let now = at("2026-11-20T10:00:00Z");
    ingest(&db.store, &snapshot("2026-11-20T10:00:00Z", vec![row(1, "2026-11-20", 1.0, 1.0)]), now).await.unwrap();
    let stale = PollResult {
        settles: true,
        source: SOURCE,
        kind: Kind::Daily,
        started_at: now,
        outcome: "complete",
        complete: true,
        asked: 0,
        taken: 0,
        set_aside: 0,
        states: &[],
        observations: &[],
        changes: &[],
        seen: &[],
        absent: &[],
        unconfirmed: None,
    };
    assert_eq!(db.store.store_poll(&stale, 0, now).await.unwrap(), Applied::Conflict);
    assert_eq!(number(&db, "SELECT COUNT(*) FROM polls").await, 1);
    assert_eq!(db.store.store_poll(&stale, 1, now).await.unwrap(), Applied::Stored(vec![]));
});

on_both!(a_database_that_fails_changes_nothing_and_the_same_snapshot_can_be_ingested_again, |db| async move {
    let now = at("2026-11-20T10:00:00Z");
    ingest(&db.store, &snapshot("2026-11-20T10:00:00Z", vec![row(1, "2026-11-20", 1.0, 1.0)]), now).await.unwrap();
    let before = db.store.token_states(SOURCE, Kind::Daily).await.unwrap();
    let turned = snapshot("2026-11-21T10:00:00Z", vec![row(1, "2026-11-21", -1.0, -1.0)]);
    let now = at("2026-11-21T10:00:00Z");

    carry_out(&db, "ALTER TABLE fanout_jobs RENAME TO away").await;
    assert!(ingest(&db.store, &turned, now).await.is_err());
    assert_eq!(db.store.token_states(SOURCE, Kind::Daily).await.unwrap(), before);
    assert_eq!(number(&db, "SELECT COUNT(*) FROM changes").await, 0);
    carry_out(&db, "ALTER TABLE away RENAME TO fanout_jobs").await;

    assert_eq!(ingest(&db.store, &turned, now).await.unwrap().changes.len(), 1);
});

on_both!(set_aside_rows_are_counted, |db| async move {
    let rows = vec![row(1, "2026-11-20", 5.0, 1.0), row(2, "2026-11-22", 1.0, 1.0), row(3, "2026-11-20", 1.0, 1.0)];
    let ingested = ingest(&db.store, &snapshot("2026-11-20T10:00:00Z", rows), at("2026-11-20T10:00:00Z")).await.unwrap();
    assert_eq!(
        ingested.not_taken.values().sum::<usize>(),
        2,
        "a number that is not known and a day that is not yet; a baseline does not count"
    );
});

on_both!(numbers_that_json_cannot_carry_do_no_harm, |db| async move {
    let values = Values { trader_grade: Some(f64::NAN), close: Some(f64::INFINITY), ..Values::default() };
    let odd = Observation { values, ..row(1, "2026-11-20", 1.0, 1.0) };
    for hour in [10, 11] {
        let now = at(&format!("2026-11-20T{hour}:00:00Z"));
        ingest(&db.store, &snapshot("2026-11-20T10:00:00Z", vec![odd.clone()]), now).await.unwrap();
    }
    let known = db.store.token_states(SOURCE, Kind::Daily).await.unwrap();
    assert_eq!(known.states[&TokenId(1)].trader_grade, None);
});
