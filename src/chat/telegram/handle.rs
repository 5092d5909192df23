//! What one update leads to: the facts that only Telegram knows, the desk's answer, and that answer's way into the outbox.

use super::{
    Me, Updates, UpdatesError, channel,
    convert::{self, Intake, Promotion, Said, Speaker, Word},
    flood::{self, Verdict},
    press::PRESSED,
    wire::Update,
};
use crate::{
    commands::{
        Actor, Answer, ChannelFacts, Command, DEEP_LINK_VALID, Invocation, Presence, Request, Standing, TakenUp, Venue,
        channel_subcommands, words,
    },
    domain::{
        Address, Place, Platform, Timestamp, UserId,
        wording::{Card, HintPhrase, Phrase, RefusalPhrase, Tone},
    },
};
use std::{sync::PoisonError, time::Duration};

impl Updates {
    /// Carries out one stored update and settles it.
    pub(super) async fn handle(&self, id: i64, update: &Update) -> Result<(), UpdatesError> {
        let me = self.telegram.me_once().await?;
        let answer = match convert::intake(update, &me.username) {
            Intake::Command(said) => self.command(id, &said, me).await?.map(|card| answer(said, card)),
            Intake::Talk(said) => self.talk(&said).map(|card| answer(said, card)),
            Intake::Press(pressed) => return self.press(id, pressed, me).await,
            Intake::Presence { news, chat, at, promotion } => {
                self.telegram.try_pictures_again(chat);
                if self.is_news(chat, at, true) {
                    self.desk.presence(&news).await;
                }
                self.welcome(promotion).await
            }
            Intake::Nothing => None,
        };
        self.arrivals.inbox.finish(id, answer, self.clock.now()).await?;
        Ok(())
    }

    /// How to set up a channel, for whoever let the bot post there and has talked to it before.
    async fn welcome(&self, promotion: Option<Promotion>) -> Option<Answer> {
        let Promotion { by, label, channel } = promotion?;
        let to = Address::new(Platform::Telegram, by.to_string());
        if !self.desk.reaches(&to).await {
            return None;
        }
        let mut card = hint(Tone::Success, HintPhrase::ChannelAdded { label });
        card.lines.push(Phrase::Hint(HintPhrase::ChannelBegin { channel }));
        Some(Answer { to, place: Place::Person, tenant: None, label: None, card })
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
        match self.take(&said.user(), said.at) {
            Verdict::Welcome => Some(hint(Tone::Neutral, HintPhrase::Talk)),
            Verdict::Refuse | Verdict::Silence => None,
        }
    }

    pub(super) fn take(&self, user: &UserId, at: Timestamp) -> Verdict {
        self.flood.lock().unwrap_or_else(PoisonError::into_inner).take(user, at)
    }

    async fn command(&self, id: i64, said: &Said, me: &Me) -> Result<Option<Card>, UpdatesError> {
        let is_group = matches!(said.venue, Venue::Group { .. });
        if is_group && said.word() == Word::Unknown {
            return Ok(None);
        }
        match self.take(&said.user(), said.at) {
            Verdict::Welcome => {}
            Verdict::Refuse => {
                let seconds = flood::WINDOW.as_secs();
                return Ok(Some(hint(Tone::Problem, HintPhrase::SlowDown { commands: flood::COMMANDS, seconds })));
            }
            Verdict::Silence => return Ok(None),
        }
        if self.is_news(said.chat, said.at, false) {
            let chat = Address::new(Platform::Telegram, said.chat.to_string());
            self.desk.presence(&Presence::Back { chat }).await;
        }
        // Nobody tells a bot of what a group's members may do; whoever chooses charts has seen to it.
        if said.word() == Word::Command(Command::Settings) {
            self.telegram.try_pictures_again(said.chat);
        }
        let card = if is_group { self.in_group(id, said, me).await? } else { self.in_private(id, said, me).await? };
        Ok(Some(card))
    }

    async fn in_private(&self, id: i64, said: &Said, me: &Me) -> Result<Card, UpdatesError> {
        let taken_up = match said.word() {
            Word::Start => self.arrivals.inbox.take_up(&said.rest, &said.user(), &key(id), self.clock.now()).await?,
            _ => None,
        };
        Ok(match taken_up {
            None => self.privately(id, said, me).await,
            Some(TakenUp::Yours { command, words }) if command == PRESSED => {
                self.pressed_before(id, &words, said.user(), said.venue.clone()).await
            }
            Some(TakenUp::Yours { command, words }) => self.privately(id, &Said { name: command, rest: words, ..said.clone() }, me).await,
            Some(TakenUp::Used) => instead(HintPhrase::LinkUsed),
            Some(TakenUp::Expired) => instead(HintPhrase::LinkExpired),
            Some(TakenUp::Foreign) => instead(HintPhrase::LinkForeign),
        })
    }

    /// What someone wants for themselves, or for a channel of theirs.
    async fn privately(&self, id: i64, said: &Said, me: &Me) -> Card {
        match (said.word(), &said.speaker) {
            (Word::Command(command), _) => self.ask_desk(id, said, (Standing::Member, None), command, &said.rest).await,
            (Word::Channel, Speaker::Person(user)) => match channel::typed(&said.rest) {
                Some(typed) => {
                    let (standing, facts) = channel::facts(&self.telegram, me, typed.channel, *user).await;
                    self.ask_desk(id, said, (standing, Some(facts)), typed.command, typed.rest).await
                }
                None => channel_how_to(),
            },
            _ => self.ask_desk(id, said, (Standing::Member, None), Command::Help, "").await,
        }
    }

    /// A group's alerts are its administrators' business; everybody may read about tokens (`rules.md` 5.9).
    async fn in_group(&self, id: i64, said: &Said, me: &Me) -> Result<Card, UpdatesError> {
        let command = match said.word() {
            Word::Command(command) => command,
            Word::Start => Command::Help,
            Word::Channel | Word::Unknown => return self.elsewhere(said, me).await,
        };
        let options = words::parse(command, &said.rest);
        let named = |name: &str| options.contains_key(name);
        // Whoever reads an alert may ask how it came.
        let is_of_alert = command == Command::Why && (said.replies_to.is_some() || named("message"));
        let may_be_cached = match command {
            Command::Signal | Command::History | Command::Status | Command::Help => {
                return Ok(self.ask_desk(id, said, (Standing::Member, None), command, &said.rest).await);
            }
            Command::Privacy => return self.elsewhere(said, me).await,
            // Where a token is named besides, it may turn out to be asked about, which is an administrator's business.
            Command::Why if is_of_alert && !named("token") && !named("words") => {
                return Ok(self.ask_desk(id, said, (Standing::Member, None), command, &said.rest).await);
            }
            Command::Subscriptions | Command::Why => true,
            _ => false,
        };
        let standing = match said.speaker {
            Speaker::AnonymousAdmin => Standing::Admin,
            Speaker::Channel(_) => Standing::Member,
            Speaker::Person(user) => self.admins.standing(&self.telegram, said.chat, user, may_be_cached).await,
        };
        match standing {
            // In private there is nothing that they reply to, and a link leads nowhere.
            Standing::Member if !is_of_alert => self.elsewhere(said, me).await,
            standing => Ok(self.ask_desk(id, said, (standing, None), command, &said.rest).await),
        }
    }

    /// Where this belongs: in private, by a link that does there what was typed here, once, for whoever typed it. Nobody knows who writes as
    /// a group or a channel: they get no such link.
    async fn elsewhere(&self, said: &Said, me: &Me) -> Result<Card, UpdatesError> {
        let bot = format!("https://t.me/{}", me.username);
        let payload = match said.speaker {
            Speaker::Person(_) => self.arrivals.inbox.keep_for(&said.user(), &said.name, &said.rest, self.clock.now()).await?,
            Speaker::AnonymousAdmin | Speaker::Channel(_) => None,
        };
        let Some(payload) = payload else { return Ok(hint(Tone::Neutral, HintPhrase::UsePrivateChat { link: bot })) };
        let mut card = hint(Tone::Neutral, HintPhrase::PrivateMatter);
        let (link, minutes) = (format!("{bot}?start={payload}"), DEEP_LINK_VALID.as_secs() / 60);
        card.lines.push(Phrase::Hint(HintPhrase::ContinuePrivately { link, minutes }));
        Ok(card)
    }

    async fn ask_desk(
        &self,
        id: i64,
        said: &Said,
        (standing, channel): (Standing, Option<ChannelFacts>),
        command: Command,
        rest: &str,
    ) -> Card {
        let mut options = words::parse(command, rest);
        if let (Command::Why, Some(message)) = (command, said.replies_to) {
            options.entry("message".to_owned()).or_insert_with(|| message.to_string());
        }
        // A link calls a channel by its public name, and the facts about a channel do not say that: only whoever typed it does.
        if let (Command::ChannelWhy, Some(typed)) = (command, channel::typed(&said.rest)) {
            options.insert("channel".to_owned(), typed.channel.to_owned());
        }
        let request = Request {
            key: Some(key(id)),
            actor: Actor { user: said.user(), standing },
            venue: said.venue.clone(),
            invocation: Invocation { command, options },
            channel,
            role: None,
        };
        self.desk.answer(&request).await.card
    }
}

/// After a crash between the effect and the answer the update is carried out again: what was done is not done twice.
pub(super) fn key(id: i64) -> String {
    format!("update:{id}")
}

/// A link that does nothing, and what to do instead.
fn instead(phrase: HintPhrase) -> Card {
    let mut card = hint(Tone::Problem, phrase);
    card.lines.push(Phrase::Hint(HintPhrase::TypeInstead));
    card
}

fn channel_how_to() -> Card {
    let mut card = hint(Tone::Neutral, HintPhrase::ChannelHowTo);
    card.lines.push(RefusalPhrase::Example { text: "/channel @name subscribe SOL,ETH".to_owned() }.into());
    let words = channel_subcommands().into_iter().map(str::to_owned).collect();
    card.lines.push(Phrase::Hint(HintPhrase::ChannelWords { words }));
    card
}

fn hint(tone: Tone, phrase: HintPhrase) -> Card {
    Card::new(tone, Phrase::Hint(phrase))
}

fn answer(said: Said, card: Card) -> Answer {
    answer_in(said.chat, said.venue, card)
}

/// An answer for where it was asked.
pub(super) fn answer_in(chat: i64, venue: Venue, card: Card) -> Answer {
    match venue {
        Venue::Group { address, label } => {
            Answer { to: address, place: Place::Group, tenant: Some(chat.to_string()), label: Some(label), card }
        }
        _ => {
            let to = Address::new(Platform::Telegram, chat.to_string());
            Answer { to, place: Place::Person, tenant: None, label: None, card }
        }
    }
}
