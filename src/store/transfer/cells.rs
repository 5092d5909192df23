//! The values of a document's rows: how each is written there, and what of it is taken from a file, which is hostile.
//!
//! A value that is refused says what to write instead; where it stands is added by whoever reads the document.

use crate::domain::{
    Address, AlertState, Cadence, Crossing, Delivery, Direction, Feed, Kind, Levels, MAX_COOLDOWN_MINUTES, MAX_PER_HOUR, Mention,
    MessageBody, Mover, Passed, Place, Platform, QuarantineReason, Reason, Scores, Settings, SourceId, Stance, Target, Threshold,
    Timestamp, TokenNews, Unconfirmed, Values, clean_name,
};
use chrono::SecondsFormat;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};
use serde_json::Value;
use sqlx::{Database, Decode, Type, error::BoxDynError};
use std::collections::BTreeMap;

/// The most characters of words that nobody types: ids, problems, names of calls.
const MOST_CHARACTERS: usize = 4_096;
/// The most bytes of an update that was stored before it was carried out (`rules.md` 6.2).
const MOST_OF_AN_UPDATE: usize = 1024 * 1024;
/// Numbers of rows and tokens stay far from the end of what the databases count to, so that the next row has one as well.
const LARGEST_NUMBER: i64 = 1 << 53;
const NEVER: &str = "never";
/// Later times are written as `never`: RFC 3339 has four digits for a year.
const LAST_MOMENT: i64 = 253_402_300_799_999;
/// The beginning of the year 1: a source may date a row before 1970, and what is exported must come back.
const FIRST_MOMENT: i64 = -62_135_596_800_000;

/// The written addresses of the places of a database, with their rows.
pub(in crate::store) type Places = BTreeMap<String, i64>;

/// A value between database and document.
pub(in crate::store) trait Cell {
    /// As one value of the rows that a statement takes as JSON; nothing where it names a place that is unknown.
    fn native(&self, places: &Places) -> Option<Value>;
    /// The place that it names.
    fn address(&self) -> Option<&AddressText> {
        None
    }
    /// Whether it is left out of the document.
    fn is_absent(&self) -> bool {
        false
    }
}

impl<T: Cell> Cell for Option<T> {
    fn native(&self, places: &Places) -> Option<Value> {
        self.as_ref().map_or(Some(Value::Null), |cell| cell.native(places))
    }
    fn address(&self) -> Option<&AddressText> {
        self.as_ref().and_then(Cell::address)
    }
    fn is_absent(&self) -> bool {
        self.is_none()
    }
}

/// Values that the database takes as they are.
macro_rules! plain {
    ($($type:ty => $self:ident $value:expr),* $(,)?) => {$(
        impl Cell for $type {
            fn native(&$self, _: &Places) -> Option<Value> {
                Some($value.into())
            }
        }
    )*};
}

plain! {
    bool => self *self,
    LaterFlag => self self.0,
    f64 => self *self,
    // A fingerprint, an update's number: whatever it is.
    i64 => self *self,
    Number => self self.0,
    Moment => self self.0,
}

/// A text of which only some are right: `text!(Name, |text| read it, "what to write instead")`.
macro_rules! text {
    ($(#[$doc:meta])* $name:ident, $read:expr, $instead:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, sqlx::Type)]
        #[sqlx(transparent)]
        #[serde(transparent)]
        pub struct $name(pub(crate) String);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = String::deserialize(from)?;
                let read: fn(&str) -> Option<String> = $read;
                read(&text).map(Self).ok_or_else(|| D::Error::custom(format!("{:?} is not taken; write {}", shortened(&text), $instead)))
            }
        }

    };
}

/// The same, where the database takes it as it is.
macro_rules! texts {
    ($($(#[$doc:meta])* $name:ident, $read:expr, $instead:literal;)*) => {$(
        text!($(#[$doc])* $name, $read, $instead);
        plain! { $name => self self.0.clone() }
    )*};
}

fn shortened(text: &str) -> String {
    clean_name(text).chars().take(40).collect()
}

/// The text, where some reader takes it and would write it the same way.
fn taken<T>(text: &str, value: Option<T>, word: impl Fn(T) -> String) -> Option<String> {
    value.map(word).filter(|word| word == text)
}

/// At most so many characters, and none that controls.
fn line(text: &str) -> Option<String> {
    (text.chars().count() <= MOST_CHARACTERS && !text.chars().any(|c| c.is_control() && !c.is_whitespace())).then(|| text.to_owned())
}

fn one_of(text: &str, words: &[&str]) -> Option<String> {
    words.contains(&text).then(|| text.to_owned())
}

text!(
    /// Where alerts go.
    AddressText,
    |text| {
        let address = Address::parse(text).filter(|address| address.platform != Platform::Console);
        taken(text, address, |address| address.to_string())
    },
    "discord:CHANNEL_ID, discord:user:USER_ID, telegram:CHAT_ID or telegram:CHAT_ID/TOPIC"
);

/// A flag that documents of earlier versions do not have: not set there.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, sqlx::Type)]
#[serde(from = "Option<bool>")]
#[sqlx(transparent)]
pub(crate) struct LaterFlag(bool);

impl From<Option<bool>> for LaterFlag {
    fn from(flag: Option<bool>) -> Self {
        Self(flag.unwrap_or(false))
    }
}

impl Cell for AddressText {
    fn native(&self, places: &Places) -> Option<Value> {
        places.get(&self.0).map(|row| (*row).into())
    }
    fn address(&self) -> Option<&AddressText> {
        Some(self)
    }
}

text!(
    /// Under which name a notice is remembered; where that holds a place, it is written as its address.
    NoticeName,
    |text| line(text),
    "a short name"
);

const QUARANTINE: &str = "quarantine:";

impl NoticeName {
    /// The place whose quarantine it is about, as a written address.
    pub(crate) fn quarantined(&self) -> Option<&str> {
        self.0.strip_prefix(QUARANTINE)
    }
}

impl Cell for NoticeName {
    fn native(&self, places: &Places) -> Option<Value> {
        match self.quarantined() {
            Some(address) => places.get(address).map(|row| format!("{QUARANTINE}{row}").into()),
            None => Some(self.0.clone().into()),
        }
    }
}

texts! {
    /// A name from outside: cleaned, not refused.
    Name,
    |text| Some(clean_name(text)),
    "a name";
    /// Words that nobody types.
    Text,
    |text| line(text),
    "at most 4,096 characters without control characters";
    /// An update of Telegram as it came.
    UpdateBody,
    |text| (text.len() <= MOST_OF_AN_UPDATE && !text.contains('\0')).then(|| text.to_owned()),
    "at most 1 MiB without NUL";
    /// A source.
    SourceText,
    |text| one_of(text, &[SourceId::TokenMetrics.as_str()]),
    "token-metrics";
    /// A platform.
    PlatformText,
    |text| taken(text, Platform::parse(text), |platform| platform.to_string()),
    "discord or telegram";
    /// What kind of place.
    PlaceText,
    |text| taken(text, Place::parse(text), |place| place.as_str().to_owned()),
    "person, group or channel";
    /// What a subscription is for.
    TargetText,
    |text| {
        let target = Target::parse(text).filter(|target| !matches!(target, Target::Token(id) if !(1..=LARGEST_NUMBER).contains(&id.0)));
        taken(text, target, |target| target.to_string())
    },
    "all or a TOKEN_ID such as \"3375\"";
    /// Which signal.
    KindText,
    |text| taken(text, Kind::parse(text), |kind| kind.to_string()),
    "daily, hourly, grade, fundamental or levels";
    /// Which turns.
    DirectionText,
    |text| taken(text, Direction::parse(text), |direction| direction.to_string()),
    "any, bullish or bearish";
    /// A line.
    ThresholdText,
    |text| taken(text, Threshold::parse(text), |threshold| threshold.to_string()),
    "above:NUMBER or below:NUMBER, up to 100";
    /// When.
    DeliveryText,
    |text| taken(text, Delivery::parse(text), |delivery| delivery.to_string()),
    "instant, digest-hourly, digest-daily or digest-weekly";
    /// A call.
    StanceText,
    |text| taken(text, Stance::parse(text), |stance| stance.to_string()),
    "bullish, bearish, or a grade such as \"Buy\", a class such as \"blueChip\", or a line such as \"above 70\"";
    /// What is polled.
    FeedText,
    |text| taken(text, Feed::parse(text), |feed| feed.to_string()),
    "daily, hourly, grade, fundamental, levels, ranks or directory";
    /// Why a place cannot be reached.
    QuarantineText,
    |text| taken(text, QuarantineReason::parse(text), |reason| reason.as_str().to_owned()),
    "deleted, removed, blocked, deactivated, forbidden, closed or wrong_kind";
    /// What was decided about an alert.
    DecisionText,
    |text| one_of(text, &["send", "hold", "skip"]),
    "send, hold or skip";
    /// Why.
    ReasonText,
    |text| taken(text, Reason::parse(text), |reason| reason.to_string()),
    "a reason such as instant or cooldown";
    /// What became of an alert.
    AlertStateText,
    |text| taken(text, AlertState::parse(text), |state| state.to_string()),
    "pending, composed, told, skipped, superseded or dead";
    /// What kind of difference.
    NatureText,
    |text| one_of(text, &["turned", "crossed", "correction"]),
    "turned, crossed or correction";
    /// How a change reaches people.
    TimingText,
    |text| one_of(text, &["fresh", "late", "history"]),
    "fresh, late or history";
    /// What became of a message.
    MessageStateText,
    |text| one_of(text, &["queued", "sent", "dead", "dropped"]),
    "queued, sent, dead or dropped";
    /// What became of an update.
    UpdateStateText,
    |text| one_of(text, &["stored", "done", "rejected"]),
    "stored, done or rejected";
}

/// The number of a row or a token, or a count: not negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, sqlx::Type)]
#[sqlx(transparent)]
#[serde(transparent)]
pub struct Number(pub(crate) i64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let number = i64::deserialize(from)?;
        let instead = || D::Error::custom(format!("{number} is out of range; write a number from 0 to {LARGEST_NUMBER}"));
        (0..=LARGEST_NUMBER).contains(&number).then_some(Self(number)).ok_or_else(instead)
    }
}

/// A point in time, written as RFC 3339 to the millisecond, or `never`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, sqlx::Type)]
#[sqlx(transparent)]
pub struct Moment(pub(crate) i64);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if self.0 > LAST_MOMENT {
            return to.serialize_str(NEVER);
        }
        to.serialize_str(&Timestamp::from_millis(self.0).to_utc().to_rfc3339_opts(SecondsFormat::Millis, true))
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        if text == NEVER {
            return Ok(Self(Timestamp::NEVER.as_millis()));
        }
        let at = Timestamp::parse(&text).filter(|at| (FIRST_MOMENT..=LAST_MOMENT).contains(&at.as_millis()));
        let instead = || D::Error::custom(format!("{:?} is not a time; write one such as 2026-11-21T06:00:00.000Z", shortened(&text)));
        at.map(|at| Self(at.as_millis())).ok_or_else(instead)
    }
}

/// A JSON value that the database holds as text: `json!(Name, |value| normal form, "what to write instead")`. Equal values have equal texts.
macro_rules! json {
    ($(#[$doc:meta])* $name:ident, $normal:expr, $instead:literal) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            fn normal(value: Value) -> Option<Self> {
                let normal: fn(Value) -> Option<Value> = $normal;
                normal(value).map(|value| Self(value.to_string()))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                serde_json::from_str::<Value>(&self.0).map_err(serde::ser::Error::custom)?.serialize(to)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                Self::normal(Value::deserialize(from)?).ok_or_else(|| D::Error::custom(concat!("it is not taken; write ", $instead)))
            }
        }

        impl<DB: Database> Type<DB> for $name
        where
            String: Type<DB>,
        {
            fn type_info() -> DB::TypeInfo {
                String::type_info()
            }
            fn compatible(ty: &DB::TypeInfo) -> bool {
                String::compatible(ty)
            }
        }

        impl<'r, DB: Database> Decode<'r, DB> for $name
        where
            String: Decode<'r, DB>,
        {
            fn decode(value: DB::ValueRef<'r>) -> Result<Self, BoxDynError> {
                let text = String::decode(value)?;
                Self::normal(serde_json::from_str(&text)?).ok_or_else(|| format!("{text:?} cannot be read").into())
            }
        }

        plain! { $name => self self.0.clone() }
    };
}

/// As this type reads and writes it; nothing where it says more than the type does.
fn as_read<T: for<'de> Deserialize<'de> + Serialize>(value: &Value) -> Option<Value> {
    let read: T = serde_json::from_value(value.clone()).ok()?;
    let written = serde_json::to_value(read).ok()?;
    says_no_more(value, &written).then_some(written)
}

/// Whether every member of `value` is one of `known`, all the way down.
fn says_no_more(value: &Value, known: &Value) -> bool {
    match (value, known) {
        (Value::Object(value), Value::Object(known)) => {
            value.iter().all(|(name, value)| known.get(name).map_or(value.is_null(), |known| says_no_more(value, known)))
        }
        (Value::Array(value), Value::Array(known)) => value.iter().zip(known).all(|(value, known)| says_no_more(value, known)),
        _ => true,
    }
}

fn within_limits(value: &Value) -> Option<Value> {
    let settings: Settings = serde_json::from_value(value.clone()).ok()?;
    let known =
        value.as_object()?.keys().all(|name| Settings::NAMES.contains(&name.as_str()) || name == Settings::NAME_OF_CONFIRMATION_BEFORE);
    let within = settings.max_per_hour <= MAX_PER_HOUR && settings.cooldown_minutes <= MAX_COOLDOWN_MINUTES;
    if known && within { serde_json::to_value(settings).ok() } else { None }
}

json!(
    /// What a place's owner chose.
    SettingsJson,
    |value| within_limits(&value),
    "max_per_hour from 0 to 60, cooldown_minutes from 0 to 10080, confirmation from 0 to 1440 minutes or polls such as 2of3, the rest as export writes it"
);
json!(
    /// What a message says. A dead letter may be one that nobody can read.
    BodyJson,
    |value| Some(as_read::<MessageBody>(&value).unwrap_or(value)),
    "the body as export wrote it"
);
/// Values that are taken as their types read them.
macro_rules! read_as {
    ($($(#[$doc:meta])* $name:ident: $type:ty, $instead:literal;)*) => {
        $(json!($(#[$doc])* $name, |value| as_read::<$type>(&value), $instead);)*
    };
}

read_as! {
    /// Whom a message mentions.
    MentionJson: Mention, "a list of role ids";
    /// How often a feed is polled.
    CadenceJson: Cadence, "the cadence as export wrote it";
    /// Turns that wait for a second answer.
    UnconfirmedJson: Unconfirmed, "the turns as export wrote them";
    /// The numbers of a row.
    ValuesJson: Values, "the values as export wrote them";
    /// Lines that a number has passed.
    PassedJson: Passed, "the lines as export wrote them";
    /// A price and its levels.
    LevelsJson: Levels, "the levels as export wrote them";
    /// What a price crossed.
    CrossingJson: Crossing, "the crossing as export wrote it";
    /// What a fundamental grade is made of.
    ScoresJson: Scores, "the scores as export wrote them";
    /// What is told of a token.
    TokenNewsJson: TokenNews, "the news as export wrote it";
    /// The part of it that moved most.
    MoverJson: Mover, "what moved as export wrote it";
}
json!(
    /// Anything: what a button does, what the audit saw.
    AnyJson,
    Some,
    "JSON"
);

impl BodyJson {
    /// Whether it is a message that can be sent.
    pub(crate) fn is_readable(&self) -> bool {
        serde_json::from_str::<MessageBody>(&self.0).is_ok()
    }
}
