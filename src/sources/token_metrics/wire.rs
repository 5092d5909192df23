//! From JSON to our own words, forgiving in form and strict in meaning.
//!
//! Numbers come as numbers, as numeric strings, as `""` and as null. What keys are called depends on the API's version. A row that cannot be
//! read is set aside; the others go on.

use super::{
    graded, levels,
    version::{Keys, Version},
};
use crate::{
    domain::{Kind, Observation, SetAside, SetAsideReason, Timestamp, Token, TokenId, Values, clean_name},
    sources::value::Value,
};
use chrono::NaiveDateTime;
use std::ops::RangeInclusive;

/// An answer of the API as it is packed: `{"success", "message", "length", "data"}`. Nothing but `data` is relied on.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Body<'a> {
    /// Whether the API calls it a success; so where it does not say.
    pub success: bool,
    /// The API's words.
    pub message: String,
    /// The rows.
    pub rows: Vec<Value<'a>>,
}

impl Body<'_> {
    /// Whether it says that there is no data, which is not an error (`rules.md` 2.7).
    pub fn is_not_found(&self) -> bool {
        !self.success && self.rows.is_empty() && self.message.trim().eq_ignore_ascii_case("data not found")
    }
}

/// Reads an answer of the API.
///
/// # Errors
/// Where it is not JSON or not packed as answers are, in words.
pub fn read_body(bytes: &[u8]) -> Result<Body<'_>, String> {
    read_json(bytes).and_then(unpack)
}

/// Reads an answer as JSON.
///
/// # Errors
/// Where it is none, in words.
pub(super) fn read_json(bytes: &[u8]) -> Result<Value<'_>, String> {
    let not_json = |error: String| {
        let start = String::from_utf8_lossy(&bytes[..bytes.len().min(64)]).trim_start().to_ascii_lowercase();
        if start.starts_with('<') { "it is an HTML page, not JSON".to_owned() } else { format!("it is not JSON: {error}") }
    };
    // Looked through once as a whole, its texts need not be one by one.
    let text = std::str::from_utf8(bytes).map_err(|error| not_json(error.to_string()))?;
    serde_json::from_str(text).map_err(|error| not_json(error.to_string()))
}

/// Unpacks an answer.
///
/// # Errors
/// Where it is not packed like that, in words.
pub(super) fn unpack(mut answer: Value<'_>) -> Result<Body<'_>, String> {
    if !matches!(answer, Value::Object(_)) {
        return Err("it is JSON, but not an object".to_owned());
    }
    let success = answer.get("success") != Some(&Value::Flag(false));
    let message = words(&answer).unwrap_or_default();
    let rows = match answer.take("data") {
        Some(Value::List(rows)) => rows,
        // One row that was not wrapped.
        Some(row @ Value::Object(_)) => vec![row],
        None | Some(Value::Null) if !success => Vec::new(),
        _ => return Err("it has no list of rows under \"data\"".to_owned()),
    };
    Ok(Body { success, message, rows })
}

/// The API's own words in an answer, however it is packed.
pub(super) fn words(answer: &Value<'_>) -> Option<String> {
    ["message", "error"].iter().find_map(|key| answer.get(key)?.as_str()).map(str::to_owned).filter(|words| !words.is_empty())
}

/// Which kind of signal a row holds, by its keys, whichever version wrote it.
pub fn guess_kind(row: &Value<'_>) -> Option<Kind> {
    let version = Version::of_rows(std::slice::from_ref(row));
    let keys = version.keys();
    let has = |key| row.get(key).is_some();
    // The history of grades carries a signal beside them and is no list of calls; version 3 has a grade beside its calls, but a trend too.
    let is_grades = match version {
        Version::V2 => has("TM_GRADE"),
        Version::V3 => has("tm_grade") && !has(keys.trend),
    };
    if is_grades {
        None
    } else if has(keys.daily_signal) || has(keys.trend) {
        Some(Kind::Daily)
    } else if has(keys.hourly_signal) || has(keys.position) {
        Some(Kind::Hourly)
    } else {
        None
    }
}

/// Reads rows of one kind: those that could be read, and the others with their reasons.
pub fn read_rows(version: Version, kind: Kind, rows: &[Value<'_>]) -> (Vec<Observation>, Vec<SetAside>) {
    let (mut read, mut aside) = (Vec::with_capacity(rows.len()), Vec::new());
    for row in rows {
        let keys = version.keys();
        let result = match kind {
            Kind::Daily | Kind::Hourly => observation(keys, kind, row),
            Kind::Grade | Kind::Fundamental => graded::observation(keys, kind, row),
            Kind::Levels => levels::observation(keys, row),
        };
        match result {
            Ok(observation) => read.push(observation),
            Err(unreadable) => aside.push(unreadable),
        }
    }
    (read, aside)
}

/// One row of a signal endpoint.
fn observation(keys: &Keys, kind: Kind, row: &Value<'_>) -> Result<Observation, SetAside> {
    let token = token_id(keys, row);
    let data_time = data_time(keys, kind, row);
    let unreadable = || SetAside { token, data_time, reason: SetAsideReason::Unreadable };
    let (Some(token), Some(data_time)) = (token, data_time) else { return Err(unreadable()) };
    let meaning = |key| number(row.get(key)).map_err(|Unreadable| unreadable());
    let (signal, trend, position) = match kind {
        Kind::Hourly => (meaning(keys.hourly_signal)?, None, meaning(keys.position)?),
        _ => (meaning(keys.daily_signal)?, meaning(keys.trend)?, None),
    };
    // What history keeps besides never costs a row its meaning.
    let value = |key| number(row.get(key)).unwrap_or_default();
    let values = Values {
        trader_grade: value(keys.trader_grade),
        investor_grade: value(keys.investor_grade),
        signal_returns: value(keys.signal_returns),
        holding_returns: value(keys.holding_returns),
        close: value(keys.close),
        graded: None,
        levels: Vec::new(),
    };
    Ok(Observation { token, data_time, signal, trend, position, values })
}

/// One row of a list of tokens, or the token that a signal row is about.
pub fn read_token(version: Version, row: &Value<'_>) -> Option<Token> {
    let keys = version.keys();
    let id = token_id(keys, row)?;
    let text = |names: [&str; 2]| names.iter().find_map(|key| row.get(key)?.as_str()).map(clean_name).filter(|text| !text.is_empty());
    let symbol = text(keys.symbol)?;
    let name = text(keys.name).unwrap_or_else(|| symbol.clone());
    let link = link(row.get(keys.link).and_then(|url| url.as_str()), row.get(keys.slug).and_then(|slug| slug.as_str()));
    Some(Token { id, symbol, name, rank: None, link })
}

/// The first category of a token in the list of tokens, where it has one.
pub(super) fn read_category(version: Version, row: &Value<'_>) -> Option<(TokenId, String)> {
    let keys = version.keys();
    let Value::List(categories) = row.get(keys.categories)? else { return None };
    let named =
        categories.iter().find_map(|category| category.get("category_name")?.as_str().map(clean_name).filter(|name| !name.is_empty()));
    Some((token_id(keys, row)?, named?))
}

/// Where to read more (`rules.md` 3.10): the API's own link where it leads somewhere, else one made of the slug.
fn link(url: Option<&str>, slug: Option<&str>) -> Option<String> {
    let own = url.and_then(|url| {
        let parsed = reqwest::Url::parse(url.trim()).ok()?;
        let host = parsed.host_str()?;
        let theirs = host == "tokenmetrics.com" || host.ends_with(".tokenmetrics.com");
        let plain = parsed.username().is_empty() && parsed.password().is_none() && parsed.port().is_none();
        let leads_somewhere = !parsed.path().trim_end_matches('/').ends_with("/undefined");
        (parsed.scheme() == "https" && theirs && plain && leads_somewhere && url.len() <= 500).then(|| parsed.to_string())
    });
    let safe = |slug: &&str| {
        !slug.is_empty()
            && slug.len() <= 100
            && *slug != "undefined"
            && slug.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    own.or_else(|| slug.map(str::trim).filter(safe).map(|slug| format!("https://app.tokenmetrics.com/en/{slug}")))
}

pub(super) fn token_id(keys: &Keys, row: &Value<'_>) -> Option<TokenId> {
    let id = match row.get(keys.id)? {
        Value::Text(text) => text.trim().parse().ok()?,
        Value::Integer(id) => *id,
        // 3375.0 is still 3375.
        Value::Number(id) if id.fract() == 0.0 && id.abs() < 9e15 => *id as i64,
        _ => return None,
    };
    (id > 0).then_some(TokenId(id))
}

/// Both spellings of the key, with and without a zone (UTC is meant): the row's day, or its hour.
pub(super) fn data_time(keys: &Keys, kind: Kind, row: &Value<'_>) -> Option<Timestamp> {
    let names = if kind == Kind::Hourly { [keys.timestamp, keys.date] } else { [keys.date, keys.timestamp] };
    let text = names.iter().find_map(|key| row.get(key)?.as_str())?.trim();
    let at = Timestamp::parse(text).or_else(|| {
        let formats = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f"];
        formats.iter().find_map(|format| NaiveDateTime::parse_from_str(text, format).ok()).map(|at| Timestamp::from(at.and_utc()))
    })?;
    const HOUR: i64 = 3_600_000;
    Some(if kind == Kind::Hourly { Timestamp::from_millis(at.as_millis().div_euclid(HOUR) * HOUR) } else { at.day().start() })
}

/// Neither a number nor nothing.
pub(super) struct Unreadable;

/// A number, a numeric string, or nothing (absent, null, empty).
pub(super) fn number(value: Option<&Value<'_>>) -> Result<Option<f64>, Unreadable> {
    let number = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Text(text)) if text.trim().is_empty() => return Ok(None),
        Some(Value::Text(text)) => text.trim().parse().ok(),
        Some(Value::Integer(number)) => Some(*number as f64),
        Some(Value::Number(number)) => Some(*number),
        Some(_) => None,
    };
    // "NaN" and "inf" are numbers to the parser, not to us.
    number.filter(|number: &f64| number.is_finite()).map(Some).ok_or(Unreadable)
}

/// What is read as a price or a level of it, in US dollars: beyond lies nothing that anything was ever worth, and no end of digits.
const PRICES: RangeInclusive<f64> = 1e-18..=1e15;

/// A price, where it is one.
pub(super) fn price(value: Option<&Value<'_>>) -> Option<f64> {
    bounded(value, PRICES)
}

/// A number within bounds; whatever else stands there is nothing.
pub(super) fn bounded(value: Option<&Value<'_>>, bounds: RangeInclusive<f64>) -> Option<f64> {
    number(value).unwrap_or_default().filter(|number| bounds.contains(number))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    type Json = serde_json::Value;

    fn value(json: &str) -> Value<'_> {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn numbers_come_in_every_guise() {
        let read = |json: Json| number(Some(&value(&json.to_string()))).map_err(|Unreadable| ());
        assert_eq!(read(json!(-1)), Ok(Some(-1.0)));
        assert_eq!(read(json!("1")), Ok(Some(1.0)));
        assert_eq!(read(json!(" 96849.12000000 ")), Ok(Some(96849.12)));
        assert_eq!(read(json!("")), Ok(None));
        assert_eq!(read(Json::Null), Ok(None));
        for odd in [json!("bullish"), json!("NaN"), json!("inf"), json!(true), json!([1])] {
            assert_eq!(read(odd.clone()), Err(()), "{odd}");
        }
    }

    #[test]
    fn a_price_is_of_this_world() {
        let read = |json: Json| price(Some(&value(&json.to_string())));
        assert_eq!(
            (read(json!("151.25")), read(json!(1e-18)), read(json!(0.000_000_012))),
            (Some(151.25), Some(1e-18), Some(0.000_000_012))
        );
        for odd in
            [json!(0), json!(-1), json!(1e16), json!(1e300), json!(1e-30), json!("NaN"), json!("n/a"), json!([1]), json!({}), Json::Null]
        {
            assert_eq!(read(odd.clone()), None, "{odd}");
        }
    }

    #[test]
    fn a_row_is_read_by_either_spelling_of_its_time() {
        let read = |kind, row: Json| observation(Version::V2.keys(), kind, &value(&row.to_string())).unwrap().data_time.to_string();
        let daily = |row| read(Kind::Daily, row);
        assert_eq!(daily(json!({"TOKEN_ID": 1, "DATE": "2026-11-21T00:00:00.000Z"})), "2026-11-21T00:00:00Z");
        assert_eq!(daily(json!({"TOKEN_ID": "1", "TIMESTAMP": "2026-11-21"})), "2026-11-21T00:00:00Z");
        assert_eq!(daily(json!({"TOKEN_ID": 1.0, "DATE": "2026-11-21 13:00:00"})), "2026-11-21T00:00:00Z");
        assert_eq!(read(Kind::Hourly, json!({"TOKEN_ID": 1, "TIMESTAMP": "2026-11-21T22:59:59+01:00"})), "2026-11-21T21:00:00Z");
    }

    #[test]
    fn an_unreadable_row_is_set_aside_and_the_others_go_on() {
        let rows = json!([
            {"TOKEN_ID": 1, "DATE": "2026-11-21", "TRADING_SIGNAL": "up"},
            {"TOKEN_ID": 2, "DATE": "yesterday"},
            {"TOKEN_ID": null, "DATE": "2026-11-21"},
            "a string",
            {"TOKEN_ID": 5, "DATE": "2026-11-21", "TRADING_SIGNAL": 1, "TM_TRADER_GRADE": "n/a"},
        ]);
        let (read, aside) = read_rows(Version::V2, Kind::Daily, &serde_json::from_str::<Vec<Value<'_>>>(&rows.to_string()).unwrap());
        assert_eq!(read.iter().map(|row| row.token.0).collect::<Vec<_>>(), [5]);
        assert_eq!(read[0].values.trader_grade, None);
        assert_eq!(aside.iter().map(|row| row.token.map(|id| id.0)).collect::<Vec<_>>(), [Some(1), Some(2), None, None]);
        assert!(aside.iter().all(|row| row.reason == SetAsideReason::Unreadable));
        assert_eq!(aside[0].data_time, Timestamp::parse("2026-11-21"));
    }

    #[test]
    fn a_category_is_the_first_that_has_a_name() {
        let of = |list: Json| read_category(Version::V2, &value(&json!({"TOKEN_ID": 7, "CATEGORY_LIST": list}).to_string()));
        let named = |name: &str| json!({"category_id": 1, "category_name": name});
        assert_eq!(
            of(json!([{"category_id": 1}, null, named(" Layer\u{202e} 1 "), named("PoW")])),
            Some((TokenId(7), "Layer 1".to_owned()))
        );
        for odd in [json!([]), json!(null), json!("Layer 1"), json!([named("\u{200b}")]), json!([{"category_name": 1}])] {
            assert_eq!(of(odd.clone()), None, "{odd}");
        }
    }

    #[test]
    fn a_link_leads_to_the_source_or_nowhere() {
        let app = "https://app.tokenmetrics.com";
        let table = [
            (Some("https://app.tokenmetrics.com/en/solana"), None, Some(format!("{app}/en/solana"))),
            (Some("https://app.tokenmetrics.com/undefined"), Some("bitcoin"), Some(format!("{app}/en/bitcoin"))),
            (Some("https://tokenmetrics.com/x"), Some("bitcoin"), Some("https://tokenmetrics.com/x".to_owned())),
            (Some("http://app.tokenmetrics.com/en/solana"), Some("sol"), Some(format!("{app}/en/sol"))),
            (Some("https://eviltokenmetrics.com/x"), None, None),
            (Some("https://tokenmetrics.com.evil.example/x"), None, None),
            (Some("https://tokenmetrics.com@evil.example/x"), None, None),
            (Some("https://user@app.tokenmetrics.com/x"), None, None),
            (Some("javascript:alert(1)"), Some("a/../b"), None),
            (None, Some("undefined"), None),
            (None, Some(""), None),
            (None, None, None),
        ];
        for (url, slug, expected) in table {
            assert_eq!(link(url, slug), expected, "{url:?} {slug:?}");
        }
    }

    #[test]
    fn link_and_slug_are_two_things() {
        let text = r#"{"TOKEN_ID": 3375, "TOKEN_SYMBOL": "B\u202eTC", "TOKEN_NAME": " Bit\ncoin ", "tm_link": "bitcoin", "TM_LINK": "https://app.tokenmetrics.com/undefined"}"#;
        let token = read_token(Version::V2, &serde_json::from_str(text).unwrap()).unwrap();
        assert_eq!((token.symbol.as_str(), token.name.as_str()), ("BTC", "Bit coin"));
        assert_eq!(token.link.as_deref(), Some("https://app.tokenmetrics.com/en/bitcoin"));
    }

    #[test]
    fn bodies_that_are_not_answers_say_what_they_are() {
        let message = |text: &str| read_body(text.as_bytes()).unwrap_err();
        assert_eq!(message("<!DOCTYPE html><html>"), "it is an HTML page, not JSON");
        assert!(message("{\"success\": true, \"da").starts_with("it is not JSON"));
        assert!(read_body(b"{\"data\": [\"\xff\"]}").unwrap_err().starts_with("it is not JSON: invalid utf-8"));
        assert_eq!(message("[1]"), "it is JSON, but not an object");
        assert_eq!(message("{\"success\": true}"), "it has no list of rows under \"data\"");
        let refused = read_body(br#"{"success": false, "message": "no"}"#).unwrap();
        assert!(!refused.success && !refused.is_not_found());
    }
}
