//! Buttons under an alert or an answer: what stands behind one, and what comes back when it is pressed (`rules.md` 5.10).

use super::{Address, AlertId, Kind, Place, Timestamp, TokenId};
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, time::Duration};

/// How long buttons do what they say.
const LASTS: Duration = Duration::from_secs(7 * 24 * 3600);
/// The letters of an id: 96 bits, six to a letter.
const ID_LENGTH: usize = 16;
const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Names the row that says what the buttons of one message may do. Nobody guesses it, and it gives no right by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ButtonsId(String);

impl ButtonsId {
    /// Of 96 random bits.
    pub fn from_random(random: [u8; 12]) -> Self {
        let bits = random.iter().fold(0_u128, |bits, byte| (bits << 8) | u128::from(*byte));
        let letter = |index: usize| char::from(LETTERS[(bits >> (6 * index)) as usize % LETTERS.len()]);
        Self((0..ID_LENGTH).map(letter).collect())
    }

    /// Reads what may be one.
    pub fn parse(text: &str) -> Option<Self> {
        (text.len() == ID_LENGTH && text.bytes().all(|byte| LETTERS.contains(&byte))).then(|| Self(text.to_owned()))
    }

    /// As it is stored and sent.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Until when they do what they say, made at this time.
    pub fn expires_at(made: Timestamp) -> Timestamp {
        made + LASTS
    }
}

impl TryFrom<String> for ButtonsId {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("not the id of buttons")
    }
}

impl From<ButtonsId> for String {
    fn from(id: ButtonsId) -> Self {
        id.0
    }
}

/// What a button does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ButtonVerb {
    /// Holds the token's alerts for a day.
    Mute,
    /// Shows how its call changed.
    History,
    /// Ends its alerts of that kind.
    Unsubscribe,
    /// Tells how the alert came here.
    Why,
    /// Shows what a subscription would have sent.
    Preview,
    /// Saves a subscription.
    Subscribe,
}

impl ButtonVerb {
    /// Every one.
    pub const ALL: &'static [Self] = &[Self::Mute, Self::History, Self::Unsubscribe, Self::Why, Self::Preview, Self::Subscribe];
    /// Those under an alert, in the order in which they stand.
    pub const OF_ALERT: &'static [Self] = &[Self::Mute, Self::History, Self::Unsubscribe, Self::Why];

    /// The word that is sent with it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mute => "mute",
            Self::History => "history",
            Self::Unsubscribe => "unsubscribe",
            Self::Why => "why",
            Self::Preview => "preview",
            Self::Subscribe => "subscribe",
        }
    }
}

/// What a button sends when it is pressed: `v1:<verb>:<id>`, 32 characters at most.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ButtonPress {
    /// What is wanted.
    pub verb: ButtonVerb,
    /// Of which buttons.
    pub id: ButtonsId,
}

impl ButtonPress {
    /// Reads what came back; nothing where it was never sent by us.
    pub fn parse(text: &str) -> Option<Self> {
        let (word, id) = text.strip_prefix("v1:")?.split_once(':')?;
        let verb = ButtonVerb::ALL.iter().copied().find(|verb| verb.as_str() == word)?;
        Some(Self { verb, id: ButtonsId::parse(id)? })
    }
}

impl fmt::Display for ButtonPress {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "v1:{}:{}", self.verb.as_str(), self.id.as_str())
    }
}

impl TryFrom<String> for ButtonPress {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("not a button of ours")
    }
}

impl From<ButtonPress> for String {
    fn from(press: ButtonPress) -> Self {
        press.to_string()
    }
}

/// What buttons are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ButtonSubject {
    /// The alert above them.
    Alert(AlertSubject),
    /// The subscription that the answer above them is about.
    Subscription(SubscriptionSubject),
}

/// A subscription as it is typed, with tokens by their numbers: whatever their symbols mean later, it is the same one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubscriptionSubject {
    /// The channel that it is for, where it is not for the place in which it is typed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// The options of `/subscribe`.
    pub options: BTreeMap<String, String>,
}

/// What the buttons under an alert are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlertSubject {
    /// The token of the alert.
    pub token: TokenId,
    /// The signal of the alert.
    pub kind: Kind,
    /// The alert; of several about one call the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert: Option<AlertId>,
}

/// Buttons that still do what they say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Buttons {
    /// Where they stand: they do nothing elsewhere.
    pub address: Address,
    /// What kind of place that is.
    pub place: Place,
    /// What they are about.
    pub subject: ButtonSubject,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_comes_back_as_it_was_and_fits_both_platforms() {
        for random in [[0; 12], [255; 12], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]] {
            let id = ButtonsId::from_random(random);
            assert_eq!(ButtonsId::parse(id.as_str()), Some(id.clone()));
            for verb in ButtonVerb::ALL {
                let press = ButtonPress { verb: *verb, id: id.clone() };
                assert!(press.to_string().len() <= 64, "Telegram takes no more");
                assert_eq!(ButtonPress::parse(&press.to_string()), Some(press));
            }
        }
    }

    #[test]
    fn every_bit_counts() {
        let ids: std::collections::BTreeSet<_> = (0..96)
            .map(|bit| {
                let mut random = [0; 12];
                random[bit / 8] = 1 << (bit % 8);
                ButtonsId::from_random(random).as_str().to_owned()
            })
            .collect();
        assert_eq!(ids.len(), 96);
    }

    #[test]
    fn nothing_else_is_a_button_of_ours() {
        let id = "AAAAAAAAAAAAAAAA";
        for bad in [
            String::new(),
            format!("v2:mute:{id}"),
            format!("v1:forget:{id}"),
            format!("v1:mute:{id}A"),
            "v1:mute:AAAAAAAAAAAAAAA".to_owned(),
            "v1:mute:AAAAAAAAAAAAAAA\u{e9}".to_owned(),
            "v1:mute:AAAAAAAAAAAAAA'-".to_owned(),
            format!("V1:mute:{id}"),
            format!("v1:mute:{id}:x"),
            "x".repeat(10_000),
        ] {
            assert_eq!(ButtonPress::parse(&bad), None, "{bad}");
        }
    }
}
