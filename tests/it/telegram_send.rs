//! Sending on Telegram: what a message looks like there, every way in which it can fail, and the pace.

use crate::support::fake_telegram::{FakeTelegram, Fault, TOKEN};
use bellwether::{
    chat::{End, Messenger, Outgoing, Receipt, Scope, SendError, telegram::Telegram},
    clock::{Clock, ManualClock, SystemClock},
    domain::{
        Address, Call, Kind, Mention, MessageBody, MessageId, Outcome, Platform, QuarantineReason, Stance, Timestamp, TokenId, Zone,
        wording::{Card, HintPhrase, Phrase, ReplyPhrase, Tone},
    },
};
use serde_json::json;
use std::{
    collections::VecDeque,
    io::Write,
    sync::{Arc, Mutex},
    time::Duration,
};

fn alert() -> MessageBody {
    let call = Call {
        token: TokenId(3988),
        symbol: "S<O>L".to_owned(),
        kind: Kind::Daily,
        outcome: Outcome::Turned,
        from: Some(Stance::Bearish),
        since: None,
        to: Stance::Bullish,
        data_time: Timestamp::parse("2026-11-21").unwrap(),
        seen_at: Timestamp::parse("2026-11-21T22:00:00Z").unwrap(),
        flips: 0,
        after_gap: false,
        trader_grade: None,
        mover: None,
        crossing: None,
        link: Some("https://app.tokenmetrics.com/en/solana?a=\"1\"&b".to_owned()),
    };
    MessageBody::Alert { call, buttons: None, instead_of: None }
}

fn to(address: &str) -> Outgoing {
    let to = Address::parse(&format!("telegram:{address}")).unwrap();
    Outgoing {
        id: MessageId(1),
        to,
        route: None,
        body: alert(),
        mention: Mention::default(),
        replies_to: None,
        is_reply: false,
        illustration: None,
        provenance: None,
        is_first: true,
        clock: Zone::UTC,
    }
}

fn telegram(fake: &FakeTelegram) -> Telegram {
    Telegram::new(fake.settings(), Arc::new(SystemClock))
}

async fn fake_with_a_person_and_a_group() -> FakeTelegram {
    let fake = FakeTelegram::start().await;
    fake.with(|world| {
        world.person(7);
        let topics = [(42, true), (43, false)].into();
        world.group(-1001, "Traders", 7).topics = topics;
    });
    fake
}

#[tokio::test]
async fn an_alert_arrives_as_people_see_it() {
    let fake = fake_with_a_person_and_a_group().await;
    let telegram = telegram(&fake);
    let receipt = telegram.send(&to("7")).await.unwrap();
    let sent = fake.unread();
    assert_eq!(receipt.platform_id, sent[0].id.to_string());
    assert_eq!(sent[0].text, "🟢 S<O>L turned bullish\nDaily call of 21 Nov 2026, seen 21 Nov 2026 22:00 UTC\nBefore: bearish\nRead more");
    let asked = &fake.calls("sendMessage")[0];
    assert_eq!((&asked["parse_mode"], &asked["link_preview_options"]), (&json!("HTML"), &json!({ "is_disabled": true })));
    assert!(sent[0].raw.starts_with("<b>🟢 S&lt;O&gt;L turned bullish</b>\n"), "{}", sent[0].raw);
}

#[tokio::test]
async fn nobody_waits_for_ever_and_then_nobody_knows() {
    let both = [false, true].map(async |carried_out| {
        let fake = fake_with_a_person_and_a_group().await;
        fake.fault("sendMessage", None, Fault::Silence { carried_out });
        let end = telegram(&fake).send(&to("7")).await;
        assert!(matches!(end, Err(SendError::Retry { end: End::Unknown, .. })), "{end:?}");
        assert_eq!(fake.unread().len(), usize::from(carried_out));
    });
    futures_util::future::join_all(both).await;
}

#[tokio::test]
async fn a_topic_is_named_and_general_is_not() {
    let fake = fake_with_a_person_and_a_group().await;
    for (address, topic) in [("-1001/42", Some(42)), ("-1001", None), ("-1001/1", None)] {
        telegram(&fake).send(&to(address)).await.unwrap();
        let sent = fake.unread();
        assert_eq!((sent.len(), sent[0].topic), (1, topic), "{address}");
    }
    for (address, reason) in [("-1001/43", QuarantineReason::Closed), ("-1001/44", QuarantineReason::Deleted)] {
        let Err(SendError::Gone { reason: found, .. }) = telegram(&fake).send(&to(address)).await else { panic!("{address}") };
        assert_eq!(found, reason, "{address}");
    }
}

#[tokio::test]
async fn chats_that_are_gone_are_told_apart() {
    let fake = fake_with_a_person_and_a_group().await;
    let gone = async |address: &str| match telegram(&fake).send(&to(address)).await {
        Err(SendError::Gone { reason, .. }) => reason,
        other => panic!("{address}: {other:?}"),
    };
    fake.with(|world| world.place(7, "kicked"));
    assert_eq!(gone("7").await, QuarantineReason::Blocked);
    let why = telegram(&fake).send(&to("7")).await.unwrap_err().to_string();
    assert!(why.contains(r#"Telegram answers 403: "Forbidden: bot was blocked by the user"; ask them to unblock"#), "{why}");
    fake.with(|world| world.place(-1001, "kicked"));
    assert_eq!(gone("-1001").await, QuarantineReason::Removed);
    assert_eq!(gone("8").await, QuarantineReason::Deleted);
    fake.with(|world| world.place(-1001, "member"));
    fake.with(|world| world.migrate(-1001, -1_002_002));
    let moved = telegram(&fake).send(&to("-1001/42")).await;
    assert_eq!(moved, Err(SendError::Moved(Address::new(Platform::Telegram, "-1002002"))));
}

/// What is asked of the deliverer after each kind of end; every text of the table itself is tested beside it.
#[tokio::test]
async fn every_end_says_what_to_do_next() {
    let fake = fake_with_a_person_and_a_group().await;
    let end = async |fault: Fault| {
        fake.fault("sendMessage", None, fault);
        let end = telegram(&fake).send(&to("7")).await.unwrap_err();
        assert!(!format!("{end} {end:?}").contains("very-secret"), "{end:?}");
        end
    };
    let retry = |end: SendError| match end {
        SendError::Retry { after, scope, end, .. } => (after.map(|after| after.as_secs()), scope, end),
        other => panic!("{other:?}"),
    };
    let limited = Fault::Refuse(429, "Too Many Requests: retry after 31", json!({ "retry_after": 31 }));
    assert_eq!(retry(end(limited).await), (Some(31), Scope::Destination, End::NotDelivered));
    let internal = Fault::Refuse(500, "Internal Server Error", json!(null));
    assert_eq!(retry(end(internal).await), (None, Scope::Destination, End::NotServed));
    assert_eq!(retry(end(Fault::Raw(502, "<h1>Bad Gateway</h1>")).await), (None, Scope::Destination, End::NotServed));
    assert_eq!(retry(end(Fault::Raw(302, "login")).await), (None, Scope::Platform, End::NotServed));
    assert_eq!(retry(end(Fault::Raw(200, "<h1>hello</h1>")).await), (None, Scope::Destination, End::Unknown));
    assert_eq!(retry(end(Fault::Close { carried_out: false }).await), (None, Scope::Destination, End::Unknown));
    assert_eq!(retry(end(Fault::Close { carried_out: true }).await), (None, Scope::Destination, End::Unknown));
    assert_eq!(retry(end(Fault::HalfBody).await), (None, Scope::Destination, End::Unknown));
    assert_eq!(fake.unread().len(), 2, "carried out twice, and nobody could know");
    let refused = Fault::Refuse(401, "Unauthorized", json!(null));
    assert!(matches!(end(refused).await, SendError::Unauthorized { .. }));
    let not_found = Fault::Refuse(404, "Not Found", json!(null));
    assert!(matches!(end(not_found).await, SendError::Unauthorized { .. }));
    let too_long = Fault::Refuse(400, "Bad Request: message is too long", json!(null));
    assert!(matches!(end(too_long).await, SendError::Rejected { .. }));
    let unheard = Fault::Refuse(403, "Forbidden: something new", json!(null));
    assert!(matches!(end(unheard).await, SendError::Gone { reason: QuarantineReason::Forbidden, .. }));
}

#[tokio::test]
async fn a_broken_answer_that_names_the_message_was_sent() {
    let fake = fake_with_a_person_and_a_group().await;
    fake.fault("sendMessage", None, Fault::BrokenJson);
    let Receipt { platform_id, .. } = telegram(&fake).send(&to("7")).await.unwrap();
    assert_eq!(fake.unread()[0].id.to_string(), platform_id);
}

#[tokio::test]
async fn nobody_at_the_address_is_not_delivered() {
    let fake = FakeTelegram::start().await;
    let settings = fake.settings();
    drop(fake);
    let end = Telegram::new(settings, Arc::new(SystemClock)).send(&to("7")).await;
    assert!(matches!(end, Err(SendError::Retry { scope: Scope::Platform, end: End::NotServed, .. })), "{end:?}");
}

#[tokio::test]
async fn refused_markup_goes_once_as_plain_text() {
    let fake = fake_with_a_person_and_a_group().await;
    let refusal = || Fault::Refuse(400, "Bad Request: can't parse entities: Unsupported start tag", json!(null));
    fake.fault("sendMessage", None, refusal());
    telegram(&fake).send(&to("7")).await.unwrap();
    let asked = fake.calls("sendMessage");
    assert_eq!((asked.len(), asked[1].get("parse_mode")), (2, None));
    assert!(fake.unread()[0].text.starts_with("🟢 S<O>L turned bullish\n"));

    fake.fault("sendMessage", None, refusal());
    fake.fault("sendMessage", None, refusal());
    assert!(matches!(telegram(&fake).send(&to("7")).await, Err(SendError::Rejected { .. })));
    assert_eq!(fake.calls("sendMessage").len(), 4);
}

#[tokio::test]
async fn a_very_long_text_is_still_taken() {
    let fake = fake_with_a_person_and_a_group().await;
    let line = Phrase::Hint(HintPhrase::UsePrivateChat { link: "https://t.me/😀&<b>\"".repeat(8) });
    let mut card = Card::new(Tone::Neutral, Phrase::Reply(ReplyPhrase::ReadMore));
    card.lines = vec![line; 60];
    let body = MessageBody::Card { card };
    telegram(&fake).send(&Outgoing { body, ..to("7") }).await.unwrap();
    assert!(fake.unread()[0].text.ends_with("\n…"));
}

/// The worker's part: asks for a place, waits by the clock, sends, obeys the chat's rest.
#[tokio::test]
async fn no_limit_is_ever_exceeded() {
    let clock = Arc::new(ManualClock::new(Timestamp::parse("2026-11-21T22:00:00Z").unwrap()));
    let fake = FakeTelegram::start_with(clock.clone()).await;
    let telegram = Telegram::new(fake.settings(), clock.clone());
    // The first minute after a start is quieter for groups.
    clock.advance(Duration::from_secs(60));
    let mut waiting: VecDeque<(i64, u32, Timestamp)> = VecDeque::new();
    fake.with(|world| {
        for person in 1..=150 {
            world.person(person);
            waiting.push_back((person, 2, Timestamp::EPOCH));
        }
        for group in 1..=5 {
            world.group(-group, "Traders", 7);
            waiting.push_back((-group, 45, Timestamp::EPOCH));
        }
    });
    while let Some((chat, left, rest_until)) = waiting.pop_front() {
        let now = clock.now();
        if rest_until > now {
            waiting.push_back((chat, left, rest_until));
            if waiting.iter().all(|(_, _, rest)| *rest > now) {
                clock.set(waiting.iter().map(|(_, _, rest)| *rest).min().unwrap());
            }
            continue;
        }
        if let Err(at) = telegram.admit(now) {
            clock.set(at);
            waiting.push_front((chat, left, rest_until));
            continue;
        }
        let receipt = telegram.send(&to(&chat.to_string())).await.unwrap();
        if left > 1 {
            waiting.push_back((chat, left - 1, receipt.rest_until.unwrap()));
        }
    }
    let sent = fake.unread();
    assert_eq!((sent.len(), fake.refused_for_speed()), (150 * 2 + 5 * 45, 0));
    let most = |keep: &dyn Fn(i64) -> bool, window: Duration| {
        let times: Vec<_> = sent.iter().filter(|sent| keep(sent.chat)).map(|sent| sent.at).collect();
        (0..times.len()).map(|i| times[i..].iter().take_while(|at| **at < times[i] + window).count()).max().unwrap()
    };
    assert_eq!(most(&|_| true, Duration::from_secs(1)), 30);
    assert_eq!(most(&|chat| chat == -1, Duration::from_secs(60)), 20);
    assert_eq!(most(&|chat| chat == 1, Duration::from_secs(1)), 1);
}

/// The same by the system's clock, with requests that overlap: the receiver counts arrivals.
#[tokio::test]
async fn thirty_a_second_hold_also_where_requests_overlap() {
    let fake = FakeTelegram::start().await;
    let telegram = telegram(&fake);
    fake.with(|world| (1..=75).map(|person| world.person(person).kind).last());
    for person in (1..=75).step_by(7) {
        fake.fault("sendMessage", Some(person), Fault::Delay(Duration::from_millis(u64::try_from(person).unwrap() * 4)));
    }
    let mut under_way = tokio::task::JoinSet::new();
    for person in 1..=75 {
        while telegram.admit(SystemClock.now()).is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let telegram = telegram.clone();
        under_way.spawn(async move { telegram.send(&to(&person.to_string())).await.map(drop) });
    }
    while let Some(end) = under_way.join_next().await {
        end.unwrap().unwrap();
    }
    let mut arrived: Vec<_> = fake.unread().iter().map(|sent| sent.arrived).collect();
    arrived.sort();
    let most = (0..arrived.len()).map(|i| arrived[i..].iter().take_while(|at| **at < arrived[i] + Duration::from_secs(1)).count()).max();
    assert!(most <= Some(30), "{most:?} in one second");
    assert_eq!(fake.refused_for_speed(), 0);
}

#[tokio::test]
async fn replies_leave_half_of_a_groups_share_to_alerts() {
    let clock = Arc::new(ManualClock::new(Timestamp::parse("2026-11-21T22:00:00Z").unwrap()));
    let fake = FakeTelegram::start_with(clock.clone()).await;
    fake.with(|world| world.group(-1001, "Traders", 7).kind);
    let telegram = Telegram::new(fake.settings(), clock.clone());
    clock.advance(Duration::from_secs(60));
    let reply = Outgoing { is_reply: true, ..to("-1001") };
    for _ in 0..10 {
        telegram.send(&reply).await.unwrap();
        clock.advance(Duration::from_secs(1));
    }
    let Err(SendError::Retry { after, scope, end, .. }) = telegram.send(&reply).await else { panic!("the eleventh waits") };
    assert_eq!((after, scope, end), (Some(Duration::from_secs(50)), Scope::Message, End::NotTried));
    telegram.send(&to("-1001")).await.unwrap();
    assert_eq!(fake.unread().len(), 11);
}

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_token_is_in_no_log_and_no_error() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let fake = fake_with_a_person_and_a_group().await;
    let mut said = format!("{:?} {:?}", fake.settings(), telegram(&fake));
    let echo = Box::leak(format!("nothing at /bot{TOKEN}/sendMessage").into_boxed_str());
    for fault in [
        Fault::Raw(404, echo),
        Fault::Raw(200, echo),
        Fault::Refuse(400, echo, json!(null)),
        Fault::Refuse(400, "Bad Request: can't parse entities", json!(null)),
        Fault::Close { carried_out: false },
        Fault::HalfBody,
    ] {
        fake.fault("sendMessage", None, fault);
        said += &format!("{:?}", telegram(&fake).send(&to("7")).await);
    }
    fake.unread();
    let settings = fake.settings();
    drop(fake);
    said += &format!("{:?}", Telegram::new(settings, Arc::new(SystemClock)).me().await);
    said += &String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(said.contains("refuses the markup"), "the log was captured");
    assert!(!said.contains("very-secret"), "{said}");
}
