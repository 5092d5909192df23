//! A subscriber who is imagined from words, as for `replay --as`: what commands would take, read by the same code. No database, nobody told.

use super::{Actor, Command, Invocation, Request, Standing, Venue, desk::Stop, options, setting_words, tokens::TokenWord, words};
use crate::domain::{
    Address, Delivery, Direction, Kind, Platform, Settings, TokenId, UserId,
    wording::{Phrase, RefusalPhrase},
};
use std::collections::BTreeMap;

const EXAMPLE: &str = "tokens=SOL,ETH kind=hourly delivery=instant max_per_hour=3 cooldown=30 direction=any";
/// The options of `/subscribe`; the others are those of `/settings`.
const OF_SUBSCRIBE: &[&str] = &["tokens", "kind", "direction", "delivery"];

/// What somebody would have subscribed to, with which settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImaginedSubscriber {
    /// Every token there is.
    pub all: bool,
    /// Tokens by their symbol, upper case.
    pub symbols: Vec<String>,
    /// Tokens by their number.
    pub tokens: Vec<TokenId>,
    /// Which signal.
    pub kind: Kind,
    /// Which turns.
    pub direction: Direction,
    /// When.
    pub delivery: Delivery,
    /// With which limits.
    pub settings: Settings,
}

impl ImaginedSubscriber {
    /// Reads `name=value …`.
    ///
    /// # Errors
    /// What a command would answer, with a right example.
    pub fn parse(text: &str) -> Result<Self, String> {
        let options = words::parse(Command::Settings, text);
        let (subscribe, settings): (BTreeMap<_, _>, BTreeMap<_, _>) =
            options.into_iter().partition(|(name, _)| name == options::FREE_WORDS || OF_SUBSCRIBE.contains(&name.as_str()));
        let words = options::words(&request(Command::Subscribe, subscribe), "tokens", EXAMPLE).map_err(in_words)?;
        if !words.all && words.tokens.is_empty() {
            return Err(in_words(Stop::with_example(RefusalPhrase::NoTokens, EXAMPLE)));
        }
        let change = setting_words::settings_with(&request(Command::Settings, settings), EXAMPLE).map_err(in_words)?;
        let (mut symbols, mut tokens) = (Vec::new(), Vec::new());
        for word in words.tokens {
            match word {
                TokenWord::Symbol(symbol) => symbols.push(symbol),
                TokenWord::Id(id) => tokens.push(id),
            }
        }
        Ok(Self {
            all: words.all,
            symbols,
            tokens,
            kind: words.kind.unwrap_or(Kind::Daily),
            direction: words.direction.unwrap_or(Direction::Any),
            delivery: words.delivery.unwrap_or(Delivery::Instant),
            settings: Settings::default().changed(&change),
        })
    }
}

fn request(command: Command, options: BTreeMap<String, String>) -> Request {
    Request {
        key: None,
        actor: Actor { user: UserId("imagined".to_owned()), standing: Standing::Member },
        venue: Venue::Private { address: Address::new(Platform::Console, "imagined") },
        invocation: Invocation { command, options },
        channel: None,
        role: None,
    }
}

/// The sentences of a refusal.
fn in_words(stop: Stop) -> String {
    match stop {
        Stop::Refused(card) => card.lines.iter().map(Phrase::plain).collect::<Vec<_>>().join(" "),
        Stop::Repeated | Stop::Failed(_) => format!("write something like {EXAMPLE}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_the_commands() {
        let read = ImaginedSubscriber::parse(EXAMPLE).unwrap();
        assert_eq!((read.symbols, read.kind, read.direction), (vec!["SOL".to_owned(), "ETH".to_owned()], Kind::Hourly, Direction::Any));
        assert_eq!(read.settings, Settings { max_per_hour: 3, cooldown_minutes: 30, ..Settings::default() });
        let all = ImaginedSubscriber::parse("tokens=all").unwrap();
        assert!(all.all && all.kind == Kind::Daily && all.settings == Settings::default());
        assert_eq!(ImaginedSubscriber::parse("tokens=#3375, sol").unwrap().tokens, [TokenId(3375)]);
    }

    #[test]
    fn what_a_command_refuses_is_refused_with_an_example() {
        for (text, words) in [
            ("", "token"),
            ("kind=hourly", "token"),
            ("tokens=SOL kind=weekly", "weekly"),
            ("tokens=SOL direction=up", "up"),
            ("tokens=SOL max_per_hour=61", "60"),
            ("tokens=SOL colour=red", "colour"),
            ("tokens=#x", "#x"),
        ] {
            let refused = ImaginedSubscriber::parse(text).unwrap_err();
            assert!(refused.contains(words), "{text}: {refused}");
            assert!(refused.contains(EXAMPLE), "{text}: {refused}");
        }
    }
}
