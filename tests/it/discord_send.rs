//! Sending to Discord: what arrives, and how each end of an attempt is classified.

use crate::support::fake_discord::{
    FakeDiscord, FaultKind, HERE, TOKEN, direct_channel,
    door::{NOW, bot},
    interaction::{MEMBER, public_key},
};
use bellwether::{
    chat::{EditError, End, Messenger, Outgoing, Scope, SendError, discord::Discord, nonce},
    clock::{Clock, ManualClock},
    domain::{Address, Call, Kind, Mention, MessageBody, MessageId, Outcome, Platform, QuarantineReason, Stance, Timestamp, TokenId, Zone},
};
use serde_json::json;
use std::{sync::Arc, time::Duration};

struct Stand {
    fake: FakeDiscord,
    discord: Discord,
    clock: Arc<ManualClock>,
}

async fn stand() -> Stand {
    let clock = Arc::new(ManualClock::new(Timestamp::from_secs(NOW)));
    let fake = FakeDiscord::start(clock.clone()).await;
    let discord = bot(&fake, clock.clone(), TOKEN, &public_key());
    Stand { fake, discord, clock }
}

fn alert(symbol: &str) -> MessageBody {
    MessageBody::Alert {
        call: Call {
            token: TokenId(3988),
            symbol: symbol.to_owned(),
            kind: Kind::Hourly,
            outcome: Outcome::Turned,
            from: Some(Stance::Bearish),
            since: None,
            to: Stance::Bullish,
            data_time: Timestamp::from_secs(NOW - 3600),
            seen_at: Timestamp::from_secs(NOW),
            flips: 0,
            after_gap: false,
            trader_grade: Some(81.5),
            mover: None,
            crossing: None,
            link: Some("https://app.tokenmetrics.com/en/solana".to_owned()),
        },
        buttons: None,
        instead_of: None,
    }
}

fn outgoing(id: i64, to: &str, body: MessageBody) -> Outgoing {
    let to = Address::new(Platform::Discord, to);
    Outgoing {
        id: MessageId(id),
        to,
        route: None,
        body,
        mention: Mention::default(),
        replies_to: None,
        is_reply: false,
        illustration: None,
        provenance: None,
        is_first: true,
        clock: Zone::UTC,
    }
}

impl Stand {
    async fn send(&self, outgoing: &Outgoing) -> Result<bellwether::chat::Receipt, SendError> {
        self.discord.admit(self.clock.now()).expect("there is a place");
        let result = self.discord.send(outgoing).await;
        if let Err(error) = &result {
            let words = format!("{error} {error:?}");
            assert!(!words.contains(TOKEN) && !words.contains("http://"), "{words}");
        }
        result
    }
}

#[tokio::test]
async fn an_alert_arrives_as_a_card_that_pings_its_role_alone() {
    let stand = stand().await;
    let mut message = outgoing(1, HERE, alert("SOL"));
    message.mention = Mention(vec!["1180245008396091442".into()]);
    let receipt = stand.send(&message).await.unwrap();
    let arrived = &stand.fake.unread()[0];
    assert_eq!(receipt.platform_id, arrived.id);
    assert_eq!((receipt.route, arrived.channel.as_str()), (None, HERE));
    let body = &arrived.body;
    assert_eq!(body["content"], "<@&1180245008396091442>");
    assert_eq!(body["allowed_mentions"], json!({"parse": [], "users": [], "roles": ["1180245008396091442"]}));
    assert_eq!((&body["nonce"], &body["enforce_nonce"]), (&json!(nonce(MessageId(1), 0)), &json!(true)));
    let embed = &body["embeds"][0];
    assert_eq!((&embed["title"], &embed["color"]), (&json!("SOL turned bullish"), &json!(0x2E_CC_71)));
    assert!(embed["description"].as_str().unwrap().contains(&format!("<t:{}:f>", NOW - 3600)), "{embed}");
    assert_eq!(body["components"][0]["components"][0]["url"], "https://app.tokenmetrics.com/en/solana");
}

#[tokio::test]
async fn nothing_from_outside_pings_or_marks_up() {
    let stand = stand().await;
    stand.send(&outgoing(1, HERE, alert("@everyone <@&1> **[x](https://evil.example)**"))).await.unwrap();
    let body = &stand.fake.unread()[0].body;
    assert!(body.get("content").is_none());
    assert_eq!(body["allowed_mentions"]["roles"], json!([]));
    assert_eq!(body["embeds"][0]["title"], r"\@everyone \<\@&1\> \*\*\[x\](https\://evil.example)\*\* turned bullish");
}

#[tokio::test]
async fn direct_messages_are_opened_once_a_second_and_remembered() {
    let stand = stand().await;
    let first = stand.send(&outgoing(1, &format!("user:{MEMBER}"), alert("SOL"))).await.unwrap();
    assert_eq!(first.route, Some(direct_channel(MEMBER)));
    let second = stand.send(&outgoing(2, "user:5", alert("SOL"))).await;
    let second_wait = SendError::Retry {
        after: Some(Duration::from_secs(1)),
        scope: Scope::Destination,
        end: End::NotTried,
        why: "direct messages are opened one a second".into(),
    };
    assert_eq!(second, Err(second_wait));
    let mut known = outgoing(3, &format!("user:{MEMBER}"), alert("ETH"));
    known.route = first.route.clone();
    assert_eq!(stand.send(&known).await.unwrap().route, first.route);
    assert_eq!(stand.fake.unread().len(), 2);
    assert_eq!(stand.fake.requests().iter().filter(|asked| asked.contains("@me/channels")).count(), 1);
}

#[tokio::test]
async fn openings_that_are_too_fast_rest_without_blame() {
    let stand = stand().await;
    stand.fake.refuse("POST /users/@me/channels", 1, 400, 40003);
    let first = stand.send(&outgoing(1, "user:5", alert("SOL"))).await;
    assert!(matches!(first, Err(SendError::Retry { scope: Scope::Destination, end: End::NotDelivered, .. })), "{first:?}");
    stand.clock.advance(Duration::from_secs(59));
    assert!(matches!(stand.send(&outgoing(1, "user:5", alert("SOL"))).await, Err(SendError::Retry { .. })));
    stand.clock.advance(Duration::from_secs(1));
    stand.send(&outgoing(1, "user:5", alert("SOL"))).await.unwrap();
    stand.send(&outgoing(2, HERE, alert("SOL"))).await.unwrap();
    assert_eq!(stand.fake.unread().len(), 2);
}

#[tokio::test]
async fn someone_who_takes_no_direct_messages_is_blocked() {
    let stand = stand().await;
    stand.fake.close_direct_messages(MEMBER);
    let error = stand.send(&outgoing(1, &format!("user:{MEMBER}"), alert("SOL"))).await;
    assert!(matches!(error, Err(SendError::Gone { reason: QuarantineReason::Blocked, .. })), "{error:?}");
}

#[tokio::test]
async fn a_lost_answer_is_unknown_and_the_retry_makes_no_second_message() {
    let stand = stand().await;
    stand.fake.fault("POST /channels/", 1, FaultKind::LoseAnswer);
    let message = outgoing(1, HERE, alert("SOL"));
    let lost = stand.send(&message).await;
    assert!(matches!(lost, Err(SendError::Retry { end: End::Unknown, after: None, .. })), "{lost:?}");
    let receipt = stand.send(&message).await.unwrap();
    let arrived = stand.fake.unread();
    assert_eq!(arrived.len(), 1, "the nonce is the same");
    assert_eq!(arrived[0].id, receipt.platform_id);
}

#[tokio::test]
async fn an_answer_that_does_not_come_is_unknown() {
    let stand = stand().await;
    stand.fake.fault("POST /channels/", 1, FaultKind::HangUp);
    assert!(matches!(stand.send(&outgoing(1, HERE, alert("SOL"))).await, Err(SendError::Retry { end: End::Unknown, .. })));
    stand.fake.fault("POST /channels/", 1, FaultKind::Answer(200, vec![], "<html>".into()));
    assert!(matches!(stand.send(&outgoing(1, HERE, alert("SOL"))).await, Err(SendError::Retry { end: End::Unknown, .. })));
}

#[tokio::test]
async fn nobody_waits_for_ever_and_then_nobody_knows() {
    let both = [false, true].map(async |carried_out| {
        let stand = stand().await;
        stand.fake.fault("POST /channels/", 1, FaultKind::Silence { carried_out });
        let end = stand.send(&outgoing(1, HERE, alert("SOL"))).await;
        assert!(matches!(end, Err(SendError::Retry { end: End::Unknown, .. })), "{end:?}");
        assert_eq!(stand.fake.unread().len(), usize::from(carried_out));
    });
    futures_util::future::join_all(both).await;
}

#[tokio::test]
async fn an_edit_is_done_when_discord_says_which_message_it_is() {
    let stand = stand().await;
    let first = stand.send(&outgoing(1, HERE, alert("SOL"))).await.unwrap();
    let correction = outgoing(2, HERE, alert("ETH"));
    for body in ["{}", "", "<html>", r#"{"message": "ok"}"#] {
        stand.fake.fault("PATCH /channels/", 1, FaultKind::Answer(200, vec![], body.into()));
        stand.discord.admit(stand.clock.now()).expect("there is a place");
        let error = stand.discord.edit(&correction, &first.platform_id).await;
        assert!(matches!(error, Err(EditError::Failed(SendError::Retry { end: End::Unknown, after: None, .. }))), "{body}: {error:?}");
    }
    stand.discord.admit(stand.clock.now()).expect("there is a place");
    let edited = stand.discord.edit(&correction, &first.platform_id).await.unwrap();
    assert_eq!(edited.platform_id, first.platform_id);
    let here = stand.fake.unread();
    assert!(here.len() == 1 && here[0].edited && here[0].body.to_string().contains("ETH"), "{here:?}");
}

#[tokio::test]
async fn a_message_that_lost_its_embeds_was_not_shown_and_is_taken_away() {
    let stand = stand().await;
    let lacks = |error: &SendError| {
        let SendError::Gone { reason: QuarantineReason::Forbidden, why } = error else { panic!("{error:?}") };
        assert!(why.contains("Embed Links") && why.contains("[DC-50013]"), "{why}");
    };
    let earlier = stand.send(&outgoing(1, HERE, alert("SOL"))).await.unwrap();
    stand.fake.may_embed(HERE, false);
    lacks(&stand.send(&outgoing(2, HERE, alert("ETH"))).await.unwrap_err());
    let asked = stand.fake.requests();
    let (taken, deleted) = (&asked[asked.len() - 2], &asked[asked.len() - 1]);
    assert!(taken == &format!("POST /channels/{HERE}/messages") && deleted.starts_with("DELETE /channels/"), "{asked:?}");
    assert_eq!(stand.fake.unread().len(), 1, "only the one of before");
    stand.fake.refuse("DELETE /channels/", 1, 500, 0);
    lacks(&stand.send(&outgoing(3, HERE, alert("ETH"))).await.unwrap_err());
    assert_eq!(stand.fake.unread().len(), 1, "it could not be taken away, and has told nobody anything all the same");
    stand.discord.admit(stand.clock.now()).expect("there is a place");
    let Err(EditError::Failed(error)) = stand.discord.edit(&outgoing(4, HERE, alert("BTC")), &earlier.platform_id).await else { panic!() };
    lacks(&error);
    assert!(stand.fake.messages().iter().all(|message| message.id != earlier.platform_id));
}

#[tokio::test]
async fn an_answer_without_a_word_of_embeds_says_nothing_of_them() {
    let stand = stand().await;
    for body in [r#"{"id": "5"}"#, r#"{"id": "5", "embeds": null}"#, r#"{"id": "5", "embeds": [], "flags": 4}"#] {
        stand.fake.fault("POST /channels/", 1, FaultKind::Answer(200, vec![], body.into()));
        assert_eq!(stand.send(&outgoing(1, HERE, alert("SOL"))).await.unwrap().platform_id, "5", "{body}");
    }
}

#[tokio::test]
async fn without_a_connection_nothing_was_delivered() {
    let stand = stand().await;
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let settings = bellwether::chat::discord::DiscordSettings {
        api_url: format!("http://{closed}"),
        token: TOKEN.to_owned().into(),
        application_id: 1,
        public_key: None,
    };
    assert!(!format!("{settings:?}").contains(TOKEN));
    let discord = Discord::new(settings, stand.clock.clone());
    let error = discord.send(&outgoing(1, HERE, alert("SOL"))).await.unwrap_err();
    assert!(matches!(error, SendError::Retry { end: End::NotServed, .. }), "{error:?}");
    assert!(!format!("{error:?}").contains(&closed.to_string()), "{error:?}");
}

#[tokio::test]
async fn complete_failures_are_retried_and_refusals_are_told_apart() {
    let stand = stand().await;
    let message = outgoing(1, HERE, alert("SOL"));
    for status in [500, 502, 503, 504] {
        stand.fake.fault("POST /channels/", 1, FaultKind::Answer(status, vec![], "<html>bad gateway".into()));
        let error = stand.send(&message).await;
        assert!(matches!(error, Err(SendError::Retry { end: End::NotServed, scope: Scope::Destination, .. })), "{status}: {error:?}");
    }
    for (status, code, reason) in [
        (404, 10003, QuarantineReason::Deleted),
        (403, 50001, QuarantineReason::Forbidden),
        (403, 50013, QuarantineReason::Forbidden),
        (403, 50278, QuarantineReason::Blocked),
        (400, 50008, QuarantineReason::WrongKind),
        (403, 160_005, QuarantineReason::Closed),
    ] {
        stand.fake.refuse("POST /channels/", 1, status, code);
        let error = stand.send(&message).await;
        assert!(matches!(&error, Err(SendError::Gone { reason: found, .. }) if *found == reason), "{code}: {error:?}");
    }
    stand.fake.refuse("POST /channels/", 1, 400, 50035);
    assert!(matches!(stand.send(&message).await, Err(SendError::Rejected { .. })));
    for (status, code) in [(401, 0), (401, 50014), (403, 40001), (403, 40333)] {
        stand.fake.refuse("POST /channels/", 1, status, code);
        assert!(matches!(stand.send(&message).await, Err(SendError::Unauthorized { .. })), "{code}");
    }
    assert!(matches!(stand.send(&outgoing(1, "nonsense", alert("SOL"))).await, Err(SendError::Rejected { .. })));
}

#[tokio::test]
async fn refusals_by_the_thousand_blow_the_fuse_before_discord_bans_the_address() {
    let stand = stand().await;
    stand.fake.refuse("POST /channels/", 5_000, 403, 50013);
    let mut sent = 0;
    while stand.discord.admit(stand.clock.now()).is_ok() {
        let error = stand.discord.send(&outgoing(1, HERE, alert("SOL"))).await;
        assert!(matches!(error, Err(SendError::Gone { .. })));
        sent += 1;
        stand.clock.advance(Duration::from_millis(21));
    }
    assert_eq!(sent, 5_000);
    stand.clock.advance(Duration::from_secs(600));
    stand.send(&outgoing(1, HERE, alert("SOL"))).await.unwrap();
    assert_eq!(stand.fake.unread().len(), 1);
}

#[tokio::test]
async fn the_fake_is_as_strict_as_discord() {
    let stand = stand().await;
    let post = |path: &str, agent: &str| {
        let request = reqwest::Client::new().post(format!("{}{path}", stand.fake.url)).header("user-agent", agent);
        request.header("authorization", format!("Bot {TOKEN}")).json(&json!({"content": "hello"})).send()
    };
    let path = format!("/channels/{HERE}/messages");
    assert_eq!(post(&format!("/api/v10{path}"), "DiscordBot (https://example.com, 1)").await.unwrap().status(), 400);
    assert_eq!(stand.fake.take_complaints().len(), 1, "no allowed_mentions, no nonce");
    post(&path, "curl/8").await.unwrap();
    let complaints = stand.fake.take_complaints().join("\n");
    assert!(complaints.contains("lacks the version") && complaints.contains("User-Agent"), "{complaints}");
}

#[tokio::test]
async fn an_archived_thread_is_opened_once() {
    let stand = stand().await;
    stand.fake.channel("55", json!({"type": 11, "thread_metadata": {"archived": true}}));
    stand.send(&outgoing(1, "55", alert("SOL"))).await.unwrap();
    assert_eq!(stand.fake.unread().len(), 1);
    assert_eq!(stand.fake.requests(), ["POST /channels/55/messages", "PATCH /channels/55", "POST /channels/55/messages"]);
    stand.fake.channel("56", json!({"type": 11, "thread_metadata": {"archived": true}}));
    stand.fake.refuse("PATCH /channels/56", 1, 403, 50013);
    let error = stand.send(&outgoing(2, "56", alert("SOL"))).await;
    assert!(matches!(error, Err(SendError::Gone { reason: QuarantineReason::Closed, .. })), "{error:?}");
}

#[tokio::test]
async fn a_channel_rests_when_its_bucket_is_empty_and_others_go_on() {
    let stand = stand().await;
    stand.fake.channel("4242", json!({}));
    for id in 1..=4 {
        assert_eq!(stand.send(&outgoing(id, HERE, alert("SOL"))).await.unwrap().rest_until, None);
    }
    let until = stand.clock.now() + Duration::from_secs(5);
    assert_eq!(stand.send(&outgoing(5, HERE, alert("SOL"))).await.unwrap().rest_until, Some(until));
    let before = stand.fake.requests().len();
    let error = stand.send(&outgoing(6, HERE, alert("SOL"))).await;
    assert!(matches!(error, Err(SendError::Retry { after: Some(after), scope: Scope::Destination, .. }) if after.as_secs() == 5));
    assert_eq!(stand.fake.requests().len(), before, "Discord is not asked in vain");
    stand.send(&outgoing(7, "4242", alert("SOL"))).await.unwrap();
    stand.clock.advance(Duration::from_secs(5));
    stand.send(&outgoing(6, HERE, alert("SOL"))).await.unwrap();
    assert_eq!(stand.fake.unread().len(), 7);
}

#[tokio::test]
async fn each_scope_of_429_holds_the_right_one() {
    let stand = stand().await;
    let limited = |scope: &'static str, after: &str| {
        let body = json!({"message": "m", "retry_after": after.parse::<f64>().unwrap(), "global": scope == "global"}).to_string();
        FaultKind::Answer(429, vec![("x-ratelimit-scope", scope.into()), ("retry-after", "1".into())], body)
    };
    for scope in ["user", "shared"] {
        stand.fake.fault("POST /channels/", 1, limited(scope, "1336.57"));
        let error = stand.send(&outgoing(1, HERE, alert("SOL"))).await.unwrap_err();
        let SendError::Retry { after: Some(after), scope: Scope::Destination, end: End::NotDelivered, .. } = error else {
            panic!("{error:?}")
        };
        assert_eq!(after, Duration::from_millis(1_336_570));
        assert_eq!(stand.discord.admit(stand.clock.now()), Ok(()), "others go on");
    }
    stand.fake.fault("POST /channels/", 1, limited("global", "1.2"));
    let error = stand.send(&outgoing(1, HERE, alert("SOL"))).await.unwrap_err();
    assert!(matches!(error, SendError::Retry { scope: Scope::Platform, .. }), "{error:?}");
    let until = stand.clock.now() + Duration::from_millis(1_200);
    assert_eq!(stand.discord.admit(stand.clock.now()), Err(until));
    stand.clock.set(until);
    // A block by Cloudflare: HTML, no headers.
    stand.fake.fault("POST /channels/", 1, FaultKind::Answer(429, vec![], "<html>error 1015".into()));
    let error = stand.send(&outgoing(1, HERE, alert("SOL"))).await.unwrap_err();
    assert!(matches!(error, SendError::Retry { scope: Scope::Platform, after: Some(_), .. }), "{error:?}");
    assert_eq!(stand.discord.admit(stand.clock.now()), Err(until + Duration::from_secs(60)));
}
