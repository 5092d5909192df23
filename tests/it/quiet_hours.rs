//! Nights as the people who sleep see them (ARCHITECTURE.md, "Rules of our own", Q): nothing comes in quiet hours, nothing is lost, and the morning
//! brings one message.

use crate::support::{
    app::TestApp,
    audience::{BTC, ETH, FOUR, HOUR, MINUTE, SOL, XRP, text},
    commands::rows,
    database::{TestDb, on_both},
    fake_discord::interaction::{ADMIN, subcommand},
};
use bellwether::{clock::Clock, domain::Timestamp};
use insta::assert_snapshot;
use serde_json::json;

const PERSON: i64 = 501;

impl TestApp {
    /// A Discord channel and a Telegram person follow everything with these settings; the baseline is bearish.
    async fn sleepers(db: TestDb, evening: &str, settings: &[(&str, &str)]) -> Self {
        let mut app = Self::start(db).await;
        app.at(evening).await;
        app.channel_subscribes(json!([text("tokens", "all")])).await;
        app.person_subscribes(PERSON, "all").await;
        app.baseline(&FOUR).await;
        app.choose(PERSON, settings).await;
        app
    }

    /// The calls turn, and a poll at that time sees it.
    async fn turns_at(&mut self, time: &str, tokens: &[i64]) {
        self.clock.set(Timestamp::parse(time).unwrap());
        self.call(tokens, 1);
        self.step().await;
    }
}

fn nothing() -> (Vec<String>, Vec<String>) {
    (Vec::new(), Vec::new())
}

/// A night with two turns in it and a restart between them.
async fn sleeps(db: TestDb, zone: &str, hours: &str, times: [&str; 5]) {
    let [evening, early, middle, still, end] = times;
    let mut app = TestApp::sleepers(db, evening, &[("timezone", zone), ("quiet_hours", hours)]).await;
    app.turns_at(early, &[SOL]).await;
    let mut app = app.restart().await;
    app.turns_at(middle, &[BTC]).await;
    assert_eq!(rows(&app.db.url, "SELECT DISTINCT reason FROM alerts WHERE state = 'pending'").await, ["quiet_hours"]);
    app.at(still).await;
    assert_eq!(app.heard(), nothing(), "{zone} {hours}: it is not over at {still}");
    app.at(end).await;
    let one = || vec!["In your quiet hours: 2 calls".to_owned()];
    assert_eq!(app.heard(), (one(), one()), "{zone} {hours}: it is over at {end}");
    app.turn(&[XRP], 1).await;
    let told = || vec!["XRP turned bullish".to_owned()];
    assert_eq!(app.heard(), (told(), told()), "the day is as any other");
}

on_both!(on_telegram_times_go_by_the_clock_that_was_chosen, |db| async move {
    let mut app = TestApp::sleepers(db, "2026-11-20T12:00:00Z", &[("timezone", "Europe/Berlin")]).await;
    app.telegram.unread();
    app.turn(&[SOL], 1).await;
    app.discord.unread();
    let told: Vec<_> = app.telegram.unread().into_iter().map(|sent| sent.text).collect();
    assert!(matches!(told.as_slice(), [text] if text.contains("SOL turned bullish") && text.contains(" CET\n")), "{told:?}");
});

on_both!(the_night_on_which_the_clock_is_put_back_is_an_hour_longer, |db| async move {
    let times = ["2027-10-30T18:00:00Z", "2027-10-30T20:00:00Z", "2027-10-31T00:30:00Z", "2027-10-31T05:59:59Z", "2027-10-31T06:00:00Z"];
    sleeps(db, "Europe/Berlin", "22:00-07:00", times).await;
});

on_both!(the_night_on_which_the_clock_is_put_forward_is_an_hour_shorter, |db| async move {
    let times = ["2027-03-27T19:00:00Z", "2027-03-27T21:00:00Z", "2027-03-28T01:00:00Z", "2027-03-28T04:59:59Z", "2027-03-28T05:00:00Z"];
    sleeps(db, "Europe/Berlin", "22:00-07:00", times).await;
});

on_both!(a_night_in_a_zone_with_half_an_hour, |db| async move {
    let times = ["2026-11-22T14:00:00Z", "2026-11-22T16:30:00Z", "2026-11-23T00:15:00Z", "2026-11-23T01:29:59Z", "2026-11-23T01:30:00Z"];
    sleeps(db, "Asia/Kolkata", "22:00-07:00", times).await;
});

on_both!(a_night_in_a_zone_whose_clock_is_put_back_to_midnight, |db| async move {
    let times = ["2027-11-07T02:00:00Z", "2027-11-07T04:15:00Z", "2027-11-07T05:10:00Z", "2027-11-07T11:59:59Z", "2027-11-07T12:00:00Z"];
    sleeps(db, "America/Havana", "00:15-07:00", times).await;
});

on_both!(the_morning_is_one_summary_of_what_changed_on_balance, |db| async move {
    let mut app = TestApp::sleepers(db, "2026-11-22T20:00:00Z", &[("timezone", "UTC"), ("quiet_hours", "22:00-07:00")]).await;
    app.at("2026-11-22T22:00:00Z").await;
    app.turn(&[SOL, BTC, ETH], 1).await;
    app.turn(&[BTC, ETH], -1).await;
    app.turn(&[ETH], 1).await;
    assert_eq!(app.heard(), nothing());
    app.at("2026-11-23T07:00:00Z").await;
    let (discord, telegram) = (app.discord_messages(), app.telegram_messages());
    assert_eq!((discord.len(), telegram.len()), (1, 1));
    assert_snapshot!(discord[0].1, @"
    In your quiet hours: 3 calls
    **ETH turned bullish and is unstable** (daily, 22 Nov 2026, 2 flips in between)
    **SOL turned bullish** (daily, 22 Nov 2026)
    **BTC flipped and back, still bearish** (daily, 22 Nov 2026, 1 flip in between)
    ");
    assert_snapshot!(telegram[0].2, @"
    In your quiet hours: 3 calls
    ETH turned bullish and is unstable (daily, 22 Nov 2026, 2 flips in between)
    SOL turned bullish (daily, 22 Nov 2026)
    BTC flipped and back, still bearish (daily, 22 Nov 2026, 1 flip in between)
    ");
});

on_both!(some_kinds_pass_through_and_answers_never_wait, |db| async move {
    let settings = [("timezone", "UTC"), ("quiet_hours", "22:00-07:00"), ("quiet_bypass", "daily")];
    let mut app = TestApp::sleepers(db, "2026-11-22T20:00:00Z", &settings).await;
    app.at("2026-11-22T23:00:00Z").await;
    app.turn(&[SOL], 1).await;
    let told = || vec!["SOL turned bullish".to_owned()];
    assert_eq!(app.heard(), (told(), told()));
    let said = app.say(PERSON, PERSON, "/settings quiet_bypass=none").await;
    assert!(said.contains("It is quiet now, until Mon 23 Nov 2026 07:00."), "{said}");
    app.on_server(ADMIN, subcommand("channel", "settings", json!([text("quiet_bypass", "none")]))).await;
    app.turn(&[BTC], 1).await;
    assert_eq!(app.heard(), nothing());
});

on_both!(a_change_of_the_hours_takes_effect_for_what_is_held, |db| async move {
    let mut app = TestApp::sleepers(db, "2026-11-22T20:00:00Z", &[("timezone", "UTC"), ("quiet_hours", "20:00-23:00")]).await;
    app.turn(&[SOL, BTC], 1).await;
    assert_eq!(app.heard(), nothing());
    app.choose(PERSON, &[("quiet_hours", "20:00-22:00")]).await;
    app.at("2026-11-22T21:59:59Z").await;
    assert_eq!(app.heard(), nothing());
    app.at("2026-11-22T22:00:00Z").await;
    let one = || vec!["In your quiet hours: 2 calls".to_owned()];
    assert_eq!(app.heard(), (one(), one()), "an hour earlier than when they were held");
    app.choose(PERSON, &[("quiet_hours", "20:00-08:00")]).await;
    app.turn(&[XRP], 1).await;
    assert_eq!(app.heard(), nothing());
    app.telegram.with(|world| world.say(PERSON, PERSON, "/settings quiet_hours=off"));
    app.step().await;
    assert_eq!(app.on_telegram(), ["Settings saved", "XRP turned bullish"]);
    // Another zone is another night.
    app.on_server(ADMIN, subcommand("channel", "settings", json!([text("timezone", "Asia/Tokyo")]))).await;
    app.step().await;
    assert_eq!(app.heard(), nothing(), "it is before eight in the morning there");
    app.on_server(ADMIN, subcommand("channel", "settings", json!([text("timezone", "America/New_York")]))).await;
    app.step().await;
    assert_eq!(app.on_discord(), ["XRP turned bullish"]);
});

on_both!(a_correction_waits_for_the_morning, |db| async move {
    let mut app = TestApp::sleepers(db, "2026-11-22T10:00:00Z", &[("timezone", "UTC"), ("quiet_hours", "22:00-07:00")]).await;
    let today = app.clock.now().day().to_string();
    app.turn(&[SOL], 1).await;
    assert_eq!(app.heard().0, ["SOL turned bullish"]);
    app.at("2026-11-23T08:00:00Z").await;
    app.at("2026-11-23T23:00:00Z").await;
    app.source.set_daily(SOL, &today, -1, -1);
    app.pass(HOUR).await;
    app.pass(6 * HOUR).await;
    assert_eq!(app.heard(), nothing());
    app.pass(HOUR + MINUTE).await;
    let told = || vec!["SOL correction: the call is bearish".to_owned()];
    assert_eq!(app.heard(), (told(), told()));
});

on_both!(what_was_composed_before_the_night_and_has_not_gone_waits_for_the_morning, |db| async move {
    let mut app = TestApp::sleepers(db, "2026-11-22T20:00:00Z", &[("timezone", "UTC"), ("quiet_hours", "22:00-07:00")]).await;
    app.call(&[SOL, BTC], 1);
    app.clock.set(Timestamp::parse("2026-11-22T21:59:00Z").unwrap());
    app.parts.poller.step().await.unwrap();
    app.parts.flow.step().await.unwrap();
    let queued = "SELECT CAST(COUNT(*) AS TEXT) FROM messages WHERE state = 'queued' AND lane = 1";
    assert_eq!(rows(&app.db.url, queued).await, ["4"], "nobody has sent it yet");
    app.on_server(ADMIN, subcommand("channel", "settings", json!([text("quiet_bypass", "daily")]))).await;
    app.at("2026-11-22T22:00:00Z").await;
    assert_eq!(app.on_telegram(), [""; 0]);
    let mut passed = app.on_discord();
    passed.sort();
    assert_eq!(passed, ["BTC turned bullish", "SOL turned bullish"], "what passes through goes");
    assert_eq!(rows(&app.db.url, "SELECT DISTINCT reason FROM alerts WHERE state = 'pending'").await, ["quiet_hours"]);
    app.at("2026-11-23T07:00:00Z").await;
    assert_eq!(app.heard(), (vec![], vec!["In your quiet hours: 2 calls".to_owned()]));
});
