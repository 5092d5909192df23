//! Answers to interactions: their JSON, and how a late one replaces "thinking…". Interaction tokens live in memory only (`rules.md` 5.8).

use super::{
    client::{Discord, Inner, Opening},
    errors, render,
    transport::{Answer, Ask, NoAnswer},
};
use crate::{
    clock::SharedClock,
    commands::{Choice, Desk, FollowUp, Reply},
    domain::{
        Mention, Timestamp,
        wording::{Card, CardFile, Phrase, ReplyPhrase, Tone},
    },
    http::quoted,
};
use secrecy::SecretString;
use serde_json::{Value, json};
use std::time::Duration;

/// Only the invoker sees it.
const EPHEMERAL: u32 = 64;
/// No more than one retry a second, none after 14 minutes (`rules.md` 5.8); Discord takes the token for 15.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
const LAST_TRY: Duration = Duration::from_secs(14 * 60);
const FIRST_TRIES: u32 = 2;
const AGAIN_WITHIN: Duration = Duration::from_millis(700);
/// "Thinking…" may reach Discord's store a little after our answer; beyond this many 404s it was never there (nobody waited for it).
const MOST_UNKNOWN: u32 = 5;
/// Discord takes at most 25 choices of at most 100 characters.
const CHOICES: usize = 25;
const CHOICE_LENGTH: usize = 100;

/// The answer to a PING.
pub(super) fn pong() -> Value {
    json!({ "type": 1 })
}

/// "Thinking…", for the invoker alone.
pub(super) fn deferred() -> Value {
    json!({ "type": 5, "data": { "flags": EPHEMERAL } })
}

/// Suggestions; those that Discord would refuse are left out.
pub(super) fn choices(choices: &[Choice]) -> Value {
    let fits = |text: &str| (1..=CHOICE_LENGTH).contains(&text.chars().count());
    let choices: Vec<Value> = choices
        .iter()
        .filter(|choice| fits(&choice.name) && fits(&choice.value))
        .take(CHOICES)
        .map(|choice| json!({ "name": choice.name, "value": choice.value }))
        .collect();
    json!({ "type": 8, "data": { "choices": choices } })
}

/// A card at once, for the invoker alone.
pub(super) fn inline(card: &Card) -> Value {
    let mut data = content(card);
    data["flags"] = json!(EPHEMERAL);
    json!({ "type": 4, "data": data })
}

/// The polite answer to what cannot be read.
pub(super) fn not_understood(id: &str) -> Value {
    let reference = crate::domain::clean_name(id);
    inline(&Card::new(Tone::Problem, Phrase::Reply(ReplyPhrase::NotUnderstood { reference })))
}

/// The answer where our own work broke; the operator finds it by the interaction's id.
pub(super) fn apology(id: &str) -> Card {
    let reference = crate::domain::clean_name(id);
    Card::new(Tone::Problem, Phrase::Reply(ReplyPhrase::Apology { reference }))
}

fn content(card: &Card) -> Value {
    let (_, allowed) = render::mentions(&Mention::default());
    json!({ "embeds": [render::embed(card)], "components": render::components(card), "allowed_mentions": allowed })
}

/// The same with the file that goes with it named.
fn with_attachments(card: &Card) -> Value {
    let mut body = content(card);
    if card.file.is_some() {
        body["attachments"] = render::attachments(card);
    }
    body
}

/// Carries out what an answer asks of the adapter, and adds to the card what came of it (`rules.md` 5.7).
pub(super) async fn follow_up(discord: &Discord, desk: &Desk, reply: Reply) -> Card {
    let Reply { card, follow_up } = reply;
    let Some(FollowUp::OpenDirectMessages { destination, user }) = follow_up else { return card };
    let opening = discord.open_direct_messages(&user).await;
    let card = after_opening(card, &opening);
    match opening {
        Opening::Opened(channel) => desk.direct_messages_opened(destination, Ok(channel)).await,
        Opening::Refused(reason) => desk.direct_messages_opened(destination, Err(reason)).await,
        Opening::Later => {}
    }
    card
}

/// Where alerts cannot reach the invoker, the card says so and how to fix it: first, so that it is read and never cut.
fn after_opening(mut card: Card, opening: &Opening) -> Card {
    if matches!(opening, Opening::Refused(_)) {
        card.tone = Tone::Problem;
        card.lines.insert(0, Phrase::Reply(ReplyPhrase::DirectMessagesClosed));
        card.lines.insert(1, Phrase::Reply(ReplyPhrase::DirectMessagesHowTo));
    }
    card
}

/// Gives the first answer to what came over the Gateway. Discord waits 3 s for it in all: a failure that came at once leaves time for a
/// second try, no more.
pub(super) async fn call_back(discord: &Discord, id: &str, token: &SecretString, answer: &Value) {
    let began = tokio::time::Instant::now();
    for tries_left in (0..FIRST_TRIES).rev() {
        let (again, why) = match discord.0.ask(Ask::FirstAnswer { id, token }, Some(answer), "callback", id).await {
            Ok((answer, _)) if answer.is_success() => return,
            Ok((answer, _)) => (answer.status == 429 || answer.status >= 500, answer.words()),
            Err(NoAnswer::NotSent(why)) => (true, why),
            // It may have arrived: the second try is then refused, which harms nobody.
            Err(NoAnswer::Unknown(why)) => (true, why),
        };
        let again = again && tries_left > 0 && began.elapsed() < AGAIN_WITHIN;
        tracing::warn!(interaction = %quoted(id), why, again, "the first answer to a command was not taken; what was asked is done");
        if !again {
            return;
        }
    }
}

/// What became of one try to replace "thinking…".
enum Try {
    Done,
    Again(Duration),
    /// Discord says when.
    Limited(Duration),
    /// Discord does not know of "thinking…".
    Unknown,
    Never,
}

/// Replaces "thinking…" by the card and the file that goes with it. Effects are committed by now: when it fails for good only the answer is lost, with a log line.
///
/// A picture goes with the first try alone: it may be what made it fail, and what it shows the card says too.
pub(super) async fn replace(discord: &Discord, id: &str, token: &SecretString, mut card: Card, received: Timestamp) {
    let clock: &SharedClock = &discord.0.clock;
    let mut pause = FIRST_PAUSE;
    let mut waited = Duration::ZERO;
    let mut unknown = 0;
    loop {
        let tried = discord.0.try_replace(id, token, &with_attachments(&card), card.file.as_ref()).await;
        let has_picture = card.picture().is_some();
        if matches!(tried, Try::Again(_) | Try::Never) {
            card = card.without_picture();
        }
        let wait = match tried {
            Try::Done => return,
            Try::Never if has_picture => pause,
            Try::Never => return,
            Try::Again(wait) | Try::Limited(wait) => wait.max(pause),
            Try::Unknown if unknown == MOST_UNKNOWN => {
                tracing::warn!(
                    interaction = id,
                    "Discord does not know of a command any more, and nobody sees its answer; what was asked is done"
                );
                return;
            }
            Try::Unknown => {
                unknown += 1;
                pause
            }
        };
        waited += wait;
        if (clock.now() + wait).since(received) > LAST_TRY || waited > LAST_TRY {
            tracing::warn!(interaction = id, "an answer could not be delivered within 14 minutes; what was asked is done");
            return;
        }
        clock.sleep(wait).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

impl Inner {
    async fn try_replace(&self, id: &str, token: &SecretString, body: &Value, file: Option<&CardFile>) -> Try {
        let answer = match self.ask(Ask::OriginalAnswer { token, file }, Some(body), "answer", id).await {
            Ok((answer, _)) => answer,
            Err(NoAnswer::NotSent(why) | NoAnswer::Unknown(why)) => {
                tracing::warn!(interaction = id, why, "an answer could not be delivered yet");
                return Try::Again(FIRST_PAUSE);
            }
        };
        match answer.status {
            // What says of no message that it was edited does not come from Discord.
            200..=299 if names_message(&answer) => return Try::Done,
            200..=299 => {
                tracing::warn!(interaction = id, "who took an answer does not name its message: it is given once more");
                return Try::Again(FIRST_PAUSE);
            }
            404 => {
                tracing::warn!(interaction = id, why = errors::explain(&answer), "Discord does not know of the command that is answered");
                return Try::Unknown;
            }
            408 | 429 | 500..=599 => {}
            _ => {
                tracing::error!(interaction = id, why = errors::explain(&answer), "an answer is refused");
                return Try::Never;
            }
        }
        tracing::warn!(interaction = id, why = errors::explain(&answer), "an answer could not be delivered yet");
        let wait = answer.wait().unwrap_or(FIRST_PAUSE);
        if answer.status == 429 { Try::Limited(wait) } else { Try::Again(wait) }
    }
}

fn names_message(answer: &Answer) -> bool {
    serde_json::from_slice::<Value>(&answer.body).is_ok_and(|message| message["id"].is_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{chat::discord::DiscordSettings, clock::SystemClock, domain::UserId};
    use axum::{Json, Router, http::StatusCode, routing::post};
    use std::sync::Arc;

    /// What a person reads after `/subscribe` when Discord answers the opening of their direct messages like this.
    async fn told(status: u16, answer: Value) -> String {
        let status = StatusCode::from_u16(status).unwrap();
        let routes = Router::new().route("/api/v10/users/@me/channels", post(move || async move { (status, Json(answer)) }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let api_url = format!("http://{}", listener.local_addr().unwrap());
        #[expect(clippy::disallowed_methods, reason = "a test's server ends with its runtime")]
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let settings = DiscordSettings { api_url, token: "t".to_owned().into(), application_id: 5, public_key: None };
        let discord = Discord::new(settings, Arc::new(SystemClock));
        let card = Card::new(Tone::Success, Phrase::Reply(ReplyPhrase::NotAdvice));
        let opening = discord.open_direct_messages(&UserId("30".into())).await;
        after_opening(card, &opening).plain()
    }

    #[tokio::test]
    async fn closed_direct_messages_are_said_at_once_with_the_way_out() {
        for code in [50007, 50278, 20009] {
            let told = told(403, json!({"code": code, "message": "no"})).await;
            assert!(told.contains("Alerts cannot reach you yet") && told.contains("allow direct messages"), "{told}");
        }
        for (status, answer) in [(200, json!({"id": "77"})), (400, json!({"code": 40003})), (500, json!({}))] {
            assert_eq!(told(status, answer).await, "Automated data, not investment advice.");
        }
    }

    #[test]
    fn only_choices_that_discord_takes_are_suggested() {
        let choice = |name: &str| Choice { name: name.into(), value: name.into() };
        let mut all = vec![choice(""), choice(&"x".repeat(101)), choice(&"ß".repeat(100))];
        all.extend((0..40).map(|index| choice(&index.to_string())));
        let value = choices(&all);
        let taken = value["data"]["choices"].as_array().unwrap();
        assert_eq!(taken.len(), 25);
        assert_eq!(taken[0]["name"].as_str().unwrap().chars().count(), 100);
    }

    #[test]
    fn an_answer_is_for_the_invoker_alone_and_pings_nobody() {
        let value = not_understood("12`3");
        assert_eq!((&value["type"], &value["data"]["flags"]), (&json!(4), &json!(64)));
        assert_eq!(value["data"]["allowed_mentions"]["parse"], json!([]));
        assert!(value["data"].get("content").is_none());
    }
}
