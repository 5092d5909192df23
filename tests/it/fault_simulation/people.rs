//! People: what they want to hear, and what they say to the bot.

use super::{
    agenda::{Event, Typed},
    life::Life,
    places,
    process::Works,
    stepping::rest,
};
use crate::support::{
    fake_discord::{
        HERE, Message, direct_channel,
        interaction::{self, ADMIN, MEMBER, slash, subcommand},
    },
    fake_telegram::Sent,
};
use bellwether::{
    clock::{Clock, ManualClock},
    domain::Timestamp,
};
use serde_json::{Value, json};
use std::{sync::Arc, time::Duration};

const SECOND: Duration = Duration::from_secs(1);

/// Somebody wants to hear of a token, from when until when by the product's clock, and what they could know of it when that began.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) place: String,
    pub(super) token: i64,
    pub(super) since: Timestamp,
    pub(super) until: Option<Timestamp>,
    pub(super) base: bool,
}

/// A button that somebody pressed on Telegram.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pressed {
    pub(super) person: i64,
    pub(super) chat: i64,
    pub(super) label: &'static str,
    /// Its number among all presses.
    pub(super) number: usize,
}

impl Life {
    /// Takes note of who wants what now.
    pub(super) fn look_at_wishes(&mut self) {
        let sql = "SELECT d.platform || '|' || d.chat || '|' || d.topic || '|' || s.target || '|' || s.created_at || '|' ||
            COALESCE((SELECT stance FROM token_states t WHERE t.kind = s.kind AND CAST(t.token_id AS TEXT) = s.target), '')
            FROM subscriptions s JOIN destinations d ON d.id = s.destination_id";
        let (now, jumped_at) = (self.clock.now(), self.jumped_at);
        let rows = self.disk.texts(sql);
        let read = |row: &String| {
            let cells: Vec<_> = row.split('|').collect();
            let (place, token) = (places::place(cells[0], cells[1], Some(cells[2])), cells[3].parse().unwrap());
            Wish { place, token, since: Timestamp::from_millis(cells[4].parse().unwrap()), until: None, base: cells[5] == "bullish" }
        };
        let there: Vec<Wish> = rows.iter().map(read).collect();
        let same = |a: &Wish, b: &Wish| a.place == b.place && a.token == b.token;
        for wish in self.wishes.iter_mut().filter(|wish| wish.until.is_none()) {
            if !there.iter().any(|other| same(wish, other) && other.since == wish.since) {
                // What was wanted before the clock was set back was wanted then.
                wish.until = Some(now.max(jumped_at));
            }
        }
        for wish in there {
            if !self.wishes.iter().any(|other| same(&wish, other) && other.until.is_none()) {
                self.wishes.push(wish);
            }
        }
    }

    /// Since when a place wanted to hear of a token at this time, if it did.
    pub(super) fn wish(&self, place: &str, token: i64, at: Timestamp) -> Option<Timestamp> {
        let of = self.wishes.iter().filter(|wish| wish.place == place && wish.token == token && wish.since <= at);
        of.filter(|wish| wish.until.is_none_or(|until| at <= until)).map(|wish| wish.since).max()
    }

    /// Who wants what in the end: since when, and what they could know of it then.
    pub(super) fn wishes_now(&self) -> Vec<(String, i64, Timestamp, bool)> {
        let open = self.wishes.iter().filter(|wish| wish.until.is_none());
        open.map(|wish| (wish.place.clone(), wish.token, wish.since, wish.base)).collect()
    }

    pub(super) fn say(&mut self, person: i64, chat: i64, topic: Option<i64>, words: String, again: bool) {
        let (chat, now) = (self.called_now(chat), self.time.now());
        // Chats that are open together would be carried out beside each other, in an order of chance.
        if self.open.is_some_and(|(open, _)| open != chat) {
            self.postpone(Event::Says { person, chat, topic, words, again });
            return;
        }
        let is_out = self.fakes.telegram.with(|world| world.chats[&chat].without_bot);
        if is_out && chat < 0 {
            return;
        }
        let update = self.fakes.telegram.with(|world| {
            world.chats.get_mut(&chat).unwrap().without_bot = false;
            let id = match topic {
                Some(topic) => world.say_in_topic(chat, topic, person, &words),
                None => world.say(chat, person, &words),
            };
            if again {
                world.redeliver(id);
            }
            id
        });
        self.commands.push((chat, update, words));
        self.open = Some((chat, now));
    }

    /// A button below an alert of so long ago is pressed, if there is one; twice, or once and the update comes twice.
    pub(super) fn press_on_telegram(&mut self, by: (i64, i64), label: &'static str, back: usize, again: bool) {
        let (person, chat, now) = (by.0, self.called_now(by.1), self.time.now());
        if self.open.is_some_and(|(open, _)| open != chat) {
            self.postpone(Event::Presses { by: Some(by), label, back, again });
            return;
        }
        let twice = again && self.chance(2);
        let presses = self.fakes.telegram.with(|world| {
            let shows = |sent: &&Sent| sent.chat == chat && sent.buttons.iter().any(|(says, _)| says == label);
            let alerts: Vec<_> = world.sent.iter().rev().filter(shows).filter(|_| !world.chats[&chat].without_bot).collect();
            let alert = alerts.get(back % alerts.len().max(1)).map(|alert| (*alert).clone());
            let before = world.presses.len();
            if let Some(alert) = alert {
                let update = world.press(person, &alert, label);
                if twice {
                    world.press(person, &alert, label);
                } else if again {
                    world.redeliver(update);
                }
            }
            before..world.presses.len()
        });
        if !presses.is_empty() {
            self.presses.extend(presses.map(|number| Pressed { person, chat, label, number }));
            self.open = Some((chat, now));
        }
    }

    pub(super) fn press_on_discord(&mut self, label: &'static str, back: usize, again: bool) {
        let (here, private) = (HERE.to_owned(), direct_channel(MEMBER));
        let shows =
            |alert: &Message| (alert.channel == here || alert.channel == private) && alert.body["components"].to_string().contains(label);
        let alerts: Vec<_> = self.fakes.discord.messages().into_iter().rev().filter(shows).collect();
        let Some(alert) = alerts.get(back % alerts.len().max(1)) else { return };
        self.interactions += 1;
        let id = self.interactions;
        let place =
            if alert.channel == here { interaction::in_server(id, ADMIN, Value::Null) } else { interaction::in_private(id, Value::Null) };
        self.interact(id, interaction::pressed(place, &alert.body, label), again);
    }

    pub(super) fn type_command(&mut self, command: &Typed, again: bool) {
        self.interactions += 1;
        let id = self.interactions;
        let interaction = match command {
            Typed::Channel { subcommand: name, options } => {
                let options: Vec<Value> = options.iter().map(|(name, value)| json!({"name": name, "type": 3, "value": value})).collect();
                interaction::in_server(id, ADMIN, subcommand("channel", name, json!(options)))
            }
            Typed::Direct { name, options } => {
                let options: Vec<_> = options.iter().map(|(name, value)| (*name, value.as_str())).collect();
                interaction::in_private(id, slash(name, &options))
            }
        };
        self.interact(id, interaction, again);
    }

    /// An interaction comes, once or twice.
    fn interact(&mut self, id: u64, interaction: Value, again: bool) {
        let interaction = Box::new(interaction);
        if again {
            self.comes(id, interaction.clone());
        }
        self.comes(id, interaction);
    }

    /// An interaction comes, once the answer before it is given: of two that are under way, which is tried first would be chance.
    pub(super) fn comes(&mut self, id: u64, interaction: Box<Value>) {
        if !self.clock.sleepers().is_empty() {
            self.postpone(Event::Comes { id, interaction });
            return;
        }
        self.came_last = id;
        let clock = Arc::clone(&self.clock);
        let answer = self.drive("door", async |works| Ok(enter(works, &clock, &interaction).await));
        self.sky.note(format!("answered: {}", answer.as_ref().map(|answer| answer["type"].to_string()).unwrap_or_default()));
        self.typed.entry(id).or_default().push(answer);
        self.look_at_wishes();
    }

    /// A group that moved has another number.
    fn called_now(&self, chat: i64) -> i64 {
        if chat == places::GROUP && self.moved { places::SUPERGROUP } else { chat }
    }

    /// It happens a little later.
    fn postpone(&mut self, event: Event) {
        let at = self.time.now() + 120 * SECOND;
        self.agenda.insert((at, u32::MAX - self.rng.u32(0..1_000_000)), event);
    }
}

/// Sends a signed interaction and waits for what it begins, until that ends or sleeps.
async fn enter(works: &Works, clock: &ManualClock, interaction: &Value) -> Value {
    let response = interaction::post(works.door, interaction, clock.now().as_secs()).await;
    assert_eq!(response.status(), 200);
    let answer = response.json().await.unwrap();
    rest(works, clock).await;
    answer
}
