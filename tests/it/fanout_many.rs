//! Many changes at once: they are fanned out together, and whoever is done with all of them is told while the rest is still looked at.

use crate::support::{
    commands::{rows, run_sql},
    database::{TestDb, on_both},
};
use bellwether::{
    cache::Scorecards,
    clock::{Clock, ManualClock, SharedClock},
    domain::{
        Address, Delivery, DestinationId, Direction, Kind, Observation, Place, Platform, Snapshot, SourceId, Target, Timestamp, TokenId,
        Values,
    },
    pipeline::{
        compose::{Composing, compose_all},
        fanout::{Fanout, Portions, fan_out_all},
        flow::Flow,
        ingest::ingest,
    },
    store::{DueCursor, MuteOrder, NewDestination, NewsDecision, SettingsOrder, StoreError, SubscribeOrder},
    telemetry::Metrics,
};
use std::{
    collections::BTreeMap,
    ops::RangeInclusive,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio_util::sync::CancellationToken;

const TOKENS: i64 = 100;

fn at(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

/// A poll of all tokens, of which these are bullish.
async fn poll(db: &TestDb, time: &str, bullish: RangeInclusive<i64>) {
    let row = |token| {
        let call = Some(if bullish.contains(&token) { 1.0 } else { -1.0 });
        let (token, data_time, values) = (TokenId(token), at(time).day().start(), Values::default());
        Observation { token, data_time, signal: call, trend: call, position: None, values }
    };
    let observations: Vec<_> = (1..=TOKENS).map(row).collect();
    let snapshot = Snapshot {
        source: SourceId::TokenMetrics,
        kind: Kind::Daily,
        started_at: at(time),
        asked: observations.iter().map(|row| row.token).collect(),
        observations,
        set_aside: Vec::new(),
        complete: true,
        gaps: Default::default(),
    };
    ingest(&db.store, &snapshot, at(time)).await.unwrap();
}

/// A clock just after a poll in which these tokens turned; all others were polled too.
async fn turned(db: &TestDb, turning: RangeInclusive<i64>) -> SharedClock {
    poll(db, "2026-11-20T10:00:00Z", 0..=0).await;
    poll(db, "2026-11-20T11:00:00Z", turning).await;
    Arc::new(ManualClock::new(at("2026-11-20T11:00:01Z")))
}

/// So many people on Telegram.
async fn people(db: &TestDb, count: usize) {
    let rows: Vec<_> = (1..=count).map(|n| format!("('telegram','{n}','','person','{{}}',0,0,0)")).collect();
    let columns = "(platform, chat, topic, place, settings, created_at, rest_until, probes)";
    run_sql(&db.url, &format!("INSERT INTO destinations {columns} VALUES {}", rows.join(","))).await;
}

/// Whoever's number has this remainder of its division by `by` follows this.
async fn follow(db: &TestDb, target: &str, by: usize, remainder: usize) {
    let sql = format!(
        "INSERT INTO subscriptions (destination_id, source, target, kind, direction, delivery, creator, created_at, updated_at)
         SELECT id, 'token-metrics', '{target}', 'daily', 'any', 'instant', 'test', 0, 0 FROM destinations WHERE id % {by} = {remainder}"
    );
    run_sql(&db.url, &sql).await;
}

on_both!(changes_are_fanned_out_together, |db| async move {
    people(&db, 700).await;
    for token in 1..=30 {
        // 23 or 24 each; one of them hears of another token as one of all.
        follow(&db, &token.to_string(), 30, usize::try_from(token).unwrap() - 1).await;
    }
    follow(&db, "all", 700, 5).await;
    run_sql(
        &db.url,
        "INSERT INTO tokens (source, token_id, symbol, symbol_key, name, name_key, market_rank, refreshes_out, in_all, first_seen_at, refreshed_at)
         VALUES ('token-metrics', 7, 'T7', 'T7', 'T7', 't7', 1, 0, TRUE, 0, 0);
         UPDATE destinations SET muted_until = 4000000000000 WHERE id = 31",
    )
    .await;
    let clock = turned(&db, 1..=30).await;
    let jobs = db.store.fanout_jobs(500).await.unwrap().unwrap();
    assert_eq!((jobs.changes.len(), jobs.after.0, jobs.until.0, jobs.finishes), (30, 0, 700, true));
    let metrics = Metrics::default();
    assert_eq!(fan_out_all(&db.store, &clock, &metrics).await.unwrap(), 701);
    let sql =
        "SELECT CAST(COUNT(*) AS TEXT), CAST(COUNT(DISTINCT destination_id) AS TEXT), CAST(COUNT(DISTINCT change_id) AS TEXT) FROM alerts a
        WHERE EXISTS (SELECT 1 FROM subscriptions s JOIN changes c ON c.id = a.change_id WHERE s.destination_id = a.destination_id
            AND (s.target = CAST(c.token_id AS TEXT) OR (s.target = 'all' AND c.token_id = 7)))";
    assert_eq!(rows(&db.url, sql).await, ["701|700|30"], "everybody of what they follow");
    let held = rows(&db.url, "SELECT CAST(destination_id AS TEXT), decision, reason FROM alerts WHERE decision <> 'send'").await;
    assert_eq!(held.len(), 1, "{held:?}");
    assert!(held[0].starts_with("31|hold|"), "{held:?}");
    assert_eq!(db.store.fanout_jobs(500).await.unwrap(), None);
    // By a process that did not know: it is told so, and nothing is written twice.
    let again = db.store.write_alerts(&jobs.changes, jobs.after, None, &[], at("2026-11-20T11:00:02Z")).await;
    assert!(matches!(again, Err(StoreError::Conflict)), "{again:?}");
});

on_both!(whoever_is_done_with_every_change_is_told_while_the_rest_is_looked_at, |db| async move {
    const PEOPLE: usize = 6_000;
    people(&db, PEOPLE).await;
    for token in ["1", "2"] {
        follow(&db, token, 1, 0).await;
    }
    for token in 3..=20 {
        follow(&db, &token.to_string(), 100, token).await;
    }
    let clock = turned(&db, 1..=20).await;
    let (metrics, scorecards) = (Metrics::default(), Scorecards::new(db.store.clone()));
    let (mut written, mut told_meanwhile, mut first, mut portions) = (0, 0, Composing::default(), Portions::default());
    while let Some(portion) = portions.next(&db.store, &clock, &metrics, 10).await.unwrap() {
        written += portion;
        told_meanwhile += first.batch(&db.store, &clock, &metrics, &scorecards, 20).await.unwrap().unwrap_or(0);
    }
    assert_eq!(written, 2 * PEOPLE + 18 * PEOPLE / 100);
    assert!(told_meanwhile > 0, "nobody was told before everybody was looked at");
    let apart = "SELECT CAST(m.destination_id AS TEXT) FROM messages m JOIN alerts a ON a.destination_id = m.destination_id
        WHERE a.state <> 'composed' LIMIT 1";
    assert_eq!(rows(&db.url, apart).await, [""; 0], "what one poll brought is told together");
    let mut rest = Composing::default();
    while rest.batch(&db.store, &clock, &metrics, &scorecards, 200).await.unwrap().is_some() {}
    let states = rows(&db.url, "SELECT state, CAST(COUNT(*) AS TEXT) FROM alerts GROUP BY state").await;
    assert_eq!(states, [format!("composed|{written}")]);
});

on_both!(what_comes_later_catches_up_and_goes_along, |db| async move {
    const PEOPLE: usize = 3_000;
    people(&db, PEOPLE).await;
    for token in ["1", "2"] {
        follow(&db, token, 1, 0).await;
    }
    let (clock, metrics) = (turned(&db, 1..=1).await, Metrics::default());
    let mut first = Fanout::next(&db.store, clock.now()).await.unwrap().unwrap();
    first.chunk(clock.now(), &metrics).await.unwrap();
    drop(first);
    let came_to = db.store.fanout_jobs(500).await.unwrap().unwrap().after;
    poll(&db, "2026-11-20T11:00:02Z", 1..=2).await;

    let mut second = Fanout::next(&db.store, clock.now()).await.unwrap().unwrap();
    let jobs = db.store.fanout_jobs(500).await.unwrap().unwrap();
    assert_eq!((jobs.changes.len(), jobs.after.0, jobs.until, jobs.finishes), (1, 0, came_to, false));
    while second.chunk(clock.now(), &metrics).await.unwrap().is_some() {}
    let jobs = db.store.fanout_jobs(500).await.unwrap().unwrap();
    assert_eq!((jobs.changes.len(), jobs.after, jobs.finishes), (2, came_to, true), "both go on from where the first had come to");
    // More than go together: those that are furthest behind are next.
    let one = db.store.fanout_jobs(1).await.unwrap().unwrap();
    assert_eq!((one.changes.len(), one.after, one.finishes), (1, came_to, true));

    fan_out_all(&db.store, &clock, &metrics).await.unwrap();
    let told = "SELECT CAST(COUNT(*) AS TEXT), CAST(COUNT(DISTINCT destination_id) AS TEXT) FROM alerts";
    assert_eq!(rows(&db.url, told).await, [format!("{}|{PEOPLE}", 2 * PEOPLE)]);
    assert_eq!(db.store.fanout_jobs(500).await.unwrap(), None);
});

on_both!(what_was_read_ahead_counts_while_nothing_else_comes_and_not_for_long, |db| async move {
    const PEOPLE: usize = 6_000;
    people(&db, PEOPLE).await;
    for token in ["1", "2"] {
        follow(&db, token, 1, 0).await;
    }
    let (clock, metrics, mut portions) = (turned(&db, 1..=1).await, Metrics::default(), Portions::default());
    assert!(portions.next(&db.store, &clock, &metrics, 1).await.unwrap().is_some());
    let came_to = db.store.fanout_cursor().await.unwrap().unwrap();
    // Whoever mutes meanwhile was read already.
    run_sql(&db.url, &format!("UPDATE destinations SET muted_until = 4000000000000 WHERE id = {}", came_to.0 + 1)).await;
    let clock: SharedClock = Arc::new(ManualClock::new(clock.now() + Duration::from_secs(2)));
    portions.next(&db.store, &clock, &metrics, 1).await.unwrap();
    let held = rows(&db.url, "SELECT CAST(destination_id AS TEXT), reason FROM alerts WHERE decision = 'hold'").await;
    assert_eq!(held, [format!("{}|muted", came_to.0 + 1)]);

    let came_to = db.store.fanout_cursor().await.unwrap().unwrap();
    poll(&db, "2026-11-20T11:00:02Z", 1..=2).await;
    portions.next(&db.store, &clock, &metrics, 1).await.unwrap();
    let jobs = db.store.fanout_jobs(500).await.unwrap().unwrap();
    assert!(jobs.changes.len() == 1 && jobs.after < came_to && jobs.until == came_to, "what came last catches up: {jobs:?}");
    while portions.next(&db.store, &clock, &metrics, 1).await.unwrap().is_some() {}
    let told = "SELECT CAST(COUNT(*) AS TEXT), CAST(COUNT(DISTINCT destination_id) AS TEXT) FROM alerts";
    assert_eq!(rows(&db.url, told).await, [format!("{}|{PEOPLE}", 2 * PEOPLE)]);
});

on_both!(how_things_stand_is_looked_at_anew_while_fan_out_goes_on, |db| async move {
    people(&db, 3_000).await;
    follow(&db, "1", 1, 0).await;
    let (clock, metrics) = (turned(&db, 1..=1).await, Metrics::default());
    let mut now = clock.now();
    let mut fanout = Fanout::next(&db.store, now).await.unwrap().unwrap();
    fanout.chunk(now, &metrics).await.unwrap();
    // One wants quiet now, another one comes.
    run_sql(
        &db.url,
        "UPDATE destinations SET muted_until = 4000000000000 WHERE id = 2800;
         INSERT INTO destinations (platform, chat, topic, place, settings, created_at, rest_until, probes)
         VALUES ('telegram', '3001', '', 'person', '{}', 0, 0, 0);
         INSERT INTO subscriptions (destination_id, source, target, kind, direction, delivery, creator, created_at, updated_at)
         SELECT MAX(id), 'token-metrics', '1', 'daily', 'any', 'instant', 'test', 0, 0 FROM destinations",
    )
    .await;
    while fanout.chunk(now, &metrics).await.unwrap().is_some() {
        now = now + Duration::from_millis(200);
    }
    let decision = async |id: i64| rows(&db.url, &format!("SELECT decision FROM alerts WHERE destination_id = {id}")).await;
    assert_eq!(decision(2800).await, ["hold"]);
    assert_eq!(fan_out_all(&db.store, &clock, &metrics).await.unwrap(), 1);
    assert_eq!(decision(3001).await, ["send"]);
});

on_both!(what_was_decided_to_wait_while_somebody_asked_for_something_else_is_looked_at_again, |db| async move {
    people(&db, 30).await;
    follow(&db, "1", 1, 0).await;
    let (clock, metrics) = (turned(&db, 1..=1).await, Metrics::default());
    let now = clock.now();
    // Somebody asked for something a while ago, or when a clock was wrong.
    let (long_ago, wrong) = ((now - Duration::from_secs(11)).as_millis(), (now + Duration::from_secs(3600)).as_millis());
    let muted = format!(
        "UPDATE destinations SET muted_until = 4000000000000 WHERE id IN (10, 13, 16, 19, 22);
         UPDATE destinations SET changed_at = {long_ago} WHERE id = 19;
         UPDATE destinations SET changed_at = {wrong} WHERE id = 22"
    );
    run_sql(&db.url, &muted).await;
    let mut fanout = Fanout::next(&db.store, now).await.unwrap().unwrap();
    let person = |id: i64| NewDestination {
        address: Address::new(Platform::Telegram, id.to_string()),
        place: Place::Person,
        tenant: None,
        label: None,
        creator: None,
    };
    let source = SourceId::TokenMetrics;
    let mute = MuteOrder { destination: person(10), source, token: None, until: None, audit: None, request: None };
    db.store.mute(&mute, now).await.unwrap();
    db.store.change_settings(&person(13), &SettingsOrder::default(), now).await.unwrap();
    let subscribe = SubscribeOrder {
        destination: person(16),
        source,
        targets: vec![Target::Token(TokenId(1))],
        kind: Kind::Daily,
        direction: Direction::Any,
        delivery: Delivery::Instant,
        mention: None,
        threshold: None,
        creator: "telegram:16".to_owned(),
        limit: 200,
        audit: None,
        request: None,
    };
    db.store.subscribe(&subscribe, now).await.unwrap();
    while fanout.chunk(now, &metrics).await.unwrap().is_some() {}
    let held = async || {
        rows(
            &db.url,
            "SELECT CAST(destination_id AS TEXT), CAST(release_at AS TEXT) FROM alerts WHERE decision = 'hold' ORDER BY destination_id",
        )
        .await
    };
    let soon = now + Duration::from_secs(1);
    let looked_at = |id| format!("{id}|{}", soon.as_millis());
    let waits = |id| format!("{id}|4000000000000");
    assert_eq!(held().await, [looked_at(10), looked_at(13), looked_at(16), waits(19), waits(22)]);
    // And so is news of a token.
    let far = Timestamp::from_millis(4_000_000_000_000);
    let news = [10, 19].map(|id| NewsDecision {
        destination: DestinationId(id),
        held: vec![(TokenId(1), far)],
        told: Vec::new(),
        dropped: Vec::new(),
        body: None,
    });
    let due = "INSERT INTO token_news (destination_id, source, token_id, news, release_at)
        SELECT id, 'token-metrics', 1, '\"gone\"', 0 FROM destinations WHERE id IN (10, 19)";
    run_sql(&db.url, due).await;
    db.store.settle_token_news(source, &news, now).await.unwrap();
    let of_news = "SELECT CAST(destination_id AS TEXT), CAST(release_at AS TEXT) FROM token_news ORDER BY destination_id";
    assert_eq!(rows(&db.url, of_news).await, [looked_at(10), waits(19)]);
    run_sql(&db.url, "DELETE FROM token_news").await;
    let clock: SharedClock = Arc::new(ManualClock::new(soon));
    compose_all(&db.store, &clock, &metrics, &Scorecards::new(db.store.clone())).await.unwrap();
    assert_eq!(rows(&db.url, "SELECT CAST(COUNT(*) AS TEXT) FROM messages").await, ["26"], "all but the four who are muted still");
    assert_eq!(held().await[1..], [waits(13), waits(16), waits(19), waits(22)]);
});

/// A clock that asks for the stop while the first chunks are on their way.
struct StopsAmidst {
    clock: SharedClock,
    reads: AtomicU32,
    stop: CancellationToken,
}

impl Clock for StopsAmidst {
    fn now(&self) -> Timestamp {
        if self.reads.fetch_add(1, Ordering::Relaxed) == 4 {
            self.stop.cancel();
        }
        self.clock.now()
    }
}

on_both!(a_stop_amidst_many_is_at_once_and_the_next_goes_on, |db| async move {
    const PEOPLE: usize = 6_000;
    people(&db, PEOPLE).await;
    follow(&db, "1", 1, 0).await;
    let (clock, metrics) = (turned(&db, 1..=1).await, Arc::new(Metrics::default()));
    let stop = CancellationToken::new();
    let flow = Flow {
        store: db.store.clone(),
        clock: Arc::new(StopsAmidst { clock: clock.clone(), reads: AtomicU32::new(0), stop: stop.clone() }),
        metrics: metrics.clone(),
        scorecards: Scorecards::new(db.store.clone()),
        changes: Arc::default(),
        messages: Vec::new(),
    };
    flow.run(stop).await;
    assert!(db.store.fanout_cursor().await.unwrap().is_some(), "it went on until everybody was looked at");
    fan_out_all(&db.store, &clock, &metrics).await.unwrap();
    let alerts = rows(&db.url, "SELECT CAST(COUNT(*) AS TEXT), CAST(COUNT(DISTINCT destination_id) AS TEXT) FROM alerts").await;
    assert_eq!(alerts, [format!("{PEOPLE}|{PEOPLE}")]);
});

on_both!(a_batch_has_few_destinations_where_much_is_due_for_each, |db| async move {
    people(&db, 800).await;
    follow(&db, "all", 1, 0).await;
    let token = |n| format!("('token-metrics', {n}, 'T', 'T', 'T', 't', 1, 0, TRUE, 0, 0)");
    let columns = "(source, token_id, symbol, symbol_key, name, name_key, market_rank, refreshes_out, in_all, first_seen_at, refreshed_at)";
    let tokens: Vec<_> = (1..=TOKENS).map(token).collect();
    run_sql(&db.url, &format!("INSERT INTO tokens {columns} VALUES {}", tokens.join(","))).await;
    let clock = turned(&db, 1..=30).await;
    assert_eq!(fan_out_all(&db.store, &clock, &Metrics::default()).await.unwrap(), 24_000);
    let (mut after, mut seen) = (DueCursor::default(), BTreeMap::new());
    while let Some(batch) = db.store.due_situations(clock.now(), after, 1_000).await.unwrap() {
        let due: usize = batch.situations.values().map(|situation| situation.due.len()).sum();
        assert!((1..=20_000).contains(&due), "{due}");
        seen.extend(batch.situations.into_iter().map(|(destination, situation)| (destination, situation.due.len())));
        after = batch.upto;
    }
    assert_eq!(seen.len(), 800);
    assert!(seen.values().all(|due| *due == 30), "each with all of its own");
});
