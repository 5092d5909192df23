//! Rows of `/price` and of `/resistance-support`, which together are one row of levels.

use super::{version::Keys, wire};
use crate::{
    domain::{Level, Observation, SetAside, SetAsideReason, Timestamp, Values},
    sources::value::Value,
};

/// The most levels of a token that are taken: the newest.
const MOST: usize = 100;

/// One row of either endpoint: a price, or levels. A price has no time of its own; levels are of their `DATE`.
pub(super) fn observation(keys: &Keys, row: &Value<'_>) -> Result<Observation, SetAside> {
    let unreadable = SetAside { token: None, data_time: None, reason: SetAsideReason::Unreadable };
    let token = wire::token_id(keys, row).ok_or(unreadable)?;
    let price = wire::price(row.get(keys.price));
    let data_time = row.get(keys.date).and_then(Value::as_str).and_then(Timestamp::parse).unwrap_or(Timestamp::EPOCH);
    let values = Values { close: price, levels: levels(row.get(keys.levels)), ..Values::default() };
    Ok(Observation { token, data_time, signal: None, trend: None, position: None, values })
}

/// Those that can be read, by date. The keys inside are small letters in both versions.
fn levels(list: Option<&Value<'_>>) -> Vec<Level> {
    let Some(Value::List(list)) = list else { return Vec::new() };
    let read = |item: &Value<'_>| {
        let date = item.get("date").and_then(Value::as_str).and_then(Timestamp::parse)?.day().start();
        let at = wire::price(item.get("level"))?;
        Some(Level { date, at })
    };
    let mut levels: Vec<_> = list.iter().filter_map(read).collect();
    levels.sort_by(|a, b| a.date.cmp(&b.date).then(a.at.total_cmp(&b.at)));
    levels.dedup();
    levels.split_off(levels.len().saturating_sub(MOST))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::token_metrics::Version;

    fn read(version: Version, row: &str) -> Values {
        observation(version.keys(), &serde_json::from_str(row).unwrap()).unwrap().values
    }

    #[test]
    fn a_price_is_a_positive_number() {
        let price = |row: &str| read(Version::V2, row).close;
        assert_eq!(price(r#"{"TOKEN_ID": 3988, "CURRENT_PRICE": 151.25}"#), Some(151.25));
        assert_eq!(price(r#"{"TOKEN_ID": 3988, "CURRENT_PRICE": "0.000012"}"#), Some(0.000012));
        for odd in ["0", "-1", "null", "\"n/a\"", "\"\""] {
            assert_eq!(price(&format!("{{\"TOKEN_ID\": 3988, \"CURRENT_PRICE\": {odd}}}")), None, "{odd}");
        }
        assert_eq!(read(Version::V3, r#"{"token_id": 3988, "current_price": 151.25}"#).close, Some(151.25));
    }

    #[test]
    fn levels_are_read_one_by_one_and_come_by_date() {
        let row = r#"{"TOKEN_ID": 3988, "DATE": "2026-11-21T00:00:00.000Z", "HISTORICAL_RESISTANCE_SUPPORT_LEVELS": [
            {"date": "2026-11-03", "level": 162.5}, {"date": "2026-01-15", "level": "141"}, {"date": "2026-01-15", "level": 141.0},
            {"date": "soon", "level": 1}, {"date": "2026-02-01"}, {"date": "2026-02-01", "level": -3}, null, 7]}"#;
        let read_row = observation(Version::V2.keys(), &serde_json::from_str(row).unwrap()).unwrap();
        let levels: Vec<_> = read_row.values.levels.iter().map(|level| (level.date.day().to_string(), level.at)).collect();
        assert_eq!(levels, [("2026-01-15".to_owned(), 141.0), ("2026-11-03".to_owned(), 162.5)]);
        assert_eq!(read_row.data_time, Timestamp::parse("2026-11-21").unwrap());
        for odd in ["null", "[]", "{}", "7"] {
            assert_eq!(read(Version::V2, &format!("{{\"TOKEN_ID\": 1, \"HISTORICAL_RESISTANCE_SUPPORT_LEVELS\": {odd}}}")).levels, []);
        }
        let many: Vec<_> = (0..300).map(|day| format!("{{\"date\": \"2026-01-01\", \"level\": {}}}", day + 1)).collect();
        let many = format!("{{\"token_id\": 1, \"historical_resistance_support_levels\": [{}]}}", many.join(","));
        assert_eq!(read(Version::V3, &many).levels.len(), MOST);
    }
}
