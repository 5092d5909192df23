//! A button that was pressed: the command that it stands for is carried out as if its message's reader had typed it there, and the press is
//! answered whatever comes of it, because the reader's client waits for that.

use super::{
    Me, Updates, UpdatesError,
    api::CALL_TIMEOUT,
    channel,
    convert::{Pressed, Spot},
    flood::{self, Verdict},
    handle::{answer_in, key},
};
use crate::{
    commands::{Actor, Answer, ButtonCommand, ChannelFacts, Command, Invocation, Request, Standing, Venue},
    domain::{
        Address, ButtonPress, Platform, UserId,
        wording::{ButtonPhrase, Card, HintPhrase, Phrase, Tone},
    },
};
use serde_json::json;

/// The most characters that a client shows over the chat.
const POPUP: usize = 200;
/// Under which name a press is kept that goes on in private. Nobody can type it: a command's name has no such sign.
pub(super) const PRESSED: &str = "pressed:";

/// What the presser's client shows.
#[derive(Debug)]
enum Shown {
    /// No more than that the press arrived: the answer is a message.
    Nothing,
    /// These words over the chat, for the presser alone.
    Popup(String),
    /// The private chat, where it goes on.
    Link(String),
}

impl Updates {
    /// Carries out what was pressed and settles it, then shows what came of it. Words that were shown first and not kept would be untrue where the
    /// press is carried out again.
    pub(super) async fn press(&self, id: i64, pressed: Pressed, me: &Me) -> Result<(), UpdatesError> {
        let Pressed { query, user, button } = pressed;
        let (shown, answer) = match button {
            Some((press, spot)) => self.pressed(id, &press, spot, user, me).await?,
            None => (Shown::Popup(Phrase::from(ButtonPhrase::Expired).plain()), None),
        };
        // Whoever settled it before shows what came of it.
        if self.arrivals.inbox.finish(id, answer, self.clock.now()).await? {
            self.show(&query, shown).await;
        }
        Ok(())
    }

    async fn pressed(&self, id: i64, press: &ButtonPress, spot: Spot, user: i64, me: &Me) -> Result<(Shown, Option<Answer>), UpdatesError> {
        let presser = UserId(user.to_string());
        match self.take(&presser, self.clock.now()) {
            Verdict::Welcome => {}
            Verdict::Refuse => {
                let seconds = flood::WINDOW.as_secs();
                let phrase = Phrase::Hint(HintPhrase::SlowDown { commands: flood::COMMANDS, seconds });
                return Ok((Shown::Popup(phrase.plain()), None));
            }
            Verdict::Silence => return Ok((Shown::Nothing, None)),
        }
        let at = Address::new(Platform::Telegram, spot.chat().to_string());
        let command = match self.desk.pressed(press, &at).await {
            Ok(command) => command,
            Err(reply) => return Ok((popup(&reply.card), None)),
        };
        match spot {
            Spot::Chat { chat, venue } => Ok(self.pressed_in_chat(id, chat, venue_of(venue, &command), user, command.invocation, me).await),
            Spot::Channel { chat } if is_for_reading(command.invocation.command) => {
                Ok((Shown::Link(self.link_to_private(press, chat, &presser, me).await?), None))
            }
            Spot::Channel { chat } => Ok((self.pressed_in_channel(id, chat, user, command.invocation, me).await, None)),
        }
    }

    /// The answer is a message, as if the command had been typed; a refusal in a group is for the presser's eyes alone.
    async fn pressed_in_chat(
        &self,
        id: i64,
        chat: i64,
        venue: Venue,
        user: i64,
        invocation: Invocation,
        me: &Me,
    ) -> (Shown, Option<Answer>) {
        let is_group = matches!(venue, Venue::Group { .. });
        let (standing, channel) = match (invocation.options.get("channel"), invocation.command) {
            (Some(channel), _) => {
                let (standing, facts) = channel::facts(&self.telegram, me, channel, user).await;
                (standing, Some(facts))
            }
            (None, Command::Mute | Command::Unsubscribe | Command::Subscribe) if is_group => {
                (self.admins.standing(&self.telegram, chat, user, false).await, None)
            }
            _ => (Standing::Member, None),
        };
        let actor = Actor { user: UserId(user.to_string()), standing };
        let request = Request { key: Some(key(id)), actor, venue, invocation, channel, role: None };
        let card = self.desk.answer(&request).await.card;
        if is_group && card.tone == Tone::Problem {
            return (popup(&card), None);
        }
        (Shown::Nothing, Some(answer_in(chat, request.venue, card)))
    }

    /// Nobody but the bot's alerts speaks in a channel: what was done is shown to the presser.
    async fn pressed_in_channel(&self, id: i64, chat: i64, user: i64, invocation: Invocation, me: &Me) -> Shown {
        let (standing, facts) = channel::facts(&self.telegram, me, &chat.to_string(), user).await;
        let venue = Venue::Private { address: Address::new(Platform::Telegram, user.to_string()) };
        let actor = Actor { user: UserId(user.to_string()), standing };
        let request = Request { key: Some(key(id)), actor, venue, invocation, channel: Some(facts), role: None };
        popup(&self.desk.answer(&request).await.card)
    }

    /// What is long goes on in private: a link that presses the button there, for whoever pressed it here.
    async fn link_to_private(&self, press: &ButtonPress, chat: i64, presser: &UserId, me: &Me) -> Result<String, UpdatesError> {
        let bot = format!("https://t.me/{}", me.username);
        let payload = self.arrivals.inbox.keep_for(presser, PRESSED, &format!("{chat} {press}"), self.clock.now()).await?;
        Ok(payload.map_or_else(|| bot.clone(), |payload| format!("{bot}?start={payload}")))
    }

    /// Does in private what was pressed in a channel. That the presser reads the channel was seen when they pressed.
    pub(super) async fn pressed_before(&self, id: i64, words: &str, presser: UserId, venue: Venue) -> Card {
        let kept =
            words.split_once(' ').and_then(|(chat, press)| Some((Address::new(Platform::Telegram, chat), ButtonPress::parse(press)?)));
        let Some((channel, press)) = kept else { return Card::new(Tone::Problem, ButtonPhrase::Expired.into()) };
        let invocation = match self.desk.pressed(&press, &channel).await {
            Ok(command) => command.invocation,
            Err(reply) => return reply.card,
        };
        let facts = ChannelFacts { label: channel.chat.clone(), address: channel, problem: None };
        let actor = Actor { user: presser, standing: Standing::Member };
        let request = Request { key: Some(key(id)), actor, venue, invocation, channel: Some(facts), role: None };
        self.desk.answer(&request).await.card
    }

    /// What was pressed is done by now: where this fails, only a client waits a little longer.
    async fn show(&self, query: &str, shown: Shown) {
        let mut parameters = json!({ "callback_query_id": query });
        match shown {
            Shown::Nothing => {}
            Shown::Popup(text) => {
                parameters["text"] = text.into();
                parameters["show_alert"] = true.into();
            }
            Shown::Link(url) => parameters["url"] = url.into(),
        }
        if let Err(error) = self.telegram.api().call("answerCallbackQuery", &parameters, CALL_TIMEOUT).await {
            tracing::warn!(why = error.explain(), "the press of a button could not be answered; what was asked is done");
        }
    }
}

/// What is only read, whoever reads it.
fn is_for_reading(command: Command) -> bool {
    matches!(command, Command::History | Command::Why)
}

/// Of an old message Telegram tells the chat and not the topic.
fn venue_of(venue: Venue, command: &ButtonCommand) -> Venue {
    match venue {
        Venue::Group { label, .. } => Venue::Group { address: command.address.clone(), label },
        venue => venue,
    }
}

fn popup(card: &Card) -> Shown {
    Shown::Popup(clipped(&card.plain(), POPUP))
}

fn clipped(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(most - 1).collect();
    short.push('…');
    short
}
