//! Buttons under alerts: each stands for a command, typed in few words. What was pressed is looked up and turned into that command, which is
//! then authorised and carried out like a typed one (`rules.md` 5.10).

use super::{Command, Invocation, Reply, desk::Desk, why};
use crate::domain::{
    Address, ButtonPress, ButtonVerb, Buttons, Place,
    wording::{ButtonPhrase, Card, Phrase, Tone},
};

/// What a button stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ButtonCommand {
    /// The command.
    pub invocation: Invocation,
    /// The place whose button it is: of an old message a platform may tell the chat alone.
    pub address: Address,
}

impl Desk {
    /// What the button stands for, pressed in the chat of this address; else the answer that says why it does nothing. Whoever pressed it may
    /// still not be allowed to do that.
    ///
    /// # Errors
    /// The answer, where the buttons are too old, stand elsewhere, or the database fails.
    pub async fn pressed(&self, press: &ButtonPress, at: &Address) -> Result<ButtonCommand, Box<Reply>> {
        let stands_there = |buttons: &Buttons| buttons.address.platform == at.platform && buttons.address.chat == at.chat;
        match self.store.buttons(&press.id, self.now()).await {
            Ok(buttons) => {
                let command = |buttons: Buttons| ButtonCommand { invocation: invocation(press.verb, &buttons), address: buttons.address };
                buttons.filter(stands_there).map(command).ok_or_else(|| Box::new(expired().into()))
            }
            Err(error) => Err(Box::new(super::desk::failed(&error, "a button").into())),
        }
    }
}

fn expired() -> Card {
    let mut card = Card::new(Tone::Problem, ButtonPhrase::Expired.into());
    card.lines.push(Phrase::from(ButtonPhrase::TypeInstead));
    card
}

/// The command that is typed for the same thing. The token is named by its number, which never means another one.
fn invocation(verb: ButtonVerb, buttons: &Buttons) -> Invocation {
    let Buttons { place, subject, .. } = buttons;
    let (token, kind) = (format!("#{}", subject.token), subject.kind.to_string());
    let of_place = |own, channel| if *place == Place::Channel { channel } else { own };
    let (command, options) = match verb {
        ButtonVerb::Mute => (of_place(Command::Mute, Command::ChannelMute), vec![("for", "24h".to_owned()), ("token", token)]),
        ButtonVerb::History => (Command::History, vec![("token", token), ("kind", kind)]),
        ButtonVerb::Unsubscribe => (of_place(Command::Unsubscribe, Command::ChannelUnsubscribe), vec![("tokens", token), ("kind", kind)]),
        ButtonVerb::Why => (Command::Why, subject.alert.map(|alert| (why::ALERT, alert.to_string())).into_iter().collect()),
    };
    Invocation { command, options: options.into_iter().map(|(name, value)| (name.to_owned(), value)).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AlertId, ButtonSubject, Kind, Platform, TokenId};

    #[test]
    fn a_button_is_a_command_in_few_words() {
        let said = |verb, place| {
            let subject = ButtonSubject { token: TokenId(3988), kind: Kind::Hourly, alert: Some(AlertId(5)) };
            let Invocation { command, options } =
                invocation(verb, &Buttons { address: Address::new(Platform::Telegram, "7"), place, subject });
            let options: Vec<_> = options.iter().map(|(name, value)| format!("{name}={value}")).collect();
            format!("{command:?} {}", options.join(" "))
        };
        for place in [Place::Person, Place::Group] {
            assert_eq!(said(ButtonVerb::Mute, place), "Mute for=24h token=#3988");
            assert_eq!(said(ButtonVerb::Unsubscribe, place), "Unsubscribe kind=hourly tokens=#3988");
        }
        assert_eq!(said(ButtonVerb::Mute, Place::Channel), "ChannelMute for=24h token=#3988");
        assert_eq!(said(ButtonVerb::Unsubscribe, Place::Channel), "ChannelUnsubscribe kind=hourly tokens=#3988");
        assert_eq!(said(ButtonVerb::History, Place::Channel), "History kind=hourly token=#3988");
        assert_eq!(said(ButtonVerb::Why, Place::Channel), "Why alert=5");
    }
}
