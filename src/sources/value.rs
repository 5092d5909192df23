//! JSON as sources send it, kept as it came and where it came: texts point into the answer, and an object is the list of its members. A row
//! has a dozen keys, which a list finds sooner than a map is built.
//!
//! What a member means is the business of whoever asked for it.

use serde::{
    Deserialize, Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use std::{borrow::Cow, cell::Cell, fmt};

/// Any JSON value.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Value<'a> {
    /// `null`.
    #[default]
    Null,
    /// `true` or `false`.
    Flag(bool),
    /// A number that is a whole one of 64 bits.
    Integer(i64),
    /// Any other number.
    Number(f64),
    /// Text.
    Text(Cow<'a, str>),
    /// A list.
    List(Vec<Self>),
    /// An object: its members in their order.
    Object(Vec<(Key<'a>, Self)>),
}

/// The name of a member.
#[derive(Clone, Debug, PartialEq)]
pub struct Key<'a>(Cow<'a, str>);

impl Value<'_> {
    /// The member of that name, the last where there are several; none where this is no object.
    pub fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Object(members) => members.iter().rev().find(|(name, _)| name.0 == key).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The text, where it is one.
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Takes the member of that name out, the last where there are several.
    pub fn take(&mut self, key: &str) -> Option<Self> {
        match self {
            Self::Object(members) => members.iter_mut().rev().find(|(name, _)| name.0 == key).map(|(_, value)| std::mem::take(value)),
            _ => None,
        }
    }
}

impl<'de> Deserialize<'de> for Value<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue { members: &Cell::new(0) })
    }
}

/// Reads whatever comes. The objects of a list are mostly alike: each is given as much room as the one before it had members, so that all of
/// them together never get more than twice what they fill, whoever wrote them.
#[derive(Clone, Copy)]
struct AnyValue<'a> {
    members: &'a Cell<usize>,
}

impl<'de> DeserializeSeed<'de> for AnyValue<'_> {
    type Value = Value<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value<'de>, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AnyValue<'_> {
    type Value = Value<'de>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value<'de>, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value<'de>, E> {
        Ok(Value::Flag(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value<'de>, E> {
        Ok(Value::Integer(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value<'de>, E> {
        Ok(i64::try_from(number).map_or(Value::Number(number as f64), Value::Integer))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value<'de>, E> {
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Value<'de>, E> {
        Ok(Value::Text(Cow::Borrowed(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value<'de>, A::Error> {
        let mut list = Vec::new();
        let members = Cell::new(0);
        while let Some(item) = items.next_element_seed(AnyValue { members: &members })? {
            list.push(item);
        }
        Ok(Value::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value<'de>, A::Error> {
        let mut object = Vec::with_capacity(self.members.get());
        while let Some(member) = members.next_entry()? {
            object.push(member);
        }
        self.members.set(object.len());
        Ok(Value::Object(object))
    }
}

impl<'de> Deserialize<'de> for Key<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match deserializer.deserialize_str(AnyValue { members: &Cell::new(0) })? {
            Value::Text(text) => Ok(Self(text)),
            _ => Err(D::Error::custom("the name of a member is no text")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key<'_> {
        Key(Cow::Borrowed(name))
    }

    fn read(text: &str) -> Value<'_> {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn every_kind_of_value_is_kept() {
        let text = r#"[null, true, -1, 1.5, 18446744073709551615, "B\u0054C", [], {"a": {"b": 2}}, {}, {"a": null, "\u0062": ""}]"#;
        let object = Value::Object(vec![(key("a"), Value::Object(vec![(key("b"), Value::Integer(2))]))]);
        let last = Value::Object(vec![(key("a"), Value::Null), (key("b"), Value::Text("".into()))]);
        let expected = [
            Value::Null,
            Value::Flag(true),
            Value::Integer(-1),
            Value::Number(1.5),
            Value::Number(18_446_744_073_709_551_615.0),
            Value::Text("BTC".into()),
            Value::List(Vec::new()),
            object,
            Value::Object(Vec::new()),
            last,
        ];
        assert_eq!(read(text), Value::List(expected.to_vec()));
    }

    #[test]
    fn the_last_of_two_members_of_one_name_counts() {
        let mut value = read(r#"{"a": 1, "b": "x", "a": 2}"#);
        assert_eq!((value.get("a"), value.get("b").and_then(Value::as_str), value.get("c")), (Some(&Value::Integer(2)), Some("x"), None));
        assert_eq!((value.take("a"), value.take("c")), (Some(Value::Integer(2)), None));
        assert_eq!((read("[1]").get("a"), read("1").as_str()), (None, None));
    }

    #[test]
    fn nesting_without_end_is_refused() {
        assert!(serde_json::from_str::<Value<'_>>(&"[".repeat(100_000)).is_err());
    }
}
