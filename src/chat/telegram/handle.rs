//! What one update leads to: the facts that only Telegram knows, the desk's answer, and that answer's way into the outbox.

use super::{
    Me, Updates, UpdatesError,
    convert::{self, Intake, Said, Speaker},
    flood::{self, Verdict},
    wire::Update,
};
use crate::{
    commands::{Actor, Answer, Command, Invocation, Presence, Request, Standing, Venue, words},
    domain::{
        Address, Place, Platform, Timestamp,
        wording::{Card, HintPhrase, Phrase, Tone},
    },
};
use std::{sync::PoisonError, time::Duration};

impl Updates {
    /// Carries out one stored update and settles it.
    pub(super) async fn handle(&self, id: i64, update: &Update) -> Result<(), UpdatesError> {
        let me = self.telegram.me_once().await?;
        let answer = match convert::intake(update, &me.username) {
            Intake::Command(said) => self.command(id, &said, me).await.map(|card| answer(said, card)),
            Intake::Talk(said) => self.talk(&said).map(|card| answer(said, card)),
            Intake::Presence { news, chat, at } => {
                if self.is_news(chat, at, true) {
                    self.desk.presence(&news).await;
                }
                None
            }
            Intake::Nothing => None,
        };
        self.arrivals.inbox.finish(id, answer, self.clock.now()).await?;
        Ok(())
    }

    /// Order between the bot's own place and messages is not guaranteed: what is older than the last news of the place is no news.
    fn is_news(&self, chat: i64, at: Timestamp, is_place: bool) -> bool {
        let mut placed = self.placed.lock().unwrap_or_else(PoisonError::into_inner);
        if placed.get(&chat).is_some_and(|known| *known > at) {
            return false;
        }
        if is_place {
            // Updates are a day old at most: what is older than two cannot be overtaken any more.
            placed.retain(|_, known| *known + Duration::from_secs(48 * 3600) > at);
            placed.insert(chat, at);
        }
        true
    }

    /// Text in private that is no command: a hint.
    fn talk(&self, said: &Said) -> Option<Card> {
        match self.take(said) {
            Verdict::Welcome => Some(hint(Tone::Neutral, HintPhrase::Talk)),
            Verdict::Refuse | Verdict::Silence => None,
        }
    }

    fn take(&self, said: &Said) -> Verdict {
        self.flood.lock().unwrap_or_else(PoisonError::into_inner).take(&said.user(), said.at)
    }

    async fn command(&self, id: i64, said: &Said, me: &Me) -> Option<Card> {
        let is_group = matches!(said.venue, Venue::Group { .. });
        if is_group && said.command.is_none() {
            return None;
        }
        match self.take(said) {
            Verdict::Welcome => {}
            Verdict::Refuse => {
                let seconds = flood::WINDOW.as_secs();
                return Some(hint(Tone::Problem, HintPhrase::SlowDown { commands: flood::COMMANDS, seconds }));
            }
            Verdict::Silence => return None,
        }
        if self.is_news(said.chat, said.at, false) {
            let chat = Address::new(Platform::Telegram, said.chat.to_string());
            self.desk.presence(&Presence::Back { chat }).await;
        }
        Some(if is_group { self.in_group(id, said, me).await } else { self.in_private(id, said).await })
    }

    async fn in_private(&self, id: i64, said: &Said) -> Card {
        match said.command {
            Some(command) => self.ask_desk(id, said, Standing::Member, command, &said.rest).await,
            None => self.ask_desk(id, said, Standing::Member, Command::Help, "").await,
        }
    }

    /// A group's alerts are its administrators' business; everybody may read about tokens (`rules.md` 5.9).
    async fn in_group(&self, id: i64, said: &Said, me: &Me) -> Card {
        let elsewhere = || hint(Tone::Neutral, HintPhrase::UsePrivateChat { link: format!("https://t.me/{}", me.username) });
        let Some(command) = said.command else { return elsewhere() };
        let may_be_cached = match command {
            Command::Signal | Command::History | Command::Status | Command::Help => {
                return self.ask_desk(id, said, Standing::Member, command, &said.rest).await;
            }
            Command::Privacy => return elsewhere(),
            Command::Subscriptions => true,
            _ => false,
        };
        let standing = match said.speaker {
            Speaker::AnonymousAdmin => Standing::Admin,
            Speaker::Channel(_) => Standing::Member,
            Speaker::Person(user) => self.admins.standing(&self.telegram, said.chat, user, may_be_cached).await,
        };
        match standing {
            Standing::Member => elsewhere(),
            Standing::Admin | Standing::Unknown => self.ask_desk(id, said, standing, command, &said.rest).await,
        }
    }

    async fn ask_desk(&self, id: i64, said: &Said, standing: Standing, command: Command, rest: &str) -> Card {
        let request = Request {
            // After a crash between the effect and the answer the update is carried out again: what was done is not done twice.
            key: Some(format!("update:{id}")),
            actor: Actor { user: said.user(), standing },
            venue: said.venue.clone(),
            invocation: Invocation { command, options: words::parse(command, rest) },
            channel: None,
            role: None,
        };
        self.desk.answer(&request).await.card
    }
}

fn hint(tone: Tone, phrase: HintPhrase) -> Card {
    Card::new(tone, Phrase::Hint(phrase))
}

fn answer(said: Said, card: Card) -> Answer {
    let asked_by = said.user();
    match said.venue {
        Venue::Group { address, label } => {
            Answer { to: address, place: Place::Group, tenant: Some(said.chat.to_string()), label: Some(label), asked_by, card }
        }
        _ => {
            let to = Address::new(Platform::Telegram, said.chat.to_string());
            Answer { to, place: Place::Person, tenant: None, label: None, asked_by, card }
        }
    }
}
