//! In how many rows of an answer each field that is read came as it should.

use super::{
    endpoint,
    version::{Keys, Version},
    wire,
};
use crate::{
    domain::{FieldCounts, Kind},
    sources::value::Value,
};

/// What a field should be.
#[derive(Clone, Copy)]
enum Type {
    Id,
    Number,
    Text,
    /// The time of a row of that kind.
    Time(Kind),
    List,
}

/// The fields of an endpoint's rows that are read: each by the names that it may have, the usual one first.
fn fields(keys: &Keys, endpoint: &str) -> Vec<(Vec<&'static str>, Type)> {
    let one = |name: &'static str, of: Type| (vec![name], of);
    let numbers = |names: &[&'static str]| names.iter().map(|name| one(name, Type::Number)).collect::<Vec<_>>();
    let mut fields = vec![one(keys.id, Type::Id)];
    fields.extend(match endpoint {
        endpoint::DAILY => {
            let mut fields = numbers(&[
                keys.daily_signal,
                keys.trend,
                keys.trader_grade,
                keys.investor_grade,
                keys.signal_returns,
                keys.holding_returns,
            ]);
            fields.push((vec![keys.date, keys.timestamp], Type::Time(Kind::Daily)));
            fields
        }
        endpoint::HOURLY => {
            let mut fields = numbers(&[keys.hourly_signal, keys.position, keys.close]);
            fields.push((vec![keys.timestamp, keys.date], Type::Time(Kind::Hourly)));
            fields
        }
        endpoint::GRADES | endpoint::FUNDAMENTALS => {
            let graded = if endpoint == endpoint::GRADES { &keys.grade } else { &keys.fundamental };
            let mut fields = numbers(graded.scores.as_ref().map_or(&[][..], |scores| scores.as_slice()));
            fields.extend([one(graded.label, Type::Text), one(graded.grade, Type::Number)]);
            fields
        }
        endpoint::PRICES => numbers(&[keys.price]),
        endpoint::LEVELS => vec![one(keys.levels, Type::List)],
        endpoint::RANKS | endpoint::TOKENS => vec![(keys.symbol.to_vec(), Type::Text), (keys.name.to_vec(), Type::Text)],
        _ => Vec::new(),
    });
    fields
}

/// Each field of an answer with how it came.
pub(super) fn count(version: Version, endpoint: &str, rows: &[Value<'_>]) -> Vec<(&'static str, FieldCounts)> {
    let keys = version.keys();
    // What is no row at all has no shape: that it cannot be read is told by itself.
    let rows: Vec<_> = rows.iter().filter(|row| matches!(row, Value::Object(_))).collect();
    let count = |(names, of): (Vec<&'static str>, Type)| {
        let counts = rows.iter().fold(FieldCounts::default(), |counts, row| counts.plus(seen(keys, row, &names, of)));
        (names[0], counts)
    };
    fields(keys, endpoint).into_iter().map(count).collect()
}

/// One row.
fn seen(keys: &Keys, row: &Value<'_>, names: &[&str], of: Type) -> FieldCounts {
    let nothing = FieldCounts::default();
    let value = match names.iter().find_map(|name| row.get(name)) {
        None => return FieldCounts { absent: 1, ..nothing },
        Some(Value::Null) => return nothing,
        Some(Value::Text(text)) if text.trim().is_empty() => return nothing,
        Some(value) => value,
    };
    let is_right = match of {
        Type::Id => wire::token_id(keys, row).is_some(),
        Type::Number => wire::number(Some(value)).is_ok(),
        Type::Text => value.as_str().is_some(),
        Type::Time(kind) => wire::data_time(keys, kind, row).is_some(),
        Type::List => matches!(value, Value::List(_)),
    };
    if is_right { FieldCounts { right: 1, ..nothing } } else { FieldCounts { other: 1, ..nothing } }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(version: Version, endpoint: &str, rows: &str, field: &str) -> (u32, u32, u32) {
        let counts = count(version, endpoint, &serde_json::from_str::<Vec<Value<'_>>>(rows).unwrap());
        let counts = counts.into_iter().find(|(name, _)| *name == field).unwrap().1;
        (counts.right, counts.absent, counts.other)
    }

    #[test]
    fn a_field_is_right_absent_or_something_else() {
        let rows = r#"[{"TOKEN_ID": 1, "DATE": "2026-11-21", "TOKEN_TREND": "1"}, {"TOKEN_ID": "x", "DATE": 7, "TOKEN_TREND": "up"},
            {"TIMESTAMP": "2026-11-21", "TOKEN_TREND": null}, {"TOKEN_TREND": " "}, "a string"]"#;
        let of = |field| counted(Version::V2, endpoint::DAILY, rows, field);
        assert_eq!((of("TOKEN_ID"), of("DATE"), of("TOKEN_TREND")), ((1, 2, 1), (2, 1, 1), (1, 0, 1)));
        assert_eq!(of("TRADING_SIGNAL"), (0, 4, 0));
        let levels =
            r#"[{"token_id": 1, "historical_resistance_support_levels": []}, {"token_id": 1, "historical_resistance_support_levels": 7}]"#;
        assert_eq!(counted(Version::V3, endpoint::LEVELS, levels, "historical_resistance_support_levels"), (1, 0, 1));
        let names = r#"[{"TOKEN_ID": 1, "SYMBOL": "BTC", "NAME": 1}]"#;
        assert_eq!(counted(Version::V2, endpoint::TOKENS, names, "TOKEN_SYMBOL"), (1, 0, 0));
        assert_eq!(counted(Version::V2, endpoint::TOKENS, names, "TOKEN_NAME"), (0, 0, 1));
    }
}
