//! Buttons under alerts and answers: each stands for a command, typed in few words. What was pressed is looked up and turned into that command, which is
//! then authorised and carried out like a typed one (`rules.md` 5.10).

use super::{Command, Invocation, Reply, Request, desk::Desk, options, place, tokens::PREVIEW, why};
use crate::{
    domain::{
        Address, AlertSubject, ButtonPress, ButtonSubject, ButtonVerb, Buttons, ButtonsId, Place, Platform, SubscriptionSubject,
        wording::{Button, ButtonPhrase, Card, Phrase, Tone},
    },
    random,
    store::NewDestination,
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
                let command = |buttons: Buttons| {
                    let invocation = invocation(press.verb, &buttons)?;
                    Some(ButtonCommand { invocation, address: buttons.address })
                };
                buttons.filter(stands_there).and_then(command).ok_or_else(|| Box::new(expired().into()))
            }
            Err(error) => Err(Box::new(super::desk::failed(&error, "a button").into())),
        }
    }

    /// A button under the answer to this request, about a subscription. Where it cannot be made, which is logged, the answer goes without.
    ///
    /// Telegram alone has it: on Discord what it does is an option that is offered while one types.
    pub(super) async fn offer(&self, request: &Request, verb: ButtonVerb, subject: &SubscriptionSubject) -> Option<Button> {
        if request.platform() != Platform::Telegram {
            return None;
        }
        let id = ButtonsId::from_random(random::bytes()?);
        let here = NewDestination { creator: None, ..place::own(request, "offer").destination };
        match self.store.offer(&here, &id, subject, self.now()).await {
            Ok(()) => Some(Button::new(verb, &id)),
            Err(error) => {
                tracing::warn!(%error, "a button could not be stored; an answer goes without it");
                None
            }
        }
    }
}

fn expired() -> Card {
    let mut card = Card::new(Tone::Problem, ButtonPhrase::Expired.into());
    card.lines.push(Phrase::from(ButtonPhrase::TypeInstead));
    card
}

/// The command that is typed for the same thing; nothing where no such button stands there.
fn invocation(verb: ButtonVerb, buttons: &Buttons) -> Option<Invocation> {
    match (&buttons.subject, verb) {
        (ButtonSubject::Alert(subject), _) => about_alert(verb, buttons.place, *subject),
        (ButtonSubject::Subscription(subject), ButtonVerb::Preview | ButtonVerb::Subscribe) => {
            let command = if subject.channel.is_some() { Command::ChannelSubscribe } else { Command::Subscribe };
            let mut options = subject.options.clone();
            options.extend(subject.channel.clone().map(|channel| (options::CHANNEL.to_owned(), channel)));
            options.extend((verb == ButtonVerb::Preview).then(|| (PREVIEW.to_owned(), "yes".to_owned())));
            Some(Invocation { command, options })
        }
        (ButtonSubject::Subscription(_), _) => None,
    }
}

/// The token is named by its number, which never means another one.
fn about_alert(verb: ButtonVerb, place: Place, subject: AlertSubject) -> Option<Invocation> {
    let (token, kind) = (format!("#{}", subject.token), subject.kind.to_string());
    let of_place = |own, channel| if place == Place::Channel { channel } else { own };
    let (command, options) = match verb {
        ButtonVerb::Mute => (of_place(Command::Mute, Command::ChannelMute), vec![("for", "24h".to_owned()), ("token", token)]),
        ButtonVerb::History => (Command::History, vec![("token", token), ("kind", kind)]),
        ButtonVerb::Unsubscribe => (of_place(Command::Unsubscribe, Command::ChannelUnsubscribe), vec![("tokens", token), ("kind", kind)]),
        ButtonVerb::Why => (Command::Why, vec![(why::ALERT, subject.alert?.to_string())]),
        ButtonVerb::Preview | ButtonVerb::Subscribe => return None,
    };
    Some(Invocation { command, options: options.into_iter().map(|(name, value)| (name.to_owned(), value)).collect() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{AlertId, Kind, TokenId};

    #[test]
    fn a_button_is_a_command_in_few_words() {
        let said = |verb, place| {
            let subject = AlertSubject { token: TokenId(3988), kind: Kind::Hourly, alert: Some(AlertId(5)) };
            let Invocation { command, options } = about_alert(verb, place, subject).unwrap();
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

    #[test]
    fn an_offer_is_the_subscription_that_the_answer_was_about() {
        let said = |verb, channel: Option<&str>| {
            let options = [("tokens".to_owned(), "#3988".to_owned())].into();
            let subject = ButtonSubject::Subscription(SubscriptionSubject { channel: channel.map(str::to_owned), options });
            let buttons = Buttons { address: Address::new(Platform::Telegram, "7"), place: Place::Person, subject };
            let Invocation { command, options } = invocation(verb, &buttons)?;
            let options: Vec<_> = options.iter().map(|(name, value)| format!("{name}={value}")).collect();
            Some(format!("{command:?} {}", options.join(" ")))
        };
        assert_eq!(said(ButtonVerb::Subscribe, None).as_deref(), Some("Subscribe tokens=#3988"));
        assert_eq!(said(ButtonVerb::Preview, Some("-1005")).as_deref(), Some("ChannelSubscribe channel=-1005 preview=yes tokens=#3988"));
        assert_eq!(said(ButtonVerb::Mute, None), None);
        let subject = AlertSubject { token: TokenId(1), kind: Kind::Daily, alert: None };
        assert_eq!(about_alert(ButtonVerb::Subscribe, Place::Person, subject), None);
    }
}
