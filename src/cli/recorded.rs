//! How recorded bodies of the data API are read: the one place where `replay` touches their form.

use crate::domain::{Kind, Observation, SetAside, SetAsideReason, Timestamp, TokenId, Values, clean_name};
use serde_json::Value;

/// The rows of one answer, each as it came.
///
/// # Errors
/// Where it is not an answer of the API, in words.
pub(super) fn rows_of(body: &Value) -> Result<&[Value], &'static str> {
    match body.get("data") {
        Some(Value::Array(rows)) => Ok(rows),
        // A refusal has no rows, and says so.
        None | Some(Value::Null) if body.get("success").is_some() || body.get("error").is_some() => Ok(&[]),
        _ => Err("it is not an answer of the data API: it has no list of rows under \"data\""),
    }
}

/// Which kind of signal a row holds, by its keys.
pub(super) fn kind_of(row: &Value) -> Option<Kind> {
    let has = |key| row.get(key).is_some();
    // The history of grades carries a signal beside them and is no list of calls.
    if has("TM_GRADE") {
        return None;
    }
    match (has("TRADING_SIGNAL") || has("TOKEN_TREND"), has("SIGNAL") || has("POSITION")) {
        (true, _) => Some(Kind::Daily),
        (false, true) => Some(Kind::Hourly),
        (false, false) => None,
    }
}

/// The symbol that a row carries, cleaned.
pub(super) fn symbol_of(row: &Value) -> Option<(TokenId, String)> {
    let symbol = clean_name(row.get("TOKEN_SYMBOL")?.as_str()?);
    (!symbol.is_empty()).then_some((token_of(row)?, symbol))
}

/// The rows that can be read, and those that cannot.
pub(super) fn read(kind: Kind, rows: &[Value]) -> (Vec<Observation>, Vec<SetAside>) {
    let (mut read, mut set_aside) = (Vec::new(), Vec::new());
    for row in rows {
        match observation(kind, row) {
            Some(observation) => read.push(observation),
            None => set_aside.push(SetAside { token: token_of(row), data_time: time_of(row), reason: SetAsideReason::Unreadable }),
        }
    }
    (read, set_aside)
}

fn observation(kind: Kind, row: &Value) -> Option<Observation> {
    let (signal, trend, position) = match kind {
        Kind::Hourly => (number(row, "SIGNAL")?, None, number(row, "POSITION")?),
        _ => (number(row, "TRADING_SIGNAL")?, number(row, "TOKEN_TREND")?, None),
    };
    let value = |key| number(row, key).flatten();
    let values = Values {
        trader_grade: value("TM_TRADER_GRADE"),
        investor_grade: value("TM_INVESTOR_GRADE"),
        signal_returns: value("TRADING_SIGNALS_RETURNS"),
        holding_returns: value("HOLDING_RETURNS"),
        close: value("CLOSE"),
    };
    Some(Observation { token: token_of(row)?, data_time: time_of(row)?, signal, trend, position, values })
}

fn token_of(row: &Value) -> Option<TokenId> {
    row.get("TOKEN_ID")?.as_i64().map(TokenId)
}

fn time_of(row: &Value) -> Option<Timestamp> {
    Timestamp::parse(row.get("DATE").or_else(|| row.get("TIMESTAMP"))?.as_str()?)
}

/// A number, a numeric string, or nothing; `None` where it is something else.
fn number(row: &Value, key: &str) -> Option<Option<f64>> {
    match row.get(key) {
        None | Some(Value::Null) => Some(None),
        Some(Value::String(text)) if text.is_empty() => Some(None),
        Some(Value::String(text)) => text.parse().ok().map(Some),
        Some(value) => value.as_f64().map(Some),
    }
}
