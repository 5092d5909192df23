//! Carries out one interaction that certainly comes from Discord, whichever way it came (`rules.md` 6.1): when the answer is given, and
//! what is said where there is nothing to carry out.

use super::{
    answer,
    client::Discord,
    convert, facts,
    payload::{Interaction, PressData},
    turns::{Turn, Turns},
};
use crate::{
    commands::Desk,
    domain::{Timestamp, wording::Card},
    http::quoted,
};
use futures_util::{FutureExt as _, future::BoxFuture};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use std::{panic::AssertUnwindSafe, time::Duration};
use tokio::{sync::oneshot, time::timeout};
use tokio_util::task::TaskTracker;

/// An answer that takes longer is deferred; Discord waits 3 s in all.
const INLINE_TIME: Duration = Duration::from_millis(2_000);

/// An interaction as it came: an object of a known type, for this application.
pub(super) struct Received {
    kind: u64,
    id: String,
    object: Map<String, Value>,
    at: Timestamp,
    /// Of what changes something: its place behind whatever the same person asked for before.
    turn: Option<Turn>,
}

impl Received {
    pub(super) fn id(&self) -> &str {
        &self.id
    }
}

/// Answers interactions. Cheap to clone.
#[derive(Clone)]
pub(super) struct Interactions {
    discord: Discord,
    desk: Desk,
    tasks: TaskTracker,
    turns: Turns,
}

impl Interactions {
    /// Work that goes on after an answer is tracked in `tasks`.
    pub(super) fn new(discord: Discord, desk: Desk, tasks: TaskTracker) -> Self {
        Self { discord, desk, tasks, turns: Turns::default() }
    }

    /// Takes one in, in the order in which they come; `None` where it is not an object, of an unknown type, or for another application.
    pub(super) fn receive(&self, body: Value, at: Timestamp) -> Option<Received> {
        let Value::Object(object) = body else { return None };
        let kind = object.get("type")?.as_u64().filter(|kind| (1..=5).contains(kind))?;
        let own = self.discord.0.application.get().to_string();
        if object.get("application_id").is_some_and(|id| id.as_str() != Some(&own)) {
            return None;
        }
        let id = object.get("id").and_then(Value::as_str).unwrap_or("without an id").to_owned();
        let turn = person(&object).filter(|_| matches!(kind, 2 | 3)).map(|person| self.turns.line_up(person));
        Some(Received { kind, id, object, at, turn })
    }

    /// What Discord is answered, well inside its 3 s.
    pub(super) async fn answer(&self, received: Received) -> Value {
        match received.kind {
            1 => answer::pong(),
            2 => self.command(received).await,
            3 => self.press(received).await,
            4 => self.complete(received).await,
            // No answer of ours opens a form.
            _ => unreadable(&received.id, received.kind, "no form of ours"),
        }
    }

    async fn complete(&self, Received { id, object, .. }: Received) -> Value {
        let completion = match interaction(object).and_then(|i| convert::completion(&i).map_err(|why| why.to_string())) {
            Ok(completion) => completion,
            Err(why) => return unreadable(&id, 4, &why),
        };
        let Ok(choices) = timeout(INLINE_TIME, self.desk.complete(&completion)).await else {
            tracing::warn!(interaction = id, "suggestions took too long and are left out");
            return answer::choices(&[]);
        };
        answer::choices(&choices)
    }

    async fn command(&self, Received { id, object, at, turn, .. }: Received) -> Value {
        let read = interaction(object).and_then(|i| convert::typed(&i).map(|typed| (i, typed)).map_err(|why| why.to_string()));
        let (interaction, typed) = match read {
            Ok(read) => read,
            Err(why) => return unreadable(&id, 2, &why),
        };
        self.carry_out(interaction, at, turn, |discord, desk, interaction| ask(discord, desk, interaction, typed).boxed()).await
    }

    /// A button stands for a command, and is authorised like one each time.
    async fn press(&self, Received { id, object, at, turn, .. }: Received) -> Value {
        let read = interaction::<PressData>(object).and_then(|i| {
            let (custom_id, interaction) = i.pressed();
            convert::pressed(&custom_id, &interaction).map(|pressed| (interaction, pressed)).map_err(|why| why.to_string())
        });
        let (interaction, pressed) = match read {
            Ok(read) => read,
            Err(why) => return unreadable(&id, 3, &why),
        };
        self.carry_out(interaction, at, turn, |discord, desk, interaction| {
            let work = async move {
                match desk.pressed(&pressed.press, &pressed.at).await {
                    Ok(command) => ask(discord, desk, interaction, pressed.stands_for(command.invocation)).await,
                    Err(reply) => reply.card,
                }
            };
            work.boxed()
        })
        .await
    }

    /// Carries something out in a task of its own, so that a client that hangs up stops nothing; waits a little for its answer.
    async fn carry_out<W>(&self, interaction: Interaction, at: Timestamp, turn: Option<Turn>, work: W) -> Value
    where
        W: for<'a> FnOnce(&'a Discord, &'a Desk, &'a Interaction) -> BoxFuture<'a, Card> + Send + 'static,
    {
        let (give, mut take) = oneshot::channel::<Card>();
        let Self { discord, desk, .. } = self.clone();
        self.tasks.spawn(async move {
            if let Some(turn) = &turn {
                turn.comes().await;
            }
            // Whoever asked would see "thinking…" for ever.
            let card = AssertUnwindSafe(work(&discord, &desk, &interaction)).catch_unwind().await.unwrap_or_else(|_| {
                tracing::error!(interaction = %quoted(&interaction.id), "an interaction broke its handler");
                answer::apology(&interaction.id)
            });
            drop(turn);
            // A file cannot stand in a first answer: "thinking…" goes before it.
            let unsent = if card.file.is_some() {
                drop(give);
                Some(card)
            } else {
                give.send(card).err()
            };
            if let Some(card) = unsent {
                answer::replace(&discord, &interaction.id, &interaction.token, card, at).await;
            }
        });
        match timeout(INLINE_TIME, &mut take).await {
            Ok(Ok(card)) => answer::inline(&card),
            Ok(Err(_)) => answer::deferred(),
            Err(_) => {
                // From here on the task replaces "thinking…", unless it was faster by a hair.
                take.close();
                take.try_recv().map_or_else(|_| answer::deferred(), |card| answer::inline(&card))
            }
        }
    }
}

/// What is typed goes to the desk with its facts; what the answer asks of us is done.
async fn ask(discord: &Discord, desk: &Desk, interaction: &Interaction, typed: convert::Typed) -> Card {
    let request = facts::request(discord, interaction, typed).await;
    let reply = desk.answer(&request).await;
    answer::follow_up(discord, desk, reply).await
}

/// Who asks: in a server a member, elsewhere a user.
fn person(object: &Map<String, Value>) -> Option<&str> {
    object.get("member").and_then(|member| member.get("user")).or_else(|| object.get("user"))?.get("id")?.as_str()
}

fn interaction<D: DeserializeOwned>(object: Map<String, Value>) -> Result<Interaction<D>, String> {
    serde_json::from_value(Value::Object(object)).map_err(|error| error.to_string())
}

/// The polite answer to types 2 to 5 that cannot be read; the operator finds it by its id.
fn unreadable(id: &str, kind: u64, why: &str) -> Value {
    tracing::error!(interaction = %quoted(id), kind, why = %quoted(why), "an interaction cannot be read");
    if kind == 4 { answer::choices(&[]) } else { answer::not_understood(id) }
}
